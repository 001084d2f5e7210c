//! `timebank mirror`

mod source;

use std::{fmt, path::PathBuf};

use clap::ArgGroup;
use serde_json::json;
use tonic::transport::Channel;

use self::source::Source;
use super::{
    checkpoint::show_evidence,
    client,
    output::{Failure, progress, tell, usage},
};
use crate::{
    format::checkpoint::{Checkpoint, NOTE_BYTES_MAX, VerifierKey},
    merkle::TiledError,
    trust::{
        audit::Pin,
        evidence,
        mirror::{self, Checked, MirrorError, Scope, Update},
    },
};

/// Keep a public copy of the log in a folder.
///
/// The folder holds a signed checkpoint, the tree in tiles, and the 81-byte leaves: static files in the C2SP tlog-tiles
/// layout that any web server can hand out. They tell nobody's key, count or account. Each run goes on where the last one
/// was; it refuses a log that got shorter or has another past than the folder.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("identity").args(["vkey", "pin"]), after_help = "\
Exit codes: 0 done; 1 the log was cut or rewritten, or a file of the folder is not what it has
there; 2 wrong usage, or the folder can't be used; 3 the server can't be reached; 4 done, but there
are files in the folder that are none of the log.

Examples:
  timebank mirror /srv/www/timebank
  timebank mirror --server http://127.0.0.1:7464 --vkey 'timebank.example/leeds+1a2b3c4d+AQ...' copy
  timebank mirror --all copy                   look at every file, and write damaged ones again
  timebank mirror --check --pin leeds.pin copy")]
pub(crate) struct Arguments {
    /// The folder; it is made where there is none.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The server.
    #[arg(long, value_name = "URL", env = "TIMEBANK_SERVER", default_value_t = client::default_server())]
    server: String,
    /// The ledger's key, as its first start printed it [default: what the server says, which is then taken on trust].
    #[arg(long, value_name = "VKEY")]
    vkey: Option<VerifierKey>,
    /// Take the key from a pin. Its genesis is not looked at: an audit does that.
    #[arg(long, value_name = "FILE")]
    pin: Option<PathBuf>,
    /// Look at all files of the folder, not only at new ones: damaged ones are written again, partial ones of earlier sizes too.
    #[arg(long)]
    all: bool,
    /// Ask no server: only check every file of the folder against its own checkpoint.
    #[arg(long, requires = "identity", conflicts_with = "all")]
    check: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let pinned = arguments.pin.as_deref().map(Pin::read).transpose().map_err(|error| usage(error.to_string()))?;
    let vkey = arguments.vkey.clone().or(pinned.map(|pin| pin.ledger_key));
    match vkey {
        Some(vkey) if arguments.check => check(&arguments, vkey).await,
        vkey => follow(arguments, vkey).await,
    }
}

async fn check(arguments: &Arguments, vkey: VerifierKey) -> anyhow::Result<()> {
    let (folder, json) = (arguments.folder.clone(), arguments.json);
    let checked = tokio::task::spawn_blocking(move || mirror::verify(&folder, &vkey)).await?;
    if let (true, Err(MirrorError::Unfit { damaged, strangers })) = (json, &checked) {
        tell(true, &json!({ "verified": false, "damaged": damaged, "strangers": strangers }), String::new);
    }
    let Checked { checkpoint, beyond } = checked.map_err(|error| failure(&error))?;
    let Checkpoint { origin, size, .. } = checkpoint;
    let value = json!({ "origin": origin, "size": size, "verified": true, "beyond": beyond });
    tell(json, &value, || {
        let mut text = format!("{origin}: all {size} entries and their tiles lead to the signed checkpoint");
        if beyond > 0 {
            text = format!("{text}; {beyond} files go on after what it covers, as a run that was cut off leaves them");
        }
        text
    });
    Ok(())
}

async fn follow(arguments: Arguments, vkey: Option<VerifierKey>) -> anyhow::Result<()> {
    let Arguments { folder, server, all, json, .. } = arguments;
    let channel = client::channel(&server).await?;
    let trusted = vkey.is_none() && !folder.join(mirror::CHECKPOINT).exists();
    let vkey = match vkey {
        Some(vkey) => vkey,
        None => said_by_server(channel.clone()).await?,
    };
    let note = source::get(channel.clone(), mirror::CHECKPOINT.to_owned(), NOTE_BYTES_MAX).await;
    let note = note.map_err(Failure::Unreachable)?;
    let note = note.ok_or_else(|| Failure::refused(format!("{server} publishes no checkpoint")))?;
    // What the log's tiles will be asked for; whether it is true shows when they are read.
    let size = Checkpoint::unverified(&note).map_or(0, |checkpoint| checkpoint.size);
    let (scope, key) = (if all { Scope::All } else { Scope::New }, vkey.clone());
    let mut source = Source::new(channel, size);
    let into = folder.clone();
    let updated = tokio::task::spawn_blocking(move || {
        let bar = progress(Some(size), "entries");
        let result =
            mirror::update(&into, &note, &key, scope, |file| source.fetch(file), |done| bar.set_position(done));
        bar.finish_and_clear();
        result
    });
    let updated = updated.await?;
    if let Err(error @ MirrorError::Forked { evidence: pair, .. }) = &updated {
        let path = evidence::keep(&folder, pair)?;
        return Err(Failure::refused(format!("{error}. {}", show_evidence(&path))).into());
    }
    let update = updated.map_err(|error| failure(&error))?;
    report(json, &update, &vkey, trusted)
}

/// The key that the server names. A folder that is there already was signed by the right one: another is refused.
async fn said_by_server(channel: Channel) -> anyhow::Result<VerifierKey> {
    let status = client::status(&mut client::client(channel)).await?;
    let refused = |error| Failure::refused(format!("the server's key {:?} is none: {error}", status.ledger_vkey));
    Ok(status.ledger_vkey.parse().map_err(refused)?)
}

fn report(json: bool, update: &Update, vkey: &VerifierKey, trusted: bool) -> anyhow::Result<()> {
    let Update { old, size, written, repaired, strangers } = update;
    let value = json!({
        "origin": vkey.name(),
        "vkey": vkey.to_string(),
        "vkey_taken_on_trust": trusted,
        "old_size": old,
        "size": size,
        "files_written": written,
        "files_repaired": repaired,
        "strangers": strangers,
    });
    tell(json, &value, || {
        let from = old.map_or_else(String::new, |old| format!(", {old} before"));
        let mut text = format!("{}: {size} entries{from}; {written} files written", vkey.name());
        if *repaired > 0 {
            text = format!("{text}, {repaired} of them in place of damaged ones");
        }
        if trusted {
            text = format!(
                "{text}\nThe key is what the server says, compare it with what its operator published:\n  {vkey}"
            );
        }
        text
    });
    if strangers.is_empty() {
        return Ok(());
    }
    let strangers = MirrorError::<std::io::Error>::Unfit { damaged: Vec::new(), strangers: strangers.clone() };
    Err(Failure::Partly(strangers.to_string()).into())
}

/// The exit code: 1 where the log isn't what it was or what it says, 2 where the folder can't be used, 3 where the log
/// can't be read.
fn failure<E: fmt::Display>(error: &MirrorError<E>) -> Failure {
    let text = error.to_string();
    match error {
        MirrorError::Io { .. } | MirrorError::InUse { .. } | MirrorError::OtherLog { .. } => Failure::Usage(text),
        MirrorError::Tiled(TiledError::Source { .. }) => Failure::Unreachable(text),
        MirrorError::Checkpoint(_)
        | MirrorError::Shrunk { .. }
        | MirrorError::Forked { .. }
        | MirrorError::Unfit { .. }
        | MirrorError::Tiled(
            TiledError::Missing { .. }
            | TiledError::Malformed { .. }
            | TiledError::RootMismatch { .. }
            | TiledError::TileMismatch { .. }
            | TiledError::EntryMismatch { .. }
            | TiledError::OutOfRange { .. },
        ) => Failure::refused(text),
    }
}
