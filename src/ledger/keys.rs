//! The table of keys.

use std::sync::Arc;

use super::{
    account::{Key, KeyRole},
    table::{FixedRow, Index, Members, Pages, Rows, Table},
    units::{AccountNumber, KeyId},
};

/// Keys of a page: what a version copies of the table when a commit enrols or revokes some, 60 KiB.
pub const KEYS_PAGE: usize = 1_024;

/// No account.
const NOBODY: u32 = u32::MAX;

/// A key in 60 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Row {
    id: [u8; 16],
    public_key: [u8; 32],
    account: u32,
    own_account: u32,
    /// None of a row that isn't in use.
    role: Option<KeyRole>,
    revoked: bool,
}

impl FixedRow for Row {
    const LENGTH: usize = 58;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.public_key);
        bytes.extend_from_slice(&self.account.to_le_bytes());
        bytes.extend_from_slice(&self.own_account.to_le_bytes());
        bytes.extend([self.role.map_or(0, KeyRole::number), u8::from(self.revoked)]);
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (public_key, rest) = rest.split_first_chunk()?;
        let (account, rest) = rest.split_first_chunk()?;
        let (own_account, rest) = rest.split_first_chunk()?;
        let [role, revoked @ (0 | 1)] = *rest else { return None };
        Some(Self {
            id: *id,
            public_key: *public_key,
            account: u32::from_le_bytes(*account),
            own_account: u32::from_le_bytes(*own_account),
            role: Some(KeyRole::of_number(role)?),
            revoked: revoked == 1,
        })
    }
}

impl Row {
    fn of(key: &Key) -> Self {
        let number = |account: Option<AccountNumber>| account.map_or(NOBODY, |account| account.0);
        Self {
            id: key.id.0,
            public_key: key.public_key,
            account: number(key.account),
            own_account: number(key.own_account),
            role: Some(key.role),
            revoked: key.revoked,
        }
    }

    fn key(&self) -> Option<Key> {
        let account = |number: u32| Some(number).filter(|number| *number != NOBODY).map(AccountNumber);
        Some(Key {
            id: KeyId(self.id),
            public_key: self.public_key,
            role: self.role?,
            account: account(self.account),
            own_account: account(self.own_account),
            revoked: self.revoked,
        })
    }

    const fn is_operator_in_force(&self) -> bool {
        matches!(self.role, Some(KeyRole::Operator)) && !self.revoked
    }
}

/// The keys of one version.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    rows: Table<Pages<Row, KEYS_PAGE>>,
    index: Arc<Index>,
    /// The first key of an account. Most have one at most.
    first_of: Arc<Index>,
    /// Its later ones.
    more_of: Arc<Members>,
    /// Counted, so that a revocation need not read all keys to know whether it takes the last one.
    operators_in_force: u32,
    /// The same before the newest changes.
    operators_before: Option<u32>,
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows && self.operators_in_force == other.operators_in_force
    }
}

impl From<Pages<Row, KEYS_PAGE>> for Keys {
    fn from(rows: Pages<Row, KEYS_PAGE>) -> Self {
        let room = || Arc::new(Index::for_names(rows.len()));
        let (index, first_of) = (room(), room());
        let mut keys = Self { index, first_of, rows: rows.into(), ..Self::default() };
        for number in 0..keys.len() {
            keys.name(number);
            keys.count(keys.rows.get(number).is_some_and(Row::is_operator_in_force), 1);
        }
        keys.operators_before = None;
        keys
    }
}

impl Keys {
    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.rows.rows().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A key by its id.
    #[must_use]
    pub fn get(&self, id: KeyId) -> Option<Key> {
        self.row(self.number(id)?)
    }

    /// Only what signatures are verified with.
    #[must_use]
    pub fn public_key(&self, id: KeyId) -> Option<[u8; 32]> {
        self.rows.get(self.number(id)?).map(|row| row.public_key)
    }

    /// A key by its number, in the order of enrolment.
    #[must_use]
    pub fn row(&self, number: u32) -> Option<Key> {
        self.rows.get(number)?.key()
    }

    /// All keys in the order of enrolment.
    pub fn iter(&self) -> impl Iterator<Item = Key> {
        self.rows.rows().iter().filter_map(Row::key)
    }

    /// Numbers of an account's keys, ascending, from one on.
    #[must_use]
    pub fn of_account(&self, account: AccountNumber, from: u32, most: usize) -> Vec<u32> {
        let is_it = |number| self.rows.get(number).is_some_and(|row| row.account == account.0);
        let Some(first) = self.first_of.find(self.first_of.hash(&account.0), is_it) else { return Vec::new() };
        let more = self.more_of.page(account.0, from, self.len(), most);
        Some(first).filter(|first| *first >= from).into_iter().chain(more).take(most).collect()
    }

    pub(super) const fn rows(&self) -> &Pages<Row, KEYS_PAGE> {
        self.rows.rows()
    }

    pub(super) const fn operators_in_force(&self) -> u32 {
        self.operators_in_force
    }

    /// The number of a key, in the order of enrolment.
    pub(super) fn number(&self, id: KeyId) -> Option<u32> {
        let is_it = |number| self.rows.get(number).is_some_and(|row| row.id == id.0);
        self.index.find(self.index.hash(&id.0), is_it)
    }

    pub(super) fn enrol(&mut self, key: &Key) {
        let row = Row::of(key);
        let number = self.rows.push(row);
        self.name(number);
        self.count(row.is_operator_in_force(), 1);
    }

    #[allow(clippy::expect_used, reason = "a check has found the key")]
    pub(super) fn revoke(&mut self, id: KeyId) {
        let number = self.number(id).expect("only an enrolled key is revoked");
        let was = self.rows.change(number, |row| {
            let was = row.is_operator_in_force();
            row.revoked = true;
            was
        });
        self.count(was == Some(true), -1);
    }

    #[allow(clippy::expect_used, reason = "a count that is wrong must stop us before the last operator goes")]
    fn count(&mut self, is_operator: bool, more: i32) {
        if is_operator {
            self.operators_before.get_or_insert(self.operators_in_force);
            let after = self.operators_in_force.checked_add_signed(more);
            self.operators_in_force = after.expect("no more operator keys end than there are");
        }
    }

    fn name(&self, number: u32) {
        let Some(row) = self.rows.get(number) else { return };
        let id_of = |number| self.rows.get(number).map_or(0, |row| self.index.hash(&row.id));
        self.index.insert(self.index.hash(&row.id), number, id_of);
        if row.account == NOBODY {
            return;
        }
        let hash = self.first_of.hash(&row.account);
        let is_its = |other| self.rows.get(other).is_some_and(|other| other.account == row.account);
        if self.first_of.find(hash, is_its).is_some() {
            self.more_of.add(row.account, number);
        } else {
            let account_of = |number| self.rows.get(number).map_or(0, |row| self.first_of.hash(&row.account));
            self.first_of.insert(hash, number, account_of);
        }
    }

    pub(super) fn settle(&mut self) {
        self.rows.settle();
        self.operators_before = None;
    }

    pub(super) fn roll_back(&mut self) {
        let Self { rows, index, first_of, more_of, .. } = self;
        rows.roll_back(|number, row| {
            index.remove(index.hash(&row.id), number);
            let hash = first_of.hash(&row.account);
            if first_of.find(hash, |first| first == number).is_some() {
                first_of.remove(hash, number);
            } else if row.account != NOBODY {
                more_of.take(row.account);
            }
        });
        if let Some(before) = self.operators_before.take() {
            self.operators_in_force = before;
        }
    }

    /// The same with indexes of its own: for a second history that goes on otherwise.
    pub(super) fn apart(&self) -> Self {
        Self::from(self.rows.rows().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_taken_back_leave_no_name_and_no_operator() {
        let mut keys = Keys::default();
        let key = |number: u8, role: KeyRole, account: Option<u32>| Key {
            id: KeyId([number; 16]),
            public_key: [number; 32],
            role,
            account: account.map(AccountNumber),
            own_account: None,
            revoked: false,
        };
        keys.enrol(&key(0, KeyRole::Operator, None));
        keys.enrol(&key(1, KeyRole::Operator, None));
        keys.enrol(&key(2, KeyRole::Resident, Some(7)));
        keys.settle();
        for _ in 0..3 {
            keys.revoke(KeyId([1; 16]));
            keys.enrol(&key(3, KeyRole::Operator, None));
            keys.enrol(&key(4, KeyRole::Resident, Some(7)));
            keys.enrol(&key(5, KeyRole::Staff, Some(8)));
            keys.enrol(&key(6, KeyRole::Resident, Some(7)));
            keys.revoke(KeyId([0; 16]));
            assert_eq!((keys.operators_in_force(), keys.index.names(), keys.first_of.names()), (1, 7, 2));
            assert_eq!(keys.of_account(AccountNumber(7), 0, 99), [2, 4, 6]);
            keys.roll_back();
            assert_eq!((keys.operators_in_force(), keys.index.names(), keys.first_of.names()), (2, 3, 1));
            assert_eq!(keys.of_account(AccountNumber(7), 0, 99), [2]);
            assert!(keys.of_account(AccountNumber(8), 0, 99).is_empty());
            assert_eq!(keys.get(KeyId([1; 16])), Some(key(1, KeyRole::Operator, None)));
        }
    }
}
