//! Plain HTTP, for everybody: the published checkpoint, and the tiles and bundles of the entries under it. What they hold
//! is public by design; nothing else is answered over HTTP/1.1.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::{Semaphore, watch};

use super::Service;
use crate::{
    engine::{node::Node, past::PastError, sequencer::Published, store::StoreError},
    merkle::TileFile,
    trust::mirror,
};

/// A checkpoint is at most a second old; a cache may add as much.
const CACHE_CHECKPOINT: &str = "public, max-age=1";
/// A file of the tree never changes: a year, the longest that caches are asked for.
const CACHE_FILE: &str = "public, max-age=31536000, immutable";
/// What isn't there may be there with the next checkpoint.
const CACHE_NOTHING: &str = "no-store";
/// Files put together at a time on one thread: a bundle of the largest sheets reads 64 MiB for its 21 KiB, and must not
/// do so as often as anybody asks.
const READS_MAX: usize = 1;

#[derive(Clone)]
struct Public {
    node: Node,
    published: watch::Receiver<Published>,
    cosigned: watch::Receiver<String>,
    reads: Arc<Semaphore>,
}

/// The public files of a ledger.
pub(super) fn routes(service: &Service) -> Router {
    let (node, published) = (service.node.clone(), service.sequencer.published());
    let cosigned = service.cosigned.clone();
    Router::new().route("/checkpoint", get(checkpoint)).route("/tile/{*file}", get(tile)).with_state(Public {
        node,
        published,
        cosigned,
        reads: Arc::new(Semaphore::new(READS_MAX)),
    })
}

/// What HTTP/1.1 is answered where gRPC is.
pub(super) fn not_here() -> Response {
    answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", CACHE_NOTHING, "only /checkpoint and /tile/ are here\n")
}

async fn checkpoint(State(public): State<Public>) -> Response {
    let mut note = public.published.borrow().note.clone();
    // The same one with the lines of witnesses below, once enough of them have cosigned it.
    let cosigned = public.cosigned.borrow().clone();
    if cosigned.starts_with(&note) {
        note = cosigned;
    }
    answer(StatusCode::OK, "text/plain; charset=utf-8", CACHE_CHECKPOINT, note)
}

async fn tile(State(public): State<Public>, uri: Uri) -> Response {
    let file = uri.path().strip_prefix('/').and_then(TileFile::parse);
    let content = match file {
        Some(file) => public.content(file).await,
        None => Ok(None),
    };
    match content {
        Ok(Some(bytes)) => answer(StatusCode::OK, "application/octet-stream", CACHE_FILE, bytes),
        Ok(None) => {
            answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", CACHE_NOTHING, "no such file is published\n")
        }
        Err(error) => {
            tracing::error!("{} could not be put together: {error}", uri.path());
            answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", CACHE_NOTHING, "try again\n")
        }
    }
}

impl Public {
    /// A file's bytes, read beside the thread that answers.
    async fn content(self, file: TileFile) -> Result<Option<Vec<u8>>, PastError> {
        let size = self.published.borrow().size;
        if file.size_min().is_none_or(|needed| needed > size) {
            return Ok(None);
        }
        let Ok(permit) = self.reads.acquire_owned().await else { return Ok(None) };
        let read = move || {
            // Given back when the read is over, not when whoever asked is gone.
            let _permit = permit;
            mirror::content((self.node.log.as_ref(), &self.node.tree), size, file)
        };
        let failed = |error: tokio::task::JoinError| Err(StoreError::Backend(error.to_string()).into());
        tokio::task::spawn_blocking(read).await.unwrap_or_else(failed)
    }
}

fn answer(status: StatusCode, kind: &'static str, cache: &'static str, body: impl IntoResponse) -> Response {
    let headers: [(HeaderName, &str); 3] =
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, body).into_response()
}
