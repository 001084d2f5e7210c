//! What is not on every machine, and what becomes of a test that needs it where it is missing.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder that this variable names; without it, what lies beside the project as `../shared/NAME`.
pub fn folder(variable: &str, name: &str) -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    std::env::var_os(variable).map_or_else(beside, PathBuf::from)
}

/// Says that a test is skipped, and why; fails under `CI=true`, where all has to be there.
pub fn skipped(missing: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "not skipped, as CI=true: {missing}");
    // Past the harness, which keeps to itself what a test that passes prints.
    std::io::stderr().write_all(format!("skipped: {missing}\n").as_bytes()).unwrap();
}

/// Runs tests of this very program, all of which read the folder that this variable names, without it: each says that it is
/// skipped, and fails under `CI=true`. `chosen`: as the program is asked for them.
pub fn assert_told(variable: &str, chosen: &[&str]) {
    let run = |ci: &str| {
        let mut program = Command::new(std::env::current_exe().unwrap());
        let output = program.args(chosen).env(variable, "/nowhere").env("CI", ci).output().unwrap();
        let [out, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        let ended =
            |verdict: &str| out.lines().filter(|line| line.starts_with("test ") && line.ends_with(verdict)).count();
        (ended("... ok"), ended("... FAILED"), error.lines().filter(|line| line.starts_with("skipped: ")).count())
    };
    let (passed, failed, _) = run("true");
    assert!(passed == 0 && failed > 0, "under CI=true {passed} passed and {failed} failed");
    let (passed, still_failed, skipped) = run("false");
    assert!(passed == failed && still_failed == 0 && skipped >= passed, "{skipped} lines for {passed} that passed");
}
