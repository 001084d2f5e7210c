//! Sheets of `OpenDocument`.
//!
//! Read here and not by calamine (0.36.1), which repeats a cell or a blank as often as a file says until memory ends,
//! drops line breaks and tabs within cells, and refuses files with white space between cells.

use std::{borrow::Cow, collections::HashSet};

use quick_xml::{
    Reader,
    events::{BytesEnd, BytesRef, BytesStart, Event},
};

use super::{Line, Problem, Sheet, cells::Sheetful, parts, value};

/// Blanks that one element may stand for: the longest text of a cell in Excel; `LibreOffice` writes few.
const SPACES_MAX: u64 = 32_767;

/// A document's `content.xml`.
pub(super) struct Ods(String);

impl Ods {
    /// Takes the content out of a zip whose parts have been checked.
    ///
    /// # Errors
    ///
    /// [`Problem::Password`], then [`Problem::Damaged`].
    pub(super) fn open(bytes: &[u8]) -> Result<Self, Problem> {
        let manifest = parts::part(bytes, "META-INF/manifest.xml")?.unwrap_or_default();
        if String::from_utf8_lossy(&manifest).contains("encryption-data") {
            return Err(Problem::Password);
        }
        let content = parts::part(bytes, "content.xml")?.unwrap_or_default();
        String::from_utf8(content).map(Self).map_err(damaged)
    }

    /// The sheets in their order.
    pub(super) fn sheets(&self) -> Result<Vec<Sheet>, Problem> {
        let mut reader = self.reader();
        let (mut style, mut hidden, mut sheets) = (String::new(), HashSet::new(), Vec::new());
        loop {
            match next(&mut reader)? {
                Node::Start(start) => match start.name().as_ref() {
                    b"style:style" => style = attribute(&start, "style:name")?.unwrap_or_default(),
                    b"style:table-properties" if attribute(&start, "table:display")?.as_deref() == Some("false") => {
                        hidden.insert(style.clone());
                    }
                    b"table:table" => {
                        let style = attribute(&start, "table:style-name")?.unwrap_or_default();
                        if let Some(name) = attribute(&start, "table:name")? {
                            sheets.push(Sheet { name, hidden: hidden.contains(&style) });
                        }
                        reader.read_to_end(start.name()).map_err(damaged)?;
                    }
                    _ => {}
                },
                Node::Done => return Ok(sheets),
                Node::End(_) | Node::Text(_) => {}
            }
        }
    }

    /// The rows of a sheet by its place among `sheets`.
    pub(super) fn rows(&self, index: usize) -> Result<Vec<Line>, Problem> {
        let mut reader = self.reader();
        let mut before = index;
        loop {
            match next(&mut reader)? {
                Node::Start(start) if start.name().as_ref() == b"table:table" => {
                    let named = attribute(&start, "table:name")?.is_some();
                    if named && before == 0 {
                        return table(&mut reader);
                    }
                    before -= usize::from(named);
                    reader.read_to_end(start.name()).map_err(damaged)?;
                }
                Node::Done => return Ok(Vec::new()),
                Node::Start(_) | Node::End(_) | Node::Text(_) => {}
            }
        }
    }

    fn reader(&self) -> Reader<&[u8]> {
        let mut reader = Reader::from_str(&self.0);
        reader.config_mut().expand_empty_elements = true;
        reader
    }
}

/// Rows up to the end of a table, whatever groups them.
fn table(reader: &mut Reader<&[u8]>) -> Result<Vec<Line>, Problem> {
    let mut sheet = Sheetful::default();
    let mut cells = Vec::new();
    let mut number: u64 = 0;
    loop {
        match next(reader)? {
            Node::Start(start) if start.name().as_ref() == b"table:table-row" => {
                let times = count(&start, "table:number-rows-repeated")?;
                row(reader, &mut cells)?;
                if !cells.is_empty() {
                    let (mut all, mut bytes) = (0_u64, 0_u64);
                    for (column, repeated, text) in &cells {
                        all = all.max(column.saturating_add(*repeated));
                        bytes = bytes.saturating_add(repeated.saturating_mul(text.len() as u64));
                    }
                    Sheetful::room(times, all, bytes)?;
                    for repeated in 0..times {
                        add(&mut sheet, number.saturating_add(repeated), &cells)?;
                    }
                }
                number = number.saturating_add(times);
            }
            Node::End(end) if end.name().as_ref() == b"table:table" => return Ok(sheet.finish()),
            Node::Done => return Err(Problem::Damaged("a table without an end".to_owned())),
            Node::Start(_) | Node::End(_) | Node::Text(_) => {}
        }
    }
}

/// A cell with text: its column, how often it is repeated, the text.
type Cell = (u64, u64, String);

fn add(sheet: &mut Sheetful, row: u64, cells: &[Cell]) -> Result<(), Problem> {
    for (column, times, text) in cells {
        for repeated in 0..*times {
            sheet.cell(row, column.saturating_add(repeated), text)?;
        }
    }
    Ok(())
}

/// Cells with text up to the end of a row.
fn row(reader: &mut Reader<&[u8]>, cells: &mut Vec<Cell>) -> Result<(), Problem> {
    cells.clear();
    let mut column: u64 = 0;
    loop {
        match next(reader)? {
            Node::Start(start)
                if matches!(start.name().as_ref(), b"table:table-cell" | b"table:covered-table-cell") =>
            {
                let times = count(&start, "table:number-columns-repeated")?;
                let text = paragraphs(reader)?;
                let text = cell(&start, text)?;
                if !text.is_empty() {
                    cells.push((column, times, text));
                }
                column = column.saturating_add(times);
            }
            Node::End(end) if end.name().as_ref() == b"table:table-row" => return Ok(()),
            Node::Done => return Err(Problem::Damaged("a row without an end".to_owned())),
            Node::Start(_) | Node::End(_) | Node::Text(_) => {}
        }
    }
}

/// The text of a cell by its attributes, or by the paragraphs that it shows.
fn cell(start: &BytesStart<'_>, shown: String) -> Result<String, Problem> {
    let kind = attribute(start, "office:value-type")?;
    if attribute(start, "calcext:value-type")?.as_deref() == Some("error") {
        return Ok(shown);
    }
    let value = |name: &str| attribute(start, name);
    let text = match kind.as_deref() {
        Some("float" | "percentage" | "currency") => {
            value("office:value")?.map(|text| text.parse().map_or(text, value::number))
        }
        Some("date") => value("office:date-value")?.map(|text| value::iso_date(&text)),
        Some("time") => value("office:time-value")?.map(|text| value::iso_duration(&text)),
        Some("boolean") => value("office:boolean-value")?.map(|text| text.to_uppercase()),
        Some(_) => value("office:string-value")?,
        None if shown.is_empty() => value("table:formula")?.map(|formula| {
            // `of:=[.A1]`: the language, then the formula.
            format!("={}", formula.split_once('=').map_or("", |(_, formula)| formula))
        }),
        None => None,
    };
    Ok(text.unwrap_or(shown))
}

/// The paragraphs of a cell up to its end, without notes and drawings.
fn paragraphs(reader: &mut Reader<&[u8]>) -> Result<String, Problem> {
    let (mut text, mut inside, mut first) = (String::new(), 0_usize, true);
    loop {
        match next(reader)? {
            Node::Start(start) => match start.name().as_ref() {
                b"text:p" | b"text:h" => {
                    text.push_str(if first { "" } else { "\n" });
                    (inside, first) = (inside + 1, false);
                }
                b"text:s" => (0..count(&start, "text:c")?.min(SPACES_MAX)).for_each(|_| text.push(' ')),
                b"text:tab" => text.push('\t'),
                b"text:line-break" => text.push('\n'),
                name if name.starts_with(b"draw:")
                    || matches!(name, b"office:annotation" | b"table:table" | b"text:note" | b"text:ruby-text") =>
                {
                    reader.read_to_end(start.name()).map_err(damaged)?;
                }
                _ => {}
            },
            Node::End(end) => match end.name().as_ref() {
                b"text:p" | b"text:h" => inside = inside.saturating_sub(1),
                b"table:table-cell" | b"table:covered-table-cell" => return Ok(text),
                _ => {}
            },
            Node::Text(part) => text.push_str(if inside > 0 { &part } else { "" }),
            Node::Done => return Err(Problem::Damaged("a cell without an end".to_owned())),
        }
    }
}

/// What a document is made of.
enum Node<'d> {
    Start(BytesStart<'d>),
    End(BytesEnd<'d>),
    Text(Cow<'d, str>),
    Done,
}

fn next<'d>(reader: &mut Reader<&'d [u8]>) -> Result<Node<'d>, Problem> {
    loop {
        return Ok(match reader.read_event().map_err(damaged)? {
            Event::Start(start) | Event::Empty(start) => Node::Start(start),
            Event::End(end) => Node::End(end),
            Event::Text(text) => Node::Text(text.xml10_content().map_err(damaged)?),
            Event::CData(text) => Node::Text(text.xml10_content().map_err(damaged)?),
            Event::GeneralRef(reference) => Node::Text(letter(&reference)?.to_string().into()),
            Event::Eof => Node::Done,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => continue,
        });
    }
}

/// What `&amp;` or `&#65;` stands for. Others are none of this format: entities that a file defines are never expanded.
fn letter(reference: &BytesRef<'_>) -> Result<char, Problem> {
    if let Some(letter) = reference.resolve_char_ref().map_err(damaged)? {
        return Ok(letter);
    }
    let name = reference.decode().map_err(damaged)?;
    let text = quick_xml::escape::resolve_xml_entity(&name).and_then(|text| text.chars().next());
    text.ok_or_else(|| Problem::Damaged(format!("the entity {name:?}")))
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, Problem> {
    let Some(attribute) = start.try_get_attribute(name).map_err(damaged)? else { return Ok(None) };
    let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(damaged)?;
    Ok(Some(value.into_owned()))
}

/// How often something is repeated: once unless it says so.
fn count(start: &BytesStart<'_>, name: &str) -> Result<u64, Problem> {
    attribute(start, name)?.map_or(Ok(1), |text| text.parse().map_err(damaged))
}

fn damaged(error: impl std::fmt::Display) -> Problem {
    Problem::Damaged(error.to_string())
}
