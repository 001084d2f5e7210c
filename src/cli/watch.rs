//! `timebank watch`

use prost::Message;
use serde_json::json;
use tonic_types::StatusExt;

use super::{
    call::answer,
    client::{self, ClientArguments},
    output::{Failure, emit, reader_gone, time},
    who::short,
    zone,
};
use crate::format::{proto, wire};

/// Follow the log: entries as they are recorded.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank watch                                      from now on
  timebank watch --from-index 0 --json                everything, then what comes")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// First entry to show [default: the next one].
    #[arg(long)]
    from_index: Option<u64>,
    /// End after this many entries.
    #[arg(long)]
    count: Option<u64>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut client = arguments.client.connect().await?;
    let from_index = match arguments.from_index {
        Some(index) => index,
        None => client::status(&mut client).await?.size,
    };
    let request = proto::SubscribeRequest { from_index };
    let mut entries = answer(client.subscribe(request)).await?;
    let mut left = arguments.count.unwrap_or(u64::MAX);
    // Once for all entries: a thread waits for it.
    let gone = reader_gone();
    tokio::pin!(gone);
    while left > 0 {
        let message = tokio::select! {
            message = entries.message() => message,
            // As `tail -f` does: not only when there is something to print.
            gone = &mut gone => return Err(gone.into()),
        };
        let Some(response) = message.or_else(ended)? else {
            return Err(Failure::Unreachable("the server ended the stream; watch again".to_owned()).into());
        };
        show(arguments.client.json, &response.entry.unwrap_or_default())?;
        left -= 1;
    }
    Ok(())
}

/// A server that goes down says so; to whoever watches that is the stream's end.
fn ended(status: tonic::Status) -> Result<Option<proto::SubscribeResponse>, Failure> {
    let down = status.get_details_error_info().is_some_and(|info| info.reason == "ShuttingDown");
    if down { Ok(None) } else { Err(status.into()) }
}

fn show(as_json: bool, entry: &proto::Entry) -> anyhow::Result<()> {
    let sheet = entry.sheet.clone().unwrap_or_default();
    let header = proto::SheetHeader::decode(sheet.header.clone()).unwrap_or_default();
    let signers: Vec<String> = header.signers.iter().map(hex::encode).collect();
    let name = |bytes: &bytes::Bytes| wire::decode_event(bytes).map_or("undecodable", |event| event.name());
    let events: Vec<&str> = sheet.events.iter().map(name).collect();
    let value = json!({
        "index": entry.index,
        "recorded_at": time(entry.recorded_at_ms),
        "sheet_id": hex::encode(&header.sheet_id),
        "signers": signers,
        "events": events,
    });
    emit(as_json, &value, || {
        let mut counted: Vec<(&str, usize)> = Vec::new();
        for event in &events {
            match counted.iter_mut().find(|(name, _)| name == event) {
                Some((_, count)) => *count += 1,
                None => counted.push((event, 1)),
            }
        }
        let what: Vec<String> = counted.iter().map(|(name, count)| format!("{count} x {name}")).collect();
        let signers: Vec<String> = header.signers.iter().map(|signer| short(signer)).collect();
        let (at, what, signers) = (zone::local(entry.recorded_at_ms), what.join(", "), signers.join(", "));
        format!("{:>6}  {at}  {what}  by {signers}", entry.index)
    })
}
