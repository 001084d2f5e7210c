//! What befalls a server while sheets are being recorded, and what may become of it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fastrand::Rng;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use super::server::{LOOK_EVERY, PATIENCE, Place, Server};

/// Longest that a fault lasts: some hundred commits.
const FAULT_MS_MAX: u64 = 400;
/// Descriptors that are left: fewer than any server has open, so that it gets no other.
const DESCRIPTORS_LEFT: u64 = 3;
/// So many calls of a thread succeed at most before they fail: a commit is a few writes, and is cut off within.
const CALLS_BEFORE_MAX: u32 = 3;
/// Under load each call that can fail is made several times in less.
const A_CALL: Duration = Duration::from_secs(10);
/// A tracer lets go of some dozen threads in less.
const LETTING_GO: Duration = Duration::from_secs(5);
/// Exit codes of a service that ends by itself and may be started again, as `docs/commands.md` has them.
const DOCUMENTED: [i32; 3] = [70, 71, 74];

/// What befalls a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// `kill -9`.
    Killed,
    /// Ended as an operator ends it.
    Ended,
    /// `SIGSTOP`, and `SIGCONT` after a while.
    Stopped,
    /// `SIGSTOP`, and `kill -9` after a while.
    StoppedAndKilled,
    /// The disk takes no more of the log.
    LogFull,
    /// It takes no more rows of projections.
    RowsFull,
    /// It takes no checkpoint.
    CheckpointFull,
    /// A sync fails with EIO.
    SyncBroken,
    /// A sync finds the disk full.
    SyncFull,
    /// No further descriptor is to be had.
    NoDescriptors,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Killed,
        Self::Ended,
        Self::Stopped,
        Self::StoppedAndKilled,
        Self::LogFull,
        Self::RowsFull,
        Self::CheckpointFull,
        Self::SyncBroken,
        Self::SyncFull,
        Self::NoDescriptors,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Killed => "`kill -9`",
            Self::Ended => "an orderly end (`SIGTERM`)",
            Self::Stopped => "stopped for a while (`SIGSTOP`)",
            Self::StoppedAndKilled => "stopped, then `kill -9`",
            Self::LogFull => "no room for the log (`ENOSPC`)",
            Self::RowsFull => "no room for projections (`ENOSPC`)",
            Self::CheckpointFull => "no room for a checkpoint (`ENOSPC`)",
            Self::SyncBroken => "a sync fails (`EIO`)",
            Self::SyncFull => "a sync fails (`ENOSPC`)",
            Self::NoDescriptors => "no descriptors (`EMFILE`)",
        }
    }

    /// Whether a server has to go on once it is over.
    pub fn passes(self) -> bool {
        matches!(self, Self::Stopped | Self::CheckpointFull | Self::NoDescriptors)
    }

    /// Whether it ends a server that meets it.
    pub fn ends(self) -> bool {
        matches!(self, Self::LogFull | Self::RowsFull | Self::SyncBroken | Self::SyncFull)
    }

    /// The calls that fail, of which files, and how; nothing where it takes no tracer.
    fn calls(self, folder: &Path, rng: &mut Rng) -> Option<Calls> {
        let rows = ["postings", "entries", "tree"].map(|name| folder.join("projections").join(name));
        let written = "write,writev,pwrite64,pwritev,ftruncate,fallocate";
        let (names, error, paths) = match self {
            Self::LogFull => (written, "ENOSPC", vec![folder.join("log/db")]),
            Self::RowsFull => (written, "ENOSPC", rows.to_vec()),
            // Its temporary name can't be known before, and of a rename strace knows that one alone: snapshots fail as well.
            Self::CheckpointFull => ("?rename,renameat,renameat2", "ENOSPC", Vec::new()),
            Self::SyncBroken | Self::SyncFull => {
                // The log, the tree, or the folder once it has the new checkpoint.
                let synced = [folder.join("log/db"), folder.join("projections/tree"), folder.to_owned()];
                let error = if self == Self::SyncBroken { "EIO" } else { "ENOSPC" };
                ("fsync,fdatasync", error, vec![synced[rng.usize(0..synced.len())].clone()])
            }
            Self::Killed | Self::Ended | Self::Stopped | Self::StoppedAndKilled | Self::NoDescriptors => return None,
        };
        Some(Calls { names, error, from: rng.u32(1..=CALLS_BEFORE_MAX + 1), paths })
    }
}

/// Calls that fail while they are about one of these files.
struct Calls {
    names: &'static str,
    error: &'static str,
    from: u32,
    paths: Vec<PathBuf>,
}

/// What became of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is there. `met`: a call of it failed, or it can't tell.
    WentOn { met: bool },
    /// It ended by itself, with this exit code.
    EndedWith(i32),
    /// It was ended.
    WasEnded,
}

/// Inflicts a fault on a server, and waits until it is over.
///
/// # Errors
/// It ends as it may not.
pub async fn inflict(fault: Fault, server: &mut Server, place: &Place, rng: &mut Rng) -> Result<Outcome, String> {
    let lasts = Duration::from_millis(rng.u64(1..FAULT_MS_MAX));
    let mut met = true;
    match fault {
        Fault::Killed => server.signal(Signal::KILL),
        Fault::Ended => {
            server.signal(Signal::TERM);
            let status = server.end().await?;
            let is_clean = status.code() == Some(0);
            return is_clean.then_some(Outcome::WasEnded).ok_or_else(|| format!("an orderly end: {status}"));
        }
        Fault::Stopped | Fault::StoppedAndKilled => {
            server.signal(Signal::STOP);
            tokio::time::sleep(lasts).await;
            server.signal(if fault == Fault::Stopped { Signal::CONT } else { Signal::KILL });
        }
        Fault::NoDescriptors => {
            let before = getrlimit(Resource::Nofile);
            let few = Rlimit { current: Some(DESCRIPTORS_LEFT), ..before };
            prlimit(Some(server.pid()), Resource::Nofile, few).unwrap();
            // Whoever comes meanwhile waits until there is one.
            let _late = tokio::time::timeout(lasts, server.connect()).await;
            tokio::time::sleep(lasts).await;
            prlimit(Some(server.pid()), Resource::Nofile, before).unwrap();
        }
        Fault::LogFull | Fault::RowsFull | Fault::CheckpointFull | Fault::SyncBroken | Fault::SyncFull => {
            let calls = fault.calls(&place.data(), rng).unwrap();
            let tracer = Tracer::attach(server, &calls, place).await?;
            tokio::time::sleep(lasts).await;
            met = tracer.met(server, place).await;
            tracer.detach().await;
        }
    }
    if matches!(fault, Fault::Killed | Fault::StoppedAndKilled) {
        server.end().await?;
        return Ok(Outcome::WasEnded);
    }
    if met && fault.ends() {
        // One that goes on after it would acknowledge what is on no disk.
        server.end().await?;
    }
    match server.ended() {
        None => Ok(Outcome::WentOn { met }),
        Some(status) => match status.code().filter(|code| DOCUMENTED.contains(code)) {
            Some(code) if !fault.passes() => Ok(Outcome::EndedWith(code)),
            _ => Err(format!("{} ended it, {status}: {}", fault.name(), place.last_words())),
        },
    }
}

/// An strace that makes calls of a server fail.
struct Tracer(Child);

impl Tracer {
    async fn attach(server: &mut Server, calls: &Calls, place: &Place) -> Result<Self, String> {
        let pid = server.pid().as_raw_nonzero().to_string();
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &pid, "-o"]).arg(place.beside("calls"));
        for path in &calls.paths {
            command.arg("-P").arg(path);
        }
        let Calls { names, error, from, .. } = calls;
        command.args(["-e", &format!("trace={names}"), "-e", &format!("inject={names}:error={error}:when={from}+")]);
        let words = File::create(place.beside("tracer")).unwrap();
        let tracer = Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(words).spawn().unwrap());
        let (began, status) = (Instant::now(), format!("/proc/{pid}/status"));
        while began.elapsed() < PATIENCE {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let is_traced = text.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"));
            if is_traced || server.ended().is_some() {
                return Ok(tracer);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(format!("no strace: {}", std::fs::read_to_string(place.beside("tracer")).unwrap()))
    }

    /// Whether a call has failed. On a busy machine it may be a while until one is made.
    async fn met(&self, server: &mut Server, place: &Place) -> bool {
        let began = Instant::now();
        loop {
            // Looked at first: what it did before it ended is written by then.
            let has_ended = server.ended().is_some();
            let met = std::fs::read_to_string(place.beside("calls")).unwrap().contains("(INJECTED)");
            if met || has_ended || began.elapsed() > A_CALL {
                return met;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn detach(mut self) {
        // Asked to end, it lets go of every thread. It waits for ever for those of a process that ended meanwhile.
        let _ended = kill_process(Pid::from_child(&self.0), Signal::INT);
        let began = Instant::now();
        while self.0.try_wait().unwrap().is_none() && began.elapsed() < LETTING_GO {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // It may have ended already.
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}
