//! Where reads run that take a while, and how many of them at a time.

use std::sync::Arc;

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, spawn_blocking},
};

use super::failure::ReadError;

/// Reads of rows at a time. A cold page of 200 rows is 200 reads of a disk, one after another, in which its thread waits: in
/// `benches/reads.rs` one at a time gave 255 such pages a second, four 477 and eight 663. Warm ones were
/// slower with fewer, too.
const ROW_READS_MAX: usize = 8;
/// Reads of whole entries at a time: a page of details decodes up to 800 sheets of 256 KiB, one after another, and must not
/// take both cores from the writer.
const ENTRY_READS_MAX: usize = 1;
/// Searches at a time: each looks at every account there is.
const SEARCHES_MAX: usize = 1;
/// Files of the tree put together at a time: a bundle of the largest sheets reads 64 MiB for its 21 KiB, and must not do so
/// as often as anybody asks. Two, so that one such doesn't hold up everybody's small ones.
const FILES_MAX: usize = 2;
/// Digests at a time: each reads every row there is.
const DIGESTS_MAX: usize = 1;

/// What a read takes its time for: each kind has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Some rows, of files or of tables: pages of histories without details and of lists, balances as of the past, receipts,
    /// proofs, and entries that go out as they are.
    Rows,
    /// Whole entries that are decoded: records, and pages of histories with details.
    Entries,
    /// All accounts.
    Searches,
}

/// The limits. Copies share them.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    rows: Arc<Semaphore>,
    entries: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    files: Arc<Semaphore>,
    digests: Arc<Semaphore>,
}

impl Default for Lanes {
    fn default() -> Self {
        let lane = |most| Arc::new(Semaphore::new(most));
        Self {
            rows: lane(ROW_READS_MAX),
            entries: lane(ENTRY_READS_MAX),
            searches: lane(SEARCHES_MAX),
            files: lane(FILES_MAX),
            digests: lane(DIGESTS_MAX),
        }
    }
}

impl Lanes {
    /// A place in a lane, once there is one.
    pub(super) async fn enter(&self, lane: Lane) -> Result<OwnedSemaphorePermit, ReadError> {
        let lane = match lane {
            Lane::Rows => &self.rows,
            Lane::Entries => &self.entries,
            Lane::Searches => &self.searches,
        };
        wait(lane).await
    }

    /// A place among those who put files together, once there is one.
    pub(super) async fn enter_files(&self) -> Result<OwnedSemaphorePermit, ReadError> {
        wait(&self.files).await
    }

    /// The place of the one who makes a digest: nobody waits for minutes.
    pub(super) fn enter_digests(&self) -> Result<OwnedSemaphorePermit, ReadError> {
        Arc::clone(&self.digests).try_acquire_owned().map_err(|_taken| ReadError::DigestBusy)
    }
}

async fn wait(lane: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ReadError> {
    Arc::clone(lane).acquire_owned().await.map_err(|_closed| ReadError::ShuttingDown)
}

/// Reads beside the thread that asks: others of it go on meanwhile.
pub(super) async fn beside<T: Send + 'static>(
    place: OwnedSemaphorePermit,
    read: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    let read = move || {
        // Given back when the read is over, not when whoever asked is gone.
        let _place = place;
        read()
    };
    spawn_blocking(read).await.unwrap_or_else(|ended| Err(unfinished(&ended)))
}

/// Why a read ended without a result: the service goes down, or it failed.
fn unfinished(ended: &JoinError) -> ReadError {
    if ended.is_cancelled() { ReadError::ShuttingDown } else { ReadError::damaged(ended.to_string()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_place_is_given_back_when_the_read_is_over_and_not_when_its_asker_is_gone() {
        let lanes = Lanes::default();
        let (go_on, held_up) = mpsc::channel::<()>();
        let place = lanes.enter(Lane::Entries).await.unwrap();
        let read = beside(place, move || {
            held_up.recv().unwrap();
            Ok(())
        });
        let gone = tokio::time::timeout(std::time::Duration::from_millis(20), read).await;
        assert!(gone.is_err(), "it is held up");
        assert_eq!(lanes.entries.available_permits(), 0);
        go_on.send(()).unwrap();
        drop(lanes.enter(Lane::Entries).await.unwrap());
    }

    #[tokio::test]
    async fn a_second_digest_is_refused_and_one_that_failed_makes_room() {
        let lanes = Lanes::default();
        let place = lanes.enter_digests().unwrap();
        assert_eq!(lanes.enter_digests().map(drop), Err(ReadError::DigestBusy));
        let failed: Result<(), ReadError> = beside(place, || panic!("on purpose")).await;
        assert!(matches!(failed, Err(ReadError::Failed { .. })), "{failed:?}");
        assert!(lanes.enter_digests().is_ok());
    }

    #[tokio::test]
    async fn work_that_was_called_off_is_the_end_of_the_service_and_no_failure() {
        let work = tokio::spawn(std::future::pending::<()>());
        work.abort();
        assert_eq!(unfinished(&work.await.unwrap_err()), ReadError::ShuttingDown);
    }
}
