//! Rows in pages of one size, hung in branches: a copy shares them all, and who writes to a shared one copies that page and
//! its branch alone.

use std::sync::Arc;

use super::{FixedRow, Rows};

/// Pages of a branch. With 4,096 rows a page, 37 million rows are 143 branches: a writer to a shared tree copies the page, the
/// 64 references of its branch and those 143, some 2 kB.
const BRANCH: usize = 64;

type Page<T> = Arc<[T]>;
type Branch<T> = Arc<Vec<Page<T>>>;

/// Rows by number.
#[derive(Debug, Clone)]
pub struct Pages<T, const PAGE: usize> {
    branches: Arc<Vec<Branch<T>>>,
    length: u32,
}

impl<T, const PAGE: usize> Default for Pages<T, PAGE> {
    fn default() -> Self {
        Self { branches: Arc::default(), length: 0 }
    }
}

impl<T: PartialEq, const PAGE: usize> PartialEq for Pages<T, PAGE> {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length && self.iter().eq(other.iter())
    }
}

impl<T: Eq, const PAGE: usize> Eq for Pages<T, PAGE> {}

/// Branch, page in it, row in that.
const fn place<const PAGE: usize>(number: u32) -> (usize, usize, usize) {
    #[allow(clippy::as_conversions, reason = "32 bits fit the machine's word")]
    let number = number as usize;
    let page = number.checked_div(PAGE);
    match (page, number.checked_rem(PAGE)) {
        (Some(page), Some(row)) => (page.div_euclid(BRANCH), page.rem_euclid(BRANCH), row),
        (_, _) => (0, 0, 0),
    }
}

impl<T, const PAGE: usize> Pages<T, PAGE> {
    fn row(&self, number: u32) -> Option<&T> {
        if number >= self.length {
            return None;
        }
        let (branch, page, row) = place::<PAGE>(number);
        self.branches.get(branch)?.get(page)?.get(row)
    }

    /// The rows in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(0)
    }

    /// The rows from a number on.
    pub fn iter_from(&self, first: u32) -> impl Iterator<Item = &T> {
        (first..self.length).filter_map(|number| self.row(number))
    }

    /// The pages in their order, each with the rows that are in use.
    pub fn pages(&self) -> impl Iterator<Item = &[T]> {
        #[allow(clippy::as_conversions, reason = "32 bits fit the machine's word")]
        let mut left = self.length as usize;
        self.branches.iter().flat_map(|branch| branch.iter()).map_while(move |page| {
            let used = left.min(PAGE);
            left = left.saturating_sub(used);
            page.get(..used).filter(|rows| !rows.is_empty())
        })
    }
}

impl<T: Clone + Default, const PAGE: usize> Rows for Pages<T, PAGE> {
    type Row = T;

    fn len(&self) -> u32 {
        self.length
    }

    fn get(&self, number: u32) -> Option<&T> {
        self.row(number)
    }

    /// Of a page that nobody else sees.
    fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        if number >= self.length {
            return None;
        }
        let (branch, page, row) = place::<PAGE>(number);
        let branch = Arc::make_mut(Arc::make_mut(&mut self.branches).get_mut(branch)?);
        Arc::make_mut(branch.get_mut(page)?).get_mut(row)
    }

    #[allow(clippy::expect_used, reason = "tables have fewer than 2^32 rows, and a wrong number must stop us")]
    fn push(&mut self, row: T) -> u32 {
        let number = self.length;
        let (branch, page, _) = place::<PAGE>(number);
        let branches = Arc::make_mut(&mut self.branches);
        if branches.len() == branch {
            branches.push(Arc::default());
        }
        let pages = Arc::make_mut(branches.get_mut(branch).expect("a branch follows the last one"));
        if pages.len() == page {
            pages.push(vec![T::default(); PAGE].into());
        }
        self.length = number.checked_add(1).expect("tables have fewer than 2^32 rows");
        *self.get_mut(number).expect("the row was made") = row;
        number
    }

    fn pop(&mut self) -> Option<T> {
        let last = self.length.checked_sub(1)?;
        let row = self.get_mut(last).map(std::mem::take);
        self.length = last;
        row
    }
}

impl<T: FixedRow + Clone + Default, const PAGE: usize> Pages<T, PAGE> {
    /// The pages in their order, as bytes.
    pub fn encoded(&self) -> impl Iterator<Item = Vec<u8>> {
        self.pages().map(super::encoded)
    }

    /// Adds a page of bytes behind the others. Nothing where they are no rows, or the page before isn't full.
    #[must_use]
    pub fn decode(&mut self, bytes: &[u8]) -> Option<()> {
        let (branch, page, row) = place::<PAGE>(self.length);
        let (rows, used) = super::decoded(bytes, PAGE)?;
        let branches = Arc::make_mut(&mut self.branches);
        if branches.len() == branch {
            branches.push(Arc::default());
        }
        let pages = Arc::make_mut(branches.get_mut(branch)?);
        // Behind a full page, and in nobody's place.
        if row != 0 || pages.len() != page {
            return None;
        }
        pages.push(rows.into());
        self.length = self.length.checked_add(used)?;
        Some(())
    }
}

impl<T: Clone + Default, const PAGE: usize> FromIterator<T> for Pages<T, PAGE> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        let mut pages = Self::default();
        for row in rows {
            pages.push(row);
        }
        pages
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn a_copy_stays_as_it_was_while_the_other_is_written_to() {
        let mut rows: Pages<u32, 4> = (0..1_000).collect();
        let copy = rows.clone();
        for number in 0..1_000 {
            *rows.get_mut(number).unwrap() += 1;
        }
        assert_eq!(rows.push(7), 1_000);
        assert!(copy.iter().copied().eq(0..1_000));
        assert!(rows.iter().copied().eq((1..=1_000).chain([7])));
        assert_eq!((copy.len(), copy.get(1_000), rows.get(1_001)), (1_000, None, None));
        for _ in 0..500 {
            rows.pop().unwrap();
        }
        assert!(rows.iter().copied().eq(1..=501) && rows.pages().flatten().copied().eq(1..=501));
        assert_eq!(rows.push(9), 501);
        assert_eq!(rows.iter_from(500).copied().collect::<Vec<_>>(), [501, 9]);
        assert_eq!(rows.pages().map(<[u32]>::len).max(), Some(4));
    }

    #[test]
    fn a_page_that_is_emptied_is_used_again() {
        let mut rows: Pages<u32, 2> = Pages::default();
        for round in 0..300 {
            let length = round % 7;
            for row in 0..length {
                assert_eq!(rows.push(row), row);
            }
            for row in (0..length).rev() {
                assert_eq!(rows.pop(), Some(row));
            }
            assert!(rows.is_empty() && rows.pop().is_none() && rows.pages().next().is_none());
        }
    }
}
