//! What happens in the course of the year, day by day.

use std::ops::{ControlFlow, RangeInclusive};

use super::{
    Counts, OFFSET_SECONDS, YearError,
    agenda::{Agenda, Task},
    district::{District, FIRST_COMMUNITY, STATIONS, enrolled},
    ledger::{DAY_MS, DemoLedger, MINUTE_MS, Moment, bytes, midnight, place_of},
};
use crate::{
    ledger::{EventRef, LogIndex},
    projection::event_ref_message,
    proto::{self, CorrectionReason, KeyRole, event::Kind, service::Served},
};

/// How busy each month is, in percent: the new year's holidays and the hot weeks are quiet, March and October are not.
const SEASON: [u32; 12] = [80, 55, 130, 110, 110, 95, 70, 65, 105, 130, 115, 90];
/// On how many of a hundred days a community does something together, from Monday to Sunday.
const GATHERING: [u32; 7] = [22, 22, 22, 22, 22, 75, 40];
/// Something that people do together. Times are counted in quarters of an hour; all are over by 20:00, before they are
/// recorded.
struct Activity {
    category: &'static str,
    /// How long it takes.
    quarters: RangeInclusive<i64>,
    /// When it begins, from midnight.
    begins: RangeInclusive<i64>,
}

const ACTIVITIES: [Activity; 6] = [
    Activity { category: "cleanup", quarters: 4..=8, begins: 32..=40 },
    Activity { category: "garden", quarters: 6..=12, begins: 33..=52 },
    Activity { category: "patrol", quarters: 4..=8, begins: 68..=71 },
    Activity { category: "canteen", quarters: 8..=12, begins: 40..=44 },
    Activity { category: "teaching", quarters: 4..=8, begins: 58..=62 },
    // Of streets and the district alone.
    Activity { category: "festival", quarters: 12..=16, begins: 36..=40 },
];
/// What one does for another, and how many quarters of an hour that takes.
const VISITS: [(&str, u32, u32); 6] =
    [("company", 3, 8), ("shopping", 2, 6), ("escort", 6, 14), ("meals", 2, 4), ("repair", 2, 8), ("phone-help", 2, 4)];
const QUARTER_MS: i64 = 15 * MINUTE_MS;

struct Year<'a> {
    ledger: &'a mut DemoLedger,
    district: &'a mut District,
    rng: fastrand::Rng,
    agenda: Agenda,
    counts: Counts,
}

/// Lives through so many days from `first` on.
pub(super) fn live(
    ledger: &mut DemoLedger,
    district: &mut District,
    mut rng: fastrand::Rng,
    (first, days): (i32, u32),
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Counts, YearError> {
    let (operator, founded) = (ledger.operator(), midnight(first) + 9 * 60 * MINUTE_MS);
    let founding = district.founding(ledger.origin());
    ledger.record(founded, founded - 10 * MINUTE_MS, &operator, founding, &mut rng)?;
    let mut year = Year { ledger, district, agenda: Agenda::default(), counts: Counts::default(), rng };
    for ((day, station), people) in year.district.joining_days(days, &mut year.rng) {
        let opens = midnight(first + i32::try_from(day).unwrap_or(i32::MAX)) + 10 * 60 * MINUTE_MS;
        let minute = i64::try_from(station).unwrap_or_default() * MINUTE_MS;
        year.agenda.put(opens + minute, Task::Join { station, people });
    }
    for (elapsed, day) in (1..).zip(first..first + i32::try_from(days).unwrap_or(i32::MAX)) {
        year.plan(day);
        while let Some((now, task)) = year.agenda.next(midnight(day + 1)) {
            year.carry_out(now, task)?;
        }
        if progress(elapsed).is_break() {
            return Err(YearError::Interrupted);
        }
    }
    Ok(year.counted())
}

impl Year<'_> {
    /// How much of everything there was at the end.
    fn counted(&self) -> Counts {
        let kinds = |kind| self.district.people.iter().filter(move |person| person.kind == kind);
        let count = |people: usize| u64::try_from(people).unwrap_or(u64::MAX);
        let volunteers = kinds(proto::AccountKind::Resident).filter(|person| !person.busy.is_empty());
        Counts {
            stations: count(STATIONS),
            people: count(kinds(proto::AccountKind::Resident).count()),
            households: count(kinds(proto::AccountKind::Household).count()),
            volunteers: count(volunteers.count()),
            ..self.counts
        }
    }

    /// Of a hundred times, this many.
    fn happens(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    /// A moment of a day between two hours.
    fn between(&mut self, day: i32, from: i64, until: i64) -> Moment {
        midnight(day) + self.rng.i64(from * 3_600_000..until * 3_600_000)
    }

    /// What the stations organise on a day, and what else is going to happen on it.
    fn plan(&mut self, day: i32) {
        let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day));
        let month = usize::try_from(date.month()).unwrap_or(1) - 1;
        let season = SEASON.get(month).copied().unwrap_or(100);
        let weekday = date.weekday().to_monday_zero_offset();
        let gathering = usize::try_from(weekday).ok().and_then(|weekday| GATHERING.get(weekday)).copied().unwrap_or(0);
        for station in FIRST_COMMUNITY..STATIONS {
            if self.happens(gathering * season / 100) {
                self.gather(station, day, (3, 14), date);
            }
            let visits = self.rng.u32(0..5) * season / 100;
            self.visit(station, day, visits);
            for (percent, hours, task) in [
                (14, (9, 20), Task::Book { station }),
                (3, (9, 21), Task::Give { station, to_pool: false }),
                (2, (9, 21), Task::Give { station, to_pool: true }),
                (2, (17, 19), Task::PoolPays { station }),
            ] {
                if self.happens(percent) {
                    let due = self.between(day, hours.0, hours.1);
                    self.agenda.put(due, task);
                }
            }
        }
        for street in 1..FIRST_COMMUNITY {
            if self.happens(gathering * season / 400) {
                self.gather(street, day, (8, 30), date);
            }
        }
        if date.day() == 5 {
            self.gather(0, day, (30, 80), date);
            let station = self.rng.usize(FIRST_COMMUNITY..STATIONS);
            if self.happens(35) {
                // After the founding, which may be of this very day.
                let due = self.between(day, 11, 12);
                self.agenda.put(due, Task::Replace { station });
            }
        }
    }

    /// Everybody that a station can ask.
    fn reach(&self, station: usize) -> Vec<usize> {
        let below = |other: usize| match station {
            0 => other >= FIRST_COMMUNITY,
            street if street < FIRST_COMMUNITY => {
                self.district.stations[other].code.starts_with(&format!("{}-", self.district.stations[street].code))
            }
            community => other == community,
        };
        let stations = (FIRST_COMMUNITY..STATIONS).filter(|other| below(*other));
        stations.flat_map(|station| self.district.stations[station].people.iter().copied()).collect()
    }

    /// An activity with several people, recorded as one sheet.
    fn gather(&mut self, station: usize, day: i32, (least, most): (u32, u32), date: jiff::civil::Date) {
        let kinds = if station < FIRST_COMMUNITY { ACTIVITIES.len() } else { ACTIVITIES.len() - 1 };
        let Activity { category, quarters, begins } = &ACTIVITIES[self.rng.usize(0..kinds)];
        let (starts, quarters) = (self.rng.i64(begins.clone()), self.rng.i64(quarters.clone()));
        let code = &self.district.stations[station].code;
        let activity = format!("{category}-{code}-{}", date.strftime("%Y%m%d"));
        let (asked, mut services) = (self.reach(station), Vec::new());
        for _person in 0..self.rng.u32(least..=most) {
            // Some come late, and some leave early.
            let (late, early) = (i64::from(self.happens(12)), i64::from(self.happens(8)));
            let span = (starts + late, quarters - late - early);
            let done = self.serve(&asked, (station, None), day, (category, &activity), span);
            services.extend(done.map(|service| proto::Service { insured: true, ..service }));
        }
        self.hand_in(station, day, services);
    }

    /// What single people did for others, handed in together in the evening.
    fn visit(&mut self, station: usize, day: i32, visits: u32) {
        let (asked, mut services) = (self.reach(station), Vec::new());
        for _visit in 0..visits {
            let (category, from, until) = VISITS[self.rng.usize(0..VISITS.len())];
            let span = (self.rng.i64(33..58), i64::from(self.rng.u32(from..=until)));
            let done = self.serve(&asked, (station, None), day, (category, ""), span);
            services.extend(done);
        }
        self.hand_in(station, day, services);
    }

    /// Somebody serves so many quarters of an hour from a quarter of the day on; of some nobody wrote down the clock times.
    fn serve(
        &mut self,
        asked: &[usize],
        (station, payer): (usize, Option<usize>),
        day: i32,
        (category, activity): (&str, &str),
        (starts, quarters): (i64, i64),
    ) -> Option<proto::Service> {
        let person = self.district.volunteer(asked, day, payer, &mut self.rng)?;
        self.district.people[person].busy.insert(day);
        let minutes = quarters * 15;
        let start_ms = midnight(day) + starts * QUARTER_MS;
        let served = if activity.is_empty() && self.happens(20) {
            Served::OnDate(proto::ServedOnDate { date: day, minutes })
        } else {
            Served::Interval(proto::Interval { start_ms, end_ms: start_ms + minutes * MINUTE_MS })
        };
        let payer = payer.map(|payer| bytes(&self.district.people[payer].account));
        let service = proto::Service {
            volunteer: bytes(&self.district.people[person].account),
            station: bytes(&self.district.stations[station].account),
            payer: payer.unwrap_or_default(),
            category: category.to_owned(),
            activity: activity.to_owned(),
            utc_offset_seconds: OFFSET_SECONDS,
            credited_minutes: minutes,
            rounding: 0,
            insured: false,
            imported: false,
            served: Some(served),
        };
        Some(service)
    }

    /// A station's sheet of a day: recorded in the evening, or late, then often signed at once and sent when there was a network.
    fn hand_in(&mut self, station: usize, day: i32, services: Vec<proto::Service>) {
        if services.is_empty() {
            return;
        }
        let signed_at = self.between(day, 20, 22);
        let (late, offline) = (self.happens(4), self.happens(50));
        let days = if late { self.rng.i64(2..40) } else { 0 };
        let due = signed_at + days * DAY_MS + self.rng.i64(2_000..90_000);
        let signed_at = if late && !offline { due - 2_000 } else { signed_at };
        self.agenda.put(due, Task::Record { station, services, signed_at });
    }

    fn carry_out(&mut self, now: Moment, task: Task) -> Result<(), YearError> {
        match task {
            Task::Join { station, people } => self.join(now, station, &people),
            Task::Record { station, services, signed_at } => self.record(now, station, services, signed_at),
            Task::Correct { station, record, right, was } => self.correct(now, station, record, right, was),
            Task::Reverse { station, record, reason, was } => {
                let reversed =
                    proto::ServiceReversed { record: Some(event_ref_message(record)), reason: i32::from(reason) };
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
                    Kind::HoldReleased(proto::HoldReleased { hold: Some(event_ref_message(hold)) }),
                )
                .map(drop)
            }
            Task::Expire { hold } => {
                self.counts.expired += 1;
                let key = self.ledger.service();
                let expired = vec![Kind::HoldExpired(proto::HoldExpired { hold: Some(event_ref_message(hold)) })];
                self.ledger.record(now, now, &key, expired, &mut self.rng).map(drop)
            }
            Task::Give { station, to_pool } => self.give(now, station, to_pool),
            Task::PoolPays { station } => self.pool_pays(now, station),
            Task::Replace { station } => self.replace(now, station),
        }
    }
}

/// What stations and people do when it is due.
impl Year<'_> {
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
        let (record, reason) = (Some(event_ref_message(record)), i32::from(CorrectionReason::EntryError));
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
        let recorded = proto::ServiceRecorded { service: Some(service), hold: Some(event_ref_message(hold)) };
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
