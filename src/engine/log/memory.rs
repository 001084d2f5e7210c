//! The log in memory, for tests and simulations, with faults on demand.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Commit, Log, StoredEntry, check_place};
use crate::{engine::store::StoreError, merkle::Hash};

/// How the next commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Reported as failed, and really not there.
    NotApplied,
    /// Reported as failed, and there all the same.
    AppliedButReportedFailed,
}

#[derive(Debug, Default)]
struct Contents {
    entries: Vec<StoredEntry>,
    tree_hashes: Vec<Hash>,
    root: Option<Hash>,
    fault: Option<Fault>,
}

/// A log that forgets everything.
#[derive(Debug, Default)]
pub struct MemoryLog(Mutex<Contents>);

impl MemoryLog {
    /// Makes the next commit fail.
    pub fn fail_next(&self, fault: Fault) {
        self.contents().fault = Some(fault);
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn position(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Log for MemoryLog {
    fn size(&self) -> u64 {
        self.contents().entries.len() as u64
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut contents = self.contents();
        check_place(commit, contents.entries.len() as u64)?;
        let fault = contents.fault.take();
        if fault != Some(Fault::NotApplied) {
            contents.entries.extend(commit.entries.iter().cloned());
            contents.tree_hashes.extend(&commit.tree_hashes);
            contents.root = Some(commit.root);
        }
        match fault {
            Some(_) => Err(StoreError::SyncFailed(std::io::Error::other("a fault on demand"))),
            None => Ok(()),
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

    fn tree_hash(&self, number: u64) -> Result<Option<Hash>, StoreError> {
        Ok(self.contents().tree_hashes.get(position(number)).copied())
    }

    fn last_root(&self) -> Result<Option<Hash>, StoreError> {
        Ok(self.contents().root)
    }
}
