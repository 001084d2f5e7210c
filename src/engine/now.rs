//! The machine's clocks as they are, for what is signed, shown or waited for. What a ledger records has its time from
//! `clock`, which does not believe every reading.
#![allow(clippy::disallowed_methods, reason = "the one place that reads them")]

use std::time::Instant;

use jiff::Timestamp;

/// What the wall clock says. It may be wrong, and may go back.
#[must_use]
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// A moment to measure from, which never goes back.
#[must_use]
pub fn monotonic() -> Instant {
    Instant::now()
}
