//! What a [witness] of C2SP decides: the body of `add-checkpoint`, and whether it is cosigned.
//!
//! Nothing here keeps or sends anything. Whoever calls [`Witness::add_checkpoint`] gives it the newest head that was
//! kept for the origin, and syncs the new one before anybody sees the answer.
//!
//! [witness]: https://c2sp.org/tlog-witness

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use super::{
    Checkpoint, CheckpointError, VerifierKey, VerifierKeyError, WitnessKey,
    cosignature::{self, CosignatureError},
    note::{Note, NoteError},
    parse_size,
};
use crate::{
    format::signature::PrivateKey,
    merkle::{Hash, ProofError, empty_root, verify_consistency},
};

/// Hashes of a proof: one a level of a tree of 2^63 leaves, as the protocol has it.
pub const PROOF_HASHES_MAX: usize = 63;
/// Bytes of a request: 63 hashes are 3 kB, 16 signatures of the largest kind in use (ML-DSA-44, 2,420 bytes) are 53 kB
/// in base64, and the rest is for the text.
pub const REQUEST_BYTES_MAX: usize = 64 * 1_024;

/// Why a body is no request. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Too long to be looked at.
    #[error("the request has {bytes} bytes, more than {REQUEST_BYTES_MAX}")]
    TooLarge {
        /// Length of the body.
        bytes: usize,
    },
    /// No blank line between proof and checkpoint.
    #[error("the request has no blank line before the checkpoint")]
    BlankLineMissing,
    /// Not `old`, a space and a decimal number without leading zeros.
    #[error("the first line of the request is not `old` and a size")]
    OldSizeMalformed,
    /// More than a tree has levels.
    #[error("the request has {found} lines of proof, more than {PROOF_HASHES_MAX}")]
    TooManyHashes {
        /// Lines between the first one and the blank one.
        found: usize,
    },
    /// Not 32 bytes in base64.
    #[error("line {line} of the request is not a hash in base64")]
    HashMalformed {
        /// Counted from 1.
        line: usize,
    },
    /// What follows the blank line is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// A request to cosign, well-formed. Nothing about it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint<'a> {
    old_size: u64,
    proof: Vec<Hash>,
    note: Note<'a>,
    checkpoint: Checkpoint,
    root: Hash,
}

impl<'a> AddCheckpoint<'a> {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// In the order of [`RequestError`].
    pub fn parse(body: &'a [u8]) -> Result<Self, RequestError> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLarge { bytes: body.len() });
        }
        let blank = body.windows(2).position(|two| two == b"\n\n").ok_or(RequestError::BlankLineMissing)?;
        let (head, rest) = body.split_at(blank);
        let note = rest.strip_prefix(b"\n\n").ok_or(RequestError::BlankLineMissing)?;
        let mut lines = head.split(|byte| *byte == b'\n');
        let old = lines.next().and_then(|line| str::from_utf8(line).ok()?.strip_prefix("old "));
        let old_size = old.and_then(parse_size).ok_or(RequestError::OldSizeMalformed)?;
        let found = lines.clone().count();
        if found > PROOF_HASHES_MAX {
            return Err(RequestError::TooManyHashes { found });
        }
        let hash = |encoded| BASE64_STANDARD.decode(encoded).ok()?.try_into().ok();
        let proof = lines
            .zip(2..)
            .map(|(encoded, line)| hash(encoded).ok_or(RequestError::HashMalformed { line }))
            .collect::<Result<_, _>>()?;
        let note = Note::parse(note).map_err(CheckpointError::Note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        let root = checkpoint.check_form()?;
        Ok(Self { old_size, proof, note, checkpoint, root })
    }

    /// The log that the checkpoint says it is of.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// The signed checkpoint.
    #[must_use]
    pub fn note(&self) -> String {
        let signatures: String = self.note.signatures().iter().map(ToString::to_string).collect();
        format!("{}\n{signatures}", self.note.text())
    }

    /// What is to show that it continues the newest one that was cosigned.
    #[must_use]
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }
}

/// The body of a request. `note` is a signed checkpoint, `proof` at most [`PROOF_HASHES_MAX`] hashes from `old_size` on.
#[must_use]
pub fn request_body(old_size: u64, proof: &[Hash], note: &str) -> String {
    let mut body = format!("old {old_size}\n");
    for hash in proof {
        body.push_str(&BASE64_STANDARD.encode(hash));
        body.push('\n');
    }
    body.push('\n');
    body.push_str(note);
    body
}

/// The size in the body of an answer with status 409.
#[must_use]
pub fn parse_conflict(body: &str) -> Option<u64> {
    body.strip_suffix('\n').and_then(parse_size)
}

/// Where a witness shows monitors the newest checkpoint of a log that it cosigned, below its URL: by the SHA-256 of the
/// log's origin in lower-case hex.
#[must_use]
pub fn monitoring_path(origin: &str) -> String {
    format!("{}/checkpoint", origin_hash(origin))
}

/// How the monitoring interface names a log.
#[must_use]
pub fn origin_hash(origin: &str) -> String {
    hex::encode(Sha256::digest(origin))
}

/// The cosignature of one witness out of its answer, as a line to put below the note that it was asked about. Lines of
/// other keys are ignored.
///
/// The lines are read by themselves. Read below the note, an answer that begins with more text would be a valid
/// cosignature over another text than the note's.
///
/// # Errors
/// [`AnswerError`].
pub fn parse_answer(note: &str, answer: &str, witness: &WitnessKey) -> Result<String, AnswerError> {
    let answered = Note::with_lines(Note::parse(note.as_bytes())?.text(), answer)?;
    let (line, _) = cosignature::cosigned(&answered, witness)?.ok_or(AnswerError::CosignatureMissing)?;
    Ok(line.to_string())
}

/// Why an answer with status 200 holds no cosignature. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It isn't lines of signatures.
    #[error("the answer is not lines of signatures: {0}")]
    Malformed(#[from] NoteError),
    /// The line of the witness isn't by it.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
    /// There is no line of the witness.
    #[error("the answer has no cosignature of the witness's key")]
    CosignatureMissing,
}

/// Why a witness doesn't cosign. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessRefusal {
    /// The body is no request.
    #[error(transparent)]
    RequestMalformed(#[from] RequestError),
    /// A log that it doesn't know.
    #[error("the origin {origin} is unknown to this witness")]
    OriginUnknown {
        /// In the checkpoint.
        origin: String,
    },
    /// Not signed by a key that it knows for the origin.
    #[error("the checkpoint is not signed by the key known for its origin: {0}")]
    SignerNotTrusted(NoteError),
    /// The proof goes backwards.
    #[error("the old size {old} is beyond the checkpoint's, {new}")]
    OldSizeBeyondCheckpoint {
        /// Where the proof begins.
        old: u64,
        /// Entries under the checkpoint, where the proof has to end.
        new: u64,
    },
    /// The proof begins elsewhere than at the newest size it cosigned.
    #[error("the newest checkpoint that was cosigned has size {latest}")]
    OldSizeMismatch {
        /// Entries under the newest checkpoint that it cosigned; 0: it cosigned none yet.
        latest: u64,
    },
    /// The tree of no leaves has one root only.
    #[error("a checkpoint of size 0 has the root of the empty tree")]
    EmptyRootMismatch,
    /// An empty tree is the beginning of every tree.
    #[error("a proof from size 0 has no hashes, this one has {found}")]
    ProofNotEmpty {
        /// How many hashes there are all the same.
        found: usize,
    },
    /// The old tree is not the beginning of the new one, as far as the proof shows.
    #[error("the checkpoint is not shown to be consistent with the newest one that was cosigned: {0}")]
    NotConsistent(ProofError),
}

impl WitnessRefusal {
    /// The HTTP status that tlog-witness gives it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::RequestMalformed(_) | Self::OldSizeBeyondCheckpoint { .. } => 400,
            Self::SignerNotTrusted(_) => 403,
            Self::OriginUnknown { .. } => 404,
            Self::OldSizeMismatch { .. } => 409,
            Self::EmptyRootMismatch | Self::ProofNotEmpty { .. } | Self::NotConsistent(_) => 422,
        }
    }

    /// The body of the answer: the size for a 409, otherwise a sentence.
    #[must_use]
    pub fn body(&self) -> String {
        let mut body = String::new();
        // A string never fails to be written.
        let _written = match self {
            Self::OldSizeMismatch { latest } => writeln!(body, "{latest}"),
            Self::RequestMalformed(_)
            | Self::OriginUnknown { .. }
            | Self::SignerNotTrusted(_)
            | Self::OldSizeBeyondCheckpoint { .. }
            | Self::EmptyRootMismatch
            | Self::ProofNotEmpty { .. }
            | Self::NotConsistent(_) => writeln!(body, "{self}"),
        };
        body
    }
}

/// The newest size and root that a witness cosigned for an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Entries under that checkpoint.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// What a witness keeps, and then answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The newest head from now on.
    pub head: Head,
    /// The checkpoint with the signatures that were verified and the cosignature.
    pub note: String,
    /// The cosignature alone: the body of the answer.
    pub line: String,
}

/// A witness: its key, and the keys of the ledgers that it cosigns for, whose names are their origins.
#[derive(Debug, Clone)]
pub struct Witness {
    key: PrivateKey,
    name: WitnessKey,
    ledgers: Vec<VerifierKey>,
}

impl Witness {
    /// A witness of this name. A ledger that is given twice counts once.
    ///
    /// # Errors
    /// [`VerifierKeyError::Malformed`] for the name.
    pub fn new(name: &str, key: PrivateKey, ledgers: Vec<VerifierKey>) -> Result<Self, VerifierKeyError> {
        let name = WitnessKey::new(name, key.public_key())?;
        let mut known: Vec<VerifierKey> = Vec::new();
        for ledger in ledgers {
            if !known.contains(&ledger) {
                known.push(ledger);
            }
        }
        Ok(Self { key, name, ledgers: known })
    }

    /// Name and public key, as others verify its cosignatures with them.
    #[must_use]
    pub const fn key(&self) -> &WitnessKey {
        &self.name
    }

    /// The ledgers it cosigns for.
    #[must_use]
    pub fn ledgers(&self) -> &[VerifierKey] {
        &self.ledgers
    }

    /// Decides on a request. `latest` is the newest head that was kept for its origin; between reading it and keeping
    /// the new one no other request for the origin may be decided.
    ///
    /// # Errors
    /// In the order of [`WitnessRefusal`].
    pub fn add_checkpoint(
        &self,
        request: &AddCheckpoint<'_>,
        latest: Option<&Head>,
        time_s: u64,
    ) -> Result<Cosigned, WitnessRefusal> {
        let origin = request.origin();
        let keys: Vec<VerifierKey> = self.ledgers.iter().filter(|key| key.name() == origin).cloned().collect();
        if keys.is_empty() {
            return Err(WitnessRefusal::OriginUnknown { origin: origin.to_owned() });
        }
        let signatures = request.note.verify(&keys).map_err(WitnessRefusal::SignerNotTrusted)?;
        let head = advance(request, latest)?;
        let text = request.note.text();
        let line = cosignature::cosign(text, &self.name, time_s, self.key.signing_key());
        let signed: String = signatures.into_iter().map(ToString::to_string).collect();
        Ok(Cosigned { head, note: format!("{text}\n{signed}{line}"), line })
    }

    /// Reads what was kept of [`Cosigned::note`]: origin and head. Its own cosignature vouches for it.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn read_kept(&self, kept: &[u8]) -> Result<(String, Head), KeptError> {
        let note = Note::parse(kept).map_err(CheckpointError::Note)?;
        cosignature::cosigned(&note, &self.name)?.ok_or(KeptError::CosignatureMissing)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        let head = Head { size: checkpoint.size, root: checkpoint.check_form()? };
        Ok((checkpoint.origin, head))
    }
}

/// Why what a witness kept can't be used. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeptError {
    /// It is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its cosignature is damaged.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
    /// No line in it is by this witness's key, as if another witness had kept it.
    #[error("it is not cosigned by this witness's key")]
    CosignatureMissing,
}

/// The new head, if it is shown to continue the newest one.
fn advance(request: &AddCheckpoint<'_>, latest: Option<&Head>) -> Result<Head, WitnessRefusal> {
    let (old, head) = (request.old_size, Head { size: request.checkpoint.size, root: request.root });
    let latest = latest.copied().unwrap_or_else(|| Head { size: 0, root: empty_root() });
    if old > head.size {
        return Err(WitnessRefusal::OldSizeBeyondCheckpoint { old, new: head.size });
    }
    if old != latest.size {
        return Err(WitnessRefusal::OldSizeMismatch { latest: latest.size });
    }
    if head.size == 0 && head.root != empty_root() {
        return Err(WitnessRefusal::EmptyRootMismatch);
    }
    if old > 0 {
        verify_consistency(old, &latest.root, head.size, &head.root, &request.proof)
            .map_err(WitnessRefusal::NotConsistent)?;
    } else if !request.proof.is_empty() {
        return Err(WitnessRefusal::ProofNotEmpty { found: request.proof.len() });
    }
    Ok(head)
}

#[cfg(test)]
mod tests;
