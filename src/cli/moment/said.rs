//! What the words for a time mean: a day, a clock time, steps from now, and the one moment that these are at a place.

use std::sync::OnceLock;

use jiff::{
    Span, Timestamp, Zoned,
    civil::{Date, Time},
    tz::{Offset, TimeZone},
};

use crate::{
    cli::zone,
    engine::now,
    people::calendar::{self, YEARS, exact, first_moment, offset},
};

const EXPECTED_TIME: &str = "expected a time as 2026-03-01 09:00, 2026-03-01T09:00+08:00, \"yesterday 09:00\", 15:00, today, now, \
                             -2h or +30d";
const EXPECTED_DATE: &str = "expected a date as 2026-03-01, or today, yesterday, -3d";
/// The last millisecond of the year 9999, UTC.
const TIME_MS_MAX: i64 = 253_402_300_799_999;
/// Furthest from now that a number of minutes, hours, days or weeks may lead: a century of days.
const STEPS_MAX: i64 = 36_525;

/// Whether something begins or ends with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Begins,
    Ends,
}

/// What somebody said, before it is known where and when.
#[derive(Debug, Clone)]
pub(super) enum Said {
    /// So much from now.
    FromNow(Span),
    /// A day, a clock time, or both, with the place where it is written.
    At { day: Option<Day>, clock: Option<Clock>, place: Option<TimeZone> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// So many days from today.
    FromToday(i64),
    Date(Date),
}

/// A time of the day; 24:00 is the end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    time: Time,
    day_is_over: bool,
}

impl Said {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "now" {
            return Ok(Self::FromNow(Span::new()));
        }
        for (word, days) in [("today", 0), ("yesterday", -1), ("tomorrow", 1)] {
            if let Some(rest) = text.strip_prefix(word) {
                return Self::at(Day::FromToday(days), rest);
            }
        }
        if text.starts_with(['+', '-']) {
            return Self::steps(text);
        }
        match text.split_once(['T', 't', ' ']) {
            None if text.contains(':') => Self::clock(None, text),
            None => Self::at(Day::Date(day(text)?), ""),
            Some((before, _)) => Self::at(Day::Date(day(before)?), text.get(before.len()..).unwrap_or_default()),
        }
    }

    /// A day and what follows: nothing, or a clock time.
    fn at(day: Day, rest: &str) -> Result<Self, String> {
        match rest.strip_prefix(['T', 't', ' ']).map(str::trim_start) {
            None if rest.is_empty() => Ok(Self::At { day: Some(day), clock: None, place: None }),
            Some(clock) if !clock.is_empty() => Self::clock(Some(day), clock),
            _ => Err(EXPECTED_TIME.to_owned()),
        }
    }

    /// `-2h`, `+30d`, `-1d 09:00`.
    fn steps(text: &str) -> Result<Self, String> {
        let wrong = || EXPECTED_TIME.to_owned();
        let (sign, rest) = if let Some(rest) = text.strip_prefix('-') { (-1, rest) } else { (1, &text[1..]) };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = rest.split_at_checked(digits).ok_or_else(wrong)?;
        let number: i64 = number.parse().ok().filter(|number| *number <= STEPS_MAX).ok_or_else(wrong)?;
        let (steps, letters) = (sign * number, rest.bytes().take_while(u8::is_ascii_alphabetic).count());
        let (unit, rest) = rest.split_at_checked(letters).ok_or_else(wrong)?;
        let days = match unit {
            "d" => Some(steps),
            "w" => Some(steps * 7),
            _ => None,
        };
        let span = match (unit, days) {
            (_, Some(days)) if rest.is_empty() => Span::new().try_days(days),
            (_, Some(days)) => return Self::at(Day::FromToday(days), rest),
            ("h", None) if rest.is_empty() => Span::new().try_hours(steps),
            ("min", None) if rest.is_empty() => Span::new().try_minutes(steps),
            _ => return Err(wrong()),
        };
        span.map(Self::FromNow).map_err(|_range| wrong())
    }

    /// `9:00`, `09:00:30`, `24:00`, with an offset or a zone in brackets behind it or none.
    fn clock(day: Option<Day>, text: &str) -> Result<Self, String> {
        let wrong = || EXPECTED_TIME.to_owned();
        let (text, named) = match text.split_once('[') {
            Some((before, name)) => (before, Some(name.strip_suffix(']').ok_or_else(wrong)?)),
            None => (text, None),
        };
        let at = text.find(['+', '-', 'Z', 'z']).unwrap_or(text.len());
        let (clock, written) = text.split_at_checked(at).ok_or_else(wrong)?;
        let fixed = match written {
            "" => None,
            "z" => Some(TimeZone::UTC),
            offset_text => {
                let seconds = offset(offset_text)?;
                Some(TimeZone::fixed(Offset::from_seconds(seconds).map_err(|_range| wrong())?))
            }
        };
        let place = match (fixed, named) {
            (Some(_), Some(_)) => return Err("say either an offset or a zone with a time, not both".to_owned()),
            (None, Some(name)) => Some(calendar::known(name).ok_or_else(|| format!("{name}: no such time zone"))?),
            (fixed, None) => fixed,
        };
        let clock = time_of_day(clock.trim_end()).ok_or_else(wrong)?;
        Ok(Self::At { day, clock: Some(clock), place })
    }

    /// The moment that is meant. `day` is what a clock time alone belongs to; without it, today.
    pub(super) fn moment(&self, context: &Context, edge: Edge, day: Option<&Zoned>) -> Result<Zoned, String> {
        let zoned = match self {
            Self::FromNow(span) => {
                context.now.to_zoned(context.here.clone()?).checked_add(*span).map_err(|_range| YEARS.to_owned())?
            }
            Self::At { day: said, clock, place } => {
                let place = match (place, said, day) {
                    (Some(place), _, _) => place.clone(),
                    (None, None, Some(day)) => day.time_zone().clone(),
                    (None, _, _) => context.here.clone()?,
                };
                let date = match (said, day) {
                    (Some(said), _) => said.date(context.now, &place)?,
                    // The date there, where the clock is: it may be another than the one here.
                    (None, Some(day)) => day.with_time_zone(place.clone()).date(),
                    (None, None) => Day::FromToday(0).date(context.now, &place)?,
                };
                match clock {
                    Some(clock) if !clock.day_is_over => exact(date.to_datetime(clock.time), &place)?,
                    Some(_) => end_of_day(date, &place)?,
                    None if edge == Edge::Ends => end_of_day(date, &place)?,
                    None => first_moment(date, &place)?,
                }
            }
        };
        let in_range = (0..=TIME_MS_MAX).contains(&zoned.timestamp().as_millisecond());
        if in_range { Ok(zoned) } else { Err(YEARS.to_owned()) }
    }
}

impl Day {
    /// The date that is meant; today is what it is at the place that the time is written for.
    fn date(self, now: Timestamp, place: &TimeZone) -> Result<Date, String> {
        match self {
            Self::Date(date) => Ok(date),
            Self::FromToday(days) => {
                let days = Span::new().try_days(days).map_err(|_range| YEARS.to_owned())?;
                now.to_zoned(place.clone()).date().checked_add(days).map_err(|_range| YEARS.to_owned())
            }
        }
    }
}

/// What words like today and a time without an offset are read with.
pub(super) struct Context {
    pub(super) now: Timestamp,
    /// The reader's zone, or why there is none.
    pub(super) here: Result<TimeZone, String>,
}

impl Context {
    pub(super) fn of_machine() -> Self {
        // One moment for all that a command reads: `now` and `+1h` are an hour apart.
        static NOW: OnceLock<Timestamp> = OnceLock::new();
        Self { now: *NOW.get_or_init(now::wall), here: zone::here() }
    }
}

/// A date, and its first moment.
pub(super) fn date(text: &str, context: &Context) -> Result<(i32, Zoned), String> {
    let said = said_date(text)?;
    let place = context.here.clone()?;
    let date = match said {
        Said::At { day: Some(day), .. } => day.date(context.now, &place)?,
        Said::FromNow(span) => {
            let then = context.now.to_zoned(place.clone()).checked_add(span);
            then.map_err(|_range| YEARS.to_owned())?.date()
        }
        Said::At { .. } => return Err(EXPECTED_DATE.to_owned()),
    };
    let days = date.since(Date::constant(1970, 1, 1)).map_err(|_range| YEARS.to_owned())?.get_days();
    let first = first_moment(date, &place)?;
    if days < 0 { Err(YEARS.to_owned()) } else { Ok((days, first)) }
}

/// What was said where only a date will do.
pub(super) fn said_date(text: &str) -> Result<Said, String> {
    let said = Said::parse(text)
        .map_err(|problem| if problem == EXPECTED_TIME { EXPECTED_DATE.to_owned() } else { problem })?;
    let is_date = matches!(said, Said::FromNow(_) | Said::At { day: Some(_), clock: None, place: None });
    if is_date { Ok(said) } else { Err(EXPECTED_DATE.to_owned()) }
}

/// A date in ISO 8601, dashes or none.
fn day(text: &str) -> Result<Date, String> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    let is_date = match parts.as_slice() {
        [year, month, day] => {
            [(*year, 4), (*month, 2), (*day, 2)].iter().all(|(part, length)| part.len() == *length && digits(part))
        }
        [whole] => whole.len() == 8 && digits(whole),
        _ => false,
    };
    if !is_date {
        return Err(EXPECTED_TIME.to_owned());
    }
    text.parse().map_err(|_range| format!("there is no such day as {text}"))
}

fn time_of_day(text: &str) -> Option<Clock> {
    if ["24:00", "24:00:00"].contains(&text) {
        return Some(Clock { time: Time::midnight(), day_is_over: true });
    }
    let padded = if text.find(':') == Some(1) { format!("0{text}") } else { text.to_owned() };
    let is_clock = padded.len() >= "09:00".len() && padded.as_bytes().get(2) == Some(&b':');
    // A leap second is no time that a clock of the ledger shows; jiff would take it for the second before.
    let is_leap = padded.get(6..8) == Some("60");
    let time = padded.parse().ok().filter(|_| is_clock && !is_leap)?;
    Some(Clock { time, day_is_over: false })
}

/// When a date of a record begins, in ms since 1970: where the reader's clocks had its offset then, as they showed it.
pub(crate) fn day_begins(days: i32, offset_seconds: i32) -> i64 {
    let span = Span::new().try_days(days);
    let date = span.ok().and_then(|span| Date::constant(1970, 1, 1).checked_add(span).ok());
    let here = date.zip(zone::here().ok()).and_then(|(date, place)| first_moment(date, &place).ok());
    here.filter(|first| first.offset().seconds() == offset_seconds).map_or_else(
        || i64::from(days) * 86_400_000 - i64::from(offset_seconds) * 1_000,
        |first| first.timestamp().as_millisecond(),
    )
}

/// The moment at which a date is over.
fn end_of_day(date: Date, place: &TimeZone) -> Result<Zoned, String> {
    first_moment(date, place)?;
    let next = date.tomorrow().map_err(|_range| YEARS.to_owned())?;
    let end = place.to_ambiguous_zoned(next.to_datetime(Time::midnight())).compatible();
    end.map_err(|_range| YEARS.to_owned())
}
