//! Why a sheet or an event is refused.

mod words;

use std::{borrow::Cow, fmt};

use self::words::{NotYet, Place, Unit, When};
use super::{
    event::Served,
    units::{AccountId, AtOffset, Date, EventRef, KeyId, LogIndex, Millis, Minutes},
};

/// A rule said no. Declared in order of precedence: of several rules broken by one event, or by one sheet, the first
/// in this list is reported. Everything up to [`Rejection::KeyIsRevoked`] is about the sheet, the rest about an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    // The bytes.
    /// Header, events and signatures together are too long.
    #[error("the sheet has {bytes} bytes, more than {max}")]
    SheetTooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A header or event is empty or too long.
    #[error("it has {bytes} bytes; 1 to {max} are allowed")]
    LengthOutOfRange {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// No event, or too many.
    #[error("the sheet has {count} events; 1 to {max} are allowed")]
    EventCountOutOfRange {
        /// How many.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// Not a protobuf message of this type: cut off, or garbage.
    #[error("the bytes are not a {message}: {problem}")]
    EncodingInvalid {
        /// Which message.
        message: &'static str,
        /// What the decoder says.
        problem: String,
    },
    /// A valid message in a form that isn't the canonical one.
    #[error("the encoding is not canonical: {problem}")]
    EncodingNotCanonical {
        /// In what way.
        problem: String,
    },
    /// A field has a value it can't have.
    #[error("the value is not allowed: expected {expected}")]
    FieldInvalid {
        /// What is expected.
        expected: Cow<'static, str>,
    },
    /// As many signatures as signers, no more, no fewer.
    #[error("there are {signatures} signatures for {signers} signers")]
    SignatureCountMismatch {
        /// Signatures.
        signatures: usize,
        /// Signers.
        signers: usize,
    },
    /// The header counts other events than there are.
    #[error("the header states {stated} events, the sheet has {found}")]
    EventCountMismatch {
        /// In the header.
        stated: u32,
        /// In the sheet.
        found: usize,
    },
    /// The events are not those that were signed.
    #[error("the events are not those that the header was signed over")]
    EventsRootMismatch,
    /// Two events of a sheet with one salt.
    #[error("event {other} has the same salt")]
    SaltRepeated {
        /// The earlier one.
        other: usize,
    },
    /// The public key is not canonical, or of small order.
    #[error("the public key is not a canonical Ed25519 point of large order")]
    PublicKeyInvalid,
    /// The possession proof doesn't verify.
    #[error("the possession proof is not this key's signature for this ledger")]
    PossessionInvalid,
    /// Written for another ledger.
    #[error("the sheet is for the ledger {found:?}, this is {expected:?}")]
    OriginMismatch {
        /// This ledger.
        expected: String,
        /// In the header.
        found: String,
    },
    // The signers.
    /// Nobody enrolled this key.
    #[error("key {key_id} is not enrolled here")]
    KeyUnknown {
        /// Which.
        key_id: KeyId,
    },
    /// The signature doesn't verify.
    #[error("the signature of key {key_id} does not verify")]
    SignatureInvalid {
        /// Whose.
        key_id: KeyId,
    },
    // The sheet.
    /// The author used this sheet id for other bytes.
    #[error("the sheet id was used for entry {index}, which has other bytes")]
    SheetExistsWithDifferentBytes {
        /// Where.
        index: LogIndex,
    },
    /// `valid_until_ms` is over.
    #[error("the sheet could be recorded until {valid_until}, now it is {now}")]
    SheetExpired {
        /// Its end.
        valid_until: Millis,
        /// Now.
        now: Millis,
    },
    /// Signed by a clock that runs ahead.
    #[error("the sheet was signed in the future, at {issued_at}: now it is {now}")]
    SheetIssuedInFuture {
        /// Its time.
        issued_at: Millis,
        /// Now.
        now: Millis,
    },
    /// Valid for longer than the policy allows, or not at all.
    #[error("the sheet is valid for {days} days or ends before it begins; at most {max} days are allowed")]
    SheetValidityOutOfRange {
        /// Its validity in whole days.
        days: i64,
        /// The limit.
        max: u32,
    },
    /// A signer's key was revoked.
    #[error("key {key_id} is revoked")]
    KeyIsRevoked {
        /// Which.
        key_id: KeyId,
    },

    // An event's own values.
    /// Zero or negative.
    #[error("it states {minutes}, and at least 1 minute is needed")]
    MinutesNotPositive {
        /// As stated.
        minutes: Minutes,
    },
    /// More than any event may move.
    #[error("it states {minutes}, more than one event may move: {max}")]
    MinutesTooLarge {
        /// As stated.
        minutes: Minutes,
        /// The limit.
        max: Minutes,
    },
    /// The end is not after the start.
    #[error("the end, {}, is not after the start, {}", AtOffset(*end, *utc_offset_seconds), AtOffset(*start, *utc_offset_seconds))]
    IntervalEmpty {
        /// Start.
        start: Millis,
        /// End.
        end: Millis,
        /// The record's own offset.
        utc_offset_seconds: i32,
    },
    /// From an account to itself.
    #[error("an account can't pay itself")]
    SameAccount,
    // Who signs.
    /// No signer may do this.
    #[error("no signer of this sheet may do this; it takes {who}")]
    NotPermitted {
        /// Who may.
        who: &'static str,
    },
    /// A signer would be credited.
    #[error("a signer of this sheet would be credited")]
    SelfDealing,
    // What it refers to.
    /// No such region.
    #[error("the region is not defined")]
    RegionUnknown,
    /// No such account.
    #[error("account {account} does not exist")]
    AccountUnknown {
        /// Which.
        account: AccountId,
    },
    /// The account can't have this part in the event.
    #[error("account {account} is of a kind that can't do this; expected {expected}")]
    AccountKindMismatch {
        /// Which.
        account: AccountId,
        /// What may.
        expected: &'static str,
    },
    /// No such key.
    #[error("key {key_id} is not enrolled")]
    RevokedKeyUnknown {
        /// Which.
        key_id: KeyId,
    },
    /// No service record there.
    #[error("{} is no service record", Place("event", *record))]
    RecordUnknown {
        /// Where.
        record: EventRef,
    },
    /// No hold there.
    #[error("{} placed no hold", Place("event", *hold))]
    HoldUnknown {
        /// Where.
        hold: EventRef,
    },
    // What is there already.
    /// The ledger has its genesis.
    #[error("a ledger is created once")]
    LedgerExists,
    /// The region exists.
    #[error("the region is already defined")]
    RegionExists,
    /// As many regions as a ledger may have.
    #[error("the ledger has {max} regions, the most there may be")]
    TooManyRegions {
        /// The limit.
        max: usize,
    },
    /// The account exists.
    #[error("account {account} already exists")]
    AccountExists {
        /// Which.
        account: AccountId,
    },
    /// The key was enrolled, once and for all.
    #[error("key {key_id} was enrolled before; a key is enrolled once per ledger, ever")]
    KeyExists {
        /// Which.
        key_id: KeyId,
    },
    /// The key was revoked.
    #[error("key {key_id} is already revoked")]
    KeyAlreadyRevoked {
        /// Which.
        key_id: KeyId,
    },
    /// Without an operator nobody could run the ledger.
    #[error("it is the last operator key")]
    LastOperatorKey,
    /// The record was reversed, which is final.
    #[error("{} was taken back for good", Place("record", *record))]
    RecordReversed {
        /// Which.
        record: EventRef,
    },
    /// A correction that corrects nothing.
    #[error("the correction changes nothing")]
    CorrectionChangesNothing,
    /// Exactly one end.
    #[error("{} has ended: it was settled, released or expired", Place("hold", *hold))]
    HoldEnded {
        /// Which.
        hold: EventRef,
    },
    /// Placed by another payer or with another station.
    #[error("{} is of another payer or with another station", Place("hold", *hold))]
    HoldOfOthers {
        /// Which.
        hold: EventRef,
    },
    /// Too late to settle.
    #[error("{} ran out at {expires_at}", Place("hold", *hold))]
    HoldRunOut {
        /// Which.
        hold: EventRef,
        /// When.
        expires_at: Millis,
    },
    /// Too early to expire.
    #[error("{} runs until {expires_at}", Place("hold", *hold))]
    HoldStillRuns {
        /// Which.
        hold: EventRef,
        /// Until when.
        expires_at: Millis,
    },
    /// More than was reserved.
    #[error("it takes {credited}, and the hold reserves {held}")]
    HoldTooSmall {
        /// Credit.
        credited: Minutes,
        /// Reserved.
        held: Minutes,
    },
    /// A hold that would end before it begins, or in more than two years.
    #[error("the hold would end at {expires_at}; it must be later than now and at most {days_max} days ahead")]
    HoldEndOutOfRange {
        /// As stated.
        expires_at: Millis,
        /// The limit.
        days_max: u32,
    },
    // Times and limits.
    /// Not yet over.
    #[error("{}", NotYet { served, utc_offset_seconds: *utc_offset_seconds, now: *now })]
    ServiceInFuture {
        /// When it was, as stated.
        served: Served,
        /// The record's own offset.
        utc_offset_seconds: i32,
        /// Now.
        now: Millis,
    },
    /// Too long ago.
    #[error("the service was {}, more than {days_max} days ago", When(served, *utc_offset_seconds))]
    ServiceTooOld {
        /// When it was, as stated.
        served: Served,
        /// The record's own offset.
        utc_offset_seconds: i32,
        /// The limit.
        days_max: u32,
    },
    /// The policy doesn't name this rounding.
    #[error("the policy does not allow this rounding")]
    RoundingNotAllowed,
    /// The time doesn't come to whole units and no rounding is named.
    #[error("the time served does not come to a whole number of {}, and no rounding is named", Unit(*unit))]
    CreditNotWhole {
        /// The policy's unit.
        unit: u32,
    },
    /// The claim differs from what the ledger computes.
    #[error("{claimed} are claimed, the time served gives {computed}")]
    CreditMismatch {
        /// By the author.
        claimed: Minutes,
        /// By the ledger.
        computed: Minutes,
    },
    /// One record over the limit.
    #[error("{minutes} served are more than {max}, the most for one record")]
    RecordTooLong {
        /// Served, in minutes rounded up.
        minutes: Minutes,
        /// The limit.
        max: Minutes,
    },
    /// One person, one day.
    #[error("with this record {minutes} are served on {}, more than the {max} of a day", Date(i64::from(*day)))]
    DayLimitExceeded {
        /// Served, in minutes rounded up.
        minutes: Minutes,
        /// Days since 1970-01-01.
        day: i32,
        /// The limit.
        max: Minutes,
    },
    /// One person can't be in two places.
    #[error("the volunteer already serves at this time: {}", Place("record", *record))]
    ServiceOverlaps {
        /// The other record.
        record: EventRef,
    },
    // Balances.
    /// What a group earns can only be given to a pool.
    #[error("a group can give only to a pool")]
    GroupGivesOnlyToPools,
    /// Not enough.
    #[error("it takes {needed}, and {available} are available")]
    BalanceBelowFloor {
        /// Needed.
        needed: Minutes,
        /// Balance - held - floor.
        available: Minutes,
    },
    /// The pool for what exceeds the cap isn't open.
    #[error("the credit exceeds the cap, and the policy's overflow pool is not open")]
    OverflowPoolUnknown,
    /// No balance leaves 64 bits.
    #[error("a balance would leave the range of 64 bits")]
    BalanceOutOfRange,
}

impl Rejection {
    /// Every code, in order of precedence.
    pub const CODES: [&'static str; 59] = [
        "SheetTooLarge",
        "LengthOutOfRange",
        "EventCountOutOfRange",
        "EncodingInvalid",
        "EncodingNotCanonical",
        "FieldInvalid",
        "SignatureCountMismatch",
        "EventCountMismatch",
        "EventsRootMismatch",
        "SaltRepeated",
        "PublicKeyInvalid",
        "PossessionInvalid",
        "OriginMismatch",
        "KeyUnknown",
        "SignatureInvalid",
        "SheetExistsWithDifferentBytes",
        "SheetExpired",
        "SheetIssuedInFuture",
        "SheetValidityOutOfRange",
        "KeyIsRevoked",
        "MinutesNotPositive",
        "MinutesTooLarge",
        "IntervalEmpty",
        "SameAccount",
        "NotPermitted",
        "SelfDealing",
        "RegionUnknown",
        "AccountUnknown",
        "AccountKindMismatch",
        "RevokedKeyUnknown",
        "RecordUnknown",
        "HoldUnknown",
        "LedgerExists",
        "RegionExists",
        "TooManyRegions",
        "AccountExists",
        "KeyExists",
        "KeyAlreadyRevoked",
        "LastOperatorKey",
        "RecordReversed",
        "CorrectionChangesNothing",
        "HoldEnded",
        "HoldOfOthers",
        "HoldRunOut",
        "HoldStillRuns",
        "HoldTooSmall",
        "HoldEndOutOfRange",
        "ServiceInFuture",
        "ServiceTooOld",
        "RoundingNotAllowed",
        "CreditNotWhole",
        "CreditMismatch",
        "RecordTooLong",
        "DayLimitExceeded",
        "ServiceOverlaps",
        "GroupGivesOnlyToPools",
        "BalanceBelowFloor",
        "OverflowPoolUnknown",
        "BalanceOutOfRange",
    ];

    /// The record or hold that stands in the way or is missing; index 0 means the sheet that was refused.
    #[must_use]
    pub fn other(&self) -> Option<EventRef> {
        self.clone().place_mut().copied()
    }

    /// The same, told of a sheet that would have stood at `index`: it was refused, and nothing of it stands anywhere.
    #[must_use]
    pub(super) fn told_within(mut self, index: LogIndex) -> Self {
        if let Some(at) = self.place_mut().filter(|at| at.index == index) {
            at.index = LogIndex(0);
        }
        self
    }

    fn place_mut(&mut self) -> Option<&mut EventRef> {
        if let Self::RecordUnknown { record: at }
        | Self::RecordReversed { record: at }
        | Self::ServiceOverlaps { record: at }
        | Self::HoldUnknown { hold: at }
        | Self::HoldEnded { hold: at }
        | Self::HoldOfOthers { hold: at }
        | Self::HoldRunOut { hold: at, .. }
        | Self::HoldStillRuns { hold: at, .. } = self
        {
            return Some(at);
        }
        None
    }

    /// The stable code: the variant's name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code_and_remedy().0
    }

    /// What to do next.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        self.code_and_remedy().1
    }

    #[allow(clippy::too_many_lines, reason = "one row for each variant")]
    const fn code_and_remedy(&self) -> (&'static str, &'static str) {
        match self {
            Self::SheetTooLarge { .. } => ("SheetTooLarge", "Split it into several sheets."),
            Self::LengthOutOfRange { .. } => (
                "LengthOutOfRange",
                "Codes and ids are the only text in it, and none of it is empty: build it from these, and sign it again.",
            ),
            Self::EventCountOutOfRange { .. } => {
                ("EventCountOutOfRange", "Split it into several sheets of 1 to 1,000 events.")
            }
            Self::EncodingInvalid { .. } => {
                ("EncodingInvalid", "Send the bytes exactly as they were serialized and signed.")
            }
            Self::EncodingNotCanonical { .. } => (
                "EncodingNotCanonical",
                "Serialize with fields ascending, defaults left out, nothing twice, varints minimal; then sign again.",
            ),
            Self::FieldInvalid { .. } => ("FieldInvalid", "Correct the field and sign again."),
            Self::SignatureCountMismatch { .. } => {
                ("SignatureCountMismatch", "Give one signature of 64 bytes for each signer, in their order.")
            }
            Self::EventCountMismatch { .. } => {
                ("EventCountMismatch", "State the number of events in the header and sign again.")
            }
            Self::EventsRootMismatch => {
                ("EventsRootMismatch", "Send the very events that were signed, in their order.")
            }
            Self::SaltRepeated { .. } => ("SaltRepeated", "Give every event of the sheet 16 fresh random bytes."),
            Self::PublicKeyInvalid => ("PublicKeyInvalid", "Make a new key."),
            Self::PossessionInvalid => {
                ("PossessionInvalid", "Have the key's owner sign a possession proof for this ledger's origin.")
            }
            Self::OriginMismatch { .. } => ("OriginMismatch", "Submit it to the ledger it was signed for."),
            Self::KeyUnknown { .. } => ("KeyUnknown", "Have the key enrolled, or sign with an enrolled one."),
            Self::SignatureInvalid { .. } => (
                "SignatureInvalid",
                "Sign the header's bytes with this key; check that nothing changed them on the way.",
            ),
            Self::SheetExistsWithDifferentBytes { .. } => {
                ("SheetExistsWithDifferentBytes", "Use a fresh sheet id for a different sheet.")
            }
            Self::SheetExpired { .. } => {
                ("SheetExpired", "Look whether it was recorded; if not, sign it again with a later end.")
            }
            Self::SheetIssuedInFuture { .. } => ("SheetIssuedInFuture", "Set the clock of the machine that signs."),
            Self::SheetValidityOutOfRange { .. } => {
                ("SheetValidityOutOfRange", "Sign it again with a shorter validity.")
            }
            Self::KeyIsRevoked { .. } => ("KeyIsRevoked", "Sign with a key that is in force."),
            Self::MinutesNotPositive { .. } => ("MinutesNotPositive", "State at least 1 minute."),
            Self::MinutesTooLarge { .. } => ("MinutesTooLarge", "Check the number; it is in minutes."),
            Self::IntervalEmpty { .. } => {
                ("IntervalEmpty", "Check both times; an end past midnight belongs to the next date.")
            }
            Self::SameAccount => ("SameAccount", "Name two different accounts, one that gives and one that receives."),
            Self::NotPermitted { .. } => ("NotPermitted", "Have it signed by somebody who may."),
            Self::SelfDealing => ("SelfDealing", "Have it signed by somebody else who may."),
            Self::RegionUnknown => {
                ("RegionUnknown", "Define it first, or check its code: `timebank region list` shows those there are.")
            }
            Self::AccountUnknown { .. } => ("AccountUnknown", "Check the id, or open the account first."),
            Self::AccountKindMismatch { .. } => ("AccountKindMismatch", "Name an account of the expected kind."),
            Self::RevokedKeyUnknown { .. } => {
                ("RevokedKeyUnknown", "Check the key id; `timebank key list` shows all of them.")
            }
            Self::RecordUnknown { .. } => {
                ("RecordUnknown", "Name the original record by its place, as 17.0: receipts and histories show it.")
            }
            Self::HoldUnknown { .. } => {
                ("HoldUnknown", "Name the hold by its place, as 17.0: `hold list` shows those that are open.")
            }
            Self::LedgerExists => {
                ("LedgerExists", "Start a new data folder for a new ledger; this one goes on as it is.")
            }
            Self::RegionExists => ("RegionExists", "Use it as it is, or choose another code for another region."),
            Self::TooManyRegions { .. } => ("TooManyRegions", "Use the regions there are."),
            Self::AccountExists { .. } => ("AccountExists", "Use it as it is, or choose fresh random bytes."),
            Self::KeyExists { .. } => ("KeyExists", "Make a new key."),
            Self::KeyAlreadyRevoked { .. } => ("KeyAlreadyRevoked", "Nothing is left to do."),
            Self::LastOperatorKey => {
                ("LastOperatorKey", "Enrol another operator key first; without one nobody could run the ledger.")
            }
            Self::RecordReversed { .. } => ("RecordReversed", "Record the service anew; a reversal is final."),
            Self::CorrectionChangesNothing => {
                ("CorrectionChangesNothing", "Leave it out, or name what should be different.")
            }
            Self::HoldEnded { .. } => ("HoldEnded", "Look at the account's history for how it ended."),
            Self::HoldOfOthers { .. } => ("HoldOfOthers", "Name the hold that this payer placed with this station."),
            Self::HoldRunOut { .. } => ("HoldRunOut", "Have the payer place a new hold, or sign the record."),
            Self::HoldStillRuns { .. } => ("HoldStillRuns", "Release it instead, or wait until then."),
            Self::HoldTooSmall { .. } => {
                ("HoldTooSmall", "Credit at most what is held; have the rest signed by the payer.")
            }
            Self::HoldEndOutOfRange { .. } => ("HoldEndOutOfRange", "Choose an end within the limit."),
            Self::ServiceInFuture { .. } => {
                ("ServiceInFuture", "Record it when it is over; check the date and the clock.")
            }
            Self::ServiceTooOld { .. } => ("ServiceTooOld", "Have an operator bring it over as imported history."),
            Self::RoundingNotAllowed => ("RoundingNotAllowed", "Use a rounding that the policy names."),
            Self::CreditNotWhole { .. } => ("CreditNotWhole", "Name a rounding that the policy allows."),
            Self::CreditMismatch { .. } => ("CreditMismatch", "Claim what the time served gives."),
            Self::RecordTooLong { .. } => {
                ("RecordTooLong", "Check the times; split what really were several services.")
            }
            Self::DayLimitExceeded { .. } => {
                ("DayLimitExceeded", "Check this and the volunteer's other records of the day.")
            }
            Self::ServiceOverlaps { .. } => {
                ("ServiceOverlaps", "Check the times of both; correct the one that is wrong.")
            }
            Self::GroupGivesOnlyToPools => ("GroupGivesOnlyToPools", "Name a community or district pool as receiver."),
            Self::BalanceBelowFloor { .. } => {
                ("BalanceBelowFloor", "Take less, release a hold, or let the account earn first.")
            }
            Self::OverflowPoolUnknown => ("OverflowPoolUnknown", "Open the pool that the policy names."),
            Self::BalanceOutOfRange => ("BalanceOutOfRange", "Check the number; it is in minutes."),
        }
    }
}

/// A rejection and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule.
    pub rejection: Rejection,
    /// Number of the event; nothing where the whole sheet is meant.
    pub event: Option<u16>,
    /// Path of the field, empty where none is meant.
    pub field: Cow<'static, str>,
}

impl Refusal {
    /// A refusal of a whole sheet.
    #[must_use]
    pub fn sheet(field: impl Into<Cow<'static, str>>, rejection: Rejection) -> Self {
        Self { rejection, event: None, field: field.into() }
    }

    /// A refusal of one event.
    #[must_use]
    pub fn event(event: u16, field: impl Into<Cow<'static, str>>, rejection: Rejection) -> Self {
        Self { rejection, event: Some(event), field: field.into() }
    }
}

impl fmt::Display for Refusal {
    /// For people: the sentence, what to do, and the code in brackets. Event and field are for programs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {} [{}]", self.rejection, self.rejection.remedy(), self.rejection.code())
    }
}
