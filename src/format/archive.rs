//! A log in one file: what an auditor replays and what a ledger is restored from. `docs/archive.md` has it byte by byte.
//!
//! Every byte is covered by a check of [`Reader`] alone, which needs no key for that: frames hash their contents and the
//! frame before, the trailer hashes the last one, and itself. That shows damage, not forgery; against that stand the
//! signatures of sheets and checkpoint, which whoever replays the entries verifies.

mod frame;
mod reader;
mod writer;

use std::fmt;

pub use self::{reader::Reader, writer::Writer};
use crate::format::checkpoint::{Checkpoint, Note};

/// Bytes of entries in a frame, before compression. The largest entry, 1,000 events of 1 KiB with their lengths, is
/// 1,027,561 bytes, so that any fits; larger frames would compress no better, as LZ4 looks back 64 KiB.
pub const FRAME_BYTES_MAX: usize = 1_024 * 1_024;

/// Part of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// What the file begins with.
    Header,
    /// Whole entries, as many as fit in [`FRAME_BYTES_MAX`], compressed as one.
    Frame {
        /// Counted from 0.
        number: u64,
        /// Index of its first entry.
        first_index: u64,
    },
    /// What the file ends with.
    Trailer,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Frame { number, first_index } => write!(f, "frame {number} (entries from {first_index} on)"),
            Self::Trailer => f.write_str("trailer"),
        }
    }
}

/// Why an archive is refused, or can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file can't be read or written.
    #[error("the archive's {place}: {source}")]
    Io {
        /// The part that was being read or written.
        place: Place,
        /// From whatever the archive is read from or written to.
        source: std::io::Error,
    },
    /// It begins with other bytes.
    #[error("this is no archive of a timebank ledger: it begins with other bytes than one does")]
    NotAnArchive,
    /// It was written by a newer program.
    #[error(
        "the archive has format {found}, this program reads format 1: use the program that wrote it, or a newer one"
    )]
    FormatUnknown {
        /// The byte after the 16 that every archive begins with.
        found: u8,
    },
    /// It ends too early.
    #[error("the archive is cut off: it ends within its {place}. Get it again, whole")]
    CutOff {
        /// Where it ends.
        place: Place,
    },
    /// Its bytes are not those that were written.
    #[error("the archive's {place} is damaged: {problem}. Get the archive again")]
    Damaged {
        /// The first part that fails a check: all before it is sound.
        place: Place,
        /// A clause about that part, such as `its origin is none`.
        problem: &'static str,
    },
    /// The trailer is followed by something.
    #[error("the archive goes on after its end: remove what was added, or get it again")]
    TrailingBytes,
    /// The checkpoint is not over these entries.
    #[error("the archive's checkpoint is {found}, but the archive holds {expected}")]
    CheckpointOfOther {
        /// What the note says.
        found: String,
        /// What the archive says.
        expected: String,
    },
    /// An entry that doesn't follow the one before it.
    #[error("entry {expected} is missing: {found} came")]
    OutOfPlace {
        /// The next index.
        expected: u64,
        /// Index of the entry that came instead.
        found: u64,
    },
    /// An entry that no ledger takes in.
    #[error("entry {index} has a part that is longer than any ledger takes")]
    EntryTooLarge {
        /// Position of the entry in the log.
        index: u64,
    },
}

impl ArchiveError {
    /// The first entry that can't be vouched for, where it is known.
    #[must_use]
    pub const fn first_index(&self) -> Option<u64> {
        match self {
            Self::Io { place, .. } | Self::CutOff { place } | Self::Damaged { place, .. } => match place {
                Place::Frame { first_index, .. } => Some(*first_index),
                Place::Header | Place::Trailer => None,
            },
            Self::OutOfPlace { expected, .. } => Some(*expected),
            Self::EntryTooLarge { index } => Some(*index),
            Self::NotAnArchive | Self::FormatUnknown { .. } | Self::TrailingBytes | Self::CheckpointOfOther { .. } => {
                None
            }
        }
    }
}

/// That a note is a checkpoint of this log at this size. Who signed it isn't looked at: that takes the ledger's key.
fn check_note(origin: &str, count: u64, note: &str) -> Result<(), ArchiveError> {
    let damaged = |problem| ArchiveError::Damaged { place: Place::Trailer, problem };
    let parsed = Note::parse(note.as_bytes()).map_err(|_malformed| damaged("its checkpoint is no signed note"))?;
    let checkpoint =
        Checkpoint::parse(parsed.text()).map_err(|_malformed| damaged("its signed note is no checkpoint"))?;
    if checkpoint.origin == origin && checkpoint.size == count {
        return Ok(());
    }
    let describe = |origin: &str, count: u64| format!("of {count} entries of {origin}");
    let (found, expected) = (describe(&checkpoint.origin, checkpoint.size), describe(origin, count));
    Err(ArchiveError::CheckpointOfOther { found, expected: expected.replacen("of ", "", 1) })
}

#[cfg(test)]
mod tests;
