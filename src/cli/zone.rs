//! The reader's time zone: which one it is, and times as they are shown.
//!
//! A time that was typed without an offset is read in it, and times for people are printed in it, each with its offset.
//! The times of a service are printed at the offset of their record, and JSON keeps UTC.

use std::sync::OnceLock;

use jiff::{Timestamp, tz::TimeZone};

use crate::{access::when::out_of_calendar, people::calendar::known};

/// What the command was told, or what the machine says. Set once, before anything is read or shown.
static ZONE: OnceLock<Chosen> = OnceLock::new();

struct Chosen {
    zone: TimeZone,
    /// Somebody named it for this command.
    is_named: bool,
}

/// Takes the zone that `--zone` or `TIMEBANK_ZONE` names, else the machine's: that of `TZ`, then the system's.
///
/// # Errors
/// A zone is named that nobody knows. A machine that names none at all is no error yet: see [`here`]. Nor is a wrong `TZ`
/// where no time is asked for: a service doesn't stay down for it.
pub(crate) fn choose(named: Option<&str>, is_service: bool) -> Result<(), String> {
    let named = named.filter(|name| !name.is_empty());
    let zone = match named {
        Some(name) => Some(known(name).ok_or_else(|| {
            format!(
                "--zone or TIMEBANK_ZONE {name}: no such time zone. Name one as Asia/Shanghai or Europe/Prague, or an offset as +08:00"
            )
        })?),
        None => of_machine().or_else(|error| if is_service { Ok(None) } else { Err(error) })?,
    };
    if let Some(zone) = zone {
        // Set once a process; a second time it would be the same.
        let _set = ZONE.set(Chosen { zone, is_named: named.is_some() });
    }
    Ok(())
}

fn of_machine() -> Result<Option<TimeZone>, String> {
    let system = TimeZone::try_system().ok().filter(|zone| !zone.is_unknown());
    let Some(name) = std::env::var_os("TZ").filter(|name| !name.is_empty()) else { return Ok(system) };
    let bundled = || known(name.to_str()?.trim_start_matches(':'));
    let zone = system.or_else(bundled).ok_or_else(|| {
        format!(
            "TZ={}: no such time zone. Set TZ to one as Asia/Shanghai, or name another with --zone",
            name.to_string_lossy()
        )
    })?;
    Ok(Some(zone))
}

/// The zone in which a time without an offset is meant.
///
/// # Errors
/// The machine names none: UTC would be a guess, and wrong for good in a ledger that can't be edited.
pub(crate) fn here() -> Result<TimeZone, String> {
    ZONE.get().map(|chosen| chosen.zone.clone()).ok_or_else(|| {
        "this machine names no time zone, so a time without an offset could mean any moment. Name the zone with --zone \
             or TIMEBANK_ZONE, as Asia/Shanghai, or write the offset with the time, as 2026-03-01T09:00+08:00"
            .to_owned()
    })
}

/// Whether an offset is that of the reader's zone at a moment.
pub(crate) fn is_here(ms: i64, offset_seconds: i32) -> bool {
    let time = Timestamp::from_millisecond(ms).ok();
    let here = here().ok().zip(time).map(|(zone, time)| zone.to_offset(time).seconds());
    here == Some(offset_seconds)
}

/// Whether --zone or `TIMEBANK_ZONE` named the zone, and not the machine.
pub(crate) fn is_named() -> bool {
    ZONE.get().is_some_and(|chosen| chosen.is_named)
}

/// A time of the ledger for people, in the reader's zone with its offset; in UTC where the machine names none.
pub(crate) fn local(ms: i64) -> String {
    shown(ms, "%Y-%m-%d %H:%M:%S %:z")
}

/// The same to the minute, on two lines, for narrow columns.
pub(crate) fn local_in_two_lines(ms: i64) -> String {
    shown(ms, "%Y-%m-%d\n%H:%M %:z")
}

fn shown(ms: i64, format: &str) -> String {
    let zone = ZONE.get().map_or(TimeZone::UTC, |chosen| chosen.zone.clone());
    Timestamp::from_millisecond(ms)
        .map_or_else(|_| out_of_calendar(ms), |time| time.to_zoned(zone).strftime(format).to_string())
}
