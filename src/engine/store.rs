//! What keeps bytes on a disk: sled with the sync that it leaves out, and small files that are replaced whole.

mod file;
mod shortage;
mod synced;
mod waker;

pub use self::file::{
    CheckpointFile, atomic_write, atomic_write_from, atomic_write_with, remove_temporary, rename, sync_folder,
};
pub(crate) use self::{
    file::{NotReplaced, folder_of, private_folder, read_text, rename_synced, replace, unnamed},
    shortage::{is_short, patiently, room_for_descriptors, room_for_threads},
    synced::{SyncedDb, VALUE_BYTES_MAX, backend, set_aside},
};

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A sync failed: nobody knows what is on the disk. The process has to end; syncing again would report success for
    /// pages that were dropped.
    #[error("the disk did not take what was written: {0}. Check the disk; the next start finds what is there")]
    SyncFailed(#[source] std::io::Error),
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file; the store's folder where one within it can't be told.
        path: std::path::PathBuf,
        /// From reading, writing or syncing it.
        source: std::io::Error,
    },
    /// The log's file is not where it was opened any more: the next start would find another one, or none.
    #[error(
        "{path} was deleted, moved or replaced while it was written to, so nothing more is recorded: the next start would not \
         find it. If the folder was moved, put it back; otherwise restore it from a backup, whose log has to reach \
         `checkpoint`. Mirrors and auditors may have entries that the backup lacks"
    )]
    NotInPlace {
        /// Where the file was opened.
        path: std::path::PathBuf,
    },
    /// Another process has the folder.
    #[error("{path} is in use by another process: stop that one, or choose another data folder")]
    InUse {
        /// The folder of the store, which the other process holds locked.
        path: std::path::PathBuf,
    },
    /// The file system failed below the embedded store, which doesn't say at which file.
    #[error("the log's store failed: {0}")]
    BackendIo(#[source] std::io::Error),
    /// The embedded store failed.
    #[error("the log's store failed: {0}")]
    Backend(String),
    /// sled put a value into a file of its own, which it never syncs.
    #[error("{path} is not empty: sled would not sync what is in it. Stop, and restore from the log's last checkpoint")]
    BlobsNotEmpty {
        /// The folder `blobs` of the store.
        path: std::path::PathBuf,
    },
    /// A store opens with fewer commits than were noted beside it.
    #[error(
        "{path} is damaged: it had {noted} commits and opens with {found}, so links of imports are lost. Move it away, and \
         put that of a backup of the same day as the log's in its place, or import with `--adopt`"
    )]
    CommitsLost {
        /// The folder of the store.
        path: std::path::PathBuf,
        /// How many there were.
        noted: u64,
        /// How many there are.
        found: u64,
    },
    /// How many commits a store had is noted no more, or not to be read.
    #[error(
        "{path} is missing or damaged: nobody can tell whether links of imports are lost. Move its folder away, and put that \
         of a backup of the same day as the log's in its place, or import with `--adopt`"
    )]
    CommitsUnknown {
        /// The file beside the store.
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
        "the log has {found} entries where {expected} were expected: somebody else writes to it, or has taken over. Only one \
         may; see that no other service runs for this ledger, then start again"
    )]
    Fenced {
        /// Entries that this writer knew of.
        expected: u64,
        /// Entries that the log has.
        found: u64,
    },
}
