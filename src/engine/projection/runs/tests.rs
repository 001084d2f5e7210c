#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::path::Path;

use super::*;
use crate::engine::projection::rows::{U40, WarningRow};

/// Any row of fixed length will do: its name is what an event is similar to, its event what tells it from others.
impl NamedRow for WarningRow {
    type Name = u64;

    fn name(&self) -> u64 {
        self.similar_index.get()
    }

    fn mark(name: &u64) -> u64 {
        *name
    }
}

const BATCH: u64 = 16;

fn row(name: u64, event: u16) -> WarningRow {
    WarningRow { similar_index: U40::of(name), similar_event: 0, event, code: 1, reserved: 0 }
}

/// Names go up and down, and each comes again seven batches later.
fn batch(number: u64) -> Vec<WarningRow> {
    let name = |row: u64| (number % 7) * 1_000 + (row * 7) % BATCH;
    (0..BATCH).map(|number_in| row(name(number_in), u16::try_from(number * BATCH + number_in).unwrap())).collect()
}

fn keep(runs: &Runs<WarningRow>, batches: std::ops::Range<u64>) {
    batches.for_each(|number| runs.keep(number * BATCH, batch(number)).unwrap());
}

/// Each name has its rows of the first `batches`, in their order.
fn check(runs: &Runs<WarningRow>, batches: u64) {
    assert!(runs.holds(batches * BATCH) && !runs.holds((batches + 1) * BATCH));
    for name in (0..8).flat_map(|group| (0..=BATCH).map(move |number| group * 1_000 + number)) {
        let all = (0..batches).flat_map(batch).filter(|row| row.similar_index.get() == name);
        assert_eq!(runs.find(&name).unwrap(), all.collect::<Vec<_>>(), "{name}");
    }
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".filter")).collect();
    names.sort_unstable();
    names
}

#[test]
fn rows_are_found_by_name_while_runs_are_merged_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(&folder.path().into(), "names").unwrap();
    check(&runs, 0);
    keep(&runs, 0..20);
    check(&runs, 20);
    // No more than a snapshot has.
    runs.merge(15 * BATCH).unwrap();
    check(&runs, 20);
    assert_eq!((files(folder.path()).len(), files(folder.path())[0].as_str()), (1 + 12, "names.0-128"));
    runs.sync().unwrap();
    drop(runs);
    let runs = Runs::open(&folder.path().into(), "names").unwrap();
    check(&runs, 20);
    keep(&runs, 20..64);
    runs.merge(64 * BATCH).unwrap();
    assert_eq!(files(folder.path()), ["names.0-1024"]);
    check(&runs, 64);
    let other = Runs::temporary("names");
    keep(&other, 0..64);
    assert_eq!(other.first_difference(&runs).unwrap(), None);
    keep(&other, 63..64);
    keep(&other, 64..65);
    assert!(runs.first_difference(&other).unwrap().is_some() && other.first_difference(&runs).unwrap().is_some());
}

#[test]
fn a_name_that_was_never_put_away_costs_next_to_no_read() {
    let runs = Runs::temporary("names");
    // Every other name of a range.
    runs.keep(0, (0..4_096).map(|number| row(2 * number, 0)).collect()).unwrap();
    let reads = || runs.all().iter().map(|run| run.reads()).sum::<u64>();
    let before = reads();
    for name in (0..4_096).map(|number| 2 * number + 1) {
        assert_eq!(runs.find(&name).unwrap(), []);
    }
    // A search takes 13 reads; one name in 256 is searched for in vain, give or take.
    assert!(reads() - before < 4_096 * 13 / 64, "{} reads", reads() - before);
    assert_eq!(runs.find(&4_000).unwrap().len(), 1);
    assert!(reads() - before > 10);
}

#[test]
fn what_is_ahead_of_a_snapshot_is_cut_and_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(&folder.path().into(), "names").unwrap();
    keep(&runs, 0..10);
    runs.truncate(7 * BATCH).unwrap();
    check(&runs, 7);
    assert_eq!(files(folder.path()).len(), 7);
    keep(&runs, 7..12);
    keep(&runs, 9..10);
    check(&runs, 10);
    drop(runs);
    // A gap ends them, as does a run that isn't whole; so does the part of one that a kill has left of a merge.
    std::fs::write(folder.path().join("names.0-128.unfinished"), b"half").unwrap();
    let cut = std::fs::OpenOptions::new().write(true).open(folder.path().join("names.80-96")).unwrap();
    cut.set_len(15 * 16).unwrap();
    let runs: Runs<WarningRow> = Runs::open(&folder.path().into(), "names").unwrap();
    check(&runs, 5);
    runs.truncate(5 * BATCH).unwrap();
    assert_eq!(files(folder.path()).len(), 5);
}

#[test]
fn parts_that_a_kill_left_beside_a_merged_run_are_not_read_twice() {
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(&folder.path().into(), "names").unwrap();
    keep(&runs, 0..9);
    let parts: Vec<(String, Vec<u8>)> = files(folder.path())
        .into_iter()
        .map(|name| (name.clone(), std::fs::read(folder.path().join(name)).unwrap()))
        .collect();
    runs.merge(9 * BATCH).unwrap();
    for (name, bytes) in &parts {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let runs: Runs<WarningRow> = Runs::open(&folder.path().into(), "names").unwrap();
    check(&runs, 9);
    runs.truncate(9 * BATCH).unwrap();
    assert_eq!(files(folder.path()), ["names.0-128", "names.128-144"]);
}

#[test]
fn a_filter_that_is_damaged_or_gone_is_made_again_and_a_damaged_row_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(&folder.path().into(), "names").unwrap();
    keep(&runs, 0..3);
    drop(runs);
    let path = |name: &str| folder.path().join(name);
    let whole = std::fs::read(path("names.0-16.filter")).unwrap();
    for bytes in [&whole[..whole.len() - 1], b"", &[&whole[..], b"x"].concat()] {
        std::fs::write(path("names.0-16.filter"), bytes).unwrap();
        check(&Runs::open(&folder.path().into(), "names").unwrap(), 3);
        assert_eq!(std::fs::read(path("names.0-16.filter")).unwrap(), whole);
    }
    // Nor is another run's believed.
    for (from, to) in [("names.16-32.filter", "names.0-16.filter"), ("names.32-48.filter", "names.16-32.filter")] {
        std::fs::copy(path(from), path(to)).unwrap();
        check(&Runs::open(&folder.path().into(), "names").unwrap(), 3);
    }
    std::fs::remove_file(path("names.16-32.filter")).unwrap();
    check(&Runs::open(&folder.path().into(), "names").unwrap(), 3);
    let mut rows = std::fs::read(path("names.0-16")).unwrap();
    rows[8 * 16 + 12] ^= 1;
    std::fs::write(path("names.0-16"), rows).unwrap();
    let runs: Runs<WarningRow> = Runs::open(&folder.path().into(), "names").unwrap();
    assert!(matches!(runs.find(&8), Err(ProjectionError::Corrupt { row: 8, .. })));
    assert_eq!(runs.find(&1_000).unwrap().len(), 1);
    drop(runs);
    // Nobody's name is denied for damage: without a filter to be made of sound rows, or at an end, the run isn't whole.
    std::fs::remove_file(path("names.0-16.filter")).unwrap();
    assert!(!Runs::<WarningRow>::open(&folder.path().into(), "names").unwrap().holds(BATCH));
    // Nor is what is out of order, once that is seen.
    let mut rows = std::fs::read(path("names.16-32")).unwrap();
    rows.rotate_left(5 * 16);
    std::fs::write(path("names.0-16"), &rows).unwrap();
    assert!(!Runs::<WarningRow>::open(&folder.path().into(), "names").unwrap().holds(BATCH));
    let mut rows = std::fs::read(path("names.16-32")).unwrap();
    rows[12] ^= 1;
    std::fs::write(path("names.0-16"), &rows).unwrap();
    std::fs::copy(path("names.16-32.filter"), path("names.0-16.filter")).unwrap();
    assert!(!Runs::<WarningRow>::open(&folder.path().into(), "names").unwrap().holds(BATCH));
}
