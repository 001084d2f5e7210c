//! The audit of an archive. One that was interrupted goes on where it was; entries that were verified before are only hashed.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use super::{
    Audit, AuditError, AuditReport, Auditor, Finding, MemoryError, MemoryFolder, Pin, Scratch, Unjudged,
    judge::{outcome, remember, until_judged, witnessed},
    kept::{KeptHistory, Whole},
    memory::{Begin, Memory, SourceKind, StateSlot},
    state::{Remembered, Resumed},
    stop::Stop,
};
use crate::{
    engine::{
        log::StoredEntry,
        pipeline::{self, KnownKeys},
        progress::Work,
        projection::Projection,
    },
    format::archive::{ArchiveError, Reader},
};

type Archive = Reader<BufReader<File>>;

/// The file of an archive can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct NotOpened {
    /// The file that was named.
    pub path: PathBuf,
    /// What the file system says.
    pub source: io::Error,
}

type Unaudited = Unjudged<NotOpened>;

/// Audits an archive, from what is remembered on, and from the beginning where that doesn't pass.
///
/// # Errors
/// Nothing could be judged.
pub fn audit(path: &Path, auditor: &Auditor) -> Result<AuditReport, Unaudited> {
    until_judged(auditor, |folder, begin| attempt(path, auditor, (folder, begin)))
}

/// None where this auditor's own files turn out to be damaged.
fn attempt(
    path: &Path,
    auditor: &Auditor,
    (folder, begin): (&MemoryFolder, Begin),
) -> Result<Option<AuditReport>, Unaudited> {
    let pin = auditor.pin;
    let reader = match open(path)? {
        Ok(reader) => reader,
        Err(error) => {
            let scratch = Scratch::new().map_err(MemoryError::Temporary)?;
            let audit = Audit::new(pin.cloned(), None, scratch);
            return outcome(&audit, (pin.is_some(), 0), Err(Stop::Archive(error))).map(Some);
        }
    };
    let mut memory = Memory::new(folder, reader.origin(), SourceKind::Archive)?;
    let mut kept = KeptHistory::open(&mut memory, reader.origin(), pin)?;
    let expected = kept.expected(pin);
    let opened = begin_with(path, reader, (&mut memory, begin), expected.as_ref(), auditor)?;
    let Opened { mut reader, remembered, ahead } = opened;
    let resumed = remembered.resume(expected, kept.size()).map_err(Unjudged::own_files)?;
    let is_pinned = pin.is_some() || kept.is_pinned;
    let (mut audit, own, report) = replay(&mut reader, ahead, is_pinned, &memory, resumed, auditor)?;
    let note = reader.note().unwrap_or_default();
    let report = remember(auditor, &memory, (&mut kept, &own), (note, &mut audit), report)?;
    memory.discard();
    Ok(report.map(|report| witnessed(auditor, note, report).remembered(memory.condition())))
}

/// An archive, and a state of its own beginning.
struct Opened {
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
    auditor: &Auditor,
) -> Result<Opened, Unaudited> {
    let origin = reader.origin().to_owned();
    for slot in StateSlot::BOTH {
        let Some(remembered) = memory.open(slot, &origin, begin) else { continue };
        if remembered.size() == 0 {
            return Ok(Opened { reader, remembered, ahead: Vec::new() });
        }
        if !remembered.is_of(expected) {
            continue;
        }
        let next = || reader.next_entries().ok()?;
        if let Some(ahead) = remembered.follow(auditor, next, |_, _| true)? {
            return Ok(Opened { reader, remembered, ahead });
        }
        // Another history, a shorter one, or damage: all of it is looked at.
        reader = open(path)?.map_err(Unjudged::Archive)?;
    }
    let remembered = memory.begin(&origin).map_err(Unjudged::own_files)?;
    Ok(Opened { reader, remembered, ahead: Vec::new() })
}

fn open(path: &Path) -> Result<Result<Archive, ArchiveError>, Unaudited> {
    let file = File::open(path).map_err(|source| Unjudged::Source(NotOpened { path: path.to_owned(), source }))?;
    Ok(Reader::new(BufReader::new(file)))
}

fn replay(
    reader: &mut Archive,
    mut ahead: Vec<StoredEntry>,
    is_pinned: bool,
    memory: &Memory,
    mut resumed: Resumed,
    auditor: &Auditor,
) -> Result<(Audit, Projection, AuditReport), Unaudited> {
    let origin = reader.origin().to_owned();
    let read = || {
        auditor.refuse_if_stopped()?;
        if !ahead.is_empty() {
            return Ok(std::mem::take(&mut ahead));
        }
        reader.next_entries().map(Option::unwrap_or_default).map_err(Stop::Archive)
    };
    let ended = memory.replay(&mut resumed, read, |audit, _own, chunk| {
        audit.take(chunk, |_| Ok(None))?;
        auditor.tell(Work::Entries, audit.size(), None)?;
        Ok(())
    });
    auditor.progress.ended();
    let Resumed { mut audit, own, start, .. } = resumed;
    let ended = ended.and_then(|()| finish(&audit, &origin, reader.note()));
    let ended = match ended {
        Err(Stop::Archive(damage @ ArchiveError::Damaged { .. })) => {
            // Which of the frame's entries it is, a replay may tell.
            let mut keys: KnownKeys = match audit.replay() {
                Some(replay) => KnownKeys::of(replay.state.version()),
                None => KnownKeys::default(),
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

fn finish(audit: &Audit, origin: &str, note: Option<&str>) -> Result<Whole, Stop<NotOpened>> {
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
