//! A witness that nobody should have: it answers, or doesn't, in whatever way does harm.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use timebank::format::{
    checkpoint::{Note, WitnessKey, cosignature::cosign},
    signature::PrivateKey,
};

/// What it does with a request. Everything that it signs is by its own key, as the policy has it.
#[derive(Clone, Debug)]
pub(crate) enum Mischief {
    /// None: it cosigns whatever it is shown.
    Cosigns,
    /// A valid cosignature over the checkpoint and one line more, and that line.
    ExtendsTheText,
    /// A valid cosignature over another text.
    SignsAnotherText,
    /// A valid line of its own for the first checkpoint that it was shown, for every other one.
    Replays,
    /// Lines of other keys, one of them malformed.
    SendsLinesOfOthers,
    /// Its own line, and 200 of others.
    SendsManyLines,
    /// A body without end.
    SendsAHugeBody,
    SendsGarbage,
    Redirects,
    /// 409, and a body that is no size.
    ConflictsWithGarbage,
    /// 409, and another size at each request.
    FlipsItsSize,
    /// 409 and a size that no log has; the checkpoint that it shows is what it is given here.
    ClaimsMore {
        shows: String,
    },
    /// 409 and a size that is there, then 422; the checkpoint that it shows is what it is given here.
    ClaimsAnother {
        shows: String,
    },
    /// Takes the request and says nothing.
    IsSilent,
    /// One byte a second.
    Trickles,
    /// `100 Continue`, and again.
    NeverBegins,
    /// Half of an answer.
    HangsUp,
    /// Refuses with 409 and a larger size only after so long, each time.
    IsSlow(Duration),
}

pub(crate) struct Hostile {
    pub(crate) key: WitnessKey,
    pub(crate) address: String,
    mischief: Arc<Mutex<Mischief>>,
}

struct Mind {
    private: PrivateKey,
    key: WitnessKey,
    mischief: Arc<Mutex<Mischief>>,
    requests: Mutex<u64>,
    first_line: Mutex<Option<String>>,
}

impl Hostile {
    pub(crate) fn start(name: &str, mischief: Mischief) -> Self {
        let private = PrivateKey::generate();
        let key = WitnessKey::new(name, private.public_key()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mischief = Arc::new(Mutex::new(mischief));
        let (requests, first_line) = (Mutex::new(0), Mutex::new(None));
        let mind = Mind { private, key: key.clone(), mischief: Arc::clone(&mischief), requests, first_line };
        let mind = Arc::new(mind);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mind = Arc::clone(&mind);
                // Whoever asked may have had enough.
                thread::spawn(move || mind.answer(stream).unwrap_or_default());
            }
        });
        Self { key, address, mischief }
    }

    pub(crate) fn turn(&self, mischief: Mischief) {
        *self.mischief.lock().unwrap() = mischief;
    }

    pub(crate) fn option(&self) -> Vec<String> {
        vec!["--witness".to_owned(), format!("http://{}={}", self.address, self.key)]
    }
}

impl Mind {
    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut to = stream.try_clone()?;
        let mut lines = BufReader::new(stream);
        let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
        lines.read_line(&mut first)?;
        while line != "\r\n" {
            line.clear();
            lines.read_line(&mut line)?;
            let value = line.to_lowercase();
            length = value.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        *self.requests.lock().unwrap() += 1;
        let mischief = self.mischief.lock().unwrap().clone();
        if first.starts_with("GET ") {
            let (Mischief::ClaimsMore { shows } | Mischief::ClaimsAnother { shows }) = mischief else {
                return send(&mut to, "404 Not Found", "there is nothing here\n");
            };
            return send(&mut to, if shows.is_empty() { "404 Not Found" } else { "200 OK" }, &shows);
        }
        let (head, note) = body.split_once("\n\n").unwrap();
        self.judge(&mischief, &mut to, (head, note))
    }

    fn line(&self, text: &str) -> String {
        cosign(text, &self.key, 1_700_000_000, self.private.signing_key())
    }

    fn judge(&self, mischief: &Mischief, to: &mut TcpStream, (head, note): (&str, &str)) -> std::io::Result<()> {
        let text = Note::parse(note.as_bytes()).unwrap().text();
        let (line, size) = (self.line(text), text.lines().nth(1).unwrap());
        match mischief {
            Mischief::Cosigns => send(to, "200 OK", &line),
            Mischief::ExtendsTheText => send(to, "200 OK", &format!("evil\n\n{}", self.line(&format!("{note}evil\n")))),
            Mischief::SignsAnotherText => send(to, "200 OK", &self.line("evil\n")),
            Mischief::Replays if size == "0" => send(to, "200 OK", &line),
            Mischief::Replays => {
                let mut first = self.first_line.lock().unwrap();
                send(to, "200 OK", first.get_or_insert(line))
            }
            Mischief::SendsLinesOfOthers => send(to, "200 OK", &"— somebody.example/w AAAAAAAA\n".repeat(3)),
            Mischief::SendsManyLines => {
                send(to, "200 OK", &format!("{line}{}", "— somebody.example/w AAAAAAAA\n".repeat(200)))
            }
            Mischief::SendsAHugeBody => {
                to.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
                loop {
                    to.write_all(format!("10000\r\n{}\r\n", "a".repeat(0x1_0000)).as_bytes())?;
                }
            }
            Mischief::SendsGarbage => to.write_all(&[0xff, 0xfe, 0].repeat(1_000)),
            Mischief::Redirects => {
                to.write_all(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
            }
            Mischief::ConflictsWithGarbage => send(to, "409 Conflict", "many\u{1b}[31m\n"),
            Mischief::FlipsItsSize => {
                let size = *self.requests.lock().unwrap() % 2;
                send(to, "409 Conflict", &format!("{size}\n"))
            }
            Mischief::ClaimsMore { .. } => send(to, "409 Conflict", &format!("{}\n", u64::MAX)),
            Mischief::ClaimsAnother { .. } if head == "old 0" => send(to, "409 Conflict", "1\n"),
            Mischief::ClaimsAnother { .. } => send(to, "422 Unprocessable Entity", "another history\n"),
            Mischief::IsSilent => wait_for_the_end(to),
            Mischief::Trickles => loop {
                for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
                    to.write_all(&[*byte])?;
                    thread::sleep(Duration::from_secs(1));
                }
            },
            Mischief::NeverBegins => loop {
                to.write_all(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(40))?;
                thread::sleep(Duration::from_millis(1));
            },
            Mischief::HangsUp => to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n\xe2\x80\x94 evil"),
            Mischief::IsSlow(wait) => {
                thread::sleep(*wait);
                send(to, "409 Conflict", "1\n")
            }
        }
    }
}

fn send(to: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(to, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// Until whoever asked goes away.
fn wait_for_the_end(to: &mut TcpStream) -> std::io::Result<()> {
    to.read_to_end(&mut Vec::new()).map(drop)
}
