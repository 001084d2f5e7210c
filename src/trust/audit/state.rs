//! How far audits of one kind of source have come: the auditor's own state, and how another audit goes on from it.

use super::{
    Audit, Pin, Scratch,
    auditor::{Auditor, Interrupted},
};
use crate::{
    engine::{log::StoredEntry, pipeline::KnownKeys, progress::Work, projection::Projection, replay::Replay},
    format::wire,
    merkle::{Frontier, Hash, leaf_hash, root_of_leaves},
};

/// What an earlier audit had replayed; nothing at all at the beginning.
pub(super) struct Remembered {
    /// What the state began with.
    pub(super) genesis: Option<Pin>,
    /// Events that the state is the sum of.
    pub(super) events: u64,
    /// The auditor's own projections, and what they stand at.
    pub(super) own: Projection,
    pub(super) replay: Replay,
    pub(super) old: Scratch,
}

/// An audit that begins where another ended, or with the first entry.
pub(super) struct Resumed {
    pub(super) audit: Audit,
    pub(super) own: Projection,
    /// Entries that were verified before.
    pub(super) start: u64,
    pub(super) keys: KnownKeys,
}

impl Remembered {
    pub(super) fn size(&self) -> u64 {
        self.replay.state.size()
    }

    /// Whether it is of this ledger. Where nobody knows which one is meant, it is.
    pub(super) fn is_of(&self, expected: Option<&Pin>) -> bool {
        expected.is_none_or(|expected| self.genesis.as_ref() == Some(expected))
    }

    /// An audit that goes on from here. `sizes`: those that checkpoints are over, where they are known before.
    pub(super) fn resume(
        self,
        expected: Option<Pin>,
        sizes: impl IntoIterator<Item = u64>,
    ) -> std::io::Result<Resumed> {
        let start = self.size();
        let Self { genesis, events, own, replay, old } = self;
        let keys = KnownKeys::of(replay.state.version());
        let audit = match genesis {
            Some(genesis) => Audit::resume(genesis, (replay, events), sizes, old)?,
            None => Audit::new(expected, sizes, old),
        };
        Ok(Resumed { audit, own, start, keys })
    }

    /// Whether the source's first entries are those that were verified, and what of `next` comes after them. None where they
    /// aren't, or where it ends before. `node` says whether the source keeps this hash of the tree.
    ///
    /// # Errors
    /// Somebody wants no more.
    pub(super) fn follow(
        &self,
        auditor: &Auditor,
        next: impl FnMut() -> Option<Vec<StoredEntry>>,
        node: impl FnMut(u64, Hash) -> bool,
    ) -> Result<Option<Vec<StoredEntry>>, Interrupted> {
        let followed = follow(&self.replay.frontier, auditor, next, node);
        auditor.progress.ended();
        followed
    }
}

fn follow(
    known: &Frontier,
    auditor: &Auditor,
    mut next: impl FnMut() -> Option<Vec<StoredEntry>>,
    mut node: impl FnMut(u64, Hash) -> bool,
) -> Result<Option<Vec<StoredEntry>>, Interrupted> {
    let (mut frontier, mut number, mut sound) = (Frontier::default(), 0, true);
    loop {
        auditor.refuse_if_stopped()?;
        // A source that gives nothing has ended: it is shorter than what is remembered.
        let Some(entries) = next().filter(|entries| !entries.is_empty()) else { return Ok(None) };
        let mut entries = entries.into_iter();
        for entry in entries.by_ref() {
            // The leaf is over the header; the header is over the events.
            let Ok(header) = wire::decode_header(&entry.header) else { return Ok(None) };
            let root = root_of_leaves(entry.events.iter().map(|event| leaf_hash(event)));
            if root != header.events_root || entry.index != frontier.size() {
                return Ok(None);
            }
            frontier.append(leaf_hash(&entry.leaf()), |hash| {
                sound &= node(number, hash);
                number += 1;
            });
            if frontier.size() == known.size() {
                return Ok((sound && frontier == *known).then(|| entries.collect()));
            }
        }
        auditor.tell(Work::KnownEntries, frontier.size(), Some(known.size()))?;
    }
}
