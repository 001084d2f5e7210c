//! The forms of dates that can mean one day alone.

use jiff::civil::Date;

use super::super::scan::{digits, four_digits, is_digits, numeral};

/// Full names and abbreviations of the months that are the same month in every language that has them.
const MONTHS: [&str; 12] = [
    "january jan januar janvier enero gennaio janeiro januari leden ledna января",
    "february feb februar février fevrier febrero febbraio fevereiro februari únor února февраля",
    "march mar märz maerz mars marzo março marco maart březen března марта",
    "april apr avril abril aprile duben dubna апреля",
    "may mai mayo maggio maio mei květen května мая",
    "june jun juni juin junio giugno junho červen června июня",
    "july jul juli juillet julio luglio julho červenec července июля",
    "august aug août aout agosto augustus srpen srpna августа",
    "september sep sept septembre septiembre settembre setembro září сентября",
    "october oct oktober octobre octubre ottobre outubro říjen října октября",
    "november nov novembre noviembre novembro listopadu ноября",
    "december dec dezember décembre decembre diciembre dicembre dezembro prosinec prosince декабря",
];
/// Eras that count years of their own, by the year before their first.
const ERAS: [(&str, u32); 8] = [
    ("中華民國", 1_911),
    ("中华民国", 1_911),
    ("民國", 1_911),
    ("民国", 1_911),
    ("令和", 2_018),
    ("平成", 1_988),
    ("昭和", 1_925),
    ("西元", 0),
];

/// The date of a value without a weekday, where its form can mean one day alone. Eight digits are no such form: they may be
/// a number of something.
pub(super) fn date(text: &str) -> Option<Result<Date, String>> {
    let numbers = || {
        let [year, month, day] = three(text)?;
        let is_date = year.len() == 4 && month.len() <= 2 && day.len() <= 2;
        is_date.then_some(day_of(digits(year)?, digits(month)?, digits(day)?))
    };
    numbers().or_else(|| chinese(text)).or_else(|| month_named(text))
}

/// A day by its numbers, or a sentence.
pub(super) fn day_of(year: u32, month: u32, day: u32) -> Result<Date, String> {
    let date = i16::try_from(year).ok().zip(i8::try_from(month).ok()).zip(i8::try_from(day).ok());
    let date = date.and_then(|((year, month), day)| Date::new(year, month, day).ok());
    date.ok_or_else(|| format!("there is no such day as {year}-{month:02}-{day:02}"))
}

/// Three numbers between two signs of one kind, as `2026-3-5`, `2026/03/05`, `2026. 3. 5.`
pub(super) fn three(text: &str) -> Option<[&str; 3]> {
    ['-', '/', '.'].into_iter().find_map(|sign| {
        let text = if sign == '.' { text.strip_suffix('.').unwrap_or(text) } else { text };
        let mut parts = text.split(sign).map(str::trim);
        let three = [parts.next()?, parts.next()?, parts.next()?];
        (parts.next().is_none() && three.iter().all(|part| is_digits(part))).then_some(three)
    })
}

/// Year, month and day as they are written between 年, 月 and 日, 号 or nothing; 년, 월 and 일 too.
pub(super) fn chinese_parts(text: &str) -> Option<[&str; 3]> {
    let (year, rest) = text.split_once(['年', '년'])?;
    let (month, day) = rest.split_once(['月', '월'])?;
    let day = day.strip_suffix(['日', '号', '號', '일']).unwrap_or(day);
    Some([year.trim(), month.trim(), day.trim()])
}

/// What stands behind the name of the Republic of China.
pub(super) fn without_republic(text: &str) -> Option<&str> {
    let named = ERAS.iter().filter(|(_, before)| *before == 1_911).find_map(|(era, _)| text.strip_prefix(era));
    named.or_else(|| text.strip_prefix("ROC ")).map(str::trim_start)
}

/// `2026年3月5日`, `二〇二六年三月五日`, `民國115年3月5日`, `令和8年3月5日`, `民國115/3/5`.
fn chinese(text: &str) -> Option<Result<Date, String>> {
    let era = ERAS.iter().find_map(|(era, before)| text.strip_prefix(era).map(|rest| (rest.trim_start(), *before)));
    let (bare, before) = era.unwrap_or((text, 0));
    let [year, month, day] = chinese_parts(bare).or_else(|| three(bare).filter(|_| era.is_some()))?;
    let year = match (before, year) {
        (0, _) => four_digits(year)?,
        (_, "元") => before + 1,
        (_, _) => before + numeral(year).filter(|year| *year < 1_000)?,
    };
    Some(day_of(year, numeral(month)?, numeral(day)?))
}

/// `5 March 2026`, `March 5th, 2026`, `05-Mar-2026`, `2026 March 5`, `5. März 2026`.
fn month_named(text: &str) -> Option<Result<Date, String>> {
    let (day, month, year) = month_named_parts(text)?;
    Some(day_of(four_digits(year)?, month, day))
}

/// Day, month and the digits of the year of a date that names its month.
pub(super) fn month_named_parts(text: &str) -> Option<(u32, u32, &str)> {
    let words = text
        .split([' ', ',', '.', '-', '/'])
        .filter(|word| !word.is_empty() && !["of", "de", "del", "the"].contains(&word.to_lowercase().as_str()));
    let mut words = words;
    let three = [words.next()?, words.next()?, words.next()?];
    if words.next().is_some() {
        return None;
    }
    let months = three.map(month_number);
    let (month, day, year) = match (months, three) {
        ([None, Some(month), None], [first, _, last]) if first.len() == 4 && is_digits(first) => (month, last, first),
        ([None, Some(month), None], [first, _, last]) => (month, first, last),
        ([Some(month), None, None], [_, day, year]) => (month, day, year),
        _ => return None,
    };
    let number = day.trim_end_matches(|letter: char| letter.is_alphabetic() || letter == 'º');
    let ending = day.get(number.len()..).unwrap_or_default().to_lowercase();
    let is_day = number.len() <= 2 && ["", "st", "nd", "rd", "th", "er", "º"].contains(&ending.as_str());
    (is_day && is_digits(year)).then_some((digits(number)?, month, year))
}

fn month_number(word: &str) -> Option<u32> {
    // Most words are numbers, and this is asked of every cell.
    if !word.starts_with(char::is_alphabetic) {
        return None;
    }
    let lower = word.to_lowercase();
    let found = MONTHS.iter().zip(1..).find(|(names, _)| names.split(' ').any(|name| name == lower));
    found.map(|(_, number)| number)
}
