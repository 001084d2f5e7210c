//! What every gRPC call passes on its way in and out: HTTP/2 alone, the caller's deadline, and a reason for everything that
//! gRPC itself says no to.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Version, header::ACCEPT_LANGUAGE},
    middleware::{self, Next},
    response::Response,
};
use hyper::body::Frame;
use tokio::{sync::watch, time::Instant};
use tonic::{Status, codegen::Service as _, service::Routes};

use super::{
    Service,
    generated::ledger_service_server::{LedgerServiceServer, SERVICE_NAME},
    http::not_here,
    reason::Reason,
    status::{deadline_exceeded, failure, localized, named, shutting_down, trailers},
};
use crate::ledger::Language;

/// The header of a call's deadline.
const TIMEOUT: &str = "grpc-timeout";
/// Digits of a timeout, as gRPC limits them.
const TIMEOUT_DIGITS_MAX: usize = 8;
/// The longest deadline that is watched, a year: no connection lives as long, and no sum of times overflows.
const DEADLINE_MAX: Duration = Duration::from_hours(365 * 24);

/// The language that a call asks for, if it is spoken here: beside each request, for those who refuse it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spoken(pub(super) Option<Language>);

impl Spoken {
    /// What was found beside a request.
    pub(super) fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get().copied().unwrap_or_default()
    }
}

/// Everything that is answered on the port: gRPC, and the public files. gRPC stays HTTP/2: a page in a browser on this
/// machine can speak HTTP/1.1 to any port of it, and nobody has checked yet who reads.
#[derive(Clone)]
pub(super) struct Port {
    ledger: LedgerServiceServer<Service>,
    beside: Router,
}

impl Port {
    /// The ledger's own service, standard ones beside it, and the public files.
    pub(super) fn new(ledger: LedgerServiceServer<Service>, standard: Routes, public: Router) -> Self {
        let standard = standard.into_axum_router();
        let standard = standard.layer(middleware::from_fn(|request, next: Next| call(request, |it| next.run(it))));
        Self { ledger, beside: standard.merge(public) }
    }

    /// Answers a request. The ledger's own don't pass the router, which takes a seventh of a short call's time.
    pub(super) async fn answer(&self, request: Request) -> Response {
        let path = request.uri().path().strip_prefix('/');
        if path.and_then(|path| path.strip_prefix(SERVICE_NAME)).is_some_and(|method| method.starts_with('/')) {
            let mut ledger = self.ledger.clone();
            return call(request, async move |request| {
                let Ok(response) = ledger.call(request).await;
                response.map(Body::new)
            })
            .await;
        }
        let Ok(response) = self.beside.clone().call(request).await;
        response
    }
}

/// Answers a gRPC call.
async fn call<F: Future<Output = Response>>(mut request: Request, answer: impl FnOnce(Request) -> F) -> Response {
    if request.version() != Version::HTTP_2 {
        return not_here();
    }
    let language = spoken(request.headers());
    request.extensions_mut().insert(language);
    let deadline = match deadline(request.headers()) {
        Ok(deadline) => deadline,
        Err(status) => return explained(status.into_http(), "", language),
    };
    let method = request.uri().clone();
    let Some(deadline) = deadline else { return explained(answer(request).await, method.path(), language) };
    match tokio::time::timeout_at(deadline, answer(request)).await {
        Ok(response) => explained(response, method.path(), language).map(|body| {
            let end = async move {
                tokio::time::sleep_until(deadline).await;
                deadline_exceeded()
            };
            // First the deadline: a stream that always has more would never come to it.
            Body::new(Ended { body, end: Box::pin(end), end_first: true, over: false })
        }),
        Err(_passed) => explained(deadline_exceeded().into_http(), "", language),
    }
}

/// Ends what a standard service streams when the ledger goes down: whoever watches its health would hold it up. What is
/// said before that, as that it serves no more, goes out first.
pub(super) async fn until_shutdown(
    State(mut shutdown): State<watch::Receiver<bool>>,
    request: Request,
    next: Next,
) -> Response {
    next.run(request).await.map(|body| {
        let end = async move {
            // A sender that is gone means the same.
            drop(shutdown.wait_for(|stop| *stop).await);
            shutting_down()
        };
        Body::new(Ended { body, end: Box::pin(end), end_first: false, over: false })
    })
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

/// The language that a call asks to be answered in. Browsers and gRPC's clients write it alike.
fn spoken(headers: &HeaderMap) -> Spoken {
    // Lines of one name are one list (RFC 9110, section 5.3); letters beyond ASCII are no tag, and spoil no other.
    let lines = headers.get_all(ACCEPT_LANGUAGE).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    Spoken(Language::accepted(&lines.collect::<Vec<_>>().join(",")))
}

/// The response, with a reason in its head where gRPC said no in its own words, and in the language that was asked for.
fn explained(mut response: Response, method: &str, Spoken(language): Spoken) -> Response {
    let headers = response.headers();
    let has_details = headers.contains_key(Status::GRPC_STATUS_DETAILS);
    if !headers.contains_key(Status::GRPC_STATUS) || (has_details && language.is_none()) {
        return response;
    }
    if let Some(status) = Status::from_header_map(headers) {
        let status = named(status, method);
        let status = match language {
            Some(language) => localized(status, language),
            None => status,
        };
        // Other headers stay: which compressions are taken, say. Nothing in a status of ours is no header.
        let _added = status.add_header(response.headers_mut());
    }
    response
}

/// A body that something else may end, with the status that says why.
struct Ended<F> {
    body: Body,
    end: Pin<Box<F>>,
    /// Whether the end goes before what the body has ready.
    end_first: bool,
    over: bool,
}

impl<F: Future<Output = Status>> Ended<F> {
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Poll::Ready(status) = self.end.as_mut().poll(context) else { return Poll::Pending };
        self.over = true;
        // Whoever makes the stream hears that nobody takes it any more.
        self.body = Body::empty();
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }
}

impl<F: Future<Output = Status>> HttpBody for Ended<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if self.end_first
            && let ended @ Poll::Ready(_) = self.poll_end(context)
        {
            return ended;
        }
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_pending() && !self.end_first { self.poll_end(context) } else { frame }
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }
}
