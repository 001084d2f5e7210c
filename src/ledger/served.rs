//! When a volunteer served, and which of these times a record is judged by.

use std::collections::BTreeSet;

use super::{
    credit::served_ms,
    event::{Served, Service},
    units::{AccountNumber, DAY_MS, EventRef, Millis, Minutes},
};

/// Two records of one volunteer and payer that start within 10 minutes of each other look like one entered twice.
pub(super) const NEAR_DUPLICATE_MS: i64 = 600_000;
/// A local day begins at most this long before and after that of UTC.
const OFFSET_MS_MAX: i64 = 14 * 3_600_000;

/// When a volunteer served, as the newest version of a record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedTime {
    /// The original record.
    pub record: EventRef,
    /// Clock times, or a date and minutes.
    pub served: Served,
    /// Seconds that the clocks there are ahead of UTC.
    pub utc_offset_seconds: i32,
    /// Issuance where the service names no payer.
    pub payer: AccountNumber,
    /// What the volunteer was credited, the part beyond a cap included.
    pub credited: Minutes,
}

/// A time that was put away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OlderTime {
    /// Whose row it is: rows of one volunteer form a chain.
    pub volunteer: AccountNumber,
    /// As the state held it; of a row that is `ended` only the record counts.
    pub time: ServedTime,
    /// The record was corrected or reversed: its time in a row before this one counts no more.
    pub ended: bool,
    /// Number of the same volunteer's row before this one, plus 1; 0: there is none.
    pub previous: u64,
    /// The first moment that this row or one before it counts for.
    pub since: Millis,
    /// The moment after the last that this row or one before it counts for.
    pub until: Millis,
}

/// Where a volunteer's older times are, and which of them a sheet asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedTimes {
    /// Whose chain of rows is walked.
    pub volunteer: AccountNumber,
    /// Number of the newest row, plus 1.
    pub newest: u64,
    /// Rows that count for no moment from here on ..
    pub from: Millis,
    /// .. up to here are not asked for.
    pub until: Millis,
}

impl ServedTime {
    pub(super) const fn of(record: EventRef, service: &Service, payer: AccountNumber) -> Self {
        let Service { served, utc_offset_seconds, credited, .. } = service;
        Self { record, served: *served, utc_offset_seconds: *utc_offset_seconds, payer, credited: *credited }
    }

    /// The moments that it may count for: its own, or those of its date anywhere.
    pub(super) fn extent(&self) -> (Millis, Millis) {
        match self.served {
            Served::Interval { start, end } => (start, end),
            Served::OnDate { date, .. } => anywhere((date.into(), date.into()), 0),
        }
    }

    pub(super) fn reach(&self) -> (Millis, Millis) {
        reach(&self.served, self.utc_offset_seconds)
    }

    fn touches(&self, from: Millis, until: Millis) -> bool {
        let (first, end) = self.extent();
        first < until && from < end
    }

    /// The local days that it touches, split at local midnight.
    pub(super) fn days(&self) -> std::ops::RangeInclusive<i64> {
        let offset_ms = i64::from(self.utc_offset_seconds).saturating_mul(1_000);
        let day = |moment: i64| moment.saturating_add(offset_ms).div_euclid(DAY_MS);
        match self.served {
            Served::Interval { start, end } => day(start.0)..=day(end.0.saturating_sub(1)),
            Served::OnDate { date, .. } => date.into()..=date.into(),
        }
    }

    /// Milliseconds served on a local day.
    pub(super) fn share_of(&self, day: i64) -> i64 {
        match self.served {
            Served::Interval { start, end } => {
                let offset_ms = i64::from(self.utc_offset_seconds).saturating_mul(1_000);
                let midnight = day.saturating_mul(DAY_MS).saturating_sub(offset_ms);
                end.0.min(midnight.saturating_add(DAY_MS)).saturating_sub(start.0.max(midnight)).max(0)
            }
            Served::OnDate { date, .. } if i64::from(date) == day => served_ms(&self.served),
            Served::OnDate { .. } => 0,
        }
    }
}

/// The moments of others that a service is judged by: its days, anywhere, and those near its start.
pub(super) fn reach(served: &Served, utc_offset_seconds: i32) -> (Millis, Millis) {
    let offset_ms = i64::from(utc_offset_seconds).saturating_mul(1_000);
    let day = |moment: Millis| moment.0.saturating_add(offset_ms).div_euclid(DAY_MS);
    let days = match *served {
        Served::Interval { start, end } => (day(start), day(end)),
        Served::OnDate { date, .. } => (date.into(), date.into()),
    };
    anywhere(days, NEAR_DUPLICATE_MS)
}

/// The moments that belong to these dates anywhere in the world, and `margin_ms` around.
fn anywhere((first, last): (i64, i64), margin_ms: i64) -> (Millis, Millis) {
    let margin_ms = margin_ms.saturating_add(OFFSET_MS_MAX);
    let begin = first.saturating_mul(DAY_MS).saturating_sub(margin_ms);
    let end = last.saturating_add(1).saturating_mul(DAY_MS).saturating_add(margin_ms);
    (Millis(begin), Millis(end))
}

/// Times that were found, and where older ones are.
#[derive(Debug, Default)]
pub struct FoundTimes {
    /// Those that are asked for.
    pub times: Vec<ServedTime>,
    /// Records whose older times count no more.
    pub ended: BTreeSet<EventRef>,
    /// What is to be asked of older rows, if anything is.
    pub rest: Option<AskedTimes>,
}

impl AskedTimes {
    /// Walks back through the rows that `row` reads, and gives the times that are asked for. None where the rows are not
    /// those that were put away.
    ///
    /// # Errors
    /// Those of `row`.
    pub fn resolve<E>(&self, row: impl FnMut(u64) -> Result<OlderTime, E>) -> Result<Option<Vec<ServedTime>>, E> {
        Ok(self.resolve_from(0, row)?.map(|found| found.times))
    }

    /// The same, of rows from a number on.
    ///
    /// # Errors
    /// Those of `row`.
    pub fn resolve_from<E>(
        &self,
        first: u64,
        mut row: impl FnMut(u64) -> Result<OlderTime, E>,
    ) -> Result<Option<FoundTimes>, E> {
        let (mut found, mut next) = (FoundTimes::default(), self.newest);
        while let Some(number) = next.checked_sub(1) {
            if number < first {
                found.rest = Some(Self { newest: next, ..*self });
                break;
            }
            let OlderTime { volunteer, time, ended: ends, previous, since, until } = row(number)?;
            if volunteer != self.volunteer || previous > number {
                return Ok(None);
            }
            // Neither this row nor one before it is asked for.
            if until <= self.from || self.until <= since {
                break;
            }
            if ends {
                found.ended.insert(time.record);
            } else if time.touches(self.from, self.until) && !found.ended.contains(&time.record) {
                found.times.push(time);
            }
            next = previous;
        }
        Ok(Some(found))
    }
}
