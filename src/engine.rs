//! Entries become state: once, durably, in order.

pub mod checkpoint_holder;
pub mod clock;
pub mod follow;
pub mod key_file;
pub mod log;
pub mod machine;
pub mod node;
pub mod now;
pub mod past;
pub mod pipeline;
pub mod progress;
pub mod projection;
pub mod replay;
mod saver;
pub mod scrub;
pub(crate) mod seldom;
pub mod sequencer;
pub mod store;
pub mod tree;
