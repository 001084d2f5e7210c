//! `timebank correct`

use super::{
    arguments::{Reason, event_ref},
    client::{self, ClientArguments},
    record::ServiceArguments,
};
use crate::{
    ledger::EventRef,
    projection::event_ref_message,
    proto::{self, event::Kind},
};

/// Correct a record, or take it back. Nothing is edited: both versions stay in the log.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank correct service 17.0 --volunteer 91ab... --station 6f0c... --date 2026-03-01 --hours 2
  timebank correct reverse 17.0 --reason duplicate")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// State the whole service as it should have been recorded.
    Service {
        /// The original record.
        #[arg(value_name = "INDEX.EVENT", value_parser = event_ref)]
        record: EventRef,
        /// Why.
        #[arg(long, value_enum, default_value = "entry-error")]
        reason: Reason,
        #[command(flatten)]
        service: Box<ServiceArguments>,
    },
    /// Take a record back for good.
    Reverse {
        /// The original record.
        #[arg(value_name = "INDEX.EVENT", value_parser = event_ref)]
        record: EventRef,
        /// Why.
        #[arg(long, value_enum, default_value = "entry-error")]
        reason: Reason,
    },
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = &arguments.client;
    let event = match arguments.action {
        Action::Service { record, reason, service } => {
            let status = client::status(&mut client.connect().await?).await?;
            let service = service.message(&client::policy(&status))?;
            let (record, reason) = (Some(event_ref_message(record)), i32::from(reason.message()));
            Kind::ServiceCorrected(proto::ServiceCorrected { record, reason, service: Some(service) })
        }
        Action::Reverse { record, reason } => {
            let (record, reason) = (Some(event_ref_message(record)), i32::from(reason.message()));
            Kind::ServiceReversed(proto::ServiceReversed { record, reason })
        }
    };
    client.submit_and_print(vec![event]).await
}
