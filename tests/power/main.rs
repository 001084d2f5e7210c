//! What a power cut leaves: a server is recorded call by call, its folder is rebuilt as a disk may have it at any moment, and
//! opened. Nothing that was told before may be missing.
//!
//! `cargo bench --bench power` is the long form.
#![cfg(target_os = "linux")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise; the bench has the modules too"
)]

#[path = "../support/absent.rs"]
#[allow(dead_code, reason = "its folders of data are those of others")]
mod absent;
mod campaign;
mod check;
mod disk;
mod fate;
mod found;
mod life;
mod models;
mod recorder;
mod told;
mod tools;
mod town;
mod trace;

use campaign::Options;

#[test]
fn what_was_told_survives_a_power_cut_at_any_moment() {
    if !trace::is_there() {
        return absent::skipped(
            "strace, which records what a server does to its files (Debian: apt-get install strace)",
        );
    }
    // Of each life three runs end by a kill, of one that is killed as it begins some more.
    let options = Options { states: 100, lives: 3, sheets: 24, seed: 1, read_by_all_every: 16 };
    let found = campaign::run(options).unwrap();
    println!("{}", found.table());
    assert!(found.kills >= 3 * options.lives, "only {} kills met their moment", found.kills);
    assert_eq!(found.sound(), options.states, "{}", found.faults.join("\n"));
}
