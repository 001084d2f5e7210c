//! Which rules a sheet breaks, each asked on its own: nothing here knows an order of precedence.

use std::collections::BTreeSet;

use timebank::format::proto::{self, AccountKind, KeyRole, event::Kind, service::Served};

use crate::{
    naive::{Id, Key, Naive, Place, by_day, id, key_id, payer, place, served_ms, serves, some},
    support::{DAY, ISSUANCE, MINUTE, ORIGIN},
};

/// Codes of broken rules.
pub(crate) type Broken = BTreeSet<&'static str>;

/// The most that one event may move.
const MINUTES_MAX: i64 = 1_000_000_000;
/// How far the clock of a signer may run ahead.
const AHEAD_MS_MAX: i64 = 10 * MINUTE;
/// A hold may end this much later.
const HOLD_MS_MAX: i64 = 731 * DAY;

/// What a header says.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) signers: Vec<Id>,
    pub(crate) sheet_id: Id,
    pub(crate) issued_at: i64,
    pub(crate) valid_until: i64,
}

/// Where and when an event is judged.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) signers: &'a [Id],
    pub(crate) at: Place,
    pub(crate) now: i64,
}

/// What a sheet breaks before any of its events is looked at.
pub(crate) fn of_sheet(ledger: &Naive, header: &Header, now: i64) -> Broken {
    let mut broken = Broken::new();
    let mut need = |holds: bool, code| {
        if !holds {
            broken.insert(code);
        }
    };
    for signer in &header.signers {
        need(ledger.keys.contains_key(signer), "KeyUnknown");
        need(ledger.keys.get(signer).is_none_or(|key| !key.revoked), "KeyIsRevoked");
    }
    need(!ledger.sheet_ids.contains(&(header.signers[0], header.sheet_id)), "SheetExistsWithDifferentBytes");
    need(now <= header.valid_until, "SheetExpired");
    need(header.issued_at <= now + AHEAD_MS_MAX, "SheetIssuedInFuture");
    let longest = i64::from(ledger.policy.validity_days_max) * DAY;
    need((0..=longest).contains(&(header.valid_until - header.issued_at)), "SheetValidityOutOfRange");
    broken
}

/// What the first sheet of a ledger breaks: it holds the genesis alone, signed by all whom it names. With the event, where
/// it is the one that is wrong.
pub(crate) fn of_first_sheet(header: &Header, kinds: &[Kind]) -> Option<(Option<u32>, Broken)> {
    let broken = Broken::from(["FieldInvalid"]);
    let [Kind::LedgerCreated(created)] = kinds else { return Some((None, broken)) };
    let operators: Vec<Id> = created.operator_keys.iter().map(|key| key_id(key)).collect();
    if operators != header.signers {
        return Some((None, broken));
    }
    let mut keys: Vec<&[u8]> = created.operator_keys.iter().map(AsRef::as_ref).collect();
    keys.extend([created.service_key.as_ref(), created.ledger_key.as_ref()]);
    let distinct: BTreeSet<&[u8]> = keys.iter().copied().collect();
    let sound = created.policy.as_ref().is_some_and(is_sound);
    let good = created.origin == ORIGIN && distinct.len() == keys.len() && sound;
    (!good).then_some((Some(0), broken))
}

/// Whether every number of a policy is in its range; only those that the tests get wrong.
fn is_sound(policy: &proto::Policy) -> bool {
    policy.rules == 1
        && [1, 5, 10, 15, 30, 60].contains(&policy.rounding_unit_minutes)
        && policy.floor_minutes <= 0
        && (1..=1_440).contains(&policy.day_minutes_max)
        && policy.roundings.is_sorted_by(|a, b| a < b)
}

/// What an event breaks.
pub(crate) fn of_event(ledger: &Naive, moment: Moment<'_>, kind: &Kind) -> Broken {
    let signers = moment.signers.iter().filter_map(|signer| ledger.keys.get(signer)).collect();
    let mut judge = Judge { ledger, moment, signers, broken: Broken::new() };
    judge.event(kind);
    judge.broken
}

struct Judge<'a> {
    ledger: &'a Naive,
    moment: Moment<'a>,
    signers: Vec<&'a Key>,
    broken: Broken,
}

impl Judge<'_> {
    fn need(&mut self, holds: bool, code: &'static str) {
        if !holds {
            self.broken.insert(code);
        }
    }

    fn operator(&self) -> bool {
        self.signers.iter().any(|key| key.role == KeyRole::Operator)
    }

    fn staff_of(&self, station: Option<Id>) -> bool {
        self.signers.iter().any(|key| key.role == KeyRole::Staff && station.is_some() && key.account == station)
    }

    fn owner_of(&self, account: Id) -> bool {
        self.signers.iter().any(|key| key.role == KeyRole::Resident && key.account == Some(account))
    }

    /// Section 6 of `proto/README.md`: whoever may take from an account.
    fn may_take(&self, account: Id) -> bool {
        let Some(found) = self.ledger.accounts.get(&account) else { return false };
        let here = |key: &&&Key| {
            let station = key.account.and_then(|station| self.ledger.accounts.get(&station));
            key.role == KeyRole::Staff && station.is_some_and(|station| station.region == found.region)
        };
        match found.kind {
            AccountKind::Resident | AccountKind::Household => self.owner_of(account),
            AccountKind::Group => self.owner_of(account) || self.staff_of(found.station) || self.operator(),
            AccountKind::Station => self.staff_of(Some(account)) || self.operator(),
            AccountKind::CommunityPool => self.signers.iter().any(|key| here(&key)) || self.operator(),
            AccountKind::DistrictPool | AccountKind::Issuance | AccountKind::Unspecified => self.operator(),
        }
    }

    /// Who takes from an account that isn't there may not do so either: only an operator is told more.
    fn takes_from(&mut self, account: Id) {
        let known = self.ledger.accounts.contains_key(&account);
        self.need(known, "AccountUnknown");
        self.need(self.may_take(account) || (!known && self.operator()), "NotPermitted");
    }

    /// Nobody credits their own account.
    fn credits(&mut self, account: Id) {
        let own =
            |key: &&Key| key.own == Some(account) || (key.role == KeyRole::Resident && key.account == Some(account));
        self.need(!self.signers.iter().any(own), "SelfDealing");
    }

    fn amount(&mut self, minutes: i64) {
        self.need(minutes > 0, "MinutesNotPositive");
        self.need(minutes <= MINUTES_MAX, "MinutesTooLarge");
    }

    /// An account that is there, and of a kind that fits.
    fn named(&mut self, account: Id, fits: impl Fn(AccountKind) -> bool) {
        match self.ledger.kind(account) {
            Some(kind) => self.need(fits(kind), "AccountKindMismatch"),
            None => self.need(false, "AccountUnknown"),
        }
    }

    fn spend(&mut self, account: Id, minutes: i64) {
        self.need(self.ledger.available(account).is_none_or(|available| minutes <= available), "BalanceBelowFloor");
    }

    fn event(&mut self, kind: &Kind) {
        let only_service = self.signers.iter().all(|key| key.role == KeyRole::Service);
        self.need(!only_service || matches!(kind, Kind::HoldExpired(_)), "NotPermitted");
        match kind {
            Kind::LedgerCreated(_) => self.need(false, "LedgerExists"),
            Kind::KeyEnrolled(enrolled) => self.enrolment(enrolled),
            Kind::KeyRevoked(revoked) => self.revocation(id(&revoked.key_id)),
            Kind::RegionDefined(region) => {
                self.need(self.operator(), "NotPermitted");
                let known = region.parent.is_empty() || self.ledger.regions.contains_key(&region.parent);
                self.need(known, "RegionUnknown");
                self.need(!self.ledger.regions.contains_key(&region.code), "RegionExists");
            }
            Kind::AccountOpened(opened) => self.opening(opened),
            Kind::FloorSet(set) => {
                self.need((-MINUTES_MAX..=0).contains(&set.floor_minutes), "FieldInvalid");
                self.need(self.operator(), "NotPermitted");
                self.named(id(&set.account), |kind| kind != AccountKind::Issuance);
                self.credits(id(&set.account));
            }
            Kind::ServiceRecorded(recorded) => self.record(recorded),
            Kind::ServiceCorrected(corrected) => self.correction(corrected),
            Kind::ServiceReversed(reversed) => drop(self.old_version(reversed.record)),
            Kind::MinutesTransferred(given) => self.transfer(id(&given.from), id(&given.to), given.minutes),
            Kind::HoldPlaced(placed) => {
                self.amount(placed.minutes);
                self.takes_from(id(&placed.payer));
                self.named(id(&placed.payer), books);
                self.named(id(&placed.station), |kind| kind == AccountKind::Station);
                let runs = placed.expires_at_ms - self.moment.now;
                self.need(runs > 0 && runs <= HOLD_MS_MAX, "HoldEndOutOfRange");
                self.spend(id(&placed.payer), placed.minutes);
            }
            Kind::HoldReleased(released) => self.end_of_hold(released.hold, false),
            Kind::HoldExpired(expired) => self.end_of_hold(expired.hold, true),
        }
    }

    fn enrolment(&mut self, enrolled: &proto::KeyEnrolled) {
        let (account, own) = (some(&enrolled.account), some(&enrolled.own_account));
        let acts_for = match enrolled.role() {
            KeyRole::Staff => {
                self.need(self.operator(), "NotPermitted");
                if let Some(account) = account {
                    self.named(account, |kind| kind == AccountKind::Station);
                }
                true
            }
            KeyRole::Resident => {
                let station = account.and_then(|account| self.ledger.accounts.get(&account)?.station);
                self.need(self.operator() || self.staff_of(station), "NotPermitted");
                if let Some(account) = account {
                    self.named(account, serves);
                }
                self.need(own.is_none(), "FieldInvalid");
                true
            }
            KeyRole::Operator => {
                self.need(self.operator(), "NotPermitted");
                false
            }
            KeyRole::Service | KeyRole::Unspecified => {
                self.need(self.operator(), "NotPermitted");
                self.need(false, "FieldInvalid");
                account.is_some()
            }
        };
        self.need(acts_for == account.is_some(), "FieldInvalid");
        if let Some(own) = own {
            self.named(own, |_| true);
        }
        self.need(!self.ledger.keys.contains_key(&key_id(&enrolled.public_key)), "KeyExists");
    }

    fn revocation(&mut self, key_id: Id) {
        let Some(key) = self.ledger.keys.get(&key_id) else {
            self.need(self.operator(), "NotPermitted");
            return self.need(false, "RevokedKeyUnknown");
        };
        let station = key.account.and_then(|account| self.ledger.accounts.get(&account)?.station);
        let by_staff = key.role == KeyRole::Resident && self.staff_of(station);
        self.need(self.operator() || self.moment.signers.contains(&key_id) || by_staff, "NotPermitted");
        self.need(!key.revoked, "KeyAlreadyRevoked");
        let operators = self.ledger.keys.values().filter(|key| key.role == KeyRole::Operator && !key.revoked);
        let last = key.role == KeyRole::Operator && !key.revoked && operators.count() == 1;
        self.need(!last, "LastOperatorKey");
    }

    fn opening(&mut self, opened: &proto::AccountOpened) {
        let (kind, station) = (opened.kind(), some(&opened.station));
        self.need(kind != AccountKind::Issuance, "FieldInvalid");
        self.need(serves(kind) == station.is_some(), "FieldInvalid");
        self.need(serves(kind) == opened.region.is_empty(), "FieldInvalid");
        self.need(self.operator() || (serves(kind) && self.staff_of(station)), "NotPermitted");
        if let Some(station) = station {
            self.named(station, |kind| kind == AccountKind::Station);
        }
        let known = opened.region.is_empty() || self.ledger.regions.contains_key(&opened.region);
        self.need(known, "RegionUnknown");
        self.need(!self.ledger.accounts.contains_key(opened.account.as_ref()), "AccountExists");
    }

    fn transfer(&mut self, from: Id, to: Id, minutes: i64) {
        self.amount(minutes);
        self.need(from != to, "SameAccount");
        self.takes_from(from);
        self.named(to, |kind| kind != AccountKind::Issuance);
        self.credits(to);
        let to_pool = self.ledger.kind(to).is_none_or(is_pool);
        self.need(self.ledger.kind(from) != Some(AccountKind::Group) || to_pool, "GroupGivesOnlyToPools");
        self.spend(from, minutes);
        self.split(to, minutes);
    }

    fn split(&mut self, receiver: Id, minutes: i64) {
        let split = self.ledger.split(receiver, self.ledger.balance(receiver), minutes);
        self.need(minutes <= 0 || split.is_ok(), "OverflowPoolUnknown");
    }

    fn end_of_hold(&mut self, named: Option<proto::EventRef>, expired: bool) {
        let Some(hold) = self.ledger.holds.get(&place(named, self.moment.at.0)) else {
            return self.need(false, "HoldUnknown");
        };
        self.need(!hold.ended, "HoldEnded");
        let by_service = expired && self.signers.iter().any(|key| key.role == KeyRole::Service);
        let by_side = self.may_take(hold.payer) || self.staff_of(Some(hold.station)) || self.operator();
        self.need(by_service || by_side, "NotPermitted");
        self.need(!expired || hold.ended || self.moment.now >= hold.expires_at, "HoldStillRuns");
    }

    fn record(&mut self, recorded: &proto::ServiceRecorded) {
        let service = recorded.service.as_ref().unwrap();
        self.service(service, None);
        self.split(id(&service.volunteer), service.credited_minutes);
        if recorded.hold.is_some() {
            return self.settlement(service, place(recorded.hold, self.moment.at.0));
        }
        if let Some(payer) = some(&service.payer) {
            // One that isn't there agrees to nothing; that it isn't there says enough.
            self.need(self.may_take(payer) || self.ledger.kind(payer).is_none(), "NotPermitted");
            self.spend(payer, service.credited_minutes);
        }
    }

    fn settlement(&mut self, service: &proto::Service, hold: Place) {
        let Some(hold) = self.ledger.holds.get(&hold) else { return self.need(false, "HoldUnknown") };
        if hold.ended {
            return self.need(false, "HoldEnded");
        }
        self.need(hold.payer == payer(service) && hold.station == id(&service.station), "HoldOfOthers");
        self.need(self.moment.now < hold.expires_at, "HoldRunOut");
        self.need(service.credited_minutes <= hold.minutes, "HoldTooSmall");
    }

    /// What holds of every service, recorded or corrected.
    fn service(&mut self, service: &proto::Service, corrects: Option<Place>) {
        self.amount(service.credited_minutes);
        let volunteer = id(&service.volunteer);
        self.need(payer(service) != volunteer || service.payer.is_empty(), "SameAccount");
        self.need(self.operator() || self.staff_of(some(&service.station)), "NotPermitted");
        self.need(self.operator() || !service.imported, "NotPermitted");
        self.credits(volunteer);
        self.named(volunteer, serves);
        self.named(id(&service.station), |kind| kind == AccountKind::Station);
        if !service.payer.is_empty() {
            self.named(payer(service), books);
        }
        match service.served.unwrap() {
            Served::Interval(interval) if interval.start_ms >= interval.end_ms => self.need(false, "IntervalEmpty"),
            Served::OnDate(on) if on.minutes <= 0 => self.need(false, "MinutesNotPositive"),
            Served::OnDate(on) if on.minutes > MINUTES_MAX => self.need(false, "MinutesTooLarge"),
            Served::Interval(_) | Served::OnDate(_) => self.time(service, corrects),
        }
    }

    fn time(&mut self, service: &proto::Service, corrects: Option<Place>) {
        let end = match service.served.unwrap() {
            Served::Interval(interval) => interval.end_ms,
            // A date stands for its first moment.
            Served::OnDate(on) => i64::from(on.date) * DAY - i64::from(service.utc_offset_seconds) * 1_000,
        };
        let policy = &self.ledger.policy;
        self.need(end <= self.moment.now, "ServiceInFuture");
        let oldest = self.moment.now - i64::from(policy.age_days_max) * DAY;
        self.need(corrects.is_some() || service.imported || end >= oldest, "ServiceTooOld");
        match self.ledger.credit(service) {
            Ok(credit) => self.need(credit == service.credited_minutes, "CreditMismatch"),
            Err(code) => self.need(false, code),
        }
        let volunteer = id(&service.volunteer);
        if self.ledger.kind(volunteer) == Some(AccountKind::Group) {
            return;
        }
        self.need(served_ms(service) <= policy.record_minutes_max * MINUTE, "RecordTooLong");
        let others: Vec<_> = self.ledger.served_by(volunteer, corrects).collect();
        for (day, ms) in by_day(service) {
            let before = others.iter().filter_map(|other| by_day(other).get(&day).copied());
            self.need(ms + before.sum::<i64>() <= policy.day_minutes_max * MINUTE, "DayLimitExceeded");
        }
        self.need(!others.iter().any(|other| overlaps(service, other)), "ServiceOverlaps");
    }

    /// The newest version of a record that is taken back.
    fn old_version(&mut self, named: Option<proto::EventRef>) -> Option<proto::Service> {
        let Some(record) = self.ledger.records.get(&place(named, self.moment.at.0)) else {
            self.need(false, "RecordUnknown");
            return None;
        };
        self.need(!record.reversed, "RecordReversed");
        let old = record.newest().clone();
        self.need(self.operator() || self.staff_of(some(&old.station)), "NotPermitted");
        self.credits(payer(&old));
        Some(old).filter(|_| !record.reversed)
    }

    fn correction(&mut self, corrected: &proto::ServiceCorrected) {
        let new = corrected.service.as_ref().unwrap();
        self.service(new, Some(place(corrected.record, self.moment.at.0)));
        let Some(old) = self.old_version(corrected.record) else { return };
        self.need(old != *new, "CorrectionChangesNothing");
        let pays_more = payer(&old) != payer(new) || new.credited_minutes > old.credited_minutes;
        let agreed = !pays_more || new.payer.is_empty() || self.may_take(payer(new));
        self.need(agreed || self.ledger.kind(payer(new)).is_none(), "NotPermitted");
        if new.credited_minutes <= 0 || new.credited_minutes > MINUTES_MAX {
            return;
        }
        let record = &self.ledger.records[&place(corrected.record, self.moment.at.0)];
        let moved = self.ledger.moved(record, Some(new)).map(|moved| moved.sums);
        // Where the pool for the excess isn't there, what the payer pays is known all the same.
        let known = moved.clone().unwrap_or_else(|_| {
            let mut sums = self.ledger.moved(record, None).unwrap().sums;
            *sums.entry(payer(new)).or_default() -= new.credited_minutes;
            sums
        });
        if let Err(code) = moved {
            self.need(false, code);
        }
        let paid = -known.get(&payer(new)).unwrap_or(&0);
        if payer(new) != ISSUANCE && paid > 0 {
            self.spend(payer(new), paid);
        }
    }
}

const fn is_pool(kind: AccountKind) -> bool {
    matches!(kind, AccountKind::CommunityPool | AccountKind::DistrictPool)
}

/// Residents, households and pools book and pay.
const fn books(kind: AccountKind) -> bool {
    matches!(kind, AccountKind::Resident | AccountKind::Household) || is_pool(kind)
}

/// One person is in two places; of a date nobody knows the hours.
fn overlaps(one: &proto::Service, other: &proto::Service) -> bool {
    match (one.served.unwrap(), other.served.unwrap()) {
        (Served::Interval(one), Served::Interval(other)) => one.start_ms < other.end_ms && other.start_ms < one.end_ms,
        _ => false,
    }
}
