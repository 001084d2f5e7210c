//! HTTP/2 as no library sends it: frames by hand, and credit that is given out or withheld as an attack pleases.

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};

use super::Tally;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// SETTINGS_MAX_CONCURRENT_STREAMS and SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113, section 6.5.2).
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// The largest window there is, 2^31 - 1: whoever gives it never holds an answer back.
pub const WINDOW_MAX: u32 = 0x7fff_ffff;
/// What a window is before anybody says otherwise.
const WINDOW_AT_FIRST: u32 = 65_535;
/// The largest payload of a frame that everybody takes.
pub const PAYLOAD_MAX: usize = 16_384;
/// What of a body is handed to the socket at once, frames and bytes: system calls are few enough to fill a loopback.
const FRAMES_AT_ONCE: usize = 1_024;
const BYTES_AT_ONCE: usize = 256 * 1_024;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1_024;
/// How long a connection has to come about.
const CONNECT: Duration = Duration::from_secs(3);
/// How long the server's settings are waited for before an attack goes on without them.
const SETTINGS_WAIT: Duration = Duration::from_secs(1);
/// Bytes received of all streams after which the connection's window is filled up again.
const REFILL_BYTES: u32 = WINDOW_MAX / 2;

/// A frame: length, type, flags, stream, payload.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + payload.len());
    add_frame(&mut bytes, kind, flags, stream, payload);
    bytes
}

pub fn add_frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    bytes.extend_from_slice(&length[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

pub fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

pub fn setting(number: u16, value: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// A string of HPACK as it is, without Huffman's code (RFC 7541, section 5.2).
fn add_string(block: &mut Vec<u8>, text: &[u8]) {
    if text.len() < 127 {
        block.push(u8::try_from(text.len()).unwrap());
    } else {
        block.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap());
    }
    block.extend_from_slice(text);
}

/// A header with its name written out; `kind` is 0 for one that stays out of the table, 0x40 for one that goes into it.
pub fn add_header(block: &mut Vec<u8>, kind: u8, name: &str, value: &[u8]) {
    block.push(kind);
    add_string(block, name.as_bytes());
    add_string(block, value);
}

/// The head of a gRPC call.
pub fn head(path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ];
    for (name, value) in fields {
        add_header(&mut block, 0, name, value.as_bytes());
    }
    block
}

/// The head of a plain request.
pub fn get(path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "localhost")] {
        add_header(&mut block, 0, name, value.as_bytes());
    }
    block
}

/// A message as gRPC frames it.
pub fn message(bytes: &[u8]) -> Vec<u8> {
    announced(bytes.len(), bytes)
}

/// The beginning of a message that says it has so many bytes.
pub fn announced(length: usize, bytes: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(length).unwrap().to_be_bytes(), bytes].concat()
}

/// A plain connection.
pub async fn connect(address: SocketAddr, tally: &Tally) -> io::Result<TcpStream> {
    let connected = timeout(CONNECT, TcpStream::connect(address)).await;
    match connected.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into())) {
        Ok(socket) => {
            tally.connections.add(1);
            socket.set_nodelay(true)?;
            Ok(socket)
        }
        Err(error) => {
            tally.refused.add(1);
            Err(error)
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// Reads what there is; an error at the end.
pub fn read_now(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    match socket.try_read(buffer) {
        Ok(0) => Err(gone()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        read => read,
    }
}

/// Writes all of it, reading nothing meanwhile.
pub async fn write_all(socket: &TcpStream, mut bytes: &[u8], tally: &Tally) -> io::Result<()> {
    while !bytes.is_empty() {
        socket.writable().await?;
        match socket.try_write(bytes) {
            Ok(written) => {
                tally.sent.add(written);
                bytes = &bytes[written..];
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// An HTTP/2 connection of an attack.
pub struct Connection {
    socket: TcpStream,
    tally: Arc<Tally>,
    /// The beginning of a frame that isn't all here.
    received: Vec<u8>,
    /// Bytes of a payload that nobody looks at.
    skip: usize,
    /// Answers to the server's settings and pings.
    replies: Vec<u8>,
    /// How much may be sent, over the connection and over each stream that is open.
    credit: i64,
    streams: HashMap<u32, i64>,
    credit_at_first: i64,
    /// How many streams the server allows at a time; nothing until it has said so.
    allowed: Option<usize>,
    next: u32,
    taken: u32,
    /// How many bytes go into a DATA frame.
    payload: usize,
}

impl Connection {
    /// Connects, and gives each of its streams this window for answers.
    pub async fn open(address: SocketAddr, window: u32, tally: &Arc<Tally>) -> io::Result<Self> {
        let socket = connect(address, tally).await?;
        let at_first = i64::from(WINDOW_AT_FIRST);
        let mut connection = Self {
            socket,
            tally: Arc::clone(tally),
            received: Vec::new(),
            skip: 0,
            replies: Vec::new(),
            credit: at_first,
            streams: HashMap::new(),
            credit_at_first: at_first,
            allowed: None,
            next: 1,
            taken: 0,
            payload: PAYLOAD_MAX,
        };
        let settings = frame(SETTINGS, 0, 0, &setting(INITIAL_WINDOW_SIZE, window));
        let room = window_update(0, WINDOW_MAX - WINDOW_AT_FIRST);
        connection.write(&[PREFACE, &settings, &room].concat()).await?;
        let until = Instant::now() + SETTINGS_WAIT;
        while connection.allowed.is_none() && Instant::now() < until {
            connection.read_until(until).await?;
        }
        Ok(connection)
    }

    /// Has bodies sent in frames of so many bytes.
    pub fn in_frames_of(mut self, bytes: usize) -> Self {
        self.payload = bytes;
        self
    }

    /// Streams that neither side has ended.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    pub fn streams(&self) -> Vec<u32> {
        self.streams.keys().copied().collect()
    }

    /// How many streams the server allows at a time.
    pub fn allowed(&self) -> usize {
        self.allowed.unwrap_or(usize::MAX)
    }

    /// Opens a stream with a head.
    pub async fn request(&mut self, head: &[u8], flags: u8) -> io::Result<u32> {
        let stream = self.next_stream();
        self.write(&frame(HEADERS, END_HEADERS | flags, stream, head)).await?;
        Ok(stream)
    }

    /// The number of the next stream, for whoever writes its head alone.
    pub fn next_stream(&mut self) -> u32 {
        let stream = self.next;
        self.next += 2;
        self.streams.insert(stream, self.credit_at_first);
        self.tally.streams.add(1);
        stream
    }

    pub fn forget(&mut self, stream: u32) {
        self.streams.remove(&stream);
    }

    /// How many bytes the server would take of a stream now; nothing where the stream is no more.
    pub fn credit(&self, stream: u32) -> Option<usize> {
        self.streams.get(&stream).map(|credit| usize::try_from(self.credit.min(*credit)).unwrap_or(0))
    }

    pub fn spend(&mut self, stream: u32, bytes: usize) {
        let spent = i64::try_from(bytes).unwrap();
        self.credit -= spent;
        if let Some(credit) = self.streams.get_mut(&stream) {
            *credit -= spent;
        }
    }

    /// Sends of a body what there is credit for, as much as is handed over at once, and says how much that was; nothing
    /// where the stream is no more.
    pub async fn pour(&mut self, stream: u32, body: &[u8], end: bool) -> io::Result<Option<usize>> {
        let Some(credit) = self.credit(stream) else { return Ok(None) };
        let room = credit.min(self.payload * FRAMES_AT_ONCE).min(BYTES_AT_ONCE).min(body.len());
        if room == 0 {
            return Ok(Some(0));
        }
        self.spend(stream, room);
        let mut chunk = Vec::with_capacity(room + 9 * room.div_ceil(self.payload));
        let mut rest = &body[..room];
        while !rest.is_empty() {
            let (payload, later) = rest.split_at(self.payload.min(rest.len()));
            let flags = if end && later.is_empty() && room == body.len() { END_STREAM } else { 0 };
            add_frame(&mut chunk, DATA, flags, stream, payload);
            rest = later;
        }
        self.write(&chunk).await?;
        Ok(Some(room))
    }

    /// Writes whole frames, and reads meanwhile, so that neither side waits for the other.
    pub async fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        let replies = std::mem::take(&mut self.replies);
        for mut rest in [replies.as_slice(), frames] {
            while !rest.is_empty() {
                tokio::select! {
                    writable = self.socket.writable() => {
                        writable?;
                        match self.socket.try_write(rest) {
                            Ok(written) => {
                                self.tally.sent.add(written);
                                rest = &rest[written..];
                            }
                            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                            Err(error) => return Err(error),
                        }
                    }
                    readable = self.socket.readable() => {
                        readable?;
                        self.take_in()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes frames and reads nothing meanwhile, however much the server has to say.
    pub async fn write_deaf(&mut self, frames: &[u8]) -> io::Result<()> {
        write_all(&self.socket, frames, &self.tally).await
    }

    /// Reads once, or waits until then.
    pub async fn read_until(&mut self, until: Instant) -> io::Result<()> {
        tokio::select! {
            () = sleep_until(until) => {}
            readable = self.socket.readable() => {
                readable?;
                self.take_in()?;
            }
        }
        if self.replies.is_empty() {
            return Ok(());
        }
        self.write(&[]).await
    }

    /// Stays, answering pings, for so long.
    pub async fn hold(&mut self, until: Instant) -> io::Result<()> {
        while Instant::now() < until {
            self.read_until(until).await?;
        }
        Ok(())
    }

    fn take_in(&mut self) -> io::Result<()> {
        let mut buffer = [0; READ_BYTES];
        let read = read_now(&self.socket, &mut buffer)?;
        self.tally.received.add(read);
        let mut bytes = &buffer[..read];
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return Ok(());
            }
            let wanted = self.wanted();
            let taken = (wanted - self.received.len()).min(bytes.len());
            self.received.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.received.len() == self.wanted() {
                let frame = std::mem::take(&mut self.received);
                self.take_frame(&frame)?;
            }
        }
    }

    /// How long the frame that has begun is, as far as it is looked at: its head alone where it holds an answer.
    fn wanted(&self) -> usize {
        match self.received.get(3) {
            Some(&(SETTINGS | PING | WINDOW_UPDATE | GOAWAY | RST_STREAM)) if self.received.len() >= 9 => {
                9 + length(&self.received)
            }
            _ => 9,
        }
    }

    fn take_frame(&mut self, frame: &[u8]) -> io::Result<()> {
        let (kind, flags, payload) = (frame[3], frame[4], &frame[9..]);
        let stream = u32::from_be_bytes([frame[5] & 0x7f, frame[6], frame[7], frame[8]]);
        match kind {
            SETTINGS if flags & ACK == 0 => self.take_settings(payload),
            PING if flags & ACK == 0 => add_frame(&mut self.replies, PING, ACK, 0, payload),
            WINDOW_UPDATE => {
                let Ok(bytes) = payload.try_into().map(u32::from_be_bytes) else { return Err(gone()) };
                let bytes = i64::from(bytes);
                if stream == 0 {
                    self.credit += bytes;
                } else if let Some(credit) = self.streams.get_mut(&stream) {
                    *credit += bytes;
                }
            }
            RST_STREAM => {
                self.tally.reset.add(1);
                self.forget(stream);
            }
            GOAWAY => {
                let code = payload.get(4..8).unwrap_or_default();
                let words = String::from_utf8_lossy(payload.get(8..).unwrap_or_default());
                return Err(io::Error::other(format!("GOAWAY {code:?} {words}")));
            }
            DATA | HEADERS | CONTINUATION => {
                self.skip = length(frame);
                if kind == DATA {
                    self.refill(self.skip);
                }
                if kind != CONTINUATION && flags & END_STREAM != 0 {
                    self.tally.answered.add(1);
                    self.forget(stream);
                }
            }
            _ => self.skip = length(frame) - payload.len(),
        }
        Ok(())
    }

    fn take_settings(&mut self, payload: &[u8]) {
        self.allowed.get_or_insert(usize::MAX);
        for setting in payload.chunks_exact(6) {
            let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
            match u16::from_be_bytes([setting[0], setting[1]]) {
                MAX_CONCURRENT_STREAMS => self.allowed = usize::try_from(value).ok(),
                INITIAL_WINDOW_SIZE => {
                    let more = i64::from(value) - self.credit_at_first;
                    self.credit_at_first += more;
                    self.streams.values_mut().for_each(|credit| *credit += more);
                }
                _ => {}
            }
        }
        add_frame(&mut self.replies, SETTINGS, ACK, 0, &[]);
    }

    /// Keeps the connection's own window open: what holds answers back is the window of a stream.
    fn refill(&mut self, bytes: usize) {
        self.taken += u32::try_from(bytes).unwrap();
        if self.taken >= REFILL_BYTES {
            self.replies.extend(window_update(0, self.taken));
            self.taken = 0;
        }
    }
}

fn length(frame: &[u8]) -> usize {
    usize::from(frame[0]) << 16 | usize::from(frame[1]) << 8 | usize::from(frame[2])
}
