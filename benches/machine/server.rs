//! What the benches of a server share: how it is opened, how it is spoken to, and on what machine it all runs.
#![allow(clippy::unwrap_used, unreachable_pub, missing_docs, reason = "a bench stops at the first surprise")]

use std::{net::SocketAddr, path::Path};

use timebank::{folder::OpenOptions, format::proto::ledger_service_client::LedgerServiceClient};
use tonic::transport::{Channel, Endpoint};

pub type Client = LedgerServiceClient<Channel>;

/// A ledger that is made in a folder.
pub fn new_in(folder: &Path) -> OpenOptions {
    OpenOptions {
        folder: folder.to_owned(),
        origin: None,
        policy: None,
        predecessor: None,
        accept_clock: None,
        witnesses: None,
    }
}

pub async fn connect(address: SocketAddr) -> Client {
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    LedgerServiceClient::new(channel).max_decoding_message_size(64 << 20)
}

pub fn bytes(array: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(array)
}

/// The file system and device that a folder is on.
pub fn disk_of(folder: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let fields = |line: &str| {
        let mut fields = line.split(' ').map(str::to_owned);
        Some((fields.next()?, fields.next()?, fields.next()?))
    };
    let holding = mounts.lines().filter_map(fields).filter(|(_, place, _)| folder.starts_with(place));
    let (device, _, kind) = holding.max_by_key(|(_, place, _)| place.len()).unwrap_or_default();
    format!("{kind} on {device}")
}
