//! Imports of real and of awkward files, by the real command against a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod awkward;
#[path = "../support/server.rs"]
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use server::Ledger;
use tempfile::TempDir;

impl Ledger {
    /// The status, without the checkpoint, which may follow up to a second later.
    fn status(&self) -> Value {
        let mut status = self.json(&["status"]);
        status.as_object_mut().unwrap().remove("checkpoint_size");
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

/// A real file, or nothing where the real input isn't on this machine.
fn data(name: &str) -> Option<String> {
    let root = std::env::var_os("TIMEBANK_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = root.join(name);
    if path.exists() {
        return Some(path.to_str().unwrap().to_owned());
    }
    let missing = format!("{} is not there; TIMEBANK_DATA names the folder with the real input", path.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
    eprintln!("skipped: {missing}");
    None
}

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).to_str().unwrap().to_owned()
}

fn counts(report: &Value) -> [u64; 6] {
    ["rows", "recorded", "corrected", "reversed", "unchanged", "rejected"].map(|key| report[key].as_u64().unwrap())
}

#[test]
fn the_shifts_of_leeds_2023_come_in_as_operations_and_stay_in_step() {
    let (Some(revisions), Some(last)) = (data("leeds2023/shift_revisions.csv"), data("leeds2023/shifts_final.csv"))
    else {
        return;
    };
    let (operations, full) = (example("leeds2023.toml"), example("leeds2023-full.toml"));
    let mut ledger = Ledger::new();
    let import: &[&str] = &["import", &revisions, "--mapping", &operations, "--open-accounts"];
    let tried = ledger.json(&[import, &["--dry-run"]].concat());
    assert_eq!(ledger.status()["size"], 1, "a dry run writes nothing");
    let report = ledger.json(import);
    assert_eq!(tried, report, "a dry run says what happens");
    assert_eq!(counts(&report), [1_540, 1_087, 106, 6, 341, 0]);
    assert_eq!(report["source_hours"], 17_766.828);
    assert_eq!(report["credited_minutes"], 1_066_011);
    let mut keys: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected =
        ["corrected", "credited_minutes", "recorded", "rejected", "reversed", "rows", "source_hours", "unchanged"];
    assert_eq!(keys, expected);

    let status = ledger.status();
    let full: &[&str] = &["import", &last, "--mapping", &full, "--full"];
    assert_eq!(counts(&ledger.json(full)), [1_081, 0, 0, 0, 1_081, 0]);
    assert_eq!(counts(&ledger.json(import)), [1_540, 0, 0, 0, 1_540, 0]);
    assert_eq!(ledger.status(), status, "the same again adds no entry");
    assert_eq!(status["balance_sum"], 0);
    let group = ledger.sums().into_iter().find(|(kind, _)| kind == "group");
    assert_eq!(group, Some(("group".to_owned(), 1_066_011)));

    ledger.kill();
    fs::remove_dir_all(ledger.folder.path().join("projections")).unwrap();
    ledger.restart();
    assert_eq!(ledger.status(), status);
}

#[test]
fn the_sessions_of_zooniverse_come_in_as_history_and_rejects_have_reasons() {
    let Some(sessions) = data("zooniverse/sessions.csv") else { return };
    let mapping = example("zooniverse.toml");
    let ledger = Ledger::new();
    let rejects = ledger.folder.path().join("rejects.csv");
    let import: &[&str] =
        &["import", &sessions, "--mapping", &mapping, "--open-accounts", "--rejects", rejects.to_str().unwrap()];
    let report = ledger.import(import);
    assert_eq!(counts(&report), [3_000, 2_653, 0, 0, 0, 347]);
    assert_eq!(report["credited_minutes"], 4_114);
    let mut reader = csv::Reader::from_path(&rejects).unwrap();
    let mut reasons = std::collections::BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        let reason = row.get(13).unwrap();
        let code = reason.strip_suffix(']').and_then(|reason| reason.rsplit_once('[')).map(|(_, code)| code);
        let reason = code.unwrap_or_else(|| reason.split(':').next().unwrap()).to_owned();
        reasons.entry(reason).or_insert_with(Vec::new).push(row.get(0).unwrap().to_owned());
    }
    assert_eq!(reasons.remove("ServiceOverlaps"), Some(vec!["48550014".to_owned()]));
    assert_eq!(reasons.remove("RecordTooLong"), Some(vec!["60005361".to_owned()]));
    assert_eq!(reasons.remove("no account to credit").map(|rows| rows.len()), Some(345));
    assert!(reasons.is_empty(), "{reasons:?}");
    let status = ledger.status();
    assert_eq!(counts(&ledger.import(import)), [3_000, 0, 0, 0, 2_653, 347]);
    assert_eq!(ledger.status(), status);
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
    assert_eq!(counts(&tried), [4, 0, 0, 6, 4, 0]);
    assert_eq!(import(&rows(4, 40), &["--full"]), tried);
    assert_eq!(counts(&import(&rows(4, 40), &["--full"])), [4, 0, 0, 0, 4, 0]);
    assert_eq!(counts(&import(&rows(5, 40), &["--full"])), [5, 1, 0, 0, 4, 0], "a row that comes back is a new record");
}
