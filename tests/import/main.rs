//! Imports of real and of awkward files, by the real command against a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

#[path = "../support/absent.rs"]
mod absent;
mod awkward;
mod edges;
mod kinds;
mod random;
mod real;
mod reference;
#[path = "../support/server.rs"]
mod server;
mod shapes;
mod step;
mod suggest;

use std::{fs, process::Stdio};

use serde_json::Value;
use server::Ledger;
use tempfile::TempDir;

impl Ledger {
    /// The status, without what may follow a second later: the checkpoint, and how far the log was read again.
    fn status(&self) -> Value {
        let mut status = self.json(&["status"]);
        for follows in ["checkpoint_size", "scrubbed_to", "scrubbed_at"] {
            status.as_object_mut().unwrap().remove(follows);
        }
        status
    }

    /// An import's report. Its exit code says whether all rows, some or none were taken.
    fn import(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {error}"));
        let expected = match counts(&report) {
            [_, _, _, _, _, 0] => 0,
            [_, 0, 0, 0, 0, _] => 1,
            _ => 4,
        };
        assert_eq!(output.status.code(), Some(expected), "{report} {error}");
        report
    }

    /// Everything that doesn't hang on random ids: sums by kind and number of accounts.
    fn sums(&self) -> Vec<(String, i64)> {
        let accounts = self.json(&["account", "list"]);
        let mut sums: Vec<(String, i64)> = accounts["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|account| (account["kind"].as_str().unwrap().to_owned(), account["balance_minutes"].as_i64().unwrap()))
            .collect();
        sums.sort();
        sums
    }
}

/// Rows, and what became of them; the sum is always right.
fn counts(report: &Value) -> [u64; 6] {
    let counts =
        ["rows", "recorded", "corrected", "reversed", "unchanged", "rejected"].map(|key| report[key].as_u64().unwrap());
    assert_eq!(counts[0], counts[1..].iter().sum::<u64>(), "{report}");
    counts
}

/// Rows of a small source: enough for two sheets.
fn rows(count: usize, minutes: usize) -> String {
    let row =
        |number| format!("{number},p{},s1,2026-01-{:02},{}\n", number % 400, 1 + number % 20, minutes + number % 7);
    format!("id,person,place,day,minutes\n{}", (0..count).map(row).collect::<String>())
}

const MAPPING: &str = r#"
source = "small"
imported = true
account_kind = "group"
[columns]
record = "id"
volunteer = "person"
station = "place"
date = "day"
minutes = "minutes"
"#;

struct Files {
    folder: TempDir,
    mapping: String,
}

impl Files {
    fn new(mapping: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mapping.toml");
        fs::write(&path, mapping).unwrap();
        Self { folder, mapping: path.to_str().unwrap().to_owned() }
    }

    fn csv(&self, contents: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join("file.csv");
        fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[test]
fn a_crash_at_every_step_of_the_outbox_ends_in_the_same_state() {
    let files = Files::new(MAPPING);
    let file = files.csv(rows(1_800, 30));
    let import: &[&str] = &["import", &file, "--mapping", &files.mapping, "--open-accounts"];
    let undisturbed = Ledger::new();
    assert_eq!(counts(&undisturbed.json(import))[1], 1_800);
    let (size, sums) = (undisturbed.status()["size"].clone(), undisturbed.sums());
    for step in ["signed", "pending", "receipt", "final"] {
        for time in ["1", "2"] {
            let mut ledger = Ledger::new();
            let crashed = ledger.command(import).env("TIMEBANK_TEST_CRASH", format!("{step}:{time}")).output().unwrap();
            assert!(!crashed.status.success(), "{step}:{time} did not crash");
            ledger.kill();
            ledger.restart();
            let report = ledger.json(import);
            assert_eq!(report["credited_minutes"], undisturbed.json(import)["credited_minutes"]);
            assert_eq!((&ledger.status()["size"], &ledger.sums()), (&size, &sums), "{step}:{time}");
        }
    }
}

#[test]
fn a_server_killed_in_the_middle_of_an_import_loses_and_doubles_nothing() {
    let files = Files::new(MAPPING);
    let file = files.csv(rows(20_000, 30));
    let import: &[&str] = &["import", &file, "--mapping", &files.mapping, "--open-accounts"];
    let undisturbed = Ledger::new();
    let expected = undisturbed.json(import)["credited_minutes"].clone();
    let mut ledger = Ledger::new();
    let mut running = ledger.command(import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while ledger.status()["size"].as_u64().unwrap() < 4 {}
    ledger.kill();
    assert_eq!(running.wait().unwrap().code(), Some(3), "the outcome is unknown: do the same again");
    ledger.restart();
    assert_eq!(ledger.json(import)["credited_minutes"], expected);
    assert_eq!(ledger.sums(), undisturbed.sums());
}

#[test]
fn changed_rows_are_corrected_and_rows_gone_from_a_full_file_reversed() {
    let files = Files::new(MAPPING);
    let ledger = Ledger::new();
    let import = |contents: &str, more: &[&str]| {
        let file = files.csv(contents);
        ledger.json(&[&["import", &file, "--mapping", &files.mapping, "--open-accounts"], more].concat())
    };
    assert_eq!(counts(&import(&rows(10, 30), &[])), [10, 10, 0, 0, 0, 0]);
    assert_eq!(counts(&import(&rows(10, 40), &[])), [10, 0, 10, 0, 0, 0]);
    assert_eq!(counts(&import(&rows(4, 40), &[])), [4, 0, 0, 0, 4, 0], "a partial file reverses nothing");
    let tried = import(&rows(4, 40), &["--full", "--dry-run"]);
    assert_eq!(counts(&tried), [10, 0, 0, 6, 4, 0]);
    assert_eq!(import(&rows(4, 40), &["--full"]), tried);
    assert_eq!(counts(&import(&rows(4, 40), &["--full"])), [4, 0, 0, 0, 4, 0]);
    assert_eq!(counts(&import(&rows(5, 40), &["--full"])), [5, 1, 0, 0, 4, 0], "a row that comes back is a new record");
}
