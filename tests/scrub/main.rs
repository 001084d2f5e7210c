//! What the scrub finds of a log that is served, and that it passes one that is sound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod served;
mod store;
mod world;

#[path = "../support/store.rs"]
mod opened;

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/server.rs"]
mod server;

use std::fs;

use timebank::{
    engine::{
        log::StoredEntry,
        scrub::{Problem, RootOf, Scrub, Step},
        sequencer::Published,
        store::StoreError,
    },
    merkle::{Frontier, Hash, leaf_hash, stored_hash_number},
};
use world::{EIO, EMFILE, SIZE, World, at, entries, errno, pass, scrubbed, signed, told_in};

#[test]
fn a_sound_log_of_thousands_of_entries_passes_in_steps_and_again() {
    let entries = entries(3_000);
    let world = World::new(&entries);
    let published = signed(&world.edge);
    let mut scrub = Scrub::default();
    let (mut sizes, mut steps) = (Vec::new(), 0);
    loop {
        match scrub.step(&world.node, &published, at(steps)) {
            Step::Read(bytes) => {
                assert!(bytes < 128 * 1_024, "{bytes}");
                sizes.push(scrub.scrubbed().size);
                steps += 1;
            }
            Step::AtEnd => break,
            Step::Short(short) => panic!("{short}"),
        }
    }
    assert!(sizes.len() > 5 && sizes.is_sorted() && sizes.last() == Some(&3_000), "{sizes:?}");
    let passed_at = Some(at(steps - 1));
    assert_eq!((scrub.scrubbed().passed_at, &scrub.scrubbed().problem), (passed_at, &None));
    scrub.begin_again();
    assert_eq!(
        (scrub.scrubbed().size, scrub.scrubbed().passed_at),
        (0, passed_at),
        "the last whole pass is still told"
    );
    let steps = pass(&mut scrub, &world.node, &published);
    assert_eq!((scrub.scrubbed().passed_at, &scrub.scrubbed().problem), (Some(at(steps - 1)), &None));
}

#[test]
fn an_empty_log_is_at_its_end_and_one_entry_is_read() {
    let mut world = World::new(&[]);
    let mut scrub = Scrub::default();
    assert_eq!(scrub.step(&world.node, &Published::default(), at(0)), Step::AtEnd);
    assert_eq!((scrub.scrubbed().size, scrub.scrubbed().passed_at), (0, None));
    world.grow(&entries(1));
    assert!(matches!(scrub.step(&world.node, &signed(&world.edge), at(1)), Step::Read(_)));
    assert_eq!((scrub.scrubbed().size, scrub.scrubbed().passed_at, &scrub.scrubbed().problem), (1, Some(at(1)), &None));
}

#[test]
fn what_is_appended_meanwhile_is_read_by_the_next_step() {
    let entries = entries(SIZE);
    let (old, new) = entries.split_at(30);
    let mut world = World::new(old);
    let mut scrub = Scrub::default();
    pass(&mut scrub, &world.node, &signed(&world.edge));
    assert_eq!((scrub.scrubbed().size, scrub.scrubbed().passed_at), (30, Some(at(0))));
    world.grow(new);
    assert!(matches!(scrub.step(&world.node, &signed(&world.edge), at(9)), Step::Read(_)));
    assert_eq!((scrub.scrubbed().size, &scrub.scrubbed().problem), (SIZE, &None));
    assert_eq!(scrub.scrubbed().passed_at, Some(at(0)), "most of it was read then");
    assert_eq!(scrub.step(&world.node, &signed(&world.edge), at(10)), Step::AtEnd);
}

fn flip(bytes: &bytes::Bytes, at: usize) -> bytes::Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 4;
    bytes.into()
}

#[test]
fn what_the_log_gives_otherwise_than_it_was_recorded_is_named_by_its_entry() {
    let entries = entries(SIZE);
    let check = |index: u64, change: fn(&mut StoredEntry) -> Result<(), StoreError>, expected: &str| {
        let world = World::new(&entries);
        world.change(move |entry| if entry.index == index { change(entry) } else { Ok(()) });
        let problem = scrubbed(&world.node, &signed(&world.edge)).expect(expected).to_string();
        assert!(problem.starts_with(&format!("entry {index} ")) && problem.contains(expected), "{index}: {problem}");
    };
    let time: fn(&mut StoredEntry) -> Result<(), StoreError> = |entry| {
        entry.recorded_at_ms += 1;
        Ok(())
    };
    let signature: fn(&mut StoredEntry) -> Result<(), StoreError> = |entry| {
        entry.signatures[0] = flip(&entry.signatures[0], 9);
        Ok(())
    };
    // One that can be decoded still, and isn't what the header's root is over.
    let event: fn(&mut StoredEntry) -> Result<(), StoreError> = |entry| {
        let event = entry.events[0].len() - 1;
        entry.events[0] = flip(&entry.events[0], event);
        Ok(())
    };
    let damaged: fn(&mut StoredEntry) -> Result<(), StoreError> =
        |entry| Err(StoreError::Corrupt { at: format!("block {}", entry.index), problem: "an entry is cut off" });
    let failed: fn(&mut StoredEntry) -> Result<(), StoreError> = |_| panic!("the store asserts what it reads");
    let disk: fn(&mut StoredEntry) -> Result<(), StoreError> = |_| Err(StoreError::BackendIo(errno(EIO)));
    for index in [0, 1, 7, 31, 32, SIZE - 1] {
        check(index, time, "is not the one that was recorded");
        check(index, signature, "is not the one that was recorded");
        check(index, event, "can't be decoded");
        check(index, damaged, "can't be read: the log is damaged at block");
        check(index, disk, "can't be read: the log's store failed: Input/output error");
        check(index, failed, "can't be read: the log's store failed over its bytes");
    }
}

#[test]
fn a_hash_of_the_tree_that_is_not_the_logs_is_named_and_the_log_is_not_blamed() {
    let entries = entries(SIZE);
    let check = |level: u32, index: u64, entry: u64| {
        let world = World::new(&entries);
        let number = stored_hash_number(level, index);
        world.damage_hash(number);
        let problem = scrubbed(&world.node, &signed(&world.edge));
        assert_eq!(problem, Some(Problem::Hash { number, index: entry }), "level {level}, {index}");
        assert!(problem.unwrap().with_remedy().contains("fsck --repair"));
    };
    check(0, 0, 0);
    check(0, 17, 17);
    check(0, SIZE - 1, SIZE - 1);
    check(1, 3, 7);
    check(3, 1, 15);
    check(5, 0, 31);
}

#[test]
fn a_tree_whose_file_was_cut_is_named() {
    let world = World::new(&entries(SIZE));
    fs::OpenOptions::new().write(true).open(world.folder.path().join("tree")).unwrap().set_len(1_000).unwrap();
    let problem = scrubbed(&world.node, &signed(&world.edge)).unwrap();
    assert!(matches!(problem, Problem::HashesUnreadable { index: 0, .. }), "{problem}");
}

#[test]
fn log_and_tree_that_were_changed_alike_do_not_lead_to_the_root() {
    let entries = entries(SIZE);
    let world = World::new(&entries);
    let mut changed = entries;
    changed[17].signatures[0] = flip(&changed[17].signatures[0], 9);
    let (mut edge, mut hashes) = (Frontier::default(), Vec::new());
    for entry in &changed {
        edge.append(leaf_hash(&entry.leaf()), |hash| hashes.push(hash));
    }
    fs::write(world.folder.path().join("tree"), hashes.concat()).unwrap();
    world.change(move |entry| {
        entry.clone_from(&changed[usize::try_from(entry.index).unwrap()]);
        Ok(())
    });
    // Entry 17 is the last of a commit of three.
    let problem = scrubbed(&world.node, &signed(&world.edge));
    assert_eq!(problem, Some(Problem::Root { size: 18, of: RootOf::Commit }));
}

#[test]
fn an_entry_and_a_leaf_that_differ_are_both_named_where_no_root_knows_either() {
    let world = World::new(&entries(SIZE));
    world.damage_hash(stored_hash_number(0, 17));
    world.change(|entry| {
        entry.recorded_at_ms += i64::from(entry.index == 17);
        Ok(())
    });
    assert_eq!(scrubbed(&world.node, &signed(&world.edge)), Some(Problem::NotOfEachOther { index: 17 }));
}

#[test]
fn a_kept_root_and_a_checkpoint_that_are_not_the_entries_are_named() {
    let entries = entries(SIZE);
    let check = |root: Option<(u64, Option<Hash>)>,
                 published: &dyn Fn(&Frontier) -> Published,
                 expected: Option<&str>| {
        let world = World::new(&entries);
        *world.log.root.lock().unwrap() = root;
        let problem = scrubbed(&world.node, &published(&world.edge)).map(|problem| problem.to_string());
        assert!(
            problem.as_deref().zip(expected).map_or(problem.is_none() && expected.is_none(), |(a, b)| a.contains(b)),
            "{problem:?}, {expected:?}"
        );
    };
    check(None, &signed, None);
    check(
        Some((18, Some([7; 32]))),
        &signed,
        Some("the first 18 entries of the log (up to entry 17) do not lead to the root"),
    );
    check(Some((SIZE, None)), &signed, Some("the root over the first 41 entries"));
    let other = |edge: &Frontier| {
        let mut other = Frontier::default();
        (0..edge.size()).for_each(|_| other.append([7; 32], |_| ()));
        signed(&other)
    };
    check(None, &other, Some("the first 41 entries of the log (up to entry 40) do not lead to the signed checkpoint"));
}

#[test]
fn all_that_is_damaged_is_found_and_the_first_is_kept_over_sound_passes() {
    let world = World::new(&entries(SIZE));
    world.damage_hash(stored_hash_number(1, 15));
    world.change(|entry| match entry.index {
        9 => Err(StoreError::Corrupt { at: "block 9".to_owned(), problem: "it is too short" }),
        20 => {
            entry.recorded_at_ms += 1;
            Ok(())
        }
        _ => Ok(()),
    });
    let (mut scrub, published) = (Scrub::default(), signed(&world.edge));
    let told = told_in(|| {
        pass(&mut scrub, &world.node, &published);
    });
    let places = ["entry 9 can't be read", "entry 20 is not the one", "complete with entry 31"];
    assert_eq!(told.len(), places.len(), "{told:?}");
    for (told, place) in told.iter().zip(places) {
        assert!(told.contains(place) && told.contains("Stop the service"), "{told}");
    }
    // Read again, it may be there.
    world.change(|_| Ok(()));
    world.damage_hash(0);
    scrub.begin_again();
    pass(&mut scrub, &world.node, &published);
    assert!(matches!(scrub.scrubbed().problem, Some(Problem::Unreadable { index: 9, .. })));
}

#[test]
fn of_one_commit_all_that_is_damaged_is_told_and_each_part_of_it_for_itself() {
    let entries = entries(SIZE);
    // Entries 15, 16 and 17 are one commit.
    let check = |changed: &'static [u64], hashes: &[(u32, u64)], expected: &[&str]| {
        let world = World::new(&entries);
        for (level, index) in hashes {
            world.damage_hash(stored_hash_number(*level, *index));
        }
        world.change(move |entry| {
            entry.recorded_at_ms += i64::from(changed.contains(&entry.index));
            Ok(())
        });
        let told = told_in(|| assert!(scrubbed(&world.node, &signed(&world.edge)).is_some()));
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.contains(expected), "{told}, {expected}");
        }
    };
    check(&[15, 17], &[], &["entry 15 is not", "entry 17 is not"]);
    check(&[], &[(0, 16), (1, 7)], &["complete with entry 16", "complete with entry 15"]);
    // Above entries that are others no hash can be judged: `fsck` is there for the rest.
    check(&[17], &[(1, 7)], &["entry 17 is not"]);
    check(&[15], &[(0, 15)], &["entry 15 and its leaf", "the first 18 entries"]);
}

#[test]
fn a_log_that_is_damaged_everywhere_does_not_fill_the_log_of_the_service() {
    let world = World::new(&entries(SIZE));
    world.change(|_| Err(StoreError::Corrupt { at: "block 0".to_owned(), problem: "it is too short" }));
    let told = told_in(|| assert!(scrubbed(&world.node, &signed(&world.edge)).is_some()));
    assert_eq!(told.len(), 21, "20, and that there is more: {told:?}");
}

#[test]
fn what_is_short_is_no_problem_and_the_step_is_made_again() {
    let world = World::new(&entries(SIZE));
    let mut left = 2;
    world.change(move |_| {
        left -= i32::from(left > 0);
        if left > 0 { Err(StoreError::BackendIo(errno(EMFILE))) } else { Ok(()) }
    });
    let (mut scrub, published) = (Scrub::default(), signed(&world.edge));
    let short = scrub.step(&world.node, &published, at(0));
    assert!(matches!(&short, Step::Short(short) if short.contains("files")), "{short:?}");
    assert_eq!(scrub.scrubbed(), Scrub::default().scrubbed());
    pass(&mut scrub, &world.node, &published);
    assert_eq!((scrub.scrubbed().size, &scrub.scrubbed().problem), (SIZE, &None));
}
