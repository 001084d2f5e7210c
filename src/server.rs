//! The gRPC edge: one service, health and reflection.

mod answer;
mod cursor;
mod digest;
mod edge;
mod find;
mod http;
mod messages;
mod proof;
mod read;
mod reason;
mod record;
mod status;
mod stream;
mod submit;
mod worker;

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tonic::{Request, Response, Status};

pub use self::worker::RunError;
use self::{answer::answer, edge::Spoken};
use crate::{
    engine::{node::Node, sequencer::Sequencer},
    folder::{Identity, Ledger},
    format::proto::{
        self,
        ledger_service_server::{LedgerService, LedgerServiceServer},
    },
    trust::witnesses::Rounds,
};

/// What the service answers from.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) node: Node,
    pub(crate) sequencer: Sequencer,
    pub(crate) identity: Arc<Identity>,
    pub(crate) cosigned: watch::Receiver<String>,
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Digests under way: one reads every row there is.
    pub(crate) digests: Arc<Semaphore>,
    /// Searches for accounts under way: one looks at every account there is.
    pub(crate) searches: Arc<Semaphore>,
    /// Reads of whole entries under way.
    pub(crate) entry_reads: Arc<Semaphore>,
}

/// Serves a ledger until `shutdown` completes; what was taken in by then is committed, answered and published.
///
/// # Errors
/// The transport fails.
pub async fn run(
    listener: TcpListener,
    ledger: Ledger,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    let Ledger { node, sequencer, threads, identity, service_key, cosigned, witnesses } = ledger;
    let (stop, stopping) = watch::channel(false);
    let (cosigned_sender, cosigned_receiver) = watch::channel(cosigned.note);
    let witnessing = witnesses.map(|witnesses| {
        let (tree, published) = (Arc::clone(&node.tree), sequencer.published());
        tokio::spawn(Rounds::new(witnesses, tree, published, cosigned.file, cosigned_sender).run())
    });
    let service = Service {
        node,
        sequencer: sequencer.clone(),
        identity: Arc::new(identity),
        cosigned: cosigned_receiver,
        shutdown: stopping,
        digests: Arc::new(Semaphore::new(1)),
        searches: Arc::new(Semaphore::new(1)),
        entry_reads: Arc::new(Semaphore::new(ENTRY_READS_MAX)),
    };
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<LedgerServiceServer<Service>>().await;
    let expiry = tokio::spawn(submit::expire_holds(service.clone(), service_key));
    let workers = worker::start(&service, &health_service)?;
    drop(service);
    tokio::select! {
        () = shutdown => {}
        () = workers.accept(&listener) => {}
    }
    drop(listener);
    health.set_not_serving::<LedgerServiceServer<Service>>().await;
    stop.send_replace(true);
    let result = workers.join().await;
    for task in [Some(expiry), witnessing].into_iter().flatten() {
        task.abort();
        let _aborted = task.await;
    }
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

/// Reads of whole entries at a time: a page of details decodes up to 800 sheets of 256 KiB, one after another, and must not
/// take both cores from the writer.
const ENTRY_READS_MAX: usize = 1;

impl Service {
    /// Answers from whole entries of the log, beside the thread that carries connections: others of it go on meanwhile.
    async fn beside<M: prost::Message + Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> Result<M, Status> + Send + 'static,
    ) -> Answer<M> {
        let permit = Arc::clone(&self.entry_reads).acquire_owned().await;
        let service = self.clone();
        let read = move || {
            // Given back when the read is over, not when whoever asked is gone.
            let _permit = permit;
            read(&service)
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|ended| status::unfinished(&ended))?;
        read.and_then(answer)
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl LedgerService for Service {
    type SubmitStreamStream = stream::Responses<proto::SubmitStreamResponse>;
    type SubscribeStream = stream::Responses<proto::SubscribeResponse>;

    async fn submit(&self, request: Request<proto::SubmitRequest>) -> Answer<proto::SubmitResponse> {
        self.submit_one(Spoken::of(&request), request.into_inner()).await.and_then(answer)
    }

    async fn submit_list(&self, request: Request<proto::SubmitListRequest>) -> Answer<proto::SubmitListResponse> {
        self.submit_many(Spoken::of(&request), request.into_inner()).await.and_then(answer)
    }

    async fn submit_stream(
        &self,
        request: Request<tonic::Streaming<proto::SubmitStreamRequest>>,
    ) -> Answer<Self::SubmitStreamStream> {
        Ok(Response::new(stream::submit(self.clone(), Spoken::of(&request), request.into_inner())))
    }

    async fn dry_run(&self, request: Request<proto::DryRunRequest>) -> Answer<proto::DryRunResponse> {
        self.try_all(Spoken::of(&request), request.into_inner()).await.and_then(answer)
    }

    async fn get_status(&self, _: Request<proto::GetStatusRequest>) -> Answer<proto::GetStatusResponse> {
        answer(self.status())
    }

    async fn get_checkpoint(&self, _: Request<proto::GetCheckpointRequest>) -> Answer<proto::GetCheckpointResponse> {
        let checkpoint = self.sequencer.published().borrow().note.clone();
        let cosigned = self.cosigned.borrow().clone();
        answer(proto::GetCheckpointResponse { checkpoint, cosigned })
    }

    async fn get_entry(&self, request: Request<proto::GetEntryRequest>) -> Answer<proto::GetEntryResponse> {
        let entry = Some(self.entry(request.into_inner().index)?);
        answer(proto::GetEntryResponse { entry })
    }

    async fn get_receipt(&self, request: Request<proto::GetReceiptRequest>) -> Answer<proto::GetReceiptResponse> {
        let receipt = Some(self.receipt(request.into_inner().index)?);
        answer(proto::GetReceiptResponse { receipt })
    }

    async fn get_account(&self, request: Request<proto::GetAccountRequest>) -> Answer<proto::GetAccountResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.account(&request).and_then(answer)
    }

    async fn find_accounts(&self, request: Request<proto::FindAccountsRequest>) -> Answer<proto::FindAccountsResponse> {
        self.accounts_beginning_with(request.into_inner()).await.and_then(answer)
    }

    async fn get_record(&self, request: Request<proto::GetRecordRequest>) -> Answer<proto::GetRecordResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.beside(move |service| service.record(&request)).await
    }

    async fn get_records(&self, request: Request<proto::GetRecordsRequest>) -> Answer<proto::GetRecordsResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.beside(move |service| service.records(&request)).await
    }

    async fn list_accounts(&self, request: Request<proto::ListAccountsRequest>) -> Answer<proto::ListAccountsResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.accounts(&request).and_then(answer)
    }

    async fn get_balance(&self, request: Request<proto::GetBalanceRequest>) -> Answer<proto::GetBalanceResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.balance(&request).and_then(answer)
    }

    async fn list_history(&self, request: Request<proto::ListHistoryRequest>) -> Answer<proto::ListHistoryResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        if !request.details {
            return self.history(&request).and_then(answer);
        }
        self.beside(move |service| service.history(&request)).await
    }

    async fn list_holds(&self, request: Request<proto::ListHoldsRequest>) -> Answer<proto::ListHoldsResponse> {
        let request = request.into_inner();
        self.reach(request.min_index).await?;
        self.holds(&request).and_then(answer)
    }

    async fn list_keys(&self, request: Request<proto::ListKeysRequest>) -> Answer<proto::ListKeysResponse> {
        self.keys(&request.into_inner()).and_then(answer)
    }

    async fn list_regions(&self, _: Request<proto::ListRegionsRequest>) -> Answer<proto::ListRegionsResponse> {
        answer(self.regions())
    }

    async fn get_state_digest(
        &self,
        request: Request<proto::GetStateDigestRequest>,
    ) -> Answer<proto::GetStateDigestResponse> {
        self.state_digest(request.into_inner()).await.and_then(answer)
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<proto::GetInclusionProofRequest>,
    ) -> Answer<proto::GetInclusionProofResponse> {
        self.inclusion_proof(request.into_inner()).and_then(answer)
    }

    async fn get_consistency_proof(
        &self,
        request: Request<proto::GetConsistencyProofRequest>,
    ) -> Answer<proto::GetConsistencyProofResponse> {
        self.consistency_proof(request.into_inner()).and_then(answer)
    }

    async fn get_event_proof(
        &self,
        request: Request<proto::GetEventProofRequest>,
    ) -> Answer<proto::GetEventProofResponse> {
        self.event_proof(&request.into_inner()).and_then(answer)
    }

    async fn subscribe(&self, request: Request<proto::SubscribeRequest>) -> Answer<Self::SubscribeStream> {
        Ok(Response::new(stream::subscribe(self, request.into_inner().from_index)))
    }
}
