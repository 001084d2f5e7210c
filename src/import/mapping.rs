//! The mapping: what the columns of a spreadsheet mean, a TOML file. `docs/import.md` is its reference.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use super::cell::{amount::Decimal, clock, date::DateForm, offset::OffsetUnit, text::tidy};
use crate::{
    calendar,
    ledger::{Code, Rounding},
    proto,
    store::read_text,
};

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
    /// `interval`, likewise.
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

/// A mapping as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    source: String,
    sheet: Option<String>,
    header: Option<Vec<String>>,
    encoding: Option<String>,
    delimiter: Option<char>,
    decimal: Option<DecimalName>,
    zone: Option<String>,
    date_format: Option<OneOrMany>,
    time_format: Option<OneOrMany>,
    #[serde(default)]
    offset_unit: OffsetUnitName,
    #[serde(default)]
    offset_sign: OffsetSign,
    #[serde(default)]
    break_unit: BreakUnit,
    #[serde(default)]
    rounding: RoundingName,
    #[serde(default)]
    imported: bool,
    #[serde(default)]
    account_kind: PeopleKind,
    #[serde(default)]
    account_ids: AccountIdsName,
    accounts_of: Option<String>,
    region: Option<String>,
    payer: Option<String>,
    fill_down: Option<OneOrMany>,
    totals: Option<OneOrMany>,
    #[serde(default)]
    join_midnight: bool,
    #[serde(default)]
    number_repeats: bool,
    columns: BTreeMap<Field, OneOrMany>,
    #[serde(default)]
    constants: BTreeMap<Field, toml::Value>,
    volunteer_if: Option<WrittenCondition>,
    only_if: Option<WrittenCondition>,
    #[serde(default)]
    categories: BTreeMap<String, String>,
    #[serde(default)]
    volunteers: BTreeMap<String, String>,
    #[serde(default)]
    stations: BTreeMap<String, String>,
    #[serde(default)]
    operations: Operations,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCondition {
    column: String,
    equals: Option<OneOrMany>,
    not: Option<OneOrMany>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DecimalName {
    Point,
    Comma,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OffsetUnitName {
    #[default]
    Seconds,
    Minutes,
    Hours,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OffsetSign {
    #[default]
    East,
    West,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BreakUnit {
    #[default]
    Minutes,
    Hours,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoundingName {
    #[default]
    Exact,
    Down,
    Nearest,
    Up,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected true, false, \"volunteers\" or \"stations\"")]
enum AccountIdsName {
    All(bool),
    One(Named),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Named {
    Volunteers,
    Stations,
}

impl Default for AccountIdsName {
    fn default() -> Self {
        Self::All(false)
    }
}

impl Field {
    /// Most columns that it is read from: a key or a name may be in many, a moment in a date and a clock, hours and minutes in
    /// two; of all else two columns would say two things.
    const fn columns_max(self) -> usize {
        match self {
            Self::Record | Self::Volunteer | Self::Station => 8,
            Self::Start | Self::End | Self::Interval => 3,
            Self::Hours => 2,
            Self::Date
            | Self::Minutes
            | Self::Seconds
            | Self::Break
            | Self::Offset
            | Self::Category
            | Self::Activity
            | Self::Operation => 1,
        }
    }
}

impl Written {
    fn check(self) -> Result<Mapping, String> {
        let given = self.given()?;
        let stated = stated(&given)?;
        self.check_words(&given)?;
        let forms = |written: Option<OneOrMany>| written.map(OneOrMany::into_vec).unwrap_or_default();
        let date_forms =
            forms(self.date_format).iter().map(|form| DateForm::named(form)).collect::<Result<_, String>>();
        let time_forms = forms(self.time_format).iter().map(|form| clock::form(form)).collect::<Result<_, String>>();
        let ids = match self.account_ids {
            AccountIdsName::All(all) => AccountIds { volunteers: all, stations: all },
            AccountIdsName::One(Named::Volunteers) => AccountIds { volunteers: true, stations: false },
            AccountIdsName::One(Named::Stations) => AccountIds { volunteers: false, stations: true },
        };
        Ok(Mapping {
            source: self.source,
            sheet: self.sheet,
            header: self.header,
            encoding: self.encoding,
            delimiter: self.delimiter,
            decimal: match self.decimal {
                Some(DecimalName::Point) => Decimal::Point,
                Some(DecimalName::Comma) => Decimal::Comma,
                None => Decimal::Either,
            },
            zone: self.zone,
            date_forms: date_forms?,
            time_forms: time_forms?,
            offset_unit: match self.offset_unit {
                OffsetUnitName::Seconds => OffsetUnit::Seconds,
                OffsetUnitName::Minutes => OffsetUnit::Minutes,
                OffsetUnitName::Hours => OffsetUnit::Hours,
            },
            is_west_positive: self.offset_sign == OffsetSign::West,
            is_break_in_minutes: self.break_unit == BreakUnit::Minutes,
            rounding: match self.rounding {
                RoundingName::Exact => Rounding::Exact,
                RoundingName::Down => Rounding::Down,
                RoundingName::Nearest => Rounding::Nearest,
                RoundingName::Up => Rounding::Up,
            },
            imported: self.imported,
            account_kind: self.account_kind,
            account_ids: ids,
            accounts_of: self.accounts_of,
            region: self.region,
            payer: self.payer.and_then(|payer| account_id(&payer)),
            fill_down: forms(self.fill_down),
            totals: forms(self.totals),
            join_midnight: self.join_midnight,
            number_repeats: self.number_repeats,
            stated,
            volunteer_if: self.volunteer_if.map(|written| written.checked("volunteer_if")).transpose()?,
            only_if: self.only_if.map(|written| written.checked("only_if")).transpose()?,
            categories: self.categories,
            volunteers: self.volunteers,
            stations: self.stations,
            operations: self.operations,
            given,
        })
    }

    /// Columns and constants by field, each said once.
    fn given(&self) -> Result<BTreeMap<Field, Given>, String> {
        let mut given = BTreeMap::new();
        for (field, columns) in &self.columns {
            let columns = columns.clone().into_vec();
            let max = field.columns_max();
            if columns.is_empty() || columns.len() > max || columns.iter().any(|name| name.trim().is_empty()) {
                let expected = if max == 1 {
                    "the name of one column".to_owned()
                } else {
                    format!("the names of 1 to {max} columns")
                };
                return Err(format!("columns.{}: expected {expected}", field.name()));
            }
            if columns.iter().zip(1..).any(|(name, next)| columns.iter().skip(next).any(|other| other == name)) {
                return Err(format!("columns.{}: it names one column twice", field.name()));
            }
            given.insert(*field, Given::Columns(columns));
        }
        for (field, value) in &self.constants {
            let name = field.name();
            let text = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Datetime(_) => value.to_string(),
                toml::Value::Boolean(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
                    return Err(format!("constants.{name}: expected text or a number"));
                }
            };
            if matches!(field, Field::Record | Field::Operation) {
                return Err(format!("constants.{name}: it can't be the same for all rows; name a column"));
            }
            if given.insert(*field, Given::Constant(text)).is_some() {
                return Err(format!("{name} stands under [columns] and under [constants]: say it in one place"));
            }
        }
        let missing = |field: Field, advice: &str| {
            if given.contains_key(&field) { Ok(()) } else { Err(format!("{}: {advice}", field.name())) }
        };
        missing(
            Field::Record,
            "under [columns], name the column with the record's id; where there is none, several columns whose cells together \
             are no other row's, as record = [\"name\", \"date\", \"start\"]",
        )?;
        missing(Field::Volunteer, "name a column under [columns], or one account for all rows under [constants]")?;
        missing(Field::Station, "name a column under [columns], or one station for all rows under [constants]")?;
        Ok(given)
    }

    /// What is wrong with the words that it holds.
    fn check_words(&self, given: &BTreeMap<Field, Given>) -> Result<(), String> {
        let constant = |field| match given.get(&field) {
            Some(Given::Constant(text)) => Some(text.as_str()),
            Some(Given::Columns(_)) | None => None,
        };
        let code = |text: Option<&str>, length| text.is_none_or(|text| Code::new(text, length).is_some());
        let named = |names: &BTreeMap<String, String>| {
            names.values().all(|id| (6..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        let header = self.header.as_deref().unwrap_or_default();
        let mut sorted: Vec<&String> = header.iter().collect();
        sorted.sort_unstable();
        let twice = sorted.windows(2).any(|pair| pair.first() == pair.get(1));
        let checks = [
            (
                !self.source.trim().is_empty() && self.source.len() <= 64 && !self.source.contains('\0'),
                "source: a name of 1 to 64 bytes for where the rows come from",
            ),
            (self.delimiter.is_none_or(|letter| letter.is_ascii()), "delimiter: one ASCII character"),
            (
                self.totals.iter().flat_map(OneOrMany::words).all(|word| word.contains(char::is_alphabetic)),
                "totals: words with letters, as \"Total\"",
            ),
            (self.header.is_none() || !(header.is_empty() || twice), "header: the names of all columns, each another"),
            (
                self.zone.is_none() || !given.contains_key(&Field::Offset),
                "zone or offset: one of them; a cell that writes its own offset keeps it in any case",
            ),
            (code(self.region.as_deref(), 32), "region: 1 to 32 of A-Z a-z 0-9 . _ -"),
            (code(constant(Field::Category), 32), "constants.category: 1 to 32 of A-Z a-z 0-9 . _ -"),
            (code(constant(Field::Activity), 64), "constants.activity: 1 to 64 of A-Z a-z 0-9 . _ -"),
            (
                self.categories.values().all(|code| Code::new(code, 32).is_some()),
                "categories: codes of 1 to 32 of A-Z a-z 0-9 . _ -",
            ),
            (named(&self.volunteers), "volunteers: account ids, or their first 6 or more hex digits"),
            (named(&self.stations), "stations: account ids, or their first 6 or more hex digits"),
            (
                self.payer.as_deref().is_none_or(|payer| account_id(payer).is_some()),
                "payer: an account id of 32 hex digits",
            ),
        ];
        if let Some(zone) = self.zone.as_deref().filter(|zone| calendar::known(zone).is_none()) {
            return Err(format!("zone: {zone:?}: no such time zone. Name one as Asia/Shanghai or Europe/Prague"));
        }
        checks.iter().find(|(ok, _)| !ok).map_or(Ok(()), |(_, expected)| Err(format!("expected {expected}")))
    }
}

impl WrittenCondition {
    /// `name`: the key that it stands under.
    fn checked(self, name: &str) -> Result<Condition, String> {
        let (values, is_excluding) = match (self.equals, self.not) {
            (Some(values), None) => (values, false),
            (None, Some(values)) => (values, true),
            (Some(_), Some(_)) | (None, None) => {
                return Err(format!("{name}: expected either equals or not, with one value or several"));
            }
        };
        Ok(Condition { column: self.column, values: values.into_vec(), is_excluding })
    }
}

/// Which of the ways to say when a service was this is; any two at once are refused, as they may not agree.
fn stated(given: &BTreeMap<Field, Given>) -> Result<Stated, String> {
    let has = |field: Field| given.contains_key(&field);
    let amounts: Vec<&str> = [Field::Hours, Field::Minutes, Field::Seconds]
        .into_iter()
        .filter(|field| has(*field))
        .map(Field::name)
        .collect();
    if amounts.len() > 1 {
        return Err(format!(
            "{} say the same thing: name one of them; hours and minutes in two columns are hours = [\"hours\", \"minutes\"]",
            amounts.join(" and ")
        ));
    }
    let (start, end, interval, date) = (has(Field::Start), has(Field::End), has(Field::Interval), has(Field::Date));
    let amount = amounts.first().copied();
    let stated = match (start, end, interval, amount) {
        (true, true, false, None) => Stated::StartAndEnd,
        (false, false, true, None) => Stated::Interval,
        (true, false, false, Some(_)) => Stated::StartAndAmount,
        (false, false, false, Some(_)) if date => Stated::DateAndAmount,
        (true, true, _, Some(amount)) => {
            return Err(format!(
                "start and end already say how long it was: take {amount} out, or map date and {amount} instead of them"
            ));
        }
        _ => {
            return Err("columns: expected start and end, or interval, or start and one of hours, minutes and seconds, or date \
                        and one of these"
                .to_owned());
        }
    };
    if has(Field::Break) && !matches!(stated, Stated::StartAndEnd | Stated::Interval) {
        return Err(
            "break: it is taken off start and end, or off an interval; what is said as an amount is net".to_owned()
        );
    }
    Ok(stated)
}

fn account_id(text: &str) -> Option<[u8; 16]> {
    hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok())
}
