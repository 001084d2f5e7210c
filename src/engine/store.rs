//! The log on a disk, or in memory: blocks of entries, the tree's hashes, the root after every commit.

mod block;
mod checkpoint_file;
mod memory;
mod sled;

pub(crate) use self::checkpoint_file::{read_text, unnamed};
pub(crate) use self::sled::{SyncedDb, backend, snapshots_set_aside};
pub use self::{
    block::CHUNK_BYTES_MAX,
    checkpoint_file::{
        CheckpointFile, atomic_write, atomic_write_from, atomic_write_with, remove_temporary, sync_folder,
    },
    memory::{Fault, MemoryStore},
    sled::SledStore,
};
pub use crate::format::wire::StoredEntry;
use crate::merkle::{Hash, stored_hash_number};

/// What goes to the disk at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Entries, the first at the store's size.
    pub entries: Vec<StoredEntry>,
    /// Number of the first new tree hash.
    pub first_tree_hash: u64,
    /// New tree hashes in storage order, see `merkle::Frontier`.
    pub tree_hashes: Vec<Hash>,
    /// Root of the tree after the last entry.
    pub root: Hash,
}

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
    #[error("the log stands at {expected}, the commit begins at {found}")]
    Gap {
        /// Next entry or hash.
        expected: u64,
        /// Index of the entry, or number of the tree hash, that the commit has there.
        found: u64,
    },
    /// A node of the tree isn't there.
    #[error("tree hash {number} is missing")]
    TreeHashMissing {
        /// In storage order, from 0: see [`stored_hash_number`].
        number: u64,
    },
}

/// The log. Everything that [`LogStore::commit`] returned for is on the disk; readers see nothing else.
pub trait LogStore: Send + Sync {
    /// How many entries are durable: the next commit begins at this index.
    fn size(&self) -> u64;

    /// Makes entries durable.
    ///
    /// # Errors
    /// [`StoreError::Gap`] before anything is written; [`StoreError::SyncFailed`], after which the process has to end.
    fn commit(&self, commit: &Commit) -> Result<(), StoreError>;

    /// An entry, if there is one.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    fn entry(&self, index: u64) -> Result<Option<StoredEntry>, StoreError>;

    /// Entries from `from` on: at least one if there is one, and none after `bytes_max` are exceeded.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    fn entries(&self, from: u64, bytes_max: usize) -> Result<Vec<StoredEntry>, StoreError>;

    /// A stored hash of the tree.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    fn tree_hash(&self, number: u64) -> Result<Option<Hash>, StoreError>;

    /// A stored hash of the tree by its place, as proofs ask for it.
    ///
    /// # Errors
    /// As [`Self::tree_hash`]; [`StoreError::TreeHashMissing`].
    fn node(&self, level: u32, index: u64) -> Result<Hash, StoreError> {
        let number = stored_hash_number(level, index);
        self.tree_hash(number)?.ok_or(StoreError::TreeHashMissing { number })
    }

    /// The root that was kept with the newest commit.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    fn last_root(&self) -> Result<Option<Hash>, StoreError>;
}

/// Refuses a commit that doesn't begin where the log ends.
fn check_place(commit: &Commit, size: u64) -> Result<(), StoreError> {
    for (expected, entry) in (size..).zip(&commit.entries) {
        if entry.index != expected {
            return Err(StoreError::Gap { expected, found: entry.index });
        }
    }
    let expected = crate::merkle::stored_hash_count(size);
    if commit.first_tree_hash != expected {
        return Err(StoreError::Gap { expected, found: commit.first_tree_hash });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
