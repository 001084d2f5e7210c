//! How many commits a directory's store has had, noted beside it. A store of which the disk changed one bit opens with what came
//! before that bit, and says nothing: an import would bring again what it brought before.

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use sled::Batch;

use crate::engine::store::{StoreError, SyncedDb, atomic_write, backend, read_text};

/// The file beside the store.
const FILE: &str = "commits";
/// The store's own count; a key as all others are, of no source.
pub(super) const KEY: u8 = b'n';

/// The file, which is never ahead of the store.
#[derive(Debug)]
pub(super) struct Commits {
    file: File,
    path: PathBuf,
}

/// Number and checksum, of one length: written in one sector, in place.
fn line(number: u64) -> String {
    let text = format!("{number:020}");
    format!("{text} {:08x}\n", crc32fast::hash(text.as_bytes()))
}

fn number(text: &str) -> Option<u64> {
    let number = text.get(..20)?.parse().ok()?;
    (line(number) == text).then_some(number)
}

/// As many as the store says that it had; 0 of one that was made before they were counted.
fn of_store(synced: &SyncedDb) -> Result<u64, StoreError> {
    let count = synced.db.get([KEY, 0]).map_err(backend)?;
    Ok(count.and_then(|count| count.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// Whether a store has all the commits that are noted beside it; none where nothing was noted yet.
///
/// # Errors
/// [`StoreError::CommitsLost`], [`StoreError::CommitsUnknown`], [`StoreError::Io`].
pub(super) fn check(synced: &SyncedDb, folder: &Path) -> Result<Option<u64>, StoreError> {
    let path = folder.join(FILE);
    let found = of_store(synced)?;
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && found == 0 => return Ok(None),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
            return Err(StoreError::CommitsUnknown { path });
        }
        Err(source) => return Err(StoreError::Io { path, source }),
    };
    let noted = number(&text).ok_or(StoreError::CommitsUnknown { path })?;
    if noted > found {
        return Err(StoreError::CommitsLost { path: folder.to_owned(), noted, found });
    }
    Ok(Some(noted))
}

impl Commits {
    /// Those of a store that has all that are noted.
    ///
    /// # Errors
    /// As [`check`].
    pub(super) fn open(synced: &SyncedDb, folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let io = |source| StoreError::Io { path: path.clone(), source };
        if check(synced, folder)?.is_none() {
            atomic_write(&path, line(0).as_bytes(), 0o600).map_err(io)?;
        }
        let file = OpenOptions::new().write(true).open(&path).map_err(io)?;
        Ok(Self { file, path })
    }

    /// Applies a batch, and then notes that it was; both on the disk when this returns.
    ///
    /// # Errors
    /// The store can't be written.
    pub(super) fn commit(&self, synced: &SyncedDb, mut batch: Batch) -> Result<(), StoreError> {
        let number = of_store(synced)? + 1;
        batch.insert(&[KEY, 0], &number.to_be_bytes());
        synced.commit(batch)?;
        let written = self.file.write_all_at(line(number).as_bytes(), 0);
        written.map_err(|source| StoreError::Io { path: self.path.clone(), source })?;
        self.file.sync_data().map_err(StoreError::SyncFailed)
    }
}
