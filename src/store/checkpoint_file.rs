//! Small files that are replaced whole: written beside, synced, renamed, the folder synced.

use std::{
    fs::{File, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::StoreError;

/// Replaces a file so that after a power cut it is the old one or the new one.
///
/// # Errors
/// Those of the file system; the old file is untouched then.
pub fn atomic_write(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Brings a folder's list of names to the disk.
///
/// # Errors
/// Those of the file system.
pub fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The newest signed checkpoint in a file of its own: what the log has to reach at the next start.
#[derive(Debug, Clone)]
pub struct CheckpointFile(PathBuf);

impl CheckpointFile {
    /// The file of a data folder.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The signed note, if one was ever written.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn read(&self) -> Result<Option<String>, StoreError> {
        match std::fs::read_to_string(&self.0) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { path: self.0.clone(), source }),
        }
    }

    /// Replaces the signed note.
    ///
    /// # Errors
    /// [`StoreError::SyncFailed`].
    pub fn write(&self, note: &str) -> Result<(), StoreError> {
        atomic_write(&self.0, note.as_bytes(), 0o644).map_err(StoreError::SyncFailed)
    }
}
