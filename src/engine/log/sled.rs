//! The log on sled 0.34.7, used the way it holds.
//!
//! One tree, two runs of ascending keys: `b` || u64 first index || u16 chunk > block bytes; `c` || u64 size > root. A commit
//! is one batch, which sled applies whole or not at all. Up to version 0.2 a third run, `t` || u64 first number, held the
//! hashes of the tree; where it is, it stays, and nobody reads it.

use std::{path::Path, time::Duration};

use bytes::BytesMut;
use sled::{Batch, IVec};

use super::{Appended, Commit, Log, StoredEntry, block, fenced, size::Size};
use crate::{
    engine::store::{StoreError, SyncedDb, VALUE_BYTES_MAX, backend},
    merkle::{Hash, stored_hash_count},
};

/// Bytes of one entry in a block at most: a sheet of 256 KiB, 1,000 length fields, and what is fixed.
const ENTRY_BYTES_MAX: usize = 300 * 1_024;

const BLOCK: u8 = b'b';
const COMMIT: u8 = b'c';
/// Tree hashes of older versions.
const TREE: u8 = b't';

/// The log in a folder.
#[derive(Debug)]
pub(super) struct SledLog {
    synced: SyncedDb,
    size: Size,
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
    /// Opens or creates the log in a folder, and looks whether its newest commit is whole.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let log = Self { synced: SyncedDb::open(folder)?, size: Size::default() };
        let newest = log.last(COMMIT)?.and_then(|(key, _)| number_of(&key));
        let size = newest.unwrap_or(0);
        log.size.set(size);
        if size > 0 && log.entry(size - 1)?.is_none() {
            return Err(StoreError::Corrupt { at: format!("commit {size}"), problem: "its last entry is missing" });
        }
        Ok(log)
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
        self.size.get()
    }

    fn wait(&self, size: u64, at_most: Duration) -> u64 {
        self.size.wait(size, at_most)
    }

    /// sled's lock keeps other processes out, and what it fails at it may have half done: there is nothing to try again.
    fn append(&self, commit: &Commit) -> Result<Appended, StoreError> {
        if let Some(fenced) = fenced(commit, self.size())? {
            return Ok(fenced);
        }
        let (_, after) = commit.sizes();
        let mut batch = Batch::default();
        for block in block::encode(&commit.entries) {
            for (chunk, bytes) in (0..).zip(block.bytes.chunks(VALUE_BYTES_MAX)) {
                batch.insert(&block_key(block.first_index, chunk), bytes);
            }
        }
        batch.insert(&key(COMMIT, after), &commit.root);
        self.synced.commit(batch)?;
        self.size.set(after);
        Ok(Appended::Done)
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

    fn root(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        let root = self.synced.db.get(key(COMMIT, size)).map_err(backend)?;
        Ok(root.map(|root| root.as_ref().try_into().unwrap_or_default()))
    }

    fn check_place(&self) -> Result<(), StoreError> {
        self.synced.check_place()
    }

    /// Keys that no commit up to the log's size makes, but for what a gap in them hides.
    fn check(&self, found: &mut dyn FnMut(String)) -> Result<(), StoreError> {
        self.synced.check_blobs()?;
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
}
