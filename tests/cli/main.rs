//! The real command against a real server: exit codes, JSON, files and words, as its help promises them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod bench;
mod demo;
mod enrolment;
mod failures;
mod languages;
mod machine;
mod names;
mod offline;
mod outcomes;
mod sheets;
mod simulate;
mod starts;
#[path = "../support/mod.rs"]
mod support;
mod times;

#[path = "../support/server.rs"]
mod server;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    process::{Child, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::{Value, json};
use server::{Ledger, timebank};

/// Longer than anything here takes on a busy machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// A child process that doesn't outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A ledger with a station and a resident who has a key: entries 1 to 4.
struct Village {
    ledger: Ledger,
    station: String,
    alice: String,
    alice_key: String,
}

impl Village {
    fn new() -> Self {
        let ledger = Ledger::new();
        ledger.json(&["region", "define", "leeds"]);
        let id = |value: Value| value["account"].as_str().unwrap().to_owned();
        let station = id(ledger.json(&["station", "open", "--region", "leeds"]));
        let alice = id(ledger.json(&["account", "open", "--station", &station]));
        let alice_key = ledger.folder.path().join("alice.key").to_str().unwrap().to_owned();
        ledger.json(&["key", "new", &alice_key]);
        ledger.json(&["key", "enrol", &alice_key, "--role", "resident", "--account", &alice]);
        Self { ledger, station, alice, alice_key }
    }

    /// Arguments that record minutes which Alice served yesterday.
    fn record<'a>(&'a self, minutes: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let record = ["record", "--volunteer", &self.alice, "--station", &self.station, "--date", "yesterday"];
        [&record, &["--minutes", minutes] as &[&str], more].concat()
    }

    fn size(&self) -> u64 {
        self.ledger.json(&["status"])["size"].as_u64().unwrap()
    }

    fn path(&self, name: &str) -> String {
        self.ledger.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

/// Exit code and errors of a command that ended.
fn failure(output: &Output) -> (Option<i32>, String) {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!error.contains("panicked"), "{error}");
    (output.status.code(), error)
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn is_hex(value: &Value, digits: usize) -> bool {
    value.as_str().is_some_and(|text| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_recent(value: &Value) -> bool {
    let time: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
    jiff::Timestamp::now().duration_since(time).unsigned_abs() < 10 * PATIENCE
}

#[test]
fn the_json_of_a_record_is_its_receipt_and_the_proof_of_it() {
    let village = Village::new();
    let receipt = village.ledger.json(&village.record("120", &[]));
    assert_eq!(keys(&receipt), ["checkpoint", "events", "inclusion_proof", "index", "recorded_at"]);
    assert_eq!(receipt["index"], 5);
    assert!(is_recent(&receipt["recorded_at"]), "{receipt}");
    let issuance = village.ledger.json(&["status"])["issuance_account"].clone();
    let posting = |account: &Value, minutes: i64, after: i64| json!({"account": account, "minutes": minutes, "balance_after_minutes": after});
    let postings = [posting(&issuance, -120, -120), posting(&json!(village.alice), 120, 120)];
    assert_eq!(receipt["events"], json!([{"postings": postings, "warnings": []}]));
    assert!(receipt["checkpoint"].as_str().unwrap().contains("\n6\n"), "{receipt}");
    let proof = receipt["inclusion_proof"].as_array().unwrap();
    assert!(!proof.is_empty() && proof.iter().all(|hash| is_hex(hash, 64)), "{receipt}");

    let again = village.ledger.json(&village.record("120", &[]));
    let warning = &again["events"][0]["warnings"][0];
    assert_eq!(keys(warning), ["code", "message", "similar"]);
    assert_eq!((&warning["code"], &warning["similar"]), (&json!("NearDuplicate"), &json!("5.0")));
}

#[test]
fn the_json_of_reads_says_what_was_recorded() {
    let village = Village::new();
    let (ledger, alice, station) = (&village.ledger, village.alice.as_str(), village.station.as_str());
    ledger.json(&village.record("120", &[]));
    let place = ["hold", "place", "--payer", alice, "--station", station, "--minutes", "30", "--expires", "+30d"];
    let placed = ledger.json(&[&place as &[&str], &["--key", &village.alice_key]].concat());
    assert_eq!(placed["index"], 6);

    let status = ledger.json(&["status"]);
    let figures = ["size", "accounts", "balance_sum", "holds"].map(|key| status[key].as_i64());
    assert_eq!(figures, [Some(7), Some(3), Some(0), Some(1)], "{status}");
    assert!(is_hex(&status["root"], 64) && is_hex(&status["genesis_leaf_hash"], 64), "{status}");
    assert!(is_recent(&status["recorded_at"]), "{status}");
    let vkey = status["ledger_vkey"].as_str().unwrap();
    assert!(vkey.starts_with(&format!("{}+", status["origin"].as_str().unwrap())), "{status}");

    let minutes = json!({"account": alice, "balance_minutes": 120, "held_minutes": 30, "available_minutes": 90});
    let mut balance = minutes.clone();
    balance["reflected_index"] = json!(6);
    assert_eq!(ledger.json(&["balance", alice]), balance);

    let mut account = minutes;
    for (key, value) in [("kind", json!("resident")), ("region", json!("")), ("station", json!(station))] {
        account[key] = value;
    }
    account["floor_minutes"] = json!(0);
    let residents = ledger.json(&["account", "list", "--kind", "resident"]);
    assert_eq!(residents, json!({ "accounts": [account] }));
    account["reflected_index"] = json!(6);
    assert_eq!(ledger.json(&["account", "show", alice]), account);

    let mut holds = ledger.json(&["hold", "list", "--payer", alice]);
    let expires = holds["holds"][0].as_object_mut().unwrap().remove("expires_at").unwrap();
    let expires: jiff::Timestamp = expires.as_str().unwrap().parse().unwrap();
    assert_eq!(expires.duration_since(jiff::Timestamp::now()).as_hours(), 30 * 24 - 1, "just under 30 days");
    assert_eq!(holds, json!({"holds": [{"hold": "6.0", "payer": alice, "station": station, "minutes": 30}]}));
    ledger.json(&["hold", "release", "6.0", "--key", &village.alice_key]);
    assert_eq!(ledger.json(&["hold", "list"]), json!({ "holds": [] }));
}

#[test]
fn the_json_of_histories_has_every_change_and_the_way_to_the_next_page() {
    let village = Village::new();
    let (ledger, alice) = (&village.ledger, village.alice.as_str());
    ledger.json(&village.record("120", &[]));
    ledger.json(&["correct", "reverse", "5.0", "--reason", "duplicate"]);
    let first = ledger.json(&["history", alice, "--page-size", "1"]);
    assert_eq!(keys(&first), ["account", "next_cursor", "reflected_index", "rows"]);
    assert_eq!((&first["account"], &first["reflected_index"]), (&json!(alice), &json!(6)));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = ledger.json(&["history", alice, "--page-size", "1", "--cursor", cursor]);
    assert_eq!(second["next_cursor"], "");
    let all = ledger.json(&["history", alice, "--page-size", "1", "--all"]);
    assert_eq!(all["rows"], json!([first["rows"][0], second["rows"][0]]));

    let issuance = ledger.json(&["status"])["issuance_account"].clone();
    let mut row = second["rows"][0].clone();
    assert!(is_recent(&row.as_object_mut().unwrap().remove("recorded_at").unwrap()));
    assert!(row.as_object_mut().unwrap().remove("posting").unwrap().is_u64());
    let details = row.as_object_mut().unwrap().remove("details").unwrap();
    assert_eq!(
        (&details["record"], &details["newest"], &details["reversed"]),
        (&json!("5.0"), &json!("5.0"), &json!(true))
    );
    assert_eq!((&details["service"]["category"], &details["service"]["minutes"]), (&json!("general"), &json!(120)));
    let expected = json!({
        "event": "5.0", "kind": "service recorded", "counterparty": issuance, "minutes": 120,
        "balance_after_minutes": 120, "held_after_minutes": 0,
    });
    assert_eq!(row, expected);
    let row = &first["rows"][0];
    assert_eq!(
        (&row["event"], &row["kind"], &row["minutes"]),
        (&json!("6.0"), &json!("service reversed"), &json!(-120))
    );
}

#[test]
fn a_proof_of_a_record_that_was_corrected_or_taken_back_says_so() {
    let village = Village::new();
    village.ledger.json(&village.record("120", &[]));
    let prove = |place: &str, name: &str| -> (Value, String) {
        let out = village.path(name);
        let value = village.ledger.json(&["prove", place, "--out", &out]);
        let text = village.ledger.command(&["prove", place, "--out", &out, "--force"]).output().unwrap();
        (value["record"].clone(), String::from_utf8(text.stdout).unwrap())
    };
    let (record, text) = prove("5.0", "plain");
    assert_eq!(record, json!({"record": "5.0", "newest": "5.0", "reversed": false}));
    assert!(!text.contains("But record"), "{text}");
    village.ledger.json(&["correct", "service", "5.0", "--minutes", "90"]);
    let (record, text) = prove("5.0", "corrected");
    assert_eq!(record, json!({"record": "5.0", "newest": "6.0", "reversed": false}));
    assert!(text.contains("record 5.0 was corrected since, last by 6.0"), "{text}");
    let (record, text) = prove("6.0", "correction");
    assert_eq!(record, json!({"record": "5.0", "newest": "6.0", "reversed": false}));
    assert!(!text.contains("But record"), "the newest version stands: {text}");
    village.ledger.json(&["correct", "reverse", "5.0", "--reason", "not-served"]);
    for (place, name) in [("5.0", "a"), ("6.0", "b")] {
        let (record, text) = prove(place, name);
        assert_eq!(record["reversed"], true, "{place}");
        assert!(text.contains("record 5.0 was taken back for good"), "{place}: {text}");
    }
    let (record, text) = prove("7.0", "reversal");
    assert!(record["reversed"] == true && text.contains("It took record 5.0 back for good"), "{text}");
    let (record, text) = prove("4.0", "key");
    assert!(record.is_null() && !text.contains("But record"), "the enrolment of a key is no record: {text}");
}

#[test]
fn the_json_of_keys_tells_their_public_half_and_never_the_other() {
    let village = Village::new();
    let (ledger, key) = (&village.ledger, village.alice_key.as_str());
    let shown = ledger.json(&["key", "show", key]);
    assert_eq!(keys(&shown), ["key_id", "origin", "public_key"]);
    assert_eq!(shown["origin"], ledger.json(&["status"])["origin"]);
    let proved = ledger.json(&["key", "prove", key]);
    assert_eq!(
        (keys(&proved), &proved["public_key"]),
        (vec!["origin", "possession", "public_key"], &shown["public_key"])
    );
    assert!(is_hex(&proved["possession"], 128), "{proved}");
    let listed = |revoked: bool| {
        json!({"keys": [{
            "key_id": shown["key_id"], "public_key": shown["public_key"], "role": "resident",
            "account": village.alice, "revoked": revoked,
        }]})
    };
    assert_eq!(ledger.json(&["key", "list", "--account", &village.alice]), listed(false));
    let id = shown["key_id"].as_str().unwrap();
    ledger.json(&["key", "revoke", id]);
    assert_eq!(ledger.json(&["key", "list", "--account", &village.alice]), listed(true));

    let file = fs::read_to_string(key).unwrap();
    let seed = file.lines().find_map(|line| line.strip_prefix("seed = \"")).unwrap().trim_end_matches('"').to_owned();
    assert_eq!(seed.len(), 64);
    for arguments in [["key", "show", key], ["key", "prove", key]] {
        let text = ledger.command(&arguments).output().unwrap().stdout;
        assert!(!String::from_utf8(text).unwrap().contains(&seed), "{arguments:?} shows the private half");
    }
    assert!(!shown.to_string().contains(&seed) && !proved.to_string().contains(&seed));
}

#[test]
fn files_that_hold_secrets_are_their_owners_alone() {
    let village = Village::new();
    let sheet = village.path("kept.sheet");
    village.ledger.json(&village.record("30", &["--to", &sheet]));
    for name in ["operator.key", "service.key", "ledger.key", "alice.key", "kept.sheet"] {
        let mode = fs::metadata(village.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let before = fs::read(&village.alice_key).unwrap();
    let (code, error) = failure(&village.ledger.run(&["key", "new", &village.alice_key]));
    assert!(code == Some(2) && error.contains("never overwritten"), "{error}");
    assert_eq!(fs::read(&village.alice_key).unwrap(), before);
}

/// Lines of a running command, as they come.
fn lines(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

#[test]
fn a_watch_shows_an_entry_that_is_recorded_while_it_runs() {
    let mut village = Village::new();
    let mut watch = village.ledger.command(&["watch", "--from-index", "4", "--json", "--count", "2"]);
    let mut watch = Running(watch.stdout(Stdio::piped()).spawn().unwrap());
    let shown = lines(watch.0.stdout.take().unwrap());
    let first: Value = serde_json::from_str(&shown.recv_timeout(PATIENCE).unwrap()).unwrap();
    assert_eq!((&first["index"], &first["events"]), (&json!(4), &json!(["key_enrolled"])));
    assert!(shown.recv_timeout(Duration::from_millis(50)).is_err(), "nothing else is there yet");

    let receipt = village.ledger.json(&village.record("45", &[]));
    let mut second: Value = serde_json::from_str(&shown.recv_timeout(PATIENCE).unwrap()).unwrap();
    assert!(is_hex(&second.as_object_mut().unwrap().remove("sheet_id").unwrap(), 32));
    let operator = village.ledger.json(&["key", "show", &village.path("operator.key")])["key_id"].clone();
    let expected = json!({"index": 5, "recorded_at": receipt["recorded_at"], "events": ["service_recorded"], "signers": [operator]});
    assert_eq!(second, expected);
    assert!(watch.0.wait().unwrap().success(), "it ends after --count");

    let mut watch = village.ledger.command(&["watch", "--from-index", "0"]);
    let mut watch = Running(watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let shown = lines(watch.0.stdout.take().unwrap());
    let text: Vec<String> = (0..6).map(|_| shown.recv_timeout(PATIENCE).unwrap()).collect();
    assert!(text[0].contains("1 x ledger_created") && text[5].contains("1 x service_recorded"), "{text:?}");
    village.ledger.kill();
    assert_eq!(watch.0.wait().unwrap().code(), Some(3));
    let mut error = String::new();
    watch.0.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(error.contains("the server can't be reached"), "{error}");
}

#[test]
fn completions_know_every_command_in_every_shell() {
    let help = String::from_utf8(timebank(&["--help"]).output().unwrap().stdout).unwrap();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A description that goes on in a second line begins further right.
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|word| !word.is_empty()))
        .collect();
    assert!(commands.contains(&"serve") && commands.contains(&"completions"), "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let output = timebank(&["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{shell}");
        for command in &commands {
            assert!(script.contains(command), "{shell} doesn't know {command}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = timebank(&["completions", "bash"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(failure(&output), (Some(0), String::new()));
}
