//! The rows as an import would read them.

use std::collections::HashSet;

use jiff::{
    Span, Timestamp,
    civil::Date,
    tz::{Offset, TimeZone},
};

use super::super::{
    grid::Grid,
    mapping::{Mapping, Stated},
    row::{Reader, Wanted, Wish, Zones},
    table::Table,
};
use crate::{format::proto, people::calendar};

/// Rows that are shown, and reasons that are told.
const SHOWN_MAX: usize = 5;

/// What an import would make of the file.
#[derive(Debug, Default)]
pub(crate) struct Preview {
    /// The first rows.
    pub(crate) rows: Vec<Shown>,
    pub(crate) readable: usize,
    pub(crate) unreadable: usize,
    /// Rows that `totals` and `only_if` leave out.
    pub(crate) left_out: usize,
    /// The first rows that can't be read, with why; of each kind of reason one.
    pub(crate) reasons: Vec<(String, String)>,
    /// The times were read in UTC, for want of a zone.
    pub(crate) is_in_utc: bool,
}

/// A row as it would be read.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The line of the file, or the row of the sheet.
    pub(crate) number: u64,
    /// What the row says, or why it can't be read.
    pub(crate) said: Result<Said, String>,
}

/// What a row says.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) volunteer: String,
    pub(crate) date: String,
    /// Clock times, where the row has them.
    pub(crate) span: Option<(String, String)>,
    /// Whole minutes; those of a span round down.
    pub(crate) minutes: i64,
    pub(crate) category: String,
    /// The row takes the record back.
    pub(crate) is_deleted: bool,
}

/// Reads every row.
///
/// # Errors
/// The mapping doesn't fit the file, in words.
pub(super) fn preview(grid: Grid, mapping: &Mapping) -> Result<Preview, String> {
    let table = Table::new(grid, mapping)?;
    let named = mapping.zone.as_deref().and_then(calendar::known);
    let has_zone = named.is_some();
    let zones = Zones { named: Some(named.unwrap_or(TimeZone::UTC)), of_days: Ok(TimeZone::UTC) };
    let reader = Reader::new(mapping, &table, &zones);
    let mut preview = Preview { left_out: table.left_out.len(), ..Preview::default() };
    let mut told = HashSet::new();
    for line in &table.rows {
        let wish = reader.row(line).wish;
        match &wish {
            Ok(_) => preview.readable += 1,
            Err(problem) => {
                preview.unreadable += 1;
                if preview.reasons.len() < SHOWN_MAX && told.insert(kind_of(problem)) {
                    preview.reasons.push((table.place(line.number), problem.clone()));
                }
            }
        }
        if preview.rows.len() < SHOWN_MAX {
            let said = wish.map(|wish| match wish {
                Wish::Present(wanted) => Said::of(*wanted),
                Wish::Absent => Said::deleted(),
            });
            preview.rows.push(Shown { number: line.number, said });
        }
    }
    preview.is_in_utc = !has_zone && reader.is_zone_used.get() && mapping.stated != Stated::DateAndAmount;
    Ok(preview)
}

/// A reason without what the cell says.
fn kind_of(problem: &str) -> String {
    let mut is_quoted = false;
    let mut kind = String::new();
    for letter in problem.chars().take(400) {
        is_quoted ^= letter == '"';
        if !is_quoted && !letter.is_ascii_digit() {
            kind.push(letter);
        }
    }
    kind
}

impl Said {
    fn of(wanted: Wanted) -> Self {
        let Wanted { volunteer, category, served, utc_offset_seconds, .. } = wanted;
        let (date, span, minutes) = match served {
            proto::service::Served::Interval(interval) => {
                let local = |ms: i64| {
                    let offset = Offset::from_seconds(utc_offset_seconds).unwrap_or(Offset::UTC);
                    Timestamp::from_millisecond(ms).map(|time| offset.to_datetime(time)).unwrap_or_default()
                };
                let (start, end) = (local(interval.start_ms), local(interval.end_ms));
                let clock = |time: jiff::civil::DateTime| time.strftime("%H:%M").to_string();
                let minutes = (interval.end_ms - interval.start_ms) / 60_000;
                (start.date().to_string(), Some((clock(start), clock(end))), minutes)
            }
            proto::service::Served::OnDate(served) => {
                let date = Date::constant(1970, 1, 1).checked_add(Span::new().days(served.date));
                (date.map(|date| date.to_string()).unwrap_or_default(), None, served.minutes)
            }
        };
        Self { volunteer, date, span, minutes, category, is_deleted: false }
    }

    fn deleted() -> Self {
        Self {
            volunteer: String::new(),
            date: String::new(),
            span: None,
            minutes: 0,
            category: String::new(),
            is_deleted: true,
        }
    }
}
