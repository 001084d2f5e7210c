//! A ledger so simple that it is obviously right: lists that only grow, and sums over all of them.
//!
//! It is written from the words of `sheet.proto` and shares nothing with the rules that it is held against.

use std::collections::{BTreeMap, BTreeSet};

use timebank::format::{
    proto::{self, AccountKind, KeyRole, Rounding, event::Kind, service::Served, tariff::Price},
    signature,
};

use crate::support::{DAY, ISSUANCE, MINUTE};

pub(crate) type Id = [u8; 16];
/// What an account keeps of a credit; and what goes to which pool, where that is more than its cap.
pub(crate) type Split = (i64, Option<(Id, i64)>);
/// Index of an entry, and number of an event in it.
pub(crate) type Place = (u64, u32);

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) kind: AccountKind,
    pub(crate) region: String,
    pub(crate) station: Option<Id>,
    /// None: it has no limit.
    pub(crate) floor: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) role: KeyRole,
    pub(crate) account: Option<Id>,
    pub(crate) own: Option<Id>,
    pub(crate) revoked: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Posting {
    pub(crate) at: Place,
    pub(crate) account: Id,
    pub(crate) minutes: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) payer: Id,
    pub(crate) station: Id,
    pub(crate) minutes: i64,
    pub(crate) expires_at: i64,
    pub(crate) ended: bool,
}

/// Minutes that a station gave in somebody's stead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owed {
    pub(crate) station: Id,
    pub(crate) volunteer: Id,
    pub(crate) minutes: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Where each version stands, and what it says; the newest last.
    pub(crate) versions: Vec<(Place, proto::Service)>,
    /// Of the newest version: what went to which pool because of the cap.
    pub(crate) overflow: Option<(Id, i64)>,
    pub(crate) owed: Option<Owed>,
    pub(crate) reversed: bool,
}

impl Record {
    pub(crate) fn newest(&self) -> &proto::Service {
        &self.versions.last().unwrap().1
    }
}

/// What a correction or reversal moves.
pub(crate) struct Moved {
    pub(crate) sums: BTreeMap<Id, i64>,
    overflow: Option<(Id, i64)>,
    owed: Option<Owed>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Naive {
    pub(crate) policy: proto::Policy,
    pub(crate) regions: BTreeMap<String, String>,
    pub(crate) accounts: BTreeMap<Id, Account>,
    pub(crate) keys: BTreeMap<Id, Key>,
    pub(crate) postings: Vec<Posting>,
    pub(crate) holds: BTreeMap<Place, Hold>,
    pub(crate) records: BTreeMap<Place, Record>,
    pub(crate) shortages: Vec<(Place, Owed)>,
    pub(crate) sheet_ids: BTreeSet<(Id, Id)>,
    /// How often something happened that is easy to get wrong.
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

/// The 16 bytes of an id.
pub(crate) fn id(bytes: &[u8]) -> Id {
    bytes.try_into().unwrap()
}

/// An id that may be absent.
pub(crate) fn some(bytes: &[u8]) -> Option<Id> {
    (!bytes.is_empty()).then(|| id(bytes))
}

/// Who pays: issuance, where nobody is named.
pub(crate) fn payer(service: &proto::Service) -> Id {
    some(&service.payer).unwrap_or(ISSUANCE)
}

/// Where a reference leads from a sheet that stands, or would stand, at `index`.
pub(crate) fn place(named: Option<proto::EventRef>, index: u64) -> Place {
    let named = named.unwrap();
    (if named.index == 0 { index } else { named.index }, named.event)
}

/// Milliseconds served.
pub(crate) fn served_ms(service: &proto::Service) -> i64 {
    match service.served.unwrap() {
        Served::Interval(interval) => interval.end_ms - interval.start_ms,
        Served::OnDate(on) => on.minutes * MINUTE,
    }
}

/// Milliseconds served by local day, walking from midnight to midnight.
pub(crate) fn by_day(service: &proto::Service) -> BTreeMap<i64, i64> {
    match service.served.unwrap() {
        Served::OnDate(on) => BTreeMap::from([(i64::from(on.date), on.minutes * MINUTE)]),
        Served::Interval(interval) => {
            let offset = i64::from(service.utc_offset_seconds) * 1_000;
            let (mut moment, end) = (interval.start_ms + offset, interval.end_ms + offset);
            let mut days = BTreeMap::new();
            while moment < end {
                let day = moment.div_euclid(DAY);
                let until = end.min((day + 1) * DAY);
                days.insert(day, until - moment);
                moment = until;
            }
            days
        }
    }
}

impl Naive {
    /// The sum of all that was ever posted.
    pub(crate) fn balance(&self, account: Id) -> i64 {
        self.postings.iter().filter(|posting| posting.account == account).map(|posting| posting.minutes).sum()
    }

    pub(crate) fn held(&self, account: Id) -> i64 {
        self.holds.values().filter(|hold| hold.payer == account && !hold.ended).map(|hold| hold.minutes).sum()
    }

    /// None: there is no limit.
    pub(crate) fn available(&self, account: Id) -> Option<i64> {
        let floor = self.accounts.get(&account)?.floor?;
        Some(self.balance(account) - self.held(account) - floor)
    }

    pub(crate) fn kind(&self, account: Id) -> Option<AccountKind> {
        self.accounts.get(&account).map(|account| account.kind)
    }

    /// Records that count as somebody's service.
    pub(crate) fn served_by(&self, volunteer: Id, except: Option<Place>) -> impl Iterator<Item = &proto::Service> {
        let counts = move |(at, record): &(&Place, &Record)| Some(**at) != except && !record.reversed;
        let newest = self.records.iter().filter(counts).map(|(_, record)| record.newest());
        newest.filter(move |service| service.volunteer == volunteer.as_slice())
    }

    /// The credit for a service, or the rule that it breaks.
    pub(crate) fn credit(&self, service: &proto::Service) -> Result<i64, &'static str> {
        let rounding = Rounding::try_from(service.rounding).unwrap();
        let allowed = rounding == Rounding::Unspecified || self.policy.roundings.contains(&service.rounding);
        let tariff = self.policy.tariffs.iter().find(|tariff| tariff.category == service.category);
        let an_hour = match tariff.map(|tariff| tariff.price.unwrap()) {
            Some(Price::FixedMinutes(minutes)) if allowed => return Ok(i64::from(minutes)),
            Some(Price::FixedMinutes(_)) => return Err("RoundingNotAllowed"),
            Some(Price::MinutesPerHour(minutes)) => i64::from(minutes),
            None => 60,
        };
        // Counted in sixtieths of a millisecond, so that nothing is lost before the one rounding.
        let (worth, unit) = (served_ms(service) * an_hour, i64::from(self.policy.rounding_unit_minutes));
        let (units, rest) = (worth / (unit * 60 * MINUTE), worth % (unit * 60 * MINUTE));
        let units = match rounding {
            Rounding::Unspecified if rest > 0 => return Err("CreditNotWhole"),
            Rounding::Unspecified | Rounding::Down => units,
            Rounding::Nearest => units + i64::from(2 * rest >= unit * 60 * MINUTE),
            Rounding::Up => units + i64::from(rest > 0),
        };
        match units {
            0 => Err("MinutesNotPositive"),
            _ if allowed => Ok(units * unit),
            _ => Err("RoundingNotAllowed"),
        }
    }

    /// What a receiver with this balance keeps of a credit, and what goes to which pool.
    pub(crate) fn split(&self, receiver: Id, balance: i64, credit: i64) -> Result<Split, &'static str> {
        let capped = matches!(self.kind(receiver), Some(AccountKind::Resident | AccountKind::Household));
        let cap = self.policy.cap_minutes;
        if !capped || cap == 0 || balance + credit <= cap {
            return Ok((credit, None));
        }
        let pool = id(&self.policy.overflow_pool);
        if !matches!(self.kind(pool), Some(AccountKind::CommunityPool | AccountKind::DistrictPool)) {
            return Err("OverflowPoolUnknown");
        }
        let kept = (cap - balance).max(0);
        Ok((kept, Some((pool, credit - kept))))
    }

    /// What changes, account by account, when a record is taken back, and `new` is booked instead.
    pub(crate) fn moved(&self, record: &Record, new: Option<&proto::Service>) -> Result<Moved, &'static str> {
        let (old, excess) = (record.newest(), record.overflow.map_or(0, |overflow| overflow.1));
        let mut sums: BTreeMap<Id, i64> = BTreeMap::new();
        let mut add = |account: Id, minutes: i64| *sums.entry(account).or_default() += minutes;
        add(payer(old), old.credited_minutes);
        add(id(&old.volunteer), excess - old.credited_minutes);
        if let Some((pool, minutes)) = record.overflow {
            add(pool, -minutes);
        }
        let Some(new) = new else { return Ok(Moved { sums, overflow: None, owed: None }) };
        let volunteer = id(&new.volunteer);
        let without = self.balance(volunteer) + sums.get(&volunteer).unwrap_or(&0);
        let (kept, overflow) = self.split(volunteer, without, new.credited_minutes)?;
        let mut add = |account: Id, minutes: i64| *sums.entry(account).or_default() += minutes;
        add(payer(new), -new.credited_minutes);
        add(volunteer, kept);
        if let Some((pool, minutes)) = overflow {
            add(pool, minutes);
        }
        // What the volunteer would get, after the cap, goes to the station first that gave in their stead.
        let mut owed = record.owed.clone();
        if let Some(owed) = &mut owed {
            let back = sums.get(&owed.volunteer).unwrap_or(&0).clamp(&0, &owed.minutes).to_owned();
            *sums.entry(owed.volunteer).or_default() -= back;
            *sums.entry(owed.station).or_default() += back;
            owed.minutes -= back;
        }
        Ok(Moved { sums, overflow, owed: owed.filter(|owed| owed.minutes > 0) })
    }

    pub(crate) fn saw(&mut self, what: &'static str, happened: bool) {
        *self.seen.entry(what).or_default() += u64::from(happened);
    }

    fn post(&mut self, at: Place, account: Id, minutes: i64) {
        self.postings.push(Posting { at, account, minutes });
    }

    /// Takes from one account and credits another, up to the cap.
    fn pay(&mut self, at: Place, from: Id, to: Id, minutes: i64) -> Option<(Id, i64)> {
        let (kept, overflow) = self.split(to, self.balance(to), minutes).unwrap();
        self.post(at, from, -minutes);
        self.post(at, to, kept);
        if let Some((pool, excess)) = overflow {
            self.post(at, pool, excess);
        }
        overflow
    }

    /// Does what an event says that breaks no rule.
    pub(crate) fn apply(&mut self, kind: &Kind, at: Place) {
        match kind {
            Kind::LedgerCreated(created) => self.create(created),
            Kind::KeyEnrolled(enrolled) => {
                let (account, own) = (some(&enrolled.account), some(&enrolled.own_account));
                let key = Key { role: enrolled.role(), account, own, revoked: false };
                self.keys.insert(key_id(&enrolled.public_key), key);
            }
            Kind::KeyRevoked(revoked) => self.keys.get_mut(revoked.key_id.as_ref()).unwrap().revoked = true,
            Kind::RegionDefined(region) => {
                self.regions.insert(region.code.clone(), region.parent.clone());
            }
            Kind::AccountOpened(opened) => {
                let kind = opened.kind();
                let floor = if serves(kind) { self.policy.floor_minutes } else { 0 };
                let (region, station) = (opened.region.clone(), some(&opened.station));
                self.accounts.insert(id(&opened.account), Account { kind, region, station, floor: Some(floor) });
            }
            Kind::FloorSet(set) => {
                self.accounts.get_mut(set.account.as_ref()).unwrap().floor = Some(set.floor_minutes);
            }
            Kind::ServiceRecorded(recorded) => self.record(at, recorded),
            Kind::ServiceCorrected(corrected) => self.correct(at, corrected),
            Kind::ServiceReversed(reversed) => self.reverse(at, place(reversed.record, at.0)),
            Kind::MinutesTransferred(given) => {
                let overflow = self.pay(at, id(&given.from), id(&given.to), given.minutes);
                self.saw("gift over the cap", overflow.is_some());
                self.saw("gift below zero", self.balance(id(&given.from)) < 0 && id(&given.from) != ISSUANCE);
            }
            Kind::HoldPlaced(placed) => {
                let (payer, station) = (id(&placed.payer), id(&placed.station));
                let (minutes, expires_at) = (placed.minutes, placed.expires_at_ms);
                self.holds.insert(at, Hold { payer, station, minutes, expires_at, ended: false });
            }
            Kind::HoldReleased(ended) => self.end(place(ended.hold, at.0)),
            Kind::HoldExpired(ended) => self.end(place(ended.hold, at.0)),
        }
    }

    fn end(&mut self, hold: Place) {
        self.holds.get_mut(&hold).unwrap().ended = true;
    }

    fn create(&mut self, created: &proto::LedgerCreated) {
        self.policy = created.policy.clone().unwrap();
        let issuance = Account { kind: AccountKind::Issuance, region: String::new(), station: None, floor: None };
        self.accounts.insert(id(&created.issuance_account), issuance);
        let key = |role| Key { role, account: None, own: None, revoked: false };
        for operator in &created.operator_keys {
            self.keys.insert(key_id(operator), key(KeyRole::Operator));
        }
        self.keys.insert(key_id(&created.service_key), key(KeyRole::Service));
    }

    fn record(&mut self, at: Place, recorded: &proto::ServiceRecorded) {
        let service = recorded.service.clone().unwrap();
        let (volunteer, minutes) = (id(&service.volunteer), service.credited_minutes);
        if recorded.hold.is_some() {
            let hold = place(recorded.hold, at.0);
            self.end(hold);
            self.saw("settled whole", self.holds[&hold].minutes == minutes);
            self.saw("settled in part", self.holds[&hold].minutes > minutes);
        }
        self.saw("imported", service.imported);
        self.saw("over local midnight", by_day(&service).len() > 1);
        self.saw("served by a group", self.kind(volunteer) == Some(AccountKind::Group));
        self.saw("served by a household", self.kind(volunteer) == Some(AccountKind::Household));
        self.saw("rounded", service.rounding != 0);
        self.saw("priced", self.policy.tariffs.iter().any(|tariff| tariff.category == service.category));
        let overflow = self.pay(at, payer(&service), volunteer, minutes);
        self.saw("credit over the cap", overflow.is_some());
        self.records.insert(at, Record { versions: vec![(at, service)], overflow, owed: None, reversed: false });
    }

    fn correct(&mut self, at: Place, corrected: &proto::ServiceCorrected) {
        let (record, new) = (place(corrected.record, at.0), corrected.service.clone().unwrap());
        let old = self.records[&record].clone();
        let moved = self.moved(&old, Some(&new)).unwrap();
        let back =
            old.owed.as_ref().map_or(0, |owed| owed.minutes) - moved.owed.as_ref().map_or(0, |owed| owed.minutes);
        self.saw("given back to the station", back > 0);
        self.saw("given back to the station in part", back > 0 && moved.owed.is_some());
        self.saw_correction(&old, &new);
        let short = self.take_back(at, &moved.sums, old.newest(), Some(payer(&new)));
        self.saw("corrected once more into a shortage", short.is_some() && moved.owed.is_some());
        let kept = self.records.get_mut(&record).unwrap();
        kept.versions.push((at, new));
        kept.overflow = moved.overflow;
        // Of one record one station is owed for one volunteer: the newer, where they differ.
        kept.owed = match (moved.owed, short) {
            (Some(before), Some(more)) if (before.station, before.volunteer) == (more.station, more.volunteer) => {
                Some(Owed { minutes: before.minutes + more.minutes, ..more })
            }
            (before, more) => more.or(before),
        };
    }

    fn saw_correction(&mut self, old: &Record, new: &proto::Service) {
        let was = old.newest();
        self.saw("corrected again", old.versions.len() > 1);
        self.saw("corrected volunteer", was.volunteer != new.volunteer);
        self.saw("corrected payer", was.payer != new.payer);
        self.saw("corrected station", was.station != new.station);
        self.saw("corrected time", was.served != new.served);
        self.saw("corrected category", was.category != new.category);
        self.saw("corrected up", was.credited_minutes < new.credited_minutes);
        self.saw("corrected down", was.credited_minutes > new.credited_minutes);
        self.saw("corrected beyond the cap", old.overflow.is_some());
    }

    fn reverse(&mut self, at: Place, record: Place) {
        let old = self.records[&record].clone();
        let moved = self.moved(&old, None).unwrap();
        self.saw("reversed after a correction", old.versions.len() > 1);
        self.saw("reversed while the station is owed", old.owed.is_some());
        self.saw("reversed beyond the cap", old.overflow.is_some());
        self.take_back(at, &moved.sums, old.newest(), None);
        let kept = self.records.get_mut(&record).unwrap();
        (kept.overflow, kept.owed, kept.reversed) = (None, None, true);
    }

    /// Posts sums. Whoever must give more than balance - held gives that, and the station that recorded gives the rest;
    /// `spender` pays, and was found able to. What the station gives in the volunteer's stead comes back.
    fn take_back(
        &mut self,
        at: Place,
        sums: &BTreeMap<Id, i64>,
        old: &proto::Service,
        spender: Option<Id>,
    ) -> Option<Owed> {
        let (station, mut owed) = (id(&old.station), None);
        for (&account, &minutes) in sums {
            let bound = minutes < 0 && account != ISSUANCE && Some(account) != spender;
            let free = (self.balance(account) - self.held(account)).max(0);
            let short = if bound { (-minutes - free).max(0) } else { 0 };
            self.post(at, account, minutes + short);
            if short > 0 {
                self.post(at, station, -short);
                let shortage = Owed { station, volunteer: account, minutes: short };
                self.shortages.push((at, shortage.clone()));
                let of_volunteer = old.volunteer == account.as_slice();
                self.saw(if of_volunteer { "shortage" } else { "shortage of a pool" }, true);
                owed = owed.or(Some(shortage).filter(|_| of_volunteer));
            }
        }
        owed
    }
}

pub(crate) const fn serves(kind: AccountKind) -> bool {
    matches!(kind, AccountKind::Resident | AccountKind::Household | AccountKind::Group)
}

pub(crate) fn key_id(public_key: &[u8]) -> Id {
    signature::key_id(public_key.try_into().unwrap()).0
}
