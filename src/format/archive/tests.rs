#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::io::{Cursor, Read};

use bytes::Bytes;
use lz4_flex::block;

use super::{
    frame::{COMPRESSED_BYTES_MAX, FRAME_HEADER_BYTES, FrameHeader, encode_header, encode_trailer, sha256},
    *,
};
use crate::format::{
    checkpoint,
    signature::PrivateKey,
    wire::{self, StoredEntry},
};

const ORIGIN: &str = "timebank.example/archive";

fn note(size: u64) -> String {
    checkpoint::sign(ORIGIN, size, &[7; 32], PrivateKey::from_seed([1; 32]).signing_key())
}

fn entry(index: u64) -> StoredEntry {
    StoredEntry {
        index,
        recorded_at_ms: 1_772_323_200_000 + index.cast_signed(),
        header: Bytes::from_static(b"header"),
        signatures: vec![Bytes::from(vec![0xff; 64])],
        events: vec![Bytes::from_static(b"event"), Bytes::from(vec![3; 40])],
    }
}

/// The entry of the longest bytes there is.
fn largest(index: u64) -> StoredEntry {
    StoredEntry {
        index,
        recorded_at_ms: 0,
        header: vec![1; wire::HEADER_BYTES_MAX].into(),
        signatures: vec![vec![2; 64].into(); wire::SIGNERS_MAX],
        events: vec![vec![3; wire::EVENT_BYTES_MAX].into(); wire::EVENTS_MAX],
    }
}

/// An archive of small entries, two a frame.
fn archive(count: u64) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), ORIGIN).unwrap();
    writer.frame_bytes = 2 * entry(0).encoded_length();
    (0..count).for_each(|index| writer.push(&entry(index)).unwrap());
    writer.finish(&note(count)).unwrap()
}

fn read<R: Read>(read: R) -> Result<(Reader<R>, Vec<StoredEntry>), ArchiveError> {
    let mut reader = Reader::new(read)?;
    let mut entries = Vec::new();
    while let Some(more) = reader.next_entries()? {
        entries.extend(more);
    }
    Ok((reader, entries))
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes).map(|(_, entries)| entries).expect_err("it is refused").to_string()
}

/// An archive of one frame, its digests right whatever it claims.
fn crafted(change: impl FnOnce(&mut FrameHeader, &mut Vec<u8>)) -> Vec<u8> {
    let start = encode_header(ORIGIN);
    let mut contents = Vec::new();
    entry(0).encode(&mut contents);
    let length = u32::try_from(contents.len()).unwrap();
    let previous = sha256(&[&start]);
    let mut frame =
        FrameHeader { first_index: 0, entries: 1, length, compressed_length: 0, compressed_digest: [0; 32], previous };
    change(&mut frame, &mut contents);
    let compressed = block::compress(&contents);
    if frame.compressed_length == 0 {
        frame.compressed_length = u32::try_from(compressed.len()).unwrap();
    }
    frame.compressed_digest = sha256(&[&compressed]);
    let previous = sha256(&[&frame.encode(), &compressed]);
    [start, frame.encode(), compressed, encode_trailer(u64::from(frame.entries), &note(1), &previous)].concat()
}

#[test]
fn an_archive_reads_back_whole_and_says_what_it_is_of() {
    for count in [0, 1, 2, 5] {
        let whole = archive(count);
        let (mut reader, entries) = read(whole.as_slice()).unwrap();
        assert_eq!(entries, (0..count).map(entry).collect::<Vec<_>>());
        assert_eq!((reader.origin(), reader.count()), (ORIGIN, count));
        assert_eq!(reader.note(), Some(note(count).as_str()));
        assert!(reader.next_entries().unwrap().is_none(), "it stays at its end");
    }
}

#[test]
fn the_largest_entries_fit_a_frame_each() {
    assert!(largest(0).encoded_length() <= FRAME_BYTES_MAX);
    let mut writer = Writer::new(Vec::new(), ORIGIN).unwrap();
    (0..2).for_each(|index| writer.push(&largest(index)).unwrap());
    let bytes = writer.finish(&note(2)).unwrap();
    assert_eq!(read(bytes.as_slice()).unwrap().1, [largest(0), largest(1)]);
}

#[test]
fn bytes_that_do_not_compress_stay_below_the_limit() {
    let random: Vec<u8> = (0..FRAME_BYTES_MAX / 32).flat_map(|n| sha256(&[&n.to_le_bytes()])).collect();
    assert!((FRAME_BYTES_MAX..=COMPRESSED_BYTES_MAX).contains(&block::compress(&random).len()));
}

#[test]
fn every_flipped_bit_is_refused() {
    let whole = archive(5);
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(read(bytes.as_slice()).is_err(), "bit {} of byte {}", bit % 8, bit / 8);
    }
}

#[test]
fn an_archive_cut_anywhere_is_refused_as_cut_off() {
    let whole = archive(5);
    for length in 0..whole.len() {
        let error = read(&whole[..length]).map(|(_, entries)| entries).unwrap_err();
        assert!(matches!(error, ArchiveError::CutOff { .. }), "at {length}: {error}");
    }
}

#[test]
fn a_byte_after_the_end_is_refused() {
    for byte in [0, 1, 2] {
        let bytes = [archive(3), vec![byte]].concat();
        assert_eq!(refusal(&bytes), "the archive goes on after its end: remove what was added, or get it again");
    }
    let twice = [archive(1), archive(1)].concat();
    assert!(refusal(&twice).contains("goes on after its end"));
}

#[test]
fn frames_left_out_doubled_or_swapped_are_refused() {
    let (start, whole) = (encode_header(ORIGIN).len(), archive(6));
    let (mut rest, mut parts) = (&whole[start..], Vec::new());
    for _ in 0..3 {
        let header = FrameHeader::decode(rest[1..].first_chunk().unwrap());
        let (part, after) = rest.split_at(1 + FRAME_HEADER_BYTES + header.compressed_length as usize);
        parts.push(part);
        rest = after;
    }
    let put_together = |order: &[usize]| {
        let frames: Vec<u8> = order.iter().flat_map(|part| parts[*part].to_vec()).collect();
        [&whole[..start], &frames, rest].concat()
    };
    assert_eq!(put_together(&[0, 1, 2]), whole);
    for (order, at) in [(vec![0, 2], 1), (vec![1, 2], 0), (vec![0, 1, 1, 2], 2), (vec![0, 2, 1], 1)] {
        let (refusal, frame) = (refusal(&put_together(&order)), format!("frame {at} (entries from "));
        assert!(refusal.contains(&frame), "{order:?}: {refusal}");
        assert!(refusal.contains("is damaged: it does not follow the part before it"), "{order:?}: {refusal}");
    }
    assert!(refusal(&put_together(&[0, 1])).contains("trailer is damaged: it counts more or fewer entries"));
}

/// Remembers how much room was ever offered to it at once.
struct Probe<'a>(&'a [u8], &'a mut usize);

impl Read for Probe<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        *self.1 = bytes.len().max(*self.1);
        self.0.read(bytes)
    }
}

#[test]
fn a_length_that_lies_allocates_nothing() {
    let claims = "claims a length that no frame has";
    let too_long = u32::try_from(FRAME_BYTES_MAX).unwrap() + 1;
    for length in [0, too_long, u32::MAX] {
        assert!(refusal(&crafted(|frame, _| frame.length = length)).contains(claims));
    }
    let too_long = u32::try_from(COMPRESSED_BYTES_MAX).unwrap() + 1;
    for length in [too_long, u32::MAX] {
        let bytes = crafted(|frame, _| frame.compressed_length = length);
        let mut cursor = Cursor::new(bytes);
        assert!(read(&mut cursor).map(|_| ()).unwrap_err().to_string().contains(claims));
        let before_contents = encode_header(ORIGIN).len() + 1 + FRAME_HEADER_BYTES;
        assert_eq!(cursor.position(), u64::try_from(before_contents).unwrap(), "nothing more is read");
    }
    // As long as may be, where nearly nothing comes.
    let bytes = crafted(|frame, _| frame.compressed_length = too_long - 1);
    let mut room = 0;
    let error = read(Probe(&bytes, &mut room)).map(|_| ()).unwrap_err();
    assert!(matches!(error, ArchiveError::CutOff { place: Place::Frame { number: 0, .. } }), "{error}");
    assert!(room <= 4_096, "{room} bytes were made ready for a few hundred");
}

#[test]
fn a_checkpoint_length_that_lies_is_refused_before_it_is_read() {
    let mut bytes = encode_header(ORIGIN);
    bytes.extend_from_slice(&encode_trailer(0, &note(0), &sha256(&[&bytes])));
    let length = encode_header(ORIGIN).len() + 9;
    assert!(read(bytes.as_slice()).is_ok());
    bytes[length..length + 4].copy_from_slice(&1_000_001_u32.to_le_bytes());
    assert!(refusal(&bytes).contains("trailer is damaged: it claims a length that no checkpoint has"));
}

#[test]
fn contents_that_unpack_to_another_length_are_refused() {
    let unpack = "its contents do not unpack to their length";
    let bomb = crafted(|_, contents| contents.resize(64 * FRAME_BYTES_MAX, 0));
    assert!(bomb.len() < FRAME_BYTES_MAX, "it is small, and would be 64 MiB");
    assert!(refusal(&bomb).contains(unpack));
    assert!(refusal(&crafted(|frame, _| frame.length += 1)).contains(unpack));
    assert!(refusal(&crafted(|frame, _| frame.length -= 1)).contains(unpack));
}

#[test]
fn a_frame_that_claims_other_entries_than_it_holds_is_refused() {
    assert!(refusal(&crafted(|frame, _| frame.entries = 2)).contains("more or fewer entries than it claims"));
    assert!(refusal(&crafted(|frame, _| frame.entries = 0)).contains("more or fewer entries than it claims"));
    assert!(refusal(&crafted(|frame, _| frame.first_index = 1)).contains("begins at another entry than the next"));
    let replaced = |other: StoredEntry| {
        crafted(|frame, contents| {
            contents.clear();
            other.encode(contents);
            frame.length = u32::try_from(contents.len()).unwrap();
        })
    };
    assert!(refusal(&replaced(entry(1))).contains("an entry in it is at the wrong place"));
    let too_long = StoredEntry { header: vec![0; wire::HEADER_BYTES_MAX + 1].into(), ..entry(0) };
    assert!(refusal(&replaced(too_long)).contains("longer than any ledger takes"));
    let cut = crafted(|frame, contents| {
        contents.pop();
        frame.length -= 1;
    });
    assert!(refusal(&cut).contains("an entry in it is not whole"));
}

#[test]
fn a_checkpoint_of_another_log_or_size_is_refused_on_both_sides() {
    let other = checkpoint::sign("other.example", 1, &[7; 32], PrivateKey::from_seed([1; 32]).signing_key());
    let start = encode_header(ORIGIN);
    let forged = |note: &str| [start.clone(), encode_trailer(0, note, &sha256(&[&start]))].concat();
    let expected = "the archive's checkpoint is of 1 entries of other.example, but the archive holds 0 entries of \
                    timebank.example/archive";
    for note in [other, note(1)] {
        let refused = Writer::new(Vec::new(), ORIGIN).unwrap().finish(&note).unwrap_err().to_string();
        assert_eq!(refused, refusal(&forged(&note)));
        assert_eq!(refused == expected, note.starts_with("other"), "{refused}");
    }
    for (note, expected) in
        [("no note", "its checkpoint is no signed note"), ("text\n\n— a AAAAAAA=\n", "is no checkpoint")]
    {
        assert!(refusal(&forged(note)).contains(expected), "{}", refusal(&forged(note)));
    }
}

#[test]
fn the_writer_refuses_what_no_reader_would_take() {
    assert!(Writer::new(Vec::new(), "two words").is_err());
    let mut writer = Writer::new(Vec::new(), ORIGIN).unwrap();
    let error = writer.push(&entry(1)).unwrap_err();
    assert!(matches!(error, ArchiveError::OutOfPlace { expected: 0, found: 1 }), "{error}");
    let too_large = StoredEntry { signatures: vec![vec![0; 65].into()], ..entry(0) };
    let error = writer.push(&too_large).unwrap_err();
    assert!(matches!(error, ArchiveError::EntryTooLarge { index: 0 }), "{error}");
    writer.push(&entry(0)).unwrap();
    assert_eq!(read(writer.finish(&note(1)).unwrap().as_slice()).unwrap().1, [entry(0)]);
}

#[test]
fn other_files_and_newer_formats_are_told_from_damage() {
    assert!(matches!(Reader::new([b'x'; 99].as_slice()), Err(ArchiveError::NotAnArchive)));
    let mut newer = archive(1);
    newer[16] = 2;
    assert!(matches!(Reader::new(newer.as_slice()), Err(ArchiveError::FormatUnknown { found: 2 })));
}

/// A disk that is full after some bytes.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_wherever_it_strikes() {
    let whole = archive(3);
    let write = |room: usize| {
        let mut writer = Writer::new(Full(room), ORIGIN)?;
        writer.frame_bytes = 2 * entry(0).encoded_length();
        (0..3).try_for_each(|index| writer.push(&entry(index)))?;
        writer.finish(&note(3)).map(|_| ())
    };
    for room in 0..whole.len() {
        assert!(matches!(write(room), Err(ArchiveError::Io { .. })), "{room}");
    }
    write(whole.len()).unwrap();
}

#[test]
fn the_example_of_the_documentation_has_these_bytes() {
    let page = include_str!("../../../docs/archive.md");
    let digits = page.split_once("```text example\n").unwrap().1.split_once("```").unwrap().0;
    let digits: String =
        digits.lines().map(|line| line.split('#').next().unwrap().split_whitespace().collect::<String>()).collect();
    assert_eq!(hex::encode(archive(1)), digits);
}
