//! `timebank region`

use serde_json::json;

use super::{
    call::answer,
    client::ClientArguments,
    offline::{More, Session},
    output::{emit, table},
};
use crate::{
    access::names::head,
    format::proto::{self, event::Kind},
};

/// Define and list regions: district > street or town > community or village.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank region define leeds
  timebank region define leeds.headingley --parent leeds
  timebank region list")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Define a region.
    Define {
        /// Its code: 1 to 32 of A-Z a-z 0-9 . _ -
        code: String,
        /// The region that it lies in.
        #[arg(long)]
        parent: Option<String>,
    },
    /// List all regions.
    List,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.action {
        Action::Define { code, parent } => {
            let event = proto::RegionDefined { code, parent: parent.unwrap_or_default() };
            let session = Session::online(&arguments.client).await?;
            session.end(vec![Kind::RegionDefined(event)], &More::default()).await
        }
        Action::List => {
            let mut client = arguments.client.connect().await?;
            let response = answer(client.list_regions(proto::ListRegionsRequest {})).await?;
            let rows = || response.regions.iter();
            let value = json!({
                "regions": rows().map(|region| json!({"code": region.code, "parent": region.parent})).collect::<Vec<_>>(),
                "reflected_index": response.reflected_index,
            });
            emit(arguments.client.json, &value, || {
                table(
                    &[head::REGION, head::IN],
                    &[],
                    rows().map(|region| vec![region.code.clone(), region.parent.clone()]),
                )
            })
        }
    }
}
