//! Whoever writes random sheets: mostly what the naive ledger would take, often what it only just wouldn't.

use std::collections::BTreeMap;

use timebank::{
    format::{
        proto::{self, AccountKind, CorrectionReason, KeyRole, event::Kind},
        signature::PrivateKey,
    },
    ledger::Policy,
};

use crate::{
    naive::{Hold, Id, Key, Naive, Place, Record, id, serves},
    rules::{self, Header, Moment},
    services, spoil,
    support::{
        DAY, HOUR, ISSUANCE, MINUTE, Random, at, bytes, enrol, expire, genesis, open, release, reverse, transfer,
    },
    world::{OPERATORS, OVERFLOW, PEOPLE, POOLS, SPARE, STATIONS, one_of},
};

/// Tries of a careful author before the ledger gets to see what isn't accepted.
const TRIES: u64 = 24;

pub(crate) struct Author {
    pub(crate) random: Random,
    pub(crate) keys: BTreeMap<Id, PrivateKey>,
    pub(crate) policy: Policy,
    /// Key ids by the seeds of their keys.
    ids: BTreeMap<u8, Id>,
    sheets: u64,
    opened: u8,
}

/// What an author knows while writing an event.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) ledger: &'a Naive,
    pub(crate) signers: &'a [Id],
    pub(crate) at: Place,
    pub(crate) now: i64,
}

impl View<'_> {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.signers.iter().filter_map(|signer| self.ledger.keys.get(signer))
    }

    /// The account that a signer's key of this role acts for.
    pub(crate) fn acting_for(&self, role: KeyRole) -> Option<Id> {
        self.keys().find(|key| key.role == role)?.account
    }
}

impl Author {
    pub(crate) fn new(random: Random, keys: &BTreeMap<u8, PrivateKey>, policy: Policy) -> Self {
        let ids = keys.iter().map(|(seed, key)| (*seed, key.key_id().0)).collect();
        let keys = keys.values().map(|key| (key.key_id().0, key.clone())).collect();
        Self { random, keys, policy, ids, sheets: 0, opened: 59 }
    }

    /// One time in so many.
    pub(crate) fn now_and_then(&mut self, times: u64) -> bool {
        self.random.below(times) == 0
    }

    pub(crate) fn any<T>(&mut self, items: impl Iterator<Item = T>) -> Option<T> {
        let mut items: Vec<T> = items.collect();
        let length = u64::try_from(items.len()).unwrap();
        (length > 0).then(|| items.swap_remove(usize::try_from(self.random.below(length)).unwrap()))
    }

    /// When the next sheet comes: within hours, or about the very moment that a hold runs out.
    pub(crate) fn later(&mut self, ledger: &Naive, now: i64) -> i64 {
        let soon = now + self.random.signed(4) * self.random.signed(90) * MINUTE;
        let ends = ledger.holds.values().filter(|hold| !hold.ended).map(|hold| hold.expires_at);
        let end = ends.filter(|end| (now + 1..now + 8 * HOUR).contains(end)).min();
        end.filter(|_| self.now_and_then(6)).map_or(soon, |end| end - self.random.signed(2))
    }

    fn key_of(&mut self, ledger: &Naive, role: KeyRole) -> Option<Id> {
        self.any(ledger.keys.iter().filter(|(_, key)| key.role == role && !key.revoked).map(|(id, _)| *id))
    }

    /// Who signs: mostly one who may sign something, often two, now and then somebody who may sign nothing.
    pub(crate) fn signers(&mut self, ledger: &Naive, now: i64) -> Vec<Id> {
        use KeyRole::{Operator, Resident, Service, Staff};
        let runs_out = ledger.holds.values().any(|hold| !hold.ended && hold.expires_at <= now);
        let roles: &[KeyRole] = match self.random.below(100) {
            0..4 => &[],
            4..7 => &[Operator, Service],
            7..10 => &[Resident, Resident],
            10..15 => &[Staff, Staff],
            15..22 => &[Operator, Resident],
            22..32 => &[Staff, Resident],
            32..50 => &[Resident],
            50..75 => &[Staff],
            75..88 if runs_out => &[Service],
            _ => &[Operator],
        };
        let mut signers: Vec<Id> = roles.iter().filter_map(|role| self.key_of(ledger, *role)).collect();
        if roles.is_empty() {
            // A key that was revoked, or that nobody knows; or whichever, and then one of these may be the second.
            let revoked = self.any(ledger.keys.iter().filter(|(_, key)| key.revoked).map(|(id, _)| *id));
            let unknown: Vec<Id> = self.keys.keys().filter(|id| !ledger.keys.contains_key(*id)).copied().collect();
            let unknown = self.any(unknown.into_iter());
            let first = self.any(ledger.keys.keys().copied());
            let odd = if self.now_and_then(2) { revoked } else { unknown };
            signers.extend(if self.now_and_then(2) { [first, odd] } else { [odd, None] }.into_iter().flatten());
        }
        signers.dedup();
        if signers.is_empty() { vec![self.ids[&OPERATORS[0]]] } else { signers }
    }

    /// A header that is in order but for now and then.
    pub(crate) fn header(&mut self, ledger: &Naive, signers: Vec<Id>, now: i64) -> Header {
        self.sheets += 1;
        let mut sheet_id = [0xaa; 16];
        sheet_id[8..].copy_from_slice(&self.sheets.to_be_bytes());
        let issued_at = now - self.random.signed(3 * HOUR);
        let mut header = Header { signers, sheet_id, issued_at, valid_until: issued_at + DAY };
        match self.random.below(150) {
            0 => header.issued_at = now + 10 * MINUTE + self.random.signed(3) - 1,
            1 => header.valid_until = now - self.random.signed(3) + 1,
            2 => {
                let longest = i64::from(self.policy.validity_days_max) * DAY;
                header.valid_until = issued_at + longest + self.random.signed(2);
            }
            3 => header.valid_until = issued_at - 1,
            4..7 => {
                // Another author's is as good as a fresh one.
                let used = self.any(ledger.sheet_ids.iter().copied());
                header.sheet_id = used.map_or(sheet_id, |used| used.1);
            }
            _ => {}
        }
        header
    }

    /// An event that the naive ledger would take, if one comes to mind; one time in six, one with something at a limit or
    /// wrong.
    pub(crate) fn event(&mut self, view: View<'_>) -> Kind {
        let last_moment = view.ledger.holds.values().any(|hold| !hold.ended && hold.expires_at == view.now);
        if last_moment && self.now_and_then(3) {
            return self.breaking(view, |broken| broken == 1, services::settlement);
        }
        let kind = self.breaking(view, |broken| broken == 0, Self::draft);
        match self.random.below(48) {
            0 => self.draft(view),
            1 => {
                let order = self.order(view);
                spoil::spoil(self, view, order)
            }
            2..8 => self.breaking(view, |broken| broken < 2, |author, view| spoil::spoil(author, view, kind.clone())),
            _ => kind,
        }
    }

    /// An event that breaks as many rules as wanted, if a few tries make one.
    fn breaking(
        &mut self,
        view: View<'_>,
        wanted: impl Fn(usize) -> bool,
        make: impl Fn(&mut Self, View<'_>) -> Kind,
    ) -> Kind {
        let moment = Moment { signers: view.signers, at: view.at, now: view.now };
        let mut kind = make(self, view);
        for _ in 0..TRIES {
            if wanted(rules::of_event(view.ledger, moment, &kind).len()) {
                break;
            }
            kind = make(self, view);
        }
        kind
    }

    fn draft(&mut self, view: View<'_>) -> Kind {
        let role = self.any(view.keys().map(|key| key.role));
        let choice = self.random.below(100);
        let choice = match role {
            _ if self.now_and_then(25) => choice,
            Some(KeyRole::Resident) => one_of(&mut self.random, &[0, 48, 48, 48, 65, 65, 76, 84]),
            Some(KeyRole::Service) => 84,
            Some(KeyRole::Operator | KeyRole::Staff | KeyRole::Unspecified) | None => choice,
        };
        match choice {
            0..26 => Kind::ServiceRecorded(services::record(self, view)),
            26..44 => Kind::ServiceCorrected(services::correction(self, view)),
            44..48 => reverse(self.record(view)),
            48..54 => self.transfer(view),
            54..65 => services::settlement(self, view),
            65..76 => self.hold(view),
            76..82 => release(self.hold_to_end(view, false)),
            82..87 => expire(self.hold_to_end(view, true)),
            _ => self.order(view),
        }
    }

    /// What sets up the ledger.
    fn order(&mut self, view: View<'_>) -> Kind {
        match self.random.below(13) {
            0..3 => self.opening(view),
            3..6 => self.enrolment(view),
            6..8 => self.revocation(view),
            8..10 => self.region(view),
            10..12 => self.floor(view),
            _ => genesis(&self.policy),
        }
    }

    /// How a place is named: that of this very sheet mostly without its index.
    pub(crate) fn name(&mut self, view: View<'_>, place: Place) -> Option<proto::EventRef> {
        let own = place.0 == view.at.0 && !self.now_and_then(6);
        at(if own { 0 } else { place.0 }, place.1)
    }

    /// Somewhere that holds what is meant only by chance.
    pub(crate) fn elsewhere(&mut self, view: View<'_>) -> Place {
        let index = [view.at.0, view.at.0 + 1, self.random.below(view.at.0 + 1)];
        (one_of(&mut self.random, &index), u32::try_from(self.random.below(4)).unwrap())
    }

    pub(crate) fn a_record<'a>(&mut self, view: View<'a>) -> Option<(Place, &'a Record)> {
        let (mine, odd) = (!self.now_and_then(5), self.now_and_then(12));
        let stations: Vec<Option<Id>> = view.keys().map(|key| key.account).collect();
        let operator = view.keys().any(|key| key.role == KeyRole::Operator);
        let within_reach = |record: &Record| operator || stations.contains(&Some(id(&record.newest().station)));
        let fits = |(_, record): &(&Place, &Record)| (odd || !record.reversed) && (!mine || within_reach(record));
        // Those that something happened to are few, and the ones to look at.
        let depth = self.random.below(6);
        let eventful = |record: &Record| match depth {
            0 => record.owed.is_some(),
            1 => record.overflow.is_some(),
            2 => record.versions.len() > 1,
            _ => true,
        };
        let found = self.any(view.ledger.records.iter().filter(fits).filter(|(_, record)| eventful(record)));
        found.map(|(at, record)| (*at, record))
    }

    fn record(&mut self, view: View<'_>) -> Option<proto::EventRef> {
        let found = self.a_record(view).map(|(at, _)| at).filter(|_| !self.now_and_then(12));
        let place = found.unwrap_or_else(|| self.elsewhere(view));
        self.name(view, place)
    }

    pub(crate) fn an_account(&mut self, view: View<'_>) -> Id {
        let known = self.any(view.ledger.accounts.keys().copied()).filter(|_| !self.now_and_then(20));
        let known = if self.now_and_then(2) { known } else { Some(one_of(&mut self.random, &PEOPLE)) };
        known.unwrap_or([251; 16])
    }

    /// Somebody who may be credited for service.
    pub(crate) fn a_volunteer(&mut self, view: View<'_>) -> Id {
        let volunteers = view.ledger.accounts.iter().filter(|(_, account)| serves(account.kind));
        let found = self.any(volunteers.map(|(id, _)| *id)).filter(|_| self.now_and_then(6));
        found.unwrap_or_else(|| self.an_account(view))
    }

    /// An amount around what an account can spend.
    fn amount(&mut self, view: View<'_>, account: Id) -> i64 {
        let available = view.ledger.available(account).unwrap_or(500);
        match self.random.below(24) {
            0 => self.random.signed(2) - 1,
            1 => 1_000_000_001,
            2 | 3 => available + 1,
            4..11 => available,
            _ => 1 + self.random.signed(available.clamp(1, 120)),
        }
    }

    /// An account that the signers may take from, mostly.
    fn purse(&mut self, view: View<'_>) -> Id {
        let own = view.acting_for(KeyRole::Resident).filter(|_| !self.now_and_then(12));
        let station = view.acting_for(KeyRole::Staff).filter(|_| self.now_and_then(3));
        let pools = POOLS.into_iter().chain([OVERFLOW; 5]).chain([ISSUANCE, [40; 16], [41; 16]]);
        let pool = self.any(pools).filter(|_| !self.now_and_then(4));
        own.or(station).or(pool).unwrap_or_else(|| self.an_account(view))
    }

    fn transfer(&mut self, view: View<'_>) -> Kind {
        let from = self.purse(view);
        let group = view.ledger.kind(from) == Some(AccountKind::Group) && !self.now_and_then(4);
        let to = if group { one_of(&mut self.random, &POOLS) } else { self.an_account(view) };
        let to = if self.now_and_then(30) { from } else { to };
        transfer(from, to, self.amount(view, from))
    }

    fn hold(&mut self, view: View<'_>) -> Kind {
        let payer = self.purse(view);
        let station = if self.now_and_then(25) { self.an_account(view) } else { one_of(&mut self.random, &STATIONS) };
        let ends = [0, 1, HOUR, 8 * HOUR, DAY, 3 * DAY, 9 * DAY, 731 * DAY, 731 * DAY + 1];
        let expires_at_ms = view.now + one_of(&mut self.random, &ends);
        let minutes = self.amount(view, payer);
        Kind::HoldPlaced(proto::HoldPlaced { payer: bytes(&payer), station: bytes(&station), minutes, expires_at_ms })
    }

    pub(crate) fn a_hold<'a>(&mut self, view: View<'a>) -> Option<(Place, &'a Hold)> {
        let (odd, last_moment) = (self.now_and_then(12), self.now_and_then(3));
        let last = |hold: &Hold| last_moment && !hold.ended && hold.expires_at == view.now;
        let last = self.any(view.ledger.holds.iter().filter(|(_, hold)| last(hold)));
        let found = last.or_else(|| self.any(view.ledger.holds.iter().filter(|(_, hold)| odd || !hold.ended)));
        found.map(|(at, hold)| (*at, hold))
    }

    fn hold_to_end(&mut self, view: View<'_>, run_out: bool) -> Option<proto::EventRef> {
        let over = |hold: &Hold| !run_out || hold.expires_at <= view.now;
        let (odd, lost) = (self.now_and_then(8), self.now_and_then(12));
        let found = self.any(view.ledger.holds.iter().filter(|(_, hold)| odd || (!hold.ended && over(hold))));
        let place = found.filter(|_| !lost).map_or_else(|| self.elsewhere(view), |(at, _)| *at);
        self.name(view, place)
    }

    fn a_region(&mut self, view: View<'_>) -> String {
        let known = self.any(view.ledger.regions.keys().cloned()).filter(|_| !self.now_and_then(12));
        known.unwrap_or_else(|| "nowhere".to_owned())
    }

    fn opening(&mut self, view: View<'_>) -> Kind {
        use AccountKind::{CommunityPool, DistrictPool, Group, Household, Issuance, Resident, Station};
        let kinds = [Resident, Resident, Household, Group, Station, CommunityPool, DistrictPool, Issuance];
        let mut kind = one_of(&mut self.random, &kinds);
        let overflow = !view.ledger.accounts.contains_key(&OVERFLOW) && self.now_and_then(10);
        let account = if overflow {
            kind = CommunityPool;
            OVERFLOW
        } else if self.now_and_then(8) {
            self.an_account(view)
        } else {
            self.opened = self.opened.saturating_add(1);
            [self.opened; 16]
        };
        let mut station = view.acting_for(KeyRole::Staff).unwrap_or_else(|| one_of(&mut self.random, &STATIONS));
        if self.now_and_then(10) {
            station = self.an_account(view);
        }
        let (placed, region) = (serves(kind) != self.now_and_then(12), self.a_region(view));
        let region = if serves(kind) == self.now_and_then(12) { region } else { String::new() };
        open(account, kind, &region, placed.then_some(station))
    }

    fn enrolment(&mut self, view: View<'_>) -> Kind {
        use KeyRole::{Operator, Resident, Service, Staff};
        let fresh: Vec<Id> = self.keys.keys().filter(|id| !view.ledger.keys.contains_key(*id)).copied().collect();
        let fresh = self.any(fresh.into_iter()).filter(|_| !self.now_and_then(8));
        let id = fresh.or_else(|| self.any(view.ledger.keys.keys().copied())).unwrap();
        let others = one_of(&mut self.random, &[Resident, Resident, Resident, Staff, Staff, Staff, Service]);
        let role = if self.now_and_then(12) { Operator } else { others };
        let wanted = |kind: AccountKind| match role {
            Resident => serves(kind),
            Staff | Operator | Service | KeyRole::Unspecified => kind == AccountKind::Station,
        };
        let (any, account) = (self.now_and_then(8), self.an_account(view));
        let fitting = view.ledger.accounts.iter().filter(|(_, account)| wanted(account.kind)).map(|(id, _)| *id);
        let account = if any { account } else { self.any(fitting).unwrap() };
        let own = self.an_account(view);
        let has_own = self.now_and_then(if role == Resident { 12 } else { 2 });
        let Kind::KeyEnrolled(mut enrolled) = enrol(&self.keys[&id], role, account, has_own.then_some(own)) else {
            unreachable!()
        };
        if matches!(role, Operator | Service) != self.now_and_then(12) {
            enrolled.account = bytes(&[]);
        }
        Kind::KeyEnrolled(enrolled)
    }

    fn revocation(&mut self, view: View<'_>) -> Kind {
        // Mostly those that came late: without its first staff a station would soon record nothing.
        let first: Vec<Id> = self.ids.range(..SPARE).map(|(_, id)| *id).collect();
        let late = self.any(view.ledger.keys.keys().filter(|id| !first.contains(*id)).copied());
        let operator =
            self.any(view.ledger.keys.iter().filter(|(_, key)| key.role == KeyRole::Operator).map(|key| *key.0));
        let own = self.any(view.signers.iter().copied());
        let any = self.any(view.ledger.keys.keys().copied());
        let key_id = match self.random.below(20) {
            0 => None,
            1 => any,
            2..11 => operator,
            11 => own,
            _ => late,
        };
        Kind::KeyRevoked(proto::KeyRevoked { key_id: bytes(&key_id.unwrap_or([252; 16])) })
    }

    fn region(&mut self, view: View<'_>) -> Kind {
        let code = if self.now_and_then(5) { self.a_region(view) } else { format!("r{}", self.random.below(1_000)) };
        let parent = if self.now_and_then(4) { String::new() } else { self.a_region(view) };
        Kind::RegionDefined(proto::RegionDefined { code, parent })
    }

    fn floor(&mut self, view: View<'_>) -> Kind {
        let floor_minutes =
            one_of(&mut self.random, &[0, 0, 0, -30, -60, -300, -300, -300, -1_000_000_000, -1_000_000_001, 1]);
        Kind::FloorSet(proto::FloorSet { account: bytes(&self.an_account(view)), floor_minutes })
    }

    pub(crate) fn reason(&mut self) -> i32 {
        i32::from(one_of(&mut self.random, &[CorrectionReason::EntryError, CorrectionReason::WrongParty]))
    }
}
