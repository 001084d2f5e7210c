//! The rows of several runs, in the order of their names.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, vec::IntoIter};

use super::{
    NamedRow,
    run::{Place, ROWS_AT_ONCE, Run},
};
use crate::engine::projection::row_file::{ProjectionError, RowFile};

/// One after another: by name, and those of one name as they were put away.
pub(super) struct Merge<'a, R: NamedRow> {
    sources: Vec<Source<'a, R>>,
    /// The next row of each, by its name and its source.
    heads: BinaryHeap<Reverse<(R::Name, usize)>>,
}

struct Source<'a, R: NamedRow> {
    run: &'a Run<R>,
    /// The one that is next, and some after it.
    head: Option<R>,
    ready: IntoIter<R>,
    read: u64,
}

impl<R: NamedRow> Source<'_, R> {
    /// The row that was next.
    fn advance(&mut self) -> Result<Option<R>, ProjectionError> {
        if self.ready.len() == 0 && self.read < self.run.rows() {
            let end = self.run.rows().min(self.read + ROWS_AT_ONCE);
            self.ready = self.run.read(self.read..end)?.into_iter();
            self.read = end;
        }
        Ok(std::mem::replace(&mut self.head, self.ready.next()))
    }
}

impl<'a, R: NamedRow> Merge<'a, R> {
    pub(super) fn of(runs: &'a [Arc<Run<R>>]) -> Result<Self, ProjectionError> {
        let (mut sources, mut heads) = (Vec::new(), BinaryHeap::new());
        for run in runs {
            let mut source = Source { run: run.as_ref(), head: None, ready: Vec::new().into_iter(), read: 0 };
            source.advance()?;
            heads.extend(source.head.map(|row| Reverse((row.name(), sources.len()))));
            sources.push(source);
        }
        Ok(Self { sources, heads })
    }

    pub(super) fn next_row(&mut self) -> Result<Option<R>, ProjectionError> {
        let Some(Reverse((_, number))) = self.heads.pop() else { return Ok(None) };
        let Some(source) = self.sources.get_mut(number) else { return Ok(None) };
        let row = source.advance()?;
        self.heads.extend(source.head.map(|row| Reverse((row.name(), number))));
        Ok(row)
    }
}

/// Runs that stand side by side as one, which is synced.
///
/// # Errors
/// They can't be read, or it not be written.
pub(super) fn merged<R: NamedRow>(place: &Place, runs: &[Arc<Run<R>>]) -> Result<Run<R>, ProjectionError> {
    let numbers = runs.first().map_or(0, |run| run.numbers().start)..runs.last().map_or(0, |run| run.numbers().end);
    Run::made(place, numbers, |file| write(file, Merge::of(runs)?))
}

fn write<R: NamedRow>(file: &RowFile<R>, mut merge: Merge<'_, R>) -> Result<(), ProjectionError> {
    let mut rows = Vec::new();
    loop {
        let row = merge.next_row()?;
        rows.extend(row);
        if rows.len() as u64 == ROWS_AT_ONCE || row.is_none() {
            file.append(file.len(), &rows)?;
            rows.clear();
        }
        if row.is_none() {
            return Ok(());
        }
    }
}
