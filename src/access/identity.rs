//! What a ledger is known by.

use crate::ledger::Predecessor;

/// What the ledger says of itself.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The ledger key as a C2SP verifier key.
    pub ledger_vkey: String,
    /// Leaf hash of entry 0.
    pub genesis_leaf_hash: [u8; 32],
    /// The ledger that this one carries on.
    pub predecessor: Option<Predecessor>,
    /// Authenticates cursors. Follows from the ledger's private key, so cursors stay good over a restart.
    pub cursor_key: [u8; 32],
}
