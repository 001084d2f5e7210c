//! The witness alone, over its HTTP interface.

use std::{io::Write, net::TcpStream, process::Command, time::Duration};

use tempfile::TempDir;
use timebank::{
    format::{
        checkpoint::{self, Note, VerifierKey, cosignature::cosigned, witness::request_body},
        signature::PrivateKey,
    },
    merkle::{Frontier, Hash, consistency_proof, leaf_hash, stored_hash_number},
};

use crate::harness::Witness;

const ORIGIN: &str = "timebank.example/leeds";

/// A history of the ledger; `fork` tells its leaves from those of another.
pub(crate) struct Log {
    hashes: Vec<Hash>,
    roots: Vec<Hash>,
}

impl Log {
    pub(crate) fn new(fork: u8) -> Self {
        let mut frontier = Frontier::default();
        let (mut hashes, mut roots) = (Vec::new(), vec![frontier.root()]);
        for number in 0..20_u64 {
            frontier.append(leaf_hash(&[number.to_be_bytes().as_slice(), &[fork]].concat()), |hash| hashes.push(hash));
            roots.push(frontier.root());
        }
        Self { hashes, roots }
    }

    fn note(&self, size: usize) -> String {
        checkpoint::sign(ORIGIN, size as u64, &self.roots[size], ledger_key().signing_key())
    }

    pub(crate) fn request(&self, old: usize, new: usize) -> String {
        let node = |level, index| {
            let number = usize::try_from(stored_hash_number(level, index)).unwrap();
            self.hashes.get(number).copied().ok_or(())
        };
        request_body(old as u64, &consistency_proof(old as u64, new as u64, node).unwrap(), &self.note(new))
    }
}

fn ledger_key() -> PrivateKey {
    PrivateKey::from_seed([1; 32])
}

pub(crate) fn start() -> (TempDir, VerifierKey, Witness) {
    start_with("")
}

/// After a preparation of the process that it becomes, in a shell's words.
pub(crate) fn start_with(preparation: &str) -> (TempDir, VerifierKey, Witness) {
    let data = tempfile::tempdir().unwrap();
    let ledger = VerifierKey::new(ORIGIN, ledger_key().public_key()).unwrap();
    let witness = Witness::start_with(preparation, "127.0.0.1:0", data.path(), &ledger);
    (data, ledger, witness)
}

/// Where a monitor finds the newest checkpoint of `ORIGIN`.
fn monitored() -> String {
    use sha2::Digest;
    format!("/{}/checkpoint", hex::encode(sha2::Sha256::digest(ORIGIN)))
}

#[test]
fn a_checkpoint_is_cosigned_over_http_and_shown_to_monitors() {
    let (_data, _ledger, witness) = start();
    let log = Log::new(0);
    assert_eq!(witness.request("GET", &monitored(), "").0, 404);
    let before = jiff::Timestamp::now().as_second().unsigned_abs();
    let (status, _, line) = witness.add(&log.request(0, 7));
    assert_eq!(status, 200, "{line}");
    let note = format!("{}{line}", log.note(7));
    let parsed = Note::parse(note.as_bytes()).unwrap();
    let (_, time_s) = cosigned(&parsed, &witness.key).unwrap().expect("a cosignature");
    assert!(time_s >= before && time_s <= before + 60, "{time_s}");
    let (status, _, shown) = witness.request("GET", &monitored(), "");
    assert_eq!((status, shown), (200, note));
    assert_eq!(witness.add(&log.request(7, 20)).0, 200);
}

#[test]
fn a_second_history_is_refused_also_after_a_kill() {
    let (data, ledger, witness) = start();
    let (log, fork) = (Log::new(0), Log::new(1));
    assert_eq!(witness.add(&log.request(0, 7)).0, 200);
    let check = |witness: &Witness| {
        assert_eq!(witness.add(&fork.request(7, 9)).0, 422);
        assert_eq!(witness.add(&fork.request(7, 7)).0, 422);
        let (status, head, body) = witness.add(&fork.request(0, 9));
        assert_eq!((status, body.as_str()), (409, "7\n"));
        assert!(head.contains("content-type: text/x.tlog.size"), "{head}");
    };
    check(&witness);
    let key = witness.key.clone();
    // Drop kills it.
    drop(witness);
    let witness = Witness::start(data.path(), &ledger);
    assert_eq!(witness.key, key);
    check(&witness);
    assert_eq!(witness.add(&log.request(7, 9)).0, 200);
}

#[test]
fn a_bad_request_gets_a_clear_answer_and_the_witness_goes_on() {
    let (_data, _ledger, witness) = start();
    let log = Log::new(0);
    let good = log.request(0, 7);
    assert_eq!(witness.request("GET", "/add-checkpoint", "").0, 405);
    assert_eq!(witness.request("POST", &monitored(), "").0, 405);
    for path in ["/", "/checkpoint", "//checkpoint", "/../witness.key", "/add-checkpoint/", "/00/checkpoint"] {
        assert_eq!(witness.request("GET", path, "").0, 404, "{path}");
    }
    assert_eq!(witness.add("").0, 400);
    assert_eq!(witness.add(&good.replace("old 0", "old 00")).0, 400);
    assert_eq!(witness.add(&good.replace("old 0", "old 8")).0, 400);
    assert_eq!(witness.add(&good.replace(ORIGIN, "other.example")).0, 404);
    assert_eq!(witness.add(&good.replace("\n7\n", "\n6\n")).0, 403);
    assert_eq!(witness.add(&"a".repeat(64 * 1_024 + 1)).0, 413);
    let chunked = "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let endless = format!("{chunked}{}1\r\na", format!("4000\r\n{}\r\n", "a".repeat(0x4000)).repeat(4));
    assert_eq!(witness.exchange(endless.as_bytes()).0, 413);
    assert_eq!(witness.exchange(b"\x16\x03\x01 TLS?\r\n\r\n").0, 400);
    // Less of a body than was promised: nothing is cosigned, and nothing hangs.
    let mut cut = TcpStream::connect(&witness.address).unwrap();
    let promise = "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 5000\r\n\r\n";
    cut.write_all(format!("{promise}{good}").as_bytes()).unwrap();
    drop(cut);
    assert_eq!(witness.request("GET", &monitored(), "").0, 404);
    assert_eq!(witness.add(&good).0, 200);
}

#[test]
fn a_witness_that_is_told_to_end_does() {
    let (_data, _ledger, mut witness) = start();
    // A connection that is open and says nothing doesn't keep it.
    let _idle = TcpStream::connect(&witness.address).unwrap();
    assert_eq!(witness.add(&Log::new(0).request(0, 3)).0, 200);
    let killed = Command::new("kill").arg(witness.process.id().to_string()).status().unwrap();
    assert!(killed.success());
    let ended = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        witness.process.try_wait().unwrap()
    });
    assert_eq!(ended.expect("it ends").code(), Some(0));
}
