//! What a check needs of the past, besides the state.

use std::collections::BTreeMap;

use super::{
    account::RecordNote,
    event::Event,
    served::ServedTime,
    units::{AccountNumber, EventRef, LogIndex},
};

/// What a sheet needs and the state doesn't hold: old events that it refers to, resolved from the log
/// ([`Sheet::references`](super::Sheet::references) says which), and what was put away of times, of what became of records,
/// and of the ids of sheets ([`Sheet::asked_times`](super::Sheet::asked_times), [`Sheet::asked_notes`](super::Sheet::asked_notes)
/// and [`Sheet::asks_for_id`](super::Sheet::asks_for_id) say which).
#[derive(Debug, Clone, Default)]
pub struct Facts {
    events: BTreeMap<EventRef, Event>,
    times: BTreeMap<AccountNumber, Vec<ServedTime>>,
    notes: BTreeMap<EventRef, Option<RecordNote>>,
    /// The entry that used the sheet's own id, if anybody has asked, and one did.
    used_in: Option<LogIndex>,
    id_is_asked: bool,
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

    /// Adds what was put away of a record: what had become of it, if anything had.
    pub fn insert_note(&mut self, record: EventRef, note: Option<RecordNote>) {
        self.notes.insert(record, note);
    }

    /// Adds what was put away of the sheet's own id: the entry that used it, if one did.
    pub fn insert_id(&mut self, used_in: Option<LogIndex>) {
        (self.used_in, self.id_is_asked) = (used_in, true);
    }

    pub(super) fn get(&self, at: EventRef) -> Option<&Event> {
        self.events.get(&at)
    }

    pub(super) fn times(&self, volunteer: AccountNumber) -> Option<&[ServedTime]> {
        self.times.get(&volunteer).map(Vec::as_slice)
    }

    pub(super) fn note(&self, record: EventRef) -> Option<&RecordNote> {
        self.notes.get(&record)?.as_ref()
    }

    /// Whether somebody has asked for what was put away of a record.
    pub(super) fn note_is_asked(&self, record: EventRef) -> bool {
        self.notes.contains_key(&record)
    }

    pub(super) const fn used_in(&self) -> Option<LogIndex> {
        self.used_in
    }

    /// Whether somebody has asked for what was put away of the sheet's id.
    pub(super) const fn id_is_asked(&self) -> bool {
        self.id_is_asked
    }
}
