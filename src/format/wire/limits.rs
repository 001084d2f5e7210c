//! How long, how many and how late anything in a sheet may be.

use std::ops::RangeInclusive;

/// Longest header: 8 signers of 18 bytes, an origin of 130, and 80 of the rest fit twice.
pub const HEADER_BYTES_MAX: usize = 1_024;
/// Longest event: a genesis with 8 operator keys and some 40 tariffs fits.
pub const EVENT_BYTES_MAX: usize = 1_024;
/// Longest sheet: 1,000 events of 260 bytes, three times a usual one.
pub const SHEET_BYTES_MAX: usize = 256 * 1_024;
/// Most events of a sheet: a month of a busy station.
pub const EVENTS_MAX: usize = 1_000;
/// Most signers of a sheet: all operators of a genesis.
pub const SIGNERS_MAX: usize = 8;
/// Longest origin: a schema-less URL, as C2SP asks for, in one line of a note.
pub(super) const ORIGIN_BYTES_MAX: usize = 128;
/// Times stated: 1970 up to the end of the year 9999.
pub(super) const TIMES_MS: RangeInclusive<i64> = 0..=253_402_300_799_999;

/// 16 bytes, if they are.
pub(super) fn id(bytes: &[u8]) -> Option<[u8; 16]> {
    bytes.try_into().ok()
}
