//! Signing without a server: every kind of sheet, and what can be told before anything is signed.

use std::path::Path;

use serde_json::Value;

use crate::{Village, failure};

impl Village {
    /// A command that reaches no server.
    fn offline(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = crate::server::timebank(arguments);
        command.args(["--server", "http://127.0.0.1:1", "--data"]).arg(self.ledger.folder.path());
        failure(&command.output().unwrap())
    }
}

#[test]
fn whatever_is_signed_without_a_server_is_recorded_when_it_is_submitted() {
    let village = Village::new();
    let (alice, station, key) = (village.alice.as_str(), village.station.as_str(), village.alice_key.as_str());
    village.ledger.json(&village.record("120", &[]));
    let bob = village.ledger.json(&["account", "open", "--station", station])["account"].as_str().unwrap().to_owned();
    let place = ["hold", "place", "--payer", alice, "--station", station, "--expires", "+30d", "--key", key];
    village.ledger.json(&[&place[..], &["--minutes", "9"]].concat());
    let whole =
        ["--volunteer", alice, "--station", station, "--payer", "none", "--category", "garden", "--activity", "none"];
    let more =
        ["--rounding", "exact", "--insured=false", "--imported=false", "--date", "yesterday", "--minutes", "100"];
    let sheets: [(&str, Vec<&str>); 6] = [
        ("record", village.record("30", &[])),
        ("correct", [&["correct", "service", "5.0"][..], &whole, &more].concat()),
        ("gift", vec!["transfer", "--from", alice, "--to", &bob, "--minutes", "10", "--key", key]),
        ("place", [&place[..], &["--minutes", "20"]].concat()),
        ("release", vec!["hold", "release", "7.0", "--key", key]),
        ("reverse", vec!["correct", "reverse", "5.0", "--reason", "duplicate"]),
    ];
    let mut files = Vec::new();
    for (name, arguments) in &sheets {
        let file = village.path(&format!("{name}.sheet"));
        let (code, error) = village.offline(&[arguments.as_slice(), &["--to-file", &file]].concat());
        assert_eq!((code, error.as_str()), (Some(0), ""), "{name}");
        files.push(file);
    }
    assert_eq!(village.size(), 8, "signing records nothing");
    let submit: Vec<&str> = ["submit"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let submitted: Value = village.ledger.json(&submit);
    assert_eq!(submitted["sheets"].as_array().unwrap().len(), 6);
    let balance = village.ledger.json(&["balance", alice]);
    assert_eq!((&balance["balance_minutes"], &balance["held_minutes"]), (&20.into(), &20.into()));
}

#[test]
fn what_the_rules_refuse_by_themselves_is_never_signed() {
    let village = Village::new();
    let (alice, station, key) = (village.alice.as_str(), village.station.as_str(), village.alice_key.as_str());
    let service = |more: &[&'static str]| {
        let parties = [
            "record".to_owned(),
            "--volunteer".to_owned(),
            alice.to_owned(),
            "--station".to_owned(),
            station.to_owned(),
        ];
        parties.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect::<Vec<_>>()
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let hold = |minutes: &str, expires: &str| {
        words(&[
            "hold",
            "place",
            "--payer",
            alice,
            "--station",
            station,
            "--minutes",
            minutes,
            "--expires",
            expires,
            "--key",
            key,
        ])
    };
    let give =
        |to: &str, minutes: &str| words(&["transfer", "--from", alice, "--to", to, "--minutes", minutes, "--key", key]);
    let refused = [
        (service(&["--date", "yesterday", "--hours", "25"]), "RecordTooLong"),
        (service(&["--date", "yesterday", "--minutes", "481"]), "RecordTooLong"),
        (service(&["--start", "yesterday 01:00", "--end", "yesterday 12:00"]), "RecordTooLong"),
        (service(&["--date", "yesterday", "--minutes", "0"]), "MinutesNotPositive"),
        (service(&["--date", "yesterday", "--minutes", "-5"]), "MinutesNotPositive"),
        (
            service(&["--date", "yesterday", "--minutes", "9223372036854775807", "--credited", "9223372036854775807"]),
            "MinutesTooLarge",
        ),
        (service(&["--date", "tomorrow", "--offset", "-12:00", "--minutes", "5"]), "ServiceInFuture"),
        (service(&["--start", "now", "--end", "+1h"]), "ServiceInFuture"),
        (service(&["--date", "2020-01-01", "--minutes", "5"]), "ServiceTooOld"),
        (service(&["--date", "yesterday", "--minutes", "30", "--credited", "60"]), "CreditMismatch"),
        (service(&["--date", "yesterday", "--minutes", "30", "--activity", "no code!"]), "FieldInvalid"),
        (give(alice, "5"), "SameAccount"),
        (give(station, "0"), "MinutesNotPositive"),
        (hold("0", "+30d"), "MinutesNotPositive"),
        (hold("5", "yesterday"), "HoldEndOutOfRange"),
        (hold("5", "+800d"), "HoldEndOutOfRange"),
        (service(&["--date", "yesterday", "--minutes", "5", "--hold", "0.0"]), "HoldUnknown"),
        (words(&["hold", "release", "0.3"]), "HoldUnknown"),
        (words(&["correct", "reverse", "0.0", "--reason", "duplicate"]), "RecordUnknown"),
    ];
    let file = village.path("never.sheet");
    for (arguments, rule) in refused {
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.extend(["--to-file", &file]);
        let (code, error) = village.offline(&arguments);
        assert!(code == Some(1) && error.contains(&format!("[{rule}]")), "{arguments:?}: {code:?} {error}");
        assert!(error.contains("nothing was signed"), "{arguments:?}: {error}");
        assert!(!Path::new(&file).exists(), "{arguments:?}");
    }
    // A group's day may have more hours: what nothing here can tell, its station says.
    let long = service(&["--date", "yesterday", "--hours", "25", "--unchecked", "--to-file"]);
    let mut long: Vec<&str> = long.iter().map(String::as_str).collect();
    long.push(&file);
    assert_eq!(village.offline(&long).0, Some(0));
}

#[test]
fn without_a_server_a_correction_states_what_nobody_can_look_up() {
    let village = Village::new();
    village.ledger.json(&village.record("60", &["--category", "garden"]));
    let file = village.path("correct.sheet");
    let (code, error) = village.offline(&["correct", "service", "5.0", "--minutes", "30", "--to-file", &file]);
    assert_eq!(code, Some(2), "{error}");
    for option in [
        "--volunteer",
        "--station",
        "--category",
        "--payer none",
        "--activity none",
        "--rounding",
        "--insured",
        "--imported",
    ] {
        assert!(error.contains(option), "{option}: {error}");
    }
    // Clock times alone are on the record's day, which nobody can look up: today would be a guess.
    for start in ["09:00", "09:00+08:00", "9:00[Asia/Shanghai]"] {
        let clock = ["correct", "service", "5.0", "--start", start, "--end", "23:00", "--to-file", &file];
        let (code, error) = village.offline(&clock);
        assert!(code == Some(2) && error.contains("the day with --start"), "{start}: {error}");
    }
    assert!(!Path::new(&file).exists());
}

#[test]
fn without_a_server_the_rules_are_those_that_it_told_last() {
    let policy = "record_minutes_max = 60\nvalidity_days_max = 5\n";
    let folder = tempfile::tempdir().unwrap();
    let policy_file = folder.path().join("policy.toml");
    std::fs::write(&policy_file, policy).unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut serve = crate::server::serve_command(data.path());
    let (server, url) = crate::server::start(serve.arg("--policy").arg(&policy_file));
    let ledger = crate::server::Ledger { folder: data, server, url };
    ledger.json(&["region", "define", "leeds"]);
    let id = "11111111111111111111111111111111";
    let other = "22222222222222222222222222222222";
    let record = |minutes: &str, name: &str| {
        let file = folder.path().join(name);
        let mut command =
            crate::server::timebank(&["record", "--volunteer", id, "--station", other, "--date", "yesterday"]);
        command.args(["--minutes", minutes, "--server", "http://127.0.0.1:1", "--to-file"]).arg(file);
        failure(&command.arg("--data").arg(ledger.folder.path()).output().unwrap())
    };
    let (code, error) = record("61", "long.sheet");
    assert!(code == Some(1) && error.contains("more than 1 h"), "{error}");
    assert_eq!(record("60", "fits.sheet").0, Some(0));
}

#[test]
fn a_correction_keeps_what_it_does_not_name_and_shows_what_it_changes() {
    let village = Village::new();
    let more = ["--category", "garden", "--activity", "spring", "--insured", "--rounding", "up"];
    village.ledger.json(&village.record("120", &more));
    let service = || {
        village.ledger.json(&["history", &village.alice, "--page-size", "1"])["rows"][0]["details"]["service"].clone()
    };
    let before = service();
    let corrected = village.ledger.json(&["correct", "service", "5.0", "--minutes", "90"]);
    let changes = corrected["changes"].as_array().unwrap();
    let fields: Vec<&str> = changes.iter().map(|change| change["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["served", "credited"]);
    assert_eq!((&changes[1]["before"], &changes[1]["after"]), (&"2 h".into(), &"1 h 30 min".into()));
    let after = service();
    for field in ["category", "activity", "insured", "date", "utc_offset", "station", "volunteer", "payer"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    // By the place of the correction as well, and what is named is changed.
    village.ledger.json(&["correct", "service", "6.0", "--category", "care", "--activity", "none", "--insured=false"]);
    let last = village.ledger.json(&["history", &village.alice, "--all"]);
    let newest = last["rows"][0]["details"]["newest"].clone();
    assert_eq!(newest, "7.0", "a change of words alone moves no minutes, but is the newest version");
    let start = ["correct", "service", "5.0", "--start", "yesterday 09:00", "--end", "10:00"];
    village.ledger.json(&start);
    let (code, error) = failure(&village.ledger.run(&["correct", "service", "5.0", "--end", "08:00"]));
    assert!(code == Some(1) && error.contains("not after the start"), "{error}");
    village.ledger.json(&["correct", "service", "5.0", "--end", "11:30"]);
    assert_eq!(village.ledger.json(&["balance", &village.alice])["balance_minutes"], 150);
    let (code, error) = failure(&village.ledger.run(&["correct", "service", "5.0", "--end", "11:30"]));
    assert!(code == Some(1) && error.contains("CorrectionChangesNothing"), "{error}");
    let (code, error) = failure(&village.ledger.run(&["correct", "service", "4.0", "--end", "11:30"]));
    assert!(code == Some(1) && error.contains("RecordUnknown"), "{error}");
    let (code, error) = failure(&village.ledger.run(&["correct", "service", "5.0", "--minutes", "30"]));
    assert!(code == Some(2) && error.contains("--date"), "an interval doesn't become a date unsaid: {error}");
}
