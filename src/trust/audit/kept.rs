//! The longest history that was verified, whatever kind of source it was seen in, and how another one is held against it.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    Audit, Auditor, Beginning, Discrepancy, Fork, MemoryError, OlderSource, Pin, TreeFile, first_difference,
    memory::{Memory, MemoryFileError, with_causes},
};
use crate::{
    engine::store::{CheckpointFile, atomic_write, atomic_write_with},
    format::{
        checkpoint::{self, Checkpoint},
        proof::{CheckpointPair, Relation},
    },
    merkle::{Hash, stored_hash_count},
};

/// Entries whose hashes are copied between two looks at whether somebody wants no more: 64 MiB.
const COPIED_ENTRIES: u64 = 1 << 20;

/// Size and root of a history.
pub(super) type Whole = (u64, Hash);

/// What is remembered of a ledger whatever kind of source it was seen in.
pub(super) struct KeptHistory {
    folder: Option<PathBuf>,
    pub(super) pin: Option<Pin>,
    /// An audit had the identity from outside.
    pub(super) is_pinned: bool,
    /// The checkpoint of the longest history that was verified.
    pub(super) note: Option<String>,
    /// When it was, in ms since 1970.
    verified_at: Option<i64>,
    tree: Option<TreeFile>,
}

/// How a source that is sound by itself stands to what is kept.
pub(super) enum Compared {
    /// It continues it, or there is nothing to compare.
    Fits,
    /// It ends before.
    Older(OlderSource),
    /// The ledger signed both, and they can't both be true.
    Forked(Box<Discrepancy>),
    /// The audit's own files are damaged: nothing can be said before it was done again from the first entry.
    Unfit,
}

impl KeptHistory {
    /// What is kept in a memory, unless it is of another ledger than the one that is pinned. What is damaged of it is left
    /// out and told: nobody is accused because of that.
    pub(super) fn open(memory: &mut Memory, origin: &str, pin: Option<&Pin>) -> Result<Self, MemoryError> {
        let mut kept = Self::read(memory);
        kept.check_pin(memory);
        // The folder is named after the ledger's origin: somebody put another ledger's memory there.
        let elsewhere = kept.pin.as_ref().map(|known| known.ledger_key.name()).filter(|known| *known != origin);
        if let (Some(known), Some(folder)) = (elsewhere, &kept.folder) {
            memory.leave(format!("{} is what an audit remembers of another ledger, {known}", folder.display()))?;
            return Ok(Self::read(memory));
        }
        let other = kept.pin.as_ref().filter(|known| pin.is_some_and(|pin| pin != *known));
        if let (Some(known), Some(folder)) = (other, &kept.folder) {
            let problem = format!(
                "{} is of another ledger of this name, with the key {} and the genesis leaf hash {}",
                folder.display(),
                known.ledger_key,
                hex::encode(known.genesis_leaf_hash)
            );
            memory.leave(problem)?;
            kept = Self::read(memory);
        }
        Ok(kept)
    }

    /// The identity that is kept may be damaged so that it reads as another one: it has to be the one of the checkpoint and
    /// of the tree under it, or to be there twice.
    fn check_pin(&mut self, memory: &Memory) {
        let Some(note) = &self.note else { return };
        let Some(folder) = &self.folder else { return };
        let marked = Pin::read(&folder.join("pinned")).ok();
        let told = |what: &str| memory.tell(format!("{} is left out: {what}", folder.join("pin").display()));
        let fits = |pin: &Pin| signed(note, pin).map(|whole| (pin.clone(), whole));
        let found = self.pin.as_ref().and_then(fits).or_else(|| marked.as_ref().and_then(fits));
        let Some((pin, whole)) = found else {
            // The checkpoint is damaged then, which comes to light where it is used.
            if self.pin.is_some() && self.pin != marked {
                told("its key did not sign the checkpoint");
                self.pin = None;
            }
            return;
        };
        let first = self.tree.as_mut().and_then(|tree| tree.beginning(whole, 1).ok().flatten());
        let genesis_leaf_hash = first.map_or(pin.genesis_leaf_hash, |first| first.root);
        let pin = Pin { genesis_leaf_hash, ..pin };
        if self.pin.as_ref().is_some_and(|read| *read != pin) {
            told("it is not the one that was verified");
        }
        self.is_pinned = marked.as_ref() == Some(&pin);
        self.pin = Some(pin);
    }

    fn read(memory: &Memory) -> Self {
        let nothing = Self { folder: None, pin: None, is_pinned: false, note: None, verified_at: None, tree: None };
        let Some(folder) = &memory.folder else { return nothing };
        let left_out = |problem: &dyn std::fmt::Display| memory.tell(format!("{problem}: it is left out"));
        let pin = if folder.join("pin").exists() {
            Pin::read(&folder.join("pin")).map_err(|error| left_out(&error)).ok()
        } else {
            None
        };
        let path = folder.join("checkpoint");
        let note = CheckpointFile::new(&path).read().unwrap_or_else(|error| {
            left_out(&error);
            None
        });
        let verified_at = path.metadata().and_then(|file| file.modified()).ok().and_then(|time| {
            let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
            i64::try_from(since.as_millis()).ok()
        });
        let tree = match TreeFile::read(&folder.join("tree")) {
            Ok(tree) => Some(tree),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                left_out(&format!("{}: {error}", folder.join("tree").display()));
                None
            }
        };
        // The same again: a marker of another identity, or half of one, says nothing of this one.
        let is_pinned = pin.is_some() && Pin::read(&folder.join("pinned")).ok() == pin;
        Self { folder: Some(folder.clone()), pin, is_pinned, note, verified_at, tree }
    }

    /// Whose ledger it has to be.
    pub(super) fn expected(&self, pin: Option<&Pin>) -> Option<Pin> {
        pin.or(self.pin.as_ref()).cloned()
    }

    /// The size that its checkpoint names, before anything of it is verified.
    pub(super) fn size(&self) -> Option<u64> {
        Some(Checkpoint::unverified(self.note.as_deref()?.as_bytes())?.size)
    }

    /// The checkpoint, if this ledger signed it.
    pub(super) fn checkpoint(&self, memory: &Memory, pin: &Pin) -> Option<(&str, Whole)> {
        let note = self.note.as_deref()?;
        let whole = signed(note, pin);
        if let (None, Some(folder)) = (whole, &self.folder) {
            let path = folder.join("checkpoint");
            memory.tell(format!("{} is left out: this ledger did not sign it", path.display()));
        }
        whole.map(|whole| (note, whole))
    }

    /// The root over the first entries of the history that is kept, with the path to all of it. None where no hashes are
    /// kept that lead to its root.
    pub(super) fn beginning(&mut self, memory: &Memory, whole: Whole, size: u64) -> Result<Beginning, String> {
        let Some(tree) = &mut self.tree else {
            return Err("the hashes of its tree were not kept by earlier versions".to_owned());
        };
        let damage = match tree.beginning(whole, size) {
            Ok(Some(beginning)) => return Ok(beginning),
            Ok(None) => "its hashes don't lead to the checkpoint's root".to_owned(),
            Err(error) => error.to_string(),
        };
        let path = self.folder.as_deref().unwrap_or(Path::new("")).join("tree");
        self.tree = None;
        memory.tell(format!(
            "{} is damaged ({damage}); the next audit of a source that is as long as what was verified makes it again",
            path.display()
        ));
        Err("what is remembered of its tree is damaged".to_owned())
    }

    /// Holds a history that was verified, and the checkpoint over it, against what is kept.
    pub(super) fn compare(
        &mut self,
        memory: &Memory,
        (note, own): (&str, Whole),
        audit: &mut Audit,
    ) -> io::Result<Compared> {
        let Some(pin) = audit.genesis().cloned() else { return Ok(Compared::Fits) };
        let Some((kept, whole)) = self.checkpoint(memory, &pin) else {
            // Of what was longer than this, at least nothing is given up.
            let size = self.tree.as_mut().and_then(|tree| tree.size().ok()).filter(|size| *size > own.0);
            let why = || "the checkpoint that is remembered is missing or damaged".to_owned();
            let older = |size| Compared::Older(OlderSource { size, verified_at: None, not_compared: Some(why()) });
            return Ok(size.map_or(Compared::Fits, older));
        };
        let kept = kept.to_owned();
        let (older, newer, path, then);
        if own.0 < whole.0 {
            match self.beginning(memory, whole, own.0) {
                Ok(beginning) if beginning.root == own.1 => return Ok(Compared::Older(self.older(whole.0, None))),
                Ok(beginning) => (older, newer, path, then) = (note, kept.as_str(), beginning.path, beginning.root),
                Err(problem) => return Ok(Compared::Older(self.older(whole.0, Some(problem)))),
            }
        } else {
            match audit.tree().beginning(own, whole.0)? {
                Some(beginning) if beginning.root == whole.1 => return Ok(Compared::Fits),
                Some(beginning) => (older, newer, path, then) = (kept.as_str(), note, beginning.path, beginning.root),
                None => return Ok(Compared::Unfit),
            }
        }
        let entry = match &mut self.tree {
            Some(tree) => first_difference((tree, whole), (audit.tree(), own)).unwrap_or_default(),
            None => None,
        };
        let (old, new, ledger) = (older.to_owned(), newer.to_owned(), pin.ledger_key);
        let pair = CheckpointPair { ledger, path, old, new };
        // What nobody else could verify accuses nobody.
        if !matches!(pair.verify().map(|related| related.relation), Ok(Relation::Forked { .. })) {
            return Ok(Compared::Unfit);
        }
        let (expected, found) = if own.0 < whole.0 { (then, own.1) } else { (whole.1, then) };
        let sizes = (own.0.min(whole.0), own.0.max(whole.0));
        Ok(Compared::Forked(Box::new(forked(memory, &pair, sizes, (expected, found), entry))))
    }

    /// The first entry of a log that isn't the one that was verified before; none where all are, or nothing shows it.
    pub(super) fn first_other(&mut self, memory: &Memory, audit: &mut Audit) -> Option<u64> {
        let (_, whole) = self.checkpoint(memory, audit.genesis()?)?;
        let replay = audit.replay()?;
        let own = (replay.state.size(), replay.frontier.root());
        let shared = own.0.min(whole.0);
        let then = self.beginning(memory, whole, shared).ok()?;
        let is_other = audit.tree().beginning(own, shared).ok()??.root != then.root;
        let tree = self.tree.as_mut().filter(|_| is_other)?;
        first_difference((tree, whole), (audit.tree(), own)).ok()?
    }

    fn older(&self, size: u64, not_compared: Option<String>) -> OlderSource {
        OlderSource { size, verified_at: self.verified_at, not_compared }
    }

    /// Remembers a history that was verified and is at least as long as the one that is kept, and whose ledger it is. The
    /// hashes are on the disk before the checkpoint that stands on them is replaced.
    pub(super) fn replace(
        &mut self,
        memory: &Memory,
        (note, own): (&str, Whole),
        audit: &mut Audit,
        auditor: &Auditor,
    ) {
        let (Some(folder), true, Some(genesis)) = (&self.folder, memory.is_mine(), audit.genesis().cloned()) else {
            return;
        };
        let before = self.note.as_deref().and_then(|note| signed(note, &genesis));
        if before.is_some_and(|before| before.0 > own.0) {
            return;
        }
        let before = before.filter(|before| {
            let leads = self.tree.as_mut().map(|tree| tree.leads_to(*before).unwrap_or(false));
            leads == Some(true)
        });
        let written =
            keep_tree(&folder.join("tree"), before.map_or(0, |before| before.0), own.0, (audit.tree(), auditor))
                .and_then(|()| Ok(atomic_write(&folder.join("pin"), genesis.to_text().as_bytes(), 0o600)?));
        let written = written.and_then(|()| {
            self.remember_pin(memory, &genesis, auditor.pin);
            Ok(CheckpointFile::new(&folder.join("checkpoint")).write(note)?)
        });
        if let Err(error) = written {
            let (folder, problem) = (folder.display(), with_causes(&error));
            memory.tell_lost(format!("{folder}: what was verified could not be written: {problem}"));
        }
    }

    /// Remembers that an audit had the identity from outside.
    pub(super) fn remember_pin(&self, memory: &Memory, genesis: &Pin, pin: Option<&Pin>) {
        let (Some(folder), true) = (&self.folder, memory.is_mine()) else { return };
        let path = folder.join("pinned");
        // Of another identity than the one that is kept now, it would say nothing.
        if pin == Some(genesis)
            && let Err(error) = atomic_write(&path, genesis.to_text().as_bytes(), 0o600)
        {
            memory.tell_lost(format!("{}: {error}", path.display()));
        }
    }
}

/// Makes a file hold the hashes of a history of `size` entries; of the first `before` of them it does.
fn keep_tree(
    path: &Path,
    before: u64,
    size: u64,
    (tree, auditor): (&mut TreeFile, &Auditor),
) -> Result<(), MemoryFileError> {
    let mut copy = |from: u64, mut into: BufWriter<&mut dyn Write>| {
        let mut next = from;
        while next < size {
            auditor.refuse_if_stopped().map_err(io::Error::other)?;
            let end = next.saturating_add(COPIED_ENTRIES).min(size);
            tree.copy(next..end, &mut into)?;
            next = end;
        }
        into.flush()
    };
    if before == 0 {
        let folder = path.parent().unwrap_or(Path::new("."));
        atomic_write_with(folder, path, 0o600, |file| copy(0, BufWriter::new(file)))?;
        return Ok(());
    }
    let mut file = OpenOptions::new().write(true).open(path)?;
    // What is beyond belongs to no checkpoint: an audit was cut off between the two.
    file.set_len(stored_hash_count(before) * 32)?;
    file.seek(SeekFrom::End(0))?;
    copy(before, BufWriter::new(&mut file))?;
    Ok(file.sync_data()?)
}

/// The ledger signed two histories, with the evidence in a file. `sizes` of the two checkpoints.
pub(super) fn forked(
    memory: &Memory,
    pair: &CheckpointPair,
    sizes: (u64, u64),
    (expected, found): (Hash, Hash),
    first_other: Option<u64>,
) -> Discrepancy {
    let evidence = memory.keep_evidence(pair);
    Discrepancy::Forked(Fork { sizes, expected, found, first_other, evidence })
}

/// Size and root of a checkpoint that this ledger signed.
pub(super) fn signed(note: &str, pin: &Pin) -> Option<Whole> {
    let checkpoint = checkpoint::open(note.as_bytes(), &pin.ledger_key, pin.ledger_key.name()).ok()?;
    Some((checkpoint.size, checkpoint.root_hash().ok()?))
}
