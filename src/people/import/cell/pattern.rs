//! Patterns that a mapping names, in the codes of strptime.

use jiff::{
    civil::{Date, DateTime, Time},
    fmt::strtime::{self, BrokenDownTime},
    tz::{Offset, TimeZone},
};

use super::{
    local::{Clock, LEAP, Place},
    offset,
    text::narrow,
};

#[cfg(test)]
mod tests;

/// Longer patterns are no such thing.
const PATTERN_BYTES_MAX: usize = 256;

/// What a text says by a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    pub(super) date: Option<Date>,
    pub(super) clock: Option<Clock>,
    pub(super) place: Place,
}

/// What a value says where it matches a pattern from end to end: why there is no such time, where there is none.
///
/// Full-width signs in the pattern count as they do in the value. A number of seconds since 1970 is a moment in UTC.
pub(super) fn read(pattern: &str, value: &str) -> Option<Result<Read, String>> {
    let pattern = narrow(pattern.trim());
    let told = BrokenDownTime::parse(&pattern, value).ok()?;
    Some(meaning(&pattern, value, &told))
}

fn meaning(pattern: &str, value: &str, told: &BrokenDownTime) -> Result<Read, String> {
    if let Some(timestamp) = told.timestamp() {
        let moment = timestamp.to_zoned(TimeZone::UTC);
        let clock = Some(Clock::of_time(moment.time()));
        return Ok(Read { date: Some(moment.date()), clock, place: Place::Fixed(Offset::UTC) });
    }
    if is_half_unsaid(pattern) {
        return Err(HALF_UNSAID.to_owned());
    }
    let no_day = |_wrong| "there is no such day, or it falls on another weekday".to_owned();
    let is_day_told = told.year().is_some() || told.iso_week_year().is_some();
    let date = if is_day_told { Some(told.to_date().map_err(no_day)?) } else { None };
    let clock = match told.hour() {
        Some(_) if is_leap_second(pattern, value, told) => return Err(LEAP.to_owned()),
        Some(_) => {
            let time = told.to_time().map_err(|_wrong| "there is no such clock time".to_owned())?;
            Some(Clock::of_time(time))
        }
        None => None,
    };
    let place = match (told.offset(), told.iana_time_zone()) {
        (Some(offset), _) => Place::Fixed(offset::written_in_range(offset)?),
        (None, Some(name)) => offset::zone(name)?,
        (None, None) => Place::Unstated,
    };
    Ok(Read { date, clock, place })
}

const HALF_UNSAID: &str = "the pattern has %I, hours to 12, without %p for the half of the day: use %H for hours to 24";

/// Hours to 12 without AM or PM: 3:00 could be either.
fn is_half_unsaid(pattern: &str) -> bool {
    let has = |code: char| directives(pattern).any(|found| found == code);
    (has('I') || has('l')) && !(has('p') || has('P'))
}

/// The letters of a pattern's directives, without their flags and widths.
fn directives(pattern: &str) -> impl Iterator<Item = char> {
    let mut characters = pattern.chars();
    std::iter::from_fn(move || {
        characters.by_ref().find(|character| *character == '%')?;
        characters.by_ref().find(|character| !(character.is_ascii_digit() || "-_0^#:.".contains(*character)))
    })
}

/// Whether the seconds were written as 60, which jiff takes for 59: then 00 in the same place reads as 0.
fn is_leap_second(pattern: &str, value: &str, told: &BrokenDownTime) -> bool {
    told.second() == Some(59)
        && value.match_indices("60").any(|(at, _)| {
            let (before, after) = (value.get(..at).unwrap_or_default(), value.get(at + 2..).unwrap_or_default());
            let other = BrokenDownTime::parse(pattern, format!("{before}00{after}")).ok();
            other.is_some_and(|other| other.second() == Some(0))
        })
}

/// Why a pattern can't be one of a time, with `needs` saying what a text must tell by it.
///
/// It is tried on times of its own: what it writes it has to read back.
pub(super) fn fault(pattern: &str, needs: impl Fn(&Read) -> bool) -> Option<String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Some(format!("expected a pattern of at most {PATTERN_BYTES_MAX} bytes"));
    }
    if is_half_unsaid(pattern) {
        return Some(HALF_UNSAID.to_owned());
    }
    let samples = [(2026, 11, 25, 14, 45), (2026, 3, 5, 9, 7), (2001, 10, 4, 23, 12)];
    let can = samples.into_iter().any(|(year, month, day, hour, minute)| {
        let date = Date::new(year, month, day).ok();
        let time = Time::new(hour, minute, 30, 0).ok();
        let moment = date.zip(time).map(|(date, time)| DateTime::from_parts(date, time));
        let moment = moment.and_then(|moment| moment.to_zoned(TimeZone::fixed(jiff::tz::offset(8))).ok());
        let written = moment.and_then(|moment| strtime::format(narrow(pattern.trim()), &moment).ok());
        let read = written.and_then(|written| read(pattern, &written));
        read.is_some_and(|read| read.is_ok_and(|read| needs(&read)))
    });
    if can { None } else { Some(format!("expected the codes of strptime, as %Y-%m-%d{}", in_codes(pattern))) }
}

/// What `dd/MM/yyyy hh:mm` is in codes, as a hint; nothing where it isn't clear.
fn in_codes(pattern: &str) -> String {
    let lower = pattern.to_lowercase();
    let mut codes = String::new();
    let mut rest = lower.as_str();
    let mut is_clock = false;
    let is_french = lower.contains("aaaa");
    while let Some(first) = rest.chars().next() {
        let (run, behind) = super::scan::split_run(rest, |letter| letter == first);
        let code = match run {
            "yyyy" | "jjjj" | "aaaa" | "rrrr" | "гггг" | "uuuu" => "%Y",
            "jj" | "j" if is_french => "%d",
            "yy" | "jj" | "rr" | "гг" => "%y",
            "mm" | "m" if is_clock => "%M",
            "mmmm" => "%B",
            "mmm" => "%b",
            "mm" | "m" | "мм" | "м" => "%m",
            "dd" | "d" | "tt" | "t" | "дд" | "д" => "%d",
            "hh" | "h" | "чч" | "ч" => "%H",
            "ss" | "s" => "%S",
            _ if first.is_alphabetic() && first.is_ascii() => return String::new(),
            _ => run,
        };
        is_clock = code == "%H" || (is_clock && (code == ":" || code == "." || code == "%M"));
        codes.push_str(code);
        rest = behind;
    }
    if codes == lower || lower.contains('%') { String::new() } else { format!("; write {codes:?}") }
}
