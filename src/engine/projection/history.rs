//! History: postings in ascending numbers, each with the number of the same account's posting before it. Writing is
//! sequential and costs the same at 37 million accounts as at 100; a page walks back from the newest row.

mod growth;
mod page;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Mutex, PoisonError, RwLock, RwLockReadGuard},
};

use serde::{Deserialize, Serialize};

use self::growth::Growth;
pub use self::page::{Page, PageRequest};
use super::row_file::{Glance, ProjectionError, RowFile};
use super::rows::{EntryRow, PostingRow, WarningRow};
use crate::{
    engine::machine::MachinePath,
    ledger::{
        EventRef,
        table::{Blocks, FixedRow, Rows as _},
    },
};

/// Base of the skip lanes: with 64, an account of less than 64 rows, which most are, needs no lane in memory, and one of
/// a billion rows has 4. [`History::seek`] has the reads that this costs.
const LANE: u32 = 64;

/// A posting that is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewPosting {
    /// Dense number of the account.
    pub account: u32,
    /// Minutes posted, + or -; 0 where only a reservation changed.
    pub minutes: i64,
    /// Balance after it.
    pub balance_after: i64,
    /// Reserved after it.
    pub held_after: i64,
    /// Number of the event in its sheet.
    pub event: u16,
    /// Number of an [`EventKind`](crate::ledger::EventKind); 0: an event that histories don't show.
    pub kind: u8,
    /// Dense number of the other account; `u32::MAX`: none.
    pub counterparty: u32,
    /// The record that it is about.
    pub record: Option<EventRef>,
}

/// What one entry leaves.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Position in the log: the number of entries before it, or [`ProjectionError::EntryGap`].
    pub index: u64,
    /// When it was recorded, in ms.
    pub recorded_at_ms: i64,
    /// Events of its sheet.
    pub events: u16,
    /// Its postings, in order.
    pub postings: Vec<NewPosting>,
    /// Its warnings, in order.
    pub warnings: Vec<WarningRow>,
}

/// Where an account's rows end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Head {
    /// Number of the newest row, plus 1: its lower half and its upper. In 64 bits the row would take 16 bytes.
    newest: [u32; 2],
    /// Rows of the account: the ordinal that its next one gets.
    count: u32,
}

impl Head {
    fn of(newest: u64, count: u32) -> Self {
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        Self { newest: [half(newest), half(newest >> 32)], count }
    }

    fn newest(&self) -> u64 {
        let [low, high] = self.newest.map(u64::from);
        (high << 32) | low
    }
}

impl FixedRow for Head {
    const LENGTH: usize = 12;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.newest().to_le_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (newest, count) = bytes.split_first_chunk()?;
        Some(Self::of(u64::from_le_bytes(*newest), u32::from_le_bytes(count.try_into().ok()?)))
    }
}

/// Heads of a page: 12 KiB, copied where a copy of all is about to be saved.
const HEADS_PAGE: usize = 1_024;

/// The newest row of every account, and of its skip lanes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryHeads {
    heads: Blocks<Head, HEADS_PAGE>,
    /// For accounts of 64 rows and more: number + 1 of the newest row whose ordinal is a multiple of 64^(lane + 1).
    lanes: HashMap<u32, Vec<u64>>,
    postings: u64,
    entries: u64,
    warnings: u64,
}

/// What is saved of the heads beside their pages.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedHeads {
    heads: u32,
    lanes: HashMap<u32, Vec<u64>>,
    postings: u64,
    entries: u64,
    warnings: u64,
}

impl HistoryHeads {
    /// A copy that shares what isn't written to.
    fn share(&mut self) -> Self {
        let Self { heads, lanes, postings, entries, warnings } = self;
        let (heads, lanes) = (heads.share(), lanes.clone());
        Self { heads, lanes, postings: *postings, entries: *entries, warnings: *warnings }
    }

    pub(super) fn pages(&self) -> impl Iterator<Item = Vec<u8>> {
        self.heads.encoded()
    }

    pub(super) fn saved(&self) -> SavedHeads {
        let Self { heads, lanes, postings, entries, warnings } = self;
        let (heads, lanes) = (heads.len(), lanes.clone());
        SavedHeads { heads, lanes, postings: *postings, entries: *entries, warnings: *warnings }
    }

    /// Takes the next page; nothing where it is none.
    pub(super) fn take(&mut self, page: &[u8]) -> Option<()> {
        self.heads.decode(page)
    }

    /// The heads that were saved; nothing where a page is missing.
    pub(super) fn finish(self, saved: SavedHeads) -> Option<Self> {
        let SavedHeads { heads, lanes, postings, entries, warnings } = saved;
        (heads == self.heads.len()).then_some(Self { heads: self.heads, lanes, postings, entries, warnings })
    }
}

/// The files and the heads.
#[derive(Debug)]
pub struct History {
    postings: RowFile<PostingRow>,
    entries: RowFile<EntryRow>,
    warnings: RowFile<WarningRow>,
    /// What readers see. Held for a look, never while a file is read or written.
    heads: RwLock<HistoryHeads>,
    /// Held by the one that writes.
    writing: Mutex<()>,
}

/// An entry's row, its number of events, its postings and its warnings.
pub type ReceiptRows = (EntryRow, u16, Vec<(u64, PostingRow)>, Vec<WarningRow>);

impl History {
    /// Opens or creates the files in a folder. They count for nothing before [`History::restore`] or [`History::clear`].
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn open(folder: &MachinePath) -> Result<Self, ProjectionError> {
        Ok(Self {
            postings: RowFile::open(folder.join("postings"))?,
            entries: RowFile::open(folder.join("entries"))?,
            warnings: RowFile::open(folder.join("warnings"))?,
            heads: RwLock::default(),
            writing: Mutex::default(),
        })
    }

    /// The first row of another history that isn't this one's, by file; no row where its heads aren't.
    ///
    /// # Errors
    /// The files can't be read.
    pub fn first_difference(&self, other: &Self) -> Result<Option<(&'static str, Option<u64>)>, ProjectionError> {
        if self.heads() != other.heads() {
            return Ok(Some(("snapshot", None)));
        }
        let files = [
            ("postings", self.postings.first_difference(&other.postings)?),
            ("entries", self.entries.first_difference(&other.entries)?),
            ("warnings", self.warnings.first_difference(&other.warnings)?),
        ];
        Ok(files.into_iter().find_map(|(file, row)| row.map(|row| (file, Some(row)))))
    }

    /// Whether the files hold as much as saved heads say.
    #[must_use]
    pub fn holds(&self, heads: &HistoryHeads) -> bool {
        self.postings.len() >= heads.postings
            && self.entries.len() >= heads.entries
            && self.warnings.len() >= heads.warnings
    }

    /// Goes back to saved heads that the files hold.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn restore(&self, heads: &HistoryHeads) -> Result<(), ProjectionError> {
        self.cut(heads)?;
        *self.heads.write().unwrap_or_else(PoisonError::into_inner) = heads.clone();
        Ok(())
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn clear(&self) -> Result<(), ProjectionError> {
        let none = HistoryHeads::default();
        self.cut(&none)?;
        *self.heads.write().unwrap_or_else(PoisonError::into_inner) = none;
        Ok(())
    }

    fn cut(&self, heads: &HistoryHeads) -> Result<(), ProjectionError> {
        self.postings.truncate(heads.postings)?;
        self.entries.truncate(heads.entries)?;
        self.warnings.truncate(heads.warnings)
    }

    /// The heads, to be saved after [`History::sync`].
    #[must_use]
    pub fn heads(&self) -> HistoryHeads {
        self.heads.write().unwrap_or_else(PoisonError::into_inner).share()
    }

    /// Brings the rows to the disk.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn sync(&self) -> Result<(), ProjectionError> {
        self.postings.sync()?;
        self.entries.sync()?;
        self.warnings.sync()
    }

    /// Posting rows of all accounts.
    #[must_use]
    pub fn postings(&self) -> u64 {
        self.published().postings
    }

    /// Rows of all accounts by number, in the order of the log.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn posting_rows(&self, numbers: Range<u64>) -> Result<Vec<PostingRow>, ProjectionError> {
        self.postings.read_range(numbers)
    }

    fn published(&self) -> RwLockReadGuard<'_, HistoryHeads> {
        self.heads.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds entries, one write a file, and then shows them to readers. After an error nothing is added.
    ///
    /// # Errors
    /// [`ProjectionError::EntryGap`], [`ProjectionError::Io`].
    pub fn append(&self, entries: &[NewEntry]) -> Result<(), ProjectionError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let growth = Growth::of(&self.published(), entries)?;
        self.warnings.append(growth.first_warning, &growth.warnings)?;
        self.postings.append(growth.first_posting, &growth.postings)?;
        self.entries.append(growth.first_entry, &growth.entries)?;
        growth.publish(&mut self.heads.write().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    fn head(&self, account: u32) -> Option<Head> {
        self.published().heads.get(account).copied().filter(|head| head.count > 0)
    }

    /// Number and ordinal of an account's newest row.
    #[must_use]
    pub fn newest(&self, account: u32) -> Option<(u64, u32)> {
        self.head(account).map(|head| (head.newest() - 1, head.count - 1))
    }

    /// The row that a link of row `number` leads to; none for a link of 0.
    fn follow(
        &self,
        glance: Option<&Glance>,
        (number, row): (u64, &PostingRow),
        link: u64,
    ) -> Result<Option<(u64, PostingRow)>, ProjectionError> {
        let Some(linked) = link.checked_sub(1) else { return Ok(None) };
        // Links lead back, or a walk might never end.
        if linked >= number {
            return Err(self.postings.corrupt(number));
        }
        let found = self.postings.read_by(glance, linked)?;
        let leads_back = found.account == row.account && found.ordinal < row.ordinal;
        if leads_back { Ok(Some((linked, found))) } else { Err(self.postings.corrupt(linked)) }
    }

    /// Walks back from an account's newest row to the newest one that `fits`, which must hold for all rows before one for
    /// which it holds. Every row that is read is shown to `fits` once.
    ///
    /// Reads at most 64 x (L + 1)(L + 2) / 2 rows where the account has less than 64^(L + 1): the walk climbs lane after
    /// lane, fewer than 64 steps in each, until a step would lead too far; from there it climbs again, in the lanes below
    /// that one. So 192 for 4,000 rows, 384 for 262,000 and 960 for a billion.
    fn seek(
        &self,
        glance: Option<&Glance>,
        account: u32,
        fits: impl Fn(&PostingRow) -> bool,
    ) -> Result<Option<(u64, PostingRow)>, ProjectionError> {
        let Some((mut number, _)) = self.newest(account) else { return Ok(None) };
        let mut row = self.postings.read_by(glance, number)?;
        if row.account != account {
            return Err(self.postings.corrupt(number));
        }
        if fits(&row) {
            return Ok(Some((number, row)));
        }
        // Links up to this one lead too far.
        let mut too_far = 0;
        loop {
            if row.skip > too_far && row.skip != row.previous {
                match self.follow(glance, (number, &row), row.skip)? {
                    Some((_, skipped)) if fits(&skipped) => too_far = row.skip,
                    Some(skipped) => {
                        (number, row) = skipped;
                        continue;
                    }
                    None => {}
                }
            }
            match self.follow(glance, (number, &row), row.previous)? {
                Some((found, previous)) if fits(&previous) => return Ok(Some((found, previous))),
                Some(previous) => (number, row) = previous,
                None => return Ok(None),
            }
        }
    }

    /// An account's row by its ordinal.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`]; of a glance also [`ProjectionError::NotAtHand`].
    pub fn seek_ordinal(
        &self,
        glance: Option<&Glance>,
        account: u32,
        ordinal: u32,
    ) -> Result<Option<(u64, PostingRow)>, ProjectionError> {
        Ok(self.seek(glance, account, |row| row.ordinal <= ordinal)?.filter(|(_, row)| row.ordinal == ordinal))
    }

    /// An account's newest row of an entry up to `index`.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`].
    pub fn as_of_index(&self, account: u32, index: u64) -> Result<Option<PostingRow>, ProjectionError> {
        Ok(self.seek(None, account, |row| row.index <= index)?.map(|(_, row)| row))
    }

    /// The last entry recorded at or before a time.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn index_at_time(&self, ms: i64) -> Result<Option<u64>, ProjectionError> {
        let Range { mut start, mut end } = 0..self.published().entries;
        while start < end {
            let middle = start + (end - start) / 2;
            if self.entries.read(middle)?.recorded_at_ms <= ms { start = middle + 1 } else { end = middle }
        }
        Ok(start.checked_sub(1))
    }

    /// The row of the first entry.
    fn first_entry(&self, glance: Option<&Glance>) -> Result<Option<EntryRow>, ProjectionError> {
        if self.published().entries == 0 { Ok(None) } else { self.entries.read_by(glance, 0).map(Some) }
    }

    /// The row of an entry, if there is such an entry.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn entry(&self, index: u64) -> Result<Option<EntryRow>, ProjectionError> {
        let entries = self.published().entries;
        if index < entries { self.entries.read(index).map(Some) } else { Ok(None) }
    }

    /// What an entry left, if there is such an entry.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`].
    pub fn receipt_rows(&self, index: u64) -> Result<Option<ReceiptRows>, ProjectionError> {
        let (entries, all_postings, all_warnings) = {
            let heads = self.published();
            (heads.entries, heads.postings, heads.warnings)
        };
        if index >= entries {
            return Ok(None);
        }
        let entry = self.entries.read(index)?;
        let (postings_end, warnings_end) = if index + 1 < entries {
            let next = self.entries.read(index + 1)?;
            (next.first_posting, next.first_warning)
        } else {
            (all_postings, all_warnings)
        };
        let postings = entry.first_posting..postings_end;
        let warnings = entry.first_warning..warnings_end;
        let fits = |range: &Range<u64>, all: u64| range.start <= range.end && range.end <= all;
        if !fits(&postings, all_postings) || !fits(&warnings, all_warnings) {
            return Err(self.entries.corrupt(index));
        }
        let numbered: Vec<_> = postings.clone().zip(self.postings.read_range(postings)?).collect();
        let is_of_it = |row: &PostingRow| row.index == index && row.recorded_at_ms == entry.recorded_at_ms;
        if !numbered.iter().all(|(_, row)| is_of_it(row)) {
            return Err(self.entries.corrupt(index));
        }
        Ok(Some((entry, entry.events, numbered, self.warnings.read_range(warnings)?)))
    }
}
