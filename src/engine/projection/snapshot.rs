//! A saved state with the index it stands at, so that a start replays only the rest.
//!
//! `snapshot` = "timebank snapshot 4\n" || postcard || SHA-256 of all before. It is derived: whatever is wrong with it, the
//! log is replayed from the beginning.

use std::{
    io::{BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ProjectionError, history::HistoryHeads};
use crate::{
    engine::{replay::Replay, store::atomic_write_with},
    ledger::State,
    merkle::Frontier,
};

const NAME: &str = "snapshot";
const MAGIC: &[u8] = b"timebank snapshot 4\n";

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
    let written = atomic_write_with(folder, &path, 0o600, |file| {
        let mut writer = BufWriter::new(Hashing { file, sha256: Sha256::new() });
        writer.write_all(MAGIC)?;
        postcard::to_io(&body, &mut writer).map_err(std::io::Error::other)?;
        let Hashing { file, sha256 } = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.write_all(&sha256.finalize())
    });
    written.map_err(io)
}

/// Writes, and hashes what it writes.
struct Hashing<'a, W> {
    file: &'a mut W,
    sha256: Sha256,
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha256.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
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
    let (rest, digest) = bytes.split_last_chunk::<32>()?;
    if *digest != Sha256::digest(rest).as_slice() {
        return None;
    }
    let body: Body = postcard::from_bytes(rest.strip_prefix(MAGIC)?).ok()?;
    (body.state.size() == body.frontier.size()).then_some(body)
}
