//! What convicts a ledger, kept in a file that needs no trust in whoever wrote it.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    engine::store::atomic_write,
    format::{checkpoint::Checkpoint, proof::CheckpointPair},
};

/// Writes two checkpoints that can't both be true into a folder, and says where: `evidence-OLD-NEW.pair`, after their sizes.
///
/// # Errors
/// The file can't be written.
pub fn keep(folder: &Path, pair: &CheckpointPair) -> io::Result<PathBuf> {
    let size = |note: &str| Checkpoint::unverified(note.as_bytes()).map_or(0, |checkpoint| checkpoint.size);
    let path = folder.join(format!("evidence-{}-{}.pair", size(&pair.old), size(&pair.new)));
    atomic_write(&path, pair.to_string().as_bytes(), 0o644)?;
    Ok(path)
}
