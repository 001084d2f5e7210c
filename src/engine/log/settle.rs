//! An append whose outcome has to be known before anything else is done.

use std::time::Duration;

use super::{Appended, Commit, Log};
use crate::engine::{machine::Machine, store::StoreError};

/// How long the same commit is tried again: engines that lose their leader have another one within seconds. Meanwhile
/// readers are answered, and whoever submits waits or is told to come again.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two tries, at first; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// Between two tries at most.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Bytes read back at a time: as much as a commit has.
const READ_BYTES: usize = 1_024 * 1_024;

/// Appends, and comes back when it is durable, or will never be this writer's to make so. The same commit is appended again
/// where it was not applied, and where nobody knows and it can't be read back: a log that took it has another size then.
///
/// # Errors
/// Those of [`Log::append`]; [`StoreError::Fenced`]; the last one of those that a minute did not end. The writer must not go
/// on with a state that this commit is part of.
pub(crate) fn settle(log: &dyn Log, commit: &Commit, machine: &dyn Machine) -> Result<(), StoreError> {
    let (began, mut pause, mut may_be_there) = (machine.steady(), PAUSE_MIN, false);
    loop {
        let error = match log.append(commit)? {
            Appended::Done => return Ok(()),
            Appended::NotApplied(error) => error,
            Appended::Unknown(error) => {
                may_be_there = true;
                error
            }
            // Another writer's entries may say the very same; that this one's are there can only be if they were sent.
            Appended::Fenced { size } if !may_be_there => return Err(fenced(commit, size)),
            Appended::Fenced { size } => match is_there(log, commit) {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(fenced(commit, size)),
                Err(error) => error,
            },
        };
        if may_be_there && matches!(is_there(log, commit), Ok(true)) {
            return Ok(());
        }
        if machine.steady().saturating_sub(began) >= PATIENCE {
            return Err(error);
        }
        tracing::warn!("the log did not take what was written, and is asked again: {error}");
        machine.pause(pause);
        pause = PAUSE_MAX.min(pause * 2);
    }
}

fn fenced(commit: &Commit, found: u64) -> StoreError {
    StoreError::Fenced { expected: commit.sizes().0, found }
}

/// Whether the log has these very entries at their place.
fn is_there(log: &dyn Log, commit: &Commit) -> Result<bool, StoreError> {
    let (mut next, after) = commit.sizes();
    if log.size() < after {
        return Ok(false);
    }
    let mut entries = commit.entries.iter();
    while next < after {
        let found = log.entries(next, READ_BYTES)?;
        if found.is_empty() {
            return Ok(false);
        }
        next += found.len() as u64;
        if found.iter().zip(entries.by_ref().take(found.len())).any(|(found, sent)| found != sent) {
            return Ok(false);
        }
    }
    Ok(true)
}
