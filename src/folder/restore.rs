//! A data folder made of an archive, once every entry of it was replayed.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use super::{
    build::{Building, PlaceError, check_free, in_place},
    open::{genesis, vkey},
};
use crate::{
    engine::{
        key_file::{KeyFile, KeyFileError},
        log::Log,
        past::PastError,
        pipeline::{self, KnownKeys, ReplayError},
        progress::{Progress, Work},
        projection::ProjectionError,
        replay::Divergence,
        store::{CheckpointFile, StoreError},
        tree::Tree,
    },
    format::{
        archive::{ArchiveError, Reader},
        checkpoint::{self, CheckpointError, VerifierKey},
    },
    ledger::{LedgerCreated, Refusal},
    merkle::Hash,
};

/// The key files that a data folder may hold.
const KEY_FILES: [&str; 3] = ["ledger.key", "service.key", "operator.key"];

/// What to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The archive's file, which is only read.
    pub archive: PathBuf,
    /// The data folder to make: not there yet, or empty.
    pub folder: PathBuf,
    /// A folder with the ledger's keys, as a backup of its data folder has them. Its checkpoint counts, if it has one.
    pub keys: Option<PathBuf>,
    /// The ledger key that the archive's genesis has to name.
    pub ledger_key: Option<VerifierKey>,
}

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// Name of the ledger, as archive and genesis have it.
    pub origin: String,
    /// Entries of the log, the genesis counted.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// The key that its genesis names.
    pub ledger_vkey: String,
    /// Leaf hash of entry 0.
    pub genesis_leaf_hash: Hash,
    /// Names of the key files that it has.
    pub keys: Vec<&'static str>,
}

/// Why nothing was restored. Where the folder was to be, nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There can be no folder, or the archive can't be opened.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A key file can't be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The archive is damaged, or no archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Whoever asked for it wants it no more.
    #[error("interrupted; nothing was restored")]
    Interrupted,
    /// The archive has nothing in it.
    #[error("the archive holds no entries: there is nothing to restore")]
    Empty,
    /// The new log's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The new projections can't be kept.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// It is an archive of another ledger than asked for.
    #[error("the archive's genesis names the ledger key {found}, not {wanted}: it is of another ledger, or forged")]
    OtherLedger {
        /// The ledger key that was asked for, as a C2SP verifier key.
        wanted: String,
        /// The ledger key that the genesis names, as a C2SP verifier key.
        found: String,
    },
    /// An entry can't be decoded.
    #[error("entry {index} of the archive can't be decoded: {refusal}. The archive is not of an honest ledger")]
    Undecodable {
        /// Position in the log.
        index: u64,
        /// The first thing that the decoder objects to, and the field where.
        refusal: Refusal,
    },
    /// An entry doesn't follow from those before it.
    #[error("the archive does not obey the ledger's rules: {0}. The archive is not of an honest ledger")]
    Diverged(Divergence),
    /// The checkpoint isn't the ledger's.
    #[error("the archive's checkpoint is not one of its ledger key: {0}")]
    Checkpoint(CheckpointError),
    /// The checkpoint is over other entries.
    #[error("the archive's {size} entries are not those of its signed checkpoint: their tree has another root")]
    RootMismatch {
        /// Entries of the archive.
        size: u64,
    },
    /// The checkpoint beside the keys is none of this ledger.
    #[error("{path} is no checkpoint of this ledger: {source}")]
    KeptCheckpoint {
        /// The file `checkpoint` in the folder of the keys.
        path: PathBuf,
        /// What is wrong with the note, its signature or what it says.
        source: CheckpointError,
    },
    /// The archive is too old to go on from.
    #[error(
        "the archive has {size} entries, but {path} is signed over {signed}: acknowledged entries are missing. Restore a \
         newer archive; one that goes on from here would be convicted of two histories"
    )]
    EntriesMissing {
        /// The file `checkpoint` in the folder of the keys.
        path: PathBuf,
        /// Entries of the archive.
        size: u64,
        /// Entries under that checkpoint.
        signed: u64,
    },
    /// The archive has another history.
    #[error("the archive's first {signed} entries are not those that {path} is signed over: one of the two is forged")]
    OtherHistory {
        /// The file `checkpoint` in the folder of the keys.
        path: PathBuf,
        /// Entries under that checkpoint: the archive has as many, or more.
        signed: u64,
    },
}

impl From<ReplayError<PastError>> for RestoreError {
    fn from(error: ReplayError<PastError>) -> Self {
        match error {
            ReplayError::Undecodable { index, refusal } => Self::Undecodable { index, refusal },
            ReplayError::Diverged(divergence) => Self::Diverged(divergence),
            ReplayError::Past(error) => error.into(),
        }
    }
}

impl From<PastError> for RestoreError {
    fn from(error: PastError) -> Self {
        match error {
            PastError::Store(error) => Self::Store(error),
            PastError::PutAway(error) => Self::Projection(error),
        }
    }
}

/// Makes a data folder of an archive after replaying it: signatures, rules, tree, checkpoint. `progress` is told the
/// entries so far.
///
/// # Errors
/// The folder, the keys, then the first thing that is wrong with the archive.
pub fn restore(options: &RestoreOptions, progress: &dyn Progress) -> Result<Restored, RestoreError> {
    let folder = &options.folder;
    check_free(folder)?;
    let keys = read_keys(options.keys.as_deref())?;
    let file = File::open(&options.archive).map_err(PlaceError::at(&options.archive))?;
    let reader = Reader::new(BufReader::new(file))?;
    in_place(folder, |beside| build(beside, reader, options, &keys, progress))
}

/// Key files by name. The ledger's has to be there: without it the others are of no use.
fn read_keys(folder: Option<&Path>) -> Result<Vec<(&'static str, KeyFile)>, RestoreError> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let there = KEY_FILES.into_iter().filter(|name| *name == "ledger.key" || folder.join(name).exists());
    there.map(|name| Ok((name, KeyFile::read(&folder.join(name))?))).collect()
}

/// Fills an empty folder. Nothing has it open afterwards.
fn build(
    folder: &Path,
    mut reader: Reader<BufReader<File>>,
    options: &RestoreOptions,
    keys: &[(&'static str, KeyFile)],
    progress: &dyn Progress,
) -> Result<Restored, RestoreError> {
    let origin = reader.origin().to_owned();
    let mut building = Building::new(folder, &origin)?;
    let mut key = None;
    let read = || Ok(reader.next_entries()?.unwrap_or_default());
    pipeline::run(KnownKeys::default(), read, |chunk| {
        chunk.into_iter().try_for_each(|prepared| building.push(prepared))?;
        building.commit()?;
        if key.is_none() {
            key = Some(check_ledger(building.log(), options, keys)?);
        }
        let stopped = progress.told(Work::Entries, building.log().size(), None).is_break();
        if stopped { Err(RestoreError::Interrupted) } else { Ok(()) }
    })?;
    let size = building.log().size();
    let (Some(key), Some(note)) = (key, reader.note()) else { return Err(RestoreError::Empty) };
    let signed = checkpoint::open(note.as_bytes(), &key, &origin).map_err(RestoreError::Checkpoint)?;
    let root = building.root();
    if signed.root_hash().map_err(RestoreError::Checkpoint)? != root {
        return Err(RestoreError::RootMismatch { size });
    }
    if let Some(folder) = &options.keys {
        check_kept(folder.join("checkpoint"), (size, building.tree()), &key)?;
    }
    for (name, file) in keys {
        file.create(&folder.join(name))?;
    }
    let pin = building.finish(note, key)?;
    Ok(Restored {
        origin,
        size,
        root,
        ledger_vkey: pin.ledger_key.to_string(),
        genesis_leaf_hash: pin.genesis_leaf_hash,
        keys: keys.iter().map(|(name, _)| *name).collect(),
    })
}

/// The ledger key that the genesis names, if it is the one asked for and the key files are this ledger's.
fn check_ledger(
    log: &dyn Log,
    options: &RestoreOptions,
    keys: &[(&'static str, KeyFile)],
) -> Result<VerifierKey, RestoreError> {
    let no_genesis = |_error| StoreError::Corrupt { at: "entry 0".to_owned(), problem: "it is no genesis" };
    let created = genesis(log).map_err(no_genesis)?;
    let key = vkey(&created.origin, created.ledger_key).map_err(no_genesis)?;
    if let Some(wanted) = options.ledger_key.as_ref().filter(|wanted| **wanted != key) {
        return Err(RestoreError::OtherLedger { wanted: wanted.to_string(), found: key.to_string() });
    }
    for (name, file) in keys {
        if !is_named(&created, name, file.key.public_key()) {
            let path = options.keys.as_deref().unwrap_or(Path::new("")).join(name);
            return Err(KeyFileError::OtherKey { path }.into());
        }
    }
    Ok(key)
}

/// Whether a genesis names the key of a file. Operators come and go: theirs need not be one of the first.
fn is_named(created: &LedgerCreated, name: &str, public_key: [u8; 32]) -> bool {
    match name {
        "ledger.key" => created.ledger_key == public_key,
        "service.key" => created.service_key.1 == public_key,
        _ => true,
    }
}

/// The checkpoint of a backup, if there is one, must be over a beginning of the log.
fn check_kept(path: PathBuf, (size, tree): (u64, &Tree), key: &VerifierKey) -> Result<(), RestoreError> {
    let Some(note) = CheckpointFile::new(&path).read()? else { return Ok(()) };
    let opened = checkpoint::open(note.as_bytes(), key, key.name());
    let opened = opened.and_then(|checkpoint| Ok((checkpoint.size, checkpoint.root_hash()?)));
    let (signed, root) = match opened {
        Ok(opened) => opened,
        Err(source) => return Err(RestoreError::KeptCheckpoint { path, source }),
    };
    if signed > size {
        return Err(RestoreError::EntriesMissing { path, size, signed });
    }
    if tree.root(signed)? == root { Ok(()) } else { Err(RestoreError::OtherHistory { path, signed }) }
}
