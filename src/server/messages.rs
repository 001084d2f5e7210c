//! Ledger types as they travel.

use bytes::Bytes;
use tonic::Status;

use super::status::invalid;
use crate::{
    engine::projection::Shown,
    format::{proto, wire},
    ledger::{AccountId, AccountNumber},
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

/// An account and what is on it.
pub(super) fn account_message(shown: &Shown, number: AccountNumber) -> Option<proto::Account> {
    let account = shown.account(number)?;
    let region = account.region.and_then(|region| shown.region(region));
    Some(proto::Account {
        account: Bytes::copy_from_slice(&account.id.0),
        kind: i32::from(wire::kind_message(account.kind)),
        region: region.map_or_else(String::new, |region| region.code.to_string()),
        station: account.station.map_or_else(Bytes::new, |station| shown.id_bytes(station.0)),
        balance_minutes: account.balance.get(),
        held_minutes: account.held.get(),
        available_minutes: account.available().map(crate::ledger::Minutes::get),
        floor_minutes: account.floor.map(crate::ledger::Minutes::get),
    })
}
