//! What all readers of values share: the text made plain, digits, Chinese numerals, and how a refusal quotes.

use super::text::{is_blank, is_unseen, narrow, tidy};

/// Longest value that is read at all: where a quote is missing, half a file is one cell.
const BYTES_MAX: usize = 4_096;
/// How much of a cell a refusal repeats.
const QUOTED_CHARS_MAX: usize = 80;

pub(super) const SECOND_US: i64 = 1_000_000;
pub(super) const MINUTE_US: i64 = 60 * SECOND_US;
pub(super) const HOUR_US: i64 = 60 * MINUTE_US;
pub(super) const DAY_US: i64 = 24 * HOUR_US;

/// A value made plain: tidied, in ASCII where it was full-width, nothing invisible inside, each run of blanks one
/// space.
///
/// # Errors
/// The cell is empty, or longer than any value.
pub(super) fn value(text: &str) -> Result<String, String> {
    if text.len() > BYTES_MAX {
        return Err(format!(
            "{}: the cell holds {} bytes, a value at most {BYTES_MAX}: is a quote missing in the row?",
            quoted(text),
            text.len()
        ));
    }
    let mut plain = String::with_capacity(text.len());
    for character in narrow(&tidy(text)).chars() {
        if is_blank(character) {
            if !plain.ends_with(' ') {
                plain.push(' ');
            }
        } else if !is_unseen(character) {
            plain.push(character);
        }
    }
    let plain = plain.trim();
    if plain.is_empty() { Err("the cell is empty".to_owned()) } else { Ok(plain.to_owned()) }
}

/// A cell's text in a refusal, its start where it is long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((at, _)) => format!("{:?}…", text.get(..at).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// Digits alone, at least one.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number of at most nine digits, nothing else.
pub(super) fn digits(text: &str) -> Option<u32> {
    if is_digits(text) && text.len() <= 9 { text.parse().ok() } else { None }
}

/// Where the digits, or other characters, at the start of a text end.
pub(super) fn split_run(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|character| !belongs(character)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// A number of digits or of Chinese numerals: `9`, `十一`, `二十`, `零五`, `一百二十`, up to 999 in Chinese.
///
/// `一百二` is none: to some it is 120, to others 102.
pub(super) fn numeral(text: &str) -> Option<u32> {
    if is_digits(text) {
        return digits(text);
    }
    match text.split_once('百') {
        Some((hundreds, "")) => Some(chinese_digit(hundreds)? * 100),
        Some((hundreds, rest)) => {
            let below = if rest.starts_with('十') { None } else { below_hundred(rest) };
            let is_clear = rest.starts_with(['零', '〇']) || rest.contains('十');
            Some(chinese_digit(hundreds)? * 100 + below.filter(|_| is_clear)?)
        }
        None => below_hundred(text),
    }
}

fn below_hundred(text: &str) -> Option<u32> {
    if let Some(ones) = text.strip_prefix(['零', '〇']) {
        return if ones.is_empty() { Some(0) } else { chinese_digit(ones) };
    }
    let Some((tens, ones)) = text.split_once('十') else { return chinese_digit(text) };
    let tens = if tens.is_empty() { 1 } else { chinese_digit(tens)? };
    let ones = if ones.is_empty() { 0 } else { chinese_digit(ones)? };
    Some(tens * 10 + ones)
}

/// One numeral from 1 to 9.
fn chinese_digit(text: &str) -> Option<u32> {
    let mut characters = text.chars();
    let digit = match characters.next()? {
        '一' => 1,
        '二' | '两' | '兩' => 2,
        '三' => 3,
        '四' => 4,
        '五' => 5,
        '六' => 6,
        '七' => 7,
        '八' => 8,
        '九' => 9,
        _ => return None,
    };
    if characters.next().is_none() { Some(digit) } else { None }
}

/// Whether a character may stand in a Chinese numeral.
pub(super) fn is_numeral(character: char) -> bool {
    matches!(
        character,
        '零' | '〇' | '一' | '二' | '两' | '兩' | '三' | '四' | '五' | '六' | '七' | '八' | '九' | '十' | '百'
    )
}

/// A year of four digits, or of four Chinese digits in a row: `二〇二六`.
pub(super) fn four_digits(text: &str) -> Option<u32> {
    if text.len() == 4 && is_digits(text) {
        return digits(text);
    }
    let mut year = 0;
    let mut count = 0;
    for character in text.chars() {
        let mut buffer = [0; 4];
        let zero = matches!(character, '零' | '〇' | '○');
        year = year * 10 + if zero { 0 } else { chinese_digit(character.encode_utf8(&mut buffer))? };
        count += 1;
        if count > 4 {
            return None;
        }
    }
    if count == 4 { Some(year) } else { None }
}
