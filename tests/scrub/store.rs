//! The real store, and the thread.

use std::{fs, os::unix::fs::FileExt, path::Path, sync::Arc, time::Duration};

use timebank::{
    engine::{
        log::{self, StoredEntry},
        node::Node,
        scrub::{Problem, Scrubbing},
        sequencer::Published,
    },
    merkle::{Frontier, stored_hash_number},
};
use tokio::sync::watch;

use crate::{
    support::ORIGIN,
    world::{SIZE, World, append, entries, scrubbed, signed, told_in},
};

/// A node over the real store that has replayed nothing since it was opened: what it reads of old entries is on the disk.
fn stored(folder: &Path, entries: &[StoredEntry]) -> (Node, Published) {
    let open = || Node::open(log::open(&folder.join("log")).unwrap(), &folder.join("projections"), ORIGIN).unwrap();
    let mut edge = Frontier::default();
    if !folder.join("log").exists() {
        let log = log::open(&folder.join("log")).unwrap();
        append(log.as_ref(), &mut edge, entries);
        drop(log);
        let (node, mut replay) = open();
        node.save(&replay.still(), &node.projection.heads()).unwrap();
    }
    let (node, replay) = open();
    (node, signed(&replay.frontier))
}

/// Every place in sled's file where some bytes stand.
fn places(db: &Path, wanted: &[u8]) -> Vec<u64> {
    let bytes = fs::read(db).unwrap();
    (0..bytes.len() - wanted.len()).filter(|at| bytes[*at..].starts_with(wanted)).map(|at| at as u64).collect()
}

/// Changes bytes of a file under whoever has it open.
fn flip_in_file(path: &Path, places: &[u64]) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    for place in places {
        let mut byte = [0];
        file.read_exact_at(&mut byte, *place).unwrap();
        file.write_all_at(&[byte[0] ^ 4], *place).unwrap();
    }
}

#[test]
fn what_rots_in_the_stores_file_and_in_the_trees_is_found_under_its_entry() {
    let (folder, entries) = (tempfile::tempdir().unwrap(), entries(600));
    let (node, published) = stored(folder.path(), &entries);
    let (db, tree) = (folder.path().join("log/db"), folder.path().join("projections/tree"));
    let in_log: Vec<u64> = places(&db, &entries[300].header).iter().map(|place| place + 20).collect();
    let in_tree = [stored_hash_number(0, 100) * 32];
    let rot = || {
        assert!(!in_log.is_empty());
        flip_in_file(&db, &in_log);
        flip_in_file(&tree, &in_tree);
    };
    rot();
    let mut first = None;
    let told = told_in(|| first = scrubbed(&node, &published));
    assert!(matches!(first, Some(Problem::Hash { index: 100, .. })), "{first:?}");
    // A leaf of the store is whole or can't be read, with all entries that it has.
    let unreadable = (0..=300).find(|index| node.log.entry(*index).is_err()).unwrap();
    assert!(unreadable > 100);
    let expected = format!("entry {unreadable} can't be read: the log's store failed: Read corrupted data");
    assert!(told[0].contains("complete with entry 100") && told[1].contains(&expected), "{told:?}");
    // Whole again, as where a cable was loose.
    rot();
    assert_eq!(scrubbed(&node, &published), None);
}

#[tokio::test]
async fn the_thread_reads_all_there_is_and_lets_go_of_the_log_when_it_is_ended() {
    let world = World::new(&entries(SIZE));
    let published = watch::channel(signed(&world.edge)).1;
    let (scrubbing, mut told) = Scrubbing::start(world.node.clone(), published).unwrap();
    let whole = told.wait_for(|scrubbed| scrubbed.passed_at.is_some());
    let scrubbed = tokio::time::timeout(Duration::from_secs(30), whole).await.unwrap().unwrap().clone();
    assert_eq!((scrubbed.size, scrubbed.problem), (SIZE, None));
    scrubbing.end();
    let World { log, node, .. } = world;
    drop(node);
    assert_eq!(Arc::strong_count(&log), 1);
}
