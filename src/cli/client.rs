//! The client's side: connection, keys, and a sheet from events to receipt.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use prost::Message;
use tonic::transport::Channel;
use tonic_types::StatusExt;

use super::{
    call::{AsksIn, Client, SILENCE_MAX, answer},
    known,
    language::language,
    output::{ERROR_DOMAIN, Failure, Refused, note, nothing_recorded, quoted, quoted_text, refused, usage},
    who::Who,
};
use crate::{
    access::words,
    engine::{
        key_file::KeyFile,
        now,
        store::{private_folder, sync_folder},
    },
    folder::defaults,
    format::{
        proto::{self, event::Kind, ledger_service_client::LedgerServiceClient},
        signature::PrivateKey,
        wire,
    },
    ledger::{Millis, Policy, SheetId},
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
/// How often a server that sends nothing is asked whether it is there: a watch waits for days, and a peer that went without
/// a word would keep it for good.
const KEEPALIVE: Duration = Duration::from_mins(1);
/// Largest answer taken: a page of 1,000 rows is far below.
const MESSAGE_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Heading of the options that every command of a client takes.
pub(crate) const EVERYWHERE: &str = "Options of every command";

/// Where the ledger is and who asks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClientArguments {
    /// The server.
    #[arg(long, value_name = "URL", global = true, help_heading = EVERYWHERE, env = "TIMEBANK_SERVER", default_value_t = default_server())]
    pub(crate) server: String,
    /// Key file of the author [default: operator.key of the data folder].
    #[arg(long, value_name = "FILE", global = true, help_heading = EVERYWHERE, env = "TIMEBANK_KEY")]
    pub(crate) key: Option<PathBuf>,
    /// Key file of a further signer; may be given up to 7 times.
    #[arg(long, value_name = "FILE", global = true, help_heading = EVERYWHERE)]
    pub(crate) cosign: Vec<PathBuf>,
    /// Data folder that the defaults of other options lie in [default: the one that `serve` uses].
    #[arg(long, value_name = "DIR", global = true, help_heading = EVERYWHERE)]
    pub(crate) data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
}

pub(crate) fn default_server() -> String {
    format!("http://{}", defaults::DEFAULT_ADDRESS)
}

impl ClientArguments {
    pub(crate) fn folder(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(defaults::default_folder)
    }

    /// Connects.
    pub(crate) async fn connect(&self) -> anyhow::Result<Client> {
        connect(&self.server).await
    }

    /// The signers, the author first.
    pub(crate) fn signers(&self) -> anyhow::Result<SigningKeys> {
        let path = self.author_file();
        let read = |path: &Path| {
            let file = KeyFile::read(path).map_err(|error| usage(error.to_string()));
            file.context("give the author's key with --key FILE, or name it in TIMEBANK_KEY")
        };
        let author = read(&path)?;
        let origin = author.origin;
        let mut keys = vec![author.key];
        for path in &self.cosign {
            keys.push(read(path)?.key);
        }
        Ok(SigningKeys { keys, origin, validity_ms: VALIDITY_MS, recorded_at: Millis(0) })
    }

    /// That the author's key file is of the ledger that answers: it could not sign for another.
    fn check_origin(&self, signers: &SigningKeys, origin: &str) -> anyhow::Result<()> {
        if signers.origin.is_empty() || signers.origin == origin {
            return Ok(());
        }
        let (file, own) = (self.author_file(), &signers.origin);
        let (file, server) = (file.display(), &self.server);
        let text = words!(
            language(),
            "the key file {file} is of the ledger {own}, and {server} serves {origin}. Give a key of that one with --key FILE \
             or TIMEBANK_KEY, its data folder with --data DIR, or the other server with --server. [OriginMismatch]",
            "密钥文件 {file} 属于账本 {own}，而 {server} 服务的是 {origin}。请用 --key FILE 或 TIMEBANK_KEY 给出后者的密钥，\
             用 --data DIR 给出它的数据目录，或用 --server 给出另一台服务器。[OriginMismatch]"
        );
        let (code, field) = (Some("OriginMismatch".to_owned()), Some("header.origin".to_owned()));
        Err(Failure::Refused(Refused { text, code, event: None, field }).into())
    }

    fn author_file(&self) -> PathBuf {
        self.key.clone().unwrap_or_else(|| self.folder().join("operator.key"))
    }

    /// What the ledger is; remembered in the data folder, for what is signed there without a server later.
    pub(crate) async fn status(&self, client: &mut Client) -> anyhow::Result<proto::GetStatusResponse> {
        let status = status(client).await?;
        known::remember(&self.folder(), &status);
        Ok(status)
    }

    /// Who is who at this ledger.
    pub(crate) async fn who(&self, client: &Client) -> anyhow::Result<Who> {
        Who::online(client.clone(), &self.folder()).await
    }

    /// Signs events for the ledger that a server's status is of, and submits them. Every failure says what became of them.
    pub(crate) async fn submit_events(
        &self,
        client: &mut Client,
        status: &proto::GetStatusResponse,
        events: Vec<Kind>,
    ) -> anyhow::Result<proto::SubmitResponse> {
        let several = events.len() > 1;
        let mut signers = self.signers().map_err(nothing_recorded)?;
        self.check_origin(&signers, &status.origin).map_err(nothing_recorded)?;
        signers.follow(status);
        let sheet = signers.sign(&status.origin, events).map_err(nothing_recorded)?;
        self.submit_or_keep(client, sheet).await.map_err(|error| in_options(error, several))
    }

    /// Submits a sheet; where nobody knows whether it was recorded, keeps it in a file: doing the command again would sign
    /// another sheet, and count twice.
    async fn submit_or_keep(&self, client: &mut Client, sheet: proto::Sheet) -> anyhow::Result<proto::SubmitResponse> {
        let error = match submit(client, sheet.clone(), proto::Until::Published).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        if !matches!(error.downcast_ref(), Some(Failure::Unknown { .. })) {
            return Err(nothing_recorded(error));
        }
        let (advice, file) = match self.keep(&sheet) {
            Ok(path) => {
                let server = if self.server == default_server() {
                    String::new()
                } else {
                    format!(" --server {}", quoted_text(&self.server))
                };
                let advice = format!(
                    "don't do it again, but send the very same sheet, which is counted once: timebank submit {}{server}",
                    quoted(&path)
                );
                (advice, Some(path))
            }
            Err(problem) => (
                format!(
                    "the sheet could not be kept to be sent again ({problem:#}), so look for it with `timebank history` before \
                     you do it again"
                ),
                None,
            ),
        };
        let text = format!("{error}. It may be recorded or not: {advice}");
        Err(Failure::Unknown { text, sheet: file }.into())
    }

    /// Keeps a sheet in a file of the data folder.
    fn keep(&self, sheet: &proto::Sheet) -> anyhow::Result<PathBuf> {
        let folder = self.folder().join("unsent");
        let made = private_folder(&folder).and_then(|()| sync_folder(&self.folder()));
        made.with_context(|| folder.display().to_string())?;
        let path = folder.join(format!("{}.sheet", uuid::Uuid::now_v7()));
        write_sheet(&path, sheet)?;
        Ok(path)
    }
}

/// Puts the option to a refusal that names a field, and the event's number where there are several.
fn in_options(error: anyhow::Error, several: bool) -> anyhow::Error {
    let Some(Failure::Refused(refused)) = error.downcast_ref() else { return error };
    let option = refused.field.as_deref().and_then(option_of).map(|option| format!("{option}: "));
    let event = refused.event.filter(|_| several).map(|event| format!("event {event}: "));
    let text = format!("{}{}{}", event.unwrap_or_default(), option.unwrap_or_default(), refused.text);
    nothing_recorded(Failure::Refused(Refused { text, ..refused.clone() }).into())
}

/// The option that a field was given with.
pub(crate) fn option_of(field: &str) -> Option<&'static str> {
    let name = field.rsplit('.').next().unwrap_or(field);
    Some(match name {
        "volunteer" => "--volunteer",
        "station" => "--station",
        "payer" => "--payer",
        "category" => "--category",
        "activity" => "--activity",
        "rounding" => "--rounding",
        "start_ms" => "--start",
        "end_ms" => "--end",
        "interval" => "--start, --end",
        "date" => "--date",
        "utc_offset_seconds" => "--offset",
        "imported" => "--imported",
        "from" => "--from",
        "to" => "--to",
        "expires_at_ms" => "--expires",
        "region" => "--region",
        "parent" => "--parent",
        "code" => "CODE",
        "own_account" => "--own-account",
        "minutes" => "--minutes, --hours",
        "floor_minutes" => "--minutes",
        _ => return None,
    })
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
    let endpoint = endpoint.connect_timeout(CONNECT_WAIT_MAX).http2_keep_alive_interval(KEEPALIVE);
    let channel = endpoint.connect().await.map_err(|_refused| {
        Failure::Unreachable(format!(
            "no server answers at {server}. Give another with --server, or start one with `timebank serve`"
        ))
    })?;
    Ok(channel)
}

/// The ledger's service over a connection.
pub(crate) fn client(channel: Channel) -> Client {
    LedgerServiceClient::with_interceptor(channel, AsksIn(language())).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

/// Who signs.
#[derive(Debug, Clone)]
pub(crate) struct SigningKeys {
    pub(crate) keys: Vec<PrivateKey>,
    origin: String,
    validity_ms: i64,
    /// Recorded time of the ledger's newest entry, as far as it is known.
    recorded_at: Millis,
}

impl SigningKeys {
    /// Signs no sheet that is valid for longer than the ledger's policy allows, and none before the ledger's own time: where
    /// that is ahead of the true one for good, sheets of the true one would be over before they came.
    pub(crate) fn follow(&mut self, status: &proto::GetStatusResponse) {
        let days = status.policy.as_ref().map_or(i64::MAX, |policy| i64::from(policy.validity_days_max));
        self.validity_ms = VALIDITY_MS.min(days.saturating_mul(86_400_000));
        self.recorded_at = Millis(status.recorded_at_ms);
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
        let now = Millis(now::wall().as_millisecond()).max(self.recorded_at);
        let draft = wire::Draft {
            origin,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: now,
            valid_until: Millis(now.0.saturating_add(self.validity_ms)),
            events,
        };
        let keys: Vec<&PrivateKey> = self.keys.iter().collect();
        wire::sign(draft, &keys).map_err(|error| anyhow::anyhow!("no randomness: {error}"))
    }
}

pub(crate) async fn status(client: &mut Client) -> anyhow::Result<proto::GetStatusResponse> {
    answer(client.get_status(proto::GetStatusRequest {})).await
}

/// The policy of a ledger, from its status; the default one where that says nothing that a ledger could say.
pub(crate) fn policy(status: &proto::GetStatusResponse) -> Policy {
    status.policy.clone().and_then(|policy| wire::policy(policy).ok()).unwrap_or_default()
}

/// What became of one attempt to submit.
enum Attempt {
    Recorded(Box<proto::SubmitResponse>),
    Refused(Refused),
    /// The server didn't take it, and says when to come again.
    NotTaken(String, Option<Duration>),
    /// It is recorded, and no checkpoint covers it in time.
    NotPublished(String),
    Unknown(String),
}

async fn attempt(client: &mut Client, request: proto::SubmitRequest) -> Attempt {
    let Ok(answered) = tokio::time::timeout(SILENCE_MAX, client.submit(request)).await else {
        return Attempt::Unknown(format!("the server said nothing for {} s", SILENCE_MAX.as_secs()));
    };
    let status = match answered {
        Ok(response) => return Attempt::Recorded(Box::new(response.into_inner())),
        Err(status) => status,
    };
    if let Some(refused) = refused(&status) {
        return Attempt::Refused(refused);
    }
    let text = if status.message().is_empty() { status.code().to_string() } else { status.message().to_owned() };
    let told = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
    let reason = status.get_details_error_info().filter(|info| info.domain == ERROR_DOMAIN).map(|info| info.reason);
    match reason.as_deref() {
        // The ledger says so itself, before it takes anything in.
        Some("QueueFull" | "ClockImplausible") => {
            Attempt::NotTaken(format!("the server takes nothing in now: {text}"), told)
        }
        Some("NotPublished") => Attempt::NotPublished(text),
        Some(_) | None => Attempt::Unknown(format!("no receipt came: {text}")),
    }
}

/// Submits a sheet; the very same sheet again where nobody knows what became of it: it is recorded once.
///
/// # Errors
/// [`Failure::Refused`] and [`Failure::Unreachable`]: it was not recorded. [`Failure::Unknown`]: it may be.
pub(crate) async fn submit(
    client: &mut Client,
    sheet: proto::Sheet,
    until: proto::Until,
) -> anyhow::Result<proto::SubmitResponse> {
    let mut request = proto::SubmitRequest { sheet: Some(sheet), until: i32::from(until) };
    let (mut wait, mut lost, mut last) = (RETRY_WAIT, None, String::new());
    let began = now::monotonic();
    for number in 1..=SUBMIT_ATTEMPTS_MAX {
        let mut told = None;
        match attempt(client, request.clone()).await {
            Attempt::Recorded(response) => return Ok(*response),
            // One that an earlier attempt recorded is never refused: it gets its receipt again.
            Attempt::Refused(refused) => return Err(Failure::Refused(refused).into()),
            Attempt::NotTaken(text, delay) => (last, told) = (text, delay),
            // Its receipt is there all the same; the proof comes when somebody asks for it later.
            Attempt::NotPublished(text) => {
                note(&text);
                (request.until, lost) = (i32::from(proto::Until::Durable), Some(text));
                continue;
            }
            Attempt::Unknown(text) => lost = Some(text),
        }
        // Whoever waited as long for one answer has waited long enough.
        if number == SUBMIT_ATTEMPTS_MAX || began.elapsed() >= SILENCE_MAX {
            break;
        }
        tokio::time::sleep(told.map_or(wait, |told| told.max(wait)).min(RETRY_WAIT_MAX)).await;
        wait *= 2;
    }
    Err(match lost {
        Some(text) => Failure::Unknown { text, sheet: None },
        None => Failure::Unreachable(last),
    }
    .into())
}

/// Writes a signed sheet to a file, to be submitted later.
pub(crate) fn write_sheet(path: &Path, sheet: &proto::Sheet) -> anyhow::Result<()> {
    if path.exists() {
        return Err(usage(format!("{} exists; a signed sheet is never overwritten", path.display())));
    }
    crate::engine::store::atomic_write(path, &sheet.encode_to_vec(), 0o600)
        .with_context(|| format!("the sheet was not written to {}", path.display()))
}
