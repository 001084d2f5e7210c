//! The next commit, growing while the last one is on its way to the disk.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::batch::Batch;

#[derive(Default)]
struct Contents {
    batch: Option<Batch>,
    closed: bool,
}

/// Closes a slot when it is dropped.
pub(super) struct Closing<'a>(&'a Slot);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
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

    /// Adds a batch to what waits; waits itself while that is full. In a slot that is closed it is dropped, and with it
    /// whoever waits for an answer is told that there will be none.
    pub(super) fn put(&self, batch: Batch) {
        let full = |contents: &mut Contents| contents.batch.as_ref().is_some_and(Batch::is_full) && !contents.closed;
        let mut contents = self.changed.wait_while(self.contents(), full).unwrap_or_else(PoisonError::into_inner);
        if contents.closed {
            return;
        }
        match &mut contents.batch {
            Some(waiting) => waiting.append(batch),
            none => *none = Some(batch),
        }
        self.changed.notify_all();
    }

    /// Closes the slot at the end of what comes back, in whatever way that is: nobody puts anything more, or nobody takes it.
    pub(super) const fn closing(&self) -> Closing<'_> {
        Closing(self)
    }

    fn close(&self) {
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
