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
    /// A new account's balance, and what a posting has that only reserves.
    pub const ZERO: Self = Self(0);

    /// Minutes from a count.
    #[must_use]
    pub const fn new(count: i64) -> Self {
        Self(count)
    }

    /// How many minutes; balances may be negative.
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

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Millis(pub i64);

impl fmt::Display for Millis {
    /// RFC 3339 in UTC: `2026-03-01T09:00:00Z`. Whoever shows it to people puts it into their zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, second) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS).div_euclid(1_000));
        let (hour, minute) = (second.div_euclid(3_600), second.div_euclid(60).rem_euclid(60));
        write!(f, "{}T{hour:02}:{minute:02}:{:02}", Date(date), second.rem_euclid(60))?;
        match self.0.rem_euclid(1_000) {
            0 => f.write_str("Z"),
            ms => write!(f, ".{ms:03}Z"),
        }
    }
}

/// Days since 1970-01-01, shown as the date of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date(pub(super) i64);

/// Days of 400 years, after which the calendar begins anew.
const DAYS_OF_400_YEARS: i64 = 146_097;
/// Days from 0000-03-01, a year's first day where leap days come last, to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;

impl fmt::Display for Date {
    /// Counted from a first of March: then months begin at day (153 x month + 2) / 5 of their year, and leap days come last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0.saturating_add(DAYS_BEFORE_1970);
        let (era, day) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
        // Of the leap days so far: one in 4 years (1,461 days), not in 100 (36,524), but in 400.
        let leap_days = day.div_euclid(1_460).saturating_sub(day.div_euclid(36_524));
        let leap_days = leap_days.saturating_add(day.div_euclid(DAYS_OF_400_YEARS.saturating_sub(1)));
        let year = day.saturating_sub(leap_days).div_euclid(365);
        let before = year.saturating_mul(365).saturating_add(year.div_euclid(4)).saturating_sub(year.div_euclid(100));
        let day = day.saturating_sub(before);
        let month = day.saturating_mul(5).saturating_add(2).div_euclid(153);
        let day = day.saturating_sub(month.saturating_mul(153).saturating_add(2).div_euclid(5)).saturating_add(1);
        let (month, next_year) = if month < 10 { (month.saturating_add(3), 0) } else { (month.saturating_sub(9), 1) };
        let year = era.saturating_mul(400).saturating_add(year).saturating_add(next_year);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A moment at the offset of a record, as the clocks of its place showed it: `2026-03-01 09:00 +08:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtOffset(pub(super) Millis, pub(super) i32);

impl fmt::Display for AtOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.0.0.saturating_add(i64::from(self.1).saturating_mul(1_000));
        // To the second: clocks of people show no more.
        let local = Millis(local.saturating_sub(local.rem_euclid(1_000))).to_string();
        let clock = local.strip_suffix('Z').unwrap_or(&local);
        let clock = clock.strip_suffix(":00").unwrap_or(clock);
        write!(f, "{} {}", clock.replacen('T', " ", 1), Offset(self.1))
    }
}

/// A UTC offset in seconds, shown as `+08:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset(
    /// East of UTC.
    pub i32,
);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, seconds) = (if self.0 < 0 { '-' } else { '+' }, self.0.unsigned_abs());
        write!(f, "{sign}{:02}:{:02}", seconds.div_euclid(3_600), seconds.div_euclid(60).rem_euclid(60))?;
        match seconds.rem_euclid(60) {
            0 => Ok(()),
            rest => write!(f, ":{rest:02}"),
        }
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

impl EventRef {
    /// A place as an event of an entry names it, in full: index 0 means the entry itself.
    #[must_use]
    pub fn named_in(self, index: LogIndex) -> Self {
        if self.index == LogIndex(0) { Self { index, ..self } } else { self }
    }
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(Letters);

/// Characters that fit beside a tag and a length into 24 bytes: most codes do, and every service has one, whose visit to
/// the allocator and back would cost as much as a rule.
const SHORT_MAX: usize = 22;
/// Longest code, that of an activity; `wire` holds regions and categories to 32 characters.
const CODE_LENGTH_MAX: usize = 64;

/// Short wherever it fits, with zeros behind it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Letters {
    Short { length: u8, bytes: [u8; SHORT_MAX] },
    Long(Box<str>),
}

impl Default for Letters {
    fn default() -> Self {
        Self::Short { length: 0, bytes: [0; SHORT_MAX] }
    }
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
                Letters::Short { length, bytes }
            }
            None => Letters::Long(text.into()),
        }))
    }

    /// The characters that it was made of.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Letters::Short { length, bytes } => {
                let text = bytes.get(..usize::from(*length)).unwrap_or_default();
                // It came from a text of these very bytes.
                std::str::from_utf8(text).unwrap_or_default()
            }
            Letters::Long(text) => text,
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
