//! The hashes of the log's tree, each node's own: proofs, tiles and consistency come from here, and the root of any size.
//!
//! Row n is the n-th hash that became complete, see [`Frontier`](crate::merkle::Frontier): at most 64 bytes an entry.

use std::path::Path;

use crate::{
    engine::projection::{
        ProjectionError,
        rows::{FixedRow, RowFile},
    },
    merkle::{Hash, root_at, size_of_stored_hashes, stored_hash_count, stored_hash_number},
};

/// Its name in the folder of the projections.
const FILE: &str = "tree";

impl FixedRow for Hash {
    type Bytes = Self;

    fn to_bytes(&self) -> Self {
        *self
    }

    fn from_bytes(bytes: &Self) -> Self {
        *bytes
    }
}

/// The file. It grows after the log's sync, and is synced before a checkpoint is signed; a start cuts what its snapshot
/// doesn't reach, and replays it.
#[derive(Debug)]
pub struct Tree(RowFile<Hash>);

impl Tree {
    /// Opens or creates the file in the folder of the projections.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn open(folder: &Path) -> Result<Self, ProjectionError> {
        RowFile::open(&folder.join(FILE)).map(Self)
    }

    /// That of a folder that nobody serves, for somebody who changes nothing; none where it isn't there.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn read(folder: &Path) -> Result<Option<Self>, ProjectionError> {
        Ok(RowFile::read_only(&folder.join(FILE))?.map(Self))
    }

    /// An empty one without a name.
    #[cfg(test)]
    pub(crate) fn temporary() -> std::io::Result<Self> {
        Ok(Self(RowFile::temporary(tempfile::tempfile()?)))
    }

    /// Puts the hashes at the end that entries after the first `size` made complete.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn append(&self, size: u64, hashes: &[Hash]) -> Result<(), ProjectionError> {
        self.0.append(stored_hash_count(size), hashes)
    }

    /// Entries whose hashes it has, all of them.
    #[must_use]
    pub fn size(&self) -> u64 {
        size_of_stored_hashes(self.0.len())
    }

    /// Goes back to the hashes of so many entries.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn truncate(&self, size: u64) -> Result<(), ProjectionError> {
        self.0.truncate(stored_hash_count(size))
    }

    /// Brings the hashes to the disk.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn sync(&self) -> Result<(), ProjectionError> {
        self.0.sync()
    }

    /// A hash by its number in storage order.
    ///
    /// # Errors
    /// [`ProjectionError::Io`]; also where there is none.
    pub fn hash(&self, number: u64) -> Result<Hash, ProjectionError> {
        self.0.read(number)
    }

    /// A hash by its place, as proofs ask for it.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub fn node(&self, level: u32, index: u64) -> Result<Hash, ProjectionError> {
        self.hash(stored_hash_number(level, index))
    }

    /// The root over the first `size` entries.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub fn root(&self, size: u64) -> Result<Hash, ProjectionError> {
        root_at(size, |level, index| self.node(level, index))
    }
}
