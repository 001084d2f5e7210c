//! A CSV file as rows of text, whatever a spreadsheet wrote: BOM, CRLF, quotes, Latin-1, GB18030.

use std::{collections::HashMap, path::Path};

use encoding_rs::Encoding;

use super::{mapping::Mapping, plan::Item};
use crate::cli::output::usage;

/// Largest file: a year of a big city is 100 MB; all of it is held in memory.
const FILE_BYTES_MAX: u64 = 1_024 * 1_024 * 1_024;

/// A file.
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Line>,
    positions: HashMap<String, usize>,
}

/// A row and where it stands.
pub(crate) struct Line {
    /// Line of the file, from 1.
    pub(crate) number: u64,
    pub(crate) cells: Vec<String>,
}

impl Table {
    /// Reads a file.
    pub(crate) fn read(path: &Path, mapping: &Mapping) -> anyhow::Result<Self> {
        let wrong = |problem: String| usage(format!("{}: {problem}", path.display()));
        let length = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if length > FILE_BYTES_MAX {
            return Err(wrong(format!("it has {length} bytes, more than {FILE_BYTES_MAX}; split it")));
        }
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let text = decode(&bytes, &mapping.encoding).map_err(wrong)?;
        if !text.matches('"').count().is_multiple_of(2) {
            return Err(wrong(
                "a quote is opened and never closed, so that rows may be lost in it; save it again".into(),
            ));
        }
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(u8::try_from(mapping.delimiter).unwrap_or(b','))
            .flexible(true)
            .from_reader(text.as_bytes());
        let header: Vec<String> = reader
            .headers()
            .map_err(|error| wrong(error.to_string()))?
            .iter()
            .map(|name| name.trim().to_owned())
            .collect();
        let positions: HashMap<String, usize> = header.iter().cloned().zip(0..).collect();
        let missing: Vec<&str> = mapping.column_names().filter(|name| !positions.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(wrong(format!(
                "the mapping names columns that the file doesn't have: {}. It has: {}",
                missing.join(", "),
                header.join(", ")
            )));
        }
        let mut rows = Vec::new();
        let (mut number, mut counted) = (1, 0);
        for record in reader.records() {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            // The reader counts a line before the last letter of its end: a file with CR LF, or empty lines, has others.
            let position =
                record.position().and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(counted);
            let rest = text.get(position..).unwrap_or_default();
            let start = position + (rest.len() - rest.trim_start_matches(['\r', '\n']).len());
            number += line_ends(text.get(counted..start).unwrap_or_default());
            counted = start;
            rows.push(Line { number, cells: record.iter().map(|cell| cell.trim().to_owned()).collect() });
        }
        Ok(Self { header, rows, positions })
    }

    /// The row of an item, unless it is one that the file no longer has.
    pub(crate) fn line(&self, item: &Item) -> Option<&Line> {
        match item {
            Item::Row { position, .. } => self.rows.get(*position),
            Item::Gone { .. } => None,
        }
    }

    /// Whether the file can be trusted to hold every record: what it lacks is taken back.
    pub(crate) fn check_full(&self) -> Result<(), String> {
        if self.rows.is_empty() {
            return Err("the file has no rows; every record of its source would be taken back".to_owned());
        }
        for line in &self.rows {
            let number = line.number;
            if line.cells.len() != self.header.len() {
                return Err(format!(
                    "line {number} has {} cells, the header {}; what the file lacks would be taken back, so mend it first",
                    line.cells.len(),
                    self.header.len()
                ));
            }
            if line.cells.iter().any(|cell| cell.contains('\n')) {
                return Err(format!(
                    "the row at line {number} goes on over a line break, and other rows may be lost in it; save the file \
                     without line breaks in cells"
                ));
            }
        }
        Ok(())
    }

    /// The cell of a row under a column; empty where the row is shorter.
    pub(crate) fn cell<'a>(&self, line: &'a Line, column: &str) -> &'a str {
        self.positions.get(column).and_then(|position| line.cells.get(*position)).map_or("", String::as_str)
    }
}

/// Ends of lines: LF, CR LF, or CR alone.
fn line_ends(text: &str) -> u64 {
    let count = |end: &str| text.matches(end).count() as u64;
    count("\n") + count("\r") - count("\r\n")
}

fn decode(bytes: &[u8], encoding: &str) -> Result<String, String> {
    let encoding = Encoding::for_label(encoding.as_bytes())
        .ok_or_else(|| format!("the mapping's encoding {encoding:?} is unknown: expected utf-8, latin1, gb18030"))?;
    // A byte order mark says more than the mapping.
    let (text, used, garbled) = encoding.decode(bytes);
    if !garbled {
        return Ok(text.into_owned());
    }
    let line = text.split('\u{fffd}').next().map_or(1, |before| before.matches('\n').count() + 1);
    Err(format!(
        "line {line} is not {}: set `encoding` in the mapping, for example \"latin1\" or \"gb18030\"",
        used.name()
    ))
}
