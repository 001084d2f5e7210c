//! Signed checkpoints: blocks and tree durable > signed > held, in the place of the one before, durably > published.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::{Accepted, Submission, SubmitError, answer::Answers, hold::Hold, stop::Stop};
use crate::{
    engine::{
        checkpoint_holder::Replaced, machine::Machine, node::Node, projection::ProjectionError, replay::Replay,
        tree::Tree,
    },
    format::{
        checkpoint::{self, Checkpoint},
        proto,
        signature::PrivateKey,
    },
    merkle::{Hash, empty_root},
};

/// Shortest time between two checkpoints: each costs three syncs, which the log's own would have to wait for. Well below
/// the second that an entry may stay unpublished.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Between two tries where the holder did not take one.
const RETRY: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1 } else { 500 });
/// How long those who wait for publication go on waiting where it fails, and how long a start and an end try: an engine that
/// loses its leader has another one by then. Beyond it they hear that their sheet is recorded and not published. In a build for tests,
/// which have holders that never answer, both are short.
const PATIENCE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 2_000 } else { 10_000 });

/// A checkpoint that is out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Entries that it covers.
    pub size: u64,
    /// The signed note.
    pub note: String,
}

impl Published {
    /// The root that it is over; that of nothing where it is over nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let root = Checkpoint::unverified(self.note.as_bytes()).and_then(|checkpoint| checkpoint.root_hash().ok());
        root.unwrap_or_else(empty_root)
    }
}

/// What the publisher is told.
pub(super) enum Told {
    /// Entries up to `size` are durable; `waiters` want to hear when they are published.
    Durable { size: u64, root: Hash, waiters: Vec<Waiter> },
    /// So do these, whose entries it was told of before.
    Waiters(Vec<Waiter>),
}

/// Somebody who wants checkpoint and proof.
pub(super) struct Waiter {
    pub(super) receipt: proto::Receipt,
    pub(super) submission: Box<Submission>,
}

/// A checkpoint on its way to where it is held.
struct Signed {
    checkpoint: Published,
    /// An earlier try may have come through.
    may_be_held: bool,
}

/// The publishing thread's own.
pub(super) struct Publisher {
    machine: Arc<dyn Machine>,
    tree: Arc<Tree>,
    key: PrivateKey,
    hold: Hold,
    origin: String,
    size: u64,
    root: Hash,
    published: watch::Sender<Published>,
    /// Signed, and not known to be held. Before it is no other is signed: it may be the one that is held in the end.
    signed: Option<Signed>,
    waiters: Vec<Waiter>,
    /// When the last one was out, by the machine's steady time.
    last: Option<Duration>,
    /// Since when the holder takes nothing, and what it said last.
    failing: Option<(Duration, String)>,
}

impl Publisher {
    pub(super) fn new(node: &Node, key: PrivateKey, hold: Hold, replay: &Replay) -> Self {
        let (machine, tree) = (Arc::clone(&node.machine), Arc::clone(&node.tree));
        let origin = replay.state.origin().to_owned();
        let (size, root) = (replay.frontier.size(), replay.frontier.root());
        let (published, waiters) = (watch::Sender::default(), Vec::new());
        Self {
            machine,
            tree,
            key,
            hold,
            origin,
            size,
            root,
            published,
            signed: None,
            waiters,
            last: None,
            failing: None,
        }
    }

    /// Publishes what there is, unless `held` covers it already.
    pub(super) fn begin(mut self, held: Option<Published>) -> std::io::Result<(Self, watch::Receiver<Published>)> {
        self.published.send_replace(held.unwrap_or_default());
        while self.published.borrow().size < self.size {
            if !self.publish().map_err(std::io::Error::other)? {
                if self.is_hopeless() {
                    let problem = self.failing.map_or_else(String::new, |(_, problem)| problem);
                    return Err(std::io::Error::other(format!(
                        "the checkpoint can't be put where it is held: {problem}"
                    )));
                }
                self.machine.pause(RETRY);
            }
        }
        let receiver = self.published.subscribe();
        Ok((self, receiver))
    }

    /// Until the committer is gone and everything is published. Between two checkpoints it sleeps, and no commit wakes it.
    pub(super) fn run(mut self, inbox: &Receiver<Told>) -> Result<(), Stop> {
        while let Ok(told) = inbox.recv() {
            self.take(told);
            let since = self.last.map_or(INTERVAL_MIN, |last| self.machine.steady().saturating_sub(last));
            self.machine.pause(INTERVAL_MIN.saturating_sub(since));
            for told in inbox.try_iter() {
                self.take(told);
            }
            let mut ending = false;
            while !self.publish_all()? {
                if ending && self.is_hopeless() {
                    tracing::warn!("the newest entries are recorded and not published: the next start does it");
                    return Ok(());
                }
                match inbox.recv_timeout(RETRY) {
                    Ok(told) => self.take(told),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        ending = true;
                        self.machine.pause(RETRY);
                    }
                }
            }
        }
        Ok(())
    }

    /// Publishes all that is durable, and answers those who wait for it; false where the holder doesn't take it just now. Those
    /// who have waited for too long are told so.
    pub(super) fn publish_all(&mut self) -> Result<bool, Stop> {
        while self.published.borrow().size < self.size {
            if !self.publish()? {
                if self.is_hopeless() {
                    self.answer_unpublished();
                }
                return Ok(false);
            }
        }
        self.answer();
        Ok(true)
    }

    pub(super) fn take(&mut self, told: Told) {
        self.waiters.extend(match told {
            Told::Durable { size, root, waiters } => {
                (self.size, self.root) = (size, root);
                waiters
            }
            Told::Waiters(waiters) => waiters,
        });
    }

    /// Whether the holder has taken nothing for so long that those who wait are told.
    fn is_hopeless(&self) -> bool {
        self.failing.as_ref().is_some_and(|(since, _)| self.machine.steady().saturating_sub(*since) >= PATIENCE)
    }

    /// Signs, has it held, and publishes it; false where the holder doesn't take it, or doesn't answer.
    fn publish(&mut self) -> Result<bool, Stop> {
        let Signed { checkpoint, mut may_be_held } = match self.signed.take() {
            Some(signed) => signed,
            None => self.sign()?,
        };
        let before = self.published.borrow().note.clone();
        let old = Some(before.as_str()).filter(|note| !note.is_empty());
        let problem = match self.hold.replace(old, &checkpoint.note)? {
            Some(Replaced::Done) => return Ok(self.show(checkpoint)),
            // Another writer of the same entries signs the same. That it is this one's can only be if it was sent.
            Some(Replaced::Held(Some(held))) if may_be_held && held == checkpoint.note => {
                return Ok(self.show(checkpoint));
            }
            Some(Replaced::Held(held)) => return Err(self.other(held.as_deref())),
            Some(Replaced::NotApplied(error)) => error.to_string(),
            Some(Replaced::Unknown(error)) => {
                may_be_held = true;
                error.to_string()
            }
            None => "it does not answer".to_owned(),
        };
        if self.failing.is_none() {
            let size = checkpoint.size;
            tracing::warn!("the checkpoint over {size} entries is not held yet, and is tried again: {problem}");
        }
        let since = self.failing.take().map_or_else(|| self.machine.steady(), |(since, _)| since);
        self.failing = Some((since, problem));
        self.signed = Some(Signed { checkpoint, may_be_held });
        Ok(false)
    }

    fn sign(&self) -> Result<Signed, Stop> {
        self.tree.sync()?;
        let note = checkpoint::sign(&self.origin, self.size, &self.root, self.key.signing_key());
        Ok(Signed { checkpoint: Published { size: self.size, note }, may_be_held: false })
    }

    fn show(&mut self, held: Published) -> bool {
        if self.failing.is_some() {
            tracing::info!("the checkpoint over {} entries is held", held.size);
        }
        self.published.send_replace(held);
        (self.last, self.failing) = (Some(self.machine.steady()), None);
        true
    }

    /// Somebody else signs, or the holder went back: whatever this writer signed next could contradict what is out.
    fn other(&self, held: Option<&str>) -> Stop {
        let known = self.published.borrow().size;
        Stop::Checkpoint(match held.map(|note| Checkpoint::unverified(note.as_bytes())) {
            None => format!("the one over {known} entries, which was out, is held no more"),
            Some(None) => "what is held in its place is no checkpoint".to_owned(),
            Some(Some(held)) => format!(
                "one over {} entries of {} is held where one over {known} was expected. Another service signs for this \
                 ledger, or an older state was restored; see that only one is left, then start again",
                held.size, held.origin
            ),
        })
    }

    /// Answers all whose entries are published. A proof that can't be made takes no entry back.
    fn answer(&mut self) {
        let mut answers = Answers::default();
        let published = self.published.borrow().clone();
        let root = published.root();
        for Waiter { receipt, submission } in self.waiters.drain(..) {
            let answer = match publication(&self.tree, (&published, &root), receipt.index) {
                Ok(publication) => Ok(Accepted { receipt, publication: Some(publication) }),
                Err(error) => {
                    tracing::error!("a proof was not made: {error}");
                    Err(SubmitError::NotPublished { index: receipt.index })
                }
            };
            answers.add(submission, answer);
        }
        answers.deliver();
    }

    /// Tells those who wait that it takes longer than they are asked to wait.
    fn answer_unpublished(&mut self) {
        let mut answers = Answers::default();
        for Waiter { receipt, submission } in self.waiters.drain(..) {
            answers.add(submission, Err(SubmitError::NotPublished { index: receipt.index }));
        }
        answers.deliver();
    }
}

/// A checkpoint, whose root was read out of it, and the proof that it covers an entry.
///
/// # Errors
/// A hash can't be read, or is damaged.
pub(super) fn publication(
    tree: &Tree,
    (Published { size, note }, root): (&Published, &Hash),
    index: u64,
) -> Result<proto::Publication, ProjectionError> {
    let proof = tree.inclusion_proof(index, (*size, root))?;
    let inclusion_proof = proof.into_iter().map(|hash| hash.to_vec().into()).collect();
    Ok(proto::Publication { checkpoint: note.clone(), inclusion_proof })
}

#[cfg(test)]
mod tests;
