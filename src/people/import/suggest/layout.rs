//! Where in a file its table is: the header, titles above it, sums and signatures below.

use std::collections::BTreeSet;

use super::{
    super::{cell::text::tidy, grid::Line},
    kind::{Kind, kind},
    words::{self, Role, said},
};

/// How far down a header is looked for, as far as an import does.
const HEADER_ROWS_MAX: usize = 50;
/// Columns that are looked at; sheets of people have some dozens.
pub(super) const COLUMNS_MAX: usize = 256;
/// Rows that guesses go by.
const SAMPLE_MAX: usize = 2_000;

/// A file's table.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The row with the names, if there is one.
    pub(super) header: Option<usize>,
    /// Where the rows under it begin: one further where the header has two rows.
    pub(super) first: usize,
    /// Names of the columns, each another; blank ones are named.
    pub(super) names: Vec<String>,
    /// What of the names says what the columns hold: of two rows the lower one.
    pub(super) meanings: Vec<String>,
    /// Where another table begins below, with columns of its own.
    pub(super) second: Option<usize>,
    /// Columns whose name isn't the file's own, because that is blank, stands twice or is in two rows.
    pub(super) renamed: BTreeSet<usize>,
    pub(super) titles: Vec<String>,
    /// Words that rows of sums begin with.
    pub(super) totals: Vec<String>,
    /// Rows of sums whose word begins a record too, so that it can't be named.
    pub(super) unnamed: BTreeSet<usize>,
    /// Rows of records, as far as can be told.
    pub(super) rows: Vec<usize>,
    /// Some of them, from all over the file.
    pub(super) sample: Vec<usize>,
    /// The file has more columns than are looked at.
    pub(super) is_wide: bool,
}

/// A row's cells, tidied, no more of each than a guess needs.
pub(super) fn cells(line: &Line) -> Vec<String> {
    line.cells.iter().take(COLUMNS_MAX).map(short).collect()
}

/// A tidied cell; a very long one by its beginning alone, which is not a text that an import sees.
pub(super) fn short(cell: &str) -> String {
    const BYTES_MAX: usize = 1_024;
    if cell.len() <= BYTES_MAX {
        return tidy(cell);
    }
    let end = (0..=BYTES_MAX).rev().find(|end| cell.is_char_boundary(*end)).unwrap_or(0);
    tidy(cell.get(..end).unwrap_or_default())
}

impl Layout {
    pub(super) fn of(lines: &[Line]) -> Self {
        let header = header(lines);
        let mut layout = Self { header, first: header.map_or(0, |at| at + 1), ..Self::default() };
        layout.name_columns(lines);
        let title = |line: &Line| cells(line).into_iter().find(|cell| !cell.is_empty());
        layout.titles = lines.iter().take(header.unwrap_or(0)).filter_map(title).collect();
        layout.totals = totals(lines.get(layout.first..).unwrap_or_default());
        layout.second = second(lines, layout.first).filter(|_| header.is_some());
        let end = layout.second.unwrap_or(lines.len());
        let is_record = |line: &&(usize, &Line)| !is_total(line.1, &layout.totals);
        let below = lines.iter().enumerate().take(end).skip(layout.first);
        layout.rows = below.filter(|line| is_record(&line)).map(|(at, _)| at).collect();
        let unnamed = |at: &usize| lines.get(*at).is_some_and(is_unnamed_sum);
        layout.unnamed = layout.rows.iter().copied().filter(unnamed).collect();
        layout.rows.retain(|at| !layout.unnamed.contains(at));
        let step = layout.rows.len().div_ceil(SAMPLE_MAX).max(1);
        layout.sample = layout.rows.iter().copied().step_by(step).collect();
        layout
    }

    fn name_columns(&mut self, lines: &[Line]) {
        let Some(at) = self.header else {
            let width = lines.iter().map(|line| line.cells.len()).max().unwrap_or(0);
            self.is_wide = width > COLUMNS_MAX;
            self.names = (1..=width.min(COLUMNS_MAX)).map(|number| format!("column {number}")).collect();
            self.meanings.clone_from(&self.names);
            return;
        };
        let upper = lines.get(at).map(cells).unwrap_or_default();
        self.is_wide = lines.get(at).is_some_and(|line| line.cells.len() > COLUMNS_MAX);
        let lower = lines.get(at + 1).map(cells).filter(|lower| is_second_row(&upper, lower)).unwrap_or_default();
        self.first += usize::from(!lower.is_empty());
        let (mut above, mut taken) = (String::new(), BTreeSet::new());
        for column in 0..upper.len().max(lower.len()) {
            let (top, own) =
                (upper.get(column).map_or("", String::as_str), lower.get(column).map_or("", String::as_str));
            if !top.is_empty() {
                top.clone_into(&mut above);
            }
            let mut name = match (top, own) {
                ("", "") => format!("column {}", column + 1),
                (top, "") => top.to_owned(),
                (_, own) => format!("{above} {own}").trim().to_owned(),
            };
            let is_twice = upper.iter().filter(|other| !other.is_empty() && *other == top).count() > 1;
            if !own.is_empty() || top.is_empty() || is_twice {
                self.renamed.insert(column);
            }
            while !taken.insert(name.clone()) {
                name = format!("{name} ({})", column + 1);
            }
            let meaning = if own.is_empty() || said(own).is_none() { name.as_str() } else { own };
            self.meanings.push(meaning.to_owned());
            self.names.push(name);
        }
    }
}

/// Which row names the columns: the one with the most names that are known; where none is, the first row, if it is of
/// words alone and others aren't.
fn header(lines: &[Line]) -> Option<usize> {
    let head: Vec<Vec<String>> = lines.iter().take(HEADER_ROWS_MAX).map(cells).collect();
    let known = |row: &Vec<String>| {
        let filled = row.iter().filter(|cell| !cell.is_empty());
        let is_name = |cell: &&String| cell.chars().count() <= 60 && is_word(cell);
        let words = filled.clone().filter(is_name).filter(|cell| said(cell).is_some()).count();
        let whole = filled.clone().filter(is_name).filter(|cell| said(cell).is_some_and(|said| said.is_whole)).count();
        let values = filled.filter(|cell| !is_word(cell)).count();
        if values * 4 > words { (0, 0) } else { (words, whole) }
    };
    let best = head.iter().map(known).enumerate().rev().max_by_key(|(_, score)| *score);
    if let Some((at, (words, whole))) = best
        && (words >= 2 && whole >= 1 || words >= 3)
    {
        return Some(at);
    }
    let width = head.iter().map(Vec::len).max().unwrap_or(0);
    let is_texts = |row: &Vec<String>| {
        let filled: BTreeSet<&String> = row.iter().filter(|cell| !cell.is_empty()).collect();
        filled.len() * 2 > width && row.len() > filled.len() / 2 && filled.iter().all(|cell| is_word(cell))
    };
    let at = head.iter().position(is_texts)?;
    let below = head.iter().skip(at + 1).take(20);
    let rows = below.clone().count();
    let with_values = below.filter(|row| row.iter().any(|cell| !cell.is_empty() && !is_word(cell))).count();
    // One row alone is a header without rows, rather than a record without numbers.
    (rows == 0 || with_values * 2 > rows).then_some(at)
}

/// Another header below the first: three names or more, two of them known, and no value.
fn second(lines: &[Line], first: usize) -> Option<usize> {
    let without_digits = lines.iter().enumerate().skip(first + 1).filter(|(_, line)| {
        line.cells.len() > 2 && !line.cells.iter().any(|cell| cell.contains(|letter: char| letter.is_ascii_digit()))
    });
    without_digits.take(SAMPLE_MAX).find_map(|(at, line)| {
        let row = cells(line);
        let filled: Vec<&String> = row.iter().filter(|cell| !cell.is_empty()).collect();
        let known: Vec<_> =
            filled.iter().filter(|cell| cell.chars().count() <= 20).filter_map(|cell| said(cell)).collect();
        let whole = known.iter().filter(|said| said.is_whole).count();
        let is_header = filled.len() > 2 && (known.len() >= 3 && whole > 0 || whole >= 2);
        (is_header && filled.iter().all(|cell| is_word(cell))).then_some(at)
    })
}

/// A cell that may be a name of a column: no number, date or time.
fn is_word(cell: &str) -> bool {
    matches!(kind(cell, &[]), Kind::Text | Kind::Amount) && cell.chars().any(char::is_alphabetic) || cell == "#"
}

/// Whether the row under a header belongs to it: words alone, some of them under a name that stands above several.
fn is_second_row(upper: &[String], lower: &[String]) -> bool {
    let filled = || lower.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
    let is_under_blank = |at: usize| upper.get(at).is_none_or(String::is_empty);
    filled().all(|(_, cell)| is_word(cell) && said(cell).is_some()) && filled().any(|(at, _)| is_under_blank(at))
}

/// A row's first word, as `totals` looks at it.
fn first_word(line: &Line) -> Option<String> {
    line.cells.iter().map(short).find(|cell| !cell.is_empty()).map(|cell| cell.to_lowercase())
}

fn is_total(line: &Line, totals: &[String]) -> bool {
    !totals.is_empty()
        && first_word(line).is_some_and(|first| totals.iter().any(|word| first.starts_with(word.as_str())))
}

/// Words that begin rows which are no records; none that would take a record along, as `sum` takes Summers.
fn totals(lines: &[Line]) -> Vec<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut others: BTreeSet<String> = BTreeSet::new();
    for line in lines {
        let Some(first) = first_word(line) else { continue };
        for word in words::TOTALS.split('|').filter(|word| first.starts_with(*word)) {
            if is_sum(line, &first, word) {
                found.insert(word.to_owned());
            } else if others.len() < SAMPLE_MAX {
                others.insert(first.clone());
            }
        }
    }
    let all = found.clone();
    // Of two that begin alike, the shorter one takes the longer one's rows.
    let is_needed = |word: &String| !all.iter().any(|other| other != word && word.starts_with(other.as_str()));
    found.retain(|word| is_needed(word) && !others.iter().any(|other| other.starts_with(word.as_str())));
    found.into_iter().collect()
}

/// Whether a row that begins with a word is a sum or a note: the word is whole, and half of the row is blank.
fn is_sum(line: &Line, first: &str, word: &str) -> bool {
    let behind = first.get(word.len()..).and_then(|rest| rest.chars().next());
    let is_own = !word.is_ascii() || behind.is_none_or(|letter| !letter.is_alphanumeric());
    let filled = line.cells.iter().filter(|cell| !cell.trim().is_empty()).count();
    is_own && filled * 2 <= line.cells.len().max(4)
}

/// A sum that no word of `totals` can take: it would take a record along.
fn is_unnamed_sum(line: &Line) -> bool {
    let Some(first) = first_word(line) else { return false };
    words::TOTALS.split('|').any(|word| first.starts_with(word) && is_sum(line, &first, word))
}

/// What a title says, without the words for a sheet.
pub(super) fn is_named(role: Role, name: &str) -> bool {
    said(name).is_some_and(|said| said.role == role)
}
