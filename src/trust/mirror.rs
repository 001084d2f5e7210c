//! The public copy of the log: [tlog-tiles] of C2SP, out of the store and into a folder of static files.
//!
//! ```text
//! checkpoint                       the signed checkpoint, replaced last
//! tile/<L>/<N>[.p/<W>]             hashes of the tree, 256 a tile
//! tile/entries/<N>[.p/<W>]         the 81-byte leaves, 256 a bundle
//! ```
//!
//! Leaves hold an index, a time and two hashes: nobody's key, count or account.
//!
//! [tlog-tiles]: https://c2sp.org/tlog-tiles

mod content;
mod look;

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

pub use content::content;
use look::{Found, look, others};

use crate::{
    engine::{
        machine::make_folders,
        store::{atomic_write_from, remove_temporary},
    },
    format::{
        checkpoint::{self, Checkpoint, CheckpointError, VerifierKey},
        proof::CheckpointPair,
    },
    merkle::{Hash, TILE_WIDTH, TileFile, TiledError, TiledLog, consistency_path, root_at, tile_levels},
};

/// Name of the checkpoint, in the folder and below the log's prefix.
pub const CHECKPOINT: &str = "checkpoint";

/// Why a mirror was not brought up to date. The folder's checkpoint is the old one then, and all that it needs is there.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError<E> {
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder of the mirror.
        path: PathBuf,
        /// From reading, writing or syncing it.
        source: io::Error,
    },
    /// Another process works on it.
    #[error("{path} is in use by another mirror: let that one finish")]
    InUse {
        /// The mirror's folder, which the other process holds locked.
        path: PathBuf,
    },
    /// The log's checkpoint is none.
    #[error("the log's checkpoint is not signed by its key: {0}")]
    Checkpoint(CheckpointError),
    /// The folder mirrors another log.
    #[error(
        "{path} is not a checkpoint by this log's key: {source}. Choose another folder, or find out who changed it"
    )]
    OtherLog {
        /// The folder's checkpoint.
        path: PathBuf,
        /// Why it isn't.
        source: CheckpointError,
    },
    /// The log is shorter than it was.
    #[error(
        "the log shows a checkpoint over {new} entries, but the folder has one over {old}: entries were taken back, or an \
         old copy answers. Nothing was changed. If it stays so, both are evidence; the log's is\n\n{note}"
    )]
    Shrunk {
        /// Entries of the folder's checkpoint.
        old: u64,
        /// Entries of the log's.
        new: u64,
        /// The log's checkpoint.
        note: String,
    },
    /// The log's past is another.
    #[error(
        "the log's checkpoint over {new} entries and the folder's over {old} are not of one history: its past was rewritten. \
         Both are signed and can't both be true. No file of the log was changed"
    )]
    Forked {
        /// Entries of the folder's checkpoint.
        old: u64,
        /// Entries of the log's.
        new: u64,
        /// Both, and what shows it.
        evidence: Box<CheckpointPair>,
    },
    /// Files that the checkpoint doesn't need are not what the log has there, or not of a log.
    #[error("{}", unfit(damaged, strangers))]
    Unfit {
        /// Partial files of earlier sizes with other bytes, and files that don't begin as the log does.
        damaged: Vec<String>,
        /// Paths below `tile/` that no log has.
        strangers: Vec<String>,
    },
    /// The log's files don't fit its checkpoint, or can't be read.
    #[error(transparent)]
    Tiled(#[from] TiledError<E>),
}

/// What an update did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Entries that the folder's checkpoint covered before; none where there was no checkpoint.
    pub old: Option<u64>,
    /// Entries that it covers now.
    pub size: u64,
    /// Tiles and bundles written.
    pub written: u64,
    /// Of these, those that were there with other bytes.
    pub repaired: u64,
    /// Paths below `tile/` that this log has not; looked for only with [`Scope::All`].
    pub strangers: Vec<String>,
}

/// What a folder holds that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its checkpoint, to which all of it leads.
    pub checkpoint: Checkpoint,
    /// Files that go on after what it covers: a run that was cut off leaves them.
    pub beyond: u64,
}

/// Names of a list that are told one by one.
const NAMES_TOLD_MAX: usize = 20;

fn unfit(damaged: &[String], strangers: &[String]) -> String {
    let list = |files: &[String], what: &str| {
        let more = files.len().saturating_sub(NAMES_TOLD_MAX);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let names: Vec<&str> = files.iter().take(NAMES_TOLD_MAX).map(String::as_str).collect();
        (!files.is_empty()).then(|| format!("{what}: {}{more}", names.join(", ")))
    };
    let parts = [
        list(damaged, "not what the log has there (`--all` writes them again)"),
        list(strangers, "no files of this log, which have no business in the folder"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(". ")
}

/// Which files to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those that the folder's checkpoint doesn't cover yet.
    New,
    /// All: what is damaged or missing is written again.
    All,
}

/// Brings a folder to a newer checkpoint of the log whose key this is.
///
/// The checkpoint is replaced last, and only after every file that it needs is on the disk. Nothing is written that
/// doesn't lead to its root, and nothing at all unless it continues the one that the folder has. Full files are written
/// once. Partial ones stay as long as an older checkpoint may need them, which is until the full one is there.
/// `fetch` gives the log's files; `done` gets the number of entries that are in the folder.
///
/// # Errors
/// In the order of [`MirrorError`].
pub fn update<E>(
    folder: &Path,
    note: &[u8],
    key: &VerifierKey,
    scope: Scope,
    fetch: impl FnMut(TileFile) -> Result<Option<Vec<u8>>, E>,
    mut done: impl FnMut(u64),
) -> Result<Update, MirrorError<E>> {
    let io = |path: &Path, source| MirrorError::Io { path: path.to_owned(), source };
    make_folders(folder, 0o777).map_err(|source| io(folder, source))?;
    let _lock = lock(folder)?;
    remove_temporary(folder).map_err(|source| io(folder, source))?;
    let new = checkpoint::open(note, key, key.name()).map_err(MirrorError::Checkpoint)?;
    let old = folder_checkpoint(folder, key)?;
    if let Some(kept) = old.as_ref().filter(|(old, _)| old.size > new.size) {
        return Err(shorter(folder, kept, (&new, note), key));
    }
    let mut log = continued(old.as_ref(), (&new, note), key, fetch)?;
    let old = old.map(|(old, _)| old);
    let from = old.as_ref().filter(|_| scope == Scope::New).map_or(0, |old| old.size);
    let mut update =
        Update { old: old.map(|old| old.size), size: new.size, written: 0, repaired: 0, strangers: Vec::new() };
    for file in files(from, new.size) {
        let path = folder.join(file.to_string());
        let there = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(io(&path, source)),
        };
        if let Some(bytes) = missing(&mut log, file, there.as_deref())? {
            write(folder, &path, &bytes).map_err(|source| io(&path, source))?;
            update.written += 1;
            update.repaired += u64::from(there.is_some());
        }
        if let TileFile::Entries { index, .. } = file {
            done(index * TILE_WIDTH + file.width());
        }
    }
    for file in files(from, new.size).filter(|file| file.width() == TILE_WIDTH) {
        let path = folder.join(format!("{file}.p"));
        match fs::remove_dir_all(&path) {
            Err(source) if !is_absent(&source) => return Err(io(&path, source)),
            Ok(()) | Err(_) => {}
        }
    }
    if scope == Scope::All {
        repair_others(folder, &mut log, &mut update)?;
    }
    let path = folder.join(CHECKPOINT);
    if fs::read(&path).ok().as_deref() != Some(note) {
        write(folder, &path, note).map_err(|source| io(&path, source))?;
    }
    Ok(update)
}

/// Writes again what is damaged of the files that the checkpoint doesn't need.
fn repair_others<E, F>(folder: &Path, log: &mut TiledLog<F>, update: &mut Update) -> Result<(), MirrorError<E>>
where
    F: FnMut(TileFile) -> Result<Option<Vec<u8>>, E>,
{
    let others = others(folder, log.size()).map_err(|source| MirrorError::Io { path: folder.to_owned(), source })?;
    update.strangers = others.strangers;
    for file in others.files {
        let path = folder.join(file.to_string());
        let io = |source| MirrorError::Io { path: path.clone(), source };
        let bytes = fs::read(&path).map_err(io)?;
        if look(log, file, &bytes)? != Found::Damaged {
            continue;
        }
        if file.size_min().is_some_and(|size| size <= log.size()) {
            write(folder, &path, &log.content(file)?).map_err(io)?;
            update.written += 1;
            update.repaired += 1;
        } else {
            // The log has less of it: nobody can say what belongs there.
            update.strangers.push(file.to_string());
        }
    }
    Ok(())
}

/// Nothing is there under this name, or something else than a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}

/// Two processes could leave the older checkpoint behind.
fn lock<E>(folder: &Path) -> Result<File, MirrorError<E>> {
    let io = |source| MirrorError::Io { path: folder.to_owned(), source };
    let file = File::open(folder).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MirrorError::InUse { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// A checkpoint and its note.
type Kept = (Checkpoint, Vec<u8>);

fn folder_checkpoint<E>(folder: &Path, key: &VerifierKey) -> Result<Option<Kept>, MirrorError<E>> {
    let path = folder.join(CHECKPOINT);
    let note = match fs::read(&path) {
        Ok(note) => note,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(MirrorError::Io { path, source }),
    };
    match checkpoint::open(&note, key, key.name()) {
        Ok(checkpoint) => Ok(Some((checkpoint, note))),
        Err(source) => Err(MirrorError::OtherLog { path, source }),
    }
}

/// What a log is that shows fewer entries than the folder has: forked, where the folder's own tiles show that it isn't
/// their beginning.
fn shorter<E>(
    folder: &Path,
    (old, old_note): &Kept,
    (new, note): (&Checkpoint, &[u8]),
    key: &VerifierKey,
) -> MirrorError<E> {
    let path = || {
        let mut tree = TiledLog::open(old.size, &old.root_hash().ok()?, from_folder(folder)).ok()?;
        let then = root_at(new.size, |level, index| tree.node(level, index)).ok()?;
        let is_other = new.root_hash().ok()? != then;
        is_other.then(|| consistency_path(new.size, old.size, |level, index| tree.node(level, index)).ok()).flatten()
    };
    let text = |note: &[u8]| String::from_utf8_lossy(note).into_owned();
    match path() {
        Some(path) => {
            let evidence = CheckpointPair { ledger: key.clone(), path, old: text(note), new: text(old_note) };
            MirrorError::Forked { old: old.size, new: new.size, evidence: Box::new(evidence) }
        }
        None => MirrorError::Shrunk { old: old.size, new: new.size, note: text(note) },
    }
}

/// The files of a folder.
fn from_folder(folder: &Path) -> impl FnMut(TileFile) -> io::Result<Option<Vec<u8>>> {
    move |file| match fs::read(folder.join(file.to_string())) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The log of the new checkpoint, if it continues the old one. Every hash that the old root is computed from leads to
/// the new root, so this is a consistency proof from the log's own tiles.
fn continued<E, F>(
    old: Option<&Kept>,
    (new, note): (&Checkpoint, &[u8]),
    key: &VerifierKey,
    fetch: F,
) -> Result<TiledLog<F>, MirrorError<E>>
where
    F: FnMut(TileFile) -> Result<Option<Vec<u8>>, E>,
{
    // Of this length: `checkpoint::open` looks.
    let root = |checkpoint: &Checkpoint| checkpoint.root_hash().map_err(MirrorError::Checkpoint);
    let new_root = root(new)?;
    let Some((old, old_note)) = old else { return Ok(TiledLog::open(new.size, &new_root, fetch)?) };
    let (old_root, old, new) = (root(old)?, old.size, new.size);
    let text = |note: &[u8]| String::from_utf8_lossy(note).into_owned();
    let forked = |path| {
        let evidence = CheckpointPair { ledger: key.clone(), path, old: text(old_note), new: text(note) };
        MirrorError::Forked { old, new, evidence: Box::new(evidence) }
    };
    if new == old && new_root != old_root {
        return Err(forked(Vec::new()));
    }
    let mut log = TiledLog::open(new, &new_root, fetch)?;
    if root_at(old, |level, index| log.node(level, index))? != old_root {
        return Err(forked(consistency_path(old, new, |level, index| log.node(level, index))?));
    }
    Ok(log)
}

/// The files of a tree of `new` entries that one of `old` doesn't have, bundles right before the tiles of their hashes.
fn files(old: u64, new: u64) -> impl Iterator<Item = TileFile> {
    tile_levels(new).flat_map(move |tiles| {
        let level = tiles.level;
        let first = old / TILE_WIDTH.saturating_pow(u32::from(level) + 1);
        let full = (first..tiles.full).map(|index| (index, None));
        full.chain(tiles.partial.map(|width| (tiles.full, Some(width)))).flat_map(move |(index, partial)| {
            let entries = (level == 0).then_some(TileFile::Entries { index, partial });
            entries.into_iter().chain([TileFile::Hashes { level, index, partial }])
        })
    })
}

/// What a file has to hold, unless it does.
fn missing<E, F>(log: &mut TiledLog<F>, file: TileFile, there: Option<&[u8]>) -> Result<Option<Vec<u8>>, TiledError<E>>
where
    F: FnMut(TileFile) -> Result<Option<Vec<u8>>, E>,
{
    let expected = match file {
        TileFile::Hashes { level, index, .. } => log.tile(level, index)?.concat(),
        TileFile::Entries { index, .. } => {
            if let Some(bytes) = there
                && log.holds(file, bytes)?
            {
                return Ok(None);
            }
            log.bundle(index)?
        }
    };
    Ok(Some(expected).filter(|expected| there != Some(expected)))
}

fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| make_folders(folder, 0o777))?;
    atomic_write_from(folder, path, bytes, 0o644)
}

/// Reads what a folder holds as any reader of the public log would, every tile and every entry, and looks at every other
/// file below `tile/`: partial ones of earlier sizes have to be what the tree has there.
///
/// # Errors
/// The folder has no checkpoint by this key, or something in it isn't as the checkpoint says.
pub fn verify(folder: &Path, key: &VerifierKey) -> Result<Checked, MirrorError<io::Error>> {
    let path = folder.join(CHECKPOINT);
    let missing = || MirrorError::Io { path, source: io::Error::from(ErrorKind::NotFound) };
    // An update takes partial files away.
    let _lock = lock(folder)?;
    let (checkpoint, _) = folder_checkpoint(folder, key)?.ok_or_else(missing)?;
    let root: Hash = checkpoint.root_hash().map_err(MirrorError::Checkpoint)?;
    let mut log = TiledLog::open(checkpoint.size, &root, from_folder(folder))?;
    log.verify(|_, _| ())?;
    let others =
        others(folder, checkpoint.size).map_err(|source| MirrorError::Io { path: folder.to_owned(), source })?;
    let (mut damaged, mut beyond) = (Vec::new(), 0);
    for file in others.files {
        let path = folder.join(file.to_string());
        let bytes = fs::read(&path).map_err(|source| MirrorError::Io { path, source })?;
        match look(&mut log, file, &bytes)? {
            Found::Right => {}
            Found::Beyond => beyond += 1,
            Found::Damaged => damaged.push(file.to_string()),
        }
    }
    if damaged.is_empty() && others.strangers.is_empty() {
        return Ok(Checked { checkpoint, beyond });
    }
    Err(MirrorError::Unfit { damaged, strangers: others.strangers })
}

#[cfg(test)]
mod tests;
