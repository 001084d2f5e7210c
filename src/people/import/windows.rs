//! How a dry run goes about many rows: those that can't stand in each other's way needn't be tried together. The ledger's
//! rules look at one volunteer's records, so rows of one volunteer, and of one record, make a group; groups are tried one after
//! another, however many there are, each as a whole.

use super::{groups::groups, items::Item, mapping::PeopleKind, plan::Planner};

/// Items of one window: some sheets of it fit a trial with all that is tried before.
const ITEMS_MAX: usize = 180;

/// Groups of items that are tried together, each in the order of the file.
///
/// `is_payer_short`: the payer can't pay for all rows, so that each may stand in the way of any that comes later.
pub(crate) fn windows(planner: &Planner<'_>, items: &[Item], is_payer_short: bool) -> Vec<Vec<usize>> {
    if is_payer_short {
        return vec![(0..items.len()).collect()];
    }
    let members = groups(items.len(), |number| items.get(number).map(|item| keys(planner, item)).unwrap_or_default());
    let mut windows: Vec<Vec<usize>> = Vec::new();
    for group in members {
        match windows.last_mut().filter(|window| window.len() + group.len() <= ITEMS_MAX) {
            Some(window) => window.extend(group),
            None => windows.push(group),
        }
    }
    for window in &mut windows {
        window.sort_unstable();
    }
    windows
}

/// What an item has in common with those that it may stand in the way of.
fn keys(planner: &Planner<'_>, item: &Item) -> Vec<String> {
    let mut keys = vec![format!("record {}", item.record())];
    // People of a group aren't told apart: no limit of one person is theirs. Accounts that the mapping names may be anybody's.
    let mapping = planner.mapping;
    let are_opened = mapping.volunteers.is_empty() && !mapping.account_ids.volunteers && mapping.accounts_of.is_none();
    if mapping.account_kind == PeopleKind::Group && are_opened {
        return keys;
    }
    keys.extend(planner.people(item));
    keys
}
