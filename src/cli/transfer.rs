//! `timebank transfer`

use super::{
    arguments::{minutes_of_hours, whole_minutes},
    client::ClientArguments,
    offline::{More, OfflineArguments, Session},
    output::usage,
    who::AccountName,
};
use crate::format::proto::{self, event::Kind};

/// Give minutes from one account to another, or to several at once: all or none.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank transfer --from 91ab2c3d --to 77de01f4 --minutes 60 --key alice.key
  timebank transfer --from V001 --to V002 --to V003 --hours 1.5 --key alice.key
  timebank transfer --from V001 --to V002 --hours 1 --key alice.key --to-file gift.sheet")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// Who gives; has to sign.
    #[arg(long, value_name = "ACCOUNT")]
    from: AccountName,
    /// Who receives; may be given several times.
    #[arg(long, required = true, value_name = "ACCOUNT")]
    to: Vec<AccountName>,
    /// How many minutes each receives.
    #[arg(long, value_parser = whole_minutes, allow_hyphen_values = true, conflicts_with = "hours")]
    minutes: Option<i64>,
    /// How many hours each receives: 2, 2.5 or 2:30.
    #[arg(long, value_parser = minutes_of_hours, allow_hyphen_values = true)]
    hours: Option<i64>,
    #[command(flatten)]
    offline: OfflineArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let minutes = arguments.minutes.or(arguments.hours).ok_or_else(|| usage("give --minutes or --hours"))?;
    let mut session = Session::begin(&arguments.client, &arguments.offline).await?;
    let from = session.account("--from", &arguments.from).await?;
    let mut events = Vec::with_capacity(arguments.to.len());
    for to in &arguments.to {
        let to = session.account("--to", to).await?;
        let (from, to) = (from.0.to_vec().into(), to.0.to_vec().into());
        events.push(Kind::MinutesTransferred(proto::MinutesTransferred { from, to, minutes }));
    }
    session.end(events, &More::default()).await
}
