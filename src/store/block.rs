//! Entries as blocks of bytes. A block is as many whole entries as fit into one value, or one larger entry cut into
//! several values; so a small entry is read with one look.
//!
//! Block = 0x01 || entry*. Entry = u32 length of the rest || u64 index || i64 `recorded_at_ms` || u16 header length ||
//! header || u8 count || count x 64-byte signatures || u16 count || count x (u16 length || event). Little-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{StoreError, StoredEntry};

/// Longest value: sled moves a leaf (up to 17 values) of more than a quarter of a segment, 131,072 bytes, into a file
/// that it never syncs. 17 x 7,000 = 119,000 leaves room for keys.
pub const CHUNK_BYTES_MAX: usize = 7_000;
/// Version of the block encoding.
const VERSION: u8 = 1;
/// Bytes of an entry beside header, signatures and events.
const ENTRY_FIXED_BYTES: usize = 4 + 8 + 8 + 2 + 1 + 2;

/// A block: index of its first entry, and its bytes.
pub(super) struct Block {
    pub(super) first_index: u64,
    pub(super) bytes: Vec<u8>,
}

/// Cuts entries into blocks.
pub(super) fn encode(entries: &[StoredEntry]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for entry in entries {
        let length = encoded_length(entry);
        let fits = |block: &&mut Block| block.bytes.len() + length <= CHUNK_BYTES_MAX;
        if let Some(block) = blocks.last_mut().filter(fits) {
            encode_entry(entry, length, &mut block.bytes);
        } else {
            let mut bytes = Vec::with_capacity(CHUNK_BYTES_MAX.max(length + 1));
            bytes.put_u8(VERSION);
            encode_entry(entry, length, &mut bytes);
            blocks.push(Block { first_index: entry.index, bytes });
        }
    }
    blocks
}

fn encoded_length(entry: &StoredEntry) -> usize {
    let events: usize = entry.events.iter().map(|event| 2 + event.len()).sum();
    let signatures: usize = entry.signatures.iter().map(Bytes::len).sum();
    ENTRY_FIXED_BYTES + entry.header.len() + signatures + events
}

/// Lengths fit their integers: the door lets in headers and events up to 1 KiB, 1,000 events and 8 signatures of 64
/// bytes.
#[allow(clippy::cast_possible_truncation, reason = "bounded at the door, see above")]
fn encode_entry(entry: &StoredEntry, length: usize, out: &mut Vec<u8>) {
    out.put_u32_le(length as u32 - 4);
    out.put_u64_le(entry.index);
    out.put_i64_le(entry.recorded_at_ms);
    out.put_u16_le(entry.header.len() as u16);
    out.put_slice(&entry.header);
    out.put_u8(entry.signatures.len() as u8);
    entry.signatures.iter().for_each(|signature| out.put_slice(signature));
    out.put_u16_le(entry.events.len() as u16);
    for event in &entry.events {
        out.put_u16_le(event.len() as u16);
        out.put_slice(event);
    }
}

/// The length of a block that begins with this value, as far as its first entry tells: more than the value holds where
/// the entry was cut.
pub(super) fn first_entry_end(value: &[u8]) -> Option<usize> {
    let length = value.get(1..5)?.try_into().ok().map(u32::from_le_bytes)?;
    Some(5 + length as usize)
}

/// The entries of a block, sharing its bytes.
pub(super) fn decode(first_index: u64, bytes: BytesMut) -> Result<Vec<StoredEntry>, StoreError> {
    let corrupt = |problem| StoreError::Corrupt { at: format!("block {first_index}"), problem };
    let mut bytes = bytes.freeze();
    if bytes.try_get_u8().ok() != Some(VERSION) {
        return Err(corrupt("it has another version"));
    }
    let mut entries = Vec::new();
    while bytes.has_remaining() {
        let entry = decode_entry(&mut bytes).ok_or_else(|| corrupt("an entry is cut off"))?;
        if entry.index != first_index + entries.len() as u64 {
            return Err(corrupt("an entry is at the wrong place"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn decode_entry(bytes: &mut Bytes) -> Option<StoredEntry> {
    let length = bytes.try_get_u32_le().ok()? as usize;
    let mut bytes = take(bytes, length)?;
    let index = bytes.try_get_u64_le().ok()?;
    let recorded_at_ms = bytes.try_get_i64_le().ok()?;
    let header_length = usize::from(bytes.try_get_u16_le().ok()?);
    let header = take(&mut bytes, header_length)?;
    let signatures = (0..bytes.try_get_u8().ok()?).map(|_| take(&mut bytes, 64)).collect::<Option<_>>()?;
    let events = (0..bytes.try_get_u16_le().ok()?)
        .map(|_| {
            let length = usize::from(bytes.try_get_u16_le().ok()?);
            take(&mut bytes, length)
        })
        .collect::<Option<_>>()?;
    (!bytes.has_remaining()).then_some(StoredEntry { index, recorded_at_ms, header, signatures, events })
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= bytes.len()).then(|| bytes.split_to(length))
}
