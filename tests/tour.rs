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

const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];

fn readme(name: &str) -> Vec<(String, bool)> {
    commands(&fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap())
}

/// A script of the commands, which stops at the first one that doesn't end as it should. `refused`: one that fails although
/// the tour says that it succeeds.
fn script(commands: &[(String, bool)], refused: Option<&str>) -> String {
    let mut script = "set -u\n".to_owned();
    for (command, succeeds) in commands {
        let succeeds = *succeeds && Some(command.as_str()) != refused;
        let check = if succeeds { "|| exit 9" } else { "&& exit 8" };
        script.extend(["echo '$ ", &command.replace('\'', "'\\''"), "'\n", command, " ", check, "\n"]);
    }
    script
}

/// The tour in an empty home, and once more in the same one.
fn tour(name: &str) {
    let commands = readme(name);
    let home = tempfile::tempdir().unwrap();
    let path = format!("{}:{}", Path::new(BINARY).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let prepare = |command: &mut Command| {
        // On a machine whose clocks aren't at UTC, as most aren't.
        command.current_dir(home.path()).env("HOME", home.path()).env("TMPDIR", home.path());
        command.env("PATH", &path).env("TZ", "Asia/Shanghai").env("LC_ALL", "C.UTF-8");
        for setting in ["XDG_DATA_HOME", "TIMEBANK_ZONE", "TIMEBANK_KEY", "TIMEBANK_LANG"] {
            command.env_remove(setting);
        }
    };
    let mut serve = Command::new(BINARY);
    prepare(&mut serve);
    let mut server = Server(serve.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let url =
        lines.map_while(Result::ok).find_map(|line| line.rsplit_once(" on ").map(|(_, url)| url.to_owned())).unwrap();

    // Twice in one shell: what the first left in it must not lead the second astray.
    let twice = [None, Some("timebank region define leeds")].map(|refused| script(&commands, refused)).concat();
    let mut shell = Command::new("bash");
    prepare(&mut shell);
    let output = shell.arg("-c").arg(twice).env("TIMEBANK_SERVER", &url).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    assert_eq!(errors.matches("[ServiceOverlaps]").count(), 2, "{errors}");
    assert_eq!(errors.matches("[RegionExists]").count(), 1, "{errors}");
    // 2:30 and 3, corrected to 2, less 30 given and an hour booked; half an hour and an hour.
    let balances: Vec<&str> = text.lines().filter(|line| line.starts_with("balance ")).collect();
    assert_eq!(balances.len(), 4, "{text}");
    for pair in balances.chunks(2) {
        assert!(pair[0].starts_with("balance 3 h, reserved 0 min, available 3 h ("), "{text}");
        assert!(pair[1].starts_with("balance 1 h 30 min, reserved 0 min, available 1 h 30 min ("), "{text}");
    }
    assert!(text.contains("to 11:30 +08:00") && text.contains(" +08:00\n"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("verified: ")).count(), 2, "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("Proved: ")).count(), 4, "proved and verified: {text}");
    // A table is as wide as its rules.
    for line in text.lines().filter(|line| line.contains('─') || line.contains('═')) {
        assert!(line.chars().count() <= 80, "wider than a terminal: {line}");
    }
}

#[test]
fn the_tour_of_the_readme_works_as_written() {
    tour(READMES[0]);
}

#[test]
fn the_tour_of_the_chinese_readme_works_as_written() {
    tour(READMES[1]);
}

#[test]
fn both_readmes_have_the_same_commands() {
    let [english, chinese] = READMES.map(readme);
    assert!(english.len() > 20, "the tour has commands");
    assert_eq!(english, chinese);
}
