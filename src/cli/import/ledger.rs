//! The ledger that an import asks, over gRPC.

use crate::{
    cli::{
        call::{Client, answer},
        client::{self, SigningKeys},
        output::Failure,
    },
    format::{
        proto::{self, event::Kind},
        wire,
    },
    ledger::{AccountId, EventRef},
    people::import::remote::{Remote, RemoteError},
};

/// Rows of a history asked for at once, and accounts: what the server gives.
const HISTORY_ROWS_MAX: u32 = 200;
const ACCOUNTS_MAX: u32 = 1_000;

/// A connection, and whose keys sign.
pub(super) struct Ledger {
    pub(super) client: Client,
    pub(super) signers: SigningKeys,
    pub(super) origin: String,
}

fn failed(error: anyhow::Error) -> RemoteError {
    match error.downcast() {
        Ok(Failure::Refused(refused)) => RemoteError::Refused(refused.text),
        Ok(failure) => RemoteError::Failed(failure.into()),
        Err(error) => RemoteError::Failed(error.into()),
    }
}

impl Remote for Ledger {
    fn sign(&self, events: Vec<Kind>) -> Result<proto::Sheet, RemoteError> {
        self.signers.sign(&self.origin, events).map_err(failed)
    }

    async fn submit(&mut self, sheet: proto::Sheet) -> Result<proto::Receipt, RemoteError> {
        let response = client::submit(&mut self.client, sheet, proto::Until::Durable).await.map_err(failed)?;
        response.receipt.ok_or_else(|| {
            RemoteError::Failed("the server sent no receipt, so that the sheet may be recorded or not".into())
        })
    }

    async fn try_sheets(
        &mut self,
        sheets: &[proto::Sheet],
        from_sheet: u32,
    ) -> Result<(Vec<proto::DryRunResult>, u64), RemoteError> {
        let mut request = proto::DryRunRequest { sheets: sheets.to_vec(), from_sheet };
        let (mut results, mut size) = (Vec::new(), None);
        loop {
            let response = answer(self.client.dry_run(request.clone())).await.map_err(failed)?;
            size = size.or(Some(response.reflected_index + 1));
            results.extend(response.results);
            // One answer holds as many results as fit.
            match response.next_sheet {
                Some(next) if next > request.from_sheet => request.from_sheet = next,
                Some(_) => return Err(RemoteError::Failed("the server's answers don't come to an end".into())),
                None => return Ok((results, size.unwrap_or(0))),
            }
        }
    }

    async fn records(&mut self, places: &[EventRef]) -> Result<Vec<proto::Record>, RemoteError> {
        let events = places.iter().map(|place| wire::event_ref_message(*place)).collect();
        let request = proto::GetRecordsRequest { events, min_index: 0 };
        Ok(answer(self.client.get_records(request)).await.map_err(failed)?.records)
    }

    async fn find(&mut self, prefix: &str) -> Result<proto::FindAccountsResponse, RemoteError> {
        answer(self.client.find_accounts(proto::FindAccountsRequest { prefix: prefix.to_owned() }))
            .await
            .map_err(failed)
    }

    async fn accounts(
        &mut self,
        station: Option<AccountId>,
        cursor: String,
    ) -> Result<proto::ListAccountsResponse, RemoteError> {
        let request = proto::ListAccountsRequest {
            station: station.map(|station| station.0.to_vec()).unwrap_or_default().into(),
            page_size: ACCOUNTS_MAX,
            cursor,
            ..Default::default()
        };
        answer(self.client.list_accounts(request)).await.map_err(failed)
    }

    async fn services(&mut self, account: &[u8], cursor: String) -> Result<proto::ListHistoryResponse, RemoteError> {
        let request = proto::ListHistoryRequest {
            account: account.to_vec().into(),
            order: i32::from(proto::HistoryOrder::OldestFirst),
            page_size: HISTORY_ROWS_MAX,
            cursor,
            kinds: vec![i32::from(proto::EventKind::ServiceRecorded), i32::from(proto::EventKind::ServiceCorrected)],
            details: true,
            ..Default::default()
        };
        answer(self.client.list_history(request)).await.map_err(failed)
    }
}
