//! The audit of an archive. One that was interrupted goes on where it was; entries that were verified before are only hashed.

use std::{collections::BTreeMap, fs::File, io::BufReader, path::Path};

use indicatif::ProgressBar;
use tokio::sync::watch;

use super::{
    Stop,
    memory::{Begin, Kind, Memory, Remembered, Resumed},
    outcome, refuse_if,
    report::Report,
    witnessed,
};
use crate::{
    archive::{ArchiveError, Reader},
    audit::{Audit, AuditError, Finding, Pin, Scratch},
    checkpoint::policy::WitnessPolicy,
    cli::output::{Failure, progress},
    merkle::{Frontier, Hash, consistency_path, leaf_hash, stored_hash_number},
    pipeline::{self, Keys},
    store::StoredEntry,
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
        let rest = goes_on.then(|| remembered.follow(|| reader.next_entries().ok()?, |_, _| true)).flatten();
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
    if !report.is_verified() {
        return Ok(report);
    }
    let kept = kept.as_ref().map(|(kept, known)| (kept.as_str(), known));
    if let Some(found) = memory.taken_back(kept, note, &audit, |old, new| path_through(path, old, new))? {
        return Ok(report.with(found));
    }
    memory.save_newer_checkpoint(note, &audit)?;
    Ok(witnessed(report, note, policy))
}

fn open(path: &Path) -> anyhow::Result<Result<Archive, ArchiveError>> {
    let unread = |error: std::io::Error| Failure::Unreachable(format!("{}: {error}", path.display()));
    Ok(Reader::new(BufReader::new(File::open(path).map_err(unread)?)))
}

fn replay(
    reader: &mut Archive,
    mut ahead: Vec<StoredEntry>,
    pin: Option<Pin>,
    memory: &Memory,
    remembered: Remembered,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<(Audit, Report)> {
    let mut resumed = remembered.resume(pin, None);
    let origin = reader.origin().to_owned();
    let bar: ProgressBar = progress(None, "entries");
    let read = || {
        refuse_if(stopped)?;
        if !ahead.is_empty() {
            return Ok(std::mem::take(&mut ahead));
        }
        reader.next_entries().map(Option::unwrap_or_default).map_err(Stop::Archive)
    };
    let ended = memory.replay(&mut resumed, read, |audit, _own, chunk| {
        audit.take(chunk, |_| Ok(None))?;
        bar.set_position(audit.size());
        Ok(())
    })?;
    bar.finish_and_clear();
    let Resumed { mut audit, own, known, .. } = resumed;
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
    let report = outcome(&audit, known, ended)?;
    if report.is_verified() {
        memory.save(&own, &mut audit)?;
    }
    Ok((audit, report))
}

fn finish(audit: &Audit, origin: &str, note: Option<&str>) -> Result<(u64, Hash), Stop> {
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
