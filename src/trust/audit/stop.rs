//! Why an audit ends before its end: with something found, or with nothing to judge.

use std::io;

use super::{AuditError, Discrepancy, auditor::Interrupted};
use crate::{engine::projection::ProjectionError, format::archive::ArchiveError};

/// Why a replay stopped.
#[derive(Debug)]
pub(super) enum Stop<E> {
    Audit(AuditError),
    Archive(ArchiveError),
    /// The source could not be read on.
    Source(E),
    Interrupted(Interrupted),
    /// The source shows something else than its log adds up to, or its log's store is damaged.
    Found(Box<Discrepancy>),
}

impl<E> From<AuditError> for Stop<E> {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

impl<E> From<Interrupted> for Stop<E> {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

/// A folder for the memory of audits can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Nothing can be kept in the folder that the auditor named, nor is there anything to read: name another.
    #[error("{0}")]
    Unusable(String),
    /// No folder for temporary files can be made, in which an audit works that can't be remembered.
    #[error(transparent)]
    Temporary(io::Error),
}

/// Why nothing was judged. None of it says anything of the ledger. `E`: why the source can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unjudged<E> {
    /// Somebody wanted no more.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// There is no memory to work in.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// Files that an audit itself makes could not be written, or read again. An audit that leaves them alone was tried as
    /// well.
    #[error("the audit's own files failed: {0}")]
    OwnFiles(String),
    /// The auditor's own files contradict each other, though all of them were just made.
    #[error("the audit's own files failed: what was written to them is not what is read")]
    Unfit,
    /// The auditor's own history of an account can't be read.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// The archive can't be read.
    #[error(transparent)]
    Archive(ArchiveError),
    /// The source can't be read or reached.
    #[error(transparent)]
    Source(E),
}

impl<E> Unjudged<E> {
    /// The audit's own files failed.
    pub(super) fn own_files(error: impl std::fmt::Display) -> Self {
        Self::OwnFiles(error.to_string())
    }
}
