//! The rules of time banks, one sentence each.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

#[path = "support/mod.rs"]
mod support;

use support::*;
use timebank::{
    format::{proto, wire},
    ledger::{AccountId, Code, Facts, Millis, Minutes, Policy, Price, Rounding, Tariff, WarningCode},
};

/// Days since 1970-01-01 of the first day of tests.
const FIRST_DAY: i32 = 20_513;

#[test]
fn giving_five_posts_minus_five_and_plus_five() {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 60);
    let alice = ledger.alice.clone();
    let sheet = ledger.sheet(&[&alice], vec![transfer(ALICE, BOB, 5)]);
    let outcome = ledger.submit(&sheet).unwrap();
    let minutes: Vec<i64> = outcome.postings.iter().map(|(_, applied)| applied.posting.minutes.get()).collect();
    assert_eq!(minutes, [-5, 5]);
    assert_eq!((ledger.balance(ALICE), ledger.balance(BOB)), (55, 5));
    ledger.refuse(&[&alice], vec![transfer(ALICE, BOB, 0)], "MinutesNotPositive");
    ledger.refuse(&[&alice], vec![transfer(ALICE, BOB, -10)], "MinutesNotPositive");
    ledger.refuse(&[&alice], vec![transfer(ALICE, ALICE, 5)], "SameAccount");
}

#[test]
fn the_whole_balance_can_be_used_and_not_a_minute_more() {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 60);
    let alice = ledger.alice.clone();
    ledger.refuse(&[&alice], vec![transfer(ALICE, BOB, 61)], "BalanceBelowFloor");
    ledger.accept(&[&alice], vec![transfer(ALICE, BOB, 60)]);
    ledger.refuse(&[&alice], vec![transfer(ALICE, BOB, 1)], "BalanceBelowFloor");
}

#[test]
fn one_impossible_transfer_of_five_means_that_none_happens() {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 60);
    let alice = ledger.alice.clone();
    let mut events: Vec<_> = (0..4).map(|_| transfer(ALICE, BOB, 15)).collect();
    events.push(transfer(ALICE, CLARA, 1));
    let refusal = ledger.refuse(&[&alice], events.clone(), "BalanceBelowFloor");
    assert_eq!(refusal.event, Some(4));
    events.truncate(4);
    ledger.accept(&[&alice], events);
    assert_eq!(ledger.balance(BOB), 60);
}

#[test]
fn a_floor_below_zero_lets_an_account_go_there_and_no_further() {
    let mut ledger = Ledger::with(&Policy { floor: Minutes::new(-600), ..Policy::default() });
    let alice = ledger.alice.clone();
    ledger.refuse(&[&alice], vec![transfer(ALICE, BOB, 601)], "BalanceBelowFloor");
    ledger.accept(&[&alice], vec![transfer(ALICE, BOB, 600)]);
    assert_eq!(ledger.balance(ALICE), -600);
}

#[test]
fn held_minutes_cannot_be_spent_and_a_hold_ends_exactly_once() {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 60);
    let (alice, staff) = (ledger.alice.clone(), ledger.staff.clone());
    let until = ledger.now + DAY;
    let placed = ledger.accept(&[&alice], vec![hold(ALICE, 45, until)]);
    ledger.refuse(&[&alice], vec![transfer(ALICE, BOB, 16)], "BalanceBelowFloor");
    ledger.refuse(&[&alice], vec![hold(ALICE, 16, until)], "BalanceBelowFloor");
    ledger.now += HOUR;
    let paid = proto::Service { payer: bytes(&ALICE), ..service(BOB, ledger.now - HOUR, 30) };
    ledger.accept(&[&staff], vec![settle(paid.clone(), at(placed, 0))]);
    assert_eq!((ledger.balance(ALICE), ledger.balance(BOB)), (30, 30));
    assert_eq!(ledger.account(ALICE).held.get(), 0, "what was not used is free again");
    ledger.refuse(&[&alice], vec![release(at(placed, 0))], "HoldEnded");
    ledger.refuse(&[&staff], vec![settle(paid.clone(), at(placed, 0))], "HoldEnded");
    let again = ledger.accept(&[&alice], vec![hold(ALICE, 10, until)]);
    ledger.accept(&[&staff], vec![release(at(again, 0))]);
    ledger.refuse(&[&staff], vec![release(at(again, 0))], "HoldEnded");
    ledger.refuse(&[&staff], vec![release(at(0, 3))], "HoldUnknown");
    ledger.refuse(&[&staff], vec![release(at(1, 0))], "HoldUnknown");
}

#[test]
fn a_hold_expires_after_its_time_by_the_service_key_and_cannot_be_settled_then() {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 60);
    let (alice, staff, key) = (ledger.alice.clone(), ledger.staff.clone(), ledger.service.clone());
    let placed = ledger.accept(&[&alice], vec![hold(ALICE, 45, ledger.now + HOUR)]);
    ledger.refuse(&[&key], vec![expire(at(placed, 0))], "HoldStillRuns");
    ledger.now += HOUR;
    let paid = proto::Service { payer: bytes(&ALICE), ..service(BOB, ledger.now - HOUR, 30) };
    ledger.refuse(&[&staff], vec![settle(paid, at(placed, 0))], "HoldRunOut");
    assert_eq!(ledger.account(ALICE).held.get(), 45, "reserved until the expiry is logged");
    ledger.refuse(&[&key], vec![release(at(placed, 0))], "NotPermitted");
    ledger.accept(&[&key], vec![expire(at(placed, 0))]);
    assert_eq!(ledger.account(ALICE).held.get(), 0);
}

#[test]
fn a_residents_account_is_debited_only_by_its_owner() {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 60);
    for key in [ledger.operator.clone(), ledger.staff.clone(), ledger.bob.clone()] {
        ledger.refuse(&[&key], vec![transfer(ALICE, CLARA, 5)], "NotPermitted");
        ledger.refuse(&[&key], vec![hold(ALICE, 5, ledger.now + HOUR)], "NotPermitted");
    }
    let bob = ledger.bob.clone();
    ledger.refuse(&[&bob], vec![transfer([77; 16], CLARA, 5)], "NotPermitted");
    let (staff, alice) = (ledger.staff.clone(), ledger.alice.clone());
    let paid = proto::Service { payer: bytes(&ALICE), ..service(BOB, ledger.now - HOUR, 30) };
    ledger.refuse(&[&staff], vec![record(paid.clone())], "NotPermitted");
    ledger.accept(&[&staff, &alice], vec![record(paid)]);
}

#[test]
fn nobody_is_in_two_places_at_once() {
    let mut ledger = Ledger::new();
    let (staff, other) = (ledger.staff.clone(), ledger.other_staff.clone());
    ledger.now += 3 * DAY;
    let night = START + 22 * HOUR;
    ledger.accept(&[&staff], vec![record(service(ALICE, night, 240))]);
    ledger.refuse(&[&staff], vec![record(service(ALICE, night + 3 * HOUR, 120))], "ServiceOverlaps");
    ledger.refuse(&[&staff], vec![record(service(ALICE, night - HOUR, 61))], "ServiceOverlaps");
    ledger.refuse(&[&staff], vec![record(service(ALICE, night + HOUR, 10))], "ServiceOverlaps");
    let elsewhere = proto::Service { station: bytes(&OTHER_STATION), ..service(ALICE, night + HOUR, 10) };
    ledger.refuse(&[&other], vec![record(elsewhere)], "ServiceOverlaps");
    ledger.accept(&[&staff], vec![record(service(ALICE, night + 4 * HOUR, 60))]);
    ledger.accept(&[&staff], vec![record(service(ALICE, night - HOUR, 60))]);
    ledger.accept(&[&staff], vec![record(service(BOB, night, 240))]);
    let sheet = [0, 5, 2].map(|hours| record(service(CLARA, START + hours * HOUR, 180))).to_vec();
    let operator = ledger.operator.clone();
    let refusal = ledger.refuse(&[&operator], sheet, "ServiceOverlaps");
    assert_eq!(refusal.event, Some(2), "within one sheet, not next to each other in the list");
    let group = proto::Service {
        credited_minutes: 300,
        served: Some(interval(night, night + 5 * HOUR)),
        ..service(GROUP, 0, 1)
    };
    ledger.accept(&[&staff], vec![record(group.clone()), record(group)]);
}

#[test]
fn days_are_split_at_local_midnight_and_limited() {
    let mut ledger = Ledger::new();
    let staff = ledger.staff.clone();
    ledger.now += 5 * DAY;
    let east =
        |start: i64, minutes: i64| proto::Service { utc_offset_seconds: 8 * 3_600, ..service(ALICE, start, minutes) };
    // 16:00 UTC is midnight at +08:00: four hours before it, four after.
    let midnight = START + 16 * HOUR;
    ledger.accept(&[&staff], vec![record(east(midnight - 4 * HOUR, 480))]);
    ledger.accept(&[&staff], vec![record(east(midnight - 12 * HOUR, 480))]);
    // Twelve of sixteen hours are used on the first day, four on the second.
    let dated = |date: i32, minutes: i64| proto::Service {
        served: Some(on_date(date, minutes)),
        credited_minutes: minutes,
        ..service(ALICE, 0, 1)
    };
    ledger.refuse(&[&staff], vec![record(dated(FIRST_DAY, 241))], "DayLimitExceeded");
    ledger.accept(&[&staff], vec![record(dated(FIRST_DAY, 240))]);
    ledger.refuse(&[&staff], vec![record(dated(FIRST_DAY, 1))], "DayLimitExceeded");
    ledger.accept(&[&staff], vec![record(dated(FIRST_DAY + 1, 480))]);
    ledger.refuse(&[&staff], vec![record(dated(FIRST_DAY + 1, 241))], "DayLimitExceeded");
    ledger.refuse(&[&staff], vec![record(service(BOB, START, 481))], "RecordTooLong");
}

#[test]
fn service_is_recorded_neither_before_it_is_over_nor_after_a_year() {
    let mut ledger = Ledger::new();
    let (staff, operator) = (ledger.staff.clone(), ledger.operator.clone());
    ledger.refuse(&[&staff], vec![record(service(ALICE, ledger.now - 30 * MINUTE, 31))], "ServiceInFuture");
    ledger.accept(&[&staff], vec![record(service(ALICE, ledger.now - 30 * MINUTE, 30))]);
    let old = service(ALICE, ledger.now - 367 * DAY, 60);
    ledger.refuse(&[&staff], vec![record(old.clone())], "ServiceTooOld");
    let imported = proto::Service { imported: true, ..old };
    ledger.refuse(&[&staff], vec![record(imported.clone())], "NotPermitted");
    ledger.accept(&[&operator], vec![record(imported.clone())]);
    let refusal = ledger.refuse(&[&operator], vec![record(imported)], "ServiceOverlaps");
    assert_eq!(refusal.event, Some(0), "imported history is exempt from no other rule");
}

#[test]
fn nobody_credits_themselves() {
    let mut ledger = Ledger::new();
    let (staff, alice, operator) = (ledger.staff.clone(), ledger.alice.clone(), ledger.operator.clone());
    let own = record(service(CLARA, ledger.now - HOUR, 30));
    ledger.refuse(&[&staff], vec![own.clone()], "SelfDealing");
    ledger.accept(&[&operator], vec![own]);
    let hers = record(service(ALICE, ledger.now - HOUR, 30));
    ledger.refuse(&[&staff, &alice], vec![hers], "SelfDealing");
}

#[test]
fn a_correction_books_the_difference_and_a_reversal_is_final() {
    let mut ledger = Ledger::new();
    let staff = ledger.staff.clone();
    let recorded = ledger.earn(ALICE, 60);
    let start = ledger.now - 10 * HOUR;
    ledger.accept(&[&staff], vec![correct(at(recorded, 0), service(ALICE, start, 45))]);
    assert_eq!(ledger.balance(ALICE), 45);
    ledger.accept(&[&staff], vec![correct(at(recorded, 0), service(ALICE, start, 90))]);
    assert_eq!(ledger.balance(ALICE), 90);
    ledger.refuse(&[&staff], vec![correct(at(recorded, 0), service(ALICE, start, 90))], "CorrectionChangesNothing");
    ledger.accept(&[&staff], vec![correct(at(recorded, 0), service(BOB, start, 90))]);
    assert_eq!((ledger.balance(ALICE), ledger.balance(BOB)), (0, 90));
    ledger.accept(&[&staff], vec![record(service(ALICE, start, 30))]);
    ledger.refuse(&[&staff], vec![record(service(BOB, start, 30))], "ServiceOverlaps");
    ledger.accept(&[&staff], vec![reverse(at(recorded, 0))]);
    assert_eq!(ledger.balance(BOB), 0);
    ledger.refuse(&[&staff], vec![reverse(at(recorded, 0))], "RecordReversed");
    ledger.accept(&[&staff], vec![record(service(BOB, start, 30))]);
    let other = ledger.other_staff.clone();
    ledger.refuse(&[&other], vec![reverse(at(recorded, 0))], "NotPermitted");
    ledger.refuse(&[&staff], vec![reverse(at(1, 0))], "RecordUnknown");
}

#[test]
fn another_stations_record_cannot_be_corrected() {
    let mut ledger = Ledger::new();
    let recorded = ledger.earn(ALICE, 60);
    let other = ledger.other_staff.clone();
    ledger.refuse(&[&other], vec![reverse(at(recorded, 0))], "NotPermitted");
}

#[test]
fn what_was_spent_before_a_reversal_is_claimed_from_the_station() {
    let mut ledger = Ledger::new();
    let (staff, alice) = (ledger.staff.clone(), ledger.alice.clone());
    let recorded = ledger.earn(ALICE, 60);
    ledger.accept(&[&alice], vec![transfer(ALICE, BOB, 50)]);
    ledger.accept(&[&staff], vec![reverse(at(recorded, 0))]);
    assert_eq!((ledger.balance(ALICE), ledger.balance(BOB), ledger.balance(STATION)), (0, 50, -50));
    let claims = ledger.replay.state.shortages();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims.get(&0).unwrap().minutes, Minutes::new(50));
}

#[test]
fn what_exceeds_the_cap_goes_to_the_pool_and_comes_back_with_a_reversal() {
    let cap = Some((Minutes::new(100), AccountId(POOL)));
    let mut ledger = Ledger::with(&Policy { cap, ..Policy::default() });
    let staff = ledger.staff.clone();
    ledger.earn(ALICE, 70);
    let recorded = ledger.earn(ALICE, 60);
    assert_eq!((ledger.balance(ALICE), ledger.balance(POOL)), (100, 30));
    let full = ledger.earn(ALICE, 20);
    assert_eq!((ledger.balance(ALICE), ledger.balance(POOL)), (100, 50));
    ledger.accept(&[&staff], vec![reverse(at(full, 0))]);
    assert_eq!((ledger.balance(ALICE), ledger.balance(POOL)), (100, 30));
    ledger.accept(&[&staff], vec![reverse(at(recorded, 0))]);
    assert_eq!((ledger.balance(ALICE), ledger.balance(POOL)), (70, 0));
    let nowhere = Some((Minutes::new(100), AccountId([200; 16])));
    let mut ledger = Ledger::with(&Policy { cap: nowhere, ..Policy::default() });
    ledger.earn(ALICE, 100);
    ledger.refuse(&[&staff], vec![record(service(ALICE, ledger.now - HOUR, 1))], "OverflowPoolUnknown");
}

#[test]
fn time_becomes_credit_by_the_rounding_that_the_record_names() {
    let quarter = Policy { rounding_unit_minutes: 15, ..Policy::default() };
    let cases = [
        (52, 3, Some(60)),
        (70, 3, Some(75)),
        (52, 1, Some(45)),
        (52, 2, Some(45)),
        (53, 2, Some(60)),
        (60, 0, Some(60)),
        (52, 0, None),
        (7, 1, None),
    ];
    for (minutes, rounding, credited) in cases {
        let mut ledger = Ledger::with(&quarter);
        let staff = ledger.staff.clone();
        let start = ledger.now - 2 * HOUR;
        let served = service(ALICE, start, minutes);
        let service = proto::Service { rounding, credited_minutes: credited.unwrap_or(minutes), ..served };
        match (credited, rounding) {
            (Some(_), _) => {
                ledger.accept(&[&staff], vec![record(service.clone())]);
                let wrong = proto::Service { credited_minutes: service.credited_minutes + 15, ..service };
                ledger.refuse(&[&staff], vec![record(wrong)], "CreditMismatch");
            }
            (None, 0) => drop(ledger.refuse(&[&staff], vec![record(service)], "CreditNotWhole")),
            (None, _) => drop(ledger.refuse(&[&staff], vec![record(service)], "MinutesNotPositive")),
        }
    }
    let strict = Policy { roundings: vec![Rounding::Down], ..Policy::default() };
    let mut ledger = Ledger::with(&strict);
    let staff = ledger.staff.clone();
    let up = proto::Service { rounding: 3, ..service(ALICE, ledger.now - HOUR, 30) };
    ledger.refuse(&[&staff], vec![record(up)], "RoundingNotAllowed");
}

#[test]
fn a_tariff_prices_a_category_by_the_hour_or_by_the_piece() {
    let tariff = |category: &str, price| Tariff { category: Code::new(category, 32).unwrap(), price };
    let tariffs = vec![tariff("bath", Price::Fixed(40)), tariff("night", Price::PerHour(90))];
    let mut ledger = Ledger::with(&Policy { tariffs, ..Policy::default() });
    let staff = ledger.staff.clone();
    ledger.now += DAY;
    for (category, hours, credited) in [("bath", 9, 40), ("night", 6, 180), ("general", 3, 120)] {
        let served = service(ALICE, ledger.now - hours * HOUR, 120);
        let service = proto::Service { category: category.to_owned(), credited_minutes: credited, ..served };
        ledger.accept(&[&staff], vec![record(service)]);
    }
    assert_eq!(ledger.balance(ALICE), 340);
}

#[test]
fn what_looks_entered_twice_is_accepted_with_a_warning() {
    let mut ledger = Ledger::new();
    let staff = ledger.staff.clone();
    let dated = |minutes: i64| proto::Service {
        served: Some(on_date(FIRST_DAY - 1, minutes)),
        credited_minutes: minutes,
        ..service(ALICE, 0, 1)
    };
    let first = ledger.accept(&[&staff], vec![record(dated(60))]);
    let sheet = ledger.sheet(&[&staff], vec![record(dated(90))]);
    let outcome = ledger.submit(&sheet).unwrap();
    let (_, warning) = outcome.warnings[0];
    assert_eq!((warning.code, warning.similar.index.0), (WarningCode::NearDuplicate, first));
    let start = ledger.now - 5 * HOUR;
    ledger.accept(&[&staff], vec![record(service(BOB, start, 5))]);
    let sheet = ledger.sheet(&[&staff], vec![record(service(BOB, start + 5 * MINUTE, 20))]);
    assert_eq!(ledger.submit(&sheet).unwrap().warnings.len(), 1);
    let sheet = ledger.sheet(&[&staff], vec![record(service(BOB, start + 60 * MINUTE, 20))]);
    assert_eq!(ledger.submit(&sheet).unwrap().warnings.len(), 0);
}

#[test]
fn a_sheet_may_refer_to_itself() {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 60);
    let (staff, alice) = (ledger.staff.clone(), ledger.alice.clone());
    let start = ledger.now - HOUR;
    ledger.accept(&[&staff], vec![record(service(BOB, start, 30)), correct(at(0, 0), service(BOB, start, 20))]);
    assert_eq!(ledger.balance(BOB), 20);
    let paid = proto::Service { payer: bytes(&ALICE), ..service(CLARA, start, 30) };
    let operator = ledger.operator.clone();
    let events = vec![hold(ALICE, 30, ledger.now + HOUR), settle(paid, at(0, 0))];
    ledger.accept(&[&alice, &operator], events);
    assert_eq!((ledger.balance(ALICE), ledger.balance(CLARA)), (30, 30));
    ledger.refuse(&[&staff], vec![reverse(at(0, 0))], "RecordUnknown");
    ledger.refuse(&[&staff], vec![reverse(at(0, 1)), record(service(BOB, start - 2 * HOUR, 5))], "RecordUnknown");
}

#[test]
fn a_group_gives_only_to_pools() {
    let mut ledger = Ledger::new();
    let staff = ledger.staff.clone();
    ledger.earn(GROUP, 60);
    ledger.refuse(&[&staff], vec![transfer(GROUP, ALICE, 10)], "GroupGivesOnlyToPools");
    ledger.accept(&[&staff], vec![transfer(GROUP, POOL, 60)]);
}

#[test]
fn a_correction_down_and_up_again_leaves_a_spent_record_as_it_was() {
    let mut ledger = Ledger::new();
    let (staff, alice) = (ledger.staff.clone(), ledger.alice.clone());
    let recorded = ledger.earn(ALICE, 60);
    ledger.accept(&[&alice], vec![transfer(ALICE, BOB, 60)]);
    let start = ledger.now - 10 * HOUR;
    for (minutes, alice_after, station_after) in [(50, 0, -10), (60, 0, 0), (30, 0, -30), (45, 0, -15), (70, 10, 0)] {
        ledger.accept(&[&staff], vec![correct(at(recorded, 0), service(ALICE, start, minutes))]);
        assert_eq!((ledger.balance(ALICE), ledger.balance(STATION)), (alice_after, station_after), "at {minutes}");
    }
    assert_eq!(ledger.balance(BOB), 60);
}

#[test]
fn a_trial_leaves_the_state_alone_whatever_its_events_refer_to() {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 60);
    let (staff, start) = (ledger.staff.clone(), ledger.now - 9 * HOUR);
    let huge = proto::Service { credited_minutes: i64::MIN, ..service(ALICE, start, 60) };
    let too_long = service(ALICE, start - 40 * HOUR, 20 * 60);
    for events in [
        vec![record(huge), reverse(at(0, 0))],
        vec![record(too_long.clone()), correct(at(0, 0), service(ALICE, start, 30)), reverse(at(0, 0))],
        vec![record(service(ALICE, start, 30)), reverse(at(0, 0)), reverse(at(0, 0))],
    ] {
        let sheet = ledger.sheet(&[&staff], events);
        let decoded = wire::decode(&sheet).unwrap();
        let before = ledger.replay.state.clone();
        let now = Millis(ledger.now);
        let tried =
            ledger.replay.state.try_sheets(&[decoded.sheet], now, |_, _, _| Ok::<_, ()>(Facts::default())).unwrap();
        assert!(ledger.replay.state == before, "{tried:?}");
        let events = tried.into_iter().next().unwrap().unwrap();
        assert!(events.last().unwrap().is_err(), "{events:?}");
    }
}

#[test]
fn a_reversed_record_is_nobodys_near_duplicate() {
    let mut ledger = Ledger::new();
    let staff = ledger.staff.clone();
    let date = i32::try_from(ledger.now / DAY).unwrap() - 3;
    let dated = |credited| proto::Service {
        served: Some(on_date(date, credited)),
        credited_minutes: credited,
        ..service(ALICE, 0, credited)
    };
    let first = ledger.accept(&[&staff], vec![record(dated(60))]);
    ledger.accept(&[&staff], vec![reverse(at(first, 0))]);
    let sheet = ledger.sheet(&[&staff], vec![record(dated(60))]);
    assert_eq!(ledger.submit(&sheet).unwrap().warnings, []);
    let again = ledger.sheet(&[&staff], vec![record(dated(30))]);
    assert_eq!(ledger.submit(&again).unwrap().warnings.len(), 1);
}

#[test]
fn dates_and_hours_read_as_calendars_and_clocks_show_them() {
    // Every day from 1970 to 9999, each with another time.
    for day in 0..2_932_895_i64 {
        let ms = day * 86_400_000 + day.wrapping_mul(7_919) % 86_400_000 / 1_000 * 1_000;
        let expected = jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
        assert_eq!(Millis(ms).to_string(), expected);
    }
    assert_eq!(Millis(1_772_323_200_001).to_string(), "2026-03-01T00:00:00.001Z");
    let minutes = [(0, "0 min"), (59, "59 min"), (60, "1 h"), (61, "1 h 01 min"), (-150, "-2 h 30 min"), (-60, "-1 h")];
    for (count, expected) in minutes {
        assert_eq!(Minutes::new(count).to_string(), expected);
    }
}
