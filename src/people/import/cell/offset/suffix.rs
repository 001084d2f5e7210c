//! The offset or zone behind a clock time.

use jiff::tz::TimeZone;

use super::super::scan::is_digits;
use super::{ABBREVIATIONS, Place, known, signed, written, zone};

/// A value without the place that stands behind it, and that place: `None` where none does.
///
/// Zones in brackets are left to the reader of moments, who has to compare them with the offset.
pub(in super::super) fn behind(text: &str) -> Option<(&str, Place)> {
    let text = without_remark(text);
    if let Some(inside) = text.strip_suffix(')') {
        let (before, inside) = inside.rsplit_once('(')?;
        let place = written(inside.trim())?.ok()?;
        return Some((before.trim_end(), place));
    }
    if let Some((before, word)) = text.rsplit_once(' ')
        && word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.contains('/')
    {
        return known(word).map(|zone: TimeZone| (before.trim_end(), Place::Zone(zone)));
    }
    if let Some(before) = text.strip_suffix(['Z', 'z'])
        && before.trim_end().ends_with(|last: char| last.is_ascii_digit())
    {
        return Some((before.trim_end(), Place::Fixed(jiff::tz::Offset::UTC)));
    }
    let lower = text.to_ascii_lowercase();
    if let Some(at) = lower.rfind("utc").max(lower.rfind("gmt")) {
        let (before, named) = text.split_at_checked(at)?;
        return written(named)?.ok().map(|place| (before.trim_end(), place));
    }
    let (before, sign) = text.split_at_checked(text.rfind(['+', '-', '−'])?)?;
    let is_time = before.trim_end().ends_with(|last: char| last.is_ascii_alphanumeric() || "点點分秒半".contains(last));
    let place = signed(sign, true)?.ok().filter(|_| is_time)?;
    Some((before.trim_end(), place))
}

/// What programs for the web write behind an offset: `GMT+0800 (China Standard Time)`.
fn without_remark(text: &str) -> &str {
    let remark = text.strip_suffix(')').and_then(|rest| rest.rsplit_once(" ("));
    let Some((before, remark)) = remark else { return text };
    let is_name = remark.chars().all(|letter| letter.is_alphabetic() || letter == ' ');
    let has_offset = before.rsplit_once(['+', '-']).is_some_and(|(_, offset)| is_digits(offset) && offset.len() == 4);
    if is_name && has_offset { before } else { text }
}

/// Whether a place begins with a minus alone, that may as well be the dash of a span.
pub(in super::super) fn is_minus(place: &str) -> bool {
    place.trim_start().starts_with(['-', '−'])
}

/// Why the last word of a value can be no place: it is an abbreviation that several zones use.
pub(in super::super) fn abbreviation(text: &str) -> Option<String> {
    let (_, word) = text.rsplit_once(' ')?;
    let is_one = ABBREVIATIONS.split_whitespace().any(|known| known == word);
    if is_one { zone(word).err() } else { None }
}
