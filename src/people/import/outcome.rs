//! What becomes of a row, and what the ledger had to say of it.

use crate::ledger::EventRef;

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowOutcome {
    Recorded,
    Corrected,
    Reversed,
    Unchanged,
    Rejected(Rejected),
}

impl RowOutcome {
    pub(crate) const fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }
}

/// Why a row was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// In words, with what to do; the other row or record that it names stands there as the ledger said it.
    pub(crate) text: String,
    /// The rule of the ledger that refused it; none where the row itself can't be taken.
    pub(crate) code: Option<String>,
    /// The other row or record, and the words for it in the text.
    pub(crate) other: Option<(Other, String)>,
}

impl Rejected {
    /// The row itself can't be taken.
    pub(crate) fn row(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: None, other: None }
    }
}

/// What stands in a row's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Other {
    /// A row of this import, by its number among the items.
    Item(usize),
    /// A record of the log.
    Record(EventRef),
}

/// Something worth a second look about a row that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Number of the row among the items.
    pub(crate) item: usize,
    pub(crate) text: String,
    pub(crate) other: Option<(Other, String)>,
}
