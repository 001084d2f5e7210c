//! Times and dates as people type them. Every option that takes one reads it here, so that the same words mean the same
//! everywhere.

use std::convert::Infallible;

use jiff::{
    Span, Timestamp, Zoned,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use super::{arguments::offset, output::usage, zone};

/// Said below the help of commands that take times.
pub(crate) const TIMES_HELP: &str = "\
Times: 2026-03-01 09:00 (local time), 2026-03-01T09:00+08:00, \"yesterday 09:00\", 15:00 (today),
now, -2h, +30d. A date alone (2026-03-01, today, yesterday) is its first moment where something
begins, and the end of that day where something ends. Local time is that of --zone,
TIMEBANK_ZONE, or this machine.";

const EXPECTED_TIME: &str = "expected a time as 2026-03-01 09:00, 2026-03-01T09:00+08:00, \"yesterday 09:00\", 15:00, today, now, \
                             -2h or +30d";
const EXPECTED_DATE: &str = "expected a date as 2026-03-01, or today, yesterday, -3d";
/// What a ledger can hold: from 1970 to the end of the year 9999.
const YEARS: &str = "a ledger holds times from 1970 to 9999";
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

    /// An interval of which one end, or both, were other than recorded. Clock times alone are on its own day.
    pub(crate) fn changed(
        (start, end): (Option<&Self>, Option<&Self>),
        (start_ms, end_ms): (i64, i64),
        offset_seconds: i32,
    ) -> anyhow::Result<(Moment, Moment)> {
        let place = Offset::from_seconds(offset_seconds).map(TimeZone::fixed)?;
        let at = |ms: i64| anyhow::Ok(Timestamp::from_millisecond(ms)?.to_zoned(place.clone()));
        let (began, ended) = (at(start_ms)?, at(end_ms)?);
        let began = start.map_or(Ok(began.clone()), |start| start.read("--start", Edge::Begins, Some(&began)))?;
        let ended = end.map_or(Ok(ended), |end| end.read("--end", Edge::Ends, Some(&began)))?;
        in_order(&began, &ended)
    }

    fn read(&self, option: &str, edge: Edge, day: Option<&Zoned>) -> anyhow::Result<Zoned> {
        let said = Said::parse(&self.0).map_err(|problem| usage(format!("{option} {:?}: {problem}", self.0)))?;
        let zoned = said.moment(&Context::of_machine(), edge, day);
        zoned.map_err(|problem| usage(format!("{option} {:?}: {problem}", self.0)))
    }
}

impl TypedDate {
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
    Err(usage(format!(
        "--end: the end, {}, is not after the start, {}. Check both; an end past midnight belongs to the next date",
        shown(ended),
        shown(began)
    )))
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
                    (None, Some(day)) => day.date(),
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
        Self { now: Timestamp::now(), here: zone::here().map_err(|error| error.to_string()) }
    }
}

/// A date, and its first moment.
fn date(text: &str, context: &Context) -> Result<(i32, Zoned), String> {
    let said = Said::parse(text)
        .map_err(|problem| if problem == EXPECTED_TIME { EXPECTED_DATE.to_owned() } else { problem })?;
    let place = context.here.clone()?;
    let date = match said {
        Said::At { day: Some(day), clock: None, place: None } => day.date(context.now, &place)?,
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

/// The moment at which a date is over.
fn end_of_day(date: Date, place: &TimeZone) -> Result<Zoned, String> {
    first_moment(date, place)?;
    let next = date.tomorrow().map_err(|_range| YEARS.to_owned())?;
    let end = place.to_ambiguous_zoned(next.to_datetime(Time::midnight())).compatible();
    end.map_err(|_range| YEARS.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

    use super::*;

    fn context(zone: &str, now: &str) -> Context {
        Context { now: now.parse().unwrap(), here: Ok(zone::known(zone).unwrap()) }
    }

    fn read(zone: &str, now: &str, edge: Edge, text: &str) -> Result<String, String> {
        let moment = Said::parse(text).and_then(|said| said.moment(&context(zone, now), edge, None))?;
        Ok(moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    }

    /// What is typed means this moment, as the clocks of the zone show it; or it is refused with these words in the reason.
    fn check(zone: &str, now: &str, edge: Edge, text: &str, expected: Result<&str, &[&str]>) {
        match (read(zone, now, edge, text), expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text:?} in {zone}"),
            (Err(problem), Err(words)) => {
                assert!(words.iter().all(|word| problem.contains(word)), "{text:?} in {zone}: {problem}");
            }
            (read, expected) => panic!("{text:?} in {zone}: {read:?}, expected {expected:?}"),
        }
    }

    /// Saturday noon in Shanghai.
    const NOW: &str = "2026-11-28T04:00:00Z";

    #[test]
    fn a_time_without_an_offset_is_local_and_one_with_an_offset_is_its_own() {
        let begins = |zone, text, expected| check(zone, NOW, Edge::Begins, text, Ok(expected));
        begins("Asia/Shanghai", "2026-11-10 09:00", "2026-11-10T09:00:00+08:00");
        begins("Asia/Shanghai", "2026-11-10T09:00", "2026-11-10T09:00:00+08:00");
        begins("Asia/Shanghai", "2026-11-10 9:05", "2026-11-10T09:05:00+08:00");
        begins("Asia/Shanghai", "2026-11-10T09:00:30", "2026-11-10T09:00:30+08:00");
        begins("Asia/Shanghai", "2026-11-10T09:00Z", "2026-11-10T09:00:00+00:00");
        begins("Asia/Shanghai", "2026-11-10 09:00 -03:30", "2026-11-10T09:00:00-03:30");
        begins("Asia/Shanghai", "2026-11-10T09:00+0545", "2026-11-10T09:00:00+05:45");
        begins("Asia/Shanghai", "2026-11-10T09:00[Europe/Prague]", "2026-11-10T09:00:00+01:00");
        begins("Europe/Prague", "2026-07-10 09:00", "2026-07-10T09:00:00+02:00");
        begins("Europe/Helsinki", "2026-01-10 09:00", "2026-01-10T09:00:00+02:00");
        begins("Pacific/Apia", "2026-11-10 09:00", "2026-11-10T09:00:00+13:00");
        begins("Pacific/Apia", "2011-12-29 09:00", "2011-12-29T09:00:00-10:00");
        begins("Etc/GMT+12", "2026-11-10 09:00", "2026-11-10T09:00:00-12:00");
        begins("+05:30", "2026-11-10 09:00", "2026-11-10T09:00:00+05:30");
        begins("Asia/Shanghai", "2024-02-29 12:00", "2024-02-29T12:00:00+08:00");
        begins("Asia/Shanghai", "20261110T09:00", "2026-11-10T09:00:00+08:00");
        begins("Asia/Shanghai", "9999-12-30T12:00Z", "9999-12-30T12:00:00+00:00");
    }

    #[test]
    fn words_and_steps_mean_what_the_readers_calendar_says() {
        let begins = |zone, now, text, expected| check(zone, now, Edge::Begins, text, Ok(expected));
        begins("Asia/Shanghai", NOW, "today", "2026-11-28T00:00:00+08:00");
        begins("Asia/Shanghai", NOW, "yesterday 09:00", "2026-11-27T09:00:00+08:00");
        begins("Asia/Shanghai", NOW, "tomorrow", "2026-11-29T00:00:00+08:00");
        begins("Asia/Shanghai", NOW, "15:00", "2026-11-28T15:00:00+08:00");
        begins("Asia/Shanghai", NOW, "now", "2026-11-28T12:00:00+08:00");
        begins("Asia/Shanghai", NOW, "-1d", "2026-11-27T12:00:00+08:00");
        begins("Asia/Shanghai", NOW, "+1w", "2026-12-05T12:00:00+08:00");
        begins("Asia/Shanghai", NOW, "-90min", "2026-11-28T10:30:00+08:00");
        begins("Asia/Shanghai", NOW, "+3h", "2026-11-28T15:00:00+08:00");
        begins("Asia/Shanghai", NOW, "-2d 09:30", "2026-11-26T09:30:00+08:00");
        // On two sides of the date line, and on the far side of midnight.
        begins("Etc/GMT+12", NOW, "today", "2026-11-27T00:00:00-12:00");
        begins("Pacific/Apia", NOW, "today 10:00", "2026-11-28T10:00:00+13:00");
        begins("Asia/Shanghai", "2026-11-28T16:00:00Z", "today", "2026-11-29T00:00:00+08:00");
        begins("Europe/Prague", "2026-11-28T23:30:00Z", "yesterday 09:00", "2026-11-28T09:00:00+01:00");
        // Today is that of the place that is written.
        begins("Etc/GMT+12", NOW, "today 09:00+08:00", "2026-11-28T09:00:00+08:00");
        // A day has 23 or 25 hours where the clocks change, a week is a week of the calendar.
        begins("Europe/Prague", "2026-03-28T11:00:00Z", "+1d", "2026-03-29T12:00:00+02:00");
        begins("Europe/Prague", "2026-10-24T10:00:00Z", "+24h", "2026-10-25T11:00:00+01:00");
    }

    #[test]
    fn a_date_begins_with_its_first_moment_and_ends_with_its_last() {
        let begins = |zone, text, expected| check(zone, NOW, Edge::Begins, text, Ok(expected));
        let ends = |zone, text, expected| check(zone, NOW, Edge::Ends, text, Ok(expected));
        begins("Asia/Shanghai", "2026-12-31", "2026-12-31T00:00:00+08:00");
        ends("Asia/Shanghai", "2026-12-31", "2027-01-01T00:00:00+08:00");
        ends("Asia/Shanghai", "today", "2026-11-29T00:00:00+08:00");
        ends("Asia/Shanghai", "yesterday", "2026-11-28T00:00:00+08:00");
        ends("Asia/Shanghai", "2024-02-29", "2024-03-01T00:00:00+08:00");
        ends("Asia/Shanghai", "2026-11-10 24:00", "2026-11-11T00:00:00+08:00");
        ends("Asia/Shanghai", "2026-11-10 09:00", "2026-11-10T09:00:00+08:00");
        ends("Asia/Shanghai", "+1d", "2026-11-29T12:00:00+08:00");
        ends("Europe/Prague", "2026-03-29", "2026-03-30T00:00:00+02:00");
        ends("Europe/Prague", "2026-10-24", "2026-10-25T00:00:00+02:00");
        // Clocks that go forward at midnight: the day begins at one.
        begins("Africa/Cairo", "2026-04-24", "2026-04-24T01:00:00+03:00");
        ends("Africa/Cairo", "2026-04-23", "2026-04-24T01:00:00+03:00");
        // A day that a place went over: the one before it ends where the one after it begins.
        ends("Pacific/Apia", "2011-12-29", "2011-12-31T00:00:00+14:00");
    }

    #[test]
    fn an_hour_that_comes_twice_or_never_is_refused_with_both_readings() {
        let refused = |zone, text, words: &[&str]| check(zone, NOW, Edge::Begins, text, Err(words));
        refused("Europe/Prague", "2026-10-25 02:30", &["twice", "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]);
        refused("Europe/Helsinki", "2026-10-25 03:05", &["twice", "03:05+03:00", "03:05+02:00"]);
        refused("Europe/Prague", "2026-10-25 02:00", &["twice"]);
        check("Europe/Prague", NOW, Edge::Begins, "2026-10-25 03:00", Ok("2026-10-25T03:00:00+01:00"));
        check("Europe/Prague", NOW, Edge::Begins, "2026-10-25 01:59", Ok("2026-10-25T01:59:00+02:00"));
        check("Europe/Prague", NOW, Edge::Begins, "2026-10-25T02:30+01:00", Ok("2026-10-25T02:30:00+01:00"));
        let gap = ["never", "2026-03-29T02:30+01:00 if 2026-03-29 03:30:00 +02:00", "2026-03-29T02:30+02:00 if"];
        refused("Europe/Prague", "2026-03-29 02:30", &gap);
        refused("Europe/Helsinki", "2026-03-29 03:30", &["never", "+02:00", "+03:00"]);
        refused("Europe/Prague", "2026-03-29 02:00", &["never"]);
        check("Europe/Prague", NOW, Edge::Begins, "2026-03-29 03:00", Ok("2026-03-29T03:00:00+02:00"));
        refused("Pacific/Apia", "2011-12-30 12:00", &["never"]);
        refused("Pacific/Apia", "2011-12-30", &["2011-12-30 never came in Pacific/Apia"]);
        check("Pacific/Apia", NOW, Edge::Ends, "2011-12-30", Err(&["never came"]));
        refused("America/New_York", "2026-11-01 01:30", &["twice", "-04:00", "-05:00"]);
        refused("Australia/Lord_Howe", "2026-04-05 01:45", &["twice", "+11:00", "+10:30"]);
    }

    #[test]
    fn what_is_no_time_is_refused_and_never_guessed() {
        let forms = [
            "",
            " ",
            "nonsense",
            "2026",
            "2026-11",
            "2026-11-1",
            "2026/11/10",
            "10.11.2026",
            "26-11-10 09:00",
            "25:00",
            "9",
            "09:60",
            "24:01",
            "2026-11-10 0900",
            "2026-11-10T",
            "today 9",
            "todayish",
            "yesterday-09:00",
            "+",
            "-",
            "+d",
            "+1x",
            "+1.5d",
            "--1d",
            "+99999999999999999999d",
            "+40000d",
            "now 09:00",
            "2026-11-10 09:00+99:00",
            "2026-11-10 09:00+15",
            "2026-11-10 09:00+08:00[Asia/Shanghai]",
            "2026-11-10 09:00[Nowhere]",
            "12:00:60",
            "２０２６-11-10",
            "上午9点",
            "2026-11-10 09:00 extra",
            "Ж9:00",
            "é",
            "+é",
            "1é:00",
        ];
        for text in forms {
            assert!(read("Asia/Shanghai", NOW, Edge::Begins, text).is_err(), "{text:?} was taken for a time");
        }
        let words = |text, words: &[&str]| check("Asia/Shanghai", NOW, Edge::Begins, text, Err(words));
        words("2026-02-29 12:00", &["no such day as 2026-02-29"]);
        words("2026-13-01", &["no such day"]);
        words("0000-00-00", &["no such day"]);
        words("0000-01-01", &["1970 to 9999"]);
        words("1969-12-31 23:59", &["1970 to 9999"]);
        check("Asia/Shanghai", NOW, Edge::Ends, "9999-12-31", Err(&["1970 to 9999"]));
        words("sometime", &["expected a time as"]);
    }

    #[test]
    fn a_date_has_the_offset_that_its_day_begins_with() {
        let check = |zone: &str, text: &str, expected: Result<(i32, i32), &str>| {
            let read = date(text, &context(zone, NOW)).map(|(days, first)| (days, first.offset().seconds()));
            match expected {
                Ok(expected) => assert_eq!(read, Ok(expected), "{text} in {zone}"),
                Err(words) => {
                    assert!(read.as_ref().is_err_and(|problem| problem.contains(words)), "{text} in {zone}: {read:?}");
                }
            }
        };
        check("Europe/Prague", "2026-07-01", Ok((20_635, 7_200)));
        check("Europe/Prague", "2026-12-01", Ok((20_788, 3_600)));
        check("Europe/Prague", "2026-03-29", Ok((20_541, 3_600)));
        check("Europe/Prague", "2026-10-25", Ok((20_751, 7_200)));
        check("Asia/Shanghai", "today", Ok((20_785, 28_800)));
        check("Etc/GMT+12", "today", Ok((20_784, -43_200)));
        check("Pacific/Apia", "yesterday", Ok((20_784, 46_800)));
        check("Asia/Shanghai", "-3d", Ok((20_782, 28_800)));
        check("Asia/Shanghai", "now", Ok((20_785, 28_800)));
        check("Asia/Shanghai", "1970-01-01", Ok((0, 28_800)));
        check("Africa/Cairo", "2026-04-24", Ok((20_567, 10_800)));
        check("Pacific/Apia", "2011-12-30", Err("never came"));
        check("Asia/Shanghai", "1969-12-31", Err("1970 to 9999"));
        check("Asia/Shanghai", "2026-02-29", Err("no such day"));
        check("Asia/Shanghai", "15:00", Err("expected a date"));
        check("Asia/Shanghai", "2026-11-10 09:00", Err("expected a date"));
        check("Asia/Shanghai", "46300", Err("expected a date"));
    }

    #[test]
    fn a_clock_time_alone_ends_on_the_day_of_the_start() {
        let start = Said::parse("2026-11-10 22:00+08:00").unwrap();
        let start = start.moment(&context("Europe/Prague", NOW), Edge::Begins, None).unwrap();
        let end =
            Said::parse("23:30").unwrap().moment(&context("Europe/Prague", NOW), Edge::Ends, Some(&start)).unwrap();
        assert_eq!(end.to_string(), "2026-11-10T23:30:00+08:00[+08:00]");
        let end =
            Said::parse("24:00").unwrap().moment(&context("Europe/Prague", NOW), Edge::Ends, Some(&start)).unwrap();
        assert_eq!(end.to_string(), "2026-11-11T00:00:00+08:00[+08:00]");
    }

    #[test]
    fn without_a_zone_only_times_that_carry_an_offset_are_read() {
        let nowhere = Context { now: NOW.parse().unwrap(), here: Err("name a zone".to_owned()) };
        let read = |text: &str| Said::parse(text).and_then(|said| said.moment(&nowhere, Edge::Begins, None));
        assert!(read("2026-11-10T09:00+08:00").is_ok() && read("today 09:00Z").is_ok());
        for text in ["2026-11-10 09:00", "today", "15:00", "now", "-1d"] {
            assert_eq!(read(text).map(|_| ()), Err("name a zone".to_owned()), "{text}");
        }
        assert!(date("2026-11-10", &nowhere).is_err());
    }
}
