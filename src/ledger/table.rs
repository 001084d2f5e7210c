//! Tables: rows by number in pages that versions share, and what names them.
//!
//! A table knows how to take its changes back: each write keeps the row before it until [`Table::settle`], and
//! [`Table::roll_back`] puts it there again. A copy shares all pages, and costs nothing until one of the two is written to.

mod blocks;
mod index;
mod map;
mod pages;

pub use self::{blocks::Blocks, index::Index, map::Map, pages::Pages};

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

/// Adds rows behind a full page.
fn decode<R: Rows<Row: FixedRow>, const PAGE: usize>(rows: &mut R, bytes: &[u8]) -> Option<()> {
    let new = bytes.chunks_exact(R::Row::LENGTH);
    let full = usize::try_from(rows.len()).ok()?.checked_rem(PAGE)? == 0;
    if !full || !new.remainder().is_empty() || new.len() > PAGE {
        return None;
    }
    for row in new {
        rows.push(R::Row::take(row)?);
    }
    Some(())
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
