//! A node over a log in memory, of which what is read can be changed.

use std::{
    fs,
    os::unix::fs::FileExt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tempfile::TempDir;
use timebank::{
    engine::{
        log::{Appended, Commit, Log, MemoryLog, StoredEntry},
        node::Node,
        replay::Replay,
        scrub::{Problem, Scrub, Step},
        sequencer::Published,
        store::StoreError,
    },
    format::checkpoint,
    ledger::Millis,
    merkle::{Frontier, Hash, leaf_hash},
};

use crate::support::{self, ALICE, BOB, ORIGIN, transfer};

/// Entries of most logs here: a tree of three edges.
pub(crate) const SIZE: u64 = 41;
/// "Too many open files", and "Input/output error".
pub(crate) const EMFILE: i32 = 24;
pub(crate) const EIO: i32 = 5;

pub(crate) fn errno(code: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(code)
}

/// Where a log is written to that a test reads.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The errors that are told meanwhile.
pub(crate) fn told_in(what: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, what);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    log.lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect()
}

/// The time of the `number`-th step.
pub(crate) fn at(number: u32) -> Millis {
    Millis(1_000 + i64::from(number))
}

/// So many entries: a genesis, people, and minutes given away.
pub(crate) fn entries(size: u64) -> Vec<StoredEntry> {
    let mut ledger = support::Ledger::new();
    ledger.earn(ALICE, 480);
    while (ledger.entries.len() as u64) < size {
        // Back and forth, so that nobody runs out.
        let (payer, from, to) = if ledger.entries.len() % 2 == 1 {
            (ledger.alice.clone(), ALICE, BOB)
        } else {
            (ledger.bob.clone(), BOB, ALICE)
        };
        ledger.accept(&[&payer], vec![transfer(from, to, 1)]);
    }
    ledger.entries.truncate(usize::try_from(size).unwrap());
    ledger.entries
}

/// Adds entries in commits of one, two and three.
pub(crate) fn append(log: &dyn Log, edge: &mut Frontier, entries: &[StoredEntry]) {
    let (mut rest, mut length) = (entries, 1);
    while !rest.is_empty() {
        let (commit, after) = rest.split_at(length.min(rest.len()));
        for entry in commit {
            edge.append(leaf_hash(&entry.leaf()), |_| ());
        }
        let commit = Commit { entries: commit.to_vec(), root: edge.root() };
        assert!(matches!(log.append(&commit).unwrap(), Appended::Done));
        (rest, length) = (after, length % 3 + 1);
    }
}

pub(crate) type Change = Box<dyn FnMut(&mut StoredEntry) -> Result<(), StoreError> + Send>;

/// A log in memory of which what is read can be changed.
#[derive(Default)]
pub(crate) struct Changed {
    pub(crate) log: MemoryLog,
    pub(crate) entry: Mutex<Option<Change>>,
    /// The size whose root is another, or can't be read.
    pub(crate) root: Mutex<Option<(u64, Option<Hash>)>>,
}

impl Log for Changed {
    fn size(&self) -> u64 {
        self.log.size()
    }

    fn wait(&self, size: u64, at_most: Duration) -> u64 {
        self.log.wait(size, at_most)
    }

    fn append(&self, commit: &Commit) -> Result<Appended, StoreError> {
        self.log.append(commit)
    }

    fn entry(&self, index: u64) -> Result<Option<StoredEntry>, StoreError> {
        self.log.entry(index)
    }

    /// As sled's: what is before the damage is given, and the next call begins with it.
    fn entries(&self, from: u64, bytes_max: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let (mut change, mut given) = (self.entry.lock().unwrap_or_else(PoisonError::into_inner), Vec::new());
        for mut entry in self.log.entries(from, bytes_max)? {
            match change.as_mut().map_or(Ok(()), |change| change(&mut entry)) {
                Ok(()) => given.push(entry),
                Err(error) if given.is_empty() => return Err(error),
                Err(_damaged) => break,
            }
        }
        Ok(given)
    }

    fn root(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        match *self.root.lock().unwrap() {
            Some((other, root)) if other == size => Ok(root),
            _ => self.log.root(size),
        }
    }

    fn check_place(&self) -> Result<(), StoreError> {
        self.log.check_place()
    }

    fn check(&self, found: &mut dyn FnMut(String)) -> Result<(), StoreError> {
        self.log.check(found)
    }
}

/// A node over a log in memory.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) log: Arc<Changed>,
    pub(crate) node: Node,
    pub(crate) replay: Replay,
    pub(crate) edge: Frontier,
}

impl World {
    pub(crate) fn new(entries: &[StoredEntry]) -> Self {
        let (folder, log, mut edge) = (tempfile::tempdir().unwrap(), Arc::new(Changed::default()), Frontier::default());
        append(log.as_ref(), &mut edge, entries);
        let (node, replay) = Node::open(log.clone(), folder.path(), ORIGIN).unwrap();
        Self { folder, log, node, replay, edge }
    }

    pub(crate) fn grow(&mut self, entries: &[StoredEntry]) {
        append(self.log.as_ref(), &mut self.edge, entries);
        self.node.catch_up(&mut self.replay).unwrap();
    }

    pub(crate) fn change(&self, change: impl FnMut(&mut StoredEntry) -> Result<(), StoreError> + Send + 'static) {
        *self.log.entry.lock().unwrap() = Some(Box::new(change));
    }

    /// Writes one hash of the tree over.
    pub(crate) fn damage_hash(&self, number: u64) {
        let file = fs::OpenOptions::new().write(true).open(self.folder.path().join("tree")).unwrap();
        file.write_all_at(&[7; 32], number * 32).unwrap();
    }
}

/// A checkpoint over what an edge is over.
pub(crate) fn signed(edge: &Frontier) -> Published {
    let note = checkpoint::sign(ORIGIN, edge.size(), &edge.root(), support::key(99).signing_key());
    Published { size: edge.size(), note }
}

/// Steps until there is nothing more; how many there were.
pub(crate) fn pass(scrub: &mut Scrub, node: &Node, published: &Published) -> u32 {
    let mut steps = 0;
    while scrub.step(node, published, at(steps)) != Step::AtEnd {
        steps += 1;
        assert!(steps < 10_000, "it comes to an end: {:?}", scrub.scrubbed());
    }
    steps
}

/// A whole pass over a node, and the first problem.
pub(crate) fn scrubbed(node: &Node, published: &Published) -> Option<Problem> {
    let mut scrub = Scrub::default();
    pass(&mut scrub, node, published);
    let scrubbed = scrub.scrubbed().clone();
    assert_eq!(scrubbed.size, node.log.size(), "it goes on behind what it finds");
    assert!(scrubbed.passed_at.is_some());
    scrubbed.problem
}
