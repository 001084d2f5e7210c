//! All that a server tells of a ledger, question by question.

use std::collections::BTreeMap;

use prost::Message;
use timebank::format::proto::{self, Until, ledger_service_client::LedgerServiceClient};
use tonic::{Code, Status, transport::Channel};

use super::made::Made;

type Client = LedgerServiceClient<Channel>;

/// Rows of a page: as many as a page may have.
const PAGE: u32 = 200;

/// What is said where something can't be read, and where a server ended. All else is said of the ledger.
const SILENCE: [Code; 5] = [Code::Internal, Code::DataLoss, Code::Unavailable, Code::Unknown, Code::Cancelled];

/// Answers as bytes, or why there is none.
pub type Told = BTreeMap<String, Result<Vec<u8>, Status>>;

/// How much of what was told before is told again; never otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// Everything.
    All,
    /// So many questions get no answer: something is damaged, as the server says, or it ended.
    NotAll(usize),
}

struct Asker {
    client: Client,
    told: Told,
}

fn answer<M: Message>(answer: Result<tonic::Response<M>, Status>) -> Result<Vec<u8>, Status> {
    answer.map(|answer| answer.into_inner().encode_to_vec())
}

/// Asks for everything that a server knows of the ledger that was made, and sends all that was acknowledged again.
///
/// # Errors
/// It takes no connection.
pub async fn ask(url: &str, made: &Made, accounts: &[proto::Account]) -> Result<Told, String> {
    let client = LedgerServiceClient::connect(url.to_owned()).await.map_err(|error| error.to_string())?;
    let mut asker = Asker { client, told: Told::new() };
    asker.ledger(made).await;
    for account in accounts {
        asker.account(account).await;
    }
    for (number, (sheet, _)) in made.acknowledged.iter().enumerate() {
        let request = proto::SubmitRequest { sheet: Some(sheet.clone()), until: i32::from(Until::Durable) };
        let receipt = asker.client.submit(request).await;
        asker.told.insert(format!("sheet {number} again"), answer(receipt));
    }
    Ok(asker.told)
}

/// The accounts that there are.
pub async fn accounts(url: &str) -> Vec<proto::Account> {
    let mut client = LedgerServiceClient::connect(url.to_owned()).await.unwrap();
    let request = proto::ListAccountsRequest { page_size: PAGE, ..proto::ListAccountsRequest::default() };
    client.list_accounts(request).await.unwrap().into_inner().accounts
}

impl Asker {
    async fn ledger(&mut self, made: &Made) {
        let client = &mut self.client;
        let size = made.acknowledged.iter().map(|(_, receipt)| receipt.index + 1).max().unwrap_or_default();
        let status = client.get_status(proto::GetStatusRequest {}).await.map(|status| {
            let proto::GetStatusResponse { size, root, accounts, balance_sum_minutes, holds, postings, .. } =
                status.into_inner();
            format!("{size} {} {accounts} {balance_sum_minutes} {holds} {postings}", hex::encode(root)).into_bytes()
        });
        self.told.insert("status".to_owned(), status);
        let list = proto::ListAccountsRequest { page_size: PAGE, ..proto::ListAccountsRequest::default() };
        self.told.insert("accounts".to_owned(), answer(client.list_accounts(list).await));
        let list = proto::ListHoldsRequest { page_size: PAGE, ..proto::ListHoldsRequest::default() };
        self.told.insert("holds".to_owned(), answer(client.list_holds(list).await));
        let list = proto::ListKeysRequest { page_size: PAGE, ..proto::ListKeysRequest::default() };
        self.told.insert("keys".to_owned(), answer(client.list_keys(list).await));
        self.told.insert("regions".to_owned(), answer(client.list_regions(proto::ListRegionsRequest {}).await));
        let digest = proto::GetStateDigestRequest { at_index: Some(size - 1), range: None };
        self.told.insert("digest".to_owned(), answer(client.get_state_digest(digest).await));
        for index in 0..size {
            let entry = client.get_entry(proto::GetEntryRequest { index }).await;
            self.told.insert(format!("entry {index}"), answer(entry));
            let receipt = client.get_receipt(proto::GetReceiptRequest { index }).await;
            self.told.insert(format!("receipt {index}"), answer(receipt));
            let proof = client.get_inclusion_proof(proto::GetInclusionProofRequest { index, size }).await;
            self.told.insert(format!("proof {index}"), answer(proof));
        }
    }

    async fn account(&mut self, account: &proto::Account) {
        let (id, name) = (account.account.clone(), hex::encode(&account.account));
        let request = proto::GetBalanceRequest { account: id.clone(), min_index: 0, as_of: None };
        self.told.insert(format!("balance {name}"), answer(self.client.get_balance(request).await));
        let (mut cursor, mut page) = (String::new(), 0);
        loop {
            let request = proto::ListHistoryRequest {
                account: id.clone(),
                page_size: PAGE,
                cursor,
                ..proto::ListHistoryRequest::default()
            };
            let history = self.client.list_history(request).await;
            cursor = history.as_ref().map(|history| history.get_ref().next_cursor.clone()).unwrap_or_default();
            self.told.insert(format!("history {name}, page {page}"), answer(history));
            page += 1;
            if cursor.is_empty() {
                return;
            }
        }
    }
}

/// Holds what is told now to what was told before.
///
/// # Errors
/// What is told otherwise, or said not to be.
pub fn again(before: &Told, now: &Told) -> Result<Again, String> {
    let mut silent = 0;
    for (question, first) in before {
        let first = first.as_ref().map_err(|status| format!("{question} had no answer: {status}"))?;
        match now.get(question) {
            Some(Ok(answer)) if answer == first => {}
            Some(Ok(_)) => return Err(format!("{question} is told otherwise")),
            // A page after one that has no answer.
            None => silent += 1,
            Some(Err(status)) if SILENCE.contains(&status.code()) => silent += 1,
            Some(Err(status)) => return Err(format!("{question} is answered {status}")),
        }
    }
    Ok(if silent == 0 { Again::All } else { Again::NotAll(silent) })
}
