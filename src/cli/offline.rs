//! Recording with a server, or signing without one: what all commands that record have in common.

use std::path::PathBuf;

use anyhow::Context;
use prost::Message;
use serde_json::{Value, json};

use super::{
    call::Client,
    client::{self, ClientArguments, option_of},
    known,
    language::{language, said},
    output::{Failure, Refused, note, nothing_recorded, quoted, tell, usage},
    receipt::{first_place, receipt_json, receipt_text, warnings},
    who::{AccountName, Who},
};
use crate::{
    access::words,
    engine::now,
    format::{
        proto::{self, event::Kind},
        signature, wire,
    },
    ledger::{self, AccountId, Event, Millis, Policy, Refusal},
};

/// Whether there is a server to ask, and how much of its answer is printed.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OfflineArguments {
    /// Sign without a server: write the sheet to this file, to be sent with `timebank submit` when there is a network.
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,
    /// Sign it although the rules would refuse it that are known here (a group's record may be of any length).
    #[arg(long, requires = "to_file")]
    unchecked: bool,
    /// Print only the place of what was recorded, as 10.0: HOLD=$(timebank hold place ... --quiet).
    #[arg(long, short, conflicts_with_all = ["to_file", "json"])]
    quiet: bool,
}

/// What a command that records works with: a server, or what is known here without one.
pub(crate) struct Session<'a> {
    arguments: &'a ClientArguments,
    /// None where the command needs a server.
    offline: Option<&'a OfflineArguments>,
    server: Option<Server>,
    who: Who,
    /// The ledger's policy; without a server, as it was when one answered last, or the default one.
    pub(crate) policy: Policy,
}

/// A server, and what it said of its ledger at the beginning.
struct Server {
    client: Client,
    status: proto::GetStatusResponse,
}

impl<'a> Session<'a> {
    /// With a server, unless there is a file to sign to.
    pub(crate) async fn begin(arguments: &'a ClientArguments, offline: &'a OfflineArguments) -> anyhow::Result<Self> {
        if offline.to_file.is_some() {
            let origin = arguments.signers()?.origin_offline()?;
            let status = known::recall(&arguments.folder(), &origin);
            let who = status.as_ref().map(|status| Who::of(None, &arguments.folder(), &status.genesis_leaf_hash));
            let policy = status.as_ref().map(client::policy).unwrap_or_default();
            return Ok(Self { arguments, offline: Some(offline), server: None, who: who.unwrap_or_default(), policy });
        }
        let session = Self::with_server(arguments).await.map_err(|error| match error.downcast_ref() {
            Some(Failure::Unreachable(text)) => Failure::Unreachable(format!(
                "{text}. Or sign what is to be recorded to a file with --to-file, and submit it when there is a server"
            ))
            .into(),
            _ => error,
        });
        Ok(Self { offline: Some(offline), ..session.map_err(nothing_recorded)? })
    }

    /// With a server: for what can't be signed without one.
    pub(crate) async fn online(arguments: &'a ClientArguments) -> anyhow::Result<Self> {
        Self::with_server(arguments).await.map_err(nothing_recorded)
    }

    async fn with_server(arguments: &'a ClientArguments) -> anyhow::Result<Self> {
        let mut client = arguments.connect().await?;
        let status = arguments.status(&mut client).await?;
        let who = Who::of(Some(client.clone()), &arguments.folder(), &status.genesis_leaf_hash);
        let policy = client::policy(&status);
        Ok(Self { arguments, offline: None, server: Some(Server { client, status }), who, policy })
    }

    /// The server, where there is one to ask.
    pub(crate) fn client(&mut self) -> Option<&mut Client> {
        self.server.as_mut().map(|server| &mut server.client)
    }

    /// An account in a sentence.
    pub(crate) const fn who(&self) -> &Who {
        &self.who
    }

    /// The account that is meant.
    pub(crate) async fn account(&mut self, option: &str, name: &AccountName) -> anyhow::Result<AccountId> {
        self.who.account(option, name).await.map_err(nothing_recorded)
    }

    /// The account that is meant, where one is named.
    pub(crate) async fn optional(
        &mut self,
        option: &str,
        name: Option<&AccountName>,
    ) -> anyhow::Result<Option<AccountId>> {
        self.who.optional(option, name).await.map_err(nothing_recorded)
    }

    /// Signs events and has the server record them. Every failure says what became of them.
    pub(crate) async fn record(&mut self, events: Vec<Kind>) -> anyhow::Result<proto::SubmitResponse> {
        let Some(Server { client, status }) = &mut self.server else {
            return Err(nothing_recorded(usage("--to-file: this is recorded by a server")));
        };
        self.arguments.submit_events(client, status, events).await
    }

    /// Records events, or signs them to the file; tells what became of them, with `more` beside it.
    pub(crate) async fn end(mut self, events: Vec<Kind>, more: &More) -> anyhow::Result<()> {
        if let (None, Some(offline)) = (&self.server, self.offline) {
            return sign_to_file(self.arguments, offline, &self.policy, events, more);
        }
        let response = self.record(events).await?;
        if self.offline.is_some_and(|how| how.quiet) {
            for warning in warnings(&response) {
                note(warning.trim_start_matches("warning: "));
            }
            tell(false, &Value::Null, || first_place(&response));
            return Ok(());
        }
        let mut value = receipt_json(&response);
        more.add_to(&mut value);
        tell(self.arguments.json, &value, || format!("{}{}", receipt_text(&response, &self.who), more.text));
        Ok(())
    }
}

/// What a command tells beside the receipt.
#[derive(Default)]
pub(crate) struct More {
    /// Lines for people.
    pub(crate) text: String,
    /// A field for programs.
    pub(crate) value: Option<(&'static str, Value)>,
}

impl More {
    fn add_to(&self, value: &mut Value) {
        if let Some((name, more)) = &self.value {
            value[*name] = more.clone();
        }
    }
}

fn sign_to_file(
    arguments: &ClientArguments,
    offline: &OfflineArguments,
    policy: &Policy,
    kinds: Vec<Kind>,
    more: &More,
) -> anyhow::Result<()> {
    let Some(path) = &offline.to_file else { return Ok(()) };
    let count = kinds.len();
    if !offline.unchecked {
        check(policy, &kinds).map_err(|refusal| not_signed(&refusal, count))?;
    }
    let mut signers = arguments.signers()?;
    let origin = signers.origin_offline()?;
    let known = known::recall(&arguments.folder(), &origin).unwrap_or_default();
    signers.follow(&proto::GetStatusResponse { policy: Some(wire::policy_message(policy)), ..known });
    let sheet = signers.sign(&origin, kinds)?;
    client::write_sheet(path, &sheet).context("nothing was written")?;
    let mut value = json!({ "file": path.display().to_string(), "events": count });
    more.add_to(&mut value);
    let days = policy.validity_days_max;
    tell(arguments.json, &value, || {
        format!(
            "signed and written to {0}. Nothing is recorded yet: submit it within {days} days with `timebank submit {1}`{2}",
            path.display(),
            quoted(path),
            more.text
        )
    });
    Ok(())
}

/// Holds events against the rules that need no server, before anything is signed.
fn check(policy: &Policy, kinds: &[Kind]) -> Result<(), Refusal> {
    let mut events: Vec<Event> = Vec::with_capacity(kinds.len());
    for (number, kind) in (0..).zip(kinds) {
        let salt = signature::random::<16>().to_vec().into();
        let bytes = proto::Event { salt, kind: Some(kind.clone()) }.encode_to_vec();
        let event = wire::decode_event(&bytes.into()).map_err(|refusal| Refusal { event: Some(number), ..refusal })?;
        events.push(event);
    }
    ledger::check_alone(policy, &events, Millis(now::wall().as_millisecond()))
}

fn not_signed(refusal: &Refusal, count: usize) -> anyhow::Error {
    let option = option_of(&refusal.field).map_or_else(String::new, |option| format!("{option}: "));
    let event = refusal.event.filter(|_| count > 1).map_or_else(String::new, |event| format!("event {event}: "));
    let refused = Refused {
        text: format!("{event}{option}{}", said(refusal)),
        code: Some(refusal.rejection.code().to_owned()),
        event: refusal.event.map(u32::from),
        field: Some(refusal.field.to_string()).filter(|field| !field.is_empty()),
    };
    anyhow::Error::from(Failure::Refused(refused)).context(words!(
        language(),
        "refused, nothing was signed",
        "被拒绝，没有签名"
    ))
}
