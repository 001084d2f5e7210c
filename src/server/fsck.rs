//! A data folder looked through, whole, while nobody serves it: what is damaged, and what to do about it.
//!
//! The log is replayed into projections of its own, every signature and rule again; every kept hash of the tree, every
//! kept root, and everything derived is held against that. The log is never touched, repaired or not.

mod beside;
mod directory;
mod log;

use std::{
    fs,
    path::{Path, PathBuf},
};

use self::log::Walk;
use super::folder::{OpenError, genesis, vkey};
use crate::{
    audit::Pin,
    merkle::leaf_hash,
    projection::Projection,
    replay::Replay,
    store::{LogStore, SledStore, StoreError, atomic_write, sync_folder},
};

/// Problems told of one part: what follows is mostly the same damage again.
const PROBLEMS_MAX: usize = 20;

/// How the name of the folder begins in which a repair works.
const WORK_PREFIX: &str = ".timebank-fsck-";

/// A part of a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Entries, kept roots, sled's own files.
    Log,
    /// The kept hashes of the tree.
    Tree,
    /// The newest signed checkpoint, and the newest cosigned one.
    Checkpoint,
    /// Private keys.
    Keys,
    /// What auditors pin.
    Pin,
    /// Balances, holds, history, receipts, and the snapshot.
    Projections,
    /// Links of imports, and their outbox.
    Directory,
    /// Sheets of commands that got no answer.
    Unsent,
}

impl Part {
    /// All parts, in the order in which they are looked at.
    pub const ALL: [Self; 8] = [
        Self::Log,
        Self::Tree,
        Self::Projections,
        Self::Checkpoint,
        Self::Keys,
        Self::Pin,
        Self::Directory,
        Self::Unsent,
    ];

    /// Its name, for people and programs.
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
        }
    }

    /// It follows from the log, so it can be made again.
    #[must_use]
    pub const fn is_derived(self) -> bool {
        matches!(self, Self::Projections | Self::Pin)
    }
}

/// Something that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which part.
    pub part: Part,
    /// Which file, entry or row.
    pub place: String,
    /// In what way.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
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
    /// Problems that are not told, as there are too many of one part.
    pub untold: u64,
    /// Parts that could not be looked at, because of what is damaged before them.
    pub unchecked: Vec<Part>,
}

impl Findings {
    fn add(&mut self, part: Part, place: impl Into<String>, problem: &impl ToString, remedy: &'static str) {
        if self.problems.iter().filter(|problem| problem.part == part).count() >= PROBLEMS_MAX {
            self.untold += 1;
            return;
        }
        let (place, problem) = (place.into(), problem.to_string());
        self.problems.push(Problem { part, place, problem, remedy, repaired: false });
    }

    /// Whether a part is sound.
    #[must_use]
    pub fn is_sound(&self, part: Part) -> bool {
        !self.unchecked.contains(&part) && self.problems.iter().all(|problem| problem.part != part || problem.repaired)
    }

    fn is_damaged(&self, part: Part) -> bool {
        self.problems.iter().any(|problem| problem.part == part)
    }
}

/// Why a folder can't be looked through.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// There is none.
    #[error("{path}: there is no ledger in it")]
    NoLedger {
        /// The folder.
        path: PathBuf,
    },
    /// Somebody serves it.
    #[error("{path} is in use: stop the service first")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// How.
        source: std::io::Error,
    },
    /// Any other failure of what is made anew.
    #[error(transparent)]
    Open(#[from] OpenError),
}

const BACKUP: &str = "Restore the folder from a backup, or from an archive with `timebank restore`. Where entries are gone \
                      that were acknowledged, carry on with `serve --succeed`: docs/recovery.md";
const REBUILD: &str = "It follows from the log: run `timebank fsck --repair`, or delete it and start the service";

/// Looks a data folder through; with `repair` makes again what follows from the log. `progress` gets entries done and
/// entries in all.
///
/// # Errors
/// In the order of [`FsckError`].
pub fn fsck(folder: &Path, repair: bool, progress: &mut dyn FnMut(u64, u64)) -> Result<Findings, FsckError> {
    let mut findings = Findings::default();
    if !folder.join("log").join("db").exists() {
        return Err(FsckError::NoLedger { path: folder.to_owned() });
    }
    let store = match SledStore::open(&folder.join("log")) {
        Ok(store) => store,
        Err(StoreError::InUse { .. }) => return Err(FsckError::InUse { path: folder.to_owned() }),
        Err(StoreError::Io { path, source }) => return Err(FsckError::Io { path, source }),
        Err(error) => {
            findings.add(Part::Log, "log/", &error, BACKUP);
            beside::check_unsent(folder, &mut findings);
            findings.unchecked =
                Part::ALL.into_iter().filter(|part| !matches!(part, Part::Log | Part::Unsent)).collect();
            return Ok(findings);
        }
    };
    findings.entries = store.size();
    let created = match genesis(&store) {
        Ok(created) => created,
        Err(error) => {
            findings.add(Part::Log, "entry 0", &error, BACKUP);
            beside::check_unsent(folder, &mut findings);
            findings.unchecked =
                Part::ALL.into_iter().filter(|part| !matches!(part, Part::Log | Part::Unsent)).collect();
            return Ok(findings);
        }
    };
    findings.origin.clone_from(&created.origin);
    let io = |source| FsckError::Io { path: folder.to_owned(), source };
    // What is made again takes the place of the old by a rename, so it has to be on the same file system.
    let work = if repair { work_folder(folder) } else { tempfile::tempdir() }.map_err(io)?;
    let (own, replay) = Walk::new(&store, folder, work.path(), &created.origin)?.run(&mut findings, progress)?;
    let leaf = store.entry(0).ok().flatten().map(|entry| leaf_hash(&entry.leaf())).unwrap_or_default();
    let pin = Pin { ledger_key: vkey(&created.origin, created.ledger_key)?, genesis_leaf_hash: leaf };
    beside::check_keys(folder, &created, &mut findings);
    beside::check_pin(folder, &pin, &mut findings);
    if findings.is_damaged(Part::Log) {
        findings.unchecked.push(Part::Directory);
    } else {
        directory::check(folder, &leaf, &store, &replay, &mut findings).map_err(io)?;
    }
    beside::check_unsent(folder, &mut findings);
    let order = |part: Part| Part::ALL.iter().position(|other| *other == part);
    findings.problems.sort_by_key(|problem| order(problem.part));
    if repair {
        make_again(folder, work.path(), &pin, (&own, &replay), &mut findings)?;
    }
    Ok(findings)
}

/// A folder for what is made again, in place of one that a kill left behind.
fn work_folder(folder: &Path) -> std::io::Result<tempfile::TempDir> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(WORK_PREFIX)) {
            fs::remove_dir_all(path)?;
        }
    }
    tempfile::Builder::new().prefix(WORK_PREFIX).tempdir_in(folder)
}

/// Puts what was derived anew in the place of what is damaged. A crash in between leaves a folder without projections,
/// which a start makes again.
fn make_again(
    folder: &Path,
    work: &Path,
    pin: &Pin,
    (own, replay): (&Projection, &Replay),
    findings: &mut Findings,
) -> Result<(), FsckError> {
    let io = |source| FsckError::Io { path: folder.to_owned(), source };
    if findings.is_damaged(Part::Projections) && !findings.is_damaged(Part::Log) {
        own.save(replay).map_err(OpenError::from)?;
        let old = folder.join("projections");
        if old.exists() {
            fs::rename(&old, work.join("damaged")).map_err(io)?;
        }
        fs::rename(work.join("own"), &old).and_then(|()| sync_folder(folder)).map_err(io)?;
        repaired(findings, Part::Projections);
    }
    if findings.is_damaged(Part::Pin) {
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
