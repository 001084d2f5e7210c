//! Pages of an account's history.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    cursor::{List, RESTATED},
    failure::ReadError,
    page::{Page, PageSize},
    reader::{Permission, Reader},
    reads::{Reads, named},
    records::{HistoryDetails, Log},
};
use crate::{
    engine::projection::{history::PageRequest, rows::PostingRow},
    ledger::{AccountId, AccountNumber, EventKind, EventRef, LogIndex, Millis, Minutes, Version},
};

/// Rows that a page is read from on a thread that others wait for: the 200 of the largest page, and some of a seek. That is six
/// times what a page of 50 reads, of which `benches/ledger.rs` gives 27,000 a second. A seek deep in a long history may
/// take more, and a filter that seldom fits does.
const ROWS_AT_HAND_MAX: u32 = 300;

/// Which row of a history comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HistoryOrder {
    /// Not stated: the newest, or as the cursor has it.
    #[default]
    Unstated,
    /// The newest.
    NewestFirst,
    /// The oldest.
    OldestFirst,
    /// One that a newer client may know and this program doesn't: refused in its turn.
    Unknown,
}

/// Which rows of a history a page is asked for. With a cursor, the account is stated again, and all else is so or not at
/// all.
#[derive(Debug, Clone)]
pub struct HistoryAsked {
    /// Whose history.
    pub account: AccountId,
    /// Rows wanted.
    pub page_size: PageSize,
    /// Which row comes first.
    pub order: HistoryOrder,
    /// Only rows of these kinds; none named: all. Nothing stands for a kind that this program doesn't know: it is refused in
    /// its turn.
    pub kinds: Vec<Option<EventKind>>,
    /// Only rows recorded at or after this.
    pub from: Option<Millis>,
    /// Only rows recorded before this.
    pub until: Option<Millis>,
    /// Only rows of entries up to this one; none: all that there are.
    pub at_index: Option<LogIndex>,
    /// [`Page::next`] of the page before; none for the first one.
    pub cursor: Option<String>,
    /// Whether each row comes with what its event says. Then whole entries are read, otherwise rows.
    pub details: bool,
}

/// A posting of an account: minutes that came or went, or that were reserved or set free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// The event that posted it.
    pub event: EventRef,
    /// When its entry was recorded.
    pub recorded_at: Millis,
    /// What kind of event it is.
    pub kind: Option<EventKind>,
    /// The account that the minutes came from or went to; of a hold, the station or payer.
    pub counterparty: Option<AccountId>,
    /// + or -; 0 where only a reservation changed.
    pub minutes: Minutes,
    /// Balance after it.
    pub balance_after: Minutes,
    /// Reserved after it.
    pub held_after: Minutes,
    /// Its number among the postings of all accounts, in the order of the log.
    pub posting: u64,
    /// What its event says, where that was asked for.
    pub details: Option<HistoryDetails>,
}

/// A cursor over a history: all that the first page was asked for, and where the next one begins.
#[derive(Serialize, Deserialize)]
struct HistoryCursor {
    account: AccountId,
    newest_first: bool,
    /// Numbers of [`EventKind`], ascending; none: all.
    kinds: Vec<u8>,
    from_ms: i64,
    until_ms: i64,
    up_to_index: u64,
    ordinal: u32,
}

impl HistoryAsked {
    /// What a first page is asked for.
    fn first_page(&self, reflected_index: u64) -> Result<HistoryCursor, ReadError> {
        let newest_first = match self.order {
            HistoryOrder::Unstated | HistoryOrder::NewestFirst => true,
            HistoryOrder::OldestFirst => false,
            HistoryOrder::Unknown => return Err(ReadError::invalid("order", "NEWEST_FIRST or OLDEST_FIRST")),
        };
        let LogIndex(up_to_index) = self.at_index.unwrap_or(LogIndex(reflected_index));
        if up_to_index > reflected_index {
            return Err(ReadError::IndexOutOfRange { index: up_to_index, reflected_index });
        }
        let Millis(from_ms) = self.from.unwrap_or(Millis(0));
        let Millis(until_ms) = self.until.unwrap_or(Millis(i64::MAX));
        if from_ms < 0 || self.until.is_some_and(|until| until <= Millis(from_ms)) {
            let expected = "0, or a time after from_ms; both in ms since 1970";
            return Err(ReadError::invalid("until_ms", expected));
        }
        let kinds: Option<BTreeSet<u8>> = self.kinds.iter().map(|kind| kind.map(EventKind::number)).collect();
        let kinds = kinds.ok_or_else(|| ReadError::invalid("kinds", "kinds of events that post"))?;
        let kinds = kinds.into_iter().collect();
        Ok(HistoryCursor { account: self.account, newest_first, kinds, from_ms, until_ms, up_to_index, ordinal: 0 })
    }

    /// With a cursor, filters are stated again or not at all.
    fn check_restated(&self, first: &HistoryCursor, cursor: &HistoryCursor) -> Result<(), ReadError> {
        let checks = [
            ("account", first.account == cursor.account),
            ("order", self.order == HistoryOrder::Unstated || first.newest_first == cursor.newest_first),
            ("from_ms", self.from.is_none() || first.from_ms == cursor.from_ms),
            ("until_ms", self.until.is_none() || first.until_ms == cursor.until_ms),
            ("kinds", self.kinds.is_empty() || first.kinds == cursor.kinds),
            ("at_index", self.at_index.is_none() || first.up_to_index == cursor.up_to_index),
        ];
        match checks.into_iter().find(|(_, same)| !same) {
            Some((field, _)) => Err(ReadError::invalid(field, RESTATED)),
            None => Ok(()),
        }
    }
}

fn told(version: &Version, number: u64, row: &PostingRow) -> HistoryRow {
    HistoryRow {
        event: EventRef { index: LogIndex(row.index), event: row.event },
        recorded_at: Millis(row.recorded_at_ms),
        kind: EventKind::of_number(row.kind),
        counterparty: version.accounts().id(AccountNumber(row.counterparty)),
        minutes: Minutes::new(row.minutes),
        balance_after: Minutes::new(row.balance_after),
        held_after: Minutes::new(row.held_after),
        posting: number,
        details: None,
    }
}

/// A page that was asked for as it may be, before its rows are looked for.
struct Begun {
    version: Version,
    number: AccountNumber,
    page: HistoryCursor,
    from: Option<u32>,
    limit: usize,
}

impl Begun {
    fn request(&self) -> PageRequest<'_> {
        PageRequest {
            newest_first: self.page.newest_first,
            from: self.from,
            limit: self.limit,
            up_to_index: self.page.up_to_index,
            from_ms: self.page.from_ms,
            until_ms: self.page.until_ms,
            kinds: &self.page.kinds,
        }
    }
}

impl Reads {
    /// A page of an account's history. All pages that one cursor leads to are as of the entry that the first one reflects;
    /// what details say of records is as they stand now. Reads rows, with details entries too.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::AccountUnknown`]; [`ReadError::FieldInvalid`], `order`;
    /// [`ReadError::IndexOutOfRange`]; [`ReadError::FieldInvalid`] of the other fields; [`ReadError::Failed`].
    pub fn history(&self, reader: Reader, asked: &HistoryAsked) -> Result<Page<HistoryRow>, ReadError> {
        reader.check(Permission::Local)?;
        let begun = self.begin(reader, asked)?;
        let found = self.node.projection.history().page(begun.number.0, &begun.request())?;
        let mut rows: Vec<HistoryRow> =
            found.rows.iter().map(|(number, row)| told(&begun.version, *number, row)).collect();
        if asked.details {
            // Rows of one entry that follow each other read it once.
            let mut log = Log::new(self, &begun.version);
            for (row, (_, posting)) in rows.iter_mut().zip(&found.rows) {
                row.details = log.details(row.event, posting.record())?;
            }
        }
        Ok(self.end(reader, begun, rows, found.next))
    }

    /// The same, where its rows are in memory and few, and no details are asked for; none where they aren't. It holds up
    /// nobody, so it may run on a thread that others wait for.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub fn history_at_hand(&self, reader: Reader, asked: &HistoryAsked) -> Result<Option<Page<HistoryRow>>, ReadError> {
        reader.check(Permission::Local)?;
        if asked.details {
            return Ok(None);
        }
        let begun = self.begin(reader, asked)?;
        let history = self.node.projection.history();
        let found = history.page_at_hand(ROWS_AT_HAND_MAX, begun.number.0, &begun.request())?;
        let Some(found) = found else { return Ok(None) };
        let rows = found.rows.iter().map(|(number, row)| told(&begun.version, *number, row)).collect();
        Ok(Some(self.end(reader, begun, rows, found.next)))
    }

    fn begin(&self, reader: Reader, asked: &HistoryAsked) -> Result<Begun, ReadError> {
        let version = self.version();
        let number = named(&version, asked.account)?;
        let reflected_index = version.reflected_index();
        let first = asked.first_page(reflected_index)?;
        let (mut page, from) = match &asked.cursor {
            None => (first, None),
            Some(cursor) => {
                let cursor: HistoryCursor = self.seal(reader, List::History).open(cursor)?;
                asked.check_restated(&first, &cursor)?;
                let from = Some(cursor.ordinal);
                (cursor, from)
            }
        };
        // A log that was restored since the first page may not reach as far.
        page.up_to_index = page.up_to_index.min(reflected_index);
        Ok(Begun { version, number, page, from, limit: asked.page_size.get() })
    }

    fn end(&self, reader: Reader, begun: Begun, rows: Vec<HistoryRow>, next: Option<u32>) -> Page<HistoryRow> {
        let (seal, reflected_index) = (self.seal(reader, List::History), LogIndex(begun.page.up_to_index));
        let next = next.map(|ordinal| seal.close(&HistoryCursor { ordinal, ..begun.page }));
        Page { rows, next, reflected_index }
    }
}
