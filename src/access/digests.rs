//! What all histories come to, for auditors.

use std::sync::Arc;

use super::{
    failure::ReadError,
    lanes::beside,
    page::Reflected,
    reader::{Permission, Reader},
    reads::Reads,
};
use crate::{
    engine::projection::digest::{AccountDigest, RANGE_ACCOUNTS, range_digest},
    ledger::LogIndex,
    merkle::Hash,
};

/// What all histories up to an entry come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDigest {
    /// Accounts that have rows up to that entry.
    pub accounts: usize,
    /// One hash for each 4,096 of them, ordered by id.
    pub range_digests: Vec<Hash>,
    /// The digests of the accounts of the range that was asked for; none where none was.
    pub account_digests: Vec<AccountDigest>,
}

impl Reads {
    /// Reads every posting row once, for one caller at a time, beside the thread that asks.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::IndexOutOfRange`], [`ReadError::DigestBusy`], [`ReadError::Failed`],
    /// [`ReadError::FieldInvalid`] for a range that isn't there.
    pub async fn state_digest(
        &self,
        reader: Reader,
        at_index: Option<LogIndex>,
        range: Option<u64>,
    ) -> Result<Reflected<StateDigest>, ReadError> {
        reader.check(Permission::Local)?;
        let reflected_index = self.node.projection.shown().reflected_index();
        let LogIndex(index) = at_index.unwrap_or(LogIndex(reflected_index));
        if index > reflected_index {
            return Err(ReadError::IndexOutOfRange { index, reflected_index });
        }
        let (place, projection) = (self.lanes.enter_digests()?, Arc::clone(&self.node.projection));
        let answer = beside(place, move || {
            let digests = projection.account_digests(index)?;
            let ranges: Vec<&[AccountDigest]> = digests.chunks(RANGE_ACCOUNTS).collect();
            let account_digests = match range {
                None => Vec::new(),
                Some(range) => {
                    let range = usize::try_from(range).ok().and_then(|range| ranges.get(range));
                    range.ok_or_else(|| ReadError::invalid("range", "a range that there is, from 0"))?.to_vec()
                }
            };
            let range_digests = ranges.into_iter().map(range_digest).collect();
            Ok(StateDigest { accounts: digests.len(), range_digests, account_digests })
        });
        Ok(Reflected { answer: answer.await?, reflected_index: LogIndex(index) })
    }
}
