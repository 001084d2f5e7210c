//! A data folder looked through, whole, while nobody serves it: what is damaged, and what to do about it.
//!
//! The log is replayed into projections of its own, every signature and rule again; every kept hash of the tree, every
//! kept root, and everything derived is held against that. The log is never touched, repaired or not.

mod beside;
mod directory;
mod log;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::log::Walk;
use super::open::{OpenError, genesis, left_by_a_ledger, vkey};
use crate::{
    engine::{
        log::{self as engine_log, Log},
        machine::OwnMachine,
        node::Node,
        progress::Progress,
        projection::{empty, is_a_mount},
        replay::Replay,
        store::{StoreError, atomic_write, rename, set_aside},
    },
    merkle::leaf_hash,
    trust::audit::Pin,
};

/// Problems told of one part: what follows is mostly the same damage again.
const PROBLEMS_MAX: usize = 20;

/// How the name of the folder begins that the log is replayed into.
const WORK_PREFIX: &str = ".timebank-fsck-";

/// A part of a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Entries, kept roots, sled's own files.
    Log,
    /// The kept hashes of the tree, as far as the snapshot stands.
    Tree,
    /// The newest signed checkpoint, and the newest cosigned one.
    Checkpoint,
    /// The three key files: whose keys they hold, and who may read them.
    Keys,
    /// What auditors pin.
    Pin,
    /// Balances, holds, history, receipts, and the snapshot.
    Projections,
    /// Links of imports, and their outbox.
    Directory,
    /// Sheets of commands that got no answer.
    Unsent,
    /// What others than its owner may enter or read.
    Folder,
}

impl Part {
    /// All parts, in the order in which they are looked at.
    pub const ALL: [Self; 9] = [
        Self::Log,
        Self::Tree,
        Self::Projections,
        Self::Checkpoint,
        Self::Keys,
        Self::Pin,
        Self::Directory,
        Self::Unsent,
        Self::Folder,
    ];

    /// The name of a part, for people and programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Tree => "tree",
            Self::Checkpoint => "checkpoint",
            Self::Keys => "keys",
            Self::Pin => "pin",
            Self::Projections => "projections",
            Self::Directory => "directory",
            Self::Unsent => "unsent",
            Self::Folder => "folder",
        }
    }
}

/// Something that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is not sound; `place` says where in it.
    pub part: Part,
    /// Which file, entry or row.
    pub place: String,
    /// In words for people, the place left out.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
    /// It follows from the log, so it can be made again.
    pub derived: bool,
    /// It was made again.
    pub repaired: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The ledger; empty where not even that can be read.
    pub origin: String,
    /// Entries of the log.
    pub entries: u64,
    /// What is damaged, in the order of [`Part::ALL`].
    pub problems: Vec<Problem>,
    /// Problems that are not told, as there are too many of one part: their parts.
    untold: Vec<Part>,
    /// Parts that could not be looked at, because of what is damaged before them.
    pub unchecked: Vec<Part>,
}

impl Findings {
    fn add(&mut self, part: Part, place: impl Into<String>, problem: &impl ToString, remedy: &'static str) {
        let (place, problem) = (place.into(), problem.to_string());
        self.push(Problem { part, place, problem, remedy, derived: false, repaired: false });
    }

    /// Adds a problem that a repair can end.
    fn add_derived(&mut self, part: Part, place: impl Into<String>, problem: &impl ToString) {
        let (place, problem) = (place.into(), problem.to_string());
        self.push(Problem { part, place, problem, remedy: REBUILD, derived: true, repaired: false });
    }

    fn push(&mut self, problem: Problem) {
        if self.problems.iter().filter(|other| other.part == problem.part).count() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.untold.push(problem.part);
        }
    }

    /// Puts the problems in the order of the parts.
    fn in_order(&mut self) {
        let order = |part: Part| Part::ALL.iter().position(|other| *other == part);
        self.problems.sort_by_key(|problem| order(problem.part));
    }

    /// Leaves parts out that can't be looked at.
    fn leave_out(&mut self, parts: impl IntoIterator<Item = Part>) {
        self.unchecked.extend(parts);
    }

    /// Whether a part is sound.
    #[must_use]
    pub fn is_sound(&self, part: Part) -> bool {
        !self.unchecked.contains(&part) && self.problems.iter().all(|problem| problem.part != part || problem.repaired)
    }

    /// Problems that are not told, as there are too many of one part.
    #[must_use]
    pub fn untold(&self) -> u64 {
        self.untold.len() as u64
    }

    /// How many problems there are that were not repaired.
    #[must_use]
    pub fn open(&self) -> u64 {
        let is_open = |part: &&Part| !self.is_sound(**part);
        let untold = self.untold.iter().filter(is_open).count();
        (self.problems.iter().filter(|problem| !problem.repaired).count() + untold) as u64
    }
}

/// Why a folder can't be looked through.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// There is none.
    #[error("{path}: there is no ledger in it")]
    NoLedger {
        /// The data folder, named as the caller named it.
        path: PathBuf,
    },
    /// Somebody serves it.
    #[error("{path} is in use: stop the service first")]
    InUse {
        /// The data folder, named as the caller named it.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The data folder, or the file in it that failed.
        path: PathBuf,
        /// From reading, writing or removing it.
        source: std::io::Error,
    },
    /// Whoever asked for it wants it no more.
    #[error("interrupted; nothing was changed")]
    Interrupted,
    /// Any other failure of what is made anew.
    #[error(transparent)]
    Open(#[from] OpenError),
}

const BACKUP: &str = "Restore the folder from a backup, or from an archive with `timebank restore`. Where entries are gone \
                      that were acknowledged, carry on with `serve --succeed`: docs/recovery.md";
const REBUILD: &str =
    "It follows from the log: `timebank fsck --repair` makes it again once log, checkpoint and keys are sound";
/// What a repair makes things from, or checks that against: no repair before they are sound.
const FOUNDATIONS: [Part; 3] = [Part::Log, Part::Checkpoint, Part::Keys];

/// Looks a data folder through; with `repair` makes again what follows from the log. `progress` is told the
/// entries so far.
///
/// # Errors
/// In the order of [`FsckError`].
pub fn fsck(folder: &Path, repair: bool, progress: &dyn Progress) -> Result<Findings, FsckError> {
    let mut findings = Findings::default();
    let io = |source| FsckError::Io { path: folder.to_owned(), source };
    let opened = open_log(folder, &mut findings)?;
    clear_left_behind(folder).map_err(io)?;
    beside::check_modes(folder, &mut findings);
    let Some(log) = opened else {
        without_log(folder, &mut findings);
        return Ok(findings);
    };
    findings.entries = log.size();
    if log.size() == 0 && left_by_a_ledger(folder).is_none() {
        // A first start that did not end: the next one goes on.
        return Err(FsckError::NoLedger { path: folder.to_owned() });
    }
    let created = match genesis(log.as_ref()) {
        Ok(created) => created,
        Err(error) => {
            findings.add(Part::Log, "entry 0", &error, BACKUP);
            without_log(folder, &mut findings);
            return Ok(findings);
        }
    };
    findings.origin.clone_from(&created.origin);
    // In the data folder: what is made again takes the place of the old by a rename, and a country's projections don't fit
    // into a temporary folder that is kept in memory.
    let owner = fs::Permissions::from_mode(0o700);
    let work = tempfile::Builder::new().prefix(WORK_PREFIX).permissions(owner).tempdir_in(folder).map_err(io)?;
    let (own, mut replay) = Walk::new(&log, folder, work.path(), &created.origin)?.run(&mut findings, progress)?;
    let leaf = log.entry(0).ok().flatten().map(|entry| leaf_hash(&entry.leaf())).unwrap_or_default();
    let pin = Pin { ledger_key: vkey(&created.origin, created.ledger_key)?, genesis_leaf_hash: leaf };
    beside::check_keys(folder, &created, &mut findings);
    beside::check_pin(folder, &pin, &mut findings);
    beside::check_whose_log(&created.origin, &mut findings);
    if findings.is_sound(Part::Log) {
        directory::check(folder, &leaf, log.as_ref(), &replay, &mut findings).map_err(io)?;
    } else {
        findings.leave_out([Part::Directory]);
    }
    beside::check_unsent(folder, Some(&replay), &mut findings);
    findings.in_order();
    if repair && FOUNDATIONS.into_iter().all(|part| findings.is_sound(part)) {
        make_again(folder, work.path(), &pin, (&own, &mut replay), &mut findings)?;
    }
    Ok(findings)
}

/// What is still looked at where the log can't be read.
fn without_log(folder: &Path, findings: &mut Findings) {
    beside::check_unsent(folder, None, findings);
    let looked_at = [Part::Log, Part::Unsent, Part::Folder];
    findings.leave_out(Part::ALL.into_iter().filter(|part| !looked_at.contains(part)));
    findings.in_order();
}

/// The log; none where it can't be opened, which is then a finding.
fn open_log(folder: &Path, findings: &mut Findings) -> Result<Option<Arc<dyn Log>>, FsckError> {
    let path = folder.join("log");
    if !path.join("db").exists() {
        let left = left_by_a_ledger(folder).ok_or_else(|| FsckError::NoLedger { path: folder.to_owned() })?;
        findings.add(Part::Log, "log/db", &format!("it is missing, and a ledger's {left} is there"), BACKUP);
        return Ok(None);
    }
    let before = set_aside(&path);
    let opened = match engine_log::open(&path) {
        Ok(log) => Some(log),
        Err(StoreError::InUse { .. }) => return Err(FsckError::InUse { path: folder.to_owned() }),
        Err(StoreError::Io { path, source }) => return Err(FsckError::Io { path, source }),
        Err(StoreError::SyncFailed(source)) => return Err(FsckError::Io { path, source }),
        Err(error) => {
            findings.add(Part::Log, "log/", &error, BACKUP);
            None
        }
    };
    tell_set_aside((&path, &before), (Part::Log, "log"), opened.is_some(), findings);
    Ok(opened)
}

/// Tells what opening a store has set aside, beside what was there before.
fn tell_set_aside(
    (folder, before): (&Path, &BTreeSet<(String, u64)>),
    (part, at): (Part, &str),
    is_open: bool,
    findings: &mut Findings,
) {
    for (name, _) in set_aside(folder).difference(before) {
        let problem = "what the store opens faster with, or its settings, which are always the same, was damaged, and is set \
                       aside under this name: the store was opened from its log alone, as a start would do. A disk may be \
                       failing, or the power went out as the store was made";
        findings.push(Problem {
            part,
            place: format!("{at}/{name}"),
            problem: problem.to_owned(),
            remedy: "Look at the disk, and have a backup; the file may be deleted",
            derived: true,
            repaired: is_open,
        });
    }
}

/// Clears away what a kill left behind.
fn clear_left_behind(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(WORK_PREFIX)) {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

/// Puts what was derived anew in the place of what is damaged. A crash in between leaves a folder without projections,
/// which a start makes again.
fn make_again(
    folder: &Path,
    work: &Path,
    pin: &Pin,
    (own, replay): (&Node, &mut Replay),
    findings: &mut Findings,
) -> Result<(), FsckError> {
    let io = |source| FsckError::Io { path: folder.to_owned(), source };
    let can = |part: Part| {
        let mut problems = findings.problems.iter().filter(|problem| problem.part == part).peekable();
        problems.peek().is_some() && problems.all(|problem| problem.derived)
    };
    let (projections, pin_file) = (can(Part::Projections) || can(Part::Tree), can(Part::Pin));
    if projections {
        own.save(&replay.still(), &own.projection.heads()).map_err(OpenError::from)?;
        let old = folder.join("projections");
        let moved = if old.exists() { rename(&old, &work.join("damaged")) } else { Ok(()) };
        match moved {
            // A file system of its own, into which nothing is moved: what is damaged goes, and the next start makes everything
            // again. Until then it isn't repaired.
            Err(error) if is_a_mount(&error) => {
                empty(&OwnMachine, &old).map_err(|source| FsckError::Io { path: old, source })?;
            }
            moved => {
                moved.and_then(|()| rename(&work.join("own"), &old)).map_err(io)?;
                repaired(findings, Part::Tree);
                repaired(findings, Part::Projections);
            }
        }
    }
    if pin_file {
        atomic_write(&folder.join("ledger.pin"), pin.to_text().as_bytes(), 0o644).map_err(io)?;
        repaired(findings, Part::Pin);
    }
    Ok(())
}

fn repaired(findings: &mut Findings, part: Part) {
    for problem in findings.problems.iter_mut().filter(|problem| problem.part == part) {
        problem.repaired = true;
    }
}
