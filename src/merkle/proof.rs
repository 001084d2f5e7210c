//! Inclusion and consistency proofs: RFC 6962, section 2.1.1 and 2.1.2; verification as RFC 9162, section 2.1.3.2 and
//! 2.1.4.2.

use super::hash::{Hash, empty_root, node_hash};

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such leaf.
    #[error("leaf {index} is not in a tree of size {size}")]
    IndexOutOfRange {
        /// The leaf.
        index: u64,
        /// The tree.
        size: u64,
    },
    /// Trees don't shrink, and an empty one proves nothing.
    #[error("there is no consistency proof from size {old} to size {new}")]
    SizesOutOfRange {
        /// Before.
        old: u64,
        /// After.
        new: u64,
    },
    /// Too few hashes, or too many.
    #[error("the proof has {found} hashes, {expected} are needed")]
    LengthMismatch {
        /// In the proof.
        found: usize,
        /// Needed.
        expected: usize,
    },
    /// The hashes don't lead to the root.
    #[error("the proof does not lead to the root")]
    RootMismatch,
}

/// The largest power of two below `size`, as a shift; `size` is at least 2.
fn split(size: u64) -> u32 {
    size.saturating_sub(1).checked_ilog2().unwrap_or(0)
}

fn shl(value: u64, level: u32) -> u64 {
    value.checked_shl(level).unwrap_or(0)
}

/// The root of leaves `start` up to `start + size`, `start` a multiple of the largest power of two below `size`.
fn subtree_root<E>(start: u64, size: u64, node: &mut impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    if size == 0 {
        return Ok(empty_root());
    }
    if size.is_power_of_two() {
        let level = size.trailing_zeros();
        return node(level, start.checked_shr(level).unwrap_or(0));
    }
    let left = shl(1, split(size));
    let left_root = subtree_root(start, left, node)?;
    let right_root = subtree_root(start.saturating_add(left), size.saturating_sub(left), node)?;
    Ok(node_hash(&left_root, &right_root))
}

/// The root of the first `size` leaves. `node(level, index)` gives the hash of a complete subtree.
///
/// # Errors
/// Those of `node`.
pub fn root_at<E>(size: u64, mut node: impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    subtree_root(0, size, &mut node)
}

/// The hashes that lead from a leaf to the root of a tree, from the leaf up. Empty where there is no such leaf.
///
/// # Errors
/// Those of `node`.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut node: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let (mut start, mut size, mut path) = (0_u64, size, Vec::new());
    if index >= size {
        return Ok(path);
    }
    while size > 1 {
        let left = shl(1, split(size));
        let middle = start.saturating_add(left);
        if index < middle {
            path.push(subtree_root(middle, size.saturating_sub(left), &mut node)?);
            size = left;
        } else {
            path.push(subtree_root(start, left, &mut node)?);
            (start, size) = (middle, size.saturating_sub(left));
        }
    }
    path.reverse();
    Ok(path)
}

/// The hashes that show that a tree of `old` leaves is the beginning of one of `new`. Empty where `old` is 0, equal to
/// `new`, or beyond it.
///
/// # Errors
/// Those of `node`.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut node: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let (mut start, mut old, mut size, mut whole, mut path) = (0_u64, old, new, true, Vec::new());
    if old == 0 || old >= new {
        return Ok(path);
    }
    while old < size {
        let left = shl(1, split(size));
        let middle = start.saturating_add(left);
        if old <= left {
            path.push(subtree_root(middle, size.saturating_sub(left), &mut node)?);
            size = left;
        } else {
            path.push(subtree_root(start, left, &mut node)?);
            (start, old, size, whole) = (middle, old.saturating_sub(left), size.saturating_sub(left), false);
        }
    }
    // Where the old tree is itself a complete subtree from the first leaf on, its root is known to the verifier.
    if !whole {
        path.push(subtree_root(start, size, &mut node)?);
    }
    path.reverse();
    Ok(path)
}

/// A consistency proof that lacks nothing, as [`consistency_roots`] takes it. Empty where [`consistency_proof`] is
/// empty for its sizes.
///
/// # Errors
/// Those of `node`.
pub fn consistency_path<E>(
    old: u64,
    new: u64,
    mut node: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut path = consistency_proof(old, new, &mut node)?;
    if old.is_power_of_two() && old < new {
        path.insert(0, node(old.trailing_zeros(), 0)?);
    }
    Ok(path)
}

/// Checks that a leaf is in a tree.
///
/// # Errors
/// In the order of [`ProofError`].
pub fn verify_inclusion(
    leaf_hash: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let (mut node, mut last, mut hash) = (index, size.saturating_sub(1), *leaf_hash);
    let expected = inclusion_length(index, size);
    check_length(proof, expected)?;
    for sibling in proof {
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Checks that the tree of `old` leaves is the beginning of the tree of `new` leaves.
///
/// # Errors
/// In the order of [`ProofError`]. A proof from size 0 is refused: an empty tree is the beginning of every tree, and
/// whoever asks for such a proof has nothing to compare.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old == 0 || old > new {
        return Err(ProofError::SizesOutOfRange { old, new });
    }
    if old == new {
        check_length(proof, 0)?;
        return if old_root == new_root { Ok(()) } else { Err(ProofError::RootMismatch) };
    }
    let known = old.is_power_of_two().then_some(old_root);
    check_length(proof, consistency_length(old, new).saturating_sub(usize::from(known.is_some())))?;
    let path: Vec<Hash> = known.into_iter().chain(proof).copied().collect();
    let (found_old, found_new) = consistency_roots(old, new, &path)?;
    if found_old == *old_root && found_new == *new_root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// The roots of the trees of `old` and of `new` leaves that a path leads to.
///
/// The path is the consistency proof, with the root of the first `old` leaves before it where their number is a power of
/// two: RFC 6962 leaves that one out. Whoever finds `new` to be what the path leads to knows what the first `old` leaves
/// of that tree are, whatever anybody says of them.
///
/// # Errors
/// [`ProofError::SizesOutOfRange`] and [`ProofError::LengthMismatch`].
pub fn consistency_roots(old: u64, new: u64, path: &[Hash]) -> Result<(Hash, Hash), ProofError> {
    if old == 0 || old >= new {
        return Err(ProofError::SizesOutOfRange { old, new });
    }
    let expected = consistency_length(old, new);
    check_length(path, expected)?;
    let Some((first, siblings)) = path.split_first() else {
        return Err(ProofError::LengthMismatch { found: 0, expected });
    };
    let (mut node, mut last) = first_node(old, new);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in siblings {
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    Ok((old_hash, new_hash))
}

/// The largest complete subtree that ends with the old tree, and the last node of its level in the new one.
fn first_node(old: u64, new: u64) -> (u64, u64) {
    let level = old.trailing_zeros();
    let at = |size: u64| size.saturating_sub(1).checked_shr(level).unwrap_or(0);
    (at(old), at(new))
}

/// Hashes of a path of [`consistency_roots`].
fn consistency_length(old: u64, new: u64) -> usize {
    let (node, last) = first_node(old, new);
    inclusion_length_between(node, last).saturating_add(1)
}

fn check_length(proof: &[Hash], expected: usize) -> Result<(), ProofError> {
    if proof.len() == expected { Ok(()) } else { Err(ProofError::LengthMismatch { found: proof.len(), expected }) }
}

fn inclusion_length(index: u64, size: u64) -> usize {
    inclusion_length_between(index, size.saturating_sub(1))
}

/// Steps from a node to the root where `last` is the last node of its level: one for each level below the point where
/// the two paths meet, and one for each left sibling above it.
fn inclusion_length_between(node: u64, last: u64) -> usize {
    let inner = u64::BITS.saturating_sub((node ^ last).leading_zeros());
    let border = node.checked_shr(inner).unwrap_or(0).count_ones();
    usize::try_from(inner.saturating_add(border)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "tests stop at the first surprise"
    )]

    use super::*;
    use crate::merkle::{Frontier, leaf_hash, stored_hash_count, stored_hash_number};

    /// Leaves of the trees tried: all shapes up to 6 levels and a few beyond.
    const SIZE_MAX: u64 = 70;

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|number| leaf_hash(&number.to_be_bytes())).collect()
    }

    /// RFC 6962, section 2.1, to the letter.
    fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let left = 1 << split(leaves.len() as u64);
                node_hash(&naive_root(&leaves[..left]), &naive_root(&leaves[left..]))
            }
        }
    }

    fn stored() -> (Vec<Hash>, Vec<Hash>) {
        let (mut frontier, mut stored, mut roots) = (Frontier::default(), Vec::new(), vec![empty_root()]);
        for leaf in leaves(SIZE_MAX) {
            frontier.append(leaf, |hash| stored.push(hash));
            roots.push(frontier.root());
            assert_eq!(stored_hash_count(frontier.size()), stored.len() as u64);
        }
        (stored, roots)
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let (stored, roots) = stored();
        let node = |level, index| Ok::<_, ()>(stored[stored_hash_number(level, index) as usize]);
        for size in 0..=SIZE_MAX {
            let expected = naive_root(&leaves(size));
            assert_eq!(roots[size as usize], expected, "frontier, size {size}");
            assert_eq!(root_at(size, node).unwrap(), expected, "stored hashes, size {size}");
        }
    }

    #[test]
    fn every_inclusion_proof_verifies_and_no_other_does() {
        let (stored, roots) = stored();
        let node = |level, index| Ok::<_, ()>(stored[stored_hash_number(level, index) as usize]);
        for size in 1..=SIZE_MAX {
            let (leaves, root) = (leaves(size), roots[size as usize]);
            for index in 0..size {
                let proof = inclusion_proof(index, size, node).unwrap();
                let leaf = &leaves[index as usize];
                assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Ok(()), "{index} in {size}");
                assert!(verify_inclusion(leaf, index + 1, size, &proof, &root).is_err(), "{index} + 1 in {size}");
                assert!(verify_inclusion(&root, index, size, &proof, &leaves[0]).is_err() || size == 1);
                let longer = [proof.as_slice(), &[root]].concat();
                assert!(verify_inclusion(leaf, index, size, &longer, &root).is_err(), "longer, {index} in {size}");
            }
        }
    }

    #[test]
    fn every_consistency_proof_verifies_and_no_other_does() {
        let (stored, roots) = stored();
        let node = |level, index| Ok::<_, ()>(stored[stored_hash_number(level, index) as usize]);
        for new in 1..=SIZE_MAX {
            for old in 1..=new {
                let proof = consistency_proof(old, new, node).unwrap();
                let (old_root, new_root) = (&roots[old as usize], &roots[new as usize]);
                let path = consistency_path(old, new, node).unwrap();
                let both = consistency_roots(old, new, &path);
                assert_eq!(both.is_ok(), old < new, "{old} to {new}");
                assert_eq!(both.unwrap_or((*old_root, *new_root)), (*old_root, *new_root), "{old} to {new}");
                if let Some(shorter) = path.get(1..) {
                    assert!(consistency_roots(old, new, shorter).is_err(), "{old} to {new}");
                }
                assert_eq!(verify_consistency(old, old_root, new, new_root, &proof), Ok(()), "{old} to {new}");
                let wrong = &roots[old as usize - 1];
                assert!(verify_consistency(old, wrong, new, new_root, &proof).is_err(), "{old} to {new}");
                let longer = [proof.as_slice(), &[*old_root]].concat();
                assert!(verify_consistency(old, old_root, new, new_root, &longer).is_err(), "{old} to {new}");
            }
        }
    }
}
