//! Sources that nobody should have to trust: servers without end, without sense and without size, disks that are full,
//! ledgers of others. Every command comes to an end by itself, says what is wrong, and never passes.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use timebank::format::{
    checkpoint,
    proto::{self, event::Kind, ledger_service_client::LedgerServiceClient},
    signature::{self, PrivateKey},
};
use timebank::server::{
    Received,
    ledger_service_server::{LedgerService, LedgerServiceServer},
};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, transport::Channel};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{harness::Ledger, support::open};

/// Address space of a command, in KiB: four times what it takes with an honest server. One that takes more is ended, and
/// ends with no code at all.
const MEMORY_KIB: u32 = 4 * 1_024 * 1_024;

/// Runs the command in a shell, after a preparation of the process that it becomes.
async fn timebank(preparation: &str, arguments: &[&str]) -> (i32, String) {
    let script = format!("ulimit -v {MEMORY_KIB}; {preparation} exec \"$0\" \"$@\"");
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let run = move || crate::program::shell(&script).args(arguments).output().unwrap();
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(run).await.unwrap();
    let text = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(!text.contains("panicked"), "{text}");
    (status.code().unwrap_or_else(|| panic!("it was ended by a signal: {text}")), text)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

/// What a server does to whoever reads from it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mischief {
    /// The first entry, for ever.
    SameEntry,
    /// Between the entries that are asked for, others, for ever.
    StrangeEntries,
    /// Messages without an entry, for ever.
    NoEntries,
    /// Entries without contents, for ever, and a checkpoint that asks for them.
    EmptyEntries,
    /// An entry of 20 MiB.
    LargeEntry,
    /// A list of accounts whose pages begin again.
    SamePage,
    /// Pages without accounts, for ever.
    EmptyPages,
    /// Answers as of an entry that no log will ever have.
    FarAway,
    /// A checkpoint of 8 MiB.
    LargeCheckpoint,
    /// No checkpoint covers anything in time: what comes is recorded all the same.
    Unpublished,
}

#[derive(Clone)]
struct Hostile {
    honest: LedgerServiceClient<Channel>,
    mischief: Mischief,
}

type Entries = std::pin::Pin<Box<dyn Stream<Item = Result<proto::SubscribeResponse, Status>> + Send>>;

macro_rules! forward {
    ($($method:ident($request:ident $($received:ident)?) -> $response:ident)*) => {
        #[tonic::async_trait]
        impl LedgerService for Hostile {
            type SubmitStreamStream = Streaming<proto::SubmitStreamResponse>;
            type SubscribeStream = Entries;

            $(async fn $method(&self, request: Request<crate::harness::request!($request $($received)?)>) -> Result<Response<proto::$response>, Status> {
                let mut request = crate::harness::decoded!(request $($received)?);
                if let Some(page) = (request.get_mut() as &mut dyn std::any::Any).downcast_mut::<proto::ListAccountsRequest>() {
                    page.cursor.clear();
                }
                let is_withheld = self.withholds(request.get_mut());
                let mut response = self.honest.clone().$method(request).await?;
                if is_withheld {
                    return Err(Status::with_error_details(
                        tonic::Code::Unavailable,
                        "NotPublished: no checkpoint covers it yet",
                        ErrorDetails::with_error_info("NotPublished", "timebank", []),
                    ));
                }
                self.change(response.get_mut());
                Ok(response)
            })*

            async fn submit_stream(
                &self,
                _request: Request<Streaming<Received<proto::SubmitStreamRequest>>>,
            ) -> Result<Response<Self::SubmitStreamStream>, Status> {
                Err(Status::unimplemented("nothing is taken here"))
            }

            async fn subscribe(&self, request: Request<proto::SubscribeRequest>) -> Result<Response<Entries>, Status> {
                let honest = self.honest.clone().subscribe(request).await?.into_inner();
                Ok(Response::new(self.entries(honest)))
            }
        }
    };
}

forward! {
    submit(SubmitRequest received) -> SubmitResponse
    submit_list(SubmitListRequest received) -> SubmitListResponse
    dry_run(DryRunRequest received) -> DryRunResponse
    get_status(GetStatusRequest) -> GetStatusResponse
    get_checkpoint(GetCheckpointRequest) -> GetCheckpointResponse
    get_entry(GetEntryRequest) -> GetEntryResponse
    get_receipt(GetReceiptRequest) -> GetReceiptResponse
    get_account(GetAccountRequest) -> GetAccountResponse
    find_accounts(FindAccountsRequest) -> FindAccountsResponse
    get_record(GetRecordRequest) -> GetRecordResponse
    get_records(GetRecordsRequest) -> GetRecordsResponse
    list_accounts(ListAccountsRequest) -> ListAccountsResponse
    get_balance(GetBalanceRequest) -> GetBalanceResponse
    list_history(ListHistoryRequest) -> ListHistoryResponse
    list_holds(ListHoldsRequest) -> ListHoldsResponse
    list_keys(ListKeysRequest) -> ListKeysResponse
    list_regions(ListRegionsRequest) -> ListRegionsResponse
    get_state_digest(GetStateDigestRequest) -> GetStateDigestResponse
    get_inclusion_proof(GetInclusionProofRequest) -> GetInclusionProofResponse
    get_consistency_proof(GetConsistencyProofRequest) -> GetConsistencyProofResponse
    get_event_proof(GetEventProofRequest) -> GetEventProofResponse
}

fn endless(next: impl Fn(u64) -> Option<proto::Entry> + Send + 'static) -> Entries {
    let numbers = tokio_stream::iter(0..);
    Box::pin(numbers.map(move |number| Ok(proto::SubscribeResponse { entry: next(number) })))
}

impl Hostile {
    fn change(&self, response: &mut dyn std::any::Any) {
        let does = |mischief| self.mischief == mischief;
        if let Some(accounts) = response.downcast_mut::<proto::ListAccountsResponse>() {
            if does(Mischief::EmptyPages) {
                accounts.accounts.clear();
            }
            if does(Mischief::EmptyPages) || does(Mischief::SamePage) {
                "again".clone_into(&mut accounts.next_cursor);
            }
            if does(Mischief::FarAway) {
                accounts.reflected_index = u64::MAX;
            }
        }
        if let Some(answer) = response.downcast_mut::<proto::GetCheckpointResponse>() {
            if does(Mischief::EmptyEntries) {
                let origin = answer.checkpoint.lines().next().unwrap().to_owned();
                let key = PrivateKey::generate();
                answer.checkpoint = checkpoint::sign(&origin, 1 << 40, &[7; 32], key.signing_key());
            }
            if does(Mischief::LargeCheckpoint) {
                answer.checkpoint = "x".repeat(8 << 20);
            }
        }
    }

    /// Whether the proof that a request waits for never comes.
    fn withholds(&self, request: &mut dyn std::any::Any) -> bool {
        let Some(submit) = request.downcast_mut::<proto::SubmitRequest>() else { return false };
        let waits = std::mem::replace(&mut submit.until, i32::from(proto::Until::Durable));
        self.mischief == Mischief::Unpublished && waits == i32::from(proto::Until::Published)
    }

    fn entries(&self, honest: Streaming<proto::SubscribeResponse>) -> Entries {
        let some = |index, event: usize| {
            let events = if event > 0 { vec![vec![7; event].into()] } else { Vec::new() };
            let sheet = Some(proto::Sheet { events, ..proto::Sheet::default() });
            Some(proto::Entry { index, recorded_at_ms: 0, sheet })
        };
        match self.mischief {
            Mischief::NoEntries => endless(|_| None),
            Mischief::EmptyEntries => endless(move |number| some(number, 0)),
            Mischief::LargeEntry => endless(move |number| some(number, 20 << 20)),
            Mischief::SameEntry => {
                let mut first = None;
                let forever = honest.chain(endless(|_| None));
                Box::pin(forever.map(move |entry| Ok(first.get_or_insert_with(|| entry.unwrap()).clone())))
            }
            Mischief::StrangeEntries => {
                let more = endless(move |number| some(1_000 + number, 100));
                Box::pin(honest.merge(more))
            }
            Mischief::SamePage
            | Mischief::EmptyPages
            | Mischief::FarAway
            | Mischief::LargeCheckpoint
            | Mischief::Unpublished => Box::pin(honest),
        }
    }
}

/// The address of a server that does this.
async fn hostile(ledger: &Ledger, mischief: Mischief) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = LedgerServiceServer::new(Hostile { honest: ledger.client.clone(), mischief });
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    url
}

async fn ledger() -> Ledger {
    let mut ledger = Ledger::new().await;
    let sheet = ledger.sheet(vec![ledger.half_hour(0, 1), ledger.half_hour(1, 1)]);
    ledger.submit(sheet, proto::Until::Published).await.unwrap();
    ledger
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_of_a_server_without_end_or_sense_ends_and_does_not_pass() {
    let ledger = ledger().await;
    let cases = [
        (Mischief::SameEntry, 1, "IndexGap"),
        (Mischief::StrangeEntries, 1, "Undecodable"),
        (Mischief::NoEntries, 1, "no sheet"),
        (Mischief::EmptyEntries, 1, "Undecodable"),
        (Mischief::LargeEntry, 3, "too large"),
        (Mischief::SamePage, 1, "does not end"),
        (Mischief::EmptyPages, 1, "does not end"),
        (Mischief::FarAway, 1, "reflect entry 18446744073709551615"),
        (Mischief::LargeCheckpoint, 1, "checkpoint is none"),
    ];
    for (mischief, code, words) in cases {
        let url = hostile(&ledger, mischief).await;
        let memory = tempfile::tempdir().unwrap();
        let (found, said) = timebank("", &["audit", "--json", "--memory", text(memory.path()), "--server", &url]).await;
        assert_eq!(found, code, "{mischief:?}: {said}");
        assert!(said.contains(words), "{mischief:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_from_a_server_without_end_or_sense_ends_and_leaves_nothing() {
    let ledger = ledger().await;
    let cases = [
        (Mischief::SameEntry, 1),
        (Mischief::StrangeEntries, 1),
        (Mischief::NoEntries, 1),
        (Mischief::EmptyEntries, 1),
        (Mischief::LargeEntry, 3),
        (Mischief::LargeCheckpoint, 1),
    ];
    for (mischief, code) in cases {
        let url = hostile(&ledger, mischief).await;
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("archive");
        let (found, said) = timebank("", &["export", "--server", &url, "--out", text(&out)]).await;
        assert_eq!(found, code, "{mischief:?}: {said}");
        assert_eq!(names(folder.path()), Vec::<String>::new(), "{mischief:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_and_not_published_in_time_has_its_receipt_all_the_same() {
    let mut ledger = ledger().await;
    let url = hostile(&ledger, Mischief::Unpublished).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, size) = (folder.path().join("sheet"), ledger.status().await.size);
    let sheet = ledger.sheet(vec![ledger.half_hour(0, 2)]);
    fs::write(&file, prost::Message::encode_to_vec(&sheet)).unwrap();
    let (code, said) = timebank("", &["submit", text(&file), "--json", "--server", &url]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("NotPublished") && said.contains(&format!("\"index\":{size}")), "{said}");
    assert!(!said.contains("inclusion_proof"), "{said}");
    assert_eq!(ledger.status().await.size, size + 1, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_of_files_without_end_ends_and_does_not_pass() {
    let mut ledger = ledger().await;
    let vkey = ledger.status().await.ledger_vkey;
    let request = proto::GetCheckpointRequest {};
    let note = ledger.client.get_checkpoint(request).await.unwrap().into_inner().checkpoint;
    for endless_checkpoint in [true, false] {
        let forever = || async {
            let chunks = tokio_stream::iter(0_u64..).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 1 << 16]));
            axum::body::Body::from_stream(chunks)
        };
        let mut routes = axum::Router::new().fallback(forever);
        if !endless_checkpoint {
            let note = note.clone();
            routes = routes.route("/checkpoint", axum::routing::get(move || async move { note }));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder().add_routes(tonic::service::Routes::from(routes));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        let (code, said) = timebank("", &["mirror", "--server", &url, "--vkey", &vkey, text(&copy)]).await;
        assert_eq!(code, 3, "{said}");
        assert!(!copy.join("checkpoint").exists(), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_fails_the_export_and_keeps_what_was_there() {
    let mut ledger = ledger().await;
    // 300 random ids are more than what the disk below takes.
    let resident = |_| open(signature::random(), proto::AccountKind::Resident, "", Some(ledger.station));
    let opened: Vec<Kind> = (0..300).map(resident).collect();
    let sheet = ledger.sheet(opened);
    ledger.submit(sheet, proto::Until::Published).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("archive");
    fs::write(&out, "what was there").unwrap();
    // 8 blocks of 512 bytes, and an error instead of a signal.
    let full = "trap '' XFSZ; ulimit -f 8;";
    let (code, said) = timebank(full, &["export", "--force", "--server", &ledger.url, "--out", text(&out)]).await;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("was not written: the archive's frame 0"), "{said}");
    assert_eq!(names(folder.path()), ["archive"], "no half of one");
    assert_eq!(fs::read_to_string(&out).unwrap(), "what was there");
    let (code, said) = timebank("", &["export", "--force", "--server", &ledger.url, "--out", text(&out)]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_never_takes_the_place_of_a_device_or_a_folder() {
    let ledger = ledger().await;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for out in [&pipe, folder.path()] {
        let (code, said) = timebank("", &["export", "--force", "--server", &ledger.url, "--out", text(out)]).await;
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("is no file"), "{said}");
    }
    assert_eq!(names(folder.path()), ["pipe"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_another_ledger_is_named_for_what_it_is() {
    let (ledger, other) = (ledger().await, ledger().await);
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    let (code, said) = timebank("", &["export", "--server", &other.url, "--out", text(&archive)]).await;
    assert_eq!(code, 0, "{said}");
    let pin = ledger.folder.path().join("ledger.pin");
    let memory = folder.path().join("memory");
    let arguments = ["audit", "--json", "--memory", text(&memory), "--archive", text(&archive), "--pin", text(&pin)];
    let (code, said) = timebank("", &arguments).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("NotAsPinned"), "{said}");
}
