//! Why a text is no date, and what to set in the mapping.

use jiff::civil::Date;

use super::super::{
    clock,
    scan::{digits, is_digits},
};
use super::{DateForm, parts, written};

pub(super) const EXPECTED: &str = "expected a date as 2026-03-05, 2026/3/5, 2026年3月5日 or 5 March 2026";

/// Which `date_format` would read a value that no form has, where that can be told.
pub(super) fn of(text: &str, forms: &[DateForm]) -> Option<String> {
    numbers(text).or_else(|| named_month(text)).or_else(|| number(text)).or_else(|| with_clock(text, forms))
}

/// What to say of a value that no form has.
pub(super) fn refusal(text: &str, forms: &[DateForm]) -> String {
    let unread = || {
        let names: Vec<&str> = forms.iter().map(DateForm::name).collect();
        let unfit = if names.is_empty() {
            String::new()
        } else {
            format!("no date as {}, and none by itself: ", names.join(" or "))
        };
        format!("{unfit}{EXPECTED}; another form is named as date_format in the mapping")
    };
    of(text, forms).unwrap_or_else(unread)
}

/// `05/03/2026`, `05.03.26`, `115/03/05`: numbers whose order isn't said.
fn numbers(text: &str) -> Option<String> {
    let [first, second, third] = written::three(text)?;
    let sign = text.chars().find(|character| !character.is_ascii_digit() && *character != ' ')?;
    let number = |part: &str| digits(part);
    if first.len() == 3 && second.len() <= 2 && third.len() <= 2 {
        let year = number(first)? + 1_911;
        return Some(format!(
            "a year of three digits: if it counts from 1911, as {year}, set date_format = \"roc\" in the mapping"
        ));
    }
    if first.len() > 2 || second.len() > 2 || !matches!(third.len(), 2 | 4) {
        return None;
    }
    let is_short = third.len() == 2;
    let mut readings: Vec<(Date, String)> = Vec::new();
    let orders = [
        (third, second, first, ['d', 'm', 'y']),
        (third, first, second, ['m', 'd', 'y']),
        (first, second, third, ['y', 'm', 'd']),
    ];
    for (year, month, day, order) in orders.into_iter().take(if is_short { 3 } else { 2 }) {
        // As %y has it.
        let year = number(year)?;
        let year = match (is_short, year) {
            (false, year) => year,
            (true, ..=68) => year + 2_000,
            (true, _) => year + 1_900,
        };
        if let Ok(date) = written::day_of(year, number(month)?, number(day)?) {
            let [one, two, three] = order.map(|code| if code == 'y' && !is_short { 'Y' } else { code });
            readings.push((date, format!("%{one}{sign}%{two}{sign}%{three}")));
        }
    }
    let shown = |date: &Date| date.strftime("%-d %B %Y").to_string();
    match readings.as_slice() {
        [] => Some("there is no such day in any order of its numbers".to_owned()),
        [(date, form)] => Some(format!("set date_format = {form:?} in the mapping if it is {}", shown(date))),
        [(date, form), (same, other)] if date == same => {
            let day = shown(date);
            Some(format!(
                "{day} in either order, but a column has one: set date_format = {form:?} or {other:?} in the mapping"
            ))
        }
        several => {
            let choices: Vec<String> =
                several.iter().map(|(date, form)| format!("{form:?} for {}", shown(date))).collect();
            let days: Vec<String> = several.iter().map(|(date, _)| shown(date)).collect();
            Some(format!("could be {}: set date_format in the mapping, {}", days.join(" or "), choices.join(", ")))
        }
    }
}

/// Dates like `5-Mar-26`: which century, the mapping has to say.
fn named_month(text: &str) -> Option<String> {
    let (_, _, year) = written::month_named_parts(text)?;
    let form = "set date_format in the mapping, as \"%d-%b-%y\"";
    (year.len() == 2).then(|| format!("a year of two digits: {form}"))
}

/// `46300`, `1150305`, `20260305`, `1772668800`.
fn number(text: &str) -> Option<String> {
    let whole = text.split_once('.').map_or(text, |(whole, part)| if is_digits(part) { whole } else { text });
    if !is_digits(whole) {
        return None;
    }
    let form = match whole.len() {
        5 => "if it is a spreadsheet's count of days, set date_format = \"excel\" in the mapping",
        6 => "if it has no signs between its parts, set date_format in the mapping, as \"%y%m%d\" or \"%d%m%y\"",
        7 => "if its year counts from 1911, set date_format = \"roc\" in the mapping",
        8 => "if it has no signs between its parts, set date_format in the mapping, as \"%Y%m%d\" or \"%d%m%Y\"",
        10 => "if it counts seconds since 1970, it is a moment: name the column as start and set time_format = \"%s\"",
        _ => return None,
    };
    Some(format!("a number alone: {form}"))
}

/// `05/03/2026 00:00`, where the form has no clock time.
fn with_clock(text: &str, forms: &[DateForm]) -> Option<String> {
    let mut parts = parts(text).filter(|(_, behind)| clock::clock(behind, &[]).is_ok());
    parts.find_map(|(before, _)| {
        let form = forms.iter().find(|form| form.read(before).is_some_and(|read| read.is_ok()));
        form.map(|form| match form {
            DateForm::Pattern(pattern) => {
                format!("a clock time stands behind the date: add it to date_format, as in \"{pattern} %H:%M\"")
            }
            DateForm::Excel | DateForm::Excel1904 | DateForm::Roc => {
                "a clock time stands behind the date: name the column as start, or take the time off".to_owned()
            }
        })
    })
}
