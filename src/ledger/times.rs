//! When volunteers served: what the overlap rule, the limit of a day and the warning of duplicates look at.
//!
//! The state holds those times of a volunteer that a record later than all of them is judged by: two or three, mostly. Older
//! ones it puts away, as numbered rows that each name the same volunteer's row before, and which come back as
//! [`Facts`](super::Facts) when a record is late. So the state grows with accounts, not with records.

use super::{
    event::Service,
    facts::Facts,
    served::{AskedTimes, Older, OlderTime, ServedTime, Times, reach},
    state::{State, Undo},
    units::{AccountNumber, Millis},
};

/// Times of one volunteer that the state holds at most: three days of services of an hour. With more, old ones are put away
/// that the next record may ask for.
const RECENT_MAX: usize = 32;

impl State {
    /// Rows put away up to now: the number of the next one.
    #[must_use]
    pub const fn times_put_away(&self) -> u64 {
        self.times_put_away
    }

    fn times_of(&self, volunteer: AccountNumber) -> Option<&Times> {
        self.times.get(usize::try_from(volunteer.0).ok()?)
    }

    /// What a service asks for of the times that were put away.
    pub(super) fn older_of(&self, volunteer: AccountNumber, service: &Service) -> Option<AskedTimes> {
        let older = self.times_of(volunteer)?.older?;
        let (from, until) = reach(&service.served, service.utc_offset_seconds);
        let asked = AskedTimes { volunteer, newest: older.newest, from, until };
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
        // Whoever made the facts has asked for what `Sheet::asked_times` names.
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
        self.times_put_away = self.times_put_away.saturating_add(1);
        let newest = self.times_put_away;
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
