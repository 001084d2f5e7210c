//! The writer without threads: what each of them does, a piece at a time, in an order that somebody else chooses. So a
//! simulation goes through the very same code, and a seed says in which order.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::watch;

use super::{
    Published, Sequencer, SequencerParts, Stages, Submission,
    batch::Batch,
    commit::Done,
    hold::Hold,
    publish::Told,
    repeated::{self, Repeated},
    slot::Slot,
    sources::Sources,
    stop::Stop,
    verify::{self, Verified},
};
use crate::engine::{node::Node, saver::Snapshot};

/// A piece of the writer's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Answers sheets whose ids were put away.
    LookUp,
    /// Looks at the signatures of a group.
    Verify,
    /// Judges a group.
    Sequence,
    /// Brings a batch to the disk, to the readers and to those who wait.
    Commit,
    /// Saves a state.
    Save,
    /// Answers sheets that came again.
    Repeat,
    /// Signs a checkpoint, and has it held.
    Publish,
}

/// The writer, which does what it is told.
pub struct Steps {
    node: Node,
    stages: Stages,
    newest: watch::Receiver<Published>,
    looked_up: Sources<Box<Submission>>,
    waiting: Sources<super::Job>,
    verified: VecDeque<Vec<Verified>>,
    /// Batches that wait for room in the slot.
    judged: VecDeque<Batch>,
    slot: Slot,
    /// States to be saved, the oldest first.
    snapshots: VecDeque<Snapshot>,
    repeats: Sources<Repeated>,
    told: VecDeque<Told>,
    /// Something is durable and not published, or somebody waits for it.
    unpublished: bool,
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steps").finish_non_exhaustive()
    }
}

impl Steps {
    /// Starts the writer: publishes what there is. A state is saved every so many entries.
    ///
    /// # Errors
    /// The first checkpoint can't be written.
    pub fn start(parts: SequencerParts, snapshot_entries: u64) -> std::io::Result<(Sequencer, Self)> {
        let (node, hold) = (parts.node.clone(), Hold::AtOnce(Arc::clone(&parts.holder)));
        let (sequencer, stages) = Stages::new(parts, hold, snapshot_entries)?;
        let steps = Self {
            node,
            stages,
            newest: sequencer.published(),
            looked_up: Sources::default(),
            waiting: Sources::default(),
            verified: VecDeque::new(),
            judged: VecDeque::new(),
            slot: Slot::default(),
            snapshots: VecDeque::new(),
            repeats: Sources::default(),
            told: VecDeque::new(),
            unpublished: false,
        };
        Ok((sequencer, steps))
    }

    /// What there is to do, in the order in which a sheet goes through it.
    pub fn ready(&mut self) -> Vec<Step> {
        self.looked_up.fill_at_once(&self.stages.lookups);
        self.waiting.fill_at_once(&self.stages.jobs);
        self.repeats.fill_at_once(&self.stages.repeats);
        self.told.extend(self.stages.told.try_iter());
        let ready = [
            (Step::LookUp, !self.looked_up.is_empty()),
            (Step::Verify, !self.waiting.is_empty() && self.verified.len() <= verify::GROUPS_WAITING_MAX),
            (Step::Sequence, !self.verified.is_empty() && self.judged.is_empty()),
            (Step::Commit, self.slot.waits() || !self.judged.is_empty()),
            (Step::Save, !self.snapshots.is_empty()),
            (Step::Repeat, !self.repeats.is_empty()),
            (Step::Publish, self.unpublished || !self.told.is_empty()),
        ];
        ready.into_iter().filter_map(|(step, is_ready)| is_ready.then_some(step)).collect()
    }

    /// Does one of what there is to do.
    ///
    /// # Errors
    /// What the writer ends by itself for.
    pub fn take(&mut self, step: Step) -> Result<(), Stop> {
        let Stages { expired, unanswered, sequence, committer, answered, publisher, .. } = &mut self.stages;
        match step {
            Step::LookUp => expired.answer_some(&mut self.looked_up, unanswered, &self.newest),
            Step::Verify => {
                let mut group = Vec::new();
                self.waiting.take_group(&mut group);
                self.verified.push_back(verify::verify(group, &self.node.projection, 1)?);
            }
            Step::Sequence => {
                let (group, judged) = (self.verified.pop_front().unwrap_or_default(), &mut self.judged);
                sequence.judge_all(group, |batch| {
                    judged.push_back(batch);
                    true
                })?;
                self.fill_slot();
            }
            Step::Commit => {
                let Some(batch) = self.slot.waits().then(|| self.slot.take()).flatten() else { return Ok(()) };
                let Done { snapshot, .. } = committer.commit(batch)?;
                self.snapshots.extend(snapshot.map(|replay| Snapshot::of(&self.node, *replay)));
                self.fill_slot();
            }
            Step::Save => self.snapshots.pop_front().map_or(Ok(()), |snapshot| snapshot.save(&self.node))?,
            Step::Repeat => {
                repeated::answer(&mut self.repeats, answered, &self.node.projection)?;
            }
            Step::Publish => {
                self.told.drain(..).for_each(|told| publisher.take(told));
                self.unpublished = !publisher.publish_all()?;
            }
        }
        Ok(())
    }

    /// Puts as many batches into the slot as it takes.
    fn fill_slot(&mut self) {
        while let Some(batch) = self.judged.pop_front() {
            if let Err(batch) = self.slot.offer(batch) {
                self.judged.push_front(*batch);
                return;
            }
        }
    }

    /// Ends it in order: what was taken in is committed, answered, published and saved.
    ///
    /// # Errors
    /// What the writer ends by itself for.
    pub fn finish(mut self) -> Result<(), Stop> {
        self.finish_all()?;
        self.judged.push_back(self.stages.sequence.last_batch());
        self.fill_slot();
        self.finish_all()?;
        self.node.log.check_place().map_err(Stop::from)
    }

    fn finish_all(&mut self) -> Result<(), Stop> {
        // A holder that takes nothing just now is left alone: the next start publishes.
        let mut tries = 0;
        while let Some(step) = self.ready().into_iter().find(|step| *step != Step::Publish || tries < PUBLISH_TRIES) {
            tries += u32::from(step == Step::Publish);
            self.take(step)?;
        }
        Ok(())
    }
}

/// How often an end in order tries to publish.
const PUBLISH_TRIES: u32 = 3;
