//! Values of workbooks as text: numbers, dates, times, durations.

use jiff::{
    Span,
    civil::{Date, DateTime},
};

use crate::people::calendar::DAY_MS;

/// A day's milliseconds times ten digits are below 2^63.
const TEN_DIGITS: i64 = 10_000_000_000;
const HALF: i64 = TEN_DIGITS / 2;
/// 9999-12-31 in the 1900 system, the last day that Excel shows.
const SERIAL_MAX: f64 = 2_958_466.0;

/// A number in the fewest digits that tell it from all others, without an exponent: `42`, `0.1`, `0.30000000000000004`.
pub(crate) fn number(value: f64) -> String {
    if (1e15..1e300).contains(&value.abs()) {
        // A spreadsheet keeps 15 digits: what it has of more is not what was typed, and is shown so that this can be seen.
        let scientific = format!("{value:.14E}");
        let (digits, exponent) = scientific.split_once('E').unwrap_or((&scientific, "15"));
        return format!("{}E+{exponent}", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    // Adding zero takes the sign of zero away.
    (value + 0.0).to_string()
}

/// A number under a format for dates or times: days since the epoch, rounded to the millisecond.
///
/// Below one it is a time of day (`14:00:00`), whole it is a date (`2026-03-05`), else both
/// (`2026-03-05T14:00:00`); milliseconds are shown where there are any. Day 60 of the 1900 system is the
/// `1900-02-29` that Excel shows and no calendar has. What Excel doesn't show, before its epoch or after 9999, stays a
/// number.
pub(super) fn date(serial: f64, epoch_1904: bool) -> String {
    let Some(total) = milliseconds(serial).filter(|_| serial >= 0.0) else { return number(serial) };
    if serial < 1.0 {
        return clock(total.min(DAY_MS - 1));
    }
    let (days, time) = (total.div_euclid(DAY_MS), total.rem_euclid(DAY_MS));
    let day = match (epoch_1904, days) {
        (false, 60) => Some("1900-02-29".to_owned()),
        (false, ..60) => day_after(1899, 12, 31, days),
        (false, _) => day_after(1899, 12, 30, days),
        (true, _) => day_after(1904, 1, 1, days),
    };
    match (day, time) {
        (None, _) => number(serial),
        (Some(day), 0) => day,
        (Some(day), time) => format!("{day}T{}", clock(time)),
    }
}

/// A number under a format for durations such as `[h]:mm`: days, as `25:30:00`, with a sign where it is negative.
pub(super) fn duration(days: f64) -> String {
    milliseconds(days).map_or_else(|| number(days), clock)
}

/// A date as workbooks write it out, `2026-03-05T00:00:00.000`, in the form of [`date`]; as it stands if it is none.
pub(super) fn iso_date(text: &str) -> String {
    let Ok(at) = text.parse::<DateTime>() else { return text.to_owned() };
    // A time zone is no part of a civil time; better shown than dropped.
    if text.ends_with(['Z', 'z']) || text.contains('[') {
        return text.to_owned();
    }
    let time = at.time();
    let nanoseconds = i64::from(time.subsec_nanosecond()) + 500_000;
    let seconds = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    let total = seconds * 1_000 + nanoseconds / 1_000_000;
    let day = if total >= DAY_MS { at.date().tomorrow().unwrap_or(at.date()) } else { at.date() };
    match total % DAY_MS {
        0 => day.to_string(),
        time => format!("{day}T{}", clock(time)),
    }
}

/// A duration as `OpenDocument` writes it, `PT25H30M00.5S`, in the form of [`duration`]; as it stands if it is none.
pub(super) fn iso_duration(text: &str) -> String {
    iso_milliseconds(text).map_or_else(|| text.to_owned(), clock)
}

fn iso_milliseconds(text: &str) -> Option<i64> {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (days, time) = rest.strip_prefix('P')?.split_once('T').unwrap_or((rest.strip_prefix('P')?, ""));
    let mut total: i64 = 0;
    for (part, units) in [(days, &[('D', DAY_MS)][..]), (time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)])] {
        let mut rest = part;
        for (unit, size) in units {
            let Some((amount, after)) = rest.split_once(*unit) else { continue };
            rest = after;
            let (whole, fraction) = amount.split_once(['.', ',']).unwrap_or((amount, ""));
            let whole = whole.parse::<u32>().ok()?;
            // Ten digits behind the point: LibreOffice writes nine, and the last is noise.
            let digits: String = fraction.chars().chain("0000000000".chars()).take(10).collect();
            let fraction =
                (size * digits.parse::<u64>().ok().and_then(|digits| i64::try_from(digits).ok())? + HALF) / TEN_DIGITS;
            total = total.checked_add(size.checked_mul(i64::from(whole))?)?.checked_add(fraction)?;
        }
        if !rest.is_empty() {
            return None;
        }
    }
    Some(total * sign)
}

/// Days as milliseconds, to the nearest; none beyond what Excel shows.
#[expect(clippy::cast_possible_truncation, reason = "at most 2^38 in size, since days are bounded; and rounded")]
fn milliseconds(days: f64) -> Option<i64> {
    (days.abs() < SERIAL_MAX).then(|| (days * 86_400_000.0).round() as i64)
}

fn day_after(year: i16, month: i8, day: i8, days: i64) -> Option<String> {
    let date = Date::new(year, month, day).ok()?;
    Some(date.checked_add(Span::new().try_days(days).ok()?).ok()?.to_string())
}

/// Milliseconds as hours, minutes, seconds.
fn clock(total: i64) -> String {
    let sign = if total < 0 { "-" } else { "" };
    let (seconds, rest) = (total.abs() / 1_000, total.abs() % 1_000);
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    format!("{sign}{:02}:{:02}:{:02}{fraction}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
