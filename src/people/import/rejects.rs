//! The rows that were not taken, in a file of the source's own form: to be mended there and imported again.

mod workbook;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use self::workbook::workbook;
use super::{
    cell::text::guard,
    grid::{Form, Line},
    items::REPEAT,
    mapping::Mapping,
    report::RejectedRow,
    table::{REJECTS_ADD, Table},
};

/// Where rejects go.
#[derive(Debug)]
pub(crate) struct Rejects {
    path: PathBuf,
    /// Written beside its place and put there when it is whole; none where the place is a pipe or a device.
    beside: Option<tempfile::NamedTempFile>,
}

impl Rejects {
    /// Sees to it that the file can be written, before anything is recorded.
    ///
    /// # Errors
    /// Something is there already, in whose place nothing is put; or nothing can be written there. In words.
    pub(crate) fn at(path: &Path) -> Result<Self, String> {
        if fs::symlink_metadata(path).is_ok() && !path.exists() {
            return Err("it is a link to nothing: name a new file".to_owned());
        }
        let beside = match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err("it is a folder".to_owned()),
            Ok(found) if found.is_file() => {
                return Err(
                    "the file exists, and rejects are never written over another: name a new one, or move that one \
                            away"
                        .to_owned(),
                );
            }
            Ok(_) => None,
            Err(_nothing_there) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let made = tempfile::Builder::new().prefix(".timebank-rejects-").tempfile_in(folder);
                Some(made.map_err(|error| format!("{}: {}", folder.display(), error.kind()))?)
            }
        };
        let is = |extension: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension));
        if is("xls") || is("ods") {
            return Err("a workbook of rejects is written as .xlsx: name it so".to_owned());
        }
        Ok(Self { path: path.to_owned(), beside })
    }

    /// Writes the rows, as they stood, with place and reason.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn write(self, table: &Table, mapping: &Mapping, rejected: &[RejectedRow]) -> io::Result<()> {
        let rows = rows(table, mapping, rejected);
        let is_workbook = match &table.form {
            Form::Workbook { .. } => !self.path.extension().is_some_and(|found| found.eq_ignore_ascii_case("csv")),
            Form::Text { .. } => self.path.extension().is_some_and(|found| found.eq_ignore_ascii_case("xlsx")),
        };
        let sheet = match &table.form {
            // The mapping may name it.
            Form::Workbook { sheet, .. } => sheet.as_str(),
            Form::Text { .. } => "rejects",
        };
        let bytes = if is_workbook { workbook(sheet, &rows)? } else { text(&rows, &table.form, mapping)? };
        let Some(mut beside) = self.beside else {
            return File::options().write(true).open(&self.path)?.write_all(&bytes);
        };
        beside.write_all(&bytes)?;
        beside.as_file().sync_all()?;
        beside.persist_noclobber(&self.path).map_err(|failed| failed.error)?;
        Ok(())
    }
}

/// Header and rows.
fn rows(table: &Table, mapping: &Mapping, rejected: &[RejectedRow]) -> Vec<Vec<String>> {
    // Rejects that are rejected again have their old reasons no more.
    let width = table.header.len() - if table.is_of_rejects() { REJECTS_ADD.len() } else { 0 };
    let own = |cell: &dyn Fn(usize) -> Option<String>| -> Vec<String> {
        (0..width).map(|column| cell(column).unwrap_or_default()).collect()
    };
    let added = |mut cells: Vec<String>, more: [String; 2]| {
        cells.extend(more);
        cells
    };
    let header = added(own(&|column| table.header.get(column).cloned()), REJECTS_ADD.map(str::to_owned));
    let mut rows = vec![header];
    for rejected in rejected {
        let lines: Vec<&Line> = rejected.positions.iter().filter_map(|position| table.rows.get(*position)).collect();
        if lines.is_empty() {
            // A record that the file no longer has: its id is all there is.
            let cells = named(table, mapping, &rejected.told.record);
            rows.push(added(own(&|column| cells.get(column).cloned()), [String::new(), rejected.told.text.clone()]));
        }
        for line in lines {
            let cells = own(&|column| line.cells.get(column).map(str::to_owned));
            let time = if rejected.time > 1 { format!("{REPEAT}{}", rejected.time) } else { String::new() };
            rows.push(added(cells, [format!("{}{time}", line.number), rejected.told.text.clone()]));
        }
    }
    rows
}

/// A row that has nothing but the id of its record.
fn named(table: &Table, mapping: &Mapping, record: &str) -> Vec<String> {
    let [column] = mapping.record_columns() else { return Vec::new() };
    table.header.iter().map(|name| if name == column { record.to_owned() } else { String::new() }).collect()
}

fn text(rows: &[Vec<String>], form: &Form, mapping: &Mapping) -> io::Result<Vec<u8>> {
    let (encoding, bom, delimiter, crlf) = match form {
        Form::Text { encoding, bom, delimiter, crlf } => (*encoding, *bom, *delimiter, *crlf),
        // What spreadsheets take for Unicode.
        Form::Workbook { .. } => (UTF_8, true, mapping.delimiter.unwrap_or(','), true),
    };
    let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(u8::try_from(delimiter).unwrap_or(b','))
        .terminator(terminator)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|cell| guard(cell)))?;
    }
    let bytes = writer.into_inner().map_err(|failed| io::Error::other(failed.to_string()))?;
    let mut text = String::from_utf8(bytes).map_err(|error| io::Error::other(error.to_string()))?;
    // Where the file said itself what separates its columns, this one does so, too.
    if delimiter != mapping.delimiter.unwrap_or(',') {
        text.insert_str(0, &format!("sep={delimiter}{}", if crlf { "\r\n" } else { "\n" }));
    }
    Ok(encoded(&text, encoding, bom))
}

/// Text in an encoding; a letter of a reason that it doesn't have becomes a question mark.
fn encoded(text: &str, encoding: &'static Encoding, bom: bool) -> Vec<u8> {
    if encoding == UTF_16LE || encoding == UTF_16BE {
        let units = bom.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        let bytes = |unit: u16| if encoding == UTF_16LE { unit.to_le_bytes() } else { unit.to_be_bytes() };
        return units.flat_map(bytes).collect();
    }
    let mut bytes = if bom && encoding == UTF_8 { vec![0xef, 0xbb, 0xbf] } else { Vec::new() };
    let (whole, _, is_lossy) = encoding.encode(text);
    if !is_lossy {
        bytes.extend_from_slice(&whole);
        return bytes;
    }
    for letter in text.chars() {
        let mut buffer = [0; 4];
        let (letter, _, is_unknown) = encoding.encode(letter.encode_utf8(&mut buffer));
        if is_unknown { bytes.push(b'?') } else { bytes.extend_from_slice(&letter) }
    }
    bytes
}
