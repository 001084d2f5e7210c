//! Random sheets of every kind of event against a ledger so simple that it is obviously right.
//!
//! `TIMEBANK_ROUNDS=100 TIMEBANK_SEED=7 cargo test --test model` is the long form. A round is a ledger of its own, with a
//! policy of its own; it prints its seed, and one round from that seed repeats it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests stop at the first surprise")]

mod author;
mod compare;
mod coverage;
mod naive;
mod rules;
mod services;
mod spoil;
#[path = "../support/mod.rs"]
mod support;
mod world;

use std::{collections::BTreeMap, slice};

use author::{Author, View};
use coverage::Coverage;
use naive::{Naive, Place};
use rules::{Broken, Header, Moment};
use support::{DAY, Ledger, ORIGIN, Random, number};
use timebank::{
    engine::{projection::Projection, replay::StillReplay},
    format::{
        proto::{self, event::Kind},
        signature::PrivateKey,
        wire,
    },
    ledger::{
        AccountNumber, EventRef, Facts, KeyId, LogIndex, Millis, Minutes, OlderNote, OlderSheet, OlderTime, PutAway,
        PutAwayCounts, RecordNote, Refusal, Served, ServedTime, SheetId, SheetOutcome, State,
    },
};

const ROUNDS: u64 = 10;
const SHEETS: u64 = 400;

/// The rules that a sheet breaks, and the first event that breaks them; no event: the sheet as a whole does.
struct Expected {
    event: Option<u32>,
    broken: Broken,
}

/// A ledger, the naive one beside it, and whoever writes the sheets.
struct Round {
    ledger: Ledger,
    model: Naive,
    author: Author,
    coverage: Coverage,
    /// A copy that is to be saved, and the state that it was taken of.
    still: Option<(StillReplay, State)>,
    /// When that is done: apart from what sheets are made of.
    saving: Random,
}

/// Of so many sheets one comes after a copy of the state was taken, and one after the copy was saved.
const SAVED_EVERY: u64 = 12;

impl Round {
    fn new(seed: u64, keys: &BTreeMap<u8, PrivateKey>) -> Self {
        // Seeds beside each other are to have nothing in common; xorshift knows no zero.
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let policy = world::policy(&mut random, seed.is_multiple_of(2));
        let author = Author::new(random, keys, policy);
        Self {
            ledger: Ledger::unborn(),
            model: Naive::default(),
            author,
            coverage: Coverage::default(),
            still: None,
            saving: Random(seed.wrapping_add(1)),
        }
    }

    /// The genesis, after what is none; then places, people and keys.
    fn begin(&mut self) {
        let operators = world::OPERATORS.map(|seed| support::key(seed).key_id().0).to_vec();
        let mut firsts = world::wrong_first_sheets(&self.author.policy);
        firsts.push(vec![Kind::LedgerCreated(Box::new(world::created(&self.author.policy)))]);
        for kinds in firsts {
            let header = self.plain_header(operators.clone());
            let mut tried = self.model.clone();
            let refused = rules::of_first_sheet(&header, &kinds).map(|(event, broken)| Expected { event, broken });
            if refused.is_none() {
                tried.apply(&kinds[0], (0, 0));
            }
            self.submit(&header, &kinds, tried, refused.as_ref());
        }
        let header = self.plain_header(operators[..1].to_vec());
        self.judge(&header, &world::settled());
        assert_eq!(self.ledger.replay.state.size(), 2, "genesis and people are accepted");
    }

    fn plain_header(&mut self, signers: Vec<naive::Id>) -> Header {
        let now = self.ledger.now;
        Header { valid_until: now + DAY, issued_at: now, ..self.author.header(&Naive::default(), signers, now) }
    }

    /// A sheet that is there already.
    fn judge(&mut self, header: &Header, kinds: &[Kind]) {
        let mut tried = self.model.clone();
        let mut refused = self.of_sheet(header);
        for (number, kind) in (0..).zip(kinds) {
            let at = (self.ledger.replay.state.size(), number);
            refused = refused.or_else(|| try_event(&mut tried, header, at, self.ledger.now, kind));
        }
        self.submit(header, kinds, tried, refused.as_ref());
    }

    /// Takes a copy of the state, or saves the one that was taken some sheets ago, and opens it. Where nothing came between,
    /// the ledger goes on from what was opened, as after a restart.
    fn save(&mut self) {
        let replay = &mut self.ledger.replay;
        let Some((still, state)) = self.still.take() else {
            self.still = Some((replay.still(), replay.state.clone()));
            return;
        };
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("projections");
        let (projection, _) = Projection::open(&folder, ORIGIN, 0).unwrap();
        // Only the numbers of what was put away count here: the ledger keeps it itself.
        projection.put_away().keep(&as_many(state.put_away())).unwrap();
        projection.save(&still, &projection.heads()).unwrap();
        drop(projection);
        let (_, opened) = Projection::open(&folder, ORIGIN, state.size()).unwrap();
        assert!(opened.state == state, "what was saved while the ledger went on is of one index");
        if state.size() == replay.state.size() {
            *replay = opened;
            self.coverage.saw("started again");
        } else {
            self.coverage.saw("saved while sheets came");
        }
    }

    /// A sheet that is made up event by event, each in view of those before it.
    fn random_sheet(&mut self) {
        if self.saving.below(SAVED_EVERY) < 2 {
            self.save();
        }
        self.ledger.now = self.author.later(&self.model, self.ledger.now);
        let (now, index) = (self.ledger.now, self.ledger.replay.state.size());
        let signers = self.author.signers(&self.model, now);
        let header = self.author.header(&self.model, signers, now);
        let (mut tried, mut kinds, mut refused) = (self.model.clone(), Vec::new(), self.of_sheet(&header));
        for number in 0..=u32::try_from(self.author.random.below(4)).unwrap() {
            let at = (index, number);
            let kind = self.author.event(View { ledger: &tried, signers: &header.signers, at, now });
            refused = refused.or_else(|| try_event(&mut tried, &header, at, now, &kind));
            kinds.push(kind);
        }
        self.submit(&header, &kinds, tried, refused.as_ref());
    }

    fn of_sheet(&self, header: &Header) -> Option<Expected> {
        let broken = rules::of_sheet(&self.model, header, self.ledger.now);
        (!broken.is_empty()).then_some(Expected { event: None, broken })
    }

    /// What is wrong by its bytes alone, before anything else is looked at.
    fn at_the_door(&self, header: &Header, kinds: &[Kind]) -> Option<Expected> {
        let code = "FieldInvalid";
        let moment = Moment { signers: &header.signers, at: (0, 0), now: self.ledger.now };
        let without_form = |kind| rules::of_event(&self.model, moment, kind).contains(code);
        let event = (0..).zip(kinds).find(|(_, kind)| without_form(kind))?.0;
        Some(Expected { event: Some(event), broken: Broken::from([code]) })
    }

    /// The ledger does with the sheet what the naive one does, which becomes `tried` if nothing is broken.
    fn submit(&mut self, header: &Header, kinds: &[Kind], tried: Naive, refused: Option<&Expected>) {
        let what = || format!("{header:?}\n{kinds:#?}");
        let without_form = self.at_the_door(header, kinds);
        let refused = without_form.as_ref().or(refused);
        let sheet = self.sign(header, kinds);
        let (index, before) = (self.ledger.replay.state.size(), self.ledger.replay.state.clone());
        // Nobody tries out a genesis: a server has one before it answers anybody. Nor what the door doesn't let in.
        if index > 0 && without_form.is_none() {
            self.try_out(&sheet, refused);
        }
        assert!(self.ledger.replay.state == before, "a trial leaves something behind: {}", what());
        let result: Result<SheetOutcome, Refusal> = self.ledger.submit(&sheet);
        match (&result, refused) {
            (Ok(outcome), None) => {
                self.model = tried;
                self.model.sheet_ids.insert((header.signers[0], header.sheet_id));
                compare::same_postings(&self.ledger.replay.state, outcome, &self.model, index);
            }
            (Err(refusal), Some(expected)) => {
                assert_eq!(
                    refusal.event.map(u32::from),
                    expected.event,
                    "{refusal}: {:?}: {}",
                    expected.broken,
                    what()
                );
                let code = refusal.rejection.code();
                assert!(expected.broken.contains(code), "{refusal}, not of {:?}: {}", expected.broken, what());
                assert!(self.ledger.replay.state == before, "{refusal} leaves something behind: {}", what());
            }
            (Ok(_), Some(Expected { event, broken })) => panic!("accepted: {event:?} breaks {broken:?}: {}", what()),
            (Err(refusal), None) => panic!("{refusal}: event {:?}: {}", refusal.event, what()),
        }
        compare::same(&self.ledger, &self.model);
        let code = result.err().map(|refusal| refusal.rejection.code());
        let event = refused.and_then(|refused| refused.event);
        self.coverage.count(&self.model, header, kinds, code, event);
    }

    /// Says in advance what each event would do; after the first that is refused the two may differ, as a trial goes on.
    fn try_out(&mut self, sheet: &proto::Sheet, refused: Option<&Expected>) {
        let decoded = wire::decode(sheet).unwrap();
        let facts: Facts = self.ledger.facts(&decoded.sheet);
        let [record, id] = self.ledger.asks_for_older(&decoded.sheet);
        for (seen, what) in [(record, "record put away is named"), (id, "id put away is used again")] {
            if seen {
                self.coverage.saw(what);
            }
        }
        let now = Millis(self.ledger.now);
        let tried = self.ledger.replay.state.try_sheets(slice::from_ref(&decoded.sheet), now, |_, _, _| {
            Ok::<_, std::convert::Infallible>(facts.clone())
        });
        let Ok(tried) = tried;
        let first = match &tried[0] {
            Ok(events) => events.iter().position(Result::is_err).map(|event| Some(u32::try_from(event).unwrap())),
            Err(_) => Some(None),
        };
        assert_eq!(first, refused.map(|refused| refused.event), "a trial refuses what a sheet is refused for");
    }

    fn sign(&self, header: &Header, kinds: &[Kind]) -> proto::Sheet {
        let keys: Vec<&PrivateKey> = header.signers.iter().map(|signer| &self.author.keys[signer]).collect();
        let draft = wire::Draft {
            origin: ORIGIN,
            sheet_id: SheetId(header.sheet_id),
            issued_at: Millis(header.issued_at),
            valid_until: Millis(header.valid_until),
            events: kinds.to_vec(),
        };
        wire::sign(draft, &keys).unwrap()
    }
}

/// So many rows of any content.
fn as_many(counts: PutAwayCounts) -> PutAway {
    let count = |number: u64| usize::try_from(number).unwrap();
    let (author, record) = (KeyId([1; 16]), EventRef { index: LogIndex(1), event: 0 });
    let sheet = OlderSheet { author, id: SheetId([1; 16]), index: LogIndex(1) };
    let note = RecordNote { noted_at: LogIndex(2), latest: record, overflow: None, owed: None, reversed: true };
    PutAway {
        times: vec![older_time(); count(counts.times)],
        sheets: vec![sheet; count(counts.sheets)],
        notes: vec![OlderNote { record, note }; count(counts.notes)],
        ..PutAway::default()
    }
}

/// Any time that was put away.
fn older_time() -> OlderTime {
    let (record, served) =
        (EventRef { index: LogIndex(1), event: 0 }, Served::Interval { start: Millis(0), end: Millis(1) });
    let (payer, credited) = (AccountNumber(0), Minutes::new(1));
    let time = ServedTime { record, served, utc_offset_seconds: 0, payer, credited };
    let (since, until) = (Millis(0), Millis(1));
    OlderTime { volunteer: AccountNumber(0), time, ended: false, previous: 0, since, until }
}

/// Does what an event says, or tells which rules it breaks.
fn try_event(tried: &mut Naive, header: &Header, at: Place, now: i64, kind: &Kind) -> Option<Expected> {
    let broken = rules::of_event(tried, Moment { signers: &header.signers, at, now }, kind);
    if broken.is_empty() {
        tried.apply(kind, at);
        return None;
    }
    Some(Expected { event: Some(at.1), broken })
}

#[test]
fn random_sheets_do_what_the_naive_ledger_says() {
    let (rounds, first) = (number("TIMEBANK_ROUNDS", ROUNDS), number("TIMEBANK_SEED", 1));
    let (keys, mut all) = (world::all_keys(), Coverage::default());
    for seed in first..first + rounds {
        eprintln!("TIMEBANK_SEED={seed} TIMEBANK_ROUNDS=1");
        let mut round = Round::new(seed, &keys);
        round.begin();
        for _ in 0..SHEETS {
            round.random_sheet();
        }
        round.coverage.add_seen(&round.model);
        all.add(&round.coverage);
    }
    eprintln!("{all}");
    all.check(rounds);
}
