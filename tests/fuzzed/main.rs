//! What strangers send. Each of the four files does with one input what a fuzz target of `fuzz/` does with millions; here the
//! inputs that were kept are tried once, so that what was found stays a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod archive;
mod note;
mod seeds;
mod sheet;
#[path = "../support/mod.rs"]
mod support;
mod tile;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, panic,
    path::{Path, PathBuf},
};

/// A target, by its name.
struct Target {
    name: &'static str,
    run: fn(&[u8]) -> bool,
    seeds: fn() -> Vec<(String, Vec<u8>)>,
}

const TARGETS: [Target; 4] = [
    Target { name: "sheet", run: sheet::run, seeds: seeds::sheets },
    Target { name: "archive", run: archive::run, seeds: seeds::archives },
    Target { name: "note", run: note::run, seeds: seeds::notes },
    Target { name: "tile", run: tile::run, seeds: seeds::tiles },
];

/// Bytes of all inputs that are kept: what a clone carries along for good.
const CORPUS_BYTES_MAX: usize = 400 * 1_024;

impl Target {
    fn folder(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join("corpus").join(self.name)
    }

    /// The inputs that are kept, each with its name.
    fn kept(&self) -> Vec<(String, Vec<u8>)> {
        let files = fs::read_dir(self.folder()).unwrap().map(|file| file.unwrap().path());
        let read = |path: PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap());
        files.map(read).collect()
    }

    /// Tries inputs, and gives the names of those that a target takes for something.
    fn check(&self, inputs: &[(String, Vec<u8>)]) -> Vec<String> {
        let tried = |(name, bytes): &(String, Vec<u8>)| {
            let taken = panic::catch_unwind(|| (self.run)(bytes));
            taken
                .unwrap_or_else(|_told| panic!("{}/{name} breaks what holds: see above", self.name))
                .then(|| name.clone())
        };
        inputs.iter().filter_map(tried).collect()
    }
}

/// `UPDATE=1 cargo test --test fuzzed` puts the seeds into the corpora.
#[test]
fn what_the_project_makes_itself_is_taken_for_what_it_is() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(target.folder()).unwrap();
            for (name, bytes) in &seeds {
                fs::write(target.folder().join(name), bytes).unwrap();
            }
        }
        let all: Vec<String> = seeds.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(target.check(&seeds), all, "{}", target.name);
    }
}

#[test]
fn every_input_that_was_kept_leaves_everything_in_order() {
    let mut bytes = 0;
    for target in TARGETS {
        let kept = target.kept();
        let taken = target.check(&kept).len();
        assert!(taken > 0 && taken < kept.len(), "{}: {taken} of {} are taken", target.name, kept.len());
        bytes += kept.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    }
    assert!(bytes <= CORPUS_BYTES_MAX, "{bytes} bytes are kept, more than {CORPUS_BYTES_MAX}");
}

/// Crates of a lock file, by name, with their versions.
fn locked(file: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let mut crates = BTreeMap::<String, BTreeSet<String>>::new();
    for package in text.split("[[package]]").skip(1) {
        let field = |name: &str| package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = ")).unwrap();
        let [name, version] = ["name", "version"].map(|name| field(name).trim_matches('"').to_owned());
        crates.entry(name).or_default().insert(version);
    }
    crates
}

/// After a change of `Cargo.lock`: `cp Cargo.lock fuzz/ && cargo metadata --manifest-path fuzz/Cargo.toml >/dev/null`.
#[test]
fn what_is_fuzzed_is_made_of_the_crates_that_are_shipped() {
    let (shipped, fuzzed) = (locked("Cargo.lock"), locked("fuzz/Cargo.lock"));
    let own: Vec<&String> = fuzzed.keys().filter(|name| !shipped.contains_key(*name)).collect();
    assert_eq!(own, ["arbitrary", "jobserver", "libfuzzer-sys", "timebank-fuzz"], "what only the fuzzer needs");
    for (name, versions) in &fuzzed {
        let others: Vec<&String> =
            versions.iter().filter(|version| !shipped.get(name).is_none_or(|own| own.contains(*version))).collect();
        assert!(others.is_empty(), "{name} is tried as {others:?}");
    }
}
