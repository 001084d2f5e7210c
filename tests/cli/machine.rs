//! A machine that takes a service's files away, or has too little of something: what is said, how it ends, and what stays.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    Running, failure,
    server::{Ledger, serve_command, shell, timebank},
};

/// What the columns of a sheet of one row are.
const MAPPING: &str = r#"source = "of one row"
account_kind = "resident"
columns = { record = "id", volunteer = "person", station = "place", date = "day", minutes = "minutes" }"#;

/// A server whose log is read when it has ended.
fn started(folder: &Path) -> (Running, String) {
    let mut server = serve_command(folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("serving ")).unwrap();
    (Running(server), line.rsplit_once(" on ").unwrap().1.to_owned())
}

fn ended(server: &mut Child) -> (Option<i32>, String) {
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    (server.wait().unwrap().code(), log)
}

/// Defines a region.
fn record(folder: &Path, url: &str, code: &str) -> std::process::Output {
    timebank(&["region", "define", code, "--json", "--server", url, "--data"]).arg(folder).output().unwrap()
}

/// What happens to an open log, and whether somebody records after it.
fn check_log(take: impl FnOnce(&Path), records: bool) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("data");
    let (mut server, url) = started(&folder);
    assert!(record(&folder, &url, "leeds").status.success());
    let key = home.path().join("operator.key");
    fs::copy(folder.join("operator.key"), &key).unwrap();
    take(&folder);
    if records {
        let key = key.to_str().unwrap();
        let output = timebank(&["region", "define", "york", "--server", &url, "--key", key, "--data"])
            .arg(home.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "nothing is acknowledged that no start would find");
    } else {
        kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
    }
    let (code, log) = ended(&mut server.0);
    assert_eq!(code, Some(70), "{log}");
    assert!(log.contains("log/db was deleted, moved or replaced while it was written to"), "{log}");
}

#[test]
fn a_log_that_was_taken_away_from_a_service_ends_it() {
    let delete = |folder: &Path| fs::remove_file(folder.join("log/db")).unwrap();
    let replace = |folder: &Path| {
        fs::copy(folder.join("log/db"), folder.join("log/new")).unwrap();
        fs::rename(folder.join("log/new"), folder.join("log/db")).unwrap();
    };
    let move_folder = |folder: &Path| fs::rename(folder, folder.with_file_name("elsewhere")).unwrap();
    check_log(delete, true);
    check_log(delete, false);
    check_log(replace, true);
    check_log(move_folder, true);
    check_log(move_folder, false);
}

/// The program with so little of something, as `ulimit` takes it.
fn short_of(limit: &str, folder: &Path) -> Command {
    let mut command = shell(&format!("ulimit {limit}; exec \"$0\" serve --listen 127.0.0.1:0 --data \"$1\""));
    command.arg(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// How a service ends that had too little from its start, and what it said; none where it came up.
fn start_short_of(limit: &str, folder: &Path) -> Option<(Option<i32>, String)> {
    let mut server = Running(short_of(limit, folder).spawn().unwrap());
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let serves = lines.map_while(Result::ok).any(|line| line.starts_with("serving "));
    if serves {
        server.0.kill().unwrap();
        server.0.wait().unwrap();
        return None;
    }
    Some(ended(&mut server.0))
}

/// All files below a folder that a start must not take for damaged, with their sizes. One that the process was writing when it
/// ended has no name yet, and goes at the next start.
fn derived(folder: &Path) -> Vec<(PathBuf, u64)> {
    let files = fs::read_dir(folder.join("projections")).unwrap().map(|file| file.unwrap());
    let files = files.filter(|file| !file.file_name().to_string_lossy().starts_with(".timebank-"));
    let mut files: Vec<_> = files.map(|file| (file.path(), file.metadata().unwrap().len())).collect();
    files.sort();
    files
}

#[test]
fn a_start_short_of_descriptors_says_so_and_deletes_nothing() {
    let mut ledger = Ledger::new();
    ledger.json(&["region", "define", "leeds"]);
    kill_process(Pid::from_child(&ledger.server), Signal::TERM).unwrap();
    ledger.server.wait().unwrap();
    let folder = ledger.folder.path();
    let before = derived(folder);
    let mut refused = 0;
    for descriptors in 7..64 {
        let Some((code, log)) = start_short_of(&format!("-n {descriptors}"), folder) else { break };
        assert_eq!(code, Some(71), "with {descriptors}: {log}");
        assert!(log.contains("Too many open files") && !log.contains("panicked"), "with {descriptors}: {log}");
        assert!(!log.contains("Check the disk"), "with {descriptors}: {log}");
        assert_eq!(derived(folder), before, "with {descriptors}: {log}");
        assert!(!folder.join("projections.set-aside").exists(), "with {descriptors}: {log}");
        refused += 1;
    }
    assert!((5..57).contains(&refused), "{refused}");
    ledger.restart();
    assert_eq!(ledger.json(&["status"])["size"], 2);
}

#[test]
fn a_service_comes_up_in_a_gibibyte_and_says_what_is_short_in_less() {
    let ledger = Ledger::new();
    let folder = ledger.folder.path().join("small");
    assert_eq!(start_short_of("-v 1048576", &folder), None);
    for kibibytes in [400_000, 200_000, 100_000, 60_000] {
        let Some((code, log)) = start_short_of(&format!("-v {kibibytes}"), &folder) else { continue };
        // Memory that a program can't get for itself ends it on the spot: nothing is left that could say more.
        let ended = log.contains("memory allocation of") || log.contains("out of memory");
        assert!(code == Some(71) || code.is_none() && ended, "{kibibytes}: {code:?} {log}");
        assert!(!log.contains("panicked"), "{kibibytes}: {log}");
    }
}

#[test]
fn what_cannot_be_read_stops_a_start_and_is_not_taken_for_damage() {
    let check = |name: &str| {
        let mut ledger = Ledger::new();
        ledger.kill();
        let path = ledger.folder.path().join(name);
        // A folder in the place of a file: read by nobody, and no damage of what was there.
        let _absent = fs::remove_file(&path);
        fs::create_dir(&path).unwrap();
        let output = serve_command(ledger.folder.path()).output().unwrap();
        let (code, error) = failure(&output);
        assert_eq!(code, Some(2), "{name}: {error}");
        assert!(error.contains(&format!("{name}: Is a directory")), "{name}: {error}");
        assert!(!ledger.folder.path().join("projections.set-aside").exists(), "{name}");
    };
    for name in ["cosigned", "service.key", "projections/snapshot", "projections/tree", "checkpoint"] {
        check(name);
    }
}

/// All that is below a folder, with its mode.
fn modes(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let (entry, path) = entry.map(|entry| (entry.metadata().unwrap(), entry.path())).unwrap();
        found.push((path.clone(), entry.permissions().mode() & 0o777));
        if entry.is_dir() {
            modes(&path, found);
        }
    }
}

#[test]
fn nobody_else_enters_a_data_folder() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("data");
    let mut wide = shell("umask 0; exec \"$0\" serve --listen 127.0.0.1:0 --data \"$1\"");
    let mut server = wide.arg(&folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map(Running).unwrap();
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("serving ")).unwrap();
    let url = line.rsplit_once(" on ").unwrap().1.to_owned();
    let (table, mapping) = (home.path().join("names.csv"), home.path().join("mapping.toml"));
    fs::write(&table, "id,person,place,day,minutes\n1,alice@example.org,s1,2026-01-02,30\n").unwrap();
    fs::write(&mapping, MAPPING).unwrap();
    let import = format!("import {} --mapping {} --open-accounts", table.display(), mapping.display());
    for arguments in ["region define leeds", &import] {
        let script = format!("umask 0; exec \"$0\" {arguments} --server {url} --data \"$1\"");
        let output = shell(&script).arg(&folder).output().unwrap();
        assert!(output.status.success(), "{arguments}: {output:?}");
    }
    assert!(folder.join("directory").is_dir());
    kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
    let (_code, log) = ended(&mut server.0);
    assert!(!log.contains("chmod"), "{log}");
    let mut found = vec![(folder.clone(), fs::metadata(&folder).unwrap().permissions().mode() & 0o777)];
    modes(&folder, &mut found);
    let public = ["checkpoint", "ledger.pin"];
    for (path, mode) in &found {
        let is_public = path.parent() == Some(&folder) && public.iter().any(|name| path.ends_with(name));
        let is_closed = mode & !0o700 == 0;
        assert!(is_closed || is_public && *mode == 0o644, "{}: {mode:o}", path.display());
    }
    assert!(found.len() > 15, "{found:?}");
}

#[test]
fn a_folder_that_others_may_enter_is_told_by_a_start_and_by_fsck() {
    let fsck = |folder: &Path| -> Vec<Value> {
        let output = timebank(&["fsck", "--json", "--data"]).arg(folder).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["problems"].as_array().unwrap().clone()
    };
    let mut ledger = Ledger::new();
    ledger.kill();
    let folder = ledger.folder.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(fsck(folder), Vec::<Value>::new());
    for (name, mode) in [("", 0o755), ("log", 0o755), ("log/db", 0o644), ("log/conf", 0o644)] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let problems = fsck(folder);
    let places: Vec<&str> = problems.iter().map(|problem| problem["place"].as_str().unwrap()).collect();
    assert_eq!(places, [".", "log/"], "{problems:?}");
    assert!(problems.iter().all(|problem| problem["part"] == "folder"), "{problems:?}");
    assert!(problems[1]["problem"].as_str().unwrap().contains("2 of what is in it (mode 755)"), "{problems:?}");
    let (mut server, _url) = started(folder);
    kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
    let (_code, log) = ended(&mut server.0);
    assert!(
        log.contains("can be entered by others than its owner (mode 755)") && log.contains("chmod -R go="),
        "{log}"
    );
    assert!(Command::new("chmod").args(["-R", "go="]).arg(folder).status().unwrap().success());
    assert_eq!(fsck(folder), Vec::<Value>::new(), "the command that is named is all there is to do");
}
