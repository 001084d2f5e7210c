//! Events in words, with the ids that they name. A new kind gets its words here.

use super::{names, when::interval_at_offset};
use crate::{
    format::proof::ProvenEvent,
    ledger::{Event, KeyEnrolled, Language, LedgerCreated, Predecessor, Say, Served, Service},
    people::calendar::date_of_days,
};

/// What an event says, as the second half of a sentence.
#[must_use]
pub fn event(event: &Event, language: Language) -> String {
    match event {
        Event::LedgerCreated(created) => {
            let LedgerCreated { origin, predecessor, .. } = created.as_ref();
            let carries_on = maybe(predecessor.as_ref(), |Predecessor { origin, size, .. }| {
                words!(language, ", which carries on {origin} after {size} entries", "，承接 {origin} 的 {size} 条")
            });
            words!(language, "the creation of the ledger {origin}{carries_on}", "创建账本 {origin}{carries_on}")
        }
        Event::KeyEnrolled(KeyEnrolled { role, account, key_id, .. }) => {
            let role = names::role(*role).get(language);
            let account = maybe(*account, |account| words!(language, " for account {account}", "，用于账户 {account}"));
            words!(language, "the enrolment of {role} key {key_id}{account}", "登记{role}密钥 {key_id}{account}")
        }
        Event::KeyRevoked { key_id } => words!(language, "the revocation of key {key_id}", "停用密钥 {key_id}"),
        Event::RegionDefined { code, .. } => words!(language, "the region {code}", "设立区域 {code}"),
        Event::AccountOpened(opened) => {
            let (kind, account) = (names::account_kind(opened.kind).get(language).replace('-', " "), opened.account);
            words!(language, "the opening of {kind} account {account}", "开设{kind}账户 {account}")
        }
        Event::FloorSet { account, floor } => {
            let floor = floor.in_language(language);
            words!(language, "a floor of {floor} for account {account}", "账户 {account} 的下限设为 {floor}")
        }
        Event::ServiceRecorded(recorded) => {
            let hold = maybe(recorded.hold, |hold| words!(language, ", settling hold {hold}", "，兑现预约 {hold}"));
            format!("{}{hold}", service(&recorded.service, language))
        }
        Event::ServiceCorrected(corrected) => {
            let (record, why) = (corrected.record, names::correction_reason(corrected.reason).get(language));
            let service = service(&corrected.service, language);
            words!(
                language,
                "the correction of record {record} ({why}) to {service}",
                "记录 {record}（{why}）更正为：{service}"
            )
        }
        Event::ServiceReversed { record, reason } => {
            let why = names::correction_reason(*reason).get(language);
            words!(language, "the reversal of record {record} ({why})", "冲正记录 {record}（{why}）")
        }
        Event::MinutesTransferred { from, to, minutes } => {
            let minutes = minutes.in_language(language);
            words!(
                language,
                "{minutes} given by account {from} to account {to}",
                "账户 {from} 转赠给账户 {to} {minutes}"
            )
        }
        Event::HoldPlaced { payer, station, minutes, expires_at } => {
            let minutes = minutes.in_language(language);
            words!(
                language,
                "a hold on {minutes} of account {payer} with station {station} until {expires_at}",
                "账户 {payer} 在服务站 {station} 预约 {minutes}，到 {expires_at} 为止"
            )
        }
        Event::HoldReleased { hold } => words!(language, "the release of hold {hold}", "取消预约 {hold}"),
        Event::HoldExpired { hold } => {
            words!(language, "the end of hold {hold}, whose time was over", "预约 {hold} 到期结束")
        }
    }
}

/// What was proved of an event, in one sentence.
#[must_use]
pub fn proven(proven: &ProvenEvent, language: Language) -> String {
    let ProvenEvent { origin, index, number, recorded_at, size, .. } = proven;
    let signers: Vec<String> = proven.signers.iter().map(ToString::to_string).collect();
    let signers = signers.join(words!(language, " and ", "、").as_str());
    let event = event(&proven.event, language);
    let names = (!proven.witnesses.is_empty()).then(|| proven.witnesses.join(", "));
    let witnesses = maybe(names, |names| words!(language, ", cosigned by {names}", "，并由 {names} 共同签名"));
    words!(
        language,
        "Proved: the ledger {origin} recorded on {recorded_at}, as event {number} of entry {index}, signed by {signers}: \
         {event}; it vouches for this with its signed checkpoint over {size} entries{witnesses}.",
        "已证明：账本 {origin} 于 {recorded_at} 入账，为第 {index} 条的第 {number} 号事件，由 {signers} 签名：{event}；\
         账本以覆盖 {size} 条的签名检查点为此作保{witnesses}。",
    )
}

fn service(service: &Service, language: Language) -> String {
    let Service { volunteer, station, category, credited, .. } = service;
    let when = match service.served {
        Served::Interval { start, end } => interval_at_offset(start.0, end.0, service.utc_offset_seconds, language),
        Served::OnDate { date, minutes } => {
            let (date, minutes) = (date_of_days(date), minutes.in_language(language));
            words!(language, "{date}, {minutes}", "{date}，{minutes}")
        }
    };
    let payer = maybe(service.payer, |payer| words!(language, " out of account {payer}", "，由账户 {payer} 付出"));
    let activity = maybe(service.activity.as_ref(), |activity| words!(language, " ({activity})", "（{activity}）"));
    let credited = credited.in_language(language);
    words!(
        language,
        "{category}{activity} by account {volunteer} for station {station} on {when}, credited with {credited}{payer}",
        "账户 {volunteer} 在服务站 {station} 的 {category}{activity} 服务，{when}，记入 {credited}{payer}"
    )
}

fn maybe<T>(value: Option<T>, words: impl FnOnce(T) -> String) -> String {
    value.map_or_else(String::new, words)
}
