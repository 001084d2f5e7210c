//! One run: a file of rows in the order of their names, and its filter beside it.

use std::{
    io::{ErrorKind, Read},
    ops::{Range, RangeInclusive},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    NamedRow,
    filter::{Filter, Of},
};
use crate::engine::{
    machine::{MachinePath, ToTheEnd},
    projection::row_file::{ProjectionError, RowFile},
    store::{rename_synced, unnamed},
};

/// Rows that are read or written at once: 180 kB of ids, 262 kB of notes.
pub(super) const ROWS_AT_ONCE: u64 = 4_096;

/// Ends the name of a file that isn't finished.
const UNFINISHED: &str = ".unfinished";
/// Ends the name of a filter.
const FILTER: &str = ".filter";

/// Rows that were put away side by side, in the order of their names; those of one name as they were put away.
#[derive(Debug)]
pub(super) struct Run<R: NamedRow> {
    numbers: Range<u64>,
    rows: RowFile<R>,
    /// Its first name and its last.
    names: RangeInclusive<R::Name>,
    /// What its filter says that it is of.
    of: Of,
    filter: Option<Filter>,
    /// Where its filter is kept, if it is.
    filter_path: Option<MachinePath>,
    synced: AtomicBool,
}

/// Where the files of runs are.
#[derive(Debug)]
pub(super) struct Place {
    /// None: in files that have no name.
    pub(super) folder: Option<MachinePath>,
    /// How their names begin.
    pub(super) name: &'static str,
}

impl Place {
    fn path(&self, numbers: &Range<u64>, end: &str) -> Option<MachinePath> {
        let name = format!("{}.{}-{}{end}", self.name, numbers.start, numbers.end);
        self.folder.as_ref().map(|folder| folder.join(&name))
    }

    /// The numbers of the rows of those whose files are there.
    pub(super) fn found(&self) -> Result<Vec<Range<u64>>, ProjectionError> {
        let Some(MachinePath { machine, path }) = &self.folder else { return Ok(Vec::new()) };
        let files = machine.files(path).map_err(|source| ProjectionError::Io { path: path.clone(), source })?;
        let mut found = Vec::new();
        for file in files {
            let numbers = file.strip_prefix(self.name).and_then(|file| file.strip_prefix('.')?.split_once('-'));
            let numbers = numbers.and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?));
            found.extend(numbers.filter(|numbers| !numbers.is_empty()));
        }
        Ok(found)
    }

    /// Removes the files of all runs but some, and what isn't finished.
    pub(super) fn remove_others(&self, kept: &[Range<u64>]) -> Result<(), ProjectionError> {
        let Some(folder @ MachinePath { machine, path }) = &self.folder else { return Ok(()) };
        let kept = kept.iter().flat_map(|numbers| ["", FILTER].map(|end| self.path(numbers, end))).flatten();
        let kept: Vec<PathBuf> = kept.map(|kept| kept.path).collect();
        let begins = format!("{}.", self.name);
        for file in machine.files(path).map_err(|source| ProjectionError::Io { path: path.clone(), source })? {
            let MachinePath { path, .. } = folder.join(&file);
            if file.starts_with(&begins) && !kept.contains(&path) {
                machine.remove(&path).map_err(|source| ProjectionError::Io { path, source })?;
            }
        }
        Ok(())
    }

    /// Removes the files of a run, if they are there.
    pub(super) fn remove(&self, numbers: &Range<u64>) -> Result<(), ProjectionError> {
        let paths = [FILTER, UNFINISHED, ""].iter().filter_map(|end| self.path(numbers, end));
        for MachinePath { machine, path } in paths {
            match machine.remove(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(ProjectionError::Io { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn file<R: NamedRow>(&self, numbers: &Range<u64>, end: &str) -> Result<RowFile<R>, ProjectionError> {
        match self.path(numbers, end) {
            Some(path) => RowFile::open(path),
            None => match tempfile::tempfile() {
                Ok(file) => Ok(RowFile::temporary(file)),
                Err(error) => Err(ProjectionError::Io { path: std::env::temp_dir(), source: unnamed(error) }),
            },
        }
    }

    /// What was written to a file without its name gets it, and the name of the whole run is there before those of its parts
    /// go.
    fn finish(&self, numbers: &Range<u64>) -> Result<(), ProjectionError> {
        let paths = self.path(numbers, UNFINISHED).zip(self.path(numbers, ""));
        let Some((MachinePath { machine, path: unfinished }, MachinePath { path, .. })) = paths else { return Ok(()) };
        let named = rename_synced(machine.as_ref(), &unfinished, &path);
        named.map_err(|failed| ProjectionError::not_replaced(path, failed))
    }
}

/// The numbers of a run's rows, and the checksums that its first and its last end with.
fn filter_of<R: NamedRow>(numbers: &Range<u64>, first: &R, last: &R) -> Of {
    let mut of = Of::default();
    of[..8].copy_from_slice(&numbers.start.to_le_bytes());
    of[8..16].copy_from_slice(&numbers.end.to_le_bytes());
    for (at, row) in [(16, first), (20, last)] {
        of[at..at + 4].copy_from_slice(row.to_bytes().as_ref().last_chunk::<4>().unwrap_or(&[0; 4]));
    }
    of
}

fn read_whole(MachinePath { machine, path }: &MachinePath) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ToTheEnd::new(machine.open(path)?)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl<R: NamedRow> Run<R> {
    pub(super) fn numbers(&self) -> Range<u64> {
        self.numbers.clone()
    }

    pub(super) const fn rows(&self) -> u64 {
        self.numbers.end - self.numbers.start
    }

    /// Opens one; nothing where it isn't whole, or is seen to be damaged.
    pub(super) fn open(place: &Place, numbers: Range<u64>) -> Result<Option<Self>, ProjectionError> {
        let rows = place.file(&numbers, "")?;
        if rows.len() != numbers.end - numbers.start {
            return Ok(None);
        }
        match Self::over(place, numbers, rows, true) {
            Err(ProjectionError::Corrupt { .. }) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Writes one, in the order of its names.
    pub(super) fn write(place: &Place, first: u64, rows: &[R]) -> Result<Self, ProjectionError> {
        let numbers = first..first + rows.len() as u64;
        place.remove(&numbers)?;
        let file = place.file(&numbers, "")?;
        file.append(0, rows)?;
        Self::over(place, numbers, file, false)
    }

    /// One of rows that `write` puts into a file in the order of their names, synced before it has its name.
    pub(super) fn made(
        place: &Place,
        numbers: Range<u64>,
        write: impl FnOnce(&RowFile<R>) -> Result<(), ProjectionError>,
    ) -> Result<Self, ProjectionError> {
        place.remove(&numbers)?;
        let file = place.file(&numbers, UNFINISHED)?;
        write(&file)?;
        let run = Self::over(place, numbers.clone(), file, false)?;
        run.sync()?;
        place.finish(&numbers)?;
        Ok(run)
    }

    fn over(place: &Place, numbers: Range<u64>, rows: RowFile<R>, synced: bool) -> Result<Self, ProjectionError> {
        // A name that a damaged row takes out of these, or of the filter, would be denied.
        let last = rows.len().checked_sub(1).ok_or_else(|| rows.corrupt(0))?;
        let (first, last) = (rows.read(0)?, rows.read(last)?);
        let (names, of) = (first.name()..=last.name(), filter_of(&numbers, &first, &last));
        let filter_path = place.path(&numbers, FILTER);
        // Without a sound one it is made again.
        let path = filter_path.as_ref().filter(|_| synced);
        let filter = path.and_then(|path| Filter::from_bytes(&read_whole(path).ok()?, &of));
        let is_kept = filter.is_some();
        let mut run = Self { numbers, rows, names, of, filter, filter_path, synced: AtomicBool::new(is_kept) };
        if !is_kept {
            run.make_filter()?;
        }
        Ok(run)
    }

    fn make_filter(&mut self) -> Result<(), ProjectionError> {
        let (mut marks, mut before) = (Vec::new(), *self.names.start());
        for first in (0..self.rows.len()).step_by(usize::try_from(ROWS_AT_ONCE).unwrap_or(1)) {
            let rows = self.read(first..self.rows.len().min(first + ROWS_AT_ONCE))?;
            for row in &rows {
                // Out of order, what is there would not be found.
                if row.name() < before {
                    return Err(self.rows.corrupt(first));
                }
                before = row.name();
                marks.push(R::mark(&before));
            }
        }
        self.filter = Filter::of(marks);
        match self.filter.as_ref().zip(self.filter_path.as_ref()) {
            Some((filter, MachinePath { machine, path })) => {
                let bytes = filter.to_bytes(&self.of);
                // Half of one is told by its checksum, and made again.
                let kept = machine.open_or_create(path).and_then(|file| {
                    file.set_length(bytes.len() as u64)?;
                    file.write_all_at(&bytes, 0)
                });
                kept.map_err(|source| ProjectionError::Io { path: path.clone(), source })
            }
            None => Ok(()),
        }
    }

    /// Reads so far.
    #[cfg(test)]
    pub(super) fn reads(&self) -> u64 {
        self.rows.reads.load(Ordering::Relaxed)
    }

    /// Rows side by side, each as it was written.
    pub(super) fn read(&self, numbers: Range<u64>) -> Result<Vec<R>, ProjectionError> {
        self.rows.read_range(numbers)
    }

    /// Adds the rows of a name.
    pub(super) fn find(&self, name: &R::Name, mark: u64, found: &mut Vec<R>) -> Result<(), ProjectionError> {
        let may_have = || self.filter.as_ref().is_none_or(|filter| filter.may_have(mark));
        if !self.names.contains(name) || !may_have() {
            return Ok(());
        }
        let Range { mut start, mut end } = 0..self.rows.len();
        while start < end {
            let middle = start + (end - start) / 2;
            if self.rows.read(middle)?.name() < *name { start = middle + 1 } else { end = middle }
        }
        while start < self.rows.len() {
            let row = self.rows.read(start)?;
            if row.name() != *name {
                break;
            }
            found.push(row);
            start += 1;
        }
        Ok(())
    }

    /// Brings it to the disk. A filter of other rows would deny those that there are, so it is synced as well.
    pub(super) fn sync(&self) -> Result<(), ProjectionError> {
        if self.synced.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.rows.sync()?;
        if let Some(MachinePath { machine, path }) = self.filter_path.as_ref().filter(|_| self.filter.is_some()) {
            let path = path.clone();
            match machine.open(&path).map(|file| file.sync_all()) {
                Ok(Ok(())) => {}
                Ok(Err(source)) => return Err(ProjectionError::SyncFailed { path, source }),
                Err(source) => return Err(ProjectionError::Io { path, source }),
            }
        }
        self.synced.store(true, Ordering::Relaxed);
        Ok(())
    }
}
