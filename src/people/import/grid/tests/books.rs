//! Small workbooks, written by hand.

use std::{
    fmt::Write,
    io::{Cursor, Write as _},
};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::super::ole;

/// A zip of parts.
pub(super) fn zipped(parts: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Styles by number: 0 general, 1 a date, 2 a time, 3 a duration.
pub(super) const STYLES: &str = "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"[h]:mm\"/></numFmts>\
    <cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"21\"/><xf numFmtId=\"164\"/></cellXfs>\
    </styleSheet>";

/// Parts of an `.xlsx` with sheets of a name, a state, and rows.
pub(super) fn xlsx_parts(sheets: &[(&str, &str, &str)], properties: &str, strings: &str) -> Vec<(String, Vec<u8>)> {
    let (mut list, mut relations, mut parts) = (String::new(), String::new(), Vec::new());
    for (number, (name, state, rows)) in (1..).zip(sheets) {
        write!(list, "<sheet name=\"{name}\" sheetId=\"{number}\" state=\"{state}\" r:id=\"r{number}\"/>").unwrap();
        let kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet";
        let target = format!("worksheets/sheet{number}.xml");
        write!(relations, "<Relationship Id=\"r{number}\" Type=\"{kind}\" Target=\"{target}\"/>").unwrap();
        let sheet = format!("<worksheet><dimension ref=\"A1:XFD1048576\"/><sheetData>{rows}</sheetData></worksheet>");
        parts.push((format!("xl/worksheets/sheet{number}.xml"), sheet.into_bytes()));
    }
    let workbook = format!("<workbook xmlns:r=\"x\">{properties}<sheets>{list}</sheets></workbook>");
    let mut add = |name: &str, text: String| parts.push((name.to_owned(), text.into_bytes()));
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument";
    let root = format!("<Relationship Id=\"r1\" Type=\"{office}\" Target=\"xl/workbook.xml\"/>");
    add("_rels/.rels", format!("<Relationships>{root}</Relationships>"));
    add("xl/workbook.xml", workbook);
    add("xl/_rels/workbook.xml.rels", format!("<Relationships>{relations}</Relationships>"));
    add("xl/styles.xml", STYLES.to_owned());
    add("xl/sharedStrings.xml", strings.to_owned());
    parts
}

pub(super) fn xlsx_with(sheets: &[(&str, &str, &str)], properties: &str, strings: &str) -> Vec<u8> {
    let parts = xlsx_parts(sheets, properties, strings);
    let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, part)| (name.as_str(), part.as_slice())).collect();
    zipped(&parts, CompressionMethod::Deflated)
}

/// An `.xlsx` of one sheet with three shared strings.
pub(super) fn xlsx(rows: &str) -> Vec<u8> {
    let strings = "<sst uniqueCount=\"3\"><si><t>id</t></si><si><r><t>张</t></r><r><t>三 &amp; co</t></r></si>\
                   <si><t xml:space=\"preserve\"> 0042 </t></si></sst>";
    xlsx_with(&[("Hours", "visible", rows)], "", strings)
}

/// An `.ods` of tables.
pub(super) fn ods(tables: &str) -> Vec<u8> {
    let content = format!(
        "<?xml version=\"1.0\"?><office:document-content><office:automatic-styles><style:style style:name=\"gone\" \
         style:family=\"table\"><style:table-properties table:display=\"false\"/></style:style>\
         </office:automatic-styles><office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>\
         </office:document-content>"
    );
    let kind = b"application/vnd.oasis.opendocument.spreadsheet";
    let parts: [(&str, &[u8]); 3] =
        [("mimetype", kind), ("content.xml", content.as_bytes()), ("META-INF/manifest.xml", b"<manifest:manifest/>")];
    zipped(&parts, CompressionMethod::Deflated)
}

/// A record of `.xls`.
pub(super) fn record(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), body].concat()
}

/// A number in an `.xls`.
pub(super) fn number(row: u16, column: u16, style: u16, value: f64) -> Vec<u8> {
    let place: Vec<u8> = [row, column, style].into_iter().flat_map(u16::to_le_bytes).collect();
    record(0x0203, &[&place[..], &value.to_le_bytes()].concat())
}

/// A text in an `.xls`.
pub(super) fn label(row: u16, column: u16, text: &str) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let head: Vec<u8> =
        [row, column, 0, u16::try_from(units.len()).unwrap()].into_iter().flat_map(u16::to_le_bytes).collect();
    let text: Vec<u8> = units.into_iter().flat_map(u16::to_le_bytes).collect();
    record(0x0204, &[&head[..], &[1], &text].concat())
}

/// The stream of an `.xls` of one sheet, with the styles of `STYLES` but the duration.
pub(super) fn xls_stream(cells: &[u8], name: &str, hidden: u8) -> Vec<u8> {
    let begin = |kind: u16| record(0x0809, &[&0x0600_u16.to_le_bytes()[..], &kind.to_le_bytes(), &[0; 12]].concat());
    let style = |format: u16| record(0x00E0, &[&[0, 0][..], &format.to_le_bytes(), &[0; 16]].concat());
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let sheet = |start: u32| {
        let name = [&[u8::try_from(units.len() / 2).unwrap(), 1][..], &units].concat();
        record(0x0085, &[&start.to_le_bytes()[..], &[hidden, 0], &name].concat())
    };
    let head = |start| [begin(5), style(0), style(14), style(21), sheet(start), record(0x000A, &[])].concat();
    let start = u32::try_from(head(0).len()).unwrap();
    [head(start), begin(16), cells.to_vec(), record(0x000A, &[])].concat()
}

pub(super) fn xls(cells: &[u8]) -> Vec<u8> {
    ole::wrap(xls_stream(cells, "Stunden", 0)).unwrap()
}

/// A record of `.xlsb`.
fn binary(kind: u16, body: &[u8]) -> Vec<u8> {
    let kind = if kind < 0x80 {
        vec![u8::try_from(kind).unwrap()]
    } else {
        vec![u8::try_from(kind & 0x7F).unwrap() | 0x80, u8::try_from(kind >> 7).unwrap()]
    };
    assert!(body.len() < 0x80);
    [&kind[..], &[u8::try_from(body.len()).unwrap()], body].concat()
}

/// An `.xlsb` of one row: numbers of 30 bits with their styles, those of `STYLES`.
pub(super) fn xlsb(cells: &[(u32, u32)]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let text = |text: &str| {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        [words(&[u32::try_from(units.len() / 2).unwrap()]), units].concat()
    };
    let sheet = binary(0x009C, &[words(&[0, 1]), text("r1"), text("Hours")].concat());
    let workbook = [sheet, binary(0x0090, &[]), binary(0x009D, &[])].concat();
    let style = |format: u16| binary(0x002F, &[&[0, 0][..], &format.to_le_bytes(), &[0; 12]].concat());
    let styles = [binary(0x0269, &words(&[3])), style(0), style(14), style(21)].concat();
    let cells = (0..).zip(cells).flat_map(|(column, (style, number))| binary(2, &words(&[column, *style, *number])));
    let mut part = [binary(0x0081, &[]), binary(0x0094, &words(&[0, 0, 0, 0])), binary(0x0091, &[])].concat();
    part.extend(binary(0, &words(&[6, 0, 0, 0])));
    part.extend(cells);
    part.extend(binary(0x0092, &[]));
    let relations = b"<Relationships><Relationship Id=\"r1\" Target=\"worksheets/sheet1.bin\"/></Relationships>";
    let parts: [(&str, &[u8]); 4] = [
        ("xl/workbook.bin", &workbook),
        ("xl/_rels/workbook.bin.rels", relations),
        ("xl/styles.bin", &styles),
        ("xl/worksheets/sheet1.bin", &part),
    ];
    zipped(&parts, CompressionMethod::Deflated)
}
