//! A second reader: it follows a log that another one extends, and answers as the first does as of the same entry.
//! `TIMEBANK_ROUNDS=100 TIMEBANK_SEED=7 cargo test --test writer second_reader` is the long form.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tempfile::TempDir;
use timebank::{
    access::{
        AccountsAsked, AsOf, HistoryAsked, HistoryOrder, HoldsAsked, Identity, KeysAsked, PageSize, Places, Reader,
        Reads, ReadsParts,
    },
    engine::{
        follow::FollowError,
        log::{Appended, Commit, Log, MemoryLog, StoredEntry},
        node::Node,
        progress::Unwatched,
        scrub::Scrubbed,
        sequencer::Published,
    },
    format::{checkpoint::Checkpoint, proto},
    ledger::{AccountId, EventRef, LogIndex},
    merkle::{TileFile, verify_consistency, verify_inclusion},
    trust::audit::{
        Auditor, MemoryFolder, Pin,
        folder::{self, FolderLog},
    },
};
use tokio::sync::watch;

use crate::{
    Service, begun,
    support::{
        self, ALICE, BOB, CLARA, HOUR, Ledger, ORIGIN, POOL, Random, START, STATION, at, correct, hold, number, open,
        record, release, reverse, service, transfer,
    },
};

/// Steps of one run: sheets, a look from both sides, now and then a restart.
const STEPS: u64 = 120;

/// A follower in a folder of its own, and the thread that it runs on.
struct Follower {
    folder: TempDir,
    running: Option<Running>,
}

/// What it shows, how it is told to end, and its thread.
type Running = (Node, Arc<AtomicBool>, JoinHandle<Result<(), FollowError>>);

impl Follower {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), running: None }
    }

    fn projections(&self) -> PathBuf {
        self.folder.path().join("projections")
    }

    fn start(&mut self, log: Arc<dyn Log>) -> Node {
        let (node, mut replay) = Node::open(log, &self.projections(), ORIGIN).unwrap();
        let over = Arc::new(AtomicBool::default());
        let (following, until) = (node.clone(), Arc::clone(&over));
        let thread = std::thread::spawn(move || following.follow(&mut replay, || !until.load(Ordering::SeqCst)));
        self.running = Some((node.clone(), over, thread));
        node
    }

    /// Ends it: in order, with a snapshot, or as a kill does, without.
    fn stop(&mut self, in_order: bool) {
        let (node, over, thread) = self.running.take().unwrap();
        let saved = std::fs::read(self.projections().join("snapshot")).ok();
        over.store(true, Ordering::SeqCst);
        thread.join().unwrap().unwrap();
        drop(node);
        if !in_order {
            match saved {
                Some(saved) => std::fs::write(self.projections().join("snapshot"), saved).unwrap(),
                None => std::fs::remove_dir_all(self.projections()).unwrap(),
            }
        }
    }
}

/// Reads of a node whose checkpoint is this one.
fn reads(node: &Node, published: watch::Receiver<Published>) -> Reads {
    let identity = Identity {
        ledger_vkey: String::new(),
        genesis_leaf_hash: node.tree.hash(0).unwrap(),
        predecessor: None,
        cursor_key: [7; 32],
    };
    let (cosigned, stopping) = (watch::channel(String::new()).1, watch::channel(false).1);
    let scrubbed = watch::channel(Scrubbed::default()).1;
    Reads::new(ReadsParts { node: node.clone(), published, cosigned, scrubbed, stopping, identity })
}

/// Waits until a node shows so many entries, while nobody adds more.
async fn shown(node: &Node, size: u64) {
    let mut durable = node.projection.durable();
    let waiting = durable.wait_for(|durable| *durable >= size);
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap();
    assert_eq!(node.projection.shown().size(), size, "it shows no more than there is");
}

/// Everything that there is to be read, page by page, in words that can be compared.
fn everything(reads: &Reads, at: LogIndex) -> Vec<String> {
    let reader = Reader::Local;
    let mut told = Vec::new();
    let (list, rows) = (PageSize::of_list(3).unwrap(), PageSize::of_history(7).unwrap());
    told.push(format!("{:?}", reads.status(reader)));
    told.push(format!("{:?}", reads.regions(reader)));
    let mut cursor = None;
    loop {
        let page =
            reads.accounts(reader, &AccountsAsked { kind: None, station: None, page_size: list, cursor }).unwrap();
        told.push(format!("{page:?}"));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    loop {
        let page = reads.keys(reader, &KeysAsked { account: None, page_size: list, cursor }).unwrap();
        told.push(format!("{page:?}"));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let holds = HoldsAsked { payer: None, station: Some(AccountId(STATION)), page_size: list, cursor: None };
    told.push(format!("{:?}", reads.holds(reader, &holds)));
    for account in [ALICE, BOB, CLARA, POOL, STATION].map(AccountId) {
        told.push(format!("{:?}", reads.balance(reader, account)));
        told.push(format!("{:?}", reads.balance_as_of(reader, account, AsOf::Index(LogIndex(at.0 / 2)))));
        for (order, details) in [(HistoryOrder::NewestFirst, true), (HistoryOrder::OldestFirst, false)] {
            let mut cursor = None;
            for _ in 0..3 {
                let (kinds, from, until, at_index) = (Vec::new(), None, None, Some(at));
                let asked =
                    HistoryAsked { account, page_size: rows, order, kinds, from, until, at_index, cursor, details };
                let page = reads.history(reader, &asked).unwrap();
                told.push(format!("{page:?}"));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
    }
    let newest = (at.0.saturating_sub(20)..=at.0).map(|index| Some(EventRef { index: LogIndex(index), event: 0 }));
    told.push(format!("{:?}", reads.records(reader, &Places::new(newest.collect::<Vec<_>>().into_iter()).unwrap())));
    told.push(format!("{:?}", reads.find(reader, &hex::encode(ALICE))));
    for index in at.0.saturating_sub(5)..=at.0 + 1 {
        told.push(format!("{:?} {:?}", reads.entry(reader, index), reads.receipt(reader, index)));
    }
    told
}

/// What a subscriber is sent, from an entry on.
fn subscribed(reads: &Reads, from: u64) -> Vec<StoredEntry> {
    let (mut entries, size) = (Vec::new(), *reads.size(Reader::Local).unwrap().borrow());
    while from + (entries.len() as u64) < size {
        let next = reads.entries(Reader::Local, from + entries.len() as u64, 2_000).unwrap();
        assert!(!next.is_empty(), "there are {size}");
        entries.extend(next);
    }
    entries
}

/// Proofs of both, verified, and the files of the tree.
async fn check_proofs(first: &Reads, second: &Reads, random: &mut Random) {
    let note = first.checkpoint(Reader::Public).unwrap().note;
    let checkpoint = Checkpoint::unverified(note.as_bytes()).unwrap();
    let (size, root) = (checkpoint.size, checkpoint.root_hash().unwrap());
    let (index, old) = (random.below(size), 1 + random.below(size));
    for reads in [first, second] {
        let leaf = timebank::merkle::leaf_hash(&reads.entry(Reader::Local, index).unwrap().leaf());
        let path = reads.inclusion_proof(Reader::Local, index, size).unwrap();
        verify_inclusion(&leaf, index, size, &path, &root).unwrap();
        let grown = reads.consistency_proof(Reader::Local, old, size).unwrap();
        assert_eq!(grown.new_root, root);
        verify_consistency(old, &grown.old_root, size, &root, &grown.hashes).unwrap();
    }
    for path in [format!("tile/0/000.p/{}", size.min(255)), format!("tile/entries/000.p/{}", size.min(255))] {
        let file = TileFile::parse(&path).unwrap();
        let content = first.file(Reader::Public, file).await.unwrap();
        assert!(content.is_some() && second.file(Reader::Public, file).await.unwrap() == content, "{path}");
    }
}

/// An auditor without a memory finds the follower's log sound, its tree too.
fn audit(follower: &Follower, log: &dyn Log, note: String) -> u64 {
    let tree = timebank::engine::tree::Tree::read(&follower.projections()).unwrap();
    assert!(tree.is_some(), "the tree is audited as well");
    let key = timebank::format::checkpoint::VerifierKey::new(ORIGIN, support::key(99).public_key()).unwrap();
    let entry = log.entry(0).unwrap().unwrap();
    let pin = Pin { ledger_key: key, genesis_leaf_hash: timebank::merkle::leaf_hash(&entry.leaf()) };
    let (memory, stopped) = (tempfile::tempdir().unwrap(), watch::channel(false).1);
    let memory = MemoryFolder::Named(memory.path().to_owned());
    let auditor = Auditor { pin: Some(&pin), policy: None, memory: &memory, stopped: &stopped, progress: &Unwatched };
    let report = folder::audit(&FolderLog { log, tree, note, cosigned: None }, &auditor).unwrap();
    assert!(report.verdict.is_ok(), "{report:?}");
    report.entries
}

/// Sheets of all kinds, each of which is taken.
struct Sheets {
    random: Random,
    /// Open holds, records that may be corrected, by the entries that have them.
    holds: Vec<u64>,
    records: Vec<u64>,
    made: u64,
}

impl Sheets {
    fn next(&mut self, ledger: &mut Ledger) -> proto::Sheet {
        self.made += 1;
        let (alice, staff, operator) = (ledger.alice.clone(), ledger.staff.clone(), ledger.operator.clone());
        let start = START - 300 * 24 * HOUR + i64::try_from(self.made).unwrap() * 3 * HOUR;
        let pick = |random: &mut Random, list: &mut Vec<u64>| {
            (!list.is_empty()).then(|| list.swap_remove(usize::try_from(random.below(list.len() as u64)).unwrap()))
        };
        match self.random.below(8) {
            0 => {
                self.holds.push(ledger.replay.state.size());
                ledger.sheet(&[&alice], vec![hold(ALICE, 2, ledger.now + 9 * HOUR)])
            }
            1 => match pick(&mut self.random, &mut self.holds) {
                Some(hold) => ledger.sheet(&[&alice], vec![release(at(hold, 0))]),
                None => ledger.sheet(&[&alice], vec![transfer(ALICE, BOB, 1)]),
            },
            2 | 3 => {
                self.records.push(ledger.replay.state.size());
                ledger.sheet(&[&staff], vec![record(service(ALICE, start, 30)), record(service(BOB, start, 20))])
            }
            4 => match pick(&mut self.random, &mut self.records) {
                Some(place) if self.random.below(2) == 0 => ledger.sheet(&[&staff], vec![reverse(at(place, 1))]),
                Some(place) => ledger.sheet(&[&staff], vec![correct(at(place, 0), service(ALICE, start, 40))]),
                None => ledger.sheet(&[&alice], vec![transfer(ALICE, CLARA, 1)]),
            },
            5 => {
                let mut id = [0x77; 16];
                id[..8].copy_from_slice(&self.made.to_be_bytes());
                ledger.sheet(&[&operator], vec![open(id, proto::AccountKind::Resident, "", Some(STATION))])
            }
            _ => ledger.sheet(&[&alice], vec![transfer(ALICE, BOB, 1), transfer(ALICE, POOL, 1)]),
        }
    }
}

/// Both, at the same entry.
async fn compare(service: &Service, node: &Node, random: &mut Random) {
    let size = service.log.size();
    let mut published = service.sequencer.published();
    published.wait_for(|published| published.size == size).await.unwrap();
    let held = published.borrow().clone();
    let (first, second) = (reads(&service.node, published), reads(node, watch::channel(held).1));
    let all = everything(&first, LogIndex(size - 1));
    assert!(all.iter().all(|told| !told.contains("Err(Failed")), "{all:#?}");
    assert_eq!(all, everything(&second, LogIndex(size - 1)));
    let from = random.below(size);
    assert_eq!(subscribed(&first, from), subscribed(&second, from));
    // From the first entry on that posts minutes there is a range.
    let (index, range) = (Some(LogIndex(2 + random.below(size - 2))), Some(0));
    let digest = first.state_digest(Reader::Local, index, range).await.unwrap();
    assert_eq!(digest, second.state_digest(Reader::Local, index, range).await.unwrap());
    check_proofs(&first, &second, random).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_reader_tells_the_same_as_the_first_as_of_the_same_entry() {
    let first = number("TIMEBANK_SEED", 0xf0_1106);
    for seed in first..first + number("TIMEBANK_ROUNDS", 1) {
        eprintln!("TIMEBANK_SEED={seed} TIMEBANK_ROUNDS=1");
        tell_the_same(seed).await;
    }
}

async fn tell_the_same(seed: u64) {
    let (mut random, place) = (Random(seed), tempfile::tempdir().unwrap());
    let mut sheets = Sheets { random: Random(seed ^ 1), holds: Vec::new(), records: Vec::new(), made: 0 };
    let mut service = begun(place.path()).await;
    let mut follower = Follower::new();
    let mut node = follower.start(service.log.clone());
    let mut restarts = [0; 3];
    for _ in 0..STEPS {
        for _ in 0..=random.below(3) {
            let sheet = sheets.next(&mut service.ledger);
            service.take(&sheet).await;
            // It needs no further commit to show this one: it is at most one behind.
            shown(&node, service.log.size()).await;
        }
        match random.below(12) {
            0 | 1 => compare(&service, &node, &mut random).await,
            which @ 2..=3 => {
                follower.stop(which == 2);
                node = follower.start(service.log.clone());
                restarts[usize::try_from(which - 2).unwrap()] += 1;
            }
            4 => {
                let (ledger, log) = service.stop();
                service = Service::start(place.path(), ledger, log);
                restarts[2] += 1;
            }
            _ => {}
        }
    }
    assert!(restarts.iter().all(|times| *times > 2), "{restarts:?}");
    compare(&service, &node, &mut random).await;
    let note = service.sequencer.published().borrow().note.clone();
    follower.stop(true);
    assert_eq!(audit(&follower, service.log.as_ref(), note), service.log.size());
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_reader_beside_many_writers_is_at_their_last_entry_soon() {
    let place = tempfile::tempdir().unwrap();
    let mut service = begun(place.path()).await;
    let mut follower = Follower::new();
    let node = follower.start(service.log.clone());
    let alice = service.ledger.alice.clone();
    let gifts: Vec<_> = (0..300).map(|_| service.ledger.sheet(&[&alice], vec![transfer(ALICE, BOB, 1)])).collect();
    let over = AtomicBool::default();
    let looks = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            // Whatever it shows is a whole entry, and adds up.
            let (mut looks, mut last) = (0, 0);
            while !over.load(Ordering::SeqCst) {
                let shown = node.projection.shown();
                assert!(shown.size() >= last && shown.size() <= service.log.size() && shown.balance_sum() == 0);
                assert_eq!(node.tree.root(shown.size()).unwrap(), shown.root());
                (looks, last) = (looks + 1, shown.size());
            }
            looks
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let mut sent = tokio::task::JoinSet::new();
                for gift in gifts {
                    let sequencer = service.sequencer.clone();
                    sent.spawn(async move { sequencer.submit(gift, false).await.unwrap() });
                }
                while sent.join_next().await.is_some() {}
                shown(&node, service.log.size()).await;
            });
        });
        over.store(true, Ordering::SeqCst);
        looking.join().unwrap()
    });
    assert!(looks > 10);
    follower.stop(true);
    service.stop();
}

/// What a follower of a small log says when something is done to it.
fn spoiled(spoil: impl FnOnce(&MemoryLog, &Ledger)) -> (FollowError, u64) {
    let mut ledger = Ledger::new();
    ledger.earn(ALICE, 480);
    let log = Arc::new(MemoryLog::default());
    for entry in &ledger.entries {
        append(&log, entry.clone(), None);
    }
    let folder = tempfile::tempdir().unwrap();
    let (node, mut replay) = Node::open(log.clone(), folder.path(), ORIGIN).unwrap();
    spoil(&log, &ledger);
    let stopped = node.follow(&mut replay, || true).unwrap_err();
    let shown = node.projection.shown().size();
    (stopped, shown)
}

/// Adds an entry with the root that it leads to, or with another.
fn append(log: &MemoryLog, entry: StoredEntry, root: Option<[u8; 32]>) {
    let mut frontier = timebank::merkle::Frontier::default();
    for entry in log.entries(0, usize::MAX).unwrap().iter().chain([&entry]) {
        frontier.append(timebank::merkle::leaf_hash(&entry.leaf()), |_| ());
    }
    let root = root.unwrap_or_else(|| frontier.root());
    assert!(matches!(log.append(&Commit { entries: vec![entry], root }), Ok(Appended::Done)));
}

#[test]
fn a_follower_shows_nothing_of_a_log_that_is_none() {
    let next = |ledger: &Ledger, change: fn(&mut StoredEntry)| {
        let mut ledger = ledger.clone();
        ledger.accept(&[&ledger.alice.clone()], vec![transfer(ALICE, BOB, 1)]);
        let mut entry = ledger.entries.pop().unwrap();
        change(&mut entry);
        entry
    };
    // It ends in the middle of what the follower has.
    let (error, shown) = spoiled(|log, _| log.lose(2));
    assert!(matches!(error, FollowError::LogShorter { log: 2, replayed: 3 }), "{error}");
    assert_eq!(shown, 3, "what was shown stays");
    // It lost entries and went on otherwise, with as many and with more.
    let (error, shown) = spoiled(|log, ledger| {
        log.lose(2);
        append(log, StoredEntry { index: 2, ..next(ledger, |_| ()) }, None);
    });
    assert!(matches!(error, FollowError::RootMismatch { size: 3 }), "{error}");
    assert_eq!(shown, 3);
    // A root that isn't theirs, a signature that is none, bytes that are no sheet.
    let (error, shown) = spoiled(|log, ledger| append(log, next(ledger, |_| ()), Some([1; 32])));
    assert!(matches!(error, FollowError::RootMismatch { size: 4 }), "{error}");
    assert_eq!(shown, 3);
    let unsigned = |entry: &mut StoredEntry| entry.signatures = vec![support::bytes(&[9; 64])];
    let (error, shown) = spoiled(|log, ledger| append(log, next(ledger, unsigned), None));
    assert!(matches!(error, FollowError::Diverged(_)), "{error}");
    assert_eq!(shown, 3);
    let garbage = |entry: &mut StoredEntry| entry.events = vec![support::bytes(b"garbage")];
    let (error, shown) = spoiled(|log, ledger| append(log, next(ledger, garbage), None));
    assert!(matches!(error, FollowError::Undecodable { index: 3, .. }), "{error}");
    assert_eq!(shown, 3);
}
