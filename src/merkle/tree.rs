//! A tree that only grows, by its right edge.
//!
//! Hashes of complete subtrees are stored in the order in which they become complete: a leaf, then each parent that it
//! completes, going up. That is the order of Go's `golang.org/x/mod/sumdb/tlog`: an append-only list that holds every
//! node once and never changes.

use serde::{Deserialize, Serialize};

use super::hash::{Hash, empty_root, node_hash};

/// The roots of the complete subtrees that a tree of some size consists of, largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a tree of this size, or nothing where the roots aren't as many as its complete subtrees.
    #[must_use]
    pub fn from_parts(size: u64, roots: Vec<Hash>) -> Option<Self> {
        let expected = usize::try_from(size.count_ones()).ok()?;
        (roots.len() == expected).then_some(Self { size, roots })
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

/// The storage number of a complete subtree: level 0 are the leaves, `index` counts from the left.
#[must_use]
pub fn stored_hash_number(level: u32, index: u64) -> u64 {
    // Complete with its last leaf: everything before that leaf is stored, then the leaf, then the parents up to here.
    let past_end = index.saturating_add(1).checked_shl(level).unwrap_or(u64::MAX);
    stored_hash_count(past_end.saturating_sub(1)).saturating_add(u64::from(level))
}
