//! The public files of a server, over HTTP.

use std::{collections::HashMap, future::poll_fn, time::Duration};

use axum::{
    body::to_bytes,
    http::{Request, StatusCode},
};
use tokio::{runtime::Handle, task::JoinSet};
use tonic::{body::Body, client::GrpcService, transport::Channel};

use crate::{
    format::wire::LEAF_LENGTH,
    merkle::{TILE_WIDTH, TileFile},
};

/// How long one file may take.
const FILE_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest file: a bundle of 256 leaves and their lengths; a tile has 8,192 bytes.
const FILE_BYTES_MAX: usize = 256 * (2 + LEAF_LENGTH);
/// Files asked for at once: at 100 ms there and back, 40,000 entries a second instead of 1,280.
const AHEAD: u64 = 32;

/// A server's files, full ones fetched ahead of being asked for. Asks from a thread that may wait.
pub(super) struct Source {
    channel: Channel,
    handle: Handle,
    size: u64,
    ahead: HashMap<TileFile, Vec<u8>>,
}

impl Source {
    pub(super) fn new(channel: Channel, size: u64) -> Self {
        Self { channel, handle: Handle::current(), size, ahead: HashMap::new() }
    }

    pub(super) fn fetch(&mut self, file: TileFile) -> Result<Option<Vec<u8>>, String> {
        if let Some(bytes) = self.ahead.remove(&file) {
            return Ok(Some(bytes));
        }
        self.handle.block_on(async {
            let mut others = JoinSet::new();
            for next in following(file, self.size) {
                // What is left of the last ones was passed over: it won't be asked for any more.
                self.ahead.retain(|other, _| is_bundle(other) != is_bundle(&next));
                let channel = self.channel.clone();
                others.spawn(async move { (next, get(channel, next.to_string(), FILE_BYTES_MAX).await) });
            }
            let bytes = get(self.channel.clone(), file.to_string(), FILE_BYTES_MAX).await?;
            while let Some(joined) = others.join_next().await {
                // One that failed is asked for again when it is its turn, and fails then.
                if let Ok((next, Ok(Some(bytes)))) = joined {
                    self.ahead.insert(next, bytes);
                }
            }
            Ok(bytes)
        })
    }
}

const fn is_bundle(file: &TileFile) -> bool {
    matches!(file, TileFile::Entries { .. })
}

/// The full files right after a full one, of a log of this size.
fn following(file: TileFile, size: u64) -> impl Iterator<Item = TileFile> {
    let (first, end) = match file {
        TileFile::Hashes { level: 0, index, partial: None } | TileFile::Entries { index, partial: None } => {
            (index.saturating_add(1), index.saturating_add(AHEAD).min(size / TILE_WIDTH))
        }
        TileFile::Hashes { .. } | TileFile::Entries { .. } => (0, 0),
    };
    (first..end).map(move |index| match file {
        TileFile::Hashes { level, partial, .. } => TileFile::Hashes { level, index, partial },
        TileFile::Entries { partial, .. } => TileFile::Entries { index, partial },
    })
}

/// A file below the log's prefix; none where the server says that there is no such file.
pub(super) async fn get(channel: Channel, path: String, bytes_max: usize) -> Result<Option<Vec<u8>>, String> {
    let answered = tokio::time::timeout(FILE_TIMEOUT, request(channel, &path, bytes_max)).await;
    answered.unwrap_or_else(|_late| Err(format!("{path}: no answer within {} s", FILE_TIMEOUT.as_secs())))
}

async fn request(mut channel: Channel, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, String> {
    let failed = |problem: &dyn std::fmt::Display| format!("{path}: {problem}");
    let request = Request::get(format!("/{path}")).body(Body::empty()).map_err(|error| failed(&error))?;
    poll_fn(|context| GrpcService::<Body>::poll_ready(&mut channel, context)).await.map_err(|error| failed(&error))?;
    let response = GrpcService::call(&mut channel, request).await.map_err(|error| failed(&error))?;
    match response.status() {
        StatusCode::OK => {
            let body = axum::body::Body::new(response.into_body());
            let bytes = to_bytes(body, bytes_max).await.map_err(|error| failed(&error))?;
            Ok(Some(bytes.into()))
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
        status => Err(failed(&status)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use std::num::NonZeroU8;

    use axum::{Router, routing};
    use tonic::{
        service::Routes,
        transport::{Server, server::TcpIncoming},
    };

    use super::*;

    #[tokio::test]
    async fn answers_that_are_too_large_or_no_files_are_refused() {
        let routes = Router::new()
            .route("/small", routing::get(|| async { "12345" }))
            .route("/large", routing::get(|| async { "123456" }))
            .route("/broken", routing::get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
            .route("/elsewhere", routing::get(|| async { (StatusCode::FOUND, [("location", "/small")]) }))
            .fallback(|| async { StatusCode::NOT_FOUND });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Server::builder().add_routes(Routes::from(routes));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        let channel = crate::cli::client::channel(&address).await.unwrap();
        let get = |path: &str| get(channel.clone(), path.to_owned(), 5);
        assert_eq!(get("small").await, Ok(Some(b"12345".to_vec())));
        assert_eq!(get("absent").await, Ok(None));
        for path in ["large", "broken", "elsewhere", "a path"] {
            let problem = get(path).await.unwrap_err();
            assert!(problem.starts_with(path), "{problem}");
        }
    }

    #[test]
    fn only_full_files_of_the_log_are_fetched_ahead() {
        let ahead = |file, size| following(file, size).map(|file| file.to_string()).collect::<Vec<_>>();
        let bundle = |index, partial| TileFile::Entries { index, partial };
        let tile = |level, index| TileFile::Hashes { level, index, partial: None };
        assert_eq!(ahead(bundle(0, None), 1_000), ["tile/entries/001", "tile/entries/002"]);
        assert_eq!(ahead(tile(0, 1), 1_024), ["tile/0/002", "tile/0/003"]);
        assert_eq!(ahead(tile(0, 3), 1_024), Vec::<String>::new());
        assert_eq!(ahead(tile(1, 0), 1 << 24), Vec::<String>::new());
        assert_eq!(ahead(bundle(0, NonZeroU8::new(7)), 1_000), Vec::<String>::new());
        let many = ahead(bundle(40, None), 1 << 24);
        assert_eq!((many.len(), many.last().map(String::as_str)), (31, Some("tile/entries/071")));
        assert_eq!(ahead(bundle(u64::MAX - 40, None), u64::MAX), Vec::<String>::new());
    }
}
