//! Events that later ones may refer to, outside memory.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
};

use crate::{
    ledger::{Event, EventRef},
    store::{LogStore, StoredEntry},
    wire,
};

/// Where an audit finds the events that an entry refers to.
pub trait OldEvents {
    /// Keeps an entry that was replayed.
    ///
    /// # Errors
    /// The scratch file can't be written.
    fn keep(&mut self, entry: &StoredEntry) -> io::Result<()>;

    /// An event of an entry that was replayed.
    ///
    /// # Errors
    /// The file or the log can't be read.
    fn event(&mut self, at: EventRef) -> io::Result<Option<Event>>;
}

/// A log that can be read anywhere needs no scratch file.
impl OldEvents for &dyn LogStore {
    fn keep(&mut self, _entry: &StoredEntry) -> io::Result<()> {
        Ok(())
    }

    fn event(&mut self, at: EventRef) -> io::Result<Option<Event>> {
        let entry = self.entry(at.index.0).map_err(io::Error::other)?;
        Ok(entry.and_then(|entry| wire::decode_event(entry.events.get(usize::from(at.event))?).ok()))
    }
}

/// Two temporary files that vanish with the audit: every entry's events with their lengths, and the place of each entry's
/// first. Reading an event takes two reads, memory none.
#[derive(Debug)]
pub struct Scratch {
    events: BufWriter<File>,
    places: BufWriter<File>,
    /// Bytes of events so far.
    length: u64,
    flushed: bool,
}

impl Scratch {
    /// Fresh files in the system's temporary folder.
    ///
    /// # Errors
    /// They can't be made.
    pub fn new() -> io::Result<Self> {
        let file = || tempfile::tempfile().map(BufWriter::new);
        Ok(Self { events: file()?, places: file()?, length: 0, flushed: true })
    }

    /// Where the events of an entry begin, if there is such an entry.
    fn place(&self, index: u64) -> io::Result<Option<u64>> {
        let mut place = [0; 8];
        match self.places.get_ref().read_exact_at(&mut place, index.saturating_mul(8)) {
            Ok(()) => Ok(Some(u64::from_le_bytes(place))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl OldEvents for Scratch {
    fn keep(&mut self, entry: &StoredEntry) -> io::Result<()> {
        self.places.write_all(&self.length.to_le_bytes())?;
        for event in &entry.events {
            // At most 1 KiB, or it would not have been taken.
            let length = u16::try_from(event.len()).map_err(io::Error::other)?;
            self.events.write_all(&length.to_le_bytes())?;
            self.events.write_all(event)?;
            self.length += 2 + u64::from(length);
        }
        self.flushed = false;
        Ok(())
    }

    fn event(&mut self, at: EventRef) -> io::Result<Option<Event>> {
        if !self.flushed {
            self.events.flush()?;
            self.places.flush()?;
            self.flushed = true;
        }
        let Some(mut place) = self.place(at.index.0)? else { return Ok(None) };
        let end = self.place(at.index.0.saturating_add(1))?.unwrap_or(self.length);
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
