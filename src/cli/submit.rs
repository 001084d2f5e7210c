//! `timebank submit`

use std::path::PathBuf;

use prost::Message;
use serde_json::{Value, json};

use super::{
    client::{self, Client, ClientArguments, receipt_json},
    output::{Failure, emit, table, usage},
};
use crate::{proto, wire};

/// Submit sheets that were signed offline. The same sheet again changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank record --volunteer 91ab... --station 6f0c... --date 2026-03-01 --hours 2 --to monday.sheet
  timebank submit monday.sheet tuesday.sheet")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// Files written with --to.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// What became of one file.
struct Outcome {
    file: PathBuf,
    result: anyhow::Result<proto::SubmitResponse>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut client = arguments.client.connect().await?;
    let mut outcomes = Vec::with_capacity(arguments.files.len());
    for file in arguments.files {
        outcomes.push(submit(&mut client, file).await);
    }
    let value = json!({ "sheets": outcomes.iter().map(outcome_json).collect::<Vec<_>>() });
    emit(arguments.client.json, &value, || {
        let row = |outcome: &Outcome| {
            let text = match &outcome.result {
                Ok(response) => format!("entry {}", response.receipt.as_ref().map_or(0, |receipt| receipt.index)),
                Err(error) => format!("{error:#}"),
            };
            vec![outcome.file.display().to_string(), text]
        };
        table(&["file", "outcome"], &[], outcomes.iter().map(row))
    })?;
    verdict(&outcomes)
}

/// How the command ends: with the failure that asks most of whoever submits.
fn verdict(outcomes: &[Outcome]) -> anyhow::Result<()> {
    let (mut unreadable, mut refused, mut unknown) = (0, 0, 0);
    for error in outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err()) {
        match error.downcast_ref() {
            Some(Failure::Unreachable(_)) => unknown += 1,
            Some(Failure::Refused(_)) => refused += 1,
            Some(Failure::Usage(_) | Failure::InPart(_)) | None => unreadable += 1,
        }
    }
    let (failed, all) = (unreadable + refused + unknown, outcomes.len());
    match (unknown, refused, unreadable) {
        (0, 0, 0) => Ok(()),
        (0, 0, _) => Err(usage(format!("{failed} of {all} files can't be read as sheets, and were not submitted"))),
        (0, _, _) => Err(Failure::Refused(format!("{failed} of {all} sheets were not recorded")).into()),
        _ => Err(Failure::Unreachable(format!(
            "of {unknown} of {all} sheets nobody knows whether they were recorded: submit the same files again, each is \
             counted once"
        ))
        .into()),
    }
}

async fn submit(client: &mut Client, file: PathBuf) -> Outcome {
    let result = match read(&file) {
        Ok(sheet) => client::submit(client, sheet, proto::Until::Published).await,
        Err(error) => Err(error),
    };
    Outcome { file, result }
}

/// Reads a sheet. One whose bytes are out of order is told apart here: the ledger would name a field of it, and not that
/// the file is to blame.
fn read(file: &std::path::Path) -> anyhow::Result<proto::Sheet> {
    let bytes = std::fs::read(file).map_err(|error| usage(format!("{}: {error}", file.display())))?;
    let damaged = |error: String| usage(format!("{} is no sheet, or damaged: {error}", file.display()));
    let sheet = proto::Sheet::decode(bytes.as_slice()).map_err(|error| damaged(error.to_string()))?;
    wire::decode(&sheet).map_err(|refusal| damaged(refusal.to_string()))?;
    Ok(sheet)
}

fn outcome_json(outcome: &Outcome) -> Value {
    match &outcome.result {
        Ok(response) => json!({ "file": outcome.file, "receipt": receipt_json(response) }),
        Err(error) => json!({ "file": outcome.file, "error": format!("{error:#}") }),
    }
}
