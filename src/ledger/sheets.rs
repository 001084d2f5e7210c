//! Which sheets there are: whoever sends one again gets its receipt, and nobody uses an id twice.
//!
//! The table holds the ids of sheets that are still valid, and some past it. Older ones it puts away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    keys::Keys,
    put_away::{OlderSheet, PUT_AWAY_AT_ONCE},
    table::{
        Blocks, FixedRow, Index, Rows,
        packed::{Link, from_40, link, put_40, put_link},
    },
    units::{DAY_MS, LogIndex, Millis, SheetId},
};

/// Rows of a block: 7 kB are copied where a copy of all is about to be saved.
const SHEETS_BLOCK: usize = 256;

/// Ids that one sheet makes the table look at: more than the one that it adds, so that ids that have run out never pile up.
const LOOKED_AT: usize = 64;

/// An id in 29 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Number of the author's key.
    author: [u8; 4],
    id: [u8; 16],
    index: [u8; 5],
    /// The next one that runs out on the same day; of a row that is free, the next free one.
    next: [u8; 4],
}

impl Row {
    fn next(&self) -> Link {
        link(self.next)
    }

    fn name(&self) -> (u32, [u8; 16]) {
        (u32::from_le_bytes(self.author), self.id)
    }

    fn index(&self) -> LogIndex {
        LogIndex(from_40(self.index))
    }
}

impl FixedRow for Row {
    const LENGTH: usize = 29;

    fn put(&self, bytes: &mut Vec<u8>) {
        for part in [&self.author[..], &self.id, &self.index, &self.next] {
            bytes.extend_from_slice(part);
        }
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (author, rest) = bytes.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (index, next) = rest.split_first_chunk()?;
        Some(Self { author: *author, id: *id, index: *index, next: next.try_into().ok()? })
    }
}

/// Rows as they are saved.
pub(super) type SheetsPages = Blocks<Row, SHEETS_BLOCK>;

/// All that isn't a page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SheetsRest {
    rows: u32,
    free: Link,
    /// The newest row of those that run out on a day, by day since 1970.
    days: BTreeMap<i64, u32>,
    /// Rows that have run out and wait to be put away.
    run_out: Vec<u32>,
    put_away: u64,
}

impl SheetsRest {
    pub(super) const fn put_away(&self) -> u64 {
        self.put_away
    }
}

/// Ids of sheets by author.
#[derive(Debug, Default)]
pub(super) struct Sheets {
    rows: SheetsPages,
    index: Index,
    rest: SheetsRest,
}

impl PartialEq for Sheets {
    fn eq(&self, other: &Self) -> bool {
        self.rest == other.rest && self.rows == other.rows
    }
}

impl Clone for Sheets {
    fn clone(&self) -> Self {
        Self::found(self.rows.clone(), self.rest.clone())
    }
}

impl Sheets {
    /// The rows, to be saved page by page, and the rest.
    pub(super) fn saved(&mut self) -> (SheetsPages, SheetsRest) {
        (self.rows.share(), self.rest.clone())
    }

    /// The way back. Nothing where a page is missing, or a link leads nowhere.
    pub(super) fn of_saved(rows: SheetsPages, rest: SheetsRest) -> Option<Self> {
        let links = rest.days.values().chain(&rest.run_out).chain(&rest.free);
        let whole = rows.len() == rest.rows && links.into_iter().all(|number| *number < rest.rows);
        whole.then(|| Self::found(rows, rest))
    }

    fn found(rows: SheetsPages, rest: SheetsRest) -> Self {
        let sheets = Self { index: Index::for_names(rows.len()), rows, rest };
        let chains = sheets.rest.days.values().flat_map(|first| sheets.chain(*first));
        for number in chains.chain(sheets.rest.run_out.iter().copied()) {
            sheets.name(number);
        }
        sheets
    }

    /// Rows from one on, each with those that it links to. No more than there are, whatever a damaged link says.
    fn chain(&self, first: u32) -> impl Iterator<Item = u32> {
        let next = |number: &u32| self.rows.get(*number).and_then(Row::next);
        std::iter::successors(Some(first), next).take(usize::try_from(self.rest.rows).unwrap_or(usize::MAX))
    }

    fn hash(&self, number: u32) -> u64 {
        self.index.hash(&self.rows.get(number).map(Row::name))
    }

    fn name(&self, number: u32) {
        self.index.insert(self.hash(number), number, |number| self.hash(number));
    }

    /// The entry that holds the sheet of an author with this id, as far as it isn't put away.
    pub(super) fn get(&self, author: u32, id: SheetId) -> Option<LogIndex> {
        let name = Some((author, id.0));
        let found = self.index.find(self.index.hash(&name), |number| self.rows.get(number).map(Row::name) == name)?;
        self.rows.get(found).map(Row::index)
    }

    /// Ids put away up to now.
    pub(super) const fn put_away(&self) -> u64 {
        self.rest.put_away()
    }

    /// Adds the sheet of an author that an entry holds.
    #[allow(clippy::expect_used, reason = "an id that is lost could be used twice")]
    pub(super) fn add(&mut self, author: u32, id: SheetId, index: LogIndex, valid_until: Millis) {
        let day = valid_until.0.div_euclid(DAY_MS);
        let next = put_link(self.rest.days.get(&day).copied());
        let row = Row { author: author.to_le_bytes(), id: id.0, index: put_40(index.0), next };
        let number = match self.rest.free {
            Some(free) => {
                let place = self.rows.get_mut(free).expect("a free row is there");
                self.rest.free = std::mem::replace(place, row).next();
                free
            }
            None => self.rows.push(row),
        };
        self.rest.rows = self.rows.len();
        self.rest.days.insert(day, number);
        self.name(number);
    }

    /// Puts ids away that have run out on a day before this time, once there is a batch of them.
    pub(super) fn put_away_before(&mut self, now: Millis, keys: &Keys) -> Vec<OlderSheet> {
        let today = now.0.div_euclid(DAY_MS);
        for _ in 0..LOOKED_AT {
            let Some(mut day) = self.rest.days.first_entry().filter(|day| *day.key() < today) else { break };
            let number = *day.get();
            match self.rows.get(number).and_then(Row::next) {
                Some(next) => {
                    day.insert(next);
                }
                None => {
                    day.remove();
                }
            }
            self.rest.run_out.push(number);
            if self.rest.run_out.len() == PUT_AWAY_AT_ONCE {
                return self.put_all_away(keys);
            }
        }
        Vec::new()
    }

    #[allow(clippy::expect_used, reason = "an id that is lost could be used twice")]
    fn put_all_away(&mut self, keys: &Keys) -> Vec<OlderSheet> {
        let numbers = std::mem::take(&mut self.rest.run_out);
        let mut sheets = Vec::with_capacity(numbers.len());
        for number in numbers {
            self.index.remove(self.hash(number), number);
            let place = self.rows.get_mut(number).expect("a row that has run out is there");
            let row = std::mem::replace(place, Row { next: put_link(self.rest.free), ..Row::default() });
            self.rest.free = Some(number);
            let (author, id) = row.name();
            let author = keys.row(author).expect("whoever signed has a key").id;
            sheets.push(OlderSheet { author, id: SheetId(id), index: row.index() });
            self.rest.put_away = self.rest.put_away.saturating_add(1);
        }
        sheets
    }
}
