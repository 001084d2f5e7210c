//! Wakes whoever waits for sled where it has failed. sled 0.34.7 writes full buffers on threads of its own; where such a write
//! fails, it keeps the error and tells nobody (`Log::exit_reservation`), and a flush that waits by then would wait for ever.
//! Whoever writes next finds the error and wakes all who wait: so a thread writes nothing where a flush takes long.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use sled::{Batch, Db};

/// Between two looks. A flush that is the same at two of them has taken as long as a disk seldom does, and is woken in vain
/// where the disk is only slow: that writes some 30 bytes.
const LOOK: Duration = Duration::from_secs(1);

/// The thread, for as long as it is held.
#[derive(Debug)]
pub(super) struct Waker {
    /// Odd while a flush is under way.
    flushes: Arc<AtomicU64>,
    /// Hung up at the end.
    held: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Waker {
    /// Starts it.
    ///
    /// # Errors
    /// The thread can't be started.
    pub(super) fn start(db: Db) -> std::io::Result<Self> {
        let (held, ended) = mpsc::channel();
        let flushes = Arc::<AtomicU64>::default();
        let seen = Arc::clone(&flushes);
        // It does nothing else by itself: what is said of the error is said to whoever wakes up.
        let write_nothing = move || drop(db.apply_batch(Batch::default()));
        let thread =
            thread::Builder::new().name("wake".to_owned()).spawn(move || watch(&ended, &seen, write_nothing))?;
        Ok(Self { flushes, held: Some(held), thread: Some(thread) })
    }

    /// Flushes, and is woken.
    pub(super) fn during<T>(&self, flush: impl FnOnce() -> T) -> T {
        self.flushes.fetch_add(1, Ordering::AcqRel);
        let flushed = flush();
        self.flushes.fetch_add(1, Ordering::AcqRel);
        flushed
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.held = None;
        if let Some(Err(_panicked)) = self.thread.take().map(JoinHandle::join) {
            tracing::warn!("the thread that wakes whoever waits for the store has failed");
        }
    }
}

fn watch(ended: &Receiver<Infallible>, flushes: &AtomicU64, wake: impl Fn()) {
    let mut before = 0;
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK) {
        let now = flushes.load(Ordering::Acquire);
        if now == before && !now.is_multiple_of(2) {
            wake();
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;

    #[test]
    fn only_a_flush_that_takes_long_is_woken() {
        let (held, ended) = mpsc::channel();
        let (flushes, woken) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            let (flushes, woken) = (&flushes, &woken);
            scope.spawn(move || {
                watch(&ended, flushes, || {
                    woken.fetch_add(1, Ordering::Relaxed);
                });
            });
            for _ in 0..8 {
                // Each is another one.
                flushes.fetch_add(2, Ordering::Relaxed);
                thread::sleep(LOOK / 4);
            }
            assert_eq!(woken.load(Ordering::Relaxed), 0);
            flushes.fetch_add(1, Ordering::Relaxed);
            while woken.load(Ordering::Relaxed) == 0 {
                thread::sleep(LOOK / 4);
            }
            drop::<Sender<Infallible>>(held);
        });
    }

    #[test]
    fn a_store_that_is_woken_has_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let db = sled::Config::default().path(folder.path()).flush_every_ms(None).open().unwrap();
        let waker = Waker::start(db.clone()).unwrap();
        db.insert(b"key", b"value").unwrap();
        waker.during(|| {
            thread::sleep(LOOK * 3);
            db.flush().unwrap();
        });
        drop((waker, db));
        let db = sled::Config::default().path(folder.path()).flush_every_ms(None).open().unwrap();
        assert_eq!(db.get(b"key").unwrap().unwrap(), b"value");
        assert_eq!(db.len(), 1);
    }
}
