//! The next commit, growing while the last one is on its way to the disk.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::batch::Batch;

#[derive(Default)]
struct Contents {
    batch: Option<Batch>,
    closed: bool,
}

/// Holds at most one batch. Whatever comes while it waits is added to it: the busier the disk, the bigger the commits.
#[derive(Default)]
pub(super) struct Slot {
    contents: Mutex<Contents>,
    changed: Condvar,
}

impl Slot {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch to what waits; waits itself while that is full.
    pub(super) fn put(&self, batch: Batch) {
        let full = |contents: &mut Contents| contents.batch.as_ref().is_some_and(Batch::is_full);
        let mut contents = self.changed.wait_while(self.contents(), full).unwrap_or_else(PoisonError::into_inner);
        match &mut contents.batch {
            Some(waiting) => waiting.append(batch),
            none => *none = Some(batch),
        }
        self.changed.notify_all();
    }

    /// Nothing more will be put.
    pub(super) fn close(&self) {
        self.contents().closed = true;
        self.changed.notify_all();
    }

    /// Waits until no batch waits: what comes next is the beginning of the next commit.
    pub(super) fn wait_empty(&self) {
        let waiting = |contents: &mut Contents| contents.batch.is_some() && !contents.closed;
        drop(self.changed.wait_while(self.contents(), waiting).unwrap_or_else(PoisonError::into_inner));
    }

    /// The batch that waits, once there is one; nothing when there never will be.
    pub(super) fn take(&self) -> Option<Batch> {
        let empty = |contents: &mut Contents| contents.batch.is_none() && !contents.closed;
        let mut contents = self.changed.wait_while(self.contents(), empty).unwrap_or_else(PoisonError::into_inner);
        let batch = contents.batch.take();
        self.changed.notify_all();
        batch
    }
}
