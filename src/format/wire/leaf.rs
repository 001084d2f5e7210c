//! The 81 bytes of an entry that the log's tree is over. They tell nobody's key, count or account.

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Length of a leaf: version, index, time, two hashes.
pub const LEAF_LENGTH: usize = 1 + 8 + 8 + 32 + 32;

/// SHA-256 of a header's bytes.
#[must_use]
pub fn header_hash(header: &[u8]) -> [u8; 32] {
    Sha256::digest(header).into()
}

/// SHA-256(u8 count || signatures).
#[must_use]
pub fn signatures_hash(signatures: &[Bytes]) -> [u8; 32] {
    // At most 8: see SIGNERS_MAX.
    let count = u8::try_from(signatures.len()).unwrap_or(u8::MAX);
    let start = Sha256::new().chain_update([count]);
    signatures.iter().fold(start, Digest::chain_update).finalize().into()
}

/// The leaf: 0x01 || u64 index || u64 `recorded_at_ms` || SHA-256(header) || SHA-256(u8 count || signatures), integers
/// big-endian. Its hash in the tree is RFC 6962's leaf hash of these bytes.
#[must_use]
pub fn leaf(index: u64, recorded_at_ms: i64, header_hash: &[u8; 32], signatures_hash: &[u8; 32]) -> [u8; LEAF_LENGTH] {
    let mut leaf = [0; LEAF_LENGTH];
    leaf[0] = 1;
    leaf[1..9].copy_from_slice(&index.to_be_bytes());
    leaf[9..17].copy_from_slice(&recorded_at_ms.to_be_bytes());
    leaf[17..49].copy_from_slice(header_hash);
    leaf[49..81].copy_from_slice(signatures_hash);
    leaf
}
