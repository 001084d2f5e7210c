//! Generated from `proto/timebank/v1`, checked in, and kept in step by `tests/proto.rs`.

include!("proto/timebank.v1.rs");

/// The `FileDescriptorSet` of `proto/timebank/v1`, for reflection and for the names of fields in errors.
pub const DESCRIPTOR: &[u8] = include_bytes!("proto/descriptor.bin");
