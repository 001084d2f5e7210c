//! How far long work is, for whoever watches: a bar on a terminal, a page, or nobody.

use std::ops::ControlFlow;

/// What long work goes through, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Entries that were verified before, looked at again: whether they are still the same.
    KnownEntries,
    /// Entries of a log.
    Entries,
    /// Rows of a spreadsheet.
    Rows,
    /// Days of a demo's year.
    Days,
}

/// Whoever watches. Told now and then, from the thread that works.
pub trait Progress: Sync {
    /// So much is done, of so much in all where that is known. A break says that nobody wants more of it: the work ends
    /// there, in order.
    fn told(&self, work: Work, done: u64, all: Option<u64>) -> ControlFlow<()>;

    /// What was told of last is over, at its end or before it.
    fn ended(&self) {}
}

/// Told how much is done, whatever it is.
impl<F: Fn(u64) -> ControlFlow<()> + Sync> Progress for F {
    fn told(&self, _work: Work, done: u64, _all: Option<u64>) -> ControlFlow<()> {
        self(done)
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn told(&self, _work: Work, _done: u64, _all: Option<u64>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
