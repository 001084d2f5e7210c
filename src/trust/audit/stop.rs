//! Why an audit ends before its end: with nothing to judge.

use crate::engine::projection::ProjectionError;

/// Why nothing was judged. None of it says anything of the ledger. `E`: why the source can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unjudged<E> {
    /// The auditor's own history of an account can't be read.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// The source can't be read or reached.
    #[error(transparent)]
    Source(E),
}
