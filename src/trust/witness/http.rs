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
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};

use super::{AddError, WitnessFolder};
use crate::format::checkpoint::witness::{REQUEST_BYTES_MAX, WitnessRefusal};

/// Connections at a time. Each request waits for its ledger on a thread, of which tokio has 512.
const CONNECTIONS_MAX: usize = 256;
/// How long a request's head may take, and a connection be idle.
const HEAD_WAIT: Duration = Duration::from_secs(30);
/// How long a request's body may take: 64 KiB in the slowest of networks.
const BODY_WAIT: Duration = Duration::from_secs(10);
/// How long a connection may last: whoever doesn't take answers doesn't keep a place for ever.
const CONNECTION_WAIT: Duration = Duration::from_mins(10);
/// Bytes of a connection's buffer: a head, and the largest piece of a body read at once.
const BUFFER_BYTES: usize = 16 * 1_024;
/// How long a shutdown waits for what is under way.
const GRACE: Duration = Duration::from_secs(10);
/// How long accepting rests after it failed, out of descriptors most likely.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

type Answer = Response<Full<Bytes>>;

/// Serves a witness until `shutdown` completes; requests under way are answered.
pub async fn run(listener: TcpListener, folder: WitnessFolder, shutdown: impl Future<Output = ()> + Send) {
    let folder = Arc::new(folder);
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::select! {
        () = shutdown => {}
        () = accept(&listener, &folder, &stopping, &mut connections) => {}
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
    folder: &Arc<WitnessFolder>,
    stopping: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (folder, stopping) = (Arc::clone(folder), stopping.clone());
                connections.spawn(async move {
                    if timeout(CONNECTION_WAIT, serve(stream, folder, stopping)).await.is_err() {
                        tracing::debug!("a connection was cut after its time");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, folder: Arc<WitnessFolder>, stopping: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let folder = Arc::clone(&folder);
        async move { Ok::<_, Infallible>(answer(&folder, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
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

async fn answer(folder: &Arc<WitnessFolder>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    if path == "/add-checkpoint" {
        return if request.method() == Method::POST {
            add_checkpoint(folder, request.into_body()).await
        } else {
            not_allowed("POST")
        };
    }
    match path.strip_prefix('/').and_then(|path| path.strip_suffix("/checkpoint")) {
        Some(_) if request.method() != Method::GET => not_allowed("GET"),
        Some(hash) => checkpoint(folder, hash.to_owned()).await,
        None => nothing(),
    }
}

async fn checkpoint(folder: &Arc<WitnessFolder>, origin_hash: String) -> Answer {
    let folder = Arc::clone(folder);
    // Waits for a request that is being decided, and so for the disk.
    match tokio::task::spawn_blocking(move || folder.checkpoint(&origin_hash)).await {
        Ok(Some(note)) => text(StatusCode::OK, note),
        Ok(None) => nothing(),
        Err(error) => failed(&error),
    }
}

async fn add_checkpoint(folder: &Arc<WitnessFolder>, body: Incoming) -> Answer {
    let body = match timeout(BODY_WAIT, Limited::new(body, REQUEST_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let problem = format!("the request has more than {REQUEST_BYTES_MAX} bytes\n");
            return text(StatusCode::PAYLOAD_TOO_LARGE, problem);
        }
        Ok(Err(_)) => return text(StatusCode::BAD_REQUEST, "the request was cut off\n".to_owned()),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the request took too long\n".to_owned()),
    };
    let folder = Arc::clone(folder);
    // A client that goes away doesn't end this: what was begun is kept, and then the next one is decided.
    let decided = tokio::task::spawn_blocking(move || folder.add_checkpoint(&body, jiff::Timestamp::now().as_second()));
    match decided.await {
        Ok(Ok(line)) => text(StatusCode::OK, line),
        Ok(Err(AddError::Refused(refusal))) => refused(&refusal),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

fn refused(refusal: &WitnessRefusal) -> Answer {
    if let WitnessRefusal::NotConsistent(_) = refusal {
        // Also what anybody gets who sends somebody's checkpoint with a proof that doesn't fit.
        tracing::warn!("not cosigned: {refusal}");
    }
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = text(status, refusal.body());
    if status == StatusCode::CONFLICT {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/x.tlog.size"));
    }
    answer
}

fn nothing() -> Answer {
    text(StatusCode::NOT_FOUND, "there is nothing here\n".to_owned())
}

fn failed(error: &dyn std::error::Error) -> Answer {
    tracing::error!("not cosigned: {error}");
    text(StatusCode::INTERNAL_SERVER_ERROR, "the witness failed; nothing was cosigned\n".to_owned())
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
