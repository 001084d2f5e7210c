//! Snapshots, written beside what goes on.

use std::thread::JoinHandle;

use crate::engine::{
    node::Node,
    projection::{ProjectionError, history::HistoryHeads},
    replay::StillReplay,
};

/// Entries after which the state is saved: replaying as many takes a few seconds. In a build for tests so few that they get
/// there.
pub(crate) const SNAPSHOT_ENTRIES: u64 = if cfg!(debug_assertions) { 100 } else { 200_000 };

/// Saves one state after another, each on a thread of its own. One at a time, so that no more than two are in memory.
#[derive(Debug)]
pub(crate) struct Saver {
    node: Node,
    /// The thread that writes the newest snapshot.
    saving: Option<JoinHandle<Result<(), ProjectionError>>>,
}

impl Saver {
    pub(crate) const fn new(node: Node) -> Self {
        Self { node, saving: None }
    }

    /// Saves a state that the projections stand at just now.
    ///
    /// # Errors
    /// Those of [`Self::finish`], of the one before.
    pub(crate) fn save(&mut self, replay: StillReplay) -> Result<(), ProjectionError> {
        let snapshot = Snapshot::of(&self.node, replay);
        self.finish()?;
        let node = self.node.clone();
        let save = move || snapshot.save(&node);
        match std::thread::Builder::new().name("snapshot".to_owned()).spawn(save) {
            Ok(saving) => self.saving = Some(saving),
            Err(error) => not_saved(&error),
        }
        Ok(())
    }

    /// Looks how the last one ended, if it did.
    ///
    /// # Errors
    /// Those of [`Self::finish`].
    pub(crate) fn check(&mut self) -> Result<(), ProjectionError> {
        if self.saving.as_ref().is_some_and(JoinHandle::is_finished) { self.finish() } else { Ok(()) }
    }

    /// Waits for the last one. One that was not saved only costs time at the next start.
    ///
    /// # Errors
    /// [`ProjectionError::SyncFailed`]: rows that a later snapshot relies on may not be on the disk.
    pub(crate) fn finish(&mut self) -> Result<(), ProjectionError> {
        match self.saving.take().map(JoinHandle::join) {
            Some(Ok(saved)) => return saved,
            Some(Err(_panicked)) => not_saved(&"its thread has failed"),
            None => {}
        }
        Ok(())
    }
}

/// A state, and where the histories ended when the projections stood at it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    replay: StillReplay,
    heads: HistoryHeads,
}

impl Snapshot {
    /// That of a state that the projections stand at just now.
    pub(crate) fn of(node: &Node, replay: StillReplay) -> Self {
        Self { replay, heads: node.projection.heads() }
    }

    /// Saves it. One that was not saved only costs time at the next start.
    ///
    /// # Errors
    /// [`ProjectionError::SyncFailed`]: rows that a later snapshot relies on may not be on the disk.
    pub(crate) fn save(&self, node: &Node) -> Result<(), ProjectionError> {
        match node.save(&self.replay, &self.heads) {
            Err(error @ ProjectionError::SyncFailed { .. }) => return Err(error),
            Err(error) => not_saved(&error),
            Ok(()) => {}
        }
        Ok(())
    }
}

fn not_saved(problem: &dyn std::fmt::Display) {
    tracing::warn!("the snapshot was not saved: {problem}");
}
