//! Rounds: every witness is asked for the same checkpoint, so that their cosignatures meet on one note.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{AskError, Remote, Witnesses};
use crate::{
    engine::{
        sequencer::Published,
        store::{CheckpointFile, StoreError},
        tree::Tree,
    },
    format::checkpoint::Note,
};

/// Shortest time between two rounds: each costs every witness a sync, and this server one.
const INTERVAL: Duration = Duration::from_secs(1);
/// How much longer than the others a witness may take while there is a newer checkpoint to be cosigned.
const STRAGGLERS_WAIT: Duration = Duration::from_secs(2);
/// How long a witness that failed is left alone: at first, and doubled with each further failure.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest that it is left alone.
const RETRY_MAX: Duration = Duration::from_mins(5);

/// Asks the witnesses for one published checkpoint after another. Publishing never waits for it.
pub(crate) struct Rounds {
    witnesses: Witnesses,
    seats: Vec<Seat>,
    tree: Arc<Tree>,
    published: watch::Receiver<Published>,
    /// The checkpoint that is being cosigned.
    target: Arc<Published>,
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
    failures: u32,
    retry_at: Option<Instant>,
}

impl Rounds {
    pub(crate) fn new(
        witnesses: Witnesses,
        tree: Arc<Tree>,
        published: watch::Receiver<Published>,
        file: CheckpointFile,
        cosigned: watch::Sender<String>,
    ) -> Self {
        let seat = |remote: &Arc<Remote>| {
            let remote = Arc::clone(remote);
            Seat { remote, size: 0, line: None, failures: 0, retry_at: None }
        };
        let seats = witnesses.remotes.iter().map(seat).collect();
        let kept = cosigned.borrow().clone();
        Self { witnesses, seats, tree, published, target: Arc::default(), file, cosigned, kept }
    }

    /// Until the publisher is gone.
    pub(crate) async fn run(mut self) {
        loop {
            self.aim();
            self.ask().await;
            self.keep().await;
            sleep(INTERVAL).await;
            let retry_at = self.seats.iter().filter(|seat| seat.line.is_none()).filter_map(|seat| seat.retry_at).min();
            let retry = async {
                match retry_at {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.published.changed() => if changed.is_err() { return },
                () = retry => {}
            }
        }
    }

    /// Goes on to the newest checkpoint, if there is a newer one.
    fn aim(&mut self) {
        let newest = self.published.borrow_and_update().clone();
        if *self.target != newest {
            self.target = Arc::new(newest);
            self.seats.iter_mut().for_each(|seat| seat.line = None);
        }
    }

    /// Asks those that haven't cosigned the target and aren't left alone, all at once. Once enough have and a newer
    /// checkpoint is out, the others get a little time and no more.
    async fn ask(&mut self) {
        let (now, mut asked) = (Instant::now(), JoinSet::new());
        let mut waiting = Vec::new();
        for (number, seat) in self.seats.iter().enumerate() {
            if seat.line.is_some() || seat.retry_at.is_some_and(|at| at > now) {
                continue;
            }
            waiting.push(number);
            let (remote, size) = (Arc::clone(&seat.remote), seat.size);
            let (target, tree) = (Arc::clone(&self.target), Arc::clone(&self.tree));
            asked.spawn(async move { (number, remote.cosign(size, &target, &tree).await) });
        }
        let superseded = superseded(self.published.clone());
        tokio::pin!(superseded);
        let mut enough = false;
        loop {
            let answer = tokio::select! {
                answer = asked.join_next() => answer,
                () = superseded.as_mut(), if enough => break,
            };
            match answer {
                Some(Ok((number, answer))) => {
                    waiting.retain(|other| *other != number);
                    self.take(number, answer);
                    enough = self.show();
                }
                Some(Err(error)) => tracing::error!("a witness was not asked: {error}"),
                None => break,
            }
        }
        for number in waiting {
            self.take(number, Err(AskError::Late));
        }
    }

    fn take(&mut self, number: usize, answer: Result<String, AskError>) {
        if let Some(seat) = self.seats.get_mut(number) {
            seat.take(self.target.size, answer);
        }
    }

    /// Shows the target with its cosignatures, if they are enough.
    fn show(&self) -> bool {
        let mut note = self.target.note.clone();
        self.seats.iter().filter_map(|seat| seat.line.as_deref()).for_each(|line| note.push_str(line));
        let satisfied = |parsed: Note<'_>| self.witnesses.policy.satisfied(&parsed).is_ok();
        let enough = Note::parse(note.as_bytes()).is_ok_and(satisfied);
        if enough {
            self.cosigned.send_replace(note);
        }
        enough
    }

    /// Keeps what is shown. It can be asked for again: losing it is no reason to stop, and showing it doesn't wait.
    async fn keep(&mut self) {
        let note = self.cosigned.borrow().clone();
        if note == self.kept {
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

/// Until a newer checkpoint is out, and a little longer.
async fn superseded(mut published: watch::Receiver<Published>) {
    // A publisher that is gone publishes nothing newer.
    if published.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    sleep(STRAGGLERS_WAIT).await;
}

impl Seat {
    fn take(&mut self, size: u64, answer: Result<String, AskError>) {
        let name = &self.remote.name;
        match answer {
            Ok(line) => {
                if self.failures > 0 {
                    tracing::info!("the witness {name} cosigns again");
                }
                (self.size, self.line, self.failures, self.retry_at) = (size, Some(line), 0, None);
            }
            Err(error) => {
                let wait = RETRY_MIN.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(Instant::now() + wait);
                match error {
                    AskError::Ahead { .. } | AskError::Refused { .. } | AskError::Answer(_) => {
                        tracing::error!("the witness {name} did not cosign {size} entries: {error}");
                    }
                    AskError::Endpoint(_) | AskError::Late | AskError::Unsteady | AskError::Tree(_) => {
                        tracing::warn!("the witness {name} did not cosign {size} entries: {error}");
                    }
                }
            }
        }
    }
}
