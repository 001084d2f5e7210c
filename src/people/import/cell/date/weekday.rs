//! The weekday beside a date.

use jiff::civil::{Date, Weekday};

const WEEK: [(Weekday, &str, &str); 7] = [
    (Weekday::Monday, "monday mon", "一月"),
    (Weekday::Tuesday, "tuesday tue tues", "二火"),
    (Weekday::Wednesday, "wednesday wed weds", "三水"),
    (Weekday::Thursday, "thursday thu thur thurs", "四木"),
    (Weekday::Friday, "friday fri", "五金"),
    (Weekday::Saturday, "saturday sat", "六土"),
    (Weekday::Sunday, "sunday sun", "日天"),
];

/// A date's text without the weekday in front or behind, and that weekday.
pub(super) fn split(text: &str) -> (&str, Option<Weekday>) {
    let split = behind(text).or_else(|| in_front(text));
    split.map_or((text, None), |(rest, weekday)| (rest.trim_matches([' ', ',']), Some(weekday)))
}

fn behind(text: &str) -> Option<(&str, Weekday)> {
    if let Some(inside) = text.strip_suffix(')') {
        let (rest, inside) = inside.rsplit_once('(')?;
        let single = WEEK.iter().find(|(_, _, signs)| is_one_of(inside, signs)).map(|(weekday, _, _)| *weekday);
        return single.or_else(|| named(inside)).map(|weekday| (rest, weekday));
    }
    if let Some((rest, word)) = text.rsplit_once([' ', ',']) {
        return named(word).map(|weekday| (rest, weekday));
    }
    // Chinese needs no blank: 2026年3月5日星期四.
    let lengths = [3, 2].into_iter();
    lengths.filter_map(|length| text.char_indices().nth_back(length - 1)).find_map(|(at, _)| {
        let (rest, word) = text.split_at_checked(at)?;
        chinese(word).map(|weekday| (rest, weekday))
    })
}

fn in_front(text: &str) -> Option<(&str, Weekday)> {
    let (word, rest) = text.split_once([' ', ','])?;
    named(word).map(|weekday| (rest, weekday))
}

fn named(word: &str) -> Option<Weekday> {
    let lower = word.strip_suffix('.').unwrap_or(word).to_lowercase();
    let latin = WEEK.iter().find(|(_, names, _)| names.split(' ').any(|name| name == lower));
    latin.map(|(weekday, _, _)| *weekday).or_else(|| chinese(word))
}

/// `星期四`, `周四`, `禮拜四`, `木曜日`.
fn chinese(word: &str) -> Option<Weekday> {
    let sign = ["星期", "周", "週", "礼拜", "禮拜"].iter().find_map(|start| word.strip_prefix(start));
    let sign = sign.or_else(|| word.strip_suffix("曜日"))?;
    let is_japanese = word.ends_with("曜日");
    let found = WEEK.iter().find(|(_, _, signs)| is_one_of(sign, signs))?;
    // 星期 counts, 曜日 has the names: Sunday is 日 in both.
    let is_sunday = found.0 == Weekday::Sunday;
    let is_name = found.2.ends_with(sign);
    (is_sunday || is_name == is_japanese).then_some(found.0)
}

fn is_one_of(sign: &str, signs: &str) -> bool {
    sign.chars().count() == 1 && signs.contains(sign)
}

/// The date, where it falls on the weekday that is written beside it.
pub(super) fn checked(date: Date, weekday: Option<Weekday>) -> Result<Date, String> {
    match weekday {
        Some(weekday) if weekday != date.weekday() => {
            Err(format!("{date} is a {:?}, not a {weekday:?}: one of them is wrong", date.weekday()))
        }
        Some(_) | None => Ok(date),
    }
}
