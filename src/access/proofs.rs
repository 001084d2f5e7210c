//! Proofs: that an entry or an event is in the log, and that the log only grew. They read the log and its tree.

use bytes::Bytes;

use super::{
    failure::ReadError,
    reader::{Permission, Reader},
    reads::Reads,
};
use crate::{
    engine::sequencer::Published,
    format::{proof, proto, wire},
    ledger::{EventRef, KeyId, LogIndex},
    merkle::Hash,
};

/// That the log of one size begins with the log of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// As RFC 6962 has them.
    pub hashes: Vec<Hash>,
    /// The root over the older size.
    pub old_root: Hash,
    /// The root over the newer size.
    pub new_root: Hash,
}

/// That an event is in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct EventProof {
    /// That it is in its entry.
    pub event_in_entry: proto::EventInEntry,
    /// That the entry is in the log: hashes from the leaf up.
    pub inclusion: Vec<Hash>,
}

impl Reads {
    /// That an entry is under a published checkpoint: hashes from the leaf up.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`]; [`ReadError::FieldInvalid`], `size` before `index`; [`ReadError::Failed`].
    pub fn inclusion_proof(&self, reader: Reader, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        reader.check(Permission::Local)?;
        self.path("index", index, size)
    }

    /// That the log only grew between two published sizes.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`]; [`ReadError::FieldInvalid`], `new_size` before `old_size`; [`ReadError::Failed`].
    pub fn consistency_proof(
        &self,
        reader: Reader,
        old_size: u64,
        new_size: u64,
    ) -> Result<ConsistencyProof, ReadError> {
        reader.check(Permission::Local)?;
        let published = self.check_published("new_size", new_size)?;
        if !(1..=new_size).contains(&old_size) {
            return Err(ReadError::invalid("old_size", format!("1 to new_size, {new_size}")));
        }
        let whole = (published.size, &published.root());
        let (hashes, old_root, new_root) = self.node.tree.consistency_proof((old_size, new_size), whole)?;
        Ok(ConsistencyProof { hashes, old_root, new_root })
    }

    /// That an event is under a published checkpoint.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`]; [`ReadError::FieldInvalid`], `size` before `event.index`; [`ReadError::EventUnknown`],
    /// [`ReadError::Failed`].
    pub fn event_proof(&self, reader: Reader, event: EventRef, size: u64) -> Result<EventProof, ReadError> {
        reader.check(Permission::Local)?;
        let LogIndex(index) = event.index;
        let inclusion = self.path("event.index", index, size)?;
        let entry = self.node.log.entry(index)?;
        let entry = entry.ok_or_else(|| ReadError::damaged("an entry under a checkpoint is missing"))?;
        let unknown = ReadError::EventUnknown { index, events: entry.events.len() };
        let keys = self.public_keys(&entry.header)?;
        let event_in_entry = proof::event_in_entry(&entry, u32::from(event.event), keys).ok_or(unknown)?;
        Ok(EventProof { event_in_entry, inclusion })
    }

    /// The keys of a header's signers.
    fn public_keys(&self, header: &Bytes) -> Result<Vec<Bytes>, ReadError> {
        let header = wire::decode_header(header).map_err(|refusal| ReadError::damaged(refusal.to_string()))?;
        let version = self.version();
        let key = |id: &KeyId| version.key(*id).map(|key| Bytes::copy_from_slice(&key.public_key));
        let keys: Option<Vec<Bytes>> = header.sheet.signers.iter().map(key).collect();
        keys.ok_or_else(|| ReadError::damaged("a signer of a recorded sheet is not enrolled"))
    }

    fn path(&self, field: &'static str, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        let published = self.check_published("size", size)?;
        if index >= size {
            return Err(ReadError::invalid(field, format!("an entry below size, {size}")));
        }
        let tree = &self.node.tree;
        let root = tree.root_within(size, (published.size, &published.root()))?;
        Ok(tree.inclusion_proof(index, (size, &root))?)
    }

    /// The newest checkpoint, which has to cover so many entries.
    fn check_published(&self, field: &'static str, size: u64) -> Result<Published, ReadError> {
        let published = self.published.borrow().clone();
        if (1..=published.size).contains(&size) {
            Ok(published)
        } else {
            let expected = format!("1 to the size of the newest checkpoint, {}", published.size);
            Err(ReadError::invalid(field, expected))
        }
    }
}
