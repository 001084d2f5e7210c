//! Attacks below HTTP/2: sockets that say nothing, little, slowly, or what nobody asked for.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::Instant};

use super::{
    Attack, Session,
    wire::{PREFACE, SETTINGS, connect, frame, read_now, write_all},
};

/// More than a process has descriptors unless it was given more.
const IDLE: usize = 1_100;
/// Far more connections than a station's programs open, and fewer than a descriptor table holds.
const SOME: usize = 300;
/// Those who keep both cores busy with what they send.
const BUSY: usize = 8;
/// How often a slow sender says a byte.
const SLOW: Duration = Duration::from_secs(1);
/// A request for what everybody may have.
const CHECKPOINT: &[u8] = b"GET /checkpoint HTTP/1.1\r\nHost: localhost\r\n\r\n";
const BUNDLE: &[u8] = b"GET /tile/entries/000.p/20 HTTP/1.1\r\nHost: localhost\r\n\r\n";
const UPGRADES: [&[u8]; 3] = [
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    b"GET /checkpoint HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
      HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n",
];

pub fn attacks() -> Vec<Attack> {
    vec![
        says("1,100 sockets that say nothing", IDLE, b""),
        says("300 halves of an HTTP/2 preface", SOME, &PREFACE[..12]),
        says("300 HTTP/2 connections that never ask", SOME, &[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()),
        says("300 halves of an HTTP/1.1 head", SOME, &CHECKPOINT[..30]),
        Attack::new("300 HTTP/1.1 heads, a byte a second", SOME, slow_head),
        says(
            "300 bodies of 10^14 bytes that don't come",
            SOME,
            b"POST /checkpoint HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\nx",
        ),
        Attack::new("HTTP/1.1 pipelined, answers unread", BUSY, |session| pipelined(session, CHECKPOINT)),
        Attack::new("bundles of entries by HTTP/1.1, pipelined, unread", SOME, |session| pipelined(session, BUNDLE)),
        Attack::new("checkpoints by HTTP/1.1, as fast as they come", BUSY, |session| asked(session, CHECKPOINT)),
        Attack::new("bundles of entries by HTTP/1.1, the next asked for before one is read", BUSY, |session| {
            asked(session, BUNDLE)
        }),
        Attack::new("upgrades to websocket, h2c and TLS", BUSY, upgrades),
        Attack::new("garbage, half open", SOME, garbage),
        Attack::new("connections opened and closed", SOME, opened_and_closed),
        Attack::new("connections opened, spoken to, and reset", BUSY, spoken_to_and_closed),
    ]
}

/// Connections that say so much and then wait.
fn says(name: &'static str, attackers: usize, bytes: &[u8]) -> Attack {
    let bytes = bytes.to_vec();
    Attack::new(name, attackers, move |session| {
        let bytes = bytes.clone();
        async move {
            let socket = connect(session.address, &session.tally).await?;
            write_all(&socket, &bytes, &session.tally).await?;
            drain(&socket, session.until).await
        }
    })
}

/// Reads whatever comes until then.
async fn drain(socket: &TcpStream, until: Instant) -> io::Result<()> {
    let mut buffer = [0; 4_096];
    while Instant::now() < until {
        if let Ok(readable) = tokio::time::timeout_at(until, socket.readable()).await {
            readable?;
            read_now(socket, &mut buffer)?;
        }
    }
    Ok(())
}

async fn slow_head(session: Session) -> io::Result<()> {
    let socket = connect(session.address, &session.tally).await?;
    for byte in b"GET /checkpoint HTTP/1.1\r\n".iter().chain(b"X-Slow: so\r\n".iter().cycle()) {
        write_all(&socket, &[*byte], &session.tally).await?;
        drain(&socket, session.until.min(Instant::now() + SLOW)).await?;
        if session.is_over() {
            break;
        }
    }
    Ok(())
}

async fn pipelined(session: Session, request: &[u8]) -> io::Result<()> {
    let socket = connect(session.address, &session.tally).await?;
    let many = request.repeat(64);
    while !session.is_over() {
        write_all(&socket, &many, &session.tally).await?;
    }
    Ok(())
}

/// One request after another, each answer read as far as it has come when the next is sent.
async fn asked(session: Session, request: &[u8]) -> io::Result<()> {
    let socket = connect(session.address, &session.tally).await?;
    let mut buffer = vec![0; 65_536];
    while !session.is_over() {
        write_all(&socket, request, &session.tally).await?;
        socket.readable().await?;
        session.tally.received.add(read_now(&socket, &mut buffer)?);
    }
    Ok(())
}

async fn upgrades(mut session: Session) -> io::Result<()> {
    while !session.is_over() {
        let socket = connect(session.address, &session.tally).await?;
        write_all(&socket, UPGRADES[session.rng.usize(..UPGRADES.len())], &session.tally).await?;
        // What a client says that takes the answer for a yes.
        write_all(&socket, PREFACE, &session.tally).await?;
        socket.readable().await?;
        session.tally.received.add(read_now(&socket, &mut [0; 4_096])?);
    }
    Ok(())
}

/// Random bytes, some of them behind a right beginning, and then silence on a connection that the attacker keeps.
async fn garbage(mut session: Session) -> io::Result<()> {
    let socket = connect(session.address, &session.tally).await?;
    let beginning = [b"".as_slice(), PREFACE, b"GET /", b"\x16\x03\x01"][session.rng.usize(..4)];
    let mut bytes = vec![0; session.rng.usize(1..4_096)];
    session.rng.fill(&mut bytes);
    write_all(&socket, &[beginning, &bytes].concat(), &session.tally).await?;
    drain(&socket, session.until.min(Instant::now() + SLOW)).await
}

async fn opened_and_closed(session: Session) -> io::Result<()> {
    while !session.is_over() {
        drop(connect(session.address, &session.tally).await?);
    }
    Ok(())
}

async fn spoken_to_and_closed(session: Session) -> io::Result<()> {
    let hello = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    while !session.is_over() {
        let socket = connect(session.address, &session.tally).await?;
        write_all(&socket, &hello, &session.tally).await?;
        // Closed with bytes unread: a reset.
        socket.readable().await?;
    }
    Ok(())
}
