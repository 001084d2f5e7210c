//! `timebank export`

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;
use tokio::sync::watch;

use super::{
    call::answer,
    checkpoint::{checkpoint_over, read_note},
    client,
    output::{Failure, progress, refuse_overwrite, tell, usage},
    source::Source,
};
use crate::{
    engine::log::StoredEntry,
    engine::store::{sync_folder, unnamed},
    format::{
        archive::{ArchiveError, Writer},
        checkpoint::{self, Checkpoint, Note, VerifierKey},
        proto, wire,
    },
    ledger::Event,
    merkle::{Frontier, leaf_hash},
};

/// Write the log to a portable archive.
///
/// The archive holds every entry up to a signed checkpoint (of a server: over all that was recorded when it began), and everybody's account: only you can read the file. It is
/// checked against the checkpoint while it is written, and is there only once it is whole.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank export --out leeds.archive
  timebank export --out leeds.archive --server http://127.0.0.1:7464 --json
  timebank export --out leeds.archive --data /srv/timebank        while the service is down
  timebank export --out again.archive --checkpoint june.checkpoint    the log as it was, to the byte")]
pub(crate) struct Arguments {
    /// The server.
    #[arg(long, value_name = "URL", env = "TIMEBANK_SERVER", default_value_t = client::default_server())]
    server: String,
    /// Read this data folder instead of a server; the service has to be down.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Export up to the checkpoint in this file, kept from before [default: the newest one].
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Entries to export: what the checkpoint has to be over.
    #[arg(long, value_name = "N")]
    size: Option<u64>,
    /// Overwrite the file.
    #[arg(long)]
    force: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What was written.
struct Export {
    checkpoint: Checkpoint,
    ledger_vkey: String,
    genesis_leaf_hash: String,
    bytes: u64,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    refuse_overwrite(&arguments.out, arguments.force)?;
    if std::fs::metadata(&arguments.out).is_ok_and(|there| !there.is_file()) {
        return Err(usage(format!(
            "{} is no file, and nothing to put an archive in the place of",
            arguments.out.display()
        )));
    }
    let (stop, stopped) = watch::channel(false);
    let kept = arguments.checkpoint.as_deref().map(read_note).transpose()?;
    let (source, newest) = if let Some(folder) = &arguments.data {
        Source::folder(folder)?
    } else {
        // Everything that was acknowledged before; a checkpoint that was kept says by itself how much it wants.
        let mut client = client::connect(&arguments.server).await?;
        let size = if kept.is_some() { 0 } else { answer(client.get_status(proto::GetStatusRequest {})).await?.size };
        let note = checkpoint_over(&mut client, size, None).await?;
        (Source::server(&arguments.server, 0, stopped.clone()).await?, note)
    };
    let (note, checkpoint) = goal(kept, newest, arguments.size)?;
    let (out, force) = (arguments.out.clone(), arguments.force);
    let mut writing = tokio::task::spawn_blocking(move || write(source, (&note, checkpoint), (&out, force), &stopped));
    let export = tokio::select! {
        export = &mut writing => export,
        _ = tokio::signal::ctrl_c() => {
            stop.send_replace(true);
            writing.await
        }
    }?
    .with_context(|| format!("{} was not written", arguments.out.display()))?;
    let value = json!({
        "file": arguments.out.display().to_string(),
        "bytes": export.bytes,
        "origin": export.checkpoint.origin,
        "size": export.checkpoint.size,
        "root": hex::encode(&export.checkpoint.root),
        "ledger_vkey": export.ledger_vkey,
        "genesis_leaf_hash": export.genesis_leaf_hash,
    });
    tell(arguments.json, &value, || {
        format!(
            "{} entries of {} in {} ({} bytes)\nroot           {}\nledger key     {}\ngenesis leaf   {}",
            export.checkpoint.size,
            export.checkpoint.origin,
            arguments.out.display(),
            export.bytes,
            hex::encode(&export.checkpoint.root),
            export.ledger_vkey,
            export.genesis_leaf_hash,
        )
    });
    Ok(())
}

/// The checkpoint to export up to: the one that was kept, or the newest one.
fn goal(kept: Option<String>, newest: String, size: Option<u64>) -> anyhow::Result<(String, Checkpoint)> {
    let parse = |note: &str| {
        let text = Note::parse(note.as_bytes()).map_err(|error| error.to_string())?;
        Checkpoint::parse(text.text()).map_err(|error| error.to_string())
    };
    let refused = |error| Failure::refused(format!("the source's checkpoint is none: {error}"));
    let there = parse(&newest).map_err(refused)?;
    let (note, checkpoint) = match kept {
        None => (newest, there),
        Some(note) => {
            let checkpoint = parse(&note).map_err(|error| usage(format!("--checkpoint: {error}")))?;
            if checkpoint.size > there.size || checkpoint.origin != there.origin {
                let what = |of: &Checkpoint| format!("{} entries of {}", of.size, of.origin);
                let (wanted, there) = (what(&checkpoint), what(&there));
                return Err(
                    Failure::refused(format!("--checkpoint: it is over {wanted}, the source has {there}")).into()
                );
            }
            (note, checkpoint)
        }
    };
    if let Some(size) = size.filter(|size| *size != checkpoint.size) {
        return Err(usage(format!(
            "--size {size}: the checkpoint is over {} entries, and an archive ends with one over exactly its own. Keep \
             the checkpoint that you want to export up to, and give it with --checkpoint FILE",
            checkpoint.size
        )));
    }
    Ok((note, checkpoint))
}

/// Writes the archive beside its place, checks it against the checkpoint, and moves it there when it is on the disk.
fn write(
    mut source: Source,
    (note, checkpoint): (&str, Checkpoint),
    (out, force): (&Path, bool),
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Export> {
    let folder = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".export-").suffix(".tmp").tempfile_in(folder).map_err(unnamed)?;
    let bar = progress(Some(checkpoint.size), "entries");
    let mut writer = Writer::new(file, &checkpoint.origin).map_err(|error| failure(&error))?;
    let mut check = Check { note, checkpoint: &checkpoint, frontier: Frontier::default(), genesis: None };
    while writer.count() < checkpoint.size {
        for entry in source.next(writer.count())? {
            if writer.count() < checkpoint.size {
                check.entry(&entry)?;
                writer.push(&entry).map_err(|error| failure(&error))?;
            }
        }
        if *stopped.borrow() {
            return Err(Failure::Unreachable("interrupted".to_owned()).into());
        }
        bar.set_position(writer.count());
    }
    bar.finish_and_clear();
    let (ledger_vkey, genesis_leaf_hash) = check.finish()?;
    let file = writer.finish(note).map_err(|error| failure(&error))?;
    file.as_file().sync_all().map_err(|error| Failure::Unreachable(error.to_string()))?;
    let bytes = file.as_file().metadata()?.len();
    if force {
        file.persist(out).map_err(|error| error.error)?;
    } else {
        file.persist_noclobber(out)
            .map_err(|error| refuse_overwrite(out, false).err().unwrap_or_else(|| error.error.into()))?;
    }
    sync_folder(folder)?;
    Ok(Export { checkpoint, ledger_vkey, genesis_leaf_hash, bytes })
}

/// What the disk didn't take says nothing of the source, which is to blame for everything else.
fn failure(error: &ArchiveError) -> Failure {
    let text = error.to_string();
    if matches!(error, ArchiveError::Io { .. }) { Failure::Unreachable(text) } else { Failure::refused(text) }
}

/// Whether entries are those that the checkpoint was signed over. Not whether they obey the rules: an audit says that.
struct Check<'a> {
    note: &'a str,
    checkpoint: &'a Checkpoint,
    frontier: Frontier,
    /// Ledger key and leaf hash of the genesis.
    genesis: Option<(String, String)>,
}

impl Check<'_> {
    fn entry(&mut self, entry: &StoredEntry) -> anyhow::Result<()> {
        let index = entry.index;
        let refused = |problem: String| Failure::refused(format!("entry {index} of the source {problem}"));
        let StoredEntry { header, events, signatures, .. } = entry.clone();
        // The tree holds the header's hash, and the header the hash of the events.
        let decoded = wire::decode(&proto::Sheet { header, events, signatures })
            .map_err(|refusal| refused(format!("can't be decoded: {refusal}")))?;
        if decoded.sheet.origin != self.checkpoint.origin {
            return Err(refused(format!("is of another ledger, {}", decoded.sheet.origin)).into());
        }
        let leaf = wire::leaf(index, entry.recorded_at_ms, &decoded.header_hash, &decoded.signatures_hash);
        let hash = leaf_hash(&leaf);
        if self.genesis.is_none() {
            let Some(Event::LedgerCreated(created)) = decoded.sheet.events.first() else {
                return Err(refused("is no genesis".to_owned()).into());
            };
            let key = VerifierKey::new(&self.checkpoint.origin, created.ledger_key)
                .map_err(|error| refused(format!("names a ledger key that is none: {error}")))?;
            checkpoint::open(self.note.as_bytes(), &key, &self.checkpoint.origin)
                .map_err(|error| refused(format!("names a ledger key that did not sign the checkpoint: {error}")))?;
            self.genesis = Some((key.to_string(), hex::encode(hash)));
        }
        self.frontier.append(hash, |_| ());
        Ok(())
    }

    fn finish(self) -> anyhow::Result<(String, String)> {
        if self.checkpoint.root_hash().is_ok_and(|root| root == self.frontier.root()) {
            let no_entries = || Failure::refused("the source has no entries under a signed checkpoint yet".to_owned());
            return self.genesis.ok_or_else(|| no_entries().into());
        }
        Err(Failure::refused(format!(
            "the source's first {} entries are not those that the checkpoint was signed over: their tree has another root. \
             Keep the checkpoint as evidence, and run `timebank audit`",
            self.checkpoint.size
        ))
        .into())
    }
}
