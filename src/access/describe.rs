//! Events in words, with the ids that they name. A new kind gets its words here.

use super::{names, when::interval_at_offset};
use crate::{
    ledger::{Event, KeyEnrolled, Language, LedgerCreated, Predecessor, Say, Served, Service},
    people::calendar::date_of_days,
};

/// What an event says, as the second half of a sentence.
#[must_use]
pub fn event(event: &Event, language: Language) -> String {
    match language {
        Language::English => in_english(event),
        Language::Chinese => in_chinese(event),
    }
}

fn in_english(event: &Event) -> String {
    match event {
        Event::LedgerCreated(created) => {
            let LedgerCreated { origin, predecessor, .. } = created.as_ref();
            let carries_on =
                |old: &Predecessor| format!(", which carries on {} after {} entries", old.origin, old.size);
            format!("the creation of the ledger {origin}{}", maybe(predecessor.as_ref(), carries_on))
        }
        Event::KeyEnrolled(KeyEnrolled { role, account, key_id, .. }) => {
            let account = maybe(*account, |account| format!(" for account {account}"));
            format!("the enrolment of {} key {key_id}{account}", names::role(*role))
        }
        Event::KeyRevoked { key_id } => format!("the revocation of key {key_id}"),
        Event::RegionDefined { code, .. } => format!("the region {code}"),
        Event::AccountOpened(opened) => {
            let kind = names::account_kind(opened.kind).get(Language::English).replace('-', " ");
            format!("the opening of {kind} account {}", opened.account)
        }
        Event::FloorSet { account, floor } => format!("a floor of {floor} for account {account}"),
        Event::ServiceRecorded(recorded) => {
            let hold = maybe(recorded.hold, |hold| format!(", settling hold {hold}"));
            format!("{}{hold}", service_in_english(&recorded.service))
        }
        Event::ServiceCorrected(corrected) => {
            let (why, service) = (names::correction_reason(corrected.reason), service_in_english(&corrected.service));
            format!("the correction of record {} ({why}) to {service}", corrected.record)
        }
        Event::ServiceReversed { record, reason } => {
            format!("the reversal of record {record} ({})", names::correction_reason(*reason))
        }
        Event::MinutesTransferred { from, to, minutes } => {
            format!("{minutes} given by account {from} to account {to}")
        }
        Event::HoldPlaced { payer, station, minutes, expires_at } => {
            format!("a hold on {minutes} of account {payer} with station {station} until {expires_at}")
        }
        Event::HoldReleased { hold } => format!("the release of hold {hold}"),
        Event::HoldExpired { hold } => format!("the end of hold {hold}, whose time was over"),
    }
}

fn in_chinese(event: &Event) -> String {
    let zh = Language::Chinese;
    match event {
        Event::LedgerCreated(created) => {
            let LedgerCreated { origin, predecessor, .. } = created.as_ref();
            let carries_on = |old: &Predecessor| format!("，承接 {} 的 {} 条", old.origin, old.size);
            format!("创建账本 {origin}{}", maybe(predecessor.as_ref(), carries_on))
        }
        Event::KeyEnrolled(KeyEnrolled { role, account, key_id, .. }) => {
            let account = maybe(*account, |account| format!("，用于账户 {account}"));
            format!("登记{}密钥 {key_id}{account}", names::role(*role).get(zh))
        }
        Event::KeyRevoked { key_id } => format!("停用密钥 {key_id}"),
        Event::RegionDefined { code, .. } => format!("设立区域 {code}"),
        Event::AccountOpened(opened) => {
            format!("开设{}账户 {}", names::account_kind(opened.kind).get(zh), opened.account)
        }
        Event::FloorSet { account, floor } => format!("账户 {account} 的下限设为 {}", floor.in_language(zh)),
        Event::ServiceRecorded(recorded) => {
            let hold = maybe(recorded.hold, |hold| format!("，兑现预约 {hold}"));
            format!("{}{hold}", service_in_chinese(&recorded.service))
        }
        Event::ServiceCorrected(corrected) => {
            let why = names::correction_reason(corrected.reason).get(zh);
            format!("记录 {}（{why}）更正为：{}", corrected.record, service_in_chinese(&corrected.service))
        }
        Event::ServiceReversed { record, reason } => {
            format!("冲正记录 {record}（{}）", names::correction_reason(*reason).get(zh))
        }
        Event::MinutesTransferred { from, to, minutes } => {
            format!("账户 {from} 转赠给账户 {to} {}", minutes.in_language(zh))
        }
        Event::HoldPlaced { payer, station, minutes, expires_at } => {
            format!("账户 {payer} 在服务站 {station} 预约 {}，到 {expires_at} 为止", minutes.in_language(zh))
        }
        Event::HoldReleased { hold } => format!("取消预约 {hold}"),
        Event::HoldExpired { hold } => format!("预约 {hold} 到期结束"),
    }
}

fn service_in_english(service: &Service) -> String {
    let Service { volunteer, station, category, credited, .. } = service;
    let when = match service.served {
        Served::Interval { .. } => format!("on {}", when(service, Language::English)),
        Served::OnDate { minutes, .. } => format!("on {}, {minutes}", when(service, Language::English)),
    };
    let payer = maybe(service.payer, |payer| format!(" out of account {payer}"));
    let activity = maybe(service.activity.as_ref(), |activity| format!(" ({activity})"));
    format!("{category}{activity} by account {volunteer} for station {station} {when}, credited with {credited}{payer}")
}

fn service_in_chinese(service: &Service) -> String {
    let Service { volunteer, station, category, credited, .. } = service;
    let zh = Language::Chinese;
    let served = match service.served {
        Served::Interval { .. } => String::new(),
        Served::OnDate { minutes, .. } => format!("，{}", minutes.in_language(zh)),
    };
    let payer = maybe(service.payer, |payer| format!("，由账户 {payer} 付出"));
    let activity = maybe(service.activity.as_ref(), |activity| format!("（{activity}）"));
    let (when, credited) = (when(service, zh), credited.in_language(zh));
    format!("账户 {volunteer} 在服务站 {station} 的 {category}{activity} 服务，{when}{served}，记入 {credited}{payer}")
}

/// The hours of a service, or its date.
fn when(service: &Service, language: Language) -> String {
    match service.served {
        Served::Interval { start, end } => interval_at_offset(start.0, end.0, service.utc_offset_seconds, language),
        Served::OnDate { date, .. } => date_of_days(date),
    }
}

fn maybe<T>(value: Option<T>, words: impl FnOnce(T) -> String) -> String {
    value.map_or_else(String::new, words)
}
