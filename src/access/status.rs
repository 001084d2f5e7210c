//! The ledger as a whole: what it is, how far it is, and its newest checkpoint.

use super::{
    failure::ReadError,
    reader::{Permission, Reader},
    reads::Reads,
};
use crate::{
    engine::scrub::Scrubbed,
    ledger::{AccountId, AccountNumber, Millis, Policy, Predecessor},
    merkle::Hash,
};

/// What a ledger is and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its name.
    pub origin: String,
    /// Entries that are durable.
    pub size: u64,
    /// The tree's root over them.
    pub root: Hash,
    /// Accounts that were opened.
    pub accounts: u32,
    /// The sum of all balances: 0, or the process would have stopped.
    pub balance_sum: i128,
    /// Open holds.
    pub holds: usize,
    /// Rows of all histories. Counted on its own: of an entry that is on its way to readers they may be counted already.
    pub postings: u64,
    /// When the newest entry was recorded.
    pub recorded_at: Millis,
    /// The ledger key as a C2SP verifier key.
    pub ledger_vkey: String,
    /// Leaf hash of entry 0.
    pub genesis_leaf_hash: Hash,
    /// The account that minutes come from.
    pub issuance: Option<AccountId>,
    /// The rules' numbers in force.
    pub policy: Policy,
    /// Entries under the newest checkpoint.
    pub checkpoint_size: u64,
    /// The ledger that this one carries on.
    pub predecessor: Option<Predecessor>,
    /// How far the log was read again while it is served, and what was found.
    pub scrubbed: Scrubbed,
}

/// The newest checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The signed note.
    pub note: String,
    /// The newest one that enough witnesses have cosigned, perhaps an older one; empty where there is none.
    pub cosigned: String,
}

impl Reads {
    /// What the ledger is and how far it is.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`].
    pub fn status(&self, reader: Reader) -> Result<Status, ReadError> {
        reader.check(Permission::Local)?;
        let checkpoint_size = self.published.borrow().size;
        let postings = self.node.projection.history().postings();
        let shown = self.node.projection.shown();
        Ok(Status {
            origin: shown.origin().to_owned(),
            size: shown.size(),
            root: shown.root(),
            accounts: shown.accounts().len(),
            balance_sum: shown.balance_sum(),
            holds: shown.holds().len(),
            postings,
            recorded_at: shown.recorded_at(),
            ledger_vkey: self.identity.ledger_vkey.clone(),
            genesis_leaf_hash: self.identity.genesis_leaf_hash,
            issuance: shown.accounts().id(AccountNumber(0)),
            policy: shown.policy().clone(),
            checkpoint_size,
            predecessor: self.identity.predecessor.clone(),
            scrubbed: self.scrubbed.borrow().clone(),
        })
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// None so far: it is for everybody.
    pub fn checkpoint(&self, reader: Reader) -> Result<Checkpoint, ReadError> {
        reader.check(Permission::Public)?;
        let note = self.published.borrow().note.clone();
        Ok(Checkpoint { note, cosigned: self.cosigned.borrow().clone() })
    }
}
