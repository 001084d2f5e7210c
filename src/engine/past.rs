//! What replays look up that the state doesn't hold: in the log, and among the times that were put away.

use crate::{
    engine::{
        projection::{ProjectionError, TimesFile},
        replay::Past,
        store::{LogStore, StoreError},
    },
    format::wire,
    ledger::{AskedTimes, Event, EventRef, OlderTime, ServedTime},
};

/// A log that can be read anywhere, and the times of its projections.
#[derive(Clone, Copy)]
pub struct LogPast<'a> {
    /// Where the events of old entries are read.
    pub store: &'a dyn LogStore,
    /// Where times that were put away are read, and more are kept.
    pub times: &'a TimesFile,
}

/// Why something can't be looked up.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The times can't be read or written.
    #[error(transparent)]
    Times(#[from] ProjectionError),
}

impl Past for LogPast<'_> {
    type Error = PastError;

    fn event(&mut self, at: EventRef) -> Result<Option<Event>, PastError> {
        let entry = self.store.entry(at.index.0)?;
        Ok(entry.and_then(|entry| wire::decode_event(entry.events.get(usize::from(at.event))?).ok()))
    }

    fn times(&mut self, asked: &AskedTimes) -> Result<Vec<ServedTime>, PastError> {
        Ok(self.times.times(asked)?)
    }

    fn keep_times(&mut self, first: u64, times: &[OlderTime]) -> Result<(), PastError> {
        Ok(self.times.keep(first, times)?)
    }
}
