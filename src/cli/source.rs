//! Where the entries of an export or an audit come from.

use std::{path::Path, time::Duration};

use tokio::{runtime::Handle, sync::watch, time::timeout};
use tonic::{Status, Streaming};

use super::{
    client,
    output::{Failure, usage},
};
use crate::{
    pipeline, proto,
    store::{CheckpointFile, LogStore, SledStore, StoredEntry},
};

/// How long a server may stay silent: a commit under full load takes a fraction of a second.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A log to read in order.
pub(crate) enum Source {
    /// A server that sends it.
    Server { runtime: Handle, entries: Streaming<proto::SubscribeResponse>, stopped: watch::Receiver<bool> },
    /// A folder that nobody serves meanwhile.
    Folder(SledStore),
}

impl Source {
    /// A server's log from an index on.
    pub(crate) async fn server(server: &str, from_index: u64, stopped: watch::Receiver<bool>) -> anyhow::Result<Self> {
        let mut client = client::connect(server).await?;
        let request = proto::SubscribeRequest { from_index };
        let entries = answer(client.subscribe(request)).await?;
        Ok(Self::Server { runtime: Handle::current(), entries, stopped })
    }

    /// A data folder's log, and its newest checkpoint.
    pub(crate) fn folder(folder: &Path) -> anyhow::Result<(Self, String)> {
        if !folder.join("log").join("db").exists() {
            return Err(usage(format!("--data {}: there is no ledger in it", folder.display())));
        }
        let note = CheckpointFile::new(folder.join("checkpoint")).read()?;
        let note = note.ok_or_else(|| usage(format!("{} has no signed checkpoint yet", folder.display())))?;
        Ok((Self::Folder(SledStore::open(&folder.join("log"))?), note))
    }

    /// The entries from `index` on that come next, at least one.
    pub(crate) fn next(&mut self, index: u64) -> anyhow::Result<Vec<StoredEntry>> {
        match self {
            Self::Folder(store) => {
                let entries = store.entries(index, pipeline::CHUNK_BYTES)?;
                let size = store.size();
                let gone = || Failure::Refused(format!("the log has {size} entries, fewer than its checkpoint"));
                if entries.is_empty() { Err(gone().into()) } else { Ok(entries) }
            }
            Self::Server { runtime, entries, stopped } => runtime.block_on(async {
                let message = tokio::select! {
                    message = timeout(SILENCE_MAX, entries.message()) => message.map_err(silent)?,
                    _ = stopped.wait_for(|stop| *stop) => return Err(unreachable("interrupted")),
                };
                let ended = || unreachable("the server ended the stream before its last entry; try again");
                let entry = message.map_err(Failure::from)?.ok_or_else(ended)?.entry;
                let none = || Failure::Refused(format!("the server sent no sheet for entry {index}"));
                Ok(vec![entry.and_then(StoredEntry::from_message).ok_or_else(none)?])
            }),
        }
    }
}

fn unreachable(problem: &str) -> anyhow::Error {
    Failure::Unreachable(problem.to_owned()).into()
}

/// A server's answer, unless it stays silent.
pub(crate) async fn answer<T>(call: impl Future<Output = Result<tonic::Response<T>, Status>>) -> anyhow::Result<T> {
    Ok(timeout(SILENCE_MAX, call).await.map_err(silent)?.map_err(Failure::from)?.into_inner())
}

fn silent(_elapsed: tokio::time::error::Elapsed) -> anyhow::Error {
    unreachable(&format!("the server said nothing for {} s", SILENCE_MAX.as_secs()))
}
