#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests stop at the first surprise"
)]

use std::{os::unix::fs::FileExt, path::Path, sync::atomic::Ordering};

use super::{page::PAGE_ROWS_SCANNED_MAX, *};
use crate::engine::projection::{row_file::FixedRow, rows::U40};

/// Bytes of a row of `entries`.
const ENTRY_BYTES: u64 = 32;

/// Entries come in pairs of the same time.
fn time(index: u64) -> i64 {
    1_000 + 10 * (index / 2).cast_signed()
}

/// Kinds far apart: a ledger of later rules has many.
fn kind(minutes: i64) -> u8 {
    1 + 50 * (minutes.unsigned_abs() % 4) as u8
}

fn entry(index: u64, postings: &[(u32, i64)]) -> NewEntry {
    let posting = |&(account, minutes): &(u32, i64)| NewPosting {
        account,
        minutes,
        balance_after: minutes * 2,
        held_after: 0,
        event: 0,
        kind: kind(minutes),
        record: None,
        counterparty: u32::MAX,
    };
    let postings = postings.iter().map(posting).collect();
    NewEntry { index, recorded_at_ms: time(index), events: 1, postings, warnings: Vec::new() }
}

fn warning(event: u16) -> WarningRow {
    WarningRow { similar_index: U40::of(1), similar_event: 2, event, code: 1, reserved: 0 }
}

fn request(newest_first: bool, from: Option<u32>, limit: usize) -> PageRequest<'static> {
    PageRequest { newest_first, from, limit, up_to_index: u64::MAX, from_ms: 0, until_ms: i64::MAX, kinds: &[] }
}

fn minutes(page: &Page) -> Vec<i64> {
    page.rows.iter().map(|(_, row)| row.minutes).collect()
}

/// A history of one account, a row an entry, its minutes the entry's index.
fn one_account(folder: &Path, account: u32, rows: u64) -> History {
    let history = History::open(&folder.into()).unwrap();
    let entries: Vec<_> = (0..rows).map(|index| entry(index, &[(account, index.cast_signed())])).collect();
    history.append(&entries).unwrap();
    history
}

#[test]
fn eight_rows_come_in_pages_of_three_three_and_two_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let history = one_account(folder.path(), 0, 8);
    for (newest_first, expected) in
        [(true, [vec![7, 6, 5], vec![4, 3, 2], vec![1, 0]]), (false, [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]])]
    {
        let mut from = None;
        for (number, rows) in expected.iter().enumerate() {
            let page = history.page(0, &request(newest_first, from, 3)).unwrap();
            assert_eq!(minutes(&page), *rows);
            assert_eq!(page.next.is_none(), number == 2);
            from = page.next;
        }
    }
}

#[test]
fn rows_that_come_between_pages_disturb_none() {
    for (newest_first, expected) in [(true, [7, 6, 5, 4, 3, 2, 1, 0]), (false, [0, 1, 2, 3, 4, 5, 6, 7])] {
        let folder = tempfile::tempdir().unwrap();
        let history = one_account(folder.path(), 0, 8);
        let (mut found, mut from, mut index) = (Vec::new(), None, 8);
        loop {
            let page = history.page(0, &PageRequest { up_to_index: 7, ..request(newest_first, from, 3) }).unwrap();
            found.extend(minutes(&page));
            history.append(&[entry(index, &[(0, 999), (0, 999)])]).unwrap();
            (from, index) = (page.next, index + 1);
            if from.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
    }
}

#[test]
fn a_rare_kind_ends_a_page_early_and_the_next_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(&folder.path().into()).unwrap();
    let scanned = u64::from(PAGE_ROWS_SCANNED_MAX);
    let rows = 2 * scanned + 500;
    // Minutes of 0 are of kind 1: the first row, the last one, and one in the middle.
    let rare = [0, scanned + 100, rows - 1];
    let row = |index: u64| entry(index, &[(0, i64::from(!rare.contains(&index)))]);
    history.append(&(0..rows).map(row).collect::<Vec<_>>()).unwrap();
    for (newest_first, expected) in
        [(true, [vec![rare[2]], vec![rare[1]], vec![rare[0]]]), (false, [vec![rare[0]], vec![rare[1]], vec![rare[2]]])]
    {
        let mut from = None;
        for (number, indexes) in expected.iter().enumerate() {
            let asked = PageRequest { kinds: &[1], ..request(newest_first, from, 50) };
            let page = history.page(0, &asked).unwrap();
            assert_eq!(page.rows.iter().map(|(_, row)| row.index).collect::<Vec<_>>(), *indexes);
            assert_eq!(page.next.is_none(), number == 2);
            from = page.next;
        }
    }
}

/// Reads of posting rows that a look takes.
fn reads<T>(history: &History, look: impl FnOnce() -> T) -> (u64, T) {
    let before = history.postings.reads.load(Ordering::Relaxed);
    let seen = look();
    (history.postings.reads.load(Ordering::Relaxed) - before, seen)
}

/// The bound of `seek` for less than 64^4 rows: L = 3, and 64 x 4 x 5 / 2.
const SEEK_READS_MAX: u64 = 640;

#[test]
fn seeks_in_a_long_history_read_few_rows() {
    let folder = tempfile::tempdir().unwrap();
    let rows = 300_000_u64;
    let history = one_account(folder.path(), 3, rows);
    let targets = (0..rows).step_by(997).chain([63, 64, 65, 4_095, 4_096, 4_097, 262_143, 262_144, rows - 1]);
    for target in targets {
        let (reads, found) = reads(&history, || history.seek(None, 3, |row| row.index <= target));
        let (number, row) = found.unwrap().unwrap();
        assert_eq!((number, row.index, u64::from(row.ordinal)), (target, target, target));
        assert!(reads <= SEEK_READS_MAX, "{target}: {reads}");
    }
    assert_eq!(history.seek_ordinal(None, 3, 123_456).unwrap().unwrap().1.index, 123_456);
    assert_eq!(history.seek_ordinal(None, 3, 300_000).unwrap(), None);
    assert_eq!(history.seek_ordinal(None, 2, 0).unwrap(), None);
    assert_eq!(history.newest(3), Some((rows - 1, 299_999)));
    assert_eq!(history.newest(2), None);
    assert_eq!(history.newest(4), None);
}

#[test]
fn pages_of_a_long_history_read_few_rows() {
    let folder = tempfile::tempdir().unwrap();
    let history = one_account(folder.path(), 3, 300_000);
    let first_page = request(true, None, 50);
    let (newest, page) = reads(&history, || history.page(3, &first_page));
    assert_eq!(page.unwrap().rows.len(), 50);
    // The newest row twice, to see whether it is recorded in time and to begin at.
    assert_eq!(newest, 51);
    let second_page = request(true, Some(200_000), 50);
    let (newest, page) = reads(&history, || history.page(3, &second_page));
    assert_eq!(page.unwrap().rows.len(), 50);
    assert!(newest <= 1 + SEEK_READS_MAX + 50, "{newest}");
    // A kind that no row has. Windows double from 1 row on: 14 of them hold 10,000 rows.
    for newest_first in [true, false] {
        let nothing = PageRequest { kinds: &[2], ..request(newest_first, None, 1) };
        let (scan, page) = reads(&history, || history.page(3, &nothing));
        let page = page.unwrap();
        assert_eq!((page.rows.len(), page.next.is_some()), (0, true));
        assert!(scan <= 1 + 14 * SEEK_READS_MAX + u64::from(PAGE_ROWS_SCANNED_MAX), "{scan}");
    }
    // Times are sought from both ends.
    let some_day = PageRequest { from_ms: time(1_000), until_ms: time(1_100), ..request(false, None, 200) };
    let (sought, page) = reads(&history, || history.page(3, &some_day));
    assert_eq!(page.unwrap().rows.len(), 100);
    assert!(sought <= 3 * SEEK_READS_MAX + 100, "{sought}");
}

#[test]
fn a_failed_append_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let history = one_account(folder.path(), 0, 3);
    let before = history.heads();
    let gap = [entry(3, &[(0, 3)]), entry(5, &[(0, 5)])];
    assert!(matches!(history.append(&gap), Err(ProjectionError::EntryGap { expected: 4, found: 5 })));
    assert_eq!(history.heads(), before);
    // What a write left that failed half way: a posting that no entry counts.
    let lost = history.postings.read(0).unwrap();
    history.postings.append(3, &[lost]).unwrap();
    history.append(&[entry(3, &[(0, 33)])]).unwrap();
    let page = history.page(0, &request(true, None, 10)).unwrap();
    assert_eq!(minutes(&page), [33, 2, 1, 0]);
    assert_eq!(page.rows[0].0, 3);
}

#[test]
fn a_glance_tells_the_same_page_or_that_it_takes_longer() {
    let folder = tempfile::tempdir().unwrap();
    let history = one_account(folder.path(), 3, 70_000);
    for newest_first in [true, false] {
        let mut asked = request(newest_first, None, 50);
        for _ in 0..3 {
            let page = history.page(3, &asked).unwrap();
            // 50 rows, the newest once more, the first entry, and what a seek reads.
            let enough = 52 + u32::try_from(SEEK_READS_MAX).unwrap();
            // On a busy machine a row may leave the memory in between.
            let glanced = (0..1_000).find_map(|_| history.page_at_hand(enough, 3, &asked).unwrap());
            assert_eq!(glanced, Some(page.clone()));
            assert_eq!(history.page_at_hand(40, 3, &asked).unwrap(), None, "too few rows for it");
            asked.from = page.next;
        }
    }
    // A kind that no row has is looked for in 10,000 rows.
    let nothing = PageRequest { kinds: &[2], ..request(true, None, 1) };
    assert_eq!(history.page_at_hand(5_000, 3, &nothing).unwrap(), None);
    assert_eq!(
        history.page_at_hand(1, 9, &request(true, None, 50)).unwrap(),
        Some(Page { rows: Vec::new(), next: None })
    );
}

fn damage(folder: &Path, number: u64, row: &PostingRow) {
    let file = std::fs::OpenOptions::new().write(true).open(folder.join("postings")).unwrap();
    file.write_all_at(row.to_bytes().as_ref(), number * row.to_bytes().as_ref().len() as u64).unwrap();
}

#[test]
fn a_link_that_leads_on_is_damage_and_no_endless_walk() {
    let folder = tempfile::tempdir().unwrap();
    let history = one_account(folder.path(), 0, 8);
    let mut row = history.postings.read(4).unwrap();
    row.previous = 8;
    damage(folder.path(), 4, &row);
    let page = history.page(0, &request(true, None, 10));
    assert!(matches!(page, Err(ProjectionError::Corrupt { row: 4, .. })), "{page:?}");
    row.previous = 4;
    row.account = 1;
    damage(folder.path(), 4, &row);
    let page = history.page(0, &request(true, None, 10));
    assert!(matches!(page, Err(ProjectionError::Corrupt { row: 4, .. })), "{page:?}");
}

#[test]
fn receipts_have_the_rows_of_their_entry() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(&folder.path().into()).unwrap();
    let mut warned = entry(1, &[(4, 30), (0, -30)]);
    warned.warnings = vec![warning(0), warning(1)];
    history.append(&[entry(0, &[]), warned]).unwrap();
    history.append(&[entry(2, &[(4, 1)])]).unwrap();
    let rows = |index| {
        let (_, _, postings, warnings) = history.receipt_rows(index).unwrap().unwrap();
        let postings: Vec<_> = postings.iter().map(|(number, row)| (*number, row.account, row.minutes)).collect();
        (postings, warnings)
    };
    assert_eq!(rows(0), (vec![], vec![]));
    assert_eq!(rows(1), (vec![(0, 4, 30), (1, 0, -30)], vec![warning(0), warning(1)]));
    assert_eq!(rows(2), (vec![(2, 4, 1)], vec![]));
    assert_eq!(history.receipt_rows(3).unwrap(), None);
    assert_eq!(history.entry(2).unwrap().unwrap().first_warning, 2);
    assert_eq!(history.entry(3).unwrap(), None);
}

/// Accounts in the model test; one more has no row.
const ACCOUNTS: u64 = 7;

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// The same history, kept in the simplest way: by account, index and minutes of its rows.
#[derive(Default)]
struct Model {
    accounts: Vec<Vec<(u64, i64)>>,
    entries: u64,
}

impl Model {
    fn append(&mut self, random: &mut Random, history: &History, entries: u64) {
        let mut left = entries;
        while left > 0 {
            let commit = left.min(1 + random.below(20));
            let mut batch = Vec::new();
            for _ in 0..commit {
                let postings: Vec<(u32, i64)> = (0..random.below(4))
                    .map(|_| (random.below(ACCOUNTS) as u32, random.below(1_000).cast_signed()))
                    .collect();
                for (account, minutes) in &postings {
                    self.accounts[*account as usize].push((self.entries, *minutes));
                }
                batch.push(entry(self.entries, &postings));
                self.entries += 1;
            }
            history.append(&batch).unwrap();
            left -= commit;
        }
    }

    /// Back to the first `entries`.
    fn truncate(&mut self, entries: u64) {
        self.accounts.iter_mut().for_each(|rows| rows.retain(|row| row.0 < entries));
        self.entries = entries;
    }

    fn check(&self, random: &mut Random, history: &History) {
        let account = random.below(ACCOUNTS + 1) as u32;
        let rows = &self.accounts[account as usize];
        let up_to_index = random.below(self.entries + 100);
        let as_of = history.as_of_index(account, up_to_index).unwrap().map(|row| (row.index, row.minutes));
        assert_eq!(as_of, rows.iter().rev().find(|row| row.0 <= up_to_index).copied());
        let ms = random.below(time(self.entries).cast_unsigned() + 100).cast_signed();
        assert_eq!(history.index_at_time(ms).unwrap(), (0..self.entries).rev().find(|index| time(*index) <= ms));
        let kinds: Vec<u8> = [1, 2, 51, 101, 151, 255].into_iter().filter(|_| random.below(2) == 0).collect();
        let asked = PageRequest {
            newest_first: random.below(2) == 0,
            from: None,
            limit: 1 + random.below(60) as usize,
            up_to_index,
            from_ms: time(random.below(self.entries)),
            until_ms: time(random.below(self.entries + 200)),
            kinds: &kinds,
        };
        let fits = |row: &&(u64, i64)| {
            let recorded_at_ms = time(row.0);
            row.0 <= up_to_index
                && recorded_at_ms >= asked.from_ms
                && recorded_at_ms < asked.until_ms
                && (kinds.is_empty() || kinds.contains(&kind(row.1)))
        };
        let mut expected: Vec<i64> = rows.iter().filter(fits).map(|row| row.1).collect();
        if asked.newest_first {
            expected.reverse();
        }
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let page = history.page(account, &PageRequest { from, ..asked }).unwrap();
            assert!(page.rows.len() <= asked.limit);
            found.extend(minutes(&page));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
    }
}

#[test]
fn random_histories_agree_with_a_list() {
    let seed = 0x9e37_79b9_7f4a_7c15_u64;
    eprintln!("seed {seed:#x}");
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut model = Model { accounts: vec![Vec::new(); ACCOUNTS as usize + 1], entries: 0 };
    let mut history = History::open(&folder.path().into()).unwrap();
    for _ in 0..4 {
        model.append(&mut random, &history, 2_000);
        let (saved, entries) = (history.heads(), model.entries);
        model.append(&mut random, &history, 100);
        for _ in 0..500 {
            model.check(&mut random, &history);
        }
        // A restart at the snapshot; other entries follow than the first time.
        drop(history);
        history = History::open(&folder.path().into()).unwrap();
        assert!(history.holds(&saved));
        history.restore(&saved).unwrap();
        assert_eq!(history.heads(), saved);
        model.truncate(entries);
        assert_eq!(history.receipt_rows(entries).unwrap(), None);
    }
    model.append(&mut random, &history, 500);
    for _ in 0..500 {
        model.check(&mut random, &history);
    }
}

#[test]
fn heads_are_restored_only_to_files_that_hold_as_much() {
    let folder = tempfile::tempdir().unwrap();
    let history = one_account(folder.path(), 0, 8);
    let heads = history.heads();
    history.postings.truncate(7).unwrap();
    assert!(!history.holds(&heads));
    history.clear().unwrap();
    assert_eq!(history.heads(), HistoryHeads::default());
    assert_eq!(history.page(0, &request(true, None, 3)).unwrap(), Page { rows: Vec::new(), next: None });
}

#[test]
fn readers_beside_the_writer_see_whole_commits() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(&folder.path().into()).unwrap();
    let commits = 300_u64;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for commit in 0..commits {
                let rows = [entry(2 * commit, &[(0, 1), (1, 1)]), entry(2 * commit + 1, &[(0, 1)])];
                history.append(&rows).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = 0;
                while seen < 2 * commits {
                    let Some((_, ordinal)) = history.newest(0) else { continue };
                    let page = history.page(0, &request(true, Some(ordinal), 5)).unwrap();
                    assert_eq!(ordinal % 2, 1, "half a commit");
                    assert!(page.rows.iter().all(|(_, row)| row.account == 0));
                    assert_eq!(page.rows[0].1.index, u64::from(ordinal));
                    assert!(history.receipt_rows(u64::from(ordinal)).unwrap().is_some());
                    seen = u64::from(ordinal) + 1;
                }
            });
        }
    });
}

#[test]
fn a_flipped_bit_in_an_entrys_row_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let history = one_account(folder.path(), 0, 8);
    let file = std::fs::OpenOptions::new().read(true).write(true).open(folder.path().join("entries")).unwrap();
    let row = ENTRY_BYTES * 4;
    for bit in 0..ENTRY_BYTES * 8 {
        let (at, mask) = (row + bit / 8, 1 << (bit % 8));
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ mask], at).unwrap();
        // The row before ends where this one begins.
        for index in [3, 4] {
            let found = history.receipt_rows(index);
            assert!(matches!(found, Err(ProjectionError::Corrupt { row: 4, .. })), "bit {bit}: {found:?}");
        }
        file.write_all_at(&byte, at).unwrap();
    }
}
