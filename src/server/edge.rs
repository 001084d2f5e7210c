//! What every gRPC call passes on its way in and out: HTTP/2 alone, the caller's deadline, and a reason for everything that
//! gRPC itself says no to.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, HeaderValue, Version},
    middleware::Next,
    response::Response,
};
use hyper::body::Frame;
use tokio::time::{Instant, Sleep};
use tonic::Status;

use super::{
    http::not_here,
    reason::Reason,
    status::{deadline_exceeded, failure, named},
};

/// The header of a call's deadline.
const TIMEOUT: &str = "grpc-timeout";
/// Digits of a timeout, as gRPC limits them.
const TIMEOUT_DIGITS_MAX: usize = 8;
/// The longest deadline that is watched, a year: no connection lives as long, and no sum of times overflows.
const DEADLINE_MAX: Duration = Duration::from_hours(365 * 24);

/// Answers a gRPC call.
pub(super) async fn call(request: Request, next: Next) -> Response {
    if request.version() != Version::HTTP_2 {
        return not_here();
    }
    let deadline = match deadline(request.headers()) {
        Ok(deadline) => deadline,
        Err(status) => return status.into_http(),
    };
    let method = request.uri().clone();
    let Some(deadline) = deadline else { return explained(next.run(request).await, method.path()) };
    match tokio::time::timeout_at(deadline, next.run(request)).await {
        Ok(response) => explained(response, method.path()).map(|body| Body::new(Timed::new(body, deadline))),
        Err(_passed) => deadline_exceeded().into_http(),
    }
}

/// When the caller stops waiting; nothing where it says nothing, or more than can pass.
fn deadline(headers: &HeaderMap) -> Result<Option<Instant>, Status> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    let expected = "up to 8 digits and one of H, M, S, m, u, n";
    let timeout =
        timeout(value).ok_or_else(|| failure(Reason::TimeoutInvalid, TIMEOUT, &format!("expected {expected}")))?;
    Ok(Some(timeout).filter(|timeout| *timeout <= DEADLINE_MAX).and_then(|timeout| Instant::now().checked_add(timeout)))
}

/// A timeout as gRPC writes it, "5S". The specification says that it is positive; a client whose deadline has passed
/// already sends 0 all the same.
fn timeout(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    if !(1..=TIMEOUT_DIGITS_MAX).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(amount * 3_600)),
        b'M' => Some(Duration::from_secs(amount * 60)),
        b'S' => Some(Duration::from_secs(amount)),
        b'm' => Some(Duration::from_millis(amount)),
        b'u' => Some(Duration::from_micros(amount)),
        b'n' => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// The response, with a reason in its head where gRPC said no in its own words.
fn explained(mut response: Response, method: &str) -> Response {
    let headers = response.headers();
    if !headers.contains_key(Status::GRPC_STATUS) || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return response;
    }
    if let Some(status) = Status::from_header_map(headers) {
        // Other headers stay: which compressions are taken, say. Nothing in a status of ours is no header.
        let _added = named(status, method).add_header(response.headers_mut());
    }
    response
}

/// A body that ends at the deadline, with the status that says so.
struct Timed {
    body: Body,
    sleep: Pin<Box<Sleep>>,
    passed: bool,
}

impl Timed {
    fn new(body: Body, deadline: Instant) -> Self {
        Self { body, sleep: Box::pin(tokio::time::sleep_until(deadline)), passed: false }
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.passed {
            return Poll::Ready(None);
        }
        // First the deadline: a stream that always has more would never come to it.
        if self.sleep.as_mut().poll(context).is_pending() {
            return Pin::new(&mut self.body).poll_frame(context);
        }
        self.passed = true;
        // Whoever makes the stream hears that nobody takes it any more.
        self.body = Body::empty();
        let mut trailers = HeaderMap::new();
        let _added = deadline_exceeded().add_header(&mut trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.passed || self.body.is_end_stream()
    }
}
