//! The threads that speak gRPC and HTTP: one a core, each with its own connections.

use std::{io, net::TcpStream, pin::Pin, thread::JoinHandle, time::Duration};

use axum::middleware;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder as Http,
};
use tokio::{
    net::TcpListener,
    runtime::Builder,
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_io_timeout::TimeoutWriter;
use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};

use super::{
    Service,
    answer::ANSWER_BYTES_MAX,
    call::Calls,
    connections::{Connections, Going, Place},
    edge::{Port, until_shutdown},
    entrance,
    fair::{Fair, Member},
    http,
    ledger_service_server::LedgerServiceServer,
    limits::{
        BLOCKING_THREAD_WAIT, BLOCKING_THREADS_MAX, CONNECTIONS_WAITING_MAX, FAREWELL, GRACE, HEAD_BYTES_MAX,
        HEAD_WAIT, HTTP1_BYTES_MAX, LIST_MESSAGE_BYTES_MAX, STALL, STREAMS_PER_CONNECTION_MAX, UNTAKEN_MAX,
        WINDOW_BYTES,
    },
    turns::Turns,
};
use crate::{
    engine::{pipeline, seldom::Seldom, sequencer::Desk},
    format::proto,
};

/// How often a quiet connection is asked whether anybody is there, and how long it has for its answer.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(20);
/// How long accepting rests after it failed, out of descriptors most likely.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A thread has panicked: an invariant of the program doesn't hold.
    #[error("a thread of the server has failed; nothing after it can be trusted")]
    Failed,
    /// A thread or its runtime could not be started.
    #[error("a thread of the server could not be started: {0}")]
    Start(#[from] io::Error),
    /// There are too few file descriptors.
    #[error(
        "{limit} files may be open, {open} are, and that leaves too few for connections: {source}. Raise the limit, with \
         `ulimit -n` or LimitNOFILE="
    )]
    Descriptors {
        /// How many there may be.
        limit: usize,
        /// How many there are.
        open: usize,
        /// What the system says when there are no more.
        source: io::Error,
    },
}

/// The threads, and the way connections go to them.
pub(super) struct Workers {
    all: Connections,
    connections: Vec<mpsc::Sender<Accepted>>,
    threads: Vec<JoinHandle<()>>,
}

/// A connection, and its place.
type Accepted = (TcpStream, Place);

/// Starts a thread a core. Each runs one runtime of its own, so that what one commit answers is written to a connection
/// at once: a runtime of many threads writes every answer on its own (7,200 instead of 10,000 calls a second).
pub(super) fn start(
    service: &Service,
    health: &HealthServer<impl Health>,
    all: &Connections,
) -> Result<Workers, RunError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut workers = Workers { all: all.clone(), connections: Vec::new(), threads: Vec::new() };
    for number in 0..cores {
        let (connections, accepted) = mpsc::channel(CONNECTIONS_WAITING_MAX);
        let (service, health) = (service.clone(), health.clone());
        let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
        let run = move || {
            // Made where it ends: one may not be dropped by a task, as it would be where this thread can't be started.
            let runtime = Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(BLOCKING_THREADS_MAX)
                .thread_keep_alive(BLOCKING_THREAD_WAIT)
                .on_thread_start(pipeline::stand_back)
                .build();
            let (runtime, made) = match runtime {
                Ok(runtime) => (Some(runtime), Ok(())),
                Err(error) => (None, Err(error)),
            };
            let is_waited_for = ready.send(made).is_ok();
            if let Some(runtime) = runtime.filter(|_| is_waited_for) {
                // Behind a pointer, as in `cli::main`.
                let serving: Pin<Box<dyn Future<Output = ()>>> = Box::pin(serve(service, health, accepted));
                runtime.block_on(serving);
            }
        };
        workers.threads.push(std::thread::Builder::new().name(format!("serve-{number}")).spawn(run)?);
        is_ready.recv().map_err(std::io::Error::other)??;
        workers.connections.push(connections);
    }
    Ok(workers)
}

impl Workers {
    /// Hands connections out in turn, until a thread has failed.
    pub(super) async fn accept(&self, listener: &TcpListener) {
        let (sent_away, not_accepted) = (Seldom::default(), Seldom::default());
        for worker in self.connections.iter().cycle() {
            let Some(descriptor) = self.all.descriptor().await else { return };
            let connection = match listener.accept().await {
                Ok((connection, _)) => connection.into_std(),
                Err(error) => Err(error),
            };
            match connection {
                Ok(connection) => {
                    if worker.send((connection, self.all.welcome(descriptor))).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    if let Some(more) = not_accepted.now() {
                        tracing::warn!("a connection was not accepted: {error}{more}");
                    }
                    // Descriptors are short all the same: whoever does least makes room.
                    self.all.make_place();
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
            if self.all.have_sent_away()
                && let Some(more) = sent_away.now()
            {
                tracing::warn!("connections were closed, as others needed their room{more}");
            }
        }
    }

    /// Waits until every thread has ended.
    pub(super) async fn join(self) -> Result<(), RunError> {
        drop(self.connections);
        let joined = tokio::task::spawn_blocking(move || {
            let ended = self.threads.into_iter().map(|thread| thread.join().map_err(|_panic| RunError::Failed));
            ended.collect::<Vec<_>>().into_iter().collect()
        });
        joined.await.unwrap_or(Err(RunError::Failed))
    }
}

/// One thread's work: its connections until the service goes down, and a while to finish.
async fn serve(mut service: Service, health: HealthServer<impl Health>, mut accepted: mpsc::Receiver<Accepted>) {
    let (desk, answering) = Desk::open();
    tokio::spawn(answering);
    service.sequencer = service.sequencer.answering_through(desk);
    let (reads, telling) = service.reads.waiting_together();
    tokio::spawn(telling);
    service.reads = reads;
    let mut shutdown = service.shutdown.clone();
    let stopping = service.shutdown.clone();
    let port = port(service, health);
    let mut open = JoinSet::new();
    let fair = Fair::new();
    tokio::spawn(fair.clone().drive());
    loop {
        let accepted = tokio::select! {
            accepted = accepted.recv() => accepted,
            // A sender that is gone means the same.
            _ = shutdown.wait_for(|stop| *stop) => None,
            _ = open.join_next(), if !open.is_empty() => continue,
        };
        let Some((connection, place)) = accepted else { break };
        match stream(connection) {
            Ok(stream) => {
                open.spawn(keep(stream, place, fair.join(), port.clone(), stopping.clone()));
            }
            Err(error) => tracing::debug!("a connection was not taken over: {error}"),
        }
    }
    // Later than that, whoever has not taken an answer yet goes without it.
    let _late = tokio::time::timeout(GRACE, async { while open.join_next().await.is_some() {} }).await;
}

/// Carries one connection in its turns, until it ends or has to go at once, and its calls with it.
async fn keep(stream: tokio::net::TcpStream, place: Place, flow: Member, port: Port, shutdown: watch::Receiver<bool>) {
    let mut told = place.told.clone();
    let carried = flow.clone().in_turn(carry(stream, place, flow.clone(), port, shutdown));
    tokio::pin!(carried);
    let sent_away = async move { told.wait_for(|going| *going == Some(Going::AtOnce)).await.is_ok() };
    let sent_away = tokio::select! {
        biased;
        sent_away = sent_away => sent_away,
        () = &mut carried => false,
    };
    flow.end();
    if sent_away {
        carried.await;
    }
}

/// Carries one connection until it ends, or is told that it should.
async fn carry(
    stream: tokio::net::TcpStream,
    place: Place,
    flow: Member,
    port: Port,
    mut shutdown: watch::Receiver<bool>,
) {
    let connection = place.connection.clone();
    let calls = Calls { connection: connection.clone(), flow };
    let admitted = service_fn(|request| entrance::admit(calls.clone(), port.clone(), request));
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(STALL));
    let served = http(calls.clone())
        .serve_connection(TokioIo::new(Turns::new(stream, connection.clone())), admitted)
        .into_owned();
    tokio::pin!(served);
    let head = tokio::time::sleep(HEAD_WAIT);
    tokio::pin!(head);
    let mut told = place.told.clone();
    let mut asked = false;
    let quietly = loop {
        tokio::select! {
            ended = &mut served => {
                if let Err(error) = ended {
                    tracing::debug!("a connection failed: {error}");
                }
                return;
            }
            _ = told.wait_for(Option::is_some) => break true,
            _ = shutdown.wait_for(|stop| *stop) => break false,
            () = &mut head, if !asked => {
                asked = connection.has_asked();
                if !asked {
                    break true;
                }
            }
        }
    };
    served.as_mut().graceful_shutdown();
    // Whoever has nothing under way has heard of it by then, or doesn't listen.
    let farewell = async {
        loop {
            tokio::time::sleep(FAREWELL).await;
            if quietly || !connection.is_busy(FAREWELL) {
                return;
            }
        }
    };
    tokio::select! {
        _ended = served => {}
        () = farewell => {}
    }
}

/// A connection as this thread's runtime knows it.
fn stream(connection: TcpStream) -> io::Result<tokio::net::TcpStream> {
    // Without this an answer that takes two packets waits for the client's delayed acknowledgement, 40 ms.
    connection.set_nodelay(true)?;
    tokio::net::TcpStream::from_std(connection)
}

/// How a connection is served: HTTP/2 with and without HTTP/1.1 before it. Not by tonic's own server: it answers a deadline
/// that passed with CANCELLED, outside of everything that could say otherwise, and doesn't watch streams at all.
fn http(calls: Calls) -> Http<Calls> {
    let mut http = Http::new(calls);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_ANSWER)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_send_buf_size(UNTAKEN_MAX)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX);
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT).max_buf_size(HTTP1_BYTES_MAX);
    http
}

/// Everything that is answered on the port.
fn port(service: Service, health: HealthServer<impl Health>) -> Port {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut standard = Routes::new(health);
    // grpcurl asks in v1, Python's own package still in v1alpha.
    match (reflection().build_v1(), reflection().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => standard = standard.add_service(v1).add_service(v1alpha),
        (Err(error), _) | (_, Err(error)) => tracing::error!("reflection is off: {error}"),
    }
    let ending = middleware::from_fn_with_state(service.shutdown.clone(), until_shutdown);
    let standard = Routes::from(standard.into_axum_router().route_layer(ending));
    let public = http::routes(&service.reads);
    let ledger = LedgerServiceServer::new(service)
        .max_decoding_message_size(LIST_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(ANSWER_BYTES_MAX);
    Port::new(ledger, standard, public)
}
