//! From a number to those that belong to it.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

/// Numbers that belong to another one, ascending: the accounts of a station, the later keys of an account. As an
/// [`Index`](super::Index) it has no versions.
#[derive(Debug, Default)]
pub struct Members(RwLock<HashMap<u32, Vec<u32>>>);

impl Members {
    /// Adds a number, larger than all before.
    pub fn add(&self, owner: u32, number: u32) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).entry(owner).or_default().push(number);
    }

    /// Takes the newest one away.
    pub fn take(&self, owner: u32) {
        let mut lists = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lists.get_mut(&owner) {
            list.pop();
            if list.is_empty() {
                lists.remove(&owner);
            }
        }
    }

    /// At most so many of them, from a number on and below an end.
    #[must_use]
    pub fn page(&self, owner: u32, from: u32, end: u32, most: usize) -> Vec<u32> {
        let lists = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let list = lists.get(&owner).map_or(&[][..], Vec::as_slice);
        let first = list.partition_point(|number| *number < from);
        list.iter().skip(first).take_while(|number| **number < end).take(most).copied().collect()
    }
}
