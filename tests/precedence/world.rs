//! The ledgers that sheets are handed in to: one with people, records and holds in every state that a rule asks about.

use timebank::{
    format::{
        proto::{self, AccountKind, KeyRole, event::Kind},
        signature::PrivateKey,
        wire,
    },
    ledger::{AccountId, Code, Millis, Minutes, Policy, Price, Refusal, Rounding, SheetId, Tariff},
};

use crate::{
    draft::{Draft, Target},
    support::*,
};

/// Where sheets go that were written for another ledger.
pub(crate) const ELSEWHERE: &str = "timebank.example/elsewhere";
/// An id that every author has used before.
pub(crate) const USED_ID: [u8; 16] = [0xee; 16];
/// Nobody's account.
pub(crate) const NOBODY: [u8; 16] = [9; 16];
/// Nobody's either.
pub(crate) const NOBODY_ELSE: [u8; 16] = [15; 16];
/// Ten minutes below the cap.
pub(crate) const RICH: [u8; 16] = [10; 16];
/// Has a few minutes.
pub(crate) const CARL: [u8; 16] = [11; 16];
/// Whose key was revoked.
pub(crate) const DORA: [u8; 16] = [12; 16];

/// Seeds of keys: never enrolled, ..
pub(crate) const STRANGER: u8 = 50;
/// .. to be enrolled, ..
pub(crate) const NEW: u8 = 51;
/// .. a resident's that was revoked, ..
pub(crate) const REVOKED: u8 = 60;
/// .. an operator's that was revoked, ..
pub(crate) const REVOKED_OPERATOR: u8 = 61;
/// .. of staff of the other station who have the issuance account for their own, ..
pub(crate) const OWNS_ISSUANCE: u8 = 63;
/// .. and of Carl.
pub(crate) const CARLS: u8 = 64;

pub(crate) fn operator() -> PrivateKey {
    key(1)
}

pub(crate) fn service_key() -> PrivateKey {
    key(2)
}

pub(crate) fn staff() -> PrivateKey {
    key(3)
}

pub(crate) fn other_staff() -> PrivateKey {
    key(4)
}

pub(crate) fn alice() -> PrivateKey {
    key(5)
}

pub(crate) fn bob() -> PrivateKey {
    key(6)
}

pub(crate) fn carl() -> PrivateKey {
    key(CARLS)
}

/// Where things stand in the ledger.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    pub(crate) now: i64,
    /// The date of Bob's hour, which starts at 8.
    pub(crate) date: i32,
    /// Bob's record of 50 minutes, paid by Alice.
    pub(crate) record: Option<proto::EventRef>,
    pub(crate) record_start: i64,
    /// The same, reversed.
    pub(crate) reversed: Option<proto::EventRef>,
    pub(crate) reversed_start: i64,
    /// A record of the other station.
    pub(crate) record_of_others: Option<proto::EventRef>,
    /// Alice's holds with the station: of 60 minutes, ..
    pub(crate) hold: Option<proto::EventRef>,
    /// .. of 10, ..
    pub(crate) small_hold: Option<proto::EventRef>,
    /// .. of 60 that ran out, ..
    pub(crate) run_out: Option<proto::EventRef>,
    /// .. of 10 that ran out, ..
    pub(crate) small_run_out: Option<proto::EventRef>,
    /// .. and one that was released.
    pub(crate) ended: Option<proto::EventRef>,
}

/// Credit is cut at 600 minutes and has nowhere to go; only rounding down is allowed; 8 hours a day.
fn policy() -> Policy {
    let tariff = |category, price| Tariff { category: Code::new(category, 32).unwrap(), price: Price::PerHour(price) };
    Policy {
        roundings: vec![Rounding::Down],
        cap: Some((Minutes::new(600), AccountId([200; 16]))),
        day_max: Minutes::new(480),
        tariffs: vec![tariff("dear", 600), tariff("tenth", 6)],
        ..Policy::default()
    }
}

pub(crate) struct World {
    ready: Ledger,
    empty: Ledger,
    full: Option<Ledger>,
    pub(crate) places: Places,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut ledger = Ledger::with(&policy());
        let places = fill(&mut ledger);
        Self { ready: ledger, empty: Ledger::unborn(), full: None, places }
    }

    /// What the ledger says of a draft; a ledger that accepts it is left as it was.
    pub(crate) fn verdict(&mut self, draft: &Draft) -> Result<(), Refusal> {
        let ledger = match draft.target {
            Target::Ready => &mut self.ready,
            Target::Empty => &mut self.empty,
            Target::Full => self.full.get_or_insert_with(|| full(&self.ready)),
        };
        ledger.now = draft.places.now;
        let before = ledger.replay.state.size();
        let verdict = ledger.submit(&draft.sheet()).map(|_| ());
        assert_eq!(ledger.replay.state.size(), before + u64::from(verdict.is_ok()));
        verdict
    }

    pub(crate) fn genesis() -> Kind {
        let Kind::LedgerCreated(mut created) = genesis(&policy()) else { unreachable!() };
        (created.origin, created.service_possession) = (String::new(), bytes::Bytes::new());
        Kind::LedgerCreated(created)
    }
}

/// As many regions as there is room for.
fn full(ledger: &Ledger) -> Ledger {
    let mut ledger = ledger.clone();
    // Leeds and York are there already.
    let regions: Vec<Kind> = (2..10_000).map(|number| region(&format!("r{number}"))).collect();
    for some in regions.chunks(1_000) {
        ledger.accept(&[&operator()], some.to_vec());
    }
    ledger
}

pub(crate) fn region(code: &str) -> Kind {
    Kind::RegionDefined(proto::RegionDefined { code: code.to_owned(), parent: String::new() })
}

pub(crate) fn revoke(key: &PrivateKey) -> Kind {
    Kind::KeyRevoked(proto::KeyRevoked { key_id: bytes(&key.key_id().0) })
}

/// The service of Bob's that is recorded, paid by Alice.
fn served_bob(start: i64) -> proto::Service {
    proto::Service { payer: bytes(&ALICE), ..service(BOB, start, 50) }
}

fn fill(ledger: &mut Ledger) -> Places {
    let resident = |id| open(id, AccountKind::Resident, "", Some(STATION));
    let no_account = |kind| {
        let Kind::KeyEnrolled(enrolled) = kind else { unreachable!() };
        Kind::KeyEnrolled(proto::KeyEnrolled { account: bytes::Bytes::new(), ..enrolled })
    };
    let events = vec![
        resident(RICH),
        resident(CARL),
        resident(DORA),
        enrol(&key(REVOKED), KeyRole::Resident, DORA, None),
        no_account(enrol(&key(REVOKED_OPERATOR), KeyRole::Operator, DORA, None)),
        enrol(&key(OWNS_ISSUANCE), KeyRole::Staff, OTHER_STATION, Some(ISSUANCE)),
        enrol(&carl(), KeyRole::Resident, CARL, None),
        revoke(&key(REVOKED)),
        revoke(&key(REVOKED_OPERATOR)),
    ];
    ledger.accept(&[&operator()], events);
    ledger.now = START + 20 * DAY;
    let eight = |day: i64| START + day * DAY + 8 * HOUR;
    let earned = [(ALICE, 10, 400), (GROUP, 10, 100), (RICH, 10, 300), (RICH, 11, 290), (CARL, 10, 5), (BOB, 10, 60)]
        .map(|(who, day, minutes)| record(service(who, eight(day), minutes)));
    ledger.accept(&[&staff()], earned.to_vec());
    let pair = [12, 13].map(|day| record(served_bob(eight(day))));
    let records = ledger.accept(&[&staff(), &alice()], pair.to_vec());
    ledger.accept(&[&staff()], vec![reverse(at(records, 1))]);
    let other = proto::Service { station: bytes(&OTHER_STATION), ..service(BOB, eight(14), 50) };
    let others = ledger.accept(&[&other_staff()], vec![record(other)]);
    let (soon, late) = (ledger.now + HOUR, ledger.now + 30 * DAY);
    let all = [(60, late), (10, late), (60, soon), (10, soon), (10, soon), (10, late)];
    let holds = ledger.accept(&[&alice()], all.map(|(minutes, end)| hold(ALICE, minutes, end)).to_vec());
    ledger.accept(&[&alice()], vec![release(at(holds, 5))]);
    ledger.now += DAY;
    use_the_id(ledger, at(holds, 4));
    Places {
        now: ledger.now,
        date: i32::try_from(eight(10) / DAY).unwrap(),
        record: at(records, 0),
        record_start: eight(12),
        reversed: at(records, 1),
        reversed_start: eight(13),
        record_of_others: at(others, 0),
        hold: at(holds, 0),
        small_hold: at(holds, 1),
        run_out: at(holds, 2),
        small_run_out: at(holds, 3),
        ended: at(holds, 5),
    }
}

/// Everybody signs a sheet of the one id.
fn use_the_id(ledger: &mut Ledger, run_out: Option<proto::EventRef>) {
    let given = |who| transfer(who, POOL, 1);
    let other = proto::Service { station: bytes(&OTHER_STATION), ..service(GROUP, START, 1) };
    let sheets = [
        (operator(), region("york")),
        (service_key(), expire(run_out)),
        (staff(), record(service(GROUP, START, 1))),
        (other_staff(), record(other.clone())),
        (key(OWNS_ISSUANCE), record(other)),
        (alice(), given(ALICE)),
        (bob(), given(BOB)),
        (carl(), given(CARL)),
    ];
    for (author, kind) in sheets {
        let draft = wire::Draft {
            origin: ORIGIN,
            sheet_id: SheetId(USED_ID),
            issued_at: Millis(ledger.now),
            valid_until: Millis(ledger.now + DAY),
            events: vec![kind],
        };
        ledger.submit(&wire::sign(draft, &[&author]).unwrap()).unwrap();
    }
}
