//! The log on sled 0.34.7, used the way it holds.
//!
//! One tree, three runs of ascending keys: `b` || u64 first index || u16 chunk > block bytes; `t` || u64 first number >
//! tree hashes; `c` || u64 size > root. A commit is one batch, which sled applies whole or not at all. sled's `flush`
//! doesn't fsync on Linux: the file is synced through a descriptor of our own, kept open so that no error is missed.

use std::{
    collections::BTreeSet,
    fs::File,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use sled::{Batch, Db, IVec, Mode};

use super::{
    CHUNK_BYTES_MAX, Commit, LogStore, StoreError, StoredEntry, block, check_place, checkpoint_file::sync_folder,
};
use crate::merkle::{Hash, stored_hash_count};

/// Page cache: reads of the newest history mostly, and the operating system caches the rest.
const CACHE_BYTES: u64 = 256 * 1_024 * 1_024;
/// sled's threads let go of a store's lock a moment after it was closed, in this process or one that is ending: milliseconds,
/// on a busy machine some hundred.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Between two tries to get it.
const LOCK_POLL: Duration = Duration::from_millis(10);
/// Commits between two looks into `blobs/`.
const BLOBS_CHECK_COMMITS: u64 = 1_000;
/// Tree hashes of one value.
const HASHES_MAX: usize = CHUNK_BYTES_MAX / 32;
/// Bytes of one entry in a block at most: a sheet of 256 KiB, 1,000 length fields, and what is fixed.
const ENTRY_BYTES_MAX: usize = 300 * 1_024;

const BLOCK: u8 = b'b';
const TREE: u8 = b't';
const COMMIT: u8 = b'c';

/// sled in a folder, with the sync that its own flush leaves out.
#[derive(Debug)]
pub(crate) struct SyncedDb {
    pub(crate) db: Db,
    file: File,
    blobs: PathBuf,
    commits: AtomicU64,
}

impl SyncedDb {
    /// Opens or creates it.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: folder.to_owned(), source };
        let created = !folder.join("db").exists();
        std::fs::create_dir_all(folder).map_err(io)?;
        remove_half_written_snapshots(folder).map_err(io)?;
        let db = open_sled(folder)?;
        let file = File::open(folder.join("db")).map_err(io)?;
        if created {
            db.flush().map_err(backend)?;
            for entry in std::fs::read_dir(folder).map_err(io)? {
                let path = entry.map_err(io)?.path();
                File::open(&path).and_then(|file| file.sync_all()).map_err(StoreError::SyncFailed)?;
            }
            sync_folder(folder).map_err(StoreError::SyncFailed)?;
            folder.parent().map_or(Ok(()), sync_folder).map_err(StoreError::SyncFailed)?;
        }
        let synced = Self { db, file, blobs: folder.join("blobs"), commits: 0.into() };
        synced.check_blobs()?;
        Ok(synced)
    }

    /// Applies a batch, whole or not at all, and returns when it is on the disk.
    pub(crate) fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.db.apply_batch(batch).map_err(backend)?;
        // Both, in this order: flush hands sled's buffers to the kernel, sync_data takes them to the disk.
        self.db.flush().map_err(|error| StoreError::SyncFailed(std::io::Error::other(error)))?;
        self.file.sync_data().map_err(StoreError::SyncFailed)?;
        if self.commits.fetch_add(1, Ordering::Relaxed).is_multiple_of(BLOBS_CHECK_COMMITS) {
            self.check_blobs()?;
        }
        Ok(())
    }

    /// sled syncs nothing in `blobs/`; that our values stay out of it is an invariant.
    pub(crate) fn check_blobs(&self) -> Result<(), StoreError> {
        let empty = std::fs::read_dir(&self.blobs).map_or(true, |mut files| files.next().is_none());
        if empty { Ok(()) } else { Err(StoreError::BlobsNotEmpty { path: self.blobs.clone() }) }
    }
}

/// The log in a folder.
#[derive(Debug)]
pub struct SledStore {
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

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
pub(crate) fn backend(error: sled::Error) -> StoreError {
    let text = match &error {
        // sled keeps no more of it than its kind, and a text for programmers.
        sled::Error::Io(error) => std::io::Error::from(error.kind()).to_string(),
        sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::Corruption { .. } => error.to_string(),
    };
    StoreError::Backend(text)
}

impl SledStore {
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

impl LogStore for SledStore {
    fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let size = self.size();
        check_place(commit, size)?;
        let mut batch = Batch::default();
        for block in block::encode(&commit.entries) {
            for (chunk, bytes) in (0..).zip(block.bytes.chunks(CHUNK_BYTES_MAX)) {
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

/// A snapshot that sled was writing when it was stopped keeps it from opening; the log holds everything.
fn remove_half_written_snapshots(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn open_sled(folder: &Path) -> Result<Db, StoreError> {
    let config = sled::Config::default()
        .path(folder)
        .mode(Mode::HighThroughput)
        .cache_capacity(CACHE_BYTES)
        // Its thread would swallow the errors of a flush.
        .flush_every_ms(None);
    let mut opened = config.open();
    let deadline = Instant::now() + LOCK_WAIT;
    while opened.as_ref().is_err_and(is_locked) && Instant::now() < deadline {
        std::thread::sleep(LOCK_POLL);
        opened = config.open();
    }
    match opened {
        Ok(db) => Ok(db),
        Err(error) if is_locked(&error) => Err(StoreError::InUse { path: folder.to_owned() }),
        Err(error @ sled::Error::Corruption { .. }) => {
            let io = |source| StoreError::Io { path: folder.to_owned(), source };
            if !set_snapshots_aside(folder).map_err(io)? {
                return Err(backend(error));
            }
            tracing::warn!("the log's snapshot was damaged and is set aside; recovering from the log itself");
            config.open().map_err(backend)
        }
        Err(error) => Err(backend(error)),
    }
}

fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("lock"))
}

/// How the names of snapshots begin that were set aside.
const ASIDE_PREFIX: &str = "damaged-";

/// The names of the snapshots in a store's folder that were set aside as damaged.
pub(crate) fn snapshots_set_aside(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten();
    let names = files.filter_map(|file| Some(file.ok()?.file_name().to_string_lossy().into_owned()));
    names.filter(|name| name.starts_with(ASIDE_PREFIX)).collect()
}

/// Renames sled's snapshots; false where there are none.
fn set_snapshots_aside(folder: &Path) -> std::io::Result<bool> {
    let mut any = false;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("snap.") {
            std::fs::rename(entry.path(), folder.join(format!("{ASIDE_PREFIX}{}", name.to_string_lossy())))?;
            any = true;
        }
    }
    Ok(any)
}
