//! What tells a record from all others of its source.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use super::{
    super::{cell::text::tidy, mapping::Field},
    draft::Draft,
    kind::percent,
    layout::short,
    survey::{Column, Survey},
    words::Role,
};

/// Columns of a key, as many as a field may have.
const KEY_COLUMNS_MAX: usize = 6;

/// Chooses the record's id, or the columns that stand for it.
pub(super) fn record(draft: &mut Draft, survey: &Survey<'_>) {
    let rows = Rows::new(draft, survey);
    if id(draft, survey, &rows) {
        return;
    }
    let base = base(draft);
    if base.is_empty() {
        if draft.missing.is_empty() {
            draft.missing.push("what tells a record from others: no column does".to_owned());
        }
        return;
    }
    let by_clock = [Field::Start, Field::Interval].iter().any(|field| !draft.get(*field).is_empty());
    let found = if rows.twice(&base) == 0 || by_clock { base.clone() } else { more(draft, survey, &rows, &base) };
    let twice = rows.twice(&found);
    let note = match (twice, by_clock) {
        (0, _) => "no id in the file: these columns together are no other row's",
        (_, true) => "no id in the file; who is twice at one time is rejected, as one person can't be",
        (_, false) => "no id in the file; rows that are alike in these are told apart by their order",
    };
    draft.set_at(Field::Record, found, note);
    if twice > 0 && !by_clock {
        draft.number_repeats =
            Some("Rows that are alike in `record` are counted: keep their order in the file.".to_owned());
        draft.unsure.push(format!(
            "record: {twice} rows are alike with another in all that could tell them apart; are they repeats?"
        ));
    } else if twice > 0 {
        draft.unsure.push(format!(
            "record: {twice} rows have the person and the start of another row; all but the first are rejected"
        ));
    }
}

/// A column with ids: each row's its own, and no count of rows.
fn id(draft: &mut Draft, survey: &Survey<'_>, rows: &Rows<'_, '_>) -> bool {
    let used = draft.used();
    let candidates = [Role::Id, Role::Code, Role::RowNumber, Role::Name].into_iter().flat_map(|role| survey.of(role));
    let is_of_operations = draft.operations.is_some();
    for column in candidates.filter(|column| !used.contains(&column.at)) {
        let is_id = column.is(Role::Id);
        if column.is(Role::Name) && !column.has_codes() || !rows.is_filled(column.at) {
            continue;
        }
        let twice = rows.twice(&[column.at]);
        let is_count = rows.is_count(column.at);
        if is_of_operations && is_id && twice > 0 {
            draft.set(Field::Record, &[column], "the id that operations on one record share");
            return true;
        }
        if twice == 0 && is_count {
            let why = "not the record's id: it counts the rows, and would start anew in the next file";
            draft.notes.push(format!("{}: {why}", column.name));
            continue;
        }
        if twice == 0 && rows.all.len() > 1 {
            draft.set(Field::Record, &[column], "each row's is its own");
            return true;
        }
        if is_id {
            draft.notes.push(format!("{}: not the record's id, as {twice} rows have that of another", column.name));
        }
    }
    false
}

/// The person and the time, without how long: that may be corrected.
fn base(draft: &Draft) -> Vec<usize> {
    let mut base = Vec::new();
    for field in [Field::Volunteer, Field::Date, Field::Start, Field::Interval] {
        base.extend(draft.get(field).iter().copied());
    }
    base.dedup();
    base
}

/// The fewest columns more that tell the rows apart; as many as help where none do. Never how long: a row whose time is
/// corrected would be another record, and be counted twice.
fn more(draft: &Draft, survey: &Survey<'_>, rows: &Rows<'_, '_>, base: &[usize]) -> Vec<usize> {
    let extra = extra(draft, survey, base);
    let with = |found: &[usize], more: &[usize]| -> Vec<usize> { found.iter().chain(more).copied().collect() };
    for column in &extra {
        if rows.twice(&with(base, &[*column])) == 0 {
            return with(base, &[*column]);
        }
    }
    let mut found = base.to_vec();
    let mut twice = rows.twice(&found);
    for column in extra.iter().copied() {
        let tried = with(&found, &[column]);
        let now = rows.twice(&tried);
        // A column that parts a few rows by chance is no part of a name.
        if now < twice && (twice - now) * 20 >= twice && tried.len() <= KEY_COLUMNS_MAX {
            (found, twice) = (tried, now);
        }
        if twice == 0 {
            break;
        }
    }
    // One that came first may not be needed any more.
    for column in found.clone().into_iter().skip(base.len()) {
        let without: Vec<usize> = found.iter().copied().filter(|other| *other != column).collect();
        if rows.twice(&without) == twice {
            found = without;
        }
    }
    found
}

/// Columns that may tell rows of one person and day apart, the likeliest first.
fn extra(draft: &Draft, survey: &Survey<'_>, base: &[usize]) -> Vec<usize> {
    let is_free = |column: &&Column| {
        let is_told = percent(column.count(), survey.sampled()) >= 50;
        is_told
            && !base.contains(&column.at)
            && !Draft::is_remark(&column.name)
            && column.cells.iter().all(|cell| cell.len() < 200)
    };
    let roles = [Role::Content, Role::Project, Role::Category, Role::Station, Role::Time, Role::Start];
    let known = roles.into_iter().flat_map(|role| survey.of(role)).filter(is_free);
    let unknown = survey.columns.iter().filter(|column| column.said.is_none()).filter(is_free);
    let mut found: Vec<usize> = Vec::new();
    let category = draft.get(Field::Category).iter().copied();
    for column in known.map(|column| column.at).chain(category).chain(unknown.map(|column| column.at)) {
        if !found.contains(&column) {
            found.push(column);
        }
    }
    found.truncate(16);
    found
}

/// The rows that are records, as keys are made of them.
struct Rows<'s, 'l> {
    survey: &'s Survey<'l>,
    fill_down: Vec<usize>,
    all: Vec<usize>,
    hasher: RandomState,
}

impl<'s, 'l> Rows<'s, 'l> {
    fn new(draft: &Draft, survey: &'s Survey<'l>) -> Self {
        let is_counted = |row: &&usize| {
            draft.only_if.as_ref().is_none_or(|(at, words)| words.contains(&cell(survey, **row, *at)))
                && has_amount(draft, survey, **row)
        };
        let all = survey.layout.rows.iter().filter(is_counted).copied().collect();
        Self { survey, fill_down: draft.fill_down.clone(), all, hasher: RandomState::new() }
    }

    /// How many rows have the cells of another one above.
    fn twice(&self, columns: &[usize]) -> usize {
        let mut above: Vec<String> = vec![String::new(); columns.len()];
        let mut seen = HashSet::with_capacity(self.all.len());
        let mut twice = 0;
        for row in &self.all {
            for (at, kept) in columns.iter().zip(&mut above) {
                let cell = cell(self.survey, *row, *at);
                if !cell.is_empty() || !self.fill_down.contains(at) {
                    *kept = cell;
                }
            }
            twice += usize::from(!seen.insert(self.hasher.hash_one(&above)));
        }
        twice
    }

    fn is_filled(&self, at: usize) -> bool {
        !self.all.is_empty() && self.all.iter().all(|row| !cell(self.survey, *row, at).is_empty())
    }

    /// Whether the column counts: 1, 2, 3, or back from the last.
    fn is_count(&self, at: usize) -> bool {
        let numbers = self.all.iter().map(|row| cell(self.survey, *row, at).trim_end_matches('.').parse::<i64>().ok());
        let Some(numbers) = numbers.collect::<Option<Vec<i64>>>() else { return false };
        let steps: Vec<i64> = numbers.iter().zip(numbers.iter().skip(1)).map(|(a, b)| b.saturating_sub(*a)).collect();
        let is_near = |step: &i64| (1..=3).contains(&step.abs());
        numbers.iter().any(|number| (0..=3).contains(number))
            && percent(steps.iter().filter(|step| is_near(step)).count(), steps.len().max(1)) >= 90
    }
}

/// A row without any of the time's cells is a note or a signature.
fn has_amount(draft: &Draft, survey: &Survey<'_>, row: usize) -> bool {
    let fields = [Field::Hours, Field::Minutes, Field::Seconds, Field::End, Field::Interval];
    let mut columns = fields.into_iter().flat_map(|field| draft.get(field).iter().copied()).peekable();
    columns.peek().is_none() || columns.any(|at| !cell(survey, row, at).is_empty())
}

/// The whole cell: its end may be what tells it from another.
fn cell(survey: &Survey<'_>, row: usize, at: usize) -> String {
    let cell = survey.lines.get(row).and_then(|line| line.cells.get(at)).unwrap_or_default();
    // Tidying takes time on each of a million rows; most cells are tidy.
    if cell.len() > 1_024 { short(cell) } else { tidy(cell) }
}
