//! Kinds of events of which there are many, read straight off their bytes.
//!
//! Decoding a message, encoding it again and comparing costs several times the hash of an event. Here only bytes in
//! canonical form are taken to begin with: every field in its place, as short as it can be, none with its default.
//! Whatever else it is, another kind, another form or a value that isn't allowed, is nothing to this reader and goes the
//! long way, which alone knows what is wrong.

use super::{
    event::{ServiceParts, account_opened, event_ref, hold_placed, minutes_transferred, reason, service_fields},
    limits::id,
};
use crate::{
    format::proto::{self, service::Served},
    ledger::{Event, EventRef, Service, ServiceCorrected, ServiceRecorded},
};

/// Salt and event, where the bytes are a frequent kind of event in order.
pub(super) fn event(bytes: &[u8]) -> Option<([u8; 16], Event)> {
    let mut fields = Fields(bytes);
    let salt = id(fields.bytes(1)?)?;
    let (&tag, _) = fields.0.split_first()?;
    let number = tag >> 3;
    let kind = fields.message(number)?;
    fields.end()?;
    let event = match number {
        6 => opened(kind)?,
        8 => recorded(kind)?,
        9 => corrected(kind)?,
        10 => reversed(kind)?,
        11 => transferred(kind)?,
        12 => held(kind)?,
        13 => Event::HoldReleased { hold: only_reference(kind)? },
        14 => Event::HoldExpired { hold: only_reference(kind)? },
        _ => return None,
    };
    Some((salt, event))
}

fn opened(mut fields: Fields<'_>) -> Option<Event> {
    let account = fields.bytes(1)?;
    let kind = fields.choice(2)?;
    let region = fields.text(3)?;
    let station = fields.bytes(4)?;
    fields.end()?;
    account_opened(account, kind, region, station).ok().map(Event::AccountOpened)
}

fn recorded(mut fields: Fields<'_>) -> Option<Event> {
    let service = service(fields.message(1)?)?;
    let hold = if fields.is_empty() { None } else { Some(reference(fields.message(2)?)?) };
    fields.end()?;
    Some(Event::ServiceRecorded(ServiceRecorded { service, hold }))
}

fn corrected(mut fields: Fields<'_>) -> Option<Event> {
    let record = reference(fields.message(1)?)?;
    let reason = reason(fields.choice(2)?).ok()?;
    let service = service(fields.message(3)?)?;
    fields.end()?;
    Some(Event::ServiceCorrected(ServiceCorrected { record, reason, service }))
}

fn reversed(mut fields: Fields<'_>) -> Option<Event> {
    let record = reference(fields.message(1)?)?;
    let reason = reason(fields.choice(2)?).ok()?;
    fields.end()?;
    Some(Event::ServiceReversed { record, reason })
}

fn transferred(mut fields: Fields<'_>) -> Option<Event> {
    let (from, to) = (fields.bytes(1)?, fields.bytes(2)?);
    let minutes = fields.integer(3)?;
    fields.end()?;
    minutes_transferred(from, to, minutes).ok()
}

fn held(mut fields: Fields<'_>) -> Option<Event> {
    let (payer, station) = (fields.bytes(1)?, fields.bytes(2)?);
    let (minutes, expires_at_ms) = (fields.integer(3)?, fields.integer(4)?);
    fields.end()?;
    hold_placed(payer, station, minutes, expires_at_ms).ok()
}

fn only_reference(mut fields: Fields<'_>) -> Option<EventRef> {
    let hold = reference(fields.message(1)?)?;
    fields.end()?;
    Some(hold)
}

fn reference(mut fields: Fields<'_>) -> Option<EventRef> {
    let (index, event) = (fields.number(1)?, u32::try_from(fields.number(2)?).ok()?);
    fields.end()?;
    event_ref("", Some(proto::EventRef { index, event })).ok()
}

fn service(mut fields: Fields<'_>) -> Option<Service> {
    let parts = ServiceParts {
        volunteer: fields.bytes(1)?,
        station: fields.bytes(2)?,
        payer: fields.bytes(3)?,
        category: fields.text(4)?,
        activity: fields.text(5)?,
        served: Some(served(&mut fields)?),
        utc_offset_seconds: fields.signed(8)?,
        credited_minutes: fields.integer(9)?,
        rounding: fields.choice(10)?,
        insured: fields.flag(11)?,
        imported: fields.flag(12)?,
    };
    fields.end()?;
    service_fields(&parts).ok()
}

fn served(fields: &mut Fields<'_>) -> Option<Served> {
    if fields.begins(6, LENGTH_DELIMITED) {
        let mut interval = Fields(fields.delimited()?);
        let (start_ms, end_ms) = (interval.integer(1)?, interval.integer(2)?);
        interval.end()?;
        return Some(Served::Interval(proto::Interval { start_ms, end_ms }));
    }
    let mut on_date = fields.message(7)?;
    let (date, minutes) = (on_date.signed(1)?, on_date.integer(2)?);
    on_date.end()?;
    Some(Served::OnDate(proto::ServedOnDate { date, minutes }))
}

/// The fields of a message with numbers up to 15, read in ascending order. Every method gives nothing where the field
/// stands there in another form than the canonical one; a field that is read too late is left over at the end.
struct Fields<'a>(&'a [u8]);

/// Wire types of protobuf: the three low bits of a tag.
const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;

impl<'a> Fields<'a> {
    /// Whether the next field is this one; its tag is behind us then.
    fn begins(&mut self, number: u8, wire_type: u8) -> bool {
        match self.0.split_first() {
            Some((&tag, rest)) if tag == number << 3 | wire_type => {
                self.0 = rest;
                true
            }
            Some(_) | None => false,
        }
    }

    /// A varint as short as it can be.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for position in 0..10 {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte < 0x80 {
                let minimal = byte != 0 || position == 0;
                // The tenth byte has room for one bit.
                return (minimal && (position < 9 || byte == 1)).then_some(value);
            }
        }
        None
    }

    fn delimited(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (value, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    /// Bytes; empty where they aren't there.
    fn bytes(&mut self, number: u8) -> Option<&'a [u8]> {
        if !self.begins(number, LENGTH_DELIMITED) {
            return Some(&[]);
        }
        self.delimited().filter(|bytes| !bytes.is_empty())
    }

    fn text(&mut self, number: u8) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(number)?).ok()
    }

    /// A message that has to be there; it may be empty.
    fn message(&mut self, number: u8) -> Option<Self> {
        if self.begins(number, LENGTH_DELIMITED) { self.delimited().map(Self) } else { None }
    }

    /// uint64; 0 where it isn't there.
    fn number(&mut self, number: u8) -> Option<u64> {
        if !self.begins(number, VARINT) {
            return Some(0);
        }
        self.varint().filter(|value| *value != 0)
    }

    /// int64, negative ones in ten bytes; 0 where it isn't there.
    fn integer(&mut self, number: u8) -> Option<i64> {
        self.number(number).map(u64::cast_signed)
    }

    /// sint32, zigzag; 0 where it isn't there.
    fn signed(&mut self, number: u8) -> Option<i32> {
        let zigzag = u32::try_from(self.number(number)?).ok()?;
        Some((zigzag >> 1).cast_signed() ^ (zigzag & 1).cast_signed().wrapping_neg())
    }

    /// An enum; its negative values aren't taken, as none of ours has any.
    fn choice(&mut self, number: u8) -> Option<i32> {
        i32::try_from(self.number(number)?).ok()
    }

    fn flag(&mut self, number: u8) -> Option<bool> {
        match self.number(number)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn end(self) -> Option<()> {
        self.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

    use bytes::Bytes;
    use prost::Message;

    use super::*;
    use crate::format::{proto::event::Kind, wire::sheet::any_event_fields};

    fn id16(byte: u8) -> Bytes {
        Bytes::from(vec![byte; 16])
    }

    fn service(change: impl FnOnce(&mut proto::Service)) -> proto::Service {
        let mut service = proto::Service {
            volunteer: id16(1),
            station: id16(2),
            payer: id16(3),
            category: "a-category-of-26-characters".to_owned(),
            activity: "walk".to_owned(),
            served: Some(Served::Interval(proto::Interval { start_ms: 1_772_323_200_000, end_ms: 1_772_326_800_000 })),
            utc_offset_seconds: -3_600,
            credited_minutes: 60,
            rounding: 2,
            insured: true,
            imported: true,
        };
        change(&mut service);
        service
    }

    fn plain() -> proto::Service {
        service(|service| {
            (service.payer, service.activity) = (Bytes::new(), String::new());
            (service.utc_offset_seconds, service.rounding) = (0, 0);
            (service.insured, service.imported) = (false, false);
            service.served = Some(Served::OnDate(proto::ServedOnDate { date: 0, minutes: 300 }));
        })
    }

    /// Frequent kinds, each with everything and with next to nothing.
    fn kinds() -> Vec<Kind> {
        let at = |index, event| Some(proto::EventRef { index, event });
        let recorded = |service, hold| Kind::ServiceRecorded(proto::ServiceRecorded { service, hold });
        let opened = |kind: i32, region: &str, station| {
            Kind::AccountOpened(proto::AccountOpened { account: id16(9), kind, region: region.to_owned(), station })
        };
        vec![
            opened(1, "", id16(8)),
            opened(4, "leeds", Bytes::new()),
            recorded(Some(service(|_| ())), at(300, 999)),
            recorded(Some(service(|service| service.served = plain().served)), at(0, 0)),
            recorded(Some(plain()), None),
            Kind::ServiceCorrected(proto::ServiceCorrected { record: at(1, 2), reason: 1, service: Some(plain()) }),
            Kind::ServiceReversed(proto::ServiceReversed { record: at(u64::MAX, 7), reason: 5 }),
            Kind::MinutesTransferred(proto::MinutesTransferred { from: id16(1), to: id16(2), minutes: -1 }),
            Kind::MinutesTransferred(proto::MinutesTransferred { from: id16(1), to: id16(2), minutes: 1 << 40 }),
            Kind::HoldPlaced(proto::HoldPlaced { payer: id16(1), station: id16(2), minutes: 0, expires_at_ms: 9 }),
            Kind::HoldReleased(proto::HoldReleased { hold: at(5, 0) }),
            Kind::HoldExpired(proto::HoldExpired { hold: at(0, 3) }),
        ]
    }

    fn encode(kind: Kind) -> Vec<u8> {
        proto::Event { salt: id16(7), kind: Some(kind) }.encode_to_vec()
    }

    /// What the reader takes, the long way takes, as the same. Whether it took it.
    fn agrees(bytes: &[u8]) -> bool {
        let read = event(bytes);
        if let Some(read) = &read {
            assert_eq!(
                any_event_fields(&Bytes::copy_from_slice(bytes), &mut Vec::new()).as_ref(),
                Ok(read),
                "{bytes:?}"
            );
        }
        read.is_some()
    }

    #[test]
    fn every_frequent_kind_is_read_as_the_long_way_reads_it() {
        for kind in kinds() {
            let name = format!("{kind:?}");
            assert!(agrees(&encode(kind)), "{name}");
        }
    }

    #[test]
    fn whatever_is_changed_is_read_as_the_long_way_reads_it_or_not_at_all() {
        let mut taken = 0;
        for bytes in kinds().into_iter().map(encode) {
            for place in 0..bytes.len() {
                for value in 0..=u8::MAX {
                    let mut changed = bytes.clone();
                    changed[place] = value;
                    taken += u32::from(agrees(&changed));
                }
                for inserted in [0, 1, 0x0a, 0x12, 0x1a, 0x7f, 0x80, 0xff] {
                    let mut longer = bytes.clone();
                    longer.insert(place, inserted);
                    agrees(&longer);
                }
                for tag in 0..0x80 {
                    // A field that claims more than there is, or nothing.
                    for length in [0x7f, 0] {
                        agrees(&[&bytes[..place], &[tag, length], &bytes[place..]].concat());
                    }
                }
                let mut shorter = bytes.clone();
                shorter.remove(place);
                agrees(&shorter);
                assert!(!agrees(&bytes[..place]), "cut at {place}: {bytes:?}");
            }
        }
        // Most places hold ids and salts, where every value is one.
        assert!(taken > 100_000, "{taken}");
    }

    #[test]
    fn varints_that_could_be_shorter_or_are_too_long_are_none() {
        let read = |bytes: &[u8]| Fields(bytes).varint();
        assert_eq!(read(&[0]), Some(0));
        assert_eq!(read(&[0x80, 1]), Some(128));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), Some(u64::MAX));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]), None, "65 bits");
        assert_eq!(read(&[0x80, 0]), None, "one byte too many");
        assert_eq!(read(&[0x80; 11]), None, "no end");
        assert_eq!(read(&[0x80]), None, "cut off");
    }

    #[test]
    fn other_kinds_and_values_that_are_not_allowed_go_the_long_way() {
        let floor = Kind::FloorSet(proto::FloorSet { account: id16(1), floor_minutes: -5 });
        let region = Kind::RegionDefined(proto::RegionDefined { code: "leeds".to_owned(), parent: String::new() });
        let code = service(|service| service.category = "two words".to_owned());
        let code = Kind::ServiceRecorded(proto::ServiceRecorded { service: Some(code), hold: None });
        let short = proto::MinutesTransferred { from: vec![1; 15].into(), to: id16(2), minutes: 1 };
        for kind in [floor, region, code, Kind::MinutesTransferred(short)] {
            let name = format!("{kind:?}");
            assert!(!agrees(&encode(kind)), "{name}");
        }
    }
}
