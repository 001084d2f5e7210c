//! The golden values of `proto/README.md`: a change of format shows here as a difference of bytes.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::collections::BTreeMap;

use timebank::{
    format::{checkpoint, proto, signature, signature::PrivateKey, wire},
    ledger::Event,
    merkle,
};

const PAGE: &str = include_str!("../proto/README.md");
const ORIGIN: &str = "timebank.example/golden";

fn block<'a>(kind: &str, name: &str) -> &'a str {
    let label = format!("```text {kind}:{name}\n");
    PAGE.split_once(&label).unwrap().1.split_once("```").unwrap().0
}

fn golden() -> BTreeMap<String, Vec<u8>> {
    PAGE.split("```text golden:")
        .skip(1)
        .map(|block| {
            let (name, rest) = block.split_once('\n').unwrap();
            let digits: String = rest.split("```").next().unwrap().split_whitespace().collect();
            (name.to_owned(), hex::decode(digits).unwrap())
        })
        .collect()
}

#[test]
fn sheet_leaf_root_and_keys_have_the_golden_bytes() {
    let golden = golden();
    let author = PrivateKey::from_seed([1; 32]);
    assert_eq!(author.key_id().0.to_vec(), golden["author-key-id"]);
    let bytes = |name: &str| bytes::Bytes::from(golden[name].clone());
    let sheet = proto::Sheet {
        header: bytes("header"),
        events: vec![bytes("event-0"), bytes("event-1")],
        signatures: vec![bytes("header-signature")],
    };
    let decoded = wire::decode(&sheet).unwrap();
    assert_eq!(decoded.signed_message, golden["header-pae"]);
    assert_eq!(author.sign(&decoded.signed_message).to_vec(), golden["header-signature"]);
    assert!(matches!(decoded.sheet.events[..], [Event::ServiceRecorded(_), Event::MinutesTransferred { .. }]));
    let leaf = |index: u64| {
        let recorded_at_ms = 1_767_225_660_000 + 1_000 * index.cast_signed();
        wire::leaf(index, recorded_at_ms, &decoded.header_hash, &decoded.signatures_hash)
    };
    assert_eq!(leaf(7).to_vec(), golden["leaf"]);
    assert_eq!(merkle::leaf_hash(&leaf(7)).to_vec(), golden["leaf-hash"]);
    let root = merkle::root_of_leaves((0..8).map(|index| merkle::leaf_hash(&leaf(index))));
    assert_eq!(root.to_vec(), golden["root"]);
    let ledger = PrivateKey::from_seed([2; 32]);
    assert_eq!(checkpoint::sign(ORIGIN, 8, &root, ledger.signing_key()), block("golden-text", "checkpoint"));
    let vkey = checkpoint::VerifierKey::new(ORIGIN, ledger.public_key()).unwrap();
    assert_eq!(vkey.to_string(), block("golden-text", "ledger-vkey").trim());
}

#[test]
fn possession_and_genesis_have_the_golden_bytes() {
    let golden = golden();
    let author = PrivateKey::from_seed([1; 32]);
    assert_eq!(signature::possession_message(ORIGIN, &author.public_key()), golden["possession-pae"]);
    assert_eq!(author.prove_possession(ORIGIN).to_vec(), golden["possession-signature"]);
    let genesis = wire::decode_event(&golden["genesis-event"].clone().into()).unwrap();
    assert!(matches!(genesis, Event::LedgerCreated(created) if created.origin == ORIGIN));
}
