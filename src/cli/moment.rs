//! Times and dates as people type them. Every option that takes one reads it here, so that the same words mean the same
//! everywhere.

use std::{convert::Infallible, sync::OnceLock};

use jiff::{
    Span, Timestamp, Zoned,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use super::{
    arguments::offset,
    output::{Failure, Refused, nothing_recorded, usage},
    zone,
};

/// Said below the help of commands that take times.
pub(crate) const TIMES_HELP: &str = "\
Times: 2026-03-01 09:00 (local time), 2026-03-01T09:00+08:00, \"yesterday 09:00\", 15:00 (today),
now, -2h, +30d. A date alone (2026-03-01, today, yesterday) is its first moment where something
begins, and the end of that day where something ends. Local time is that of --zone,
TIMEBANK_ZONE, or this machine.";

/// The options that say when a service began and ended.
const SERVICE: [&str; 2] = ["--start", "--end"];
const EXPECTED_TIME: &str = "expected a time as 2026-03-01 09:00, 2026-03-01T09:00+08:00, \"yesterday 09:00\", 15:00, today, now, \
                             -2h or +30d";
const EXPECTED_DATE: &str = "expected a date as 2026-03-01, or today, yesterday, -3d";
/// What can be typed: a ledger holds times to the end of the year 9999, and a calendar with time zones ends a day before.
const YEARS: &str = "expected a time from 1970-01-01 to 9999-12-30";
/// The last millisecond of the year 9999, UTC.
const TIME_MS_MAX: i64 = 253_402_300_799_999;
/// Furthest from now that a number of minutes, hours, days or weeks may lead: a century of days.
const STEPS_MAX: i64 = 36_525;

/// A moment and the offset it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) ms: i64,
    pub(crate) offset_seconds: i32,
}

impl From<&Zoned> for Moment {
    fn from(zoned: &Zoned) -> Self {
        Self { ms: zoned.timestamp().as_millisecond(), offset_seconds: zoned.offset().seconds() }
    }
}

/// A time as it was typed. What it means depends on the zone, and on whether something begins or ends with it.
#[derive(Debug, Clone)]
pub(crate) struct TypedTime(String);

/// A date as it was typed.
#[derive(Debug, Clone)]
pub(crate) struct TypedDate(String);

impl std::str::FromStr for TypedTime {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl std::str::FromStr for TypedDate {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl TypedTime {
    /// When something begins, or happened: a date is its first moment.
    pub(crate) fn begins(&self, option: &str) -> anyhow::Result<Moment> {
        self.read(option, Edge::Begins, None).map(|read| Moment::from(&read))
    }

    /// Until when something lasts: a date is the end of that day.
    pub(crate) fn ends(&self, option: &str) -> anyhow::Result<Moment> {
        self.read(option, Edge::Ends, None).map(|read| Moment::from(&read))
    }

    /// The last moment that is meant: of a date, the millisecond before the next day.
    pub(crate) fn last(&self, option: &str) -> anyhow::Result<Moment> {
        let Moment { ms, offset_seconds } = self.ends(option)?;
        let begins = self.begins(option)?.ms;
        Ok(Moment { ms: if ms == begins { ms } else { ms.saturating_sub(1) }, offset_seconds })
    }

    /// Start and end of an interval. A clock time alone, as its end, is on the day of its start.
    pub(crate) fn interval(start: &Self, end: &Self) -> anyhow::Result<(Moment, Moment)> {
        let began = start.read("--start", Edge::Begins, None)?;
        let ended = end.read("--end", Edge::Ends, Some(&began))?;
        in_order(&began, &ended)
    }

    /// An interval of which one end, or both, were other than recorded. Clock times alone are on its own day, and those of the
    /// reader's zone; where that has another offset than the record, nobody knows which of the two is meant.
    pub(crate) fn changed(
        (start, end): (Option<&Self>, Option<&Self>),
        (start_ms, end_ms): (i64, i64),
        offset_seconds: i32,
    ) -> anyhow::Result<(Moment, Moment)> {
        let own = Offset::from_seconds(offset_seconds).map(TimeZone::fixed)?;
        // Over a change of the clocks, one of its ends is shown otherwise than the clocks there showed it.
        let is_here = [start_ms, end_ms].into_iter().all(|ms| zone::is_here(ms, offset_seconds));
        let place = if is_here { zone::here().map_err(usage)? } else { own };
        let at = |ms: i64| anyhow::Ok(Timestamp::from_millisecond(ms)?.to_zoned(place.clone()));
        let on_its_day = |time: &Self, option: &str| {
            if is_here || !time.is_clock_alone() {
                return Ok(());
            }
            let here = Timestamp::from_millisecond(start_ms)?.to_zoned(zone::here().map_err(usage)?);
            let (typed, offset) = (&time.0, zone::offset_name(offset_seconds));
            let day = zone::at_offset(start_ms, offset_seconds);
            // None where it comes twice here, or never.
            let here = time.read(option, Edge::Begins, Some(&here)).ok();
            let here = here.map(|here| zone::offset_name(here.offset().seconds())).filter(|here| *here != offset);
            let here = here.map_or_else(String::new, |here| format!(", or \"{typed}{here}\" as clocks here show it"));
            Err(usage(format!(
                "{option} {typed:?}: the record, of {day}, has another offset than the time here. Write which one is meant: \
                 \"{typed}{offset}\" as the record shows it{here}"
            )))
        };
        let began = match start {
            Some(start) => {
                on_its_day(start, "--start")?;
                start.read("--start", Edge::Begins, Some(&at(start_ms)?))?
            }
            None => at(start_ms)?,
        };
        let ended = match end {
            Some(end) => {
                if start.is_none() {
                    on_its_day(end, "--end")?;
                }
                end.read("--end", Edge::Ends, Some(&began))?
            }
            None => at(end_ms)?,
        };
        in_order(&began, &ended)
    }

    /// Whether it is a clock time, and neither says on which day nor where.
    fn is_clock_alone(&self) -> bool {
        matches!(Said::parse(&self.0), Ok(Said::At { day: None, place: None, .. }))
    }

    /// Whether it doesn't say on which day.
    pub(crate) fn lacks_day(&self) -> bool {
        matches!(Said::parse(&self.0), Ok(Said::At { day: None, .. }))
    }

    /// Whether it is a time, whatever moment it means.
    pub(crate) fn check(&self, option: &str) -> anyhow::Result<()> {
        Said::parse(&self.0).map(drop).map_err(|problem| usage(format!("{option} {:?}: {problem}", self.0)))
    }

    fn read(&self, option: &str, edge: Edge, day: Option<&Zoned>) -> anyhow::Result<Zoned> {
        let said = Said::parse(&self.0).map_err(|problem| usage(format!("{option} {:?}: {problem}", self.0)))?;
        let zoned = said.moment(&Context::of_machine(), edge, day);
        let is_clock = matches!(said, Said::At { .. });
        // Of a service that began or ended just now, nobody knows the second.
        let zoned =
            if is_clock || !SERVICE.contains(&option) { zoned } else { zoned.and_then(|zoned| to_the_minute(&zoned)) };
        zoned.map_err(|problem| usage(format!("{option} {:?}: {problem}", self.0)))
    }
}

impl TypedDate {
    /// Whether it is a date, whichever day it means.
    pub(crate) fn check(&self, option: &str) -> anyhow::Result<()> {
        said_date(&self.0).map(drop).map_err(|problem| usage(format!("{option} {:?}: {problem}", self.0)))
    }

    /// The date as days since 1970-01-01, and the offset of its first moment; with `fixed`, the date as it is there.
    pub(crate) fn read(&self, option: &str, fixed: Option<i32>) -> anyhow::Result<(i32, i32)> {
        let wrong = |problem: String| usage(format!("{option} {:?}: {problem}", self.0));
        let mut context = Context::of_machine();
        if let Some(offset) = fixed.and_then(|seconds| Offset::from_seconds(seconds).ok()) {
            context.here = Ok(TimeZone::fixed(offset));
        }
        let (days, first) = date(&self.0, &context).map_err(wrong)?;
        Ok((days, first.offset().seconds()))
    }
}

fn in_order(began: &Zoned, ended: &Zoned) -> anyhow::Result<(Moment, Moment)> {
    if ended.timestamp() > began.timestamp() {
        return Ok((Moment::from(began), Moment::from(ended)));
    }
    let shown = |zoned: &Zoned| zone::at_offset(zoned.timestamp().as_millisecond(), zoned.offset().seconds());
    let (began, ended) = (shown(began), shown(ended));
    let text = format!(
        "--end: the end, {ended}, is not after the start, {began}. Check both; an end past midnight belongs to the next date. \
         [IntervalEmpty]"
    );
    let code = Some("IntervalEmpty".to_owned());
    let refused = Failure::Refused(Refused { text, code, event: None, field: None });
    Err(nothing_recorded(refused.into()))
}

fn to_the_minute(zoned: &Zoned) -> Result<Zoned, String> {
    let second = i64::from(zoned.second());
    let nanosecond = i64::from(zoned.subsec_nanosecond());
    let begun = Span::new().seconds(second).nanoseconds(nanosecond);
    zoned.checked_sub(begun).map_err(|_range| YEARS.to_owned())
}

/// Whether something begins or ends with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Begins,
    Ends,
}

/// What somebody said, before it is known where and when.
#[derive(Debug, Clone)]
enum Said {
    /// So much from now.
    FromNow(Span),
    /// A day, a clock time, or both, with the place where it is written.
    At { day: Option<Day>, clock: Option<Clock>, place: Option<TimeZone> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    /// So many days from today.
    FromToday(i64),
    Date(Date),
}

/// A time of the day; 24:00 is the end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    time: Time,
    day_is_over: bool,
}

impl Said {
    fn parse(text: &str) -> Result<Self, String> {
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
            (None, Some(name)) => Some(zone::known(name).ok_or_else(|| format!("{name}: no such time zone"))?),
            (fixed, None) => fixed,
        };
        let clock = time_of_day(clock.trim_end()).ok_or_else(wrong)?;
        Ok(Self::At { day, clock: Some(clock), place })
    }

    /// The moment that is meant. `day` is what a clock time alone belongs to; without it, today.
    fn moment(&self, context: &Context, edge: Edge, day: Option<&Zoned>) -> Result<Zoned, String> {
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
struct Context {
    now: Timestamp,
    /// The reader's zone, or why there is none.
    here: Result<TimeZone, String>,
}

impl Context {
    fn of_machine() -> Self {
        // One moment for all that a command reads: `now` and `+1h` are an hour apart.
        static NOW: OnceLock<Timestamp> = OnceLock::new();
        Self { now: *NOW.get_or_init(Timestamp::now), here: zone::here() }
    }
}

/// A date, and its first moment.
fn date(text: &str, context: &Context) -> Result<(i32, Zoned), String> {
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
fn said_date(text: &str) -> Result<Said, String> {
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

/// The one moment at which the clocks of a place show this.
pub(crate) fn exact(datetime: DateTime, place: &TimeZone) -> Result<Zoned, String> {
    let ambiguous = place.to_ambiguous_zoned(datetime);
    let name = place.iana_name().unwrap_or("this time zone");
    let clock = if datetime.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
    let written = |offset: Offset| {
        format!("{}T{}{}", datetime.date(), datetime.strftime(clock), zone::offset_name(offset.seconds()))
    };
    let shown = format!("{} {}", datetime.date(), datetime.strftime(clock));
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => ambiguous.unambiguous().map_err(|_range| YEARS.to_owned()),
        AmbiguousOffset::Fold { before, after } => Err(format!(
            "{shown} comes twice in {name}, as the clocks go back: write {} for the first time, {} for the second",
            written(before),
            written(after)
        )),
        AmbiguousOffset::Gap { before, after } => {
            let reading = |offset: Offset| {
                let moment = offset.to_timestamp(datetime).map_err(|_range| YEARS.to_owned())?;
                Ok::<_, String>(moment.to_zoned(place.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
            };
            Err(format!(
                "{shown} never comes in {name}, as the clocks go forward over it: write {} if {} is meant, {} if {} is",
                written(before),
                reading(before)?,
                written(after),
                reading(after)?
            ))
        }
    }
}

/// The first moment of a date: midnight, or what comes in its place where the clocks go forward over it.
pub(crate) fn first_moment(date: Date, place: &TimeZone) -> Result<Zoned, String> {
    let first = place.to_ambiguous_zoned(date.to_datetime(Time::midnight())).compatible();
    let first = first.map_err(|_range| YEARS.to_owned())?;
    if first.date() == date {
        return Ok(first);
    }
    let name = place.iana_name().unwrap_or("this time zone");
    Err(format!("{date} never came in {name}: the calendar went over it"))
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

#[cfg(test)]
mod tests;
