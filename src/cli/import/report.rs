//! What an import says at its end.

use std::{collections::HashSet, fs::File, path::Path};

use serde_json::json;

use super::{
    Arguments,
    plan::{Item, Outcome, Planner},
    table::Table,
};
use crate::cli::output::{self, Failure, hours, note, usage};

/// Reasons shown where no file for rejects is named.
const REASONS_SHOWN: usize = 10;

/// What an import did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    rows: usize,
    recorded: usize,
    corrected: usize,
    reversed: usize,
    unchanged: usize,
    /// Items by number, with the reason.
    rejected: Vec<(usize, String)>,
    source_us: i64,
    credited_minutes: i64,
}

impl Report {
    pub(super) fn of(
        table: &Table,
        items: &[Item],
        outcomes: &[Outcome],
        planner: &Planner<'_>,
    ) -> anyhow::Result<Self> {
        let mut report = Self { rows: table.rows.len(), ..Self::default() };
        for (number, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Outcome::Recorded => report.recorded += 1,
                Outcome::Corrected => report.corrected += 1,
                Outcome::Reversed => report.reversed += 1,
                Outcome::Unchanged => report.unchanged += 1,
                Outcome::Rejected(reason) => report.rejected.push((number, reason.clone())),
            }
        }
        // What the file's records add up to now, in the source and in the ledger.
        let records: HashSet<&str> = items.iter().map(Item::record).collect();
        let mut records: Vec<&str> = records.into_iter().collect();
        records.sort_unstable();
        for record in records {
            if let Some(link) = planner.link(record)?.filter(|link| !link.reversed) {
                report.source_us = report.source_us.saturating_add(link.source_us);
                report.credited_minutes = report.credited_minutes.saturating_add(link.credited_minutes);
            }
        }
        Ok(report)
    }

    /// The rows that were not taken, as they stood, with line and reason.
    fn write_rejects(&self, path: &Path, (table, items): (&Table, &[Item]), record_column: &str) -> anyhow::Result<()> {
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record(table.header.iter().map(String::as_str).chain(["line", "reason"]))?;
        for (number, reason) in &self.rejected {
            let mut cells = match items.get(*number).map(|item| (item, table.line(item))) {
                Some((_, Some(line))) => line.cells.clone(),
                // A record that the file no longer has: its id is all there is.
                Some((item, None)) => {
                    let cell = |name: &String| if name == record_column { item.record() } else { "" };
                    table.header.iter().map(|name| cell(name).to_owned()).collect()
                }
                None => Vec::new(),
            };
            cells.resize(table.header.len(), String::new());
            cells.extend([line_number(table, items, *number), reason.clone()]);
            writer.write_record(&cells)?;
        }
        Ok(writer.flush()?)
    }

    /// Hours of the source, to the microsecond they were kept with.
    fn source_hours(&self) -> f64 {
        // Exact to a thousandth of an hour far beyond what a ledger holds: 2^53 us are 2.5 million hours, and a quotient
        // is rounded once.
        #[allow(clippy::cast_precision_loss, reason = "see above; shown to people, never counted with")]
        let hours = self.source_us as f64 / 3_600_000_000.0;
        (hours * 1_000_000.0).round() / 1_000_000.0
    }

    /// Writes the rows that were not taken to their file, and says what was done: that stands, whatever can be written.
    pub(super) fn tell(
        &self,
        arguments: &Arguments,
        (table, items): (&Table, &[Item]),
        record_column: &str,
    ) -> anyhow::Result<()> {
        let write = |path: &Path| match self.write_rejects(path, (table, items), record_column) {
            Ok(()) => Some(path.display().to_string()),
            Err(error) => {
                note(&format!(
                    "--rejects {}: the rows that were not taken can't be written: {error:#}",
                    path.display()
                ));
                None
            }
        };
        let rejects = arguments.rejects.as_deref().and_then(write);
        let value = json!({
            "rows": self.rows,
            "recorded": self.recorded,
            "corrected": self.corrected,
            "reversed": self.reversed,
            "unchanged": self.unchanged,
            "rejected": self.rejected.len(),
            "source_hours": self.source_hours(),
            "credited_minutes": self.credited_minutes,
        });
        output::tell(arguments.client.json, &value, || {
            let mut text = format!(
                "{}rows       {}\nrecorded   {}\ncorrected  {}\nreversed   {}\nunchanged  {}\nrejected   {}\n\
                 the file's records: {} h in the source, {} credited",
                if arguments.dry_run { "dry run: nothing was written\n" } else { "" },
                self.rows,
                self.recorded,
                self.corrected,
                self.reversed,
                self.unchanged,
                self.rejected.len(),
                self.source_hours(),
                hours(self.credited_minutes),
            );
            if rejects.is_none() {
                for (number, reason) in self.rejected.iter().take(REASONS_SHOWN) {
                    let place = match items.get(*number) {
                        Some(item @ Item::Gone { .. }) => format!("record {} (no longer in the file)", item.record()),
                        Some(Item::Row { .. }) | None => format!("line {}", line_number(table, items, *number)),
                    };
                    text = format!("{text}\n{place}: {reason}");
                }
                if self.rejected.len() > REASONS_SHOWN {
                    text = format!("{text}\nand {} more: see --rejects FILE", self.rejected.len() - REASONS_SHOWN);
                }
            }
            if let Some(path) = rejects.filter(|_| !self.rejected.is_empty()) {
                text = format!("{text}\nthe rows that were not taken are in {path}, each with its reason");
            }
            text
        });
        self.verdict(arguments.dry_run)
    }

    /// How the import ends: done, in part, or refused whole.
    fn verdict(&self, dry_run: bool) -> anyhow::Result<()> {
        let (rejected, taken) = (self.rejected.len(), self.recorded + self.corrected + self.reversed + self.unchanged);
        let were = if dry_run { "would be" } else { "were" };
        match (rejected, taken) {
            (0, _) => Ok(()),
            (_, 0) => {
                Err(Failure::refused(format!("none of the rows ({rejected}) {were} taken; nothing was recorded"))
                    .into())
            }
            _ => Err(Failure::Partly(format!(
                "rows that {were} rejected: {rejected}; that {were} taken, or stand already: {taken}"
            ))
            .into()),
        }
    }
}

/// Makes the file for rejects, so that one that can't be written is known before anything is sent. What is no file is
/// opened once, when there is something to write.
pub(super) fn make_rejects(path: &Path) -> anyhow::Result<()> {
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return Ok(());
    }
    let made = File::options().append(true).create(true).open(path);
    made.map(drop).map_err(|error| usage(format!("--rejects {}: {error}", path.display())))
}

/// The line of the file that an item stands on; empty for one that stands on none.
fn line_number(table: &Table, items: &[Item], number: usize) -> String {
    let line = items.get(number).and_then(|item| table.line(item));
    line.map_or_else(String::new, |line| line.number.to_string())
}
