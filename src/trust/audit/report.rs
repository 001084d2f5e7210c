//! What an audit comes to.

use super::{Audit, Discrepancy, Finding, MemoryCondition, Pin};
use crate::merkle::Hash;

/// A source that was verified, and is older than what an earlier audit verified.
#[derive(Debug, Clone)]
pub struct OlderSource {
    /// Entries of the checkpoint that was verified before.
    pub size: u64,
    /// When it was verified, in ms since 1970.
    pub verified_at: Option<i64>,
    /// Why the two could not be compared. Otherwise the source is the beginning of what was verified.
    pub not_compared: Option<String>,
}

/// What was audited, and the verdict.
#[derive(Debug)]
pub struct AuditReport {
    /// The ledger's identity: as its genesis says, or of a source that was not replayed, as it is remembered.
    pub genesis: Option<Pin>,
    /// Entries that were found in order.
    pub entries: u64,
    /// Events of these entries; 0 where nothing was replayed.
    pub events: u64,
    /// Accounts that these entries opened; 0 where nothing was replayed.
    pub accounts: usize,
    /// The entry as of which the server's answers were compared with the log.
    pub compared_at: Option<u64>,
    /// The identity came from outside: in this audit, or in an earlier one.
    pub is_pinned: bool,
    /// Entries that an earlier audit had replayed.
    pub resumed_at: u64,
    /// Where the source is older than what was verified before: how much.
    pub older: Option<OlderSource>,
    /// What of the source is damaged and says nothing, so that it was left out.
    pub left_out: Option<&'static str>,
    /// How it stands with what the auditor remembers.
    pub memory: MemoryCondition,
    /// Size and root that were verified, or what is wrong.
    pub verdict: Result<(u64, Hash), Discrepancy>,
}

impl AuditReport {
    /// A report of a replay. `known`: whether the identity came from outside, and how many entries were replayed before.
    pub(super) fn new(
        audit: &Audit,
        (is_pinned, resumed_at): (bool, u64),
        verdict: Result<(u64, Hash), Discrepancy>,
    ) -> Self {
        Self {
            genesis: audit.genesis().cloned(),
            entries: audit.size(),
            events: audit.events(),
            accounts: audit
                .replay()
                .map_or(0, |replay| usize::try_from(replay.state.accounts().len()).unwrap_or(usize::MAX)),
            compared_at: None,
            is_pinned,
            resumed_at,
            older: None,
            left_out: None,
            memory: MemoryCondition::default(),
            verdict,
        }
    }

    /// Nothing was replayed: the ledger doesn't continue what is remembered.
    pub(super) fn of_memory(genesis: Option<Pin>, (is_pinned, entries): (bool, u64), found: Discrepancy) -> Self {
        Self {
            genesis,
            entries,
            events: 0,
            accounts: 0,
            compared_at: None,
            is_pinned,
            resumed_at: entries,
            older: None,
            left_out: None,
            memory: MemoryCondition::default(),
            verdict: Err(found),
        }
    }

    /// What is wrong, in a sentence. Of an identity that nobody pinned it says where it was from.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match &self.verdict {
            Err(found @ Discrepancy::Log { finding: Finding::NotAsPinned { .. }, .. }) if !self.is_pinned => {
                Some(format!("{found}. It was taken from its source by an earlier audit, without a pin"))
            }
            Err(found) => Some(found.to_string()),
            Ok(_) => None,
        }
    }

    /// Every entry is in order, but they aren't those that the checkpoint is over.
    pub(super) const fn is_other_history(&self) -> bool {
        matches!(self.verdict, Err(Discrepancy::Log { finding: Finding::RootMismatch { .. }, .. }))
    }

    /// It didn't pass, but stands on what an earlier audit left on this machine: other than a contradiction between two
    /// checkpoints, that may be what is wrong.
    pub(super) fn may_be_my_fault(&self) -> bool {
        self.resumed_at > 0 && self.entries > 0 && self.verdict.as_ref().is_err_and(Discrepancy::is_by_replay)
    }

    /// Something of the source was left out.
    pub(super) const fn leaving_out(mut self, left_out: Option<&'static str>) -> Self {
        self.left_out = left_out;
        self
    }

    /// The first entry that isn't the one that was signed, where it was found.
    pub(super) const fn naming(mut self, entry: Option<u64>) -> Self {
        if let (Err(Discrepancy::Log { first_other, .. }), Some(_)) = (&mut self.verdict, entry) {
            *first_other = entry;
        }
        self
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.verdict.is_ok()
    }

    /// Size and root that were verified.
    #[must_use]
    pub fn verified(&self) -> Option<(u64, Hash)> {
        self.verdict.as_ref().ok().copied()
    }

    /// It is sound, and ends before what was verified already.
    pub(super) fn older(mut self, older: OlderSource) -> Self {
        self.older = Some(older);
        self
    }

    /// How it stands with what the auditor remembers.
    pub(super) fn remembered(mut self, memory: MemoryCondition) -> Self {
        self.memory = memory;
        self
    }

    /// The log is sound, but something else isn't.
    pub(super) fn with(mut self, found: Discrepancy) -> Self {
        self.verdict = Err(found);
        self
    }

    /// The server's answers agree with its log, as of this entry.
    pub(super) const fn compared(mut self, index: u64) -> Self {
        self.compared_at = Some(index);
        self
    }
}
