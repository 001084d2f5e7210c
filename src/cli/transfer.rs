//! `timebank transfer`

use super::{
    arguments::{account_id, minutes_of_hours},
    client::ClientArguments,
    output::usage,
};
use crate::{
    ledger::AccountId,
    proto::{self, event::Kind},
};

/// Give minutes from one account to another, or to several at once: all or none.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank transfer --from 91ab... --to 77de... --minutes 60 --key alice.key
  timebank transfer --from 91ab... --to 77de... --to 0c3f... --hours 1.5 --key alice.key")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// Who gives; has to sign.
    #[arg(long, value_parser = account_id)]
    from: AccountId,
    /// Who receives; may be given several times.
    #[arg(long, required = true, value_parser = account_id)]
    to: Vec<AccountId>,
    /// How many minutes each receives.
    #[arg(long, allow_negative_numbers = true, conflicts_with = "hours")]
    minutes: Option<i64>,
    /// How many hours each receives: 2, 2.5 or 2:30.
    #[arg(long, value_parser = minutes_of_hours, allow_hyphen_values = true)]
    hours: Option<i64>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let minutes = arguments.minutes.or(arguments.hours).ok_or_else(|| usage("give --minutes or --hours"))?;
    let event = |to: &AccountId| {
        Kind::MinutesTransferred(proto::MinutesTransferred {
            from: arguments.from.0.to_vec().into(),
            to: to.0.to_vec().into(),
            minutes,
        })
    };
    arguments.client.submit_and_print(arguments.to.iter().map(event).collect()).await
}
