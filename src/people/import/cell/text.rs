//! The text of a cell: what a person sees of it, why it may be no data, and how it is written for the next spreadsheet.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

#[cfg(test)]
mod tests;

/// What makes a spreadsheet take a text for a formula; a tab or a carriage return in front leads some to the same.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// What Excel writes in place of a value that it couldn't compute, without an end that gives it away.
const FAULTS: [&str; 13] = [
    "#N/A",
    "#GETTING_DATA",
    "#NV",
    "#N/D",
    "#N/V",
    "#N/B",
    "#I/T",
    "#Н/Д",
    "#YOK",
    "#HIÁNYZIK",
    "#PUUTTUU",
    "Loading...",
    "#N/A N/A",
];
/// `LibreOffice`'s errors are numbered, behind the word for it in its language.
const NUMBERED_FAULTS: [&str; 10] =
    ["Err:", "Error:", "Fehler:", "Erreur :", "Erreur:", "Errore:", "Erro:", "Chyba:", "Ошибка:", "错误:"];
/// The zeros of scripts whose digits stand in a row behind it.
const ZEROS: [char; 14] = ['٠', '۰', '०', '০', '੦', '૦', '୦', '௦', '౦', '೦', '൦', '๐', '໐', '၀'];

/// The text as a person sees it: NFC, without blanks and invisible characters at either end, out of `="0042"`, and
/// without the apostrophe that kept a spreadsheet from computing it.
///
/// What shows once a wrapper is off is tidied again, and so are wrappers inside each other; all apostrophes of a row in
/// front of a formula's sign go. Nothing is left to do for a second call, and `tidy(guard(x))` is `tidy(x)`. An
/// invisible character between two others stays: a joiner is spelling in some scripts.
#[must_use]
pub(crate) fn tidy(raw: &str) -> String {
    let mut text: Cow<'_, str> = Cow::Borrowed(raw);
    loop {
        let bare = unwrapped(&text);
        // ASCII is what it is; most cells are.
        let bare: String = if bare.is_ascii() { bare.into_owned() } else { bare.nfc().collect() };
        if bare == *text {
            return bare;
        }
        text = Cow::Owned(bare);
    }
}

/// Trimmed and out of all its wrappers, before NFC: an apostrophe may stand before what NFC joins to another sign.
fn unwrapped(text: &str) -> Cow<'_, str> {
    let mut text = text;
    loop {
        // A guarded tab is all that some cells hold: the end is trimmed once the guard is off.
        text = text.trim_start_matches(is_unseen);
        let behind = text.trim_start_matches('\'');
        if behind.len() < text.len() && behind.starts_with(FORMULA_STARTS) {
            text = behind;
            continue;
        }
        text = text.trim_end_matches(is_unseen);
        let Some(quoted) = text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) else {
            return Cow::Borrowed(text);
        };
        let single = quoted.replace("\"\"", "");
        if single.contains('"') {
            // A formula with several strings.
            return Cow::Borrowed(text);
        }
        if single.len() < quoted.len() {
            // Quotes halve at each level, so that even a hostile cell is soon through.
            return Cow::Owned(unwrapped(&quoted.replace("\"\"", "\"")).into_owned());
        }
        text = quoted;
    }
}

/// A character that leaves no ink: what may be trimmed from either end of a cell.
pub(super) fn is_unseen(character: char) -> bool {
    is_blank(character)
        || character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

/// A blank of any width, the fillers of Hangul and Braille among them.
pub(super) fn is_blank(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

/// Why a tidied cell holds no data: it shows an error of the spreadsheet, or the text of a formula in place of its
/// value.
///
/// `#` with letters is an error only where `!` or `?` ends it, in any language, or where it is one of those that end
/// otherwise; `#12` and `#A7` are ids.
#[must_use]
pub(crate) fn fault(tidied: &str) -> Option<String> {
    // Most cells are neither, and this is asked of every one.
    let is_suspect = |first: char| matches!(first, '#' | '=' | 'C' | 'E' | 'F' | 'L' | 'l');
    if !tidied.starts_with(|first: char| !first.is_ascii() || is_suspect(first)) {
        return None;
    }
    // Errors are short, and a formula is told by its first sign.
    let shown: String = tidied.chars().take(60).collect();
    if tidied.starts_with('=') {
        return Some(format!("{shown:?} is the text of a formula: export the values of the cells, not their formulas"));
    }
    if tidied.len() >= 3 && tidied.bytes().all(|byte| byte == b'#') {
        return Some(format!(
            "{shown:?} stands where a column is too narrow for its value: widen the column and export again"
        ));
    }
    is_error(tidied)
        .then(|| format!("{shown:?} is an error of the spreadsheet: correct the cell's formula there and export again"))
}

fn is_error(tidied: &str) -> bool {
    if tidied.chars().nth(40).is_some() {
        return false;
    }
    let upper = tidied.to_uppercase();
    if FAULTS.iter().any(|fault| fault.to_uppercase() == upper) {
        return true;
    }
    let is_number =
        |rest: &str| rest.len() == 3 && rest.starts_with('5') && rest.bytes().all(|byte| byte.is_ascii_digit());
    if NUMBERED_FAULTS.iter().any(|word| tidied.strip_prefix(word).is_some_and(is_number)) {
        return true;
    }
    let Some(name) = tidied.strip_prefix('#').and_then(|rest| rest.strip_suffix(['!', '?'])) else { return false };
    // Spanish puts a sign in front as well.
    let name = name.trim_start_matches(['¡', '¿']);
    let fits = |letter: char| (letter.is_alphanumeric() && !letter.is_lowercase()) || matches!(letter, '/' | '_');
    name.chars().all(fits) && name.chars().any(char::is_alphabetic)
}

/// Full-width letters, digits and signs as ASCII, other scripts' digits too, and the signs that pass for a colon.
///
/// For values alone: an id is what it is. Dashes and tildes that are no full-width form stay as they are.
#[must_use]
pub(crate) fn narrow(text: &str) -> String {
    text.chars().map(narrow_character).collect()
}

fn narrow_character(character: char) -> char {
    match character {
        ' '..='~' => character,
        '\u{ff01}'..='\u{ff5e}' => {
            u32::from(character).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(character)
        }
        '\u{3000}' => ' ',
        '\u{2236}' | '\u{a789}' | '\u{fe55}' | '\u{fe13}' => ':',
        _ => other_digit(character).unwrap_or(character),
    }
}

fn other_digit(character: char) -> Option<char> {
    ZEROS.iter().find_map(|zero| {
        let digit = u32::from(character).checked_sub(u32::from(*zero)).filter(|digit| *digit < 10)?;
        char::from_digit(digit, 10)
    })
}

/// A text for a cell of a CSV that somebody opens in a spreadsheet: with an apostrophe in front where the program would
/// compute it. [`tidy`] takes it off again.
///
/// A plain negative number is data, and stays a number there.
#[must_use]
pub(crate) fn guard(text: &str) -> String {
    let is_formula = text.starts_with(FORMULA_STARTS) && !is_negative_number(text);
    let is_guarded = text.strip_prefix('\'').is_some_and(|rest| rest.starts_with(FORMULA_STARTS));
    if is_formula || is_guarded { format!("'{text}") } else { text.to_owned() }
}

/// `-1.5` or `-1,5`.
fn is_negative_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let Some(number) = text.strip_prefix('-') else { return false };
    match number.split_once(['.', ',']) {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    }
}
