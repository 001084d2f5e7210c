//! Private keys in files.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    engine::store::{atomic_write, read_text},
    format::signature::PrivateKey,
};

/// A private key in a file, and the ledger it is for.
#[derive(Debug, Clone)]
pub struct KeyFile {
    /// Ed25519, from the 32-byte seed that the file holds.
    pub key: PrivateKey,
    /// The ledger's origin; empty where none is known yet.
    pub origin: String,
}

/// Why a key file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It isn't there, or can't be read or written.
    #[error("the key file {path}: {source}")]
    Io {
        /// The key file, named as the caller named it.
        path: PathBuf,
        /// From reading or writing it. `NotFound` is what makes [`KeyFile::read_or_create`] make one.
        source: std::io::Error,
    },
    /// It is there already.
    #[error("the key file {path} exists; it is never overwritten. Choose another name")]
    Exists {
        /// The key file that is there already.
        path: PathBuf,
    },
    /// It holds no key.
    #[error("{path} is no key file: {problem}")]
    Invalid {
        /// The key file, named as the caller named it.
        path: PathBuf,
        /// A clause such as `its seed is not 64 hex digits`, or what the TOML parser says.
        problem: String,
    },
    /// It holds another ledger's key.
    #[error("{path} is not the key that this ledger's genesis names. Put the right one back")]
    OtherKey {
        /// The file whose key the genesis doesn't name: `ledger.key` or `service.key`.
        path: PathBuf,
    },
}

/// What a key file says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    algorithm: String,
    seed: String,
    public_key: String,
    key_id: String,
    origin: String,
}

impl KeyFile {
    /// A fresh key.
    #[must_use]
    pub fn generate(origin: &str) -> Self {
        Self { key: PrivateKey::generate(), origin: origin.to_owned() }
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyFileError::Io`], [`KeyFileError::Invalid`].
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text = read_text(path).map_err(|source| KeyFileError::Io { path: path.to_owned(), source })?;
        let invalid = |problem: String| KeyFileError::Invalid { path: path.to_owned(), problem };
        let contents: Contents = toml::from_str(&text).map_err(|error| invalid(error.message().to_owned()))?;
        if contents.algorithm != "ed25519" {
            return Err(invalid(format!("its algorithm is {:?}, expected \"ed25519\"", contents.algorithm)));
        }
        let seed = hex::decode(&contents.seed).ok().and_then(|seed| seed.try_into().ok());
        let seed = seed.ok_or_else(|| invalid("its seed is not 64 hex digits".to_owned()))?;
        let key = PrivateKey::from_seed(seed);
        if hex::encode(key.public_key()) != contents.public_key {
            return Err(invalid("its public_key does not belong to its seed".to_owned()));
        }
        Ok(Self { key, origin: contents.origin })
    }

    /// Writes a key file that only its owner may read.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`], [`KeyFileError::Io`].
    pub fn create(&self, path: &Path) -> Result<(), KeyFileError> {
        if path.exists() {
            return Err(KeyFileError::Exists { path: path.to_owned() });
        }
        let contents = Contents {
            algorithm: "ed25519".to_owned(),
            seed: hex::encode(self.key.seed()),
            public_key: hex::encode(self.key.public_key()),
            key_id: self.key.key_id().to_string(),
            origin: self.origin.clone(),
        };
        let body = toml::to_string(&contents)
            .map_err(|error| KeyFileError::Invalid { path: path.to_owned(), problem: error.to_string() })?;
        let text =
            format!("# A private key of a time bank ledger. Whoever has this file can sign in its name.\n{body}");
        atomic_write(path, text.as_bytes(), 0o600).map_err(|source| KeyFileError::Io { path: path.to_owned(), source })
    }

    /// Reads a key file, or makes one where there is none.
    ///
    /// # Errors
    /// Those of [`KeyFile::read`] and [`KeyFile::create`].
    pub fn read_or_create(path: &Path, origin: &str) -> Result<Self, KeyFileError> {
        match Self::read(path) {
            Err(KeyFileError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                let file = Self::generate(origin);
                file.create(path)?;
                Ok(file)
            }
            result => result,
        }
    }
}
