//! One bit flipped in a data folder, in a file of every kind: whoever opens the folder says the same of it, and nothing that was
//! told is told otherwise.
//!
//! `cargo bench --bench flips` is the long form.
#![cfg(target_os = "linux")]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise; the bench has the modules too"
)]

mod begun;
mod campaign;
#[path = "../support/imported.rs"]
mod imported;
mod made;
mod opened;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;
mod told;
#[path = "../power/town.rs"]
mod town;
mod verdict;

use campaign::Options;

#[test]
fn a_flipped_bit_anywhere_is_told_alike_by_all_and_makes_nobody_tell_otherwise() {
    let found = campaign::run(&Options { places: 1, seed: 1, only: String::new() });
    println!("{}", found.table());
    assert!(found.faults.is_empty(), "{}", found.faults.join("\n"));
}
