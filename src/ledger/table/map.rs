//! Rows that come and go, by an ordered key: open matters.

use std::ops::RangeBounds;

use imbl::OrdMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Rows by key, with the way back to before the newest changes. A copy shares all of it.
#[derive(Debug, Clone)]
pub struct Map<K: Ord, V> {
    rows: OrdMap<K, V>,
    before: Vec<(K, Option<V>)>,
}

impl<K: Ord, V> Default for Map<K, V> {
    fn default() -> Self {
        Self { rows: OrdMap::new(), before: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A row.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    /// The rows in the order of their keys.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    /// The rows of some keys, in order.
    pub fn range(&self, keys: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.range(keys)
    }

    /// Puts a row, or takes one away; what was there.
    pub fn set(&mut self, key: K, row: Option<V>) -> Option<V> {
        let before = self.put(key.clone(), row);
        self.before.push((key, before.clone()));
        before
    }

    fn put(&mut self, key: K, row: Option<V>) -> Option<V> {
        match row {
            Some(row) => self.rows.insert(key, row),
            None => self.rows.remove(&key),
        }
    }

    /// The changes are there to stay.
    pub fn settle(&mut self) {
        self.before.clear();
    }

    /// Takes the changes back.
    pub fn roll_back(&mut self) {
        while let Some((key, before)) = self.before.pop() {
            self.put(key, before);
        }
    }
}

impl<K: Serialize + Ord + Clone, V: Serialize + Clone> Serialize for Map<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter())
    }
}

impl<'de, K: Deserialize<'de> + Ord + Clone, V: Deserialize<'de> + Clone> Deserialize<'de> for Map<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(|rows: Vec<(K, V)>| rows.into_iter().collect())
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        Self { rows: rows.into_iter().collect(), before: Vec::new() }
    }
}
