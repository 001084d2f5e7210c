//! Received bytes to ledger types and back. What was received is what is signed, hashed, stored and replayed; nothing
//! here is ever re-encoded except to compare.

mod author;
mod canonical;
mod entry;
mod event;
mod frequent;
mod leaf;
mod limits;
mod messages;
mod request;
mod sheet;

pub use author::{Draft, SALT_BYTES, sign, sign_salted};
pub use entry::StoredEntry;
pub use event::policy;
pub use leaf::{LEAF_LENGTH, header_hash, leaf, signatures_hash};
pub use limits::{EVENT_BYTES_MAX, EVENTS_MAX, HEADER_BYTES_MAX, SHEET_BYTES_MAX, SIGNERS_MAX};
pub use messages::{
    account_bytes, account_kind, correction_reason, entry_message, event_receipt, event_ref_message, key_role,
    kind_message, policy_message, predecessor_message, role_message, rounding_message, warning_message,
};
pub use request::{Sheets, one_sheet, sheets};
pub use sheet::{Decoded, Header, decode, decode_entry, decode_event, decode_event_in_entry, decode_header, is_origin};
