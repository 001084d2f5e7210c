//! `timebank history`

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};

use super::{
    call::answer,
    client::ClientArguments,
    language::language,
    moment::{TIMES_HELP, TypedTime},
    output::{emit, hours, table, time, usage},
    who::{AccountName, Who},
    zone,
};
use crate::{
    access::{
        history::{Reading, place, what},
        names::{self, head},
        words,
    },
    format::{proto, wire},
    ledger::{EventKind, Language},
    people::calendar,
};

/// Show an account's history with running balance.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  timebank history V001                               the newest 50 changes
  timebank history 91ab2c3d --oldest-first --all
  timebank history 91ab2c3d --kind minutes-transferred --from 2026-01-01 --until 2026-01-31
  timebank history 91ab2c3d --json --cursor CURSOR    the next page

{TIMES_HELP}"))]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// The account: its id, 6 or more of its first digits, or what an import calls it.
    account: AccountName,
    /// Oldest first.
    #[arg(long)]
    oldest_first: bool,
    /// Rows of a page, 1 to 200.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    page_size: u32,
    /// Where the page before ended.
    #[arg(long, default_value = "")]
    cursor: String,
    /// All pages.
    #[arg(long)]
    all: bool,
    /// Only changes recorded at or after this time; a date: from its first moment on.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<TypedTime>,
    /// Only changes recorded before this time; a date: up to the end of that day.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<TypedTime>,
    /// Only this kind; may be given several times.
    #[arg(long, value_parser = kinds())]
    kind: Vec<EventKind>,
    /// As of this log entry.
    #[arg(long)]
    at_index: Option<u64>,
}

/// Kinds as arguments name them: `service-recorded`.
fn kinds() -> impl TypedValueParser<Value = EventKind> {
    let named = |kind: &EventKind| names::event_kind(*kind).get(Language::English).replace(' ', "-");
    let parser = PossibleValuesParser::new(EventKind::ALL.iter().map(named));
    parser.try_map(move |name| EventKind::ALL.into_iter().find(|kind| named(kind) == name).ok_or("no kind of event"))
}

/// As JSON has it, whatever the reader's language.
fn kind_name(kind: i32) -> &'static str {
    let kind = u8::try_from(kind).ok().and_then(EventKind::of_number);
    kind.map_or(names::UNKNOWN, names::event_kind).get(Language::English)
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (from_ms, until_ms) = period(arguments.from.as_ref(), arguments.until.as_ref())?;
    let mut client = arguments.client.connect().await?;
    let mut who = arguments.client.who(&client).await?;
    let account = who.account("ACCOUNT", &arguments.account).await?;
    let order = match (arguments.oldest_first, arguments.cursor.is_empty()) {
        (true, _) => proto::HistoryOrder::OldestFirst,
        (false, true) => proto::HistoryOrder::NewestFirst,
        // The cursor carries it.
        (false, false) => proto::HistoryOrder::Unspecified,
    };
    let mut request = proto::ListHistoryRequest {
        account: account.0.to_vec().into(),
        order: i32::from(order),
        page_size: arguments.page_size,
        cursor: arguments.cursor,
        from_ms,
        until_ms,
        kinds: arguments.kind.iter().map(|kind| i32::from(kind.number())).collect(),
        at_index: arguments.at_index,
        min_index: 0,
        details: true,
    };
    let mut rows = Vec::new();
    let (next_cursor, reflected_index) = loop {
        let page = answer(client.list_history(request.clone())).await?;
        rows.extend(page.rows);
        if !arguments.all || page.next_cursor.is_empty() {
            break (page.next_cursor, page.reflected_index);
        }
        request.cursor = page.next_cursor;
    };
    let value = json!({
        "account": account.to_string(),
        "rows": rows.iter().map(row_json).collect::<Vec<_>>(),
        "next_cursor": next_cursor,
        "reflected_index": reflected_index,
    });
    emit(arguments.client.json, &value, || {
        let text = rows_table(&rows, &account.0, &who);
        let more = if next_cursor.is_empty() {
            String::new()
        } else {
            words!(
                language(),
                "\nmore with --cursor {next_cursor}, or --all",
                "\n后面还有：--cursor {next_cursor}，或 --all"
            )
        };
        words!(language(), "{text}\nas of entry {reflected_index}{more}", "{text}\n截至第 {reflected_index} 条{more}")
    })
}

/// From when until when, as the server takes it; 0 for no bound.
fn period(from: Option<&TypedTime>, until: Option<&TypedTime>) -> anyhow::Result<(i64, i64)> {
    let from = from.map(|from| from.begins("--from")).transpose()?;
    let until = until.map(|until| until.ends("--until")).transpose()?;
    if until.is_some_and(|until| until.ms <= 0) {
        return Err(usage("--until: nothing was recorded before 1970"));
    }
    match (from, until) {
        (Some(from), Some(until)) if until.ms <= from.ms => {
            Err(usage(format!("--until: {} is not after --from, {}", zone::local(until.ms), zone::local(from.ms))))
        }
        (from, until) => Ok((from.map_or(0, |from| from.ms), until.map_or(0, |until| until.ms))),
    }
}

fn row_json(row: &proto::HistoryRow) -> Value {
    json!({
        "event": place(row.event),
        "recorded_at": time(row.recorded_at_ms),
        "kind": kind_name(row.kind),
        "counterparty": hex::encode(&row.counterparty),
        "minutes": row.minutes,
        "balance_after_minutes": row.balance_after_minutes,
        "held_after_minutes": row.held_after_minutes,
        "posting": row.posting,
        "details": row.details.as_ref().map(details_json),
    })
}

fn details_json(details: &proto::HistoryDetails) -> Value {
    let record = details.record.as_ref();
    json!({
        "record": record.map(|record| place(record.record)),
        "newest": record.map(|record| place(record.newest)),
        "reversed": record.map(|record| record.reversed),
        "reason": reason(details.reason),
        "service": details.service.as_ref().map(service_json),
        "service_now": record.and_then(|record| record.service.as_ref()).map(service_json),
        "hold": details.hold.map(|hold| place(Some(hold))),
        "hold_expires_at": details.hold.map(|_| time(details.hold_expires_at_ms)),
    })
}

/// A service: instants in UTC, and the record's own offset beside them.
fn service_json(service: &proto::Service) -> Value {
    let mut value = json!({
        "volunteer": hex::encode(&service.volunteer),
        "station": hex::encode(&service.station),
        "payer": hex::encode(&service.payer),
        "category": service.category,
        "activity": service.activity,
        "utc_offset": calendar::offset_name(service.utc_offset_seconds),
        "credited_minutes": service.credited_minutes,
        "insured": service.insured,
        "imported": service.imported,
    });
    match service.served {
        Some(proto::service::Served::Interval(interval)) => {
            (value["start"], value["end"]) = (json!(time(interval.start_ms)), json!(time(interval.end_ms)));
        }
        Some(proto::service::Served::OnDate(on_date)) => {
            value["date"] = json!(calendar::date_of_days(on_date.date));
            value["minutes"] = json!(on_date.minutes);
        }
        None => {}
    }
    value
}

fn reason(reason: i32) -> Option<&'static str> {
    wire::correction_reason(reason).map(|reason| names::correction_reason(reason).get(Language::English))
}

fn rows_table(rows: &[proto::HistoryRow], account: &[u8], who: &Who) -> String {
    // Most histories have nothing reserved; then the column tells nothing.
    let reserved = rows.iter().any(|row| row.held_after_minutes != 0);
    let (name, moment) = (|id: &[u8]| who.label(id), zone::local);
    let reading = Reading { language: language(), account, name: &name, moment: &moment };
    let cells = |row: &proto::HistoryRow| {
        let amount = if row.minutes == 0 { String::new() } else { hours(row.minutes) };
        let mut cells = vec![
            place(row.event),
            zone::local_in_two_lines(row.recorded_at_ms),
            what(row, &reading),
            amount,
            hours(row.balance_after_minutes),
        ];
        cells.extend(reserved.then(|| hours(row.held_after_minutes)));
        cells
    };
    let header = [head::EVENT, head::RECORDED, head::WHAT, head::CHANGE, head::BALANCE, head::RESERVED];
    table(&header[..header.len() - usize::from(!reserved)], &[3, 4, 5], rows.iter().map(cells))
}
