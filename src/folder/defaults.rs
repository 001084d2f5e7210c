//! Where things are, if nothing else is said.

use std::path::PathBuf;

/// Where `serve` listens and clients look, if nothing else is said.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:7464";

/// The data folder, if nothing else is said: `timebank` where the platform keeps a person's data.
#[must_use]
pub fn default_folder() -> PathBuf {
    dirs::data_dir().unwrap_or_else(|| PathBuf::from(".")).join("timebank")
}

/// Where a witness listens, if nothing else is said.
pub const DEFAULT_WITNESS_ADDRESS: &str = "127.0.0.1:7465";

/// The data folder of a witness, if nothing else is said: beside that of a ledger, and never the same.
#[must_use]
pub fn default_witness_folder() -> PathBuf {
    default_folder().with_file_name("timebank-witness")
}
