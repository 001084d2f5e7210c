//! Open holds, and the ways to find them.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::{
    account::Hold,
    table::Map,
    units::{AccountNumber, EventRef, LogIndex, Millis},
};

/// The open holds of one version, by the event that placed them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Map<EventRef, Hold>", into = "Map<EventRef, Hold>")]
pub struct Holds {
    open: Map<EventRef, Hold>,
    /// By payer and by station: nobody is both.
    of_account: Map<(AccountNumber, EventRef), ()>,
    by_end: Map<(Millis, EventRef), ()>,
}

/// The place before all others.
const FIRST: EventRef = EventRef { index: LogIndex(0), event: 0 };

impl From<Map<EventRef, Hold>> for Holds {
    fn from(open: Map<EventRef, Hold>) -> Self {
        let mut holds = Self::default();
        open.iter().for_each(|(at, hold)| holds.set(*at, Some(*hold)));
        holds.settle();
        holds
    }
}

impl From<Holds> for Map<EventRef, Hold> {
    fn from(holds: Holds) -> Self {
        holds.open
    }
}

impl Holds {
    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// An open hold.
    #[must_use]
    pub fn get(&self, at: EventRef) -> Option<&Hold> {
        self.open.get(&at)
    }

    /// All of them, by place.
    pub fn iter(&self) -> impl Iterator<Item = (&EventRef, &Hold)> {
        self.open.iter()
    }

    /// Open holds from a place on.
    pub fn from(&self, first: EventRef) -> impl Iterator<Item = (EventRef, Hold)> {
        self.open.range((Bound::Included(first), Bound::Unbounded)).map(|(at, hold)| (*at, *hold))
    }

    /// Those from a place on that an account pays or that are with a station.
    pub fn of_account(&self, account: AccountNumber, first: EventRef) -> impl Iterator<Item = (EventRef, Hold)> {
        let rows = self.of_account.range((Bound::Included((account, first)), Bound::Unbounded));
        let own = rows.take_while(move |((of, _), ())| *of == account);
        own.filter_map(|((_, at), ())| Some((*at, *self.open.get(at)?)))
    }

    /// Those that have run out at a time, the oldest first.
    pub fn run_out(&self, now: Millis) -> impl Iterator<Item = (EventRef, Hold)> {
        let ended = self
            .by_end
            .range((Millis(i64::MIN), FIRST)..=(now, EventRef { index: LogIndex(u64::MAX), event: u16::MAX }));
        ended.filter_map(|((_, at), ())| Some((*at, *self.open.get(at)?)))
    }

    pub(super) fn open(&mut self, at: EventRef, hold: Hold) {
        self.set(at, Some(hold));
    }

    pub(super) fn end(&mut self, at: EventRef) {
        self.set(at, None);
    }

    fn set(&mut self, at: EventRef, hold: Option<Hold>) {
        let before = self.open.set(at, hold);
        assert!(hold.is_some() || before.is_some(), "only an open hold ends");
        let Some(Hold { payer, station, expires_at, .. }) = hold.or(before) else { return };
        let row = hold.map(|_| ());
        self.of_account.set((payer, at), row);
        self.of_account.set((station, at), row);
        self.by_end.set((expires_at, at), row);
    }

    pub(super) fn settle(&mut self) {
        self.open.settle();
        self.of_account.settle();
        self.by_end.settle();
    }

    pub(super) fn roll_back(&mut self) {
        self.open.roll_back();
        self.of_account.roll_back();
        self.by_end.roll_back();
    }
}
