//! What a data folder knows of ledgers from the last time that a server answered: enough to check and sign without one.
//!
//! One file a ledger below `known/`, named after its origin: a serialized `GetStatusResponse`. It is a convenience, derived
//! and never trusted with anything but words and early refusals: the server checks everything again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use prost::Message;
use sha2::{Digest, Sha256};

use crate::{
    engine::{
        now,
        store::{atomic_write, private_folder},
    },
    format::proto,
};

/// Longest file read: a status with the largest policy is far below.
const FILE_BYTES_MAX: u64 = 64 * 1_024;

fn file(folder: &Path, origin: &str) -> PathBuf {
    folder.join("known").join(hex::encode(&Sha256::digest(origin.as_bytes())[..8]))
}

/// A ledger takes sheets that are signed this far ahead of its time, or of this machine's.
const AHEAD_MS: i64 = 600_000;

/// Keeps what a server says of its ledger. Where that can't be kept, only offline work lacks it.
pub(super) fn remember(folder: &Path, status: &proto::GetStatusResponse) {
    // A ledger's time that is further ahead stands still until the machine's comes to it: what is signed here without a server
    // has to be signed by it.
    let is_ahead = status.recorded_at_ms > now::wall().as_millisecond().saturating_add(AHEAD_MS);
    // Nothing that changes with every entry: so the file is seldom written.
    let kept = proto::GetStatusResponse {
        origin: status.origin.clone(),
        genesis_leaf_hash: status.genesis_leaf_hash.clone(),
        policy: status.policy.clone(),
        issuance_account: status.issuance_account.clone(),
        recorded_at_ms: if is_ahead { status.recorded_at_ms } else { 0 },
        ..proto::GetStatusResponse::default()
    };
    let (path, bytes) = (file(folder, &status.origin), kept.encode_to_vec());
    if fs::read(&path).ok().as_deref() != Some(&bytes) {
        let _kept = path.parent().map_or(Ok(()), private_folder).and_then(|()| atomic_write(&path, &bytes, 0o600));
    }
}

/// What was last known of a ledger.
pub(super) fn recall(folder: &Path, origin: &str) -> Option<proto::GetStatusResponse> {
    let path = file(folder, origin);
    let is_small = fs::metadata(&path).ok()?.len() <= FILE_BYTES_MAX;
    let bytes = if is_small { fs::read(&path).ok()? } else { return None };
    let status = proto::GetStatusResponse::decode(bytes.as_slice()).ok()?;
    (status.origin == origin).then_some(status)
}
