//! `timebank demo`

use std::path::PathBuf;

use jiff::{civil::Date, tz::Offset};
use serde_json::json;

use super::{
    bars::Bars,
    moment::TypedDate,
    output::{amount, quoted, tell, usage},
    process,
};
use crate::{
    engine::{clock::QUIET_MAX, now},
    folder::demo::{self, Counts, DemoError, DemoOptions, Made, OFFSET_SECONDS},
};

/// Make a ledger with a year of a district in it, to look around in.
///
/// A district with five streets, 24 communities and 2,000 people: activities, visits, corrections, bookings, gifts. The same
/// seed and last day make the same ledger: the same entries, to the byte. Its keys follow from the seed, so anybody can
/// sign in anybody's name: never use it for hours that somebody really served. Two demos of one seed that go on
/// differently are two histories under one key, which is what audits convict: take another seed for another demo.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank demo town
  timebank demo town --seed 7 --until 2026-10-31
  timebank serve --data town")]
pub(crate) struct Arguments {
    /// Data folder to make: not there yet, or empty.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Number that everything made up follows from.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Last day of the year, before today [default: the last day of the month before this one].
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    until: Option<TypedDate>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    process::make_private();
    process::start_threads()?;
    let Arguments { folder, seed, until, json } = arguments;
    let last_day = last_day(until.as_ref())?;
    let options = DemoOptions { folder: folder.clone(), seed, last_day };
    let made = process::interruptible(move |is_stopped| demo::make(&options, &Bars::until(is_stopped)))
        .await?
        .map_err(|error| match error {
            // What the disk refused doesn't say where.
            DemoError::Past(_) | DemoError::Store(_) => usage(format!("{}: {error}", folder.display())),
            DemoError::Place(_)
            | DemoError::KeyFile(_)
            | DemoError::Interrupted
            | DemoError::YearOutOfRange { .. }
            | DemoError::Refused { .. } => usage(error.to_string()),
        })?;
    let value = json!({
        "data": folder.display().to_string(),
        "seed": seed,
        "until": last_day.to_string(),
        "origin": made.origin,
        "size": made.size,
        "root": hex::encode(made.root),
        "ledger_vkey": made.pin.ledger_key.to_string(),
        "genesis_leaf_hash": hex::encode(made.pin.genesis_leaf_hash),
        "counts": made.counts,
        "station": made.station,
        "resident": made.resident,
    });
    let with = served_with(last_day)?;
    tell(json, &value, || text(&made, &folder, (seed, last_day), with));
    Ok(())
}

/// The day that was asked for, or the last one of the month before this one: recent, and the same for a month. Today is
/// that of the demo's own time: an entry of tomorrow would keep the ledger from being served.
fn last_day(until: Option<&TypedDate>) -> anyhow::Result<Date> {
    let today = today()?;
    let Some(until) = until else { return Ok(today.first_of_month().yesterday()?) };
    let (days, _offset) = until.read("--until", None)?;
    let last_day = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().try_days(days)?)?;
    if last_day < today {
        return Ok(last_day);
    }
    Err(usage(format!(
        "--until {last_day}: that day isn't over in the demo, whose time is 8 hours ahead of UTC. The year has to end before \
         {today}, or the ledger's newest entry would lie in the future"
    )))
}

fn today() -> anyhow::Result<Date> {
    Ok(now::wall().to_zoned(Offset::from_seconds(OFFSET_SECONDS)?.to_time_zone()).date())
}

/// What `serve` needs beside the folder: where the newest entry is from longer ago than a start believes, it wants somebody's
/// word that the clock is right. A day less: the demo is served some hours after it is made.
fn served_with(last_day: Date) -> anyhow::Result<&'static str> {
    let believed_days = i32::try_from(QUIET_MAX.as_secs() / 86_400)?;
    let is_old = (today()? - last_day).get_days() >= believed_days - 1;
    Ok(if is_old { " --accept-clock now" } else { "" })
}

fn text(made: &Made, folder: &std::path::Path, (seed, last_day): (u64, Date), with: &str) -> String {
    let Made { origin, size: _, root, pin: _, counts, station, resident } = made;
    let Counts { stations, people, volunteers, households, sheets, records, late, corrections, reversals, .. } = counts;
    let Counts { bookings, settled, released, expired, gifts, credited_minutes, redeemed_minutes, .. } = counts;
    let open = bookings - settled - released - expired;
    let (credited, redeemed) = (amount(*credited_minutes), amount(*redeemed_minutes));
    let (root, data) = (hex::encode(root), quoted(folder));
    let key = quoted(&folder.join("keys").join(format!("{station}.key")));
    format!(
        "a year of a district that never was, in {data}\n\
         stations   {stations}: one of the district, 5 of streets, 24 of communities\n\
         people     {people}, of whom {volunteers} served; {households} households\n\
         sheets     {sheets}\n\
         services   {records}; {late} recorded late, {corrections} corrected, {reversals} taken back\n\
         hours      {credited} credited, {redeemed} redeemed\n\
         bookings   {bookings}: {settled} served, {released} cancelled, {expired} ran out, {open} open\n\
         gifts      {gifts}\n\
         ledger     {origin}\n\
         root       {root}\n\
         Anywhere the same again: timebank demo DIR --seed {seed} --until {last_day}\n\
         Its keys are no secret, so nothing in it is to be taken for real. Look around:\n  \
           timebank serve --data {data}{with}\n  \
           timebank history {resident} --data {data} --zone Asia/Shanghai\n  \
           timebank record --volunteer {resident} --station {station} --date yesterday --hours 2 --data {data} --key {key}"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use jiff::ToSpan;

    use super::*;

    #[test]
    fn a_year_that_ended_longer_ago_than_a_start_believes_needs_a_word_for_the_clock() {
        for (days_ago, expected) in [(1, ""), (5, ""), (6, " --accept-clock now"), (400, " --accept-clock now")] {
            let last_day = today().unwrap().checked_sub(days_ago.days()).unwrap();
            assert_eq!(served_with(last_day).unwrap(), expected, "{days_ago} days ago");
        }
    }
}
