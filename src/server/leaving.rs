//! Answers as they leave: held against the connection's share until the client has taken them.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tonic::Status;

use super::{
    call::Call,
    limits::{UNTAKEN_MAX, UNTAKEN_SMALL},
    status::{no_room, trailers},
};

/// The body of an answer. Not much of it is made before the client has taken what was made before.
pub(super) struct Leaving {
    body: Body,
    call: Call,
    /// Whether failures are said in gRPC's trailers.
    grpc: bool,
    trailers: Option<Frame<Bytes>>,
    over: bool,
}

impl Leaving {
    /// The answer to a call.
    pub(super) fn new(body: Body, call: Call, grpc: bool) -> Self {
        let over = body.is_end_stream();
        if over {
            call.end();
        }
        Self { body, call, grpc, trailers: None, over }
    }

    fn end(&mut self) {
        self.over = true;
        self.body = Body::empty();
        self.call.end();
    }

    fn failed(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.end();
        if !self.grpc {
            return Poll::Ready(Some(Err(axum::Error::new(status.clone()))));
        }
        Poll::Ready(Some(Ok(Frame::trailers(trailers(status)))))
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.call.end();
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if this.trailers.is_none() {
            if this.over {
                return Poll::Ready(None);
            }
            ready!(this.call.poll_taken(UNTAKEN_MAX, context));
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => match this.call.send(bytes) {
                        Ok(bytes) => {
                            if !this.grpc && this.body.is_end_stream() {
                                this.end();
                            }
                            return Poll::Ready(Some(Ok(Frame::data(bytes))));
                        }
                        Err(no) => return this.failed(&no_room(no)),
                    },
                    Err(trailers) => this.trailers = Some(trailers),
                },
                Some(Err(error)) => {
                    this.end();
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.end();
                    return Poll::Ready(None);
                }
            }
        }
        // The call is there as long as its answer: whoever doesn't take a large one is noticed.
        ready!(this.call.poll_taken(UNTAKEN_SMALL, context));
        this.end();
        Poll::Ready(this.trailers.take().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.trailers.is_none()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        if self.over { hyper::body::SizeHint::with_exact(0) } else { self.body.size_hint() }
    }
}
