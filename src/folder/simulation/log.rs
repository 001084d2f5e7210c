//! A log that answers as the weather is. What nobody knows the outcome of is there, isn't, or comes through later.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    machine::SimulatedMachine,
    weather::{Operation, Strike, gone},
};
use crate::{
    engine::{
        log::{Appended, Commit, Log, MemoryLog, StoredEntry},
        store::StoreError,
    },
    merkle::Hash,
};

/// The log. It outlives every writer.
pub(super) struct SimulatedLog {
    machine: SimulatedMachine,
    entries: MemoryLog,
    /// Sent, and neither there nor lost yet.
    on_its_way: Mutex<Option<Commit>>,
}

impl SimulatedLog {
    pub(super) fn new(machine: SimulatedMachine) -> Arc<Self> {
        Arc::new(Self { machine, entries: MemoryLog::default(), on_its_way: Mutex::default() })
    }

    fn on_its_way(&self) -> MutexGuard<'_, Option<Commit>> {
        self.on_its_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is on its way arrives, if it still fits.
    pub(super) fn arrive(&self) -> bool {
        let arrived = self.on_its_way().take().map(|late| self.entries.append(&late));
        matches!(arrived, Some(Ok(Appended::Done)))
    }

    /// The log itself, whatever the weather.
    pub(super) const fn itself(&self) -> &MemoryLog {
        &self.entries
    }

    fn is_readable(&self) -> Result<(), StoreError> {
        if self.machine.with_weather(|weather| weather.ended.is_some()) {
            return Err(StoreError::BackendIo(gone()));
        }
        Ok(())
    }
}

impl Log for SimulatedLog {
    fn size(&self) -> u64 {
        self.entries.size()
    }

    fn wait(&self, size: u64, at_most: Duration) -> u64 {
        self.entries.wait(size, at_most)
    }

    /// A failed sync, an end in the middle of it, or an outcome that nobody knows: whether it is there, chance says.
    fn append(&self, commit: &Commit) -> Result<Appended, StoreError> {
        let strike = self.machine.strike(Operation::Append);
        let error = match strike {
            Strike::Nothing => return self.entries.append(commit),
            Strike::Before(error) | Strike::After(error) | Strike::Torn(error) => error,
        };
        let (ended, full, chance) = self.machine.with_weather(|weather| {
            (weather.ended.is_some(), weather.is_full, [2, 2, 3, 4].map(|number| weather.one_in(number)))
        });
        let [is_there, knows_nobody, comes_later, is_refused] = chance;
        if (full || is_refused) && !ended {
            return Ok(Appended::NotApplied(StoreError::BackendIo(error)));
        }
        if !ended && knows_nobody && comes_later {
            *self.on_its_way() = Some(commit.clone());
            return Ok(Appended::Unknown(StoreError::BackendIo(error)));
        }
        if is_there
            && let other @ (Appended::Fenced { .. } | Appended::NotApplied(_) | Appended::Unknown(_)) =
                self.entries.append(commit)?
        {
            return Ok(other);
        }
        if knows_nobody && !ended {
            Ok(Appended::Unknown(StoreError::BackendIo(error)))
        } else {
            Err(StoreError::SyncFailed(error))
        }
    }

    fn entry(&self, index: u64) -> Result<Option<StoredEntry>, StoreError> {
        self.is_readable()?;
        self.entries.entry(index)
    }

    fn entries(&self, from: u64, bytes_max: usize) -> Result<Vec<StoredEntry>, StoreError> {
        self.is_readable()?;
        self.entries.entries(from, bytes_max)
    }

    fn root(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        self.is_readable()?;
        self.entries.root(size)
    }

    fn check_place(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn check(&self, _found: &mut dyn FnMut(String)) -> Result<(), StoreError> {
        Ok(())
    }
}
