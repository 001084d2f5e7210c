//! Random services: recorded, settled against a hold, and corrected in every way.

use timebank::format::proto::{self, KeyRole, event::Kind, service::Served};

use crate::{
    author::{Author, View},
    naive::{Id, Record},
    support::{DAY, HOUR, ISSUANCE, MINUTE, bytes, interval, on_date, settle},
    world::{CATEGORIES, OVERFLOW, POOLS, STATIONS, one_of},
};

const OFFSETS: [i32; 7] = [0, 0, 3_600, 28_800, -18_000, 20_700, 50_400];

/// Minutes that somebody serves.
fn minutes(author: &mut Author) -> i64 {
    one_of(&mut author.random, &[1, 7, 10, 15, 15, 20, 30, 45, 60, 60, 90, 120, 120, 180, 240, 300, 481])
}

/// When somebody serves: in the last week mostly, on full or half hours, so that services meet.
fn served(author: &mut Author, now: i64, minutes: i64) -> Served {
    let back = one_of(&mut author.random, &[1, 3, 3, 7, 7, 12]);
    let start = now - minutes * MINUTE - author.random.signed(back * 48) * HOUR / 2 - author.random.signed(2) * HOUR;
    let start = start.div_euclid(HOUR / 2) * HOUR / 2;
    match author.random.below(40) {
        0..6 => on_date(i32::try_from(start.div_euclid(DAY)).unwrap(), minutes),
        6 => interval(now - minutes * MINUTE, now + author.random.signed(2)),
        7 => interval(start - 400 * DAY, start - 400 * DAY + minutes * MINUTE),
        8 => interval(start, start + minutes * MINUTE + 1_500),
        9 => interval(start, start - author.random.signed(2)),
        10 => on_date(i32::try_from(now.div_euclid(DAY)).unwrap() + 1, author.random.signed(2)),
        _ => interval(start, start + minutes * MINUTE),
    }
}

/// Claims what the time served gives, but for now and then.
fn claim(author: &mut Author, view: View<'_>, service: &mut proto::Service) {
    let computed = view.ledger.credit(service).unwrap_or(30);
    service.credited_minutes = match author.random.below(60) {
        0 => computed + 1,
        1 => author.random.signed(2) - 1,
        2 => 1_000_000_001,
        _ => computed,
    };
}

/// Who pays: mostly nobody who is named; a resident who signs, or a pool.
fn payer(author: &mut Author, view: View<'_>) -> bytes::Bytes {
    let owner = view.acting_for(KeyRole::Resident);
    let pool = one_of(&mut author.random, &POOLS);
    let any = author.an_account(view);
    match author.random.below(12) {
        0..4 if owner.is_some() => bytes(&owner.unwrap()),
        0 => bytes(&any),
        1..4 => bytes(&pool),
        4 => bytes(&one_of(&mut author.random, &[OVERFLOW, ISSUANCE])),
        _ => bytes(&[]),
    }
}

fn station(author: &mut Author, view: View<'_>) -> Id {
    let own = view.acting_for(KeyRole::Staff).filter(|_| !author.now_and_then(15));
    let any = author.now_and_then(20).then(|| author.an_account(view));
    own.or(any).unwrap_or_else(|| one_of(&mut author.random, &STATIONS))
}

fn service(author: &mut Author, view: View<'_>, minutes: i64) -> proto::Service {
    let operator = view.keys().any(|key| key.role == KeyRole::Operator);
    let imported = author.now_and_then(if operator { 4 } else { 30 });
    let mut service = proto::Service {
        volunteer: bytes(&author.a_volunteer(view)),
        station: bytes(&station(author, view)),
        payer: payer(author, view),
        category: one_of(&mut author.random, &CATEGORIES).to_owned(),
        activity: String::new(),
        served: Some(served(author, view.now, minutes)),
        utc_offset_seconds: one_of(&mut author.random, &OFFSETS),
        credited_minutes: 0,
        rounding: one_of(&mut author.random, &[0, 0, 0, 1, 2, 3]),
        insured: author.now_and_then(2),
        imported,
    };
    claim(author, view, &mut service);
    service
}

pub(crate) fn record(author: &mut Author, view: View<'_>) -> proto::ServiceRecorded {
    let minutes = minutes(author);
    proto::ServiceRecorded { service: Some(service(author, view, minutes)), hold: None }
}

/// A service that was booked: at most what is held, but for now and then.
pub(crate) fn settlement(author: &mut Author, view: View<'_>) -> Kind {
    let Some((place, hold)) = author.a_hold(view) else {
        let place = author.elsewhere(view);
        let minutes = minutes(author);
        let hold = author.name(view, place);
        return settle(service(author, view, minutes), hold);
    };
    // Held may be more than a life has.
    let held = hold.minutes.min(600);
    let minutes = if author.now_and_then(3) { held } else { 1 + author.random.signed(held) };
    let more = i64::from(author.now_and_then(20));
    let mut booked = service(author, view, minutes + more);
    if !author.now_and_then(20) {
        (booked.payer, booked.station) = (bytes(&hold.payer), bytes(&hold.station));
    }
    let place = if author.now_and_then(20) { author.elsewhere(view) } else { place };
    settle(booked, author.name(view, place))
}

pub(crate) fn correction(author: &mut Author, view: View<'_>) -> proto::ServiceCorrected {
    let minutes = minutes(author);
    let found = author.a_record(view).filter(|_| !author.now_and_then(20));
    let (place, mut service) = match found {
        Some((place, record)) => (place, corrected(author, view, record)),
        None => (author.elsewhere(view), service(author, view, minutes)),
    };
    if !author.now_and_then(15) {
        claim(author, view, &mut service);
    }
    let record = author.name(view, place);
    proto::ServiceCorrected { record, reason: author.reason(), service: Some(service) }
}

/// The newest version with one or two things changed; rarely none.
fn corrected(author: &mut Author, view: View<'_>, record: &Record) -> proto::Service {
    let mut service = record.newest().clone();
    if record.owed.is_some() && author.now_and_then(2) {
        // Up again, which pays the station back, as the first version had it or by far more.
        let first = record.versions[0].1.served;
        let longer = lasting(&service, 300);
        service.served = if author.now_and_then(2) { first } else { Some(longer) };
        return service;
    }
    // History stays history only in an operator's hands.
    service.imported &= author.now_and_then(2);
    for _ in 0..one_of(&mut author.random, &[0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2]) {
        match author.random.below(20) {
            0..8 => service.served = Some(lasting(&service, minutes(author))),
            8..11 => service.volunteer = bytes(&author.a_volunteer(view)),
            11..13 => service.payer = payer(author, view),
            13..15 => service.station = bytes(&one_of(&mut author.random, &STATIONS)),
            15 | 16 => {
                let minutes = minutes(author);
                service.served = Some(served(author, view.now, minutes));
            }
            17 => one_of(&mut author.random, &CATEGORIES).clone_into(&mut service.category),
            18 => service.utc_offset_seconds = one_of(&mut author.random, &OFFSETS),
            _ => service.rounding = one_of(&mut author.random, &[0, 1, 2, 3]),
        }
    }
    service
}

/// As long as that, from the same moment or on the same date.
fn lasting(service: &proto::Service, minutes: i64) -> Served {
    match service.served.unwrap() {
        Served::Interval(served) => interval(served.start_ms, served.start_ms + minutes * MINUTE),
        Served::OnDate(served) => on_date(served.date, minutes),
    }
}
