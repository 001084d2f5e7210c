//! What stands in the rows of the projections' files, byte by byte: `docs/formats.md` has it in words. Each ends with the CRC-32
//! of what is before it, so that a row that the disk changed is never taken for another one.

use super::row_file::FixedRow;
use crate::ledger::{EventRef, LogIndex};

/// Bytes of the checksum that ends a row.
const CHECKSUM: usize = size_of::<u32>();

/// Cuts little-endian integers off a row, or puts them on it.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident, $length:literal, { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        /// The bytes of a row.
        impl FixedRow for $name {
            type Bytes = RowBytes<$length>;

            fn to_bytes(&self) -> Self::Bytes {
                let mut bytes = RowBytes([0; $length]);
                let mut at = 0;
                $({
                    let field = self.$field.to_le_bytes();
                    bytes.0[at..at + field.len()].copy_from_slice(&field);
                    at += field.len();
                })*
                debug_assert_eq!(at, $length - CHECKSUM);
                let checksum = crc32fast::hash(&bytes.0[..at]);
                bytes.0[at..].copy_from_slice(&checksum.to_le_bytes());
                bytes
            }

            fn from_bytes(bytes: &Self::Bytes) -> Option<Self> {
                let (fields, checksum) = bytes.0.split_last_chunk()?;
                if crc32fast::hash(fields) != u32::from_le_bytes(*checksum) {
                    return None;
                }
                let mut at = 0;
                $(let $field = {
                    let mut field = [0; size_of::<$type>()];
                    field.copy_from_slice(&bytes.0[at..at + size_of::<$type>()]);
                    at += size_of::<$type>();
                    <$type>::from_le_bytes(field)
                };)*
                debug_assert_eq!(at, $length - CHECKSUM);
                Some(Self { $($field,)* })
            }
        }
    };
}

/// A number below 2^40, as log indexes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct U40([u8; 5]);

impl U40 {
    /// Of a number; 2^40 - 1 of one that is higher.
    #[must_use]
    pub fn of(number: u64) -> Self {
        let [low @ .., _, _, _] = number.min((1 << 40) - 1).to_le_bytes();
        Self(low)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        let mut bytes = [0; 8];
        bytes[..5].copy_from_slice(&self.0);
        u64::from_le_bytes(bytes)
    }

    const fn to_le_bytes(self) -> [u8; 5] {
        self.0
    }

    const fn from_le_bytes(bytes: [u8; 5]) -> Self {
        Self(bytes)
    }
}

impl PostingRow {
    /// The record that this is about, if it is about one.
    #[must_use]
    pub fn record(&self) -> Option<EventRef> {
        // Entry 0 is the genesis.
        let index = Some(self.record_index.get()).filter(|index| *index > 0)?;
        Some(EventRef { index: LogIndex(index), event: self.record_event })
    }
}

/// The bytes of a row.
#[derive(Debug, Clone, Copy)]
pub struct RowBytes<const LENGTH: usize>(pub [u8; LENGTH]);

impl<const LENGTH: usize> Default for RowBytes<LENGTH> {
    fn default() -> Self {
        Self([0; LENGTH])
    }
}

impl<const LENGTH: usize> AsRef<[u8]> for RowBytes<LENGTH> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const LENGTH: usize> AsMut<[u8]> for RowBytes<LENGTH> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

row! {
    /// One change of one account. It holds all that a page of history shows.
    PostingRow, 100, {
        /// Minutes posted; 0 where only a reservation changed.
        minutes: i64,
        /// Balance after it.
        balance_after: i64,
        /// Reserved after it.
        held_after: i64,
        /// Frozen by disputes after it; 0 under rules 1, which know none.
        frozen_after: i64,
        /// Not confirmed by whoever was served after it; 0 under rules 1, which ask for no confirmation.
        unconfirmed_after: i64,
        /// Number of the account's row before, plus 1; 0: none.
        previous: u64,
        /// Number of an earlier row of the account, plus 1; 0: none. See `history::skip`.
        skip: u64,
        /// Position of the entry in the log.
        index: u64,
        /// When the entry was recorded, in ms.
        recorded_at_ms: i64,
        /// Dense number of the account.
        account: u32,
        /// Position among the account's rows, from 0.
        ordinal: u32,
        /// Dense number of the other account; `u32::MAX`: none.
        counterparty: u32,
        /// Log index of the record that this is about; 0: it is about none.
        record_index: U40,
        /// Number of the record's event.
        record_event: u16,
        /// Number of the event in its sheet.
        event: u16,
        /// How the hour came to be: method, and marks beside it; 0 under rules 1, which know none.
        method: u16,
        /// What happened, as `proto.EventKind`.
        kind: u8,
    }
}

row! {
    /// One entry of the log.
    EntryRow, 32, {
        /// When it was recorded, in ms.
        recorded_at_ms: i64,
        /// Number of its first posting row.
        first_posting: u64,
        /// Number of its first warning row.
        first_warning: u64,
        /// Events of its sheet.
        events: u16,
        /// 0: makes the row 32 bytes, a multiple of 8.
        reserved: u16,
    }
}

row! {
    /// One warning of one event.
    WarningRow, 16, {
        /// Log index of the similar event.
        similar_index: U40,
        /// Number of the similar event.
        similar_event: u16,
        /// Number of the event in its sheet.
        event: u16,
        /// What it warns of: 1 for `NearDuplicate`, the only one so far.
        code: u8,
        /// 0: makes the row 16 bytes, a multiple of 8.
        reserved: u16,
    }
}

row! {
    /// A service time that the state has put away, as [`crate::ledger::OlderTime`] has it.
    TimeRow, 76, {
        /// Log index of the record.
        record_index: u64,
        /// First moment in ms, or days since 1970-01-01.
        first: i64,
        /// Moment after the last in ms, or minutes.
        second: i64,
        /// Credit, in minutes.
        credited: i64,
        /// Number of the volunteer's row before, plus 1; 0: none.
        previous: u64,
        /// First moment that this row or one before it counts for, in ms.
        since: i64,
        /// Moment after the last that this row or one before it counts for, in ms.
        until: i64,
        /// Dense number of the volunteer's account.
        account: u32,
        /// Dense number of who paid.
        payer: u32,
        /// Seconds that the clocks there are ahead of UTC.
        utc_offset_seconds: i32,
        /// Number of the record's event.
        record_event: u16,
        /// 1: an interval, 2: on a date.
        kind: u8,
        /// 1: the record's time before counts no more.
        ended: u8,
    }
}

row! {
    /// The id of a sheet that the state has put away, as [`crate::ledger::OlderSheet`] has it.
    SheetRow, 44, {
        /// The id, its first byte the highest.
        id: u128,
        /// The id of the author's key, its first byte the highest.
        author: u128,
        /// Log index of the sheet.
        index: u64,
    }
}

row! {
    /// What had become of a record that the state has put away, as [`crate::ledger::OlderNote`] has it.
    NoteRow, 64, {
        /// Log index of the record.
        record_index: u64,
        /// Log index of its newest version.
        latest_index: u64,
        /// Log index of the entry that made it so.
        noted_at: u64,
        /// Minutes that went to a pool because of the cap; 0: none did.
        overflow: i64,
        /// Minutes that the station gave in the volunteer's stead; 0: none.
        owed: i64,
        /// Dense number of the pool; 0: none.
        pool: u32,
        /// Dense number of the station that is owed; 0: none.
        station: u32,
        /// Dense number of the volunteer in whose stead; 0: none.
        volunteer: u32,
        /// Number of the record's event.
        record_event: u16,
        /// Number of its newest version's event.
        latest_event: u16,
        /// 1: it was taken back.
        reversed: u8,
        /// 0: with the next field makes the row 64 bytes, a multiple of 8.
        reserved: u8,
        /// 0, as the field before.
        reserved_too: u16,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::engine::projection::row_file::{ProjectionError, RowFile};

    fn warning(number: u16) -> WarningRow {
        WarningRow {
            similar_index: U40::of(100 + u64::from(number)),
            similar_event: number,
            event: 0,
            code: 1,
            reserved: 0,
        }
    }

    /// A row's bytes, and back; with any bit of them changed they are none.
    fn check<R: FixedRow + PartialEq + std::fmt::Debug>(row: &R, expected: &str) {
        let mut bytes = row.to_bytes();
        assert_eq!(hex::encode(bytes.as_ref()), expected);
        assert_eq!(R::from_bytes(&bytes).as_ref(), Some(row));
        for bit in 0..bytes.as_ref().len() * 8 {
            bytes.as_mut()[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(R::from_bytes(&bytes), None, "bit {bit}");
            bytes.as_mut()[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(R::from_bytes(&R::Bytes::default()), None, "zeros are no row");
    }

    #[test]
    fn rows_keep_their_bytes_or_are_none() {
        let posting = PostingRow {
            minutes: -90,
            balance_after: 1_000,
            held_after: 30,
            frozen_after: 31,
            unconfirmed_after: 32,
            previous: 0x0102,
            skip: 0x0304,
            index: 0x0506,
            recorded_at_ms: 1_700_000_000_000,
            account: 7,
            ordinal: 66,
            counterparty: u32::MAX,
            record_index: U40::of(0x09_0807_0605),
            record_event: 0x0a0b,
            event: 999,
            method: 0x0c0d,
            kind: 4,
        };
        let record = EventRef { index: LogIndex(0x09_0807_0605), event: 0x0a0b };
        assert_eq!(posting.record(), Some(record));
        assert_eq!(PostingRow { record_index: U40::of(0), ..posting }.record(), None);
        check(
            &posting,
            concat!(
                "a6ffffffffffffff",
                "e803000000000000",
                "1e00000000000000",
                "1f00000000000000",
                "2000000000000000",
                "0201000000000000",
                "0403000000000000",
                "0605000000000000",
                "0068e5cf8b010000",
                "07000000",
                "42000000",
                "ffffffff",
                "0506070809",
                "0b0a",
                "e703",
                "0d0c",
                "04",
                "b9e8fc5c",
            ),
        );
        let entry = EntryRow {
            recorded_at_ms: 1_700_000_000_000,
            first_posting: 0x0102,
            first_warning: 3,
            events: 1_000,
            reserved: 0,
        };
        check(&entry, "0068e5cf8b01000002010000000000000300000000000000e8030000d7cf415b");
        check(&WarningRow { event: 5, ..warning(2) }, "660000000002000500010000e9fb07e2");
    }

    #[test]
    fn rows_of_what_was_put_away_keep_their_bytes_or_are_none() {
        let time = TimeRow {
            record_index: 0x0102,
            first: -3,
            second: 4,
            credited: 5,
            previous: 6,
            since: -7,
            until: 8,
            account: 9,
            payer: 10,
            utc_offset_seconds: -3_600,
            record_event: 11,
            kind: 1,
            ended: 1,
        };
        check(
            &time,
            "0201000000000000fdffffffffffffff040000000000000005000000000000000600000000000000f9ffffffffffffff0800000000000000090000000a000000f0f1ffff0b000101ad22e891",
        );
        let sheet = SheetRow { id: 0x0102, author: 0x0304, index: 5 };
        check(&sheet, "02010000000000000000000000000000040300000000000000000000000000000500000000000000d1bd9e75");
        let note = NoteRow {
            record_index: 1,
            latest_index: 2,
            noted_at: 3,
            overflow: -4,
            owed: 5,
            pool: 6,
            station: 7,
            volunteer: 8,
            record_event: 9,
            latest_event: 10,
            reversed: 1,
            reserved: 0,
            reserved_too: 0,
        };
        check(
            &note,
            "010000000000000002000000000000000300000000000000fcffffffffffffff050000000000000006000000070000000800000009000a0001000000a26ea00a",
        );
    }

    #[test]
    fn a_row_that_was_cut_off_is_cut_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let rows: RowFile<WarningRow> = RowFile::open(&path).unwrap();
        rows.append(0, &[warning(0), warning(1), warning(2)]).unwrap();
        drop(rows);
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(47).unwrap();
        let rows: RowFile<WarningRow> = RowFile::open(&path).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(path.metadata().unwrap().len(), 32);
        rows.append(2, &[warning(7)]).unwrap();
        assert_eq!(rows.read_range(1..3).unwrap(), [warning(1), warning(7)]);
    }

    #[test]
    fn rows_that_a_failed_commit_left_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let rows: RowFile<WarningRow> = RowFile::open(&folder.path().join("rows")).unwrap();
        rows.append(0, &[warning(0), warning(1), warning(2)]).unwrap();
        rows.append(1, &[warning(8)]).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows.read(1).unwrap(), warning(8));
        assert_eq!(rows.read_range(0..2).unwrap(), [warning(0), warning(8)]);
        assert_eq!(rows.read_range(2..2).unwrap(), []);
    }

    #[test]
    fn rows_past_the_end_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let rows: RowFile<WarningRow> = RowFile::open(&folder.path().join("rows")).unwrap();
        rows.append(0, &[warning(0), warning(1)]).unwrap();
        rows.truncate(1).unwrap();
        assert!(matches!(rows.read(1), Err(ProjectionError::Io { .. })));
        assert!(matches!(rows.read_range(0..2), Err(ProjectionError::Io { .. })));
    }
}
