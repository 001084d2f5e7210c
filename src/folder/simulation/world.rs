//! One run: a ledger on a machine on which things go wrong, those who use it, and all that has to hold meanwhile.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{
    clients::{Clients, check_receipt},
    log::SimulatedLog,
    machine::SimulatedMachine,
    naive::{Holdings, Naive},
    town::{ORIGIN, Town, accounts},
    weather::{End, Weather},
};
use crate::{
    engine::{
        checkpoint_holder::CheckpointHolder,
        clock::Clock,
        follow::FollowError,
        log::{Appended, Commit, Log},
        machine::MachinePath,
        node::Node,
        past::PastError,
        pipeline::{self, KnownKeys},
        projection::{ProjectionError, history::PageRequest},
        sequencer::{Sequencer, SequencerParts, Step, Steps, Stop},
        store::{CheckpointFile, StoreError},
    },
    folder::{
        OpenError,
        open::{check_checkpoint, genesis},
        vkey,
    },
    format::{
        checkpoint::{self, Checkpoint, VerifierKey},
        wire::StoredEntry,
    },
    ledger::{AccountId, Millis},
    merkle::{Frontier, leaf_hash},
    trust::audit::{Audit, Scratch},
};

/// Things that happen in a run before it is brought to an end.
const EVENTS: u32 = 300;
/// Entries between two saved states: few, so that there are several.
const SNAPSHOT_ENTRIES: u64 = 8;
/// Where its files are.
const CHECKPOINT: &str = "/ledger/checkpoint";
const PROJECTIONS: &str = "/ledger/projections";
/// Rows of a page.
const PAGE_ROWS: usize = 1_000;
/// Steps that a writer may take to answer everybody where nothing goes wrong: some for each sheet.
const LAST_STEPS: u32 = 10_000;

/// A service that is up.
struct Running {
    node: Node,
    sequencer: Sequencer,
    steps: Steps,
    /// What came late when it was started had come before.
    arrived: u64,
}

/// A run.
pub(super) struct World {
    machine: SimulatedMachine,
    log: Arc<SimulatedLog>,
    holder: Arc<CheckpointFile>,
    vkey: VerifierKey,
    town: Town,
    clients: Clients,
    naive: Naive,
    random: fastrand::Rng,
    running: Option<Running>,
    /// Entries under the largest checkpoint that was out.
    published: u64,
    /// Commits that came through after their writer no longer waited for them.
    arrived: u64,
    is_calm: bool,
    /// Told what happens, a line each.
    told: Box<dyn FnMut(String)>,
}

impl World {
    /// A town on its first day, and what will go wrong.
    pub(super) fn new(seed: u64, told: Box<dyn FnMut(String)>) -> Result<Self, String> {
        let mut random = fastrand::Rng::with_seed(seed);
        let machine = SimulatedMachine::new(Weather::default());
        let log = SimulatedLog::new(machine.clone());
        let mut town = Town::new();
        let (now, mut frontier, mut naive) = (machine.wall_ms(), Frontier::default(), Naive::default());
        for (index, sheet) in (0..).zip(town.beginning(now, &mut random)) {
            let (header, signatures, events) = (sheet.header, sheet.signatures, sheet.events);
            let entry = StoredEntry { index, recorded_at_ms: now, header, signatures, events };
            frontier.append(leaf_hash(&entry.leaf()), |_| ());
            naive.take(&entry)?;
            let appended = log.itself().append(&Commit { entries: vec![entry], root: frontier.root() });
            if !matches!(appended, Ok(Appended::Done)) {
                return Err("a log in memory takes nothing".to_owned());
            }
        }
        let place = MachinePath { machine: Arc::new(machine.clone()), path: CHECKPOINT.into() };
        let holder = Arc::new(CheckpointFile::new(place));
        let note = checkpoint::sign(ORIGIN, frontier.size(), &frontier.root(), town.ledger.signing_key());
        holder.write(&note).map_err(|error| error.to_string())?;
        machine.with_weather(|weather| *weather = Weather::of(random.u64(..)));
        let key = genesis(log.itself()).and_then(|created| vkey(&created.origin, created.ledger_key));
        Ok(Self {
            machine,
            log,
            holder,
            vkey: key.map_err(|error| error.to_string())?,
            town,
            clients: Clients::default(),
            naive,
            random,
            running: None,
            published: 0,
            arrived: 0,
            is_calm: false,
            told,
        })
    }

    /// Lets everything happen, and then brings it to a good end. What happened, by kind.
    pub(super) fn run(mut self) -> Result<BTreeMap<String, u64>, String> {
        for _ in 0..EVENTS {
            self.happen()?;
            self.check()?;
        }
        self.finish()?;
        Ok(self.machine.with_weather(|weather| std::mem::take(&mut weather.tally)))
    }

    fn happened(&mut self, what: impl Into<String>) {
        let what = what.into();
        (self.told)(what.clone());
        self.machine.with_weather(|weather| weather.happened(what));
    }

    /// One thing.
    fn happen(&mut self) -> Result<(), String> {
        let Some(running) = &mut self.running else {
            self.pass_time();
            self.change_weather();
            return self.start();
        };
        match self.random.u8(0..40) {
            0..12 => {
                let now = self.machine.wall_ms();
                let what = self.clients.act(&mut self.town, (&running.sequencer, now), &mut self.random)?;
                self.happened(what);
                Ok(())
            }
            12..33 => {
                let ready = running.steps.ready();
                match self.random.choice(&ready) {
                    Some(step) => self.step(*step),
                    None => Ok(()),
                }
            }
            33..35 => {
                self.pass_time();
                Ok(())
            }
            35 => {
                if self.log.arrive() {
                    self.arrived += 1;
                    self.happened("a commit came through late");
                }
                Ok(())
            }
            36..38 => {
                self.change_weather();
                Ok(())
            }
            38 if self.random.u8(0..4) == 0 => self.stop_in_order(),
            39 if self.random.u8(0..3) == 0 => {
                let end = if self.random.bool() { End::Killed } else { End::PowerCut };
                self.machine.with_weather(|weather| weather.ended = Some(end));
                self.end(if end == End::Killed { "killed" } else { "the power is cut" });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn pass_time(&mut self) {
        let seconds = if self.random.u8(0..6) == 0 { 86_400 } else { self.random.u64(1..600) };
        crate::engine::machine::Machine::pause(&self.machine, std::time::Duration::from_secs(seconds));
        (self.told)(format!("{seconds} s pass"));
    }

    fn change_weather(&mut self) {
        let (short, full) = (self.random.u8(0..4) == 0, self.random.u8(0..4) == 0);
        self.machine.with_weather(|weather| (weather.is_short, weather.is_full) = (short, full));
        (self.told)(format!("descriptors are short: {short}; the disk is full: {full}"));
    }

    /// Nothing of a process is left but what it wrote.
    fn end(&mut self, how: &str) {
        self.happened(how);
        self.running = None;
        self.clients.forget_waiting();
        self.machine.restart();
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let taken = running.steps.take(step);
        (self.told)(format!("{step:?}: {taken:?}"));
        let late = self.arrived > running.arrived;
        // What was said and shown before the end counts.
        self.check()?;
        if self.machine.with_weather(|weather| weather.ended.is_some()) {
            self.end(&format!("ended in {step:?}"));
            return Ok(());
        }
        let Err(stop) = taken else { return Ok(()) };
        if self.is_calm || !is_excused(&stop, late) {
            return Err(format!("the writer ends at {step:?}: {stop}"));
        }
        self.go_on_without(step)?;
        self.end(&format!("the writer ends at {step:?}"));
        Ok(())
    }

    /// A thread has ended: until the process has, the others may go on.
    fn go_on_without(&mut self, ended: Step) -> Result<(), String> {
        for _ in 0..self.random.u8(0..4) {
            let Some(running) = &mut self.running else { return Ok(()) };
            let mut ready = running.steps.ready();
            ready.retain(|step| *step != ended);
            if let Some(step) = self.random.choice(&ready) {
                let taken = running.steps.take(*step);
                (self.told)(format!("still {step:?}: {taken:?}"));
                self.check()?;
            }
        }
        Ok(())
    }

    /// A start as every start is.
    fn start(&mut self) -> Result<(), String> {
        let opened = self.open();
        (self.told)(format!("a start: {:?}", opened.as_ref().map(|_| ())));
        if self.machine.with_weather(|weather| weather.ended.is_some()) {
            self.end("ended in a start");
            return Ok(());
        }
        match opened {
            Ok(running) => {
                self.running = Some(running);
                self.happened("started");
                self.check_all()
            }
            Err(error) if self.is_calm || !is_excused_start(&error) => {
                Err(format!("the ledger does not start: {error}"))
            }
            Err(_) => {
                self.happened("not started, for want of something");
                Ok(())
            }
        }
    }

    fn open(&self) -> Result<Running, OpenError> {
        let log = Arc::clone(&self.log) as Arc<dyn Log>;
        let projections = MachinePath { machine: Arc::new(self.machine.clone()), path: PROJECTIONS.into() };
        let (node, replay) = Node::open(log, projections, ORIGIN)?;
        let (created, ledger_key) = (genesis(self.log.itself())?, self.town.ledger.clone());
        let path = Path::new(CHECKPOINT);
        let checkpoint = check_checkpoint(path, self.holder.as_ref(), &node, (&created, &ledger_key))?;
        // Somebody looks at the clock after each night.
        let now = Millis(self.machine.wall_ms());
        let clock = Clock::start(Box::new(self.machine.clone()), Some(replay.state.recorded_at()), Some(now))?;
        let parts = SequencerParts {
            node: node.clone(),
            replay,
            clock,
            ledger_key,
            holder: Arc::clone(&self.holder) as Arc<dyn CheckpointHolder>,
            checkpoint,
            on_stop: Arc::new(|_| ()),
        };
        let started = Steps::start(parts, SNAPSHOT_ENTRIES);
        let (sequencer, steps) = started.map_err(|source| OpenError::Io { path: CHECKPOINT.into(), source })?;
        Ok(Running { node, sequencer, steps, arrived: self.arrived })
    }

    fn stop_in_order(&mut self) -> Result<(), String> {
        let Some(Running { steps, sequencer, arrived, .. }) = self.running.take() else { return Ok(()) };
        let late = self.arrived > arrived;
        drop(sequencer);
        let finished = steps.finish();
        self.follow()?;
        self.hear()?;
        let was_ended = self.machine.with_weather(|weather| weather.ended.is_some());
        self.end("stopped in order");
        match finished {
            Err(stop) if !was_ended && (self.is_calm || !is_excused(&stop, late)) => {
                Err(format!("the writer does not end in order: {stop}"))
            }
            _ => Ok(()),
        }
    }

    /// Takes what the log has into the simple books.
    fn follow(&mut self) -> Result<(), String> {
        let log = self.log.itself();
        if log.size() < self.naive.size() {
            return Err("the log lost entries".to_owned());
        }
        while self.naive.size() < log.size() {
            let entry = log.entry(self.naive.size()).ok().flatten().ok_or("an entry is missing")?;
            self.naive.take(&entry)?;
        }
        Ok(())
    }

    fn hear(&mut self) -> Result<(), String> {
        let (clients, log, naive) = (&mut self.clients, self.log.itself(), &self.naive);
        self.machine.with_weather(|weather| clients.hear((log, naive), &self.vkey, weather))
    }

    /// What holds after each step.
    fn check(&mut self) -> Result<(), String> {
        self.follow()?;
        self.hear()?;
        self.check_checkpoint()?;
        if let Some(running) = &self.running {
            self.check_shown(&running.node)?;
            let published = running.sequencer.published().borrow().clone();
            self.check_signed(&published.note)?;
            self.published = self.published.max(published.size);
        }
        Ok(())
    }

    /// What is held never leads the log, nor is behind what was out.
    fn check_checkpoint(&self) -> Result<(), String> {
        let held = self.machine.peek(Path::new(CHECKPOINT)).unwrap_or_default();
        let note = String::from_utf8(held).map_err(|_error| "the checkpoint is no text")?;
        let size = Checkpoint::unverified(note.as_bytes()).map_or(0, |held| held.size);
        if size < self.published {
            return Err(format!("a checkpoint over {size} entries is held, and one over {} was out", self.published));
        }
        self.check_signed(&note)
    }

    fn check_signed(&self, note: &str) -> Result<(), String> {
        if note.is_empty() {
            return Ok(());
        }
        let signed = Checkpoint::unverified(note.as_bytes()).ok_or("the checkpoint is none")?;
        let root = signed.root_hash().map_err(|error| error.to_string())?;
        let own = self.naive.after(signed.size).map(|(own, _)| *own);
        if own == Some(root) {
            return Ok(());
        }
        Err(format!(
            "a checkpoint over {} entries leads the log of {}, or is not over it",
            signed.size,
            self.naive.size()
        ))
    }

    /// Readers see what is durable, whole entries, and the balances that the bytes lead to.
    fn check_shown(&self, node: &Node) -> Result<(), String> {
        let shown = node.projection.shown();
        let size = shown.size();
        let (root, book) = self.naive.after(size).ok_or("readers are shown what is not durable")?;
        if *root != shown.root() {
            return Err(format!("readers are shown another root over {size} entries"));
        }
        for id in accounts() {
            let number = shown.account_number(AccountId(id)).ok_or("an account is not shown")?;
            let account = shown.account(number).ok_or("an account is not shown")?;
            let seen = Holdings { balance: account.balance.get(), held: account.held.get() };
            let known = book.get(&id).copied().unwrap_or_default();
            if seen != known {
                return Err(format!("after {size} entries {id:?} is shown {seen:?}, and has {known:?}"));
            }
        }
        Ok(())
    }

    /// What holds after each start.
    fn check_all(&mut self) -> Result<(), String> {
        self.follow()?;
        let Some(running) = &self.running else { return Ok(()) };
        let projection = &running.node.projection;
        if projection.shown().size() != self.log.itself().size() {
            return Err("a start does not show all that the log has".to_owned());
        }
        let calm = |problem: ProjectionError| if self.is_calm { Err(problem.to_string()) } else { Ok(()) };
        for receipt in self.clients.receipts() {
            match projection.receipt(receipt.index) {
                Ok(Some(found)) if found == *receipt => check_receipt(receipt, &self.naive)?,
                Ok(found) => return Err(format!("the receipt {receipt:?} is now {found:?}")),
                Err(error) => calm(error)?,
            }
        }
        for id in accounts() {
            let number = projection.shown().account_number(AccountId(id)).ok_or("an account is not shown")?;
            let request = PageRequest {
                newest_first: false,
                from: None,
                limit: PAGE_ROWS,
                up_to_index: u64::MAX,
                from_ms: i64::MIN,
                until_ms: i64::MAX,
                kinds: &[],
            };
            match projection.history().page(number.0, &request) {
                Ok(page) => {
                    let sum: i64 = page.rows.iter().map(|(_, row)| row.minutes).sum();
                    let balance = self.naive.after(self.naive.size()).and_then(|(_, book)| book.get(&id));
                    let balance = balance.map_or(0, |known| known.balance);
                    if page.next.is_none() && sum != balance {
                        return Err(format!("the history of {id:?} sums to {sum} min, and {balance} are on it"));
                    }
                }
                Err(error) => calm(error)?,
            }
        }
        Ok(())
    }

    /// The weather calms down: everybody is answered, an audit agrees, and a start finds it all again.
    fn finish(&mut self) -> Result<(), String> {
        self.machine.with_weather(Weather::calm_down);
        self.is_calm = true;
        (self.told)("from here on everything goes well".to_owned());
        if self.running.is_some() {
            self.end("killed");
        }
        self.log.arrive();
        self.follow()?;
        for _round in 0..2 {
            if self.running.is_none() {
                self.start()?;
            }
            if let Some(running) = &self.running {
                self.clients.send_rest(&running.sequencer)?;
            }
            self.settle()?;
        }
        self.clients.check_end(self.log.itself())?;
        self.stop_in_order()?;
        self.start()?;
        self.check()?;
        self.audit()
    }

    /// Does all that there is to do.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..LAST_STEPS {
            let ready = self.running.as_mut().map(|running| running.steps.ready()).unwrap_or_default();
            match self.random.choice(&ready) {
                Some(step) => self.step(*step)?,
                None if self.running.is_none() => self.start()?,
                None => break,
            }
            self.check()?;
        }
        match self.clients.waiting() {
            0 => Ok(()),
            waiting => Err(format!("{waiting} wait for an answer, and there is nothing left to do")),
        }
    }

    /// An auditor who has the entries and the checkpoint comes to the same.
    fn audit(&self) -> Result<(), String> {
        let problem = |error: &dyn std::fmt::Display| format!("an audit: {error}");
        let log = self.log.itself();
        let entries = log.entries(0, usize::MAX).map_err(|error| problem(&error))?;
        let note = self.holder.read().map_err(|error| problem(&error))?.ok_or("no checkpoint is held")?;
        let scratch = Scratch::new().map_err(|error| problem(&error))?;
        let mut audit = Audit::new(None, [log.size()], scratch);
        let prepared = pipeline::prepare(entries, &mut KnownKeys::default());
        audit.take(prepared, |_| Ok(None)).map_err(|error| format!("an audit: {error:?}"))?;
        let (size, _) = audit.finish(&note).map_err(|error| format!("an audit: {error:?}"))?;
        if size == log.size() { Ok(()) } else { Err(format!("{} entries, and {size} are published", log.size())) }
    }
}

/// Whether a writer may end for it on a machine where things go wrong. `late`: something came through after its writer had
/// ended.
fn is_excused(stop: &Stop, late: bool) -> bool {
    match stop {
        Stop::Log(StoreError::Fenced { .. }) => late,
        Stop::Log(error) | Stop::Past(PastError::Store(error)) => is_excused_store(error),
        Stop::Projection(error) | Stop::Past(PastError::PutAway(error)) => is_excused_projection(error),
        Stop::Checkpoint(_) | Stop::Broken(_) => false,
    }
}

const fn is_excused_store(error: &StoreError) -> bool {
    matches!(error, StoreError::SyncFailed(_) | StoreError::Io { .. } | StoreError::BackendIo(_))
}

fn is_excused_projection(error: &ProjectionError) -> bool {
    match error {
        ProjectionError::SyncFailed { .. } => true,
        ProjectionError::Io { source, .. } => source.raw_os_error().is_some(),
        ProjectionError::EntryGap { .. } | ProjectionError::NotAtHand | ProjectionError::Corrupt { .. } => false,
    }
}

fn is_excused_start(error: &OpenError) -> bool {
    match error {
        OpenError::Io { source, .. } => {
            let stop = source.get_ref().and_then(|inner| inner.downcast_ref::<Stop>());
            stop.is_none_or(|stop| is_excused(stop, false))
        }
        OpenError::Store(error) | OpenError::Follow(FollowError::Store(error)) => is_excused_store(error),
        OpenError::Projection(error) | OpenError::Follow(FollowError::Projection(error)) => {
            is_excused_projection(error)
        }
        OpenError::LedgerKeyMissing { .. }
        | OpenError::KeyFile(_)
        | OpenError::Clock(_)
        | OpenError::LogGone { .. }
        | OpenError::PolicyFixed
        | OpenError::PredecessorFixed { .. }
        | OpenError::OriginInvalid { .. }
        | OpenError::Genesis(_)
        | OpenError::OtherOrigin { .. }
        | OpenError::Follow(_)
        | OpenError::CheckpointMissing { .. }
        | OpenError::CheckpointInvalid { .. }
        | OpenError::EntriesGone { .. }
        | OpenError::CheckpointMismatch { .. }
        | OpenError::WitnessObjects { .. } => false,
    }
}
