//! Cells of workbooks as text.

use zip::CompressionMethod;

use super::{
    super::{value, *},
    books::{label, number, ods, record, xls, xls_stream, xlsb, xlsx, xlsx_parts, xlsx_with, zipped},
    error_of, rows_of,
};

fn texts(rows: &[(u64, &[&str])]) -> Vec<(u64, Vec<String>)> {
    rows.iter().map(|(number, cells)| (*number, cells.iter().map(|cell| (*cell).to_owned()).collect())).collect()
}

fn parsed(bytes: impl Into<Vec<u8>>) -> Vec<(u64, Vec<String>)> {
    rows_of(bytes, &Options::default())
}

#[test]
fn cells_of_xlsx_are_shown_as_text() {
    let rows = "<row r=\"5\"><c r=\"B5\" t=\"s\"><v>0</v></c><c r=\"D5\" t=\"s\"><v>1</v></c></row>\
                <row r=\"6\"><c r=\"A6\" s=\"1\"/></row>\
                <row r=\"7\"><c r=\"A7\" t=\"s\"><v>2</v></c><c r=\"B7\"><v>42.0</v></c><c r=\"C7\"><v>0.1</v></c>\
                <c r=\"D7\" t=\"b\"><v>1</v></c><c r=\"E7\" t=\"e\"><v>#N/A</v></c><c r=\"F7\" s=\"1\"><v>46086</v></c>\
                <c r=\"G7\" s=\"1\"><v>46086.583333333336</v></c><c r=\"H7\" s=\"2\"><v>0.58333333333333337</v></c>\
                <c r=\"I7\" s=\"3\"><v>1.0625</v></c><c r=\"J7\" t=\"inlineStr\"><is><t>a</t></is></c></row>\
                <row r=\"9\"><c r=\"A9\"><f>A1+B1</f></c><c r=\"B9\" t=\"str\"><f>\"\"</f><v></v></c>\
                <c r=\"C9\"><f t=\"shared\" si=\"0\" ref=\"C9:C10\">D9*2</f><v/></c>\
                <c r=\"D9\"><f>1+1</f><v>2</v></c></row>\
                <row r=\"10\"><c r=\"C10\"><f t=\"shared\" si=\"0\"/></c></row>";
    let expected = texts(&[
        (5, &["", "id", "", "张三 & co"]),
        (7, &[" 0042 ", "42", "0.1", "TRUE", "#N/A", "2026-03-05", "2026-03-05T14:00:00", "14:00:00", "25:30:00", "a"]),
        (9, &["=A1+B1", "", "=D9*2", "2"]),
        (10, &["", "", "=D9*2"]),
    ]);
    assert_eq!(parsed(xlsx(rows)), expected);
    let without = "<row><c t=\"inlineStr\"><is><t>a</t></is></c><c><v>1</v></c></row><row><c><v>2</v></c></row>";
    assert_eq!(parsed(xlsx(without)), texts(&[(1, &["a", "1"]), (2, &["2"])]));
    for (rows, expected) in [
        (
            "<row r=\"3\"><c r=\"A3\" t=\"e\"><v>#SPILL!</v></c></row>",
            "sheet \"Hours\" shows #SPILL! in a cell, none of which is above row 1;",
        ),
        (
            "<row r=\"3\"><c r=\"A3\"><v>1</v></c></row><row r=\"2\"><c r=\"A2\"><v>1</v></c></row>",
            "row 2 are out of order",
        ),
        ("<row r=\"3\"><c r=\"B3\"><v>1</v></c><c r=\"A3\"><v>1</v></c></row>", "row 3 are out of order"),
        ("<row r=\"3\"><c r=\"A3\" t=\"s\"><v>9</v></c></row>", "damaged"),
        ("<row r=\"3\"><c r=\"A3\"/></row>", "its sheet \"Hours\" is empty"),
        ("<row r=\"3\"><c r=\"ABCDEFGHIJ3\"><v>1</v></c></row>", "damaged"),
    ] {
        let found = error_of(xlsx(rows), &Options::default());
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn sheets_are_taken_by_name_or_the_first_that_is_shown() {
    let row = |text: &str| format!("<row r=\"1\"><c r=\"A1\" t=\"str\"><v>{text}</v></c></row>");
    let (one, two, three) = (row("one"), row("two"), row("three"));
    let book =
        xlsx_with(&[("Old", "hidden", &one), ("Hours", "visible", &two), ("Très", "veryHidden", &three)], "", "<sst/>");
    let named = |sheet: &str| Options { sheet: Some(sheet.to_owned()), ..Options::default() };
    for (options, cell) in
        [(Options::default(), "two"), (named("Old"), "one"), (named("hours "), "two"), (named("TRÈS"), "three")]
    {
        assert_eq!(rows_of(book.clone(), &options), texts(&[(1, &[cell])]));
    }
    let found = error_of(book.clone(), &named("Hour"));
    assert!(found.contains("no sheet \"Hour\"; it has: \"Old\" (hidden), \"Hours\", \"Très\" (hidden)"), "{found}");
    let Form::Workbook { sheet, others } = read_bytes(book.clone(), &named("Old")).unwrap().1 else { panic!("a text") };
    assert_eq!((sheet.as_str(), others.len(), others[1].hidden), ("Old", 2, true));
    let hidden = xlsx_with(&[("Old", "hidden", &one)], "", "<sst/>");
    assert!(
        error_of(hidden, &Options::default()).contains("shows no sheet with cells; name one with `sheet`, of: \"Old\"")
    );
}

#[test]
fn days_are_counted_from_either_epoch() {
    let rows = "<row r=\"1\"><c r=\"A1\" s=\"1\"><v>44624</v></c></row>";
    let book = xlsx_with(&[("Hours", "visible", rows)], "<workbookPr date1904=\"1\"/>", "<sst/>");
    assert_eq!(parsed(book), texts(&[(1, &["2026-03-05"])]));
    for (serial, epoch_1904, expected) in [
        (1.0, false, "1900-01-01"),
        (59.0, false, "1900-02-28"),
        (60.0, false, "1900-02-29"),
        (61.0, false, "1900-03-01"),
        (46_086.0, false, "2026-03-05"),
        (46_086.583_333_333_336, false, "2026-03-05T14:00:00"),
        (46_086.583_333_332, false, "2026-03-05T14:00:00"),
        (46_085.999_999_999_9, false, "2026-03-05"),
        (46_086.500_005_787, false, "2026-03-05T12:00:00.500"),
        (2_958_465.0, false, "9999-12-31"),
        (2_958_466.0, false, "2958466"),
        (0.0, false, "00:00:00"),
        (0.583_333_333_333_333_4, false, "14:00:00"),
        (0.999_999_999_99, false, "23:59:59.999"),
        (-1.5, false, "-1.5"),
        (1.0, true, "1904-01-02"),
        (44_624.25, true, "2026-03-05T06:00:00"),
        (f64::NAN, false, "NaN"),
        (f64::INFINITY, false, "inf"),
    ] {
        assert_eq!(value::date(serial, epoch_1904), expected, "{serial} {epoch_1904}");
    }
    for (days, expected) in [(1.0625, "25:30:00"), (0.0, "00:00:00"), (-0.0625, "-01:30:00"), (1e9, "1000000000")] {
        assert_eq!(value::duration(days), expected);
    }
    for (number, expected) in [
        (42.0, "42"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e22, "1E+22"),
        (1e-7, "0.0000001"),
    ] {
        assert_eq!(value::number(number), expected);
    }
    for (text, expected) in [
        ("2026-03-05", "2026-03-05"),
        ("2026-03-05T00:00:00.000", "2026-03-05"),
        ("2026-03-05T13:59:59.9999", "2026-03-05T14:00:00"),
        ("2026-12-31T23:59:59.9999", "2027-01-01"),
        ("2026-03-05T14:00:00Z", "2026-03-05T14:00:00Z"),
        ("soon", "soon"),
    ] {
        assert_eq!(value::iso_date(text), expected);
    }
    for (text, expected) in [
        ("PT14H00M00S", "14:00:00"),
        ("PT25H30M00.0000000001S", "25:30:00"),
        ("PT13H59M59,9999S", "14:00:00"),
        ("-PT1H30M", "-01:30:00"),
        ("P1DT2H", "26:00:00"),
        ("P1Y", "P1Y"),
        ("PT9999999999999H", "PT9999999999999H"),
        ("14:00", "14:00"),
    ] {
        assert_eq!(value::iso_duration(text), expected);
    }
}

#[test]
fn cells_of_ods_are_shown_as_text() {
    let book = ods("<table:table table:name=\"Old\" table:style-name=\"gone\"><table:table-row><table:table-cell \
         office:value-type=\"string\"><text:p>old</text:p></table:table-cell></table:table-row></table:table>\n\
         <table:table table:name=\"Hours &amp; more\"><table:table-column/><table:table-row \
         table:number-rows-repeated=\"4\"><table:table-cell table:number-columns-repeated=\"1024\"/>\
         </table:table-row>\n<table:table-row> <table:table-cell/> <table:table-cell office:value-type=\"string\" \
         table:number-columns-repeated=\"2\"><office:annotation><text:p>note</text:p></office:annotation><text:p>a \
         &amp;<text:s text:c=\"2\"/>b<text:line-break/>c</text:p><text:p>d&#65;</text:p></table:table-cell>\
         <table:table-cell office:value-type=\"float\" office:value=\"42.0\"><text:p>42,00</text:p></table:table-cell>\
         <table:table-cell office:value-type=\"date\" office:date-value=\"2026-03-05T14:00:00\"/>\
         <table:table-cell office:value-type=\"time\" office:time-value=\"PT25H30M00S\"/>\
         <table:table-cell office:value-type=\"boolean\" office:boolean-value=\"false\"/>\
         <table:table-cell table:formula=\"of:=[.A1]+1\"/><table:table-cell table:formula=\"of:=&quot;&quot;\" \
         office:value-type=\"string\" office:string-value=\"\"/><table:table-cell office:value-type=\"string\" \
         calcext:value-type=\"error\" office:string-value=\"\" table:formula=\"of:=NA()\"><text:p>#N/A</text:p>\
         </table:table-cell></table:table-row><table:table-row-group><table:table-row \
         table:number-rows-repeated=\"2\"><table:covered-table-cell/><table:table-cell \
         office:value-type=\"percentage\" office:value=\"0.5\"/></table:table-row></table:table-row-group>\
         <table:table-row \
         table:number-rows-repeated=\"1048569\"><table:table-cell table:number-columns-repeated=\"16384\"/>\
         </table:table-row></table:table>");
    let text = "a &  b\nc\ndA";
    let first = ["", text, text, "42", "2026-03-05T14:00:00", "25:30:00", "FALSE", "=[.A1]+1", "", "#N/A"];
    assert_eq!(parsed(book.clone()), texts(&[(5, &first), (6, &["", "0.5"]), (7, &["", "0.5"])]));
    let old = Options { sheet: Some("old".to_owned()), ..Options::default() };
    assert_eq!(rows_of(book, &old), texts(&[(1, &["old"])]));
}

#[test]
fn cells_of_xls_are_shown_as_text_and_charts_are_none() {
    let begin = record(0x0809, &[0, 6, 32, 0]);
    let chart = [begin, number(6, 2, 0, 9.0), record(0x000A, &[])].concat();
    let formula = |tokens: &[u8]| {
        let value = 2.5_f64.to_le_bytes();
        record(0x0006, &[&[8, 0, 0, 0, 0, 0][..], &value, &[0; 6], tokens].concat())
    };
    let cells = [
        record(0x0200, &[[0; 4], [0, 0, 1, 0], [0, 0, 0, 1], [0; 4]].concat()[..14]),
        label(6, 2, "张三"),
        number(6, 3, 0, 0.5),
        number(6, 4, 1, 46_086.0),
        number(6, 5, 2, 0.75),
        chart,
        // Tokens that end too soon.
        formula(&[4, 0, 1, 2, 0, 0]),
    ];
    let expected = texts(&[(7, &["", "", "张三", "0.5", "2026-03-05", "18:00:00"]), (9, &["2.5"])]);
    assert_eq!(parsed(xls(&cells.concat())), expected);
    let hidden = ole::wrap(xls_stream(&label(0, 0, "x"), "Alt", 1)).unwrap();
    assert!(error_of(hidden, &Options::default()).contains("\"Alt\" (hidden)"));
    let locked = ole::wrap([record(0x0809, &[0; 16]), record(0x002F, &[0; 6])].concat()).unwrap();
    assert!(error_of(locked, &Options::default()).contains("protected by a password"));
}

#[test]
fn whole_numbers_of_xlsb_keep_their_format() {
    let whole = |number: u32| number << 2 | 0b10;
    let cells =
        [(0, whole(42)), (1, whole(46_086)), (1, whole(4_608_650) | 1), (0, whole(500_000_000)), (0, 0xFFFF_FF9E)];
    let expected = ["42", "2026-03-05", "2026-03-05T12:00:00", "500000000", "-25"];
    assert_eq!(parsed(xlsb(&cells)), texts(&[(7, &expected)]));
}

#[test]
fn what_is_no_workbook_is_refused() {
    let zip = |parts: &[(&str, &[u8])]| zipped(parts, CompressionMethod::Stored);
    let sheet = b"application/vnd.oasis.opendocument.spreadsheet";
    let locked = b"<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>";
    for (bytes, expected) in [
        (zip(&[("word/document.xml", b"")]), "is a Word document; save the table as CSV, .xlsx, .xls or .ods"),
        (zip(&[("Index/Tables/Table.iwa", b"")]), "Numbers"),
        (zip(&[("mimetype", b"application/vnd.oasis.opendocument.text"), ("content.xml", b"")]), "without sheets"),
        (zip(&[("hours.csv", b"a,b")]), "zip file that holds no workbook"),
        (zip(&[]), "zip file that holds no workbook"),
        (
            zip(&[("mimetype", sheet), ("content.xml", b"?"), ("META-INF/manifest.xml", locked)]),
            "protected by a password",
        ),
        (zip(&[("mimetype", sheet), ("content.xml", b"<a><b")]), "damaged or half written"),
        (zip(&[("mimetype", sheet), ("encrypted-package", b"?")]), "protected by a password"),
        (zip(&[("xl/workbook.xml", b"")]), "damaged or half written"),
    ] {
        let found = error_of(bytes, &Options::default());
        assert!(found.contains(expected), "{found}");
    }
    let parts = xlsx_parts(&[("Hours", "visible", "")], "", "<sst/>");
    let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, part)| (name.as_str(), part.as_slice())).collect();
    let whole = zipped(&parts, CompressionMethod::Deflated);
    for length in (4..whole.len()).step_by(7) {
        assert!(error_of(&whole[..length], &Options::default()).contains("damaged or half written"), "{length}");
    }
}
