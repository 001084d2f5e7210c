//! The parts of a zipped workbook, measured and checked before anything else reads them.

use std::io::{self, Cursor, Read, Write};

use zip::{
    CompressionMethod, ZipArchive, ZipWriter,
    result::ZipError,
    write::{FileOptions, SimpleFileOptions},
};

use super::Problem;

/// Bytes of all parts together once unzipped: an Excel sheet of as many rows as there can be, 1,048,576, with 16 cells
/// of some 60 bytes of XML each. A zip can hold a thousand times its size.
pub(crate) const UNZIPPED_BYTES_MAX: u64 = 1_024 * 1_024 * 1_024;

const MUCH: Problem = Problem::Much { what: "bytes of unzipped contents", most: UNZIPPED_BYTES_MAX };

/// The names of all parts, of which each has been unzipped once to see that it is whole and that together they are not
/// too long: sizes in a zip are only claims.
///
/// # Errors
///
/// In this order: [`Problem::Damaged`] if it is no zip to its end, [`Problem::Much`] by what it claims; then part by
/// part [`Problem::Much`] by what it holds, and [`Problem::Password`] or [`Problem::Damaged`].
pub(super) fn check(bytes: &[u8]) -> Result<Vec<String>, Problem> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(wrong)?;
    let mut claimed: u64 = 0;
    for index in 0..zip.len() {
        claimed = claimed.saturating_add(zip.by_index_raw(index).map_err(wrong)?.size());
    }
    if claimed > UNZIPPED_BYTES_MAX {
        return Err(MUCH);
    }
    let mut left = UNZIPPED_BYTES_MAX;
    let mut names = Vec::with_capacity(zip.len());
    for index in 0..zip.len() {
        let part = zip.by_index(index).map_err(wrong)?;
        let name = part.name().to_owned();
        let mut part = part.take(left + 1);
        let read = if name.to_ascii_lowercase().ends_with("sharedstrings.xml") {
            let mut text = Vec::new();
            part.read_to_end(&mut text).map_err(wrong)?;
            check_count(&text)?;
            text.len() as u64
        } else {
            io::copy(&mut part, &mut io::sink()).map_err(wrong)?
        };
        left = left.checked_sub(read).ok_or(MUCH)?;
        names.push(name);
    }
    Ok(names)
}

/// calamine makes room for as many strings as `uniqueCount` says (0.36.1), and the process ends where there isn't so
/// much memory. The shortest string, `<si/>`, has 5 bytes.
fn check_count(text: &[u8]) -> Result<(), Problem> {
    const NAME: &[u8] = b"uniqueCount";
    let mut rest = text;
    while let Some(at) = rest.windows(NAME.len()).position(|window| window == NAME) {
        rest = rest.get(at + NAME.len()..).unwrap_or_default();
        let value = rest.trim_ascii_start().strip_prefix(b"=").unwrap_or_default().trim_ascii_start();
        let digits = value.iter().skip(1).take_while(|byte| byte.is_ascii_digit());
        let count =
            digits.fold(0_usize, |count, digit| count.saturating_mul(10).saturating_add(usize::from(digit - b'0')));
        if count > text.len() / 5 {
            return Err(Problem::Damaged(format!("{count} shared strings in {} bytes", text.len())));
        }
    }
    Ok(())
}

/// One part; none if the zip has none of this name.
pub(super) fn part(bytes: &[u8], name: &str) -> Result<Option<Vec<u8>>, Problem> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(wrong)?;
    let part = match zip.by_name(name) {
        Ok(part) => part,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    let mut content = Vec::new();
    part.take(UNZIPPED_BYTES_MAX).read_to_end(&mut content).map_err(wrong)?;
    Ok(Some(content))
}

/// The zip again with parts changed, not compressed; without pictures and what else is no data.
pub(super) fn rewrite(bytes: &[u8], change: fn(&str, &mut [u8])) -> Result<Vec<u8>, Problem> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(wrong)?;
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    let options: SimpleFileOptions = FileOptions::default().compression_method(CompressionMethod::Stored);
    for index in 0..zip.len() {
        let part = zip.by_index(index).map_err(wrong)?;
        let name = part.name().to_owned();
        if ![".bin", ".xml", ".rels"].iter().any(|end| name.to_ascii_lowercase().ends_with(end)) {
            continue;
        }
        let mut content = Vec::new();
        part.take(UNZIPPED_BYTES_MAX).read_to_end(&mut content).map_err(wrong)?;
        change(&name, &mut content);
        to.start_file(name, options).map_err(wrong)?;
        to.write_all(&content).map_err(wrong)?;
    }
    Ok(to.finish().map_err(wrong)?.into_inner())
}

fn wrong(error: impl Into<ZipError>) -> Problem {
    let error = error.into();
    let locked = matches!(error, ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED));
    if locked { Problem::Password } else { Problem::Damaged(error.to_string()) }
}
