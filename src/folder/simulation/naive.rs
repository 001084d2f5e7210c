//! What a log comes to, worked out in the simplest way from its bytes. It shares nothing with the rules, the tree or the
//! projections that it is held against.

use std::collections::BTreeMap;

use crate::{
    engine::log::StoredEntry,
    format::proto::{self, event::Kind},
    merkle::{Frontier, Hash, leaf_hash},
};

/// Id of an account, a sheet or a key.
pub(super) type Id = [u8; 16];
/// Index of an entry, and number of an event in it.
pub(super) type Place = (u64, u32);

/// The account that pays where nobody is named.
pub(super) const ISSUANCE: Id = [1; 16];

/// What is on an account, in minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Holdings {
    pub(super) balance: i64,
    pub(super) held: i64,
}

pub(super) type Book = BTreeMap<Id, Holdings>;

/// All that follows from a log.
#[derive(Debug, Default)]
pub(super) struct Naive {
    book: Book,
    holds: BTreeMap<Place, (Id, i64)>,
    records: BTreeMap<Place, proto::Service>,
    /// The entry of each sheet, by its author and id.
    sheets: BTreeMap<(Id, Id), u64>,
    frontier: Frontier,
    /// The root and the book after so many entries.
    sizes: Vec<(Hash, Book)>,
    last_ms: i64,
}

fn id(bytes: &[u8]) -> Result<Id, String> {
    bytes.try_into().map_err(|_long| format!("an id of {} bytes", bytes.len()))
}

fn decode<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, String> {
    M::decode(bytes).map_err(|error| error.to_string())
}

/// Where a reference leads from an entry.
fn place(reference: Option<proto::EventRef>, index: u64) -> Result<Place, String> {
    let reference = reference.ok_or("a reference is missing")?;
    Ok((if reference.index == 0 { index } else { reference.index }, reference.event))
}

impl Naive {
    pub(super) fn size(&self) -> u64 {
        self.sizes.len() as u64
    }

    /// The root and the book after so many entries; nothing where there are fewer.
    pub(super) fn after(&self, size: u64) -> Option<&(Hash, Book)> {
        self.sizes.get(usize::try_from(size.checked_sub(1)?).ok()?)
    }

    /// Takes the next entry, or says what is wrong with it.
    pub(super) fn take(&mut self, entry: &StoredEntry) -> Result<(), String> {
        let index = self.size();
        if entry.index != index || entry.recorded_at_ms < self.last_ms {
            return Err(format!("entry {index} has index {} and time {}", entry.index, entry.recorded_at_ms));
        }
        self.last_ms = entry.recorded_at_ms;
        let header: proto::SheetHeader = decode(&entry.header)?;
        let author = id(header.signers.first().ok_or("no signer")?)?;
        if let Some(first) = self.sheets.insert((author, id(&header.sheet_id)?), index) {
            return Err(format!("entries {first} and {index} are sheets of one id: an hour counts twice"));
        }
        for (number, bytes) in (0..).zip(&entry.events) {
            let event: proto::Event = decode(bytes)?;
            let kind = event.kind.ok_or("an event of no kind")?;
            self.event((index, number), kind).map_err(|problem| format!("event {index}.{number}: {problem}"))?;
        }
        self.frontier.append(leaf_hash(&entry.leaf()), |_| ());
        self.sizes.push((self.frontier.root(), self.book.clone()));
        Ok(())
    }

    fn post(&mut self, account: Id, minutes: i64) {
        if minutes != 0 {
            self.book.entry(account).or_default().balance += minutes;
        }
    }

    fn end_hold(&mut self, hold: Place) -> Result<(), String> {
        let (payer, minutes) = self.holds.remove(&hold).ok_or_else(|| format!("the hold {hold:?} is not open"))?;
        self.book.entry(payer).or_default().held -= minutes;
        Ok(())
    }

    fn event(&mut self, at: Place, kind: Kind) -> Result<(), String> {
        match kind {
            Kind::MinutesTransferred(given) => {
                self.post(id(&given.from)?, -given.minutes);
                self.post(id(&given.to)?, given.minutes);
            }
            Kind::ServiceRecorded(recorded) => {
                let service = recorded.service.ok_or("no service")?;
                if recorded.hold.is_some() {
                    self.end_hold(place(recorded.hold, at.0)?)?;
                }
                let payer = if service.payer.is_empty() { ISSUANCE } else { id(&service.payer)? };
                self.post(payer, -service.credited_minutes);
                self.post(id(&service.volunteer)?, service.credited_minutes);
                self.records.insert(at, service);
            }
            Kind::ServiceCorrected(corrected) => {
                let (record, new) = (place(corrected.record, at.0)?, corrected.service.ok_or("no service")?);
                let old = self.records.get(&record).ok_or("the record is not there, or was taken back")?;
                let more = new.credited_minutes - old.credited_minutes;
                if more < 0 || old.volunteer != new.volunteer || !old.payer.is_empty() {
                    return Err("nobody signs such a correction here".to_owned());
                }
                self.post(ISSUANCE, -more);
                self.post(id(&new.volunteer)?, more);
                self.records.insert(record, new);
            }
            Kind::ServiceReversed(reversed) => self.reverse(place(reversed.record, at.0)?)?,
            Kind::HoldPlaced(placed) => {
                let payer = id(&placed.payer)?;
                self.book.entry(payer).or_default().held += placed.minutes;
                self.holds.insert(at, (payer, placed.minutes));
            }
            Kind::HoldReleased(ended) => self.end_hold(place(ended.hold, at.0)?)?,
            Kind::HoldExpired(ended) => self.end_hold(place(ended.hold, at.0)?)?,
            // These move nothing.
            Kind::LedgerCreated(_)
            | Kind::RegionDefined(_)
            | Kind::AccountOpened(_)
            | Kind::FloorSet(_)
            | Kind::KeyEnrolled(_) => {}
            Kind::KeyRevoked(_) => return Err("nobody signs this here".to_owned()),
        }
        Ok(())
    }

    /// What the volunteer has spent of it the station gives.
    fn reverse(&mut self, record: Place) -> Result<(), String> {
        let service = self.records.remove(&record).ok_or("the record is not there, or was taken back")?;
        if !service.payer.is_empty() {
            return Err("nobody takes this back here".to_owned());
        }
        let (volunteer, station) = (id(&service.volunteer)?, id(&service.station)?);
        let Holdings { balance, held } = self.book.get(&volunteer).copied().unwrap_or_default();
        let short = (service.credited_minutes - (balance - held).max(0)).max(0);
        self.post(ISSUANCE, service.credited_minutes);
        self.post(volunteer, short - service.credited_minutes);
        self.post(station, -short);
        Ok(())
    }
}
