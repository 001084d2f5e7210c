//! The gRPC edge: one service, health and reflection.

mod answer;
mod arriving;
mod call;
mod codec;
mod connections;
mod descriptors;
mod edge;
mod entrance;
mod fair;
mod feed;
#[allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::allow_attributes_without_reason, reason = "generated")]
mod generated;
mod health;
mod http;
mod leaving;
mod limits;
mod messages;
mod read;
mod reason;
mod status;
mod stream;
mod submit;
mod turns;
mod weight;
mod worker;

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tonic::{Request, Response, Status};

use self::{
    answer::answer,
    call::Call,
    connections::Connections,
    edge::Spoken,
    feed::Feed,
    ledger_service_server::LedgerService,
    limits::{DECODING_MAX, TRIALS_MAX},
    read::READER,
    status::read_status,
};
pub use self::{
    codec::{MessageCodec, Received, ReceivedCodec},
    generated::ledger_service_server,
    worker::RunError,
};
use crate::{
    access::{Lane, ReadError, Reads, ReadsParts},
    engine::{scrub::Scrubbing, sequencer::Sequencer},
    folder::Ledger,
    format::proto,
    trust::witnesses::Rounds,
};

/// What the service answers from.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) reads: Reads,
    pub(crate) sequencer: Sequencer,
    pub(crate) shutdown: watch::Receiver<bool>,
    feed: Feed,
    /// Who decodes what is large.
    decoding: Arc<Semaphore>,
    /// Who has sheets tried.
    trying: Arc<Semaphore>,
}

/// Serves a ledger until `shutdown` completes; what was taken in by then is committed, answered and published. `serving` is
/// called once all threads are up.
///
/// # Errors
/// The transport fails.
pub async fn run(
    listener: TcpListener,
    ledger: Ledger,
    serving: impl FnOnce(),
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    let Ledger { node, sequencer, threads, identity, service_key, cosigned, witnesses } = ledger;
    let (stop, stopping) = watch::channel(false);
    let (cosigned_sender, cosigned_receiver) = watch::channel(cosigned.note);
    let witnessing = witnesses.map(|witnesses| {
        let (tree, published) = (Arc::clone(&node.tree), sequencer.published());
        tokio::spawn(Rounds::new(witnesses, tree, published, cosigned.file, cosigned_sender).run())
    });
    let (scrubbing, scrubbed) = Scrubbing::start(node.clone(), sequencer.published())?;
    let reads = Reads::new(ReadsParts {
        node: node.clone(),
        published: sequencer.published(),
        cosigned: cosigned_receiver,
        scrubbed,
        stopping: stopping.clone(),
        identity,
    });
    let service = Service {
        feed: Feed::new(reads.clone()),
        reads,
        sequencer: sequencer.clone(),
        shutdown: stopping,
        decoding: Arc::new(Semaphore::new(DECODING_MAX)),
        trying: Arc::new(Semaphore::new(TRIALS_MAX)),
    };
    let connections = Connections::new(descriptors::for_connections()?);
    let (health, health_service) = tonic_health::server::health_reporter();
    let clock = sequencer.clone();
    let watching = tokio::spawn(health::begin(health.clone(), move || clock.now().is_ok()).await);
    let expiry = tokio::spawn(submit::expire_holds(sequencer.clone(), node.projection, service_key));
    let workers = worker::start(&service, &health_service, &connections)?;
    drop(service);
    serving();
    tokio::select! {
        () = shutdown => {}
        () = workers.accept(&listener) => {}
    }
    drop(listener);
    watching.abort();
    health::end(&health).await;
    stop.send_replace(true);
    let result = workers.join().await;
    for task in [Some(expiry), Some(watching), witnessing].into_iter().flatten() {
        task.abort();
        let _aborted = task.await;
    }
    sequencer.close();
    drop(sequencer);
    // Every handle is gone now or goes with its last answer; the threads end after what they have.
    let ended = move || {
        scrubbing.end();
        threads.join();
    };
    let _joined = tokio::task::spawn_blocking(ended).await;
    result
}

/// Whether an address may be served without TLS: only this machine's own.
#[must_use]
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}

impl Service {
    /// Answers what takes a while to read beside the thread that carries connections: others of it go on meanwhile.
    async fn beside<M: prost::Message + Send + 'static>(
        &self,
        lane: Lane,
        read: impl FnOnce(&Reads) -> Result<M, ReadError> + Send + 'static,
    ) -> Answer<M> {
        told(self.reads.beside(lane, read).await)
    }

    /// Waits until an entry is reflected.
    async fn reach(&self, min_index: u64) -> Result<(), Status> {
        self.reads.reach(READER, min_index).await.map_err(|error| read_status(&error))
    }
}

/// The answer to a read, or why there is none.
fn told<M: prost::Message>(read: Result<M, ReadError>) -> Answer<M> {
    read.map_err(|error| read_status(&error)).and_then(answer)
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl LedgerService for Service {
    type SubmitStreamStream = stream::Responses<proto::SubmitStreamResponse>;
    type SubscribeStream = stream::Responses<proto::SubscribeResponse>;

    async fn submit(&self, request: Request<Received<proto::SubmitRequest>>) -> Answer<proto::SubmitResponse> {
        let (call, spoken) = (Call::of(&request)?, Spoken::of(&request));
        self.submit_one(&call, spoken, request.into_inner().bytes()).await.and_then(answer)
    }

    async fn submit_list(
        &self,
        request: Request<Received<proto::SubmitListRequest>>,
    ) -> Answer<proto::SubmitListResponse> {
        let (call, spoken) = (Call::of(&request)?, Spoken::of(&request));
        self.submit_many(&call, spoken, request.into_inner().bytes()).await.and_then(answer)
    }

    async fn submit_stream(
        &self,
        request: Request<tonic::Streaming<Received<proto::SubmitStreamRequest>>>,
    ) -> Answer<Self::SubmitStreamStream> {
        let (call, spoken) = (Call::of(&request)?, Spoken::of(&request));
        Ok(Response::new(stream::submit(self.clone(), call, spoken, request.into_inner())))
    }

    async fn dry_run(&self, request: Request<Received<proto::DryRunRequest>>) -> Answer<proto::DryRunResponse> {
        let (call, spoken) = (Call::of(&request)?, Spoken::of(&request));
        self.try_all(&call, spoken, request.into_inner().bytes()).await.and_then(answer)
    }

    async fn get_status(&self, _: Request<proto::GetStatusRequest>) -> Answer<proto::GetStatusResponse> {
        told(read::status(&self.reads))
    }

    async fn get_checkpoint(&self, _: Request<proto::GetCheckpointRequest>) -> Answer<proto::GetCheckpointResponse> {
        told(read::checkpoint(&self.reads))
    }

    async fn get_entry(&self, request: Request<proto::GetEntryRequest>) -> Answer<proto::GetEntryResponse> {
        let request = request.into_inner();
        self.beside(Lane::Rows, move |reads| read::entry(reads, request)).await
    }

    async fn get_receipt(&self, request: Request<proto::GetReceiptRequest>) -> Answer<proto::GetReceiptResponse> {
        let request = request.into_inner();
        self.beside(Lane::Rows, move |reads| read::receipt(reads, request)).await
    }

    async fn get_account(&self, request: Request<proto::GetAccountRequest>) -> Answer<proto::GetAccountResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        told(read::account(&self.reads, &request))
    }

    async fn find_accounts(&self, request: Request<proto::FindAccountsRequest>) -> Answer<proto::FindAccountsResponse> {
        let request = request.into_inner();
        self.beside(Lane::Searches, move |reads| read::accounts_found(reads, &request)).await
    }

    async fn get_record(&self, request: Request<proto::GetRecordRequest>) -> Answer<proto::GetRecordResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.beside(Lane::Entries, move |reads| read::record(reads, request)).await
    }

    async fn get_records(&self, request: Request<proto::GetRecordsRequest>) -> Answer<proto::GetRecordsResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.beside(Lane::Entries, move |reads| read::records(reads, &request)).await
    }

    async fn list_accounts(&self, request: Request<proto::ListAccountsRequest>) -> Answer<proto::ListAccountsResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.beside(Lane::Rows, move |reads| read::accounts(reads, request)).await
    }

    async fn get_balance(&self, request: Request<proto::GetBalanceRequest>) -> Answer<proto::GetBalanceResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        // One look, and the call that there is most of.
        if request.as_of.is_none() {
            return told(read::balance(&self.reads, &request));
        }
        self.beside(Lane::Rows, move |reads| read::balance(reads, &request)).await
    }

    async fn list_history(&self, request: Request<proto::ListHistoryRequest>) -> Answer<proto::ListHistoryResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        let asked = read::history_asked(request).map_err(|error| read_status(&error))?;
        // What is warm and short costs less than the way to another thread.
        match self.reads.history_at_hand(READER, &asked) {
            Ok(Some(page)) => return answer(read::history_message(page)),
            Ok(None) => {}
            Err(error) => return Err(read_status(&error)),
        }
        let lane = if asked.details { Lane::Entries } else { Lane::Rows };
        self.beside(lane, move |reads| reads.history(READER, &asked).map(read::history_message)).await
    }

    async fn list_holds(&self, request: Request<proto::ListHoldsRequest>) -> Answer<proto::ListHoldsResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.beside(Lane::Rows, move |reads| read::holds(reads, request)).await
    }

    async fn list_keys(&self, request: Request<proto::ListKeysRequest>) -> Answer<proto::ListKeysResponse> {
        let request = request.into_inner();
        self.beside(Lane::Rows, move |reads| read::keys(reads, request)).await
    }

    async fn list_regions(&self, _: Request<proto::ListRegionsRequest>) -> Answer<proto::ListRegionsResponse> {
        self.beside(Lane::Rows, read::regions).await
    }

    async fn get_state_digest(
        &self,
        request: Request<proto::GetStateDigestRequest>,
    ) -> Answer<proto::GetStateDigestResponse> {
        told(read::state_digest(&self.reads, request.into_inner()).await)
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<proto::GetInclusionProofRequest>,
    ) -> Answer<proto::GetInclusionProofResponse> {
        let request = request.into_inner();
        self.beside(Lane::Rows, move |reads| read::inclusion_proof(reads, request)).await
    }

    async fn get_consistency_proof(
        &self,
        request: Request<proto::GetConsistencyProofRequest>,
    ) -> Answer<proto::GetConsistencyProofResponse> {
        let request = request.into_inner();
        self.beside(Lane::Rows, move |reads| read::consistency_proof(reads, request)).await
    }

    async fn get_event_proof(
        &self,
        request: Request<proto::GetEventProofRequest>,
    ) -> Answer<proto::GetEventProofResponse> {
        let request = request.into_inner();
        self.beside(Lane::Rows, move |reads| read::event_proof(reads, &request)).await
    }

    async fn subscribe(&self, request: Request<proto::SubscribeRequest>) -> Answer<Self::SubscribeStream> {
        let call = Call::of(&request)?;
        stream::subscribe(self, call, request.into_inner().from_index).map(Response::new)
    }
}
