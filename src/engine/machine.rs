//! What a ledger asks of the machine that it runs on, beside its log: files, and time that passes. A simulation is a machine
//! as well, whose files fail and whose time passes as it likes.

mod own;

use std::{
    fmt::Debug,
    io::{Result, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use self::own::OwnMachine;
pub(crate) use self::own::make_folders;

/// Files, and time that passes. Paths are those of the machine.
pub trait Machine: Debug + Send + Sync {
    /// Time since some moment; it never goes back.
    fn steady(&self) -> Duration;

    /// Lets so much time pass.
    fn pause(&self, time: Duration);

    /// Opens a file to be read and written, and makes it, empty, where it isn't there.
    ///
    /// # Errors
    /// Those of the file system.
    fn open_or_create(&self, path: &Path) -> Result<Arc<dyn MachineFile>>;

    /// Opens a file to be read.
    ///
    /// # Errors
    /// Those of the file system.
    fn open(&self, path: &Path) -> Result<Arc<dyn MachineFile>>;

    /// Makes a file in a folder under a name that none there has and that begins with `prefix`.
    ///
    /// # Errors
    /// Those of the file system.
    fn create_temporary(&self, folder: &Path, prefix: &str, mode: u32) -> Result<(PathBuf, Arc<dyn MachineFile>)>;

    /// Opens a folder, so that its list of names can be brought to the disk when no descriptor is left.
    ///
    /// # Errors
    /// Those of the file system.
    fn open_folder(&self, folder: &Path) -> Result<Box<dyn MachineFolder>>;

    /// Makes a folder, and those above it that aren't there, for their owner alone.
    ///
    /// # Errors
    /// Those of the file system.
    fn make_folder(&self, folder: &Path) -> Result<()>;

    /// The names of the files in a folder; folders in it are left out.
    ///
    /// # Errors
    /// Those of the file system.
    fn files(&self, folder: &Path) -> Result<Vec<String>>;

    /// Gives a file or folder another name, in the place of a file that has it.
    ///
    /// # Errors
    /// Those of the file system.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the file system.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Removes a folder with all that is in it.
    ///
    /// # Errors
    /// Those of the file system.
    fn remove_folder(&self, folder: &Path) -> Result<()>;
}

/// An open file. Whoever holds it reads and writes it after it lost its name.
pub trait MachineFile: Debug + Send + Sync {
    /// Bytes that it has.
    ///
    /// # Errors
    /// Those of the file system.
    fn length(&self) -> Result<u64>;

    /// Fills `bytes` from a place on.
    ///
    /// # Errors
    /// Those of the file system; `UnexpectedEof` where there are fewer.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> Result<()>;

    /// Fills `bytes` where that waits for no disk; false where it would, or where nobody can tell.
    fn read_at_hand(&self, bytes: &mut [u8], offset: u64) -> bool;

    /// Writes all of `bytes` to a place.
    ///
    /// # Errors
    /// Those of the file system; some of it may be there then.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()>;

    /// Cuts it off, or adds zeros.
    ///
    /// # Errors
    /// Those of the file system.
    fn set_length(&self, length: u64) -> Result<()>;

    /// Brings its bytes to the disk, and what it takes to find them.
    ///
    /// # Errors
    /// Those of the disk: nobody knows what is there.
    fn sync_data(&self) -> Result<()>;

    /// The same, with all that is known of it, such as its mode.
    ///
    /// # Errors
    /// As [`Self::sync_data`].
    fn sync_all(&self) -> Result<()>;
}

/// An open folder.
pub trait MachineFolder: Debug {
    /// Waits until nobody else has it locked, and locks it for as long as it is open.
    ///
    /// # Errors
    /// Those of the file system.
    fn lock(&self) -> Result<()>;

    /// Brings its list of names to the disk.
    ///
    /// # Errors
    /// Those of the disk: nobody knows what is there.
    fn sync(&self) -> Result<()>;
}

/// Where something is: a path, and the machine that it is on.
#[derive(Debug, Clone)]
pub struct MachinePath {
    /// The machine.
    pub machine: Arc<dyn Machine>,
    /// The path.
    pub path: PathBuf,
}

impl MachinePath {
    /// That of a name in this folder.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self { machine: Arc::clone(&self.machine), path: self.path.join(name) }
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for MachinePath {
    fn from(path: &P) -> Self {
        Self { machine: Arc::new(OwnMachine), path: path.as_ref().to_owned() }
    }
}

/// Writes a file from its beginning on.
#[derive(Debug)]
pub(crate) struct FromTheStart<'a> {
    file: &'a dyn MachineFile,
    at: u64,
}

impl<'a> FromTheStart<'a> {
    pub(crate) fn new(file: &'a dyn MachineFile) -> Self {
        Self { file, at: 0 }
    }
}

impl Write for FromTheStart<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Reads a file from its beginning to its end.
#[derive(Debug)]
pub(crate) struct ToTheEnd {
    file: Arc<dyn MachineFile>,
    at: u64,
    left: u64,
}

impl ToTheEnd {
    pub(crate) fn new(file: Arc<dyn MachineFile>) -> Result<Self> {
        let left = file.length()?;
        Ok(Self { file, at: 0, left })
    }

    /// Bytes that are left.
    pub(crate) const fn left(&self) -> u64 {
        self.left
    }
}

impl std::io::Read for ToTheEnd {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let count = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.file.read_exact_at(bytes.split_at_mut(count).0, self.at)?;
        (self.at, self.left) = (self.at + count as u64, self.left - count as u64);
        Ok(count)
    }
}
