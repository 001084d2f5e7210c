#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::*;
use crate::{
    format::checkpoint::sign,
    merkle::{consistency_proof, leaf_hash, root_at, stored_hash_number},
};

const ORIGIN: &str = "timebank.example/leeds";

/// A history: `fork` tells its leaves from those of another one.
struct Log {
    hashes: Vec<Hash>,
    key: PrivateKey,
}

impl Log {
    fn new(size: u64, fork: u8) -> Self {
        let (mut frontier, mut hashes) = (crate::merkle::Frontier::default(), Vec::new());
        for number in 0..size {
            let leaf = leaf_hash(&[number.to_be_bytes().as_slice(), &[fork]].concat());
            frontier.append(leaf, |hash| hashes.push(hash));
        }
        Self { hashes, key: PrivateKey::from_seed([1; 32]) }
    }

    fn node(&self, level: u32, index: u64) -> Result<Hash, ()> {
        self.hashes.get(usize::try_from(stored_hash_number(level, index)).unwrap()).copied().ok_or(())
    }

    fn note(&self, size: u64) -> String {
        let root = root_at(size, |level, index| self.node(level, index)).unwrap();
        sign(ORIGIN, size, &root, self.key.signing_key())
    }

    fn proof(&self, old: u64, new: u64) -> Vec<Hash> {
        consistency_proof(old, new, |level, index| self.node(level, index)).unwrap()
    }

    fn request(&self, old: u64, new: u64) -> String {
        request_body(old, &self.proof(old, new), &self.note(new))
    }
}

fn witness() -> Witness {
    let ledger = VerifierKey::new(ORIGIN, PrivateKey::from_seed([1; 32]).public_key()).unwrap();
    Witness::new("witness.example/w1", PrivateKey::from_seed([2; 32]), vec![ledger.clone(), ledger]).unwrap()
}

fn add(body: &str, latest: Option<&Head>) -> Result<Cosigned, WitnessRefusal> {
    witness().add_checkpoint(&AddCheckpoint::parse(body.as_bytes())?, latest, 1_700_000_000)
}

fn check(body: &str, latest: Option<&Head>, expected: (u16, &WitnessRefusal)) {
    let found = add(body, latest).unwrap_err();
    assert_eq!((found.status(), &found), expected, "{body}");
}

#[test]
fn a_log_that_only_grows_is_cosigned_all_the_way() {
    let (log, witness, mut latest) = (Log::new(70, 0), witness(), None);
    let mut old = 0;
    for new in [0, 0, 1, 1, 2, 7, 8, 9, 33, 64, 70] {
        let body = log.request(old, new);
        let cosigned = add(&body, latest.as_ref()).unwrap();
        assert_eq!(cosigned.head.size, new);
        assert_eq!(witness.read_kept(cosigned.note.as_bytes()), Ok((ORIGIN.to_owned(), cosigned.head)));
        assert_eq!(parse_answer(&log.note(new), &cosigned.line, witness.key()), Ok(cosigned.line.clone()));
        assert_eq!(cosigned.note, format!("{}{}", log.note(new), cosigned.line));
        (latest, old) = (Some(cosigned.head), new);
    }
}

#[test]
fn a_second_history_is_refused_whatever_its_proof() {
    let (log, fork) = (Log::new(70, 0), Log::new(70, 1));
    let latest = add(&log.request(0, 33), None).unwrap().head;
    let mismatch = WitnessRefusal::NotConsistent(ProofError::RootMismatch);
    check(&fork.request(33, 70), Some(&latest), (422, &mismatch));
    check(&fork.request(33, 33), Some(&latest), (422, &mismatch));
    // Its own root with the honest proof, and the other way round.
    check(&request_body(33, &log.proof(33, 70), &fork.note(70)), Some(&latest), (422, &mismatch));
    check(&request_body(33, &fork.proof(33, 70), &log.note(70)), Some(&latest), (422, &mismatch));
    let conflict = WitnessRefusal::OldSizeMismatch { latest: 33 };
    check(&fork.request(0, 70), Some(&latest), (409, &conflict));
    check(&fork.request(20, 25), Some(&latest), (409, &conflict));
    assert_eq!(parse_conflict(&conflict.body()), Some(33));
    assert!(add(&log.request(33, 70), Some(&latest)).is_ok(), "the first one goes on");
}

#[test]
fn a_proof_that_does_not_fit_is_refused() {
    let log = Log::new(70, 0);
    let latest = add(&log.request(0, 33), None).unwrap().head;
    let with = |proof: &[Hash]| request_body(33, proof, &log.note(70));
    let proof = log.proof(33, 70);
    let length = |found| WitnessRefusal::NotConsistent(ProofError::LengthMismatch { found, expected: proof.len() });
    check(&with(&[]), Some(&latest), (422, &length(0)));
    check(&with(&[proof.as_slice(), &[[0; 32]]].concat()), Some(&latest), (422, &length(proof.len() + 1)));
    for at in 0..proof.len() {
        let mut wrong = proof.clone();
        wrong.get_mut(at).unwrap()[31] ^= 1;
        check(&with(&wrong), Some(&latest), (422, &WitnessRefusal::NotConsistent(ProofError::RootMismatch)));
    }
    check(&request_body(0, &[[0; 32]], &log.note(70)), None, (422, &WitnessRefusal::ProofNotEmpty { found: 1 }));
    let backwards = WitnessRefusal::OldSizeBeyondCheckpoint { old: 33, new: 20 };
    check(&request_body(33, &[], &log.note(20)), Some(&latest), (400, &backwards));
}

#[test]
fn an_empty_log_has_the_root_of_the_empty_tree() {
    let log = Log::new(1, 0);
    let wrong = sign(ORIGIN, 0, &[7; 32], log.key.signing_key());
    check(&request_body(0, &[], &wrong), None, (422, &WitnessRefusal::EmptyRootMismatch));
}

#[test]
fn a_checkpoint_that_its_ledger_did_not_sign_is_refused() {
    let log = Log::new(3, 0);
    let foreign = sign("other.example", 3, &[0; 32], log.key.signing_key());
    let unknown = WitnessRefusal::OriginUnknown { origin: "other.example".to_owned() };
    check(&request_body(0, &[], &foreign), None, (404, &unknown));
    let thief = sign(ORIGIN, 3, &[0; 32], PrivateKey::from_seed([3; 32]).signing_key());
    check(&request_body(0, &[], &thief), None, (403, &WitnessRefusal::SignerNotTrusted(NoteError::SignerUnknown)));
    let key_hash = VerifierKey::new(ORIGIN, log.key.public_key()).unwrap().key_hash();
    let invalid = NoteError::SignatureInvalid { name: ORIGIN.to_owned(), key_hash };
    let moved = log.note(3).replace("\n3\n", "\n2\n");
    check(&request_body(0, &[], &moved), None, (403, &WitnessRefusal::SignerNotTrusted(invalid)));
}

#[test]
fn signatures_of_others_are_neither_trusted_nor_kept() {
    let (log, stranger) = (Log::new(3, 0), PrivateKey::from_seed([9; 32]));
    let note = log.note(3);
    let text = Note::parse(note.as_bytes()).unwrap().text().to_owned();
    let name = WitnessKey::new("stranger.example", stranger.public_key()).unwrap();
    let line = cosignature::cosign(&text, &name, 1, stranger.signing_key());
    let cosigned = add(&request_body(0, &[], &format!("{note}{line}")), None).unwrap();
    assert_eq!(cosigned.note, format!("{note}{}", cosigned.line));
    let answer = parse_answer(&note, &line, witness().key());
    assert_eq!(answer, Err(AnswerError::CosignatureMissing));
    assert_eq!(parse_answer(&note, &format!("{line}{}", cosigned.line), witness().key()), Ok(cosigned.line));
}

#[test]
fn a_body_in_another_form_is_refused() {
    let log = Log::new(3, 0);
    let (note, hash) = (log.note(3), BASE64_STANDARD.encode([0; 32]));
    let malformed = |body: &str, expected: RequestError| {
        check(body, None, (400, &WitnessRefusal::RequestMalformed(expected)));
    };
    malformed("", RequestError::BlankLineMissing);
    malformed("old 0\n", RequestError::BlankLineMissing);
    for old in ["old", "old ", "old  0", "old 00", "old 01", "old +1", "old -1", "Old 0", "0", " old 0", "old 0 "] {
        malformed(&format!("{old}\n\n{note}"), RequestError::OldSizeMalformed);
    }
    malformed(&format!("old 18446744073709551616\n\n{note}"), RequestError::OldSizeMalformed);
    malformed(&format!("\n\n{note}"), RequestError::OldSizeMalformed);
    let hashes = |count: usize| format!("old 0\n{}\n{note}", format!("{hash}\n").repeat(count));
    malformed(&hashes(64), RequestError::TooManyHashes { found: 64 });
    check(&hashes(63), None, (422, &WitnessRefusal::ProofNotEmpty { found: 63 }));
    for bad in ["AAAA", hash.trim_end_matches('='), &format!("{hash} "), "\r"] {
        malformed(&format!("old 0\n{hash}\n{bad}\n\n{note}"), RequestError::HashMalformed { line: 3 });
    }
    let not_signed = CheckpointError::Note(NoteError::SignaturesMissing);
    malformed("old 0\n\n", RequestError::Checkpoint(not_signed.clone()));
    malformed(&format!("old 0\n\n{}", note.trim_end()), RequestError::Checkpoint(not_signed));
    let long = format!("old 0\n\n{}", "a".repeat(REQUEST_BYTES_MAX));
    malformed(&long, RequestError::TooLarge { bytes: long.len() });
}

#[test]
fn a_request_cut_off_anywhere_is_refused() {
    let body = Log::new(70, 0).request(33, 70);
    for length in 0..body.len() {
        let cut = body.as_bytes().get(..length).unwrap();
        assert!(AddCheckpoint::parse(cut).is_err(), "{}", String::from_utf8_lossy(cut));
    }
}

#[test]
fn what_was_kept_counts_only_with_its_own_cosignature() {
    let cosigned = add(&Log::new(3, 0).request(0, 3), None).unwrap();
    let damaged = cosigned.note.replace("\n3\n", "\n2\n");
    let invalid = CosignatureError::SignatureInvalid { name: "witness.example/w1".to_owned() };
    assert_eq!(witness().read_kept(damaged.as_bytes()), Err(KeptError::Cosignature(invalid)));
    let plain = Log::new(3, 0).note(3);
    assert_eq!(witness().read_kept(plain.as_bytes()), Err(KeptError::CosignatureMissing));
    assert!(matches!(witness().read_kept(b""), Err(KeptError::Checkpoint(_))));
}

#[test]
fn an_answer_that_brings_text_of_its_own_is_refused() {
    let (note, key) = (Log::new(3, 0).note(3), PrivateKey::from_seed([2; 32]));
    for more in ["evil\n", "\n", "", "evil\n\nand more\n"] {
        // A valid cosignature, over just the text that note and answer are together.
        let line = cosignature::cosign(&format!("{note}{more}"), witness().key(), 1, key.signing_key());
        let found = parse_answer(&note, &format!("{more}\n{line}"), witness().key());
        assert!(matches!(found, Err(AnswerError::Malformed(_))), "{more:?}: {found:?}");
    }
}

#[test]
fn an_answer_in_another_form_is_refused() {
    let (log, witness) = (Log::new(3, 0), witness());
    let note = log.note(3);
    let line = add(&log.request(0, 3), None).unwrap().line;
    for bad in ["", "<html>\n", line.trim_end(), &format!("{line}\n"), &format!("\n{line}")] {
        let found = parse_answer(&note, bad, witness.key());
        assert!(matches!(found, Err(AnswerError::Malformed(_))), "{bad}: {found:?}");
    }
    let other = parse_answer(&log.note(2), &line, witness.key());
    assert!(matches!(other, Err(AnswerError::Cosignature(_))), "{other:?}");
    for bad in ["", "\n", "33", "033\n", "33\n\n", " 33\n", "-1\n", "many\n"] {
        assert_eq!(parse_conflict(bad), None, "{bad}");
    }
}
