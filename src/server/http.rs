//! Plain HTTP, for everybody: the published checkpoint, and the tiles and bundles of the entries under it. What they hold
//! is public by design; nothing else is answered over HTTP/1.1.

use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    access::{ReadError, Reader, Reads},
    merkle::TileFile,
};

/// A checkpoint is at most a second old; a cache may add as much.
const CACHE_CHECKPOINT: &str = "public, max-age=1";
/// A file of the tree never changes: a year, the longest that caches are asked for.
const CACHE_FILE: &str = "public, max-age=31536000, immutable";
/// What isn't there may be there with the next checkpoint.
const CACHE_NOTHING: &str = "no-store";
/// Whoever asks here may be anybody.
const READER: Reader = Reader::Public;

/// The public files of a ledger.
pub(super) fn routes(reads: &Reads) -> Router {
    Router::new().route("/checkpoint", get(checkpoint)).route("/tile/{*file}", get(tile)).with_state(reads.clone())
}

/// What HTTP/1.1 is answered where gRPC is.
pub(super) fn not_here() -> Response {
    answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", CACHE_NOTHING, "only /checkpoint and /tile/ are here\n")
}

async fn checkpoint(State(reads): State<Reads>) -> Response {
    match reads.checkpoint(READER) {
        Ok(checkpoint) => {
            let (note, cosigned) = (checkpoint.note, checkpoint.cosigned);
            // The same one with the lines of witnesses below, once enough of them have cosigned it.
            let note = if cosigned.starts_with(&note) { cosigned } else { note };
            answer(StatusCode::OK, "text/plain; charset=utf-8", CACHE_CHECKPOINT, note)
        }
        Err(error) => failed("/checkpoint", &error),
    }
}

async fn tile(State(reads): State<Reads>, uri: Uri) -> Response {
    let file = uri.path().strip_prefix('/').and_then(TileFile::parse);
    let content = match file {
        Some(file) => reads.file(READER, file).await,
        None => Ok(None),
    };
    match content {
        Ok(Some(bytes)) => answer(StatusCode::OK, "application/octet-stream", CACHE_FILE, bytes),
        Ok(None) => {
            answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", CACHE_NOTHING, "no such file is published\n")
        }
        Err(error) => failed(uri.path(), &error),
    }
}

fn failed(path: &str, error: &ReadError) -> Response {
    let problem = if let ReadError::Failed { problem } = error { problem.clone() } else { error.to_string() };
    tracing::error!("{path} could not be put together: {problem}");
    answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", CACHE_NOTHING, "try again\n")
}

fn answer(status: StatusCode, kind: &'static str, cache: &'static str, body: impl IntoResponse) -> Response {
    let headers: [(HeaderName, &str); 3] =
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, body).into_response()
}
