//! `timebank import`

mod mapping;
mod plan;
mod prepare;
mod report;
mod row;
mod table;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use anyhow::Context;
use indicatif::ProgressBar;
use prost::Message;

use self::{
    plan::{Chunk, Item, Outcome, Planner},
    report::Report,
};
use super::{
    call::{Client, answer},
    client::{self, ClientArguments, Signers},
    output::{Failure, in_local_time, nothing_recorded, progress},
};
use crate::{
    directory::{Directory, Pending},
    proto,
};

/// Sheets of one trial, and their bytes: what the server takes in one call.
const TRIAL_SHEETS_MAX: usize = 64;
const TRIAL_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// Bring a station's spreadsheet into the ledger, and keep both in step.
///
/// The same row again does nothing, a changed row becomes a correction, a deleted row (by the operation column, or absent
/// from a --full file) a reversal. An import that was interrupted is run again: nothing is counted twice.
///
/// A file with an operation column holds all operations since the first, in their order; each is carried out once, ever.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank import sessions.csv --mapping examples/zooniverse.toml --open-accounts --rejects bad.csv
  timebank import shifts.csv --mapping examples/leeds2023.toml --open-accounts --dry-run
  timebank import shifts.csv --mapping examples/leeds2023-full.toml --full --json

Exit codes: 0 all rows were taken or stand already; 4 some were rejected; 1 all were.

Links between the file's ids and the ledger's are kept in `directory` of the data folder, or where
--directory says. Keep it: without it the next import would not know what it brought before. Times
and dates of a file that names no offset are those of --zone, TIMEBANK_ZONE, or this machine.")]
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

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (mapping, table) = prepare::read(&arguments).map_err(nothing_recorded)?;
    let (mut client, signers, status) = prepare::connect(&arguments).await.map_err(nothing_recorded)?;
    let policy = client::policy(&status);
    let directory = prepare::directory(&arguments, &status, &mapping).map_err(nothing_recorded)?;
    let regions = regions(&mut client).await.map_err(nothing_recorded)?;
    let mut import = Import { client, signers, origin: status.origin, directory: &directory };
    let is_resent = !directory.pending()?.is_empty();
    if !arguments.dry_run {
        import.resend().await?;
    }
    let refused = |error| if is_resent { error } else { nothing_recorded(error) };
    let (items, is_zone_used) = prepare::items(&mapping, &table, &directory, arguments.full)?;
    if is_zone_used {
        prepare::keep_zone(&directory, arguments.dry_run).map_err(refused)?;
    }
    arguments.rejects.as_deref().map_or(Ok(()), report::make_rejects).map_err(refused)?;
    let mode = (arguments.open_accounts, arguments.dry_run);
    let mut planner = Planner::new(&mapping, &directory, &policy, mode, regions);
    let bar = progress(Some(items.len() as u64), "rows");
    let outcomes = if arguments.dry_run {
        import.try_all(&mut planner, &items, &bar).await?
    } else {
        import.carry_out(&mut planner, &items, &bar, arguments.full).await?
    };
    bar.finish_and_clear();
    let report = Report::of(&table, &items, &outcomes, &planner)?;
    report.tell(&arguments, (&table, &items), &mapping.columns.record)
}

/// Codes of the regions that the ledger has.
async fn regions(client: &mut Client) -> anyhow::Result<HashSet<String>> {
    let response = answer(client.list_regions(proto::ListRegionsRequest {})).await?;
    Ok(response.regions.into_iter().map(|region| region.code).collect())
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

    /// Carries out what the items want, in order; with `again`, those that were rejected once more for as long as that
    /// helps: in a full file rows may take each other's place.
    async fn carry_out(
        &mut self,
        planner: &mut Planner<'_>,
        items: &[Item],
        bar: &ProgressBar,
        again: bool,
    ) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; items.len()];
        let mut left = usize::MAX;
        loop {
            let (mut start, mut rejected) = (0, HashMap::new());
            while start < items.len() {
                let chunk = planner.chunk(items, start, &rejected)?;
                match self.attempt(&chunk, items).await? {
                    Attempt::Recorded => {
                        planner.recorded();
                        for (number, outcome) in chunk.outcomes {
                            // What an earlier round did stays said: the later one finds nothing left to do.
                            if outcomes[number].as_ref().is_none_or(Outcome::is_rejected) {
                                outcomes[number] = Some(outcome);
                            }
                        }
                        start = chunk.end;
                        bar.set_position(start as u64);
                    }
                    Attempt::Refused(refused) => rejected.extend(refused),
                }
            }
            if !again || rejected.is_empty() || rejected.len() >= left {
                return Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Unchanged)).collect());
            }
            left = rejected.len();
        }
    }

    async fn attempt(&mut self, chunk: &Chunk, items: &[Item]) -> anyhow::Result<Attempt> {
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
        let refused = self.refused(std::slice::from_ref(&sheet), &[chunk], items).await?;
        if refused.is_empty() { Err(error) } else { Ok(Attempt::Refused(refused)) }
    }

    fn sign(&self, chunk: &Chunk) -> anyhow::Result<proto::Sheet> {
        self.signers.sign(&self.origin, chunk.events.iter().map(|(kind, _)| kind.clone()).collect())
    }

    /// What would happen to each sheet: one answer holds as many results as fit, so the rest is asked for.
    async fn trial(&mut self, sheets: &[proto::Sheet]) -> anyhow::Result<Vec<(proto::DryRunResult, u64)>> {
        let mut request = proto::DryRunRequest { sheets: sheets.to_vec(), from_sheet: 0 };
        let mut results = Vec::with_capacity(sheets.len());
        loop {
            let response = answer(self.client.dry_run(request.clone())).await?;
            let size = response.reflected_index + 1;
            results.extend(response.results.into_iter().map(|result| (result, size)));
            match response.next_sheet {
                Some(next) if next > request.from_sheet => request.from_sheet = next,
                Some(_) => anyhow::bail!("the server's answers don't come to an end"),
                None => return Ok(results),
            }
        }
    }

    /// Items whose events would be refused, each with the first reason. Of each record only the first: whether what comes
    /// after it would be refused as well, only a trial without it can say.
    async fn refused(
        &mut self,
        sheets: &[proto::Sheet],
        chunks: &[&Chunk],
        items: &[Item],
    ) -> anyhow::Result<Vec<(usize, String)>> {
        let results = self.trial(sheets).await?;
        let mut refused: Vec<(usize, String)> = Vec::new();
        let mut records: HashSet<&str> = HashSet::new();
        for (place, ((result, size), chunk)) in results.iter().zip(chunks).enumerate() {
            let rows = Rows { items, chunks, size: *size };
            let mut refuse = |event: usize, refusal: &proto::Refusal| {
                let Some((_, number)) = chunk.events.get(event) else { return false };
                if items.get(*number).is_some_and(|item| records.insert(item.record())) {
                    refused.push((*number, rows.reason(place, refusal)));
                }
                true
            };
            if let Some(refusal) = &result.refused {
                let event = refusal.event.and_then(|event| usize::try_from(event).ok());
                if !event.is_some_and(|event| refuse(event, refusal)) {
                    return Err(Failure::refused(reason(refusal)).into());
                }
            }
            for (number, event) in result.events.iter().enumerate() {
                if let Some(proto::dry_run_event::Outcome::Refused(refusal)) = &event.outcome {
                    refuse(number, refusal);
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
        let (mut start, mut rejected) = (0, HashMap::new());
        while start < items.len() {
            let before = planner.clone();
            let mut end = start;
            let (mut sheets, mut chunks, mut bytes): (Vec<proto::Sheet>, Vec<Chunk>, usize) = Default::default();
            while end < items.len() && sheets.len() < TRIAL_SHEETS_MAX && bytes < TRIAL_BYTES_MAX {
                let chunk = planner.chunk(items, end, &rejected)?;
                end = chunk.end;
                if !chunk.events.is_empty() {
                    let sheet = self.sign(&chunk)?;
                    bytes += sheet.encoded_len();
                    sheets.push(sheet);
                }
                chunks.push(chunk);
            }
            if !sheets.is_empty() {
                let tried: Vec<&Chunk> = chunks.iter().filter(|chunk| !chunk.events.is_empty()).collect();
                let refused = self.refused(&sheets, &tried, items).await?;
                if !refused.is_empty() {
                    // The same window again without them, as the import itself would.
                    rejected.extend(refused);
                    *planner = before;
                    continue;
                }
            }
            for (number, outcome) in chunks.into_iter().flat_map(|chunk| chunk.outcomes) {
                outcomes[number] = outcome;
            }
            start = end;
            planner.end_window();
            bar.set_position(start as u64);
        }
        Ok(outcomes)
    }
}

fn reason(refusal: &proto::Refusal) -> String {
    format!("{}. {} [{}]", in_local_time(&refusal.message), refusal.remedy, refusal.code)
}

/// The rows behind the events of a trial.
struct Rows<'a> {
    items: &'a [Item],
    chunks: &'a [&'a Chunk],
    /// Entries of the log: the index that the trial's first sheet would have.
    size: u64,
}

impl Rows<'_> {
    /// Why an event of a sheet was refused. What it names of the trial itself is named by its row: it stands nowhere else,
    /// and once the refused rows are left out, what is recorded stands elsewhere.
    fn reason(&self, sheet: usize, refusal: &proto::Refusal) -> String {
        let text = reason(refusal);
        let Some(other) = refusal.other else { return text };
        let (sheet, said) = match other.index {
            0 => (Some(sheet), format!("in event {} of this same sheet", other.event)),
            index => {
                let sheet = index.checked_sub(self.size).and_then(|sheet| usize::try_from(sheet).ok());
                (sheet, format!(" {}.{}", other.index, other.event))
            }
        };
        let event = usize::try_from(other.event).ok();
        let item = sheet.and_then(|sheet| self.chunks.get(sheet)?.events.get(event?)).map(|(_, number)| *number);
        match item.and_then(|number| self.items.get(number)) {
            Some(item) if other.index == 0 => text.replacen(&said, &item.place(), 1),
            Some(item) => text.replacen(&said, &format!(" {}", item.place()), 1),
            None => text,
        }
    }
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
