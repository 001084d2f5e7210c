//! Ledger types as they travel.

use bytes::Bytes;
use tonic::Status;

use super::status::invalid;
use crate::{
    engine::{
        projection::{View, event_ref_message, warning_message},
        store::StoredEntry,
    },
    format::proto,
    ledger::{AccountId, AccountKind, AccountNumber, EventOutcome, KeyRole},
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
pub(super) fn account_id(field: &str, bytes: &[u8]) -> Result<AccountId, Status> {
    bytes.try_into().map(AccountId).map_err(|_length| invalid(field, "16 bytes"))
}

/// 16 bytes of an account, or none.
pub(super) fn optional_account_id(field: &str, bytes: &[u8]) -> Result<Option<AccountId>, Status> {
    if bytes.is_empty() { Ok(None) } else { account_id(field, bytes).map(Some) }
}

pub(super) fn entry_message(entry: StoredEntry) -> proto::Entry {
    let sheet = proto::Sheet { header: entry.header, events: entry.events, signatures: entry.signatures };
    proto::Entry { index: entry.index, recorded_at_ms: entry.recorded_at_ms, sheet: Some(sheet) }
}

/// What a tried event would do.
pub(super) fn event_receipt(outcome: &EventOutcome) -> proto::EventReceipt {
    let moved = outcome.postings.iter().filter(|(_, applied)| applied.posting.minutes.get() != 0);
    proto::EventReceipt {
        postings: moved
            .map(|(account, applied)| proto::Posting {
                account: Bytes::copy_from_slice(&account.0),
                minutes: applied.posting.minutes.get(),
                balance_after_minutes: applied.balance_after.get(),
            })
            .collect(),
        warnings: outcome
            .warnings
            .iter()
            .map(|warning| warning_message(warning.code, event_ref_message(warning.similar)))
            .collect(),
    }
}

pub(super) const fn kind_message(kind: AccountKind) -> proto::AccountKind {
    match kind {
        AccountKind::Resident => proto::AccountKind::Resident,
        AccountKind::Household => proto::AccountKind::Household,
        AccountKind::Group => proto::AccountKind::Group,
        AccountKind::Station => proto::AccountKind::Station,
        AccountKind::CommunityPool => proto::AccountKind::CommunityPool,
        AccountKind::DistrictPool => proto::AccountKind::DistrictPool,
        AccountKind::Issuance => proto::AccountKind::Issuance,
    }
}

pub(super) const fn role_message(role: KeyRole) -> proto::KeyRole {
    match role {
        KeyRole::Operator => proto::KeyRole::Operator,
        KeyRole::Staff => proto::KeyRole::Staff,
        KeyRole::Resident => proto::KeyRole::Resident,
        KeyRole::Service => proto::KeyRole::Service,
    }
}

/// An account and what is on it.
pub(super) fn account_message(view: &View, number: AccountNumber) -> Option<proto::Account> {
    let account = view.account(number)?;
    let region = account.region.and_then(|region| view.regions.get(region as usize));
    Some(proto::Account {
        account: Bytes::copy_from_slice(&account.id.0),
        kind: i32::from(kind_message(account.kind)),
        region: region.map_or_else(String::new, |region| region.code.to_string()),
        station: account.station.map_or_else(Bytes::new, |station| view.id_bytes(station.0)),
        balance_minutes: account.balance.get(),
        held_minutes: account.held.get(),
        available_minutes: account.available().map(crate::ledger::Minutes::get),
        floor_minutes: account.floor.map(crate::ledger::Minutes::get),
    })
}
