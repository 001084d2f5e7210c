#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use bytes::Bytes;

use std::path::Path;

use super::*;
use crate::merkle::{Frontier, leaf_hash};

/// Entries with events of this many bytes, from `first` on, and the tree that they grow.
fn commit(frontier: &mut Frontier, sizes: &[usize]) -> Commit {
    let first_tree_hash = crate::merkle::stored_hash_count(frontier.size());
    let (mut entries, mut tree_hashes) = (Vec::new(), Vec::new());
    for size in sizes {
        let index = frontier.size();
        let bytes = Bytes::from(vec![index.to_le_bytes()[0]; *size]);
        let events = bytes.chunks(1_024).map(Bytes::copy_from_slice).collect();
        let signatures = vec![Bytes::from(vec![7; 64])];
        entries.push(StoredEntry { index, recorded_at_ms: 5, header: Bytes::from_static(b"h"), signatures, events });
        frontier.append(leaf_hash(&index.to_be_bytes()), |hash| tree_hashes.push(hash));
    }
    Commit { entries, first_tree_hash, tree_hashes, root: frontier.root() }
}

/// What every store promises.
fn check_store(store: &dyn Log) {
    let mut frontier = Frontier::default();
    let mut all = Vec::new();
    for sizes in [&[1, 100, 200][..], &[256 * 1_024 - 100], &[6_900, 7_000, 7_100], &[50; 300]] {
        let commit = commit(&mut frontier, sizes);
        store.commit(&commit).unwrap();
        all.extend(commit.entries);
        assert_eq!(store.size(), all.len() as u64);
        assert_eq!(store.last_root().unwrap(), Some(frontier.root()));
    }
    for entry in &all {
        assert_eq!(store.entry(entry.index).unwrap().as_ref(), Some(entry));
    }
    assert_eq!(store.entry(store.size()).unwrap(), None);
    let mut read = Vec::new();
    while (read.len() as u64) < store.size() {
        read.extend(store.entries(read.len() as u64, 1_000).unwrap());
    }
    assert_eq!(read, all);
    let mut frontier = Frontier::default();
    let mut number = 0;
    for entry in &all {
        frontier.append(leaf_hash(&entry.index.to_be_bytes()), |hash| {
            assert_eq!(store.tree_hash(number).unwrap(), Some(hash), "tree hash {number}");
            number += 1;
        });
    }
    assert_eq!(store.tree_hash(number).unwrap(), None);
    let mut behind = commit(&mut frontier, &[1]);
    behind.entries[0].index += 1;
    assert!(matches!(store.commit(&behind), Err(StoreError::Gap { .. })));
    assert_eq!(store.size(), all.len() as u64);
}

fn log_of(folder: &Path, commits: usize) -> Frontier {
    let store = SledLog::open(folder).unwrap();
    let mut frontier = Frontier::default();
    for _ in 0..commits {
        store.commit(&commit(&mut frontier, &[300; 40])).unwrap();
    }
    store.check_blobs().unwrap();
    frontier
}

#[test]
fn the_memory_store_keeps_its_promises() {
    check_store(&MemoryLog::default());
}

#[test]
fn the_sled_store_keeps_its_promises_and_blobs_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledLog::open(folder.path()).unwrap();
    check_store(&store);
    store.check_blobs().unwrap();
}

#[test]
fn a_log_is_the_same_after_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut frontier = log_of(folder.path(), 200);
    let store = SledLog::open(folder.path()).unwrap();
    assert_eq!((store.size(), store.last_root().unwrap()), (frontier.size(), Some(frontier.root())));
    store.commit(&commit(&mut frontier, &[1])).unwrap();
    assert_eq!(store.last_root().unwrap(), Some(frontier.root()));
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
    assert_eq!((store.size(), store.last_root().unwrap()), (frontier.size(), Some(frontier.root())));
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
    let store = MemoryLog::default();
    let mut frontier = Frontier::default();
    let first = commit(&mut frontier, &[10]);
    store.fail_next(Fault::NotApplied);
    assert!(store.commit(&first).is_err());
    assert_eq!(store.size(), 0);
    store.fail_next(Fault::AppliedButReportedFailed);
    assert!(store.commit(&first).is_err());
    assert_eq!(store.size(), 1);
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
