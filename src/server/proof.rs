//! Proofs: that an entry or an event is in the log, and that the log only grew.

use bytes::Bytes;
use tonic::Status;

use super::{
    Service,
    reason::Reason,
    status::{ReadFailure, damaged, failure, invalid},
};
use crate::{
    format::{proof, proto, wire},
    ledger::KeyId,
    merkle::{self, Hash, root_at},
};

impl Service {
    pub(super) fn inclusion_proof(
        &self,
        request: proto::GetInclusionProofRequest,
    ) -> Result<proto::GetInclusionProofResponse, Status> {
        Ok(proto::GetInclusionProofResponse { hashes: self.path("index", request.index, request.size)? })
    }

    pub(super) fn consistency_proof(
        &self,
        request: proto::GetConsistencyProofRequest,
    ) -> Result<proto::GetConsistencyProofResponse, Status> {
        let proto::GetConsistencyProofRequest { old_size, new_size } = request;
        self.check_published("new_size", new_size)?;
        if !(1..=new_size).contains(&old_size) {
            return Err(invalid("old_size", &format!("1 to new_size, {new_size}")));
        }
        let node = |level, index| self.node.tree.node(level, index);
        let hashes = merkle::consistency_proof(old_size, new_size, node).map_err(ReadFailure::from)?;
        let root = |size| root_at(size, node).map(message).map_err(ReadFailure::from);
        let (old_root, new_root) = (root(old_size)?, root(new_size)?);
        Ok(proto::GetConsistencyProofResponse { hashes: messages(hashes), old_root, new_root })
    }

    pub(super) fn event_proof(
        &self,
        request: &proto::GetEventProofRequest,
    ) -> Result<proto::GetEventProofResponse, Status> {
        let event = request.event.unwrap_or_default();
        let inclusion_proof = self.path("event.index", event.index, request.size)?;
        let entry = self.node.log.entry(event.index).map_err(ReadFailure::from)?;
        let entry = entry.ok_or_else(|| damaged("an entry under a checkpoint is missing"))?;
        let unknown = || {
            let message = format!("entry {} has {} events, from 0", event.index, entry.events.len());
            failure(Reason::EventUnknown, "event.event", &message)
        };
        let event_in_entry = proof::event_in_entry(&entry, event.event, self.public_keys(&entry.header)?);
        Ok(proto::GetEventProofResponse { event_in_entry: Some(event_in_entry.ok_or_else(unknown)?), inclusion_proof })
    }

    /// The keys of a header's signers.
    fn public_keys(&self, header: &Bytes) -> Result<Vec<Bytes>, Status> {
        let header = wire::decode_header(header).map_err(|refusal| damaged(&refusal.to_string()))?;
        let shown = self.node.projection.shown();
        let key = |id: &KeyId| shown.key(*id).map(|key| Bytes::copy_from_slice(&key.public_key));
        let keys: Option<Vec<Bytes>> = header.sheet.signers.iter().map(key).collect();
        keys.ok_or_else(|| damaged("a signer of a recorded sheet is not enrolled"))
    }

    fn path(&self, field: &str, index: u64, size: u64) -> Result<Vec<Bytes>, Status> {
        self.check_published("size", size)?;
        if index >= size {
            return Err(invalid(field, &format!("an entry below size, {size}")));
        }
        let path = merkle::inclusion_proof(index, size, |level, index| self.node.tree.node(level, index));
        Ok(messages(path.map_err(ReadFailure::from)?))
    }

    fn check_published(&self, field: &str, size: u64) -> Result<(), Status> {
        let published = self.sequencer.published().borrow().size;
        if (1..=published).contains(&size) {
            Ok(())
        } else {
            Err(invalid(field, &format!("1 to the size of the newest checkpoint, {published}")))
        }
    }
}

fn message(hash: Hash) -> Bytes {
    Bytes::copy_from_slice(&hash)
}

fn messages(hashes: Vec<Hash>) -> Vec<Bytes> {
    hashes.into_iter().map(message).collect()
}
