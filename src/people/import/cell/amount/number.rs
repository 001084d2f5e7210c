//! A decimal number as people write it, exact.

use super::super::scan::is_digits;
use super::Decimal;

const EXPECTED: &str = super::EXPECTED;

/// A number of any length behind its point: a binary fraction comes near no third of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) whole: i128,
    /// The digits behind the point.
    pub(super) fraction: String,
}

impl Number {
    /// So many units in microseconds, rounded half up.
    pub(super) fn us(&self, unit_us: i64) -> i128 {
        let unit_us = i128::from(unit_us);
        // From the last digit to the first: what is carried is whole microseconds, and the digit that falls out last is
        // the first of those behind them.
        let (mut carried, mut fallen) = (0, 0);
        for digit in self.fraction.bytes().rev() {
            let sum = i128::from(digit.saturating_sub(b'0')) * unit_us + carried;
            (carried, fallen) = (sum / 10, sum % 10);
        }
        self.whole * unit_us + carried + i128::from(fallen >= 5)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.fraction.bytes().all(|digit| digit == b'0')
    }
}

/// What the signs in a number are for.
struct Marks {
    /// Before the decimals.
    decimal: Option<char>,
    /// Between groups of three digits; a blank and an apostrophe need no entry.
    group: Option<char>,
}

/// `2.5`, `2,5`, `,75`, `2.`, `1½`, `1 234,5`, `1'234.5`, `1,234.5`; no sign in front.
pub(super) fn number(text: &str, decimal: Decimal) -> Result<Number, String> {
    let text = text.trim();
    for (sign, fraction) in [('½', "5"), ('¼', "25"), ('¾', "75")] {
        if let Some(whole) = text.strip_suffix(sign) {
            let whole = whole.trim_end();
            let whole = if whole.is_empty() { 0 } else { whole_number(whole, None)? };
            return Ok(Number { whole, fraction: fraction.to_owned() });
        }
    }
    let marks = marks(text, decimal)?;
    let (whole, fraction) = marks.decimal.and_then(|mark| text.split_once(mark)).unwrap_or((text, ""));
    if !(fraction.is_empty() || is_digits(fraction)) || (whole.is_empty() && fraction.is_empty()) {
        return Err(EXPECTED.to_owned());
    }
    let whole = if whole.is_empty() { 0 } else { whole_number(whole, marks.group)? };
    Ok(Number { whole, fraction: fraction.to_owned() })
}

fn marks(text: &str, decimal: Decimal) -> Result<Marks, String> {
    let count = |mark: char| text.matches(mark).count();
    let group = |mark: char| {
        let is_decimal = matches!((decimal, mark), (Decimal::Point, '.') | (Decimal::Comma, ','));
        if is_decimal { Err(contrary(mark)) } else { Ok(Marks { decimal: None, group: Some(mark) }) }
    };
    match (count('.'), count(',')) {
        (0, 0) => Ok(Marks { decimal: None, group: None }),
        (1, 0) => lone(text, '.', decimal),
        (0, 1) => lone(text, ',', decimal),
        (_, 0) => group('.'),
        (0, _) => group(','),
        (points, commas) => {
            let (mark, marks, other) =
                if text.rfind('.') > text.rfind(',') { ('.', points, ',') } else { (',', commas, '.') };
            group(other)?;
            if marks == 1 { Ok(Marks { decimal: Some(mark), group: Some(other) }) } else { Err(EXPECTED.to_owned()) }
        }
    }
}

/// One point or one comma, which may stand before decimals or group thousands.
fn lone(text: &str, mark: char, decimal: Decimal) -> Result<Marks, String> {
    let (before, after) = text.split_once(mark).unwrap_or((text, ""));
    // Where blanks group thousands, the sign does not.
    let looks_grouped =
        after.len() == 3 && is_digits(after) && is_digits(before) && before.len() <= 3 && !before.starts_with('0');
    let ambiguous = || {
        let (thousands, decimals) = (format!("{before}{after}"), format!("{before}.{after}"));
        Err(format!(
            "could be {thousands} or {decimals}: set decimal in the mapping to \"point\" or \"comma\", whichever \
            stands \
             before decimals"
        ))
    };
    match (decimal, mark) {
        (Decimal::Either, ',') if looks_grouped => ambiguous(),
        (Decimal::Comma, '.') if looks_grouped => Err(format!(
            "could be {before}{after}, or {before},{after} with a point in place of the comma: write it without the point, or with \
             a comma"
        )),
        (Decimal::Point, ',') if looks_grouped => Ok(Marks { decimal: None, group: Some(mark) }),
        (Decimal::Point, ',') | (Decimal::Comma, '.') => Err(contrary(mark)),
        (Decimal::Point | Decimal::Comma | Decimal::Either, _) => Ok(Marks { decimal: Some(mark), group: None }),
    }
}

fn contrary(mark: char) -> String {
    let name = if mark == '.' { "a point" } else { "a comma" };
    format!(
        "{name} stands where the mapping's decimal has another sign: set decimal in the mapping as the column has it"
    )
}

/// Digits, in groups of three behind the first where there are groups.
fn whole_number(text: &str, mark: Option<char>) -> Result<i128, String> {
    let group = mark.or_else(|| text.chars().find(|character| [' ', '\'', '’'].contains(character)));
    let mut digits = String::with_capacity(text.len());
    for (index, part) in text.split(|character| Some(character) == group).enumerate() {
        let is_group = group.is_none()
            || if index == 0 { (1..=3).contains(&part.len()) && !part.starts_with('0') } else { part.len() == 3 };
        if !is_digits(part) || !is_group {
            return Err(EXPECTED.to_owned());
        }
        digits.push_str(part);
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > 15 {
        return Err(super::TOO_MUCH.to_owned());
    }
    if digits.is_empty() { Ok(0) } else { digits.parse().map_err(|_wrong| EXPECTED.to_owned()) }
}
