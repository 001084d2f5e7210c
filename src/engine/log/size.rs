//! How many entries are durable, for those who wait for more.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A size that only grows.
#[derive(Debug, Default)]
pub(super) struct Size {
    now: AtomicU64,
    /// Held while it changes, so that nobody begins to wait in between.
    changing: Mutex<()>,
    grown: Condvar,
}

impl Size {
    pub(super) fn get(&self) -> u64 {
        self.now.load(Ordering::Acquire)
    }

    pub(super) fn set(&self, size: u64) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.now.store(size, Ordering::Release);
        self.grown.notify_all();
    }

    /// Waits until it is more than `size`, or for so long.
    pub(super) fn wait(&self, size: u64, at_most: Duration) -> u64 {
        let changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.grown.wait_timeout_while(changing, at_most, |()| self.get() <= size));
        self.get()
    }
}
