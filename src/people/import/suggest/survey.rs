//! The columns of a table, looked at: what their headers say, and what their cells are.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    super::{cell::date::DateForm, grid::Line},
    dates::{Forms, Habits, compiled, forms},
    kind::{Kind, kind, number, percent},
    layout::{Layout, cells},
    words::{Role, Said, chinese, said},
};

/// A column as its name and its sampled cells show it.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) said: Option<Said>,
    /// Its cells in the sampled rows, blanks too.
    pub(super) cells: Vec<String>,
    /// The forms of its dates, where it has some.
    pub(super) forms: Option<Forms>,
    kinds: BTreeMap<Kind, usize>,
    filled: usize,
}

impl Column {
    pub(super) fn is(&self, role: Role) -> bool {
        self.said.is_some_and(|said| said.role == role)
    }

    pub(super) fn is_weak(&self) -> bool {
        self.said.is_some_and(|said| said.is_weak)
    }

    /// Cells that say anything.
    pub(super) fn filled(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().map(String::as_str).filter(|cell| !cell.is_empty())
    }

    pub(super) const fn count(&self) -> usize {
        self.filled
    }

    /// Of a hundred filled cells, how many are of some kinds.
    pub(super) fn share(&self, is: impl Fn(Kind) -> bool) -> usize {
        percent(self.kinds.iter().filter(|(kind, _)| is(**kind)).map(|(_, count)| count).sum(), self.filled)
    }

    pub(super) fn has_moments(&self) -> bool {
        self.share(|kind| matches!(kind, Kind::Moment { .. })) >= 60
    }

    pub(super) fn has_offsets(&self) -> bool {
        self.share(|kind| matches!(kind, Kind::Moment { has_offset: true })) >= 50
    }

    /// Half of its cells or more are dates without a time.
    pub(super) fn has_dates(&self) -> bool {
        self.forms.is_some() && self.share(|kind| kind == Kind::Date) >= 50
    }

    pub(super) fn has_clocks(&self) -> bool {
        self.share(|kind| kind == Kind::Clock) >= 60
    }

    pub(super) fn has_spans(&self) -> bool {
        self.share(|kind| kind == Kind::Span) >= 50
    }

    pub(super) fn has_numbers(&self) -> bool {
        self.share(|kind| kind == Kind::Number) >= 60
    }

    /// Amounts of time, or numbers that may be some. A formula without a value would be one.
    pub(super) fn has_amounts(&self) -> bool {
        self.share(|kind| matches!(kind, Kind::Number | Kind::Clock | Kind::Amount)) >= 50
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = f64> {
        self.filled().filter_map(number)
    }

    pub(super) fn distinct(&self) -> usize {
        self.filled().collect::<HashSet<&str>>().len()
    }

    /// Whether most cells are codes of a machine or an office: a digit in them, and no blank.
    pub(super) fn has_codes(&self) -> bool {
        let is_code = |cell: &&str| cell.bytes().any(|byte| byte.is_ascii_digit()) && !cell.contains(' ');
        percent(self.filled().filter(is_code).count(), self.filled) >= 80
    }
}

/// A file, surveyed.
#[derive(Debug)]
pub(super) struct Survey<'l> {
    pub(super) lines: &'l [Line],
    pub(super) layout: Layout,
    pub(super) columns: Vec<Column>,
    /// Whether the file is Chinese, and then whether traditional.
    pub(super) chinese: Option<bool>,
}

impl<'l> Survey<'l> {
    pub(super) fn new(lines: &'l [Line]) -> Self {
        let layout = Layout::of(lines);
        let mut columns: Vec<Vec<String>> = layout.names.iter().map(|_| Vec::new()).collect();
        for line in layout.sample.iter().filter_map(|at| lines.get(*at)) {
            let mut row = cells(line).into_iter();
            for column in &mut columns {
                column.push(row.next().unwrap_or_default());
            }
        }
        let text: String = layout.names.iter().chain(&layout.titles).map(String::as_str).collect();
        let is_foreign = text.chars().any(|letter| !letter.is_ascii() && letter.is_alphabetic())
            || layout.names.iter().any(|name| FOREIGN.contains(&name.to_lowercase().as_str()));
        let has_halves = columns.iter().any(|cells| cells.iter().take(100).any(|cell| is_half(cell)));
        let habits = Habits { has_halves, is_foreign };
        let has_header = layout.header.is_some();
        let named = columns.into_iter().zip(&layout.names).zip(&layout.meanings).enumerate();
        let columns = named.map(|(at, ((cells, name), meaning))| {
            let said = has_header.then(|| said(meaning)).flatten();
            column((at, name), said, cells, habits)
        });
        let columns = columns.collect();
        let some: String = layout.sample.iter().take(50).filter_map(|at| lines.get(*at)).flat_map(cells).collect();
        let chinese = chinese(&text).or_else(|| chinese(&some));
        Self { lines, layout, columns, chinese }
    }

    /// Columns of a role, the plain ones before weak ones.
    pub(super) fn of(&self, role: Role) -> impl Iterator<Item = &Column> {
        let plain = move |is_weak: bool| {
            self.columns.iter().filter(move |column| column.is(role) && column.is_weak() == is_weak)
        };
        plain(false).chain(plain(true))
    }

    /// How many rows the guesses go by.
    pub(super) fn sampled(&self) -> usize {
        self.layout.sample.len()
    }

    /// Every different value of a column with how many rows have it, in all rows; None where they are more than `most`.
    pub(super) fn values(&self, at: usize, most: usize) -> Option<Vec<(String, usize)>> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for line in self.layout.rows.iter().filter_map(|row| self.lines.get(*row)) {
            let cell = line.cells.get(at).map(super::layout::short).unwrap_or_default();
            if cell.is_empty() {
                continue;
            }
            *counts.entry(cell).or_default() += 1;
            if counts.len() > most {
                return None;
            }
        }
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        Some(counts)
    }
}

/// Names of columns that say the language, where no letter does.
const FOREIGN: [&str; 12] =
    ["datum", "name", "stunden", "von", "bis", "fecha", "data", "nom", "nombre", "horas", "ore", "heures"];

fn is_half(cell: &str) -> bool {
    let lower = cell.to_ascii_lowercase();
    cell.len() <= 32 && cell.contains(':') && (lower.ends_with("am") || lower.ends_with("pm"))
}

fn column((at, name): (usize, &str), said: Option<Said>, cells: Vec<String>, habits: Habits) -> Column {
    let filled: Vec<&str> = cells.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
    let is_time = |role: Role| matches!(role, Role::Date | Role::Start | Role::End | Role::Time);
    let takes_numbers = said.is_some_and(|said| is_time(said.role));
    let is_text = said.is_some_and(|said| matches!(said.role, Role::Duration | Role::Break | Role::Offset));
    let forms = if is_text { None } else { forms(&filled, takes_numbers, habits) };
    let compiled: Vec<DateForm> = forms.as_ref().map(|forms| compiled(&forms.names)).unwrap_or_default();
    let mut kinds = BTreeMap::new();
    for cell in &filled {
        *kinds.entry(kind(cell, &compiled)).or_default() += 1;
    }
    let filled = filled.len();
    Column { at, name: name.to_owned(), said, cells, forms, kinds, filled }
}
