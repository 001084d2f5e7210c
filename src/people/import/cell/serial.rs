//! Days as spreadsheets count them, with the clock time as a part of one.

use jiff::{
    ToSpan as _,
    civil::{Date, date},
};

use super::scan::{DAY_US, MINUTE_US, SECOND_US, is_digits};

/// The 9999-12-31 of Excel.
const DAYS_MAX: i32 = 2_958_465;

/// A number of days and the digits of a part of one.
pub(super) struct Serial<'a> {
    pub(super) days: i32,
    /// The decimals, `None` where the number has no point.
    pub(super) part: Option<&'a str>,
}

impl<'a> Serial<'a> {
    /// `46300`, `46300.375`, `46300,375`.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (days, part) = match text.split_once(['.', ',']) {
            Some((days, part)) => (days, Some(part)),
            None => (text, None),
        };
        let days = if is_digits(days) && days.len() <= 7 { days.parse().ok()? } else { return None };
        let is_serial = days <= DAYS_MAX && part.is_none_or(is_digits);
        is_serial.then_some(Self { days, part })
    }

    /// The day, by Excel's count or by that of old Macs; none for the 29th of February 1900, which Excel alone has.
    pub(super) fn date(&self, since_1904: bool) -> Option<Date> {
        let first = match (since_1904, self.days) {
            (true, _) => date(1904, 1, 1),
            (false, 61..) => date(1899, 12, 30),
            (false, 60) => return None,
            (false, _) => date(1899, 12, 31),
        };
        first.checked_add(self.days.days()).ok()
    }
}

/// A part of a day in microseconds: the roundest time that its digits can stand for.
///
/// A spreadsheet writes 9:10 as 0.38194 where a cell is narrow: that stands for all times within half a unit of its
/// last digit, and of those the one with whole minutes is meant, else with whole seconds.
///
/// # Errors
/// So few digits that they could be more than one whole minute, or one of several seconds.
pub(super) fn snapped_us(part: &str) -> Result<i64, String> {
    let part = part.trim_end_matches('0');
    // What is behind twelve digits is less than a tenth of a microsecond.
    let kept = part.get(..12).unwrap_or(part);
    let (mut numerator, mut scale) = (0_i128, 1_i128);
    for digit in kept.bytes() {
        (numerator, scale) = (numerator * 10 + i128::from(digit.saturating_sub(b'0')), scale * 10);
    }
    let product = numerator * i128::from(DAY_US);
    // Nearest multiple of a step, and whether it is within half a unit of the last digit.
    let nearest = |step_us: i64| {
        let step = i128::from(step_us) * scale;
        let count = (product + step / 2) / step;
        let distance = (product - count * step).abs();
        (count * i128::from(step_us), distance, distance * 2 <= i128::from(DAY_US))
    };
    let whole = |us: i128| i64::try_from(us).map_err(|_huge| "no part of a day".to_owned());
    let (minutes_us, off, is_minutes) = nearest(MINUTE_US);
    if off == 0 || (is_minutes && kept.len() >= 4) {
        return whole(minutes_us);
    }
    let (seconds_us, _, is_seconds) = nearest(SECOND_US);
    if kept.len() < 5 {
        return Err("too few decimals for a clock time: show the column as a time, or with ten decimals".to_owned());
    }
    if is_seconds { whole(seconds_us) } else { whole(nearest(1).0) }
}
