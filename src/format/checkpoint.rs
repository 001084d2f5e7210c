//! [Checkpoints] of C2SP: origin, size and root of the log, in a note that the ledger's key signs.
//!
//! [Checkpoints]: https://c2sp.org/tlog-checkpoint

pub mod cosignature;
mod key;
mod note;
pub mod policy;
pub mod witness;

use std::{fmt, slice};

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_zebra::SigningKey;

pub use key::{NoteKey, VerifierKey, VerifierKeyError, WitnessKey};
pub use note::{NOTE_BYTES_MAX, Note, NoteError, NoteSignature, SIGNATURES_MAX, sign as sign_note};

use crate::merkle::Hash;

/// Why a checkpoint is refused. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It isn't a note, or not one by the key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Fewer lines than three, or the last one without its newline.
    #[error("a checkpoint has at least three complete lines: origin, size and root")]
    LinesMissing,
    /// No log is named.
    #[error("the checkpoint's origin, its first line, is empty")]
    OriginEmpty,
    /// Digits without leading zeros are expected, 2^64 - 1 at most.
    #[error("the checkpoint's size, its second line, is not a decimal number: {found}")]
    SizeMalformed {
        /// The second line as it stands, without its newline.
        found: String,
    },
    /// Base64 with padding is expected.
    #[error("the checkpoint's root, its third line, is not base64: {found}")]
    RootMalformed {
        /// The third line as it stands, without its newline.
        found: String,
    },
    /// It is of another log than the one that was asked for.
    #[error("the checkpoint is of {found}, not of {expected}")]
    OriginMismatch {
        /// In the checkpoint.
        found: String,
        /// Origin of the log that was asked for.
        expected: String,
    },
    /// Another hash than the ledger's.
    #[error("the checkpoint's root has {found} bytes, a SHA-256 has 32")]
    RootLengthMismatch {
        /// Bytes that its base64 stands for.
        found: usize,
    },
    /// An extension line is empty, which tlog-checkpoint forbids.
    #[error("the checkpoint has an empty extension line")]
    ExtensionEmpty,
}

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log, never empty: the first line.
    pub origin: String,
    /// How many entries of the log the root is over; may be 0.
    pub size: u64,
    /// The tree's root. Of any length, as logs with other hashes have them.
    pub root: Vec<u8>,
    /// Further lines, each with its newline; the ledger writes none.
    pub extensions: String,
}

impl Checkpoint {
    /// Reads the text of a note. Extension lines may be anything here, even empty.
    ///
    /// # Errors
    /// In the order of [`CheckpointError`], from [`CheckpointError::LinesMissing`] to
    /// [`CheckpointError::RootMalformed`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.splitn(4, '\n');
        let (Some(origin), Some(size), Some(root), Some(extensions)) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::LinesMissing);
        };
        if !extensions.is_empty() && !extensions.ends_with('\n') {
            return Err(CheckpointError::LinesMissing);
        }
        if origin.is_empty() {
            return Err(CheckpointError::OriginEmpty);
        }
        let size = parse_size(size).ok_or_else(|| CheckpointError::SizeMalformed { found: size.to_owned() })?;
        let Ok(root) = BASE64_STANDARD.decode(root) else {
            return Err(CheckpointError::RootMalformed { found: root.to_owned() });
        };
        Ok(Self { origin: origin.to_owned(), size, root, extensions: extensions.to_owned() })
    }

    /// What a note says, before anything of it is verified: to know what to ask for, never what to believe. None where it
    /// holds no checkpoint.
    #[must_use]
    pub fn unverified(note: &[u8]) -> Option<Self> {
        Self::parse(Note::parse(note).ok()?.text()).ok()
    }

    /// The root as a hash.
    ///
    /// # Errors
    /// [`CheckpointError::RootLengthMismatch`].
    pub fn root_hash(&self) -> Result<Hash, CheckpointError> {
        let mismatch = CheckpointError::RootLengthMismatch { found: self.root.len() };
        self.root.as_slice().try_into().map_or(Err(mismatch), Ok)
    }

    /// What tlog-checkpoint asks for beyond what can be read, and the root.
    fn check_form(&self) -> Result<Hash, CheckpointError> {
        let root = self.root_hash()?;
        if self.extensions.split_terminator('\n').any(str::is_empty) {
            return Err(CheckpointError::ExtensionEmpty);
        }
        Ok(root)
    }
}

impl fmt::Display for Checkpoint {
    /// The text of the note.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64_STANDARD.encode(&self.root);
        write!(f, "{}\n{}\n{root}\n{}", self.origin, self.size, self.extensions)
    }
}

/// The checkpoint of a log, signed under its origin.
///
/// `origin` has neither spaces nor plus, as wherever an origin is accepted.
#[must_use]
pub fn sign(origin: &str, size: u64, root: &Hash, key: &SigningKey) -> String {
    let checkpoint = Checkpoint { origin: origin.to_owned(), size, root: root.to_vec(), extensions: String::new() };
    note::sign(&checkpoint.to_string(), origin, key)
}

/// Reads a checkpoint of this origin, signed by this key. Signatures of other keys, such as witnesses', are ignored.
///
/// # Errors
/// In the order of [`CheckpointError`].
pub fn open(bytes: &[u8], key: &VerifierKey, origin: &str) -> Result<Checkpoint, CheckpointError> {
    let note = Note::parse(bytes)?;
    note.verify(slice::from_ref(key))?;
    let checkpoint = Checkpoint::parse(note.text())?;
    if checkpoint.origin != origin {
        return Err(CheckpointError::OriginMismatch { found: checkpoint.origin, expected: origin.to_owned() });
    }
    checkpoint.check_form()?;
    Ok(checkpoint)
}

/// A number as tlog texts have it: decimal, without leading zeros.
pub(crate) fn parse_size(line: &str) -> Option<u64> {
    let canonical = line == "0" || (!line.starts_with('0') && line.bytes().all(|byte| byte.is_ascii_digit()));
    if canonical { line.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::format::signature::PrivateKey;

    const ORIGIN: &str = "timebank.invalid/0011223344556677";
    const ROOT: Hash = [7; 32];

    fn key() -> (PrivateKey, VerifierKey) {
        let key = PrivateKey::from_seed([1; 32]);
        let verifier = VerifierKey::new(ORIGIN, key.public_key()).unwrap();
        (key, verifier)
    }

    /// Signs any text, as no ledger would.
    fn check(text: &str, expected: &CheckpointError) {
        let (private, verifier) = key();
        let note = sign_note(text, ORIGIN, private.signing_key());
        assert_eq!(open(note.as_bytes(), &verifier, ORIGIN).as_ref(), Err(expected), "{text}");
    }

    #[test]
    fn a_signed_checkpoint_opens_with_its_key_and_origin() {
        let (private, verifier) = key();
        for size in [0, 1, u64::MAX] {
            let note = sign(ORIGIN, size, &ROOT, private.signing_key());
            let checkpoint = open(note.as_bytes(), &verifier, ORIGIN).unwrap();
            assert_eq!((checkpoint.size, checkpoint.root_hash()), (size, Ok(ROOT)));
            assert!(note.starts_with(&checkpoint.to_string()), "{note}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_key_or_origin_does_not_open() {
        let (private, verifier) = key();
        let note = sign(ORIGIN, 3, &ROOT, private.signing_key());
        let other = VerifierKey::new(ORIGIN, PrivateKey::from_seed([2; 32]).public_key()).unwrap();
        let unknown = CheckpointError::Note(NoteError::SignerUnknown);
        assert_eq!(open(note.as_bytes(), &other, ORIGIN), Err(unknown));
        let expected = CheckpointError::OriginMismatch { found: ORIGIN.into(), expected: "example.com".into() };
        assert_eq!(open(note.as_bytes(), &verifier, "example.com"), Err(expected));
    }

    #[test]
    fn a_text_in_another_form_is_refused() {
        let root = BASE64_STANDARD.encode(ROOT);
        let size = |found: &str| CheckpointError::SizeMalformed { found: found.into() };
        check(&format!("{ORIGIN}\n3\n"), &CheckpointError::LinesMissing);
        check(&format!("\n3\n{root}\n"), &CheckpointError::OriginEmpty);
        for bad in ["", "03", "00", "+3", "-3", "3 ", "0x3", "18446744073709551616", "٣"] {
            check(&format!("{ORIGIN}\n{bad}\n{root}\n"), &size(bad));
        }
        let unpadded = root.trim_end_matches('=');
        check(&format!("{ORIGIN}\n3\n{unpadded}\n"), &CheckpointError::RootMalformed { found: unpadded.into() });
        check(&format!("{ORIGIN}\n3\n\n"), &CheckpointError::RootLengthMismatch { found: 0 });
        check(&format!("{ORIGIN}\n3\nAAAA\n"), &CheckpointError::RootLengthMismatch { found: 3 });
        check(&format!("{ORIGIN}\n3\n{root}\nan extension\n\n"), &CheckpointError::ExtensionEmpty);
    }
}
