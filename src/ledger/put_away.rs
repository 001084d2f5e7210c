//! What a state puts away: kept outside memory, it comes back as [`Facts`](super::Facts) where a sheet asks for it. So the
//! state grows with accounts and open matters, not with what was once recorded.

use super::{
    account::RecordNote,
    served::OlderTime,
    units::{EventRef, KeyId, LogIndex, SheetId},
};

/// Sheet ids, or notes, that are put away at once: as sorted rows, 0.7 and 1 MB. To keep a batch of ids takes 3 ms, 12 at
/// worst. Until then there are up to so many ids past their validity in memory, rows of 29 bytes, and twice as many notes, 96
/// bytes each in an ordered map. In a build for tests so few that they get there.
pub(super) const PUT_AWAY_AT_ONCE: usize = if cfg!(debug_assertions) { 16 } else { 16_384 };

/// What a sheet made the state put away: rows, and the number of the first of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutAway {
    /// As many as were put away before.
    pub first: PutAwayCounts,
    /// Times of service, one by one.
    pub times: Vec<OlderTime>,
    /// Ids of sheets past their validity: none, or a batch.
    pub sheets: Vec<OlderSheet>,
    /// What became of records: none, or a batch.
    pub notes: Vec<OlderNote>,
}

impl PutAway {
    /// Whether it is nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.times.is_empty() && self.sheets.is_empty() && self.notes.is_empty()
    }
}

/// Rows of each kind that were put away up to now: the number of the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PutAwayCounts {
    /// Times of service.
    pub times: u64,
    /// Ids of sheets.
    pub sheets: u64,
    /// What became of records.
    pub notes: u64,
}

/// The id of a sheet that is past its validity: nobody may use it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OlderSheet {
    /// Whose id it is.
    pub author: KeyId,
    /// Chosen by the author.
    pub id: SheetId,
    /// The entry that holds the sheet.
    pub index: LogIndex,
}

/// What had become of a record. A later one of the same record counts in its stead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OlderNote {
    /// The original record.
    pub record: EventRef,
    /// As the state held it.
    pub note: RecordNote,
}
