//! Events that are right but for one thing: what a ledger must see in all that is well.

use timebank::format::proto::{self, KeyRole, event::Kind, service::Served};

use crate::{
    author::{Author, View},
    naive::{Hold, by_day, id},
    support::{DAY, HOUR, ISSUANCE, MINUTE, bytes, interval, on_date},
    world::{PEOPLE, one_of},
};

/// The same event with one thing wrong, or at least other.
pub(crate) fn spoil(author: &mut Author, view: View<'_>, kind: Kind) -> Kind {
    match kind {
        Kind::ServiceRecorded(mut recorded) => {
            let mut service = recorded.service.unwrap();
            if author.now_and_then(2) {
                (recorded.hold, service) = spoil_hold(author, view, recorded.hold, service);
            } else {
                service = spoil_service(author, view, service);
            }
            recorded.service = Some(service);
            Kind::ServiceRecorded(recorded)
        }
        Kind::ServiceCorrected(mut corrected) => {
            let service = corrected.service.unwrap();
            // What another record says, or this one says already, may be what a correction changes nothing of.
            let stated = a_record(author, view);
            corrected.service = Some(match (author.random.below(4), stated) {
                (0, _) => {
                    corrected.record = spoil_place(author, view, corrected.record);
                    service
                }
                (1, Some(stated)) => stated,
                _ => spoil_service(author, view, service),
            });
            Kind::ServiceCorrected(corrected)
        }
        Kind::ServiceReversed(mut reversed) => {
            reversed.record = spoil_place(author, view, reversed.record);
            Kind::ServiceReversed(reversed)
        }
        Kind::HoldReleased(mut released) => {
            released.hold = spoil_place(author, view, released.hold);
            Kind::HoldReleased(released)
        }
        Kind::HoldExpired(mut expired) => {
            let running = view.ledger.holds.iter().filter(|(_, hold)| !hold.ended && hold.expires_at > view.now);
            let running = author.any(running.map(|(at, _)| *at)).filter(|_| author.now_and_then(2));
            expired.hold = match running {
                Some(running) => author.name(view, running),
                None => spoil_place(author, view, expired.hold),
            };
            Kind::HoldExpired(expired)
        }
        Kind::MinutesTransferred(mut given) => {
            spoil_transfer(author, view, &mut given);
            Kind::MinutesTransferred(given)
        }
        Kind::HoldPlaced(mut placed) => {
            spoil_placement(author, view, &mut placed);
            Kind::HoldPlaced(placed)
        }
        Kind::LedgerCreated(_)
        | Kind::KeyEnrolled(_)
        | Kind::KeyRevoked(_)
        | Kind::RegionDefined(_)
        | Kind::AccountOpened(_)
        | Kind::FloorSet(_) => spoil_order(author, view, kind),
    }
}

fn spoil_transfer(author: &mut Author, view: View<'_>, given: &mut proto::MinutesTransferred) {
    match author.random.below(7) {
        // Over the cap at once, and perhaps no pool for the excess is open yet.
        6 => {
            let minutes = view.ledger.policy.cap_minutes + 1;
            let to = bytes(&one_of(&mut author.random, &PEOPLE));
            *given = proto::MinutesTransferred { from: bytes(&ISSUANCE), to, minutes };
        }
        0 => given.minutes = one_of(&mut author.random, &[0, -5, 1_000_000_001]),
        1 => given.minutes = view.ledger.available(id(&given.from)).unwrap_or(1) + 1,
        2 => given.to = given.from.clone(),
        3 => given.to = own(author, view),
        4 => given.to = bytes(&one_of(&mut author.random, &[ISSUANCE, [251; 16], [20; 16], [40; 16]])),
        _ => given.from = bytes(&author.an_account(view)),
    }
}

fn spoil_placement(author: &mut Author, view: View<'_>, placed: &mut proto::HoldPlaced) {
    match author.random.below(5) {
        0 => placed.minutes = one_of(&mut author.random, &[0, -5, 1_000_000_001]),
        1 => placed.minutes = view.ledger.available(id(&placed.payer)).unwrap_or(1) + 1,
        2 => placed.expires_at_ms = view.now + one_of(&mut author.random, &[0, -HOUR, 731 * DAY + 1]),
        3 => placed.station = bytes(&author.an_account(view)),
        _ => placed.payer = bytes(&author.an_account(view)),
    }
}

/// What sets up the ledger.
fn spoil_order(author: &mut Author, view: View<'_>, kind: Kind) -> Kind {
    match kind {
        Kind::AccountOpened(mut opened) => {
            match author.random.below(4) {
                0 => opened.account = bytes(&author.an_account(view)),
                1 => one_of(&mut author.random, &["nowhere", "elm", ""]).clone_into(&mut opened.region),
                2 => opened.station = bytes(&author.an_account(view)),
                _ => opened.kind = one_of(&mut author.random, &[1, 2, 3, 4, 5, 6, 7]),
            }
            Kind::AccountOpened(opened)
        }
        Kind::KeyEnrolled(mut enrolled) => {
            match author.random.below(4) {
                0 => {
                    let other = author.any(
                        view.ledger
                            .keys
                            .keys()
                            .filter_map(|id| author.keys.get(id))
                            .cloned()
                            .collect::<Vec<_>>()
                            .into_iter(),
                    );
                    let other = other.unwrap();
                    enrolled.public_key = bytes(&other.public_key());
                    enrolled.possession = bytes(&other.prove_possession(crate::support::ORIGIN));
                }
                1 => enrolled.role = one_of(&mut author.random, &[1, 2, 3, 4]),
                2 => enrolled.own_account = bytes(&author.an_account(view)),
                _ => enrolled.account = bytes(&author.an_account(view)),
            }
            Kind::KeyEnrolled(enrolled)
        }
        Kind::KeyRevoked(mut revoked) => {
            let gone = author.any(view.ledger.keys.iter().filter(|(_, key)| key.revoked).map(|(id, _)| *id));
            let operators = view.ledger.keys.iter().filter(|(_, key)| key.role == KeyRole::Operator && !key.revoked);
            let operator = author.any(operators.map(|(id, _)| *id));
            let any = author.any(view.ledger.keys.keys().copied());
            let key_id = one_of(&mut author.random, &[gone, gone, operator, operator, any, None]);
            revoked.key_id = bytes(&key_id.unwrap_or([252; 16]));
            Kind::KeyRevoked(revoked)
        }
        Kind::RegionDefined(mut region) => {
            match author.random.below(3) {
                0 => "elm".clone_into(&mut region.code),
                1 => "nowhere".clone_into(&mut region.parent),
                _ => region.parent = region.code.clone(),
            }
            Kind::RegionDefined(region)
        }
        Kind::FloorSet(mut set) => {
            match author.random.below(3) {
                0 => set.account = bytes(&one_of(&mut author.random, &[ISSUANCE, [251; 16]])),
                1 => set.account = own(author, view),
                _ => set.floor_minutes = one_of(&mut author.random, &[1, -1_000_000_001]),
            }
            Kind::FloorSet(set)
        }
        // A genesis has come too late already.
        Kind::LedgerCreated(_)
        | Kind::ServiceRecorded(_)
        | Kind::ServiceCorrected(_)
        | Kind::ServiceReversed(_)
        | Kind::MinutesTransferred(_)
        | Kind::HoldPlaced(_)
        | Kind::HoldReleased(_)
        | Kind::HoldExpired(_) => kind,
    }
}

/// An account of a signer, if one has any.
fn own(author: &mut Author, view: View<'_>) -> bytes::Bytes {
    let acting = view.acting_for(KeyRole::Resident);
    let own = author.any(view.keys().filter_map(|key| key.own).chain(acting));
    bytes(&own.unwrap_or([20; 16]))
}

/// Something that ended, something of others, or nothing at all.
fn spoil_place(author: &mut Author, view: View<'_>, named: Option<proto::EventRef>) -> Option<proto::EventRef> {
    let hold = author.any(view.ledger.holds.keys().copied());
    let record = author.any(view.ledger.records.keys().copied());
    let elsewhere = author.elsewhere(view);
    match author.random.below(4) {
        0 => author.name(view, hold.unwrap_or(elsewhere)),
        1 => author.name(view, record.unwrap_or(elsewhere)),
        2 => author.name(view, elsewhere),
        // An event of this sheet that isn't there yet.
        _ => named.map(|_| proto::EventRef { index: 0, event: view.at.1 + u32::from(author.now_and_then(2)) }),
    }
}

/// None, one that ended, ran out, is of others, or is too small.
fn spoil_hold(
    author: &mut Author,
    view: View<'_>,
    named: Option<proto::EventRef>,
    mut service: proto::Service,
) -> (Option<proto::EventRef>, proto::Service) {
    let (which, same_parties) = (author.random.below(4), author.now_and_then(2));
    let fits = |hold: &Hold| match which {
        0 => hold.ended,
        1 | 2 => !hold.ended && hold.expires_at <= view.now,
        _ => !hold.ended,
    };
    match author.any(view.ledger.holds.iter().filter(|(_, hold)| fits(hold))) {
        Some((place, hold)) => {
            if same_parties || matches!(which, 1 | 2) {
                (service.payer, service.station) = (bytes(&hold.payer), bytes(&hold.station));
            }
            (author.name(view, *place), service)
        }
        None => (named.filter(|_| same_parties), service),
    }
}

/// The newest version of some record.
fn a_record(author: &mut Author, view: View<'_>) -> Option<proto::Service> {
    author.a_record(view).map(|(_, record)| record.newest().clone())
}

fn spoil_service(author: &mut Author, view: View<'_>, mut service: proto::Service) -> proto::Service {
    match author.random.below(20) {
        0 => service.volunteer = own(author, view),
        1 => service.volunteer = bytes(&author.an_account(view)),
        2 => service.station = bytes(&author.an_account(view)),
        3 => service.payer = bytes(&author.an_account(view)),
        4 => service.payer = service.volunteer.clone(),
        5 => service.imported = !service.imported,
        6 => service.rounding = one_of(&mut author.random, &[0, 1, 2, 3]),
        _ => service.served = Some(spoil_time(author, view, &service)),
    }
    if author.now_and_then(8) {
        service.credited_minutes += one_of(&mut author.random, &[1, -1, 15]);
    } else if let Ok(credit) = view.ledger.credit(&service) {
        service.credited_minutes = credit;
    }
    service
}

/// A time at a limit, or the least bit beyond it.
fn spoil_time(author: &mut Author, view: View<'_>, service: &proto::Service) -> Served {
    let (policy, volunteer) = (&view.ledger.policy, id(&service.volunteer));
    let other = author.any(view.ledger.served_by(volunteer, None));
    let (choice, beyond) = (author.random.below(9), author.random.signed(2));
    match (choice, other.map(|other| (other, other.served.unwrap()))) {
        // Right after another, or a moment before it is over.
        (0..3, Some((_, Served::Interval(other)))) => {
            let start = other.end_ms - beyond;
            interval(start, start + one_of(&mut author.random, &[1, 15, 60]) * MINUTE)
        }
        // What another day has left.
        (0..5, Some((other, _))) => {
            let day = *by_day(other).keys().next().unwrap();
            let others = view.ledger.served_by(volunteer, None);
            let used: i64 = others.filter_map(|other| by_day(other).get(&day).copied()).sum();
            let left = policy.day_minutes_max - used / MINUTE + beyond;
            on_date(i32::try_from(day).unwrap(), left.clamp(1, policy.record_minutes_max))
        }
        (5, _) => interval(view.now - 30 * MINUTE, view.now + beyond),
        (6, _) => {
            let oldest = view.now - i64::from(policy.age_days_max) * DAY - beyond;
            interval(oldest - HOUR, oldest)
        }
        (7, _) => interval(view.now - HOUR, view.now - HOUR + beyond),
        _ => {
            let end = view.now - MINUTE;
            interval(end - (policy.record_minutes_max + beyond) * MINUTE, end)
        }
    }
}
