//! `timebank fsck`

use std::path::PathBuf;

use serde_json::json;

use super::{
    bars::Bars,
    output::{Failure, tell, usage},
    process,
};
use crate::{
    engine::progress::Progress as _,
    folder::{self, Findings, FsckError, Part, defaults},
};

/// Look a data folder through, whole, while the service is down.
///
/// The log is replayed, every signature and rule again, and everything else is held against it: the tree, kept roots,
/// checkpoints, projections, keys, links of imports. Everything that is damaged is named, with what to do. The store
/// is opened as a start opens it, which may end a write that was interrupted, and sets a damaged snapshot of the store
/// aside; apart from that nothing is changed without --repair, and the log never is. Needs room in the data folder for its
/// projections once or twice more while it runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 sound, or all repaired; 1 something is damaged, and is named; 2 wrong usage, or no
ledger; 3 the folder can't be read, or the service runs.

Examples:
  timebank fsck
  timebank fsck --data /srv/timebank --json
  timebank fsck --data /srv/timebank --repair         makes again what follows from the log")]
pub(crate) struct Arguments {
    /// Data folder [default: the one that `serve` uses].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Make again what follows from the log: projections, and a ledger.pin that is gone. Only where log, tree, checkpoint and
    /// keys are sound.
    #[arg(long)]
    repair: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    process::make_private();
    process::start_threads()?;
    let folder = arguments.data.unwrap_or_else(defaults::default_folder);
    let repair = arguments.repair;
    let looked = process::interruptible(move |is_stopped| {
        let bars = Bars::until(is_stopped);
        let looked = folder::fsck(&folder, repair, &bars);
        bars.ended();
        looked
    });
    let findings = looked.await?.map_err(|error| match error {
        FsckError::NoLedger { .. } | FsckError::Interrupted => usage(error.to_string()),
        FsckError::InUse { .. } | FsckError::Io { .. } | FsckError::Open(_) => {
            Failure::Unreachable(error.to_string()).into()
        }
    })?;
    let damaged = findings.open();
    let verdict = match (damaged, findings.problems.is_empty()) {
        (0, true) => "sound",
        (0, false) => "repaired",
        _ => "damaged",
    };
    report(arguments.json, &findings, verdict);
    if damaged > 0 {
        let problems = if damaged == 1 { "1 problem is" } else { &format!("{damaged} problems are") };
        return Err(Failure::refused(format!("the folder is damaged: {problems} not repaired")).into());
    }
    Ok(())
}

fn state(findings: &Findings, part: Part) -> &'static str {
    let found = findings.problems.iter().any(|problem| problem.part == part);
    match (findings.unchecked.contains(&part), found, findings.is_sound(part)) {
        (true, false, _) => "not checked",
        (_, true, true) => "repaired",
        (_, true, false) => "damaged",
        (false, false, _) => "sound",
    }
}

fn report(as_json: bool, findings: &Findings, verdict: &str) {
    let checks = Part::ALL.map(|part| json!({ "part": part.name(), "verdict": state(findings, part) }));
    let problems: Vec<_> = findings
        .problems
        .iter()
        .map(|problem| {
            json!({
                "part": problem.part.name(),
                "place": problem.place,
                "problem": problem.problem,
                "remedy": problem.remedy,
                "derived": problem.derived,
                "repaired": problem.repaired,
            })
        })
        .collect();
    let value = json!({
        "verdict": verdict,
        "origin": findings.origin,
        "entries": findings.entries,
        "checks": checks,
        "problems": problems,
        "untold": findings.untold(),
    });
    tell(as_json, &value, || {
        let mut text = format!("{verdict}: {} entries of {}", findings.entries, findings.origin);
        for part in Part::ALL {
            text = format!("{text}\n{:<14} {}", part.name(), state(findings, part));
        }
        for problem in &findings.problems {
            let done = if problem.repaired { "It was made again." } else { problem.remedy };
            text = format!("{text}\n\n{}: {}\n  {done}", problem.place, problem.problem);
        }
        if findings.untold() > 0 {
            text = format!("{text}\n\nand {} more", findings.untold());
        }
        text
    });
}
