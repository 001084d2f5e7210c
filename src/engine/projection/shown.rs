//! What readers see: a durable version of the ledger, and what is on its accounts.

use std::ops::Deref;

use bytes::Bytes;

use super::Committed;
use crate::{
    engine::replay::Replay,
    format::wire,
    ledger::{
        AMOUNTS_PAGE, Account, AccountNumber, Amounts, State, Version,
        table::{Blocks, Rows as _},
    },
    merkle::Hash,
};

/// The readers' part of the newest durable state.
#[derive(Debug, Clone)]
pub struct Shown {
    version: Version,
    /// The readers' own copy of what is on the accounts, and the only one: the writer is ahead of it.
    amounts: Blocks<Amounts, AMOUNTS_PAGE>,
    root: Hash,
    balance_sum: i128,
}

impl Deref for Shown {
    type Target = Version;

    /// What is shown answers what its version does.
    fn deref(&self) -> &Version {
        &self.version
    }
}

impl Shown {
    pub(super) fn of(replay: &Replay) -> Self {
        let state: &State = &replay.state;
        Self {
            version: state.version().clone(),
            amounts: state.amounts().rows().clone(),
            root: replay.frontier.root(),
            balance_sum: super::balance_sum(state),
        }
    }

    /// Moves on to a version that these entries led to.
    pub(super) fn apply(&mut self, committed: &[Committed<'_>], version: Version, root: Hash) {
        while self.amounts.len() < version.accounts().len() {
            self.amounts.push(Amounts::default());
        }
        let applied = committed.iter().flat_map(|committed| &committed.outcome.postings);
        for (_, applied) in applied {
            if let Some(amounts) = self.amounts.get_mut(applied.posting.account.0) {
                *amounts = Amounts { balance: applied.balance_after, held: applied.held_after };
                self.balance_sum += i128::from(applied.posting.minutes.get());
            }
        }
        (self.version, self.root) = (version, root);
    }

    /// The version, to be kept while the writer goes on.
    #[must_use]
    pub const fn version(&self) -> &Version {
        &self.version
    }

    /// The tree's root over the entries reflected.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// An account with what is on it.
    #[must_use]
    pub fn account(&self, number: AccountNumber) -> Option<Account> {
        Some(Account::of(self.version.identity(number)?, *self.amounts.get(number.0)?))
    }

    /// An account's id as it travels; empty for a number that is none.
    #[must_use]
    pub fn id_bytes(&self, number: u32) -> Bytes {
        let id = self.version.accounts().id(AccountNumber(number));
        wire::account_bytes(id)
    }

    /// The sum of all balances: 0.
    #[must_use]
    pub const fn balance_sum(&self) -> i128 {
        self.balance_sum
    }
}
