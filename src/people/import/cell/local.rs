//! A time as a clock somewhere shows it.

use jiff::{
    civil::Time,
    tz::{Offset, TimeZone},
};

use super::scan::{HOUR_US, MINUTE_US, SECOND_US};

pub(super) const LEAP: &str = "a minute ends with second 59 here: write 59, or the next minute";

/// A time of the day as clocks show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Clock {
    /// Microseconds that its hours, minutes and seconds add up to, from 0 to 86,400,000,000: 24:00, when the day is
    /// over. On a day when the clocks change, that isn't the time since midnight.
    pub(crate) us: i64,
}

impl Clock {
    pub(super) fn of_time(time: Time) -> Self {
        let whole = i64::from(time.hour()) * HOUR_US
            + i64::from(time.minute()) * MINUTE_US
            + i64::from(time.second()) * SECOND_US;
        Self { us: whole + i64::from(time.subsec_nanosecond()) / 1_000 }
    }
}

/// Where a clock is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    /// The cell doesn't say: the mapping does, or whoever reads it.
    Unstated,
    /// At this offset, whatever the date.
    Fixed(Offset),
    /// In this zone. An hour that comes twice there as its clocks go back is still two moments.
    Zone(TimeZone),
}
