//! The rules, one sheet after another.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, mpsc::Receiver},
};

use super::{
    KeyBook, Submission, SubmitError, TreeGrowth, TrialResult,
    batch::{Batch, Passed, Tried},
    fatal,
    slot::Slot,
    verify::Verified,
};
use crate::{
    engine::{
        clock::Clock,
        past::LogPast,
        projection::{Projection, TimesFile},
        replay::{Recent, Replay, SignatureVerdict, keep_times, resolve_facts},
        store::{LogStore, StoredEntry},
    },
    format::wire::{self, Decoded},
    ledger::{Change, Facts, Key, LogIndex, Millis, Refusal, SheetOutcome},
    merkle::{Hash, stored_hash_count},
};

/// Entries after which the state is saved: replaying as many takes a few seconds.
const SNAPSHOT_ENTRIES: u64 = 200_000;

/// The sequencing thread's own.
pub(super) struct Sequence {
    store: Arc<dyn LogStore>,
    times: Arc<TimesFile>,
    replay: Replay,
    clock: Clock,
    keys: KeyBook,
    /// Sheets that passed and may not be durable yet.
    recent: Recent,
    snapshot_at: u64,
}

/// Tells the verifier of new keys. A key's id is its hash, so that what is told once never changes.
pub(super) fn learn_keys(book: &KeyBook, keys: &[Key]) {
    let mut book = book.write().unwrap_or_else(PoisonError::into_inner);
    book.extend(keys.iter().map(|key| (key.id, key.public_key)));
}

impl Sequence {
    pub(super) fn new(
        store: Arc<dyn LogStore>,
        projection: &Projection,
        replay: Replay,
        clock: Clock,
        keys: KeyBook,
    ) -> Self {
        let snapshot_at = projection.snapshot_size() + SNAPSHOT_ENTRIES;
        let times = Arc::clone(projection.times());
        Self { store, times, replay, clock, keys, recent: BTreeMap::new(), snapshot_at }
    }

    /// Until all handles are gone and everything is handed on. The last batch carries a snapshot.
    pub(super) fn run(mut self, inbox: &Receiver<Vec<Verified>>, outbox: &Slot) {
        while let Ok(group) = inbox.recv() {
            let mut batch = self.new_batch();
            for job in group {
                match job {
                    Verified::Submit(submission, verdict) => self.sequence(submission, verdict, &mut batch),
                    Verified::Try(sheets, reply, permit) => {
                        let reflected_index = self.replay.state.size().saturating_sub(1);
                        let results = self.try_sheets(sheets);
                        batch.tried.push(Tried { results, reflected_index, reply, permit });
                    }
                }
                if batch.is_full() {
                    self.hand_on(&mut batch, outbox);
                }
            }
            self.hand_on(&mut batch, outbox);
        }
        let mut last = self.new_batch();
        last.snapshot = Some(Box::new(self.replay.clone()));
        last.root = self.replay.frontier.root();
        outbox.put(last);
        outbox.close();
    }

    fn new_batch(&self) -> Batch {
        let first = stored_hash_count(self.replay.frontier.size());
        Batch {
            passed: Vec::new(),
            repeated: Vec::new(),
            refused: Vec::new(),
            tried: Vec::new(),
            growth: TreeGrowth { first, hashes: Vec::new() },
            root: Hash::default(),
            snapshot: None,
            bytes: 0,
        }
    }

    /// Hands the batch on, if it holds anything.
    fn hand_on(&mut self, batch: &mut Batch, outbox: &Slot) {
        let nothing = batch.passed.is_empty() && batch.repeated.is_empty();
        if nothing && batch.refused.is_empty() && batch.tried.is_empty() {
            return;
        }
        batch.root = self.replay.frontier.root();
        if self.replay.state.size() >= self.snapshot_at {
            self.snapshot_at = self.replay.state.size() + SNAPSHOT_ENTRIES;
            batch.snapshot = Some(Box::new(self.replay.clone()));
        }
        let durable = self.store.size();
        self.recent = self.recent.split_off(&durable);
        let next = self.new_batch();
        outbox.put(std::mem::replace(batch, next));
    }

    fn sequence(&mut self, submission: Box<Submission>, verdict: SignatureVerdict, batch: &mut Batch) {
        match self.judge(&submission, verdict, &mut batch.growth.hashes) {
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
                self.learn(&outcome);
                batch.passed.push(Passed { entry, outcome, submission });
            }
            Ok(Judged::Repeated(index)) => batch.repeated.push((index, submission)),
            Err(error) => batch.refused.push((submission.reply, error)),
        }
    }

    fn judge(
        &mut self,
        submission: &Submission,
        verdict: SignatureVerdict,
        stored: &mut Vec<Hash>,
    ) -> Result<Judged, SubmitError> {
        let decoded = submission.decoded.as_ref();
        self.check_signatures(decoded, verdict).map_err(SubmitError::Refused)?;
        if let Some(index) = self.same_sheet(decoded) {
            return Ok(Judged::Repeated(index));
        }
        let now = self.clock.stamp().map_err(SubmitError::Clock)?.max(self.replay.state.recorded_at());
        let facts = self.facts(&decoded.sheet);
        let outcome =
            self.replay.append(decoded, now, &facts, |hash| stored.push(hash)).map_err(SubmitError::Refused)?;
        // Ahead of the commit: the next sheet may ask for them, and a start cuts what was never durable.
        let mut past = LogPast { store: self.store.as_ref(), times: &self.times };
        keep_times(&self.replay.state, &outcome, &mut past).unwrap_or_else(|error| fatal(&error.to_string()));
        Ok(Judged::Passed(now, outcome))
    }

    fn check_signatures(&self, decoded: &Decoded, verdict: SignatureVerdict) -> Result<(), Refusal> {
        // The origin comes before the signers: a sheet for another ledger is told so, not that its key is unknown.
        let found = &decoded.sheet.origin;
        if found != self.replay.state.origin() {
            let (expected, found) = (self.replay.state.origin().to_owned(), found.clone());
            let rejection = crate::ledger::Rejection::OriginMismatch { expected, found };
            return Err(Refusal::sheet("header.origin", rejection));
        }
        match verdict {
            SignatureVerdict::SignerUnknown(_) => self.replay.verdict(decoded).into_result(),
            SignatureVerdict::Valid | SignatureVerdict::Invalid(_) => verdict.into_result(),
        }
    }

    /// The entry that holds this very sheet: same author, same id, same header and, by its root, same events.
    fn same_sheet(&self, decoded: &Decoded) -> Option<u64> {
        let author = decoded.sheet.signers.first()?;
        let LogIndex(index) = self.replay.state.sheet(*author, decoded.sheet.sheet_id)?;
        let same = match self.recent.get(&index) {
            Some(recent) => recent.header_hash == decoded.header_hash,
            None => wire::header_hash(&self.stored(index)?.header) == decoded.header_hash,
        };
        same.then_some(index)
    }

    fn stored(&self, index: u64) -> Option<StoredEntry> {
        self.store.entry(index).unwrap_or_else(|error| fatal(&error.to_string()))
    }

    fn facts(&self, sheet: &crate::ledger::Sheet) -> Facts {
        let mut past = LogPast { store: self.store.as_ref(), times: &self.times };
        resolve_facts(&self.replay.state, sheet, &self.recent, &mut past)
            .unwrap_or_else(|error| fatal(&error.to_string()))
    }

    fn learn(&self, outcome: &SheetOutcome) {
        for change in &outcome.changes {
            if let Change::EnrolKey(key) = change {
                learn_keys(&self.keys, std::slice::from_ref(key));
            }
        }
    }

    fn try_sheets(&mut self, sheets: Vec<(Decoded, SignatureVerdict)>) -> Vec<TrialResult> {
        let now = match self.clock.stamp() {
            Ok(now) => now.max(self.replay.state.recorded_at()),
            Err(_implausible) => self.replay.state.recorded_at(),
        };
        let mut refused = HashMap::new();
        let mut passing = Vec::new();
        for (number, (decoded, verdict)) in sheets.into_iter().enumerate() {
            match self.check_signatures(&decoded, verdict) {
                Ok(()) => passing.push((number, decoded.sheet)),
                Err(refusal) => {
                    refused.insert(number, refusal);
                }
            }
        }
        let count = passing.len() + refused.len();
        let (numbers, passing): (Vec<usize>, Vec<_>) = passing.into_iter().unzip();
        let mut past = LogPast { store: self.store.as_ref(), times: &self.times };
        let tried = self.replay.state.try_sheets(&passing, now, |state, sheet| {
            resolve_facts(state, sheet, &self.recent, &mut past).unwrap_or_else(|error| fatal(&error.to_string()))
        });
        let mut tried: HashMap<usize, _> = numbers.into_iter().zip(tried).collect();
        let result = |number| match refused.remove(&number) {
            Some(refusal) => Err(refusal),
            None => tried.remove(&number).unwrap_or_else(|| Ok(Vec::new())),
        };
        (0..count).map(result).collect()
    }
}

enum Judged {
    Passed(Millis, SheetOutcome),
    Repeated(u64),
}
