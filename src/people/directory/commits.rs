//! How many commits a directory's store has had, noted beside it. A store of which the disk changed one bit opens with what came
//! before that bit, and says nothing: an import would bring again what it brought before.

use std::{fs::OpenOptions, io::ErrorKind, os::unix::fs::FileExt, path::Path};

use sled::Batch;

use crate::engine::store::{StoreError, SyncedDb, atomic_write, backend, read_text};

/// The file beside the store, which is never ahead of it.
const FILE: &str = "commits";
/// The store's own count; a key as all others are, of no source.
pub(super) const KEY: u8 = b'n';

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

/// Holds what a store opened with to what is noted beside it. A store that has none, and of which none are noted, was made before
/// they were counted, or just now.
fn compare(folder: &Path, found: u64) -> Result<(), StoreError> {
    let path = folder.join(FILE);
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && found == 0 => return Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
            return Err(StoreError::CommitsUnknown { path });
        }
        Err(source) => return Err(StoreError::Io { path, source }),
    };
    let noted = number(&text).ok_or(StoreError::CommitsUnknown { path })?;
    if noted > found { Err(StoreError::CommitsLost { path: folder.to_owned(), noted, found }) } else { Ok(()) }
}

/// Whether a store has all the commits that are noted beside it.
///
/// # Errors
/// [`StoreError::CommitsLost`], [`StoreError::CommitsUnknown`], [`StoreError::Io`].
pub(super) fn check(synced: &SyncedDb, folder: &Path) -> Result<(), StoreError> {
    compare(folder, of_store(synced)?)
}

/// Whether there never was a store where there is none.
///
/// # Errors
/// As of [`check`].
pub(super) fn check_none(folder: &Path) -> Result<(), StoreError> {
    compare(folder, 0)
}

/// Applies a batch, and then notes that it was; both on the disk when this returns.
///
/// # Errors
/// The store can't be written.
pub(super) fn commit(synced: &SyncedDb, folder: &Path, mut batch: Batch) -> Result<(), StoreError> {
    let path = folder.join(FILE);
    let io = |source| StoreError::Io { path: path.clone(), source };
    let number = of_store(synced)? + 1;
    if number == 1 {
        // There before the store counts: from then on it is missed.
        atomic_write(&path, line(0).as_bytes(), 0o600).map_err(io)?;
    }
    let file = OpenOptions::new().write(true).open(&path).map_err(io)?;
    batch.insert(&[KEY, 0], &number.to_be_bytes());
    synced.commit(batch)?;
    file.write_all_at(line(number).as_bytes(), 0).map_err(io)?;
    file.sync_data().map_err(StoreError::SyncFailed)
}
