//! What must be known of an `.xls` before calamine (0.36.1) reads it: [MS-XLS] is a stream of records.
//!
//! * calamine holds each sheet as a rectangle from its first to its last cell, all sheets at once, and makes room by
//!   the size that a sheet claims: a stray cell would end the process. So rectangles are measured.
//! * It takes the numbers that an embedded chart keeps for cells of the sheet, over the true ones (mended after
//!   0.36.1). So such parts are blanked.
//! * It panics on formulas and names of ranges that are cut short, and nothing here needs them. So they are emptied.

use super::{
    Problem,
    ole::{half, word},
};

/// Cells of all rectangles of a workbook together: one whole sheet of 65,536 rows and 256 columns. calamine takes 88
/// bytes for each (value, copy of the value, formula), 1.4 GiB for all.
pub(crate) const XLS_CELLS_MAX: u64 = 65_536 * 256;

const BEGIN: [u16; 4] = [0x0809, 0x0409, 0x0209, 0x0009];
const END: u16 = 0x000A;
const ENCRYPTED: u16 = 0x002F;
const SHEET: u16 = 0x0085;
const NAME: u16 = 0x0018;
const FORMULA: u16 = 0x0006;
const DIMENSIONS: u16 = 0x0200;
const MANY_NUMBERS: u16 = 0x00BD;
/// Number, label, text of a label with formats, truth or error, number of 30 bits, shared string, formula.
const CELLS: [u16; 7] = [0x0203, 0x0204, 0x00D6, 0x0205, 0x027E, 0x00FD, FORMULA];

/// Checks and blanks a workbook's stream.
///
/// # Errors
///
/// In the order of the stream: [`Problem::Password`], [`Problem::Damaged`], [`Problem::Much`].
pub(super) fn clean(stream: &mut [u8]) -> Result<(), Problem> {
    let mut sheets = Vec::new();
    let mut at = 0;
    while let Some((kind, body, end)) = record(stream, at) {
        match kind {
            END => break,
            _ if BEGIN.contains(&kind) && end - body < 2 => {
                return Err(Problem::Damaged("the workbook has no version".to_owned()));
            }
            ENCRYPTED => return Err(Problem::Password),
            // Where it starts, its state, its type, and its name.
            SHEET => match word(stream, body).and_then(|start| usize::try_from(start).ok()) {
                Some(start) if start < stream.len() && end - body >= 8 => sheets.push(start),
                _ => return Err(Problem::Damaged("a sheet is missing".to_owned())),
            },
            NAME => blank(stream, at),
            _ => {}
        }
        at = end;
    }
    let mut cells: u64 = 0;
    for start in sheets {
        cells = cells.saturating_add(sheet(stream, start)?);
        if cells > XLS_CELLS_MAX {
            return Err(Problem::Much { what: "cells", most: XLS_CELLS_MAX });
        }
    }
    Ok(())
}

/// Blanks what a sheet embeds, and measures the rectangle of its cells.
fn sheet(stream: &mut [u8], start: usize) -> Result<u64, Problem> {
    let mut area = Area::default();
    let (mut depth, mut at) = (0_usize, start);
    while let Some((kind, body, end)) = record(stream, at) {
        depth += usize::from(BEGIN.contains(&kind));
        if depth > 1 {
            blank(stream, at);
        } else if kind == DIMENSIONS && claimed(stream, body).is_none_or(|cells| cells > XLS_CELLS_MAX) {
            return Err(Problem::Damaged("the size of a sheet cannot be right".to_owned()));
        } else if CELLS.contains(&kind) || kind == MANY_NUMBERS {
            // The length of its parts, behind cell, format, value, and flags.
            if kind == FORMULA && end - body >= 22 {
                blank(stream, body + 20);
            }
            let last = if kind == MANY_NUMBERS { end.saturating_sub(2) } else { body + 2 };
            let place = (half(stream, body), half(stream, body + 2), half(stream, last));
            let (Some(row), Some(first), Some(last)) = place else { break };
            if last < first {
                return Err(Problem::Damaged(format!("the columns of row {} are out of order", u32::from(row) + 1)));
            }
            area.add(row, first);
            area.add(row, last);
        }
        if kind == END {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                break;
            }
        }
        at = end;
    }
    Ok(area.cells())
}

/// Makes a number of two bytes zero: a length, or a type, of which none is zero.
fn blank(stream: &mut [u8], at: usize) {
    if let Some(number) = stream.get_mut(at..at + 2) {
        number.fill(0);
    }
}

/// Cells by what a sheet says of itself: first row, row behind the last, and so of columns.
fn claimed(stream: &[u8], body: usize) -> Option<u64> {
    let long = half(stream, body.checked_sub(2)?)? == 14;
    let place = |index: usize| match long {
        true if index < 2 => word(stream, body + index * 4),
        true => half(stream, body + 4 + index * 2).map(u32::from),
        false => half(stream, body + index * 2).map(u32::from),
    };
    let (first_row, rows, first_column, columns) = (place(0)?, place(1)?, place(2)?, place(3)?);
    if rows == 0 || columns == 0 {
        return Some(0);
    }
    let first_column = if first_column > 0xFF || columns < first_column { 0 } else { first_column };
    let (high, wide) = (rows.checked_sub(first_row)?, columns.checked_sub(first_column)?);
    (high > 0 && wide > 0).then(|| u64::from(high) * u64::from(wide))
}

/// The type of a record, where its body starts, and where it ends.
fn record(stream: &[u8], at: usize) -> Option<(u16, usize, usize)> {
    let (kind, length) = (half(stream, at)?, half(stream, at + 2)?);
    let end = at + 4 + usize::from(length);
    (end <= stream.len()).then_some((kind, at + 4, end))
}

/// The smallest rectangle around cells.
#[derive(Default)]
struct Area {
    /// First row, last row, first column, last column.
    sides: Option<(u16, u16, u16, u16)>,
}

impl Area {
    fn add(&mut self, row: u16, column: u16) {
        let (top, bottom, left, right) = self.sides.unwrap_or((row, row, column, column));
        self.sides = Some((top.min(row), bottom.max(row), left.min(column), right.max(column)));
    }

    fn cells(&self) -> u64 {
        let area = |(top, bottom, left, right)| (u64::from(bottom - top) + 1) * (u64::from(right - left) + 1);
        self.sides.map_or(0, |(top, bottom, left, right): (u16, u16, u16, u16)| area((top, bottom, left, right)))
    }
}
