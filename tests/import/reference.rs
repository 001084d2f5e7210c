//! What `docs/import.md` says of imports: it names every key, and its examples answer as they are printed.

use std::{fs, path::Path};

use super::{Ledger, server::timebank};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/import.md")).unwrap()
}

/// The names that the program knows in place of one that it doesn't.
fn known(mapping: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mapping.toml");
    fs::write(&path, mapping).unwrap();
    let output = timebank(&["import", "none.csv", "--mapping", path.to_str().unwrap()]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    let names = error.split_once("expected one of ").unwrap_or_else(|| panic!("{error}")).1;
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_of_a_mapping_is_in_the_reference() {
    let page = page();
    let keys = known("source = \"x\"\nnonsense = 1\n[columns]\n");
    let fields = known("source = \"x\"\n[columns]\nnonsense = \"x\"\n");
    assert!(keys.len() > 25 && fields.len() > 12, "{keys:?} {fields:?}");
    let is_named = |key: &String| page.contains(&format!("`{key}`")) || page.contains(&format!("`[{key}]`"));
    let missing: Vec<&String> = keys.iter().chain(&fields).filter(|key| !is_named(key)).collect();
    assert!(missing.is_empty(), "docs/import.md doesn't name {missing:?}");
}

/// An example of the page: a file, a mapping, a command and its answer.
struct Worked {
    title: String,
    file: String,
    mapping: String,
    command: String,
    answer: String,
}

/// The indented and the fenced blocks of a part of the page, each as it stands.
fn blocks(part: &str) -> (Vec<String>, Option<String>) {
    let fenced =
        part.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```")).map(|(toml, _)| toml.to_owned());
    let mut indented: Vec<String> = Vec::new();
    let mut is_within = false;
    for line in part.lines() {
        match line.strip_prefix("    ") {
            Some(line) if is_within => indented.last_mut().unwrap().extend([line, "\n"]),
            Some(line) => indented.push(format!("{line}\n")),
            None => {}
        }
        is_within = line.starts_with("    ");
    }
    (indented, fenced)
}

fn worked(page: &str) -> Vec<Worked> {
    let examples = page.split_once("## One worked example per shape").unwrap().1;
    let parts = examples.split("\n## ").next().unwrap().split("\n### ").skip(1);
    let parts = parts.map(|part| {
        let (indented, fenced) = blocks(part);
        let [file, ran] = indented.as_slice() else { panic!("{part}") };
        let example =
            part.split_once("](../examples/").and_then(|(_, rest)| rest.split_once(')')).map(|(name, _)| name);
        // A mapping in full has a source; of one in examples/ some lines are shown.
        let mapping = match (fenced.filter(|toml| toml.starts_with("source = ")), example) {
            (Some(toml), _) => toml,
            (None, Some(name)) => {
                fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)).unwrap()
            }
            (None, None) => panic!("{part}"),
        };
        let (command, answer) = ran.split_once('\n').unwrap();
        Worked {
            title: part.lines().next().unwrap().to_owned(),
            file: file.clone(),
            mapping,
            command: command.strip_prefix("$ timebank ").unwrap().to_owned(),
            answer: answer.to_owned(),
        }
    });
    parts.collect()
}

/// An answer as the page shows it: without lines of 0, without what isn't said of rows as old as these will be, unwrapped.
fn shown(answer: &str) -> String {
    let answer = answer.split("\ntaken, and worth a second look").next().unwrap();
    let is_zero = |line: &&str| {
        let mut words = line.split_whitespace();
        matches!((words.next(), words.next(), words.next()), (Some(_), Some("0"), None))
    };
    let lines: Vec<&str> = answer.lines().filter(|line| !is_zero(line)).collect();
    lines.join(" ").split_whitespace().collect::<Vec<&str>>().join(" ")
}

#[test]
fn the_examples_of_the_reference_answer_as_they_are_printed() {
    let all = worked(&page());
    assert!(all.len() > 14, "{} examples", all.len());
    // Workbooks are shown as tables, and no files.
    let (tables, texts): (Vec<_>, Vec<_>) = all.iter().partition(|worked| worked.file.starts_with('|'));
    assert_eq!(tables.len(), 2);
    for worked in texts {
        let ledger = Ledger::new();
        let folder = tempfile::tempdir().unwrap();
        let words: Vec<&str> = worked.command.split(' ').collect();
        let ["import", file, "--mapping", mapping, more @ ..] = words.as_slice() else { panic!("{}", worked.command) };
        let [file, mapping] = [file, mapping].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        fs::write(&file, &worked.file).unwrap();
        // The rows grow older than a ledger takes, unless they are brought over.
        let is_old = worked.mapping.contains("\nimported = true");
        fs::write(&mapping, format!("{}{}", if is_old { "" } else { "imported = true\n" }, worked.mapping)).unwrap();
        let output = ledger.command(&[&["import", &file, "--mapping", &mapping][..], more].concat()).output().unwrap();
        let [answer, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(shown(&format!("{answer}{error}")), shown(&worked.answer), "{}", worked.title);
    }
}
