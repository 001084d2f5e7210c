//! The mapping: what the columns of a spreadsheet mean.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{
    calendar,
    cli::{
        account::Kinds,
        arguments::{self, RoundingName},
        output::usage,
    },
    ledger::Code,
    store::read_text,
};

/// A mapping file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mapping {
    /// Name of the source: record and person ids are unique within it. Files that carry on one another share it.
    pub(crate) source: String,
    /// Encoding of the file.
    #[serde(default = "utf8")]
    pub(crate) encoding: String,
    /// What separates the columns.
    #[serde(default = "comma")]
    pub(crate) delimiter: char,
    /// Volunteers and stations stand there by the ids of their accounts, 32 hex digits.
    #[serde(default)]
    pub(crate) account_ids: bool,
    /// The records are brought over from an older system: exempt from the age limit, operators only.
    #[serde(default)]
    pub(crate) imported: bool,
    /// Kind of the accounts that are opened for volunteers.
    #[serde(default = "resident")]
    pub(crate) account_kind: Kinds,
    /// How time becomes minutes.
    #[serde(default = "exact")]
    pub(crate) rounding: RoundingName,
    /// Region of the stations that are opened.
    #[serde(default)]
    pub(crate) region: Option<String>,
    /// Account that pays, 32 hex digits; left out: the ledger issues the minutes.
    #[serde(default)]
    pub(crate) payer: Option<String>,
    /// Unit of the offset column.
    #[serde(default)]
    pub(crate) offset_unit: OffsetUnit,
    /// Which way the offset column is positive.
    #[serde(default)]
    pub(crate) offset_sign: OffsetSign,
    /// How dates are written, as strptime has it.
    #[serde(default = "iso_date")]
    pub(crate) date_format: String,
    /// How times are written, as strptime has it; left out: RFC 3339.
    #[serde(default)]
    pub(crate) time_format: Option<String>,
    /// Which column holds what.
    pub(crate) columns: Columns,
    /// What stands in no column.
    #[serde(default)]
    pub(crate) constants: Constants,
    /// A row has a volunteer with an account only if this column has this value.
    #[serde(default)]
    pub(crate) volunteer_if: Option<Condition>,
    /// Codes for what the category column says.
    #[serde(default)]
    pub(crate) categories: BTreeMap<String, String>,
    /// What the operation column says for a new, a changed and a deleted row.
    #[serde(default)]
    pub(crate) operations: Operations,
}

/// Names of columns.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Columns {
    pub(crate) record: String,
    pub(crate) volunteer: Option<String>,
    pub(crate) station: Option<String>,
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
    pub(crate) offset: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) minutes: Option<String>,
    pub(crate) hours: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) activity: Option<String>,
    pub(crate) operation: Option<String>,
}

/// Values for all rows.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Constants {
    pub(crate) volunteer: Option<String>,
    pub(crate) station: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) activity: Option<String>,
    pub(crate) offset: Option<String>,
}

/// A column and the value it has to have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Condition {
    pub(crate) column: String,
    pub(crate) equals: String,
}

/// Words of the operation column.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Operations {
    pub(crate) add: String,
    pub(crate) change: String,
    pub(crate) delete: String,
}

impl Default for Operations {
    fn default() -> Self {
        Self { add: "add".to_owned(), change: "change".to_owned(), delete: "delete".to_owned() }
    }
}

/// Unit of an offset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OffsetUnit {
    #[default]
    Seconds,
    Minutes,
    Hours,
}

/// Which way an offset is positive. JavaScript's `getTimezoneOffset` is positive to the west.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OffsetSign {
    #[default]
    East,
    West,
}

fn utf8() -> String {
    "utf-8".to_owned()
}

const fn comma() -> char {
    ','
}

const fn resident() -> Kinds {
    Kinds::Resident
}

const fn exact() -> RoundingName {
    RoundingName::Exact
}

fn iso_date() -> String {
    "%Y-%m-%d".to_owned()
}

impl Mapping {
    /// Reads a mapping file.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = read_text(path).map_err(|error| usage(format!("{}: {error}", path.display())))?;
        let mapping: Self = toml::from_str(&text).map_err(|error| usage(format!("{}: {error}", path.display())))?;
        match mapping.fault() {
            Some(problem) => Err(usage(format!("{}: {problem}", path.display()))),
            None => Ok(mapping),
        }
    }

    fn fault(&self) -> Option<String> {
        let columns = &self.columns;
        let constants = &self.constants;
        let clock = columns.start.is_some() && columns.end.is_some();
        let dated = columns.date.is_some() && (columns.minutes.is_some() != columns.hours.is_some());
        let code = |text: &Option<String>, length| text.as_ref().is_none_or(|text| Code::new(text, length).is_some());
        let checks = [
            (!self.source.is_empty() && !self.source.contains('\0'), "source: a name for where the rows come from"),
            (self.delimiter.is_ascii(), "delimiter: one ASCII character"),
            (!columns.record.is_empty(), "columns.record: the column with the record's id"),
            (columns.volunteer.is_some() != constants.volunteer.is_some(), "volunteer: in columns or in constants"),
            (columns.station.is_some() != constants.station.is_some(), "station: in columns or in constants"),
            (columns.category.is_none() || constants.category.is_none(), "category: in columns or in constants"),
            (columns.activity.is_none() || constants.activity.is_none(), "activity: in columns or in constants"),
            (columns.offset.is_none() || constants.offset.is_none(), "offset: in columns or in constants"),
            (clock != dated, "columns: either start and end, or date and one of minutes and hours"),
            (code(&self.region, 32), "region: 1 to 32 of A-Z a-z 0-9 . _ -"),
            (code(&constants.category, 32), "constants.category: 1 to 32 of A-Z a-z 0-9 . _ -"),
            (code(&constants.activity, 64), "constants.activity: 1 to 64 of A-Z a-z 0-9 . _ -"),
            (
                self.categories.values().all(|code| Code::new(code, 32).is_some()),
                "categories: codes of 1 to 32 of A-Z a-z 0-9 . _ -",
            ),
            (
                constants.offset.as_deref().is_none_or(|offset| calendar::offset(offset).is_ok()),
                "constants.offset: as +08:00",
            ),
            (
                self.payer.as_deref().is_none_or(|payer| arguments::account_id(payer).is_ok()),
                "payer: an account id of 32 hex digits",
            ),
            (
                !matches!(self.account_kind, Kinds::Station | Kinds::CommunityPool | Kinds::DistrictPool),
                "account_kind: resident, household or group",
            ),
        ];
        checks.iter().find(|(ok, _)| !ok).map(|(_, expected)| format!("expected {expected}"))
    }

    /// Every column that it names.
    pub(crate) fn column_names(&self) -> impl Iterator<Item = &str> {
        let columns = &self.columns;
        let optional = [
            &columns.volunteer,
            &columns.station,
            &columns.start,
            &columns.end,
            &columns.offset,
            &columns.date,
            &columns.minutes,
            &columns.hours,
            &columns.category,
            &columns.activity,
            &columns.operation,
        ];
        let condition = self.volunteer_if.as_ref().map(|condition| condition.column.as_str());
        std::iter::once(columns.record.as_str())
            .chain(optional.into_iter().filter_map(Option::as_deref))
            .chain(condition)
    }
}
