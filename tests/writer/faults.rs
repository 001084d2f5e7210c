//! A log and a holder of checkpoints that answer in every way they may, writers that take over from each other, and clients
//! that send again what they got no answer for. Looked at from outside, after each step.
//!
//! `TIMEBANK_ROUNDS=100 TIMEBANK_SEED=7 cargo test --test writer faults` is the long form; a seed repeats a run as far as
//! threads do.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use tempfile::TempDir;
use timebank::{
    engine::{
        checkpoint_holder::{CheckpointHolder, HolderFault, MemoryHolder},
        clock::Clock,
        log::{Appended, Commit, Fault, Log, MemoryLog, StoredEntry},
        node::Node,
        sequencer::{self, Published, Sequencer, SequencerParts, Stop, SubmitError, Threads},
        store::StoreError,
    },
    format::{checkpoint::Checkpoint, proto, signature::PrivateKey, wire},
    ledger::{Millis, SheetId},
    merkle::{Frontier, Hash, leaf_hash},
};

use crate::{
    Set,
    support::{self, ALICE, BOB, DAY, Ledger, ORIGIN, Random, number, transfer},
};

/// Sheets that are under way at a time.
const AT_ONCE: u64 = 12;

/// What may go wrong in a run.
#[derive(Clone, Copy)]
struct Weather {
    /// Of a hundred appends, how many aren't applied, have an outcome that nobody knows, or fail for good.
    not_applied: u64,
    unknown: u64,
    failed: u64,
    /// Of a hundred replacements of the checkpoint, how many don't end well.
    holder: u64,
    /// Writers that believe that they lead.
    writers: usize,
    /// Sheets to be acknowledged, each a gift of one minute.
    sheets: u64,
}

/// A log that answers as the weather is. What nobody knows the outcome of may come through later, or never.
struct FaultyLog {
    log: MemoryLog,
    weather: Weather,
    chance: Mutex<Random>,
    late: Mutex<Option<Commit>>,
}

impl FaultyLog {
    fn below(&self, bound: u64) -> u64 {
        self.chance.lock().unwrap().below(bound)
    }

    /// What is on its way arrives now, if it still fits.
    fn arrive(&self) {
        if let Some(late) = self.late.lock().unwrap().take() {
            let _too_late = self.log.append(&late);
        }
    }
}

impl Log for FaultyLog {
    as_its_log!();

    fn append(&self, commit: &Commit) -> Result<Appended, StoreError> {
        if self.below(2) == 0 {
            self.arrive();
        }
        let Weather { not_applied, unknown, failed, .. } = self.weather;
        let (chance, other) = (self.below(100), self.below(3));
        if chance < not_applied {
            self.log.fail_next(Fault::NotApplied);
        } else if chance < not_applied + unknown {
            match other {
                0 => self.log.fail_next(Fault::UnknownAndDone),
                1 => self.log.fail_next(Fault::UnknownAndLost),
                _ => {
                    *self.late.lock().unwrap() = Some(commit.clone());
                    return Ok(Appended::Unknown(StoreError::Backend("it is on its way".to_owned())));
                }
            }
        } else if chance < not_applied + unknown + failed {
            self.log.fail_next(if other == 0 { Fault::FailedAndLost } else { Fault::FailedAndDone });
        }
        self.log.append(commit)
    }
}

/// A holder that answers as the weather is.
struct FaultyHolder {
    holder: MemoryHolder,
    per_cent: u64,
    chance: Mutex<Random>,
    /// All that it ever held, by size: never two of one.
    held: Mutex<BTreeMap<u64, Vec<u8>>>,
}

impl CheckpointHolder for FaultyHolder {
    fn read(&self) -> Result<Option<String>, StoreError> {
        self.holder.read()
    }

    fn replace(
        &self,
        old: Option<&str>,
        new: &str,
    ) -> Result<timebank::engine::checkpoint_holder::Replaced, StoreError> {
        let mut chance = self.chance.lock().unwrap();
        if chance.below(100) < self.per_cent {
            let faults = [HolderFault::NotApplied, HolderFault::UnknownAndLost, HolderFault::UnknownAndDone];
            self.holder.fail_next(faults[usize::try_from(chance.below(3)).unwrap()]);
        }
        let replaced = self.holder.replace(old, new);
        let held = Checkpoint::unverified(self.read()?.unwrap_or_default().as_bytes());
        if let Some(held) = held {
            let known = self.held.lock().unwrap().entry(held.size).or_insert_with(|| held.root.clone()).clone();
            assert_eq!(known, held.root, "two checkpoints over {} entries", held.size);
        }
        replaced
    }
}

/// One that believes that it leads.
struct Writer {
    folder: TempDir,
    running: Option<(Sequencer, Threads)>,
    stopped: Arc<Mutex<Option<String>>>,
}

impl Writer {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), running: None, stopped: Arc::default() }
    }

    /// Starts it on what the log has, if it isn't running; a holder that takes nothing just then lets it wait.
    fn start(&mut self, log: &Arc<FaultyLog>, holder: &Arc<FaultyHolder>, now: i64) {
        if self.running.is_some() {
            return;
        }
        let (node, replay) = Node::open(Arc::clone(log) as _, &projections(self.folder.path()), ORIGIN).unwrap();
        let checkpoint = holder.read().unwrap().map(|note| {
            let checkpoint = Checkpoint::unverified(note.as_bytes()).unwrap();
            assert!(checkpoint.size <= node.log.size(), "what is signed is in the log");
            assert_eq!(node.tree.root(checkpoint.size).unwrap().as_slice(), checkpoint.root);
            Published { size: checkpoint.size, note }
        });
        let clock = Set::default();
        clock.0.store(now, std::sync::atomic::Ordering::SeqCst);
        let stopped = Arc::clone(&self.stopped);
        let started = sequencer::start(SequencerParts {
            node,
            replay,
            clock: Clock::start(Box::new(clock), None, None).unwrap(),
            ledger_key: support::key(99),
            holder: Arc::clone(holder) as _,
            checkpoint,
            on_stop: Arc::new(move |stop| {
                let said = match stop {
                    Stop::Log(StoreError::Fenced { .. }) => "fenced",
                    Stop::Log(StoreError::SyncFailed(_)) => "failed",
                    Stop::Checkpoint(_) => "checkpoint",
                    Stop::Log(_) | Stop::Projection(_) | Stop::Past(_) | Stop::Broken(_) => panic!("{stop}"),
                };
                stopped.lock().unwrap().get_or_insert(said.to_owned());
            }),
        });
        // Somebody else's checkpoint came in between: it starts anew another time.
        self.running = started.ok();
    }

    /// Why it ended by itself, if it did. Nothing is left of it then but its folder.
    fn ended(&mut self) -> Option<String> {
        let said = self.stopped.lock().unwrap().take()?;
        let (sequencer, threads) = self.running.take()?;
        drop(sequencer);
        threads.join();
        Some(said)
    }
}

fn projections(folder: &Path) -> std::path::PathBuf {
    folder.join("projections")
}

/// What clients know.
#[derive(Default)]
struct Clients {
    /// By sheet: the entry that it was acknowledged for.
    acknowledged: BTreeMap<u64, u64>,
}

/// Every entry once, each acknowledged sheet at its place, and what was held is over this very log.
fn check(log: &FaultyLog, holder: &FaultyHolder, sheets: &[proto::Sheet], clients: &Clients) {
    let entries = log.entries(0, usize::MAX).unwrap();
    let mut seen = BTreeMap::new();
    let (mut frontier, mut roots) = (Frontier::default(), BTreeMap::new());
    for entry in &entries {
        assert_eq!(seen.insert(entry.header.clone(), entry.index), None, "a sheet is in the log twice");
        frontier.append(leaf_hash(&entry.leaf()), |_| ());
        roots.insert(frontier.size(), frontier.root());
    }
    for (number, index) in &clients.acknowledged {
        let sheet = &sheets[usize::try_from(*number).unwrap()];
        assert_eq!(seen.get(&sheet.header), Some(index), "sheet {number} was acknowledged");
    }
    for (size, root) in holder.held.lock().unwrap().iter() {
        assert_eq!(roots.get(size).map(Hash::as_slice), Some(root.as_slice()), "what was held is over this log");
    }
}

/// Sends sheets to writers in any weather until all are acknowledged, and tells what ended writers on the way.
async fn run(weather: Weather, seed: u64) -> BTreeMap<String, u64> {
    eprintln!("TIMEBANK_SEED={seed} TIMEBANK_ROUNDS=1");
    let mut random = Random(seed);
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 480);
    ledger.earn(ALICE, 480);
    let now = ledger.now;
    let sheets: Vec<proto::Sheet> = (0..weather.sheets).map(|number| gift(&ledger.alice, number, now)).collect();
    let chance = |seed| Mutex::new(Random(seed));
    let log = Arc::new(FaultyLog {
        log: written(&ledger.entries),
        weather,
        chance: chance(seed ^ 0x1061),
        late: Mutex::default(),
    });
    let (holder, held) = (MemoryHolder::default(), Mutex::default());
    let chance = chance(seed ^ 0xb01d);
    let holder = Arc::new(FaultyHolder { holder, per_cent: weather.holder, chance, held });
    let mut writers: Vec<Writer> = (0..weather.writers).map(|_| Writer::new()).collect();
    let (mut clients, mut ends) = (Clients::default(), BTreeMap::new());
    while (clients.acknowledged.len() as u64) < weather.sheets {
        let mut answers = tokio::task::JoinSet::new();
        for writer in &mut writers {
            tokio::task::block_in_place(|| writer.start(&log, &holder, now));
        }
        for _ in 0..AT_ONCE {
            // Who lost an answer sends the same again, and some who have it do as well.
            let fresh: Vec<u64> =
                (0..weather.sheets).filter(|number| !clients.acknowledged.contains_key(number)).collect();
            let any = random.below(weather.sheets.min(clients.acknowledged.len() as u64 + 1));
            let next = usize::try_from(random.below(AT_ONCE)).unwrap();
            let number = fresh.get(next).copied().filter(|_| !any.is_multiple_of(4)).unwrap_or(any);
            let writer = usize::try_from(random.below(writers.len() as u64)).unwrap();
            let Some((sequencer, _)) = &writers[writer].running else { continue };
            let (sequencer, published) = (sequencer.clone(), random.below(3) == 0);
            let sheet = sheets[usize::try_from(number).unwrap()].clone();
            answers.spawn(async move { (number, sequencer.submit(sheet, published).await) });
        }
        while let Some(answer) = answers.join_next().await {
            match answer.unwrap() {
                (number, Ok(accepted)) => {
                    let index = accepted.receipt.index;
                    let first = *clients.acknowledged.entry(number).or_insert(index);
                    assert_eq!(first, index, "sheet {number} has one receipt for good");
                }
                (_, Err(SubmitError::ShuttingDown | SubmitError::NotPublished { .. })) => {}
                (number, Err(error)) => panic!("sheet {number}: {error}"),
            }
        }
        for writer in &mut writers {
            if let Some(said) = tokio::task::block_in_place(|| writer.ended()) {
                *ends.entry(said).or_default() += 1;
            }
        }
        if random.below(3) == 0 {
            log.arrive();
        }
        check(&log, &holder, &sheets, &clients);
    }
    finish(writers, &log);
    ends
}

/// A log that has these entries already, each a commit.
fn written(entries: &[StoredEntry]) -> MemoryLog {
    let (log, mut frontier) = (MemoryLog::default(), Frontier::default());
    for entry in entries {
        frontier.append(leaf_hash(&entry.leaf()), |_| ());
        let commit = Commit { entries: vec![entry.clone()], root: frontier.root() };
        assert!(matches!(log.append(&commit), Ok(Appended::Done)));
    }
    log
}

fn gift(alice: &PrivateKey, number: u64, now: i64) -> proto::Sheet {
    let mut id = [0x60; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let (issued_at, valid_until) = (Millis(now), Millis(now + DAY));
    let events = vec![transfer(ALICE, BOB, 1)];
    let draft = wire::Draft { origin: ORIGIN, sheet_id: SheetId(id), issued_at, valid_until, events };
    wire::sign(draft, &[alice]).unwrap()
}

/// Whoever is left ends in order; a replay from the first entry on has all gifts, each once.
fn finish(writers: Vec<Writer>, log: &Arc<FaultyLog>) {
    for writer in writers {
        tokio::task::block_in_place(|| {
            let Some((sequencer, threads)) = writer.running else { return };
            drop(sequencer);
            threads.join();
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let (node, _) = Node::open(Arc::clone(log) as _, folder.path(), ORIGIN).unwrap();
    let shown = node.projection.shown();
    let balance = |id| shown.account(shown.account_number(timebank::ledger::AccountId(id)).unwrap()).unwrap().balance;
    let gifts = i64::try_from(log.weather.sheets).unwrap();
    assert_eq!((balance(ALICE).get(), balance(BOB).get()), (960 - gifts, gifts));
}

/// A log and a holder on which nothing goes wrong.
fn calm() -> (Arc<FaultyLog>, Arc<FaultyHolder>, Ledger) {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 480);
    let weather = Weather { not_applied: 0, unknown: 0, failed: 0, holder: 0, writers: 1, sheets: 0 };
    let chance = || Mutex::new(Random(1));
    let log = FaultyLog { log: written(&ledger.entries), weather, chance: chance(), late: Mutex::default() };
    let holder = MemoryHolder::default();
    let holder = FaultyHolder { holder, per_cent: 0, chance: chance(), held: Mutex::default() };
    (Arc::new(log), Arc::new(holder), ledger)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_whose_checkpoint_is_held_no_more_acknowledges_nothing_more() {
    let (log, holder, ledger) = calm();
    let mut writer = Writer::new();
    tokio::task::block_in_place(|| writer.start(&log, &holder, ledger.now));
    let sequencer = writer.running.as_ref().unwrap().0.clone();
    let send = |number, published| sequencer.submit(gift(&ledger.alice, number, ledger.now), published);
    send(0, true).await.unwrap();
    holder.holder.forget(None);
    assert!(matches!(send(1, true).await, Err(SubmitError::ShuttingDown)));
    // The next one may be the one by which the others notice.
    let (mut number, mut taken) = (2, 0);
    while taken < 50 && send(number, false).await.is_ok() {
        (number, taken) = (number + 1, taken + 1);
    }
    assert!(taken <= 1, "{taken} after it");
    drop(sequencer);
    assert_eq!(tokio::task::block_in_place(|| writer.ended()).as_deref(), Some("checkpoint"));
}

/// Runs of one weather, each from a seed of its own, and what ended writers in all of them.
async fn runs(weather: Weather, seed: u64) -> BTreeMap<String, u64> {
    let mut ends = BTreeMap::new();
    let first = number("TIMEBANK_SEED", seed);
    for seed in first..first + number("TIMEBANK_ROUNDS", 1) {
        for (said, times) in run(weather, seed).await {
            *ends.entry(said).or_default() += times;
        }
    }
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_goes_on_where_the_log_refuses_or_does_not_know() {
    let weather = Weather { not_applied: 15, unknown: 25, failed: 0, holder: 30, writers: 1, sheets: 600 };
    let ends = runs(weather, 0xfa_0001).await;
    assert!(ends.is_empty(), "nothing of it is a reason to end: {ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_there_twice_in_any_weather() {
    let weather = Weather { not_applied: 10, unknown: 15, failed: 10, holder: 20, writers: 1, sheets: 300 };
    let ends = runs(weather, 0xfa_0002).await;
    assert!(ends.get("failed").is_some_and(|times| *times > 5), "a failed sync ends it each time: {ends:?}");
    // What an ended writer had sent may arrive after the next one began, and is somebody else's then.
    let fenced = ends.get("fenced").copied().unwrap_or_default();
    assert!(fenced <= ends["failed"] / 10 && !ends.contains_key("checkpoint"), "nobody else was there: {ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_writers_on_one_log_one_goes_on_at_a_time() {
    let weather = Weather { not_applied: 10, unknown: 10, failed: 3, holder: 15, writers: 3, sheets: 120 };
    let ends = runs(weather, 0xfa_0003).await;
    assert!(ends.get("fenced").is_some_and(|times| *times > 5), "{ends:?}");
}
