//! What a server answers about every account, held against a replay of the auditor's own.

use std::{collections::BTreeMap, fmt};

use super::{Server, ServerError, Unaudited};
use crate::{
    engine::projection::{
        Projection, Shown,
        digest::{RANGE_ACCOUNTS, range_digest},
        history::PageRequest,
    },
    format::proto,
    ledger::{AccountId, EventRef, LogIndex},
    merkle::Hash,
    trust::audit::Discrepancy,
};

/// Rows of a page that is asked for: the most there may be.
const LIST_PAGE: u32 = 1_000;
const HISTORY_PAGE: u32 = 200;
/// Accounts or holds that a server may tell of: the 37 million volunteers of a country, and 30 million more.
const ROWS_MAX: usize = 1 << 26;

/// A balance or a hold as the server told it, as of some entry.
#[derive(Debug)]
enum ServerAnswer {
    Account(proto::Account),
    Hold(proto::Hold),
    /// So many accounts and holds were told, all as of the same entry.
    Accounts(usize),
    Holds(usize),
}

/// All that a server answered.
#[derive(Debug)]
pub(super) struct ServerAnswers {
    /// By the entry that the answer reflects.
    by_index: BTreeMap<u64, Vec<ServerAnswer>>,
    digest: proto::GetStateDigestResponse,
}

/// A list that a server tells page by page, and may tell without end.
struct List {
    what: &'static str,
    rows: usize,
    rows_max: usize,
}

impl List {
    /// Of so many as the server says that there are; meanwhile they may have become twice as many and a page more.
    fn new(what: &'static str, told: u64) -> Self {
        let rows_max = usize::try_from(told).unwrap_or(usize::MAX).saturating_mul(2);
        Self { what, rows: 0, rows_max: rows_max.saturating_add(LIST_PAGE as usize).min(ROWS_MAX) }
    }

    /// Takes a page.
    fn page<E>(&mut self, rows: usize, next_cursor: &str) -> Result<(), ServerError<E>> {
        self.rows = self.rows.saturating_add(rows);
        let nothing_but_more = rows == 0 && !next_cursor.is_empty();
        if self.rows > self.rows_max || nothing_but_more {
            return Err(ServerError::EndlessList { what: self.what, rows: self.rows });
        }
        Ok(())
    }
}

impl ServerAnswers {
    /// Asks for every account, every hold, and the digest of all histories.
    pub(super) fn gather<S: Server>(server: &mut S) -> Result<Self, ServerError<S::Error>> {
        let mut by_index: BTreeMap<u64, Vec<ServerAnswer>> = BTreeMap::new();
        let status = server.status()?;
        let (mut cursor, mut indexes, mut list) = (String::new(), Vec::new(), List::new("accounts", status.accounts));
        loop {
            let request = proto::ListAccountsRequest { page_size: LIST_PAGE, cursor, ..Default::default() };
            let page = server.list_accounts(request)?;
            indexes.push(page.reflected_index);
            list.page(page.accounts.len(), &page.next_cursor)?;
            by_index
                .entry(page.reflected_index)
                .or_default()
                .extend(page.accounts.into_iter().map(ServerAnswer::Account));
            cursor = page.next_cursor;
            if cursor.is_empty() {
                break;
            }
        }
        whole(&indexes, ServerAnswer::Accounts(list.rows), &mut by_index);
        (cursor, indexes, list) = (String::new(), Vec::new(), List::new("open holds", status.holds));
        loop {
            let request = proto::ListHoldsRequest { page_size: LIST_PAGE, cursor, ..Default::default() };
            let page = server.list_holds(request)?;
            indexes.push(page.reflected_index);
            list.page(page.holds.len(), &page.next_cursor)?;
            by_index.entry(page.reflected_index).or_default().extend(page.holds.into_iter().map(ServerAnswer::Hold));
            cursor = page.next_cursor;
            if cursor.is_empty() {
                break;
            }
        }
        whole(&indexes, ServerAnswer::Holds(list.rows), &mut by_index);
        let digest = server.state_digest(proto::GetStateDigestRequest::default())?;
        by_index.entry(digest.reflected_index).or_default();
        let gathered = Self { by_index, digest };
        let (last, size) = (gathered.last_index(), server.status()?.size);
        if last >= size {
            return Err(ServerError::BeyondItsLog { last, size });
        }
        Ok(gathered)
    }

    /// The last entry that an answer reflects.
    pub(super) fn last_index(&self) -> u64 {
        self.by_index.last_key_value().map_or(0, |(index, _)| *index)
    }

    /// How many entries may be replayed from `size` on before the next answer has to be looked at.
    pub(super) fn boundary(&self, size: u64) -> Option<u64> {
        self.by_index.range(size..).next().map(|(index, _)| index.saturating_add(1))
    }

    /// Looks at what was answered as of the last entry that was replayed.
    pub(super) fn check(&self, shown: &Shown) -> Result<(), Box<Discrepancy>> {
        let index = shown.reflected_index();
        for answer in self.by_index.get(&index).into_iter().flatten() {
            match answer {
                ServerAnswer::Account(account) => check_account(shown, account)?,
                ServerAnswer::Hold(hold) => check_hold(shown, hold)?,
                ServerAnswer::Accounts(count) => same(
                    index,
                    "the number of accounts",
                    &usize::try_from(shown.accounts().len()).unwrap_or(usize::MAX),
                    count,
                )?,
                ServerAnswer::Holds(count) => same(index, "the number of open holds", &shown.holds().len(), count)?,
            }
        }
        Ok(())
    }

    /// Compares the digests of all histories; a difference is looked for until account and row are named.
    pub(super) fn check_histories<S: Server>(
        &self,
        server: &mut S,
        own: &Projection,
    ) -> Result<Result<(), Box<Discrepancy>>, Unaudited<S>> {
        let index = self.digest.reflected_index;
        let mine = own.account_digests(index)?;
        let ranges: Vec<Hash> = mine.chunks(RANGE_ACCOUNTS).map(range_digest).collect();
        if let Err(found) =
            same(index, "the number of accounts with a history", &(mine.len() as u64), &self.digest.accounts)
        {
            return Ok(Err(found));
        }
        let differs = |(own, theirs): (&Hash, &bytes::Bytes)| own.as_slice() != theirs.as_ref();
        let theirs = &self.digest.range_digests;
        let range = if ranges.len() == theirs.len() {
            let Some(range) = ranges.iter().zip(theirs).position(differs) else { return Ok(Ok(())) };
            range
        } else {
            0
        };
        let request = proto::GetStateDigestRequest { at_index: Some(index), range: u32::try_from(range).ok() };
        let told = server.state_digest(request)?.account_digests;
        let accounts = mine.chunks(RANGE_ACCOUNTS).nth(range).unwrap_or_default();
        for (position, own_digest) in accounts.iter().enumerate() {
            let same = told.get(position).is_some_and(|told| {
                told.account.as_ref() == own_digest.account.0
                    && told.postings == own_digest.postings
                    && told.history_digest.as_ref() == own_digest.history
            });
            if !same {
                return check_rows(server, own, own_digest.account, index).map(|found| Err(found.into()));
            }
        }
        let message = format!("the digest of accounts {range} x {RANGE_ACCOUNTS} on differs, though no account's does");
        Ok(Err(state_differs(index, message, None).into()))
    }
}

/// Where all pages reflect the same entry, nothing may be missing from them.
fn whole(indexes: &[u64], count: ServerAnswer, by_index: &mut BTreeMap<u64, Vec<ServerAnswer>>) {
    if let Some(first) = indexes.first().filter(|first| indexes.iter().all(|index| index == *first)) {
        by_index.entry(*first).or_default().push(count);
    }
}

/// The server's answer differs, as of an entry.
fn state_differs(as_of: u64, problem: String, values: Option<(String, String)>) -> Discrepancy {
    Discrepancy::StateDiffers { as_of, problem, values }
}

fn same<T: PartialEq + fmt::Display>(index: u64, what: &str, own: &T, told: &T) -> Result<(), Box<Discrepancy>> {
    if own == told {
        return Ok(());
    }
    let message = format!("the server says that {what} is {told}, the log says {own}");
    Err(state_differs(index, message, Some((own.to_string(), told.to_string()))).into())
}

fn check_account(shown: &Shown, told: &proto::Account) -> Result<(), Box<Discrepancy>> {
    let index = shown.reflected_index();
    let name = hex::encode(&told.account);
    let id = told.account.as_ref().try_into().map(AccountId).ok();
    let Some(own) = id.and_then(|id| shown.account_number(id)).and_then(|number| shown.account(number)) else {
        let message = format!("the server tells of account {name}, which the log never opened");
        return Err(state_differs(index, message, None).into());
    };
    same(index, &format!("the balance of {name}"), &own.balance.get(), &told.balance_minutes)?;
    same(index, &format!("what is reserved on {name}"), &own.held.get(), &told.held_minutes)?;
    let none = |minutes: Option<i64>| minutes.map_or_else(|| "none".to_owned(), |minutes| minutes.to_string());
    let available = own.available().map(crate::ledger::Minutes::get);
    same(index, &format!("what is available on {name}"), &none(available), &none(told.available_minutes))
}

fn check_hold(shown: &Shown, told: &proto::Hold) -> Result<(), Box<Discrepancy>> {
    let index = shown.reflected_index();
    let at = told.hold.unwrap_or_default();
    let name = format!("{}.{}", at.index, at.event);
    let event = u16::try_from(at.event).unwrap_or(u16::MAX);
    let Some(own) = shown.holds().get(EventRef { index: LogIndex(at.index), event }) else {
        let message = format!("the server tells of the open hold {name}, which the log doesn't have open");
        return Err(state_differs(index, message, None).into());
    };
    same(index, &format!("the amount of hold {name}"), &own.minutes.get(), &told.minutes)?;
    same(index, &format!("the end of hold {name}"), &own.expires_at.0, &told.expires_at_ms)?;
    let (payer, station) = (shown.id_bytes(own.payer.0), shown.id_bytes(own.station.0));
    same(index, &format!("the payer of hold {name}"), &hex::encode(payer), &hex::encode(&told.payer))?;
    same(index, &format!("the station of hold {name}"), &hex::encode(station), &hex::encode(&told.station))
}

/// The first row of an account's history in which the server differs.
fn check_rows<S: Server>(
    server: &mut S,
    own: &Projection,
    account: AccountId,
    index: u64,
) -> Result<Discrepancy, Unaudited<S>> {
    let number = own.shown().account_number(account).map_or(u32::MAX, |number| number.0);
    let (mut cursor, mut from) = (String::new(), None);
    let mut position: u64 = 0;
    loop {
        let request = proto::ListHistoryRequest {
            account: account.0.to_vec().into(),
            order: i32::from(proto::HistoryOrder::OldestFirst),
            page_size: HISTORY_PAGE,
            cursor,
            at_index: Some(index),
            ..Default::default()
        };
        let told = server.list_history(request)?;
        let request = PageRequest {
            newest_first: false,
            from,
            limit: told.rows.len().max(1),
            up_to_index: index,
            from_ms: 0,
            until_ms: i64::MAX,
            kinds: &[],
        };
        let mine = own.history().page(number, &request)?;
        for row in 0..told.rows.len().max(mine.rows.len()) {
            let own_row = mine.rows.get(row).map(|(_, row)| describe(own, row));
            let told_row = told.rows.get(row).map(describe_told);
            if own_row != told_row {
                let none = || "no such row".to_owned();
                let (own_row, told_row) = (own_row.unwrap_or_else(none), told_row.unwrap_or_else(none));
                let message = format!(
                    "row {position} of the history of {account}: the server says {told_row}, the log says {own_row}"
                );
                return Ok(state_differs(index, message, Some((own_row, told_row))));
            }
            position += 1;
        }
        (cursor, from) = (told.next_cursor, mine.next);
        if cursor.is_empty() || from.is_none() {
            let message = format!(
                "the digest of the history of {account} differs, though the {position} rows that the server shows agree"
            );
            return Ok(state_differs(index, message, None));
        }
    }
}

fn describe(own: &Projection, row: &crate::engine::projection::rows::PostingRow) -> String {
    let counterparty = own.shown().id_bytes(row.counterparty);
    describe_told(&proto::HistoryRow {
        event: Some(proto::EventRef { index: row.index, event: u32::from(row.event) }),
        recorded_at_ms: row.recorded_at_ms,
        kind: i32::from(row.kind),
        counterparty,
        minutes: row.minutes,
        balance_after_minutes: row.balance_after,
        held_after_minutes: row.held_after,
        posting: 0,
        details: None,
    })
}

fn describe_told(row: &proto::HistoryRow) -> String {
    let at = row.event.unwrap_or_default();
    let kind = proto::EventKind::try_from(row.kind).map_or("UNKNOWN", |kind| kind.as_str_name());
    format!(
        "{}.{} {kind} {:+} min with {}, balance {}, reserved {}, at {}",
        at.index,
        at.event,
        row.minutes,
        if row.counterparty.is_empty() { "nobody".to_owned() } else { hex::encode(&row.counterparty) },
        row.balance_after_minutes,
        row.held_after_minutes,
        time(row.recorded_at_ms)
    )
}

/// A time as reports for programs have it: RFC 3339, UTC, always with milliseconds.
fn time(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms);
    time.map_or_else(|_| format!("{ms} ms"), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(told: u64, rows: &[usize], next_cursor: &str) -> bool {
        let mut list = List::new("accounts", told);
        rows.iter().all(|rows| list.page::<String>(*rows, next_cursor).is_ok())
    }

    #[test]
    fn a_list_ends_at_twice_what_was_told_and_with_a_page_of_nothing() {
        assert!(page(600, &[1_000, 1_200], "more"));
        assert!(!page(600, &[1_000, 1_200, 1], "more"), "2,201 of 600");
        assert!(page(0, &[0], ""));
        assert!(!page(600, &[0], "more"));
        assert!(!page(u64::MAX, &[ROWS_MAX + 1], ""));
    }
}
