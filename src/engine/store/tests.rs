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
fn check_store(store: &dyn LogStore) {
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
    let store = SledStore::open(folder).unwrap();
    let mut frontier = Frontier::default();
    for _ in 0..commits {
        store.commit(&commit(&mut frontier, &[300; 40])).unwrap();
    }
    store.check_blobs().unwrap();
    frontier
}

#[test]
fn the_memory_store_keeps_its_promises() {
    check_store(&MemoryStore::default());
}

#[test]
fn the_sled_store_keeps_its_promises_and_blobs_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path()).unwrap();
    check_store(&store);
    store.check_blobs().unwrap();
}

#[test]
fn a_log_is_the_same_after_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut frontier = log_of(folder.path(), 200);
    let store = SledStore::open(folder.path()).unwrap();
    assert_eq!((store.size(), store.last_root().unwrap()), (frontier.size(), Some(frontier.root())));
    store.commit(&commit(&mut frontier, &[1])).unwrap();
    assert_eq!(store.last_root().unwrap(), Some(frontier.root()));
}

#[test]
fn a_damaged_snapshot_of_sled_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let frontier = log_of(folder.path(), 50);
    // sled writes one when it opens a log that has grown.
    drop(SledStore::open(folder.path()).unwrap());
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
    let store = SledStore::open(folder.path()).unwrap();
    assert_eq!((store.size(), store.last_root().unwrap()), (frontier.size(), Some(frontier.root())));
}

#[test]
fn a_folder_in_use_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let _held = SledStore::open(folder.path()).unwrap();
    let error = SledStore::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
}

#[test]
fn a_folder_that_is_let_go_of_a_moment_later_opens() {
    let folder = tempfile::tempdir().unwrap();
    let held = SledStore::open(folder.path()).unwrap();
    let letting_go = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        drop(held);
    });
    SledStore::open(folder.path()).unwrap();
    letting_go.join().unwrap();
}

#[test]
fn faults_on_demand_do_what_they_say() {
    let store = MemoryStore::default();
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
    let good = block::encode(&commit(&mut frontier, &[30, 40]).entries).remove(0).bytes;
    let decode = |bytes: &[u8]| block::decode(0, bytes::BytesMut::from(bytes));
    assert_eq!(decode(&good).unwrap().len(), 2);
    for cut in 1..good.len() {
        // A cut between two entries leaves a block that is whole; a chunk is never cut there, sled keeps values whole.
        if let Ok(entries) = decode(&good[..cut]) {
            assert!(entries.len() < 2);
        }
    }
    for position in 0..good.len() {
        let mut bad = good.clone();
        bad[position] ^= 0x80;
        // Lengths that lie end in an error, contents that lie are the tree's to find: neither may panic.
        let _either = decode(&bad);
    }
}
