//! How long: the column that says it, its unit, and whether it agrees with start and end.

use jiff::civil::Date;

use super::{
    super::{
        super::{
            cell::{
                amount::{Decimal, Unit, amount_us},
                date::{DateForm, date},
                moment::moment,
            },
            mapping::Field,
        },
        dates::compiled,
        kind::{Kind, percent},
        survey::{Column, Survey},
        words::Role,
    },
    Amount, Offers,
};

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 86_400_000_000;

/// The column or columns that say how long. `is_plain`: by its header, and no plan or sum.
pub(super) fn amount<'s>(survey: &'s Survey<'_>, is_plain: bool) -> Option<Amount<'s>> {
    let fits = |column: &&Column| column.has_amounts() && !(is_plain && column.is_weak());
    let mut found: Vec<&Column> = survey.of(Role::Duration).filter(fits).collect();
    if found.is_empty() {
        let is_amount = |column: &&Column| column.has_numbers() || column.share(|kind| kind == Kind::Amount) >= 50;
        found = survey.of(Role::Time).filter(fits).filter(is_amount).collect();
    }
    if found.is_empty() && !is_plain {
        found = survey.columns.iter().filter(|column| column.said.is_none() && could_be_amount(column)).collect();
        // Words with units and clocks are surer than numbers, which may be anything.
        found.sort_by_key(|column| (column.has_numbers(), column.numbers().all(|number| number <= 24.0)));
        found.truncate(1);
    }
    if let Some(pair) = pair(&found) {
        return Some(pair);
    }
    // Exact ones before hours of two decimals, and among these the one that is filled most.
    let best = found.into_iter().max_by_key(|column| {
        let exact = column.share(|kind| matches!(kind, Kind::Clock | Kind::Amount)) >= 50;
        (!column.is_weak(), exact, column.count(), std::cmp::Reverse(column.at))
    })?;
    let (unit, doubt) = unit(best);
    let field = match unit {
        Unit::Hours => Field::Hours,
        Unit::Minutes => Field::Minutes,
        Unit::Seconds => Field::Seconds,
    };
    Some(Amount { field, unit, columns: vec![best], doubt })
}

/// Numbers without a name that are hours of a day, or amounts with units.
fn could_be_amount(column: &Column) -> bool {
    if column.count() == 0 {
        return false;
    }
    if column.share(|kind| matches!(kind, Kind::Amount | Kind::Clock)) >= 80 {
        return true;
    }
    // Seconds are whole minutes mostly.
    let is_seconds = |number: &f64| (300.0..=86_400.0).contains(number) && number % 60.0 == 0.0;
    if column.has_numbers() && percent(column.numbers().filter(is_seconds).count(), column.count()) >= 95 {
        return true;
    }
    let fits = column.numbers().filter(|number| *number > 0.0 && *number <= 24.0).count();
    let is_few = column.distinct() * 2 <= column.count().max(8);
    column.has_numbers() && percent(fits, column.count()) >= 80 && is_few
}

/// Hours in one column, and the minutes beyond them in another.
fn pair<'s>(found: &[&'s Column]) -> Option<Amount<'s>> {
    let of = |unit| {
        found
            .iter()
            .copied()
            .find(|column| column.has_numbers() && column.said.is_some_and(|said| said.unit == Some(unit)))
    };
    let (hours, minutes) = (of(Unit::Hours)?, of(Unit::Minutes)?);
    let is_rest = minutes.numbers().all(|number| (0.0..60.0).contains(&number))
        && hours.numbers().all(|hours| hours.fract() == 0.0);
    is_rest.then(|| Amount { field: Field::Hours, unit: Unit::Hours, columns: vec![hours, minutes], doubt: None })
}

/// What a bare number of the column counts, and why it may be something else.
fn unit(column: &Column) -> (Unit, Option<String>) {
    let has_bare = column.has_numbers();
    let mut numbers: Vec<f64> = column.numbers().filter(|number| *number > 0.0).collect();
    numbers.sort_by(f64::total_cmp);
    let median = numbers.get(numbers.len() / 2).copied().unwrap_or(0.0);
    let is_whole = numbers.iter().all(|number| number.fract() == 0.0);
    if let Some(unit) = column.said.and_then(|said| said.unit) {
        // Minutes of which the largest is 4 and halves occur are hours.
        let is_odd = match unit {
            Unit::Hours => median > 24.0,
            Unit::Minutes => median > 0.0 && median < 5.0,
            Unit::Seconds => median > 0.0 && median < 60.0,
        };
        let doubt = is_odd.then(|| {
            format!("{:?}: the header says {unit:?}, the numbers (half are over {median}) don't look so", column.name)
        });
        return (unit, doubt);
    }
    if !has_bare || numbers.is_empty() {
        return (Unit::Hours, None);
    }
    let (unit, word) = match () {
        () if is_whole && median >= 600.0 => (Unit::Seconds, "seconds"),
        () if is_whole && median >= 10.0 => (Unit::Minutes, "minutes"),
        () => (Unit::Hours, "hours"),
    };
    let largest = numbers.last().copied().unwrap_or(0.0);
    let doubt =
        format!("{:?}: no unit in the header; taken for {word}, as its numbers go up to {largest}", column.name);
    (unit, Some(doubt))
}

/// How amounts and times go together, over the sampled rows.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    /// Rows with something in start and end, and how many of these are times.
    pub(super) rows: usize,
    pub(super) read: usize,
    /// Rows with both times and an amount, and how many agree, and once the break is taken off.
    pub(super) both: usize,
    pub(super) agree: usize,
    pub(super) agree_less_pause: usize,
    pub(super) is_pause_in_hours: bool,
}

/// Reads start, end, amount and break as an import would, to see which of them go together.
pub(super) fn compare(survey: &Survey<'_>, offers: &Offers<'_>) -> Lengths {
    let mut lengths = Lengths::default();
    let (Some(start), Some(end)) = (&offers.start, &offers.end) else { return lengths };
    let pauses = || offers.pause.into_iter().flat_map(Column::numbers);
    let has_clocks = offers.pause.is_some_and(Column::has_clocks);
    lengths.is_pause_in_hours =
        has_clocks || pauses().any(|number| number > 0.0) && pauses().all(|number| number <= 4.0);
    let pause_unit = if lengths.is_pause_in_hours { Unit::Hours } else { Unit::Minutes };
    let named = start.iter().chain(end).copied().chain(offers.date);
    let forms: Vec<&str> =
        named.filter_map(|column| column.forms.as_ref()).flat_map(|forms| forms.names.iter().copied()).collect();
    let forms = compiled(&forms);
    for row in 0..survey.sampled() {
        let (from, to) = (text(start, row), text(end, row));
        if from.is_empty() || to.is_empty() {
            continue;
        }
        lengths.rows += 1;
        let Some(between) = between(&from, &to, offers.date.map_or("", |date| cell(date, row)), &forms) else {
            continue;
        };
        lengths.read += 1;
        let Some(amount) = offers.amount.as_ref().and_then(|amount| stated(amount, row)) else { continue };
        let pause = offers.pause.map_or("", |pause| cell(pause, row));
        let pause = amount_us(pause, pause_unit, Decimal::Either).unwrap_or(0);
        lengths.both += 1;
        // Two decimals of an hour are 18 seconds either way, and an end at 23:59:59 lacks a second.
        let is_near = |us: i64| (us - amount).abs() <= MINUTE_US;
        lengths.agree += usize::from(is_near(between));
        lengths.agree_less_pause += usize::from(is_near(between - pause));
    }
    lengths
}

pub(super) fn cell(column: &Column, row: usize) -> &str {
    column.cells.get(row).map_or("", String::as_str)
}

pub(super) fn text(columns: &[&Column], row: usize) -> String {
    columns.iter().map(|column| cell(column, row)).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" ")
}

fn stated(amount: &Amount<'_>, row: usize) -> Option<i64> {
    let read = |column: &Column, unit| amount_us(cell(column, row), unit, Decimal::Either).ok();
    match amount.columns.as_slice() {
        [hours, minutes] => Some(read(hours, Unit::Hours)? + read(minutes, Unit::Minutes).unwrap_or(0)),
        columns => columns.first().and_then(|column| read(column, amount.unit)),
    }
}

/// Microseconds from a start to an end on clocks that don't change; an end without a date is the next one.
fn between(from: &str, to: &str, day: &str, forms: &[DateForm]) -> Option<i64> {
    let (from, to) = (moment(from, forms, &[]).ok()?, moment(to, forms, &[]).ok()?);
    let own = from.date.or_else(|| date(day, forms).ok());
    let days = match (own, to.date) {
        (Some(from), Some(to)) => i64::from(days(to)? - days(from)?),
        (_, None) if to.clock < from.clock => 1,
        (_, _) => 0,
    };
    Some(days.checked_mul(DAY_US)? + to.clock.us - from.clock.us).filter(|us| *us > 0)
}

fn days(date: Date) -> Option<i32> {
    date.since(Date::constant(1970, 1, 1)).ok().map(|span| span.get_days())
}
