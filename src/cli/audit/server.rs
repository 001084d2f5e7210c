//! The audit of a running server: its log, and everything that it answers.

use tokio::sync::watch;

use super::{
    Stop,
    claims::Claims,
    kept::{Kept, Whole, forked, signed},
    memory::{Begin, Kind, Memory, Slot},
    outcome, own_files,
    place::Place,
    remember,
    state::{Remembered, Resumed},
    unfit, unless, witnessed,
};
use crate::{
    cli::{
        call::{Client, answer},
        checkpoint::checkpoint_over,
        client,
        output::{Failure, progress},
        prove::consistency_path,
        source::Source,
    },
    engine::{
        pipeline::{self, Replayed},
        projection::{Committed, Projection},
        store::StoredEntry,
    },
    format::{
        checkpoint::{Checkpoint, policy::WitnessPolicy},
        proof::{CheckpointPair, Relation},
        proto,
    },
    merkle::{Frontier, Hash, consistency_roots, leaf_hash},
    trust::audit::{Audit, AuditError, AuditReport, Discrepancy, Pin},
};

/// Entries between two questions where the server's tree begins to differ: one question costs as much as a few entries.
const LOCATED_ENTRIES: u64 = 4_096;

/// Audits a server, from what is remembered on. Where that doesn't pass, from the beginning: what is remembered may be
/// damaged, and nobody is accused because of that.
pub(super) async fn audit(
    server: &str,
    pin: Option<&Pin>,
    policy: Option<&WitnessPolicy>,
    place: &Place,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<AuditReport> {
    let report = attempt(server, pin, policy, (place, Begin::Remembered), stopped).await?;
    if let Some(report) = report.filter(|report| !report.may_be_my_fault()) {
        return Ok(report);
    }
    attempt(server, pin, policy, (place, Begin::Genesis), stopped).await?.ok_or_else(unfit)
}

/// Gathers everything that a server answers, and holds it against a replay of its log. None where this auditor's own files
/// turn out to be damaged.
async fn attempt(
    server: &str,
    pin: Option<&Pin>,
    policy: Option<&WitnessPolicy>,
    (place, begin): (&Place, Begin),
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Option<AuditReport>> {
    let mut client = client::connect(server).await?;
    let claims = unless(stopped, Claims::gather(&mut client)).await?;
    let over = claims.last_index().saturating_add(1);
    let note = unless(stopped, checkpoint_over(&mut client, over, policy)).await?;
    let Some(checkpoint) = Checkpoint::unverified(note.as_bytes()) else {
        return Err(Failure::refused("the server's checkpoint is none".to_owned()).into());
    };
    let mut memory = Memory::new(place, &checkpoint.origin, Kind::Server)?;
    let kept = Kept::open(&mut memory, &checkpoint.origin, pin)?;
    let tree = ServerTree { client: client.clone(), size: checkpoint.size, root: checkpoint.root_hash().ok() };
    let mut auditing =
        Auditing { server, client, tree, note, pin: pin.cloned(), kept, memory, stopped: stopped.clone() };
    let report = Box::pin(auditing.judge(claims, begin, policy)).await?;
    auditing.memory.discard();
    Ok(report.map(|report| report.remembered(auditing.memory.condition())))
}

/// The audit of a server's log up to one checkpoint.
struct Auditing<'a> {
    server: &'a str,
    client: Client,
    tree: ServerTree,
    /// The checkpoint.
    note: String,
    pin: Option<Pin>,
    kept: Kept,
    memory: Memory,
    stopped: watch::Receiver<bool>,
}

impl Auditing<'_> {
    /// Replays the log up to a checkpoint that covers all that was answered, and compares.
    async fn judge(
        &mut self,
        claims: Claims,
        begin: Begin,
        policy: Option<&WitnessPolicy>,
    ) -> anyhow::Result<Option<AuditReport>> {
        let last_index = claims.last_index();
        let stopped = self.stopped.clone();
        let is_pinned = self.pin.is_some() || self.kept.is_pinned;
        if let Some(found) = unless(&stopped, self.taken_back()).await? {
            let size = self.kept.size().unwrap_or(0);
            return Ok(Some(AuditReport::of_memory(self.kept.pin.clone(), (is_pinned, size), found)));
        }
        let remembered = unless(&stopped, self.begin_with(begin)).await?;
        let frontier = remembered.replay.frontier.clone();
        let source = Source::server(self.server, frontier.size(), stopped.clone()).await?;
        let Replay { report, own, claims, mut audit } = self.replay(source, is_pinned, claims, remembered)?;
        if report.is_other_history() {
            // The verdict stands, whether the server helps to find the entry or not.
            let located = first_divergent(self.server, self.tree.clone(), frontier, stopped.clone());
            let entry = unless(&stopped, located).await.unwrap_or_default();
            return Ok(Some(report.naming(entry)));
        }
        if self.kept.pin.is_none() && self.pin.is_none() {
            // Where the memory doesn't say whose it is, the log does.
            self.kept.pin = audit.genesis().cloned();
            if let Some(found) = unless(&stopped, self.taken_back()).await? {
                return Ok(Some(report.with(found)));
            }
        }
        let (kept, pin) = ((&mut self.kept, &own), (self.pin.as_ref(), &stopped));
        let remembered = remember(&self.memory, kept, pin, (&self.note, &mut audit), report)?;
        let Some(report) = remembered else { return Ok(None) };
        let report = witnessed(report, &self.note, policy);
        let (true, Some(genesis)) = (report.is_verified(), audit.genesis()) else { return Ok(Some(report)) };
        if let Some(found) = unless(&stopped, self.also_signed(genesis)).await? {
            return Ok(Some(report.with(found)));
        }
        match unless(&stopped, claims.check_histories(&mut self.client, &own)).await? {
            Ok(()) => Ok(Some(report.compared(last_index))),
            Err(found) => Ok(Some(report.with(*found))),
        }
    }

    /// The state that the log continues, or one at the beginning.
    async fn begin_with(&mut self, begin: Begin) -> anyhow::Result<Remembered> {
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
                let root = self.tree.root_over(remembered.size()).await?;
                if root == Some(remembered.replay.frontier.root()) {
                    return Ok(remembered);
                }
            }
        }
        self.memory.begin(&origin).map_err(own_files)
    }

    fn replay(
        &self,
        source: Source,
        is_pinned: bool,
        claims: Claims,
        remembered: Remembered,
    ) -> anyhow::Result<Replay> {
        let end = Checkpoint::unverified(self.note.as_bytes()).map_or(0, |checkpoint| checkpoint.size);
        let resumed = remembered.resume(self.kept.expected(self.pin.as_ref()), [end]).map_err(own_files)?;
        let (memory, note) = (&self.memory, self.note.as_str());
        // It has to end by itself, so that it remembers how far it came.
        tokio::task::block_in_place(|| replay(source, (note, end), claims, is_pinned, memory, resumed))
    }

    /// Whether the other checkpoints that the server shows, the newest one and the newest cosigned one, are of the history
    /// that was audited.
    async fn also_signed(&mut self, pin: &Pin) -> anyhow::Result<Option<Discrepancy>> {
        let shown = answer(self.client.get_checkpoint(proto::GetCheckpointRequest {})).await?;
        let note = self.note.clone();
        for other in [shown.checkpoint, shown.cosigned].into_iter().filter(|other| !other.is_empty() && *other != note)
        {
            let size = |note: &str| Checkpoint::unverified(note.as_bytes()).map_or(0, |checkpoint| checkpoint.size);
            let (old, new) = if size(&other) < size(&note) {
                (other.as_str(), note.as_str())
            } else {
                (note.as_str(), other.as_str())
            };
            if let Some(found) = self.contradiction(pin, (old, new)).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whether the ledger takes back what it signed before: another log than the one that was verified, or a shorter one.
    async fn taken_back(&mut self) -> anyhow::Result<Option<Discrepancy>> {
        let Some(pin) = self.kept.expected(self.pin.as_ref()) else { return Ok(None) };
        let Some((kept, whole)) = self.kept.checkpoint(&self.memory, &pin) else { return Ok(None) };
        let (kept, note) = (kept.to_owned(), self.note.clone());
        let Some(own) = signed(&note, &pin) else { return Ok(None) };
        if own.0 >= whole.0 {
            return self.contradiction(&pin, (&kept, &note)).await;
        }
        let beginning = self.kept.beginning(&self.memory, whole, own.0);
        if let Ok(beginning) = &beginning
            && beginning.root != own.1
        {
            let path = beginning.path.clone();
            let pair = CheckpointPair { ledger: pin.ledger_key, path, old: note, new: kept };
            if matches!(pair.verify().map(|related| related.relation), Ok(Relation::Forked { .. })) {
                let entry = self.first_difference(whole, own.0).await;
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
    async fn first_difference(&mut self, whole: Whole, mut differ: u64) -> Option<u64> {
        let mut same = 0;
        while differ > same + 1 {
            let middle = u64::midpoint(same, differ);
            let kept = self.kept.beginning(&self.memory, whole, middle).ok()?;
            if self.tree.root_over(middle).await.ok()?? == kept.root {
                same = middle;
            } else {
                differ = middle;
            }
        }
        (differ > same).then_some(same)
    }

    /// Whether two checkpoints that the ledger signed can't both be true, or whether it doesn't show that they can.
    async fn contradiction(&mut self, pin: &Pin, (old, new): (&str, &str)) -> anyhow::Result<Option<Discrepancy>> {
        let size = |note: &str| Checkpoint::unverified(note.as_bytes()).map_or(0, |checkpoint| checkpoint.size);
        let (old_size, new_size) = (size(old), size(new));
        let Some((_, old_root)) = signed(old, pin) else { return Ok(None) };
        let not_consistent = |problem: String| Discrepancy::NotConsistent { old_size, new_size, old_root, problem };
        let path = match consistency_path(&mut self.client, old_size, new_size).await {
            Ok(path) => path,
            Err(error) if matches!(error.downcast_ref(), Some(Failure::Refused(_))) => {
                return Ok(Some(not_consistent(error.to_string())));
            }
            Err(error) => return Err(error),
        };
        let (old, new) = (old.to_owned(), new.to_owned());
        let is_kept = self.kept.note.as_ref() == Some(&old);
        let pair = CheckpointPair { ledger: pin.ledger_key.clone(), path, old, new };
        match pair.verify().map(|related| related.relation) {
            Ok(Relation::Consistent) => Ok(None),
            Ok(Relation::Forked { root_then }) => {
                let entry = if is_kept { self.first_difference((old_size, old_root), old_size).await } else { None };
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
    claims: Claims,
    audit: Audit,
}

fn replay(
    mut source: Source,
    (note, end): (&str, u64),
    claims: Claims,
    is_pinned: bool,
    memory: &Memory,
    mut resumed: Resumed,
) -> anyhow::Result<Replay> {
    let start = resumed.start;
    let bar = progress(Some(end), "entries");
    let mut next = start;
    let read = || {
        let (mut entries, mut bytes): (Vec<StoredEntry>, usize) = (Vec::new(), 0);
        // A chunk ends where an answer is to be looked at.
        let until = claims.boundary(next).unwrap_or(end).min(end);
        while next < until && bytes < pipeline::CHUNK_BYTES {
            for entry in source.next(next).map_err(Stop::Source)? {
                // What holds nothing takes memory all the same.
                let parts = entry.events.iter().chain(&entry.signatures).map(|part| size_of_val(part) + part.len());
                bytes += size_of::<StoredEntry>() + entry.header.len() + parts.sum::<usize>();
                entries.push(entry);
                next += 1;
            }
        }
        Ok(entries)
    };
    let looked = if start > 0 { claims.check(&resumed.own.view()).map_err(Stop::Found) } else { Ok(()) };
    let ended = match looked {
        Err(stop) => Err(stop),
        Ok(()) => memory.replay(&mut resumed, read, |audit, own, chunk| {
            let replayed = audit.take(chunk, |_| Ok(None))?;
            let committed: Vec<Committed<'_>> = replayed.iter().map(Replayed::committed).collect();
            let root = audit.replay().map_or_else(Hash::default, |replay| replay.frontier.root());
            own.apply(&committed, root).map_err(|error| AuditError::Io(std::io::Error::other(error)))?;
            claims.check(&own.view()).map_err(Stop::Found)?;
            bar.set_position(audit.size());
            Ok(())
        }),
    };
    bar.finish_and_clear();
    let Resumed { audit, own, .. } = resumed;
    let report = outcome(&audit, (is_pinned, start), ended.and_then(|()| Ok(audit.finish(note)?)))?;
    Ok(Replay { report, own, claims, audit })
}

/// The tree that the server's checkpoint is over, by the server's own proofs.
#[derive(Clone)]
struct ServerTree {
    client: Client,
    size: u64,
    root: Option<Hash>,
}

impl ServerTree {
    /// The root of the first entries; none where the server's proof doesn't lead to its checkpoint.
    async fn root_over(&mut self, size: u64) -> anyhow::Result<Option<Hash>> {
        let Some(root) = self.root.filter(|_| (1..=self.size).contains(&size)) else { return Ok(None) };
        if size == self.size {
            return Ok(Some(root));
        }
        let path = consistency_path(&mut self.client, size, self.size).await?;
        Ok(consistency_roots(size, self.size, &path).ok().filter(|(_, now)| *now == root).map(|(then, _)| then))
    }
}

/// The first entry that the server sends and that isn't in the tree of its checkpoint, after those that `frontier` is over.
/// None where the server has no tree that leads to its checkpoint.
async fn first_divergent(
    server: &str,
    mut tree: ServerTree,
    mut frontier: Frontier,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<Option<u64>> {
    let mut next = frontier.parts().0;
    let mut source = Source::server(server, next, stopped).await?;
    while next < tree.size {
        // Own roots after each entry of a chunk.
        let read = move || {
            let (mut roots, first) = (Vec::new(), next);
            while next < first + LOCATED_ENTRIES && next < tree.size {
                for entry in source.next(next)? {
                    frontier.append(leaf_hash(&entry.leaf()), |_| ());
                    roots.push(frontier.root());
                    next += 1;
                }
            }
            anyhow::Ok((source, frontier, roots))
        };
        let roots: Vec<Hash>;
        (source, frontier, roots) = tokio::task::spawn_blocking(read).await??;
        let (first, last) = (next, next + roots.len() as u64);
        next = last;
        if tree.root_over(last).await? == roots.last().copied() {
            continue;
        }
        // Once a root differs, all that follow do.
        let (mut low, mut high) = (0, roots.len() - 1);
        while low < high {
            let middle = usize::midpoint(low, high);
            match tree.root_over(first + middle as u64 + 1).await? {
                None => return Ok(None),
                theirs if theirs == roots.get(middle).copied() => low = middle + 1,
                Some(_) => high = middle,
            }
        }
        return Ok(Some(first + low as u64));
    }
    Ok(None)
}
