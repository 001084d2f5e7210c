//! The files a public log's tree is read from: [tlog-tiles] of C2SP.
//!
//! [tlog-tiles]: https://c2sp.org/tlog-tiles

use std::{fmt, iter, num::NonZeroU8};

use super::hash;

/// Hashes of a full tile, entries of a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// Levels of the tree from one level of tiles to the next.
pub(super) const TILE_HEIGHT: u32 = TILE_WIDTH.ilog2();
/// Highest level that a path can name, by the specification; a tree of 2^64 leaves ends at level 7.
const LEVEL_MAX: u8 = 63;

/// The tiles of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileLevel {
    /// Level 0 holds leaf hashes, every other the roots of the full tiles below it.
    pub level: u8,
    /// Full tiles, at the indexes from 0 up.
    pub full: u64,
    /// Width of the partial tile after the full ones, if there is one.
    pub partial: Option<NonZeroU8>,
}

/// The tiles of a tree of `size` leaves, from level 0 up; level `l` holds floor(size / 256^l) hashes, and a level
/// without any isn't listed.
pub fn tile_levels(size: u64) -> impl Iterator<Item = TileLevel> {
    let hashes = iter::successors(Some(size), |hashes| Some(hashes / TILE_WIDTH)).take_while(|hashes| *hashes > 0);
    hashes.zip(0..).map(|(hashes, level)| TileLevel {
        level,
        full: hashes / TILE_WIDTH,
        partial: u8::try_from(hashes % TILE_WIDTH).ok().and_then(NonZeroU8::new),
    })
}

/// A file of a tiled log beside its checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TileFile {
    /// A tile: hashes of one level.
    Hashes {
        /// Its level.
        level: u8,
        /// Its place in the level.
        index: u64,
        /// Its width where it is partial.
        partial: Option<NonZeroU8>,
    },
    /// A bundle of entries, beside the tile of level 0 with the same place.
    Entries {
        /// Its place.
        index: u64,
        /// Its width where it is partial.
        partial: Option<NonZeroU8>,
    },
}

impl TileFile {
    /// Reads a path below the log's prefix. Every file has one path: no zeros, signs or groups more than it needs.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, place) = path.strip_prefix("tile/")?.split_once('/')?;
        let (number, partial) = match place.split_once(".p/") {
            Some((number, width)) => (number, Some(width.parse().ok()?)),
            None => (place, None),
        };
        let mut index = 0_u64;
        for group in number.split('/') {
            let digits: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
            index = index.checked_mul(1000)?.checked_add(digits)?;
        }
        let file = match kind {
            "entries" => Self::Entries { index, partial },
            level => Self::Hashes { level: level.parse().ok().filter(|level| *level <= LEVEL_MAX)?, index, partial },
        };
        // What was read too kindly above is written differently.
        Some(file).filter(|file| file.to_string() == path)
    }

    /// Hashes or entries in it.
    #[must_use]
    pub fn width(&self) -> u64 {
        let (Self::Hashes { partial, .. } | Self::Entries { partial, .. }) = self;
        partial.map_or(TILE_WIDTH, |width| u64::from(width.get()))
    }

    /// The smallest tree that has it; none where that is beyond all trees.
    #[must_use]
    pub fn size_min(&self) -> Option<u64> {
        let (index, level) = match self {
            Self::Hashes { level, index, .. } => (index, *level),
            Self::Entries { index, .. } => (index, 0),
        };
        let hashes = index.checked_mul(TILE_WIDTH)?.checked_add(self.width())?;
        hashes.checked_mul(TILE_WIDTH.checked_pow(u32::from(level))?)
    }
}

impl fmt::Display for TileFile {
    /// Its path below the log's prefix: `tile/<L>/<N>` or `tile/entries/<N>`, and `.p/<W>` where it is partial.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hashes { level, index, partial } => write!(f, "tile/{level}/{}", indexed(*index, *partial)),
            Self::Entries { index, partial } => write!(f, "tile/entries/{}", indexed(*index, *partial)),
        }
    }
}

/// The bytes of a tile: its hashes, one after another. `node(level, index)` gives the hash of a complete subtree.
///
/// # Errors
/// Those of `node`.
pub fn tile_bytes<E>(
    level: u8,
    index: u64,
    width: u64,
    mut node: impl FnMut(u32, u64) -> Result<hash::Hash, E>,
) -> Result<Vec<u8>, E> {
    let first = index.saturating_mul(TILE_WIDTH);
    let mut bytes = Vec::new();
    for number in first..first.saturating_add(width) {
        bytes.extend_from_slice(&node(u32::from(level).saturating_mul(TILE_HEIGHT), number)?);
    }
    Ok(bytes)
}

/// The hashes of a tile; none where the bytes aren't whole hashes.
#[must_use]
pub fn parse_tile(bytes: &[u8]) -> Option<Vec<hash::Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    Some(hashes.to_vec()).filter(|_| rest.is_empty())
}

/// Adds an entry to the bytes of a bundle. False, and nothing added, where it is longer than an entry can be.
#[must_use]
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// The entries of a bundle; none where the last one is cut off.
#[must_use]
pub fn parse_bundle(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    Some(entries)
}

/// The index in groups of three digits, all but the last marked with `x`: no file has the name of a folder.
fn indexed(index: u64, partial: Option<NonZeroU8>) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    partial.map_or_else(|| path.clone(), |width| format!("{path}.p/{width}"))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "tests stop at the first surprise"
    )]

    use super::*;

    const fn tile(level: u8, index: u64, width: u8) -> TileFile {
        TileFile::Hashes { level, index, partial: NonZeroU8::new(width) }
    }

    const fn bundle(index: u64, width: u8) -> TileFile {
        TileFile::Entries { index, partial: NonZeroU8::new(width) }
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let check = |file: TileFile, path: &str| {
            assert_eq!(file.to_string(), path);
            assert_eq!(TileFile::parse(path), Some(file), "{path}");
        };
        check(tile(0, 0, 0), "tile/0/000");
        check(tile(1, 999, 0), "tile/1/999");
        check(tile(0, 1_000, 112), "tile/0/x001/000.p/112");
        check(tile(2, 1_234_067, 0), "tile/2/x001/x234/067");
        check(tile(63, 5, 255), "tile/63/005.p/255");
        check(bundle(273, 112), "tile/entries/273.p/112");
        check(bundle(u64::MAX, 0), "tile/entries/x018/x446/x744/x073/x709/x551/615");
    }

    #[test]
    fn a_path_in_another_form_is_none() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile//000",
            "tile/0/000/",
            "tile/0/000.p",
            "tile/00/000",
            "tile/+0/000",
            "tile/64/000",
            "tile/256/000",
            "tile/-1/000",
            "tile/data/000",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000/000",
            "tile/0/000/000",
            "tile/0/x000",
            "tile/0/x001",
            "tile/0/001/x000",
            "tile/0/+01",
            "tile/0/../000",
            "tile/0/x001//000",
            "tile/0/00\u{0663}",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/+1",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/entries/000.p/256",
            "tile/Entries/000",
            "tile/entries/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x001/x018/x446/x744/x073/x709/x551/615",
        ] {
            assert_eq!(TileFile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_file_belongs_to_the_trees_from_the_one_that_completes_it() {
        let check = |file: TileFile, expected: Option<u64>| assert_eq!(file.size_min(), expected, "{file}");
        check(tile(0, 0, 1), Some(1));
        check(tile(0, 273, 112), Some(70_000));
        check(tile(1, 0, 0), Some(65_536));
        check(tile(2, 0, 1), Some(65_536));
        check(bundle(0, 0), Some(256));
        check(tile(7, 0, 255), Some(255 << 56));
        check(tile(7, 0, 0), None);
        check(tile(63, 0, 1), None);
        check(bundle(u64::MAX, 0), None);
    }

    #[test]
    fn levels_end_with_the_first_that_has_no_hash() {
        let levels = |size| tile_levels(size).map(|tiles| (tiles.full, tiles.partial.map_or(0, NonZeroU8::get)));
        let check = |size, expected: &[(u64, u8)]| assert_eq!(levels(size).collect::<Vec<_>>(), expected, "{size}");
        check(0, &[]);
        check(1, &[(0, 1)]);
        check(255, &[(0, 255)]);
        check(256, &[(1, 0), (0, 1)]);
        check(65_536, &[(256, 0), (1, 0), (0, 1)]);
        check(70_000, &[(273, 112), (1, 17), (0, 1)]);
        assert_eq!(levels(u64::MAX).count(), 8);
    }

    #[test]
    fn entries_come_out_of_a_bundle_as_they_went_in() {
        let longest = vec![7; usize::from(u16::MAX)];
        let entries: [&[u8]; 4] = [b"one", b"", &longest, b"four"];
        let mut bytes = Vec::new();
        for entry in entries {
            assert!(push_entry(&mut bytes, entry));
        }
        assert_eq!(&bytes[..7], b"\x00\x03one\x00\x00");
        assert_eq!(parse_bundle(&bytes).unwrap(), entries);
        let whole = bytes.clone();
        assert!(!push_entry(&mut bytes, &vec![7; usize::from(u16::MAX) + 1]));
        assert_eq!(bytes, whole);
        for length in (1..whole.len()).filter(|length| ![5, 7, 7 + 2 + longest.len()].contains(length)) {
            assert_eq!(parse_bundle(&whole[..length]), None, "cut after {length}");
        }
        assert_eq!(parse_tile(&[0; 33]), None);
        assert_eq!(parse_tile(&[5; 64]), Some(vec![[5; 32]; 2]));
    }
}
