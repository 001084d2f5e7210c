//! The server that is attacked: a process of its own under the limits of a small machine, with a small ledger.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tempfile::TempDir;
use timebank::{
    engine::key_file::KeyFile,
    format::{
        proto::{self, event::Kind, submit_result::Outcome},
        signature::PrivateKey,
        wire,
    },
    ledger::{Millis, SheetId},
};

use super::{
    honest::{Client, connect},
    support::{ALICE, HOUR, MINUTE, STATION, bytes, open, record, service, transfer},
};

#[path = "../program.rs"]
mod program;

/// The descriptors that login shells and systemd give a process, unless told otherwise.
const DESCRIPTORS: u32 = 1_024;
/// The memory of the smallest machines that are rented: 1 GiB, in KiB.
const MEMORY_KIB: u32 = 1_024 * 1_024;
/// Sheets of the ledger, each of as many events as a sheet may have: 1.4 MB of a log, more than a subscriber is read ahead
/// for.
const SHEETS: usize = 20;
const EVENTS: u16 = 1_000;
/// How often the process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What of a process is limited to 1 GiB.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// Its address space (`ulimit -v`), of which it has more than it uses: stacks of threads, and what the allocator
    /// has given back and keeps reserved.
    AddressSpace,
    /// What it may write to (`ulimit -d`), reserved or not: stacks of threads in whole, arenas as far as they are used.
    Data,
}

/// A server under limits.
pub struct Server {
    process: Child,
    pub address: SocketAddr,
    said: PathBuf,
    _folder: TempDir,
}

/// The end of a server that should live.
pub struct Death {
    pub status: String,
    pub words: String,
}

/// What the system tells of a process, in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub resident: u64,
    pub address_space_peak: u64,
    pub threads: u64,
}

impl Usage {
    fn of(process: u32) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self { resident: number("VmRSS:")?, address_space_peak: number("VmPeak:")?, threads: number("Threads:")? })
    }
}

impl Server {
    /// Serves a copy of a town's ledger.
    pub fn start(town: &Town, limit: Limit) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-r").arg(town.folder.path()).arg(folder.path().join("data")).status();
        assert!(copied.unwrap().success());
        let data = folder.path().join("data");
        Self::on(folder, &data, limit)
    }

    fn on(folder: TempDir, data: &Path, limit: Limit) -> Self {
        let said = folder.path().join("said");
        let memory = match limit {
            Limit::AddressSpace => "-v",
            Limit::Data => "-d",
        };
        let script = format!(
            "ulimit -n {DESCRIPTORS}; ulimit {memory} {MEMORY_KIB}; exec \"$0\" serve --listen 127.0.0.1:0 --data \"$1\""
        );
        let mut command = program::shell(&script);
        command.arg(data).stdout(Stdio::piped()).stderr(std::fs::File::create(&said).unwrap());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let serving = |line: String| line.strip_prefix("serving ")?.rsplit_once(" on http://")?.1.parse().ok();
        let address = lines.into_iter().find_map(serving);
        let address = address.unwrap_or_else(|| panic!("{}", std::fs::read_to_string(&said).unwrap()));
        Self { process, address, said, _folder: folder }
    }

    /// What it uses now; nothing once it is dead.
    pub fn usage(&self) -> Option<Usage> {
        Usage::of(self.process.id())
    }

    /// How it died, and what it said of it; nothing while it lives.
    pub fn death(&mut self) -> Option<Death> {
        let status = self.process.try_wait().unwrap()?.to_string();
        let said = std::fs::read_to_string(&self.said).unwrap_or_default();
        // What follows a panic or an allocation that failed is about backtraces.
        let telling = ["memory allocation", "panicked", "stopping"];
        let line = said.lines().rev().find(|line| telling.iter().any(|word| line.contains(word)));
        Some(Death { status, words: line.or(said.lines().next_back()).unwrap_or_default().to_owned() })
    }

    /// Begins to look how much it uses at the most.
    pub fn watch(&self) -> Watch {
        let (process, stop) = (self.process.id(), Arc::new(AtomicBool::new(false)));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut peak = Usage::default();
            while !stopping.load(Ordering::Relaxed) {
                let usage = Usage::of(process).unwrap_or_default();
                peak.resident = peak.resident.max(usage.resident);
                peak.address_space_peak = peak.address_space_peak.max(usage.address_space_peak);
                peak.threads = peak.threads.max(usage.threads);
                std::thread::sleep(LOOK);
            }
            peak
        });
        Watch { stop, thread }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A look at the most that a process uses.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Usage>,
}

impl Watch {
    pub fn end(self) -> Usage {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// A ledger, and what a stranger finds in it to attack with.
pub struct Town {
    folder: TempDir,
    origin: String,
    operator: PrivateKey,
    /// A sheet of 1,000 events, as the log gives it to everybody, and the index of its entry.
    pub sheet: proto::Sheet,
    pub entry: u64,
    /// The index of an entry of 1,000 services.
    pub services: u64,
    /// Cursors that are none: one of another layout, and ones with a letter changed or missing.
    pub cursors: Vec<String>,
}

impl Town {
    /// A ledger of a station, 1,000 residents who were paid an hour each, and a few dozen long sheets.
    pub fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::on(tempfile::tempdir().unwrap(), folder.path(), Limit::Data);
        let KeyFile { key: operator, origin } = KeyFile::read(&folder.path().join("operator.key")).unwrap();
        let sheet = proto::Sheet::default();
        let mut town = Self { folder, origin, operator, sheet, entry: 0, services: 2, cursors: Vec::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(town.fill(server));
        town
    }

    async fn fill(&mut self, server: Server) {
        let mut client = connect(server.address).await.unwrap();
        let residents: Vec<[u8; 16]> = (1..EVENTS)
            .map(|number| [&number.to_be_bytes()[..], &[7; 14]].concat())
            .map(|id| id.try_into().unwrap())
            .collect();
        let station = [
            Kind::RegionDefined(proto::RegionDefined { code: "leeds".to_owned(), parent: String::new() }),
            open(STATION, proto::AccountKind::Station, "leeds", None),
            Kind::FloorSet(proto::FloorSet { account: bytes(&STATION), floor_minutes: -1_000_000_000 }),
            open(ALICE, proto::AccountKind::Resident, "", Some(STATION)),
        ];
        let opened = residents.iter().map(|id| open(*id, proto::AccountKind::Resident, "", Some(STATION)));
        let opened = station.into_iter().chain(opened).collect::<Vec<_>>();
        let yesterday = jiff::Timestamp::now().as_millisecond() / HOUR * HOUR - 24 * HOUR;
        let served = residents.iter().map(|id| record(service(*id, yesterday - 30 * MINUTE, 30))).collect();
        let (first, rest) = opened.split_at(500);
        for events in [first.to_vec(), rest.to_vec(), served] {
            let index = self.accept(&mut client, events).await;
            self.services = index;
        }
        for _ in 0..SHEETS {
            let given = (0..EVENTS).map(|_| transfer(STATION, ALICE, 1)).collect();
            self.entry = self.accept(&mut client, given).await;
        }
        let request = proto::GetEntryRequest { index: self.entry };
        self.sheet = client.get_entry(request).await.unwrap().into_inner().entry.unwrap().sheet.unwrap();
        let request = proto::ListAccountsRequest { page_size: 1, ..Default::default() };
        let cursor = client.list_accounts(request).await.unwrap().into_inner().next_cursor;
        self.cursors = cursors_like(&cursor);
    }

    async fn accept(&self, client: &mut Client, events: Vec<Kind>) -> u64 {
        let request = proto::SubmitListRequest { sheets: vec![self.sheet_of(events)], until: 0 };
        let answer = client.submit_list(request).await.unwrap().into_inner();
        match answer.results.into_iter().next().unwrap().outcome.unwrap() {
            Outcome::Accepted(accepted) => accepted.receipt.unwrap().index,
            Outcome::Refused(refused) => panic!("{refused:?}"),
        }
    }

    fn sheet_of(&self, events: Vec<Kind>) -> proto::Sheet {
        let now = jiff::Timestamp::now().as_millisecond();
        let draft = wire::Draft {
            origin: &self.origin,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: Millis(now),
            valid_until: Millis(now + 24 * HOUR),
            events,
        };
        wire::sign(draft, &[&self.operator]).unwrap()
    }

    /// What an honest station sends: one minute to one resident.
    pub fn new_sheet(&self) -> proto::Sheet {
        self.sheet_of(vec![transfer(STATION, ALICE, 1)])
    }

    /// A sheet that is right in form and signature, and that a rule refuses.
    pub fn refused_sheet(&self) -> proto::Sheet {
        self.sheet_of(vec![transfer(ALICE, STATION, 1_000_000_000)])
    }

    pub fn account(&self) -> bytes::Bytes {
        bytes(&ALICE)
    }
}

/// A cursor of every other layout, and this one with a byte changed or missing.
fn cursors_like(cursor: &str) -> Vec<String> {
    let right = URL_SAFE_NO_PAD.decode(cursor).unwrap();
    let other_layouts = (0..=u8::MAX).filter(|layout| *layout != right[0]).map(|layout| {
        let mut other = right.clone();
        other[0] = layout;
        other
    });
    let changed = (0..right.len()).map(|at| {
        let mut other = right.clone();
        other[at] ^= 1;
        other
    });
    let cut = (1..right.len()).map(|length| right[..length].to_vec());
    other_layouts.chain(changed).chain(cut).map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).collect()
}
