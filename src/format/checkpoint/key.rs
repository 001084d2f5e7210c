//! Keys as signed notes name them: `<name>+<key hash>+<base64 of algorithm and public key>`.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use crate::format::signature;

/// Ed25519 over the text of a note, as the signed-note registry numbers it.
pub(super) const ALGORITHM_ED25519: u8 = 1;
/// Ed25519 over a time and the text of a checkpoint: cosignature/v1.
pub(super) const ALGORITHM_COSIGNATURE: u8 = 4;

/// Why a verifier key can't be used. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// Not three parts joined by `+`, a name that is empty or has spaces, a hash that isn't 8 hex digits, or no base64.
    #[error("not a verifier key: expected <name>+<8 hex digits>+<base64>, the name without spaces")]
    Malformed,
    /// A key mistyped, or taken for another name.
    #[error("the key hash {stated:08x} does not fit name and key, whose hash is {actual:08x}")]
    HashMismatch {
        /// The key hash that the text claims.
        stated: u32,
        /// Computed from name and key.
        actual: u32,
    },
    /// Another kind of key than is wanted here.
    #[error(
        "the key's algorithm is {found:#04x}: a ledger's key has 0x01 (Ed25519), a witness's 0x04 (cosignature/v1)"
    )]
    AlgorithmUnknown {
        /// First byte of the key: the algorithm that it claims.
        found: u8,
    },
    /// Not 32 bytes, not canonical, no point of the curve, or of small order: such a key has signatures that fit many
    /// messages.
    #[error("not a usable Ed25519 public key")]
    PublicKeyUnusable,
}

/// A named Ed25519 key whose signatures on notes are checked. The algorithm is part of the type, so that a witness is
/// never taken for a ledger: both may be the same key of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey<const ALGORITHM: u8> {
    name: String,
    key_hash: u32,
    public_key: [u8; 32],
}

/// The key of a ledger, or of whoever else signs notes.
pub type VerifierKey = NoteKey<ALGORITHM_ED25519>;
/// The key of a witness, which signs cosignature/v1 only.
pub type WitnessKey = NoteKey<ALGORITHM_COSIGNATURE>;

impl<const ALGORITHM: u8> NoteKey<ALGORITHM> {
    /// The key under this name.
    ///
    /// # Errors
    /// [`VerifierKeyError::Malformed`] for the name, [`VerifierKeyError::PublicKeyUnusable`] for the key.
    pub fn new(name: &str, public_key: [u8; 32]) -> Result<Self, VerifierKeyError> {
        if !is_key_name(name) {
            return Err(VerifierKeyError::Malformed);
        }
        if !signature::is_enrollable(&public_key) {
            return Err(VerifierKeyError::PublicKeyUnusable);
        }
        Ok(Self { name: name.to_owned(), key_hash: key_hash::<ALGORITHM>(name, &public_key), public_key })
    }

    /// The name that its signature lines carry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its signatures begin with: four bytes that find the key, and prove nothing.
    #[must_use]
    pub const fn key_hash(&self) -> u32 {
        self.key_hash
    }

    /// The Ed25519 public key.
    #[must_use]
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }
}

impl<const ALGORITHM: u8> FromStr for NoteKey<ALGORITHM> {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        // Base64 has a plus of its own, names and hashes don't.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VerifierKeyError::Malformed);
        };
        if !is_key_name(name) || hash.len() != 8 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(VerifierKeyError::Malformed);
        }
        let (Ok(stated), Ok(key)) = (u32::from_str_radix(hash, 16), BASE64_STANDARD.decode(key)) else {
            return Err(VerifierKeyError::Malformed);
        };
        let actual = hash_of_key(name, &key);
        if stated != actual {
            return Err(VerifierKeyError::HashMismatch { stated, actual });
        }
        let Some((&algorithm, public_key)) = key.split_first() else { return Err(VerifierKeyError::Malformed) };
        if algorithm != ALGORITHM {
            return Err(VerifierKeyError::AlgorithmUnknown { found: algorithm });
        }
        let Ok(public_key) = public_key.try_into() else { return Err(VerifierKeyError::PublicKeyUnusable) };
        Self::new(name, public_key)
    }
}

impl<const ALGORITHM: u8> fmt::Display for NoteKey<ALGORITHM> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64_STANDARD.encode(typed::<ALGORITHM>(&self.public_key));
        write!(f, "{}+{:08x}+{key}", self.name, self.key_hash)
    }
}

/// Whether a signature line may carry this name.
pub(super) fn is_key_name(name: &str) -> bool {
    let unfit = |character: char| character == '+' || character.is_whitespace() || character < ' ';
    !name.is_empty() && !name.contains(unfit)
}

/// The first four bytes of SHA-256(name || 0x0a || algorithm || public key), big-endian.
pub(super) fn key_hash<const ALGORITHM: u8>(name: &str, public_key: &[u8; 32]) -> u32 {
    hash_of_key(name, &typed::<ALGORITHM>(public_key))
}

fn hash_of_key(name: &str, key: &[u8]) -> u32 {
    let digest: [u8; 32] = Sha256::new().chain_update(name).chain_update(b"\n").chain_update(key).finalize().into();
    let [first, second, third, fourth, ..] = digest;
    u32::from_be_bytes([first, second, third, fourth])
}

fn typed<const ALGORITHM: u8>(public_key: &[u8; 32]) -> Vec<u8> {
    [[ALGORITHM].as_slice(), public_key].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::format::signature::PrivateKey;

    fn check(text: &str, expected: VerifierKeyError) {
        assert_eq!(text.parse::<VerifierKey>(), Err(expected), "{text}");
    }

    #[test]
    fn a_verifier_key_reads_back_as_it_was_written() {
        let key = VerifierKey::new("timebank.invalid/7", PrivateKey::from_seed([7; 32]).public_key()).unwrap();
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn a_witness_is_no_ledger_and_a_ledger_no_witness() {
        let public_key = PrivateKey::from_seed([7; 32]).public_key();
        let (ledger, witness) =
            (VerifierKey::new("name", public_key).unwrap(), WitnessKey::new("name", public_key).unwrap());
        assert_ne!(ledger.key_hash(), witness.key_hash());
        assert_eq!(witness.to_string().parse(), Ok(witness.clone()));
        check(&witness.to_string(), VerifierKeyError::AlgorithmUnknown { found: 4 });
        let found = ledger.to_string().parse::<WitnessKey>();
        assert_eq!(found, Err(VerifierKeyError::AlgorithmUnknown { found: 1 }));
    }

    #[test]
    fn a_verifier_key_that_is_no_such_text_is_refused() {
        let text = VerifierKey::new("name", PrivateKey::from_seed([7; 32]).public_key()).unwrap().to_string();
        let (_, hash_and_key) = text.split_once('+').unwrap();
        check("", VerifierKeyError::Malformed);
        check("name", VerifierKeyError::Malformed);
        check("name+00000000", VerifierKeyError::Malformed);
        check("name+00000000+?", VerifierKeyError::Malformed);
        check("name+0000000+AQ==", VerifierKeyError::Malformed);
        check("name+-0000000+AQ==", VerifierKeyError::Malformed);
        check(&format!("+{hash_and_key}"), VerifierKeyError::Malformed);
        check(&format!("a name+{hash_and_key}"), VerifierKeyError::Malformed);
        check(&format!("a\u{a0}name+{hash_and_key}"), VerifierKeyError::Malformed);
        check(&format!("a\u{1}name+{hash_and_key}"), VerifierKeyError::Malformed);
        check(&format!("{text}\n"), VerifierKeyError::Malformed);
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for length in [0, 31, 33] {
            let key = vec![ALGORITHM_ED25519; length + 1];
            let text = format!("name+{:08x}+{}", hash_of_key("name", &key), BASE64_STANDARD.encode(key));
            check(&text, VerifierKeyError::PublicKeyUnusable);
        }
        check(&format!("name+{:08x}+", hash_of_key("name", &[])), VerifierKeyError::Malformed);
    }

    #[test]
    fn a_key_of_another_name_is_refused() {
        let text = VerifierKey::new("name", PrivateKey::from_seed([7; 32]).public_key()).unwrap().to_string();
        let found = text.replace("name+", "nome+").parse::<VerifierKey>();
        assert!(matches!(found, Err(VerifierKeyError::HashMismatch { .. })), "{found:?}");
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let neutral = std::array::from_fn(|at| u8::from(at == 0));
        assert_eq!(VerifierKey::new("name", neutral), Err(VerifierKeyError::PublicKeyUnusable));
        let text =
            format!("name+{:08x}+{}", key_hash::<1>("name", &neutral), BASE64_STANDARD.encode(typed::<1>(&neutral)));
        check(&text, VerifierKeyError::PublicKeyUnusable);
    }
}
