//! The log, replayed, and held against the tree, the kept roots, the checkpoints and the projections.

use std::{cmp::Ordering, collections::BTreeMap, fs, path::Path, sync::Arc};

use super::{BACKUP, Findings, FsckError, OpenError, Part};
use crate::{
    engine::{
        follow::FollowError,
        log::{Log, StoredEntry},
        node::Node,
        past::LogPast,
        pipeline::{self, KnownKeys, Replayed},
        progress::{Progress, Work},
        projection::{Committed, Projection},
        replay::Replay,
        store::CheckpointFile,
        tree::Tree,
    },
    folder::open::{genesis, vkey},
    format::{
        checkpoint::{self, Checkpoint, VerifierKey},
        wire,
    },
    merkle::{Hash, leaf_hash, stored_hash_count, stored_hash_number},
};

/// A folder's derived state, read from a copy: reading cuts rows that a crash left, and nothing is to change here.
struct Kept {
    projection: Projection,
    replay: Replay,
}

/// A walk through the log.
pub(super) struct Walk<'a> {
    log: &'a Arc<dyn Log>,
    folder: &'a Path,
    own: Node,
    replay: Replay,
    kept: Option<Kept>,
    /// The folder's own tree, if it has one: it is only read. A start makes one that is missing.
    tree: Option<Tree>,
    /// There is a snapshot, and it can't be used.
    snapshot_damaged: bool,
    /// Hashes of the tree since what was last kept of the replay.
    hashes: Vec<Hash>,
    /// Sizes at which a root is wanted, and the root there.
    roots: BTreeMap<u64, Option<Hash>>,
}

/// Copies the files of a folder into a new one. What is cut in the copy stays as it is in the folder.
fn copy_files(from: &Path, to: &Path) -> Result<(), FsckError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| FsckError::Io { path, source }
    };
    fs::create_dir(to).map_err(io(to))?;
    for file in fs::read_dir(from).map_err(io(from))? {
        let file = file.map_err(io(from))?;
        let path = file.path();
        if file.file_type().map_err(io(&path))?.is_file() {
            #[allow(clippy::disallowed_methods, reason = "a copy to look into, made by each run anew")]
            fs::copy(&path, to.join(file.file_name())).map_err(io(&path))?;
        }
    }
    Ok(())
}

/// What is wrong with a kept hash of the tree. Where hashes are missing, it is told of the first one. Beyond the snapshot nothing
/// is missing: a start makes those again, and may have been cut off with fewer of them, or zeros for what a power cut took.
fn problem_of(tree: &Tree, (number, hash): (u64, Hash), is_saved: bool) -> Option<&'static str> {
    match number.cmp(&tree.hashes()) {
        Ordering::Less => {
            let kept = tree.hash(number).ok();
            let is_unwritten = !is_saved && kept == Some(Hash::default());
            (kept != Some(hash) && !is_unwritten).then_some("it is not that of the entries")
        }
        Ordering::Equal => is_saved.then_some("it is missing, with all that follow"),
        Ordering::Greater => None,
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(log: &'a Arc<dyn Log>, folder: &'a Path, work: &Path, origin: &str) -> Result<Self, FsckError> {
        let (own, replay) = Node::saved(Arc::clone(log), &work.join("own"), origin)
            .map_err(FollowError::from)
            .map_err(OpenError::from)?;
        let (there, copy) = (folder.join("projections"), work.join("kept"));
        let has_snapshot = there.join("snapshot").exists();
        let mut kept = None;
        if has_snapshot {
            copy_files(&there, &copy)?;
            let (projection, replay) = Projection::open(&copy, origin, log.size()).map_err(OpenError::from)?;
            kept = (replay.state.size() > 0).then_some(Kept { projection, replay });
        }
        let tree = Tree::read(&there).map_err(OpenError::from)?;
        let snapshot_damaged = has_snapshot && kept.is_none();
        let (hashes, roots) = (Vec::new(), BTreeMap::new());
        Ok(Self { log, folder, own, replay, kept, tree, snapshot_damaged, hashes, roots })
    }

    /// Replays the log, and gives the projections that it comes to.
    pub(super) fn run(mut self, findings: &mut Findings, progress: &dyn Progress) -> Result<(Node, Replay), FsckError> {
        let signed = self.signed_checkpoints(findings)?;
        self.roots = signed.iter().map(|(_, checkpoint)| (checkpoint.size, None)).collect();
        self.check_keys(findings);
        let size = self.log.size();
        let snapshot = self.kept.as_ref().map(|kept| kept.replay.state.size());
        let (mut next, log) = (0, self.log.as_ref());
        let read = || -> Result<Vec<StoredEntry>, FsckError> {
            let mut entries = if next < size {
                log.entries(next, pipeline::CHUNK_BYTES).map_err(OpenError::from)?
            } else {
                Vec::new()
            };
            // A chunk ends where the snapshot stands.
            if let Some(until) = snapshot.and_then(|snapshot| snapshot.checked_sub(next)).filter(|until| *until > 0) {
                entries.truncate(usize::try_from(until).unwrap_or(usize::MAX));
            }
            next += entries.len() as u64;
            Ok(entries)
        };
        let mut compared = None;
        let ended = pipeline::run(KnownKeys::default(), read, |chunk| {
            let replayed: Vec<Replayed> =
                chunk.into_iter().map(|prepared| self.entry(prepared, findings)).collect::<Result<_, _>>()?;
            let committed: Vec<Committed<'_>> = replayed.iter().map(Replayed::committed).collect();
            let (version, root) = (self.replay.state.version().clone(), self.replay.frontier.root());
            self.own.show(&committed, &self.hashes, version, root).map_err(OpenError::from)?;
            self.hashes.clear();
            if progress.told(Work::Entries, self.replay.state.size(), Some(size)).is_break() {
                return Err(FsckError::Interrupted);
            }
            if snapshot == Some(self.replay.state.size()) {
                compared = Some(self.compare()?);
            }
            Ok::<_, FsckError>(())
        });
        if let Err(error) = ended {
            if matches!(error, FsckError::Interrupted) {
                return Err(error);
            }
            let first = self.replay.state.size();
            findings.add(Part::Log, format!("entry {first}"), &error, BACKUP);
            self.look_at_the_rest(first + 1, findings, progress)?;
        }
        let whole = self.replay.state.size() == size;
        if !whole && findings.is_sound(Part::Log) {
            findings.add(Part::Log, format!("entry {}", self.replay.state.size()), &"it is missing", BACKUP);
        }
        if whole && log.root(size).ok().flatten() != Some(self.replay.frontier.root()) {
            findings.add(Part::Log, format!("the root after {size} entries"), &"it is not that of the entries", BACKUP);
        }
        match compared {
            Some(Some((place, problem))) => findings.add_derived(Part::Projections, place, &problem),
            None if self.snapshot_damaged => {
                let problem = "it is damaged, of another version or ledger, or ahead of the log";
                findings.add_derived(Part::Projections, "projections/snapshot", &problem);
            }
            None if self.kept.is_some() => findings.leave_out([Part::Projections]),
            Some(None) | None => {}
        }
        self.check_checkpoints(&signed, whole, findings);
        Ok((self.own, self.replay))
    }

    /// Entries under the folder's snapshot.
    fn saved(&self) -> u64 {
        self.kept.as_ref().map_or(0, |kept| kept.replay.state.size())
    }

    /// One entry through the rules, its tree hashes and its commit's root compared.
    fn entry(&mut self, prepared: pipeline::Prepared, findings: &mut Findings) -> Result<Replayed, OpenError> {
        let index = prepared.entry.index;
        let is_saved = index < self.saved();
        let (log, tree, hashes) = (self.log.as_ref(), self.tree.as_ref(), &mut self.hashes);
        let mut number = stored_hash_count(index);
        let replayed = pipeline::replay(
            &mut self.replay,
            prepared,
            &mut LogPast { log, put_away: self.own.projection.put_away() },
            |hash| {
                let problem = tree.and_then(|tree| problem_of(tree, (number, hash), is_saved));
                if let Some(problem) = problem {
                    findings.add_derived(Part::Tree, format!("tree hash {number}, of entry {index}"), &problem);
                }
                hashes.push(hash);
                number += 1;
            },
        );
        let replayed = replayed.map_err(FollowError::from)?;
        let (size, root) = (index + 1, self.replay.frontier.root());
        if log.root(size)?.is_some_and(|kept| kept != root) && size < log.size() {
            let problem = "it is not that of the entries";
            findings.add(Part::Log, format!("the root after {size} entries"), &problem, BACKUP);
        }
        if let Some(wanted) = self.roots.get_mut(&size) {
            *wanted = Some(root);
        }
        Ok(replayed)
    }

    /// Entries after one that can't be replayed: their bytes, and their leaves in the tree. The rules can't be run over them.
    fn look_at_the_rest(&self, from: u64, findings: &mut Findings, progress: &dyn Progress) -> Result<(), FsckError> {
        let size = self.log.size();
        for index in from..size {
            let place = format!("entry {index}");
            match self.log.entry(index) {
                Ok(Some(entry)) => {
                    if let Err(refusal) = wire::decode_entry(&entry) {
                        findings.add(Part::Log, place, &refusal, BACKUP);
                    } else if self.leaf_differs(index, leaf_hash(&entry.leaf())) {
                        findings.add(
                            Part::Tree,
                            place,
                            &"its bytes and its leaf in the tree are not of each other",
                            BACKUP,
                        );
                    }
                }
                Ok(None) => findings.add(Part::Log, place, &"it is missing", BACKUP),
                Err(error) => findings.add(Part::Log, place, &error, BACKUP),
            }
            if progress.told(Work::Entries, index + 1, Some(size)).is_break() {
                return Err(FsckError::Interrupted);
            }
        }
        if findings.is_sound(Part::Tree) {
            findings.leave_out([Part::Tree]);
        }
        Ok(())
    }

    /// Whether the folder's tree has another leaf for an entry.
    fn leaf_differs(&self, index: u64, leaf: Hash) -> bool {
        let (at, is_saved) = (stored_hash_number(0, index), index < self.saved());
        self.tree.as_ref().is_some_and(|tree| problem_of(tree, (at, leaf), is_saved).is_some())
    }

    /// What the snapshot and its rows hold, against the replay up to there.
    fn compare(&self) -> Result<Option<(String, String)>, OpenError> {
        let Some(kept) = &self.kept else { return Ok(None) };
        if kept.replay.state != self.replay.state || kept.replay.frontier != self.replay.frontier {
            let problem = "its state is not what the log adds up to";
            return Ok(Some(("projections/snapshot".to_owned(), problem.to_owned())));
        }
        let found = self.own.projection.first_difference(&kept.projection)?;
        Ok(found.map(|(file, row)| {
            let place =
                row.map_or_else(|| format!("projections/{file}"), |row| format!("projections/{file}, row {row}"));
            (place, "it is not what the log adds up to".to_owned())
        }))
    }

    /// Keys that no commit makes, and a log that is shorter than what sled holds.
    fn check_keys(&self, findings: &mut Findings) {
        let looked = self.log.check(&mut |stray| {
            findings.add(Part::Log, stray, &"no commit makes such a key, or its commit is missing", BACKUP);
        });
        if let Err(error) = looked {
            findings.add(Part::Log, "log/", &error, BACKUP);
        }
    }

    /// The checkpoints in files of their own that the ledger signed.
    fn signed_checkpoints(&self, findings: &mut Findings) -> Result<Vec<(&'static str, Checkpoint)>, FsckError> {
        let created = genesis(self.log.as_ref())?;
        let key: VerifierKey = vkey(&created.origin, created.ledger_key)?;
        let mut signed = Vec::new();
        for (name, remedy) in [
            ("checkpoint", "Restore it from a backup, or take the newest one that a witness or mirror has"),
            ("cosigned", "Delete it: witnesses are asked again"),
        ] {
            let note = match CheckpointFile::new(&self.folder.join(name)).read() {
                Ok(Some(note)) if !note.is_empty() => note,
                Ok(_) if name == "checkpoint" && self.log.size() > 1 => {
                    let problem = "it is missing: nobody can tell whether acknowledged entries are";
                    findings.add(Part::Checkpoint, name, &problem, remedy);
                    continue;
                }
                Ok(_) => continue,
                Err(error) => {
                    findings.add(Part::Checkpoint, name, &error, remedy);
                    continue;
                }
            };
            match checkpoint::open(note.as_bytes(), &key, key.name()) {
                Ok(checkpoint) => signed.push((name, checkpoint)),
                Err(error) => findings.add(Part::Checkpoint, name, &error, remedy),
            }
        }
        Ok(signed)
    }

    fn check_checkpoints(&self, signed: &[(&'static str, Checkpoint)], whole: bool, findings: &mut Findings) {
        for (name, checkpoint) in signed {
            let size = self.log.size();
            if checkpoint.size > size {
                let problem = format!(
                    "it was signed over {} entries, and the log has {size}: acknowledged entries are gone",
                    checkpoint.size
                );
                findings.add(Part::Log, format!("entries {size} to {}", checkpoint.size - 1), &problem, BACKUP);
                continue;
            }
            let root = self.roots.get(&checkpoint.size).copied().flatten();
            let empty = checkpoint.size == 0;
            match root {
                Some(root) if root.as_slice() == checkpoint.root => {}
                Some(_) => {
                    let problem = format!("the first {} entries are not those that were signed", checkpoint.size);
                    findings.add(Part::Log, format!("entries up to {}", checkpoint.size), &problem, BACKUP);
                }
                None if empty => {}
                None if !whole => findings.leave_out([Part::Checkpoint]),
                None => findings.add(Part::Checkpoint, *name, &"its root could not be computed", BACKUP),
            }
        }
    }
}
