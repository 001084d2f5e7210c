//! A witness as seen from a ledger: one request at a time, with a limit on everything that comes back.

use std::{fmt, str::FromStr};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
    http::{request::Builder, uri::Scheme},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::format::checkpoint::witness::{monitoring_path, parse_conflict};

/// Bytes of an answer: four signatures of the largest kind in use (ML-DSA-44, 3.3 kB in base64), and their names.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;
/// Letters of a witness's own words that are passed on.
const SENTENCE_LETTERS_MAX: usize = 200;

/// Where a witness takes checkpoints and shows the newest one: a prefix that is both, as tlog-witness lets it be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    host: String,
    port: u16,
    authority: String,
    /// Without a slash at its end.
    prefix: String,
}

/// Why a text is no place to submit to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No URL with a host, or one with a user or a query.
    #[error("expected http://HOST[:PORT][/PATH]")]
    Malformed,
    /// TLS isn't spoken.
    #[error(
        "only http is spoken to witnesses. What goes over it is public and signed on both sides; where a witness has \
         https only, put a forwarder beside this server"
    )]
    SchemeUnknown,
}

/// What a witness answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Lines of signatures, not yet verified.
    Cosigned(String),
    /// It is at another size than was asked from.
    Conflict(u64),
    /// Any other status, or an answer with status 409 that holds no size.
    Refused {
        /// As the witness sent it: neither 200, nor 409 with a size.
        status: u16,
        /// Its words, cut and quoted.
        sentence: String,
    },
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum EndpointFailure {
    #[error("it can't be reached: {0}")]
    Unreachable(#[from] std::io::Error),
    #[error("HTTP failed: {0}")]
    Http(#[from] hyper::Error),
    #[error("its answer can't be used: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(url: &str) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().map_err(|_unfit: hyper::http::uri::InvalidUri| EndpointError::Malformed)?;
        if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP) {
            return Err(EndpointError::SchemeUnknown);
        }
        let (Some(_), Some(authority)) = (uri.scheme(), uri.authority()) else { return Err(EndpointError::Malformed) };
        if authority.as_str().contains('@') || uri.query().is_some() || authority.host().is_empty() {
            return Err(EndpointError::Malformed);
        }
        Ok(Self {
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl Endpoint {
    /// Sends the body of an `add-checkpoint` request.
    pub(super) async fn add_checkpoint(&self, body: String) -> Result<Answer, EndpointFailure> {
        let request = Request::post(format!("{}/add-checkpoint", self.prefix));
        let (status, body) = self.exchange(request.header(CONTENT_TYPE, "text/plain; charset=utf-8"), body).await?;
        Ok(match (status, parse_conflict(&body)) {
            (StatusCode::OK, _) => Answer::Cosigned(body),
            (StatusCode::CONFLICT, Some(size)) => Answer::Conflict(size),
            _ => Answer::Refused { status: status.as_u16(), sentence: quote(&body) },
        })
    }

    /// Asks for the newest checkpoint of a log that it cosigned; the status where it has none to show.
    pub(super) async fn checkpoint(&self, origin: &str) -> Result<Result<String, u16>, EndpointFailure> {
        let request = Request::get(format!("{}/{}", self.prefix, monitoring_path(origin)));
        let (status, body) = self.exchange(request, String::new()).await?;
        Ok(if status == StatusCode::OK { Ok(body) } else { Err(status.as_u16()) })
    }

    async fn exchange(&self, request: Builder, body: String) -> Result<(StatusCode, String), EndpointFailure> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = request
            .header(HOST, self.authority.as_str())
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| EndpointFailure::Body(error.into()))?;
        let answered = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(EndpointFailure::Body)?.to_bytes();
            let text = String::from_utf8(body.to_vec()).map_err(|error| EndpointFailure::Body(error.into()))?;
            Ok((status, text))
        };
        tokio::pin!(answered);
        tokio::select! {
            biased;
            answer = answered.as_mut() => return answer,
            // The whole answer may have come with the end of the connection.
            _ended = connection => {}
        }
        answered.await
    }
}

impl fmt::Display for Endpoint {
    /// The URL below which it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

fn quote(words: &str) -> String {
    let line = words.lines().next().unwrap_or_default();
    format!("{:?}", line.chars().take(SENTENCE_LETTERS_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    fn check(url: &str, host: &str, port: u16, prefix: &str) {
        let found: Endpoint = url.parse().unwrap();
        assert_eq!((found.host.as_str(), found.port, found.prefix.as_str()), (host, port, prefix), "{url}");
    }

    #[test]
    fn a_submission_prefix_is_a_plain_url() {
        check("http://127.0.0.1:7465", "127.0.0.1", 7465, "");
        check("http://witness.example/", "witness.example", 80, "");
        check("http://[::1]:7465/a/b/", "::1", 7465, "/a/b");
        for bad in ["", "witness.example", "/path", "http://", "http://user@host", "http://host/?a", "http://a b/"] {
            assert_eq!(bad.parse::<Endpoint>(), Err(EndpointError::Malformed), "{bad}");
        }
        assert_eq!("https://witness.example".parse::<Endpoint>(), Err(EndpointError::SchemeUnknown));
    }

    /// What is made of a server that reads a little, sends these bytes, and then hangs up or does nothing more.
    async fn answer_of(bytes: &[u8], hang: bool) -> Result<Answer, EndpointFailure> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint: Endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let bytes = bytes.to_vec();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            let _read = stream.read(&mut request).await.unwrap();
            // The client may have had enough.
            let _written = stream.write_all(&bytes).await;
            if hang {
                tokio::time::sleep(Duration::from_hours(1)).await;
            }
        });
        let answer = endpoint.add_checkpoint("old 0\n\n".to_owned()).await;
        server.abort();
        answer
    }

    fn http(status: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[tokio::test]
    async fn answers_are_told_apart_by_status_and_body() {
        let refused = |status, sentence: &str| Answer::Refused { status, sentence: format!("{sentence:?}") };
        for hang in [false, true] {
            let line = "— w AAAA\n".to_owned();
            assert_eq!(answer_of(&http("200 OK", &line), hang).await.unwrap(), Answer::Cosigned(line));
            assert_eq!(answer_of(&http("409 Conflict", "7\n"), hang).await.unwrap(), Answer::Conflict(7));
            let vague = answer_of(&http("409 Conflict", "seven\n"), hang).await.unwrap();
            assert_eq!(vague, refused(409, "seven"));
            let rude = answer_of(&http("422 No", "no\u{1b}[31m\nsecond line"), hang).await.unwrap();
            assert_eq!(rude, refused(422, "no\u{1b}[31m"));
        }
        let until_the_end = b"HTTP/1.1 200 OK\r\n\r\nall of it\n";
        assert_eq!(answer_of(until_the_end, false).await.unwrap(), Answer::Cosigned("all of it\n".to_owned()));
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_off_or_has_no_end_is_none() {
        for bytes in [b"".as_slice(), b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", b"SSH-2.0-x\r\n", b"\xff"]
        {
            assert!(answer_of(bytes, false).await.is_err(), "{bytes:?}");
        }
        let long = http("200 OK", &"a".repeat(ANSWER_BYTES_MAX + 1));
        let found = answer_of(&long, true).await;
        assert!(matches!(found, Err(EndpointFailure::Body(_))), "{found:?}");
    }
}
