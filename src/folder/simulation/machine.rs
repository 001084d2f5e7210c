//! A machine in memory: its disk forgets what was not synced, as the weather is, and its time passes when it is told to.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Error, ErrorKind, Result},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::weather::{End, Operation, Strike, Weather, gone};
use crate::{
    engine::{
        clock::TimeSource,
        machine::{Machine, MachineFile, MachineFolder},
    },
    ledger::Millis,
};

/// What a file's bytes are changed by.
#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                if let Some(place) = to.get_mut(*at..end) {
                    place.copy_from_slice(bytes);
                }
            }
            Self::Length(length) => to.resize(*length, 0),
        }
    }
}

/// The bytes of a file, under whatever name.
#[derive(Debug, Default)]
struct Bytes {
    /// As whoever reads it is shown.
    shown: Vec<u8>,
    /// As they are on the disk for certain.
    synced: Vec<u8>,
    /// What came since.
    unsynced: Vec<Change>,
}

impl Bytes {
    /// Some of what came since is on the disk, cut off here and there, and nothing will bring the rest there.
    fn lose(&mut self, weather: &mut Weather) {
        let changes = std::mem::take(&mut self.unsynced);
        let kept = weather.survivors(changes.len());
        for (mut change, _) in changes.into_iter().zip(kept).filter(|(_, kept)| *kept) {
            if let Change::Write { bytes, .. } = &mut change
                && weather.one_in(4)
            {
                bytes.truncate(weather.cut(bytes.len()));
            }
            change.apply(&mut self.synced);
        }
    }
}

/// What a folder's list of names is changed by.
#[derive(Debug, Clone)]
enum Renaming {
    Named(PathBuf, usize),
    Gone(PathBuf),
    Moved(PathBuf, PathBuf),
}

type Names = BTreeMap<PathBuf, usize>;

impl Renaming {
    fn apply(&self, to: &mut Names) {
        match self {
            Self::Named(path, file) => {
                to.insert(path.clone(), *file);
            }
            Self::Gone(path) => {
                to.remove(path);
            }
            Self::Moved(from, into) => {
                let moved: Vec<PathBuf> = to.keys().filter(|path| path.starts_with(from)).cloned().collect();
                for path in moved {
                    let inside = path.strip_prefix(from).ok().filter(|inside| !inside.as_os_str().is_empty());
                    let new = inside.map_or_else(|| into.clone(), |inside| into.join(inside));
                    if let Some(file) = to.remove(&path) {
                        to.insert(new, file);
                    }
                }
            }
        }
    }
}

#[derive(Debug)]
struct Disk {
    files: Vec<Bytes>,
    folders: BTreeSet<PathBuf>,
    names: Names,
    synced_names: Names,
    /// Changes of names that no sync of their folder has brought to the disk.
    unsynced_names: Vec<(PathBuf, Renaming)>,
    weather: Weather,
    now: Duration,
    made: u64,
}

/// The machine; clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct SimulatedMachine(Arc<Mutex<Disk>>);

fn folder_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

fn not_found() -> Error {
    ErrorKind::NotFound.into()
}

impl Disk {
    fn strike(&mut self, operation: Operation) -> Strike {
        let (strike, time) = self.weather.strike(operation);
        self.now += time;
        strike
    }

    /// Does something that is done whole or not at all.
    fn act<T>(&mut self, operation: Operation, act: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        match self.strike(operation) {
            Strike::Nothing => act(self),
            Strike::Before(error) | Strike::Torn(error) => Err(error),
            Strike::After(error) => act(self).and(Err(error)),
        }
    }

    fn rename(&mut self, folder: PathBuf, renaming: Renaming) {
        renaming.apply(&mut self.names);
        self.unsynced_names.push((folder, renaming));
    }

    fn make(&mut self, path: &Path) -> usize {
        self.files.push(Bytes::default());
        let file = self.files.len() - 1;
        self.rename(folder_of(path), Renaming::Named(path.to_owned(), file));
        file
    }

    fn change(&mut self, file: usize, change: Change) -> Result<()> {
        let bytes = self.files.get_mut(file).ok_or_else(not_found)?;
        change.apply(&mut bytes.shown);
        bytes.unsynced.push(change);
        Ok(())
    }

    /// A sync that fails says so once: the system takes what was to be written for written, and goes on showing it.
    fn sync(&mut self, file: usize) -> Result<()> {
        let strike = self.strike(Operation::Sync);
        let bytes = self.files.get_mut(file).ok_or_else(not_found)?;
        let error = match strike {
            Strike::Before(error) | Strike::Torn(error) => {
                bytes.lose(&mut self.weather);
                return Err(error);
            }
            Strike::After(error) => Err(error),
            Strike::Nothing => Ok(()),
        };
        for change in bytes.unsynced.drain(..) {
            change.apply(&mut bytes.synced);
        }
        error
    }

    fn sync_folder(&mut self, folder: &Path) -> Result<()> {
        self.act(Operation::SyncFolder, |disk| {
            for (_, renaming) in disk.unsynced_names.extract_if(.., |(of, _)| of == folder) {
                renaming.apply(&mut disk.synced_names);
            }
            Ok(())
        })
    }

    /// What is left after the power was cut.
    fn forget(&mut self) {
        let unsynced = std::mem::take(&mut self.unsynced_names);
        let kept = self.weather.survivors(unsynced.len());
        for ((_, renaming), _) in unsynced.iter().zip(kept).filter(|(_, kept)| *kept) {
            renaming.apply(&mut self.synced_names);
        }
        self.names = self.synced_names.clone();
        for bytes in &mut self.files {
            bytes.lose(&mut self.weather);
            bytes.shown = bytes.synced.clone();
        }
    }
}

impl SimulatedMachine {
    /// A machine with an empty disk.
    pub(super) fn new(weather: Weather) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            files: Vec::new(),
            folders: BTreeSet::new(),
            names: Names::new(),
            synced_names: Names::new(),
            unsynced_names: Vec::new(),
            weather,
            now: Duration::ZERO,
            made: 0,
        })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong on it.
    pub(super) fn with_weather<T>(&self, act: impl FnOnce(&mut Weather) -> T) -> T {
        act(&mut self.disk().weather)
    }

    /// What becomes of something that isn't a file's.
    pub(super) fn strike(&self, operation: Operation) -> Strike {
        self.disk().strike(operation)
    }

    /// After the process has ended, however it did: what the next one finds.
    pub(super) fn restart(&self) {
        let mut disk = self.disk();
        if disk.weather.ended.take() == Some(End::PowerCut) {
            disk.forget();
        }
    }

    /// What a file holds, whatever the weather.
    pub(super) fn peek(&self, path: &Path) -> Option<Vec<u8>> {
        let disk = self.disk();
        let file = *disk.names.get(path)?;
        disk.files.get(file).map(|bytes| bytes.shown.clone())
    }

    fn file(&self, file: usize) -> Arc<dyn MachineFile> {
        Arc::new(SimulatedFile { machine: self.clone(), file })
    }
}

impl Machine for SimulatedMachine {
    fn steady(&self) -> Duration {
        self.disk().now
    }

    /// Whoever waits long enough has what he waits for.
    fn pause(&self, time: Duration) {
        let mut disk = self.disk();
        disk.now += time;
        if disk.weather.one_in(4) {
            (disk.weather.is_short, disk.weather.is_full) = (false, false);
        }
    }

    fn open_or_create(&self, path: &Path) -> Result<Arc<dyn MachineFile>> {
        let file = self.disk().act(Operation::Create, |disk| {
            let known = disk.names.get(path).copied();
            Ok(known.unwrap_or_else(|| disk.make(path)))
        })?;
        Ok(self.file(file))
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn MachineFile>> {
        let open = |disk: &mut Disk| disk.names.get(path).copied().ok_or_else(not_found);
        let file = self.disk().act(Operation::Open, open)?;
        Ok(self.file(file))
    }

    fn create_temporary(&self, folder: &Path, prefix: &str, _mode: u32) -> Result<(PathBuf, Arc<dyn MachineFile>)> {
        let (path, file) = self.disk().act(Operation::Create, |disk| {
            disk.made += 1;
            let path = folder.join(format!("{prefix}{}", disk.made));
            let file = disk.make(&path);
            Ok((path, file))
        })?;
        Ok((path, self.file(file)))
    }

    fn open_folder(&self, folder: &Path) -> Result<Box<dyn MachineFolder>> {
        self.disk().act(Operation::Open, |_| Ok(()))?;
        Ok(Box::new(SimulatedFolder { machine: self.clone(), folder: folder.to_owned() }))
    }

    fn make_folder(&self, folder: &Path) -> Result<()> {
        self.disk().act(Operation::Create, |disk| {
            disk.folders.insert(folder.to_owned());
            Ok(())
        })
    }

    fn files(&self, folder: &Path) -> Result<Vec<String>> {
        self.disk().act(Operation::Open, |disk| {
            let files = disk.names.keys().filter(|path| path.parent() == Some(folder));
            Ok(files.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk().act(Operation::Rename, |disk| {
            if disk.folders.remove(from) {
                disk.folders.insert(to.to_owned());
            } else if !disk.names.contains_key(from) {
                return Err(not_found());
            }
            disk.rename(folder_of(to), Renaming::Moved(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.disk().act(Operation::Remove, |disk| {
            if !disk.names.contains_key(path) {
                return Err(not_found());
            }
            disk.rename(folder_of(path), Renaming::Gone(path.to_owned()));
            Ok(())
        })
    }

    fn remove_folder(&self, folder: &Path) -> Result<()> {
        self.disk().act(Operation::Remove, |disk| {
            if !disk.folders.remove(folder) {
                return Err(not_found());
            }
            let inside: Vec<PathBuf> = disk.names.keys().filter(|path| path.starts_with(folder)).cloned().collect();
            for path in inside {
                disk.rename(folder.to_owned(), Renaming::Gone(path));
            }
            Ok(())
        })
    }
}

/// An open file of a simulated machine.
#[derive(Debug)]
struct SimulatedFile {
    machine: SimulatedMachine,
    file: usize,
}

impl SimulatedFile {
    fn read<T>(&self, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        self.machine.disk().act(Operation::Read, |disk| read(&disk.files.get(self.file).ok_or_else(not_found)?.shown))
    }
}

impl MachineFile for SimulatedFile {
    fn length(&self) -> Result<u64> {
        self.read(|shown| Ok(shown.len() as u64))
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        self.read(|shown| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let found = shown.get(from..from.saturating_add(bytes.len())).ok_or(ErrorKind::UnexpectedEof)?;
            bytes.copy_from_slice(found);
            Ok(())
        })
    }

    fn read_at_hand(&self, _bytes: &mut [u8], _offset: u64) -> bool {
        false
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut disk = self.machine.disk();
        let at = usize::try_from(offset).map_err(Error::other)?;
        let write = |count: usize, disk: &mut Disk| {
            let bytes = bytes.split_at(count).0.to_vec();
            disk.change(self.file, Change::Write { at, bytes })
        };
        match disk.strike(Operation::Write) {
            Strike::Nothing => write(bytes.len(), &mut disk),
            Strike::Before(error) => Err(error),
            Strike::After(error) => write(bytes.len(), &mut disk).and(Err(error)),
            Strike::Torn(error) => {
                let cut = disk.weather.cut(bytes.len());
                write(cut, &mut disk).and(Err(error))
            }
        }
    }

    fn set_length(&self, length: u64) -> Result<()> {
        let length = usize::try_from(length).map_err(Error::other)?;
        self.machine.disk().act(Operation::SetLength, |disk| disk.change(self.file, Change::Length(length)))
    }

    fn sync_data(&self) -> Result<()> {
        self.machine.disk().sync(self.file)
    }

    fn sync_all(&self) -> Result<()> {
        self.sync_data()
    }
}

/// An open folder of a simulated machine.
#[derive(Debug)]
struct SimulatedFolder {
    machine: SimulatedMachine,
    folder: PathBuf,
}

impl MachineFolder for SimulatedFolder {
    fn lock(&self) -> Result<()> {
        // There is one process at a time.
        if self.machine.disk().weather.ended.is_some() { Err(gone()) } else { Ok(()) }
    }

    fn sync(&self) -> Result<()> {
        self.machine.disk().sync_folder(&self.folder)
    }
}

/// When a simulated machine was first started, 1 January 2026, in ms since 1970.
const BEGAN_MS: i64 = 1_767_225_600_000;

impl SimulatedMachine {
    /// What its wall clock says, which nobody sets.
    pub(super) fn wall_ms(&self) -> i64 {
        BEGAN_MS + i64::try_from(self.disk().now.as_millis()).unwrap_or(i64::MAX)
    }
}

impl TimeSource for SimulatedMachine {
    fn wall(&self) -> Millis {
        Millis(self.wall_ms())
    }

    fn steady(&self) -> Duration {
        self.disk().now
    }
}
