//! The audit of a data folder that nobody serves, tree and all. One that was interrupted goes on where it was; entries that
//! were verified before are only hashed.

use std::path::Path;

use tokio::sync::watch;

use super::{
    Stop,
    memory::{Begin, Kind, Memory, Resumed},
    outcome, refuse_if,
    report::{Divergence, Report},
    unreadable, witnessed,
};
use crate::{
    audit::Pin,
    checkpoint::policy::WitnessPolicy,
    cli::{
        checkpoint::parsed,
        output::{progress, usage},
        source::Source,
    },
    merkle::consistency_path,
    pipeline,
    store::{CheckpointFile, LogStore, SledStore, StoreError},
};

/// What there is to audit.
struct Folder<'a> {
    store: &'a SledStore,
    origin: String,
    /// The newest signed checkpoint, and the newest cosigned one.
    note: String,
    cosigned: Option<String>,
}

/// Audits a data folder, from what is remembered on, and from the beginning where that doesn't pass: see the audit of a
/// server.
pub(super) fn audit(
    data: &Path,
    pin: Option<&Pin>,
    policy: Option<&WitnessPolicy>,
    memory: &Path,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Report> {
    let (source, note) = Source::folder(data).map_err(unreadable)?;
    let Source::Folder(store) = source else { return Err(usage("--data: not a folder")) };
    let cosigned = CheckpointFile::new(data.join("cosigned")).read().map_err(|error| unreadable(error.into()))?;
    let cosigned = cosigned.filter(|cosigned| !cosigned.is_empty());
    // A checkpoint that is none comes to light at the end.
    let origin = parsed(&note).map_or_else(String::new, |checkpoint| checkpoint.origin);
    let folder = Folder { store: &store, origin, note, cosigned };
    let report = folder.attempt(pin.cloned(), policy, (memory, Begin::Remembered), stopped)?;
    if !report.may_be_my_fault() {
        return Ok(report);
    }
    folder.attempt(pin.cloned(), policy, (memory, Begin::Genesis), stopped)
}

impl Folder<'_> {
    fn attempt(
        &self,
        pin: Option<Pin>,
        policy: Option<&WitnessPolicy>,
        (memory, begin): (&Path, Begin),
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<Report> {
        let store = self.store;
        let memory = Memory::new(memory, &self.origin, Kind::Folder, pin.as_ref())?;
        let mut remembered = memory.open(&self.origin)?;
        let start = remembered.replay.state.size();
        if start > 0 {
            let is_pinned = pin.as_ref().is_none_or(|pin| remembered.genesis.as_ref() == Some(pin));
            let mut next = 0;
            let known = || {
                let entries = (next < start).then(|| store.entries(next, pipeline::CHUNK_BYTES).ok()).flatten()?;
                next += entries.len() as u64;
                Some(entries)
            };
            let node = |number, hash| store.tree_hash(number).ok().flatten() == Some(hash);
            if !is_pinned || begin == Begin::Genesis || remembered.follow(known, node).is_none() {
                remembered = memory.forget_state(remembered, &self.origin)?;
            }
        }
        let kept = remembered.note.clone().zip(remembered.pin.clone());
        let notes = [Some(&self.note), self.cosigned.as_ref()];
        let sizes = notes.into_iter().flatten().filter_map(|note| Some(parsed(note)?.size));
        let mut resumed = remembered.resume(pin, sizes);
        let bar = progress(Some(store.size()), "entries");
        let (_, mut next) = resumed.known;
        let read = || {
            refuse_if(stopped)?;
            let entries = if next < store.size() { store.entries(next, pipeline::CHUNK_BYTES) } else { Ok(Vec::new()) };
            let entries = entries.map_err(|error| {
                let is_damaged = matches!(error, StoreError::Corrupt { .. });
                let damage = || Stop::Claim(Divergence::of_log(next, error.to_string()));
                if is_damaged { damage() } else { Stop::Source(error.into()) }
            })?;
            next += entries.len() as u64;
            Ok(entries)
        };
        let node = |number| match store.tree_hash(number) {
            // One that is missing differs from every hash.
            Ok(hash) => Ok(Some(hash.unwrap_or_default())),
            Err(error) => Err(std::io::Error::other(error)),
        };
        let ended = memory.replay(&mut resumed, read, |audit, _own, chunk| {
            audit.take(chunk, node)?;
            bar.set_position(audit.size());
            Ok(())
        })?;
        bar.finish_and_clear();
        let Resumed { mut audit, own, known, .. } = resumed;
        let ended = ended.and_then(|()| {
            if let Some(cosigned) = &self.cosigned {
                audit.finish(cosigned)?;
            }
            Ok(audit.finish(&self.note)?)
        });
        let report = outcome(&audit, known, ended)?;
        if !report.is_verified() {
            return Ok(report);
        }
        memory.save(&own, &mut audit)?;
        let kept = kept.as_ref().map(|(kept, known)| (kept.as_str(), known));
        let path = |old, new| Ok(consistency_path(old, new, |level, index| store.node(level, index))?);
        if let Some(found) = memory.taken_back(kept, &self.note, &audit, path)? {
            return Ok(report.with(found));
        }
        memory.save_newer_checkpoint(&self.note, &audit)?;
        let shown = self.cosigned.as_ref().filter(|_| policy.is_some()).unwrap_or(&self.note);
        Ok(witnessed(report, shown, policy))
    }
}
