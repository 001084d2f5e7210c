//! The rules about when people serve, against all that was ever recorded: what the state has put away counts as what it holds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

#[path = "support/mod.rs"]
mod support;

use support::*;
use timebank::{
    format::{
        proto::{self, event::Kind, service::Served},
        wire,
    },
    ledger::{EventRef, LogIndex, Rejection, WarningCode},
};

/// Hours of one day at most, as the default policy has it.
const DAY_MAX: i64 = 16 * HOUR;

/// A record that counts.
#[derive(Clone)]
struct Kept {
    at: EventRef,
    service: proto::Service,
}

/// What a service must be refused with, or warned of.
#[derive(Debug, PartialEq)]
enum Expected {
    Overlap(EventRef),
    DayLimit(i32),
    Accepted(Option<EventRef>),
}

fn served(service: &proto::Service) -> Served {
    service.served.unwrap()
}

/// Minutes by local day, to the minute: everything here starts and ends on one.
fn by_day(service: &proto::Service) -> Vec<(i32, i64)> {
    match served(service) {
        Served::OnDate(on) => vec![(on.date, on.minutes * MINUTE)],
        Served::Interval(interval) => {
            let offset = i64::from(service.utc_offset_seconds) * 1_000;
            let mut days: Vec<(i32, i64)> = Vec::new();
            for minute in (interval.start_ms..interval.end_ms).step_by(60_000) {
                let day = i32::try_from((minute + offset).div_euclid(DAY)).unwrap();
                match days.last_mut().filter(|last| last.0 == day) {
                    Some(last) => last.1 += MINUTE,
                    None => days.push((day, MINUTE)),
                }
            }
            days
        }
    }
}

fn expected(service: &proto::Service, kept: &[Kept], is_new: bool) -> Expected {
    let own: Vec<&Kept> = kept.iter().filter(|other| other.service.volunteer == service.volunteer).collect();
    for (day, minutes) in by_day(service) {
        let others = own.iter().flat_map(|other| by_day(&other.service)).filter(|other| other.0 == day);
        if minutes + others.map(|other| other.1).sum::<i64>() > DAY_MAX {
            return Expected::DayLimit(day);
        }
    }
    let Served::Interval(new) = served(service) else { return Expected::Accepted(None) };
    let intervals = || {
        own.iter().filter_map(|other| match served(&other.service) {
            Served::Interval(interval) => Some((interval, *other)),
            Served::OnDate(_) => None,
        })
    };
    let overlapping = intervals().filter(|(old, _)| old.start_ms < new.end_ms && new.start_ms < old.end_ms);
    if let Some((_, other)) = overlapping.max_by_key(|(old, _)| old.start_ms) {
        return Expected::Overlap(other.at);
    }
    let near = intervals().filter(|(old, other)| {
        (old.start_ms - new.start_ms).abs() <= 10 * MINUTE && other.service.credited_minutes != service.credited_minutes
    });
    Expected::Accepted(near.min_by_key(|(old, _)| old.start_ms).filter(|_| is_new).map(|(_, other)| other.at))
}

/// A service somewhere in `days` before the end, at a time that is taken more often than not.
fn random_service(random: &mut Random, days: i64, after: i64) -> proto::Service {
    let volunteer = [ALICE, BOB, CLARA][usize::try_from(random.signed(3)).unwrap()];
    let offset = [0, 0, 3_600, -18_000, 50_400, -50_400][usize::try_from(random.signed(6)).unwrap()];
    let minutes = [1, 5, 5, 60, 240, 480][usize::try_from(random.signed(6)).unwrap()];
    let start = START - 40 * DAY - after + random.signed(days * 24 * 12) * 5 * MINUTE;
    let mut service = service(volunteer, start, minutes);
    service.utc_offset_seconds = offset;
    // Dates: a warning of duplicates has rules of its own, so they are imported, which nobody is warned of.
    if random.signed(6) == 0 {
        service.served = Some(on_date(i32::try_from(start.div_euclid(DAY)).unwrap(), minutes));
        service.imported = true;
    }
    service
}

/// `ascending`: as stations mostly record, each day after the one before; otherwise in no order at all.
fn run(seed: u64, sheets: i64, ascending: bool) -> (u64, [u64; 4]) {
    let mut random = Random(seed);
    let mut ledger = Ledger::new();
    let operator = ledger.operator.clone();
    let (mut kept, mut seen): (Vec<Kept>, [u64; 4]) = (Vec::new(), [0; 4]);
    for number in 0..sheets {
        let index = ledger.replay.state.size();
        let (mut tried, mut events, mut refused, mut warned) = (kept.clone(), Vec::new(), None, Vec::new());
        let mut vacated: Option<proto::Service> = None;
        for event in 0..=u16::try_from(random.signed(3)).unwrap() {
            let at = EventRef { index: LogIndex(index), event };
            let (days, after) = if ascending { (2, -number * DAY / 20) } else { (30, 0) };
            // Now and then at the very time that this sheet has just vacated.
            let service = vacated.take().unwrap_or_else(|| random_service(&mut random, days, after));
            let choice = if tried.is_empty() { 0 } else { random.signed(6) };
            let position = usize::try_from(random.signed(tried.len().max(1).try_into().unwrap())).unwrap();
            let old = tried.get(position).map(|old| old.at);
            let named = |old: EventRef| {
                // What stands in this very sheet is named without an index.
                let own = old.index.0 == index;
                support::at(if own { 0 } else { old.index.0 }, u32::from(old.event))
            };
            match (choice, old) {
                (4, Some(old)) => {
                    events.push(reverse(named(old)));
                    vacated = Some(tried.remove(position).service);
                    seen[3] += 1;
                    continue;
                }
                (5, Some(old)) => {
                    events.push(correct(named(old), service.clone()));
                    let others: Vec<Kept> = tried.iter().filter(|other| other.at != old).cloned().collect();
                    match expected(&service, &others, false) {
                        Expected::Accepted(_) => tried[position].service = service,
                        problem @ (Expected::Overlap(_) | Expected::DayLimit(_)) => refused = Some((event, problem)),
                    }
                }
                _ => {
                    events.push(record(service.clone()));
                    match expected(&service, &tried, !service.imported) {
                        Expected::Accepted(similar) => {
                            warned.extend(similar.map(|similar| (event, similar)));
                            tried.push(Kept { at, service });
                        }
                        problem @ (Expected::Overlap(_) | Expected::DayLimit(_)) => refused = Some((event, problem)),
                    }
                }
            }
            if refused.is_some() {
                break;
            }
        }
        let result = submit(&mut ledger, &operator, events);
        match (result, refused) {
            (Ok(warnings), None) => {
                assert_eq!(warnings, warned, "sheet {number}");
                seen[0] += u64::from(!warned.is_empty());
                kept = tried;
            }
            (Err((event, Rejection::ServiceOverlaps { record })), Some(wanted)) => {
                // What stands in the refused sheet itself is told without an index.
                let own = EventRef { index: LogIndex(index), ..record };
                let record = if record.index == LogIndex(0) { own } else { record };
                assert_eq!((event, Expected::Overlap(record)), wanted, "sheet {number}");
                seen[1] += 1;
            }
            (Err((event, Rejection::DayLimitExceeded { day, .. })), Some(wanted)) => {
                assert_eq!((event, Expected::DayLimit(day)), wanted, "sheet {number}");
                seen[2] += 1;
            }
            // The same service again: nothing to say about times.
            (Err((_, Rejection::CorrectionChangesNothing)), _) => {}
            (result, wanted) => unreachable!("sheet {number}: {result:?}, expected {wanted:?}"),
        }
    }
    (ledger.replay.state.put_away().times, seen)
}

type Warned = Vec<(u16, EventRef)>;

fn submit(
    ledger: &mut Ledger,
    operator: &timebank::format::signature::PrivateKey,
    events: Vec<Kind>,
) -> Result<Warned, (u16, Rejection)> {
    let sheet = ledger.sheet(&[operator], events);
    let before = ledger.replay.state.clone();
    let outcome = ledger.submit(&sheet).map_err(|refusal| (refusal.event.unwrap(), refusal.rejection));
    assert!(outcome.is_ok() || ledger.replay.state == before, "a refused sheet leaves nothing behind");
    outcome.map(|outcome| {
        let near = outcome.warnings.into_iter().filter(|(_, warning)| warning.code == WarningCode::NearDuplicate);
        near.map(|(event, warning)| (event, warning.similar)).collect()
    })
}

#[test]
fn services_in_any_order_are_judged_by_all_that_was_ever_recorded() {
    for seed in [1, 0xdead_beef, 0x5eed_0000_0000_0001] {
        eprintln!("seed {seed:#x}");
        let (put_away, seen) = run(seed, 1_500, false);
        assert!(put_away > 300 && seen.iter().all(|count| *count > 10), "{put_away} {seen:?}");
    }
}

#[test]
fn services_one_after_another_are_judged_by_all_that_was_ever_recorded() {
    let mut all = [0; 4];
    for seed in [2, 0xbead_feed, 0x1234_5678] {
        eprintln!("seed {seed:#x}");
        let (put_away, seen) = run(seed, 700, true);
        assert!(put_away > 300, "{put_away}");
        all.iter_mut().zip(seen).for_each(|(all, seen)| *all += seen);
    }
    assert!(all.iter().all(|count| *count > 3), "{all:?}");
}

/// A service, or a correction or reversal of one of these records: as each of two ledgers names it.
fn random_event(random: &mut Random, records: &[[u64; 2]]) -> [Kind; 2] {
    let service = random_service(random, 20, 0);
    let choice = if records.is_empty() { 0 } else { random.signed(6) };
    let place = records.get(usize::try_from(random.signed(records.len().max(1).try_into().unwrap())).unwrap());
    let named = |of: usize| place.and_then(|place| support::at(place[of], 0));
    [0, 1].map(|of| match choice {
        4 => reverse(named(of)),
        5 => correct(named(of), service.clone()),
        _ => record(service.clone()),
    })
}

#[test]
fn a_trial_of_many_sheets_says_what_they_do_one_after_another() {
    let mut random = Random(0x7e57);
    let mut ledgers = [Ledger::new(), Ledger::new()];
    let operator = ledgers[0].operator.clone();
    let mut records = Vec::new();
    // A past for both, then a trial in the one of what the other records.
    for _ in 0..300 {
        let [event, _] = random_event(&mut random, &records);
        let index = ledgers[0].replay.state.size();
        let recorded = ledgers.each_mut().map(|ledger| submit(ledger, &operator, vec![event.clone()]).is_ok());
        assert_eq!(recorded[0], recorded[1]);
        if recorded[0] && matches!(event, Kind::ServiceRecorded(_)) {
            records.push([index; 2]);
        }
    }
    let [mut trying, mut recording] = ledgers;
    let (first, put_away) = (trying.replay.state.size(), trying.replay.state.put_away());
    let (mut sheets, mut recorded) = (Vec::new(), Vec::new());
    for number in 0..400 {
        // Sheets that are refused take a place in the trial, and none in the log.
        let (place, index) = (first + number, recording.replay.state.size());
        let [tried, event] = random_event(&mut random, &records);
        let is_record = matches!(event, Kind::ServiceRecorded(_));
        sheets.push(wire::decode(&trying.sheet(&[&operator], vec![tried])).unwrap().sheet);
        let sheet = recording.sheet(&[&operator], vec![event]);
        let outcome = recording.submit(&sheet);
        if outcome.is_ok() && is_record {
            records.push([place, index]);
        }
        recorded.push(outcome.map_err(|refusal| refusal.rejection.code()));
    }
    let before = trying.replay.state.clone();
    let tried = trying.try_sheets(&sheets);
    assert!(trying.replay.state == before, "a trial leaves nothing behind");
    assert!(recording.replay.state.put_away().times > put_away.times + 100, "times were put away meanwhile");
    let mut refused = 0;
    for (number, (tried, recorded)) in tried.into_iter().zip(recorded).enumerate() {
        let [event] = <[_; 1]>::try_from(tried.unwrap()).unwrap();
        match (event, recorded) {
            (Ok(tried), Ok(recorded)) => {
                let balances: Vec<_> = tried.postings.iter().map(|(_, applied)| applied.balance_after).collect();
                let posted = recorded.postings.iter().map(|(_, applied)| applied.balance_after);
                assert!(balances.into_iter().eq(posted), "sheet {number}");
                assert_eq!(tried.warnings.len(), recorded.warnings.len(), "sheet {number}");
            }
            (Err(tried), Err(recorded)) => {
                assert_eq!(tried.rejection.code(), recorded, "sheet {number}");
                refused += 1;
            }
            (tried, recorded) => unreachable!("sheet {number}: {tried:?}, but {recorded:?}"),
        }
    }
    assert!((50..350).contains(&refused), "{refused}");
}
