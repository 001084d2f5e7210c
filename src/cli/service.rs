//! A service as `record` states it whole, and `correct` in what changes.

use super::{
    arguments::{RoundingName, minutes_of_hours, whole_minutes},
    moment::{TypedDate, TypedTime, day_begins},
    offline::Session,
    output::usage,
    who::AccountName,
    zone,
};
use crate::{
    format::proto::{self, service},
    ledger::{self, Code, Millis, Minutes, Policy, Rounding, Served},
    people::calendar::offset,
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
    /// Category code.
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
    /// Offset of local time from UTC on that date, as +08:00.
    #[arg(long, value_parser = offset, allow_hyphen_values = true)]
    offset: Option<i32>,
    /// How time becomes minutes.
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

impl ServiceArguments {
    /// Reads the times of a whole service, before anybody is asked anything.
    pub(crate) fn read_times(&self) -> anyhow::Result<()> {
        self.served(None).map(drop)
    }

    /// Whether the times of a correction are any: what they mean depends on the record.
    pub(crate) fn check_times(&self) -> anyhow::Result<()> {
        self.start.as_ref().map_or(Ok(()), |start| start.check("--start"))?;
        self.end.as_ref().map_or(Ok(()), |end| end.check("--end"))?;
        self.date.as_ref().map_or(Ok(()), |date| date.check("--date"))
    }

    /// The whole service: what is stated, over what `before` says, if there is a version before this one.
    pub(crate) async fn service(
        &self,
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
        let (served, utc_offset_seconds) = self.served(before)?;
        (service.served, service.utc_offset_seconds) = (Some(served), utc_offset_seconds);
        service.credited_minutes = match self.credited {
            Some(minutes) => minutes,
            None => credit(&session.policy, &service, &served)?,
        };
        Ok(service)
    }

    fn served(&self, before: Option<&proto::Service>) -> anyhow::Result<(service::Served, i32)> {
        let then = before.and_then(|before| Some((before.served?, before.utc_offset_seconds)));
        let is_dated = self.date.is_some() || self.minutes.or(self.hours).is_some() || self.offset.is_some();
        match (self.start.is_some() || self.end.is_some(), is_dated) {
            (true, _) => self.interval(then),
            (false, true) => self.on_date(then),
            (false, false) => {
                then.ok_or_else(|| usage("when was it? Give --start and --end, or --date with --minutes or --hours"))
            }
        }
    }

    /// Start and end, of which a clock time alone is on the day that the record names.
    fn interval(&self, then: Option<(service::Served, i32)>) -> anyhow::Result<(service::Served, i32)> {
        let times = (self.start.as_ref(), self.end.as_ref());
        let (start, end) = match (times, then) {
            (times, Some((service::Served::Interval(then), offset))) => {
                TypedTime::changed(times, (then.start_ms, then.end_ms), offset)?
            }
            ((Some(_), Some(_)), Some((service::Served::OnDate(then), offset))) => {
                let first_ms = day_begins(then.date, offset);
                TypedTime::changed(times, (first_ms, first_ms), offset)?
            }
            ((Some(start), Some(end)), None) => TypedTime::interval(start, end)?,
            ((Some(_), None), _) => return Err(usage("--start: give --end with it")),
            ((None, _), _) => return Err(usage("--end: give --start with it")),
        };
        let interval = proto::Interval { start_ms: start.ms, end_ms: end.ms };
        Ok((service::Served::Interval(interval), start.offset_seconds))
    }

    /// A date with its minutes. Its offset is that of the reader's zone, but stays what it was where it never was that one.
    fn on_date(&self, then: Option<(service::Served, i32)>) -> anyhow::Result<(service::Served, i32)> {
        let known = then.map(|(served, offset)| match served {
            service::Served::OnDate(then) => (day_begins(then.date, offset), offset, Some(then)),
            service::Served::Interval(then) => (then.start_ms, offset, None),
        });
        let elsewhere = known.filter(|(ms, offset, _)| !zone::is_here(*ms, *offset)).map(|(_, offset, _)| offset);
        let fixed = self.offset.or(elsewhere);
        let dated = known.and_then(|(_, offset, then)| Some((then?, offset)));
        let (date, offset) = match (&self.date, dated) {
            (Some(date), _) => date.read("--date", fixed)?,
            (None, Some((then, offset))) => (then.date, self.offset.unwrap_or(offset)),
            (None, None) => return Err(usage("--minutes, --hours, --offset: give the --date with them")),
        };
        let minutes = self.minutes.or(self.hours).or(dated.map(|(then, _)| then.minutes));
        let minutes = minutes.ok_or_else(|| usage("--date: give --minutes or --hours with it"))?;
        Ok((service::Served::OnDate(proto::ServedOnDate { date, minutes }), fixed.unwrap_or(offset)))
    }

    /// What has to be named where nobody can be asked what the record says now.
    pub(crate) fn lacking(&self) -> Vec<&'static str> {
        let on_day = |time: Option<&TypedTime>| time.is_none_or(|time| !time.lacks_day());
        let named = [
            ("the day with --start", on_day(self.start.as_ref())),
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
