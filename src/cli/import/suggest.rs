//! `timebank import suggest`

use std::path::PathBuf;

/// Write a mapping for a spreadsheet, guessed from its header and cells.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The spreadsheet: .csv, .xlsx, .xls or .ods.
    file: PathBuf,
}

pub(super) fn run(_arguments: &Arguments, _json: bool) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
