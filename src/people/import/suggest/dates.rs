//! Which forms the dates of a column have.

use super::{
    super::cell::{
        date::{DateForm, date},
        moment::moment,
    },
    kind::number,
};

/// Forms that can be meant otherwise, so that a mapping has to name them. Where two read all cells, one above wins, and
/// whoever is asked is told.
const FORMS: [&str; 19] = [
    "%Y%m%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%y/%m/%d",
    "%y-%m-%d",
    "%y.%m.%d",
    "%d-%b-%y",
    "%d %b %y",
    "%b %d, %y",
    "roc",
    "excel",
];
/// Forms in one column, at most: more are chance.
const FORMS_MAX: usize = 3;
/// Serials of Excel that are a date of a service: of the years 1990 to 2063.
const SERIALS: std::ops::Range<f64> = 32_874.0..60_000.0;

/// The forms of a column's dates.
#[derive(Debug, Clone, Default)]
pub(super) struct Forms {
    pub(super) names: Vec<&'static str>,
    /// Day and month could be told either way by the cells: the other form.
    pub(super) other: Option<&'static str>,
    /// What decided then.
    pub(super) why: &'static str,
}

/// What else a file has that tells days from months.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// Clocks with AM and PM.
    pub(super) has_halves: bool,
    /// The header is in another language than English.
    pub(super) is_foreign: bool,
}

/// Forms as the readers take them.
pub(super) fn compiled(names: &[&str]) -> Vec<DateForm> {
    names.iter().filter_map(|name| DateForm::named(name).ok()).collect()
}

fn reads(cell: &str, forms: &[DateForm]) -> bool {
    date(cell, forms).is_ok() || moment(cell, forms, &[]).is_ok_and(|said| said.date.is_some())
}

/// Whether a cell may be a date in one of the forms that have to be named.
fn is_like_date(cell: &str, takes_numbers: bool) -> bool {
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    if digits < 3 || cell.len() > 48 {
        return false;
    }
    if number(cell).is_some() {
        return takes_numbers && !cell.starts_with(['-', '+']);
    }
    let signs = cell.chars().filter(|letter| "/.-年".contains(*letter)).count();
    signs >= 2 || cell.contains(|letter: char| letter.is_ascii_alphabetic()) && digits <= 6
}

/// The forms by which most cells of a column are dates; None where they are none. `takes_numbers`: the header says that
/// it is dates, so that a bare number may be one.
pub(super) fn forms(cells: &[&str], takes_numbers: bool, habits: Habits) -> Option<Forms> {
    let filled = cells.len();
    let is_bare_number = |cell: &&&str| number(cell).is_some();
    if filled == 0 || (!takes_numbers && cells.iter().filter(is_bare_number).count() * 2 > filled) {
        return None;
    }
    let mut rest: Vec<&str> = cells.iter().copied().filter(|cell| !reads(cell, &[])).collect();
    let mut found = Forms::default();
    while rest.len() * 50 > filled && found.names.len() < FORMS_MAX {
        let like: Vec<&str> = rest.iter().copied().filter(|cell| is_like_date(cell, takes_numbers)).collect();
        let Some((name, count)) = best(&like) else { break };
        if count * 50 < filled || count * 3 < like.len() {
            break;
        }
        let name = decided(name, count, &like, habits, &mut found);
        found.names.push(name);
        let form = compiled(&[name]);
        rest.retain(|cell| !reads(cell, &form));
    }
    // A few cells that aren't dates are mistakes; many, and the column is something else.
    (rest.len() * 10 <= filled * 4).then_some(found)
}

/// The form that reads the most cells; the first of those that read as many.
fn best(cells: &[&str]) -> Option<(&'static str, usize)> {
    let counted = FORMS.iter().map(|name| (*name, count(name, cells)));
    counted.filter(|(_, count)| *count > 0).rev().max_by_key(|(_, count)| *count)
}

fn count(name: &str, cells: &[&str]) -> usize {
    let form = compiled(&[name]);
    let is_serial = |cell: &&&str| name != "excel" || number(cell).is_some_and(|serial| SERIALS.contains(&serial));
    cells.iter().filter(is_serial).filter(|cell| reads(cell, &form)).count()
}

/// Days before months, or after them, where the cells themselves don't say.
fn decided(name: &'static str, count_of: usize, cells: &[&str], habits: Habits, found: &mut Forms) -> &'static str {
    let other = match name {
        "%d/%m/%Y" => "%m/%d/%Y",
        "%d-%m-%Y" => "%m-%d-%Y",
        "%d/%m/%y" => "%m/%d/%y",
        "%d-%m-%y" => "%m-%d-%y",
        _ => return name,
    };
    if count(other, cells) < count_of {
        return name;
    }
    let (inverted, inverted_other) = (disorder(name, cells), disorder(other, cells));
    let (chosen, rejected, why) = match () {
        () if habits.has_halves => (other, name, "clocks with AM and PM go with months in front"),
        () if inverted * 2 < inverted_other => (name, other, "so the rows are in order"),
        () if inverted_other * 2 < inverted => (other, name, "so the rows are in order"),
        () if habits.is_foreign => (name, other, "the header's language has days in front"),
        () => (name, other, "most countries have days in front"),
    };
    (found.other, found.why) = (Some(rejected), why);
    chosen
}

/// How often dates go back from one row to the next, or forth, whichever is rarer.
fn disorder(name: &str, cells: &[&str]) -> usize {
    let form = compiled(&[name]);
    let said =
        |cell: &&str| date(cell, &form).ok().or_else(|| moment(cell, &form, &[]).ok().and_then(|said| said.date));
    let dates: Vec<_> = cells.iter().filter_map(said).collect();
    let pairs = || dates.iter().zip(dates.iter().skip(1));
    let (back, forth) = (pairs().filter(|(a, b)| b < a).count(), pairs().filter(|(a, b)| b > a).count());
    back.min(forth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_by_the_cells() {
        let plain = Habits { has_halves: false, is_foreign: false };
        let check =
            |cells: &[&str], numbers: bool, habits: Habits, names: &[&'static str], other: Option<&'static str>| {
                let found = forms(cells, numbers, habits).map(|found| (found.names, found.other));
                assert_eq!(found, Some((names.to_vec(), other)), "{cells:?}");
            };
        check(&["2026-08-03", "2026年8月3日"], true, plain, &[], None);
        check(&["21/06/2023", "03/04/2023"], true, plain, &["%d/%m/%Y"], None);
        check(&["11/05/2026", "10/31/2026"], true, plain, &["%m/%d/%Y"], None);
        check(&["01/02/2026", "03/02/2026"], true, plain, &["%d/%m/%Y"], Some("%m/%d/%Y"));
        let halves = Habits { has_halves: true, is_foreign: false };
        check(&["01/02/2026", "03/02/2026"], true, halves, &["%m/%d/%Y"], Some("%d/%m/%Y"));
        check(&["03.08.2026"], true, plain, &["%d.%m.%Y"], None);
        check(&["1150901", "1151028"], true, plain, &["roc"], None);
        check(&["46261", "46263"], true, plain, &["excel"], None);
        check(&["03.08.26", "28.08.26"], true, plain, &["%d.%m.%y"], None);
        assert!(forms(&["46261", "46263"], false, plain).is_none());
        assert!(forms(&["Anna", "Bo"], true, plain).is_none());
    }
}
