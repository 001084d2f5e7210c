//! That an event is in a ledger: event > `events_root` > header and signatures > leaf > root > signed checkpoint.
//!
//! The file is a [transparency log proof] of C2SP, whose extra data is a canonical `EventInEntry`.
//!
//! [transparency log proof]: https://c2sp.org/tlog-proof

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use prost::Message;

use super::{LineError, Lines, hash_lines};
use crate::{
    format::{
        checkpoint::{
            self, CheckpointError, NOTE_BYTES_MAX, Note, VerifierKey,
            policy::{Unsatisfied, WitnessPolicy},
        },
        proto,
        signature::{self, Claim},
        wire::{self, StoredEntry},
    },
    ledger::{Event, KeyId, Millis, Refusal, SheetId},
    merkle::{Frontier, Hash, ProofError, inclusion_proof, leaf_hash, stored_hash_number, verify_inclusion},
};

/// Bytes of a proof: a checkpoint, 64 hashes of 45 bytes, and in base64 a header and an event of 1 kB each, 8 signers with
/// 96 bytes each, and 10 hashes of 34.
pub const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + 16 * 1_024;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A proof as a file has it. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct EventProof {
    /// Index of the entry.
    pub index: u64,
    /// From the event to its entry.
    pub event_in_entry: proto::EventInEntry,
    /// From the entry to the checkpoint's root, from the leaf up.
    pub inclusion: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// Why a proof proves nothing. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventProofError {
    /// Too long to be looked at.
    #[error("the proof has {bytes} bytes, more than {PROOF_BYTES_MAX}")]
    TooLarge {
        /// Length of the file.
        bytes: usize,
    },
    /// The file holds something else than text.
    #[error("the proof is not valid UTF-8 from byte {at} on")]
    NotUtf8 {
        /// Bytes before the first bad one.
        at: usize,
    },
    /// Not the format.
    #[error("not a proof: {0}")]
    Line(#[from] LineError),
    /// The extra data isn't one canonical message.
    #[error("the proof's event can't be read: {0}")]
    EventInEntry(Refusal),
    /// The checkpoint isn't one of the ledger.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Too few witnesses.
    #[error(transparent)]
    Witnesses(#[from] Unsatisfied),
    /// The header can't be read.
    #[error("the header of the entry is not one: {0}")]
    Header(Refusal),
    /// A sheet for another ledger.
    #[error("the sheet is for the ledger {found}, not for {expected}")]
    OriginMismatch {
        /// In the header.
        found: String,
        /// In the checkpoint, as the ledger's key is named.
        expected: String,
    },
    /// As many keys and signatures as signers are needed.
    #[error("the header names {signers} signers; the proof has {keys} keys and {signatures} signatures")]
    SignerCountMismatch {
        /// In the header.
        signers: usize,
        /// In the proof.
        keys: usize,
        /// In the proof.
        signatures: usize,
    },
    /// A key that the header doesn't name.
    #[error("public key {position} of the proof is not the one of signer {signer}")]
    SignerMismatch {
        /// Counted from 0.
        position: usize,
        /// In the header.
        signer: KeyId,
    },
    /// Not signed by whom the header names.
    #[error("the signature of {signer} is invalid")]
    SignatureInvalid {
        /// In the header.
        signer: KeyId,
    },
    /// The event isn't what the signers signed.
    #[error("the event is not event {number} of the sheet that was signed: {problem}")]
    NotInSheet {
        /// Place in the sheet from 0, as the proof claims it.
        number: u32,
        /// How the path from the event to `events_root` fails.
        problem: ProofError,
    },
    /// The entry isn't in the log that the checkpoint is over.
    #[error("the sheet is not entry {index} of the log under this checkpoint: {problem}")]
    NotInLog {
        /// Position in the log, as the proof claims it.
        index: u64,
        /// How the path from the leaf to the checkpoint's root fails.
        problem: ProofError,
    },
    /// The event can't be read.
    #[error("the event is not one: {0}")]
    Event(Refusal),
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenEvent {
    /// Name of the ledger: the same in sheet, checkpoint and key.
    pub origin: String,
    /// Index of the entry.
    pub index: u64,
    /// Number of the event in its sheet.
    pub number: u32,
    /// When the entry was recorded, by the ledger's clock.
    pub recorded_at: Millis,
    /// When it was signed, by the author's clock.
    pub issued_at: Millis,
    /// The author's own id for the sheet.
    pub sheet_id: SheetId,
    /// Whose signatures were verified.
    pub signers: Vec<KeyId>,
    /// What was recorded.
    pub event: Event,
    /// Entries under the checkpoint.
    pub size: u64,
    /// The checkpoint's root.
    pub root: Hash,
    /// The policy's names of the witnesses that cosigned the checkpoint.
    pub witnesses: Vec<String>,
}

impl EventProof {
    /// Reads a file.
    ///
    /// # Errors
    /// In the order of [`EventProofError`], up to [`EventProofError::EventInEntry`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EventProofError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(EventProofError::TooLarge { bytes: bytes.len() });
        }
        let text = str::from_utf8(bytes).map_err(|error| EventProofError::NotUtf8 { at: error.valid_up_to() })?;
        let mut lines = Lines::new(text);
        lines.exactly(FIRST_LINE)?;
        let expected = "`extra ` and the event in base64";
        let extra = lines.after("extra ", expected)?;
        let extra = BASE64_STANDARD.decode(extra).map_err(|_not_base64| lines.error(expected))?;
        let expected = "`index ` and a decimal number";
        let index = lines.after("index ", expected)?;
        let index = checkpoint::parse_size(index).ok_or_else(|| lines.error(expected))?;
        let inclusion = lines.hashes()?;
        let event_in_entry = wire::decode_event_in_entry(&extra.into()).map_err(EventProofError::EventInEntry)?;
        Ok(Self { index, event_in_entry, inclusion, checkpoint: lines.rest.to_owned() })
    }

    /// Verifies everything that can be verified without the rest of the log.
    ///
    /// # Errors
    /// In the order of [`EventProofError`], from [`EventProofError::Checkpoint`] on.
    pub fn verify(&self, ledger: &VerifierKey, policy: Option<&WitnessPolicy>) -> Result<ProvenEvent, EventProofError> {
        let checkpoint = checkpoint::open(self.checkpoint.as_bytes(), ledger, ledger.name())?;
        let root = checkpoint.root_hash()?;
        let witnesses = match policy {
            Some(policy) => {
                let note = Note::parse(self.checkpoint.as_bytes()).map_err(CheckpointError::from)?;
                policy.satisfied(&note)?.into_iter().map(str::to_owned).collect()
            }
            None => Vec::new(),
        };
        let proto::EventInEntry { recorded_at_ms, header, signatures, number, event, .. } = &self.event_in_entry;
        let fields = wire::decode_header(header).map_err(EventProofError::Header)?;
        if fields.sheet.origin != checkpoint.origin {
            let found = fields.sheet.origin;
            return Err(EventProofError::OriginMismatch { found, expected: checkpoint.origin });
        }
        self.verify_signatures(&fields.sheet.signers)?;
        let path = hashes(&self.event_in_entry.inclusion_proof);
        verify_inclusion(
            &leaf_hash(event),
            u64::from(*number),
            u64::from(fields.event_count),
            &path,
            &fields.events_root,
        )
        .map_err(|problem| EventProofError::NotInSheet { number: *number, problem })?;
        let leaf =
            wire::leaf(self.index, *recorded_at_ms, &wire::header_hash(header), &wire::signatures_hash(signatures));
        verify_inclusion(&leaf_hash(&leaf), self.index, checkpoint.size, &self.inclusion, &root)
            .map_err(|problem| EventProofError::NotInLog { index: self.index, problem })?;
        let refused = |refusal: Refusal| EventProofError::Event(Refusal::sheet("event", refusal.rejection));
        Ok(ProvenEvent {
            origin: checkpoint.origin,
            index: self.index,
            number: *number,
            recorded_at: Millis(*recorded_at_ms),
            issued_at: fields.sheet.issued_at,
            sheet_id: fields.sheet.sheet_id,
            signers: fields.sheet.signers,
            event: wire::decode_event(event).map_err(refused)?,
            size: checkpoint.size,
            root,
            witnesses,
        })
    }

    fn verify_signatures(&self, signers: &[KeyId]) -> Result<(), EventProofError> {
        let proto::EventInEntry { header, signatures, public_keys, .. } = &self.event_in_entry;
        if (public_keys.len(), signatures.len()) != (signers.len(), signers.len()) {
            return Err(EventProofError::SignerCountMismatch {
                signers: signers.len(),
                keys: public_keys.len(),
                signatures: signatures.len(),
            });
        }
        let message = signature::pre_authentication_encoding(signature::SHEET_HEADER_TYPE, header);
        for (position, ((signer, key), signature)) in signers.iter().zip(public_keys).zip(signatures).enumerate() {
            let signer = *signer;
            let key = key.as_ref().try_into().ok().filter(|key| signature::key_id(key) == signer);
            let public_key = key.ok_or(EventProofError::SignerMismatch { position, signer })?;
            // One of another length is none: S is out of range here.
            let signature = signature.as_ref().try_into().unwrap_or([0xff; 64]);
            if !signature::verify(Claim { public_key, signature, message: &message }) {
                return Err(EventProofError::SignatureInvalid { signer });
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for EventProof {
    /// The file as [`EventProof::parse`] reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let extra = BASE64_STANDARD.encode(self.event_in_entry.encode_to_vec());
        let (index, hashes) = (self.index, hash_lines(&self.inclusion));
        write!(f, "{FIRST_LINE}\nextra {extra}\nindex {index}\n{hashes}{}", self.checkpoint)
    }
}

/// The path of a message. A hash of another length is none, and leads nowhere.
fn hashes(path: &[Bytes]) -> Vec<Hash> {
    path.iter().map(|hash| hash.as_ref().try_into().unwrap_or_default()).collect()
}

/// Shows that an event is in an entry; none where there is no such event. `public_keys` are those of the header's signers.
#[must_use]
pub fn event_in_entry(entry: &StoredEntry, number: u32, public_keys: Vec<Bytes>) -> Option<proto::EventInEntry> {
    let event = entry.events.get(usize::try_from(number).ok()?)?.clone();
    let (mut frontier, mut stored) = (Frontier::default(), Vec::new());
    for event in &entry.events {
        frontier.append(leaf_hash(event), |hash| stored.push(hash));
    }
    let node = |level, index| {
        let number = usize::try_from(stored_hash_number(level, index)).ok();
        number.and_then(|number| stored.get(number)).copied().ok_or(())
    };
    let path = inclusion_proof(u64::from(number), frontier.parts().0, node).ok()?;
    Some(proto::EventInEntry {
        recorded_at_ms: entry.recorded_at_ms,
        header: entry.header.clone(),
        signatures: entry.signatures.clone(),
        public_keys,
        number,
        event,
        inclusion_proof: path.into_iter().map(|hash| hash.to_vec().into()).collect(),
    })
}
