//! Rows to sheets: what a row wants against what the ledger has.

mod unsettled;
mod wanted;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use prost::Message;

use super::{
    Options,
    accounts::{Accounts, Found, Party},
    items::{Item, Later},
    mapping::Mapping,
    outcome::{Notice, Rejected, RowOutcome},
    row::{Row, Wanted, Wish},
    standing::{ByHand, Stands, digest},
    table::Table,
};
use crate::{
    engine::store::StoreError,
    format::{
        proto::{self, event::Kind},
        wire,
    },
    ledger::{AccountId, EventRef, LogIndex, Minutes, Policy},
    people::directory::{Directory, Link, RecordLink},
};

/// Bytes of a sheet's events: room for header, signatures, salts and framing beside them.
const EVENTS_BYTES_MAX: usize = wire::SHEET_BYTES_MAX - 32 * 1_024;
/// Bytes that an event gets beside its kind: salt and tags.
const SALT_BYTES: usize = 20;
/// Most events of one row: a region, a station, an account, a reversal and the record.
const ROW_EVENTS_MAX: usize = 5;

/// Why an operation is not carried out that comes before one that was.
const TOO_LATE: &str = "a later row of this record was carried out in an earlier import; this one would undo it. Add a row \
                        at the end that says how the record should be";
/// Why an operation that was carried out before does not stand.
const NOT_CUMULATIVE: &str = "this very row was carried out in an earlier import, and others of this record after it that \
                              are not in this file. A file of operations holds all of them since the first";

/// Items that fit one sheet, and the sheet's events.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// How many of the numbers it went through.
    pub(crate) taken: usize,
    /// Events, each with the number of its item.
    pub(crate) events: Vec<(Kind, usize)>,
    pub(crate) links: Vec<Link>,
    /// Items with what becomes of them.
    pub(crate) outcomes: Vec<(usize, RowOutcome)>,
    /// Corrections that take minutes from somebody to whom other rows give some: if these were spent, what is to be recorded
    /// first hangs on all of the rows together.
    pub(crate) watched: BTreeSet<usize>,
    pub(crate) notices: Vec<Notice>,
    bytes: usize,
}

/// What holds for the whole import.
pub(crate) struct Planner<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) table: &'a Table,
    pub(crate) directory: &'a Directory,
    pub(crate) policy: &'a Policy,
    pub(crate) options: &'a Options,
    /// The payer is one whose consent a record needs.
    pub(crate) is_paid_by_person: bool,
    /// Whose the names of the file are.
    pub(crate) accounts: Accounts,
    /// What the ledger has of records that earlier imports brought.
    pub(crate) standings: HashMap<String, Stands>,
    /// Accounts that rows of this import give minutes to which others had before.
    pub(crate) gaining: HashSet<Vec<u8>>,
    /// Stations of records that earlier imports brought.
    stations: HashSet<Vec<u8>>,
    /// Regions that the ledger has.
    pub(crate) regions: HashSet<String>,
    /// Links of the chunk at hand.
    fresh: Overlay,
    /// In a trial: of all that it would have recorded. Nothing else knows of it.
    tried: Option<Overlay>,
}

/// Links that are in no directory yet.
#[derive(Debug, Default)]
struct Overlay {
    accounts: HashMap<String, AccountId>,
    records: BTreeMap<String, RecordLink>,
    regions: BTreeSet<String>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(
        (mapping, table): (&'a Mapping, &'a Table),
        directory: &'a Directory,
        policy: &'a Policy,
        options: &'a Options,
        regions: HashSet<String>,
    ) -> Self {
        Self {
            mapping,
            table,
            directory,
            policy,
            options,
            is_paid_by_person: false,
            accounts: Accounts::new(),
            standings: HashMap::new(),
            gaining: HashSet::new(),
            stations: HashSet::new(),
            regions,
            fresh: Overlay::default(),
            tried: options.dry_run.then(Overlay::default),
        }
    }

    /// What earlier imports and the ledger have of these items.
    pub(crate) fn learn(&mut self, items: &[Item], accounts: Accounts, standings: HashMap<String, Stands>) {
        (self.accounts, self.standings) = (accounts, standings);
        self.stations = self.standings.values().map(|stands| stands.station.clone()).collect();
        for item in items {
            let (Some(wanted), Some(stands)) = (item.wanted(), self.standings.get(item.record())) else { continue };
            if let Some(Found::Account(account)) = self.accounts.get(&(Party::Volunteer, wanted.volunteer.clone()))
                && account.0.as_slice() != stands.volunteer
            {
                self.gaining.insert(account.0.to_vec());
            }
        }
    }

    /// Minutes that stations would have to give for an event, because a volunteer has spent what it takes back.
    pub(crate) fn owed_minutes(&self, receipt: &proto::EventReceipt) -> i64 {
        let is_station = |account: &Bytes| self.stations.contains(account.as_ref());
        let owed = receipt.postings.iter().filter(|posting| posting.minutes < 0 && is_station(&posting.account));
        owed.map(|posting| -posting.minutes).sum()
    }

    /// Whom a row credits, and whom its record credits: keys of what it has in common with others.
    pub(crate) fn people(&self, item: &Item) -> Vec<String> {
        let now = item.wanted().map(|wanted| match self.accounts.get(&(Party::Volunteer, wanted.volunteer.clone())) {
            Some(Found::Account(account)) => format!("account {}", hex::encode(account.0)),
            Some(Found::Nobody | Found::Unclear(_)) | None => format!("name {}", wanted.volunteer),
        });
        let before =
            self.standings.get(item.record()).map(|stands| format!("account {}", hex::encode(&stands.volunteer)));
        now.into_iter().chain(before).collect()
    }

    /// Minutes that all rows together ask for.
    pub(crate) fn wanted_minutes(&self, items: &[Item]) -> i64 {
        let credited = |wanted| self.credit(wanted).map_or(0, Minutes::get);
        items.iter().filter_map(Item::wanted).map(credited).fold(0, i64::saturating_add)
    }

    /// An empty chunk.
    pub(crate) fn begin(&mut self) -> Chunk {
        self.fresh = Overlay::default();
        Chunk::default()
    }

    /// The next chunk of these items. Those in `refused` are left out.
    pub(crate) fn chunk(
        &mut self,
        items: &[Item],
        numbers: &[usize],
        refused: &HashMap<usize, Rejected>,
    ) -> Result<Chunk, StoreError> {
        let mut chunk = self.begin();
        for number in numbers {
            let full = chunk.events.len() + ROW_EVENTS_MAX > wire::EVENTS_MAX
                || chunk.bytes + ROW_EVENTS_MAX * wire::EVENT_BYTES_MAX > EVENTS_BYTES_MAX;
            if full {
                break;
            }
            chunk.taken += 1;
            let Some(item) = items.get(*number) else { continue };
            let outcome = match refused.get(number) {
                Some(reason) => RowOutcome::Rejected(reason.clone()),
                None => self.item(item, *number, &mut chunk)?,
            };
            chunk.outcomes.push((*number, outcome));
        }
        Ok(chunk)
    }

    /// The chunk was recorded as this entry, or would be: its links hold.
    pub(crate) fn recorded(&mut self, index: u64) {
        let fresh = std::mem::take(&mut self.fresh);
        for record in fresh.records.keys() {
            self.standings.remove(record);
        }
        self.regions.extend(fresh.regions.iter().cloned());
        if let Some(tried) = &mut self.tried {
            tried.accounts.extend(fresh.accounts);
            tried.regions.extend(fresh.regions);
            for (record, mut link) in fresh.records {
                if link.record.index == LogIndex(0) {
                    link.record.index = LogIndex(index);
                }
                tried.records.insert(record, link);
            }
        }
    }

    /// The window of a trial is over: the next one begins with the accounts and regions that the ledger really has.
    pub(crate) fn end_window(&mut self) {
        if let Some(tried) = &mut self.tried {
            tried.accounts.clear();
            for region in std::mem::take(&mut tried.regions) {
                self.regions.remove(&region);
            }
        }
    }

    fn item(&mut self, item: &Item, number: usize, chunk: &mut Chunk) -> Result<RowOutcome, StoreError> {
        let Item::Row { row, digest, applied, later, .. } = item else {
            return self.absent(item.record(), number, chunk);
        };
        let operations = self.mapping.is_of_operations();
        if let (true, Later::None, Ok(Wish::Present(wanted))) = (*applied, *later, &row.wish)
            && self.standings.get(&row.record).is_some_and(|stands| stands.by_hand != ByHand::Nothing)
        {
            // It was carried out, and somebody changed the record by hand since.
            return match self.unsettled(&row.record, wanted, number, chunk)? {
                Some(outcome) => Ok(outcome),
                None => self.present(&row.record, wanted, number, chunk),
            };
        }
        if *applied {
            let stands = *later != Later::None || row.wish.as_ref().map_or(Ok(true), |wish| self.stands(row, wish))?;
            return Ok(if stands {
                RowOutcome::Unchanged
            } else {
                RowOutcome::Rejected(Rejected::row(NOT_CUMULATIVE))
            });
        }
        if operations && *later == Later::CarriedOut {
            return Ok(RowOutcome::Rejected(Rejected::row(TOO_LATE)));
        }
        let outcome = match &row.wish {
            Err(reason) => return Ok(RowOutcome::Rejected(Rejected::row(reason.clone()))),
            Ok(Wish::Absent) => self.absent(&row.record, number, chunk)?,
            Ok(Wish::Present(wanted)) => self.present(&row.record, wanted, number, chunk)?,
        };
        if operations && !outcome.is_rejected() {
            chunk.links.push(Link::Applied { row: *digest });
        }
        Ok(outcome)
    }

    /// Whether the ledger has what the last row of a record wants.
    fn stands(&self, row: &Row, wish: &Wish) -> Result<bool, StoreError> {
        let link = self.link(&row.record)?.filter(|link| !link.reversed);
        let (Some(link), Wish::Present(wanted)) = (&link, wish) else {
            return Ok(link.is_none() && matches!(wish, Wish::Absent));
        };
        let station = self.known(Party::Station, &wanted.station)?;
        let volunteer = self.known(Party::Volunteer, &wanted.volunteer)?;
        let (Found::Account(station), Found::Account(volunteer), Ok(credited)) =
            (station, volunteer, self.credit(wanted))
        else {
            return Ok(false);
        };
        Ok(link.digest == digest(&self.service(wanted, volunteer, station, credited)))
    }

    /// What a record has become by now: what this import made of it, or what the ledger has of an earlier one's.
    pub(crate) fn link(&self, record: &str) -> Result<Option<RecordLink>, StoreError> {
        if let Some(link) = self.of_this_import(record) {
            return Ok(Some(link.clone()));
        }
        let Some(mut link) = self.directory.record(record)? else { return Ok(None) };
        match self.standings.get(record).map(|stands| &stands.by_hand) {
            Some(ByHand::Corrected(digest, credited_minutes)) => {
                (link.digest, link.credited_minutes) = (*digest, *credited_minutes);
            }
            Some(ByHand::Reversed | ByHand::Missing) => link.reversed = true,
            Some(ByHand::Nothing) | None => {}
        }
        Ok(Some(link))
    }

    fn of_this_import(&self, record: &str) -> Option<&RecordLink> {
        let tried = || self.tried.as_ref().and_then(|tried| tried.records.get(record));
        self.fresh.records.get(record).or_else(tried)
    }

    /// Whether no event can name a record: it would stand in an earlier sheet of this trial.
    fn is_only_tried(&self, record: &str) -> bool {
        let in_chunk = self.fresh.records.contains_key(record);
        !in_chunk && self.tried.as_ref().is_some_and(|tried| tried.records.contains_key(record))
    }

    pub(crate) fn push(&self, chunk: &mut Chunk, kind: Kind, number: usize, record: Option<&str>) {
        if record.is_some_and(|record| self.is_only_tried(record)) {
            let text =
                "a dry run can't try this row, as its record would be in an earlier sheet: the import may refuse it"
                    .to_owned();
            chunk.notices.push(Notice { item: number, text, other: None });
            return;
        }
        chunk.bytes += proto::Event { salt: Bytes::new(), kind: Some(kind.clone()) }.encoded_len() + SALT_BYTES;
        chunk.events.push((kind, number));
    }

    pub(crate) fn keep(&mut self, chunk: &mut Chunk, record: &str, link: RecordLink) {
        chunk.links.push(Link::Record { outside: record.to_owned(), link: link.clone() });
        self.fresh.records.insert(record.to_owned(), link);
    }

    fn absent(&mut self, record: &str, number: usize, chunk: &mut Chunk) -> Result<RowOutcome, StoreError> {
        let Some(link) = self.link(record)? else { return Ok(RowOutcome::Unchanged) };
        if link.reversed {
            // Where somebody was faster, by hand, the directory learns of it.
            if self.directory.record(record)?.is_some_and(|link| !link.reversed)
                && self.of_this_import(record).is_none()
            {
                self.keep(chunk, record, link);
            }
            return Ok(RowOutcome::Unchanged);
        }
        if self.standings.get(record).is_some_and(|stands| matches!(stands.by_hand, ByHand::Corrected(..))) {
            let text = format!("its record {} was corrected in the ledger, by hand", link.record);
            chunk.notices.push(Notice { item: number, text, other: None });
        }
        self.push(chunk, reversal(&link), number, Some(record));
        self.keep(chunk, record, RecordLink { reversed: true, ..link });
        Ok(RowOutcome::Reversed)
    }

    fn present(
        &mut self,
        record: &str,
        wanted: &Wanted,
        number: usize,
        chunk: &mut Chunk,
    ) -> Result<RowOutcome, StoreError> {
        if let Some(outcome) = self.unsettled(record, wanted, number, chunk)? {
            return Ok(outcome);
        }
        let (service, fresh) = match self.wanted_service(wanted, number, chunk)? {
            Ok(made) => made,
            Err(rejected) => return Ok(RowOutcome::Rejected(rejected)),
        };
        match self.link(record)?.filter(|link| !link.reversed) {
            Some(link) if link.digest == fresh.digest => {
                if link.source_us != fresh.source_us || self.is_stale(record, &link)? {
                    // The ledger holds the same; the source says it more exactly now, or somebody said it by hand before.
                    self.keep(chunk, record, RecordLink { record: link.record, ..fresh });
                }
                Ok(RowOutcome::Unchanged)
            }
            Some(link) => {
                if self.takes_from_one_who_gains(record, &service) {
                    chunk.watched.insert(chunk.events.len());
                }
                let event = proto::ServiceCorrected {
                    record: Some(wire::event_ref_message(link.record)),
                    reason: i32::from(proto::CorrectionReason::SourceChanged),
                    service: Some(service),
                };
                self.push(chunk, Kind::ServiceCorrected(event), number, Some(record));
                self.keep(chunk, record, RecordLink { record: link.record, ..fresh });
                Ok(RowOutcome::Corrected)
            }
            None => {
                self.record_anew(record, service, &fresh, number, chunk);
                Ok(RowOutcome::Recorded)
            }
        }
    }

    /// Puts a record to the chunk; its number in this very sheet names it, the receipt will say the sheet's index.
    pub(crate) fn record_anew(
        &mut self,
        record: &str,
        service: proto::Service,
        fresh: &RecordLink,
        number: usize,
        chunk: &mut Chunk,
    ) {
        let event = u16::try_from(chunk.events.len()).unwrap_or(u16::MAX);
        let at = EventRef { index: LogIndex(0), event };
        let recorded = proto::ServiceRecorded { service: Some(service), hold: None };
        self.push(chunk, Kind::ServiceRecorded(recorded), number, None);
        self.keep(chunk, record, RecordLink { record: at, ..fresh.clone() });
    }

    /// Whether the directory has something else of a record than the ledger.
    fn is_stale(&self, record: &str, link: &RecordLink) -> Result<bool, StoreError> {
        Ok(self.of_this_import(record).is_none()
            && self.directory.record(record)?.is_some_and(|kept| kept.digest != link.digest))
    }

    /// Whether a correction takes minutes from somebody to whom another row gives some.
    fn takes_from_one_who_gains(&self, record: &str, service: &proto::Service) -> bool {
        self.standings
            .get(record)
            .is_some_and(|stands| stands.volunteer != service.volunteer && self.gaining.contains(&stands.volunteer))
    }
}

pub(crate) fn reversal(link: &RecordLink) -> Kind {
    Kind::ServiceReversed(proto::ServiceReversed {
        record: Some(wire::event_ref_message(link.record)),
        reason: i32::from(proto::CorrectionReason::SourceChanged),
    })
}
