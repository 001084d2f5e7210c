//! A mend for what calamine (0.36.1) drops of `.xlsb`: the format of whole numbers, and so that they are dates.
//!
//! Excel stores most numbers as "RK": 30 bits that are either a whole number or the upper bits of a double. calamine
//! gives the former without asking for the cell's format, so that 2026-03-05 comes as 46086. A whole number below 2^18
//! is the same as such a double, in the same place; all days up to the year 2617 are, and others than dates lose
//! nothing.

/// Rewrites whole numbers of a sheet in place, as far as its records can be followed.
pub(super) fn mend(name: &str, part: &mut [u8]) {
    if !name.to_ascii_lowercase().starts_with("xl/worksheets/") {
        return;
    }
    let mut at = 0;
    while let Some((kind, length, body)) = header(part, at) {
        let Some(end) = body.checked_add(length).filter(|end| *end <= part.len()) else { return };
        // BrtCellRk: column, style, number, of 4 bytes each.
        if kind == 2
            && let Some(number) = part.get_mut(body..end).and_then(|cell| cell.get_mut(8..12))
            && let Ok(bits) = <[u8; 4]>::try_from(&*number)
        {
            number.copy_from_slice(&as_double(u32::from_le_bytes(bits)).to_le_bytes());
        }
        at = end;
    }
}

/// The type, the length and the place of a record's body.
fn header(part: &[u8], at: usize) -> Option<(u16, usize, usize)> {
    let low = *part.get(at)?;
    let (kind, mut at) = match low & 0x80 {
        0 => (u16::from(low), at + 1),
        _ => (u16::from(low & 0x7F) | u16::from(part.get(at + 1)? & 0x7F) << 7, at + 2),
    };
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = *part.get(at)?;
        at += 1;
        length |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some((kind, length, at))
}

/// Bit 1 says that the number is whole, bit 0 that it is a hundred times too large; the latter come with their format.
fn as_double(rk: u32) -> u32 {
    let whole = rk.cast_signed() >> 2;
    if rk & 0b11 != 0b10 || whole.unsigned_abs() >= 1 << 18 {
        return rk;
    }
    // The upper half, of whose 20 bits of mantissa the last two are zero.
    let [_, _, _, _, upper @ ..] = f64::from(whole).to_le_bytes();
    u32::from_le_bytes(upper)
}
