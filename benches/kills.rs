//! What kills and faults leave of what was told: servers under load are killed at random moments, stopped, ended, kept from
//! their disk and from descriptors.
//!
//! `cargo bench --bench kills`, or `-- 500 --seed 7` for another number of rounds and other moments. Needs strace. After each
//! round all that was sent in it is sent again: what was acknowledged has to get its first receipt, what got no answer is
//! counted once. At the end the balance, `fsck` and an audit have to agree with all of it. Prints the table of
//! `docs/recovery.md`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench stops at the first surprise and prints a table"
)]

#[path = "../tests/kills/campaign.rs"]
mod campaign;
#[path = "../tests/kills/fault.rs"]
mod fault;
#[path = "../tests/kills/found.rs"]
mod found;
#[path = "../tests/kills/load.rs"]
mod load;
#[path = "../tests/support/program.rs"]
mod program;
#[path = "../tests/kills/server.rs"]
mod server;
#[path = "../tests/kills/town.rs"]
mod town;
#[path = "../tests/power/trace.rs"]
mod trace;

use campaign::Options;

fn main() {
    let mut options = Options { rounds: 100, seed: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seed" => options.seed = arguments.next().unwrap().parse().unwrap(),
            // What cargo says to every bench.
            "--bench" => {}
            count => options.rounds = count.parse().unwrap(),
        }
    }
    assert!(trace::is_there(), "needs strace (Debian: apt-get install strace)");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = std::time::Instant::now();
    let found = runtime.block_on(campaign::run(options)).unwrap();
    let took = began.elapsed().as_secs();
    println!("seed {}, {} rounds, {} starts, {took} s\n{}", options.seed, options.rounds, found.starts, found.table());
    assert!(found.faults.is_empty(), "{}", found.faults.join("\n"));
    assert!(found.unmet().is_empty(), "no server met {:?}", found.unmet());
}
