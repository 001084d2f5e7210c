//! Records with what became of them, and what the events behind a history say. Both are read from the log, where the
//! tables keep only what the rules need.

use bytes::Bytes;
use tonic::Status;

use super::{
    Service,
    reason::Reason,
    status::{ReadFailure, failure, invalid},
};
use crate::{
    engine::log::StoredEntry,
    format::{
        proto::{self, event::Kind},
        wire,
    },
    ledger::{EventRef, LogIndex, Version},
};

/// Places of one call: as many as a sheet has events, so that an entry is read once for all of its records. At worst, of as
/// many entries that were all corrected in others, 2,000 are read.
const RECORDS_MAX: usize = 1_000;

impl Service {
    pub(super) fn record(&self, request: &proto::GetRecordRequest) -> Result<proto::GetRecordResponse, Status> {
        let Some(event) = request.event else { return Err(invalid("event", "a place, INDEX.EVENT")) };
        let at = place(event).ok_or_else(|| invalid("event.event", "an event number below 1,000"))?;
        let (mut records, reflected_index) = self.records_at(&[at])?;
        let record = records.pop().flatten();
        let record = record.ok_or_else(|| {
            let message = format!(
                "event {at} neither recorded a service nor corrected or reversed one; histories show the places of records"
            );
            failure(Reason::RecordUnknown, "event", &message)
        })?;
        Ok(proto::GetRecordResponse { record: Some(record), reflected_index })
    }

    pub(super) fn records(&self, request: &proto::GetRecordsRequest) -> Result<proto::GetRecordsResponse, Status> {
        if !(1..=RECORDS_MAX).contains(&request.events.len()) {
            return Err(invalid("events", "1 to 1,000 places"));
        }
        let places: Option<Vec<EventRef>> = request.events.iter().copied().map(place).collect();
        let places = places.ok_or_else(|| invalid("events.event", "event numbers below 1,000"))?;
        let (records, reflected_index) = self.records_at(&places)?;
        let records = records.into_iter().map(Option::unwrap_or_default).collect();
        Ok(proto::GetRecordsResponse { records, reflected_index })
    }

    /// The records that are recorded, corrected or reversed at these places, as of one moment, and the entry that this
    /// moment is after. None where no record is.
    fn records_at(&self, places: &[EventRef]) -> Result<(Vec<Option<proto::Record>>, u64), Status> {
        let mut log = Log::new(self);
        // What the log has and the readers' tables don't is not answered yet.
        let size = self.node.projection.shown().size();
        let mut originals = Vec::with_capacity(places.len());
        for at in places {
            originals.push(if at.index.0 < size { log.original(*at)? } else { None });
        }
        let version = self.node.projection.shown().version().clone();
        let states = self.record_states(&version, &originals)?;
        let mut records = Vec::with_capacity(places.len());
        for (original, state) in originals.into_iter().zip(states) {
            records.push(match original.zip(state) {
                Some((original, (newest, reversed))) => log.record(original, newest, reversed)?,
                None => None,
            });
        }
        Ok((records, version.reflected_index()))
    }

    /// Puts to each row what its event says; `originals` are the records that they are about. Rows of one entry that follow
    /// each other read it once.
    pub(super) fn add_details(
        &self,
        rows: &mut [proto::HistoryRow],
        originals: &[Option<EventRef>],
    ) -> Result<(), Status> {
        let mut log = Log::new(self);
        // All of one moment, so that no two rows tell two things of one record.
        let version = self.node.projection.shown().version().clone();
        let states = self.record_states(&version, originals)?;
        for ((row, original), state) in rows.iter_mut().zip(originals).zip(states) {
            let Some(at) = row.event.and_then(place) else { continue };
            row.details = log.details(at, original.zip(state))?;
        }
        Ok(())
    }

    /// Where the newest versions of records stand in a version of the ledger, and whether the records were taken back.
    fn record_states(
        &self,
        version: &Version,
        originals: &[Option<EventRef>],
    ) -> Result<Vec<Option<RecordState>>, Status> {
        let state = |record: EventRef| {
            let note = self.node.projection.note(version, record).map_err(ReadFailure::from)?;
            Ok(note.map_or((record, false), |note| (note.latest, note.reversed)))
        };
        originals.iter().map(|original| original.map(state).transpose()).collect()
    }
}

/// The place of a record's newest version, and whether the record was taken back.
type RecordState = (EventRef, bool);

fn place(at: proto::EventRef) -> Option<EventRef> {
    Some(EventRef { index: LogIndex(at.index), event: u16::try_from(at.event).ok()? })
}

/// The log, with the two entries that were read last: a record's, and that of its newest version.
struct Log<'a> {
    service: &'a Service,
    last: [Option<StoredEntry>; 2],
}

impl<'a> Log<'a> {
    const fn new(service: &'a Service) -> Self {
        Self { service, last: [None, None] }
    }

    /// What stands at a place, if anything that is durable does.
    fn event(&mut self, at: EventRef) -> Result<Option<Kind>, Status> {
        let event = self.bytes(at)?.map(<proto::Event as prost::Message>::decode);
        // What is in the log was decoded before.
        Ok(event.and_then(Result::ok).and_then(|event| event.kind))
    }

    /// The hold that an event ends without service.
    fn ended_hold(&mut self, at: EventRef) -> Result<Option<EventRef>, Status> {
        let event = self.bytes(at)?.and_then(|bytes| wire::decode_event(&bytes).ok());
        Ok(event.and_then(|event| event.hold()).map(|hold| hold.named_in(at.index)))
    }

    fn bytes(&mut self, at: EventRef) -> Result<Option<Bytes>, Status> {
        let is_there = |entry: &Option<StoredEntry>| entry.as_ref().is_some_and(|entry| entry.index == at.index.0);
        if !is_there(&self.last[0]) {
            self.last.swap(0, 1);
        }
        if !is_there(&self.last[0]) {
            self.last[0] = self.service.node.log.entry(at.index.0).map_err(ReadFailure::from)?;
        }
        Ok(self.last[0].as_ref().and_then(|entry| entry.events.get(usize::from(at.event)).cloned()))
    }

    /// The record that an event recorded, corrected or reversed.
    fn original(&mut self, at: EventRef) -> Result<Option<EventRef>, Status> {
        let kind = self.event(at)?;
        let named = |record: Option<proto::EventRef>| record.and_then(place).map(|record| record.named_in(at.index));
        Ok(match kind {
            Some(Kind::ServiceRecorded(_)) => Some(at),
            Some(Kind::ServiceCorrected(corrected)) => named(corrected.record),
            Some(Kind::ServiceReversed(reversed)) => named(reversed.record),
            Some(_) | None => None,
        })
    }

    fn record(&mut self, record: EventRef, newest: EventRef, reversed: bool) -> Result<Option<proto::Record>, Status> {
        let Some(Kind::ServiceRecorded(recorded)) = self.event(record)? else { return Ok(None) };
        let hold = recorded.hold.and_then(place).map(|hold| wire::event_ref_message(hold.named_in(record.index)));
        let service = if newest == record { recorded.service } else { self.stated(newest)? };
        let (record, newest) = (Some(wire::event_ref_message(record)), Some(wire::event_ref_message(newest)));
        Ok(Some(proto::Record { record, newest, service, reversed, hold }))
    }

    /// The service that an event states.
    fn stated(&mut self, at: EventRef) -> Result<Option<proto::Service>, Status> {
        Ok(match self.event(at)? {
            Some(Kind::ServiceRecorded(recorded)) => recorded.service,
            Some(Kind::ServiceCorrected(corrected)) => corrected.service,
            Some(_) | None => None,
        })
    }

    /// What an event says, and `record` as it stands: its place, its newest version, whether it was taken back.
    fn details(
        &mut self,
        at: EventRef,
        record: Option<(EventRef, RecordState)>,
    ) -> Result<Option<proto::HistoryDetails>, Status> {
        let mut details = proto::HistoryDetails::default();
        match self.event(at)? {
            Some(Kind::ServiceRecorded(recorded)) => details.service = recorded.service,
            Some(Kind::ServiceCorrected(corrected)) => {
                (details.service, details.reason) = (corrected.service, corrected.reason);
            }
            Some(Kind::ServiceReversed(reversed)) => details.reason = reversed.reason,
            Some(Kind::HoldPlaced(placed)) => {
                details.hold = Some(wire::event_ref_message(at));
                details.hold_expires_at_ms = placed.expires_at_ms;
                return Ok(Some(details));
            }
            Some(_) | None => {
                let Some(hold) = self.ended_hold(at)? else { return Ok(None) };
                self.add_hold(&mut details, Some(hold))?;
                return Ok(Some(details));
            }
        }
        let Some((original, (newest, reversed))) = record else { return Ok(None) };
        details.record = self.record(original, newest, reversed)?;
        if details.service.is_none() {
            details.service = details.record.as_ref().and_then(|record| record.service.clone());
        }
        // A hold is settled by the record itself, not by what corrects it.
        let hold = details.record.as_ref().filter(|_| original == at).and_then(|record| record.hold).and_then(place);
        self.add_hold(&mut details, hold)?;
        Ok(Some(details))
    }

    fn add_hold(&mut self, details: &mut proto::HistoryDetails, hold: Option<EventRef>) -> Result<(), Status> {
        let Some(hold) = hold else { return Ok(()) };
        details.hold = Some(wire::event_ref_message(hold));
        if let Some(Kind::HoldPlaced(placed)) = self.event(hold)? {
            details.hold_expires_at_ms = placed.expires_at_ms;
        }
        Ok(())
    }
}
