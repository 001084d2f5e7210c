//! A log that others extend, replayed as it grows: a start up to where it ends, a follower for as long as it runs.

use std::{sync::Arc, time::Duration};

use crate::{
    engine::{
        log::{Log, StoredEntry},
        machine::MachinePath,
        node::Node,
        past::{LogPast, PastError},
        pipeline::{self, KnownKeys, ReplayError, Replayed},
        projection::{self, Committed, ProjectionError},
        replay::{Divergence, Replay},
        saver::{SNAPSHOT_ENTRIES, Saver},
        store::StoreError,
    },
    ledger::Refusal,
};

/// How long one wait for more entries lasts: after each, a follower looks whether it is to go on.
const FOLLOW_WAIT: Duration = Duration::from_millis(100);

/// Why a log can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is derived from it can't be kept or read.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// An entry can't be decoded.
    #[error("entry {index} of the log can't be decoded: {refusal}. Restore the folder from a backup")]
    Undecodable {
        /// Position in the log.
        index: u64,
        /// The first thing that the decoder objects to, and the field where.
        refusal: Refusal,
    },
    /// An entry doesn't follow from those before it.
    #[error("the log does not obey its own rules: {0}. Restore the folder from a backup; nothing was changed")]
    Diverged(Divergence),
    /// The recomputed root isn't the one that was kept with a commit.
    #[error(
        "the tree over the first {size} entries of the log has another root than was kept with them. Restore a backup"
    )]
    RootMismatch {
        /// Entries that the roots are over.
        size: u64,
    },
    /// The log lost entries that this node has replayed.
    #[error(
        "the log has {log} entries, but {replayed} of it were replayed already: it lost some, or is another one. Nothing more \
         is shown of it; see to the log, then start again"
    )]
    LogShorter {
        /// Entries of the log.
        log: u64,
        /// Entries that were replayed.
        replayed: u64,
    },
}

impl From<ReplayError<PastError>> for FollowError {
    fn from(error: ReplayError<PastError>) -> Self {
        match error {
            ReplayError::Undecodable { index, refusal } => Self::Undecodable { index, refusal },
            ReplayError::Diverged(divergence) => Self::Diverged(divergence),
            ReplayError::Past(error) => error.into(),
        }
    }
}

impl From<PastError> for FollowError {
    fn from(error: PastError) -> Self {
        match error {
            PastError::Store(error) => Self::Store(error),
            PastError::PutAway(error) => Self::Projection(error),
        }
    }
}

impl FollowError {
    /// What a state that was saved wrong would explain, so that a replay from the first entry on may succeed; nothing else. A
    /// disk that can't be read just now explains itself, and costs no replay of a whole log.
    const fn of_the_snapshot(&self) -> Option<&'static str> {
        match self {
            Self::Diverged(_) => Some("an entry does not follow from it"),
            Self::RootMismatch { .. } => Some("the log keeps another root"),
            Self::Projection(ProjectionError::EntryGap { .. } | ProjectionError::Corrupt { .. }) => {
                Some("rows beside it are damaged")
            }
            Self::Projection(
                ProjectionError::Io { .. } | ProjectionError::SyncFailed { .. } | ProjectionError::NotAtHand,
            )
            | Self::Store(_)
            | Self::Undecodable { .. }
            | Self::LogShorter { .. } => None,
        }
    }
}

impl Node {
    /// Opens what was derived from a log in a folder, and brings it up to all that the log has. What was saved and doesn't
    /// agree with the log is set aside and costs a replay.
    ///
    /// # Errors
    /// [`FollowError`].
    pub fn open(
        log: Arc<dyn Log>,
        folder: impl Into<MachinePath>,
        origin: &str,
    ) -> Result<(Self, Replay), FollowError> {
        let folder = folder.into();
        let (node, mut replay) = Self::saved(Arc::clone(&log), folder.clone(), origin)?;
        let saved = replay.state.size();
        let Err(error) = node.catch_up(&mut replay) else { return Ok((node, replay)) };
        let Some(cause) = error.of_the_snapshot().filter(|_| saved > 0) else { return Err(error) };
        drop(node);
        let became = projection::set_aside(&folder)?;
        tracing::warn!("the snapshot doesn't agree with the log ({cause}): replaying all of it. {became}");
        let (node, mut replay) = Self::saved(log, folder, origin)?;
        node.catch_up(&mut replay)?;
        Ok((node, replay))
    }

    /// Replays what the log has and the state doesn't: every signature and every rule again, and the root of each commit that
    /// the replay comes to the end of.
    ///
    /// # Errors
    /// [`FollowError`]; readers are shown what came before.
    pub fn catch_up(&self, replay: &mut Replay) -> Result<(), FollowError> {
        let (mut next, log) = (replay.state.size(), self.log.as_ref());
        let end = log.size();
        if end < next {
            return Err(FollowError::LogShorter { log: end, replayed: next });
        }
        check_root(log, replay)?;
        if end == next {
            return Ok(());
        }
        let read = || -> Result<Vec<StoredEntry>, FollowError> {
            let mut entries = if next < end { log.entries(next, pipeline::CHUNK_BYTES)? } else { Vec::new() };
            // Up to where it ended: what is shown ends where a commit did.
            entries.truncate(usize::try_from(end - next).unwrap_or(usize::MAX));
            next += entries.len() as u64;
            Ok(entries)
        };
        let keys = KnownKeys::of(replay.state.version());
        let mut past = LogPast { log, put_away: self.projection.put_away() };
        pipeline::run(keys, read, |chunk| {
            let (mut replayed, mut hashes) = (Vec::with_capacity(chunk.len()), Vec::new());
            for prepared in chunk {
                replayed.push(pipeline::replay(replay, prepared, &mut past, |hash| hashes.push(hash))?);
            }
            check_root(log, replay)?;
            let root = replay.frontier.root();
            let committed: Vec<Committed<'_>> = replayed.iter().map(Replayed::committed).collect();
            self.show(&committed, &hashes, replay.state.version().clone(), root)?;
            Ok(())
        })?;
        let replayed = replay.state.size();
        if replayed < end {
            return Err(StoreError::Corrupt { at: format!("entry {replayed}"), problem: "it is missing" }.into());
        }
        Ok(())
    }

    /// Follows a log that others extend, for as long as it is to go on: each commit is shown once it is replayed, without a
    /// further one. States are saved on the way, and the last one at the end.
    ///
    /// # Errors
    /// [`FollowError`]; what was shown stays.
    pub fn follow(&self, replay: &mut Replay, goes_on: impl Fn() -> bool) -> Result<(), FollowError> {
        let (mut saver, mut save_at) = (Saver::new(self.clone()), self.projection.snapshot_size() + SNAPSHOT_ENTRIES);
        while goes_on() {
            self.log.wait(replay.state.size(), FOLLOW_WAIT);
            self.catch_up(replay)?;
            if replay.state.size() >= save_at {
                save_at = replay.state.size() + SNAPSHOT_ENTRIES;
                saver.save(replay.still())?;
            }
        }
        if replay.state.size() > self.projection.snapshot_size() {
            saver.save(replay.still())?;
        }
        saver.finish()?;
        Ok(())
    }
}

/// The root that the log keeps for just so many entries as were replayed is theirs, if it keeps one.
fn check_root(log: &dyn Log, replay: &Replay) -> Result<(), FollowError> {
    let size = replay.state.size();
    let differs = log.root(size)?.is_some_and(|kept| kept != replay.frontier.root());
    if differs { Err(FollowError::RootMismatch { size }) } else { Ok(()) }
}
