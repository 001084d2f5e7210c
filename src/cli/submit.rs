//! `timebank submit`

use std::path::PathBuf;

use prost::Message;
use serde_json::{Value, json};

use super::{
    call::Client,
    client::{self, ClientArguments},
    output::{Failure, error_json, in_local_time, table, tell, usage},
    receipt::{receipt_json, warnings},
};
use crate::{
    access::names::head,
    format::{proto, wire},
    ledger::Rejection,
};

/// Submit sheets that were signed offline. The same sheet again changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank record --volunteer V001 --station s1 --date 2026-03-01 --hours 2 --to-file monday.sheet
  timebank submit monday.sheet tuesday.sheet")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// Files written with --to-file, or kept in `unsent/`.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// What became of one file.
struct FileOutcome {
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
    tell(arguments.client.json, &value, || {
        let row = |outcome: &FileOutcome| {
            let text = match &outcome.result {
                Ok(response) => {
                    let receipt = response.receipt.clone().unwrap_or_default();
                    let events = receipt.events.len();
                    let more = if events > 1 { format!(" to {}.{}", receipt.index, events - 1) } else { String::new() };
                    let warnings = warnings(response).into_iter().map(|warning| format!("\n{warning}"));
                    format!("recorded as {}.0{more}{}", receipt.index, warnings.collect::<String>())
                }
                Err(error) => in_local_time(&format!("{error:#}")),
            };
            vec![outcome.file.display().to_string(), text]
        };
        table(&[head::FILE, head::OUTCOME], &[], outcomes.iter().map(row))
    });
    verdict(&outcomes)
}

/// How the command ends: with the failure that asks most of whoever submits, or in part.
fn verdict(outcomes: &[FileOutcome]) -> anyhow::Result<()> {
    let (mut unreadable, mut refused, mut not_taken, mut unknown) = (0, 0, 0, 0);
    for error in outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err()) {
        match error.downcast_ref() {
            Some(Failure::Unknown { .. }) => unknown += 1,
            Some(Failure::Unreachable(_) | Failure::NotNow(_)) => not_taken += 1,
            Some(Failure::Refused(_) | Failure::Partly(_)) => refused += 1,
            Some(Failure::Usage(_)) | None => unreadable += 1,
        }
    }
    let all = outcomes.len();
    let failed = unreadable + refused + not_taken + unknown;
    let recorded = all - failed;
    if failed == 0 {
        return Ok(());
    }
    let again = "submit the same files again, each is counted once";
    if unknown > 0 {
        let text = format!("nobody knows what became of sheets ({unknown} of {all}): {again}");
        return Err(Failure::Unknown { text, sheet: None }.into());
    }
    let text = format!("{failed} of {all} sheets were not recorded, {recorded} were");
    Err(match (recorded, refused, not_taken) {
        (_, _, 1..) => Failure::Unreachable(format!("{text}: {again}")).into(),
        (1.., _, _) => Failure::Partly(text).into(),
        (0, 1.., _) => Failure::refused(text).into(),
        (0, 0, _) => usage(format!("{failed} of {all} files can't be read as sheets, and were not submitted")),
    })
}

async fn submit(client: &mut Client, file: PathBuf) -> FileOutcome {
    let result = match read(&file) {
        Ok(sheet) => client::submit(client, sheet, proto::Until::Published).await,
        Err(error) => Err(error),
    };
    FileOutcome { file, result }
}

/// Reads a sheet. One whose bytes are out of order is told apart here: the ledger would name a field of it, and not that
/// the file is to blame.
fn read(file: &std::path::Path) -> anyhow::Result<proto::Sheet> {
    let bytes = std::fs::read(file).map_err(|error| usage(format!("{}: {error}", file.display())))?;
    let damaged = |error: String| usage(format!("{} is no sheet, or damaged: {error}", file.display()));
    let sheet =
        proto::Sheet::decode(bytes.as_slice()).map_err(|_error| damaged("it holds something else".to_owned()))?;
    wire::decode(&sheet).map_err(|refusal| {
        // Which field doesn't read is of no use to whoever has the file.
        let is_cut = matches!(
            refusal.rejection,
            Rejection::EncodingInvalid { .. } | Rejection::LengthOutOfRange { bytes: 0, .. }
        );
        let cut = || "it was cut off or changed since it was signed. Ask for the file again".to_owned();
        damaged(if is_cut { cut() } else { refusal.to_string() })
    })?;
    Ok(sheet)
}

fn outcome_json(outcome: &FileOutcome) -> Value {
    let file = outcome.file.display().to_string();
    match &outcome.result {
        Ok(response) => json!({ "file": file, "receipt": receipt_json(response) }),
        Err(error) => {
            let mut value = error_json(error);
            value["file"] = json!(file);
            value["error"] = json!(format!("{error:#}"));
            value
        }
    }
}
