//! What files become, and what is said of those that are wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails may panic"
)]

mod books;
mod damage;
mod limits;
mod texts;
mod workbooks;

use std::path::Path;

use super::{Form, Grid, Line, Options, Problem, file, read, read_bytes};

/// Rows as numbers and cells.
fn shown(rows: &[Line]) -> Vec<(u64, Vec<&str>)> {
    rows.iter().map(|line| (line.number, line.cells.iter().collect())).collect()
}

fn rows_of(bytes: impl Into<Vec<u8>>, options: &Options) -> Vec<(u64, Vec<String>)> {
    let (rows, _) = read_bytes(bytes.into(), options).unwrap();
    shown(&rows).into_iter().map(|(number, cells)| (number, cells.into_iter().map(str::to_owned).collect())).collect()
}

fn error_of(bytes: impl Into<Vec<u8>>, options: &Options) -> String {
    read_bytes(bytes.into(), options).unwrap_err().to_string()
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_file_is_named_by_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| read(path, &Options::default()).unwrap_err().to_string();
    let missing = folder.path().join("none.csv");
    assert!(error(&missing).starts_with(&format!("{}: there is no such file", missing.display())));
    assert!(error(folder.path()).contains("is a folder"));
    let sized = |name: &str, length: u64| {
        let path = written(folder.path(), name, b"");
        std::fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
        path
    };
    assert!(error(&sized("empty.csv", 0)).contains("is empty; expected rows in a CSV"));
    assert!(error(&sized("long.csv", file::FILE_BYTES_MAX + 1)).contains("1073741825 bytes, more than 1073741824"));
    for (bytes, expected) in [
        (&b"%PDF-1.7\n"[..], "is a PDF; save the table as CSV, .xlsx, .xls or .ods"),
        (b"\xef\xbb\xbf \n <!DOCTYPE html><table>", "web page, no CSV"),
        (b"<html>", "web page"),
        (b"\xff\xfe<\0?\0x\0m\0l\0", "web page"),
        (b"<?XML version='1.0'?>", "web page"),
        (b"\xb9\xf9<table", "is not UTF-8"),
        (b"\n\n , ,\r\n", "is empty"),
        (b"PK\x03\x04 cut", "damaged or half written"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 cut", "damaged or half written"),
    ] {
        let found = error(&written(folder.path(), "x.xlsx", bytes));
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_text_is_a_text_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "hours.xlsx", b"id,day\r\n1,2026-03-05\r\n");
    let Grid { rows, form, open_in } = read(&path, &Options::default()).unwrap();
    assert_eq!(shown(&rows), [(1, vec!["id", "day"]), (2, vec!["1", "2026-03-05"])]);
    assert_eq!(form, Form::Text { encoding: encoding_rs::UTF_8, bom: false, delimiter: ',', crlf: true });
    assert_eq!(open_in, None);
}

#[test]
fn who_has_a_file_open_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "hours.csv", b"a,b\n");
    for (lock, program) in [(".~lock.hours.csv#", "LibreOffice"), ("~$hours.csv", "Excel")] {
        let lock = written(folder.path(), lock, b"");
        let note = read(&path, &Options::default()).unwrap().open_in.unwrap();
        assert!(note.starts_with(&format!("is open in {program} (lock file ")), "{note}");
        std::fs::remove_file(lock).unwrap();
    }
}

#[test]
fn a_file_that_is_being_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "hours.csv", b"a,b\n");
    let before = std::fs::metadata(&path).unwrap();
    file::at_rest(&before, &std::fs::metadata(&path).unwrap(), 4).unwrap();
    assert!(matches!(file::at_rest(&before, &before, 3), Err(Problem::Changing)));
    // As long as before, but of another time.
    let later = before.modified().unwrap() + std::time::Duration::from_secs(1);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    assert!(matches!(file::at_rest(&before, &std::fs::metadata(&path).unwrap(), 4), Err(Problem::Changing)));
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "hours.csv", b"a,b\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads all the same.
    if std::fs::read(&path).is_err() {
        let error = read(&path, &Options::default()).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
