//! Quantities and names that must not be mixed up.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Milliseconds of a minute.
pub(crate) const MINUTE_MS: i64 = 60_000;

/// Whole minutes of credited time, the unit of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Minutes(i64);

impl Minutes {
    /// No minutes.
    pub const ZERO: Self = Self(0);

    /// Minutes from a count.
    #[must_use]
    pub const fn new(count: i64) -> Self {
        Self(count)
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, or nothing where it leaves 64 bits.
    #[must_use]
    pub const fn plus(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or nothing where it leaves 64 bits.
    #[must_use]
    pub const fn minus(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// The same with the other sign. The one value that has none, -2^63, can't arise: see `check::MINUTES_MAX`.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }

    /// More than nothing.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Less than nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl fmt::Display for Minutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} min", self.0)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Millis(pub i64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Position of an entry in the log, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct LogIndex(pub u64);

impl fmt::Display for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names an event of the ledger: log index and number in its sheet. Index 0 means the sheet that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventRef {
    /// Index of its entry.
    pub index: LogIndex,
    /// Number of the event in its sheet, from 0.
    pub event: u16,
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.event)
    }
}

/// Dense number of an account inside one ledger state, in the order of opening. Never leaves the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountNumber(pub u32);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

id! {
    /// Public name of an account: 16 random bytes.
    AccountId
}
id! {
    /// Name of a key: the first 16 bytes of a SHA-256, see `signature::key_id`.
    KeyId
}
id! {
    /// Name of a sheet, chosen by its author: a `UUIDv7`.
    SheetId
}

/// A region, category or activity code: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(Text);

/// Characters that fit beside a tag and a length into 24 bytes: most codes do, and every service has one, whose visit to
/// the allocator and back would cost as much as a rule.
const SHORT_MAX: usize = 22;
/// Longest code.
const CODE_LENGTH_MAX: usize = 64;

/// Short wherever it fits, with zeros behind it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Text {
    Short { length: u8, bytes: [u8; SHORT_MAX] },
    Long(Box<str>),
}

impl Code {
    /// A code of at most `length_max` characters, or nothing if it isn't one.
    #[must_use]
    pub fn new(text: &str, length_max: usize) -> Option<Self> {
        let ok = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if text.is_empty() || text.len() > length_max || !text.bytes().all(ok) {
            return None;
        }
        let mut bytes = [0; SHORT_MAX];
        let short = bytes.get_mut(..text.len()).zip(u8::try_from(text.len()).ok());
        Some(Self(match short {
            Some((start, length)) => {
                start.copy_from_slice(text.as_bytes());
                Text::Short { length, bytes }
            }
            None => Text::Long(text.into()),
        }))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Short { length, bytes } => {
                let text = bytes.get(..usize::from(*length)).unwrap_or_default();
                // It came from a text of these very bytes.
                std::str::from_utf8(text).unwrap_or_default()
            }
            Text::Long(text) => text,
        }
    }
}

impl Ord for Code {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.as_str().to_owned()
    }
}

impl TryFrom<String> for Code {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text, CODE_LENGTH_MAX).ok_or("not a code")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_length_read_back_and_keep_the_order_of_their_texts() {
        let texts: Vec<String> = (1..=64)
            .flat_map(|length| ["-", "a", "Z"].map(|first| first.to_owned() + &"q".repeat(length - 1)))
            .collect();
        let codes: Vec<Code> = texts.iter().filter_map(|text| Code::new(text, 64)).collect();
        for (text, code) in texts.iter().zip(&codes) {
            assert_eq!(code.as_str(), text);
            assert_eq!(Code::try_from(text.clone()).as_ref(), Ok(code));
            for (other_text, other) in texts.iter().zip(&codes) {
                assert_eq!(code.cmp(other), text.cmp(other_text));
                assert_eq!(code == other, text == other_text);
            }
        }
        assert_eq!(codes.len(), 3 * 64);
        assert_eq!(["", "a b", "ä", "+"].map(|text| Code::new(text, 64)), [None, None, None, None]);
        assert_eq!(Code::new("abc", 2), None);
    }
}
