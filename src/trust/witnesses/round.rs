//! Rounds: every witness is asked for the same checkpoint, so that their cosignatures meet on one note.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet, time::sleep_until};

use super::{
    LedgerWitnesses,
    remote::{AskError, Asker, Remote},
};
use crate::{
    engine::{
        now,
        sequencer::Published,
        store::{CheckpointFile, StoreError},
        tree::Tree,
    },
    format::checkpoint::{Note, cosignature::below, policy::Unsatisfied},
};

/// Shortest time between two rounds: each costs every witness a sync, and this server one. Whoever isn't needed for enough
/// has as long to answer; nobody waits longer for it.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a witness that failed is left alone: at first, and doubled with each further failure.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest that it is left alone.
const RETRY_MAX: Duration = Duration::from_mins(5);
/// What a failure counts, where a cosignature takes one away again: a witness that fails every other time is left alone
/// ever longer, and doesn't fill the log with its changes.
const FAILURE: u32 = 2;
/// Where counting ends: 2^9 s are more than [`RETRY_MAX`], and 18 cosignatures make all of it good.
const FAILURES_MAX: u32 = 9 * FAILURE;

/// Asks the witnesses for one published checkpoint after another. Publishing never waits for it.
pub(crate) struct Rounds {
    witnesses: LedgerWitnesses,
    seats: Vec<Seat>,
    /// Requests under way, of which a witness has one at most. One that is late may belong to an earlier round.
    asked: JoinSet<(usize, u64, Result<String, AskError>)>,
    tree: Arc<Tree>,
    published: watch::Receiver<Published>,
    /// The checkpoint that is being cosigned.
    target: Arc<Published>,
    /// When it became that.
    aimed_at: Option<Instant>,
    /// Whether its cosignatures are enough.
    verdict: Result<(), Unsatisfied>,
    /// Why those of a round weren't, as it was told last.
    told: Option<Unsatisfied>,
    file: CheckpointFile,
    cosigned: watch::Sender<String>,
    /// What the file holds.
    kept: String,
}

/// What is known of a witness.
struct Seat {
    remote: Arc<Remote>,
    /// The size it cosigned last, as far as is known.
    size: u64,
    /// Its cosignature on the target.
    line: Option<String>,
    /// The size of the checkpoint that it is being asked for.
    asked: Option<u64>,
    /// In steps of [`FAILURE`].
    failures: u32,
    /// Whether the last answer was no cosignature.
    is_failing: bool,
    retry_at: Option<Instant>,
}

impl Rounds {
    pub(crate) fn new(
        witnesses: LedgerWitnesses,
        tree: Arc<Tree>,
        published: watch::Receiver<Published>,
        file: CheckpointFile,
        cosigned: watch::Sender<String>,
    ) -> Self {
        let seat = |remote: &Arc<Remote>| {
            let remote = Arc::clone(remote);
            Seat { remote, size: 0, line: None, asked: None, failures: 0, is_failing: false, retry_at: None }
        };
        let seats = witnesses.remotes.iter().map(seat).collect();
        let kept = cosigned.borrow().clone();
        Self {
            witnesses,
            seats,
            asked: JoinSet::new(),
            tree,
            published,
            target: Arc::default(),
            aimed_at: None,
            verdict: Ok(()),
            told: None,
            file,
            cosigned,
            kept,
        }
    }

    /// Until the publisher is gone.
    pub(crate) async fn run(mut self) {
        loop {
            self.aim();
            self.ask();
            self.tell();
            self.keep().await;
            let (is_behind, wake) = (self.is_behind(), self.wake_at());
            tokio::select! {
                Some(joined) = self.asked.join_next() => match joined {
                    Ok((number, size, answer)) => self.take(number, size, answer),
                    Err(error) => tracing::error!("a witness was not asked: {error}"),
                },
                changed = self.published.changed(), if !is_behind => if changed.is_err() { return },
                () = until(wake) => {}
            }
        }
    }

    /// Whether a newer checkpoint than the target is out.
    fn is_behind(&self) -> bool {
        *self.target != *self.published.borrow()
    }

    /// Whether the round is over: enough have cosigned, or nobody is left who could.
    fn is_over(&self) -> bool {
        self.verdict.is_ok() || self.seats.iter().all(|seat| seat.asked != Some(self.target.size))
    }

    /// When the next round may begin, or a witness be asked again.
    fn wake_at(&self) -> Option<Instant> {
        let next = self.aimed_at.filter(|_| self.is_behind() && self.is_over()).map(|at| at + INTERVAL);
        let left_alone = self.seats.iter().filter(|seat| seat.line.is_none() && seat.asked.is_none());
        left_alone.filter_map(|seat| seat.retry_at).chain(next).min()
    }

    /// Goes on to the newest checkpoint, if there is a newer one and the round for this one is over.
    fn aim(&mut self) {
        let is_time = self.aimed_at.is_none_or(|at| at.elapsed() >= INTERVAL);
        if !is_time || !self.is_over() || !self.is_behind() {
            return;
        }
        self.target = Arc::new(self.published.borrow_and_update().clone());
        self.aimed_at = Some(now::monotonic());
        self.seats.iter_mut().for_each(|seat| seat.line = None);
        self.judge();
    }

    /// Asks those that haven't cosigned the target, aren't being asked and aren't left alone.
    fn ask(&mut self) {
        let at_present = now::monotonic();
        for (number, seat) in self.seats.iter_mut().enumerate() {
            if seat.line.is_some() || seat.asked.is_some() || seat.retry_at.is_some_and(|at| at > at_present) {
                continue;
            }
            seat.asked = Some(self.target.size);
            let (remote, known) = (Arc::clone(&seat.remote), seat.size);
            let (target, tree, ledger) =
                (Arc::clone(&self.target), Arc::clone(&self.tree), self.witnesses.ledger.clone());
            self.asked.spawn(async move {
                let asker = Asker { ledger: &ledger, tree: &tree };
                (number, target.size, remote.cosign(known, &target, asker).await)
            });
        }
    }

    fn take(&mut self, number: usize, size: u64, answer: Result<String, AskError>) {
        let Some(seat) = self.seats.get_mut(number) else { return };
        let line = seat.take(size, answer);
        if size == self.target.size {
            seat.line = line;
            let note = self.judge();
            if self.verdict.is_ok() {
                self.cosigned.send_replace(note);
            }
        }
    }

    /// Sees whether the target's cosignatures are enough, and gives it with them.
    fn judge(&mut self) -> String {
        let lines = self.seats.iter().filter_map(|seat| Some((&seat.remote.key, seat.line.as_deref()?)));
        let note = below(&self.target.note, lines);
        let policy = &self.witnesses.policy;
        let judged = Note::parse(note.as_bytes()).map_err(Unsatisfied::Log);
        self.verdict = judged.and_then(|note| policy.satisfied(&note).map(drop));
        note
    }

    /// Tells of a round that is over whether its cosignatures were enough, where that is new.
    fn tell(&mut self) {
        let size = self.target.size;
        match &self.verdict {
            Ok(()) if self.told.take().is_some() => {
                tracing::info!("enough witnesses cosign again: {size} entries");
            }
            Err(missed) if self.is_over() && self.told.as_ref() != Some(missed) => {
                tracing::warn!("the checkpoint over {size} entries isn't cosigned as the policy asks: {missed}");
                self.told = Some(missed.clone());
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Keeps what is shown: once it is enough, and once more with what else there is at the end of a round. It can be asked for
    /// again: losing it is no reason to stop, and showing it doesn't wait.
    async fn keep(&mut self) {
        let note = self.cosigned.borrow().clone();
        let is_first = !self.kept.starts_with(&self.target.note);
        if note == self.kept || !(is_first || self.seats.iter().all(|seat| seat.asked.is_none())) {
            return;
        }
        let (file, bytes) = (self.file.clone(), note.clone());
        let written = tokio::task::spawn_blocking(move || file.write(&bytes)).await;
        match written.unwrap_or_else(|failed| Err(StoreError::SyncFailed(std::io::Error::other(failed)))) {
            Ok(()) => self.kept = note,
            Err(error) => tracing::error!("a cosigned checkpoint was not kept: {error}"),
        }
    }
}

/// Until then; without a time, for ever.
async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

impl Seat {
    /// Takes note of an answer, and gives the line that it holds.
    fn take(&mut self, size: u64, answer: Result<String, AskError>) -> Option<String> {
        let name = &self.remote.name;
        self.asked = None;
        let error = match answer {
            Ok(line) => {
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("the witness {name} cosigns again");
                }
                (self.size, self.failures, self.retry_at) = (size, self.failures.saturating_sub(1), None);
                return Some(line);
            }
            Err(AskError::Newer { latest }) => {
                // No failure: it is asked again for what is newest then.
                (self.size, self.retry_at) = (latest, Some(now::monotonic() + INTERVAL));
                return None;
            }
            Err(error) => error,
        };
        let wait = RETRY_MIN.saturating_mul(1 << (self.failures / FAILURE)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(FAILURE).min(FAILURES_MAX);
        (self.is_failing, self.retry_at) = (true, Some(now::monotonic() + wait));
        match error {
            AskError::Contradicted { .. }
            | AskError::Unproven { .. }
            | AskError::Ahead { .. }
            | AskError::Refused { .. }
            | AskError::Answer(_) => {
                tracing::error!("the witness {name} did not cosign {size} entries: {error}");
            }
            AskError::Newer { .. }
            | AskError::Endpoint(_)
            | AskError::TimedOut
            | AskError::Unsteady
            | AskError::Tree(_) => {
                tracing::warn!("the witness {name} did not cosign {size} entries: {error}");
            }
        }
        None
    }
}
