//! What the sentences of rejections are put together from.

use std::fmt;

use crate::ledger::{
    event::Served,
    units::{AtOffset, Date, EventRef, LogIndex, Millis, Offset},
};

/// A record, hold or event by its place; within the same sheet it has none yet.
pub(super) struct Place(pub(super) &'static str, pub(super) EventRef);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(what, at) = self;
        match (*what, at.index) {
            ("event", LogIndex(0)) => write!(f, "event {} of this same sheet", at.event),
            (what, LogIndex(0)) => write!(f, "the {what} in event {} of this same sheet", at.event),
            (what, _) => write!(f, "{what} {at}"),
        }
    }
}

/// When a service was, at its own offset.
pub(super) struct When<'a>(pub(super) &'a Served, pub(super) i32);

impl fmt::Display for When<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.0 {
            Served::Interval { end, .. } => write!(f, "until {}", AtOffset(end, self.1)),
            Served::OnDate { date, .. } => write!(f, "on {}", Date(i64::from(date))),
        }
    }
}

/// Why a service isn't over.
pub(super) struct NotYet<'a> {
    pub(super) served: &'a Served,
    pub(super) utc_offset_seconds: i32,
    pub(super) now: Millis,
}

impl fmt::Display for NotYet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, offset) = (AtOffset(self.now, self.utc_offset_seconds), self.utc_offset_seconds);
        match *self.served {
            Served::Interval { end, .. } => {
                write!(f, "the service ends at {}, and now it is {now}", AtOffset(end, offset))
            }
            Served::OnDate { date, .. } => {
                write!(f, "{} has not begun at {}: now it is {now}", Date(i64::from(date)), Offset(offset))
            }
        }
    }
}

/// What credit is counted in.
pub(super) struct Unit(pub(super) u32);

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 1 { f.write_str("minutes") } else { write!(f, "units of {} min", self.0) }
    }
}
