//! The files of the public log, out of the log and its tree.

use crate::{
    engine::{log::Log, past::PastError, store::StoreError, tree::Tree},
    merkle::{TILE_WIDTH, TileFile, push_entry, tile_bytes},
};

/// Bytes of entries read at a time for their leaves: more than 256 ordinary sheets, and at most one large one beyond.
const ENTRIES_BYTES: usize = 64 * 1_024;

/// The bytes of a file of the log's first `published` entries; none where they don't have it.
///
/// # Errors
/// Log or tree can't be read, or are damaged.
pub fn content((log, tree): (&dyn Log, &Tree), published: u64, file: TileFile) -> Result<Option<Vec<u8>>, PastError> {
    if file.size_min().is_none_or(|size| size > published) {
        return Ok(None);
    }
    match file {
        TileFile::Hashes { level, index, .. } => {
            Ok(Some(tile_bytes(level, index, file.width(), |level, index| tree.node(level, index))?))
        }
        TileFile::Entries { index, .. } => Ok(Some(bundle(log, index * TILE_WIDTH, file.width())?)),
    }
}

fn bundle(log: &dyn Log, first: u64, width: u64) -> Result<Vec<u8>, StoreError> {
    let (mut bundle, mut next, end) = (Vec::new(), first, first + width);
    while next < end {
        let at = next;
        let corrupt = |problem| StoreError::Corrupt { at: format!("entry {at}"), problem };
        let entries = log.entries(next, ENTRIES_BYTES)?;
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
