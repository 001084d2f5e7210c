//! Files that are small and become large.

use std::{
    fmt::Write,
    io::{Cursor, Write as _},
    time::{Duration, Instant},
};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{
    super::*,
    books::{label, ods, record, xls, xlsx, xlsx_with, zipped},
    error_of, rows_of,
};

fn refused(bytes: Vec<u8>, expected: &str) {
    let started = Instant::now();
    let found = error_of(bytes, &Options::default());
    assert!(found.contains(expected), "{found}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn stray_cells_and_empty_rows_cost_little() {
    let rows = "<row r=\"1\"><c r=\"A1\"><v>1</v></c></row><row r=\"2\"><c r=\"B2\"><v>2</v></c></row>\
                <row r=\"1048576\"><c r=\"XFD1048576\"><v>3</v></c></row>";
    let found = rows_of(xlsx(rows), &Options::default());
    assert_eq!((found.len(), found[2].0, found[2].1.len()), (3, 1_048_576, 16_384));
    let mut rows = String::from("<row r=\"1\"><c r=\"A1\"><v>1</v></c></row>");
    for number in 2..=1_048_576 {
        write!(rows, "<row r=\"{number}\"><c r=\"A{number}\" s=\"1\"/></row>").unwrap();
    }
    let started = Instant::now();
    assert_eq!(rows_of(xlsx(&rows), &Options::default()).len(), 1);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    refused(xlsx("<row r=\"1048577\"><c r=\"A1048577\"><v>1</v></c></row>"), "more rows than 1048576");
    refused(xlsx("<row r=\"1\"><c r=\"XFE1\"><v>1</v></c></row>"), "more columns than 16384");
    let mut wide = String::new();
    for number in 1..5_000 {
        write!(wide, "<row r=\"{number}\"><c r=\"XFD{number}\"><v>1</v></c></row>").unwrap();
    }
    refused(xlsx(&wide), "more cells than 67108864");
}

#[test]
fn rectangles_of_xls_are_measured() {
    let found = rows_of(xls(&[label(0, 0, "a"), label(65_535, 255, "z")].concat()), &Options::default());
    assert_eq!((found.len(), found[1].0, found[1].1.len()), (2, 65_536, 256));
    refused(xls(&[label(0, 0, "a"), label(65_535, 256, "z")].concat()), "more cells than 16777216");
    let size = |rows: u32, columns: u16| {
        record(0x0200, &[&[0; 4][..], &rows.to_le_bytes(), &[0; 2], &columns.to_le_bytes(), &[0; 2]].concat())
    };
    refused(xls(&[size(u32::MAX, 65_535), label(0, 0, "a")].concat()), "damaged");
}

#[test]
fn repeated_cells_of_ods_are_counted() {
    let table = |rows: &str, columns: &str, text: &str| {
        ods(&format!(
            "<table:table table:name=\"T\"><table:table-row table:number-rows-repeated=\"{rows}\"><table:table-cell \
             table:number-columns-repeated=\"{columns}\" office:value-type=\"string\"><text:p>{text}</text:p>\
             </table:table-cell></table:table-row></table:table>"
        ))
    };
    refused(table("1048577", "1", "x"), "more rows than 1048576");
    refused(table("1", "4000000000", "x"), "more columns than 16384");
    refused(table("1048576", "65", "x"), "more cells than 67108864");
    refused(table("65536", "1", "<text:s text:c=\"4000000000\"/>"), "more bytes of text than 1073741824");
    refused(table("99999999999999999999", "1", "x"), "damaged");
}

#[test]
fn shared_strings_are_counted_where_they_are_shown() {
    let strings = format!("<sst><si><t>{}</t></si></sst>", "x".repeat(1_000_000));
    let mut rows = String::new();
    for number in 1..2_000 {
        write!(rows, "<row r=\"{number}\"><c r=\"A{number}\" t=\"s\"><v>0</v></c></row>").unwrap();
    }
    refused(xlsx_with(&[("S", "visible", &rows)], "", &strings), "more bytes of text than");
    for count in ["9999999999", "99999999999999999999999"] {
        let strings = format!("<sst count=\"1\" uniqueCount = \"{count}\"><si/></sst>");
        refused(xlsx_with(&[("S", "visible", &rows)], "", &strings), "damaged");
    }
}

#[test]
fn entities_are_not_expanded() {
    let mut entities = String::from("<!DOCTYPE x [<!ENTITY a0 \"lol\">");
    for level in 1..20 {
        write!(entities, "<!ENTITY a{level} \"{}\">", format!("&a{};", level - 1).repeat(10)).unwrap();
    }
    let cell = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c></row>";
    let strings = format!("{entities}]><sst><si><t>&a19;</t></si></sst>");
    refused(xlsx_with(&[("S", "visible", cell)], "", &strings), "damaged");
    let table = "<table:table table:name=\"T\"><table:table-row><table:table-cell office:value-type=\"string\"><text:p>\
                 &a19;</text:p></table:table-cell></table:table-row></table:table>";
    refused(ods(&format!("{entities}]>{table}")), "damaged");
}

#[test]
fn a_zip_bomb_is_refused_by_its_claims_and_by_what_it_holds() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("xl/workbook.xml", SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))
        .unwrap();
    let block = vec![b' '; 1_024 * 1_024];
    for _ in 0..1_025 {
        zip.write_all(&block).unwrap();
    }
    let bomb = zip.finish().unwrap().into_inner();
    assert!(bomb.len() < 1_200_000);
    refused(bomb.clone(), "more bytes of unzipped contents than 1073741824");
    // The same, claiming a hundred bytes, in the part's own header and in the directory.
    let claim = u32::try_from(1_025 * block.len()).unwrap().to_le_bytes();
    let mut liar = bomb;
    let places: Vec<usize> = (0..liar.len() - 4).filter(|at| liar[*at..*at + 4] == claim).collect();
    assert_eq!(places.len(), 2);
    for place in places {
        liar[place..place + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    let found = error_of(liar, &Options::default());
    assert!(found.contains("more bytes of unzipped") || found.contains("damaged"), "{found}");
    let many: Vec<(String, Vec<u8>)> = (0..5_000).map(|number| (format!("xl/{number}.xml"), Vec::new())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, part)| (name.as_str(), part.as_slice())).collect();
    refused(zipped(&many, CompressionMethod::Stored), "no workbook");
}
