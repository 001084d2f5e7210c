//! What goes to the disk at once.

use super::{Part, Submission, SubmitError, TrialReply};
use crate::{
    engine::{log::StoredEntry, replay::StillReplay},
    ledger::{SheetOutcome, SheetTrial, Version},
    merkle::Hash,
};

/// Bytes of one commit: the bigger, the nearer to the disk's own speed, up to 1 MiB. A commit ends with the sheet that
/// takes it past this.
const COMMIT_BYTES_MAX: usize = 1_024 * 1_024;

/// A sheet that passed.
pub(super) struct Passed {
    pub(super) entry: StoredEntry,
    pub(super) outcome: SheetOutcome,
    pub(super) submission: Box<Submission>,
}

/// What goes to the disk at once, and who waits for it.
pub(super) struct Batch {
    pub(super) passed: Vec<Passed>,
    /// The same sheet came again: the receipt of this entry once it is durable.
    pub(super) repeated: Vec<(u64, Box<Submission>)>,
    /// Refused sheets, and trials: what they rest on has to be durable before anybody hears of it.
    pub(super) refused: Vec<(Box<Submission>, SubmitError)>,
    pub(super) tried: Vec<Tried>,
    /// Hashes of the tree that its entries make complete.
    pub(super) hashes: Vec<Hash>,
    pub(super) root: Hash,
    /// The ledger after this batch, for readers.
    pub(super) version: Version,
    /// State and tree after this batch, where it is time to save them.
    pub(super) snapshot: Option<Box<StillReplay>>,
    pub(super) bytes: usize,
}

impl Batch {
    /// Nothing is added to it any more: it is as big as a commit may be, or carries the state as of its end.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= COMMIT_BYTES_MAX || self.snapshot.is_some()
    }

    /// Adds the batch that follows.
    pub(super) fn append(&mut self, next: Self) {
        self.passed.extend(next.passed);
        self.repeated.extend(next.repeated);
        self.refused.extend(next.refused);
        self.tried.extend(next.tried);
        self.hashes.extend(next.hashes);
        (self.root, self.version, self.snapshot) = (next.root, next.version, next.snapshot);
        self.bytes += next.bytes;
    }
}

/// A trial's results on their way.
pub(super) struct Tried {
    pub(super) results: Vec<SheetTrial>,
    pub(super) reflected_index: u64,
    pub(super) reply: TrialReply,
    pub(super) permit: Part,
}
