//! What an audit finds, and what it calls it: a log that is tampered with in every way there is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

#[path = "support/mod.rs"]
mod support;

use support::*;
use timebank::{
    engine::pipeline::{self, KnownKeys},
    format::{
        checkpoint::{self, VerifierKey},
        signature::PrivateKey,
        wire::StoredEntry,
    },
    merkle::{Frontier, Hash, leaf_hash},
    trust::audit::{Audit, AuditError, Finding, Pin, Scratch},
};

/// A ledger in which everything has happened: people, keys, records, a correction, a reversal, holds, a transfer.
fn ledger() -> Ledger {
    let mut ledger = Ledger::new();
    let (staff, alice) = (ledger.staff.clone(), ledger.alice.clone());
    let first = ledger.earn(ALICE, 60);
    let second = ledger.earn(ALICE, 90);
    let start = ledger.now - 10 * HOUR;
    ledger.accept(&[&staff], vec![correct(at(second, 0), service(ALICE, start, 80))]);
    ledger.accept(&[&staff], vec![reverse(at(first, 0))]);
    ledger.accept(&[&alice], vec![transfer(ALICE, BOB, 15), hold(ALICE, 30, ledger.now + DAY)]);
    let placed = ledger.replay.state.size() - 1;
    ledger.accept(&[&alice], vec![release(at(placed, 1))]);
    ledger
}

fn root(entries: &[StoredEntry]) -> Hash {
    let mut frontier = Frontier::default();
    for entry in entries {
        frontier.append(leaf_hash(&entry.leaf()), |_| ());
    }
    frontier.root()
}

/// A checkpoint over entries, signed by this key.
fn signed(entries: &[StoredEntry], key: &PrivateKey) -> String {
    checkpoint::sign(ORIGIN, entries.len() as u64, &root(entries), key.signing_key())
}

fn pin(entries: &[StoredEntry]) -> Pin {
    let ledger_key = VerifierKey::new(ORIGIN, key(99).public_key()).unwrap();
    Pin { ledger_key, genesis_leaf_hash: leaf_hash(&entries[0].leaf()) }
}

/// The verdict on a log with its checkpoint.
fn audit(entries: &[StoredEntry], note: &str, pin: Option<Pin>) -> Result<u64, Finding> {
    let mut audit = Audit::new(pin, None, Scratch::new().unwrap());
    let mut keys = KnownKeys::default();
    let found = |error| match error {
        AuditError::Found(finding) => *finding,
        AuditError::Io(error) => panic!("{error}"),
    };
    // In two parts, so that what one enrols and records is there for the other.
    for part in entries.chunks(entries.len().div_ceil(2).max(1)) {
        audit.take(pipeline::prepare(part.to_vec(), &mut keys), |_| Ok(None)).map_err(found)?;
    }
    audit.finish(note).map(|(size, _)| size).map_err(found)
}

/// Tampering with the log alone: the checkpoint is the honest one, and so is the pin.
fn check(honest: &Ledger, what: &str, tamper: impl FnOnce(&mut Vec<StoredEntry>), code: &str, entry: Option<u64>) {
    let mut entries = honest.entries.clone();
    tamper(&mut entries);
    let note = signed(&honest.entries, &key(99));
    let finding = audit(&entries, &note, Some(pin(&honest.entries))).expect_err(what);
    assert_eq!((finding.code(), finding.index()), (code, entry), "{what}: {finding}");
}

#[test]
fn an_honest_log_passes() {
    let ledger = ledger();
    let note = signed(&ledger.entries, &key(99));
    assert_eq!(audit(&ledger.entries, &note, Some(pin(&ledger.entries))), Ok(ledger.entries.len() as u64));
    assert_eq!(audit(&ledger.entries, &note, None), Ok(ledger.entries.len() as u64));
}

#[test]
fn a_flipped_bit_anywhere_is_found_in_its_entry() {
    let ledger = ledger();
    let note = signed(&ledger.entries, &key(99));
    let mut flips = 0;
    for (place, entry) in ledger.entries.iter().enumerate() {
        let parts = 1 + entry.signatures.len() + entry.events.len();
        for part in 0..parts {
            let length = part_of(&mut entry.clone(), part).len();
            // Every byte of the first entries, every fifth of the others; each time another bit.
            for byte in (0..length).step_by(if place < 2 { 1 } else { 5 }) {
                let mut entries = ledger.entries.clone();
                let bytes = part_of(&mut entries[place], part);
                let mut changed = bytes.to_vec();
                changed[byte] ^= 1 << (byte % 8);
                *bytes = changed.into();
                let pinned = Some(pin(&ledger.entries));
                let finding = audit(&entries, &note, pinned).expect_err("a flipped bit");
                let named = finding.index() == Some(place as u64) || matches!(finding, Finding::NotAsPinned { .. });
                assert!(named, "entry {place}, part {part}, byte {byte}: {finding}");
                flips += 1;
            }
        }
    }
    assert!(flips > 1_000, "{flips}");
}

/// Header, signatures and events by number.
fn part_of(entry: &mut StoredEntry, part: usize) -> &mut bytes::Bytes {
    let signatures = entry.signatures.len();
    match part {
        0 => &mut entry.header,
        _ if part <= signatures => &mut entry.signatures[part - 1],
        _ => &mut entry.events[part - 1 - signatures],
    }
}

#[test]
fn times_and_places_are_under_the_checkpoint() {
    let ledger = ledger();
    let last = ledger.entries.len() - 1;
    for bit in 0..20 {
        check(&ledger, "a time", |entries| entries[last].recorded_at_ms += 1 << bit, "RootMismatch", None);
    }
    check(&ledger, "a time before", |entries| entries[3].recorded_at_ms -= DAY, "TimeWentBack", Some(3));
    check(&ledger, "a time in the future", |entries| entries[1].recorded_at_ms += DAY, "TimeWentBack", Some(2));
    for bit in 0..64 {
        check(&ledger, "an index", |entries| entries[4].index ^= 1 << bit, "IndexGap", Some(4));
    }
}

#[test]
fn entries_that_are_gone_doubled_moved_or_added_are_named() {
    let ledger = ledger();
    let last = ledger.entries.len() as u64 - 1;
    check(&ledger, "dropped", |entries| drop(entries.remove(3)), "IndexGap", Some(3));
    check(&ledger, "the tail cut", |entries| drop(entries.pop()), "EntriesGone", Some(last));
    check(&ledger, "all cut", |entries| entries.truncate(1), "EntriesGone", Some(1));
    check(&ledger, "nothing left", Vec::clear, "GenesisMissing", Some(0));
    check(&ledger, "no genesis", |entries| drop(entries.remove(0)), "GenesisMissing", Some(0));
    check(&ledger, "doubled", |entries| entries.insert(3, entries[3].clone()), "IndexGap", Some(4));
    let renumbered = |entries: &mut Vec<StoredEntry>| {
        let time = entries.last().unwrap().recorded_at_ms;
        entries.push(StoredEntry { index: last + 1, recorded_at_ms: time, ..entries[3].clone() });
    };
    check(&ledger, "doubled at the end", renumbered, "RuleBroken", Some(last + 1));
    check(&ledger, "reordered", |entries| entries.swap(3, 4), "IndexGap", Some(3));
    let swapped = |entries: &mut Vec<StoredEntry>| {
        entries.swap(5, 4);
        (entries[4].index, entries[5].index) = (4, 5);
        (entries[4].recorded_at_ms, entries[5].recorded_at_ms) = (entries[5].recorded_at_ms, entries[4].recorded_at_ms);
    };
    check(&ledger, "reordered and renumbered", swapped, "RootMismatch", None);
    // Somebody who holds a staff key, but not the ledger's, adds an entry at the end: sound, and not acknowledged.
    let mut longer = ledger.clone();
    longer.earn(BOB, 30);
    let note = signed(&ledger.entries, &key(99));
    assert_eq!(audit(&longer.entries, &note, None).unwrap_err().code(), "RootMismatch");
    let mut other = ledger.clone();
    other.entries.pop();
    let inserted = other.entries.len();
    other.entries.insert(3, longer.entries[inserted + 1].clone());
    for (index, entry) in (0..).zip(&mut other.entries) {
        (entry.index, entry.recorded_at_ms) = (index, entry.recorded_at_ms.max(longer.now));
    }
    assert!(audit(&other.entries, &note, Some(pin(&ledger.entries))).is_err());
}

#[test]
fn a_rule_that_is_broken_is_named_though_everybody_signed() {
    let mut honest = ledger();
    let (alice, staff) = (honest.alice.clone(), honest.staff.clone());
    let at_time = honest.now;
    let index = honest.entries.len() as u64;
    let start = at_time - 10 * HOUR;
    let cases = [
        (honest.sheet(&[&alice], vec![transfer(ALICE, BOB, 1), transfer(ALICE, BOB, 5_000)]), "BalanceBelowFloor", 1),
        (honest.sheet(&[&alice], vec![transfer(BOB, ALICE, 1)]), "NotPermitted", 0),
        (honest.sheet(&[&staff], vec![record(service(ALICE, start, 30))]), "ServiceOverlaps", 0),
        (honest.sheet(&[&staff], vec![reverse(at(2, 0))]), "RecordReversed", 0),
    ];
    for (sheet, rule, event) in cases {
        let mut entries = honest.entries.clone();
        entries.push(stored(index, at_time, &sheet));
        // The operator signs the checkpoint as well: the rules are checked all the same.
        let note = signed(&entries, &key(99));
        let finding = audit(&entries, &note, Some(pin(&entries))).unwrap_err();
        let refusal = finding.refusal().unwrap_or_else(|| panic!("{finding}"));
        assert_eq!((finding.code(), finding.index()), ("RuleBroken", Some(index)));
        assert_eq!((refusal.rejection.code(), refusal.event), (rule, Some(event)), "{finding}");
        assert!(!refusal.field.is_empty());
    }
}

#[test]
fn checkpoints_and_pins_of_others_are_refused() {
    let ledger = ledger();
    let entries = &ledger.entries;
    let honest = signed(entries, &key(99));
    let code = |note: &str, pin: Option<Pin>| audit(entries, note, pin).unwrap_err().code();
    assert_eq!(code(&signed(entries, &key(98)), None), "CheckpointInvalid", "another key");
    assert_eq!(
        code(&signed(&entries[..4], &key(99)), None),
        "RootMismatch",
        "a shorter one, of which nothing was kept"
    );
    let size = entries.len() as u64;
    let other = checkpoint::sign(ORIGIN, size, &[7; 32], key(99).signing_key());
    assert_eq!(code(&other, None), "RootMismatch", "another history");
    let foreign = checkpoint::sign("timebank.example/other", size, &root(entries), key(99).signing_key());
    assert_eq!(code(&foreign, None), "CheckpointInvalid", "another ledger");
    for position in (0..honest.len()).step_by(3) {
        let mut bytes = honest.clone().into_bytes();
        bytes[position] ^= 1;
        // What isn't UTF-8 any more is no note.
        let Ok(note) = String::from_utf8(bytes) else { continue };
        assert!(audit(entries, &note, Some(pin(entries))).is_err(), "byte {position} of the checkpoint");
    }
    let mut pinned = pin(entries);
    pinned.genesis_leaf_hash[0] ^= 1;
    assert_eq!(code(&honest, Some(pinned)), "NotAsPinned");
    let ledger_key = VerifierKey::new(ORIGIN, key(98).public_key()).unwrap();
    assert_eq!(code(&honest, Some(Pin { ledger_key, ..pin(entries) })), "NotAsPinned");
    let ledger_key = VerifierKey::new("timebank.example/other", key(99).public_key()).unwrap();
    assert_eq!(code(&honest, Some(Pin { ledger_key, ..pin(entries) })), "NotAsPinned");
}

#[test]
fn a_kept_tree_hash_that_was_changed_is_named() {
    let ledger = ledger();
    let mut kept = Vec::new();
    let mut frontier = Frontier::default();
    for entry in &ledger.entries {
        frontier.append(leaf_hash(&entry.leaf()), |hash| kept.push(hash));
    }
    for number in 0..kept.len() {
        let mut audit = Audit::new(None, None, Scratch::new().unwrap());
        let node = |asked: u64| {
            let mut hash = kept[usize::try_from(asked).unwrap()];
            hash[5] ^= u8::from(asked == number as u64);
            Ok(Some(hash))
        };
        let prepared = pipeline::prepare(ledger.entries.clone(), &mut KnownKeys::default());
        let Err(AuditError::Found(finding)) = audit.take(prepared, node) else { panic!("hash {number} passed") };
        let Finding::TreeHashMismatch { number: named, .. } = *finding else { panic!("{finding}") };
        assert_eq!(named, number as u64);
    }
}
