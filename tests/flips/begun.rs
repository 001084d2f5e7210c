//! A ledger that is some days old when its service first starts: ids of its sheets are put away, and records of it were warned
//! of.

use std::path::Path;

use timebank::{
    engine::key_file::KeyFile,
    format::{archive::Writer, checkpoint, proto},
    merkle::{self, leaf_hash},
};

use super::{
    server::timebank,
    support::{ALICE, BOB, DAY, Ledger, ORIGIN, key, on_date, record, service, transfer},
};

/// Days after which ids of the first sheets are put away, and on: a development build puts 16 away at once.
const DAYS: u64 = 5;
/// Sheets of a day.
const SHEETS: u64 = 10;

/// Makes its data folder, as `restore` does, with its keys.
pub fn begin(folder: &Path, now: i64) {
    let mut ledger = Ledger::new();
    let (staff, alice) = (ledger.staff.clone(), ledger.alice.clone());
    for day in 0..DAYS {
        ledger.now = now - DAY * (DAYS - day).cast_signed();
        // Of the day before, as it is over everywhere.
        let date = i32::try_from(ledger.now / DAY - 1).unwrap();
        // The second has the first one's date: nearly the same.
        for minutes in [60, 50] {
            let served = Some(on_date(date, minutes));
            ledger.accept(&[&staff], vec![record(proto::Service { served, ..service(ALICE, 0, minutes) })]);
        }
        for _ in 0..SHEETS {
            ledger.accept(&[&alice], vec![transfer(ALICE, BOB, 1)]);
        }
    }
    let (home, archive) = (folder.join("keys"), folder.join("begun.archive"));
    std::fs::create_dir(&home).unwrap();
    for (name, number) in [("ledger.key", 99), ("service.key", 2), ("operator.key", 1)] {
        KeyFile { key: key(number), origin: ORIGIN.to_owned() }.create(&home.join(name)).unwrap();
    }
    let root = merkle::root_of_leaves(ledger.entries.iter().map(|entry| leaf_hash(&entry.leaf())));
    let note = checkpoint::sign(ORIGIN, ledger.entries.len() as u64, &root, key(99).signing_key());
    let mut writer = Writer::new(Vec::new(), ORIGIN).unwrap();
    ledger.entries.iter().for_each(|entry| writer.push(entry).unwrap());
    std::fs::write(&archive, writer.finish(&note).unwrap()).unwrap();
    let mut restore = timebank(&["restore", "--data"]);
    restore.arg(folder.join("ledger")).arg("--archive").arg(&archive).arg("--keys").arg(&home);
    let ended = restore.output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}
