//! The forms of dates that a mapping can name.

use jiff::civil::Date;

use super::super::{
    pattern,
    scan::{digits, is_digits, quoted},
    serial::Serial,
};
use super::written;

/// A form that a column's dates have, as the mapping's `date_format` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DateForm {
    /// In the codes of strptime, as jiff has them: `%d/%m/%Y`. A text matches it from end to end.
    Pattern(String),
    /// Days as Excel counts them: 1 is 1900-01-01, and 60 the 29th of a February that had 28 days. Decimals are a clock
    /// time, and left.
    Excel,
    /// Days as workbooks of old Macs count them: 0 is 1904-01-01.
    Excel1904,
    /// Years of the Republic of China, 1911 less than others: `115/03/05`, `115.3.5`, `1150305`, `民國115年3月5日`.
    Roc,
}

impl DateForm {
    /// The form of a name: `excel`, `excel-1904`, `roc`, else a pattern.
    ///
    /// # Errors
    /// By the pattern no text tells a date, as by `dd/mm/yyyy`, which the refusal then has in codes.
    pub(crate) fn named(text: &str) -> Result<Self, String> {
        let name = text.trim();
        match name.to_lowercase().replace(['_', ' '], "-").as_str() {
            "excel" | "excel-1900" | "excel1900" => return Ok(Self::Excel),
            "excel-1904" | "excel1904" => return Ok(Self::Excel1904),
            "roc" => return Ok(Self::Roc),
            _ => {}
        }
        match pattern::fault(name, |read| read.date.is_some()) {
            None => Ok(Self::Pattern(name.to_owned())),
            Some(problem) => Err(format!(
                "date_format {}: no date can be read by it: {problem}, or excel, excel-1904, roc",
                quoted(name)
            )),
        }
    }

    /// The name, as [`Self::named`] takes it.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Pattern(pattern) => pattern,
            Self::Excel => "excel",
            Self::Excel1904 => "excel-1904",
            Self::Roc => "roc",
        }
    }

    /// What a value is in this form: `None` where it hasn't got it, a problem where no day is of that name.
    pub(super) fn read(&self, text: &str) -> Option<Result<Date, String>> {
        match self {
            Self::Pattern(pattern) => match pattern::read(pattern, text)? {
                Ok(read) => read.date.map(Ok),
                Err(problem) => Some(Err(problem)),
            },
            Self::Excel | Self::Excel1904 => {
                let serial = Serial::read(text)?;
                serial.date(*self == Self::Excel1904).map(Ok)
            }
            Self::Roc => roc(text),
        }
    }
}

/// `115/03/05`, `115.3.5`, `115-03-05`, `1150305`, `民國115年3月5日`, `115年3月5日`, `民國115/3/5`.
fn roc(text: &str) -> Option<Result<Date, String>> {
    let bare = written::without_republic(text).unwrap_or(text);
    let date = |year: &str, month: &str, day: &str| {
        let year = if year == "元" { Some(1) } else { digits(year).filter(|_| (1..=3).contains(&year.len())) };
        Some(written::day_of(year? + 1_911, digits(month)?, digits(day)?))
    };
    if is_digits(bare) {
        // A spreadsheet drops the zero in front.
        let (year, rest) =
            bare.split_at_checked(bare.len().checked_sub(4).filter(|length| (2..=3).contains(length))?)?;
        let (month, day) = rest.split_at_checked(2)?;
        return date(year, month, day);
    }
    let [year, month, day] = written::three(bare).or_else(|| written::chinese_parts(bare))?;
    if [month, day].iter().all(|part| part.len() <= 2) { date(year, month, day) } else { None }
}
