//! A sheet that is edited at random again and again, beside a ledger that is mended by hand, with imports and servers that
//! are killed: after each round the ledger has what the sheet says, or the report says of which rows it hasn't, and why.
//!
//! `TIMEBANK_ROUNDS=40 TIMEBANK_SEED=7 cargo test --test import random` is the long form; a seed repeats a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    time::Duration,
};

use prost::Message;
use serde_json::Value;
use timebank::{
    format::proto::{self, event::Kind, ledger_service_client::LedgerServiceClient, service::Served},
    people::directory::Accounts,
};

use super::{Files, Ledger, counts};

const MAPPING: &str = "source = \"random\"\nzone = \"Asia/Shanghai\"\n[columns]\nrecord = \"id\"\nvolunteer = \"who\"\ndate = \"day\"\n\
                       interval = \"time\"\n[constants]\nstation = \"s1\"\n";
const ROWS: usize = 300;
const PEOPLE: u64 = 40;
const DAYS: u64 = 25;
/// 2026-10-01T00:00+08:00.
const FIRST_DAY_MS: i64 = 1_790_784_000_000;

/// `xorshift64*`: what a seed gives is the same for good.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }
}

/// Who served, on which day, and from when to when in quarters of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Service {
    who: u64,
    day: u64,
    from: u64,
    to: u64,
}

impl Service {
    fn random(random: &mut Random) -> Self {
        let from = 32 + random.below(40);
        Self { who: random.below(PEOPLE), day: random.below(DAYS), from, to: from + 1 + random.below(12) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Row {
    id: u64,
    service: Service,
}

fn text(rows: &[Row]) -> String {
    let clock = |quarters: u64| format!("{:02}:{:02}", quarters / 4, quarters % 4 * 15);
    let row = |Row { id, service: Service { who, day, from, to } }: &Row| {
        format!("{id},p{who},2026-10-{:02},{}-{}\n", day + 1, clock(*from), clock(*to))
    };
    format!("id,who,day,time\n{}", rows.iter().map(row).collect::<String>())
}

/// Changes rows as people do.
fn edit(rows: &mut Vec<Row>, next_id: &mut u64, random: &mut Random) {
    for _ in 0..=random.below(12) {
        let (one, other) = (random.place(rows.len()), random.place(rows.len()));
        match random.below(9) {
            0 => rows[one].service = Service { who: rows[one].service.who, ..Service::random(random) },
            1 => {
                let (first, second) = (rows[one].service, rows[other].service);
                rows[one].service = Service { who: first.who, ..second };
                rows[other].service = Service { who: second.who, ..first };
            }
            2 => {
                let who = rows[one].service.who;
                rows[one].service.who = rows[other].service.who;
                rows[other].service.who = who;
            }
            3 => {
                // The times of two services of one person.
                let who = rows[one].service.who;
                let own: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].service.who == who).collect();
                let other = own[random.place(own.len())];
                let service = rows[one].service;
                rows[one].service = rows[other].service;
                rows[other].service = service;
            }
            4 => {
                let row = rows.remove(one);
                rows.insert(other.min(rows.len()), row);
            }
            5 => drop(rows.remove(one)),
            6 | 7 => {
                *next_id += 1;
                rows.insert(one, Row { id: *next_id, service: Service::random(random) });
            }
            _ => rows[one].service.who = random.below(PEOPLE),
        }
    }
    if random.below(12) == 0 {
        // All ids from one row on move by one.
        let from = random.place(rows.len());
        for at in (from + 1..rows.len()).rev() {
            rows[at].id = rows[at - 1].id;
        }
        *next_id += 1;
        rows[from].id = *next_id;
    }
}

/// A live record: where it was recorded, and what it says.
type Records = BTreeMap<(u64, u32), Service>;

/// What the ledger has, from its entries alone.
fn records(ledger: &Ledger, runtime: &tokio::runtime::Runtime) -> Records {
    let (entries, genesis) = runtime.block_on(async {
        let mut client = LedgerServiceClient::connect(ledger.url.clone()).await.unwrap();
        let status = client.get_status(proto::GetStatusRequest {}).await.unwrap().into_inner();
        let mut stream = client.subscribe(proto::SubscribeRequest { from_index: 0 }).await.unwrap().into_inner();
        let mut entries = Vec::new();
        while (entries.len() as u64) < status.size {
            entries.push(stream.message().await.unwrap().unwrap().entry.unwrap());
        }
        (entries, status.genesis_leaf_hash)
    });
    let accounts = Accounts::open(&ledger.folder.path().join("directory"), &genesis).unwrap().unwrap();
    let names: BTreeMap<Vec<u8>, u64> = accounts
        .each(1_000)
        .filter_map(|found| Some((found.account.0.to_vec(), found.outside.strip_prefix("volunteer/p")?.parse().ok()?)))
        .collect();
    let service = |service: proto::Service| {
        let Some(Served::Interval(interval)) = service.served else { panic!("{service:?}") };
        let quarters = |ms: i64| u64::try_from((ms - FIRST_DAY_MS) / 900_000).unwrap();
        let (from, to) = (quarters(interval.start_ms), quarters(interval.end_ms));
        let day = from / 96;
        Service { who: names[&service.volunteer.to_vec()], day, from: from - day * 96, to: to - day * 96 }
    };
    let mut records = Records::new();
    for entry in entries.into_iter().skip(1) {
        let at = |named: Option<proto::EventRef>| {
            let named = named.unwrap();
            (if named.index == 0 { entry.index } else { named.index }, named.event)
        };
        for (number, event) in (0..).zip(entry.sheet.clone().unwrap().events) {
            match proto::Event::decode(event).unwrap().kind.unwrap() {
                Kind::ServiceRecorded(recorded) => {
                    records.insert((entry.index, number), service(recorded.service.unwrap()));
                }
                Kind::ServiceCorrected(corrected) => {
                    *records.get_mut(&at(corrected.record)).unwrap() = service(corrected.service.unwrap());
                }
                Kind::ServiceReversed(reversed) => drop(records.remove(&at(reversed.record)).unwrap()),
                Kind::LedgerCreated(_)
                | Kind::KeyEnrolled(_)
                | Kind::KeyRevoked(_)
                | Kind::RegionDefined(_)
                | Kind::AccountOpened(_)
                | Kind::FloorSet(_)
                | Kind::MinutesTransferred(_)
                | Kind::HoldPlaced(_)
                | Kind::HoldReleased(_)
                | Kind::HoldExpired(_) => {}
            }
        }
    }
    records
}

/// Somebody corrects or reverses a few records by hand.
fn mend_by_hand(ledger: &Ledger, random: &mut Random, runtime: &tokio::runtime::Runtime) {
    for _ in 0..random.below(3) {
        let records = records(ledger, runtime);
        let (place, service) = records.iter().nth(random.place(records.len())).unwrap();
        let place = format!("{}.{}", place.0, place.1);
        if random.below(2) == 0 {
            ledger.json(&["correct", "reverse", &place, "--reason", "not-served"]);
        } else {
            let end =
                format!("2026-10-{:02}T{:02}:{:02}+08:00", service.day + 1, service.to / 4, service.to % 4 * 15 + 5);
            // Another may be in the way.
            let done = ledger.run(&["correct", "service", &place, "--end", &end, "--rounding", "down"]);
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success() || said.contains("TIME_OVERLAP"), "{place} until {end}: {said}");
        }
    }
}

/// One import that is killed, or whose server is; nothing of what comes of it is known.
fn killed(ledger: &mut Ledger, import: &[&str], random: &mut Random) {
    if random.below(2) == 0 {
        let step = ["signed", "pending", "receipt", "final"][random.place(4)];
        let crash = format!("{step}:{}", 1 + random.below(3));
        let _ = ledger.command(import).env("TIMEBANK_TEST_CRASH", crash).output().unwrap();
    } else {
        let mut running = ledger.command(import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(random.below(400)));
        ledger.kill();
        running.wait().unwrap();
        ledger.restart();
    }
}

/// Ids that a report names under a key.
fn named(report: &Value, key: &str) -> BTreeSet<u64> {
    report[key].as_array().unwrap().iter().map(|row| row["record"].as_str().unwrap().parse().unwrap()).collect()
}

/// Holds a ledger to its sheet and its report, and to a ledger that the sheet came into whole.
fn compare(rows: &[Row], (report, kept): (&Value, &Records), (fresh_report, fresh): (&Value, &Records), what: &str) {
    let rejected = named(report, "rejects");
    let told: BTreeSet<u64> = rejected.union(&named(report, "notices")).copied().collect();
    let reasons = report["rejects"].as_array().unwrap();
    assert!(reasons.iter().all(|row| row["message"].as_str().unwrap().len() > 20), "{what}: {report}");
    let mut left: Vec<Service> = kept.values().copied().collect();
    for row in rows.iter().filter(|row| !told.contains(&row.id)) {
        let at = left.iter().position(|service| *service == row.service);
        let at = at.unwrap_or_else(|| panic!("{what}: the ledger lacks {row:?}, and the report says nothing of it"));
        left.swap_remove(at);
    }
    assert!(left.len() <= told.len(), "{what}: {left:?} is in no row, and the report names only {told:?}");
    // What a fresh ledger took otherwise is named, or stands in the way of a row that is.
    let refused_fresh = named(fresh_report, "rejects");
    let mut expected: Vec<Service> = fresh.values().copied().collect();
    for row in rows.iter().filter(|row| !refused_fresh.contains(&row.id)) {
        let at = expected.iter().position(|service| *service == row.service);
        expected.swap_remove(at.unwrap_or_else(|| panic!("{what}: a fresh ledger lacks {row:?}")));
    }
    assert_eq!(expected, [], "{what}");
    for row in rows.iter().filter(|row| refused_fresh.contains(&row.id) && !told.contains(&row.id)) {
        let same_day = |other: &&Row| (other.service.who, other.service.day) == (row.service.who, row.service.day);
        let told_beside = rows.iter().filter(same_day).any(|other| told.contains(&other.id))
            || report["rejects"].to_string().contains(&format!("({})", row.id));
        assert!(told_beside, "{what}: {row:?} is refused by a fresh ledger alone");
    }
}

#[test]
fn a_sheet_that_is_edited_at_random_stays_in_step() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (rounds, seed) = (number("TIMEBANK_ROUNDS", 6), number("TIMEBANK_SEED", 20_261_128));
    let mut random = Random(seed | 1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (files, mut ledger) = (Files::new(MAPPING), Ledger::new());
    let mut next_id = ROWS as u64;
    let mut rows: Vec<Row> = (1..=next_id).map(|id| Row { id, service: Service::random(&mut random) }).collect();
    let mut totals = BTreeMap::from([("corrected", 0), ("recorded", 0), ("reversed", 0), ("rejected", 0)]);
    for round in 0..rounds {
        let what = format!("seed {seed}, round {round}");
        let file = files.csv(text(&rows));
        let by_hand = ["tell", "mend", "leave"][random.place(3)];
        let mut import = vec!["import", &file, "--mapping", &files.mapping, "--open-accounts", "--full"];
        import.extend(["--take-back", "1000", "--by-hand", by_hand]);
        if random.below(2) == 0 {
            import.push("--renumbered");
        }
        if round > 0 {
            mend_by_hand(&ledger, &mut random, &runtime);
        }
        let is_killed = random.below(2) == 0;
        if is_killed {
            killed(&mut ledger, &import, &mut random);
        }
        let tried = (!is_killed).then(|| ledger.import(&[&import[..], &["--dry-run"]].concat()));
        let report = ledger.import(&import);
        if let Some(tried) = tried {
            assert_eq!(counts(&tried), counts(&report), "{what}: a dry run says what happens");
            assert_eq!(named(&tried, "rejects"), named(&report, "rejects"), "{what}");
        }
        for (key, total) in &mut totals {
            *total += report[*key].as_u64().unwrap();
        }
        assert_eq!(ledger.status()["balance_sum"], 0, "{what}");
        let fresh = Ledger::new();
        let fresh_report = fresh.import(&["import", &file, "--mapping", &files.mapping, "--open-accounts"]);
        let (kept, whole) = (records(&ledger, &runtime), records(&fresh, &runtime));
        compare(&rows, (&report, &kept), (&fresh_report, &whole), &what);
        edit(&mut rows, &mut next_id, &mut random);
    }
    eprintln!("seed {seed}: {rounds} rounds in step; {totals:?}");
}
