//! Proof files: what they prove, and that nothing else passes for one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

#[path = "support/mod.rs"]
mod support;

use std::convert::Infallible;

use support::*;
use timebank::{
    format::{
        checkpoint::{self, VerifierKey, WitnessKey, cosignature, policy::WitnessPolicy},
        proof::{CheckpointPair, EventProof, EventProofError, PairError, Relation, event_in_entry},
        signature::PrivateKey,
        wire::StoredEntry,
    },
    ledger::{Event, KeyId},
    merkle::{Frontier, Hash, consistency_path, inclusion_proof, leaf_hash, stored_hash_number},
};

/// A log of entries with several events, and its tree.
struct Log {
    entries: Vec<StoredEntry>,
    hashes: Vec<Hash>,
    keys: Vec<PrivateKey>,
}

impl Log {
    fn new() -> Self {
        let mut ledger = Ledger::new();
        let (staff, alice) = (ledger.staff.clone(), ledger.alice.clone());
        for minutes in [60, 90, 30] {
            ledger.earn(ALICE, minutes);
        }
        ledger.accept(
            &[&alice],
            vec![transfer(ALICE, BOB, 15), hold(ALICE, 30, ledger.now + DAY), transfer(ALICE, BOB, 1)],
        );
        let keys = vec![ledger.operator.clone(), staff, alice];
        Self::of(ledger.entries, keys)
    }

    fn of(entries: Vec<StoredEntry>, keys: Vec<PrivateKey>) -> Self {
        let (mut frontier, mut hashes) = (Frontier::default(), Vec::new());
        for entry in &entries {
            frontier.append(leaf_hash(&entry.leaf()), |hash| hashes.push(hash));
        }
        Self { entries, hashes, keys }
    }

    fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn node(&self) -> impl Fn(u32, u64) -> Result<Hash, Infallible> {
        |level, index| Ok(self.hashes[usize::try_from(stored_hash_number(level, index)).unwrap()])
    }

    fn checkpoint(&self, size: u64) -> String {
        let root = timebank::merkle::root_at(size, self.node()).unwrap();
        checkpoint::sign(ORIGIN, size, &root, key(99).signing_key())
    }

    fn proof(&self, index: u64, number: u32) -> EventProof {
        let entry = &self.entries[usize::try_from(index).unwrap()];
        let header = timebank::format::wire::decode_header(&entry.header).unwrap();
        let public = |signer: &KeyId| self.keys.iter().find(|key| key.key_id() == *signer).unwrap().public_key();
        let keys = header.sheet.signers.iter().map(|signer| bytes(&public(signer))).collect();
        EventProof {
            index,
            event_in_entry: event_in_entry(entry, number, keys).unwrap(),
            inclusion: inclusion_proof(index, self.size(), self.node()).unwrap(),
            checkpoint: self.checkpoint(self.size()),
        }
    }

    fn pair(&self, old: u64, old_note: String) -> CheckpointPair {
        let path = consistency_path(old, self.size(), self.node()).unwrap();
        CheckpointPair { ledger: vkey(), path, old: old_note, new: self.checkpoint(self.size()) }
    }
}

fn vkey() -> VerifierKey {
    VerifierKey::new(ORIGIN, key(99).public_key()).unwrap()
}

#[test]
fn every_event_of_a_log_is_proved_by_a_file_of_its_own() {
    let log = Log::new();
    for entry in &log.entries {
        for number in (0..).zip(&entry.events).map(|(number, _)| number) {
            let file = log.proof(entry.index, number).to_string();
            let proof = EventProof::parse(file.as_bytes()).unwrap();
            assert_eq!(proof.to_string(), file);
            let proven = proof.verify(&vkey(), None).unwrap();
            assert_eq!((proven.index, proven.number, proven.size), (entry.index, number, log.size()));
            assert_eq!((proven.origin.as_str(), proven.recorded_at.0), (ORIGIN, entry.recorded_at_ms));
            let bytes = &entry.events[usize::try_from(number).unwrap()];
            assert_eq!(proven.event, timebank::format::wire::decode_event(bytes).unwrap());
        }
        let none = u32::try_from(entry.events.len()).unwrap();
        assert_eq!(event_in_entry(entry, none, Vec::new()), None);
    }
    assert!(matches!(log.proof(0, 0).verify(&vkey(), None).unwrap().event, Event::LedgerCreated(_)));
}

#[test]
fn every_bit_of_a_proof_counts() {
    let log = Log::new();
    let file = log.proof(log.size() - 1, 1).to_string().into_bytes();
    let verdict = |bytes: &[u8]| EventProof::parse(bytes).and_then(|proof| proof.verify(&vkey(), None));
    verdict(&file).unwrap();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            assert!(verdict(&flipped).is_err(), "byte {at}, bit {bit}: {}", String::from_utf8_lossy(&flipped));
        }
        assert!(verdict(&file[..at]).is_err(), "cut at {at}");
    }
    assert!(verdict(&[file.as_slice(), b"\n"].concat()).is_err());
    assert!(verdict(&[b"\n", file.as_slice()].concat()).is_err());
}

/// A proof that is changed in one thing, and put together anew.
fn check(change: impl FnOnce(&mut EventProof), expected: fn(&EventProofError) -> bool) {
    let log = Log::new();
    let mut proof = log.proof(log.size() - 1, 1);
    change(&mut proof);
    let error = proof.verify(&vkey(), None).unwrap_err();
    assert!(expected(&error), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    use EventProofError as E;
    let log = Log::new();
    let last = log.size() - 1;
    check(|proof| proof.index -= 1, |error| matches!(error, E::NotInLog { .. }));
    check(|proof| proof.index = u64::MAX, |error| matches!(error, E::NotInLog { .. }));
    check(|proof| proof.event_in_entry.recorded_at_ms += 1, |error| matches!(error, E::NotInLog { .. }));
    check(|proof| proof.inclusion.truncate(1), |error| matches!(error, E::NotInLog { .. }));
    check(|proof| proof.event_in_entry.number = 0, |error| matches!(error, E::NotInSheet { number: 0, .. }));
    check(|proof| proof.event_in_entry.number = 7, |error| matches!(error, E::NotInSheet { number: 7, .. }));
    let other = log.proof(last, 0).event_in_entry.event;
    check(|proof| proof.event_in_entry.event = other, |error| matches!(error, E::NotInSheet { .. }));
    check(|proof| proof.event_in_entry.inclusion_proof[0] = bytes(&[1]), |error| matches!(error, E::NotInSheet { .. }));
    check(|proof| drop(proof.event_in_entry.public_keys.pop()), |error| matches!(error, E::SignerCountMismatch { .. }));
    let signature = proof_signature(&log, last);
    check(
        move |proof| proof.event_in_entry.signatures.push(signature),
        |error| matches!(error, E::SignerCountMismatch { .. }),
    );
    check(
        |proof| proof.event_in_entry.public_keys[0] = bytes(&key(1).public_key()),
        |error| matches!(error, E::SignerMismatch { position: 0, .. }),
    );
    check(
        |proof| proof.event_in_entry.signatures[0] = bytes(&[7; 64]),
        |error| matches!(error, E::SignatureInvalid { .. }),
    );
    check(|proof| proof.event_in_entry.header = bytes(b"x"), |error| matches!(error, E::Header(_)));
    let smaller = log.checkpoint(last);
    check(move |proof| proof.checkpoint = smaller, |error| matches!(error, E::NotInLog { .. }));
    let foreign = checkpoint::sign("timebank.example/other", 1, &[0; 32], key(99).signing_key());
    check(move |proof| proof.checkpoint = foreign, |error| matches!(error, E::Checkpoint(_)));
    let forger = checkpoint::sign(ORIGIN, log.size(), &[0; 32], key(98).signing_key());
    check(move |proof| proof.checkpoint = forger, |error| matches!(error, E::Checkpoint(_)));
}

fn proof_signature(log: &Log, index: u64) -> bytes::Bytes {
    log.proof(index, 0).event_in_entry.signatures[0].clone()
}

#[test]
fn a_proof_of_another_ledgers_sheet_is_refused() {
    // The ledger's key signs a tree whose only entry is a sheet for somebody else.
    let log = Log::new();
    let other = VerifierKey::new("timebank.example/other", key(99).public_key()).unwrap();
    let mut proof = log.proof(0, 0);
    let alone = Log::of(log.entries[..1].to_vec(), Vec::new());
    proof.inclusion = Vec::new();
    proof.checkpoint = checkpoint::sign(other.name(), 1, &alone.hashes[0], key(99).signing_key());
    let error = proof.verify(&other, None).unwrap_err();
    assert!(matches!(error, EventProofError::OriginMismatch { .. }), "{error}");
}

#[test]
fn a_proof_holds_to_a_policy_of_witnesses() {
    let log = Log::new();
    let (witness, name) = (key(50), WitnessKey::new("witness.example", key(50).public_key()).unwrap());
    let policy = WitnessPolicy::parse(&format!("witness neighbour {name}\nquorum neighbour\n")).unwrap();
    let mut proof = log.proof(3, 0);
    let error = proof.verify(&vkey(), Some(&policy)).unwrap_err();
    assert!(matches!(error, EventProofError::Witnesses(_)), "{error}");
    let text = proof.checkpoint.split("\n\n").next().unwrap().to_owned() + "\n";
    proof.checkpoint += &cosignature::cosign(&text, &name, 9, witness.signing_key());
    let proven = EventProof::parse(proof.to_string().as_bytes()).unwrap().verify(&vkey(), Some(&policy)).unwrap();
    assert_eq!(proven.witnesses, ["neighbour"]);
}

#[test]
fn checkpoints_of_one_history_are_consistent() {
    let log = Log::new();
    for old in 0..=log.size() {
        let file = log.pair(old, log.checkpoint(old)).to_string();
        let pair = CheckpointPair::parse(file.as_bytes()).unwrap();
        assert_eq!(pair.to_string(), file);
        let related = pair.verify().unwrap();
        assert_eq!((related.relation, related.old_size, related.new_size), (Relation::Consistent, old, log.size()));
    }
}

#[test]
fn checkpoints_of_two_histories_convict_at_every_size() {
    // They differ in when an entry was recorded, so all roots from there on do.
    let log = Log::new();
    let (first, mut entries) = (log.size() - 2, log.entries.clone());
    entries[usize::try_from(first).unwrap() - 1].recorded_at_ms += 1;
    let other = Log::of(entries, Vec::new());
    for old in 1..=log.size() {
        let relation = log.pair(old, other.checkpoint(old)).verify().unwrap().relation;
        assert_eq!(relation == Relation::Consistent, old < first, "{old}: {relation:?}");
    }
    let empty = checkpoint::sign(ORIGIN, 0, &[1; 32], key(99).signing_key());
    assert!(matches!(log.pair(0, empty).verify().unwrap().relation, Relation::Forked { .. }));
}

#[test]
fn no_honest_ledger_is_convicted_by_a_forged_file() {
    let log = Log::new();
    let honest = log.pair(5, log.checkpoint(5));
    let verdict = |bytes: &[u8]| CheckpointPair::parse(bytes).and_then(|pair| pair.verify());
    let file = honest.to_string().into_bytes();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            assert!(verdict(&flipped).is_err(), "byte {at}, bit {bit}");
        }
        assert!(verdict(&file[..at]).is_err(), "cut at {at}");
    }
    let change = |change: fn(&mut CheckpointPair)| {
        let mut pair = honest.clone();
        change(&mut pair);
        pair.verify().unwrap_err()
    };
    assert!(matches!(change(|pair| pair.path.truncate(1)), PairError::Path(_)));
    assert!(matches!(change(|pair| pair.path.push([0; 32])), PairError::Path(_)));
    assert!(matches!(change(|pair| pair.path[0] = [0; 32]), PairError::Path(_)));
    assert!(matches!(change(|pair| std::mem::swap(&mut pair.old, &mut pair.new)), PairError::SizesOutOfOrder { .. }));
    let forged = |pair: &mut CheckpointPair| pair.old = checkpoint::sign(ORIGIN, 5, &[0; 32], key(98).signing_key());
    assert!(matches!(change(forged), PairError::Checkpoint { which: "older", .. }));
}

/// What a verifier says that shares no code with the crate.
fn independent(file: &str) -> (bool, String) {
    let mut path = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut path, file.as_bytes()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_proof.py");
    let python = std::env::var("TIMEBANK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output =
        std::process::Command::new(python).args(["-B", script]).arg(path.path()).arg(vkey().to_string()).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
#[ignore = "needs Python: `.ci/run` sees to it"]
fn a_verifier_that_shares_no_code_agrees() {
    let log = Log::new();
    let last = log.size() - 1;
    for (index, number, kind) in [(last, 1, "hold_placed"), (last, 2, "minutes_transferred"), (0, 0, "ledger_created")]
    {
        let (proved, said) = independent(&log.proof(index, number).to_string());
        assert!(proved && said.contains(&format!("event {number} of entry {index} is {kind}")), "{said}");
    }
    let mut changed = log.proof(last, 1);
    changed.event_in_entry.recorded_at_ms += 1;
    let (proved, said) = independent(&changed.to_string());
    assert!(!proved && said.contains("proves nothing: the path to the checkpoint's root"), "{said}");
    for old in [0, 3, 4, last, log.size()] {
        let (proved, said) = independent(&log.pair(old, log.checkpoint(old)).to_string());
        assert!(proved && said.contains(&format!("continues the one over {old}")), "{said}");
    }
    for old in [3, 4] {
        let other = checkpoint::sign(ORIGIN, old, &[0; 32], key(99).signing_key());
        let (proved, said) = independent(&log.pair(old, other).to_string());
        assert!(proved && said.contains(&format!("CONTRADICTS the one over {old}")), "{said}");
    }
}
