//! The machine that this program runs on.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{ErrorKind, IoSliceMut, Result},
    os::unix::fs::{DirBuilderExt, FileExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use super::{Machine, MachineFile, MachineFolder};
use crate::engine::now;

/// Makes a folder and those above it that aren't there; the name of each is on the disk before anything is put into it.
///
/// # Errors
/// Those of the file system.
pub(crate) fn make_folders(folder: &Path, mode: u32) -> Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folders(above, mode)?;
    match DirBuilder::new().mode(mode).create(folder) {
        // Somebody else was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    File::open(above)?.sync_all()
}

/// The machine that this program runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnMachine;

impl Machine for OwnMachine {
    fn steady(&self) -> Duration {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        BEGAN.get_or_init(now::monotonic).elapsed()
    }

    fn pause(&self, time: Duration) {
        thread::sleep(time);
    }

    fn open_or_create(&self, path: &Path) -> Result<Arc<dyn MachineFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(Arc::new(file))
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn MachineFile>> {
        Ok(Arc::new(File::open(path)?))
    }

    fn create_temporary(&self, folder: &Path, prefix: &str, mode: u32) -> Result<(PathBuf, Arc<dyn MachineFile>)> {
        let file = tempfile::Builder::new().prefix(prefix).tempfile_in(folder)?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        let (file, path) = file.keep().map_err(|error| error.error)?;
        Ok((path, Arc::new(file)))
    }

    fn open_folder(&self, folder: &Path) -> Result<Box<dyn MachineFolder>> {
        Ok(Box::new(File::open(folder)?))
    }

    fn make_folder(&self, folder: &Path) -> Result<()> {
        make_folders(folder, 0o700)
    }

    fn files(&self, folder: &Path) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        #[allow(clippy::disallowed_methods, reason = "whoever calls it syncs the folders")]
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_folder(&self, folder: &Path) -> Result<()> {
        std::fs::remove_dir_all(folder)
    }
}

impl MachineFile for File {
    fn length(&self) -> Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }

    fn read_at_hand(&self, bytes: &mut [u8], offset: u64) -> bool {
        let wanted = bytes.len();
        let read = rustix::io::preadv2(self, &mut [IoSliceMut::new(bytes)], offset, rustix::io::ReadWriteFlags::NOWAIT);
        read == Ok(wanted)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn set_length(&self, length: u64) -> Result<()> {
        self.set_len(length)
    }

    fn sync_data(&self) -> Result<()> {
        Self::sync_data(self)
    }

    fn sync_all(&self) -> Result<()> {
        Self::sync_all(self)
    }
}

impl MachineFolder for File {
    fn lock(&self) -> Result<()> {
        Self::lock(self)
    }

    fn sync(&self) -> Result<()> {
        self.sync_all()
    }
}
