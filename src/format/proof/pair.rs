//! Two checkpoints of one ledger, and a path through the newer tree that shows whether both can be true.
//!
//! The path is a consistency proof that lacks nothing: it gives the root that the first entries of the newer tree have,
//! whatever anybody signed. So the same file shows that a log only grew, or convicts it of two histories.

use super::{LineError, Lines, hash_lines};
use crate::{
    format::checkpoint::{self, CheckpointError, NOTE_BYTES_MAX, VerifierKey, VerifierKeyError},
    merkle::{Hash, ProofError, consistency_roots, empty_root},
};

/// Bytes of a pair: two checkpoints, a key, and 65 hashes of 45 bytes.
pub const PAIR_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX + 8 * 1_024;

const FIRST_LINE: &str = "timebank checkpoint pair v1";

/// A pair as a file has it. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointPair {
    /// The key that signed both.
    pub ledger: VerifierKey,
    /// See [`consistency_roots`]; empty where the sizes are the same or the older one is 0.
    pub path: Vec<Hash>,
    /// The checkpoint over fewer entries, or as many.
    pub old: String,
    /// The other one.
    pub new: String,
}

/// Why a pair shows nothing. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// Too long to be looked at.
    #[error("the file has {bytes} bytes, more than {PAIR_BYTES_MAX}")]
    TooLarge {
        /// Length of the file.
        bytes: usize,
    },
    /// The file holds something else than text.
    #[error("the file is not valid UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Bytes before the first bad one.
        at: usize,
    },
    /// Not the format.
    #[error("not a pair of checkpoints: {0}")]
    Line(#[from] LineError),
    /// The key can't be used.
    #[error("line 2: {0}")]
    Key(#[from] VerifierKeyError),
    /// One of the checkpoints isn't the ledger's.
    #[error("the {which} checkpoint: {problem}")]
    Checkpoint {
        /// `older` or `newer`.
        which: &'static str,
        /// What is wrong with the note, its signature or what it says.
        problem: CheckpointError,
    },
    /// The newer one has to be the second one.
    #[error("the first checkpoint is over {old} entries, more than the second one with {new}")]
    SizesOutOfOrder {
        /// Of the first.
        old: u64,
        /// Of the second.
        new: u64,
    },
    /// The path isn't one through the newer tree.
    #[error("the path does not lead to the newer checkpoint's root: {0}")]
    Path(ProofError),
}

/// What two checkpoints are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The newer log begins with the older one: entries were added, and nothing was changed.
    Consistent,
    /// They can't both be true.
    Forked {
        /// The root that the newer log has over as many entries as the older one.
        root_then: Hash,
    },
}

/// What a pair shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Name of the ledger, from the key that both are signed with.
    pub origin: String,
    /// Entries under the older checkpoint.
    pub old_size: u64,
    /// As the older checkpoint states it, over `old_size` entries.
    pub old_root: Hash,
    /// Entries under the newer one.
    pub new_size: u64,
    /// As the newer checkpoint states it, over `new_size` entries.
    pub new_root: Hash,
    /// Whether both can be true.
    pub relation: Relation,
}

impl CheckpointPair {
    /// Reads a file.
    ///
    /// # Errors
    /// In the order of [`PairError`], up to [`PairError::Key`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PairError> {
        if bytes.len() > PAIR_BYTES_MAX {
            return Err(PairError::TooLarge { bytes: bytes.len() });
        }
        let text = str::from_utf8(bytes).map_err(|error| PairError::NotUtf8 { at: error.valid_up_to() })?;
        let mut lines = Lines::new(text);
        lines.exactly(FIRST_LINE)?;
        let expected = "`key ` and the ledger's verifier key";
        let key = lines.after("key ", expected)?;
        let ledger: VerifierKey = key.parse()?;
        if ledger.to_string() != key {
            return Err(lines.error(expected).into());
        }
        let path = lines.hashes()?;
        // A checkpoint is a text, an empty line, and signatures; neither of them has an empty line within.
        let ends = lines.rest.match_indices("\n\n").nth(1);
        let (end, _) = ends.ok_or_else(|| lines.error("two signed checkpoints, with an empty line between them"))?;
        let (old, new) = lines.rest.split_at(end.saturating_add(1));
        let new = new.strip_prefix('\n').unwrap_or_default();
        Ok(Self { ledger, path, old: old.to_owned(), new: new.to_owned() })
    }

    /// Verifies both checkpoints and the path, and says what they are to each other.
    ///
    /// # Errors
    /// In the order of [`PairError`], from [`PairError::Checkpoint`] on.
    pub fn verify(&self) -> Result<Related, PairError> {
        let open = |note: &str, which| {
            let checkpoint = checkpoint::open(note.as_bytes(), &self.ledger, self.ledger.name());
            let opened = checkpoint.and_then(|checkpoint| Ok((checkpoint.size, checkpoint.root_hash()?)));
            opened.map_err(|problem| PairError::Checkpoint { which, problem })
        };
        let (old, old_root) = open(&self.old, "older")?;
        let (new, new_root) = open(&self.new, "newer")?;
        if old > new {
            return Err(PairError::SizesOutOfOrder { old, new });
        }
        let root_then = self.root_then(old, new, &new_root)?;
        let relation = if root_then == old_root { Relation::Consistent } else { Relation::Forked { root_then } };
        let origin = self.ledger.name().to_owned();
        Ok(Related { origin, old_size: old, old_root, new_size: new, new_root, relation })
    }

    /// The root that the newer tree has over `old` entries.
    fn root_then(&self, old: u64, new: u64, new_root: &Hash) -> Result<Hash, PairError> {
        if old == 0 || old == new {
            let problem = ProofError::LengthMismatch { found: self.path.len(), expected: 0 };
            let root = if old == 0 { empty_root() } else { *new_root };
            return if self.path.is_empty() { Ok(root) } else { Err(PairError::Path(problem)) };
        }
        let (then, now) = consistency_roots(old, new, &self.path).map_err(PairError::Path)?;
        if now == *new_root { Ok(then) } else { Err(PairError::Path(ProofError::RootMismatch)) }
    }
}

impl std::fmt::Display for CheckpointPair {
    /// The file as [`CheckpointPair::parse`] reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ledger, path, old, new } = self;
        write!(f, "{FIRST_LINE}\nkey {ledger}\n{}{old}\n{new}", hash_lines(path))
    }
}
