//! The rules that need nothing but the event itself, a policy and the time: what can be told before anything is signed,
//! where no ledger is in reach.

use super::{
    booking::check_hold_end,
    check::{Verdict, check_amount, ensure, on},
    event::{Event, Service},
    policy::Policy,
    rejection::{Refusal, Rejection},
    service::{check_age, check_credit, check_length, check_values},
    units::Millis,
};

/// The first rule that events break by themselves, in the order of [`Rejection`]. A ledger may refuse more: whoever signs,
/// balances, and what else is there are looked at only by it. It may refuse less in one point: groups have no limit of one
/// record, and nothing here tells a group.
///
/// # Errors
/// The rule, by event and field, as the ledger itself would give it.
pub fn check_alone(policy: &Policy, events: &[Event], now: Millis) -> Result<(), Refusal> {
    for (number, event) in (0..).zip(events) {
        check(policy, event, now)
            .map_err(|(field, rejection)| Refusal::event(number, format!("{}.{field}", event.name()), rejection))?;
    }
    Ok(())
}

fn check(policy: &Policy, event: &Event, now: Millis) -> Verdict {
    match event {
        Event::ServiceRecorded(recorded) => check_service(policy, &recorded.service, now, false),
        Event::ServiceCorrected(corrected) => check_service(policy, &corrected.service, now, true),
        Event::MinutesTransferred { from, to, minutes } => {
            on("minutes", check_amount(*minutes))?;
            ensure(from != to, "to", || Rejection::SameAccount)
        }
        Event::HoldPlaced { minutes, expires_at, .. } => {
            on("minutes", check_amount(*minutes))?;
            check_hold_end(now, *expires_at)
        }
        Event::LedgerCreated(_)
        | Event::KeyEnrolled(_)
        | Event::KeyRevoked { .. }
        | Event::RegionDefined { .. }
        | Event::AccountOpened(_)
        | Event::FloorSet { .. }
        | Event::ServiceReversed { .. }
        | Event::HoldReleased { .. }
        | Event::HoldExpired { .. } => Ok(()),
    }
}

fn check_service(policy: &Policy, service: &Service, now: Millis, correction: bool) -> Verdict {
    check_values(service)?;
    check_age(policy, now, service, correction)?;
    check_credit(policy, service)?;
    check_length(policy, service)
}
