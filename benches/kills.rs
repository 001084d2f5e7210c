//! How many kills a ledger survives: `kill -9` at random moments while sheets are being recorded, again and again.
//!
//! `cargo bench --bench kills`, or `-- 500 --seed 7` for another number and other moments. After every start each sheet
//! that was acknowledged since the last one is sent again, and has to get its first receipt; those that got no answer are
//! sent again and are counted once. At the end the balances and an audit of the folder have to agree with all of it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at the first surprise and prints a line")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use timebank::{
    engine::key_file::KeyFile,
    format::{
        proto::{self, event::Kind, ledger_service_client::LedgerServiceClient},
        signature::{self, PrivateKey},
        wire,
    },
    ledger::{Millis, SheetId},
};
use tonic::transport::Channel;

/// Callers at the same time.
const IN_FLIGHT: usize = 16;
/// Longest wait before a kill: long enough for some hundred commits, and short enough for many kills.
const KILL_AFTER_MS_MAX: u64 = 400;
/// A start that takes longer than this is no start.
const START: Duration = Duration::from_mins(1);

type Client = LedgerServiceClient<Channel>;

/// What callers know of a sheet.
enum Sent {
    Acknowledged(proto::Sheet, proto::Receipt),
    Unanswered(proto::Sheet),
}

struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_timebank"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let serving = |line: String| line.strip_prefix("serving ")?.rsplit_once(" on ").map(|(_, url)| url.to_owned());
        let url = lines.into_iter().find_map(serving).unwrap();
        Self { process, url }
    }

    async fn connect(&self) -> Client {
        let endpoint = tonic::transport::Endpoint::from_shared(self.url.clone()).unwrap();
        LedgerServiceClient::new(endpoint.connect_timeout(START).connect().await.unwrap())
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A ledger with one station, which gives a minute to one person again and again.
struct Town {
    origin: String,
    staff: PrivateKey,
    station: [u8; 16],
    person: [u8; 16],
}

fn bytes(array: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(array)
}

impl Town {
    async fn set_up(client: &mut Client, folder: &Path) -> Self {
        let operator = KeyFile::read(&folder.join("operator.key")).unwrap();
        let town = Self {
            origin: operator.origin,
            staff: PrivateKey::generate(),
            station: signature::random(),
            person: signature::random(),
        };
        let opened = |account: &[u8; 16], kind: proto::AccountKind, region: &str, station: &[u8]| {
            let (account, kind, region) = (bytes(account), i32::from(kind), region.to_owned());
            Kind::AccountOpened(proto::AccountOpened { account, kind, region, station: bytes(station) })
        };
        let events = vec![
            Kind::RegionDefined(proto::RegionDefined { code: "kills".to_owned(), parent: String::new() }),
            opened(&town.station, proto::AccountKind::Station, "kills", &[]),
            Kind::FloorSet(proto::FloorSet { account: bytes(&town.station), floor_minutes: -1_000_000_000 }),
            opened(&town.person, proto::AccountKind::Resident, "", &town.station),
            Kind::KeyEnrolled(proto::KeyEnrolled {
                public_key: bytes(&town.staff.public_key()),
                possession: bytes(&town.staff.prove_possession(&town.origin)),
                role: i32::from(proto::KeyRole::Staff),
                account: bytes(&town.station),
                own_account: bytes::Bytes::new(),
            }),
        ];
        let sheet = town.sheet(&operator.key, events);
        client.submit(proto::SubmitRequest { sheet: Some(sheet), until: 0 }).await.unwrap();
        town
    }

    fn sheet(&self, key: &PrivateKey, events: Vec<Kind>) -> proto::Sheet {
        let now = jiff::Timestamp::now().as_millisecond();
        let draft = wire::Draft {
            origin: &self.origin,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: Millis(now),
            valid_until: Millis(now + 86_400_000),
            events,
        };
        wire::sign(draft, &[key]).unwrap()
    }

    fn minute(&self) -> proto::Sheet {
        let (from, to) = (bytes(&self.station), bytes(&self.person));
        let given = Kind::MinutesTransferred(proto::MinutesTransferred { from, to, minutes: 1 });
        self.sheet(&self.staff, vec![given])
    }
}

async fn submit(client: &mut Client, sheet: proto::Sheet) -> Result<proto::Receipt, tonic::Status> {
    let request = proto::SubmitRequest { sheet: Some(sheet), until: i32::from(proto::Until::Durable) };
    Ok(client.submit(request).await?.into_inner().receipt.unwrap())
}

/// Records until the server is killed, after so many ms.
async fn load(town: &Arc<Town>, server: &mut Server, kill_after_ms: u64) -> Vec<Sent> {
    let client = server.connect().await;
    let sent = Arc::new(Mutex::new(Vec::new()));
    let callers: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (town, mut client, sent) = (Arc::clone(town), client.clone(), Arc::clone(&sent));
            tokio::spawn(async move {
                loop {
                    let sheet = town.minute();
                    let answer = submit(&mut client, sheet.clone()).await;
                    let last = answer.is_err();
                    let known = answer.map_or_else(
                        |_gone| Sent::Unanswered(sheet.clone()),
                        |receipt| Sent::Acknowledged(sheet.clone(), receipt),
                    );
                    sent.lock().unwrap().push(known);
                    if last {
                        return;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(kill_after_ms)).await;
    server.kill();
    for caller in callers {
        caller.await.unwrap();
    }
    std::mem::take(&mut *sent.lock().unwrap())
}

/// Holds a start to what was sent before it. Gives the receipts of all of it.
async fn check(client: &mut Client, sent: Vec<Sent>, lost: &mut usize) -> Vec<(proto::Sheet, proto::Receipt)> {
    let mut known = Vec::with_capacity(sent.len());
    for sent in sent {
        let (sheet, first) = match sent {
            Sent::Acknowledged(sheet, receipt) => (sheet, Some(receipt)),
            Sent::Unanswered(sheet) => (sheet, None),
        };
        let receipt = submit(client, sheet.clone()).await.unwrap();
        *lost += usize::from(first.is_some_and(|first| first != receipt));
        known.push((sheet, receipt));
    }
    known
}

fn main() {
    let (mut kills, mut seed) = (100, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seed" => seed = arguments.next().unwrap().parse().unwrap(),
            // What cargo says to every bench.
            "--bench" => {}
            count => kills = count.parse().unwrap(),
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(kills, seed));
}

async fn run(kills: u64, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let town = Arc::new(Town::set_up(&mut server.connect().await, folder.path()).await);
    let (mut all, mut acknowledged, mut unanswered, mut lost) = (Vec::new(), 0, 0, 0);
    for _kill in 0..kills {
        let sent = load(&town, &mut server, rng.u64(1..KILL_AFTER_MS_MAX)).await;
        let answered = sent.iter().filter(|sent| matches!(sent, Sent::Acknowledged(..))).count();
        acknowledged += answered;
        unanswered += sent.len() - answered;
        if rng.u8(0..10) == 0 {
            // Whatever is derived may be gone as well.
            std::fs::remove_dir_all(folder.path().join("projections")).unwrap();
        }
        server = Server::start(folder.path());
        all.extend(check(&mut server.connect().await, sent, &mut lost).await);
    }
    let mut client = server.connect().await;
    let receipts: std::collections::BTreeSet<u64> = all.iter().map(|(_, receipt)| receipt.index).collect();
    let request = proto::GetBalanceRequest { account: bytes(&town.person), min_index: 0, as_of: None };
    let balance = client.get_balance(request).await.unwrap().into_inner().balance_minutes;
    server.kill();
    let memory = folder.path().join("memory");
    let audit = Command::new(env!("CARGO_BIN_EXE_timebank"))
        .args(["audit", "--data"])
        .arg(folder.path())
        .arg("--memory")
        .arg(memory)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let audited = if audit.status.success() { "verified" } else { "NOT verified" };
    println!(
        "{kills} kills (seed {seed}) amid {acknowledged} acknowledged and {unanswered} unanswered sheets: {lost} lost or \
         changed; {} entries for {} sheets, a balance of {balance} min; audit {audited}",
        receipts.len(),
        all.len(),
    );
    let counted = i64::try_from(all.len()).unwrap();
    assert!(lost == 0 && receipts.len() == all.len() && balance == counted && audit.status.success());
}
