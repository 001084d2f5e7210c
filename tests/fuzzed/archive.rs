//! Archives: as they are, and with their checks made anew, so that what is behind them is reached.
//!
//! An input that begins as an archive does is one. Any other is the contents of a frame, before compression.

use lz4_flex::block;
use sha2::{Digest, Sha256};
use timebank::{
    engine::pipeline::{self, KnownKeys},
    format::{
        archive::{ArchiveError, FRAME_BYTES_MAX, Reader, Writer},
        checkpoint,
        wire::StoredEntry,
    },
    merkle::{leaf_hash, root_of_leaves},
    trust::audit::{Audit, Scratch},
};

use crate::support::{ORIGIN, key};

const MAGIC: &[u8] = b"timebank archive";
const FRAME: u8 = 1;
const TRAILER: u8 = 2;

/// Whether an archive came of it.
pub(crate) fn run(data: &[u8]) -> bool {
    if !data.starts_with(MAGIC) {
        return contents_alone(data);
    }
    let as_sent = read(data);
    let Some(sealed) = Parts::of(data).map(|parts| parts.sealed()) else {
        assert!(as_sent.is_err(), "what is cut off is no archive");
        return false;
    };
    if let Ok(archive) = &as_sent {
        assert!(sealed == data, "every check was right");
        written_again(data, archive);
    }
    let as_sealed = read(&sealed);
    if let Ok(archive) = &as_sealed {
        written_again(&sealed, archive);
        audited(&archive.entries);
    }
    as_sent.is_ok() || as_sealed.is_ok()
}

/// What a reader got out of an archive.
#[derive(Debug, PartialEq)]
struct Archive {
    origin: String,
    entries: Vec<StoredEntry>,
    note: String,
}

fn read(bytes: &[u8]) -> Result<Archive, ArchiveError> {
    let mut reader = Reader::new(bytes)?;
    let mut entries = Vec::new();
    loop {
        match reader.next_entries() {
            Ok(Some(more)) => {
                assert!(more.iter().all(StoredEntry::is_within_limits));
                assert!(held(&more) <= FRAME_BYTES_MAX, "a frame holds no more than it may");
                entries.extend(more);
                assert_eq!(reader.count(), entries.len() as u64);
            }
            Ok(None) => break,
            Err(error) => {
                assert!(reader.note().is_none() && !error.to_string().is_empty());
                assert!(held(reader.suspect()) <= FRAME_BYTES_MAX);
                return Err(error);
            }
        }
    }
    assert!((0..).zip(&entries).all(|(index, entry)| entry.index == index), "entries are in their places");
    let note = reader.note().expect("an archive that was read has a checkpoint").to_owned();
    Ok(Archive { origin: reader.origin().to_owned(), entries, note })
}

/// Bytes of headers, signatures and events.
fn held(entries: &[StoredEntry]) -> usize {
    let parts = entries.iter().flat_map(|entry| entry.signatures.iter().chain(&entry.events).chain([&entry.header]));
    parts.map(bytes::Bytes::len).sum()
}

fn write(archive: &Archive) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &archive.origin).expect("an origin that was read");
    archive.entries.iter().for_each(|entry| writer.push(entry).expect("an entry that was read"));
    writer.finish(&archive.note).expect("a checkpoint that was read")
}

/// What the frames of an archive hold, one after another; none where it isn't whole.
pub(crate) fn contents(archive: &[u8]) -> Option<Vec<u8>> {
    Parts::of(archive).map(|parts| parts.contents())
}

/// Other frames may hold the same entries. What they hold has one form, to the byte.
fn written_again(bytes: &[u8], archive: &Archive) {
    let again = write(archive);
    assert_eq!(read(&again).expect("what was written is read"), *archive);
    assert!(contents(bytes) == contents(&again), "entries have one form");
    assert!(read(&bytes[..bytes.len() - 1]).is_err(), "an archive that is cut off is none");
    assert!(matches!(read(&[bytes, &[0]].concat()), Err(ArchiveError::TrailingBytes)));
}

/// The bytes as what a frame holds. What is read of them is what was put in.
fn contents_alone(contents: &[u8]) -> bool {
    let compressed = block::compress(contents);
    let parts = Parts {
        header: [MAGIC, &[1, u8::try_from(ORIGIN.len()).expect("short")], ORIGIN.as_bytes()].concat(),
        frames: vec![Frame { first_index: 0, entries: None, length: None, compressed }],
        note: None,
    };
    let sealed = parts.sealed();
    let Ok(archive) = read(&sealed) else { return false };
    written_again(&sealed, &archive);
    audited(&archive.entries);
    true
}

/// An audit replays whatever an archive holds, or says what is wrong with it. The ledger's key signs all of it here.
fn audited(entries: &[StoredEntry]) {
    let mut audit = Audit::new(None, None, Scratch::new().expect("a temporary folder"));
    let taken = audit.take(pipeline::prepare(entries.to_vec(), &mut KnownKeys::default()), |_| Ok(None));
    let Ok(replayed) = taken else { return };
    assert_eq!((replayed.len(), audit.size()), (entries.len(), entries.len() as u64));
    let Some(replay) = audit.replay() else { return };
    assert_eq!(replay.state.all_accounts().map(|account| i128::from(account.balance.get())).sum::<i128>(), 0);
    let (size, root) = (audit.size(), root_of_leaves(entries.iter().map(|entry| leaf_hash(&entry.leaf()))));
    let Some(pin) = audit.genesis().filter(|pin| *pin.ledger_key.public_key() == key(99).public_key()) else { return };
    let signed = |root| checkpoint::sign(pin.ledger_key.name(), size, root, key(99).signing_key());
    assert_eq!(audit.finish(&signed(&root)).expect("the root that was signed"), (size, root));
    assert!(audit.finish(&signed(&[7; 32])).is_err());
    assert_eq!(replay.frontier.root(), root);
}

/// An archive taken apart without looking at any check.
struct Parts {
    header: Vec<u8>,
    frames: Vec<Frame>,
    /// None: one that fits.
    note: Option<Vec<u8>>,
}

struct Frame {
    first_index: u64,
    /// None: as many as there are.
    entries: Option<u32>,
    /// None: as long as they are.
    length: Option<u32>,
    compressed: Vec<u8>,
}

impl Parts {
    /// By `docs/archive.md`; none where a part is cut off.
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut take = |length: usize| {
            let (part, behind) = rest.split_at_checked(length)?;
            rest = behind;
            Some(part)
        };
        let start = take(MAGIC.len() + 2)?;
        let header = [start, take(usize::from(*start.last()?))?].concat();
        let mut frames = Vec::new();
        loop {
            let number = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?));
            match *take(1)? {
                [FRAME] => {
                    let first_index = u64::from_le_bytes(take(8)?.try_into().ok()?);
                    let (entries, length) = (number(take(4)?)?, number(take(4)?)?);
                    let compressed = number(take(4)?)?;
                    take(64)?;
                    let compressed = take(usize::try_from(compressed).ok()?)?.to_vec();
                    frames.push(Frame { first_index, entries: Some(entries), length: Some(length), compressed });
                }
                [TRAILER] => {
                    take(8)?;
                    let length = number(take(4)?)?;
                    return Some(Self { header, frames, note: Some(take(usize::try_from(length).ok()?)?.to_vec()) });
                }
                _ => return None,
            }
        }
    }

    /// What the frames hold, as far as they unpack.
    fn contents(&self) -> Vec<u8> {
        let unpacked = |frame: &Frame| {
            let length = frame.length.and_then(|length| usize::try_from(length).ok()).unwrap_or(FRAME_BYTES_MAX);
            block::decompress(&frame.compressed, length.min(FRAME_BYTES_MAX)).unwrap_or_default()
        };
        self.frames.iter().flat_map(unpacked).collect()
    }

    /// Put together with digests, and a number of entries in the trailer, that fit.
    fn sealed(&self) -> Vec<u8> {
        let (mut bytes, mut part, mut count) = (self.header.clone(), 0, 0);
        for frame in &self.frames {
            let previous = sha256(&[&bytes[part..]]);
            part = bytes.len();
            let unpacked = || block::decompress(&frame.compressed, FRAME_BYTES_MAX).unwrap_or_default();
            let entries = frame.entries.unwrap_or_else(|| entries(&unpacked()));
            let length = frame.length.unwrap_or_else(|| u32::try_from(unpacked().len()).unwrap_or(u32::MAX));
            let compressed = u32::try_from(frame.compressed.len()).unwrap_or(u32::MAX);
            bytes.push(FRAME);
            bytes.extend(frame.first_index.to_le_bytes());
            bytes.extend([entries, length, compressed].iter().flat_map(|number| number.to_le_bytes()));
            bytes.extend(sha256(&[&frame.compressed]));
            bytes.extend(previous);
            bytes.extend(&frame.compressed);
            count += u64::from(entries);
        }
        let previous = sha256(&[&bytes[part..]]);
        let note = self.note.clone().unwrap_or_else(|| note(count));
        let mut trailer = vec![TRAILER];
        trailer.extend(count.to_le_bytes());
        trailer.extend(u32::try_from(note.len()).unwrap_or(u32::MAX).to_le_bytes());
        trailer.extend(note);
        let digest = sha256(&[&previous, &trailer]);
        [bytes, trailer, digest.to_vec()].concat()
    }
}

/// How many entries there are, by their lengths alone.
fn entries(mut contents: &[u8]) -> u32 {
    let mut count = 0;
    while let Some((length, rest)) = contents.split_first_chunk::<4>() {
        count += 1;
        contents = usize::try_from(u32::from_le_bytes(*length)).ok().and_then(|at| rest.get(at..)).unwrap_or_default();
    }
    count
}

fn note(count: u64) -> Vec<u8> {
    checkpoint::sign(ORIGIN, count, &[7; 32], key(99).signing_key()).into_bytes()
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), Digest::chain_update).finalize().into()
}
