//! What one flipped bit does to a data folder, at random places of files of every kind: `fsck`, `audit`, `export` with `restore`,
//! and `serve` open it, each a copy of its own.
//!
//! `cargo bench --profile dev --bench flips`, or `-- 200 --seed 7` for another number of places a kind and other places, `--only db` for files of
//! that name. A
//! development build, as it puts away 16 rows at a time and so has every file in a small folder. Prints the table of
//! `docs/recovery.md`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench stops at the first surprise and prints a table"
)]

#[path = "../tests/flips/begun.rs"]
mod begun;
#[path = "../tests/flips/campaign.rs"]
mod campaign;
#[path = "../tests/support/imported.rs"]
mod imported;
#[path = "../tests/flips/made.rs"]
mod made;
#[path = "../tests/flips/opened.rs"]
mod opened;
#[path = "../tests/support/server.rs"]
mod server;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "../tests/flips/told.rs"]
mod told;
#[path = "../tests/power/town.rs"]
mod town;
#[path = "../tests/flips/verdict.rs"]
mod verdict;

use campaign::Options;

fn main() {
    let mut options = Options { places: 20, seed: 1, only: String::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seed" => options.seed = arguments.next().unwrap().parse().unwrap(),
            "--only" => options.only = arguments.next().unwrap(),
            // What cargo says to every bench.
            "--bench" => {}
            count => options.places = count.parse().unwrap(),
        }
    }
    let began = std::time::Instant::now();
    let found = campaign::run(&options);
    let took = began.elapsed().as_secs();
    println!("seed {}, {} places a kind, {took} s\n{}", options.seed, options.places, found.table());
    assert!(found.faults.is_empty(), "{}", found.faults.join("\n"));
}
