//! An auditor's memory that is old, damaged, another's, or can't be kept: it is told with its path, and changes no verdict.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use timebank::format::{
    archive::{Reader, Writer},
    proto,
};

use crate::{
    audit::{audit, copy, export, text},
    harness::Ledger,
};

/// A ledger's archive, its pin, and another ledger's.
struct Fixture {
    folder: TempDir,
    archive: PathBuf,
    pin: PathBuf,
    ledger: Ledger,
}

async fn fixture() -> Fixture {
    let mut ledger = Ledger::new().await;
    for number in 1..6 {
        ledger.accept(vec![ledger.half_hour(0, number)]).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let [archive, pin] = ["archive", "pin"].map(|name| folder.path().join(name));
    export(&ledger, &archive).await;
    fs::copy(ledger.folder.path().join("ledger.pin"), &pin).unwrap();
    Fixture { folder, archive, pin, ledger }
}

/// Puts something else in the place of a file or folder.
type Block = fn(&Path);

fn inside(memory: &Path) -> PathBuf {
    fs::read_dir(memory).unwrap().next().unwrap().unwrap().path()
}

/// An audit's exit code, report and errors, in another home.
fn audit_at_home(home: &str, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let mut command = crate::program::program();
    let command = command.env("HOME", home).env_remove("XDG_STATE_HOME").env_remove("XDG_DATA_HOME");
    let output = command.args(["audit", "--json"]).args(arguments).output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), report, String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn only_a_pin_makes_an_audit_pinned_and_later_ones_as_well() {
    let Fixture { folder, archive, pin, .. } = fixture().await;
    let memory = folder.path().join("memory");
    let unpinned = ["--archive", text(&archive), "--memory", text(&memory)];
    let pinned = [unpinned.as_slice(), &["--pin", text(&pin)]].concat();
    let check = async |arguments: &[&str], expected: bool, why: &str| {
        let (code, report) = audit(arguments).await;
        assert_eq!((code, &report["pinned"]), (0, &expected.into()), "{why}: {report}");
    };
    check(&unpinned, false, "nobody pinned it").await;
    check(&unpinned, false, "an audit without a pin pins nothing").await;
    check(&pinned, true, "it is pinned now").await;
    check(&unpinned, true, "it was pinned before").await;
    // Of versions that did not say who had a pin.
    let marker = inside(&memory).join("pinned");
    let right = fs::read(&marker).unwrap();
    fs::remove_file(&marker).unwrap();
    check(&unpinned, false, "nobody knows whether it was pinned").await;
    for (wrong, why) in [(String::new(), "empty"), (String::from_utf8(right).unwrap().replace('0', "1"), "another's")] {
        fs::write(&marker, wrong).unwrap();
        check(&unpinned, false, why).await;
    }
    check(&pinned, true, "it is pinned again").await;
    check(&unpinned, true, "and stays so").await;
}

#[tokio::test]
async fn a_state_of_another_genesis_than_the_one_that_is_known_is_not_gone_on_from() {
    let Fixture { folder, archive, pin, .. } = fixture().await;
    let memory = folder.path().join("memory");
    let arguments = ["--archive", text(&archive), "--memory", text(&memory)];
    assert_eq!(audit(&arguments).await.0, 0);
    // As an audit that was cut off leaves it: a state, and what is known is from elsewhere.
    let known = fs::read_to_string(&pin).unwrap();
    let (before, hash) = known.trim_end().trim_end_matches('"').rsplit_once('"').unwrap();
    let other = format!("{before}\"{}\"\n", hash.replace(|_: char| true, "7"));
    fs::write(inside(&memory).join("pin"), &other).unwrap();
    fs::write(inside(&memory).join("pinned"), &other).unwrap();
    for name in ["checkpoint", "tree"] {
        fs::remove_file(inside(&memory).join(name)).unwrap();
    }
    let (code, report) = audit(&arguments).await;
    assert_eq!((code, &report["finding"]["code"]), (1, &"NotAsPinned".into()), "{report}");
}

#[tokio::test]
async fn a_memory_that_can_not_be_kept_is_told_and_changes_no_verdict() {
    let Fixture { folder, archive, .. } = fixture().await;
    let source = ["--archive", text(&archive)];
    let (code, report, error) = audit_at_home("/proc/nobody", &source);
    assert_eq!((code, &report["verdict"], &report["remembered"]), (Some(0), &"verified".into(), &false.into()));
    for told in [report["memory_problem"].as_str().unwrap(), &error] {
        assert!(told.contains("/proc/nobody/.local/state/timebank/audits"), "{told}");
    }
    assert_eq!(error.lines().count(), 1, "{error}");

    let home = folder.path().join("home");
    let (code, report, error) = audit_at_home(text(&home), &source);
    let kept = (code, &report["remembered"], &report["memory_problem"]);
    assert_eq!(kept, (Some(0), &true.into(), &Value::Null), "{report}");
    assert_eq!(error, "");

    // What was named has to serve.
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    for named in ["/proc/nomem", text(&file), text(&file.join("below"))] {
        let (code, report, error) = audit_at_home(text(&home), &[&source, ["--memory", named].as_slice()].concat());
        assert_eq!((code, &report), (Some(2), &Value::Null), "{named}: {error}");
        assert!(error.contains(named), "{error}");
    }
}

#[tokio::test]
async fn a_memory_whose_disk_is_full_costs_no_verdict() {
    let Fixture { folder, archive, mut ledger, .. } = fixture().await;
    let [memory, longer] = ["memory", "longer"].map(|name| folder.path().join(name));
    assert_eq!(audit(&["--archive", text(&archive), "--memory", text(&memory)]).await.0, 0);
    ledger.accept(vec![ledger.half_hour(0, 7)]).await;
    export(&ledger, &longer).await;
    let before = fs::read(inside(&memory).join("checkpoint")).unwrap();
    // A file of the state that takes nothing more: an audit begins in it, and fails where it writes.
    let full = rustix::fs::memfd_create("full", rustix::fs::MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::fcntl_add_seals(&full, rustix::fs::SealFlags::GROW).unwrap();
    let state = inside(&memory).join("archive");
    fs::remove_dir_all(&state).unwrap();
    fs::create_dir(&state).unwrap();
    let file = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&full));
    std::os::unix::fs::symlink(file, state.join("tree")).unwrap();
    let (code, report) = audit(&["--archive", text(&longer), "--memory", text(&memory)]).await;
    assert_eq!((code, &report["verdict"], &report["remembered"]), (0, &"verified".into(), &false.into()), "{report}");
    let problem = report["memory_problem"].as_str().unwrap();
    assert!(problem.contains(text(&memory)) && problem.contains("own files failed"), "{problem}");
    assert_eq!(fs::read(inside(&memory).join("checkpoint")).unwrap(), before, "what is known is left alone");
}

#[tokio::test]
async fn a_memory_that_can_only_be_read_is_used_and_told() {
    let Fixture { folder, archive, mut ledger, .. } = fixture().await;
    let [known, used, longer] = ["known", "used", "longer"].map(|name| folder.path().join(name));
    ledger.submit(ledger.sheet(vec![ledger.half_hour(0, 9)]), proto::Until::Published).await.unwrap();
    export(&ledger, &longer).await;
    assert_eq!(audit(&["--archive", text(&longer), "--memory", text(&known)]).await.0, 0);
    let arguments = ["--archive", text(&archive), "--memory", text(&used)];
    // Files and folders in each other's place fail as read-only ones do, for whoever may write anything.
    let blocks: [(&str, Block); 5] = [
        ("lock", |path| fs::create_dir(path).unwrap()),
        ("archive", |path| fs::write(path, "").unwrap()),
        ("archive.beside", |path| fs::write(path, "").unwrap()),
        ("tree", |path| fs::create_dir(path).unwrap()),
        ("checkpoint", |path| fs::create_dir(path).unwrap()),
    ];
    for (name, block) in blocks {
        for source in [&archive, &longer] {
            copy(&known, &used);
            let path = inside(&used).join(name);
            let _absent = fs::remove_dir_all(&path);
            let _absent = fs::remove_file(&path);
            block(&path);
            let (code, report, error) =
                audit_at_home("/proc/nobody", &[&["--archive", text(source)], &arguments[2..]].concat());
            let is_older = source == &archive;
            assert_eq!(code, Some(if is_older { 4 } else { 0 }), "{name}: {report} {error}");
            assert_eq!(report["verdict"], "verified", "{name}: {report}");
            let told = report["memory_problem"].as_str();
            let is_in_the_way = name != "archive.beside" || is_older;
            let is_told = told.is_some_and(|told| told.contains(text(&inside(&used))));
            assert_eq!(is_told, is_in_the_way, "{name}: {report}");
        }
    }
    // In the place of all of it there is nothing to read, and nothing can be kept.
    copy(&known, &used);
    let ledgers = inside(&used);
    fs::remove_dir_all(&ledgers).unwrap();
    fs::write(&ledgers, "").unwrap();
    let (code, _, error) = audit_at_home("/proc/nobody", &arguments);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains(text(&ledgers)), "{error}");
}

#[tokio::test]
async fn a_memory_of_another_ledger_of_the_name_is_left_alone_and_told() {
    let Fixture { folder, archive, pin, ledger, .. } = fixture().await;
    let [memory, other_pin] = ["memory", "other pin"].map(|name| folder.path().join(name));
    let arguments = ["--archive", text(&archive), "--memory", text(&memory)];
    assert_eq!(audit(&arguments).await.0, 0);
    let before = fs::read(inside(&memory).join("checkpoint")).unwrap();
    let text_of_pin = fs::read_to_string(&pin).unwrap();
    let (start, _) = text_of_pin.split_once("genesis_leaf_hash").unwrap();
    fs::write(&other_pin, format!("{start}genesis_leaf_hash = \"{}\"\n", "7".repeat(64))).unwrap();
    let (code, report) = audit(&[&arguments, ["--pin", text(&other_pin)].as_slice()].concat()).await;
    assert_eq!((code, &report["finding"]["code"], &report["remembered"]), (1, &"NotAsPinned".into(), &false.into()));
    let problem = report["memory_problem"].as_str().unwrap();
    assert!(problem.contains(text(&inside(&memory))) && problem.contains("another ledger"), "{problem}");
    assert_eq!(fs::read(inside(&memory).join("checkpoint")).unwrap(), before);
    // Who names another ledger's memory by its folder begins a new one beside it.
    let stranger = folder.path().join("stranger");
    let other = Ledger::new().await;
    export(&other, &stranger).await;
    let known = inside(&memory);
    let of_stranger = ["--archive", text(&stranger), "--memory", text(&memory)];
    let (code, report) = audit(&of_stranger).await;
    assert_eq!((code, &report["resumed_at"], &report["remembered"]), (0, &0.into(), &true.into()), "{report}");
    // What somebody copied over it from another ledger's accuses nobody.
    let folders = fs::read_dir(&memory).unwrap().map(|entry| entry.unwrap().path());
    let own = folders.into_iter().find(|folder| *folder != known).unwrap();
    for name in ["pin", "checkpoint", "tree"] {
        fs::copy(known.join(name), own.join(name)).unwrap();
    }
    let (code, report) = audit(&of_stranger).await;
    assert_eq!((code, &report["resumed_at"], &report["remembered"]), (0, &0.into(), &false.into()), "{report}");
    assert!(report["memory_problem"].as_str().unwrap().contains(text(&own)), "{report}");
    drop(ledger);
}

#[tokio::test]
async fn an_archive_that_is_not_what_was_signed_names_the_first_entry_that_is_another() {
    let Fixture { folder, archive, ledger, .. } = fixture().await;
    let [memory, changed] = ["memory", "changed"].map(|name| folder.path().join(name));
    assert_eq!(audit(&["--archive", text(&archive), "--memory", text(&memory)]).await.0, 0);
    let mut reader = Reader::new(fs::File::open(&archive).unwrap()).unwrap();
    let mut writer = Writer::new(Vec::new(), &ledger.origin).unwrap();
    while let Some(entries) = reader.next_entries().unwrap() {
        for mut entry in entries {
            // A millisecond more breaks no rule but the root's.
            entry.recorded_at_ms += i64::from(entry.index >= 4);
            writer.push(&entry).unwrap();
        }
    }
    fs::write(&changed, writer.finish(reader.note().unwrap()).unwrap()).unwrap();
    let (code, report) = audit(&["--archive", text(&changed), "--memory", text(&memory)]).await;
    let finding = &report["finding"];
    assert_eq!((code, &finding["code"], &finding["entry"]), (1, &"RootMismatch".into(), &4.into()), "{report}");
    assert!(finding["message"].as_str().unwrap().ends_with("The first is entry 4"), "{report}");
    // Who knows nothing can't say which one it is.
    let (code, report) = audit(&["--archive", text(&changed)]).await;
    assert_eq!((code, &report["finding"]["entry"]), (1, &Value::Null), "{report}");
}

#[tokio::test]
async fn an_audit_that_only_looks_through_what_it_knows_ends_when_it_is_told_to() {
    let mut ledger = Ledger::new().await;
    for sheet in 0..200 {
        let hours = sheet * 40..sheet * 40 + 40;
        let events = hours.flat_map(|hour| [ledger.half_hour(0, hour), ledger.half_hour(1, hour)]).collect();
        ledger.accept(events).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let [memory, archive, pipe] = ["memory", "archive", "pipe"].map(|name| folder.path().join(name));
    export(&ledger, &archive).await;
    assert_eq!(audit(&["--archive", text(&archive), "--memory", text(&memory)]).await.0, 0);
    let bytes = fs::read(&archive).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = crate::program::program();
    let command = command.args(["audit", "--archive", text(&pipe), "--memory", text(&memory)]);
    let mut audit = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut into = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    into.write_all(&bytes[..bytes.len() / 3]).unwrap();
    assert!(Command::new("kill").args(["-INT", &audit.id().to_string()]).status().unwrap().success());
    let began = Instant::now();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // It waits for a frame, looks up, and waits for no other: the end of the pipe never comes.
    let _gone = into.write_all(&bytes[bytes.len() / 3..bytes.len() * 9 / 10]);
    assert_eq!(audit.wait().unwrap().code(), Some(3));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
