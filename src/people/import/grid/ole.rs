//! The container of `.xls`: a file system of sectors and chains, [MS-CFB].
//!
//! calamine (0.36.1) follows chains without an end into all memory, and makes room by numbers in the header, at which
//! the process ends. So the stream of the workbook is taken out here, and put into a fresh container for it.

use super::Problem;

/// The largest stream that `wrap` has room for, in bytes: 109 sectors of the table list 1,024 sectors of 4,096 each.
pub(super) const WRAPPED_BYTES_MAX: usize = 109 * 1_024 * LARGE - 111 * LARGE;
const LARGE: usize = 4_096;
const END: u32 = 0xFFFF_FFFE;
const FREE: u32 = 0xFFFF_FFFF;
const TABLE: u32 = 0xFFFF_FFFD;
/// Streams below this many bytes are kept in the small sectors of another stream.
const SMALL_STREAM: usize = 4_096;
const SMALL: usize = 64;

/// An opened container.
pub(super) struct Ole<'b> {
    /// Sectors, without the header.
    sectors: &'b [u8],
    size: usize,
    /// For each sector the next of its chain.
    table: Vec<u32>,
    small: Vec<u8>,
    small_table: Vec<u32>,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    start: u32,
    length: usize,
}

impl<'b> Ole<'b> {
    /// Opens a container.
    pub(super) fn open(bytes: &'b [u8]) -> Result<Self, Problem> {
        Self::parse(bytes).ok_or_else(|| Problem::Damaged("its chains of sectors are broken".to_owned()))
    }

    fn parse(bytes: &'b [u8]) -> Option<Self> {
        let size = match half(bytes, 30)? {
            9 => 512,
            12 => LARGE,
            _ => return None,
        };
        let sectors = bytes.get(size..)?;
        let count = sectors.len().div_ceil(size);
        // Where the table itself lies: 109 places in the header, others in a chain of sectors that end in their next.
        let mut places: Vec<u32> = (0..109).map_while(|index| word(bytes, 76 + index * 4)).collect();
        let mut next = word(bytes, 68)?;
        for _ in 0..=count {
            let Some(sector) = sector(sectors, size, next) else { break };
            let mut more = words(sector);
            next = more.pop()?;
            places.extend(more);
        }
        let mut table = Vec::new();
        for place in places.into_iter().filter(|place| *place < TABLE).take(count) {
            table.extend(words(sector(sectors, size, place)?));
        }
        let mut ole = Self { sectors, size, table, small: Vec::new(), small_table: Vec::new(), entries: Vec::new() };
        ole.entries = ole.chain(word(bytes, 48)?, usize::MAX)?.chunks_exact(128).filter_map(Entry::parse).collect();
        let root = ole.entries.first()?;
        if word(bytes, 64)? > 0 {
            ole.small = ole.chain(root.start, root.length)?;
            ole.small_table = words(&ole.chain(word(bytes, 60)?, usize::MAX)?);
        }
        Some(ole)
    }

    /// Whether a stream or folder of this name, in any case, is in it, anywhere.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    /// A stream by its name, in any case.
    pub(super) fn stream(&self, name: &str) -> Option<Vec<u8>> {
        let entry = self.entries.iter().find(|entry| entry.name.eq_ignore_ascii_case(name))?;
        if entry.length >= SMALL_STREAM {
            return self.chain(entry.start, entry.length);
        }
        follow(&self.small, SMALL, &self.small_table, entry.start, entry.length)
    }

    fn chain(&self, start: u32, length: usize) -> Option<Vec<u8>> {
        follow(self.sectors, self.size, &self.table, start, length)
    }
}

impl Entry {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let units = bytes.get(..64)?.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        // The upper half of the length is noise in small files, and no larger ones are read.
        Some(Self {
            name: String::from_utf16_lossy(&units),
            start: word(bytes, 116)?,
            length: usize::try_from(word(bytes, 120)?).ok()?,
        })
    }
}

/// The sectors of a chain one after another, up to a length; none if the chain is broken, or longer than all sectors.
fn follow(sectors: &[u8], size: usize, table: &[u32], start: u32, length: usize) -> Option<Vec<u8>> {
    let mut stream = Vec::new();
    let mut next = start;
    for _ in 0..=table.len() {
        if next == END || stream.len() >= length {
            stream.truncate(length);
            return Some(stream);
        }
        stream.extend_from_slice(sector(sectors, size, next)?);
        next = *table.get(usize::try_from(next).ok()?)?;
    }
    None
}

/// A sector; the last of a file may be short.
fn sector(sectors: &[u8], size: usize, index: u32) -> Option<&[u8]> {
    let start = usize::try_from(index).ok()?.checked_mul(size)?;
    let rest = sectors.get(start..).filter(|rest| !rest.is_empty())?;
    Some(rest.get(..size).unwrap_or(rest))
}

/// A container with a stream named `Workbook` and nothing else; none if the stream is too long for a simple one.
pub(super) fn wrap(mut stream: Vec<u8>) -> Option<Vec<u8>> {
    if stream.len() > WRAPPED_BYTES_MAX {
        return None;
    }
    // Padded, it needs no small sectors; what follows the end of a workbook isn't read.
    stream.resize(stream.len().max(SMALL_STREAM), 0);
    let length = u32::try_from(stream.len()).ok()?;
    stream.resize(stream.len().next_multiple_of(LARGE), 0);
    let data = u32::try_from(stream.len() / LARGE).ok()?;
    let tables = (data + 1).div_ceil(1_023);

    // First the table's own sectors, then the directory's one, then the stream's.
    let mut header = vec![0; LARGE];
    put(&mut header, 0, &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]);
    put(&mut header, 24, &[0x3E, 0, 4, 0, 0xFE, 0xFF, 12, 0, 6, 0]);
    for (at, value) in [(44, tables), (48, tables), (56, 4_096), (60, END), (68, END)] {
        put(&mut header, at, &value.to_le_bytes());
    }
    let places = (0..109).map(|index| if index < tables { index } else { FREE });
    put(&mut header, 76, &places.flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    let first = tables + 1;
    let chain = (0..data).map(|index| if index + 1 < data { first + index + 1 } else { END });
    let table = (0..tables).map(|_| TABLE).chain([END]).chain(chain);
    let mut bytes = header;
    bytes.extend(table.flat_map(u32::to_le_bytes));
    bytes.resize(bytes.len().next_multiple_of(LARGE).max(LARGE * (1 + tables as usize)), 0xFF);
    let mut directory = vec![0; LARGE];
    for (at, name, kind, start, length) in [(0, "Root Entry", 5, 0, 0), (128, "Workbook", 2, first, length)] {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        put(&mut directory, at, &units);
        put(&mut directory, at + 64, &(u8::try_from(units.len()).ok()? + 2).to_le_bytes());
        put(&mut directory, at + 66, &[kind]);
        put(&mut directory, at + 116, &start.to_le_bytes());
        put(&mut directory, at + 120, &length.to_le_bytes());
    }
    bytes.extend(directory);
    bytes.extend(stream);
    Some(bytes)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..value.len())) {
        place.copy_from_slice(value);
    }
}

/// A number of two bytes.
pub(super) fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A number of four bytes.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}
