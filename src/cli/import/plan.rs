//! Rows to sheets: what a row wants against what the directory says is there.

use std::collections::{HashMap, HashSet};

use prost::Message;
use sha2::{Digest, Sha256};

use super::{
    mapping::Mapping,
    row::{Row, Wanted, Wish},
};
use crate::{
    directory::{Directory, Link, RecordLink},
    ledger::{AccountId, Code, EventRef, LogIndex, Millis, Minutes, Policy, Rejection, Served, credited_minutes},
    projection::event_ref_message,
    proto::{self, event::Kind},
    signature,
    store::StoreError,
    wire,
};

/// Bytes of a sheet's events: room for header, signatures, salts and framing beside them.
const EVENTS_BYTES_MAX: usize = wire::SHEET_BYTES_MAX - 32 * 1_024;
/// Bytes that an event gets beside its kind: salt and tags.
const SALT_BYTES: usize = 20;
/// Most events of one row: a region, a station, an account and the record.
const ROW_EVENTS_MAX: usize = 4;

/// Why an operation is not carried out that comes before one that was.
const TOO_LATE: &str = "a later row of this record was carried out in an earlier import; this one would undo it. Add a row \
                        at the end that says how the record should be";
/// Why an operation that was carried out before does not stand.
const NOT_CUMULATIVE: &str = "this very row was carried out in an earlier import, and others of this record after it that \
                              are not in this file. A file of operations holds all of them since the first";

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Recorded,
    Corrected,
    Reversed,
    Unchanged,
    Rejected(String),
}

impl Outcome {
    pub(crate) const fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }
}

/// What a file has for the same record after a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Later {
    None,
    /// Only rows that were not carried out yet.
    ToDo,
    /// A row that was carried out in an earlier import.
    CarriedOut,
}

/// A row to carry out, or a record that a full file no longer has.
pub(crate) enum Item {
    Row {
        row: Row,
        digest: [u8; 32],
        /// Its place among the file's rows.
        position: usize,
        /// Line of the file that it stands on.
        line: u64,
        /// An operation that was carried out in an earlier import.
        applied: bool,
        later: Later,
    },
    Gone {
        record: String,
    },
}

impl Item {
    /// Where it stands in the source, in words.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Row { row, line, .. } => format!("of line {line} ({})", row.record),
            Self::Gone { record } => format!("{record}, which is no longer in the file"),
        }
    }

    pub(crate) fn record(&self) -> &str {
        match self {
            Self::Row { row, .. } => &row.record,
            Self::Gone { record } => record,
        }
    }
}

/// Items that fit one sheet, and the sheet's events.
#[derive(Default)]
pub(crate) struct Chunk {
    /// Number of the first item after it.
    pub(crate) end: usize,
    /// Events, each with the number of its item.
    pub(crate) events: Vec<(Kind, usize)>,
    pub(crate) links: Vec<Link>,
    /// Items with what becomes of them.
    pub(crate) outcomes: Vec<(usize, Outcome)>,
    bytes: usize,
}

/// What holds for the whole import.
#[derive(Clone)]
pub(crate) struct Planner<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) directory: &'a Directory,
    pub(crate) policy: &'a Policy,
    pub(crate) open_accounts: bool,
    /// Regions that the ledger has.
    pub(crate) regions: HashSet<String>,
    /// Rows of the file are operations: each is carried out once, ever.
    pub(crate) operations: bool,
    pub(crate) trial: bool,
    /// Links of this chunk, and in a trial of all chunks before it.
    accounts: HashMap<String, AccountId>,
    records: HashMap<String, RecordLink>,
    defined: HashSet<String>,
    /// Records of a trial's earlier windows: nothing can refer to them.
    unreachable: HashSet<String>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(
        mapping: &'a Mapping,
        directory: &'a Directory,
        policy: &'a Policy,
        (open_accounts, trial): (bool, bool),
        regions: HashSet<String>,
    ) -> Self {
        Self {
            mapping,
            directory,
            policy,
            open_accounts,
            regions,
            operations: mapping.columns.operation.is_some(),
            trial,
            accounts: HashMap::new(),
            records: HashMap::new(),
            defined: HashSet::new(),
            unreachable: HashSet::new(),
        }
    }

    /// The chunk that begins with item `start`. `rejected` items are left out.
    pub(crate) fn chunk(
        &mut self,
        items: &[Item],
        start: usize,
        rejected: &HashMap<usize, String>,
    ) -> Result<Chunk, StoreError> {
        if self.trial {
            // The sheets of a trial follow one another, but none can name what stands in an earlier one.
            let reachable = self.records.iter().filter(|(_, link)| link.record.index == LogIndex(0));
            self.unreachable.extend(reachable.map(|(record, _)| record.clone()));
        } else {
            self.accounts.clear();
            self.records.clear();
            self.defined.clear();
        }
        let mut chunk = Chunk { end: start, ..Chunk::default() };
        for (number, item) in items.iter().enumerate().skip(start) {
            let full = chunk.events.len() + ROW_EVENTS_MAX > wire::EVENTS_MAX
                || chunk.bytes + ROW_EVENTS_MAX * wire::EVENT_BYTES_MAX > EVENTS_BYTES_MAX;
            if full {
                break;
            }
            let outcome = match rejected.get(&number) {
                Some(reason) => Outcome::Rejected(reason.clone()),
                None => self.item(item, number, &mut chunk)?,
            };
            chunk.outcomes.push((number, outcome));
            chunk.end = number + 1;
        }
        Ok(chunk)
    }

    /// A trial's window is over: the next one begins with what the ledger really has.
    pub(crate) fn end_window(&mut self) {
        self.accounts.clear();
        self.defined.clear();
    }

    fn item(&mut self, item: &Item, number: usize, chunk: &mut Chunk) -> Result<Outcome, StoreError> {
        let Item::Row { row, digest, applied, later, .. } = item else {
            return self.absent(item.record(), number, chunk);
        };
        if *applied {
            let stands = *later != Later::None || row.wish.as_ref().map_or(Ok(true), |wish| self.stands(row, wish))?;
            return Ok(if stands { Outcome::Unchanged } else { Outcome::Rejected(NOT_CUMULATIVE.to_owned()) });
        }
        if self.operations && *later == Later::CarriedOut {
            return Ok(Outcome::Rejected(TOO_LATE.to_owned()));
        }
        let outcome = match &row.wish {
            Err(reason) => return Ok(Outcome::Rejected(reason.clone())),
            Ok(Wish::Absent) => self.absent(&row.record, number, chunk)?,
            Ok(Wish::Present(wanted)) => self.present(&row.record, wanted, number, chunk)?,
        };
        if self.operations && !matches!(outcome, Outcome::Rejected(_)) {
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
        let station = self.known(&format!("station/{}", wanted.station))?;
        let volunteer = self.known(&format!("volunteer/{}", wanted.volunteer))?;
        let (Some(station), Some(volunteer), Ok(credited)) = (station, volunteer, self.credit(wanted)) else {
            return Ok(false);
        };
        let service = self.service(wanted, volunteer, station, credited);
        Ok(link.digest == <[u8; 32]>::from(Sha256::digest(service.encode_to_vec())))
    }

    /// What a record has become by now.
    pub(crate) fn link(&self, record: &str) -> Result<Option<RecordLink>, StoreError> {
        match self.records.get(record) {
            Some(link) => Ok(Some(link.clone())),
            None => self.directory.record(record),
        }
    }

    fn push(&self, chunk: &mut Chunk, kind: Kind, number: usize, record: &str) {
        if self.trial && self.unreachable.contains(record) {
            return;
        }
        chunk.bytes += proto::Event { salt: bytes::Bytes::new(), kind: Some(kind.clone()) }.encoded_len() + SALT_BYTES;
        chunk.events.push((kind, number));
    }

    fn keep(&mut self, chunk: &mut Chunk, record: &str, link: RecordLink) {
        chunk.links.push(Link::Record { outside: record.to_owned(), link: link.clone() });
        self.records.insert(record.to_owned(), link);
    }

    fn absent(&mut self, record: &str, number: usize, chunk: &mut Chunk) -> Result<Outcome, StoreError> {
        let Some(link) = self.link(record)?.filter(|link| !link.reversed) else { return Ok(Outcome::Unchanged) };
        let event = proto::ServiceReversed {
            record: Some(event_ref_message(link.record)),
            reason: i32::from(proto::CorrectionReason::SourceChanged),
        };
        self.push(chunk, Kind::ServiceReversed(event), number, record);
        self.keep(chunk, record, RecordLink { reversed: true, ..link });
        Ok(Outcome::Reversed)
    }

    fn present(
        &mut self,
        record: &str,
        wanted: &Wanted,
        number: usize,
        chunk: &mut Chunk,
    ) -> Result<Outcome, StoreError> {
        let credited = match self.credit(wanted) {
            Ok(credited) => credited,
            Err(rejection) => return Ok(Outcome::Rejected(format!("{rejection}. {}", rejection.remedy()))),
        };
        let station = self.party(&format!("station/{}", wanted.station), None, number, chunk)?;
        let Ok(station) = station else { return Ok(Outcome::Rejected(unknown("station", &wanted.station))) };
        let volunteer = self.party(&format!("volunteer/{}", wanted.volunteer), Some(station), number, chunk)?;
        let Ok(volunteer) = volunteer else { return Ok(Outcome::Rejected(unknown("volunteer", &wanted.volunteer))) };
        let service = self.service(wanted, volunteer, station, credited);
        let digest: [u8; 32] = Sha256::digest(service.encode_to_vec()).into();
        let existing = self.link(record)?.filter(|link| !link.reversed);
        let fresh = |record| RecordLink {
            record,
            digest,
            reversed: false,
            credited_minutes: credited.get(),
            source_us: wanted.source_us,
        };
        match existing {
            Some(link) if link.digest == digest => {
                if link.source_us != wanted.source_us {
                    // The ledger holds the same; the source says it more exactly now.
                    self.keep(chunk, record, RecordLink { source_us: wanted.source_us, ..link });
                }
                Ok(Outcome::Unchanged)
            }
            Some(link) => {
                let event = proto::ServiceCorrected {
                    record: Some(event_ref_message(link.record)),
                    reason: i32::from(proto::CorrectionReason::SourceChanged),
                    service: Some(service),
                };
                self.push(chunk, Kind::ServiceCorrected(event), number, record);
                self.keep(chunk, record, fresh(link.record));
                Ok(Outcome::Corrected)
            }
            None => {
                // Its number in this very sheet; the receipt will say the sheet's index.
                let event = u16::try_from(chunk.events.len()).unwrap_or(u16::MAX);
                let at = EventRef { index: LogIndex(0), event };
                self.unreachable.remove(record);
                let recorded = proto::ServiceRecorded { service: Some(service), hold: None };
                self.push(chunk, Kind::ServiceRecorded(recorded), number, record);
                self.keep(chunk, record, fresh(at));
                Ok(Outcome::Recorded)
            }
        }
    }

    fn credit(&self, wanted: &Wanted) -> Result<Minutes, Rejection> {
        let served = match &wanted.served {
            proto::service::Served::Interval(interval) => {
                Served::Interval { start: Millis(interval.start_ms), end: Millis(interval.end_ms) }
            }
            proto::service::Served::OnDate(on_date) => {
                Served::OnDate { date: on_date.date, minutes: Minutes::new(on_date.minutes) }
            }
        };
        let expected = || Rejection::FieldInvalid { expected: "a category code".into() };
        let category = Code::new(&wanted.category, 32).ok_or_else(expected)?;
        credited_minutes(self.policy, &category, &served, self.mapping.rounding.ledger())
    }

    fn service(&self, wanted: &Wanted, volunteer: AccountId, station: AccountId, credited: Minutes) -> proto::Service {
        let payer = self.mapping.payer.as_deref().and_then(|payer| hex::decode(payer).ok()).unwrap_or_default();
        proto::Service {
            volunteer: volunteer.0.to_vec().into(),
            station: station.0.to_vec().into(),
            payer: payer.into(),
            category: wanted.category.clone(),
            activity: wanted.activity.clone(),
            served: Some(wanted.served),
            utc_offset_seconds: wanted.utc_offset_seconds,
            credited_minutes: credited.get(),
            rounding: i32::from(self.mapping.rounding.message()),
            insured: false,
            imported: self.mapping.imported,
        }
    }

    /// The account of a station (`served_by` none) or volunteer; opened if it is unknown and may be.
    fn party(
        &mut self,
        outside: &str,
        served_by: Option<AccountId>,
        number: usize,
        chunk: &mut Chunk,
    ) -> Result<Result<AccountId, ()>, StoreError> {
        if let Some(account) = self.known(outside)? {
            return Ok(Ok(account));
        }
        if !self.open_accounts || self.mapping.account_ids {
            return Ok(Err(()));
        }
        let account = AccountId(signature::random());
        let region = self.mapping.region.clone().unwrap_or_else(|| "imported".to_owned());
        let (kind, region, station) = match served_by {
            None => {
                self.define(&region, number, chunk);
                (proto::AccountKind::Station, region, bytes::Bytes::new())
            }
            Some(station) => (self.mapping.account_kind.message(), String::new(), station.0.to_vec().into()),
        };
        let opened =
            proto::AccountOpened { account: account.0.to_vec().into(), kind: i32::from(kind), region, station };
        self.push(chunk, Kind::AccountOpened(opened), number, "");
        chunk.links.push(Link::Account { outside: outside.to_owned(), account });
        self.accounts.insert(outside.to_owned(), account);
        Ok(Ok(account))
    }

    /// The account of an outside id, if it has one.
    fn known(&self, outside: &str) -> Result<Option<AccountId>, StoreError> {
        if self.mapping.account_ids {
            let id = outside.split_once('/').map_or(outside, |(_, id)| id);
            return Ok(crate::cli::arguments::account_id(id).ok());
        }
        match self.accounts.get(outside) {
            Some(account) => Ok(Some(*account)),
            None => self.directory.account(outside),
        }
    }

    fn define(&mut self, region: &str, number: usize, chunk: &mut Chunk) {
        if !self.regions.contains(region) && self.defined.insert(region.to_owned()) {
            let event = proto::RegionDefined { code: region.to_owned(), parent: String::new() };
            self.push(chunk, Kind::RegionDefined(event), number, "");
        }
    }

    /// A sheet was recorded: regions that it defined are there.
    pub(crate) fn recorded(&mut self) {
        let defined = std::mem::take(&mut self.defined);
        self.regions.extend(defined);
    }
}

fn unknown(what: &str, id: &str) -> String {
    format!("{what} {id:?} has no account here: open accounts with --open-accounts")
}
