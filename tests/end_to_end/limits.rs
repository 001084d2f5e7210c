//! What one connection may hold, and how long it may leave things undone. Tests' programs wait 5 s where others wait 30.

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::{Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use timebank::format::proto::{self, event::Kind, ledger_service_client::LedgerServiceClient};
use tonic::Code;

use crate::{
    edge::{Raw, SUBMIT, SUBMIT_LIST, SUBMIT_STREAM, check, frame, open},
    harness::Ledger,
    support::{bytes, transfer},
};

/// A message that is announced with so many bytes, and its first ones.
fn announced(bytes: u32, first: &[u8]) -> Vec<u8> {
    [&[0][..], &bytes.to_be_bytes(), first].concat()
}

#[tokio::test]
async fn a_request_that_does_not_come_on_ends_and_says_why() {
    let mut ledger = Ledger::new().await;
    let raw = Raw::connect(&ledger).await;
    let calls = [
        (SUBMIT, Vec::new(), "nothing of it came"),
        (SUBMIT, announced(1_000, &[10, 1]), "it stopped within its message"),
        (SUBMIT_LIST, announced(4_000_000, &[10, 1]), "it stopped within a large one"),
        (SUBMIT_STREAM, announced(1_000, &[10, 1]), "a stream stopped within a message"),
    ];
    for (path, first, what) in calls {
        check(&raw.call(path, &[], open(first)).await, Code::DeadlineExceeded, "RequestStalled", what);
    }
    assert_eq!(ledger.status().await.size, 2, "the server goes on");
}

#[tokio::test]
async fn a_stream_without_a_sheet_under_way_may_be_quiet_and_one_without_a_sheet_at_all_goes_on() {
    let ledger = Ledger::new().await;
    let raw = Raw::connect(&ledger).await;
    let sheet = |sheet| frame(0, &proto::SubmitStreamRequest { sheet, until: 0 }.encode_to_vec());
    let (none, one) = (sheet(None), sheet(Some(ledger.sheet(vec![ledger.half_hour(0, 1)]))));
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        for bytes in [none, one] {
            tokio::time::sleep(std::time::Duration::from_secs(7)).await;
            sender.send(Ok::<_, std::io::Error>(Bytes::from(bytes))).await.unwrap();
        }
    });
    let quiet = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let answer = raw.call(SUBMIT_STREAM, &[], quiet).await;
    assert_eq!(answer.status.code(), Code::Ok, "{:?}", answer.status);
    assert!(answer.bytes > 200, "a refusal and a receipt: {} bytes", answer.bytes);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_ends_its_call_alone() {
    let ledger = Ledger::new().await;
    let address = ledger.url.strip_prefix("http://").unwrap();
    let stream = TokioIo::new(tokio::net::TcpStream::connect(address).await.unwrap());
    // A client that has no room for a byte.
    let mut client = http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = client.initial_stream_window_size(0).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut call = async || {
        let request = Request::post("http://localhost/timebank.v1.LedgerService/GetStatus");
        let request = request.header("content-type", "application/grpc").body(Body::from(frame(0, &[]))).unwrap();
        sender.send_request(request).await.unwrap().into_body()
    };
    let mut untaken = call().await;
    let ended = untaken.frame().await.expect("it doesn't end as if it were complete").unwrap_err();
    assert!(format!("{ended:?}").contains("CANCEL"), "{ended:?}");
    drop(call().await);
}

#[tokio::test]
async fn a_connection_that_holds_its_share_is_refused_more_and_others_are_not() {
    let mut ledger = Ledger::new().await;
    let raw = std::sync::Arc::new(Raw::connect(&ledger).await);
    // Eight of 4.5 MiB are more than 32 MiB.
    let calls = (0..8).map(|_| {
        let raw = std::sync::Arc::clone(&raw);
        tokio::spawn(async move { raw.call(SUBMIT_LIST, &[], open(announced(4_718_592, &[10]))).await })
    });
    let mut refused = 0;
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.unwrap();
        if answer.status.code() == Code::ResourceExhausted {
            check(&answer, Code::ResourceExhausted, "ConnectionFull", "what doesn't fit");
            refused += 1;
        } else {
            check(&answer, Code::DeadlineExceeded, "RequestStalled", "what fits, and doesn't come");
        }
    }
    assert_eq!(refused, 1);
    assert_eq!(ledger.status().await.size, 2);
}

#[tokio::test]
async fn those_who_import_much_and_take_their_answers_late_are_all_answered() {
    const IMPORTERS: usize = 5;
    // Of 42 MiB with what their events take.
    const SHEETS: usize = 60;
    let mut ledger = Ledger::new().await;
    let account = bytes(&ledger.station);
    ledger.accept(vec![Kind::FloorSet(proto::FloorSet { account, floor_minutes: -1_000_000_000 })]).await;
    let key = ledger.enrol(proto::KeyRole::Staff, ledger.station).await;
    let mut importers = Vec::new();
    for _ in 0..IMPORTERS {
        let give = || vec![transfer(ledger.station, ledger.people[0], 1); 1_000];
        let sheets: Vec<_> = (0..SHEETS).map(|_| ledger.sheet_by(&[&key], give())).collect();
        let requests = sheets.into_iter().map(|sheet| proto::SubmitStreamRequest { sheet: Some(sheet), until: 0 });
        // One that has room for one answer.
        let endpoint = tonic::transport::Endpoint::from_shared(ledger.url.clone()).unwrap();
        let channel = endpoint.initial_stream_window_size(65_536).connect().await.unwrap();
        let mut client = LedgerServiceClient::new(channel);
        importers.push(client.submit_stream(tokio_stream::iter(requests)).await.unwrap().into_inner());
    }
    // Until each of them has as much under way as it may.
    let mut before = 0;
    loop {
        let size = ledger.status().await.size;
        if size == before {
            break;
        }
        before = size;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    assert!(before < 4 + (IMPORTERS * SHEETS) as u64, "nobody has to wait");
    for (importer, answers) in importers.iter_mut().enumerate() {
        for number in 0..SHEETS {
            let answer = answers.message().await.unwrap_or_else(|error| panic!("{number} of {importer}: {error}"));
            let outcome = answer.unwrap().result.unwrap().outcome.unwrap();
            assert!(matches!(outcome, proto::submit_result::Outcome::Accepted(_)), "{outcome:?}");
        }
    }
    assert_eq!(ledger.status().await.size, 4 + (IMPORTERS * SHEETS) as u64);
}
