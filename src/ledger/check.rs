//! Decides one event: which rules it breaks, or what it does. The dispatch, and the rules of enrolment.

use super::{
    account::{Account, AccountKind, Key, KeyRole, Region},
    authority::Signers,
    decision::{Change, Decision},
    event::{AccountOpened, Event, KeyEnrolled, LedgerCreated},
    facts::Facts,
    language::Text,
    rejection::Rejection,
    sheet::Sheet,
    state::State,
    units::{AccountId, AccountNumber, Code, EventRef, KeyId, LogIndex, Millis, Minutes},
};

/// Most minutes that one event may move: 1,900 years. 2^63 of them need 9 x 10^9 events, more than a ledger holds, so
/// that a balance never comes near the end of 64 bits.
pub(super) const MINUTES_MAX: Minutes = Minutes::new(1_000_000_000);

/// Most regions of a ledger: China has 3,000 counties and 40,000 townships; a ledger serves a city with its streets and
/// communities, and the list of regions is one answer.
const REGIONS_MAX: usize = 10_000;

/// Accepted, or the field and the rule that it breaks.
pub(super) type Verdict<T = ()> = Result<T, (&'static str, Rejection)>;

/// What an event is judged in.
pub(super) struct Context<'a> {
    events: &'a [Event],
    /// Its number in the sheet.
    pub(super) event: u16,
    /// The index its sheet will have.
    pub(super) index: LogIndex,
    /// The time its sheet will be recorded at.
    pub(super) now: Millis,
    /// Who signed.
    pub(super) signers: Signers<'a>,
    /// What the state doesn't hold.
    pub(super) facts: &'a Facts,
    /// Events of the sheet that a trial has refused: they are not there.
    refused: &'a [u16],
}

impl<'a> Context<'a> {
    pub(super) fn new(
        sheet: &'a Sheet,
        number: usize,
        size: u64,
        now: Millis,
        signers: &'a [Key],
        (facts, refused): (&'a Facts, &'a [u16]),
    ) -> Self {
        let event = u16::try_from(number).unwrap_or(u16::MAX);
        Self { events: &sheet.events, event, index: LogIndex(size), now, signers: Signers(signers), facts, refused }
    }

    /// The event that is judged.
    #[allow(clippy::indexing_slicing, reason = "the number was taken from this very list")]
    pub(super) fn this(&self) -> &'a Event {
        &self.events[usize::from(self.event)]
    }

    /// Where the event will stand.
    pub(super) const fn at(&self) -> EventRef {
        EventRef { index: self.index, event: self.event }
    }

    /// A reference with its own sheet's index filled in.
    pub(super) fn resolve(&self, at: EventRef) -> EventRef {
        if at.index == LogIndex(0) { EventRef { index: self.index, event: at.event } } else { at }
    }

    /// The event at a resolved place: earlier in this sheet, or among the facts.
    pub(super) fn event_at(&self, at: EventRef) -> Option<&'a Event> {
        if at.index == self.index {
            let there = at.event < self.event && !self.refused.contains(&at.event);
            self.events.get(usize::from(at.event)).filter(|_| there)
        } else {
            self.facts.get(at)
        }
    }
}

/// The amount of an event: at least 1, at most [`MINUTES_MAX`].
pub(super) fn check_amount(minutes: Minutes) -> Result<(), Rejection> {
    if !minutes.is_positive() {
        return Err(Rejection::MinutesNotPositive { minutes });
    }
    if minutes > MINUTES_MAX { Err(Rejection::MinutesTooLarge { minutes, max: MINUTES_MAX }) } else { Ok(()) }
}

/// Puts the name of a field to a rejection.
pub(super) fn on<T>(field: &'static str, result: Result<T, Rejection>) -> Verdict<T> {
    result.map_err(|rejection| (field, rejection))
}

/// Refuses unless.
pub(super) fn ensure(holds: bool, field: &'static str, rejection: impl FnOnce() -> Rejection) -> Verdict {
    if holds { Ok(()) } else { Err((field, rejection())) }
}

impl State {
    /// Decides what an event does, into an empty `decision`, or which rule it breaks.
    pub(super) fn check(&self, context: &Context<'_>, decision: &mut Decision) -> Verdict {
        let service_only = context.signers.0.iter().all(|key| key.role == KeyRole::Service);
        let may_anything = !service_only || matches!(context.this(), Event::HoldExpired { .. });
        let signers = Text::new(
            "an operator, staff or resident; the service key may only let holds expire",
            "管理员、工作人员或居民；服务密钥只能让预约过期",
        );
        ensure(may_anything, "", || Rejection::NotPermitted { who: signers })?;
        match context.this() {
            Event::LedgerCreated(created) => self.check_genesis(created, decision),
            Event::KeyEnrolled(enrolled) => self.check_enrolment(context, enrolled, decision),
            Event::KeyRevoked { key_id } => self.check_revocation(context, *key_id, decision),
            Event::RegionDefined { code, parent } => self.check_region(context, code, parent.as_ref(), decision),
            Event::AccountOpened(opened) => self.check_account(context, opened, decision),
            Event::FloorSet { account, floor } => self.check_floor(context, *account, *floor, decision),
            Event::ServiceRecorded(recorded) => self.check_record(context, recorded, decision),
            Event::ServiceCorrected(corrected) => self.check_correction(context, corrected, decision),
            Event::ServiceReversed { record, .. } => self.check_reversal(context, *record, decision),
            Event::MinutesTransferred { from, to, minutes } => {
                self.check_transfer(context, *from, *to, *minutes, decision)
            }
            Event::HoldPlaced { payer, station, minutes, expires_at } => {
                self.check_hold(context, (*payer, *station), *minutes, *expires_at, decision)
            }
            Event::HoldReleased { hold } => self.check_release(context, *hold, false, decision),
            Event::HoldExpired { hold } => self.check_release(context, *hold, true, decision),
        }
    }

    /// An account that an event names.
    pub(super) fn named(&self, field: &'static str, id: AccountId) -> Verdict<(AccountNumber, &Account)> {
        let found = self.account_number(id).and_then(|number| Some((number, self.account(number)?)));
        found.ok_or((field, Rejection::AccountUnknown { account: id }))
    }

    /// A station that an event names.
    pub(super) fn station(&self, field: &'static str, id: AccountId) -> Verdict<(AccountNumber, &Account)> {
        let (number, account) = self.named(field, id)?;
        let mismatch = || Rejection::AccountKindMismatch { account: id, expected: Text::new("a station", "服务站") };
        ensure(account.kind == AccountKind::Station, field, mismatch)?;
        Ok((number, account))
    }

    fn check_genesis(&self, created: &LedgerCreated, decision: &mut Decision) -> Verdict {
        ensure(self.size == 0, "", || Rejection::LedgerExists)?;
        let invalid = |expected: Text| Rejection::FieldInvalid { expected };
        ensure(created.origin == self.origin, "origin", || {
            invalid(Text::new("the origin of the header", "表头里的账本标识"))
        })?;
        if let Some((field, expected)) = created.policy.fault() {
            return Err((field, invalid(expected)));
        }
        let operators = created.operator_keys.iter().map(|&(id, public_key)| (id, public_key, KeyRole::Operator));
        let service = std::iter::once((created.service_key.0, created.service_key.1, KeyRole::Service));
        let all: Vec<_> = operators.chain(service).collect();
        let mut distinct: Vec<_> = all.iter().map(|key| key.1).chain([created.ledger_key]).collect();
        distinct.sort_unstable();
        let repeated = distinct.windows(2).any(|pair| pair.first() == pair.last());
        ensure(!repeated, "operator_keys", || {
            invalid(Text::new(
                "keys that all differ, the ledger and service key among them",
                "互不相同的密钥，包括账本密钥和服务密钥",
            ))
        })?;
        let issuance = Account {
            id: created.issuance,
            kind: AccountKind::Issuance,
            region: None,
            station: None,
            balance: Minutes::ZERO,
            held: Minutes::ZERO,
            floor: None,
        };
        decision.changes.push(Change::OpenAccount(issuance));
        let key =
            |(id, public_key, role)| Key { id, public_key, role, account: None, own_account: None, revoked: false };
        decision.changes.extend(all.into_iter().map(|parts| Change::EnrolKey(key(parts))));
        Ok(())
    }

    fn check_enrolment(&self, context: &Context<'_>, enrolled: &KeyEnrolled, decision: &mut Decision) -> Verdict {
        let invalid = |expected: Text| Rejection::FieldInvalid { expected };
        ensure(enrolled.role != KeyRole::Service, "role", || {
            invalid(Text::new("OPERATOR, STAFF or RESIDENT", "OPERATOR、STAFF 或 RESIDENT"))
        })?;
        let needs_account = matches!(enrolled.role, KeyRole::Staff | KeyRole::Resident);
        ensure(needs_account == enrolled.account.is_some(), "account", || {
            invalid(Text::new(
                "the station of staff, the account of a resident, nothing for an operator",
                "工作人员写服务站，居民写账户，管理员不写",
            ))
        })?;
        let own_allowed = enrolled.own_account.is_none() || enrolled.role != KeyRole::Resident;
        ensure(own_allowed, "own_account", || {
            invalid(Text::new("nothing for a resident: `account` is theirs", "居民不写：`account` 就是本人的"))
        })?;
        let organiser =
            context.signers.operator() || (enrolled.role == KeyRole::Resident && context.signers.organiser());
        let who = Text::new(
            "an operator; for a resident's key, staff of the station that serves the account",
            "管理员；居民的密钥也可由服务该账户的服务站工作人员",
        );
        ensure(organiser, "role", || Rejection::NotPermitted { who })?;
        let account = match (enrolled.role, enrolled.account) {
            (KeyRole::Staff, Some(id)) => Some(self.station("account", id)?.0),
            (KeyRole::Resident, Some(id)) => Some(self.enrolled_account(context, id)?),
            (KeyRole::Staff | KeyRole::Resident | KeyRole::Operator | KeyRole::Service, _) => None,
        };
        let own_account = enrolled.own_account.map(|id| self.named("own_account", id)).transpose()?.map(|own| own.0);
        let key_id = enrolled.key_id;
        ensure(self.key(key_id).is_none(), "public_key", || Rejection::KeyExists { key_id })?;
        let (public_key, role) = (enrolled.public_key, enrolled.role);
        decision.changes.push(Change::EnrolKey(Key {
            id: key_id,
            public_key,
            role,
            account,
            own_account,
            revoked: false,
        }));
        Ok(())
    }

    /// The account a resident's key is for: a resident's, household's or group's, served by a signer's station.
    fn enrolled_account(&self, context: &Context<'_>, id: AccountId) -> Verdict<AccountNumber> {
        let (number, account) = self.named("account", id)?;
        let expected = Text::new("a resident, household or group", "居民、家庭或团体");
        ensure(account.kind.serves(), "account", || Rejection::AccountKindMismatch { account: id, expected })?;
        let staff = account.station.is_some_and(|station| context.signers.staff_of(station));
        let who = Text::new(
            "an operator, or staff of the station that serves the account",
            "管理员，或服务该账户的服务站工作人员",
        );
        ensure(staff || context.signers.operator(), "account", || Rejection::NotPermitted { who })?;
        Ok(number)
    }

    fn check_revocation(&self, context: &Context<'_>, key_id: KeyId, decision: &mut Decision) -> Verdict {
        let signers = context.signers;
        let who = Text::new(
            "an operator, the key itself, or staff of the station for a resident's key",
            "管理员或密钥自己；居民的密钥也可由其服务站的工作人员",
        );
        let permitted = signers.organiser() || signers.includes(key_id);
        ensure(permitted, "key_id", || Rejection::NotPermitted { who })?;
        let key = self.key(key_id).ok_or(("key_id", Rejection::RevokedKeyUnknown { key_id }))?;
        let station = key.account.and_then(|account| self.account(account)?.station);
        let staff = key.role == KeyRole::Resident && station.is_some_and(|station| signers.staff_of(station));
        let permitted = signers.operator() || signers.includes(key_id) || staff;
        ensure(permitted, "key_id", || Rejection::NotPermitted { who })?;
        ensure(!key.revoked, "key_id", || Rejection::KeyAlreadyRevoked { key_id })?;
        let last = key.role == KeyRole::Operator && self.operators_in_force == 1;
        ensure(!last, "key_id", || Rejection::LastOperatorKey)?;
        decision.changes.push(Change::RevokeKey(key_id));
        Ok(())
    }

    fn check_region(
        &self,
        context: &Context<'_>,
        code: &Code,
        parent: Option<&Code>,
        decision: &mut Decision,
    ) -> Verdict {
        ensure(context.signers.operator(), "", || Rejection::NotPermitted {
            who: Text::new("an operator", "管理员")
        })?;
        let parent = parent.map(|parent| self.region("parent", parent)).transpose()?;
        ensure(!self.region_numbers.contains_key(code), "code", || Rejection::RegionExists)?;
        let room = self.regions.len() < REGIONS_MAX;
        ensure(room, "code", || Rejection::TooManyRegions { max: REGIONS_MAX })?;
        decision.changes.push(Change::DefineRegion(Region { code: code.clone(), parent }));
        Ok(())
    }

    fn region(&self, field: &'static str, code: &Code) -> Verdict<u32> {
        self.region_numbers.get(code).copied().ok_or((field, Rejection::RegionUnknown))
    }

    fn check_account(&self, context: &Context<'_>, opened: &AccountOpened, decision: &mut Decision) -> Verdict {
        let invalid = |expected: Text| Rejection::FieldInvalid { expected };
        let serves = opened.kind.serves();
        ensure(opened.kind != AccountKind::Issuance, "kind", || {
            invalid(Text::new("any kind but ISSUANCE", "ISSUANCE 以外的类别"))
        })?;
        let region_expected =
            Text::new("a region for stations and pools, none for others", "服务站和公共池写区域，其他不写");
        ensure(opened.region.is_some() != serves, "region", || invalid(region_expected))?;
        let station_expected = Text::new(
            "a station for residents, households and groups, none for others",
            "居民、家庭和团体写服务站，其他不写",
        );
        ensure(opened.station.is_some() == serves, "station", || invalid(station_expected))?;
        let who = Text::new(
            "an operator; for residents, households and groups, staff of their station",
            "管理员；居民、家庭和团体也可由其服务站的工作人员",
        );
        let permitted = context.signers.operator() || (serves && context.signers.organiser());
        ensure(permitted, "kind", || Rejection::NotPermitted { who })?;
        let station = opened.station.map(|id| self.station("station", id)).transpose()?.map(|station| station.0);
        let staff = station.is_some_and(|station| context.signers.staff_of(station));
        ensure(staff || context.signers.operator(), "station", || Rejection::NotPermitted { who })?;
        let region = opened.region.as_ref().map(|code| self.region("region", code)).transpose()?;
        let (id, kind) = (opened.account, opened.kind);
        ensure(self.account_number(id).is_none(), "account", || Rejection::AccountExists { account: id })?;
        let floor = if serves { self.policy.floor } else { Minutes::ZERO };
        let (balance, held) = (Minutes::ZERO, Minutes::ZERO);
        decision.changes.push(Change::OpenAccount(Account {
            id,
            kind,
            region,
            station,
            balance,
            held,
            floor: Some(floor),
        }));
        Ok(())
    }

    fn check_floor(
        &self,
        context: &Context<'_>,
        account: AccountId,
        floor: Minutes,
        decision: &mut Decision,
    ) -> Verdict {
        let in_range = !floor.is_positive() && floor >= MINUTES_MAX.negated();
        ensure(in_range, "floor_minutes", || Rejection::FieldInvalid {
            expected: Text::new("0 or negative, at least -1,000,000,000", "0 或负数，不小于 -1,000,000,000"),
        })?;
        ensure(context.signers.operator(), "", || Rejection::NotPermitted {
            who: Text::new("an operator", "管理员")
        })?;
        let (number, found) = self.named("account", account)?;
        let expected =
            Text::new("any account but issuance, which has no floor", "发行账户以外的账户，发行账户没有下限");
        let mismatch = || Rejection::AccountKindMismatch { account, expected };
        ensure(found.floor.is_some(), "account", mismatch)?;
        on("account", context.signers.refuse_self_dealing(number))?;
        decision.changes.push(Change::SetFloor(number, floor));
        Ok(())
    }
}
