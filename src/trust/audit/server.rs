//! What an audit asks a server, and what it makes of the answers.

pub(crate) mod answers;
pub(crate) mod tree;

use std::fmt;

use super::Unjudged;
use crate::{
    engine::store::StoredEntry,
    format::{checkpoint::policy::WitnessPolicy, proto},
    merkle::Hash,
};

/// What an audit asks a server. Each call waits for its answer, and ends as [`ServerError::NoAnswer`] where the server stays
/// silent or the auditor wants no more.
pub trait Server {
    /// What whoever carries the calls says of one that failed.
    type Error: fmt::Debug + fmt::Display + Send;

    /// How many accounts, holds and entries the server says that there are.
    ///
    /// # Errors
    /// No answer, as of all calls.
    fn status(&mut self) -> Asked<proto::GetStatusResponse, Self::Error>;

    /// A page of all accounts.
    ///
    /// # Errors
    /// No answer.
    fn list_accounts(&mut self, request: proto::ListAccountsRequest)
    -> Asked<proto::ListAccountsResponse, Self::Error>;

    /// A page of all open holds.
    ///
    /// # Errors
    /// No answer.
    fn list_holds(&mut self, request: proto::ListHoldsRequest) -> Asked<proto::ListHoldsResponse, Self::Error>;

    /// A page of an account's history.
    ///
    /// # Errors
    /// No answer.
    fn list_history(&mut self, request: proto::ListHistoryRequest) -> Asked<proto::ListHistoryResponse, Self::Error>;

    /// The digest of all histories. A server makes one at a time: while it makes another's, this waits.
    ///
    /// # Errors
    /// No answer.
    fn state_digest(
        &mut self,
        request: proto::GetStateDigestRequest,
    ) -> Asked<proto::GetStateDigestResponse, Self::Error>;

    /// The newest checkpoint, and the newest that witnesses cosigned.
    ///
    /// # Errors
    /// No answer.
    fn checkpoints(&mut self) -> Asked<proto::GetCheckpointResponse, Self::Error>;

    /// The server's checkpoint, once it is over so many entries; where a policy is to be satisfied, the cosigned one.
    ///
    /// # Errors
    /// No answer, or a refusal where the server signs no such checkpoint while it is waited for.
    fn checkpoint_over(&mut self, size: u64, policy: Option<&WitnessPolicy>) -> Asked<String, Self::Error>;

    /// The path from the server's tree over so many entries to its tree over more; see
    /// [`consistency_roots`](crate::merkle::consistency_roots).
    ///
    /// # Errors
    /// No answer, or one that is no path.
    fn consistency_path(&mut self, old_size: u64, new_size: u64) -> Asked<Vec<Hash>, Self::Error>;

    /// The server's log from an index on.
    ///
    /// # Errors
    /// No answer.
    fn entries(&mut self, from_index: u64) -> Asked<Entries<Self::Error>, Self::Error>;
}

/// An answer, or why there is none.
pub type Asked<T, E> = Result<T, ServerError<E>>;

/// Gives the entries that come next from an index on, at least one; it is asked in order.
pub type Entries<E> = Box<dyn FnMut(u64) -> Asked<Vec<StoredEntry>, E> + Send>;

/// Why a server can't be audited.
#[derive(Debug, thiserror::Error)]
pub enum ServerError<E> {
    /// The ledger itself says no, or what it sent is none of what was asked for: it would be the same again.
    #[error("{0}")]
    Refused(E),
    /// The server can't be reached, or doesn't answer now: that says nothing of the ledger.
    #[error("{0}")]
    NoAnswer(E),
    /// A server may tell a list page by page without end.
    #[error("the server's list of {what} does not end, after {rows} of them")]
    EndlessList {
        /// Of what it is.
        what: &'static str,
        /// Rows that were told.
        rows: usize,
    },
    /// An answer reflects an entry that isn't there.
    #[error("the server's answers reflect entry {last}, but its log has only {size} entries")]
    BeyondItsLog {
        /// The last entry that an answer reflects.
        last: u64,
        /// Entries of the log.
        size: u64,
    },
    /// What the server gives for its checkpoint is something else.
    #[error("the server's checkpoint is none")]
    CheckpointMissing,
}

impl<E> ServerError<E> {
    /// Whether it is the server's own doing, and not that it can't be reached.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) | Self::EndlessList { .. } | Self::BeyondItsLog { .. } | Self::CheckpointMissing => true,
            Self::NoAnswer(_) => false,
        }
    }
}

impl<E> From<ServerError<E>> for Unjudged<ServerError<E>> {
    fn from(error: ServerError<E>) -> Self {
        Self::Source(error)
    }
}

pub(crate) type Unaudited<S> = Unjudged<ServerError<<S as Server>::Error>>;
