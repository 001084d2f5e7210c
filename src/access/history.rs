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

/// What a row tells, in a sentence without its full stop.
#[must_use]
pub fn what(row: &proto::HistoryRow, reading: &Reading<'_>) -> String {
    let language = reading.language;
    let kind = u8::try_from(row.kind).ok().and_then(EventKind::of_number);
    let Some(kind) = kind else { return names::UNKNOWN.get(language).to_owned() };
    let details = row.details.clone().unwrap_or_default();
    let (other, held) = ((reading.name)(&row.counterparty), place(details.hold));
    let record = place(details.record.as_ref().and_then(|record| record.record));
    let why = wire::correction_reason(details.reason);
    let why = why.map_or("", |reason| names::correction_reason(reason).get(language));
    match kind {
        EventKind::ServiceRecorded => {
            let settled = words!(language, "; settles hold {held}", "；兑现预约 {held}");
            let settled = if details.hold.is_some() { settled } else { String::new() };
            format!("{}{settled}{}", service(&details, reading), became(row, &details, language))
        }
        EventKind::ServiceCorrected => {
            let (service, became) = (service(&details, reading), became(row, &details, language));
            words!(
                language,
                "corrects {record} ({why}) to: {service}{became}",
                "更正 {record}（{why}）为：{service}{became}"
            )
        }
        EventKind::ServiceReversed => {
            let service = service(&details, reading);
            words!(language, "takes back {record} ({why}): {service}", "冲正 {record}（{why}）：{service}")
        }
        EventKind::MinutesTransferred if row.minutes > 0 => {
            words!(language, "received from {other}", "收到 {other} 转赠")
        }
        EventKind::MinutesTransferred => words!(language, "given to {other}", "转赠给 {other}"),
        EventKind::HoldPlaced => {
            let end = (reading.moment)(details.hold_expires_at_ms);
            words!(language, "reserved with station {other} until {end}", "在服务站 {other} 预约，到 {end} 为止")
        }
        EventKind::HoldReleased => {
            words!(language, "hold {held} with station {other} released", "服务站 {other} 的预约 {held} 已取消")
        }
        EventKind::HoldExpired => {
            words!(language, "hold {held} with station {other} ran out", "服务站 {other} 的预约 {held} 已到期")
        }
    }
}

fn service(details: &proto::HistoryDetails, reading: &Reading<'_>) -> String {
    let language = reading.language;
    let Some(service) = &details.service else { return words!(language, "service", "服务") };
    let (category, activity) = (&service.category, &service.activity);
    let (station, when) = ((reading.name)(&service.station), when(service, language));
    let (volunteer, payer) = ((reading.name)(&service.volunteer), (reading.name)(&service.payer));
    let activity = if activity.is_empty() { String::new() } else { words!(language, ", {activity}", "，{activity}") };
    let what = words!(
        language,
        "{category}{activity}, {when}, station {station}",
        "{category}{activity}，{when}，服务站 {station}"
    );
    if service.volunteer == reading.account {
        let paid = words!(language, ", paid by {payer}", "，由 {payer} 付出");
        let paid = if service.payer.is_empty() { String::new() } else { paid };
        words!(language, "earned: {what}{paid}", "服务所得：{what}{paid}")
    } else if service.payer == reading.account {
        words!(language, "spent: {what}, by {volunteer}", "支出：{what}，由 {volunteer} 服务")
    } else {
        words!(language, "{what}, by {volunteer}", "{what}，由 {volunteer} 服务")
    }
}

/// What became of a record since this version of it.
fn became(row: &proto::HistoryRow, details: &proto::HistoryDetails, language: Language) -> String {
    let Some(record) = &details.record else { return String::new() };
    if record.reversed {
        return words!(language, "; taken back later", "；后来已冲正");
    }
    if record.newest == row.event {
        return String::new();
    }
    // A correction that moves no minutes has no row of its own.
    let now = record.service.as_ref().map_or_else(String::new, |now| {
        let (category, when) = (&now.category, when(now, language));
        let credited = Minutes::new(now.credited_minutes);
        let credited = credited.in_language(language);
        words!(language, ": {category}, {when}, credited with {credited}", "：{category}，{when}，记入 {credited}")
    });
    let newest = place(record.newest);
    words!(language, "; corrected by {newest}{now}", "；已由 {newest} 更正{now}")
}
