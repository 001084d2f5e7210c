//! Where the fuzzer begins: what the project makes itself, of every kind that a target reads.

use bytes::Bytes;
use prost::Message;
use timebank::{
    format::{
        archive::{Reader, Writer},
        checkpoint::{self, cosignature::cosign, witness::request_body},
        proof::{CheckpointPair, EventProof, event_in_entry},
        proto,
        wire::{self, StoredEntry},
    },
    ledger::KeyId,
    merkle::{
        Frontier, Hash, consistency_path, consistency_proof, inclusion_proof, leaf_hash, push_entry, root_at,
        root_of_leaves, stored_hash_number,
    },
    trust::audit::Pin,
};

use crate::{
    archive,
    note::{self, TIME_S, TREE_SIZE},
    sheet,
    support::{ORIGIN, bytes, key},
};

type Seeds = Vec<(String, Vec<u8>)>;

fn named(name: &str, number: impl std::fmt::Display, bytes: Vec<u8>) -> (String, Vec<u8>) {
    (format!("seed-{name}-{number}"), bytes)
}

/// The entries of the frozen ledger, in which every kind of event is.
fn entries() -> Vec<StoredEntry> {
    let mut reader = Reader::new(sheet::LEDGER).unwrap();
    let mut entries = Vec::new();
    while let Some(more) = reader.next_entries().unwrap() {
        entries.extend(more);
    }
    entries
}

/// Each sheet before the ledger that recorded it; a header, each kind of event and a shown event by themselves.
pub(crate) fn sheets() -> Seeds {
    let (mut seeds, mut kinds) = (Vec::new(), std::collections::BTreeSet::new());
    let part = |bytes: &[u8]| [&[0, 0], bytes].concat();
    for (number, entry) in (0_u8..).zip(entries()) {
        let (header, signatures, events) = (entry.header.clone(), entry.signatures.clone(), entry.events.clone());
        let message = proto::Sheet { header, events, signatures }.encode_to_vec();
        seeds.push(named("sheet", number, [&[number, 0], message.as_slice()].concat()));
        for event in &entry.events {
            let kind = wire::decode_event(event).unwrap().name();
            if kinds.insert(kind) {
                seeds.push(named("event", kind, part(event)));
            }
        }
    }
    let second = &entries()[1];
    seeds.push(named("header", 1, part(&second.header)));
    let shown = event_in_entry(second, 1, vec![bytes(&key(1).public_key())]).unwrap();
    seeds.push(named("event-in-entry", 1, part(&shown.encode_to_vec())));
    seeds
}

/// The frozen archive, its beginnings, and what frames hold.
pub(crate) fn archives() -> Seeds {
    let entries = entries();
    let of = |count: usize| {
        let root = root_of_leaves(entries[..count].iter().map(|entry| leaf_hash(&entry.leaf())));
        let note = checkpoint::sign(ORIGIN, count as u64, &root, key(99).signing_key());
        let mut writer = Writer::new(Vec::new(), ORIGIN).unwrap();
        entries[..count].iter().for_each(|entry| writer.push(entry).unwrap());
        writer.finish(&note).unwrap()
    };
    let mut seeds: Seeds = [0, 1, 3].map(|count| named("entries", count, of(count))).into();
    seeds.push(named("entries", "frozen", sheet::LEDGER.to_vec()));
    seeds.extend([1, 3].map(|count| named("contents", count, archive::contents(&of(count)).unwrap())));
    seeds
}

/// The hashes of a tree, as they are stored.
fn stored(leaves: impl Iterator<Item = Hash>) -> Vec<Hash> {
    let (mut frontier, mut hashes) = (Frontier::default(), Vec::new());
    leaves.for_each(|leaf| frontier.append(leaf, |hash| hashes.push(hash)));
    hashes
}

fn node(hashes: &[Hash]) -> impl Fn(u32, u64) -> Result<Hash, std::convert::Infallible> {
    |level, index| Ok(hashes[usize::try_from(stored_hash_number(level, index)).unwrap()])
}

/// Each text that is read, as the project writes it.
pub(crate) fn notes() -> Seeds {
    let (asked, witness, ledger) = (note::asked(), note::witness().key(), note::ledger());
    let text = |note: &str| note.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let line = cosign(&text(asked), witness, TIME_S, key(50).signing_key());
    let tree = stored(note::leaves());
    let mut seeds: Vec<(&str, String)> = vec![
        ("checkpoint", text(asked)),
        ("signed", asked.to_owned()),
        ("signed-empty", note::signed(0)),
        ("extended", checkpoint::sign_note(&(text(asked) + "more\n"), ORIGIN, key(99).signing_key())),
        ("cosigned", format!("{asked}{line}")),
        ("answer", line.clone()),
        ("conflict", "7\n".to_owned()),
        ("ledger-key", ledger.to_string()),
        ("witness-key", witness.to_string()),
        ("pin", Pin { ledger_key: ledger.clone(), genesis_leaf_hash: [7; 32] }.to_text()),
        ("policy", policy()),
        ("policy-none", "quorum none\n".to_owned()),
    ];
    for (old, size) in [(0, 7), (5, 40), (8, 40), (40, 40)] {
        let proof = consistency_proof(old, size, node(&tree)).unwrap();
        seeds.push(("request", request_body(old, &proof, &note::signed(size))));
        let path = consistency_path(old, size, node(&tree)).unwrap();
        let (old, new) = (note::signed(old), note::signed(size));
        let pair = CheckpointPair { ledger: ledger.clone(), path, old, new };
        seeds.push(("pair", pair.to_string()));
    }
    let path = consistency_path(5, TREE_SIZE, node(&tree)).unwrap();
    let old = checkpoint::sign(ORIGIN, 5, &[7; 32], key(99).signing_key());
    seeds.push(("forked", CheckpointPair { ledger, path, old, new: asked.to_owned() }.to_string()));
    seeds.push(("proof", event_proof().to_string()));
    seeds.into_iter().zip(0..).map(|((name, text), number)| named(name, number, text.into_bytes())).collect()
}

fn policy() -> String {
    let other = checkpoint::WitnessKey::new("other", key(51).public_key()).unwrap();
    let (ledger, witness) = (note::ledger(), note::witness().key());
    format!(
        "# of all\nlog {ledger}\nwitness w {witness} http://127.0.0.1:1/\nwitness o {other}\ngroup g any w o\nquorum g\n"
    )
}

/// The proof of an event in a log of three entries.
fn event_proof() -> EventProof {
    let entries = entries();
    let (entry, tree) = (&entries[1], stored(entries[..3].iter().map(|entry| leaf_hash(&entry.leaf()))));
    let signers = wire::decode_header(&entry.header).unwrap().sheet.signers;
    let public_key = |id: &KeyId| (1..9).map(key).find(|key| key.key_id() == *id).unwrap().public_key();
    let public_keys: Vec<Bytes> = signers.iter().map(|signer| bytes(&public_key(signer))).collect();
    EventProof {
        index: 1,
        event_in_entry: event_in_entry(entry, 2, public_keys).unwrap(),
        inclusion: inclusion_proof(1, 3, node(&tree)).unwrap(),
        checkpoint: checkpoint::sign(ORIGIN, 3, &root_at(3, node(&tree)).unwrap(), key(99).signing_key()),
    }
}

/// Files, and programs for each trial: logs of one, two and three levels, all questions, without a fault and with each.
pub(crate) fn tiles() -> Seeds {
    let mut bundle = Vec::new();
    assert!(push_entry(&mut bundle, b"one") && push_entry(&mut bundle, b""));
    let mut seeds = vec![
        named("path", 0, b"tile/0/000".to_vec()),
        named("path", 1, b"tile/1/x001/234.p/56".to_vec()),
        named("path", 2, b"tile/entries/x018/x446/x744/x073/x709/x551/615".to_vec()),
        named("tile", 2, vec![9; 64]),
        named("bundle", 2, bundle),
    ];
    let questions: Vec<u8> = (0..8).flat_map(|kind| [kind, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1]).collect();
    for (name, size) in [("one", [0, 0, 7]), ("two", [0, 3, 1]), ("three", [1, 1, 200])] {
        seeds.push(named("log", name, [&[0], size.as_slice(), &[0], &questions].concat()));
        for kind in 0..7 {
            let fault = [1, 3, kind, 0, 0, 5, 1];
            seeds.push(named(name, kind, [&[0], size.as_slice(), &fault, &questions].concat()));
        }
    }
    seeds.push(named("proofs", 0, [&[1, 0, 0, 38], [0, 0, 5, 0, 0, 8, 0, 0, 5].as_slice()].concat()));
    seeds.push(named("proofs", 1, [&[1, 0, 0, 38], [0, 0, 5, 0, 0, 8, 0, 0, 5, 1, 3, 1, 7].as_slice()].concat()));
    let stranger: Vec<u8> = (0..5).flat_map(|kind| [kind, 1, 0, 0, 0, 0, 0, 0, 1, 2, 9]).collect();
    seeds.push(named("stranger", 0, [&[2], [0x80, 0, 0, 0, 0, 1, 2, 3, 4].as_slice(), &stranger].concat()));
    seeds
}
