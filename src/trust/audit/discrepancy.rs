//! In what a source is not what it has to be: by itself, beside what it answers, or beside what it signed before.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::Finding;
use crate::{engine::store::StoreError, format::archive::ArchiveError, ledger::Refusal, merkle::Hash};

/// What an audit holds against a source. [`Finding`] is the part of it that the entries show by themselves.
#[derive(Debug, thiserror::Error)]
pub enum Discrepancy {
    /// The log doesn't follow from its own entries, or isn't what was signed and pinned.
    #[error("{finding}{}", first_is(*.first_other))]
    Log {
        /// What a replay came upon.
        finding: Finding,
        /// Of a log that is another than the signed one, the first entry that is not the one that was signed, where it
        /// was sought and found.
        first_other: Option<u64>,
    },
    /// The archive's bytes are not those that were written.
    #[error(transparent)]
    ArchiveDamaged(ArchiveError),
    /// A server refuses what its own answers and checkpoint promise, or sends something else.
    #[error("{0}")]
    SourceIncomplete(String),
    /// The store of a data folder's log is damaged.
    #[error("{problem}")]
    LogDamaged {
        /// The first entry that could not be read.
        index: u64,
        /// What the store says.
        problem: StoreError,
    },
    /// The checkpoint lacks cosignatures that the auditor's policy asks for.
    #[error("{0}")]
    WitnessesMissing(String),
    /// The server answers something else than its log adds up to.
    #[error("{problem}")]
    StateDiffers {
        /// The entry as of which the server answered.
        as_of: u64,
        /// What differs, in a sentence.
        problem: String,
        /// What the log says and what the server says, where both are values.
        values: Option<(String, String)>,
    },
    /// The ledger signed two histories.
    #[error("{0}")]
    Forked(Fork),
    /// The ledger shows fewer entries than it signed.
    #[error(
        "the ledger shows {shown} entries; it signed a checkpoint over {signed} that an earlier audit verified: entries were \
         taken back. {comparison}. The checkpoint is kept with what this audit remembers"
    )]
    LogShrank {
        /// Entries that it shows now.
        shown: u64,
        /// Entries of the checkpoint that was verified before.
        signed: u64,
        /// Whether what is shown is the beginning of what was signed, in a sentence without its full stop.
        comparison: String,
    },
    /// The ledger doesn't prove that its log continues what it signed.
    #[error(
        "the ledger does not show that its log over {new_size} entries continues the one over {old_size}, which it signed: \
         {problem}"
    )]
    NotConsistent {
        /// Entries of the older checkpoint.
        old_size: u64,
        /// Entries of the newer one.
        new_size: u64,
        /// The root that the older one signs.
        old_root: Hash,
        /// Why its proof proves nothing.
        problem: String,
    },
}

/// Two checkpoints that a ledger signed and that can't both be true.
#[derive(Debug)]
pub struct Fork {
    /// Entries of the smaller checkpoint, and of the larger.
    pub sizes: (u64, u64),
    /// The root that the history which was verified before has at the smaller size.
    pub expected: Hash,
    /// The root that the other history has there.
    pub found: Hash,
    /// The first entry that differs, where both trees could be asked.
    pub first_other: Option<u64>,
    /// The file that shows it to anybody, or why it could not be written.
    pub evidence: io::Result<PathBuf>,
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new) = self.sizes;
        if old == new {
            write!(f, "its two checkpoints over {new} entries are not over the same entries")?;
        } else {
            write!(
                f,
                "under its checkpoint over {new} entries, the first {old} are not those of its checkpoint over {old}"
            )?;
        }
        if let Some(entry) = self.first_other {
            write!(f, "; the first that differs is entry {entry}")?;
        }
        f.write_str(": the ledger signed two histories")
    }
}

fn first_is(entry: Option<u64>) -> String {
    entry.map_or_else(String::new, |entry| format!(". The first is entry {entry}"))
}

impl From<Finding> for Discrepancy {
    fn from(finding: Finding) -> Self {
        Self::Log { finding, first_other: None }
    }
}

impl Discrepancy {
    /// A stable name, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Log { finding, .. } => finding.code(),
            Self::ArchiveDamaged(_) => "ArchiveDamaged",
            Self::SourceIncomplete(_) => "SourceIncomplete",
            Self::LogDamaged { .. } => "LogDamaged",
            Self::WitnessesMissing(_) => "WitnessesMissing",
            Self::StateDiffers { .. } => "StateDiffers",
            Self::Forked(_) => "Forked",
            Self::LogShrank { .. } => "LogShrank",
            Self::NotConsistent { .. } => "NotConsistent",
        }
    }

    /// The first entry that can't be vouched for, where it is known.
    #[must_use]
    pub fn entry(&self) -> Option<u64> {
        match self {
            Self::Log { finding, first_other } => first_other.or(finding.index()),
            Self::ArchiveDamaged(error) => error.first_index(),
            Self::LogDamaged { index, .. } => Some(*index),
            Self::Forked(fork) => fork.first_other,
            Self::SourceIncomplete(_)
            | Self::WitnessesMissing(_)
            | Self::StateDiffers { .. }
            | Self::LogShrank { .. }
            | Self::NotConsistent { .. } => None,
        }
    }

    /// The entry as of which an answer was compared.
    #[must_use]
    pub const fn as_of(&self) -> Option<u64> {
        match self {
            Self::StateDiffers { as_of, .. } => Some(*as_of),
            Self::Log { .. }
            | Self::ArchiveDamaged(_)
            | Self::SourceIncomplete(_)
            | Self::LogDamaged { .. }
            | Self::WitnessesMissing(_)
            | Self::Forked(_)
            | Self::LogShrank { .. }
            | Self::NotConsistent { .. } => None,
        }
    }

    /// The rule that was broken, with event and field, where an event broke one.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Log { finding, .. } => finding.refusal(),
            Self::ArchiveDamaged(_)
            | Self::SourceIncomplete(_)
            | Self::LogDamaged { .. }
            | Self::WitnessesMissing(_)
            | Self::StateDiffers { .. }
            | Self::Forked(_)
            | Self::LogShrank { .. }
            | Self::NotConsistent { .. } => None,
        }
    }

    /// What was expected, and what was found in its place, where they are values.
    #[must_use]
    pub fn values(&self) -> (Option<String>, Option<String>) {
        let both = |values: Option<(String, String)>| values.unzip();
        match self {
            Self::Log { finding, .. } => both(finding.values()),
            Self::StateDiffers { values, .. } => both(values.clone()),
            Self::Forked(fork) => both(Some((hex::encode(fork.expected), hex::encode(fork.found)))),
            Self::LogShrank { shown, signed, .. } => both(Some((signed.to_string(), shown.to_string()))),
            Self::NotConsistent { old_root, .. } => (Some(hex::encode(old_root)), None),
            Self::ArchiveDamaged(_)
            | Self::SourceIncomplete(_)
            | Self::LogDamaged { .. }
            | Self::WitnessesMissing(_) => (None, None),
        }
    }

    /// A file that shows it to anybody.
    #[must_use]
    pub fn evidence(&self) -> Option<&Path> {
        match self {
            Self::Forked(fork) => fork.evidence.as_deref().ok(),
            Self::Log { .. }
            | Self::ArchiveDamaged(_)
            | Self::SourceIncomplete(_)
            | Self::LogDamaged { .. }
            | Self::WitnessesMissing(_)
            | Self::StateDiffers { .. }
            | Self::LogShrank { .. }
            | Self::NotConsistent { .. } => None,
        }
    }

    /// Whether it hangs on what the auditor has replayed. Otherwise what the ledger signed shows it, or cosignatures do,
    /// whatever state the auditor's own files are in.
    #[must_use]
    pub const fn is_by_replay(&self) -> bool {
        match self {
            Self::Log { .. }
            | Self::ArchiveDamaged(_)
            | Self::SourceIncomplete(_)
            | Self::LogDamaged { .. }
            | Self::StateDiffers { .. } => true,
            Self::WitnessesMissing(_) | Self::Forked(_) | Self::LogShrank { .. } | Self::NotConsistent { .. } => false,
        }
    }
}
