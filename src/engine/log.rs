//! The log on a disk, or in memory: blocks of entries, the tree's hashes, the root after every commit.

mod block;
mod memory;
mod sled;

pub use self::{
    memory::{Fault, MemoryLog},
    sled::SledLog,
};
use crate::engine::store::StoreError;
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

/// The log. Everything that [`Log::commit`] returned for is on the disk; readers see nothing else.
pub trait Log: Send + Sync {
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
