//! `timebank station`

use super::{account, client::ClientArguments};
use crate::format::proto;

/// Open and list volunteer stations.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank region define leeds
  timebank station open --region leeds
  timebank station list")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Open a station.
    Open {
        /// Its region, defined before with `timebank region define`.
        #[arg(long)]
        region: String,
    },
    /// List all stations.
    List,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let kind = proto::AccountKind::Station;
    match arguments.action {
        Action::Open { region } => account::open(&arguments.client, kind, Some(region), None, None).await,
        Action::List => account::list(&arguments.client, Some(kind), None).await,
    }
}
