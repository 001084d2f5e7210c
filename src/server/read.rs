//! Reads: each a request in the ledger's types, one call of `access`, and its answer as it travels.
//!
//! Values are looked at here where `access` has no type for a wrong one, in the order in which the request's fields are
//! refused.

use super::messages::{
    self, account_id, account_kind, account_message, event_ref, history_order, hold_message, key_message,
    optional_account_id, optional_cursor, record_message, region_message, row_message,
};
use crate::{
    access::{
        AccountsAsked, AsOf, Balance, ConsistencyProof, EventProof, Found, HistoryAsked, HistoryRow, HoldsAsked,
        KeysAsked, Page, PageSize, Places, ReadError, Reader, Reads, Reflected, StateDigest,
    },
    format::{proto, wire},
    ledger::{EventKind, EventRef, LogIndex, Millis, Minutes},
    merkle::Hash,
};

/// Whoever calls is on this machine: without TLS no other address is served.
pub(super) const READER: Reader = Reader::Local;

/// A time of a request; 0 stands for none.
fn stated(ms: i64) -> Option<Millis> {
    Some(Millis(ms)).filter(|time| *time != Millis(0))
}

fn cursor_message(next: Option<String>) -> String {
    next.unwrap_or_default()
}

fn hash_messages(hashes: Vec<Hash>) -> Vec<bytes::Bytes> {
    hashes.into_iter().map(messages::hash).collect()
}

pub(super) fn status(reads: &Reads) -> Result<proto::GetStatusResponse, ReadError> {
    reads.status(READER).map(messages::status_message)
}

pub(super) fn checkpoint(reads: &Reads) -> Result<proto::GetCheckpointResponse, ReadError> {
    let checkpoint = reads.checkpoint(READER)?;
    Ok(proto::GetCheckpointResponse { checkpoint: checkpoint.note, cosigned: checkpoint.cosigned })
}

pub(super) fn entry(reads: &Reads, request: proto::GetEntryRequest) -> Result<proto::GetEntryResponse, ReadError> {
    let entry = reads.entry(READER, request.index)?;
    Ok(proto::GetEntryResponse { entry: Some(wire::entry_message(entry)) })
}

pub(super) fn receipt(
    reads: &Reads,
    request: proto::GetReceiptRequest,
) -> Result<proto::GetReceiptResponse, ReadError> {
    Ok(proto::GetReceiptResponse { receipt: Some(reads.receipt(READER, request.index)?) })
}

pub(super) fn account(
    reads: &Reads,
    request: &proto::GetAccountRequest,
) -> Result<proto::GetAccountResponse, ReadError> {
    let Reflected { answer, reflected_index } = reads.account(READER, account_id("account", &request.account)?)?;
    Ok(proto::GetAccountResponse { account: Some(account_message(answer)), reflected_index: reflected_index.0 })
}

pub(super) fn accounts_found(
    reads: &Reads,
    request: &proto::FindAccountsRequest,
) -> Result<proto::FindAccountsResponse, ReadError> {
    let Reflected { answer: Found { accounts, more }, reflected_index } = reads.find(READER, &request.prefix)?;
    let accounts = accounts.into_iter().map(account_message).collect();
    Ok(proto::FindAccountsResponse { accounts, more, reflected_index: reflected_index.0 })
}

pub(super) fn accounts(
    reads: &Reads,
    request: proto::ListAccountsRequest,
) -> Result<proto::ListAccountsResponse, ReadError> {
    let asked = AccountsAsked {
        kind: account_kind(request.kind)?,
        station: optional_account_id("station", &request.station)?,
        page_size: PageSize::of_list(request.page_size)?,
        cursor: optional_cursor(request.cursor),
    };
    let Page { rows, next, reflected_index } = reads.accounts(READER, &asked)?;
    Ok(proto::ListAccountsResponse {
        accounts: rows.into_iter().map(account_message).collect(),
        next_cursor: cursor_message(next),
        reflected_index: reflected_index.0,
    })
}

/// A balance, now or as of the past. One as of the past reads rows, and belongs beside the thread.
pub(super) fn balance(
    reads: &Reads,
    request: &proto::GetBalanceRequest,
) -> Result<proto::GetBalanceResponse, ReadError> {
    use proto::get_balance_request::AsOf as Asked;
    let account = account_id("account", &request.account)?;
    let balance = match request.as_of {
        None => reads.balance(READER, account),
        Some(Asked::AtIndex(index)) => reads.balance_as_of(READER, account, AsOf::Index(LogIndex(index))),
        Some(Asked::AtTimeMs(ms)) => reads.balance_as_of(READER, account, AsOf::Time(Millis(ms))),
    };
    let Reflected { answer: Balance { balance, held, available }, reflected_index } = balance?;
    Ok(proto::GetBalanceResponse {
        balance_minutes: balance.get(),
        held_minutes: held.get(),
        available_minutes: available.map(Minutes::get),
        reflected_index: reflected_index.0,
    })
}

pub(super) fn history_asked(request: proto::ListHistoryRequest) -> Result<HistoryAsked, ReadError> {
    let kind = |kind: &i32| u8::try_from(*kind).ok().and_then(EventKind::of_number);
    Ok(HistoryAsked {
        page_size: PageSize::of_history(request.page_size)?,
        account: account_id("account", &request.account)?,
        order: history_order(request.order),
        kinds: request.kinds.iter().map(kind).collect(),
        from: stated(request.from_ms),
        until: stated(request.until_ms),
        at_index: request.at_index.map(LogIndex),
        cursor: optional_cursor(request.cursor),
        details: request.details,
    })
}

pub(super) fn history_message(page: Page<HistoryRow>) -> proto::ListHistoryResponse {
    proto::ListHistoryResponse {
        rows: page.rows.into_iter().map(row_message).collect(),
        next_cursor: cursor_message(page.next),
        reflected_index: page.reflected_index.0,
    }
}

pub(super) fn record(reads: &Reads, request: proto::GetRecordRequest) -> Result<proto::GetRecordResponse, ReadError> {
    let event = request.event.ok_or_else(|| ReadError::invalid("event", "a place, INDEX.EVENT"))?;
    let at = event_ref(event).ok_or_else(|| ReadError::invalid("event.event", "an event number below 1,000"))?;
    let Reflected { answer, reflected_index } = reads.record(READER, at)?;
    Ok(proto::GetRecordResponse { record: Some(record_message(answer)), reflected_index: reflected_index.0 })
}

pub(super) fn records(
    reads: &Reads,
    request: &proto::GetRecordsRequest,
) -> Result<proto::GetRecordsResponse, ReadError> {
    let places = Places::new(request.events.iter().map(|event| event_ref(*event)))?;
    let Reflected { answer, reflected_index } = reads.records(READER, &places)?;
    let records = answer.into_iter().map(|record| record.map(record_message).unwrap_or_default()).collect();
    Ok(proto::GetRecordsResponse { records, reflected_index: reflected_index.0 })
}

pub(super) fn holds(reads: &Reads, request: proto::ListHoldsRequest) -> Result<proto::ListHoldsResponse, ReadError> {
    let asked = HoldsAsked {
        payer: optional_account_id("payer", &request.payer)?,
        station: optional_account_id("station", &request.station)?,
        page_size: PageSize::of_list(request.page_size)?,
        cursor: optional_cursor(request.cursor),
    };
    let Page { rows, next, reflected_index } = reads.holds(READER, &asked)?;
    Ok(proto::ListHoldsResponse {
        holds: rows.into_iter().map(hold_message).collect(),
        next_cursor: cursor_message(next),
        reflected_index: reflected_index.0,
    })
}

pub(super) fn keys(reads: &Reads, request: proto::ListKeysRequest) -> Result<proto::ListKeysResponse, ReadError> {
    let asked = KeysAsked {
        account: optional_account_id("account", &request.account)?,
        page_size: PageSize::of_list(request.page_size)?,
        cursor: optional_cursor(request.cursor),
    };
    let Page { rows, next, reflected_index } = reads.keys(READER, &asked)?;
    Ok(proto::ListKeysResponse {
        keys: rows.into_iter().map(key_message).collect(),
        next_cursor: cursor_message(next),
        reflected_index: reflected_index.0,
    })
}

pub(super) fn regions(reads: &Reads) -> Result<proto::ListRegionsResponse, ReadError> {
    let Reflected { answer, reflected_index } = reads.regions(READER)?;
    let regions = answer.into_iter().map(region_message).collect();
    Ok(proto::ListRegionsResponse { regions, reflected_index: reflected_index.0 })
}

pub(super) async fn state_digest(
    reads: &Reads,
    request: proto::GetStateDigestRequest,
) -> Result<proto::GetStateDigestResponse, ReadError> {
    let range = request.range.map(u64::from);
    let digest = reads.state_digest(READER, request.at_index.map(LogIndex), range).await?;
    let Reflected { answer: StateDigest { accounts, range_digests, account_digests }, reflected_index } = digest;
    Ok(proto::GetStateDigestResponse {
        reflected_index: reflected_index.0,
        accounts: accounts as u64,
        range_digests: hash_messages(range_digests),
        account_digests: account_digests.iter().map(messages::account_digest).collect(),
    })
}

pub(super) fn inclusion_proof(
    reads: &Reads,
    request: proto::GetInclusionProofRequest,
) -> Result<proto::GetInclusionProofResponse, ReadError> {
    let hashes = reads.inclusion_proof(READER, request.index, request.size)?;
    Ok(proto::GetInclusionProofResponse { hashes: hash_messages(hashes) })
}

pub(super) fn consistency_proof(
    reads: &Reads,
    request: proto::GetConsistencyProofRequest,
) -> Result<proto::GetConsistencyProofResponse, ReadError> {
    let proof = reads.consistency_proof(READER, request.old_size, request.new_size)?;
    let ConsistencyProof { hashes, old_root, new_root } = proof;
    let (old_root, new_root) = (messages::hash(old_root), messages::hash(new_root));
    Ok(proto::GetConsistencyProofResponse { hashes: hash_messages(hashes), old_root, new_root })
}

pub(super) fn event_proof(
    reads: &Reads,
    request: &proto::GetEventProofRequest,
) -> Result<proto::GetEventProofResponse, ReadError> {
    let event = request.event.unwrap_or_default();
    // No entry has as many events as the largest number there is a place for.
    let event = EventRef { index: LogIndex(event.index), event: u16::try_from(event.event).unwrap_or(u16::MAX) };
    let EventProof { event_in_entry, inclusion } = reads.event_proof(READER, event, request.size)?;
    let inclusion_proof = hash_messages(inclusion);
    Ok(proto::GetEventProofResponse { event_in_entry: Some(event_in_entry), inclusion_proof })
}
