//! The audit of an archive. One that was interrupted goes on where it was; entries that were verified before are only hashed.

use std::{fs::File, io::BufReader, path::Path};

use indicatif::ProgressBar;
use tokio::sync::watch;

use super::{
    Stop,
    kept::Kept,
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
        pipeline::{self, Keys},
        projection::Projection,
        store::StoredEntry,
    },
    format::{
        archive::{ArchiveError, Reader},
        checkpoint::policy::WitnessPolicy,
    },
    merkle::Hash,
    trust::audit::{Audit, AuditError, AuditReport, Finding, Pin, Scratch},
};

type Archive = Reader<BufReader<File>>;

/// Audits an archive, from what is remembered on, and from the beginning where that doesn't pass: see the audit of a server.
pub(super) fn audit(
    path: &Path,
    pin: Option<&Pin>,
    policy: Option<&WitnessPolicy>,
    place: &Place,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<AuditReport> {
    let report = attempt(path, pin, policy, (place, Begin::Remembered), stopped)?;
    if let Some(report) = report.filter(|report| !report.may_be_my_fault()) {
        return Ok(report);
    }
    attempt(path, pin, policy, (place, Begin::Genesis), stopped)?.ok_or_else(unfit)
}

/// None where this auditor's own files turn out to be damaged.
fn attempt(
    path: &Path,
    pin: Option<&Pin>,
    policy: Option<&WitnessPolicy>,
    (place, begin): (&Place, Begin),
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Option<AuditReport>> {
    let reader = match open(path)? {
        Ok(reader) => reader,
        Err(error) => {
            let known = (pin.is_some(), 0);
            return outcome(&Audit::new(pin.cloned(), None, Scratch::new()?), known, Err(Stop::Archive(error)))
                .map(Some);
        }
    };
    let mut memory = Memory::new(place, reader.origin(), Kind::Archive)?;
    let mut kept = Kept::open(&mut memory, reader.origin(), pin)?;
    let expected = kept.expected(pin);
    let found = begin_with(path, reader, (&mut memory, begin), expected.as_ref(), stopped)?;
    let Found { mut reader, remembered, ahead } = found;
    let resumed = remembered.resume(expected, kept.size()).map_err(own_files)?;
    let is_pinned = pin.is_some() || kept.is_pinned;
    let (mut audit, own, report) = replay(&mut reader, ahead, is_pinned, &memory, resumed, stopped)?;
    let note = reader.note().unwrap_or_default();
    let report = remember(&memory, (&mut kept, &own), (pin, stopped), (note, &mut audit), report)?;
    memory.discard();
    Ok(report.map(|report| witnessed(report, note, policy).remembered(memory.condition())))
}

/// An archive, and a state of its own beginning.
struct Found {
    reader: Archive,
    remembered: Remembered,
    /// Entries that were read already, and come after it.
    ahead: Vec<StoredEntry>,
}

/// The state that an archive continues, or one at the beginning.
fn begin_with(
    path: &Path,
    mut reader: Archive,
    (memory, begin): (&mut Memory, Begin),
    expected: Option<&Pin>,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Found> {
    let origin = reader.origin().to_owned();
    for slot in Slot::BOTH {
        let Some(remembered) = memory.open(slot, &origin, begin) else { continue };
        if remembered.size() == 0 {
            return Ok(Found { reader, remembered, ahead: Vec::new() });
        }
        if !remembered.is_of(expected) {
            continue;
        }
        let next = || reader.next_entries().ok()?;
        if let Some(ahead) = remembered.follow(stopped, next, |_, _| true)? {
            return Ok(Found { reader, remembered, ahead });
        }
        // Another history, a shorter one, or damage: all of it is looked at.
        reader = open(path)?.map_err(|error| Failure::Unreachable(error.to_string()))?;
    }
    let remembered = memory.begin(&origin).map_err(own_files)?;
    Ok(Found { reader, remembered, ahead: Vec::new() })
}

fn open(path: &Path) -> anyhow::Result<Result<Archive, ArchiveError>> {
    let unread = |error: std::io::Error| Failure::Unreachable(format!("{}: {error}", path.display()));
    Ok(Reader::new(BufReader::new(File::open(path).map_err(unread)?)))
}

fn replay(
    reader: &mut Archive,
    mut ahead: Vec<StoredEntry>,
    is_pinned: bool,
    memory: &Memory,
    mut resumed: Resumed,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<(Audit, Projection, AuditReport)> {
    let origin = reader.origin().to_owned();
    let bar: ProgressBar = progress(None, "entries");
    let read = || {
        refuse_if(stopped).map_err(Stop::Source)?;
        if !ahead.is_empty() {
            return Ok(std::mem::take(&mut ahead));
        }
        reader.next_entries().map(Option::unwrap_or_default).map_err(Stop::Archive)
    };
    let ended = memory.replay(&mut resumed, read, |audit, _own, chunk| {
        audit.take(chunk, |_| Ok(None))?;
        bar.set_position(audit.size());
        Ok(())
    });
    bar.finish_and_clear();
    let Resumed { mut audit, own, start, .. } = resumed;
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
    let report = outcome(&audit, (is_pinned, start), ended)?;
    Ok((audit, own, report))
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
