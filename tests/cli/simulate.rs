//! A writer on simulated machines, as a command.

use serde_json::Value;

use super::{failure, server::timebank};

fn simulate(arguments: &[&str]) -> std::process::Output {
    timebank(&["simulate"]).args(arguments).output().unwrap()
}

#[test]
fn seeds_tell_what_happened_and_the_same_again() {
    let told = |arguments: &[&str]| -> Value {
        let output = simulate(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let report = told(&["--seeds", "8", "--seed", "100", "--json"]);
    assert_eq!((&report["first_seed"], &report["seeds"]), (&100.into(), &8.into()));
    assert!(report["happened"]["acknowledged"].as_u64().unwrap() > 8, "{report}");
    assert_eq!(report, told(&["--seeds", "8", "--seed", "100", "--json"]));
}

#[test]
fn one_seed_is_told_step_by_step() {
    let output = simulate(&["--seed", "7", "--steps"]);
    let steps = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && steps.contains("\nCommit: Ok(())\n"), "{steps}");
    assert!(steps.contains("seed 7: nothing acknowledged was lost, doubled or changed"), "{steps}");
}

#[test]
fn seeds_that_cannot_be_run_are_told_so() {
    for (arguments, words) in [
        (&["--seeds", "0"][..], "expected one or more"),
        (&["--seeds", "2", "--steps"], "--steps tells a single seed"),
        (&["--seed", "18446744073709551615", "--seeds", "2"], "below 2^64"),
        (&["--seeds", "many"], "invalid value 'many'"),
    ] {
        let (code, said) = failure(&simulate(arguments));
        assert!(code == Some(2) && said.contains(words), "{arguments:?}: {code:?}: {said}");
    }
}
