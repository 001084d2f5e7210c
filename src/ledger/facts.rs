//! What a check needs of the past, besides the state.

use std::collections::BTreeMap;

use super::{
    event::Event,
    served::ServedTime,
    units::{AccountNumber, EventRef},
};

/// What a sheet needs and the state doesn't hold: old events that it refers to, resolved from the log
/// ([`Sheet::references`](super::Sheet::references) says which), and times that were put away
/// ([`Sheet::asked_times`](super::Sheet::asked_times) says which).
#[derive(Debug, Clone, Default)]
pub struct Facts {
    events: BTreeMap<EventRef, Event>,
    times: BTreeMap<AccountNumber, Vec<ServedTime>>,
}

impl Facts {
    /// Adds the event at a place of the log.
    pub fn insert(&mut self, at: EventRef, event: Event) {
        self.events.insert(at, event);
    }

    /// Adds the times that were asked for of a volunteer.
    pub fn insert_times(&mut self, volunteer: AccountNumber, times: Vec<ServedTime>) {
        self.times.insert(volunteer, times);
    }

    pub(super) fn get(&self, at: EventRef) -> Option<&Event> {
        self.events.get(&at)
    }

    pub(super) fn times(&self, volunteer: AccountNumber) -> Option<&[ServedTime]> {
        self.times.get(&volunteer).map(Vec::as_slice)
    }
}
