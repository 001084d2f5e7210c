//! The audit of a running server: its log, and everything that it answers.

use std::path::Path;

use tokio::sync::watch;

use super::{
    Stop,
    claims::Claims,
    memory::{Begin, Kind, Memory, Remembered, Resumed, signed},
    outcome,
    report::{Divergence, Report},
    witnessed,
};
use crate::{
    audit::Pin,
    checkpoint::policy::WitnessPolicy,
    cli::{
        checkpoint::{checkpoint_over, parsed, show_evidence},
        client::{self, Client},
        output::{Failure, progress},
        prove::consistency_path,
        source::{Source, answer},
    },
    merkle::{Frontier, Hash, consistency_roots, leaf_hash},
    pipeline::{self, Replayed},
    projection::{Committed, Projection},
    proof::{CheckpointPair, Relation},
    proto,
    store::StoredEntry,
};

/// Entries between two questions where the server's tree begins to differ: one question costs as much as a few entries.
const LOCATED_ENTRIES: u64 = 4_096;

/// Audits a server, from what is remembered on. Where that doesn't pass, from the beginning: what is remembered may be
/// damaged, and nobody is accused because of that.
pub(super) async fn audit(
    server: &str,
    pin: Option<Pin>,
    policy: Option<WitnessPolicy>,
    folder: &Path,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<Report> {
    let report = attempt(server, pin.clone(), policy.as_ref(), (folder, Begin::Remembered), stopped.clone()).await?;
    if !report.may_be_my_fault() {
        return Ok(report);
    }
    attempt(server, pin, policy.as_ref(), (folder, Begin::Genesis), stopped).await
}

/// Gathers everything that a server answers, replays its log up to a checkpoint that covers all of it, and compares.
async fn attempt(
    server: &str,
    pin: Option<Pin>,
    policy: Option<&WitnessPolicy>,
    (folder, begin): (&Path, Begin),
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<Report> {
    let mut client = client::connect(server).await?;
    let claims = Claims::gather(&mut client).await?;
    let last_index = claims.last_index();
    let note = checkpoint_over(&mut client, last_index.saturating_add(1), policy).await?;
    let Some(checkpoint) = parsed(&note) else {
        return Err(Failure::refused("the server's checkpoint is none".to_owned()).into());
    };
    let memory = Memory::new(folder, &checkpoint.origin, Kind::Server, pin.as_ref())?;
    let mut remembered = memory.open(&checkpoint.origin)?;
    let mut tree = ServerTree { client: client.clone(), size: checkpoint.size, root: checkpoint.root_hash().ok() };
    if let Some(found) = taken_back(&mut client, &memory, &remembered, &note).await? {
        return Ok(Report::of_memory(remembered.pin, remembered.replay.state.size(), found));
    }
    let start = remembered.replay.state.size();
    let is_other = remembered.genesis.as_ref().zip(pin.as_ref()).is_some_and(|(genesis, pin)| genesis != pin);
    if begin == Begin::Genesis
        || is_other
        || start > 0 && tree.root_over(start).await? != Some(remembered.replay.frontier.root())
    {
        // What an audit replayed that didn't pass: another ledger, or not what this checkpoint is over.
        remembered = memory.forget_state(remembered, &checkpoint.origin)?;
    }
    let frontier = remembered.replay.frontier.clone();
    let source = Source::server(server, frontier.parts().0, stopped.clone()).await?;
    let text = note.clone();
    let replayed = tokio::task::spawn_blocking(move || {
        let replayed = replay(source, &text, pin, claims, &memory, remembered);
        replayed.map(|replayed| (replayed, memory))
    });
    let (Replay { report, own, claims, genesis }, memory) = replayed.await??;
    if report.is_other_history() {
        // The verdict stands, whether the server helps to find the entry or not.
        let entry = first_divergent(server, tree, frontier, stopped).await.unwrap_or_default();
        return Ok(report.naming(entry));
    }
    let report = witnessed(report, &note, policy);
    if !report.is_verified() {
        return Ok(report);
    }
    let Some(genesis) = genesis else { return Ok(report) };
    if let Some(found) = also_signed(&mut client, &memory, &genesis, &note).await? {
        return Ok(report.with(found));
    }
    match claims.check_histories(&mut client, &own).await? {
        Ok(()) => Ok(report.compared(last_index)),
        Err(found) => Ok(report.with(*found)),
    }
}

/// Whether the other checkpoints that the server shows, the newest one and the newest cosigned one, are of the history that
/// was audited.
async fn also_signed(
    client: &mut Client,
    memory: &Memory,
    pin: &Pin,
    note: &str,
) -> anyhow::Result<Option<Divergence>> {
    let shown = answer(client.get_checkpoint(proto::GetCheckpointRequest {})).await?;
    for other in [shown.checkpoint, shown.cosigned].into_iter().filter(|other| !other.is_empty() && other != note) {
        let size = |note: &str| parsed(note).map_or(0, |checkpoint| checkpoint.size);
        let (old, new) = if size(&other) < size(note) { (other.as_str(), note) } else { (note, other.as_str()) };
        if let Some(found) = contradiction(client, memory, pin, (old, new)).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What a replay of a server's log came to.
struct Replay {
    report: Report,
    own: Projection,
    claims: Claims,
    genesis: Option<Pin>,
}

fn replay(
    mut source: Source,
    note: &str,
    pin: Option<Pin>,
    claims: Claims,
    memory: &Memory,
    remembered: Remembered,
) -> anyhow::Result<Replay> {
    let end = parsed(note).map_or(0, |checkpoint| checkpoint.size);
    let mut resumed = remembered.resume(pin, [end]);
    let (_, start) = resumed.known;
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
    let looked = if start > 0 { claims.check(&resumed.own.view()).map_err(Stop::Claim) } else { Ok(()) };
    let ended = match looked {
        Err(stop) => Err(stop),
        Ok(()) => memory.replay(&mut resumed, read, |audit, own, chunk| {
            let replayed = audit.take(chunk, |_| Ok(None))?;
            let committed: Vec<Committed<'_>> = replayed.iter().map(Replayed::committed).collect();
            let root = audit.replay().map_or_else(Hash::default, |replay| replay.frontier.root());
            own.apply(&committed, root).map_err(|error| Stop::Source(error.into()))?;
            claims.check(&own.view()).map_err(Stop::Claim)?;
            bar.set_position(audit.size());
            Ok(())
        })?,
    };
    bar.finish_and_clear();
    let Resumed { mut audit, own, known, .. } = resumed;
    let report = outcome(&audit, known, ended.and_then(|()| Ok(audit.finish(note)?)))?;
    if report.is_verified() {
        memory.save(&own, &mut audit)?;
        if let Some(genesis) = audit.genesis() {
            memory.save_checkpoint(note, genesis)?;
        }
    }
    let genesis = audit.genesis().cloned();
    Ok(Replay { report, own, claims, genesis })
}

/// The tree that the server's checkpoint is over, by the server's own proofs.
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

/// Whether the ledger takes back what it signed before: a shorter log, or one that doesn't begin with the one that the last
/// audit verified.
async fn taken_back(
    client: &mut Client,
    memory: &Memory,
    remembered: &Remembered,
    note: &str,
) -> anyhow::Result<Option<Divergence>> {
    let (Some(pin), Some(kept)) = (&remembered.pin, &remembered.note) else { return Ok(None) };
    let (Some((size, _)), Some((now, _))) = (signed(kept, pin), signed(note, pin)) else { return Ok(None) };
    if now < size {
        let message = format!(
            "the ledger shows {now} entries; it signed a checkpoint over {size} that the last audit verified: entries were \
             taken back. The checkpoint is kept with what this audit remembers"
        );
        return Ok(Some(Divergence::of_memory("LogShrank", message, size.to_string(), Some(now.to_string()))));
    }
    contradiction(client, memory, pin, (kept, note)).await
}

/// Whether two checkpoints that the ledger signed can't both be true, or whether it doesn't show that they can.
async fn contradiction(
    client: &mut Client,
    memory: &Memory,
    pin: &Pin,
    (old, new): (&str, &str),
) -> anyhow::Result<Option<Divergence>> {
    let size = |note: &str| parsed(note).map_or(0, |checkpoint| checkpoint.size);
    let (old_size, new_size) = (size(old), size(new));
    let root = signed(old, pin).map(|(_, root)| hex::encode(root)).unwrap_or_default();
    let not_consistent = |error: &dyn std::fmt::Display| {
        let message = format!(
            "the ledger does not show that its log over {new_size} entries continues the one over {old_size}, which it signed: \
             {error}"
        );
        Divergence::of_memory("NotConsistent", message, root.clone(), None)
    };
    let path = match consistency_path(client, old_size, new_size).await {
        Ok(path) => path,
        Err(error) if matches!(error.downcast_ref(), Some(Failure::Refused(_))) => {
            return Ok(Some(not_consistent(&error)));
        }
        Err(error) => return Err(error),
    };
    let (old, new) = (old.to_owned(), new.to_owned());
    let pair = CheckpointPair { ledger: pin.ledger_key.clone(), path, old, new };
    match pair.verify().map(|related| related.relation) {
        Ok(Relation::Consistent) => Ok(None),
        Ok(Relation::Forked { root_then }) => {
            let file = memory.keep_evidence(&pair)?;
            let message = format!(
                "under its checkpoint over {new_size} entries, the first {old_size} are not those that it signed before: the \
                 ledger signed two histories. {}",
                show_evidence(&file)
            );
            Ok(Some(Divergence::of_memory("Forked", message, root.clone(), Some(hex::encode(root_then)))))
        }
        Err(error) => Ok(Some(not_consistent(&error))),
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
