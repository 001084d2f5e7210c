//! Servers with witnesses.

use std::{fs, net::TcpListener, path::Path, time::Instant};

use tempfile::TempDir;
use timebank::format::checkpoint::{Note, VerifierKey, WitnessKey, open, policy::WitnessPolicy};

use crate::harness::{Server, Witness, exchange, serve_command};

/// A ledger that was served once without witnesses, and is stopped now.
pub(crate) async fn created() -> (TempDir, VerifierKey) {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]).await;
    let vkey = server.vkey().await;
    server.stop().await;
    (folder, vkey)
}

pub(crate) fn witness(ledger: &VerifierKey) -> (TempDir, Witness) {
    let data = tempfile::tempdir().unwrap();
    let witness = Witness::start(data.path(), ledger);
    (data, witness)
}

pub(crate) fn option(witness: &Witness) -> Vec<String> {
    vec!["--witness".to_owned(), format!("http://{}={}", witness.address, witness.key)]
}

/// Copies what a backup would.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn size(note: &str, ledger: &VerifierKey) -> u64 {
    open(note.as_bytes(), ledger, ledger.name()).unwrap().size
}

/// Serves a folder with a witness that objects, and gives what is said of it. Nothing may be signed.
fn refused(folder: &Path, witness: &Witness) -> String {
    let before = fs::read(folder.join("checkpoint")).unwrap();
    let ended = serve_command(folder, &option(witness)).output().unwrap();
    assert!(!ended.status.success());
    assert_eq!(fs::read(folder.join("checkpoint")).unwrap(), before, "nothing was signed");
    String::from_utf8(ended.stderr).unwrap()
}

#[tokio::test]
async fn a_ledger_is_cosigned_as_its_policy_asks_whoever_of_them_is_there() {
    let (folder, ledger) = created().await;
    let mut witnesses: Vec<(TempDir, Witness)> = (0..3).map(|_| witness(&ledger)).collect();
    let line = |(number, (_, witness)): (usize, &(TempDir, Witness))| {
        format!("witness w{number} {} http://{}", witness.key, witness.address)
    };
    let lines = witnesses.iter().enumerate().map(line).collect::<Vec<_>>().join("\n");
    let policy = format!("log {ledger}\n{lines}\ngroup all 2 w0 w1 w2\nquorum all\n");
    let file = folder.path().join("witnesses.policy");
    fs::write(&file, &policy).unwrap();
    let policy = WitnessPolicy::parse(&policy).unwrap();
    let options = ["--witness-policy".to_owned(), file.display().to_string()];
    let by = |note: &str| {
        let parsed = Note::parse(note.as_bytes()).unwrap();
        policy.satisfied(&parsed).expect("enough").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };

    let mut server = Server::start(folder.path(), &options).await;
    let added = server.add_entry().await;
    let note = server.cosigned(|note| size(note, &ledger) == added && by(note).len() == 3).await;
    assert_eq!(by(&note), ["w0", "w1", "w2"]);
    let request = b"GET /checkpoint HTTP/1.1\r\nhost: s\r\nconnection: close\r\n\r\n";
    let address = server.address.clone();
    let public = tokio::task::spawn_blocking(move || exchange(&address, request)).await.unwrap();
    assert_eq!((public.0, public.2), (200, note));

    let (data, third) = witnesses.pop().unwrap();
    let address = third.address.clone();
    drop(third);
    let added = server.add_entry().await;
    let note = server.cosigned(|note| size(note, &ledger) == added).await;
    assert_eq!(by(&note), ["w0", "w1"]);

    // One of three is too few: what was cosigned stays, and the log goes on.
    drop(witnesses.pop());
    let more = server.add_entry().await;
    let found = server.checkpoints().await;
    assert_eq!((size(&found.checkpoint, &ledger), size(&found.cosigned, &ledger)), (more, added));

    // Back again, and asked again without a new entry.
    let third = Witness::start_at(&address, data.path(), &ledger);
    let note = server.cosigned(|note| size(note, &ledger) == more).await;
    assert_eq!(by(&note), ["w0", "w2"]);

    // Kept over a restart, when nobody is there to ask.
    server.stop().await;
    drop((witnesses, third));
    let mut server = Server::start(folder.path(), &options).await;
    assert_eq!(server.checkpoints().await.cosigned, note);
}

#[tokio::test]
async fn a_ledger_put_back_from_an_old_copy_does_not_sign() {
    let (folder, ledger) = created().await;
    let copied = tempfile::tempdir().unwrap();
    copy(folder.path(), copied.path());
    let (_data, witness) = witness(&ledger);
    let mut server = Server::start(folder.path(), &option(&witness)).await;
    let added = server.add_entry().await;
    server.cosigned(|note| size(note, &ledger) == added).await;
    server.stop().await;

    let said = refused(copied.path(), &witness);
    assert!(said.contains("the log has 1 entries, but a checkpoint over 2 was signed"), "{said}");
    assert!(said.contains(witness.key.name()), "{said}");
    // The true one goes on.
    let mut server = Server::start(folder.path(), &option(&witness)).await;
    let added = server.add_entry().await;
    server.cosigned(|note| size(note, &ledger) == added).await;
}

#[tokio::test]
async fn a_copy_that_went_its_own_way_does_not_sign() {
    let (folder, ledger) = created().await;
    let copied = tempfile::tempdir().unwrap();
    copy(folder.path(), copied.path());
    let (_data, witness) = witness(&ledger);
    let mut server = Server::start(folder.path(), &option(&witness)).await;
    let added = server.add_entry().await;
    server.cosigned(|note| size(note, &ledger) == added).await;
    server.stop().await;

    let mut server = Server::start(copied.path(), &[]).await;
    server.add_entry().await;
    server.add_entry().await;
    server.stop().await;
    let said = refused(copied.path(), &witness);
    assert!(said.contains("the first 2 entries of the log are not those of the signed checkpoint"), "{said}");
}

#[tokio::test]
async fn a_witness_that_has_a_newer_checkpoint_of_the_same_log_does_not_object() {
    let (folder, ledger) = created().await;
    let (_data, witness) = witness(&ledger);
    let before = fs::read(folder.path().join("checkpoint")).unwrap();
    let mut server = Server::start(folder.path(), &option(&witness)).await;
    let added = server.add_entry().await;
    server.cosigned(|note| size(note, &ledger) == added).await;
    server.stop().await;
    // The log is whole, and only its checkpoint is an older one.
    fs::write(folder.path().join("checkpoint"), before).unwrap();
    fs::remove_file(folder.path().join("cosigned")).unwrap();
    let mut server = Server::start(folder.path(), &option(&witness)).await;
    assert!(!server.log().contains("does not confirm"), "{}", server.log());
    let added = server.add_entry().await;
    server.cosigned(|note| size(note, &ledger) == added).await;
}

#[tokio::test]
async fn a_witness_that_hangs_or_lies_holds_nothing_up() {
    let (folder, ledger) = created().await;
    let (_data, good) = witness(&ledger);
    // Connections are made and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let key: WitnessKey = {
        let (_data, other) = witness(&ledger);
        other.key.clone()
    };
    let mut options = option(&good);
    options.extend(["--witness".to_owned(), format!("http://{}={key}", silent.local_addr().unwrap())]);
    let mut server = Server::start(folder.path(), &options).await;
    for _ in 0..2 {
        let start = Instant::now();
        let added = server.add_entry().await;
        assert!(start.elapsed().as_secs() < 3, "{:?}", start.elapsed());
        server.cosigned(|note| size(note, &ledger) == added).await;
    }
    server.stop().await;

    // Another witness's key under this one's address: its cosignatures count for nothing.
    let wrong = vec!["--witness".to_owned(), format!("http://{}={key}", good.address)];
    fs::remove_file(folder.path().join("cosigned")).unwrap();
    let mut server = Server::start(folder.path(), &wrong).await;
    server.add_entry().await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(server.checkpoints().await.cosigned, "");
}

#[tokio::test]
async fn witnesses_that_can_not_be_asked_are_a_usage_error() {
    let (folder, ledger) = created().await;
    let (_data, witness) = witness(&ledger);
    let policy = folder.path().join("policy");
    let text = format!("witness w {}\nquorum w\n", witness.key);
    fs::write(&policy, &text).unwrap();
    let check = |options: &[&str], expected: &str| {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let ended = serve_command(folder.path(), &options).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    check(&["--witness-policy", policy.to_str().unwrap()], "the witness w has no URL");
    check(&["--witness-policy", "/nowhere"], "/nowhere");
    check(&["--witness", "http://127.0.0.1:1"], "expected URL=VKEY");
    check(&["--witness", &format!("http://127.0.0.1:1={ledger}")], "0x01");
    check(&["--witness", &format!("https://127.0.0.1:1={}", witness.key)], "only http");
    check(&["--witness", &format!("127.0.0.1:1={}", witness.key)], "expected http://");
    fs::write(&policy, text.replace("quorum w", "quorum v")).unwrap();
    check(&["--witness-policy", policy.to_str().unwrap()], "line 2");
}
