//! Times of services, as the clocks of their place showed them.

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

use crate::{
    format::proto::{self, service},
    ledger::{Language, Minutes, Say},
    people::calendar::date_of_days,
};

/// A time at a record's own offset, in seconds east of UTC; to the minute where it is a whole one.
#[must_use]
pub fn at_offset(ms: i64, offset_seconds: i32) -> String {
    let whole = ms.rem_euclid(60_000) == 0;
    at_offset_as(ms, offset_seconds, if whole { "%Y-%m-%d %H:%M %:z" } else { "%Y-%m-%d %H:%M:%S %:z" })
}

/// Start and end at a record's own offset, the date of the end only where it is another.
#[must_use]
pub fn interval_at_offset(start_ms: i64, end_ms: i64, offset_seconds: i32, language: Language) -> String {
    let day = |ms| at_offset_as(ms, offset_seconds, "%Y-%m-%d");
    let clock = |ms: i64| {
        let seconds = ms.rem_euclid(60_000) != 0;
        at_offset_as(ms, offset_seconds, if seconds { "%H:%M:%S" } else { "%H:%M" })
    };
    let end_day = if day(start_ms) == day(end_ms) { String::new() } else { format!("{} ", day(end_ms)) };
    let offset = at_offset_as(start_ms, offset_seconds, "%:z");
    let (start, end) =
        (format!("{} {}", day(start_ms), clock(start_ms)), format!("{end_day}{} {offset}", clock(end_ms)));
    words!(language, "{start} to {end}", "{start} 至 {end}")
}

fn at_offset_as(ms: i64, offset_seconds: i32, format: &str) -> String {
    let time = Timestamp::from_millisecond(ms).ok().zip(Offset::from_seconds(offset_seconds).ok());
    let zoned = time.map(|(time, offset)| time.to_zoned(TimeZone::fixed(offset)));
    zoned.map_or_else(|| out_of_calendar(ms), |zoned| zoned.strftime(format).to_string())
}

/// Nothing that a ledger accepts; a server may send it all the same.
#[must_use]
pub fn out_of_calendar(ms: i64) -> String {
    format!("a time outside the calendar ({ms} ms since 1970)")
}

/// When a service was, at its own offset.
#[must_use]
pub fn when(service: &proto::Service, language: Language) -> String {
    match service.served {
        Some(service::Served::Interval(interval)) => {
            interval_at_offset(interval.start_ms, interval.end_ms, service.utc_offset_seconds, language)
        }
        Some(service::Served::OnDate(on_date)) => {
            let minutes = Minutes::new(on_date.minutes);
            format!("{} ({})", date_of_days(on_date.date), minutes.in_language(language))
        }
        None => String::new(),
    }
}
