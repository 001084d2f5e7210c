//! An audit: a log replayed from its bytes alone, and held against what was signed and what was pinned.
//!
//! Every signature, every rule, every recorded time and the tree go through the very code that the server runs. The first
//! thing that doesn't follow ends the audit: what comes after a broken entry proves nothing.

pub mod archive;
mod auditor;
mod discrepancy;
pub mod folder;
mod judge;
mod kept;
mod memory;
mod memory_folder;
mod pin;
mod report;
mod scratch;
pub mod server;
mod state;
mod stop;
mod tree_file;

use std::{collections::BTreeMap, io};

pub use self::{
    auditor::{Auditor, Interrupted},
    discrepancy::{Discrepancy, Fork},
    memory_folder::{MemoryCondition, MemoryFolder},
    pin::{Pin, PinError},
    report::{AuditReport, OlderSource},
    scratch::Scratch,
    stop::{MemoryError, Unjudged},
    tree_file::{Beginning, TreeFile, first_difference},
};
use crate::{
    engine::{
        pipeline::{self, Prepared, ReplayError, Replayed},
        replay::{Divergence, Replay},
    },
    format::checkpoint::{self, CheckpointError, VerifierKey},
    ledger::{Event, Refusal},
    merkle::{Hash, leaf_hash},
};

/// What is wrong with a log. In the order in which an audit comes upon it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// There is no entry 0, or it creates no ledger.
    #[error("entry 0 is no genesis: the log does not begin as a ledger does")]
    GenesisMissing,
    /// Another ledger than the one that was pinned.
    #[error("the {what} is not the one that was pinned: expected {expected}, found {found}")]
    NotAsPinned {
        /// Origin, ledger key or genesis leaf hash.
        what: &'static str,
        /// As it was pinned.
        expected: String,
        /// As the genesis has it.
        found: String,
    },
    /// An entry's bytes are no sheet, or not the one that was signed.
    #[error("entry {index}: its bytes are not those of a sheet that was accepted: {refusal}")]
    Undecodable {
        /// Where it stands in the log.
        index: u64,
        /// What is wrong, by event and field.
        refusal: Refusal,
    },
    /// An entry doesn't follow from those before it.
    #[error("{0}")]
    Diverged(Divergence),
    /// A kept hash of the tree isn't that of the entries.
    #[error("tree hash {number}, kept with entry {index}, is not that of the entries up to there")]
    TreeHashMismatch {
        /// Number of the hash.
        number: u64,
        /// The entry that it was kept with.
        index: u64,
        /// What the entries make it.
        expected: Hash,
        /// What the source keeps under the number.
        found: Hash,
    },
    /// The checkpoint isn't one that the ledger signed.
    #[error("the checkpoint is not signed by this ledger: {0}")]
    CheckpointInvalid(CheckpointError),
    /// The log is shorter than its checkpoint says.
    #[error("the checkpoint is over {signed} entries, the log has {size}: acknowledged entries are gone")]
    EntriesGone {
        /// Entries that the checkpoint is over.
        signed: u64,
        /// Entries that are there.
        size: u64,
    },
    /// The checkpoint is over another history.
    #[error(
        "the checkpoint is over another history: the tree over the {size} entries has another root than was signed. One of \
         these entries, or its time or place, is not the one that was signed"
    )]
    RootMismatch {
        /// Entries that the checkpoint is over.
        size: u64,
        /// The root that these entries make.
        expected: Hash,
        /// The root that was signed.
        found: Hash,
    },
}

impl Finding {
    /// The first entry that can't be vouched for, where it is known.
    #[must_use]
    pub const fn index(&self) -> Option<u64> {
        match self {
            Self::GenesisMissing => Some(0),
            Self::NotAsPinned { .. } | Self::CheckpointInvalid(_) | Self::RootMismatch { .. } => None,
            Self::Undecodable { index, .. } | Self::TreeHashMismatch { index, .. } => Some(*index),
            Self::Diverged(divergence) => Some(match divergence {
                Divergence::IndexGap { expected, .. } => *expected,
                Divergence::TimeWentBack { index, .. } | Divergence::Refused { index, .. } => *index,
            }),
            Self::EntriesGone { size, .. } => Some(*size),
        }
    }

    /// The rule that was broken, with event and field, where an event broke one.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Undecodable { refusal, .. } | Self::Diverged(Divergence::Refused { refusal, .. }) => Some(refusal),
            Self::Diverged(Divergence::IndexGap { .. } | Divergence::TimeWentBack { .. })
            | Self::GenesisMissing
            | Self::NotAsPinned { .. }
            | Self::TreeHashMismatch { .. }
            | Self::CheckpointInvalid(_)
            | Self::EntriesGone { .. }
            | Self::RootMismatch { .. } => None,
        }
    }

    /// A stable name, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::GenesisMissing => "GenesisMissing",
            Self::NotAsPinned { .. } => "NotAsPinned",
            Self::Undecodable { .. } => "Undecodable",
            Self::Diverged(Divergence::IndexGap { .. }) => "IndexGap",
            Self::Diverged(Divergence::TimeWentBack { .. }) => "TimeWentBack",
            Self::Diverged(Divergence::Refused { .. }) => "RuleBroken",
            Self::TreeHashMismatch { .. } => "TreeHashMismatch",
            Self::CheckpointInvalid(_) => "CheckpointInvalid",
            Self::EntriesGone { .. } => "EntriesGone",
            Self::RootMismatch { .. } => "RootMismatch",
        }
    }

    /// What was expected and what was found, where both are values.
    #[must_use]
    pub fn values(&self) -> Option<(String, String)> {
        match self {
            Self::NotAsPinned { expected, found, .. } => Some((expected.clone(), found.clone())),
            Self::TreeHashMismatch { expected, found, .. } | Self::RootMismatch { expected, found, .. } => {
                Some((hex(expected), hex(found)))
            }
            Self::EntriesGone { signed, size } => Some((signed.to_string(), size.to_string())),
            Self::Diverged(Divergence::IndexGap { expected, found }) => Some((expected.to_string(), found.to_string())),
            Self::Diverged(Divergence::TimeWentBack { previous, found, .. }) => {
                Some((format!("at least {previous}"), found.to_string()))
            }
            Self::Diverged(Divergence::Refused { .. })
            | Self::GenesisMissing
            | Self::Undecodable { .. }
            | Self::CheckpointInvalid(_) => None,
        }
    }
}

fn hex(hash: &Hash) -> String {
    ::hex::encode(hash)
}

/// Why an audit ended early.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log is wrong.
    #[error(transparent)]
    Found(Box<Finding>),
    /// The auditor's own files failed.
    #[error("the audit's own files can't be read or written: {0}")]
    Io(#[from] io::Error),
}

impl From<Finding> for AuditError {
    fn from(finding: Finding) -> Self {
        Self::Found(Box::new(finding))
    }
}

/// An audit under way.
pub struct Audit {
    replay: Option<Replay>,
    pin: Option<Pin>,
    genesis: Option<Pin>,
    old: Scratch,
    events: u64,
    /// Sizes at which the root is wanted, and the root there.
    roots: BTreeMap<u64, Option<Hash>>,
}

impl Audit {
    /// An audit of a log from its beginning. `sizes`: those that checkpoints are over, where they are known before.
    pub fn new(pin: Option<Pin>, sizes: impl IntoIterator<Item = u64>, old: Scratch) -> Self {
        let roots = sizes.into_iter().map(|size| (size, None)).collect();
        Self { replay: None, pin, genesis: None, old, events: 0, roots }
    }

    /// An audit that goes on where one of the same ledger was before: `replay` is what that one had
    /// verified, with the number of its events. Roots at sizes that it had passed come from the tree that it kept.
    ///
    /// # Errors
    /// The tree can't be read.
    pub fn resume(
        pin: Pin,
        (replay, events): (Replay, u64),
        sizes: impl IntoIterator<Item = u64>,
        mut old: Scratch,
    ) -> io::Result<Self> {
        let whole = (replay.state.size(), replay.frontier.root());
        let mut roots = BTreeMap::from([(whole.0, Some(whole.1))]);
        for size in sizes {
            let then = if size < whole.0 { old.tree().beginning(whole, size)? } else { None };
            roots.entry(size).or_insert(then.map(|then| then.root));
        }
        let genesis = Some(pin.clone());
        Ok(Self { replay: Some(replay), pin: Some(pin), genesis, old, events, roots })
    }

    /// The root at one of the sizes that were asked for, or at the end.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        let replay = self.replay.as_ref().filter(|replay| replay.state.size() == size);
        replay.map(|replay| replay.frontier.root()).or_else(|| self.roots.get(&size).copied().flatten())
    }

    /// All that it takes to resume: the state, what it began with, and where old events are kept. None before the genesis.
    pub fn parts(&mut self) -> Option<(&mut Replay, &Pin, &mut Scratch)> {
        Some((self.replay.as_mut()?, self.genesis.as_ref()?, &mut self.old))
    }

    /// The tree over the entries that were found in order.
    pub const fn tree(&mut self) -> &mut TreeFile {
        self.old.tree()
    }

    /// Entries that were found in order.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.replay.as_ref().map_or(0, |replay| replay.state.size())
    }

    /// Events of the entries that were found in order.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The state that they add up to.
    #[must_use]
    pub const fn replay(&self) -> Option<&Replay> {
        self.replay.as_ref()
    }

    /// What the genesis says that an auditor pins.
    #[must_use]
    pub const fn genesis(&self) -> Option<&Pin> {
        self.genesis.as_ref()
    }

    /// Replays entries. `node` says which hash was kept under a number, where the source keeps any.
    ///
    /// # Errors
    /// The first finding.
    pub fn take(
        &mut self,
        chunk: Vec<Prepared>,
        mut node: impl FnMut(u64) -> io::Result<Option<Hash>>,
    ) -> Result<Vec<Replayed>, AuditError> {
        let (mut taken, mut hashes) = (Vec::with_capacity(chunk.len()), Vec::new());
        for prepared in chunk {
            if self.replay.is_none() {
                self.begin(&prepared)?;
            }
            let Some(replay) = &mut self.replay else { return Err(Finding::GenesisMissing.into()) };
            let index = replay.state.size();
            let mut number = crate::merkle::stored_hash_count(index);
            let mut mismatch = None;
            hashes.clear();
            let stored = |hash: Hash| {
                hashes.push(hash);
                match node(number) {
                    Ok(Some(found)) if found != hash && mismatch.is_none() => {
                        mismatch = Some(Ok(Finding::TreeHashMismatch { number, index, expected: hash, found }));
                    }
                    Ok(_) => {}
                    Err(error) => mismatch = Some(Err(error)),
                }
                number += 1;
            };
            let replayed = pipeline::replay(replay, prepared, &mut self.old, stored);
            let replayed = replayed.map_err(|error| match error {
                ReplayError::Undecodable { index, refusal } => Finding::Undecodable { index, refusal }.into(),
                ReplayError::Diverged(divergence) => Finding::Diverged(divergence).into(),
                ReplayError::Past(error) => AuditError::Io(error),
            })?;
            match mismatch {
                Some(Ok(finding)) => return Err(finding.into()),
                Some(Err(error)) => return Err(error.into()),
                None => {}
            }
            self.old.keep(&replayed.entry, &hashes)?;
            self.events += replayed.entry.events.len() as u64;
            if let Some(root) = self.roots.get_mut(&(index + 1)) {
                *root = Some(replay.frontier.root());
            }
            taken.push(replayed);
        }
        Ok(taken)
    }

    /// The genesis, held against the pin.
    fn begin(&mut self, first: &Prepared) -> Result<(), AuditError> {
        let refused = |refusal: &Refusal| Finding::Undecodable { index: first.entry.index, refusal: refusal.clone() };
        let (decoded, _) = first.sheet.as_ref().map_err(refused)?;
        let [Event::LedgerCreated(created)] = decoded.sheet.events.as_slice() else {
            return Err(Finding::GenesisMissing.into());
        };
        let key = VerifierKey::new(&created.origin, created.ledger_key).map_err(|_unfit| Finding::GenesisMissing)?;
        let found = Pin { ledger_key: key, genesis_leaf_hash: leaf_hash(&first.entry.leaf()) };
        if let Some((what, expected, found)) = self.pin.as_ref().and_then(|pin| pin.difference(&found)) {
            return Err(Finding::NotAsPinned { what, expected, found }.into());
        }
        self.replay = Some(Replay::new(&created.origin));
        self.genesis = Some(found);
        Ok(())
    }

    /// Holds what was replayed against the signed checkpoint, and gives its size and root.
    ///
    /// # Errors
    /// The first finding.
    pub fn finish(&self, note: &str) -> Result<(u64, Hash), AuditError> {
        let (Some(replay), Some(genesis)) = (&self.replay, &self.genesis) else {
            return Err(Finding::GenesisMissing.into());
        };
        let signed = checkpoint::open(note.as_bytes(), &genesis.ledger_key, genesis.ledger_key.name())
            .map_err(Finding::CheckpointInvalid)?;
        let found = signed.root_hash().map_err(Finding::CheckpointInvalid)?;
        let size = replay.state.size();
        if signed.size > size {
            return Err(Finding::EntriesGone { signed: signed.size, size }.into());
        }
        match self.root_at(signed.size) {
            Some(expected) if expected == found => Ok((signed.size, expected)),
            expected => {
                let expected = expected.unwrap_or_else(|| replay.frontier.root());
                Err(Finding::RootMismatch { size: signed.size, expected, found }.into())
            }
        }
    }
}
