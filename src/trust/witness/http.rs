//! The HTTP interface of tlog-witness: `POST /add-checkpoint`, and `GET /<origin hash>/checkpoint` for monitors.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use super::{
    AddError, WitnessFolder,
    places::{Place, Places, Stage},
};
use crate::{
    engine::{now, seldom::Seldom},
    format::checkpoint::witness::{REQUEST_BYTES_MAX, WitnessRefusal},
};

/// How long a request's body may take: 64 KiB in the slowest of networks.
const BODY_WAIT: Duration = Duration::from_secs(10);
/// How long a connection may last, whatever it is used for.
const CONNECTION_WAIT: Duration = Duration::from_mins(10);
/// Bytes of a connection's buffer: a head, and the largest piece of a body read at once.
const BUFFER_BYTES: usize = 16 * 1_024;
/// How long a shutdown waits for what is under way.
const GRACE: Duration = Duration::from_secs(10);
/// How long accepting rests after it failed, out of descriptors most likely.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

type Answer = Response<Full<Bytes>>;

/// What all connections share.
struct Service {
    folder: WitnessFolder,
    refusals: Seldom,
    failures: Seldom,
}

/// Serves a witness until `shutdown` completes; requests under way are answered.
pub async fn run(listener: TcpListener, folder: WitnessFolder, shutdown: impl Future<Output = ()> + Send) {
    let places = Arc::new(Places::new(folder.sizes().len()));
    let service = Arc::new(Service { folder, refusals: Seldom::default(), failures: Seldom::default() });
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::select! {
        () = shutdown => {}
        () = accept(&listener, &places, (&service, &stopping), &mut connections) => {}
    }
    drop(listener);
    stop.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, ended).await.is_err() {
        tracing::warn!("some connections were cut");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Places>,
    (service, stopping): (&Arc<Service>, &watch::Receiver<bool>),
    connections: &mut JoinSet<()>,
) {
    let failures = Seldom::default();
    loop {
        // Who comes is accepted first: while nobody does, nobody has to go.
        match listener.accept().await {
            Ok((stream, _)) => {
                let place = places.take().await;
                connections.spawn(connection(stream, place, Arc::clone(service), stopping.clone()));
            }
            Err(error) => {
                if let Some(others) = failures.now() {
                    tracing::warn!("a connection was not accepted: {error}{others}");
                }
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// A connection from its beginning to its end, whichever comes first. Its socket is closed before its place is given back.
async fn connection(stream: TcpStream, place: Place, service: Arc<Service>, stopping: watch::Receiver<bool>) {
    let place = Arc::new(place);
    tokio::select! {
        () = serve(stream, Arc::clone(&place), service, stopping) => {}
        () = place.lost() => tracing::debug!("a connection lost its place"),
        () = tokio::time::sleep(CONNECTION_WAIT) => tracing::debug!("a connection was cut after its time"),
    }
}

async fn serve(stream: TcpStream, place: Arc<Place>, service: Arc<Service>, stopping: watch::Receiver<bool>) {
    let answering = service_fn(move |request| {
        let (service, place) = (Arc::clone(&service), Arc::clone(&place));
        async move {
            let answer = answer(&service, &place, request).await;
            place.at(Stage::Idle);
            Ok::<_, Infallible>(answer)
        }
    });
    // Without hyper's own limit for heads: an idle connection loses its place, whatever it is idle at.
    let connection = http1::Builder::new().max_buf_size(BUFFER_BYTES).serve_connection(TokioIo::new(stream), answering);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}

/// Until the service goes down; a sender that is gone means the same.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    drop(stopping.wait_for(|stop| *stop).await);
}

async fn answer(service: &Arc<Service>, place: &Arc<Place>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    if path == "/add-checkpoint" {
        return if request.method() == Method::POST {
            add_checkpoint(service, place, request.into_body()).await
        } else {
            not_allowed("POST")
        };
    }
    match path.strip_prefix('/').and_then(|path| path.strip_suffix("/checkpoint")) {
        Some(_) if request.method() != Method::GET => not_allowed("GET"),
        Some(hash) => checkpoint(service, place, hash.to_owned()).await,
        None => nothing(),
    }
}

async fn checkpoint(service: &Arc<Service>, place: &Arc<Place>, origin_hash: String) -> Answer {
    place.at(Stage::Deciding);
    // The place is held until it is read, whoever goes away before.
    let (reading, held) = (Arc::clone(service), Arc::clone(place));
    let read = move || {
        let _held = held;
        reading.folder.checkpoint(&origin_hash)
    };
    // Waits for a request that is being decided, and so for the disk.
    match tokio::task::spawn_blocking(read).await {
        Ok(Some(note)) => text(StatusCode::OK, note),
        Ok(None) => nothing(),
        Err(error) => service.failed(&error),
    }
}

async fn add_checkpoint(service: &Arc<Service>, place: &Arc<Place>, body: Incoming) -> Answer {
    place.at(Stage::Sending);
    let body = match timeout(BODY_WAIT, Limited::new(body, REQUEST_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let problem = format!("the request has more than {REQUEST_BYTES_MAX} bytes\n");
            return text(StatusCode::PAYLOAD_TOO_LARGE, problem);
        }
        Ok(Err(_)) => return text(StatusCode::BAD_REQUEST, "the request was cut off\n".to_owned()),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the request took too long\n".to_owned()),
    };
    place.at(Stage::Deciding);
    let (deciding, held) = (Arc::clone(service), Arc::clone(place));
    let decide = move || {
        let _held = held;
        deciding.folder.add_checkpoint(&body, now::wall().as_second())
    };
    // A client that goes away doesn't end this: what was begun is kept, its place is held, and then the next one is decided.
    match tokio::task::spawn_blocking(decide).await {
        Ok(Ok(line)) => text(StatusCode::OK, line),
        Ok(Err(AddError::Refused(refusal))) => service.refused(&refusal),
        Ok(Err(error)) => service.failed(&error),
        Err(error) => service.failed(&error),
    }
}

impl Service {
    fn refused(&self, refusal: &WitnessRefusal) -> Answer {
        // Also what anybody gets who sends somebody's checkpoint with a proof that doesn't fit.
        if let (WitnessRefusal::NotConsistent(_), Some(others)) = (refusal, self.refusals.now()) {
            tracing::warn!("not cosigned: {refusal}{others}");
        }
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = text(status, refusal.body());
        if status == StatusCode::CONFLICT {
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/x.tlog.size"));
        }
        answer
    }

    fn failed(&self, error: &dyn std::error::Error) -> Answer {
        if let Some(others) = self.failures.now() {
            tracing::error!("not cosigned: {error}{others}");
        }
        text(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed; nothing was cosigned\n".to_owned())
    }
}

fn nothing() -> Answer {
    text(StatusCode::NOT_FOUND, "there is nothing here\n".to_owned())
}

fn not_allowed(allowed: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, format!("{allowed} is expected\n"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn text(status: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
