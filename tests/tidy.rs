//! What the layout promises, read off the sources: imports point down, the lower rooms touch no machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The rooms of `src/`, from the ground up: each may name itself and those before it.
const ROOMS: [&str; 10] =
    ["merkle", "ledger", "format", "engine", "trust", "people", "access", "folder", "server", "cli"];

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

/// Imports of `room` that it may not have.
fn upward(room: &str, text: &str) -> Vec<String> {
    let Some(own) = floor(room) else { return Vec::new() };
    let mut names = names_after("crate", text);
    names.retain(|name| floor(name).is_some_and(|other| other > own));
    names
}

/// The parts between the commas of a group, groups inside them whole.
fn parts(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&group[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    found.push(&group[start..]);
    found
}

/// The paths that `use` names: `super::{a::B, c}` is `super::a::B` and `super::c`.
fn spelt_out(before: &str, tree: &str, found: &mut Vec<String>) {
    for part in parts(tree).into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            Some((path, rest)) => {
                spelt_out(&format!("{before}{path}"), rest.strip_suffix('}').unwrap_or(rest), found);
            }
            None => found.push(format!("{before}{}", first_path(part))),
        }
    }
}

fn first_path(text: &str) -> &str {
    text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':')).next().unwrap_or_default()
}

/// Every path that a text imports or writes out.
fn paths(text: &str) -> Vec<String> {
    let text = code(text);
    let mut found = Vec::new();
    for (at, _) in text.match_indices("use ") {
        let before = text[..at].rsplit('\n').next().unwrap_or_default().trim();
        let is_statement = before.is_empty() || before == "pub" || before.starts_with("pub(");
        if let Some((tree, _)) = text[at + 4..].split_once(';').filter(|_| is_statement) {
            spelt_out("", tree, &mut found);
        }
    }
    for root in ["crate::", "super::", "self::", "std::"] {
        found.extend(text.match_indices(root).map(|(at, _)| first_path(&text[at..]).to_owned()));
    }
    found
}

/// What is named right behind a root: of `crate`, the rooms.
fn names_after(root: &str, text: &str) -> Vec<String> {
    let behind = |path: &String| Some(path.strip_prefix(root)?.strip_prefix("::")?.split("::").next()?.to_owned());
    let mut names: Vec<String> = paths(text).iter().filter_map(behind).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    names
}

/// A source's name as a module: `engine/store.rs` is `engine::store`.
fn module_of(path: &Path) -> String {
    path.with_extension("").iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("::")
}

/// The source that a path named in `module` leads to: the deepest there is. A module's own parents are none, as a module
/// and the parts it is made of are one thing.
fn target(module: &str, path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut place: Vec<&str> = module.split("::").collect();
    let mut steps = path.split("::").peekable();
    match steps.peek() {
        Some(&"crate") => {
            place.clear();
            steps.next();
        }
        Some(&"self") => {
            steps.next();
        }
        Some(&"super") => {
            while steps.next_if_eq(&"super").is_some() {
                place.pop();
            }
        }
        _ => {}
    }
    place.extend(steps);
    let found = (1..=place.len()).rev().map(|length| place[..length].join("::")).find(|name| modules.contains(name))?;
    (!format!("{module}::").starts_with(&format!("{found}::"))).then_some(found)
}

/// Modules that lead back to themselves.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let reached = |from: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(name) = next.pop() {
            for other in arrows.get(&name).into_iter().flatten() {
                if seen.insert(other.clone()) {
                    next.push(other.clone());
                }
            }
        }
        seen
    };
    arrows.keys().filter(|name| reached(name).contains(*name)).cloned().collect()
}

/// Parts of the standard library that reach the machine.
fn machine(text: &str) -> Vec<String> {
    let mut names = names_after("std", text);
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
fn no_source_leads_back_to_itself() {
    let sources: Vec<(PathBuf, String, String)> = sources();
    let modules: BTreeSet<String> = sources.iter().map(|(path, ..)| module_of(path)).collect();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, _room, text) in sources.iter().filter(|(path, ..)| !path.ends_with("tests.rs")) {
        let module = module_of(path);
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let targets = paths(product).into_iter().filter_map(|path| target(&module, &path, &modules)).collect();
        arrows.insert(module, targets);
    }
    assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > modules.len(), "no imports are seen");
    let found: Vec<String> = circles(&arrows)
        .into_iter()
        .map(|name| format!("{name} -> {}", arrows[&name].iter().cloned().collect::<Vec<_>>().join(", ")))
        .collect();
    assert_eq!(found, Vec::<String>::new(), "these lead back to themselves");
}

/// How many sources of each room name each other one, from the top room down. Nothing stands on or right of the diagonal
/// while imports point down.
fn picture() -> String {
    let sources = sources();
    let mut lines = vec![format!("{:8}{}", "", ROOMS.map(|room| format!("{room:>8}")).concat())];
    for room in ROOMS.iter().rev() {
        let count = |other: &str| {
            let names = |text: &String| names_after("crate", text).iter().any(|name| name == other);
            sources.iter().filter(|(_, own, text)| own == room && *room != other && names(text)).count()
        };
        let cells = ROOMS.iter().map(|other| match count(other) {
            0 => format!("{:>8}", "."),
            sources => format!("{sources:>8}"),
        });
        lines.push(format!("{room:8}{}", cells.collect::<String>()));
    }
    lines.join("\n")
}

/// `UPDATE=1 cargo test --test tidy` draws it again.
#[test]
fn the_picture_of_the_rooms_is_the_one_of_the_sources() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("```rooms\n").unwrap();
    let (shown, after) = rest.split_once("\n```").unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, format!("{before}```rooms\n{}\n```{after}", picture())).unwrap();
    } else {
        assert_eq!(shown, picture(), "draw it again with UPDATE=1");
    }
}

/// Whoever follows what is written about logs or code has to find it.
#[test]
fn pages_name_modules_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules: BTreeSet<String> = sources().iter().map(|(path, ..)| module_of(path)).collect();
    let in_docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let in_docs = in_docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut named = 0;
    for page in
        in_docs.chain(["CHANGELOG.md", "ARCHITECTURE.md", "README.md", "README.zh-CN.md"].map(|name| root.join(name)))
    {
        let text = fs::read_to_string(&page).unwrap();
        for (at, _) in text.match_indices("timebank::") {
            let path = first_path(&text[at + "timebank::".len()..]);
            assert!(modules.contains(path), "{} names timebank::{path}, which is no module", page.display());
            named += 1;
        }
    }
    assert!(named > 0, "no page names a module");
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
        if path.starts_with("format/proto") || path.starts_with("server/generated") {
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
    assert_eq!(
        paths("use super::{a::{B, c as d}, e};\nf(crate::g::h())"),
        ["super::a::B", "super::a::c", "super::e", "crate::g::h", "super::",]
    );
    let modules = ["a", "a::b", "a::b::c", "d"].map(str::to_owned).into();
    assert_eq!(target("a::b", "super::super::d::X", &modules), Some("d".to_owned()));
    assert_eq!(target("d", "crate::a::b::X", &modules), Some("a::b".to_owned()));
    assert_eq!(target("a::b::c", "super::super::Face", &modules), None);
    let arrow = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    assert_eq!(circles(&[arrow("a", "b"), arrow("b", "c"), arrow("c", "b")].into()), ["b", "c"]);
    assert_eq!(machine("use std::{collections::BTreeMap, fs};"), ["fs"]);
    assert_eq!(machine("std::time::Instant::now()"), ["time"]);
}
