//! Entries to an archive. The same entries and note always give the same bytes.

use std::io::Write;

use lz4_flex::block;

use super::{
    ArchiveError, FRAME_BYTES_MAX, Place, check_note,
    frame::{Digest32, FrameHeader, encode_header, encode_trailer, sha256},
};
use crate::format::wire::{StoredEntry, is_origin};

/// Writes an archive. Without [`Writer::finish`] it has no trailer, and no reader takes it.
#[derive(Debug)]
pub struct Writer<W> {
    write: W,
    origin: String,
    /// Entries of the next frame, as they are before compression.
    pending: Vec<u8>,
    pending_entries: u32,
    /// [`FRAME_BYTES_MAX`], and less in tests of small archives.
    pub(super) frame_bytes: usize,
    count: u64,
    frames: u64,
    previous: Digest32,
}

impl<W: Write> Writer<W> {
    /// Begins an archive of a ledger. Writes come in pieces of up to a mebibyte and need no buffer.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] where `origin` is none; [`ArchiveError::Io`].
    pub fn new(mut write: W, origin: &str) -> Result<Self, ArchiveError> {
        if !is_origin(origin) {
            return Err(ArchiveError::Damaged { place: Place::Header, problem: "its origin is none" });
        }
        let header = encode_header(origin);
        write.write_all(&header).map_err(|source| ArchiveError::Io { place: Place::Header, source })?;
        let previous = sha256(&[&header]);
        Ok(Self {
            write,
            origin: origin.to_owned(),
            pending: Vec::with_capacity(FRAME_BYTES_MAX),
            pending_entries: 0,
            frame_bytes: FRAME_BYTES_MAX,
            count: 0,
            frames: 0,
            previous,
        })
    }

    /// Adds the next entry. A frame is written when the next entry would make it too long.
    ///
    /// # Errors
    /// [`ArchiveError::OutOfPlace`], [`ArchiveError::EntryTooLarge`], [`ArchiveError::Io`]; after the last, the archive
    /// is of no use.
    pub fn push(&mut self, entry: &StoredEntry) -> Result<(), ArchiveError> {
        if entry.index != self.count {
            return Err(ArchiveError::OutOfPlace { expected: self.count, found: entry.index });
        }
        if !entry.is_within_limits() {
            return Err(ArchiveError::EntryTooLarge { index: entry.index });
        }
        if self.pending.len() + entry.encoded_length() > self.frame_bytes {
            self.write_frame()?;
        }
        entry.encode(&mut self.pending);
        self.pending_entries += 1;
        self.count += 1;
        Ok(())
    }

    /// Entries so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Ends the archive with the signed checkpoint over exactly its entries, and gives the file back, to be synced.
    ///
    /// # Errors
    /// The note is no checkpoint, or one of another log or size; [`ArchiveError::Io`].
    pub fn finish(mut self, note: &str) -> Result<W, ArchiveError> {
        check_note(&self.origin, self.count, note)?;
        self.write_frame()?;
        let trailer = encode_trailer(self.count, note, &self.previous);
        let written = self.write.write_all(&trailer).and_then(|()| self.write.flush());
        written.map_err(|source| ArchiveError::Io { place: Place::Trailer, source })?;
        Ok(self.write)
    }

    /// Writes what is pending, if anything is.
    fn write_frame(&mut self) -> Result<(), ArchiveError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let compressed = block::compress(&self.pending);
        // Both are far below 2^32: see FRAME_BYTES_MAX and COMPRESSED_BYTES_MAX.
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let first_index = self.count - u64::from(self.pending_entries);
        let header = FrameHeader {
            first_index,
            entries: self.pending_entries,
            length: length(&self.pending),
            compressed_length: length(&compressed),
            compressed_digest: sha256(&[&compressed]),
            previous: self.previous,
        }
        .encode();
        let written = self.write.write_all(&header).and_then(|()| self.write.write_all(&compressed));
        written
            .map_err(|source| ArchiveError::Io { place: Place::Frame { number: self.frames, first_index }, source })?;
        self.previous = sha256(&[&header, &compressed]);
        self.pending.clear();
        self.pending_entries = 0;
        self.frames += 1;
        Ok(())
    }
}
