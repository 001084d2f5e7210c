//! Pages of lists.

use super::failure::ReadError;
use crate::ledger::LogIndex;

/// Rows of a page of history.
const HISTORY_PAGE_MAX: u32 = 200;
/// Rows of a page of history where none are asked for.
const HISTORY_PAGE: u32 = 50;
/// Rows of a page of any other list.
const LIST_PAGE_MAX: u32 = 1_000;
/// Rows of a page of any other list where none are asked for.
const LIST_PAGE: u32 = 100;
/// Rows looked at for one page of a list that is filtered: some milliseconds.
pub(super) const LIST_SCANNED_MAX: usize = 100_000;

/// How many rows a page has at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(usize);

impl PageSize {
    /// Of a history: up to 200 rows; 0 stands for 50.
    ///
    /// # Errors
    /// [`ReadError::FieldInvalid`], `page_size`.
    pub fn of_history(asked: u32) -> Result<Self, ReadError> {
        Self::of(asked, HISTORY_PAGE, HISTORY_PAGE_MAX)
    }

    /// Of any other list: up to 1,000 rows; 0 stands for 100.
    ///
    /// # Errors
    /// [`ReadError::FieldInvalid`], `page_size`.
    pub fn of_list(asked: u32) -> Result<Self, ReadError> {
        Self::of(asked, LIST_PAGE, LIST_PAGE_MAX)
    }

    fn of(asked: u32, default: u32, max: u32) -> Result<Self, ReadError> {
        match asked {
            0 => Ok(Self(default as usize)),
            size if size <= max => Ok(Self(size as usize)),
            _ => Err(ReadError::invalid("page_size", format!("0 for the default, or 1 to {max}"))),
        }
    }

    pub(super) const fn get(self) -> usize {
        self.0
    }
}

/// An answer, and how much of the log it is from: all that it says is of that one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reflected<T> {
    /// What was asked for.
    pub answer: T,
    /// The last entry that is reflected in it.
    pub reflected_index: LogIndex,
}

/// Part of a list. All that it says is of one moment; the parts of one list may be of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the list's own order. There may be fewer than asked for, even none, where more follow.
    pub rows: Vec<T>,
    /// The cursor that the next page is asked for with; none after the last row.
    pub next: Option<String>,
    /// The last entry that is reflected in it.
    pub reflected_index: LogIndex,
}

/// A page that is being looked for among rows with ascending numbers, in one stretch of them after another.
pub(super) struct Scan<T> {
    pub(super) rows: Vec<T>,
    /// The number of the first row not looked at; none as long as all were.
    pub(super) next: Option<u64>,
    scanned: usize,
    size: usize,
}

impl<T> Scan<T> {
    pub(super) const fn new(size: PageSize) -> Self {
        Self { rows: Vec::new(), next: None, scanned: 0, size: size.get() }
    }

    /// Goes on over the next stretch, unless the page ended before it.
    pub(super) fn over<R>(&mut self, rows: impl Iterator<Item = (u64, R)>, mut pick: impl FnMut(R) -> Option<T>) {
        if self.next.is_some() {
            return;
        }
        for (number, row) in rows {
            if self.rows.len() == self.size || self.scanned == LIST_SCANNED_MAX {
                self.next = Some(number);
                return;
            }
            self.scanned += 1;
            self.rows.extend(pick(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(number: u64) -> Option<u64> {
        number.is_multiple_of(2).then_some(number)
    }

    #[test]
    fn a_page_goes_on_over_what_came_meanwhile_until_it_is_full() {
        let mut scan = Scan::new(PageSize(3));
        let stretch = |numbers: std::ops::Range<u64>| numbers.map(|number| (number, number));
        scan.over(stretch(0..3), even);
        assert_eq!((&*scan.rows, scan.next), (&[0, 2][..], None), "there may be more");
        scan.over(stretch(3..5), even);
        assert_eq!((&*scan.rows, scan.next), (&[0, 2, 4][..], None), "full, and at the end");
        scan.over(stretch(5..6), even);
        scan.over(stretch(6..9), even);
        assert_eq!((&*scan.rows, scan.next), (&[0, 2, 4][..], Some(5)), "the next page begins at 5");
    }

    #[test]
    fn a_filter_that_seldom_fits_ends_a_page_where_the_next_one_begins() {
        let mut scan = Scan::new(PageSize(3));
        let end = LIST_SCANNED_MAX as u64;
        scan.over((0..2 * end).map(|number| (number, number)), |number| (number == end).then_some(number));
        assert_eq!((scan.rows, scan.next), (Vec::new(), Some(end)));
    }

    #[test]
    fn sizes_have_a_default_and_a_limit() {
        assert_eq!(PageSize::of_history(0), Ok(PageSize(50)));
        assert_eq!(PageSize::of_history(200), Ok(PageSize(200)));
        assert_eq!(PageSize::of_history(201).map_err(|error| error.field()), Err("page_size"));
        assert_eq!(PageSize::of_list(0), Ok(PageSize(100)));
        assert_eq!(PageSize::of_list(1_001).map_err(|error| error.field()), Err("page_size"));
    }
}
