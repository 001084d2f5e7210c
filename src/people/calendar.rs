//! Time zones, UTC offsets, and the one moment that the clocks of a place mean: for whatever reads a time that a person
//! wrote, on the command line or in a spreadsheet.

use jiff::{
    Zoned,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase},
};

use crate::ledger;

/// What can be typed: a ledger holds times to the end of the year 9999, and a calendar with time zones ends a day before.
pub(crate) const YEARS: &str = "expected a time from 1970-01-01 to 9999-12-30";
/// Milliseconds of a day without a change of the clocks.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Furthest that an offset may be from UTC, in minutes: no place's clocks are further.
const OFFSET_MINUTES_MAX: i32 = 14 * 60;

/// A UTC offset in seconds: `+08:00`, `+0800`, `+8`, `-03:30`, `Z`.
pub(crate) fn offset(text: &str) -> Result<i32, String> {
    if text == "Z" {
        return Ok(0);
    }
    let wrong = || "expected an offset within 14 hours, as +08:00 or -03:30".to_owned();
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wrong()),
    };
    let basic = if rest.len() == 4 { rest.split_at_checked(2) } else { None };
    let (hours, minutes) = rest.split_once(':').or(basic).unwrap_or((rest, "0"));
    if hours.len() > 2 {
        return Err(wrong());
    }
    let (hours, minutes): (i32, i32) = (digits(hours).ok_or_else(wrong)?, digits(minutes).ok_or_else(wrong)?);
    let all = hours * 60 + minutes;
    if minutes >= 60 || all > OFFSET_MINUTES_MAX { Err(wrong()) } else { Ok(sign * all * 60) }
}

/// A date that is counted in days since 1970-01-01.
pub(crate) fn date_of_days(days: impl Into<i64>) -> String {
    let days = days.into();
    let span = jiff::Span::new().try_days(days);
    let date = span.and_then(|span| Date::constant(1970, 1, 1).checked_add(span));
    date.map_or_else(|_| format!("a date outside the calendar ({days} days since 1970)"), |date| date.to_string())
}

/// An offset as people write it: `+08:00`.
pub(crate) fn offset_name(seconds: i32) -> String {
    ledger::Offset(seconds).to_string()
}

/// A zone by its name in the tz database, or a fixed offset.
pub(crate) fn known(name: &str) -> Option<TimeZone> {
    let db = jiff::tz::db();
    // A machine's own data may be newer than ours, or lack a zone that ours has.
    let found = db.get(name).or_else(|_unknown| TimeZoneDatabase::bundled().get(name)).ok();
    // `Etc/Unknown` and `Factory` are zones to the database, and UTC in disguise.
    found
        .filter(|zone| !zone.is_unknown() && zone.iana_name() != Some("Factory"))
        .or_else(|| Some(TimeZone::fixed(Offset::from_seconds(offset(name).ok()?).ok()?)))
}

/// A zone's name, as --zone takes it.
pub(crate) fn name(zone: &TimeZone) -> String {
    let fixed =
        || zone.to_fixed_offset().map_or_else(|_varies| "TZ".to_owned(), |offset| offset_name(offset.seconds()));
    zone.iana_name().map_or_else(fixed, str::to_owned)
}

/// The one moment at which the clocks of a place show this.
pub(crate) fn exact(datetime: DateTime, place: &TimeZone) -> Result<Zoned, String> {
    let ambiguous = place.to_ambiguous_zoned(datetime);
    let name = place.iana_name().unwrap_or("this time zone");
    let clock = if datetime.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
    let written =
        |offset: Offset| format!("{}T{}{}", datetime.date(), datetime.strftime(clock), offset_name(offset.seconds()));
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

/// A number of digits alone, without a sign.
fn digits(text: &str) -> Option<i32> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}
