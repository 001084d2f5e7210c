//! Why the writer ends by itself. Nothing that it would do after it could be trusted; the next start finds what there is.

use std::sync::Arc;

use crate::engine::{past::PastError, projection::ProjectionError, store::StoreError};

/// Why the writer ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The log failed for good, or goes on without this writer.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// What is derived from the log can't be kept or read.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// Old entries, or what was put away, can't be read or kept.
    #[error(transparent)]
    Past(#[from] PastError),
    /// The place of the checkpoint holds another one.
    #[error("no further checkpoint is signed: {0}")]
    Checkpoint(String),
    /// An invariant of the program doesn't hold.
    #[error("{0}; nothing after it can be trusted")]
    Broken(&'static str),
}

/// What is done when the writer ends by itself, on the thread that ended first.
pub type OnStop = Arc<dyn Fn(&Stop) + Send + Sync>;

/// Ends the process: nobody is to be answered by what is left of it.
#[must_use]
pub fn exit_on_stop() -> OnStop {
    Arc::new(|stop| {
        tracing::error!("stopping: {stop}");
        #[allow(clippy::disallowed_methods, reason = "nothing that is left of the writer may go on")]
        std::process::exit(70)
    })
}
