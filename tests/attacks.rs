//! What strangers do to the port starves nobody: every kind of attack for a moment, with an honest client beside it.
//! `cargo bench --bench attacks` is the long form, one attack at a time.
//!
//! How slow honest calls may become is held against an optimized build, `cargo test --release --test attacks`: without
//! optimization the server works an attack off fifteen times as slowly as it is sent.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

#[path = "support/attack/mod.rs"]
mod attack;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use attack::{
    Attack,
    honest::{Delays, Honest, Seen},
    machine::{Held, Machine},
    server::{Limit, Server, Town},
};

/// How long the honest client is alone before each group, until it is no newcomer any more, and how long beside it: 50 balances
/// and 50 submits a second.
const ALONE: Duration = Duration::from_secs(1);
const BESIDE: Duration = Duration::from_millis(1_600);
/// By how many times the slowest hundredth of honest calls may be slower beside an attack than without, besides what the
/// machine itself holds up meanwhile.
const SLOWER_MAX: u32 = 5;
/// Whether the server is as fast as it is where it serves.
const IS_OPTIMIZED: bool = !cfg!(debug_assertions);
/// Below this a delay says nothing: a thread that is ready waits as long for a core while three others are, which attackers
/// from elsewhere would not be.
const TELLABLE: Duration = Duration::from_millis(4);
/// How often a group is tried before it counts as slow: whoever is starved is starved each time.
const TRIES: usize = 3;
/// How long memory has to be given back, while the honest client works on, how often it is looked at, and how much more than
/// before may be held then, in hundredths.
const BACK_AFTER: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(100);
const BACK_WITHIN: u64 = 20;

/// Attacks that go on at the same time, by words of their names.
const GROUPS: [(&str, &[&str]); 24] = [
    ("sockets that say little", &["say nothing", "halves of", "never ask", "heads, a byte", "10^14"]),
    ("HTTP/1.1", &["by HTTP/1.1", "HTTP/1.1 pipelined", "upgrades"]),
    ("garbage", &["garbage", "opened and closed", "spoken to"]),
    (
        "frames that weigh nothing",
        &["65,535 DATA", "empty DATA", "padding", "WINDOW_UPDATE", "PRIORITY", "unknown kinds"],
    ),
    ("heads", &["CONTINUATION", "HPACK", "15 KB of headers", "trailers"]),
    (
        "PING, SETTINGS, resets",
        &["PING", "SETTINGS", "rapid reset", "subscribe and reset", "more streams", "in no order", "bits flipped"],
    ),
    ("subscribers that take a byte", &["Subscribe from 0, a byte"]),
    ("subscribers that take nothing", &["100 streams of 50", "1,000 streams of 10"]),
    ("subscribers that wait", &["who wait"]),
    ("subscribers that take all", &["all of it read"]),
    ("requests that don't end", &["sent on 100 streams", "then a byte a second", "DryRun, a byte"]),
    ("requests that are announced", &["announced"]),
    ("messages of nothing", &["empty events", "SubmitList of 2.3", "DryRun of 2.3"]),
    ("a recorded sheet in lists", &["60 times"]),
    ("a recorded sheet in streams", &["again and again", "each sheet refused"]),
    ("trials", &["DryRun of 16,000"]),
    ("digests", &["GetStateDigest"]),
    ("questions of others", &["cursors", "there aren't", "GetStatus"]),
    (
        "large answers that nobody takes",
        &["GetEntry of 75 KB on 10,000 streams, unread", "bundles of entries by HTTP/2"],
    ),
    ("large answers of which a byte is taken", &["GetEntry of 75 KB on 10,000 streams, a byte", "GetRecords"]),
    ("answers that nobody takes, on 10,000 streams", &["GetReceipt", "ListAccounts"]),
    ("a flood of a sheet and of calls that wait", &["Submit of one", "far ahead"]),
    ("watchers", &["watch the health"]),
    ("reflection", &["reflection"]),
];

#[test]
fn attacks_neither_end_the_process_nor_starve_the_honest_nor_keep_memory() {
    attack::raise_descriptors();
    let town = Arc::new(Town::build());
    let all = attack::all(&town);
    let words: Vec<&str> = GROUPS.iter().flat_map(|(_, words)| *words).copied().collect();
    let mut names = all.iter().map(|attack| attack.name);
    assert_eq!(names.find(|name| !words.iter().any(|word| name.contains(word))), None, "in no group");
    let mut wrong = Vec::new();
    for (name, words) in GROUPS {
        let chosen = chosen(&all, words);
        let begun = Instant::now();
        let found = check(&chosen, &town);
        eprintln!("{name}: {} attacks, {:.1} s, {found:?}", chosen.len(), begun.elapsed().as_secs_f64());
        wrong.extend(found.into_iter().map(|found| format!("{name}: {found}")));
    }
    assert!(wrong.is_empty(), "beside attacks\n{}", wrong.join("\n"));
}

/// The attacks whose names hold some of the words; each of the words is in a name.
fn chosen(all: &[Attack], words: &[&str]) -> Vec<Attack> {
    for word in words {
        assert!(all.iter().any(|attack| attack.name.contains(word)), "no attack is named {word}");
    }
    all.iter().filter(|attack| words.iter().any(|word| attack.name.contains(word))).cloned().collect()
}

/// What is wrong beside attacks: everything but slowness at once, that only where each try was slow.
fn check(attacks: &[Attack], town: &Arc<Town>) -> Vec<String> {
    let mut slow = Vec::new();
    for _ in 0..TRIES {
        let found = attempt(attacks, town);
        if !found.wrong.is_empty() {
            return found.wrong;
        }
        match found.slow.filter(|_| IS_OPTIMIZED) {
            Some(found) => {
                eprintln!("  {found}");
                slow.push(found);
            }
            None => return Vec::new(),
        }
    }
    slow
}

struct Found {
    wrong: Vec<String>,
    slow: Option<String>,
}

fn attempt(attacks: &[Attack], town: &Arc<Town>) -> Found {
    let mut server = Server::start(town, Limit::Data);
    let honest = Honest::connect(server.address, town);
    let alone = honest.work(ALONE);
    assert_eq!(alone.failed(), 0, "nobody attacks yet: {:?}", alone.failures);
    let before = server.usage().unwrap().resident;
    let running: Vec<_> = attacks.iter().map(|attack| attack.start(server.address, 1)).collect();
    let machine = Machine::watch();
    let beside = honest.work(BESIDE);
    let held = machine.end();
    for running in running {
        let tally = running.end();
        assert!(tally.tries() > 0, "an attack that never was: {}", tally.summary());
    }
    let mut wrong: Vec<String> = beside.failures.iter().map(|(why, times)| format!("{times} x {why}")).collect();
    wrong.extend(server.death().map(|death| format!("the process died, {}: {}", death.status, death.words)));
    if wrong.is_empty() {
        wrong.extend(kept(&server, &honest, before));
    }
    Found { wrong, slow: slower(&alone, &beside, &held) }
}

/// How much memory is still held when it should be given back.
fn kept(server: &Server, honest: &Honest, before: u64) -> Option<String> {
    let until = Instant::now() + BACK_AFTER;
    loop {
        let seen = honest.work(LOOK);
        if seen.failed() > 0 {
            return Some(format!("after the attacks: {:?}", seen.failures));
        }
        let after = server.usage()?.resident;
        if after <= before * (100 + BACK_WITHIN) / 100 {
            return None;
        }
        if Instant::now() >= until {
            return Some(format!("{} MB are still held, {} were before", after >> 10, before >> 10));
        }
    }
}

/// How honest calls are slower beside an attack than may be.
fn slower(alone: &Seen, beside: &Seen, held: &Held) -> Option<String> {
    let slower = |what: &str, alone: &Delays, beside: &Delays, held: &Delays| {
        let (alone, beside, held) = (alone.at(99), beside.at(99), held.at(99));
        let is_slow = beside > alone.max(TELLABLE) * SLOWER_MAX + held;
        let words =
            || format!("the slowest of {what} take {beside:.1?}, {alone:.1?} without; the machine holds up {held:.1?}");
        is_slow.then(words)
    };
    slower("balances", &alone.balances, &beside.balances, &held.echoes)
        .or_else(|| slower("submits", &alone.submits, &beside.submits, &held.syncs))
}

#[test]
fn slowness_is_seen() {
    let delays = |ms: u64| Delays::of([Duration::from_millis(ms)]);
    let seen = |ms: u64| Seen { balances: delays(ms), ..Seen::default() };
    let check = |alone, beside, held, expected: bool| {
        let held_up = Held { echoes: delays(held), syncs: Delays::default() };
        let found = slower(&seen(alone), &seen(beside), &held_up);
        assert_eq!(found.is_some(), expected, "{alone} ms, then {beside} ms of which {held} are the machine's");
    };
    check(10, 50, 0, false);
    check(10, 51, 0, true);
    check(1, 20, 0, false);
    check(1, 21, 0, true);
    check(1, 21, 1, false);
    check(1, 5_000, 80, true);
}

#[test]
fn what_the_machine_holds_up_is_looked_at_on_each_core() {
    let machine = Machine::watch();
    std::thread::sleep(ALONE);
    let Held { echoes, syncs } = machine.end();
    assert!(echoes.count() > 1 && syncs.count() == echoes.count());
    assert!(Duration::ZERO < echoes.at(50) && echoes.at(50) < syncs.at(50), "{echoes:?} {syncs:?}");
}
