//! Who there is: a district with its streets and communities, a station each, and the people that they serve.

use std::collections::{BTreeMap, HashSet};

use super::ledger::{DemoLedger, Moment, bytes, random};
use crate::{
    format::{
        proto::{self, AccountKind, KeyRole, event::Kind},
        signature::PrivateKey,
    },
    ledger::AccountId,
};

/// Communities of each street.
const COMMUNITIES: [usize; 5] = [5, 5, 5, 5, 4];
/// The district's own, one a street, and one a community.
pub(super) const STATIONS: usize = 30;
/// Stations from this one on are those of communities, where people belong.
pub(super) const FIRST_COMMUNITY: usize = 1 + COMMUNITIES.len();
pub(super) const PEOPLE: usize = 2_000;
const HOUSEHOLDS: usize = 40;

/// Of a hundred people, so many serve at all.
const SERVING: u32 = 36;
/// Of a hundred people, so many have a device and a key of their own: most are old.
const WITH_KEY: u32 = 15;
/// Of a hundred people, so many are there on the first day; the others join in the course of the year.
const FOUNDING: u32 = 55;

/// A station and who works there.
pub(super) struct Station {
    pub(super) account: [u8; 16],
    /// Code of its region, which it is called by.
    pub(super) code: String,
    pub(super) staff: PrivateKey,
    /// How many have worked there.
    pub(super) staff_count: u32,
    /// Since when the present one does: nobody signs before they came.
    pub(super) staff_since: Moment,
    /// Its region's pool.
    pub(super) pool: [u8; 16],
    /// Who belongs there, by number in [`District::people`].
    pub(super) people: Vec<usize>,
}

/// Somebody with an account.
pub(super) struct Person {
    pub(super) account: [u8; 16],
    /// What the station calls them.
    pub(super) number: String,
    pub(super) kind: AccountKind,
    pub(super) station: usize,
    /// How likely they are to come when somebody is asked for: 0 for those who only are served.
    pub(super) zeal: u32,
    pub(super) key: Option<PrivateKey>,
    pub(super) joined: bool,
    /// Days on which they serve already, since 1970-01-01: nobody is in two places.
    pub(super) busy: HashSet<i32>,
}

/// All of them.
pub(super) struct District {
    pub(super) stations: Vec<Station>,
    pub(super) people: Vec<Person>,
}

/// Which station of the tier above one belongs to; none above the district's.
fn above(station: usize) -> Option<usize> {
    let community = station.checked_sub(FIRST_COMMUNITY);
    match community {
        None if station == 0 => None,
        None => Some(0),
        Some(community) => {
            let mut first = 0;
            COMMUNITIES
                .iter()
                .position(|count| {
                    first += count;
                    community < first
                })
                .map(|street| street + 1)
        }
    }
}

fn codes() -> Vec<String> {
    let streets = (1..=COMMUNITIES.len()).map(|street| format!("demo-{street}"));
    let communities = (1..)
        .zip(COMMUNITIES)
        .flat_map(|(street, count)| (1..=count).map(move |community: usize| format!("demo-{street}-{community}")));
    std::iter::once("demo".to_owned()).chain(streets).chain(communities).collect()
}

impl District {
    /// Makes up everybody.
    pub(super) fn found(ledger: &DemoLedger, rng: &mut fastrand::Rng) -> Self {
        let station = |code: String, rng: &mut fastrand::Rng| Station {
            account: random(rng),
            staff: ledger.key_of(&format!("staff 1 of {code}")),
            code,
            staff_count: 1,
            staff_since: Moment::MIN,
            pool: random(rng),
            people: Vec::new(),
        };
        let mut stations: Vec<Station> = codes().into_iter().map(|code| station(code, rng)).collect();
        let sizes: Vec<u32> = (FIRST_COMMUNITY..STATIONS).map(|_community| rng.u32(50..150)).collect();
        let mut people = Vec::with_capacity(PEOPLE + HOUSEHOLDS);
        for number in 0..PEOPLE + HOUSEHOLDS {
            let household = number.checked_sub(PEOPLE);
            let (kind, number) = match household {
                None => (AccountKind::Resident, format!("P{:04}", number + 1)),
                Some(household) => (AccountKind::Household, format!("H{:03}", household + 1)),
            };
            let station = FIRST_COMMUNITY + weighted(&sizes, rng);
            stations[station].people.push(people.len());
            let serves = rng.u32(0..100) < SERVING;
            // A few do most of it.
            let zeal = if serves { 1 + rng.u32(0..10) * rng.u32(0..10) * rng.u32(0..10) / 10 } else { 0 };
            let key = (rng.u32(0..100) < WITH_KEY).then(|| ledger.key_of(&number));
            let account = random(rng);
            people.push(Person { account, number, kind, station, zeal, key, joined: false, busy: HashSet::new() });
        }
        Self { stations, people }
    }

    /// Regions, stations, pools, and their staff: what operators set up first.
    pub(super) fn founding(&self, origin: &str) -> Vec<Kind> {
        let mut events = Vec::new();
        for (number, station) in self.stations.iter().enumerate() {
            let parent = above(number).map(|above| self.stations[above].code.clone()).unwrap_or_default();
            events.push(Kind::RegionDefined(proto::RegionDefined { code: station.code.clone(), parent }));
            let pool = if number == 0 { AccountKind::DistrictPool } else { AccountKind::CommunityPool };
            for (account, kind) in [(station.account, AccountKind::Station), (station.pool, pool)] {
                let region = station.code.clone();
                let account = bytes(&account);
                events.push(Kind::AccountOpened(proto::AccountOpened {
                    account,
                    kind: i32::from(kind),
                    region,
                    station: bytes(&[]),
                }));
            }
            events.push(enrolled(origin, &station.staff, KeyRole::Staff, station.account));
        }
        events
    }

    /// What opens the accounts of people, and enrols the keys of those who have one.
    pub(super) fn joining(&self, origin: &str, people: &[usize]) -> Vec<Kind> {
        let mut events = Vec::new();
        for person in people.iter().map(|number| &self.people[*number]) {
            let (account, kind) = (bytes(&person.account), i32::from(person.kind));
            let station = bytes(&self.stations[person.station].account);
            events.push(Kind::AccountOpened(proto::AccountOpened { account, kind, region: String::new(), station }));
            events.extend(person.key.as_ref().map(|key| enrolled(origin, key, KeyRole::Resident, person.account)));
        }
        events
    }

    /// The day of the year on which each one joins, those of a station and a day together.
    pub(super) fn joining_days(&self, days: u32, rng: &mut fastrand::Rng) -> BTreeMap<(u32, usize), Vec<usize>> {
        let mut joining: BTreeMap<(u32, usize), Vec<usize>> = BTreeMap::new();
        for (number, person) in self.people.iter().enumerate() {
            // Most of the others in the first months: a new station is talked about.
            let founding = rng.u32(0..100) < FOUNDING;
            let later = 1 + rng.u32(0..days - 30).min(rng.u32(0..days - 30));
            let day = if founding { 0 } else { later };
            joining.entry((day, person.station)).or_default().push(number);
        }
        joining
    }

    /// Somebody of these who serves and has time on a day; the zealous ones more often.
    pub(super) fn volunteer(
        &self,
        among: &[usize],
        day: i32,
        but: Option<usize>,
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        let zeal = |number: &usize| {
            let person = &self.people[*number];
            let free = person.joined && Some(*number) != but && !person.busy.contains(&day);
            if free { person.zeal } else { 0 }
        };
        let zeals: Vec<u32> = among.iter().map(zeal).collect();
        if zeals.iter().all(|zeal| *zeal == 0) { None } else { among.get(weighted(&zeals, rng)).copied() }
    }

    /// Whom to look at first: the station that serves most people, and somebody there with a key and much to show.
    pub(super) fn shown(&self, ledger: &DemoLedger) -> (String, String) {
        let largest = self.stations.iter().max_by_key(|station| station.people.len());
        let people = largest.iter().flat_map(|station| station.people.iter().map(|number| &self.people[*number]));
        let minutes = |person: &&Person| (ledger.available(person.account), person.busy.len());
        let residents = people.filter(|person| person.key.is_some() && person.kind == AccountKind::Resident);
        let richest = residents.max_by_key(minutes);
        (
            largest.map(|station| station.code.clone()).unwrap_or_default(),
            richest.map(|person| person.number.clone()).unwrap_or_default(),
        )
    }

    /// The keys of people and staff as they are at the end, by what their owners are called.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &PrivateKey)> {
        let staff = self.stations.iter().map(|station| (station.code.as_str(), &station.staff));
        let residents = self.people.iter().filter_map(|person| Some((person.number.as_str(), person.key.as_ref()?)));
        staff.chain(residents)
    }

    /// What everybody is called, as imports keep it.
    pub(super) fn names(&self) -> impl Iterator<Item = (String, AccountId)> {
        let station = |station: &Station| (format!("station/{}", station.code), AccountId(station.account));
        let pool = |station: &Station| (format!("pool/pool-{}", station.code), AccountId(station.pool));
        let person = |person: &Person| (format!("volunteer/{}", person.number), AccountId(person.account));
        let stations = self.stations.iter().flat_map(move |each| [station(each), pool(each)]);
        stations.chain(self.people.iter().map(person))
    }
}

/// The enrolment of a key that its owner holds.
pub(super) fn enrolled(origin: &str, key: &PrivateKey, role: KeyRole, account: [u8; 16]) -> Kind {
    Kind::KeyEnrolled(proto::KeyEnrolled {
        public_key: key.public_key().to_vec().into(),
        possession: key.prove_possession(origin).to_vec().into(),
        role: i32::from(role),
        account: bytes(&account),
        own_account: bytes(&[]),
    })
}

/// A position, each as likely as its weight says.
fn weighted(weights: &[u32], rng: &mut fastrand::Rng) -> usize {
    let mut rest = rng.u32(0..weights.iter().sum::<u32>().max(1));
    weights
        .iter()
        .position(|weight| {
            let here = rest < *weight;
            rest = rest.saturating_sub(*weight);
            here
        })
        .unwrap_or(0)
}
