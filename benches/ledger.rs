//! Measurements of the ledger, each beside a limit measured in the same run.
//!
//! `cargo bench` for all, `cargo bench -- --quick` for a short look. Client and server share the machine.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at the first surprise and prints a table")]

#[path = "machine/server.rs"]
mod machine;

use std::{
    io::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use machine::{Client, bytes, connect, disk_of};
use rayon::prelude::*;
use timebank::{
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

/// As in the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Signers of the sheets: the staff of a district.
const SIGNERS: usize = 20;
/// Accounts that transfers go between.
const ACCOUNTS: usize = 1_000;
/// Callers at the same time, for unary calls.
const IN_FLIGHT: usize = 64;
/// Events of a big sheet.
const BIG_SHEET: usize = 200;
/// Connections that unary callers share.
const CONNECTIONS: usize = 4;

/// How much of everything.
#[derive(Clone, Copy)]
struct Scale {
    unary: usize,
    small: usize,
    big: usize,
    reads: usize,
}

struct Bench {
    origin: String,
    operator: PrivateKey,
    signers: Vec<PrivateKey>,
    station: [u8; 16],
    accounts: Vec<[u8; 16]>,
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let scale = if quick {
        Scale { unary: 10_000, small: 20_000, big: 500, reads: 10_000 }
    } else {
        Scale { unary: 100_000, small: 200_000, big: 5_000, reads: 100_000 }
    };
    // One thread for all callers: client and server share the machine, and the server is what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(scale));
}

impl Bench {
    fn sheet(&self, key: &PrivateKey, events: Vec<Kind>) -> proto::Sheet {
        let now = jiff::Timestamp::now().as_millisecond();
        let draft = wire::Draft {
            origin: &self.origin,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: Millis(now),
            valid_until: Millis(now + 3_600_000),
            events,
        };
        wire::sign(draft, &[key]).unwrap()
    }

    /// A minute from the station to somebody: staff may give it, and it never runs out.
    fn transfer(&self, number: usize) -> Kind {
        Kind::MinutesTransferred(proto::MinutesTransferred {
            from: bytes(&self.station),
            to: bytes(&self.accounts[number % self.accounts.len()]),
            minutes: 1,
        })
    }

    /// Sheets of `events` transfers, signed on all cores before any clock starts.
    fn sheets(&self, count: usize, events: usize) -> Vec<proto::Sheet> {
        (0..count)
            .into_par_iter()
            .map(|sheet| {
                let kinds = (0..events).map(|event| self.transfer(sheet * events + event)).collect();
                self.sheet(&self.signers[sheet % self.signers.len()], kinds)
            })
            .collect()
    }
}

async fn serve(folder: &std::path::Path) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let options = machine::new_in(folder);
    let (ledger, _) = tokio::task::spawn_blocking(move || folder::open(&options)).await.unwrap().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        let shutdown = async move {
            // Dropped at the end of the bench at the latest.
            let _dropped = stopped.await;
        };
        server::run(listener, ledger, || (), shutdown).await.unwrap();
    });
    (address, stop, running)
}

async fn set_up(client: &mut Client, folder: &std::path::Path) -> Bench {
    let operator = timebank::engine::key_file::KeyFile::read(&folder.join("operator.key")).unwrap();
    let mut bench = Bench {
        origin: operator.origin,
        operator: operator.key,
        signers: (0..SIGNERS).map(|_| PrivateKey::generate()).collect(),
        station: signature::random(),
        accounts: (0..ACCOUNTS).map(|_| signature::random()).collect(),
    };
    let open = |account: &[u8; 16], kind: proto::AccountKind, region: &str, station: bytes::Bytes| {
        Kind::AccountOpened(proto::AccountOpened {
            account: bytes(account),
            kind: i32::from(kind),
            region: region.to_owned(),
            station,
        })
    };
    let mut events = vec![
        Kind::RegionDefined(proto::RegionDefined { code: "bench".to_owned(), parent: String::new() }),
        open(&bench.station, proto::AccountKind::Station, "bench", bytes::Bytes::new()),
        Kind::FloorSet(proto::FloorSet { account: bytes(&bench.station), floor_minutes: -1_000_000_000 }),
    ];
    events.extend(bench.signers.iter().map(|key| {
        Kind::KeyEnrolled(proto::KeyEnrolled {
            public_key: bytes(&key.public_key()),
            possession: bytes(&key.prove_possession(&bench.origin)),
            role: i32::from(proto::KeyRole::Staff),
            account: bytes(&bench.station),
            own_account: bytes::Bytes::new(),
        })
    }));
    let station = bytes(&bench.station);
    let residents = bench.accounts.iter().map(|id| open(id, proto::AccountKind::Resident, "", station.clone()));
    let residents: Vec<Kind> = residents.collect();
    for events in [events, residents] {
        let sheet = bench.sheet(&bench.operator, events);
        client.submit(proto::SubmitRequest { sheet: Some(sheet), until: 0 }).await.unwrap();
    }
    bench.accounts.truncate(ACCOUNTS);
    bench
}

/// Prints a line: what, how many a second, at which delay, and against which limit.
fn report(what: &str, rate: f64, delays: Option<&[Duration]>, limit: (&str, f64)) {
    let at = |delays: &[Duration], share: f64| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a position"
        )]
        let position = (delays.len() as f64 * share) as usize;
        delays.get(position.min(delays.len().saturating_sub(1))).map_or(0.0, |delay| delay.as_secs_f64() * 1e3)
    };
    let delays = delays
        .map_or_else(String::new, |delays| format!("p50 {:.1} ms, p99 {:.1} ms", at(delays, 0.5), at(delays, 0.99)));
    println!(
        "{what:<44} {rate:>12.0}/s  {delays:<28} {:>5.0} % of {} {:.0}/s",
        100.0 * rate / limit.1,
        limit.0,
        limit.1
    );
    std::io::stdout().flush().unwrap();
}

#[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Calls at `IN_FLIGHT` at a time over a few connections: rate and sorted delays.
async fn unary<T, F>(
    address: SocketAddr,
    items: Vec<T>,
    call: impl Fn(Client, T) -> F + Clone + Send + 'static,
) -> (f64, Vec<Duration>)
where
    T: Send + 'static,
    F: Future<Output = ()> + Send,
{
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(connect(address).await);
    }
    let count = items.len();
    let items = Arc::new(Mutex::new(items.into_iter()));
    let start = Instant::now();
    let callers: Vec<_> = (0..IN_FLIGHT)
        .map(|caller| {
            let (client, items, call) = (clients[caller % CONNECTIONS].clone(), Arc::clone(&items), call.clone());
            tokio::spawn(async move {
                let mut delays = Vec::new();
                loop {
                    let Some(item) = items.lock().unwrap().next() else { return delays };
                    let begun = Instant::now();
                    call(client.clone(), item).await;
                    delays.push(begun.elapsed());
                }
            })
        })
        .collect();
    let mut delays = Vec::with_capacity(count);
    for caller in callers {
        delays.extend(caller.await.unwrap());
    }
    let took = start.elapsed();
    delays.sort_unstable();
    (rate(count, took), delays)
}

async fn run(scale: Scale) {
    let folder = tempfile::tempdir().unwrap();
    println!("client and server on {} cores, {}", rayon::current_num_threads(), disk_of(folder.path()));
    let (address, stop, running) = serve(folder.path()).await;
    let mut client = connect(address).await;
    let bench = set_up(&mut client, folder.path()).await;

    let (empty, delays) = unary(address, vec![(); scale.reads], |mut client, ()| async move {
        client.get_checkpoint(proto::GetCheckpointRequest {}).await.unwrap();
    })
    .await;
    report("empty call (GetCheckpoint), 64 in flight", empty, Some(&delays), ("itself", empty));
    let checks = signature_checks(&bench, scale.small.min(20_000));
    report("signature checks alone, both cores", checks, None, ("itself", checks));

    append(&bench, address, &mut client, scale, (empty, checks)).await;
    reads(&bench, address, scale, empty).await;
    drop(client);
    stop.send(()).unwrap();
    running.await.unwrap();
    replay(folder.path(), checks).await;
}

/// Batched signature checks of as many one-event sheets, on all cores: what one event a sheet can't get past.
fn signature_checks(bench: &Bench, count: usize) -> f64 {
    let messages: Vec<(usize, Vec<u8>, [u8; 64])> = (0..count)
        .into_par_iter()
        .map(|number| {
            let message = vec![number.to_le_bytes()[0]; 200];
            let signer = number % SIGNERS;
            let signature = bench.signers[signer].sign(&message);
            (signer, message, signature)
        })
        .collect();
    let keys: Vec<[u8; 32]> = bench.signers.iter().map(PrivateKey::public_key).collect();
    let start = Instant::now();
    let valid: usize = messages
        .par_chunks(256)
        .map(|chunk| {
            let claims: Vec<_> = chunk
                .iter()
                .map(|(signer, message, signature)| signature::Claim {
                    public_key: keys[*signer],
                    signature: *signature,
                    message,
                })
                .collect();
            signature::verdicts(&claims).into_iter().filter(|valid| *valid).count()
        })
        .sum();
    assert_eq!(valid, count);
    rate(count, start.elapsed())
}

/// Appends of the same bytes to a file, each synced: what the disk gives.
fn synced_appends(folder: &std::path::Path, bytes: usize, chunk: usize) -> f64 {
    let mut file = std::fs::File::create(folder.join("limit")).unwrap();
    let block = vec![7; chunk];
    let start = Instant::now();
    for _ in 0..bytes.div_ceil(chunk) {
        file.write_all(&block).unwrap();
        file.sync_data().unwrap();
    }
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    let bytes = bytes as f64;
    bytes / start.elapsed().as_secs_f64()
}

async fn append(bench: &Bench, address: SocketAddr, client: &mut Client, scale: Scale, limits: (f64, f64)) {
    let (empty, checks) = limits;
    let sheets = bench.sheets(scale.unary, 1);
    let (one, delays) = unary(address, sheets, |mut client, sheet| async move {
        client.submit(proto::SubmitRequest { sheet: Some(sheet), until: 1 }).await.unwrap();
    })
    .await;
    report("append, unary, 1 event a sheet, 64 in flight", one, Some(&delays), ("empty calls", empty));

    let sheets = bench.sheets(scale.small, 1);
    let lists: Vec<Vec<proto::Sheet>> = sheets.chunks(1_000).map(<[_]>::to_vec).collect();
    let start = Instant::now();
    let mut under_way = tokio::task::JoinSet::new();
    for sheets in lists {
        let mut client = client.clone();
        if under_way.len() >= 8 {
            under_way.join_next().await.unwrap().unwrap();
        }
        under_way.spawn(async move {
            let response = client.submit_list(proto::SubmitListRequest { sheets, until: 1 }).await.unwrap();
            let accepted = |result: &proto::SubmitResult| {
                matches!(result.outcome, Some(proto::submit_result::Outcome::Accepted(_)))
            };
            assert!(response.into_inner().results.iter().all(accepted));
        });
    }
    while let Some(done) = under_way.join_next().await {
        done.unwrap();
    }
    let listed = rate(scale.small, start.elapsed());
    report("append, lists of 1,000 sheets of 1 event", listed, None, ("signature checks", checks));

    let sheets = bench.sheets(scale.big, BIG_SHEET);
    let size: usize = sheets.iter().flat_map(|sheet| &sheet.events).map(bytes::Bytes::len).sum();
    let folder = tempfile::tempdir().unwrap();
    let disk = synced_appends(folder.path(), size.min(64 << 20), 256 * 1_024);
    let start = Instant::now();
    let requests = tokio_stream::iter(sheets).map(|sheet| proto::SubmitStreamRequest { sheet: Some(sheet), until: 1 });
    let mut answers = client.submit_stream(requests).await.unwrap().into_inner();
    let mut accepted = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        let outcome = answer.result.unwrap().outcome.unwrap();
        assert!(matches!(outcome, proto::submit_result::Outcome::Accepted(_)), "{outcome:?}");
        accepted += 1;
    }
    assert_eq!(accepted, scale.big);
    let events = scale.big * BIG_SHEET;
    let streamed = rate(events, start.elapsed());
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    let limit = disk / (size as f64 / events as f64);
    report("append, stream, sheets of 200 events", streamed, None, ("synced appends of the same bytes", limit));
}

async fn reads(bench: &Bench, address: SocketAddr, scale: Scale, empty: f64) {
    let accounts: Vec<bytes::Bytes> =
        (0..scale.reads).map(|number| bytes(&bench.accounts[number % ACCOUNTS])).collect();
    let (balances, delays) = unary(address, accounts.clone(), |mut client, account| async move {
        let request = proto::GetBalanceRequest { account, min_index: 0, as_of: None };
        client.get_balance(request).await.unwrap();
    })
    .await;
    report("balance, unary, 64 in flight", balances, Some(&delays), ("empty calls", empty));
    let (pages, delays) = unary(address, accounts, |mut client, account| async move {
        let request = proto::ListHistoryRequest { account, ..proto::ListHistoryRequest::default() };
        let page = client.list_history(request).await.unwrap().into_inner();
        assert!(!page.rows.is_empty());
    })
    .await;
    report("history, pages of 50, 64 in flight", pages, Some(&delays), ("empty calls", empty));
}

/// A start without projections: every signature and every rule again.
async fn replay(folder: &std::path::Path, checks: f64) {
    std::fs::remove_dir_all(folder.join("projections")).unwrap();
    let start = Instant::now();
    let (address, stop, running) = serve(folder).await;
    let took = start.elapsed();
    let mut client = connect(address).await;
    let status = client.get_status(proto::GetStatusRequest {}).await.unwrap().into_inner();
    let entries = usize::try_from(status.size).unwrap();
    report("replay at a start, entries of all kinds", rate(entries, took), None, ("signature checks", checks));
    let events = usize::try_from(status.postings / 2).unwrap();
    println!("{:<44} {:>12.0}/s", "  the same in events", rate(events, took));
    drop(client);
    stop.send(()).unwrap();
    running.await.unwrap();
}
