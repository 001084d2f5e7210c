//! What a commit adds: worked out beside the published heads, so that readers go on and a failed write leaves no trace.

use std::collections::BTreeMap;

use super::{Head, HistoryHeads, LANE, NewEntry, NewPosting};
use crate::{
    engine::projection::row_file::ProjectionError,
    engine::projection::rows::{EntryRow, PostingRow, U40, WarningRow},
    ledger::table::Rows as _,
};

/// An account's end after a commit. The lanes are those of [`HistoryHeads`].
struct AccountEnd {
    head: Head,
    lanes: Vec<u64>,
}

/// The rows of a commit, the numbers that they begin at, and the heads that they change.
pub(super) struct Growth {
    ends: BTreeMap<u32, AccountEnd>,
    pub(super) first_posting: u64,
    pub(super) first_entry: u64,
    pub(super) first_warning: u64,
    pub(super) postings: Vec<PostingRow>,
    pub(super) entries: Vec<EntryRow>,
    pub(super) warnings: Vec<WarningRow>,
}

impl Growth {
    /// Numbers and links the rows of new entries. Reads nothing from the files.
    ///
    /// # Errors
    /// [`ProjectionError::EntryGap`].
    pub(super) fn of(heads: &HistoryHeads, entries: &[NewEntry]) -> Result<Self, ProjectionError> {
        let mut growth = Self {
            ends: BTreeMap::new(),
            first_posting: heads.postings,
            first_entry: heads.entries,
            first_warning: heads.warnings,
            postings: Vec::new(),
            entries: Vec::with_capacity(entries.len()),
            warnings: Vec::new(),
        };
        for (expected, entry) in (heads.entries..).zip(entries) {
            if entry.index != expected {
                return Err(ProjectionError::EntryGap { expected, found: entry.index });
            }
            growth.entries.push(EntryRow {
                recorded_at_ms: entry.recorded_at_ms,
                first_posting: heads.postings + growth.postings.len() as u64,
                first_warning: heads.warnings + growth.warnings.len() as u64,
                events: entry.events,
                reserved: 0,
            });
            for new in &entry.postings {
                let row = growth.row(heads, entry, new);
                growth.postings.push(row);
            }
            growth.warnings.extend_from_slice(&entry.warnings);
        }
        Ok(growth)
    }

    fn row(&mut self, heads: &HistoryHeads, entry: &NewEntry, new: &NewPosting) -> PostingRow {
        let number = self.first_posting + self.postings.len() as u64;
        let end = self.ends.entry(new.account).or_insert_with(|| AccountEnd {
            head: heads.heads.get(new.account).copied().unwrap_or_default(),
            lanes: heads.lanes.get(&new.account).cloned().unwrap_or_default(),
        });
        let (previous, ordinal) = (end.head.newest(), end.head.count);
        end.head = Head::of(number + 1, ordinal + 1);
        let skip = end.skip(number, ordinal);
        PostingRow {
            minutes: new.minutes,
            balance_after: new.balance_after,
            held_after: new.held_after,
            frozen_after: 0,
            unconfirmed_after: 0,
            previous,
            skip,
            index: entry.index,
            recorded_at_ms: entry.recorded_at_ms,
            account: new.account,
            ordinal,
            counterparty: new.counterparty,
            record_index: U40::of(new.record.map_or(0, |record| record.index.0)),
            record_event: new.record.map_or(0, |record| record.event),
            event: new.event,
            method: 0,
            kind: new.kind,
        }
    }

    /// Makes the rows visible, once they are written.
    pub(super) fn publish(self, heads: &mut HistoryHeads) {
        heads.postings += self.postings.len() as u64;
        heads.entries += self.entries.len() as u64;
        heads.warnings += self.warnings.len() as u64;
        for (account, end) in self.ends {
            while heads.heads.len() <= account {
                heads.heads.push(Head::default());
            }
            if let Some(head) = heads.heads.get_mut(account) {
                *head = end.head;
            }
            if !end.lanes.is_empty() {
                heads.lanes.insert(account, end.lanes);
            }
        }
    }
}

impl AccountEnd {
    /// The skip link of a row, and its place in the lanes. A row whose ordinal is a multiple of 64^n links to the one
    /// before that is, too; all others link to the newest multiple of 64. So a seek walks up the lanes and down again.
    fn skip(&mut self, number: u64, ordinal: u32) -> u64 {
        if ordinal < LANE {
            return 0;
        }
        let (mut level, mut rest) = (0, ordinal);
        while rest.is_multiple_of(LANE) {
            (level, rest) = (level + 1, rest / LANE);
        }
        let lane = usize::max(level, 1) - 1;
        let skip = self.lanes.get(lane).or(self.lanes.first()).copied().unwrap_or(0);
        if self.lanes.len() < level {
            self.lanes.resize(level, 0);
        }
        self.lanes[..level].fill(number + 1);
        skip
    }
}
