//! A folder that follows the public log.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use timebank::format::{
    checkpoint::{self, Checkpoint, VerifierKey},
    proto,
};

use crate::{
    harness::Ledger,
    http::{get, grow, vkey},
};

fn published(ledger: &Ledger, vkey: &VerifierKey) -> Checkpoint {
    checkpoint::open(&get(&ledger.url, "checkpoint").body, vkey, &ledger.origin).unwrap()
}

fn mirror(arguments: &[&str], folder: &Path) -> Output {
    crate::program::program()
        .env("TIMEBANK_SERVER", "http://127.0.0.1:9")
        .arg("mirror")
        .args(arguments)
        .arg(folder)
        .output()
        .unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// All bytes of all files of a folder.
/// The bytes of all files but evidence, which is added to a folder that is otherwise left alone.
fn contents(folder: &Path) -> Vec<u8> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pair") {
            continue;
        }
        found.extend(if path.is_dir() { contents(&path) } else { fs::read(&path).unwrap() });
    }
    found
}

#[tokio::test]
async fn a_folder_follows_a_server_and_tells_nothing_of_anybody() {
    let mut ledger = Ledger::new().await;
    let staff = ledger.enrol(proto::KeyRole::Staff, ledger.station).await;
    grow(&mut ledger, 0..300).await;
    let (vkey, folder) = (vkey(&mut ledger).await, ledger.folder.path().join("public/log"));
    let server = ledger.url.clone();
    let first = json(&mirror(&["--json", "--server", &server], &folder));
    assert_eq!((&first["size"], &first["old_size"]), (&303.into(), &serde_json::Value::Null));
    assert_eq!((&first["vkey"], &first["vkey_taken_on_trust"]), (&vkey.to_string().into(), &true.into()));
    assert_eq!(first["files_written"], 5);
    let again = json(&mirror(&["--json", "--server", &server], &folder));
    assert_eq!((&again["old_size"], &again["files_written"]), (&303.into(), &0.into()));
    assert_eq!(again["vkey_taken_on_trust"], false);

    grow(&mut ledger, 300..1_000).await;
    ledger.restart().await;
    grow(&mut ledger, 1_000..1_100).await;
    let server = ledger.url.clone();
    let key = vkey.to_string();
    let grown = json(&mirror(&["--json", "--vkey", &key, "--server", &server], &folder));
    assert_eq!((&grown["old_size"], &grown["size"]), (&303.into(), &1_103.into()));
    assert_eq!(fs::read(folder.join("checkpoint")).unwrap(), get(&server, "checkpoint").body);
    assert!(!folder.join("tile/0/001.p").exists() && folder.join("tile/0/004.p/79").exists());
    // A server that is named in the environment, as users do, is not asked.
    let checked = json(&mirror(&["--json", "--check", "--vkey", &key], &folder));
    assert_eq!((&checked["size"], &checked["verified"]), (&1_103.into(), &true.into()));

    let all = contents(&folder);
    let has = |secret: &[u8]| all.windows(secret.len()).any(|window| window == secret);
    for person in [&ledger.operator, &staff] {
        assert!(!has(&person.public_key()) && !has(&person.key_id().0), "a key is public");
    }
    for account in [&ledger.people[0], &ledger.people[1], &ledger.station] {
        assert!(!has(account), "an account is public");
    }
    for word in ["leeds", "region-7"] {
        assert!(!has(word.as_bytes()), "{word} is public");
    }
    let entry = ledger.client.get_entry(proto::GetEntryRequest { index: 2 }).await.unwrap().into_inner();
    let header = entry.entry.unwrap().sheet.unwrap().header;
    assert!(!has(&header[..16]) && has(&timebank::format::wire::header_hash(&header)), "the hash is, the header isn't");
}

#[tokio::test]
async fn a_folder_is_not_changed_by_a_log_that_does_not_continue_it() {
    let mut ledger = Ledger::new().await;
    let folder = ledger.folder.path().join("public");
    grow(&mut ledger, 0..1).await;
    assert_eq!(json(&mirror(&["--json", "--server", &ledger.url], &folder))["size"], 3);
    let before = contents(&folder);
    let refused = |arguments: &[&str], code: i32, words: &str| {
        let output = mirror(arguments, &folder);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && error.contains(words), "{:?}: {error}", output.status);
        assert_eq!(contents(&folder), before);
    };

    let other = Ledger::new().await;
    refused(&["--server", &other.url], 2, "is not a checkpoint by this log's key");
    let key = vkey(&mut ledger).await.to_string();
    refused(&["--server", &other.url, "--vkey", &key], 1, "not signed by its key");
    refused(&["--server", "http://127.0.0.1:9", "--vkey", &key], 3, "no server answers");
    refused(&["--check"], 2, "--vkey");
    refused(&["--check", "--pin", "/nowhere/at/all"], 2, "/nowhere/at/all");
    refused(&["--server", &ledger.url, "--vkey", "nonsense"], 2, "--vkey");

    // The same keys and genesis, two pasts: a copy of the data folder goes its own way.
    let copy = tempfile::tempdir().unwrap();
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
    let copied = Command::new("cp").arg("-a").arg(ledger.folder.path().join(".")).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    ledger.restart().await;
    grow(&mut ledger, 1..2).await;
    assert_eq!(json(&mirror(&["--json", "--server", &ledger.url], &folder))["size"], 4);
    let before = contents(&folder);
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
    let original = std::mem::replace(&mut ledger.folder, copy);
    let folder = original.path().join("public");
    let refused = |url: &str, words: &str| {
        let output = mirror(&["--server", url], &folder);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && error.contains(words), "{:?}: {error}", output.status);
        assert_eq!(contents(&folder), before);
        error
    };
    let forked = |url: &str, evidence: &str| {
        let error = refused(url, "its past was rewritten");
        let evidence = folder.join(evidence);
        assert!(error.contains(evidence.to_str().unwrap()), "{error}");
        let verified = crate::program::program().arg("verify-evidence").arg(&evidence).status();
        assert!(verified.unwrap().success());
    };
    ledger.restart().await;
    let error = refused(&ledger.url, "entries were taken back");
    assert!(error.contains("\n\u{2014} "), "the log's checkpoint is shown: {error}");
    grow(&mut ledger, 2..3).await;
    forked(&ledger.url, "evidence-4-4.pair");
    grow(&mut ledger, 3..400).await;
    forked(&ledger.url, "evidence-4-401.pair");
    assert_eq!(published(&ledger, &key.parse().unwrap()).size, 401);
}

#[tokio::test]
async fn every_file_of_a_folder_is_checked_by_a_pin_and_repaired() {
    let mut ledger = Ledger::new().await;
    let folder = ledger.folder.path().join("public");
    let pin = ledger.folder.path().join("ledger.pin");
    let pin = pin.to_str().unwrap();
    grow(&mut ledger, 0..4).await;
    json(&mirror(&["--json", "--server", &ledger.url], &folder));
    grow(&mut ledger, 4..9).await;
    json(&mirror(&["--json", "--server", &ledger.url, "--pin", pin], &folder));
    assert_eq!(json(&mirror(&["--json", "--check", "--pin", pin], &folder))["verified"], true);
    for path in ["tile/entries/000.p/6", "tile/0/000.p/6"] {
        let file = folder.join(path);
        let sound = fs::read(&file).unwrap();
        let mut damaged = sound.clone();
        damaged[40] ^= 1;
        fs::write(&file, damaged).unwrap();
        let output = mirror(&["--json", "--check", "--pin", pin], &folder);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &report["damaged"]), (Some(1), &serde_json::json!([path])), "{report}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(path));
        let repaired = json(&mirror(&["--json", "--all", "--server", &ledger.url], &folder));
        assert_eq!((&repaired["files_written"], &repaired["files_repaired"]), (&1.into(), &1.into()));
        assert_eq!(fs::read(&file).unwrap(), sound);
    }
    fs::write(folder.join("tile/readme"), "").unwrap();
    for arguments in [["--check", "--pin", pin].as_slice(), &["--all", "--server", &ledger.url]] {
        let output = mirror(arguments, &folder);
        let code = if arguments.len() == 3 && arguments[0] == "--check" { 1 } else { 4 };
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("tile/readme"), "{output:?}");
    }
}

#[tokio::test]
async fn a_mirror_that_is_killed_leaves_a_folder_that_holds_what_it_says() {
    let mut ledger = Ledger::new().await;
    let (folder, key) = (ledger.folder.path().join("public"), vkey(&mut ledger).await.to_string());
    let mut kills = 0;
    for round in 0..6 {
        grow(&mut ledger, round * 300..(round + 1) * 300).await;
        for delay_ms in [5, 20, 35] {
            let mut command = crate::program::program();
            let mut process =
                command.args(["mirror", "--server", &ledger.url]).arg(&folder).stdout(Stdio::null()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(delay_ms));
            kills += u32::from(process.try_wait().unwrap().is_none());
            // It may be done already.
            let _done = process.kill();
            process.wait().unwrap();
            if folder.join("checkpoint").exists() {
                assert_eq!(json(&mirror(&["--json", "--check", "--vkey", &key], &folder))["verified"], true);
            }
        }
    }
    assert!(kills > 0, "some were killed before they were done");
    assert_eq!(json(&mirror(&["--json", "--server", &ledger.url], &folder))["size"], 1_802);
    assert_eq!(json(&mirror(&["--json", "--check", "--vkey", &key], &folder))["size"], 1_802);
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.collect::<std::collections::BTreeSet<_>>(), ["checkpoint", "tile"].map(str::to_owned).into());
}
