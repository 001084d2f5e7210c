//! A service as `record` states it whole, and `correct` in what changes.

use super::{
    arguments::{RoundingName, minutes_of_hours, offset, whole_minutes},
    moment::{Moment, TypedDate, TypedTime},
    offline::Session,
    output::usage,
    who::AccountName,
    zone,
};
use crate::{
    ledger::{self, Code, Millis, Minutes, Policy, Rounding, Served},
    proto::{self, service},
};

/// A service. What a correction doesn't name stays as it was.
#[derive(Debug, clap::Args)]
pub(crate) struct ServiceArguments {
    /// Account that is credited.
    #[arg(long, value_name = "ACCOUNT")]
    volunteer: Option<AccountName>,
    /// Station that organised the service.
    #[arg(long, value_name = "ACCOUNT")]
    station: Option<AccountName>,
    /// Account that pays; none: the ledger issues the minutes, as it does where a record names nobody.
    #[arg(long, value_name = "ACCOUNT")]
    payer: Option<AccountName>,
    /// Category code [default: general].
    #[arg(long)]
    category: Option<String>,
    /// Activity code; none: without one.
    #[arg(long)]
    activity: Option<String>,
    /// When it began; without an offset: local time.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["date", "minutes", "hours", "offset"], allow_hyphen_values = true)]
    start: Option<TypedTime>,
    /// When it ended; a clock time alone is on the day of the start.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["date", "minutes", "hours", "offset"], allow_hyphen_values = true)]
    end: Option<TypedTime>,
    /// Date of a service whose clock times nobody wrote down.
    #[arg(long, allow_hyphen_values = true)]
    date: Option<TypedDate>,
    /// Minutes served on that date.
    #[arg(long, value_parser = whole_minutes, conflicts_with = "hours", allow_hyphen_values = true)]
    minutes: Option<i64>,
    /// Hours served on that date: 2, 2.5 or 2:30.
    #[arg(long, value_parser = minutes_of_hours, allow_hyphen_values = true)]
    hours: Option<i64>,
    /// Offset of local time from UTC on that date, as +08:00 [default: that of the zone on that date].
    #[arg(long, value_parser = offset, requires = "date", allow_hyphen_values = true)]
    offset: Option<i32>,
    /// How time becomes minutes [default: exact].
    #[arg(long, value_enum)]
    rounding: Option<RoundingName>,
    /// Minutes to credit [default: as the ledger's policy says].
    #[arg(long, value_name = "MINUTES", value_parser = whole_minutes, allow_hyphen_values = true)]
    credited: Option<i64>,
    /// The volunteer was insured; =false: was not.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    insured: Option<bool>,
    /// Brought over from an older system (operators only; exempt from the age limit).
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    imported: Option<bool>,
}

/// When a service was, as far as it was stated.
pub(crate) enum Stated {
    Nothing,
    /// A whole interval.
    Interval(Moment, Moment),
    /// One end of an interval, to be read beside the other.
    Start,
    End,
    /// A date, minutes or both; the date with its offset.
    Date(Option<(i32, i32)>, Option<i64>),
}

impl ServiceArguments {
    /// Reads the times, before anybody is asked anything.
    pub(crate) fn read(&self) -> anyhow::Result<Stated> {
        let minutes = self.minutes.or(self.hours);
        let date = self.date.as_ref().map(|date| date.read("--date", self.offset)).transpose()?;
        let date = date.map(|(days, offset)| (days, self.offset.unwrap_or(offset)));
        Ok(match (&self.start, &self.end) {
            (Some(start), Some(end)) => {
                let (start, end) = TypedTime::interval(start, end)?;
                Stated::Interval(start, end)
            }
            (Some(_), None) => Stated::Start,
            (None, Some(_)) => Stated::End,
            (None, None) if date.is_none() && minutes.is_none() => Stated::Nothing,
            (None, None) => Stated::Date(date, minutes),
        })
    }

    /// The whole service: what is stated, over what `before` says, if there is a version before this one.
    pub(crate) async fn service(
        &self,
        stated: Stated,
        before: Option<&proto::Service>,
        session: &mut Session<'_>,
    ) -> anyhow::Result<proto::Service> {
        let mut service = before
            .cloned()
            .unwrap_or_else(|| proto::Service { category: "general".to_owned(), ..proto::Service::default() });
        if let Some(id) = session.optional("--volunteer", self.volunteer.as_ref()).await? {
            service.volunteer = id.0.to_vec().into();
        }
        if let Some(id) = session.optional("--station", self.station.as_ref()).await? {
            service.station = id.0.to_vec().into();
        }
        match &self.payer {
            Some(payer) if payer.is_none() => service.payer = bytes::Bytes::new(),
            Some(payer) => service.payer = session.account("--payer", payer).await?.0.to_vec().into(),
            None => {}
        }
        service.category = self.category.clone().unwrap_or(service.category);
        service.activity = match self.activity.as_deref() {
            Some("none") => String::new(),
            Some(activity) => activity.to_owned(),
            None => service.activity,
        };
        service.rounding = self.rounding.map_or(service.rounding, |rounding| i32::from(rounding.message()));
        service.insured = self.insured.unwrap_or(service.insured);
        service.imported = self.imported.unwrap_or(service.imported);
        let (served, utc_offset_seconds) = self.served(stated, before)?;
        (service.served, service.utc_offset_seconds) = (Some(served), utc_offset_seconds);
        service.credited_minutes = match self.credited {
            Some(minutes) => minutes,
            None => credit(&session.policy, &service, &served)?,
        };
        Ok(service)
    }

    fn served(&self, stated: Stated, before: Option<&proto::Service>) -> anyhow::Result<(service::Served, i32)> {
        let interval = |start: Moment, end: Moment| {
            let interval = proto::Interval { start_ms: start.ms, end_ms: end.ms };
            (service::Served::Interval(interval), start.offset_seconds)
        };
        let then = before.and_then(|before| Some((before.served?, before.utc_offset_seconds)));
        match (stated, then) {
            (Stated::Nothing, Some(then)) => Ok(then),
            (Stated::Interval(start, end), _) => Ok(interval(start, end)),
            (Stated::Start | Stated::End, Some((service::Served::Interval(then), offset))) => {
                let (start, end) =
                    TypedTime::changed((self.start.as_ref(), self.end.as_ref()), (then.start_ms, then.end_ms), offset)?;
                Ok(interval(start, end))
            }
            (Stated::Start, _) => Err(usage("--start: give --end with it")),
            (Stated::End, _) => Err(usage("--end: give --start with it")),
            (Stated::Date(Some((date, offset)), Some(minutes)), _) => {
                Ok((service::Served::OnDate(proto::ServedOnDate { date, minutes }), offset))
            }
            (Stated::Date(date, minutes), Some((service::Served::OnDate(then), offset))) => {
                let (date, offset) = date.unwrap_or((then.date, offset));
                let served = proto::ServedOnDate { date, minutes: minutes.unwrap_or(then.minutes) };
                Ok((service::Served::OnDate(served), offset))
            }
            (Stated::Date(Some(_), None), _) => Err(usage("--date: give --minutes or --hours with it")),
            (Stated::Date(None, _), _) => Err(usage("--minutes, --hours: give the --date with them")),
            (Stated::Nothing, None) => {
                Err(usage("when was it? Give --start and --end, or --date with --minutes or --hours"))
            }
        }
    }

    /// What has to be named where nobody can be asked what the record says now.
    pub(crate) fn lacking(&self) -> Vec<&'static str> {
        let named = [
            ("--volunteer", self.volunteer.is_some()),
            ("--station", self.station.is_some()),
            ("--payer (or --payer none)", self.payer.is_some()),
            ("--category", self.category.is_some()),
            ("--activity (or --activity none)", self.activity.is_some()),
            ("--rounding", self.rounding.is_some()),
            ("--insured=true or =false", self.insured.is_some()),
            ("--imported=true or =false", self.imported.is_some()),
        ];
        named.into_iter().filter(|(_, is_named)| !is_named).map(|(name, _)| name).collect()
    }
}

/// What the ledger will compute. Where it would refuse, it is left to say so itself.
fn credit(policy: &Policy, service: &proto::Service, served: &service::Served) -> anyhow::Result<i64> {
    let category =
        Code::new(&service.category, 32).ok_or_else(|| usage("--category: expected 1 to 32 of A-Z a-z 0-9 . _ -"))?;
    let served = match served {
        service::Served::Interval(interval) => {
            Served::Interval { start: Millis(interval.start_ms), end: Millis(interval.end_ms) }
        }
        service::Served::OnDate(on_date) => {
            Served::OnDate { date: on_date.date, minutes: Minutes::new(on_date.minutes) }
        }
    };
    let rounding = match proto::Rounding::try_from(service.rounding) {
        Ok(proto::Rounding::Down) => Rounding::Down,
        Ok(proto::Rounding::Nearest) => Rounding::Nearest,
        Ok(proto::Rounding::Up) => Rounding::Up,
        Ok(proto::Rounding::Unspecified) | Err(_) => Rounding::Exact,
    };
    match ledger::credited_minutes(policy, &category, &served, rounding) {
        Ok(minutes) | Err(ledger::Rejection::MinutesNotPositive { minutes }) => Ok(minutes.get()),
        Err(rejection) => Err(usage(format!("--rounding: {rejection}. {}", rejection.remedy()))),
    }
}

/// When a service was, in words, at its own offset.
pub(crate) fn when(service: &proto::Service) -> String {
    match service.served {
        Some(service::Served::Interval(interval)) => {
            zone::interval_at_offset(interval.start_ms, interval.end_ms, service.utc_offset_seconds)
        }
        Some(service::Served::OnDate(on_date)) => {
            format!("{} ({})", zone::date_of_days(on_date.date), Minutes::new(on_date.minutes))
        }
        None => String::new(),
    }
}
