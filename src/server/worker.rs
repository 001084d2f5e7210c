//! The threads that speak gRPC and HTTP: one a core, each with its own connections.

use std::{io, net::TcpStream, thread::JoinHandle, time::Duration};

use tokio::{
    net::TcpListener,
    runtime::Builder,
    sync::{mpsc, watch},
};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{service::Routes, transport::Server};
use tonic_health::pb::health_server::{Health, HealthServer};

use super::{Service, http};
use crate::{
    proto::{self, ledger_service_server::LedgerServiceServer},
    sequencer::Desk,
};

/// Largest message taken in: a list of 4 MiB of sheets and an eighth of that for its framing. Decoded, even one of nothing
/// but empty sheets takes less than 200 MiB.
const MESSAGE_BYTES_MAX: usize = 4 * 1_024 * 1_024 + 512 * 1_024;
/// Requests under way on one connection: 64 unary callers many times over.
const STREAMS_PER_CONNECTION_MAX: u32 = 1_024;
/// How long a shutdown waits for clients to take their answers.
const GRACE: Duration = Duration::from_secs(10);
/// How often a quiet connection is asked whether anybody is there.
const KEEPALIVE: Duration = Duration::from_secs(30);
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
    /// gRPC failed.
    #[error("the transport failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

type Connections = mpsc::Receiver<TcpStream>;

/// The threads, and the way connections go to them.
pub(super) struct Workers {
    connections: Vec<mpsc::Sender<TcpStream>>,
    threads: Vec<JoinHandle<Result<(), RunError>>>,
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
        let run = move || runtime.block_on(serve(service, health, accepted));
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
            let ended = self.threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|_panic| Err(io::Error::other("a thread of the server failed").into()))
            });
            ended.collect::<Vec<_>>().into_iter().collect()
        });
        joined.await.unwrap_or_else(|failed| Err(io::Error::other(failed).into()))
    }
}

/// One thread's work: its connections until the service goes down, and a while to finish.
async fn serve(mut service: Service, health: HealthServer<impl Health>, accepted: Connections) -> Result<(), RunError> {
    let (desk, answering) = Desk::open();
    tokio::spawn(answering);
    service.sequencer = service.sequencer.answering_through(desk);
    let (told, asked) = (service.shutdown.clone(), service.shutdown.clone());
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTOR)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| tracing::error!("reflection is off: {error}"))
        .ok();
    let incoming = ReceiverStream::new(accepted).map(|connection: TcpStream| {
        // Without this an answer that takes two packets waits for the client's delayed acknowledgement, 40 ms.
        connection.set_nodelay(true)?;
        tokio::net::TcpStream::from_std(connection)
    });
    let mut grpc = Routes::new(health);
    if let Some(reflection) = reflection {
        grpc = grpc.add_service(reflection);
    }
    let public = http::routes(&service);
    let ledger = LedgerServiceServer::new(service).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let server = Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .add_routes(http::beside(grpc.add_service(ledger), public))
        .serve_with_incoming_shutdown(incoming, stopped(told));
    let late = async {
        stopped(asked).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = server => Ok(result?),
        () = late => Ok(()),
    }
}

/// Until the service goes down; a sender that is gone means the same.
async fn stopped(mut shutdown: watch::Receiver<bool>) {
    drop(shutdown.wait_for(|stop| *stop).await);
}
