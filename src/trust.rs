//! For those who trust nobody: audits, the public log and its mirrors, witnesses and asking them.

pub mod audit;
pub mod evidence;
pub mod mirror;
pub mod witness;
pub mod witnesses;
