//! The data folder of a witness.
//!
//! ```text
//! witness.key     signs cosignatures
//! lock            held while a witness runs: two of them could cosign two histories
//! logs/           for each ledger the newest checkpoint that was cosigned, under the SHA-256 of its origin
//! evidence-*.pair what convicts a ledger that showed a second history, under the same name
//! ```

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::{
    engine::{
        key_file::{KeyFile, KeyFileError},
        store::{atomic_write, sync_folder},
    },
    format::{
        checkpoint::{
            VerifierKey, VerifierKeyError, WitnessKey,
            witness::{AddCheckpoint, Head, KeptError, Witness, WitnessRefusal, origin_hash},
        },
        proof::{CheckpointPair, Relation},
        signature,
    },
};

/// Why a witness's folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum WitnessOpenError {
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder of the witness.
        path: PathBuf,
        /// From making, reading or locking it.
        source: io::Error,
    },
    /// Another process has it.
    #[error("another witness runs on this folder. Two of them could cosign two histories: stop the other one first")]
    Locked,
    /// The key file is missing or damaged.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The name is none.
    #[error("{name:?} can't be a witness's name: {source}")]
    Name {
        /// What was asked for; a random one where nothing was.
        name: String,
        /// Which rule for names of keys it breaks.
        source: VerifierKeyError,
    },
    /// The folder holds another witness.
    #[error("the folder holds the witness {found}, not {wanted}: choose another folder, or leave --name out")]
    OtherName {
        /// The name that was asked for.
        wanted: String,
        /// The name in the key file.
        found: String,
    },
    /// What it cosigned can't be read any more.
    #[error(
        "{path} is not the checkpoint that was cosigned: {source}. Restore it from a backup that is not older than the \
         newest cosignature; without it this witness must not go on under its key"
    )]
    Kept {
        /// The kept checkpoint: in `logs/`, named by the hash of the ledger's origin.
        path: PathBuf,
        /// What is wrong with the note, or that another key cosigned it.
        source: KeptError,
    },
    /// A file that belongs to another ledger.
    #[error("{path} is about {found}, not {expected}. Put the right file back")]
    OtherOrigin {
        /// The kept checkpoint: in `logs/`, named by the hash of the ledger's origin.
        path: PathBuf,
        /// Origin of the checkpoint that is in the file.
        found: String,
        /// Origin whose hash the file is named by.
        expected: String,
    },
}

/// Why a request isn't cosigned.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The witness says no.
    #[error(transparent)]
    Refused(#[from] WitnessRefusal),
    /// The clock says a time before 1970.
    #[error("the witness's clock is before 1970")]
    ClockImplausible,
    /// The checkpoint was not kept, so it must not be cosigned.
    #[error("the checkpoint could not be kept: {0}")]
    NotKept(io::Error),
}

/// A witness and what it cosigned so far.
#[derive(Debug)]
pub struct WitnessFolder {
    witness: Witness,
    /// One for each ledger that it cosigns for, by origin.
    logs: BTreeMap<String, Log>,
    /// By the name of the file.
    origins: BTreeMap<String, String>,
    /// Held as long as this is.
    _lock: File,
}

/// One ledger's. The lock is held from the decision until the checkpoint is on the disk, so that requests are decided one
/// after another, each on what the last one left.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    /// Where evidence against the ledger goes: the first is enough.
    evidence: PathBuf,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    head: Head,
    note: String,
}

impl WitnessFolder {
    /// Opens a folder, and makes key and folder where there are none.
    ///
    /// # Errors
    /// [`WitnessOpenError`].
    pub fn open(folder: &Path, name: Option<&str>, ledgers: Vec<VerifierKey>) -> Result<Self, WitnessOpenError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| WitnessOpenError::Io { path, source }
        };
        let logs_folder = folder.join("logs");
        fs::create_dir_all(&logs_folder).map_err(io(&logs_folder))?;
        sync_folder(folder).map_err(io(folder))?;
        let lock = lock(&folder.join("lock"))?;
        let random = || format!("witness.invalid/{}", hex::encode(signature::random::<8>()));
        let wanted = name.map_or_else(random, str::to_owned);
        // Before anything is written: a name that can't be used is no reason to make a key.
        let named = |source| WitnessOpenError::Name { name: wanted.clone(), source };
        WitnessKey::new(&wanted, signature::PrivateKey::generate().public_key()).map_err(named)?;
        let file = KeyFile::read_or_create(&folder.join("witness.key"), &wanted)?;
        if name.is_some_and(|name| name != file.origin) {
            return Err(WitnessOpenError::OtherName { wanted, found: file.origin });
        }
        let witness = Witness::new(&file.origin, file.key, ledgers).map_err(named)?;
        let mut opened = Self { witness, logs: BTreeMap::new(), origins: BTreeMap::new(), _lock: lock };
        for ledger in opened.witness.ledgers() {
            let origin = ledger.name().to_owned();
            let name = origin_hash(&origin);
            let evidence = folder.join(format!("evidence-{name}.pair"));
            let log = Log::open((logs_folder.join(&name), evidence), &opened.witness, &origin)?;
            opened.origins.insert(name, origin.clone());
            opened.logs.insert(origin, log);
        }
        Ok(opened)
    }

    /// Name and public key.
    #[must_use]
    pub const fn key(&self) -> &WitnessKey {
        self.witness.key()
    }

    /// Each ledger's origin, and the newest size that was cosigned.
    #[must_use]
    pub fn sizes(&self) -> Vec<(&str, u64)> {
        let size = |log: &Log| log.lock().as_ref().map_or(0, |kept| kept.head.size);
        self.logs.iter().map(|(origin, log)| (origin.as_str(), size(log))).collect()
    }

    /// The newest cosigned checkpoint of a ledger, by the SHA-256 of its origin in lower-case hex.
    #[must_use]
    pub fn checkpoint(&self, origin_hash: &str) -> Option<String> {
        let log = self.logs.get(self.origins.get(origin_hash)?)?;
        log.lock().as_ref().map(|kept| kept.note.clone())
    }

    /// Decides on the body of a request, keeps the checkpoint, and only then gives the cosignature: the body of the
    /// answer. `time_s` is now, in seconds since 1970.
    ///
    /// # Errors
    /// [`AddError`].
    pub fn add_checkpoint(&self, body: &[u8], time_s: i64) -> Result<String, AddError> {
        let time_s = u64::try_from(time_s).ok().filter(|time_s| *time_s > 0).ok_or(AddError::ClockImplausible)?;
        let request = AddCheckpoint::parse(body).map_err(WitnessRefusal::RequestMalformed)?;
        let unknown = || WitnessRefusal::OriginUnknown { origin: request.origin().to_owned() };
        let log = self.logs.get(request.origin()).ok_or_else(unknown)?;
        let mut kept = log.lock();
        let latest = kept.as_ref().map(|kept| &kept.head);
        let cosigned = self.witness.add_checkpoint(&request, latest, time_s).inspect_err(|refusal| {
            if let (WitnessRefusal::NotConsistent(_), Some(kept)) = (refusal, kept.as_ref()) {
                self.keep_evidence(&request, &kept.note, &log.evidence);
            }
        })?;
        // Where this fails, nobody gets to see the cosignature: whichever file is there then is one to go on from.
        atomic_write(&log.path, cosigned.note.as_bytes(), 0o644).map_err(AddError::NotKept)?;
        *kept = Some(Kept { head: cosigned.head, note: cosigned.note });
        Ok(cosigned.line)
    }

    /// Keeps two checkpoints that can't both be true, where the request shows that much: its proof leads to its own root
    /// and gives another root than the one that was cosigned. A proof from a power of two doesn't give it.
    ///
    /// The first is enough, and told once: whoever has it could send it again and again.
    fn keep_evidence(&self, request: &AddCheckpoint<'_>, kept: &str, path: &Path) {
        if path.exists() {
            return;
        }
        let ledgers = self.witness.ledgers().iter().filter(|ledger| ledger.name() == request.origin());
        let pairs = ledgers.map(|ledger| CheckpointPair {
            ledger: ledger.clone(),
            path: request.proof().to_vec(),
            old: kept.to_owned(),
            new: request.note(),
        });
        let forked = |pair: &CheckpointPair| {
            pair.verify().is_ok_and(|related| matches!(related.relation, Relation::Forked { .. }))
        };
        let Some(pair) = pairs.into_iter().find(forked) else { return };
        let written = atomic_write(path, pair.to_string().as_bytes(), 0o644);
        let (ledger, path) = (request.origin(), path.display());
        match written {
            Ok(()) => {
                tracing::error!("{ledger} signed two histories: `timebank verify-evidence {path}` shows it to anybody");
            }
            Err(error) => tracing::error!("{ledger} signed two histories, and the evidence could not be kept: {error}"),
        }
    }
}

impl Log {
    fn open((path, evidence): (PathBuf, PathBuf), witness: &Witness, origin: &str) -> Result<Self, WitnessOpenError> {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { path, evidence, kept: Mutex::new(None) });
            }
            Err(source) => return Err(WitnessOpenError::Io { path, source }),
        };
        let (found, head) = match witness.read_kept(&bytes) {
            Ok(kept) => kept,
            Err(source) => return Err(WitnessOpenError::Kept { path, source }),
        };
        if found != origin {
            return Err(WitnessOpenError::OtherOrigin { path, found, expected: origin.to_owned() });
        }
        let note = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Self { path, evidence, kept: Mutex::new(Some(Kept { head, note })) })
    }

    /// A request that panicked has changed nothing here: the head is replaced as a whole, last of all.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(path: &Path) -> Result<File, WitnessOpenError> {
    let io = |source| WitnessOpenError::Io { path: path.to_owned(), source };
    #[allow(clippy::disallowed_methods, reason = "a lock file is empty")]
    let file = File::create(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(WitnessOpenError::Locked),
        Err(fs::TryLockError::Error(source)) => Err(io(source)),
    }
}

#[cfg(test)]
mod tests;
