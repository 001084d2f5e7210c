//! The state that entries add up to, and the one place where it changes.

use std::ops::Deref;

use super::{
    account::{AMOUNTS_PAGE, Account, Amounts, Shortage},
    decision::{Applied, Change, Decision},
    put_away::{OlderNote, PUT_AWAY_AT_ONCE, PutAway, PutAwayCounts},
    sheets::Sheets,
    table::{Blocks, Map, Table},
    times::ServiceTimes,
    units::{AccountNumber, KeyId, LogIndex, Millis, SheetId},
    version::Version,
};

/// Everything the rules need to know of the past, except the contents of old records, which come as
/// [`Facts`](super::Facts): a version of the ledger, and what only they look at.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    pub(super) version: Version,
    /// What is on the accounts, by number.
    pub(super) amounts: Table<Blocks<Amounts, AMOUNTS_PAGE>>,
    pub(super) times: ServiceTimes,
    pub(super) sheets: Sheets,
    /// Notes of records put away up to now.
    pub(super) notes_put_away: u64,
    /// Minutes that stations owe, in the order in which they came to.
    pub(super) shortages: Map<u32, Shortage>,
}

impl Deref for State {
    type Target = Version;

    /// A state answers what its version does.
    fn deref(&self) -> &Version {
        &self.version
    }
}

impl Clone for State {
    /// A second history that goes on otherwise, with indexes of its own: it costs as much as the accounts and keys. What costs
    /// nothing is a copy of the [`Version`].
    fn clone(&self) -> Self {
        Self {
            version: self.version.apart(),
            amounts: self.amounts.clone(),
            times: self.times.clone(),
            sheets: self.sheets.clone(),
            notes_put_away: self.notes_put_away,
            shortages: self.shortages.clone(),
        }
    }
}

impl State {
    /// The state of a ledger that has no entry yet: the next one must be its genesis.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        Self { version: Version { origin: origin.into(), ..Version::default() }, ..Self::default() }
    }

    /// What readers may see of it once it is durable, but for the amounts.
    #[must_use]
    pub const fn version(&self) -> &Version {
        &self.version
    }

    /// What is on the accounts, by number.
    #[must_use]
    pub const fn amounts(&self) -> &Table<Blocks<Amounts, AMOUNTS_PAGE>> {
        &self.amounts
    }

    /// Minutes that stations owe.
    #[must_use]
    pub const fn shortages(&self) -> &Map<u32, Shortage> {
        &self.shortages
    }

    /// An account.
    #[must_use]
    pub fn account(&self, number: AccountNumber) -> Option<Account> {
        Some(Account::of(self.version.identity(number)?, *self.amounts.get(number.0)?))
    }

    /// All accounts, by number.
    pub fn all_accounts(&self) -> impl Iterator<Item = Account> {
        (0..self.version.accounts.len()).filter_map(|number| self.account(AccountNumber(number)))
    }

    /// The entry that holds the sheet with this id of this author, unless it is put away.
    #[must_use]
    pub fn sheet(&self, author: KeyId, id: SheetId) -> Option<LogIndex> {
        self.sheets.get(self.version.keys.number(author)?, id)
    }

    /// Rows put away up to now.
    #[must_use]
    pub const fn put_away(&self) -> PutAwayCounts {
        let (times, sheets) = (self.times.put_away(), self.sheets.put_away());
        PutAwayCounts { times, sheets, notes: self.notes_put_away }
    }

    /// Applies what was decided; `applied` is added to.
    pub(super) fn apply(&mut self, decision: &Decision, applied: &mut Vec<Applied>) {
        let sum: i128 = decision.postings.iter().map(|posting| i128::from(posting.minutes.get())).sum();
        assert!(sum == 0, "the postings of an event sum to zero");
        for posting in &decision.postings {
            let after = self.amounts.change(posting.account.0, |amounts| {
                let sums = amounts.balance.plus(posting.minutes).zip(amounts.held.plus(posting.held));
                if let Some((balance, held)) = sums {
                    *amounts = Amounts { balance, held };
                }
                sums
            });
            // The check has made these very additions.
            assert!(after.flatten().is_some(), "a checked posting stays in range");
            if let Some((balance, held)) = after.flatten() {
                assert!(!held.is_negative(), "no more is set free than was held");
                applied.push(Applied { posting: *posting, balance_after: balance, held_after: held });
            }
        }
        for change in &decision.changes {
            self.change(change);
        }
    }

    fn change(&mut self, change: &Change) {
        let version = &mut self.version;
        match change {
            Change::SetPolicy(index, policy) => {
                version.policies.set(*index, Some(policy.as_ref().clone()));
            }
            Change::OpenAccount(account) => {
                version.accounts.open(account);
                self.amounts.push(Amounts::default());
            }
            Change::EnrolKey(key) => version.keys.enrol(key),
            Change::RevokeKey(id) => version.keys.revoke(*id),
            Change::DefineRegion(region) => version.regions.define(region.clone()),
            Change::SetFloor(number, floor) => version.accounts.set_floor(*number, *floor),
            Change::OpenHold(at, hold) => version.holds.open(*at, *hold),
            Change::EndHold(at) => version.holds.end(*at),
            Change::NoteRecord(record, note) => {
                version.records.set(*record, Some(*note));
            }
            Change::AddTime(volunteer, time) => self.times.add(*volunteer, *time),
            Change::RemoveTime(volunteer, time) => self.times.remove(*volunteer, *time),
            Change::MarkDated(volunteer, mark) => self.times.mark_dated(*volunteer, *mark),
            Change::AddShortage(shortage) => {
                let number = u32::try_from(self.shortages.len()).unwrap_or(u32::MAX);
                self.shortages.set(number, Some(*shortage));
            }
        }
    }

    /// Everything since the last time is there to stay. What comes back is put away for it.
    pub(super) fn settle(&mut self, now: Millis) -> PutAway {
        let first = self.put_away();
        let notes = self.put_notes_away();
        self.version.settle();
        self.amounts.settle();
        self.shortages.settle();
        let sheets = self.sheets.put_away_before(now, &self.version.keys);
        PutAway { first, times: self.times.settle(), sheets, notes }
    }

    /// A batch of notes, those that are longest as they are, once there are two.
    fn put_notes_away(&mut self) -> Vec<OlderNote> {
        let records = &mut self.version.records;
        if records.len() < PUT_AWAY_AT_ONCE.saturating_mul(2) {
            return Vec::new();
        }
        let mut notes: Vec<OlderNote> =
            records.iter().map(|(record, note)| OlderNote { record: *record, note: *note }).collect();
        notes.sort_unstable_by_key(|older| (older.note.noted_at, older.record));
        notes.truncate(PUT_AWAY_AT_ONCE);
        for older in &notes {
            records.set(older.record, None);
            self.notes_put_away = self.notes_put_away.saturating_add(1);
        }
        notes
    }

    /// Takes back everything since it was settled last.
    pub(super) fn roll_back(&mut self) {
        self.version.roll_back();
        self.amounts.roll_back(|_, _| ());
        self.times.roll_back();
        self.shortages.roll_back();
    }
}
