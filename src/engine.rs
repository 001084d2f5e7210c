//! Entries become state: once, durably, in order.

pub mod clock;
pub mod key_file;
pub mod log;
pub mod past;
pub mod pipeline;
pub mod projection;
pub mod replay;
pub mod sequencer;
pub mod store;
