//! Which names a run may have: a binary fuse filter of 9 bits a name, wrong about one in 256 of those that it doesn't have.

use xorf::{BinaryFuse8, Descriptor, Filter as _};

/// What it is a filter of, seed, and three lengths.
const HEAD_BYTES: usize = 44;
const CHECKSUM_BYTES: usize = 4;

/// The run that a filter is of: one of another run would deny names that are there.
pub(super) type Of = [u8; 24];

/// A filter over the marks of names.
#[derive(Debug)]
pub(super) struct Filter(BinaryFuse8);

impl Filter {
    /// A filter that has these marks. Nothing where there can be none, which happens to one set in many millions.
    pub(super) fn of(mut marks: Vec<u64>) -> Option<Self> {
        marks.sort_unstable();
        marks.dedup();
        BinaryFuse8::try_from(&marks).ok().map(Self)
    }

    /// False: no name with this mark is there.
    pub(super) fn may_have(&self, mark: u64) -> bool {
        self.0.contains(&mark)
    }

    /// As it is kept beside its run.
    pub(super) fn to_bytes(&self, of: &Of) -> Vec<u8> {
        let Descriptor { seed, segment_length, segment_length_mask, segment_count_length } = self.0.descriptor;
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.0.fingerprints.len() + CHECKSUM_BYTES);
        bytes.extend_from_slice(of);
        bytes.extend_from_slice(&seed.to_le_bytes());
        for length in [segment_length, segment_length_mask, segment_count_length] {
            bytes.extend_from_slice(&length.to_le_bytes());
        }
        bytes.extend_from_slice(&self.0.fingerprints);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// The way back; nothing where the bytes are not those that were kept for this run.
    pub(super) fn from_bytes(bytes: &[u8], of: &Of) -> Option<Self> {
        let (bytes, checksum) = bytes.split_last_chunk()?;
        if crc32fast::hash(bytes) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let bytes = bytes.strip_prefix(of)?;
        let (seed, rest) = bytes.split_first_chunk()?;
        let (segment_length, rest) = rest.split_first_chunk()?;
        let (segment_length_mask, rest) = rest.split_first_chunk()?;
        let (segment_count_length, fingerprints) = rest.split_first_chunk()?;
        let descriptor = Descriptor {
            seed: u64::from_le_bytes(*seed),
            segment_length: u32::from_le_bytes(*segment_length),
            segment_length_mask: u32::from_le_bytes(*segment_length_mask),
            segment_count_length: u32::from_le_bytes(*segment_count_length),
        };
        Some(Self(BinaryFuse8 { descriptor, fingerprints: fingerprints.into() }))
    }
}
