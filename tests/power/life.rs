//! A ledger's life under a recorder: starts, sheets from several callers at once, orderly ends and kills.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use timebank::format::{
    checkpoint::VerifierKey,
    proto::{self, Until, ledger_service_client::LedgerServiceClient},
};
use tonic::transport::{Channel, Endpoint};

use super::{
    disk::{Disk, Image},
    recorder::Recorder,
    told::{self, Answers, Told},
    town::Town,
    trace,
};

/// The data folder in the folder that is recorded: a start makes those above it too.
pub const DATA: &str = "srv/of/ledger";
/// Callers at the same time.
const CALLERS: usize = 4;
/// Events of a sheet: one, some, more than a block takes, and as many as a sheet may have.
const EVENTS: [usize; 12] = [1, 1, 1, 1, 1, 2, 3, 10, 10, 60, 300, 1_000];
/// Events of a sheet whose answer is one frame of HTTP/2 at most, so that the trace has the checkpoint in it in one piece.
const ONE_FRAME_EVENTS: usize = 60;
/// More than all answers of a run: none is cut off in its first bytes, where it is looked for.
const WINDOW: u32 = 64 << 20;

pub type Client = LedgerServiceClient<Channel>;

/// How a run of the server ends.
#[derive(Debug, Clone)]
pub enum Ending {
    /// As an operator ends it, after all sheets.
    Orderly,
    /// `kill -9` when so many sheets were answered, or none are left.
    Kill(usize),
    /// `kill -9` at a call, in the words of `strace --inject`.
    KillAt(String),
}

/// One run: how many sheets are sent, and how it ends.
#[derive(Debug, Clone)]
pub struct Run {
    pub sheets: usize,
    pub ending: Ending,
}

/// What was recorded of a life.
#[derive(Debug)]
pub struct Life {
    pub disk: Disk,
    /// What was told before anything of it was recorded comes with line 0.
    pub told: Vec<(usize, Told)>,
    /// All that were ever sent, answered or not.
    pub sheets: Vec<proto::Sheet>,
    /// Runs that ended by a kill.
    pub kills: usize,
}

/// The life of which another one is the continuation, up to a state of it.
#[derive(Debug, Default)]
pub struct Before {
    pub image: Image,
    pub told: Vec<Told>,
    pub sheets: Vec<proto::Sheet>,
}

/// A life that is being recorded.
struct Recording {
    recorder: Recorder,
    folder: TempDir,
    root: PathBuf,
    traces: TempDir,
    lines: usize,
    key: Option<VerifierKey>,
    town: Option<Town>,
    life: Life,
}

/// Lives a life of these runs, on what there was before.
///
/// # Errors
/// What the recorder doesn't understand.
pub fn live(before: Before, runs: &[Run], rng: &mut Rng) -> Result<Life, String> {
    let (folder, traces) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = folder.path().canonicalize().unwrap();
    before.image.write(&root).unwrap();
    let told = before.told.into_iter().map(|told| (0, told)).collect();
    let life = Life { disk: Disk::default(), told, sheets: before.sheets, kills: 0 };
    let recorder = Recorder::new(&root, &before.image);
    let mut recording = Recording { recorder, folder, root, traces, lines: 1, key: None, town: None, life };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for run in runs {
        recording.run(run, &runtime, rng)?;
    }
    let Recording { recorder, folder, mut life, .. } = recording;
    folder.close().unwrap();
    life.disk = recorder.disk;
    Ok(life)
}

impl Recording {
    fn run(&mut self, run: &Run, runtime: &tokio::runtime::Runtime, rng: &mut Rng) -> Result<(), String> {
        let (trace, words) = (self.traces.path().join("trace"), self.traces.path().join("words"));
        let fault = if let Ending::KillAt(fault) = &run.ending { Some(fault.as_str()) } else { None };
        let mut command = trace::strace(&trace, fault);
        command.arg(env!("CARGO_BIN_EXE_timebank")).args(["serve", "--listen", "127.0.0.1:0", "--data"]);
        command.arg(self.root.join(DATA)).env_remove("TIMEBANK_DATA").stdout(Stdio::piped());
        let mut strace = command.stderr(std::fs::File::create(&words).unwrap()).spawn().unwrap();
        let url = serving(&mut strace);
        let mut answers = Answers::default();
        if let Some(url) = &url {
            let process = traced(&trace);
            answers = runtime.block_on(self.load(url, run, process, rng));
            let signal = if matches!(run.ending, Ending::Kill(_)) { Signal::KILL } else { Signal::TERM };
            // It may have met its fault.
            let _dead = kill_process(process, signal);
        } else if fault.is_none() {
            return Err(format!("a server didn't start: {}", std::fs::read_to_string(&words).unwrap()));
        }
        strace.wait().unwrap();
        let text = std::fs::read_to_string(&trace).unwrap();
        self.life.kills += usize::from(text.contains("+++ killed by SIGKILL +++"));
        let calls = trace::parse(&text, self.lines)?;
        self.lines += text.lines().count();
        if let Some(status) = &answers.status {
            self.key = Some(status.ledger_vkey.parse().map_err(|error| format!("{error}"))?);
        }
        self.life.told.extend(told::told(&calls, self.key.as_ref(), &answers)?);
        self.recorder.take(&calls, &Image::read(&self.root).unwrap())
    }

    /// Sends sheets until all are answered, or the server is gone.
    async fn load(&mut self, url: &str, run: &Run, process: Pid, rng: &mut Rng) -> Answers {
        let endpoint = Endpoint::from_shared(url.to_owned()).unwrap();
        let endpoint = endpoint.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
        let Ok(channel) = endpoint.connect().await else { return Answers::default() };
        let mut client = LedgerServiceClient::new(channel);
        let Ok(status) = client.get_status(proto::GetStatusRequest {}).await else { return Answers::default() };
        let mut sheets: Vec<proto::Sheet> = Vec::new();
        if run.sheets > 0 {
            if self.town.is_none() {
                let town = Town::new(&self.root.join(DATA));
                sheets.push(town.founding());
                self.town = Some(town);
            }
            let town = self.town.as_ref().unwrap();
            sheets.extend((0..run.sheets).map(|_| town.minutes(EVENTS[rng.usize(0..EVENTS.len())])));
        }
        let first = self.life.sheets.len();
        self.life.sheets.extend_from_slice(&sheets);
        let kill_after = if let Ending::Kill(answers) = run.ending { answers } else { usize::MAX };
        let queue = Arc::new(Queue { sheets, first, next: 0.into(), answers: Mutex::default(), kill_after, process });
        let begun = usize::from(first < self.life.sheets.len());
        // The accounts have to be there first.
        if begun == 1 {
            queue.send(&mut client, 1).await;
        }
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (queue, mut client) = (Arc::clone(&queue), client.clone());
                tokio::spawn(async move { queue.send(&mut client, usize::MAX).await })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        let submitted = std::mem::take(&mut *queue.answers.lock().unwrap());
        Answers { status: Some(status.into_inner()), submitted }
    }
}

/// Sheets on their way, and what came back.
struct Queue {
    sheets: Vec<proto::Sheet>,
    /// The first one's number among all of a life.
    first: usize,
    next: AtomicUsize,
    answers: Mutex<Vec<(usize, proto::SubmitResponse)>>,
    kill_after: usize,
    process: Pid,
}

impl Queue {
    /// One after another, until there are no more of them or no answer comes.
    async fn send(&self, client: &mut Client, at_most: usize) {
        for _ in 0..at_most {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(sheet) = self.sheets.get(number) else { return };
            let may_wait = sheet.events.len() <= ONE_FRAME_EVENTS;
            let until = if may_wait && number.is_multiple_of(3) { Until::Published } else { Until::Durable };
            let request = proto::SubmitRequest { sheet: Some(sheet.clone()), until: i32::from(until) };
            let Ok(answer) = client.submit(request).await else { return };
            let mut answers = self.answers.lock().unwrap();
            answers.push((self.first + number, answer.into_inner()));
            if answers.len() == self.kill_after {
                kill_process(self.process, Signal::KILL).unwrap();
            }
        }
    }
}

/// Where a server says that it serves; nothing where it ends before.
pub fn serving(process: &mut Child) -> Option<String> {
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let serving = |line: String| line.strip_prefix("serving ")?.rsplit_once(" on ").map(|(_, url)| url.to_owned());
    lines.into_iter().find_map(serving)
}

/// The process that a trace is of.
fn traced(trace: &Path) -> Pid {
    let text = std::fs::read_to_string(trace).unwrap();
    let number = text.split_whitespace().next().and_then(|number| number.parse().ok());
    number.and_then(Pid::from_raw).unwrap()
}
