//! A saved state with the index it stands at, so that a start replays only the rest.
//!
//! `snapshot` = "timebank snapshot 3\n" || SHA-256 of the rest || postcard. It is derived: whatever is wrong with it, the
//! log is replayed from the beginning.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ProjectionError, history::HistoryHeads};
use crate::{ledger::State, merkle::Frontier, replay::Replay, store::atomic_write};

const NAME: &str = "snapshot";
const MAGIC: &[u8] = b"timebank snapshot 3\n";

pub(super) struct Saved {
    pub(super) replay: Replay,
    pub(super) history: HistoryHeads,
}

#[derive(Serialize)]
struct BodyRef<'a> {
    state: &'a State,
    frontier: &'a Frontier,
    history: HistoryHeads,
}

#[derive(Deserialize)]
struct Body {
    state: State,
    frontier: Frontier,
    history: HistoryHeads,
}

pub(super) fn save(folder: &Path, replay: &Replay, history: HistoryHeads) -> Result<(), ProjectionError> {
    let path = folder.join(NAME);
    let io = |source| ProjectionError::Io { path: path.clone(), source };
    let body = BodyRef { state: &replay.state, frontier: &replay.frontier, history };
    let body = postcard::to_stdvec(&body).map_err(|error| io(std::io::Error::other(error)))?;
    let digest = Sha256::digest(&body);
    atomic_write(&path, &[MAGIC, digest.as_slice(), &body].concat(), 0o600).map_err(io)
}

/// The saved state, if there is a sound one of this ledger.
pub(super) fn load(folder: &Path, origin: &str) -> Option<Saved> {
    let bytes = std::fs::read(folder.join(NAME)).ok()?;
    let saved = parse(&bytes).filter(|body| body.state.origin() == origin);
    if saved.is_none() {
        tracing::warn!("the snapshot is damaged or of another ledger; replaying the log from the beginning");
    }
    saved.map(|Body { state, frontier, history }| Saved { replay: Replay { state, frontier }, history })
}

fn parse(bytes: &[u8]) -> Option<Body> {
    let (digest, body) = bytes.strip_prefix(MAGIC)?.split_at_checked(32)?;
    if digest != Sha256::digest(body).as_slice() {
        return None;
    }
    let body: Body = postcard::from_bytes(body).ok()?;
    (body.state.size() == body.frontier.size()).then_some(body)
}
