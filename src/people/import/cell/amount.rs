//! How much time: `2.5`, `2:30`, `1h30`, `90 min`, `PT2H30M`, `2小时30分`.

mod number;
#[cfg(test)]
mod tests;
mod words;

use number::number;

use super::scan::{HOUR_US, MINUTE_US, SECOND_US, is_digits, quoted, split_run, value};

/// Most that one cell may state: more is no service, and sums of it stay far from what 64 bits hold.
const AMOUNT_US_MAX: i128 = 1_000_000_000 * MINUTE_US as i128;
const EXPECTED: &str = "expected an amount of time as 2.5, 2:30, 1h30, 90 min or 2小时30分";
const TOO_MUCH: &str = "more than 1,000,000,000 minutes: no service is that long";

/// What a number alone counts; the mapping says it with the column that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Hours, so that `1:30` is 90 minutes too.
    Hours,
    /// Minutes; `1:30` could then be two things and is refused.
    Minutes,
    /// Seconds; `1:30` could then be two things and is refused.
    Seconds,
}

/// Which sign stands before decimals. The other one groups thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decimal {
    /// A point: `2.5`, `1,234.5`.
    Point,
    /// A comma: `2,5`, `1.234,5`.
    Comma,
    /// Not said: a point alone is a decimal point, as programs write it, and a comma alone a decimal comma, except in
    /// numbers as `1,234`, which are refused.
    Either,
}

impl Unit {
    pub(super) const fn us(self) -> i64 {
        match self {
            Self::Hours => HOUR_US,
            Self::Minutes => MINUTE_US,
            Self::Seconds => SECOND_US,
        }
    }
}

/// The time that a cell states, in microseconds: from 0, which the caller may refuse, to 1,000,000,000 minutes.
///
/// Decimals are exact however many there are, and their end rounded half up to the microsecond: a third of an hour in
/// 15 digits is 20 minutes. A number alone counts `unit`; one with its own unit counts that. ISO 8601 durations take
/// either decimal sign and no groups, as the standard has it.
///
/// # Errors
/// It states no time, a negative one, one in days, or one that can be read in two ways.
pub(crate) fn amount_us(text: &str, unit: Unit, decimal: Decimal) -> Result<i64, String> {
    let text = value(text).map_err(|problem| format!("{problem}: {EXPECTED}"))?;
    let us = read(&text.to_lowercase(), unit, decimal).and_then(|us| {
        let us = i64::try_from(us).ok().filter(|us| i128::from(*us) <= AMOUNT_US_MAX);
        us.ok_or_else(|| TOO_MUCH.to_owned())
    });
    us.map_err(|problem| format!("{}: {problem}", quoted(&text)))
}

fn read(text: &str, unit: Unit, decimal: Decimal) -> Result<i128, String> {
    if let Some(rest) = text.strip_prefix(['-', '−', '–', '—']) {
        let is_amount = rest.trim_start().starts_with(|first: char| first.is_ascii_digit() || ".,p".contains(first));
        return Err(if is_amount { "an amount of time can't be negative" } else { EXPECTED }.to_owned());
    }
    let is_part = |character: char| character.is_ascii_digit() || ".,' ’½¼¾".contains(character);
    let text = text.strip_prefix('+').filter(|rest| rest.starts_with(is_part)).unwrap_or(text);
    if text.chars().all(is_part) && !text.ends_with(['\'', '’']) {
        return Ok(number(text, decimal)?.us(unit.us()));
    }
    if text.starts_with('p') {
        return words::iso(text);
    }
    if text.contains(':') { colons(text, unit) } else { words::words(text, decimal) }
}

/// `2:30`, `2:30:00`, `2:30:00.5`, and `2:30 h`.
fn colons(text: &str, unit: Unit) -> Result<i128, String> {
    let expected = || EXPECTED.to_owned();
    let (clock, suffix) = split_run(text, |character| character.is_ascii_digit() || ":.,".contains(character));
    let suffix = suffix.trim_start();
    let is_hours = words::is_hours(suffix);
    if ["am", "pm", "a.m.", "p.m."].contains(&suffix) {
        return Err("a clock time, not an amount: format the column as [h]:mm and export again".to_owned());
    }
    let parts: Vec<&str> = clock.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] => (*hours, *minutes, None),
        [hours, minutes, seconds] => (*hours, *minutes, Some(*seconds)),
        _ => return Err(expected()),
    };
    if !(suffix.is_empty() || is_hours || words::is_minutes(suffix)) {
        return Err(expected());
    }
    let is_bare = suffix.is_empty() && unit != Unit::Hours;
    if seconds.is_none() && is_digits(hours) && is_digits(minutes) && (is_bare || words::is_minutes(suffix)) {
        return Err(format!(
            "could be {hours} h {minutes} min or {hours} min {minutes} s: write {hours}:{minutes}:00 or \
            {hours}h{minutes} \
             for the first, 0:{hours:0>2}:{minutes} for the second, or name the column as hours in the mapping"
        ));
    }
    if words::is_minutes(suffix) {
        return Err(expected());
    }
    let (seconds, fraction) = seconds.map_or(("00", ""), |text| text.split_once(['.', ',']).unwrap_or((text, "0")));
    let is_fraction = fraction.is_empty() || is_digits(fraction);
    if !is_digits(hours) || hours.len() > 6 || !is_fraction || clock.ends_with(['.', ',']) {
        return Err(expected());
    }
    let two = |text: &str, what: &str| {
        let number: Option<i64> = if text.len() == 2 && is_digits(text) { text.parse().ok() } else { None };
        number
            .filter(|number| *number < 60)
            .ok_or_else(|| format!("expected {what} of two digits below 60, as 2:05:00"))
    };
    let hours: i64 = hours.parse().map_err(|_wrong| expected())?;
    let whole = hours * HOUR_US + two(minutes, "minutes")? * MINUTE_US + two(seconds, "seconds")? * SECOND_US;
    let part = number::Number { whole: 0, fraction: fraction.to_owned() };
    Ok(i128::from(whole) + part.us(SECOND_US))
}
