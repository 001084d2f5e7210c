//! The gRPC edge: one service, health and reflection.

mod cursor;
mod folder;
mod messages;
mod read;
mod status;
mod stream;
mod submit;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

pub use self::folder::{Creation, Ledger, OpenError, OpenOptions, open};
use crate::{
    projection::Projection,
    proto::{
        self,
        ledger_service_server::{LedgerService, LedgerServiceServer},
    },
    sequencer::Sequencer,
    store::LogStore,
};

/// Largest message taken in: a list of 4 MiB of sheets and as much again for its framing.
const MESSAGE_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// Requests under way on one connection: 64 unary callers many times over.
const STREAMS_PER_CONNECTION_MAX: u32 = 1_024;
/// How long a shutdown waits for clients to take their answers.
const GRACE: Duration = Duration::from_secs(10);
/// How often a quiet connection is asked whether anybody is there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What the service answers from.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) store: Arc<dyn LogStore>,
    pub(crate) projection: Arc<Projection>,
    pub(crate) sequencer: Sequencer,
    pub(crate) identity: Arc<Identity>,
    pub(crate) shutdown: watch::Receiver<bool>,
}

/// What the ledger says of itself.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The ledger key as a C2SP verifier key.
    pub ledger_vkey: String,
    /// Leaf hash of entry 0.
    pub genesis_leaf_hash: [u8; 32],
    /// Authenticates cursors.
    pub cursor_key: [u8; 32],
}

/// Serves a ledger until `shutdown` completes; what was taken in by then is committed, answered and published.
///
/// # Errors
/// The transport fails.
pub async fn run(
    listener: TcpListener,
    ledger: Ledger,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    let Ledger { store, projection, sequencer, threads, identity, service_key } = ledger;
    let (stop, stopping) = watch::channel(false);
    let service =
        Service { store, projection, sequencer: sequencer.clone(), identity: Arc::new(identity), shutdown: stopping };
    let expiry = tokio::spawn(submit::expire_holds(service.clone(), service_key));
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<LedgerServiceServer<Service>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTOR)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    let reflection = match reflection {
        Ok(reflection) => Some(reflection),
        Err(error) => {
            tracing::error!("reflection is off: {error}");
            None
        }
    };
    // Without this an answer that takes two packets waits for the client's delayed acknowledgement, 40 ms.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let (mut told, mut asked) = (stop.subscribe(), stop.subscribe());
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .add_service(health_service)
        .add_optional_service(reflection)
        .add_service(LedgerServiceServer::new(service).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .serve_with_incoming_shutdown(incoming, async move {
            // The sender outlives the server.
            drop(told.wait_for(|stop| *stop).await);
        });
    let waiting = async {
        shutdown.await;
        health.set_not_serving::<LedgerServiceServer<Service>>().await;
        stop.send_replace(true);
        drop(asked.wait_for(|stop| *stop).await);
        tokio::time::sleep(GRACE).await;
    };
    let result = tokio::select! {
        result = server => result,
        () = waiting => Ok(()),
    };
    expiry.abort();
    let _aborted = expiry.await;
    sequencer.close();
    drop(sequencer);
    // Every handle is gone now or goes with its last answer; the threads end after what they have.
    let _joined = tokio::task::spawn_blocking(move || threads.join()).await;
    result
}

/// Whether an address may be served without TLS: only this machine's own.
#[must_use]
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl LedgerService for Service {
    type SubmitStreamStream = stream::Responses<proto::SubmitStreamResponse>;
    type SubscribeStream = stream::Responses<proto::SubscribeResponse>;

    async fn submit(&self, request: Request<proto::SubmitRequest>) -> Answer<proto::SubmitResponse> {
        self.submit_one(request.into_inner()).await.map(Response::new)
    }

    async fn submit_list(&self, request: Request<proto::SubmitListRequest>) -> Answer<proto::SubmitListResponse> {
        self.submit_many(request.into_inner()).await.map(Response::new)
    }

    async fn submit_stream(
        &self,
        request: Request<tonic::Streaming<proto::SubmitStreamRequest>>,
    ) -> Answer<Self::SubmitStreamStream> {
        Ok(Response::new(stream::submit(self.clone(), request.into_inner())))
    }

    async fn dry_run(&self, request: Request<proto::DryRunRequest>) -> Answer<proto::DryRunResponse> {
        self.try_all(request.into_inner()).await.map(Response::new)
    }

    async fn get_status(&self, _: Request<proto::GetStatusRequest>) -> Answer<proto::GetStatusResponse> {
        Ok(Response::new(self.status()))
    }

    async fn get_checkpoint(&self, _: Request<proto::GetCheckpointRequest>) -> Answer<proto::GetCheckpointResponse> {
        let checkpoint = self.sequencer.published().borrow().note.clone();
        Ok(Response::new(proto::GetCheckpointResponse { checkpoint }))
    }

    async fn get_entry(&self, request: Request<proto::GetEntryRequest>) -> Answer<proto::GetEntryResponse> {
        let entry = Some(self.entry(request.into_inner().index)?);
        Ok(Response::new(proto::GetEntryResponse { entry }))
    }

    async fn get_receipt(&self, request: Request<proto::GetReceiptRequest>) -> Answer<proto::GetReceiptResponse> {
        let receipt = Some(self.receipt(request.into_inner().index)?);
        Ok(Response::new(proto::GetReceiptResponse { receipt }))
    }

    async fn get_account(&self, request: Request<proto::GetAccountRequest>) -> Answer<proto::GetAccountResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.account(&request).map(Response::new)
    }

    async fn list_accounts(&self, request: Request<proto::ListAccountsRequest>) -> Answer<proto::ListAccountsResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.accounts(&request).map(Response::new)
    }

    async fn get_balance(&self, request: Request<proto::GetBalanceRequest>) -> Answer<proto::GetBalanceResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.balance(&request).map(Response::new)
    }

    async fn list_history(&self, request: Request<proto::ListHistoryRequest>) -> Answer<proto::ListHistoryResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.history(&request).map(Response::new)
    }

    async fn list_holds(&self, request: Request<proto::ListHoldsRequest>) -> Answer<proto::ListHoldsResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.holds(&request).map(Response::new)
    }

    async fn list_keys(&self, request: Request<proto::ListKeysRequest>) -> Answer<proto::ListKeysResponse> {
        self.keys(&request.into_inner()).map(Response::new)
    }

    async fn list_regions(&self, _: Request<proto::ListRegionsRequest>) -> Answer<proto::ListRegionsResponse> {
        Ok(Response::new(self.regions()))
    }

    async fn subscribe(&self, request: Request<proto::SubscribeRequest>) -> Answer<Self::SubscribeStream> {
        Ok(Response::new(stream::subscribe(self, request.into_inner().from_index)))
    }
}
