//! Calls of a server that are given up where it stays silent.

use std::time::Duration;

use tokio::time::timeout;
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use super::output::Failure;
use crate::{format::proto::ledger_service_client::LedgerServiceClient, ledger::Language};

/// How long a server may stay silent: a commit under full load takes a fraction of a second.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A connection to a ledger.
pub(crate) type Client = LedgerServiceClient<InterceptedService<Channel, AsksIn>>;

/// Asks for refusals in the reader's language, with every call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsksIn(pub(crate) Language);

impl Interceptor for AsksIn {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        // Statuses are English anyway.
        if self.0 != Language::English {
            request.metadata_mut().insert("accept-language", MetadataValue::from_static(self.0.tag()));
        }
        Ok(request)
    }
}

/// A server's answer, unless it stays silent.
pub(crate) async fn answer<T>(call: impl Future<Output = Result<tonic::Response<T>, Status>>) -> anyhow::Result<T> {
    answer_within(SILENCE_MAX, call).await
}

async fn answer_within<T>(
    silence_max: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> anyhow::Result<T> {
    let answered = timeout(silence_max, call).await.map_err(|_late| silent(silence_max))?;
    Ok(answered.map_err(Failure::from)?.into_inner())
}

/// Why a server is given up that said nothing for so long.
pub(crate) fn silent(silence_max: Duration) -> anyhow::Error {
    Failure::Unreachable(format!("the server said nothing for {} s", silence_max.as_secs_f32())).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use tokio::net::TcpListener;

    use super::*;
    use crate::{cli::client, format::proto};

    #[tokio::test]
    async fn a_server_that_accepts_and_never_answers_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = client::connect(&format!("http://{}", listener.local_addr().unwrap())).await.unwrap();
        let problem =
            answer_within(Duration::from_millis(50), client.get_status(proto::GetStatusRequest {})).await.unwrap_err();
        assert!(matches!(problem.downcast_ref(), Some(Failure::Unreachable(_))), "{problem}");
        assert!(problem.to_string().contains("said nothing for 0.05 s"), "{problem}");
    }
}
