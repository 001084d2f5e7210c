//! Streams: submissions in order, and the log as it grows.

use std::pin::Pin;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Status, Streaming};

use super::{
    Received, Service,
    answer::check,
    call::Call,
    connections::{Charge, Subscriber},
    edge::Spoken,
    feed::Feed,
    limits::{EVENT_BYTES, READ_BYTES, RESULT_BYTES, STREAM_SHEETS_MAX},
    messages::until_published,
    read::READER,
    status::{named, no_room, read_status, shutting_down, subscribers_full},
    submit::{Taken, result},
};
use crate::{
    engine::sequencer::{Accepted, DecodedSheet, SubmitError},
    format::{
        proto,
        wire::{self, StoredEntry},
    },
};

/// A stream of answers.
pub(crate) type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

type Request = Received<proto::SubmitStreamRequest>;

/// What will answer one sheet of a stream.
enum Pending {
    Under(oneshot::Receiver<Result<Accepted, SubmitError>>),
    Failed(SubmitError),
}

/// A sheet of a stream, what answers it, and what it holds until then.
type Item = Result<(Pending, Option<Charge>, Charge), Status>;

/// Takes sheets as they come; answers come in the same order. Where the service goes down first, those that were taken are
/// answered, and then the stream ends with the reason: a clean end would say that all of them were.
pub(super) fn submit(
    service: Service,
    call: Call,
    Spoken(language): Spoken,
    mut requests: Streaming<Request>,
) -> Responses<proto::SubmitStreamResponse> {
    let (pending, waiting) = mpsc::channel::<Item>(STREAM_SHEETS_MAX);
    let taking = call.clone();
    taking.spawn(async move {
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
                Some(Ok(request)) => tokio::select! {
                    item = take(&service, &call, request, &pending) => item,
                    () = pending.closed() => return,
                    _ = shutdown.wait_for(|stop| *stop) => Err(shutting_down()),
                },
            };
            let last = item.is_err();
            if pending.send(item).await.is_err() || last {
                return;
            }
        }
    });
    Box::pin(ReceiverStream::new(waiting).then(move |item| async move {
        // What it held is given back once the answer is on its way.
        let (pending, _message, _under_way) = item?;
        let outcome = match pending {
            Pending::Under(answer) => answer.await.unwrap_or(Err(SubmitError::ShuttingDown)),
            Pending::Failed(error) => Err(error),
        };
        check(proto::SubmitStreamResponse { result: Some(result(outcome, language)) })
    }))
}

/// Takes one sheet, once there is room for it and for its answer: while others of its stream are under way only where that
/// leaves room to other connections.
async fn take(service: &Service, call: &Call, request: Request, pending: &mpsc::Sender<Item>) -> Item {
    let bytes = request.bytes();
    let message = call.take(bytes.len());
    let Taken { sheet, until } = service.take_one(bytes).await?;
    let published = until_published(until)?;
    // None is refused as one that is empty, and the stream goes on.
    let sheet = sheet.unwrap_or_else(|| DecodedSheet::new(proto::Sheet::default()));
    let events = sheet.as_ref().map_or(0, DecodedSheet::events);
    let (connection, bytes) = (call.connection(), RESULT_BYTES + events * EVENT_BYTES);
    let under_way = tokio::select! {
        room = connection.spare_room(bytes) => room,
        // All of the channel is free: none is under way any more.
        _ = pending.reserve_many(STREAM_SHEETS_MAX) => connection.room(bytes).await,
    };
    let under_way = under_way.map_err(no_room)?;
    let fed = match sheet {
        Ok(sheet) => service.sequencer.feed_decoded(call.connection().source(), sheet, published).await,
        Err(refusal) => Err(SubmitError::Refused(refusal)),
    };
    let pending = match fed {
        Ok(answer) => Pending::Under(answer),
        Err(error) => Pending::Failed(error),
    };
    Ok((pending, message, under_way))
}

/// Where a subscription stands.
struct Following {
    feed: Feed,
    call: Call,
    size: watch::Receiver<u64>,
    shutdown: watch::Receiver<bool>,
    next: u64,
    /// What was read and not handed on yet, and what it holds.
    read: std::vec::IntoIter<StoredEntry>,
    held: Option<Charge>,
    over: bool,
    _place: Subscriber,
}

/// Entries from an index on. They are read when there is room for them in the answer: whoever takes none holds none.
pub(super) fn subscribe(
    service: &Service,
    call: Call,
    from_index: u64,
) -> Result<Responses<proto::SubscribeResponse>, Status> {
    let size = service.reads.size(READER).map_err(|error| read_status(&error))?;
    let place = call.connection().subscribe().ok_or_else(subscribers_full)?;
    let following = Following {
        feed: service.feed.clone(),
        call,
        size,
        shutdown: service.shutdown.clone(),
        next: from_index,
        read: Vec::new().into_iter(),
        held: None,
        over: false,
        _place: place,
    };
    Ok(Box::pin(futures_util::stream::unfold(following, async |mut following| {
        if following.over {
            return None;
        }
        let next = following.next().await;
        following.over = next.is_err();
        Some((next, following))
    })))
}

impl Following {
    /// The next entry, once there is one. The end of the service is told as an error: after a clean end a reader would
    /// believe that this was the log's last entry.
    async fn next(&mut self) -> Result<proto::SubscribeResponse, Status> {
        loop {
            if let Some(entry) = self.read.next() {
                self.next = entry.index + 1;
                return check(proto::SubscribeResponse { entry: Some(wire::entry_message(entry)) });
            }
            self.held = None;
            let mut shutdown = self.shutdown.clone();
            tokio::select! {
                read = self.read_on() => read?,
                _ = shutdown.wait_for(|stop| *stop) => return Err(shutting_down()),
            }
        }
    }

    async fn read_on(&mut self) -> Result<(), Status> {
        let next = self.next;
        let size = match self.size.wait_for(|size| *size > next).await {
            Ok(size) => *size,
            Err(_ended) => return Err(shutting_down()),
        };
        // Before it is read; of what is larger than a read, as one entry can be, the rest.
        let mut held = self.call.connection().room(READ_BYTES).await.map_err(no_room)?;
        let read = self.feed.read(next, size).await.map_err(|error| read_status(&error))?;
        let bytes: usize = read.iter().map(entry_bytes).sum();
        drop(held.split(READ_BYTES.saturating_sub(bytes)));
        if bytes > READ_BYTES {
            held.merge(self.call.connection().room(bytes - READ_BYTES).await.map_err(no_room)?);
        }
        self.held = Some(held);
        self.read = read.into_iter();
        Ok(())
    }
}

/// What an entry takes: its parts, and what is kept beside each.
fn entry_bytes(entry: &StoredEntry) -> usize {
    let parts = entry.events.iter().chain(&entry.signatures);
    entry.header.len() + parts.map(|part| part.len() + size_of::<bytes::Bytes>()).sum::<usize>()
}
