//! To the disk, then to the readers, then to those who wait: in this order.

use std::sync::mpsc::Sender;

use super::{
    Accepted,
    answer::Answers,
    batch::{Batch, Passed, Tried},
    publish::{Told, Waiter},
    repeated::Repeated,
    slot::Slot,
    stop::Stop,
};
use crate::engine::{
    log::{self, Commit},
    node::Node,
    projection::Committed,
    replay::StillReplay,
    saver::Saver,
};

/// A batch that was committed.
pub(super) struct Done {
    /// False where the publisher has ended by itself: somebody else may lead, and nothing more is to be acknowledged.
    pub(super) goes_on: bool,
    /// What the projections stand at just now, to be saved.
    pub(super) snapshot: Option<Box<StillReplay>>,
}

/// The committing thread's own.
pub(super) struct Committer {
    node: Node,
    outbox: Sender<Told>,
    repeats: Sender<Repeated>,
}

impl Committer {
    pub(super) fn new(node: Node, outbox: Sender<Told>, repeats: Sender<Repeated>) -> Self {
        Self { node, outbox, repeats }
    }

    /// Until the sequencer is gone.
    pub(super) fn run(mut self, inbox: &Slot) -> Result<(), Stop> {
        let _taking = inbox.taking();
        let mut saver = Saver::new(self.node.clone());
        while let Some(batch) = inbox.take() {
            let Done { goes_on, snapshot } = self.commit(batch)?;
            saver.check()?;
            if let Some(replay) = snapshot {
                saver.save(*replay)?;
            }
            if !goes_on {
                break;
            }
        }
        // What nobody wrote to since it lost its name would end without a word.
        self.node.log.check_place()?;
        saver.finish().map_err(Stop::from)
    }

    /// To the disk, to the readers, and to those who wait.
    pub(super) fn commit(&mut self, mut batch: Batch) -> Result<Done, Stop> {
        let passed = std::mem::take(&mut batch.passed);
        let (entries, waiting): (Vec<_>, Vec<_>) =
            passed.into_iter().map(|Passed { entry, outcome, submission }| (entry, (outcome, submission))).unzip();
        let times: Vec<(u64, i64)> = entries.iter().map(|entry| (entry.index, entry.recorded_at_ms)).collect();
        if !entries.is_empty() {
            let commit = Commit { entries, root: batch.root };
            log::settle(self.node.log.as_ref(), &commit, self.node.machine.as_ref())?;
        }
        let committed: Vec<Committed<'_>> = times
            .iter()
            .zip(&waiting)
            .map(|((index, recorded_at_ms), (outcome, submission))| Committed {
                index: *index,
                recorded_at_ms: *recorded_at_ms,
                sheet: &submission.decoded.sheet,
                outcome,
            })
            .collect();
        let size = batch.version.size();
        let receipts = self.node.show(&committed, &batch.hashes, batch.version, batch.root)?;
        drop(committed);
        let (mut answers, mut waiters) = (Answers::default(), Vec::new());
        for (receipt, (_, submission)) in receipts.into_iter().zip(waiting) {
            if submission.published {
                waiters.push(Waiter { receipt, submission });
            } else {
                answers.add(submission, Ok(Accepted { receipt, publication: None }));
            }
        }
        for (submission, error) in batch.refused {
            answers.add(submission, Err(error));
        }
        answers.deliver();
        for Tried { results, reflected_index, reply, permit } in batch.tried {
            // Nobody waits any more: nothing was written.
            let _gone = reply.send((results, reflected_index));
            drop(permit);
        }
        let mut goes_on = self.outbox.send(Told::Durable { size, root: batch.root, waiters }).is_ok();
        for (index, submission) in batch.repeated {
            goes_on = goes_on && self.repeats.send(Repeated { index, submission }).is_ok();
        }
        Ok(Done { goes_on, snapshot: batch.snapshot })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use std::sync::{Arc, mpsc};

    use tokio::sync::oneshot;

    use super::{super::tests::submission, *};
    use crate::engine::log::MemoryLog;

    #[test]
    fn what_came_again_is_answered_by_somebody_else() {
        let folder = tempfile::tempdir().unwrap();
        let (node, replay) =
            Node::open(Arc::new(MemoryLog::default()), folder.path(), "timebank.example/test").unwrap();
        let (outbox, _told) = mpsc::channel();
        let (repeats, repeated) = mpsc::channel();
        let (waiting, mut answer) = oneshot::channel();
        let batch = Batch {
            passed: Vec::new(),
            repeated: vec![(7, submission(waiting))],
            refused: Vec::new(),
            tried: Vec::new(),
            hashes: Vec::new(),
            root: replay.frontier.root(),
            version: replay.state.version().clone(),
            snapshot: None,
            bytes: 0,
        };
        // It reads nothing for it: that there is no such entry is found by whoever answers.
        assert!(Committer::new(node, outbox, repeats).commit(batch).unwrap().goes_on);
        assert_eq!(repeated.recv().unwrap().index, 7);
        assert!(answer.try_recv().is_err());
    }
}
