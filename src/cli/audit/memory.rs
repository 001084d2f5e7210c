//! What an auditor remembers of a ledger: who it is, the last checkpoint that was verified, and everything up to there, so
//! that the next audit verifies only what is new, and a ledger that takes back what it signed is convicted.
//!
//! ```text
//! pin, checkpoint      of the last audit that passed
//! evidence-*.pair      two checkpoints that can't both be true
//! server/, archive/, folder/
//!                      how far an audit of each has come: the auditor's own state, with the genesis that it began with
//! ```

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Stop, report::Divergence};
use crate::{
    audit::{Audit, Pin, Scratch},
    checkpoint,
    cli::{
        checkpoint::{keep_evidence, show_evidence},
        output::progress,
    },
    merkle::{Frontier, Hash, leaf_hash, root_of_leaves},
    pipeline::{self, Keys, Prepared},
    projection::Projection,
    proof::CheckpointPair,
    replay::Replay,
    store::{CheckpointFile, StoredEntry, atomic_write},
    wire,
};

/// Entries after which an audit remembers how far it is: replaying as many again takes a few seconds.
const SAVE_ENTRIES: u64 = 200_000;

/// What kind of audit goes on: one of a server keeps rows of history to compare.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
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

/// The memory of one ledger, in a folder of its own.
#[derive(Debug)]
pub(super) struct Memory {
    folder: PathBuf,
    state: PathBuf,
    /// Held while nobody else may write here. Without it nothing is remembered, and the state is in a temporary folder.
    lock: Option<File>,
    _temporary: Option<TempDir>,
}

/// What was verified before.
pub(super) struct Remembered {
    /// Of the last audit that passed.
    pub(super) pin: Option<Pin>,
    /// The checkpoint that it verified.
    pub(super) note: Option<String>,
    /// What the state began with.
    pub(super) genesis: Option<Pin>,
    /// Events that the state is the sum of.
    pub(super) events: u64,
    /// The auditor's own projections, and what they stand at.
    pub(super) own: Projection,
    pub(super) replay: Replay,
    pub(super) old: Scratch,
}

/// An audit that begins where another ended, or with the first entry.
pub(super) struct Resumed {
    pub(super) audit: Audit,
    pub(super) own: Projection,
    /// The identity was known before; entries that were verified before.
    pub(super) known: (bool, u64),
    keys: Keys,
}

impl Remembered {
    /// An audit that goes on from here. `sizes`: those that checkpoints are over, where they are known before.
    pub(super) fn resume(self, pin: Option<Pin>, sizes: impl IntoIterator<Item = u64>) -> Resumed {
        let Self { pin: known, note, genesis, events, own, replay, old } = self;
        let is_known = (pin.is_some() || known.is_some(), replay.state.size());
        let last = note.zip(known.as_ref()).and_then(|(note, known)| signed(&note, known)).map(|(size, _)| size);
        let sizes = sizes.into_iter().chain(last);
        let keys = replay.state.keys().iter().map(|key| (key.id, key.public_key)).collect();
        let audit = match genesis {
            Some(genesis) => Audit::resume(genesis, (replay, events), sizes, old),
            None => Audit::new(pin.or(known), sizes, old),
        };
        Resumed { audit, own, known: is_known, keys }
    }

    /// Whether the source's first entries are those that were verified, and what of `next` comes after them. None where they
    /// aren't. `node` says whether the source keeps this hash of the tree.
    pub(super) fn follow(
        &self,
        mut next: impl FnMut() -> Option<Vec<StoredEntry>>,
        mut node: impl FnMut(u64, Hash) -> bool,
    ) -> Option<Vec<StoredEntry>> {
        let known = &self.replay.frontier;
        let (size, _) = known.parts();
        let bar = progress(Some(size), "entries known");
        let (mut frontier, mut number, mut sound) = (Frontier::default(), 0, true);
        while let Some(entries) = next() {
            let mut entries = entries.into_iter();
            for entry in entries.by_ref() {
                // The leaf is over the header; the header is over the events.
                let header = wire::decode_header(&entry.header).ok()?;
                let root = root_of_leaves(entry.events.iter().map(|event| leaf_hash(event)));
                if root != header.events_root || entry.index != frontier.parts().0 {
                    return None;
                }
                frontier.append(leaf_hash(&entry.leaf()), |hash| {
                    sound &= node(number, hash);
                    number += 1;
                });
                if frontier.parts().0 == size {
                    bar.finish_and_clear();
                    return (sound && frontier == *known).then(|| entries.collect());
                }
            }
            bar.set_position(frontier.parts().0);
        }
        None
    }
}

impl Memory {
    /// The memory of a ledger, in a folder for all of them. Where another audit is writing there, or where it is of another
    /// ledger than the one that is pinned, it is left alone.
    pub(super) fn new(folder: &Path, origin: &str, kind: Kind, pin: Option<&Pin>) -> anyhow::Result<Self> {
        let name = hex::encode(&Sha256::digest(origin.as_bytes())[..8]);
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join("lock"))?;
        let is_other = known_pin(&folder)?.zip(pin).is_some_and(|(known, pin)| known != *pin);
        if is_other || lock.try_lock().is_err() {
            let temporary = tempfile::tempdir()?;
            let state = temporary.path().to_owned();
            let folder = if is_other { state.clone() } else { folder };
            return Ok(Self { folder, state, lock: None, _temporary: Some(temporary) });
        }
        let state = folder.join(match kind {
            Kind::Server => "server",
            Kind::Archive => "archive",
            Kind::Folder => "folder",
        });
        fs::create_dir_all(&state)?;
        Ok(Self { folder, state, lock: Some(lock), _temporary: None })
    }

    /// What is remembered. A state that doesn't fit together is forgotten.
    pub(super) fn open(&self, origin: &str) -> anyhow::Result<Remembered> {
        let genesis_file = self.state.join("genesis");
        let genesis = if genesis_file.exists() { Pin::read(&genesis_file).ok() } else { None };
        let events = fs::read_to_string(self.state.join("events-replayed")).ok().and_then(|text| text.parse().ok());
        let projections = self.state.join("projections");
        // Without these there is nothing that the saved state could be of.
        let log_size = if genesis.is_some() && events.is_some() { u64::MAX } else { 0 };
        let (mut own, mut replay) = Projection::open(&projections, origin, log_size)?;
        let old = match Scratch::open(&self.state, replay.state.size(), Arc::clone(own.times())) {
            Ok(old) => old,
            Err(_short) => {
                drop(own);
                fs::remove_dir_all(&projections)?;
                (own, replay) = Projection::open(&projections, origin, 0)?;
                Scratch::open(&self.state, 0, Arc::clone(own.times()))?
            }
        };
        let begun = replay.state.size() > 0;
        Ok(Remembered {
            pin: known_pin(&self.folder)?,
            note: self.open_note()?,
            genesis: genesis.filter(|_| begun),
            events: events.filter(|_| begun).unwrap_or(0),
            own,
            replay,
            old,
        })
    }

    /// Forgets the saved state, but neither pin nor checkpoint.
    pub(super) fn forget_state(&self, remembered: Remembered, origin: &str) -> anyhow::Result<Remembered> {
        drop(remembered);
        fs::remove_dir_all(self.state.join("projections"))?;
        self.open(origin)
    }

    /// Remembers how far an audit has come.
    pub(super) fn save(&self, own: &Projection, audit: &mut Audit) -> anyhow::Result<()> {
        let events = audit.events();
        let Some((replay, genesis, old)) = audit.parts() else { return Ok(()) };
        old.sync()?;
        atomic_write(&self.state.join("genesis"), genesis.to_text().as_bytes(), 0o600)?;
        atomic_write(&self.state.join("events-replayed"), events.to_string().as_bytes(), 0o600)?;
        Ok(own.save(replay)?)
    }

    /// Replays what `read` gives, and remembers how far it came: now and then, and where it is interrupted or cut off.
    pub(super) fn replay(
        &self,
        Resumed { audit, own, keys, .. }: &mut Resumed,
        read: impl FnMut() -> Result<Vec<StoredEntry>, Stop> + Send,
        mut take: impl FnMut(&mut Audit, &Projection, Vec<Prepared>) -> Result<(), Stop>,
    ) -> anyhow::Result<Result<(), Stop>> {
        let mut saved = audit.size();
        let ended = pipeline::run(std::mem::take(keys), read, |chunk| {
            take(audit, own, chunk)?;
            if audit.size() >= saved + SAVE_ENTRIES {
                saved = audit.size();
                self.save(own, audit).map_err(Stop::Source)?;
            }
            Ok(())
        });
        if matches!(ended, Err(Stop::Source(_))) && audit.size() > saved {
            self.save(own, audit)?;
        }
        Ok(ended)
    }

    /// Whether the ledger signed another history than an earlier audit verified. A source that is shorter may just be
    /// older. `path` leads from one size of the source's tree to another.
    pub(super) fn taken_back(
        &self,
        known: Option<(&str, &Pin)>,
        note: &str,
        audit: &Audit,
        path: impl FnOnce(u64, u64) -> anyhow::Result<Vec<Hash>>,
    ) -> anyhow::Result<Option<Divergence>> {
        let Some((kept, known)) = known else { return Ok(None) };
        let Some(((size, root), (newer, _))) = signed(kept, known).zip(signed(note, known)) else { return Ok(None) };
        let own = audit.root_at(size).filter(|own| size <= newer && own.as_slice() != root);
        let Some(own) = own else { return Ok(None) };
        let path = path(size, newer)?;
        let (ledger, old, new) = (known.ledger_key.clone(), kept.to_owned(), note.to_owned());
        let file = self.keep_evidence(&CheckpointPair { ledger, path, old, new })?;
        let message = format!(
            "the first {size} entries are not those of the checkpoint that the last audit verified: the ledger signed two \
             histories. {}",
            show_evidence(&file)
        );
        Ok(Some(Divergence::of_memory("Forked", message, hex::encode(root), Some(hex::encode(own)))))
    }

    /// Remembers the checkpoint of a source that passed, unless a newer one is remembered: a file may be old.
    pub(super) fn save_newer_checkpoint(&self, note: &str, audit: &Audit) -> anyhow::Result<()> {
        let Some(genesis) = audit.genesis() else { return Ok(()) };
        let kept = self.open_note()?.and_then(|kept| signed(&kept, genesis));
        if kept.is_some_and(|(size, _)| size > audit.size()) { Ok(()) } else { self.save_checkpoint(note, genesis) }
    }

    /// The checkpoint of the last audit that passed.
    pub(super) fn open_note(&self) -> anyhow::Result<Option<String>> {
        Ok(CheckpointFile::new(self.folder.join("checkpoint")).read()?)
    }

    /// Remembers a checkpoint that was verified, and whose ledger it is.
    pub(super) fn save_checkpoint(&self, note: &str, pin: &Pin) -> anyhow::Result<()> {
        if self.lock.is_some() {
            atomic_write(&self.folder.join("pin"), pin.to_text().as_bytes(), 0o600)?;
            CheckpointFile::new(self.folder.join("checkpoint")).write(note)?;
        }
        Ok(())
    }

    /// Keeps two checkpoints that can't both be true, and says where.
    pub(super) fn keep_evidence(&self, pair: &CheckpointPair) -> anyhow::Result<PathBuf> {
        keep_evidence(&self.folder, pair)
    }
}

fn known_pin(folder: &Path) -> anyhow::Result<Option<Pin>> {
    let path = folder.join("pin");
    Ok(if path.exists() { Some(Pin::read(&path)?) } else { None })
}

/// Size and root of a checkpoint that this ledger signed.
pub(super) fn signed(note: &str, pin: &Pin) -> Option<(u64, Vec<u8>)> {
    let checkpoint = checkpoint::open(note.as_bytes(), &pin.ledger_key, pin.ledger_key.name()).ok()?;
    Some((checkpoint.size, checkpoint.root))
}
