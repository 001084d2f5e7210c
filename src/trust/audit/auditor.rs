//! Whoever audits: what is asked of a source, and who is told how far it is.

use tokio::sync::watch;

use super::{MemoryFolder, Pin};
use crate::{
    engine::progress::{Progress, Work},
    format::checkpoint::policy::WitnessPolicy,
};

/// What an auditor brings along, whatever the source.
#[derive(Clone, Copy)]
pub struct Auditor<'a> {
    /// The ledger's identity, kept where no operator can change it. Without it the source's own is taken.
    pub pin: Option<&'a Pin>,
    /// The witnesses that must have cosigned.
    pub policy: Option<&'a WitnessPolicy>,
    /// Where earlier audits are remembered, and this one will be.
    pub memory: &'a MemoryFolder,
    /// True once somebody wants no more of it: it remembers how far it came, and ends.
    pub stopped: &'a watch::Receiver<bool>,
    /// Whoever watches.
    pub progress: &'a dyn Progress,
}

/// Somebody wanted no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl std::fmt::Debug for Auditor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auditor").field("pin", &self.pin).field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl Auditor<'_> {
    /// Whatever takes long stops where somebody wants no more.
    pub(super) fn refuse_if_stopped(&self) -> Result<(), Interrupted> {
        if *self.stopped.borrow() { Err(Interrupted) } else { Ok(()) }
    }

    /// Tells whoever watches how far it is.
    pub(super) fn tell(&self, work: Work, entries: u64, all: Option<u64>) -> Result<(), Interrupted> {
        if self.progress.told(work, entries, all).is_break() { Err(Interrupted) } else { Ok(()) }
    }
}
