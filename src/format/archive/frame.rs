//! The fixed parts of an archive and their bytes.

use bytes::{Buf, BufMut};
use sha2::{Digest, Sha256};

use super::FRAME_BYTES_MAX;

/// What an archive begins with.
pub(super) const MAGIC: &[u8; 16] = b"timebank archive";
/// The only format there is.
pub(super) const FORMAT: u8 = 1;
/// What a frame begins with.
pub(super) const KIND_FRAME: u8 = 1;
/// What the trailer begins with.
pub(super) const KIND_TRAILER: u8 = 2;
/// Bytes of a frame before its compressed entries, without its kind.
pub(super) const FRAME_HEADER_BYTES: usize = 8 + 4 + 4 + 4 + 32 + 32;
/// Longest compressed contents: bytes that don't compress cost LZ4 one more in 255, and 16 at most for the ends.
pub(super) const COMPRESSED_BYTES_MAX: usize = FRAME_BYTES_MAX + FRAME_BYTES_MAX / 255 + 16;

/// What SHA-256 gives: an archive's own checks use no other hash.
pub(super) type Digest32 = [u8; 32];

/// What stands before the compressed entries of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) first_index: u64,
    pub(super) entries: u32,
    pub(super) length: u32,
    pub(super) compressed_length: u32,
    /// SHA-256 of the compressed entries.
    pub(super) compressed_digest: Digest32,
    /// SHA-256 of the frame before, whole; of the archive's header in the first frame.
    pub(super) previous: Digest32,
}

impl FrameHeader {
    /// Its bytes, with the kind in front.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 + FRAME_HEADER_BYTES);
        out.put_u8(KIND_FRAME);
        out.put_u64_le(self.first_index);
        out.put_u32_le(self.entries);
        out.put_u32_le(self.length);
        out.put_u32_le(self.compressed_length);
        out.put_slice(&self.compressed_digest);
        out.put_slice(&self.previous);
        out
    }

    /// From the bytes after the kind.
    pub(super) fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> Self {
        let mut bytes = bytes.as_slice();
        let mut header = Self {
            first_index: bytes.get_u64_le(),
            entries: bytes.get_u32_le(),
            length: bytes.get_u32_le(),
            compressed_length: bytes.get_u32_le(),
            compressed_digest: [0; 32],
            previous: [0; 32],
        };
        bytes.copy_to_slice(&mut header.compressed_digest);
        bytes.copy_to_slice(&mut header.previous);
        header
    }

    /// What is wrong with it, before anything behind it is read.
    pub(super) fn problem(&self, first_index: u64, previous: &Digest32) -> Option<&'static str> {
        let between = |length: u32, max: usize| length > 0 && usize::try_from(length).is_ok_and(|length| length <= max);
        if self.previous != *previous {
            Some("it does not follow the part before it")
        } else if self.first_index != first_index {
            Some("it begins at another entry than the next")
        } else if !between(self.length, FRAME_BYTES_MAX) || !between(self.compressed_length, COMPRESSED_BYTES_MAX) {
            Some("it claims a length that no frame has")
        } else {
            None
        }
    }
}

/// The archive's header, whole.
pub(super) fn encode_header(origin: &str) -> Vec<u8> {
    let length = u8::try_from(origin.len()).unwrap_or(u8::MAX);
    let mut out = Vec::with_capacity(MAGIC.len() + 2 + origin.len());
    out.put_slice(MAGIC);
    out.put_u8(FORMAT);
    out.put_u8(length);
    out.put_slice(origin.as_bytes());
    out
}

/// The trailer, whole.
pub(super) fn encode_trailer(count: u64, note: &str, previous: &Digest32) -> Vec<u8> {
    let length = u32::try_from(note.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(1 + 8 + 4 + note.len() + 32);
    out.put_u8(KIND_TRAILER);
    out.put_u64_le(count);
    out.put_u32_le(length);
    out.put_slice(note.as_bytes());
    let digest = sha256(&[previous, &out]);
    out.put_slice(&digest);
    out
}

/// SHA-256 of parts put together.
pub(super) fn sha256(parts: &[&[u8]]) -> Digest32 {
    parts.iter().fold(Sha256::new(), Digest::chain_update).finalize().into()
}
