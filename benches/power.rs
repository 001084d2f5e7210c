//! What power cuts leave of a ledger: servers are recorded call by call, their folders rebuilt as a disk may have them at any
//! moment, and each of these states is opened and held to what was told before it.
//!
//! `cargo bench --bench power`, or `-- 1000 --seed 7 --lives 6` for another number of states, another seed, and fewer states of
//! each recording; with `--read-by-all` not only one in sixteen is read by all who read a data folder. Needs strace. Prints what the table of `docs/recovery.md` adds up, and fails where anything is missing that
//! somebody was told.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench stops at the first surprise and prints a table"
)]

#[path = "../tests/power/campaign.rs"]
mod campaign;
#[path = "../tests/power/check.rs"]
mod check;
#[path = "../tests/power/disk.rs"]
mod disk;
#[path = "../tests/power/fate.rs"]
mod fate;
#[path = "../tests/power/found.rs"]
mod found;
#[path = "../tests/power/life.rs"]
mod life;
#[path = "../tests/power/recorder.rs"]
mod recorder;
#[path = "../tests/power/told.rs"]
mod told;
#[path = "../tests/power/tools.rs"]
mod tools;
#[path = "../tests/power/town.rs"]
mod town;
#[path = "../tests/power/trace.rs"]
mod trace;

use campaign::Options;

/// States of a life, on average: at each end of its 150 syncs or so, and at as many other moments.
const STATES_PER_LIFE: usize = 700;

fn main() {
    let mut options = Options { states: 3_000, lives: 0, sheets: 24, seed: 1, read_by_all_every: 16 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--lives" => options.lives = arguments.next().unwrap().parse().unwrap(),
            "--seed" => options.seed = arguments.next().unwrap().parse().unwrap(),
            "--read-by-all" => options.read_by_all_every = 1,
            // What cargo says to every bench.
            "--bench" => {}
            count => options.states = count.parse().unwrap(),
        }
    }
    if options.lives == 0 {
        // One of each kind at least.
        options.lives = (options.states / STATES_PER_LIFE).max(3);
    }
    assert!(trace::is_there(), "needs strace (Debian: apt-get install strace)");
    let found = campaign::run(options).unwrap();
    println!("seed {}, {}", options.seed, found.table());
    assert!(found.faults.is_empty() && found.sound() == options.states, "{} of {}", found.sound(), options.states);
}
