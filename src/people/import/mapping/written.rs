//! A mapping as it is written, and what is wrong with it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AccountIds, Condition, Field, Given, Mapping, OneOrMany, Operations, PeopleKind, Stated};
use crate::{
    ledger::{Code, Rounding},
    people::{
        calendar,
        import::cell::{amount::Decimal, clock, date::DateForm, offset::OffsetUnit},
    },
};

/// A mapping as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
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
    pub(super) fn check(self) -> Result<Mapping, String> {
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
