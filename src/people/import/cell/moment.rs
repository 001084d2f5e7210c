//! A date and a clock time in one cell, with the place of the clock where one is written.

mod iso;
#[cfg(test)]
pub(super) mod tests;

use jiff::civil::Date;

use super::{
    clock::{self, Told},
    date::{self, DateForm},
    local::{Clock, Place},
    offset, pattern,
    scan::{quoted, value},
    serial::{Serial, snapped_us},
};

pub(super) const EXPECTED: &str = "expected a date and a clock time as 2026-03-05 14:00, 2026-03-05T14:00+08:00 or \
                                   2026年3月5日 14:00";
/// Longer texts are no moment, and would only take time.
const CHARS_MAX: usize = 200;

/// What a cell says of a moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    /// The date, where the cell has one.
    pub(crate) date: Option<Date>,
    /// The clock time; 24:00 is the end of the date, 0:00 of the next.
    pub(crate) clock: Clock,
    /// Where that clock is.
    pub(crate) place: Place,
}

/// The moment that a cell says, or the clock time alone.
///
/// `time_forms` are patterns of a whole moment or of a clock time in the codes of strptime, or `excel` for a part of a
/// day; they are tried first, then a date form that tells a clock time as well. Behind them always stand ISO 8601, RFC
/// 3339 and RFC 9557, and a date and a clock time in any form that [`date::date`] and [`clock::clock`] take, with an
/// offset or a zone behind. With `excel` among the date forms, a number as `46300.375` is a moment.
///
/// An offset beside a zone in brackets has to be one that the zone has then; the offset is what is kept. `Z` beside one
/// is the moment in UTC, as RFC 9557 has it, and comes back as the zone's clocks show it.
///
/// # Errors
/// It says no moment, or a date without a clock time, or may be a span: `14:00-05:00`.
pub(crate) fn moment(text: &str, date_forms: &[DateForm], time_forms: &[String]) -> Result<Said, String> {
    let text = value(text).map_err(|problem| format!("{problem}: {EXPECTED}"))?;
    let forms = Forms { date: date_forms, time: time_forms, is_behind_dash: false };
    let said = parts(&text, forms).and_then(|parts| {
        let clock = match parts.told {
            Told::Clock(clock) => clock,
            Told::Spoken(spoken) if spoken.is_bare => return Err(clock::BARE_HOUR.to_owned()),
            Told::Spoken(spoken) => spoken.clock()?,
        };
        Ok(Said { date: parts.date, clock, place: parts.place })
    });
    said.map_err(|problem| format!("{}: {problem}", quoted(&text)))
}

/// What a mapping names, and where the text stands.
#[derive(Clone, Copy)]
pub(super) struct Forms<'a> {
    pub(super) date: &'a [DateForm],
    pub(super) time: &'a [String],
    /// The end of a span: a minus in it is no dash any more.
    pub(super) is_behind_dash: bool,
}

/// A moment of which the half of the day may still be open.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MomentParts {
    pub(super) date: Option<Date>,
    pub(super) told: Told,
    pub(super) place: Place,
}

impl MomentParts {
    fn exact(date: Date, clock: Clock, place: Place) -> Result<Self, String> {
        if date.year() < 1970 {
            return Err(format!("read as the year {}: expected 1970 to 9999", date.year()));
        }
        Ok(Self { date: Some(date), told: Told::Clock(clock), place })
    }
}

/// What a value says.
pub(super) fn parts(text: &str, forms: Forms<'_>) -> Result<MomentParts, String> {
    if text.chars().nth(CHARS_MAX).is_some() {
        return Err(EXPECTED.to_owned());
    }
    if let Some(parts) = iso::plain(text).filter(|_| forms.date.is_empty() && forms.time.is_empty()) {
        return Ok(parts);
    }
    let mut problem = None;
    for found in [by_pattern(text, forms), serial(text, forms.date), iso::bracketed(text, forms), iso::basic(text)] {
        match found {
            Some(Ok(parts)) => return Ok(parts),
            Some(Err(wrong)) => problem = problem.or(Some(wrong)),
            None => {}
        }
    }
    if let Some(problem) = problem {
        return Err(problem);
    }
    let unplaced = civil(text, forms);
    let Some((before, place)) = offset::behind(text).filter(|_| unplaced.is_err()) else {
        return unplaced.map_err(|problem| offset::abbreviation(text).unwrap_or(problem));
    };
    let placed = civil(before, forms)
        .map_err(|problem| if is_telling(&problem) { problem } else { unplaced.err().unwrap_or(problem) })?;
    // 14:00-05:00 is until five to most people; behind a span's own dash, a blank in front of the minus tells them
    // apart.
    let is_dated = placed.date.is_some();
    let is_exact = is_dated && (before.matches(':').count() >= 2 || iso::has_t(before));
    let behind = text.get(before.len()..).unwrap_or_default();
    let is_apart = forms.is_behind_dash && behind.starts_with(' ');
    if offset::is_minus(behind) && !is_exact && !is_apart {
        let behind = behind.trim_start();
        return Err(format!("{behind} could be an offset or the end of a span: for the offset write UTC{behind}"));
    }
    Ok(MomentParts { place, ..placed })
}

/// Whether a refusal says more than what is expected.
pub(super) fn is_telling(problem: &str) -> bool {
    !problem.starts_with("expected")
}

/// By the patterns of the mapping, those of a clock time alone too, and those of a date that tell a clock time.
fn by_pattern(text: &str, forms: Forms<'_>) -> Option<Result<MomentParts, String>> {
    let of_dates = forms.date.iter().filter_map(|form| match form {
        DateForm::Pattern(pattern) => Some(pattern.as_str()),
        DateForm::Excel | DateForm::Excel1904 | DateForm::Roc => None,
    });
    let mut problem = None;
    for pattern in forms.time.iter().map(String::as_str).filter(|form| !clock::is_excel(form)).chain(of_dates) {
        let parts = match pattern::read(pattern, text) {
            Some(Ok(pattern::Read { date, clock: Some(clock), place })) => match date {
                Some(date) => MomentParts::exact(date, clock, place),
                None => Ok(MomentParts { date, told: Told::Clock(clock), place }),
            },
            Some(Err(wrong)) => Err(wrong),
            Some(Ok(pattern::Read { clock: None, .. })) | None => continue,
        };
        match parts {
            Ok(parts) => return Some(Ok(parts)),
            Err(wrong) => problem = problem.or(Some(wrong)),
        }
    }
    problem.map(Err)
}

/// `46300.375`, where the mapping says that dates are counted.
fn serial(text: &str, forms: &[DateForm]) -> Option<Result<MomentParts, String>> {
    let since_1904 = forms.iter().find_map(|form| match form {
        DateForm::Excel => Some(false),
        DateForm::Excel1904 => Some(true),
        DateForm::Pattern(_) | DateForm::Roc => None,
    })?;
    let serial = Serial::read(text)?;
    let date = serial.date(since_1904).filter(|date| date.year() >= 1970)?;
    let Some(part) = serial.part else {
        return Some(Err(format!("{date} without a clock time; if midnight is meant, write {text}.0")));
    };
    Some(snapped_us(part).and_then(|us| MomentParts::exact(date, Clock { us }, Place::Unstated)))
}

/// A clock time, or a date and a clock time, without a place.
fn civil(text: &str, forms: Forms<'_>) -> Result<MomentParts, String> {
    let alone = clock::spoken(text, forms.time);
    if let Ok(told) = alone {
        return Ok(MomentParts { date: None, told, place: Place::Unstated });
    }
    let mut found: Option<MomentParts> = None;
    let mut problem = None;
    for (before, behind) in date::parts(text) {
        match (date::day(before, forms.date), clock::spoken(behind, forms.time)) {
            (Some(Ok(date)), Ok(told)) => {
                let parts = MomentParts { date: Some(date), told, place: Place::Unstated };
                if found.as_ref().is_some_and(|found| *found != parts) {
                    return Err("where the date ends isn't clear: write it as 2026-03-05 14:00".to_owned());
                }
                found = Some(parts);
            }
            (Some(Ok(_)), Err(wrong)) | (Some(Err(wrong)), Ok(_)) => {
                problem = problem.or(Some(wrong)).filter(|problem| is_telling(problem));
            }
            (None, Ok(_)) => {
                // The date's own reader knows which form may be meant.
                problem = problem.or_else(|| date::hint(before, forms.date));
            }
            (Some(Err(_)) | None, Err(_)) => {}
        }
    }
    if let Some(parts) = found {
        return Ok(parts);
    }
    if let Some(Ok(date)) = date::day(text, forms.date) {
        return Err(format!("{date} without a clock time: {EXPECTED}"));
    }
    Err(problem.or(alone.err().filter(|wrong| is_telling(wrong))).unwrap_or_else(|| EXPECTED.to_owned()))
}
