//! Sheets that came again: a reader makes their receipts anew, for the writer has other things to do than to read what it
//! wrote.

use std::sync::mpsc::{Receiver, Sender};

use super::{
    Accepted, Source, Submission, SubmitError,
    answer::Answers,
    publish::{Told, Waiter},
    sources::{Sources, Waits},
    stop::Stop,
};
use crate::engine::{pipeline, projection::Projection};

/// What is answered at once, in events: one sheet of the largest, so that who has a small one doesn't wait for more.
const GROUP_COST_MAX: usize = 1_000;

/// A sheet that is recorded, durable and shown.
pub(super) struct Repeated {
    /// Its entry.
    pub(super) index: u64,
    pub(super) submission: Box<Submission>,
}

impl Waits for Repeated {
    fn source(&self) -> Source {
        self.submission.source()
    }

    fn cost(&self) -> usize {
        self.submission.cost()
    }
}

/// Answers them until the committer is gone. What waits is bounded by the sequencer's queue.
pub(super) fn run(inbox: &Receiver<Repeated>, outbox: &Sender<Told>, projection: &Projection) -> Result<(), Stop> {
    // Whoever sends something new goes first.
    pipeline::stand_back();
    let mut waiting = Sources::default();
    while waiting.fill(inbox) {
        if !answer(&mut waiting, outbox, projection)? {
            break;
        }
    }
    Ok(())
}

/// Answers some of those that wait. False where the publisher has ended by itself, as the committer finds too.
pub(super) fn answer(
    waiting: &mut Sources<Repeated>,
    outbox: &Sender<Told>,
    projection: &Projection,
) -> Result<bool, Stop> {
    let mut group = Vec::new();
    waiting.take(GROUP_COST_MAX, &mut group);
    let (mut answers, mut waiters) = (Answers::default(), Vec::new());
    for Repeated { index, submission } in group {
        let receipt = match projection.receipt(index) {
            Ok(receipt) => receipt.ok_or(Stop::Broken("an entry that is durable has no receipt"))?,
            // A damaged row takes no entry back, and is no reason to serve nobody.
            Err(error) => {
                tracing::error!("a receipt was not made: {error}");
                answers.add(submission, Err(SubmitError::NotPublished { index }));
                continue;
            }
        };
        if submission.published {
            waiters.push(Waiter { receipt, submission });
        } else {
            answers.add(submission, Ok(Accepted { receipt, publication: None }));
        }
    }
    answers.deliver();
    Ok(waiters.is_empty() || outbox.send(Told::Waiters(waiters)).is_ok())
}
