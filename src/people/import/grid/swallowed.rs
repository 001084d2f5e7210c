//! Whether a quoted cell that runs over lines has swallowed rows: a quote too many at the start of a cell makes a cell
//! of all that follows up to the next quote, and rows are lost without a word.
//!
//! Notes run over lines too, and hold commas. So a line within a cell looks like a row
//! * in a file of four columns and more, if it has at least as many delimiters as rows commonly have, less one (of the
//!   row in which the cell ends, the last cell is outside);
//! * in a file of two or three columns, where a comma or two in a note are nothing special, if it has at least one
//!   delimiter, and what it would put under each column is of the [`Kind`] that the column commonly holds. Under
//!   `id,note` the line `left early, too` is none, since ids are numbers; `17, Anne` is one. Where all columns hold
//!   words alone, any line with a comma is taken for a row, for a row lost is worse than a note to be mended.

use std::collections::BTreeMap;

use super::{Line, Problem, cells::Cells};

/// Fewest delimiters of rows at which their number alone tells rows.
const TELLING: usize = 3;

/// A line within a quoted cell.
pub(super) struct Inside<'t> {
    /// Line on which the quote was opened.
    pub(super) opened: u64,
    pub(super) line: u64,
    /// What of the line is in the cell.
    pub(super) text: &'t str,
    /// Whether the cell goes on behind it.
    pub(super) whole: bool,
}

/// What a cell looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Blank,
    /// Digits without letters: numbers, dates, times.
    Number,
    /// Letters without digits.
    Word,
    /// Both: `V17`, `left at 9`.
    Mixed,
    /// Neither letters nor digits: `-`, `✓`.
    Sign,
}

impl Kind {
    fn of(cell: &str) -> Self {
        let has = |is: fn(char) -> bool| cell.chars().any(is);
        match (cell.trim().is_empty(), has(char::is_numeric), has(char::is_alphabetic)) {
            (true, _, _) => Self::Blank,
            (_, true, false) => Self::Number,
            (_, false, true) => Self::Word,
            (_, true, true) => Self::Mixed,
            (_, false, false) => Self::Sign,
        }
    }
}

/// How many rows have how many delimiters.
#[derive(Default)]
pub(super) struct Shapes(BTreeMap<usize, usize>);

impl Shapes {
    /// Counts a row.
    pub(super) fn add(&mut self, cells: &Cells) {
        *self.0.entry(cells.len().saturating_sub(1)).or_default() += 1;
    }

    /// Checks lines within quoted cells.
    pub(super) fn check(&self, rows: &[Line], inside: &[Inside<'_>], delimiter: char) -> Result<(), Problem> {
        if inside.is_empty() {
            return Ok(());
        }
        // Of two numbers that are as common, the smaller: it tells more lines to be rows.
        let common = self.0.iter().rev().max_by_key(|(_, rows)| **rows).map_or(1, |(delimiters, _)| *delimiters).max(1);
        let kinds = if common < TELLING { kinds(rows, common) } else { Vec::new() };
        let is_row = |line: &&Inside<'_>| {
            let delimiters = line.text.matches(delimiter).count();
            if common >= TELLING {
                return delimiters + 1 >= common;
            }
            // Where the cell ends, so does its part of the line, maybe in the middle of a cell of the row.
            let compared = if line.whole { common + 1 } else { delimiters.min(common) };
            line.text
                .split(delimiter)
                .map(Kind::of)
                .zip(&kinds)
                .take(compared)
                .all(|(found, kind)| kind.is_none_or(|kind| found == kind))
        };
        match inside.iter().find(is_row) {
            Some(Inside { opened, line, .. }) => Err(Problem::QuoteSwallows { opened: *opened, line: *line }),
            None => Ok(()),
        }
    }
}

/// The kind that each column commonly holds in rows with so many delimiters, without the first of them, the header, if
/// there are others, and without cells that run over lines. None where there are no such cells.
fn kinds(rows: &[Line], delimiters: usize) -> Vec<Option<Kind>> {
    let even: Vec<&Line> = rows.iter().filter(|row| row.cells.len() == delimiters + 1).collect();
    let body = even.get(1..).filter(|body| !body.is_empty()).unwrap_or(&even);
    (0..=delimiters)
        .map(|column| {
            let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
            let cells = body.iter().filter_map(|row| row.cells.get(column));
            for cell in cells.filter(|cell| !cell.contains(['\r', '\n'])) {
                *counts.entry(Kind::of(cell)).or_default() += 1;
            }
            counts.into_iter().max_by_key(|(_, rows)| *rows).map(|(kind, _)| kind)
        })
        .collect()
}
