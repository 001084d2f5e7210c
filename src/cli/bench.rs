//! `timebank bench`

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use super::{
    output::{Failure, progress, tell, usage},
    process,
};
use crate::folder::bench::{self, BenchError, Growth, RECORD_DAYS, Shares, Start};

/// Part of the accounts with which the slope begins.
const FIRST_PART: u64 = 5;

/// Tables number accounts in 32 bits; stations take one number in 126.
const ACCOUNTS_MAX: u64 = 4_000_000_000;

/// Measure how a ledger of many accounts does on this machine.
///
/// Grows a ledger of its own in a temporary folder, a fifth of the accounts first and then the rest, with the service's own
/// writer and synced log, and starts it from its snapshot after each, in a process of its own. What an account costs in
/// memory is the slope between these two starts; what doesn't grow is told apart. Openings a second count making and
/// signing the sheets, on the same processors. The folder, some 250 bytes an account and 400 a record, is removed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank bench
  timebank bench --accounts 5000000 --keys 1 --records 1 --json
  timebank bench --accounts 37410000 --keys 0.1 --folder /srv")]
pub(crate) struct Arguments {
    /// Residents' accounts to open, each at one of the stations, which have 125 each.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    accounts: u64,
    /// Share of them with a key of their own, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    keys: f64,
    /// Share of them with a record of service on each of three days, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    records: f64,
    /// Where to make the temporary folder [default: the system's folder for such].
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only start the ledger in this folder, and tell what that took.
    #[arg(long, value_name = "DIR", hide = true)]
    start: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("expected a number from 0 to 1, such as 0.1")
}

/// A start as the process tells that made it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Started {
    took_ms: u64,
    resident_bytes: Option<u64>,
}

/// All that was measured.
struct Measured {
    first: (u64, Growth, Started),
    all: (u64, Growth, Started),
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    process::make_private();
    process::start_threads()?;
    let Arguments { accounts, keys, records, folder, start, json } = arguments;
    if let Some(folder) = start {
        return told(&folder).await;
    }
    if accounts < FIRST_PART {
        return Err(usage(format!("--accounts {accounts}: a slope needs {FIRST_PART} accounts or more")));
    }
    if accounts > ACCOUNTS_MAX {
        return Err(usage(format!("--accounts {accounts}: a ledger has numbers for {ACCOUNTS_MAX} of them")));
    }
    // What ends the writer is told there.
    process::log_to_stderr(LevelFilter::WARN);
    let parent = folder.unwrap_or_else(std::env::temp_dir);
    let temporary = tempfile::Builder::new().prefix("timebank-bench-").tempdir_in(&parent);
    let temporary = temporary.map_err(|error| usage(format!("--folder {}: {error}", parent.display())))?;
    let place = temporary.path().to_owned();
    let shares = Shares { keys, records };
    let measured = process::interruptible(move |is_stopped| {
        let first = accounts / FIRST_PART;
        let bar = progress(Some(accounts), "accounts");
        let part = |numbers: std::ops::Range<u64>| -> anyhow::Result<(u64, Growth, Started)> {
            let (before, count) = (numbers.start, numbers.end);
            let growth = bench::grow(&place, numbers, shares, &mut |opened| {
                bar.set_position(before + opened);
                !is_stopped()
            });
            Ok((count, growth.map_err(|error| failure(&error))?, start_apart(&place)?))
        };
        let measured =
            part(0..first).and_then(|first_part| Ok(Measured { first: first_part, all: part(first..accounts)? }));
        bar.finish_and_clear();
        measured
    })
    .await??;
    report(&measured, shares, json);
    Ok(())
}

fn failure(error: &BenchError) -> anyhow::Error {
    match error {
        BenchError::Interrupted => usage(error.to_string()),
        BenchError::Open(_) | BenchError::KeyFile(_) | BenchError::Submit(_) | BenchError::Random(_) => {
            Failure::Unreachable(error.to_string()).into()
        }
    }
}

/// Starts the ledger in this process.
async fn told(folder: &Path) -> anyhow::Result<()> {
    let folder = folder.to_owned();
    let Start { took, resident_bytes } = tokio::task::spawn_blocking(move || bench::start(&folder)).await??;
    let started = Started { took_ms: ms(took), resident_bytes };
    tell(true, &serde_json::to_value(started)?, String::new);
    Ok(())
}

/// Starts the ledger in a process of its own, whose memory holds nothing else.
fn start_apart(folder: &Path) -> anyhow::Result<Started> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    let output = command.arg("bench").arg("--start").arg(folder).output()?;
    if !output.status.success() {
        anyhow::bail!("the ledger did not start again: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn ms(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes an account more, and those that are there without any account.
#[allow(clippy::cast_precision_loss, reason = "bytes of memory are far fewer than 2^52")]
fn slope((fewer, less): (u64, u64), (more, all): (u64, u64)) -> (f64, f64) {
    let an_account = (all as f64 - less as f64) / (more - fewer) as f64;
    (an_account, less as f64 - an_account * fewer as f64)
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "counts far below 2^52; bytes, rounded"
)]
fn report(measured: &Measured, shares: Shares, as_json: bool) {
    let Measured { first: (fewer, first, first_start), all: (accounts, all, start) } = measured;
    let memory = first_start.resident_bytes.zip(start.resident_bytes);
    let memory = memory.map(|(less, all)| slope((*fewer, less), (*accounts, all)));
    let growing = first.resident_bytes.zip(all.resident_bytes);
    let growing = growing.map(|(less, all)| slope((*fewer, less), (*accounts, all)).0);
    let tenths = |bytes: f64| (bytes * 10.0).round() / 10.0;
    let opened = (first.opened + all.opened) as f64;
    let openings_per_second = opened / (first.took + all.took).as_secs_f64();
    let longest_stall_ms = ms(first.longest_stall.max(all.longest_stall));
    let starts = |accounts: u64, started: &Started| json!({ "accounts": accounts, "took_ms": started.took_ms, "resident_bytes": started.resident_bytes });
    let value = json!({
        "accounts": accounts,
        "keys": shares.keys,
        "records": shares.records,
        "record_days": RECORD_DAYS,
        "bytes_per_account": memory.map(|(slope, _)| tenths(slope)),
        "constant_bytes": memory.map(|(_, constant)| constant.round() as i64),
        "openings_per_second": openings_per_second.round(),
        "longest_stall_ms": longest_stall_ms,
        "growing_bytes_per_account": growing.map(tenths),
        "growing_resident_bytes": all.resident_bytes,
        "restart_ms": start.took_ms,
        "restarts": [starts(*fewer, first_start), starts(*accounts, start)],
    });
    tell(as_json, &value, || {
        let mib = |bytes: f64| format!("{:.0} MiB", bytes / 1_048_576.0);
        let memory = memory.map_or_else(
            || "memory         not told by this system".to_owned(),
            |(slope, constant)| {
                format!("memory         {slope:.0} bytes an account, and {} whatever their number", mib(constant))
            },
        );
        let growing = all.resident_bytes.map_or_else(String::new, |bytes| {
            format!("\n               {} while it grew, caches and the sheets' making included", mib(bytes as f64))
        });
        format!(
            "accounts       {accounts}, of which {:.0} % have a key and {:.0} % a record on each of {RECORD_DAYS} days\n\
             {memory}{growing}\n\
             openings       {openings_per_second:.0} a second, making and signing them included\n\
             longest stall  {longest_stall_ms} ms\n\
             start          {} ms with {accounts} accounts, {} ms with {fewer}",
            shares.keys * 100.0,
            shares.records * 100.0,
            start.took_ms,
            first_start.took_ms,
        )
    });
}
