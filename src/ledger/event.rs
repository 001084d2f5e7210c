//! Events as the rules see them: decoded, every field in its type.

use serde::{Deserialize, Serialize};

use super::{
    account::{AccountKind, KeyRole},
    policy::{Policy, Rounding},
    units::{AccountId, Code, EventRef, KeyId, Millis, Minutes},
};

/// One fact. `proto/timebank/v1/sheet.proto` documents every field; these are the same, in the rules' types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The genesis.
    LedgerCreated(Box<LedgerCreated>),
    /// A key may sign from now on.
    KeyEnrolled(KeyEnrolled),
    /// A key may sign no more.
    KeyRevoked {
        /// Which.
        key_id: KeyId,
    },
    /// A region exists.
    RegionDefined {
        /// Its code.
        code: Code,
        /// The region it lies in.
        parent: Option<Code>,
    },
    /// An account exists.
    AccountOpened(AccountOpened),
    /// How far below zero an account may go.
    FloorSet {
        /// Which account.
        account: AccountId,
        /// 0 or negative.
        floor: Minutes,
    },
    /// Somebody helped, and is credited.
    ServiceRecorded(ServiceRecorded),
    /// A record was wrong; this is the right one.
    ServiceCorrected(ServiceCorrected),
    /// A record should not exist.
    ServiceReversed {
        /// The original record.
        record: EventRef,
        /// Why.
        reason: CorrectionReason,
    },
    /// Minutes given.
    MinutesTransferred {
        /// Who gives.
        from: AccountId,
        /// Who receives.
        to: AccountId,
        /// How much.
        minutes: Minutes,
    },
    /// Minutes reserved for a booked service.
    HoldPlaced {
        /// Whose minutes.
        payer: AccountId,
        /// With which station.
        station: AccountId,
        /// How much.
        minutes: Minutes,
        /// Until when it can be settled.
        expires_at: Millis,
    },
    /// A hold ended without service.
    HoldReleased {
        /// Which.
        hold: EventRef,
    },
    /// A hold ended because its time was over.
    HoldExpired {
        /// Which.
        hold: EventRef,
    },
}

/// The genesis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerCreated {
    /// Equal to the header's.
    pub origin: String,
    /// Signs checkpoints, nothing else.
    pub ledger_key: [u8; 32],
    /// The operators' keys with their ids.
    pub operator_keys: Vec<(KeyId, [u8; 32])>,
    /// The server's key with its id.
    pub service_key: (KeyId, [u8; 32]),
    /// The issuance account.
    pub issuance: AccountId,
    /// The rules' numbers.
    pub policy: Policy,
    /// The ledger that this one carries on.
    pub predecessor: Option<Predecessor>,
}

/// What a ledger signed last that can't go on. Its signature is already verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predecessor {
    /// Its origin.
    pub origin: String,
    /// Entries under its newest checkpoint.
    pub size: u64,
    /// The root over them.
    pub root: [u8; 32],
    /// The key that signed.
    pub ledger_key: [u8; 32],
    /// Its signature.
    pub signature: [u8; 64],
}

/// A key may sign from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEnrolled {
    /// Its id.
    pub key_id: KeyId,
    /// The key, already checked to be canonical, of large order, and in its owner's possession.
    pub public_key: [u8; 32],
    /// Operator, staff or resident.
    pub role: KeyRole,
    /// The station or account it acts for.
    pub account: Option<AccountId>,
    /// The person's own account.
    pub own_account: Option<AccountId>,
}

/// An account exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountOpened {
    /// Its id.
    pub account: AccountId,
    /// Its kind.
    pub kind: AccountKind,
    /// Stations and pools: the region.
    pub region: Option<Code>,
    /// Residents, households and groups: the station.
    pub station: Option<AccountId>,
}

/// When a service took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Served {
    /// From `start` up to `end`, `end` excluded.
    Interval {
        /// First moment.
        start: Millis,
        /// Moment after the last.
        end: Millis,
    },
    /// On a date whose clock times nobody wrote down.
    OnDate {
        /// Days since 1970-01-01 in the record's own offset.
        date: i32,
        /// Minutes served.
        minutes: Minutes,
    },
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Who is credited.
    pub volunteer: AccountId,
    /// Who organised and records.
    pub station: AccountId,
    /// Who pays; nobody named: issuance.
    pub payer: Option<AccountId>,
    /// Category.
    pub category: Code,
    /// Activity.
    pub activity: Option<Code>,
    /// When.
    pub served: Served,
    /// Local time minus UTC, in seconds.
    pub utc_offset_seconds: i32,
    /// Credit, as claimed.
    pub credited: Minutes,
    /// Rounding used for it.
    pub rounding: Rounding,
    /// The volunteer was insured.
    pub insured: bool,
    /// Brought over from an older system.
    pub imported: bool,
}

/// Somebody helped, and is credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRecorded {
    /// The service.
    pub service: Service,
    /// The hold it settles.
    pub hold: Option<EventRef>,
}

/// A record was wrong; this is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCorrected {
    /// The original record.
    pub record: EventRef,
    /// Why.
    pub reason: CorrectionReason,
    /// As it should have been.
    pub service: Service,
}

/// Why a record was corrected or reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CorrectionReason {
    /// Typed wrong.
    EntryError,
    /// Recorded twice.
    Duplicate,
    /// The wrong person or station.
    WrongParty,
    /// The service didn't take place.
    NotServed,
    /// The source that it was imported from changed.
    SourceChanged,
}

impl Event {
    /// The name of its field in the message `Event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LedgerCreated(_) => "ledger_created",
            Self::KeyEnrolled(_) => "key_enrolled",
            Self::KeyRevoked { .. } => "key_revoked",
            Self::RegionDefined { .. } => "region_defined",
            Self::AccountOpened(_) => "account_opened",
            Self::FloorSet { .. } => "floor_set",
            Self::ServiceRecorded(_) => "service_recorded",
            Self::ServiceCorrected(_) => "service_corrected",
            Self::ServiceReversed { .. } => "service_reversed",
            Self::MinutesTransferred { .. } => "minutes_transferred",
            Self::HoldPlaced { .. } => "hold_placed",
            Self::HoldReleased { .. } => "hold_released",
            Self::HoldExpired { .. } => "hold_expired",
        }
    }
}
