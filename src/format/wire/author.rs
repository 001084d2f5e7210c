//! The author's side: events into a signed sheet.

use bytes::Bytes;
use prost::Message;

use crate::{
    format::{
        proto::{Event, Sheet, SheetHeader, event::Kind},
        signature::{PrivateKey, SHEET_HEADER_TYPE, pre_authentication_encoding},
    },
    ledger::{Millis, SheetId},
    merkle,
};

/// Bytes of the salt that keeps an event from being guessed.
pub const SALT_BYTES: usize = 16;

/// A sheet about to be signed.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The ledger it is for.
    pub origin: &'a str,
    /// A fresh `UUIDv7`.
    pub sheet_id: SheetId,
    /// When it is signed, by the author's clock.
    pub issued_at: Millis,
    /// Last moment to record it.
    pub valid_until: Millis,
    /// 1 to 1,000, in the order in which they take effect.
    pub events: Vec<Kind>,
}

/// Salts the events with the operating system's randomness and signs the sheet; the first key is the author's.
///
/// # Errors
/// The operating system has no randomness to give.
pub fn sign(draft: Draft<'_>, keys: &[&PrivateKey]) -> Result<Sheet, getrandom::Error> {
    let mut salts = vec![[0; SALT_BYTES]; draft.events.len()];
    getrandom::fill(salts.as_flattened_mut())?;
    Ok(sign_salted(draft, &salts, keys))
}

/// Signs the sheet over events with these salts, one each: for ledgers that nobody has a secret in. Who knows the salts
/// can guess the events beside one that is shown.
#[must_use]
pub fn sign_salted(draft: Draft<'_>, salts: &[[u8; SALT_BYTES]], keys: &[&PrivateKey]) -> Sheet {
    let salted = draft.events.into_iter().zip(salts);
    let events: Vec<Bytes> = salted
        .map(|(kind, salt)| Event { salt: salt.to_vec().into(), kind: Some(kind) }.encode_to_vec().into())
        .collect();
    let header: Bytes = SheetHeader {
        format: 1,
        origin: draft.origin.to_owned(),
        sheet_id: draft.sheet_id.0.to_vec().into(),
        signers: keys.iter().map(|key| key.key_id().0.to_vec().into()).collect(),
        issued_at_ms: draft.issued_at.0,
        valid_until_ms: draft.valid_until.0,
        event_count: u32::try_from(events.len()).unwrap_or(u32::MAX),
        events_root: merkle::root_of_leaves(events.iter().map(|event| merkle::leaf_hash(event))).to_vec().into(),
    }
    .encode_to_vec()
    .into();
    let message = pre_authentication_encoding(SHEET_HEADER_TYPE, &header);
    let signatures = keys.iter().map(|key| key.sign(&message).to_vec().into()).collect();
    Sheet { header, events, signatures }
}
