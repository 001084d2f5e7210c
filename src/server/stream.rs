//! Streams: submissions in order, and the log as it grows.

use std::pin::Pin;

use tokio::sync::{mpsc, oneshot};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Status, Streaming};

use super::{
    Service,
    messages::{entry_message, until_published},
    status::broken,
    submit::result,
};
use crate::{
    proto,
    sequencer::{Accepted, SubmitError},
};

/// Sheets of one stream under way: enough for two commits of the smallest kind of sheets.
const STREAM_SHEETS_MAX: usize = 4_096;
/// Bytes of entries read ahead for a subscriber at a time.
const READ_BYTES: usize = 256 * 1_024;
/// Entries that wait for a slow reader.
const READ_AHEAD_MAX: usize = 64;

/// A stream of answers.
pub(crate) type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What will answer one sheet of a stream.
enum Pending {
    Under(oneshot::Receiver<Result<Accepted, SubmitError>>),
    Failed(SubmitError),
}

/// Takes sheets as they come; answers come in the same order.
pub(super) fn submit(
    service: Service,
    mut requests: Streaming<proto::SubmitStreamRequest>,
) -> Responses<proto::SubmitStreamResponse> {
    let (pending, waiting) = mpsc::channel(STREAM_SHEETS_MAX);
    tokio::spawn(async move {
        let mut shutdown = service.shutdown.clone();
        loop {
            let request = tokio::select! {
                request = requests.next() => request,
                _ = shutdown.wait_for(|stop| *stop) => None,
            };
            let item = match request {
                None => return,
                Some(Ok(request)) => take(&service, request).await,
                Some(Err(status)) => Err(status),
            };
            let last = item.is_err();
            if pending.send(item).await.is_err() || last {
                return;
            }
        }
    });
    Box::pin(ReceiverStream::new(waiting).then(|item| async {
        let outcome = match item? {
            Pending::Under(answer) => answer.await.unwrap_or(Err(SubmitError::ShuttingDown)),
            Pending::Failed(error) => Err(error),
        };
        Ok(proto::SubmitStreamResponse { result: Some(result(outcome)) })
    }))
}

async fn take(service: &Service, request: proto::SubmitStreamRequest) -> Result<Pending, Status> {
    let published = until_published(request.until)?;
    let sheet = request.sheet.unwrap_or_default();
    Ok(match service.sequencer.feed(sheet, published).await {
        Ok(answer) => Pending::Under(answer),
        Err(error) => Pending::Failed(error),
    })
}

/// Entries from an index on. What a slow reader hasn't taken yet stays in the log; nothing is kept for it here.
pub(super) fn subscribe(service: &Service, from_index: u64) -> Responses<proto::SubscribeResponse> {
    let (entries, waiting) = mpsc::channel(READ_AHEAD_MAX);
    let (store, mut durable) = (service.store.clone(), service.projection.durable());
    let mut shutdown = service.shutdown.clone();
    tokio::spawn(async move {
        let mut next = from_index;
        loop {
            let more = tokio::select! {
                size = durable.wait_for(|size| *size > next) => size.is_ok(),
                _ = shutdown.wait_for(|stop| *stop) => false,
                () = entries.closed() => false,
            };
            if !more {
                return;
            }
            let read = store.clone();
            let batch = tokio::task::spawn_blocking(move || read.entries(next, READ_BYTES)).await;
            let batch = match batch {
                Ok(Ok(batch)) => batch,
                Ok(Err(error)) => {
                    // The reader is told; if it is gone there is nobody to tell.
                    let _gone = entries.send(Err(broken(&error))).await;
                    return;
                }
                Err(_cancelled) => return,
            };
            for entry in batch {
                next = entry.index + 1;
                let response = proto::SubscribeResponse { entry: Some(entry_message(entry)) };
                if entries.send(Ok(response)).await.is_err() {
                    return;
                }
            }
        }
    });
    Box::pin(ReceiverStream::new(waiting))
}
