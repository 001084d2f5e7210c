//! What the state has put away and is found by a name: rows in sorted runs.
//!
//! A run is written once and never changed. The state puts rows away a batch at a time, and each batch becomes a run; eight
//! runs side by side are merged into one where a snapshot has them. A filter says of nearly all names whether a run has
//! them, so that a name that was never put away, as most are, is answered from memory.

mod filter;
mod merge;
mod run;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use self::{
    merge::Merge,
    run::{Place, Run},
};
use super::row_file::{FixedRow, ProjectionError};
use crate::engine::{
    machine::{Machine, MachinePath, OwnMachine},
    store::patiently,
};

/// Runs that are merged into one. With 8, a row is written four times in its life, and of each size there are at most 7.
const MERGED_RUNS: usize = 8;
/// Rows of the largest run: three merges of a batch of 16,384. Its filter takes 9.4 MB, and 240 MB while it is made.
const RUN_ROWS_MAX: u64 = 8 * 1_024 * 1_024;

/// A row that is found by its name. Several may have one name.
pub(super) trait NamedRow: FixedRow + Copy {
    /// What it is found by.
    type Name: Ord + Copy + std::fmt::Debug;

    /// Its name.
    fn name(&self) -> Self::Name;

    /// What a filter keeps of a name.
    fn mark(name: &Self::Name) -> u64;
}

/// Rows by name, numbered in the order in which they were put away.
#[derive(Debug)]
pub(super) struct Runs<R: NamedRow> {
    place: Place,
    /// By the numbers of their rows, without a gap.
    all: RwLock<Arc<Vec<Arc<Run<R>>>>>,
    /// Held by the one that merges.
    merging: Mutex<()>,
}

impl<R: NamedRow> Runs<R> {
    /// Opens those of a folder, whose files begin with a name. They count for nothing before [`Runs::truncate`].
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub(super) fn open(folder: &MachinePath, name: &'static str) -> Result<Self, ProjectionError> {
        let place = Place { folder: Some(folder.clone()), name };
        let mut found = place.found()?;
        // Of two that begin at one row, the longer was merged of the shorter and those after it.
        found.sort_unstable_by_key(|numbers| (numbers.start, std::cmp::Reverse(numbers.end)));
        let (mut runs, mut end) = (Vec::new(), 0);
        for numbers in found {
            if numbers.start == end
                && let Some(run) = Run::open(&place, numbers.clone())?
            {
                end = numbers.end;
                runs.push(Arc::new(run));
            }
        }
        Ok(Self { place, all: RwLock::new(Arc::new(runs)), merging: Mutex::default() })
    }

    /// None yet, in files that vanish with their last user.
    #[must_use]
    pub(super) fn temporary(name: &'static str) -> Self {
        Self { place: Place { folder: None, name }, all: RwLock::default(), merging: Mutex::default() }
    }

    /// Rows that they hold.
    #[must_use]
    pub(super) fn len(&self) -> u64 {
        self.all().last().map_or(0, |run| run.numbers().end)
    }

    /// Whether they hold so many rows, and can be cut there.
    #[must_use]
    pub(super) fn holds(&self, rows: u64) -> bool {
        rows == 0 || self.all().iter().any(|run| run.numbers().end == rows)
    }

    fn all(&self) -> Arc<Vec<Arc<Run<R>>>> {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Run<R>>>)) {
        change(Arc::make_mut(&mut self.all.write().unwrap_or_else(PoisonError::into_inner)));
    }

    /// Keeps a batch under ascending numbers from `first` on. Whatever was there from `first` on is replaced.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub(super) fn keep(&self, first: u64, mut rows: Vec<R>) -> Result<(), ProjectionError> {
        rows.sort_by_key(R::name);
        // The writer waits for it, and takes a new file for each batch.
        let write = || Run::write(&self.place, first, &rows);
        let machine: &dyn Machine = self.place.folder.as_ref().map_or(&OwnMachine, |folder| folder.machine.as_ref());
        let run = patiently(machine, "a file for what was put away", ProjectionError::of_system, write)?;
        self.change(|runs| {
            runs.retain(|run| run.numbers().end <= first);
            runs.push(Arc::new(run));
        });
        // What vanishes anyway is never cut back to a snapshot.
        if self.place.folder.is_none() { self.merge(self.len()) } else { Ok(()) }
    }

    /// The rows of a name, in the order in which they were put away.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`].
    pub(super) fn find(&self, name: &R::Name) -> Result<Vec<R>, ProjectionError> {
        let mut found = Vec::new();
        let mark = R::mark(name);
        for run in self.all().iter() {
            run.find(name, mark, &mut found)?;
        }
        Ok(found)
    }

    /// Forgets rows from `length` on, and removes what merges have left.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub(super) fn truncate(&self, length: u64) -> Result<(), ProjectionError> {
        self.change(|runs| runs.retain(|run| run.numbers().end <= length));
        let kept: Vec<_> = self.all().iter().map(|run| run.numbers()).collect();
        self.place.remove_others(&kept)
    }

    /// Brings the rows to the disk. The caller syncs the folder.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub(super) fn sync(&self) -> Result<(), ProjectionError> {
        self.all().iter().try_for_each(|run| run.sync())
    }

    /// Merges what a snapshot that has so many rows holds anyway, so that a name is looked for in few runs. For a thread
    /// that nobody waits for.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`]; the runs are as they were.
    pub(super) fn merge(&self, saved: u64) -> Result<(), ProjectionError> {
        let _merging = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(parts) = mergeable(&self.all(), saved) {
            let run = Arc::new(merge::merged(&self.place, &parts)?);
            let is_part = |numbers: &std::ops::Range<u64>| parts.iter().any(|run| run.numbers() == *numbers);
            self.change(|runs| {
                let place = runs.iter().position(|run| is_part(&run.numbers())).unwrap_or(runs.len());
                runs.retain(|run| !is_part(&run.numbers()));
                runs.insert(place, run);
            });
            // Whoever is reading them has them open.
            for run in parts {
                self.place.remove(&run.numbers())?;
            }
        }
        Ok(())
    }

    /// The number, in the order of names, of the first row of others that isn't these ones'.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`].
    pub(super) fn first_difference(&self, other: &Self) -> Result<Option<u64>, ProjectionError> {
        let (own, others) = (self.all(), other.all());
        let mut own = Merge::of(&own)?;
        let mut others = match Merge::of(&others) {
            Err(ProjectionError::Corrupt { .. }) => return Ok(Some(0)),
            others => others?,
        };
        let bytes = |row: Option<R>| row.map(|row| row.to_bytes().as_ref().to_vec());
        for number in 0.. {
            let own = bytes(own.next_row()?);
            match others.next_row() {
                Ok(other) if bytes(other) != own => return Ok(Some(number)),
                Err(ProjectionError::Corrupt { .. }) => return Ok(Some(number)),
                other => other?,
            };
            if own.is_none() {
                break;
            }
        }
        Ok(None)
    }
}

/// The first eight of one size that a snapshot holds and that begin where a merged one may.
fn mergeable<R: NamedRow>(runs: &[Arc<Run<R>>], saved: u64) -> Option<Vec<Arc<Run<R>>>> {
    let fits = |few: &&[Arc<Run<R>>]| {
        let (Some(first), Some(last)) = (few.first(), few.last()) else { return false };
        let (rows, merged) = (first.rows(), first.rows() * MERGED_RUNS as u64);
        let aligned = first.numbers().start.is_multiple_of(merged) && last.numbers().end <= saved;
        aligned && merged <= RUN_ROWS_MAX && few.iter().all(|run| run.rows() == rows)
    };
    runs.windows(MERGED_RUNS).find(fits).map(<[Arc<Run<R>>]>::to_vec)
}
