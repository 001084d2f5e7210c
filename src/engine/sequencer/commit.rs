//! To the disk, then to the readers, then to those who wait: in this order.

use std::{
    sync::{Arc, mpsc::Sender},
    thread::JoinHandle,
};

use super::{
    Accepted, Submission,
    answer::Answers,
    batch::{Batch, Passed, Tried},
    fatal,
    publish::{Durable, Waiter},
    slot::Slot,
};
use crate::engine::{
    log::{Commit, Log},
    projection::{Committed, Projection},
    replay::StillReplay,
};

/// The committing thread's own.
pub(super) struct Committer {
    store: Arc<dyn Log>,
    projection: Arc<Projection>,
    outbox: Sender<Durable>,
    /// The thread that writes the newest snapshot.
    saving: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) const fn new(store: Arc<dyn Log>, projection: Arc<Projection>, outbox: Sender<Durable>) -> Self {
        Self { store, projection, outbox, saving: None }
    }

    /// Until the sequencer is gone.
    pub(super) fn run(mut self, inbox: &Slot) {
        while let Some(batch) = inbox.take() {
            self.commit(batch);
        }
        self.finish_saving();
    }

    fn commit(&mut self, mut batch: Batch) {
        let passed = std::mem::take(&mut batch.passed);
        let (entries, waiting): (Vec<_>, Vec<_>) =
            passed.into_iter().map(|Passed { entry, outcome, submission }| (entry, (outcome, submission))).unzip();
        let times: Vec<(u64, i64)> = entries.iter().map(|entry| (entry.index, entry.recorded_at_ms)).collect();
        if !entries.is_empty() {
            let commit = Commit {
                entries,
                first_tree_hash: batch.growth.first,
                tree_hashes: batch.growth.hashes,
                root: batch.root,
            };
            // Whether a failed sync wrote anything nobody knows: the next start finds out.
            if let Err(error) = self.store.commit(&commit) {
                fatal(&error.to_string());
            }
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
        let receipts = match self.projection.apply(&committed, batch.version, batch.root) {
            Ok(receipts) => receipts,
            Err(error) => fatal(&error.to_string()),
        };
        drop(committed);
        let (mut answers, mut waiters) = (Answers::default(), Vec::new());
        let mut answer = |receipt, submission: Submission| {
            if submission.published {
                waiters.push(Waiter { receipt, reply: submission.reply });
            } else {
                answers.add(submission.reply, Ok(Accepted { receipt, publication: None }));
            }
        };
        for (receipt, (_, submission)) in receipts.into_iter().zip(waiting) {
            answer(receipt, *submission);
        }
        for (index, submission) in batch.repeated {
            match self.projection.receipt(index) {
                Ok(Some(receipt)) => answer(receipt, *submission),
                Ok(None) => fatal("an entry that is durable has no receipt"),
                Err(error) => fatal(&error.to_string()),
            }
        }
        for (reply, error) in batch.refused {
            answers.add(reply, Err(error));
        }
        answers.deliver();
        for Tried { results, reflected_index, reply, permit } in batch.tried {
            // Nobody waits any more: nothing was written.
            let _gone = reply.send((results, reflected_index));
            drop(permit);
        }
        // The publisher is gone only when the process ends.
        let _gone = self.outbox.send(Durable { size: self.store.size(), root: batch.root, waiters });
        if let Some(replay) = batch.snapshot {
            self.save(replay);
        }
    }

    /// Saves a state beside the commits that follow. One at a time, so that no more than two are in memory.
    fn save(&mut self, replay: Box<StillReplay>) {
        let heads = self.projection.heads();
        self.finish_saving();
        let projection = Arc::clone(&self.projection);
        let save = move || {
            if let Err(error) = projection.save(&replay, &heads) {
                // A snapshot only saves time at the next start.
                tracing::warn!("the snapshot was not saved: {error}");
            }
        };
        match std::thread::Builder::new().name("snapshot".to_owned()).spawn(save) {
            Ok(saving) => self.saving = Some(saving),
            Err(error) => tracing::warn!("the snapshot was not saved: {error}"),
        }
    }

    fn finish_saving(&mut self) {
        if let Some(Err(_panicked)) = self.saving.take().map(JoinHandle::join) {
            tracing::warn!("the snapshot was not saved");
        }
    }
}
