#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::{
    format::{
        checkpoint::{sign, witness::request_body},
        signature::PrivateKey,
    },
    merkle::{Frontier, Hash, consistency_proof, leaf_hash, stored_hash_number},
};

const ORIGIN: &str = "timebank.example/leeds";
const NOW: i64 = 1_700_000_000;

fn ledger_key() -> PrivateKey {
    PrivateKey::from_seed([1; 32])
}

fn open_as(folder: &Path, name: Option<&str>) -> Result<WitnessFolder, WitnessOpenError> {
    let ledger = VerifierKey::new(ORIGIN, ledger_key().public_key()).unwrap();
    WitnessFolder::open(folder, name, vec![ledger])
}

fn open(folder: &Path) -> WitnessFolder {
    open_as(folder, None).unwrap()
}

/// A request for a history whose leaves `fork` tells from those of another.
fn request(old: u64, new: u64, fork: u8) -> String {
    let (mut frontier, mut hashes) = (Frontier::default(), Vec::<Hash>::new());
    for number in 0..new {
        frontier.append(leaf_hash(&[number.to_be_bytes().as_slice(), &[fork]].concat()), |hash| hashes.push(hash));
    }
    let node = |level, index| {
        let number = usize::try_from(stored_hash_number(level, index)).unwrap();
        hashes.get(number).copied().ok_or(())
    };
    let note = sign(ORIGIN, new, &frontier.root(), ledger_key().signing_key());
    request_body(old, &consistency_proof(old, new, node).unwrap(), &note)
}

fn status(folder: &WitnessFolder, body: &str) -> u16 {
    match folder.add_checkpoint(body.as_bytes(), NOW) {
        Ok(_) => 200,
        Err(AddError::Refused(refusal)) => refusal.status(),
        Err(AddError::ClockImplausible | AddError::NotKept(_)) => 500,
    }
}

fn size(folder: &WitnessFolder) -> u64 {
    folder.sizes().first().unwrap().1
}

fn check_second_history_is_refused(folder: &WitnessFolder) {
    assert_eq!(size(folder), 5);
    for (old, new) in [(5, 5), (5, 9)] {
        assert_eq!(status(folder, &request(old, new, 1)), 422, "{old} to {new}");
    }
    for (old, new) in [(0, 5), (0, 9), (3, 4), (0, 0), (7, 9)] {
        assert_eq!(status(folder, &request(old, new, 1)), 409, "{old} to {new}");
    }
    assert_eq!(size(folder), 5);
}

#[test]
fn a_witness_shown_two_histories_cosigns_only_the_first_also_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let folder = open(data.path());
    assert_eq!(status(&folder, &request(0, 5, 0)), 200);
    check_second_history_is_refused(&folder);
    let (key, hash) = (folder.key().clone(), origin_hash(ORIGIN));
    let kept = folder.checkpoint(&hash).unwrap();
    drop(folder);

    let folder = open(data.path());
    assert_eq!((folder.key(), folder.checkpoint(&hash)), (&key, Some(kept)));
    check_second_history_is_refused(&folder);
    assert_eq!(status(&folder, &request(5, 9, 0)), 200, "the first one goes on");
    assert_eq!(size(&folder), 9);
}

#[test]
fn a_second_history_leaves_evidence_and_nonsense_leaves_none() {
    let shown = |old: u64, body: &str| {
        let data = tempfile::tempdir().unwrap();
        let folder = open(data.path());
        assert_eq!(status(&folder, &request(0, old, 0)), 200);
        assert_eq!(status(&folder, body), 422);
        let evidence = data.path().join(format!("evidence-{}.pair", origin_hash(ORIGIN)));
        fs::read(evidence).ok().map(|bytes| CheckpointPair::parse(&bytes).unwrap().verify().unwrap())
    };
    for (old, new) in [(5, 5), (5, 9), (6, 8), (4, 4)] {
        let related = shown(old, &request(old, new, 1)).unwrap();
        assert_eq!((related.old_size, related.new_size), (old, new));
        assert!(matches!(related.relation, Relation::Forked { .. }), "{related:?}");
    }
    // Somebody's proof that doesn't fit the checkpoint convicts nobody; nor does one that leaves the old root out.
    let (honest, other) = (request(5, 9, 0), request(5, 9, 1));
    let proof = |body: &str| body.split_once("\n\n").unwrap().0.to_owned();
    let mixed = format!("{}\n\n{}", proof(&other), honest.split_once("\n\n").unwrap().1);
    assert_eq!(shown(5, &mixed), None);
    assert_eq!(shown(4, &request(4, 9, 1)), None);
}

#[test]
fn what_could_not_be_kept_is_not_cosigned() {
    let data = tempfile::tempdir().unwrap();
    let folder = open(data.path());
    assert_eq!(status(&folder, &request(0, 5, 0)), 200);
    let (logs, away) = (data.path().join("logs"), data.path().join("away"));
    fs::rename(&logs, &away).unwrap();
    let found = folder.add_checkpoint(request(5, 9, 0).as_bytes(), NOW);
    assert!(matches!(found, Err(AddError::NotKept(_))), "{found:?}");
    assert_eq!(size(&folder), 5);
    fs::rename(&away, &logs).unwrap();
    assert_eq!(status(&folder, &request(5, 7, 0)), 200, "it goes on from what was answered");
}

#[test]
fn of_many_requests_at_once_one_advances_and_the_others_learn_the_size() {
    let data = tempfile::tempdir().unwrap();
    let folder = open(data.path());
    let bodies: Vec<String> = (1..=8).map(|size| request(0, size, u8::try_from(size).unwrap())).collect();
    let found: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = bodies.iter().map(|body| scope.spawn(|| status(&folder, body))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(found.iter().filter(|status| **status == 200).count(), 1, "{found:?}");
    assert_eq!(found.iter().filter(|status| **status == 409).count(), 7, "{found:?}");
    let won = found.iter().position(|status| *status == 200).unwrap();
    assert_eq!(size(&folder), won as u64 + 1);
}

#[test]
fn a_clock_before_1970_cosigns_nothing() {
    let data = tempfile::tempdir().unwrap();
    let folder = open(data.path());
    for time_s in [i64::MIN, -1, 0] {
        let found = folder.add_checkpoint(request(0, 5, 0).as_bytes(), time_s);
        assert!(matches!(found, Err(AddError::ClockImplausible)), "{found:?}");
    }
    assert_eq!(size(&folder), 0);
}

#[test]
fn the_key_is_for_its_owner_only_and_the_name_stays() {
    let data = tempfile::tempdir().unwrap();
    drop(open_as(data.path(), Some("witness.example/york")).unwrap());
    let mode = fs::metadata(data.path().join("witness.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(open(data.path()).key().name(), "witness.example/york");
    let other = open_as(data.path(), Some("witness.example/hull"));
    assert!(matches!(other, Err(WitnessOpenError::OtherName { .. })), "{other:?}");
    for bad in ["", "two words", "a+b", "a\u{1}b"] {
        let empty = tempfile::tempdir().unwrap();
        let found = open_as(empty.path(), Some(bad));
        assert!(matches!(found, Err(WitnessOpenError::Name { .. })), "{bad}: {found:?}");
        assert!(!empty.path().join("witness.key").exists(), "{bad}");
    }
}

#[test]
fn two_witnesses_do_not_run_on_one_folder() {
    let data = tempfile::tempdir().unwrap();
    let folder = open(data.path());
    let found = open_as(data.path(), None);
    assert!(matches!(found, Err(WitnessOpenError::Locked)), "{found:?}");
    drop(folder);
    open(data.path());
}

#[test]
fn a_damaged_or_misplaced_checkpoint_is_never_taken_for_none() {
    let data = tempfile::tempdir().unwrap();
    let folder = open(data.path());
    assert_eq!(status(&folder, &request(0, 5, 0)), 200);
    drop(folder);
    let path = data.path().join("logs").join(origin_hash(ORIGIN));
    let good = fs::read(&path).unwrap();
    for length in 0..good.len() {
        fs::write(&path, good.get(..length).unwrap()).unwrap();
        let found = open_as(data.path(), None);
        assert!(matches!(found, Err(WitnessOpenError::Kept { .. })), "{length}: {found:?}");
    }
    fs::write(&path, String::from_utf8(good.clone()).unwrap().replace("\n5\n", "\n4\n")).unwrap();
    let found = open_as(data.path(), None);
    assert!(matches!(found, Err(WitnessOpenError::Kept { .. })), "{found:?}");
    fs::write(&path, &good).unwrap();
    let other = VerifierKey::new("other.example", ledger_key().public_key()).unwrap();
    fs::copy(&path, data.path().join("logs").join(origin_hash("other.example"))).unwrap();
    let found = WitnessFolder::open(data.path(), None, vec![other]);
    assert!(matches!(found, Err(WitnessOpenError::OtherOrigin { .. })), "{found:?}");
    assert_eq!(size(&open(data.path())), 5);
}
