//! `timebank import`

mod ledger;
mod suggest;
mod told;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

use self::ledger::Ledger;
use super::{
    bars::Bars,
    call::answer,
    client::{self, ClientArguments},
    output::{Failure, nothing_recorded, usage},
    process, zone,
};
use crate::{
    engine::progress::Progress as _,
    format::proto,
    people::{
        calendar,
        directory::{Accounts, Directory},
        import::{
            About, ByHandChanges, Import, ImportError, Options, grid, mapping::Mapping, rejects::Rejects,
            remote::RemoteError, table::Table,
        },
    },
};

/// Bring a station's spreadsheet into the ledger, and keep both in step.
///
/// The same row again does nothing, a changed row becomes a correction, a deleted row (by the operation column, or absent
/// from a --full file) a reversal. An import that was interrupted is run again: nothing is counted twice.
///
/// A file with an operation column holds all operations since the first, in their order; each is carried out once, ever.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of the command")]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  timebank import suggest september.xlsx > station.toml
  timebank import september.xlsx --mapping station.toml --open-accounts --dry-run
  timebank import september.xlsx --mapping station.toml --open-accounts --rejects rejects.xlsx
  timebank import shifts.csv --mapping examples/leeds2023-full.toml --full --json

Exit codes: 0 all rows were taken or stand already; 4 some were rejected, or it was interrupted;
1 all were rejected; 2 it stopped before anything was recorded.

Links between the file's ids and the ledger's are kept in `directory` of the data folder, or where
--directory says. Keep it: without it the next import would not know what it brought before. Times
without an offset are those of the mapping's `zone`, or of --zone or TIMEBANK_ZONE."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    client: ClientArguments,
    /// The spreadsheet: .csv, .xlsx, .xls or .ods.
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// What its columns mean, a TOML file: `timebank import suggest` writes one, examples/ has some.
    #[arg(long, value_name = "FILE", required = true)]
    mapping: Option<PathBuf>,
    /// Open accounts for volunteers and stations that have none.
    #[arg(long)]
    open_accounts: bool,
    /// The file holds every record of its source: take back what is no longer in it.
    #[arg(long)]
    full: bool,
    /// With --full: how many records may be taken back; more than a tenth of them and than 20 are taken back only
    /// if their number is given here.
    #[arg(long, value_name = "RECORDS", requires = "full")]
    take_back: Option<u64>,
    /// Say what would happen, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write rows that were not taken, with the reason, to this new file: of the source's form, to be mended there.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Records may change volunteer and date at once: the rows really are theirs.
    #[arg(long)]
    renumbered: bool,
    /// What to do about records that were corrected or reversed by hand, while their rows stayed as they were.
    #[arg(long, value_name = "HOW", default_value = "tell")]
    by_hand: ByHand,
    /// None of these rows was ever imported, although this folder knows of no import and the ledger has some.
    #[arg(long)]
    first: bool,
    /// Record nothing: link the rows with records that say the same, where the links were lost.
    #[arg(long, conflicts_with_all = ["full", "open_accounts", "rejects", "renumbered", "first"])]
    adopt: bool,
    /// Where links are kept [default: `directory` in the data folder].
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Suggest(suggest::Arguments),
}

/// What to do about records that were changed by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ByHand {
    /// Reject the row, and say what was done.
    Tell,
    /// Have the ledger follow the row.
    Mend,
    /// Let the ledger be.
    Leave,
}

/// What an import reads and writes.
struct Files {
    mapping: Mapping,
    table: Table,
    rejects: Option<Rejects>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Some(Command::Suggest(suggest)) = &arguments.command {
        return suggest::run(suggest, arguments.client.json);
    }
    process::make_private();
    let files = read(&arguments).map_err(nothing_recorded)?;
    let mut client = arguments.client.connect().await.map_err(nothing_recorded)?;
    let mut signers = arguments.client.signers().map_err(nothing_recorded)?;
    let status = client::status(&mut client).await.map_err(nothing_recorded)?;
    signers.follow(&status);
    let (directory, _for_the_run) = open_directory(&arguments, &status, &files.mapping).map_err(nothing_recorded)?;
    let regions = answer(client.list_regions(proto::ListRegionsRequest {})).await.map_err(nothing_recorded)?.regions;
    let about =
        About { policy: client::policy(&status), regions: regions.into_iter().map(|region| region.code).collect() };
    let options = options(&arguments);
    let was_interrupted = !directory.pending()?.is_empty();
    let mut import = Import {
        remote: Ledger { client, signers, origin: status.origin },
        about: &about,
        directory: &directory,
        mapping: &files.mapping,
        table: &files.table,
        options: &options,
    };
    let failed = |error| in_words(error, was_interrupted);
    if arguments.adopt {
        let adoption = import.adopt().await.map_err(failed)?;
        told::adopted(&arguments, &files.table, &adoption);
        return Ok(());
    }
    let is_stopped = process::asked_to_end()?;
    let bars = Bars::until(&is_stopped);
    let report = import.run(&bars).await;
    bars.ended();
    let report = report.map_err(failed)?;
    told::report(&arguments, files, &report)
}

/// Reads the files, and sees to it that the one for rejects can be written.
fn read(arguments: &Arguments) -> anyhow::Result<Files> {
    let (Some(file), Some(mapping_file)) = (&arguments.file, &arguments.mapping) else {
        return Err(usage("name the spreadsheet, and its mapping with --mapping FILE"));
    };
    let in_mapping = |problem: String| usage(format!("{}: {problem}", mapping_file.display()));
    let in_file = |problem: String| usage(format!("{}: {problem}", file.display()));
    let mapping = Mapping::read(mapping_file).map_err(in_mapping)?;
    let form = grid::Options {
        encoding: mapping.encoding.clone(),
        delimiter: mapping.delimiter,
        sheet: mapping.sheet.clone(),
    };
    let grid = grid::read(file, &form).map_err(|error| usage(error.to_string()))?;
    if let Some(program) = &grid.open_in {
        super::output::note(&format!("{} {program}", file.display()));
    }
    let table = Table::new(grid, &mapping).map_err(in_file)?;
    let rejects = match &arguments.rejects {
        // A dry run writes nothing at all.
        Some(path) if !arguments.dry_run => {
            check_apart(path, [file, mapping_file])?;
            let at = Rejects::at(path);
            Some(at.map_err(|problem| usage(format!("--rejects {}: {problem}", path.display())))?)
        }
        Some(_) | None => None,
    };
    Ok(Files { mapping, table, rejects })
}

/// What an import reads is not what it writes.
fn check_apart(rejects: &Path, files: [&PathBuf; 2]) -> anyhow::Result<()> {
    let Ok(found) = fs::metadata(rejects) else { return Ok(()) };
    let is_same =
        |file: &&PathBuf| fs::metadata(file).is_ok_and(|file| (file.dev(), file.ino()) == (found.dev(), found.ino()));
    if files.iter().any(is_same) {
        let path = rejects.display();
        return Err(usage(format!("--rejects {path}: the import reads this file itself; name another")));
    }
    Ok(())
}

fn options(arguments: &Arguments) -> Options {
    let here = zone::here().ok().map(|zone| calendar::name(&zone));
    let is_of_environment = zone::is_named()
        && std::env::var("TIMEBANK_ZONE")
            .is_ok_and(|name| calendar::known(&name).map(|zone| calendar::name(&zone)) == here);
    Options {
        open_accounts: arguments.open_accounts,
        full: arguments.full,
        take_back_max: arguments.take_back,
        dry_run: arguments.dry_run,
        renumbered: arguments.renumbered,
        by_hand: match arguments.by_hand {
            ByHand::Tell => ByHandChanges::Tell,
            ByHand::Mend => ByHandChanges::Mend,
            ByHand::Leave => ByHandChanges::Leave,
        },
        adopt: arguments.adopt,
        first: arguments.first,
        zone: zone::is_named().then(|| zone::here().ok()).flatten().filter(|_| !is_of_environment),
        zone_of_environment: zone::here().ok().filter(|_| is_of_environment),
        machine_zone: Some(zone::here()),
    }
}

fn open_directory(
    arguments: &Arguments,
    status: &proto::GetStatusResponse,
    mapping: &Mapping,
) -> anyhow::Result<(Directory, Option<tempfile::TempDir>)> {
    let folder = arguments.directory.clone().unwrap_or_else(|| arguments.client.folder().join("directory"));
    // A dry run writes nothing at all: where there is no directory, it has an empty one for as long as it runs.
    let in_folder = || format!("the directory in {}", folder.display());
    let apart =
        arguments.dry_run && Accounts::open(&folder, &status.genesis_leaf_hash).with_context(in_folder)?.is_none();
    let apart = apart.then(tempfile::tempdir).transpose().context("a folder for the time of a dry run")?;
    let opened = apart.as_ref().map_or(folder.as_path(), tempfile::TempDir::path);
    let directory = Directory::open(opened, &status.genesis_leaf_hash, &mapping.source).with_context(in_folder)?;
    Ok((directory, apart))
}

/// A library's error as the command tells it. `was_interrupted`: sheets of an earlier import may have been recorded now.
fn in_words(error: ImportError, was_interrupted: bool) -> anyhow::Error {
    match error {
        ImportError::Stopped(problem) if was_interrupted => usage(problem),
        ImportError::Stopped(problem) => nothing_recorded(usage(problem)),
        ImportError::Interrupted { .. } => Failure::Partly(error.to_string()).into(),
        ImportError::Store(error) => anyhow::Error::from(error)
            .context("some rows may be recorded already; run the same import again: nothing is counted twice"),
        ImportError::Remote(RemoteError::Refused(text)) => Failure::refused(super::output::in_local_time(&text)).into(),
        ImportError::Remote(RemoteError::Failed(error)) => {
            let error =
                error.downcast().map_or_else(anyhow::Error::from_boxed, |failure: Box<Failure>| (*failure).into());
            error.context("run the same import again: nothing is counted twice")
        }
    }
}
