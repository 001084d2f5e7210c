//! What keeps bytes on a disk: sled with the sync that it leaves out, and small files that are replaced whole.

mod file;
mod synced;

pub use self::file::{
    CheckpointFile, atomic_write, atomic_write_from, atomic_write_with, remove_temporary, rename, sync_folder,
};
pub(crate) use self::{
    file::{folder_of, read_text, unnamed},
    synced::{SyncedDb, VALUE_BYTES_MAX, backend, snapshots_set_aside},
};

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A sync failed: nobody knows what is on the disk. The process has to end; syncing again would report success for
    /// pages that were dropped.
    #[error("the disk did not take what was written: {0}. Check the disk; the next start finds what is there")]
    SyncFailed(std::io::Error),
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file; the store's folder where one within it can't be told.
        path: std::path::PathBuf,
        /// From reading, writing or syncing it.
        source: std::io::Error,
    },
    /// Another process has the folder.
    #[error("{path} is in use by another process: stop that one, or choose another data folder")]
    InUse {
        /// The folder of the store, which the other process holds locked.
        path: std::path::PathBuf,
    },
    /// The embedded store failed.
    #[error("the log's store failed: {0}")]
    Backend(String),
    /// sled put a value into a file of its own, which it never syncs.
    #[error("{path} is not empty: sled would not sync what is in it. Stop, and restore from the log's last checkpoint")]
    BlobsNotEmpty {
        /// The folder `blobs` of the store.
        path: std::path::PathBuf,
    },
    /// Bytes that no commit wrote.
    #[error("the log is damaged at {at}: {problem}")]
    Corrupt {
        /// The damaged part as people read it: `block 17`, `commit 5`, `entry 3`.
        at: String,
        /// A clause about that part, such as `an entry is cut off`.
        problem: &'static str,
    },
    /// Entries have to come one after another.
    #[error("entry {expected} is missing in what is to be written: {found} follows")]
    Gap {
        /// Index of the next entry.
        expected: u64,
        /// Index of the entry that stands there.
        found: u64,
    },
    /// The log goes on without this writer. What the writer had acknowledged before is in it.
    #[error(
        "the log has {found} entries where {expected} were expected: somebody else writes to it, or has taken over. Only one          may; see that no other service runs for this ledger, then start again"
    )]
    Fenced {
        /// Entries that this writer knew of.
        expected: u64,
        /// Entries that the log has.
        found: u64,
    },
}
