//! Of two rules that a sheet breaks the one that is declared first is reported: for every kind of event, every pair of
//! rules that can be broken together.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at the first surprise"
)]

mod breakage;
mod draft;
mod enrolment;
mod minutes;
mod reach;
mod service;
#[path = "../support/mod.rs"]
mod support;
mod world;

use std::collections::BTreeSet;

use breakage::{Breakage, Level};
use draft::{Draft, Twist};
use prost::Message;
use support::{ALICE, BOB, bytes, transfer};
use timebank::{format::proto, ledger::Rejection};
use world::World;

/// A kind of event as it would be accepted, and what breaks it: every rule that can be, in one way or several.
pub(crate) struct Case {
    name: &'static str,
    draft: Draft,
    breakages: Vec<Breakage>,
    /// What hides an earlier rule: the later and the earlier one's codes and ways, and why.
    hidden: &'static [Hidden],
}

/// The later rule, the earlier one that can't be asked then, and why.
pub(crate) struct Hidden {
    later: &'static str,
    earlier: (&'static str, &'static str),
    why: &'static str,
}

fn rank(breakage: &Breakage) -> (Level, usize) {
    let place = Rejection::CODES.iter().position(|code| *code == breakage.code);
    (breakage.level, place.expect("a code of the list"))
}

fn broken(case: &Case, breakages: &[&Breakage]) -> Draft {
    let mut draft = case.draft.clone();
    for breakage in breakages {
        (breakage.apply)(&mut draft);
    }
    draft
}

fn code_of(world: &mut World, draft: &Draft) -> &'static str {
    world.verdict(draft).map_or_else(|refusal| refusal.rejection.code(), |()| "accepted")
}

/// Breaks every rule alone, and with every other that takes other parts, so that their order doesn't matter. Gives how many
/// pairs there were; all that surprises is told at once.
fn try_pairs(world: &mut World, case: &Case) -> usize {
    let mut surprises = Vec::new();
    for breakage in &case.breakages {
        let found = code_of(world, &broken(case, &[breakage]));
        if found != breakage.code {
            surprises.push(format!("{}: {} alone gives {found}", case.name, breakage.told()));
        }
    }
    let (mut pairs, mut used) = (0, BTreeSet::new());
    for (number, one) in case.breakages.iter().enumerate() {
        for other in case.breakages[..number].iter().filter(|other| one.goes_with(other)) {
            pairs += 1;
            let (earlier, later) = if rank(one) <= rank(other) { (one, other) } else { (other, one) };
            let hides = |hidden: &Hidden| hidden.later == later.code && hidden.earlier == (earlier.code, earlier.how);
            let hidden = case.hidden.iter().position(hides);
            used.extend(hidden);
            let expected = if hidden.is_some() { later.code } else { earlier.code };
            let draft = broken(case, &[one, other]);
            assert!(draft.is(&broken(case, &[other, one])), "{} and {} in any order", one.told(), other.told());
            let found = code_of(world, &draft);
            if found != expected {
                let both = format!("{} and {}", earlier.told(), later.told());
                surprises.push(format!("{}: {both} give {found}, not {expected}", case.name));
            }
        }
    }
    for (number, hidden) in case.hidden.iter().enumerate() {
        if !used.contains(&number) {
            surprises.push(format!("{}: {} hides nothing: {}", case.name, hidden.later, hidden.why));
        }
    }
    assert!(surprises.is_empty(), "{} surprises\n{}", surprises.len(), surprises.join("\n"));
    pairs
}

fn check(make: fn(&World) -> Case, pairs: usize) {
    let mut world = World::new();
    let case = make(&world);
    let tried = try_pairs(&mut world, &case);
    world.verdict(&case.draft).unwrap_or_else(|refusal| panic!("{} as it should be: {refusal}", case.name));
    assert_eq!(tried, pairs, "pairs of {}", case.name);
}

macro_rules! cases {
    ($($test:ident: $make:path, $pairs:literal;)*) => {
        $(#[test]
        fn $test() {
            check($make, $pairs);
        })*

        /// All cases, for what is asked of them together.
        const CASES: &[fn(&World) -> Case] = &[$($make,)*];
    };
}

cases! {
    of_two_rules_that_a_genesis_breaks_the_first_is_told: enrolment::genesis, 634;
    of_two_rules_that_a_residents_key_breaks_the_first_is_told: enrolment::residents_key, 717;
    of_two_rules_that_a_staff_key_breaks_the_first_is_told: enrolment::staff_key, 690;
    of_two_rules_that_a_revocation_breaks_the_first_is_told: enrolment::revocation, 511;
    of_two_rules_that_a_region_breaks_the_first_is_told: enrolment::region, 489;
    of_two_rules_that_a_residents_account_breaks_the_first_is_told: enrolment::residents_account, 653;
    of_two_rules_that_a_station_breaks_the_first_is_told: enrolment::station, 585;
    of_two_rules_that_a_floor_breaks_the_first_is_told: enrolment::floor, 538;
    of_two_rules_that_a_record_breaks_the_first_is_told: service::record, 2_193;
    of_two_rules_that_a_settling_record_breaks_the_first_is_told: service::settling_record, 2_071;
    of_two_rules_that_a_correction_breaks_the_first_is_told: service::correction, 2_227;
    of_two_rules_that_a_reversal_breaks_the_first_is_told: service::reversal, 593;
    of_two_rules_that_a_transfer_breaks_the_first_is_told: minutes::transfer, 873;
    of_two_rules_that_a_hold_breaks_the_first_is_told: minutes::hold, 814;
    of_two_rules_that_a_release_breaks_the_first_is_told: minutes::release, 511;
    of_two_rules_that_an_expiry_breaks_the_first_is_told: minutes::expiry, 508;
}

/// Events are looked at one after another, first their bytes and then the rules: the first that is refused is told, though a
/// later one breaks an earlier rule.
#[test]
fn of_two_events_the_first_that_is_refused_is_told() {
    let mut world = World::new();
    let mut draft = minutes::transfer(&world).draft;
    let mut told = |twists: &[Twist], second: Vec<u8>| {
        draft.twists = twists.iter().copied().collect();
        draft.second = Some(second.into());
        let refusal = world.verdict(&draft).expect_err("two events, one or both of them wrong");
        (refusal.rejection.code(), refusal.event)
    };
    let event = |kind| proto::Event { salt: bytes(&[9; 16]), kind: Some(kind) }.encode_to_vec();
    let worse = event(transfer(ALICE, ALICE, 0));
    assert_eq!(told(&[], worse.clone()), ("MinutesNotPositive", Some(1)));
    assert_eq!(told(&[Twist::EventCut], vec![1; 1_025]), ("EncodingInvalid", Some(0)));
    assert_eq!(told(&[Twist::SaltShort], vec![1]), ("FieldInvalid", Some(0)));
    assert_eq!(told(&[Twist::CountWrong], vec![1]), ("EncodingInvalid", Some(1)));
    assert_eq!(told(&[Twist::Expired], worse), ("SheetExpired", None));
    draft.kind = transfer(ALICE, BOB, 400);
    draft.twists.clear();
    draft.second = Some(event(transfer(ALICE, ALICE, 0)).into());
    let refusal = world.verdict(&draft).expect_err("more than there is");
    assert_eq!((refusal.rejection.code(), refusal.event), ("BalanceBelowFloor", Some(0)));
}
