//! What happens in the course of the year, day by day: what stations plan, and who serves. `due` carries it out.

mod due;

use std::ops::RangeInclusive;

use super::{
    Counts, OFFSET_SECONDS, YearError,
    agenda::{Agenda, Task},
    district::{District, FIRST_COMMUNITY, STATIONS},
    ledger::{DAY_MS, DemoLedger, MINUTE_MS, Moment, bytes, midnight},
};
use crate::{
    engine::progress::{Progress, Work},
    format::proto::{self, service::Served},
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
    progress: &dyn Progress,
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
        if progress.told(Work::Days, elapsed, Some(u64::from(days))).is_break() {
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
}
