//! How a dry run goes about many rows: those that can't stand in each other's way needn't be tried together. The ledger's
//! rules look at one volunteer's records, so rows of one volunteer, and of one record, make a group; groups are tried one after
//! another, however many there are, each as a whole.

use std::collections::HashMap;

use super::{
    accounts::{Found, Party},
    items::Item,
    mapping::PeopleKind,
    plan::Planner,
};

/// Items of one window: some sheets of it fit a trial with all that is tried before.
const ITEMS_MAX: usize = 180;

/// Groups of items that are tried together, each in the order of the file.
///
/// `is_payer_short`: the payer can't pay for all rows, so that each may stand in the way of any that comes later.
pub(crate) fn windows(planner: &Planner<'_>, items: &[Item], is_payer_short: bool) -> Vec<Vec<usize>> {
    if is_payer_short {
        return vec![(0..items.len()).collect()];
    }
    let mut group_of: HashMap<String, usize> = HashMap::new();
    let mut parents: Vec<usize> = Vec::new();
    for item in items {
        let own = parents.len();
        parents.push(own);
        for key in keys(planner, item) {
            match group_of.get(&key) {
                Some(other) => {
                    let (one, other) = (root(&parents, own), root(&parents, *other));
                    let (low, high) = (one.min(other), one.max(other));
                    if let Some(parent) = parents.get_mut(high) {
                        *parent = low;
                    }
                }
                None => {
                    group_of.insert(key, own);
                }
            }
        }
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
    for number in 0..items.len() {
        if let Some(group) = members.get_mut(root(&parents, number)) {
            group.push(number);
        }
    }
    let mut windows: Vec<Vec<usize>> = Vec::new();
    for group in members.into_iter().filter(|group| !group.is_empty()) {
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

fn root(parents: &[usize], mut number: usize) -> usize {
    while let Some(parent) = parents.get(number).filter(|parent| **parent != number) {
        number = *parent;
    }
    number
}

/// What an item has in common with those that it may stand in the way of.
fn keys(planner: &Planner<'_>, item: &Item) -> Vec<String> {
    let mut keys = vec![format!("record {}", item.record())];
    // People of a group aren't told apart: no limit of one person is theirs.
    if planner.mapping.account_kind == PeopleKind::Group {
        return keys;
    }
    if let Some(wanted) = item.wanted() {
        keys.push(match planner.accounts.get(&(Party::Volunteer, wanted.volunteer.clone())) {
            Some(Found::Account(account)) => format!("account {}", hex::encode(account.0)),
            Some(Found::Nobody | Found::Unclear(_)) | None => format!("name {}", wanted.volunteer),
        });
    }
    keys.extend(
        planner.standings.get(item.record()).map(|stands| format!("account {}", hex::encode(&stands.volunteer))),
    );
    keys
}
