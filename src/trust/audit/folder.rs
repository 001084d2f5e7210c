//! The audit of a data folder that nobody serves, tree and all. One that was interrupted goes on where it was; entries that
//! were verified before are only hashed.

use super::{
    Audit, AuditReport, Auditor, Discrepancy, MemoryFolder, Pin, Unjudged,
    judge::{outcome, remember, until_judged, witnessed},
    kept::{KeptHistory, signed},
    memory::{Begin, Memory, SourceKind, StateSlot},
    state::{Remembered, Resumed},
    stop::Stop,
};
use crate::{
    engine::{log::Log, pipeline, progress::Work, projection::Projection, store::StoreError, tree::Tree},
    format::checkpoint::Checkpoint,
    merkle::{Hash, stored_hash_count},
};

/// What there is to audit in a data folder.
pub struct FolderLog<'a> {
    /// The log.
    pub log: &'a dyn Log,
    /// The hashes of its tree as the folder keeps them, if it does.
    pub tree: Option<Tree>,
    /// The newest signed checkpoint.
    pub note: String,
    /// What is kept as the newest one that witnesses cosigned. Where the ledger didn't sign it, it was damaged and is left out:
    /// it accuses nobody, and witnesses can be asked again.
    pub cosigned: Option<Vec<u8>>,
}

impl std::fmt::Debug for FolderLog<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FolderLog").field("note", &self.note).finish_non_exhaustive()
    }
}

/// Told where the file is of no use, as `fsck` and a start tell it.
const COSIGNED_DAMAGED: &str = "the file cosigned is left out: this ledger did not sign what it holds, so it is damaged. Delete \
                                it: witnesses are asked again";

type Unaudited = Unjudged<StoreError>;

/// Audits a data folder, from what is remembered on, and from the beginning where that doesn't pass.
///
/// # Errors
/// Nothing could be judged.
pub fn audit(log: &FolderLog, auditor: &Auditor) -> Result<AuditReport, Unaudited> {
    until_judged(auditor, |folder, begin| log.attempt(auditor, (folder, begin)))
}

impl FolderLog<'_> {
    /// None where this auditor's own files turn out to be damaged.
    fn attempt(
        &self,
        auditor: &Auditor,
        (folder, begin): (&MemoryFolder, Begin),
    ) -> Result<Option<AuditReport>, Unaudited> {
        // A checkpoint that is none comes to light at the end.
        let origin = Checkpoint::unverified(self.note.as_bytes()).map_or_else(String::new, |note| note.origin);
        let mut memory = Memory::new(folder, &origin, SourceKind::Folder)?;
        let mut kept = KeptHistory::open(&mut memory, &origin, auditor.pin)?;
        let expected = kept.expected(auditor.pin);
        let remembered = self.begin_with((&mut memory, begin), &origin, expected.as_ref(), auditor)?;
        let notes = [Some(self.note.as_bytes()), self.cosigned.as_deref()];
        let sizes = notes.into_iter().flatten().filter_map(|note| Some(Checkpoint::unverified(note)?.size));
        let resumed = remembered.resume(expected, sizes.chain(kept.size())).map_err(Unjudged::own_files)?;
        let is_pinned = auditor.pin.is_some() || kept.is_pinned;
        let (mut audit, own, report) = self.replay(&memory, resumed, is_pinned, auditor)?;
        let cosigned = self.cosigned(&audit);
        // Where the checkpoint isn't this ledger's either, it may be the log that was swapped.
        let is_its_folder = audit.genesis().is_some_and(|genesis| signed(&self.note, genesis).is_some());
        let is_damaged = is_its_folder && self.cosigned.is_some() && cosigned.is_none();
        let left_out = is_damaged.then_some(COSIGNED_DAMAGED);
        let report = remember(auditor, &memory, (&mut kept, &own), (&self.note, &mut audit), report)?;
        memory.discard();
        let shown = cosigned.filter(|_| auditor.policy.is_some()).unwrap_or(&self.note);
        let report = report.map(|report| report.leaving_out(left_out));
        Ok(report.map(|report| witnessed(auditor, shown, report).remembered(memory.condition())))
    }

    /// The cosigned checkpoint, if the ledger that was audited signed it.
    fn cosigned(&self, audit: &Audit) -> Option<&str> {
        let note = std::str::from_utf8(self.cosigned.as_deref()?).ok()?;
        signed(note, audit.genesis()?).map(|_whole| note)
    }

    /// A hash that the folder keeps of the tree under its checkpoint, all of which was synced before that was signed. Nothing
    /// where it keeps none: a start that was cut off leaves fewer, or zeros where a power cut took what it was writing again, and
    /// the next one makes them again.
    fn kept(&self, number: u64) -> Option<Hash> {
        let signed = Checkpoint::unverified(self.note.as_bytes())?.size;
        let tree = self.tree.as_ref()?;
        let kept = stored_hash_count(signed.min(tree.size()));
        if number < kept { tree.hash(number).ok().filter(|hash| *hash != Hash::default()) } else { None }
    }

    /// The state that the folder's log continues, or one at the beginning.
    fn begin_with(
        &self,
        (memory, begin): (&mut Memory, Begin),
        origin: &str,
        expected: Option<&Pin>,
        auditor: &Auditor,
    ) -> Result<Remembered, Unaudited> {
        let log = self.log;
        for slot in StateSlot::BOTH {
            let Some(remembered) = memory.open(slot, origin, begin) else { continue };
            let start = remembered.size();
            if start == 0 {
                return Ok(remembered);
            }
            if !remembered.is_of(expected) || log.size() < start {
                continue;
            }
            let mut next = 0;
            let known = || {
                let entries = log.entries(next, pipeline::CHUNK_BYTES).ok()?;
                next += entries.len() as u64;
                Some(entries)
            };
            let node = |number, hash| self.kept(number).is_none_or(|kept| kept == hash);
            if remembered.follow(auditor, known, node)?.is_some() {
                return Ok(remembered);
            }
        }
        memory.begin(origin).map_err(Unjudged::own_files)
    }

    fn replay(
        &self,
        memory: &Memory,
        mut resumed: Resumed,
        is_pinned: bool,
        auditor: &Auditor,
    ) -> Result<(Audit, Projection, AuditReport), Unaudited> {
        let log = self.log;
        let mut next = resumed.start;
        let read = || {
            auditor.refuse_if_stopped()?;
            let entries = if next < log.size() { log.entries(next, pipeline::CHUNK_BYTES) } else { Ok(Vec::new()) };
            let entries = entries.map_err(|problem| {
                if matches!(problem, StoreError::Corrupt { .. }) {
                    Stop::Found(Box::new(Discrepancy::LogDamaged { index: next, problem }))
                } else {
                    Stop::Source(problem)
                }
            })?;
            next += entries.len() as u64;
            Ok(entries)
        };
        let node = |number| Ok(self.kept(number));
        let ended = memory.replay(&mut resumed, read, |audit, _own, chunk| {
            audit.take(chunk, node)?;
            auditor.tell(Work::Entries, audit.size(), Some(log.size()))?;
            Ok(())
        });
        auditor.progress.ended();
        let Resumed { audit, own, start, .. } = resumed;
        let ended = ended.and_then(|()| {
            if let Some(cosigned) = self.cosigned(&audit) {
                audit.finish(cosigned)?;
            }
            Ok(audit.finish(&self.note)?)
        });
        let report = outcome(&audit, (is_pinned, start), ended)?;
        Ok((audit, own, report))
    }
}
