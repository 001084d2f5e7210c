//! The rules for what there is: the genesis, keys, regions, accounts and their floors.

use super::{
    account::{Account, AccountKind, Key, KeyRole, Region},
    check::{Broken, Context, MINUTES_MAX, Verdict, ensure, on},
    decision::{Change, Decision},
    event::{AccountOpened, KeyEnrolled, LedgerCreated},
    language::Text,
    rejection::Rejection,
    state::State,
    units::{AccountId, AccountNumber, Code, KeyId, Minutes},
};

/// Most regions of a ledger: China has 3,000 counties and 40,000 townships; a ledger serves a city with its streets and
/// communities, and the list of regions is one answer.
const REGIONS_MAX: usize = 10_000;

const OPERATOR: Text = Text::new("an operator", "管理员");

const fn invalid(expected: Text) -> Rejection {
    Rejection::FieldInvalid { expected }
}

impl State {
    pub(super) fn check_genesis(
        &self,
        mut broken: Broken,
        created: &LedgerCreated,
        decision: &mut Decision,
    ) -> Verdict {
        broken.unless(self.size == 0, "", || Rejection::LedgerExists);
        let origin = Text::new("the origin of the header", "表头里的账本标识");
        broken.unless(created.origin == self.origin, "origin", || invalid(origin));
        if let Some((field, expected)) = created.policy.fault() {
            broken.unless(false, field, || invalid(expected));
        }
        let operators = created.operator_keys.iter().map(|&(id, public_key)| (id, public_key, KeyRole::Operator));
        let service = std::iter::once((created.service_key.0, created.service_key.1, KeyRole::Service));
        let all: Vec<_> = operators.chain(service).collect();
        let mut distinct: Vec<_> = all.iter().map(|key| key.1).chain([created.ledger_key]).collect();
        distinct.sort_unstable();
        let repeated = distinct.windows(2).any(|pair| pair.first() == pair.last());
        let differ = Text::new(
            "keys that all differ, the ledger and service key among them",
            "互不相同的密钥，包括账本密钥和服务密钥",
        );
        broken.unless(!repeated, "operator_keys", || invalid(differ));
        broken.finish(Some(()))?;
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

    pub(super) fn check_enrolment(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        enrolled: &KeyEnrolled,
        decision: &mut Decision,
    ) -> Verdict {
        let role_expected = Text::new("OPERATOR, STAFF or RESIDENT", "OPERATOR、STAFF 或 RESIDENT");
        broken.unless(enrolled.role != KeyRole::Service, "role", || invalid(role_expected));
        let needs_account = matches!(enrolled.role, KeyRole::Staff | KeyRole::Resident);
        let account_expected = Text::new(
            "the station of staff, the account of a resident, nothing for an operator",
            "工作人员写服务站，居民写账户，管理员不写",
        );
        broken.unless(needs_account == enrolled.account.is_some(), "account", || invalid(account_expected));
        let own_allowed = enrolled.own_account.is_none() || enrolled.role != KeyRole::Resident;
        let own_expected = Text::new("nothing for a resident: `account` is theirs", "居民不写：`account` 就是本人的");
        broken.unless(own_allowed, "own_account", || invalid(own_expected));
        let organiser =
            context.signers.operator() || (enrolled.role == KeyRole::Resident && context.signers.organiser());
        let who = Text::new(
            "an operator; for a resident's key, staff of the station that serves the account",
            "管理员；居民的密钥也可由服务该账户的服务站工作人员",
        );
        broken.unless(organiser, "role", || Rejection::NotPermitted { who });
        let account = match (enrolled.role, enrolled.account) {
            (KeyRole::Staff, Some(id)) => broken.ask(self.station("account", id)).map(|station| station.0),
            (KeyRole::Resident, Some(id)) => self.enrolled_account(context, &mut broken, id),
            (KeyRole::Staff | KeyRole::Resident | KeyRole::Operator | KeyRole::Service, _) => None,
        };
        let own_account = enrolled.own_account.and_then(|id| broken.ask(self.named("own_account", id)));
        let key_id = enrolled.key_id;
        broken.unless(self.key(key_id).is_none(), "public_key", || Rejection::KeyExists { key_id });
        broken.finish(Some(()))?;
        decision.changes.push(Change::EnrolKey(Key {
            id: key_id,
            public_key: enrolled.public_key,
            role: enrolled.role,
            account,
            own_account: own_account.map(|own| own.0),
            revoked: false,
        }));
        Ok(())
    }

    /// The account a resident's key is for: a resident's, household's or group's, served by a signer's station.
    fn enrolled_account(&self, context: &Context<'_>, broken: &mut Broken, id: AccountId) -> Option<AccountNumber> {
        let (number, account) = broken.ask(self.named("account", id))?;
        let expected = Text::new("a resident, household or group", "居民、家庭或团体");
        broken.unless(account.kind.serves(), "account", || Rejection::AccountKindMismatch { account: id, expected });
        let staff = account.station.is_some_and(|station| context.signers.staff_of(station));
        let who = Text::new(
            "an operator, or staff of the station that serves the account",
            "管理员，或服务该账户的服务站工作人员",
        );
        broken.unless(staff || context.signers.operator(), "account", || Rejection::NotPermitted { who });
        Some(number)
    }

    /// Each rule comes in its order here, and what isn't there breaks none of those after it.
    pub(super) fn check_revocation(
        &self,
        context: &Context<'_>,
        broken: Broken,
        key_id: KeyId,
        decision: &mut Decision,
    ) -> Verdict {
        broken.finish(Some(()))?;
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

    /// Each rule comes in its order here.
    pub(super) fn check_region(
        &self,
        context: &Context<'_>,
        broken: Broken,
        (code, parent): (&Code, Option<&Code>),
        decision: &mut Decision,
    ) -> Verdict {
        broken.finish(Some(()))?;
        ensure(context.signers.operator(), "", || Rejection::NotPermitted { who: OPERATOR })?;
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

    pub(super) fn check_account(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        opened: &AccountOpened,
        decision: &mut Decision,
    ) -> Verdict {
        let (id, kind, serves) = (opened.account, opened.kind, opened.kind.serves());
        let kind_expected = Text::new("any kind but ISSUANCE", "ISSUANCE 以外的类别");
        broken.unless(kind != AccountKind::Issuance, "kind", || invalid(kind_expected));
        let region_expected =
            Text::new("a region for stations and pools, none for others", "服务站和公共池写区域，其他不写");
        broken.unless(opened.region.is_some() != serves, "region", || invalid(region_expected));
        let station_expected = Text::new(
            "a station for residents, households and groups, none for others",
            "居民、家庭和团体写服务站，其他不写",
        );
        broken.unless(opened.station.is_some() == serves, "station", || invalid(station_expected));
        let who = Text::new(
            "an operator; for residents, households and groups, staff of their station",
            "管理员；居民、家庭和团体也可由其服务站的工作人员",
        );
        let permitted = context.signers.operator() || (serves && context.signers.organiser());
        broken.unless(permitted, "kind", || Rejection::NotPermitted { who });
        let station = opened.station.and_then(|id| broken.ask(self.named("station", id))).map(|station| station.0);
        let staff = station.is_none_or(|station| context.signers.staff_of(station));
        broken.unless(staff || context.signers.operator(), "station", || Rejection::NotPermitted { who });
        if let Some(id) = opened.station.filter(|_| station.is_some()) {
            broken.ask(self.station("station", id));
        }
        let region = opened.region.as_ref().and_then(|code| broken.ask(self.region("region", code)));
        broken.unless(self.account_number(id).is_none(), "account", || Rejection::AccountExists { account: id });
        broken.finish(Some(()))?;
        let floor = Some(if serves { self.policy.floor } else { Minutes::ZERO });
        let (balance, held) = (Minutes::ZERO, Minutes::ZERO);
        decision.changes.push(Change::OpenAccount(Account { id, kind, region, station, balance, held, floor }));
        Ok(())
    }

    pub(super) fn check_floor(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        (account, floor): (AccountId, Minutes),
        decision: &mut Decision,
    ) -> Verdict {
        let in_range = !floor.is_positive() && floor >= MINUTES_MAX.negated();
        let range = Text::new("0 or negative, at least -1,000,000,000", "0 或负数，不小于 -1,000,000,000");
        broken.unless(in_range, "floor_minutes", || invalid(range));
        broken.unless(context.signers.operator(), "", || Rejection::NotPermitted { who: OPERATOR });
        let found = broken.ask(self.named("account", account));
        if let Some((number, found)) = found {
            let expected =
                Text::new("any account but issuance, which has no floor", "发行账户以外的账户，发行账户没有下限");
            let mismatch = || Rejection::AccountKindMismatch { account, expected };
            broken.unless(found.floor.is_some(), "account", mismatch);
            broken.ask(on("account", context.signers.refuse_self_dealing(number)));
        }
        let (number, _) = broken.finish(found)?;
        decision.changes.push(Change::SetFloor(number, floor));
        Ok(())
    }
}
