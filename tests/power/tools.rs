//! What else reads a data folder: `fsck`, `audit`, `export` with `restore`. Of a folder that `serve` takes, all have to say so.

use std::{path::Path, process::Output};

use serde_json::Value;

use super::{check::program, disk::Image, life::DATA};

/// What they say of a folder in which a ledger was still being made: nothing that anybody was told of is in it.
const NOTHING_YET: [&str; 2] = ["there is no ledger in it", "has no signed checkpoint yet"];

/// What all of them say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is sound.
    Sound,
    /// What follows from the log is damaged, and a start makes it again.
    Derived,
    /// There is nothing in it yet that anybody was told of.
    Nothing,
}

impl Verdict {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Derived => "sound but for what follows from the log",
            Self::Nothing => "no ledger yet",
        }
    }
}

/// Holds them to a state that a server took, each on a copy of its own. `is_told`: somebody had been told that there is a ledger.
///
/// # Errors
/// Which of them refuses it, and why.
pub fn agree(image: &Image, is_told: bool) -> Result<Verdict, String> {
    let copy = || {
        let folder = tempfile::tempdir().unwrap();
        image.write(folder.path()).unwrap();
        folder
    };
    let nothing = |words: &String| !is_told && NOTHING_YET.iter().any(|nothing| words.contains(nothing));
    let refuses = |name: &str, words: String| format!("{name} refuses what serve takes: {words}");
    let (for_fsck, for_audit, for_restore) = (copy(), copy(), copy());
    let damaged = match fsck(for_fsck.path(), DATA) {
        Err(words) if nothing(&words) => return Ok(Verdict::Nothing),
        damaged => damaged.map_err(|words| refuses("fsck", words))?,
    };
    match run(for_audit.path(), &["audit", "--data", DATA, "--memory", "memory"]) {
        Err(words) if nothing(&words) => return Ok(Verdict::Nothing),
        audited => audited.map_err(|words| refuses("audit", words))?,
    }
    let restored = run(for_restore.path(), &["export", "--data", DATA, "--out", "archive"])
        .and_then(|()| run(for_restore.path(), &["restore", "--archive", "archive", "--data", "new", "--keys", DATA]))
        .and_then(|()| fsck(for_restore.path(), "new"));
    let damaged_again = restored.map_err(|words| refuses("restore", words))?;
    if !damaged_again.is_empty() {
        return Err(format!("what was restored is damaged: {damaged_again:?}"));
    }
    Ok(if damaged.is_empty() { Verdict::Sound } else { Verdict::Derived })
}

/// The parts that are damaged; only those may be that follow from the log, as a start makes them again.
fn fsck(root: &Path, folder: &str) -> Result<Vec<String>, String> {
    let output = program(&["fsck", "--json", "--data", folder]).current_dir(root).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).map_err(|_none| words(&output))?;
    let problems = report["problems"].as_array().cloned().unwrap_or_default();
    let beyond_repair = problems.iter().find(|problem| problem["derived"] != Value::Bool(true));
    beyond_repair.map_or(Ok(()), |problem| Err(problem.to_string()))?;
    // Where nothing is damaged, everything was looked at.
    let mut unchecked = report["checks"].as_array().unwrap().iter().filter(|check| check["verdict"] == "not checked");
    if let (true, Some(check)) = (problems.is_empty(), unchecked.next()) {
        return Err(format!("sound, and {} was not looked at", check["part"]));
    }
    Ok(problems.iter().map(|problem| problem["part"].as_str().unwrap().to_owned()).collect())
}

fn run(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = program(arguments).current_dir(root).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(words(&output)) }
}

/// The last line of what a program complained.
fn words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    format!("{}: {}", output.status, text.lines().last().unwrap_or_default())
}
