//! The threads that speak gRPC and HTTP: one a core, each with its own connections.

use std::{io, net::TcpStream, pin::Pin, thread::JoinHandle, time::Duration};

use axum::{Router, middleware};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder as Connections, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, runtime::Builder, sync::mpsc};
use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};

use super::{Service, answer::ANSWER_BYTES_MAX, edge, http};
use crate::{
    engine::sequencer::Desk,
    format::proto::{self, ledger_service_server::LedgerServiceServer},
};

/// Largest message taken in: a list of 4 MiB of sheets and an eighth of that for its framing. Decoded, even one of nothing
/// but empty sheets takes less than 200 MiB.
const MESSAGE_BYTES_MAX: usize = 4 * 1_024 * 1_024 + 512 * 1_024;
/// Requests under way on one connection: 64 unary callers many times over.
const STREAMS_PER_CONNECTION_MAX: u32 = 1_024;
/// How long a shutdown waits for clients to take their answers.
const GRACE: Duration = Duration::from_secs(10);
/// How often a quiet connection is asked whether anybody is there, and how long it has for its answer.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(20);
/// Connections that wait for a thread to take them: beyond it they wait in the kernel.
const CONNECTIONS_WAITING_MAX: usize = 64;
/// How long accepting rests after it failed, out of descriptors most likely.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A thread or its runtime could not be started.
    #[error("a thread of the server could not be started: {0}")]
    Start(#[from] io::Error),
}

/// The threads, and the way connections go to them.
pub(super) struct Workers {
    connections: Vec<mpsc::Sender<TcpStream>>,
    threads: Vec<JoinHandle<()>>,
}

/// Starts a thread a core. Each runs one runtime of its own, so that what one commit answers is written to a connection
/// at once: a runtime of many threads writes every answer on its own (9,000 instead of 7,200 calls a second).
pub(super) fn start(service: &Service, health: &HealthServer<impl Health>) -> Result<Workers, RunError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut workers = Workers { connections: Vec::new(), threads: Vec::new() };
    for number in 0..cores {
        let (connections, accepted) = mpsc::channel(CONNECTIONS_WAITING_MAX);
        let (service, health) = (service.clone(), health.clone());
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            // Behind a pointer, as in `cli::main`.
            let serving: Pin<Box<dyn Future<Output = ()>>> = Box::pin(serve(service, health, accepted));
            runtime.block_on(serving);
        };
        workers.threads.push(std::thread::Builder::new().name(format!("serve-{number}")).spawn(run)?);
        workers.connections.push(connections);
    }
    Ok(workers)
}

impl Workers {
    /// Hands connections out in turn, until a thread has failed.
    pub(super) async fn accept(&self, listener: &TcpListener) {
        for worker in self.connections.iter().cycle() {
            let connection = match listener.accept().await {
                Ok((connection, _)) => connection.into_std(),
                Err(error) => Err(error),
            };
            match connection {
                Ok(connection) => {
                    if worker.send(connection).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!("a connection was not accepted: {error}");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    /// Waits until every thread has ended.
    pub(super) async fn join(self) -> Result<(), RunError> {
        drop(self.connections);
        let joined = tokio::task::spawn_blocking(move || {
            let ended = self
                .threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_panic| io::Error::other("a thread of the server failed").into()));
            ended.collect::<Vec<_>>().into_iter().collect()
        });
        joined.await.unwrap_or_else(|failed| Err(io::Error::other(failed).into()))
    }
}

/// One thread's work: its connections until the service goes down, and a while to finish.
async fn serve(mut service: Service, health: HealthServer<impl Health>, mut accepted: mpsc::Receiver<TcpStream>) {
    let (desk, answering) = Desk::open();
    tokio::spawn(answering);
    service.sequencer = service.sequencer.answering_through(desk);
    let mut shutdown = service.shutdown.clone();
    let routes = TowerToHyperService::new(routes(service, health));
    let connections = connections();
    let open = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accepted.recv() => accepted,
            // A sender that is gone means the same.
            _ = shutdown.wait_for(|stop| *stop) => None,
        };
        let Some(connection) = accepted else { break };
        match stream(connection) {
            Ok(stream) => {
                let connection = connections.serve_connection(TokioIo::new(stream), routes.clone()).into_owned();
                let connection = open.watch(connection);
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!("a connection failed: {error}");
                    }
                });
            }
            Err(error) => tracing::warn!("a connection was not taken over: {error}"),
        }
    }
    // Later than that, whoever has not taken an answer yet goes without it.
    let _late = tokio::time::timeout(GRACE, open.shutdown()).await;
}

/// A connection as this thread's runtime knows it.
fn stream(connection: TcpStream) -> io::Result<tokio::net::TcpStream> {
    // Without this an answer that takes two packets waits for the client's delayed acknowledgement, 40 ms.
    connection.set_nodelay(true)?;
    tokio::net::TcpStream::from_std(connection)
}

/// How connections are served: HTTP/2 with and without HTTP/1.1 before it. Not by tonic's own server: it answers a deadline
/// that passed with CANCELLED, outside of everything that could say otherwise, and doesn't watch streams at all.
fn connections() -> Connections<TokioExecutor> {
    let mut connections = Connections::new(TokioExecutor::new());
    connections
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_ANSWER)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX);
    // With a timer a head of HTTP/1.1 has 30 s to arrive.
    connections.http1().timer(TokioTimer::new());
    connections
}

/// Everything that is answered on the port.
fn routes(service: Service, health: HealthServer<impl Health>) -> Router {
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
    let ending = middleware::from_fn_with_state(service.shutdown.clone(), edge::until_shutdown);
    let standard = Routes::from(standard.into_axum_router().route_layer(ending));
    let public = http::routes(&service.reads);
    let ledger = LedgerServiceServer::new(service)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(ANSWER_BYTES_MAX);
    edge::beside(standard.add_service(ledger), public)
}
