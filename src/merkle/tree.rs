//! A tree that only grows, by its right edge.
//!
//! Hashes of complete subtrees are stored in the order in which they become complete: a leaf, then each parent that it
//! completes, going up. That is the order of Go's `golang.org/x/mod/sumdb/tlog`: an append-only list that holds every
//! node once and never changes.

use serde::{Deserialize, Serialize};

use super::hash::{Hash, empty_root, node_hash};

/// The roots of the complete subtrees that a tree of some size consists of, largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

/// A frontier as it is read, before anything is checked.
#[derive(Deserialize)]
struct Parts {
    size: u64,
    roots: Vec<Hash>,
}

impl TryFrom<Parts> for Frontier {
    type Error = FrontierError;

    fn try_from(Parts { size, roots }: Parts) -> Result<Self, FrontierError> {
        Self::from_parts(size, roots)
    }
}

/// The roots can't be the frontier of a tree of this size, which has as many as its size has one bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves has {expected} complete subtrees, not {found}")]
pub struct FrontierError {
    /// Leaves.
    pub size: u64,
    /// Roots there are.
    pub found: usize,
    /// Roots there should be.
    pub expected: u32,
}

impl Frontier {
    /// The frontier of a tree of `size` leaves from the roots of its complete subtrees, largest first.
    ///
    /// # Errors
    /// The roots aren't as many as the complete subtrees.
    pub fn from_parts(size: u64, roots: Vec<Hash>) -> Result<Self, FrontierError> {
        let (found, expected) = (roots.len(), size.count_ones());
        if usize::try_from(expected).is_ok_and(|expected| expected == found) {
            Ok(Self { size, roots })
        } else {
            Err(FrontierError { size, found, expected })
        }
    }

    /// Leaves, and the roots of the complete subtrees, largest first.
    #[must_use]
    pub fn parts(&self) -> (u64, &[Hash]) {
        (self.size, &self.roots)
    }

    /// Leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; `stored` gets every hash that becomes complete, in storage order.
    pub fn append(&mut self, leaf: Hash, mut stored: impl FnMut(Hash)) {
        stored(leaf);
        let mut hash = leaf;
        // Each trailing one bit of the old size is a complete subtree that the new one completes a parent with.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(&left, &hash);
                stored(hash);
            }
        }
        self.roots.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The tree's root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else { return empty_root() };
        roots.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The root of a list of leaf hashes.
#[must_use]
pub fn root_of_leaves(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut frontier = Frontier::default();
    leaves.into_iter().for_each(|leaf| frontier.append(leaf, |_| ()));
    frontier.root()
}

/// How many hashes a tree of this size has stored: 2 x size - ones(size).
#[must_use]
pub fn stored_hash_count(size: u64) -> u64 {
    size.saturating_mul(2).saturating_sub(u64::from(size.count_ones()))
}

/// The most leaves whose hashes are all among the first so many that a tree stores.
#[must_use]
pub fn size_of_stored_hashes(hashes: u64) -> u64 {
    // At least as many hashes as leaves, and at most twice as many.
    let (mut size, mut beyond) = (hashes.checked_div(2).unwrap_or(0), hashes.saturating_add(1));
    while beyond > size.saturating_add(1) {
        let middle = u64::midpoint(size, beyond);
        if stored_hash_count(middle) <= hashes {
            size = middle;
        } else {
            beyond = middle;
        }
    }
    size
}

/// The storage number of a complete subtree: level 0 are the leaves, `index` counts from the left.
#[must_use]
pub fn stored_hash_number(level: u32, index: u64) -> u64 {
    // Complete with its last leaf: everything before that leaf is stored, then the leaf, then the parents up to here.
    let past_end = index.saturating_add(1).checked_shl(level).unwrap_or(u64::MAX);
    stored_hash_count(past_end.saturating_sub(1)).saturating_add(u64::from(level))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::merkle::leaf_hash;

    #[test]
    fn a_frontier_put_together_from_its_parts_goes_on_as_before() {
        let (mut whole, leaves) = (Frontier::default(), (0..20_u8).map(|number| leaf_hash(&[number])));
        for leaf in leaves {
            let (size, roots) = whole.parts();
            let mut restored = Frontier::from_parts(size, roots.to_vec()).unwrap();
            let mut read = serde_json::from_str::<Frontier>(&serde_json::to_string(&whole).unwrap()).unwrap();
            whole.append(leaf, |_| ());
            restored.append(leaf, |_| ());
            read.append(leaf, |_| ());
            assert_eq!((&restored, &read), (&whole, &whole));
        }
    }

    #[test]
    fn a_frontier_with_too_few_or_too_many_roots_is_refused() {
        let root = leaf_hash(b"");
        let error = FrontierError { size: 3, found: 1, expected: 2 };
        assert_eq!(Frontier::from_parts(3, vec![root]), Err(error));
        assert_eq!(Frontier::from_parts(0, vec![root]), Err(FrontierError { size: 0, found: 1, expected: 0 }));
        let message = serde_json::from_str::<Frontier>(r#"{"size":3,"roots":[]}"#).unwrap_err().to_string();
        assert!(message.contains("a tree of 3 leaves has 2 complete subtrees, not 0"), "{message}");
    }

    #[test]
    fn hashes_are_numbered_in_the_order_in_which_they_are_stored() {
        // Seven leaves, by hand: 0 1 (0-1) 2 3 (2-3) (0-3) 4 5 (4-5) 6.
        let expected = [(0, 0), (0, 1), (1, 0), (0, 2), (0, 3), (1, 1), (2, 0), (0, 4), (0, 5), (1, 2), (0, 6)];
        for ((level, index), number) in expected.into_iter().zip(0..) {
            assert_eq!(stored_hash_number(level, index), number, "level {level}, index {index}");
        }
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(stored_hash_count), [0, 1, 3, 4, 7, 8, 10, 11]);
    }
}
