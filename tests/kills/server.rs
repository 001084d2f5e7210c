//! A server that is killed, stopped, and kept from its disk.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use timebank::format::proto::ledger_service_client::LedgerServiceClient;
use tonic::transport::{Channel, Endpoint};

use super::program::program;

/// Longer than anything here takes on a busy machine: what isn't there by then doesn't come.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// How often is looked whether a process has ended, or done something.
pub const LOOK_EVERY: Duration = Duration::from_millis(5);

pub type Client = LedgerServiceClient<Channel>;

/// The folder in which everything of a campaign is, and the data folder in it.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("ledger")
    }

    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The last line that a server said.
    pub fn last_words(&self) -> String {
        let words = std::fs::read_to_string(self.beside("words")).unwrap();
        words.lines().last().unwrap_or("nothing").to_owned()
    }
}

pub struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// # Errors
    /// It ends instead: how, and what it said.
    pub fn start(place: &Place) -> Result<Self, String> {
        let mut command = program();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(place.data());
        let words = File::create(place.beside("words")).unwrap();
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(words).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let serving = |line: String| line.strip_prefix("serving ")?.rsplit_once(" on ").map(|(_, url)| url.to_owned());
        match lines.into_iter().find_map(serving) {
            Some(url) => Ok(Self { process, url }),
            None => Err(format!("a start ended, {}: {}", process.wait().unwrap(), place.last_words())),
        }
    }

    /// # Errors
    /// It takes no connection.
    pub async fn connect(&self) -> Result<Client, String> {
        let endpoint = Endpoint::from_shared(self.url.clone()).unwrap().connect_timeout(PATIENCE);
        endpoint.connect().await.map(LedgerServiceClient::new).map_err(|error| format!("no connection: {error}"))
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    pub fn signal(&self, signal: Signal) {
        // It may have met its fault.
        let _dead = kill_process(self.pid(), signal);
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It doesn't end.
    pub async fn end(&mut self) -> Result<ExitStatus, String> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err("it doesn't end".to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// What a command says of a folder while nobody serves it, where it says anything else than that all is well.
pub fn complaint(arguments: &[&str], folder: &Path) -> Option<String> {
    let output = program().args(arguments).arg("--data").arg(folder).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.lines().last().unwrap_or_default();
    (!output.status.success()).then(|| format!("{}: {}, {last}", arguments[0], output.status))
}
