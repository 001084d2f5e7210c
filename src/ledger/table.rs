//! Tables: rows by number in pages that versions share, and what names them.
//!
//! A table knows how to take its changes back: each write keeps the row before it until [`Table::settle`], and
//! [`Table::roll_back`] puts it there again. A copy shares all pages, and costs nothing until one of the two is written to.

mod blocks;
mod index;
mod map;
mod members;
pub(super) mod packed;
mod pages;

pub use self::{blocks::Blocks, index::Index, map::Map, members::Members, pages::Pages};

/// A row that is kept in a fixed number of bytes.
pub trait FixedRow: Sized {
    /// Bytes of a row.
    const LENGTH: usize;

    /// Adds the row's bytes.
    fn put(&self, bytes: &mut Vec<u8>);

    /// The way back, from as many bytes. Nothing where they are no row.
    fn take(bytes: &[u8]) -> Option<Self>;
}

fn encoded<T: FixedRow>(rows: &[T]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len().saturating_mul(T::LENGTH));
    for row in rows {
        row.put(&mut bytes);
    }
    bytes
}

/// The rows of one page, filled up with rows that aren't in use, and how many are. Nothing where the bytes are none.
fn decoded<T: FixedRow + Clone + Default>(bytes: &[u8], page: usize) -> Option<(Vec<T>, u32)> {
    let rows = bytes.chunks_exact(T::LENGTH);
    if !rows.remainder().is_empty() || rows.len() > page {
        return None;
    }
    let used = u32::try_from(rows.len()).ok()?;
    let mut decoded = Vec::with_capacity(page);
    for row in rows {
        decoded.push(T::take(row)?);
    }
    decoded.resize(page, T::default());
    Some((decoded, used))
}

/// Rows by number, from 0.
pub trait Rows: Default {
    /// A row.
    type Row: Clone + Default;

    /// How many rows there are: the number of the next one.
    fn len(&self) -> u32;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row.
    fn get(&self, number: u32) -> Option<&Self::Row>;

    /// A row to be written to.
    fn get_mut(&mut self, number: u32) -> Option<&mut Self::Row>;

    /// Adds a row, and says its number.
    ///
    /// # Panics
    /// With 2^32 rows, far beyond what memory holds: a number that is wrong must stop us before it names somebody else's row.
    fn push(&mut self, row: Self::Row) -> u32;

    /// Takes the last row away.
    fn pop(&mut self) -> Option<Self::Row>;
}

/// Rows with the way back to before the newest changes.
#[derive(Debug, Clone)]
pub struct Table<R: Rows> {
    rows: R,
    /// What stood at a number before; nothing where the row is new. The newest change is the last.
    before: Vec<(u32, Option<R::Row>)>,
}

impl<R: Rows> Default for Table<R> {
    fn default() -> Self {
        R::default().into()
    }
}

impl<R: Rows + PartialEq> PartialEq for Table<R> {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl<R: Rows> From<R> for Table<R> {
    fn from(rows: R) -> Self {
        Self { rows, before: Vec::new() }
    }
}

impl<R: Rows> Table<R> {
    /// The rows.
    #[must_use]
    pub const fn rows(&self) -> &R {
        &self.rows
    }

    /// The rows, for a copy that is to be saved.
    pub const fn rows_mut(&mut self) -> &mut R {
        &mut self.rows
    }

    /// A row.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&R::Row> {
        self.rows.get(number)
    }

    /// Adds a row, and says its number.
    pub fn push(&mut self, row: R::Row) -> u32 {
        let number = self.rows.push(row);
        self.before.push((number, None));
        number
    }

    /// Changes a row; nothing where there is none.
    pub fn change<T>(&mut self, number: u32, change: impl FnOnce(&mut R::Row) -> T) -> Option<T> {
        let row = self.rows.get_mut(number)?;
        self.before.push((number, Some(row.clone())));
        Some(change(row))
    }

    /// The changes are there to stay.
    pub fn settle(&mut self) {
        self.before.clear();
    }

    /// Takes the changes back. `taken` is told of each row that was new, newest first.
    pub fn roll_back(&mut self, mut taken: impl FnMut(u32, R::Row)) {
        while let Some((number, before)) = self.before.pop() {
            match before {
                Some(row) => {
                    if let Some(there) = self.rows.get_mut(number) {
                        *there = row;
                    }
                }
                None => {
                    if let Some(row) = self.rows.pop() {
                        taken(number, row);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests stop at the first surprise")]
mod tests {
    use super::*;

    impl FixedRow for u16 {
        const LENGTH: usize = 2;

        fn put(&self, bytes: &mut Vec<u8>) {
            bytes.extend_from_slice(&self.to_le_bytes());
        }

        /// 999 stands for what is no row.
        fn take(bytes: &[u8]) -> Option<Self> {
            bytes.try_into().ok().map(Self::from_le_bytes).filter(|row| *row != 999)
        }
    }

    #[test]
    fn rows_come_back_page_by_page_and_only_in_their_order() {
        let (mut pages, mut blocks) = (Pages::<u16, 4>::default(), Blocks::<u16, 4>::default());
        for row in 0..600 {
            pages.push(row);
            blocks.push(row);
            if row % 7 == 3 {
                let (mut other_pages, mut other_blocks) = (Pages::<u16, 4>::default(), Blocks::<u16, 4>::default());
                pages.encoded().for_each(|page| other_pages.decode(&page).unwrap());
                blocks.encoded().for_each(|block| other_blocks.decode(&block).unwrap());
                assert!(other_pages == pages && other_blocks == blocks);
                // They are written to like any.
                assert_eq!((other_pages.push(row), other_blocks.push(row)), (pages.len(), blocks.len()));
                assert_eq!((other_pages.pop(), other_blocks.pop()), (Some(row), Some(row)));
            }
        }
        let full = [[1_u8, 0]; 4].concat();
        let wrong = [&full[..7], &[&full[..], &full[..2]].concat(), &[0xe7, 3]];
        let refused = |pages: &mut Pages<u16, 4>, bytes: &[u8]| pages.decode(bytes).is_none();
        for bytes in wrong {
            assert!(refused(&mut Pages::default(), bytes) && Blocks::<u16, 4>::default().decode(bytes).is_none());
        }
        let mut half = Pages::default();
        assert!(!refused(&mut half, &full[..4]) && refused(&mut half, &full));
    }

    #[test]
    fn a_table_takes_back_what_was_not_settled() {
        let mut table: Table<Pages<u16, 4>> = Table::default();
        for row in 0..10 {
            table.push(row);
        }
        table.settle();
        let before = table.clone();
        for row in 0..5 {
            table.change(row, |row| *row += 100);
            table.change(row, |row| *row += 100);
            table.push(row.try_into().unwrap());
        }
        assert_eq!(table.change(99, |row| *row), None);
        let mut taken = Vec::new();
        table.roll_back(|number, row| taken.push((number, row)));
        assert!(table == before);
        assert_eq!(taken, [(14, 4), (13, 3), (12, 2), (11, 1), (10, 0)]);
    }
}
