#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use bytes::Bytes;

use std::path::Path;

use super::*;
use crate::engine::machine::OwnMachine;
use crate::merkle::{Frontier, leaf_hash};

/// Entries with events of this many bytes that follow those of a tree, which they grow.
fn commit(frontier: &mut Frontier, sizes: &[usize]) -> Commit {
    let mut entries = Vec::new();
    for size in sizes {
        let index = frontier.size();
        let bytes = Bytes::from(vec![index.to_le_bytes()[0]; *size]);
        let events = bytes.chunks(1_024).map(Bytes::copy_from_slice).collect();
        let signatures = vec![Bytes::from(vec![7; 64])];
        entries.push(StoredEntry { index, recorded_at_ms: 5, header: Bytes::from_static(b"h"), signatures, events });
        frontier.append(leaf_hash(&index.to_be_bytes()), |_| ());
    }
    Commit { entries, root: frontier.root() }
}

fn append(log: &dyn Log, commit: &Commit) {
    assert!(matches!(log.append(commit), Ok(Appended::Done)), "{:?}", log.append(commit));
}

/// What every log promises.
fn check_log(log: &dyn Log) {
    let mut frontier = Frontier::default();
    let mut all = Vec::new();
    for sizes in [&[1, 100, 200][..], &[256 * 1_024 - 100], &[6_900, 7_000, 7_100], &[50; 300]] {
        let commit = commit(&mut frontier, sizes);
        append(log, &commit);
        all.extend(commit.entries);
        assert_eq!(log.size(), all.len() as u64);
        assert_eq!(log.root(log.size()).unwrap(), Some(frontier.root()));
    }
    assert_eq!(log.root(1).unwrap(), None, "no commit ended there");
    for entry in &all {
        assert_eq!(log.entry(entry.index).unwrap().as_ref(), Some(entry));
    }
    assert_eq!(log.entry(log.size()).unwrap(), None);
    let mut read = Vec::new();
    while (read.len() as u64) < log.size() {
        read.extend(log.entries(read.len() as u64, 1_000).unwrap());
    }
    assert_eq!(read, all);
    check_places(log, &mut frontier, &all);
    let mut stray = Vec::new();
    log.check(&mut |found| stray.push(found)).unwrap();
    assert!(stray.is_empty(), "{stray:?}");
}

/// Only what begins at the log's end is taken.
fn check_places(log: &dyn Log, frontier: &mut Frontier, all: &[StoredEntry]) {
    let size = log.size();
    let next = commit(frontier, &[1, 1]);
    for at in [0, 1, size - 1, size + 1, size + 1_000] {
        let mut misplaced = next.clone();
        (at..).zip(&mut misplaced.entries).for_each(|(index, entry)| entry.index = index);
        let fenced = log.append(&misplaced);
        assert!(matches!(fenced, Ok(Appended::Fenced { size: found }) if found == size), "at {at}: {fenced:?}");
    }
    let mut torn = next.clone();
    torn.entries[1].index += 1;
    assert!(matches!(log.append(&torn), Err(StoreError::Gap { .. })));
    assert_eq!((log.size(), log.entries(0, usize::MAX).unwrap().as_slice()), (size, all));
    assert_eq!(log.wait(size, Duration::from_millis(1)), size, "nothing came");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.wait(size, Duration::from_mins(1)));
        append(log, &next);
        assert_eq!(waiting.join().unwrap(), size + 2);
    });
}

fn log_of(folder: &Path, commits: usize) -> Frontier {
    let log = SledLog::open(folder).unwrap();
    let mut frontier = Frontier::default();
    for _ in 0..commits {
        append(&log, &commit(&mut frontier, &[300; 40]));
    }
    log.check(&mut |stray| panic!("{stray}")).unwrap();
    frontier
}

#[test]
fn the_log_in_memory_keeps_its_promises() {
    check_log(&MemoryLog::default());
}

#[test]
fn the_log_on_sled_keeps_its_promises_and_blobs_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledLog::open(folder.path()).unwrap();
    check_log(&store);
}

#[test]
fn a_log_is_the_same_after_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut frontier = log_of(folder.path(), 200);
    let store = SledLog::open(folder.path()).unwrap();
    assert_eq!((store.size(), store.root(store.size()).unwrap()), (frontier.size(), Some(frontier.root())));
    append(&store, &commit(&mut frontier, &[1]));
    assert_eq!(store.root(store.size()).unwrap(), Some(frontier.root()));
}

#[test]
fn a_damaged_snapshot_of_sled_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let frontier = log_of(folder.path(), 50);
    // sled writes one when it opens a log that has grown.
    drop(SledLog::open(folder.path()).unwrap());
    let snapshots: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap."))
        .collect();
    assert!(!snapshots.is_empty(), "sled wrote no snapshot to damage");
    for path in &snapshots {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(folder.path().join("snap.0000.generating"), b"half").unwrap();
    let store = SledLog::open(folder.path()).unwrap();
    assert_eq!((store.size(), store.root(store.size()).unwrap()), (frontier.size(), Some(frontier.root())));
}

#[test]
fn a_folder_in_use_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let _held = SledLog::open(folder.path()).unwrap();
    let error = SledLog::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
}

#[test]
fn a_folder_that_is_let_go_of_a_moment_later_opens() {
    let folder = tempfile::tempdir().unwrap();
    let held = SledLog::open(folder.path()).unwrap();
    let letting_go = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        drop(held);
    });
    SledLog::open(folder.path()).unwrap();
    letting_go.join().unwrap();
}

#[test]
fn faults_on_demand_do_what_they_say() {
    let mut frontier = Frontier::default();
    let first = commit(&mut frontier, &[10]);
    for (fault, size) in [
        (Fault::NotApplied, 0),
        (Fault::UnknownAndLost, 0),
        (Fault::UnknownAndDone, 1),
        (Fault::FailedAndLost, 0),
        (Fault::FailedAndDone, 1),
    ] {
        let log = MemoryLog::default();
        log.fail_next(fault);
        let outcome = log.append(&first);
        let is_as_said = match fault {
            Fault::NotApplied => matches!(outcome, Ok(Appended::NotApplied(_))),
            Fault::UnknownAndLost | Fault::UnknownAndDone => matches!(outcome, Ok(Appended::Unknown(_))),
            Fault::FailedAndLost | Fault::FailedAndDone => matches!(outcome, Err(StoreError::SyncFailed(_))),
        };
        assert!(is_as_said, "{fault:?}: {outcome:?}");
        assert_eq!(log.size(), size, "{fault:?}");
    }
}

/// What becomes of an append whose first try ends so, and whether it is in the log.
fn settled(fault: Fault) -> (Result<(), StoreError>, bool) {
    let (log, mut frontier) = (MemoryLog::default(), Frontier::default());
    append(&log, &commit(&mut frontier, &[1; 3]));
    let next = commit(&mut frontier, &[10; 5]);
    log.fail_next(fault);
    let outcome = settle(&log, &next, &OwnMachine);
    let there = log.entries(3, usize::MAX).unwrap();
    assert!(there.is_empty() || there == next.entries, "once, whole, at its place");
    (outcome, !there.is_empty())
}

#[test]
fn an_append_is_settled_when_it_is_known_to_be_there() {
    for fault in [Fault::NotApplied, Fault::UnknownAndLost, Fault::UnknownAndDone] {
        assert!(matches!(settled(fault), (Ok(()), true)), "{fault:?}");
    }
    for fault in [Fault::FailedAndLost, Fault::FailedAndDone] {
        assert!(matches!(settled(fault), (Err(StoreError::SyncFailed(_)), _)), "{fault:?}: no second sync");
    }
}

#[test]
fn a_log_that_somebody_else_extended_is_none_of_this_writers() {
    let (log, mut frontier) = (MemoryLog::default(), Frontier::default());
    let (own, mut other) = (commit(&mut frontier, &[1]), commit(&mut Frontier::default(), &[1]));
    other.entries[0].recorded_at_ms += 1;
    append(&log, &other);
    assert!(matches!(settle(&log, &own, &OwnMachine), Err(StoreError::Fenced { expected: 0, found: 1 })));
    // Somebody else's that says the very same is not this writer's: two would go on.
    let twice = MemoryLog::default();
    append(&twice, &own);
    assert!(matches!(settle(&twice, &own, &OwnMachine), Err(StoreError::Fenced { expected: 0, found: 1 })));
}

#[test]
fn bytes_that_no_commit_wrote_are_named_and_never_a_panic() {
    let mut frontier = Frontier::default();
    let written = commit(&mut frontier, &[30, 40]).entries;
    let good = block::encode(&written).remove(0).bytes;
    let decode = |first_index, bytes: &[u8]| block::decode(first_index, bytes::BytesMut::from(bytes));
    assert_eq!(decode(0, &good).unwrap(), written);
    assert!(matches!(decode(1, &good), Err(StoreError::Corrupt { .. })), "a block of another place");
    // What an entry says, apart from what says where and how long it is: time, header, signature, event.
    let first_end = block::first_entry_end(&good).unwrap();
    let contents = [(1, 30), (first_end, 40)].map(|(start, event)| {
        [(12, 8), (22, 1), (24, 64), (92, event)].map(|(from, length)| start + from..start + from + length)
    });
    for cut in 0..good.len() {
        let entries = decode(0, &good[..cut]);
        match cut {
            // A cut between entries leaves a block that is whole; a chunk is never cut there, sled keeps values whole.
            1 => assert_eq!(entries.unwrap(), []),
            _ if cut == first_end => assert_eq!(entries.unwrap(), written[..1]),
            _ => assert!(matches!(entries, Err(StoreError::Corrupt { .. })), "cut at {cut}: {entries:?}"),
        }
    }
    for bit in 0..good.len() * 8 {
        let (position, mut bad) = (bit / 8, good.clone());
        bad[position] ^= 1 << (bit % 8);
        let entries = decode(0, &bad);
        // Contents that lie are the tree's to find, so they have to come out as they stand. All else is refused here.
        if contents.iter().flatten().any(|range| range.contains(&position)) {
            assert_eq!(block::encode(&entries.unwrap()).remove(0).bytes, bad, "bit {bit}");
        } else {
            assert!(matches!(entries, Err(StoreError::Corrupt { .. })), "bit {bit}: {entries:?}");
        }
    }
}
