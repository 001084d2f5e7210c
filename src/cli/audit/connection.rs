//! What an audit asks a server, over gRPC.

use std::time::Duration;

use tokio::{runtime::Handle, sync::watch};
use tonic::Code;

use crate::{
    cli::{
        call::{Client, answer},
        checkpoint::checkpoint_over,
        client,
        output::Failure,
        prove::consistency_path,
        source::Source,
    },
    format::{checkpoint::policy::WitnessPolicy, proto},
    merkle::Hash,
    trust::audit::server::{Asked, Entries, Server, ServerError},
};

/// How often, and how long in between, a server is asked that makes somebody else's digest: a minute or two, in which it
/// reads a hundred million rows.
const DIGEST_TRIES: u32 = 120;
const DIGEST_WAIT: Duration = Duration::from_secs(1);

/// A connection to a server. Asks from a thread that may wait.
pub(super) struct Connection {
    server: String,
    client: Client,
    calls: Calls,
}

/// Where calls run, and whether somebody wants no more of them.
#[derive(Clone)]
struct Calls {
    runtime: Handle,
    stopped: watch::Receiver<bool>,
}

impl Calls {
    /// Waits for an answer, unless somebody wants no more.
    fn wait<T>(&self, call: impl Future<Output = anyhow::Result<T>>) -> Asked<T, anyhow::Error> {
        let mut stopped = self.stopped.clone();
        let answered = self.runtime.block_on(async {
            tokio::select! {
                // First: no call is begun while the command ends, and its runtime with it.
                biased;
                Ok(_) = stopped.wait_for(|stop| *stop) => Err(Failure::Unreachable("interrupted".to_owned()).into()),
                answered = call => answered,
            }
        });
        answered.map_err(classed)
    }
}

/// Whether the ledger itself says no, or the server can't be asked.
fn classed(error: anyhow::Error) -> ServerError<anyhow::Error> {
    if matches!(error.downcast_ref(), Some(Failure::Refused(_))) {
        ServerError::Refused(error)
    } else {
        ServerError::NoAnswer(error)
    }
}

/// A failure as the command ends with it.
pub(super) fn failure(error: ServerError<anyhow::Error>) -> anyhow::Error {
    match error {
        ServerError::Refused(error) | ServerError::NoAnswer(error) => error,
        ServerError::EndlessList { .. } | ServerError::BeyondItsLog { .. } | ServerError::CheckpointMissing => {
            Failure::refused(error.to_string()).into()
        }
    }
}

impl Connection {
    pub(super) fn new(server: &str, runtime: &Handle, stopped: &watch::Receiver<bool>) -> Asked<Self, anyhow::Error> {
        let calls = Calls { runtime: runtime.clone(), stopped: stopped.clone() };
        let client = calls.wait(client::connect(server))?;
        Ok(Self { server: server.to_owned(), client, calls })
    }
}

/// A digest. The server makes one at a time, so others who ask are waited for.
async fn digest(
    client: &mut Client,
    request: proto::GetStateDigestRequest,
) -> anyhow::Result<proto::GetStateDigestResponse> {
    for _ in 0..DIGEST_TRIES {
        let mut busy = false;
        let call = async {
            let answered = client.get_state_digest(request).await;
            busy = answered.as_ref().is_err_and(|status| status.code() == Code::ResourceExhausted);
            answered
        };
        let answered = answer(call).await;
        if !busy {
            return answered;
        }
        tokio::time::sleep(DIGEST_WAIT).await;
    }
    Err(Failure::Unreachable("the server is busy with the digests of others; try again later".to_owned()).into())
}

impl Server for Connection {
    type Error = anyhow::Error;

    fn status(&mut self) -> Asked<proto::GetStatusResponse, anyhow::Error> {
        self.calls.wait(client::status(&mut self.client))
    }

    fn list_accounts(
        &mut self,
        request: proto::ListAccountsRequest,
    ) -> Asked<proto::ListAccountsResponse, anyhow::Error> {
        self.calls.wait(answer(self.client.list_accounts(request)))
    }

    fn list_holds(&mut self, request: proto::ListHoldsRequest) -> Asked<proto::ListHoldsResponse, anyhow::Error> {
        self.calls.wait(answer(self.client.list_holds(request)))
    }

    fn list_history(&mut self, request: proto::ListHistoryRequest) -> Asked<proto::ListHistoryResponse, anyhow::Error> {
        self.calls.wait(answer(self.client.list_history(request)))
    }

    fn state_digest(
        &mut self,
        request: proto::GetStateDigestRequest,
    ) -> Asked<proto::GetStateDigestResponse, anyhow::Error> {
        self.calls.wait(digest(&mut self.client, request))
    }

    fn checkpoints(&mut self) -> Asked<proto::GetCheckpointResponse, anyhow::Error> {
        self.calls.wait(answer(self.client.get_checkpoint(proto::GetCheckpointRequest {})))
    }

    fn checkpoint_over(&mut self, size: u64, policy: Option<&WitnessPolicy>) -> Asked<String, anyhow::Error> {
        self.calls.wait(checkpoint_over(&mut self.client, size, policy))
    }

    fn consistency_path(&mut self, old_size: u64, new_size: u64) -> Asked<Vec<Hash>, anyhow::Error> {
        self.calls.wait(consistency_path(&mut self.client, old_size, new_size))
    }

    fn entries(&mut self, from_index: u64) -> Asked<Entries<anyhow::Error>, anyhow::Error> {
        let mut source = self.calls.wait(Source::server(&self.server, from_index, self.calls.stopped.clone()))?;
        Ok(Box::new(move |index| source.next(index).map_err(classed)))
    }
}
