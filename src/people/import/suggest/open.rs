//! Reads a file that says nothing of its own form.

use std::{io::Read, path::Path};

use encoding_rs::UTF_8;

use super::super::grid::{self, Form, Grid, guess_delimiter, guess_encoding};

/// A file, and what had to be said to read it.
pub(super) struct Opened {
    pub(super) grid: Grid,
    /// To be named in the mapping: UTF-8 and what a byte order mark says need no name.
    pub(super) encoding: Option<String>,
    /// To be named in the mapping: a comma needs no name.
    pub(super) delimiter: Option<char>,
    /// The workbook's sheet where it was named.
    pub(super) sheet: Option<String>,
    /// Other sheets, as people would name them.
    pub(super) others: Vec<String>,
    /// What is unsure about all this.
    pub(super) unsure: Vec<String>,
}

/// Guessing looks at no more of a file's text than this: an encoding shows early.
const HEAD_BYTES: u64 = 4 * 1_024 * 1_024;

/// Reads the file, its encoding and delimiter guessed.
///
/// # Errors
/// What [`grid::read`] says of it.
pub(super) fn open(path: &Path, sheet: Option<&str>) -> Result<Opened, String> {
    let mut options = grid::Options { sheet: sheet.map(str::to_owned), ..grid::Options::default() };
    let mut unsure = Vec::new();
    let (mut encoding, mut delimiter) = (None, None);
    // A file that can't be opened is told by the reader that comes next; and a pipe would be empty for it.
    if path.is_file() {
        let head = head(path).unwrap_or_default();
        let is_text = !(head.starts_with(b"PK") || head.starts_with(b"\xD0\xCF\x11\xE0"));
        let guessed = guess(&head).filter(|_| is_text);
        if let Some(guessed) = guessed {
            if guessed != UTF_8 && encoding_rs::Encoding::for_bom(&head).is_none() {
                encoding = Some(guessed.name().to_lowercase());
                unsure.push(format!(
                    "encoding: {} by the look of its letters; see that names are right",
                    guessed.name().to_lowercase()
                ));
            }
            let (text, _, _) = guessed.decode(&head);
            delimiter = separator(&text).filter(|delimiter| *delimiter != ',');
        }
    }
    options.encoding.clone_from(&encoding);
    options.delimiter = delimiter;
    let grid = grid::read(path, &options).map_err(|error| error.to_string())?;
    let others = match &grid.form {
        Form::Text { .. } => Vec::new(),
        Form::Workbook { others, .. } => {
            let named =
                |sheet: &grid::Sheet| format!("{:?}{}", sheet.name, if sheet.hidden { " (hidden)" } else { "" });
            others.iter().map(named).collect()
        }
    };
    let sheet = match &grid.form {
        Form::Workbook { sheet: read, .. } => sheet.map(|_| read.clone()),
        Form::Text { .. } => None,
    };
    Ok(Opened { grid, encoding, delimiter, sheet, others, unsure })
}

/// The encoding of a beginning of a file; the last character may be cut.
fn guess(head: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let whole = guess_encoding(head);
    if whole == Some(UTF_8) || (head.len() as u64) < HEAD_BYTES {
        return whole;
    }
    let cut = head.iter().rposition(|byte| *byte == b'\n').and_then(|end| head.get(..=end));
    cut.and_then(guess_encoding).or(whole)
}

fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// What parts the cells. Titles above a table have fewer cells than its rows: the guess is tried below them too.
fn separator(text: &str) -> Option<char> {
    let mut rest = text;
    for _ in 0..10 {
        if let Some(found) = guess_delimiter(rest) {
            return Some(found);
        }
        rest = rest.split_once('\n')?.1;
    }
    // A file pasted together, or with notes between: the sign that its first lines have most of.
    let head: String = text.lines().take(50).collect();
    let counted = [',', ';', '\t', '|'].into_iter().map(|sign| (head.matches(sign).count(), sign));
    counted.filter(|(count, _)| *count > 0).max_by_key(|(count, _)| *count).map(|(_, sign)| sign)
}
