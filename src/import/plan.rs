//! Rows to sheets: what a row wants against what the ledger has.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use prost::Message;

use super::{
    ByHandChanges, Options,
    accounts::{Accounts, Found, Party},
    items::{Item, Later},
    mapping::{Field, Mapping},
    outcome::{Notice, Outcome, Rejected},
    row::{Row, Wanted, Wish},
    standing::{ByHand, Stands, date, digest},
    table::Table,
};
use crate::{
    directory::{Directory, Link, RecordLink},
    ledger::{
        AccountId, Code, EventRef, LogIndex, Millis, Minutes, Policy, Rejection, Rounding, Served, credited_minutes,
    },
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
    pub(crate) outcomes: Vec<(usize, Outcome)>,
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
                Some(reason) => Outcome::Rejected(reason.clone()),
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

    fn item(&mut self, item: &Item, number: usize, chunk: &mut Chunk) -> Result<Outcome, StoreError> {
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
            return Ok(if stands { Outcome::Unchanged } else { Outcome::Rejected(Rejected::row(NOT_CUMULATIVE)) });
        }
        if operations && *later == Later::CarriedOut {
            return Ok(Outcome::Rejected(Rejected::row(TOO_LATE)));
        }
        let outcome = match &row.wish {
            Err(reason) => return Ok(Outcome::Rejected(Rejected::row(reason.clone()))),
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

    fn absent(&mut self, record: &str, number: usize, chunk: &mut Chunk) -> Result<Outcome, StoreError> {
        let Some(link) = self.link(record)? else { return Ok(Outcome::Unchanged) };
        if link.reversed {
            // Where somebody was faster, by hand, the directory learns of it.
            if self.directory.record(record)?.is_some_and(|link| !link.reversed)
                && self.of_this_import(record).is_none()
            {
                self.keep(chunk, record, link);
            }
            return Ok(Outcome::Unchanged);
        }
        if self.standings.get(record).is_some_and(|stands| matches!(stands.by_hand, ByHand::Corrected(..))) {
            let text = format!("its record {} was corrected in the ledger, by hand", link.record);
            chunk.notices.push(Notice { item: number, text, other: None });
        }
        self.push(chunk, reversal(&link), number, Some(record));
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
        if let Some(outcome) = self.unsettled(record, wanted, number, chunk)? {
            return Ok(outcome);
        }
        let (service, fresh) = match self.wanted_service(wanted, number, chunk)? {
            Ok(made) => made,
            Err(rejected) => return Ok(Outcome::Rejected(rejected)),
        };
        match self.link(record)?.filter(|link| !link.reversed) {
            Some(link) if link.digest == fresh.digest => {
                if link.source_us != fresh.source_us || self.is_stale(record, &link)? {
                    // The ledger holds the same; the source says it more exactly now, or somebody said it by hand before.
                    self.keep(chunk, record, RecordLink { record: link.record, ..fresh });
                }
                Ok(Outcome::Unchanged)
            }
            Some(link) => {
                if self.takes_from_one_who_gains(record, &service) {
                    chunk.watched.insert(chunk.events.len());
                }
                let event = proto::ServiceCorrected {
                    record: Some(event_ref_message(link.record)),
                    reason: i32::from(proto::CorrectionReason::SourceChanged),
                    service: Some(service),
                };
                self.push(chunk, Kind::ServiceCorrected(event), number, Some(record));
                self.keep(chunk, record, RecordLink { record: link.record, ..fresh });
                Ok(Outcome::Corrected)
            }
            None => {
                self.record_anew(record, service, &fresh, number, chunk);
                Ok(Outcome::Recorded)
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

    /// The service that a row wants, and what a link to it would say but for its place. Accounts that it needs are opened.
    pub(crate) fn wanted_service(
        &mut self,
        wanted: &Wanted,
        number: usize,
        chunk: &mut Chunk,
    ) -> Result<Result<(proto::Service, RecordLink), Rejected>, StoreError> {
        let credited = match self.credit(wanted) {
            Ok(credited) => credited,
            Err(rejection) => return Ok(Err(Rejected::row(format!("{rejection}. {}", rejection.remedy())))),
        };
        let station = match self.party((Party::Station, &wanted.station), None, number, chunk)? {
            Ok(station) => station,
            Err(rejected) => return Ok(Err(rejected)),
        };
        let volunteer = match self.party((Party::Volunteer, &wanted.volunteer), Some(station), number, chunk)? {
            Ok(volunteer) => volunteer,
            Err(rejected) => return Ok(Err(rejected)),
        };
        let service = self.service(wanted, volunteer, station, credited);
        let fresh = RecordLink {
            record: EventRef { index: LogIndex(0), event: 0 },
            digest: digest(&service),
            reversed: false,
            credited_minutes: credited.get(),
            source_us: wanted.source_us,
        };
        Ok(Ok((service, fresh)))
    }

    /// What becomes of a row where it can't be told what the ledger is to have, before any account is opened for it: its record
    /// was changed by hand while the row stayed as it was, or the row is another record's.
    fn unsettled(
        &mut self,
        record: &str,
        wanted: &Wanted,
        number: usize,
        chunk: &mut Chunk,
    ) -> Result<Option<Outcome>, StoreError> {
        let Some(stands) = self.standings.get(record).filter(|_| self.of_this_import(record).is_none()) else {
            return Ok(None);
        };
        let Some(link) = self.directory.record(record)?.filter(|link| !link.reversed) else { return Ok(None) };
        let Ok(credited) = self.credit(wanted) else { return Ok(None) };
        let known = |party, name| -> Result<Option<AccountId>, StoreError> {
            Ok(match self.known(party, name)? {
                Found::Account(account) => Some(account),
                Found::Nobody | Found::Unclear(_) => None,
            })
        };
        let volunteer = known(Party::Volunteer, &wanted.volunteer)?;
        let station = known(Party::Station, &wanted.station)?;
        // Somebody who has no account yet is none of those that records credit.
        let nobody = AccountId([0; 16]);
        let service = self.service(wanted, volunteer.unwrap_or(nobody), station.unwrap_or(nobody), credited);
        let now = digest(&service);
        let what = match &stands.by_hand {
            ByHand::Nothing if now == link.digest => {
                // As it was: what most rows of most imports are.
                return Ok((link.source_us == wanted.source_us).then_some(Outcome::Unchanged));
            }
            ByHand::Corrected(digest, _) if *digest == now => return Ok(None),
            ByHand::Nothing => None,
            ByHand::Corrected(..) => Some("was corrected in the ledger, by hand"),
            ByHand::Reversed => Some("was taken back in the ledger, by hand"),
            ByHand::Missing => Some("is not in this ledger, which was restored to an earlier state"),
        };
        let place = link.record;
        let Some(what) = what.filter(|_| now == link.digest) else {
            // The row says something new: that is what the ledger is to have.
            let rejected = self.renumbered(record, &service, stands).map(Outcome::Rejected);
            if let Some(what) = what.filter(|_| rejected.is_none()) {
                chunk.notices.push(Notice { item: number, text: format!("its record {place} {what}"), other: None });
            }
            return Ok(rejected);
        };
        Ok(match self.options.by_hand {
            ByHandChanges::Mend => self.renumbered(record, &service, stands).map(Outcome::Rejected),
            ByHandChanges::Leave => {
                chunk.notices.push(Notice { item: number, text: format!("its record {place} {what}"), other: None });
                Some(Outcome::Unchanged)
            }
            ByHandChanges::Tell => Some(Outcome::Rejected(Rejected::row(format!(
                "its record {place} {what}, and the row says what it said before. Set the row right; or have the ledger follow \
                 the rows with --by-hand mend, or let it stand with --by-hand leave"
            )))),
        })
    }

    /// Whether the directory has something else of a record than the ledger.
    fn is_stale(&self, record: &str, link: &RecordLink) -> Result<bool, StoreError> {
        Ok(self.of_this_import(record).is_none()
            && self.directory.record(record)?.is_some_and(|kept| kept.digest != link.digest))
    }

    /// Why a correction is another record's: whoever numbers rows anew each month gives old numbers to new services.
    fn renumbered(&self, record: &str, service: &proto::Service, stands: &Stands) -> Option<Rejected> {
        let (now, before) = (date(service), stands.date);
        let is_same = stands.volunteer == service.volunteer || now == before;
        let is_gone = matches!(stands.by_hand, ByHand::Missing);
        if self.options.renumbered || self.mapping.is_of_operations() || is_same || is_gone {
            return None;
        }
        let column = self.table.name(Field::Record);
        let (now, before) = (date_shown(now), date_shown(before));
        Some(Rejected::row(format!(
            "{column}: {record:?} is in the ledger already, as a service of another volunteer on another date ({before}, not {now}), \
             so this looks like a numbering that began anew. Name more columns in the mapping, as record = [\"{column}\", ...] with \
             the date's, or give these rows a `source` of their own with accounts_of = {:?}; if the row really is that record, say \
             --renumbered",
            self.mapping.source
        )))
    }

    /// Whether a correction takes minutes from somebody to whom another row gives some.
    fn takes_from_one_who_gains(&self, record: &str, service: &proto::Service) -> bool {
        self.standings
            .get(record)
            .is_some_and(|stands| stands.volunteer != service.volunteer && self.gaining.contains(&stands.volunteer))
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
        credited_minutes(self.policy, &category, &served, self.mapping.rounding)
    }

    fn service(&self, wanted: &Wanted, volunteer: AccountId, station: AccountId, credited: Minutes) -> proto::Service {
        proto::Service {
            volunteer: volunteer.0.to_vec().into(),
            station: station.0.to_vec().into(),
            payer: self.mapping.payer.map(|payer| payer.to_vec()).unwrap_or_default().into(),
            category: wanted.category.clone(),
            activity: wanted.activity.clone(),
            served: Some(wanted.served),
            utc_offset_seconds: wanted.utc_offset_seconds,
            credited_minutes: credited.get(),
            rounding: i32::from(rounding_message(self.mapping.rounding)),
            insured: false,
            imported: self.mapping.imported,
        }
    }

    /// The account of a station (`served_by` none) or volunteer; opened if it is unknown and may be.
    fn party(
        &mut self,
        (party, name): (Party, &str),
        served_by: Option<AccountId>,
        number: usize,
        chunk: &mut Chunk,
    ) -> Result<Result<AccountId, Rejected>, StoreError> {
        match self.known(party, name)? {
            Found::Account(account) => return Ok(Ok(account)),
            Found::Unclear(problem) => return Ok(Err(Rejected::row(problem))),
            Found::Nobody if self.options.open_accounts => {}
            Found::Nobody => {
                return Ok(Err(Rejected::row(format!(
                    "{} {name:?} has no account here: open accounts with --open-accounts, or name one under [{}s] in the mapping",
                    party.name(),
                    party.name()
                ))));
            }
        }
        let account = AccountId(signature::random());
        let region = self.mapping.region.clone().unwrap_or_else(|| "imported".to_owned());
        let (kind, region, station) = match served_by {
            None => {
                self.define(&region, number, chunk);
                (proto::AccountKind::Station, region, Bytes::new())
            }
            Some(station) => (self.mapping.account_kind.message(), String::new(), station.0.to_vec().into()),
        };
        let opened =
            proto::AccountOpened { account: account.0.to_vec().into(), kind: i32::from(kind), region, station };
        self.push(chunk, Kind::AccountOpened(opened), number, None);
        let outside = party.outside(name);
        chunk.links.push(Link::Account { outside: outside.clone(), account });
        self.fresh.accounts.insert(outside, account);
        Ok(Ok(account))
    }

    /// Whose a name is by now.
    fn known(&self, party: Party, name: &str) -> Result<Found, StoreError> {
        let outside = party.outside(name);
        let tried = || self.tried.as_ref().and_then(|tried| tried.accounts.get(&outside));
        if let Some(account) = self.fresh.accounts.get(&outside).or_else(tried) {
            return Ok(Found::Account(*account));
        }
        match self.accounts.get(&(party, name.to_owned())) {
            // An earlier sheet of this import may have opened it.
            Some(Found::Nobody) | None => Ok(self.directory.account(&outside)?.map_or(Found::Nobody, Found::Account)),
            Some(found) => Ok(found.clone()),
        }
    }

    fn define(&mut self, region: &str, number: usize, chunk: &mut Chunk) {
        if !self.regions.contains(region) && self.fresh.regions.insert(region.to_owned()) {
            let event = proto::RegionDefined { code: region.to_owned(), parent: String::new() };
            self.push(chunk, Kind::RegionDefined(event), number, None);
        }
    }
}

pub(crate) fn reversal(link: &RecordLink) -> Kind {
    Kind::ServiceReversed(proto::ServiceReversed {
        record: Some(event_ref_message(link.record)),
        reason: i32::from(proto::CorrectionReason::SourceChanged),
    })
}

const fn rounding_message(rounding: Rounding) -> proto::Rounding {
    match rounding {
        Rounding::Exact => proto::Rounding::Unspecified,
        Rounding::Down => proto::Rounding::Down,
        Rounding::Nearest => proto::Rounding::Nearest,
        Rounding::Up => proto::Rounding::Up,
    }
}

/// A date that is counted in days since 1970-01-01.
fn date_shown(days: i64) -> String {
    let span = jiff::Span::new().try_days(days);
    let date = span.and_then(|span| jiff::civil::Date::constant(1970, 1, 1).checked_add(span));
    date.map_or_else(|_range| format!("day {days}"), |date| date.to_string())
}
