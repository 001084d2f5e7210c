//! What replays look up that the state doesn't hold: in the log, and among what was put away.

use crate::{
    engine::{
        log::Log,
        projection::{ProjectionError, PutAwayFiles},
        replay::Past,
        store::StoreError,
    },
    format::wire,
    ledger::{AskedTimes, Event, EventRef, KeyId, LogIndex, PutAway, RecordNote, ServedTime, Sheet, SheetId},
};

/// A log that can be read anywhere, and what the state of its projections has put away.
#[derive(Clone, Copy)]
pub struct LogPast<'a> {
    /// Where the events of old entries are read.
    pub log: &'a dyn Log,
    /// Where what was put away is read, and more is kept.
    pub put_away: &'a PutAwayFiles,
}

/// Why something can't be looked up.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was put away can't be read, or more not be written.
    #[error(transparent)]
    PutAway(#[from] ProjectionError),
}

impl Past for LogPast<'_> {
    type Error = PastError;

    fn event(&mut self, at: EventRef) -> Result<Option<Event>, PastError> {
        let entry = self.log.entry(at.index.0)?;
        Ok(entry.and_then(|entry| wire::decode_event(entry.events.get(usize::from(at.event))?).ok()))
    }

    fn times(&mut self, asked: &AskedTimes) -> Result<Vec<ServedTime>, PastError> {
        Ok(self.put_away.times(asked)?)
    }

    fn sheet(&mut self, author: KeyId, id: SheetId) -> Result<Option<LogIndex>, PastError> {
        Ok(self.put_away.sheet(author, id)?)
    }

    fn note(&mut self, record: EventRef) -> Result<Option<RecordNote>, PastError> {
        Ok(self.put_away.note(record, u64::MAX)?)
    }

    fn keep(&mut self, put_away: &PutAway) -> Result<(), PastError> {
        Ok(self.put_away.keep(put_away)?)
    }
}

/// The past of a log some of whose entries aren't in it yet.
pub struct NewestPast<'a> {
    /// What is.
    pub durable: LogPast<'a>,
    /// The sheet of an entry that isn't.
    pub newest: &'a dyn Fn(u64) -> Option<&'a Sheet>,
}

impl Past for NewestPast<'_> {
    type Error = PastError;

    fn event(&mut self, at: EventRef) -> Result<Option<Event>, PastError> {
        match (self.newest)(at.index.0) {
            Some(sheet) => Ok(sheet.events.get(usize::from(at.event)).cloned()),
            None => self.durable.event(at),
        }
    }

    fn times(&mut self, asked: &AskedTimes) -> Result<Vec<ServedTime>, PastError> {
        self.durable.times(asked)
    }

    fn sheet(&mut self, author: KeyId, id: SheetId) -> Result<Option<LogIndex>, PastError> {
        self.durable.sheet(author, id)
    }

    fn note(&mut self, record: EventRef) -> Result<Option<RecordNote>, PastError> {
        self.durable.note(record)
    }

    fn keep(&mut self, put_away: &PutAway) -> Result<(), PastError> {
        self.durable.keep(put_away)
    }
}
