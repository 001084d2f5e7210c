//! A server under load that is killed, stopped, ended, kept from its disk and from descriptors, in turn: nothing that anybody
//! was told is lost, changed or counted twice, and what a service survives it goes on after.
//!
//! `cargo bench --bench kills` is the long form.
#![cfg(target_os = "linux")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise; the bench has the modules too"
)]

#[path = "../support/absent.rs"]
#[allow(dead_code, reason = "its folders of data are those of others")]
mod absent;
mod campaign;
mod fault;
mod found;
mod load;
#[path = "../support/program.rs"]
mod program;
mod server;
mod town;
#[path = "../power/trace.rs"]
#[allow(dead_code, reason = "what traces say is read elsewhere")]
mod trace;

use campaign::Options;

#[tokio::test]
async fn nothing_told_is_lost_to_kills_stops_full_disks_and_missing_descriptors() {
    if !trace::is_there() {
        return absent::skipped("strace, which makes calls of a server fail (Debian: apt-get install strace)");
    }
    // Each kind once.
    let found = campaign::run(Options { rounds: fault::Fault::ALL.len(), seed: 1 }).await.unwrap();
    println!("{}", found.table());
    assert!(found.faults.is_empty(), "{}", found.faults.join("\n"));
    assert_eq!(found.unmet(), [], "no server met these");
}
