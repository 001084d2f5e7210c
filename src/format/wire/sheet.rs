//! A sheet at the door: everything that its bytes alone can show to be wrong.

use std::collections::HashMap;

use bytes::Bytes;

use super::{
    canonical,
    entry::StoredEntry,
    event, frequent, leaf,
    limits::{
        EVENT_BYTES_MAX, EVENTS_MAX, HEADER_BYTES_MAX, ORIGIN_BYTES_MAX, SHEET_BYTES_MAX, SIGNERS_MAX, TIMES_MS, id,
    },
};
use crate::{
    format::{
        proto,
        signature::{self, Claim},
    },
    ledger::{Event, KeyId, Millis, Possession, Refusal, Rejection, Sheet, SheetId, Text},
    merkle,
};

/// A sheet whose bytes are in order. Its signatures are still to be verified.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// As the rules see it.
    pub sheet: Sheet,
    /// SHA-256 of its header.
    pub header_hash: [u8; 32],
    /// SHA-256 over its signatures.
    pub signatures_hash: [u8; 32],
    /// What its signers signed.
    pub signed_message: Vec<u8>,
    /// Their signatures, in the order of the signers.
    pub signatures: Vec<[u8; 64]>,
}

/// The parts of a sheet, wherever they are kept.
#[derive(Clone, Copy)]
struct SheetParts<'a> {
    header: &'a Bytes,
    events: &'a [Bytes],
    signatures: &'a [Bytes],
}

/// Decodes a sheet.
///
/// # Errors
/// As [`Rejection`] has it of the door, from `SheetTooLarge` to `PossessionInvalid`.
pub fn decode(sheet: &proto::Sheet) -> Result<Decoded, Refusal> {
    decode_parts(SheetParts { header: &sheet.header, events: &sheet.events, signatures: &sheet.signatures })
}

/// Decodes the sheet of an entry.
///
/// # Errors
/// As [`decode`].
pub fn decode_entry(entry: &StoredEntry) -> Result<Decoded, Refusal> {
    decode_parts(SheetParts { header: &entry.header, events: &entry.events, signatures: &entry.signatures })
}

fn decode_parts(sheet: SheetParts<'_>) -> Result<Decoded, Refusal> {
    let parts = sheet.events.iter().chain(sheet.signatures);
    let bytes = sheet.header.len() + parts.map(Bytes::len).sum::<usize>();
    check_lengths(sheet.header, bytes, sheet.events.len())?;
    let mut scratch = Vec::with_capacity(HEADER_BYTES_MAX);
    let header: proto::SheetHeader = canonical::decode("SheetHeader", sheet.header, &mut scratch)
        .map_err(|(path, rejection)| Refusal::sheet(join("header", &path), rejection))?;
    let fields = header_fields(&header)?;
    let mut events = Vec::with_capacity(sheet.events.len());
    let mut salts = HashMap::with_capacity_and_hasher(sheet.events.len(), foldhash::fast::RandomState::default());
    let mut repeated = None;
    for (number, bytes) in (0_u16..).zip(sheet.events) {
        if let Some(rejection) = out_of_range(bytes, EVENT_BYTES_MAX) {
            return Err(Refusal::event(number, "", rejection));
        }
        let (salt, event) =
            event_fields(bytes, &mut scratch).map_err(|(path, rejection)| Refusal::event(number, path, rejection))?;
        if let Some((field, expected)) = event.fault(&fields.origin) {
            let field = format!("{}.{field}", event.name());
            return Err(Refusal::event(number, field, Rejection::FieldInvalid { expected }));
        }
        if let Some(other) = salts.insert(salt, number) {
            repeated = repeated.or(Some((number, usize::from(other))));
        }
        events.push(event);
    }
    let signatures = check_agreement(sheet, &header, fields.signers.len())?;
    if let Some((number, other)) = repeated {
        return Err(Refusal::event(number, "salt", Rejection::SaltRepeated { other }));
    }
    check_keys(&fields.origin, &events)?;
    Ok(Decoded {
        sheet: Sheet { events, ..fields },
        header_hash: leaf::header_hash(sheet.header),
        signatures_hash: leaf::signatures_hash(sheet.signatures),
        signed_message: signature::pre_authentication_encoding(signature::SHEET_HEADER_TYPE, sheet.header),
        signatures,
    })
}

/// What a header says, without its sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// As the rules see it, without events.
    pub sheet: Sheet,
    /// How many events there are.
    pub event_count: u32,
    /// The tree hash over them.
    pub events_root: merkle::Hash,
}

/// Decodes a header that was taken out of its sheet.
///
/// # Errors
/// As [`decode`], of what concerns the header.
pub fn decode_header(bytes: &Bytes) -> Result<Header, Refusal> {
    if let Some(rejection) = out_of_range(bytes, HEADER_BYTES_MAX) {
        return Err(Refusal::sheet("header", rejection));
    }
    let header: proto::SheetHeader = canonical::decode("SheetHeader", bytes, &mut Vec::new())
        .map_err(|(path, rejection)| Refusal::sheet(join("header", &path), rejection))?;
    let sheet = header_fields(&header)?;
    let events_root = header.events_root.as_ref().try_into().unwrap_or_default();
    Ok(Header { sheet, event_count: header.event_count, events_root })
}

/// Decodes what shows that an event is in an entry. Header and event stay as they are.
///
/// # Errors
/// [`Rejection::EncodingInvalid`] and [`Rejection::EncodingNotCanonical`].
pub fn decode_event_in_entry(bytes: &Bytes) -> Result<proto::EventInEntry, Refusal> {
    canonical::decode("EventInEntry", bytes, &mut Vec::new())
        .map_err(|(path, rejection)| Refusal::sheet(join("event_in_entry", &path), rejection))
}

/// Decodes one event of an entry that was accepted, hence valid, before.
///
/// # Errors
/// As [`decode`]: the bytes are not what was accepted.
pub fn decode_event(bytes: &Bytes) -> Result<Event, Refusal> {
    let decoded = event_fields(bytes, &mut Vec::new()).map(|(_, event)| event);
    decoded.map_err(|(path, rejection)| Refusal::sheet(path, rejection))
}

/// A path within a path.
fn join(outer: &str, inner: &str) -> String {
    if inner.is_empty() { outer.to_owned() } else { format!("{outer}.{inner}") }
}

fn out_of_range(bytes: &Bytes, max: usize) -> Option<Rejection> {
    (!(1..=max).contains(&bytes.len())).then(|| Rejection::LengthOutOfRange { bytes: bytes.len(), max })
}

/// Refuses a sheet for its bytes, all parts together, its header's, or the number of its events.
pub(super) fn check_lengths(header: &Bytes, bytes: usize, events: usize) -> Result<(), Refusal> {
    if bytes > SHEET_BYTES_MAX {
        return Err(Refusal::sheet("sheet", Rejection::SheetTooLarge { bytes, max: SHEET_BYTES_MAX }));
    }
    if let Some(rejection) = out_of_range(header, HEADER_BYTES_MAX) {
        return Err(Refusal::sheet("header", rejection));
    }
    if !(1..=EVENTS_MAX).contains(&events) {
        return Err(Refusal::sheet("events", Rejection::EventCountOutOfRange { count: events, max: EVENTS_MAX }));
    }
    Ok(())
}

fn header_fields(header: &proto::SheetHeader) -> Result<Sheet, Refusal> {
    let invalid = |field: &'static str, expected: Text| {
        Refusal::sheet(format!("header.{field}"), Rejection::FieldInvalid { expected })
    };
    if header.format != 1 {
        return Err(invalid("format", Text::new("1, the only format there is", "1，目前只有这个格式")));
    }
    if !is_origin(&header.origin) {
        return Err(invalid(
            "origin",
            Text::new(
                "1 to 128 visible ASCII characters, without + and not beginning with DSSEv1",
                "1 至 128 个可见 ASCII 字符，不含 +，不以 DSSEv1 开头",
            ),
        ));
    }
    let sheet_id = SheetId(id(&header.sheet_id).ok_or_else(|| invalid("sheet_id", Text::new("16 bytes", "16 字节")))?);
    if !(1..=SIGNERS_MAX).contains(&header.signers.len()) {
        return Err(invalid("signers", Text::new("1 to 8 key ids", "1 至 8 个密钥编号")));
    }
    let signers: Option<Vec<KeyId>> = header.signers.iter().map(|bytes| id(bytes).map(KeyId)).collect();
    let signers = signers.ok_or_else(|| invalid("signers", Text::new("key ids of 16 bytes", "16 字节的密钥编号")))?;
    let distinct = signers.iter().enumerate().all(|(position, signer)| !signers[..position].contains(signer));
    if !distinct {
        return Err(invalid("signers", Text::new("key ids that all differ", "互不相同的密钥编号")));
    }
    for (field, time) in [("issued_at_ms", header.issued_at_ms), ("valid_until_ms", header.valid_until_ms)] {
        if !TIMES_MS.contains(&time) {
            return Err(invalid(
                field,
                Text::new("milliseconds since 1970, up to the year 9999", "自 1970 年起的毫秒数，到 9999 年为止"),
            ));
        }
    }
    if header.events_root.len() != 32 {
        return Err(invalid("events_root", Text::new("32 bytes", "32 字节")));
    }
    Ok(Sheet {
        origin: header.origin.clone(),
        sheet_id,
        signers,
        issued_at: Millis(header.issued_at_ms),
        valid_until: Millis(header.valid_until_ms),
        events: Vec::new(),
    })
}

/// Whether a ledger may have this origin. It is also the name of the ledger's key in signed notes: no space, no plus. `DSSEv1` at its beginning would
/// let a checkpoint pass for a pre-authentication encoding.
#[must_use]
pub fn is_origin(origin: &str) -> bool {
    (1..=ORIGIN_BYTES_MAX).contains(&origin.len())
        && origin.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+')
        && !origin.starts_with("DSSEv1")
}

fn event_fields(bytes: &Bytes, scratch: &mut Vec<u8>) -> Result<([u8; 16], Event), (String, Rejection)> {
    frequent::event(bytes).map_or_else(|| any_event_fields(bytes, scratch), Ok)
}

/// Any event, the long way.
pub(super) fn any_event_fields(bytes: &Bytes, scratch: &mut Vec<u8>) -> Result<([u8; 16], Event), (String, Rejection)> {
    let message: proto::Event = canonical::decode("Event", bytes, scratch)?;
    let invalid = |field: &str, expected: Text| (field.to_owned(), Rejection::FieldInvalid { expected });
    let salt = id(&message.salt).ok_or_else(|| invalid("salt", Text::new("16 random bytes", "16 个随机字节")))?;
    let kind = message.kind.ok_or_else(|| invalid("kind", Text::new("one of the kinds of events", "一种事件")))?;
    Ok((salt, event::from_message(kind)?))
}

/// Signatures, counts and root agree with the header.
fn check_agreement(
    sheet: SheetParts<'_>,
    header: &proto::SheetHeader,
    signers: usize,
) -> Result<Vec<[u8; 64]>, Refusal> {
    let signatures: Option<Vec<[u8; 64]>> =
        sheet.signatures.iter().map(|bytes| bytes.as_ref().try_into().ok()).collect();
    let expected = Text::new("signatures of 64 bytes", "64 字节的签名");
    let signatures = signatures.ok_or_else(|| Refusal::sheet("signatures", Rejection::FieldInvalid { expected }))?;
    if signatures.len() != signers {
        let rejection = Rejection::SignatureCountMismatch { signatures: signatures.len(), signers };
        return Err(Refusal::sheet("signatures", rejection));
    }
    let found = sheet.events.len();
    if usize::try_from(header.event_count).ok() != Some(found) {
        let rejection = Rejection::EventCountMismatch { stated: header.event_count, found };
        return Err(Refusal::sheet("header.event_count", rejection));
    }
    let root = merkle::root_of_leaves(sheet.events.iter().map(|event| merkle::leaf_hash(event)));
    if root.as_slice() != header.events_root.as_ref() {
        return Err(Refusal::sheet("header.events_root", Rejection::EventsRootMismatch));
    }
    Ok(signatures)
}

/// Keys that events enrol are sound and in their owners' possession. All possession proofs are verified as one batch.
fn check_keys(origin: &str, events: &[Event]) -> Result<(), Refusal> {
    let mut proofs: Vec<(u16, &Event, Possession<'_>)> = Vec::new();
    for (number, event) in (0_u16..).zip(events) {
        let sound = |field: &'static str, key: &[u8; 32]| {
            let refusal = || Refusal::event(number, format!("{}.{field}", event.name()), Rejection::PublicKeyInvalid);
            if signature::is_enrollable(key) { Ok(()) } else { Err(refusal()) }
        };
        if let Event::LedgerCreated(created) = event {
            for (_, key) in &created.operator_keys {
                sound("operator_keys", key)?;
            }
            sound("ledger_key", &created.ledger_key)?;
            sound("service_key", &created.service_key.1)?;
        }
        if let Event::KeyEnrolled(enrolled) = event {
            sound("public_key", &enrolled.public_key)?;
        }
        proofs.extend(event.possession().map(|possession| (number, event, possession)));
    }
    let messages: Vec<Vec<u8>> =
        proofs.iter().map(|(.., proof)| signature::possession_message(origin, proof.public_key)).collect();
    let claim = |((.., proof), message): (&(u16, &Event, Possession<'_>), _)| Claim {
        public_key: *proof.public_key,
        signature: *proof.signature,
        message,
    };
    let claims: Vec<Claim<'_>> = proofs.iter().zip(messages.iter().map(Vec::as_slice)).map(claim).collect();
    let verdicts = signature::verdicts(&claims);
    match proofs.iter().zip(verdicts).find(|(_, possessed)| !possessed) {
        Some(((number, event, proof), _)) => {
            let field = format!("{}.{}", event.name(), proof.field);
            Err(Refusal::event(*number, field, Rejection::PossessionInvalid))
        }
        None => Ok(()),
    }
}
