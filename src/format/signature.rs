//! One verdict on every signature, alone or in a batch, now or in thirty years: ZIP-215.
//!
//! Ordinary, strict and batched Ed25519 checks disagree on crafted signatures. [ZIP-215] fixes one verdict for all: the
//! cofactored equation, any encoding of A and R that decompresses, and a canonical S. Every check of the ledger goes
//! through [`verdicts`].
//!
//! [ZIP-215]: https://zips.z.cash/zip-0215

use std::convert::Infallible;

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_zebra::{Signature, SigningKey, VerificationKey, VerificationKeyBytes, batch};
use getrandom::{
    SysRng,
    rand_core::{Rng, TryCryptoRng, TryRng, UnwrapErr},
};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::{format::proto, ledger::KeyId};

/// DSSE payload type of a sheet header.
pub const SHEET_HEADER_TYPE: &str = "application/vnd.timebank.sheet-header.v1+protobuf";
/// DSSE payload type of a possession proof.
pub const KEY_POSSESSION_TYPE: &str = "application/vnd.timebank.key-possession.v1+protobuf";
/// Ed25519, as the C2SP signed-note registry numbers it.
const ALGORITHM_ED25519: u8 = 1;

/// A signature, and what it should be of.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Ed25519 public key.
    pub public_key: [u8; 32],
    /// R and S of 32 bytes each; bytes that are no signature verify as none.
    pub signature: [u8; 64],
    /// What was signed.
    pub message: &'a [u8],
}

/// The verdict on each claim, in order: one batch, and one by one only where the batch fails.
#[must_use]
pub fn verdicts(claims: &[Claim<'_>]) -> Vec<bool> {
    let items: Vec<batch::Item> = claims
        .iter()
        .map(|claim| {
            let key = VerificationKeyBytes::from(claim.public_key);
            batch::Item::from((key, Signature::from_bytes(&claim.signature), claim.message))
        })
        .collect();
    if items.len() > 1 {
        let mut batch = batch::Verifier::new();
        items.iter().cloned().for_each(|item| batch.queue(item));
        // The coefficients are random, the verdict is not: ZIP-215 batches agree with single checks.
        if batch.verify(Coefficients::of(claims.len())).is_ok() {
            return vec![true; claims.len()];
        }
    }
    items.into_iter().map(|item| item.verify_single().is_ok()).collect()
}

/// Bytes of a batch coefficient.
const COEFFICIENT_BYTES: usize = 16;

/// The random coefficients of one batch, fetched from the operating system at once: a call for each took a tenth of a
/// small batch's time.
struct Coefficients {
    bytes: Vec<u8>,
    used: usize,
}

impl Coefficients {
    fn of(count: usize) -> Self {
        let mut bytes = vec![0; count.saturating_mul(COEFFICIENT_BYTES)];
        UnwrapErr(SysRng).fill_bytes(&mut bytes);
        Self { bytes, used: 0 }
    }
}

impl TryRng for Coefficients {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        let end = self.used.saturating_add(target.len());
        match self.bytes.get(self.used..end) {
            Some(unused) => target.copy_from_slice(unused),
            // More than one coefficient a signature was asked for: fresh ones, never one twice.
            None => UnwrapErr(SysRng).fill_bytes(target),
        }
        self.used = end;
        Ok(())
    }
}

impl TryCryptoRng for Coefficients {}

/// The verdict on one claim.
#[must_use]
pub fn verify(claim: Claim<'_>) -> bool {
    verdicts(&[claim]) == [true]
}

/// Whether a public key may be enrolled: canonical, a point of the curve, and not of small order. A key of small order
/// has signatures that fit many messages.
#[must_use]
pub fn is_enrollable(public_key: &[u8; 32]) -> bool {
    let compressed = CompressedEdwardsY(*public_key);
    compressed.decompress().is_some_and(|point| point.compress() == compressed && !point.is_small_order())
        && VerificationKey::try_from(*public_key).is_ok()
}

/// Random bytes from the operating system: account ids, nonces.
#[must_use]
pub fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    UnwrapErr(SysRng).fill_bytes(&mut bytes);
    bytes
}

/// The id of an Ed25519 key: the first 16 bytes of SHA-256("timebank key v1\n" || 0x01 || public key).
#[must_use]
pub fn key_id(public_key: &[u8; 32]) -> KeyId {
    let digest = Sha256::new()
        .chain_update(b"timebank key v1\n")
        .chain_update([ALGORITHM_ED25519])
        .chain_update(public_key)
        .finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    KeyId(id)
}

/// The DSSE v1 pre-authentication encoding: what is really signed.
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// What a key signs to show that its owner holds it.
#[must_use]
pub fn possession_message(origin: &str, public_key: &[u8; 32]) -> Vec<u8> {
    let possession =
        proto::KeyPossession { format: 1, origin: origin.to_owned(), public_key: public_key.to_vec().into() };
    pre_authentication_encoding(KEY_POSSESSION_TYPE, &possession.encode_to_vec())
}

/// A private key.
#[derive(Clone)]
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// A fresh key from the operating system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(SigningKey::new(UnwrapErr(SysRng)))
    }

    /// The key of a 32-byte seed (RFC 8032).
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from(seed))
    }

    /// The secret: 32 bytes from which [`Self::from_seed`] makes this key again.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verification_key().into()
    }

    /// The id of its public key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        key_id(&self.public_key())
    }

    /// Signs these very bytes; telling one kind of message from another is the caller's business.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// Shows that its owner holds it.
    #[must_use]
    pub fn prove_possession(&self, origin: &str) -> [u8; 64] {
        self.sign(&possession_message(origin, &self.public_key()))
    }

    /// The key as `ed25519-zebra` has it, for signed notes.
    #[must_use]
    pub const fn signing_key(&self) -> &SigningKey {
        &self.0
    }
}

impl std::fmt::Debug for PrivateKey {
    /// Never the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({})", self.key_id())
    }
}
