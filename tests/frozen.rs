//! One archive for each version of the rules, made when it came and never again: a log that was right then is right for good.
//!
//! Each is audited as an auditor does it, and its accounts are held against what they were when it was made. Where there
//! is none yet for a version, `UPDATE_FROZEN=1 cargo test --test frozen` makes it; one that is there is never written
//! again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

#[path = "support/mod.rs"]
mod support;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{self, File},
    io::{BufReader, Write as _},
    path::{Path, PathBuf},
};

use support::*;
use timebank::{
    engine::{
        pipeline::{self, KnownKeys, Replayed},
        projection::{Committed, Projection},
    },
    format::{
        archive::{Reader, Writer},
        checkpoint::{self, VerifierKey},
        proto::{self, AccountKind, KeyRole, event::Kind},
        signature::PrivateKey,
    },
    ledger::{Code, Minutes, Policy, Price, Rounding, Tariff},
    merkle::{self, leaf_hash},
    trust::audit::{Audit, Pin, Scratch},
};

const HOUSEHOLD: [u8; 16] = [10; 16];
const DISTRICT_POOL: [u8; 16] = [11; 16];

/// The rules' versions, each with how its log was made.
const VERSIONS: [(u32, fn() -> Ledger); 1] = [(1, version_1)];

/// Every kind of event.
const KINDS: usize = 13;

fn policy_1() -> Policy {
    let tariff = |category: &str, price| Tariff { category: Code::new(category, 32).unwrap(), price };
    Policy {
        rules: 1,
        rounding_unit_minutes: 15,
        roundings: vec![Rounding::Down, Rounding::Nearest, Rounding::Up],
        floor: Minutes::new(-120),
        cap: Some((Minutes::new(600), timebank::ledger::AccountId(POOL))),
        record_max: Minutes::new(10 * 60),
        day_max: Minutes::new(12 * 60),
        age_days_max: 90,
        validity_days_max: 30,
        tariffs: vec![tariff("fixed", Price::Fixed(45)), tariff("nursing", Price::PerHour(90))],
    }
}

/// A service with everything that one may say.
fn full_service(volunteer: [u8; 16], start: i64) -> proto::Service {
    proto::Service {
        payer: bytes(&HOUSEHOLD),
        category: "nursing".to_owned(),
        activity: "an-activity-of-more-than-22-characters".to_owned(),
        served: Some(interval(start, start + 100 * MINUTE)),
        utc_offset_seconds: 8 * 3_600,
        credited_minutes: 150,
        rounding: i32::from(proto::Rounding::Nearest),
        insured: true,
        ..service(volunteer, start, 100)
    }
}

/// Everything that rules 1 know: every kind of event, every option of the policy, and what follows from them.
fn version_1() -> Ledger {
    let mut ledger = Ledger::with(&policy_1());
    let (operator, staff, alice, bob) =
        (ledger.operator.clone(), ledger.staff.clone(), ledger.alice.clone(), ledger.bob.clone());
    let region = proto::RegionDefined { code: "headingley".to_owned(), parent: "leeds".to_owned() };
    ledger.accept(
        &[&operator],
        vec![
            Kind::RegionDefined(region),
            open(HOUSEHOLD, AccountKind::Household, "", Some(STATION)),
            open(DISTRICT_POOL, AccountKind::DistrictPool, "headingley", None),
            Kind::FloorSet(proto::FloorSet { account: bytes(&DISTRICT_POOL), floor_minutes: -10_000 }),
            enrol(&key(7), KeyRole::Resident, HOUSEHOLD, None),
            enrol(&key(8), KeyRole::Operator, [0; 16], None).without_account(),
            transfer(DISTRICT_POOL, HOUSEHOLD, 590),
        ],
    );
    records(&mut ledger, &operator);
    holds(&mut ledger, (&operator, &alice, &bob));
    corrections(&mut ledger, &operator);
    let thanks = service(ALICE, ledger.now - 3 * HOUR, 30);
    ledger.accept(&[&staff], vec![record(thanks)]);
    // Two sign, and a key signs for the last time.
    let bobs = Kind::KeyRevoked(proto::KeyRevoked { key_id: bytes(&bob.key_id().0) });
    ledger.accept(&[&operator, &key(8)], vec![transfer(POOL, GROUP, 5), bobs]);
    ledger
}

trait WithoutAccount {
    fn without_account(self) -> Self;
}

impl WithoutAccount for Kind {
    fn without_account(mut self) -> Self {
        if let Self::KeyEnrolled(enrolled) = &mut self {
            enrolled.account = bytes::Bytes::new();
        }
        self
    }
}

/// Each way of serving, pricing and rounding; over the cap; over midnight; imported; twice nearly the same.
fn records(ledger: &mut Ledger, operator: &PrivateKey) {
    ledger.now += 10 * DAY;
    let now = ledger.now;
    let rounded = |rounding: proto::Rounding, days: i64, credited_minutes: i64| proto::Service {
        rounding: i32::from(rounding),
        credited_minutes,
        ..service(ALICE, now - days * DAY, 65)
    };
    let date = i32::try_from((now - 3 * DAY) / DAY).unwrap();
    let dated = |minutes: i64| proto::Service { served: Some(on_date(date, minutes)), ..service(BOB, 0, minutes) };
    let fixed = proto::Service { category: "fixed".to_owned(), credited_minutes: 45, ..service(CLARA, now - DAY, 7) };
    let midnight = now.div_euclid(DAY) * DAY - 2 * DAY;
    ledger.accept(
        &[operator],
        vec![
            record(service(ALICE, now - 9 * DAY, 60)),
            record(rounded(proto::Rounding::Down, 8, 60)),
            record(rounded(proto::Rounding::Nearest, 7, 60)),
            record(rounded(proto::Rounding::Up, 6, 75)),
            record(dated(30)),
            record(dated(45)),
            record(fixed),
            record(service(GROUP, midnight - HOUR, 600)),
            record(service(BOB, midnight - HOUR, 120)),
            // From 255 minutes up to the cap of 600, and the rest to the pool.
            record(service(ALICE, now - 5 * DAY, 480)),
        ],
    );
    let old = proto::Service { imported: true, ..service(CLARA, now - 200 * DAY, 30) };
    ledger.accept(&[operator], vec![record(old)]);
}

/// Holds that are settled, released, run out and stay; minutes that are given.
fn holds(ledger: &mut Ledger, (operator, alice, bob): (&PrivateKey, &PrivateKey, &PrivateKey)) {
    let household = key(7);
    let (now, service_key) = (ledger.now, ledger.service.clone());
    let placed =
        ledger.accept(&[&household], vec![hold(HOUSEHOLD, 180, now + 5 * DAY), hold(HOUSEHOLD, 30, now + DAY)]);
    let by_alice = ledger.accept(&[alice], vec![transfer(ALICE, BOB, 20), hold(ALICE, 45, now + 9 * DAY)]);
    ledger.accept(&[bob], vec![hold(BOB, 15, now + 300 * DAY), transfer(BOB, POOL, 10)]);
    ledger.now += 2 * DAY;
    let settled = full_service(CLARA, ledger.now - 20 * HOUR);
    ledger.accept(&[operator], vec![settle(settled, at(placed, 0))]);
    ledger.accept(&[alice], vec![release(at(by_alice, 1))]);
    ledger.accept(&[&service_key], vec![expire(at(placed, 1))]);
}

/// Records corrected up and down, to another person, and reversed after the minutes were spent.
fn corrections(ledger: &mut Ledger, operator: &PrivateKey) {
    ledger.now += DAY;
    let now = ledger.now;
    let first = ledger.accept(
        &[operator],
        vec![record(service(BOB, now - 12 * HOUR, 60)), record(service(CLARA, now - 12 * HOUR, 240))],
    );
    ledger.accept(&[operator], vec![correct(at(first, 0), service(BOB, now - 12 * HOUR, 90))]);
    ledger.accept(&[operator], vec![correct(at(first, 0), service(CLARA, now - 7 * HOUR, 30))]);
    let bob = ledger.bob.clone();
    let balance = ledger.balance(BOB);
    ledger.accept(&[&bob], vec![transfer(BOB, ALICE, balance)]);
    // Bob has nothing left of it: the station owes.
    let spent = ledger.entries.iter().position(|entry| entry.events.len() == 10).unwrap();
    ledger.accept(&[operator], vec![reverse(at(spent as u64, 8)), reverse(at(first, 1))]);
    // A sheet that corrects what it records itself.
    let own = service(ALICE, now - 5 * HOUR, 45);
    let less = service(ALICE, now - 5 * HOUR, 30);
    ledger.accept(&[operator], vec![record(own), correct(at(0, 0), less)]);
}

struct Files {
    archive: PathBuf,
    pin: PathBuf,
    state: PathBuf,
}

fn files(rules: u32) -> Files {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("frozen");
    let path = |extension: &str| folder.join(format!("rules-{rules}.{extension}"));
    Files { archive: path("archive"), pin: path("pin"), state: path("state.txt") }
}

/// Audits an archive, and describes what it adds up to; and the kinds of its events.
fn replay(files: &Files) -> (String, BTreeSet<&'static str>) {
    let pin = Pin::read(&files.pin).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (projection, _) = Projection::open(folder.path(), ORIGIN, 0).unwrap();
    let mut audit = Audit::new(Some(pin), None, Scratch::new().unwrap());
    let mut reader = Reader::new(BufReader::new(File::open(&files.archive).unwrap())).unwrap();
    let (mut keys, mut kinds) = (KnownKeys::default(), BTreeSet::new());
    while let Some(entries) = reader.next_entries().unwrap() {
        let replayed = audit.take(pipeline::prepare(entries, &mut keys), |_| Ok(None)).unwrap();
        kinds.extend(replayed.iter().flat_map(|entry| &entry.decoded.sheet.events).map(timebank::ledger::Event::name));
        let committed: Vec<Committed<'_>> = replayed.iter().map(Replayed::committed).collect();
        let replay = audit.replay().unwrap();
        projection.apply(&committed, replay.state.version().clone(), replay.frontier.root()).unwrap();
    }
    let (size, root) = audit.finish(reader.note().unwrap()).unwrap();
    let state = &audit.replay().unwrap().state;
    let digests = projection.account_digests(size).unwrap();
    let mut text = format!("entries {size}\nroot {}\n", hex::encode(root));
    writeln!(text, "open holds {}, claims {}", state.holds().len(), state.shortages().len()).unwrap();
    let mut accounts: Vec<_> = state.all_accounts().collect();
    accounts.sort_unstable_by_key(|account| account.id);
    for account in accounts {
        let digest = digests.iter().find(|digest| digest.account == account.id);
        let (rows, history) =
            digest.map_or((0, String::new()), |digest| (digest.postings, hex::encode(digest.history)));
        let (id, balance, held) = (account.id, account.balance.get(), account.held.get());
        writeln!(text, "{id} balance {balance} held {held} rows {rows} history {history}").unwrap();
    }
    (text, kinds)
}

/// Writes the files of a version that has none.
fn freeze(ledger: &Ledger, files: &Files) {
    let root = merkle::root_of_leaves(ledger.entries.iter().map(|entry| leaf_hash(&entry.leaf())));
    let note = checkpoint::sign(ORIGIN, ledger.entries.len() as u64, &root, key(99).signing_key());
    let ledger_key = VerifierKey::new(ORIGIN, key(99).public_key()).unwrap();
    let pin = Pin { ledger_key, genesis_leaf_hash: leaf_hash(&ledger.entries[0].leaf()) };
    let mut writer = Writer::new(Vec::new(), ORIGIN).unwrap();
    ledger.entries.iter().for_each(|entry| writer.push(entry).unwrap());
    fs::create_dir_all(files.archive.parent().unwrap()).unwrap();
    let archive = writer.finish(&note).unwrap();
    // Never over one that is there: a new version gets a new file.
    File::create_new(&files.archive).unwrap().write_all(&archive).unwrap();
    fs::write(&files.pin, pin.to_text()).unwrap();
    fs::write(&files.state, replay(files).0).unwrap();
}

#[test]
fn a_log_of_every_version_of_the_rules_adds_up_to_what_it_did_when_it_was_made() {
    for (rules, make) in VERSIONS {
        let files = files(rules);
        if std::env::var_os("UPDATE_FROZEN").is_some() && !files.archive.exists() {
            freeze(&make(), &files);
        }
        let (state, kinds) = replay(&files);
        assert_eq!(state, fs::read_to_string(&files.state).unwrap(), "rules {rules}");
        assert_eq!(kinds.len(), KINDS, "every kind of event: {kinds:?}");
    }
}

#[test]
fn every_version_that_the_rules_know_has_a_frozen_log() {
    let known: Vec<u32> = (0..100).filter(|&rules| Policy { rules, ..Policy::default() }.fault().is_none()).collect();
    assert_eq!(known, VERSIONS.map(|(rules, _)| rules));
}
