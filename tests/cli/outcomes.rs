//! What a command says became of it is what did, wherever that can or can't be printed.

use std::{
    fs::File,
    io::Read,
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{Village, failure, lines};

/// A standard output that takes nothing: a disk that is full, and a pipe that nobody reads.
fn unwritable() -> [(&'static str, Stdio); 2] {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    [("a full disk", File::options().write(true).open("/dev/full").unwrap().into()), ("a closed pipe", writer.into())]
}

fn run_into(command: &mut Command, stdout: Stdio) -> (Option<i32>, String) {
    failure(&command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap())
}

#[test]
fn what_was_recorded_is_said_although_it_cannot_be_printed() {
    let village = Village::new();
    let (alice, station, key) = (village.alice.as_str(), village.station.as_str(), village.alice_key.as_str());
    village.ledger.json(&village.record("300", &[]));
    let sheet = village.path("kept.sheet");
    village.ledger.json(&village.record("11", &["--to-file", &sheet]));
    let place =
        ["hold", "place", "--payer", alice, "--station", station, "--minutes", "5", "--expires", "+1d", "--key", key];
    let enrolled = village.path("staff.key");
    village.ledger.json(&["key", "new", &enrolled]);
    village.ledger.json(&place);
    let held = village.size() - 1;
    let held = format!("{held}.0");
    let writes: [&[&str]; 12] = [
        &village.record("7", &[]),
        &["transfer", "--from", alice, "--to", &village.bob(), "--minutes", "1", "--key", key],
        &place,
        &["account", "open", "--station", station],
        &["station", "open", "--region", "leeds"],
        &["account", "floor", alice, "--minutes", "-600"],
        // These can be done once.
        &["submit", &sheet],
        &["region", "define", "york"],
        &["key", "enrol", &enrolled, "--role", "staff", "--account", station],
        &["hold", "release", &held, "--key", key],
        &["correct", "service", "5.0", "--minutes", "299"],
        &["correct", "reverse", "5.0", "--reason", "duplicate"],
    ];
    for (number, arguments) in writes.iter().enumerate() {
        for (what, stdout) in unwritable() {
            if what == "a closed pipe" && number > 5 {
                continue;
            }
            let size = village.size();
            let (code, error) = run_into(&mut village.ledger.command(arguments), stdout);
            assert_eq!(code, Some(0), "{arguments:?} into {what}: {error}");
            let told = if arguments.contains(&"open") {
                error.lines().last().unwrap().len() == 32
            } else {
                error.contains("recorded as ")
            };
            assert!(told && error.contains("standard output"), "{arguments:?} into {what}: {error}");
            assert_eq!(village.size(), size + 1, "{arguments:?} into {what}");
        }
    }
}

#[test]
fn whoever_reads_the_first_line_alone_is_told_nothing_twice() {
    let village = Village::new();
    for _ in 0..10 {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = village.ledger.command(&["status"]);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        reader.read_exact(&mut [0]).unwrap();
        drop(reader);
        assert_eq!(failure(&child.wait_with_output().unwrap()), (Some(0), String::new()));
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = village.ledger.command(&village.record("1", &[]));
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        reader.read_exact(&mut [0]).unwrap();
        drop(reader);
        assert_eq!(failure(&child.wait_with_output().unwrap()), (Some(0), String::new()));
    }
}

#[test]
fn a_refusal_or_a_read_ends_as_it_would_with_a_printer() {
    let village = Village::new();
    let sheet = village.path("refused.sheet");
    village.ledger.json(&village.record("-5", &["--to-file", &sheet, "--unchecked"]));
    for (what, stdout) in unwritable() {
        let (code, error) = run_into(&mut village.ledger.command(&["submit", &sheet]), stdout);
        assert!(code == Some(1) && error.contains("1 of 1 sheets were not recorded"), "{what}: {error}");
    }
    for (what, stdout) in unwritable() {
        let (code, error) = run_into(&mut village.ledger.command(&["balance", &village.alice]), stdout);
        // Whoever closed the pipe wanted no more; a full disk lost what was asked for.
        let expected = if what == "a closed pipe" { Some(0) } else { Some(2) };
        assert_eq!(code, expected, "{what}: {error}");
        assert_eq!(error.contains("can't be written"), what == "a full disk", "{what}: {error}");
    }
}

#[test]
fn a_watch_ends_when_its_reader_does() {
    let village = Village::new();
    let mut watch = village.ledger.command(&["watch", "--from-index", "0"]);
    let mut watch = crate::Running(watch.stdout(Stdio::piped()).spawn().unwrap());
    let shown = lines(watch.0.stdout.take().unwrap());
    let _first = shown.recv_timeout(crate::PATIENCE).unwrap();
    // The thread that reads goes with its receiver, and the pipe with the thread, at the next line.
    drop(shown);
    village.ledger.json(&village.record("5", &[]));
    let ended = watch.0.wait().unwrap();
    assert_eq!(ended.code(), Some(0));

    let mut watch = village.ledger.command(&["watch", "--from-index", "0"]);
    let mut watch = crate::Running(watch.stdout(Stdio::piped()).spawn().unwrap());
    std::thread::sleep(Duration::from_millis(200));
    drop(watch.0.stdout.take());
    assert_eq!(watch.0.wait().unwrap().code(), Some(0), "nothing more has to be recorded for it to end");
}

#[test]
fn a_server_that_falls_silent_is_never_said_to_have_recorded_or_not_where_nobody_knows() {
    let village = Village::new();
    let stop = |signal: &str| {
        let sent = Command::new("kill").args([signal, &village.ledger.server.id().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    stop("-STOP");
    let spawn = |arguments: &[&str]| {
        let mut command = village.ledger.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // Side by side: each waits for half a minute.
    let write = spawn(&village.record("5", &[]));
    let read = spawn(&["balance", &village.alice]);
    let listed = spawn(&["hold", "list"]);
    let end = |child: std::process::Child| -> (Option<i32>, String) { failure(&child.wait_with_output().unwrap()) };
    let (code, error) = end(write);
    assert!(code == Some(3) && error.contains("nothing was recorded: the server said nothing"), "{error}");
    for child in [read, listed] {
        let (code, error) = end(child);
        assert!(code == Some(3) && error.contains("said nothing") && !error.contains("recorded"), "a read: {error}");
    }
    stop("-CONT");
    assert_eq!(village.size(), 5, "and nothing was");
}

#[test]
fn errors_are_json_where_json_was_asked_for() {
    let village = Village::new();
    let error = |output: Output| -> Value {
        let (_, text) = failure(&output);
        serde_json::from_str::<Value>(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))["error"].clone()
    };
    let refused = error(village.ledger.run(&village.record("0", &[])));
    assert_eq!(
        (&refused["outcome"], &refused["code"], &refused["exit_code"]),
        (&"refused".into(), &"MinutesNotPositive".into(), &1.into())
    );
    assert_eq!((&refused["event"], refused["field"].is_string()), (&0.into(), true), "{refused}");
    let usage = error(village.ledger.run(&["balance", "nobody"]));
    assert_eq!((&usage["outcome"], &usage["exit_code"]), (&"usage".into(), &2.into()));
    let wrong = error(village.ledger.run(&["balance"]));
    assert_eq!((&wrong["outcome"], &wrong["exit_code"]), (&"usage".into(), &2.into()));
    let unknown = error(village.ledger.run(&["balance", &village.alice, "--nonsense"]));
    assert!(unknown["message"].as_str().unwrap().contains("--nonsense"), "{unknown}");
    let nowhere =
        error(crate::server::timebank(&["status", "--json", "--server", "http://127.0.0.1:1"]).output().unwrap());
    assert_eq!((&nowhere["outcome"], &nowhere["exit_code"]), (&"unreachable".into(), &3.into()));
    let (good, bad) = (village.path("good.sheet"), village.path("bad.sheet"));
    village.ledger.json(&village.record("5", &["--to-file", &good]));
    village.ledger.json(&village.record("-5", &["--to-file", &bad, "--unchecked"]));
    let partly = error(village.ledger.run(&["submit", &good, &bad]));
    assert_eq!((&partly["outcome"], &partly["exit_code"]), (&"partly".into(), &4.into()));
}

impl Village {
    /// Somebody who can be given minutes.
    fn bob(&self) -> String {
        let opened = self.ledger.json(&["account", "open", "--station", &self.station]);
        opened["account"].as_str().unwrap().to_owned()
    }
}
