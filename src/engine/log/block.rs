//! Entries as blocks of bytes. A block is as many whole entries as fit into one value, or one larger entry cut into
//! several values; so a small entry is read with one look.
//!
//! Block = 0x01 || entry*, each as [`StoredEntry::encode`] writes it.

use bytes::{Buf, BufMut, BytesMut};

use super::StoredEntry;
use crate::engine::store::{StoreError, VALUE_BYTES_MAX};

/// Version of the block encoding.
const VERSION: u8 = 1;

/// A block: index of its first entry, and its bytes.
pub(super) struct Block {
    pub(super) first_index: u64,
    pub(super) bytes: Vec<u8>,
}

/// Cuts entries into blocks.
pub(super) fn encode(entries: &[StoredEntry]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for entry in entries {
        let length = entry.encoded_length();
        let fits = |block: &&mut Block| block.bytes.len() + length <= VALUE_BYTES_MAX;
        if let Some(block) = blocks.last_mut().filter(fits) {
            entry.encode(&mut block.bytes);
        } else {
            let mut bytes = Vec::with_capacity(VALUE_BYTES_MAX.max(length + 1));
            bytes.put_u8(VERSION);
            entry.encode(&mut bytes);
            blocks.push(Block { first_index: entry.index, bytes });
        }
    }
    blocks
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
        let entry = StoredEntry::decode(&mut bytes).ok_or_else(|| corrupt("an entry is cut off"))?;
        if entry.index != first_index + entries.len() as u64 {
            return Err(corrupt("an entry is at the wrong place"));
        }
        entries.push(entry);
    }
    Ok(entries)
}
