//! The program under test, undisturbed by the settings of whoever runs the tests.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_timebank");

/// The command with the settings of every test.
pub fn program() -> Command {
    settled(Command::new(BINARY))
}

/// A shell's script, in which `$0` is the program and what is added are `$1` and on.
pub fn shell(script: &str) -> Command {
    let mut shell = settled(Command::new("sh"));
    shell.args(["-c", script, BINARY]);
    shell
}

fn settled(mut command: Command) -> Command {
    for setting in ["TIMEBANK_SERVER", "TIMEBANK_KEY", "TIMEBANK_ZONE", "TIMEBANK_LANG"] {
        command.env_remove(setting);
    }
    // No clocks change there, so that no test fails on two nights of the year; and few machines' own are so far from UTC.
    command.env("TZ", "Asia/Shanghai");
    // Words are compared with English ones, whatever language the machine speaks.
    command.env("LC_ALL", "C.UTF-8");
    command
}
