//! The client's side: connection, keys, and a sheet from events to receipt.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use prost::Message;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic_types::StatusExt;

use super::{
    output::{Failure, emit, hours, table, time, usage},
    source::answer,
};
use crate::{
    config::{self, KeyFile},
    ledger::{Millis, Policy, Price, Rounding, SheetId, Tariff},
    proto::{self, event::Kind, ledger_service_client::LedgerServiceClient},
    signature::PrivateKey,
    wire,
};

/// How long a sheet signed here is valid: what the default policy allows, so that a sheet signed offline keeps.
const VALIDITY_MS: i64 = 90 * 86_400_000;
/// How often a sheet is sent before its sender is told that the outcome is unknown, and how long it waits in between:
/// 0.2, 0.4, 0.8 and 1.6 s carry it over a full queue and a restart of a small ledger.
const SUBMIT_ATTEMPTS_MAX: u32 = 5;
const RETRY_WAIT: Duration = Duration::from_millis(200);
/// Longest wait that a server may ask for.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for a connection: three lost packets of a handshake cost 7 s.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// Largest answer taken: a page of 1,000 rows is far below.
const MESSAGE_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Where the ledger is and who asks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClientArguments {
    /// The server.
    #[arg(long, value_name = "URL", global = true, env = "TIMEBANK_SERVER", default_value_t = default_server())]
    pub(crate) server: String,
    /// Key file of the author [default: operator.key of the data folder].
    #[arg(long, value_name = "FILE", global = true, env = "TIMEBANK_KEY")]
    pub(crate) key: Option<PathBuf>,
    /// Key file of a further signer; may be given up to 7 times.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) cosign: Vec<PathBuf>,
    /// Data folder that the defaults of other options lie in [default: the one that `serve` uses].
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

pub(crate) fn default_server() -> String {
    format!("http://{}", config::DEFAULT_ADDRESS)
}

impl ClientArguments {
    pub(crate) fn folder(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(config::default_folder)
    }

    /// Connects.
    pub(crate) async fn connect(&self) -> anyhow::Result<Client> {
        connect(&self.server).await
    }

    /// The signers, the author first.
    pub(crate) fn signers(&self) -> anyhow::Result<Signers> {
        let path = self.key.clone().unwrap_or_else(|| self.folder().join("operator.key"));
        let read = |path: &Path| {
            let file = KeyFile::read(path).map_err(|error| usage(error.to_string()));
            file.context("give the author's key with --key FILE")
        };
        let author = read(&path)?;
        let origin = author.origin;
        let mut keys = vec![author.key];
        for path in &self.cosign {
            keys.push(read(path)?.key);
        }
        Ok(Signers { keys, origin, validity_ms: VALIDITY_MS })
    }

    /// Signs events and submits them; prints the receipt.
    pub(crate) async fn submit_and_print(&self, events: Vec<Kind>) -> anyhow::Result<()> {
        let mut client = self.connect().await?;
        let mut signers = self.signers()?;
        let origin = signers.origin(&mut client).await?;
        let sheet = signers.sign(&origin, events)?;
        let response = self.submit_or_keep(&mut client, sheet).await?;
        print_receipt(self.json, &response)
    }

    /// Submits a sheet; where nobody knows whether it was recorded, keeps it in a file: doing the command again would sign
    /// another sheet, and count twice.
    pub(crate) async fn submit_or_keep(
        &self,
        client: &mut Client,
        sheet: proto::Sheet,
    ) -> anyhow::Result<proto::SubmitResponse> {
        let error = match submit(client, sheet.clone(), proto::Until::Published).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        if !matches!(error.downcast_ref(), Some(Failure::Unreachable(_))) {
            return Err(error);
        }
        let advice = match self.keep(&sheet) {
            Ok(path) => format!(
                "don't do it again, but send the very same sheet, which is counted once: timebank submit {}",
                path.display()
            ),
            Err(problem) => format!(
                "the sheet could not be kept to be sent again ({problem:#}), so look for it with `timebank history` before \
                 you do it again"
            ),
        };
        Err(Failure::Unreachable(format!("{error}. It may be recorded or not: {advice}")).into())
    }

    /// Keeps a sheet in a file of the data folder.
    fn keep(&self, sheet: &proto::Sheet) -> anyhow::Result<PathBuf> {
        let folder = self.folder().join("unsent");
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let path = folder.join(format!("{}.sheet", uuid::Uuid::now_v7()));
        write_sheet(&path, sheet)?;
        Ok(path)
    }
}

/// Connects to a server.
pub(crate) async fn connect(server: &str) -> anyhow::Result<Client> {
    Ok(client(channel(server).await?))
}

/// The connection to a server.
pub(crate) async fn channel(server: &str) -> anyhow::Result<Channel> {
    let wrong = |problem: String| usage(format!("--server {server}: {problem}. Expected http://HOST:PORT"));
    let (scheme, address) = server.split_once("://").unwrap_or(("http", server));
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(wrong(format!("{scheme} is not spoken, there is no TLS yet")));
    }
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| wrong(error.to_string()))?;
    let channel = endpoint.connect_timeout(CONNECT_WAIT_MAX).connect().await.map_err(|_refused| {
        Failure::Unreachable(format!(
            "no server answers at {server}. Start one with `timebank serve`, or give --server"
        ))
    })?;
    Ok(channel)
}

/// The ledger's service over a connection.
pub(crate) fn client(channel: Channel) -> Client {
    LedgerServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

/// A connection.
pub(crate) type Client = LedgerServiceClient<Channel>;

/// Who signs.
#[derive(Debug, Clone)]
pub(crate) struct Signers {
    pub(crate) keys: Vec<PrivateKey>,
    origin: String,
    validity_ms: i64,
}

impl Signers {
    /// The ledger the keys are for: what the key file says, or else what the server says. From then on sheets are valid
    /// as long as this ledger's policy allows.
    pub(crate) async fn origin(&mut self, client: &mut Client) -> anyhow::Result<String> {
        let status = status(client).await?;
        self.bound_validity(&status);
        if self.origin.is_empty() { Ok(status.origin) } else { Ok(self.origin.clone()) }
    }

    /// Signs no sheet that is valid for longer than the ledger's policy allows.
    pub(crate) fn bound_validity(&mut self, status: &proto::GetStatusResponse) {
        let days = status.policy.as_ref().map_or(i64::MAX, |policy| i64::from(policy.validity_days_max));
        self.validity_ms = VALIDITY_MS.min(days.saturating_mul(86_400_000));
    }

    /// The ledger the keys are for, without asking a server.
    pub(crate) fn origin_offline(&self) -> anyhow::Result<String> {
        if self.origin.is_empty() {
            return Err(usage("the key file names no ledger. Make it with `timebank key new --origin ORIGIN`"));
        }
        Ok(self.origin.clone())
    }

    /// Signs events as a sheet.
    pub(crate) fn sign(&self, origin: &str, events: Vec<Kind>) -> anyhow::Result<proto::Sheet> {
        let now = jiff::Timestamp::now().as_millisecond();
        let draft = wire::Draft {
            origin,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: Millis(now),
            valid_until: Millis(now.saturating_add(self.validity_ms)),
            events,
        };
        let keys: Vec<&PrivateKey> = self.keys.iter().collect();
        wire::sign(draft, &keys).map_err(|error| anyhow::anyhow!("no randomness: {error}"))
    }
}

pub(crate) async fn status(client: &mut Client) -> anyhow::Result<proto::GetStatusResponse> {
    answer(client.get_status(proto::GetStatusRequest {})).await
}

/// The policy of a ledger, from its status.
pub(crate) fn policy(status: &proto::GetStatusResponse) -> Policy {
    let Some(message) = &status.policy else { return Policy::default() };
    let rounding = |value: &i32| match proto::Rounding::try_from(*value) {
        Ok(proto::Rounding::Down) => Some(Rounding::Down),
        Ok(proto::Rounding::Nearest) => Some(Rounding::Nearest),
        Ok(proto::Rounding::Up) => Some(Rounding::Up),
        Ok(proto::Rounding::Unspecified) | Err(_) => None,
    };
    let tariff = |tariff: &proto::Tariff| {
        let price = match tariff.price.as_ref()? {
            proto::tariff::Price::MinutesPerHour(minutes) => Price::PerHour(*minutes),
            proto::tariff::Price::FixedMinutes(minutes) => Price::Fixed(*minutes),
        };
        Some(Tariff { category: crate::ledger::Code::new(&tariff.category, 32)?, price })
    };
    Policy {
        rounding_unit_minutes: message.rounding_unit_minutes,
        roundings: message.roundings.iter().filter_map(rounding).collect(),
        tariffs: message.tariffs.iter().filter_map(tariff).collect(),
        ..Policy::default()
    }
}

/// Submits a sheet; the very same sheet again where nobody knows what became of it: it is recorded once.
pub(crate) async fn submit(
    client: &mut Client,
    sheet: proto::Sheet,
    until: proto::Until,
) -> anyhow::Result<proto::SubmitResponse> {
    let request = proto::SubmitRequest { sheet: Some(sheet), until: i32::from(until) };
    let mut wait = RETRY_WAIT;
    for attempt in 1.. {
        let status = match client.submit(request.clone()).await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => status,
        };
        let told = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
        let failure = Failure::from(status);
        if attempt == SUBMIT_ATTEMPTS_MAX || !matches!(failure, Failure::Unreachable(_)) {
            return Err(failure.into());
        }
        tokio::time::sleep(told.unwrap_or(wait).min(RETRY_WAIT_MAX)).await;
        wait *= 2;
    }
    Err(Failure::Unreachable("the server did not answer".to_owned()).into())
}

/// Writes a signed sheet to a file, to be submitted later.
pub(crate) fn write_sheet(path: &Path, sheet: &proto::Sheet) -> anyhow::Result<()> {
    if path.exists() {
        return Err(usage(format!("{} exists; a signed sheet is never overwritten", path.display())));
    }
    crate::store::atomic_write(path, &sheet.encode_to_vec(), 0o600)
        .with_context(|| format!("the sheet was not written to {}", path.display()))
}

pub(crate) fn receipt_json(response: &proto::SubmitResponse) -> Value {
    let receipt = response.receipt.clone().unwrap_or_default();
    let posting = |posting: &proto::Posting| {
        json!({
            "account": hex::encode(&posting.account),
            "minutes": posting.minutes,
            "balance_after_minutes": posting.balance_after_minutes,
        })
    };
    let warning = |warning: &proto::Warning| {
        let similar = warning.similar.unwrap_or_default();
        json!({
            "code": warning.code,
            "message": warning.message,
            "similar": format!("{}.{}", similar.index, similar.event),
        })
    };
    let event = |event: &proto::EventReceipt| {
        json!({
            "postings": event.postings.iter().map(posting).collect::<Vec<_>>(),
            "warnings": event.warnings.iter().map(warning).collect::<Vec<_>>(),
        })
    };
    let mut value = json!({
        "index": receipt.index,
        "recorded_at": time(receipt.recorded_at_ms),
        "events": receipt.events.iter().map(event).collect::<Vec<_>>(),
    });
    if let Some(publication) = &response.publication {
        let proof: Vec<String> = publication.inclusion_proof.iter().map(hex::encode).collect();
        value["checkpoint"] = json!(publication.checkpoint);
        value["inclusion_proof"] = json!(proof);
    }
    value
}

pub(crate) fn print_receipt(as_json: bool, response: &proto::SubmitResponse) -> anyhow::Result<()> {
    emit(as_json, &receipt_json(response), || receipt_text(response))
}

fn receipt_text(response: &proto::SubmitResponse) -> String {
    let receipt = response.receipt.clone().unwrap_or_default();
    let mut text = format!("recorded as entry {} at {}", receipt.index, time(receipt.recorded_at_ms));
    let mut rows = Vec::new();
    for (number, event) in receipt.events.iter().enumerate() {
        let at = format!("{}.{number}", receipt.index);
        rows.extend(event.postings.iter().map(|posting| {
            let after = hours(posting.balance_after_minutes);
            vec![at.clone(), hex::encode(&posting.account), hours(posting.minutes), after]
        }));
    }
    if !rows.is_empty() {
        text = format!("{text}\n{}", table(&["event", "account", "change", "balance"], &[2, 3], rows));
    }
    for warning in receipt.events.iter().flat_map(|event| &event.warnings) {
        let similar = warning.similar.unwrap_or_default();
        text = format!("{text}\nwarning: {} ({}.{}): {}", warning.code, similar.index, similar.event, warning.message);
    }
    text
}
