//! The table of accounts: who they are. What is on them changes always, and is a table of its own.

use std::sync::Arc;

use super::{
    account::{AccountIdentity, AccountKind},
    table::{FixedRow, Index, Members, Pages, Rows, Table},
    units::{AccountId, AccountNumber, Minutes},
};

/// Accounts of a page: what a version copies of the table when a commit opens accounts, 128 KiB.
pub const ACCOUNTS_PAGE: usize = 4_096;

/// No region and no station.
const NOWHERE: u32 = u32::MAX;

/// An account's identity in 32 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Row {
    id: [u8; 16],
    /// Issuance has none, whatever stands here.
    floor: i64,
    /// Number of a region, or of a station for those that one serves.
    place: u32,
    /// None of a row that isn't in use.
    kind: Option<AccountKind>,
}

impl FixedRow for Row {
    const LENGTH: usize = 29;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.floor.to_le_bytes());
        bytes.extend_from_slice(&self.place.to_le_bytes());
        bytes.push(self.kind.map_or(0, AccountKind::number));
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (floor, rest) = rest.split_first_chunk()?;
        let (place, kind) = rest.split_first_chunk()?;
        let kind = Some(AccountKind::of_number(*kind.first()?)?);
        Some(Self { id: *id, floor: i64::from_le_bytes(*floor), place: u32::from_le_bytes(*place), kind })
    }
}

impl Row {
    fn of(account: &AccountIdentity) -> Self {
        let station = account.station.map(|station| station.0);
        Self {
            id: account.id.0,
            floor: account.floor.map_or(0, Minutes::get),
            place: account.region.or(station).unwrap_or(NOWHERE),
            kind: Some(account.kind),
        }
    }

    /// The station that serves the account.
    fn station(&self) -> Option<u32> {
        let serves = self.kind.is_some_and(AccountKind::serves);
        Some(self.place).filter(|place| serves && *place != NOWHERE)
    }

    fn identity(&self) -> Option<AccountIdentity> {
        let kind = self.kind?;
        Some(AccountIdentity {
            id: AccountId(self.id),
            kind,
            region: Some(self.place).filter(|place| !kind.serves() && *place != NOWHERE),
            station: self.station().map(AccountNumber),
            floor: Some(Minutes::new(self.floor)).filter(|_| kind != AccountKind::Issuance),
        })
    }
}

/// The accounts of one version.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    rows: Table<Pages<Row, ACCOUNTS_PAGE>>,
    index: Arc<Index>,
    of_station: Arc<Members>,
}

impl PartialEq for Accounts {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl From<Pages<Row, ACCOUNTS_PAGE>> for Accounts {
    fn from(rows: Pages<Row, ACCOUNTS_PAGE>) -> Self {
        let index = Arc::new(Index::for_names(rows.len()));
        let accounts = Self { rows: rows.into(), index, of_station: Arc::default() };
        (0..accounts.len()).for_each(|number| accounts.name(number));
        accounts
    }
}

impl Accounts {
    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.rows.rows().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of an account.
    #[must_use]
    pub fn number(&self, id: AccountId) -> Option<AccountNumber> {
        let is_it = |number| self.rows.get(number).is_some_and(|row| row.id == id.0);
        self.index.find(self.index.hash(&id.0), is_it).map(AccountNumber)
    }

    /// Who an account is.
    #[must_use]
    pub fn identity(&self, number: AccountNumber) -> Option<AccountIdentity> {
        self.rows.get(number.0)?.identity()
    }

    /// The public name of an account.
    #[must_use]
    pub fn id(&self, number: AccountNumber) -> Option<AccountId> {
        self.rows.get(number.0).map(|row| AccountId(row.id))
    }

    /// Accounts of a station, ascending, from a number on.
    #[must_use]
    pub fn of_station(&self, station: AccountNumber, from: AccountNumber, most: usize) -> Vec<AccountNumber> {
        self.of_station.page(station.0, from.0, self.len(), most).into_iter().map(AccountNumber).collect()
    }

    pub(super) const fn rows(&self) -> &Pages<Row, ACCOUNTS_PAGE> {
        self.rows.rows()
    }

    pub(super) fn open(&mut self, account: &AccountIdentity) {
        let number = self.rows.push(Row::of(account));
        self.name(number);
    }

    pub(super) fn set_floor(&mut self, number: AccountNumber, floor: Minutes) {
        self.rows.change(number.0, |row| row.floor = floor.get());
    }

    fn name(&self, number: u32) {
        let Some(row) = self.rows.get(number) else { return };
        let hash_of = |number| self.rows.get(number).map_or(0, |row| self.index.hash(&row.id));
        self.index.insert(self.index.hash(&row.id), number, hash_of);
        if let Some(station) = row.station() {
            self.of_station.add(station, number);
        }
    }

    pub(super) fn settle(&mut self) {
        self.rows.settle();
    }

    pub(super) fn roll_back(&mut self) {
        let Self { rows, index, of_station } = self;
        rows.roll_back(|number, row| {
            index.remove(index.hash(&row.id), number);
            if let Some(station) = row.station() {
                of_station.take(station);
            }
        });
    }

    /// The same with an index of its own: for a second history that goes on otherwise.
    pub(super) fn apart(&self) -> Self {
        Self::from(self.rows.rows().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_that_are_taken_back_leave_no_name() {
        let mut accounts = Accounts::default();
        let account = |number: u8, kind: AccountKind, place: u32| {
            let station = kind.serves().then_some(AccountNumber(place));
            let region = (!kind.serves()).then_some(place);
            AccountIdentity { id: AccountId([number; 16]), kind, region, station, floor: Some(Minutes::new(-5)) }
        };
        accounts.open(&account(0, AccountKind::Station, 0));
        for number in 1..20 {
            accounts.open(&account(number, AccountKind::Resident, 0));
        }
        accounts.settle();
        let sound = accounts.of_station(AccountNumber(0), AccountNumber(0), 99);
        for _ in 0..3 {
            for number in 20..40 {
                accounts.open(&account(number, AccountKind::Resident, u32::from(number % 2)));
            }
            accounts.set_floor(AccountNumber(3), Minutes::new(-9));
            assert_eq!(accounts.index.names(), 40);
            accounts.roll_back();
            assert_eq!((accounts.len(), accounts.index.names()), (20, 20));
            assert_eq!(accounts.of_station(AccountNumber(0), AccountNumber(0), 99), sound);
            assert_eq!(accounts.of_station(AccountNumber(1), AccountNumber(0), 99), []);
        }
        assert_eq!(accounts.identity(AccountNumber(3)), Some(account(3, AccountKind::Resident, 0)));
        assert_eq!(accounts.identity(AccountNumber(0)), Some(account(0, AccountKind::Station, 0)));
    }
}
