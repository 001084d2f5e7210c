//! What ISO 8601 and RFC 9557 have beyond a date, a T and a clock time: no signs between the parts, a zone in brackets.

use jiff::{
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use super::super::{
    clock, offset,
    scan::{DAY_US, is_digits},
};
use super::{Clock, EXPECTED, Forms, MomentParts, Place, Told, civil};

/// `2026-03-05T14:00`, `2026-03-05 14:00:00+08:00`, `2026-03-05T06:00Z`: what programs write, read at once, as it can mean
/// one moment alone and most cells with moments are such.
pub(super) fn plain(text: &str) -> Option<MomentParts> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?.strip_prefix(['T', ' '])?);
    let is_date = date.bytes().zip(0..).all(|(byte, at)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let end = rest.bytes().position(|byte| !byte.is_ascii_digit() && byte != b':').unwrap_or(rest.len());
    let (clock, behind) = rest.split_at_checked(end)?;
    let digits = |from: usize| clock.get(from..from + 2)?.parse::<i64>().ok();
    let seconds = match (clock.len(), clock.as_bytes().get(2), clock.as_bytes().get(5)) {
        (5, Some(b':'), None) => 0,
        (8, Some(b':'), Some(b':')) => digits(6)?,
        _ => return None,
    };
    let (hours, minutes) = (digits(0)?, digits(3)?);
    let place = match behind {
        "" => Place::Unstated,
        "Z" => Place::Fixed(Offset::UTC),
        offset if offset.len() == 6 && !offset.starts_with('-') => {
            Place::Fixed(Offset::from_seconds(crate::people::calendar::offset(offset).ok()?).ok()?)
        }
        _ => return None,
    };
    if !is_date || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let date: Date = date.parse().ok()?;
    MomentParts::exact(date, Clock { us: ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 }, place).ok()
}

/// `20260305T140000`, with an offset or none.
pub(super) fn basic(text: &str) -> Option<Result<MomentParts, String>> {
    let (date, rest) = text.split_once(['T', 't'])?;
    if date.len() != 8 || !is_digits(date) {
        return None;
    }
    let (time, place) = match offset::behind(rest) {
        Some((time, place)) if !is_clock(rest) => (time, place),
        Some(_) | None => (rest, Place::Unstated),
    };
    let whole = time.split(['.', ',']).next().unwrap_or_default();
    let (hour, minute) = (time.get(..2)?, time.get(2..4)?);
    let spelled = if is_digits(whole) && whole.len() == 6 {
        format!("{hour}:{minute}:{}", time.get(4..)?)
    } else {
        time.to_owned()
    };
    let date = date.parse::<Date>().map_err(|_wrong| format!("there is no such day as {date}"));
    let parts = date.and_then(|date| MomentParts::exact(date, clock::Spoken::read(&spelled)?.clock()?, place));
    Some(parts)
}

fn is_clock(text: &str) -> bool {
    clock::Spoken::read(text).is_ok()
}

/// Whether a T between digits parts date and clock: then a minus behind is an offset.
pub(super) fn has_t(text: &str) -> bool {
    let parts = text.split_once(['T', 't']);
    parts.is_some_and(|(date, time)| {
        date.ends_with(|last: char| last.is_ascii_digit()) && time.starts_with(|first: char| first.is_ascii_digit())
    })
}

/// `2026-03-05T14:00[Asia/Shanghai]`, `2026-03-05T14:00+08:00[Asia/Shanghai]`, `2026-03-05T06:00Z[Asia/Shanghai]`.
pub(super) fn bracketed(text: &str, forms: Forms<'_>) -> Option<Result<MomentParts, String>> {
    let (before, name) = text.strip_suffix(']')?.split_once('[')?;
    let before = before.trim_end();
    Some(zoned(before, name.strip_prefix('!').unwrap_or(name), forms))
}

fn zoned(text: &str, name: &str, forms: Forms<'_>) -> Result<MomentParts, String> {
    let place = match offset::signed(name, true) {
        Some(place) => place?,
        None => offset::zone(name)?,
    };
    let zone = match &place {
        Place::Zone(zone) => zone.clone(),
        Place::Fixed(offset) => TimeZone::fixed(*offset),
        Place::Unstated => return Err(EXPECTED.to_owned()),
    };
    let unplaced = basic(text).unwrap_or_else(|| civil(text, forms));
    let (parts, offset) = match (unplaced, offset::behind(text)) {
        (Ok(parts), _) => match parts.place {
            Place::Unstated => return Ok(MomentParts { place, ..parts }),
            Place::Fixed(offset) => (parts, offset),
            Place::Zone(_) => return Err(EXPECTED.to_owned()),
        },
        (Err(_), Some((before, Place::Fixed(offset)))) => (civil(before, forms)?, offset),
        (Err(problem), _) => return Err(problem),
    };
    let Some(date) = parts.date else { return Err(EXPECTED.to_owned()) };
    let clock = match parts.told {
        Told::Clock(clock) => clock,
        Told::Spoken(spoken) => spoken.clock()?,
    };
    if text.ends_with(['Z', 'z']) {
        let moment = Offset::UTC.to_timestamp(at(date, clock)?).map_err(|_range| EXPECTED.to_owned())?;
        let there = moment.to_zoned(zone);
        return MomentParts::exact(there.date(), Clock::of_time(there.time()), Place::Fixed(there.offset()));
    }
    let is_offset = match zone.to_ambiguous_zoned(at(date, clock)?).offset() {
        AmbiguousOffset::Unambiguous { offset: then } => then == offset,
        AmbiguousOffset::Fold { before, after } => offset == before || offset == after,
        AmbiguousOffset::Gap { .. } => false,
    };
    if is_offset {
        MomentParts::exact(date, clock, Place::Fixed(offset))
    } else {
        Err(format!("{name} hasn't the offset {offset} then: one of them is wrong"))
    }
}

fn at(date: Date, clock: Clock) -> Result<DateTime, String> {
    let wrong = || EXPECTED.to_owned();
    let (date, us) =
        if clock.us == DAY_US { (date.tomorrow().map_err(|_range| wrong())?, 0) } else { (date, clock.us) };
    let time = jiff::SignedDuration::from_micros(us);
    Time::midnight().checked_add(time).map(|time| date.to_datetime(time)).map_err(|_range| wrong())
}
