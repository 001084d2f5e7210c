//! The ledger's types and those of reads as they travel, and back.

use bytes::Bytes;
use tonic::Status;

use super::status::invalid;
use crate::{
    access::{self, Account, HistoryDetails, HistoryOrder, HistoryRow, Hold, Key, ReadError, Record, Region},
    engine::projection::digest::AccountDigest,
    format::{proto, wire},
    ledger::{AccountId, AccountKind, CorrectionReason, EventRef, LogIndex, Millis, Minutes, Served, Service},
    merkle::Hash,
};

/// Whether to wait for publication.
pub(super) fn until_published(until: i32) -> Result<bool, Status> {
    match proto::Until::try_from(until) {
        Ok(proto::Until::Published) => Ok(true),
        Ok(proto::Until::Durable | proto::Until::Unspecified) => Ok(false),
        Err(_) => Err(invalid("until", "DURABLE or PUBLISHED")),
    }
}

/// 16 bytes of an account.
pub(super) fn account_id(field: &'static str, bytes: &[u8]) -> Result<AccountId, ReadError> {
    bytes.try_into().map(AccountId).map_err(|_length| ReadError::invalid(field, "16 bytes"))
}

/// 16 bytes of an account, or none.
pub(super) fn optional_account_id(field: &'static str, bytes: &[u8]) -> Result<Option<AccountId>, ReadError> {
    if bytes.is_empty() { Ok(None) } else { account_id(field, bytes).map(Some) }
}

/// A cursor, or none for the first page.
pub(super) fn optional_cursor(cursor: String) -> Option<String> {
    Some(cursor).filter(|cursor| !cursor.is_empty())
}

/// A kind of account, or any.
pub(super) fn account_kind(kind: i32) -> Result<Option<AccountKind>, ReadError> {
    match proto::AccountKind::try_from(kind) {
        Ok(proto::AccountKind::Unspecified) => Ok(None),
        Ok(_) => Ok(wire::account_kind(kind)),
        Err(_) => Err(ReadError::invalid("kind", "a kind of account")),
    }
}

/// Which row comes first.
pub(super) fn history_order(order: i32) -> HistoryOrder {
    match proto::HistoryOrder::try_from(order) {
        Ok(proto::HistoryOrder::Unspecified) => HistoryOrder::Unstated,
        Ok(proto::HistoryOrder::NewestFirst) => HistoryOrder::NewestFirst,
        Ok(proto::HistoryOrder::OldestFirst) => HistoryOrder::OldestFirst,
        Err(_) => HistoryOrder::Unknown,
    }
}

/// A place; nothing for an event number that no sheet has.
pub(super) fn event_ref(at: proto::EventRef) -> Option<EventRef> {
    Some(EventRef { index: LogIndex(at.index), event: u16::try_from(at.event).ok()? })
}

/// A hash.
pub(super) fn hash(hash: Hash) -> Bytes {
    Bytes::copy_from_slice(&hash)
}

/// An account and what is on it.
pub(super) fn account_message(account: Account) -> proto::Account {
    proto::Account {
        account: Bytes::copy_from_slice(&account.id.0),
        kind: i32::from(wire::kind_message(account.kind)),
        region: account.region.map_or_else(String::new, String::from),
        station: wire::account_bytes(account.station),
        balance_minutes: account.balance.get(),
        held_minutes: account.held.get(),
        available_minutes: account.available.map(Minutes::get),
        floor_minutes: account.floor.map(Minutes::get),
    }
}

/// What the ledger says of itself.
pub(super) fn status_message(status: access::Status) -> proto::GetStatusResponse {
    proto::GetStatusResponse {
        origin: status.origin,
        size: status.size,
        root: hash(status.root),
        accounts: u64::from(status.accounts),
        // Zero; anything else would have stopped the process.
        balance_sum_minutes: i64::try_from(status.balance_sum).unwrap_or(i64::MAX),
        holds: status.holds as u64,
        postings: status.postings,
        recorded_at_ms: status.recorded_at.0,
        ledger_vkey: status.ledger_vkey,
        genesis_leaf_hash: hash(status.genesis_leaf_hash),
        issuance_account: wire::account_bytes(status.issuance),
        policy: Some(wire::policy_message(&status.policy)),
        checkpoint_size: status.checkpoint_size,
        predecessor: status.predecessor.as_ref().map(wire::predecessor_message),
        scrubbed_to: status.scrubbed.size,
        scrubbed_at_ms: status.scrubbed.passed_at.map_or(0, |Millis(ms)| ms),
        scrub_problem: status.scrubbed.problem.map_or_else(String::new, |problem| problem.with_remedy()),
    }
}

/// A row of a history.
pub(super) fn row_message(row: HistoryRow) -> proto::HistoryRow {
    proto::HistoryRow {
        event: Some(wire::event_ref_message(row.event)),
        recorded_at_ms: row.recorded_at.0,
        kind: row.kind.map_or(0, |kind| i32::from(kind.number())),
        counterparty: wire::account_bytes(row.counterparty),
        minutes: row.minutes.get(),
        balance_after_minutes: row.balance_after.get(),
        held_after_minutes: row.held_after.get(),
        posting: row.posting,
        details: row.details.map(details_message),
    }
}

fn details_message(details: HistoryDetails) -> proto::HistoryDetails {
    proto::HistoryDetails {
        service: details.service.map(service_message),
        reason: details.reason.map_or(0, |reason| i32::from(reason_message(reason))),
        record: details.record.map(record_message),
        hold: details.hold.map(wire::event_ref_message),
        hold_expires_at_ms: details.hold_expires_at.map_or(0, |Millis(ms)| ms),
    }
}

/// A record as it stands.
pub(super) fn record_message(record: Record) -> proto::Record {
    proto::Record {
        record: Some(wire::event_ref_message(record.record)),
        newest: Some(wire::event_ref_message(record.newest)),
        service: Some(service_message(record.service)),
        reversed: record.reversed,
        hold: record.hold.map(wire::event_ref_message),
    }
}

/// A service: the very message that its event has.
fn service_message(service: Service) -> proto::Service {
    let served = match service.served {
        Served::Interval { start: Millis(start_ms), end: Millis(end_ms) } => {
            proto::service::Served::Interval(proto::Interval { start_ms, end_ms })
        }
        Served::OnDate { date, minutes } => {
            proto::service::Served::OnDate(proto::ServedOnDate { date, minutes: minutes.get() })
        }
    };
    proto::Service {
        volunteer: wire::account_bytes(Some(service.volunteer)),
        station: wire::account_bytes(Some(service.station)),
        payer: wire::account_bytes(service.payer),
        category: String::from(service.category),
        activity: service.activity.map_or_else(String::new, String::from),
        served: Some(served),
        utc_offset_seconds: service.utc_offset_seconds,
        credited_minutes: service.credited.get(),
        rounding: i32::from(wire::rounding_message(service.rounding)),
        insured: service.insured,
        imported: service.imported,
    }
}

const fn reason_message(reason: CorrectionReason) -> proto::CorrectionReason {
    match reason {
        CorrectionReason::EntryError => proto::CorrectionReason::EntryError,
        CorrectionReason::Duplicate => proto::CorrectionReason::Duplicate,
        CorrectionReason::WrongParty => proto::CorrectionReason::WrongParty,
        CorrectionReason::NotServed => proto::CorrectionReason::NotServed,
        CorrectionReason::SourceChanged => proto::CorrectionReason::SourceChanged,
    }
}

/// An open hold.
pub(super) fn hold_message(hold: Hold) -> proto::Hold {
    proto::Hold {
        hold: Some(wire::event_ref_message(hold.at)),
        payer: wire::account_bytes(hold.payer),
        station: wire::account_bytes(hold.station),
        minutes: hold.minutes.get(),
        expires_at_ms: hold.expires_at.0,
    }
}

/// An enrolled key.
pub(super) fn key_message(key: Key) -> proto::Key {
    proto::Key {
        key_id: Bytes::copy_from_slice(&key.id.0),
        public_key: Bytes::copy_from_slice(&key.public_key),
        role: i32::from(wire::role_message(key.role)),
        account: wire::account_bytes(key.account),
        revoked: key.revoked,
    }
}

/// A region.
pub(super) fn region_message(region: Region) -> proto::RegionDefined {
    let parent = region.parent.map_or_else(String::new, String::from);
    proto::RegionDefined { code: String::from(region.code), parent }
}

/// What an account's history comes to.
pub(super) fn account_digest(digest: &AccountDigest) -> proto::AccountDigest {
    proto::AccountDigest {
        account: Bytes::copy_from_slice(&digest.account.0),
        postings: digest.postings,
        history_digest: hash(digest.history),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

    use prost::Message;
    use proto::event::Kind;

    use super::*;
    use crate::ledger::Event;

    fn samples() -> Vec<proto::Service> {
        let plain = proto::Service {
            volunteer: Bytes::from_static(&[1; 16]),
            station: Bytes::from_static(&[2; 16]),
            category: "care".to_owned(),
            served: Some(proto::service::Served::Interval(proto::Interval {
                start_ms: 1_772_355_600_000,
                end_ms: 1_772_361_000_001,
            })),
            credited_minutes: 90,
            ..proto::Service::default()
        };
        let on_date = |date, minutes| Some(proto::service::Served::OnDate(proto::ServedOnDate { date, minutes }));
        let payer = Bytes::from_static(&[3; 16]);
        vec![
            plain.clone(),
            proto::Service { served: on_date(20_513, 90), ..plain.clone() },
            proto::Service { served: on_date(0, i64::MAX), credited_minutes: i64::MIN, ..plain.clone() },
            proto::Service { payer: payer.clone(), ..plain.clone() },
            proto::Service { activity: "spring.clean-up_2026".to_owned(), ..plain.clone() },
            proto::Service { category: "c".repeat(32), activity: "a".repeat(64), payer, ..plain.clone() },
            proto::Service { imported: true, rounding: i32::from(proto::Rounding::Nearest), ..plain.clone() },
            proto::Service { insured: true, rounding: i32::from(proto::Rounding::Down), ..plain.clone() },
            proto::Service { utc_offset_seconds: 50_400, rounding: i32::from(proto::Rounding::Up), ..plain.clone() },
            proto::Service { utc_offset_seconds: -34_200, insured: true, imported: true, ..plain },
        ]
    }

    #[test]
    fn a_service_goes_out_as_the_very_message_that_its_event_has() {
        for service in samples() {
            let recorded = proto::ServiceRecorded { service: Some(service.clone()), hold: None };
            let event = proto::Event { salt: vec![9; 16].into(), kind: Some(Kind::ServiceRecorded(recorded)) };
            let bytes = Bytes::from(event.encode_to_vec());
            let Event::ServiceRecorded(decoded) = wire::decode_event(&bytes).unwrap() else { panic!("it records") };
            let told = service_message(decoded.service);
            assert_eq!(told, service);
            let Some(Kind::ServiceRecorded(stored)) = proto::Event::decode(bytes).unwrap().kind else {
                panic!("it records")
            };
            assert_eq!(told.encode_to_vec(), stored.service.unwrap().encode_to_vec());
        }
    }

    #[test]
    fn reasons_orders_and_kinds_travel_there_and_back() {
        for number in 1..=5 {
            let reason = wire::correction_reason(number).unwrap();
            assert_eq!(i32::from(reason_message(reason)), number);
        }
        assert_eq!(wire::correction_reason(6), None, "the list above has all of them");
        let orders =
            [HistoryOrder::Unstated, HistoryOrder::NewestFirst, HistoryOrder::OldestFirst, HistoryOrder::Unknown];
        assert_eq!([0, 1, 2, 3].map(history_order), orders);
        assert_eq!(account_kind(0), Ok(None));
        for kind in 1..=7 {
            assert_eq!(account_kind(kind).unwrap().map(|kind| i32::from(wire::kind_message(kind))), Some(kind));
        }
        assert_eq!(account_kind(8).map_err(|error| error.field()), Err("kind"));
    }
}
