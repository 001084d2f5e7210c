//! Data folders that are made whole: entries are replayed, kept, and shown to nobody before all of them are there.

use std::{
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{
    engine::{
        log::{self, Commit, Log},
        node::Node,
        past::{LogPast, NewestPast, PastError},
        pipeline::{self, Prepared, ReplayError, Replayed},
        projection::Committed,
        replay::Replay,
        store::{CheckpointFile, StoreError, atomic_write, rename, sync_folder, unnamed},
        tree::Tree,
    },
    format::checkpoint::VerifierKey,
    ledger::State,
    merkle::Hash,
    trust::audit::Pin,
};

/// Why there can be no folder at a place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Something is where the folder is to be.
    #[error("{path} is there and not empty, and nothing there is ever touched. Name a folder that does not exist yet")]
    NotEmpty {
        /// The folder that was to be made.
        path: PathBuf,
    },
    /// The system can't put a folder that was made elsewhere at this place.
    #[error(
        "{path}: a disk is mounted there, or it is the folder you are in. Name a folder inside it that does not exist yet"
    )]
    Unmovable {
        /// The folder that was to be made.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder that failed.
        path: PathBuf,
        /// From the system, without the path of the temporary file, if there was one.
        source: std::io::Error,
    },
}

impl PlaceError {
    /// Of an error at a path.
    pub(crate) fn at(path: &Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path: path.clone(), source: unnamed(source) }
    }
}

/// That a folder is not there yet, or empty.
///
/// # Errors
/// [`PlaceError::NotEmpty`].
pub(crate) fn check_free(folder: &Path) -> Result<(), PlaceError> {
    let used = std::fs::read_dir(folder).map_or_else(|_| folder.exists(), |mut files| files.next().is_some());
    if used { Err(PlaceError::NotEmpty { path: folder.to_owned() }) } else { Ok(()) }
}

/// Has a folder filled beside its place and moves it there whole, so that what is there is complete or not there.
///
/// # Errors
/// [`PlaceError`], and those of `fill`; nothing is left then. Only a kill leaves a `.timebank-unfinished-*` behind.
pub(crate) fn in_place<T, E: From<PlaceError>>(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    check_free(folder)?;
    // A link to an empty folder means that folder.
    let place = std::fs::canonicalize(folder).unwrap_or_else(|_absent| folder.to_owned());
    if std::env::current_dir().is_ok_and(|here| here == place) {
        return Err(PlaceError::Unmovable { path: folder.to_owned() }.into());
    }
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let absent: Vec<&Path> = parent.ancestors().take_while(|folder| !folder.exists()).collect();
    let filled = fill_and_move(&place, parent, fill);
    if filled.is_err() {
        for folder in absent {
            // What somebody else put something into meanwhile stays.
            let _stays = std::fs::remove_dir(folder);
        }
    }
    filled
}

fn fill_and_move<T, E: From<PlaceError>>(
    place: &Path,
    parent: &Path,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    std::fs::create_dir_all(parent).map_err(PlaceError::at(parent))?;
    let owner = std::fs::Permissions::from_mode(0o700);
    let beside = tempfile::Builder::new().prefix(".timebank-unfinished-").permissions(owner).tempdir_in(parent);
    let beside = beside.map_err(PlaceError::at(parent))?;
    let filled = fill(beside.path())?;
    sync_folder(beside.path()).map_err(PlaceError::at(parent))?;
    // Takes the place of an empty folder, and fails where meanwhile it isn't.
    rename(beside.path(), place).map_err(|error| {
        let path = place.to_owned();
        if error.kind() == ErrorKind::DirectoryNotEmpty {
            PlaceError::NotEmpty { path }
        } else if matches!(error.kind(), ErrorKind::ResourceBusy | ErrorKind::CrossesDevices) {
            PlaceError::Unmovable { path }
        } else {
            PlaceError::at(place)(error)
        }
    })?;
    let _moved = beside.keep();
    Ok(filled)
}

/// A log and its projections that grow by entries that others decide on.
pub(crate) struct Building {
    folder: PathBuf,
    node: Node,
    replay: Replay,
    /// Replayed, and not in the store yet.
    pending: Vec<Replayed>,
    /// New since the last commit.
    tree_hashes: Vec<Hash>,
}

impl Building {
    /// An empty log in a folder.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(crate) fn new(folder: &Path, origin: &str) -> Result<Self, PastError> {
        let log = log::open(&folder.join("log"))?;
        let (node, replay) = Node::saved(log, &folder.join("projections"), origin)?;
        Ok(Self { folder: folder.to_owned(), node, replay, pending: Vec::new(), tree_hashes: Vec::new() })
    }

    /// What the entries so far add up to.
    pub(crate) const fn state(&self) -> &State {
        &self.replay.state
    }

    /// What is committed.
    pub(crate) fn log(&self) -> &dyn Log {
        self.node.log.as_ref()
    }

    /// The tree over what is committed.
    pub(crate) fn tree(&self) -> &Tree {
        &self.node.tree
    }

    /// Root of the tree over the entries so far.
    pub(crate) fn root(&self) -> Hash {
        self.replay.frontier.root()
    }

    /// Replays an entry: every signature and rule.
    ///
    /// # Errors
    /// Those of [`pipeline::replay`]; it is of no use then.
    pub(crate) fn push(&mut self, prepared: Prepared) -> Result<(), ReplayError<PastError>> {
        let durable = LogPast { log: self.node.log.as_ref(), put_away: self.node.projection.put_away() };
        let (first, pending) = (self.node.log.size(), &self.pending);
        let newest = |index: u64| {
            let replayed = pending.get(usize::try_from(index.checked_sub(first)?).ok()?);
            replayed.map(|replayed| &replayed.decoded.sheet)
        };
        let mut past = NewestPast { durable, newest: &newest };
        let tree_hashes = &mut self.tree_hashes;
        let replayed = pipeline::replay(&mut self.replay, prepared, &mut past, |hash| tree_hashes.push(hash))?;
        self.pending.push(replayed);
        Ok(())
    }

    /// Keeps what was replayed, as one commit.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(crate) fn commit(&mut self) -> Result<(), PastError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let entries = self.pending.iter().map(|replayed| replayed.entry.clone()).collect();
        let root = self.root();
        log::settle(self.node.log.as_ref(), &Commit { entries, root }, self.node.machine.as_ref())?;
        let committed: Vec<Committed<'_>> = self.pending.iter().map(Replayed::committed).collect();
        self.node.show(&committed, &self.tree_hashes, self.replay.state.version().clone(), root)?;
        self.pending.clear();
        self.tree_hashes.clear();
        Ok(())
    }

    /// Ends with the signed checkpoint over all that was committed, and the pin of a ledger with this key.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(crate) fn finish(self, note: &str, ledger_key: VerifierKey) -> Result<Pin, PastError> {
        let Self { folder, node, mut replay, .. } = self;
        node.save(&replay.still(), &node.projection.heads())?;
        CheckpointFile::new(&folder.join("checkpoint")).write(note)?;
        let genesis_leaf_hash = node.tree.hash(0)?;
        let pin = Pin { ledger_key, genesis_leaf_hash };
        let path = folder.join("ledger.pin");
        let written = atomic_write(&path, pin.to_text().as_bytes(), 0o644);
        written.map_err(|source| StoreError::Io { path, source })?;
        Ok(pin)
    }
}
