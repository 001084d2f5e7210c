//! What an import did, row by row.

use std::collections::{HashMap, HashSet};

use super::{
    items::{Item, Items},
    outcome::{Notice, Other, RowOutcome},
    plan::Planner,
    table::{Table, Why},
};
use crate::{engine::store::StoreError, ledger::EventRef, people::directory::RecordLink};

/// What an import did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Rows of the file, or records that it no longer has: the sum of the five that follow.
    pub(crate) rows: usize,
    pub(crate) recorded: usize,
    pub(crate) corrected: usize,
    pub(crate) reversed: usize,
    pub(crate) unchanged: usize,
    pub(crate) rejected: Vec<RejectedRow>,
    /// Things worth a second look about rows that were taken.
    pub(crate) notices: Vec<Told>,
    /// Time of the file's records as the source states it, in microseconds.
    pub(crate) source_us: i64,
    /// What the ledger has credited for them.
    pub(crate) credited_minutes: i64,
    /// Of the rows, those that the file no longer has.
    pub(crate) gone: usize,
    /// Rows that are no records: sums, and those that the mapping leaves out.
    pub(crate) totals: Vec<u64>,
    pub(crate) left_out: usize,
    /// Services that stood in several rows, and how many rows those were.
    pub(crate) joined: (usize, usize),
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RejectedRow {
    /// Its place among the table's rows, with those of the rows that it was joined with; none for a record that the file no
    /// longer has.
    pub(crate) positions: Vec<usize>,
    /// Which one it is of the rows that have its key.
    pub(crate) time: u32,
    pub(crate) told: Told,
    /// The rule of the ledger that refused it.
    pub(crate) code: Option<String>,
}

/// Something about a row, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Line of the file or row of the sheet; none for a record that the file no longer has.
    pub(crate) number: Option<u64>,
    pub(crate) record: String,
    pub(crate) text: String,
}

impl Report {
    pub(crate) fn new(
        table: &Table,
        items: &Items,
        outcomes: Vec<Option<RowOutcome>>,
        notices: Vec<Notice>,
        planner: &Planner<'_>,
    ) -> Result<Self, StoreError> {
        let links: Vec<Option<RecordLink>> =
            items.all.iter().map(|item| planner.link(item.record())).collect::<Result<_, _>>()?;
        let words = Words::new(table, &items.all, &links);
        let mut report = Self {
            rows: items.all.len(),
            gone: items.all.iter().filter(|item| matches!(item, Item::Gone { .. })).count(),
            joined: (items.joined.len(), items.joined.values().map(|others| 1 + others.len()).sum()),
            totals: table.left_out.iter().filter(|row| row.why == Why::Total).map(|row| row.number).collect(),
            left_out: table.left_out.iter().filter(|row| row.why == Why::Condition).count(),
            ..Self::default()
        };
        for (number, outcome) in outcomes.into_iter().enumerate() {
            match outcome.unwrap_or(RowOutcome::Unchanged) {
                RowOutcome::Recorded => report.recorded += 1,
                RowOutcome::Corrected => report.corrected += 1,
                RowOutcome::Reversed => report.reversed += 1,
                RowOutcome::Unchanged => report.unchanged += 1,
                RowOutcome::Rejected(rejected) => {
                    let text = words.with_other(&rejected.text, rejected.other.as_ref());
                    let (mut positions, mut which) = (Vec::new(), 1);
                    if let Some(Item::Row { position, time, .. }) = items.all.get(number) {
                        which = *time;
                        positions.push(*position);
                        positions.extend(items.joined.get(position).into_iter().flatten());
                    }
                    report.rejected.push(RejectedRow {
                        positions,
                        time: which,
                        told: told(&items.all, number, text),
                        code: rejected.code,
                    });
                }
            }
        }
        for notice in notices {
            let text = words.with_other(&notice.text, notice.other.as_ref());
            report.notices.push(told(&items.all, notice.item, text));
        }
        // What the file's records add up to now, in the source and in the ledger.
        let mut seen: HashSet<&str> = HashSet::new();
        for (item, link) in items.all.iter().zip(&links) {
            if let Some(link) = link.as_ref().filter(|link| !link.reversed && seen.insert(item.record())) {
                report.source_us = report.source_us.saturating_add(link.source_us);
                report.credited_minutes = report.credited_minutes.saturating_add(link.credited_minutes);
            }
        }
        Ok(report)
    }

    /// Rows of which the ledger has what they say.
    pub(crate) const fn taken(&self) -> usize {
        self.recorded + self.corrected + self.reversed + self.unchanged
    }
}

fn told(items: &[Item], number: usize, text: String) -> Told {
    match items.get(number) {
        Some(Item::Row { row, number, .. }) => Told { number: Some(*number), record: row.record.clone(), text },
        Some(Item::Gone { record }) => Told { number: None, record: record.clone(), text },
        None => Told { number: None, record: String::new(), text },
    }
}

/// Rows and records as people find them.
struct Words<'a> {
    table: &'a Table,
    items: &'a [Item],
    /// Where the records of items stand in the log.
    places: HashMap<usize, EventRef>,
    rows: HashMap<EventRef, usize>,
}

impl<'a> Words<'a> {
    fn new(table: &'a Table, items: &'a [Item], links: &[Option<RecordLink>]) -> Self {
        let (mut places, mut rows) = (HashMap::new(), HashMap::new());
        for (number, link) in links.iter().enumerate() {
            // A record of a trial stands nowhere.
            if let Some(link) = link.as_ref().filter(|link| link.record.index.0 <= u64::MAX / 2) {
                places.insert(number, link.record);
                rows.insert(link.record, number);
            }
        }
        Self { table, items, places, rows }
    }

    /// A sentence with the other row, and the record as it stands in the log, for what the ledger named.
    fn with_other(&self, text: &str, other: Option<&(Other, String)>) -> String {
        let Some((other, said)) = other else { return text.to_owned() };
        let number = match other {
            Other::Item(number) => Some(*number),
            Other::Record(at) => self.rows.get(at).copied(),
        };
        let Some(item) = number.and_then(|number| self.items.get(number)) else { return text.to_owned() };
        let row = item.place(self.table);
        let place = match other {
            Other::Record(at) => Some(*at),
            Other::Item(number) => self.places.get(number).copied(),
        };
        let words = match place {
            Some(place) => format!("of {row}, {place} in the log"),
            None => format!("of {row}"),
        };
        let lead = if said.starts_with(' ') { " " } else { "" };
        if said.is_empty() {
            return format!("{text}: the record {words}");
        }
        text.replacen(said.as_str(), &format!("{lead}{words}"), 1)
    }
}
