//! What stations and people do when it is due: each records a sheet, and may put something on the agenda that follows.

use super::{VISITS, Year};
use crate::{
    folder::demo::{
        OFFSET_SECONDS, YearError,
        agenda::Task,
        district::enrolled,
        ledger::{DAY_MS, MINUTE_MS, Moment, bytes, midnight, place_of},
    },
    format::{
        proto::{self, CorrectionReason, KeyRole, event::Kind, service::Served},
        wire,
    },
    ledger::{EventRef, LogIndex},
};

impl Year<'_> {
    pub(super) fn carry_out(&mut self, now: Moment, task: Task) -> Result<(), YearError> {
        match task {
            Task::Join { station, people } => self.join(now, station, &people),
            Task::Record { station, services, signed_at } => self.record(now, station, services, signed_at),
            Task::Correct { station, record, right, was } => self.correct(now, station, record, right, was),
            Task::Reverse { station, record, reason, was } => {
                let reversed =
                    proto::ServiceReversed { record: Some(wire::event_ref_message(record)), reason: i32::from(reason) };
                self.counts.reversals += 1;
                self.counts.credited_minutes -= was;
                self.by_staff(now, station, vec![Kind::ServiceReversed(reversed)]).map(drop)
            }
            Task::Book { station } => self.book(now, station),
            Task::Settle { station, payer, hold, minutes } => self.settle(now, station, payer, hold, minutes),
            Task::Release { payer, hold } => {
                self.counts.released += 1;
                self.by_resident(
                    now,
                    payer,
                    Kind::HoldReleased(proto::HoldReleased { hold: Some(wire::event_ref_message(hold)) }),
                )
                .map(drop)
            }
            Task::Expire { hold } => {
                self.counts.expired += 1;
                let key = self.ledger.service();
                let expired = vec![Kind::HoldExpired(proto::HoldExpired { hold: Some(wire::event_ref_message(hold)) })];
                self.ledger.record(now, now, &key, expired, &mut self.rng).map(drop)
            }
            Task::Give { station, to_pool } => self.give(now, station, to_pool),
            Task::PoolPays { station } => self.pool_pays(now, station),
            Task::Replace { station } => self.replace(now, station),
        }
    }

    fn by_staff(&mut self, now: Moment, station: usize, events: Vec<Kind>) -> Result<LogIndex, YearError> {
        let key = self.district.stations[station].staff.clone();
        self.ledger.record(now, now - 1_500, &key, events, &mut self.rng)
    }

    /// Nothing where somebody has no key.
    fn by_resident(&mut self, now: Moment, person: usize, event: Kind) -> Result<Option<LogIndex>, YearError> {
        let Some(key) = self.district.people[person].key.clone() else { return Ok(None) };
        self.ledger.record(now, now - 1_500, &key, vec![event], &mut self.rng).map(Some)
    }

    fn join(&mut self, now: Moment, station: usize, people: &[usize]) -> Result<(), YearError> {
        let events = self.district.joining(self.ledger.origin(), people);
        self.by_staff(now, station, events)?;
        for person in people {
            self.district.people[*person].joined = true;
        }
        Ok(())
    }

    fn record(
        &mut self,
        now: Moment,
        station: usize,
        services: Vec<proto::Service>,
        signed_at: Moment,
    ) -> Result<(), YearError> {
        let recorded = |service: &proto::Service| {
            Kind::ServiceRecorded(proto::ServiceRecorded { service: Some(service.clone()), hold: None })
        };
        let place = &self.district.stations[station];
        let (key, signed_at) = (place.staff.clone(), signed_at.max(place.staff_since));
        let events = services.iter().map(recorded).collect();
        let index = self.ledger.record(now, signed_at, &key, events, &mut self.rng)?;
        if now - signed_at > DAY_MS || services.iter().any(|service| now - served_at(service) > 2 * DAY_MS) {
            self.counts.late += services.len() as u64;
        }
        for (number, service) in services.into_iter().enumerate() {
            self.counts.records += 1;
            self.counts.credited_minutes += service.credited_minutes;
            let was = service.credited_minutes;
            let (record, later) = (place_of(index, number), day_of(now) + self.rng.i32(1..14));
            let due = self.between(later, 9, 18);
            let chance = self.rng.u32(0..1_000);
            if chance < 18 {
                let right = self.righted(service);
                self.agenda.put(due, Task::Correct { station, record, right, was });
            } else if chance < 22 {
                let reason = if chance == 18 { CorrectionReason::Duplicate } else { CorrectionReason::NotServed };
                self.agenda.put(due, Task::Reverse { station, record, reason, was });
            }
        }
        Ok(())
    }

    /// The service as it really was: up to three quarters of an hour shorter, or two longer.
    fn righted(&mut self, mut service: proto::Service) -> proto::Service {
        let by = [-15, -15, -15, -30, -30, -45, 15, 15, 30][self.rng.usize(0..9)];
        let minutes = (service.credited_minutes + by).max(5);
        service.credited_minutes = minutes;
        match &mut service.served {
            Some(Served::Interval(interval)) => interval.end_ms = interval.start_ms + minutes * MINUTE_MS,
            Some(Served::OnDate(on_date)) => on_date.minutes = minutes,
            None => {}
        }
        service
    }

    fn correct(
        &mut self,
        now: Moment,
        station: usize,
        record: EventRef,
        right: proto::Service,
        was: i64,
    ) -> Result<(), YearError> {
        self.counts.corrections += 1;
        self.counts.credited_minutes += right.credited_minutes - was;
        let (record, reason) = (Some(wire::event_ref_message(record)), i32::from(CorrectionReason::EntryError));
        let corrected = proto::ServiceCorrected { record, reason, service: Some(right) };
        self.by_staff(now, station, vec![Kind::ServiceCorrected(corrected)]).map(drop)
    }

    /// Somebody with a key who has so many minutes to spare.
    fn with_minutes(&mut self, station: usize, minutes: i64) -> Option<usize> {
        let people = &self.district.stations[station].people;
        let able = |number: &&usize| {
            let person = &self.district.people[**number];
            person.joined && person.key.is_some() && self.ledger.available(person.account) >= minutes
        };
        let able: Vec<usize> = people.iter().filter(able).copied().collect();
        if able.is_empty() { None } else { able.get(self.rng.usize(0..able.len())).copied() }
    }

    fn book(&mut self, now: Moment, station: usize) -> Result<(), YearError> {
        let minutes = i64::from(self.rng.u32(4..=8)) * 15;
        let Some(payer) = self.with_minutes(station, minutes) else { return Ok(()) };
        let days = if self.happens(50) { 14 } else { 30 };
        let expires_at_ms = now + days * DAY_MS;
        let placed = proto::HoldPlaced {
            payer: bytes(&self.district.people[payer].account),
            station: bytes(&self.district.stations[station].account),
            minutes,
            expires_at_ms,
        };
        let Some(index) = self.by_resident(now, payer, Kind::HoldPlaced(placed))? else { return Ok(()) };
        self.counts.bookings += 1;
        let (hold, chance) = (place_of(index, 0), self.rng.u32(0..100));
        let (due, task) = if chance < 78 {
            let day = day_of(now) + self.rng.i32(1..10);
            (self.between(day, 20, 22), Task::Settle { station, payer, hold, minutes })
        } else if chance < 90 {
            let day = day_of(now) + self.rng.i32(1..7);
            (self.between(day, 8, 21), Task::Release { payer, hold })
        } else {
            (expires_at_ms + self.rng.i64(0..MINUTE_MS), Task::Expire { hold })
        };
        self.agenda.put(due, task);
        Ok(())
    }

    /// A neighbour serves who booked; where nobody has time, the booking is cancelled.
    fn settle(
        &mut self,
        now: Moment,
        station: usize,
        payer: usize,
        hold: EventRef,
        minutes: i64,
    ) -> Result<(), YearError> {
        let (category, ..) = VISITS[self.rng.usize(0..VISITS.len())];
        let quarters = minutes / 15 - i64::from(self.happens(25));
        let (asked, span) = (self.reach(station), (self.rng.i64(33..56), quarters));
        let done = self.serve(&asked, (station, Some(payer)), day_of(now), (category, ""), span);
        let Some(service) = done else { return self.carry_out(now, Task::Release { payer, hold }) };
        let minutes = service.credited_minutes;
        let recorded = proto::ServiceRecorded { service: Some(service), hold: Some(wire::event_ref_message(hold)) };
        self.by_staff(now, station, vec![Kind::ServiceRecorded(recorded)])?;
        self.counts.records += 1;
        self.counts.settled += 1;
        self.counts.credited_minutes += minutes;
        self.counts.redeemed_minutes += minutes;
        Ok(())
    }

    fn give(&mut self, now: Moment, station: usize, to_pool: bool) -> Result<(), YearError> {
        let minutes = i64::from(self.rng.u32(1..=4)) * 30;
        let Some(from) = self.with_minutes(station, 2 * minutes) else { return Ok(()) };
        let people = &self.district.stations[station].people;
        let neighbour = people[self.rng.usize(0..people.len())];
        let neighbour = &self.district.people[neighbour];
        let giver = &self.district.people[from];
        let to = if to_pool { self.district.stations[station].pool } else { neighbour.account };
        if to == giver.account || !to_pool && !neighbour.joined {
            return Ok(());
        }
        let given = proto::MinutesTransferred { from: bytes(&giver.account), to: bytes(&to), minutes };
        self.counts.gifts += 1;
        self.by_resident(now, from, Kind::MinutesTransferred(given)).map(drop)
    }

    fn pool_pays(&mut self, now: Moment, station: usize) -> Result<(), YearError> {
        let pool = self.district.stations[station].pool;
        if self.ledger.available(pool) < 60 {
            return Ok(());
        }
        let (category, ..) = VISITS[self.rng.usize(0..VISITS.len())];
        let (asked, span) = (self.reach(station), (self.rng.i64(33..56), 4));
        let done = self.serve(&asked, (station, None), day_of(now), (category, ""), span);
        let Some(service) = done else { return Ok(()) };
        let service = proto::Service { payer: bytes(&pool), ..service };
        self.counts.records += 1;
        self.counts.credited_minutes += service.credited_minutes;
        self.counts.redeemed_minutes += service.credited_minutes;
        let recorded = proto::ServiceRecorded { service: Some(service), hold: None };
        self.by_staff(now, station, vec![Kind::ServiceRecorded(recorded)]).map(drop)
    }

    fn replace(&mut self, now: Moment, station: usize) -> Result<(), YearError> {
        let place = &mut self.district.stations[station];
        place.staff_count += 1;
        place.staff_since = now;
        let next = self.ledger.key_of(&format!("staff {} of {}", place.staff_count, place.code));
        let gone = std::mem::replace(&mut place.staff, next.clone());
        let key_id = bytes(&gone.key_id().0);
        let events = vec![
            enrolled(self.ledger.origin(), &next, KeyRole::Staff, place.account),
            Kind::KeyRevoked(proto::KeyRevoked { key_id }),
        ];
        let operator = self.ledger.operator();
        self.ledger.record(now, now - 1_500, &operator, events, &mut self.rng).map(drop)
    }
}

/// The day that a moment belongs to, as days since 1970-01-01.
fn day_of(now: Moment) -> i32 {
    i32::try_from((now + i64::from(OFFSET_SECONDS) * 1_000).div_euclid(DAY_MS)).unwrap_or(i32::MAX)
}

/// When a service ended, or the day on which it took place.
fn served_at(service: &proto::Service) -> Moment {
    match &service.served {
        Some(Served::Interval(interval)) => interval.end_ms,
        Some(Served::OnDate(on_date)) => midnight(on_date.date),
        None => Moment::MAX,
    }
}
