//! The tour of the README, command by command, as a new user types it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

const BINARY: &str = env!("CARGO_BIN_EXE_timebank");

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The commands of the blocks with this tag, in order, each with whether it has to succeed.
fn commands(readme: &str) -> Vec<(String, bool)> {
    let mut commands = Vec::new();
    let mut block = None;
    for line in readme.lines() {
        match (line, block) {
            ("```sh tour", _) => block = Some(true),
            ("```sh tour-refused", _) => block = Some(false),
            ("```", _) => block = None,
            (command, Some(succeeds)) => commands.push((command.to_owned(), succeeds)),
            _ => {}
        }
    }
    commands
}

#[test]
fn the_tour_of_the_readme_works_as_written() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let commands = commands(&readme);
    assert!(commands.len() > 15, "the tour has commands");
    let home = tempfile::tempdir().unwrap();
    let path = format!("{}:{}", Path::new(BINARY).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let prepare = |command: &mut Command| {
        // On a machine whose clocks aren't at UTC, as most aren't.
        command.current_dir(home.path()).env("HOME", home.path()).env("PATH", &path).env("TZ", "Asia/Shanghai");
        for setting in ["XDG_DATA_HOME", "TIMEBANK_ZONE", "TIMEBANK_KEY"] {
            command.env_remove(setting);
        }
    };
    let mut serve = Command::new(BINARY);
    prepare(&mut serve);
    let mut server = Server(serve.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let url =
        lines.map_while(Result::ok).find_map(|line| line.rsplit_once(" on ").map(|(_, url)| url.to_owned())).unwrap();

    let mut script = "set -u\n".to_owned();
    for (command, succeeds) in &commands {
        let check = if *succeeds { "|| exit 9" } else { "&& exit 8" };
        script.extend(["echo '$ ", &command.replace('\'', "'\\''"), "'\n", command, " ", check, "\n"]);
    }
    let mut shell = Command::new("bash");
    prepare(&mut shell);
    let output = shell.arg("-c").arg(&script).env("TIMEBANK_SERVER", url).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    assert!(errors.contains("ServiceOverlaps"), "{errors}");
    assert!(text.contains("balance 4 h 30 min, reserved 0 min, available 4 h 30 min (as of entry 7)"), "{text}");
    assert!(text.contains("\"available_minutes\":150"), "{text}");
    assert!(text.contains("09:00 to 11:30 +08:00") && text.contains(" +08:00\n"), "{text}");
    // A table is as wide as its rules.
    let tables = text.lines().filter(|line| line.contains('─') || line.contains('═'));
    for line in tables {
        assert!(line.chars().count() <= 80, "wider than a terminal: {line}");
    }
}
