//! Vectors that others wrote, read from `../shared/vectors` or the folder that `TIMEBANK_VECTORS` names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod checkpoint;
mod merkle;
mod signature;
mod tiles;

use std::{env, fs, path::Path};

/// A file of vectors, or nothing, and a line that says so, where there is no such folder.
fn vector(name: &str) -> Option<String> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    let folder = env::var_os("TIMEBANK_VECTORS").map_or_else(default, Into::into);
    if !folder.is_dir() {
        let missing = format!("{} is absent, so {name} was not tested", folder.display());
        assert!(env::var("CI").as_deref() != Ok("true"), "{missing}");
        eprintln!("skipped: {missing}");
        return None;
    }
    Some(fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// The same, as JSON.
fn json(name: &str) -> Option<serde_json::Value> {
    Some(serde_json::from_str(&vector(name)?).unwrap_or_else(|error| panic!("{name}: {error}")))
}
