//! What a ledger is after one of its entries: the same for the rules and for readers.
//!
//! A copy costs nothing and stays as it is while the writer goes on: it is what readers are given once an entry is durable. What
//! is on the accounts is not in it, for it changes with every event: see [`super::Amounts`].

use std::sync::{Arc, LazyLock};

use super::{
    account::{AccountIdentity, Key, RecordNote, Region},
    accounts::Accounts,
    holds::Holds,
    keys::Keys,
    policy::Policy,
    regions::Regions,
    table::Map,
    units::{AccountId, AccountNumber, Code, EventRef, KeyId, LogIndex, Millis},
};

/// What an empty ledger's genesis is judged by.
static BEFORE_GENESIS: LazyLock<Policy> = LazyLock::new(Policy::default);

/// A ledger as of one entry, without amounts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Version {
    pub(super) origin: Arc<str>,
    pub(super) size: u64,
    pub(super) recorded_at: Millis,
    /// Each with the entry that put it in force, ascending.
    pub(super) policies: Map<LogIndex, Policy>,
    pub(super) accounts: Accounts,
    pub(super) keys: Keys,
    pub(super) regions: Regions,
    pub(super) holds: Holds,
    pub(super) records: Map<EventRef, RecordNote>,
}

impl Version {
    /// The ledger's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Entries applied: the index of the next one.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The last entry reflected.
    #[must_use]
    pub const fn reflected_index(&self) -> u64 {
        self.size.saturating_sub(1)
    }

    /// Recorded time of the newest entry.
    #[must_use]
    pub const fn recorded_at(&self) -> Millis {
        self.recorded_at
    }

    /// The policy in force; before the genesis, the default one.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        self.policy_at(LogIndex(u64::MAX))
    }

    /// The policy that was in force for the events of an entry.
    #[must_use]
    pub fn policy_at(&self, index: LogIndex) -> &Policy {
        self.policies.range(..=index).next_back().map_or_else(|| &*BEFORE_GENESIS, |(_, policy)| policy)
    }

    /// All accounts.
    #[must_use]
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// All keys.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// All regions.
    #[must_use]
    pub const fn regions(&self) -> &Regions {
        &self.regions
    }

    /// Open holds.
    #[must_use]
    pub const fn holds(&self) -> &Holds {
        &self.holds
    }

    /// What became of records that aren't plain any more, as far as it isn't put away.
    #[must_use]
    pub const fn records(&self) -> &Map<EventRef, RecordNote> {
        &self.records
    }

    /// The number of an account.
    #[must_use]
    pub fn account_number(&self, id: AccountId) -> Option<AccountNumber> {
        self.accounts.number(id)
    }

    /// Who an account is.
    #[must_use]
    pub fn identity(&self, number: AccountNumber) -> Option<AccountIdentity> {
        self.accounts.identity(number)
    }

    /// A key.
    #[must_use]
    pub fn key(&self, id: KeyId) -> Option<Key> {
        self.keys.get(id)
    }

    /// The number of a region.
    #[must_use]
    pub fn region_number(&self, code: &Code) -> Option<u32> {
        self.regions.number(code)
    }

    /// A region.
    #[must_use]
    pub fn region(&self, number: u32) -> Option<&Region> {
        self.regions.get(number)
    }

    pub(super) fn settle(&mut self) {
        self.policies.settle();
        self.accounts.settle();
        self.keys.settle();
        self.regions.settle();
        self.holds.settle();
        self.records.settle();
    }

    pub(super) fn roll_back(&mut self) {
        self.policies.roll_back();
        self.accounts.roll_back();
        self.keys.roll_back();
        self.regions.roll_back();
        self.holds.roll_back();
        self.records.roll_back();
    }

    /// The same for a second history that goes on otherwise: indexes of its own.
    pub(super) fn apart(&self) -> Self {
        let (accounts, keys, regions) = (self.accounts.apart(), self.keys.apart(), self.regions.apart());
        Self { accounts, keys, regions, ..self.clone() }
    }
}
