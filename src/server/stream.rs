//! Streams: submissions in order, and the log as it grows.

use std::{pin::Pin, sync::Arc};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Status, Streaming};

use super::{
    Service,
    answer::check,
    edge::Spoken,
    messages::until_published,
    read::READER,
    status::{named, read_status, shutting_down},
    submit::result,
};
use crate::{
    access::{Lane, ReadError},
    engine::sequencer::{Accepted, SubmitError},
    format::{proto, wire},
};

/// Sheets of one stream under way: enough for two commits of the smallest kind of sheets.
const STREAM_SHEETS_MAX: usize = 4_096;
/// Events of one stream whose answers were not taken yet: 65 of the largest sheets. A receipt takes some 400 bytes an
/// event, so a stream that is fed and never read keeps 26 MB.
const STREAM_EVENTS_MAX: usize = 65_536;
/// Bytes of entries read ahead for a subscriber at a time.
const READ_BYTES: usize = 256 * 1_024;
/// Entries that wait for a slow reader, besides those read at a time: 4 MiB of the largest.
const READ_AHEAD_MAX: usize = 16;

/// A stream of answers.
pub(crate) type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What will answer one sheet of a stream.
enum Pending {
    Under(oneshot::Receiver<Result<Accepted, SubmitError>>),
    Failed(SubmitError),
}

/// Takes sheets as they come; answers come in the same order. Where the service goes down first, those that were taken are
/// answered, and then the stream ends with the reason: a clean end would say that all of them were.
pub(super) fn submit(
    service: Service,
    Spoken(language): Spoken,
    mut requests: Streaming<proto::SubmitStreamRequest>,
) -> Responses<proto::SubmitStreamResponse> {
    let (pending, waiting) = mpsc::channel(STREAM_SHEETS_MAX);
    let room = Arc::new(Semaphore::new(STREAM_EVENTS_MAX));
    tokio::spawn(async move {
        let mut shutdown = service.shutdown.clone();
        loop {
            let request = tokio::select! {
                request = requests.next() => request,
                // Nobody takes answers any more: the caller is gone, or the deadline has passed.
                () = pending.closed() => return,
                _ = shutdown.wait_for(|stop| *stop) => Some(Err(shutting_down())),
            };
            let item = match request {
                None => return,
                Some(Err(status)) => Err(named(status, "SubmitStream")),
                Some(Ok(request)) => {
                    let events = request.sheet.as_ref().map_or(1, |sheet| sheet.events.len());
                    // A sheet of more events than there may be is refused; it takes all the room until then.
                    let share = u32::try_from(events.clamp(1, STREAM_EVENTS_MAX)).unwrap_or(u32::MAX);
                    let share = tokio::select! {
                        share = Arc::clone(&room).acquire_many_owned(share) => share.map_err(|_closed| shutting_down()),
                        () = pending.closed() => return,
                        _ = shutdown.wait_for(|stop| *stop) => Err(shutting_down()),
                    };
                    match share {
                        Ok(share) => take(&service, request).await.map(|taken| (taken, share)),
                        Err(status) => Err(status),
                    }
                }
            };
            let last = item.is_err();
            if pending.send(item).await.is_err() || last {
                return;
            }
        }
    });
    Box::pin(ReceiverStream::new(waiting).then(move |item| async move {
        // The room is given back once the answer is on its way.
        let (pending, _share) = item?;
        let outcome = match pending {
            Pending::Under(answer) => answer.await.unwrap_or(Err(SubmitError::ShuttingDown)),
            Pending::Failed(error) => Err(error),
        };
        check(proto::SubmitStreamResponse { result: Some(result(outcome, language)) })
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

/// Entries from an index on. What a slow reader hasn't taken yet stays in the log, but for a few entries read ahead.
pub(super) fn subscribe(service: &Service, from_index: u64) -> Result<Responses<proto::SubscribeResponse>, ReadError> {
    let (entries, waiting) = mpsc::channel(READ_AHEAD_MAX);
    let (reads, mut size) = (service.reads.clone(), service.reads.size(READER)?);
    let mut shutdown = service.shutdown.clone();
    tokio::spawn(async move {
        let mut next = from_index;
        loop {
            let more = tokio::select! {
                size = size.wait_for(|size| *size > next) => size.is_ok(),
                _ = shutdown.wait_for(|stop| *stop) => false,
                () = entries.closed() => return,
            };
            if !more {
                // Told as an error: after a clean end a reader would believe that this was the log's last entry.
                let _gone = entries.send(Err(shutting_down())).await;
                return;
            }
            let batch = reads.beside(Lane::Rows, move |reads| reads.entries(READER, next, READ_BYTES)).await;
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    // The reader is told; if it is gone there is nobody to tell.
                    let _gone = entries.send(Err(read_status(&error))).await;
                    return;
                }
            };
            for entry in batch {
                next = entry.index + 1;
                let response = check(proto::SubscribeResponse { entry: Some(wire::entry_message(entry)) });
                if entries.send(response).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(Box::pin(ReceiverStream::new(waiting)))
}
