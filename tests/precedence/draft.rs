//! A valid sheet of one event in parts, each of which can be spoiled by itself.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;
use timebank::{
    format::{
        proto::{self, event::Kind},
        signature::{PrivateKey, SHEET_HEADER_TYPE, pre_authentication_encoding},
        wire::{EVENT_BYTES_MAX, EVENTS_MAX, HEADER_BYTES_MAX, SHEET_BYTES_MAX},
    },
    merkle,
};

use crate::{
    support::{DAY, MINUTE, ORIGIN, bytes, key},
    world::{ELSEWHERE, Places, REVOKED, STRANGER, USED_ID},
};

/// The ledger that a sheet is handed in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// One with people, records and holds.
    Ready,
    /// One without entries.
    Empty,
    /// As the first, with as many regions as there may be.
    Full,
}

/// What spoils a sheet whatever its event says. Any of them go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Twist {
    Bulk,
    Many,
    Nothing,
    HeaderLong,
    HeaderCut,
    HeaderNoise,
    Format,
    EventLong,
    EventCut,
    EventNoise,
    SaltShort,
    SignatureShort,
    SignatureTooMany,
    CountWrong,
    RootWrong,
    Twice,
    Elsewhere,
    Stranger,
    Forged,
    UsedId,
    Expired,
    Ahead,
    ValidLong,
    ValidLongSince,
    Revoked,
}

/// The parts of a sheet with one valid event.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) target: Target,
    pub(crate) places: Places,
    /// Possession proofs are left empty: they are made for `subject` and the header's origin.
    pub(crate) kind: Kind,
    pub(crate) subject: PrivateKey,
    pub(crate) signers: Vec<PrivateKey>,
    /// Bytes of an event after it.
    pub(crate) second: Option<Bytes>,
    pub(crate) twists: BTreeSet<Twist>,
}

/// Canonical, but no field of ours: number 15, and 1.
const NOISE: [u8; 2] = [0x78, 1];

/// A public key of order 1.
pub(crate) const SMALL_ORDER: [u8; 32] = {
    let mut small = [0; 32];
    small[0] = 1;
    small
};

/// A public key of order 2: one less than the prime of the curve.
pub(crate) const ORDER_TWO: [u8; 32] = {
    let mut small = [0xff; 32];
    (small[0], small[31]) = (0xec, 0x7f);
    small
};

impl Draft {
    pub(crate) fn new(places: Places, signers: &[PrivateKey], kind: Kind) -> Self {
        let (target, twists) = (Target::Ready, BTreeSet::new());
        Self { target, places, kind, subject: key(0), signers: signers.to_vec(), second: None, twists }
    }

    /// Whether both make the same sheet.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let signers = |draft: &Self| draft.signers.iter().map(PrivateKey::public_key).collect::<Vec<_>>();
        (self.target, &self.kind, &self.twists) == (other.target, &other.kind, &other.twists)
            && self.subject.public_key() == other.subject.public_key()
            && signers(self) == signers(other)
    }

    fn has(&self, twist: Twist) -> bool {
        self.twists.contains(&twist)
    }

    /// The service that it records or corrects a record to.
    pub(crate) fn service(&mut self) -> &mut proto::Service {
        match &mut self.kind {
            Kind::ServiceRecorded(recorded) => recorded.service.as_mut().unwrap(),
            Kind::ServiceCorrected(corrected) => corrected.service.as_mut().unwrap(),
            other => panic!("no service: {other:?}"),
        }
    }

    fn origin(&self) -> &'static str {
        if self.has(Twist::Elsewhere) { ELSEWHERE } else { ORIGIN }
    }

    fn all_signers(&self) -> Vec<PrivateKey> {
        let stranger = self.has(Twist::Stranger).then(|| key(STRANGER));
        let revoked = self.has(Twist::Revoked).then(|| key(REVOKED));
        self.signers.iter().cloned().chain(stranger).chain(revoked).collect()
    }

    /// The event, complete with the proofs that its keys give for the ledger it is meant for.
    fn complete(&self) -> Kind {
        let mut kind = self.kind.clone();
        let proof = || bytes(&self.subject.prove_possession(self.origin()));
        if let Kind::KeyEnrolled(enrolled) = &mut kind
            && enrolled.possession.is_empty()
        {
            enrolled.possession = proof();
        }
        if let Kind::LedgerCreated(created) = &mut kind {
            if created.service_possession.is_empty() {
                created.service_possession = proof();
            }
            if created.origin.is_empty() {
                self.origin().clone_into(&mut created.origin);
            }
        }
        kind
    }

    fn events(&self) -> Vec<Bytes> {
        let salt = if self.has(Twist::SaltShort) { &[7; 15][..] } else { &[7; 16] };
        let mut event = proto::Event { salt: bytes(salt), kind: Some(self.complete()) }.encode_to_vec();
        if self.has(Twist::EventNoise) {
            event.extend(NOISE);
        }
        if self.has(Twist::EventCut) {
            event.pop();
        }
        if self.has(Twist::EventLong) {
            event.resize(EVENT_BYTES_MAX + 1, 1);
        }
        let mut events: Vec<Bytes> = [event.into()].into_iter().chain(self.second.clone()).collect();
        if self.has(Twist::Twice) {
            events.push(events[0].clone());
        }
        if self.has(Twist::Nothing) {
            events.clear();
        }
        if self.has(Twist::Many) {
            events.resize(EVENTS_MAX + 1, Bytes::from_static(&[1]));
        }
        events
    }

    fn header(&self, events: &[Bytes]) -> Bytes {
        let now = self.places.now;
        let mut header = proto::SheetHeader {
            format: 1 + u32::from(self.has(Twist::Format)),
            origin: self.origin().to_owned(),
            sheet_id: bytes(&if self.has(Twist::UsedId) { USED_ID } else { [8; 16] }),
            signers: self.all_signers().iter().map(|key| bytes(&key.key_id().0)).collect(),
            issued_at_ms: now,
            valid_until_ms: now + DAY,
            event_count: u32::try_from(events.len()).unwrap() + u32::from(self.has(Twist::CountWrong)),
            events_root: bytes(&merkle::root_of_leaves(events.iter().map(|event| merkle::leaf_hash(event)))),
        };
        if self.has(Twist::Expired) {
            header.valid_until_ms = now - 1;
            header.issued_at_ms = now - DAY;
        }
        if self.has(Twist::Ahead) {
            header.issued_at_ms = now + 11 * MINUTE;
        }
        if self.has(Twist::ValidLongSince) {
            header.issued_at_ms = now - 90 * DAY;
        }
        if self.has(Twist::ValidLong) {
            header.valid_until_ms = now + 91 * DAY;
        }
        if self.has(Twist::RootWrong) {
            header.events_root = bytes(&[9; 32]);
        }
        let mut header = header.encode_to_vec();
        if self.has(Twist::HeaderNoise) {
            header.extend(NOISE);
        }
        if self.has(Twist::HeaderCut) {
            header.pop();
        }
        if self.has(Twist::HeaderLong) {
            header.resize(HEADER_BYTES_MAX + 1, 1);
        }
        header.into()
    }

    /// The sheet, signed over whatever its header says.
    pub(crate) fn sheet(&self) -> proto::Sheet {
        let events = self.events();
        let header = self.header(&events);
        let message = pre_authentication_encoding(SHEET_HEADER_TYPE, &header);
        let sign = |key: &PrivateKey| bytes(&key.sign(if self.has(Twist::Forged) { b"" } else { &message }));
        let mut signatures: Vec<Bytes> = self.all_signers().iter().map(sign).collect();
        if self.has(Twist::SignatureShort) {
            signatures[0].truncate(63);
        }
        if self.has(Twist::SignatureTooMany) {
            signatures.push(bytes(&[1; 64]));
        }
        if self.has(Twist::Bulk) {
            signatures.push(vec![1; SHEET_BYTES_MAX].into());
        }
        proto::Sheet { header, events, signatures }
    }
}
