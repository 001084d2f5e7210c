//! How a ledger of many accounts does on this machine: how fast it grows, how long it ever stalls, what an account costs in
//! memory, how long a start takes.
//!
//! It is the service itself that is measured, from decoded sheets to the synced log, without the network. Accounts, keys
//! and records follow from their numbers, so that a folder can be grown on.

use std::{
    collections::VecDeque,
    ops::Range,
    path::Path,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{Ledger, OpenError, OpenOptions, open};
use crate::{
    engine::{
        key_file::{KeyFile, KeyFileError},
        now,
        sequencer::{Accepted, SubmitError},
    },
    format::{
        proto::{self, event::Kind},
        signature::PrivateKey,
        wire,
    },
    ledger::{Millis, SheetId},
};

/// Residents of a station: 37.41 million registered volunteers at 300,000 service points.
const RESIDENTS_OF_STATION: u64 = 125;
/// Events of a sheet: as many as one may have.
const SHEET_EVENTS: u64 = 1_000;
/// Records of a sheet: they are larger, and a sheet has at most 256 KiB.
const SHEET_RECORDS: u64 = 800;
/// Days with a record: as many as the rules look at when a volunteer's next one comes.
pub const RECORD_DAYS: i64 = 3;
/// Sheets under way: two commits of the largest size.
const UNDER_WAY: usize = 20;
/// How long a sheet may be recorded.
const VALIDITY_MS: i64 = 3_600_000;
/// Milliseconds of a day, and of an hour.
const DAY_MS: i64 = 24 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;
/// Code of the one region.
const REGION: &str = "bench";

/// Shares of the accounts, from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    /// Of residents with a key of their own.
    pub keys: f64,
    /// Of residents who served an hour on each of the last [`RECORD_DAYS`] days.
    pub records: f64,
}

/// How growing went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Growth {
    /// Residents' accounts opened.
    pub opened: u64,
    /// From the first of their sheets to the last one's receipt, making and signing them included.
    pub took: Duration,
    /// The longest time for which sheets of any kind waited and none was answered.
    pub longest_stall: Duration,
    /// What the process held at the end, itself, its sheets and all caches included; none where the system doesn't tell.
    pub resident_bytes: Option<u64>,
}

/// What a start from the snapshot took.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Until the ledger could be served.
    pub took: Duration,
    /// What the process held then; none where the system doesn't tell.
    pub resident_bytes: Option<u64>,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The folder can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The operator's key isn't there.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A sheet was not recorded.
    #[error("a sheet was not recorded: {0}")]
    Submit(#[from] SubmitError),
    /// A sheet can't be signed.
    #[error("no randomness for a signature: {0}")]
    Random(#[from] getrandom::Error),
    /// It was asked to end.
    #[error("interrupted")]
    Interrupted,
}

/// Grows a ledger in a folder by the accounts of these numbers, making it where there is none, and saves its state.
/// `opened` is told how many are there, and says whether to go on.
///
/// # Errors
/// [`BenchError`].
pub fn grow(
    folder: &Path,
    numbers: Range<u64>,
    shares: Shares,
    opened: &mut dyn FnMut(u64) -> bool,
) -> Result<Growth, BenchError> {
    let (ledger, _) = open(&options(folder))?;
    let grown = fill(&ledger, folder, numbers, shares, opened);
    // Whatever came of it: what is under way is written before the folder may go.
    let Ledger { sequencer, threads, .. } = ledger;
    sequencer.close();
    drop(sequencer);
    threads.join();
    grown
}

fn fill(
    ledger: &Ledger,
    folder: &Path,
    numbers: Range<u64>,
    shares: Shares,
    opened: &mut dyn FnMut(u64) -> bool,
) -> Result<Growth, BenchError> {
    let operator = KeyFile::read(&folder.join("operator.key"))?;
    let author = Author { origin: operator.origin, key: operator.key };
    let (mut growth, count) = (Growth::default(), numbers.end - numbers.start);
    let stations = numbers.start.div_ceil(RESIDENTS_OF_STATION)..numbers.end.div_ceil(RESIDENTS_OF_STATION);
    let region = (numbers.start == 0)
        .then(|| Kind::RegionDefined(proto::RegionDefined { code: REGION.to_owned(), ..Default::default() }));
    let places = region.into_iter().chain(stations.map(open_station));
    feed(ledger, &author, SHEET_EVENTS, places, &mut growth, &mut |_| opened(0))?;
    let begun = now::monotonic();
    feed(ledger, &author, SHEET_EVENTS, numbers.clone().map(open_resident), &mut growth, opened)?;
    (growth.took, growth.opened) = (begun.elapsed(), count);
    let origin = author.origin.clone();
    let keys =
        numbers.clone().filter(|number| is_chosen(*number, shares.keys)).map(move |number| enrol(&origin, number));
    feed(ledger, &author, SHEET_EVENTS, keys, &mut growth, &mut |_| opened(count))?;
    let today = now::wall().as_millisecond().div_euclid(DAY_MS) * DAY_MS;
    for day in (1..=RECORD_DAYS).rev().map(|ago| today - ago * DAY_MS) {
        let serving = numbers.clone().filter(|number| is_chosen(*number, shares.records));
        let records = serving.map(|number| record(number, day));
        feed(ledger, &author, SHEET_RECORDS, records, &mut growth, &mut |_| opened(count))?;
    }
    growth.resident_bytes = resident_bytes();
    Ok(growth)
}

/// Starts a ledger that was grown.
///
/// # Errors
/// [`OpenError`].
pub fn start(folder: &Path) -> Result<Start, OpenError> {
    let begun = now::monotonic();
    let opened = open(&options(folder))?;
    let start = Start { took: begun.elapsed(), resident_bytes: resident_bytes() };
    drop(opened);
    Ok(start)
}

fn options(folder: &Path) -> OpenOptions {
    OpenOptions {
        folder: folder.to_owned(),
        origin: None,
        policy: None,
        predecessor: None,
        accept_clock: None,
        witnesses: None,
    }
}

/// What this process holds of the machine's memory, as Linux counts it.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib: u64 =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1_024)
}

/// Spreads a share evenly over the numbers.
fn is_chosen(number: u64, share: f64) -> bool {
    #[allow(clippy::cast_precision_loss, reason = "accounts are far fewer than 2^52")]
    let (before, after) = (number as f64 * share, (number + 1) as f64 * share);
    before.floor() < after.floor()
}

/// The operator, who may do all of it.
struct Author {
    origin: String,
    key: PrivateKey,
}

impl Author {
    fn sheet(&self, events: Vec<Kind>) -> Result<proto::Sheet, getrandom::Error> {
        let now = now::wall().as_millisecond();
        let draft = wire::Draft {
            origin: &self.origin,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: Millis(now),
            valid_until: Millis(now + VALIDITY_MS),
            events,
        };
        wire::sign(draft, &[&self.key])
    }
}

type Answer = oneshot::Receiver<Result<Accepted, SubmitError>>;

/// Has events recorded, `size` a sheet, some sheets at a time. `recorded` is told how many events are.
fn feed(
    ledger: &Ledger,
    author: &Author,
    size: u64,
    events: impl Iterator<Item = Kind> + Send,
    growth: &mut Growth,
    recorded: &mut dyn FnMut(u64) -> bool,
) -> Result<(), BenchError> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let (made, mut sheets) = mpsc::channel(UNDER_WAY);
    let runtime = tokio::runtime::Handle::current();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut events = events.peekable();
            while events.peek().is_some() {
                let sheet: Vec<Kind> = events.by_ref().take(size).collect();
                let count = sheet.len() as u64;
                if made.blocking_send(author.sheet(sheet).map(|sheet| (sheet, count))).is_err() {
                    return;
                }
            }
        });
        // It takes the receiving end with it: who makes sheets has to hear when no more are wanted.
        runtime.block_on(async move {
            let (mut under_way, mut done): (VecDeque<(Answer, Instant, u64)>, u64) = (VecDeque::new(), 0);
            let mut last = now::monotonic();
            loop {
                let next = if under_way.len() < UNDER_WAY { sheets.recv().await } else { None };
                if let Some(sheet) = next {
                    let (sheet, count) = sheet?;
                    under_way.push_back((ledger.sequencer.feed(sheet, false).await?, now::monotonic(), count));
                    continue;
                }
                let Some((answer, fed, count)) = under_way.pop_front() else { return Ok(()) };
                answer.await.unwrap_or(Err(SubmitError::ShuttingDown))?;
                let now = now::monotonic();
                growth.longest_stall = growth.longest_stall.max(now - last.max(fed));
                last = now;
                done += count;
                if !recorded(done) {
                    return Err(BenchError::Interrupted);
                }
            }
        })
    })
}

/// An id that follows from a kind of thing and its number.
fn id(of: u8, number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    fastrand::Rng::with_seed((u64::from(of) << 56) ^ number).fill(&mut id);
    id
}

fn station(number: u64) -> bytes::Bytes {
    id(1, number).to_vec().into()
}

fn resident(number: u64) -> bytes::Bytes {
    id(2, number).to_vec().into()
}

fn open_station(number: u64) -> Kind {
    Kind::AccountOpened(proto::AccountOpened {
        account: station(number),
        kind: i32::from(proto::AccountKind::Station),
        region: REGION.to_owned(),
        station: bytes::Bytes::new(),
    })
}

fn open_resident(number: u64) -> Kind {
    Kind::AccountOpened(proto::AccountOpened {
        account: resident(number),
        kind: i32::from(proto::AccountKind::Resident),
        region: String::new(),
        station: station(number / RESIDENTS_OF_STATION),
    })
}

fn enrol(origin: &str, number: u64) -> Kind {
    let mut seed = [0; 32];
    fastrand::Rng::with_seed(number).fill(&mut seed);
    let key = PrivateKey::from_seed(seed);
    Kind::KeyEnrolled(proto::KeyEnrolled {
        public_key: key.public_key().to_vec().into(),
        possession: key.prove_possession(origin).to_vec().into(),
        role: i32::from(proto::KeyRole::Resident),
        account: resident(number),
        own_account: bytes::Bytes::new(),
    })
}

/// An hour of help at eight in the morning of a day.
fn record(number: u64, day: i64) -> Kind {
    let (start_ms, end_ms) = (day + 8 * HOUR_MS, day + 9 * HOUR_MS);
    let service = proto::Service {
        volunteer: resident(number),
        station: station(number / RESIDENTS_OF_STATION),
        category: "visit".to_owned(),
        served: Some(proto::service::Served::Interval(proto::Interval { start_ms, end_ms })),
        credited_minutes: 60,
        ..proto::Service::default()
    };
    Kind::ServiceRecorded(proto::ServiceRecorded { service: Some(service), hold: None })
}
