//! Snapshots, written beside what goes on.

use std::thread::JoinHandle;

use crate::engine::{node::Node, replay::StillReplay};

/// Entries after which the state is saved: replaying as many takes a few seconds. In a build for tests so few that they get
/// there.
pub(crate) const SNAPSHOT_ENTRIES: u64 = if cfg!(debug_assertions) { 100 } else { 200_000 };

/// Saves one state after another, each on a thread of its own. One at a time, so that no more than two are in memory.
#[derive(Debug)]
pub(crate) struct Saver {
    node: Node,
    /// The thread that writes the newest snapshot.
    saving: Option<JoinHandle<()>>,
}

impl Saver {
    pub(crate) const fn new(node: Node) -> Self {
        Self { node, saving: None }
    }

    /// Saves a state that the projections stand at just now.
    pub(crate) fn save(&mut self, replay: StillReplay) {
        let heads = self.node.projection.heads();
        self.finish();
        let node = self.node.clone();
        let save = move || {
            if let Err(error) = node.save(&replay, &heads) {
                // A snapshot only saves time at the next start.
                tracing::warn!("the snapshot was not saved: {error}");
            }
        };
        match std::thread::Builder::new().name("snapshot".to_owned()).spawn(save) {
            Ok(saving) => self.saving = Some(saving),
            Err(error) => tracing::warn!("the snapshot was not saved: {error}"),
        }
    }

    /// Waits for the last one.
    pub(crate) fn finish(&mut self) {
        if let Some(Err(_panicked)) = self.saving.take().map(JoinHandle::join) {
            tracing::warn!("the snapshot was not saved");
        }
    }
}
