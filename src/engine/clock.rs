//! The only clock, and the guard that keeps one wild reading from spoiling a ledger for good.
//!
//! Recorded time never goes back, so an entry stamped in the year 2100 would freeze all that follow. A reading is
//! believed only while it agrees with the log and with a clock that nobody sets.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};

use crate::ledger::Millis;

/// All that the wall clock may gain or lose against the steady one while a service is up, however many steps it takes: 10
/// minutes, more than setting a clock right ever takes. A sheet may be signed as far ahead (`ISSUED_AHEAD_MAX_MS`).
const DRIFT_MAX: Duration = Duration::from_mins(10);
/// What is expected follows the wall clock by one in so many, 43 s a day: a clock that is off by more than these 500 parts in a
/// million is corrected by no NTP (RFC 5905, `MAXFREQ`), and one that is off by less is set right in steps for as long as a
/// service is up.
const FOLLOWED_ONE_IN: i128 = 2_000;
/// How far ahead of the newest entry a clock is believed at a start, where nothing else tells how long nobody recorded: a week.
/// Long enough for a weekend and for most holidays; short enough that of the 30 days for which sheets are signed 23 are left
/// where it was wrong.
pub(crate) const QUIET_MAX: Duration = Duration::from_hours(7 * 24);

/// The clock can't be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "ClockImplausible: the machine's clock says {clock}, {} what the ledger goes by, {expected}. Set the clock; if it is right, \
     start the service with `timebank serve --accept-clock {clock}`",
    apart(*clock, *expected)
)]
pub struct ClockImplausible {
    /// What the clock says, as RFC 3339.
    pub clock: jiff::Timestamp,
    /// When the newest entry was recorded, at a start; then what the time since the start leads to expect. As RFC 3339.
    pub expected: jiff::Timestamp,
}

/// How far a clock is ahead of something, or behind it, in the two largest units.
fn apart(clock: jiff::Timestamp, expected: jiff::Timestamp) -> String {
    let minutes = clock.duration_since(expected).as_mins();
    let side = if minutes < 0 { "behind" } else { "ahead of" };
    let minutes = minutes.unsigned_abs();
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min {side}"),
        (0, _) => format!("{hours} h {minutes} min {side}"),
        (1, _) => format!("1 day {hours} h {side}"),
        _ => format!("{days} days {hours} h {side}"),
    }
}

/// Where readings come from.
pub trait TimeSource: Send + Sync {
    /// Wall clock, ms since 1970.
    fn wall(&self) -> Millis;
    /// Time since some fixed moment, which nobody sets, and which goes on while the machine sleeps.
    fn steady(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug, Default)]
pub struct SystemTimeSource;

/// Linux' monotonic clock stands still while the machine sleeps, and this one doesn't; elsewhere the monotonic one goes on.
#[cfg(target_os = "linux")]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const STEADY: ClockId = ClockId::Monotonic;

impl TimeSource for SystemTimeSource {
    fn wall(&self) -> Millis {
        #[allow(clippy::disallowed_methods, reason = "the ledger's own clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn steady(&self) -> Duration {
        Duration::try_from(clock_gettime(STEADY)).unwrap_or_default()
    }
}

/// The guarded clock.
pub struct Clock {
    source: Box<dyn TimeSource>,
    state: Mutex<Believed>,
}

/// The newest stamp, and what was expected when it was given.
#[derive(Debug, Clone, Copy)]
struct Believed {
    stamp: Millis,
    /// What the wall clock was expected to say, in ns since 1970: its time at the start and the time since, with the part of
    /// its drift that was followed.
    expected_ns: i128,
    /// What the steady clock said.
    given: Duration,
    /// The last reading was not believed, and that was told.
    told: bool,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

impl Clock {
    /// A clock for a log whose newest entry was recorded at `last` (nothing for a new log). `accepted`: a time that the
    /// operator vouches for; a reading within 10 minutes of it is believed. Where that is before `last`, stamps stay at `last`
    /// until the clock comes to it.
    ///
    /// # Errors
    /// [`ClockImplausible`]: more than a week ahead of the newest entry, or more than 10 minutes behind it.
    pub fn start(
        source: Box<dyn TimeSource>,
        last: Option<Millis>,
        accepted: Option<Millis>,
    ) -> Result<Self, ClockImplausible> {
        let wall = source.wall();
        let vouched = accepted.is_some_and(|accepted| ahead(wall, accepted).max(ahead(accepted, wall)) <= DRIFT_MAX);
        if let Some(last) = last.filter(|_| !vouched)
            && (ahead(wall, last) > QUIET_MAX || ahead(last, wall) > DRIFT_MAX)
        {
            return Err(implausible(wall, last));
        }
        let stamp = last.map_or(wall, |last| last.max(wall));
        if ahead(stamp, wall) > DRIFT_MAX {
            tracing::warn!(
                "the newest entry says {}, {} the clock that is vouched for: what is recorded gets that very time until the \
                 clock comes to it, and sheets have to be signed by that time too, as this program's commands do",
                timestamp(stamp),
                apart(timestamp(stamp), timestamp(wall)),
            );
        }
        let (expected_ns, given) = (nanos(wall), source.steady());
        Ok(Self { source, state: Mutex::new(Believed { stamp, expected_ns, given, told: false }) })
    }

    /// The stamp for the next entry: never before the last one.
    ///
    /// # Errors
    /// [`ClockImplausible`]: since the start, the wall clock has gained or lost more than 10 minutes against the steady one, not
    /// counting 43 s a day.
    pub fn stamp(&self) -> Result<Millis, ClockImplausible> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let believed = self.reading(&mut state)?;
        *state = believed;
        Ok(state.stamp)
    }

    /// The time now, for whoever records nothing: what is believed stays as it is, so that a clock that creeps ahead while
    /// nobody submits is still caught by the next entry.
    ///
    /// # Errors
    /// As [`Clock::stamp`].
    pub fn now(&self) -> Result<Millis, ClockImplausible> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.reading(&mut state).map(|believed| believed.stamp)
    }

    /// What would be believed of the clocks as they are now. Each change from belief to disbelief and back is told once.
    fn reading(&self, state: &mut Believed) -> Result<Believed, ClockImplausible> {
        let (wall, given) = (self.source.wall(), self.source.steady());
        let passed = i128::try_from(given.saturating_sub(state.given).as_nanos()).unwrap_or(i128::MAX);
        let expected_ns = state.expected_ns.saturating_add(passed);
        let followed = passed / FOLLOWED_ONE_IN;
        let followed_ns = expected_ns + (nanos(wall) - expected_ns).clamp(-followed, followed);
        let drift = u128::try_from((nanos(wall) - followed_ns).abs()).unwrap_or(u128::MAX);
        if drift > DRIFT_MAX.as_nanos() {
            let expected = Millis(i64::try_from(expected_ns / NANOS_PER_MS).unwrap_or(i64::MAX));
            let implausible = implausible(wall, expected);
            if !std::mem::replace(&mut state.told, true) {
                tracing::error!("nothing is recorded until the clock is right again: {implausible}");
            }
            return Err(implausible);
        }
        if std::mem::take(&mut state.told) {
            tracing::warn!("the clock is believed again, at {}: sheets are recorded", timestamp(wall));
        }
        Ok(Believed { stamp: state.stamp.max(wall), expected_ns: followed_ns, given, told: false })
    }
}

const NANOS_PER_MS: i128 = 1_000_000;

fn nanos(time: Millis) -> i128 {
    i128::from(time.0) * NANOS_PER_MS
}

/// How far `a` is ahead of `b`.
fn ahead(a: Millis, b: Millis) -> Duration {
    Duration::from_millis(u64::try_from(a.0.saturating_sub(b.0)).unwrap_or(0))
}

fn timestamp(time: Millis) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(time.0).unwrap_or_default()
}

fn implausible(clock: Millis, expected: Millis) -> ClockImplausible {
    ClockImplausible { clock: timestamp(clock), expected: timestamp(expected) }
}

#[cfg(test)]
mod tests;
