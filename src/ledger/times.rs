//! When volunteers served: what the overlap rule, the limit of a day and the warning of duplicates look at.
//!
//! The state holds those times of a volunteer that a record later than all of them is judged by: two or three, mostly. Older
//! ones it puts away, as numbered rows that each name the same volunteer's row before, and which come back as
//! [`Facts`](super::Facts) when a record is late. So the state grows with accounts, not with records.

mod rows;

use self::rows::{OwnerRow, RecentRow};
use super::{
    decision::Dated,
    event::Service,
    facts::Facts,
    served::{AskedTimes, OlderTime, ServedTime, reach},
    table::{Blocks, Map, Rows, Table, packed::Link},
    units::{AccountNumber, EventRef},
};

/// Times of one volunteer that the state holds at most: three days of services of an hour. With more, old ones are put away
/// that the next record may ask for.
const RECENT_MAX: usize = 32;

/// Rows of a page: where a copy is about to be saved, some kilobytes are copied at a write.
const OWNERS_PAGE: usize = 512;
const RECENT_PAGE: usize = 256;

/// When volunteers served, as far as it isn't put away.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ServiceTimes {
    /// By the number of an account. Nobody beyond the last has any times.
    owners: Table<Blocks<OwnerRow, OWNERS_PAGE>>,
    /// Those that the state holds: chains by volunteer, the latest first; and a chain of free rows.
    recent: Table<Blocks<RecentRow, RECENT_PAGE>>,
    free: Link,
    /// The same before the newest changes.
    free_before: Option<Link>,
    /// Of times that were put away, those that this sheet ends.
    ended: Vec<(AccountNumber, ServedTime)>,
    /// Whose times this sheet adds to.
    touched: Vec<AccountNumber>,
    put_away: u64,
    /// The same before the newest changes.
    put_away_before: Option<u64>,
    /// The newest date-only record of volunteers.
    dated: Map<AccountNumber, Dated>,
}

/// The tables of service times as they are saved.
#[derive(Debug, Clone, Default)]
pub(super) struct TimesPages {
    pub(super) owners: Blocks<OwnerRow, OWNERS_PAGE>,
    pub(super) recent: Blocks<RecentRow, RECENT_PAGE>,
}

/// What is saved of service times beside their pages.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct SavedTimes {
    lengths: [u32; 2],
    free: Link,
    put_away: u64,
    dated: Map<AccountNumber, Dated>,
}

impl SavedTimes {
    pub(super) const fn put_away(&self) -> u64 {
        self.put_away
    }
}

impl ServiceTimes {
    /// The tables, to be saved page by page, and the rest.
    pub(super) fn saved(&mut self) -> (TimesPages, SavedTimes) {
        let (owners, recent) = (self.owners.rows_mut(), self.recent.rows_mut());
        let lengths = [owners.len(), recent.len()];
        let pages = TimesPages { owners: owners.share(), recent: recent.share() };
        (pages, SavedTimes { lengths, free: self.free, put_away: self.put_away, dated: self.dated.clone() })
    }

    /// The way back. Nothing where a page is missing.
    pub(super) fn of_saved(pages: TimesPages, rest: SavedTimes) -> Option<Self> {
        let TimesPages { owners, recent } = pages;
        let SavedTimes { lengths, free, put_away, dated } = rest;
        let whole = lengths == [owners.len(), recent.len()];
        let (owners, recent) = (owners.into(), recent.into());
        whole.then(|| Self { owners, recent, free, put_away, dated, ..Self::default() })
    }

    /// Rows put away up to now: the number of the next one.
    pub(super) const fn put_away(&self) -> u64 {
        self.put_away
    }

    fn owner(&self, volunteer: AccountNumber) -> Option<&OwnerRow> {
        self.owners.get(volunteer.0)
    }

    /// The times of a volunteer that the state holds, the latest first, with their rows.
    fn chain(&self, volunteer: AccountNumber) -> impl Iterator<Item = (u32, &RecentRow)> + Clone {
        let row = |number: u32| Some((number, self.recent.get(number)?));
        let first = self.owner(volunteer).and_then(OwnerRow::recent).and_then(row);
        std::iter::successors(first, move |(_, before)| before.next().and_then(row))
    }

    /// The newest date-only record of a volunteer.
    pub(super) fn dated(&self, volunteer: AccountNumber) -> Option<&Dated> {
        self.dated.get(&volunteer)
    }

    /// Marks it; nothing where it is corrected or reversed.
    pub(super) fn mark_dated(&mut self, volunteer: AccountNumber, mark: Option<Dated>) {
        self.dated.set(volunteer, mark);
    }

    /// What a service asks for of the times that were put away.
    pub(super) fn asked(&self, volunteer: AccountNumber, service: &Service) -> Option<AskedTimes> {
        let (newest, since, before) = self.owner(volunteer)?.older()?;
        let (from, until) = reach(&service.served, service.utc_offset_seconds);
        (since < until && from < before).then_some(AskedTimes { volunteer, newest, from, until })
    }

    /// The times of a volunteer that a service is judged by, besides others.
    pub(super) fn near<'a>(
        &'a self,
        volunteer: AccountNumber,
        service: &Service,
        facts: &'a Facts,
    ) -> impl Iterator<Item = ServedTime> + Clone {
        let older = facts.times(volunteer);
        // Whoever made the facts has asked for what `Sheet::asked_times` names.
        assert!(older.is_some() || self.asked(volunteer, service).is_none(), "late service is judged by older times");
        let counts = |time: &ServedTime| !self.ended.iter().any(|(_, ended)| ended.record == time.record);
        let older = older.unwrap_or_default().iter().copied().filter(counts);
        self.chain(volunteer).map(|(_, row)| row.time()).chain(older)
    }

    /// Brings near what [`Self::near`] will look at.
    pub(super) fn newest(&self, volunteer: AccountNumber) -> Option<EventRef> {
        self.chain(volunteer).next().map(|(_, row)| row.record())
    }

    /// Adds a time.
    pub(super) fn add(&mut self, volunteer: AccountNumber, time: ServedTime) {
        let place = |time: &ServedTime| (time.extent().0, time.record);
        let later = self.chain(volunteer).take_while(|(_, row)| place(&row.time()) > place(&time));
        let before = later.last().map(|(number, _)| number);
        let next = match before {
            Some(before) => self.recent.get(before).and_then(RecentRow::next),
            None => self.owner(volunteer).and_then(OwnerRow::recent),
        };
        let number = self.new_row(RecentRow::of(&time, next));
        self.link(volunteer, before, Some(number));
        self.touched.push(volunteer);
    }

    /// Puts a row into a free place, or behind all others.
    fn new_row(&mut self, row: RecentRow) -> u32 {
        let Some(free) = self.free else { return self.recent.push(row) };
        let next = self.recent.change(free, |place| std::mem::replace(place, row).next());
        self.set_free(next.flatten());
        free
    }

    fn set_free(&mut self, free: Link) {
        self.free_before.get_or_insert(self.free);
        self.free = free;
    }

    /// Has a row, or a volunteer's first link, lead to another row.
    fn link(&mut self, volunteer: AccountNumber, before: Option<u32>, next: Link) {
        match before {
            Some(before) => {
                self.recent.change(before, |row| row.set_next(next));
            }
            None => self.change_owner(volunteer, |owner| owner.set_recent(next)),
        }
    }

    fn change_owner(&mut self, volunteer: AccountNumber, change: impl FnOnce(&mut OwnerRow)) {
        while self.owners.rows().len() <= volunteer.0 {
            self.owners.push(OwnerRow::default());
        }
        self.owners.change(volunteer.0, change);
    }

    /// Takes a time away that counts no more: from those at hand, or in front of those that were put away.
    pub(super) fn remove(&mut self, volunteer: AccountNumber, time: ServedTime) {
        if self.unlink(volunteer, time.record) {
            return;
        }
        let is_kept = self.owner(volunteer).is_some_and(|owner| owner.older().is_some());
        assert!(is_kept, "only a time that is kept is removed");
        self.ended.push((volunteer, time));
    }

    /// Whether the state held it.
    fn unlink(&mut self, volunteer: AccountNumber, record: EventRef) -> bool {
        let mut before = None;
        let found = self.chain(volunteer).find_map(|(number, row)| {
            let found = (row.record() == record).then(|| (before, number, row.next()));
            before = Some(number);
            found
        });
        let Some((before, number, next)) = found else { return false };
        self.link(volunteer, before, next);
        let free = self.free;
        self.recent.change(number, |row| *row = RecentRow::free(free));
        self.set_free(Some(number));
        true
    }

    /// Takes the changes back.
    pub(super) fn roll_back(&mut self) {
        self.owners.roll_back(|_, _| ());
        self.recent.roll_back(|_, _| ());
        self.dated.roll_back();
        self.free = self.free_before.take().unwrap_or(self.free);
        self.put_away = self.put_away_before.take().unwrap_or(self.put_away);
        self.ended.clear();
        self.touched.clear();
    }

    /// The changes are there to stay.
    pub(super) fn settle(&mut self) -> Vec<OlderTime> {
        let rows = self.put_excess_away();
        self.owners.settle();
        self.recent.settle();
        self.dated.settle();
        (self.free_before, self.put_away_before) = (None, None);
        rows
    }

    /// Puts away what a record later than all before won't be judged by, as far as the newest changes touched it.
    pub(super) fn put_excess_away(&mut self) -> Vec<OlderTime> {
        let mut rows = Vec::new();
        for (volunteer, time) in std::mem::take(&mut self.ended) {
            rows.push(self.put(volunteer, time, true));
        }
        let mut touched = std::mem::take(&mut self.touched);
        for volunteer in touched.drain(..) {
            self.put_excess(volunteer, &mut rows);
        }
        // So that the list keeps its memory.
        self.touched = touched;
        rows
    }

    fn put_excess(&mut self, volunteer: AccountNumber, rows: &mut Vec<OlderTime>) {
        let Some((from, _)) = self.chain(volunteer).next().map(|(_, row)| row.time().reach()) else { return };
        let times = self.chain(volunteer).map(|(_, row)| row.time()).enumerate();
        let goes = |(place, time): &(usize, ServedTime)| *place >= RECENT_MAX || time.extent().1 <= from;
        let mut away: Vec<ServedTime> = times.filter(goes).map(|(_, time)| time).collect();
        while let Some(time) = away.pop() {
            self.unlink(volunteer, time.record);
            rows.push(self.put(volunteer, time, false));
        }
    }

    fn put(&mut self, volunteer: AccountNumber, time: ServedTime, ended: bool) -> OlderTime {
        self.put_away_before.get_or_insert(self.put_away);
        self.put_away = self.put_away.saturating_add(1);
        let (first, end) = time.extent();
        let (previous, since, until) = match self.owner(volunteer).and_then(OwnerRow::older) {
            // What ends counts for nothing itself.
            Some(older) if ended => older,
            Some((newest, since, until)) => (newest, since.min(first), until.max(end)),
            None => (0, first, end),
        };
        let newest = self.put_away;
        self.change_owner(volunteer, |owner| owner.set_older(newest, since, until));
        OlderTime { volunteer, time, ended, previous, since, until }
    }
}
