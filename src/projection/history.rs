//! History: postings in ascending numbers, each with the number of the same account's posting before it. Writing is
//! sequential and costs the same at 37 million accounts as at 100; a page walks back from the newest row.

use std::{
    collections::HashMap,
    ops::Range,
    path::Path,
    sync::{PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};

use super::rows::{EntryRow, PostingRow, ProjectionError, RowFile, WarningRow};

/// Rows looked at for one page: a filter that matches rarely ends the page early, with a cursor to go on.
const PAGE_ROWS_SCANNED_MAX: usize = 10_000;
/// Base of the skip lanes: with 64, an account of a billion rows has 5 lanes and a seek takes at most 5 x 2 x 64 reads.
const LANE: u32 = 64;

/// A posting that is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewPosting {
    /// Dense number of the account.
    pub account: u32,
    /// Minutes posted.
    pub minutes: i64,
    /// Balance after it.
    pub balance_after: i64,
    /// Reserved after it.
    pub held_after: i64,
    /// Number of the event in its sheet.
    pub event: u16,
    /// What happened.
    pub kind: u8,
    /// Dense number of the other account; `u32::MAX`: none.
    pub counterparty: u32,
}

/// What one entry leaves.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Log index.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Number of the newest row, plus 1.
    newest: u64,
    /// Rows.
    count: u32,
}

/// The newest row of every account, and of its skip lanes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryHeads {
    heads: Vec<Head>,
    /// For accounts of 64 rows and more: number + 1 of the newest row whose ordinal is a multiple of 64^(lane + 1).
    lanes: HashMap<u32, Vec<u64>>,
    postings: u64,
    entries: u64,
    warnings: u64,
}

impl HistoryHeads {
    /// Links a new row of an account and makes it the newest. Reads nothing.
    fn link(&mut self, number: u64, account: u32) -> (u32, u64, u64) {
        let position = account as usize;
        if position >= self.heads.len() {
            self.heads.resize(position + 1, Head::default());
        }
        let head = &mut self.heads[position];
        let (ordinal, previous) = (head.count, head.newest);
        *head = Head { newest: number + 1, count: ordinal + 1 };
        (ordinal, previous, self.skip(number, account, ordinal))
    }

    /// The skip link of a row, and its place in the lanes. A row whose ordinal is a multiple of 64^n links to the one
    /// before that is, too; all others link to the newest multiple of 64. So a seek walks up the lanes and down again.
    fn skip(&mut self, number: u64, account: u32, ordinal: u32) -> u64 {
        if ordinal < LANE {
            return 0;
        }
        let lanes = self.lanes.entry(account).or_default();
        let (mut level, mut rest) = (0, ordinal);
        while rest.is_multiple_of(LANE) {
            (level, rest) = (level + 1, rest / LANE);
        }
        let lane = usize::max(level, 1) - 1;
        let skip = lanes.get(lane).or(lanes.first()).copied().unwrap_or(0);
        if lanes.len() < level {
            lanes.resize(level, 0);
        }
        lanes[..level].fill(number + 1);
        skip
    }
}

/// A page and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Row numbers and rows.
    pub rows: Vec<(u64, PostingRow)>,
    /// The ordinal to go on at; none at the end.
    pub next: Option<u32>,
}

/// What a page is asked for.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    /// Direction.
    pub newest_first: bool,
    /// The ordinal to begin at; none: at the end that comes first.
    pub from: Option<u32>,
    /// Rows wanted.
    pub limit: usize,
    /// Only rows of entries up to this index.
    pub up_to_index: u64,
    /// Only rows recorded at or after this, in ms.
    pub from_ms: i64,
    /// Only rows recorded before this, in ms.
    pub until_ms: i64,
    /// Only kinds whose bit is set.
    pub kinds: u16,
}

/// The files and the heads.
#[derive(Debug)]
pub struct History {
    postings: RowFile<PostingRow>,
    entries: RowFile<EntryRow>,
    warnings: RowFile<WarningRow>,
    heads: RwLock<HistoryHeads>,
}

/// An entry's row, its number of events, its postings and its warnings.
pub type ReceiptRows = (EntryRow, u16, Vec<(u64, PostingRow)>, Vec<WarningRow>);

impl History {
    /// Opens or creates the files in a folder. They count for nothing before [`History::restore`] or [`History::clear`].
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn open(folder: &Path) -> Result<Self, ProjectionError> {
        Ok(Self {
            postings: RowFile::open(&folder.join("postings"))?,
            entries: RowFile::open(&folder.join("entries"))?,
            warnings: RowFile::open(&folder.join("warnings"))?,
            heads: RwLock::default(),
        })
    }

    /// Goes back to saved heads; false where the files hold less than these say.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn restore(&self, heads: &HistoryHeads) -> Result<bool, ProjectionError> {
        let enough = self.postings.len() >= heads.postings
            && self.entries.len() >= heads.entries
            && self.warnings.len() >= heads.warnings;
        if enough {
            self.cut(heads)?;
            *self.heads.write().unwrap_or_else(PoisonError::into_inner) = heads.clone();
        }
        Ok(enough)
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
        self.heads.read().unwrap_or_else(PoisonError::into_inner).clone()
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
        self.postings.len()
    }

    /// Adds entries, one write a file. One caller at a time: the committer.
    ///
    /// # Errors
    /// [`ProjectionError::EntryGap`], [`ProjectionError::Io`].
    pub fn append(&self, entries: &[NewEntry]) -> Result<(), ProjectionError> {
        let mut heads = self.heads.write().unwrap_or_else(PoisonError::into_inner);
        let (mut postings, mut rows) = (Vec::new(), Vec::with_capacity(entries.len()));
        for entry in entries {
            if entry.index != heads.entries {
                return Err(ProjectionError::EntryGap { expected: heads.entries, found: entry.index });
            }
            rows.push(EntryRow {
                recorded_at_ms: entry.recorded_at_ms,
                first_posting: heads.postings,
                first_warning: heads.warnings,
                events: entry.events,
                reserved: 0,
                reserved_too: 0,
            });
            for new in &entry.postings {
                let (ordinal, previous, skip) = {
                    let number = heads.postings;
                    heads.link(number, new.account)
                };
                heads.postings += 1;
                postings.push(PostingRow {
                    minutes: new.minutes,
                    balance_after: new.balance_after,
                    held_after: new.held_after,
                    previous,
                    skip,
                    index: entry.index,
                    recorded_at_ms: entry.recorded_at_ms,
                    account: new.account,
                    ordinal,
                    counterparty: new.counterparty,
                    event: new.event,
                    kind: new.kind,
                    reserved: 0,
                });
            }
            heads.warnings += entry.warnings.len() as u64;
            heads.entries += 1;
        }
        // Readers wait for the heads, which come with the rows: three writes into the page cache.
        self.warnings.append(entries.iter().flat_map(|entry| entry.warnings.iter().copied()))?;
        self.postings.append(postings)?;
        self.entries.append(rows)
    }

    fn head(&self, account: u32) -> Option<Head> {
        let heads = self.heads.read().unwrap_or_else(PoisonError::into_inner);
        heads.heads.get(account as usize).copied().filter(|head| head.count > 0)
    }

    /// Walks back from an account's newest row to the newest one that `fits`, which must hold for all rows before one for
    /// which it holds.
    fn seek(
        &self,
        account: u32,
        fits: impl Fn(&PostingRow) -> bool,
    ) -> Result<Option<(u64, PostingRow)>, ProjectionError> {
        let Some(head) = self.head(account) else { return Ok(None) };
        let mut number = head.newest - 1;
        let mut row = self.postings.read(number)?;
        while !fits(&row) {
            if row.skip != 0 {
                let skipped = self.postings.read(row.skip - 1)?;
                if !fits(&skipped) {
                    (number, row) = (row.skip - 1, skipped);
                    continue;
                }
            }
            if row.previous == 0 {
                return Ok(None);
            }
            number = row.previous - 1;
            row = self.postings.read(number)?;
        }
        Ok(Some((number, row)))
    }

    /// An account's newest row of an entry up to `index`.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn as_of_index(&self, account: u32, index: u64) -> Result<Option<PostingRow>, ProjectionError> {
        Ok(self.seek(account, |row| row.index <= index)?.map(|(_, row)| row))
    }

    /// The last entry recorded at or before a time.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn index_at_time(&self, ms: i64) -> Result<Option<u64>, ProjectionError> {
        let Range { mut start, mut end } = 0..self.entries.len();
        while start < end {
            let middle = start + (end - start) / 2;
            if self.entries.read(middle)?.recorded_at_ms <= ms { start = middle + 1 } else { end = middle }
        }
        Ok(start.checked_sub(1))
    }

    /// A page of an account's rows.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn page(&self, account: u32, request: &PageRequest) -> Result<Page, ProjectionError> {
        let in_time = |row: &PostingRow| row.index <= request.up_to_index && row.recorded_at_ms < request.until_ms;
        let Some((_, newest)) = self.seek(account, in_time)? else { return Ok(Page { rows: Vec::new(), next: None }) };
        let before = self.seek(account, |row| row.recorded_at_ms < request.from_ms && in_time(row))?;
        let oldest = before.map_or(0, |(_, row)| row.ordinal + 1);
        let range = oldest..newest.ordinal + 1;
        if request.newest_first {
            self.page_back(account, request, range)
        } else {
            self.page_on(account, request, range)
        }
    }

    fn page_back(&self, account: u32, request: &PageRequest, range: Range<u32>) -> Result<Page, ProjectionError> {
        let first = request.from.map_or(range.end - 1, |from| from.min(range.end - 1));
        let (mut rows, mut scanned) = (Vec::new(), 0);
        let mut at = if first >= range.start { self.seek(account, |row| row.ordinal <= first)? } else { None };
        while let Some((number, row)) = at.filter(|(_, row)| row.ordinal >= range.start) {
            if rows.len() == request.limit || scanned == PAGE_ROWS_SCANNED_MAX {
                return Ok(Page { rows, next: Some(row.ordinal) });
            }
            scanned += 1;
            if request.kinds & (1 << row.kind) != 0 {
                rows.push((number, row));
            }
            at = match row.previous {
                0 => None,
                previous => Some((previous - 1, self.postings.read(previous - 1)?)),
            };
        }
        Ok(Page { rows, next: None })
    }

    /// Rows link backwards: a window is read from its end and turned round.
    fn page_on(&self, account: u32, request: &PageRequest, range: Range<u32>) -> Result<Page, ProjectionError> {
        let mut from = request.from.map_or(range.start, |from| from.max(range.start));
        let (mut rows, mut scanned) = (Vec::new(), 0);
        while from < range.end {
            let window = u32::try_from(request.limit).unwrap_or(u32::MAX).max(1);
            let until = from.saturating_add(window).min(range.end);
            for (number, row) in self.window(account, from..until)? {
                if rows.len() == request.limit || scanned == PAGE_ROWS_SCANNED_MAX {
                    return Ok(Page { rows, next: Some(row.ordinal) });
                }
                scanned += 1;
                if request.kinds & (1 << row.kind) != 0 {
                    rows.push((number, row));
                }
            }
            from = until;
        }
        Ok(Page { rows, next: None })
    }

    fn window(&self, account: u32, range: Range<u32>) -> Result<Vec<(u64, PostingRow)>, ProjectionError> {
        let mut rows = Vec::with_capacity(range.len());
        let mut at = self.seek(account, |row| row.ordinal < range.end)?;
        while let Some((number, row)) = at.filter(|(_, row)| row.ordinal >= range.start) {
            rows.push((number, row));
            at = match row.previous {
                0 => None,
                previous => Some((previous - 1, self.postings.read(previous - 1)?)),
            };
        }
        rows.reverse();
        Ok(rows)
    }

    /// What an entry left, if there is such an entry.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn receipt_rows(&self, index: u64) -> Result<Option<ReceiptRows>, ProjectionError> {
        let (entries, all_postings, all_warnings) = {
            let heads = self.heads.read().unwrap_or_else(PoisonError::into_inner);
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
        let posting = |number| Ok((number, self.postings.read(number)?));
        let postings = (entry.first_posting..postings_end).map(posting).collect::<Result<_, ProjectionError>>()?;
        let warnings = (entry.first_warning..warnings_end)
            .map(|number| self.warnings.read(number))
            .collect::<Result<_, ProjectionError>>()?;
        Ok(Some((entry, entry.events, postings, warnings)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests stop at the first surprise")]

    use super::*;

    const ALL: u16 = u16::MAX;

    fn entry(index: u64, postings: &[(u32, i64)]) -> NewEntry {
        let posting = |&(account, minutes): &(u32, i64)| NewPosting {
            account,
            minutes,
            balance_after: minutes * 2,
            held_after: 0,
            event: 0,
            kind: 1 + (minutes.unsigned_abs() % 4) as u8,
            counterparty: u32::MAX,
        };
        let postings = postings.iter().map(posting).collect();
        NewEntry { index, recorded_at_ms: 1_000 + 10 * index.cast_signed(), events: 1, postings, warnings: Vec::new() }
    }

    fn request(newest_first: bool, from: Option<u32>, limit: usize) -> PageRequest {
        PageRequest { newest_first, from, limit, up_to_index: u64::MAX, from_ms: 0, until_ms: i64::MAX, kinds: ALL }
    }

    fn minutes(page: &Page) -> Vec<i64> {
        page.rows.iter().map(|(_, row)| row.minutes).collect()
    }

    #[test]
    fn eight_rows_come_in_pages_of_three_three_and_two_both_ways() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::open(folder.path()).unwrap();
        let entries: Vec<_> = (0..8).map(|index| entry(index, &[(0, index.cast_signed()), (1, 100)])).collect();
        history.append(&entries).unwrap();
        for (newest_first, expected) in
            [(true, [vec![7, 6, 5], vec![4, 3, 2], vec![1, 0]]), (false, [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]])]
        {
            let mut from = None;
            for (number, rows) in expected.iter().enumerate() {
                let page = history.page(0, &request(newest_first, from, 3)).unwrap();
                assert_eq!(minutes(&page), *rows);
                assert_eq!(page.next.is_none(), number == 2);
                from = page.next;
            }
        }
    }

    #[test]
    fn seeks_in_a_long_history_read_few_rows() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::open(folder.path()).unwrap();
        let rows = 300_000_u64;
        let entries: Vec<_> = (0..rows).map(|index| entry(index, &[(3, index.cast_signed())])).collect();
        history.append(&entries).unwrap();
        for target in [0, 1, 63, 64, 65, 4_095, 4_096, 150_000, 262_143, 262_144, rows - 1] {
            let looked_at = std::cell::Cell::new(0);
            let found = history
                .seek(3, |row| {
                    looked_at.set(looked_at.get() + 1);
                    row.index <= target
                })
                .unwrap()
                .unwrap();
            assert_eq!(found.1.index, target);
            // Three full lanes up and down, two looks a step.
            assert!(looked_at.get() < 3 * 2 * 2 * 64, "{target}: {}", looked_at.get());
        }
    }

    #[test]
    fn random_histories_agree_with_a_list() {
        let seed = 0x9e37_79b9_7f4a_7c15_u64;
        eprintln!("seed {seed:#x}");
        let mut random = seed;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let folder = tempfile::tempdir().unwrap();
        let history = History::open(folder.path()).unwrap();
        let mut model: Vec<Vec<(u64, i64)>> = vec![Vec::new(); 7];
        for index in 0..3_000_u64 {
            let postings: Vec<(u32, i64)> = (0..next(4)).map(|_| (next(7) as u32, next(1_000).cast_signed())).collect();
            for (account, minutes) in &postings {
                model[*account as usize].push((index, *minutes));
            }
            history.append(&[entry(index, &postings)]).unwrap();
        }
        for _ in 0..2_000 {
            let account = next(7) as u32;
            let rows = &model[account as usize];
            let (up_to, from, until) = (next(3_200), next(3_000).cast_signed(), next(3_200).cast_signed());
            let kinds = next(1 << 6) as u16;
            let newest_first = next(2) == 0;
            let expected_of = history.as_of_index(account, up_to).unwrap().map(|row| (row.index, row.minutes));
            assert_eq!(expected_of, rows.iter().rev().find(|row| row.0 <= up_to).copied());
            let fits = |row: &&(u64, i64)| {
                let time = 1_000 + 10 * row.0.cast_signed();
                let kind = 1 + (row.1.unsigned_abs() % 4) as u8;
                row.0 <= up_to && time >= 1_000 + 10 * from && time < 1_000 + 10 * until && kinds & (1 << kind) != 0
            };
            let mut expected: Vec<i64> = rows.iter().filter(fits).map(|row| row.1).collect();
            if newest_first {
                expected.reverse();
            }
            let limit = 1 + next(60) as usize;
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let request = PageRequest {
                    up_to_index: up_to,
                    from_ms: 1_000 + 10 * from,
                    until_ms: 1_000 + 10 * until,
                    kinds,
                    ..request(newest_first, cursor, limit)
                };
                let page = history.page(account, &request).unwrap();
                assert!(page.rows.len() <= limit);
                found.extend(minutes(&page));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected);
        }
        let heads = history.heads();
        history.append(&[entry(3_000, &[(0, 1)])]).unwrap();
        drop(history);
        let reopened = History::open(folder.path()).unwrap();
        assert!(reopened.restore(&heads).unwrap());
        assert_eq!(reopened.heads(), heads);
        assert_eq!(reopened.receipt_rows(3_000).unwrap(), None);
    }
}
