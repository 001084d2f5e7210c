//! Decides one event: which rules it breaks, or what it does. What all rules share, and the dispatch.

use super::{
    account::{Account, AccountKind, Key, KeyRole},
    authority::Signers,
    decision::Decision,
    event::Event,
    facts::Facts,
    language::Text,
    rejection::Rejection,
    sheet::Sheet,
    state::State,
    units::{AccountId, AccountNumber, EventRef, LogIndex, Millis, Minutes},
};

/// Most minutes that one event may move: 1,900 years. 2^63 of them need 9 x 10^9 events, more than a ledger holds, so
/// that a balance never comes near the end of 64 bits.
pub(super) const MINUTES_MAX: Minutes = Minutes::new(1_000_000_000);

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
        at.named_in(self.index)
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

/// Refuses an event for what doesn't hold.
pub(super) fn ensure(holds: bool, field: &'static str, rejection: impl FnOnce() -> Rejection) -> Verdict {
    if holds { Ok(()) } else { Err((field, rejection())) }
}

/// The rules that one event breaks. All are asked that can be, whatever the order in which the state is looked at, and the
/// first in the order of [`Rejection`] is told.
#[derive(Default)]
pub(super) struct Broken(Option<(&'static str, Rejection)>);

impl Broken {
    /// Asks one more rule, and gives what it found where it isn't broken.
    pub(super) fn ask<T>(&mut self, verdict: Verdict<T>) -> Option<T> {
        match verdict {
            Ok(found) => Some(found),
            Err((field, rejection)) => {
                if self.0.as_ref().is_none_or(|(_, first)| rejection.rank() < first.rank()) {
                    self.0 = Some((field, rejection));
                }
                None
            }
        }
    }

    /// Asks one more rule that finds nothing.
    pub(super) fn unless(&mut self, holds: bool, field: &'static str, rejection: impl FnOnce() -> Rejection) {
        self.ask(ensure(holds, field, rejection));
    }

    /// The first rule that is broken, if any is.
    pub(super) fn verdict(self) -> Verdict {
        self.0.map_or(Ok(()), Err)
    }

    /// What the rules have found, or the first that is broken.
    #[allow(clippy::expect_used, reason = "what isn't found is told by the rule that looks for it; else we must stop")]
    pub(super) fn finish<T>(self, found: Option<T>) -> Verdict<T> {
        self.verdict().map(|()| found.expect("what is looked for is found where no rule is broken"))
    }
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
        let mut broken = Broken::default();
        broken.unless(may_anything, "", || Rejection::NotPermitted { who: signers });
        match context.this() {
            Event::LedgerCreated(created) => self.check_genesis(broken, created, decision),
            Event::KeyEnrolled(enrolled) => self.check_enrolment(context, broken, enrolled, decision),
            Event::KeyRevoked { key_id } => self.check_revocation(context, broken, *key_id, decision),
            Event::RegionDefined { code, parent } => {
                self.check_region(context, broken, (code, parent.as_ref()), decision)
            }
            Event::AccountOpened(opened) => self.check_account(context, broken, opened, decision),
            Event::FloorSet { account, floor } => self.check_floor(context, broken, (*account, *floor), decision),
            Event::ServiceRecorded(recorded) => self.check_record(context, broken, recorded, decision),
            Event::ServiceCorrected(corrected) => self.check_correction(context, broken, corrected, decision),
            Event::ServiceReversed { record, .. } => self.check_reversal(context, broken, *record, decision),
            Event::MinutesTransferred { from, to, minutes } => {
                self.check_transfer(context, broken, (*from, *to), *minutes, decision)
            }
            Event::HoldPlaced { payer, station, minutes, expires_at } => {
                self.check_hold(context, broken, (*payer, *station), (*minutes, *expires_at), decision)
            }
            Event::HoldReleased { hold } | Event::HoldExpired { hold } => {
                self.check_release(context, broken, *hold, decision)
            }
        }
    }

    /// An account that an event names.
    pub(super) fn named(&self, field: &'static str, id: AccountId) -> Verdict<(AccountNumber, Account)> {
        let found = self.account_number(id).and_then(|number| Some((number, self.account(number)?)));
        found.ok_or((field, Rejection::AccountUnknown { account: id }))
    }

    /// A station that an event names.
    pub(super) fn station(&self, field: &'static str, id: AccountId) -> Verdict<(AccountNumber, Account)> {
        let (number, account) = self.named(field, id)?;
        check_station(field, &account)?;
        Ok((number, account))
    }
}

/// An account that must be a station.
pub(super) fn check_station(field: &'static str, account: &Account) -> Verdict {
    let expected = Text::new("a station", "服务站");
    let mismatch = || Rejection::AccountKindMismatch { account: account.id, expected };
    ensure(account.kind == AccountKind::Station, field, mismatch)
}
