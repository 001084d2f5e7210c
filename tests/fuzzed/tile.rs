//! The files of public logs: paths, tiles, bundles, and a log that is read from files of which some are not its own.
//!
//! An input is also a program for one of three trials: the first byte says which.

use std::{num::NonZeroU8, str, sync::OnceLock};

use timebank::merkle::{
    Frontier, Hash, TILE_WIDTH, TileFile, TiledError, TiledLog, consistency_path, consistency_proof, consistency_roots,
    inclusion_proof, leaf_hash, parse_bundle, parse_tile, push_entry, root_at, root_of_leaves, stored_hash_number,
    tile_bytes, tile_levels, verify_consistency, verify_inclusion,
};

/// Entries of the largest log: three levels of tiles, of which two have full ones.
const SIZE_MAX: u64 = 66_000;
/// Questions to a log, each at most some files.
const QUESTIONS_MAX: usize = 6;
/// Files of another content than the log's own.
const FAULTS_MAX: usize = 6;

/// Whether anything was read.
pub(crate) fn run(data: &[u8]) -> bool {
    let is_file = path(data) | hashes(data) | bundle(data);
    let Some((kind, program)) = data.split_first() else { return is_file };
    let mut input = Input(program);
    let is_read = match kind % 3 {
        0 => log(&mut input),
        1 => proofs(&mut input),
        _ => stranger(&mut input),
    };
    is_file | is_read
}

/// What is left of an input; 0 where nothing is.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    /// Of three bytes.
    fn number(&mut self) -> u64 {
        (0..3).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// Of eight bytes.
    fn any(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn path(data: &[u8]) -> bool {
    let Some((path, file)) = str::from_utf8(data).ok().and_then(|path| Some((path, TileFile::parse(path)?))) else {
        return false;
    };
    assert_eq!(file.to_string(), path, "a file has one path");
    assert!((1..=TILE_WIDTH).contains(&file.width()));
    if let Some(size) = file.size_min() {
        assert!(has(file, size) && !has(file, size - 1), "{file} comes with entry {size}");
    }
    true
}

/// Whether a log of this size has so much of a file.
fn has(file: TileFile, size: u64) -> bool {
    let (level, index) = place(file);
    let found = tile_levels(size).find(|tiles| tiles.level == level);
    found.is_some_and(|tiles| {
        let partial = tiles.partial.map_or(0, |width| u64::from(width.get()));
        index < tiles.full || index == tiles.full && partial >= file.width()
    })
}

const fn place(file: TileFile) -> (u8, u64) {
    match file {
        TileFile::Hashes { level, index, .. } => (level, index),
        TileFile::Entries { index, .. } => (0, index),
    }
}

fn hashes(data: &[u8]) -> bool {
    let Some(hashes) = parse_tile(data) else { return false };
    assert_eq!(hashes.concat(), data, "a tile has one form");
    true
}

fn bundle(data: &[u8]) -> bool {
    let Some(entries) = parse_bundle(data) else { return false };
    let mut again = Vec::new();
    assert!(entries.iter().all(|entry| push_entry(&mut again, entry)));
    assert_eq!(again, data, "a bundle has one form");
    true
}

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

/// The hashes of the largest log, as they are stored.
fn tree() -> &'static [Hash] {
    static TREE: OnceLock<Vec<Hash>> = OnceLock::new();
    TREE.get_or_init(|| {
        let (mut frontier, mut hashes) = (Frontier::default(), Vec::new());
        (0..SIZE_MAX).for_each(|number| frontier.append(leaf_hash(&entry(number)), |hash| hashes.push(hash)));
        hashes
    })
}

/// A node of the log's tree, if it has that many entries.
fn node(size: u64, level: u32, index: u64) -> Result<Hash, ()> {
    let end = index.checked_add(1).and_then(|next| next.checked_mul(1_u64.checked_shl(level)?));
    let number = end.filter(|end| *end <= size).map(|_| stored_hash_number(level, index));
    number.and_then(|number| tree().get(usize::try_from(number).ok()?)).copied().ok_or(())
}

fn root(size: u64) -> Hash {
    root_at(size, |level, index| node(size, level, index)).expect("a size that the tree has")
}

/// The bytes of a file of the log.
fn genuine(file: TileFile, size: u64) -> Option<Vec<u8>> {
    if !has(file, size) {
        return None;
    }
    let (level, index) = place(file);
    match file {
        TileFile::Hashes { .. } => tile_bytes(level, index, file.width(), |level, index| node(size, level, index)).ok(),
        TileFile::Entries { .. } => {
            let (first, mut bytes) = (index * TILE_WIDTH, Vec::new());
            (first..first + file.width()).for_each(|number| assert!(push_entry(&mut bytes, &entry(number))));
            Some(bytes)
        }
    }
}

/// What is wrong with a file that is fetched.
#[derive(Debug, Clone, Copy)]
struct Fault {
    /// Which fetch it is, counted from 0.
    fetch: u8,
    kind: u8,
    at: u64,
    value: u8,
}

impl Fault {
    fn of(input: &mut Input<'_>) -> Self {
        Self { fetch: input.byte() % 32, kind: input.byte(), at: input.number(), value: input.byte() }
    }

    fn apply(self, size: u64, file: TileFile, bytes: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, ()> {
        let Some(mut bytes) = bytes else { return Ok(None) };
        let length = bytes.len().max(1);
        let at = usize::try_from(self.at).map_err(drop)? % length;
        match self.kind % 7 {
            0 => return Err(()),
            1 => return Ok(None),
            2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= self.value;
                }
            }
            3 => bytes.truncate(at),
            4 => bytes.resize(length + at, self.value),
            5 => {
                // Hashes or entries that belong elsewhere.
                let place = self.at % size.div_ceil(TILE_WIDTH).max(1);
                let other = match file {
                    TileFile::Hashes { level, partial, .. } => TileFile::Hashes { level, index: place, partial },
                    TileFile::Entries { partial, .. } => TileFile::Entries { index: place, partial },
                };
                return Ok(genuine(other, size));
            }
            _ => {
                bytes.remove(at.min(length - 1));
            }
        }
        Ok(Some(bytes))
    }
}

/// A log of known content, from files of which some are others: it answers as the log does, or not at all.
fn log(input: &mut Input<'_>) -> bool {
    let size = input.number() % (SIZE_MAX + 1);
    let faults: Vec<Fault> = (0..usize::from(input.byte()) % (FAULTS_MAX + 1)).map(|_| Fault::of(input)).collect();
    let (mut fetches, faulty) = (0_u8, std::cell::Cell::new(false));
    let fetch = |file| {
        let fault = faults.iter().find(|fault| fault.fetch == fetches);
        fetches = fetches.saturating_add(1);
        let bytes = genuine(file, size);
        let Some(fault) = fault else { return Ok(bytes) };
        let given = fault.apply(size, file, bytes.clone());
        faulty.set(faulty.get() || given != Ok(bytes));
        given
    };
    let mut log = match TiledLog::open(size, &root(size), fetch) {
        Ok(log) => log,
        Err(error) => {
            assert!(faulty.get(), "{error:?}");
            return false;
        }
    };
    for _ in 0..QUESTIONS_MAX {
        if input.is_empty() {
            break;
        }
        question(&mut log, input, &|| faulty.get());
    }
    true
}

/// What a log answered, held against what it has.
fn held<T: PartialEq + std::fmt::Debug>(found: Result<T, TiledError<()>>, expected: Option<&T>, is_faulty: bool) {
    match found {
        Ok(found) => assert_eq!(Some(&found), expected, "what is answered is what the log has"),
        Err(error) => assert!(is_faulty || expected.is_none(), "{error:?}, but it has {expected:?}"),
    }
}

fn question<F>(log: &mut TiledLog<F>, input: &mut Input<'_>, is_faulty: &impl Fn() -> bool)
where
    F: FnMut(TileFile) -> Result<Option<Vec<u8>>, ()>,
{
    let size = log.size();
    let kind = input.byte();
    let (level, index) = (input.byte(), input.number());
    let of_size = |index: u64| index % size.max(1);
    match kind % 8 {
        0 => held(log.node(u32::from(level), index), node(size, u32::from(level), index).ok().as_ref(), is_faulty()),
        1 => {
            let level = level % 4;
            let width = (size >> (8 * u32::from(level))).saturating_sub(index * TILE_WIDTH).min(TILE_WIDTH);
            let bytes = tile_bytes(level, index, width, |level, index| node(size, level, index)).ok();
            let hashes = bytes.filter(|bytes| !bytes.is_empty()).and_then(|bytes| parse_tile(&bytes));
            held(log.tile(level, index).map(<[Hash]>::to_vec), hashes.as_ref(), is_faulty());
        }
        2 => {
            let index = index % (size / TILE_WIDTH + 2);
            let width = size.saturating_sub(index * TILE_WIDTH).min(TILE_WIDTH);
            let partial = u8::try_from(width).ok().and_then(NonZeroU8::new);
            let bytes = Some(TileFile::Entries { index, partial }).filter(|_| width > 0);
            held(log.bundle(index), bytes.and_then(|file| genuine(file, size)).as_ref(), is_faulty());
        }
        3 | 4 => {
            let (index, partial) = (index % (size / TILE_WIDTH + 2), NonZeroU8::new(level));
            let level = input.byte() % 3;
            let entries = TileFile::Entries { index, partial };
            let file = if kind % 8 == 3 { TileFile::Hashes { level, index, partial } } else { entries };
            held(log.content(file), genuine(file, size).as_ref(), is_faulty());
            begins(log, file, input, is_faulty);
        }
        5 => {
            let old = of_size(index);
            held(root_at(old, |level, index| log.node(level, index)), Some(&root(old)), is_faulty());
        }
        6 => {
            let old = of_size(index);
            let expected = consistency_path(old, size, |level, index| node(size, level, index)).ok();
            held(consistency_path(old, size, |level, index| log.node(level, index)), expected.as_ref(), is_faulty());
        }
        _ => {
            let index = of_size(index);
            let expected = inclusion_proof(index, size, |level, index| node(size, level, index)).ok();
            held(inclusion_proof(index, size, |level, index| log.node(level, index)), expected.as_ref(), is_faulty());
        }
    }
}

/// Bytes that somebody says are of a file of the log.
fn begins<F>(log: &mut TiledLog<F>, file: TileFile, input: &mut Input<'_>, is_faulty: &impl Fn() -> bool)
where
    F: FnMut(TileFile) -> Result<Option<Vec<u8>>, ()>,
{
    let size = log.size();
    let Some(own) = genuine(file, size) else { return };
    let claimed = Fault::of(input).apply(size, file, Some(own.clone()));
    let Ok(Some(claimed)) = claimed else { return };
    held(log.begins(file, file.width(), &claimed), Some(&(claimed == own)), is_faulty());
    if let TileFile::Entries { index, .. } = file {
        let whole = file.width() == size.saturating_sub(index * TILE_WIDTH).min(TILE_WIDTH);
        held(log.holds(file, &claimed), Some(&(whole && claimed == own)), is_faulty());
    }
}

/// Proofs as they are and as somebody changed them: only the log's own prove anything.
fn proofs(input: &mut Input<'_>) -> bool {
    let size = input.number() % 400 + 1;
    let of_tree = |level, index| node(size, level, index);
    let (index, old) = (input.number() % size, input.number() % (size + 2));
    let inclusion = inclusion_proof(index, size, of_tree).expect("the tree's own");
    let consistency = consistency_proof(old, size, of_tree).expect("the tree's own");
    let path = consistency_path(old, size, of_tree).expect("the tree's own");
    let (claimed, other) = (input.number() % (size + 2), input.number() % (size + 2));
    let changed = [&inclusion, &consistency, &path].map(|proof| change(proof, input));
    let leaf = leaf_hash(&entry(index));
    if verify_inclusion(&leaf, claimed, size, &changed[0], &root(size)).is_ok() {
        assert!(claimed == index && changed[0] == inclusion, "an entry has one proof");
    }
    assert!(verify_inclusion(&leaf, index, size, &inclusion, &root(size)).is_ok());
    let then = root(other.min(size));
    if verify_consistency(old, &then, size, &root(size), &changed[1]).is_ok() {
        assert!(old == other.min(size) && changed[1] == consistency, "a beginning has one proof");
    }
    let is_beginning = (1..=size).contains(&old);
    assert_eq!(verify_consistency(old, &root(old.min(size)), size, &root(size), &consistency).is_ok(), is_beginning);
    if let Ok((then, now)) = consistency_roots(old, size, &changed[2]) {
        assert!(now != root(size) || then == root(old) && changed[2] == path, "a path leads to one beginning");
    }
    let (any, beyond) = (input.any(), input.any());
    let _none = consistency_roots(any, beyond, &changed[2]);
    let _none = verify_consistency(any, &then, beyond, &root(size), &changed[1]);
    let _none = verify_inclusion(&leaf, any, beyond, &changed[0], &root(size));
    true
}

/// A proof with some hashes changed, left out or added.
fn change(proof: &[Hash], input: &mut Input<'_>) -> Vec<Hash> {
    let mut proof = proof.to_vec();
    for _ in 0..input.byte() % 4 {
        let (kind, at, value) = (input.byte(), usize::from(input.byte()), input.byte());
        let place = at % proof.len().max(1);
        match kind % 4 {
            0 => proof.insert(place, [value; 32]),
            1 if !proof.is_empty() => drop(proof.remove(place)),
            2 if !proof.is_empty() => proof.swap(place, 0),
            _ => {
                if let Some(hash) = proof.get_mut(place) {
                    hash[usize::from(value) % 32] ^= value;
                }
            }
        }
    }
    proof
}

/// A log of any size at all, whose files lead to its root and to nothing else.
fn stranger(input: &mut Input<'_>) -> bool {
    let (size, value) = (input.any(), input.byte());
    let fetch = |file: TileFile| {
        let hash = [value; 32];
        Ok::<_, ()>(Some(match file {
            TileFile::Hashes { .. } => hash.repeat(usize::try_from(file.width()).expect("small")),
            TileFile::Entries { .. } => [0, 0].repeat(usize::try_from(file.width()).expect("small")),
        }))
    };
    let edge: u32 = tile_levels(size).map(|tiles| tiles.partial.map_or(0, |width| width.get().count_ones())).sum();
    assert_eq!(edge, size.count_ones(), "tiles hold every subtree of the edge");
    // The subtrees within a partial tile, of hashes that are all the same.
    let mut subtrees = Vec::new();
    for tiles in tile_levels(size).collect::<Vec<_>>().into_iter().rev() {
        let width = tiles.partial.map_or(0, NonZeroU8::get);
        let heights = (0..8_u32).rev().filter(|height| width & 1 << height != 0);
        subtrees.extend(heights.map(|height| root_of_leaves(std::iter::repeat_n([value; 32], 1 << height))));
    }
    let root = Frontier::from_parts(size, subtrees).expect("a subtree for each bit").root();
    let mut log = TiledLog::open(size, &root, fetch).expect("what leads to its root");
    while !input.is_empty() {
        let (kind, level, index) = (input.byte(), input.byte(), input.any());
        let partial = NonZeroU8::new(input.byte());
        match kind % 5 {
            0 => drop(log.node(u32::from(level), index)),
            1 => drop(log.tile(level, index)),
            2 => drop(log.bundle(index)),
            3 => drop(log.content(TileFile::Hashes { level, index, partial })),
            _ => drop(log.begins(TileFile::Entries { index, partial }, index, &[])),
        }
    }
    true
}
