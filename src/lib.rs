//! The ledger of a time bank: signed volunteer hours, the rules they obey, and proofs that anyone can check.
//!
//! Rooms, one above the other; imports only ever point down. `ARCHITECTURE.md` has the map.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod format;
pub mod ledger;
pub mod merkle;

#[cfg(feature = "service")]
pub mod access;
#[cfg(feature = "service")]
pub mod cli;
#[cfg(feature = "service")]
pub mod engine;
#[cfg(feature = "service")]
pub mod folder;
#[cfg(feature = "service")]
pub mod people;
#[cfg(feature = "service")]
pub mod server;
#[cfg(feature = "service")]
pub mod trust;
