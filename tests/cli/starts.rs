//! Starts of the server: where it listens, which policies it takes, which clocks it believes.

use std::{fs, path::Path, process::Command};

use timebank::{
    engine::{
        key_file::KeyFile,
        log::{self, Appended, Commit, StoredEntry},
        replay::Replay,
    },
    format::wire,
    ledger::{Facts, Millis, Policy, SheetId},
};

use crate::{
    failure,
    server::{Ledger, serve_command, start, timebank},
    support::{DAY, ORIGIN, genesis, key},
};

fn refused(folder: &Path, arguments: &[&str]) -> String {
    refused_with(2, folder, arguments)
}

/// Refused for a reason that passes, or that is somebody else's to mend.
fn refused_now(folder: &Path, arguments: &[&str]) -> String {
    refused_with(75, folder, arguments)
}

fn refused_with(expected: i32, folder: &Path, arguments: &[&str]) -> String {
    let output = timebank(&["serve", "--data"]).arg(folder).args(arguments).output().unwrap();
    let (code, error) = failure(&output);
    assert_eq!(code, Some(expected), "{arguments:?}: {error}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("serving"), "{arguments:?}");
    error
}

#[test]
fn only_this_machine_is_listened_to() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("data");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7464", "255.255.255.255:0"] {
        let error = refused(&folder, &["--listen", address]);
        assert!(error.contains(address) && error.contains("127.0.0.1") && error.contains("SSH tunnel"), "{error}");
    }
    for address in ["nonsense", "127.0.0.1", "127.0.0.1:99999"] {
        let error = refused(&folder, &["--listen", address]);
        assert!(error.contains(address) && error.contains("HOST:PORT"), "{error}");
    }
    assert!(!folder.exists(), "a start that is refused makes nothing");
}

#[test]
fn a_port_or_folder_that_is_taken_is_named() {
    let ledger = Ledger::new();
    let other = tempfile::tempdir().unwrap();
    let address = ledger.url.strip_prefix("http://").unwrap();
    let error = refused_now(other.path(), &["--listen", address]);
    assert!(error.contains(address) && error.contains("in use"), "{error}");
    let error = refused_now(ledger.folder.path(), &["--listen", "127.0.0.1:0"]);
    assert!(error.contains("in use by another process"), "{error}");
}

#[test]
fn a_policy_with_a_field_that_nobody_knows_is_refused_by_its_name() {
    let home = tempfile::tempdir().unwrap();
    let (folder, policy) = (home.path().join("data"), home.path().join("policy.toml"));
    let arguments = ["--listen", "127.0.0.1:0", "--policy", policy.to_str().unwrap()];
    let wrong = [
        ("flor_minutes = -60", "flor_minutes"),
        ("[[tariffs]]\ncategory = \"garden\"\nminutes_an_hour = 90", "minutes_an_hour"),
        ("[[tariffs]]\ncategory = \"garden\"", "minutes_per_hour"),
        ("roundings = [\"sideways\"]", "sideways"),
        ("day_minutes_max = 0", "day_minutes_max"),
        ("cap_minutes = 600", "overflow_pool"),
    ];
    for (text, named) in wrong {
        fs::write(&policy, text).unwrap();
        let error = refused(&folder, &arguments);
        assert!(error.contains(named) && error.contains("policy.toml"), "{text}: {error}");
    }
    assert!(!folder.exists(), "a start that is refused makes nothing");
    fs::write(&policy, "floor_minutes = -60").unwrap();
    let (mut server, _url) = start(serve_command(&folder).args(["--policy", policy.to_str().unwrap()]));
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_first_start_that_was_cut_off_after_any_of_its_keys_is_gone_on_with() {
    for made in [&["ledger.key"][..], &["ledger.key", "service.key"], &["service.key"], &["operator.key"]] {
        let folder = tempfile::tempdir().unwrap();
        for name in made {
            KeyFile::generate(ORIGIN).create(&folder.path().join(name)).unwrap();
        }
        let (mut server, _url) = start(&mut serve_command(folder.path()));
        server.kill().unwrap();
        server.wait().unwrap();
        let origin = KeyFile::read(&folder.path().join("operator.key")).unwrap().origin;
        assert_eq!(origin, ORIGIN, "after {made:?}");
    }
}

/// A data folder whose only entry was recorded so many days ago.
fn old_ledger(folder: &Path, days: i64) {
    for (name, seed) in [("ledger.key", 99), ("operator.key", 1), ("service.key", 2)] {
        KeyFile { key: key(seed), origin: ORIGIN.to_owned() }.create(&folder.join(name)).unwrap();
    }
    let then = Millis(jiff::Timestamp::now().as_millisecond() - days * DAY);
    let draft = wire::Draft {
        origin: ORIGIN,
        sheet_id: SheetId([1; 16]),
        issued_at: then,
        valid_until: Millis(then.0 + DAY),
        events: vec![genesis(&Policy::default())],
    };
    let sheet = wire::sign(draft, &[&key(1)]).unwrap();
    let decoded = wire::decode(&sheet).unwrap();
    let mut replay = Replay::new(ORIGIN);
    replay.replay((0, then), &decoded, None, &Facts::default(), |_| ()).unwrap();
    let entry = StoredEntry {
        index: 0,
        recorded_at_ms: then.0,
        header: sheet.header,
        signatures: sheet.signatures,
        events: sheet.events,
    };
    let root = replay.frontier.root();
    let log = log::open(&folder.join("log")).unwrap();
    assert!(matches!(log.append(&Commit { entries: vec![entry], root }), Ok(Appended::Done)));
}

#[test]
fn a_clock_far_from_the_log_is_believed_only_on_the_operators_word() {
    let folder = tempfile::tempdir().unwrap();
    old_ledger(folder.path(), 8);
    let arguments = ["--listen", "127.0.0.1:0"];
    let error = refused_now(folder.path(), &arguments);
    assert!(error.contains("ClockImplausible") && error.contains("--accept-clock"), "{error}");
    assert!(error.contains("8 days 0 h ahead of"), "{error}");
    let hours_ago = |hours: i64| (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).to_string();
    let error = refused_now(folder.path(), &[&arguments as &[&str], &["--accept-clock", &hours_ago(2)]].concat());
    assert!(error.contains("ClockImplausible"), "another time than the clock says: {error}");
    let error = refused(folder.path(), &[&arguments as &[&str], &["--accept-clock", "noon"]].concat());
    assert!(error.contains("--accept-clock") && error.contains("2026-03-01T09:00"), "{error}");

    let (server, url) = start(serve_command(folder.path()).args(["--accept-clock", &hours_ago(0)]));
    let mut ledger = Ledger { folder, server, url };
    assert_eq!(ledger.json(&["region", "define", "leeds"])["index"], 1);
    ledger.kill();
    ledger.restart();
    assert_eq!(ledger.json(&["status"])["size"], 2, "with an entry of today, nobody has to vouch any more");
}

#[test]
fn a_ledger_whose_entries_are_ahead_of_the_true_time_goes_on_and_audits() {
    let folder = tempfile::tempdir().unwrap();
    old_ledger(folder.path(), -80);
    let error = refused_now(folder.path(), &["--listen", "127.0.0.1:0"]);
    assert!(error.contains("ClockImplausible") && error.contains("days 23 h behind"), "{error}");
    let vouch = ["--accept-clock".to_owned(), jiff::Timestamp::now().to_string()];
    let (server, url) = start(serve_command(folder.path()).args(&vouch));
    let mut ledger = Ledger { folder, server, url };
    // Valid for 30 days, which are over long before: but for the time that the commands take from the ledger.
    assert_eq!(ledger.json(&["region", "define", "leeds"])["index"], 1);
    let id = |opened: serde_json::Value| opened["account"].as_str().unwrap().to_owned();
    let station = id(ledger.json(&["station", "open", "--region", "leeds"]));
    let alice = id(ledger.json(&["account", "open", "--station", &station]));
    let file = ledger.folder.path().join("monday.sheet");
    let file = file.to_str().unwrap();
    let record = ["record", "--volunteer", &alice, "--station", &station, "--date", "yesterday", "--hours", "2"];
    assert_eq!(ledger.json(&[&record as &[&str], &["--to-file", file]].concat())["events"], 1);
    assert_eq!(ledger.json(&["submit", file])["sheets"][0]["receipt"]["index"], 4);
    ledger.kill();
    let data = ledger.folder.path().to_str().unwrap();
    let audited = timebank(&["audit", "--data", data, "--memory", &format!("{data}/memory")]).output().unwrap();
    assert!(audited.status.success(), "{}", String::from_utf8_lossy(&audited.stderr));
}

#[test]
fn a_successor_names_the_ledger_that_it_carries_on() {
    let mut old = Ledger::new();
    old.json(&["region", "define", "leeds"]);
    let status = old.json(&["status"]);
    old.kill();
    let checkpoint = old.folder.path().join("checkpoint");
    let (kept, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let succeed = |file: &Path| ["--succeed".to_owned(), file.to_str().unwrap().to_owned()];
    let folder = home.path().join("new");
    let refused_with = |folder: &Path, more: &[&str]| refused(folder, &[&["--listen", "127.0.0.1:0"], more].concat());

    // What can't be verified names nobody.
    let copy = kept.path().join("checkpoint");
    fs::copy(&checkpoint, &copy).unwrap();
    let error = refused_with(&folder, &["--succeed", copy.to_str().unwrap()]);
    assert!(error.contains("--succeed-key") && error.contains("ledger.pin"), "{error}");
    let stranger =
        timebank::format::checkpoint::VerifierKey::new("timebank.example/other", key(1).public_key()).unwrap();
    let error = refused_with(&folder, &["--succeed", copy.to_str().unwrap(), "--succeed-key", &stranger.to_string()]);
    assert!(error.contains("--succeed") && error.contains("known key"), "{error}");
    assert!(!folder.exists(), "a start that is refused makes nothing");
    let origin = status["origin"].as_str().unwrap();
    let error =
        refused_with(&home.path().join("same"), &["--succeed", checkpoint.to_str().unwrap(), "--origin", origin]);
    assert!(error.contains("predecessor.origin"), "{error}");

    fs::create_dir(&folder).unwrap();
    let (server, url) = start(serve_command(&folder).args(succeed(&checkpoint)));
    let mut new = Ledger { folder: home, server, url };
    let named = new.json(&["status"])["predecessor"].clone();
    assert_eq!((&named["origin"], &named["size"]), (&status["origin"], &2.into()), "{named}");
    assert_eq!(named["root"], status["root"]);
    new.kill();
    // Named again it is the same, and another one is refused.
    let (server, url) = start(serve_command(&folder).args(succeed(&checkpoint)));
    (new.server, new.url) = (server, url);
    assert_eq!(new.json(&["status"])["predecessor"], named);
    let proof = new.folder.path().join("genesis.tlog-proof");
    let proved = ["prove", "0.0", "--out", proof.to_str().unwrap(), "--server", &new.url];
    let proved = timebank(&proved).output().unwrap();
    assert!(String::from_utf8_lossy(&proved.stdout).contains(&format!("carries on {origin} after 2 entries")));
    new.kill();
    let error = refused_with(old.folder.path(), &["--succeed", folder.join("checkpoint").to_str().unwrap()]);
    assert!(error.contains("--succeed") && error.contains(origin), "{error}");
}

#[test]
fn the_version_names_the_commit_that_it_was_built_from() {
    let version = String::from_utf8(timebank(&["--version"]).output().unwrap().stdout).unwrap();
    let rest = version.trim().strip_prefix(concat!("timebank ", env!("CARGO_PKG_VERSION"))).unwrap();
    let head = Command::new("git").args(["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "HEAD"]).output();
    let head = head.ok().filter(|head| head.status.success()).map(|head| String::from_utf8(head.stdout).unwrap());
    // From a tarball, or without git, there is none to name.
    let expected = head.map_or_else(String::new, |head| format!(" ({}", &head[..12]));
    assert!(rest.starts_with(&expected) && (!expected.is_empty() || rest.is_empty()), "{version}");
}

#[test]
fn man_pages_are_written_for_every_command_beside_those_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("timebank-theirs.1");
    fs::write(&theirs, ".TH theirs 1\n.SH EXTRA\n").unwrap();
    assert!(timebank(&["man"]).arg(folder.path()).status().unwrap().success());
    assert_eq!(fs::read_to_string(&theirs).unwrap(), ".TH theirs 1\n.SH EXTRA\n");
    for page in ["timebank.1", "timebank-record.1", "timebank-key-enrol.1", "timebank-demo.1"] {
        let page = fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(page.contains(concat!("\"timebank ", env!("CARGO_PKG_VERSION"), "\"")), "{page}");
        assert!(!page.contains(".SH EXTRA"), "{page}");
    }
    let (code, error) = failure(&timebank(&["man", "/nowhere/at/all"]).output().unwrap());
    assert_eq!((code, error.contains("/nowhere/at/all: ")), (Some(2), true), "{error}");
}

#[test]
fn a_port_in_use_is_told_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = timebank(&["serve", "--listen", &address, "--data"]).arg(folder.path()).output().unwrap();
    let (code, error) = failure(&output);
    assert_eq!((code, error.contains("or choose another port with --listen")), (Some(75), true), "{error}");
}
