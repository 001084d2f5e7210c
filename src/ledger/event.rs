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
    /// The genesis: entry 0 holds this event alone, no other entry has one.
    LedgerCreated(Box<LedgerCreated>),
    /// A key may sign from now on.
    KeyEnrolled(KeyEnrolled),
    /// A key may sign no more.
    KeyRevoked {
        /// An enrolled key that is not revoked yet.
        key_id: KeyId,
    },
    /// A region exists.
    RegionDefined {
        /// 1 to 32 characters that no region has yet.
        code: Code,
        /// The region it lies in.
        parent: Option<Code>,
    },
    /// An account exists.
    AccountOpened(AccountOpened),
    /// How far below zero an account may go.
    FloorSet {
        /// Any but issuance, which has no floor.
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
        /// As the signer states it; the rules make nothing of it.
        reason: CorrectionReason,
    },
    /// Minutes passed from one account to another, without service.
    MinutesTransferred {
        /// The account that is debited, perhaps issuance.
        from: AccountId,
        /// Any other account but issuance; what exceeds its cap goes to a pool.
        to: AccountId,
        /// 1 to 1,000,000,000.
        minutes: Minutes,
    },
    /// Minutes reserved for a booked service.
    HoldPlaced {
        /// Who can't spend them meanwhile: a resident, household or pool.
        payer: AccountId,
        /// With which station.
        station: AccountId,
        /// 1 to 1,000,000,000.
        minutes: Minutes,
        /// Until when it can be settled.
        expires_at: Millis,
    },
    /// A hold ended without service.
    HoldReleased {
        /// The event that placed it.
        hold: EventRef,
    },
    /// A hold ended because its time was over.
    HoldExpired {
        /// The event that placed it.
        hold: EventRef,
    },
}

/// What a ledger begins with: its name, its first keys, and the numbers of the rules.
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
    /// The service key's signature over its possession of this ledger's origin.
    pub service_possession: [u8; 64],
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
    /// Not the new ledger's.
    pub origin: String,
    /// Entries under its newest checkpoint.
    pub size: u64,
    /// The root over them.
    pub root: [u8; 32],
    /// The key that signed.
    pub ledger_key: [u8; 32],
    /// Ed25519, over the checkpoint's text: origin, size and root in three lines.
    pub signature: [u8; 64],
}

/// A key may sign from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEnrolled {
    /// Follows from `public_key`, see `signature::key_id`.
    pub key_id: KeyId,
    /// The key, already checked to be canonical, of large order, and in its owner's possession.
    pub public_key: [u8; 32],
    /// Its signature over its possession for this ledger's origin.
    pub possession: [u8; 64],
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
    /// 16 random bytes that no account has yet.
    pub account: AccountId,
    /// Any but issuance, which only the genesis opens.
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
        /// UTC; part of the service.
        start: Millis,
        /// Moment after the last.
        end: Millis,
    },
    /// On a date whose clock times nobody wrote down.
    OnDate {
        /// Days since 1970-01-01 in the record's own offset.
        date: i32,
        /// At least 1.
        minutes: Minutes,
    },
}

/// Who helped, where, for whom, when, and for how much credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Who is credited.
    pub volunteer: AccountId,
    /// Who organised and records.
    pub station: AccountId,
    /// Who pays; nobody named: issuance.
    pub payer: Option<AccountId>,
    /// 1 to 32 characters: decides the price.
    pub category: Code,
    /// 1 to 64 characters, for people: no rule looks at it.
    pub activity: Option<Code>,
    /// Clock times, or a date and minutes.
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
    /// All that is recorded of it; the credit is computed again, and a difference refused.
    pub service: Service,
    /// The hold it settles.
    pub hold: Option<EventRef>,
}

/// A record was wrong; this is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCorrected {
    /// The original record.
    pub record: EventRef,
    /// As the signer states it; the rules make nothing of it.
    pub reason: CorrectionReason,
    /// As it should have been.
    pub service: Service,
}

/// Why a record was corrected or reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CorrectionReason {
    /// The service took place, but something was typed wrong.
    EntryError,
    /// The same service has another record.
    Duplicate,
    /// The wrong person or station.
    WrongParty,
    /// The service didn't take place.
    NotServed,
    /// The source that it was imported from changed.
    SourceChanged,
}

/// Kinds of events that histories show: those that change a balance or what is reserved. The numbers are those of
/// `proto.EventKind`, and stand in stored rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// [`Event::ServiceRecorded`]: minutes from issuance or a payer to the volunteer.
    ServiceRecorded = 1,
    /// [`Event::ServiceCorrected`]: the old postings taken back and the right ones booked, as one.
    ServiceCorrected = 2,
    /// [`Event::ServiceReversed`]: a record's postings taken back for good.
    ServiceReversed = 3,
    /// [`Event::MinutesTransferred`]: minutes from one account to another, without service.
    MinutesTransferred = 4,
    /// [`Event::HoldPlaced`]: minutes reserved; no balance changes.
    HoldPlaced = 5,
    /// [`Event::HoldReleased`]: reserved minutes set free before or after their time.
    HoldReleased = 6,
    /// [`Event::HoldExpired`]: reserved minutes set free, their time being over.
    HoldExpired = 7,
}

impl EventKind {
    /// All of them, by their numbers.
    pub const ALL: [Self; 7] = [
        Self::ServiceRecorded,
        Self::ServiceCorrected,
        Self::ServiceReversed,
        Self::MinutesTransferred,
        Self::HoldPlaced,
        Self::HoldReleased,
        Self::HoldExpired,
    ];

    /// The kind of a number; nothing for one that a newer program wrote.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The number in rows and messages.
    #[must_use]
    #[allow(clippy::as_conversions, reason = "the numbers are declared, and below 256")]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// What an event says of itself to whoever treats all kinds alike.
#[derive(Clone, Copy)]
struct Answers<'a> {
    name: &'static str,
    shown_as: Option<EventKind>,
    service: Option<&'a Service>,
    record: Option<EventRef>,
    hold: Option<EventRef>,
    credits: Option<AccountId>,
    reserves_or_gives: Option<Minutes>,
    possession: Option<Possession<'a>>,
}

/// What should show that the owner of an enrolled key holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Possession<'a> {
    /// The field of the event that has the proof.
    pub field: &'static str,
    /// The key that is enrolled.
    pub public_key: &'a [u8; 32],
    /// Its signature for this ledger.
    pub signature: &'a [u8; 64],
}

impl Event {
    /// One row for each kind, the only list of kinds besides the rules' own dispatch and the words.
    #[inline]
    const fn answers(&self) -> Answers<'_> {
        const fn plain<'a>(name: &'static str) -> Answers<'a> {
            let (shown_as, service, record, hold, credits) = (None, None, None, None, None);
            Answers { name, shown_as, service, record, hold, credits, reserves_or_gives: None, possession: None }
        }
        const fn shown<'a>(name: &'static str, kind: EventKind) -> Answers<'a> {
            Answers { shown_as: Some(kind), ..plain(name) }
        }
        match self {
            Self::LedgerCreated(created) => {
                let (public_key, signature) = (&created.service_key.1, &created.service_possession);
                let possession = Some(Possession { field: "service_possession", public_key, signature });
                Answers { possession, ..plain("ledger_created") }
            }
            Self::KeyEnrolled(enrolled) => {
                let (public_key, signature) = (&enrolled.public_key, &enrolled.possession);
                let possession = Some(Possession { field: "possession", public_key, signature });
                Answers { possession, ..plain("key_enrolled") }
            }
            Self::KeyRevoked { .. } => plain("key_revoked"),
            Self::RegionDefined { .. } => plain("region_defined"),
            Self::AccountOpened(_) => plain("account_opened"),
            Self::FloorSet { .. } => plain("floor_set"),
            Self::ServiceRecorded(ServiceRecorded { service, hold }) => Answers {
                service: Some(service),
                hold: *hold,
                credits: Some(service.volunteer),
                ..shown("service_recorded", EventKind::ServiceRecorded)
            },
            Self::ServiceCorrected(ServiceCorrected { record, service, .. }) => Answers {
                service: Some(service),
                record: Some(*record),
                credits: Some(service.volunteer),
                ..shown("service_corrected", EventKind::ServiceCorrected)
            },
            Self::ServiceReversed { record, .. } => {
                Answers { record: Some(*record), ..shown("service_reversed", EventKind::ServiceReversed) }
            }
            Self::MinutesTransferred { to, minutes, .. } => Answers {
                credits: Some(*to),
                reserves_or_gives: Some(*minutes),
                ..shown("minutes_transferred", EventKind::MinutesTransferred)
            },
            Self::HoldPlaced { minutes, .. } => {
                Answers { reserves_or_gives: Some(*minutes), ..shown("hold_placed", EventKind::HoldPlaced) }
            }
            Self::HoldReleased { hold } => {
                Answers { hold: Some(*hold), ..shown("hold_released", EventKind::HoldReleased) }
            }
            Self::HoldExpired { hold } => {
                Answers { hold: Some(*hold), ..shown("hold_expired", EventKind::HoldExpired) }
            }
        }
    }

    /// The name of its field in the message `Event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.answers().name
    }

    /// How histories show it; nothing for what posts nothing.
    #[must_use]
    pub const fn shown_as(&self) -> Option<EventKind> {
        self.answers().shown_as
    }

    /// The service that it records, or that a record should have had.
    #[must_use]
    pub const fn service(&self) -> Option<&Service> {
        self.answers().service
    }

    /// The original record that it changes.
    #[must_use]
    pub const fn record(&self) -> Option<EventRef> {
        self.answers().record
    }

    /// The hold that it ends.
    #[must_use]
    pub const fn hold(&self) -> Option<EventRef> {
        self.answers().hold
    }

    /// The account that it credits, as far as the event itself tells.
    #[must_use]
    pub const fn credits(&self) -> Option<AccountId> {
        self.answers().credits
    }

    /// The minutes that it states itself, where no service does.
    #[must_use]
    pub const fn reserves_or_gives(&self) -> Option<Minutes> {
        self.answers().reserves_or_gives
    }

    /// The proof that a key which it enrols is in its owner's hands.
    #[must_use]
    pub const fn possession(&self) -> Option<Possession<'_>> {
        self.answers().possession
    }
}
