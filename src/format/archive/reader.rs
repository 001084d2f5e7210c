//! An archive to entries, every byte checked before it is believed.

use std::io::{ErrorKind, Read};

use bytes::{Buf, Bytes};
use lz4_flex::block;

use super::{
    ArchiveError, Place, check_note,
    frame::{
        Digest32, FORMAT, FRAME_HEADER_BYTES, FrameHeader, KIND_FRAME, KIND_TRAILER, MAGIC, encode_header,
        encode_trailer, sha256,
    },
};
use crate::format::{
    checkpoint::NOTE_BYTES_MAX,
    wire::{StoredEntry, is_origin},
};

/// Reads an archive, a frame at a time.
#[derive(Debug)]
pub struct Reader<R> {
    read: R,
    origin: String,
    count: u64,
    frames: u64,
    /// SHA-256 of the part before. It moves on only with a part that is in order, so that after an error nothing follows.
    previous: Digest32,
    note: Option<String>,
    suspect: Vec<StoredEntry>,
}

impl<R: Read> Reader<R> {
    /// Begins to read. Frame headers are read apart from the rest: a file wants a buffer.
    ///
    /// # Errors
    /// It is no archive, of a newer format, cut off, or its header is damaged.
    pub fn new(mut read: R) -> Result<Self, ArchiveError> {
        let place = Place::Header;
        let mut start = [0; MAGIC.len()];
        read_exact(&mut read, &mut start, place)?;
        if start != *MAGIC {
            return Err(ArchiveError::NotAnArchive);
        }
        let mut lengths = [0; 2];
        read_exact(&mut read, &mut lengths, place)?;
        let [format, length] = lengths;
        if format != FORMAT {
            return Err(ArchiveError::FormatUnknown { found: format });
        }
        let origin = read_part(&mut read, usize::from(length), place)?;
        let origin = String::from_utf8(origin).ok().filter(|origin| is_origin(origin));
        let origin = origin.ok_or(ArchiveError::Damaged { place, problem: "its origin is none" })?;
        let previous = sha256(&[&encode_header(&origin)]);
        Ok(Self { read, origin, count: 0, frames: 0, previous, note: None, suspect: Vec::new() })
    }

    /// The ledger. It is what was written once a frame, or the trailer, has been read.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Entries read so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The signed checkpoint over all entries, once they have all been read. Its signature is the caller's to verify.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The entries of the next frame, sharing its bytes. None at the end, when everything is in order: the trailer, and
    /// that nothing follows it.
    ///
    /// # Errors
    /// The first part that isn't as it was written. After one, the archive is of no use.
    pub fn next_entries(&mut self) -> Result<Option<Vec<StoredEntry>>, ArchiveError> {
        if self.note.is_some() {
            return Ok(None);
        }
        let place = Place::Frame { number: self.frames, first_index: self.count };
        let mut kind = [0];
        read_exact(&mut self.read, &mut kind, place)?;
        match kind {
            [KIND_FRAME] => self.frame().map(Some),
            [KIND_TRAILER] => self.trailer().map(|()| None),
            _ => Err(ArchiveError::Damaged { place, problem: "it begins as neither a frame nor the trailer does" }),
        }
    }

    /// After contents that are not those that were written: what they unpack to all the same, if to anything, so that
    /// whoever replays it can say which entry was changed. Nothing vouches for it.
    pub fn suspect(&self) -> &[StoredEntry] {
        &self.suspect
    }

    fn frame(&mut self) -> Result<Vec<StoredEntry>, ArchiveError> {
        let place = Place::Frame { number: self.frames, first_index: self.count };
        let damaged = |problem| ArchiveError::Damaged { place, problem };
        let mut bytes = [0; FRAME_HEADER_BYTES];
        read_exact(&mut self.read, &mut bytes, place)?;
        let header = FrameHeader::decode(&bytes);
        if let Some(problem) = header.problem(self.count, &self.previous) {
            return Err(damaged(problem));
        }
        let compressed = read_part(&mut self.read, header.compressed_length as usize, place)?;
        if sha256(&[&compressed]) != header.compressed_digest {
            self.suspect = unpack(&header, &compressed, self.count).unwrap_or_default();
            return Err(damaged("its contents are not those that were written"));
        }
        let entries = unpack(&header, &compressed, self.count).map_err(damaged)?;
        self.previous = sha256(&[&header.encode(), &compressed]);
        self.count += u64::from(header.entries);
        self.frames += 1;
        Ok(entries)
    }

    fn trailer(&mut self) -> Result<(), ArchiveError> {
        let place = Place::Trailer;
        let damaged = |problem| ArchiveError::Damaged { place, problem };
        let mut bytes = [0; 12];
        read_exact(&mut self.read, &mut bytes, place)?;
        let mut bytes = bytes.as_slice();
        let (count, length) = (bytes.get_u64_le(), bytes.get_u32_le() as usize);
        if count != self.count {
            return Err(damaged("it counts more or fewer entries than there are"));
        }
        if length > NOTE_BYTES_MAX {
            return Err(damaged("it claims a length that no checkpoint has"));
        }
        let note = read_part(&mut self.read, length, place)?;
        let note = String::from_utf8(note).map_err(|_other| damaged("its checkpoint is no text"))?;
        let mut digest = [0; 32];
        read_exact(&mut self.read, &mut digest, place)?;
        if !encode_trailer(count, &note, &self.previous).ends_with(&digest) {
            return Err(damaged("it does not follow the part before it"));
        }
        check_note(&self.origin, count, &note)?;
        let mut more = [0];
        match read_exact(&mut self.read, &mut more, place) {
            Err(ArchiveError::CutOff { .. }) => {}
            Err(error) => return Err(error),
            Ok(()) => return Err(ArchiveError::TrailingBytes),
        }
        self.note = Some(note);
        Ok(())
    }
}

fn decode_entries(mut bytes: Bytes, first_index: u64) -> Result<Vec<StoredEntry>, &'static str> {
    let mut entries = Vec::new();
    for index in first_index.. {
        if !bytes.has_remaining() {
            break;
        }
        let entry = StoredEntry::decode(&mut bytes).ok_or("an entry in it is not whole")?;
        if entry.index != index {
            return Err("an entry in it is at the wrong place");
        }
        if !entry.is_within_limits() {
            return Err("an entry in it has a part that is longer than any ledger takes");
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// The entries in a frame's contents.
fn unpack(header: &FrameHeader, compressed: &[u8], first_index: u64) -> Result<Vec<StoredEntry>, &'static str> {
    let mut bytes = vec![0; header.length as usize];
    let length = block::decompress_into(compressed, &mut bytes);
    if length.ok() != Some(bytes.len()) {
        return Err("its contents do not unpack to their length");
    }
    let entries = decode_entries(bytes.into(), first_index)?;
    if usize::try_from(header.entries).ok() != Some(entries.len()) {
        return Err("it holds more or fewer entries than it claims");
    }
    Ok(entries)
}

fn read_exact(read: &mut impl Read, bytes: &mut [u8], place: Place) -> Result<(), ArchiveError> {
    read.read_exact(bytes).map_err(|source| {
        let cut_off = source.kind() == ErrorKind::UnexpectedEof;
        if cut_off { ArchiveError::CutOff { place } } else { ArchiveError::Io { place, source } }
    })
}

/// Reads a part whose length is bounded already; its memory grows only with what really comes.
fn read_part(read: &mut impl Read, length: usize, place: Place) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    let taken = u64::try_from(length).unwrap_or(u64::MAX);
    read.take(taken).read_to_end(&mut bytes).map_err(|source| ArchiveError::Io { place, source })?;
    if bytes.len() == length { Ok(bytes) } else { Err(ArchiveError::CutOff { place }) }
}
