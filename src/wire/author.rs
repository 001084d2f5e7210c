//! The author's side: events into a signed sheet.

use bytes::Bytes;
use prost::Message;

use crate::{
    ledger::{Millis, SheetId},
    merkle,
    proto::{Event, Sheet, SheetHeader, event::Kind},
    signature::{PrivateKey, SHEET_HEADER_TYPE, pre_authentication_encoding},
};

/// A sheet about to be signed.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The ledger it is for.
    pub origin: &'a str,
    /// A fresh `UUIDv7`.
    pub sheet_id: SheetId,
    /// Now.
    pub issued_at: Millis,
    /// Last moment to record it.
    pub valid_until: Millis,
    /// Its events.
    pub events: Vec<Kind>,
}

/// Salts the events with the operating system's randomness and signs the sheet; the first key is the author's.
///
/// # Errors
/// The operating system has no randomness to give.
pub fn sign(draft: Draft<'_>, keys: &[&PrivateKey]) -> Result<Sheet, getrandom::Error> {
    let mut salts = vec![0; 16 * draft.events.len()];
    getrandom::fill(&mut salts)?;
    let salts = Bytes::from(salts);
    let events: Vec<Bytes> = draft
        .events
        .into_iter()
        .enumerate()
        .map(|(number, kind)| {
            let salt = salts.slice(16 * number..16 * (number + 1));
            Event { salt, kind: Some(kind) }.encode_to_vec().into()
        })
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
    Ok(Sheet { header, events, signatures })
}
