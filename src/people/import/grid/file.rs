//! The bytes of a file, whole and at rest.

use std::{
    fs::{File, Metadata},
    io::{ErrorKind, Read},
    path::Path,
    time::Duration,
};

use super::Problem;

/// Largest file in bytes: a year of a big city is 100 MB, and all of it is held in memory.
pub(crate) const FILE_BYTES_MAX: u64 = 1_024 * 1_024 * 1_024;

/// Reads a file.
///
/// # Errors
///
/// In this order: [`Problem::Missing`], [`Problem::Folder`], [`Problem::Long`], [`Problem::Unreadable`],
/// [`Problem::Changing`], [`Problem::Empty`].
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let unreadable = |error: std::io::Error| {
        if error.kind() == ErrorKind::NotFound { Problem::Missing } else { Problem::Unreadable(error) }
    };
    // Asked by name first: Windows opens no folder.
    if std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Err(Problem::Folder);
    }
    let file = File::open(path).map_err(unreadable)?;
    let before = file.metadata().map_err(unreadable)?;
    if before.len() > FILE_BYTES_MAX {
        return Err(Problem::Long { bytes: before.len(), most: FILE_BYTES_MAX });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0));
    (&file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let read = bytes.len() as u64;
    if read > FILE_BYTES_MAX {
        return Err(Problem::Long { bytes: read, most: FILE_BYTES_MAX });
    }
    at_rest(&before, &file.metadata().map_err(unreadable)?, read)?;
    // Who saves by renaming leaves the open file as it was, and another under its name.
    if before.is_file() {
        at_rest(&before, &std::fs::metadata(path).map_err(unreadable)?, read)?;
    }
    if is_written_on(path, &before) {
        return Err(Problem::Changing);
    }
    if bytes.is_empty() {
        return Err(Problem::Empty);
    }
    Ok(bytes)
}

/// How long ago a file was changed that may still be written, and how long it is then watched.
const FRESH: Duration = Duration::from_secs(1);
const WATCHED: Duration = Duration::from_millis(100);

/// Whether a file that was changed a moment ago is being written on: a program that exports row by row takes its time.
pub(super) fn is_written_on(path: &Path, before: &Metadata) -> bool {
    let age = before.modified().ok().and_then(|modified| modified.elapsed().ok());
    if !before.is_file() || age.is_none_or(|age| age > FRESH) {
        return false;
    }
    std::thread::sleep(WATCHED);
    let after = std::fs::metadata(path).ok();
    after.is_none_or(|after| after.len() != before.len() || after.modified().ok() != before.modified().ok())
}

/// Whether a file stayed as it was while so many bytes were read; a pipe has no length to keep.
pub(super) fn at_rest(before: &Metadata, after: &Metadata, read: u64) -> Result<(), Problem> {
    let moved = before.len() != after.len() || before.modified().ok() != after.modified().ok() || read != after.len();
    if before.is_file() && moved { Err(Problem::Changing) } else { Ok(()) }
}

/// A note about a program that has the file open, by the lock file it keeps beside it.
pub(super) fn open_in(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let locks = [("LibreOffice", format!(".~lock.{name}#")), ("Excel", format!("~${name}"))];
    let (program, lock) = locks.into_iter().find(|(_, lock)| path.with_file_name(lock).exists())?;
    Some(format!("is open in {program} (lock file {lock}): what isn't saved there isn't read"))
}
