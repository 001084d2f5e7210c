//! `timebank submit`

use std::path::PathBuf;

use prost::Message;
use serde_json::{Value, json};

use super::{
    client::{self, Client, ClientArguments, receipt_json},
    output::{Failure, emit, table, usage},
};
use crate::proto;

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
    result: Result<proto::SubmitResponse, String>,
    unreachable: bool,
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
                Err(error) => error.clone(),
            };
            vec![outcome.file.display().to_string(), text]
        };
        table(&["file", "outcome"], &[], outcomes.iter().map(row))
    })?;
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
    if failed == 0 {
        return Ok(());
    }
    let text = format!("{failed} of {} sheets were not recorded", outcomes.len());
    let unreachable = outcomes.iter().any(|outcome| outcome.unreachable);
    Err(if unreachable { Failure::Unreachable(text) } else { Failure::Refused(text) }.into())
}

async fn submit(client: &mut Client, file: PathBuf) -> Outcome {
    let result = match read(&file) {
        Ok(sheet) => client::submit(client, sheet, proto::Until::Published).await,
        Err(error) => Err(error),
    };
    let unreachable = result.as_ref().is_err_and(|error| matches!(error.downcast_ref(), Some(Failure::Unreachable(_))));
    Outcome { file, result: result.map_err(|error| error.to_string()), unreachable }
}

fn read(file: &std::path::Path) -> anyhow::Result<proto::Sheet> {
    let bytes = std::fs::read(file).map_err(|error| usage(format!("{}: {error}", file.display())))?;
    proto::Sheet::decode(bytes.as_slice())
        .map_err(|error| usage(format!("{} is no sheet, or damaged: {error}", file.display())))
}

fn outcome_json(outcome: &Outcome) -> Value {
    match &outcome.result {
        Ok(response) => json!({ "file": outcome.file, "receipt": receipt_json(response) }),
        Err(error) => json!({ "file": outcome.file, "error": error }),
    }
}
