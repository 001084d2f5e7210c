//! One row: what it wants of the ledger.

use std::cell::Cell;

use jiff::{
    Zoned,
    civil::{Date, DateTime},
    tz::{Offset, TimeZone},
};

use super::{
    mapping::{Mapping, OffsetSign, OffsetUnit},
    table::{Line, Table},
};
use crate::{
    calendar,
    cli::arguments::{RoundingName, decimal_millionths},
    ledger::Code,
    proto,
};

/// Microseconds of a minute.
const MINUTE_US: i128 = 60_000_000;
/// Longest outside id: what fits a key beside the source's name.
const OUTSIDE_ID_BYTES_MAX: usize = 256;

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// This service should be in the ledger, as here.
    Present(Box<Wanted>),
    /// No such record should be there.
    Absent,
}

/// A service as a row has it, people and places by their outside ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) volunteer: String,
    pub(crate) station: String,
    pub(crate) category: String,
    pub(crate) activity: String,
    pub(crate) served: proto::service::Served,
    pub(crate) utc_offset_seconds: i32,
    /// Time as the source states it, in microseconds.
    pub(crate) source_us: i64,
}

/// A row, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Outside id of the record.
    pub(crate) record: String,
    /// What it wants, or why it can't be understood.
    pub(crate) wish: Result<Wish, String>,
}

/// Reads rows.
pub(crate) struct Reader<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) table: &'a Table,
    /// The zone of whoever imports, or why there is none.
    pub(crate) zone: Result<TimeZone, String>,
    /// A row had a time that hangs on it.
    pub(crate) is_zone_used: Cell<bool>,
}

impl Reader<'_> {
    pub(crate) fn row(&self, line: &Line) -> Row {
        let record = self.table.cell(line, &self.mapping.columns.record).to_owned();
        let (found, expected) = (line.cells.len(), self.table.header.len());
        let wish = if found == expected {
            self.wish(line, &record)
        } else {
            Err(format!("the row has {found} cells, the header {expected}: a comma too many or too few?"))
        };
        Row { record, wish }
    }

    fn wish(&self, line: &Line, record: &str) -> Result<Wish, String> {
        let columns = &self.mapping.columns;
        if record.is_empty() || record.len() > OUTSIDE_ID_BYTES_MAX {
            return Err(format!("{}: expected a record id of 1 to {OUTSIDE_ID_BYTES_MAX} bytes", columns.record));
        }
        if let Some(column) = &columns.operation {
            let operation = self.table.cell(line, column);
            let words = &self.mapping.operations;
            if operation == words.delete {
                return Ok(Wish::Absent);
            }
            if operation != words.add && operation != words.change {
                let (add, change, delete) = (&words.add, &words.change, &words.delete);
                return Err(format!("{column}: {operation:?}: expected {add:?}, {change:?} or {delete:?}"));
            }
        }
        self.wanted(line).map(|wanted| Wish::Present(Box::new(wanted)))
    }

    fn wanted(&self, line: &Line) -> Result<Wanted, String> {
        let (columns, constants) = (&self.mapping.columns, &self.mapping.constants);
        if let Some(condition) = &self.mapping.volunteer_if {
            let found = self.table.cell(line, &condition.column);
            if found != condition.equals {
                let column = &condition.column;
                return Err(format!("no account to credit: {column} is {found:?}, not {:?}", condition.equals));
            }
        }
        let stated = self.offset(line)?;
        let (served, source_us, utc_offset_seconds) = self.served(line, stated)?;
        Ok(Wanted {
            volunteer: self.outside(line, columns.volunteer.as_deref(), constants.volunteer.as_deref())?,
            station: self.outside(line, columns.station.as_deref(), constants.station.as_deref())?,
            category: self.category(line)?,
            activity: self.activity(line)?,
            served,
            utc_offset_seconds,
            source_us,
        })
    }

    fn outside(&self, line: &Line, column: Option<&str>, constant: Option<&str>) -> Result<String, String> {
        let Some(column) = column else { return Ok(constant.unwrap_or_default().to_owned()) };
        let id = self.table.cell(line, column);
        if id.is_empty() || id.len() > OUTSIDE_ID_BYTES_MAX {
            return Err(format!("{column}: expected an id of 1 to {OUTSIDE_ID_BYTES_MAX} bytes"));
        }
        Ok(id.to_owned())
    }

    fn category(&self, line: &Line) -> Result<String, String> {
        let Some(column) = &self.mapping.columns.category else {
            return Ok(self.mapping.constants.category.clone().unwrap_or_else(|| "general".to_owned()));
        };
        let text = self.table.cell(line, column);
        let code = self.mapping.categories.get(text).map_or(text, String::as_str);
        if code.is_empty() {
            return Ok("general".to_owned());
        }
        Code::new(code, 32)
            .map(|code| code.to_string())
            .ok_or_else(|| format!("{column}: {text:?} is no code; give it one under [categories] in the mapping"))
    }

    fn activity(&self, line: &Line) -> Result<String, String> {
        let Some(column) = &self.mapping.columns.activity else {
            return Ok(self.mapping.constants.activity.clone().unwrap_or_default());
        };
        let text = self.table.cell(line, column);
        if text.is_empty() || Code::new(text, 64).is_some() {
            Ok(text.to_owned())
        } else {
            Err(format!("{column}: {text:?}: expected a code of 1 to 64 of A-Z a-z 0-9 . _ -"))
        }
    }

    /// The offset that the mapping names, as a column or for all rows.
    fn offset(&self, line: &Line) -> Result<Option<i32>, String> {
        let Some(column) = &self.mapping.columns.offset else {
            return self.mapping.constants.offset.as_deref().map(calendar::offset).transpose();
        };
        let text = self.table.cell(line, column);
        let wrong = || format!("{column}: {text:?}: expected a UTC offset within 14 hours");
        let unit = match self.mapping.offset_unit {
            OffsetUnit::Seconds => 1,
            OffsetUnit::Minutes => 60,
            OffsetUnit::Hours => 3_600,
        };
        let millionths = decimal_millionths(text.trim_start_matches('+')).ok_or_else(wrong)?;
        let seconds = i32::try_from(millionths * unit / 1_000_000).map_err(|_huge| wrong())?;
        let seconds = if self.mapping.offset_sign == OffsetSign::West { -seconds } else { seconds };
        if seconds.abs() > 14 * 3_600 { Err(wrong()) } else { Ok(Some(seconds)) }
    }

    /// Where times without an offset are meant: as the mapping says, else in the zone of whoever imports.
    fn place(&self, stated: Option<i32>) -> Result<TimeZone, String> {
        if let Some(seconds) = stated {
            return Offset::from_seconds(seconds).map(TimeZone::fixed).map_err(|error| error.to_string());
        }
        self.is_zone_used.set(true);
        self.zone.clone()
    }

    /// What was served, the time that the source states in microseconds, and the offset of its clocks.
    fn served(&self, line: &Line, stated: Option<i32>) -> Result<(proto::service::Served, i64, i32), String> {
        let columns = &self.mapping.columns;
        if let (Some(start), Some(end)) = (&columns.start, &columns.end) {
            let ((start_ms, offset), (end_ms, _)) = (self.time(line, start, stated)?, self.time(line, end, stated)?);
            if end_ms <= start_ms {
                return Err(format!("{end}: the end is not after the start"));
            }
            let served = proto::service::Served::Interval(proto::Interval { start_ms, end_ms });
            return Ok((served, (end_ms - start_ms).saturating_mul(1_000), offset));
        }
        let column = columns.date.as_deref().unwrap_or_default();
        let text = self.table.cell(line, column);
        let format = &self.mapping.date_format;
        let date = Date::strptime(format, text)
            .map_err(|_unread| format!("{column}: {text:?} is no date as {format}; see date_format in the mapping"))?;
        let days = date.since(Date::constant(1970, 1, 1)).map_err(|error| format!("{column}: {error}"))?.get_days();
        let first =
            calendar::first_moment(date, &self.place(stated)?).map_err(|problem| format!("{column}: {problem}"))?;
        let (minutes, source_us) = self.amount(line)?;
        let served = proto::ServedOnDate { date: days, minutes };
        Ok((proto::service::Served::OnDate(served), source_us, first.offset().seconds()))
    }

    /// A cell's moment, and the offset that its clocks were at: the mapping's, the cell's own, or the zone's.
    fn time(&self, line: &Line, column: &str, stated: Option<i32>) -> Result<(i64, i32), String> {
        let text = self.table.cell(line, column);
        let wrong = || format!("{column}: {text:?} is no time; see time_format in the mapping");
        let local = |civil: DateTime| {
            let zoned =
                calendar::exact(civil, &self.place(stated)?).map_err(|problem| format!("{column}: {problem}"))?;
            Ok((zoned.timestamp().as_millisecond(), zoned.offset().seconds()))
        };
        let own = |ms: i64, offset: Option<Offset>| {
            let own = offset.map_or(0, Offset::seconds);
            Ok((ms, stated.unwrap_or(own)))
        };
        if text.contains('[') {
            // A zone of its own, RFC 9557: an hour that comes twice needs its offset beside it.
            let zoned: Zoned = text.parse().map_err(|_unread| wrong())?;
            let pieces = jiff::fmt::temporal::Pieces::parse(text).map_err(|_unread| wrong())?;
            let exact = calendar::exact(zoned.datetime(), zoned.time_zone());
            if pieces.offset().is_none() {
                exact.map_err(|problem| format!("{column}: {problem}"))?;
            }
            return Ok((zoned.timestamp().as_millisecond(), stated.unwrap_or(zoned.offset().seconds())));
        }
        if let Some(format) = &self.mapping.time_format {
            let parsed = jiff::fmt::strtime::parse(format, text).map_err(|_unread| wrong())?;
            return match parsed.to_timestamp() {
                Ok(timestamp) => own(timestamp.as_millisecond(), parsed.offset()),
                // Written without an offset.
                Err(_no_offset) => local(parsed.to_datetime().map_err(|_unread| wrong())?),
            };
        }
        match text.parse::<jiff::Timestamp>() {
            Ok(timestamp) => {
                let pieces = jiff::fmt::temporal::Pieces::parse(text).ok();
                own(timestamp.as_millisecond(), pieces.and_then(|pieces| pieces.to_numeric_offset()))
            }
            Err(_no_offset) => local(text.parse::<DateTime>().map_err(|_unread| wrong())?),
        }
    }

    /// Minutes and microseconds of a row that states an amount.
    fn amount(&self, line: &Line) -> Result<(i64, i64), String> {
        let columns = &self.mapping.columns;
        let (column, per_unit) = match (&columns.hours, &columns.minutes) {
            (Some(hours), _) => (hours, 60),
            (None, minutes) => (minutes.as_ref().unwrap_or(&columns.record), 1),
        };
        let text = self.table.cell(line, column);
        let millionths = decimal_millionths(text)
            .filter(|millionths| *millionths > 0)
            .ok_or_else(|| format!("{column}: {text:?}: expected a number above 0 with at most 6 decimals"))?;
        let source_us = millionths * i128::from(per_unit) * MINUTE_US / 1_000_000;
        let (whole, rest) = (source_us / MINUTE_US, source_us % MINUTE_US);
        let up = match self.mapping.rounding {
            RoundingName::Exact if rest != 0 => {
                return Err(format!(
                    "{column}: {text:?} is no whole number of minutes; name a rounding in the mapping"
                ));
            }
            RoundingName::Exact | RoundingName::Down => false,
            RoundingName::Nearest => rest * 2 >= MINUTE_US,
            RoundingName::Up => rest > 0,
        };
        let minutes =
            i64::try_from(whole + i128::from(up)).map_err(|_huge| format!("{column}: {text:?} is too much"))?;
        let source_us = i64::try_from(source_us).map_err(|_huge| format!("{column}: {text:?} is too much"))?;
        Ok((minutes, source_us))
    }
}
