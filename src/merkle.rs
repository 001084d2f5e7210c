//! RFC 6962 trees: hashing, proofs, and the order in which node hashes are stored.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    reason = "a proof never depends on an overflow"
)]

mod hash;
mod proof;
mod tree;

pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use proof::{ProofError, consistency_proof, inclusion_proof, root_at, verify_consistency, verify_inclusion};
pub use tree::{Frontier, root_of_leaves, stored_hash_count, stored_hash_number};
