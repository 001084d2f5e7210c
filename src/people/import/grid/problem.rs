//! What can be wrong with a file, in words for the person who has to mend it.

use std::path::PathBuf;

/// A file that was not read: which one, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub(crate) struct GridError {
    /// The file as it was named.
    pub(crate) path: PathBuf,
    /// What is wrong with it; its sentence says what to do, and names lines and rows as programs show them.
    pub(crate) problem: Problem,
}

/// What is wrong with a file. Lines and rows are counted from 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// Nothing has this path.
    #[error("there is no such file; check its name and folder")]
    Missing,
    /// The path is a folder's.
    #[error("it is a folder; name a file in it")]
    Folder,
    /// The operating system refuses it.
    #[error("it cannot be read ({0}); check who may read it, and that no other program holds it")]
    Unreadable(std::io::Error),
    /// Larger than may be held in memory.
    #[error("it has {bytes} bytes, more than {most}; split it")]
    Long {
        /// Its size, or what was read of it before giving up.
        bytes: u64,
        /// The limit, `FILE_BYTES_MAX`.
        most: u64,
    },
    /// Its length or time of change moved while it was read.
    #[error("it is being written; save it, wait until that is done, and try again")]
    Changing,
    /// No bytes, or nothing but blank rows.
    #[error("it is empty; expected rows in a CSV, .xlsx, .xls or .ods file")]
    Empty,
    /// No table at all; the kind that was found.
    #[error("it is {0}; save the table as CSV, .xlsx, .xls or .ods")]
    NoTable(&'static str),
    /// HTML or XML, whatever the name says: many systems export web pages as `.xls`.
    #[error("it is a web page, no CSV; open it in a spreadsheet and save it as CSV, .xlsx, .xls or .ods")]
    Page,
    /// A label that names no encoding.
    #[error("the encoding {0:?} is unknown; expected utf-8, gb18030, big5, latin1, or another of the web's names")]
    UnknownEncoding(String),
    /// Bytes that the encoding doesn't have: the wrong encoding, or two of them in one file.
    #[error("line {line} is not {encoding}: set `encoding`, for example {candidates}")]
    Encoding {
        /// Line of the first byte that doesn't fit.
        line: u64,
        /// The encoding tried.
        encoding: &'static str,
        /// Others, the likeliest first, quoted and ready to read.
        candidates: String,
    },
    /// The last character lacks bytes.
    #[error(
        "line {line}, the last, ends amid a character of {encoding}: the file may be cut; copy it again, or \
         set another `encoding`"
    )]
    Cut {
        /// The last line.
        line: u64,
        /// The encoding tried.
        encoding: &'static str,
    },
    /// NUL bytes in what should be text.
    #[error("line {line} holds NUL bytes: it is no text; is it UTF-16 without its mark, or a workbook?")]
    Nul {
        /// Line of the first of them.
        line: u64,
    },
    /// A delimiter that cannot be told from quotes or line ends.
    #[error("{0:?} cannot part cells; expected a comma, a semicolon, a tab, or another sign")]
    Delimiter(char),
    /// A quote that nothing closes.
    #[error("the quote opened on line {line} is never closed, so that rows may be lost in it; close or remove it")]
    QuoteOpen {
        /// Where it was opened.
        line: u64,
    },
    /// Text behind a closing quote.
    #[error(
        "line {line}: {found:?} follows the quote that closes a cell begun on line {opened}; double the quotes inside \
         the cell (\"\"), or remove the one that begins it"
    )]
    QuoteTail {
        /// Where the quote was opened.
        opened: u64,
        /// Where it closed.
        line: u64,
        /// The character behind it.
        found: char,
    },
    /// A quoted cell with what seems to be another row in it.
    #[error(
        "the quote opened on line {opened} swallows line {line}, which looks like a row; close or remove the quote, or \
         take the line breaks out of the cell"
    )]
    QuoteSwallows {
        /// Where the quote was opened.
        opened: u64,
        /// The line inside.
        line: u64,
    },
    /// Encrypted, so that not even its sheets can be listed.
    #[error("it is protected by a password; save it without")]
    Password,
    /// A workbook that contradicts itself or ends too soon; the detail is for those who look into the file.
    #[error("it is damaged or half written; open it in a spreadsheet and save it again, as .xlsx or as CSV ({0})")]
    Damaged(String),
    /// No sheet of this name.
    #[error("it has no sheet {wanted:?}; it has: {sheets}")]
    NoSheet {
        /// The name asked for.
        wanted: String,
        /// All names, hidden ones marked.
        sheets: String,
    },
    /// Only hidden sheets, or none.
    #[error("it shows no sheet with cells; name one with `sheet`, of: {sheets}")]
    NoneVisible {
        /// All names, hidden ones marked.
        sheets: String,
    },
    /// Nothing but blank rows on the sheet.
    #[error("its sheet {sheet:?} is empty; name another with `sheet`, of: {sheets}")]
    EmptySheet {
        /// The sheet read.
        sheet: String,
        /// All names, hidden ones marked.
        sheets: String,
    },
    /// An error value that the reader of workbooks has no word for, such as `#SPILL!`.
    #[error("its sheet {sheet:?} shows {value} in a cell, none of which is above row {row}; mend it and save the file")]
    Value {
        /// The sheet read.
        sheet: String,
        /// The row of the last cell read before it, or 1.
        row: u64,
        /// The value as it stands in the file.
        value: String,
    },
    /// A workbook whose contents would not fit into memory.
    #[error("it holds more {what} than {most}; remove stray cells far from the table, or save the rows as CSV")]
    Much {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        most: u64,
    },
}
