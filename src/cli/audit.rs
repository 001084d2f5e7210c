//! `timebank audit`

mod archive;
mod connection;
mod folder;
mod kept;
mod memory;
mod place;
mod report;
mod server;
mod state;

use std::{path::PathBuf, time::Duration};

use clap::ArgGroup;
use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use self::{
    connection::Connection,
    kept::{Compared, Kept},
    memory::Memory,
    place::Place,
    report::print,
};
use super::{
    checkpoint::read_policy,
    client,
    output::{Failure, usage},
};
use crate::{
    engine::projection::Projection,
    format::{
        archive::ArchiveError,
        checkpoint::{Note, policy::WitnessPolicy},
    },
    merkle::Hash,
    trust::audit::{Audit, AuditError, AuditReport, Discrepancy, Pin},
};

/// Check a whole ledger from its bytes: every signature, every rule, the tree, and the signed checkpoint.
///
/// Without --pin the audit takes the ledger's identity from the source itself, and says so: then it shows that the log is
/// sound, not that it is the log you know.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("source").required(true).args(["archive", "server", "data"]),
    after_help = "\
Exit codes: 0 verified; 1 a divergence was found, and is named; 2 wrong usage; 3 the source could
not be read or reached; 4 verified, but it is older than what an earlier audit verified: both
are named.

Examples:
  timebank audit --archive leeds.archive --pin leeds.pin
  timebank audit --server http://127.0.0.1:7464 --json
  timebank audit --data /srv/timebank            while the service is down"
)]
pub(crate) struct Arguments {
    /// An archive that `timebank export` wrote.
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
    /// A running server.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A data folder; the service has to be down.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What you pinned of this ledger: a file with its key and genesis, as a first start wrote it.
    #[arg(long, value_name = "FILE")]
    pin: Option<PathBuf>,
    /// The witnesses that must have cosigned, a C2SP tlog-policy file.
    #[arg(long, value_name = "FILE")]
    witness_policy: Option<PathBuf>,
    /// Where the last checkpoint and state of each audited ledger are remembered [default: timebank/audits in your state
    /// directory]. The next audit verifies only what is new, and convicts a ledger that takes back what it signed. One
    /// folder serves any number of ledgers and all three kinds of source.
    #[arg(long, value_name = "DIR")]
    memory: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How long an audit that is interrupted may take to remember how far it came.
const INTERRUPTED_WAIT: Duration = Duration::from_secs(30);

/// Why an audit stopped.
#[derive(Debug)]
enum Stop {
    Audit(AuditError),
    Archive(ArchiveError),
    Source(anyhow::Error),
    /// The server answers something else than its log adds up to, or the log's store is damaged.
    Found(Box<Discrepancy>),
}

impl From<AuditError> for Stop {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let pin = arguments.pin.as_deref().map(Pin::read).transpose().map_err(|error| usage(error.to_string()))?;
    let policy = arguments.witness_policy.as_deref().map(read_policy).transpose()?;
    let (stop, stopped) = watch::channel(false);
    // Before anything takes long: an interruption that comes first would end it without a word.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let json = arguments.json;
    let memory = arguments.memory.map_or_else(|| Ok(Place::of_person()), Place::named)?;
    let auditing = match (arguments.archive, arguments.data, arguments.server) {
        (Some(file), _, _) => tokio::task::spawn_blocking(move || {
            let audit = |place: &Place| archive::audit(&file, pin.as_ref(), policy.as_ref(), place, &stopped);
            audit(&memory).or_else(|error| audit(&memory.left_alone(error)?))
        }),
        (None, Some(data), _) => tokio::task::spawn_blocking(move || {
            let audit = |place: &Place| folder::audit(&data, pin.as_ref(), policy.as_ref(), place, &stopped);
            audit(&memory).or_else(|error| audit(&memory.left_alone(error)?))
        }),
        (None, None, server) => {
            let runtime = Handle::current();
            tokio::task::spawn_blocking(move || {
                let server = server.unwrap_or_else(client::default_server);
                let connect = || Connection::new(&server, &runtime, &stopped).map_err(connection::failure);
                let audit = |place: &Place| server::audit(connect, pin.as_ref(), policy.as_ref(), place, &stopped);
                audit(&memory).or_else(|error| audit(&memory.left_alone(error)?))
            })
        }
    };
    tokio::pin!(auditing);
    let report = tokio::select! {
        report = &mut auditing => report?,
        _ = interrupt.recv() => {
            stop.send_replace(true);
            // It remembers how far it came, unless somebody can't wait for that. A verdict that it came to is told.
            tokio::select! {
                ended = tokio::time::timeout(INTERRUPTED_WAIT, auditing) => {
                    if let Ok(Ok(Ok(report))) = ended {
                        return print(&report, json);
                    }
                }
                _ = interrupt.recv() => {}
            }
            return Err(Failure::Unreachable("interrupted: nothing was verified".to_owned()).into());
        }
    };
    print(&report?, json)
}

/// Whether the witnesses that the auditor asks for have cosigned a checkpoint that was verified.
fn witnessed(report: AuditReport, note: &str, policy: Option<&WitnessPolicy>) -> AuditReport {
    let (true, Some(policy)) = (report.is_verified(), policy) else { return report };
    let satisfied = Note::parse(note.as_bytes())
        .map_err(|error| error.to_string())
        .and_then(|note| policy.satisfied(&note).map(|_names| ()).map_err(|error| error.to_string()));
    match satisfied {
        Ok(()) => report,
        Err(problem) => report.with(Discrepancy::WitnessesMissing(problem)),
    }
}

/// Nothing that an audit could judge.
fn unreadable(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Failure>() {
        Some(Failure::Refused(_) | Failure::Unreachable(_) | Failure::Unknown { .. } | Failure::Partly(_)) => error,
        Some(Failure::Usage(_)) | None => Failure::Unreachable(format!("{error:#}")).into(),
    }
}

/// Whatever takes long stops where somebody wants no more.
fn refuse_if(stopped: &watch::Receiver<bool>) -> anyhow::Result<()> {
    let interrupted = || Failure::Unreachable("interrupted".to_owned()).into();
    if *stopped.borrow() { Err(interrupted()) } else { Ok(()) }
}

/// Holds a source that is sound by itself against what is remembered of its ledger, and remembers it. None where
/// this auditor's own files turn out to be damaged.
fn remember(
    memory: &Memory,
    (kept, own): (&mut Kept, &Projection),
    (pin, stopped): (Option<&Pin>, &watch::Receiver<bool>),
    (note, audit): (&str, &mut Audit),
    report: AuditReport,
) -> anyhow::Result<Option<AuditReport>> {
    let Some(whole) = report.verified() else {
        let entry = if report.is_other_history() { kept.first_other(memory, audit) } else { None };
        return Ok(Some(report.naming(entry)));
    };
    match kept.compare(memory, (note, whole), audit)? {
        Compared::Fits => {
            memory.save(own, audit);
            kept.replace(memory, (note, whole), audit, (pin, stopped));
            memory.promote();
            Ok(Some(report))
        }
        Compared::Older(older) => {
            if let Some(genesis) = audit.genesis() {
                kept.remember_pin(memory, genesis, pin);
            }
            memory.save_shorter(own, audit);
            Ok(Some(report.older(older)))
        }
        Compared::Forked(found) => Ok(Some(report.with(*found))),
        Compared::Unfit => Ok(None),
    }
}

/// The auditor's own files contradict each other, though all of them were just made.
fn unfit() -> anyhow::Error {
    Failure::Unreachable("the audit's own files failed: what was written to them is not what is read".to_owned()).into()
}

/// Files that an audit itself makes could not be written, or read again.
#[derive(Debug, thiserror::Error)]
#[error("the audit's own files failed")]
struct OwnFiles;

/// Nothing was judged, for the auditor's own files failed: that says nothing of the source.
fn own_files(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::Error::from(Failure::Unreachable(error.to_string())).context(OwnFiles)
}

/// A report of what was found, or an error where nothing could be judged.
fn outcome(audit: &Audit, known: (bool, u64), ended: Result<(u64, Hash), Stop>) -> anyhow::Result<AuditReport> {
    let found = |found: Discrepancy| Ok(AuditReport::new(audit, known, Err(found)));
    match ended {
        Ok(verified) => Ok(AuditReport::new(audit, known, Ok(verified))),
        Err(Stop::Audit(AuditError::Found(finding))) => found((*finding).into()),
        Err(Stop::Audit(AuditError::Io(error))) => Err(own_files(error)),
        Err(Stop::Archive(error @ ArchiveError::Io { .. })) => Err(Failure::Unreachable(error.to_string()).into()),
        Err(Stop::Archive(error)) => found(Discrepancy::ArchiveDamaged(error)),
        Err(Stop::Found(discrepancy)) => found(*discrepancy),
        Err(Stop::Source(error)) => match error.downcast_ref::<Failure>() {
            Some(Failure::Refused(problem)) => found(Discrepancy::SourceIncomplete(problem.text.clone())),
            Some(Failure::Usage(_) | Failure::Unreachable(_) | Failure::Unknown { .. } | Failure::Partly(_)) | None => {
                Err(unreadable(error))
            }
        },
    }
}
