//! What an auditor keeps where no operator can change it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{engine::store::read_text, format::checkpoint::VerifierKey, merkle::Hash};

/// Why a pin can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The file can't be read.
    #[error("{path}: {source}")]
    Io {
        /// The pin's file, named as the caller named it.
        path: std::path::PathBuf,
        /// From opening or reading it.
        source: std::io::Error,
    },
    /// It is none.
    #[error("{path} is no pin: {problem}. Expected ledger_key and genesis_leaf_hash as a first start printed them")]
    Malformed {
        /// The pin's file, named as the caller named it.
        path: std::path::PathBuf,
        /// A clause such as `genesis_leaf_hash: expected 64 hex digits`, or what the TOML parser says.
        problem: String,
    },
}

/// A ledger's identity: its origin, the key that signs its checkpoints (a C2SP verifier key has both), and the hash of its
/// genesis' leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Origin and key.
    pub ledger_key: VerifierKey,
    /// RFC 6962 leaf hash of entry 0.
    pub genesis_leaf_hash: Hash,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PinFile {
    ledger_key: String,
    genesis_leaf_hash: String,
}

impl Pin {
    /// Reads a pin: a TOML file with `ledger_key` and `genesis_leaf_hash`.
    ///
    /// # Errors
    /// The file can't be read, or is none.
    pub fn read(path: &Path) -> Result<Self, PinError> {
        let text = read_text(path).map_err(|source| PinError::Io { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|problem| PinError::Malformed { path: path.to_owned(), problem })
    }

    /// Reads the text of a pin.
    ///
    /// # Errors
    /// What is wrong with it, as [`PinError::Malformed`] has it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: PinFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let ledger_key = file.ledger_key.parse().map_err(|error| format!("ledger_key: {error}"))?;
        let hash = hex::decode(&file.genesis_leaf_hash).ok().and_then(|hash| hash.try_into().ok());
        let genesis_leaf_hash = hash.ok_or("genesis_leaf_hash: expected 64 hex digits")?;
        Ok(Self { ledger_key, genesis_leaf_hash })
    }

    /// The pin as its file has it.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "# What an auditor of this ledger pins: keep it where its operators can't change it.\n\
             ledger_key = \"{}\"\ngenesis_leaf_hash = \"{}\"\n",
            self.ledger_key,
            hex::encode(self.genesis_leaf_hash)
        )
    }

    /// The first part in which a ledger differs from this pin: its name, pinned, found.
    #[must_use]
    pub fn difference(&self, found: &Self) -> Option<(&'static str, String, String)> {
        let (pinned_key, found_key) = (&self.ledger_key, &found.ledger_key);
        if pinned_key.name() != found_key.name() {
            return Some(("origin", pinned_key.name().to_owned(), found_key.name().to_owned()));
        }
        if pinned_key != found_key {
            return Some(("ledger key", pinned_key.to_string(), found_key.to_string()));
        }
        let (pinned, found) = (self.genesis_leaf_hash, found.genesis_leaf_hash);
        (pinned != found).then(|| ("genesis leaf hash", hex::encode(pinned), hex::encode(found)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::format::signature::PrivateKey;

    fn pin() -> Pin {
        let ledger_key = VerifierKey::new("timebank.example", PrivateKey::from_seed([1; 32]).public_key()).unwrap();
        Pin { ledger_key, genesis_leaf_hash: [7; 32] }
    }

    fn check(text: &str, expected: &str) {
        let problem = Pin::parse(text).unwrap_err();
        assert!(problem.contains(expected), "{problem}");
    }

    #[test]
    fn a_pin_reads_back_as_it_was_written() {
        assert_eq!(Pin::parse(&pin().to_text()), Ok(pin()));
    }

    #[test]
    fn a_text_that_lacks_something_or_has_more_is_no_pin() {
        let text = pin().to_text();
        check("", "missing field `ledger_key`");
        check(&text.replace("= \"0707", "= \"07"), "genesis_leaf_hash: expected 64 hex digits");
        check(&text.replace("= \"timebank", "= \"another"), "ledger_key: the key hash");
        check(&(text + "more = 1\n"), "unknown field `more`");
    }
}
