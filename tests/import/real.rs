//! Files that others made, counted by hand before: `../shared/data`, or the folder that `TIMEBANK_DATA` names.

use std::{fs, path::Path};

use crate::{absent, counts, server::Ledger};

/// A real file, or nothing where the real input isn't on this machine.
pub(crate) fn data(name: &str) -> Option<String> {
    let path = absent::folder("TIMEBANK_DATA", "data").join(name);
    if path.exists() {
        return Some(path.to_str().unwrap().to_owned());
    }
    let path = path.display();
    absent::skipped(&format!("{path} is not there; TIMEBANK_DATA names the folder with the real input"));
    None
}

#[test]
fn without_the_real_input_no_test_passes_in_silence() {
    absent::assert_told("TIMEBANK_DATA", &["real::the_", "suggest::the_events_of_students"]);
}

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).to_str().unwrap().to_owned()
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
    let expected = [
        "corrected",
        "credited_minutes",
        "gone",
        "joined",
        "left_out",
        "notices",
        "recorded",
        "rejected",
        "rejects",
        "reversed",
        "rows",
        "source_hours",
        "totals",
        "unchanged",
    ];
    assert_eq!(keys, expected);

    let status = ledger.status();
    let full: &[&str] = &["import", &last, "--mapping", &full, "--full"];
    assert_eq!(counts(&ledger.json(full)), [1_081, 0, 0, 0, 1_081, 0]);
    assert_eq!(counts(&ledger.json(import)), [1_540, 0, 0, 0, 1_540, 0]);
    assert_eq!(ledger.status(), status, "the same again adds no entry");
    assert_eq!(status["balance_sum"], 0);
    let group = ledger.sums().into_iter().find(|(kind, _)| kind == "group");
    assert_eq!(group, Some(("group".to_owned(), 1_066_011)));
    eprintln!("LEEDS 2023: 1,540 rows of operations came to 1,066,011 minutes, those of the last file's 1,081 shifts");

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
    eprintln!("Zooniverse: of 3,000 rows 2,653 came to 4,114 minutes, 347 were refused, each with its reason");
    let status = ledger.status();
    let again = import.split_last().unwrap().1.split_last().unwrap().1;
    assert_eq!(counts(&ledger.import(again)), [3_000, 0, 0, 0, 2_653, 347]);
    assert_eq!(ledger.status(), status);
}
