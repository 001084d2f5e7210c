//! [Signed notes] of C2SP: a text, a blank line, and lines of signatures over the text.
//!
//! [Signed notes]: https://c2sp.org/signed-note

use std::{fmt, str};

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_zebra::{SigningKey, VerificationKeyBytes};

use super::key::{ALGORITHM_ED25519, VerifierKey, is_key_name, key_hash};
use crate::format::signature::{self, Claim};

/// Signatures of a note: what Go's implementation accepts, and more than six times the 16 that every verifier has to.
pub const SIGNATURES_MAX: usize = 100;
/// Bytes of a note: 100 signatures of nearly 5 kB, the largest post-quantum ones, are 700 kB in base64; the rest is for
/// the text.
pub const NOTE_BYTES_MAX: usize = 1_000_000;

/// What a signature line begins with: an em dash and a space.
const LINE_START: &str = "— ";

/// Why a note is refused. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Too long to be looked at.
    #[error("the note has {bytes} bytes, more than {NOTE_BYTES_MAX}")]
    TooLarge {
        /// Length of the whole: text, blank line and signatures.
        bytes: usize,
    },
    /// Text in another encoding, or none.
    #[error("the note is not valid UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Bytes before the first bad one.
        at: usize,
    },
    /// An ASCII character below U+0020, newline excepted.
    #[error("the note has a control character at byte {at}")]
    ControlCharacter {
        /// Bytes before it.
        at: usize,
    },
    /// No blank line with at least one complete line after it: cut off, or not signed.
    #[error("the note does not end in a blank line and complete lines of signatures")]
    SignaturesMissing,
    /// More signatures than a verifier has to look at.
    #[error("the note has {count} signatures, more than {SIGNATURES_MAX}")]
    TooManySignatures {
        /// Lines after the last blank line.
        count: usize,
    },
    /// Not an em dash, a name without spaces or plus, and base64 of a key hash and a signature.
    #[error("signature line {line} of the note is malformed")]
    SignatureLineMalformed {
        /// Counted from 1, after the blank line.
        line: usize,
    },
    /// Two of the keys to verify with answer to the name and hash of a signature.
    #[error("more than one key is {name}+{key_hash:08x}")]
    KeyAmbiguous {
        /// What both keys are called.
        name: String,
        /// The four bytes that both keys begin their signatures with, big-endian.
        key_hash: u32,
    },
    /// A signature in the name of a known key isn't by that key, or not over this text.
    #[error("the signature of {name}+{key_hash:08x} is invalid")]
    SignatureInvalid {
        /// The key's name.
        name: String,
        /// The key's hash.
        key_hash: u32,
    },
    /// None of the signatures is by a key to verify with, so the text may be anybody's.
    #[error("none of the note's signatures is by a known key")]
    SignerUnknown,
}

/// A line of a note that claims to be a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature<'a> {
    /// The name of the key.
    pub name: &'a str,
    /// The hash of name and key.
    pub key_hash: u32,
    /// The signature; its length and meaning are the key's business.
    pub signature: Vec<u8>,
}

impl fmt::Display for NoteSignature<'_> {
    /// The line, with its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = BASE64_STANDARD.encode([self.key_hash.to_be_bytes().as_slice(), &self.signature].concat());
        writeln!(f, "{LINE_START}{} {encoded}", self.name)
    }
}

/// A note that is well-formed. Nothing about it is verified before [`Note::verify`] says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    signatures: Vec<NoteSignature<'a>>,
}

impl<'a> Note<'a> {
    /// Takes a note apart.
    ///
    /// # Errors
    /// In the order of [`NoteError`], up to [`NoteError::SignatureLineMalformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge { bytes: bytes.len() });
        }
        let note = str::from_utf8(bytes).map_err(|error| NoteError::NotUtf8 { at: error.valid_up_to() })?;
        if let Some(at) = note.bytes().position(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::ControlCharacter { at });
        }
        // The text may have blank lines of its own: it ends at the last one.
        let (before, lines) = note.rsplit_once("\n\n").ok_or(NoteError::SignaturesMissing)?;
        let text = note.get(..=before.len()).ok_or(NoteError::SignaturesMissing)?;
        Self::with_lines(text, lines)
    }

    /// A note of a text and of lines that came without one: nothing that stands in them can move the end of the text.
    ///
    /// # Errors
    /// In the order of [`NoteError`], from [`NoteError::SignaturesMissing`] to [`NoteError::SignatureLineMalformed`].
    pub fn with_lines(text: &'a str, lines: &'a str) -> Result<Self, NoteError> {
        let lines = lines.strip_suffix('\n').ok_or(NoteError::SignaturesMissing)?;
        let count = lines.split('\n').count();
        if count > SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures { count });
        }
        let signatures = lines
            .split('\n')
            .zip(1..)
            .map(|(line, number)| parse_line(line).ok_or(NoteError::SignatureLineMalformed { line: number }))
            .collect::<Result<_, _>>()?;
        Ok(Self { text, signatures })
    }

    /// The text, with its final newline: what the signatures are over.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The signatures, as they stand in the note, unknown and repeated ones included.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature<'a>] {
        &self.signatures
    }

    /// The signatures by these keys, one a key: further lines of the same key are not looked at. Lines of other keys
    /// mean nothing, even under a known name.
    ///
    /// # Errors
    /// In the order of [`NoteError`] for the first line that has one, from [`NoteError::KeyAmbiguous`] on;
    /// [`NoteError::SignerUnknown`] where no line is by one of the keys.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<&NoteSignature<'a>>, NoteError> {
        let mut verified: Vec<&NoteSignature<'a>> = Vec::new();
        for line in &self.signatures {
            let same = |other: &&NoteSignature<'a>| (other.name, other.key_hash) == (line.name, line.key_hash);
            let mut candidates = keys.iter().filter(|key| (key.name(), key.key_hash()) == (line.name, line.key_hash));
            let Some(key) = candidates.next() else { continue };
            if candidates.next().is_some() {
                return Err(NoteError::KeyAmbiguous { name: line.name.to_owned(), key_hash: line.key_hash });
            }
            if verified.iter().any(same) {
                continue;
            }
            if !is_signed_by(self.text, key, &line.signature) {
                return Err(NoteError::SignatureInvalid { name: line.name.to_owned(), key_hash: line.key_hash });
            }
            verified.push(line);
        }
        if verified.is_empty() { Err(NoteError::SignerUnknown) } else { Ok(verified) }
    }
}

/// Signs a text under a name.
///
/// `text` ends in a newline and has no other control character, `name` has neither spaces nor plus; a note of anything
/// else is one that [`Note::parse`] refuses. The origin of a ledger always is such a name.
#[must_use]
pub fn sign(text: &str, name: &str, key: &SigningKey) -> String {
    let public_key: [u8; 32] = VerificationKeyBytes::from(key).into();
    let key_hash = key_hash::<ALGORITHM_ED25519>(name, &public_key);
    let signature = key.sign(text.as_bytes()).to_bytes().to_vec();
    format!("{text}\n{}", NoteSignature { name, key_hash, signature })
}

fn parse_line(line: &str) -> Option<NoteSignature<'_>> {
    let (name, encoded) = line.strip_prefix(LINE_START)?.split_once(' ')?;
    let decoded = BASE64_STANDARD.decode(encoded).ok()?;
    let (hash, signature) = decoded.split_first_chunk::<4>()?;
    let well_formed = is_key_name(name) && !signature.is_empty();
    well_formed.then(|| NoteSignature { name, key_hash: u32::from_be_bytes(*hash), signature: signature.to_vec() })
}

fn is_signed_by(text: &str, key: &VerifierKey, signature: &[u8]) -> bool {
    let Ok(signature) = signature.try_into() else { return false };
    signature::verify(Claim { public_key: *key.public_key(), signature, message: text.as_bytes() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::format::signature::PrivateKey;

    const TEXT: &str = "One line.\n\nAnother, after a blank one.\n";

    fn key(seed: u8) -> (PrivateKey, VerifierKey) {
        let key = PrivateKey::from_seed([seed; 32]);
        let verifier = VerifierKey::new("example.com/station", key.public_key()).unwrap();
        (key, verifier)
    }

    fn signed() -> (String, VerifierKey) {
        let (private, verifier) = key(1);
        (sign(TEXT, verifier.name(), private.signing_key()), verifier)
    }

    fn check(note: &[u8], expected: &NoteError) {
        assert_eq!(Note::parse(note).as_ref(), Err(expected), "{}", String::from_utf8_lossy(note));
    }

    #[test]
    fn a_signed_text_reads_back_and_verifies() {
        let (bytes, verifier) = signed();
        let note = Note::parse(bytes.as_bytes()).unwrap();
        assert_eq!(note.text(), TEXT);
        let verified = note.verify(&[key(2).1, verifier.clone()]).unwrap();
        assert_eq!(verified, note.signatures().iter().collect::<Vec<_>>());
        assert_eq!((verified[0].name, verified[0].key_hash), (verifier.name(), verifier.key_hash()));
    }

    #[test]
    fn a_changed_text_does_not_verify() {
        let (bytes, verifier) = signed();
        let changed = bytes.replace("Another", "another");
        let expected = NoteError::SignatureInvalid { name: verifier.name().into(), key_hash: verifier.key_hash() };
        assert_eq!(Note::parse(changed.as_bytes()).unwrap().verify(&[verifier]), Err(expected));
    }

    #[test]
    fn a_key_of_the_same_name_is_another_key() {
        let (bytes, _) = signed();
        let note = Note::parse(bytes.as_bytes()).unwrap();
        assert_eq!(note.verify(&[key(2).1]), Err(NoteError::SignerUnknown));
        assert_eq!(note.verify(&[]), Err(NoteError::SignerUnknown));
    }

    #[test]
    fn a_note_of_the_size_limit_is_read_and_one_byte_more_is_not() {
        let (private, verifier) = key(1);
        let line = sign("\n", verifier.name(), private.signing_key()).len() - 1;
        let text = format!("{}\n", "a".repeat(NOTE_BYTES_MAX - line - 1));
        let note = sign(&text, verifier.name(), private.signing_key());
        assert_eq!(note.len(), NOTE_BYTES_MAX);
        assert_eq!(Note::parse(note.as_bytes()).unwrap().text(), text);
        check(format!("a{note}").as_bytes(), &NoteError::TooLarge { bytes: NOTE_BYTES_MAX + 1 });
    }

    #[test]
    fn a_hundred_signatures_are_read_and_one_more_is_not() {
        let (note, verifier) = signed();
        let (_, line) = note.rsplit_once("\n\n").unwrap();
        let hundred = format!("{TEXT}\n{}", line.repeat(SIGNATURES_MAX));
        let parsed = Note::parse(hundred.as_bytes()).unwrap();
        assert_eq!(parsed.signatures().len(), SIGNATURES_MAX);
        assert_eq!(parsed.verify(&[verifier]).unwrap().len(), 1, "a key counts once");
        let more = format!("{hundred}{line}");
        check(more.as_bytes(), &NoteError::TooManySignatures { count: SIGNATURES_MAX + 1 });
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_where_they_stand() {
        let (note, _) = signed();
        check(&[b"ab\xff", note.as_bytes()].concat(), &NoteError::NotUtf8 { at: 2 });
        for control in ["\0", "\t", "\r", "\u{1f}"] {
            check(format!("ab{control}{note}").as_bytes(), &NoteError::ControlCharacter { at: 2 });
        }
    }

    #[test]
    fn a_note_cut_off_anywhere_is_refused() {
        let (note, _) = signed();
        for length in 0..note.len() {
            let cut = note.as_bytes().get(..length).unwrap();
            assert!(Note::parse(cut).is_err(), "{}", String::from_utf8_lossy(cut));
        }
    }

    #[test]
    fn a_signature_line_in_another_form_is_refused() {
        let (note, _) = signed();
        let (_, line) = note.rsplit_once("\n\n").unwrap();
        let encoded = line.trim_end().rsplit_once(' ').unwrap().1;
        let lines = [
            format!("- name {encoded}"),
            format!("—name {encoded}"),
            format!("— name  {encoded}"),
            format!("— na+me {encoded}"),
            format!("— na\u{2003}me {encoded}"),
            format!("—  {encoded}"),
            format!("— name {encoded} "),
            format!("— name {}", encoded.trim_end_matches('=')),
            "— name".to_owned(),
            "— name ".to_owned(),
            "— name AAAAAA==".to_owned(),
            "an unexpected line".to_owned(),
        ];
        for bad in lines {
            check(format!("{TEXT}\n{line}{bad}\n").as_bytes(), &NoteError::SignatureLineMalformed { line: 2 });
        }
    }
}
