//! Witnesses and servers in processes of their own.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::NamedTempFile;
use timebank::{
    engine::key_file::KeyFile,
    format::{
        checkpoint::{VerifierKey, WitnessKey},
        proto::{self, event::Kind, ledger_service_client::LedgerServiceClient},
        wire,
    },
    ledger::{Millis, SheetId},
};
use tonic::transport::Channel;

/// Sends bytes as they are, and gives status, head and body.
pub(crate) fn exchange(address: &str, request: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

/// A witness in a process of its own.
pub(crate) struct Witness {
    pub(crate) process: Child,
    pub(crate) address: String,
    pub(crate) key: WitnessKey,
}

impl Witness {
    pub(crate) fn start(data: &Path, ledger: &VerifierKey) -> Self {
        Self::start_at("127.0.0.1:0", data, ledger)
    }

    pub(crate) fn start_at(listen: &str, data: &Path, ledger: &VerifierKey) -> Self {
        Self::start_with("", listen, data, ledger)
    }

    /// After a preparation of the process that it becomes, in a shell's words.
    pub(crate) fn start_with(preparation: &str, listen: &str, data: &Path, ledger: &VerifierKey) -> Self {
        let mut process = crate::program::shell(&format!("{preparation} exec \"$0\" \"$@\""))
            .args(["witness", "--listen", listen, "--ledger", &ledger.to_string(), "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut key, mut address) = (None, None);
        for line in BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok) {
            if let Some(text) = line.strip_prefix("witness key ") {
                key = Some(text.trim().parse().unwrap());
            }
            if line.starts_with("serving ") {
                address = line.rsplit_once("http://").map(|(_, address)| address.to_owned());
                break;
            }
        }
        Self { process, address: address.expect("it serves"), key: key.expect("its key") }
    }

    pub(crate) fn exchange(&self, request: &[u8]) -> (u16, String, String) {
        exchange(&self.address, request)
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> (u16, String, String) {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {length}\r\n");
        self.exchange(format!("{head}\r\n{body}").as_bytes())
    }

    pub(crate) fn add(&self, body: &str) -> (u16, String, String) {
        self.request("POST", "/add-checkpoint", body)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A server in a process of its own.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: String,
    client: LedgerServiceClient<Channel>,
    file: KeyFile,
    log: NamedTempFile,
}

pub(crate) fn serve_command(folder: &Path, options: &[String]) -> Command {
    let mut command = crate::program::program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder).args(options);
    command
}

impl Server {
    pub(crate) async fn start(folder: &Path, options: &[String]) -> Self {
        let log = NamedTempFile::new().unwrap();
        let mut command = serve_command(folder, options);
        let mut process = command.stdout(Stdio::piped()).stderr(log.reopen().unwrap()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.map_while(Result::ok).find(|line| line.starts_with("serving "));
        let line = line.unwrap_or_else(|| panic!("it does not serve: {}", fs::read_to_string(log.path()).unwrap()));
        let url = line.rsplit_once(" on ").unwrap().1.to_owned();
        let address = url.trim_start_matches("http://").to_owned();
        let client = LedgerServiceClient::connect(url).await.unwrap();
        let file = KeyFile::read(&folder.join("operator.key")).unwrap();
        Self { process, address, client, file, log }
    }

    /// What it has told its administrator so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    /// Waits until it has told its administrator all of this.
    pub(crate) async fn told(&self, parts: &[&str]) {
        let start = Instant::now();
        while let Some(missing) = parts.iter().find(|part| !self.log().contains(**part)) {
            assert!(start.elapsed() < Duration::from_secs(40), "{missing:?} is not told: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends it as an operator does.
    pub(crate) async fn stop(mut self) {
        let told = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(told.success());
        // Off this thread, so that the client's connection can take its leave.
        let ended = tokio::task::spawn_blocking(move || self.process.wait().unwrap()).await.unwrap();
        assert!(ended.success());
    }

    pub(crate) async fn vkey(&mut self) -> VerifierKey {
        let status = self.client.get_status(proto::GetStatusRequest {}).await.unwrap().into_inner();
        status.ledger_vkey.parse().unwrap()
    }

    /// Adds an entry, and gives the size after it once a checkpoint covers it.
    pub(crate) async fn add_entry(&mut self) -> u64 {
        let now = jiff::Timestamp::now().as_millisecond();
        let id = uuid::Uuid::now_v7();
        let region = proto::RegionDefined { code: id.simple().to_string(), parent: String::new() };
        let draft = wire::Draft {
            origin: &self.file.origin,
            sheet_id: SheetId(id.into_bytes()),
            issued_at: Millis(now),
            valid_until: Millis(now + 60_000),
            events: vec![Kind::RegionDefined(region)],
        };
        let sheet = wire::sign(draft, &[&self.file.key]).unwrap();
        let request = proto::SubmitRequest { sheet: Some(sheet), until: i32::from(proto::Until::Published) };
        self.client.submit(request).await.unwrap().into_inner().receipt.unwrap().index + 1
    }

    pub(crate) async fn checkpoints(&mut self) -> proto::GetCheckpointResponse {
        self.client.get_checkpoint(proto::GetCheckpointRequest {}).await.unwrap().into_inner()
    }

    /// Waits until the cosigned checkpoint is one that satisfies the caller.
    pub(crate) async fn cosigned(&mut self, enough: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let cosigned = self.checkpoints().await.cosigned;
            if !cosigned.is_empty() && enough(&cosigned) {
                return cosigned;
            }
            assert!(start.elapsed() < Duration::from_secs(40), "not in time; the newest is {cosigned:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}
