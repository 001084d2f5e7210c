//! What witnesses cosigned, kept beside the checkpoint.

use std::{io::ErrorKind, path::Path};

use super::{OpenError, check_covered, vkey};
use crate::{
    engine::{
        node::Node,
        store::{CheckpointFile, StoreError},
    },
    format::checkpoint,
    ledger::LedgerCreated,
};

/// The newest checkpoint that witnesses cosigned.
#[derive(Debug)]
pub(crate) struct Cosigned {
    /// Empty where there is none.
    pub(crate) note: String,
    /// Where it is kept.
    pub(crate) file: CheckpointFile,
}

impl Cosigned {
    /// Reads the file. One that is damaged is none, as witnesses can be asked again; any other has to be of this log, and one that
    /// can't be read just now may say more than the checkpoint does.
    pub(super) fn read(folder: &Path, node: &Node, created: &LedgerCreated) -> Result<Self, OpenError> {
        let path = folder.join("cosigned");
        let file = CheckpointFile::new(&path);
        let vkey = vkey(&created.origin, created.ledger_key)?;
        let invalid = |source| OpenError::CheckpointInvalid { path: path.clone(), source };
        let note = match file.read() {
            Ok(note) => note.unwrap_or_default(),
            // It isn't even text: no fault that passes.
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::InvalidData => {
                tracing::warn!("the cosigned checkpoint is asked for again: {}: {source}", path.display());
                String::new()
            }
            Err(error) => return Err(error.into()),
        };
        if note.is_empty() {
            return Ok(Self { note, file });
        }
        match checkpoint::open(note.as_bytes(), &vkey, &created.origin) {
            Ok(checkpoint) => {
                check_covered(node, &checkpoint, invalid)?;
                Ok(Self { note, file })
            }
            Err(error) => {
                tracing::warn!("the cosigned checkpoint is asked for again: {}", invalid(error));
                Ok(Self { note: String::new(), file })
            }
        }
    }
}
