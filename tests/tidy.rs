//! What the layout promises, read off the sources: imports point down, the lower floors touch no machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Modules by floor. `proto` is generated and holds nothing but messages: every floor above the rules may name it.
const FLOORS: [&[&str]; 4] = [
    &["ledger", "merkle"],
    &["wire", "signature", "checkpoint", "archive", "proof", "replay"],
    &[
        "store",
        "projection",
        "past",
        "mirror",
        "pipeline",
        "audit",
        "sequencer",
        "clock",
        "directory",
        "calendar",
        "import",
    ],
    &["server", "witness", "demo", "cli", "config"],
];

/// Files that are no floor: the crate's roots and the generated bindings.
const OUTSIDE: [&str; 3] = ["lib", "main", "proto"];

/// Twice the 300 lines or so that fit a head, and a little for a table of rejections.
const LINES_MAX: usize = 700;

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The sources, each with the module of the crate's root that it belongs to.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).unwrap().to_path_buf();
                let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
                let module = first.trim_end_matches(".rs").to_owned();
                let text = fs::read_to_string(&path).unwrap();
                found.push((inside, module, text));
            }
        }
    }
    found
}

/// The text without comments to the end of a line; `//` in a string cuts too much, never too little of an import.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// The first names after every `ROOT::` of a text: `ROOT::a::b` and `ROOT::{a::b, c::{d}}` give `a`; `a`, `c`.
fn names_after(text: &str, root: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in text.match_indices(root) {
        if text[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let rest = text[at + found.len()..].trim_start();
        let Some(group) = rest.strip_prefix('{') else {
            names.push(first_word(rest));
            continue;
        };
        let mut depth = 0_usize;
        let mut start = 0;
        for (place, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    names.push(first_word(&group[start..place]));
                    start = place + 1;
                    if letter == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Imports of `module` that its floor may not have.
fn upward(module: &str, text: &str) -> Vec<String> {
    let Some(own) = floor(module) else { return Vec::new() };
    let refused = |name: &str| match name {
        "proto" => own == 0,
        "cli" => module != "cli",
        _ => floor(name).is_some_and(|other| other > own),
    };
    let mut names = names_after(&code(text), "crate::");
    names.retain(|name| refused(name));
    names
}

/// Parts of the standard library that reach the machine.
fn machine(text: &str) -> Vec<String> {
    let mut names = names_after(&code(text), "std::");
    names.retain(|name| ["fs", "net", "thread", "time"].contains(&name.as_str()));
    names
}

#[test]
fn every_module_of_the_crate_stands_on_a_floor() {
    for (path, module, _text) in sources() {
        assert!(floor(&module).is_some() || OUTSIDE.contains(&module.as_str()), "{} has no floor", path.display());
    }
}

#[test]
fn imports_only_ever_point_down() {
    for (path, module, text) in sources() {
        assert_eq!(upward(&module, &text), Vec::<String>::new(), "{} imports upwards", path.display());
    }
}

#[test]
fn rules_formats_and_proofs_touch_neither_disk_nor_network_nor_clock() {
    for (path, module, text) in sources() {
        if floor(&module).is_some_and(|floor| floor < 2) {
            assert_eq!(machine(&text), Vec::<String>::new(), "{} reaches the machine", path.display());
        }
    }
}

#[test]
fn nothing_is_unsafe_unfinished_or_endless() {
    for (path, module, text) in sources() {
        if module == "proto" {
            continue;
        }
        for word in ["TODO", "FIXME", "unsafe "] {
            assert!(!text.contains(word), "{} says {word}", path.display());
        }
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines, more than {LINES_MAX}", path.display());
    }
}

#[test]
fn the_checks_see_what_they_refuse() {
    assert_eq!(upward("merkle", "use crate::store::Log;"), ["store"]);
    assert_eq!(upward("wire", "use crate::{\n    ledger::{Event, Sheet},\n    sequencer,\n};"), ["sequencer"]);
    assert_eq!(upward("server", "use crate::{cli::Cli, config};"), ["cli"]);
    assert_eq!(upward("cli", "use crate::{server, ledger::State}; // crate::cli"), Vec::<String>::new());
    assert_eq!(upward("ledger", "let rows = crate::projection::Rows::new();"), ["projection"]);
    assert_eq!(upward("ledger", "use crate::proto;"), ["proto"]);
    assert_eq!(machine("use std::{collections::BTreeMap, fs};"), ["fs"]);
    assert_eq!(machine("std::time::Instant::now()"), ["time"]);
}
