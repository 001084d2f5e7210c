//! `timebank import`

mod mapping;
mod plan;
mod row;
mod table;

use std::{
    collections::{HashMap, HashSet},
    io::IsTerminal,
    path::PathBuf,
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use prost::Message;
use serde_json::json;
use sha2::{Digest, Sha256};

use self::{
    mapping::Mapping,
    plan::{Chunk, Item, Outcome, Planner},
    row::Reader,
    table::Table,
};
use super::{
    client::{self, Client, ClientArguments, Signers},
    output::{Failure, emit, hours, usage},
};
use crate::{
    directory::{Directory, Pending},
    proto,
};

/// Sheets of one trial, and their bytes: what the server takes in one call.
const TRIAL_SHEETS_MAX: usize = 64;
const TRIAL_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Reasons shown where no file for rejects is named.
const REASONS_SHOWN: usize = 10;

/// Bring a station's spreadsheet into the ledger, and keep both in step.
///
/// The same row again does nothing, a changed row becomes a correction, a deleted row (by the operation column, or absent
/// from a --full file) a reversal. An import that was interrupted is run again: nothing is counted twice.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank import sessions.csv --mapping examples/zooniverse.toml --open-accounts --rejects rejects.csv
  timebank import shifts.csv --mapping examples/leeds2023.toml --open-accounts --dry-run
  timebank import shifts.csv --mapping examples/leeds2023-full.toml --full --json

Links between the file's ids and the ledger's are kept in `directory` of the data folder, or where --directory says. Keep
it: without it the next import would not know what it brought before.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// The spreadsheet, saved as CSV.
    file: PathBuf,
    /// What its columns mean, a TOML file; examples/ has three.
    #[arg(long, value_name = "FILE")]
    mapping: PathBuf,
    /// Open accounts for volunteers and stations that have none.
    #[arg(long)]
    open_accounts: bool,
    /// The file holds every record of its source: take back what is no longer in it.
    #[arg(long)]
    full: bool,
    /// Say what would happen, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write rows that were not taken, with the reason, to this CSV file.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Where links are kept [default: `directory` in the data folder].
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// An import under way.
struct Import<'a> {
    client: Client,
    signers: Signers,
    origin: String,
    directory: &'a Directory,
}

/// What an import did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    rows: usize,
    recorded: usize,
    corrected: usize,
    reversed: usize,
    unchanged: usize,
    /// Rows (by number in the file's list) with the reason.
    rejected: Vec<(usize, String)>,
    source_us: i64,
    credited_minutes: i64,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mapping = Mapping::read(&arguments.mapping)?;
    let table = Table::read(&arguments.file, &mapping)?;
    if arguments.full && table.rows.is_empty() {
        return Err(usage("--full: the file has no rows; every record of its source would be taken back"));
    }
    let mut client = arguments.client.connect().await?;
    let signers = arguments.client.signers()?;
    let status = client::status(&mut client).await?;
    let policy = client::policy(&status);
    let folder = arguments.directory.clone().unwrap_or_else(|| arguments.client.folder().join("directory"));
    let directory = Directory::open(&folder, &status.origin, &mapping.source)
        .with_context(|| format!("the directory in {}", folder.display()))?;
    let mut import = Import { client, signers, origin: status.origin, directory: &directory };
    if !arguments.dry_run {
        import.resend().await?;
    }
    let regions = import.regions().await?;
    let items = items(&mapping, &table, &directory, arguments.full)?;
    let mode = (arguments.open_accounts, arguments.dry_run);
    let mut planner = Planner::new(&mapping, &directory, &policy, mode, regions);
    let bar = progress(items.len());
    let outcomes = if arguments.dry_run {
        import.try_all(&mut planner, &items, &bar).await?
    } else {
        import.carry_out(&mut planner, &items, &bar).await?
    };
    bar.finish_and_clear();
    let report = report(&table, &items, &outcomes, &planner)?;
    if let Some(path) = &arguments.rejects {
        write_rejects(path, &table, &report)?;
    }
    print(&arguments, &table, &report)
}

fn progress(items: usize) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(items as u64), target);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rows, {per_sec}, {eta} left");
    bar.with_style(style.unwrap_or_else(|_malformed| ProgressStyle::default_bar()))
}

/// Rows in the order of the file; with `full`, after them the records that the file no longer has.
fn items(mapping: &Mapping, table: &Table, directory: &Directory, full: bool) -> anyhow::Result<Vec<Item>> {
    let reader = Reader { mapping, table };
    let mut seen: HashMap<[u8; 32], u32> = HashMap::new();
    let mut items: Vec<Item> = Vec::with_capacity(table.rows.len());
    for line in &table.rows {
        // The same operation twice in one file is two operations: the digest counts which one this is.
        let cells = Sha256::digest(line.cells.join("\u{1f}"));
        let count = seen.entry(cells.into()).or_insert(0);
        let digest = Sha256::new().chain_update(cells).chain_update(count.to_be_bytes()).finalize().into();
        *count += 1;
        items.push(Item::Row { row: reader.row(line), digest });
    }
    if full {
        let present: HashSet<&str> = items.iter().map(Item::record).collect();
        let gone: Vec<Item> = directory
            .records()?
            .into_iter()
            .filter(|(record, link)| !link.reversed && !present.contains(record.as_str()))
            .map(|(record, _)| Item::Gone { record })
            .collect();
        items.extend(gone);
    }
    Ok(items)
}

/// What became of an attempt to record a chunk.
enum Attempt {
    Recorded,
    /// Items that were refused, with the reason.
    Refused(Vec<(usize, String)>),
}

impl Import<'_> {
    /// Sheets of an import that was interrupted: the very same bytes again.
    async fn resend(&mut self) -> anyhow::Result<()> {
        for pending in self.directory.pending()? {
            let sheet = proto::Sheet::decode(pending.sheet.as_slice()).context("the outbox is damaged")?;
            match self.send(&sheet, &pending).await {
                Ok(()) => {}
                Err(error) if matches!(error.downcast_ref(), Some(Failure::Refused(_))) => {
                    // It was never recorded, and never will be: its rows are looked at again.
                    self.directory.drop_pending(&pending)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a sheet that is in the outbox, and makes its links final.
    async fn send(&mut self, sheet: &proto::Sheet, pending: &Pending) -> anyhow::Result<()> {
        let response = client::submit(&mut self.client, sheet.clone(), proto::Until::Durable).await?;
        let receipt = response.receipt.context("the server sent no receipt")?;
        crash_here("receipt");
        self.directory.finish(pending, receipt.index)?;
        crash_here("final");
        Ok(())
    }

    async fn regions(&mut self) -> anyhow::Result<HashSet<String>> {
        let response = self.client.list_regions(proto::ListRegionsRequest {}).await.map_err(Failure::from)?;
        Ok(response.into_inner().regions.into_iter().map(|region| region.code).collect())
    }

    async fn carry_out(
        &mut self,
        planner: &mut Planner<'_>,
        items: &[Item],
        bar: &ProgressBar,
    ) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes = vec![Outcome::Unchanged; items.len()];
        let (mut start, mut rejected) = (0, HashMap::new());
        while start < items.len() {
            let chunk = planner.chunk(items, start, &rejected)?;
            match self.attempt(&chunk).await? {
                Attempt::Recorded => {
                    planner.recorded();
                    for (number, outcome) in chunk.outcomes {
                        outcomes[number] = outcome;
                    }
                    start = chunk.end;
                    bar.set_position(start as u64);
                }
                Attempt::Refused(refused) => rejected.extend(refused),
            }
        }
        Ok(outcomes)
    }

    async fn attempt(&mut self, chunk: &Chunk) -> anyhow::Result<Attempt> {
        if chunk.events.is_empty() {
            if !chunk.links.is_empty() {
                // Rows that change nothing, but must not be carried out again: no sheet, hence nothing to send.
                let pending = self.directory.put_pending(Vec::new(), chunk.links.clone())?;
                self.directory.finish(&pending, 0)?;
            }
            return Ok(Attempt::Recorded);
        }
        let sheet = self.sign(chunk)?;
        crash_here("signed");
        let pending = self.directory.put_pending(sheet.encode_to_vec(), chunk.links.clone())?;
        crash_here("pending");
        let error = match self.send(&sheet, &pending).await {
            Ok(()) => return Ok(Attempt::Recorded),
            Err(error) => error,
        };
        if !matches!(error.downcast_ref(), Some(Failure::Refused(_))) {
            return Err(error.context("run the same import again: nothing is counted twice"));
        }
        self.directory.drop_pending(&pending)?;
        // A sheet is accepted whole or not at all: find every row that stands in its way.
        let refused = self.refused(std::slice::from_ref(&sheet), &[chunk]).await?;
        if refused.is_empty() { Err(error) } else { Ok(Attempt::Refused(refused)) }
    }

    fn sign(&self, chunk: &Chunk) -> anyhow::Result<proto::Sheet> {
        self.signers.sign(&self.origin, chunk.events.iter().map(|(kind, _)| kind.clone()).collect())
    }

    /// Items whose events would be refused, each with the first reason.
    async fn refused(&mut self, sheets: &[proto::Sheet], chunks: &[&Chunk]) -> anyhow::Result<Vec<(usize, String)>> {
        let request = proto::DryRunRequest { sheets: sheets.to_vec() };
        let response = self.client.dry_run(request).await.map_err(Failure::from)?.into_inner();
        let mut refused: Vec<(usize, String)> = Vec::new();
        for (result, chunk) in response.results.iter().zip(chunks) {
            if let Some(refusal) = &result.refused {
                return Err(Failure::Refused(reason(refusal)).into());
            }
            for (event, (_, number)) in result.events.iter().zip(&chunk.events) {
                if let Some(proto::dry_run_event::Outcome::Refused(refusal)) = &event.outcome
                    && refused.iter().all(|(known, _)| known != number)
                {
                    refused.push((*number, reason(refusal)));
                }
            }
        }
        Ok(refused)
    }

    /// The same without writing anything. What a row of an earlier window did is not there for the rules to see.
    async fn try_all(
        &mut self,
        planner: &mut Planner<'_>,
        items: &[Item],
        bar: &ProgressBar,
    ) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes = vec![Outcome::Unchanged; items.len()];
        let (mut start, nothing) = (0, HashMap::new());
        while start < items.len() {
            let (mut sheets, mut chunks, mut bytes): (Vec<proto::Sheet>, Vec<Chunk>, usize) = Default::default();
            while start < items.len() && sheets.len() < TRIAL_SHEETS_MAX && bytes < TRIAL_BYTES_MAX {
                let chunk = planner.chunk(items, start, &nothing)?;
                start = chunk.end;
                for (number, outcome) in &chunk.outcomes {
                    outcomes[*number] = outcome.clone();
                }
                if !chunk.events.is_empty() {
                    let sheet = self.sign(&chunk)?;
                    bytes += sheet.encoded_len();
                    sheets.push(sheet);
                    chunks.push(chunk);
                }
            }
            if !sheets.is_empty() {
                let chunks: Vec<&Chunk> = chunks.iter().collect();
                for (number, reason) in self.refused(&sheets, &chunks).await? {
                    outcomes[number] = Outcome::Rejected(reason);
                }
            }
            planner.end_window();
            bar.set_position(start as u64);
        }
        Ok(outcomes)
    }
}

fn reason(refusal: &proto::Refusal) -> String {
    format!("{}: {}. {}", refusal.code, refusal.message, refusal.remedy)
}

fn report(table: &Table, items: &[Item], outcomes: &[Outcome], planner: &Planner<'_>) -> anyhow::Result<Report> {
    let mut report = Report { rows: table.rows.len(), ..Report::default() };
    for (number, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Outcome::Recorded => report.recorded += 1,
            Outcome::Corrected => report.corrected += 1,
            Outcome::Reversed => report.reversed += 1,
            Outcome::Unchanged => report.unchanged += 1,
            Outcome::Rejected(reason) => report.rejected.push((number, reason.clone())),
        }
    }
    // What the file's records add up to now, in the source and in the ledger.
    let records: HashSet<&str> = items.iter().map(Item::record).collect();
    let refused: HashSet<&str> = report
        .rejected
        .iter()
        .filter(|_| planner.trial)
        .filter_map(|(number, _)| items.get(*number).map(Item::record))
        .collect();
    let mut records: Vec<&str> = records.difference(&refused).copied().collect();
    records.sort_unstable();
    for record in records {
        if let Some(link) = planner.link(record)?.filter(|link| !link.reversed) {
            report.source_us = report.source_us.saturating_add(link.source_us);
            report.credited_minutes = report.credited_minutes.saturating_add(link.credited_minutes);
        }
    }
    Ok(report)
}

fn write_rejects(path: &PathBuf, table: &Table, report: &Report) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(path).map_err(|error| usage(format!("{}: {error}", path.display())))?;
    let extra = ["line".to_owned(), "reason".to_owned()];
    writer.write_record(table.header.iter().chain(&extra))?;
    for (number, reason) in &report.rejected {
        if let Some(line) = table.rows.get(*number) {
            let mut cells = line.cells.clone();
            cells.resize(table.header.len(), String::new());
            cells.extend([line.number.to_string(), reason.clone()]);
            writer.write_record(&cells)?;
        }
    }
    writer.flush().with_context(|| path.display().to_string())
}

/// Hours of the source, to the microsecond they were kept with.
fn source_hours(report: &Report) -> f64 {
    // Exact to a thousandth of an hour far beyond what a ledger holds: 2^53 us are 2.5 million hours, and a quotient is
    // rounded once.
    #[allow(clippy::cast_precision_loss, reason = "see above; shown to people, never counted with")]
    let hours = report.source_us as f64 / 3_600_000_000.0;
    (hours * 1_000_000.0).round() / 1_000_000.0
}

fn print(arguments: &Arguments, table: &Table, report: &Report) -> anyhow::Result<()> {
    let value = json!({
        "rows": report.rows,
        "recorded": report.recorded,
        "corrected": report.corrected,
        "reversed": report.reversed,
        "unchanged": report.unchanged,
        "rejected": report.rejected.len(),
        "source_hours": source_hours(report),
        "credited_minutes": report.credited_minutes,
    });
    emit(arguments.client.json, &value, || {
        let mut text = format!(
            "{}rows       {}\nrecorded   {}\ncorrected  {}\nreversed   {}\nunchanged  {}\nrejected   {}\n\
             the file's records: {} h in the source, {} credited",
            if arguments.dry_run { "dry run: nothing was written\n" } else { "" },
            report.rows,
            report.recorded,
            report.corrected,
            report.reversed,
            report.unchanged,
            report.rejected.len(),
            source_hours(report),
            hours(report.credited_minutes),
        );
        if arguments.rejects.is_none() {
            for (number, reason) in report.rejected.iter().take(REASONS_SHOWN) {
                let line = table.rows.get(*number).map_or(0, |line| line.number);
                text = format!("{text}\nline {line}: {reason}");
            }
            if report.rejected.len() > REASONS_SHOWN {
                text = format!("{text}\nand {} more: see --rejects FILE", report.rejected.len() - REASONS_SHOWN);
            }
        }
        text
    })
}

/// Ends the process where `TIMEBANK_TEST_CRASH` names this step, as a power cut would: for tests of the outbox. `STEP:N`
/// names the N-th time.
fn crash_here(step: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static TIMES: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("TIMEBANK_TEST_CRASH") else { return };
    let (name, times) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if name == step && Ok(TIMES.fetch_add(1, Ordering::Relaxed) + 1) == times.parse() {
        std::process::abort();
    }
}
