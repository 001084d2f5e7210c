//! What a commit of openings costs the state, and what it costs to show it to readers, while the ledger grows.
//!
//! `cargo bench --bench tables`, with `-- --accounts N` for another size than 37.4 million, the volunteers of a nation, of
//! which 2.5 GB of memory are needed. No signature, log or disk is in it: `timebank bench` has these. A reader keeps the last
//! version that was shown, as the service does, so that each commit copies the pages that it writes to. At last accounts are
//! looked up, on the newest version each time, by a thread that does nothing else.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at the first surprise and prints a table")]

use std::{
    sync::{
        RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use timebank::ledger::{
    AccountId, AccountKind, AccountOpened, Code, Event, Facts, KeyId, LedgerCreated, Millis, Policy, Sheet, SheetId,
    State, Version,
};

const ORIGIN: &str = "timebank.example/bench";
/// 2026-03-01T00:00:00Z, when everything is recorded.
const NOW: Millis = Millis(1_772_323_200_000);
const OPERATOR: KeyId = KeyId([1; 16]);
/// Accounts at which commits are timed; the last is asked for.
const SIZES: [u64; 2] = [1_000_000, 37_400_000];
/// Openings of a commit.
const COMMITS: [u64; 3] = [1, 200, 4_000];
/// Events of a sheet at most.
const SHEET: u64 = 1_000;
/// Openings while somebody reads.
const READ: u64 = 1_000_000;
/// Openings timed for each kind of commit, in three rounds: the fastest counts, as others may use the machine.
const TIMED: u64 = 100_000;
const ROUNDS: u64 = 3;

fn main() {
    let asked = std::env::args().skip_while(|argument| argument != "--accounts").nth(1);
    let last: u64 = asked.map_or(SIZES[1], |count| count.parse().unwrap());
    let mut ledger = Grown::new();
    println!(
        "{:>12} {:>10} {:>14} {:>12} {:>14} {:>14}",
        "accounts", "a commit", "openings/s", "longest", "showing", "longest"
    );
    for size in [SIZES[0].min(last), last] {
        let took = ledger.grow(size, 4_000);
        println!("{size:>12} {:>10} {:>14} {:>9.1} ms    (on the way)", 4_000, "", ms(took.longest));
        for openings in COMMITS {
            let rounds: Vec<Took> = (0..ROUNDS).map(|_| ledger.grow(ledger.accounts + TIMED, openings)).collect();
            let best = rounds.iter().min_by_key(|took| took.committing).unwrap();
            let longest = rounds.iter().map(|took| took.longest).min().unwrap();
            let (showing, showing_longest) = (
                rounds.iter().map(|took| took.showing / took.commits).min().unwrap(),
                rounds.iter().map(|took| took.showing_longest).min().unwrap(),
            );
            let rate = f64::from(u32::try_from(TIMED).unwrap()) / best.committing.as_secs_f64();
            println!(
                "{size:>12} {openings:>10} {rate:>14.0} {:>9.2} ms {:>11.2} us {:>11.1} us",
                ms(longest),
                us(showing),
                us(showing_longest)
            );
        }
        let (took, looked_up, longest) = ledger.grow_while_read();
        println!(
            "{size:>12} {:>10} {:>14.0} {:>9.2} ms    while {looked_up:.0} accounts a second are looked up, the slowest in {:.1} ms",
            4_000,
            f64::from(u32::try_from(READ).unwrap()) / took.committing.as_secs_f64(),
            ms(took.longest),
            ms(longest)
        );
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn us(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Times of some commits.
#[derive(Default)]
struct Took {
    commits: u32,
    committing: Duration,
    longest: Duration,
    showing: Duration,
    showing_longest: Duration,
}

struct Grown {
    state: State,
    accounts: u64,
    station: AccountId,
    sheets: u64,
    /// What readers see.
    shown: RwLock<Version>,
}

/// Spread as random ids are, and none twice.
fn account(number: u64) -> AccountId {
    let low = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    let high = number.wrapping_mul(0xd1b5_4a32_d192_ed03).to_le_bytes();
    let mut id = [0; 16];
    id[..8].copy_from_slice(&low);
    id[8..].copy_from_slice(&high);
    AccountId(id)
}

impl Grown {
    fn new() -> Self {
        let mut grown = Self {
            state: State::new(ORIGIN),
            accounts: 0,
            station: AccountId([2; 16]),
            sheets: 0,
            shown: RwLock::default(),
        };
        let created = LedgerCreated {
            origin: ORIGIN.to_owned(),
            ledger_key: [1; 32],
            operator_keys: vec![(OPERATOR, [1; 32])],
            service_key: (KeyId([2; 16]), [2; 32]),
            service_possession: [0; 64],
            issuance: AccountId([0xff; 16]),
            policy: Policy::default(),
            predecessor: None,
        };
        grown.apply(vec![Event::LedgerCreated(Box::new(created))]);
        let code = Code::try_from("bench".to_owned()).unwrap();
        let station = AccountOpened {
            account: grown.station,
            kind: AccountKind::Station,
            region: Some(code.clone()),
            station: None,
        };
        grown.apply(vec![Event::RegionDefined { code, parent: None }, Event::AccountOpened(station)]);
        grown
    }

    fn apply(&mut self, events: Vec<Event>) {
        self.sheets += 1;
        let mut sheet_id = [0; 16];
        sheet_id[8..].copy_from_slice(&self.sheets.to_be_bytes());
        let sheet = Sheet {
            origin: ORIGIN.to_owned(),
            sheet_id: SheetId(sheet_id),
            signers: vec![OPERATOR],
            issued_at: NOW,
            valid_until: Millis(NOW.0 + 1),
            events,
        };
        self.state.apply_sheet(&sheet, NOW, &Facts::default()).unwrap();
    }

    /// Opens accounts up to so many, some a commit.
    fn grow(&mut self, accounts: u64, a_commit: u64) -> Took {
        let mut took = Took::default();
        while self.accounts < accounts {
            let first = self.accounts;
            let end = accounts.min(first + a_commit);
            let sheets: Vec<Vec<Event>> = (first..end)
                .step_by(usize::try_from(SHEET).unwrap())
                .map(|first| self.openings(first..end.min(first + SHEET)))
                .collect();
            let begun = Instant::now();
            for events in sheets {
                self.apply(events);
            }
            let committed = begun.elapsed();
            let begun = Instant::now();
            *self.shown.write().unwrap() = self.state.version().clone();
            let shown = begun.elapsed();
            self.accounts = end;
            took.commits += 1;
            took.committing += committed;
            took.showing += shown;
            took.longest = took.longest.max(committed);
            took.showing_longest = took.showing_longest.max(shown);
        }
        took
    }

    /// Opens accounts while a thread looks others up: look-ups a second, and the slowest.
    fn grow_while_read(&mut self) -> (Took, f64, Duration) {
        let (ended, before) = (AtomicBool::default(), self.accounts);
        let shown = std::mem::take(&mut self.shown);
        let mut alone = Self { state: std::mem::take(&mut self.state), shown: RwLock::default(), ..*self };
        let (took, (looked_up, longest, elapsed)) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| read(&shown, before, &ended));
            let mut took = Took::default();
            while alone.accounts < before + READ {
                let next = alone.grow(alone.accounts + 4_000, 4_000);
                *shown.write().unwrap() = alone.state.version().clone();
                took.committing += next.committing;
                took.longest = took.longest.max(next.longest);
            }
            ended.store(true, Ordering::Relaxed);
            (took, reader.join().unwrap())
        });
        *self = Self { shown, ..alone };
        (took, looked_up / elapsed.as_secs_f64(), longest)
    }

    fn openings(&self, numbers: std::ops::Range<u64>) -> Vec<Event> {
        let opened = |number| AccountOpened {
            account: account(number + 1),
            kind: AccountKind::Resident,
            region: None,
            station: Some(self.station),
        };
        numbers.map(|number| Event::AccountOpened(opened(number))).collect()
    }
}

/// Looks accounts up until it is told to end: how many, the slowest, and in what time.
fn read(shown: &RwLock<Version>, accounts: u64, ended: &AtomicBool) -> (f64, Duration, Duration) {
    let (begun, mut looked_up, mut longest) = (Instant::now(), 0.0, Duration::ZERO);
    let mut next = 1_u64;
    while !ended.load(Ordering::Relaxed) {
        let look = Instant::now();
        let version = shown.read().unwrap().clone();
        next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = version.account_number(account((next >> 16) % accounts + 1)).unwrap();
        assert!(version.identity(number).is_some());
        drop(version);
        longest = longest.max(look.elapsed());
        looked_up += 1.0;
    }
    (looked_up, longest, begun.elapsed())
}
