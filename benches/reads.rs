//! How long a look at a balance takes while somebody else pages histories, warm and cold, beside the same look alone.
//!
//! `cargo bench --bench reads`, or `-- --quick` for a short look. Client and server share the machine: what the pages cost
//! of the cores is in the numbers. Cold pages come from the disk: the temporary folder has to be on one.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at the first surprise and prints a table")]

#[path = "machine/server.rs"]
mod machine;

use std::{
    fs::File,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use machine::{Client, bytes, connect, disk_of};
use rustix::fs::{Advice, fadvise, fdatasync};
use timebank::{
    engine::key_file::KeyFile,
    folder,
    format::{
        proto::{self, event::Kind},
        signature::{self, PrivateKey},
        wire,
    },
    ledger::{Millis, SheetId},
    server,
};
use tokio::{net::TcpListener, sync::oneshot};
use tokio_stream::StreamExt;

/// Accounts that get minutes in turn: each one's rows stand that far apart in the file, so that a page of them touches
/// as many pages of the disk as it has rows.
const ACCOUNTS: usize = 200;
/// Events of a sheet: one for each account.
const SHEET_EVENTS: usize = ACCOUNTS;
/// Balances asked for at a time, over one connection.
const BALANCES_IN_FLIGHT: usize = 4;
/// Pages of history asked for at a time, over each of their connections.
const PAGES_IN_FLIGHT: usize = 4;
/// Connections that ask for pages. The server hands connections to its threads in turn: more of them than there are
/// cores are beside the reader of balances on every thread.
const PAGE_CONNECTIONS: usize = 4;
/// Rows of a page: the most that are given.
const PAGE_ROWS: u32 = 200;
/// How often the page cache is dropped: a page of 200 rows takes longer to come from the disk.
const DROP_EVERY: Duration = Duration::from_millis(2);

/// How much of everything.
#[derive(Clone, Copy)]
struct Scale {
    postings: usize,
    measured: Duration,
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let scale = if quick {
        Scale { postings: 40_000, measured: Duration::from_secs(3) }
    } else {
        Scale { postings: 200_000, measured: Duration::from_secs(15) }
    };
    let folder = tempfile::tempdir().unwrap();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!("client and server on {cores} cores, {}", disk_of(folder.path()));
    let (address, stop, serving) = serve(folder.path());
    let accounts = runtime().block_on(fill(address, folder.path(), scale.postings));
    println!("{} postings, {} of each of {ACCOUNTS} accounts", scale.postings, scale.postings / ACCOUNTS);

    let alone = Measured::take(address, &accounts, scale.measured);
    report("balance alone", &alone, None, &alone);
    let pager = Pager::start(address, &accounts);
    // Until the page cache has what there is.
    std::thread::sleep(scale.measured / 3);
    let warm = pager.beside(|| Measured::take(address, &accounts, scale.measured));
    report("balance beside warm pages", &warm.0, Some(&warm.1), &alone);
    let dropping = Dropping::start(folder.path());
    let cold = pager.beside(|| Measured::take(address, &accounts, scale.measured));
    report("balance beside cold pages", &cold.0, Some(&cold.1), &alone);
    dropping.stop();
    pager.stop();
    stop.send(()).unwrap();
    serving.join().unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A server on a thread of its own.
fn serve(folder: &Path) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let options = machine::new_in(folder);
    let (ledger, _) = folder::open(&options).unwrap();
    let (address, bound) = std::sync::mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = std::thread::spawn(move || {
        runtime().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            address.send(listener.local_addr().unwrap()).unwrap();
            let shutdown = async move {
                // Dropped at the end of the bench at the latest.
                let _dropped = stopped.await;
            };
            server::run(listener, ledger, || (), shutdown).await.unwrap();
        });
    });
    (bound.recv().unwrap(), stop, serving)
}

/// Gives minutes of a station to accounts in turn, and says to which.
async fn fill(address: SocketAddr, folder: &Path, postings: usize) -> Arc<[bytes::Bytes]> {
    let mut client = connect(address).await;
    let operator = KeyFile::read(&folder.join("operator.key")).unwrap();
    let sheet = |events: Vec<Kind>| {
        let now = jiff::Timestamp::now().as_millisecond();
        let draft = wire::Draft {
            origin: &operator.origin,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: Millis(now),
            valid_until: Millis(now + 3_600_000),
            events,
        };
        wire::sign(draft, &[&operator.key]).unwrap()
    };
    let (station, staff) = (bytes(&signature::random::<16>()), PrivateKey::generate());
    let accounts: Arc<[bytes::Bytes]> = (0..ACCOUNTS).map(|_| bytes(&signature::random::<16>())).collect();
    let open = |account: &bytes::Bytes, kind: proto::AccountKind, region: &str, station: bytes::Bytes| {
        let (account, kind, region) = (account.clone(), i32::from(kind), region.to_owned());
        Kind::AccountOpened(proto::AccountOpened { account, kind, region, station })
    };
    let mut events = vec![
        Kind::RegionDefined(proto::RegionDefined { code: "bench".to_owned(), parent: String::new() }),
        open(&station, proto::AccountKind::Station, "bench", bytes::Bytes::new()),
        Kind::FloorSet(proto::FloorSet { account: station.clone(), floor_minutes: -1_000_000_000 }),
        Kind::KeyEnrolled(proto::KeyEnrolled {
            public_key: bytes(&staff.public_key()),
            possession: bytes(&staff.prove_possession(&operator.origin)),
            role: i32::from(proto::KeyRole::Staff),
            account: station.clone(),
            own_account: bytes::Bytes::new(),
        }),
    ];
    events.extend(accounts.iter().map(|id| open(id, proto::AccountKind::Resident, "", station.clone())));
    client.submit(proto::SubmitRequest { sheet: Some(sheet(events)), until: 0 }).await.unwrap();

    let sheets: Vec<proto::Sheet> = (0..postings / SHEET_EVENTS)
        .map(|_| {
            let transfer = |to: &bytes::Bytes| {
                let (from, to) = (station.clone(), to.clone());
                Kind::MinutesTransferred(proto::MinutesTransferred { from, to, minutes: 1 })
            };
            sheet(accounts.iter().map(transfer).collect())
        })
        .collect();
    let requests = tokio_stream::iter(sheets).map(|sheet| proto::SubmitStreamRequest { sheet: Some(sheet), until: 1 });
    let mut answers = client.submit_stream(requests).await.unwrap().into_inner();
    while let Some(answer) = answers.message().await.unwrap() {
        let outcome = answer.result.unwrap().outcome.unwrap();
        assert!(matches!(outcome, proto::submit_result::Outcome::Accepted(_)), "{outcome:?}");
    }
    accounts
}

/// Delays of balances, ascending, and for how long they were taken.
struct Measured {
    delays: Vec<Duration>,
    took: Duration,
}

impl Measured {
    /// Asks for balances in a closed loop over one connection.
    fn take(address: SocketAddr, accounts: &Arc<[bytes::Bytes]>, measured: Duration) -> Self {
        runtime().block_on(async move {
            let client = connect(address).await;
            let begun = Instant::now();
            let callers = (0..BALANCES_IN_FLIGHT).map(|caller| {
                let (mut client, accounts) = (client.clone(), Arc::clone(accounts));
                tokio::spawn(async move {
                    let mut delays = Vec::new();
                    let mut number = caller;
                    while begun.elapsed() < measured {
                        let account = accounts[number % ACCOUNTS].clone();
                        let request = proto::GetBalanceRequest { account, min_index: 0, as_of: None };
                        let asked = Instant::now();
                        client.get_balance(request).await.unwrap();
                        delays.push(asked.elapsed());
                        number += BALANCES_IN_FLIGHT;
                    }
                    delays
                })
            });
            let mut delays = Vec::new();
            for caller in callers.collect::<Vec<_>>() {
                delays.extend(caller.await.unwrap());
            }
            let took = begun.elapsed();
            delays.sort_unstable();
            Self { delays, took }
        })
    }

    fn at(&self, hundredth: usize) -> Duration {
        self.delays[(self.delays.len() * hundredth / 100).min(self.delays.len() - 1)]
    }
}

/// What was read beside a measurement: pages, and bytes that came from the disk.
struct Beside {
    pages: u64,
    disk_bytes: u64,
}

/// A thread that pages histories, from the newest row to the oldest, one account after another.
struct Pager {
    pages: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Pager {
    fn start(address: SocketAddr, accounts: &Arc<[bytes::Bytes]>) -> Self {
        let (pages, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, stopping, accounts) = (Arc::clone(&pages), Arc::clone(&stop), Arc::clone(accounts));
        let thread = std::thread::spawn(move || {
            runtime().block_on(async move {
                let mut callers = Vec::new();
                for connection in 0..PAGE_CONNECTIONS {
                    let client = connect(address).await;
                    for caller in 0..PAGES_IN_FLIGHT {
                        let number = connection * PAGES_IN_FLIGHT + caller;
                        let (counted, stopping) = (Arc::clone(&counted), Arc::clone(&stopping));
                        callers.push(tokio::spawn(page(
                            client.clone(),
                            Arc::clone(&accounts),
                            number,
                            counted,
                            stopping,
                        )));
                    }
                }
                for caller in callers {
                    caller.await.unwrap();
                }
            });
        });
        Self { pages, stop, thread }
    }

    fn beside(&self, measure: impl FnOnce() -> Measured) -> (Measured, Beside) {
        let (pages, disk_bytes) = (self.pages.load(Ordering::Relaxed), read_from_disk());
        let measured = measure();
        let pages = self.pages.load(Ordering::Relaxed) - pages;
        (measured, Beside { pages, disk_bytes: read_from_disk() - disk_bytes })
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

async fn page(
    mut client: Client,
    accounts: Arc<[bytes::Bytes]>,
    first: usize,
    pages: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) {
    let mut number = first;
    while !stop.load(Ordering::Relaxed) {
        let mut request = proto::ListHistoryRequest {
            account: accounts[number % ACCOUNTS].clone(),
            page_size: PAGE_ROWS,
            ..proto::ListHistoryRequest::default()
        };
        while !stop.load(Ordering::Relaxed) {
            let answer = client.list_history(request.clone()).await.unwrap().into_inner();
            assert!(!answer.rows.is_empty());
            pages.fetch_add(1, Ordering::Relaxed);
            if answer.next_cursor.is_empty() {
                break;
            }
            request.cursor = answer.next_cursor;
        }
        number += PAGE_CONNECTIONS * PAGES_IN_FLIGHT;
    }
}

/// A thread that has the system forget what it keeps of the files that reads go to.
struct Dropping {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Dropping {
    fn start(folder: &Path) -> Self {
        let paths: [PathBuf; 2] = ["projections/postings", "log/db"].map(|name| folder.join(name));
        let files = paths.map(|path| File::open(path).unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopping.load(Ordering::Relaxed) {
                for file in &files {
                    // What isn't on the disk yet is not forgotten.
                    fdatasync(file).unwrap();
                    fadvise(file, 0, None, Advice::DontNeed).unwrap();
                }
                std::thread::sleep(DROP_EVERY);
            }
        });
        Self { stop, thread }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

/// Bytes that this process, the server among it, had from the disk: 0 where the system doesn't tell.
fn read_from_disk() -> u64 {
    let counts = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = counts.lines().find_map(|line| line.strip_prefix("read_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}

/// Prints a line: what, how many a second, at which delay, how many times that of the line of reference, and what went on
/// beside it.
#[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn report(what: &str, measured: &Measured, beside: Option<&Beside>, alone: &Measured) {
    let seconds = measured.took.as_secs_f64();
    let delay = |hundredth: usize| {
        let (delay, reference) = (measured.at(hundredth).as_secs_f64(), alone.at(hundredth).as_secs_f64());
        format!("p{hundredth} {:>8.3} ms ({:>6.1} x)", delay * 1e3, delay / reference)
    };
    let beside = beside.map_or_else(String::new, |beside| {
        let (pages, disk) = (beside.pages as f64 / seconds, beside.disk_bytes as f64 / seconds / 1e6);
        format!(", {pages:.0} pages/s, {disk:.1} MB/s from the disk")
    });
    let rate = measured.delays.len() as f64 / seconds;
    println!("{what:<28} {rate:>8.0}/s  {}  {}{beside}", delay(50), delay(99));
    std::io::stdout().flush().unwrap();
}
