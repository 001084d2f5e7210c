//! The rows of service times, packed: there are as many as people who serve.

use crate::ledger::{
    event::Served,
    served::ServedTime,
    table::{
        FixedRow,
        packed::{Link, from_40, link, put_40, put_link},
    },
    units::{AccountNumber, DAY_MS, EventRef, LogIndex, Millis, Minutes},
};

/// Clock times.
const INTERVAL: u8 = 1;
/// A date with minutes.
const ON_DATE: u8 = 2;

/// A time that the state holds, and the next older one of its volunteer: 36 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::ledger) struct RecentRow {
    index: [u8; 5],
    event: [u8; 2],
    /// 0 of a row that is free: its link leads to the next free one.
    kind: u8,
    first: [u8; 8],
    /// Milliseconds, at most those of a week; or minutes.
    length: [u8; 4],
    utc_offset_seconds: [u8; 4],
    payer: [u8; 4],
    credited: [u8; 4],
    next: [u8; 4],
}

impl RecentRow {
    /// A free row.
    pub(super) fn free(next: Link) -> Self {
        Self { next: put_link(next), ..Self::default() }
    }

    /// Checked times and credits fit: see the limits of `check`.
    #[allow(clippy::expect_used, reason = "a time that is wrong must stop us before somebody serves twice")]
    pub(super) fn of(time: &ServedTime, next: Link) -> Self {
        let small = |number: i64| u32::try_from(number).expect("a week, and 10^9 minutes, fit 32 bits").to_le_bytes();
        let (kind, first, length) = match time.served {
            Served::Interval { start, end } => (INTERVAL, start.0, end.0.saturating_sub(start.0)),
            Served::OnDate { date, minutes } => (ON_DATE, i64::from(date), minutes.get()),
        };
        Self {
            index: put_40(time.record.index.0),
            event: time.record.event.to_le_bytes(),
            kind,
            first: first.to_le_bytes(),
            length: small(length),
            utc_offset_seconds: time.utc_offset_seconds.to_le_bytes(),
            payer: time.payer.0.to_le_bytes(),
            credited: small(time.credited.get()),
            next: put_link(next),
        }
    }

    pub(super) fn record(&self) -> EventRef {
        EventRef { index: LogIndex(from_40(self.index)), event: u16::from_le_bytes(self.event) }
    }

    pub(super) fn time(&self) -> ServedTime {
        let (first, length) = (i64::from_le_bytes(self.first), i64::from(u32::from_le_bytes(self.length)));
        let served = if self.kind == ON_DATE {
            Served::OnDate { date: i32::try_from(first).unwrap_or_default(), minutes: Minutes::new(length) }
        } else {
            Served::Interval { start: Millis(first), end: Millis(first.saturating_add(length)) }
        };
        ServedTime {
            record: self.record(),
            served,
            utc_offset_seconds: i32::from_le_bytes(self.utc_offset_seconds),
            payer: AccountNumber(u32::from_le_bytes(self.payer)),
            credited: Minutes::new(i64::from(u32::from_le_bytes(self.credited))),
        }
    }

    pub(super) fn next(&self) -> Link {
        link(self.next)
    }

    pub(super) fn set_next(&mut self, next: Link) {
        self.next = put_link(next);
    }
}

impl FixedRow for RecentRow {
    const LENGTH: usize = 36;

    fn put(&self, bytes: &mut Vec<u8>) {
        let Self { index, event, kind, first, length, utc_offset_seconds, payer, credited, next } = self;
        for part in [&index[..], event, &[*kind], first, length, utc_offset_seconds, payer, credited, next] {
            bytes.extend_from_slice(part);
        }
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (index, rest) = bytes.split_first_chunk()?;
        let (event, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (utc_offset_seconds, rest) = rest.split_first_chunk()?;
        let (payer, rest) = rest.split_first_chunk()?;
        let (credited, next) = rest.split_first_chunk()?;
        let (index, event, first, length) = (*index, *event, *first, *length);
        let (utc_offset_seconds, payer, credited) = (*utc_offset_seconds, *payer, *credited);
        let next = next.try_into().ok()?;
        Some(Self { index, event, kind: *kind, first, length, utc_offset_seconds, payer, credited, next })
    }
}

/// Where a volunteer's times are: 13 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::ledger) struct OwnerRow {
    /// The newest of those that the state holds.
    recent: [u8; 4],
    /// Number of the newest that was put away, plus 1; 0: none was.
    older: [u8; 5],
    /// Days since 1970, rounded so that more is asked for rather than less: those that were put away count for no moment
    /// before the one, none from the other on. 0 and 65,535 stand for any.
    since: [u8; 2],
    until: [u8; 2],
}

impl OwnerRow {
    pub(super) fn recent(&self) -> Link {
        link(self.recent)
    }

    pub(super) fn set_recent(&mut self, recent: Link) {
        self.recent = put_link(recent);
    }

    /// Of the times that were put away: the newest one's number plus 1, and the moments that they count for.
    pub(super) fn older(&self) -> Option<(u64, Millis, Millis)> {
        let newest = Some(from_40(self.older)).filter(|newest| *newest > 0)?;
        let ms = |days: u16| i64::from(days).saturating_mul(DAY_MS);
        // A day later than the last that fits is taken for that one, which is earlier.
        let since = match u16::from_le_bytes(self.since) {
            0 => i64::MIN,
            days => ms(days),
        };
        let until = match u16::from_le_bytes(self.until) {
            u16::MAX => i64::MAX,
            days => ms(days),
        };
        Some((newest, Millis(since), Millis(until)))
    }

    pub(super) fn set_older(&mut self, newest: u64, since: Millis, until: Millis) {
        let day = |ms: i64| u16::try_from(ms.div_euclid(DAY_MS).max(0)).unwrap_or(u16::MAX);
        self.older = put_40(newest);
        self.since = day(since.0).to_le_bytes();
        self.until = day(until.0.saturating_add(DAY_MS.saturating_sub(1))).to_le_bytes();
    }
}

impl FixedRow for OwnerRow {
    const LENGTH: usize = 13;

    fn put(&self, bytes: &mut Vec<u8>) {
        for part in [&self.recent[..], &self.older, &self.since, &self.until] {
            bytes.extend_from_slice(part);
        }
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (recent, rest) = bytes.split_first_chunk()?;
        let (older, rest) = rest.split_first_chunk()?;
        let (since, until) = rest.split_first_chunk()?;
        Some(Self { recent: *recent, older: *older, since: *since, until: until.try_into().ok()? })
    }
}
