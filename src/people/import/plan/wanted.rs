//! The service that a row wants: whom it credits, for which station, with how much; accounts that it needs are opened.

use bytes::Bytes;

use super::{Chunk, Planner};
use crate::{
    engine::store::StoreError,
    format::{
        proto::{self, event::Kind},
        signature, wire,
    },
    ledger::{AccountId, Code, EventRef, LogIndex, Millis, Minutes, Rejection, Served, Text, credited_minutes},
    people::{
        directory::{Link, RecordLink},
        import::{
            accounts::{Found, Party},
            outcome::Rejected,
            row::Wanted,
            standing::digest,
        },
    },
};

impl Planner<'_> {
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

    pub(super) fn credit(&self, wanted: &Wanted) -> Result<Minutes, Rejection> {
        let served = match &wanted.served {
            proto::service::Served::Interval(interval) => {
                Served::Interval { start: Millis(interval.start_ms), end: Millis(interval.end_ms) }
            }
            proto::service::Served::OnDate(on_date) => {
                Served::OnDate { date: on_date.date, minutes: Minutes::new(on_date.minutes) }
            }
        };
        let expected = || Rejection::FieldInvalid { expected: Text::new("a category code", "类别代码") };
        let category = Code::new(&wanted.category, 32).ok_or_else(expected)?;
        credited_minutes(self.policy, &category, &served, self.mapping.rounding)
    }

    pub(super) fn service(
        &self,
        wanted: &Wanted,
        volunteer: AccountId,
        station: AccountId,
        credited: Minutes,
    ) -> proto::Service {
        proto::Service {
            volunteer: volunteer.0.to_vec().into(),
            station: station.0.to_vec().into(),
            payer: self.mapping.payer.map(|payer| payer.to_vec()).unwrap_or_default().into(),
            category: wanted.category.clone(),
            activity: wanted.activity.clone(),
            served: Some(wanted.served),
            utc_offset_seconds: wanted.utc_offset_seconds,
            credited_minutes: credited.get(),
            rounding: i32::from(wire::rounding_message(self.mapping.rounding)),
            insured: false,
            imported: self.mapping.imported,
        }
    }

    /// The account of a station (`served_by` none) or volunteer; opened if it is unknown and may be.
    pub(super) fn party(
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
    pub(super) fn known(&self, party: Party, name: &str) -> Result<Found, StoreError> {
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

    pub(super) fn define(&mut self, region: &str, number: usize, chunk: &mut Chunk) {
        if !self.regions.contains(region) && self.fresh.regions.insert(region.to_owned()) {
            let event = proto::RegionDefined { code: region.to_owned(), parent: String::new() };
            self.push(chunk, Kind::RegionDefined(event), number, None);
        }
    }
}
