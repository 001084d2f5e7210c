//! What the state has put away, in files: written as the state moves on, ahead of what is durable; a start cuts what is ahead
//! of the snapshot.

use sha2::{Digest, Sha256};

use super::{
    row_file::ProjectionError,
    rows::{NoteRow, SheetRow},
    runs::{NamedRow, Runs},
    times::TimesFile,
};
use crate::{
    engine::machine::MachinePath,
    ledger::{
        AccountNumber, AskedTimes, EventRef, KeyId, LogIndex, Minutes, OlderNote, OlderSheet, Owed, PutAway,
        PutAwayCounts, RecordNote, ServedTime, SheetId,
    },
};

/// Names of files.
const TIMES: &str = "times";
const SHEETS: &str = "sheets";
const NOTES: &str = "notes";

/// Times of service, ids of sheets past their validity, and what became of records.
#[derive(Debug)]
pub struct PutAwayFiles {
    times: TimesFile,
    sheets: Runs<SheetRow>,
    notes: Runs<NoteRow>,
}

impl PutAwayFiles {
    /// Opens or creates those of a folder. They count for nothing before they are cut.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn open(folder: &MachinePath) -> Result<Self, ProjectionError> {
        let (sheets, notes) = (Runs::open(folder, SHEETS)?, Runs::open(folder, NOTES)?);
        Ok(Self { times: TimesFile::open(folder.join(TIMES))?, sheets, notes })
    }

    /// Some that vanish with their last user.
    ///
    /// # Errors
    /// They can't be made.
    pub fn temporary() -> std::io::Result<Self> {
        let (sheets, notes) = (Runs::temporary(SHEETS), Runs::temporary(NOTES));
        Ok(Self { times: TimesFile::temporary()?, sheets, notes })
    }

    /// The times that are asked for.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`].
    pub fn times(&self, asked: &AskedTimes) -> Result<Vec<ServedTime>, ProjectionError> {
        self.times.times(asked)
    }

    /// The entry that used the id of a sheet, if one did that was put away.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`].
    pub fn sheet(&self, author: KeyId, id: SheetId) -> Result<Option<LogIndex>, ProjectionError> {
        let found = self.sheets.find(&(u128::from_be_bytes(id.0), u128::from_be_bytes(author.0)))?;
        Ok(found.first().map(|row| LogIndex(row.index)))
    }

    /// Whether ids of sheets were put away.
    #[must_use]
    pub fn has_sheets(&self) -> bool {
        self.sheets.len() > 0
    }

    /// What had become of a record after so many entries, if that was put away.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`].
    pub fn note(&self, record: EventRef, size: u64) -> Result<Option<RecordNote>, ProjectionError> {
        let found = self.notes.find(&(record.index.0, record.event))?;
        Ok(found.iter().rev().find(|row| row.noted_at < size).map(note))
    }

    /// Keeps what a state puts away. Whatever stood under these numbers and later ones is replaced.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn keep(&self, put_away: &PutAway) -> Result<(), ProjectionError> {
        let PutAway { first, times, sheets, notes } = put_away;
        if !times.is_empty() {
            self.times.keep(first.times, times)?;
        }
        if !sheets.is_empty() {
            self.sheets.keep(first.sheets, sheets.iter().map(sheet_row).collect())?;
        }
        if !notes.is_empty() {
            self.notes.keep(first.notes, notes.iter().map(note_row).collect())?;
        }
        Ok(())
    }

    /// Whether they hold as much as a state has put away.
    #[must_use]
    pub fn holds(&self, counts: PutAwayCounts) -> bool {
        self.times.len() >= counts.times && self.sheets.holds(counts.sheets) && self.notes.holds(counts.notes)
    }

    pub(super) fn truncate(&self, counts: PutAwayCounts) -> Result<(), ProjectionError> {
        self.times.truncate(counts.times)?;
        self.sheets.truncate(counts.sheets)?;
        self.notes.truncate(counts.notes)
    }

    /// Brings the rows to the disk. The caller syncs the folder.
    pub(super) fn sync(&self) -> Result<(), ProjectionError> {
        self.times.sync()?;
        self.sheets.sync()?;
        self.notes.sync()
    }

    /// Puts in order what a snapshot has, so that it is found sooner.
    pub(super) fn merge(&self, saved: PutAwayCounts) -> Result<(), ProjectionError> {
        self.sheets.merge(saved.sheets)?;
        self.notes.merge(saved.notes)
    }

    pub(super) fn first_difference(
        &self,
        other: &Self,
    ) -> Result<Option<(&'static str, Option<u64>)>, ProjectionError> {
        let files = [
            (TIMES, self.times.first_difference(&other.times)?),
            (SHEETS, self.sheets.first_difference(&other.sheets)?),
            (NOTES, self.notes.first_difference(&other.notes)?),
        ];
        Ok(files.into_iter().find_map(|(file, row)| row.map(|row| (file, Some(row)))))
    }
}

fn sheet_row(older: &OlderSheet) -> SheetRow {
    let (id, author) = (u128::from_be_bytes(older.id.0), u128::from_be_bytes(older.author.0));
    SheetRow { id, author, index: older.index.0 }
}

/// By id first: ids begin with the time, so that runs follow each other.
impl NamedRow for SheetRow {
    type Name = (u128, u128);

    fn name(&self) -> Self::Name {
        (self.id, self.author)
    }

    /// A hash, since authors choose their ids.
    fn mark((id, author): &Self::Name) -> u64 {
        let hash = Sha256::new().chain_update(id.to_be_bytes()).chain_update(author.to_be_bytes()).finalize();
        hash.first_chunk().map_or(0, |mark| u64::from_be_bytes(*mark))
    }
}

fn note_row(older: &OlderNote) -> NoteRow {
    let OlderNote { record, note } = older;
    let (pool, overflow) = note.overflow.map_or((0, 0), |(pool, minutes)| (pool.0, minutes.get()));
    let owed = note.owed.map_or((0, 0, 0), |owed| (owed.station.0, owed.volunteer.0, owed.minutes.get()));
    NoteRow {
        record_index: record.index.0,
        latest_index: note.latest.index.0,
        noted_at: note.noted_at.0,
        overflow,
        owed: owed.2,
        pool,
        station: owed.0,
        volunteer: owed.1,
        record_event: record.event,
        latest_event: note.latest.event,
        reversed: u8::from(note.reversed),
        reserved: 0,
        reserved_too: 0,
    }
}

fn note(row: &NoteRow) -> RecordNote {
    let (station, volunteer, minutes) =
        (AccountNumber(row.station), AccountNumber(row.volunteer), Minutes::new(row.owed));
    RecordNote {
        noted_at: LogIndex(row.noted_at),
        latest: EventRef { index: LogIndex(row.latest_index), event: row.latest_event },
        overflow: (row.overflow != 0).then_some((AccountNumber(row.pool), Minutes::new(row.overflow))),
        owed: (row.owed != 0).then_some(Owed { station, volunteer, minutes }),
        reversed: row.reversed != 0,
    }
}

impl NamedRow for NoteRow {
    type Name = (u64, u16);

    fn name(&self) -> Self::Name {
        (self.record_index, self.record_event)
    }

    /// A log has fewer than 2^40 entries.
    fn mark((index, event): &Self::Name) -> u64 {
        (index << 16) | u64::from(*event)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
mod tests {
    use super::*;

    fn older(record: u64, noted_at: u64, reversed: bool) -> OlderNote {
        let place = |index, event| EventRef { index: LogIndex(index), event };
        let owed = Owed { station: AccountNumber(4), volunteer: AccountNumber(9), minutes: Minutes::new(30) };
        let note = RecordNote {
            noted_at: LogIndex(noted_at),
            latest: place(noted_at, 7),
            overflow: (!reversed).then_some((AccountNumber(3), Minutes::new(5))),
            owed: (!reversed).then_some(owed),
            reversed,
        };
        OlderNote { record: place(record, 2), note }
    }

    #[test]
    fn a_note_comes_back_as_a_reader_of_any_size_may_see_it() {
        let files = PutAwayFiles::temporary().unwrap();
        let (first, second) = (older(5, 10, false), older(5, 20, true));
        let counts = |notes| PutAwayCounts { notes, ..PutAwayCounts::default() };
        files.keep(&PutAway { notes: vec![first], ..PutAway::default() }).unwrap();
        files
            .keep(&PutAway { first: counts(1), notes: vec![older(6, 11, false), second], ..PutAway::default() })
            .unwrap();
        let seen = |size| files.note(first.record, size).unwrap();
        assert_eq!((seen(10), seen(11), seen(20)), (None, Some(first.note), Some(first.note)));
        assert_eq!((seen(21), seen(u64::MAX)), (Some(second.note), Some(second.note)));
        assert_eq!(files.note(older(7, 0, false).record, u64::MAX).unwrap(), None);
        assert!(files.holds(counts(1)) && !files.holds(counts(2)) && files.holds(counts(3)) && !files.holds(counts(4)));
        files.truncate(counts(1)).unwrap();
        assert_eq!(seen(u64::MAX), Some(first.note));
    }
}
