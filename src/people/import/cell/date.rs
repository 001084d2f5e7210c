//! A date: as the mapping says that the column has it, else in a form that can mean one day alone.

mod form;
mod hint;
#[cfg(test)]
mod tests;
mod weekday;
mod written;

use jiff::civil::Date;

pub(crate) use form::DateForm;

use super::{clock, local::Place, offset, scan::quoted, scan::value};

/// The date that a cell says.
///
/// Named forms are tried in their order, on the whole text and then without a weekday; the first that matches wins,
/// even where a later one would give another day. Behind them always stand the forms that can mean one day alone:
/// `2026-03-05`, `2026/3/5`, `2026年3月5日`, `民國115年3月5日`, `5 March 2026`, with a weekday or not; and these with a clock
/// time, which is checked and left. `20260305` has to be named: eight digits may be a number of something.
///
/// A weekday that isn't the date's is refused, and so is a clock time with an offset, midnight excepted: in another
/// place it may be another date.
///
/// # Errors
/// It says no day of the years 1970 to 9999, or could mean several.
pub(crate) fn date(text: &str, forms: &[DateForm]) -> Result<Date, String> {
    let text = value(text).map_err(|problem| format!("{problem}: {}", hint::EXPECTED))?;
    let found = day(&text, forms).or_else(|| with_clock(&text));
    found.unwrap_or_else(|| Err(hint::refusal(&text, forms))).map_err(|problem| format!("{}: {problem}", quoted(&text)))
}

/// What to set in the mapping for a value that no form has, where that can be told.
pub(super) fn hint(text: &str, forms: &[DateForm]) -> Option<String> {
    hint::of(text, forms)
}

/// The date that a value is, without a clock time: `None` where it has no form of one.
pub(super) fn day(text: &str, forms: &[DateForm]) -> Option<Result<Date, String>> {
    let (bare, weekday) = weekday::split(text);
    let mut problem = None;
    for part in if weekday.is_some() { [Some(text), Some(bare)] } else { [Some(text), None] }.into_iter().flatten() {
        let checked = |date| weekday::checked(date, weekday);
        for found in forms.iter().filter_map(|form| form.read(part)) {
            match found.and_then(in_years).and_then(checked) {
                Ok(date) => return Some(Ok(date)),
                // A later form may have it: of two digits, `%Y` makes the year 26.
                Err(wrong) => problem = problem.or(Some(wrong)),
            }
        }
    }
    let found = written::date(bare);
    match found.map(|found| found.and_then(in_years).and_then(|date| weekday::checked(date, weekday))) {
        Some(Ok(date)) => Some(Ok(date)),
        // The mapping's own form is what the reader knows.
        Some(Err(wrong)) => Some(Err(problem.unwrap_or(wrong))),
        None => problem.map(Err),
    }
}

/// A date in a form of its own with a clock time behind it.
fn with_clock(text: &str) -> Option<Result<Date, String>> {
    for (before, behind) in parts(text) {
        let Some(Ok(date)) = day(before, &[]) else { continue };
        // Which half of the day it is changes no date: programs write 上午 12:00 for midnight.
        if clock::Spoken::read(behind)
            .is_ok_and(|spoken| spoken.period.is_some() || spoken.clock().is_ok() && !spoken.is_bare)
        {
            return Some(Ok(date));
        }
        if let Some((clock_text, Place::Fixed(_) | Place::Zone(_))) = offset::behind(behind)
            && let Ok(clock) = clock::clock(clock_text, &[])
        {
            let problem = "a moment at a place: elsewhere it is another date, so that the column can't be one of dates \
                           alone. Name it as start in the mapping";
            return Some(if clock.us == 0 { Ok(date) } else { Err(problem.to_owned()) });
        }
    }
    None
}

/// Where a date may end and a clock time begin: at blanks, at a T between digits, behind a sign for the day.
pub(super) fn parts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    const PARTS_MAX: usize = 12;
    let mut before = ' ';
    let ends = text.char_indices().filter_map(move |(at, character)| {
        let was = std::mem::replace(&mut before, character);
        let is_between = character == ' ' || (matches!(character, 'T' | 't') && (was.is_ascii_digit() || was == ' '));
        let is_behind = matches!(character, '日' | '号' | '號' | ')' | '일');
        match (is_between, is_behind) {
            (true, _) => Some((at, at + 1)),
            (false, true) => Some((at + character.len_utf8(), at + character.len_utf8())),
            (false, false) => None,
        }
    });
    ends.take(PARTS_MAX).filter_map(|(end, next)| {
        let (before, behind) = (text.get(..end)?.trim_end_matches([' ', ',']), text.get(next..)?.trim());
        let before = before.strip_suffix(" at").unwrap_or(before);
        (!before.is_empty() && !behind.is_empty()).then_some((before, behind))
    })
}

/// A ledger counts days from 1970, and a year before it is nearly always another year read wrong.
fn in_years(date: Date) -> Result<Date, String> {
    if date.year() >= 1970 {
        Ok(date)
    } else {
        Err(format!("read as the year {}: expected 1970 to 9999; see date_format in the mapping", date.year()))
    }
}
