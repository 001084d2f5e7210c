//! The hashes of a log's tree in a file: what root any of its beginnings has, and the path from there to the whole.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

use super::scratch::buffered;
use crate::merkle::{
    Hash, consistency_path, consistency_roots, empty_root, root_at, size_of_stored_hashes, stored_hash_count,
    stored_hash_number,
};

const HASH_BYTES: u64 = 32;
/// Bytes that are copied at a time, whole hashes.
const COPY_BYTES: u64 = 256 * 1_024;

/// Hashes in the order in which they become complete ([`crate::merkle::Frontier::append`]), 32 bytes each: at most 64 bytes an
/// entry. Nothing that is read from it is believed before it leads to a root that is known from elsewhere, so a damaged file
/// shows nothing, and never something wrong.
#[derive(Debug)]
pub struct TreeFile {
    file: BufWriter<File>,
    flushed: bool,
}

/// The first entries of a log, by the tree over all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Root of the tree over the first entries alone.
    pub root: Hash,
    /// From them to all: see [`consistency_roots`]. Empty where they are all, or none.
    pub path: Vec<Hash>,
}

impl TreeFile {
    /// A fresh file in the system's temporary folder.
    ///
    /// # Errors
    /// It can't be made.
    pub fn temporary() -> io::Result<Self> {
        tempfile::tempfile().map(Self::of)
    }

    /// A file to go on with, cut to the hashes of so many entries; made where there is none.
    ///
    /// # Errors
    /// It can't be opened, or holds less.
    pub fn open(path: &Path, size: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let bytes = stored_hash_count(size).saturating_mul(HASH_BYTES);
        if file.metadata()?.len() < bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        file.set_len(bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self::of(file))
    }

    /// A file that is only read.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn read(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self::of)
    }

    fn of(file: File) -> Self {
        Self { file: buffered(file), flushed: true }
    }

    /// Entries whose hashes are there, if all of the file is.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn size(&mut self) -> io::Result<u64> {
        self.flush()?;
        let hashes = self.file.get_ref().metadata()?.len() / HASH_BYTES;
        Ok(size_of_stored_hashes(hashes))
    }

    /// Adds a hash.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn push(&mut self, hash: &Hash) -> io::Result<()> {
        self.flushed = false;
        self.file.write_all(hash)
    }

    /// Brings everything to the disk.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.get_ref().sync_data()
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.flushed {
            self.file.flush()?;
            self.flushed = true;
        }
        Ok(())
    }

    fn node(&self, level: u32, index: u64) -> io::Result<Hash> {
        let mut hash = Hash::default();
        let place = stored_hash_number(level, index).saturating_mul(HASH_BYTES);
        self.file.get_ref().read_exact_at(&mut hash, place)?;
        Ok(hash)
    }

    /// Whether the file's first hashes are those of a tree of this size and root, as far as its right edge shows.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn leads_to(&mut self, (size, root): (u64, Hash)) -> io::Result<bool> {
        self.flush()?;
        Ok(if_long_enough(root_at(size, |level, index| self.node(level, index)))? == Some(root))
    }

    /// The first `old` entries of the history with this size and root; none where it has fewer, or where the file doesn't
    /// lead to that root.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn beginning(&mut self, (size, root): (u64, Hash), old: u64) -> io::Result<Option<Beginning>> {
        if old == 0 || old == size {
            let root = if old == 0 { empty_root() } else { root };
            return Ok(Some(Beginning { root, path: Vec::new() }));
        }
        self.flush()?;
        let Some(path) = if_long_enough(consistency_path(old, size, |level, index| self.node(level, index)))? else {
            return Ok(None);
        };
        let roots = consistency_roots(old, size, &path).ok().filter(|(_, now)| *now == root);
        Ok(roots.map(|(then, _)| Beginning { root: then, path }))
    }

    /// Copies the hashes that came with these entries.
    ///
    /// # Errors
    /// The file can't be read, or `into` not be written.
    pub fn copy(&mut self, entries: Range<u64>, into: &mut impl Write) -> io::Result<()> {
        self.flush()?;
        let place = |size| stored_hash_count(size).saturating_mul(HASH_BYTES);
        let (mut at, end) = (place(entries.start), place(entries.end));
        let mut buffer = Vec::new();
        while at < end {
            let bytes = (end - at).min(COPY_BYTES);
            buffer.resize(usize::try_from(bytes).map_err(io::Error::other)?, 0);
            self.file.get_ref().read_exact_at(&mut buffer, at)?;
            into.write_all(&buffer)?;
            at += bytes;
        }
        Ok(())
    }
}

/// The first entry in which two histories differ that are known not to have the same beginning; none where one of the files
/// doesn't lead to its root.
///
/// # Errors
/// A file can't be read.
pub fn first_difference(
    (one, one_whole): (&mut TreeFile, (u64, Hash)),
    (other, other_whole): (&mut TreeFile, (u64, Hash)),
) -> io::Result<Option<u64>> {
    // Beginnings up to `same` are the same, and from `differ` on they differ.
    let (mut same, mut differ) = (0, one_whole.0.min(other_whole.0));
    while differ > same + 1 {
        let middle = u64::midpoint(same, differ);
        let (Some(one), Some(other)) = (one.beginning(one_whole, middle)?, other.beginning(other_whole, middle)?)
        else {
            return Ok(None);
        };
        if one.root == other.root {
            same = middle;
        } else {
            differ = middle;
        }
    }
    Ok((differ > same).then_some(same))
}

/// A file that ends early is as good as a damaged one.
fn if_long_enough<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::merkle::{Frontier, leaf_hash};

    /// The tree over so many entries, of which those from `fork` on are of another history.
    fn tree(size: u64, fork: u64) -> (TreeFile, Vec<Hash>) {
        let (mut file, mut frontier, mut roots) =
            (TreeFile::temporary().unwrap(), Frontier::default(), vec![empty_root()]);
        for index in 0..size {
            let entry = [index.to_be_bytes(), u64::from(index >= fork).to_be_bytes()].concat();
            frontier.append(leaf_hash(&entry), |hash| file.push(&hash).unwrap());
            roots.push(frontier.root());
        }
        (file, roots)
    }

    fn whole(roots: &[Hash]) -> (u64, Hash) {
        (roots.len() as u64 - 1, *roots.last().unwrap())
    }

    #[test]
    fn every_beginning_has_its_root() {
        for size in 1..40 {
            let (mut file, roots) = tree(size, u64::MAX);
            assert!(file.leads_to(whole(&roots)).unwrap());
            assert_eq!(file.size().unwrap(), size);
            for old in 0..=size {
                let beginning = file.beginning(whole(&roots), old).unwrap().unwrap();
                assert_eq!(Some(&beginning.root), roots.get(usize::try_from(old).unwrap()), "{old} of {size}");
            }
            assert_eq!(file.beginning((size, [7; 32]), size - 1).unwrap().is_some(), size == 1, "another root");
        }
    }

    #[test]
    fn a_damaged_file_shows_nothing() {
        let (mut file, roots) = tree(37, u64::MAX);
        file.flush().unwrap();
        for number in 0..stored_hash_count(37) {
            file.file.get_ref().write_all_at(&[0xff], number * HASH_BYTES + 5).unwrap();
            for old in 1..37 {
                if let Some(beginning) = file.beginning(whole(&roots), old).unwrap() {
                    assert_eq!(Some(&beginning.root), roots.get(usize::try_from(old).unwrap()), "{number}, {old}");
                }
            }
            let (good, _) = tree(37, u64::MAX);
            file = good;
            file.flush().unwrap();
        }
        file.file.get_ref().set_len(100).unwrap();
        assert_eq!(file.beginning(whole(&roots), 20).unwrap(), None);
        assert!(!file.leads_to(whole(&roots)).unwrap());
    }

    #[test]
    fn the_first_entry_that_differs_is_found_wherever_it_is() {
        for (size, other_size) in [(1, 1), (2, 1), (9, 9), (20, 33), (33, 20)] {
            let (mut file, roots) = tree(size, u64::MAX);
            for fork in 0..size.min(other_size) {
                let (mut other, other_roots) = tree(other_size, fork);
                let found = first_difference((&mut file, whole(&roots)), (&mut other, whole(&other_roots))).unwrap();
                assert_eq!(found, Some(fork), "{size} and {other_size}");
            }
        }
    }

    #[test]
    fn a_copy_of_what_came_later_goes_on_with_what_was_there() {
        let (mut file, roots) = tree(21, u64::MAX);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tree");
        let mut copied = Vec::new();
        file.copy(0..13, &mut copied).unwrap();
        copied.extend([9; 40]);
        std::fs::write(&path, &copied).unwrap();
        let mut rest = Vec::new();
        file.copy(13..21, &mut rest).unwrap();
        let mut kept = TreeFile::open(&path, 13).unwrap();
        for hash in rest.as_chunks::<32>().0 {
            kept.push(hash).unwrap();
        }
        kept.sync().unwrap();
        assert!(TreeFile::read(&path).unwrap().leads_to(whole(&roots)).unwrap());
        assert!(TreeFile::open(&path, 22).is_err(), "it holds less");
    }
}
