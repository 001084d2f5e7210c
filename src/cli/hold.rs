//! `timebank hold`

use serde_json::json;

use super::{
    arguments::{event_ref, minutes_of_hours, whole_minutes},
    call::answer,
    client::ClientArguments,
    moment::{TIMES_HELP, TypedTime},
    offline::{More, OfflineArguments, Session},
    output::{emit, hours, table, time, usage},
    who::{AccountName, Who},
    zone,
};
use crate::{
    access::history::place,
    access::names::head,
    format::{
        proto::{self, event::Kind},
        wire,
    },
    ledger::{AccountId, EventRef},
};

/// Reserve minutes for a booked service, set them free, and list what is reserved.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  timebank hold place --payer V001 --station 6f0c11ab --hours 2 --expires 2026-04-01 --key a.key
  timebank record --hold 23.0 ...                     the service took place: settles the hold
  timebank hold release 23.0 --key a.key              it did not
  timebank hold list --payer V001

{TIMES_HELP}"))]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Reserve minutes of a payer, signed by the payer.
    #[command(mut_arg("to_file", |arg| arg.visible_alias("to")), after_help = TIMES_HELP)]
    Place {
        /// Whose minutes.
        #[arg(long, value_name = "ACCOUNT")]
        payer: AccountName,
        /// With which station.
        #[arg(long, value_name = "ACCOUNT")]
        station: AccountName,
        /// How many minutes.
        #[arg(long, value_parser = whole_minutes, allow_hyphen_values = true, conflicts_with = "hours")]
        minutes: Option<i64>,
        /// How many hours: 2, 2.5 or 2:30.
        #[arg(long, value_parser = minutes_of_hours, allow_hyphen_values = true)]
        hours: Option<i64>,
        /// Until when the service has to be recorded; a date: until the end of that day.
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        expires: TypedTime,
        #[command(flatten)]
        offline: OfflineArguments,
    },
    /// Set reserved minutes free, by payer or station.
    #[command(mut_arg("to_file", |arg| arg.visible_alias("to")))]
    Release {
        /// The hold.
        #[arg(value_name = "INDEX.EVENT", value_parser = event_ref)]
        hold: EventRef,
        #[command(flatten)]
        offline: OfflineArguments,
    },
    /// List open holds.
    List {
        /// Only of this payer.
        #[arg(long, value_name = "ACCOUNT")]
        payer: Option<AccountName>,
        /// Only with this station.
        #[arg(long, value_name = "ACCOUNT")]
        station: Option<AccountName>,
    },
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = &arguments.client;
    match arguments.action {
        Action::Place { payer, station, minutes, hours, expires, offline } => {
            let minutes = minutes.or(hours).ok_or_else(|| usage("give --minutes or --hours"))?;
            let expires = expires.ends("--expires")?;
            let mut session = Session::begin(client, &offline).await?;
            let payer = session.account("--payer", &payer).await?;
            let station = session.account("--station", &station).await?;
            let event = proto::HoldPlaced {
                payer: payer.0.to_vec().into(),
                station: station.0.to_vec().into(),
                minutes,
                expires_at_ms: expires.ms,
            };
            let reserved = if session.client().is_some() { "reserved" } else { "to be reserved" };
            let until = format!("\n{reserved} until {}", zone::local(expires.ms));
            session.end(vec![Kind::HoldPlaced(event)], &More { text: until, value: None }).await
        }
        Action::Release { hold, offline } => {
            let event = proto::HoldReleased { hold: Some(wire::event_ref_message(hold)) };
            let session = Session::begin(client, &offline).await?;
            session.end(vec![Kind::HoldReleased(event)], &More::default()).await
        }
        Action::List { payer, station } => list(client, payer, station).await,
    }
}

async fn list(
    arguments: &ClientArguments,
    payer: Option<AccountName>,
    station: Option<AccountName>,
) -> anyhow::Result<()> {
    let mut client = arguments.connect().await?;
    let mut who = arguments.who(&client).await?;
    let payer = who.optional("--payer", payer.as_ref()).await?;
    let station = who.optional("--station", station.as_ref()).await?;
    let id = |account: Option<AccountId>| account.map(|account| account.0.to_vec().into()).unwrap_or_default();
    let (mut holds, mut cursor) = (Vec::new(), String::new());
    loop {
        let (payer, station) = (id(payer), id(station));
        let request = proto::ListHoldsRequest { payer, station, page_size: 1_000, cursor, min_index: 0 };
        let page = answer(client.list_holds(request)).await?;
        holds.extend(page.holds);
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    let hold_json = |hold: &proto::Hold| {
        json!({
            "hold": place(hold.hold),
            "payer": hex::encode(&hold.payer),
            "station": hex::encode(&hold.station),
            "minutes": hold.minutes,
            "expires_at": time(hold.expires_at_ms),
        })
    };
    let value = json!({ "holds": holds.iter().map(hold_json).collect::<Vec<_>>() });
    emit(arguments.json, &value, || holds_table(&holds, &who))
}

fn holds_table(holds: &[proto::Hold], who: &Who) -> String {
    let row = |hold: &proto::Hold| {
        let (payer, station) = (who.label(&hold.payer), who.label(&hold.station));
        vec![place(hold.hold), payer, station, hours(hold.minutes), zone::local_in_two_lines(hold.expires_at_ms)]
    };
    table(&[head::HOLD, head::PAYER, head::STATION, head::RESERVED, head::EXPIRES], &[3], holds.iter().map(row))
}
