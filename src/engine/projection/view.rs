//! What readers see of the state: durable, and never more.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::Committed;
use crate::{
    engine::replay::Replay,
    ledger::{Account, AccountId, AccountNumber, Change, EventRef, Hold, Key, KeyId, Policy, Region},
    merkle::Hash,
};

/// The readers' tables.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// How many entries are durable: the next one gets this index.
    pub size: u64,
    /// The tree's root over them.
    pub root: Hash,
    /// Recorded time of the newest.
    pub recorded_at_ms: i64,
    /// The ledger's origin.
    pub origin: String,
    /// The policy in force.
    pub policy: Policy,
    /// Each at the place of its number: in the order of opening.
    pub accounts: Vec<Account>,
    /// Keys in the order of enrolment.
    pub keys: Vec<Key>,
    /// Regions in the order of definition.
    pub regions: Vec<Region>,
    /// Holds that are neither settled, released nor expired, by the event that placed them.
    pub holds: BTreeMap<EventRef, Hold>,
    /// Records that were corrected, capped or taken back: where the newest version stands, and whether it was taken back.
    records: HashMap<EventRef, (EventRef, bool)>,
    numbers: HashMap<AccountId, AccountNumber>,
    key_places: HashMap<KeyId, usize>,
    balance_sum: i128,
}

impl View {
    pub(super) fn of(replay: &Replay) -> Self {
        let state = &replay.state;
        let number = |(account, number): (&Account, u32)| (account.id, AccountNumber(number));
        Self {
            size: state.size(),
            root: replay.frontier.root(),
            recorded_at_ms: state.recorded_at().0,
            origin: state.origin().to_owned(),
            policy: state.policy().clone(),
            accounts: state.accounts().to_vec(),
            keys: state.keys().to_vec(),
            regions: state.regions().to_vec(),
            holds: state.holds().clone(),
            records: state.records().iter().map(|(at, note)| (*at, (note.latest, note.reversed))).collect(),
            numbers: state.accounts().iter().zip(0..).map(number).collect(),
            key_places: state.keys().iter().map(|key| key.id).zip(0..).collect(),
            balance_sum: super::balance_sum(state),
        }
    }

    pub(super) fn apply(&mut self, committed: &Committed<'_>) {
        if let Some(crate::ledger::Event::LedgerCreated(created)) = committed.sheet.events.first() {
            self.policy = created.policy.clone();
        }
        for change in &committed.outcome.changes {
            self.change(change);
        }
        for (_, applied) in &committed.outcome.postings {
            if let Some(account) = self.accounts.get_mut(applied.posting.account.0 as usize) {
                account.balance = applied.balance_after;
                account.held = applied.held_after;
                self.balance_sum += i128::from(applied.posting.minutes.get());
            }
        }
        self.size = committed.index + 1;
        self.recorded_at_ms = committed.recorded_at_ms;
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::OpenAccount(account) => {
                let number = u32::try_from(self.accounts.len()).unwrap_or(u32::MAX);
                self.numbers.insert(account.id, AccountNumber(number));
                self.accounts.push(account.clone());
            }
            Change::EnrolKey(key) => {
                self.key_places.insert(key.id, self.keys.len());
                self.keys.push(key.clone());
            }
            Change::RevokeKey(id) => {
                if let Some(key) = self.key_places.get(id).and_then(|place| self.keys.get_mut(*place)) {
                    key.revoked = true;
                }
            }
            Change::DefineRegion(region) => self.regions.push(region.clone()),
            Change::SetFloor(account, floor) => {
                if let Some(account) = self.accounts.get_mut(account.0 as usize) {
                    account.floor = Some(*floor);
                }
            }
            Change::OpenHold(at, hold) => {
                self.holds.insert(*at, *hold);
            }
            Change::EndHold(at) => {
                self.holds.remove(at);
            }
            Change::NoteRecord(at, note) => {
                self.records.insert(*at, (note.latest, note.reversed));
            }
            // Only the rules look at these.
            Change::AddTime(..) | Change::RemoveTime(..) | Change::MarkDated(..) | Change::AddShortage(_) => {}
        }
    }

    /// The number of an account.
    #[must_use]
    pub fn number(&self, id: AccountId) -> Option<AccountNumber> {
        self.numbers.get(&id).copied()
    }

    /// An account by its number.
    #[must_use]
    pub fn account(&self, number: AccountNumber) -> Option<&Account> {
        self.accounts.get(number.0 as usize)
    }

    /// A key by its id.
    #[must_use]
    pub fn key(&self, id: KeyId) -> Option<&Key> {
        self.keys.get(*self.key_places.get(&id)?)
    }

    /// Where the newest version of a record stands, and whether the record was taken back.
    #[must_use]
    pub fn record(&self, record: EventRef) -> (EventRef, bool) {
        self.records.get(&record).copied().unwrap_or((record, false))
    }

    /// An account's id as it travels; empty for a number that is none.
    #[must_use]
    pub fn id_bytes(&self, number: u32) -> Bytes {
        self.account(AccountNumber(number)).map_or_else(Bytes::new, |account| Bytes::copy_from_slice(&account.id.0))
    }

    /// The sum of all balances: 0.
    #[must_use]
    pub const fn balance_sum(&self) -> i128 {
        self.balance_sum
    }

    /// The last entry reflected.
    #[must_use]
    pub const fn reflected_index(&self) -> u64 {
        self.size.saturating_sub(1)
    }
}
