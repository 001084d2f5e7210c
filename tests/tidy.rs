//! What the layout promises, read off the sources: imports point down, the lower rooms touch no machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The rooms of `src/`, from the ground up: each may name itself and those before it.
const ROOMS: [&str; 9] = ["merkle", "ledger", "format", "engine", "trust", "people", "folder", "server", "cli"];

/// The last room that touches neither disk nor network nor clock.
const PURE: &str = "format";

/// Files that are no room: the crate's roots.
const OUTSIDE: [&str; 2] = ["lib", "main"];

/// Twice the 300 lines or so that fit a head, and a little for a table of rejections.
const LINES_MAX: usize = 700;

fn floor(room: &str) -> Option<usize> {
    ROOMS.iter().position(|name| *name == room)
}

/// The sources, each with its room.
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
                let room = first.trim_end_matches(".rs").to_owned();
                let text = fs::read_to_string(&path).unwrap();
                found.push((inside, room, text));
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

/// Imports of `room` that it may not have.
fn upward(room: &str, text: &str) -> Vec<String> {
    let Some(own) = floor(room) else { return Vec::new() };
    let mut names = names_after(&code(text), "crate::");
    names.retain(|name| floor(name).is_some_and(|other| other > own));
    names
}

/// Parts of the standard library that reach the machine.
fn machine(text: &str) -> Vec<String> {
    let mut names = names_after(&code(text), "std::");
    names.retain(|name| ["fs", "net", "thread", "time"].contains(&name.as_str()));
    names
}

#[test]
fn every_source_is_in_a_room() {
    for (path, room, _text) in sources() {
        assert!(floor(&room).is_some() || OUTSIDE.contains(&room.as_str()), "{} is in no room", path.display());
    }
}

#[test]
fn imports_only_ever_point_down() {
    for (path, room, text) in sources() {
        assert_eq!(upward(&room, &text), Vec::<String>::new(), "{} imports upwards", path.display());
    }
}

#[test]
fn rules_formats_and_proofs_touch_neither_disk_nor_network_nor_clock() {
    for (path, room, text) in sources() {
        if floor(&room) <= floor(PURE) {
            assert_eq!(machine(&text), Vec::<String>::new(), "{} reaches the machine", path.display());
        }
    }
}

#[test]
fn nothing_is_unsafe_unfinished_or_endless() {
    for (path, _room, text) in sources() {
        if path.starts_with("format/proto") {
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
    assert_eq!(upward("merkle", "use crate::engine::store::Log;"), ["engine"]);
    assert_eq!(upward("format", "use crate::{\n    engine::sequencer,\n    ledger::{Event, Sheet},\n};"), ["engine"]);
    assert_eq!(upward("server", "use crate::{cli::Cli, folder};"), ["cli"]);
    assert_eq!(upward("cli", "use crate::{server, ledger::State}; // crate::cli"), Vec::<String>::new());
    assert_eq!(upward("ledger", "let rows = crate::people::import::Rows::new();"), ["people"]);
    assert_eq!(upward("ledger", "use crate::format::proto;"), ["format"]);
    assert_eq!(machine("use std::{collections::BTreeMap, fs};"), ["fs"]);
    assert_eq!(machine("std::time::Instant::now()"), ["time"]);
}
