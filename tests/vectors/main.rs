//! Vectors that others wrote, read from `../shared/vectors` or the folder that `TIMEBANK_VECTORS` names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

#[path = "../support/absent.rs"]
mod absent;
mod checkpoint;
mod merkle;
mod signature;
mod tiles;

use std::fs;

/// A file of vectors, or nothing where there is no such folder.
fn vector(name: &str) -> Option<String> {
    let folder = absent::folder("TIMEBANK_VECTORS", "vectors");
    if !folder.is_dir() {
        absent::skipped(&format!("{} is absent, so {name} was not tested", folder.display()));
        return None;
    }
    Some(fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// The same, as JSON.
fn json(name: &str) -> Option<serde_json::Value> {
    Some(serde_json::from_str(&vector(name)?).unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[test]
fn without_the_vectors_no_test_passes_in_silence() {
    // Those of notes and of tiles have theirs in the source.
    let reading = ["checkpoint::", "merkle::", "signature::", "--skip", "checkpoint::notes_"];
    absent::assert_told("TIMEBANK_VECTORS", &reading);
}
