//! Requests that bring sheets, taken apart within their limits: what is beyond them is counted and not kept.
//!
//! An event or a sheet may be empty on the wire, two bytes, and takes some 100 in memory. So a request of 4.5 MiB would be
//! 200 MiB before anybody could refuse it.

use bytes::{Buf, Bytes};
use prost::{
    DecodeError,
    encoding::{DecodeContext, WireType, bytes as bytes_field, decode_key, skip_field, uint64},
};

use super::limits::{EVENTS_MAX, SIGNERS_MAX};
use crate::format::proto;
use crate::ledger::Refusal;

/// The sheets of a request; the fields of `SubmitRequest`, `SubmitListRequest`, `SubmitStreamRequest` and `DryRunRequest`
/// have the same numbers.
#[derive(Debug, Default)]
pub struct Sheets {
    /// The sheets, each as it is or refused already; at most one more than there may be.
    pub sheets: Vec<Result<proto::Sheet, Refusal>>,
    /// The second field: when to answer, or which sheet to begin with.
    pub second: u64,
}

const SHEET: u32 = 1;
const SECOND: u32 = 2;

/// Takes a request with a list of sheets apart. Beyond one more than there may be nobody needs to know what there is.
///
/// # Errors
/// What is looked at is no message.
pub fn sheets(request: Bytes, sheets_max: usize) -> Result<Sheets, DecodeError> {
    let mut sheets = Vec::new();
    let second = apart(request, |sheet| {
        let mut counted = Counted::default();
        counted.merge(sheet)?;
        sheets.push(counted.sheet());
        Ok(sheets.len() <= sheets_max)
    })?;
    Ok(Sheets { sheets, second })
}

/// Takes a request with one sheet apart; given twice, a field of a message is merged.
///
/// # Errors
/// It is no message.
pub fn one_sheet(request: Bytes) -> Result<Sheets, DecodeError> {
    let mut counted = None::<Counted>;
    let second = apart(request, |sheet| counted.get_or_insert_default().merge(sheet).map(|()| true))?;
    Ok(Sheets { sheets: counted.map(Counted::sheet).into_iter().collect(), second })
}

/// Goes through a request, for as long as more of its sheets are wanted; its second field.
fn apart(mut request: Bytes, mut sheet: impl FnMut(Bytes) -> Result<bool, DecodeError>) -> Result<u64, DecodeError> {
    let (mut second, mut more) = (0, true);
    while more && request.has_remaining() {
        let (tag, wire_type) = decode_key(&mut request)?;
        match tag {
            SHEET => more = sheet(length_delimited(wire_type, &mut request)?)?,
            SECOND => uint64::merge(wire_type, &mut second, &mut request, DecodeContext::default())?,
            _ => skip_field(wire_type, tag, &mut request, DecodeContext::default())?,
        }
    }
    Ok(second)
}

/// A sheet, and what was counted of it.
#[derive(Default)]
struct Counted {
    sheet: proto::Sheet,
    events: usize,
    bytes: usize,
}

impl Counted {
    fn merge(&mut self, mut sheet: Bytes) -> Result<(), DecodeError> {
        while sheet.has_remaining() {
            let (tag, wire_type) = decode_key(&mut sheet)?;
            let (kept, most) = match tag {
                1 => {
                    bytes_field::merge(wire_type, &mut self.sheet.header, &mut sheet, DecodeContext::default())?;
                    continue;
                }
                2 => {
                    self.events += 1;
                    (&mut self.sheet.events, EVENTS_MAX)
                }
                // One more than there may be is as wrong as any number.
                3 => (&mut self.sheet.signatures, SIGNERS_MAX + 1),
                _ => {
                    skip_field(wire_type, tag, &mut sheet, DecodeContext::default())?;
                    continue;
                }
            };
            let part = length_delimited(wire_type, &mut sheet)?;
            self.bytes += part.len();
            if kept.len() < most {
                kept.push(part);
            }
        }
        Ok(())
    }

    fn sheet(self) -> Result<proto::Sheet, Refusal> {
        let bytes = self.sheet.header.len() + self.bytes;
        super::sheet::check_lengths(&self.sheet.header, bytes, self.events)?;
        Ok(self.sheet)
    }
}

/// The bytes of a field that has a length, without copying them.
fn length_delimited(wire_type: WireType, rest: &mut Bytes) -> Result<Bytes, DecodeError> {
    let mut bytes = Bytes::new();
    bytes_field::merge(wire_type, &mut bytes, rest, DecodeContext::default())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

    use prost::Message;

    use super::*;
    use crate::ledger::Rejection;

    fn sheet(header: usize, events: &[usize], signatures: usize) -> proto::Sheet {
        proto::Sheet {
            header: vec![1; header].into(),
            events: events.iter().map(|bytes| vec![2; *bytes].into()).collect(),
            signatures: vec![Bytes::from_static(&[3; 64]); signatures],
        }
    }

    fn list(sheets: Vec<proto::Sheet>) -> Bytes {
        proto::SubmitListRequest { sheets, until: 2 }.encode_to_vec().into()
    }

    #[test]
    fn sheets_within_their_limits_are_those_that_were_sent() {
        let sent = vec![sheet(100, &[80, 1, 0], 1), sheet(1, &[1], 0), sheet(1_024, &[20; 1_000], 8)];
        let found = sheets(list(sent.clone()), 1_000).unwrap();
        assert_eq!((found.sheets.len(), found.second), (3, 2));
        assert_eq!(found.sheets.into_iter().map(Result::unwrap).collect::<Vec<_>>(), sent);
        let message = proto::SubmitRequest { sheet: Some(sent[0].clone()), until: 0 }.encode_to_vec();
        let mut found = one_sheet(message.clone().into()).unwrap();
        assert_eq!(found.sheets.pop().unwrap().unwrap(), sent[0]);
        assert_eq!(one_sheet(Bytes::new()).unwrap().sheets, Vec::new());
        // A field that is given twice is merged, as any decoder does.
        let twice = [message.clone(), message].concat();
        let merged = proto::SubmitRequest::decode(twice.as_slice()).unwrap().sheet.unwrap();
        assert_eq!(one_sheet(twice.into()).unwrap().sheets, [Ok(merged)]);
    }

    #[test]
    fn what_is_beyond_the_limits_is_counted_and_refused_as_it_is_elsewhere() {
        let many = sheet(100, &vec![0; 2_000_000], 1);
        let wrong = [
            sheet(0, &[1], 1),
            sheet(1_025, &[1], 1),
            sheet(100, &[], 1),
            sheet(100, &[0; 1_001], 1),
            sheet(100, &[262; 1_001], 1),
        ];
        for sheet in &wrong {
            let expected = super::super::sheet::decode(sheet).unwrap_err();
            assert_eq!(sheets(list(vec![sheet.clone()]), 1).unwrap().sheets, [Err(expected)]);
        }
        let found = sheets(list(vec![many]), 1).unwrap();
        let rejection = Rejection::EventCountOutOfRange { count: 2_000_000, max: EVENTS_MAX };
        assert_eq!(found.sheets, [Err(Refusal::sheet("events", rejection))]);
        let found = sheets(list(vec![proto::Sheet::default(); 1_500_000]), 1_000).unwrap();
        assert_eq!(found.sheets.len(), 1_001);
        let signed = sheets(list(vec![sheet(100, &[1], 1_000)]), 1).unwrap().sheets.pop().unwrap().unwrap();
        assert_eq!(signed.signatures.len(), SIGNERS_MAX + 1);
    }

    #[test]
    fn bytes_are_refused_or_taken_as_any_decoder_does() {
        let mut random = fastrand::Rng::with_seed(7);
        let whole = list(vec![sheet(10, &[8, 3], 1), sheet(4, &[2; 9], 1)]);
        let (mut refused, mut taken) = (0, 0);
        for _ in 0..20_000 {
            let mut bytes = whole.to_vec();
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
            if random.u8(0..4) == 0 {
                bytes.truncate(random.usize(0..=bytes.len()));
            }
            let bytes = Bytes::from(bytes);
            match (proto::SubmitListRequest::decode(bytes.clone()), sheets(bytes, 1_000)) {
                (Err(_), Err(_)) => refused += 1,
                (Ok(message), Ok(found)) => {
                    taken += 1;
                    assert_eq!(found.sheets.len(), message.sheets.len());
                    for (found, sent) in found.sheets.iter().zip(&message.sheets) {
                        if let Ok(found) = found {
                            assert_eq!(found, sent);
                        }
                    }
                }
                (message, found) => panic!("{message:?} and {found:?}"),
            }
        }
        assert!(refused > 1_000 && taken > 1_000, "{refused} refused, {taken} taken");
    }
}
