//! Sheets that are signed without a network, carried in files, and submitted as often as anybody likes.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Instant,
};

use serde_json::Value;

use crate::{PATIENCE, Village, failure, keys};

impl Village {
    /// Signs minutes to a file without asking any server.
    fn sign(&self, minutes: &str, name: &str) -> String {
        self.sign_with(minutes, name, &[])
    }

    /// The same, where even the rules that need no server would refuse it.
    fn sign_unchecked(&self, minutes: &str, name: &str) -> String {
        self.sign_with(minutes, name, &["--unchecked"])
    }

    fn sign_with(&self, minutes: &str, name: &str, more: &[&str]) -> String {
        let file = self.path(name);
        let offline = ["--to-file", &file, "--server", "http://127.0.0.1:1", "--json"];
        let arguments = self.record(minutes, &[&offline, more].concat());
        let folder = self.ledger.folder.path();
        let output = crate::timebank(&arguments).arg("--data").arg(folder).output().unwrap();
        assert_eq!(failure(&output), (Some(0), String::new()));
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value, serde_json::json!({"file": file, "events": 1}));
        file
    }

    /// Submits files: exit code, errors, and what became of each.
    fn submit(&self, files: &[String]) -> (Option<i32>, String, Vec<Value>) {
        let arguments: Vec<&str> = ["submit"].into_iter().chain(files.iter().map(String::as_str)).collect();
        let output = self.ledger.run(&arguments);
        let (code, error) = failure(&output);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(keys(&value), ["sheets"]);
        let sheets = value["sheets"].as_array().unwrap().clone();
        assert!(sheets.iter().map(|sheet| sheet["file"].as_str().unwrap()).eq(files), "each file, in order");
        (code, error, sheets)
    }
}

#[test]
fn a_sheet_submitted_twice_gets_its_first_receipt_and_is_counted_once() {
    let village = Village::new();
    let file = village.sign("60", "monday.sheet");
    assert_eq!(village.size(), 5, "signing records nothing");
    let (code, _, first) = village.submit(std::slice::from_ref(&file));
    assert_eq!((code, &first[0]["receipt"]["index"]), (Some(0), &serde_json::json!(5)));
    village.ledger.json(&village.record("15", &[]));
    let size = village.size();
    let (code, _, second) = village.submit(&[file.clone(), file.clone()]);
    assert_eq!((code, village.size()), (Some(0), size), "no new entry");
    for again in &second {
        for part in ["index", "recorded_at", "events"] {
            assert_eq!(again["receipt"][part], first[0]["receipt"][part], "{part}");
        }
        assert!(again["receipt"]["inclusion_proof"].is_array(), "{again}");
    }
    assert_eq!(village.ledger.json(&["balance", &village.alice])["balance_minutes"], 75);

    let before = fs::read(&file).unwrap();
    let (code, error) = failure(&village.ledger.run(&village.record("60", &["--to", &file])));
    assert!(code == Some(2) && error.contains("never overwritten"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_damaged_file_is_told_apart_and_stands_in_nobodys_way() {
    let village = Village::new();
    let (good, other) = (village.sign("60", "good.sheet"), village.sign("30", "other.sheet"));
    let bytes = fs::read(&good).unwrap();
    let write = |name: String, bytes: &[u8]| {
        let path = village.path(&name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let lengths = (0..bytes.len()).step_by(7).chain([bytes.len() - 1]);
    let mut files: Vec<String> = lengths.map(|length| write(format!("cut-{length}"), &bytes[..length])).collect();
    files.push(village.path("missing.sheet"));
    files.push(write("text".to_owned(), b"volunteer,minutes\nalice,60\n"));
    let (code, error, sheets) = village.submit(&files);
    assert!(code == Some(2) && error.contains("can't be read"), "{error}");
    for sheet in &sheets {
        let (file, error) = (sheet["file"].as_str().unwrap(), sheet["error"].as_str().unwrap());
        let words = if file.ends_with("missing.sheet") { "No such file" } else { "is no sheet, or damaged: " };
        assert!(error.contains(file) && error.contains(words), "{error}");
    }
    assert_eq!(village.size(), 5);

    let flipped = (0..bytes.len()).map(|place| {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1 << (place % 8);
        write(format!("flipped-{place}"), &bytes)
    });
    let mut files: Vec<String> = flipped.collect();
    files.push(other);
    let (code, error, sheets) = village.submit(&files);
    assert_eq!(code, Some(4), "done in part: {error}");
    assert!(
        error.contains(&format!("{} of {} sheets were not recorded, 1 were", files.len() - 1, files.len())),
        "{error}"
    );
    let (last, flipped) = sheets.split_last().unwrap();
    assert_eq!(last["receipt"]["index"], 5, "the only one that was recorded: {last}");
    for sheet in flipped {
        let error = sheet["error"].as_str().unwrap();
        let known = ["is no sheet, or damaged: ", "[KeyUnknown]", "[SignatureInvalid]", "[OriginMismatch]"];
        assert!(known.iter().any(|words| error.contains(words)), "{sheet}");
    }
    let (code, _, sheets) = village.submit(&[good]);
    assert_eq!((code, &sheets[0]["receipt"]["index"]), (Some(0), &serde_json::json!(6)));
}

#[test]
fn a_sheet_that_a_rule_refuses_is_refused_beside_one_that_is_unreadable() {
    let village = Village::new();
    let refused = village.sign_unchecked("-5", "refused.sheet");
    let (code, error, sheets) = village.submit(&[village.path("missing.sheet"), refused]);
    assert_eq!(code, Some(1), "{error}");
    assert_eq!(sheets[1]["code"], "MinutesNotPositive", "{sheets:?}");
    let table = village.ledger.command(&["submit", &village.path("missing.sheet")]).output().unwrap();
    assert!(String::from_utf8_lossy(&table.stdout).contains("No such file"), "people read it as well");
}

/// Passes on what is said up to a call with `marker` in it; from then on what the server says is lost, and nobody else is
/// let in. Gives where to connect, and in the end the way to the server, which stays open until it is dropped.
fn losing_answers(server: &str, marker: Vec<u8>) -> (String, thread::JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let address = server.strip_prefix("http://").unwrap().to_owned();
    let passing = thread::spawn(move || {
        for client in listener.incoming() {
            let server = TcpStream::connect(&address).unwrap();
            if pass(client.unwrap(), &server, &marker) {
                return server;
            }
        }
        panic!("the command went away before it sent its sheet");
    });
    (url, passing)
}

/// Passes one connection on, up to its end or that of the marked call.
fn pass(mut client: TcpStream, mut server: &TcpStream, marker: &[u8]) -> bool {
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut answers, &mut back));
    let (mut sent, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let length = client.read(&mut buffer).unwrap();
        sent.extend_from_slice(&buffer[..length]);
        let complete = holds_call(&sent, marker);
        if complete {
            // Before the end of the call goes on, so that no answer is faster.
            client.shutdown(Shutdown::Write).unwrap();
        }
        server.write_all(&buffer[..length]).unwrap();
        if complete || length == 0 {
            return complete;
        }
    }
}

/// Whether what a client sent in HTTP/2 has a call with `marker` in it, up to its end: the call's body may come in
/// several frames, the last one empty.
fn holds_call(sent: &[u8], marker: &[u8]) -> bool {
    const PREFACE: usize = 24;
    const HEADER: usize = 9;
    const DATA: u8 = 0;
    const END_STREAM: u8 = 1;
    let (mut rest, mut marked) = (sent.get(PREFACE..).unwrap_or_default(), false);
    while let Some(([high, middle, low, kind, flags, ..], _)) = rest.split_first_chunk::<HEADER>() {
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        let Some(frame) = rest.get(HEADER..HEADER + length) else { break };
        marked |= frame.windows(marker.len()).any(|window| window == marker);
        if marked && *kind == DATA && flags & END_STREAM != 0 {
            return true;
        }
        rest = &rest[HEADER + length..];
    }
    false
}

#[test]
fn a_sheet_whose_answer_is_lost_is_kept_and_counted_once() {
    let village = Village::new();
    let origin = village.ledger.json(&["status"])["origin"].as_str().unwrap().to_owned();
    let (url, passing) = losing_answers(&village.ledger.url, origin.into_bytes());
    let folder = village.ledger.folder.path();
    let output =
        crate::timebank(&village.record("60", &["--server", &url])).arg("--data").arg(folder).output().unwrap();
    let (code, error) = failure(&output);
    let _open = passing.join().unwrap();
    assert_eq!(code, Some(3), "{error}");
    let mut kept = fs::read_dir(folder.join("unsent")).unwrap();
    let kept = kept.next().unwrap().unwrap().path().to_str().unwrap().to_owned();
    assert!(error.contains("don't do it again") && error.contains(&format!("timebank submit {kept}")), "{error}");

    let patient_until = Instant::now() + PATIENCE;
    while village.size() == 5 {
        assert!(Instant::now() < patient_until, "the server never recorded the sheet");
    }
    let (code, _, sheets) = village.submit(&[kept]);
    assert_eq!((code, &sheets[0]["receipt"]["index"]), (Some(0), &serde_json::json!(5)));
    assert_eq!(village.ledger.json(&["balance", &village.alice])["balance_minutes"], 60);
}

#[test]
fn a_sheet_that_can_not_be_kept_leaves_the_outcome_as_unknown_as_it_is() {
    let village = Village::new();
    let origin = village.ledger.json(&["status"])["origin"].as_str().unwrap().to_owned();
    let (url, passing) = losing_answers(&village.ledger.url, origin.into_bytes());
    let (key, file) = (village.path("operator.key"), village.path("alice.key"));
    let arguments = village.record("60", &["--server", &url, "--key", &key, "--data", &file]);
    let (code, error) = failure(&crate::timebank(&arguments).output().unwrap());
    let _open = passing.join().unwrap();
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("may be recorded or not") && error.contains("could not be kept"), "{error}");
    assert!(error.contains("`timebank history`"), "{error}");
}
