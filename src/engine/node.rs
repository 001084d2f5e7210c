//! A node: a log, and what it has worked out of it for itself, tree and projections. The writer's is one, a follower's
//! another; readers can't tell them apart.

use std::sync::Arc;

use crate::{
    engine::{
        log::Log,
        machine::{Machine, MachinePath},
        past::PastError,
        projection::{Committed, Projection, ProjectionError, history::HistoryHeads},
        replay::{Replay, StillReplay},
        tree::Tree,
    },
    format::proto,
    ledger::Version,
    merkle::Hash,
};

/// A log and what follows from it; clones are the same node.
#[derive(Debug, Clone)]
pub struct Node {
    /// What keeps the files that follow from the log, and lets time pass.
    pub machine: Arc<dyn Machine>,
    /// The entries.
    pub log: Arc<dyn Log>,
    /// The hashes of their tree.
    pub tree: Arc<Tree>,
    /// What readers are shown of them.
    pub projection: Arc<Projection>,
}

impl Node {
    /// What was saved of a log, or nothing. Hashes of the tree that are missing or damaged, as far as its right edge shows, are
    /// made again.
    ///
    /// # Errors
    /// The folder can't be read or written; the log can't be read.
    pub(crate) fn saved(
        log: Arc<dyn Log>,
        folder: impl Into<MachinePath>,
        origin: &str,
    ) -> Result<(Self, Replay), PastError> {
        let folder = folder.into();
        let (projection, replay) = Projection::open(folder.clone(), origin, log.size())?;
        let (tree, size) = (Tree::open(&folder)?, replay.state.size());
        if tree.size() < size || ProjectionError::damage(tree.root(size))? != Some(replay.frontier.root()) {
            tracing::warn!("projections/tree is missing, too short or damaged: it is made again from the log");
            tree.make_again(log.as_ref(), size)?;
        }
        tree.truncate(size)?;
        let machine = folder.machine;
        Ok((Self { machine, log, tree: Arc::new(tree), projection: Arc::new(projection) }, replay))
    }

    /// Shows durable entries to readers and gives their receipts. `hashes` are those that they make complete in the tree,
    /// `version` and `root` those after the last of them.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn show(
        &self,
        committed: &[Committed<'_>],
        hashes: &[Hash],
        version: Version,
        root: Hash,
    ) -> Result<Vec<proto::Receipt>, ProjectionError> {
        if let Some(first) = committed.first() {
            self.tree.append(first.index, hashes)?;
        }
        self.projection.apply(committed, version, root)
    }

    /// Saves state and tree, so that the next start replays only what comes after. `heads` are those of the projections when
    /// they stood where the state does.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn save(&self, replay: &StillReplay, heads: &HistoryHeads) -> Result<(), ProjectionError> {
        self.tree.sync()?;
        self.projection.save(replay, heads)
    }
}
