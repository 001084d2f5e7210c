//! Where the entries of an export or an audit come from.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::watch, time::timeout};
use tonic::Streaming;

use super::{
    call::{SILENCE_MAX, answer, silent},
    client,
    output::{Failure, usage},
};
use crate::{
    engine::{
        log::{self, Log, StoredEntry},
        pipeline,
        store::CheckpointFile,
    },
    format::proto,
};

/// A log to read in order.
pub(crate) enum Source {
    /// A server that sends it.
    Server {
        runtime: Handle,
        entries: Box<Streaming<proto::SubscribeResponse>>,
        stopped: watch::Receiver<bool>,
        /// How long it may stay silent.
        silence_max: Duration,
    },
    /// A folder that nobody serves meanwhile.
    Folder(Arc<dyn Log>),
}

impl Source {
    /// A server's log from an index on.
    pub(crate) async fn server(server: &str, from_index: u64, stopped: watch::Receiver<bool>) -> anyhow::Result<Self> {
        let mut client = client::connect(server).await?;
        let request = proto::SubscribeRequest { from_index };
        let entries = Box::new(answer(client.subscribe(request)).await?);
        Ok(Self::Server { runtime: Handle::current(), entries, stopped, silence_max: SILENCE_MAX })
    }

    /// A data folder's log, and its newest checkpoint.
    pub(crate) fn folder(folder: &Path) -> anyhow::Result<(Self, String)> {
        if !folder.join("log").join("db").exists() {
            return Err(usage(format!("--data {}: there is no ledger in it", folder.display())));
        }
        let note = CheckpointFile::new(&folder.join("checkpoint")).read()?;
        let note = note.ok_or_else(|| usage(format!("{} has no signed checkpoint yet", folder.display())))?;
        Ok((Self::Folder(log::open(&folder.join("log"))?), note))
    }

    /// The entries from `index` on that come next, at least one.
    pub(crate) fn next(&mut self, index: u64) -> anyhow::Result<Vec<StoredEntry>> {
        match self {
            Self::Folder(log) => {
                let entries = log.entries(index, pipeline::CHUNK_BYTES)?;
                let size = log.size();
                let gone = || Failure::refused(format!("the log has {size} entries, fewer than its checkpoint"));
                if entries.is_empty() { Err(gone().into()) } else { Ok(entries) }
            }
            Self::Server { runtime, entries, stopped, silence_max } => runtime.block_on(async {
                let message = tokio::select! {
                    message = timeout(*silence_max, entries.message()) => message.map_err(|_late| silent(*silence_max))?,
                    _ = stopped.wait_for(|stop| *stop) => return Err(unreachable("interrupted")),
                };
                let ended = || unreachable("the server ended the stream before its last entry; try again");
                let entry = message.map_err(Failure::from)?.ok_or_else(ended)?.entry;
                let none = || Failure::refused(format!("the server sent no sheet for entry {index}"));
                Ok(vec![entry.and_then(StoredEntry::from_message).ok_or_else(none)?])
            }),
        }
    }
}

fn unreachable(problem: &str) -> anyhow::Error {
    Failure::Unreachable(problem.to_owned()).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use prost::Message;
    use tokio_stream::StreamExt;
    use tonic::codec::Codec;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    /// A stream of one entry after which nothing comes, not even the end.
    fn one_entry_then_silence() -> Streaming<proto::SubscribeResponse> {
        let sheet = Some(proto::Sheet::default());
        let message = proto::SubscribeResponse { entry: Some(proto::Entry { index: 7, recorded_at_ms: 0, sheet }) };
        let message = message.encode_to_vec();
        let mut frame = vec![0];
        frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        frame.extend(message);
        let chunks = tokio_stream::once(Ok::<_, std::io::Error>(frame)).chain(tokio_stream::pending());
        let decoder = tonic_prost::ProstCodec::<proto::SubscribeRequest, _>::default().decoder();
        Streaming::new_request(decoder, axum::body::Body::from_stream(chunks), None, None)
    }

    #[tokio::test]
    async fn a_stream_that_falls_silent_is_given_up() {
        let (_stop, stopped) = watch::channel(false);
        let (runtime, entries) = (Handle::current(), Box::new(one_entry_then_silence()));
        let mut source = Source::Server { runtime, entries, stopped, silence_max: SOON };
        let (first, second) = tokio::task::spawn_blocking(move || (source.next(7), source.next(8))).await.unwrap();
        assert_eq!(first.unwrap()[0].index, 7);
        let problem = second.unwrap_err();
        assert!(matches!(problem.downcast_ref(), Some(Failure::Unreachable(_))), "{problem}");
    }
}
