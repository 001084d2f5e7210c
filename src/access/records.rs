//! Records with what became of them, and what the events behind a history say. Both are read from the log, where the
//! tables keep only what the rules need.

use bytes::Bytes;

use super::{
    failure::ReadError,
    page::Reflected,
    reader::{Permission, Reader},
    reads::Reads,
};
use crate::{
    engine::{log::StoredEntry, node::Node},
    format::wire,
    ledger::{CorrectionReason, Event, EventRef, LogIndex, Millis, Service, Version},
};

/// Places of one read: as many as a sheet has events, so that an entry is read once for all of its records. At worst, of as
/// many entries that were all corrected in others, 2,000 are read.
const RECORDS_MAX: usize = 1_000;

/// A service record as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The event that recorded it.
    pub record: EventRef,
    /// The event that states it now: the record itself, or the newest correction.
    pub newest: EventRef,
    /// As that event states it.
    pub service: Service,
    /// It was taken back for good.
    pub reversed: bool,
    /// The hold that it settled.
    pub hold: Option<EventRef>,
}

/// What the event behind a row of a history says. What there is of it follows from the row's kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryDetails {
    /// The service that the event states; of a reversal, the one that it took back.
    pub service: Option<Service>,
    /// Why a record was corrected or taken back.
    pub reason: Option<CorrectionReason>,
    /// The record that the event is about, as it stands.
    pub record: Option<Record>,
    /// The hold that the event placed, ended or settled.
    pub hold: Option<EventRef>,
    /// Until when that hold could be settled.
    pub hold_expires_at: Option<Millis>,
}

/// Places that records are asked for at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places(Vec<EventRef>);

impl Places {
    /// 1 to 1,000 places; nothing stands for one whose event has a number that no sheet has.
    ///
    /// # Errors
    /// [`ReadError::FieldInvalid`], `events` before `events.event`.
    pub fn new(places: impl ExactSizeIterator<Item = Option<EventRef>>) -> Result<Self, ReadError> {
        if !(1..=RECORDS_MAX).contains(&places.len()) {
            return Err(ReadError::invalid("events", "1 to 1,000 places"));
        }
        let places: Option<Vec<EventRef>> = places.collect();
        places.map(Self).ok_or_else(|| ReadError::invalid("events.event", "event numbers below 1,000"))
    }
}

impl Reads {
    /// The record that an event recorded, corrected or reversed. Reads entries.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::RecordUnknown`], [`ReadError::Failed`].
    pub fn record(&self, reader: Reader, at: EventRef) -> Result<Reflected<Record>, ReadError> {
        reader.check(Permission::Local)?;
        let version = self.version();
        let record = self.records_at(&version, &[at])?.pop().flatten().ok_or(ReadError::RecordUnknown { at })?;
        Ok(Reflected { answer: record, reflected_index: LogIndex(version.reflected_index()) })
    }

    /// The records that events recorded, corrected or reversed, each in its place; none where an event did nothing of that.
    /// Reads entries.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::Failed`].
    pub fn records(&self, reader: Reader, places: &Places) -> Result<Reflected<Vec<Option<Record>>>, ReadError> {
        reader.check(Permission::Local)?;
        let version = self.version();
        let answer = self.records_at(&version, &places.0)?;
        Ok(Reflected { answer, reflected_index: LogIndex(version.reflected_index()) })
    }

    fn records_at(&self, version: &Version, places: &[EventRef]) -> Result<Vec<Option<Record>>, ReadError> {
        let mut log = Log::new(self, version);
        // All places first: those of one entry, which follow each other, read it once.
        let mut originals = Vec::with_capacity(places.len());
        for at in places {
            originals.push(log.original(*at)?);
        }
        originals.into_iter().map(|original| original.map_or(Ok(None), |original| log.record(original))).collect()
    }
}

/// The log up to a version, with the two entries that were read last: a record's, and that of its newest version.
pub(super) struct Log<'a> {
    node: &'a Node,
    version: &'a Version,
    last: [Option<StoredEntry>; 2],
}

impl<'a> Log<'a> {
    pub(super) const fn new(reads: &'a Reads, version: &'a Version) -> Self {
        Self { node: &reads.node, version, last: [None, None] }
    }

    /// What stands at a place, if anything does that the version reflects.
    fn event(&mut self, at: EventRef) -> Result<Option<Event>, ReadError> {
        // What is in the log was decoded before.
        Ok(self.bytes(at)?.and_then(|bytes| wire::decode_event(&bytes).ok()))
    }

    fn bytes(&mut self, at: EventRef) -> Result<Option<Bytes>, ReadError> {
        let LogIndex(index) = at.index;
        if index >= self.version.size() {
            return Ok(None);
        }
        let is_there = |entry: &Option<StoredEntry>| entry.as_ref().is_some_and(|entry| entry.index == index);
        if !is_there(&self.last[0]) {
            self.last.swap(0, 1);
        }
        if !is_there(&self.last[0]) {
            self.last[0] = self.node.log.entry(index)?;
        }
        Ok(self.last[0].as_ref().and_then(|entry| entry.events.get(usize::from(at.event)).cloned()))
    }

    /// The record that an event recorded, corrected or reversed.
    fn original(&mut self, at: EventRef) -> Result<Option<EventRef>, ReadError> {
        let event = self.event(at)?;
        Ok(match event {
            Some(Event::ServiceRecorded(_)) => Some(at),
            Some(event) => event.record().map(|record| record.named_in(at.index)),
            None => None,
        })
    }

    /// A record as it stands in the version; none where no service is recorded.
    fn record(&mut self, record: EventRef) -> Result<Option<Record>, ReadError> {
        let Some(Event::ServiceRecorded(recorded)) = self.event(record)? else { return Ok(None) };
        let hold = recorded.hold.map(|hold| hold.named_in(record.index));
        let note = self.node.projection.note(self.version, record)?;
        let (newest, reversed) = note.map_or((record, false), |note| (note.latest, note.reversed));
        let service = if newest == record { recorded.service } else { self.stated(newest)? };
        Ok(Some(Record { record, newest, service, reversed, hold }))
    }

    /// The service that a record's newest version states.
    fn stated(&mut self, newest: EventRef) -> Result<Service, ReadError> {
        let stated = self.event(newest)?.and_then(|event| event.service().cloned());
        stated.ok_or_else(|| ReadError::damaged(format!("event {newest} corrects a record and states no service")))
    }

    /// What an event says; `original` is the record that it is about.
    pub(super) fn details(
        &mut self,
        at: EventRef,
        original: Option<EventRef>,
    ) -> Result<Option<HistoryDetails>, ReadError> {
        let mut details = HistoryDetails::default();
        match self.event(at)? {
            Some(Event::ServiceRecorded(recorded)) => details.service = Some(recorded.service),
            Some(Event::ServiceCorrected(corrected)) => {
                (details.service, details.reason) = (Some(corrected.service), Some(corrected.reason));
            }
            Some(Event::ServiceReversed { reason, .. }) => details.reason = Some(reason),
            Some(Event::HoldPlaced { expires_at, .. }) => {
                (details.hold, details.hold_expires_at) = (Some(at), Some(expires_at));
                return Ok(Some(details));
            }
            Some(event) => {
                // Ended without service; anything else has nothing to tell that its row doesn't.
                let Some(hold) = event.hold() else { return Ok(None) };
                self.add_hold(&mut details, hold.named_in(at.index))?;
                return Ok(Some(details));
            }
            None => return Ok(None),
        }
        let Some(original) = original else { return Ok(None) };
        details.record = self.record(original)?;
        if details.service.is_none() {
            details.service = details.record.as_ref().map(|record| record.service.clone());
        }
        // A hold is settled by the record itself, not by what corrects it.
        if let Some(hold) = details.record.as_ref().filter(|_| original == at).and_then(|record| record.hold) {
            self.add_hold(&mut details, hold)?;
        }
        Ok(Some(details))
    }

    fn add_hold(&mut self, details: &mut HistoryDetails, hold: EventRef) -> Result<(), ReadError> {
        details.hold = Some(hold);
        if let Some(Event::HoldPlaced { expires_at, .. }) = self.event(hold)? {
            details.hold_expires_at = Some(expires_at);
        }
        Ok(())
    }
}
