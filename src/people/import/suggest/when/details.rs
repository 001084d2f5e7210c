//! What follows from the chosen columns: forms of dates, the zone, rounding, services that were cut at midnight.

use super::{
    super::{
        super::{
            cell::{
                amount::{Decimal, Unit, amount_us},
                moment::moment,
            },
            mapping::Field,
        },
        dates::compiled,
        draft::Draft,
        survey::{Column, Survey},
        words::Role,
    },
    length::text,
};

const MINUTE_US: i64 = 60_000_000;
/// How other systems write the end of a day.
const LAST_SECOND_US: i64 = 86_399_000_000;

/// Settles how the chosen columns are read.
pub(in super::super) fn details(draft: &mut Draft, survey: &Survey<'_>) {
    offset(draft, survey);
    date_forms(draft, survey);
    zone(draft, survey);
    decimal(draft, survey);
    midnight(draft, survey);
}

fn columns<'s>(draft: &Draft, survey: &'s Survey<'_>, field: Field) -> Vec<&'s Column> {
    draft.get(field).iter().filter_map(|at| survey.columns.get(*at)).collect()
}

/// A column with the offset, or the zone, of the row's clocks.
fn offset(draft: &mut Draft, survey: &Survey<'_>) {
    let Some(column) = survey.of(Role::Offset).find(|column| column.count() * 2 > survey.sampled()) else { return };
    draft.set(Field::Offset, &[column], "the UTC offset of the row's clocks");
    if column.has_numbers() {
        let largest = column.numbers().map(f64::abs).fold(0.0, f64::max);
        let unit = match () {
            () if largest <= 14.0 => "hours",
            () if largest <= 840.0 => "minutes",
            () => "seconds",
        };
        draft.offset_unit = Some(unit);
        draft.unsure.push(format!(
            "offset: {:?} is taken for {unit}, positive to the east; if it comes from JavaScript, set offset_sign = \"west\"",
            column.name
        ));
    }
}

/// Forms of the dates, each once.
fn date_forms(draft: &mut Draft, survey: &Survey<'_>) {
    let fields = [Field::Date, Field::Start, Field::End, Field::Interval];
    let dated: Vec<&Column> = fields.into_iter().flat_map(|field| columns(draft, survey, field)).collect();
    for column in dated {
        let Some(forms) = &column.forms else { continue };
        for name in &forms.names {
            if !draft.date_forms.contains(name) {
                draft.date_forms.push(name);
            }
        }
        let said = format!("date_format: days and months can't be told apart by the cells of {:?}", column.name);
        if let Some(other) = forms.other
            && !draft.unsure.iter().any(|line| line.starts_with("date_format"))
        {
            draft.unsure.push(format!("{said}; {}. If that is wrong, write {other:?}", forms.why));
        }
    }
    let has_serial_clocks =
        |column: &Column| column.has_numbers() && column.forms.as_ref().is_none_or(|forms| forms.names.is_empty());
    let clocks = [Field::Start, Field::End].into_iter().flat_map(|field| columns(draft, survey, field));
    let is_excel = clocks.into_iter().any(has_serial_clocks);
    if is_excel {
        draft.is_time_excel = true;
    }
}

/// Where the clocks are: only proposed where the file's language says it, never taken silently.
fn zone(draft: &mut Draft, survey: &Survey<'_>) {
    if !draft.get(Field::Offset).is_empty() {
        return;
    }
    let points = [Field::Start, Field::End, Field::Interval];
    let clocks: Vec<&Column> = points.into_iter().flat_map(|field| columns(draft, survey, field)).collect();
    draft.has_clocks = !clocks.is_empty() && !clocks.iter().all(|column| column.has_offsets());
    let is_all_offsets = !clocks.is_empty() && !draft.has_clocks;
    match survey.chinese {
        _ if is_all_offsets => {}
        Some(is_traditional) => {
            let zone = if is_traditional { "Asia/Taipei" } else { "Asia/Shanghai" };
            draft.zone = Some(zone);
            draft.unsure.push(format!("zone: {zone}, as the file is Chinese; it is where the clocks are"));
        }
        None if draft.has_clocks => {
            draft.unsure.push("zone: the times name no offset; say where the clocks are before importing".to_owned());
        }
        None => {}
    }
}

/// Decimal commas, and amounts that are no whole minutes.
fn decimal(draft: &mut Draft, survey: &Survey<'_>) {
    let amounts = [(Field::Hours, Unit::Hours), (Field::Minutes, Unit::Minutes), (Field::Seconds, Unit::Seconds)];
    for (field, unit) in amounts {
        let found = columns(draft, survey, field);
        let cells = || found.iter().flat_map(|column| column.filled());
        let is_decimal = |cell: &&str, sign: char| {
            cell.split_once(sign).is_some_and(|(whole, rest)| {
                let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                digits(whole) && digits(rest)
            })
        };
        if cells().any(|cell| is_decimal(&cell, ',')) && !cells().any(|cell| is_decimal(&cell, '.')) {
            draft.has_decimal_comma = true;
        }
        let decimal = if draft.has_decimal_comma { Decimal::Comma } else { Decimal::Either };
        let is_broken = |cell: &str| amount_us(cell, unit, decimal).is_ok_and(|us| us % MINUTE_US != 0);
        if found.len() == 1 && cells().any(is_broken) {
            draft.rounding = Some("amounts that are no whole minutes go to the nearest");
        }
    }
}

/// Seconds in the times, and services that another system cut at midnight.
fn midnight(draft: &mut Draft, survey: &Survey<'_>) {
    let (start, end) = (columns(draft, survey, Field::Start), columns(draft, survey, Field::End));
    let people = columns(draft, survey, Field::Volunteer);
    if end.is_empty() {
        return;
    }
    let forms = compiled(&draft.date_forms);
    let mut has_seconds = false;
    let (mut ended, mut began) = (Vec::new(), Vec::new());
    for row in 0..survey.sampled() {
        let clock = |columns: &[&Column]| moment(&text(columns, row), &forms, &[]).ok().map(|said| said.clock.us);
        let (Some(from), Some(to)) = (clock(&start), clock(&end)) else { continue };
        if to >= LAST_SECOND_US {
            ended.push(text(&people, row));
        } else {
            has_seconds |= (to - from) % MINUTE_US != 0;
        }
        if from == 0 {
            began.push(text(&people, row));
        }
    }
    draft.joins_midnight = ended.iter().any(|person| began.contains(person));
    let ends_early = !draft.joins_midnight && !ended.is_empty();
    if has_seconds || ends_early {
        draft.rounding = draft.rounding.or(Some("times with seconds are no whole minutes: they go to the nearest"));
    }
}
