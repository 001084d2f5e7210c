//! `timebank balance`

use serde_json::json;

use super::{
    arguments::{Moment, account_id},
    client::ClientArguments,
    output::{Failure, emit, hours},
};
use crate::{
    ledger::AccountId,
    proto::{self, get_balance_request::AsOf},
};

/// Show an account's balance, now or as of an entry or a time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank balance 91ab...
  timebank balance 91ab... --at-time 2026-01-01T00:00Z
  timebank balance 91ab... --at-index 17 --json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// The account.
    #[arg(value_parser = account_id)]
    account: AccountId,
    /// As of this log entry.
    #[arg(long, conflicts_with = "at_time")]
    at_index: Option<u64>,
    /// As of this time.
    #[arg(long, value_name = "TIME")]
    at_time: Option<Moment>,
    /// Wait until this entry is reflected.
    #[arg(long, default_value_t = 0)]
    min_index: u64,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut client = arguments.client.connect().await?;
    let as_of = arguments.at_index.map(AsOf::AtIndex).or(arguments.at_time.map(|time| AsOf::AtTimeMs(time.ms)));
    let request = proto::GetBalanceRequest {
        account: arguments.account.0.to_vec().into(),
        min_index: arguments.min_index,
        as_of,
    };
    let balance = client.get_balance(request).await.map_err(Failure::from)?.into_inner();
    let value = json!({
        "account": arguments.account.to_string(),
        "balance_minutes": balance.balance_minutes,
        "held_minutes": balance.held_minutes,
        "available_minutes": balance.available_minutes,
        "reflected_index": balance.reflected_index,
    });
    emit(arguments.client.json, &value, || {
        let available =
            balance.available_minutes.map_or_else(String::new, |minutes| format!(", available {}", hours(minutes)));
        let (all, held) = (hours(balance.balance_minutes), hours(balance.held_minutes));
        format!("balance {all}, reserved {held}{available} (as of entry {})", balance.reflected_index)
    })
}
