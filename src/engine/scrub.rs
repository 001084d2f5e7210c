//! The log, read again while it is served, from entry 0 on, again and again.
//!
//! A start verifies what came after its snapshot, and a read the entry that it is about. What rots in between would be
//! noticed when somebody wants it, perhaps after the last backup that has it is gone. So each entry is decoded and held
//! against the hashes of the tree, and both against every root that the log keeps, and the newest that was signed: log and
//! tree can't be wrong together.
//!
//! What is found is told at once, as an error in the log and in the status. The scrub goes on behind it, so that all of it
//! is told; reads of what is damaged fail by themselves, and everything else is served as before.

mod pass;
mod problem;
mod thread;

use self::pass::Pass;
pub use self::{
    problem::{Problem, RootOf},
    thread::Scrubbing,
};
use crate::{
    engine::{node::Node, sequencer::Published},
    ledger::Millis,
};

/// Problems told of one pass: what follows is mostly the same damage again.
const PROBLEMS_TOLD_MAX: usize = 20;

/// How far the scrub is, and what it found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Entries of the current pass that were read and compared.
    pub size: u64,
    /// When the last pass had read the whole log, by the machine's clock; none where none has since the service started.
    pub passed_at: Option<Millis>,
    /// The first thing since then that is not as it was recorded.
    pub problem: Option<Problem>,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// So many bytes of entries were read.
    Read(usize),
    /// All that there is was read in this pass.
    AtEnd,
    /// Something is short on this machine, as it says: the same step is to be made again.
    Short(String),
}

/// A scrub, step by step. It knows no thread and no clock.
#[derive(Debug, Default)]
pub struct Scrub {
    pass: Pass,
    /// Problems of this pass so far.
    problems: usize,
    scrubbed: Scrubbed,
}

impl Scrub {
    /// How far it is, and what it found.
    #[must_use]
    pub const fn scrubbed(&self) -> &Scrubbed {
        &self.scrubbed
    }

    /// Starts from entry 0 again.
    pub fn begin_again(&mut self) {
        self.pass = Pass::default();
        self.problems = 0;
        self.scrubbed.size = 0;
    }

    /// Reads the next entries and compares them, up to where the log and its tree are. `published` is the newest checkpoint.
    pub fn step(&mut self, node: &Node, published: &Published, now: Millis) -> Step {
        let had_ended = self.pass.is_whole();
        // On a copy: a step that something was short for has not been made.
        let (mut pass, mut found) = (self.pass.clone(), Vec::new());
        match pass.go_on(node, published, &mut found) {
            Ok(Some(bytes)) => {
                self.pass = pass;
                for problem in found {
                    self.tell(problem);
                }
                self.scrubbed.size = self.pass.size();
                if self.pass.is_whole() && !had_ended {
                    self.scrubbed.passed_at = Some(now);
                }
                Step::Read(bytes)
            }
            Ok(None) => Step::AtEnd,
            Err(short) => Step::Short(short),
        }
    }

    fn tell(&mut self, problem: Problem) {
        self.problems += 1;
        if self.problems <= PROBLEMS_TOLD_MAX {
            tracing::error!(
                "the log was read again, and something is not as it was recorded: {}",
                problem.with_remedy()
            );
        }
        if self.problems == PROBLEMS_TOLD_MAX {
            tracing::error!("what else is found before the log is read from its beginning again is not told");
        }
        self.scrubbed.problem.get_or_insert(problem);
    }
}
