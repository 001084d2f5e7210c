#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "tests stop at the first surprise"
)]

use std::{cell::RefCell, collections::BTreeMap};

use super::*;
use crate::merkle::{
    consistency_proof, inclusion_proof, node_hash, root_at, stored_hash_number, tile_bytes, verify_consistency,
    verify_inclusion,
};

/// Around the borders of tiles of the first two levels, and the specification's own example.
const SIZES: [u64; 15] = [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_279, 65_535, 65_536, 65_537, 65_792, 70_000];

type Files = BTreeMap<String, Vec<u8>>;

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

/// The stored hashes of a tree, as the log keeps them.
fn stored(size: u64) -> Vec<Hash> {
    let (mut frontier, mut stored) = (Frontier::default(), Vec::new());
    for index in 0..size {
        frontier.append(leaf_hash(&entry(index)), |hash| stored.push(hash));
    }
    stored
}

fn root(stored: &[Hash], size: u64) -> Hash {
    let node = |level, index| Ok::<_, ()>(stored[stored_hash_number(level, index) as usize]);
    root_at(size, node).unwrap()
}

/// All files of a tree.
fn files(stored: &[Hash], size: u64) -> Files {
    let node = |level, index| Ok::<_, ()>(stored[stored_hash_number(level, index) as usize]);
    let mut files = Files::new();
    for tiles in tile_levels(size) {
        let full = (0..tiles.full).map(|index| (index, None));
        for (index, partial) in full.chain(tiles.partial.map(|width| (tiles.full, Some(width)))) {
            let file = TileFile::Hashes { level: tiles.level, index, partial };
            assert!(file.size_min().unwrap() <= size, "{file} is beyond {size}");
            files.insert(file.to_string(), tile_bytes(tiles.level, index, file.width(), node).unwrap());
            if tiles.level == 0 {
                let mut bundle = Vec::new();
                let first = index * TILE_WIDTH;
                assert!((first..first + file.width()).all(|index| push_entry(&mut bundle, &entry(index))));
                files.insert(TileFile::Entries { index, partial }.to_string(), bundle);
            }
        }
    }
    files
}

type Fetched<'a> = Box<dyn FnMut(TileFile) -> Result<Option<Vec<u8>>, ()> + 'a>;

fn open<'a>(files: &'a Files, size: u64, root: &Hash) -> Result<TiledLog<Fetched<'a>>, TiledError<()>> {
    let fetch: Fetched<'a> = Box::new(|file| Ok(files.get(&file.to_string()).cloned()));
    TiledLog::open(size, root, fetch)
}

fn verify(files: &Files, size: u64, root: &Hash) -> Result<u64, TiledError<()>> {
    let mut entries = 0;
    open(files, size, root)?.verify(|_, bundle| entries += parse_bundle(bundle).unwrap().len() as u64)?;
    Ok(entries)
}

/// MTH of RFC 6962, for lists of a power of two, which is all that a tile holds hashes of.
fn naive_root(leaves: &[Hash]) -> Hash {
    if let [leaf] = leaves {
        return *leaf;
    }
    let (left, right) = leaves.split_at(leaves.len() / 2);
    node_hash(&naive_root(left), &naive_root(right))
}

#[test]
fn every_size_around_the_borders_is_read_whole() {
    let stored = stored(70_000);
    for size in SIZES {
        let (files, root) = (files(&stored, size), root(&stored, size));
        assert_eq!(verify(&files, size, &root), Ok(size), "size {size}");
    }
}

#[test]
fn tiles_hold_what_the_specification_says() {
    let (size, leaves) = (66_000, (0..66_000).map(|index| leaf_hash(&entry(index))).collect::<Vec<_>>());
    for (path, bytes) in files(&stored(size), size).iter().filter(|(path, _)| !path.contains("entries")) {
        let Some(TileFile::Hashes { level, index, .. }) = TileFile::parse(path) else { unreachable!("{path}") };
        let span = 256_usize.pow(u32::from(level));
        for (hash, place) in parse_tile(bytes).unwrap().iter().zip(index as usize * 256..) {
            assert_eq!(*hash, naive_root(&leaves[place * span..(place + 1) * span]), "{path}, hash {place}");
        }
    }
}

#[test]
fn proofs_come_out_of_tiles_as_out_of_the_store() {
    let stored = stored(66_000);
    let (size, new_root) = (66_000, root(&stored, 66_000));
    let node = |level, index| Ok::<_, ()>(stored[stored_hash_number(level, index) as usize]);
    let files = files(&stored, size);
    let mut log = open(&files, size, &new_root).unwrap();
    for place in [0, 1, 255, 256, 300, 65_535, 65_536, 65_999] {
        let proof = inclusion_proof(place, size, |level, index| log.node(level, index)).unwrap();
        assert_eq!(Ok(&proof), inclusion_proof(place, size, node).as_ref());
        assert_eq!(verify_inclusion(&leaf_hash(&entry(place)), place, size, &proof, &new_root), Ok(()));
        let old = place + 1;
        let proof = consistency_proof(old, size, |level, index| log.node(level, index)).unwrap();
        assert_eq!(verify_consistency(old, &root(&stored, old), size, &new_root, &proof), Ok(()), "{old}");
    }
    for (level, index) in [(0, size), (1, 33_000), (8, 257), (16, 1), (17, 0), (64, 0), (5_000, 0), (0, u64::MAX)] {
        let found = log.node(level, index);
        assert!(matches!(found, Err(TiledError::OutOfRange { size: 66_000, .. })), "{level}, {index}: {found:?}");
    }
}

#[test]
fn a_partial_file_that_is_gone_is_read_from_the_full_one() {
    let stored = stored(70_000);
    let (old, root) = (300, root(&stored, 300));
    let mut newer = files(&stored, 70_000);
    for gone in ["tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"] {
        assert!(!newer.contains_key(gone), "{gone}");
    }
    assert_eq!(verify(&newer, old, &root), Ok(old));
    newer.remove("tile/entries/001");
    let file = TileFile::parse("tile/entries/001.p/44").unwrap();
    assert_eq!(verify(&newer, old, &root), Err(TiledError::Missing { file, size: old }));
}

#[test]
fn no_changed_byte_and_no_lost_file_passes() {
    let stored = stored(800);
    let (size, root) = (800, root(&stored, 800));
    let whole = files(&stored, size);
    assert_eq!(whole.len(), 2 * 4 + 1);
    for path in whole.keys() {
        let mut lost = whole.clone();
        let bytes = lost.remove(path).unwrap();
        assert!(matches!(verify(&lost, size, &root), Err(TiledError::Missing { .. })), "{path}");
        // 101 is a prime: some byte at every place of a hash and of an entry is met.
        for at in (0..bytes.len()).step_by(101) {
            let mut changed = whole.clone();
            changed.get_mut(path).unwrap()[at] ^= 0x10;
            assert!(verify(&changed, size, &root).is_err(), "{path}, byte {at}");
        }
        for length in [0, bytes.len() - 1, bytes.len() - 32] {
            let mut cut = whole.clone();
            cut.get_mut(path).unwrap().truncate(length);
            assert!(verify(&cut, size, &root).is_err(), "{path} cut to {length}");
        }
        let mut longer = whole.clone();
        longer.get_mut(path).unwrap().extend_from_slice(&[0; 32]);
        assert!(verify(&longer, size, &root).is_err(), "{path}, longer");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let stored = stored(800);
    let (size, right) = (800, root(&stored, 800));
    let whole = files(&stored, size);
    let change = |path: &str, at: usize| {
        let mut changed = whole.clone();
        changed.get_mut(path).unwrap()[at] ^= 1;
        verify(&changed, size, &right).unwrap_err()
    };
    let file = |path: &str| TileFile::parse(path).unwrap();
    assert_eq!(change("tile/1/000.p/3", 0), TiledError::RootMismatch { size });
    assert_eq!(change("tile/0/003.p/32", 0), TiledError::RootMismatch { size });
    assert_eq!(change("tile/0/001", 9), TiledError::TileMismatch { file: file("tile/0/001") });
    let mismatch = TiledError::EntryMismatch { file: file("tile/entries/001"), index: 257 };
    assert_eq!(change("tile/entries/001", 2 + 9 + 2), mismatch);
    let malformed = TiledError::Malformed { file: file("tile/entries/001"), width: 256, what: "entries" };
    assert_eq!(change("tile/entries/001", 0), malformed);
    assert_eq!(verify(&whole, size, &root(&stored, 799)), Err(TiledError::RootMismatch { size }));
    assert_eq!(verify(&whole, 0, &right), Err(TiledError::RootMismatch { size: 0 }));
    let failed = TiledLog::open(size, &right, |_| Err::<Option<Vec<u8>>, _>("no disk")).map(|_| ()).unwrap_err();
    assert_eq!(failed.to_string(), "tile/0/003.p/32 could not be read: no disk");
}

#[test]
fn a_walk_over_all_entries_reads_every_file_once() {
    let stored = stored(70_000);
    let files = files(&stored, 70_000);
    let asked = RefCell::new(BTreeMap::new());
    let fetch = |file: TileFile| {
        *asked.borrow_mut().entry(file.to_string()).or_insert(0) += 1;
        Ok::<_, ()>(files.get(&file.to_string()).cloned())
    };
    TiledLog::open(70_000, &root(&stored, 70_000), fetch).unwrap().verify(|_, _| ()).unwrap();
    let asked = asked.into_inner();
    assert_eq!(asked.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    assert_eq!(asked.values().max(), Some(&1));
}
