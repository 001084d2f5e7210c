//! Spreadsheet files as rows of text: CSV in any encoding, `.xlsx`, `.xlsm`, `.xlsb`, `.xls` and `.ods`.
//!
//! What a file is, its first bytes say, not its name: a `.xlsx` that is text is read as text. Rows keep the numbers
//! that an editor or a spreadsheet shows; rows with nothing to see in any cell are none. Hidden and filtered rows and
//! columns are read like others, and a merged cell has its text in its first cell alone.

mod cells;
mod encoding;
mod file;
mod ods;
mod ole;
mod parts;
mod problem;
mod swallowed;
mod text;
mod value;
mod workbook;
mod xls;
mod xlsb;

#[cfg(test)]
mod tests;

use std::path::Path;

use encoding_rs::Encoding;

pub(crate) use cells::Cells;
pub(crate) use encoding::guess_encoding;
pub(crate) use problem::{GridError, Problem};
pub(crate) use text::guess_delimiter;
pub(crate) use value::number;

/// How to read a file; what is None is found out. What doesn't concern a kind of file is passed over: a workbook has no
/// encoding, a text no sheets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Label of a text's encoding as on the web (`gb18030`, `big5`, `latin1`) or of Windows (`cp936`), in any case. A
    /// byte order mark says more. None means UTF-8, and nothing is guessed.
    pub(crate) encoding: Option<String>,
    /// What parts the cells of a text: any character but a quote and ends of lines. A first line `sep=;` says more.
    /// None means a comma.
    pub(crate) delimiter: Option<char>,
    /// Name of the sheet of a workbook. None means the first that isn't hidden.
    pub(crate) sheet: Option<String>,
}

/// The rows of a file.
#[derive(Debug)]
pub(crate) struct Grid {
    /// Rows that aren't blank, from the top; at least one. They may differ in length.
    pub(crate) rows: Vec<Line>,
    /// What kind of file it was.
    pub(crate) form: Form,
    /// A sentence without its subject about a program that has the file open, by the lock file beside it: what isn't
    /// saved there isn't in the rows.
    pub(crate) open_in: Option<String>,
}

/// A row and where an editor or a spreadsheet shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1: the line of the file on which the row begins, blank lines and a line `sep=;` counted, or the row of the
    /// sheet.
    pub(crate) number: u64,
    /// From column `A` on. A text's as they stand, without their quotes. A sheet's as text: numbers in the fewest
    /// digits that tell them from others and without an exponent; `TRUE`, `FALSE`; `#N/A`; dates and times as
    /// `2026-03-05`, `2026-03-05T14:00:00`, `14:00:00`, with milliseconds only where there are any; durations as
    /// `25:30:00`; a formula without a value as `=A1+B1`, except in `.xls` and `.xlsb`, which store a value always.
    pub(crate) cells: Cells,
}

/// What kind of file was read, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Delimited text, whatever its name.
    Text {
        /// The encoding it was decoded from.
        encoding: &'static Encoding,
        /// Whether a byte order mark named it.
        bom: bool,
        /// What parted its cells.
        delimiter: char,
        /// Whether its first line ends with CR LF.
        crlf: bool,
    },
    /// A workbook of Excel or of `OpenDocument`.
    Workbook {
        /// The sheet that was read.
        sheet: String,
        /// All others with cells, in their order; chart sheets are none.
        others: Vec<Sheet>,
    },
}

/// A sheet of a workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sheet {
    /// Its name as on its tab.
    pub(crate) name: String,
    /// Whether it is hidden, so that only its name makes it read.
    pub(crate) hidden: bool,
}

/// Reads a file into memory: at most [`file::FILE_BYTES_MAX`], and of a workbook [`parts::UNZIPPED_BYTES_MAX`], [`cells::CELLS_MAX`],
/// [`cells::TEXT_BYTES_MAX`], and of an `.xls` [`xls::XLS_CELLS_MAX`].
///
/// # Errors
///
/// Each names the file. In this order: of the file as such ([`Problem::Missing`], [`Problem::Folder`],
/// [`Problem::Long`], [`Problem::Unreadable`], [`Problem::Changing`], [`Problem::Empty`]); [`Problem::NoTable`] and
/// [`Problem::Page`] by its first bytes. Then of a text: [`Problem::UnknownEncoding`], [`Problem::Nul`],
/// [`Problem::Cut`], [`Problem::Encoding`], [`Problem::Delimiter`], [`Problem::QuoteOpen`] or [`Problem::QuoteTail`]
/// whichever comes first, [`Problem::QuoteSwallows`], [`Problem::Empty`]. Or of a workbook: [`Problem::Password`],
/// [`Problem::Much`] or [`Problem::Damaged`], [`Problem::NoSheet`] or [`Problem::NoneVisible`], [`Problem::Value`],
/// [`Problem::EmptySheet`].
pub(crate) fn read(path: &Path, options: &Options) -> Result<Grid, GridError> {
    match file::read(path).and_then(|bytes| read_bytes(bytes, options)) {
        Ok((rows, form)) => Ok(Grid { rows, form, open_in: file::open_in(path) }),
        Err(problem) => Err(GridError { path: path.to_owned(), problem }),
    }
}

fn read_bytes(bytes: Vec<u8>, options: &Options) -> Result<(Vec<Line>, Form), Problem> {
    match Content::of(&bytes)? {
        Content::Workbook => workbook::read(&bytes, options.sheet.as_deref()),
        Content::Text => read_text(bytes, options),
    }
}

/// What the first bytes of a file show.
enum Content {
    Text,
    Workbook,
}

impl Content {
    fn of(bytes: &[u8]) -> Result<Self, Problem> {
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") || starts(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
            return Ok(Self::Workbook);
        }
        if starts(b"%PDF") {
            return Err(Problem::NoTable("a PDF"));
        }
        if starts(b"{\\rtf") {
            return Err(Problem::NoTable("a text document"));
        }
        if starts(b"\x1F\x8B") || starts(b"Rar!") || starts(b"7z\xBC\xAF") {
            return Err(Problem::NoTable("a compressed file; unpack it, or"));
        }
        let head = bytes.get(..1_024).unwrap_or(bytes);
        if is_page(&String::from_utf8_lossy(head)) { Err(Problem::Page) } else { Ok(Self::Text) }
    }
}

/// Whether a text begins as HTML or XML does.
fn is_page(text: &str) -> bool {
    let text = text.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
    let starts = |tag: &str| text.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag));
    ["<!doctype", "<html", "<?xml", "<head", "<meta", "<table", "<!--"].into_iter().any(starts)
}

fn read_text(bytes: Vec<u8>, options: &Options) -> Result<(Vec<Line>, Form), Problem> {
    let encoding::Decoded { text, encoding, bom } = encoding::decode(bytes, options.encoding.as_deref())?;
    // Again, for UTF-16.
    if is_page(&text) {
        return Err(Problem::Page);
    }
    let (delimiter, skipped) = text::separator(&text).unwrap_or((options.delimiter.unwrap_or(','), 0));
    let rows = text::rows(text.get(skipped..).unwrap_or_default(), if skipped > 0 { 2 } else { 1 }, delimiter)?;
    if rows.is_empty() {
        return Err(Problem::Empty);
    }
    let first_end = text.find(['\r', '\n']).and_then(|end| text.get(end..));
    let crlf = first_end.is_some_and(|end| end.starts_with("\r\n"));
    Ok((rows, Form::Text { encoding, bom, delimiter, crlf }))
}
