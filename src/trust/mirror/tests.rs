#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU8,
};

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::{
    engine::log::{Appended, Commit, Log, MemoryLog, StoredEntry},
    engine::{past::PastError, tree::Tree},
    format::{proof::Relation, signature::PrivateKey, wire::LEAF_LENGTH},
    merkle::{Frontier, leaf_hash, parse_bundle},
};

const ORIGIN: &str = "timebank.example/mirror";
/// Entries of one commit; divides no size that matters.
const COMMIT_ENTRIES: u64 = 1_000;

/// A log with a key, without rules: what its entries say plays no part here.
struct Growing {
    log: MemoryLog,
    tree: Tree,
    frontier: Frontier,
    key: PrivateKey,
    salt: u8,
}

impl Growing {
    fn new(size: u64) -> Self {
        let key = PrivateKey::from_seed([1; 32]);
        let mut log = Self {
            log: MemoryLog::default(),
            tree: Tree::temporary().unwrap(),
            frontier: Frontier::default(),
            key,
            salt: 0,
        };
        log.grow(size);
        log
    }

    fn entry(&self, index: u64) -> StoredEntry {
        let header = format!("header {index} {}", self.salt).into_bytes();
        StoredEntry {
            index,
            recorded_at_ms: i64::try_from(index).unwrap() * 7,
            header: header.into(),
            signatures: vec![Bytes::from(vec![9; 64])],
            events: vec![Bytes::from_static(b"an event")],
        }
    }

    fn grow(&mut self, size: u64) {
        while self.frontier.size() < size {
            let first = self.frontier.size();
            let entries: Vec<_> = (first..size.min(first + COMMIT_ENTRIES)).map(|index| self.entry(index)).collect();
            let mut hashes = Vec::new();
            for entry in &entries {
                self.frontier.append(leaf_hash(&entry.leaf()), |hash| hashes.push(hash));
            }
            let root = self.frontier.root();
            assert!(matches!(self.log.append(&Commit { entries, root }), Ok(Appended::Done)));
            self.tree.append(first, &hashes).unwrap();
        }
    }

    fn log_and_tree(&self) -> (&dyn Log, &Tree) {
        (&self.log, &self.tree)
    }

    fn vkey(&self) -> VerifierKey {
        VerifierKey::new(ORIGIN, self.key.public_key()).unwrap()
    }

    fn root(&self, size: u64) -> Hash {
        self.tree.root(size).unwrap()
    }

    fn note(&self, size: u64) -> Vec<u8> {
        checkpoint::sign(ORIGIN, size, &self.root(size), self.key.signing_key()).into_bytes()
    }

    /// As a server that has published `size` entries.
    fn serve(&self, size: u64) -> impl Fn(TileFile) -> Result<Option<Vec<u8>>, PastError> {
        move |file| content(self.log_and_tree(), size, file)
    }

    fn mirror(&self, folder: &Path, size: u64) -> Result<Update, MirrorError<PastError>> {
        update(folder, &self.note(size), &self.vkey(), Scope::New, self.serve(size), |_| ())
    }
}

/// Paths and bytes of all files of a folder.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// What a folder of a tree holds, and nothing else, if it was mirrored at once.
fn expected(size: u64) -> BTreeSet<String> {
    files(0, size).map(|file| file.to_string()).chain([CHECKPOINT.to_owned()]).collect()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_folder_follows_the_log_over_every_border() {
    let (log, folder) = (Growing::new(70_000), folder());
    let folder = folder.path().join("made/on/the/way");
    let mut before = None;
    for size in [0, 1, 255, 256, 257, 300, 512, 65_536, 65_792, 70_000] {
        let update = log.mirror(&folder, size).unwrap();
        assert_eq!((update.old, update.size, update.repaired), (before, size, 0));
        assert_eq!(verify(&folder, &log.vkey()).unwrap().checkpoint.size, size);
        assert_eq!(fs::read(folder.join(CHECKPOINT)).unwrap(), log.note(size));
        let again = log.mirror(&folder, size).unwrap();
        assert_eq!(again, Update { old: Some(size), size, written: 0, repaired: 0, strangers: Vec::new() });
        before = Some(size);
    }
    // Of the partial files that earlier sizes needed, those remain whose full one isn't there.
    let (found, expected) = (tree(&folder), expected(70_000));
    let more: BTreeSet<_> = found.keys().cloned().collect::<BTreeSet<_>>().difference(&expected).cloned().collect();
    let older = ["tile/1/001.p/1"].map(str::to_owned);
    assert_eq!(more, BTreeSet::from(older));
    assert!(expected.iter().all(|path| found.contains_key(path)));
}

#[test]
fn a_folder_made_at_once_holds_exactly_the_tree() {
    let log = Growing::new(66_000);
    for size in [0, 1, 257, 66_000] {
        let folder = folder();
        log.mirror(folder.path(), size).unwrap();
        let found = tree(folder.path());
        assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), expected(size), "size {size}");
        for (path, bytes) in found.iter().filter(|(path, _)| path.starts_with("tile/entries/")) {
            let entries = parse_bundle(bytes).unwrap();
            assert!(entries.iter().all(|entry| entry.len() == LEAF_LENGTH && entry.first() == Some(&1)), "{path}");
            let text = String::from_utf8_lossy(bytes);
            assert!(!text.contains("header") && !text.contains("event"), "{path} holds more than leaves");
        }
    }
}

#[test]
fn only_published_files_have_content() {
    let log = Growing::new(700);
    let partial = NonZeroU8::new;
    let has = |published, file| content(log.log_and_tree(), published, file).unwrap().is_some();
    for (file, size) in [
        (TileFile::Hashes { level: 0, index: 0, partial: partial(1) }, 1),
        (TileFile::Hashes { level: 0, index: 1, partial: partial(44) }, 300),
        (TileFile::Entries { index: 1, partial: partial(44) }, 300),
        (TileFile::Entries { index: 1, partial: None }, 512),
        (TileFile::Hashes { level: 1, index: 0, partial: partial(2) }, 512),
    ] {
        assert!(!has(size - 1, file), "{file} of a log of {}", size - 1);
        assert!(has(size, file), "{file} of a log of {size}");
    }
    for level in [2, 8, 63] {
        assert!(!has(700, TileFile::Hashes { level, index: 0, partial: partial(1) }), "level {level}");
    }
    assert!(!has(u64::MAX, TileFile::Entries { index: u64::MAX, partial: None }));
}

#[test]
fn a_rewritten_or_shorter_log_changes_nothing() {
    let (log, folder) = (Growing::new(1_000), folder());
    log.mirror(folder.path(), 600).unwrap();
    let before = tree(folder.path());
    // The same key, the same number of entries, another past.
    let mut other = Growing { salt: 1, ..Growing::new(0) };
    other.grow(2_000);
    for size in [600, 601, 1_000, 2_000] {
        let error = other.mirror(folder.path(), size).unwrap_err();
        let MirrorError::Forked { old: 600, new, evidence } = &error else { panic!("{error}") };
        assert_eq!((*new, evidence.new.as_bytes()), (size, other.note(size).as_slice()));
        let related = CheckpointPair::parse(evidence.to_string().as_bytes()).unwrap().verify().unwrap();
        assert_eq!(related.relation, Relation::Forked { root_then: other.root(600) });
    }
    // Fewer entries of another past contradict the folder as well, as its own tiles show.
    for size in [1, 255, 256, 512, 599] {
        let error = other.mirror(folder.path(), size).unwrap_err();
        let MirrorError::Forked { old: 600, new, evidence } = &error else { panic!("{error}") };
        assert_eq!((*new, evidence.old.as_bytes()), (size, other.note(size).as_slice()));
        let related = CheckpointPair::parse(evidence.to_string().as_bytes()).unwrap().verify().unwrap();
        assert_eq!(related.relation, Relation::Forked { root_then: log.root(size) });
    }
    let newest = folder.path().join("tile/0/002.p/88");
    let tile = fs::read(&newest).unwrap();
    fs::write(&newest, [&tile[..tile.len() - 1], &[tile[tile.len() - 1] ^ 1]].concat()).unwrap();
    let error = other.mirror(folder.path(), 599).unwrap_err();
    assert!(matches!(error, MirrorError::Shrunk { .. }), "a damaged folder accuses nobody: {error}");
    fs::write(&newest, tile).unwrap();
    let error = log.mirror(folder.path(), 599).unwrap_err();
    assert!(matches!(error, MirrorError::Shrunk { old: 600, new: 599, .. }), "{error}");
    let error = Growing::new(0).mirror(folder.path(), 0).unwrap_err();
    assert!(matches!(error, MirrorError::Shrunk { old: 600, new: 0, .. }), "{error}");
    let stranger = Growing { key: PrivateKey::from_seed([2; 32]), ..Growing::new(700) };
    let error = stranger.mirror(folder.path(), 700).unwrap_err();
    assert!(matches!(error, MirrorError::OtherLog { .. }), "{error}");
    let forged = stranger.note(700);
    let error = update(folder.path(), &forged, &log.vkey(), Scope::New, log.serve(700), |_| ()).unwrap_err();
    assert!(matches!(error, MirrorError::Checkpoint(_)), "{error}");
    assert_eq!(tree(folder.path()), before);
    assert_eq!(log.mirror(folder.path(), 1_000).unwrap().size, 1_000);
}

#[test]
fn files_that_do_not_lead_to_the_checkpoint_are_never_written() {
    let (log, folder) = (Growing::new(1_000), folder());
    log.mirror(folder.path(), 300).unwrap();
    let before = tree(folder.path());
    let note = log.note(1_000);
    for file in files(300, 1_000) {
        let tampered = |asked: TileFile| {
            let bytes = content(log.log_and_tree(), 1_000, asked)?;
            Ok::<_, PastError>(bytes.map(|mut bytes| {
                if asked == file {
                    *bytes.last_mut().unwrap() ^= 1;
                }
                bytes
            }))
        };
        let error = update(folder.path(), &note, &log.vkey(), Scope::New, tampered, |_| ()).unwrap_err();
        assert!(matches!(error, MirrorError::Tiled(_)), "{file}: {error}");
        let now = tree(folder.path());
        assert!(before.iter().all(|(path, bytes)| now.get(path) == Some(bytes)), "{file}");
        for (path, bytes) in now.iter().filter(|(path, _)| !before.contains_key(*path)) {
            let right = content(log.log_and_tree(), 1_000, TileFile::parse(path).unwrap()).unwrap();
            assert_eq!(right.as_ref(), Some(bytes), "{path} was written while {file} was wrong");
        }
        assert_eq!(verify(folder.path(), &log.vkey()).unwrap().checkpoint.size, 300);
    }
    assert_eq!(log.mirror(folder.path(), 1_000).unwrap().size, 1_000);
}

#[test]
fn an_update_that_was_cut_short_goes_on_where_it_was() {
    let (log, folder) = (Growing::new(2_000), folder());
    log.mirror(folder.path(), 300).unwrap();
    let left = RefCell::new(9);
    let fail_late = |file| {
        *left.borrow_mut() -= 1;
        if *left.borrow() == 0 { Err("the line was cut".to_owned()) } else { Ok(log.serve(2_000)(file).unwrap()) }
    };
    let note = log.note(2_000);
    let error = update(folder.path(), &note, &log.vkey(), Scope::New, fail_late, |_| ()).unwrap_err();
    assert!(error.to_string().contains("the line was cut"), "{error}");
    assert_eq!(verify(folder.path(), &log.vkey()).unwrap().checkpoint.size, 300);
    let asked = RefCell::new(BTreeSet::new());
    let serve = |file: TileFile| {
        asked.borrow_mut().insert(file.to_string());
        log.serve(2_000)(file)
    };
    let mut reported = Vec::new();
    update(folder.path(), &note, &log.vkey(), Scope::New, serve, |size| reported.push(size)).unwrap();
    assert_eq!(reported, [512, 768, 1_024, 1_280, 1_536, 1_792, 2_000]);
    assert!(!asked.borrow().contains("tile/entries/001"), "what is there is not fetched again");
    assert_eq!(verify(folder.path(), &log.vkey()).unwrap().checkpoint.size, 2_000);
    assert!(!folder.path().join("tile/0/001.p").exists() && !folder.path().join("tile/entries/001.p").exists());
}

#[test]
fn damaged_and_lost_files_are_found_and_written_again() {
    let (log, folder) = (Growing::new(1_000), folder());
    log.mirror(folder.path(), 1_000).unwrap();
    let before = tree(folder.path());
    let path = |name: &str| folder.path().join(name);
    fs::remove_file(path("tile/entries/000")).unwrap();
    fs::write(path("tile/entries/001"), "\0\x03abc").unwrap();
    fs::write(path("tile/0/002"), [7; 8_192]).unwrap();
    assert!(verify(folder.path(), &log.vkey()).is_err());
    let all = |scope| update(folder.path(), &log.note(1_000), &log.vkey(), scope, log.serve(1_000), |_| ()).unwrap();
    assert_eq!(all(Scope::New).written, 0);
    assert_eq!(
        all(Scope::All),
        Update { old: Some(1_000), size: 1_000, written: 3, repaired: 2, strangers: Vec::new() }
    );
    assert_eq!(tree(folder.path()), before);
}

#[test]
fn two_mirrors_do_not_share_a_folder() {
    let (log, folder) = (Growing::new(10), folder());
    let held = lock::<PastError>(folder.path()).unwrap();
    let error = log.mirror(folder.path(), 10).unwrap_err();
    assert!(matches!(error, MirrorError::InUse { .. }), "{error}");
    drop(held);
    assert_eq!(log.mirror(folder.path(), 10).unwrap().written, 2);
}

#[test]
fn what_a_kill_left_behind_is_removed() {
    let (log, folder) = (Growing::new(300), folder());
    for name in [".timebank-a1B2c3", "index.html", ".hidden"] {
        fs::write(folder.path().join(name), "half of a tile").unwrap();
    }
    log.mirror(folder.path(), 300).unwrap();
    let found: BTreeSet<_> = tree(folder.path()).into_keys().filter(|path| !path.starts_with("tile/")).collect();
    assert_eq!(found, [CHECKPOINT, "index.html", ".hidden"].map(str::to_owned).into());
}

/// A folder that followed a log to 464 entries by several sizes, so that it has partial files of all of them.
fn followed() -> (Growing, TempDir) {
    let (log, folder) = (Growing::new(1_000), folder());
    for size in [256 + 70, 256 + 207, 464] {
        log.mirror(folder.path(), size).unwrap();
    }
    for path in ["tile/entries/001.p/70", "tile/0/001.p/207", "tile/0/001.p/208"] {
        assert!(folder.path().join(path).exists(), "{path}");
    }
    (log, folder)
}

#[test]
fn every_file_of_a_folder_is_looked_at_and_written_again() {
    let (log, folder) = followed();
    let folder = folder.path();
    let all = || update(folder, &log.note(464), &log.vkey(), Scope::All, log.serve(464), |_| ());
    let sound = tree(folder);
    for (path, bytes) in &sound {
        if path == CHECKPOINT {
            continue;
        }
        let flipped: Vec<u8> =
            bytes.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == bytes.len() / 2)).collect();
        let longer = [bytes.as_slice(), &[0]].concat();
        for damaged in [flipped, bytes[..bytes.len() - 1].to_vec(), Vec::new(), longer] {
            fs::write(folder.join(path), &damaged).unwrap();
            let error = verify(folder, &log.vkey()).unwrap_err().to_string();
            // What is made of the newest tiles is one root.
            assert!(error.contains(path) || error.contains("newest tiles"), "{path}: {error}");
            let update = all().unwrap();
            assert_eq!((update.written, update.repaired), (1, 1), "{path}");
            assert_eq!(tree(folder), sound, "{path}");
        }
    }
    assert_eq!(verify(folder, &log.vkey()).unwrap().beyond, 0);
}

#[test]
fn what_has_no_business_in_a_folder_is_named_and_left() {
    let (log, folder) = followed();
    let folder = folder.path();
    for stranger in ["tile/notes.txt", "tile/0/001.p/256", "tile/0/01", "tile/entries/x000/001", "tile/64/000"] {
        let path = folder.join(stranger);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "anything").unwrap();
        let error = verify(folder, &log.vkey()).unwrap_err().to_string();
        assert!(error.contains(stranger) && error.contains("no business"), "{error}");
        let update = update(folder, &log.note(464), &log.vkey(), Scope::All, log.serve(464), |_| ()).unwrap();
        assert_eq!(update.strangers, [stranger]);
        fs::remove_file(&path).unwrap();
    }
    // Beside the tiles anything may lie, as on any web server.
    fs::write(folder.join("index.html"), "hello").unwrap();
    assert_eq!(verify(folder, &log.vkey()).unwrap().checkpoint.size, 464);
}

#[test]
fn files_that_go_on_after_the_checkpoint_have_to_begin_as_the_log_does() {
    let (log, folder) = followed();
    let folder = folder.path();
    let before = fs::read(folder.join(CHECKPOINT)).unwrap();
    // As a run that is cut off before it is done leaves them.
    log.mirror(folder, 600).unwrap();
    fs::write(folder.join(CHECKPOINT), before).unwrap();
    let checked = verify(folder, &log.vkey()).unwrap();
    assert_eq!((checked.checkpoint.size, checked.beyond), (464, 5), "{:?}", tree(folder).keys());
    for path in ["tile/entries/001", "tile/1/000.p/2"] {
        let bytes = fs::read(folder.join(path)).unwrap();
        let mut damaged = bytes.clone();
        damaged[5] ^= 1;
        fs::write(folder.join(path), damaged).unwrap();
        let error = verify(folder, &log.vkey()).unwrap_err().to_string();
        assert!(error.contains(path), "{error}");
        fs::write(folder.join(path), bytes).unwrap();
    }
}
