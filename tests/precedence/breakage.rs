//! One rule broken: its code, which parts of a sheet it takes, and how. And what breaks any sheet.

use crate::draft::{Draft, Twist};

/// When a rule is asked. What is asked earlier is told first, whatever its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Of the header alone and how much there is: the door looks at no event before.
    Header,
    /// Of the bytes of all.
    Door,
    /// Of the sheet as a whole.
    Sheet,
    /// Of an event.
    Event,
}

/// What two breakages can't both set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Account,
    Category,
    Code,
    Credited,
    Expires,
    Floor,
    From,
    Hold,
    Imported,
    /// The ledger has to be the one without entries.
    InEmpty,
    /// The ledger has to be the one with people.
    InReady,
    /// When the sheet was signed.
    Issued,
    Kind,
    LedgerKey,
    Minutes,
    Nonce,
    Offset,
    Origin,
    Own,
    Parent,
    Payer,
    Policy,
    Possession,
    PublicKey,
    Reason,
    Record,
    Region,
    Role,
    Rounding,
    Served,
    ServiceKey,
    Signers,
    Station,
    Subject,
    To,
    /// Until when the sheet is valid.
    Until,
    Volunteer,
}

impl Part {
    fn excludes(self, other: Self) -> bool {
        match (self, other) {
            (Self::InReady, Self::InReady) => false,
            (Self::InReady, Self::InEmpty) | (Self::InEmpty, Self::InReady) => true,
            (one, other) => one == other,
        }
    }
}

pub(crate) struct Breakage {
    pub(crate) code: &'static str,
    pub(crate) level: Level,
    /// What is wrong, to tell it from others of the same code.
    pub(crate) how: &'static str,
    parts: &'static [Part],
    pub(crate) apply: Box<dyn Fn(&mut Draft)>,
}

impl Breakage {
    /// Whether both can be done to one draft.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        !self.parts.iter().any(|part| other.parts.iter().any(|also| part.excludes(*also)))
    }

    pub(crate) fn told(&self) -> String {
        format!("{} ({})", self.code, self.how)
    }
}

/// A rule that the bytes alone break.
pub(crate) fn door(code: &'static str, how: &'static str, parts: &'static [Part], apply: fn(&mut Draft)) -> Breakage {
    Breakage { code, level: Level::Door, how, parts, apply: Box::new(apply) }
}

/// A rule for the sheet as a whole.
pub(crate) fn sheet(code: &'static str, how: &'static str, parts: &'static [Part], apply: fn(&mut Draft)) -> Breakage {
    Breakage { code, level: Level::Sheet, how, parts, apply: Box::new(apply) }
}

/// A rule for an event.
pub(crate) fn rule(code: &'static str, how: &'static str, parts: &'static [Part], apply: fn(&mut Draft)) -> Breakage {
    Breakage { code, level: Level::Event, how, parts, apply: Box::new(apply) }
}

/// What breaks a sheet whatever its event says.
const TWISTS: &[(&str, Level, Twist, &[Part])] = &[
    ("SheetTooLarge", Level::Header, Twist::Bulk, &[]),
    ("LengthOutOfRange", Level::Header, Twist::HeaderLong, &[]),
    ("EventCountOutOfRange", Level::Header, Twist::Many, &[]),
    ("EventCountOutOfRange", Level::Header, Twist::Nothing, &[]),
    ("EncodingInvalid", Level::Header, Twist::HeaderCut, &[]),
    ("EncodingNotCanonical", Level::Header, Twist::HeaderNoise, &[]),
    ("FieldInvalid", Level::Header, Twist::Format, &[]),
    ("LengthOutOfRange", Level::Door, Twist::EventLong, &[]),
    ("EncodingInvalid", Level::Door, Twist::EventCut, &[]),
    ("EncodingNotCanonical", Level::Door, Twist::EventNoise, &[]),
    ("FieldInvalid", Level::Door, Twist::SaltShort, &[]),
    ("FieldInvalid", Level::Door, Twist::SignatureShort, &[]),
    ("SignatureCountMismatch", Level::Door, Twist::SignatureTooMany, &[]),
    ("EventCountMismatch", Level::Door, Twist::CountWrong, &[]),
    ("EventsRootMismatch", Level::Door, Twist::RootWrong, &[]),
    ("SaltRepeated", Level::Door, Twist::Twice, &[]),
    ("OriginMismatch", Level::Sheet, Twist::Elsewhere, &[Part::Origin]),
    ("KeyUnknown", Level::Sheet, Twist::Stranger, &[]),
    ("SignatureInvalid", Level::Sheet, Twist::Forged, &[]),
    ("SheetExistsWithDifferentBytes", Level::Sheet, Twist::UsedId, &[]),
    ("SheetExpired", Level::Sheet, Twist::Expired, &[Part::Issued, Part::Until]),
    ("SheetIssuedInFuture", Level::Sheet, Twist::Ahead, &[Part::Issued]),
    ("SheetValidityOutOfRange", Level::Sheet, Twist::ValidLong, &[Part::Until]),
    ("SheetValidityOutOfRange", Level::Sheet, Twist::ValidLongSince, &[Part::Issued]),
    ("KeyIsRevoked", Level::Sheet, Twist::Revoked, &[]),
];

/// What breaks any sheet, but for these codes.
pub(crate) fn common(without: &[&str]) -> Vec<Breakage> {
    let told = |twist: Twist| match twist {
        Twist::HeaderLong | Twist::HeaderCut | Twist::HeaderNoise => "the header",
        Twist::EventLong | Twist::EventCut | Twist::EventNoise => "the event",
        Twist::Many => "too many",
        Twist::Nothing => "none",
        Twist::SaltShort => "the salt",
        Twist::SignatureShort => "a signature",
        Twist::Format => "the format",
        _ => "the sheet",
    };
    let rows = TWISTS.iter().filter(|(code, ..)| !without.contains(code));
    rows.map(|&(code, level, twist, parts)| {
        let apply = move |draft: &mut Draft| {
            draft.twists.insert(twist);
        };
        Breakage { code, level, how: told(twist), parts, apply: Box::new(apply) }
    })
    .collect()
}
