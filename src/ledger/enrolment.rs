//! The rules for what there is: the genesis, keys, regions, accounts and their floors.

use super::{
    account::{AccountIdentity, AccountKind, Key, KeyRole, Region},
    check::{Broken, Context, Verdict, check_station, ensure, on},
    decision::{Change, Decision},
    event::{AccountOpened, KeyEnrolled, LedgerCreated},
    language::Text,
    rejection::Rejection,
    state::State,
    units::{AccountId, AccountNumber, Code, KeyId, LogIndex, Minutes},
};

/// Most regions of a ledger: China has 3,000 counties and 40,000 townships; a ledger serves a city with its streets and
/// communities, and the list of regions is one answer.
const REGIONS_MAX: usize = 10_000;

const OPERATOR: Text = Text::new("an operator", "管理员");

impl State {
    pub(super) fn check_genesis(
        &self,
        mut broken: Broken,
        created: &LedgerCreated,
        decision: &mut Decision,
    ) -> Verdict {
        broken.unless(self.size() == 0, "", || Rejection::LedgerExists);
        broken.verdict()?;
        let operators = created.operator_keys.iter().map(|&(id, public_key)| (id, public_key, KeyRole::Operator));
        let service = (created.service_key.0, created.service_key.1, KeyRole::Service);
        let (id, kind) = (created.issuance, AccountKind::Issuance);
        let issuance = AccountIdentity { id, kind, region: None, station: None, floor: None };
        decision.changes.push(Change::SetPolicy(LogIndex(0), Box::new(created.policy.clone())));
        decision.changes.push(Change::OpenAccount(issuance));
        let key =
            |(id, public_key, role)| Key { id, public_key, role, account: None, own_account: None, revoked: false };
        decision.changes.extend(operators.chain([service]).map(|parts| Change::EnrolKey(key(parts))));
        Ok(())
    }

    pub(super) fn check_enrolment(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        enrolled: &KeyEnrolled,
        decision: &mut Decision,
    ) -> Verdict {
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
        broken.verdict()?;
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
        broken.verdict()?;
        let signers = context.signers;
        let who = Text::new(
            "an operator, the key itself, or staff of the station for a resident's key",
            "管理员或密钥自己；居民的密钥也可由其服务站的工作人员",
        );
        let permitted = signers.organiser() || signers.includes(key_id);
        ensure(permitted, "key_id", || Rejection::NotPermitted { who })?;
        let key = self.key(key_id).ok_or(("key_id", Rejection::RevokedKeyUnknown { key_id }))?;
        let station = key.account.and_then(|account| self.identity(account)?.station);
        let staff = key.role == KeyRole::Resident && station.is_some_and(|station| signers.staff_of(station));
        let permitted = signers.operator() || signers.includes(key_id) || staff;
        ensure(permitted, "key_id", || Rejection::NotPermitted { who })?;
        ensure(!key.revoked, "key_id", || Rejection::KeyAlreadyRevoked { key_id })?;
        let last = key.role == KeyRole::Operator && self.keys().operators_in_force() == 1;
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
        broken.verdict()?;
        ensure(context.signers.operator(), "", || Rejection::NotPermitted { who: OPERATOR })?;
        let parent = parent.map(|parent| self.named_region("parent", parent)).transpose()?;
        ensure(self.region_number(code).is_none(), "code", || Rejection::RegionExists)?;
        let room = usize::try_from(self.regions().len()).is_ok_and(|regions| regions < REGIONS_MAX);
        ensure(room, "code", || Rejection::TooManyRegions { max: REGIONS_MAX })?;
        decision.changes.push(Change::DefineRegion(Region { code: code.clone(), parent }));
        Ok(())
    }

    fn named_region(&self, field: &'static str, code: &Code) -> Verdict<u32> {
        self.region_number(code).ok_or((field, Rejection::RegionUnknown))
    }

    pub(super) fn check_account(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        opened: &AccountOpened,
        decision: &mut Decision,
    ) -> Verdict {
        let (id, kind, serves) = (opened.account, opened.kind, opened.kind.serves());
        let who = Text::new(
            "an operator; for residents, households and groups, staff of their station",
            "管理员；居民、家庭和团体也可由其服务站的工作人员",
        );
        let permitted = context.signers.operator() || (serves && context.signers.organiser());
        broken.unless(permitted, "kind", || Rejection::NotPermitted { who });
        let station = opened.station.and_then(|id| broken.ask(self.named("station", id)));
        if let Some((number, account)) = station {
            let permitted = context.signers.staff_of(number) || context.signers.operator();
            broken.unless(permitted, "station", || Rejection::NotPermitted { who });
            broken.ask(check_station("station", &account));
        }
        let station = station.map(|station| station.0);
        let region = opened.region.as_ref().and_then(|code| broken.ask(self.named_region("region", code)));
        broken.unless(self.account_number(id).is_none(), "account", || Rejection::AccountExists { account: id });
        broken.verdict()?;
        let floor = Some(if serves { self.policy().floor } else { Minutes::ZERO });
        decision.changes.push(Change::OpenAccount(AccountIdentity { id, kind, region, station, floor }));
        Ok(())
    }

    pub(super) fn check_floor(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        (account, floor): (AccountId, Minutes),
        decision: &mut Decision,
    ) -> Verdict {
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
