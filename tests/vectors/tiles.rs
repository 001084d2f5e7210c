//! A log that Tessera wrote: `testdata/log` of transparency-dev/tessera at 1811ae1a, Apache-2.0. Small enough to be here
//! whole, so that this is never skipped: fifteen entries, its key, and three of its checkpoints.

use timebank::{
    format::checkpoint::{self, VerifierKey},
    merkle::{TileFile, TiledError, TiledLog, consistency_proof, parse_bundle, root_at, verify_consistency},
};

const KEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
const EMPTY: &str = "example.com/log/testdata\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— example.com/log/testdata M9e0lhxJACzE1KoUdqKuPa+9p6R7dSW8BlEvrg/noo8FkGg6PbJoRNOcdjqjOq89wVvTA60eubCc4oufo5BvIVEgtQc=\n";
const SEVEN: &str = "example.com/log/testdata\n7\nIrSXADBqJ7EQoUODSDKROySgNveeL6CFhik2w/+fS7U=\n\n— example.com/log/testdata M9e0luA5JhTRUki/BBQD0QNiH6AEJ2pdtsA5CQjqJErViuuKrN6513RCTL2640wXJv0dCed3neRGI6dMzBq9uANf2Qc=\n";
const FIFTEEN: &str = "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n— example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=\n";
const WORDS: [&str; 15] = [
    "one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten", "ileven", "twelf", "threeten",
    "fourten", "fivten",
];
/// `tile/0/000.p/15`
const TILE: &str = "d0d7360ab79f58ab1e1e3fe64ad77e2ea0bc07e36b5f46ed2223edd9298df9e9\
    ab1ab7f07c7c8fe0eff4ba6faa53c7e4412e91a599153e8aa4e01beece5b7825\
    671f146c5e471e8a1a83a3c214ce4ba907b8f3a5888d14cc8cd3ce75bb12ef94\
    f715ab3faa5d071e6e2ac4bb994d5bf735943dcc3799da0d085e7980cfb9336a\
    ccc29ae0e02a77b0f4578c1ac17493d79cf4262104929ac804f91fc4e7ac5af0\
    ca233e7a26b8c35c2c93f524c7b905e7a2105640d6dcc594694cff56d26efb25\
    d90d0fe63491f93764c1d5d6cb1f866c1597d0a65b359916cc28f24cf4a8cecc\
    4e1720a15d8361c2be542c4150358094dc662f2dabeddabb74aefe3a5810296b\
    f751d0a9a3f35a56c1b140e4dc9bd2a4e4caec173889f646c576737c004e9ae5\
    1d397d3d1902b011c12620ec8276f13ccf813f9a15dc7b077db2e2f0ca09077d\
    bb2d8c46edf697d5733185e694b4ee2c1d04b84222c9fcb4d8a5d0a2fecfed33\
    3bad5c1c0eb3037ca7261ecfcdd10fadf07c684d580560819c970d22979478fb\
    a5f4fecc9f63c361fe39bd564bc86137bc23637e77194d6682680c84a7eb9ad5\
    b6c94e61bdb317e092f2f4d4494ae0ea49069def34864e39e5c8cf65779a495f\
    3786dc18e75f450d499f119c1eaee20dd8293f21fc9d08714a18d72b1cd60eb5";
/// `tile/entries/000.p/15`
const BUNDLE: &[u8] =
    b"\0\x03one\0\x03two\0\x05three\0\x04four\0\x04five\0\x03six\0\x05seven\0\x03eit\0\x04nain\0\x03ten\
    \0\x06ileven\0\x05twelf\0\x08threeten\0\x07fourten\0\x06fivten";

#[allow(clippy::unnecessary_wraps, reason = "the shape that the reader takes")]
fn file(path: TileFile) -> Result<Option<Vec<u8>>, ()> {
    Ok(match path.to_string().as_str() {
        "tile/0/000.p/15" => Some(hex::decode(TILE).expect("hex")),
        "tile/entries/000.p/15" => Some(BUNDLE.to_vec()),
        _ => None,
    })
}

fn open(note: &str) -> checkpoint::Checkpoint {
    let key: VerifierKey = KEY.parse().expect("Tessera's key");
    checkpoint::open(note.as_bytes(), &key, "example.com/log/testdata").expect("a checkpoint of this log")
}

#[test]
fn another_implementations_log_is_read_entry_by_entry() {
    let newest = open(FIFTEEN);
    let mut log = TiledLog::open(newest.size, &newest.root_hash().unwrap(), file).expect("its tiles lead to its root");
    let mut words = Vec::new();
    log.verify(|_, bundle| {
        let entries = parse_bundle(bundle).expect("a bundle");
        words.extend(entries.into_iter().map(|entry| String::from_utf8(entry.to_vec()).expect("a word")));
    })
    .expect("its entries lead to its root");
    assert_eq!(words, WORDS);
}

#[test]
fn another_implementations_checkpoints_are_consistent_by_its_tiles() {
    let (old, new) = (open(SEVEN), open(FIFTEEN));
    let (old_root, new_root) = (old.root_hash().unwrap(), new.root_hash().unwrap());
    let mut log = TiledLog::open(new.size, &new_root, file).expect("its tiles lead to its root");
    assert_eq!(root_at(old.size, |level, index| log.node(level, index)), Ok(old_root));
    let proof = consistency_proof(old.size, new.size, |level, index| log.node(level, index)).expect("a proof");
    assert_eq!(verify_consistency(old.size, &old_root, new.size, &new_root, &proof), Ok(()));
    let mismatch = TiledLog::open(new.size, &old_root, file).map(|_| ()).expect_err("another root");
    assert_eq!(mismatch, TiledError::RootMismatch { size: 15 });
}

#[test]
fn another_implementations_empty_log_is_empty() {
    let empty = open(EMPTY);
    let mut log = TiledLog::open(empty.size, &empty.root_hash().unwrap(), file).expect("nothing leads to its root");
    assert_eq!(log.verify(|index, _| panic!("bundle {index} of nothing")), Ok(()));
}
