//! Events that later ones may refer to, outside memory.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use super::TreeFile;
use crate::{
    engine::{log::StoredEntry, projection::PutAwayFiles, replay::Past},
    format::wire,
    ledger::{AskedTimes, Event, EventRef, KeyId, LogIndex, PutAway, RecordNote, ServedTime, SheetId},
    merkle::Hash,
};

/// Files: every entry's events with their lengths, where each entry's end, the hashes of the tree, and what the state has put
/// away. Reading an event takes two reads, memory none. They vanish with the audit, or stay in a folder for the next one.
#[derive(Debug)]
pub struct Scratch {
    events: BufWriter<File>,
    ends: BufWriter<File>,
    tree: TreeFile,
    put_away: Arc<PutAwayFiles>,
    /// Bytes of events so far.
    length: u64,
    flushed: bool,
}

/// Bytes that are written at once: a write to the system every few sheets.
const WRITE_BYTES: usize = 256 * 1_024;

pub(super) fn buffered(file: File) -> BufWriter<File> {
    BufWriter::with_capacity(WRITE_BYTES, file)
}

impl Scratch {
    /// Fresh files in the system's temporary folder.
    ///
    /// # Errors
    /// They can't be made.
    pub fn new() -> io::Result<Self> {
        let file = || tempfile::tempfile().map(buffered);
        let (tree, put_away) = (TreeFile::temporary()?, Arc::new(PutAwayFiles::temporary()?));
        Ok(Self { events: file()?, ends: file()?, tree, put_away, length: 0, flushed: true })
    }

    /// The files of a folder, cut to so many entries, and what was put away by the state that stands there.
    ///
    /// # Errors
    /// They can't be opened, or hold less.
    pub fn open(folder: &Path, entries: u64, put_away: Arc<PutAwayFiles>) -> io::Result<Self> {
        let open =
            |name: &str| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(folder.join(name));
        let (mut events, mut ends) = (open("events")?, open("ends")?);
        ends.set_len(entries.saturating_mul(8))?;
        let length = match entries.checked_sub(1) {
            None => 0,
            Some(last) => {
                let mut end = [0; 8];
                ends.read_exact_at(&mut end, last.saturating_mul(8))?;
                u64::from_le_bytes(end)
            }
        };
        if events.metadata()?.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        events.set_len(length)?;
        events.seek(SeekFrom::End(0))?;
        ends.seek(SeekFrom::End(0))?;
        let tree = TreeFile::open(&folder.join("tree"), entries)?;
        Ok(Self { events: buffered(events), ends: buffered(ends), tree, put_away, length, flushed: true })
    }

    /// Keeps an entry that was replayed, and the tree's hashes that it completed.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn keep(&mut self, entry: &StoredEntry, hashes: &[Hash]) -> io::Result<()> {
        hashes.iter().try_for_each(|hash| self.tree.push(hash))?;
        for event in &entry.events {
            // At most 1 KiB, or it would not have been taken.
            let length = u16::try_from(event.len()).map_err(io::Error::other)?;
            self.events.write_all(&length.to_le_bytes())?;
            self.events.write_all(event)?;
            self.length += 2 + u64::from(length);
        }
        self.ends.write_all(&self.length.to_le_bytes())?;
        self.flushed = false;
        Ok(())
    }

    /// The tree over the entries that were kept.
    pub const fn tree(&mut self) -> &mut TreeFile {
        &mut self.tree
    }

    /// Brings everything to the disk.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.tree.sync()?;
        self.events.get_ref().sync_data()?;
        self.ends.get_ref().sync_data()
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.flushed {
            self.events.flush()?;
            self.ends.flush()?;
            self.flushed = true;
        }
        Ok(())
    }

    /// Where the events of an entry begin and end, if there is such an entry.
    fn place(&self, index: u64) -> io::Result<Option<(u64, u64)>> {
        let end = |index: u64| {
            let mut end = [0; 8];
            match self.ends.get_ref().read_exact_at(&mut end, index.saturating_mul(8)) {
                Ok(()) => Ok(Some(u64::from_le_bytes(end))),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                Err(error) => Err(error),
            }
        };
        let start = index.checked_sub(1).map_or(Ok(Some(0)), end)?;
        Ok(start.zip(end(index)?))
    }
}

impl Past for Scratch {
    type Error = io::Error;

    fn times(&mut self, asked: &AskedTimes) -> io::Result<Vec<ServedTime>> {
        self.put_away.times(asked).map_err(io::Error::other)
    }

    fn sheet(&mut self, author: KeyId, id: SheetId) -> io::Result<Option<LogIndex>> {
        self.put_away.sheet(author, id).map_err(io::Error::other)
    }

    fn note(&mut self, record: EventRef) -> io::Result<Option<RecordNote>> {
        self.put_away.note(record, u64::MAX).map_err(io::Error::other)
    }

    fn keep(&mut self, put_away: &PutAway) -> io::Result<()> {
        self.put_away.keep(put_away).map_err(io::Error::other)
    }

    fn event(&mut self, at: EventRef) -> io::Result<Option<Event>> {
        self.flush()?;
        let Some((mut place, end)) = self.place(at.index.0)? else { return Ok(None) };
        let file = self.events.get_ref();
        for number in 0..=at.event {
            if place >= end {
                return Ok(None);
            }
            let mut length = [0; 2];
            file.read_exact_at(&mut length, place)?;
            let length = u16::from_le_bytes(length);
            if number == at.event {
                let mut bytes = vec![0; usize::from(length)];
                file.read_exact_at(&mut bytes, place + 2)?;
                return Ok(wire::decode_event(&bytes.into()).ok());
            }
            place += 2 + u64::from(length);
        }
        Ok(None)
    }
}
