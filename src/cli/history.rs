//! `timebank history`

use serde_json::{Value, json};

use super::{
    arguments::{Moment, account_id},
    client::ClientArguments,
    output::{Failure, emit, hours, table, time},
};
use crate::{ledger::AccountId, proto};

/// Show an account's history with running balance.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank history 91ab...                            the newest 50 changes
  timebank history 91ab... --oldest-first --all
  timebank history 91ab... --kind minutes-transferred --from 2026-01-01T00:00Z
  timebank history 91ab... --json --cursor CURSOR     the next page")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// The account.
    #[arg(value_parser = account_id)]
    account: AccountId,
    /// Oldest first.
    #[arg(long)]
    oldest_first: bool,
    /// Rows of a page, up to 200.
    #[arg(long, default_value_t = 50)]
    page_size: u32,
    /// Where the page before ended.
    #[arg(long, default_value = "")]
    cursor: String,
    /// All pages.
    #[arg(long)]
    all: bool,
    /// Only changes recorded at or after this time.
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// Only changes recorded before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only this kind; may be given several times.
    #[arg(long, value_enum)]
    kind: Vec<Kinds>,
    /// As of this log entry.
    #[arg(long)]
    at_index: Option<u64>,
}

/// Kinds of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kinds {
    ServiceRecorded,
    ServiceCorrected,
    ServiceReversed,
    MinutesTransferred,
    HoldPlaced,
    HoldReleased,
    HoldExpired,
}

impl Kinds {
    const fn message(self) -> proto::EventKind {
        match self {
            Self::ServiceRecorded => proto::EventKind::ServiceRecorded,
            Self::ServiceCorrected => proto::EventKind::ServiceCorrected,
            Self::ServiceReversed => proto::EventKind::ServiceReversed,
            Self::MinutesTransferred => proto::EventKind::MinutesTransferred,
            Self::HoldPlaced => proto::EventKind::HoldPlaced,
            Self::HoldReleased => proto::EventKind::HoldReleased,
            Self::HoldExpired => proto::EventKind::HoldExpired,
        }
    }
}

fn kind_name(kind: i32) -> &'static str {
    match proto::EventKind::try_from(kind) {
        Ok(proto::EventKind::ServiceRecorded) => "service recorded",
        Ok(proto::EventKind::ServiceCorrected) => "service corrected",
        Ok(proto::EventKind::ServiceReversed) => "service reversed",
        Ok(proto::EventKind::MinutesTransferred) => "minutes transferred",
        Ok(proto::EventKind::HoldPlaced) => "hold placed",
        Ok(proto::EventKind::HoldReleased) => "hold released",
        Ok(proto::EventKind::HoldExpired) => "hold expired",
        Ok(proto::EventKind::Unspecified) | Err(_) => "unknown",
    }
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut client = arguments.client.connect().await?;
    let order =
        if arguments.oldest_first { proto::HistoryOrder::OldestFirst } else { proto::HistoryOrder::NewestFirst };
    let mut request = proto::ListHistoryRequest {
        account: arguments.account.0.to_vec().into(),
        order: i32::from(order),
        page_size: arguments.page_size,
        cursor: arguments.cursor,
        from_ms: arguments.from.map_or(0, |time| time.ms),
        until_ms: arguments.until.map_or(0, |time| time.ms),
        kinds: arguments.kind.iter().map(|kind| i32::from(kind.message())).collect(),
        at_index: arguments.at_index,
        min_index: 0,
    };
    let mut rows = Vec::new();
    let (next_cursor, reflected_index) = loop {
        let page = client.list_history(request.clone()).await.map_err(Failure::from)?.into_inner();
        rows.extend(page.rows);
        if !arguments.all || page.next_cursor.is_empty() {
            break (page.next_cursor, page.reflected_index);
        }
        request.cursor = page.next_cursor;
    };
    let value = json!({
        "account": arguments.account.to_string(),
        "rows": rows.iter().map(row_json).collect::<Vec<_>>(),
        "next_cursor": next_cursor,
        "reflected_index": reflected_index,
    });
    emit(arguments.client.json, &value, || {
        let text =
            table(&["event", "recorded", "what", "change", "balance", "reserved"], &[3, 4, 5], rows.iter().map(cells));
        let more = if next_cursor.is_empty() {
            String::new()
        } else {
            format!("\nmore with --cursor {next_cursor}, or --all")
        };
        format!("{text}\nas of entry {reflected_index}{more}")
    })
}

fn at(row: &proto::HistoryRow) -> String {
    row.event.map_or_else(String::new, |at| format!("{}.{}", at.index, at.event))
}

fn row_json(row: &proto::HistoryRow) -> Value {
    json!({
        "event": at(row),
        "recorded_at": time(row.recorded_at_ms),
        "kind": kind_name(row.kind),
        "counterparty": hex::encode(&row.counterparty),
        "minutes": row.minutes,
        "balance_after_minutes": row.balance_after_minutes,
        "held_after_minutes": row.held_after_minutes,
        "posting": row.posting,
    })
}

fn cells(row: &proto::HistoryRow) -> Vec<String> {
    vec![
        at(row),
        time(row.recorded_at_ms),
        kind_name(row.kind).to_owned(),
        hours(row.minutes),
        hours(row.balance_after_minutes),
        hours(row.held_after_minutes),
    ]
}
