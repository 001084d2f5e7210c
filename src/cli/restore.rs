//! `timebank restore`

use std::path::PathBuf;

use serde_json::json;

use super::{
    bars::Bars,
    output::{Failure, tell, usage},
    process,
};
use crate::{
    folder::{self, RestoreError, RestoreOptions, Restored},
    format::checkpoint::VerifierKey,
};

/// Make a data folder of an archive.
///
/// Every entry is replayed first: signatures, rules, tree and checkpoint. The archive has no private keys; without --keys
/// the folder can be exported and audited, not served.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Serve a restored folder only where the ledger that it was exported from is gone for good, and took
nothing after the archive's last entry: two ledgers that go on under one key are two histories,
and anybody can convict the key of it.

Examples:
  timebank restore --archive leeds.archive --data /srv/timebank --keys /mnt/backup/timebank
  timebank restore --archive leeds.archive --data copy --key timebank.example/leeds+4b0c1f22+AQ...")]
pub(crate) struct Arguments {
    /// The archive.
    #[arg(long, value_name = "FILE")]
    archive: PathBuf,
    /// Data folder to make: not there yet, or empty.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Folder to copy ledger.key, service.key and operator.key from, such as a backup of the data folder. If it has a
    /// checkpoint too, the archive must reach it.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// The ledger key that you pinned; an archive of any other ledger is refused.
    #[arg(long, value_name = "VKEY")]
    key: Option<VerifierKey>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    process::make_private();
    process::start_threads()?;
    let Arguments { archive, data, keys, key, json } = arguments;
    let vouched = keys.is_some() || key.is_some();
    let options = RestoreOptions { archive, folder: data.clone(), keys, ledger_key: key };
    let restored = process::interruptible(move |is_stopped| folder::restore(&options, &Bars::until(is_stopped)))
        .await?
        .map_err(|error| failure(&error))?;
    let value = json!({
        "data": data.display().to_string(),
        "origin": restored.origin,
        "size": restored.size,
        "root": hex::encode(restored.root),
        "ledger_vkey": restored.ledger_vkey,
        "genesis_leaf_hash": hex::encode(restored.genesis_leaf_hash),
        "keys": restored.keys,
    });
    tell(json, &value, || text(&restored, &data.display().to_string(), vouched));
    Ok(())
}

fn text(restored: &Restored, folder: &str, vouched: bool) -> String {
    let Restored { origin, size, root, ledger_vkey, genesis_leaf_hash, keys } = restored;
    let (root, leaf) = (hex::encode(root), hex::encode(genesis_leaf_hash));
    let keys = if keys.is_empty() {
        "none: it can be exported and audited; to be served it needs ledger.key and service.key".to_owned()
    } else {
        keys.join(", ")
    };
    let warning = if vouched {
        ""
    } else {
        "\nNothing but the archive itself vouches for its ledger key: compare it with the one that you pinned."
    };
    format!(
        "{size} entries of {origin} in {folder}\nroot           {root}\nledger key     {ledger_vkey}\n\
         genesis leaf   {leaf}\nkeys           {keys}{warning}"
    )
}

/// 1 where the archive is refused, 2 where a file can't be read or written.
fn failure(error: &RestoreError) -> anyhow::Error {
    match error {
        RestoreError::Place(_)
        | RestoreError::KeyFile(_)
        | RestoreError::Store(_)
        | RestoreError::Projection(_)
        | RestoreError::Interrupted
        | RestoreError::KeptCheckpoint { .. } => usage(error.to_string()),
        RestoreError::Archive(_)
        | RestoreError::Empty
        | RestoreError::OtherLedger { .. }
        | RestoreError::Undecodable { .. }
        | RestoreError::Diverged(_)
        | RestoreError::Checkpoint(_)
        | RestoreError::RootMismatch { .. }
        | RestoreError::EntriesMissing { .. }
        | RestoreError::OtherHistory { .. } => Failure::refused(error.to_string()).into(),
    }
}
