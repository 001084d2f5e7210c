//! What the state has put away is still judged by, seen and answered: ids of sheets, and what became of records.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests stop at the first surprise")]

mod support;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use support::{ALICE, BOB, DAY, HOUR, Ledger, ORIGIN, START, at, correct, record, reverse, service, transfer};
use timebank::{
    engine::{
        clock::{Clock, TimeSource},
        projection::Projection,
        sequencer::{self, Accepted, Sequencer, SequencerParts, SubmitError, Threads},
        store::{CheckpointFile, Commit, LogStore, MemoryStore, StoreError, StoredEntry},
    },
    format::{
        checkpoint::{self, VerifierKey},
        proto, wire,
    },
    ledger::{EventRef, LogIndex, Millis},
    merkle::{self, Hash},
};

/// A clock that shows what it is set to.
#[derive(Clone, Default)]
struct Set(Arc<AtomicI64>);

impl TimeSource for Set {
    fn wall(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }
}

/// A log on a disk that somebody can hold up.
#[derive(Default)]
struct SlowStore {
    log: MemoryStore,
    disk: tokio::sync::Mutex<()>,
}

impl LogStore for SlowStore {
    fn size(&self) -> u64 {
        self.log.size()
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let _free = self.disk.blocking_lock();
        self.log.commit(commit)
    }

    fn entry(&self, index: u64) -> Result<Option<StoredEntry>, StoreError> {
        self.log.entry(index)
    }

    fn entries(&self, from: u64, bytes_max: usize) -> Result<Vec<StoredEntry>, StoreError> {
        self.log.entries(from, bytes_max)
    }

    fn tree_hash(&self, number: u64) -> Result<Option<Hash>, StoreError> {
        self.log.tree_hash(number)
    }

    fn last_root(&self) -> Result<Option<Hash>, StoreError> {
        self.log.last_root()
    }
}

/// A service without its edge, and a ledger in memory that signs for it and takes the same sheets.
struct Service {
    ledger: Ledger,
    clock: Set,
    store: Arc<SlowStore>,
    projection: Arc<Projection>,
    sequencer: Sequencer,
    threads: Threads,
}

impl Service {
    /// Goes on with a log, from what a folder has.
    fn start(folder: &Path, ledger: Ledger, store: Arc<SlowStore>) -> Self {
        let clock = Set(Arc::new(ledger.now.into()));
        let (projection, replay) = Projection::open(&folder.join("projections"), ORIGIN, store.size()).unwrap();
        assert_eq!(replay.state.size(), store.size(), "a snapshot was saved at the end");
        let projection = Arc::new(projection);
        let (sequencer, threads) = sequencer::start(SequencerParts {
            store: store.clone(),
            projection: Arc::clone(&projection),
            replay,
            clock: Clock::start(Box::new(clock.clone()), None, None).unwrap(),
            ledger_key: support::key(99),
            checkpoint_file: CheckpointFile::new(folder.join("checkpoint")),
            checkpoint: None,
        })
        .unwrap();
        Self { ledger, clock, store, projection, sequencer, threads }
    }

    fn stop(self) -> (Ledger, Arc<SlowStore>) {
        let Self { ledger, store, sequencer, threads, .. } = self;
        drop(sequencer);
        threads.join();
        (ledger, store)
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

    /// Alice gives Bob a minute and gets it back, in as many sheets.
    async fn give(&mut self, sheets: usize) -> Vec<(proto::Sheet, proto::Receipt)> {
        let (alice, bob) = (self.ledger.alice.clone(), self.ledger.bob.clone());
        let mut taken = Vec::new();
        for number in 0..sheets {
            let (key, given) =
                if number % 2 == 0 { (&alice, transfer(ALICE, BOB, 1)) } else { (&bob, transfer(BOB, ALICE, 1)) };
            let sheet = self.ledger.sheet(&[key], vec![given]);
            let receipt = self.take(&sheet).await.receipt;
            taken.push((sheet, receipt));
        }
        taken
    }

    async fn refusal(&self, sheet: &proto::Sheet) -> &'static str {
        match self.sequencer.submit(sheet.clone(), false).await {
            Err(SubmitError::Refused(refusal)) => refusal.rejection.code(),
            other => panic!("{other:?}"),
        }
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

/// The same sheet again: the receipt that it got, and where it is wanted a proof that it is in the log.
async fn check_again(service: &Service, taken: &[(proto::Sheet, proto::Receipt)]) {
    for (sheet, receipt) in taken {
        let again = service.sequencer.submit(sheet.clone(), false).await.unwrap();
        assert_eq!((&again.receipt, again.publication.is_none()), (receipt, true));
    }
    let (sheet, receipt) = &taken[0];
    let again = service.sequencer.submit(sheet.clone(), true).await.unwrap();
    assert_eq!(&again.receipt, receipt);
    let publication = again.publication.unwrap();
    let key = VerifierKey::new(ORIGIN, support::key(99).public_key()).unwrap();
    let checkpoint = checkpoint::open(publication.checkpoint.as_bytes(), &key, ORIGIN).unwrap();
    let entry = service.store.entry(receipt.index).unwrap().unwrap();
    let leaf = entry.leaf();
    let proof: Vec<Hash> = publication.inclusion_proof.iter().map(|hash| hash.as_ref().try_into().unwrap()).collect();
    let hash = merkle::leaf_hash(&leaf);
    assert!(
        merkle::verify_inclusion(&hash, receipt.index, checkpoint.size, &proof, &checkpoint.root_hash().unwrap())
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_that_comes_again_after_years_gets_its_receipt_and_its_id_is_used() {
    let place = tempfile::tempdir().unwrap();
    let mut service = begun(place.path()).await;
    let taken = service.give(100).await;
    check_again(&service, &taken).await;
    // Three years, a few sheets a year: their ids run out, and are put away.
    for _ in 0..3 {
        service.pass(365 * DAY);
        service.give(10).await;
    }
    assert!(service.ledger.replay.state.put_away().sheets >= 96, "{:?}", service.ledger.replay.state.put_away());
    assert!(service.projection.put_away().has_sheets());
    check_again(&service, &taken).await;
    let unsigned = |sheet: &proto::Sheet| {
        let mut sheet = sheet.clone();
        sheet.signatures = vec![vec![7; 64].into()];
        sheet
    };
    let signed = |service: &mut Service, id: &proto::Sheet, valid_until: i64, minutes| {
        let (alice, sheet_id) = (service.ledger.alice.clone(), wire::decode(id).unwrap().sheet.sheet_id);
        let (issued_at, valid_until) = (Millis(valid_until - DAY), Millis(valid_until));
        let events = vec![transfer(ALICE, BOB, minutes)];
        wire::sign(wire::Draft { origin: ORIGIN, sheet_id, issued_at, valid_until, events }, &[&alice]).unwrap()
    };
    let (first, _) = &taken[0];
    let fresh = service.ledger.sheet(&[&service.ledger.alice.clone()], vec![transfer(ALICE, BOB, 1)]);
    let now = service.ledger.now;
    for (sheet, code) in [
        (unsigned(first), "SignatureInvalid"),
        // The same id, with other bytes: whether it is past its validity or not, and whatever it says.
        (signed(&mut service, first, START + 2 * DAY, 2), "SheetExistsWithDifferentBytes"),
        (signed(&mut service, first, now + DAY, 1), "SheetExistsWithDifferentBytes"),
        // Nobody's id yet.
        (signed(&mut service, &fresh, START + 2 * DAY, 1), "SheetExpired"),
    ] {
        assert_eq!(service.refusal(&sheet).await, code);
        assert_eq!(service.ledger.submit(&sheet).unwrap_err().rejection.code(), code);
    }
    // Another's sheet may have the id.
    service.give(1).await;
    let bob = service.ledger.bob.clone();
    let sheet_id = wire::decode(first).unwrap().sheet.sheet_id;
    let (issued_at, valid_until, events) = (Millis(now), Millis(now + DAY), vec![transfer(BOB, ALICE, 1)]);
    let draft = wire::Draft { origin: ORIGIN, sheet_id, issued_at, valid_until, events };
    service.take(&wire::sign(draft, &[&bob]).unwrap()).await;
    // It all comes back after a restart.
    let (ledger, store) = service.stop();
    let mut service = Service::start(place.path(), ledger, store);
    check_again(&service, &taken).await;
    service.give(40).await;
    check_again(&service, &taken).await;
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_never_sees_a_sheet_that_was_put_away() {
    let place = tempfile::tempdir().unwrap();
    let mut service = begun(place.path()).await;
    let taken = service.give(40).await;
    service.pass(400 * DAY);
    service.give(2).await;
    let store = service.store.clone();
    let fresh = service.ledger.sheet(&[&service.ledger.alice.clone()], vec![transfer(ALICE, BOB, 1)]);
    let mut published = service.sequencer.published();
    published.wait_for(|published| published.size == store.size()).await.unwrap();
    let held_up = store.disk.lock().await;
    let mut under_way = Box::pin(service.sequencer.submit(fresh, false));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut under_way).await.is_err(), "the disk is held up");
    for (sheet, receipt) in &taken[24..] {
        let again = service.sequencer.submit(sheet.clone(), true).await.unwrap();
        assert_eq!((&again.receipt, again.publication.is_some()), (receipt, true));
    }
    drop(held_up);
    under_way.await.unwrap();
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_record_is_seen_and_judged_by_after_it_was_put_away() {
    let place = tempfile::tempdir().unwrap();
    let mut service = begun(place.path()).await;
    let staff = service.ledger.staff.clone();
    let half_hour = |day: i64, minutes| service_of(START - 40 * DAY + day * DAY, minutes);
    let mut records = Vec::new();
    for day in 0..40 {
        let sheet = service.ledger.sheet(&[&staff], vec![record(half_hour(day, 30))]);
        records.push(service.take(&sheet).await.receipt.index);
    }
    let place_of = |index: u64| EventRef { index: LogIndex(index), event: 0 };
    // All are corrected: then the first that were are put away, and some are corrected or taken back once more.
    for (day, index) in (0..).zip(&records) {
        let sheet = service.ledger.sheet(&[&staff], vec![correct(at(*index, 0), half_hour(day, 40))]);
        service.take(&sheet).await;
    }
    let before = service.projection.shown().version().clone();
    assert!(service.ledger.replay.state.put_away().notes >= 16);
    assert!(before.records().get(&place_of(records[0])).is_none(), "it was put away");
    let corrected = service.projection.note(&before, place_of(records[0])).unwrap().unwrap();
    assert_eq!((corrected.latest.index.0, corrected.reversed), (records[39] + 1, false));
    let sheet = service.ledger.sheet(&[&staff], vec![correct(at(records[0], 0), half_hour(0, 50))]);
    let again = service.take(&sheet).await.receipt.index;
    let sheet = service.ledger.sheet(&[&staff], vec![reverse(at(records[1], 0))]);
    service.take(&sheet).await;
    assert_eq!(service.ledger.balance(ALICE), 480 + 38 * 40 + 50);
    // A second round puts these away as well.
    for (day, index) in (2..).zip(&records[2..]) {
        let sheet = service.ledger.sheet(&[&staff], vec![correct(at(*index, 0), half_hour(day, 45))]);
        service.take(&sheet).await;
    }
    let after = service.projection.shown().version().clone();
    let (first, second) = (place_of(records[0]), place_of(records[1]));
    assert!(after.records().get(&first).is_none() && after.records().get(&second).is_none());
    let seen = |version, record| service.projection.note(version, record).unwrap().unwrap();
    assert_eq!((seen(&after, first).latest.index.0, seen(&after, second).reversed), (again, true));
    // Who holds an older version sees what it has.
    assert_eq!(seen(&before, first), corrected);
    assert!(!seen(&before, second).reversed);
    let sheet = service.ledger.sheet(&[&staff], vec![reverse(at(records[1], 0))]);
    assert_eq!(service.refusal(&sheet).await, "RecordReversed");
    let (ledger, store) = service.stop();
    let mut service = Service::start(place.path(), ledger, store);
    assert_eq!(service.refusal(&sheet).await, "RecordReversed");
    let sheet = service.ledger.sheet(&[&staff], vec![reverse(at(records[0], 0))]);
    service.take(&sheet).await;
    assert_eq!(service.ledger.balance(ALICE), 480 + 38 * 45);
    service.stop();
}

fn service_of(start: i64, minutes: i64) -> proto::Service {
    service(ALICE, start + HOUR, minutes)
}
