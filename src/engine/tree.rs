//! The hashes of the log's tree, each node's own: proofs, tiles and consistency come from here, and the root of any size.
//!
//! Row n is the n-th hash that became complete, see [`Frontier`]: at most 64 bytes an entry.

use std::{ops::Range, path::Path};

use crate::{
    engine::{
        log::Log,
        machine::MachinePath,
        past::PastError,
        pipeline::CHUNK_BYTES,
        projection::{
            ProjectionError,
            row_file::{FixedRow, RowFile},
        },
    },
    merkle::{
        self, Frontier, Hash, consistency_path, consistency_roots, leaf_hash, root_at, size_of_stored_hashes,
        stored_hash_count, stored_hash_number, verify_consistency, verify_inclusion,
    },
};

/// Its name in the folder of the projections.
const FILE: &str = "tree";

impl FixedRow for Hash {
    type Bytes = Self;

    fn to_bytes(&self) -> Self {
        *self
    }

    /// Any bytes are a hash: a proof that is made of a wrong one doesn't verify, and isn't given out.
    fn from_bytes(bytes: &Self) -> Option<Self> {
        Some(*bytes)
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
    pub fn open(folder: &MachinePath) -> Result<Self, ProjectionError> {
        RowFile::open(folder.join(FILE)).map(Self)
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

    /// How many hashes it has.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.0.len()
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

    /// The hashes that these entries made complete, in storage order, in one read.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub(crate) fn hashes_of(&self, entries: Range<u64>) -> Result<Vec<Hash>, ProjectionError> {
        self.0.read_range(stored_hash_count(entries.start)..stored_hash_count(entries.end))
    }

    /// A hash by its place, as proofs ask for it.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub fn node(&self, level: u32, index: u64) -> Result<Hash, ProjectionError> {
        self.hash(stored_hash_number(level, index))
    }

    /// Makes all hashes of the first `size` entries anew, and gives the edge that they end with. Nobody is shown any meanwhile.
    ///
    /// # Errors
    /// The log can't be read, or has fewer; the file can't be written.
    pub fn make_again(&self, log: &dyn Log, size: u64) -> Result<Frontier, PastError> {
        self.truncate(0)?;
        let mut frontier = Frontier::default();
        while frontier.size() < size {
            let (first, mut hashes) = (frontier.size(), Vec::new());
            for entry in log.entries(first, CHUNK_BYTES)?.iter().filter(|entry| entry.index < size) {
                frontier.append(leaf_hash(&entry.leaf()), |hash| hashes.push(hash));
            }
            if frontier.size() == first {
                let at = format!("entry {first}");
                return Err(crate::engine::store::StoreError::Corrupt { at, problem: "it is missing" }.into());
            }
            self.append(first, &hashes)?;
        }
        Ok(frontier)
    }

    /// That an entry is in the tree of this size and root: hashes from the leaf up, followed to the root before anybody gets
    /// them. What a damaged hash would make proves nothing.
    ///
    /// # Errors
    /// [`ProjectionError::Corrupt`]; as [`Self::hash`].
    pub fn inclusion_proof(&self, index: u64, (size, root): (u64, &Hash)) -> Result<Vec<Hash>, ProjectionError> {
        let proof = merkle::inclusion_proof(index, size, |level, at| self.node(level, at))?;
        let leaf = self.node(0, index)?;
        verify_inclusion(&leaf, index, size, &proof, root).map_err(|_damaged| self.damaged(index))?;
        Ok(proof)
    }

    /// The root over the first `size` entries of the tree of this size and root.
    ///
    /// # Errors
    /// As [`Self::inclusion_proof`].
    pub fn root_within(&self, size: u64, (whole, root): (u64, &Hash)) -> Result<Hash, ProjectionError> {
        if size == whole {
            return Ok(*root);
        }
        let path = consistency_path(size, whole, |level, at| self.node(level, at))?;
        let roots = consistency_roots(size, whole, &path).ok().filter(|(_, found)| found == root);
        roots.map(|(within, _)| within).ok_or_else(|| self.damaged(size))
    }

    /// That the first `old` entries begin the first `new` ones, of the tree of this size and root; and both roots.
    ///
    /// # Errors
    /// As [`Self::inclusion_proof`].
    pub fn consistency_proof(
        &self,
        (old, new): (u64, u64),
        whole: (u64, &Hash),
    ) -> Result<(Vec<Hash>, Hash, Hash), ProjectionError> {
        let (old_root, new_root) = (self.root_within(old, whole)?, self.root_within(new, whole)?);
        let proof = merkle::consistency_proof(old, new, |level, at| self.node(level, at))?;
        verify_consistency(old, &old_root, new, &new_root, &proof).map_err(|_damaged| self.damaged(old))?;
        Ok((proof, old_root, new_root))
    }

    /// Some hash beside or above an entry's leaf isn't what it was.
    fn damaged(&self, index: u64) -> ProjectionError {
        self.0.corrupt(stored_hash_number(0, index))
    }

    /// The root over the first `size` entries.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub fn root(&self, size: u64) -> Result<Hash, ProjectionError> {
        root_at(size, |level, index| self.node(level, index))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

    use std::os::unix::fs::FileExt as _;

    use super::*;
    use crate::engine::log::{Commit, MemoryLog, StoredEntry};

    /// Entries of the log.
    const SIZE: u64 = 77;

    fn log() -> (MemoryLog, Frontier) {
        let (log, mut frontier) = (MemoryLog::default(), Frontier::default());
        for index in 0..SIZE {
            let events = vec![bytes::Bytes::from_static(b"an event")];
            let header = bytes::Bytes::copy_from_slice(&index.to_be_bytes());
            let entry = StoredEntry { index, recorded_at_ms: 7, header, signatures: Vec::new(), events };
            frontier.append(leaf_hash(&entry.leaf()), |_| ());
            log.append(&Commit { entries: vec![entry], root: frontier.root() }).unwrap();
        }
        (log, frontier)
    }

    #[test]
    fn a_tree_is_made_of_the_log_and_no_longer_one_than_the_log() {
        let (folder, (log, frontier)) = (tempfile::tempdir().unwrap(), log());
        let tree = Tree::open(&folder.path().into()).unwrap();
        assert_eq!(tree.make_again(&log, SIZE).unwrap(), frontier);
        assert_eq!((tree.size(), tree.root(SIZE).unwrap()), (SIZE, frontier.root()));
        assert!(matches!(tree.make_again(&log, SIZE + 1), Err(PastError::Store(_))));
    }

    #[test]
    fn a_damaged_hash_makes_no_proof_that_proves_nothing() {
        let (folder, (log, frontier)) = (tempfile::tempdir().unwrap(), log());
        let tree = Tree::open(&folder.path().into()).unwrap();
        tree.make_again(&log, SIZE).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(folder.path().join(FILE)).unwrap();
        let (root, mut refused) = (frontier.root(), 0);
        for number in 0..tree.hashes() {
            let sound = tree.hash(number).unwrap();
            file.write_all_at(&sound.map(|byte| !byte), number * 32).unwrap();
            for index in (0..SIZE).step_by(7) {
                for size in [index + 1, SIZE] {
                    let proof = tree
                        .root_within(size, (SIZE, &root))
                        .and_then(|root| Ok((tree.inclusion_proof(index, (size, &root))?, root)));
                    let leaf = leaf_hash(&log.entry(index).unwrap().unwrap().leaf());
                    match proof {
                        Ok((proof, root)) => verify_inclusion(&leaf, index, size, &proof, &root).unwrap(),
                        Err(error) => {
                            refused += 1;
                            assert!(matches!(error, ProjectionError::Corrupt { .. }), "{error}");
                        }
                    }
                }
                let grown = tree.consistency_proof((index + 1, SIZE), (SIZE, &root));
                if let Ok((proof, old, new)) = grown {
                    assert_eq!(new, root);
                    verify_consistency(index + 1, &old, SIZE, &root, &proof).unwrap();
                }
            }
            file.write_all_at(&sound, number * 32).unwrap();
        }
        assert!(refused > SIZE, "{refused}");
        let sound = tree.inclusion_proof(5, (SIZE, &root)).unwrap();
        assert_eq!(sound.len(), 7);
    }
}
