//! What a check decides and what applying it did.

use serde::{Deserialize, Serialize};

use super::{
    account::{AccountIdentity, Hold, Key, RecordNote, Region, Shortage},
    language::Text,
    policy::Policy,
    served::ServedTime,
    units::{AccountNumber, EventRef, KeyId, LogIndex, Minutes},
};

/// One account's change: minutes posted, and minutes reserved or set free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// Whose balance or reserved minutes change.
    pub account: AccountNumber,
    /// Posted, + or -; zero where only a reservation changes.
    pub minutes: Minutes,
    /// Reserved (+) or set free (-).
    pub held: Minutes,
    /// The other side, where there is one.
    pub counterparty: Option<AccountNumber>,
}

/// A posting after it was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// What was posted.
    pub posting: Posting,
    /// The account's balance after it.
    pub balance_after: Minutes,
    /// The account's reserved minutes after it.
    pub held_after: Minutes,
}

/// Something worth a second look, accepted all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// What looks odd about it.
    pub code: WarningCode,
    /// The event it looks like.
    pub similar: EventRef,
}

/// Kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningCode {
    /// The same volunteer and payer at nearly the same time with other minutes: perhaps one service entered twice.
    NearDuplicate,
}

impl WarningCode {
    /// The stable code: the variant's name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NearDuplicate => "NearDuplicate",
        }
    }

    /// The warning of a code; nothing for one that a newer server knows.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        [Self::NearDuplicate].into_iter().find(|warning| warning.code() == code)
    }

    /// What is to be looked at, in both languages.
    #[must_use]
    pub const fn message(self) -> Text {
        match self {
            Self::NearDuplicate => Text::new(
                "the same volunteer and payer have a record at nearly the same time; if it is one service, reverse one",
                "同一志愿者和付出人在相近时间已有记录；如果是同一次服务，请冲正其中一条",
            ),
        }
    }
}

/// The newest date-only record of a volunteer: the next one of the same date and payer looks like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dated {
    /// Days since 1970-01-01.
    pub date: i32,
    /// The account that paid.
    pub payer: AccountNumber,
    /// The original record.
    pub record: EventRef,
}

/// A change of state besides the postings, as decided. The tables know how to take it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A policy is in force from this entry on.
    SetPolicy(LogIndex, Box<Policy>),
    /// An account exists.
    OpenAccount(AccountIdentity),
    /// A key may sign.
    EnrolKey(Key),
    /// A key may sign no more.
    RevokeKey(KeyId),
    /// A region exists.
    DefineRegion(Region),
    /// An account's floor.
    SetFloor(AccountNumber, Minutes),
    /// A hold is open.
    OpenHold(EventRef, Hold),
    /// A hold has ended.
    EndHold(EventRef),
    /// When a volunteer served.
    AddTime(AccountNumber, ServedTime),
    /// When a volunteer didn't serve after all.
    RemoveTime(AccountNumber, ServedTime),
    /// The volunteer's newest date-only record; none once it is corrected or reversed.
    MarkDated(AccountNumber, Option<Dated>),
    /// What became of a record.
    NoteRecord(EventRef, RecordNote),
    /// A station owes minutes.
    AddShortage(Shortage),
}

/// What one event does, decided but not applied. Reused from event to event, so that its lists keep their memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Postings, summing to zero.
    pub postings: Vec<Posting>,
    /// Other changes, in order.
    pub changes: Vec<Change>,
    /// What looks odd and is accepted all the same.
    pub warnings: Vec<Warning>,
}

impl Decision {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.postings.clear();
        self.changes.clear();
        self.warnings.clear();
    }

    pub(super) fn post(&mut self, account: AccountNumber, minutes: Minutes, counterparty: Option<AccountNumber>) {
        self.postings.push(Posting { account, minutes, held: Minutes::ZERO, counterparty });
    }

    pub(super) fn hold(&mut self, account: AccountNumber, held: Minutes, counterparty: Option<AccountNumber>) {
        self.postings.push(Posting { account, minutes: Minutes::ZERO, held, counterparty });
    }
}
