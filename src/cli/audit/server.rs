//! The audit of a running server: its log, and everything that it answers.

use tokio::sync::watch;

use super::{
    Stop,
    connection::{Connection, failure},
    kept::{Kept, Whole, forked, signed},
    memory::{Begin, Kind, Memory, Slot},
    outcome, own_files,
    place::Place,
    refuse_if, remember,
    state::{Remembered, Resumed},
    unfit, witnessed,
};
use crate::{
    cli::output::{Failure, progress},
    engine::{
        pipeline::{self, Replayed},
        projection::{Committed, Projection},
        store::StoredEntry,
    },
    format::{
        checkpoint::{Checkpoint, policy::WitnessPolicy},
        proof::{CheckpointPair, Relation},
    },
    merkle::Hash,
    trust::audit::{
        Audit, AuditError, AuditReport, Discrepancy, Pin, Unjudged,
        server::{Entries, Server, answers::ServerAnswers, tree::ServerTree},
    },
};

/// Audits a server, from what is remembered on. Where that doesn't pass, from the beginning: what is remembered may be
/// damaged, and nobody is accused because of that.
pub(super) fn audit(
    connect: impl Fn() -> anyhow::Result<Connection>,
    pin: Option<&Pin>,
    policy: Option<&WitnessPolicy>,
    place: &Place,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<AuditReport> {
    let report = attempt(connect()?, pin, policy, (place, Begin::Remembered), stopped)?;
    if let Some(report) = report.filter(|report| !report.may_be_my_fault()) {
        return Ok(report);
    }
    attempt(connect()?, pin, policy, (place, Begin::Genesis), stopped)?.ok_or_else(unfit)
}

/// Gathers everything that a server answers, and holds it against a replay of its log. None where this auditor's own files
/// turn out to be damaged.
fn attempt(
    mut server: Connection,
    pin: Option<&Pin>,
    policy: Option<&WitnessPolicy>,
    (place, begin): (&Place, Begin),
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Option<AuditReport>> {
    let answers = ServerAnswers::gather(&mut server).map_err(failure)?;
    let over = answers.last_index().saturating_add(1);
    let note = server.checkpoint_over(over, policy).map_err(failure)?;
    let Some(checkpoint) = Checkpoint::unverified(note.as_bytes()) else {
        return Err(Failure::refused("the server's checkpoint is none".to_owned()).into());
    };
    let mut memory = Memory::new(place, &checkpoint.origin, Kind::Server)?;
    let kept = Kept::open(&mut memory, &checkpoint.origin, pin)?;
    let tree = ServerTree::new(&checkpoint);
    let mut auditing = Auditing { server, tree, note, pin: pin.cloned(), kept, memory, stopped: stopped.clone() };
    let report = auditing.judge(answers, begin, policy)?;
    auditing.memory.discard();
    Ok(report.map(|report| report.remembered(auditing.memory.condition())))
}

/// The audit of a server's log up to one checkpoint.
struct Auditing {
    server: Connection,
    tree: ServerTree,
    /// The checkpoint.
    note: String,
    pin: Option<Pin>,
    kept: Kept,
    memory: Memory,
    stopped: watch::Receiver<bool>,
}

impl Auditing {
    /// Replays the log up to a checkpoint that covers all that was answered, and compares.
    fn judge(
        &mut self,
        answers: ServerAnswers,
        begin: Begin,
        policy: Option<&WitnessPolicy>,
    ) -> anyhow::Result<Option<AuditReport>> {
        let last_index = answers.last_index();
        let stopped = self.stopped.clone();
        let is_pinned = self.pin.is_some() || self.kept.is_pinned;
        if let Some(found) = self.taken_back()? {
            let size = self.kept.size().unwrap_or(0);
            return Ok(Some(AuditReport::of_memory(self.kept.pin.clone(), (is_pinned, size), found)));
        }
        let remembered = self.begin_with(begin)?;
        let frontier = remembered.replay.frontier.clone();
        let entries = self.server.entries(frontier.size()).map_err(failure)?;
        let Replay { report, own, answers, mut audit } = self.replay(entries, is_pinned, answers, remembered)?;
        if report.is_other_history() {
            // The verdict stands, whether the server helps to find the entry or not.
            let entry = self.tree.first_other(&mut self.server, frontier).unwrap_or_default();
            return Ok(Some(report.naming(entry)));
        }
        if self.kept.pin.is_none() && self.pin.is_none() {
            // Where the memory doesn't say whose it is, the log does.
            self.kept.pin = audit.genesis().cloned();
            if let Some(found) = self.taken_back()? {
                return Ok(Some(report.with(found)));
            }
        }
        let (kept, pin) = ((&mut self.kept, &own), (self.pin.as_ref(), &stopped));
        let remembered = remember(&self.memory, kept, pin, (&self.note, &mut audit), report)?;
        let Some(report) = remembered else { return Ok(None) };
        let report = witnessed(report, &self.note, policy);
        let (true, Some(genesis)) = (report.is_verified(), audit.genesis()) else { return Ok(Some(report)) };
        if let Some(found) = self.also_signed(genesis)? {
            return Ok(Some(report.with(found)));
        }
        let compared = answers.check_histories(&mut self.server, &own).map_err(|unjudged| match unjudged {
            Unjudged::Projection(error) => error.into(),
            Unjudged::Source(error) => failure(error),
        });
        match compared? {
            Ok(()) => Ok(Some(report.compared(last_index))),
            Err(found) => Ok(Some(report.with(*found))),
        }
    }

    /// The state that the log continues, or one at the beginning.
    fn begin_with(&mut self, begin: Begin) -> anyhow::Result<Remembered> {
        let (expected, origin) = (
            self.kept.expected(self.pin.as_ref()),
            Checkpoint::unverified(self.note.as_bytes()).map(|note| note.origin),
        );
        let origin = origin.unwrap_or_default();
        for slot in Slot::BOTH {
            let Some(remembered) = self.memory.open(slot, &origin, begin) else { continue };
            if remembered.size() == 0 {
                return Ok(remembered);
            }
            // Otherwise another ledger, or not what this checkpoint is over.
            if remembered.is_of(expected.as_ref()) {
                let root = self.tree.root_over(&mut self.server, remembered.size()).map_err(failure)?;
                if root == Some(remembered.replay.frontier.root()) {
                    return Ok(remembered);
                }
            }
        }
        self.memory.begin(&origin).map_err(own_files)
    }

    fn replay(
        &self,
        entries: Entries<anyhow::Error>,
        is_pinned: bool,
        answers: ServerAnswers,
        remembered: Remembered,
    ) -> anyhow::Result<Replay> {
        let end = Checkpoint::unverified(self.note.as_bytes()).map_or(0, |checkpoint| checkpoint.size);
        let resumed = remembered.resume(self.kept.expected(self.pin.as_ref()), [end]).map_err(own_files)?;
        let (memory, note) = (&self.memory, self.note.as_str());
        replay(entries, (note, end), answers, is_pinned, memory, resumed)
    }

    /// Whether the other checkpoints that the server shows, the newest one and the newest cosigned one, are of the history
    /// that was audited.
    fn also_signed(&mut self, pin: &Pin) -> anyhow::Result<Option<Discrepancy>> {
        let shown = self.server.checkpoints().map_err(failure)?;
        let note = self.note.clone();
        for other in [shown.checkpoint, shown.cosigned].into_iter().filter(|other| !other.is_empty() && *other != note)
        {
            let size = |note: &str| Checkpoint::unverified(note.as_bytes()).map_or(0, |checkpoint| checkpoint.size);
            let (old, new) = if size(&other) < size(&note) {
                (other.as_str(), note.as_str())
            } else {
                (note.as_str(), other.as_str())
            };
            if let Some(found) = self.contradiction(pin, (old, new))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whether the ledger takes back what it signed before: another log than the one that was verified, or a shorter one.
    fn taken_back(&mut self) -> anyhow::Result<Option<Discrepancy>> {
        let Some(pin) = self.kept.expected(self.pin.as_ref()) else { return Ok(None) };
        let Some((kept, whole)) = self.kept.checkpoint(&self.memory, &pin) else { return Ok(None) };
        let (kept, note) = (kept.to_owned(), self.note.clone());
        let Some(own) = signed(&note, &pin) else { return Ok(None) };
        if own.0 >= whole.0 {
            return self.contradiction(&pin, (&kept, &note));
        }
        let beginning = self.kept.beginning(&self.memory, whole, own.0);
        if let Ok(beginning) = &beginning
            && beginning.root != own.1
        {
            let path = beginning.path.clone();
            let pair = CheckpointPair { ledger: pin.ledger_key, path, old: note, new: kept };
            if matches!(pair.verify().map(|related| related.relation), Ok(Relation::Forked { .. })) {
                let entry = self.first_difference(whole, own.0);
                refuse_if(&self.stopped)?;
                let roots = (beginning.root, own.1);
                return Ok(Some(forked(&self.memory, &pair, (own.0, whole.0), roots, entry)));
            }
        }
        let comparison = match beginning {
            Ok(_) => "the log that it shows is the beginning of that one".to_owned(),
            Err(problem) => format!("the two were not compared, for {problem}"),
        };
        Ok(Some(Discrepancy::LogShrank { shown: own.0, signed: whole.0, comparison }))
    }

    /// The first of the first `differ` entries, which are known to be others, in which the server's log differs from what is
    /// kept; none where one of the two shows no tree.
    fn first_difference(&mut self, whole: Whole, mut differ: u64) -> Option<u64> {
        let mut same = 0;
        while differ > same + 1 {
            let middle = u64::midpoint(same, differ);
            let kept = self.kept.beginning(&self.memory, whole, middle).ok()?;
            if self.tree.root_over(&mut self.server, middle).ok()?? == kept.root {
                same = middle;
            } else {
                differ = middle;
            }
        }
        (differ > same).then_some(same)
    }

    /// Whether two checkpoints that the ledger signed can't both be true, or whether it doesn't show that they can.
    fn contradiction(&mut self, pin: &Pin, (old, new): (&str, &str)) -> anyhow::Result<Option<Discrepancy>> {
        let size = |note: &str| Checkpoint::unverified(note.as_bytes()).map_or(0, |checkpoint| checkpoint.size);
        let (old_size, new_size) = (size(old), size(new));
        let Some((_, old_root)) = signed(old, pin) else { return Ok(None) };
        let not_consistent = |problem: String| Discrepancy::NotConsistent { old_size, new_size, old_root, problem };
        let path = match self.server.consistency_path(old_size, new_size) {
            Ok(path) => path,
            Err(error) if error.is_refusal() => return Ok(Some(not_consistent(error.to_string()))),
            Err(error) => return Err(failure(error)),
        };
        let (old, new) = (old.to_owned(), new.to_owned());
        let is_kept = self.kept.note.as_ref() == Some(&old);
        let pair = CheckpointPair { ledger: pin.ledger_key.clone(), path, old, new };
        match pair.verify().map(|related| related.relation) {
            Ok(Relation::Consistent) => Ok(None),
            Ok(Relation::Forked { root_then }) => {
                let entry = if is_kept { self.first_difference((old_size, old_root), old_size) } else { None };
                refuse_if(&self.stopped)?;
                let roots = (old_root, root_then);
                Ok(Some(forked(&self.memory, &pair, (old_size, new_size), roots, entry)))
            }
            Err(error) => Ok(Some(not_consistent(error.to_string()))),
        }
    }
}

/// What a replay of a server's log came to.
struct Replay {
    report: AuditReport,
    own: Projection,
    answers: ServerAnswers,
    audit: Audit,
}

fn replay(
    mut entries: Entries<anyhow::Error>,
    (note, end): (&str, u64),
    answers: ServerAnswers,
    is_pinned: bool,
    memory: &Memory,
    mut resumed: Resumed,
) -> anyhow::Result<Replay> {
    let start = resumed.start;
    let bar = progress(Some(end), "entries");
    let mut next = start;
    let read = || {
        let (mut chunk, mut bytes): (Vec<StoredEntry>, usize) = (Vec::new(), 0);
        // A chunk ends where an answer is to be looked at.
        let until = answers.boundary(next).unwrap_or(end).min(end);
        while next < until && bytes < pipeline::CHUNK_BYTES {
            for entry in entries(next).map_err(|error| Stop::Source(failure(error)))? {
                // What holds nothing takes memory all the same.
                let parts = entry.events.iter().chain(&entry.signatures).map(|part| size_of_val(part) + part.len());
                bytes += size_of::<StoredEntry>() + entry.header.len() + parts.sum::<usize>();
                chunk.push(entry);
                next += 1;
            }
        }
        Ok(chunk)
    };
    let looked = if start > 0 { answers.check(&resumed.own.view()).map_err(Stop::Found) } else { Ok(()) };
    let ended = match looked {
        Err(stop) => Err(stop),
        Ok(()) => memory.replay(&mut resumed, read, |audit, own, chunk| {
            let replayed = audit.take(chunk, |_| Ok(None))?;
            let committed: Vec<Committed<'_>> = replayed.iter().map(Replayed::committed).collect();
            let root = audit.replay().map_or_else(Hash::default, |replay| replay.frontier.root());
            own.apply(&committed, root).map_err(|error| AuditError::Io(std::io::Error::other(error)))?;
            answers.check(&own.view()).map_err(Stop::Found)?;
            bar.set_position(audit.size());
            Ok(())
        }),
    };
    bar.finish_and_clear();
    let Resumed { audit, own, .. } = resumed;
    let report = outcome(&audit, (is_pinned, start), ended.and_then(|()| Ok(audit.finish(note)?)))?;
    Ok(Replay { report, own, answers, audit })
}
