//! What strangers can bring about at will is told once in a while: a log that they could fill would hide the rest.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::engine::now;

/// Between two lines of one kind.
const INTERVAL: Duration = Duration::from_mins(1);

/// One kind of line.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    told_at: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// What to put behind a line that is to be told now: how many like it were not. None where it isn't told.
    pub(crate) fn now(&self) -> Option<String> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.told_at.is_some_and(|at| at.elapsed() < INTERVAL) {
            lines.untold = lines.untold.saturating_add(1);
            return None;
        }
        lines.told_at = Some(now::monotonic());
        Some(match std::mem::take(&mut lines.untold) {
            0 => String::new(),
            untold => format!(" (and {untold} more like it since the last one)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_all_the_time_is_told_once_and_counted() {
        let seldom = Seldom::default();
        assert_eq!(seldom.now().as_deref(), Some(""));
        for _ in 0..3 {
            assert_eq!(seldom.now(), None);
        }
        seldom.0.lock().unwrap_or_else(PoisonError::into_inner).told_at = None;
        assert_eq!(seldom.now().as_deref(), Some(" (and 3 more like it since the last one)"));
        assert_eq!(seldom.now(), None);
    }
}
