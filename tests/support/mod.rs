//! A small ledger in memory for tests of the rules: people, places, and sheets signed for real.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test uses its part, and a test stops at the first surprise"
)]

use std::collections::BTreeMap;

use timebank::{
    engine::{
        clock::ClockImplausible,
        replay::{Judged, NotRecorded, Past, Replay, Shell, SignatureVerdict, TrialPast, resolve_facts},
    },
    format::{
        proto::{self, event::Kind},
        signature::PrivateKey,
        wire::{self, Decoded},
    },
    ledger::{
        AskedTimes, Event, EventRef, Facts, KeyId, LogIndex, Millis, OlderTime, Policy, PutAway, RecordNote, Refusal,
        ServedTime, Sheet, SheetId, SheetOutcome, SheetTrial,
    },
};

pub const ORIGIN: &str = "timebank.example/test";
/// 2026-03-01T00:00:00Z, when the ledgers of tests begin.
pub const START: i64 = 1_772_323_200_000;
pub const DAY: i64 = 86_400_000;
pub const HOUR: i64 = 3_600_000;
pub const MINUTE: i64 = 60_000;

pub const ISSUANCE: [u8; 16] = [0xff; 16];
pub const STATION: [u8; 16] = [1; 16];
pub const OTHER_STATION: [u8; 16] = [2; 16];
pub const ALICE: [u8; 16] = [3; 16];
pub const BOB: [u8; 16] = [4; 16];
pub const GROUP: [u8; 16] = [5; 16];
pub const POOL: [u8; 16] = [6; 16];
pub const CLARA: [u8; 16] = [7; 16];

/// xorshift64*: the same numbers for the same seed, everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    pub fn signed(&mut self, bound: i64) -> i64 {
        self.below(bound.unsigned_abs()).cast_signed()
    }
}

/// A ledger and the keys of its people.
#[derive(Clone)]
pub struct Ledger {
    pub replay: Replay,
    pub now: i64,
    pub operator: PrivateKey,
    pub service: PrivateKey,
    pub staff: PrivateKey,
    pub other_staff: PrivateKey,
    pub alice: PrivateKey,
    pub bob: PrivateKey,
    /// The log as it would be stored.
    pub entries: Vec<timebank::format::wire::StoredEntry>,
    past: Memory,
    next_id: u64,
}

/// What the state doesn't hold, in memory.
#[derive(Clone, Default)]
struct Memory {
    sheets: Vec<Decoded>,
    times: Vec<OlderTime>,
    ids: BTreeMap<(KeyId, SheetId), LogIndex>,
    notes: BTreeMap<EventRef, RecordNote>,
    now: i64,
}

impl Past for Memory {
    type Error = std::convert::Infallible;

    fn event(&mut self, at: EventRef) -> Result<Option<Event>, Self::Error> {
        let sheet = self.sheets.get(usize::try_from(at.index.0).unwrap());
        Ok(sheet.and_then(|decoded| decoded.sheet.events.get(usize::from(at.event)).cloned()))
    }

    fn times(&mut self, asked: &AskedTimes) -> Result<Vec<ServedTime>, Self::Error> {
        let row = |number| Ok::<_, Self::Error>(self.times[usize::try_from(number).unwrap()]);
        Ok(asked.resolve(row)?.unwrap())
    }

    fn sheet(&mut self, author: KeyId, id: SheetId) -> Result<Option<LogIndex>, Self::Error> {
        Ok(self.ids.get(&(author, id)).copied())
    }

    fn note(&mut self, record: EventRef) -> Result<Option<RecordNote>, Self::Error> {
        Ok(self.notes.get(&record).copied())
    }

    fn keep(&mut self, put_away: &PutAway) -> Result<(), Self::Error> {
        assert_eq!(put_away.first.times, self.times.len() as u64, "times are numbered without a gap");
        self.times.extend(&put_away.times);
        assert_eq!(put_away.first.sheets, self.ids.len() as u64, "no id is put away twice");
        self.ids.extend(put_away.sheets.iter().map(|older| ((older.author, older.id), older.index)));
        self.notes.extend(put_away.notes.iter().map(|older| (older.record, older.note)));
        Ok(())
    }
}

impl Shell for Memory {
    type Past = Self;

    fn past(&mut self) -> &mut Self {
        self
    }

    fn now(&mut self) -> Result<Millis, ClockImplausible> {
        Ok(Millis(self.now))
    }

    fn header_hash(&mut self, index: u64) -> Result<Option<[u8; 32]>, std::convert::Infallible> {
        Ok(self.sheets.get(usize::try_from(index).unwrap()).map(|decoded| decoded.header_hash))
    }
}

/// A number of the environment, for the long form of a test.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |number| number.parse().unwrap())
}

pub fn bytes(array: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(array)
}

pub fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed([seed; 32])
}

pub fn genesis(policy: &Policy) -> Kind {
    Kind::LedgerCreated(Box::new(proto::LedgerCreated {
        origin: ORIGIN.to_owned(),
        ledger_key: bytes(&key(99).public_key()),
        operator_keys: vec![bytes(&key(1).public_key())],
        service_key: bytes(&key(2).public_key()),
        service_possession: bytes(&key(2).prove_possession(ORIGIN)),
        issuance_account: bytes(&ISSUANCE),
        policy: Some(wire::policy_message(policy)),
        nonce: bytes(&[8; 32]),
        predecessor: None,
    }))
}

pub fn open(account: [u8; 16], kind: proto::AccountKind, region: &str, station: Option<[u8; 16]>) -> Kind {
    Kind::AccountOpened(proto::AccountOpened {
        account: bytes(&account),
        kind: i32::from(kind),
        region: region.to_owned(),
        station: station.map(|station| bytes(&station)).unwrap_or_default(),
    })
}

pub fn enrol(key: &PrivateKey, role: proto::KeyRole, account: [u8; 16], own: Option<[u8; 16]>) -> Kind {
    Kind::KeyEnrolled(proto::KeyEnrolled {
        public_key: bytes(&key.public_key()),
        possession: bytes(&key.prove_possession(ORIGIN)),
        role: i32::from(role),
        account: bytes(&account),
        own_account: own.map(|own| bytes(&own)).unwrap_or_default(),
    })
}

pub fn transfer(from: [u8; 16], to: [u8; 16], minutes: i64) -> Kind {
    Kind::MinutesTransferred(proto::MinutesTransferred { from: bytes(&from), to: bytes(&to), minutes })
}

pub fn hold(payer: [u8; 16], minutes: i64, expires_at_ms: i64) -> Kind {
    Kind::HoldPlaced(proto::HoldPlaced { payer: bytes(&payer), station: bytes(&STATION), minutes, expires_at_ms })
}

pub fn at(index: u64, event: u32) -> Option<proto::EventRef> {
    Some(proto::EventRef { index, event })
}

/// A service of `volunteer` from `start` on for some minutes, paid by issuance.
pub fn service(volunteer: [u8; 16], start: i64, minutes: i64) -> proto::Service {
    proto::Service {
        volunteer: bytes(&volunteer),
        station: bytes(&STATION),
        payer: bytes::Bytes::new(),
        category: "general".to_owned(),
        activity: String::new(),
        served: Some(interval(start, start + minutes * MINUTE)),
        utc_offset_seconds: 0,
        credited_minutes: minutes,
        rounding: 0,
        insured: false,
        imported: false,
    }
}

pub fn interval(start_ms: i64, end_ms: i64) -> proto::service::Served {
    proto::service::Served::Interval(proto::Interval { start_ms, end_ms })
}

pub fn on_date(date: i32, minutes: i64) -> proto::service::Served {
    proto::service::Served::OnDate(proto::ServedOnDate { date, minutes })
}

pub fn record(service: proto::Service) -> Kind {
    Kind::ServiceRecorded(proto::ServiceRecorded { service: Some(service), hold: None })
}

pub fn settle(service: proto::Service, hold: Option<proto::EventRef>) -> Kind {
    Kind::ServiceRecorded(proto::ServiceRecorded { service: Some(service), hold })
}

pub fn correct(record: Option<proto::EventRef>, service: proto::Service) -> Kind {
    let reason = i32::from(proto::CorrectionReason::EntryError);
    Kind::ServiceCorrected(proto::ServiceCorrected { record, reason, service: Some(service) })
}

pub fn reverse(record: Option<proto::EventRef>) -> Kind {
    let reason = i32::from(proto::CorrectionReason::Duplicate);
    Kind::ServiceReversed(proto::ServiceReversed { record, reason })
}

pub fn release(hold: Option<proto::EventRef>) -> Kind {
    Kind::HoldReleased(proto::HoldReleased { hold })
}

/// A sheet as the log keeps it.
pub fn stored(index: u64, recorded_at_ms: i64, sheet: &proto::Sheet) -> timebank::format::wire::StoredEntry {
    timebank::format::wire::StoredEntry {
        index,
        recorded_at_ms,
        header: sheet.header.clone(),
        signatures: sheet.signatures.clone(),
        events: sheet.events.clone(),
    }
}

pub fn expire(hold: Option<proto::EventRef>) -> Kind {
    Kind::HoldExpired(proto::HoldExpired { hold })
}

impl Ledger {
    /// Not even the genesis.
    pub fn unborn() -> Self {
        Self {
            replay: Replay::new(ORIGIN),
            now: START,
            operator: key(1),
            service: key(2),
            staff: key(3),
            other_staff: key(4),
            alice: key(5),
            bob: key(6),
            entries: Vec::new(),
            past: Memory::default(),
            next_id: 1,
        }
    }

    /// Only the genesis.
    pub fn empty(policy: &Policy) -> Self {
        let mut ledger = Self::unborn();
        let operator = ledger.operator.clone();
        ledger.accept(&[&operator], vec![genesis(policy)]);
        ledger
    }

    /// Entry 0 the genesis, entry 1 two stations, people, a pool, and their keys.
    pub fn with(policy: &Policy) -> Self {
        use proto::{AccountKind as Account, KeyRole as Role};
        let mut ledger = Self::empty(policy);
        let region =
            |code: &str| Kind::RegionDefined(proto::RegionDefined { code: code.to_owned(), parent: String::new() });
        let events = vec![
            region("leeds"),
            open(STATION, Account::Station, "leeds", None),
            open(OTHER_STATION, Account::Station, "leeds", None),
            open(ALICE, Account::Resident, "", Some(STATION)),
            open(BOB, Account::Resident, "", Some(STATION)),
            open(GROUP, Account::Group, "", Some(STATION)),
            open(POOL, Account::CommunityPool, "leeds", None),
            open(CLARA, Account::Resident, "", Some(STATION)),
            enrol(&key(3), Role::Staff, STATION, Some(CLARA)),
            enrol(&key(4), Role::Staff, OTHER_STATION, None),
            enrol(&key(5), Role::Resident, ALICE, None),
            enrol(&key(6), Role::Resident, BOB, None),
        ];
        let operator = ledger.operator.clone();
        ledger.accept(&[&operator], events);
        ledger
    }

    pub fn new() -> Self {
        Self::with(&Policy::default())
    }

    /// What became of a record, at hand or put away.
    pub fn note(&self, record: EventRef) -> Option<RecordNote> {
        self.replay.state.records().get(&record).or(self.past.notes.get(&record)).copied()
    }

    /// Whether what a sheet asks for was put away: what became of a record, or its own id.
    pub fn asks_for_older(&self, sheet: &Sheet) -> [bool; 2] {
        let state = &self.replay.state;
        let mut records = sheet.events.iter().filter_map(Event::record);
        let is_older = |record| state.records().get(&record).is_none() && self.past.notes.contains_key(&record);
        let id = sheet.signers.first().is_some_and(|author| self.past.ids.contains_key(&(*author, sheet.sheet_id)));
        [records.any(is_older), id]
    }

    /// How many records that is known of.
    pub fn noted(&self) -> usize {
        let records = self.replay.state.records();
        records.len() + self.past.notes.keys().filter(|record| records.get(record).is_none()).count()
    }

    /// Signs events as a sheet that is valid now.
    pub fn sheet(&mut self, keys: &[&PrivateKey], events: Vec<Kind>) -> proto::Sheet {
        self.next_id += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.next_id.to_be_bytes());
        let (issued_at, valid_until) = (Millis(self.now), Millis(self.now + DAY));
        let draft = wire::Draft { origin: ORIGIN, sheet_id: SheetId(id), issued_at, valid_until, events };
        wire::sign(draft, keys).unwrap()
    }

    /// All that the service does with a sheet, by the very function that it does it with.
    pub fn submit(&mut self, sheet: &proto::Sheet) -> Result<SheetOutcome, Refusal> {
        let decoded = wire::decode(sheet)?;
        let verdict = self.replay.verdict(&decoded);
        match self.judge(sheet, decoded, verdict) {
            Ok(Judged::Passed(_, outcome)) => Ok(outcome),
            Ok(Judged::Repeated(index)) => panic!("the sheet of entry {index} again"),
            Err(NotRecorded::Refused(refusal)) => Err(refusal),
            Err(NotRecorded::Clock(implausible)) => panic!("{implausible}"),
        }
    }

    /// The same, given a verdict on the signatures.
    pub fn judge(
        &mut self,
        sheet: &proto::Sheet,
        decoded: Decoded,
        verdict: SignatureVerdict,
    ) -> Result<Judged, NotRecorded<std::convert::Infallible>> {
        self.past.now = self.now;
        let judged = self.replay.accept(&decoded, verdict, &mut self.past, |_| ())?;
        if let Judged::Passed(recorded_at, _) = judged {
            self.entries.push(stored(self.entries.len() as u64, recorded_at.0, sheet));
            self.past.sheets.push(decoded);
        }
        Ok(judged)
    }

    /// What the rules need for a sheet and the state doesn't hold.
    pub fn facts(&mut self, sheet: &Sheet) -> Facts {
        resolve_facts(&self.replay.state, sheet, &mut self.past).unwrap()
    }

    /// What sheets would do, one after another, by the very function that the service asks.
    pub fn try_sheets(&mut self, sheets: &[Sheet]) -> Vec<SheetTrial> {
        let Self { replay, past, now, .. } = self;
        let tried = replay.state.try_sheets(sheets, Millis(*now), |state, sheet, before| {
            resolve_facts(state, sheet, &mut TrialPast::new(past, state, before))
        });
        tried.unwrap()
    }

    /// Submits what must be accepted, and gives its index.
    pub fn accept(&mut self, keys: &[&PrivateKey], events: Vec<Kind>) -> u64 {
        let sheet = self.sheet(keys, events);
        let index = self.replay.state.size();
        if let Err(refusal) = self.submit(&sheet) {
            panic!("{refusal}");
        }
        let accounts = self.replay.state.all_accounts();
        let sum: i128 = accounts.map(|account| i128::from(account.balance.get())).sum();
        assert_eq!(sum, 0, "all balances sum to zero");
        index
    }

    /// Submits what must be refused with this code; the state stays as it was.
    pub fn refuse(&mut self, keys: &[&PrivateKey], events: Vec<Kind>, code: &str) -> Refusal {
        let sheet = self.sheet(keys, events);
        let before = self.replay.state.clone();
        let refusal = self.submit(&sheet).expect_err_or(code);
        assert_eq!(refusal.rejection.code(), code, "{refusal}");
        assert!(self.replay.state == before, "a refused sheet leaves nothing behind: {refusal}");
        refusal
    }

    pub fn balance(&self, account: [u8; 16]) -> i64 {
        self.account(account).balance.get()
    }

    pub fn account(&self, account: [u8; 16]) -> timebank::ledger::Account {
        let number = self.replay.state.account_number(timebank::ledger::AccountId(account)).unwrap();
        self.replay.state.account(number).unwrap()
    }

    /// Records minutes for somebody, an hour ago and further back each time, so that nothing overlaps.
    pub fn earn(&mut self, volunteer: [u8; 16], minutes: i64) -> u64 {
        self.now += 12 * HOUR;
        let staff = self.staff.clone();
        self.accept(&[&staff], vec![record(service(volunteer, self.now - 10 * HOUR, minutes))])
    }
}

trait ExpectErr {
    fn expect_err_or(self, code: &str) -> Refusal;
}

impl ExpectErr for Result<SheetOutcome, Refusal> {
    fn expect_err_or(self, code: &str) -> Refusal {
        match self {
            Err(refusal) => refusal,
            Ok(outcome) => panic!("accepted, not refused with {code}: {outcome:?}"),
        }
    }
}
