//! Which columns say when a service was, and how long: one way of several.

use super::{
    super::{cell::amount::Unit, mapping::Field},
    draft::Draft,
    kind::{Kind, percent},
    survey::{Column, Survey},
    words::Role,
};

mod details;
mod length;

pub(super) use details::details;
use length::{Lengths, compare};

/// A start or an end: one column, or a date and a clock time in two.
type Point<'s> = Vec<&'s Column>;

/// What a file offers.
struct Offers<'s> {
    date: Option<&'s Column>,
    start: Option<Point<'s>>,
    end: Option<Point<'s>>,
    interval: Option<&'s Column>,
    amount: Option<Amount<'s>>,
    pause: Option<&'s Column>,
}

/// How long, in one column or in hours and minutes.
struct Amount<'s> {
    field: Field,
    /// What a bare number counts.
    unit: Unit,
    columns: Vec<&'s Column>,
    /// Why the unit may be another.
    doubt: Option<String>,
}

/// Chooses the columns of the time.
pub(super) fn when(draft: &mut Draft, survey: &Survey<'_>) {
    let offers = offers(survey);
    let lengths = compare(survey, &offers);
    if by_clock(draft, &offers, &lengths) || by_start(draft, &offers) || by_date(draft, &offers) {
        left_out(draft, survey, &offers);
        return;
    }
    if offers.amount.is_none() {
        draft.missing.push("how long: no column has an end, a span, or an amount of time".to_owned());
    } else {
        draft.missing.push("when: no column has a date or a start".to_owned());
    }
    if let Some(amount) = &offers.amount {
        draft.set(amount.field, &amount.columns, "");
    }
    if let Some(date) = offers.date {
        draft.set(Field::Date, &[date], "");
    }
    if let Some(start) = &offers.start {
        draft.set(Field::Start, start, "");
    }
}

fn offers<'s>(survey: &'s Survey<'_>) -> Offers<'s> {
    let plain = |column: &&Column| !column.is_weak();
    let unknown = |column: &&Column| column.said.is_none();
    let interval = survey.columns.iter().filter(|column| is_interval(column)).find(plain);
    let date = survey.of(Role::Date).filter(plain).find(|column| column.has_dates() || column.has_moments());
    let mut start = point(survey, Role::Start, true);
    let mut end = point(survey, Role::End, true);
    let mut amount = length::amount(survey, true);
    // A time of service is a start where something else says how long, else an amount.
    let times: Vec<&Column> =
        survey.of(Role::Time).filter(plain).filter(|column| column.has_clocks() || column.has_moments()).collect();
    if start.is_none()
        && let Some(time) = times.first()
        && (end.is_some() || amount.is_some() || time.has_moments())
    {
        start = Some(vec![*time]);
    }
    let date = date.or_else(|| {
        survey.of(Role::Start).chain(survey.of(Role::Time)).filter(plain).find(|column| column.has_dates())
    });
    let date = date.or_else(|| survey.columns.iter().filter(unknown).find(|column| column.has_dates()));
    if start.is_none() && end.is_none() && interval.is_none() && date.is_none_or(|date| date.said.is_none()) {
        let moments: Vec<&Column> =
            survey.columns.iter().filter(unknown).filter(|column| column.has_moments()).collect();
        let clocks: Vec<&Column> = survey.columns.iter().filter(unknown).filter(|column| column.has_clocks()).collect();
        let pair = |found: &[&'s Column]| match found {
            [first, second, ..] => (Some(vec![*first]), Some(vec![*second])),
            [first] if amount.is_some() || survey.layout.header.is_none() => (Some(vec![*first]), None),
            _ => (None, None),
        };
        (start, end) = if moments.is_empty() && clocks.len() > 1 { pair(&clocks) } else { pair(&moments) };
    }
    if end.is_none() && interval.is_none() {
        amount = amount.or_else(|| length::amount(survey, false));
    }
    if date.is_none() && start.is_none() {
        start = point(survey, Role::Start, false);
    }
    let weak = || survey.of(Role::Date).chain(survey.of(Role::Time)).chain(survey.of(Role::Start));
    let date = date.or_else(|| {
        let is_free = start.is_none() && interval.is_none_or(|column| column.share(|kind| kind == Kind::Span) > 0);
        weak().filter(|_| is_free).find(|column| column.has_dates() || column.has_moments())
    });
    let pause = survey.of(Role::Break).find(|column| column.has_amounts() && column.count() > 0);
    Offers { date, start, end, interval, amount, pause }
}

/// Spans in a column that may have some: numbers of telephones look like 555-1234.
fn is_interval(column: &Column) -> bool {
    let of_time = [Role::Time, Role::Start, Role::Date, Role::Duration].iter().any(|role| column.is(*role));
    let has_sign = |cell: &&str| cell.contains([':', '：', '点', '點', '时', '時']);
    let is_clear = || percent(column.filled().filter(has_sign).count(), column.count()) >= 80;
    column.has_spans() && (of_time || column.said.is_none() && is_clear())
}

/// A moment in one column, or a date and a clock in two, or a clock alone.
fn point<'s>(survey: &'s Survey<'_>, role: Role, is_plain: bool) -> Option<Point<'s>> {
    let of = || survey.of(role).filter(|column| !(is_plain && column.is_weak()));
    if let Some(moment) = of().find(|column| column.has_moments()) {
        return Some(vec![moment]);
    }
    let clock = of().find(|column| column.has_clocks())?;
    Some(of().find(|column| column.has_dates()).into_iter().chain([clock]).collect())
}

/// Start and end, or both in one cell.
fn by_clock(draft: &mut Draft, offers: &Offers<'_>, lengths: &Lengths) -> bool {
    if let Some(interval) = offers.interval {
        draft.set(Field::Interval, &[interval], "start and end in one cell");
        return dated(draft, offers, &[interval]);
    }
    let (Some(start), Some(end)) = (&offers.start, &offers.end) else { return false };
    let has_dates = start.len() > 1 || start.iter().any(|column| column.has_moments()) || offers.date.is_some();
    if !has_dates {
        return false;
    }
    let can_be_net = offers.amount.is_some()
        && (offers.date.is_some() || start.iter().any(|column| column.has_moments() || column.has_dates()));
    if can_be_net && lengths.rows >= 3 && percent(lengths.read, lengths.rows) < 50 {
        draft.notes.push(format!(
            "{} and {}: most can't be read as times, so the amount is taken",
            names(start),
            names(end)
        ));
        return false;
    }
    if can_be_net
        && lengths.both >= 3
        && lengths.agree * 2 < lengths.both
        && lengths.agree_less_pause * 2 < lengths.both
    {
        draft.notes.push(format!(
            "{} and {}: {} of {} rows have another time between them than the amount, as by a break without a column",
            names(start),
            names(end),
            lengths.both - lengths.agree,
            lengths.both
        ));
        draft.unsure.push(
            "the amount is taken, and not start and end, as they don't agree: which of them is credited?".to_owned(),
        );
        return false;
    }
    draft.set(Field::Start, start, "");
    draft.set(Field::End, end, "");
    if let Some(pause) = offers.pause
        && (lengths.both == 0 || lengths.agree_less_pause >= lengths.agree)
    {
        draft.set(Field::Break, &[pause], "taken off the time between start and end");
        draft.is_break_in_hours = lengths.is_pause_in_hours;
    }
    dated(draft, offers, start)
}

/// The date column beside clocks without one.
fn dated(draft: &mut Draft, offers: &Offers<'_>, point: &[&Column]) -> bool {
    let has_own = point.len() > 1 || point.iter().any(|column| column.has_moments());
    if has_own {
        return true;
    }
    match offers.date {
        Some(date) => draft.set(Field::Date, &[date], ""),
        // A span may have its date within.
        None if offers.interval.is_some() => {}
        None => return false,
    }
    true
}

/// A start and how long.
fn by_start(draft: &mut Draft, offers: &Offers<'_>) -> bool {
    let (Some(start), Some(amount)) = (&offers.start, &offers.amount) else { return false };
    // Where the end was refused, the start of a gross time says nothing of the net one.
    if offers.end.is_some() && offers.date.is_some() {
        return false;
    }
    let has_own = start.len() > 1 || start.iter().any(|column| column.has_moments());
    if !has_own && offers.date.is_none() {
        return false;
    }
    draft.set(Field::Start, start, "");
    set_amount(draft, amount);
    dated(draft, offers, start)
}

/// A date and how long.
fn by_date(draft: &mut Draft, offers: &Offers<'_>) -> bool {
    let (Some(date), Some(amount)) = (offers.date, &offers.amount) else { return false };
    set_amount(draft, amount);
    let has_pattern = date.forms.as_ref().is_some_and(|forms| forms.names.iter().any(|name| name.starts_with('%')));
    if date.has_offsets() || date.has_moments() && has_pattern {
        // With an offset, the date depends on the place; and a form of dates reads no clock behind them.
        draft.set(Field::Start, &[date], "a date with a clock time");
        if date.is_weak() {
            draft
                .unsure
                .push(format!("start: {:?} may be when the row was written, and not when the service was", date.name));
        }
    } else {
        draft.set(Field::Date, &[date], "");
        if date.is_weak() {
            draft
                .unsure
                .push(format!("date: {:?} may be when the row was written, and not when the service was", date.name));
        }
    }
    true
}

fn set_amount(draft: &mut Draft, amount: &Amount<'_>) {
    let note = if amount.columns.len() > 1 { "hours in the first, minutes in the second" } else { "" };
    draft.set(amount.field, &amount.columns, note);
    if let Some(doubt) = &amount.doubt {
        draft.unsure.push(doubt.clone());
    }
    if amount.columns.iter().any(|column| column.is_weak()) {
        draft.unsure.push(format!(
            "{}: {:?} may be a sum or a plan, and not what was served",
            amount.field.name(),
            amount.columns.first().map(|column| column.name.as_str()).unwrap_or_default()
        ));
    }
}

/// Says which columns tell a time and aren't read.
fn left_out(draft: &mut Draft, survey: &Survey<'_>, offers: &Offers<'_>) {
    let is_time = |column: &&Column| {
        let of_time = [Role::Date, Role::Start, Role::End, Role::Time, Role::Duration, Role::Break];
        column.count() > 0 && of_time.iter().any(|role| column.is(*role))
    };
    let taken: Vec<usize> = draft.used();
    for column in survey.columns.iter().filter(is_time).filter(|column| !taken.contains(&column.at)) {
        let is_amount =
            offers.amount.as_ref().is_some_and(|amount| amount.columns.iter().any(|other| other.at == column.at));
        let why = match () {
            () if column.is_weak() => "a plan, a sum, or when the row was written",
            () if is_amount => "the times say how long",
            () => "another column says it",
        };
        draft.notes.push(format!("{}: not read, {why}", column.name));
    }
    let last = survey.of(Role::End).find(|column| column.has_dates() && !taken.contains(&column.at));
    if let (Some(date), Some(last)) = (offers.date.filter(|date| taken.contains(&date.at)), last)
        && date.cells.iter().zip(&last.cells).any(|(first, last)| first != last && !last.is_empty())
    {
        draft.unsure.push(format!("{}: not read; a row of several days is recorded on {}", last.name, date.name));
    }
}

fn names(columns: &[&Column]) -> String {
    columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(" ")
}
