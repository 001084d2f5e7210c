//! What single cells look like, by the readers that an import reads them with.

use super::super::cell::{
    amount::{Decimal, Unit, amount_us},
    date::{DateForm, date},
    local::Place,
    moment::moment,
    span::span,
    text::fault,
};

/// Longest cell that may be anything but a text; longer ones aren't tried.
const CHARS_MAX: usize = 64;

/// What a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Blank,
    Date,
    /// A date and a clock time, with an offset of its own or not.
    Moment {
        has_offset: bool,
    },
    /// A clock time, or an amount written as one: `2:30`.
    Clock,
    /// A start and an end.
    Span,
    Number,
    /// An amount of time in words: `2小时30分`, `90 min`.
    Amount,
    /// An error of the spreadsheet, or a formula.
    Fault,
    Text,
}

/// What a tidied cell is, its dates read by some forms.
pub(super) fn kind(cell: &str, forms: &[DateForm]) -> Kind {
    if cell.is_empty() {
        return Kind::Blank;
    }
    if cell.len() > CHARS_MAX * 4 || cell.chars().count() > CHARS_MAX {
        return Kind::Text;
    }
    if fault(cell).is_some() {
        return Kind::Fault;
    }
    if !cell.contains(|letter: char| letter.is_numeric() || "半一两二三四五六七八九十".contains(letter)) {
        return Kind::Text;
    }
    if forms.is_empty() && number(cell).is_some() {
        return Kind::Number;
    }
    let said = moment(cell, forms, &[]);
    if date(cell, forms).is_ok() {
        let is_moment = said.as_ref().is_ok_and(|said| said.date.is_some());
        return if is_moment { Kind::Moment { has_offset: false } } else { Kind::Date }
            .with_offset(said.as_ref().ok().map(|said| &said.place));
    }
    if number(cell).is_some() {
        return Kind::Number;
    }
    match said {
        Ok(said) if said.date.is_some() => Kind::Moment { has_offset: said.place != Place::Unstated },
        Ok(_) => Kind::Clock,
        Err(_) if span(cell, forms, &[]).is_ok() => Kind::Span,
        // Over 24 hours, it is no clock.
        Err(_) if cell.contains(':') && amount_us(cell, Unit::Hours, Decimal::Either).is_ok() => Kind::Clock,
        Err(_) if amount_us(cell, Unit::Hours, Decimal::Either).is_ok() => Kind::Amount,
        Err(_) => Kind::Text,
    }
}

impl Kind {
    /// The same, with whether a moment of this kind names its place.
    fn with_offset(self, place: Option<&Place>) -> Self {
        match self {
            Self::Moment { .. } => Self::Moment { has_offset: place.is_some_and(|place| *place != Place::Unstated) },
            Self::Blank
            | Self::Date
            | Self::Clock
            | Self::Span
            | Self::Number
            | Self::Amount
            | Self::Fault
            | Self::Text => self,
        }
    }
}

/// A number as cells have it, with either decimal sign; groups of thousands and units are none.
pub(super) fn number(cell: &str) -> Option<f64> {
    let is_plain = cell.len() <= 24 && cell.bytes().all(|byte| byte.is_ascii_digit() || b".,-+".contains(&byte));
    if !is_plain {
        return None;
    }
    cell.replace(',', ".").parse().ok().filter(|number: &f64| number.is_finite())
}

/// Of a hundred, so many.
pub(super) fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(0)
}
