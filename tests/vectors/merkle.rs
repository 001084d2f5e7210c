//! Hashes and proofs of transparency-dev/merkle, tiles of C2SP.

use std::num::NonZeroU8;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use timebank::merkle::{
    Frontier, Hash, ProofError, TileFile, consistency_proof, inclusion_proof, leaf_hash, root_at, root_of_leaves,
    stored_hash_number, tile_levels, verify_consistency, verify_inclusion,
};

use crate::json;

/// Cases in each file, and those among them that must fail.
const CASES: usize = 98;
const FAILURES: usize = 92;

/// An empty value is no hash: whoever reads it refuses it, whatever the proof. Others that are not of 32 bytes are still
/// expected to equal or to differ: each is replaced by a hash of its own.
fn hash(value: &Value) -> Option<Hash> {
    let bytes = BASE64_STANDARD.decode(value.as_str().expect("base64")).expect("base64");
    let replacement = || Sha256::new().chain_update("not a hash: ").chain_update(&bytes).finalize().into();
    (!bytes.is_empty()).then(|| bytes.as_slice().try_into().unwrap_or_else(|_| replacement()))
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn proof(value: &Value) -> Option<Vec<Hash>> {
    value.as_array().into_iter().flatten().map(hash).collect()
}

/// Runs every case of a file against its expected outcome.
fn check(name: &str, verify: impl Fn(&Value) -> Option<Result<(), ProofError>>) {
    let Some(cases) = json(name) else { return };
    let cases = cases.as_array().expect("an array");
    for case in cases {
        let expected = !case["wantErr"].as_bool().expect("a verdict");
        assert_eq!(verify(case) == Some(Ok(())), expected, "{}: {}", case["file"], case["desc"]);
    }
    let failures = cases.iter().filter(|case| case["wantErr"] == true).count();
    assert_eq!((cases.len(), failures), (CASES, FAILURES), "{name} is not the file this test was written for");
}

#[test]
fn inclusion_proofs_get_the_expected_verdict() {
    check("merkle/combined_inclusion.json", |case| {
        let (index, size) = (number(&case["leafIdx"]), number(&case["treeSize"]));
        let (leaf, proof, root) = (hash(&case["leafHash"])?, proof(&case["proof"])?, hash(&case["root"])?);
        Some(verify_inclusion(&leaf, index, size, &proof, &root))
    });
}

#[test]
fn consistency_proofs_get_the_expected_verdict() {
    check("merkle/combined_consistency.json", |case| {
        let (old, new) = (number(&case["size1"]), number(&case["size2"]));
        let (old_root, new_root, proof) = (hash(&case["root1"])?, hash(&case["root2"])?, proof(&case["proof"])?);
        Some(verify_consistency(old, &old_root, new, &new_root, &proof))
    });
}

#[test]
fn proofs_made_here_are_those_of_the_cases_that_hold() {
    let files = ["merkle/reference_tree.json", "merkle/combined_inclusion.json", "merkle/combined_consistency.json"];
    let [Some(tree), Some(inclusions), Some(consistencies)] = files.map(json) else { return };
    let (_, stored) = build(&tree);
    let node = |level, index| stored.get(usize::try_from(stored_hash_number(level, index)).unwrap()).copied().ok_or(());
    let good = |cases: &Value| {
        let cases = cases.as_array().expect("an array").iter().filter(|case| case["wantErr"] == false);
        cases.filter(|case| case["desc"] == "happy path").cloned().collect::<Vec<_>>()
    };
    let (inclusions, consistencies) = (good(&inclusions), good(&consistencies));
    for case in &inclusions {
        let made = inclusion_proof(number(&case["leafIdx"]), number(&case["treeSize"]), node);
        assert_eq!(made, Ok(proof(&case["proof"]).expect("hashes")), "{}", case["file"]);
    }
    for case in &consistencies {
        let made = consistency_proof(number(&case["size1"]), number(&case["size2"]), node);
        assert_eq!(made, Ok(proof(&case["proof"]).expect("hashes")), "{}", case["file"]);
    }
    assert!(inclusions.len() >= 5 && consistencies.len() >= 5, "{} and {}", inclusions.len(), consistencies.len());
}

fn hex_hash(value: &Value) -> Hash {
    hex::decode(value.as_str().expect("hex")).expect("hex").try_into().expect("32 bytes")
}

/// The leaf hashes, and all hashes in storage order.
fn build(tree: &Value) -> (Vec<Hash>, Vec<Hash>) {
    let inputs = tree["leaf_inputs_hex"].as_array().expect("leaves");
    let leaves: Vec<_> = inputs.iter().map(|leaf| leaf_hash(&hex::decode(leaf.as_str().unwrap()).unwrap())).collect();
    let (mut frontier, mut stored) = (Frontier::default(), Vec::new());
    for leaf in &leaves {
        frontier.append(*leaf, |hash| stored.push(hash));
    }
    (leaves, stored)
}

#[test]
fn the_reference_tree_has_its_roots_and_nodes() {
    let Some(tree) = json("merkle/reference_tree.json") else { return };
    let (leaves, stored) = build(&tree);
    let node = |level, index| stored.get(usize::try_from(stored_hash_number(level, index)).unwrap()).copied().ok_or(());
    for (root, size) in tree["roots_hex_by_size"].as_array().expect("roots").iter().zip(0..) {
        assert_eq!(root_of_leaves(leaves.iter().take(size).copied()), hex_hash(root), "size {size}");
        assert_eq!(root_at(u64::try_from(size).unwrap(), node), Ok(hex_hash(root)), "size {size}, from stored hashes");
    }
    for (nodes, level) in tree["node_hashes_hex"].as_array().expect("levels").iter().zip(0..) {
        for (expected, index) in nodes.as_array().expect("nodes").iter().zip(0..) {
            assert_eq!(node(level, index), Ok(hex_hash(expected)), "level {level}, index {index}");
        }
    }
    assert_eq!((leaves.len(), stored.len()), (8, 15));
}

#[test]
fn tiles_are_those_of_the_specification() {
    let Some(facts) = json("c2sp/tile-path-facts.json") else { return };
    for case in facts["index_encoding"].as_array().expect("paths") {
        let path = format!("tile/0/{}", case["path"].as_str().expect("a path"));
        assert_eq!(TileFile::Hashes { level: 0, index: number(&case["index"]), partial: None }.to_string(), path);
    }
    for size in [256, 70_000] {
        let tree = facts[format!("tree_{size}")].as_object().expect("a tree").clone();
        let mut found = serde_json::Map::new();
        for tiles in tile_levels(size) {
            let level = tiles.level;
            if tiles.full > 0 {
                found.insert(format!("full_l{level}"), tiles.full.into());
            }
            if let Some(width) = tiles.partial {
                found.insert(format!("partial_l{level}_width"), NonZeroU8::get(width).into());
            }
        }
        assert_eq!(found, tree, "size {size}");
    }
}
