//! `timebank hold`

use serde_json::json;

use super::{
    arguments::{Moment, account_id, event_ref},
    client::ClientArguments,
    output::{Failure, emit, hours, table, time},
};
use crate::{
    ledger::{AccountId, EventRef},
    projection::event_ref_message,
    proto::{self, event::Kind},
};

/// Reserve minutes for a booked service, set them free, and list what is reserved.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank hold place --payer 91ab... --station 6f0c... --minutes 120 --expires 2026-04-01T00:00Z --key alice.key
  timebank record --hold 23.0 ...                     the service took place: settles the hold
  timebank hold release 23.0 --key alice.key          it did not
  timebank hold list --payer 91ab...")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Reserve minutes of a payer, signed by the payer.
    Place {
        /// Whose minutes.
        #[arg(long, value_parser = account_id)]
        payer: AccountId,
        /// With which station.
        #[arg(long, value_parser = account_id)]
        station: AccountId,
        /// How many.
        #[arg(long, allow_negative_numbers = true)]
        minutes: i64,
        /// Until when the service has to be recorded.
        #[arg(long, value_name = "TIME")]
        expires: Moment,
    },
    /// Set reserved minutes free, by payer or station.
    Release {
        /// The hold.
        #[arg(value_name = "INDEX.EVENT", value_parser = event_ref)]
        hold: EventRef,
    },
    /// List open holds.
    List {
        /// Only of this payer.
        #[arg(long, value_parser = account_id)]
        payer: Option<AccountId>,
        /// Only with this station.
        #[arg(long, value_parser = account_id)]
        station: Option<AccountId>,
    },
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = &arguments.client;
    match arguments.action {
        Action::Place { payer, station, minutes, expires } => {
            let event = proto::HoldPlaced {
                payer: payer.0.to_vec().into(),
                station: station.0.to_vec().into(),
                minutes,
                expires_at_ms: expires.ms,
            };
            client.submit_and_print(vec![Kind::HoldPlaced(event)]).await
        }
        Action::Release { hold } => {
            let event = proto::HoldReleased { hold: Some(event_ref_message(hold)) };
            client.submit_and_print(vec![Kind::HoldReleased(event)]).await
        }
        Action::List { payer, station } => list(client, payer, station).await,
    }
}

async fn list(arguments: &ClientArguments, payer: Option<AccountId>, station: Option<AccountId>) -> anyhow::Result<()> {
    let mut client = arguments.connect().await?;
    let id = |account: Option<AccountId>| account.map(|account| account.0.to_vec().into()).unwrap_or_default();
    let (mut holds, mut cursor) = (Vec::new(), String::new());
    loop {
        let (payer, station) = (id(payer), id(station));
        let request = proto::ListHoldsRequest { payer, station, page_size: 1_000, cursor, min_index: 0 };
        let page = client.list_holds(request).await.map_err(Failure::from)?.into_inner();
        holds.extend(page.holds);
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    let at = |hold: &proto::Hold| hold.hold.map_or_else(String::new, |at| format!("{}.{}", at.index, at.event));
    let hold_json = |hold: &proto::Hold| {
        json!({
            "hold": at(hold),
            "payer": hex::encode(&hold.payer),
            "station": hex::encode(&hold.station),
            "minutes": hold.minutes,
            "expires_at": time(hold.expires_at_ms),
        })
    };
    let value = json!({ "holds": holds.iter().map(hold_json).collect::<Vec<_>>() });
    emit(arguments.json, &value, || {
        let row = |hold: &proto::Hold| {
            let (payer, station) = (hex::encode(&hold.payer), hex::encode(&hold.station));
            vec![at(hold), payer, station, hours(hold.minutes), time(hold.expires_at_ms)]
        };
        table(&["hold", "payer", "station", "reserved", "expires"], &[3], holds.iter().map(row))
    })
}
