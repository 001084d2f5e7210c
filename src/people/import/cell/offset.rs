//! Where clocks are read: a UTC offset as people and programs write it, or a time zone's name.

mod suffix;
#[cfg(test)]
mod tests;

use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

pub(super) use suffix::{abbreviation, behind, is_minus};

use super::{
    local::Place,
    scan::{digits, is_digits, quoted, value},
};

/// No place's clocks are further from UTC.
const SECONDS_MAX: i64 = 14 * 3_600;
/// What a number alone comes to is a whole number of these wherever people live.
const STEP_SECONDS: i64 = 15 * 60;
const EXPECTED: &str = "expected a UTC offset as +08:00, or a time zone as Asia/Shanghai";
/// Names that stand for a different zone on every continent; some of them are in the tz database all the same.
const ABBREVIATIONS: &str = "ACDT ACST ACT ADT AEDT AEST AKDT AKST AMT ART AST AWST BDT BOT BRT BST CAT CDT CEST CET \
CLT COT \
                             CST CT EAT EDT EEST EET EST ET GST HKT HST ICT IDT IST JST KST MDT MET MEST MSD MSK MST \
                             MT NDT \
                             NPT NST NZDT NZST PDT PHT PKT PST PT SAST SGT SST TRT WAT WEST WET WIB WIT";

/// What a number alone counts in a column of offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetUnit {
    /// `28800` is +08:00.
    Seconds,
    /// `480` is +08:00.
    Minutes,
    /// `8` and `5.75` are +08:00 and +05:45.
    Hours,
}

impl OffsetUnit {
    const fn seconds(self) -> i128 {
        match self {
            Self::Seconds => 1,
            Self::Minutes => 60,
            Self::Hours => 3_600,
        }
    }
}

/// The place that a cell names: never [`Place::Unstated`], as an empty cell is refused.
///
/// An offset that is written as one, `+02:00`, `+0545`, `UTC-3`, `Z`, is what it says, whatever the unit. A number
/// alone, `-240`, `5.75`, `28800`, counts `unit`, to the west of UTC where `west_positive` says so. `+8` is eight hours
/// in any unit, unless the unit makes another offset of it: then it is refused. Of `(UTC+08:00) Beijing` the offset is
/// taken, without the summer time that the place may have.
///
/// # Errors
/// It names no place, or several as `CST` does; or a number alone comes to no offset that clocks have, so that the unit
/// may be another.
pub(crate) fn place(text: &str, unit: OffsetUnit, west_positive: bool) -> Result<Place, String> {
    let text = value(text).map_err(|problem| format!("{problem}: {EXPECTED}"))?;
    read(&text, unit, west_positive).map_err(|problem| format!("{}: {problem}", quoted(&text)))
}

fn read(text: &str, unit: OffsetUnit, west_positive: bool) -> Result<Place, String> {
    if let Some((inside, _place)) = text.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        return written(inside.trim()).unwrap_or_else(|| Err(EXPECTED.to_owned()));
    }
    let bare = bare(text, unit, west_positive);
    match (written(text), bare) {
        (None, None) => zone(text),
        (None, Some(bare)) => bare,
        (Some(written), None) => written,
        // `+8`, `+1000`: a number as well as an offset.
        (Some(Ok(written)), Some(Ok(bare))) if written != bare => Err(format!(
            "could be the offset or a number in offset_unit: write it as {} or without its +",
            shown(&written)
        )),
        (Some(Ok(place)), Some(_)) | (Some(Err(_)), Some(Ok(place))) => Ok(place),
        (Some(Err(_)), Some(Err(problem))) => Err(problem),
    }
}

fn shown(place: &Place) -> String {
    match place {
        Place::Fixed(offset) => {
            let (sign, seconds) = (if offset.seconds() < 0 { '-' } else { '+' }, offset.seconds().abs());
            format!("{sign}{:02}:{:02}", seconds / 3_600, seconds / 60 % 60)
        }
        Place::Unstated | Place::Zone(_) => EXPECTED.to_owned(),
    }
}

/// An offset that is written as one: `+02:00`, `+0545`, `+8`, `-08`, `Z`, `UTC`, `GMT+8`, `UTC-03:30`; `None` for
/// others.
///
/// `-8` and `8` are numbers alone.
pub(super) fn written(text: &str) -> Option<Result<Place, String>> {
    if text.eq_ignore_ascii_case("z") {
        return Some(Ok(Place::Fixed(Offset::UTC)));
    }
    let name = ["UTC", "GMT"].into_iter().find_map(|name| {
        let start = text.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name))?;
        text.get(start.len()..).map(str::trim_start)
    });
    match name {
        Some("" | "±0" | "±00:00") => Some(Ok(Place::Fixed(Offset::UTC))),
        Some(rest) => signed(rest, true),
        None if text == "±00:00" => Some(Ok(Place::Fixed(Offset::UTC))),
        None => signed(text, false),
    }
}

/// `+8` and the like; `is_named` behind UTC, where `-8` is an offset too.
pub(super) fn signed(text: &str, is_named: bool) -> Option<Result<Place, String>> {
    let is_west = text.starts_with(['-', '−', '–']);
    let digits_text = text.strip_prefix(['+', '-', '−', '–'])?;
    let mut parts = digits_text.split(':');
    let (first, minute, second) = (parts.next()?, parts.next(), parts.next());
    let all = [Some(first), minute, second];
    if parts.next().is_some() || !all.into_iter().flatten().all(is_digits) {
        return None;
    }
    let (hour, minute) = match (minute, first.len()) {
        (Some(minute), 1 | 2) if minute.len() == 2 => (first, minute),
        (None, 4) => first.split_at_checked(2)?,
        (None, 1 | 2) if is_named || !is_west || (first.len() == 2 && first.starts_with('0')) => (first, "00"),
        _ => return None,
    };
    let (hour, minute) = (digits(hour)?, digits(minute)?);
    let second = second.map_or(Some(0), |second| digits(second).filter(|_| second.len() == 2))?;
    if second != 0 {
        return Some(Err("an offset is whole minutes: clocks with seconds are history".to_owned()));
    }
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60;
    if minute >= 60 || seconds > SECONDS_MAX {
        return Some(Err("expected an offset within 14 hours, as +08:00 or -03:30".to_owned()));
    }
    Some(fixed(if is_west { -seconds } else { seconds }))
}

fn fixed(seconds: i64) -> Result<Place, String> {
    let offset = i32::try_from(seconds).ok().and_then(|seconds| Offset::from_seconds(seconds).ok());
    offset.map(Place::Fixed).ok_or_else(|| EXPECTED.to_owned())
}

/// A pattern's offset, where clocks have such a one.
pub(super) fn written_in_range(offset: Offset) -> Result<Offset, String> {
    let seconds = i64::from(offset.seconds());
    let is_offset = seconds.abs() <= SECONDS_MAX && seconds % 60 == 0;
    if is_offset { Ok(offset) } else { Err("expected an offset of whole minutes within 14 hours".to_owned()) }
}

/// A number alone: `8`, `5.75`, `-240`, `28800`. Four digits with a zero in front are none.
fn bare(text: &str, unit: OffsetUnit, west_positive: bool) -> Option<Result<Place, String>> {
    let is_negative = text.starts_with(['-', '−', '–']);
    let number = text.strip_prefix(['+', '-', '−', '–']).unwrap_or(text);
    let (whole, part) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    let is_basic = number.len() < text.len() && whole.len() == 4 && whole.starts_with('0');
    if !is_digits(whole) || !is_digits(part) || is_basic {
        return None;
    }
    let wrong = |found: &str| {
        let name = match unit {
            OffsetUnit::Seconds => "seconds",
            OffsetUnit::Minutes => "minutes",
            OffsetUnit::Hours => "hours",
        };
        Err(format!("as {name}, {found}: offset_unit in the mapping may be wrong"))
    };
    let part = part.trim_end_matches('0');
    if whole.len() > 9 || part.len() > 9 {
        return Some(wrong("no offset that clocks have"));
    }
    let scale = part.bytes().fold(1_i128, |scale, _| scale * 10);
    let joined: i128 = format!("{whole}{part}").parse().ok()?;
    let product = joined * unit.seconds();
    if product % (scale * 60) != 0 {
        return Some(wrong("no whole number of minutes"));
    }
    let Ok(seconds) = i64::try_from(product / scale) else { return Some(wrong("no offset that clocks have")) };
    if seconds > SECONDS_MAX {
        return Some(wrong("more than 14 hours"));
    }
    if seconds % STEP_SECONDS != 0 {
        return Some(wrong("no whole number of quarters of an hour, which clocks differ by"));
    }
    Some(fixed(if is_negative == west_positive { seconds } else { -seconds }))
}

/// A zone by its name in the tz database, in upper or lower case.
pub(super) fn zone(name: &str) -> Result<Place, String> {
    let is_abbreviation = ABBREVIATIONS.split_whitespace().any(|known| known.eq_ignore_ascii_case(name));
    if is_abbreviation {
        return Err("an abbreviation that several zones use: name the zone as Asia/Shanghai, or the offset as +08:00"
            .to_owned());
    }
    known(name).map(Place::Zone).ok_or_else(|| format!("no such time zone or offset: {EXPECTED}"))
}

fn known(name: &str) -> Option<TimeZone> {
    let name = name.replace(' ', "_");
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_/+-".contains(letter);
    if name.len() > 64 || !name.starts_with(|first: char| first.is_ascii_alphabetic()) || !name.chars().all(is_name) {
        return None;
    }
    // A machine's own data may be newer than ours, or lack a zone that ours has.
    let found = jiff::tz::db().get(&name).or_else(|_unknown| TimeZoneDatabase::bundled().get(&name)).ok();
    // `Etc/Unknown` and `Factory` are zones to the database, and UTC in disguise.
    found.filter(|zone| !zone.is_unknown() && zone.iana_name() != Some("Factory"))
}
