//! The audit of a data folder that nobody serves, tree and all. One that was interrupted goes on where it was; entries that
//! were verified before are only hashed.

use std::path::Path;

use tokio::sync::watch;

use super::{
    Stop,
    kept::Kept,
    memory::{Begin, Kind, Memory, Slot},
    outcome, own_files,
    place::Place,
    refuse_if, remember,
    state::{Remembered, Resumed},
    unfit, unreadable, witnessed,
};
use crate::{
    cli::{
        output::{progress, usage},
        source::Source,
    },
    engine::{
        pipeline,
        projection::Projection,
        store::{CheckpointFile, LogStore, SledStore, StoreError},
    },
    format::checkpoint::{Checkpoint, policy::WitnessPolicy},
    trust::audit::{Audit, AuditReport, Discrepancy, Pin},
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
    place: &Place,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<AuditReport> {
    let (source, note) = Source::folder(data).map_err(unreadable)?;
    let Source::Folder(store) = source else { return Err(usage("--data: not a folder")) };
    let cosigned = CheckpointFile::new(data.join("cosigned")).read().map_err(|error| unreadable(error.into()))?;
    let cosigned = cosigned.filter(|cosigned| !cosigned.is_empty());
    // A checkpoint that is none comes to light at the end.
    let origin = Checkpoint::unverified(note.as_bytes()).map_or_else(String::new, |checkpoint| checkpoint.origin);
    let folder = Folder { store: &store, origin, note, cosigned };
    let report = folder.attempt(pin, policy, (place, Begin::Remembered), stopped)?;
    if let Some(report) = report.filter(|report| !report.may_be_my_fault()) {
        return Ok(report);
    }
    folder.attempt(pin, policy, (place, Begin::Genesis), stopped)?.ok_or_else(unfit)
}

impl Folder<'_> {
    /// None where this auditor's own files turn out to be damaged.
    fn attempt(
        &self,
        pin: Option<&Pin>,
        policy: Option<&WitnessPolicy>,
        (place, begin): (&Place, Begin),
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<Option<AuditReport>> {
        let mut memory = Memory::new(place, &self.origin, Kind::Folder)?;
        let mut kept = Kept::open(&mut memory, &self.origin, pin)?;
        let expected = kept.expected(pin);
        let remembered = self.begin_with((&mut memory, begin), expected.as_ref(), stopped)?;
        let notes = [Some(&self.note), self.cosigned.as_ref()];
        let sizes = notes.into_iter().flatten().filter_map(|note| Some(Checkpoint::unverified(note.as_bytes())?.size));
        let resumed = remembered.resume(expected, sizes.chain(kept.size())).map_err(own_files)?;
        let is_pinned = pin.is_some() || kept.is_pinned;
        let (mut audit, own, report) = self.replay(&memory, resumed, is_pinned, stopped)?;
        let report = remember(&memory, (&mut kept, &own), (pin, stopped), (&self.note, &mut audit), report)?;
        memory.discard();
        let shown = self.cosigned.as_ref().filter(|_| policy.is_some()).unwrap_or(&self.note);
        Ok(report.map(|report| witnessed(report, shown, policy).remembered(memory.condition())))
    }

    /// The state that the folder's log continues, or one at the beginning.
    fn begin_with(
        &self,
        (memory, begin): (&mut Memory, Begin),
        expected: Option<&Pin>,
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<Remembered> {
        let store = self.store;
        for slot in Slot::BOTH {
            let Some(remembered) = memory.open(slot, &self.origin, begin) else { continue };
            let start = remembered.size();
            if start == 0 {
                return Ok(remembered);
            }
            if !remembered.is_of(expected) || store.size() < start {
                continue;
            }
            let mut next = 0;
            let known = || {
                let entries = store.entries(next, pipeline::CHUNK_BYTES).ok()?;
                next += entries.len() as u64;
                Some(entries)
            };
            let node = |number, hash| store.tree_hash(number).ok().flatten() == Some(hash);
            if remembered.follow(stopped, known, node)?.is_some() {
                return Ok(remembered);
            }
        }
        memory.begin(&self.origin).map_err(own_files)
    }

    fn replay(
        &self,
        memory: &Memory,
        mut resumed: Resumed,
        is_pinned: bool,
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<(Audit, Projection, AuditReport)> {
        let store = self.store;
        let bar = progress(Some(store.size()), "entries");
        let mut next = resumed.start;
        let read = || {
            refuse_if(stopped).map_err(Stop::Source)?;
            let entries = if next < store.size() { store.entries(next, pipeline::CHUNK_BYTES) } else { Ok(Vec::new()) };
            let entries = entries.map_err(|problem| {
                if matches!(problem, StoreError::Corrupt { .. }) {
                    Stop::Found(Box::new(Discrepancy::LogDamaged { index: next, problem }))
                } else {
                    Stop::Source(problem.into())
                }
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
        });
        bar.finish_and_clear();
        let Resumed { audit, own, start, .. } = resumed;
        let ended = ended.and_then(|()| {
            if let Some(cosigned) = &self.cosigned {
                audit.finish(cosigned)?;
            }
            Ok(audit.finish(&self.note)?)
        });
        let report = outcome(&audit, (is_pinned, start), ended)?;
        Ok((audit, own, report))
    }
}
