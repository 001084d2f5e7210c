//! `timebank audit`

mod claims;
mod report;

use std::{fs::File, io::BufReader, path::PathBuf, time::Duration};

use clap::ArgGroup;
use indicatif::ProgressBar;
use tokio::sync::watch;

use self::{
    claims::Claims,
    report::{Divergence, Report},
};
use super::{
    client::{self, Client},
    output::{Failure, progress, usage},
    source::{SILENCE_MAX, Source, silent},
};
use crate::{
    archive::{ArchiveError, Reader},
    audit::{Audit, AuditError, Finding, OldEvents, Pin, Scratch},
    checkpoint::{Checkpoint, Note},
    merkle::Hash,
    pipeline::{self, Keys, Replayed},
    projection::{Committed, Projection},
    proto,
    store::{LogStore, SledStore, StoredEntry},
};

/// Check a whole ledger from its bytes: every signature, every rule, the tree, and the signed checkpoint.
///
/// Without --pin the audit takes the ledger's identity from the source itself, and says so: then it shows that the log is
/// sound, not that it is the log you know.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("source").required(true).args(["archive", "server", "data"]),
    after_help = "\
Exit codes: 0 verified; 1 a divergence was found, and is named; 2 wrong usage; 3 the source could not be read or reached.

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
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How often, and how long, a checkpoint over what was answered is waited for: one is due within a second.
const CHECKPOINT_TRIES: u32 = 50;
const CHECKPOINT_WAIT: Duration = Duration::from_millis(200);

/// Why an audit stopped.
#[derive(Debug)]
enum Stop {
    Audit(AuditError),
    Archive(ArchiveError),
    Source(anyhow::Error),
    /// The server answers something else than its log adds up to.
    Claim(Divergence),
}

impl From<AuditError> for Stop {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let pin = arguments.pin.as_deref().map(Pin::read).transpose().map_err(|error| usage(error.to_string()))?;
    let (stop, stopped) = watch::channel(false);
    let json = arguments.json;
    let pinned = pin.is_some();
    let mut auditing = match (arguments.archive, arguments.data, arguments.server) {
        (Some(file), _, _) => tokio::task::spawn_blocking(move || audit_archive(&file, pin)),
        (None, Some(folder), _) => {
            let (source, note) = Source::folder(&folder).map_err(unreadable)?;
            tokio::task::spawn_blocking(move || audit_folder(source, &note, pin))
        }
        (None, None, server) => {
            let server = server.unwrap_or_else(client::default_server);
            tokio::spawn(async move { audit_server(&server, pin, stopped).await })
        }
    };
    let report = tokio::select! {
        report = &mut auditing => report?,
        _ = tokio::signal::ctrl_c() => {
            stop.send_replace(true);
            return Err(Failure::Unreachable("interrupted: nothing was verified".to_owned()).into());
        }
    };
    report?.print(pinned, json)
}

/// Nothing that an audit could judge.
fn unreadable(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Failure>() {
        Some(Failure::Refused(_) | Failure::Unreachable(_)) => error,
        Some(Failure::Usage(_)) | None => Failure::Unreachable(format!("{error:#}")).into(),
    }
}

fn audit_archive(path: &std::path::Path, pin: Option<Pin>) -> anyhow::Result<Report> {
    let unread = |error: std::io::Error| Failure::Unreachable(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(unread)?;
    let mut audit = Audit::new(pin, None, Scratch::new()?);
    let mut reader = match Reader::new(BufReader::new(file)) {
        Ok(reader) => reader,
        Err(error) => return outcome(&audit, Err(Stop::Archive(error))),
    };
    let bar = progress(None, "entries");
    let origin = reader.origin().to_owned();
    let read = || reader.next_entries().map(Option::unwrap_or_default).map_err(Stop::Archive);
    let ended = replay(&mut audit, &bar, read, |_| Ok(None)).and_then(|()| {
        let named = audit.genesis().map(|genesis| genesis.ledger_key.name());
        match (named, reader.note()) {
            (Some(found), _) if found != origin => {
                let (what, expected, found) = ("origin", origin.clone(), found.to_owned());
                Err(Stop::Audit(Finding::NotAsPinned { what, expected, found }.into()))
            }
            (_, Some(note)) => Ok(audit.finish(note)?),
            (_, None) => Err(Stop::Audit(Finding::GenesisMissing.into())),
        }
    });
    let ended = match ended {
        Err(Stop::Archive(damage @ ArchiveError::Damaged { .. })) => {
            // Which of the frame's entries it is, a replay may tell.
            let mut keys: Keys = match audit.replay() {
                Some(replay) => replay.state.keys().iter().map(|key| (key.id, key.public_key)).collect(),
                None => Keys::new(),
            };
            let suspect = pipeline::prepare(reader.suspect().to_vec(), &mut keys);
            match audit.take(suspect, |_| Ok(None)) {
                Err(AuditError::Found(finding)) => Err(Stop::Audit(AuditError::Found(finding))),
                Ok(_) | Err(AuditError::Io(_)) => Err(Stop::Archive(damage)),
            }
        }
        ended => ended,
    };
    outcome(&audit, ended)
}

fn audit_folder(source: Source, note: &str, pin: Option<Pin>) -> anyhow::Result<Report> {
    let Source::Folder(store) = source else { return Err(usage("--data: not a folder")) };
    let store: &SledStore = &store;
    let mut audit = Audit::new(pin, parsed(note).map(|checkpoint| checkpoint.size), store as &dyn LogStore);
    let bar = progress(Some(store.size()), "entries");
    let mut next = 0;
    let read = || {
        let entries = if next < store.size() { store.entries(next, pipeline::CHUNK_BYTES) } else { Ok(Vec::new()) };
        let entries = entries.map_err(|error| Stop::Source(anyhow::Error::new(error)))?;
        next += entries.len() as u64;
        Ok(entries)
    };
    let node = |number| match store.tree_hash(number) {
        // One that is missing differs from every hash.
        Ok(hash) => Ok(Some(hash.unwrap_or_default())),
        Err(error) => Err(std::io::Error::other(error)),
    };
    let ended = replay(&mut audit, &bar, read, node).and_then(|()| Ok(audit.finish(note)?));
    outcome(&audit, ended)
}

/// Everything a server answers, gathered first, and its log from the first entry to a checkpoint that covers all of it.
async fn audit_server(server: &str, pin: Option<Pin>, stopped: watch::Receiver<bool>) -> anyhow::Result<Report> {
    let mut client = client::connect(server).await?;
    let claims = Claims::gather(&mut client).await?;
    let note = checkpoint_over(&mut client, claims.last_index() + 1).await?;
    let (source, _) = Source::server(server, 0, stopped).await?;
    let folder = tempfile::tempdir()?;
    let origin = parsed(&note).map_or_else(String::new, |checkpoint| checkpoint.origin);
    let (own, _) = Projection::open(folder.path(), &origin, 0)?;
    let last_index = claims.last_index();
    let replayed = tokio::task::spawn_blocking(move || replay_server(source, &note, pin, own, claims));
    let (report, own, claims) = replayed.await??;
    if !report.is_verified() {
        return Ok(report);
    }
    match claims.check_histories(&mut client, &own).await? {
        Ok(()) => Ok(report.compared(last_index)),
        Err(found) => Ok(report.with(found)),
    }
}

/// The server's checkpoint, once it is over so many entries.
async fn checkpoint_over(client: &mut Client, size: u64) -> anyhow::Result<String> {
    for _ in 0..CHECKPOINT_TRIES {
        let call = client.get_checkpoint(proto::GetCheckpointRequest {});
        let answer = tokio::time::timeout(SILENCE_MAX, call).await.map_err(silent)?.map_err(Failure::from)?;
        let note = answer.into_inner().checkpoint;
        if parsed(&note).is_none_or(|checkpoint| checkpoint.size >= size) {
            return Ok(note);
        }
        tokio::time::sleep(CHECKPOINT_WAIT).await;
    }
    Err(Failure::Refused(format!("the server signed no checkpoint over {size} entries, which its answers reflect"))
        .into())
}

fn replay_server(
    mut source: Source,
    note: &str,
    pin: Option<Pin>,
    own: Projection,
    claims: Claims,
) -> anyhow::Result<(Report, Projection, Claims)> {
    let goal = parsed(note).map(|checkpoint| checkpoint.size);
    let mut audit = Audit::new(pin, goal, Scratch::new()?);
    let bar = progress(goal, "entries");
    let (mut next, end) = (0, goal.unwrap_or(0));
    let read = || {
        let (mut entries, mut bytes): (Vec<StoredEntry>, usize) = (Vec::new(), 0);
        // A chunk ends where an answer is to be looked at.
        let end = claims.boundary(next).unwrap_or(end).min(end);
        while next < end && bytes < pipeline::CHUNK_BYTES {
            for entry in source.next(next).map_err(Stop::Source)? {
                bytes += entry.header.len() + entry.events.iter().map(bytes::Bytes::len).sum::<usize>();
                entries.push(entry);
                next += 1;
            }
        }
        Ok(entries)
    };
    let ended = pipeline::run(Keys::new(), read, |chunk| {
        let replayed = audit.take(chunk, |_| Ok(None))?;
        let committed: Vec<Committed<'_>> = replayed.iter().map(Replayed::committed).collect();
        let root = audit.replay().map_or_else(Hash::default, |replay| replay.frontier.root());
        own.apply(&committed, root).map_err(|error| Stop::Source(error.into()))?;
        claims.check(&own.view()).map_err(Stop::Claim)?;
        bar.set_position(audit.size());
        Ok(())
    });
    bar.finish_and_clear();
    let report = outcome(&audit, ended.and_then(|()| Ok(audit.finish(note)?)))?;
    Ok((report, own, claims))
}

/// What a note says, before anything of it is verified.
fn parsed(note: &str) -> Option<Checkpoint> {
    Checkpoint::parse(Note::parse(note.as_bytes()).ok()?.text()).ok()
}

fn replay<O: OldEvents>(
    audit: &mut Audit<O>,
    bar: &ProgressBar,
    read: impl FnMut() -> Result<Vec<StoredEntry>, Stop> + Send,
    mut node: impl FnMut(u64) -> std::io::Result<Option<Hash>>,
) -> Result<(), Stop> {
    let ended = pipeline::run(Keys::new(), read, |chunk| {
        audit.take(chunk, &mut node)?;
        bar.set_position(audit.size());
        Ok(())
    });
    bar.finish_and_clear();
    ended
}

/// A report of what was found, or an error where nothing could be judged.
fn outcome<O: OldEvents>(audit: &Audit<O>, ended: Result<(u64, Hash), Stop>) -> anyhow::Result<Report> {
    match ended {
        Ok(verified) => Ok(Report::new(audit, Ok(verified))),
        Err(Stop::Audit(AuditError::Found(finding))) => Ok(Report::new(audit, Err((&*finding).into()))),
        Err(Stop::Audit(AuditError::Io(error))) => {
            Err(Failure::Unreachable(format!("the audit's own files failed: {error}")).into())
        }
        Err(Stop::Archive(error @ ArchiveError::Io { .. })) => Err(Failure::Unreachable(error.to_string()).into()),
        Err(Stop::Archive(error)) => Ok(Report::new(audit, Err((&error).into()))),
        Err(Stop::Claim(found)) => Ok(Report::new(audit, Err(found))),
        Err(Stop::Source(error)) => match error.downcast_ref::<Failure>() {
            Some(Failure::Refused(problem)) => Ok(Report::new(audit, Err(problem.as_str().into()))),
            Some(Failure::Usage(_) | Failure::Unreachable(_)) | None => Err(unreadable(error)),
        },
    }
}
