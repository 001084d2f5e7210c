//! The mapping: what the columns of a spreadsheet mean, a TOML file. `docs/import.md` is its reference.

mod written;

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use self::written::Written;
use super::cell::{amount::Decimal, date::DateForm, offset::OffsetUnit, text::tidy};
use crate::{engine::store::read_text, format::proto, ledger::Rounding};

/// What a row can say. The names are those of the mapping's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Field {
    /// What tells the record from all others of the source.
    Record,
    Volunteer,
    Station,
    Date,
    Start,
    End,
    /// Start and end in one cell: `14:00-16:30`.
    Interval,
    Hours,
    Minutes,
    Seconds,
    /// What is taken off start and end.
    Break,
    /// The UTC offset, or the zone, of the row's clocks.
    Offset,
    Category,
    Activity,
    /// Whether the row adds, changes or deletes a record.
    Operation,
}

impl Field {
    /// As the mapping writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Volunteer => "volunteer",
            Self::Station => "station",
            Self::Date => "date",
            Self::Start => "start",
            Self::End => "end",
            Self::Interval => "interval",
            Self::Hours => "hours",
            Self::Minutes => "minutes",
            Self::Seconds => "seconds",
            Self::Break => "break",
            Self::Offset => "offset",
            Self::Category => "category",
            Self::Activity => "activity",
            Self::Operation => "operation",
        }
    }
}

/// One word, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected text, or a list of texts in brackets")]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn words(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// Where a field's text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    /// The cells under these headers, read one after another.
    Columns(Vec<String>),
    /// The same for all rows.
    Constant(String),
}

/// How the rows say when a service was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stated {
    /// `start` and `end`, perhaps a `date` before both, perhaps less a `break`.
    StartAndEnd,
    /// `interval`, one cell with both, perhaps a `date` before it, perhaps less a `break`.
    Interval,
    /// `start` and how long.
    StartAndAmount,
    /// `date` and how long.
    DateAndAmount,
}

/// Which names in a file are ids of accounts, or the first six or more digits of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct AccountIds {
    pub(crate) volunteers: bool,
    pub(crate) stations: bool,
}

/// A column and the values it has to have.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) column: String,
    pub(crate) values: Vec<String>,
    /// It holds for all other values.
    pub(crate) is_excluding: bool,
}

impl Condition {
    /// Whether it holds for a tidied cell.
    pub(crate) fn holds(&self, cell: &str) -> bool {
        self.values.iter().any(|value| tidy(value) == cell) != self.is_excluding
    }

    /// What it asks for, in words.
    pub(crate) fn expected(&self) -> String {
        let values = self.values.join(", ");
        if self.is_excluding { format!("anything but {values:?}") } else { format!("{values:?}") }
    }
}

/// Words of the operation column.
#[derive(Debug, Clone, Deserialize)]
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

/// Accounts of people that an import opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PeopleKind {
    #[default]
    Resident,
    Household,
    Group,
}

impl PeopleKind {
    pub(crate) const fn message(self) -> proto::AccountKind {
        match self {
            Self::Resident => proto::AccountKind::Resident,
            Self::Household => proto::AccountKind::Household,
            Self::Group => proto::AccountKind::Group,
        }
    }
}

/// A mapping, checked.
#[allow(clippy::struct_excessive_bools, reason = "each is a key of the file")]
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    /// Name of the source: record and person ids are unique within it. Files that carry on one another share it.
    pub(crate) source: String,
    /// The workbook's sheet; none: the first one that is shown.
    pub(crate) sheet: Option<String>,
    /// Names for the columns of a file that has no header.
    pub(crate) header: Option<Vec<String>>,
    pub(crate) encoding: Option<String>,
    pub(crate) delimiter: Option<char>,
    pub(crate) decimal: Decimal,
    /// Where times without an offset are meant, a name of the tz database.
    pub(crate) zone: Option<String>,
    pub(crate) date_forms: Vec<DateForm>,
    pub(crate) time_forms: Vec<String>,
    pub(crate) offset_unit: OffsetUnit,
    /// The offset column's numbers are positive to the west, as JavaScript's `getTimezoneOffset` is.
    pub(crate) is_west_positive: bool,
    /// Whether a bare number of the break column is minutes; hours otherwise.
    pub(crate) is_break_in_minutes: bool,
    pub(crate) rounding: Rounding,
    /// The records are brought over from an older system: exempt from the age limit, operators only.
    pub(crate) imported: bool,
    pub(crate) account_kind: PeopleKind,
    pub(crate) account_ids: AccountIds,
    /// Another source whose volunteers and stations these are too.
    pub(crate) accounts_of: Option<String>,
    /// Region of the stations that are opened.
    pub(crate) region: Option<String>,
    /// Account that pays; none: the ledger issues the minutes.
    pub(crate) payer: Option<[u8; 16]>,
    /// Columns whose blanks mean what stands above them.
    pub(crate) fill_down: Vec<String>,
    /// Rows whose first word is one of these are sums, and no records.
    pub(crate) totals: Vec<String>,
    /// Rows of one service that another system split at midnight are one again.
    pub(crate) join_midnight: bool,
    /// Rows that are all alike in `record` are told apart by their order.
    pub(crate) number_repeats: bool,
    /// How `served` is said.
    pub(crate) stated: Stated,
    /// A row has a volunteer with an account only if this holds.
    pub(crate) volunteer_if: Option<Condition>,
    /// Only rows of which this holds are records.
    pub(crate) only_if: Option<Condition>,
    /// Codes for what the category column says.
    pub(crate) categories: BTreeMap<String, String>,
    /// Accounts of people and stations that the ledger has, by what the file calls them: ids, or their first digits.
    pub(crate) volunteers: BTreeMap<String, String>,
    pub(crate) stations: BTreeMap<String, String>,
    pub(crate) operations: Operations,
    given: BTreeMap<Field, Given>,
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// The file can't be read, is no mapping, or says too little or one thing twice: in words.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = read_text(path).map_err(|error| error.to_string())?;
        Self::parse(&text)
    }

    /// The same from text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
        written.check()
    }

    /// Where a field's text comes from, if anywhere.
    pub(crate) fn given(&self, field: Field) -> Option<&Given> {
        self.given.get(&field)
    }

    /// Every field that has columns.
    pub(crate) fn in_columns(&self) -> impl Iterator<Item = (Field, &[String])> {
        self.given.iter().filter_map(|(field, given)| match given {
            Given::Columns(columns) => Some((*field, columns.as_slice())),
            Given::Constant(_) => None,
        })
    }

    /// Every field that is the same for all rows.
    pub(crate) fn constants(&self) -> impl Iterator<Item = (Field, &str)> {
        self.given.iter().filter_map(|(field, given)| match given {
            Given::Constant(text) => Some((*field, text.as_str())),
            Given::Columns(_) => None,
        })
    }

    /// Every column that it names.
    pub(crate) fn column_names(&self) -> impl Iterator<Item = &str> {
        let conditions = self.volunteer_if.iter().chain(&self.only_if).map(|condition| condition.column.as_str());
        let mapped = self.in_columns().flat_map(|(_, columns)| columns.iter().map(String::as_str));
        mapped.chain(conditions).chain(self.fill_down.iter().map(String::as_str))
    }

    /// The columns that tell a record from others.
    pub(crate) fn record_columns(&self) -> &[String] {
        match self.given(Field::Record) {
            Some(Given::Columns(columns)) => columns,
            Some(Given::Constant(_)) | None => &[],
        }
    }

    /// The columns that tell a record from others, and how their cells are read where several are one key: another form makes
    /// another key of the same cell.
    pub(crate) fn key_form(&self) -> Vec<String> {
        let columns = self.record_columns();
        let mut form = columns.to_vec();
        let mut are_read = false;
        for (field, mapped) in self.in_columns() {
            if matches!(field, Field::Date | Field::Start | Field::End) {
                for column in mapped.iter().filter(|column| columns.contains(column)) {
                    are_read = true;
                    form.push(format!("{FORM}{} {column}", field.name()));
                }
            }
        }
        if are_read {
            form.extend(self.date_forms.iter().map(|read| format!("{FORM}{}", read.name())));
            form.extend(self.time_forms.iter().map(|read| format!("{FORM}{read}")));
        }
        form
    }

    /// Rows are operations: each is carried out once, ever.
    pub(crate) fn is_of_operations(&self) -> bool {
        self.given.contains_key(&Field::Operation)
    }
}

/// What begins the parts of a key's form that are no columns.
pub(crate) const FORM: char = '\u{1f}';
