//! Giving minutes and reserving them.

use super::{
    account::{Account, AccountKind, Hold},
    check::{Broken, Context, Verdict, check_amount, ensure, on},
    decision::{Change, Decision},
    event::Event,
    language::Text,
    rejection::Rejection,
    state::State,
    units::{AccountId, AccountNumber, DAY_MS, EventRef, Millis, Minutes},
};

/// Longest hold, in days: two years. A booking further ahead is made again; a forgotten one must not bind minutes for
/// good.
const HOLD_DAYS_MAX: u32 = 731;

/// A credit split at the cap: what the receiver keeps, and what goes to which pool.
pub(super) type Split = (Minutes, Option<(AccountNumber, Minutes)>);

/// A hold ends later than now, and not too far ahead.
pub(super) fn check_hold_end(now: Millis, expires_at: Millis) -> Verdict {
    let latest = now.0.saturating_add(i64::from(HOLD_DAYS_MAX).saturating_mul(DAY_MS));
    let in_range = expires_at > now && expires_at.0 <= latest;
    let out_of_range = || Rejection::HoldEndOutOfRange { expires_at, days_max: HOLD_DAYS_MAX };
    ensure(in_range, "expires_at_ms", out_of_range)
}

impl State {
    /// Every spend checks this and nothing else: available = balance - held - floor must cover it.
    pub(super) fn check_spend(account: &Account, minutes: Minutes) -> Result<(), Rejection> {
        match account.available() {
            Some(available) if available < minutes => Err(Rejection::BalanceBelowFloor { needed: minutes, available }),
            Some(_) => Ok(()),
            None => account.balance.minus(minutes).map(|_| ()).ok_or(Rejection::BalanceOutOfRange),
        }
    }

    /// What a credit does to the account that receives it: all of it stays, or the part up to the cap, and the excess
    /// goes to the policy's pool.
    pub(super) fn split_at_cap(&self, receiver: &Account, credit: Minutes) -> Result<Split, Rejection> {
        let after = receiver.balance.plus(credit).ok_or(Rejection::BalanceOutOfRange)?;
        let Some((cap, pool)) = self.policy().cap.filter(|(cap, _)| receiver.kind.is_personal() && after > *cap) else {
            return Ok((credit, None));
        };
        let room = cap.minus(receiver.balance).filter(|room| room.is_positive()).unwrap_or(Minutes::ZERO);
        let excess = credit.minus(room).ok_or(Rejection::BalanceOutOfRange)?;
        let open_pool = |number: &AccountNumber| self.account(*number).is_some_and(|account| account.kind.is_pool());
        let pool = self.account_number(pool).filter(open_pool).ok_or(Rejection::OverflowPoolUnknown)?;
        Ok((room, Some((pool, excess))))
    }

    pub(super) fn check_transfer(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        (from, to): (AccountId, AccountId),
        minutes: Minutes,
        decision: &mut Decision,
    ) -> Verdict {
        broken.ask(on("minutes", check_amount(minutes)));
        broken.unless(from != to, "to", || Rejection::SameAccount);
        let giver = broken.ask(self.debited(context, "from", from));
        let receiver = broken.ask(self.named("to", to));
        if let Some((number, receiver)) = receiver {
            broken.ask(on("to", context.signers.refuse_self_dealing(number)));
            let expected =
                Text::new("any account but issuance, which only gives", "发行账户以外的账户，发行账户只付出");
            let issuance = receiver.kind == AccountKind::Issuance;
            broken.unless(!issuance, "to", || Rejection::AccountKindMismatch { account: to, expected });
        }
        if let Some(((_, giver), (_, receiver))) = giver.zip(receiver) {
            let group_to_pool = giver.kind != AccountKind::Group || receiver.kind.is_pool();
            broken.unless(group_to_pool, "to", || Rejection::GroupGivesOnlyToPools);
        }
        giver.map(|(_, giver)| broken.ask(on("minutes", Self::check_spend(&giver, minutes))));
        let split = receiver.and_then(|(_, receiver)| broken.ask(on("to", self.split_at_cap(&receiver, minutes))));
        let (((giver, _), (receiver, _)), split) = broken.finish(giver.zip(receiver).zip(split))?;
        decision.post(giver, minutes.negated(), Some(receiver));
        Self::post_credit(decision, receiver, split, Some(giver));
        Ok(())
    }

    /// Posts a credit that was split at the cap.
    pub(super) fn post_credit(
        decision: &mut Decision,
        receiver: AccountNumber,
        (kept, overflow): Split,
        giver: Option<AccountNumber>,
    ) {
        if kept.is_positive() {
            decision.post(receiver, kept, giver);
        }
        if let Some((pool, excess)) = overflow {
            decision.post(pool, excess, Some(receiver));
        }
    }

    /// An account that the signers may take minutes from. Permission before existence: who may not touch an account doesn't
    /// learn whether there is one.
    fn debited(&self, context: &Context<'_>, field: &'static str, id: AccountId) -> Verdict<(AccountNumber, Account)> {
        let who = Text::new(
            "the account's owner; for a group or station its staff; for pools and issuance an operator",
            "账户的主人；团体或服务站由其工作人员；公共池和发行账户由管理员",
        );
        let refused = || (field, Rejection::NotPermitted { who });
        match self.named(field, id) {
            Ok((number, account)) if self.may_debit(context.signers, number) => Ok((number, account)),
            Err(unknown) if context.signers.organiser() => Err(unknown),
            Ok(_) | Err(_) => Err(refused()),
        }
    }

    pub(super) fn check_hold(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        (payer_id, station_id): (AccountId, AccountId),
        (minutes, expires_at): (Minutes, Millis),
        decision: &mut Decision,
    ) -> Verdict {
        broken.ask(on("minutes", check_amount(minutes)));
        let payer = broken.ask(self.debited(context, "payer", payer_id));
        if let Some((_, payer)) = payer {
            let expected = Text::new("a resident, household or pool", "居民、家庭或公共池");
            let books = payer.kind.is_personal() || payer.kind.is_pool();
            broken.unless(books, "payer", || Rejection::AccountKindMismatch { account: payer_id, expected });
            broken.ask(on("minutes", Self::check_spend(&payer, minutes)));
        }
        let station = broken.ask(self.station("station", station_id));
        broken.ask(check_hold_end(context.now, expires_at));
        let ((payer, _), (station, _)) = broken.finish(payer.zip(station))?;
        decision.hold(payer, minutes, Some(station));
        decision.changes.push(Change::OpenHold(context.at(), Hold { payer, station, minutes, expires_at }));
        Ok(())
    }

    /// An open hold, or why there is none: it ended, or never was.
    pub(super) fn open_hold(&self, context: &Context<'_>, hold: EventRef) -> Verdict<(EventRef, Hold)> {
        let at = context.resolve(hold);
        match (self.holds().get(at), context.event_at(at)) {
            (Some(open), _) => Ok((at, *open)),
            (None, Some(Event::HoldPlaced { .. })) => Err(("hold", Rejection::HoldEnded { hold: at })),
            (None, _) => Err(("hold", Rejection::HoldUnknown { hold: at })),
        }
    }

    /// Payer and station of a hold, open or ended.
    fn parties_of_hold(&self, context: &Context<'_>, hold: EventRef) -> Option<(AccountNumber, AccountNumber)> {
        let at = context.resolve(hold);
        if let Some(open) = self.holds().get(at) {
            return Some((open.payer, open.station));
        }
        let Some(Event::HoldPlaced { payer, station, .. }) = context.event_at(at) else { return None };
        self.account_number(*payer).zip(self.account_number(*station))
    }

    /// The end of a hold without service: released, or expired, which the service key may sign too, but not before its
    /// time. Never fails on floor or cap: it only sets minutes free.
    pub(super) fn check_release(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        hold: EventRef,
        decision: &mut Decision,
    ) -> Verdict {
        let expires = matches!(context.this(), Event::HoldExpired { .. });
        let signers = context.signers;
        if let Some((payer, station)) = self.parties_of_hold(context, hold) {
            let by_payer = self.may_debit(signers, payer);
            let by_service_key = expires && signers.service();
            let permitted = by_service_key || signers.operator() || signers.staff_of(station) || by_payer;
            let who = Text::new("the payer, staff of the station, or an operator", "付出人、服务站的工作人员或管理员");
            broken.unless(permitted, "hold", || Rejection::NotPermitted { who });
        }
        let open = broken.ask(self.open_hold(context, hold));
        if let Some((hold, open)) = open.filter(|(_, open)| expires && context.now < open.expires_at) {
            broken.unless(false, "hold", || Rejection::HoldStillRuns { hold, expires_at: open.expires_at });
        }
        let (at, open) = broken.finish(open)?;
        decision.hold(open.payer, open.minutes.negated(), Some(open.station));
        decision.changes.push(Change::EndHold(at));
        Ok(())
    }
}
