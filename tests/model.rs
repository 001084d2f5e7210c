//! Random sheets against a ledger so simple that it is obviously right.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use support::*;
use timebank::{
    format::{
        proto::{self, event::Kind},
        wire,
    },
    ledger::{Minutes, Policy, SheetOutcome},
};

#[derive(Clone, Debug)]
struct Booked {
    payer: [u8; 16],
    minutes: i64,
}

#[derive(Clone, Debug)]
struct Served {
    volunteer: [u8; 16],
    minutes: i64,
}

/// Balances, holds and records; nothing else.
#[derive(Clone, Debug, Default)]
struct Naive {
    balances: BTreeMap<[u8; 16], i64>,
    holds: BTreeMap<(u64, u32), Booked>,
    records: BTreeMap<(u64, u32), Served>,
}

const FLOOR: i64 = -120;

impl Naive {
    fn balance(&mut self, account: [u8; 16]) -> &mut i64 {
        self.balances.entry(account).or_default()
    }

    fn held(&self, account: [u8; 16]) -> i64 {
        self.holds.values().filter(|hold| hold.payer == account).map(|hold| hold.minutes).sum()
    }

    fn available(&mut self, account: [u8; 16]) -> i64 {
        *self.balance(account) - self.held(account) - FLOOR
    }

    /// Whether an event is accepted; if so, what it changes.
    fn apply(&mut self, step: &Step, at: (u64, u32)) -> bool {
        match step {
            Step::Transfer(from, to, minutes) => {
                let ok = *minutes > 0 && from != to && self.available(*from) >= *minutes;
                if ok {
                    *self.balance(*from) -= minutes;
                    *self.balance(*to) += minutes;
                }
                ok
            }
            Step::Hold(payer, minutes) => {
                let ok = *minutes > 0 && self.available(*payer) >= *minutes;
                if ok {
                    self.holds.insert(at, Booked { payer: *payer, minutes: *minutes });
                }
                ok
            }
            Step::Release(hold) => self.holds.remove(hold).is_some(),
            Step::Settle(hold, volunteer, minutes, _) => {
                let fits =
                    self.holds.get(hold).is_some_and(|hold| hold.minutes >= *minutes && hold.payer != *volunteer);
                if let Some(ended) = fits.then(|| self.holds.remove(hold)).flatten() {
                    *self.balance(ended.payer) -= minutes;
                    *self.balance(*volunteer) += minutes;
                }
                fits
            }
            Step::Record(volunteer, minutes, _) => {
                *self.balance(ISSUANCE) -= minutes;
                *self.balance(*volunteer) += minutes;
                self.records.insert(at, Served { volunteer: *volunteer, minutes: *minutes });
                true
            }
            Step::Reverse(record) => {
                let Some(served) = self.records.remove(record) else { return false };
                let free = (*self.balance(served.volunteer) - self.held(served.volunteer)).max(0);
                let taken = free.min(served.minutes);
                *self.balance(ISSUANCE) += served.minutes;
                *self.balance(served.volunteer) -= taken;
                *self.balance(STATION) -= served.minutes - taken;
                true
            }
        }
    }
}

/// An event, in the words of the naive ledger. The last number of a service is the place of its time.
#[derive(Clone, Debug)]
enum Step {
    Transfer([u8; 16], [u8; 16], i64),
    Hold([u8; 16], i64),
    Release((u64, u32)),
    Settle((u64, u32), [u8; 16], i64, i64),
    Record([u8; 16], i64, i64),
    Reverse((u64, u32)),
}

/// Clock times that never overlap and never fill a day: one service of at most 20 minutes each 2 hours.
fn start(now: i64, slot: i64) -> i64 {
    now - DAY * 300 + slot * 2 * HOUR
}

fn kind(step: &Step, base: i64, model: &Naive) -> Kind {
    match step {
        Step::Transfer(from, to, minutes) => transfer(*from, *to, *minutes),
        Step::Hold(payer, minutes) => hold(*payer, *minutes, base + 400 * DAY),
        Step::Release(hold) => release(at(hold.0, hold.1)),
        Step::Settle(hold, volunteer, minutes, slot) => {
            let payer = model.holds.get(hold).map_or(ALICE, |hold| hold.payer);
            let paid = proto::Service { payer: bytes(&payer), ..service(*volunteer, start(base, *slot), *minutes) };
            settle(paid, at(hold.0, hold.1))
        }
        Step::Record(volunteer, minutes, slot) => record(service(*volunteer, start(base, *slot), *minutes)),
        Step::Reverse(record) => reverse(at(record.0, record.1)),
    }
}

fn pick<T: Copy>(random: &mut Random, items: impl Iterator<Item = T>, otherwise: T) -> T {
    let items: Vec<T> = items.collect();
    if items.is_empty() { otherwise } else { items[usize::try_from(random.below(items.len() as u64)).unwrap()] }
}

/// What Alice signs: she gives, books and releases. Nobody signs what credits them, so the rest is the operator's.
fn step_of_alice(random: &mut Random, model: &Naive) -> Step {
    let receiver = [ALICE, BOB, CLARA][usize::try_from(random.below(3)).unwrap()];
    match random.below(6) {
        0..3 => Step::Transfer(ALICE, receiver, random.signed(60)),
        3..5 => Step::Hold(ALICE, random.signed(50)),
        _ => Step::Release(pick(random, model.holds.keys().copied(), (1, 0))),
    }
}

fn step_of_operator(random: &mut Random, model: &Naive, slot: &mut i64) -> Step {
    let person = [ALICE, BOB, CLARA][usize::try_from(random.below(3)).unwrap()];
    *slot += 1;
    match random.below(8) {
        0..4 => Step::Record(person, 1 + random.signed(20), *slot),
        4..6 => {
            let hold = pick(random, model.holds.keys().copied(), (1, 0));
            let volunteer = if random.below(2) == 0 { BOB } else { CLARA };
            Step::Settle(hold, volunteer, 1 + random.signed(20), *slot)
        }
        6 => Step::Release(pick(random, model.holds.keys().copied(), (1, 0))),
        _ => Step::Reverse(pick(random, model.records.keys().copied(), (1, 0))),
    }
}

fn run(seed: u64, sheets: u64) {
    eprintln!("seed {seed:#x}");
    let mut random = Random(seed);
    let mut ledger = Ledger::with(&Policy { floor: Minutes::new(FLOOR), ..Policy::default() });
    let base = ledger.now;
    let (operator, alice) = (ledger.operator.clone(), ledger.alice.clone());
    let (mut model, mut slot, mut accepted) = (Naive::default(), 0, 0);
    for _ in 0..sheets {
        let index = ledger.replay.state.size();
        let (mut tried, mut kinds, mut refused) = (model.clone(), Vec::new(), None);
        let by_alice = random.below(2) == 0;
        for number in 0..=u32::try_from(random.below(4)).unwrap() {
            let step = if by_alice {
                step_of_alice(&mut random, &tried)
            } else {
                step_of_operator(&mut random, &tried, &mut slot)
            };
            kinds.push(kind(&step, base, &tried));
            if refused.is_none() && !tried.apply(&step, (index, number)) {
                refused = Some(number);
            }
        }
        let sheet = ledger.sheet(&[if by_alice { &alice } else { &operator }], kinds);
        let before = ledger.replay.state.clone();
        let decoded = wire::decode(&sheet).unwrap();
        // A trial first: it must leave no trace.
        let now = timebank::ledger::Millis(ledger.now);
        let facts = ledger.facts(&decoded.sheet);
        ledger.replay.state.try_sheets(std::slice::from_ref(&decoded.sheet), now, |_, _| facts.clone());
        assert!(ledger.replay.state == before, "a trial leaves nothing behind");
        let result: Result<SheetOutcome, _> = ledger.submit(&sheet);
        match (&result, refused) {
            (Ok(_), None) => {
                model = tried;
                accepted += 1;
            }
            (Err(refusal), Some(number)) => {
                assert_eq!(refusal.event.map(u32::from), Some(number), "{refusal}");
                assert!(ledger.replay.state == before, "{refusal} leaves something behind");
            }
            (Ok(_), Some(number)) => unreachable!("event {number} should be refused"),
            (Err(refusal), None) => unreachable!("{refusal}"),
        }
        for account in [ISSUANCE, STATION, ALICE, BOB, CLARA] {
            assert_eq!(ledger.balance(account), *model.balance(account), "balance of {account:02x?}");
            assert_eq!(ledger.account(account).held.get(), model.held(account), "held by {account:02x?}");
        }
        assert_eq!(ledger.replay.state.holds().len(), model.holds.len());
    }
    assert!(accepted * 4 > sheets, "most of what is tried should be possible: {accepted} of {sheets}");
}

#[test]
fn random_sheets_do_what_the_naive_ledger_says() {
    for seed in [1, 0xdead_beef, 0x5eed_0000_0000_0001] {
        run(seed, 700);
    }
}
