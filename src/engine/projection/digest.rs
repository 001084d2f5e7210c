//! What every account's history comes to, in one hash: what an auditor compares with a replay of its own.

use sha2::{Digest, Sha256};

use super::{Projection, ProjectionError, rows::PostingRow};
use crate::{
    ledger::{AccountId, AccountNumber},
    merkle::Hash,
};

/// Accounts of a range.
pub const RANGE_ACCOUNTS: usize = 4_096;
/// Rows read at a time: 1.2 MB.
const ROWS: u64 = 16_384;

/// An account's history up to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountDigest {
    /// Public id: dense numbers never leave the process. Digests are ordered by it.
    pub account: AccountId,
    /// Rows up to that entry, those that only reserve minutes included.
    pub postings: u64,
    /// The chain over them. `proto.AccountDigest` has it byte by byte.
    pub history: Hash,
}

/// The digest of a range of accounts.
#[must_use]
pub fn range_digest(accounts: &[AccountDigest]) -> Hash {
    let mut digest = Sha256::new();
    for account in accounts {
        digest.update(account.account.0);
        digest.update(account.postings.to_be_bytes());
        digest.update(account.history);
    }
    digest.finalize().into()
}

fn begin(account: AccountId) -> Hash {
    Sha256::new().chain_update(b"timebank history v1\n").chain_update(account.0).finalize().into()
}

fn extend(before: Hash, number: u64, row: &PostingRow, counterparty: [u8; 16]) -> Hash {
    Sha256::new()
        .chain_update(before)
        .chain_update(number.to_be_bytes())
        .chain_update(row.minutes.to_be_bytes())
        .chain_update(row.balance_after.to_be_bytes())
        .chain_update(row.held_after.to_be_bytes())
        .chain_update(row.index.to_be_bytes())
        .chain_update(row.event.to_be_bytes())
        .chain_update([row.kind])
        .chain_update(row.recorded_at_ms.to_be_bytes())
        .chain_update(counterparty)
        .finalize()
        .into()
}

impl Projection {
    /// The digests of all accounts that have rows up to an entry, ordered by id. Reads every row once, in order.
    ///
    /// # Errors
    /// The files can't be read.
    pub fn account_digests(&self, at_index: u64) -> Result<Vec<AccountDigest>, ProjectionError> {
        let ids: Vec<AccountId> = {
            let version = self.shown().version().clone();
            (0..version.accounts().len()).filter_map(|number| version.accounts().id(AccountNumber(number))).collect()
        };
        let id = |number: u32| ids.get(number as usize).map_or([0; 16], |id| id.0);
        let mut digests: Vec<AccountDigest> =
            ids.iter().map(|id| AccountDigest { account: *id, postings: 0, history: begin(*id) }).collect();
        let (mut next, end) = (0, self.history.postings());
        'rows: while next < end {
            let until = end.min(next + ROWS);
            for row in self.history.posting_rows(next..until)? {
                // Rows stand in the order of the log.
                if row.index > at_index {
                    break 'rows;
                }
                if let Some(digest) = digests.get_mut(row.account as usize) {
                    digest.history = extend(digest.history, digest.postings, &row, id(row.counterparty));
                    digest.postings += 1;
                }
            }
            next = until;
        }
        digests.retain(|digest| digest.postings > 0);
        digests.sort_unstable_by_key(|digest| digest.account.0);
        Ok(digests)
    }
}
