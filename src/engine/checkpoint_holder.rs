//! Where the newest signed checkpoint of a ledger is held: one place for all who could sign. Two checkpoints of one size with
//! different roots can never be taken back, so none is shown to anybody before it took the place of the one before it.

use std::{
    io::ErrorKind,
    sync::{Mutex, PoisonError},
};

use crate::engine::{
    machine::MachinePath,
    store::{CheckpointFile, NotReplaced, StoreError, folder_of},
};

/// What became of a replacement.
#[derive(Debug)]
pub enum Replaced {
    /// The new one is held, durably.
    Done,
    /// Something else was held than expected, and still is.
    Held(Option<String>),
    /// Nothing has changed, nor will it. The same may be tried again.
    NotApplied(StoreError),
    /// The new one may be held, now or later. The same may be tried again: the answer tells.
    Unknown(StoreError),
}

/// Holds one signed note, and replaces it by compare-and-swap.
pub trait CheckpointHolder: Send + Sync {
    /// The signed note that is held, if one ever was.
    ///
    /// # Errors
    /// It can't be read.
    fn read(&self) -> Result<Option<String>, StoreError>;

    /// The same at a start, and durably: one that was killed may have put it there and not have brought it to the disk.
    ///
    /// # Errors
    /// As [`Self::read`]; [`StoreError::SyncFailed`].
    fn read_at_start(&self) -> Result<Option<String>, StoreError> {
        self.read()
    }

    /// Puts `new` in the place of `old`, and in that of nothing else.
    ///
    /// # Errors
    /// Those after which nobody knows what a further try would mean, as [`StoreError::SyncFailed`]: the process has to end.
    fn replace(&self, old: Option<&str>, new: &str) -> Result<Replaced, StoreError>;
}

impl std::fmt::Debug for dyn CheckpointHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckpointHolder").finish_non_exhaustive()
    }
}

impl CheckpointHolder for CheckpointFile {
    fn read(&self) -> Result<Option<String>, StoreError> {
        Self::read(self)
    }

    fn read_at_start(&self) -> Result<Option<String>, StoreError> {
        let MachinePath { machine, path } = self.place();
        let io = |source| StoreError::Io { path: path.clone(), source };
        machine.open_folder(folder_of(path)).map_err(io)?.sync().map_err(StoreError::SyncFailed)?;
        Self::read(self)
    }

    /// The folder is locked meanwhile: whoever else replaces the file waits, in this process or another one.
    fn replace(&self, old: Option<&str>, new: &str) -> Result<Replaced, StoreError> {
        let MachinePath { machine, path } = self.place();
        let io = |source| StoreError::Io { path: path.clone(), source };
        let open = machine.open_folder(folder_of(path));
        let locked = open.and_then(|folder| folder.lock().map(|()| folder)).map_err(io);
        let held = locked.and_then(|lock| Ok((lock, self.read()?)));
        let (lock, held) = match held {
            Ok(held) => held,
            // Not even text: it won't become this ledger's checkpoint by waiting.
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::InvalidData => {
                return Ok(Replaced::Held(Some(String::new())));
            }
            Err(error) => return Ok(Replaced::NotApplied(error)),
        };
        if held.as_deref() != old {
            // A try before that nobody knew the outcome of came through: it counts once a power cut leaves it there.
            if held.as_deref() == Some(new) {
                lock.sync().map_err(StoreError::SyncFailed)?;
            }
            return Ok(Replaced::Held(held));
        }
        match self.write_in(lock.as_ref(), new) {
            Ok(()) => Ok(Replaced::Done),
            Err(NotReplaced::Unknown(error)) => Ok(Replaced::Unknown(io(error))),
            // No room for it, or no descriptor, say. What was held was not touched yet.
            Err(NotReplaced::AsBefore(error)) => Ok(Replaced::NotApplied(io(error))),
            Err(NotReplaced::SyncFailed(error)) => Err(StoreError::SyncFailed(error)),
        }
    }
}

/// How the next replacement ends, other than well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderFault {
    /// [`Replaced::NotApplied`].
    NotApplied,
    /// [`Replaced::Unknown`], and the old one is still held.
    UnknownAndLost,
    /// [`Replaced::Unknown`], and the new one is held.
    UnknownAndDone,
    /// [`Replaced::Done`], and the old one is still held.
    Lie,
}

/// One in memory, for tests and simulations.
#[derive(Debug, Default)]
pub struct MemoryHolder(Mutex<(Option<String>, Option<HolderFault>)>);

impl MemoryHolder {
    /// Makes the next replacement end so.
    pub fn fail_next(&self, fault: HolderFault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(fault);
    }

    /// Holds something else from now on, as only a holder does that isn't one.
    pub fn forget(&self, note: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = note;
    }
}

impl CheckpointHolder for MemoryHolder {
    fn read(&self) -> Result<Option<String>, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone())
    }

    fn replace(&self, old: Option<&str>, new: &str) -> Result<Replaced, StoreError> {
        let mut contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (held, fault) = &mut *contents;
        if held.as_deref() != old {
            return Ok(Replaced::Held(held.clone()));
        }
        let fault = fault.take();
        if matches!(fault, None | Some(HolderFault::UnknownAndDone)) {
            *held = Some(new.to_owned());
        }
        let error = || StoreError::Backend("a fault on demand".to_owned());
        Ok(match fault {
            None | Some(HolderFault::Lie) => Replaced::Done,
            Some(HolderFault::NotApplied) => Replaced::NotApplied(error()),
            Some(HolderFault::UnknownAndLost | HolderFault::UnknownAndDone) => Replaced::Unknown(error()),
        })
    }
}
