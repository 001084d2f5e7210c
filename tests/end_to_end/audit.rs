//! Audits of a real server, honest or lying, and of what it exported.

use std::{fs, path::Path, process::Output};

use serde_json::Value;
use timebank::server::{
    Received,
    ledger_service_server::{LedgerService, LedgerServiceServer},
};
use timebank::{
    engine::key_file::KeyFile,
    format::{
        archive::{Reader, Writer},
        proto::{self, ledger_service_client::LedgerServiceClient},
    },
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, transport::Channel};

use crate::{harness::Ledger, support::bytes};

pub(crate) async fn timebank(arguments: &[&str]) -> Output {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let run = move || crate::program::program().args(arguments).output().unwrap();
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// An audit's exit code and report.
pub(crate) async fn audit(arguments: &[&str]) -> (i32, Value) {
    let memory = tempfile::tempdir().unwrap();
    let own = ["--memory", text(memory.path())];
    let remembers: &[&str] = if arguments.contains(&"--memory") { &[] } else { &own };
    let output = timebank(&[&["audit", "--json"], remembers, arguments].concat()).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = serde_json::from_str(&text).unwrap_or(Value::Null);
    (output.status.code().unwrap(), report)
}

/// A ledger with records, a transfer's worth of history, and an open hold.
async fn ledger() -> Ledger {
    let mut ledger = Ledger::new().await;
    for number in 0..5 {
        ledger.accept(vec![ledger.half_hour(0, 1 + number), ledger.half_hour(1, 1 + number)]).await;
    }
    let resident = ledger.enrol(proto::KeyRole::Resident, ledger.people[0]).await;
    let placed = proto::event::Kind::HoldPlaced(proto::HoldPlaced {
        payer: bytes(&ledger.people[0]),
        station: bytes(&ledger.station),
        minutes: 20,
        expires_at_ms: jiff::Timestamp::now().as_millisecond() + 86_400_000,
    });
    let sheet = ledger.sheet_by(&[&resident], vec![placed]);
    ledger.submit(sheet, proto::Until::Published).await.unwrap();
    ledger
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn an_honest_server_passes_with_all_that_it_answers() {
    let mut ledger = ledger().await;
    let pin = ledger.folder.path().join("ledger.pin");
    let (code, report) = audit(&["--server", &ledger.url, "--pin", text(&pin)]).await;
    assert_eq!((code, &report["verdict"], &report["pinned"]), (0, &"verified".into(), &true.into()), "{report}");
    let size = ledger.status().await.size;
    assert_eq!((report["entries"].as_u64(), report["compared_at"].as_u64()), (Some(size), Some(size - 1)));
    let other = Ledger::new().await;
    let (code, report) = audit(&["--server", &other.url, "--pin", text(&pin)]).await;
    assert_eq!((code, &report["finding"]["code"]), (1, &"NotAsPinned".into()), "{report}");
}

#[tokio::test]
async fn a_row_of_history_that_was_changed_on_the_disk_is_named() {
    let ledger = ledger().await;
    let rows = ledger.folder.path().join("projections").join("postings");
    let mut contents = fs::read(&rows).unwrap();
    // The third row's minutes, the first field of 100 bytes. A server tells nobody what is in a row that is damaged.
    let row = &mut contents[200..300];
    row[0] ^= 1;
    let checksum = crc32fast::hash(&row[..96]).to_le_bytes();
    let sound = row[96..].to_vec();
    fs::write(&rows, &contents).unwrap();
    assert_eq!(audit(&["--server", &ledger.url]).await.0, 3);
    // Whoever changes a row can give it its checksum.
    assert_ne!(checksum.as_slice(), sound);
    contents[296..300].copy_from_slice(&checksum);
    fs::write(&rows, contents).unwrap();
    let (code, report) = audit(&["--server", &ledger.url]).await;
    let finding = &report["finding"];
    assert_eq!((code, &finding["code"]), (1, &"StateDiffers".into()), "{report}");
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains("of the history of") && message.contains("min with"), "{message}");
}

#[tokio::test]
async fn one_changed_minute_in_an_archive_names_its_entry() {
    let ledger = ledger().await;
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    let exported = timebank(&["export", "--server", &ledger.url, "--out", text(&good)]).await;
    assert!(exported.status.success());
    let (code, report) = audit(&["--archive", text(&good)]).await;
    assert_eq!((code, &report["verdict"]), (0, &"verified".into()), "{report}");

    // Whoever writes a file can write its hashes: the archive is sound as a file.
    let mut reader = Reader::new(fs::File::open(&good).unwrap()).unwrap();
    let mut writer = Writer::new(Vec::new(), &ledger.origin).unwrap();
    while let Some(entries) = reader.next_entries().unwrap() {
        for mut entry in entries {
            if entry.index == 4 {
                let mut event: proto::Event = prost::Message::decode(entry.events[1].clone()).unwrap();
                let Some(proto::event::Kind::ServiceRecorded(recorded)) = &mut event.kind else { panic!("{event:?}") };
                recorded.service.as_mut().unwrap().credited_minutes += 1;
                entry.events[1] = prost::Message::encode_to_vec(&event).into();
            }
            writer.push(&entry).unwrap();
        }
    }
    fs::write(&bad, writer.finish(reader.note().unwrap()).unwrap()).unwrap();
    let (code, report) = audit(&["--archive", text(&bad)]).await;
    let finding = &report["finding"];
    assert_eq!((code, &finding["code"], &finding["entry"]), (1, &"Undecodable".into(), &4.into()), "{report}");
    assert_eq!(finding["rule"], "EventsRootMismatch");

    // A byte flipped in place: the frame is damaged, and the entry is told all the same.
    let mut damaged = fs::read(&good).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 4;
    fs::write(&bad, &damaged).unwrap();
    let (code, report) = audit(&["--archive", text(&bad)]).await;
    assert_eq!(code, 1, "{report}");
    assert!(report["finding"]["entry"].is_u64(), "{report}");
    for cut in [0, 10, 100, middle, damaged.len() - 1] {
        fs::write(&bad, &fs::read(&good).unwrap()[..cut]).unwrap();
        assert_eq!(audit(&["--archive", text(&bad)]).await.0, 1, "cut at {cut}");
    }
    assert_eq!(audit(&["--archive", "/nowhere/at/all"]).await.0, 3);
    assert_eq!(audit(&[]).await.0, 2);
    assert_eq!(audit(&["--server", "http://127.0.0.1:1"]).await.0, 3);
}

#[tokio::test]
async fn a_data_folder_is_audited_with_its_tree() {
    let mut ledger = ledger().await;
    let folder = ledger.folder.path().to_owned();
    assert_eq!(audit(&["--data", text(&folder)]).await.0, 3, "somebody serves it");
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
    let (code, report) = audit(&["--data", text(&folder)]).await;
    assert_eq!((code, &report["verdict"]), (0, &"verified".into()), "{report}");
}

#[tokio::test]
async fn a_data_folder_is_audited_on_from_what_was_verified_before() {
    let mut ledger = ledger().await;
    let scratch = tempfile::tempdir().unwrap();
    let [memory, backup] = ["memory", "backup"].map(|name| scratch.path().join(name));
    let folder = ledger.folder.path().to_owned();
    let stop = |ledger: &mut Ledger| {
        ledger.server.kill().unwrap();
        ledger.server.wait().unwrap();
    };
    stop(&mut ledger);
    let arguments = ["--data", text(&folder), "--memory", text(&memory)];
    let (code, first) = audit(&arguments).await;
    assert_eq!((code, &first["resumed_at"]), (0, &0.into()), "{first}");
    copy(&folder, &backup);
    ledger.restart().await;
    // Corrects what only the remembered events tell.
    let published = proto::Until::Published;
    let sheet = ledger.sheet(vec![crate::support::reverse(crate::support::at(3, 0)), ledger.half_hour(1, 20)]);
    ledger.submit(sheet, published).await.unwrap();
    stop(&mut ledger);
    let (code, grown) = audit(&arguments).await;
    assert_eq!((code, &grown["resumed_at"]), (0, &first["entries"]), "{grown}");

    // A byte of an entry, and a hash of the tree, from before what is remembered.
    let entry = |damaged: &Path| {
        let db = crate::store::opened_store(damaged.join("log"));
        let (key, value) = db.scan_prefix(b"b").nth(2).unwrap().unwrap();
        let mut value = value.to_vec();
        value[60] ^= 4;
        db.insert(key, value).unwrap();
    };
    let hash = |damaged: &Path| {
        let path = damaged.join("projections/tree");
        let mut hashes = fs::read(&path).unwrap();
        hashes[3 * 32 + 3] ^= 4;
        fs::write(path, hashes).unwrap();
    };
    for (damage, named) in [(&entry as &dyn Fn(&Path), "entry"), (&hash, "tree")] {
        let damaged = scratch.path().join(named);
        copy(&folder, &damaged);
        damage(&damaged);
        let (code, report) = audit(&["--data", text(&damaged), "--memory", text(&memory)]).await;
        assert_eq!((code, &report["resumed_at"]), (1, &0.into()), "{named}: {report}");
        assert!(report["finding"].to_string().contains(named), "{named}: {report}");
        // What was verified of the sound one is gone from the memory, and nothing else.
        assert_eq!(audit(&arguments).await.0, 0, "{named}");
    }

    // Zeros are what a power cut leaves of hashes that a start was writing again: no more is said of them than of none.
    let zeroed = scratch.path().join("zeroed");
    copy(&folder, &zeroed);
    let path = zeroed.join("projections/tree");
    let zeros = vec![0; fs::read(&path).unwrap().len()];
    fs::write(path, zeros).unwrap();
    assert_eq!(audit(&["--data", text(&zeroed)]).await.0, 0);

    // The same ledger from a backup, going on otherwise.
    fs::remove_dir_all(&folder).unwrap();
    copy(&backup, &folder);
    ledger.restart().await;
    ledger.accept(vec![ledger.half_hour(1, 21)]).await;
    let sheet = ledger.sheet(vec![ledger.half_hour(1, 22)]);
    ledger.submit(sheet, published).await.unwrap();
    stop(&mut ledger);
    let (code, forked) = audit(&arguments).await;
    assert_eq!((code, &forked["finding"]["code"]), (1, &"Forked".into()), "{forked}");
    let evidence = fs::read_dir(fs::read_dir(&memory).unwrap().next().unwrap().unwrap().path()).unwrap();
    let evidence =
        evidence.map(|file| file.unwrap().path()).find(|path| path.extension().is_some_and(|end| end == "pair"));
    let verified = timebank(&["verify-evidence", text(&evidence.unwrap())]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// What a lying server changes.
#[derive(Clone, Copy, PartialEq)]
enum Lie {
    Balance,
    Held,
    HoldMinutes,
    HoldMissing,
    AccountMissing,
    Digest,
    Entry,
    Proof,
    Cosigned,
}

/// A server that answers as another does, but for one lie.
#[derive(Clone)]
struct Liar {
    honest: LedgerServiceClient<Channel>,
    lie: Lie,
    /// Signed by the ledger's own key, over entries that it doesn't have.
    forged: String,
}

type Entries = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<proto::SubscribeResponse, Status>> + Send>>;

macro_rules! forward {
    ($($method:ident($request:ident $($received:ident)?) -> $response:ident)*) => {
        #[tonic::async_trait]
        impl LedgerService for Liar {
            type SubmitStreamStream = Streaming<proto::SubmitStreamResponse>;
            type SubscribeStream = Entries;

            $(async fn $method(&self, request: Request<crate::harness::request!($request $($received)?)>) -> Result<Response<proto::$response>, Status> {
                let request = crate::harness::decoded!(request $($received)?);
                let mut response = self.honest.clone().$method(request).await?;
                self.change(response.get_mut());
                Ok(response)
            })*

            async fn submit_stream(
                &self,
                _request: Request<Streaming<Received<proto::SubmitStreamRequest>>>,
            ) -> Result<Response<Self::SubmitStreamStream>, Status> {
                Err(Status::unimplemented("a liar takes nothing"))
            }

            async fn subscribe(&self, request: Request<proto::SubscribeRequest>) -> Result<Response<Entries>, Status> {
                use tokio_stream::StreamExt;
                let entries = self.honest.clone().subscribe(request).await?.into_inner();
                let lie = self.lie;
                let changed = entries.map(move |entry| entry.map(|mut entry| {
                    if let Some(entry) = entry.entry.as_mut().filter(|entry| lie == Lie::Entry && entry.index == 3) {
                        entry.recorded_at_ms += 1;
                    }
                    entry
                }));
                Ok(Response::new(Box::pin(changed)))
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

impl Liar {
    fn change(&self, response: &mut dyn std::any::Any) {
        if let Some(accounts) = response.downcast_mut::<proto::ListAccountsResponse>() {
            match self.lie {
                Lie::Balance => accounts.accounts[2].balance_minutes += 1,
                Lie::Held => accounts.accounts[2].held_minutes -= 1,
                Lie::AccountMissing => drop(accounts.accounts.pop()),
                Lie::HoldMinutes | Lie::HoldMissing | Lie::Digest | Lie::Entry | Lie::Proof | Lie::Cosigned => {}
            }
        }
        if let Some(holds) = response.downcast_mut::<proto::ListHoldsResponse>() {
            match self.lie {
                Lie::HoldMinutes => holds.holds[0].minutes += 1,
                Lie::HoldMissing => drop(holds.holds.pop()),
                Lie::Balance
                | Lie::Held
                | Lie::AccountMissing
                | Lie::Digest
                | Lie::Entry
                | Lie::Proof
                | Lie::Cosigned => {}
            }
        }
        if let Some(digest) = response.downcast_mut::<proto::GetStateDigestResponse>()
            && self.lie == Lie::Digest
        {
            digest.range_digests[0] = vec![7; 32].into();
        }
        if let Some(shown) = response.downcast_mut::<proto::GetCheckpointResponse>()
            && self.lie == Lie::Cosigned
        {
            shown.cosigned.clone_from(&self.forged);
        }
        if let Some(proof) = response.downcast_mut::<proto::GetConsistencyProofResponse>()
            && self.lie == Lie::Proof
        {
            proof.hashes[0] = vec![7; 32].into();
        }
    }
}

/// Another server for the same ledger, that lies.
async fn lying(ledger: &Ledger, lie: Lie) -> (String, tokio::task::JoinHandle<Result<(), tonic::transport::Error>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let key = KeyFile::read(&ledger.folder.path().join("ledger.key")).unwrap().key;
    let forged = timebank::format::checkpoint::sign(&ledger.origin, 3, &[7; 32], key.signing_key());
    let liar = LedgerServiceServer::new(Liar { honest: ledger.client.clone(), lie, forged });
    let server = tonic::transport::Server::builder().add_service(liar);
    (url, tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener))))
}

#[tokio::test]
async fn a_server_that_does_not_show_that_it_goes_on_is_told_from_one_that_forked() {
    let mut ledger = ledger().await;
    let memory = tempfile::tempdir().unwrap();
    let memory = text(memory.path());
    assert_eq!(audit(&["--server", &ledger.url, "--memory", memory]).await.0, 0);
    ledger.accept(vec![ledger.half_hour(0, 30)]).await;
    let (url, serving) = lying(&ledger, Lie::Proof).await;
    let (code, report) = audit(&["--server", &url, "--memory", memory]).await;
    assert_eq!((code, &report["finding"]["code"]), (1, &"NotConsistent".into()), "{report}");
    assert!(!report["finding"]["message"].as_str().unwrap().contains("evidence"));
    serving.abort();
    assert_eq!(audit(&["--server", &ledger.url, "--memory", memory]).await.0, 0, "the honest one is believed again");
}

#[tokio::test]
async fn a_server_that_lies_about_one_thing_is_caught_and_the_thing_named() {
    let ledger = ledger().await;
    let person = hex::encode(ledger.people[0]);
    let cases = [
        (Lie::Balance, "StateDiffers", "the balance of "),
        (Lie::Held, "StateDiffers", "what is reserved on "),
        (Lie::AccountMissing, "StateDiffers", "the number of accounts"),
        (Lie::HoldMinutes, "StateDiffers", "the amount of hold "),
        (Lie::HoldMissing, "StateDiffers", "the number of open holds"),
        (Lie::Digest, "StateDiffers", "the digest"),
        (Lie::Entry, "RootMismatch", "another history"),
        (Lie::Cosigned, "Forked", "two histories"),
    ];
    for (lie, code, words) in cases {
        let (url, serving) = lying(&ledger, lie).await;
        let (exit, report) = audit(&["--server", &url]).await;
        let finding = &report["finding"];
        let message = finding["message"].as_str().unwrap_or_default();
        assert_eq!((exit, finding["code"].as_str()), (1, Some(code)), "{report}");
        assert!(message.contains(words), "{message}");
        let named = if lie == Lie::Entry { Some(3) } else { None };
        assert_eq!(finding["entry"].as_u64(), named, "{report}");
        if matches!(lie, Lie::Balance | Lie::Held) {
            assert!(message.contains(&person), "{message}");
            assert_ne!(finding["expected"], finding["found"]);
        }
        serving.abort();
    }
    // None of the lies touched the ledger.
    assert_eq!(audit(&["--server", &ledger.url]).await.0, 0);
}

fn key_of(vkey: &str) -> timebank::format::checkpoint::VerifierKey {
    vkey.parse().unwrap()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    let _absent = fs::remove_dir_all(to);
    assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

#[tokio::test]
async fn an_auditor_who_remembers_verifies_what_is_new_and_convicts_a_ledger_that_takes_back() {
    let mut ledger = ledger().await;
    let scratch = tempfile::tempdir().unwrap();
    let (memory, backup) = (scratch.path().join("memory"), scratch.path().join("backup"));
    let folder = ledger.folder.path().to_owned();
    let url = ledger.url.clone();
    let (code, first) = audit(&["--server", &url, "--memory", text(&memory)]).await;
    assert_eq!((code, &first["pinned"]), (0, &false.into()), "{first}");
    let (code, again) = audit(&["--server", &url, "--memory", text(&memory)]).await;
    assert_eq!((code, &again["pinned"], &again["resumed_at"]), (0, &false.into(), &first["entries"]), "{again}");
    assert_eq!((&first["resumed_at"], &again["events"]), (&0.into(), &first["events"]), "nothing is new");

    // Of the new entries one corrects what only the remembered events tell.
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
    copy(&folder, &backup);
    ledger.restart().await;
    ledger.accept(vec![crate::support::reverse(crate::support::at(3, 0)), ledger.half_hour(1, 20)]).await;
    let url = ledger.url.clone();
    let (code, grown) = audit(&["--server", &url, "--memory", text(&memory)]).await;
    assert_eq!((code, &grown["resumed_at"]), (0, &first["entries"]), "only the new entry: {grown}");
    assert_eq!(grown["events"].as_u64().unwrap(), first["events"].as_u64().unwrap() + 2);
    let size = grown["checkpoint_size"].as_u64().unwrap();
    assert_eq!(grown["entries"].as_u64(), Some(size));

    // A backup from before is served: entries are gone, and then another history grows in their place.
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
    copy(&backup, &folder);
    ledger.restart().await;
    let url = ledger.url.clone();
    let (code, shrunk) = audit(&["--server", &url, "--memory", text(&memory)]).await;
    assert_eq!((code, &shrunk["finding"]["code"]), (1, &"LogShrank".into()), "{shrunk}");
    ledger.accept(vec![ledger.half_hour(0, 21)]).await;
    let (code, forked) = audit(&["--server", &url, "--memory", text(&memory)]).await;
    assert_eq!((code, &forked["finding"]["code"]), (1, &"Forked".into()), "{forked}");
    ledger.accept(vec![ledger.half_hour(0, 22)]).await;
    let (code, longer) = audit(&["--server", &url, "--memory", text(&memory)]).await;
    assert_eq!((code, &longer["finding"]["code"]), (1, &"Forked".into()), "{longer}");
    // Both are convicted by files that anybody can check: of as many entries, and of more.
    let vkey = ledger.status().await.ledger_vkey;
    for report in [forked, longer] {
        let message = report["finding"]["message"].as_str().unwrap();
        let path = message.split_whitespace().find(|word| word.contains("evidence-")).unwrap().trim_end_matches(':');
        let convicted = timebank(&["verify-evidence", path, "--key", &vkey]).await;
        assert_eq!(convicted.status.code(), Some(0), "{report}: {}", String::from_utf8_lossy(&convicted.stderr));
        assert!(String::from_utf8_lossy(&convicted.stdout).contains("two histories"));
        let stranger = timebank::format::checkpoint::VerifierKey::new("other", *key_of(&vkey).public_key()).unwrap();
        let acquitted = timebank(&["verify-evidence", path, "--key", &stranger.to_string()]).await;
        assert_eq!(acquitted.status.code(), Some(1));
    }
}

/// Everything that was acknowledged is in it, whether a checkpoint was over it already or not.
pub(crate) async fn export(ledger: &Ledger, out: &Path) {
    let output = timebank(&["export", "--out", text(out), "--server", &ledger.url, "--force"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn an_archive_is_audited_on_from_what_was_verified_before() {
    let mut ledger = ledger().await;
    let scratch = tempfile::tempdir().unwrap();
    let [memory, backup, file] = ["memory", "backup", "archive"].map(|name| scratch.path().join(name));
    let folder = ledger.folder.path().to_owned();
    export(&ledger, &file).await;
    let arguments = ["--archive", text(&file), "--memory", text(&memory)];
    let (code, first) = audit(&arguments).await;
    assert_eq!((code, &first["resumed_at"]), (0, &0.into()), "{first}");
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
    copy(&folder, &backup);
    ledger.restart().await;
    ledger.accept(vec![crate::support::reverse(crate::support::at(3, 0)), ledger.half_hour(1, 20)]).await;
    export(&ledger, &file).await;
    let (code, grown) = audit(&arguments).await;
    assert_eq!((code, &grown["resumed_at"]), (0, &first["entries"]), "{grown}");
    assert_eq!(grown["events"].as_u64().unwrap(), first["events"].as_u64().unwrap() + 2);

    // Another history of the same ledger, as sound by itself.
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
    copy(&backup, &folder);
    ledger.restart().await;
    ledger.accept(vec![ledger.half_hour(0, 21)]).await;
    for number in 22..25 {
        ledger.accept(vec![ledger.half_hour(0, number)]).await;
    }
    export(&ledger, &file).await;
    assert_eq!(audit(&["--archive", text(&file)]).await.0, 0, "who remembers nothing finds nothing");
    let (code, forked) = audit(&arguments).await;
    assert_eq!((code, &forked["finding"]["code"]), (1, &"Forked".into()), "{forked}");
    let message = forked["finding"]["message"].as_str().unwrap();
    let path = message.split_whitespace().find(|word| word.contains("evidence-")).unwrap().trim_end_matches(':');
    let convicted = timebank(&["verify-evidence", path, "--key", &ledger.status().await.ledger_vkey]).await;
    assert_eq!(convicted.status.code(), Some(0), "{}", String::from_utf8_lossy(&convicted.stderr));
}

#[tokio::test]
async fn an_audit_that_is_interrupted_goes_on_where_it_was() {
    use std::io::Write;
    let mut ledger = Ledger::new().await;
    for sheet in 0..200 {
        let hours = || sheet * 40..sheet * 40 + 40;
        let events = hours().flat_map(|hour| [ledger.half_hour(0, hour), ledger.half_hour(1, hour)]).collect();
        ledger.accept(events).await;
    }
    let scratch = tempfile::tempdir().unwrap();
    let [memory, file, pipe] = ["memory", "archive", "pipe"].map(|name| scratch.path().join(name));
    export(&ledger, &file).await;
    let bytes = fs::read(&file).unwrap();
    assert!(bytes.len() > 300_000, "several frames, and more than a pipe holds: {}", bytes.len());
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let arguments = ["audit", "--json", "--archive", text(&pipe), "--memory", text(&memory)];
    let mut interrupted = crate::program::program();
    let mut interrupted = interrupted.args(arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut into = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    let (half, rest) = bytes.split_at(bytes.len() * 2 / 3);
    into.write_all(half).unwrap();
    let id = interrupted.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    // It notices, and then gets what it waits for.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let _gone = into.write_all(rest);
    drop(into);
    assert_eq!(interrupted.wait().unwrap().code(), Some(3));
    let (code, report) = audit(&["--archive", text(&file), "--memory", text(&memory)]).await;
    let resumed = report["resumed_at"].as_u64().unwrap();
    assert!(code == 0 && resumed > 10, "{report}");
    assert_eq!(report["events"].as_u64(), Some(1 + 4 + 200 * 80));
}

#[tokio::test]
async fn nobody_is_accused_of_what_is_damaged_at_the_auditors() {
    let mut ledger = ledger().await;
    let data = ledger.folder.path().to_owned();
    let (memory, file) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    export(&ledger, file.path()).await;
    let url = ledger.url.clone();
    for source in [["--server", &url], ["--archive", text(file.path())], ["--data", text(&data)]] {
        if source[0] == "--data" {
            ledger.server.kill().unwrap();
            ledger.server.wait().unwrap();
        }
        let arguments = [source.as_slice(), &["--memory", text(memory.path())]].concat();
        assert_eq!(audit(&arguments).await.0, 0);
        let kind = source[0].trim_start_matches("--").replace("data", "folder");
        let folder = fs::read_dir(memory.path()).unwrap().next().unwrap().unwrap().path().join(kind);
        for name in ["projections/snapshot", "projections/postings", "events", "ends", "genesis", "events-replayed"] {
            let path = folder.join(name);
            for damage in [
                |bytes: &mut Vec<u8>| bytes.clear(),
                |bytes: &mut Vec<u8>| {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 4;
                },
            ] {
                let mut bytes = fs::read(&path).unwrap();
                if bytes.is_empty() {
                    continue;
                }
                damage(&mut bytes);
                fs::write(&path, bytes).unwrap();
                let (code, report) = audit(&arguments).await;
                assert_eq!((code, &report["verdict"]), (0, &"verified".into()), "{source:?}, {name}: {report}");
            }
        }
    }
}

#[tokio::test]
async fn several_audit_at_once_and_all_of_them_pass() {
    let ledger = ledger().await;
    let memory = tempfile::tempdir().unwrap();
    let arguments = ["--server", &ledger.url, "--memory", text(memory.path())];
    let audits = [audit(&arguments), audit(&arguments), audit(&arguments)].map(Box::pin);
    let [a, b, c] = audits;
    let (a, b, c) = tokio::join!(a, b, c);
    assert_eq!([a.0, b.0, c.0], [0, 0, 0], "{} {} {}", a.1, b.1, c.1);
}
