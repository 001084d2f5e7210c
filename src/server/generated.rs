//! The server's side of `proto/timebank/v1`, generated, checked in, and kept in step by `tests/proto.rs`.

include!("generated/ledger_service.rs");
