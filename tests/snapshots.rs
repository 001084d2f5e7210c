//! Saved states: what is saved comes back, and of what is damaged nothing is believed and nothing lost.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

#[path = "support/mod.rs"]
mod support;

use std::{fs, path::Path};

use support::{ALICE, BOB, HOUR, Ledger, ORIGIN, hold, transfer};
use timebank::engine::{projection::Projection, replay::Replay};

/// A ledger with something in every table, and its state saved in a folder. There are no rows of histories: nothing is shown.
fn saved(folder: &Path) -> Replay {
    let mut ledger = Ledger::new();
    let alice = ledger.alice.clone();
    ledger.earn(ALICE, 60);
    ledger.earn(ALICE, 90);
    let expires = ledger.now + 24 * HOUR;
    ledger.accept(&[&alice], vec![transfer(ALICE, BOB, 20), hold(ALICE, 30, expires)]);
    let (projection, empty) = Projection::open(folder, ORIGIN, 0).unwrap();
    assert_eq!(empty.state.size(), 0);
    projection.save(&ledger.replay.still(), &projection.heads()).unwrap();
    ledger.replay
}

/// The state that a folder's projections stand at.
fn opened(folder: &Path, log_size: u64) -> Replay {
    Projection::open(folder, ORIGIN, log_size).unwrap().1
}

fn aside(folder: &Path) -> std::path::PathBuf {
    folder.with_file_name("projections.set-aside")
}

#[test]
fn a_saved_state_comes_back_whole() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("projections");
    let replay = saved(&folder);
    let again = opened(&folder, replay.state.size());
    assert!(again.state == replay.state && again.frontier.root() == replay.frontier.root());
    // The indexes, which aren't saved, as well.
    for account in replay.state.all_accounts() {
        let number = again.state.account_number(account.id).unwrap();
        assert_eq!(again.state.account(number), Some(account));
    }
    for key in replay.state.keys().iter() {
        assert_eq!(again.state.key(key.id), Some(key));
    }
    let (holds, hold) = (again.state.holds(), replay.state.holds().iter().next().unwrap());
    let of_payer: Vec<_> = holds.of_account(hold.1.payer, *hold.0).collect();
    assert_eq!(of_payer, [(*hold.0, *hold.1)]);
    assert!(!aside(&folder).exists());
}

#[test]
fn a_snapshot_that_is_ahead_of_the_log_or_of_another_ledger_is_set_aside() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("projections");
    let size = saved(&folder).state.size();
    assert_eq!(opened(&folder, size - 1).state.size(), 0);
    assert!(aside(&folder).join("snapshot").exists() && !folder.join("snapshot").exists());
    saved(&folder);
    let (_, replay) = Projection::open(&folder, "timebank.example/other", size).unwrap();
    assert_eq!((replay.state.origin(), replay.state.size()), ("timebank.example/other", 0));
}

#[test]
fn nothing_of_a_snapshot_that_is_cut_or_damaged_is_believed() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("projections");
    let size = saved(&folder).state.size();
    let sound = fs::read(folder.join("snapshot")).unwrap();
    let check = |bytes: &[u8], what: &str| {
        fs::write(folder.join("snapshot"), bytes).unwrap();
        assert_eq!(opened(&folder, size).state.size(), 0, "{what}");
        assert_eq!(fs::read(aside(&folder).join("snapshot")).unwrap(), bytes, "{what}: what was there is kept");
    };
    for cut in 0..sound.len() {
        check(&sound[..cut], &format!("cut at {cut}"));
    }
    let mut bytes = sound.clone();
    for at in 0..sound.len() {
        bytes[at] ^= 1 << (at % 8);
        check(&bytes, &format!("a bit of byte {at}"));
        bytes[at] = sound[at];
    }
    check(&[&sound[..], b"\0"].concat(), "a byte behind it");
    check(&[&sound[..], &sound[20..]].concat(), "its frames twice");
    for other in ["timebank snapshot 1\n", "timebank snapshot 5\n", "timebank snapshot 6\n", "timebank snapshot 8\n"] {
        check(&[other.as_bytes(), &sound[20..]].concat(), other);
    }
    // Lengths that nothing could hold.
    for length in [u32::MAX, 1 << 30] {
        bytes[21..25].copy_from_slice(&length.to_le_bytes());
        check(&bytes, &format!("a frame of {length} bytes"));
    }
    fs::write(folder.join("snapshot"), &sound).unwrap();
    assert_eq!(opened(&folder, size).state.size(), size, "the sound one is sound");
}

#[test]
fn a_snapshot_that_can_not_be_read_just_now_is_left_where_it_is() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("projections");
    let size = saved(&folder).state.size();
    fs::rename(folder.join("snapshot"), folder.join("elsewhere")).unwrap();
    // Opening a folder as a file fails to be read, whoever asks.
    fs::create_dir(folder.join("snapshot")).unwrap();
    assert!(Projection::open(&folder, ORIGIN, size).is_err());
    assert!(folder.join("elsewhere").exists() && !aside(&folder).exists());
}
