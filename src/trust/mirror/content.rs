//! The files of the public log, out of the store.

use crate::{
    engine::log::Log,
    engine::store::StoreError,
    merkle::{TILE_WIDTH, TileFile, push_entry, stored_hash_number, tile_bytes},
};

/// Bytes of entries read at a time for their leaves: more than 256 ordinary sheets, and at most one large one beyond.
const ENTRIES_BYTES: usize = 64 * 1_024;

/// The bytes of a file of the log's first `published` entries; none where they don't have it.
///
/// # Errors
/// The store can't be read, or is damaged.
pub fn content(store: &dyn Log, published: u64, file: TileFile) -> Result<Option<Vec<u8>>, StoreError> {
    if file.size_min().is_none_or(|size| size > published) {
        return Ok(None);
    }
    match file {
        TileFile::Hashes { level, index, .. } => {
            let node = |level, index| {
                let number = stored_hash_number(level, index);
                store.tree_hash(number)?.ok_or(StoreError::TreeHashMissing { number })
            };
            tile_bytes(level, index, file.width(), node).map(Some)
        }
        TileFile::Entries { index, .. } => bundle(store, index * TILE_WIDTH, file.width()).map(Some),
    }
}

fn bundle(store: &dyn Log, first: u64, width: u64) -> Result<Vec<u8>, StoreError> {
    let (mut bundle, mut next, end) = (Vec::new(), first, first + width);
    while next < end {
        let at = next;
        let corrupt = |problem| StoreError::Corrupt { at: format!("entry {at}"), problem };
        let entries = store.entries(next, ENTRIES_BYTES)?;
        if entries.is_empty() {
            return Err(corrupt("it is missing"));
        }
        for entry in entries.into_iter().take_while(|entry| entry.index < end) {
            if !push_entry(&mut bundle, &entry.leaf()) {
                return Err(corrupt("its leaf is too long"));
            }
            next = entry.index + 1;
        }
    }
    Ok(bundle)
}
