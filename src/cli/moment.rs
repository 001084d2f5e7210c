//! Times and dates as people type them. Every option that takes one reads it here, so that the same words mean the same
//! everywhere.

mod said;

use std::convert::Infallible;

use jiff::{
    Span, Timestamp, Zoned,
    tz::{Offset, TimeZone},
};

pub(crate) use self::said::day_begins;
use self::said::{Context, Edge, Said, date, said_date};
use super::{
    language::language,
    output::{Failure, Refused, nothing_recorded, usage},
    zone,
};
use crate::{
    access::{when::at_offset, words},
    people::calendar::{self, YEARS},
};

/// Said below the help of commands that take times.
pub(crate) const TIMES_HELP: &str = "\
Times: 2026-03-01 09:00 (local time), 2026-03-01T09:00+08:00, \"yesterday 09:00\", 15:00 (today),
now, -2h, +30d. A date alone (2026-03-01, today, yesterday) is its first moment where something
begins, and the end of that day where something ends. Local time is that of --zone,
TIMEBANK_ZONE, or this machine.";

/// The options that say when a service began and ended.
const SERVICE: [&str; 2] = ["--start", "--end"];

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
            let (typed, offset) = (&time.0, calendar::offset_name(offset_seconds));
            let day = at_offset(start_ms, offset_seconds);
            // None where it comes twice here, or never.
            let here = time.read(option, Edge::Begins, Some(&here)).ok();
            let here = here.map(|here| calendar::offset_name(here.offset().seconds())).filter(|here| *here != offset);
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
    let shown = |zoned: &Zoned| at_offset(zoned.timestamp().as_millisecond(), zoned.offset().seconds());
    let (began, ended) = (shown(began), shown(ended));
    let text = words!(
        language(),
        "--end: the end, {ended}, is not after the start, {began}. Check both; an end past midnight belongs to the next date. \
         [IntervalEmpty]",
        "--end：结束时间 {ended} 不晚于开始时间 {began}。请核对两者；过了午夜的结束时间属于第二天。[IntervalEmpty]"
    );
    let code = Some("IntervalEmpty".to_owned());
    // As the ledger names it, which it never reaches.
    let field = Some("service_recorded.service.interval.end_ms".to_owned());
    let refused = Failure::Refused(Refused { text, code, event: Some(0), field });
    Err(nothing_recorded(refused.into()))
}

fn to_the_minute(zoned: &Zoned) -> Result<Zoned, String> {
    let second = i64::from(zoned.second());
    let nanosecond = i64::from(zoned.subsec_nanosecond());
    let begun = Span::new().seconds(second).nanoseconds(nanosecond);
    zoned.checked_sub(begun).map_err(|_range| YEARS.to_owned())
}

#[cfg(test)]
mod tests;
