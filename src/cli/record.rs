//! `timebank record`

use std::path::PathBuf;

use serde_json::json;

use super::{
    arguments::{Moment, RoundingName, account_id, date, event_ref, minutes_of_hours, offset},
    client::{self, ClientArguments},
    output::{emit, usage},
};
use crate::{
    ledger::{self, AccountId, Code, EventRef, Millis, Minutes, Policy, Served},
    projection::event_ref_message,
    proto::{self, event::Kind},
};

/// Record a service: who helped, when, and for how much.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank record --volunteer 91ab... --station 6f0c... --start 2026-03-01T09:00+00:00 --end 2026-03-01T11:30+00:00
  timebank record --volunteer 91ab... --station 6f0c... --date 2026-03-01 --hours 2.5
  timebank record --volunteer 91ab... --station 6f0c... --date 2026-03-01 --hours 2 --to monday.sheet
  timebank submit monday.sheet                        later, when there is a network")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(flatten)]
    service: ServiceArguments,
    /// The hold that this service settles: INDEX.EVENT.
    #[arg(long, value_name = "INDEX.EVENT", value_parser = event_ref)]
    hold: Option<EventRef>,
    /// Write the signed sheet to this file and submit nothing.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// A service, as `record` and `correct` take it.
#[derive(Debug, clap::Args)]
pub(crate) struct ServiceArguments {
    /// Account that is credited.
    #[arg(long, value_name = "ACCOUNT", value_parser = account_id)]
    volunteer: AccountId,
    /// Station that organised the service.
    #[arg(long, value_name = "ACCOUNT", value_parser = account_id)]
    station: AccountId,
    /// Account that pays [default: the ledger issues the minutes].
    #[arg(long, value_name = "ACCOUNT", value_parser = account_id)]
    payer: Option<AccountId>,
    /// Category code.
    #[arg(long, default_value = "general")]
    category: String,
    /// Activity code.
    #[arg(long, default_value = "")]
    activity: String,
    /// When it began; without an offset: local time.
    #[arg(long, value_name = "TIME", requires = "end", conflicts_with_all = ["date", "minutes", "hours"])]
    start: Option<Moment>,
    /// When it ended.
    #[arg(long, value_name = "TIME", requires = "start")]
    end: Option<Moment>,
    /// Date of a service whose clock times nobody wrote down.
    #[arg(long, value_parser = date, required_unless_present = "start")]
    date: Option<i32>,
    /// Minutes served on that date.
    #[arg(long, requires = "date", conflicts_with = "hours", allow_negative_numbers = true)]
    minutes: Option<i64>,
    /// Hours served on that date: 2, 2.5 or 2:30.
    #[arg(long, requires = "date", value_parser = minutes_of_hours, allow_hyphen_values = true)]
    hours: Option<i64>,
    /// Offset of local time from UTC on that date, as +08:00 [default: this machine's].
    #[arg(long, value_parser = offset, requires = "date", allow_hyphen_values = true)]
    offset: Option<i32>,
    /// How time becomes minutes.
    #[arg(long, value_enum, default_value = "exact")]
    rounding: RoundingName,
    /// Minutes to credit [default: as the ledger's policy says].
    #[arg(long, value_name = "MINUTES", allow_negative_numbers = true)]
    credited: Option<i64>,
    /// The volunteer was insured.
    #[arg(long)]
    insured: bool,
    /// Brought over from an older system (operators only; exempt from the age limit).
    #[arg(long)]
    imported: bool,
}

impl ServiceArguments {
    pub(crate) fn message(&self, policy: &Policy) -> anyhow::Result<proto::Service> {
        let (served, utc_offset_seconds) = self.served()?;
        let credited_minutes = match self.credited {
            Some(minutes) => minutes,
            None => self.credit(policy, &served)?,
        };
        Ok(proto::Service {
            volunteer: self.volunteer.0.to_vec().into(),
            station: self.station.0.to_vec().into(),
            payer: self.payer.map(|payer| payer.0.to_vec().into()).unwrap_or_default(),
            category: self.category.clone(),
            activity: self.activity.clone(),
            served: Some(served),
            utc_offset_seconds,
            credited_minutes,
            rounding: i32::from(self.rounding.message()),
            insured: self.insured,
            imported: self.imported,
        })
    }

    fn served(&self) -> anyhow::Result<(proto::service::Served, i32)> {
        if let (Some(start), Some(end)) = (self.start, self.end) {
            let interval = proto::Interval { start_ms: start.ms, end_ms: end.ms };
            return Ok((proto::service::Served::Interval(interval), start.offset_seconds));
        }
        let date = self.date.ok_or_else(|| usage("give --start and --end, or --date"))?;
        let minutes = self.minutes.or(self.hours).ok_or_else(|| usage("--date: give --minutes or --hours with it"))?;
        let here = || jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::system()).offset().seconds();
        let served = proto::ServedOnDate { date, minutes };
        Ok((proto::service::Served::OnDate(served), self.offset.unwrap_or_else(here)))
    }

    /// What the ledger will compute. Where it would refuse, it is left to say so itself.
    fn credit(&self, policy: &Policy, served: &proto::service::Served) -> anyhow::Result<i64> {
        let category =
            Code::new(&self.category, 32).ok_or_else(|| usage("--category: expected 1 to 32 of A-Z a-z 0-9 . _ -"))?;
        let served = match served {
            proto::service::Served::Interval(interval) => {
                Served::Interval { start: Millis(interval.start_ms), end: Millis(interval.end_ms) }
            }
            proto::service::Served::OnDate(on_date) => {
                Served::OnDate { date: on_date.date, minutes: Minutes::new(on_date.minutes) }
            }
        };
        match ledger::credited_minutes(policy, &category, &served, self.rounding.ledger()) {
            Ok(minutes) | Err(ledger::Rejection::MinutesNotPositive { minutes }) => Ok(minutes.get()),
            Err(rejection) => Err(usage(format!("{rejection}. {}", rejection.remedy()))),
        }
    }
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let hold = arguments.hold.map(event_ref_message);
    let event = |service| Kind::ServiceRecorded(proto::ServiceRecorded { service: Some(service), hold });
    let Some(path) = &arguments.to else {
        let status = client::status(&mut arguments.client.connect().await?).await?;
        let service = arguments.service.message(&client::policy(&status))?;
        return arguments.client.submit_and_print(vec![event(service)]).await;
    };
    let signers = arguments.client.signers()?;
    let service = arguments.service.message(&Policy::default())?;
    let sheet = signers.sign(&signers.origin_offline()?, vec![event(service)])?;
    client::write_sheet(path, &sheet)?;
    emit(arguments.client.json, &json!({ "file": path, "events": 1 }), || {
        format!("signed and written to {0}; submit it with `timebank submit {0}`", path.display())
    })
}
