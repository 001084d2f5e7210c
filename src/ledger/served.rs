//! When volunteers served: what the overlap rule, the limit of a day and the warning of duplicates look at.
//!
//! The state holds those times of a volunteer that a record later than all of them is judged by: two or three, mostly. Older
//! ones it puts away, as numbered rows that each name the same volunteer's row before, and which come back as
//! [`Facts`](super::Facts) when a record is late. So the state grows with accounts, not with records.

use serde::{Deserialize, Serialize};

use super::{
    credit::served_ms,
    event::{Event, Served, Service},
    sheet::{Facts, Sheet},
    state::{State, Undo},
    units::{AccountNumber, DAY_MS, EventRef, Millis, Minutes},
};

/// Two records of one volunteer and payer that start within 10 minutes of each other look like one entered twice.
pub(super) const NEAR_DUPLICATE_MS: i64 = 600_000;
/// A local day begins at most this long before and after that of UTC.
const OFFSET_MS_MAX: i64 = 14 * 3_600_000;
/// Times of one volunteer that the state holds at most: three days of services of an hour. With more, old ones are put away
/// that the next record may ask for.
const RECENT_MAX: usize = 32;

/// When a volunteer served, as the newest version of a record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedTime {
    /// The original record.
    pub record: EventRef,
    /// When.
    pub served: Served,
    /// Seconds that the clocks there are ahead of UTC.
    pub utc_offset_seconds: i32,
    /// Who paid.
    pub payer: AccountNumber,
    /// Credit.
    pub credited: Minutes,
}

/// A time that was put away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OlderTime {
    /// Whose.
    pub volunteer: AccountNumber,
    /// When.
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
pub struct OlderTimes {
    /// Whose.
    pub volunteer: AccountNumber,
    /// Number of the newest row, plus 1.
    pub newest: u64,
    /// Rows that count for no moment from here on ..
    pub from: Millis,
    /// .. up to here are not asked for.
    pub until: Millis,
}

/// The rows of one volunteer that were put away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Older {
    newest: u64,
    since: Millis,
    until: Millis,
}

/// A volunteer's times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Times {
    /// In the order of their starts.
    recent: Vec<ServedTime>,
    older: Option<Older>,
}

impl ServedTime {
    pub(super) const fn of(record: EventRef, service: &Service, payer: AccountNumber) -> Self {
        let Service { served, utc_offset_seconds, credited, .. } = service;
        Self { record, served: *served, utc_offset_seconds: *utc_offset_seconds, payer, credited: *credited }
    }

    /// The moments that it may count for: its own, or those of its date anywhere.
    fn extent(&self) -> (Millis, Millis) {
        match self.served {
            Served::Interval { start, end } => (start, end),
            Served::OnDate { date, .. } => anywhere((date.into(), date.into()), 0),
        }
    }

    fn reach(&self) -> (Millis, Millis) {
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
fn reach(served: &Served, utc_offset_seconds: i32) -> (Millis, Millis) {
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

impl OlderTimes {
    /// Walks back through the rows that `row` reads, and gives the times that are asked for. None where the rows are not
    /// those that were put away.
    ///
    /// # Errors
    /// Those of `row`.
    pub fn resolve<E>(&self, mut row: impl FnMut(u64) -> Result<OlderTime, E>) -> Result<Option<Vec<ServedTime>>, E> {
        let (mut found, mut ended, mut next) = (Vec::new(), std::collections::BTreeSet::new(), self.newest);
        while let Some(number) = next.checked_sub(1) {
            let OlderTime { volunteer, time, ended: ends, previous, since, until } = row(number)?;
            if volunteer != self.volunteer || previous > number {
                return Ok(None);
            }
            // Neither this row nor one before it is asked for.
            if until <= self.from || self.until <= since {
                break;
            }
            if ends {
                ended.insert(time.record);
            } else if time.touches(self.from, self.until) && !ended.contains(&time.record) {
                found.push(time);
            }
            next = previous;
        }
        Ok(Some(found))
    }
}

impl Sheet {
    /// Times that were put away and that the rules will ask for, as the state stands now: one request a volunteer.
    #[must_use]
    pub fn older_times(&self, state: &State) -> Vec<OlderTimes> {
        let mut asked: Vec<OlderTimes> = Vec::new();
        for event in &self.events {
            let service = match event {
                Event::ServiceRecorded(recorded) => &recorded.service,
                Event::ServiceCorrected(corrected) => &corrected.service,
                Event::LedgerCreated(_)
                | Event::KeyEnrolled(_)
                | Event::KeyRevoked { .. }
                | Event::RegionDefined { .. }
                | Event::AccountOpened(_)
                | Event::FloorSet { .. }
                | Event::ServiceReversed { .. }
                | Event::MinutesTransferred { .. }
                | Event::HoldPlaced { .. }
                | Event::HoldReleased { .. }
                | Event::HoldExpired { .. } => continue,
            };
            let Some(volunteer) = state.account_number(service.volunteer) else { continue };
            let Some(more) = state.older_of(volunteer, service) else { continue };
            match asked.iter_mut().find(|asked| asked.volunteer == volunteer) {
                Some(asked) => {
                    (asked.from, asked.until) = (asked.from.min(more.from), asked.until.max(more.until));
                }
                None => asked.push(more),
            }
        }
        asked
    }
}

impl State {
    /// Rows put away up to now: the number of the next one.
    #[must_use]
    pub const fn older_times(&self) -> u64 {
        self.older_times
    }

    fn times_of(&self, volunteer: AccountNumber) -> Option<&Times> {
        self.times.get(usize::try_from(volunteer.0).ok()?)
    }

    /// What a service asks for of the times that were put away.
    fn older_of(&self, volunteer: AccountNumber, service: &Service) -> Option<OlderTimes> {
        let older = self.times_of(volunteer)?.older?;
        let (from, until) = reach(&service.served, service.utc_offset_seconds);
        let asked = OlderTimes { volunteer, newest: older.newest, from, until };
        (older.since < until && from < older.until).then_some(asked)
    }

    /// The times of a volunteer that a service is judged by, besides others.
    pub(super) fn times_near<'a>(
        &'a self,
        volunteer: AccountNumber,
        service: &Service,
        facts: &'a Facts,
    ) -> impl Iterator<Item = &'a ServedTime> + Clone {
        let older = facts.times(volunteer);
        // Whoever made the facts has asked for what `Sheet::older_times` names.
        assert!(
            older.is_some() || self.older_of(volunteer, service).is_none(),
            "late service is judged by older times"
        );
        let counts = |time: &&ServedTime| !self.ended_times.iter().any(|(_, ended)| ended.record == time.record);
        let recent = self.times_of(volunteer).map_or(&[][..], |times| &times.recent);
        recent.iter().chain(older.unwrap_or_default().iter().filter(counts))
    }

    /// Brings near what [`Self::times_near`] will look at.
    pub(super) fn newest_time(&self, volunteer: AccountNumber) -> Option<Millis> {
        self.times_of(volunteer)?.recent.last().map(|time| time.extent().0)
    }

    pub(super) fn add_time(&mut self, volunteer: AccountNumber, time: ServedTime) {
        let recent = &mut self.times_mut(volunteer).recent;
        let place = (time.extent().0, time.record);
        let at = match recent.last() {
            Some(last) if (last.extent().0, last.record) > place => {
                recent.partition_point(|other| (other.extent().0, other.record) < place)
            }
            Some(_) | None => recent.len(),
        };
        recent.insert(at, time);
    }

    /// Takes a time away that counts no more: from those at hand, or in front of those that were put away.
    pub(super) fn remove_time(&mut self, volunteer: AccountNumber, time: ServedTime) -> Undo {
        let times = self.times_mut(volunteer);
        if let Some(at) = times.recent.iter().position(|other| other.record == time.record) {
            let removed = times.recent.remove(at);
            return Undo::RemovedTime(volunteer, removed);
        }
        assert!(times.older.is_some(), "only a time that is kept is removed");
        self.ended_times.push((volunteer, time));
        Undo::EndedTime
    }

    /// Puts away what a record later than all before won't be judged by, as far as `done` touched it.
    pub(super) fn put_times_away(&mut self, done: &[Undo]) -> Vec<OlderTime> {
        let mut rows = Vec::new();
        for (volunteer, time) in std::mem::take(&mut self.ended_times) {
            rows.push(self.put_away(volunteer, time, true));
        }
        let mut away = Vec::new();
        for step in done {
            let Undo::AddedTime(volunteer, _) = step else { continue };
            let recent = &mut self.times_mut(*volunteer).recent;
            let Some((from, _)) = recent.last().map(ServedTime::reach) else { continue };
            let mut excess = recent.len().saturating_sub(RECENT_MAX);
            recent.retain(|time| {
                let goes = excess > 0 || time.extent().1 <= from;
                excess = excess.saturating_sub(1);
                if goes {
                    away.push(*time);
                }
                !goes
            });
            for time in away.drain(..) {
                rows.push(self.put_away(*volunteer, time, false));
            }
        }
        rows
    }

    fn put_away(&mut self, volunteer: AccountNumber, time: ServedTime, ended: bool) -> OlderTime {
        self.older_times = self.older_times.saturating_add(1);
        let newest = self.older_times;
        let older = &mut self.times_mut(volunteer).older;
        let (first, end) = time.extent();
        let (previous, since, until) = match *older {
            // What ends counts for nothing itself.
            Some(Older { newest, since, until }) if ended => (newest, since, until),
            Some(Older { newest, since, until }) => (newest, since.min(first), until.max(end)),
            None => (0, first, end),
        };
        *older = Some(Older { newest, since, until });
        OlderTime { volunteer, time, ended, previous, since, until }
    }

    /// The times of a number that a check has handed out.
    #[allow(clippy::indexing_slicing, clippy::as_conversions, reason = "a checked number; a wrong one must stop us")]
    fn times_mut(&mut self, volunteer: AccountNumber) -> &mut Times {
        &mut self.times[volunteer.0 as usize]
    }
}
