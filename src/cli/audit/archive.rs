//! The audit of an archive. One that was interrupted goes on where it was; entries that were verified before are only hashed.

use std::{collections::BTreeMap, fs::File, io::BufReader, path::Path};

use indicatif::ProgressBar;
use tokio::sync::watch;

use super::{
    Stop,
    memory::{Begin, Kind, Memory, Remembered, SAVE_ENTRIES, signed},
    outcome,
    report::{Divergence, Report},
    witnessed,
};
use crate::{
    archive::{ArchiveError, Reader},
    audit::{Audit, AuditError, Finding, Pin, Scratch},
    checkpoint::policy::WitnessPolicy,
    cli::{
        checkpoint::show_evidence,
        output::{Failure, progress},
    },
    merkle::{Frontier, Hash, consistency_path, leaf_hash, root_of_leaves, stored_hash_number},
    pipeline::{self, Keys},
    proof::CheckpointPair,
    store::StoredEntry,
    wire,
};

type Archive = Reader<BufReader<File>>;

/// Audits an archive, from what is remembered on, and from the beginning where that doesn't pass: see the audit of a server.
pub(super) fn audit(
    path: &Path,
    pin: Option<&Pin>,
    policy: Option<&WitnessPolicy>,
    folder: &Path,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Report> {
    let report = attempt(path, pin.cloned(), policy, (folder, Begin::Remembered), stopped)?;
    if !report.may_be_my_fault() {
        return Ok(report);
    }
    attempt(path, pin.cloned(), policy, (folder, Begin::Genesis), stopped)
}

fn attempt(
    path: &Path,
    pin: Option<Pin>,
    policy: Option<&WitnessPolicy>,
    (folder, begin): (&Path, Begin),
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Report> {
    let mut reader = match open(path)? {
        Ok(reader) => reader,
        Err(error) => {
            let pinned = pin.is_some();
            return outcome(&Audit::new(pin, None, Scratch::new()?), (pinned, 0), Err(Stop::Archive(error)));
        }
    };
    let origin = reader.origin().to_owned();
    let memory = Memory::new(folder, &origin, Kind::Archive, pin.as_ref())?;
    let mut remembered = memory.open(&origin)?;
    let mut ahead = Vec::new();
    if remembered.replay.state.size() > 0 {
        let is_pinned = pin.as_ref().is_none_or(|pin| remembered.genesis.as_ref() == Some(pin));
        let goes_on = is_pinned && begin == Begin::Remembered;
        let rest = goes_on.then(|| after_known(&mut reader, &remembered.replay.frontier)).flatten();
        if let Some(rest) = rest {
            ahead = rest;
        } else {
            // Another ledger, or another history, or damage: all of it is looked at.
            remembered = memory.forget_state(remembered, &origin)?;
            reader = open(path)?.map_err(|error| Failure::Unreachable(error.to_string()))?;
        }
    }
    let kept = remembered.note.clone().zip(remembered.pin.clone());
    let (audit, report) = replay(&mut reader, ahead, pin, &memory, remembered, stopped)?;
    let note = reader.note().unwrap_or_default();
    let report = match kept {
        Some((kept, known)) if report.is_verified() => {
            match taken_back(path, &memory, (&kept, &known), note, &audit)? {
                Some(found) => report.with(found),
                None => report,
            }
        }
        _ => report,
    };
    if let (true, Some(genesis)) = (report.is_verified(), audit.genesis()) {
        let newer =
            memory.open_note()?.and_then(|kept| signed(&kept, genesis)).is_some_and(|(size, _)| size > audit.size());
        if !newer {
            memory.save_checkpoint(note, genesis)?;
        }
    }
    Ok(witnessed(report, note, policy))
}

fn open(path: &Path) -> anyhow::Result<Result<Archive, ArchiveError>> {
    let unread = |error: std::io::Error| Failure::Unreachable(format!("{}: {error}", path.display()));
    Ok(Reader::new(BufReader::new(File::open(path).map_err(unread)?)))
}

/// What follows the entries that an earlier audit verified, of those that were read with the last of them. None where the
/// archive doesn't begin with them.
fn after_known(reader: &mut Archive, known: &Frontier) -> Option<Vec<StoredEntry>> {
    let (size, _) = known.parts();
    let bar = progress(Some(size), "entries known");
    let mut frontier = Frontier::default();
    while let Some(entries) = reader.next_entries().ok()? {
        let mut entries = entries.into_iter();
        for entry in entries.by_ref() {
            // The leaf is over the header; the header is over the events.
            let header = wire::decode_header(&entry.header).ok()?;
            let root = root_of_leaves(entry.events.iter().map(|event| leaf_hash(event)));
            if root != header.events_root || entry.index != frontier.parts().0 {
                return None;
            }
            frontier.append(leaf_hash(&entry.leaf()), |_| ());
            if frontier.parts().0 == size {
                bar.finish_and_clear();
                return (frontier == *known).then(|| entries.collect());
            }
        }
        bar.set_position(frontier.parts().0);
    }
    None
}

fn replay(
    reader: &mut Archive,
    mut ahead: Vec<StoredEntry>,
    pin: Option<Pin>,
    memory: &Memory,
    remembered: Remembered,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<(Audit<Scratch>, Report)> {
    let Remembered { pin: known, note, genesis, events, own, replay, old } = remembered;
    let (pinned, start) = (pin.is_some() || known.is_some(), replay.state.size());
    let sizes = note.zip(known.as_ref()).and_then(|(note, known)| signed(&note, known)).map(|(size, _)| size);
    let keys: Keys = replay.state.keys().iter().map(|key| (key.id, key.public_key)).collect();
    let mut audit = match genesis {
        Some(genesis) => Audit::resume(genesis, (replay, events), sizes, old),
        None => Audit::new(pin.or(known), sizes, old),
    };
    let origin = reader.origin().to_owned();
    let bar: ProgressBar = progress(None, "entries");
    let mut saved = start;
    let read = || {
        if *stopped.borrow() {
            return Err(Stop::Source(Failure::Unreachable("interrupted".to_owned()).into()));
        }
        if !ahead.is_empty() {
            return Ok(std::mem::take(&mut ahead));
        }
        reader.next_entries().map(Option::unwrap_or_default).map_err(Stop::Archive)
    };
    let ended = pipeline::run(keys, read, |chunk| {
        audit.take(chunk, |_| Ok(None))?;
        bar.set_position(audit.size());
        if audit.size() >= saved + SAVE_ENTRIES {
            saved = audit.size();
            memory.save(&own, &mut audit).map_err(Stop::Source)?;
        }
        Ok(())
    });
    bar.finish_and_clear();
    if matches!(ended, Err(Stop::Source(_))) && audit.size() > saved {
        memory.save(&own, &mut audit)?;
    }
    let ended = ended.and_then(|()| finish(&audit, &origin, reader.note()));
    let ended = match ended {
        Err(Stop::Archive(damage @ ArchiveError::Damaged { .. })) => {
            // Which of the frame's entries it is, a replay may tell.
            let mut keys: Keys = match audit.replay() {
                Some(replay) => replay.state.keys().iter().map(|key| (key.id, key.public_key)).collect(),
                None => Keys::new(),
            };
            match audit.take(pipeline::prepare(reader.suspect().to_vec(), &mut keys), |_| Ok(None)) {
                Err(AuditError::Found(finding)) => Err(Stop::Audit(AuditError::Found(finding))),
                Ok(_) | Err(AuditError::Io(_)) => Err(Stop::Archive(damage)),
            }
        }
        ended => ended,
    };
    let report = outcome(&audit, (pinned, start), ended)?;
    if report.is_verified() {
        memory.save(&own, &mut audit)?;
    }
    Ok((audit, report))
}

fn finish(audit: &Audit<Scratch>, origin: &str, note: Option<&str>) -> Result<(u64, Hash), Stop> {
    let named = audit.genesis().map(|genesis| genesis.ledger_key.name());
    match (named, note) {
        (Some(found), _) if found != origin => {
            let (what, expected, found) = ("origin", origin.to_owned(), found.to_owned());
            Err(Stop::Audit(Finding::NotAsPinned { what, expected, found }.into()))
        }
        (_, Some(note)) => Ok(audit.finish(note)?),
        (_, None) => Err(Stop::Audit(Finding::GenesisMissing.into())),
    }
}

/// Whether the archive's ledger signed another history than an earlier audit verified. An archive that is shorter may just be
/// older.
fn taken_back(
    path: &Path,
    memory: &Memory,
    (kept, known): (&str, &Pin),
    note: &str,
    audit: &Audit<Scratch>,
) -> anyhow::Result<Option<Divergence>> {
    let Some((size, root)) = signed(kept, known) else { return Ok(None) };
    let Some(own) = audit.root_at(size).filter(|own| own.as_slice() != root) else { return Ok(None) };
    let path_there = path_through(path, size, audit.size())?;
    let (ledger, old, new) = (known.ledger_key.clone(), kept.to_owned(), note.to_owned());
    let file = memory.keep_evidence(&CheckpointPair { ledger, path: path_there, old, new })?;
    let message = format!(
        "the first {size} entries are not those of the checkpoint that the last audit verified: the ledger signed two \
         histories. {}",
        show_evidence(&file)
    );
    Ok(Some(Divergence::of_memory("Forked", message, hex::encode(root), Some(hex::encode(own)))))
}

/// The path from the archive's first `old` entries to all of them: hashed once more, few of the tree's nodes kept.
fn path_through(path: &Path, old: u64, new: u64) -> anyhow::Result<Vec<Hash>> {
    let mut nodes: BTreeMap<u64, Hash> = BTreeMap::new();
    let wanted = |level, index| {
        nodes.insert(stored_hash_number(level, index), Hash::default());
        Ok::<_, anyhow::Error>(Hash::default())
    };
    consistency_path(old, new, wanted)?;
    let (mut reader, mut frontier, mut number) = (open(path)??, Frontier::default(), 0);
    while let Some(entries) = reader.next_entries()? {
        for entry in entries {
            frontier.append(leaf_hash(&entry.leaf()), |hash| {
                if let Some(node) = nodes.get_mut(&number) {
                    *node = hash;
                }
                number += 1;
            });
        }
    }
    let node = |level, index| Ok(nodes.get(&stored_hash_number(level, index)).copied().unwrap_or_default());
    consistency_path(old, new, node)
}
