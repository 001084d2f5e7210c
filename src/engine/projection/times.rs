//! Service times that the state has put away, which the rules themselves read again: written as the state moves on, ahead of
//! what is durable; a start cuts what is ahead of the snapshot.

use super::row_file::{ProjectionError, RowFile};
use super::rows::TimeRow;
use crate::{
    engine::machine::MachinePath,
    ledger::{AccountNumber, AskedTimes, EventRef, LogIndex, Millis, Minutes, OlderTime, Served, ServedTime},
};

/// An interval with clock times.
const INTERVAL: u8 = 1;
/// A date with minutes.
const ON_DATE: u8 = 2;

/// Rows of fixed length, numbered from 0 in the order in which times were put away.
#[derive(Debug)]
pub(super) struct TimesFile(RowFile<TimeRow>);

impl TimesFile {
    /// Opens or creates it.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub(super) fn open(path: MachinePath) -> Result<Self, ProjectionError> {
        RowFile::open(path).map(Self)
    }

    /// One that vanishes with its last user.
    ///
    /// # Errors
    /// It can't be made.
    pub(super) fn temporary() -> std::io::Result<Self> {
        Ok(Self(RowFile::temporary(tempfile::tempfile()?)))
    }

    /// Keeps times under ascending numbers from `first` on. Whatever stood there is replaced.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub(super) fn keep(&self, first: u64, times: &[OlderTime]) -> Result<(), ProjectionError> {
        let rows: Vec<TimeRow> = times.iter().map(row).collect();
        self.0.append(first, &rows)
    }

    /// The times that are asked for.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], [`ProjectionError::Corrupt`].
    pub(super) fn times(&self, asked: &AskedTimes) -> Result<Vec<ServedTime>, ProjectionError> {
        let found = asked.resolve(|number| time(&self.0.read(number)?).ok_or_else(|| self.0.corrupt(number)))?;
        found.ok_or_else(|| self.0.corrupt(asked.newest.saturating_sub(1)))
    }

    /// Times that it holds.
    #[must_use]
    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    pub(super) fn truncate(&self, length: u64) -> Result<(), ProjectionError> {
        self.0.truncate(length)
    }

    pub(super) fn sync(&self) -> Result<(), ProjectionError> {
        self.0.sync()
    }

    pub(super) fn first_difference(&self, other: &Self) -> Result<Option<u64>, ProjectionError> {
        self.0.first_difference(&other.0)
    }
}

fn row(older: &OlderTime) -> TimeRow {
    let OlderTime { volunteer, time, ended, previous, since, until } = older;
    let (kind, first, second) = match time.served {
        Served::Interval { start, end } => (INTERVAL, start.0, end.0),
        Served::OnDate { date, minutes } => (ON_DATE, i64::from(date), minutes.get()),
    };
    TimeRow {
        account: volunteer.0,
        payer: time.payer.0,
        record_index: time.record.index.0,
        first,
        second,
        credited: time.credited.get(),
        previous: *previous,
        since: since.0,
        until: until.0,
        utc_offset_seconds: time.utc_offset_seconds,
        record_event: time.record.event,
        kind,
        ended: u8::from(*ended),
    }
}

/// None where the row is none that was put away.
fn time(row: &TimeRow) -> Option<OlderTime> {
    let served = match row.kind {
        INTERVAL => Served::Interval { start: Millis(row.first), end: Millis(row.second) },
        ON_DATE => Served::OnDate { date: row.first.try_into().ok()?, minutes: Minutes::new(row.second) },
        _ => return None,
    };
    let time = ServedTime {
        record: EventRef { index: LogIndex(row.record_index), event: row.record_event },
        served,
        utc_offset_seconds: row.utc_offset_seconds,
        payer: AccountNumber(row.payer),
        credited: Minutes::new(row.credited),
    };
    let (previous, since, until) = (row.previous, Millis(row.since), Millis(row.until));
    Some(OlderTime { volunteer: AccountNumber(row.account), time, ended: row.ended != 0, previous, since, until })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
mod tests {
    use super::*;

    fn older(volunteer: u32, previous: u64, served: Served, ended: bool) -> OlderTime {
        let record = EventRef { index: LogIndex(7), event: 3 };
        let (payer, credited) = (AccountNumber(9), Minutes::new(30));
        let time = ServedTime { record, served, utc_offset_seconds: -3_600, payer, credited };
        let (since, until) = (Millis(-5), Millis(1 << 50));
        OlderTime { volunteer: AccountNumber(volunteer), time, ended, previous, since, until }
    }

    fn asked(newest: u64) -> AskedTimes {
        AskedTimes { volunteer: AccountNumber(1), newest, from: Millis(0), until: Millis(1 << 40) }
    }

    #[test]
    fn rows_come_back() {
        let interval = Served::Interval { start: Millis(1_000), end: Millis(61_000) };
        let date = Served::OnDate { date: 3, minutes: Minutes::new(30) };
        for (served, ended) in [(interval, false), (interval, true), (date, false)] {
            assert_eq!(time(&row(&older(1, 0, served, ended))), Some(older(1, 0, served, ended)));
        }
    }

    #[test]
    fn a_chain_that_leads_to_somebody_else_or_forward_is_no_answer() {
        let file = TimesFile::temporary().unwrap();
        let interval = Served::Interval { start: Millis(1_000), end: Millis(61_000) };
        file.keep(0, &[older(1, 0, interval, false), older(1, 1, interval, false)]).unwrap();
        assert_eq!(file.times(&asked(2)).unwrap().len(), 2);
        assert!(matches!(file.times(&asked(3)), Err(ProjectionError::Io { .. })));
        file.keep(1, &[older(2, 1, interval, false)]).unwrap();
        assert!(matches!(file.times(&asked(2)), Err(ProjectionError::Corrupt { .. })));
        file.keep(1, &[older(1, 2, interval, false)]).unwrap();
        assert!(matches!(file.times(&asked(2)), Err(ProjectionError::Corrupt { .. })));
    }
}
