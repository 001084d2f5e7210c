//! What an import has to do: the rows in the order of their file, and the records that a full file no longer has.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use sha2::{Digest, Sha256};

use super::{
    grid::Cells,
    mapping::{Field, Mapping},
    row::{Reader, Row, Wanted, Wish},
    table::Table,
};
use crate::{
    engine::store::StoreError,
    format::proto::service::Served,
    people::{calendar::DAY_MS, directory::Directory},
};

/// What a file has for the same record after a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Later {
    None,
    /// Only rows that were not carried out yet.
    ToDo,
    /// A row that was carried out in an earlier import.
    CarriedOut,
}

/// A row to carry out, or a record that a full file no longer has.
#[derive(Debug)]
pub(crate) enum Item {
    Row {
        row: Row,
        digest: [u8; 32],
        /// Its place among the file's rows.
        position: usize,
        /// Where it stands: a line of the file, or a row of the sheet.
        number: u64,
        /// Which one it is of the rows that have its key.
        time: u32,
        /// An operation that was carried out in an earlier import.
        applied: bool,
        later: Later,
    },
    Gone {
        record: String,
    },
}

impl Item {
    pub(crate) fn record(&self) -> &str {
        match self {
            Self::Row { row, .. } => &row.record,
            Self::Gone { record } => record,
        }
    }

    /// The service that it wants, if it wants one.
    pub(crate) fn wanted(&self) -> Option<&Wanted> {
        match self {
            Self::Row { row: Row { wish: Ok(Wish::Present(wanted)), .. }, .. } => Some(wanted),
            Self::Row { .. } | Self::Gone { .. } => None,
        }
    }

    /// Where it stands in the source, in words.
    pub(crate) fn place(&self, table: &Table) -> String {
        match self {
            Self::Row { row, number, .. } => {
                format!("{} ({})", table.place(*number), row.record.trim_end_matches([' ', '|']))
            }
            Self::Gone { record } => format!("record {record}, which is no longer in the file"),
        }
    }
}

/// All that an import has to do.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) all: Vec<Item>,
    /// Services that stood in several rows, split at midnight: of the first row's place among the file's those of the others.
    pub(crate) joined: BTreeMap<usize, Vec<usize>>,
}

impl Items {
    /// Reads the rows of a table.
    ///
    /// # Errors
    /// The directory can't be read.
    pub(crate) fn read(
        reader: &Reader<'_>,
        mapping: &Mapping,
        table: &Table,
        directory: &Directory,
        is_full: bool,
    ) -> Result<Self, StoreError> {
        let operations = mapping.is_of_operations();
        let mut seen = Seen::default();
        let mut all: Vec<Item> = Vec::with_capacity(table.rows.len());
        for (position, line) in table.rows.iter().enumerate() {
            let (digest, as_before) =
                if operations { seen.digests(&reader.said(line), &line.cells) } else { ([0; 32], [0; 32]) };
            let mut row = reader.row(line);
            row.record = as_linked(row.record, directory)?;
            let applied = operations && (directory.applied(&digest)? || directory.applied(&as_before)?);
            all.push(Item::Row { row, digest, position, number: line.number, time: 1, applied, later: Later::None });
        }
        let mut joined = BTreeMap::new();
        let mut gone = Vec::new();
        if mapping.join_midnight && !operations {
            let others;
            (joined, others) = join_at_midnight(&mut all);
            for record in others {
                // It was a record of its own before.
                if directory.record(&record)?.is_some_and(|link| !link.reversed) {
                    gone.push(Item::Gone { record });
                }
            }
        }
        if operations {
            mark_later(&mut all);
        } else {
            refuse_repeats(&mut all, mapping, table, directory, is_full)?;
        }
        gone.append(&mut all);
        Ok(Self { all: gone, joined })
    }

    /// Whether every row says whose it is: the record of one that doesn't would be taken back.
    pub(crate) fn check_full(&self, table: &Table) -> Result<(), String> {
        let unnamed = self.all.iter().find_map(|item| match item {
            Item::Row { row: Row { record, wish: Err(fault) }, number, .. } if record.is_empty() => {
                Some((*number, fault))
            }
            Item::Row { .. } | Item::Gone { .. } => None,
        });
        unnamed.map_or(Ok(()), |(number, fault)| {
            Err(format!("{}: {fault}. Its record would be taken back, so mend it first", table.place(number)))
        })
    }

    /// Puts before the rows the records that the file no longer has, so that what they free can be taken by others.
    /// Gives their number, and that of all the source's records that stand.
    ///
    /// # Errors
    /// The directory can't be read.
    pub(crate) fn add_gone(&mut self, directory: &Directory) -> Result<(u64, u64), StoreError> {
        let live: Vec<String> =
            directory.records()?.into_iter().filter(|(_, link)| !link.reversed).map(|(record, _)| record).collect();
        let present: HashSet<&str> = self.all.iter().map(Item::record).collect();
        let count = live.len() as u64;
        let mut all: Vec<Item> = live
            .into_iter()
            .filter(|record| !present.contains(record.as_str()))
            .map(|record| Item::Gone { record })
            .collect();
        let gone = all.len() as u64;
        all.append(&mut self.all);
        self.all = all;
        Ok((gone, count))
    }
}

/// An id as the directory has it: links of earlier versions were not in one normal form.
fn as_linked(record: String, directory: &Directory) -> Result<String, StoreError> {
    use unicode_normalization::UnicodeNormalization;
    if record.is_ascii() || directory.record(&record)?.is_some() {
        return Ok(record);
    }
    let apart: String = record.nfd().collect();
    Ok(if apart != record && directory.record(&apart)?.is_some() { apart } else { record })
}

/// How often each digest of an operation was seen in a file, by what was hashed: what a row says, or the row as it stands.
#[derive(Default)]
struct Seen {
    said: HashMap<[u8; 32], u32>,
    as_it_stands: HashMap<[u8; 32], u32>,
}

impl Seen {
    /// Digests of an operation's row: of what it says, and, as versions before 0.2 had it, of all of its cells. The same
    /// operation twice in one file is two operations: a digest counts which one this is.
    fn digests(&mut self, said: &str, cells: &Cells) -> ([u8; 32], [u8; 32]) {
        let trimmed: Vec<&str> = cells.iter().map(str::trim).collect();
        (counted(&mut self.said, said), counted(&mut self.as_it_stands, &trimmed.join("\u{1f}")))
    }
}

fn counted(seen: &mut HashMap<[u8; 32], u32>, text: &str) -> [u8; 32] {
    let digest = Sha256::digest(text);
    let count = seen.entry(digest.into()).or_insert(0);
    let counted = Sha256::new().chain_update(digest).chain_update(count.to_be_bytes()).finalize().into();
    *count += 1;
    counted
}

/// A record has one row; where the mapping says so, rows that are alike are told apart by their order.
fn refuse_repeats(
    all: &mut [Item],
    mapping: &Mapping,
    table: &Table,
    directory: &Directory,
    is_full: bool,
) -> Result<(), StoreError> {
    let mut first: HashMap<String, u64> = HashMap::new();
    let mut times: HashMap<String, u32> = HashMap::new();
    for item in all.iter_mut() {
        let Item::Row { row, number, position, time, .. } = item else { continue };
        if row.record.is_empty() {
            continue;
        }
        let times = times.entry(row.record.clone()).or_insert(0);
        *times += 1;
        // A row that was rejected before says which of the rows that are alike it was.
        *time = table.rows.get(*position).and_then(|line| table.repeat(line)).unwrap_or(*times);
        if mapping.number_repeats && *time > 1 {
            row.record = repeated(&row.record, *time);
        } else if *time > 1 && row.wish.is_ok() && directory.record(&row.record)?.is_some() {
            let column = table.name(Field::Record);
            row.wish = Err(format!(
                "{column}: {:?} is another row's: a record has one row, so give this one an id of its own",
                row.record
            ));
        }
        let stands = *first.entry(row.record.clone()).or_insert(*number);
        if stands != *number && row.wish.is_ok() {
            let column = table.name(Field::Record);
            let place = table.place(stands);
            row.wish = Err(format!("{column}: {:?} stands on {place} already; a record has one row", row.record));
        }
    }
    if !mapping.number_repeats || is_full || table.is_of_rejects() {
        return Ok(());
    }
    // With one of them gone, the others would take its name, and the last one's record stay.
    for item in all.iter_mut() {
        let Item::Row { row, .. } = item else { continue };
        let name = row.record.split(REPEAT).next().unwrap_or_default();
        let Some(times) = times.get(name) else { continue };
        let further = repeated(name, times + 1);
        if directory.record(&further)?.is_some_and(|link| !link.reversed) {
            row.wish = Err(format!(
                "earlier imports brought more rows that are alike in {} than this file has, and which of them is gone can't be told: \
                 import the whole file with --full",
                table.name(Field::Record)
            ));
        }
    }
    Ok(())
}

/// What stands before the number of a row that is like another.
pub(super) const REPEAT: &str = " #";

/// The name of a row that is like others, by its number among them.
fn repeated(name: &str, time: u32) -> String {
    format!("{name}{REPEAT}{time}")
}

/// What comes later in the file for the same record, from the end.
fn mark_later(all: &mut [Item]) {
    let mut later: HashMap<String, Later> = HashMap::new();
    for item in all.iter_mut().rev() {
        if let Item::Row { row, applied, later: mine, .. } = item {
            let known = later.entry(row.record.clone()).or_insert(Later::None);
            *mine = *known;
            *known = if *applied || *known == Later::CarriedOut { Later::CarriedOut } else { Later::ToDo };
        }
    }
}

/// What two rows have in common that are parts of one service.
type Same = (String, String, String, String, i32);

fn parts(item: &Item) -> Option<(Same, i64, i64)> {
    let wanted = item.wanted()?;
    let Served::Interval(interval) = wanted.served else { return None };
    let same = (
        wanted.volunteer.clone(),
        wanted.station.clone(),
        wanted.category.clone(),
        wanted.activity.clone(),
        wanted.utc_offset_seconds,
    );
    Some((same, interval.start_ms, interval.end_ms))
}

fn is_midnight(ms: i64, offset_seconds: i32) -> bool {
    (ms + i64::from(offset_seconds) * 1_000).rem_euclid(DAY_MS) == 0
}

/// Makes one of the rows that end at midnight and go on at the same moment. The first one's id stands for all; gives the
/// others' ids, too.
fn join_at_midnight(all: &mut Vec<Item>) -> (BTreeMap<usize, Vec<usize>>, Vec<String>) {
    let mut begins: HashMap<(Same, i64), VecDeque<usize>> = HashMap::new();
    let mut ends: HashSet<(Same, i64)> = HashSet::new();
    for (number, item) in all.iter().enumerate() {
        let Some((same, start, end)) = parts(item) else { continue };
        if is_midnight(start, same.4) {
            begins.entry((same.clone(), start)).or_default().push_back(number);
        }
        ends.insert((same, end));
    }
    let mut taken: HashSet<usize> = HashSet::new();
    let mut joined = BTreeMap::new();
    let position = |item: Option<&Item>| match item {
        Some(Item::Row { position, .. }) => *position,
        Some(Item::Gone { .. }) | None => usize::MAX,
    };
    for number in 0..all.len() {
        let Some((same, start, mut end)) = all.get(number).and_then(parts) else { continue };
        // A part is reached from its first row, which doesn't begin where another ends.
        let goes_on = is_midnight(start, same.4) && ends.contains(&(same.clone(), start));
        if goes_on || taken.contains(&number) {
            continue;
        }
        let mut others = Vec::new();
        while is_midnight(end, same.4)
            // Of several that begin then, each goes on from one: people of a group may serve side by side.
            && let Some(next) = begins.get_mut(&(same.clone(), end)).and_then(VecDeque::pop_front)
            && let Some((_, _, further)) = all.get(next).and_then(parts)
        {
            taken.insert(next);
            end = further;
            others.push(position(all.get(next)));
        }
        if !others.is_empty() {
            joined.insert(position(all.get(number)), others);
            if let Some(item) = all.get_mut(number) {
                extend(item, end);
            }
        }
    }
    let (mut number, mut others) = (0, Vec::new());
    all.retain(|item| {
        let is_taken = taken.contains(&number);
        others.extend(is_taken.then(|| item.record().to_owned()));
        number += 1;
        !is_taken
    });
    (joined, others)
}

/// Lets a row's service end later.
fn extend(item: &mut Item, end_ms: i64) {
    if let Item::Row { row: Row { wish: Ok(Wish::Present(wanted)), .. }, .. } = item
        && let Served::Interval(interval) = &mut wanted.served
    {
        interval.end_ms = end_ms;
        wanted.source_us = (end_ms - interval.start_ms).saturating_mul(1_000);
    }
}
