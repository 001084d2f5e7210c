//! Reads. Each answers from one look at the readers' tables and names the last entry that it reflects.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tonic::Status;

use super::{
    Service,
    cursor::{self, List},
    messages::{account_id, account_message, optional_account_id},
    reason::Reason,
    status::{ReadFailure, failure, invalid, not_reached, shutting_down},
};
use crate::{
    engine::projection::{Shown, history::PageRequest, rows::PostingRow},
    format::{proto, wire},
    ledger::{AccountId, AccountNumber, EventRef, Hold, LogIndex, Minutes},
};

/// How long a read waits for its `min_index`: several commits, less than a person waits.
const REACH_WAIT: Duration = Duration::from_secs(5);
/// Rows of a page of history.
const HISTORY_PAGE_MAX: u32 = 200;
/// Rows of a page of history where none are asked for.
const HISTORY_PAGE: u32 = 50;
/// Rows of a page of any other list.
const LIST_PAGE_MAX: u32 = 1_000;
/// Rows of a page of any other list where none are asked for.
const LIST_PAGE: u32 = 100;
/// Rows looked at for one page of a list that is filtered, under the readers' lock: some milliseconds.
const LIST_SCANNED_MAX: usize = 100_000;

/// What is expected of a filter beside a cursor.
const RESTATED: &str = "the same as for the page before, or nothing: the cursor carries it";

/// A cursor over a history: all that the first page was asked for, and where the next one begins.
#[derive(Serialize, Deserialize)]
struct HistoryCursor {
    account: AccountId,
    newest_first: bool,
    /// Numbers of [`EventKind`](crate::ledger::EventKind), ascending; none: all.
    kinds: Vec<u8>,
    from_ms: i64,
    until_ms: i64,
    up_to_index: u64,
    ordinal: u32,
}

fn page_size(asked: u32, default: u32, max: u32) -> Result<usize, Status> {
    match asked {
        0 => Ok(default as usize),
        size if size <= max => Ok(size as usize),
        _ => Err(invalid("page_size", &format!("0 for the default, or 1 to {max}"))),
    }
}

fn no_account(id: AccountId) -> Status {
    failure(Reason::AccountUnknown, "account", &format!("account {id} does not exist; check its id, or open it first"))
}

fn named(shown: &Shown, id: AccountId) -> Result<AccountNumber, Status> {
    shown.account_number(id).ok_or_else(|| no_account(id))
}

/// A cursor over a list that has its rows in a fixed order: what it is filtered by, and the row that comes next.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct ListCursor {
    /// `proto.AccountKind`; 0: any.
    kind: i32,
    /// The account that rows belong to: of keys, or the payer of holds.
    account: Option<AccountId>,
    station: Option<AccountId>,
    next: u64,
}

/// A page out of rows that are numbered from `start` on; `next` is the number of the first row not looked at.
struct Listed<T> {
    rows: Vec<T>,
    next: Option<u64>,
}

fn list<R, T>(rows: impl Iterator<Item = (u64, R)>, size: usize, mut row: impl FnMut(R) -> Option<T>) -> Listed<T> {
    let mut listed = Listed { rows: Vec::new(), next: None };
    for (scanned, (number, source)) in rows.enumerate() {
        if listed.rows.len() == size || scanned == LIST_SCANNED_MAX {
            listed.next = Some(number);
            break;
        }
        listed.rows.extend(row(source));
    }
    listed
}

impl Service {
    /// Where a page begins and what it is filtered by: as the request says, or as its cursor carries it.
    fn list_cursor(&self, list: List, cursor: &str, asked: ListCursor) -> Result<ListCursor, Status> {
        if cursor.is_empty() {
            return Ok(asked);
        }
        let carried: ListCursor = cursor::open(&self.identity.cursor_key, list, cursor)?;
        let account_field = if list == List::Holds { "payer" } else { "account" };
        let checks = [
            ("kind", asked.kind == 0 || asked.kind == carried.kind),
            (account_field, asked.account.is_none() || asked.account == carried.account),
            ("station", asked.station.is_none() || asked.station == carried.station),
        ];
        match checks.into_iter().find(|(_, same)| !same) {
            Some((field, _)) => Err(invalid(field, RESTATED)),
            None => Ok(carried),
        }
    }

    fn seal(&self, list: List, carried: ListCursor, next: Option<u64>) -> String {
        next.map_or_else(String::new, |next| {
            cursor::seal(&self.identity.cursor_key, list, &ListCursor { next, ..carried })
        })
    }

    /// Waits until an entry is reflected.
    pub(super) async fn reach(&self, min_index: u64) -> Result<(), Status> {
        let mut durable = self.node.projection.durable();
        if *durable.borrow() > min_index || min_index == 0 {
            return Ok(());
        }
        let mut shutdown = self.shutdown.clone();
        tokio::select! {
            reached = durable.wait_for(|size| *size > min_index) => match reached {
                Ok(_) => Ok(()),
                Err(_gone) => Err(shutting_down()),
            },
            _ = shutdown.wait_for(|stop| *stop) => Err(shutting_down()),
            () = tokio::time::sleep(REACH_WAIT) => {
                let size = *self.node.projection.durable().borrow();
                Err(not_reached(min_index, size, REACH_WAIT))
            }
        }
    }

    pub(super) fn status(&self) -> proto::GetStatusResponse {
        let checkpoint_size = self.sequencer.published().borrow().size;
        let postings = self.node.projection.history().postings();
        let shown = self.node.projection.shown();
        proto::GetStatusResponse {
            origin: shown.origin().to_owned(),
            size: shown.size(),
            root: shown.root().to_vec().into(),
            accounts: u64::from(shown.accounts().len()),
            // Zero; anything else would have stopped the process.
            balance_sum_minutes: i64::try_from(shown.balance_sum()).unwrap_or(i64::MAX),
            holds: shown.holds().len() as u64,
            postings,
            recorded_at_ms: shown.recorded_at().0,
            ledger_vkey: self.identity.ledger_vkey.clone(),
            genesis_leaf_hash: self.identity.genesis_leaf_hash.to_vec().into(),
            issuance_account: shown.id_bytes(0),
            policy: Some(wire::policy_message(shown.policy())),
            checkpoint_size,
            predecessor: self.identity.predecessor.as_ref().map(wire::predecessor_message),
        }
    }

    pub(super) fn entry(&self, index: u64) -> Result<proto::Entry, Status> {
        let entry = self.node.log.entry(index).map_err(ReadFailure::from)?;
        entry.map(wire::entry_message).ok_or_else(|| no_entry(index))
    }

    pub(super) fn receipt(&self, index: u64) -> Result<proto::Receipt, Status> {
        let receipt = self.node.projection.receipt(index).map_err(ReadFailure::from)?;
        receipt.ok_or_else(|| no_entry(index))
    }

    pub(super) fn account(&self, request: &proto::GetAccountRequest) -> Result<proto::GetAccountResponse, Status> {
        let id = account_id("account", &request.account)?;
        let shown = self.node.projection.shown();
        let account = account_message(&shown, named(&shown, id)?);
        Ok(proto::GetAccountResponse { account, reflected_index: shown.reflected_index() })
    }

    pub(super) fn accounts(&self, request: &proto::ListAccountsRequest) -> Result<proto::ListAccountsResponse, Status> {
        let unknown = |_| invalid("kind", "a kind of account");
        proto::AccountKind::try_from(request.kind).map_err(unknown)?;
        let station = optional_account_id("station", &request.station)?;
        let size = page_size(request.page_size, LIST_PAGE, LIST_PAGE_MAX)?;
        let asked = ListCursor { kind: request.kind, account: None, station, next: 0 };
        let from = self.list_cursor(List::Accounts, &request.cursor, asked)?;
        let kind = proto::AccountKind::try_from(from.kind).map_err(unknown)?;
        let shown = self.node.projection.shown();
        let station = from.station.map(|id| named(&shown, id)).transpose()?;
        let first = AccountNumber(u32::try_from(from.next).unwrap_or(u32::MAX));
        let rows: Box<dyn Iterator<Item = AccountNumber>> = match station {
            Some(station) => {
                // Where any kind is wanted, all that are looked at are shown.
                let any = kind == proto::AccountKind::Unspecified;
                let most = if any { size } else { LIST_SCANNED_MAX };
                Box::new(shown.accounts().of_station(station, first, most + 1).into_iter())
            }
            None => Box::new((first.0..shown.accounts().len()).map(AccountNumber)),
        };
        let listed = list(rows.map(|number| (u64::from(number.0), number)), size, |number| {
            let of_kind = kind == proto::AccountKind::Unspecified
                || shown.identity(number).is_some_and(|account| wire::kind_message(account.kind) == kind);
            if of_kind { account_message(&shown, number) } else { None }
        });
        let next_cursor = self.seal(List::Accounts, from, listed.next);
        Ok(proto::ListAccountsResponse { accounts: listed.rows, next_cursor, reflected_index: shown.reflected_index() })
    }

    pub(super) fn balance(&self, request: &proto::GetBalanceRequest) -> Result<proto::GetBalanceResponse, Status> {
        let id = account_id("account", &request.account)?;
        let (number, reflected_index) = {
            let shown = self.node.projection.shown();
            let number = named(&shown, id)?;
            if request.as_of.is_none()
                && let Some(account) = shown.account(number)
            {
                return Ok(proto::GetBalanceResponse {
                    balance_minutes: account.balance.get(),
                    held_minutes: account.held.get(),
                    available_minutes: account.available().map(Minutes::get),
                    reflected_index: shown.reflected_index(),
                });
            }
            (number, shown.reflected_index())
        };
        let index = self.as_of(request, reflected_index)?;
        let row = self.node.projection.history().as_of_index(number.0, index).map_err(ReadFailure::from)?;
        let (balance_minutes, held_minutes) = row.map_or((0, 0), |row| (row.balance_after, row.held_after));
        Ok(proto::GetBalanceResponse { balance_minutes, held_minutes, available_minutes: None, reflected_index: index })
    }

    /// The entry that a balance is asked for as of.
    fn as_of(&self, request: &proto::GetBalanceRequest, reflected_index: u64) -> Result<u64, Status> {
        match request.as_of {
            None => Ok(reflected_index),
            Some(proto::get_balance_request::AsOf::AtIndex(index)) if index <= reflected_index => Ok(index),
            Some(proto::get_balance_request::AsOf::AtIndex(index)) => {
                Err(failure(Reason::IndexOutOfRange, "at_index", &beyond(index, reflected_index)))
            }
            Some(proto::get_balance_request::AsOf::AtTimeMs(ms)) => {
                let index = self.node.projection.history().index_at_time(ms).map_err(ReadFailure::from)?;
                let before = || {
                    let message = "the ledger did not exist yet at this time";
                    failure(Reason::TimeOutOfRange, "at_time_ms", message)
                };
                index.map(|index| index.min(reflected_index)).ok_or_else(before)
            }
        }
    }

    pub(super) fn history(&self, request: &proto::ListHistoryRequest) -> Result<proto::ListHistoryResponse, Status> {
        let size = page_size(request.page_size, HISTORY_PAGE, HISTORY_PAGE_MAX)?;
        let id = account_id("account", &request.account)?;
        let (number, reflected) = {
            let shown = self.node.projection.shown();
            (named(&shown, id)?, shown.reflected_index())
        };
        let first = history_request(request, id, reflected)?;
        let (asked, from) = if request.cursor.is_empty() {
            (first, None)
        } else {
            let key = &self.identity.cursor_key;
            let cursor: HistoryCursor = cursor::open(key, List::History, &request.cursor)?;
            check_restated(request, &first, &cursor)?;
            let from = Some(cursor.ordinal);
            (cursor, from)
        };
        let page = PageRequest {
            newest_first: asked.newest_first,
            from,
            limit: size,
            up_to_index: asked.up_to_index,
            from_ms: asked.from_ms,
            until_ms: asked.until_ms,
            kinds: &asked.kinds,
        };
        let page = self.node.projection.history().page(number.0, &page).map_err(ReadFailure::from)?;
        let reflected_index = asked.up_to_index;
        let next_cursor = page.next.map_or_else(String::new, |ordinal| {
            cursor::seal(&self.identity.cursor_key, List::History, &HistoryCursor { ordinal, ..asked })
        });
        let mut rows: Vec<_> = {
            let shown = self.node.projection.shown();
            page.rows.iter().map(|(number, row)| history_row(&shown, *number, row)).collect()
        };
        if request.details {
            let records: Vec<_> = page.rows.iter().map(|(_, row)| row.record()).collect();
            self.add_details(&mut rows, &records)?;
        }
        Ok(proto::ListHistoryResponse { rows, next_cursor, reflected_index })
    }

    pub(super) fn holds(&self, request: &proto::ListHoldsRequest) -> Result<proto::ListHoldsResponse, Status> {
        let payer = optional_account_id("payer", &request.payer)?;
        let station = optional_account_id("station", &request.station)?;
        let size = page_size(request.page_size, LIST_PAGE, LIST_PAGE_MAX)?;
        // Holds come and go: the cursor names a place in the log, not a row.
        let asked = ListCursor { kind: 0, account: payer, station, next: 0 };
        let from = self.list_cursor(List::Holds, &request.cursor, asked)?;
        let start =
            EventRef { index: LogIndex(from.next >> 16), event: u16::try_from(from.next & 0xffff).unwrap_or(0) };
        let shown = self.node.projection.shown();
        let payer = from.account.map(|id| named(&shown, id)).transpose()?;
        let station = from.station.map(|id| named(&shown, id)).transpose()?;
        let rows: Box<dyn Iterator<Item = (EventRef, Hold)>> = match payer.or(station) {
            Some(account) => Box::new(shown.holds().of_account(account, start)),
            None => Box::new(shown.holds().from(start)),
        };
        let rows = rows.map(|(at, hold)| ((at.index.0 << 16) | u64::from(at.event), (at, hold)));
        let listed = list(rows, size, |(at, hold)| {
            let wanted =
                payer.is_none_or(|payer| hold.payer == payer) && station.is_none_or(|station| hold.station == station);
            wanted.then(|| proto::Hold {
                hold: Some(wire::event_ref_message(at)),
                payer: shown.id_bytes(hold.payer.0),
                station: shown.id_bytes(hold.station.0),
                minutes: hold.minutes.get(),
                expires_at_ms: hold.expires_at.0,
            })
        });
        let next_cursor = self.seal(List::Holds, from, listed.next);
        Ok(proto::ListHoldsResponse { holds: listed.rows, next_cursor, reflected_index: shown.reflected_index() })
    }

    pub(super) fn keys(&self, request: &proto::ListKeysRequest) -> Result<proto::ListKeysResponse, Status> {
        let account = optional_account_id("account", &request.account)?;
        let size = page_size(request.page_size, LIST_PAGE, LIST_PAGE_MAX)?;
        let asked = ListCursor { kind: 0, account, station: None, next: 0 };
        let from = self.list_cursor(List::Keys, &request.cursor, asked)?;
        let shown = self.node.projection.shown();
        let account = from.account.map(|id| named(&shown, id)).transpose()?;
        let first = u32::try_from(from.next).unwrap_or(u32::MAX);
        let rows: Box<dyn Iterator<Item = u32>> = match account {
            Some(account) => Box::new(shown.keys().of_account(account, first, size + 1).into_iter()),
            None => Box::new(first..shown.keys().len()),
        };
        let listed = list(rows.map(|number| (u64::from(number), number)), size, |number| {
            shown.keys().row(number).map(|key| proto::Key {
                key_id: Bytes::copy_from_slice(&key.id.0),
                public_key: Bytes::copy_from_slice(&key.public_key),
                role: i32::from(wire::role_message(key.role)),
                account: key.account.map_or_else(Bytes::new, |account| shown.id_bytes(account.0)),
                revoked: key.revoked,
            })
        });
        let next_cursor = self.seal(List::Keys, from, listed.next);
        Ok(proto::ListKeysResponse { keys: listed.rows, next_cursor, reflected_index: shown.reflected_index() })
    }

    pub(super) fn regions(&self) -> proto::ListRegionsResponse {
        let shown = self.node.projection.shown();
        let code = |number: u32| shown.region(number).map(|region| region.code.to_string());
        let message = |region: &crate::ledger::Region| proto::RegionDefined {
            code: region.code.to_string(),
            parent: region.parent.and_then(code).unwrap_or_default(),
        };
        let regions = shown.regions().iter().map(message).collect();
        proto::ListRegionsResponse { regions, reflected_index: shown.reflected_index() }
    }
}

fn no_entry(index: u64) -> Status {
    failure(Reason::EntryUnknown, "index", &format!("the log has no entry {index} yet"))
}

/// What is said of an entry that isn't there yet.
pub(super) fn beyond(index: u64, reflected_index: u64) -> String {
    format!("the log has no entry {index} yet: its last one is {reflected_index}. Ask as of that one, or again later")
}

/// What a first page is asked for.
fn history_request(
    request: &proto::ListHistoryRequest,
    account: AccountId,
    reflected: u64,
) -> Result<HistoryCursor, Status> {
    let order = proto::HistoryOrder::try_from(request.order)
        .map_err(|_unknown| invalid("order", "NEWEST_FIRST or OLDEST_FIRST"))?;
    let up_to_index = match request.at_index {
        Some(index) if index > reflected => {
            return Err(failure(Reason::IndexOutOfRange, "at_index", &beyond(index, reflected)));
        }
        Some(index) => index,
        None => reflected,
    };
    if request.from_ms < 0 || request.until_ms < 0 || (request.until_ms > 0 && request.until_ms <= request.from_ms) {
        return Err(invalid("until_ms", "0, or a time after from_ms; both in ms since 1970"));
    }
    let is_kind = |kind: &i32| {
        let number = u8::try_from(*kind).ok().filter(|number| *number > 0);
        number.filter(|_| proto::EventKind::try_from(*kind).is_ok())
    };
    let kinds: Option<BTreeSet<u8>> = request.kinds.iter().map(is_kind).collect();
    let kinds = kinds.ok_or_else(|| invalid("kinds", "kinds of events that post"))?;
    Ok(HistoryCursor {
        account,
        newest_first: order != proto::HistoryOrder::OldestFirst,
        kinds: kinds.into_iter().collect(),
        from_ms: request.from_ms,
        until_ms: if request.until_ms == 0 { i64::MAX } else { request.until_ms },
        up_to_index,
        ordinal: 0,
    })
}

/// With a cursor, filters are stated again or not at all.
fn check_restated(
    request: &proto::ListHistoryRequest,
    first: &HistoryCursor,
    cursor: &HistoryCursor,
) -> Result<(), Status> {
    let order_stated = request.order != i32::from(proto::HistoryOrder::Unspecified);
    let checks = [
        ("account", first.account == cursor.account),
        ("order", !order_stated || first.newest_first == cursor.newest_first),
        ("from_ms", request.from_ms == 0 || first.from_ms == cursor.from_ms),
        ("until_ms", request.until_ms == 0 || first.until_ms == cursor.until_ms),
        ("kinds", request.kinds.is_empty() || first.kinds == cursor.kinds),
        ("at_index", request.at_index.is_none() || first.up_to_index == cursor.up_to_index),
    ];
    match checks.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(invalid(field, RESTATED)),
        None => Ok(()),
    }
}

fn history_row(shown: &Shown, number: u64, row: &PostingRow) -> proto::HistoryRow {
    proto::HistoryRow {
        event: Some(proto::EventRef { index: row.index, event: u32::from(row.event) }),
        recorded_at_ms: row.recorded_at_ms,
        kind: i32::from(row.kind),
        counterparty: shown.id_bytes(row.counterparty),
        minutes: row.minutes,
        balance_after_minutes: row.balance_after,
        held_after_minutes: row.held_after,
        posting: number,
        details: None,
    }
}
