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

use sled::Db;

/// Between two looks. A flush that is the same at two of them has taken as long as a disk seldom does, and is woken in vain
/// where the disk is only slow: that writes some 30 bytes.
const LOOK: Duration = Duration::from_secs(1);

/// No commit writes it.
const NOBODYS_KEY: &[u8] = b"wake";

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
        let thread = thread::Builder::new()
            .name("wake".to_owned())
            .spawn(move || watch(&ended, &seen, || write_nothing(&db)))?;
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

/// Writes that a key which nobody has is removed. A batch, even one of nothing, would wait for the very flush that is to be woken, and
/// keep all who read away meanwhile: it takes sled's lock for itself, which a flush has with those who read.
fn write_nothing(db: &Db) {
    // What is said of the error is said to whoever wakes up.
    drop(db.compare_and_swap(NOBODYS_KEY, None::<&[u8]>, None::<&[u8]>));
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

    use std::sync::Mutex;

    use super::*;

    #[test]
    fn only_a_flush_that_takes_long_is_woken() {
        let (held, ended) = mpsc::channel();
        let (flushes, woken) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            let (flushes, woken) = (&flushes, &woken);
            flushes.store(1, Ordering::Relaxed);
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
            while woken.load(Ordering::Relaxed) == 0 {
                thread::sleep(LOOK / 4);
            }
            drop::<Sender<Infallible>>(held);
        });
    }

    /// A flush has sled's lock for as long as it waits, with others who only read. So has a merge while its operator works.
    #[test]
    fn whoever_wakes_waits_for_no_flush_and_keeps_nobody_from_reading() {
        let folder = tempfile::tempdir().unwrap();
        let db = sled::Config::default().path(folder.path()).flush_every_ms(None).open().unwrap();
        // As in every commit: from here on sled takes locks.
        db.apply_batch(sled::Batch::default()).unwrap();
        let (entered, is_in) = mpsc::channel();
        let (release, released) = mpsc::channel::<Infallible>();
        let (entered, released) = (Mutex::new(entered), Mutex::new(released));
        db.set_merge_operator(move |_: &[u8], _: Option<&[u8]>, new: &[u8]| {
            // Hung up where it is asked once more.
            entered.lock().unwrap().send(()).unwrap();
            assert!(released.lock().unwrap().recv().is_err());
            Some(new.to_vec())
        });
        thread::scope(|scope| {
            scope.spawn(|| db.merge(b"key", b"value").unwrap());
            is_in.recv().unwrap();
            let (woke, has_woken) = mpsc::channel();
            let db = &db;
            scope.spawn(move || {
                write_nothing(db);
                woke.send(db.get(b"other").unwrap()).unwrap();
            });
            let woken = has_woken.recv_timeout(Duration::from_secs(10));
            drop(release);
            assert_eq!(woken, Ok(None));
        });
        assert_eq!(db.iter().count(), 1);
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
