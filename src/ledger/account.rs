//! What the state keeps of accounts, keys, regions, holds and records.

use serde::{Deserialize, Serialize};

use super::{
    table::FixedRow,
    units::{AccountId, AccountNumber, Code, EventRef, KeyId, LogIndex, Millis, Minutes},
};

/// What kind of owner an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccountKind {
    /// A person alone, who serves, books and pays.
    Resident,
    /// A couple or household that shares one balance.
    Household,
    /// People who are not told apart; what they earn together can only be given to a pool.
    Group,
    /// A volunteer station.
    Station,
    /// The pool of a community.
    CommunityPool,
    /// The pool of a district.
    DistrictPool,
    /// Where minutes come from.
    Issuance,
}

impl AccountKind {
    /// All of them.
    const ALL: [Self; 7] = [
        Self::Resident,
        Self::Household,
        Self::Group,
        Self::Station,
        Self::CommunityPool,
        Self::DistrictPool,
        Self::Issuance,
    ];

    /// As it is kept: 1 and on.
    pub(super) fn number(self) -> u8 {
        number_in(&Self::ALL, self)
    }

    /// The way back.
    pub(super) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number.checked_sub(1)?)).copied()
    }

    /// Residents, households and groups: those who can be credited for service.
    #[must_use]
    pub const fn serves(self) -> bool {
        matches!(self, Self::Resident | Self::Household | Self::Group)
    }

    /// Residents and households: those who book, pay and are capped.
    #[must_use]
    pub const fn is_personal(self) -> bool {
        matches!(self, Self::Resident | Self::Household)
    }

    /// Community and district pools.
    #[must_use]
    pub const fn is_pool(self) -> bool {
        matches!(self, Self::CommunityPool | Self::DistrictPool)
    }
}

/// Who an account is: what seldom changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountIdentity {
    /// Chosen by whoever opened it, and unique in the ledger.
    pub id: AccountId,
    /// Fixed when it is opened.
    pub kind: AccountKind,
    /// Stations and pools: number of their region.
    pub region: Option<u32>,
    /// Residents, households and groups: their station.
    pub station: Option<AccountNumber>,
    /// How far below zero it may go; issuance has none.
    pub floor: Option<Minutes>,
}

/// What is on an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Sum of its postings.
    pub balance: Minutes,
    /// Reserved by open holds.
    pub held: Minutes,
}

/// Amounts of a page: a copy shares pages, and 4 KiB are copied where one of the two is written to.
pub const AMOUNTS_PAGE: usize = 256;

/// An account and what is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Chosen by whoever opened it, and unique in the ledger.
    pub id: AccountId,
    /// Fixed when it is opened.
    pub kind: AccountKind,
    /// Stations and pools: number of their region.
    pub region: Option<u32>,
    /// Residents, households and groups: their station.
    pub station: Option<AccountNumber>,
    /// Sum of its postings.
    pub balance: Minutes,
    /// Reserved by open holds.
    pub held: Minutes,
    /// How far below zero it may go; issuance has none.
    pub floor: Option<Minutes>,
}

impl Account {
    /// Who it is, with what is on it.
    #[must_use]
    pub const fn of(identity: AccountIdentity, amounts: Amounts) -> Self {
        let AccountIdentity { id, kind, region, station, floor } = identity;
        let Amounts { balance, held } = amounts;
        Self { id, kind, region, station, balance, held, floor }
    }

    /// What can be spent: balance - held - floor. Nothing for issuance, which has no limit.
    #[must_use]
    pub fn available(&self) -> Option<Minutes> {
        self.floor.and_then(|floor| self.balance.minus(self.held)?.minus(floor))
    }
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyRole {
    /// Runs the ledger.
    Operator,
    /// Staff of a station.
    Staff,
    /// Owner of an account.
    Resident,
    /// The server's own key.
    Service,
}

/// The place in a list, from 1 on.
fn number_in<T: PartialEq + Copy>(all: &[T], one: T) -> u8 {
    let place = all.iter().position(|other| *other == one).unwrap_or(usize::MAX);
    u8::try_from(place.saturating_add(1)).unwrap_or(u8::MAX)
}

impl KeyRole {
    /// All of them.
    const ALL: [Self; 4] = [Self::Operator, Self::Staff, Self::Resident, Self::Service];

    /// As it is kept: 1 and on.
    pub(super) fn number(self) -> u8 {
        number_in(&Self::ALL, self)
    }

    /// The way back.
    pub(super) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number.checked_sub(1)?)).copied()
    }
}

impl FixedRow for Amounts {
    const LENGTH: usize = 16;

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.balance.get().to_le_bytes());
        bytes.extend_from_slice(&self.held.get().to_le_bytes());
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (balance, held) = bytes.split_first_chunk()?;
        let minutes = |bytes: [u8; 8]| Minutes::new(i64::from_le_bytes(bytes));
        Some(Self { balance: minutes(*balance), held: minutes(held.try_into().ok()?) })
    }
}

/// An enrolled key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Follows from the public key, see `signature::key_id`.
    pub id: KeyId,
    /// Ed25519 public key.
    pub public_key: [u8; 32],
    /// Fixed when it is enrolled.
    pub role: KeyRole,
    /// The station or account it acts for.
    pub account: Option<AccountNumber>,
    /// The person's own account.
    pub own_account: Option<AccountNumber>,
    /// It may sign no more.
    pub revoked: bool,
}

/// A district, a street, a community: stations and pools belong to one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Unique in the ledger, 1 to 32 characters; what others call the region by.
    pub code: Code,
    /// Number of the region it lies in.
    pub parent: Option<u32>,
}

/// An open hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who has less to spend until it ends: a resident, household or pool.
    pub payer: AccountNumber,
    /// With which station.
    pub station: AccountNumber,
    /// At least 1; part of the payer's [`Account::held`] until it ends.
    pub minutes: Minutes,
    /// From then on it can't be settled.
    pub expires_at: Millis,
}

/// What became of a record that isn't plain: corrected, reversed, or credited beyond a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordNote {
    /// The entry that made it so: whoever sees less of the ledger sees the note before it.
    pub noted_at: LogIndex,
    /// The event that holds its newest version.
    pub latest: EventRef,
    /// Minutes of the newest version that went to a pool because of the cap.
    pub overflow: Option<(AccountNumber, Minutes)>,
    /// What the recording station gave in the volunteer's stead, who had spent it: a later correction upwards goes to the
    /// station first.
    pub owed: Option<Owed>,
    /// It was taken back for good.
    pub reversed: bool,
}

/// Minutes of one record that a station gave in a volunteer's stead and didn't get back yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The station that recorded the service.
    pub station: AccountNumber,
    /// In whose stead.
    pub volunteer: AccountNumber,
    /// At least 1: what it hasn't got back yet.
    pub minutes: Minutes,
}

/// Minutes that were spent before their record was taken back: the recording station owes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// The event that took the record back.
    pub event: EventRef,
    /// The station that recorded the service: it was debited, beyond its floor if need be.
    pub station: AccountNumber,
    /// Whose spent minutes they were.
    pub volunteer: AccountNumber,
    /// At least 1: what the volunteer had spent of the record.
    pub minutes: Minutes,
}
