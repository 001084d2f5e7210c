//! `timebank audit`

mod connection;
mod memory_folder;
mod report;

use std::{fs, io::ErrorKind, path::PathBuf, time::Duration};

use clap::ArgGroup;
use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use self::{connection::Connection, report::print};
use super::{
    bars::Bars,
    checkpoint::read_policy,
    client,
    output::{Failure, usage},
    process,
    source::Source,
};
use crate::{
    engine::{store::StoreError, tree::Tree},
    trust::audit::{
        AuditReport, Auditor, MemoryError, Pin, Unjudged,
        archive::{self, NotOpened},
        folder::{self, FolderLog},
        server,
    },
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

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let pin = arguments.pin.as_deref().map(Pin::read).transpose().map_err(|error| usage(error.to_string()))?;
    let policy = arguments.witness_policy.as_deref().map(read_policy).transpose()?;
    process::start_threads()?;
    let (stop, stopped) = watch::channel(false);
    // Before anything takes long: an interruption that comes first would end it without a word.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let json = arguments.json;
    let memory = arguments.memory.map_or_else(|| Ok(memory_folder::of_person()), memory_folder::named)?;
    let subject = match (arguments.archive, arguments.data, arguments.server) {
        (Some(file), _, _) => Subject::Archive(file),
        (None, Some(data), _) => Subject::Folder(data),
        (None, None, server) => Subject::Server(server.unwrap_or_else(client::default_server), Handle::current()),
    };
    let auditing = tokio::task::spawn_blocking(move || {
        let (memory, stopped, progress) = (&memory, &stopped, &Bars::default());
        audit(&subject, &Auditor { pin: pin.as_ref(), policy: policy.as_ref(), memory, stopped, progress })
    });
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

/// What is to be audited.
enum Subject {
    Archive(PathBuf),
    Folder(PathBuf),
    Server(String, Handle),
}

fn audit(subject: &Subject, auditor: &Auditor) -> anyhow::Result<AuditReport> {
    match subject {
        Subject::Archive(file) => {
            let unread = |error: NotOpened| Failure::Unreachable(error.to_string()).into();
            archive::audit(file, auditor).map_err(|unjudged| failure(unjudged, unread))
        }
        Subject::Folder(data) => {
            let unread = |error: StoreError| unreadable(error.into());
            let (source, note) = Source::folder(data).map_err(unreadable)?;
            let Source::Folder(log) = source else { return Err(usage("--data: not a folder")) };
            let cosigned = match fs::read(data.join("cosigned")) {
                Ok(cosigned) => Some(cosigned).filter(|cosigned| !cosigned.is_empty()),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => {
                    return Err(Failure::Unreachable(format!("{}: {error}", data.join("cosigned").display())).into());
                }
            };
            let tree =
                Tree::read(&data.join("projections")).map_err(|error| Failure::Unreachable(error.to_string()))?;
            folder::audit(&FolderLog { log: log.as_ref(), tree, note, cosigned }, auditor)
                .map_err(|unjudged| failure(unjudged, unread))
        }
        Subject::Server(url, runtime) => {
            let connect = || Connection::new(url, runtime, auditor.stopped);
            server::audit(connect, auditor).map_err(|unjudged| failure(unjudged, connection::failure))
        }
    }
}

/// How the command ends where nothing was judged; `of_source` where the source is why.
fn failure<E: std::error::Error>(unjudged: Unjudged<E>, of_source: impl FnOnce(E) -> anyhow::Error) -> anyhow::Error {
    let unreachable = |error: &dyn std::fmt::Display| Failure::Unreachable(error.to_string()).into();
    match unjudged {
        Unjudged::Interrupted(interrupted) => unreachable(&interrupted),
        Unjudged::Memory(MemoryError::Unusable(problem)) => usage(format!("--memory: {problem}")),
        Unjudged::Memory(MemoryError::Temporary(error)) => error.into(),
        Unjudged::OwnFiles(_) | Unjudged::Unfit => unreachable(&unjudged),
        Unjudged::Projection(error) => error.into(),
        Unjudged::Archive(error) => unreachable(&error),
        Unjudged::Source(error) => of_source(error),
    }
}

/// Nothing that an audit could judge.
fn unreadable(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Failure>() {
        Some(
            Failure::Refused(_)
            | Failure::Unreachable(_)
            | Failure::Unknown { .. }
            | Failure::Partly(_)
            | Failure::NotNow(_),
        ) => error,
        Some(Failure::Usage(_)) | None => Failure::Unreachable(format!("{error:#}")).into(),
    }
}
