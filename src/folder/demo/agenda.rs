//! What is due when: everything that follows from what happened before.

use std::collections::BTreeMap;

use super::ledger::Moment;
use crate::{
    format::proto::{self, CorrectionReason},
    ledger::EventRef,
};

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Task {
    /// People get accounts at their station.
    Join { station: usize, people: Vec<usize> },
    /// A station records what was served; `signed_at`: when its sheet was signed.
    Record { station: usize, services: Vec<proto::Service>, signed_at: Moment },
    /// A record turned out wrong.
    Correct { station: usize, record: EventRef, right: proto::Service, was: i64 },
    /// A record should not be there.
    Reverse { station: usize, record: EventRef, reason: CorrectionReason, was: i64 },
    /// Somebody with minutes to spare books help.
    Book { station: usize },
    /// A booking is served.
    Settle { station: usize, payer: usize, hold: EventRef, minutes: i64 },
    /// A booking is cancelled by whoever made it.
    Release { payer: usize, hold: EventRef },
    /// A booking has run out.
    Expire { hold: EventRef },
    /// Somebody gives minutes to a neighbour, or to the pool of the community.
    Give { station: usize, to_pool: bool },
    /// The pool pays for somebody who has no minutes.
    PoolPays { station: usize },
    /// A member of staff leaves, and another one takes over.
    Replace { station: usize },
}

/// Tasks by the moment that they are due; what is due at once happens in the order it was put there.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    tasks: BTreeMap<(Moment, u64), Task>,
    count: u64,
}

impl Agenda {
    pub(super) fn put(&mut self, due: Moment, task: Task) {
        self.tasks.insert((due, self.count), task);
        self.count += 1;
    }

    /// The next task that is due before a moment.
    pub(super) fn next(&mut self, before: Moment) -> Option<(Moment, Task)> {
        let first = self.tasks.first_entry().filter(|first| first.key().0 < before)?;
        let ((due, _), task) = first.remove_entry();
        Some((due, task))
    }
}
