//! The audit of a running server: its log, and everything that it answers.

use std::{path::Path, time::Duration};

use tokio::sync::watch;

use super::{
    Stop,
    claims::Claims,
    memory::{Memory, Remembered, signed},
    outcome, parsed,
    report::{Divergence, Report},
    witnessed,
};
use crate::{
    audit::{Audit, Pin, Scratch},
    checkpoint::policy::WitnessPolicy,
    cli::{
        client::{self, Client},
        output::{Failure, progress},
        source::{SILENCE_MAX, Source, silent},
    },
    merkle::Hash,
    pipeline::{self, Keys, Replayed},
    projection::{Committed, Projection},
    proto,
    store::StoredEntry,
};

/// How often, and how long, a checkpoint over what was answered is waited for: one is due within a second, a cosigned one
/// some seconds later.
const CHECKPOINT_TRIES: u32 = 100;
const CHECKPOINT_WAIT: Duration = Duration::from_millis(200);
/// Entries after which an audit remembers how far it is: replaying as many again takes a few seconds.
const SAVE_ENTRIES: u64 = 200_000;

/// Gathers everything that a server answers, replays its log up to a checkpoint that covers all of it, and compares.
pub(super) async fn audit(
    server: &str,
    pin: Option<Pin>,
    policy: Option<WitnessPolicy>,
    folder: &Path,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<Report> {
    let mut client = client::connect(server).await?;
    let claims = Claims::gather(&mut client).await?;
    let last_index = claims.last_index();
    let note = checkpoint_over(&mut client, last_index + 1, policy.is_some()).await?;
    let Some(checkpoint) = parsed(&note) else {
        return Err(Failure::Refused("the server's checkpoint is none".to_owned()).into());
    };
    let memory = Memory::new(folder, &checkpoint.origin);
    let mut remembered = memory.open(&checkpoint.origin)?;
    if remembered.replay.state.size() > checkpoint.size {
        // What an interrupted audit replayed beyond this checkpoint is of no use here.
        remembered = memory.forget_state(remembered, &checkpoint.origin)?;
    }
    let (source, _) = Source::server(server, remembered.replay.state.size(), stopped).await?;
    let replayed = tokio::task::spawn_blocking(move || replay(source, note, pin, claims, &memory, remembered));
    let Replay { report, own, claims, note } = replayed.await??;
    let report = witnessed(report, &note, policy.as_ref());
    if !report.is_verified() {
        return Ok(report);
    }
    match claims.check_histories(&mut client, &own).await? {
        Ok(()) => Ok(report.compared(last_index)),
        Err(found) => Ok(report.with(*found)),
    }
}

/// The server's checkpoint, or the one that witnesses cosigned, once it is over so many entries.
async fn checkpoint_over(client: &mut Client, size: u64, cosigned: bool) -> anyhow::Result<String> {
    let mut newest = String::new();
    for _ in 0..CHECKPOINT_TRIES {
        let call = client.get_checkpoint(proto::GetCheckpointRequest {});
        let answer = tokio::time::timeout(SILENCE_MAX, call).await.map_err(silent)?.map_err(Failure::from)?;
        let answer = answer.into_inner();
        let covers = |note: &str| parsed(note).is_none_or(|checkpoint| checkpoint.size >= size);
        if cosigned && !answer.cosigned.is_empty() && covers(&answer.cosigned) {
            return Ok(answer.cosigned);
        }
        if !cosigned && covers(&answer.checkpoint) {
            return Ok(answer.checkpoint);
        }
        newest = answer.checkpoint;
        tokio::time::sleep(CHECKPOINT_WAIT).await;
    }
    if cosigned && parsed(&newest).is_some_and(|checkpoint| checkpoint.size >= size) {
        // The policy will say who is missing.
        return Ok(newest);
    }
    Err(Failure::Refused(format!("the server signed no checkpoint over {size} entries, which its answers reflect"))
        .into())
}

/// What a replay of a server's log came to.
struct Replay {
    report: Report,
    own: Projection,
    claims: Claims,
    note: String,
}

fn replay(
    mut source: Source,
    note: String,
    pin: Option<Pin>,
    claims: Claims,
    memory: &Memory,
    remembered: Remembered,
) -> anyhow::Result<Replay> {
    let Remembered { pin: known, note: kept, own, replay, old } = remembered;
    let pinned = pin.is_some() || known.is_some();
    let kept = kept.zip(known.as_ref()).and_then(|(kept, pin)| Some((signed(&kept, pin)?, kept)));
    let sizes = kept.iter().map(|((size, _), _)| *size).chain(parsed(&note).map(|checkpoint| checkpoint.size));
    let (start, end) = (replay.state.size(), parsed(&note).map_or(0, |checkpoint| checkpoint.size));
    let keys: Keys = replay.state.keys().iter().map(|key| (key.id, key.public_key)).collect();
    let mut audit = match known {
        Some(known) if start > 0 && pin.as_ref().is_none_or(|pin| *pin == known) => {
            Audit::resume(known, replay, sizes, old)
        }
        known if start == 0 => Audit::new(pin.or(known), sizes, old),
        // Asked for another ledger than the one that is remembered: the pin will say so at the genesis.
        _ => {
            return Err(Failure::Refused(
                "the ledger is the one that is remembered, and not the one of --pin".to_owned(),
            )
            .into());
        }
    };
    let bar = progress(Some(end), "entries");
    let mut next = start;
    let read = || {
        let (mut entries, mut bytes): (Vec<StoredEntry>, usize) = (Vec::new(), 0);
        // A chunk ends where an answer is to be looked at.
        let until = claims.boundary(next).unwrap_or(end).min(end);
        while next < until && bytes < pipeline::CHUNK_BYTES {
            for entry in source.next(next).map_err(Stop::Source)? {
                bytes += entry.header.len() + entry.events.iter().map(bytes::Bytes::len).sum::<usize>();
                entries.push(entry);
                next += 1;
            }
        }
        Ok(entries)
    };
    let mut saved = start;
    let looked = if start > 0 { claims.check(&own.view()).map_err(Stop::Claim) } else { Ok(()) };
    let ended = looked.and_then(|()| {
        pipeline::run(keys, read, |chunk| {
            let replayed = audit.take(chunk, |_| Ok(None))?;
            let committed: Vec<Committed<'_>> = replayed.iter().map(Replayed::committed).collect();
            let root = audit.replay().map_or_else(Hash::default, |replay| replay.frontier.root());
            own.apply(&committed, root).map_err(|error| Stop::Source(error.into()))?;
            claims.check(&own.view()).map_err(Stop::Claim)?;
            bar.set_position(audit.size());
            if audit.size() >= saved + SAVE_ENTRIES {
                saved = audit.size();
                remember(memory, &own, &mut audit).map_err(Stop::Source)?;
            }
            Ok(())
        })
    });
    bar.finish_and_clear();
    if matches!(ended, Err(Stop::Source(_))) && audit.size() > saved {
        // Interrupted, or cut off: the next audit goes on from here.
        remember(memory, &own, &mut audit)?;
    }
    let verified = ended.and_then(|()| Ok(audit.finish(&note)?));
    let mut report = outcome(&audit, pinned, verified)?;
    if let Some(found) = taken_back(&audit, memory, kept, &note, &report)? {
        report = report.with(found);
    }
    if report.is_verified() {
        remember(memory, &own, &mut audit)?;
        memory.save_checkpoint(&note)?;
    }
    Ok(Replay { report, own, claims, note })
}

fn remember(memory: &Memory, own: &Projection, audit: &mut Audit<Scratch>) -> anyhow::Result<()> {
    let (Some(replay), Some(pin)) = (audit.replay().cloned(), audit.genesis().cloned()) else { return Ok(()) };
    memory.save(own, &replay, audit.old(), &pin)
}

/// Whether the ledger takes back what it signed before: two checkpoints that can't both be true, or a shorter log.
fn taken_back(
    audit: &Audit<Scratch>,
    memory: &Memory,
    kept: Option<((u64, Vec<u8>), String)>,
    note: &str,
    report: &Report,
) -> anyhow::Result<Option<Divergence>> {
    let Some(((size, root), kept)) = kept else { return Ok(None) };
    let Some((now, signed_root)) = audit.genesis().and_then(|pin| signed(note, pin)) else { return Ok(None) };
    let hex = |root: &[u8]| hex::encode(root);
    if now == size && signed_root != root {
        let file = memory.keep_evidence(&kept, note)?;
        let message = format!(
            "the ledger signed two histories of {size} entries: this checkpoint and the one of the last audit can't both be \
             true. Both are in {}: whoever has the ledger's key can check it",
            file.display()
        );
        return Ok(Some(Divergence::of_memory("Forked", message, hex(&root), hex(&signed_root))));
    }
    if now < size {
        let message = format!(
            "the ledger shows {now} entries; it signed a checkpoint over {size} that the last audit verified: entries were \
             taken back. The checkpoint is kept with what this audit remembers"
        );
        return Ok(Some(Divergence::of_memory("LogShrank", message, size.to_string(), now.to_string())));
    }
    let grown = audit.root_at(size).is_none_or(|own| own.as_slice() == root);
    if grown && report.is_verified() {
        return Ok(None);
    }
    if grown {
        // What follows the last audit is wrong, which the report says.
        return Ok(None);
    }
    let file = memory.keep_evidence(&kept, note)?;
    let message = format!(
        "the first {size} entries are not those of the checkpoint that the last audit verified: the past was rewritten. Both \
         checkpoints are in {}",
        file.display()
    );
    let own = audit.root_at(size).map(|own| hex(&own)).unwrap_or_default();
    Ok(Some(Divergence::of_memory("Forked", message, hex(&root), own)))
}
