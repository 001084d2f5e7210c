//! Why a read has no answer.

use std::{borrow::Cow, time::Duration};

use crate::{
    engine::{past::PastError, projection::ProjectionError, store::StoreError},
    ledger::{AccountId, EventRef},
};

/// Why a read has no answer: whoever asked may mend all but the last ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The reader is not shown this.
    #[error("this is shown on the ledger's own machine alone; ask there")]
    NotPermitted,
    /// A value that can't be; a cursor that is none.
    #[error("{field}: expected {expected}")]
    FieldInvalid {
        /// The field of the request, as `ledger_service.proto` calls it.
        field: &'static str,
        /// What would be taken, in words that follow "expected".
        expected: Cow<'static, str>,
    },
    /// No such account.
    #[error("account {account} does not exist; check its id, or open it first")]
    AccountUnknown {
        /// As it was asked for.
        account: AccountId,
    },
    /// No such entry yet.
    #[error("the log has no entry {index} yet")]
    EntryUnknown {
        /// As it was asked for.
        index: u64,
    },
    /// The entry has no such event.
    #[error("entry {index} has {events} events, from 0")]
    EventUnknown {
        /// An entry that there is.
        index: u64,
        /// How many it has.
        events: usize,
    },
    /// The event is neither a service record nor a correction or reversal of one.
    #[error(
        "event {at} neither recorded a service nor corrected or reversed one; histories show the places of records"
    )]
    RecordUnknown {
        /// As it was asked for.
        at: EventRef,
    },
    /// As of an entry that isn't there yet.
    #[error("the log has no entry {index} yet: its last one is {reflected_index}. Ask as of that one, or again later")]
    IndexOutOfRange {
        /// As it was asked for.
        index: u64,
        /// The last entry that there is.
        reflected_index: u64,
    },
    /// As of a time before the ledger was.
    #[error("the ledger did not exist yet at this time")]
    TimeOutOfRange,
    /// An entry that a read waited for wasn't recorded in time.
    #[error(
        "entry {min_index} isn't recorded yet, the log has {size} entries; waited {} s", .waited.as_secs()
    )]
    IndexNotReached {
        /// The entry that was waited for.
        min_index: u64,
        /// Entries that there are.
        size: u64,
        /// For how long.
        waited: Duration,
    },
    /// One digest is made at a time.
    #[error("another digest is being made; ask again in a minute")]
    DigestBusy,
    /// The service is going down.
    #[error("the service is going down; ask again when it is back")]
    ShuttingDown,
    /// The ledger's files failed the read. What they failed with is for the operator's log, not for the reader.
    #[error("the ledger's files could not be read; the operator finds the cause in the log")]
    Failed {
        /// The cause, with names of files.
        problem: String,
    },
}

impl ReadError {
    /// A value of a request that can't be.
    pub fn invalid(field: &'static str, expected: impl Into<Cow<'static, str>>) -> Self {
        Self::FieldInvalid { field, expected: expected.into() }
    }

    /// The files hold what no writer of theirs wrote.
    pub(super) fn damaged(problem: impl Into<String>) -> Self {
        Self::Failed { problem: problem.into() }
    }

    /// The field of the request that it is about, as `ledger_service.proto` calls it; empty where it is about none.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::FieldInvalid { field, .. } => field,
            Self::AccountUnknown { .. } => "account",
            Self::EntryUnknown { .. } => "index",
            Self::EventUnknown { .. } => "event.event",
            Self::RecordUnknown { .. } => "event",
            Self::IndexOutOfRange { .. } => "at_index",
            Self::TimeOutOfRange => "at_time_ms",
            Self::NotPermitted
            | Self::IndexNotReached { .. }
            | Self::DigestBusy
            | Self::ShuttingDown
            | Self::Failed { .. } => "",
        }
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::damaged(error.to_string())
    }
}

impl From<PastError> for ReadError {
    fn from(error: PastError) -> Self {
        Self::damaged(error.to_string())
    }
}

impl From<ProjectionError> for ReadError {
    fn from(error: ProjectionError) -> Self {
        Self::damaged(error.to_string())
    }
}
