//! What `timebank fsck` finds in a data folder that is damaged in every part, and what it makes again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

#[path = "support/imported.rs"]
mod imported;
#[path = "support/server.rs"]
mod server;
#[path = "support/store.rs"]
mod store;
#[path = "support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    fs,
    ops::ControlFlow,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use ::timebank::{
    engine::key_file::KeyFile,
    folder::FsckError,
    format::{
        proto::{self, event::Kind},
        wire,
    },
    ledger::{Millis, SheetId},
};
use imported::{copied, import, stop};
use prost::Message as _;
use serde_json::Value;
use server::{Ledger, timebank};
use tempfile::TempDir;

/// A folder with records, an import's links, and a snapshot, that nobody serves any more.
fn folder() -> TempDir {
    let mut ledger = Ledger::new();
    let home = ledger.folder.path().to_owned();
    import(&ledger);
    ledger.json(&["region", "define", "leeds"]);
    ledger.json(&["station", "open", "--region", "leeds"]);
    stop(&mut ledger);
    assert!(home.join("projections/snapshot").exists() && home.join("projections/notes.0-16").exists());
    std::mem::replace(&mut ledger.folder, tempfile::tempdir().unwrap())
}

fn fsck(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = timebank(&["fsck", "--json", "--data"]).arg(folder).args(arguments).output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_none| {
        panic!("{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    });
    (output.status.code(), report)
}

/// Paths and bytes of all files but sled's, which opening may touch.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.to_string_lossy().contains("/log/") && !path.to_string_lossy().contains("/directory/") {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Every key of the log with its value.
fn log(folder: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let db = store::opened_store(folder.join("log"));
    db.iter().map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()).collect()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 4;
    fs::write(path, bytes).unwrap();
}

/// Changes the value of a key of the log's store.
fn change(folder: &Path, prefix: u8, nth: usize, change: impl FnOnce(&mut Vec<u8>)) {
    let db = store::opened_store(folder.join("log"));
    let (key, value) = db.scan_prefix([prefix]).nth(nth).unwrap().unwrap();
    let mut value = value.to_vec();
    change(&mut value);
    db.insert(key, value).unwrap();
    db.flush().unwrap();
}

fn invert(path: &Path) {
    let bytes: Vec<u8> = fs::read(path).unwrap().iter().map(|byte| !byte).collect();
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path, bytes: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

type Damage = fn(&Path);

/// A sheet of the operator's that nobody sent.
fn region(folder: &Path) -> proto::Sheet {
    let operator = KeyFile::read(&folder.join("operator.key")).unwrap();
    let now = jiff::Timestamp::now().as_millisecond();
    let events = vec![Kind::RegionDefined(proto::RegionDefined { code: "later".to_owned(), parent: String::new() })];
    let (issued_at, valid_until) = (Millis(now), Millis(now + 86_400_000));
    let draft = wire::Draft { origin: &operator.origin, sheet_id: SheetId([9; 16]), issued_at, valid_until, events };
    wire::sign(draft, &[&operator.key]).unwrap()
}

/// What is damaged, the part that is named, and words of place and problem.
const DAMAGES: [(Damage, &str, &str); 33] = [
    (|folder| change(folder, b'b', 1, |block| block[60] ^= 4), "log", "entry 1"),
    (|folder| change(folder, b'b', 2, |block| block.truncate(40)), "log", "block 2"),
    (|folder| flip(&folder.join("projections/tree"), 35), "tree", "of entry 1"),
    (|folder| cut(&folder.join("projections/tree"), 100), "tree", "it is missing"),
    // More hashes than are told of.
    (|folder| invert(&folder.join("projections/tree")), "tree", "of entry 0"),
    (|folder| change(folder, b'c', 1, |root| root[0] ^= 4), "log", "the root after 2 entries"),
    (
        |folder| {
            let db = store::opened_store(folder.join("log"));
            db.insert(b"b\0\0\0\0\0\0\0\x99\0\0", b"stray").unwrap();
            db.flush().unwrap();
        },
        "log",
        "block 153",
    ),
    (
        |folder| {
            // The newest commit gone: the log is shorter than what was signed.
            let db = store::opened_store(folder.join("log"));
            let (key, _) = db.scan_prefix([b'c']).next_back().unwrap().unwrap();
            db.remove(key).unwrap();
            db.flush().unwrap();
        },
        "log",
        "acknowledged entries are gone",
    ),
    (|folder| flip(&folder.join("checkpoint"), 30), "checkpoint", "checkpoint"),
    (|folder| fs::remove_file(folder.join("checkpoint")).unwrap(), "checkpoint", "it is missing"),
    (|folder| fs::write(folder.join("cosigned"), "nonsense").unwrap(), "checkpoint", "cosigned"),
    (|folder| flip(&folder.join("projections/snapshot"), 200), "projections", "projections/snapshot"),
    (|folder| flip(&folder.join("projections/postings"), 100), "projections", "projections/postings, row"),
    (|folder| flip(&folder.join("projections/entries"), 20), "projections", "projections/entries, row"),
    (|folder| flip(&folder.join("projections/times"), 20), "projections", "projections/times, row"),
    (|folder| flip(&folder.join("projections/notes.0-16"), 330), "projections", "projections/notes, row"),
    (|folder| fs::remove_file(folder.join("projections/notes.0-16")).unwrap(), "projections", "projections/snapshot"),
    (|folder| fs::write(folder.join("projections/times"), "").unwrap(), "projections", "projections/snapshot"),
    (|folder| fs::write(folder.join("projections/postings"), "").unwrap(), "projections", "projections/snapshot"),
    (|folder| fs::remove_file(folder.join("ledger.key")).unwrap(), "keys", "it is missing"),
    (|folder| fs::write(folder.join("service.key"), "nonsense").unwrap(), "keys", "service.key"),
    (
        |folder| assert!(fs::copy(folder.join("operator.key"), folder.join("ledger.key")).is_ok()),
        "keys",
        "not the key that the genesis names",
    ),
    (
        |folder| fs::set_permissions(folder.join("ledger.key"), fs::Permissions::from_mode(0o644)).unwrap(),
        "keys",
        "others than its owner",
    ),
    (|folder| fs::remove_file(folder.join("ledger.pin")).unwrap(), "pin", "it is missing"),
    (|folder| fs::write(folder.join("ledger.pin"), "nonsense").unwrap(), "pin", "ledger.pin is no pin"),
    (
        |folder| {
            // One digit of the hash: a pin of a ledger that nobody knows.
            let pin = fs::read_to_string(folder.join("ledger.pin")).unwrap();
            let (before, hash) = pin.split_once("genesis_leaf_hash = \"").unwrap();
            let digit = if hash.starts_with('0') { '1' } else { '0' };
            fs::write(folder.join("ledger.pin"), format!("{before}genesis_leaf_hash = \"{digit}{}", &hash[1..]))
                .unwrap();
        },
        "pin",
        "names another ledger",
    ),
    (|folder| fs::remove_file(folder.join("log/db")).unwrap(), "log", "it is missing, and a ledger's checkpoint"),
    (|folder| fs::remove_dir_all(folder.join("log")).unwrap(), "log", "it is missing, and a ledger's checkpoint"),
    (
        |folder| {
            // Two entries: both are named.
            change(folder, b'b', 1, |block| block[60] ^= 4);
            change(folder, b'b', 3, |block| block.truncate(40));
        },
        "log",
        "damaged at block 3",
    ),
    (
        |folder| {
            let inner = fs::read_dir(folder.join("directory")).unwrap().next().unwrap().unwrap().path();
            fs::remove_dir_all(&inner).unwrap();
            fs::create_dir(inner).unwrap();
        },
        "directory",
        "every link",
    ),
    (
        |folder| {
            fs::create_dir_all(folder.join("unsent")).unwrap();
            fs::write(folder.join("unsent/a.sheet"), "nonsense").unwrap();
        },
        "unsent",
        "unsent/a.sheet",
    ),
    (
        |folder| {
            // Still a sheet, and not the one that was signed.
            let mut sheet = region(folder);
            sheet.signatures[0] = vec![7; 64].into();
            fs::create_dir_all(folder.join("unsent")).unwrap();
            fs::write(folder.join("unsent/b.sheet"), sheet.encode_to_vec()).unwrap();
        },
        "unsent",
        "unsent/b.sheet",
    ),
    (
        |folder| {
            let inner = fs::read_dir(folder.join("directory")).unwrap().next().unwrap().unwrap().path();
            let db = store::opened_store(inner);
            let (key, value) = db.scan_prefix([b'r']).next().unwrap().unwrap();
            let mut value = value.to_vec();
            // The link's first number is the index of its entry.
            value[0] = 0x7f;
            db.insert(key, value).unwrap();
            db.flush().unwrap();
        },
        "directory",
        "the log has no event",
    ),
];

#[test]
fn a_sound_folder_is_sound_and_left_as_it_is() {
    let folder = folder();
    fs::create_dir(folder.path().join("unsent")).unwrap();
    fs::write(folder.path().join("unsent/a.sheet"), region(folder.path()).encode_to_vec()).unwrap();
    let (before, log_before) = (contents(folder.path()), log(folder.path()));
    let (code, report) = fsck(folder.path(), &[]);
    assert_eq!((code, &report["verdict"], &report["problems"]), (Some(0), &"sound".into(), &Value::Array(vec![])));
    assert!(report["checks"].as_array().unwrap().iter().all(|check| check["verdict"] == "sound"), "{report}");
    assert!(report["entries"].as_u64().unwrap() > 2);
    let (code, report) = fsck(folder.path(), &["--repair"]);
    assert_eq!((code, &report["verdict"]), (Some(0), &"sound".into()));
    assert_eq!((contents(folder.path()), log(folder.path())), (before, log_before));
    // Without anything derived it is sound as well: a start makes it.
    fs::remove_dir_all(folder.path().join("projections")).unwrap();
    assert_eq!(fsck(folder.path(), &[]).0, Some(0));
}

#[test]
fn every_damage_is_named_and_only_what_is_derived_is_made_again() {
    let folder = folder();
    let accounts = |folder: TempDir| {
        let ledger = Ledger::on(folder);
        ledger.json(&["account", "list"])
    };
    let expected = accounts(copied(folder.path()));
    for (number, (damage, part, words)) in DAMAGES.into_iter().enumerate() {
        let folder = copied(folder.path());
        damage(folder.path());
        let before = contents(folder.path());
        let (code, report) = fsck(folder.path(), &[]);
        assert_eq!((code, &report["verdict"]), (Some(1), &"damaged".into()), "{number}, {part}, {words}: {report}");
        let problems = report["problems"].as_array().unwrap();
        let text = |problem: &Value| format!("{}: {}", problem["place"], problem["problem"]);
        let named = problems.iter().any(|problem| problem["part"] == part && text(problem).contains(words));
        assert!(named, "{number}, {part}, {words}: {report}");
        assert!(problems.iter().all(|problem| !problem["remedy"].as_str().unwrap().is_empty()));
        assert_eq!(contents(folder.path()), before, "{number}, {words}: nothing is changed unasked");

        let log_before = log(folder.path());
        // As a repair leaves it that was killed.
        fs::create_dir_all(folder.path().join(".timebank-fsck-x/own")).unwrap();
        let (code, report) = fsck(folder.path(), &["--repair"]);
        let derived = problems.iter().all(|problem| problem["derived"] == true);
        assert_eq!(
            derived,
            matches!(part, "projections" | "pin" | "tree") && words != "names another ledger",
            "{number}, {words}"
        );
        let verdict = if derived { (Some(0), "repaired") } else { (Some(1), "damaged") };
        assert_eq!((code, report["verdict"].as_str().unwrap()), verdict, "{number}, {words}: {report}");
        assert_eq!(log(folder.path()), log_before, "{number}, {words}");
        let hidden = |name: std::ffi::OsString| name.to_string_lossy().starts_with('.');
        assert!(!fs::read_dir(folder.path()).unwrap().any(|file| hidden(file.unwrap().file_name())), "{number}");
        if derived {
            assert_eq!(fsck(folder.path(), &[]).1["verdict"], "sound", "{number}, {words}");
            assert_eq!(accounts(folder), expected, "{number}, {words}");
        } else {
            assert_eq!(contents(folder.path()), before, "{number}, {words}");
        }
    }
}

#[test]
fn a_tree_that_is_missing_or_damaged_at_its_edge_costs_a_start_nothing() {
    let folder = folder();
    let tree = fs::read(folder.path().join("projections/tree")).unwrap();
    let damages: [(&str, Damage); 5] = [
        ("missing", |path| fs::remove_file(path).unwrap()),
        ("empty", |path| cut(path, 0)),
        ("too short", |path| cut(path, 100)),
        ("its last hash", |path| flip(path, usize::MAX)),
        ("longer", |path| fs::write(path, [fs::read(path).unwrap(), vec![7; 1_000]].concat()).unwrap()),
    ];
    for (what, damage) in damages {
        let folder = copied(folder.path());
        let path = folder.path().join("projections/tree");
        damage(&path);
        // An auditor has the log, and needs no tree of the folder's.
        let audited = timebank(&["audit", "--json", "--data"]).arg(folder.path()).output().unwrap();
        let is_wrong = what == "its last hash";
        assert_eq!(audited.status.code(), Some(i32::from(is_wrong)), "{what}: {audited:?}");
        let ledger = Ledger::on(folder);
        assert!(ledger.json(&["status"])["checkpoint_size"].as_u64().unwrap() > 2, "{what}");
        let path = ledger.folder.path().join("projections/tree");
        assert_eq!(fs::read(path).unwrap(), tree, "{what}");
        assert!(!ledger.folder.path().join("projections.set-aside").exists(), "{what}");
    }
}

/// What `fsck` names, by part and place.
fn named(folder: &Path) -> Vec<(String, String)> {
    let (_, report) = fsck(folder, &[]);
    let problems = report["problems"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    problems.map(|problem| (text(&problem["part"]), text(&problem["place"]))).collect()
}

fn audited(folder: &Path) -> (Option<i32>, Value, String) {
    let audited = timebank(&["audit", "--json", "--memory"])
        .arg(tempfile::tempdir().unwrap().path())
        .arg("--data")
        .arg(folder)
        .output()
        .unwrap();
    let report = serde_json::from_slice(&audited.stdout).unwrap();
    (audited.status.code(), report, String::from_utf8(audited.stderr).unwrap())
}

#[test]
fn a_wrong_hash_beyond_the_snapshot_is_told_and_one_that_is_not_written_yet_is_not() {
    let mut ledger = Ledger::on(folder());
    for number in 0..4 {
        ledger.json(&["region", "define", &format!("r{number}")]);
    }
    let size = ledger.json(&["status"])["size"].as_u64().unwrap();
    ledger.kill();
    let at = ::timebank::merkle::stored_hash_number(0, size - 2);
    let path = ledger.folder.path().join("projections/tree");
    let tree = fs::read(&path).unwrap();
    flip(&path, usize::try_from(at).unwrap() * 32);
    let place = format!("tree hash {at}, of entry {}", size - 2);
    assert_eq!(named(ledger.folder.path()), [("tree".to_owned(), place)]);
    assert_eq!(audited(ledger.folder.path()).0, Some(1));
    // As a power cut leaves what a start was making again.
    let from = usize::try_from(at).unwrap() * 32;
    fs::write(&path, [&tree[..from], &vec![0; tree.len() - from]].concat()).unwrap();
    assert_eq!((named(ledger.folder.path()), audited(ledger.folder.path()).0), (vec![], Some(0)));
}

#[test]
fn a_damaged_cosigned_checkpoint_is_named_by_all_and_accuses_nobody() {
    let folder = folder();
    let path = folder.path().join("cosigned");
    let note = fs::read(folder.path().join("checkpoint")).unwrap();
    fs::write(&path, &note).unwrap();
    assert_eq!(audited(folder.path()).1["left_out"], Value::Null);
    for at in [0, note.len() / 2, note.len() - 2] {
        let mut damaged = note.clone();
        damaged[at] ^= 128;
        fs::write(&path, damaged).unwrap();
        assert_eq!(named(folder.path()), [("checkpoint".to_owned(), "cosigned".to_owned())], "byte {at}");
        let (code, report, words) = audited(folder.path());
        assert_eq!((code, &report["verdict"]), (Some(0), &"verified".into()), "byte {at}: {report}");
        assert!(words.contains("cosigned is left out") && report["left_out"].is_string(), "byte {at}: {words}");
    }
    let ledger = Ledger::on(folder);
    assert!(ledger.json(&["status"])["size"].as_u64().unwrap() > 2);
}

#[test]
fn damage_under_an_older_checkpoint_is_not_laid_to_the_log() {
    let mut ledger = Ledger::new();
    let checkpoint = ledger.folder.path().join("checkpoint");
    let signed = || -> u64 { fs::read_to_string(&checkpoint).unwrap().lines().nth(1).unwrap().parse().unwrap() };
    let define = |ledger: &Ledger, number: u32| {
        ledger.json(&["region", "define", &format!("r{number}")]);
    };
    let mut number = 0;
    // The last leaf is at the edge of a tree of an odd size alone.
    while number == 0 || signed() % 2 == 0 {
        define(&ledger, number);
        number += 1;
    }
    let (size, older) = (signed(), fs::read(&checkpoint).unwrap());
    (number..number + 5).for_each(|number| define(&ledger, number));
    assert!(Command::new("kill").args(["-TERM", &ledger.server.id().to_string()]).status().unwrap().success());
    ledger.server.wait().unwrap();
    fs::write(&checkpoint, older).unwrap();
    let path = ledger.folder.path().join("projections/tree");
    let tree = fs::read(&path).unwrap();
    flip(&path, usize::try_from(::timebank::merkle::stored_hash_number(0, size - 1)).unwrap() * 32);
    let ledger = Ledger::on(std::mem::replace(&mut ledger.folder, tempfile::tempdir().unwrap()));
    assert_eq!(ledger.json(&["status"])["size"], size + 5);
    assert_eq!(fs::read(path).unwrap(), tree);
}

#[test]
fn an_interrupted_look_changes_nothing_and_leaves_nothing() {
    let folder = folder();
    flip(&folder.path().join("projections/tree"), 35);
    let before = contents(folder.path());
    let interrupted = ::timebank::folder::fsck(folder.path(), true, &|_| ControlFlow::Break(()));
    assert!(matches!(interrupted, Err(FsckError::Interrupted)), "{interrupted:?}");
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn a_swapped_log_is_not_taken_for_the_ledgers() {
    let (folder, other) = (folder(), folder());
    fs::remove_dir_all(folder.path().join("log")).unwrap();
    fs::rename(other.path().join("log"), folder.path().join("log")).unwrap();
    let before = contents(folder.path());
    let (code, report) = fsck(folder.path(), &["--repair"]);
    assert_eq!((code, &report["verdict"]), (Some(1), &"damaged".into()), "{report}");
    let problems = report["problems"].as_array().unwrap();
    assert!(problems.iter().any(|problem| problem["problem"].as_str().unwrap().contains("it was swapped")), "{report}");
    assert_eq!(contents(folder.path()), before, "neither the pin nor the projections are made again from it");
    // What the ledger signed is no damage because the log is another's.
    fs::copy(folder.path().join("checkpoint"), folder.path().join("cosigned")).unwrap();
    let (code, report, words) = audited(folder.path());
    assert_eq!((code, &report["left_out"]), (Some(1), &Value::Null), "{words}");
}

#[test]
fn a_damaged_snapshot_of_the_store_is_told() {
    let folder = folder();
    // sled writes a snapshot when it is opened.
    drop(log(folder.path()));
    let snapshot = fs::read_dir(folder.path().join("log")).unwrap().map(|file| file.unwrap().path());
    let snapshot = snapshot.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap."));
    let snapshot = snapshot.max().expect("sled wrote a snapshot");
    flip(&snapshot, 40);
    let (code, report) = fsck(folder.path(), &[]);
    assert_eq!((code, &report["verdict"]), (Some(0), &"repaired".into()), "{report}");
    assert!(report["problems"][0]["place"].as_str().unwrap().starts_with("log/damaged-snap."), "{report}");
    assert_eq!(fsck(folder.path(), &[]).1["verdict"], "sound");
}

#[test]
fn damaged_settings_of_each_store_are_told_each_time() {
    let folder = folder();
    let directory = fs::read_dir(folder.path().join("directory")).unwrap().next().unwrap().unwrap().path();
    for (part, store) in [("log", folder.path().join("log")), ("directory", directory)] {
        for time in 0..2 {
            flip(&store.join("conf"), 20);
            let found = named(folder.path());
            let [(of, place)] = &found[..] else { panic!("{part}, {time}: {found:?}") };
            assert!(of == part && place.ends_with("/damaged-conf"), "{part}, {time}: {found:?}");
            assert_eq!(named(folder.path()), []);
        }
    }
}

#[test]
fn a_folder_that_is_served_or_holds_no_ledger_is_no_finding() {
    let ledger = Ledger::new();
    let output = timebank(&["fsck", "--data"]).arg(ledger.folder.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && error.contains("stop the service"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let output = timebank(&["fsck", "--data"]).arg(empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}
