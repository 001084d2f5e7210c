//! Sheets past their validity that come again: a reader answers them, for their ids are on the disk, and the writer has other
//! things to do than to wait for it.

use std::sync::Arc;

use super::{
    Accepted, SubmitError,
    publish::{Published, publication},
};
use crate::{
    engine::{
        past::PastError,
        projection::Projection,
        replay::{SignatureVerdict, signature_verdicts},
        store::LogStore,
    },
    format::wire::{self, Decoded},
    ledger::{Millis, Refusal, Rejection},
};

/// Where they are looked up.
pub(super) struct Expired {
    pub(super) store: Arc<dyn LogStore>,
    pub(super) projection: Arc<Projection>,
}

impl Expired {
    /// Whether a sheet is worth a look: some were put away, and this one would be among them.
    pub(super) fn may_have(&self, decoded: &Decoded, now: Millis) -> bool {
        decoded.sheet.valid_until < now && self.projection.put_away().has_sheets()
    }

    /// What the writer would say of a sheet whose id was put away: the receipt of the entry that holds it, with a proof up to
    /// `checkpoint` where one is wanted, or that another sheet has its id. Nothing where the writer itself has to look: at a
    /// signature that doesn't verify, or an id that it holds in memory or nobody used.
    ///
    /// # Errors
    /// The files can't be read.
    pub(super) fn answer(
        &self,
        decoded: &Decoded,
        checkpoint: Option<&Published>,
    ) -> Result<Option<Result<Accepted, SubmitError>>, PastError> {
        let (keys, origin, size) = {
            let shown = self.projection.shown();
            (shown.keys().clone(), shown.origin().to_owned(), shown.size())
        };
        let verdict = signature_verdicts(&[decoded], |key_id| keys.public_key(key_id)).pop();
        let Some(author) = decoded.sheet.signers.first().filter(|_| verdict == Some(SignatureVerdict::Valid)) else {
            return Ok(None);
        };
        let found = self.projection.put_away().sheet(*author, decoded.sheet.sheet_id)?;
        let known = |index: &u64| *index < size && checkpoint.is_none_or(|published| *index < published.size);
        let Some(index) = found.map(|found| found.0).filter(known).filter(|_| decoded.sheet.origin == origin) else {
            return Ok(None);
        };
        let Some(entry) = self.store.entry(index)? else { return Ok(None) };
        if wire::header_hash(&entry.header) != decoded.header_hash {
            let rejection = Rejection::SheetExistsWithDifferentBytes { index: crate::ledger::LogIndex(index) };
            return Ok(Some(Err(SubmitError::Refused(Refusal::sheet("header.sheet_id", rejection)))));
        }
        let Some(receipt) = self.projection.receipt(index)? else { return Ok(None) };
        let publication = checkpoint.map(|published| publication(self.store.as_ref(), published, index)).transpose()?;
        Ok(Some(Ok(Accepted { receipt, publication })))
    }
}
