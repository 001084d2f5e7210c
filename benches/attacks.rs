//! What strangers on the port cost others: every attack for a while against the release binary, under 1,024 descriptors and
//! 1 GiB of address space (`--data`: of memory that it may write to), with an honest client alone and beside it.
//!
//! `cargo bench --bench attacks`, or `-- --quick` for a short look, `-- --only WORDS` for the rows whose names hold them,
//! `-- --seconds N`, `-- --seed N`. Prints the table of `docs/limits.md`, and fails where the process died, an honest call was
//! not answered, or the memory was not given back. Server, attackers and honest client share the machine: the rows in
//! brackets say what attackers cost by that alone.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints a table"
)]

#[path = "../tests/support/attack/mod.rs"]
mod attack;

use std::{
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use attack::{
    Attack, controls,
    honest::{Delays, Honest, Seen},
    server::{Death, Limit, Server, Town, Usage},
};

/// How long after an attack memory has to be given back.
const BACK_AFTER: Duration = Duration::from_secs(10);
/// How much more than before it may be by then, in hundredths.
const BACK_WITHIN: u64 = 20;
/// How long the honest client is alone before an attack, for each second beside it.
const ALONE_PART: u32 = 4;

/// How long it works before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// How often memory is looked at until it is back.
const LOOK: Duration = Duration::from_millis(100);

struct Options {
    length: Duration,
    quick: bool,
    limit: Limit,
    only: String,
    seed: u64,
}

fn main() {
    let mut options = Options {
        length: Duration::from_secs(20),
        quick: false,
        limit: Limit::AddressSpace,
        only: String::new(),
        seed: 1,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => (options.length, options.quick) = (Duration::from_secs(4), true),
            "--seconds" => options.length = Duration::from_secs(arguments.next().unwrap().parse().unwrap()),
            "--data" => options.limit = Limit::Data,
            "--only" => options.only = arguments.next().unwrap(),
            "--seed" => options.seed = arguments.next().unwrap().parse().unwrap(),
            // What cargo says to every bench.
            "--bench" => {}
            unknown => panic!("{unknown}: --quick, --data, --seconds N, --only WORDS, --seed N"),
        }
    }
    attack::raise_descriptors();
    let town = Arc::new(Town::build());
    let attacks = [controls::controls(), attack::all(&town)].concat();
    let chosen: Vec<Attack> = attacks.into_iter().filter(|attack| attack.name.contains(&options.only)).collect();
    println!(
        "{} s each, seed {}, 1 GiB of {:?}; times in ms, p50 / p99; memory in MB, before / at most / {} s after",
        options.length.as_secs(),
        options.seed,
        options.limit,
        BACK_AFTER.as_secs()
    );
    println!(
        "| attack | lives | balance alone | beside | submit alone | beside | worst p99 | unanswered | newcomers | memory |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let wrong: Vec<String> = chosen.iter().flat_map(|attack| row(attack, &town, &options)).collect();
    println!("\n{} attacks, {} things wrong", chosen.len(), wrong.len());
    for wrong in &wrong {
        println!("* {wrong}");
    }
    if !wrong.is_empty() {
        std::process::exit(1);
    }
}

/// What one attack came to.
struct Measured {
    alone: Seen,
    beside: Seen,
    before: Usage,
    most: Usage,
    after: Usage,
    /// Honest calls without an answer once the attack was over.
    unanswered_after: usize,
    death: Option<Death>,
}

/// Measures one attack, prints its row, and says what was wrong.
fn row(attack: &Attack, town: &Arc<Town>, options: &Options) -> Vec<String> {
    let mut server = Server::start(town, options.limit);
    let honest = Honest::connect(server.address, town);
    // The first calls of a process are slower than all others.
    honest.work(WARM_UP);
    let alone = honest.work(options.length / ALONE_PART + Duration::from_secs(1));
    let before = server.usage().unwrap();
    let watch = server.watch();
    let running = attack.start(server.address, options.seed);
    let beside = honest.work(options.length);
    let tally = running.end();
    let ended = Instant::now();
    let most = watch.end();
    let death = server.death();
    let given_back = |usage: Option<Usage>| usage.is_none_or(|usage| usage.resident <= held_at_most(&before));
    let mut unanswered_after = 0;
    // The honest client works on. In a short look it counts that it comes back, not that it stays so.
    while death.is_none() && ended.elapsed() < BACK_AFTER && !(options.quick && given_back(server.usage())) {
        unanswered_after += honest.work(LOOK).failed();
    }
    let after = server.usage().unwrap_or_default();
    let measured = Measured { alone, beside, before, most, after, unanswered_after, death };
    measured.print(attack.name);
    println!("<!-- {}; {} threads, VmPeak {} MB -->", tally.summary(), most.threads, most.address_space_peak >> 10);
    std::io::stdout().flush().unwrap();
    measured.wrong().into_iter().map(|wrong| format!("{}: {wrong}", attack.name)).collect()
}

/// How much may still be held after an attack, in KiB.
fn held_at_most(before: &Usage) -> u64 {
    before.resident * (100 + BACK_WITHIN) / 100
}

impl Measured {
    fn print(&self, name: &str) {
        let Self { alone, beside, before, most, after, death, .. } = self;
        let lives = death.as_ref().map_or("yes".to_owned(), |death| format!("**no**, {}", death.status));
        let newcomers = beside.newcomers.count();
        let tried = newcomers
            + beside.failures.iter().filter(|(why, _)| why.starts_with("newcomer")).map(|(_, n)| n).sum::<usize>();
        println!(
            "| {name} | {lives} | {} | {} | {} | {} | {} | {} | {newcomers} of {tried}, {:.0} ms | {} / {} / {} |",
            both(&alone.balances),
            both(&beside.balances),
            both(&alone.submits),
            both(&beside.submits),
            self.worst(),
            beside.failed(),
            ms(beside.newcomers.at(99)),
            before.resident >> 10,
            most.resident >> 10,
            after.resident >> 10,
        );
    }

    /// By how much the slowest calls of one kind are slower than alone.
    fn worst(&self) -> String {
        let ratio = |beside: &Delays, alone: &Delays| ms(beside.at(99)) / ms(alone.at(99)).max(1e-3);
        let Self { alone, beside, .. } = self;
        if beside.balances.count().min(beside.submits.count()) == 0 {
            return "none".to_owned();
        }
        let worst = ratio(&beside.balances, &alone.balances).max(ratio(&beside.submits, &alone.submits));
        format!("{worst:.1} x")
    }

    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(death) = &self.death {
            return vec![format!("the process died, {}: {}", death.status, death.words)];
        }
        wrong.extend(self.beside.failures.iter().map(|(why, times)| format!("{times} x {why}")));
        if self.unanswered_after > 0 {
            wrong.push(format!("{} calls were not answered after it", self.unanswered_after));
        }
        if self.after.resident > held_at_most(&self.before) {
            let (before, after) = (self.before.resident >> 10, self.after.resident >> 10);
            wrong.push(format!("{after} MB are still held, {before} were before"));
        }
        wrong
    }
}

fn ms(delay: Duration) -> f64 {
    delay.as_secs_f64() * 1e3
}

fn both(delays: &Delays) -> String {
    if delays.count() == 0 {
        return "none".to_owned();
    }
    format!("{:.1} / {:.1}", ms(delays.at(50)), ms(delays.at(99)))
}
