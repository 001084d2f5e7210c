//! Pages of an account's history, in both directions.

use std::ops::Range;

use super::History;
use crate::projection::rows::{PostingRow, ProjectionError};

/// Rows looked at for one page: a filter that matches rarely ends the page early, with a cursor to go on.
const PAGE_ROWS_SCANNED_MAX: usize = 10_000;

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

impl History {
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
}
