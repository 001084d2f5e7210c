//! sled 0.34.7, used the way it holds. Its `flush` doesn't fsync on Linux: the file is synced through a descriptor of our
//! own, kept open so that no error is missed.

use std::{
    collections::BTreeSet,
    fs::File,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use sled::{Batch, Db, Mode};

use super::{
    StoreError,
    file::{folder_of, numbered, private_folder, rename},
    shortage::room_for_threads,
    waker::Waker,
};
use crate::engine::now;

/// Longest value: sled moves a leaf (up to 17 values) of more than a quarter of a segment, 131,072 bytes, into a file
/// that it never syncs. 17 x 7,000 = 119,000 leaves room for keys.
pub(crate) const VALUE_BYTES_MAX: usize = 7_000;
/// Page cache: reads of the newest history mostly, and the operating system caches the rest.
const CACHE_BYTES: u64 = 256 * 1_024 * 1_024;
/// sled's threads let go of a store's lock a moment after it was closed, in this process or one that is ending: milliseconds,
/// on a busy machine some hundred.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Between two tries to get it.
const LOCK_POLL: Duration = Duration::from_millis(10);
/// Threads that sled starts first of all. It goes on without those that can't be started; without any it waits for ever.
const SLED_THREADS: usize = 7;
/// Commits between two looks into `blobs/`.
const BLOBS_CHECK_COMMITS: u64 = 1_000;

/// sled in a folder, with the sync that its own flush leaves out.
#[derive(Debug)]
pub(crate) struct SyncedDb {
    pub(crate) db: Db,
    waker: Waker,
    file: File,
    path: PathBuf,
    blobs: PathBuf,
    commits: AtomicU64,
}

impl SyncedDb {
    /// Opens or creates it.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: folder.to_owned(), source };
        private_folder(folder).map_err(io)?;
        remove_half_written_snapshots(folder).map_err(io)?;
        set_settings_aside(folder).map_err(io)?;
        room_for_threads(SLED_THREADS).map_err(io)?;
        let db = open_sled(folder)?;
        let path = folder.join("db");
        let file = File::open(&path).map_err(io)?;
        // Of an old one too: who made it, or wrote to it last, may have been killed before the sync, and what is in it is shown.
        db.flush().map_err(backend)?;
        sync_whole(folder)?;
        let waker = Waker::start(db.clone()).map_err(io)?;
        let synced = Self { db, waker, file, path, blobs: folder.join("blobs"), commits: 0.into() };
        synced.check_blobs()?;
        Ok(synced)
    }

    /// Applies a batch, whole or not at all, and returns when it is on the disk.
    pub(crate) fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.db.apply_batch(batch).map_err(backend)?;
        // Both, in this order: flush hands sled's buffers to the kernel, sync_data takes them to the disk.
        self.waker.during(|| self.db.flush()).map_err(not_flushed)?;
        self.file.sync_data().map_err(StoreError::SyncFailed)?;
        self.check_place()?;
        if self.commits.fetch_add(1, Ordering::Relaxed).is_multiple_of(BLOBS_CHECK_COMMITS) {
            self.check_blobs()?;
        }
        Ok(())
    }

    /// What is written to a file that has lost its name is gone with the process. What can't be looked at just now says nothing.
    pub(crate) fn check_place(&self) -> Result<(), StoreError> {
        let is_in_place = match (self.file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
            (Ok(_), Err(error)) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
            (Err(_), _) => true,
        };
        if is_in_place { Ok(()) } else { Err(StoreError::NotInPlace { path: self.path.clone() }) }
    }

    /// sled syncs nothing in `blobs/`; that our values stay out of it is an invariant.
    pub(crate) fn check_blobs(&self) -> Result<(), StoreError> {
        let empty = std::fs::read_dir(&self.blobs).map_or(true, |mut files| files.next().is_none());
        if empty { Ok(()) } else { Err(StoreError::BlobsNotEmpty { path: self.blobs.clone() }) }
    }
}

/// Brings a store to the disk: its files, their names, and its own. Snapshots sled syncs itself, and could do without.
fn sync_whole(folder: &Path) -> Result<(), StoreError> {
    let files = [SETTINGS, "blobs", "db"].map(|name| folder.join(name));
    for path in files.iter().map(PathBuf::as_path).chain([folder, folder_of(folder)]) {
        let file = File::open(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
        file.sync_all().map_err(StoreError::SyncFailed)?;
    }
    Ok(())
}

fn not_flushed(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) => StoreError::SyncFailed(of_system(&error)),
        error @ (sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::Corruption { .. }) => backend(error),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
pub(crate) fn backend(error: sled::Error) -> StoreError {
    match &error {
        sled::Error::Io(error) => StoreError::BackendIo(of_system(error)),
        sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::Corruption { .. } => StoreError::Backend(error.to_string()),
    }
}

/// The system's error. sled keeps no more of it than its kind, and a text for programmers with its number.
fn of_system(error: &std::io::Error) -> std::io::Error {
    let known = error.raw_os_error().map(std::io::Error::from_raw_os_error);
    known.or_else(|| numbered(&error.to_string(), "code: ")).unwrap_or_else(|| error.kind().into())
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
    let deadline = now::monotonic() + LOCK_WAIT;
    while opened.as_ref().is_err_and(is_locked) && now::monotonic() < deadline {
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
            tracing::warn!(
                "{}: the store's snapshot was damaged and is set aside; recovering from the store itself",
                folder.display()
            );
            config.open().map_err(backend)
        }
        // Whoever may not read it, and a disk that fails: nothing that is said of the log.
        Err(sled::Error::Io(error)) => Err(StoreError::Io { path: folder.to_owned(), source: of_system(&error) }),
        Err(error) => Err(backend(error)),
    }
}

fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("lock"))
}

/// How the names of files begin that were set aside.
const ASIDE_PREFIX: &str = "damaged-";
/// sled's settings: what it was made with, which never changes here, and the CRC-32 of that.
const SETTINGS: &str = "conf";
/// Bytes up to which sled itself takes its settings for none, and writes them.
const NO_SETTINGS_BYTES: usize = 8;

/// The files in a store's folder that were set aside as damaged: their names, and which they are, as one may take the place of an
/// older one.
pub(crate) fn set_aside(folder: &Path) -> BTreeSet<(String, u64)> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named =
        files.filter_map(|file| Some((file.file_name().to_string_lossy().into_owned(), file.metadata().ok()?.ino())));
    named.filter(|(name, _)| name.starts_with(ASIDE_PREFIX)).collect()
}

/// Renames sled's snapshots; false where there are none.
fn set_snapshots_aside(folder: &Path) -> std::io::Result<bool> {
    let mut any = false;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("snap.") {
            rename(&entry.path(), &folder.join(format!("{ASIDE_PREFIX}{}", name.to_string_lossy())))?;
            any = true;
        }
    }
    Ok(any)
}

/// sled writes its settings without a sync, and opens no store whose settings a power cut left in part.
fn set_settings_aside(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(SETTINGS);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let is_whole = |(settings, sum): (&[u8], &[u8; 4])| crc32fast::hash(settings).to_le_bytes() == *sum;
    if bytes.len() <= NO_SETTINGS_BYTES || bytes.split_last_chunk().is_some_and(is_whole) {
        return Ok(());
    }
    tracing::warn!(
        "{}: the store's settings were damaged and are set aside; they are always the same",
        folder.display()
    );
    rename(&path, &folder.join(format!("{ASIDE_PREFIX}{SETTINGS}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;

    #[test]
    fn a_store_whose_settings_were_cut_off_anywhere_or_are_zeros_opens() {
        let folder = tempfile::tempdir().unwrap();
        drop(SyncedDb::open(folder.path()).unwrap());
        let path = folder.path().join(SETTINGS);
        let whole = std::fs::read(&path).unwrap();
        let cut_off = (0..whole.len()).step_by(9).chain([whole.len() - 1]).map(|end| whole[..end].to_vec());
        for left in cut_off.chain([vec![0; whole.len()]]) {
            std::fs::write(&path, &left).unwrap();
            drop(SyncedDb::open(folder.path()).unwrap());
            assert_eq!(std::fs::read(&path).unwrap(), whole, "after {left:?}");
        }
        assert!(set_aside(folder.path()).iter().any(|(name, _)| name == "damaged-conf"));
    }
}
