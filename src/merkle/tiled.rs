//! A tiled log as its readers see it: nothing from a file is believed before it leads to the root.

use std::num::NonZeroU8;

use super::{
    hash::{Hash, leaf_hash},
    tile::{TILE_HEIGHT, TILE_WIDTH, TileFile, parse_bundle, parse_tile, push_entry, tile_levels},
    tree::{Frontier, root_of_leaves},
};

/// Why a tiled log can't be read, or is not the one of its checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TiledError<E> {
    /// Where the files are, something failed.
    #[error("{file} could not be read: {problem}")]
    Source {
        /// Which file.
        file: TileFile,
        /// How.
        problem: E,
    },
    /// A file that the tree needs isn't there.
    #[error("{file} is missing, but a tree of {size} entries needs it")]
    Missing {
        /// Which file.
        file: TileFile,
        /// The tree.
        size: u64,
    },
    /// A file is no tile, or no bundle, of its width.
    #[error("{file} is malformed: it does not hold exactly {width} {what}")]
    Malformed {
        /// Which file.
        file: TileFile,
        /// Its width.
        width: u64,
        /// Hashes or entries.
        what: &'static str,
    },
    /// The newest tiles are not those of the checkpoint.
    #[error("the newest tiles do not lead to the root over {size} entries")]
    RootMismatch {
        /// The tree.
        size: u64,
    },
    /// A full tile is not the one whose root the tile above it holds.
    #[error("{file} is not the one that the tile above it stands for")]
    TileMismatch {
        /// Which tile.
        file: TileFile,
    },
    /// An entry is not the one of the tree.
    #[error("entry {index} in {file} is not the one in the tree")]
    EntryMismatch {
        /// Which file.
        file: TileFile,
        /// Which entry.
        index: u64,
    },
    /// The tree has no such node or bundle.
    #[error("a tree of {size} entries has no node {index} of level {level}")]
    OutOfRange {
        /// Level of the tree; a bundle counts as the complete subtree of level 8 that it is or begins.
        level: u32,
        /// Place in the level.
        index: u64,
        /// The tree.
        size: u64,
    },
}

/// The files of a tree of known size and root. Holds two tiles a level, however large the tree.
///
/// `fetch` gives the bytes of a file, or none where it isn't there. Where a partial one is gone, the full one is asked for
/// and read as far as the tree goes: a log may remove the first when it has the second.
#[derive(Debug, Clone)]
pub struct TiledLog<F> {
    size: u64,
    /// The partial tile of each level, empty where there is none.
    edge: Vec<Vec<Hash>>,
    /// The full tile of each level that was read last.
    kept: Vec<Option<(u64, Vec<Hash>)>>,
    fetch: F,
}

impl<F, E> TiledLog<F>
where
    F: FnMut(TileFile) -> Result<Option<Vec<u8>>, E>,
{
    /// Reads the right edge of the tree, which is all that its root is made of.
    ///
    /// # Errors
    /// A tile can't be read, or the root is another.
    pub fn open(size: u64, root: &Hash, mut fetch: F) -> Result<Self, TiledError<E>> {
        let mut edge = Vec::new();
        for tiles in tile_levels(size) {
            edge.push(match tiles.partial {
                Some(_) => read_tile(&mut fetch, size, tiles.level, tiles.full, tiles.partial)?,
                None => Vec::new(),
            });
        }
        let mut subtrees = Vec::new();
        for hashes in edge.iter().rev() {
            let mut frontier = Frontier::default();
            for hash in hashes {
                frontier.append(*hash, |_| ());
            }
            subtrees.extend_from_slice(frontier.parts().1);
        }
        let found = Frontier::from_parts(size, subtrees).map(|frontier| frontier.root());
        if found != Ok(*root) {
            return Err(TiledError::RootMismatch { size });
        }
        let kept = vec![None; edge.len()];
        Ok(Self { size, edge, kept, fetch })
    }

    /// Leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of a tile, as many as the tree has of it.
    ///
    /// # Errors
    /// There is no such tile, it or one above it can't be read, or they don't fit together.
    pub fn tile(&mut self, level: u8, index: u64) -> Result<&[Hash], TiledError<E>> {
        let height = u32::from(level).saturating_add(1).saturating_mul(TILE_HEIGHT);
        let out_of_range = TiledError::OutOfRange { level: height, index, size: self.size };
        let Some(tiles) = tile_levels(self.size).find(|tiles| tiles.level == level) else { return Err(out_of_range) };
        let at = usize::from(level);
        if index == tiles.full {
            let hashes = self.edge.get(at).filter(|hashes| !hashes.is_empty());
            return hashes.map(Vec::as_slice).ok_or(out_of_range);
        }
        if index > tiles.full {
            return Err(out_of_range);
        }
        let kept = self.kept.get(at).and_then(Option::as_ref).is_some_and(|(place, _)| *place == index);
        if !kept {
            let expected = self.hash(level.saturating_add(1), index)?;
            let hashes = read_tile(&mut self.fetch, self.size, level, index, None)?;
            if root_of_leaves(hashes.iter().copied()) != expected {
                return Err(TiledError::TileMismatch { file: TileFile::Hashes { level, index, partial: None } });
            }
            if let Some(place) = self.kept.get_mut(at) {
                *place = Some((index, hashes));
            }
        }
        let kept = self.kept.get(at).and_then(Option::as_ref);
        kept.map(|(_, hashes)| hashes.as_slice()).ok_or(out_of_range)
    }

    /// A hash of a level of tiles, by its place in the level.
    fn hash(&mut self, level: u8, place: u64) -> Result<Hash, TiledError<E>> {
        let out_of_range = TiledError::OutOfRange {
            level: u32::from(level).saturating_mul(TILE_HEIGHT),
            index: place,
            size: self.size,
        };
        let (index, within) = (place.div_euclid(TILE_WIDTH), place.rem_euclid(TILE_WIDTH));
        let within = usize::try_from(within).unwrap_or(usize::MAX);
        self.tile(level, index)?.get(within).copied().ok_or(out_of_range)
    }

    /// The hash of a complete subtree: what proofs are made of.
    ///
    /// # Errors
    /// The tree has no such node, or those of [`TiledLog::tile`].
    pub fn node(&mut self, level: u32, index: u64) -> Result<Hash, TiledError<E>> {
        let out_of_range = TiledError::OutOfRange { level, index, size: self.size };
        let (tiles, above) = (level.div_euclid(TILE_HEIGHT), level.rem_euclid(TILE_HEIGHT));
        let Ok(tiles) = u8::try_from(tiles) else { return Err(out_of_range) };
        let Some(past) = index.checked_add(1).and_then(|next| next.checked_mul(1 << above)) else {
            return Err(out_of_range);
        };
        // 2^above hashes, at most half a tile, never over its border.
        let last = past.saturating_sub(1);
        let first = past.saturating_sub(1 << above).rem_euclid(TILE_WIDTH);
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let range = place(first)..=place(last.rem_euclid(TILE_WIDTH));
        let hashes = self.tile(tiles, last.div_euclid(TILE_WIDTH))?.get(range);
        hashes.map(|hashes| root_of_leaves(hashes.iter().copied())).ok_or(out_of_range)
    }

    /// The bytes of a bundle, exactly as many entries as the tree has of it, each the one of its leaf hash.
    ///
    /// # Errors
    /// There is no such bundle, it can't be read, or an entry is another than in the tree.
    pub fn bundle(&mut self, index: u64) -> Result<Vec<u8>, TiledError<E>> {
        let width = self.tile(0, index)?.len();
        let partial = u8::try_from(width).ok().and_then(NonZeroU8::new);
        let file = TileFile::Entries { index, partial };
        let (file, bytes) = read(&mut self.fetch, self.size, file)?;
        self.check_bundle(file, &bytes)
    }

    /// Checks the bytes of a bundle, and gives back those of the entries that the tree has of it.
    fn check_bundle(&mut self, file: TileFile, bytes: &[u8]) -> Result<Vec<u8>, TiledError<E>> {
        let (TileFile::Hashes { index, .. } | TileFile::Entries { index, .. }) = file;
        let malformed = TiledError::Malformed { file, width: file.width(), what: "entries" };
        let entries = parse_bundle(bytes).filter(|entries| Ok(file.width()) == u64::try_from(entries.len()));
        let Some(entries) = entries else { return Err(malformed) };
        let hashes = self.tile(0, index)?;
        if entries.len() < hashes.len() {
            return Err(malformed);
        }
        let mut checked = Vec::with_capacity(bytes.len());
        for ((entry, hash), place) in entries.iter().zip(hashes).zip(index.saturating_mul(TILE_WIDTH)..) {
            if leaf_hash(entry) != *hash || !push_entry(&mut checked, entry) {
                return Err(TiledError::EntryMismatch { file, index: place });
            }
        }
        Ok(checked)
    }

    /// Whether the bytes are those of a bundle of the tree.
    ///
    /// # Errors
    /// There is no such bundle, or the tile of its hashes can't be read.
    pub fn holds(&mut self, file: TileFile, bytes: &[u8]) -> Result<bool, TiledError<E>> {
        match self.check_bundle(file, bytes) {
            Ok(checked) => Ok(checked == bytes),
            Err(TiledError::Malformed { file: found, .. } | TiledError::EntryMismatch { file: found, .. })
                if found == file =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether bytes are those of a file of this width whose first `count` hashes or entries are the tree's. What comes after
    /// them is looked at for its form alone.
    ///
    /// # Errors
    /// The tree has no such file or fewer of them, or a tile can't be read.
    pub fn begins(&mut self, file: TileFile, count: u64, bytes: &[u8]) -> Result<bool, TiledError<E>> {
        let expected = self.first(file, count)?;
        let hashes: Option<Vec<Hash>> = match file {
            TileFile::Hashes { .. } => parse_tile(bytes),
            TileFile::Entries { .. } => parse_bundle(bytes).map(|entries| entries.into_iter().map(leaf_hash).collect()),
        };
        let hashes = hashes.filter(|hashes| u64::try_from(hashes.len()) == Ok(file.width()));
        Ok(hashes.is_some_and(|hashes| hashes.starts_with(&expected)))
    }

    /// The bytes of a file that may be narrower than what the tree has of it.
    ///
    /// # Errors
    /// The tree has less, or it can't be read.
    pub fn content(&mut self, file: TileFile) -> Result<Vec<u8>, TiledError<E>> {
        let hashes = self.first(file, file.width())?;
        let TileFile::Entries { index, .. } = file else { return Ok(hashes.concat()) };
        let bundle = self.bundle(index)?;
        let mut bytes = Vec::with_capacity(bundle.len());
        for entry in parse_bundle(&bundle).unwrap_or_default().into_iter().take(hashes.len()) {
            // It is of this length: it was in a bundle.
            let _pushed = push_entry(&mut bytes, entry);
        }
        Ok(bytes)
    }

    /// The first hashes of the tile that a file is, or that holds the hashes of its entries.
    fn first(&mut self, file: TileFile, count: u64) -> Result<Vec<Hash>, TiledError<E>> {
        let (level, index) = match file {
            TileFile::Hashes { level, index, .. } => (level, index),
            TileFile::Entries { index, .. } => (0, index),
        };
        if count == 0 {
            return Ok(Vec::new());
        }
        let height = u32::from(level).saturating_add(1).saturating_mul(TILE_HEIGHT);
        let out_of_range = TiledError::OutOfRange { level: height, index, size: self.size };
        let hashes = self.tile(level, index)?;
        let hashes = usize::try_from(count).ok().and_then(|count| hashes.get(..count));
        hashes.map(<[Hash]>::to_vec).ok_or(out_of_range)
    }

    /// Reads every tile and every entry; `seen` gets each bundle with its place.
    ///
    /// # Errors
    /// The first thing that can't be read or isn't as the root says.
    pub fn verify(&mut self, mut seen: impl FnMut(u64, &[u8])) -> Result<(), TiledError<E>> {
        for index in 0..self.size.div_ceil(TILE_WIDTH) {
            seen(index, &self.bundle(index)?);
        }
        Ok(())
    }
}

/// A file's bytes, and which file it was in the end.
fn read<E>(
    fetch: &mut impl FnMut(TileFile) -> Result<Option<Vec<u8>>, E>,
    size: u64,
    file: TileFile,
) -> Result<(TileFile, Vec<u8>), TiledError<E>> {
    let full = match file {
        TileFile::Hashes { level, index, .. } => TileFile::Hashes { level, index, partial: None },
        TileFile::Entries { index, .. } => TileFile::Entries { index, partial: None },
    };
    let mut get = |file| fetch(file).map_err(|problem| TiledError::Source { file, problem });
    if let Some(bytes) = get(file)? {
        return Ok((file, bytes));
    }
    let instead = if full == file { None } else { get(full)? };
    instead.map(|bytes| (full, bytes)).ok_or(TiledError::Missing { file, size })
}

/// A tile's hashes, as many as were asked for.
fn read_tile<E>(
    fetch: &mut impl FnMut(TileFile) -> Result<Option<Vec<u8>>, E>,
    size: u64,
    level: u8,
    index: u64,
    partial: Option<NonZeroU8>,
) -> Result<Vec<Hash>, TiledError<E>> {
    let asked = TileFile::Hashes { level, index, partial };
    let (file, bytes) = read(fetch, size, asked)?;
    let hashes = parse_tile(&bytes).filter(|hashes| u64::try_from(hashes.len()) == Ok(file.width()));
    let malformed = || TiledError::Malformed { file, width: file.width(), what: "hashes" };
    let mut hashes = hashes.ok_or_else(malformed)?;
    hashes.truncate(usize::try_from(asked.width()).unwrap_or(usize::MAX));
    Ok(hashes)
}

#[cfg(test)]
mod tests;
