//! The state that entries add up to, and the one place where it changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    account::{Account, Hold, Key, KeyRole, RecordNote, Region, Shortage},
    decision::{Applied, Change, Dated, Decision},
    policy::Policy,
    served::{ServedTime, Times},
    units::{AccountId, AccountNumber, Code, EventRef, KeyId, LogIndex, Millis, Minutes, SheetId},
};

/// Tables are looked into a dozen times an event. The hash is keyed, so that nobody can aim at collisions, and made for short
/// keys.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// Everything the rules need to know of the past, except the contents of old records, which come as
/// [`Facts`](super::Facts).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) recorded_at: Millis,
    pub(super) policy: Policy,
    pub(super) accounts: Vec<Account>,
    pub(super) account_numbers: HashMap<AccountId, AccountNumber>,
    pub(super) keys: Vec<Key>,
    pub(super) key_numbers: HashMap<KeyId, u32>,
    /// Counted, so that a revocation need not read all keys to know whether it takes the last one.
    pub(super) operators_in_force: u32,
    pub(super) regions: Vec<Region>,
    pub(super) region_numbers: HashMap<Code, u32>,
    pub(super) holds: BTreeMap<EventRef, Hold>,
    pub(super) records: HashMap<EventRef, RecordNote>,
    /// When the owner of each account served, by number.
    pub(super) times: Vec<Times>,
    /// Of times that were put away, those that this sheet ends.
    pub(super) ended_times: Vec<(AccountNumber, ServedTime)>,
    pub(super) times_put_away: u64,
    pub(super) dated: HashMap<AccountNumber, Dated>,
    pub(super) sheets: HashMap<(KeyId, SheetId), LogIndex>,
    pub(super) shortages: Vec<Shortage>,
}

/// How to take one change back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Undo {
    Balance { account: AccountNumber, balance: Minutes, held: Minutes },
    OpenedAccount,
    EnrolledKey,
    RevokedKey(KeyId),
    DefinedRegion,
    Floor(AccountNumber, Option<Minutes>),
    OpenedHold(EventRef),
    EndedHold(EventRef, Hold),
    AddedTime(AccountNumber, ServedTime),
    RemovedTime(AccountNumber, ServedTime),
    EndedTime,
    Dated(AccountNumber, Option<Dated>),
    Record(EventRef, Option<RecordNote>),
    AddedShortage,
}

impl State {
    /// The state of a ledger that has no entry yet: the next one must be its genesis.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..Self::default() }
    }

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

    /// Recorded time of the newest entry.
    #[must_use]
    pub const fn recorded_at(&self) -> Millis {
        self.recorded_at
    }

    /// The policy in force.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// All accounts, by number.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// All keys, in the order of enrolment.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// All regions, in the order of definition.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Open holds.
    #[must_use]
    pub const fn holds(&self) -> &BTreeMap<EventRef, Hold> {
        &self.holds
    }

    /// What became of records that aren't plain any more.
    #[must_use]
    pub const fn records(&self) -> &HashMap<EventRef, RecordNote> {
        &self.records
    }

    /// Minutes that stations owe.
    #[must_use]
    pub fn shortages(&self) -> &[Shortage] {
        &self.shortages
    }

    /// The number of an account.
    #[must_use]
    pub fn account_number(&self, id: AccountId) -> Option<AccountNumber> {
        self.account_numbers.get(&id).copied()
    }

    /// An account.
    #[must_use]
    pub fn account(&self, number: AccountNumber) -> Option<&Account> {
        self.accounts.get(usize::try_from(number.0).ok()?)
    }

    /// A key.
    #[must_use]
    pub fn key(&self, id: KeyId) -> Option<&Key> {
        self.keys.get(usize::try_from(*self.key_numbers.get(&id)?).ok()?)
    }

    /// The entry that holds the sheet with this id of this author.
    #[must_use]
    pub fn sheet(&self, author: KeyId, id: SheetId) -> Option<LogIndex> {
        self.sheets.get(&(author, id)).copied()
    }

    /// The event that holds a record's newest version: its own, if nothing corrected it.
    #[must_use]
    pub fn latest_version(&self, record: EventRef) -> EventRef {
        self.records.get(&record).map_or(record, |note| note.latest)
    }

    /// Applies what was decided; `applied` and `undo` are added to.
    pub(super) fn apply(&mut self, decision: &Decision, applied: &mut Vec<Applied>, undo: &mut Vec<Undo>) {
        let sum: i128 = decision.postings.iter().map(|posting| i128::from(posting.minutes.get())).sum();
        assert!(sum == 0, "the postings of an event sum to zero");
        for posting in &decision.postings {
            let account = self.account_mut(posting.account);
            undo.push(Undo::Balance { account: posting.account, balance: account.balance, held: account.held });
            let sums = account.balance.plus(posting.minutes).zip(account.held.plus(posting.held));
            // The check has made these very additions.
            assert!(sums.is_some(), "a checked posting stays in range");
            if let Some((balance, held)) = sums {
                (account.balance, account.held) = (balance, held);
                assert!(!held.is_negative(), "no more is set free than was held");
                applied.push(Applied { posting: *posting, balance_after: balance, held_after: held });
            }
        }
        for change in &decision.changes {
            let inverse = self.change(change);
            undo.push(inverse);
        }
    }

    /// Takes back everything in `undo`, newest first.
    pub(super) fn roll_back(&mut self, undo: &mut Vec<Undo>) {
        while let Some(step) = undo.pop() {
            self.undo(step);
        }
    }

    fn change(&mut self, change: &Change) -> Undo {
        match change {
            Change::OpenAccount(account) => {
                self.account_numbers.insert(account.id, AccountNumber(count(self.accounts.len())));
                self.accounts.push(account.clone());
                self.times.push(Times::default());
                Undo::OpenedAccount
            }
            Change::EnrolKey(key) => {
                self.key_numbers.insert(key.id, count(self.keys.len()));
                self.keys.push(key.clone());
                self.count_operator(key.role, true);
                Undo::EnrolledKey
            }
            Change::RevokeKey(id) => {
                self.set_revoked(*id, true);
                Undo::RevokedKey(*id)
            }
            Change::DefineRegion(region) => {
                self.region_numbers.insert(region.code.clone(), count(self.regions.len()));
                self.regions.push(region.clone());
                Undo::DefinedRegion
            }
            Change::SetFloor(number, floor) => {
                let account = self.account_mut(*number);
                Undo::Floor(*number, account.floor.replace(*floor))
            }
            Change::OpenHold(at, hold) => {
                self.holds.insert(*at, *hold);
                Undo::OpenedHold(*at)
            }
            Change::EndHold(at) => {
                let hold = self.holds.remove(at);
                assert!(hold.is_some(), "only an open hold ends");
                hold.map_or(Undo::OpenedHold(*at), |hold| Undo::EndedHold(*at, hold))
            }
            Change::AddTime(volunteer, time) => {
                self.add_time(*volunteer, *time);
                Undo::AddedTime(*volunteer, *time)
            }
            Change::RemoveTime(volunteer, time) => self.remove_time(*volunteer, *time),
            Change::MarkDated(volunteer, mark) => {
                let before = self.dated.get(volunteer).copied();
                restore(&mut self.dated, *volunteer, *mark);
                Undo::Dated(*volunteer, before)
            }
            Change::NoteRecord(record, note) => Undo::Record(*record, self.records.insert(*record, *note)),
            Change::AddShortage(shortage) => {
                self.shortages.push(*shortage);
                Undo::AddedShortage
            }
        }
    }

    fn undo(&mut self, step: Undo) {
        match step {
            Undo::Balance { account, balance, held } => {
                let account = self.account_mut(account);
                (account.balance, account.held) = (balance, held);
            }
            Undo::OpenedAccount => {
                self.times.pop();
                if let Some(account) = self.accounts.pop() {
                    self.account_numbers.remove(&account.id);
                }
            }
            Undo::EnrolledKey => {
                if let Some(key) = self.keys.pop() {
                    self.key_numbers.remove(&key.id);
                    self.count_operator(key.role, false);
                }
            }
            Undo::RevokedKey(id) => self.set_revoked(id, false),
            Undo::DefinedRegion => {
                if let Some(region) = self.regions.pop() {
                    self.region_numbers.remove(&region.code);
                }
            }
            Undo::Floor(account, floor) => self.account_mut(account).floor = floor,
            Undo::OpenedHold(at) => {
                self.holds.remove(&at);
            }
            Undo::EndedHold(at, hold) => {
                self.holds.insert(at, hold);
            }
            Undo::AddedTime(volunteer, time) => {
                self.remove_time(volunteer, time);
            }
            Undo::RemovedTime(volunteer, time) => self.add_time(volunteer, time),
            Undo::EndedTime => {
                self.ended_times.pop();
            }
            Undo::Dated(volunteer, mark) => restore(&mut self.dated, volunteer, mark),
            Undo::Record(record, note) => restore(&mut self.records, record, note),
            Undo::AddedShortage => {
                self.shortages.pop();
            }
        }
    }

    /// The account of a number that a check has handed out.
    #[allow(clippy::indexing_slicing, clippy::as_conversions, reason = "a checked number; a wrong one must stop us")]
    fn account_mut(&mut self, number: AccountNumber) -> &mut Account {
        &mut self.accounts[number.0 as usize]
    }

    #[allow(clippy::expect_used, reason = "a check has found the key")]
    fn set_revoked(&mut self, id: KeyId, revoked: bool) {
        let number = self.key_numbers.get(&id).and_then(|number| usize::try_from(*number).ok());
        let key = number.and_then(|number| self.keys.get_mut(number)).expect("only an enrolled key is revoked");
        key.revoked = revoked;
        let role = key.role;
        self.count_operator(role, !revoked);
    }

    #[allow(clippy::expect_used, reason = "a count that is wrong must stop us before the last operator goes")]
    fn count_operator(&mut self, role: KeyRole, in_force: bool) {
        if role == KeyRole::Operator {
            let after = self.operators_in_force.checked_add_signed(if in_force { 1 } else { -1 });
            self.operators_in_force = after.expect("no more operator keys end than there are");
        }
    }
}

fn restore<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

/// Length of a table as the number of its next row. Tables are bounded by memory far below 2^32 rows; a number that is
/// wrong must stop us before it names somebody else's row.
#[allow(clippy::expect_used, reason = "see above")]
fn count(length: usize) -> u32 {
    u32::try_from(length).expect("tables have fewer than 2^32 rows")
}
