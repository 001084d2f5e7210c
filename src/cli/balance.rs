//! `timebank balance`

use serde_json::json;

use super::{
    call::answer,
    client::ClientArguments,
    language::language,
    moment::{TIMES_HELP, TypedTime},
    output::{emit, hours},
    who::AccountName,
};
use crate::{
    access::words,
    format::proto::{self, get_balance_request::AsOf},
};

/// Show an account's balance, now or as of an entry or a time.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  timebank balance V001
  timebank balance 91ab2c3d --at-time 2025-12-31
  timebank balance 91ab2c3d --at-index 17 --json

{TIMES_HELP}"))]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// The account: its id, 6 or more of its first digits, or what an import calls it.
    account: AccountName,
    /// As of this log entry.
    #[arg(long, conflicts_with = "at_time")]
    at_index: Option<u64>,
    /// As of this time; a date means the end of that day.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at_time: Option<TypedTime>,
    /// Wait until this entry is reflected, up to 5 s.
    #[arg(long, default_value_t = 0)]
    min_index: u64,
}

/// The last moment that is looked at: the ledger takes it in, and a day's end is the next day's.
fn at_time(time: &TypedTime) -> anyhow::Result<AsOf> {
    Ok(AsOf::AtTimeMs(time.last("--at-time")?.ms))
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut client = arguments.client.connect().await?;
    let account = arguments.client.who(&client).await?.account("ACCOUNT", &arguments.account).await?;
    let at_time = arguments.at_time.as_ref().map(at_time).transpose()?;
    let as_of = arguments.at_index.map(AsOf::AtIndex).or(at_time);
    let request =
        proto::GetBalanceRequest { account: account.0.to_vec().into(), min_index: arguments.min_index, as_of };
    let balance = answer(client.get_balance(request)).await?;
    let value = json!({
        "account": account.to_string(),
        "balance_minutes": balance.balance_minutes,
        "held_minutes": balance.held_minutes,
        "available_minutes": balance.available_minutes,
        "reflected_index": balance.reflected_index,
    });
    emit(arguments.client.json, &value, || {
        let (language, index) = (language(), balance.reflected_index);
        let available = balance.available_minutes.map_or_else(String::new, |minutes| {
            let minutes = hours(minutes);
            words!(language, ", available {minutes}", "，可用 {minutes}")
        });
        let (all, held) = (hours(balance.balance_minutes), hours(balance.held_minutes));
        words!(
            language,
            "balance {all}, reserved {held}{available} (as of entry {index})",
            "余额 {all}，预约 {held}{available}（截至第 {index} 条）"
        )
    })
}
