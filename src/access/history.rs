//! Rows of a history in a clerk's words: what happened, to what, when and with whom, and what became of it.

use super::{names, when::when};
use crate::{
    format::{proto, wire},
    ledger::{EventKind, Language, Minutes, Say},
};

/// Who reads an account's history: their language, what they call accounts, and their zone.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The language that they are told it in.
    pub language: Language,
    /// The account whose history it is, 16 bytes.
    pub account: &'a [u8],
    /// What an account is called where it is read, by its 16 bytes.
    pub name: &'a dyn Fn(&[u8]) -> String,
    /// A moment, in ms since 1970, as their clocks show it.
    pub moment: &'a dyn Fn(i64) -> String,
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading")
            .field("language", &self.language)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// A place as people read it: `17.0`.
#[must_use]
pub fn place(at: Option<proto::EventRef>) -> String {
    at.map_or_else(String::new, |at| format!("{}.{}", at.index, at.event))
}

/// What a row tells.
#[must_use]
pub fn what(row: &proto::HistoryRow, reading: &Reading<'_>) -> String {
    let kind = u8::try_from(row.kind).ok().and_then(EventKind::of_number);
    let Some(kind) = kind else { return names::UNKNOWN.get(reading.language).to_owned() };
    let details = row.details.clone().unwrap_or_default();
    match reading.language {
        Language::English => in_english(kind, row, &details, reading),
        Language::Chinese => in_chinese(kind, row, &details, reading),
    }
}

/// Why a record was changed; nothing where it isn't said.
fn reason(details: &proto::HistoryDetails, language: Language) -> &'static str {
    wire::correction_reason(details.reason).map_or("", |reason| names::correction_reason(reason).get(language))
}

fn in_english(
    kind: EventKind,
    row: &proto::HistoryRow,
    details: &proto::HistoryDetails,
    reading: &Reading<'_>,
) -> String {
    let (other, held) = ((reading.name)(&row.counterparty), place(details.hold));
    let record = place(details.record.as_ref().and_then(|record| record.record));
    let (why, service) = (reason(details, Language::English), service(details, reading));
    match kind {
        EventKind::ServiceRecorded => {
            let settled = details.hold.map_or_else(String::new, |_| format!("; settles hold {held}"));
            format!("{service}{settled}{}", became(row, details, reading))
        }
        EventKind::ServiceCorrected => {
            format!("corrects {record} ({why}) to: {service}{}", became(row, details, reading))
        }
        EventKind::ServiceReversed => format!("takes back {record} ({why}): {service}"),
        EventKind::MinutesTransferred if row.minutes > 0 => format!("received from {other}"),
        EventKind::MinutesTransferred => format!("given to {other}"),
        EventKind::HoldPlaced => {
            format!("reserved with station {other} until {}", (reading.moment)(details.hold_expires_at_ms))
        }
        EventKind::HoldReleased => format!("hold {held} with station {other} released"),
        EventKind::HoldExpired => format!("hold {held} with station {other} ran out"),
    }
}

fn in_chinese(
    kind: EventKind,
    row: &proto::HistoryRow,
    details: &proto::HistoryDetails,
    reading: &Reading<'_>,
) -> String {
    let (other, held) = ((reading.name)(&row.counterparty), place(details.hold));
    let record = place(details.record.as_ref().and_then(|record| record.record));
    let (why, service) = (reason(details, Language::Chinese), service(details, reading));
    match kind {
        EventKind::ServiceRecorded => {
            let settled = details.hold.map_or_else(String::new, |_| format!("；兑现预约 {held}"));
            format!("{service}{settled}{}", became(row, details, reading))
        }
        EventKind::ServiceCorrected => {
            format!("更正 {record}（{why}）为：{service}{}", became(row, details, reading))
        }
        EventKind::ServiceReversed => format!("冲正 {record}（{why}）：{service}"),
        EventKind::MinutesTransferred if row.minutes > 0 => format!("收到 {other} 转赠"),
        EventKind::MinutesTransferred => format!("转赠给 {other}"),
        EventKind::HoldPlaced => {
            format!("在服务站 {other} 预约，到 {} 为止", (reading.moment)(details.hold_expires_at_ms))
        }
        EventKind::HoldReleased => format!("服务站 {other} 的预约 {held} 已取消"),
        EventKind::HoldExpired => format!("服务站 {other} 的预约 {held} 已到期"),
    }
}

fn service(details: &proto::HistoryDetails, reading: &Reading<'_>) -> String {
    let language = reading.language;
    let Some(service) = &details.service else {
        return match language {
            Language::English => "service".to_owned(),
            Language::Chinese => "服务".to_owned(),
        };
    };
    let (station, when) = ((reading.name)(&service.station), when(service, language));
    let (volunteer, payer) = ((reading.name)(&service.volunteer), (reading.name)(&service.payer));
    let (earned, spent) = (service.volunteer == reading.account, service.payer == reading.account);
    let issued = service.payer.is_empty();
    match language {
        Language::English => {
            let activity = if service.activity.is_empty() { String::new() } else { format!(", {}", service.activity) };
            let what = format!("{}{activity}, {when}, station {station}", service.category);
            match (earned, spent) {
                (true, _) if issued => format!("earned: {what}"),
                (true, _) => format!("earned: {what}, paid by {payer}"),
                (false, true) => format!("spent: {what}, by {volunteer}"),
                (false, false) => format!("{what}, by {volunteer}"),
            }
        }
        Language::Chinese => {
            let activity = if service.activity.is_empty() { String::new() } else { format!("，{}", service.activity) };
            let what = format!("{}{activity}，{when}，服务站 {station}", service.category);
            match (earned, spent) {
                (true, _) if issued => format!("服务所得：{what}"),
                (true, _) => format!("服务所得：{what}，由 {payer} 付出"),
                (false, true) => format!("支出：{what}，由 {volunteer} 服务"),
                (false, false) => format!("{what}，由 {volunteer} 服务"),
            }
        }
    }
}

/// What became of a record since this version of it.
fn became(row: &proto::HistoryRow, details: &proto::HistoryDetails, reading: &Reading<'_>) -> String {
    let language = reading.language;
    let Some(record) = &details.record else { return String::new() };
    if record.reversed {
        return match language {
            Language::English => "; taken back later".to_owned(),
            Language::Chinese => "；后来已冲正".to_owned(),
        };
    }
    if record.newest == row.event {
        return String::new();
    }
    // A correction that moves no minutes has no row of its own.
    let now = record.service.as_ref().map_or_else(String::new, |now| {
        let (when, credited) = (when(now, language), Minutes::new(now.credited_minutes));
        match language {
            Language::English => format!(": {}, {when}, credited with {credited}", now.category),
            Language::Chinese => format!("：{}，{when}，记入 {}", now.category, credited.in_language(language)),
        }
    });
    match language {
        Language::English => format!("; corrected by {}{now}", place(record.newest)),
        Language::Chinese => format!("；已由 {} 更正{now}", place(record.newest)),
    }
}
