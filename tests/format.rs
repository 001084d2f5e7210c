//! `proto/README.md` says what is true: an independent program recomputes its golden values, and its canonical cases
//! hold for the crate's own bindings.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::{
    path::Path,
    process::{Command, Output},
};

use prost::Message;
use timebank::proto;

/// Exit code with which `tests/python_client.py` says that it lacks a package.
const SKIPPED: i32 = 77;

#[test]
fn an_independent_program_confirms_every_golden_value() {
    python(&["tests/verify_format.py"]);
}

#[test]
fn the_independent_program_notices_damage_to_any_golden_byte() {
    let Some(output) = python(&["tests/verify_format.py", "--self-test"]) else { return };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.lines().filter(|line| line.starts_with("caught: ")).count() > 10, "{said}");
}

#[test]
fn a_client_generated_from_the_proto_builds_valid_sheets() {
    python(&["tests/python_client.py"]);
}

#[test]
fn a_canonical_case_is_accepted_exactly_if_it_survives_re_encoding() {
    let page = include_str!("../proto/README.md");
    let cases = page.split("```text cases:canonical\n").nth(1).and_then(|rest| rest.split("```").next());
    let cases = cases.expect("the block of cases");
    assert!(cases.lines().count() > 20, "{cases}");
    for case in cases.lines() {
        let columns: Vec<&str> = case.split('|').map(str::trim).collect();
        let [message, data, verdict, _reason] = columns[..] else { panic!("four columns: {case}") };
        let bytes = hex::decode(data).expect("hex");
        let survives = match message {
            "EventRef" => survives::<proto::EventRef>(&bytes),
            "Interval" => survives::<proto::Interval>(&bytes),
            "Policy" => survives::<proto::Policy>(&bytes),
            "RegionDefined" => survives::<proto::RegionDefined>(&bytes),
            "Service" => survives::<proto::Service>(&bytes),
            "ServiceReversed" => survives::<proto::ServiceReversed>(&bytes),
            "Tariff" => survives::<proto::Tariff>(&bytes),
            other => panic!("a message this test knows, not {other}"),
        };
        assert_eq!(if survives { "accepted" } else { "refused" }, verdict, "{case}");
    }
}

fn survives<M: Message + Default>(bytes: &[u8]) -> bool {
    M::decode(bytes).is_ok_and(|message| message.encode_to_vec() == bytes)
}

/// Runs a script to its success, or says that it was skipped.
fn python(arguments: &[&str]) -> Option<Output> {
    let python = || {
        let mut command = Command::new("python3");
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
        command
    };
    let version = python().args(["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status();
    if !version.is_ok_and(|status| status.success()) {
        eprintln!("skipped: {} needs python3, 3.9 or newer", arguments.join(" "));
        return None;
    }
    let output = python().args(arguments).output().expect("python3 runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(SKIPPED) {
        eprintln!("{said}");
        return None;
    }
    assert!(output.status.success(), "{}:\n{said}", arguments.join(" "));
    Some(output)
}
