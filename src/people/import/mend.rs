//! Rows that stand in each other's way: two that exchanged their times or their people can't be corrected one after the
//! other, whichever comes first. They are recorded as they should be and their old records taken back, in one sheet.
//!
//! Right records first, then reversals, is what loses nobody a minute even where they are spent. Where overlap, day limit or
//! cap don't allow it, reversals come first, unless a volunteer has spent the minutes, which a station would then owe, or a
//! resident paid, whose consent was to the old record.

use super::{
    ImportError,
    carry_out::{self, Attempt, CarryOut},
    groups::groups,
    outcome::RowOutcome,
    plan::{Chunk, reversal},
    remote::Remote,
};
use crate::{format::wire, people::directory::RecordLink};

/// Rows mended together: each may need a region, a station, an account, a reversal and a record in the one sheet.
const ROWS_MAX: usize = wire::EVENTS_MAX / 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    RecordsFirst,
    ReversalsFirst,
}

/// Why rows stay as they are, behind the reason for which each was refused.
const MANY: &str = "more rows than one sheet holds stand in each other's way: import them in parts";
const SPENT: &str = "these rows exchanged times or people, and a volunteer among them has spent minutes that would have to be \
                     taken back first, so that the station would owe them: they stay as they are. Reverse and record them by \
                     hand, if the station is to answer for it";
const PAID: &str = "these rows exchanged times or people, and a resident or household paid for them, whose consent was to the \
                    old records: they stay as they are. Have them settled anew";

impl<R: Remote> CarryOut<'_, '_, R> {
    /// Mends what is left when no row can go first.
    pub(crate) async fn mend(&mut self, mut left: Vec<usize>) -> Result<(), ImportError> {
        left.retain(|number| self.is_mendable(*number));
        for mut group in self.groups(&left)? {
            if group.len() > ROWS_MAX {
                self.add_reason(&group, MANY);
            }
            while group.len() > 1 && group.len() <= ROWS_MAX {
                match self.mend_group(&group).await? {
                    None => break,
                    // These stand in the way of something else: the others without them.
                    Some(refused) => {
                        let before = group.len();
                        group.retain(|number| !refused.contains(number));
                        if group.len() == before {
                            break;
                        }
                    }
                }
            }
        }
        // What was only tried to be mended is in no link.
        self.planner.begin();
        Ok(())
    }

    /// Whether an item was refused for what others hold, and not for what it is.
    fn is_mendable(&self, number: usize) -> bool {
        let is_wanted = self.items.get(number).is_some_and(|item| item.wanted().is_some());
        let Some(Some(RowOutcome::Rejected(rejected))) = self.outcomes.get(number) else { return false };
        let code = rejected.code.as_deref();
        let by_others = ["ServiceOverlaps", "DayLimitExceeded", "BalanceBelowFloor"];
        is_wanted && (rejected.text == carry_out::SPENT || code.is_some_and(|code| by_others.contains(&code)))
    }

    /// Says of refused items what else stands in the way of mending them.
    fn add_reason(&mut self, group: &[usize], reason: &str) {
        for number in group {
            if let Some(Some(RowOutcome::Rejected(rejected))) = self.outcomes.get_mut(*number) {
                rejected.text = format!("{}; {reason}", rejected.text);
            }
        }
    }

    /// Items that are about the same people, and at least one of which has a record.
    fn groups(&self, left: &[usize]) -> Result<Vec<Vec<usize>>, ImportError> {
        let item = |place: usize| left.get(place).and_then(|number| self.items.get(*number));
        let mut mendable = Vec::new();
        for group in groups(left.len(), |place| item(place).map(|item| self.planner.people(item)).unwrap_or_default()) {
            let mut has_record = false;
            for item in group.iter().filter_map(|place| item(*place)) {
                has_record |= self.planner.link(item.record())?.is_some_and(|link| !link.reversed);
            }
            if has_record {
                mendable.push(group.iter().filter_map(|place| left.get(*place)).copied().collect());
            }
        }
        Ok(mendable)
    }

    /// Mends a group in one order or the other. Gives the items that stand in the way, if that is why it can't be; nothing
    /// where it is done, or can't be for another reason.
    async fn mend_group(&mut self, group: &[usize]) -> Result<Option<Vec<usize>>, ImportError> {
        let first = self.mended(group, Order::RecordsFirst)?;
        if self.attempt_mended(first).await? {
            return Ok(None);
        }
        if self.planner.is_paid_by_person {
            self.add_reason(group, PAID);
            return Ok(None);
        }
        let second = self.mended(group, Order::ReversalsFirst)?;
        let sheet = self.remote.sign(second.events.iter().map(|(kind, _)| kind.clone()).collect())?;
        let tried = self.try_sheet(&sheet, &second).await?;
        if !tried.refused.is_empty() {
            let refused: Vec<usize> = tried.refused.iter().map(|(number, _)| *number).collect();
            for (number, rejected) in tried.refused.into_iter().filter(|(_, rejected)| rejected.other.is_none()) {
                // Recorded anew it meets rules that its correction didn't: its age, say.
                self.add_reason(&[number], &format!("mended together with others: {}", rejected.text));
            }
            return Ok(Some(refused));
        }
        let owed: i64 = tried.receipts.values().map(|receipt| self.planner.owed_minutes(receipt)).sum();
        if owed == 0 {
            self.attempt_mended(second).await?;
        } else {
            self.add_reason(group, SPENT);
        }
        Ok(None)
    }

    /// Records a mended group if the ledger takes all of it.
    async fn attempt_mended(&mut self, chunk: Chunk) -> Result<bool, ImportError> {
        let is_recorded = matches!(self.attempt(&chunk).await?, Attempt::Recorded);
        if is_recorded {
            self.take(chunk);
        }
        Ok(is_recorded)
    }

    /// The events that set a group right, all in one sheet.
    fn mended(&mut self, group: &[usize], order: Order) -> Result<Chunk, ImportError> {
        let mut chunk = self.planner.begin();
        let mut old: Vec<(usize, RecordLink)> = Vec::new();
        for number in group {
            let Some(item) = self.items.get(*number) else { continue };
            old.extend(self.planner.link(item.record())?.filter(|link| !link.reversed).map(|link| (*number, link)));
        }
        let reversals = |chunk: &mut Chunk, planner: &super::plan::Planner<'_>| {
            for (number, link) in &old {
                planner.push(chunk, reversal(link), *number, None);
            }
        };
        if order == Order::ReversalsFirst {
            reversals(&mut chunk, self.planner);
        }
        for number in group {
            let Some((item, wanted)) = self.items.get(*number).and_then(|item| Some((item, item.wanted()?))) else {
                continue;
            };
            let (service, fresh) = match self.planner.wanted_service(wanted, *number, &mut chunk)? {
                Ok(made) => made,
                Err(rejected) => {
                    chunk.outcomes.push((*number, RowOutcome::Rejected(rejected)));
                    continue;
                }
            };
            let was_there = old.iter().any(|(other, _)| other == number);
            self.planner.record_anew(item.record(), service, &fresh, *number, &mut chunk);
            chunk.outcomes.push((*number, if was_there { RowOutcome::Corrected } else { RowOutcome::Recorded }));
        }
        if order == Order::RecordsFirst {
            reversals(&mut chunk, self.planner);
        }
        Ok(chunk)
    }
}
