//! Rows that stand in each other's way: two that exchanged their times or their people can't be corrected one after the
//! other, whichever comes first. They are recorded as they should be and their old records taken back, in one sheet.
//!
//! Right records first, then reversals, is what loses nobody a minute even where they are spent. Where overlap, day limit or
//! cap don't allow it, reversals come first, unless a volunteer has spent the minutes, which a station would then owe, or a
//! resident paid, whose consent was to the old record.

use std::collections::HashMap;

use super::{
    ImportError,
    accounts::{Found, Party},
    carry_out::{Attempt, CarryOut},
    items::Item,
    outcome::{Outcome, Rejected},
    plan::{Chunk, reversal},
    remote::Remote,
};
use crate::{directory::RecordLink, wire};

/// Rows mended together: each may need a region, a station, an account, a reversal and a record in the one sheet.
const ROWS_MAX: usize = wire::EVENTS_MAX / 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    RecordsFirst,
    ReversalsFirst,
}

/// Why rows stay as they are.
const SPENT: &str = "these rows exchanged times or people, and a volunteer among them has spent minutes that would have to be \
                     taken back first, so that the station would owe them: they stay as they are. Reverse and record them by \
                     hand, if the station is to answer for it";
const PAID: &str = "these rows exchanged times or people, and a resident or household paid for them, whose consent was to the \
                    old records: they stay as they are. Have them settled anew";

impl<R: Remote> CarryOut<'_, '_, R> {
    /// Mends what is left when no row can go first.
    pub(crate) async fn mend(&mut self, left: Vec<usize>) -> Result<(), ImportError> {
        for mut group in self.groups(&left)? {
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
        Ok(())
    }

    /// Items that are about the same people, and at least one of which has a record.
    fn groups(&self, left: &[usize]) -> Result<Vec<Vec<usize>>, ImportError> {
        let mut group_of: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for number in left {
            let Some(item) = self.items.get(*number).filter(|item| item.wanted().is_some()) else { continue };
            let mut into: Vec<usize> =
                self.people(item).iter().filter_map(|account| group_of.get(account)).copied().collect();
            into.sort_unstable();
            into.dedup();
            let mut members = vec![*number];
            for group in into {
                members.extend(groups.get_mut(group).map(std::mem::take).unwrap_or_default());
            }
            members.sort_unstable();
            for account in
                members.iter().filter_map(|number| self.items.get(*number)).flat_map(|item| self.people(item))
            {
                group_of.insert(account, groups.len());
            }
            groups.push(members);
        }
        let mut mendable = Vec::new();
        for group in groups {
            let mut has_record = false;
            for item in group.iter().filter_map(|number| self.items.get(*number)) {
                has_record |= self.planner.link(item.record())?.is_some_and(|link| !link.reversed);
            }
            if has_record {
                mendable.push(group);
            }
        }
        Ok(mendable)
    }

    /// Whom a row credits, and whom its record credits.
    fn people(&self, item: &Item) -> Vec<Vec<u8>> {
        let now = item.wanted().and_then(|wanted| {
            match self.planner.accounts.get(&(Party::Volunteer, wanted.volunteer.clone())) {
                Some(Found::Account(account)) => Some(account.0.to_vec()),
                Some(Found::Nobody | Found::Unclear(_)) | None => None,
            }
        });
        let before = self.planner.standings.get(item.record()).map(|stands| stands.volunteer.clone());
        now.into_iter().chain(before).collect()
    }

    /// Mends a group in one order or the other. Gives the items that stand in the way, if that is why it can't be; nothing
    /// where it is done, or can't be for another reason.
    async fn mend_group(&mut self, group: &[usize]) -> Result<Option<Vec<usize>>, ImportError> {
        let first = self.mended(group, Order::RecordsFirst)?;
        if let Some(attempt) = self.attempt_mended(first).await?
            && matches!(attempt, Attempt::Recorded)
        {
            return Ok(None);
        }
        let second = self.mended(group, Order::ReversalsFirst)?;
        let sheet = self.remote.sign(second.events.iter().map(|(kind, _)| kind.clone()).collect())?;
        let tried = self.try_sheet(&sheet, &second).await?;
        if !tried.refused.is_empty() {
            return Ok(Some(tried.refused.into_iter().map(|(number, _)| number).collect()));
        }
        let owed: i64 = tried.receipts.values().map(|receipt| self.planner.owed_minutes(receipt)).sum();
        let why = match (owed, self.planner.is_paid_by_person) {
            (0, false) => {
                self.attempt_mended(second).await?;
                return Ok(None);
            }
            (0, true) => PAID,
            (_, _) => SPENT,
        };
        for number in group {
            if let Some(outcome) = self.outcomes.get_mut(*number) {
                *outcome = Some(Outcome::Rejected(Rejected::row(why)));
            }
        }
        Ok(None)
    }

    /// Records a mended group if all of it is taken and no station would owe anything.
    async fn attempt_mended(&mut self, chunk: Chunk) -> Result<Option<Attempt>, ImportError> {
        let attempt = self.attempt(&chunk).await?;
        if matches!(attempt, Attempt::Recorded) {
            self.take(chunk);
        }
        Ok(Some(attempt))
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
            let (service, fresh) = match self.planner.wanted_service(wanted, *number, &mut chunk) {
                Ok(made) => made,
                Err(rejected) => {
                    chunk.outcomes.push((*number, Outcome::Rejected(rejected)));
                    continue;
                }
            };
            let was_there = old.iter().any(|(other, _)| other == number);
            self.planner.record_anew(item.record(), service, &fresh, *number, &mut chunk);
            chunk.outcomes.push((*number, if was_there { Outcome::Corrected } else { Outcome::Recorded }));
        }
        if order == Order::RecordsFirst {
            reversals(&mut chunk, self.planner);
        }
        Ok(chunk)
    }
}
