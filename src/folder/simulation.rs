//! The writer on a machine on which things go wrong, by seed: what it acknowledges is never lost, whatever fails.
//!
//! A run is a town of some people. Sheets go through decode, verify, sequence, commit, publish and answer, each a step that
//! chance puts in order, over a log and files that fail before, fail after, are torn, fill up, are slow, or end the process or
//! the power in the middle; those who send them send again, race, contradict themselves, and go away. Time is the machine's
//! own. After each step the log, worked out anew from its bytes in the simplest way, has all that was acknowledged, readers were
//! shown nothing else, and no checkpoint leads it; at the end an audit agrees. The steps are those of the service's threads,
//! over the very same code; sled and a real file system have tests of their own.

mod clients;
mod log;
mod machine;
mod naive;
mod town;
mod weather;
mod world;

use std::{collections::BTreeMap, panic::AssertUnwindSafe};

use self::world::World;

/// What happened in a run, and how often.
pub type Happened = BTreeMap<String, u64>;

/// Runs a seed to its end. `told` gets what happens, a line each.
///
/// # Errors
/// What did not hold, in words: a fault of this program.
pub fn run(seed: u64, told: impl FnMut(String) + 'static) -> Result<Happened, String> {
    let run = AssertUnwindSafe(|| World::new(seed, Box::new(told))?.run());
    std::panic::catch_unwind(run).unwrap_or_else(|panicked| {
        let words = panicked.downcast_ref::<&str>().map(|words| (*words).to_owned());
        let words = words.or_else(|| panicked.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(format!("it panicked: {words}"))
    })
}

#[cfg(test)]
mod tests;
