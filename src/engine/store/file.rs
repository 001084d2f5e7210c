//! Small files that are replaced whole: written beside, synced, renamed, the folder synced.

use std::{
    fs::File,
    io::{Error, ErrorKind, Read, Write},
    path::Path,
};

use super::StoreError;
use crate::engine::machine::{FromTheStart, Machine, MachineFolder, MachinePath, OwnMachine, ToTheEnd};

/// How the names of files begin that are not finished.
const TEMPORARY_PREFIX: &str = ".timebank-";

/// Replaces a file so that after a power cut it is the old one or the new one.
///
/// # Errors
/// Those of the file system; the old file is untouched then.
pub fn atomic_write(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    atomic_write_from(folder_of(path), path, bytes, mode)
}

/// The same, written in another folder of the same file system before it gets its name: what a kill leaves behind is in
/// one place then.
///
/// # Errors
/// As [`atomic_write`].
pub fn atomic_write_from(beside: &Path, path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    atomic_write_with(beside, path, mode, |file| file.write_all(bytes))
}

/// The same, of bytes that come one after another and never lie in memory all at once.
///
/// # Errors
/// As [`atomic_write`]; those of `write`.
pub fn atomic_write_with(
    beside: &Path,
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let folder = OwnMachine.open_folder(folder_of(path))?;
    replace((&OwnMachine, folder.as_ref()), beside, (path, mode), write).map_err(NotReplaced::into_io)
}

/// Why a file was not replaced.
pub(crate) enum NotReplaced {
    /// The old one is untouched, and the same may be tried again.
    AsBefore(std::io::Error),
    /// The new one may have its name, not to be found after a power cut: some file systems say no to what they did.
    Unknown(std::io::Error),
    /// A sync failed: nobody knows what is on the disk.
    SyncFailed(std::io::Error),
}

impl NotReplaced {
    /// The system's error, for those to whom both are the same.
    pub(crate) fn into_io(self) -> std::io::Error {
        match self {
            Self::AsBefore(error) | Self::Unknown(error) | Self::SyncFailed(error) => error,
        }
    }
}

/// Replaces a file in a folder that is open already: once the file has its name, no descriptor that may be lacking just then
/// is needed to bring the name to the disk.
pub(crate) fn replace(
    (machine, folder): (&dyn Machine, &dyn MachineFolder),
    beside: &Path,
    (path, mode): (&Path, u32),
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), NotReplaced> {
    let made = machine.create_temporary(beside, TEMPORARY_PREFIX, mode).map_err(unnamed);
    let (unfinished, file) = made.map_err(NotReplaced::AsBefore)?;
    let written = write(&mut FromTheStart::new(file.as_ref())).map_err(NotReplaced::AsBefore);
    let synced = written.and_then(|()| file.sync_all().map_err(NotReplaced::SyncFailed));
    let named = synced.and_then(|()| machine.rename(&unfinished, path).map_err(NotReplaced::Unknown));
    if named.is_err() {
        // Nothing more can be done of it here.
        let _left = machine.remove(&unfinished);
    }
    named?;
    folder.sync().map_err(NotReplaced::SyncFailed)
}

/// Makes a folder, and those above it that aren't there, for their owner alone: it has who served when, and names of people.
///
/// # Errors
/// Those of the file system.
pub(crate) fn private_folder(folder: &Path) -> std::io::Result<()> {
    OwnMachine.make_folder(folder)
}

/// A file of text, whole: what holds something else is said to.
pub(crate) fn read_text(path: &Path) -> std::io::Result<String> {
    let other = |_error| std::io::Error::new(ErrorKind::InvalidData, "it holds something else than text");
    String::from_utf8(std::fs::read(path)?).map_err(other)
}

/// An error of making a temporary file, without its path: nobody asked for that file.
pub(crate) fn unnamed(error: std::io::Error) -> std::io::Error {
    let text = error.to_string();
    let named = |(problem, _path)| numbered(problem, "os error ").unwrap_or_else(|| Error::new(error.kind(), problem));
    text.split_once(" at path ").map(named).unwrap_or(error)
}

/// The system's error, of a library that keeps no more of it than a text with its number behind a mark.
pub(super) fn numbered(text: &str, mark: &str) -> Option<Error> {
    let (_, rest) = text.split_once(mark)?;
    let number = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    number.parse().ok().map(Error::from_raw_os_error)
}

/// Removes what a kill left behind in a folder that nobody else is writing to.
///
/// # Errors
/// Those of the file system.
pub fn remove_temporary(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) && entry.file_type()?.is_file() {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Brings a folder's list of names to the disk.
///
/// # Errors
/// Those of the file system.
pub fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Gives a file or folder another name, so that a power cut doesn't undo it.
///
/// # Errors
/// Those of the file system; from syncing, it has the new name already.
pub fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    rename_synced(&OwnMachine, from, to).map_err(NotReplaced::into_io)
}

/// The same, with failed syncs told apart.
pub(crate) fn rename_synced(machine: &dyn Machine, from: &Path, to: &Path) -> Result<(), NotReplaced> {
    machine.rename(from, to).map_err(NotReplaced::Unknown)?;
    let sync = |folder| machine.open_folder(folder).and_then(|folder| folder.sync()).map_err(NotReplaced::SyncFailed);
    let (left, entered) = (folder_of(from), folder_of(to));
    sync(entered)?;
    if left == entered { Ok(()) } else { sync(left) }
}

/// The newest signed checkpoint in a file of its own: what the log has to reach at the next start.
#[derive(Debug, Clone)]
pub struct CheckpointFile(MachinePath);

impl CheckpointFile {
    /// The file of a data folder.
    #[must_use]
    pub fn new(path: impl Into<MachinePath>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub(in crate::engine) const fn place(&self) -> &MachinePath {
        &self.0
    }

    /// The signed note, if one was ever written.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn read(&self) -> Result<Option<String>, StoreError> {
        let MachinePath { machine, path } = &self.0;
        let mut note = String::new();
        let read = machine.open(path).and_then(|file| ToTheEnd::new(file)?.read_to_string(&mut note));
        match read {
            Ok(_length) => Ok(Some(note)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { path: path.clone(), source }),
        }
    }

    /// Replaces the signed note.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the old one is untouched. [`StoreError::SyncFailed`].
    pub fn write(&self, note: &str) -> Result<(), StoreError> {
        let MachinePath { machine, path } = &self.0;
        let io = |source| StoreError::Io { path: path.clone(), source };
        let folder = machine.open_folder(folder_of(path)).map_err(io)?;
        self.write_in(folder.as_ref(), note).map_err(|failed| match failed {
            NotReplaced::AsBefore(error) | NotReplaced::Unknown(error) => io(error),
            NotReplaced::SyncFailed(error) => StoreError::SyncFailed(error),
        })
    }

    /// Replaces the signed note, its folder being open.
    pub(in crate::engine) fn write_in(&self, folder: &dyn MachineFolder, note: &str) -> Result<(), NotReplaced> {
        let MachinePath { machine, path } = &self.0;
        let write = |file: &mut dyn Write| file.write_all(note.as_bytes());
        replace((machine.as_ref(), folder), folder_of(path), (path, 0o644), write)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;

    #[test]
    fn a_temporary_file_that_cannot_be_made_says_why_as_the_system_does_and_nothing_of_its_name() {
        let error = tempfile::Builder::new().tempfile_in("/nowhere").unwrap_err();
        assert!(error.to_string().contains("/nowhere"), "{error}");
        let error = unnamed(error);
        assert_eq!(error.raw_os_error(), Some(2), "whoever tells a lack from a fault asks for the number");
        assert!(!error.to_string().contains("/nowhere"), "{error}");
        let other = unnamed(Error::other("something else"));
        assert_eq!(other.to_string(), "something else");
    }
}
