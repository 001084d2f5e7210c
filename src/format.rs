//! Bytes that outlive us: what is signed, hashed, kept and shown, and the one way to read it.

pub mod archive;
pub mod checkpoint;
pub mod proof;
#[allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::allow_attributes_without_reason, reason = "generated")]
pub mod proto;
pub mod signature;
pub mod wire;
