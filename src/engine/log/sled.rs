//! The log on sled 0.34.7, used the way it holds.
//!
//! One tree, three runs of ascending keys: `b` || u64 first index || u16 chunk > block bytes; `t` || u64 first number >
//! tree hashes; `c` || u64 size > root. A commit is one batch, which sled applies whole or not at all. sled's `flush`
//! doesn't fsync on Linux: the file is synced through a descriptor of our own, kept open so that no error is missed.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::BytesMut;
use sled::{Batch, IVec};

use super::{Commit, Log, StoredEntry, block, check_place};
use crate::{
    engine::store::{StoreError, SyncedDb, VALUE_BYTES_MAX, backend},
    merkle::{Hash, stored_hash_count},
};

/// Tree hashes of one value.
const HASHES_MAX: usize = VALUE_BYTES_MAX / 32;
/// Bytes of one entry in a block at most: a sheet of 256 KiB, 1,000 length fields, and what is fixed.
const ENTRY_BYTES_MAX: usize = 300 * 1_024;

const BLOCK: u8 = b'b';
const TREE: u8 = b't';
const COMMIT: u8 = b'c';

/// The log in a folder.
#[derive(Debug)]
pub struct SledLog {
    synced: SyncedDb,
    size: AtomicU64,
}

fn key(prefix: u8, number: u64) -> [u8; 9] {
    let mut key = [prefix; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

fn block_key(index: u64, chunk: u16) -> [u8; 11] {
    let mut bytes = [0; 11];
    bytes[..9].copy_from_slice(&key(BLOCK, index));
    bytes[9..].copy_from_slice(&chunk.to_be_bytes());
    bytes
}

fn number_of(key: &[u8]) -> Option<u64> {
    key.get(1..9)?.try_into().ok().map(u64::from_be_bytes)
}

impl SledLog {
    /// Opens or creates the log in a folder.
    ///
    /// # Errors
    /// In this order: the folder can't be made; another process has it; sled can't recover it; `blobs/` isn't empty; the
    /// newest commit isn't whole.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let store = Self { synced: SyncedDb::open(folder)?, size: 0.into() };
        store.recover()?;
        Ok(store)
    }

    /// Finds the newest commit and looks whether it is whole.
    fn recover(&self) -> Result<(), StoreError> {
        let newest = self.last(COMMIT)?.and_then(|(key, _)| number_of(&key));
        let size = newest.unwrap_or(0);
        self.size.store(size, Ordering::Release);
        let corrupt = |problem| StoreError::Corrupt { at: format!("commit {size}"), problem };
        if size > 0 && self.entry(size - 1)?.is_none() {
            return Err(corrupt("its last entry is missing"));
        }
        let hashes = stored_hash_count(size);
        if size > 0 && self.tree_hash(hashes - 1)?.is_none() {
            return Err(corrupt("its last tree hash is missing"));
        }
        Ok(())
    }

    /// Looks whether `blobs/` is empty, as it has to be: sled syncs nothing in it.
    ///
    /// # Errors
    /// [`StoreError::BlobsNotEmpty`].
    pub fn check_blobs(&self) -> Result<(), StoreError> {
        self.synced.check_blobs()
    }

    /// The root that was kept with the commit that ended at this size, if one did.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn commit_root(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        let root = self.synced.db.get(key(COMMIT, size)).map_err(backend)?;
        Ok(root.map(|root| root.as_ref().try_into().unwrap_or_default()))
    }

    /// Gives keys that no commit up to the log's size makes, in words, but for what a gap in them hides.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn stray_keys(&self, found: &mut dyn FnMut(String)) -> Result<(), StoreError> {
        let size = self.size();
        let hashes = stored_hash_count(size);
        let name = |key: &[u8]| match (key.first(), number_of(key), key.len()) {
            (Some(&BLOCK), Some(index), 11) if index < size => None,
            (Some(&TREE), Some(number), 9) if number < hashes => None,
            (Some(&COMMIT), Some(after), 9) if after <= size => None,
            (Some(&BLOCK), Some(index), 11) => Some(format!("block {index}")),
            (Some(&TREE), Some(number), 9) => Some(format!("tree hashes {number}")),
            _ => Some(format!("key {}", hex::encode(key))),
        };
        for row in self.synced.db.iter().keys() {
            name(&row.map_err(backend)?).into_iter().for_each(&mut *found);
        }
        Ok(())
    }

    /// The last key of a run, with its value.
    fn last(&self, prefix: u8) -> Result<Option<(IVec, IVec)>, StoreError> {
        self.synced.db.range([prefix]..[prefix + 1]).next_back().transpose().map_err(backend)
    }

    /// The last key up to `upper`, with its value.
    fn last_up_to(&self, prefix: u8, upper: &[u8]) -> Result<Option<(IVec, IVec)>, StoreError> {
        self.synced.db.range([prefix].as_slice()..=upper).next_back().transpose().map_err(backend)
    }

    /// The block that an entry is in.
    fn block_of(&self, index: u64) -> Result<Option<Vec<StoredEntry>>, StoreError> {
        let Some((key, value)) = self.last_up_to(BLOCK, &block_key(index, 0))? else { return Ok(None) };
        let first_index = number_of(&key).unwrap_or(0);
        let corrupt = |problem| StoreError::Corrupt { at: format!("block {first_index}"), problem };
        let mut bytes = BytesMut::from(value.as_ref());
        let end = block::first_entry_end(&value).ok_or_else(|| corrupt("it is too short"))?;
        if end > ENTRY_BYTES_MAX {
            return Err(corrupt("an entry is longer than any may be"));
        }
        let mut chunk = 0;
        while bytes.len() < end {
            chunk += 1;
            let more = self.synced.db.get(block_key(first_index, chunk)).map_err(backend)?;
            bytes.extend_from_slice(&more.ok_or_else(|| corrupt("a part of it is missing"))?);
        }
        block::decode(first_index, bytes).map(Some)
    }
}

impl Log for SledLog {
    fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let size = self.size();
        check_place(commit, size)?;
        let mut batch = Batch::default();
        for block in block::encode(&commit.entries) {
            for (chunk, bytes) in (0..).zip(block.bytes.chunks(VALUE_BYTES_MAX)) {
                batch.insert(&block_key(block.first_index, chunk), bytes);
            }
        }
        let mut number = commit.first_tree_hash;
        for hashes in commit.tree_hashes.chunks(HASHES_MAX) {
            batch.insert(&key(TREE, number), hashes.as_flattened());
            number += hashes.len() as u64;
        }
        let after = size + commit.entries.len() as u64;
        batch.insert(&key(COMMIT, after), &commit.root);
        self.synced.commit(batch)?;
        self.size.store(after, Ordering::Release);
        Ok(())
    }

    fn entry(&self, index: u64) -> Result<Option<StoredEntry>, StoreError> {
        if index >= self.size() {
            return Ok(None);
        }
        let block = self.block_of(index)?;
        Ok(block.and_then(|entries| entries.into_iter().find(|entry| entry.index == index)))
    }

    fn entries(&self, from: u64, bytes_max: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let (size, mut next, mut bytes, mut entries) = (self.size(), from, 0, Vec::new());
        while next < size && bytes < bytes_max {
            let block = self.block_of(next).map(|block| {
                let entries = block.unwrap_or_default().into_iter();
                entries.filter(|entry| entry.index >= next && entry.index < size).collect::<Vec<_>>()
            });
            match block {
                Ok(block) if !block.is_empty() => {
                    for entry in block {
                        bytes += entry.header.len() + entry.events.iter().map(bytes::Bytes::len).sum::<usize>();
                        entries.push(entry);
                    }
                }
                // What is before the damage is given; the next call begins with it.
                _ if !entries.is_empty() => break,
                Ok(_) => return Err(StoreError::Corrupt { at: format!("entry {next}"), problem: "it is missing" }),
                Err(error) => return Err(error),
            }
            next = from + entries.len() as u64;
        }
        Ok(entries)
    }

    fn tree_hash(&self, number: u64) -> Result<Option<Hash>, StoreError> {
        if number >= stored_hash_count(self.size()) {
            return Ok(None);
        }
        let Some((key, value)) = self.last_up_to(TREE, &key(TREE, number))? else { return Ok(None) };
        let first = number_of(&key).unwrap_or(0);
        let at = usize::try_from(number - first).unwrap_or(usize::MAX).saturating_mul(32);
        Ok(value.get(at..at.saturating_add(32)).and_then(|hash| hash.try_into().ok()))
    }

    fn last_root(&self) -> Result<Option<Hash>, StoreError> {
        self.commit_root(self.size())
    }
}
