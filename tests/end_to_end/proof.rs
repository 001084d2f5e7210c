//! Proofs from a running server, verified by files alone.

use std::{fs, path::Path};

use serde_json::Value;
use timebank::{
    format::{
        checkpoint::{self, VerifierKey},
        proto,
        signature::PrivateKey,
    },
    merkle,
};
use tonic::Code;

use super::{
    audit::{copy, text, timebank},
    harness::{Ledger, reason},
};

async fn json(arguments: &[&str]) -> (i32, Value) {
    let output = timebank(&[arguments, &["--json"]].concat()).await;
    let value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), value)
}

async fn ledger() -> (Ledger, String) {
    let mut ledger = Ledger::new().await;
    for number in 0..5 {
        ledger.accept(vec![ledger.half_hour(0, 1 + number), ledger.half_hour(1, 1 + number)]).await;
    }
    let vkey = ledger.status().await.ledger_vkey;
    (ledger, vkey)
}

#[tokio::test]
async fn an_event_is_proved_by_one_file_without_the_server() {
    let (mut ledger, vkey) = ledger().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hours.tlog-proof");
    let last = ledger.status().await.size - 1;
    let event = format!("{last}.1");
    let (code, written) = json(&["prove", &event, "--out", text(&file), "--server", &ledger.url]).await;
    assert_eq!((code, written["ledger_vkey"].as_str()), (0, Some(vkey.as_str())), "{written}");
    // Nobody's file is overwritten, and nothing is written of what isn't there.
    let again = timebank(&["prove", &event, "--out", text(&file), "--server", &ledger.url]).await;
    assert_eq!(again.status.code(), Some(2));
    let other = folder.path().join("other");
    for missing in [format!("{last}.2"), "99.0".to_owned()] {
        let output = timebank(&["prove", &missing, "--out", text(&other), "--server", &ledger.url]).await;
        assert_eq!(output.status.code(), Some(1), "{missing}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!other.exists());
    }
    ledger.server.kill().unwrap();

    let output = timebank(&["verify", text(&file), "--key", &vkey]).await;
    let sentence = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{sentence}");
    let person = hex::encode(ledger.people[1]);
    for words in ["Proved: the ledger", &ledger.origin, &format!("event 1 of entry {last}"), &person, "30 min"] {
        assert!(sentence.contains(words), "{words}: {sentence}");
    }
    let (code, report) = json(&["verify", text(&file), "--key", &vkey]).await;
    assert_eq!((code, report["event"].as_str()), (0, Some(event.as_str())), "{report}");
    let pin = ledger.folder.path().join("ledger.pin");
    assert_eq!(json(&["verify", text(&file), "--pin", text(&pin)]).await.0, 0);

    let stranger = VerifierKey::new(&ledger.origin, PrivateKey::from_seed([7; 32]).public_key()).unwrap().to_string();
    let (code, report) = json(&["verify", text(&file), "--key", &stranger]).await;
    assert_eq!((code, report["verdict"].as_str()), (1, Some("not proved")), "{report}");
    assert_eq!(json(&["verify", text(&file), "--key", "no key"]).await.0, 2);
    assert_eq!(json(&["verify", text(&file)]).await.0, 2);
    assert_eq!(json(&["verify", text(&other), "--key", &vkey]).await.0, 2);
    let changed = fs::read_to_string(&file).unwrap().replacen("index ", "index 1", 1);
    fs::write(&other, changed).unwrap();
    assert_eq!(json(&["verify", text(&other), "--key", &vkey]).await.0, 1);
    let policy = folder.path().join("policy");
    let witness = checkpoint::WitnessKey::new("w.example", PrivateKey::from_seed([8; 32]).public_key()).unwrap();
    fs::write(&policy, format!("witness w {witness}\nquorum w\n")).unwrap();
    let (code, report) = json(&["verify", text(&file), "--key", &vkey, "--witness-policy", text(&policy)]).await;
    assert!(code == 1 && report["problem"].as_str().unwrap().contains("too few witnesses"), "{report}");
}

fn write_checkpoint(ledger: &Ledger, to: &Path) {
    fs::copy(ledger.folder.path().join("checkpoint"), to).unwrap();
}

#[tokio::test]
async fn growth_is_proved_and_is_no_evidence_against_anybody() {
    let (mut ledger, vkey) = ledger().await;
    let folder = tempfile::tempdir().unwrap();
    let [kept, file] = ["kept", "pair"].map(|name| folder.path().join(name));
    // Of entry counts that are powers of two and others.
    for number in 0..4 {
        let receipt = ledger.accept(vec![ledger.half_hour(0, 10 + number)]).await;
        while ledger.status().await.checkpoint_size <= receipt.index {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        write_checkpoint(&ledger, &kept);
        ledger.accept(vec![ledger.half_hour(1, 10 + number)]).await;
        let arguments = ["prove", "--since", text(&kept), "--out", text(&file), "--force", "--server", &ledger.url];
        let (code, written) = json(&arguments).await;
        assert_eq!(code, 0, "{written}");
        let (code, report) = json(&["verify", text(&file), "--key", &vkey]).await;
        let grown = report["checkpoint_size"].as_u64().zip(report["old_size"].as_u64());
        assert!(code == 0 && grown.is_some_and(|(new, old)| new >= old && old == receipt.index + 1), "{report}");
        let (code, report) = json(&["verify-evidence", text(&file)]).await;
        assert_eq!((code, report["verdict"].as_str()), (1, Some("no evidence")), "{report}");
    }
}

/// The last line of a command's text, as a shell runs it.
fn paste(output: &std::process::Output, folder: &Path) -> std::process::Output {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().last().unwrap().trim().strip_prefix("timebank ").unwrap().to_owned();
    crate::program::shell(&format!("exec \"$0\" {line}")).current_dir(folder).output().unwrap()
}

#[tokio::test]
async fn the_command_that_verifies_a_proof_can_be_pasted_whatever_its_file_is_called() {
    let (ledger, vkey) = ledger().await;
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("a policy's file");
    fs::write(&policy, format!("log {vkey}\nquorum none\n")).unwrap();
    for name in ["a proof.tlog-proof", "it's 证明.proof", "$(id)"] {
        let file = folder.path().join(name);
        let output = timebank(&["prove", "2.0", "--out", text(&file), "--server", &ledger.url]).await;
        let pasted = paste(&output, folder.path());
        assert!(pasted.status.success(), "{output:?} {pasted:?}");
    }
    let (out, policy) = (folder.path().join("with policy"), text(&policy));
    let arguments = ["prove", "2.0", "--out", text(&out), "--witness-policy", policy, "--server", &ledger.url];
    let output = timebank(&arguments).await;
    assert!(String::from_utf8_lossy(&output.stdout).contains("--witness-policy"), "{output:?}");
    let pasted = paste(&output, folder.path());
    assert!(pasted.status.success(), "{output:?} {pasted:?}");
}

#[tokio::test]
async fn a_proof_tells_local_times_with_their_offset() {
    let (mut ledger, vkey) = ledger().await;
    let folder = tempfile::tempdir().unwrap();
    let mut event = ledger.half_hour(0, 30);
    let proto::event::Kind::ServiceRecorded(recorded) = &mut event else { panic!("a record") };
    recorded.service.as_mut().unwrap().utc_offset_seconds = 5 * 3_600 + 45 * 60;
    let index = ledger.accept(vec![event]).await.index;
    let (event, file) = (format!("{index}.0"), folder.path().join("proof"));
    let (code, written) = json(&["prove", &event, "--out", text(&file), "--server", &ledger.url]).await;
    assert_eq!((code, written["verdict"].as_str()), (0, Some("proved")), "{written}");
    let (_, report) = json(&["verify", text(&file), "--key", &vkey]).await;
    assert!(
        report["proves"].as_str().unwrap().contains(" to ") && report["proves"].as_str().unwrap().contains(" +05:45"),
        "{report}"
    );
}

#[tokio::test]
async fn growth_that_turns_out_to_be_a_fork_or_a_shorter_log_is_refused_and_said_so() {
    let mut ledger = Ledger::new().await;
    let folder = tempfile::tempdir().unwrap();
    let [kept, other, pair, backup] = ["kept", "other", "two histories", "backup"].map(|name| folder.path().join(name));
    let data = ledger.folder.path().to_owned();
    let stop = |ledger: &mut Ledger| {
        ledger.server.kill().unwrap();
        ledger.server.wait().unwrap();
    };
    stop(&mut ledger);
    copy(&data, &backup);
    ledger.restart().await;
    for number in 1..4 {
        let sheet = ledger.sheet(vec![ledger.half_hour(0, number)]);
        ledger.submit(sheet, proto::Until::Published).await.unwrap();
    }
    write_checkpoint(&ledger, &kept);
    // The backup is served, as it was, and as it goes on.
    stop(&mut ledger);
    copy(&backup, &data);
    ledger.restart().await;
    let size = ledger.status().await.size;
    let since =
        ["prove", "--since", text(&kept), "--out", text(&pair), "--server", &ledger.url.clone()].map(str::to_owned);
    let since: Vec<&str> = since.iter().map(String::as_str).collect();
    let (code, report) = json(&since).await;
    assert_eq!((code, report["verdict"].as_str()), (1, Some("not proved")), "{report}");
    let problem = report["problem"].as_str().unwrap();
    assert!(problem.contains(&format!("only {size} entries")) && problem.contains(&format!("over {}", size + 3)));
    assert!(!pair.exists());
    for number in 11..15 {
        let sheet = ledger.sheet(vec![ledger.half_hour(1, number)]);
        ledger.submit(sheet, proto::Until::Published).await.unwrap();
    }
    let (code, report) = json(&since).await;
    assert_eq!((code, report["verdict"].as_str()), (1, Some("forked")), "{report}");
    assert_eq!(report["file"].as_str(), Some(text(&pair)));
    // What is there is not overwritten, and what was found is said all the same.
    let again = timebank(&since).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("two histories"), "{again:?}");
    let output = timebank(&[&since, ["--force"].as_slice()].concat()).await;
    assert_eq!(output.status.code(), Some(1));
    let pasted = paste(&output, folder.path());
    assert!(pasted.status.success(), "{output:?} {pasted:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("timebank verify-evidence '"), "{output:?}");
    // A stranger's checkpoint says nothing of this log.
    let key = PrivateKey::generate();
    fs::write(&other, checkpoint::sign(&ledger.origin, 99, &[7; 32], key.signing_key())).unwrap();
    let (code, report) = json(&["prove", "--since", text(&other), "--server", &ledger.url]).await;
    assert_eq!(code, 1, "{report}");
    assert!(report["problem"].as_str().unwrap().contains("did not sign"), "{report}");
}

#[tokio::test]
async fn proofs_are_refused_for_what_is_not_there() {
    let (mut ledger, _) = ledger().await;
    let size = loop {
        let status = ledger.status().await;
        if status.checkpoint_size == status.size {
            break status.size;
        }
    };
    let client = &mut ledger.client;
    let code = |status: tonic::Status| (status.code(), reason(&status));
    let invalid = (Code::InvalidArgument, "FieldInvalid".to_owned());
    for (index, size) in [(size, size), (0, 0), (0, size + 1), (u64::MAX, u64::MAX)] {
        let asked = client.get_inclusion_proof(proto::GetInclusionProofRequest { index, size }).await;
        assert_eq!(asked.map_err(code).unwrap_err(), invalid, "{index} in {size}");
    }
    for (old_size, new_size) in [(0, size), (size, size - 1), (1, size + 1), (0, 0), (1, 0)] {
        let asked = client.get_consistency_proof(proto::GetConsistencyProofRequest { old_size, new_size }).await;
        assert_eq!(asked.map_err(code).unwrap_err(), invalid, "{old_size} to {new_size}");
    }
    let event = Some(proto::EventRef { index: 1, event: 99 });
    let asked = client.get_event_proof(proto::GetEventProofRequest { event, size }).await;
    assert_eq!(asked.map_err(code).unwrap_err(), (Code::NotFound, "EventUnknown".to_owned()));
    let proof = client.get_consistency_proof(proto::GetConsistencyProofRequest { old_size: 3, new_size: size }).await;
    let proof = proof.unwrap().into_inner();
    let hash = |hash: &bytes::Bytes| -> merkle::Hash { hash.as_ref().try_into().unwrap() };
    let path: Vec<merkle::Hash> = proof.hashes.iter().map(hash).collect();
    merkle::verify_consistency(3, &hash(&proof.old_root), size, &hash(&proof.new_root), &path).unwrap();
}
