//! A data folder: made on a first start, opened and checked on every other.
//!
//! ```text
//! log/            the log (sled)
//! checkpoint      the newest signed checkpoint
//! cosigned        the newest one that witnesses cosigned
//! ledger.key      signs checkpoints
//! service.key     lets holds expire
//! operator.key    the operator's; serving needs it only once, for the genesis
//! projections/    derived: delete any of it while the service is down
//! directory/      links between outside ids and accounts, kept by imports
//! unsent/         sheets of commands that got no answer, kept to be submitted again
//! ```

mod cosigned;

use std::{
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) use self::cosigned::Cosigned;
use super::Identity;
use crate::{
    engine::{
        checkpoint_holder::CheckpointHolder,
        clock::{Clock, ClockImplausible, SystemTimeSource},
        follow::FollowError,
        key_file::{KeyFile, KeyFileError},
        log::{self, Commit, Log, StoredEntry},
        machine::OwnMachine,
        node::Node,
        now,
        projection::ProjectionError,
        replay::{Divergence, Replay},
        sequencer::{self, Published, Sequencer, SequencerParts, Threads},
        store::{CheckpointFile, StoreError, folder_of, private_folder, sync_folder},
    },
    format::{
        checkpoint::{self, Checkpoint, CheckpointError, VerifierKey},
        proto::{self, event::Kind},
        signature::{self, PrivateKey},
        wire,
    },
    ledger::{Event, LedgerCreated, Millis, Policy, Predecessor, Refusal, SheetId},
    merkle::leaf_hash,
    trust::{
        audit::Pin,
        witnesses::{LedgerWitnesses, Shown, Standing, Witnesses},
    },
};

/// Bits of a mode that let others than the owner in.
pub(super) const OTHERS: u32 = 0o077;

/// What signs the genesis.
const OPERATOR_KEY: &str = "operator.key";

/// How long a genesis may take from signing to the disk.
const GENESIS_VALIDITY_MS: i64 = 3_600_000;

/// What to open.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The data folder.
    pub folder: PathBuf,
    /// On a first start: the ledger's origin; otherwise what it has to be.
    pub origin: Option<String>,
    /// On a first start: the policy.
    pub policy: Option<Policy>,
    /// On a first start: the ledger that this one carries on; otherwise what it has to be.
    pub predecessor: Option<Predecessor>,
    /// A time that the operator vouches for.
    pub accept_clock: Option<Millis>,
    /// Who cosigns, and is asked before anything is signed. With them [`open`] must not be called from an asynchronous
    /// task, as it waits for their answers.
    pub witnesses: Option<Witnesses>,
}

/// An open ledger, ready to serve.
#[derive(Debug)]
pub struct Ledger {
    pub(crate) node: Node,
    pub(crate) sequencer: Sequencer,
    pub(crate) threads: Threads,
    pub(crate) identity: Identity,
    pub(crate) service_key: Option<PrivateKey>,
    pub(crate) cosigned: Cosigned,
    pub(crate) witnesses: Option<LedgerWitnesses>,
}

impl Ledger {
    /// Its origin and the key that signs its checkpoints, as a C2SP verifier key.
    #[must_use]
    pub fn ledger_vkey(&self) -> &str {
        &self.identity.ledger_vkey
    }
}

/// What a first start made.
#[derive(Debug, Clone)]
pub struct Creation {
    /// The operator's key file.
    pub operator_key: PathBuf,
    /// What auditors pin, as a file.
    pub pin_file: PathBuf,
    /// What auditors pin.
    pub pin: Pin,
}

/// Why a data folder can't be served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder that failed; the data folder where none can be told.
        path: PathBuf,
        /// From the file system, from a thread that can't be started, or for want of randomness.
        source: std::io::Error,
    },
    /// The ledger can't sign.
    #[error(
        "{path} is missing: without the ledger's key nothing can be signed, so nothing is served. Put it back from a \
         backup; until then the log can be exported and audited with --data"
    )]
    LedgerKeyMissing {
        /// Where `ledger.key` should be.
        path: PathBuf,
    },
    /// A key file is missing or damaged.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The log's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The projections can't be kept.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// The clock can't be right.
    #[error(transparent)]
    Clock(#[from] ClockImplausible),
    /// The log is empty, and other parts of a ledger are there.
    #[error(
        "the log is empty, but {path} is there: the log of a ledger was lost. Restore it from a backup. A new ledger needs \
         an empty folder"
    )]
    LogGone {
        /// The first thing found that only a ledger leaves: `checkpoint`, `projections` or `ledger.pin`.
        path: PathBuf,
    },
    /// Only the genesis sets the policy.
    #[error("--policy: the folder holds a ledger already, and its genesis fixed the policy. Start it without --policy")]
    PolicyFixed,
    /// Only the genesis names a predecessor.
    #[error(
        "--succeed: the folder holds the ledger {origin} already, and its genesis names no such predecessor. A successor \
         needs an empty folder"
    )]
    PredecessorFixed {
        /// Origin of the ledger that is there.
        origin: String,
    },
    /// The origin can't name a ledger.
    #[error(
        "--origin {origin:?}: expected 1 to 128 visible ASCII characters, without + and not beginning with DSSEv1, for \
         example timebank.example/leeds"
    )]
    OriginInvalid {
        /// What was asked for.
        origin: String,
    },
    /// The genesis breaks a rule.
    #[error("the ledger can't be created: {field}: {0}", field = .0.field)]
    Genesis(Refusal),
    /// The folder holds another ledger.
    #[error("the folder holds the ledger {found}, not {wanted}: choose another folder, or leave --origin out")]
    OtherOrigin {
        /// The origin that was asked for.
        wanted: String,
        /// Origin of the ledger that is there, or that a key file was made for.
        found: String,
    },
    /// The log can't be replayed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The checkpoint file is gone, so nobody can tell whether entries are.
    #[error(
        "{path} is missing, and the log has {size} entries: without it nobody can tell whether acknowledged entries are \
         gone. Restore it from a backup, or from a witness or mirror that holds it"
    )]
    CheckpointMissing {
        /// Where `checkpoint` should be.
        path: PathBuf,
        /// Entries of the log: more than the genesis alone.
        size: u64,
    },
    /// The checkpoint file is no checkpoint of this ledger.
    #[error("{path} is no checkpoint of this ledger: {source}")]
    CheckpointInvalid {
        /// The file `checkpoint`, or `cosigned`.
        path: PathBuf,
        /// What is wrong with the note, its signature or what it says.
        source: CheckpointError,
    },
    /// Acknowledged entries are gone.
    #[error(
        "the log has {size} entries, but a checkpoint over {signed} was signed: acknowledged entries are gone. \
         Restore the folder from a backup that has them. Where no backup has, carry the ledger on in a new folder, with \
         `serve --succeed` and this checkpoint; never delete the checkpoint, others hold it"
    )]
    EntriesGone {
        /// Entries of the log.
        size: u64,
        /// Entries under the checkpoint.
        signed: u64,
    },
    /// The log isn't the one that the checkpoint is over.
    #[error("the first {size} entries of the log are not those of the signed checkpoint. Restore a backup")]
    CheckpointMismatch {
        /// Entries under the checkpoint: the log has as many, or more.
        size: u64,
    },
    /// A witness shows that the ledger signed more, or otherwise, than the log has.
    #[error("the witness {witness} objects, so nothing is signed: {url} shows what this ledger's key signed: {source}")]
    WitnessObjects {
        /// The policy's name for it.
        witness: String,
        /// Where it shows the checkpoint.
        url: String,
        /// [`Self::EntriesGone`] or [`Self::CheckpointMismatch`], as of the checkpoint that it shows.
        source: Box<OpenError>,
    },
}

/// Opens a data folder, and makes one where there is none.
///
/// # Errors
/// In the order of [`OpenError`]'s checks: files, keys, store, log against its rules, root, checkpoint, clock, witnesses.
pub fn open(options: &OpenOptions) -> Result<(Ledger, Option<Creation>), OpenError> {
    let folder = &options.folder;
    let io = |source| OpenError::Io { path: folder.clone(), source };
    private_folder(folder).map_err(io)?;
    tell_wide(folder);
    let log = log::open(&folder.join("log"))?;
    sync_folder(folder_of(folder)).map_err(io)?;
    let creation = if log.size() == 0 {
        check_unused(folder)?;
        Some(create(options, log.as_ref())?)
    } else {
        None
    };
    if creation.is_none() && options.policy.is_some() {
        return Err(OpenError::PolicyFixed);
    }
    let created = genesis(log.as_ref())?;
    if let Some(wanted) = options.origin.as_ref().filter(|origin| **origin != created.origin) {
        return Err(OpenError::OtherOrigin { wanted: wanted.clone(), found: created.origin });
    }
    if options.predecessor.is_some() && creation.is_none() {
        check_predecessor(options, &created)?;
    }
    let path = folder.join("ledger.key");
    if !path.exists() {
        return Err(OpenError::LedgerKeyMissing { path });
    }
    let ledger_key = KeyFile::read(&path)?.key;
    let service_key = service_key(folder)?;
    let (node, replay) = Node::open(log, &folder.join("projections"), &created.origin)?;
    let path = folder.join("checkpoint");
    let holder = Arc::new(CheckpointFile::new(&path));
    let checkpoint = check_checkpoint(&path, holder.as_ref(), &node, (&created, &ledger_key))?;
    let cosigned = Cosigned::read(folder, &node, &created)?;
    let last = Some(replay.state.recorded_at()).filter(|_| creation.is_none());
    let clock = Clock::start(Box::new(SystemTimeSource), last, options.accept_clock)?;
    let identity = Identity {
        predecessor: created.predecessor,
        ledger_vkey: vkey(&created.origin, created.ledger_key)?.to_string(),
        genesis_leaf_hash: node.tree.hash(0)?,
        cursor_key: cursor_key(&ledger_key),
    };
    let witnesses = match options.witnesses.clone() {
        Some(witnesses) => {
            let witnesses = witnesses.of(vkey(&created.origin, created.ledger_key)?);
            let standing = Standing { key: &ledger_key, tree: &node.tree, checkpoint: checkpoint.as_ref() };
            check_shown(&node, witnesses.ask(&standing).map_err(io)?)?;
            Some(witnesses)
        }
        None => None,
    };
    let (sequencer, threads) = sequencer::start(SequencerParts {
        node: node.clone(),
        replay,
        clock,
        ledger_key,
        holder,
        checkpoint,
        on_stop: sequencer::exit_on_stop(),
    })
    .map_err(io)?;
    Ok((Ledger { node, sequencer, threads, identity, service_key, cosigned, witnesses }, creation))
}

/// The key that lets holds expire. Without it, or with a file that holds none, the ledger is served all the same; one that can't
/// be read just now is there.
fn service_key(folder: &Path) -> Result<Option<PrivateKey>, OpenError> {
    match KeyFile::read(&folder.join("service.key")) {
        Ok(file) => Ok(Some(file.key)),
        Err(KeyFileError::Io { path, source })
            if !matches!(source.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) =>
        {
            Err(KeyFileError::Io { path, source }.into())
        }
        Err(error) => {
            tracing::warn!("{error}: holds that run out will not be expired by the service");
            Ok(None)
        }
    }
}

/// Says where others may enter a folder that was made by an older program, or by hand.
fn tell_wide(folder: &Path) {
    let mode = std::fs::metadata(folder).map_or(0, |folder| folder.permissions().mode());
    if mode & OTHERS != 0 {
        tracing::warn!(
            "{0} can be entered by others than its owner (mode {1:o}), and has who served when and names of people: take it \
             from them with `chmod -R go= {0}`",
            folder.display(),
            mode & 0o777
        );
    }
}

/// Something that a ledger leaves beside its log after its first commit, and not before.
pub(super) fn left_by_a_ledger(folder: &Path) -> Option<&'static str> {
    ["checkpoint", "projections", "ledger.pin"].into_iter().find(|name| folder.join(name).exists())
}

/// Nothing of a ledger is left in a folder whose log is empty: a log that was lost is not replaced by a new one.
fn check_unused(folder: &Path) -> Result<(), OpenError> {
    match left_by_a_ledger(folder) {
        Some(name) => Err(OpenError::LogGone { path: folder.join(name) }),
        None => Ok(()),
    }
}

/// A later start may name the predecessor again, but no other one.
fn check_predecessor(options: &OpenOptions, created: &LedgerCreated) -> Result<(), OpenError> {
    if options.predecessor == created.predecessor {
        Ok(())
    } else {
        Err(OpenError::PredecessorFixed { origin: created.origin.clone() })
    }
}

/// A secret that only this ledger has, for cursors: they stay good over a restart.
fn cursor_key(ledger_key: &PrivateKey) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::new().chain_update(b"timebank cursor v1\n").chain_update(ledger_key.seed()).finalize().into()
}

/// The ledger key as others verify its notes with it.
pub(crate) fn vkey(origin: &str, public_key: [u8; 32]) -> Result<VerifierKey, OpenError> {
    VerifierKey::new(origin, public_key)
        .map_err(|_unfit| StoreError::Corrupt { at: "entry 0".to_owned(), problem: "its ledger key is none" }.into())
}

pub(super) fn genesis(log: &dyn Log) -> Result<LedgerCreated, OpenError> {
    let corrupt = || StoreError::Corrupt { at: "entry 0".to_owned(), problem: "it is no genesis" };
    let entry = log.entry(0)?.ok_or_else(corrupt)?;
    let event = entry.events.first().and_then(|bytes| wire::decode_event(bytes).ok());
    match event {
        Some(Event::LedgerCreated(created)) => Ok(*created),
        _ => Err(corrupt().into()),
    }
}

/// The log must reach the stored checkpoint and match its root; entries beyond it were verified and are kept.
pub(super) fn check_checkpoint(
    path: &Path,
    holder: &dyn CheckpointHolder,
    node: &Node,
    (created, ledger_key): (&LedgerCreated, &PrivateKey),
) -> Result<Option<Published>, OpenError> {
    let invalid = |source| OpenError::CheckpointInvalid { path: path.to_owned(), source };
    if ledger_key.public_key() != created.ledger_key {
        let path = path.with_file_name("ledger.key");
        return Err(KeyFileError::OtherKey { path }.into());
    }
    let Some(note) = holder.read_at_start()? else {
        // Nothing is served before the first checkpoint is out: only a first start that was cut off has none.
        let size = node.log.size();
        return if size <= 1 { Ok(None) } else { Err(OpenError::CheckpointMissing { path: path.to_owned(), size }) };
    };
    let vkey = vkey(&created.origin, created.ledger_key)?;
    let checkpoint = checkpoint::open(note.as_bytes(), &vkey, &created.origin).map_err(invalid)?;
    check_covered(node, &checkpoint, invalid)?;
    Ok(Some(Published { size: checkpoint.size, note }))
}

/// A log has to reach what was signed, and to be what was signed as far as it goes.
fn check_covered(
    node: &Node,
    checkpoint: &Checkpoint,
    invalid: impl Fn(CheckpointError) -> OpenError,
) -> Result<(), OpenError> {
    let (size, signed, root) = (node.log.size(), checkpoint.size, checkpoint.root_hash().map_err(invalid)?);
    if signed > size {
        return Err(OpenError::EntriesGone { size, signed });
    }
    if ProjectionError::damage(node.tree.root(signed))? != Some(root) {
        // The log is only blamed for what its own entries say.
        tracing::warn!("projections/tree is damaged, or the log is: it is made again from the log");
        node.tree.make_again(node.log.as_ref(), size).map_err(FollowError::from)?;
        if node.tree.root(signed)? != root {
            return Err(OpenError::CheckpointMismatch { size: signed });
        }
    }
    Ok(())
}

/// A log has to have what witnesses show that its ledger signed.
fn check_shown(node: &Node, shown: Vec<Shown>) -> Result<(), OpenError> {
    for Shown { witness, url, checkpoint } in shown {
        let invalid = |source| OpenError::CheckpointInvalid { path: PathBuf::from(&url), source };
        let objects = |source| OpenError::WitnessObjects { witness, url: url.clone(), source: Box::new(source) };
        check_covered(node, &checkpoint, invalid).map_err(objects)?;
    }
    Ok(())
}

/// Makes the keys and the genesis. A start that was interrupted goes on with the keys that are there.
fn create(options: &OpenOptions, log: &dyn Log) -> Result<Creation, OpenError> {
    let folder = &options.folder;
    let origin = match &options.origin {
        Some(origin) => origin.clone(),
        None => origin_begun(folder)?.unwrap_or_else(random_origin),
    };
    if !wire::is_origin(&origin) {
        return Err(OpenError::OriginInvalid { origin });
    }
    let key = |name: &str| {
        let file = KeyFile::read_or_create(&folder.join(name), &origin)?;
        let (wanted, found) = (origin.clone(), file.origin);
        if found == wanted { Ok(file.key) } else { Err(OpenError::OtherOrigin { wanted, found }) }
    };
    let (ledger_key, service_key, operator_key) = (key("ledger.key")?, key("service.key")?, key(OPERATOR_KEY)?);
    let now = Millis(now::wall().as_millisecond());
    let policy = options.policy.clone().unwrap_or_default();
    let numbers = GenesisNumbers { issuance_account: signature::random(), nonce: signature::random() };
    let mut event = genesis_event(&origin, &policy, (&ledger_key, &service_key, &operator_key), &numbers);
    event.predecessor = options.predecessor.as_ref().map(wire::predecessor_message);
    let draft = wire::Draft {
        origin: &origin,
        sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
        issued_at: now,
        valid_until: Millis(now.0 + GENESIS_VALIDITY_MS),
        events: vec![Kind::LedgerCreated(Box::new(event))],
    };
    let random = |error: getrandom::Error| OpenError::Io { path: folder.clone(), source: std::io::Error::other(error) };
    let sheet = wire::sign(draft, &[&operator_key]).map_err(random)?;
    let decoded = wire::decode(&sheet).map_err(OpenError::Genesis)?;
    let mut replay = Replay::new(&origin);
    replay.replay((0, now), &decoded, None, &crate::ledger::Facts::default(), |_| ()).map_err(
        |diverged| match diverged {
            Divergence::Refused { refusal, .. } => OpenError::Genesis(refusal),
            Divergence::IndexGap { .. } | Divergence::TimeWentBack { .. } => FollowError::Diverged(diverged).into(),
        },
    )?;
    let entry = StoredEntry {
        index: 0,
        recorded_at_ms: now.0,
        header: sheet.header,
        signatures: sheet.signatures,
        events: sheet.events,
    };
    let leaf = wire::leaf(0, now.0, &decoded.header_hash, &decoded.signatures_hash);
    let root = replay.frontier.root();
    log::settle(log, &Commit { entries: vec![entry], root }, &OwnMachine)?;
    let pin = Pin { ledger_key: vkey(&origin, ledger_key.public_key())?, genesis_leaf_hash: leaf_hash(&leaf) };
    let pin_file = folder.join("ledger.pin");
    crate::engine::store::atomic_write(&pin_file, pin.to_text().as_bytes(), 0o644)
        .map_err(|source| OpenError::Io { path: pin_file.clone(), source })?;
    Ok(Creation { operator_key: folder.join(OPERATOR_KEY), pin_file, pin })
}

/// The origin that a start which was interrupted gave the first keys it made.
fn origin_begun(folder: &Path) -> Result<Option<String>, KeyFileError> {
    for name in [OPERATOR_KEY, "ledger.key", "service.key"] {
        match KeyFile::read(&folder.join(name)) {
            Ok(file) => return Ok(Some(file.origin)),
            Err(KeyFileError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn random_origin() -> String {
    format!("timebank.invalid/{}", hex::encode(signature::random::<8>()))
}

/// What tells one genesis from every other.
pub(crate) struct GenesisNumbers {
    /// Id of the issuance account.
    pub(crate) issuance_account: [u8; 16],
    /// Nothing but different.
    pub(crate) nonce: [u8; 32],
}

pub(crate) fn genesis_event(
    origin: &str,
    policy: &Policy,
    (ledger, service, operator): (&PrivateKey, &PrivateKey, &PrivateKey),
    numbers: &GenesisNumbers,
) -> proto::LedgerCreated {
    proto::LedgerCreated {
        origin: origin.to_owned(),
        ledger_key: ledger.public_key().to_vec().into(),
        operator_keys: vec![operator.public_key().to_vec().into()],
        service_key: service.public_key().to_vec().into(),
        service_possession: service.prove_possession(origin).to_vec().into(),
        issuance_account: numbers.issuance_account.to_vec().into(),
        policy: Some(wire::policy_message(policy)),
        nonce: numbers.nonce.to_vec().into(),
        predecessor: None,
    }
}
