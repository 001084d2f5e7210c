//! The files a public log's tree is read from: [tlog-tiles] of C2SP.
//!
//! [tlog-tiles]: https://c2sp.org/tlog-tiles

use std::{iter, num::NonZeroU8};

/// Hashes of a full tile, entries of a full bundle.
pub const TILE_WIDTH: u64 = 256;

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

/// Where a tile is, below the log's prefix: `tile/<L>/<N>`, and `.p/<W>` where it is partial.
#[must_use]
pub fn tile_path(level: u8, index: u64, partial: Option<NonZeroU8>) -> String {
    format!("tile/{level}/{}", indexed(index, partial))
}

/// Where a bundle of entries is: `tile/entries/<N>`, and `.p/<W>` where it is partial.
#[must_use]
pub fn entries_path(index: u64, partial: Option<NonZeroU8>) -> String {
    format!("tile/entries/{}", indexed(index, partial))
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
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let width = NonZeroU8::new(112);
        assert_eq!(tile_path(0, 0, None), "tile/0/000");
        assert_eq!(tile_path(1, 999, None), "tile/1/999");
        assert_eq!(tile_path(0, 1_000, width), "tile/0/x001/000.p/112");
        assert_eq!(tile_path(2, 1_234_067, None), "tile/2/x001/x234/067");
        assert_eq!(entries_path(273, width), "tile/entries/273.p/112");
        assert_eq!(entries_path(u64::MAX, None), "tile/entries/x018/x446/x744/x073/x709/x551/615");
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
}
