//! The writer as the service has it, over a log in memory and real files, without an edge: what it lets out is what the
//! rules say, whatever else it is doing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests stop at the first surprise")]

/// All of a log but its appends, as the one in `log` has it.
macro_rules! as_its_log {
    () => {
        fn size(&self) -> u64 {
            self.log.size()
        }

        fn wait(&self, size: u64, at_most: Duration) -> u64 {
            self.log.wait(size, at_most)
        }

        fn entry(&self, index: u64) -> Result<Option<StoredEntry>, StoreError> {
            self.log.entry(index)
        }

        fn entries(&self, from: u64, bytes_max: usize) -> Result<Vec<StoredEntry>, StoreError> {
            self.log.entries(from, bytes_max)
        }

        fn root(&self, size: u64) -> Result<Option<Hash>, StoreError> {
            self.log.root(size)
        }

        fn check_place(&self) -> Result<(), StoreError> {
            self.log.check_place()
        }

        fn check(&self, found: &mut dyn FnMut(String)) -> Result<(), StoreError> {
            self.log.check(found)
        }
    };
}

mod faults;
mod follower;
mod load;
mod put_away;
#[path = "../support/mod.rs"]
mod support;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use support::{ALICE, Ledger, ORIGIN};
use timebank::{
    engine::{
        checkpoint_holder::MemoryHolder,
        clock::{Clock, TimeSource},
        log::{Appended, Commit, Log, MemoryLog, StoredEntry},
        node::Node,
        projection::Projection,
        sequencer::{self, Accepted, Sequencer, SequencerParts, Threads},
        store::StoreError,
    },
    format::proto,
    ledger::Millis,
    merkle::Hash,
};

/// A clock that shows what it is set to.
#[derive(Clone, Default)]
struct Set(Arc<AtomicI64>);

impl TimeSource for Set {
    fn wall(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }
}

/// A log on a disk that somebody can hold up.
#[derive(Default)]
struct SlowLog {
    log: MemoryLog,
    disk: tokio::sync::Mutex<()>,
}

impl Log for SlowLog {
    as_its_log!();

    fn append(&self, commit: &Commit) -> Result<Appended, StoreError> {
        let _free = self.disk.blocking_lock();
        self.log.append(commit)
    }
}

/// A service without its edge, and a ledger in memory that signs for it and takes the same sheets.
struct Service {
    ledger: Ledger,
    clock: Set,
    log: Arc<SlowLog>,
    node: Node,
    projection: Arc<Projection>,
    sequencer: Sequencer,
    threads: Threads,
}

impl Service {
    /// Goes on with a log, from what a folder has.
    fn start(folder: &Path, ledger: Ledger, log: Arc<SlowLog>) -> Self {
        let clock = Set(Arc::new(ledger.now.into()));
        let projections = folder.join("projections");
        let (saved, _) = Projection::open(&projections, ORIGIN, log.size()).unwrap();
        assert_eq!(saved.shown().size(), log.size(), "a snapshot was saved at the end");
        drop(saved);
        let (node, replay) = Node::open(log.clone(), &projections, ORIGIN).unwrap();
        let projection = Arc::clone(&node.projection);
        let (sequencer, threads) = sequencer::start(SequencerParts {
            node: node.clone(),
            replay,
            clock: Clock::start(Box::new(clock.clone()), None, None).unwrap(),
            ledger_key: support::key(99),
            holder: Arc::new(MemoryHolder::default()),
            checkpoint: None,
            on_stop: Arc::new(|stop| panic!("{stop}")),
        })
        .unwrap();
        Self { ledger, clock, log, node, projection, sequencer, threads }
    }

    fn stop(self) -> (Ledger, Arc<SlowLog>) {
        let Self { ledger, log, sequencer, threads, .. } = self;
        drop(sequencer);
        threads.join();
        (ledger, log)
    }

    fn pass(&mut self, ms: i64) {
        self.ledger.now += ms;
        self.clock.0.store(self.ledger.now, Ordering::SeqCst);
    }

    /// Both take it.
    async fn take(&mut self, sheet: &proto::Sheet) -> Accepted {
        self.ledger.submit(sheet).unwrap();
        self.sequencer.submit(sheet.clone(), false).await.unwrap()
    }
}

/// A service that has what the ledger of the tests begins with.
async fn begun(folder: &Path) -> Service {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 480);
    let entries = ledger.entries.clone();
    let service = Service::start(folder, ledger, Arc::default());
    for entry in entries {
        let StoredEntry { header, signatures, events, .. } = entry;
        service.sequencer.submit(proto::Sheet { header, events, signatures }, false).await.unwrap();
    }
    service
}
