//! The rules that need nothing but the event itself, a policy and the time: what can be told before anything is signed,
//! where no ledger is in reach.

use super::{
    booking::check_hold_end,
    check::{Broken, Verdict, check_amount, ensure, on},
    event::Event,
    policy::Policy,
    refusal::Refusal,
    rejection::Rejection,
    service::{check_age, check_credit, check_length, check_values, is_stated},
    units::{EventRef, LogIndex, Millis},
};

/// The first rule that events break by themselves, in the order of [`Rejection`]. A ledger may refuse more: whoever signs,
/// balances, and what else is there are looked at only by it. It may refuse less in one point: groups have no limit of one
/// record, and nothing here tells a group.
///
/// # Errors
/// The rule, by event and field, as the ledger itself would give it.
pub fn check_alone(policy: &Policy, events: &[Event], now: Millis) -> Result<(), Refusal> {
    for (number, event) in (0..).zip(events) {
        let before = events.get(..usize::from(number)).unwrap_or_default();
        check(policy, before, event, now)
            .map_err(|(field, rejection)| Refusal::event(number, format!("{}.{field}", event.name()), rejection))?;
    }
    Ok(())
}

/// `before`: the events of the same sheet that come before it.
fn check(policy: &Policy, before: &[Event], event: &Event, now: Millis) -> Verdict {
    let mut broken = Broken::default();
    if let Some(service) = event.service() {
        check_values(&mut broken, service);
        broken.ask(check_age(policy, now, service, event.record().is_some()));
        if is_stated(&service.served) {
            broken.ask(check_credit(policy, service));
            broken.ask(check_length(policy, service));
        }
    }
    event.reserves_or_gives().map(|minutes| broken.ask(on("minutes", check_amount(minutes))));
    event.record().map(|record| broken.ask(check_own_record(before, record)));
    event.hold().map(|hold| broken.ask(check_own_hold(before, hold)));
    if let Event::MinutesTransferred { from, to, .. } = event {
        broken.unless(from != to, "to", || Rejection::SameAccount);
    }
    if let Event::HoldPlaced { expires_at, .. } = event {
        broken.ask(check_hold_end(now, *expires_at));
    }
    broken.verdict()
}

/// A place within the same sheet, which only an event before it can have.
fn is_own_or_elsewhere(before: &[Event], at: EventRef, fits: fn(&Event) -> bool) -> bool {
    at.index != LogIndex(0) || before.get(usize::from(at.event)).is_some_and(fits)
}

fn check_own_record(before: &[Event], record: EventRef) -> Verdict {
    let is_known = is_own_or_elsewhere(before, record, |event| matches!(event, Event::ServiceRecorded(_)));
    ensure(is_known, "record", || Rejection::RecordUnknown { record })
}

fn check_own_hold(before: &[Event], hold: EventRef) -> Verdict {
    let is_known = is_own_or_elsewhere(before, hold, |event| matches!(event, Event::HoldPlaced { .. }));
    ensure(is_known, "hold", || Rejection::HoldUnknown { hold })
}
