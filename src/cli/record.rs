//! `timebank record`

use super::{
    arguments::event_ref,
    client::ClientArguments,
    moment::TIMES_HELP,
    offline::{More, OfflineArguments, Session},
    service::ServiceArguments,
};
use crate::{
    format::{
        proto::{self, event::Kind},
        wire,
    },
    ledger::EventRef,
};

/// Record a service: who helped, when, and for how much.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("to_file", |arg| arg.visible_alias("to")),
    mut_arg("volunteer", |arg| arg.required(true)),
    mut_arg("station", |arg| arg.required(true)),
    mut_arg("category", |arg| arg.help("Category code [default: general]")),
    mut_arg("rounding", |arg| arg.help("How time becomes minutes [default: exact]")),
    mut_arg("offset", |arg| {
        arg.help("Offset of local time from UTC on that date, as +08:00 [default: that of the zone on that date]")
    }),
    after_help = format!("\
Examples:
  timebank record --volunteer V001 --station 6f0c11ab --start \"yesterday 09:00\" --end 11:30
  timebank record --volunteer 91ab2c3d --station 6f0c11ab --date 2026-03-01 --hours 2.5
  timebank record --volunteer V001 --station s1 --date 2026-03-01 --hours 2 --to-file a.sheet
  timebank submit a.sheet                             later, when there is a network

{TIMES_HELP}")
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(flatten)]
    service: ServiceArguments,
    /// The hold that this service settles: INDEX.EVENT.
    #[arg(long, value_name = "INDEX.EVENT", value_parser = event_ref)]
    hold: Option<EventRef>,
    #[command(flatten)]
    offline: OfflineArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    arguments.service.read_times()?;
    let mut session = Session::begin(&arguments.client, &arguments.offline).await?;
    let service = arguments.service.service(None, &mut session).await?;
    let hold = arguments.hold.map(wire::event_ref_message);
    let event = Kind::ServiceRecorded(proto::ServiceRecorded { service: Some(service), hold });
    session.end(vec![event], &More::default()).await
}
