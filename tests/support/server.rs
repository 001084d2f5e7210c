//! A real server on a folder of its own, and the real command to talk to it.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test uses its part, and a test stops at the first surprise"
)]

#[path = "program.rs"]
mod program;

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A shell's script, in which `$0` is the program and what is added are `$1` and on.
pub fn shell(script: &str) -> Command {
    program::shell(script)
}

/// The command, undisturbed by the settings of whoever runs the tests.
pub fn timebank(arguments: &[&str]) -> Command {
    let mut command = program::program();
    command.args(arguments);
    command
}

/// `timebank serve` on a folder and any free port.
pub fn serve_command(folder: &Path) -> Command {
    let mut command = timebank(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(folder);
    command
}

/// Starts a server; gives it and where it serves.
pub fn start(command: &mut Command) -> (Child, String) {
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let url = lines.map_while(Result::ok).find_map(|line| {
        line.strip_prefix("serving ").and_then(|rest| rest.rsplit_once(" on ")).map(|(_, url)| url.to_owned())
    });
    (server, url.expect("the server says where it serves"))
}

/// A server on a data folder, killed when it goes.
pub struct Ledger {
    pub folder: TempDir,
    pub server: Child,
    pub url: String,
}

impl Ledger {
    pub fn new() -> Self {
        // For its owner alone, as a start makes it.
        let private = std::fs::Permissions::from_mode(0o700);
        Self::on(tempfile::Builder::new().permissions(private).tempdir().unwrap())
    }

    /// Serves what a folder holds.
    pub fn on(folder: TempDir) -> Self {
        let (server, url) = start(&mut serve_command(folder.path()));
        Self { folder, server, url }
    }

    /// Serves what a folder holds whose newest entry may be years old.
    pub fn on_old(folder: TempDir) -> Self {
        let (server, url) = start(serve_command(folder.path()).args(["--accept-clock", "now"]));
        Self { folder, server, url }
    }

    /// The command as somebody types it who has this ledger's data folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = timebank(arguments);
        command.args(["--server", &self.url, "--data"]).arg(self.folder.path());
        command
    }

    /// Runs a command that prints JSON.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).arg("--json").output().unwrap()
    }

    /// What a command prints that has to succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    pub fn restart(&mut self) {
        (self.server, self.url) = start(&mut serve_command(self.folder.path()));
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.server.kill();
        let _reaped = self.server.wait();
    }
}
