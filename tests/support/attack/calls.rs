//! Attacks by calls that are right in every frame: too many, too large, too slow, or with answers that nobody takes.

use std::{io, sync::Arc, time::Duration};

use prost::Message;
use timebank::format::proto;
use tokio::time::Instant;

use super::{
    Attack, Session,
    server::Town,
    wire::{Connection, WINDOW_MAX, announced, head, message, window_update},
};

const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/// The largest message that is taken, and what is sent of it by one who never comes to its end.
const LARGEST: usize = 4 * 1_024 * 1_024 + 512 * 1_024;
const ALMOST: usize = 4_400_000;
/// What a careful server allows at a time on a connection, and what one who doesn't listen asks for.
const STREAMS: usize = 100;
const STREAMS_ASKED: usize = 1_000;
/// How often a slow caller sends or takes a byte.
const SLOW: Duration = Duration::from_secs(1);
/// How often one who holds calls looks whether they are still there.
const LOOK: Duration = Duration::from_millis(100);

/// What calls hold back once they are begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Everything: those that end are begun anew at every look.
    Hold,
    /// A byte a second is added to each request.
    Send,
    /// A byte a second is taken of each answer.
    Take,
    /// Nothing: where one ends the next begins.
    Again,
}

type Body = Arc<dyn Fn(&mut fastrand::Rng) -> Arc<[u8]> + Send + Sync>;

/// Calls of one method on every connection.
#[derive(Clone)]
struct Calls {
    method: &'static str,
    connections: usize,
    streams: usize,
    /// Whether it asks for no more streams than it is allowed.
    obeys: bool,
    /// How many bytes of an answer are taken at once.
    window: u32,
    /// The body, and how many times it is sent on one stream.
    body: Body,
    times: usize,
    ends: bool,
    then: Then,
}

impl Calls {
    /// Whole requests of unary calls, of whose answers nothing is taken.
    fn unread(method: &'static str, connections: usize, body: Vec<u8>) -> Self {
        let body: Arc<[u8]> = message(&body).into();
        Self {
            method,
            connections,
            streams: STREAMS,
            obeys: true,
            window: 0,
            body: Arc::new(move |_| Arc::clone(&body)),
            times: 1,
            ends: true,
            then: Then::Hold,
        }
    }

    /// The beginning of a message, and no more.
    fn begun(method: &'static str, connections: usize, bytes: usize) -> Self {
        // A sheet as long as the list, so that nothing in it is wrong so far.
        let sheet = [&[0x0a, 0xf0, 0xff, 0x9f, 0x02][..], &vec![0; bytes - 5]].concat();
        let body: Arc<[u8]> = announced(LARGEST, &sheet).into();
        let body: Body = Arc::new(move |_| Arc::clone(&body));
        Self { body, ends: false, ..Self::unread(method, connections, Vec::new()) }
    }

    /// One after another on every stream, each answer taken.
    fn flood(method: &'static str, connections: usize, streams: usize, body: Vec<u8>) -> Self {
        Self { streams, window: WINDOW_MAX, then: Then::Again, ..Self::unread(method, connections, body) }
    }

    fn named(self, name: &'static str) -> Attack {
        let connections = self.connections;
        Attack::new(name, connections, move |session| self.clone().run(session))
    }

    async fn run(self, mut session: Session) -> io::Result<()> {
        let mut connection = Connection::open(session.address, self.window, &session.tally).await?;
        let head = head(self.method);
        let streams = if self.obeys { self.streams.min(connection.allowed()) } else { self.streams };
        let mut requests = Vec::new();
        while !session.is_over() {
            for _ in connection.open_streams()..streams {
                let stream = connection.request(&head, 0).await?;
                requests.push(Request { stream, body: (self.body)(&mut session.rng), sent: 0, left: self.times });
            }
            if self.pour(&mut connection, &mut requests).await? {
                continue;
            }
            match self.then {
                Then::Again => connection.read_until(session.until.min(Instant::now() + LOOK)).await?,
                Then::Hold => connection.hold(session.until.min(Instant::now() + LOOK)).await?,
                Then::Send | Then::Take => {
                    for stream in connection.streams() {
                        if self.then == Then::Take {
                            connection.write(&window_update(stream, 1)).await?;
                        } else {
                            connection.pour(stream, &[0], false).await?;
                        }
                    }
                    connection.hold(session.until.min(Instant::now() + SLOW)).await?;
                }
            }
        }
        Ok(())
    }

    /// Sends of every request what there is credit for, in turn, and says whether there was any.
    async fn pour(&self, connection: &mut Connection, requests: &mut Vec<Request>) -> io::Result<bool> {
        let mut any = false;
        for request in requests.iter_mut() {
            let end = self.ends && request.left == 1;
            match connection.pour(request.stream, &request.body[request.sent..], end).await? {
                None => request.left = 0,
                Some(sent) => {
                    any |= sent > 0;
                    request.sent += sent;
                    if request.sent == request.body.len() {
                        (request.sent, request.left) = (0, request.left - 1);
                    }
                }
            }
        }
        requests.retain(|request| request.left > 0);
        Ok(any)
    }
}

/// A request on its way: how much of its body is sent, and how often it is still to be.
struct Request {
    stream: u32,
    body: Arc<[u8]>,
    sent: usize,
    left: usize,
}

macro_rules! method {
    ($name:literal) => {
        concat!("/timebank.v1.LedgerService/", $name)
    };
}

pub fn attacks(town: &Town) -> Vec<Attack> {
    [subscribers(), requests(town), answers(town), floods(town)].concat()
}

fn subscribers() -> Vec<Attack> {
    let unread = |connections| Calls::unread(method!("Subscribe"), connections, Vec::new());
    let live = proto::SubscribeRequest { from_index: 1 << 40 }.encode_to_vec();
    vec![
        unread(50).named("Subscribe from 0 on 100 streams of 50 connections, unread"),
        Calls { streams: STREAMS_ASKED, obeys: false, ..unread(10) }
            .named("Subscribe from 0 on 1,000 streams of 10 connections, unread"),
        Calls { window: 1, then: Then::Take, ..unread(20) }.named("Subscribe from 0, a byte a second taken"),
        Calls { window: WINDOW_MAX, ..Calls::unread(method!("Subscribe"), 50, live) }
            .named("5,000 subscribers who wait for what comes"),
        Calls::flood(method!("Subscribe"), 4, STREAMS, Vec::new())
            .named("Subscribe from 0 on 100 streams, all of it read"),
        Calls { window: 1_000, then: Then::Hold, ..Calls::unread("/grpc.health.v1.Health/Watch", 50, Vec::new()) }
            .named("5,000 who watch the health"),
        Calls { body: Arc::new(reflected), ends: false, ..Calls::unread(REFLECTION, 20, Vec::new()) }
            .named("reflection on 2,000 streams, unread"),
    ]
}

/// 64 questions for a whole file each: a few bytes that are answered with many.
fn reflected(_: &mut fastrand::Rng) -> Arc<[u8]> {
    let symbol = b"timebank.v1.LedgerService";
    let question = [&[0x22, u8::try_from(symbol.len()).unwrap()][..], symbol].concat();
    message(&question).repeat(64).into()
}

/// Requests that cost the server memory before they are whole, or more than they weigh when they are.
fn requests(town: &Town) -> Vec<Attack> {
    let list = method!("SubmitList");
    let stream = method!("SubmitStream");
    let mut empty_events = proto::SubmitStreamRequest { sheet: Some(proto::Sheet::default()), until: 0 };
    empty_events.sheet.as_mut().unwrap().events = vec![bytes::Bytes::new(); 2_200_000];
    let empty_sheets = [0x0a, 0].repeat(2_300_000);
    let refused = proto::SubmitStreamRequest { sheet: Some(town.refused_sheet()), until: 0 }.encode_to_vec();
    vec![
        Calls::begun(list, 10, ALMOST).named("SubmitList, 4.4 of 4.7 MB sent on 100 streams of 10 connections"),
        Calls { then: Then::Send, ..Calls::begun(list, 10, ALMOST) }
            .named("SubmitList, 4.4 of 4.7 MB sent, then a byte a second"),
        Calls { streams: STREAMS_ASKED, obeys: false, ..Calls::begun(list, 10, 5) }
            .named("SubmitList, 4.7 MB announced and 5 bytes sent, on 1,000 streams"),
        Calls { then: Then::Send, ..Calls::begun(method!("DryRun"), 50, 5) }.named("DryRun, a byte a second"),
        Calls { ends: false, times: 3, ..Calls::unread(stream, 10, empty_events.encode_to_vec()) }
            .named("SubmitStream, sheets of 2.2 million empty events, unread"),
        Calls::flood(list, 8, 4, empty_sheets.clone()).named("SubmitList of 2.3 million empty sheets"),
        Calls::flood(method!("DryRun"), 4, 4, empty_sheets).named("DryRun of 2.3 million empty sheets"),
        Calls { ends: false, times: usize::MAX, window: 0, ..Calls::unread(stream, 10, refused.clone()) }
            .named("SubmitStream, each sheet refused, unread"),
        Calls { ends: false, times: usize::MAX, streams: 4, ..Calls::flood(stream, 4, 4, refused) }
            .named("SubmitStream, each sheet refused, answers read"),
    ]
}

/// Answers that are larger than what asks for them, and stay with the server.
fn answers(town: &Town) -> Vec<Attack> {
    let again = proto::SubmitStreamRequest { sheet: Some(town.sheet.clone()), until: 0 }.encode_to_vec();
    let sheets = vec![town.sheet.clone(); ALMOST / town.sheet.encoded_len() - 1];
    let list = proto::SubmitListRequest { sheets, until: 0 }.encode_to_vec();
    let entry = proto::GetEntryRequest { index: town.entry }.encode_to_vec();
    let receipt = proto::GetReceiptRequest { index: town.entry }.encode_to_vec();
    let events = (0..1_000).map(|event| proto::EventRef { index: town.services, event }).collect();
    let records = proto::GetRecordsRequest { events, min_index: 0 }.encode_to_vec();
    let accounts = proto::ListAccountsRequest { page_size: 1_000, ..Default::default() }.encode_to_vec();
    let unread = Calls::unread;
    vec![
        unread(method!("SubmitList"), 10, list.clone()).named("SubmitList of one recorded sheet 60 times, unread"),
        Calls { window: 1, ..unread(method!("SubmitList"), 10, list) }
            .named("SubmitList of one recorded sheet 60 times, one byte taken"),
        Calls { ends: false, times: usize::MAX, ..unread(method!("SubmitStream"), 10, again.clone()) }
            .named("SubmitStream of one recorded sheet again and again, unread"),
        Calls { ends: false, times: usize::MAX, window: 1, ..unread(method!("SubmitStream"), 10, again) }
            .named("SubmitStream of one recorded sheet again and again, one byte taken"),
        unread(method!("GetEntry"), 100, entry.clone()).named("GetEntry of 75 KB on 10,000 streams, unread"),
        unread(method!("GetReceipt"), 100, receipt).named("GetReceipt of 90 KB on 10,000 streams, unread"),
        unread(method!("GetRecords"), 20, records).named("GetRecords of 1,000 on 2,000 streams, unread"),
        unread(method!("ListAccounts"), 100, accounts).named("ListAccounts of 1,000 on 10,000 streams, unread"),
        Calls { window: 1, then: Then::Take, ..unread(method!("GetEntry"), 100, entry) }
            .named("GetEntry of 75 KB on 10,000 streams, a byte a second taken"),
    ]
}

/// Calls as fast as they are answered.
fn floods(town: &Town) -> Vec<Attack> {
    let tried = proto::DryRunRequest { sheets: vec![town.sheet.clone(); 16], from_sheet: 0 }.encode_to_vec();
    let ahead = proto::GetBalanceRequest { account: town.account(), as_of: None, min_index: 1 << 40 }.encode_to_vec();
    let cursors = town.cursors.clone();
    let of_others: Body = Arc::new(move |rng| {
        let cursor = cursors[rng.usize(..cursors.len())].clone();
        message(&proto::ListAccountsRequest { cursor, ..Default::default() }.encode_to_vec()).into()
    });
    let again = proto::SubmitRequest { sheet: Some(town.sheet.clone()), until: 0 }.encode_to_vec();
    let flood = Calls::flood;
    vec![
        flood(method!("DryRun"), 8, 4, tried).named("DryRun of 16,000 events, 32 at a time"),
        flood(method!("Submit"), 8, 4, again).named("Submit of one recorded sheet, 32 at a time"),
        Calls { body: of_others, ..flood(method!("ListAccounts"), 4, 16, Vec::new()) }
            .named("cursors of another version, and changed ones"),
        flood(method!("GetBalance"), 50, STREAMS, ahead).named("5,000 calls that wait for an entry far ahead"),
        flood(method!("GetStateDigest"), 4, 2, Vec::new()).named("GetStateDigest again and again"),
        flood(method!("GetStatus"), 8, 16, Vec::new()).named("GetStatus as fast as it is answered"),
        flood(method!("Nope"), 8, 16, Vec::new()).named("methods that there aren't"),
    ]
}
