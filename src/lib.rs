//! The ledger of a time bank: signed volunteer hours, the rules they obey, and proofs that anyone can check.
//!
//! Four floors; imports only ever point down. `ARCHITECTURE.md` has the map.

#[allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::allow_attributes_without_reason, reason = "generated")]
pub mod proto;

pub mod archive;
pub mod checkpoint;
pub mod ledger;
pub mod merkle;
pub mod proof;
pub mod replay;
pub mod signature;
pub mod wire;

#[cfg(feature = "service")]
pub mod audit;
#[cfg(feature = "service")]
pub mod calendar;
#[cfg(feature = "service")]
pub mod cli;
#[cfg(feature = "service")]
pub mod clock;
#[cfg(feature = "service")]
pub mod config;
#[cfg(feature = "service")]
pub mod demo;
#[cfg(feature = "service")]
pub mod directory;
#[cfg(feature = "service")]
pub(crate) mod import;
#[cfg(feature = "service")]
pub mod mirror;
#[cfg(feature = "service")]
pub mod past;
#[cfg(feature = "service")]
pub mod pipeline;
#[cfg(feature = "service")]
pub mod projection;
#[cfg(feature = "service")]
pub mod sequencer;
#[cfg(feature = "service")]
pub mod server;
#[cfg(feature = "service")]
pub mod store;
#[cfg(feature = "service")]
pub mod witness;
