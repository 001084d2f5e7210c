//! The rules, one sheet after another.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, mpsc::Receiver},
};

use super::{
    Submission, SubmitError,
    batch::{Batch, Passed, Tried},
    slot::Slot,
    stop::Stop,
    verify::Verified,
};
use crate::{
    engine::{
        clock::{Clock, ClockImplausible},
        log::{Log, StoredEntry},
        node::Node,
        past::{LogPast, NewestPast, PastError},
        projection::PutAwayFiles,
        replay::{Judged, NotRecorded, Replay, Shell, SignatureVerdict, TrialPast, resolve_facts},
    },
    format::wire::{self, Decoded},
    ledger::{Millis, SheetTrial, Version},
    merkle::Hash,
};

/// Sheets that passed and may not be durable yet, by entry.
type Recent = BTreeMap<u64, Arc<Decoded>>;

/// The sequencing thread's own.
pub(super) struct Sequence {
    log: Arc<dyn Log>,
    put_away: Arc<PutAwayFiles>,
    replay: Replay,
    clock: Arc<Clock>,
    recent: Recent,
    snapshot_at: u64,
    /// Entries between two snapshots.
    snapshot_entries: u64,
}

impl Sequence {
    pub(super) fn new(node: &Node, replay: Replay, clock: Arc<Clock>, snapshot_entries: u64) -> Self {
        let snapshot_at = node.projection.snapshot_size() + snapshot_entries;
        let (log, put_away) = (Arc::clone(&node.log), Arc::clone(node.projection.put_away()));
        Self { log, put_away, replay, clock, recent: BTreeMap::new(), snapshot_at, snapshot_entries }
    }

    /// Until all handles are gone and everything is handed on. The last batch carries a snapshot.
    pub(super) fn run(mut self, inbox: &Receiver<Vec<Verified>>, outbox: &Slot) -> Result<(), Stop> {
        let _putting = outbox.putting();
        while let Ok(group) = inbox.recv() {
            if !self.judge_all(group, |batch| outbox.put(batch))? {
                return Ok(());
            }
        }
        // Where the committer has ended by itself, nobody saves it.
        let _taken = outbox.put(self.last_batch());
        Ok(())
    }

    /// Judges sheets one after another, and hands on what is to be committed at once, batch by batch. False where nobody commits
    /// any more.
    pub(super) fn judge_all(
        &mut self,
        group: Vec<Verified>,
        mut hand_on: impl FnMut(Batch) -> bool,
    ) -> Result<bool, Stop> {
        let mut batch = Self::new_batch();
        for job in group {
            match job {
                Verified::Submit(submission, verdict) => self.sequence(submission, verdict, &mut batch)?,
                Verified::Try(sheets, reply, permit) => {
                    let reflected_index = self.replay.state.size().saturating_sub(1);
                    let results = self.try_sheets(sheets)?;
                    batch.tried.push(Tried { results, reflected_index, reply, permit });
                }
            }
            if batch.is_full() && !self.hand_on(&mut batch, &mut hand_on) {
                return Ok(false);
            }
        }
        Ok(self.hand_on(&mut batch, &mut hand_on))
    }

    /// What the ledger stands at when nothing more comes, to be saved.
    pub(super) fn last_batch(&mut self) -> Batch {
        let mut last = Self::new_batch();
        last.snapshot = Some(Box::new(self.replay.still()));
        (last.root, last.version) = (self.replay.frontier.root(), self.replay.state.version().clone());
        last
    }

    fn new_batch() -> Batch {
        Batch {
            passed: Vec::new(),
            repeated: Vec::new(),
            refused: Vec::new(),
            tried: Vec::new(),
            hashes: Vec::new(),
            root: Hash::default(),
            version: Version::default(),
            snapshot: None,
            bytes: 0,
        }
    }

    /// Hands the batch on, if it holds anything. False where nobody commits any more.
    fn hand_on(&mut self, batch: &mut Batch, hand_on: &mut impl FnMut(Batch) -> bool) -> bool {
        let nothing = batch.passed.is_empty() && batch.repeated.is_empty();
        if nothing && batch.refused.is_empty() && batch.tried.is_empty() {
            return true;
        }
        (batch.root, batch.version) = (self.replay.frontier.root(), self.replay.state.version().clone());
        if self.replay.state.size() >= self.snapshot_at {
            self.snapshot_at = self.replay.state.size() + self.snapshot_entries;
            batch.snapshot = Some(Box::new(self.replay.still()));
        }
        let durable = self.log.size();
        self.recent = self.recent.split_off(&durable);
        let next = Self::new_batch();
        hand_on(std::mem::replace(batch, next))
    }

    fn sequence(
        &mut self,
        submission: Box<Submission>,
        verdict: SignatureVerdict,
        batch: &mut Batch,
    ) -> Result<(), Stop> {
        match self.judge(&submission, verdict, &mut batch.hashes)? {
            Ok(Judged::Passed(recorded_at, outcome)) => {
                let index = self.replay.state.size() - 1;
                let sheet = &submission.sheet;
                let entry = StoredEntry {
                    index,
                    recorded_at_ms: recorded_at.0,
                    header: sheet.header.clone(),
                    signatures: sheet.signatures.clone(),
                    events: sheet.events.clone(),
                };
                batch.bytes += entry.header.len() + entry.events.iter().map(bytes::Bytes::len).sum::<usize>();
                self.recent.insert(index, Arc::clone(&submission.decoded));
                batch.passed.push(Passed { entry, outcome, submission });
            }
            Ok(Judged::Repeated(index)) => batch.repeated.push((index, submission)),
            Err(error) => batch.refused.push((submission, error)),
        }
        Ok(())
    }

    fn judge(
        &mut self,
        submission: &Submission,
        verdict: SignatureVerdict,
        stored: &mut Vec<Hash>,
    ) -> Result<Result<Judged, SubmitError>, Stop> {
        let Self { log, put_away, recent, clock, replay, .. } = self;
        let newest = |index: u64| recent.get(&index).map(|decoded| &decoded.sheet);
        let past = NewestPast { durable: LogPast { log: log.as_ref(), put_away }, newest: &newest };
        let mut shell = SequencerShell { past, recent, clock };
        let judged = replay.accept(&submission.decoded, verdict, &mut shell, |hash| stored.push(hash));
        match judged {
            Ok(judged) => Ok(Ok(judged)),
            Err(NotRecorded::Refused(refusal)) => Ok(Err(SubmitError::Refused(refusal))),
            Err(NotRecorded::Clock(clock)) => Ok(Err(SubmitError::Clock(clock))),
            Err(NotRecorded::Past(error)) => Err(error.into()),
        }
    }

    fn try_sheets(&mut self, sheets: Vec<(Decoded, SignatureVerdict)>) -> Result<Vec<SheetTrial>, Stop> {
        let now = match self.clock.now() {
            Ok(now) => now.max(self.replay.state.recorded_at()),
            Err(_implausible) => self.replay.state.recorded_at(),
        };
        let mut refused = HashMap::new();
        let mut passing = Vec::new();
        for (number, (decoded, verdict)) in sheets.into_iter().enumerate() {
            match self.replay.check_signatures(&decoded, verdict) {
                Ok(()) => passing.push((number, decoded.sheet)),
                Err(refusal) => {
                    refused.insert(number, refusal);
                }
            }
        }
        let count = passing.len() + refused.len();
        let (numbers, passing): (Vec<usize>, Vec<_>) = passing.into_iter().unzip();
        let Self { log, put_away, recent, replay, .. } = self;
        let newest = |index: u64| recent.get(&index).map(|decoded| &decoded.sheet);
        let mut past = NewestPast { durable: LogPast { log: log.as_ref(), put_away }, newest: &newest };
        let tried = replay.state.try_sheets(&passing, now, |state, sheet, before| {
            let mut past = TrialPast::new(&mut past, state, before);
            resolve_facts(state, sheet, &mut past)
        })?;
        let mut tried: HashMap<usize, _> = numbers.into_iter().zip(tried).collect();
        let result = |number| match refused.remove(&number) {
            Some(refusal) => Err(refusal),
            None => tried.remove(&number).unwrap_or_else(|| Ok(Vec::new())),
        };
        Ok((0..count).map(result).collect())
    }
}

/// What the sequencer knows besides the state: the log, what is on its way into it, and the time.
struct SequencerShell<'a> {
    past: NewestPast<'a>,
    recent: &'a Recent,
    clock: &'a Clock,
}

impl<'a> Shell for SequencerShell<'a> {
    type Past = NewestPast<'a>;

    fn past(&mut self) -> &mut NewestPast<'a> {
        &mut self.past
    }

    fn now(&mut self) -> Result<Millis, ClockImplausible> {
        self.clock.stamp()
    }

    fn header_hash(&mut self, index: u64) -> Result<Option<[u8; 32]>, PastError> {
        if let Some(recent) = self.recent.get(&index) {
            return Ok(Some(recent.header_hash));
        }
        Ok(self.past.durable.log.entry(index)?.map(|entry| wire::header_hash(&entry.header)))
    }
}
