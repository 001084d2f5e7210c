//! What an import asks of a ledger. The command line asks over gRPC; a server that imports for a page asks itself.

use crate::{
    format::proto::{self, event::Kind},
    ledger::{AccountId, EventRef, LogIndex},
};

/// Why a ledger didn't do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    /// A rule said no: nothing was recorded, and the same would be refused again.
    #[error("{0}")]
    Refused(String),
    /// It can't be reached, or nobody knows what became of it: whoever asked knows what to tell.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

/// A ledger, and keys to sign with.
pub(crate) trait Remote {
    /// Signs events as a sheet.
    fn sign(&self, events: Vec<Kind>) -> Result<proto::Sheet, RemoteError>;

    /// Records a sheet; the very same sheet again gets the same receipt.
    async fn submit(&mut self, sheet: proto::Sheet) -> Result<proto::Receipt, RemoteError>;

    /// What would become of sheets one after another, from one of them on, and how many entries the log has.
    async fn try_sheets(
        &mut self,
        sheets: &[proto::Sheet],
        from_sheet: u32,
    ) -> Result<(Vec<proto::DryRunResult>, u64), RemoteError>;

    /// Records at up to [`RECORDS_MAX`] places, in order; an empty one where none is.
    async fn records(&mut self, places: &[EventRef]) -> Result<Vec<proto::Record>, RemoteError>;

    /// Accounts whose id begins with these hex digits.
    async fn find(&mut self, prefix: &str) -> Result<proto::FindAccountsResponse, RemoteError>;

    /// A page of accounts, of one station or of all, and where the next one begins.
    async fn accounts(
        &mut self,
        station: Option<AccountId>,
        cursor: String,
    ) -> Result<proto::ListAccountsResponse, RemoteError>;

    /// A page of the services that an account was credited with, oldest first, with what became of each.
    async fn services(&mut self, account: &[u8], cursor: String) -> Result<proto::ListHistoryResponse, RemoteError>;
}

/// A record's place as it travelled; one that no sheet has, if its number can't be an event's.
pub(crate) fn event_ref(at: proto::EventRef) -> EventRef {
    EventRef { index: LogIndex(at.index), event: u16::try_from(at.event).unwrap_or(u16::MAX) }
}

/// Places asked for at once: what `GetRecords` takes.
pub(crate) const RECORDS_MAX: usize = 1_000;
