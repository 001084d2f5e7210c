//! `proto/README.md` says what is true: an independent program recomputes its golden values, and its canonical cases
//! hold for the crate's own bindings.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::process::{Command, Output};

use prost::Message;
use timebank::format::proto;

#[test]
#[ignore = "needs Python: `.ci/run` sees to it"]
fn an_independent_program_confirms_every_golden_value() {
    python(&["tests/verify_format.py"]);
}

#[test]
#[ignore = "needs Python: `.ci/run` sees to it"]
fn the_independent_program_notices_damage_to_any_golden_byte() {
    let output = python(&["tests/verify_format.py", "--self-test"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.lines().filter(|line| line.starts_with("caught: ")).count() > 10, "{said}");
}

#[test]
#[ignore = "needs Python: `.ci/run` sees to it"]
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

/// Runs a script to its success.
fn python(arguments: &[&str]) -> Output {
    let python = std::env::var("TIMEBANK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python).current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output();
    let output = output.expect("python3 runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}:\n{said}", arguments.join(" "));
    output
}
