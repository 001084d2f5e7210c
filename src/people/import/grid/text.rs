//! Delimited text as rows, after RFC 4180 and as editors count lines.

use super::{
    Line, Problem,
    cells::{Cells, GridRow},
    swallowed::{Inside, Shapes},
};

/// Rows read for a guess at the delimiter.
const SAMPLE_ROWS: usize = 1_000;

/// Ends of lines: LF, CR LF, or CR alone.
pub(super) fn line_ends(text: &str) -> u64 {
    let count = |end: &str| text.matches(end).count() as u64;
    count("\n") + count("\r") - count("\r\n")
}

/// Lines of a text without their ends; the last is what follows the last end, maybe nothing.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\r', '\n']) else {
            rest = None;
            return Some(text);
        };
        let (line, tail) = text.split_at(end);
        rest = tail.strip_prefix("\r\n").or_else(|| tail.get(1..));
        Some(line)
    })
}

/// The delimiter that a first line `sep=;` sets for Excel, in any case and maybe quoted, and the length of that line
/// with its end.
pub(super) fn separator(text: &str) -> Option<(char, usize)> {
    let line = text.split(['\r', '\n']).next()?;
    let bare = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(line);
    let (key, delimiter) = bare.split_at_checked(4)?;
    let mut signs = delimiter.chars();
    let (Some(delimiter), None, true) = (signs.next(), signs.next(), key.eq_ignore_ascii_case("sep=")) else {
        return None;
    };
    let tail = text.get(line.len()..)?;
    let end = if tail.starts_with("\r\n") { 2 } else { usize::from(!tail.is_empty()) };
    Some((delimiter, line.len() + end))
}

/// The rows of a text from a line on. Rows with nothing to see in any cell are none.
///
/// # Errors
///
/// [`Problem::Delimiter`]; then, from the top, [`Problem::QuoteOpen`] and [`Problem::QuoteTail`]; then
/// [`Problem::QuoteSwallows`], for which all rows must be known.
pub(super) fn rows(text: &str, first: u64, delimiter: char) -> Result<Vec<Line>, Problem> {
    if matches!(delimiter, '"' | '\r' | '\n') {
        return Err(Problem::Delimiter(delimiter));
    }
    let mut scanner = Scanner::new(text, first, delimiter);
    let mut lines = Vec::new();
    let mut shapes = Shapes::default();
    for row in scanner.by_ref() {
        let (number, cells) = row?;
        if let Some(cells) = cells {
            shapes.add(&cells);
            lines.push(Line { number, cells });
        }
    }
    shapes.check(&lines, &scanner.inside, delimiter)?;
    Ok(lines)
}

/// The delimiter that parts a text into rows of the same number of cells, at least two: of `,`, `;`, tab and `|` the
/// one whose commonest number of cells the first row and the most other rows have, at least four in five; the one that
/// makes more cells where two are as good. None where no sign does.
#[must_use]
pub(crate) fn guess_delimiter(text: &str) -> Option<char> {
    let score = |delimiter: char| {
        let rows = Scanner::new(text, 1, delimiter).map_while(|row| Some(row.ok()?.1)).flatten();
        // Half of a quoted cell shows that it was parted by a sign within.
        let is_torn = |cells: &Cells| cells.iter().any(|cell| cell.matches('"').count() % 2 == 1);
        let count = |cells: Cells| if is_torn(&cells) { 1 } else { cells.len() };
        let counts: Vec<usize> = rows.take(SAMPLE_ROWS).map(count).collect();
        let commonest = *counts.first()?;
        let alike = counts.iter().filter(|count| **count == commonest).count();
        (commonest >= 2 && alike * 5 >= counts.len() * 4).then_some((alike * 100 / counts.len(), commonest, delimiter))
    };
    if let Some((delimiter, _)) = separator(text) {
        return Some(delimiter);
    }
    let best = ['|', '\t', ';', ','].into_iter().filter_map(score).max_by_key(|(share, cells, _)| (*share, *cells));
    best.map(|(_, _, delimiter)| delimiter)
}

/// Rows one after another; done after the first error.
struct Scanner<'t> {
    rest: &'t str,
    line: u64,
    delimiter: char,
    row: GridRow,
    /// Lines within quoted cells that hold a delimiter, but the first of each.
    inside: Vec<Inside<'t>>,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str, line: u64, delimiter: char) -> Self {
        Self { rest: text, line, delimiter, row: GridRow::default(), inside: Vec::new() }
    }

    /// A cell that isn't quoted, up to what ends it; quotes in it are characters.
    fn bare(&mut self) {
        let delimiter = self.delimiter;
        let end = if delimiter.is_ascii() {
            let ends = |byte: &u8| matches!(byte, b'\r' | b'\n') || char::from(*byte) == delimiter;
            self.rest.as_bytes().iter().position(ends)
        } else {
            self.rest.find([delimiter, '\r', '\n'])
        };
        let (cell, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len())).unwrap_or_default();
        self.row.text.push_str(cell);
        self.rest = rest;
    }

    /// A cell behind its opening quote, up to behind the closing one.
    fn quoted(&mut self, start: &'t str) -> Result<(), Problem> {
        let opened = self.line;
        let mut rest = start;
        loop {
            let Some((piece, after)) = rest.split_once('"') else { return Err(Problem::QuoteOpen { line: opened }) };
            self.row.text.push_str(piece);
            let Some(doubled) = after.strip_prefix('"') else {
                rest = after;
                break;
            };
            self.row.text.push('"');
            rest = doubled;
        }
        self.rest = rest;
        let raw = start.get(..start.len() - rest.len() - 1).unwrap_or_default();
        let ends = line_ends(raw);
        for (text, line) in lines(raw).zip(opened..).skip(1) {
            if text.contains(self.delimiter) {
                self.inside.push(Inside { opened, line, text, whole: line < opened + ends });
            }
        }
        self.line += ends;
        match rest.chars().next().filter(|next| ![self.delimiter, '\r', '\n'].contains(next)) {
            Some(found) => Err(Problem::QuoteTail { opened, line: self.line, found }),
            None => Ok(()),
        }
    }

    /// Steps over the end of a line, if one is here.
    fn line_end(&mut self) -> bool {
        let rest = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix(['\r', '\n']));
        self.rest = rest.unwrap_or(self.rest);
        self.line += u64::from(rest.is_some());
        rest.is_some()
    }
}

impl Iterator for Scanner<'_> {
    /// The line a row begins on, and its cells unless it is blank.
    type Item = Result<(u64, Option<Cells>), Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let number = self.line;
        loop {
            match self.rest.strip_prefix('"') {
                Some(start) => {
                    if let Err(problem) = self.quoted(start) {
                        self.rest = "";
                        return Some(Err(problem));
                    }
                }
                None => self.bare(),
            }
            self.row.end();
            match self.rest.strip_prefix(self.delimiter) {
                Some(rest) => self.rest = rest,
                None => break,
            }
        }
        self.line_end();
        if self.row.is_blank() {
            self.row.clear();
            return Some(Ok((number, None)));
        }
        Some(Ok((number, Some(self.row.take()))))
    }
}
