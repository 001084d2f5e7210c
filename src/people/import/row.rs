//! One row: what it wants of the ledger.

use std::cell::Cell;

use jiff::{
    Span, Zoned,
    civil::{Date, Time},
    tz::TimeZone,
};
use sha2::{Digest, Sha256};

use super::{
    cell::{
        amount::{Unit, amount_us},
        date::date,
        local::{Clock, Place},
        moment::{Said, moment},
        offset::place,
        span::span,
        text::tidy,
    },
    grid::Line,
    mapping::{Field, Given, Mapping, Stated},
    table::Table,
};
use crate::{
    format::proto,
    ledger::{Code, Rounding},
    people::calendar,
};

/// Microseconds of a minute, and of a day.
const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 86_400_000_000;
/// How other systems write the end of a day that they don't let a service run over.
const LAST_SECOND_US: i64 = DAY_US - 1_000_000;
/// Longest outside id: what fits a key beside the source's name.
const OUTSIDE_ID_BYTES_MAX: usize = 256;
/// Of a longer key of several columns, so much is kept, and a digest of all of it.
const KEY_BYTES_KEPT: usize = 200;

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

/// Where times are meant that don't say it themselves.
#[derive(Debug, Clone)]
pub(crate) struct Zones {
    /// The zone that the mapping names, or whoever imports, or that this source's times were always read in.
    pub(crate) named: Option<TimeZone>,
    /// That in which this source's dates were read before, else the machine's, or why there is none: good enough for a date,
    /// which is the same day anywhere near.
    pub(crate) of_days: Result<TimeZone, String>,
}

/// Reads the cells of a row under the mapping, and notes what was read by a time zone.
pub(crate) struct Reader<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) table: &'a Table,
    pub(crate) zones: &'a Zones,
    /// A row had a time that hangs on the zone.
    pub(crate) is_zone_used: Cell<bool>,
    /// The first row with a clock time that no zone says the moment of.
    pub(crate) without_zone: Cell<Option<u64>>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(mapping: &'a Mapping, table: &'a Table, zones: &'a Zones) -> Self {
        Self { mapping, table, zones, is_zone_used: Cell::new(false), without_zone: Cell::new(None) }
    }

    pub(crate) fn row(&self, line: &Line) -> Row {
        if let Some(fault) = self.table.shape_fault(line) {
            return Row { record: self.key(line).unwrap_or_default(), wish: Err(fault) };
        }
        match self.key(line) {
            Ok(record) => Row { record, wish: self.wish(line) },
            Err(fault) => Row { record: String::new(), wish: Err(fault) },
        }
    }

    /// What tells the record from others: the cell, or the cells of several columns.
    fn key(&self, line: &Line) -> Result<String, String> {
        let cells: Vec<String> = self.table.cells(line, Field::Record).collect::<Result<_, _>>()?;
        let named = || self.table.name(Field::Record);
        if let Some(cell) = cells.iter().find(|cell| is_rounded(cell)) {
            return Err(format!("{}: {}", named(), rounded(cell)));
        }
        if cells.iter().all(String::is_empty) {
            let what = if cells.len() == 1 { "the cell is empty" } else { "the cells are empty" };
            return Err(format!("{}: {what}, so the row can't be told from others", named()));
        }
        // A spreadsheet that is saved anew may write a date otherwise: it is the same one.
        let columns = self.mapping.record_columns();
        if let ([cell], [column]) = (cells.as_slice(), columns) {
            let fits = cell.len() <= OUTSIDE_ID_BYTES_MAX;
            return if fits { Ok(self.as_time(column, cell)) } else { Err(format!("{}: {}", named(), too_long())) };
        }
        let cells: Vec<String> = columns.iter().zip(&cells).map(|(column, cell)| self.as_time(column, cell)).collect();
        let key = cells.join(" | ");
        if key.len() <= OUTSIDE_ID_BYTES_MAX {
            return Ok(key);
        }
        let kept = key.char_indices().map(|(at, _)| at).take_while(|at| *at <= KEY_BYTES_KEPT).last().unwrap_or(0);
        let digest = Sha256::digest(&key);
        let digest = hex::encode(digest.get(..16).unwrap_or_default());
        Ok(format!("{} {digest}", key.get(..kept).unwrap_or_default()))
    }

    /// A cell in one form, where its column holds dates or times.
    fn as_time(&self, column: &str, cell: &str) -> String {
        let is_of = |field| match self.mapping.given(field) {
            Some(Given::Columns(columns)) => columns.iter().any(|name| name == column),
            Some(Given::Constant(_)) | None => false,
        };
        let (dates, times) = (&self.mapping.date_forms, &self.mapping.time_forms);
        if is_of(Field::Date)
            && let Ok(date) = date(cell, dates)
        {
            return date.to_string();
        }
        if !is_of(Field::Start) && !is_of(Field::End) {
            return cell.to_owned();
        }
        let said = moment(cell, dates, times).map(|said| match said.date {
            Some(date) => format!("{date} {}", shown(said.clock)),
            None => shown(said.clock),
        });
        said.or_else(|_no_time| date(cell, dates).map(|date| date.to_string()))
            .unwrap_or_else(|_unread| cell.to_owned())
    }

    /// All that a row says, field by field: the same however its file was saved, and whatever else stands in it.
    pub(crate) fn said(&self, line: &Line) -> String {
        let mut said = Vec::new();
        for (field, columns) in self.mapping.in_columns() {
            let cells: Vec<String> =
                self.table.cells(line, field).map(|cell| cell.unwrap_or_else(|fault| fault)).collect();
            let read = columns.iter().zip(&cells).map(|(column, cell)| self.as_time(column, cell));
            said.push(format!("{}\u{1f}{}", field.name(), read.collect::<Vec<_>>().join("\u{1f}")));
        }
        said.join("\u{1e}")
    }

    fn wish(&self, line: &Line) -> Result<Wish, String> {
        if self.mapping.is_of_operations() {
            let word = self.table.text(line, Field::Operation)?;
            let operations = &self.mapping.operations;
            if word == tidy(&operations.delete) {
                return Ok(Wish::Absent);
            }
            if word != tidy(&operations.add) && word != tidy(&operations.change) {
                return Err(format!(
                    "{}: {word:?} is neither {:?}, {:?} nor {:?}",
                    self.table.name(Field::Operation),
                    operations.add,
                    operations.change,
                    operations.delete
                ));
            }
        }
        if let Some(reason) = self.table.without_account(line) {
            return Err(reason);
        }
        let (served, source_us, utc_offset_seconds) = self.served(line)?;
        Ok(Wish::Present(Box::new(Wanted {
            volunteer: self.outside(line, Field::Volunteer)?,
            station: self.outside(line, Field::Station)?,
            category: self.category(line)?,
            activity: self.activity(line)?,
            served,
            utc_offset_seconds,
            source_us,
        })))
    }

    fn outside(&self, line: &Line, field: Field) -> Result<String, String> {
        let id = self.table.text(line, field)?;
        if id.is_empty() {
            return Err(format!("{}: the cell is empty", self.table.name(field)));
        }
        if is_rounded(&id) {
            return Err(format!("{}: {}", self.table.name(field), rounded(&id)));
        }
        if id.len() > OUTSIDE_ID_BYTES_MAX {
            return Err(format!("{}: {}", self.table.name(field), too_long()));
        }
        Ok(id)
    }

    fn category(&self, line: &Line) -> Result<String, String> {
        let text = self.table.text(line, Field::Category)?;
        if text.is_empty() {
            return Ok("general".to_owned());
        }
        let named = self.mapping.categories.iter().find(|(word, _)| tidy(word) == text);
        let code = named.map_or(text.as_str(), |(_, code)| code.as_str());
        Code::new(code, 32).map(|code| code.to_string()).ok_or_else(|| {
            format!(
                "{}: {text:?} is no code; give it one under [categories] in the mapping, as {text:?} = \"company\"",
                self.table.name(Field::Category)
            )
        })
    }

    fn activity(&self, line: &Line) -> Result<String, String> {
        let text = self.table.text(line, Field::Activity)?;
        if text.is_empty() || Code::new(&text, 64).is_some() {
            return Ok(text);
        }
        Err(format!("{}: {text:?}: expected a code of 1 to 64 of A-Z a-z 0-9 . _ -", self.table.name(Field::Activity)))
    }

    /// The place that the row names for its clocks, by an offset or a zone of its own.
    fn stated_place(&self, line: &Line) -> Result<Place, String> {
        let text = self.table.text(line, Field::Offset)?;
        if text.is_empty() {
            return Ok(Place::Unstated);
        }
        place(&text, self.mapping.offset_unit, self.mapping.is_west_positive)
            .map_err(|problem| format!("{}: {problem}", self.table.name(Field::Offset)))
    }

    /// What was served, the time that the source states in microseconds, and the offset of its clocks.
    fn served(&self, line: &Line) -> Result<(proto::service::Served, i64, i32), String> {
        let place = self.stated_place(line)?;
        match self.mapping.stated {
            Stated::StartAndEnd => {
                let start = self.moment(line, Field::Start)?;
                let end = self.moment(line, Field::End)?;
                let is_shared = self.shares_date();
                self.interval(line, (start, end), is_shared, &place)
            }
            Stated::Interval => {
                let text = self.text(line, Field::Interval)?;
                let said = span(&text, &self.mapping.date_forms, &self.mapping.time_forms);
                let said = said.map_err(|problem| format!("{}: {problem}", self.table.name(Field::Interval)))?;
                self.interval(line, said, false, &place)
            }
            Stated::StartAndAmount => {
                let said = self.moment(line, Field::Start)?;
                let date = self.date_of(line, &said, Field::Start)?;
                let start = self.at(line, Field::Start, date, &said, &place)?;
                let (_, us) = self.amount(line)?;
                let start_ms = start.timestamp().as_millisecond();
                let interval = proto::Interval { start_ms, end_ms: start_ms.saturating_add(us / 1_000) };
                Ok((proto::service::Served::Interval(interval), us, start.offset().seconds()))
            }
            Stated::DateAndAmount => {
                let date = self.date(line)?;
                let days = date.since(Date::constant(1970, 1, 1)).map_err(|error| error.to_string())?.get_days();
                let offset_seconds = self.offset_of_day(date, &place)?;
                let (minutes, us) = self.amount(line)?;
                let served = proto::ServedOnDate { date: days, minutes };
                Ok((proto::service::Served::OnDate(served), us, offset_seconds))
            }
        }
    }

    fn text(&self, line: &Line, field: Field) -> Result<String, String> {
        let text = self.table.text(line, field)?;
        if text.is_empty() { Err(format!("{}: the cell is empty", self.table.name(field))) } else { Ok(text) }
    }

    fn moment(&self, line: &Line, field: Field) -> Result<Said, String> {
        let text = self.text(line, field)?;
        moment(&text, &self.mapping.date_forms, &self.mapping.time_forms)
            .map_err(|problem| format!("{}: {problem}", self.table.name(field)))
    }

    fn date(&self, line: &Line) -> Result<Date, String> {
        let text = self.text(line, Field::Date)?;
        date(&text, &self.mapping.date_forms).map_err(|problem| format!("{}: {problem}", self.table.name(Field::Date)))
    }

    /// Whether start and end take their date from one column, so that the end may be on the day after it.
    fn shares_date(&self) -> bool {
        let first = |field| match self.mapping.given(field) {
            Some(Given::Columns(columns)) if columns.len() > 1 => columns.first(),
            Some(Given::Columns(_) | Given::Constant(_)) | None => None,
        };
        first(Field::Start).is_some() && first(Field::Start) == first(Field::End)
    }

    /// The date of a moment: its own, or the date column's.
    fn date_of(&self, line: &Line, said: &Said, field: Field) -> Result<Date, String> {
        let own = said.date;
        let given = self.mapping.given(Field::Date).is_some().then(|| self.date(line)).transpose()?;
        match (own, given) {
            (Some(own), Some(given)) if own != given => Err(format!(
                "{} says {own}, {} says {given}: which one is right?",
                self.table.name(field),
                self.table.name(Field::Date)
            )),
            (Some(date), _) | (None, Some(date)) => Ok(date),
            (None, None) => Err(format!(
                "{}: a clock time without a date; name the date's column too, as {} = [\"date\", \"time\"]",
                self.table.name(field),
                field.name()
            )),
        }
    }

    /// Start and end, less a break. An end without a date of its own is the next one after the start.
    fn interval(
        &self,
        line: &Line,
        (start, mut end): (Said, Said),
        is_shared: bool,
        place: &Place,
    ) -> Result<(proto::service::Served, i64, i32), String> {
        let (from, to) = match self.mapping.stated {
            Stated::Interval => (Field::Interval, Field::Interval),
            Stated::StartAndEnd | Stated::StartAndAmount | Stated::DateAndAmount => (Field::Start, Field::End),
        };
        if self.mapping.join_midnight && end.clock.us >= LAST_SECOND_US {
            end.clock = Clock { us: DAY_US };
        }
        let date = self.date_of(line, &start, from)?;
        let end_date = match end.date {
            Some(own) if !is_shared => own,
            Some(_) | None if end.clock.us < start.clock.us => {
                date.tomorrow().map_err(|_range| calendar::YEARS.to_owned())?
            }
            Some(_) | None => date,
        };
        let start = self.at(line, from, date, &start, place)?;
        let end = self.at(line, to, end_date, &end, place)?;
        let (start_ms, end_ms) = (start.timestamp().as_millisecond(), end.timestamp().as_millisecond());
        if end_ms <= start_ms {
            return Err(format!("{}: the end is not after the start", self.table.name(to)));
        }
        let pause_ms = self.pause_us(line)? / 1_000;
        if pause_ms >= end_ms - start_ms {
            return Err(format!("{}: the break is as long as the service", self.table.name(Field::Break)));
        }
        // The ledger knows no break within a record: it ends by so much earlier.
        let interval = proto::Interval { start_ms, end_ms: end_ms - pause_ms };
        let us = (interval.end_ms - start_ms).saturating_mul(1_000);
        Ok((proto::service::Served::Interval(interval), us, start.offset().seconds()))
    }

    fn pause_us(&self, line: &Line) -> Result<i64, String> {
        let text = self.table.text(line, Field::Break)?;
        if text.is_empty() || text == "-" {
            return Ok(0);
        }
        let unit = if self.mapping.is_break_in_minutes { Unit::Minutes } else { Unit::Hours };
        amount_us(&text, unit, self.mapping.decimal)
            .map_err(|problem| format!("{}: {problem}", self.table.name(Field::Break)))
    }

    /// The moment of a date and a clock: at the cell's own place, at the row's, or in the zone.
    fn at(&self, line: &Line, field: Field, date: Date, said: &Said, row: &Place) -> Result<Zoned, String> {
        let problem = |problem: String| format!("{}: {problem}", self.table.name(field));
        let zone = match (&said.place, row) {
            (Place::Fixed(offset), _) | (Place::Unstated, Place::Fixed(offset)) => TimeZone::fixed(*offset),
            (Place::Zone(zone), _) | (Place::Unstated, Place::Zone(zone)) => zone.clone(),
            (Place::Unstated, Place::Unstated) => {
                self.is_zone_used.set(true);
                let Some(zone) = &self.zones.named else {
                    self.without_zone.set(self.without_zone.get().or(Some(line.number)));
                    return Err(problem("a time without an offset; name the zone in the mapping".to_owned()));
                };
                zone.clone()
            }
        };
        let days = said.clock.us / DAY_US;
        let date = date.checked_add(Span::new().days(days)).map_err(|_range| calendar::YEARS.to_owned())?;
        let time = Span::new().microseconds(said.clock.us % DAY_US);
        let civil = date.to_datetime(Time::midnight()).checked_add(time);
        let civil = civil.map_err(|_range| calendar::YEARS.to_owned())?;
        calendar::exact(civil, &zone).map_err(problem)
    }

    /// The offset of a date's clocks, at its first moment.
    fn offset_of_day(&self, date: Date, row: &Place) -> Result<i32, String> {
        let zone = match row {
            Place::Fixed(offset) => TimeZone::fixed(*offset),
            Place::Zone(zone) => zone.clone(),
            Place::Unstated => {
                self.is_zone_used.set(true);
                self.zones.named.clone().map_or_else(|| self.zones.of_days.clone(), Ok)?
            }
        };
        let first = calendar::first_moment(date, &zone);
        let first = first.map_err(|problem| format!("{}: {problem}", self.table.name(Field::Date)))?;
        Ok(first.offset().seconds())
    }

    /// Minutes and microseconds of a row that states an amount.
    fn amount(&self, line: &Line) -> Result<(i64, i64), String> {
        let fields = [(Field::Hours, Unit::Hours), (Field::Minutes, Unit::Minutes), (Field::Seconds, Unit::Seconds)];
        let given = fields.into_iter().find(|(field, _)| self.mapping.given(*field).is_some());
        let (field, unit) = given.unwrap_or((Field::Hours, Unit::Hours));
        let name = self.table.name(field);
        let text = self.text(line, field)?;
        let problem = |problem: String| format!("{name}: {problem}");
        let cells: Vec<String> = self.table.cells(line, field).collect::<Result<_, _>>()?;
        let source_us = match cells.as_slice() {
            // Whole hours in one column, minutes in the other; a blank is none.
            [hours, minutes] => {
                let part = |text: &str, unit| match text {
                    "" => Ok(0),
                    text => amount_us(text, unit, self.mapping.decimal).map_err(problem),
                };
                part(hours, unit)?.saturating_add(part(minutes, Unit::Minutes)?)
            }
            _ => amount_us(&text, unit, self.mapping.decimal).map_err(problem)?,
        };
        if source_us <= 0 {
            return Err(problem(format!("{text:?}: expected more than nothing")));
        }
        let (whole, rest) = (source_us / MINUTE_US, source_us % MINUTE_US);
        let up = match self.mapping.rounding {
            Rounding::Exact if rest != 0 => {
                return Err(problem(format!("{text:?} is no whole number of minutes; name a rounding in the mapping")));
            }
            Rounding::Exact | Rounding::Down => false,
            Rounding::Nearest => rest * 2 >= MINUTE_US,
            Rounding::Up => rest > 0,
        };
        Ok((whole + i64::from(up), source_us))
    }
}

/// Whether a spreadsheet shows a long number so, of which it has not kept every digit: several ids would be one.
fn is_rounded(id: &str) -> bool {
    let Some((digits, exponent)) = id.split_once("E+") else { return false };
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
    is_number && !exponent.is_empty() && exponent.bytes().all(|byte| byte.is_ascii_digit())
}

fn rounded(id: &str) -> String {
    format!(
        "{id:?} is a number of which the spreadsheet has not kept every digit: format the column as text there, and enter the ids \
         again"
    )
}

fn too_long() -> String {
    format!("expected an id of 1 to {OUTSIDE_ID_BYTES_MAX} bytes")
}

/// A clock time in one form.
fn shown(clock: Clock) -> String {
    let seconds = clock.us / 1_000_000;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
