//! The log: entries in order, and who may add the next ones. It is all that has to be kept or replicated. The tree, its
//! hashes and every projection follow from it, and each node works them out for itself.

mod block;
mod memory;
mod settle;
mod size;
mod sled;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc, time::Duration};

pub use self::memory::{Fault, MemoryLog};
pub(crate) use self::settle::settle;
use self::sled::SledLog;
use crate::engine::store::StoreError;
pub use crate::format::wire::StoredEntry;
use crate::merkle::Hash;

/// What is appended at once, whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// At least one entry. The index of the first is the size that the log is expected to have.
    pub entries: Vec<StoredEntry>,
    /// Root of the tree after the last entry, kept beside them: whoever replays them comes to the same one, or somebody's
    /// rules or disk are at fault.
    pub root: Hash,
}

impl Commit {
    /// Entries that the log has before it and after it.
    #[must_use]
    pub fn sizes(&self) -> (u64, u64) {
        let at = self.entries.first().map_or(0, |entry| entry.index);
        (at, at + self.entries.len() as u64)
    }
}

/// What became of an append.
#[derive(Debug)]
pub enum Appended {
    /// It is durable.
    Done,
    /// Nothing of it is in the log, nor will be. The same may be appended again.
    NotApplied(StoreError),
    /// The log has another size than expected, or takes nothing more from this writer: somebody else leads. Nothing of it
    /// is in the log, unless an earlier append of the same, whose outcome was unknown, went in after all.
    Fenced {
        /// Entries that the log has.
        size: u64,
    },
    /// It may be in the log, be there later, or never: read back, and compare.
    Unknown(StoreError),
}

/// The log. What an append is [`Appended::Done`] for is durable; readers see nothing else.
pub trait Log: Send + Sync {
    /// How many entries are durable: the next append begins at this index. It never gets smaller.
    fn size(&self) -> u64;

    /// Waits until there are more than `size` entries, or for so long; how many there are then.
    fn wait(&self, size: u64, at_most: Duration) -> u64;

    /// Adds entries at the end of a log that has the expected size.
    ///
    /// # Errors
    /// Those after which nobody knows what a further append would mean, as [`StoreError::SyncFailed`]: the process has to
    /// end. [`StoreError::Gap`] for entries that don't follow each other.
    fn append(&self, commit: &Commit) -> Result<Appended, StoreError>;

    /// An entry, if there is one.
    ///
    /// # Errors
    /// The log can't be read, or is damaged.
    fn entry(&self, index: u64) -> Result<Option<StoredEntry>, StoreError>;

    /// Entries from `from` on: at least one if there is one, and none after `bytes_max` are exceeded.
    ///
    /// # Errors
    /// The log can't be read, or is damaged.
    fn entries(&self, from: u64, bytes_max: usize) -> Result<Vec<StoredEntry>, StoreError>;

    /// The root that was kept with the commit that ended at this size, if one did.
    ///
    /// # Errors
    /// The log can't be read.
    fn root(&self, size: u64) -> Result<Option<Hash>, StoreError>;

    /// That a next start finds what was appended where it looks for it.
    ///
    /// # Errors
    /// [`StoreError::NotInPlace`].
    fn check_place(&self) -> Result<(), StoreError>;

    /// Looks for what no append leaves, and tells it in words.
    ///
    /// # Errors
    /// The log can't be read; [`StoreError::BlobsNotEmpty`].
    fn check(&self, found: &mut dyn FnMut(String)) -> Result<(), StoreError>;
}

impl std::fmt::Debug for dyn Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("size", &self.size()).finish_non_exhaustive()
    }
}

/// Opens or creates the log of a data folder: on sled, in a folder of its own.
///
/// # Errors
/// In this order: the folder can't be made; another process has it; sled can't recover it; `blobs/` isn't empty; the
/// newest commit isn't whole.
pub fn open(folder: &Path) -> Result<Arc<dyn Log>, StoreError> {
    Ok(Arc::new(SledLog::open(folder)?))
}

/// Refuses entries that don't follow each other, and gives the outcome of those that don't begin where a log ends.
fn fenced(commit: &Commit, size: u64) -> Result<Option<Appended>, StoreError> {
    let (at, _) = commit.sizes();
    match (at..).zip(&commit.entries).find(|(expected, entry)| entry.index != *expected) {
        Some((expected, entry)) => Err(StoreError::Gap { expected, found: entry.index }),
        None => Ok((at != size).then_some(Appended::Fenced { size })),
    }
}
