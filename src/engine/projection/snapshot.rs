//! A saved state with the index it stands at, so that a start replays only the rest.
//!
//! `snapshot` = "timebank snapshot 7\n", then frames: a tag, the length of its bytes (u32, little endian), the CRC-32 of all
//! three, the bytes. Tables come page by page, in order; last of all the rest, encoded by postcard. It is derived: whatever is
//! wrong with it, the log is replayed from the beginning.

use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};

use serde::{Deserialize, Serialize};

use super::{
    ProjectionError,
    history::{HistoryHeads, SavedHeads},
};
use crate::{
    engine::{
        machine::{MachinePath, ToTheEnd},
        replay::{Replay, StillReplay},
        store::replace,
    },
    ledger::{PagedTable, SavedPages, SavedRest},
    merkle::Frontier,
};

const NAME: &str = "snapshot";
const MAGIC: &[u8] = b"timebank snapshot 7\n";

/// Bytes that are read or written at once: eight of the largest pages, those of 4,096 accounts.
const BUFFER_BYTES: usize = 1_024 * 1_024;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Table(PagedTable),
    /// Where the histories of accounts end.
    Heads,
    /// All that isn't a page.
    Rest,
}

impl Tag {
    const ALL: [Self; 8] = [
        Self::Table(PagedTable::Accounts),
        Self::Table(PagedTable::Amounts),
        Self::Table(PagedTable::Keys),
        Self::Table(PagedTable::TimeOwners),
        Self::Table(PagedTable::RecentTimes),
        Self::Table(PagedTable::Sheets),
        Self::Heads,
        Self::Rest,
    ];

    fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|tag| *tag == self);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }
}

pub(super) struct Saved {
    pub(super) replay: Replay,
    pub(super) history: HistoryHeads,
}

#[derive(Serialize)]
struct RestRef<'a> {
    state: &'a SavedRest,
    frontier: &'a Frontier,
    history: &'a SavedHeads,
}

#[derive(Deserialize)]
struct Rest {
    state: SavedRest,
    frontier: Frontier,
    history: SavedHeads,
}

pub(super) fn save(
    MachinePath { machine, path: folder }: &MachinePath,
    replay: &StillReplay,
    history: &HistoryHeads,
) -> Result<(), ProjectionError> {
    let path = folder.join(NAME);
    let open = machine.open_folder(folder).map_err(|source| ProjectionError::Io { path: folder.clone(), source })?;
    let written = replace((machine.as_ref(), open.as_ref()), folder, (&path, 0o600), |file| {
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
        writer.write_all(MAGIC)?;
        for (table, page) in replay.state.pages() {
            write_frame(&mut writer, Tag::Table(table), &page)?;
        }
        for page in history.pages() {
            write_frame(&mut writer, Tag::Heads, &page)?;
        }
        let rest = RestRef { state: replay.state.rest(), frontier: &replay.frontier, history: &history.saved() };
        write_frame(&mut writer, Tag::Rest, &postcard::to_allocvec(&rest).map_err(std::io::Error::other)?)?;
        writer.flush()
    });
    written.map_err(|failed| ProjectionError::not_replaced(path, failed))
}

fn write_frame(writer: &mut impl Write, tag: Tag, bytes: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(std::io::Error::other)?;
    writer.write_all(&[tag.number()])?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(&checksum(tag.number(), length, bytes).to_le_bytes())?;
    writer.write_all(bytes)
}

fn checksum(tag: u8, length: u32, bytes: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&[tag]);
    checksum.update(&length.to_le_bytes());
    checksum.update(bytes);
    checksum.finalize()
}

/// The next frame; nothing where it is damaged, or cut off.
fn read_frame(reader: &mut impl Read, left: &mut u64) -> std::io::Result<Option<(Tag, Vec<u8>)>> {
    let mut head = [0; 9];
    if !read_whole(reader, &mut head, left)? {
        return Ok(None);
    }
    let [tag, length @ .., _, _, _, _] = head;
    let [_, _, _, _, _, checksum_bytes @ ..] = head;
    let length = u32::from_le_bytes(length);
    // What a length claims is there, or memory isn't asked for.
    if u64::from(length) > *left {
        return Ok(None);
    }
    let mut bytes = vec![0; length as usize];
    if !read_whole(reader, &mut bytes, left)? {
        return Ok(None);
    }
    let sound = checksum(tag, length, &bytes) == u32::from_le_bytes(checksum_bytes);
    Ok(Tag::ALL.get(usize::from(tag)).filter(|_| sound).map(|tag| (*tag, bytes)))
}

/// Whether there was as much to read.
fn read_whole(reader: &mut impl Read, bytes: &mut [u8], left: &mut u64) -> std::io::Result<bool> {
    *left = left.saturating_sub(bytes.len() as u64);
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is found where a snapshot would be.
pub(super) enum Found {
    /// No file.
    Nothing,
    /// One of this program's layout, whole, and of this ledger.
    Sound(Box<Saved>),
    /// Anything else: it says nothing.
    Unfit,
}

/// The saved state, if there is a sound one of this ledger.
///
/// # Errors
/// The file can't be read just now, which says nothing about it.
pub(super) fn load(folder: &MachinePath, origin: &str) -> Result<Found, ProjectionError> {
    let MachinePath { machine, path } = folder.join(NAME);
    let io = |source| ProjectionError::Io { path: path.clone(), source };
    let file = match machine.open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(io(error)),
    };
    let file = ToTheEnd::new(file).map_err(io)?;
    let left = file.left();
    let saved = read(&mut BufReader::with_capacity(BUFFER_BYTES, file), left).map_err(io)?;
    let saved = saved.filter(|saved| saved.replay.state.origin() == origin);
    Ok(saved.map_or(Found::Unfit, |saved| Found::Sound(Box::new(saved))))
}

fn read(reader: &mut impl Read, mut left: u64) -> std::io::Result<Option<Saved>> {
    let mut magic = [0; MAGIC.len()];
    if !read_whole(reader, &mut magic, &mut left)? || magic != MAGIC {
        return Ok(None);
    }
    let (mut pages, mut heads) = (SavedPages::default(), HistoryHeads::default());
    loop {
        let Some((tag, bytes)) = read_frame(reader, &mut left)? else { return Ok(None) };
        let taken = match tag {
            Tag::Table(table) => pages.take(table, &bytes),
            Tag::Heads => heads.take(&bytes),
            Tag::Rest => return Ok(Some(bytes).filter(|_| left == 0).and_then(|bytes| finish(pages, heads, &bytes))),
        };
        if taken.is_none() {
            return Ok(None);
        }
    }
}

fn finish(pages: SavedPages, heads: HistoryHeads, rest: &[u8]) -> Option<Saved> {
    let Rest { state, frontier, history } = postcard::from_bytes(rest).ok()?;
    let (state, history) = (pages.finish(state, rayon::join)?, heads.finish(history)?);
    (state.size() == frontier.size()).then(|| Saved { replay: Replay { state, frontier }, history })
}
