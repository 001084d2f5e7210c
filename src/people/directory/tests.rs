#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use super::*;

fn link(index: u64, event: u16) -> RecordLink {
    let record = EventRef { index: LogIndex(index), event };
    RecordLink { record, digest: [event.to_le_bytes()[0]; 32], reversed: false, credited_minutes: 60, source_us: 1 }
}

#[test]
fn links_are_final_with_the_receipt_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let account = AccountId([7; 16]);
    let links = vec![
        Link::Account { outside: "alice".into(), account },
        Link::Record { outside: "1".into(), link: link(0, 3) },
        Link::Record { outside: "2".into(), link: link(9, 4) },
        Link::Applied { row: [1; 32] },
    ];
    let sheet = vec![5; 200_000];
    {
        let directory = Directory::open(folder.path(), b"ledger", "source").unwrap();
        directory.put_pending(sheet.clone(), links.clone()).unwrap();
        assert_eq!(directory.account("alice").unwrap(), None);
    }
    let directory = Directory::open(folder.path(), b"ledger", "source").unwrap();
    let pending = directory.pending().unwrap();
    assert_eq!(pending, [Pending { number: 0, sheet, links }]);
    directory.finish(&pending[0], 42).unwrap();
    assert_eq!(directory.account("alice").unwrap(), Some(account));
    assert_eq!(directory.record("1").unwrap(), Some(link(42, 3)));
    assert_eq!(directory.record("2").unwrap(), Some(link(9, 4)));
    assert!(directory.applied(&[1; 32]).unwrap() && !directory.applied(&[2; 32]).unwrap());
    assert_eq!(directory.pending().unwrap(), []);
    assert_eq!(directory.records().unwrap().len(), 2);
}

#[test]
fn links_that_are_lost_are_told_and_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let account = Link::Account { outside: "alice".into(), account: AccountId([7; 16]) };
    let directory = Directory::open(folder.path(), b"ledger", "source").unwrap();
    directory.finish(&directory.put_pending(vec![1], vec![account]).unwrap(), 1).unwrap();
    drop(directory);
    let own = ledger_folder(folder.path(), b"ledger");
    let noted = std::fs::read(own.join("commits")).unwrap();
    let older = tempfile::tempdir().unwrap();
    drop(Directory::open(older.path(), b"ledger", "source").unwrap());
    assert!(!ledger_folder(older.path(), b"ledger").join("commits").exists(), "nothing is written by looking");
    // As if the disk had changed the first bit of the store.
    std::fs::copy(ledger_folder(older.path(), b"ledger").join("db"), own.join("db")).unwrap();
    let lost = |opened: Result<(), StoreError>| {
        assert!(matches!(opened, Err(StoreError::CommitsLost { noted: 1, found: 0, .. })));
    };
    lost(Directory::open(folder.path(), b"ledger", "source").map(|_| ()));
    lost(Accounts::open(folder.path(), b"ledger").map(|_| ()));
    lost(Directory::each(&own, &mut |_| ()));
    // Nor is a store that is gone taken for one that never was.
    std::fs::remove_file(own.join("db")).unwrap();
    lost(Accounts::open(folder.path(), b"ledger").map(|_| ()));
    assert!(!own.join("db").exists());
    // Nor is anything taken for sound while nobody can tell.
    for byte in 0..noted.len() {
        let mut changed = noted.clone();
        changed[byte] ^= 1;
        std::fs::write(own.join("commits"), changed).unwrap();
        let opened = Directory::open(folder.path(), b"ledger", "source");
        assert!(matches!(opened, Err(StoreError::CommitsUnknown { .. })), "byte {byte}");
    }
}

#[test]
fn a_store_of_before_commits_were_counted_opens_and_is_counted_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let own = ledger_folder(folder.path(), b"ledger");
    let before = SyncedDb::open(&own).unwrap();
    let mut batch = Batch::default();
    batch.insert([&[ACCOUNT], b"source".as_slice(), &[0], b"alice"].concat(), encode(&AccountId([7; 16]), "").unwrap());
    before.commit(batch).unwrap();
    drop(before);
    let directory = Directory::open(folder.path(), b"ledger", "source").unwrap();
    assert_eq!(directory.account("alice").unwrap(), Some(AccountId([7; 16])));
    directory.set_zone("Asia/Shanghai").unwrap();
    drop(directory);
    std::fs::remove_file(own.join("commits")).unwrap();
    let opened = Directory::open(folder.path(), b"ledger", "source");
    assert!(matches!(opened, Err(StoreError::CommitsUnknown { .. })), "{opened:?}");
}

#[test]
fn a_refused_sheet_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path(), b"ledger", "source").unwrap();
    let pending = directory.put_pending(vec![1], vec![Link::Applied { row: [1; 32] }]).unwrap();
    directory.drop_pending(&pending).unwrap();
    assert_eq!(directory.pending().unwrap(), []);
    assert!(!directory.applied(&[1; 32]).unwrap());
}

#[test]
fn sources_and_ledgers_do_not_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    for (origin, source) in [("one", "a"), ("one", "b"), ("two", "a")] {
        let directory = Directory::open(folder.path(), origin.as_bytes(), source).unwrap();
        assert_eq!(directory.account("alice").unwrap(), None, "{origin} {source}");
        let account = Link::Account { outside: "alice".into(), account: AccountId([1; 16]) };
        let pending = directory.put_pending(Vec::new(), vec![account]).unwrap();
        directory.finish(&pending, 1).unwrap();
        assert!(directory.account("alice").unwrap().is_some());
    }
}
