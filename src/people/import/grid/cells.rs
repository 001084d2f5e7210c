//! Rows of text, packed: a row costs its text and 4 bytes a cell.

use super::{Line, Problem};

/// Rows of a sheet, as many as Excel has.
pub(crate) const ROWS_MAX: u64 = 1_048_576;

/// Columns of a sheet, as many as Excel has: `A` to `XFD`.
pub(crate) const COLUMNS_MAX: u64 = 16_384;

/// Cells of a sheet, empty ones before the last of a row among them, which cost 4 bytes each: every row that Excel has
/// with 64 columns, in 256 MiB. A stray cell in `XFD` on every row would otherwise take 64 GiB.
pub(crate) const CELLS_MAX: u64 = ROWS_MAX * 64;

/// Bytes of text of a sheet: as much as a CSV file may have. A workbook names a text once and shows it in every cell,
/// so a small file could hold any amount.
pub(crate) const TEXT_BYTES_MAX: u64 = 1_024 * 1_024 * 1_024;

/// The cells of a row as they stand, trimmed of nothing: a `Vec<String>` in a fifth of its memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cells {
    text: Box<str>,
    /// Where each cell ends in the text.
    ends: Box<[u32]>,
}

impl Cells {
    /// The cell at a position from 0; none where the row is shorter.
    #[must_use]
    pub(crate) fn get(&self, position: usize) -> Option<&str> {
        let end = *self.ends.get(position)? as usize;
        let before = position.checked_sub(1).and_then(|position| self.ends.get(position));
        self.text.get(before.map_or(0, |end| *end as usize)..end)
    }

    /// How many cells the row has: in text as many as are written, on a sheet as many as reach its last that isn't
    /// empty.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cells from the left.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|position| self.get(position))
    }
}

impl<S: AsRef<str>> FromIterator<S> for Cells {
    fn from_iter<I: IntoIterator<Item = S>>(cells: I) -> Self {
        let mut row = GridRow::default();
        for cell in cells {
            row.text.push_str(cell.as_ref());
            row.end();
        }
        row.take()
    }
}

/// A row under construction, whose memory serves for the next.
#[derive(Default)]
pub(super) struct GridRow {
    /// Text of all cells; what is pushed belongs to the cell that `end` ends.
    pub(super) text: String,
    ends: Vec<u32>,
}

impl GridRow {
    /// Ends a cell.
    pub(super) fn end(&mut self) {
        // Text of a file of at most 1 GiB has at most 2 GiB as UTF-8; a sheet's is checked.
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    /// Cells ended so far.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether nothing can be seen in any cell.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// The row; the next begins.
    pub(super) fn take(&mut self) -> Cells {
        let cells = Cells { text: self.text.as_str().into(), ends: self.ends.as_slice().into() };
        self.clear();
        cells
    }

    /// Forgets the row; the next begins.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }
}

/// Lines of a sheet from its cells, which come row by row from the left.
#[derive(Default)]
pub(super) struct Sheetful {
    lines: Vec<Line>,
    row: GridRow,
    /// Of the row under construction, from 1.
    number: u64,
    cells: u64,
    bytes: u64,
}

impl Sheetful {
    /// Adds a cell at a row and a column from 0. Empty ones are none.
    ///
    /// # Errors
    ///
    /// [`Problem::Much`] beyond a limit, then [`Problem::Damaged`] where it doesn't come after the cell before it.
    pub(super) fn cell(&mut self, row: u64, column: u64, text: &str) -> Result<(), Problem> {
        if text.is_empty() {
            return Ok(());
        }
        if row >= ROWS_MAX {
            return Err(Problem::Much { what: "rows", most: ROWS_MAX });
        }
        if column >= COLUMNS_MAX {
            return Err(Problem::Much { what: "columns", most: COLUMNS_MAX });
        }
        let number = row + 1;
        if number != self.number {
            self.flush();
        }
        let gap = column.checked_sub(self.row.len() as u64);
        let (Some(gap), false) = (gap, number < self.number) else {
            return Err(Problem::Damaged(format!("cells of row {number} are out of order")));
        };
        self.number = number;
        self.cells += gap + 1;
        if self.cells > CELLS_MAX {
            return Err(Problem::Much { what: "cells", most: CELLS_MAX });
        }
        self.bytes += text.len() as u64;
        if self.bytes > TEXT_BYTES_MAX {
            return Err(Problem::Much { what: "bytes of text", most: TEXT_BYTES_MAX });
        }
        for _ in 0..gap {
            self.row.end();
        }
        self.row.text.push_str(text);
        self.row.end();
        Ok(())
    }

    /// Whether a row of so many cells and bytes may be repeated so often: told before it is.
    ///
    /// # Errors
    ///
    /// [`Problem::Much`].
    pub(super) fn room(rows: u64, cells: u64, bytes: u64) -> Result<(), Problem> {
        let limits = [
            ("rows", rows, ROWS_MAX),
            ("columns", cells, COLUMNS_MAX),
            ("cells", cells.saturating_mul(rows), CELLS_MAX),
            ("bytes of text", bytes.saturating_mul(rows), TEXT_BYTES_MAX),
        ];
        let beyond = limits.into_iter().find(|(_, found, most)| found > most);
        beyond.map_or(Ok(()), |(what, _, most)| Err(Problem::Much { what, most }))
    }

    /// The row that the last cell was on, from 1; 0 before the first.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Ends the last row, and hands out all that were not blank.
    pub(super) fn finish(mut self) -> Vec<Line> {
        self.flush();
        self.lines
    }

    fn flush(&mut self) {
        if self.row.is_blank() {
            self.row.clear();
        } else {
            self.lines.push(Line { number: self.number, cells: self.row.take() });
        }
    }
}
