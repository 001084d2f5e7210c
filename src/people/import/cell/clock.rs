//! A time of the day: `9:00`, `0900`, `9h30`, `9:30 PM`, `下午3点半`.

mod spoken;
#[cfg(test)]
mod tests;

pub(super) use spoken::{Period, Spoken};

use super::{
    local::Clock,
    pattern,
    scan::{DAY_US, quoted, value},
    serial::{Serial, snapped_us},
};

pub(super) const EXPECTED: &str = "expected a clock time as 9:00, 09:00:30, 9:30 PM, 9h30 or 下午3点半";
pub(super) const BARE_HOUR: &str = "an hour alone is no clock time: write its minutes too, as 9:00, or 9 am or 9 pm";
/// The days that spreadsheets put in front of a clock time that has none.
const NO_DAYS: [&str; 5] = ["1899-12-30", "1899-12-31", "1900-01-00", "1899/12/30", "1900/1/0"];

/// The clock time that a cell says.
///
/// Forms are tried first, in their order: patterns in the codes of strptime, or `excel` for a part of a day as `0.375`,
/// which stands for the roundest time with its digits. A pattern that tells a date as well is none for a clock alone.
/// Behind them always stand the forms above. Digits of a second behind the sixth are left.
///
/// # Errors
/// It says no clock time, or one that could be in either half of the day.
pub(crate) fn clock(text: &str, forms: &[String]) -> Result<Clock, String> {
    let text = value(text).map_err(|problem| format!("{problem}: {EXPECTED}"))?;
    let told = spoken(&text, forms).and_then(|told| match told {
        Told::Clock(clock) => Ok(clock),
        Told::Spoken(spoken) if spoken.is_bare => Err(BARE_HOUR.to_owned()),
        Told::Spoken(spoken) => spoken.clock(),
    });
    told.map_err(|problem| format!("{}: {problem}", quoted(&text)))
}

/// The form of a name in `time_format`: `excel`, or a pattern by which a text tells a clock time, with a date or not.
///
/// # Errors
/// By the pattern no text tells a clock time, as by `hh:mm`, which the refusal then has in codes.
pub(crate) fn form(text: &str) -> Result<String, String> {
    let name = text.trim();
    if is_excel(name) {
        return Ok("excel".to_owned());
    }
    match pattern::fault(name, |read| read.clock.is_some()) {
        None => Ok(name.to_owned()),
        Some(problem) => Err(format!("time_format {}: no time can be read by it: {problem}, or excel", quoted(name))),
    }
}

/// A clock time as it was told, before it is known in which half of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Clock(Clock),
    Spoken(Spoken),
}

/// What a value says of a clock time by the forms, or by itself.
pub(super) fn spoken(text: &str, forms: &[String]) -> Result<Told, String> {
    let mut problem = None;
    for form in forms {
        let read = if is_excel(form) { serial(text) } else { by_pattern(form, text) };
        match read {
            Some(Ok(clock)) => return Ok(Told::Clock(clock)),
            Some(Err(wrong)) => problem = problem.or(Some(wrong)),
            None => {}
        }
    }
    let bare = NO_DAYS.iter().find_map(|day| text.strip_prefix(day)?.strip_prefix([' ', 'T'])).unwrap_or(text);
    // What matches a form of the mapping isn't read otherwise.
    problem.map_or_else(|| Spoken::read(bare).map(Told::Spoken), Err)
}

pub(super) fn is_excel(form: &str) -> bool {
    form.trim().eq_ignore_ascii_case("excel")
}

fn by_pattern(form: &str, text: &str) -> Option<Result<Clock, String>> {
    match pattern::read(form, text)? {
        Ok(read) if read.date.is_none() => read.clock.map(Ok),
        Ok(_moment) => None,
        Err(problem) => Some(Err(problem)),
    }
}

/// `0.375`, `0`; `1` is the end of the day, as a spreadsheet keeps 24:00.
fn serial(text: &str) -> Option<Result<Clock, String>> {
    let padded = if text.starts_with(['.', ',']) { format!("0{text}") } else { text.to_owned() };
    let serial = Serial::read(&padded)?;
    match (serial.days, serial.part.unwrap_or_default()) {
        (0, part) => Some(snapped_us(part).map(|us| Clock { us })),
        (1, part) if part.bytes().all(|digit| digit == b'0') => Some(Ok(Clock { us: DAY_US })),
        (_, _) if serial.part.is_some() => Some(Err("a number of days and a part of one, not a clock time".to_owned())),
        (_, _) => None,
    }
}
