//! A service that gets no more descriptors: what it has goes on, and what it can't write waits.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use timebank::format::proto::{self, event::Kind, ledger_service_client::LedgerServiceClient};

use crate::harness::{Ledger, command};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_service_without_descriptors_keeps_its_checkpoint_pending_and_stays_up() {
    let mut ledger = Ledger::new().await;
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
    let mut server = command(ledger.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("serving ")).unwrap();
    let url = line.rsplit_once(" on ").unwrap().1.to_owned();
    // The connection is there before the shortage.
    ledger.client = LedgerServiceClient::connect(url).await.unwrap();
    let size = ledger.client.get_status(proto::GetStatusRequest {}).await.unwrap().into_inner().size;
    let (pid, limit) = (Pid::from_child(&server), getrlimit(Resource::Nofile));
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(3), ..limit }).unwrap();

    let region =
        |code: &str| vec![Kind::RegionDefined(proto::RegionDefined { code: code.to_owned(), parent: String::new() })];
    for code in ["york", "hull"] {
        let sheet = Some(ledger.sheet_by(&[&ledger.operator], region(code)));
        let until = i32::from(proto::Until::Durable);
        ledger.client.submit(proto::SubmitRequest { sheet, until }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let sheet = Some(ledger.sheet_by(&[&ledger.operator], region("ripon")));
    let until = i32::from(proto::Until::Published);
    let status = ledger.client.submit(proto::SubmitRequest { sheet, until }).await.unwrap_err();
    assert!(status.message().starts_with("NotPublished"), "{status:?}");
    let status = ledger.client.get_status(proto::GetStatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.size, status.checkpoint_size), (size + 3, size), "recorded, and pending");

    prlimit(Some(pid), Resource::Nofile, limit).unwrap();
    let began = Instant::now();
    while ledger.client.get_status(proto::GetStatusRequest {}).await.unwrap().into_inner().checkpoint_size < size + 3 {
        assert!(began.elapsed() < PATIENCE, "what was recorded is published");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kill_process(pid, Signal::TERM).unwrap();
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(0), "{log}");
    let told = log.lines().filter(|line| line.contains("is not held yet, and is tried again")).count();
    assert!(
        told == 1 && log.contains("Too many open files") && log.contains("entries is held"),
        "told once each: {log}"
    );
    assert!(!log.contains("Check the disk") && !log.contains("stopping"), "{log}");
}
