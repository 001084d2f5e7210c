//! Requests as they arrive: whole messages, each within its method's limit, the connection's share and a time.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::{Bytes, HttpBody};
use bytes::BytesMut;
use hyper::body::{Frame, Incoming};
use tokio::time::{Instant, Sleep};
use tonic::Status;

use super::{
    call::Call,
    connections::NoRoom,
    limits::{LIST_MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX, SHEET_MESSAGE_BYTES_MAX, STALL, patience},
    reason::Reason,
    status::{broken_off, failure, no_room},
};

/// What stands before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The head of a frame of HTTP/2.
const FRAME_BYTES: usize = 9;

/// What a method takes.
#[derive(Debug, Clone, Copy)]
struct Taken {
    /// Bytes of a message.
    message_bytes_max: usize,
    /// Whether there may be more than one.
    many: bool,
}

/// Waits for room.
type Room = dyn Future<Output = Result<(), NoRoom>> + Send;

/// The body of a request, handed on message by message.
pub(super) struct Arriving {
    incoming: Incoming,
    call: Call,
    taken: Taken,
    messages: usize,
    buffer: BytesMut,
    /// The message under way, where it came in one piece.
    whole: Bytes,
    /// Bytes of the message that is under way, its prefix included.
    length: Option<usize>,
    /// Waits for room for it.
    room: Option<Pin<Box<Room>>>,
    /// When the message under way, or the first one, has to be complete.
    complete_by: Option<Instant>,
    /// When something has to have come.
    next_by: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl Taken {
    fn by(path: &str) -> Self {
        let (message_bytes_max, many) = match path.rsplit('/').next() {
            Some("SubmitList" | "DryRun") => (LIST_MESSAGE_BYTES_MAX, false),
            Some("Submit") => (SHEET_MESSAGE_BYTES_MAX, false),
            Some("SubmitStream") => (SHEET_MESSAGE_BYTES_MAX, true),
            Some("ServerReflectionInfo") => (MESSAGE_BYTES_MAX, true),
            Some(_) | None => (MESSAGE_BYTES_MAX, false),
        };
        Self { message_bytes_max, many }
    }
}

impl Arriving {
    /// What arrives for a call of a method.
    pub(super) fn new(incoming: Incoming, call: Call, path: &str) -> Self {
        let now = Instant::now();
        Self {
            incoming,
            call,
            taken: Taken::by(path),
            messages: 0,
            buffer: BytesMut::new(),
            whole: Bytes::new(),
            length: None,
            room: None,
            complete_by: None,
            next_by: now + STALL,
            timer: None,
            over: false,
        }
    }

    /// Reads the prefix of the next message, once it is there, and holds what the message takes.
    fn begin_message(&mut self) -> Result<(), Status> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX>().filter(|_| self.length.is_none()) else { return Ok(()) };
        let [_, length @ ..] = *prefix;
        self.expect(u32::from_be_bytes(length) as usize)?;
        if self.room.is_none() {
            self.reserve();
        }
        Ok(())
    }

    /// Holds what a message takes.
    fn expect(&mut self, bytes: usize) -> Result<(), Status> {
        if self.messages > 0 && !self.taken.many {
            return Err(failure(Reason::MessageInvalid, "", "one message is expected, and there are more"));
        }
        let most = self.taken.message_bytes_max;
        if bytes > most {
            let said = format!("the message has {bytes} bytes, and {most} are taken at most");
            return Err(failure(Reason::MessageTooLarge, "", &said));
        }
        self.length = Some(PREFIX + bytes);
        self.begin_to_wait();
        match self.call.expect(bytes, self.taken.many) {
            Ok(()) => {}
            // A stream waits for its own answers to be taken, and for others' to be; nobody else is behind it.
            Err(NoRoom::Connection | NoRoom::Service) if self.taken.many => {
                self.room = Some(Box::pin(self.call.clone().expect_patiently(bytes)));
            }
            Err(no) => return Err(no_room(no)),
        }
        Ok(())
    }

    /// Makes room for the rest of the message under way.
    fn reserve(&mut self) {
        self.buffer.reserve(self.length.unwrap_or_default().saturating_sub(self.buffer.len()));
    }

    /// From now on the message under way has its time.
    fn begin_to_wait(&mut self) {
        let now = Instant::now();
        self.next_by = now + STALL;
        self.complete_by = self.length.map(|length| now + patience(length));
    }

    /// The message under way, if it is complete.
    fn complete(&mut self) -> Option<Bytes> {
        let length = self.length.filter(|length| self.buffer.len() + self.whole.len() >= *length)?;
        (self.length, self.complete_by) = (None, None);
        self.messages += 1;
        if self.whole.is_empty() {
            return Some(self.buffer.split_to(length).freeze());
        }
        Some(std::mem::take(&mut self.whole))
    }

    /// Takes in what came. A message that came in one piece, as small ones do, stays as it is.
    fn receive(&mut self, bytes: &Bytes) -> Result<(), Status> {
        self.next_by = Instant::now() + STALL;
        self.call.connection().weight().credit(bytes.len() + FRAME_BYTES);
        if let Some([_, length @ ..]) = bytes.first_chunk::<PREFIX>().filter(|_| self.buffer.is_empty()) {
            let length = u32::from_be_bytes(*length) as usize;
            if bytes.len() == PREFIX + length {
                self.expect(length)?;
                self.whole = bytes.clone();
                return Ok(());
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether it is late, and if not, who is told when it will be.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        // Between the messages of a stream there is no hurry.
        if self.taken.many && self.length.is_none() && self.buffer.is_empty() {
            self.timer = None;
            return Poll::Pending;
        }
        let by = self.complete_by.map_or(self.next_by, |by| by.min(self.next_by));
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(by)));
        if timer.deadline() != by {
            timer.as_mut().reset(by);
        }
        ready!(timer.as_mut().poll(context));
        let seconds = STALL.as_secs();
        let said = format!("the request made no progress for {seconds} s, or took longer than its size allows");
        Poll::Ready(failure(Reason::RequestStalled, "", &said))
    }

    /// Takes in what has come; whether there may be more.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Status>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
            return self.poll_late(context).map(Err);
        };
        Poll::Ready(match frame {
            // Trailers of a request say nothing that anybody here asks for.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) if !bytes.is_empty() => self.receive(&bytes).map(|()| true),
                Ok(_) | Err(_) => Ok(true),
            },
            Some(Err(error)) => Err(broken_off(&error)),
            None => Ok(false),
        })
    }

    /// The next message, once it is complete; none after the last.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        loop {
            if let Some(room) = &mut self.room {
                ready!(room.as_mut().poll(context)).map_err(no_room)?;
                self.room = None;
                self.begin_to_wait();
                self.reserve();
            }
            self.begin_message()?;
            if self.room.is_some() {
                continue;
            }
            if let Some(message) = self.complete() {
                return Poll::Ready(Ok(Some(message)));
            }
            if !ready!(self.poll_more(context))? {
                self.over = true;
                // What is cut off is for the decoder to say.
                let rest = std::mem::take(&mut self.buffer);
                return Poll::Ready(Ok((!rest.is_empty()).then(|| rest.freeze())));
            }
        }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let message = ready!(self.poll_message(context));
        if message.is_err() {
            self.over = true;
            self.buffer = BytesMut::new();
        }
        Poll::Ready(message.transpose().map(|message| message.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.over || (self.buffer.is_empty() && self.length.is_none() && self.incoming.is_end_stream())
    }
}
