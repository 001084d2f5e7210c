//! Spreadsheets and the ledger in step: the same row again does nothing, a changed row becomes a correction, a row that is
//! gone a reversal, and every row that isn't taken is told with its reason.
//!
//! A file becomes a [`grid`] of text, under a [`mapping`] a [`table`], its rows [`items`] with what they want. A [`plan`] turns
//! these into sheets, `carry_out` records them or, in a dry run, only tries them. The ledger is asked through [`remote`];
//! what is known of it between imports is in the `directory`.

pub(crate) mod accounts;
pub(crate) mod adopt;
mod carry_out;
pub(crate) mod cell;
pub(crate) mod grid;
mod groups;
pub(crate) mod items;
pub(crate) mod mapping;
mod mend;
pub(crate) mod outcome;
mod plan;
pub(crate) mod rejects;
pub(crate) mod remote;
pub(crate) mod report;
mod row;
mod standing;
pub(crate) mod suggest;
pub(crate) mod table;
mod windows;

use std::collections::HashSet;

use jiff::tz::TimeZone;

use self::{
    accounts::look_up,
    carry_out::CarryOut,
    items::{Item, Items},
    mapping::{FORM, Mapping},
    plan::Planner,
    remote::{Remote, RemoteError},
    report::Report,
    row::{Reader, Zones},
    standing::standings,
    table::Table,
};
use crate::{
    engine::{progress::Progress, store::StoreError},
    format::proto,
    ledger::{AccountId, Policy},
    people::{calendar, directory::Directory},
};

/// So many records a full file may lack without a question: what a station deletes by hand.
const TAKEN_BACK_MAX: u64 = 20;
/// And of many records, one in so many.
const TAKEN_BACK_SHARE: u64 = 10;

/// Why an import ends before its rows are through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// Something in the way that whoever imports has to decide or set right; nothing was recorded.
    #[error("{0}")]
    Stopped(String),
    /// Whoever watched wants no more of it.
    #[error(
        "interrupted after {through} of {all} rows: what was recorded stays. Run the same import again: nothing is counted twice"
    )]
    Interrupted {
        /// Rows that are through.
        through: u64,
        /// Rows that there are.
        all: u64,
    },
    /// The directory can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger said no to a whole sheet, or can't be reached.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

/// What an import does about records that were corrected or reversed by hand, while their rows stayed as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ByHandChanges {
    /// Rejects the row, with what was done.
    #[default]
    Tell,
    /// Has the ledger follow the row.
    Mend,
    /// Lets the ledger be, and says so.
    Leave,
}

/// How to import.
#[allow(clippy::struct_excessive_bools, reason = "each is a decision of whoever imports")]
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) open_accounts: bool,
    /// The file holds every record of its source: what it lacks is taken back.
    pub(crate) full: bool,
    /// So many may be taken back, if that is more than goes without a question.
    pub(crate) take_back_max: Option<u64>,
    /// Only say what would happen.
    pub(crate) dry_run: bool,
    /// Records may change volunteer and date.
    pub(crate) renumbered: bool,
    pub(crate) by_hand: ByHandChanges,
    /// Only link rows with records that say the same.
    pub(crate) adopt: bool,
    /// The rows were never imported before, although the ledger has imported records and the directory is empty.
    pub(crate) first: bool,
    /// Where times without an offset are meant, if whoever imports says so.
    pub(crate) zone: Option<TimeZone>,
    /// The same by a setting that stands for all commands.
    pub(crate) zone_of_environment: Option<TimeZone>,
    /// The machine's zone, or why it has none: for dates.
    pub(crate) machine_zone: Option<Result<TimeZone, String>>,
}

/// What the ledger is.
pub(crate) struct About {
    pub(crate) policy: Policy,
    pub(crate) regions: HashSet<String>,
}

/// An import: a file under its mapping, into a ledger, with the directory that remembers.
pub(crate) struct Import<'a, R> {
    pub(crate) remote: R,
    pub(crate) about: &'a About,
    pub(crate) directory: &'a Directory,
    pub(crate) mapping: &'a Mapping,
    pub(crate) table: &'a Table,
    pub(crate) options: &'a Options,
}

impl<R: Remote> Import<'_, R> {
    /// Brings the rows in, or says what would happen. `progress` is told how many are through.
    ///
    /// # Errors
    /// See [`ImportError`]. What was recorded before stays, and the same import again goes on.
    pub(crate) async fn run(&mut self, progress: &dyn Progress) -> Result<Report, ImportError> {
        self.check_outbox().await?;
        let zones = self.zones()?;
        let (items, is_zone_used) = self.items(&zones)?;
        let mut planner = Planner::new(
            (self.mapping, self.table),
            self.directory,
            &self.about.policy,
            self.options,
            self.about.regions.clone(),
        );
        let known = look_up(&mut self.remote, (self.mapping, self.directory), &items.all).await?;
        self.check_first(&items.all, &known).await?;
        let standings = standings(&mut self.remote, self.directory, &items.all).await?;
        planner.learn(&items.all, known, standings);
        let payer = self.payer().await?;
        planner.is_paid_by_person = payer
            .as_ref()
            .is_some_and(|payer| matches!(payer.kind(), proto::AccountKind::Resident | proto::AccountKind::Household));
        let available = payer.and_then(|payer| payer.available_minutes);
        let is_payer_short = available.is_some_and(|available| planner.wanted_minutes(&items.all) > available);
        self.keep(is_zone_used, &zones)?;
        let mut carry_out = CarryOut {
            remote: &mut self.remote,
            planner: &mut planner,
            outcomes: vec![None; items.all.len()],
            items: &items.all,
            notices: Vec::new(),
            progress,
            through: 0,
            trial: self.options.dry_run.then(Vec::new),
        };
        if self.options.dry_run {
            for window in windows::windows(carry_out.planner, &items.all, is_payer_short) {
                carry_out.run(&window).await?;
                carry_out.trial = Some(Vec::new());
                carry_out.planner.end_window();
            }
        } else {
            let all: Vec<usize> = (0..items.all.len()).collect();
            carry_out.run(&all).await?;
        }
        let (outcomes, notices) = (carry_out.outcomes, carry_out.notices);
        Ok(Report::new(self.table, &items, outcomes, notices, &planner)?)
    }

    /// What there is to do, if nothing says that it is not what was meant; and whether some of it hangs on the zone.
    fn items(&self, zones: &Zones) -> Result<(Items, bool), ImportError> {
        if self.mapping.is_of_operations() && self.table.is_of_rejects() {
            return Err(ImportError::Stopped(
                "these are the rejected rows of a file of operations, and their order among the others is what they mean: mend them in \
                 the file itself, which holds all operations"
                    .to_owned(),
            ));
        }
        let reader = Reader::new(self.mapping, self.table, zones);
        let mut items = Items::read(&reader, self.mapping, self.table, self.directory, self.options.full)?;
        self.check_zone(&reader, zones)?;
        if !self.options.adopt {
            self.check_key()?;
        }
        if self.options.full {
            let full = |problem: String| ImportError::Stopped(format!("--full: {problem}"));
            self.table.check_full().map_err(full)?;
            items.check_full(self.table).map_err(full)?;
            let (gone, live) = items.add_gone(self.directory)?;
            self.check_taken_back(gone, live)?;
        }
        Ok((items, reader.is_zone_used.get()))
    }

    /// Sends what an import that was interrupted left; a dry run can't know what became of it.
    async fn check_outbox(&mut self) -> Result<(), ImportError> {
        if self.directory.pending()?.is_empty() {
            return Ok(());
        }
        if self.options.dry_run {
            return Err(ImportError::Stopped(
                "--dry-run: an import was interrupted, and whether its last sheet was recorded is not known here. Run it again \
                 without --dry-run first: nothing is counted twice"
                    .to_owned(),
            ));
        }
        carry_out::resend(&mut self.remote, self.directory).await
    }

    /// Where times are meant: as the mapping says, as whoever imports says, as this source's times always were.
    fn zones(&self) -> Result<Zones, ImportError> {
        let kept = self.directory.zone()?;
        let known = |name: &String| calendar::known(name);
        let named = self.mapping.zone.as_ref().and_then(known).or_else(|| self.options.zone.clone());
        // How somebody likes times to be shown moves no source that was read otherwise before.
        let named =
            named.or_else(|| kept.as_ref().and_then(known)).or_else(|| self.options.zone_of_environment.clone());
        let of_days = self.directory.zone_of_days()?;
        let machine = self.options.machine_zone.clone().unwrap_or_else(|| Err("no time zone is known here".to_owned()));
        Ok(Zones { named, of_days: of_days.as_ref().and_then(known).map_or(machine, Ok) })
    }

    /// Stops where a clock time could be any moment, and where dates would move that were read in another zone before.
    fn check_zone(&self, reader: &Reader<'_>, zones: &Zones) -> Result<(), ImportError> {
        if let Some(number) = reader.without_zone.get() {
            return Err(ImportError::Stopped(format!(
                "{}: it has times without an offset, so that they could be any moment. Name their zone in the mapping, as zone = \
                 \"Asia/Shanghai\", or a column with the offset; or say it once with --zone",
                self.table.place(number)
            )));
        }
        let is_new = self.directory.zone_of_days()?.is_none();
        if reader.is_zone_used.get() && zones.named.is_none() && is_new && self.directory.has_records_of_source()? {
            return Err(ImportError::Stopped(
                "the file names no offset, and this source's dates were taken for UTC's before: say --zone UTC to keep them, or \
                 another zone to have them corrected"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Stops where rows have other names than those that the source's links go by: each would be recorded a second time.
    fn check_key(&self) -> Result<(), ImportError> {
        let form = self.mapping.key_form();
        let Some(kept) = self.directory.key_columns()?.filter(|kept| *kept != form) else { return Ok(()) };
        if !self.directory.has_records_of_source()? {
            return Ok(());
        }
        let columns = |form: &[String]| {
            let (read, columns): (Vec<&String>, Vec<&String>) = form.iter().partition(|part| part.starts_with(FORM));
            let columns: Vec<&str> = columns.into_iter().map(String::as_str).collect();
            let read = if read.is_empty() { "" } else { ", with dates and times in certain forms" };
            format!("{}{read}", columns.join(", "))
        };
        Err(ImportError::Stopped(format!(
            "the records of this source go by {}, and the mapping now names them by {}: each row would be recorded a second time. \
             Change it back, or link the rows anew with --adopt, or give them a `source` of their own with accounts_of = \
             {:?}",
            columns(&kept),
            columns(&form),
            self.mapping.source
        )))
    }

    /// Stops before a file that was cut takes everything else away.
    fn check_taken_back(&self, gone: u64, live: u64) -> Result<(), ImportError> {
        let max = self.options.take_back_max.unwrap_or_else(|| TAKEN_BACK_MAX.max(live / TAKEN_BACK_SHARE));
        if gone <= max {
            return Ok(());
        }
        Err(ImportError::Stopped(format!(
            "--full: {gone} of the source's {live} records are not in this file and would be taken back, more than {max}. If the file \
             is whole, and they are to go, say --take-back {gone}"
        )))
    }

    /// Stops where nothing is known here of what earlier imports brought.
    async fn check_first(&mut self, items: &[Item], known: &accounts::Accounts) -> Result<(), ImportError> {
        if self.options.first || self.directory.has_records()? {
            return Ok(());
        }
        let Some(before) = adopt::imported_before(&mut self.remote, items, known).await? else { return Ok(()) };
        let found = match before {
            adopt::Before::Imported(record) => format!("the ledger has imported records already, as {record}"),
            adopt::Before::Alike(record) => {
                format!("the ledger has records that say what half of these rows say, as {record}")
            }
            adopt::Before::Unknown => {
                "the ledger has more accounts than can be looked through for earlier imports".to_owned()
            }
        };
        let adopt = if self.mapping.is_of_operations() { "" } else { "link them with --adopt, " };
        Err(ImportError::Stopped(format!(
            "this folder knows of no earlier import, and {found}: rows that were imported before would be recorded a second time. Use \
             the `directory` folder that they were imported with (--directory), {adopt}or say --first if none of these rows was ever \
             imported"
        )))
    }

    /// The account that pays, where the mapping names one.
    async fn payer(&mut self) -> Result<Option<proto::Account>, ImportError> {
        let Some(payer) = self.mapping.payer else { return Ok(None) };
        Ok(self.remote.find(&hex::encode(payer)).await?.accounts.into_iter().next())
    }

    /// Remembers what the next import of this source has to know.
    fn keep(&self, is_zone_used: bool, zones: &Zones) -> Result<(), ImportError> {
        if self.options.dry_run {
            return Ok(());
        }
        match (&zones.named, &zones.of_days) {
            (Some(zone), _) if is_zone_used => {
                let name = calendar::name(zone);
                if self.directory.zone()?.as_ref() != Some(&name) {
                    self.directory.set_zone(&name)?;
                }
            }
            (None, Ok(zone)) if is_zone_used && self.directory.zone_of_days()?.is_none() => {
                self.directory.set_zone_of_days(&calendar::name(zone))?;
            }
            (Some(_) | None, _) => {}
        }
        let form = self.mapping.key_form();
        if self.directory.key_columns()?.as_ref() != Some(&form) {
            self.directory.set_key_columns(&form)?;
        }
        Ok(())
    }
}

/// An account's id, shortened as people quote it.
pub(crate) fn short(account: AccountId) -> String {
    hex::encode(account.0.get(..4).unwrap_or_default())
}
