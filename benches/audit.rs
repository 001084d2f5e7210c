//! How fast an archive is audited, beside what no audit can get past: the hashes and the signatures alone.
//!
//! `cargo bench --bench audit`, with `-- --quick` for a short look. The limit hashes the very same events, headers, leaves and
//! trees and verifies the very same signatures in full batches, both on all cores, out of memory, and does nothing else.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at the first surprise and prints a table")]

use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Write},
    path::Path,
    time::{Duration, Instant},
};

use rayon::prelude::*;
use timebank::{
    engine::{
        log,
        pipeline::{self, KnownKeys},
        replay::enrolled_keys,
    },
    folder::demo::DemoOptions,
    format::{
        archive::{ArchiveError, Reader, Writer},
        checkpoint,
        proto::{self, event::Kind},
        signature::{self, Claim, PrivateKey},
        wire::{self, StoredEntry},
    },
    ledger::{Millis, Policy, SheetId},
    merkle::{self, Hash},
    trust::audit::{Audit, AuditError, Scratch},
};

const ORIGIN: &str = "timebank.example/bench";
/// 2026-03-01T00:00:00Z, when everything is recorded.
const NOW: i64 = 1_772_323_200_000;
const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;
/// Stations, each with one member of staff who signs: a district.
const STATIONS: usize = 20;
/// People at each station.
const RESIDENTS: usize = 250;
/// Days that services go back.
const DAYS: i64 = 300;
/// Events of a big sheet.
const BIG_SHEET: usize = 200;
/// Signatures of a batch: more make one hardly cheaper.
const BATCH: usize = 256;
/// Times that limit and audit are taken, in turn: the best of each counts, as others may use the machine.
const ROUNDS: usize = 5;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let events = if quick { 200_000 } else { 1_000_000 };
    let single = if quick { 20_000 } else { 100_000 };
    let folder = tempfile::tempdir().unwrap();
    println!("audit of an archive, {} cores, best of {ROUNDS}", rayon::current_num_threads());
    let district = District::new();
    measure(folder.path(), "services, sheets of 200 events", &district.log(events, BIG_SHEET, District::service));
    measure(folder.path(), "transfers, sheets of 200 events", &district.log(events, BIG_SHEET, District::transfer));
    measure(folder.path(), "services, sheets of 1 event", &district.log(single, 1, District::service));
    measure(folder.path(), "a year of the demo, all kinds", &demo(&folder.path().join("demo")));
}

/// What `timebank demo` makes: many kinds of events, in sheets as small as stations hand them in.
fn demo(folder: &Path) -> Log {
    let options = DemoOptions { folder: folder.to_owned(), seed: 1, last_day: jiff::civil::date(2026, 10, 31) };
    let made = timebank::folder::demo::make(&options, &timebank::engine::progress::Unwatched).unwrap();
    let store = log::open(&folder.join("log")).unwrap();
    let mut entries = Vec::new();
    while (entries.len() as u64) < made.size {
        entries.extend(store.entries(entries.len() as u64, pipeline::CHUNK_BYTES).unwrap());
    }
    let decoded: Vec<wire::Decoded> = entries.iter().map(|entry| wire::decode_entry(entry).unwrap()).collect();
    let note = std::fs::read_to_string(folder.join("checkpoint")).unwrap();
    Log { origin: made.origin, entries, root: made.root, note, keys: enrolled_keys(&decoded) }
}

fn bytes(array: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(array)
}

/// People and places that everything happens between.
struct District {
    operator: PrivateKey,
    ledger: PrivateKey,
    service: PrivateKey,
    stations: Vec<([u8; 16], PrivateKey)>,
    residents: Vec<[u8; 16]>,
}

impl District {
    fn new() -> Self {
        Self {
            operator: PrivateKey::generate(),
            ledger: PrivateKey::generate(),
            service: PrivateKey::generate(),
            stations: (0..STATIONS).map(|_| (signature::random(), PrivateKey::generate())).collect(),
            residents: (0..STATIONS * RESIDENTS).map(|_| signature::random()).collect(),
        }
    }

    /// An hour of somebody at a station, paid by issuance: eight a day, day after day, so that nothing overlaps.
    fn service(&self, station: usize, number: usize) -> Kind {
        let (person, round) = (number % RESIDENTS, i64::try_from(number / RESIDENTS).unwrap());
        let (day, slot) = (round / 8, round % 8);
        let start_ms = NOW - DAYS * DAY + day * DAY + slot * 120 * MINUTE;
        let served = proto::service::Served::Interval(proto::Interval { start_ms, end_ms: start_ms + 60 * MINUTE });
        let service = proto::Service {
            volunteer: bytes(&self.residents[station * RESIDENTS + person]),
            station: bytes(&self.stations[station].0),
            payer: bytes::Bytes::new(),
            category: "companionship".to_owned(),
            activity: String::new(),
            served: Some(served),
            utc_offset_seconds: 0,
            credited_minutes: 60,
            rounding: 0,
            insured: true,
            imported: false,
        };
        Kind::ServiceRecorded(proto::ServiceRecorded { service: Some(service), hold: None })
    }

    /// A minute from a station to somebody.
    fn transfer(&self, station: usize, number: usize) -> Kind {
        Kind::MinutesTransferred(proto::MinutesTransferred {
            from: bytes(&self.stations[station].0),
            to: bytes(&self.residents[number % self.residents.len()]),
            minutes: 1,
        })
    }

    fn sheet(key: &PrivateKey, events: Vec<Kind>) -> proto::Sheet {
        let draft = wire::Draft {
            origin: ORIGIN,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: Millis(NOW),
            valid_until: Millis(NOW + DAY),
            events,
        };
        wire::sign(draft, &[key]).unwrap()
    }

    fn genesis(&self) -> Kind {
        Kind::LedgerCreated(Box::new(proto::LedgerCreated {
            origin: ORIGIN.to_owned(),
            ledger_key: bytes(&self.ledger.public_key()),
            operator_keys: vec![bytes(&self.operator.public_key())],
            service_key: bytes(&self.service.public_key()),
            service_possession: bytes(&self.service.prove_possession(ORIGIN)),
            issuance_account: bytes(&[0xff; 16]),
            policy: Some(wire::policy_message(&Policy::default())),
            nonce: bytes(&[8; 32]),
            predecessor: None,
        }))
    }

    /// The genesis, and sheets that open everything.
    fn beginning(&self) -> Vec<proto::Sheet> {
        let open = |account: &[u8; 16], kind: proto::AccountKind, region: &str, station: bytes::Bytes| {
            let (account, kind, region) = (bytes(account), i32::from(kind), region.to_owned());
            Kind::AccountOpened(proto::AccountOpened { account, kind, region, station })
        };
        let mut events =
            vec![Kind::RegionDefined(proto::RegionDefined { code: "bench".to_owned(), parent: String::new() })];
        for (station, key) in &self.stations {
            events.push(open(station, proto::AccountKind::Station, "bench", bytes::Bytes::new()));
            events.push(Kind::FloorSet(proto::FloorSet { account: bytes(station), floor_minutes: -1_000_000_000 }));
            events.push(Kind::KeyEnrolled(proto::KeyEnrolled {
                public_key: bytes(&key.public_key()),
                possession: bytes(&key.prove_possession(ORIGIN)),
                role: i32::from(proto::KeyRole::Staff),
                account: bytes(station),
                own_account: bytes::Bytes::new(),
            }));
        }
        let mut lists = vec![vec![self.genesis()], events];
        for ((station, _), people) in self.stations.iter().zip(self.residents.chunks(RESIDENTS)) {
            let resident = |id| open(id, proto::AccountKind::Resident, "", bytes(station));
            lists.push(people.iter().map(resident).collect());
        }
        lists.into_iter().map(|events| Self::sheet(&self.operator, events)).collect()
    }

    /// A log of so many events, with its checkpoint.
    fn log(&self, events: usize, per_sheet: usize, kind: fn(&Self, usize, usize) -> Kind) -> Log {
        let mut sheets = self.beginning();
        sheets.par_extend((0..events / per_sheet).into_par_iter().map(|sheet| {
            let (station, first) = (sheet % STATIONS, sheet / STATIONS * per_sheet);
            let kinds = (first..first + per_sheet).map(|number| kind(self, station, number)).collect();
            Self::sheet(&self.stations[station].1, kinds)
        }));
        let entries: Vec<StoredEntry> = (0..)
            .zip(sheets)
            .map(|(index, proto::Sheet { header, events, signatures })| StoredEntry {
                index,
                recorded_at_ms: NOW,
                header,
                signatures,
                events,
            })
            .collect();
        let root = merkle::root_of_leaves(entries.iter().map(|entry| merkle::leaf_hash(&entry.leaf())));
        let note = checkpoint::sign(ORIGIN, entries.len() as u64, &root, self.ledger.signing_key());
        let keys = self.stations.iter().map(|(_, key)| key).chain([&self.operator]);
        let keys = keys.map(|key| (key.key_id(), key.public_key())).collect();
        Log { origin: ORIGIN.to_owned(), entries, root, note, keys }
    }
}

struct Log {
    origin: String,
    entries: Vec<StoredEntry>,
    root: Hash,
    note: String,
    keys: HashMap<timebank::ledger::KeyId, [u8; 32]>,
}

impl Log {
    fn events(&self) -> usize {
        self.entries.iter().map(|entry| entry.events.len()).sum()
    }

    /// Every hash that an audit takes, and nothing else.
    fn hash(&self) -> Duration {
        let start = Instant::now();
        let leaf = |entry: &StoredEntry| {
            let events = merkle::root_of_leaves(entry.events.iter().map(|event| merkle::leaf_hash(event)));
            // The root stands at the end of the header, field 8.
            assert!(entry.header.ends_with(&events));
            merkle::leaf_hash(&entry.leaf())
        };
        let leaves: Vec<Hash> = self.entries.par_iter().map(leaf).collect();
        // The roots of complete subtrees, which together have the same root.
        let roots: Vec<Hash> = leaves.par_chunks(1_024).map(|leaves| merkle::root_of_leaves(leaves.to_vec())).collect();
        assert_eq!(merkle::root_of_leaves(roots), self.root);
        start.elapsed()
    }

    /// Every signature, in full batches.
    fn verify(&self) -> Duration {
        let header =
            |entry: &StoredEntry| <proto::SheetHeader as prost::Message>::decode(entry.header.clone()).unwrap();
        let message =
            |entry: &StoredEntry| signature::pre_authentication_encoding(signature::SHEET_HEADER_TYPE, &entry.header);
        let key = |entry: &StoredEntry| {
            let signer: [u8; 16] = header(entry).signers[0].as_ref().try_into().unwrap();
            self.keys[&timebank::ledger::KeyId(signer)]
        };
        let signed: Vec<([u8; 32], [u8; 64], Vec<u8>)> = self
            .entries
            .iter()
            .map(|entry| (key(entry), entry.signatures[0].as_ref().try_into().unwrap(), message(entry)))
            .collect();
        let start = Instant::now();
        let all = signed.par_chunks(BATCH).all(|batch| {
            let claims: Vec<Claim<'_>> = batch
                .iter()
                .map(|(public_key, signature, message)| Claim {
                    public_key: *public_key,
                    signature: *signature,
                    message,
                })
                .collect();
            signature::verdicts(&claims).into_iter().all(|valid| valid)
        });
        assert!(all);
        start.elapsed()
    }

    fn write(&self, path: &Path) -> u64 {
        let mut writer = Writer::new(File::create(path).unwrap(), &self.origin).unwrap();
        self.entries.iter().for_each(|entry| writer.push(entry).unwrap());
        writer.finish(&self.note).unwrap().metadata().unwrap().len()
    }
}

#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Archive(ArchiveError),
    #[error(transparent)]
    Audit(AuditError),
}

/// As `timebank audit --archive` does it.
fn audit(path: &Path) -> (u64, u64) {
    let mut audit = Audit::new(None, None, Scratch::new().unwrap());
    let mut reader = Reader::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let read = || reader.next_entries().map(Option::unwrap_or_default).map_err(Stop::Archive);
    pipeline::run(KnownKeys::default(), read, |chunk| {
        audit.take(chunk, |_| Ok(None)).map_err(Stop::Audit)?;
        Ok(())
    })
    .unwrap();
    audit.finish(reader.note().unwrap()).unwrap();
    (audit.size(), audit.events())
}

fn measure(folder: &Path, what: &str, log: &Log) {
    let path = folder.join("archive");
    let size = log.write(&path);
    let (entries, events) = (log.entries.len(), log.events());
    let mut best = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let (hashing, signatures) = (log.hash(), log.verify());
        let start = Instant::now();
        assert_eq!(audit(&path), (entries as u64, events as u64));
        best = (best.0.min(hashing), best.1.min(signatures), best.2.min(start.elapsed()));
    }
    let (hashing, signatures, took) = best;
    let limit = hashing + signatures;
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let rate = |count: usize, took: Duration| count as f64 / took.as_secs_f64();
    println!(
        "{what:<34} {:>9.0} entries/s {:>10.0} events/s  {:>3.0} % of the limit {:.0} events/s",
        rate(entries, took),
        rate(events, took),
        100.0 * limit.as_secs_f64() / took.as_secs_f64(),
        rate(events, limit),
    );
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let per_event = |took: Duration| took.as_secs_f64() * 1e9 / events as f64;
    println!(
        "  {entries} entries, {events} events, {} MiB; ns an event: hashing {:.0}, signatures {:.0}, the audit {:.0}",
        size >> 20,
        per_event(hashing),
        per_event(signatures),
        per_event(took)
    );
    std::io::stdout().flush().unwrap();
}
