//! Calls as no client of ours makes them: garbage, deadlines, and a server that goes down under them.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::{Request, client::conn::http2, header::HeaderMap};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use timebank::format::proto;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    harness::{Ledger, reason},
    support::bytes,
};

pub(crate) const SUBMIT: &str = "/timebank.v1.LedgerService/Submit";
pub(crate) const SUBMIT_LIST: &str = "/timebank.v1.LedgerService/SubmitList";
pub(crate) const SUBMIT_STREAM: &str = "/timebank.v1.LedgerService/SubmitStream";
const STATUS: &str = "/timebank.v1.LedgerService/GetStatus";
const BALANCE: &str = "/timebank.v1.LedgerService/GetBalance";
const SUBSCRIBE: &str = "/timebank.v1.LedgerService/Subscribe";

/// A connection without a gRPC library: it sends what it is told to, and minds no deadline itself.
pub(crate) struct Raw(http2::SendRequest<Body>);

/// What came back: the messages' bytes, and the status from head or trailers.
pub(crate) struct Answer {
    pub(crate) bytes: usize,
    pub(crate) status: Status,
}

impl Raw {
    pub(crate) async fn connect(ledger: &Ledger) -> Self {
        let address = ledger.url.strip_prefix("http://").unwrap();
        let stream = TokioIo::new(tokio::net::TcpStream::connect(address).await.unwrap());
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn call(&self, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let mut request = Request::post(format!("http://localhost{path}")).header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.0.clone().send_request(request.header("te", "trailers").body(body).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200, "gRPC's errors are no errors of HTTP");
        let head = response.headers().clone();
        let (mut body, mut bytes, mut trailers) = (response.into_body(), 0, HeaderMap::new());
        while let Some(frame) = body.frame().await {
            match frame.expect("the stream ends in order").into_data() {
                Ok(data) => bytes += data.len(),
                Err(frame) => trailers = frame.into_trailers().unwrap(),
            }
        }
        let status = Status::from_header_map(&trailers).or_else(|| Status::from_header_map(&head));
        Answer { bytes, status: status.expect("a status in head or trailers") }
    }
}

/// A message as it travels, with the flag that says whether it is compressed.
pub(crate) fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[flag][..], &length.to_be_bytes(), message].concat()
}

fn message(message: &impl Message) -> Body {
    Body::from(frame(0, &message.encode_to_vec()))
}

/// A request whose stream stays open after these bytes.
pub(crate) fn open(first: Vec<u8>) -> Body {
    use tokio_stream::StreamExt;
    let first = tokio_stream::once(Ok::<_, std::io::Error>(Bytes::from(first)));
    Body::from_stream(first.chain(tokio_stream::pending()))
}

pub(crate) fn check(answer: &Answer, code: Code, expected: &str, what: &str) {
    let status = &answer.status;
    assert_eq!((status.code(), reason(status).as_str()), (code, expected), "{what}: {status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.domain, "timebank", "{what}");
    assert!(status.message().len() > 20, "{what}: a sentence, not {:?}", status.message());
}

#[tokio::test]
async fn what_grpc_itself_says_no_to_has_a_code_and_a_reason() {
    let mut ledger = Ledger::new().await;
    let raw = Raw::connect(&ledger).await;
    let garbage = vec![0xff; 40];
    let too_large = [&[0][..], &(5 * 1_024 * 1_024_u32).to_be_bytes(), &[0; 100]].concat();
    let of_another_type = frame(0, &[0x0a, 0x02, 0x08]);
    for method in [SUBMIT, SUBMIT_STREAM, BALANCE, SUBSCRIBE] {
        let cases = [
            ("garbage", frame(0, &garbage), "MessageInvalid"),
            ("a message cut off", frame(0, &garbage)[..20].to_vec(), "MessageInvalid"),
            ("compressed without saying how", frame(1, &garbage), "MessageInvalid"),
            ("a flag that isn't one", frame(7, &garbage), "MessageInvalid"),
            ("5 MiB", too_large.clone(), "MessageTooLarge"),
        ];
        for (what, body, expected) in cases {
            let answer = raw.call(method, &[], Body::from(body)).await;
            check(&answer, Code::InvalidArgument, expected, &format!("{method}: {what}"));
        }
        let compressed = raw.call(method, &[("grpc-encoding", "gzip")], Body::from(frame(1, &garbage))).await;
        check(&compressed, Code::Unimplemented, "CompressionUnsupported", method);
    }
    for method in [SUBMIT, BALANCE, SUBSCRIBE] {
        let nothing = raw.call(method, &[], Body::empty()).await;
        check(&nothing, Code::InvalidArgument, "MessageInvalid", method);
    }
    let cut = raw.call(SUBMIT, &[], Body::from(of_another_type)).await;
    check(&cut, Code::InvalidArgument, "MessageInvalid", "a field that runs out");
    let long = format!("/{}", "x".repeat(2_000));
    for path in ["/timebank.v1.LedgerService/Nope", "/timebank.v2.LedgerService/Submit", "/", "/nope", &long] {
        let answer = raw.call(path, &[("grpc-encoding", "gzip")], message(&proto::GetStatusRequest {})).await;
        check(&answer, Code::Unimplemented, "MethodUnknown", path);
    }
    assert_eq!(ledger.status().await.size, 2, "the server goes on");
}

#[tokio::test]
async fn a_deadline_that_passes_is_deadline_exceeded_on_every_kind_of_call() {
    let ledger = Ledger::new().await;
    let raw = Raw::connect(&ledger).await;
    let account = bytes(&ledger.people[0]);
    let waits = || message(&proto::GetBalanceRequest { account: account.clone(), as_of: None, min_index: 99 });
    let follows = || message(&proto::SubscribeRequest { from_index: 0 });
    for timeout in ["0S", "1n", "300m", "300000u"] {
        let timeout = [("grpc-timeout", timeout)];
        let answer = raw.call(BALANCE, &timeout, waits()).await;
        check(&answer, Code::DeadlineExceeded, "DeadlineExceeded", "a read that waits");
        let answer = raw.call(SUBSCRIBE, &timeout, follows()).await;
        check(&answer, Code::DeadlineExceeded, "DeadlineExceeded", "a subscriber");
        let answer = raw.call(SUBMIT_STREAM, &timeout, open(Vec::new())).await;
        check(&answer, Code::DeadlineExceeded, "DeadlineExceeded", "a stream without a sheet");
    }
    let sheet = Some(ledger.sheet(vec![ledger.half_hour(0, 1)]));
    let first = open(frame(0, &proto::SubmitStreamRequest { sheet, until: 0 }.encode_to_vec()));
    let later = [("grpc-timeout", "4S")];
    let (followed, submitted) =
        tokio::join!(raw.call(SUBSCRIBE, &later, follows()), raw.call(SUBMIT_STREAM, &later, first));
    for (answer, what) in [(followed, "a subscriber"), (submitted, "a stream of sheets")] {
        check(&answer, Code::DeadlineExceeded, "DeadlineExceeded", what);
        assert!(answer.bytes > 20, "{what}: what was there came before the deadline");
    }
}

#[tokio::test]
async fn the_longest_deadline_is_no_limit_and_one_that_is_none_is_named() {
    let ledger = Ledger::new().await;
    let raw = Raw::connect(&ledger).await;
    let asked = || message(&proto::GetStatusRequest {});
    for longest in ["99999999H", "99999999M", "99999999S", "99999999n", "00000005S"] {
        let answer = raw.call(STATUS, &[("grpc-timeout", longest)], asked()).await;
        assert_eq!((answer.status.code(), answer.bytes > 100), (Code::Ok, true), "{longest}: {:?}", answer.status);
    }
    for none in ["", "5", "S", "5s", "-5S", "+5S", "5.5S", " 5S", "123456789S", "soon", "5SS"] {
        let answer = raw.call(STATUS, &[("grpc-timeout", none)], asked()).await;
        check(&answer, Code::InvalidArgument, "TimeoutInvalid", none);
    }
}

#[tokio::test]
async fn calls_that_a_shutdown_ends_are_told_so() {
    let mut ledger = Ledger::new().await;
    let raw = std::sync::Arc::new(Raw::connect(&ledger).await);
    let account = bytes(&ledger.people[0]);
    let sheet = Some(ledger.sheet(vec![ledger.half_hour(0, 1)]));
    let submitted = frame(0, &proto::SubmitStreamRequest { sheet, until: 0 }.encode_to_vec());
    let calls = [
        (SUBSCRIBE, message(&proto::SubscribeRequest { from_index: 0 })),
        (SUBMIT_STREAM, open(submitted)),
        ("/grpc.health.v1.Health/Watch", Body::from(frame(0, &[]))),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", open(frame(0, &[0x3a, 0]))),
        (BALANCE, message(&proto::GetBalanceRequest { account, as_of: None, min_index: 99 })),
    ];
    let calls = calls.map(|(path, body)| {
        let raw = std::sync::Arc::clone(&raw);
        tokio::spawn(async move { (path, raw.call(path, &[], body).await) })
    });
    let mut watch = crate::program::program();
    watch.args(["watch", "--from-index", "0", "--server", &ledger.url]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watch = watch.spawn().unwrap();
    let mut shown = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert!(shown.next().unwrap().unwrap().contains("ledger_created"), "it watches");
    // The sheet of the stream is in, so all of them are under way.
    while ledger.status().await.size < 3 {
        tokio::task::yield_now().await;
    }
    assert!(Command::new("kill").args(["-TERM", &ledger.server.id().to_string()]).status().unwrap().success());
    for call in calls {
        let (path, answer) = call.await.unwrap();
        check(&answer, Code::Unavailable, "ShuttingDown", path);
        assert!(path == BALANCE || answer.bytes > 5, "{path}: what was there came before the end");
    }
    drop(shown.collect::<Vec<_>>());
    let watch = watch.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&watch.stderr);
    assert_eq!((watch.status.code(), said.trim_end()), (Some(3), "error: the server ended the stream; watch again"));
}

#[tokio::test]
async fn an_entry_that_does_not_come_and_a_page_too_large_say_what_would_do() {
    let mut ledger = Ledger::new().await;
    let account = bytes(&ledger.people[0]);
    let request = proto::GetBalanceRequest { account, as_of: None, min_index: 9_999 };
    let status = ledger.client.get_balance(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "IndexNotReached"));
    assert_eq!(status.message(), "IndexNotReached: entry 9999 isn't recorded yet, the log has 2 entries; waited 5 s");
    assert!(status.get_details_retry_info().is_some());
    let request = proto::ListHistoryRequest { page_size: 201, ..ledger.history(0) };
    let status = ledger.page(request).await.unwrap_err();
    assert!(status.message().contains("page_size: expected 0 for the default, or 1 to 200"), "{}", status.message());
    let request = proto::ListKeysRequest { page_size: 1_001, ..Default::default() };
    let status = ledger.client.list_keys(request).await.unwrap_err();
    assert!(status.message().contains("page_size: expected 0 for the default, or 1 to 1000"), "{}", status.message());
    assert_eq!(reason(&status), "FieldInvalid");
    let request = proto::GetStateDigestRequest { at_index: Some(99), range: None };
    let status = ledger.client.get_state_digest(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::OutOfRange, "IndexOutOfRange"));
}
