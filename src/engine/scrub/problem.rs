//! What is not as it was recorded, in words.

use crate::ledger::Refusal;

const RESTORE: &str = "Stop the service, copy the whole folder, run `timebank fsck`, and restore the log from a backup, or from \
                       an archive with `timebank restore`: docs/recovery.md";
const MAKE_AGAIN: &str = "Stop the service and run `timebank fsck --repair`: it is made again from the log";

/// Something in a data folder that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Its bytes can't be had, or are no entry.
    #[error("entry {index} can't be read: {problem}")]
    Unreadable {
        /// Position in the log.
        index: u64,
        /// What the log says.
        problem: String,
    },
    /// Its sheet is none that was ever taken: its events are others than those that were signed, for example.
    #[error("entry {index} can't be decoded: {refusal}")]
    Undecodable {
        /// Position in the log.
        index: u64,
        /// The first thing that the decoder objects to, and the field where.
        refusal: Refusal,
    },
    /// The root knows the leaf that the tree has, and not that of the entry's bytes.
    #[error("entry {index} is not the one that was recorded: header, signatures or time have changed")]
    Differs {
        /// Position in the log.
        index: u64,
    },
    /// No root tells which of the two is right.
    #[error("entry {index} and its leaf in projections/tree are not of each other, and no root knows either")]
    NotOfEachOther {
        /// Position in the log.
        index: u64,
    },
    /// The root knows the entries, and the tree has another hash of them.
    #[error("hash {number} in projections/tree, complete with entry {index}, is not that of the log")]
    Hash {
        /// Number in storage order.
        number: u64,
        /// The last entry below it.
        index: u64,
    },
    /// The tree's file can't be read there.
    #[error("the hashes of entry {index} and after can't be read: {problem}")]
    HashesUnreadable {
        /// Position in the log of the first entry whose hashes were asked for.
        index: u64,
        /// What the tree says.
        problem: String,
    },
    /// Neither the entries nor the leaves that the tree has lead to a root.
    #[error("the first {size} entries of the log (up to entry {}) do not lead to {of}", .size - 1)]
    Root {
        /// Entries that the root is over.
        size: u64,
        /// Which root.
        of: RootOf,
    },
    /// The log has lost a root that it kept.
    #[error("the root over the first {size} entries of the log (up to entry {}) can't be read: {problem}", .size - 1)]
    RootUnreadable {
        /// Entries that it is over.
        size: u64,
        /// What the log says.
        problem: String,
    },
}

/// Where a root is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootOf {
    /// The log: one was kept with each commit.
    Commit,
    /// The newest signed checkpoint.
    Checkpoint,
}

impl std::fmt::Display for RootOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Commit => "the root that was kept with them",
            Self::Checkpoint => "the signed checkpoint",
        })
    }
}

impl Problem {
    /// The problem, and what to do.
    #[must_use]
    pub fn with_remedy(&self) -> String {
        let remedy = match self {
            Self::Hash { .. } | Self::HashesUnreadable { .. } => MAKE_AGAIN,
            Self::Unreadable { .. }
            | Self::Undecodable { .. }
            | Self::Differs { .. }
            | Self::NotOfEachOther { .. }
            | Self::Root { .. }
            | Self::RootUnreadable { .. } => RESTORE,
        };
        format!("{self}. {remedy}")
    }
}
