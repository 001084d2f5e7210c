//! Texts that are signed, or lead to what is: notes and checkpoints, cosignatures, what witnesses are asked and answer, keys,
//! policies, pins and proofs. Nothing says which of them an input is: each reader looks at it.

use std::{str, sync::OnceLock};

use timebank::{
    format::{
        checkpoint::{
            self, Checkpoint, NOTE_BYTES_MAX, Note, NoteKey, NoteSignature, SIGNATURES_MAX, VerifierKey, WitnessKey,
            cosignature::{below, cosign, cosigned},
            policy::WitnessPolicy,
            sign_note,
            witness::{AddCheckpoint, Head, Witness, parse_answer, parse_conflict, request_body},
        },
        proof::{CheckpointPair, EventProof, Relation},
        signature::{self, Claim},
        wire,
    },
    merkle::{Hash, empty_root, leaf_hash, root_of_leaves, verify_consistency},
    trust::audit::Pin,
};

use crate::support::{ORIGIN, key};

/// When the witness signs, in seconds since 1970.
pub(crate) const TIME_S: u64 = 1_772_323_200;
/// Entries of the tree that the ledger's checkpoints are over.
pub(crate) const TREE_SIZE: u64 = 40;
/// Kinds of keys, as signed notes number them.
const LEDGER: u8 = 1;
const WITNESS: u8 = 4;

/// Whether it is any such text.
pub(crate) fn run(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else {
        let is_none = Note::parse(data).is_err() && AddCheckpoint::parse(data).is_err();
        assert!(is_none && EventProof::parse(data).is_err() && CheckpointPair::parse(data).is_err());
        return false;
    };
    let is_key = named::<LEDGER>(text) | named::<WITNESS>(text);
    let is_answer = answer(text) | kept(data);
    let is_trusted = pin(text) | policy(text);
    is_key | is_answer | is_trusted | checkpoint(text) | note(data) | request(data) | event_proof(data) | pair(data)
}

/// The ledger's key.
pub(crate) fn ledger() -> VerifierKey {
    static KEY: OnceLock<VerifierKey> = OnceLock::new();
    KEY.get_or_init(|| VerifierKey::new(ORIGIN, key(99).public_key()).expect("a key")).clone()
}

/// The ledger's witness.
pub(crate) fn witness() -> &'static Witness {
    static WITNESS: OnceLock<Witness> = OnceLock::new();
    WITNESS.get_or_init(|| Witness::new("witness.example/w", key(50), vec![ledger()]).expect("a witness"))
}

/// The checkpoint that its witness is asked about.
pub(crate) fn asked() -> &'static str {
    static NOTE: OnceLock<String> = OnceLock::new();
    NOTE.get_or_init(|| signed(TREE_SIZE))
}

/// The hashes of the tree's leaves.
pub(crate) fn leaves() -> impl Iterator<Item = Hash> {
    (0..TREE_SIZE).map(|number| leaf_hash(&number.to_be_bytes()))
}

/// The root over the first entries.
pub(crate) fn root(size: u64) -> Hash {
    root_of_leaves(leaves().take(usize::try_from(size).expect("small")))
}

/// The ledger's checkpoint over the first entries.
pub(crate) fn signed(size: u64) -> String {
    checkpoint::sign(ORIGIN, size, &root(size), key(99).signing_key())
}

fn printed(note: &Note<'_>) -> String {
    let lines: String = note.signatures().iter().map(ToString::to_string).collect();
    format!("{}\n{lines}", note.text())
}

/// Whether a line holds this key's signature over exactly these bytes.
fn is_over(line: &NoteSignature<'_>, public_key: [u8; 32], message: &[u8]) -> bool {
    let signature = line.signature.as_slice().try_into();
    signature.is_ok_and(|signature| signature::verify(Claim { public_key, signature, message }))
}

/// As [`is_over`], of what a witness signs.
fn is_cosigned_by_witness(note: &Note<'_>, key: &WitnessKey) -> bool {
    let Ok(Some((line, time_s))) = cosigned(note, key) else { return false };
    let (time, signature) = line.signature.split_first_chunk::<8>().expect("a time and a signature");
    assert_eq!(u64::from_be_bytes(*time), time_s);
    let message = format!("cosignature/v1\ntime {time_s}\n{}", note.text());
    let alone = NoteSignature { signature: signature.to_vec(), ..line.clone() };
    assert!(is_over(&alone, *key.public_key(), message.as_bytes()), "a cosignature is over the very text");
    true
}

fn note(bytes: &[u8]) -> bool {
    let Ok(note) = Note::parse(bytes) else { return false };
    assert_eq!(printed(&note).as_bytes(), bytes, "a note has one form");
    assert!(note.signatures().len() <= SIGNATURES_MAX && bytes.len() <= NOTE_BYTES_MAX);
    if let Ok(lines) = note.verify(&[ledger()]) {
        assert!(lines.len() == 1 && is_over(lines[0], key(99).public_key(), note.text().as_bytes()));
    }
    is_cosigned_by_witness(&note, witness().key());
    // The line that stands first in the witness's name counts, so that its own would be none beside another.
    if checkpoint::open(bytes, &ledger(), ORIGIN).is_ok() {
        assert_eq!(Checkpoint::unverified(bytes).map(|said| said.to_string()).as_deref(), Some(note.text()));
    }
    signed_anew(note.text());
    true
}

/// The text as the ledger's own: what is read of it is this text and no other, and it is a checkpoint where it says one.
fn signed_anew(text: &str) {
    let bytes = sign_note(text, ORIGIN, key(99).signing_key());
    let note = Note::parse(bytes.as_bytes()).expect("the text of a note makes a note");
    assert_eq!((note.text(), note.signatures().len()), (text, 1));
    note.verify(&[ledger()]).expect("what the ledger signs verifies");
    let said = Checkpoint::parse(text);
    match (checkpoint::open(bytes.as_bytes(), &ledger(), ORIGIN), &said) {
        (Ok(opened), Ok(said)) => {
            assert_eq!((&opened, opened.to_string().as_str()), (said, text), "a checkpoint has one form");
            assert!(opened.origin == ORIGIN && opened.root_hash().is_ok() && !said.extensions.contains("\n\n"));
        }
        (Err(_), Ok(said)) => {
            let is_other = said.origin != ORIGIN || said.root.len() != 32;
            assert!(is_other || said.extensions.starts_with('\n') || said.extensions.contains("\n\n"), "{said:?}");
        }
        (opened, Err(_)) => assert!(opened.is_err()),
    }
    let witness = witness();
    let line = cosign(text, witness.key(), TIME_S, key(50).signing_key());
    assert_eq!(parse_answer(&bytes, &line, witness.key()).as_ref(), Ok(&line));
    let both = below(&bytes, [(witness.key(), line.as_str())]);
    assert_eq!(both, format!("{bytes}{line}"));
    assert!(is_cosigned_by_witness(&Note::parse(both.as_bytes()).expect("a note"), witness.key()));
    // An answer that begins with more text is none, though below the note it would be a cosigned note of a longer text.
    let longer = format!("{bytes}{text}");
    let answer = format!("{text}\n{}", cosign(&longer, witness.key(), TIME_S, key(50).signing_key()));
    assert!(parse_answer(&bytes, &answer, witness.key()).is_err(), "an answer is about the very text");
    assert_eq!(below(&bytes, [(witness.key(), answer.as_str())]), bytes);
}

fn checkpoint(text: &str) -> bool {
    let Ok(checkpoint) = Checkpoint::parse(text) else { return false };
    assert_eq!(checkpoint.to_string(), text, "a checkpoint has one form");
    true
}

fn named<const ALGORITHM: u8>(text: &str) -> bool {
    let Ok(key) = text.parse::<NoteKey<ALGORITHM>>() else { return false };
    // Hashes may be written in capitals.
    assert!(key.to_string().eq_ignore_ascii_case(text));
    assert_eq!(key.to_string().parse().as_ref(), Ok(&key));
    assert!(signature::is_enrollable(key.public_key()));
    true
}

fn pin(text: &str) -> bool {
    let Ok(pin) = Pin::parse(text) else { return false };
    assert_eq!(Pin::parse(&pin.to_text()).as_ref(), Ok(&pin), "a pin reads back as it was written");
    true
}

fn policy(text: &str) -> bool {
    let Ok(policy) = WitnessPolicy::parse(text) else { return false };
    let witnesses = policy.witnesses();
    for (number, witness) in witnesses.iter().enumerate() {
        let others = &witnesses[..number];
        let is_told_apart = |other: &checkpoint::policy::PolicyWitness| {
            other.name != witness.name && other.key.public_key() != witness.key.public_key()
        };
        assert!(others.iter().all(is_told_apart), "each witness counts once");
    }
    let text = Note::parse(asked().as_bytes()).expect("a note").text();
    let line = cosign(text, witness().key(), TIME_S, key(50).signing_key());
    for bytes in [asked().to_owned(), format!("{}{line}", asked())] {
        let note = Note::parse(bytes.as_bytes()).expect("a note");
        for name in policy.satisfied(&note).unwrap_or_default() {
            let named = witnesses.iter().find(|witness| witness.name == name).expect("a witness of the policy");
            assert!(is_cosigned_by_witness(&note, &named.key), "{name} did not cosign");
        }
    }
    true
}

/// The text as what a witness answers about the ledger's newest checkpoint.
fn answer(text: &str) -> bool {
    let (asked, witness) = (asked(), witness());
    if let Some(size) = parse_conflict(text) {
        assert_eq!(format!("{size}\n"), text);
        return true;
    }
    let own = Note::parse(asked.as_bytes()).expect("a note").text();
    let shown = below(asked, [(witness.key(), text)]);
    let both = Note::parse(shown.as_bytes()).expect("a note with lines below it is one");
    assert!(both.text() == own && shown.starts_with(asked), "lines below a note leave it as it is");
    assert_eq!(is_cosigned_by_witness(&both, witness.key()), shown != asked);
    let Ok(line) = parse_answer(asked, text, witness.key()) else { return false };
    let both = format!("{asked}{line}");
    assert!(is_cosigned_by_witness(&Note::parse(both.as_bytes()).expect("a note"), witness.key()));
    true
}

/// The bytes as what a witness kept.
fn kept(bytes: &[u8]) -> bool {
    let witness = witness();
    let Ok((origin, head)) = witness.read_kept(bytes) else { return false };
    let note = Note::parse(bytes).expect("what was kept is a note");
    assert!(is_cosigned_by_witness(&note, witness.key()));
    let said = Checkpoint::parse(note.text()).expect("what was kept is a checkpoint");
    assert_eq!((said.root_hash(), said.size, said.origin), (Ok(head.root), head.size, origin));
    true
}

/// The bytes as what a witness is asked, and the same with a checkpoint that the ledger signed.
fn request(bytes: &[u8]) -> bool {
    let Ok(request) = AddCheckpoint::parse(bytes) else { return false };
    let first = bytes.split(|byte| *byte == b'\n').next().and_then(|line| str::from_utf8(line).ok());
    let old: u64 = first.and_then(|line| line.strip_prefix("old ")?.parse().ok()).expect("a size");
    let body = request_body(old, request.proof(), &request.note());
    assert_eq!(body.as_bytes(), bytes, "a request has one form");
    let witness = witness();
    let latest = (1..=TREE_SIZE).contains(&old).then(|| Head { size: old, root: root(old) });
    // By whomever it is signed.
    let _verdict = witness.add_checkpoint(&request, latest.as_ref(), TIME_S);
    let note = request.note();
    let text = Note::parse(note.as_bytes()).expect("the request's own").text().to_owned();
    let note = sign_note(&text, ORIGIN, key(99).signing_key());
    let body = request_body(old, request.proof(), &note);
    let request = AddCheckpoint::parse(body.as_bytes()).expect("a request with another signature");
    let other = Head { size: old ^ 1, root: root((old ^ 1).min(TREE_SIZE)) };
    assert!(witness.add_checkpoint(&request, Some(&other), TIME_S).is_err(), "a witness remembers another checkpoint");
    match witness.add_checkpoint(&request, latest.as_ref(), TIME_S) {
        Ok(cosigned) => {
            let read = witness.read_kept(cosigned.note.as_bytes()).expect("what it keeps it can read");
            assert_eq!(read, (request.origin().to_owned(), cosigned.head));
            assert_eq!(parse_answer(&note, &cosigned.line, witness.key()).as_ref(), Ok(&cosigned.line));
            let before = latest.as_ref().map_or((0, empty_root()), |head| (head.size, head.root));
            let (head, proof) = (cosigned.head, request.proof());
            let continues = before.0 == 0 || verify_consistency(old, &before.1, head.size, &head.root, proof).is_ok();
            assert!(continues && old == before.0, "a witness cosigns what continues what it cosigned");
        }
        Err(refusal) => assert!((400..500).contains(&refusal.status()) && refusal.body().ends_with('\n')),
    }
    true
}

/// The bytes as the proof of an event, and the same in a log that has its entry alone.
fn event_proof(bytes: &[u8]) -> bool {
    let Ok(proof) = EventProof::parse(bytes) else { return false };
    assert_eq!(proof.to_string().as_bytes(), bytes, "a proof has one form");
    let shown = &proof.event_in_entry;
    let hashes = (wire::header_hash(&shown.header), wire::signatures_hash(&shown.signatures));
    let leaf = wire::leaf(0, shown.recorded_at_ms, &hashes.0, &hashes.1);
    let checkpoint = checkpoint::sign(ORIGIN, 1, &leaf_hash(&leaf), key(99).signing_key());
    let alone = EventProof { index: 0, inclusion: Vec::new(), checkpoint, event_in_entry: shown.clone() };
    for proof in [&proof, &alone] {
        let Ok(proven) = proof.verify(&ledger(), None) else { continue };
        let said = Checkpoint::unverified(proof.checkpoint.as_bytes()).expect("a checkpoint");
        assert_eq!((proven.size, Ok(proven.root)), (said.size, said.root_hash()));
        assert_eq!(Ok(proven.event), wire::decode_event(&shown.event), "the very event");
        let message = signature::pre_authentication_encoding(signature::SHEET_HEADER_TYPE, &shown.header);
        for (public_key, signature) in shown.public_keys.iter().zip(&shown.signatures) {
            let public_key = public_key.as_ref().try_into().expect("a key");
            let signature = signature.as_ref().try_into().expect("a signature");
            assert!(signature::verify(Claim { public_key, signature, message: &message }), "the very header");
        }
        assert!(shown.signatures.len() == proven.signers.len() && !proven.signers.is_empty());
    }
    true
}

/// The bytes as two checkpoints and a path, and the same with both signed by the ledger.
fn pair(bytes: &[u8]) -> bool {
    let Ok(pair) = CheckpointPair::parse(bytes) else { return false };
    assert_eq!(pair.to_string().as_bytes(), bytes, "a pair has one form");
    let _verdict = pair.verify();
    let anew = |note: &str| Some(sign_note(Note::parse(note.as_bytes()).ok()?.text(), ORIGIN, key(99).signing_key()));
    let (Some(old), Some(new)) = (anew(&pair.old), anew(&pair.new)) else { return true };
    let pair = CheckpointPair { ledger: ledger(), path: pair.path, old, new };
    assert_eq!(CheckpointPair::parse(pair.to_string().as_bytes()).as_ref(), Ok(&pair));
    let Ok(related) = pair.verify() else { return true };
    let (old, new) = (related.old_size, related.new_size);
    // RFC 6962 leaves out a first hash that whoever verifies knows.
    let proof = pair.path.get(usize::from(old.is_power_of_two() && old < new)..).unwrap_or_default();
    let is_consistent = match old {
        0 => related.old_root == empty_root(),
        _ => verify_consistency(old, &related.old_root, new, &related.new_root, proof).is_ok(),
    };
    match related.relation {
        Relation::Consistent => assert!(is_consistent, "{related:?}"),
        Relation::Forked { root_then } => assert!(!is_consistent && root_then != related.old_root, "{related:?}"),
    }
    true
}
