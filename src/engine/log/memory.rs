//! The log in memory, for tests and simulations, with every outcome on demand.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Appended, Commit, Log, StoredEntry, fenced, size::Size};
use crate::{engine::store::StoreError, merkle::Hash};

/// How the next append ends, other than well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// [`Appended::NotApplied`].
    NotApplied,
    /// [`Appended::Unknown`], and nothing of it is there.
    UnknownAndLost,
    /// [`Appended::Unknown`], and all of it is there.
    UnknownAndDone,
    /// [`StoreError::SyncFailed`], and nothing of it is there.
    FailedAndLost,
    /// [`StoreError::SyncFailed`], and all of it is there.
    FailedAndDone,
}

#[derive(Debug, Default)]
struct Contents {
    entries: Vec<StoredEntry>,
    roots: BTreeMap<u64, Hash>,
    fault: Option<Fault>,
}

/// A log that forgets everything with the process.
#[derive(Debug, Default)]
pub struct MemoryLog {
    contents: Mutex<Contents>,
    size: Size,
}

impl MemoryLog {
    /// Makes the next append end so.
    pub fn fail_next(&self, fault: Fault) {
        self.contents().fault = Some(fault);
    }

    /// Loses all entries from `size` on, as a log does that isn't one.
    pub fn lose(&self, size: u64) {
        let mut contents = self.contents();
        contents.entries.truncate(position(size));
        contents.roots.split_off(&(size + 1));
        self.size.set(contents.entries.len() as u64);
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn position(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Log for MemoryLog {
    fn size(&self) -> u64 {
        self.size.get()
    }

    fn wait(&self, size: u64, at_most: Duration) -> u64 {
        self.size.wait(size, at_most)
    }

    fn append(&self, commit: &Commit) -> Result<Appended, StoreError> {
        let mut contents = self.contents();
        if let Some(fenced) = fenced(commit, contents.entries.len() as u64)? {
            return Ok(fenced);
        }
        let (_, after) = commit.sizes();
        let fault = contents.fault.take();
        if matches!(fault, None | Some(Fault::UnknownAndDone | Fault::FailedAndDone)) {
            contents.entries.extend(commit.entries.iter().cloned());
            contents.roots.insert(after, commit.root);
            self.size.set(after);
        }
        let error = || StoreError::SyncFailed(std::io::Error::other("a fault on demand"));
        match fault {
            None => Ok(Appended::Done),
            Some(Fault::NotApplied) => Ok(Appended::NotApplied(error())),
            Some(Fault::UnknownAndLost | Fault::UnknownAndDone) => Ok(Appended::Unknown(error())),
            Some(Fault::FailedAndLost | Fault::FailedAndDone) => Err(error()),
        }
    }

    fn entry(&self, index: u64) -> Result<Option<StoredEntry>, StoreError> {
        Ok(self.contents().entries.get(position(index)).cloned())
    }

    fn entries(&self, from: u64, bytes_max: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let contents = self.contents();
        let mut bytes = 0;
        let rest = contents.entries.get(position(from)..).unwrap_or_default();
        let taken = rest.iter().take_while(|entry| {
            let before = bytes;
            bytes += entry.header.len() + entry.events.iter().map(bytes::Bytes::len).sum::<usize>();
            before == 0 || before < bytes_max
        });
        Ok(taken.cloned().collect())
    }

    fn root(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        Ok(self.contents().roots.get(&size).copied())
    }

    fn check_place(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn check(&self, _found: &mut dyn FnMut(String)) -> Result<(), StoreError> {
        Ok(())
    }
}
