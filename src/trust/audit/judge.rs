//! What is made of a source that was replayed: held against what is remembered of its ledger and what witnesses cosigned,
//! and audited again where this auditor's own files may be what is wrong.

use super::{
    Audit, AuditError, AuditReport, Auditor, Discrepancy, MemoryFolder, Unjudged,
    kept::{Compared, KeptHistory, Whole},
    memory::{Begin, Memory},
    stop::Stop,
};
use crate::{
    engine::projection::{Projection, ProjectionError},
    format::{archive::ArchiveError, checkpoint::Note},
};

/// Audits from what is remembered on. Where that doesn't pass, from the beginning: what is remembered may be damaged, and
/// nobody is accused because of that. Where the files of the memory fail meanwhile, all of it is done without them.
///
/// `attempt` gives none where this auditor's own files turn out to be damaged.
pub(super) fn until_judged<E: std::error::Error>(
    auditor: &Auditor,
    mut attempt: impl FnMut(&MemoryFolder, Begin) -> Result<Option<AuditReport>, Unjudged<E>>,
) -> Result<AuditReport, Unjudged<E>> {
    let mut audit = |folder: &MemoryFolder| match attempt(folder, Begin::Remembered) {
        Ok(Some(report)) if !report.may_be_my_fault() => Ok(report),
        // Rows of its own that are damaged are made again as well.
        Ok(Some(_) | None) | Err(Unjudged::Projection(ProjectionError::Corrupt { .. })) => {
            attempt(folder, Begin::Genesis)?.ok_or(Unjudged::Unfit)
        }
        Err(error) => Err(error),
    };
    match audit(auditor.memory) {
        Err(error @ Unjudged::OwnFiles(_)) => match auditor.memory.left_alone(&error) {
            Some(folder) => audit(&folder),
            None => Err(error),
        },
        judged => judged,
    }
}

/// A report of what was found, or an error where nothing could be judged. `known`: whether the identity came from outside,
/// and how many entries were replayed before.
pub(super) fn outcome<E>(
    audit: &Audit,
    known: (bool, u64),
    ended: Result<Whole, Stop<E>>,
) -> Result<AuditReport, Unjudged<E>> {
    let found = |found: Discrepancy| Ok(AuditReport::new(audit, known, Err(found)));
    match ended {
        Ok(verified) => Ok(AuditReport::new(audit, known, Ok(verified))),
        Err(Stop::Audit(AuditError::Found(finding))) => found((*finding).into()),
        Err(Stop::Audit(AuditError::Io(error))) => Err(Unjudged::own_files(error)),
        Err(Stop::Archive(error @ ArchiveError::Io { .. })) => Err(Unjudged::Archive(error)),
        Err(Stop::Archive(error)) => found(Discrepancy::ArchiveDamaged(error)),
        Err(Stop::Found(discrepancy)) => found(*discrepancy),
        Err(Stop::Source(error)) => Err(Unjudged::Source(error)),
        Err(Stop::Interrupted(interrupted)) => Err(interrupted.into()),
    }
}

/// Holds a source that is sound by itself against what is remembered of its ledger, and remembers it. None where
/// this auditor's own files turn out to be damaged.
pub(super) fn remember<E>(
    auditor: &Auditor,
    memory: &Memory,
    (kept, own): (&mut KeptHistory, &Projection),
    (note, audit): (&str, &mut Audit),
    report: AuditReport,
) -> Result<Option<AuditReport>, Unjudged<E>> {
    let Some(whole) = report.verified() else {
        let entry = if report.is_other_history() { kept.first_other(memory, audit) } else { None };
        return Ok(Some(report.naming(entry)));
    };
    match kept.compare(memory, (note, whole), audit).map_err(Unjudged::own_files)? {
        Compared::Fits => {
            memory.save(own, audit);
            kept.replace(memory, (note, whole), audit, auditor);
            memory.promote();
            Ok(Some(report))
        }
        Compared::Older(older) => {
            if let Some(genesis) = audit.genesis() {
                kept.remember_pin(memory, genesis, auditor.pin);
            }
            memory.save_shorter(own, audit);
            Ok(Some(report.older(older)))
        }
        Compared::Forked(found) => Ok(Some(report.with(*found))),
        Compared::Unfit => Ok(None),
    }
}

/// Whether the witnesses that the auditor asks for have cosigned a checkpoint that was verified.
pub(super) fn witnessed(auditor: &Auditor, note: &str, report: AuditReport) -> AuditReport {
    let (true, Some(policy)) = (report.is_verified(), auditor.policy) else { return report };
    let satisfied = Note::parse(note.as_bytes())
        .map_err(|error| error.to_string())
        .and_then(|note| policy.satisfied(&note).map(|_names| ()).map_err(|error| error.to_string()));
    match satisfied {
        Ok(()) => report,
        Err(problem) => report.with(Discrepancy::WitnessesMissing(problem)),
    }
}
