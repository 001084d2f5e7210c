//! RFC 6962 trees: hashing, proofs, the order in which node hashes are stored, and the tiles they are published in.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    reason = "a proof never depends on an overflow"
)]

mod hash;
mod proof;
mod tile;
mod tiled;
mod tree;

pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use proof::{
    ProofError, consistency_path, consistency_proof, consistency_roots, inclusion_proof, root_at, verify_consistency,
    verify_inclusion,
};
pub use tile::{TILE_WIDTH, TileFile, TileLevel, parse_bundle, parse_tile, push_entry, tile_bytes, tile_levels};
pub use tiled::{TiledError, TiledLog};
pub use tree::{Frontier, FrontierError, root_of_leaves, size_of_stored_hashes, stored_hash_count, stored_hash_number};
