//! The public log over plain HTTP.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
};

use timebank::{
    format::{
        checkpoint::{self, VerifierKey},
        proto::{self, event::Kind},
    },
    merkle::{TileFile, TiledLog, parse_bundle},
};

use crate::harness::Ledger;

/// What came back for one request over HTTP/1.1.
pub(crate) struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

fn send(url: &str, head: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    let end = received.windows(4).position(|window| window == b"\r\n\r\n").expect("a complete head");
    let head = String::from_utf8(received[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_lowercase(), value.to_owned())
    };
    Answer { status, headers: lines.map(header).collect(), body: received[end + 4..].to_vec() }
}

pub(crate) fn get(url: &str, path: &str) -> Answer {
    send(url, &format!("GET /{path} HTTP/1.1"), b"")
}

/// Grows the log by sheets that define a region each, and waits until they are published.
pub(crate) async fn grow(ledger: &mut Ledger, regions: std::ops::Range<u32>) {
    let region = |number| {
        let code = format!("region-{number}");
        Kind::RegionDefined(proto::RegionDefined { code, parent: String::new() })
    };
    let sheets = regions.map(|number| ledger.sheet(vec![region(number)])).collect();
    let request = proto::SubmitListRequest { sheets, until: i32::from(proto::Until::Published) };
    let results = ledger.client.submit_list(request).await.unwrap().into_inner().results;
    assert!(results.iter().all(|result| matches!(result.outcome, Some(proto::submit_result::Outcome::Accepted(_)))));
}

pub(crate) async fn vkey(ledger: &mut Ledger) -> VerifierKey {
    ledger.status().await.ledger_vkey.parse().unwrap()
}

#[tokio::test]
async fn the_public_log_is_served_over_http_1_as_far_as_it_is_published() {
    let mut ledger = Ledger::new().await;
    grow(&mut ledger, 0..600).await;
    let vkey = vkey(&mut ledger).await;
    let answer = get(&ledger.url, "checkpoint");
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "text/plain; charset=utf-8"));
    assert_eq!(answer.headers["cache-control"], "public, max-age=1");
    let checkpoint = checkpoint::open(&answer.body, &vkey, &ledger.origin).unwrap();
    assert_eq!(checkpoint.size, 602);

    let fetch = |file: TileFile| {
        let answer = get(&ledger.url, &file.to_string());
        if answer.status == 404 {
            return Ok(None);
        }
        assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/octet-stream"));
        assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
        Ok::<_, ()>(Some(answer.body))
    };
    let mut entries = 0;
    let mut log = TiledLog::open(checkpoint.size, &checkpoint.root_hash().unwrap(), fetch).unwrap();
    log.verify(|_, bundle| entries += parse_bundle(bundle).unwrap().len()).unwrap();
    assert_eq!(entries, 602);

    let last = "tile/entries/002.p/90";
    assert_eq!(get(&ledger.url, last).status, 200);
    let head = send(&ledger.url, &format!("HEAD /{last} HTTP/1.1"), b"");
    assert_eq!((head.status, head.headers["content-length"].as_str(), head.body.len()), (200, "7470", 0));
    for absent in [
        "tile/entries/002.p/91",
        "tile/entries/002",
        "tile/entries/003.p/1",
        "tile/0/002.p/91",
        "tile/1/000.p/3",
        "tile/1/000",
        "tile/2/000.p/1",
        "tile/0/2.p/90",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/64/000",
        "tile/0/../0/000",
        "tile/0/%30%30%30",
        "tile/data/000",
        "tile/",
        "tile",
        "checkpoint/",
        "",
        "log",
    ] {
        let answer = get(&ledger.url, absent);
        assert_eq!((answer.status, answer.headers["cache-control"].as_str()), (404, "no-store"), "{absent}");
    }
}

#[tokio::test]
async fn nothing_but_the_public_log_is_answered_over_http_1() {
    let mut ledger = Ledger::new().await;
    // An empty message in a frame of gRPC, as a page in a browser could send it.
    for call in ["GetStatus", "ListAccounts", "Submit"] {
        let head = format!("POST /timebank.v1.LedgerService/{call} HTTP/1.1\r\nContent-Length: 5");
        let answer = send(&ledger.url, &format!("{head}\r\nContent-Type: application/grpc"), &[0; 5]);
        assert_eq!((answer.status, answer.headers.get("grpc-status")), (404, None), "{call}");
        assert_eq!(answer.body, b"only /checkpoint and /tile/ are here\n", "{call}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        let answer = send(&ledger.url, &format!("{method} /checkpoint HTTP/1.1\r\nContent-Length: 0"), b"");
        assert_eq!(answer.status, 405, "{method}");
    }
    let long = format!("tile/0/{}", "x000/".repeat(10_000));
    assert!([404, 414, 431].contains(&get(&ledger.url, &long).status));
    assert_eq!(ledger.status().await.size, 2);
}
