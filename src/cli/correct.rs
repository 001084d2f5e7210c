//! `timebank correct`

use serde_json::json;

use super::{
    arguments::{Reason, event_ref},
    call::answer,
    client::ClientArguments,
    moment::TIMES_HELP,
    offline::{More, OfflineArguments, Session},
    output::{amount, note, nothing_recorded, usage},
    service::ServiceArguments,
    who::Who,
};
use crate::{
    access::when::when,
    format::{
        proto::{self, event::Kind},
        wire,
    },
    ledger::{EventRef, Language},
    people::calendar,
};

/// Correct a record, or take it back. Nothing is edited: both versions stay in the log.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  timebank correct service 17.0 --hours 2             all else stays as it is
  timebank correct service 17.0 --end 11:30 --category garden
  timebank correct reverse 17.0 --reason duplicate

{TIMES_HELP}"))]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// State what should have been recorded; what isn't named stays as it is.
    #[command(mut_arg("to_file", |arg| arg.visible_alias("to")), after_help = TIMES_HELP)]
    Service {
        /// The record, or any version of it; receipts and histories show its place.
        #[arg(value_name = "INDEX.EVENT", value_parser = event_ref)]
        record: EventRef,
        /// Why the record is not right.
        #[arg(long, value_enum, default_value = "entry-error")]
        reason: Reason,
        #[command(flatten)]
        service: Box<ServiceArguments>,
        #[command(flatten)]
        offline: OfflineArguments,
    },
    /// Take a record back for good.
    #[command(mut_arg("to_file", |arg| arg.visible_alias("to")))]
    Reverse {
        /// The record, or any version of it; receipts and histories show its place.
        #[arg(value_name = "INDEX.EVENT", value_parser = event_ref)]
        record: EventRef,
        /// Why the record is not right.
        #[arg(long, value_enum)]
        reason: Reason,
        #[command(flatten)]
        offline: OfflineArguments,
    },
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.action {
        Action::Service { record, reason, service, offline } => {
            correct(&arguments.client, &offline, (record, reason), &service).await
        }
        Action::Reverse { record, reason, offline } => {
            let mut session = Session::begin(&arguments.client, &offline).await?;
            let known = known(&mut session, record).await.map_err(nothing_recorded)?;
            let (record, reason) = (original(known.as_ref(), record), i32::from(reason.message()));
            let more = known.map_or_else(More::default, |known| taken_back(&known, session.who()));
            session.end(vec![Kind::ServiceReversed(proto::ServiceReversed { record, reason })], &more).await
        }
    }
}

async fn correct(
    client: &ClientArguments,
    offline: &OfflineArguments,
    (record, reason): (EventRef, Reason),
    arguments: &ServiceArguments,
) -> anyhow::Result<()> {
    arguments.check_times()?;
    let mut session = Session::begin(client, offline).await?;
    let known = known(&mut session, record).await.map_err(nothing_recorded)?;
    let lacking = arguments.lacking();
    if known.is_none() && !lacking.is_empty() {
        return Err(usage(format!(
            "--to-file: without a server nobody knows what record {record} says now, so name all of it: {} as well",
            lacking.join(", ")
        )));
    }
    let before = known.as_ref().and_then(|known| known.service.as_ref());
    let service = arguments.service(before, &mut session).await.map_err(nothing_recorded)?;
    let more = before.map_or_else(More::default, |before| changes(before, &service, session.who()));
    let event = proto::ServiceCorrected {
        record: original(known.as_ref(), record),
        reason: i32::from(reason.message()),
        service: Some(service),
    };
    session.end(vec![Kind::ServiceCorrected(event)], &more).await
}

/// The record as it stands now; nothing without a server, or of what stands in no log yet.
async fn known(session: &mut Session<'_>, record: EventRef) -> anyhow::Result<Option<proto::Record>> {
    let Some(client) = session.client() else { return Ok(None) };
    let request = proto::GetRecordRequest { event: Some(wire::event_ref_message(record)), min_index: 0 };
    let found = answer(client.get_record(request)).await?.record;
    let at = found.as_ref().and_then(|found| found.record).filter(|at| *at != wire::event_ref_message(record));
    if let Some(at) = at {
        note(&format!(
            "{record} is a later version of record {}.{}, which is the one that is meant",
            at.index, at.event
        ));
    }
    Ok(found)
}

/// What a correction names: the original, whatever corrected it since.
fn original(known: Option<&proto::Record>, record: EventRef) -> Option<proto::EventRef> {
    known.and_then(|known| known.record).or_else(|| Some(wire::event_ref_message(record)))
}

fn taken_back(known: &proto::Record, who: &Who) -> More {
    let Some(service) = &known.service else { return More::default() };
    let text = format!(
        "\ntaken back: {} of {} by {}",
        amount(service.credited_minutes),
        when(service, Language::English),
        who.label(&service.volunteer)
    );
    More { text, value: None }
}

/// A field's name and value, before and after.
type Changed = ((&'static str, String), (&'static str, String));

/// What a correction changes, field by field.
fn changes(before: &proto::Service, after: &proto::Service, who: &Who) -> More {
    let account = |id: &bytes::Bytes| if id.is_empty() { "none".to_owned() } else { who.label(id) };
    let word = |code: &str| if code.is_empty() { "none".to_owned() } else { code.to_owned() };
    let rounding = |value: i32| match proto::Rounding::try_from(value) {
        Ok(proto::Rounding::Down) => "down",
        Ok(proto::Rounding::Nearest) => "nearest",
        Ok(proto::Rounding::Up) => "up",
        Ok(proto::Rounding::Unspecified) | Err(_) => "exact",
    };
    let rows = |service: &proto::Service| {
        [
            ("volunteer", account(&service.volunteer)),
            ("station", account(&service.station)),
            ("payer", account(&service.payer)),
            ("category", word(&service.category)),
            ("activity", word(&service.activity)),
            ("served", when(service, Language::English)),
            ("offset", calendar::offset_name(service.utc_offset_seconds)),
            ("rounding", rounding(service.rounding).to_owned()),
            ("credited", amount(service.credited_minutes)),
            ("insured", service.insured.to_string()),
            ("imported", service.imported.to_string()),
        ]
    };
    let both = rows(before).into_iter().zip(rows(after));
    let changed: Vec<Changed> = both.filter(|((_, before), (_, after))| before != after).collect();
    let line = |((name, before), (_, after)): &Changed| format!("\n{name:<10} {before} -> {after}");
    let text = changed.iter().map(line).collect::<Vec<_>>().concat();
    let value =
        changed.iter().map(|((name, before), (_, after))| json!({ "field": name, "before": before, "after": after }));
    More { text, value: Some(("changes", value.collect())) }
}
