//! The places, people and keys that random sheets are about, and the policies that they live under.

use std::collections::BTreeMap;

use timebank::{
    format::{
        proto::{self, AccountKind, KeyRole, event::Kind},
        signature::PrivateKey,
        wire,
    },
    ledger::{AccountId, Code, Minutes, Policy, Price, Rounding, Tariff},
};

use crate::{
    naive::Id,
    support::{Random, bytes, enrol, genesis, key, open},
};

pub(crate) const STATIONS: [Id; 3] = [[1; 16], [2; 16], [3; 16]];
pub(crate) const POOLS: [Id; 3] = [[10; 16], [11; 16], [12; 16]];
/// Those that most events are about, so that they meet: residents, households and a group.
pub(crate) const PEOPLE: [Id; 8] = [[20; 16], [20; 16], [21; 16], [22; 16], [24; 16], [30; 16], [31; 16], [40; 16]];
/// What exceeds the cap goes there, once somebody has opened it.
pub(crate) const OVERFLOW: Id = [13; 16];
pub(crate) const CATEGORIES: [&str; 6] = ["general", "general", "general", "bath", "care", "night"];

/// Seeds of keys: a key is named by one byte. From `SPARE` on nobody has them at first.
pub(crate) const OPERATORS: [u8; 2] = [1, 10];
pub(crate) const SPARE: u8 = 100;

/// Every key that anybody signs with, by its seed.
pub(crate) fn all_keys() -> BTreeMap<u8, PrivateKey> {
    // 99 is the ledger's, which signs checkpoints and nothing else.
    (1..=250).filter(|seed| *seed != 99).map(|seed| (seed, key(seed))).collect()
}

/// One of a list.
pub(crate) fn one_of<T: Clone>(random: &mut Random, items: &[T]) -> T {
    items[usize::try_from(random.below(items.len() as u64)).unwrap()].clone()
}

/// Numbers of all sorts: some strict, some lenient, a cap where that is asked for.
pub(crate) fn policy(random: &mut Random, capped: bool) -> Policy {
    let tariff = |category: &str, price| Tariff { category: Code::new(category, 32).unwrap(), price };
    let tariffs =
        vec![tariff("bath", Price::Fixed(40)), tariff("care", Price::PerHour(75)), tariff("night", Price::PerHour(90))];
    let roundings = [
        vec![Rounding::Down, Rounding::Nearest, Rounding::Up],
        vec![Rounding::Down, Rounding::Nearest, Rounding::Up],
        vec![Rounding::Nearest],
        vec![],
    ];
    Policy {
        rounding_unit_minutes: one_of(random, &[1, 1, 5, 15]),
        roundings: one_of(random, &roundings),
        floor: Minutes::new(one_of(random, &[0, 0, -90, -600])),
        cap: capped.then(|| (Minutes::new(one_of(random, &[180, 400, 900])), AccountId(OVERFLOW))),
        record_max: Minutes::new(one_of(random, &[240, 480])),
        day_max: Minutes::new(one_of(random, &[300, 960])),
        age_days_max: one_of(random, &[10, 366]),
        validity_days_max: one_of(random, &[1, 90]),
        tariffs: if random.below(2) == 0 { tariffs } else { Vec::new() },
        ..Policy::default()
    }
}

/// The genesis of two operators.
pub(crate) fn created(policy: &Policy) -> proto::LedgerCreated {
    let Kind::LedgerCreated(mut created) = genesis(policy) else { unreachable!() };
    created.operator_keys = OPERATORS.iter().map(|seed| bytes(&key(*seed).public_key())).collect();
    *created
}

/// What nobody can begin a ledger with.
pub(crate) fn wrong_first_sheets(policy: &Policy) -> Vec<Vec<Kind>> {
    let with = |change: &dyn Fn(&mut proto::LedgerCreated)| {
        let mut wrong = created(policy);
        change(&mut wrong);
        vec![Kind::LedgerCreated(Box::new(wrong))]
    };
    let numbers = |change: &dyn Fn(&mut proto::Policy)| {
        let mut wrong = wire::policy_message(policy);
        change(&mut wrong);
        with(&|created| created.policy = Some(wrong.clone()))
    };
    let region = || Kind::RegionDefined(proto::RegionDefined { code: "city".to_owned(), parent: String::new() });
    vec![
        vec![region()],
        vec![Kind::LedgerCreated(Box::new(created(policy))), region()],
        with(&|created| created.operator_keys.truncate(1)),
        with(&|created| created.operator_keys.reverse()),
        with(&|created| created.ledger_key = created.operator_keys[0].clone()),
        numbers(&|policy| policy.rules = 2),
        numbers(&|policy| policy.rounding_unit_minutes = 7),
        numbers(&|policy| policy.floor_minutes = 1),
        numbers(&|policy| policy.day_minutes_max = 1_441),
    ]
}

/// Three stations in communities of two districts, pools, people and their keys.
pub(crate) fn settled() -> Vec<Kind> {
    let region = |(code, parent): (&str, &str)| {
        Kind::RegionDefined(proto::RegionDefined { code: code.to_owned(), parent: parent.to_owned() })
    };
    let tree = [("city", ""), ("east", "city"), ("west", "city"), ("elm", "east"), ("oak", "east"), ("ash", "west")];
    let mut events: Vec<Kind> = tree.into_iter().map(region).collect();
    for (station, code) in STATIONS.into_iter().zip(["elm", "oak", "ash"]) {
        events.push(open(station, AccountKind::Station, code, None));
    }
    events.push(open(POOLS[0], AccountKind::CommunityPool, "elm", None));
    events.push(open(POOLS[1], AccountKind::CommunityPool, "ash", None));
    events.push(open(POOLS[2], AccountKind::DistrictPool, "east", None));
    let people = [
        (20, AccountKind::Resident, 0),
        (21, AccountKind::Resident, 0),
        (22, AccountKind::Resident, 1),
        (23, AccountKind::Resident, 1),
        (24, AccountKind::Resident, 2),
        (30, AccountKind::Household, 0),
        (31, AccountKind::Household, 2),
        (40, AccountKind::Group, 0),
        (41, AccountKind::Group, 2),
    ];
    for (account, kind, station) in people {
        events.push(open([account; 16], kind, "", Some(STATIONS[station])));
        events.push(enrol(&key(account + 30), KeyRole::Resident, [account; 16], None));
    }
    let staff = [(11, 0, Some([20; 16])), (12, 0, None), (13, 1, Some([22; 16])), (14, 1, None), (15, 2, None)];
    for (seed, station, own) in staff {
        events.push(enrol(&key(seed), KeyRole::Staff, STATIONS[station], own));
    }
    events
}
