//! Recording service, correcting and reversing it.

use super::{
    account::{Account, AccountKind, Owed, RecordNote, Shortage},
    booking::Split,
    check::{Broken, Context, Verdict, check_amount, ensure, on},
    credit::{credited_minutes, served_ms},
    decision::{Change, Dated, Decision, Posting, Warning, WarningCode},
    event::{Event, Served, Service, ServiceCorrected, ServiceRecorded},
    facts::Facts,
    language::Text,
    policy::Policy,
    rejection::Rejection,
    served::{NEAR_DUPLICATE_MS, ServedTime},
    state::State,
    units::{AccountNumber, DAY_MS, EventRef, MINUTE_MS, Millis, Minutes},
};

/// The accounts of a service, found and fit for their parts.
#[derive(Clone, Copy)]
struct Parties {
    volunteer: (AccountNumber, Account),
    station: AccountNumber,
    payer: (AccountNumber, Account),
}

/// The accounts that a service names, as far as they are there.
#[derive(Clone, Copy)]
struct Found {
    volunteer: Option<(AccountNumber, Account)>,
    station: Option<AccountNumber>,
    payer: Option<(AccountNumber, Account)>,
}

impl Found {
    fn all(self) -> Option<Parties> {
        Some(Parties { volunteer: self.volunteer?, station: self.station?, payer: self.payer? })
    }
}

/// A record: where it stands, its newest version, and what went to a pool because of the cap.
struct LiveRecord<'a> {
    at: EventRef,
    latest: EventRef,
    service: &'a Service,
    overflow: Option<(AccountNumber, Minutes)>,
    owed: Option<Owed>,
    reversed: bool,
}

/// Net changes by account, in the order in which accounts come up.
#[derive(Default)]
struct Net(Vec<(AccountNumber, Minutes)>);

impl Net {
    fn add(&mut self, account: AccountNumber, minutes: Minutes) -> Result<(), Rejection> {
        match self.0.iter_mut().find(|row| row.0 == account) {
            Some(row) => row.1 = row.1.plus(minutes).ok_or(Rejection::BalanceOutOfRange)?,
            None => self.0.push((account, minutes)),
        }
        Ok(())
    }

    fn of(&self, account: AccountNumber) -> Minutes {
        self.0.iter().find(|row| row.0 == account).map_or(Minutes::ZERO, |row| row.1)
    }
}

impl State {
    pub(super) fn check_record(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        recorded: &ServiceRecorded,
        decision: &mut Decision,
    ) -> Verdict {
        let service = &recorded.service;
        let found = self.check_parties(context, &mut broken, service, recorded.hold.is_some());
        let hold = recorded.hold.and_then(|hold| self.check_settlement(context, &mut broken, hold, service, found));
        self.check_time_and_credit(context, &mut broken, service, found, None);
        let credited = service.credited;
        if let Some((_, payer)) = found.payer.filter(|_| recorded.hold.is_none()) {
            broken.ask(on("service.credited_minutes", Self::check_spend(&payer, credited)));
        }
        let split = found
            .volunteer
            .and_then(|(_, volunteer)| broken.ask(on("service.volunteer", self.split_at_cap(&volunteer, credited))));
        let (parties, split) = broken.finish(found.all().zip(split))?;
        let held = hold.map_or(Minutes::ZERO, |(_, minutes)| minutes.negated());
        decision.changes.extend(hold.map(|(at, _)| Change::EndHold(at)));
        decision.postings.push(Posting {
            account: parties.payer.0,
            minutes: credited.negated(),
            held,
            counterparty: Some(parties.volunteer.0),
        });
        Self::post_credit(decision, parties.volunteer.0, split, Some(parties.payer.0));
        if split.1.is_some() {
            let (noted_at, latest) = (context.index, context.at());
            let note = RecordNote { noted_at, latest, overflow: split.1, owed: None, reversed: false };
            decision.changes.push(Change::NoteRecord(context.at(), note));
        }
        self.warn_of_duplicate(context, service, &parties, decision);
        if let Served::OnDate { date, .. } = service.served {
            let mark = Dated { date, payer: parties.payer.0, record: context.at() };
            decision.changes.push(Change::MarkDated(parties.volunteer.0, Some(mark)));
        }
        Self::keep_times(context.at(), service, &parties, decision);
        Ok(())
    }

    pub(super) fn check_correction(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        corrected: &ServiceCorrected,
        decision: &mut Decision,
    ) -> Verdict {
        let service = &corrected.service;
        let found = self.check_parties(context, &mut broken, service, true);
        let record = self.live_record(context, &mut broken, corrected.record);
        let old = record.as_ref().and_then(|record| self.check_old_parties(context, &mut broken, record.service));
        let at = context.resolve(corrected.record);
        // There is nothing to be more than, or the same as, where it was taken back.
        if let Some((record, old)) = record.as_ref().filter(|record| !record.reversed).zip(old) {
            broken.unless(record.service != service, "service", || Rejection::CorrectionChangesNothing);
            if let Some(payer) = found.payer {
                let takes_more = payer.0 != old.payer.0 || service.credited > record.service.credited;
                let issued = service.payer.is_none();
                let permitted = issued || !takes_more || self.may_debit(context.signers, payer.0);
                let who = Text::new("the payer, who would pay more than before", "付出人，因为会比原来付出更多");
                broken.unless(permitted, "service.payer", || Rejection::NotPermitted { who });
            }
        }
        self.check_time_and_credit(context, &mut broken, service, found, Some(at));
        let ((record, old), parties) = broken.finish(record.zip(old).zip(found.all()))?;
        let (net, split) = self.check_change(service, &parties, &record, &old)?;
        self.post_correction(context, service, (&record, &old), &parties, (net, split), decision)
    }

    /// What a correction of a sound record changes in all, if the payer can pay what it takes more. The rules about balances
    /// come last of all.
    fn check_change(
        &self,
        service: &Service,
        parties: &Parties,
        record: &LiveRecord<'_>,
        old: &Parties,
    ) -> Verdict<(Net, Split)> {
        let mut broken = Broken::default();
        let mut net = on("service", Self::reversed(record, old))?;
        let receiver = on("service.volunteer", after(parties.volunteer, &net))?;
        let split = broken.ask(on("service.volunteer", self.split_at_cap(&receiver, service.credited)));
        on("service", net.add(parties.payer.0, service.credited.negated()))?;
        if let Some((kept, overflow)) = split {
            on("service", net.add(parties.volunteer.0, kept))?;
            overflow.map_or(Ok(()), |(pool, excess)| on("service", net.add(pool, excess)))?;
        }
        let payer_net = net.of(parties.payer.0);
        if payer_net.is_negative() {
            broken.ask(on("service.credited_minutes", Self::check_spend(&parties.payer.1, payer_net.negated())));
        }
        broken.finish(split.map(|split| (net, split)))
    }

    fn post_correction(
        &self,
        context: &Context<'_>,
        service: &Service,
        (record, old): (&LiveRecord<'_>, &Parties),
        parties: &Parties,
        (mut net, split): (Net, Split),
        decision: &mut Decision,
    ) -> Verdict {
        let owed = on("service", Self::give_back(record.owed, &mut net))?;
        let shortage = self.post_net(context, &net, old, Some(parties.payer.0), decision)?;
        self.forget_times(record.at, record.service, old, decision);
        Self::keep_times(record.at, service, parties, decision);
        let (noted_at, latest, owed) = (context.index, context.at(), add_owed(owed, shortage));
        let note = RecordNote { noted_at, latest, overflow: split.1, owed, reversed: false };
        decision.changes.push(Change::NoteRecord(record.at, note));
        Ok(())
    }

    pub(super) fn check_reversal(
        &self,
        context: &Context<'_>,
        mut broken: Broken,
        record: EventRef,
        decision: &mut Decision,
    ) -> Verdict {
        let record = self.live_record(context, &mut broken, record);
        let old = record.as_ref().and_then(|record| self.check_old_parties(context, &mut broken, record.service));
        let (record, old) = broken.finish(record.zip(old))?;
        let net = on("record", Self::reversed(&record, &old))?;
        self.post_net(context, &net, &old, None, decision)?;
        self.forget_times(record.at, record.service, &old, decision);
        let (noted_at, latest) = (context.index, record.latest);
        let note = RecordNote { noted_at, latest, overflow: None, owed: None, reversed: true };
        decision.changes.push(Change::NoteRecord(record.at, note));
        Ok(())
    }

    /// The service's own values, who signs, and the accounts it names, as far as they are there. `payer_agreed`: a hold, or
    /// an earlier version, stands for the payer's consent and is looked at elsewhere.
    fn check_parties(
        &self,
        context: &Context<'_>,
        broken: &mut Broken,
        service: &Service,
        payer_agreed: bool,
    ) -> Found {
        check_values(broken, service);
        let signers = context.signers;
        let staff = self.account_number(service.station).is_some_and(|station| signers.staff_of(station));
        let who = Text::new("staff of the station, or an operator", "服务站的工作人员或管理员");
        broken.unless(staff || signers.operator(), "service.station", || Rejection::NotPermitted { who });
        let imported_ok = !service.imported || signers.operator();
        let who = Text::new("an operator, for imported history", "管理员，因为是导入的历史记录");
        broken.unless(imported_ok, "service.imported", || Rejection::NotPermitted { who });
        let volunteer = broken.ask(self.named("service.volunteer", service.volunteer));
        if let Some((number, account)) = volunteer {
            broken.ask(on("service.volunteer", signers.refuse_self_dealing(number)));
            let expected = Text::new("a resident, household or group", "居民、家庭或团体");
            let mismatch = || Rejection::AccountKindMismatch { account: service.volunteer, expected };
            broken.unless(account.kind.serves(), "service.volunteer", mismatch);
        }
        let station = broken.ask(self.station("service.station", service.station)).map(|station| station.0);
        let payer = match service.payer {
            Some(id) => broken.ask(self.named("service.payer", id)),
            None => self.issuance(),
        };
        if let Some((number, account)) = payer.filter(|_| service.payer.is_some()) {
            let expected = Text::new(
                "a resident, household or pool; issuance is meant where no payer is named",
                "居民、家庭或公共池；不写付出人即由发行账户付出",
            );
            let pays = account.kind.is_personal() || account.kind.is_pool();
            broken.unless(pays, "service.payer", || Rejection::AccountKindMismatch { account: account.id, expected });
            let permitted = payer_agreed || self.may_debit(signers, number);
            let who = Text::new(
                "the payer, a hold that they placed with the station, or for a pool its staff",
                "付出人、付出人在该服务站的预约，公共池则由其工作人员",
            );
            broken.unless(permitted, "service.payer", || Rejection::NotPermitted { who });
        }
        Found { volunteer, station, payer }
    }

    /// The account that the genesis opens first of all.
    fn issuance(&self) -> Option<(AccountNumber, Account)> {
        let number = AccountNumber(0);
        self.account(number).map(|account| (number, account))
    }

    /// The parties of an earlier version, and whether the signers may take it back. What was recorded once names accounts
    /// that are there.
    fn check_old_parties(&self, context: &Context<'_>, broken: &mut Broken, service: &Service) -> Option<Parties> {
        let (station, _) = broken.ask(self.station("record", service.station))?;
        let volunteer = broken.ask(self.named("record", service.volunteer))?;
        let payer = match service.payer {
            Some(id) => broken.ask(self.named("record", id))?,
            None => self.issuance()?,
        };
        let permitted = context.signers.staff_of(station) || context.signers.operator();
        let who =
            Text::new("staff of the station that recorded, or an operator", "登记该记录的服务站的工作人员，或管理员");
        broken.unless(permitted, "record", || Rejection::NotPermitted { who });
        broken.ask(on("record", context.signers.refuse_self_dealing(payer.0)));
        Some(Parties { volunteer, station, payer })
    }

    /// What became of a record, at hand or put away.
    fn note<'a>(&'a self, record: EventRef, facts: &'a Facts) -> Option<&'a RecordNote> {
        self.records().get(&record).or_else(|| facts.note(record))
    }

    /// The event that holds a record's newest version: its own, if nothing corrected it.
    pub(super) fn latest_version(&self, record: EventRef, facts: &Facts) -> EventRef {
        self.note(record, facts).map_or(record, |note| note.latest)
    }

    /// A record, which must not be reversed.
    fn live_record<'a>(&self, context: &Context<'a>, broken: &mut Broken, record: EventRef) -> Option<LiveRecord<'a>> {
        let at = context.resolve(record);
        let note = self.note(at, context.facts);
        // Whoever made the facts has asked for what `Sheet::asked_notes` names.
        let is_asked = self.notes_put_away == 0 || at.index == context.index || context.facts.note_is_asked(at);
        assert!(note.is_some() || is_asked, "a record is looked for among the older ones");
        let is_record = matches!(context.event_at(at), Some(Event::ServiceRecorded(_)));
        let latest = note.map_or(at, |note| note.latest);
        let newest = context.event_at(latest).filter(|_| is_record);
        let service = newest.and_then(Event::service).ok_or(("record", Rejection::RecordUnknown { record: at }));
        let service = broken.ask(service)?;
        let reversed = note.is_some_and(|note| note.reversed);
        broken.unless(!reversed, "record", || Rejection::RecordReversed { record: at });
        let (overflow, owed) = (note.and_then(|note| note.overflow), note.and_then(|note| note.owed));
        Some(LiveRecord { at, latest, service, overflow, owed, reversed })
    }

    /// The hold that a record settles, and what it reserves.
    fn check_settlement(
        &self,
        context: &Context<'_>,
        broken: &mut Broken,
        hold: EventRef,
        service: &Service,
        found: Found,
    ) -> Option<(EventRef, Minutes)> {
        let (at, open) = broken.ask(self.open_hold(context, hold))?;
        if let Some((payer, station)) = found.payer.zip(found.station) {
            let own = open.payer == payer.0 && open.station == station;
            broken.unless(own, "hold", || Rejection::HoldOfOthers { hold: at });
        }
        let (runs, expires_at) = (context.now < open.expires_at, open.expires_at);
        broken.unless(runs, "hold", || Rejection::HoldRunOut { hold: at, expires_at });
        let (credited, held) = (service.credited, open.minutes);
        let fits = credited <= held;
        broken.unless(fits, "service.credited_minutes", || Rejection::HoldTooSmall { credited, held });
        Some((at, held))
    }

    /// Time limits, credit, and the rule that nobody is in two places. `except`: the record that is being corrected.
    fn check_time_and_credit(
        &self,
        context: &Context<'_>,
        broken: &mut Broken,
        service: &Service,
        found: Found,
        except: Option<EventRef>,
    ) {
        // A correction is judged by what was in force when the service was recorded first.
        let policy = self.policy_at(except.map_or(context.index, |record| record.index));
        broken.ask(check_age(policy, context.now, service, except.is_some()));
        // Where no time is stated nobody can say what it is worth.
        if !is_stated(&service.served) {
            return;
        }
        broken.ask(check_credit(policy, service));
        let Some((volunteer, account)) = found.volunteer else { return };
        if account.kind == AccountKind::Group {
            return;
        }
        // A record of centuries would be looked at day by day.
        if broken.ask(check_length(policy, service)).is_none() {
            return;
        }
        let near = self.times.near(volunteer, service, context.facts);
        let near = near.filter(|time| Some(time.record) != except);
        let Some(payer) = found.payer else { return };
        let time = ServedTime::of(context.at(), service, payer.0);
        broken.ask(on("service", check_days(policy, &time, &near)));
        broken.ask(on("service.interval", check_overlap(&time, near)));
    }

    fn warn_of_duplicate(&self, context: &Context<'_>, service: &Service, parties: &Parties, decision: &mut Decision) {
        let volunteer = parties.volunteer.0;
        if service.imported || parties.volunteer.1.kind == AccountKind::Group {
            return;
        }
        let similar = match service.served {
            Served::OnDate { date, .. } => {
                let same = |mark: &&Dated| mark.date == date && mark.payer == parties.payer.0;
                self.times.dated(volunteer).filter(same).map(|mark| mark.record)
            }
            Served::Interval { start, .. } => {
                let near = self.times.near(volunteer, service, context.facts).filter_map(|time| {
                    let other = interval(&time)?.0;
                    let is_near = other.0.abs_diff(start.0) <= NEAR_DUPLICATE_MS.unsigned_abs();
                    let same = time.payer == parties.payer.0 && time.credited != service.credited;
                    (is_near && same).then_some((other, time.record))
                });
                near.min().map(|(_, record)| record)
            }
        };
        decision.warnings.extend(similar.map(|similar| Warning { code: WarningCode::NearDuplicate, similar }));
    }

    /// What taking a record back changes: the payer gets everything, volunteer and pool give what they got.
    fn reversed(record: &LiveRecord<'_>, old: &Parties) -> Result<Net, Rejection> {
        let credited = record.service.credited;
        let overflow = record.overflow.map_or(Minutes::ZERO, |(_, minutes)| minutes);
        let kept = credited.minus(overflow).ok_or(Rejection::BalanceOutOfRange)?;
        let mut net = Net::default();
        net.add(old.payer.0, credited)?;
        net.add(old.volunteer.0, kept.negated())?;
        if let Some((pool, minutes)) = record.overflow {
            net.add(pool, minutes.negated())?;
        }
        Ok(net)
    }

    /// What the volunteer would get goes to the station first, as far as it gave for this very record in their stead.
    /// What is still owed then comes back.
    fn give_back(owed: Option<Owed>, net: &mut Net) -> Result<Option<Owed>, Rejection> {
        let Some(mut owed) = owed else { return Ok(None) };
        let back = net.of(owed.volunteer).min(owed.minutes);
        if back.is_positive() {
            net.add(owed.volunteer, back.negated())?;
            net.add(owed.station, back)?;
            owed.minutes = owed.minutes.minus(back).ok_or(Rejection::BalanceOutOfRange)?;
        }
        Ok(Some(owed).filter(|owed| owed.minutes.is_positive()))
    }

    /// Posts net changes. What an account must give back but has spent, the recording station owes: a shortage, which
    /// its floor doesn't bind. `spender` has been checked to cover its part. What the station gives in the volunteer's stead
    /// comes back.
    fn post_net(
        &self,
        context: &Context<'_>,
        net: &Net,
        old: &Parties,
        spender: Option<AccountNumber>,
        decision: &mut Decision,
    ) -> Verdict<Option<Owed>> {
        let mut owed = None;
        let counterparty = |number: AccountNumber| if number == old.payer.0 { old.volunteer.0 } else { old.payer.0 };
        for &(number, minutes) in net.0.iter().filter(|row| row.1 != Minutes::ZERO) {
            let other = Some(counterparty(number)).filter(|other| *other != number);
            let account = self.account(number).filter(|_| minutes.is_negative() && Some(number) != spender);
            // Issuance has no limit; everybody else gives at most what isn't reserved.
            let Some(account) = account.filter(|account| account.floor.is_some()) else {
                decision.post(number, minutes, other);
                continue;
            };
            let free = account.balance.minus(account.held).filter(|free| free.is_positive()).unwrap_or(Minutes::ZERO);
            let taken = free.min(minutes.negated());
            let shortage = minutes.plus(taken).ok_or(("record", Rejection::BalanceOutOfRange))?;
            if taken.is_positive() {
                decision.post(number, taken.negated(), other);
            }
            if shortage.is_negative() {
                decision.post(old.station, shortage, Some(number));
                let (station, minutes) = (old.station, shortage.negated());
                let event = context.at();
                decision.changes.push(Change::AddShortage(Shortage { event, station, volunteer: number, minutes }));
                if number == old.volunteer.0 {
                    owed = Some(Owed { station, volunteer: number, minutes });
                }
            }
        }
        Ok(owed)
    }

    fn keep_times(record: EventRef, service: &Service, parties: &Parties, decision: &mut Decision) {
        Self::times(record, service, parties, false, decision);
    }

    fn forget_times(&self, record: EventRef, service: &Service, parties: &Parties, decision: &mut Decision) {
        Self::times(record, service, parties, true, decision);
        let volunteer = parties.volunteer.0;
        if self.times.dated(volunteer).is_some_and(|mark| mark.record == record) {
            decision.changes.push(Change::MarkDated(volunteer, None));
        }
    }

    /// Adds or removes what the overlap rule and the day limit look at. Groups are exempt from both.
    fn times(record: EventRef, service: &Service, parties: &Parties, remove: bool, decision: &mut Decision) {
        let volunteer = parties.volunteer.0;
        if parties.volunteer.1.kind == AccountKind::Group {
            return;
        }
        let time = ServedTime::of(record, service, parties.payer.0);
        let change = if remove { Change::RemoveTime } else { Change::AddTime };
        decision.changes.push(change(volunteer, time));
    }
}

/// Whether a service says how long it was.
pub(super) fn is_stated(served: &Served) -> bool {
    match served {
        Served::Interval { start, end } => start < end,
        Served::OnDate { minutes, .. } => check_amount(*minutes).is_ok(),
    }
}

/// What a service says of itself, whoever signs it and whatever else is there.
pub(super) fn check_values(broken: &mut Broken, service: &Service) {
    broken.ask(on("service.credited_minutes", check_amount(service.credited)));
    match service.served {
        Served::Interval { start, end } => {
            let utc_offset_seconds = service.utc_offset_seconds;
            let empty = || Rejection::IntervalEmpty { start, end, utc_offset_seconds };
            broken.unless(is_stated(&service.served), "service.interval.end_ms", empty);
        }
        Served::OnDate { minutes, .. } => {
            broken.ask(on("service.on_date.minutes", check_amount(minutes)));
        }
    }
    broken.unless(service.payer != Some(service.volunteer), "service.payer", || Rejection::SameAccount);
}

/// It is over, and not too long ago for a first record.
pub(super) fn check_age(policy: &Policy, now: Millis, service: &Service, correction: bool) -> Verdict {
    let offset_ms = i64::from(service.utc_offset_seconds).saturating_mul(1_000);
    let (field, end) = match service.served {
        Served::Interval { end, .. } => ("service.interval.end_ms", end),
        // A date stands for its first moment: it has begun once that has, and is too old once that is.
        Served::OnDate { date, .. } => {
            let first = i64::from(date).saturating_mul(DAY_MS).saturating_sub(offset_ms);
            ("service.on_date.date", Millis(first))
        }
    };
    let (served, utc_offset_seconds, days_max) = (service.served, service.utc_offset_seconds, policy.age_days_max);
    ensure(end <= now, field, || Rejection::ServiceInFuture { served, utc_offset_seconds, now })?;
    let oldest = now.0.saturating_sub(i64::from(days_max).saturating_mul(DAY_MS));
    let exempt = correction || service.imported;
    ensure(exempt || end.0 >= oldest, field, || Rejection::ServiceTooOld { served, utc_offset_seconds, days_max })
}

/// The credit is what the time served gives.
pub(super) fn check_credit(policy: &Policy, service: &Service) -> Verdict {
    let computed = credited_minutes(policy, &service.category, &service.served, service.rounding);
    let (claimed, computed) = (service.credited, on("service.rounding", computed)?);
    let mismatch = || Rejection::CreditMismatch { claimed, computed };
    ensure(claimed == computed, "service.credited_minutes", mismatch)
}

/// The limit of one record. Groups have none.
pub(super) fn check_length(policy: &Policy, service: &Service) -> Verdict {
    let (minutes, max) = (minutes_up(served_ms(&service.served)), policy.record_max);
    ensure(minutes <= max, "service", || Rejection::RecordTooLong { minutes, max })
}

/// The day limit, each local day that the service touches on its own.
fn check_days(
    policy: &Policy,
    time: &ServedTime,
    near: &(impl Iterator<Item = ServedTime> + Clone),
) -> Result<(), Rejection> {
    let max = policy.day_max;
    for day in time.days() {
        let served = near.clone().fold(time.share_of(day), |sum, other| sum.saturating_add(other.share_of(day)));
        let minutes = minutes_up(served);
        if minutes > max {
            let day = i32::try_from(day).unwrap_or(i32::MAX);
            return Err(Rejection::DayLimitExceeded { minutes, day, max });
        }
    }
    Ok(())
}

/// First moment and moment after the last, of a time that has them.
const fn interval(time: &ServedTime) -> Option<(Millis, Millis)> {
    match time.served {
        Served::Interval { start, end } => Some((start, end)),
        Served::OnDate { .. } => None,
    }
}

/// Nobody is in two places. The last of those that are in the way is named.
fn check_overlap(time: &ServedTime, near: impl Iterator<Item = ServedTime>) -> Result<(), Rejection> {
    let Some((start, end)) = interval(time) else { return Ok(()) };
    let others = near.filter_map(|other| Some((interval(&other)?, other.record)));
    let overlapping = others.filter(|((other_start, other_end), _)| *other_start < end && start < *other_end);
    overlapping.max().map_or(Ok(()), |(_, record)| Err(Rejection::ServiceOverlaps { record }))
}

/// What is owed of one record after a correction. One volunteer's at a time: the newer one's, if they differ.
fn add_owed(before: Option<Owed>, more: Option<Owed>) -> Option<Owed> {
    match (before, more) {
        (Some(before), Some(more)) if (before.station, before.volunteer) == (more.station, more.volunteer) => {
            before.minutes.plus(more.minutes).map(|minutes| Owed { minutes, ..more })
        }
        (before, more) => more.or(before),
    }
}

/// An account as it would stand after net changes.
fn after((number, account): (AccountNumber, Account), net: &Net) -> Result<Account, Rejection> {
    let balance = account.balance.plus(net.of(number)).ok_or(Rejection::BalanceOutOfRange)?;
    Ok(Account { balance, ..account })
}

/// Milliseconds as minutes, a begun one counted whole.
fn minutes_up(served_ms: i64) -> Minutes {
    Minutes::new(served_ms.saturating_add(MINUTE_MS.saturating_sub(1)).div_euclid(MINUTE_MS))
}
