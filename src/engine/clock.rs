//! The only clock, and the guard that keeps one wild reading from spoiling a ledger for good.
//!
//! Recorded time never goes back, so an entry stamped in the year 2100 would freeze all that follow. A reading is
//! believed only while it agrees with the log and with the monotonic clock.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::ledger::Millis;

/// The wall clock may drift this far from the monotonic one: 10 minutes, more than any slewing needs.
const DRIFT_MAX: Duration = Duration::from_mins(10);
/// A service may have been down for as long as a year and a day.
const DOWN_MAX: Duration = Duration::from_hours(366 * 24);

/// The clock can't be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "ClockImplausible: the machine's clock says {clock}, the ledger expects {expected}. \
     Set the clock; if it is right, start with `timebank serve --accept-clock {clock}`"
)]
pub struct ClockImplausible {
    /// What the clock says, as RFC 3339.
    pub clock: jiff::Timestamp,
    /// What the log and the time since lead to expect, as RFC 3339.
    pub expected: jiff::Timestamp,
}

/// Where readings come from.
pub trait TimeSource: Send + Sync {
    /// Wall clock, ms since 1970.
    fn wall(&self) -> Millis;
    /// Time since some fixed moment, never going back.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemTimeSource(Instant);

impl Default for SystemTimeSource {
    #[allow(clippy::disallowed_methods, reason = "the ledger's own clock")]
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl TimeSource for SystemTimeSource {
    fn wall(&self) -> Millis {
        #[allow(clippy::disallowed_methods, reason = "the ledger's own clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The guarded clock.
pub struct Clock {
    source: Box<dyn TimeSource>,
    state: Mutex<Believed>,
}

/// The newest stamp, and what both clocks said when it was given.
#[derive(Debug, Clone, Copy)]
struct Believed {
    stamp: Millis,
    wall: Millis,
    given: Duration,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

impl Clock {
    /// A clock for a log whose newest entry was recorded at `last` (nothing for a new log). `accepted`: a time that the
    /// operator vouches for; a reading within 10 minutes of it is believed.
    ///
    /// # Errors
    /// [`ClockImplausible`]: more than 366 days ahead of the newest entry, or more than 10 minutes behind it.
    pub fn start(
        source: Box<dyn TimeSource>,
        last: Option<Millis>,
        accepted: Option<Millis>,
    ) -> Result<Self, ClockImplausible> {
        let wall = source.wall();
        let vouched = accepted.is_some_and(|accepted| distance(wall, accepted) <= DRIFT_MAX);
        if let Some(last) = last.filter(|_| !vouched)
            && (ahead(wall, last) > DOWN_MAX || ahead(last, wall) > DRIFT_MAX)
        {
            return Err(implausible(wall, last));
        }
        let stamp = last.map_or(wall, |last| last.max(wall));
        let given = source.monotonic();
        Ok(Self { source, state: Mutex::new(Believed { stamp, wall, given }) })
    }

    /// The stamp for the next entry: never before the last one.
    ///
    /// # Errors
    /// [`ClockImplausible`]: more than 10 minutes ahead of the last reading and the time that passed since, or more than
    /// 10 minutes behind the last reading.
    pub fn stamp(&self) -> Result<Millis, ClockImplausible> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = self.reading(&state)?;
        Ok(state.stamp)
    }

    /// The time now, for whoever records nothing: what is believed stays as it is, so that a clock that creeps ahead while
    /// nobody submits is still caught by the next entry.
    ///
    /// # Errors
    /// As [`Clock::stamp`].
    pub fn now(&self) -> Result<Millis, ClockImplausible> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.reading(&state).map(|believed| believed.stamp)
    }

    fn reading(&self, state: &Believed) -> Result<Believed, ClockImplausible> {
        let (wall, monotonic) = (self.source.wall(), self.source.monotonic());
        let passed = i64::try_from(monotonic.saturating_sub(state.given).as_millis()).unwrap_or(i64::MAX);
        let expected = Millis(state.wall.0.saturating_add(passed));
        if ahead(wall, expected) > DRIFT_MAX || ahead(state.wall, wall) > DRIFT_MAX {
            return Err(implausible(wall, expected));
        }
        Ok(Believed { stamp: state.stamp.max(wall), wall, given: monotonic })
    }
}

/// How far `a` is ahead of `b`.
fn ahead(a: Millis, b: Millis) -> Duration {
    Duration::from_millis(u64::try_from(a.0.saturating_sub(b.0)).unwrap_or(0))
}

fn distance(a: Millis, b: Millis) -> Duration {
    ahead(a, b).max(ahead(b, a))
}

fn implausible(clock: Millis, expected: Millis) -> ClockImplausible {
    let timestamp = |ms: Millis| jiff::Timestamp::from_millisecond(ms.0).unwrap_or_default();
    ClockImplausible { clock: timestamp(clock), expected: timestamp(expected) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    use super::*;

    const HOUR: i64 = 3_600_000;
    const START: i64 = 1_700_000_000_000;

    #[derive(Clone, Default)]
    struct Scripted {
        wall: Arc<AtomicI64>,
        passed: Arc<AtomicI64>,
    }

    impl TimeSource for Scripted {
        fn wall(&self) -> Millis {
            Millis(self.wall.load(Ordering::Relaxed))
        }
        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.passed.load(Ordering::Relaxed).unsigned_abs())
        }
    }

    fn at(wall: i64) -> Scripted {
        let source = Scripted::default();
        source.wall.store(wall, Ordering::Relaxed);
        source
    }

    #[test]
    fn a_jump_forward_stops_and_time_that_really_passed_does_not() {
        let source = at(START);
        let clock = Clock::start(Box::new(source.clone()), None, None).unwrap();
        source.wall.store(START + HOUR, Ordering::Relaxed);
        assert!(clock.stamp().is_err());
        source.passed.store(HOUR, Ordering::Relaxed);
        assert_eq!(clock.stamp(), Ok(Millis(START + HOUR)));
    }

    #[test]
    fn a_small_step_back_repeats_the_last_stamp_and_a_big_one_stops() {
        let source = at(START);
        let clock = Clock::start(Box::new(source.clone()), None, None).unwrap();
        source.wall.store(START - 60_000, Ordering::Relaxed);
        assert_eq!(clock.stamp(), Ok(Millis(START)));
        source.wall.store(START - HOUR, Ordering::Relaxed);
        assert!(clock.stamp().is_err());
    }

    #[test]
    fn whoever_only_reads_the_time_changes_nothing_of_what_is_believed() {
        let source = at(START);
        let clock = Clock::start(Box::new(source.clone()), None, None).unwrap();
        // Half of what is believed at a time: two such steps are a jump to the next entry, whoever looked between.
        for step in 1..=2 {
            source.wall.store(START + step * HOUR / 8, Ordering::Relaxed);
            assert_eq!(clock.now().is_ok(), step == 1, "step {step}");
        }
        assert!(clock.stamp().is_err());
        source.passed.store(HOUR / 4, Ordering::Relaxed);
        assert_eq!(clock.now(), Ok(Millis(START + HOUR / 4)));
    }

    #[test]
    fn a_start_far_from_the_log_needs_the_operators_word() {
        let last = Some(Millis(START));
        let years = 2 * 366 * 24 * HOUR;
        assert!(Clock::start(Box::new(at(START + years)), last, None).is_err());
        assert!(Clock::start(Box::new(at(START - HOUR)), last, None).is_err());
        assert!(Clock::start(Box::new(at(START + years)), last, Some(Millis(START))).is_err());
        let clock = Clock::start(Box::new(at(START + years)), last, Some(Millis(START + years - 1_000))).unwrap();
        assert_eq!(clock.stamp(), Ok(Millis(START + years)));
        assert!(Clock::start(Box::new(at(START + 30 * 24 * HOUR)), last, None).is_ok());
    }
}
