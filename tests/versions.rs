//! Versions: what a reader holds stays as it was, whatever the writer tries, takes back or goes on with.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

#[path = "support/mod.rs"]
mod support;

use support::{ALICE, HOUR, Ledger, ORIGIN, STATION, enrol, hold, key, open};
use timebank::{
    engine::replay::Replay,
    format::{proto, wire},
    ledger::{AccountId, AccountNumber, EventRef, Facts, KeyId, LogIndex, Millis, Version},
};

const NEW: [u8; 16] = [0x77; 16];
const PLACE: EventRef = EventRef { index: LogIndex(0), event: 0 };

/// What a version tells of the account, the key and the hold that only later ones have.
fn seen(version: &Version) -> (bool, bool, usize, usize, usize, Option<i64>) {
    let number = |id| version.account_number(AccountId(id));
    let (alice, station) = (number(ALICE).unwrap(), number(STATION).unwrap());
    let floor = version.identity(alice).unwrap().floor.map(timebank::ledger::Minutes::get);
    (
        number(NEW).is_some(),
        version.key(key(60).key_id()).is_some(),
        version.accounts().of_station(station, AccountNumber(0), 99).len(),
        version.keys().of_account(alice, 0, 99).len(),
        version.holds().of_account(alice, PLACE).count(),
        floor,
    )
}

/// Opens the account, gives Alice a second key, and reserves hours of hers.
fn events(ledger: &Ledger) -> Vec<proto::event::Kind> {
    vec![
        open(NEW, proto::AccountKind::Resident, "", Some(STATION)),
        enrol(&key(60), proto::KeyRole::Resident, ALICE, None),
        hold(ALICE, 30, ledger.now + 24 * HOUR),
    ]
}

#[test]
fn a_version_knows_nothing_of_what_comes_after_it() {
    let mut ledger = Ledger::new();
    let (staff, alice, operator) = (ledger.staff.clone(), ledger.alice.clone(), ledger.operator.clone());
    ledger.earn(ALICE, 60);
    let before = ledger.replay.state.version().clone();
    let old = seen(&before);
    assert_eq!((old.0, old.1, old.4), (false, false, 0));
    let new = events(&ledger);
    ledger.accept(&[&staff, &alice], new);
    let floor = proto::event::Kind::FloorSet(proto::FloorSet { account: ALICE.to_vec().into(), floor_minutes: -7 });
    ledger.accept(&[&operator], vec![floor]);
    let after = ledger.replay.state.version();
    assert_eq!(seen(after), (true, true, old.2 + 1, old.3 + 1, 1, Some(-7)));
    assert_eq!(seen(&before), old, "and the older one is as it was");
    assert_eq!((before.size() + 2, before.keys().len() + 1), (after.size(), after.keys().len()));
}

#[test]
fn what_is_tried_or_refused_is_found_by_nobody() {
    let mut ledger = Ledger::new();
    let (staff, alice) = (ledger.staff.clone(), ledger.alice.clone());
    ledger.earn(ALICE, 60);
    let before = ledger.replay.state.version().clone();
    let old = seen(&before);
    // The last event has no account of this name.
    let refused = [events(&ledger), vec![support::transfer(ALICE, [0x78; 16], 5)]].concat();
    ledger.refuse(&[&staff, &alice], refused, "AccountUnknown");
    let tried = events(&ledger);
    let sheet = wire::decode(&ledger.sheet(&[&staff, &alice], tried)).unwrap().sheet;
    let facts = ledger.facts(&sheet);
    let outcome =
        ledger.replay.state.try_sheets(&[sheet], Millis(ledger.now), |_, _, _| Ok::<_, ()>(facts.clone())).unwrap();
    assert!(outcome[0].as_ref().unwrap().iter().all(Result::is_ok), "{outcome:?}");
    assert_eq!((seen(ledger.replay.state.version()), seen(&before)), (old, old));
    assert_eq!(ledger.replay.state.account_number(AccountId(NEW)), None);
    // The numbers that were given away for a moment are given again.
    let new = events(&ledger);
    ledger.accept(&[&staff, &alice], new);
    assert_eq!(ledger.replay.state.account_number(AccountId(NEW)), Some(AccountNumber(before.accounts().len())));
}

#[test]
fn a_genesis_that_is_tried_leaves_no_policy() {
    let ledger = Ledger::new();
    let genesis = wire::decode_entry(&ledger.entries[0]).unwrap().sheet;
    let mut unborn = Replay::new(ORIGIN);
    let empty = unborn.state.clone();
    let tried =
        unborn.state.try_sheets(&[genesis], Millis(ledger.now), |_, _, _| Ok::<_, ()>(Facts::default())).unwrap();
    assert!(tried[0].as_ref().unwrap()[0].is_ok(), "{tried:?}");
    assert!(unborn.state == empty && unborn.state.key(KeyId([0; 16])).is_none());
}
