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
    Running,
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
