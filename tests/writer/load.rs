//! Snapshots and digests that are made while sheets come from all sides are each of one entry.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use timebank::{
    engine::{
        log::{Log, StoredEntry},
        past::LogPast,
        pipeline::{self, KnownKeys},
        projection::{Projection, digest::AccountDigest},
        replay::Replay,
    },
    format::proto,
};

use crate::{
    Service, begun,
    support::{self, ALICE, BOB, CLARA, DAY, HOUR, Ledger, ORIGIN, Random, START, correct, record, service, transfer},
};

/// Sheets that each of the senders sends, one after another.
const SHEETS: u64 = 700;
const SENDERS: u64 = 4;

/// Gifts all round, services and corrections: enough of each that notes are put away.
fn sheets(ledger: &mut Ledger) -> Vec<Vec<proto::Sheet>> {
    let keys = [ledger.alice.clone(), ledger.bob.clone(), ledger.staff.clone()];
    let people = [ALICE, BOB];
    let mut random = Random(0x10ad);
    let mut below = |count: i64| random.signed(count);
    let mut sheet = |sender: u64, number: u64| {
        let which = usize::try_from(below(2)).unwrap();
        let to = if below(8) == 0 { CLARA } else { people[1 - which] };
        let given = vec![transfer(people[which], to, 1)];
        let (key, events) = match below(4) {
            0 => {
                let start = START - 360 * DAY + i64::try_from(number / 2).unwrap() * DAY;
                let start = start + i64::try_from(sender + number % 2 * SENDERS).unwrap() * HOUR;
                let (short, long) = (service(BOB, start, 20), service(BOB, start, 30));
                // The second event corrects the first, which it names within the sheet.
                (&keys[2], vec![record(short), correct(support::at(0, 0), long)])
            }
            _ => (&keys[which], given),
        };
        ledger.sheet(&[key], events)
    };
    (0..SENDERS).map(|sender| (0..SHEETS).map(|number| sheet(sender, number)).collect()).collect()
}

/// Every account's digest, by the entry that it was asked for as of.
type Digests = BTreeMap<u64, Vec<AccountDigest>>;

/// What stands in a folder just now: first the snapshot, then what it counts, which only ever grows.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    fs::copy(from.join("snapshot"), to.join("snapshot"))?;
    for file in fs::read_dir(from)? {
        let file = file?;
        if file.file_name() != "snapshot" {
            fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}

/// The same log replayed into a folder, from what it holds on.
struct Recomputed<'a> {
    store: &'a dyn Log,
    replay: Replay,
    projection: Projection,
    _folder: tempfile::TempDir,
}

impl<'a> Recomputed<'a> {
    fn of(store: &'a dyn Log, folder: tempfile::TempDir) -> Self {
        let (projection, replay) = Projection::open(folder.path(), ORIGIN, store.size()).unwrap();
        Self { store, replay, projection, _folder: folder }
    }

    /// The next entry.
    fn apply(&mut self, entries: &[StoredEntry]) {
        let entry = entries[usize::try_from(self.replay.state.size()).unwrap()].clone();
        let prepared = pipeline::prepare(vec![entry], &mut KnownKeys::of(self.replay.state.version())).remove(0);
        let mut past = LogPast { log: self.store, put_away: self.projection.put_away() };
        let replayed = pipeline::replay(&mut self.replay, prepared, &mut past, |_| ()).unwrap();
        let (version, root) = (self.replay.state.version().clone(), self.replay.frontier.root());
        self.projection.apply(&[replayed.committed()], version, root).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn snapshots_and_digests_under_load_are_each_of_one_entry() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("projections");
    let mut service = begun(place.path()).await;
    let sheets = sheets(&mut service.ledger);
    let mut senders = Vec::new();
    for own in sheets {
        let sequencer = service.sequencer.clone();
        senders.push(tokio::spawn(async move {
            for sheet in own {
                // A gift of more than there is is refused, and changes nothing.
                let _refused = sequencer.submit(sheet, false).await;
            }
        }));
    }
    let sent = AtomicBool::default();
    let (mut digests, mut copies) = (Digests::new(), Vec::new());
    std::thread::scope(|scope| {
        let (digests, copies, sent, folder) = (&mut digests, &mut copies, &sent, &folder);
        let projection = &service.projection;
        scope.spawn(move || {
            while !sent.load(Ordering::Relaxed) {
                let at = projection.shown().reflected_index();
                digests.insert(at, projection.account_digests(at).unwrap());
            }
        });
        scope.spawn(move || {
            let mut taken = 0;
            while !sent.load(Ordering::Relaxed) {
                let size = projection.snapshot_size();
                if size > taken {
                    let copied = tempfile::tempdir().unwrap();
                    // A run may be merged away meanwhile: then the next snapshot has to do.
                    if copy(folder, copied.path()).is_ok() {
                        copies.push(copied);
                        taken = size;
                    }
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for sender in senders {
                    sender.await.unwrap();
                }
            });
        });
        sent.store(true, Ordering::Relaxed);
    });
    check(service, &digests, copies);
}

fn check(service: Service, digests: &Digests, copies: Vec<tempfile::TempDir>) {
    let (_, store) = service.stop();
    assert!(digests.len() > 10 && copies.len() > 2, "{} digests, {} snapshots", digests.len(), copies.len());
    // What each copy holds, by the entry that it says it stands at.
    let mut saved: BTreeMap<u64, Vec<Recomputed<'_>>> = BTreeMap::new();
    for folder in copies {
        let opened = Recomputed::of(store.as_ref(), folder);
        assert!(opened.replay.state.size() > 0, "the copy of a snapshot is sound");
        saved.entry(opened.replay.state.size()).or_default().push(opened);
    }
    let mut recomputed = Recomputed::of(store.as_ref(), tempfile::tempdir().unwrap());
    let entries = store.entries(0, usize::MAX).unwrap();
    for index in 0..store.size() {
        recomputed.apply(&entries);
        let rows = |projection: &Projection| projection.account_digests(index).unwrap();
        if let Some(digest) = digests.get(&index) {
            assert!(*digest == rows(&recomputed.projection), "the digest of entry {index}");
        }
        for saved in saved.get(&(index + 1)).into_iter().flatten() {
            assert!(saved.replay.state == recomputed.replay.state, "the state that was saved after entry {index}");
            assert_eq!(saved.replay.frontier.root(), recomputed.replay.frontier.root());
            assert!(rows(&saved.projection) == rows(&recomputed.projection), "the rows that were saved after {index}");
        }
    }
    assert!(recomputed.replay.state.put_away().notes > 0, "notes were put away meanwhile");
    // And some go on to the end from where they stand.
    for mut saved in saved.into_values().flatten().take(3) {
        while saved.replay.state.size() < store.size() {
            saved.apply(&entries);
        }
        assert!(saved.replay.state == recomputed.replay.state);
        assert_eq!(saved.projection.first_difference(&recomputed.projection).unwrap(), None);
    }
}
