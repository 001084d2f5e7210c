//! A server that scrubs.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{opened, server};

/// Waits until the status of a server is so.
fn status(ledger: &server::Ledger, done: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let status = ledger.json(&["status"]);
        if done(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Ends a server as an operator does, so that there is a snapshot, and gives its folder.
fn ended(mut ledger: server::Ledger) -> TempDir {
    assert!(Command::new("kill").args(["-TERM", &ledger.server.id().to_string()]).status().unwrap().success());
    assert!(ledger.server.wait().unwrap().success());
    assert!(ledger.folder.path().join("projections/snapshot").exists());
    std::mem::replace(&mut ledger.folder, tempfile::tempdir().unwrap())
}

#[test]
fn a_server_shows_how_far_it_has_read_its_log_again_and_finds_what_a_start_does_not() {
    let ledger = server::Ledger::new();
    (0..9).for_each(|number| drop(ledger.json(&["region", "define", &format!("r{number}")])));
    let is_whole = |status: &Value| status["scrubbed_at"].is_string() && status["scrubbed_to"] == status["size"];
    let sound = status(&ledger, is_whole);
    assert_eq!((&sound["size"], &sound["scrub_problem"]), (&10.into(), &Value::Null), "{sound}");
    let shown = ledger.command(&["status"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("\nscrubbed       10 of 10 entries in this pass; the whole log last at "), "{shown}");
    assert!(!shown.contains("damaged"), "{shown}");

    let folder = ended(ledger);
    let db = opened::opened_store(folder.path().join("log"));
    let (key, value) = db.scan_prefix(b"b").nth(4).unwrap().unwrap();
    let mut value = value.to_vec();
    value[60] ^= 4;
    db.insert(key, value).unwrap();
    db.flush().unwrap();
    drop(db);
    let ledger = server::Ledger::on(folder);
    let found = status(&ledger, is_whole);
    let problem = found["scrub_problem"].as_str().unwrap();
    assert!(problem.starts_with("entry 4 ") && problem.contains("Stop the service"), "{problem}");
    let shown = ledger.command(&["status"]).output().unwrap();
    assert!(String::from_utf8(shown.stdout).unwrap().contains("\ndamaged        entry 4 "));
    assert_eq!(ledger.json(&["region", "define", "later"])["index"], 10, "it serves all the same");
}
