//! An entry of the log and its bytes, as blocks and archives hold them.

use bytes::{Buf, BufMut, Bytes};

use super::{
    leaf::{self, LEAF_LENGTH},
    limits::{EVENT_BYTES_MAX, EVENTS_MAX, HEADER_BYTES_MAX, SIGNERS_MAX},
};
use crate::format::proto;

/// Length of a signature.
const SIGNATURE_BYTES: usize = 64;
/// Bytes of an entry beside header, signatures and events.
const FIXED_BYTES: usize = 4 + 8 + 8 + 2 + 1 + 2;

/// A sheet as accepted into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Position in the log, from 0.
    pub index: u64,
    /// When it was recorded, in ms.
    pub recorded_at_ms: i64,
    /// The header's bytes as received.
    pub header: Bytes,
    /// The signatures as received.
    pub signatures: Vec<Bytes>,
    /// The events' bytes as received.
    pub events: Vec<Bytes>,
}

impl StoredEntry {
    /// The bytes that the tree is over.
    #[must_use]
    pub fn leaf(&self) -> [u8; LEAF_LENGTH] {
        leaf::leaf(
            self.index,
            self.recorded_at_ms,
            &leaf::header_hash(&self.header),
            &leaf::signatures_hash(&self.signatures),
        )
    }

    /// An entry as a server sends it; none where its sheet is missing.
    #[must_use]
    pub fn from_message(entry: proto::Entry) -> Option<Self> {
        let proto::Entry { index, recorded_at_ms, sheet } = entry;
        let proto::Sheet { header, events, signatures } = sheet?;
        Some(Self { index, recorded_at_ms, header, signatures, events })
    }

    /// Whether every part is as long as a sheet's may be: its encoding holds any such entry, and others not.
    #[must_use]
    pub fn is_within_limits(&self) -> bool {
        self.header.len() <= HEADER_BYTES_MAX
            && self.signatures.len() <= SIGNERS_MAX
            && self.signatures.iter().all(|signature| signature.len() == SIGNATURE_BYTES)
            && self.events.len() <= EVENTS_MAX
            && self.events.iter().all(|event| event.len() <= EVENT_BYTES_MAX)
    }

    /// Length of what [`Self::encode`] adds.
    pub(crate) fn encoded_length(&self) -> usize {
        let events: usize = self.events.iter().map(|event| 2 + event.len()).sum();
        let signatures: usize = self.signatures.iter().map(Bytes::len).sum();
        FIXED_BYTES + self.header.len() + signatures + events
    }

    /// Adds u32 length of the rest || u64 index || i64 `recorded_at_ms` || u16 header length || header || u8 count ||
    /// count x 64-byte signatures || u16 count || count x (u16 length || event), little-endian.
    ///
    /// For entries that are [within the limits](Self::is_within_limits), as the door lets them in: all lengths fit then.
    #[allow(clippy::cast_possible_truncation, reason = "bounded by the limits, see above")]
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32_le(self.encoded_length() as u32 - 4);
        out.put_u64_le(self.index);
        out.put_i64_le(self.recorded_at_ms);
        out.put_u16_le(self.header.len() as u16);
        out.put_slice(&self.header);
        out.put_u8(self.signatures.len() as u8);
        self.signatures.iter().for_each(|signature| out.put_slice(signature));
        out.put_u16_le(self.events.len() as u16);
        for event in &self.events {
            out.put_u16_le(event.len() as u16);
            out.put_slice(event);
        }
    }

    /// Takes an entry off the front, sharing the bytes; none where they are not exactly one.
    pub(crate) fn decode(bytes: &mut Bytes) -> Option<Self> {
        let length = bytes.try_get_u32_le().ok()? as usize;
        let mut bytes = take(bytes, length)?;
        let index = bytes.try_get_u64_le().ok()?;
        let recorded_at_ms = bytes.try_get_i64_le().ok()?;
        let header_length = usize::from(bytes.try_get_u16_le().ok()?);
        let header = take(&mut bytes, header_length)?;
        let signatures =
            (0..bytes.try_get_u8().ok()?).map(|_| take(&mut bytes, SIGNATURE_BYTES)).collect::<Option<_>>()?;
        let events = (0..bytes.try_get_u16_le().ok()?)
            .map(|_| {
                let length = usize::from(bytes.try_get_u16_le().ok()?);
                take(&mut bytes, length)
            })
            .collect::<Option<_>>()?;
        (!bytes.has_remaining()).then_some(Self { index, recorded_at_ms, header, signatures, events })
    }
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= bytes.len()).then(|| bytes.split_to(length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;

    fn entry() -> StoredEntry {
        StoredEntry {
            index: 7,
            recorded_at_ms: -1,
            header: Bytes::from_static(b"header"),
            signatures: vec![Bytes::from(vec![1; 64]), Bytes::from(vec![2; 64])],
            events: vec![Bytes::from_static(b"event"), Bytes::new()],
        }
    }

    #[test]
    fn an_entry_reads_back_from_its_bytes_and_from_nothing_shorter() {
        let mut bytes = Vec::new();
        entry().encode(&mut bytes);
        assert_eq!(bytes.len(), entry().encoded_length());
        for cut in 0..bytes.len() {
            assert_eq!(StoredEntry::decode(&mut Bytes::copy_from_slice(&bytes[..cut])), None, "cut at {cut}");
        }
        bytes.push(9);
        let mut bytes = Bytes::from(bytes);
        assert_eq!(StoredEntry::decode(&mut bytes), Some(entry()));
        assert_eq!(bytes.as_ref(), [9]);
    }

    #[test]
    fn an_entry_with_bytes_after_its_last_event_is_none() {
        let mut bytes = Vec::new();
        entry().encode(&mut bytes);
        bytes.push(9);
        let longer = u32::try_from(bytes.len()).unwrap() - 4;
        bytes[..4].copy_from_slice(&longer.to_le_bytes());
        assert_eq!(StoredEntry::decode(&mut Bytes::from(bytes)), None);
    }

    #[test]
    fn an_entry_is_out_of_bounds_as_soon_as_one_part_is() {
        assert!(entry().is_within_limits());
        let changed = |change: fn(&mut StoredEntry)| {
            let mut entry = entry();
            change(&mut entry);
            entry.is_within_limits()
        };
        assert!(!changed(|entry| entry.header = vec![0; HEADER_BYTES_MAX + 1].into()));
        assert!(!changed(|entry| entry.signatures = vec![vec![0; 64].into(); SIGNERS_MAX + 1]));
        assert!(!changed(|entry| entry.signatures.push(vec![0; 63].into())));
        assert!(!changed(|entry| entry.events = vec![Bytes::new(); EVENTS_MAX + 1]));
        assert!(!changed(|entry| entry.events.push(vec![0; EVENT_BYTES_MAX + 1].into())));
    }
}
