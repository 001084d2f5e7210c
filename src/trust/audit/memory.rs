//! What an auditor remembers of a ledger: who it is, the last checkpoint that was verified, and everything up to there, so
//! that the next audit verifies only what is new, and a ledger that takes back what it signed is convicted.
//!
//! ```text
//! lock                 held by the audit that may write here
//! pin, pinned          the ledger's identity, and the same again once an audit had it from outside
//! checkpoint, tree     of the longest history that was verified: what was signed, and the tree's hashes under it
//! evidence-*.pair      two checkpoints that can't both be true
//! server/, archive/, folder/
//!                      how far an audit of each has come: the auditor's own state, with the genesis that it began with
//! *.beside/            the same of a history that the state is not of, until it is verified and at least as long
//! ```

use std::{
    error::Error,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{
    Audit, MemoryCondition, MemoryError, MemoryFolder, Pin, PinError, Scratch,
    state::{Remembered, Resumed},
    stop::Stop,
};
use crate::{
    engine::{
        log::StoredEntry,
        pipeline::{self, Prepared},
        projection::{Projection, ProjectionError},
        store::{StoreError, atomic_write, remove_temporary, rename},
    },
    format::proof::CheckpointPair,
    trust::evidence,
};

/// Entries after which an audit remembers how far it is: replaying as many again takes a few seconds.
const SAVE_ENTRIES: u64 = 200_000;

/// What kind of audit goes on: one of a server keeps rows of history to compare.
#[derive(Debug, Clone, Copy)]
pub(super) enum SourceKind {
    Server,
    Archive,
    Folder,
}

/// Where an audit begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// After what an earlier one verified.
    Remembered,
    /// With the first entry.
    Genesis,
}

/// Which of two states of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StateSlot {
    /// Of the longest history that was verified.
    Kept,
    /// Of another one, under way: what is kept is not given up for a source that may be older, or forked, or damaged.
    Beside,
}

impl StateSlot {
    pub(super) const BOTH: [Self; 2] = [Self::Kept, Self::Beside];
}

/// The memory of one ledger, in a folder of its own.
#[derive(Debug)]
pub(super) struct Memory {
    /// What is remembered of the ledger; none where there is nowhere to look.
    pub(super) folder: Option<PathBuf>,
    /// Where the states are.
    states: PathBuf,
    kind: SourceKind,
    slot: StateSlot,
    /// Held while nobody else may write here. Without it nothing is remembered, and the states are in a temporary folder.
    lock: Option<File>,
    temporary: Option<TempDir>,
    condition: Mutex<MemoryCondition>,
}

impl Memory {
    /// The memory of a ledger, in a folder for all of them. Where another audit is writing there, or where it can only be
    /// read, nothing is written to it.
    ///
    /// # Errors
    /// The folder was named by the auditor, and nothing can be kept there, nor is there anything to read.
    pub(super) fn new(place: &MemoryFolder, origin: &str, kind: SourceKind) -> Result<Self, MemoryError> {
        let name = hex::encode(&Sha256::digest(origin.as_bytes())[..8]);
        let folder = match place {
            MemoryFolder::Named(folder) | MemoryFolder::OfPerson(folder) => folder.join(name),
            MemoryFolder::LeftAlone(folder, problem) => {
                return Self::elsewhere(Some(folder.join(name)), kind, problem.clone());
            }
            MemoryFolder::Nowhere(problem) => return Self::elsewhere(None, kind, problem.clone()),
        };
        #[allow(clippy::disallowed_methods, reason = "a lock file is empty")]
        let lock = match fs::create_dir_all(&folder).and_then(|()| File::create(folder.join("lock"))) {
            Ok(lock) => lock,
            Err(error) => {
                let problem = format!("{} can't be written: {error}", folder.display());
                let is_readable = fs::read(folder.join("checkpoint")).is_ok();
                return match (is_readable, place) {
                    (true, _) => Self::elsewhere(Some(folder), kind, problem),
                    (false, MemoryFolder::Named(_)) => Err(MemoryError::Unusable(problem)),
                    (false, MemoryFolder::OfPerson(_) | MemoryFolder::LeftAlone(..) | MemoryFolder::Nowhere(_)) => {
                        Self::elsewhere(None, kind, problem)
                    }
                };
            }
        };
        let not_mine = match lock.try_lock() {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => Some(format!("another audit is writing to {}", folder.display())),
            Err(TryLockError::Error(error)) => Some(format!("{} can't be locked: {error}", folder.display())),
        };
        if let Some(problem) = not_mine {
            return Self::elsewhere(Some(folder), kind, problem);
        }
        // What a kill left there takes space, and nothing else.
        let _left = remove_temporary(&folder);
        let condition = Mutex::new(MemoryCondition { is_kept: true, problems: Vec::new() });
        let states = folder.clone();
        Ok(Self {
            folder: Some(folder),
            states,
            kind,
            slot: StateSlot::Kept,
            lock: Some(lock),
            temporary: None,
            condition,
        })
    }

    /// A memory in which nothing is kept, though something may be read.
    fn elsewhere(folder: Option<PathBuf>, kind: SourceKind, problem: String) -> Result<Self, MemoryError> {
        let temporary = tempfile::tempdir().map_err(MemoryError::Temporary)?;
        let (states, slot) = (temporary.path().to_owned(), StateSlot::Kept);
        let condition = Mutex::new(MemoryCondition { is_kept: false, problems: vec![problem] });
        Ok(Self { folder, states, kind, slot, lock: None, temporary: Some(temporary), condition })
    }

    /// It is of another ledger: nothing of it is looked at, and nothing is written to it.
    pub(super) fn leave(&mut self, problem: String) -> Result<(), MemoryError> {
        *self = Self::elsewhere(None, self.kind, problem)?;
        Ok(())
    }

    /// Whether it may be written.
    pub(super) const fn is_mine(&self) -> bool {
        self.lock.is_some()
    }

    /// What there is to say of it at the end.
    pub(super) fn condition(&self) -> MemoryCondition {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something of it is of no use, and was left out.
    pub(super) fn tell(&self, problem: String) {
        let mut condition = self.condition.lock().unwrap_or_else(PoisonError::into_inner);
        if !condition.problems.contains(&problem) {
            condition.problems.push(problem);
        }
    }

    /// Something of it could not be written: that says nothing of the ledger.
    pub(super) fn tell_lost(&self, problem: String) {
        self.tell(problem);
        self.condition.lock().unwrap_or_else(PoisonError::into_inner).is_kept = false;
    }

    fn state(&self, slot: StateSlot) -> PathBuf {
        let kind = match self.kind {
            SourceKind::Server => "server",
            SourceKind::Archive => "archive",
            SourceKind::Folder => "folder",
        };
        self.states.join(match slot {
            StateSlot::Kept => kind.to_owned(),
            StateSlot::Beside => format!("{kind}.beside"),
        })
    }

    /// The state in a slot; none where there is none to go on from. An audit that finds nothing where states are kept begins
    /// there.
    pub(super) fn open(&mut self, slot: StateSlot, origin: &str, begin: Begin) -> Option<Remembered> {
        self.slot = slot;
        let state = self.state(slot);
        if !state.exists() && slot == StateSlot::Beside {
            return None;
        }
        let remembered = open_state(&state, origin).map_err(|error| {
            // One that doesn't fit together, or is of an earlier version, is made again without a word.
            if !matches!(&error, MemoryFileError::Io(error) if error.kind() == ErrorKind::UnexpectedEof) {
                self.tell(format!("{} is left out: {}", state.display(), with_causes(&error)));
            }
        });
        let remembered = remembered.ok()?;
        let wanted = if remembered.size() > 0 { begin == Begin::Remembered } else { slot == StateSlot::Kept };
        Some(remembered).filter(|_| wanted)
    }

    /// A state to begin with, beside what is kept.
    pub(super) fn begin(&mut self, origin: &str) -> Result<Remembered, MemoryFileError> {
        self.slot = StateSlot::Beside;
        let state = self.state(StateSlot::Beside);
        match remove_folder(&state).map_err(MemoryFileError::Io).and_then(|()| open_state(&state, origin)) {
            Ok(remembered) => Ok(remembered),
            Err(error) if self.temporary.is_none() => {
                self.tell_lost(format!("{}: {}", state.display(), with_causes(&error)));
                let temporary = tempfile::tempdir()?;
                temporary.path().clone_into(&mut self.states);
                self.temporary = Some(temporary);
                open_state(&self.state(StateSlot::Beside), origin)
            }
            Err(error) => Err(error),
        }
    }

    /// Remembers how far an audit has come.
    pub(super) fn save(&self, own: &Projection, audit: &mut Audit) {
        if self.temporary.is_some() {
            return;
        }
        let state = self.state(self.slot);
        if let Err(error) = save_state(&state, own, audit) {
            let (state, problem) = (state.display(), with_causes(&error));
            self.tell_lost(format!("{state}: how far this audit came could not be written: {problem}"));
        }
    }

    /// The same of a source that is older than what was verified: it never takes the place of a longer one.
    pub(super) fn save_shorter(&self, own: &Projection, audit: &mut Audit) {
        if self.slot == StateSlot::Kept {
            self.save(own, audit);
        }
    }

    /// The state that this audit came to takes the place of the one that is kept.
    pub(super) fn promote(&self) {
        if self.slot == StateSlot::Kept || self.temporary.is_some() {
            return;
        }
        let (kept, beside) = (self.state(StateSlot::Kept), self.state(StateSlot::Beside));
        if let Err(error) = remove_folder(&kept).and_then(|()| rename(&beside, &kept)) {
            self.tell_lost(format!("{}: {error}", kept.display()));
        }
    }

    /// The state that this audit came to is of no use to another one.
    pub(super) fn discard(&self) {
        if self.slot == StateSlot::Beside {
            // What stays takes space, and is not gone on from where it doesn't fit.
            let _left = remove_folder(&self.state(StateSlot::Beside));
        }
    }

    /// Replays what `read` gives, and remembers how far it came: now and then, and where it is interrupted or cut off.
    pub(super) fn replay<E: Send>(
        &self,
        Resumed { audit, own, keys, .. }: &mut Resumed,
        read: impl FnMut() -> Result<Vec<StoredEntry>, Stop<E>> + Send,
        mut take: impl FnMut(&mut Audit, &Projection, Vec<Prepared>) -> Result<(), Stop<E>>,
    ) -> Result<(), Stop<E>> {
        let mut saved = audit.size();
        let ended = pipeline::run(std::mem::take(keys), read, |chunk| {
            take(audit, own, chunk)?;
            if audit.size() >= saved + SAVE_ENTRIES {
                saved = audit.size();
                self.save(own, audit);
            }
            Ok(())
        });
        if matches!(ended, Err(Stop::Source(_) | Stop::Interrupted(_))) && audit.size() > saved {
            self.save(own, audit);
        }
        ended
    }

    /// Keeps two checkpoints that can't both be true, and says where: in the memory, or where nothing is kept, in the folder
    /// for temporary files, from where the auditor has to take it.
    pub(super) fn keep_evidence(&self, pair: &CheckpointPair) -> io::Result<PathBuf> {
        let kept = self.folder.as_ref().and_then(|folder| evidence::keep(folder, pair).ok());
        kept.map_or_else(|| evidence::keep(&std::env::temp_dir(), pair), Ok)
    }
}

/// A file of a memory can't be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum MemoryFileError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An error with all that led to it, in one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Removes a folder, if it is there.
fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether a file isn't there, or holds something else: anything but a fault that passes.
fn says_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData)
}

fn open_state(state: &Path, origin: &str) -> Result<Remembered, MemoryFileError> {
    fs::create_dir_all(state)?;
    let genesis = match Pin::read(&state.join("genesis")) {
        Err(PinError::Io { source, .. }) if !says_nothing(&source) => return Err(source.into()),
        read => read.ok(),
    };
    let events = match fs::read_to_string(state.join("events-replayed")) {
        Err(source) if !says_nothing(&source) => return Err(source.into()),
        read => read.ok().and_then(|text| text.parse().ok()),
    };
    // Without these there is nothing that the saved state could be of.
    let log_size = if genesis.is_some() && events.is_some() { u64::MAX } else { 0 };
    let (own, replay) = Projection::open(&state.join("projections"), origin, log_size)?;
    let old = Scratch::open(state, replay.state.size(), Arc::clone(own.put_away()))?;
    let begun = replay.state.size() > 0;
    Ok(Remembered {
        genesis: genesis.filter(|_| begun),
        events: events.filter(|_| begun).unwrap_or(0),
        own,
        replay,
        old,
    })
}

fn save_state(state: &Path, own: &Projection, audit: &mut Audit) -> Result<(), MemoryFileError> {
    let events = audit.events();
    let Some((replay, genesis, old)) = audit.parts() else { return Ok(()) };
    old.sync()?;
    atomic_write(&state.join("genesis"), genesis.to_text().as_bytes(), 0o600)?;
    atomic_write(&state.join("events-replayed"), events.to_string().as_bytes(), 0o600)?;
    Ok(own.save(&replay.still(), &own.heads())?)
}
