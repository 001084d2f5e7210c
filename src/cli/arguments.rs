//! Values that several commands take.

use crate::{
    format::{proto, wire},
    ledger::{AccountId, EventRef, LogIndex, Rounding},
};

/// 16 bytes of an account: 32 hex digits.
pub(crate) fn account_id(text: &str) -> Result<AccountId, String> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(AccountId).ok_or_else(|| "expected an account id: 32 hex digits, as `timebank account list` shows".into())
}

/// A place of the log: `INDEX.EVENT`.
pub(crate) fn event_ref(text: &str) -> Result<EventRef, String> {
    let parts = text.split_once('.').and_then(|(index, event)| Some((index.parse().ok()?, event.parse().ok()?)));
    let (index, event) = parts.ok_or("expected INDEX.EVENT as receipts and histories show it, for example 17.0")?;
    Ok(EventRef { index: LogIndex(index), event })
}

/// Minutes as people type them: a whole number.
pub(crate) fn whole_minutes(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_wrong| "expected a whole number of minutes; hours and parts of them go with --hours".to_owned())
}

/// Hours as people type them, `2.5` or `2:30`, in minutes.
pub(crate) fn minutes_of_hours(text: &str) -> Result<i64, String> {
    let wrong = || "expected hours as 2, 2.5 or 2:30, that come to whole minutes".to_owned();
    if let Some((hours, minutes)) = text.split_once(':') {
        let (hours, minutes): (i64, i64) = (digits(hours).ok_or_else(wrong)?, digits(minutes).ok_or_else(wrong)?);
        let total = hours.checked_mul(60).and_then(|total| total.checked_add(minutes));
        return total.filter(|_| minutes < 60).ok_or_else(wrong);
    }
    let millionths = decimal_millionths(text).ok_or_else(wrong)?;
    let minutes = millionths * 60;
    if minutes % 1_000_000 == 0 { i64::try_from(minutes / 1_000_000).map_err(|_wrong| wrong()) } else { Err(wrong()) }
}

/// A number of digits alone, without a sign.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// A decimal number in millionths, exact: no binary fraction comes near an hour.
pub(crate) fn decimal_millionths(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    // Longer numbers aren't hours: 12 digits are 100 million years.
    if whole.len() > 12 || fraction.trim_end_matches('0').len() > 6 {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let padded = format!("{:0<6}", fraction.trim_end_matches('0'));
    let value = whole * 1_000_000 + padded.parse::<i128>().ok()?;
    Some(if negative { -value } else { value })
}

/// How time becomes minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoundingName {
    /// Not at all: it has to come to whole units.
    Exact,
    /// To the unit below.
    Down,
    /// To the nearest unit.
    Nearest,
    /// To the unit above.
    Up,
}

impl RoundingName {
    pub(crate) const fn ledger(self) -> Rounding {
        match self {
            Self::Exact => Rounding::Exact,
            Self::Down => Rounding::Down,
            Self::Nearest => Rounding::Nearest,
            Self::Up => Rounding::Up,
        }
    }

    pub(crate) const fn message(self) -> proto::Rounding {
        wire::rounding_message(self.ledger())
    }
}

/// Why a record is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Reason {
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

impl Reason {
    pub(crate) const fn message(self) -> proto::CorrectionReason {
        match self {
            Self::EntryError => proto::CorrectionReason::EntryError,
            Self::Duplicate => proto::CorrectionReason::Duplicate,
            Self::WrongParty => proto::CorrectionReason::WrongParty,
            Self::NotServed => proto::CorrectionReason::NotServed,
            Self::SourceChanged => proto::CorrectionReason::SourceChanged,
        }
    }
}
