//! Signed checkpoints: blocks and tree durable > signed > written, synced, renamed, folder synced > published.

use std::{
    sync::{Arc, mpsc::Receiver},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    Accepted,
    answer::{Answers, Reply},
    fatal,
};
use crate::{
    engine::{
        log::Log,
        replay::Replay,
        store::{CheckpointFile, StoreError},
    },
    format::{checkpoint, proto, signature::PrivateKey},
    merkle::{Hash, inclusion_proof},
};

/// Shortest time between two checkpoints: each costs two syncs, which the log's own would have to wait for. Well below
/// the second that an entry may stay unpublished.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// A checkpoint that is out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Entries that it covers.
    pub size: u64,
    /// The signed note.
    pub note: String,
}

/// Entries up to `size` are durable; `waiters` want to hear when they are published.
pub(super) struct Durable {
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) waiters: Vec<Waiter>,
}

/// Somebody who wants checkpoint and proof.
pub(super) struct Waiter {
    pub(super) receipt: proto::Receipt,
    pub(super) reply: Reply,
}

/// The publishing thread's own.
pub(super) struct Publisher {
    store: Arc<dyn Log>,
    key: PrivateKey,
    file: CheckpointFile,
    origin: String,
    size: u64,
    root: Hash,
    published: watch::Sender<Published>,
    last: Option<Instant>,
}

impl Publisher {
    pub(super) fn new(store: Arc<dyn Log>, key: PrivateKey, file: CheckpointFile, replay: &Replay) -> Self {
        let origin = replay.state.origin().to_owned();
        let (size, root) = (replay.frontier.size(), replay.frontier.root());
        Self { store, key, file, origin, size, root, published: watch::Sender::default(), last: None }
    }

    /// Publishes what there is, unless `checkpoint` covers it already.
    pub(super) fn begin(
        mut self,
        checkpoint: Option<Published>,
    ) -> std::io::Result<(Self, watch::Receiver<Published>)> {
        match checkpoint.filter(|published| published.size == self.size) {
            Some(published) => {
                self.published.send_replace(published);
            }
            None => self.publish().map_err(std::io::Error::other)?,
        }
        let receiver = self.published.subscribe();
        Ok((self, receiver))
    }

    /// Until the committer is gone and everything is published. Between two checkpoints it sleeps, and no commit wakes it.
    pub(super) fn run(mut self, inbox: &Receiver<Durable>) {
        let mut waiters = Vec::new();
        while let Ok(durable) = inbox.recv() {
            self.take(durable, &mut waiters);
            let rest = self.last.map_or(Duration::ZERO, |last| INTERVAL_MIN.saturating_sub(last.elapsed()));
            thread::sleep(rest);
            for durable in inbox.try_iter() {
                self.take(durable, &mut waiters);
            }
            self.publish_or_stop(&mut waiters);
        }
    }

    fn take(&mut self, durable: Durable, waiters: &mut Vec<Waiter>) {
        (self.size, self.root) = (durable.size, durable.root);
        waiters.extend(durable.waiters);
    }

    fn publish_or_stop(&mut self, waiters: &mut Vec<Waiter>) {
        if self.size > self.published.borrow().size
            && let Err(error) = self.publish()
        {
            fatal(&format!("the checkpoint was not written: {error}"));
        }
        let mut answers = Answers::default();
        for Waiter { receipt, reply } in waiters.drain(..) {
            let publication = publication(self.store.as_ref(), &self.published.borrow(), receipt.index);
            let publication = publication.unwrap_or_else(|error| fatal(&error.to_string()));
            answers.add(reply, Ok(Accepted { receipt, publication: Some(publication) }));
        }
        answers.deliver();
    }

    fn publish(&mut self) -> Result<(), StoreError> {
        let note = checkpoint::sign(&self.origin, self.size, &self.root, self.key.signing_key());
        self.file.write(&note)?;
        self.published.send_replace(Published { size: self.size, note });
        self.last = Some(Instant::now());
        Ok(())
    }
}

/// A checkpoint, and the proof that it covers an entry.
///
/// # Errors
/// A hash can't be read.
pub(super) fn publication(
    store: &dyn Log,
    checkpoint: &Published,
    index: u64,
) -> Result<proto::Publication, StoreError> {
    let Published { size, note } = checkpoint;
    let proof = inclusion_proof(index, *size, |level, at| store.node(level, at))?;
    let inclusion_proof = proof.into_iter().map(|hash| hash.to_vec().into()).collect();
    Ok(proto::Publication { checkpoint: note.clone(), inclusion_proof })
}
