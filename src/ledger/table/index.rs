//! From what names a row to its number.
//!
//! The index has no versions: writer and readers share it, and whoever holds a version ignores numbers that it doesn't have
//! yet. Rows that go away again, with a sheet that was refused, take their names with them.

use std::{
    hash::{BuildHasher, Hash},
    sync::{PoisonError, RwLock},
};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Names of a shard on average. One that is next to be split has twice as many, 3,400, and a table of 4,096 buckets of 5
/// bytes holds 3,584: so it is never copied into a larger one. A name costs 6 to 12 bytes, 8 on average.
const SHARD_NAMES: usize = 1_700;

/// Numbers by the hash of their names, in shards that split one after another: no insert ever moves more than one of them.
/// The hash is keyed, so that nobody can aim at collisions.
#[derive(Debug, Default)]
pub struct Index {
    hasher: RandomState,
    shards: RwLock<Shards>,
}

#[derive(Debug, Default)]
struct Shards {
    tables: Vec<HashTable<u32>>,
    names: usize,
}

impl Shards {
    /// Linear hashing: shard `n` of the doubled count where that was split off already, else of the single one. The bits
    /// are those that a table itself doesn't go by.
    fn of(&self, hash: u64) -> usize {
        let bits = usize::try_from(hash.wrapping_shr(32)).unwrap_or(usize::MAX);
        let half = self.tables.len().checked_next_power_of_two().unwrap_or(1).wrapping_shr(1).max(1);
        let within = |count: usize| bits & count.wrapping_sub(1);
        let doubled = within(half.wrapping_mul(2));
        if doubled < self.tables.len() { doubled } else { within(half) }
    }
}

impl Index {
    /// With room for so many names.
    #[must_use]
    pub fn for_names(names: u32) -> Self {
        let shards = usize::try_from(names).unwrap_or(usize::MAX).div_ceil(SHARD_NAMES);
        let table = || HashTable::with_capacity(SHARD_NAMES);
        let shards = Shards { tables: (0..shards).map(|_| table()).collect(), names: 0 };
        Self { hasher: RandomState::default(), shards: RwLock::new(shards) }
    }

    /// The hash of a name.
    #[must_use]
    pub fn hash(&self, name: &impl Hash) -> u64 {
        self.hasher.hash_one(name)
    }

    /// The number with this hash that is the one.
    #[must_use]
    pub fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        shards.tables.get(shards.of(hash))?.find(hash, |number| is_it(*number)).copied()
    }

    /// Adds a number. `hash_of` gives the hash of every number that was added before.
    pub fn insert(&self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        let shards = &mut *shards;
        shards.names = shards.names.saturating_add(1);
        if shards.names > shards.tables.len().saturating_mul(SHARD_NAMES) {
            shards.split(&hash_of);
        }
        let shard = shards.of(hash);
        if let Some(table) = shards.tables.get_mut(shard) {
            table.insert_unique(hash, number, |number| hash_of(*number));
        }
    }

    /// How many names there are.
    #[cfg(test)]
    pub(in crate::ledger) fn names(&self) -> usize {
        self.shards.read().unwrap_or_else(PoisonError::into_inner).tables.iter().map(HashTable::len).sum()
    }

    /// Takes a number away.
    pub fn remove(&self, hash: u64, number: u32) {
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        let shard = shards.of(hash);
        let entry =
            shards.tables.get_mut(shard).and_then(|table| table.find_entry(hash, |other| *other == number).ok());
        if let Some(entry) = entry {
            entry.remove();
            shards.names = shards.names.saturating_sub(1);
        }
    }
}

impl Shards {
    /// Adds a shard with those names of an older one that belong to it now.
    fn split(&mut self, hash_of: &impl Fn(u32) -> u64) {
        let new = self.tables.len();
        self.tables.push(HashTable::new());
        let Some(half) = new.checked_next_power_of_two().filter(|_| new > 0) else { return };
        // Of 2^k shards and p that were split off, the p-th is next.
        let old = if new == half { 0 } else { new.wrapping_sub(half.wrapping_shr(1)) };
        let Some(table) = self.tables.get_mut(old).map(std::mem::take) else { return };
        let each = table.len().div_euclid(2);
        for shard in [old, new] {
            if let Some(table) = self.tables.get_mut(shard) {
                *table = HashTable::with_capacity(each);
            }
        }
        for number in table {
            let hash = hash_of(number);
            let shard = self.of(hash);
            if let Some(table) = self.tables.get_mut(shard) {
                table.insert_unique(hash, number, |number| hash_of(*number));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_while_shards_split_and_none_that_went_away() {
        let index = Index::default();
        let hash_of = |number: u32| index.hash(&number);
        for number in 0..50_000 {
            index.insert(hash_of(number), number, hash_of);
            if number % 3 == 0 {
                index.remove(hash_of(number), number);
            }
        }
        for number in 0..60_000 {
            let found = index.find(hash_of(number), |other| other == number);
            assert_eq!(found.is_some(), number < 50_000 && number % 3 != 0, "{number}");
        }
        let shards = index.shards.read().unwrap_or_else(PoisonError::into_inner);
        assert!(shards.tables.len() > 8, "{}", shards.tables.len());
        let longest = shards.tables.iter().map(HashTable::len).max();
        assert!(longest.is_some_and(|longest| longest <= 3_584), "{longest:?}");
    }
}
