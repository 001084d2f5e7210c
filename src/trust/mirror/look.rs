//! Every file that a mirror's folder has beside those that its checkpoint needs.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::merkle::{TILE_WIDTH, TileFile, TiledError, TiledLog, tile_levels};

/// What stands in a folder below `tile/`.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Files of the log that its checkpoint doesn't need: partial ones of earlier sizes, and what a cut-off run left.
    pub(super) files: Vec<TileFile>,
    /// Paths that no file of a log has.
    pub(super) strangers: Vec<String>,
}

/// How a file stands to the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It holds what the tree has there.
    Right,
    /// So far as the tree goes; what comes after it no checkpoint covers.
    Beyond,
    Damaged,
}

/// Everything below `tile/` but the files that a tree of this size needs.
pub(super) fn others(folder: &Path, size: u64) -> io::Result<Others> {
    let (mut others, mut folders) = (Others::default(), vec![PathBuf::from("tile")]);
    while let Some(inside) = folders.pop() {
        let entries = match fs::read_dir(folder.join(&inside)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                others.strangers.push(inside.to_string_lossy().into_owned());
                continue;
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = inside.join(entry.file_name());
            // A link to a folder could lead round in circles.
            if entry.file_type()?.is_dir() {
                folders.push(path);
                continue;
            }
            match path.to_str().and_then(TileFile::parse) {
                Some(file) if is_needed(file, size) => {}
                Some(file) => others.files.push(file),
                None => others.strangers.push(path.to_string_lossy().into_owned()),
            }
        }
    }
    others.files.sort_by_key(ToString::to_string);
    others.strangers.sort();
    Ok(others)
}

/// Whether a tree of this size is read from this file.
fn is_needed(file: TileFile, size: u64) -> bool {
    let (level, index, partial) = match file {
        TileFile::Hashes { level, index, partial } => (level, index, partial),
        TileFile::Entries { index, partial } => (0, index, partial),
    };
    let tiles = tile_levels(size).find(|tiles| tiles.level == level);
    tiles.is_some_and(|tiles| match partial {
        None => index < tiles.full,
        Some(_) => index == tiles.full && partial == tiles.partial,
    })
}

/// Looks at a file that the tree doesn't need.
pub(super) fn look<E, F>(log: &mut TiledLog<F>, file: TileFile, bytes: &[u8]) -> Result<Found, TiledError<E>>
where
    F: FnMut(TileFile) -> Result<Option<Vec<u8>>, E>,
{
    let covered = covered(file, log.size());
    Ok(match log.begins(file, covered, bytes)? {
        false => Found::Damaged,
        true if covered == file.width() => Found::Right,
        true => Found::Beyond,
    })
}

/// How many hashes or entries of a file a tree of this size has.
fn covered(file: TileFile, size: u64) -> u64 {
    let (level, index) = match file {
        TileFile::Hashes { level, index, .. } => (level, index),
        TileFile::Entries { index, .. } => (0, index),
    };
    let tiles = tile_levels(size).find(|tiles| tiles.level == level);
    let hashes = tiles.map_or(0, |tiles| {
        tiles.full.saturating_mul(TILE_WIDTH).saturating_add(tiles.partial.map_or(0, |width| u64::from(width.get())))
    });
    hashes.saturating_sub(index.saturating_mul(TILE_WIDTH)).min(file.width())
}
