//! Turns: a connection that never stops sending leaves its thread to the others in between.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::{connections::Connection, limits::TURN_BYTES};

/// A stream whose reader is interrupted after every [`TURN_BYTES`], and left alone for a while where what it reads is mostly
/// no request. Without this HTTP/2 works off whatever there is to be read before others have a turn.
#[derive(Debug)]
pub(super) struct Turns<S> {
    stream: Pin<Box<S>>,
    connection: Connection,
    read: usize,
    alone: Option<Pin<Box<Sleep>>>,
}

impl<S> Turns<S> {
    pub(super) fn new(stream: S, connection: Connection) -> Self {
        Self { stream: Box::pin(stream), connection, read: 0, alone: None }
    }
}

impl<S: AsyncRead> AsyncRead for Turns<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(alone) = &mut self.alone {
            ready!(alone.as_mut().poll(context));
            self.alone = None;
        }
        if self.read >= TURN_BYTES {
            self.read = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = self.stream.as_mut().poll_read(context, buffer);
        if read.is_pending() {
            self.read = 0;
            return Poll::Pending;
        }
        let bytes = buffer.filled().len() - before;
        self.read += bytes;
        let now = Instant::now();
        let late = self.connection.weight().read(bytes, now);
        self.alone = late.map(|late| Box::pin(tokio::time::sleep_until(now + late)));
        read
    }
}

impl<S: AsyncWrite> AsyncWrite for Turns<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}
