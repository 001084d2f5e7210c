#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{
    collections::BTreeMap,
    sync::{
        Barrier, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{super::tests::submission, *};
use crate::{
    engine::{
        checkpoint_holder::{CheckpointHolder, HolderFault, MemoryHolder},
        log::MemoryLog,
        store::{CheckpointFile, StoreError},
    },
    merkle::Frontier,
};

const ORIGIN: &str = "timebank.example/test";
/// Races, each from where the one before ended.
const RACES: u64 = 10_000;
/// The same over a file, which syncs twice for each checkpoint.
const RACES_OVER_A_FILE: u64 = 100;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

fn key() -> PrivateKey {
    PrivateKey::from_seed([7; 32])
}

/// A history that goes on with so many more entries, which are this writer's own.
fn grown(history: &Frontier, entries: u64, salt: u8) -> Frontier {
    let mut grown = history.clone();
    for _ in 0..entries {
        let size = grown.size();
        grown.append(crate::merkle::leaf_hash(&[&size.to_be_bytes()[..], &[salt]].concat()), |_| ());
    }
    grown
}

fn note(history: &Frontier) -> Published {
    let (size, root) = (history.size(), history.root());
    Published { size, note: checkpoint::sign(ORIGIN, size, &root, key().signing_key()) }
}

fn publisher(tree: &Arc<Tree>, history: &Frontier, holder: &Arc<dyn CheckpointHolder>) -> Publisher {
    let replay = Replay { frontier: history.clone(), ..Replay::new(ORIGIN) };
    let hold = Hold::start(Arc::clone(holder)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut node, _) = Node::open(Arc::new(MemoryLog::default()), folder.path(), ORIGIN).unwrap();
    node.tree = Arc::clone(tree);
    Publisher::new(&node, key(), hold, &replay)
}

/// Every checkpoint that anybody was shown, by its size.
#[derive(Default)]
struct Shown(BTreeMap<u64, String>);

impl Shown {
    fn see(&mut self, published: &Published) {
        let root = Checkpoint::unverified(published.note.as_bytes()).unwrap().root;
        let known = self.0.entry(published.size).or_insert_with(|| hex::encode(&root));
        assert_eq!(*known, hex::encode(&root), "two checkpoints over {} entries", published.size);
    }
}

/// How much later than the other a writer may begin, in microseconds: a few times what waking a thread takes, so that it
/// isn't the scheduler alone who says which of them wins.
const LATE_MAX_US: u64 = 200;

/// One writer's part in a race: it publishes what it begins with, and then an entry more.
fn race(
    tree: &Arc<Tree>,
    (own, held): (&Frontier, &Published),
    holder: &Arc<dyn CheckpointHolder>,
    (begin, late): (&Barrier, Duration),
) -> Option<(Frontier, Vec<Published>)> {
    let publisher = publisher(tree, own, holder);
    begin.wait();
    let begun = Instant::now();
    while begun.elapsed() < late {
        std::hint::spin_loop();
    }
    let (mut publisher, published) = publisher.begin(Some(held.clone())).ok()?;
    let first = published.borrow().clone();
    let more = grown(own, 1, 9);
    publisher.take(Told::Durable { size: more.size(), root: more.root(), waiters: Vec::new() });
    while published.borrow().size < more.size() {
        publisher.publish().unwrap();
    }
    let second = published.borrow().clone();
    Some((more, vec![first, second]))
}

fn races(holder: &Arc<dyn CheckpointHolder>, fail: impl Fn(&mut Random), count: u64, seed: u64) {
    eprintln!("seed {seed:#x}");
    let (mut random, mut shown, mut won) = (Random(seed), Shown::default(), [0_u64; 2]);
    let tree = Arc::new(Tree::temporary().unwrap());
    let mut history = grown(&Frontier::default(), 1, 0);
    let mut held = note(&history);
    assert!(matches!(holder.replace(None, &held.note), Ok(Replaced::Done)));
    for number in 0..count {
        fail(&mut random);
        let own: Vec<Frontier> = (1..=2).map(|salt| grown(&history, 1 + random.below(3), salt)).collect();
        let begin = Barrier::new(2);
        let mut late = [Duration::ZERO; 2];
        late[usize::from(random.below(2) == 1)] = Duration::from_micros(random.below(LATE_MAX_US));
        let outcomes = thread::scope(|scope| {
            let race = |(own, late)| race(&tree, (own, &held), holder, (&begin, late));
            let writers: Vec<_> = own.iter().zip(late).map(|writer| scope.spawn(move || race(writer))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
        });
        let went_on: Vec<usize> = (0..2).filter(|writer| outcomes[*writer].is_some()).collect();
        let [winner] = went_on[..] else { panic!("race {number}: {went_on:?} went on") };
        won[winner] += 1;
        let (went, published) = outcomes.into_iter().flatten().next().unwrap();
        for published in &published {
            shown.see(published);
        }
        (history, held) = (went, published[1].clone());
        assert_eq!(holder.read().unwrap().as_ref(), Some(&held.note), "what is held is what was shown last");
    }
    assert!(won.iter().all(|won| *won > count / 20), "either may win: {won:?}");
    assert!(shown.0.len() as u64 == 2 * count, "two checkpoints a race");
}

#[test]
fn of_two_writers_on_one_holder_exactly_one_goes_on() {
    let memory = Arc::new(MemoryHolder::default());
    let holder: Arc<dyn CheckpointHolder> = Arc::clone(&memory) as _;
    let fail = |random: &mut Random| match random.below(8) {
        0 => memory.fail_next(HolderFault::NotApplied),
        1 => memory.fail_next(HolderFault::UnknownAndLost),
        2 => memory.fail_next(HolderFault::UnknownAndDone),
        _ => {}
    };
    races(&holder, fail, RACES, 0x7ac3_0001);
}

/// Two handles on one file, as two processes have it.
struct InTurn([CheckpointFile; 2], AtomicUsize);

impl CheckpointHolder for InTurn {
    fn read(&self) -> Result<Option<String>, StoreError> {
        self.0[0].read()
    }

    fn replace(&self, old: Option<&str>, new: &str) -> Result<Replaced, StoreError> {
        self.0[self.1.fetch_add(1, Ordering::Relaxed) % 2].replace(old, new)
    }
}

#[test]
fn of_two_writers_on_one_file_exactly_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let files = [CheckpointFile::new(&path), CheckpointFile::new(&path)];
    let holder: Arc<dyn CheckpointHolder> = Arc::new(InTurn(files, 0.into()));
    races(&holder, |_| {}, RACES_OVER_A_FILE, 0x7ac3_0002);
}

#[test]
fn of_two_writers_of_the_same_entries_one_goes_on_as_well() {
    let holder: Arc<dyn CheckpointHolder> = Arc::new(MemoryHolder::default());
    let tree = Arc::new(Tree::temporary().unwrap());
    let history = grown(&Frontier::default(), 5, 0);
    assert!(publisher(&tree, &history, &holder).begin(None).is_ok());
    assert!(publisher(&tree, &history, &holder).begin(None).is_err(), "it holds the very same, and it is another's");
}

/// A writer that was going on, and what it published.
fn going_on(holder: &Arc<dyn CheckpointHolder>) -> (Publisher, watch::Receiver<Published>, Frontier) {
    let history = grown(&Frontier::default(), 3, 0);
    let (publisher, published) =
        publisher(&Arc::new(Tree::temporary().unwrap()), &history, holder).begin(None).unwrap();
    (publisher, published, history)
}

type Spoil = Box<dyn Fn(&MemoryHolder)>;

#[test]
fn a_holder_that_lies_or_is_behind_ends_the_writer_and_nobody_is_shown_anything() {
    let older = note(&grown(&Frontier::default(), 2, 0)).note;
    let longer = note(&grown(&Frontier::default(), 9, 1)).note;
    let cases: [(&str, Spoil); 5] = [
        ("the one over 3 entries, which was out, is held no more", Box::new(|holder| holder.forget(None))),
        ("one over 2 entries", Box::new(move |holder| holder.forget(Some(older.clone())))),
        ("one over 9 entries", Box::new(move |holder| holder.forget(Some(longer.clone())))),
        ("no checkpoint", Box::new(|holder| holder.forget(Some("anything".to_owned())))),
        // It says that it took it, and holds the one before.
        ("one over 3 entries", Box::new(|holder| holder.fail_next(HolderFault::Lie))),
    ];
    for (words, spoil) in cases {
        let memory = Arc::new(MemoryHolder::default());
        let holder: Arc<dyn CheckpointHolder> = Arc::clone(&memory) as _;
        let (mut publisher, published, history) = going_on(&holder);
        let more = grown(&history, 1, 0);
        spoil(&memory);
        publisher.take(Told::Durable { size: more.size(), root: more.root(), waiters: Vec::new() });
        let stop = publisher.publish().unwrap_err();
        assert!(matches!(&stop, Stop::Checkpoint(said) if said.contains(words)), "{words}: {stop}");
        assert_eq!(*published.borrow(), note(&history), "{words}");
    }
}

/// A sheet that waits for the publication of the last entry of a history, and where its answer comes.
fn waiting(history: &Frontier) -> (Told, oneshot::Receiver<Result<Accepted, SubmitError>>) {
    let (waiting, answer) = oneshot::channel();
    let receipt = proto::Receipt { index: history.size() - 1, ..Default::default() };
    let waiters = vec![Waiter { receipt, submission: submission(waiting) }];
    (Told::Durable { size: history.size(), root: history.root(), waiters }, answer)
}

#[test]
fn a_proof_that_cannot_be_made_takes_no_entry_back_and_stops_nobody() {
    let holder: Arc<dyn CheckpointHolder> = Arc::new(MemoryHolder::default());
    // Its tree has no hashes at all.
    let (publisher, published, history) = going_on(&holder);
    let (committed, inbox) = mpsc::channel();
    let running = thread::spawn(move || publisher.run(&inbox));
    for entries in 1..=2 {
        let more = grown(&history, entries, 0);
        let (durable, answer) = waiting(&more);
        committed.send(durable).unwrap();
        let index = more.size() - 1;
        let told = answer.blocking_recv().unwrap();
        assert!(matches!(told, Err(SubmitError::NotPublished { index: of }) if of == index), "{told:?}");
        assert_eq!(*published.borrow(), note(&more), "the checkpoint is out all the same");
    }
    drop(committed);
    running.join().unwrap().unwrap();
}

/// One that answers when it is let.
#[derive(Default)]
struct Gate {
    holder: MemoryHolder,
    shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }
}

impl CheckpointHolder for Gate {
    fn read(&self) -> Result<Option<String>, StoreError> {
        self.holder.read()
    }

    fn replace(&self, old: Option<&str>, new: &str) -> Result<Replaced, StoreError> {
        drop(self.opened.wait_while(self.shut.lock().unwrap(), |shut| *shut).unwrap());
        self.holder.replace(old, new)
    }
}

#[test]
fn a_holder_that_hangs_holds_up_only_those_who_wait_for_it() {
    let gate = Arc::new(Gate::default());
    let holder: Arc<dyn CheckpointHolder> = Arc::clone(&gate) as _;
    let (publisher, mut published, history) = going_on(&holder);
    gate.set(true);
    let (committed, inbox) = mpsc::channel();
    let running = thread::spawn(move || publisher.run(&inbox));
    let submit = |history: &Frontier| {
        let (durable, answer) = waiting(history);
        committed.send(durable).unwrap();
        answer
    };
    let (fourth, sixth) = (grown(&history, 1, 0), grown(&history, 3, 0));
    let answer = submit(&fourth);
    assert!(matches!(answer.blocking_recv().unwrap(), Err(SubmitError::NotPublished { index: 3 })));
    // Whoever comes meanwhile hears the same, and nothing is signed that could contradict the one that hangs.
    let answer = submit(&sixth);
    assert!(matches!(answer.blocking_recv().unwrap(), Err(SubmitError::NotPublished { index: 5 })));
    assert_eq!(*published.borrow_and_update(), note(&history));
    gate.set(false);
    while published.borrow().size < sixth.size() {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!((*published.borrow()).clone(), note(&sixth));
    assert_eq!(gate.read().unwrap(), Some(note(&sixth).note));
    // One that never answers again doesn't keep the writer from ending.
    gate.set(true);
    let answer = submit(&grown(&history, 4, 0));
    drop(committed);
    assert!(matches!(answer.blocking_recv().unwrap(), Err(SubmitError::NotPublished { index: 6 })));
    running.join().unwrap().unwrap();
    gate.set(false);
}
