//! Real witnesses over real sockets, alone and with a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod beside_hostile;
mod crowd;
mod harness;
mod hostile;
mod http;
mod ledger;
#[path = "../support/program.rs"]
mod program;
