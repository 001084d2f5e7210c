//! Ledgers with two witnesses, one honest, one hostile: cosigning goes on, starts go on, and the administrator is told.

use std::{fs, path::Path, time::Duration};

use timebank::{
    engine::key_file::KeyFile,
    format::{
        checkpoint::{self, Note, VerifierKey, WitnessKey, policy::WitnessPolicy},
        signature::PrivateKey,
    },
};

use crate::{
    harness::{Server, serve_command},
    hostile::{Hostile, Mischief},
    ledger::{created, option, size, witness},
};

/// The name of every hostile witness.
const EVIL: &str = "evil.example/w";
/// Sums up to more than the one wait that a start has, and is less than it.
const SLOW: Duration = Duration::from_secs(4);

/// The names by which a note is cosigned, as an auditor sees it who knows all these keys.
fn cosigners(note: &str, keys: &[&WitnessKey]) -> Vec<String> {
    let lines = keys.iter().map(|key| format!("witness {} {key}\n", key.name())).collect::<Vec<_>>().concat();
    let policy = WitnessPolicy::parse(&format!("{lines}quorum none\n")).unwrap();
    let names = policy.satisfied(&Note::parse(note.as_bytes()).unwrap()).expect("every line verifies");
    names.into_iter().map(str::to_owned).collect()
}

/// A ledger whose witnesses are an honest one and this one, either of which is enough, is cosigned by the honest one, entry
/// after entry, and its log says of the other what it did.
async fn check(mischief: Mischief, told: &[&str]) {
    let (folder, ledger) = created().await;
    let (_data, honest) = witness(&ledger);
    let hostile = Hostile::start(EVIL, mischief);
    let mut server = Server::start(folder.path(), &[hostile.option(), option(&honest)].concat()).await;
    for _ in 0..2 {
        let added = server.add_entry().await;
        let cosigned = |note: &str| {
            size(note, &ledger) == added
                && cosigners(note, &[&hostile.key, &honest.key]).iter().any(|name| name == honest.key.name())
        };
        server.cosigned(cosigned).await;
    }
    server.told(&[&[EVIL], told].concat()).await;
}

#[tokio::test]
async fn one_that_extends_the_text_stops_no_cosigning() {
    check(Mischief::ExtendsTheText, &["the answer is not lines of signatures"]).await;
}

#[tokio::test]
async fn one_that_signs_another_text_stops_no_cosigning() {
    check(Mischief::SignsAnotherText, &["the cosignature of evil.example/w is invalid"]).await;
}

#[tokio::test]
async fn one_that_replays_an_old_line_stops_no_cosigning() {
    check(Mischief::Replays, &["the cosignature of evil.example/w is invalid"]).await;
}

#[tokio::test]
async fn one_that_sends_lines_of_others_stops_no_cosigning() {
    check(Mischief::SendsLinesOfOthers, &["no cosignature of the witness's key"]).await;
    check(Mischief::SendsManyLines, &["more than 100"]).await;
}

#[tokio::test]
async fn one_that_sends_something_else_stops_no_cosigning() {
    check(Mischief::SendsAHugeBody, &["its answer can't be used: length limit exceeded"]).await;
    check(Mischief::SendsGarbage, &["did not cosign"]).await;
    check(Mischief::Redirects, &["status 302"]).await;
    check(Mischief::HangsUp, &["its answer can't be used"]).await;
}

#[tokio::test]
async fn one_that_can_not_say_what_it_has_stops_no_cosigning() {
    check(Mischief::ConflictsWithGarbage, &["status 409", "many\\u{1b}[31m"]).await;
    check(Mischief::FlipsItsSize, &["changes its size"]).await;
}

#[tokio::test]
async fn one_that_claims_more_than_there_is_stops_no_cosigning() {
    let claim = "it says that it has cosigned 18446744073709551615 entries";
    check(Mischief::ClaimsMore { shows: String::new() }, &[claim, "status 404"]).await;
    check(Mischief::ClaimsMore { shows: "no note".to_owned() }, &[claim]).await;
}

#[tokio::test]
async fn one_that_claims_another_history_stops_no_cosigning() {
    check(Mischief::ClaimsAnother { shows: String::new() }, &["another history", "status 404"]).await;
}

#[tokio::test]
async fn one_that_says_nothing_stops_no_cosigning() {
    check(Mischief::IsSilent, &["did not cosign"]).await;
}

#[tokio::test]
async fn one_that_says_something_for_ever_stops_no_cosigning() {
    check(Mischief::Trickles, &["did not cosign"]).await;
    check(Mischief::NeverBegins, &["did not cosign"]).await;
}

/// The key that signs a stopped ledger's checkpoints.
fn ledger_key(folder: &Path) -> PrivateKey {
    KeyFile::read(&folder.join("ledger.key")).unwrap().key
}

fn signed(ledger: &VerifierKey, size: u64, key: &PrivateKey) -> String {
    checkpoint::sign(ledger.name(), size, &[7; 32], key.signing_key())
}

#[tokio::test]
async fn what_a_witness_shows_counts_only_by_the_ledgers_own_signature() {
    let (folder, ledger) = created().await;
    let key = ledger_key(folder.path());
    let start = async |mischief| {
        let hostile = Hostile::start(EVIL, mischief);
        let mut server = Server::start(folder.path(), &hostile.option()).await;
        server.add_entry().await;
        let log = server.log();
        server.stop().await;
        log
    };
    // Of a stranger's key, of another ledger, and the very checkpoint that is there.
    let stranger = signed(&ledger, 1_000, &PrivateKey::generate());
    let log = start(Mischief::ClaimsMore { shows: stranger }).await;
    assert!(log.contains("none of the note's signatures is by a known key"), "{log}");
    let other = checkpoint::sign("other.example", 1_000, &[7; 32], key.signing_key());
    let log = start(Mischief::ClaimsMore { shows: other }).await;
    assert!(log.contains("none of the note's signatures is by a known key"), "{log}");
    let own = fs::read_to_string(folder.path().join("checkpoint")).unwrap();
    let log = start(Mischief::ClaimsMore { shows: own.clone() }).await;
    assert!(log.contains("what it shows is in this log"), "{log}");
    let log = start(Mischief::ClaimsAnother { shows: own }).await;
    assert!(log.contains("what it shows is in this log"), "{log}");
}

#[tokio::test]
async fn what_the_ledger_signed_itself_stops_a_start_whoever_shows_it() {
    let (folder, ledger) = created().await;
    let key = ledger_key(folder.path());
    let refused = |mischief: Mischief| {
        let hostile = Hostile::start(EVIL, mischief);
        let before = fs::read(folder.path().join("checkpoint")).unwrap();
        let ended = serve_command(folder.path(), &hostile.option()).output().unwrap();
        assert!(!ended.status.success());
        assert_eq!(fs::read(folder.path().join("checkpoint")).unwrap(), before, "nothing was signed");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains(EVIL) && said.contains(&hostile.address), "{said}");
        said
    };
    let more = refused(Mischief::ClaimsMore { shows: signed(&ledger, 1_000, &key) });
    assert!(more.contains("a checkpoint over 1000 was signed"), "{more}");
    let another = refused(Mischief::ClaimsAnother { shows: signed(&ledger, 1, &key) });
    assert!(another.contains("the first 1 entries of the log are not those of the signed checkpoint"), "{another}");
}

#[tokio::test]
async fn a_start_waits_for_all_hostile_witnesses_once() {
    let (folder, ledger) = created().await;
    let (_data, honest) = witness(&ledger);
    let mischiefs = [
        Mischief::IsSilent,
        Mischief::IsSilent,
        Mischief::NeverBegins,
        Mischief::IsSlow(SLOW),
        Mischief::ClaimsMore { shows: String::new() },
    ];
    let named = mischiefs.into_iter().zip(1..);
    let hostile: Vec<_> = named.map(|(what, number)| Hostile::start(&format!("{EVIL}{number}"), what)).collect();
    let options: Vec<_> = hostile.iter().flat_map(Hostile::option).chain(option(&honest)).collect();
    let start = std::time::Instant::now();
    let mut server = Server::start(folder.path(), &options).await;
    // Asking them one after another, or one of them again and again, would take 12 s at least.
    assert!(start.elapsed() < 3 * SLOW, "{:?}", start.elapsed());
    let added = server.add_entry().await;
    server.cosigned(|note| size(note, &ledger) == added).await;
    server.told(&["evil.example/w1", "evil.example/w2", "evil.example/w3", "evil.example/w4", "evil.example/w5"]).await;
}

#[tokio::test]
async fn a_policy_that_is_missed_is_told_once_and_again_when_it_is_met() {
    let (folder, ledger) = created().await;
    let (_data, honest) = witness(&ledger);
    let hostile = Hostile::start(EVIL, Mischief::ExtendsTheText);
    let file = folder.path().join("policy");
    let lines = format!(
        "witness good {} http://{}\nwitness evil {} http://{}\n",
        honest.key, honest.address, hostile.key, hostile.address
    );
    fs::write(&file, format!("{lines}group both all good evil\nquorum both\n")).unwrap();
    let mut server = Server::start(folder.path(), &["--witness-policy".to_owned(), file.display().to_string()]).await;
    let missed = "too few witnesses: 2 of 2 in both are needed, 1 are there; not cosigned by evil";
    server.add_entry().await;
    server.told(&[missed]).await;
    for _ in 0..3 {
        server.add_entry().await;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
    }
    assert_eq!(server.checkpoints().await.cosigned, "");
    let log = server.log();
    assert_eq!(log.matches("too few witnesses").count(), 1, "{log}");
    hostile.turn(Mischief::Cosigns);
    let added = server.add_entry().await;
    let note = server.cosigned(|note| size(note, &ledger) == added).await;
    assert_eq!(cosigners(&note, &[&hostile.key, &honest.key]).len(), 2);
    server.told(&["enough witnesses cosign again"]).await;
}
