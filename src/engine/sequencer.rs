//! The one writer. Sheets come in decoded, go through the rules one after another, and are acknowledged when synced.
//!
//! ```text
//! callers ──► verify (all cores, batches) ──► sequence (rules, one thread) ──► commit (sync) ──► publish (sign)
//! ```
//!
//! Sheets past their validity whose ids are on the disk are answered on the way by a thread that only reads, and sheets that
//! came again by another, once what they rest on is synced.
//!
//! Of these four, while one group is on its way to the disk, the next is checked and the one after that has its signatures
//! verified. A group is what came while the one before was busy, of each source in turn. What all of them hold is bounded by
//! the queue.

mod answer;
mod batch;
mod commit;
mod expired;
mod hold;
mod publish;
mod queue;
mod repeated;
mod sequence;
mod slot;
mod sources;
mod steps;
mod stop;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use tokio::sync::{oneshot, watch};

use crate::{
    engine::{
        checkpoint_holder::CheckpointHolder,
        clock::{Clock, ClockImplausible},
        node::Node,
        replay::Replay,
        saver::SNAPSHOT_ENTRIES,
    },
    format::{
        proto,
        signature::PrivateKey,
        wire::{self, Decoded},
    },
    ledger::{Millis, Refusal, SheetTrial},
};

pub use answer::Desk;
pub use publish::Published;
pub use sources::Source;
pub use steps::{Step, Steps};
pub use stop::{OnStop, Stop, exit_on_stop};

use answer::SubmitResult;
use expired::Expired;
use hold::Hold;
use queue::{Part, Queue};
use sources::Waits;

/// What each signature of a sheet costs beside its events: it takes as long as 8 of them, 10 us.
const SIGNATURE_COST: usize = 8;

/// What a sheet costs the writer, in events.
fn cost(signatures: usize, events: usize) -> usize {
    SIGNATURE_COST * signatures.max(1) + events
}

/// Why a sheet got no receipt.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// A rule said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The queue is full.
    #[error("QueueFull: too much is waiting to be recorded. Send the same sheet again in {retry_ms} ms")]
    QueueFull {
        /// When to come again.
        retry_ms: u32,
    },
    /// The clock can't be right.
    #[error("{0}")]
    Clock(ClockImplausible),
    /// It is recorded; its publication takes longer than anybody waits, or its proof can't be made.
    #[error(
        "NotPublished: the sheet is recorded as entry {index}, but its checkpoint and proof can't be given at present; the \
         operator finds the cause in the log. It counts, and its proof can be asked for later"
    )]
    NotPublished {
        /// The entry.
        index: u64,
    },
    /// The service is going down.
    #[error("ShuttingDown: the service is going down. Send the same sheet again when it is back")]
    ShuttingDown,
}

impl SubmitError {
    /// There is no room for it at present.
    #[must_use]
    pub const fn queue_full() -> Self {
        Self::QueueFull { retry_ms: RETRY_MS }
    }
}

/// When a queue that is full is worth another try, in ms: a few commits later.
const RETRY_MS: u32 = 100;

/// A sheet whose bytes are in order.
#[derive(Debug, Clone)]
pub struct DecodedSheet {
    sheet: proto::Sheet,
    decoded: Decoded,
}

impl DecodedSheet {
    /// Decodes a sheet: the most that is done to it before the writer's own threads have it.
    ///
    /// # Errors
    /// As [`wire::decode`].
    pub fn new(sheet: proto::Sheet) -> Result<Self, Refusal> {
        let decoded = wire::decode(&sheet)?;
        Ok(Self { sheet, decoded })
    }

    /// How many events it has.
    #[must_use]
    pub fn events(&self) -> usize {
        self.sheet.events.len()
    }

    /// Without its bytes, to be tried.
    #[must_use]
    pub fn into_decoded(self) -> Decoded {
        self.decoded
    }
}

/// An accepted sheet.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// What became of it.
    pub receipt: proto::Receipt,
    /// Where publication was asked for: checkpoint and proof.
    pub publication: Option<proto::Publication>,
}

type TrialReply = oneshot::Sender<(Vec<SheetTrial>, u64)>;

/// A sheet under way, and where its answer goes.
#[derive(Debug)]
struct Submission {
    source: Source,
    sheet: proto::Sheet,
    decoded: Arc<Decoded>,
    published: bool,
    waiting: oneshot::Sender<SubmitResult>,
    desk: Option<Desk>,
    /// Its share of the queue, given back when it is answered.
    permit: Part,
}

impl Submission {
    /// Answers at once.
    fn answer(self, outcome: SubmitResult) {
        // Nobody waits any more: what was recorded is recorded all the same.
        let _gone = self.waiting.send(outcome);
        drop(self.permit);
    }
}

enum Job {
    Submit(Box<Submission>),
    Try(Box<Trial>),
}

impl Waits for Box<Submission> {
    fn source(&self) -> Source {
        self.source
    }

    fn cost(&self) -> usize {
        cost(self.sheet.signatures.len(), self.sheet.events.len())
    }
}

impl Waits for Job {
    fn source(&self) -> Source {
        match self {
            Self::Submit(submission) => submission.source,
            Self::Try(trial) => trial.source,
        }
    }

    fn cost(&self) -> usize {
        match self {
            Self::Submit(submission) => submission.cost(),
            Self::Try(trial) => {
                trial.sheets.iter().map(|decoded| cost(decoded.signatures.len(), decoded.sheet.events.len())).sum()
            }
        }
    }
}

/// Sheets to try.
struct Trial {
    source: Source,
    sheets: Vec<Decoded>,
    reply: TrialReply,
    /// Its share of the queue, given back when it is answered.
    permit: Part,
}

/// What the sequencer works with.
pub struct SequencerParts {
    /// The log that is extended, and what readers are shown of it after each sync.
    pub node: Node,
    /// State and tree as of the log's size.
    pub replay: Replay,
    /// Gives the times that entries are recorded at.
    pub clock: Clock,
    /// Signs the checkpoints that are published: the key that the genesis names.
    pub ledger_key: PrivateKey,
    /// Where the newest checkpoint is held.
    pub holder: Arc<dyn CheckpointHolder>,
    /// What it holds, if anything: a checkpoint over a beginning of the log.
    pub checkpoint: Option<Published>,
    /// What is done when the writer ends by itself.
    pub on_stop: OnStop,
}

/// A handle on the writer; clones are the same writer.
#[derive(Clone)]
pub struct Sequencer {
    jobs: mpsc::Sender<Job>,
    /// Sheets past their validity, which a reader may answer.
    lookups: mpsc::Sender<Box<Submission>>,
    desk: Option<Desk>,
    queue: Queue,
    published: watch::Receiver<Published>,
    closed: Arc<AtomicBool>,
    clock: Arc<Clock>,
    expired: Arc<Expired>,
}

impl std::fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequencer").field("room", &self.queue.room()).finish_non_exhaustive()
    }
}

/// The writer's threads, to be joined after the last handle is gone.
#[derive(Debug)]
pub struct Threads(Vec<JoinHandle<()>>);

impl Threads {
    /// Waits until everything that was taken in is committed, answered and published.
    pub fn join(self) {
        for thread in self.0 {
            // What ended one of them by itself is known already: see `OnStop`.
            let _ended = thread.join();
        }
    }
}

/// What the writer's threads do, none of which has begun, and what they are handed.
struct Stages {
    expired: Arc<Expired>,
    lookups: mpsc::Receiver<Box<Submission>>,
    /// What a look-up leaves to the writer.
    unanswered: mpsc::Sender<Job>,
    jobs: mpsc::Receiver<Job>,
    sequence: sequence::Sequence,
    committer: commit::Committer,
    repeats: mpsc::Receiver<repeated::Repeated>,
    /// Where answers go that wait for publication.
    answered: mpsc::Sender<publish::Told>,
    publisher: publish::Publisher,
    told: mpsc::Receiver<publish::Told>,
}

impl Stages {
    /// Publishes what there is, and makes them ready. `hold` asks the holder; `snapshot_entries` lie between two snapshots.
    fn new(parts: SequencerParts, hold: Hold, snapshot_entries: u64) -> std::io::Result<(Sequencer, Self)> {
        let (jobs, verify_inbox) = mpsc::channel();
        let (committed, told) = mpsc::channel();
        let (repeats, repeated_inbox) = mpsc::channel();
        let (lookups, lookup_inbox) = mpsc::channel();
        let publisher = publish::Publisher::new(&parts.node, parts.ledger_key, hold, &parts.replay);
        let (publisher, published) = publisher.begin(parts.checkpoint)?;
        let clock = Arc::new(parts.clock);
        let expired = Arc::new(Expired { node: parts.node.clone() });
        let stages = Self {
            expired: Arc::clone(&expired),
            lookups: lookup_inbox,
            unanswered: jobs.clone(),
            jobs: verify_inbox,
            sequence: sequence::Sequence::new(&parts.node, parts.replay, Arc::clone(&clock), snapshot_entries),
            answered: committed.clone(),
            committer: commit::Committer::new(parts.node, committed, repeats),
            repeats: repeated_inbox,
            publisher,
            told,
        };
        let (queue, closed) = (Queue::new(), Arc::default());
        Ok((Sequencer { jobs, lookups, desk: None, queue, published, closed, clock, expired }, stages))
    }
}

/// Starts the writer.
///
/// # Errors
/// A thread can't be started, or the first checkpoint can't be written.
pub fn start(parts: SequencerParts) -> std::io::Result<(Sequencer, Threads)> {
    let (on_stop, hold) = (Arc::clone(&parts.on_stop), Hold::start(Arc::clone(&parts.holder))?);
    let (sequencer, stages) = Stages::new(parts, hold, SNAPSHOT_ENTRIES)?;
    let Stages { expired, lookups, unanswered, jobs, sequence, committer, repeats, answered, publisher, told } = stages;
    let (verified, sequence_inbox) = mpsc::sync_channel(verify::GROUPS_WAITING_MAX);
    let batches = Arc::new(slot::Slot::default());
    let (commits, commit_inbox) = (Arc::clone(&batches), Arc::clone(&batches));
    let verified_against = Arc::clone(&expired.node.projection);
    let (recorded, newest) = (Arc::clone(&verified_against), sequencer.published());
    let threads = vec![
        spawn("look up", &on_stop, move || {
            expired.run(&lookups, &unanswered, &newest);
            Ok(())
        })?,
        spawn("verify", &on_stop, move || verify::run(&jobs, &verified, &verified_against, &commits))?,
        spawn("sequence", &on_stop, move || sequence.run(&sequence_inbox, &batches))?,
        spawn("commit", &on_stop, move || committer.run(&commit_inbox))?,
        spawn("repeat", &on_stop, move || repeated::run(&repeats, &answered, &recorded))?,
        spawn("publish", &on_stop, move || publisher.run(&told))?,
    ];
    Ok((sequencer, Threads(threads)))
}

/// Starts a thread of the writer. Where it ends by itself the others end as well, with what is handed to them next: it goes
/// nowhere. The one that looks up goes on as long as there are handles.
fn spawn(
    name: &str,
    on_stop: &OnStop,
    run: impl FnOnce() -> Result<(), Stop> + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let on_stop = Arc::clone(on_stop);
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        let ended = ended.unwrap_or(Err(Stop::Broken("a thread of the writer has failed")));
        if let Err(stop) = ended {
            on_stop(&stop);
        }
    })
}

impl Sequencer {
    /// The same writer, its answers handed out through a desk.
    #[must_use]
    pub fn answering_through(self, desk: Desk) -> Self {
        Self { desk: Some(desk), ..self }
    }

    /// The ledger's time, by the one clock that is guarded.
    ///
    /// # Errors
    /// [`ClockImplausible`]: nothing that is asked for now would be recorded.
    pub fn now(&self) -> Result<Millis, ClockImplausible> {
        self.clock.now()
    }

    /// Submits a sheet and waits for its receipt; `published`: also for a checkpoint that covers it.
    ///
    /// # Errors
    /// In the order of [`SubmitError`]'s sources: bytes, queue, then the rules.
    pub async fn submit(&self, sheet: proto::Sheet, published: bool) -> Result<Accepted, SubmitError> {
        let sheet = DecodedSheet::new(sheet).map_err(SubmitError::Refused)?;
        self.submit_decoded(Source::default(), sheet, published).await
    }

    /// As [`Sequencer::submit`], of a sheet that was decoded elsewhere.
    ///
    /// # Errors
    /// As [`Sequencer::submit`], but for its bytes.
    pub async fn submit_decoded(
        &self,
        source: Source,
        sheet: DecodedSheet,
        published: bool,
    ) -> Result<Accepted, SubmitError> {
        self.submit_now(source, sheet, published)?.await.unwrap_or(Err(SubmitError::ShuttingDown))
    }

    /// Takes a sheet in, if there is room, and returns where its answer will come.
    ///
    /// # Errors
    /// The queue is full, or the service is going down.
    pub fn submit_now(
        &self,
        source: Source,
        sheet: DecodedSheet,
        published: bool,
    ) -> Result<oneshot::Receiver<SubmitResult>, SubmitError> {
        let permit = self.queue.try_one(source, &sheet.sheet).map_err(|_full| SubmitError::queue_full())?;
        self.enqueue(source, sheet, published, permit)
    }

    /// Takes a sheet in, waiting for room, and returns where its answer will come: so that one caller can have many
    /// under way, in order.
    ///
    /// # Errors
    /// The bytes are refused, or the service is going down.
    pub async fn feed(
        &self,
        sheet: proto::Sheet,
        published: bool,
    ) -> Result<oneshot::Receiver<SubmitResult>, SubmitError> {
        let sheet = DecodedSheet::new(sheet).map_err(SubmitError::Refused)?;
        self.feed_decoded(Source::default(), sheet, published).await
    }

    /// As [`Sequencer::feed`], of a sheet that was decoded elsewhere.
    ///
    /// # Errors
    /// The service is going down.
    pub async fn feed_decoded(
        &self,
        source: Source,
        sheet: DecodedSheet,
        published: bool,
    ) -> Result<oneshot::Receiver<SubmitResult>, SubmitError> {
        let permit = self.queue.wait(&sheet.sheet).await.ok_or(SubmitError::ShuttingDown)?;
        self.enqueue(source, sheet, published, permit)
    }

    fn enqueue(
        &self,
        source: Source,
        DecodedSheet { sheet, decoded }: DecodedSheet,
        published: bool,
        permit: Part,
    ) -> Result<oneshot::Receiver<SubmitResult>, SubmitError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(SubmitError::ShuttingDown);
        }
        let (waiting, answer) = oneshot::channel();
        let (decoded, desk) = (Arc::new(decoded), self.desk.clone());
        let submission = Box::new(Submission { source, sheet, decoded, published, waiting, desk, permit });
        let now = self.clock.now();
        if now.is_ok_and(|now| self.expired.may_have(&submission.decoded, now)) {
            self.lookups.send(submission).map_err(|_gone| SubmitError::ShuttingDown)?;
        } else {
            self.jobs.send(Job::Submit(submission)).map_err(|_gone| SubmitError::ShuttingDown)?;
        }
        Ok(answer)
    }

    /// Says what would become of sheets, one after another, and the last entry taken into account.
    ///
    /// # Errors
    /// The queue is full, or the service is going down.
    pub async fn try_sheets(
        &self,
        source: Source,
        sheets: Vec<Decoded>,
    ) -> Result<(Vec<SheetTrial>, u64), SubmitError> {
        self.try_now(source, sheets)?.await.map_err(|_gone| SubmitError::ShuttingDown)
    }

    /// Takes sheets to be tried, if there is room, and returns where the results will come.
    ///
    /// # Errors
    /// As [`Self::try_sheets`].
    pub fn try_now(
        &self,
        source: Source,
        sheets: Vec<Decoded>,
    ) -> Result<oneshot::Receiver<(Vec<SheetTrial>, u64)>, SubmitError> {
        let permit = self.queue.try_trial(&sheets).map_err(|_full| SubmitError::queue_full())?;
        let (reply, answer) = oneshot::channel();
        let trial = Trial { source, sheets, reply, permit };
        self.jobs.send(Job::Try(Box::new(trial))).map_err(|_gone| SubmitError::ShuttingDown)?;
        Ok(answer)
    }

    /// The newest checkpoint, now and as it changes.
    #[must_use]
    pub fn published(&self) -> watch::Receiver<Published> {
        self.published.clone()
    }

    /// Takes nothing in any more; what is under way is finished.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}
