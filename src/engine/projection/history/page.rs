//! Pages of an account's history, in both directions.

use std::ops::Range;

use super::History;
use crate::engine::projection::row_file::{Glance, ProjectionError};
use crate::engine::projection::rows::PostingRow;

/// Rows walked over for one page, 0.7 MB of them: a filter that matches rarely ends the page early, with a place to go
/// on at.
pub(super) const PAGE_ROWS_SCANNED_MAX: u32 = 10_000;

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
pub struct PageRequest<'a> {
    /// From the newest row back; otherwise from the oldest on.
    pub newest_first: bool,
    /// The ordinal to begin at; none: at the end that comes first.
    pub from: Option<u32>,
    /// Rows wanted; 0 is taken for 1.
    pub limit: usize,
    /// Only rows of entries up to this index.
    pub up_to_index: u64,
    /// Only rows recorded at or after this, in ms.
    pub from_ms: i64,
    /// Only rows recorded before this, in ms.
    pub until_ms: i64,
    /// Only these kinds, by the numbers of [`EventKind`](crate::ledger::EventKind); none named: all.
    pub kinds: &'a [u8],
}

impl PageRequest<'_> {
    fn wants(&self, row: &PostingRow) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&row.kind)
    }

    fn limit(&self) -> usize {
        self.limit.max(1)
    }
}

impl History {
    /// A page of an account's rows. Index and times are sought, kinds are looked for among at most 10,000 rows: so a page
    /// may be short, or empty, and still have a next one.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`].
    pub fn page(&self, account: u32, request: &PageRequest<'_>) -> Result<Page, ProjectionError> {
        self.page_by(None, account, request)
    }

    /// The same, where it takes no more than a glance at so many rows; none where it takes longer.
    ///
    /// # Errors
    /// [`ProjectionError::Corrupt`].
    pub fn page_at_hand(
        &self,
        rows_max: u32,
        account: u32,
        request: &PageRequest<'_>,
    ) -> Result<Option<Page>, ProjectionError> {
        match self.page_by(Some(&Glance::new(rows_max)), account, request) {
            Ok(page) => Ok(Some(page)),
            Err(ProjectionError::NotAtHand) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn page_by(
        &self,
        glance: Option<&Glance>,
        account: u32,
        request: &PageRequest<'_>,
    ) -> Result<Page, ProjectionError> {
        let in_time = |row: &PostingRow| row.index <= request.up_to_index && row.recorded_at_ms < request.until_ms;
        let Some((_, newest)) = self.seek(glance, account, in_time)? else {
            return Ok(Page { rows: Vec::new(), next: None });
        };
        // Most pages are asked for from the beginning on: one read tells so, and no walk goes there.
        let from_the_beginning = self.first_entry(glance)?.is_some_and(|first| first.recorded_at_ms >= request.from_ms);
        let before = if from_the_beginning {
            None
        } else {
            self.seek(glance, account, |row| row.recorded_at_ms < request.from_ms && in_time(row))?
        };
        let oldest = before.map_or(0, |(_, row)| row.ordinal + 1);
        let range = oldest..newest.ordinal + 1;
        if request.newest_first {
            self.page_back(glance, (account, range), request)
        } else {
            self.page_on(glance, (account, range), request)
        }
    }

    fn page_back(
        &self,
        glance: Option<&Glance>,
        (account, range): (u32, Range<u32>),
        request: &PageRequest<'_>,
    ) -> Result<Page, ProjectionError> {
        let end = request.from.map_or(range.end, |from| from.saturating_add(1).min(range.end));
        let stop = end.saturating_sub(PAGE_ROWS_SCANNED_MAX).max(range.start);
        let mut rows = Vec::new();
        let ended = self.walk(glance, (account, stop..end), |number, row| {
            if request.wants(&row) {
                rows.push((number, row));
            }
            rows.len() < request.limit()
        })?;
        Ok(Page { rows, next: ended.checked_sub(1).filter(|next| *next >= range.start) })
    }

    /// Rows link backwards: a window is walked from its end and turned round. Windows double, so that a rare kind costs few
    /// seeks and a frequent one few rows in vain.
    fn page_on(
        &self,
        glance: Option<&Glance>,
        (account, range): (u32, Range<u32>),
        request: &PageRequest<'_>,
    ) -> Result<Page, ProjectionError> {
        let mut from = request.from.map_or(range.start, |from| from.max(range.start));
        let stop = from.saturating_add(PAGE_ROWS_SCANNED_MAX).min(range.end);
        let mut window = u32::try_from(request.limit()).unwrap_or(u32::MAX);
        let mut rows = Vec::new();
        while from < stop {
            let until = from.saturating_add(window).min(stop);
            let mut found = Vec::new();
            self.walk(glance, (account, from..until), |number, row| {
                if request.wants(&row) {
                    found.push((number, row));
                }
                true
            })?;
            let room = request.limit() - rows.len();
            from = match found.len().checked_sub(room) {
                // Full: the next page begins after the last row that is in.
                Some(left) => found.get(left).map_or(until, |(_, row)| row.ordinal + 1),
                None => until,
            };
            rows.extend(found.into_iter().rev().take(room));
            if rows.len() == request.limit() {
                break;
            }
            window = window.saturating_mul(2);
        }
        Ok(Page { rows, next: (from < range.end).then_some(from) })
    }

    /// Shows the rows of a range of ordinals, newest first, until `visit` says false. The range that is left ends at the
    /// ordinal that comes back.
    fn walk(
        &self,
        glance: Option<&Glance>,
        (account, range): (u32, Range<u32>),
        mut visit: impl FnMut(u64, PostingRow) -> bool,
    ) -> Result<u32, ProjectionError> {
        if range.is_empty() {
            return Ok(range.start);
        }
        let mut at = self.seek_ordinal(glance, account, range.end - 1)?;
        while let Some((number, row)) = at {
            if !visit(number, row) || row.ordinal <= range.start {
                return Ok(row.ordinal);
            }
            at = self.follow(glance, (number, &row), row.previous)?;
        }
        Ok(range.start)
    }
}
