//! The layout holds: imports only point down, the lower floors know no world, and nothing is left half done.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Modules by floor.
const FLOORS: [&[&str]; 4] = [
    &["ledger", "merkle"],
    &["proto", "wire", "signature", "checkpoint", "replay"],
    &["store", "projection", "sequencer", "directory", "clock"],
    &["server", "cli", "config"],
];
/// Longest file: seldom over 400 lines; what is over 700 wants to be two.
const LINES_MAX: usize = 700;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Our own source files, with the module and the floor that each belongs to.
fn sources() -> Vec<(PathBuf, String, Option<usize>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    found.retain(|path| !path.ends_with("timebank.v1.rs"));
    found
        .into_iter()
        .map(|path| {
            let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
            let module = first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
            let floor = FLOORS.iter().position(|floor| floor.contains(&module.as_str()));
            (path, module, floor)
        })
        .collect()
}

/// Modules of our crate that a file names: `crate::x`, also in `use crate::{x, y::z}`.
fn named(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => names.push(std::mem::take(&mut name)),
                    _ if depth == 0 => name.push(character),
                    _ => {}
                }
            }
            names.push(name);
        } else {
            names.push(rest.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect());
        }
    }
    let first = |name: String| name.trim().split("::").next().unwrap_or_default().trim().to_owned();
    names.into_iter().map(first).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_module_has_a_floor() {
    for (path, module, floor) in sources() {
        assert!(floor.is_some() || ["lib", "main"].contains(&module.as_str()), "{} has no floor", path.display());
    }
}

#[test]
fn imports_only_point_down() {
    let mut seen = 0;
    for (path, module, floor) in sources() {
        let Some(floor) = floor else { continue };
        for name in named(&fs::read_to_string(&path).unwrap()) {
            let Some(other) = FLOORS.iter().position(|floor| floor.contains(&name.as_str())) else { continue };
            // Key files are named by both of their neighbours; the command line stands on the server, never the reverse.
            assert!(other <= floor, "{} of floor {floor} imports {name} of floor {other}", path.display());
            assert!(!(module == "server" && name == "cli"), "{} imports the command line", path.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} imports were found: the test looks in the wrong place");
}

#[test]
fn the_lower_floors_know_no_world() {
    let banned =
        ["std::fs", "std::net", "std::thread", "std::time", "SystemTime", "Instant", "tokio", "sled::", "tonic::"];
    for (path, _, floor) in sources() {
        if floor.is_some_and(|floor| floor < 2) {
            let text = fs::read_to_string(&path).unwrap();
            for word in banned {
                assert!(!text.contains(word), "{} names {word}", path.display());
            }
        }
    }
}

#[test]
fn files_are_short_and_nothing_is_left_half_done() {
    let unfinished = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimple", "mented!"), concat!("to", "do!(")];
    for (path, _, _) in sources() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() <= LINES_MAX, "{} is too long", path.display());
        for word in unfinished {
            assert!(!text.contains(word), "{} says {word}", path.display());
        }
    }
}
