//! What links the ledger to the world outside it, and doesn't belong into a log that can never forget: which account a
//! spreadsheet's person has, which record a row became. And the outbox: sheets that were signed and may or may not have
//! reached the ledger yet.
//!
//! **Invariant**: a sheet is in the outbox, synced, before it is sent; its links become final with its receipt. So after
//! a crash at any step the same bytes are sent again, and the ledger answers with the first receipt.

mod commits;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sled::Batch;

use crate::{
    engine::store::{StoreError, SyncedDb, VALUE_BYTES_MAX, backend, folder_of, private_folder, sync_folder},
    ledger::{AccountId, EventRef, LogIndex},
};

const ACCOUNT: u8 = b'a';
const RECORD: u8 = b'r';
const APPLIED: u8 = b'o';
const PENDING: u8 = b'p';
const ZONE: u8 = b'z';
const KEY: u8 = b'k';
const DAYS: u8 = b'd';

/// What an outside record has become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLink {
    /// The record's event; index 0 while the sheet that holds it has no receipt.
    pub record: EventRef,
    /// SHA-256 of what the ledger holds of it.
    pub digest: [u8; 32],
    /// It was taken back.
    pub reversed: bool,
    /// Minutes that the ledger credits, after price and rounding; `source_us` is what the source states.
    pub credited_minutes: i64,
    /// Time that the source states, in microseconds: whole for milliseconds and for millionths of an hour alike.
    pub source_us: i64,
}

/// A link that a sheet makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// An outside id has an account.
    Account {
        /// The outside id.
        outside: String,
        /// What it stands for in the ledger.
        account: AccountId,
    },
    /// An outside record is in the ledger.
    Record {
        /// The outside id.
        outside: String,
        /// What it has become.
        link: RecordLink,
    },
    /// A row of an operations file was carried out.
    Applied {
        /// SHA-256 of the row.
        row: [u8; 32],
    },
}

/// A signed sheet on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Number in the outbox.
    pub number: u64,
    /// The sheet's complete bytes.
    pub sheet: Vec<u8>,
    /// Links that become final with its receipt.
    pub links: Vec<Link>,
}

/// The directory of one source of one ledger.
#[derive(Debug)]
pub struct Directory {
    synced: SyncedDb,
    folder: PathBuf,
    source: String,
}

/// Where the directory of a ledger is. Ledgers don't share a store, so that none sees the links of another.
fn ledger_folder(folder: &Path, ledger: &[u8]) -> PathBuf {
    folder.join(hex::encode(&<sha2::Sha256 as sha2::Digest>::digest(ledger)[..8]))
}

/// The accounts of all sources of a ledger, to look up.
#[derive(Debug)]
pub struct Accounts {
    synced: SyncedDb,
}

/// An account as a source calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideAccount {
    /// Name of the source.
    pub source: String,
    /// What it calls the account: `volunteer/V001`.
    pub outside: String,
    /// Its id in the ledger.
    pub account: AccountId,
}

impl Accounts {
    /// Opens the directory of a ledger; none where no import has been.
    ///
    /// # Errors
    /// The store can't be opened, for example because an import is running; it lost commits.
    pub fn open(folder: &Path, ledger: &[u8]) -> Result<Option<Self>, StoreError> {
        let folder = ledger_folder(folder, ledger);
        if !folder.join("db").exists() {
            commits::check_none(&folder)?;
            return Ok(None);
        }
        let synced = SyncedDb::open(&folder)?;
        commits::check(&synced, &folder)?;
        Ok(Some(Self { synced }))
    }

    /// The accounts that any source calls so.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn find(&self, outsides: &[String]) -> Result<Vec<OutsideAccount>, StoreError> {
        find(&self.synced, outsides)
    }

    /// The first so many accounts of all sources.
    pub fn each(&self, max: usize) -> impl Iterator<Item = OutsideAccount> {
        let rows = self.synced.db.range([ACCOUNT].as_slice()..[ACCOUNT + 1].as_slice()).take(max);
        rows.filter_map(|row| {
            let (key, value) = row.ok()?;
            let (_, (source, outside)) = parts(&key)?;
            Some(OutsideAccount { source, outside, account: decode(&value, "an account").ok()? })
        })
    }
}

/// The accounts that any source calls so.
fn find(synced: &SyncedDb, outsides: &[String]) -> Result<Vec<OutsideAccount>, StoreError> {
    let mut found = Vec::new();
    let mut next = vec![ACCOUNT];
    // From source to source, without going through the links of any.
    while let Some(first) = synced.db.range(next.as_slice()..[ACCOUNT + 1].as_slice()).keys().next() {
        let first = first.map_err(backend)?;
        let (_, (source, _)) = parts(&first).ok_or_else(|| damaged("a key"))?;
        for outside in outsides {
            let key = [&[ACCOUNT], source.as_bytes(), &[0], outside.as_bytes()].concat();
            if let Some(value) = synced.db.get(key).map_err(backend)? {
                let account = decode(&value, "an account")?;
                found.push(OutsideAccount { source: source.clone(), outside: outside.clone(), account });
            }
        }
        next = [&[ACCOUNT], source.as_bytes(), &[1]].concat();
    }
    Ok(found)
}

/// What a directory holds.
#[derive(Debug)]
pub enum DirectoryRow {
    /// A link that is final.
    Link(Link),
    /// A sheet is on its way.
    Pending(Box<Pending>),
}

/// A row, or where one is that can't be decoded.
pub type DirectoryRowResult = Result<DirectoryRow, (String, StoreError)>;

fn damaged(at: &str) -> StoreError {
    StoreError::Corrupt { at: format!("directory, {at}"), problem: "it can't be decoded" }
}

fn decode<T: DeserializeOwned>(bytes: &[u8], at: &str) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|_garbled| damaged(at))
}

fn encode<T: Serialize>(value: &T, at: &str) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(value).map_err(|_unfit| damaged(at))
}

impl Directory {
    /// Opens or creates the directory of a ledger in a folder, for one source. `ledger`: its genesis leaf hash, as two
    /// ledgers may have the same origin.
    ///
    /// # Errors
    /// The store can't be opened, or lost commits.
    pub fn open(folder: &Path, ledger: &[u8], source: &str) -> Result<Self, StoreError> {
        let own = ledger_folder(folder, ledger);
        private_folder(&own).map_err(|source| StoreError::Io { path: own.clone(), source })?;
        // Who made the folder may have been killed before its name was on the disk.
        sync_folder(folder_of(folder)).map_err(StoreError::SyncFailed)?;
        Self::of(&own, source.to_owned())
    }

    fn of(folder: &Path, source: String) -> Result<Self, StoreError> {
        let synced = SyncedDb::open(folder)?;
        commits::check(&synced, folder)?;
        Ok(Self { synced, folder: folder.to_owned(), source })
    }

    /// Changes the store, so that it is known to have had this.
    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        commits::commit(&self.synced, &self.folder, batch)
    }

    /// Prefix, source, zero byte, outside id. A source's name holds no zero byte.
    fn key(&self, prefix: u8, outside: &[u8]) -> Vec<u8> {
        [&[prefix], self.source.as_bytes(), &[0], outside].concat()
    }

    fn get<T: DeserializeOwned>(&self, prefix: u8, outside: &[u8], at: &str) -> Result<Option<T>, StoreError> {
        let value = self.synced.db.get(self.key(prefix, outside)).map_err(backend)?;
        value.map(|value| decode(&value, at)).transpose()
    }

    /// The account of an outside id.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn account(&self, outside: &str) -> Result<Option<AccountId>, StoreError> {
        self.get(ACCOUNT, outside.as_bytes(), "an account")
    }

    /// What an outside record has become.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn record(&self, outside: &str) -> Result<Option<RecordLink>, StoreError> {
        self.get(RECORD, outside.as_bytes(), "a record")
    }

    /// Whether a row of an operations file was carried out before.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn applied(&self, row: &[u8; 32]) -> Result<bool, StoreError> {
        self.synced.db.contains_key(self.key(APPLIED, row)).map_err(backend)
    }

    /// The time zone that the source's times without an offset were read in.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn zone(&self) -> Result<Option<String>, StoreError> {
        self.get(ZONE, &[], "a zone")
    }

    /// Remembers that zone; on the disk when this returns.
    ///
    /// # Errors
    /// The store can't be written.
    pub fn set_zone(&self, zone: &str) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.insert(self.key(ZONE, &[]), encode(&zone, "a zone")?);
        self.commit(batch)
    }

    /// The time zone that the source's dates were read in, where nobody named one: a date is the same day on any machine near.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn zone_of_days(&self) -> Result<Option<String>, StoreError> {
        self.get(DAYS, &[], "a zone")
    }

    /// Remembers that zone; on the disk when this returns.
    ///
    /// # Errors
    /// The store can't be written.
    pub fn set_zone_of_days(&self, zone: &str) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.insert(self.key(DAYS, &[]), encode(&zone, "a zone")?);
        self.commit(batch)
    }

    /// The columns whose cells together name the source's records.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn key_columns(&self) -> Result<Option<Vec<String>>, StoreError> {
        self.get(KEY, &[], "the columns of a key")
    }

    /// Remembers these columns; on the disk when this returns.
    ///
    /// # Errors
    /// The store can't be written.
    pub fn set_key_columns(&self, columns: &[String]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.insert(self.key(KEY, &[]), encode(&columns, "the columns of a key")?);
        self.commit(batch)
    }

    /// The account that another source of the same ledger links with an outside id.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn account_of(&self, source: &str, outside: &str) -> Result<Option<AccountId>, StoreError> {
        let key = [&[ACCOUNT], source.as_bytes(), &[0], outside.as_bytes()].concat();
        let value = self.synced.db.get(key).map_err(backend)?;
        value.map(|value| decode(&value, "an account")).transpose()
    }

    /// The accounts that any source calls so.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn accounts_named(&self, outside: &str) -> Result<Vec<OutsideAccount>, StoreError> {
        find(&self.synced, &[outside.to_owned()])
    }

    /// Whether any source of this ledger has brought a record.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn has_records(&self) -> Result<bool, StoreError> {
        let first = self.synced.db.range([RECORD].as_slice()..[RECORD + 1].as_slice()).next();
        Ok(first.transpose().map_err(backend)?.is_some())
    }

    /// Whether this source has brought a record.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn has_records_of_source(&self) -> Result<bool, StoreError> {
        let first = self.synced.db.scan_prefix(self.key(RECORD, &[])).next();
        Ok(first.transpose().map_err(backend)?.is_some())
    }

    /// The records that sources of this ledger have brought, each with the source's name.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn records_of_all(&self) -> Result<Vec<(String, EventRef)>, StoreError> {
        let rows = self.synced.db.range([RECORD].as_slice()..[RECORD + 1].as_slice());
        rows.map(|row| {
            let (key, value) = row.map_err(backend)?;
            let (_, (source, _)) = parts(&key).ok_or_else(|| damaged("a key"))?;
            let link: RecordLink = decode(&value, "a record")?;
            Ok((source, link.record))
        })
        .collect()
    }

    /// Makes links that no sheet goes with, and takes records' links away, at once; on the disk when this returns.
    ///
    /// # Errors
    /// The store can't be written.
    pub fn relink(&self, links: &[Link], unlinked: &[String]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for record in unlinked {
            batch.remove(self.key(RECORD, record.as_bytes()));
        }
        self.insert(&mut batch, links, 0)?;
        self.commit(batch)
    }

    /// All records of the source, in the order of their outside ids.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn records(&self) -> Result<Vec<(String, RecordLink)>, StoreError> {
        let prefix = self.key(RECORD, &[]);
        self.synced
            .db
            .scan_prefix(&prefix)
            .map(|row| {
                let (key, value) = row.map_err(backend)?;
                let outside = String::from_utf8_lossy(key.get(prefix.len()..).unwrap_or_default()).into_owned();
                Ok((outside, decode(&value, "a record")?))
            })
            .collect()
    }

    /// Puts a signed sheet into the outbox; on the disk when this returns.
    ///
    /// # Errors
    /// The store can't be written.
    pub fn put_pending(&self, sheet: Vec<u8>, links: Vec<Link>) -> Result<Pending, StoreError> {
        let last = self.pending_keys()?.last().map_or(0, |(number, _)| number + 1);
        let pending = Pending { number: last, sheet, links };
        let bytes = encode(&pending, "the outbox")?;
        let mut batch = Batch::default();
        // In parts: sled would put a large value into a file that it never syncs.
        for (part, chunk) in (0_u32..).zip(bytes.chunks(VALUE_BYTES_MAX)) {
            batch.insert(self.pending_key(pending.number, part), chunk);
        }
        self.commit(batch)?;
        Ok(pending)
    }

    fn pending_key(&self, number: u64, part: u32) -> Vec<u8> {
        self.key(PENDING, &[number.to_be_bytes().as_slice(), part.to_be_bytes().as_slice()].concat())
    }

    /// Number and key of every part in the outbox, in order.
    fn pending_keys(&self) -> Result<Vec<(u64, sled::IVec)>, StoreError> {
        let prefix = self.key(PENDING, &[]);
        self.synced
            .db
            .scan_prefix(&prefix)
            .keys()
            .map(|key| {
                let key = key.map_err(backend)?;
                let number = key.get(prefix.len()..prefix.len() + 8).and_then(|number| number.try_into().ok());
                Ok((u64::from_be_bytes(number.ok_or_else(|| damaged("the outbox"))?), key))
            })
            .collect()
    }

    /// Goes through all rows of the directory in a folder, whatever their source.
    ///
    /// # Errors
    /// The store can't be opened or read, or lost commits.
    pub fn each(folder: &Path, row: &mut dyn FnMut(DirectoryRowResult)) -> Result<(), StoreError> {
        let mut directory = Self::of(folder, String::new())?;
        let mut sources: Vec<String> = Vec::new();
        for pair in directory.synced.db.iter() {
            let (key, value) = pair.map_err(backend)?;
            let Some((prefix, (source, outside))) = parts(&key) else {
                row(Err((format!("key {}", hex::encode(&key)), damaged("a key"))));
                continue;
            };
            if sources.last() != Some(&source) && !sources.contains(&source) {
                sources.push(source);
            }
            let at = |what: &str| format!("{what} of {outside:?}");
            match prefix {
                ACCOUNT => row(decode(&value, "an account")
                    .map(|account| DirectoryRow::Link(Link::Account { outside: outside.clone(), account }))
                    .map_err(|error| (at("account"), error))),
                RECORD => row(decode(&value, "a record")
                    .map(|link| DirectoryRow::Link(Link::Record { outside: outside.clone(), link }))
                    .map_err(|error| (at("record"), error))),
                _ => {}
            }
        }
        for source in sources {
            directory.source = source;
            match directory.pending() {
                Ok(pending) => {
                    for pending in pending {
                        row(Ok(DirectoryRow::Pending(Box::new(pending))));
                    }
                }
                Err(error) => row(Err((format!("outbox of {}", directory.source), error))),
            }
        }
        Ok(())
    }

    /// Everything in the outbox, in the order it was put there.
    ///
    /// # Errors
    /// The store can't be read, or is damaged.
    pub fn pending(&self) -> Result<Vec<Pending>, StoreError> {
        let mut sheets: Vec<(u64, Vec<u8>)> = Vec::new();
        for (number, key) in self.pending_keys()? {
            let part = self.synced.db.get(&key).map_err(backend)?.unwrap_or_default();
            match sheets.last_mut() {
                Some((last, bytes)) if *last == number => bytes.extend_from_slice(&part),
                Some(_) | None => sheets.push((number, part.to_vec())),
            }
        }
        sheets.iter().map(|(_, bytes)| decode(bytes, "the outbox")).collect()
    }

    /// The ledger recorded a sheet as this entry: its links are final.
    ///
    /// # Errors
    /// The store can't be written.
    pub fn finish(&self, pending: &Pending, index: u64) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        self.insert(&mut batch, &pending.links, index)?;
        self.remove(pending, batch)
    }

    fn insert(&self, batch: &mut Batch, links: &[Link], index: u64) -> Result<(), StoreError> {
        for link in links {
            match link {
                Link::Account { outside, account } => {
                    batch.insert(self.key(ACCOUNT, outside.as_bytes()), encode(account, "an account")?);
                }
                Link::Record { outside, link } => {
                    let link = settled(link, index);
                    batch.insert(self.key(RECORD, outside.as_bytes()), encode(&link, "a record")?);
                }
                Link::Applied { row } => batch.insert(self.key(APPLIED, row), &[]),
            }
        }
        Ok(())
    }

    /// The ledger refused a sheet: it is forgotten with its links.
    ///
    /// # Errors
    /// The store can't be written.
    pub fn drop_pending(&self, pending: &Pending) -> Result<(), StoreError> {
        self.remove(pending, Batch::default())
    }

    /// Takes a sheet out of the outbox, and makes its links final where it was recorded. Not counted: where it is lost, the sheet is
    /// sent again, and answered with its receipt, or refused or recorded for the first time.
    fn remove(&self, pending: &Pending, mut batch: Batch) -> Result<(), StoreError> {
        for (_, key) in self.pending_keys()?.into_iter().filter(|(number, _)| *number == pending.number) {
            batch.remove(key);
        }
        self.synced.commit(batch)
    }
}

/// Prefix, source, and what follows of a key.
fn parts(key: &[u8]) -> Option<(u8, (String, String))> {
    let (prefix, rest) = key.split_first()?;
    let zero = rest.iter().position(|byte| *byte == 0)?;
    let (source, outside) = (rest.get(..zero)?, rest.get(zero + 1..)?);
    let source = std::str::from_utf8(source).ok()?.to_owned();
    let known = matches!(*prefix, ACCOUNT | RECORD | APPLIED | PENDING | ZONE | KEY | DAYS | commits::KEY);
    known.then(|| (*prefix, (source, String::from_utf8_lossy(outside).into_owned())))
}

/// A link whose record stands in the sheet that was recorded as this entry.
fn settled(link: &RecordLink, index: u64) -> RecordLink {
    let mut link = link.clone();
    if link.record.index == LogIndex(0) {
        link.record.index = LogIndex(index);
    }
    link
}
