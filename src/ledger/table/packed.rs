//! Numbers in as few bytes as they need: rows there are as many of as people, or sheets.

/// A number of a row, or none.
pub(in crate::ledger) type Link = Option<u32>;

/// In 4 bytes.
pub(in crate::ledger) fn put_link(link: Link) -> [u8; 4] {
    link.map_or(0, |number| number.saturating_add(1)).to_le_bytes()
}

/// The way back.
pub(in crate::ledger) fn link(bytes: [u8; 4]) -> Link {
    u32::from_le_bytes(bytes).checked_sub(1)
}

/// A number below 2^40, more than a log ever has entries, or times.
pub(in crate::ledger) fn put_40(number: u64) -> [u8; 5] {
    let [low @ .., a, b, c] = number.to_le_bytes();
    assert!([a, b, c] == [0; 3], "fewer than 2^40");
    low
}

/// The way back.
pub(in crate::ledger) fn from_40(bytes: [u8; 5]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8_u8) | u64::from(*byte))
}
