//! The next commit, growing while the last one is on its way to the disk.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::batch::Batch;

#[derive(Default)]
struct Contents {
    batch: Option<Batch>,
    closed: bool,
}

impl Contents {
    fn add(&mut self, batch: Batch) {
        match &mut self.batch {
            Some(waiting) => waiting.append(batch),
            none => *none = Some(batch),
        }
    }
}

/// Closes a slot when it is dropped, in whatever way its owner ends.
pub(super) struct Closing<'a> {
    slot: &'a Slot,
    /// Nobody takes what waits any more.
    of_taker: bool,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut contents = self.slot.contents();
        contents.closed = true;
        // Those who wait for an answer are told that there will be none.
        let unwanted = if self.of_taker { contents.batch.take() } else { None };
        self.slot.changed.notify_all();
        drop(contents);
        drop(unwanted);
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

    /// Adds a batch to what waits; waits itself while that is full. False in a slot that is closed: nobody takes it.
    #[must_use]
    pub(super) fn put(&self, batch: Batch) -> bool {
        let full = |contents: &mut Contents| contents.batch.as_ref().is_some_and(Batch::is_full) && !contents.closed;
        let mut contents = self.changed.wait_while(self.contents(), full).unwrap_or_else(PoisonError::into_inner);
        if contents.closed {
            return false;
        }
        contents.add(batch);
        self.changed.notify_all();
        true
    }

    /// The same, for whoever can't wait: a batch that finds a full one comes back.
    pub(super) fn offer(&self, batch: Batch) -> Result<(), Box<Batch>> {
        let mut contents = self.contents();
        if contents.batch.as_ref().is_some_and(Batch::is_full) {
            return Err(Box::new(batch));
        }
        contents.add(batch);
        Ok(())
    }

    /// Whether a batch waits.
    pub(super) fn waits(&self) -> bool {
        self.contents().batch.is_some()
    }

    /// Nobody puts anything more once what comes back is dropped.
    pub(super) const fn putting(&self) -> Closing<'_> {
        Closing { slot: self, of_taker: false }
    }

    /// Nobody takes anything more once what comes back is dropped.
    pub(super) const fn taking(&self) -> Closing<'_> {
        Closing { slot: self, of_taker: true }
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
