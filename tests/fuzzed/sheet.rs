//! Sheets as they come in: their parts, whole, and before the rules of a ledger.
//!
//! An input is how many entries the ledger has, by how many hours the sheet comes after it was signed, a byte each, and the
//! sheet as a message.

use std::{slice, sync::OnceLock};

use bytes::Bytes;
use prost::{
    Message,
    encoding::{decode_varint, encode_varint, encoded_len_varint},
};
use timebank::{
    engine::replay::{Judged, NotRecorded, SignatureVerdict},
    format::{
        archive::Reader,
        proto, signature,
        wire::{self, Decoded, EVENT_BYTES_MAX, EVENTS_MAX, HEADER_BYTES_MAX, SHEET_BYTES_MAX, SIGNERS_MAX},
    },
    ledger::{AccountKind, Event, Language, Millis, Refusal, Say, SheetOutcome, SheetTrial, check_alone},
    merkle,
};

use crate::support::{HOUR, Ledger};

/// Every kind of event of rules 1, of people with keys of their own.
pub(crate) const LEDGER: &[u8] = include_bytes!("../frozen/rules-1.archive");

/// Whether any of it is what it claims to be.
pub(crate) fn run(data: &[u8]) -> bool {
    let [entries, hours, message @ ..] = data else { return false };
    let message = Bytes::copy_from_slice(message);
    let is_part = part(&message);
    let Some(sheet) = request(&message) else { return is_part };
    let arrival = Arrival { entries: usize::from(*entries) % ledgers().len(), hours: i64::from(hours.cast_signed()) };
    let as_sent = arrives(&arrival, &sheet, None);
    let as_signed = sealed(&sheet).is_some_and(|sheet| arrives(&arrival, &sheet, Some(SignatureVerdict::Valid)));
    is_part || as_sent || as_signed
}

/// The ledger before its first entry and after each.
pub(crate) fn ledgers() -> &'static [Ledger] {
    static LEDGERS: OnceLock<Vec<Ledger>> = OnceLock::new();
    LEDGERS.get_or_init(|| {
        let mut reader = Reader::new(LEDGER).expect("a frozen archive");
        let mut ledgers = vec![Ledger::unborn()];
        while let Some(entries) = reader.next_entries().expect("a frozen archive") {
            for entry in entries {
                let mut ledger = ledgers.last().expect("the unborn one").clone();
                ledger.now = entry.recorded_at_ms;
                let (header, signatures, events) = (entry.header, entry.signatures, entry.events);
                ledger.submit(&proto::Sheet { header, events, signatures }).expect("a frozen entry");
                ledgers.push(ledger);
            }
        }
        ledgers
    })
}

/// The bytes as each part of a sheet that is read by itself.
fn part(bytes: &Bytes) -> bool {
    let header = wire::decode_header(bytes);
    if header.is_ok() {
        assert!(bytes.len() <= HEADER_BYTES_MAX);
        assert_canonical::<proto::SheetHeader>(bytes);
    }
    let event = wire::decode_event(bytes);
    if event.is_ok() {
        assert_canonical::<proto::Event>(bytes);
    }
    // Whatever grows is a number, or was as long as it may be, or has letters that it may not have. Of a genesis, a signature
    // of any length can be read; its sheet is refused for one that doesn't verify.
    if matches!(&event, Ok(event) if !matches!(event, Event::LedgerCreated(_))) {
        let stretched = (0..).map_while(|place| stretched(bytes, place));
        stretched.for_each(|longer| assert!(wire::decode_event(&longer.into()).is_err(), "an event has one form"));
    }
    let shown = wire::decode_event_in_entry(bytes);
    if shown.is_ok() {
        assert_canonical::<proto::EventInEntry>(bytes);
    }
    let refusals = [header.err(), event.err(), shown.err()];
    refusals.iter().flatten().for_each(told);
    refusals.contains(&None)
}

/// A message of which one varint, the `place`th of all tags, lengths and numbers, is a byte longer than it need be, and what
/// it stands in as long as that makes it. None where there are fewer.
fn stretched(message: &[u8], place: usize) -> Option<Vec<u8>> {
    let mut left = place;
    let message = encoded_anew(message, &mut left)?;
    (left > place).then_some(message)
}

/// What can be read as a message, without anything that is longer than it need be already, is taken for one. `left`: varints
/// before the one that is stretched.
fn encoded_anew(mut rest: &[u8], left: &mut usize) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    while !rest.is_empty() {
        let tag = shortest(&mut rest)?;
        put(tag, left, &mut message);
        let value = shortest(&mut rest)?;
        match tag & 7 {
            0 => put(value, left, &mut message),
            2 => {
                let (content, behind) = rest.split_at_checked(usize::try_from(value).ok()?)?;
                rest = behind;
                let mut left_within = *left;
                let content = match encoded_anew(content, &mut left_within) {
                    Some(content) => {
                        *left = left_within;
                        content
                    }
                    None => content.to_vec(),
                };
                put(content.len() as u64, left, &mut message);
                message.extend(content);
            }
            _ => return None,
        }
    }
    Some(message)
}

/// A varint that is no longer than it need be.
fn shortest(rest: &mut &[u8]) -> Option<u64> {
    let before = rest.len();
    let value = decode_varint(rest).ok()?;
    (before - rest.len() == encoded_len_varint(value)).then_some(value)
}

fn put(value: u64, left: &mut usize, message: &mut Vec<u8>) {
    encode_varint(value, message);
    if let (0, Some(last)) = (*left, message.last_mut()) {
        *last |= 0x80;
        message.push(0);
    }
    *left = left.wrapping_sub(1);
}

fn assert_canonical<M: Message + Default>(bytes: &Bytes) {
    let message = M::decode(bytes.clone()).expect("what was accepted decodes");
    assert_eq!(message.encode_to_vec(), bytes.as_ref(), "what was accepted is as it would be encoded");
}

/// A refusal has words, whatever it is of.
fn told(refusal: &Refusal) {
    for language in [Language::English, Language::Chinese] {
        assert!(!refusal.in_language(language).to_string().is_empty());
    }
}

/// The bytes as a sheet, alone and twice in a list, read as a decoder reads it that keeps everything.
fn request(message: &Bytes) -> Option<proto::Sheet> {
    let mut request = vec![0x0a];
    encode_varint(message.len() as u64, &mut request);
    request.extend_from_slice(message);
    let one = wire::one_sheet(request.clone().into());
    let two = wire::sheets(request.repeat(2).into(), 1);
    let sheet = proto::Sheet::decode(message.clone()).ok()?;
    let (one, two) = (one.expect("a message is one here too").sheets, two.expect("a message twice").sheets);
    assert_eq!((one.len(), two.len()), (1, 2));
    for found in one.into_iter().chain(two) {
        match found {
            Ok(found) => {
                assert!(found.events.len() <= EVENTS_MAX && found.signatures.len() <= SIGNERS_MAX + 1);
                assert_eq!((&found.header, &found.events), (&sheet.header, &sheet.events));
                assert!(sheet.signatures.starts_with(&found.signatures));
                let is_whole = found.signatures.len() == sheet.signatures.len().min(SIGNERS_MAX + 1);
                assert!(is_whole, "signatures were left out");
            }
            Err(refusal) => assert_eq!(wire::decode(&sheet).err(), Some(refusal), "both doors say the same"),
        }
    }
    Some(sheet)
}

/// The sheet as its author would have made it: its header counts the events that are there, and has their root; each of the
/// signers has a signature. Without this nearly every changed sheet would be refused for its root.
fn sealed(sheet: &proto::Sheet) -> Option<proto::Sheet> {
    let mut header = proto::SheetHeader::decode(sheet.header.clone()).ok()?;
    header.event_count = u32::try_from(sheet.events.len()).ok()?;
    let root = merkle::root_of_leaves(sheet.events.iter().map(|event| merkle::leaf_hash(event)));
    header.events_root = root.to_vec().into();
    let signatures = vec![vec![1; 64].into(); header.signers.len()];
    Some(proto::Sheet { header: header.encode_to_vec().into(), events: sheet.events.clone(), signatures })
}

/// Where and when a sheet comes in.
struct Arrival {
    entries: usize,
    hours: i64,
}

/// A sheet comes in. `verdict`: on its signatures, where it isn't to be their own.
fn arrives(arrival: &Arrival, sheet: &proto::Sheet, verdict: Option<SignatureVerdict>) -> bool {
    let decoded = match wire::decode(sheet) {
        Ok(decoded) => decoded,
        Err(refusal) => {
            told(&refusal);
            return false;
        }
    };
    within_limits(sheet, &decoded);
    beyond_limits(sheet);
    let before = &ledgers()[arrival.entries];
    let mut ledger = before.clone();
    let now = decoded.sheet.issued_at.0.saturating_add(arrival.hours * HOUR);
    ledger.now = now.max(before.replay.state.recorded_at().0);
    let trial = ledger.try_sheets(slice::from_ref(&decoded.sheet)).remove(0);
    assert!(ledger.replay.state == before.replay.state, "a trial leaves nothing behind");
    let is_trusted = verdict.is_some();
    let verdict = verdict.unwrap_or_else(|| ledger.replay.verdict(&decoded));
    match ledger.judge(sheet, decoded.clone(), verdict) {
        Ok(Judged::Passed(_, outcome)) => {
            recorded(before, &mut ledger, (sheet, &decoded));
            promised(&trial, &outcome);
            true
        }
        Ok(Judged::Repeated(index)) => {
            let entry = usize::try_from(index).ok().and_then(|index| before.entries.get(index));
            assert_eq!(entry.map(|entry| &entry.header), Some(&sheet.header), "the same sheet is in the log");
            true
        }
        Err(NotRecorded::Refused(refusal)) => {
            told(&refusal);
            assert!(ledger.replay.state == before.replay.state, "a refused sheet leaves nothing behind");
            assert_eq!(ledger.replay.frontier, before.replay.frontier);
            assert!(!is_trusted || first_refusal(&trial) == Some(&refusal), "a trial tells another refusal: {trial:?}");
            false
        }
        Err(NotRecorded::Clock(implausible)) => panic!("{implausible}"),
    }
}

fn within_limits(sheet: &proto::Sheet, decoded: &Decoded) {
    let parts = sheet.events.iter().chain(&sheet.signatures);
    assert!(sheet.header.len() + parts.map(Bytes::len).sum::<usize>() <= SHEET_BYTES_MAX);
    assert!(sheet.header.len() <= HEADER_BYTES_MAX);
    assert!((1..=EVENTS_MAX).contains(&sheet.events.len()));
    assert!(sheet.events.iter().all(|event| (1..=EVENT_BYTES_MAX).contains(&event.len())));
    assert!((1..=SIGNERS_MAX).contains(&decoded.sheet.signers.len()));
    assert!(
        decoded.sheet.signers.len() == decoded.signatures.len() && decoded.sheet.events.len() == sheet.events.len()
    );
    assert!(wire::is_origin(&decoded.sheet.origin));
    assert_canonical::<proto::SheetHeader>(&sheet.header);
    sheet.events.iter().for_each(assert_canonical::<proto::Event>);
    let signed = signature::pre_authentication_encoding(signature::SHEET_HEADER_TYPE, &sheet.header);
    assert_eq!((&decoded.signed_message, decoded.header_hash), (&signed, wire::header_hash(&sheet.header)));
}

/// A sheet that was read is refused with one more of anything than there may be.
fn beyond_limits(sheet: &proto::Sheet) {
    let check = |change: &dyn Fn(&mut proto::Sheet), expected: &str| {
        let mut sheet = sheet.clone();
        change(&mut sheet);
        assert_eq!(wire::decode(&sheet).expect_err(expected).rejection.code(), expected);
    };
    check(&|sheet| sheet.events.push(vec![0; SHEET_BYTES_MAX].into()), "SheetTooLarge");
    check(&|sheet| sheet.header = vec![0; HEADER_BYTES_MAX + 1].into(), "LengthOutOfRange");
    check(&|sheet| sheet.events = vec![Bytes::new(); EVENTS_MAX + 1], "EventCountOutOfRange");
    check(&|sheet| sheet.events[0] = vec![0; EVENT_BYTES_MAX + 1].into(), "LengthOutOfRange");
    let crowd = |sheet: &mut proto::Sheet| {
        let mut header = proto::SheetHeader::decode(sheet.header.clone()).expect("a header that was read");
        header.signers = (0..=SIGNERS_MAX).map(|signer| vec![u8::try_from(signer).expect("few"); 16].into()).collect();
        sheet.header = header.encode_to_vec().into();
        sheet.signatures = vec![vec![1; 64].into(); header.signers.len()];
    };
    check(&crowd, "FieldInvalid");
}

/// What holds once a sheet is in the log.
fn recorded(before: &Ledger, ledger: &mut Ledger, (sheet, decoded): (&proto::Sheet, &Decoded)) {
    let (state, size) = (&ledger.replay.state, before.replay.state.size());
    assert_eq!((state.size(), ledger.replay.frontier.size()), (size + 1, size + 1));
    assert_eq!(state.all_accounts().map(|account| i128::from(account.balance.get())).sum::<i128>(), 0);
    assert!(state.all_accounts().all(|account| account.held.get() >= 0));
    if let Err(refusal) = check_alone(before.replay.state.policy(), &decoded.sheet.events, Millis(ledger.now)) {
        // Nobody offline knows a group, whose records may be longer.
        assert!(refusal.rejection.code() == "RecordTooLong" && names_group(ledger, decoded), "{refusal}");
    }
    let again = ledger.judge(sheet, decoded.clone(), SignatureVerdict::Valid);
    assert!(matches!(again, Ok(Judged::Repeated(index)) if index == size), "{again:?}");
}

fn names_group(ledger: &Ledger, decoded: &Decoded) -> bool {
    let state = &ledger.replay.state;
    let accounts = decoded.sheet.events.iter().filter_map(Event::service).map(|service| service.volunteer);
    let mut kinds = accounts.filter_map(|id| Some(state.account(state.account_number(id)?)?.kind));
    kinds.any(|kind| kind == AccountKind::Group)
}

/// A trial of what was then recorded had said so.
fn promised(trial: &SheetTrial, outcome: &SheetOutcome) {
    let events = trial.as_ref().expect("a trial of what is accepted");
    for (number, event) in (0_u16..).zip(events) {
        let event = event.as_ref().expect("a trial of an event that is accepted");
        let postings = outcome.postings.iter().filter(|(of, _)| *of == number).map(|(_, applied)| applied);
        assert!(event.postings.iter().map(|(_, applied)| applied).eq(postings), "event {number}: {event:?}");
        let warnings = outcome.warnings.iter().filter(|(of, _)| *of == number).map(|(_, warning)| warning);
        assert!(event.warnings.iter().eq(warnings), "event {number}: {event:?}");
    }
}

fn first_refusal(trial: &SheetTrial) -> Option<&Refusal> {
    match trial {
        Ok(events) => events.iter().find_map(|event| event.as_ref().err()),
        Err(refusal) => Some(refusal),
    }
}
