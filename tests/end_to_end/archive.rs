//! Archives, from a real server into a new data folder and back.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Output,
    sync::atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;
use timebank::{
    engine::{key_file::KeyFile, log::StoredEntry},
    folder::{RestoreError, RestoreOptions, restore},
    format::{
        archive::{Reader, Writer},
        checkpoint, proto,
        signature::PrivateKey,
    },
};

use crate::{
    harness::{Ledger, command, serve},
    support,
};

fn timebank(arguments: &[&str]) -> Output {
    crate::program::program().args(arguments).output().unwrap()
}

fn done(arguments: &[&str]) -> String {
    let output = timebank(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that ends with this code says.
fn refused(code: i32, arguments: &[&str]) -> String {
    let output = timebank(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    text
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A ledger of some entries under a checkpoint, and a folder for archives.
async fn ledger(entries: i64) -> (Ledger, TempDir) {
    let mut ledger = Ledger::new().await;
    for number in 0..entries {
        record(&mut ledger, number).await;
    }
    (ledger, tempfile::tempdir().unwrap())
}

async fn record(ledger: &mut Ledger, number: i64) {
    let sheet = ledger.sheet(vec![ledger.half_hour(0, number)]);
    ledger.submit(sheet, proto::Until::Published).await.unwrap();
}

fn export(ledger: &Ledger, folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    done(&["export", "--server", &ledger.url, "--out", text(&path)]);
    path
}

fn stop(ledger: &mut Ledger) {
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
}

fn read(archive: &Path) -> (String, Vec<StoredEntry>, String) {
    let bytes = fs::read(archive).unwrap();
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    let mut entries = Vec::new();
    while let Some(more) = reader.next_entries().unwrap() {
        entries.extend(more);
    }
    (reader.origin().to_owned(), entries, reader.note().unwrap().to_owned())
}

/// An archive whose every byte is in order, whatever it holds.
fn forge(path: &Path, origin: &str, entries: &[StoredEntry], note: &str) {
    let mut writer = Writer::new(Vec::new(), origin).unwrap();
    for entry in entries {
        writer.push(entry).unwrap();
    }
    fs::write(path, writer.finish(note).unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_restores_a_ledger_that_exports_the_very_same_archive_and_goes_on() {
    let (mut ledger, folder) = ledger(5).await;
    let first = export(&ledger, &folder, "first");
    let again = export(&ledger, &folder, "again");
    assert_eq!(fs::read(&first).unwrap(), fs::read(&again).unwrap());
    let (before, lasting) = (ledger.status().await, ledger.lasting_status().await);
    stop(&mut ledger);

    let offline = folder.path().join("offline");
    done(&["export", "--data", text(ledger.folder.path()), "--out", text(&offline), "--size", "7"]);
    assert_eq!(fs::read(&first).unwrap(), fs::read(&offline).unwrap());

    let restored = folder.path().join("restored");
    let keys = text(ledger.folder.path());
    let arguments = ["restore", "--archive", text(&first), "--data", text(&restored), "--keys", keys];
    let report = done(&[&arguments[..], &["--key", &before.ledger_vkey, "--json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["root"], hex::encode(&before.root));
    assert_eq!(report["keys"], serde_json::json!(["ledger.key", "service.key", "operator.key"]));

    let back = folder.path().join("back");
    done(&["export", "--data", text(&restored), "--out", text(&back)]);
    assert_eq!(fs::read(&first).unwrap(), fs::read(&back).unwrap());
    done(&["fsck", "--data", text(&restored)]);

    (ledger.server, ledger.client, ledger.url) = serve(&restored).await;
    assert_eq!(ledger.lasting_status().await, lasting);
    assert_eq!(ledger.status().await.checkpoint_size, before.checkpoint_size);
    record(&mut ledger, 5).await;
    assert_eq!(ledger.status().await.size, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_refers_back_within_a_frame_and_across_frames_is_restored() {
    let (mut ledger, folder) = ledger(2).await;
    ledger.accept(vec![support::reverse(support::at(2, 0))]).await;
    // 18 sheets of some 65,000 bytes are more than one frame holds.
    for sheet in 0..18_u64 {
        let account = |number: u64| (u128::from(sheet * 1_000 + number) + (1 << 100)).to_be_bytes();
        let opened = |number| support::open(account(number), proto::AccountKind::Resident, "", Some(ledger.station));
        ledger.accept((0..1_000).map(opened).collect()).await;
    }
    let sheet = ledger.sheet(vec![support::reverse(support::at(3, 0))]);
    ledger.submit(sheet, proto::Until::Published).await.unwrap();
    let archive = export(&ledger, &folder, "archive");
    let bytes = fs::read(&archive).unwrap();
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    let frames = std::iter::from_fn(|| reader.next_entries().unwrap()).count();
    assert!(frames > 1, "{frames} frame");

    let restored = folder.path().join("restored");
    done(&["restore", "--archive", text(&archive), "--data", text(&restored)]);
    let back = folder.path().join("back");
    done(&["export", "--data", text(&restored), "--out", text(&back)]);
    assert_eq!(bytes, fs::read(&back).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_up_to_a_kept_checkpoint_is_the_archive_of_then() {
    let (mut ledger, folder) = ledger(3).await;
    let then = export(&ledger, &folder, "then");
    let kept = folder.path().join("checkpoint");
    fs::write(&kept, read(&then).2).unwrap();
    record(&mut ledger, 3).await;

    let now = folder.path().join("now");
    let arguments = ["export", "--server", &ledger.url, "--checkpoint", text(&kept), "--out", text(&now)];
    done(&arguments);
    assert_eq!(fs::read(&then).unwrap(), fs::read(&now).unwrap());

    assert!(refused(2, &arguments).contains("now exists: choose another name, or overwrite it with --force"));
    done(&[&arguments[..3], &["--out", text(&now), "--force"]].concat());
    let message = refused(2, &["export", "--server", &ledger.url, "--out", text(&now), "--force", "--size", "5"]);
    assert!(message.contains("the checkpoint is over 6 entries"), "{message}");

    let other = checkpoint::sign(&ledger.origin, 5, &[0; 32], PrivateKey::from_seed([1; 32]).signing_key());
    fs::write(&kept, other).unwrap();
    let message = refused(1, &["export", "--server", &ledger.url, "--checkpoint", text(&kept), "--out", "never"]);
    assert!(message.contains("entry 0 of the source names a ledger key that did not sign the checkpoint"), "{message}");
    assert_eq!(names(folder.path()), ["checkpoint", "now", "then"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_keys_a_restored_folder_is_read_and_not_served() {
    let (ledger, folder) = ledger(1).await;
    let archive = export(&ledger, &folder, "archive");
    let restored = folder.path().join("restored");
    let report = done(&["restore", "--archive", text(&archive), "--data", text(&restored)]);
    assert!(report.contains("Nothing but the archive itself vouches for its ledger key"), "{report}");
    assert_eq!(names(&restored), ["checkpoint", "ledger.pin", "log", "projections"]);

    let output = command(&restored).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && message.contains("without the ledger's key nothing can be signed"),
        "{message}"
    );
    done(&["export", "--data", text(&restored), "--out", text(&folder.path().join("back"))]);

    let message = refused(2, &["restore", "--archive", text(&archive), "--data", text(&restored)]);
    assert!(message.contains("is there and not empty, and nothing there is ever touched"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_restore_leaves_nothing_and_an_empty_folder_is_taken() {
    let (ledger, folder) = ledger(1).await;
    let archive = export(&ledger, &folder, "archive");
    let restored = folder.path().join("restored");
    let options = RestoreOptions { archive, folder: restored.clone(), keys: None, ledger_key: None };
    let interrupted = restore(&options, &|_| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(interrupted, RestoreError::Interrupted), "{interrupted}");
    assert_eq!(names(folder.path()), ["archive"]);

    fs::create_dir(&restored).unwrap();
    let seen = AtomicU64::default();
    let done = restore(&options, &|entries| {
        seen.store(entries, Ordering::Relaxed);
        ControlFlow::Continue(())
    });
    assert_eq!((done.unwrap().size, seen.into_inner()), (3, 3));
    assert_eq!(names(folder.path()), ["archive", "restored"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_another_ledger_or_an_older_one_is_not_restored() {
    let (mut ledger, folder) = ledger(1).await;
    let archive = export(&ledger, &folder, "archive");
    record(&mut ledger, 1).await;
    stop(&mut ledger);
    let other = Ledger::new().await;
    let restored = folder.path().join("restored");
    let arguments = ["restore", "--archive", text(&archive), "--data", text(&restored)];

    let message = refused(1, &[&arguments[..], &["--keys", text(ledger.folder.path())]].concat());
    assert!(message.contains("the archive has 3 entries") && message.contains("is signed over 4"), "{message}");
    let message = refused(2, &[&arguments[..], &["--keys", text(other.folder.path())]].concat());
    assert!(message.contains("ledger.key is not the key that this ledger's genesis names"), "{message}");
    let vkey = { other }.status().await.ledger_vkey;
    let message = refused(1, &[&arguments[..], &["--key", &vkey]].concat());
    assert!(message.contains("it is of another ledger, or forged"), "{message}");
    assert_eq!(names(folder.path()), ["archive"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_archives_are_refused_with_the_entry_that_is_wrong() {
    let (ledger, folder) = ledger(3).await;
    let archive = export(&ledger, &folder, "archive");
    let (origin, entries, note) = read(&archive);
    let forged = folder.path().join("forged");
    let check = |expected: &str| {
        let restored = folder.path().join("restored");
        let message = refused(1, &["restore", "--archive", text(&forged), "--data", text(&restored)]);
        assert!(message.contains(expected), "{message}");
        assert_eq!(names(folder.path()), ["archive", "forged"]);
    };
    let changed = |index: usize, change: fn(&mut StoredEntry)| {
        let mut entries = entries.clone();
        change(&mut entries[index]);
        forge(&forged, &origin, &entries, &note);
    };
    changed(3, |entry| {
        let mut event = entry.events[0].to_vec();
        *event.last_mut().unwrap() ^= 1;
        entry.events[0] = event.into();
    });
    check("entry 3 of the archive can't be decoded");
    changed(2, |entry| entry.signatures[0] = vec![0; 64].into());
    check("entry 2: ");
    changed(3, |entry| entry.recorded_at_ms -= 3_600_000);
    check("entry 3 was recorded at");
    changed(4, |entry| entry.recorded_at_ms += 1);
    check("the archive's 5 entries are not those of its signed checkpoint");

    let mut shorter = entries.clone();
    shorter.pop();
    let key = PrivateKey::from_seed([1; 32]);
    forge(&forged, &origin, &shorter, &checkpoint::sign(&origin, 4, &[0; 32], key.signing_key()));
    check("the archive's checkpoint is not one of its ledger key");
    let other = "timebank.example/other";
    forge(&forged, other, &entries, &checkpoint::sign(other, 5, &[0; 32], key.signing_key()));
    check("entry 0: ");
    forge(&forged, &origin, &[], &checkpoint::sign(&origin, 0, &[0; 32], key.signing_key()));
    check("the archive holds no entries");
    let mut bytes = fs::read(&archive).unwrap();
    bytes[300] ^= 1;
    fs::write(&forged, bytes).unwrap();
    check("the archive's frame 0 (entries from 0 on) is damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_its_checkpoint_is_not_over_is_not_exported() {
    let (mut ledger, folder) = ledger(2).await;
    stop(&mut ledger);
    let data = ledger.folder.path();
    let key = KeyFile::read(&data.join("ledger.key")).unwrap().key;
    for (size, expected) in [
        (4, "the source's first 4 entries are not those that the checkpoint was signed over"),
        (3, "the source's first 3 entries are not those that the checkpoint was signed over"),
        (5, "the log has 4 entries, fewer than its checkpoint"),
        (0, "the source's first 0 entries are not those"),
    ] {
        let note = checkpoint::sign(&ledger.origin, size, &[7; 32], key.signing_key());
        fs::write(data.join("checkpoint"), note).unwrap();
        let out = folder.path().join("out");
        let message = refused(1, &["export", "--data", text(data), "--out", text(&out)]);
        assert!(message.contains(expected), "{message}");
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
    let nowhere = folder.path().join("nowhere");
    let message = refused(2, &["export", "--data", text(&nowhere), "--out", text(&folder.path().join("out"))]);
    assert!(message.contains("there is no ledger in it") && !nowhere.exists(), "{message}");
}

/// Passes so many bytes of each answer on, then hangs up.
fn cut_off_after(bytes: u64, server: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = server.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (mut from, mut to) = (server.take(bytes), &client);
            std::io::copy(&mut from, &mut to).unwrap();
            to.flush().unwrap();
            client.shutdown(std::net::Shutdown::Both).unwrap();
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_leaves_no_archive() {
    let (ledger, folder) = ledger(8).await;
    let whole = fs::metadata(export(&ledger, &folder, "whole")).unwrap().len();
    for bytes in [0, 600, whole * 2 / 3] {
        let server = cut_off_after(bytes, &ledger.url);
        let cut = folder.path().join("cut");
        let message = refused(3, &["export", "--server", &server, "--out", text(&cut)]);
        assert!(message.contains("server"), "{message}");
        assert_eq!(names(folder.path()), ["whole"], "after {bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_more_leaves_no_archive() {
    let (ledger, folder) = ledger(8).await;
    let path = folder.path().join("archive");
    let run = |blocks: &str| {
        let script = "ulimit -f $1; trap '' XFSZ; exec \"$0\" export --server \"$2\" --out \"$3\"";
        crate::program::shell(script).args([blocks, &ledger.url, text(&path)]).output().unwrap()
    };
    let output = run("1");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        message.contains("archive was not written: the archive's frame 0 (entries from 0 on): File too large"),
        "{message}"
    );
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(names(folder.path()), Vec::<String>::new());
    assert!(run("unlimited").status.success());
}
