//! Each kind of fault that was found in spreadsheets of others, by ten and more inputs: zones, shapes of columns, cells that
//! say two things or nothing, one name in several byte strings, rows too short or too long, line numbers, rejects.

use serde_json::Value;

use super::{Files, Ledger, counts};

/// A mapping for `id`, `who` and what a test adds.
fn mapping(source: &str, top: &str, columns: &str) -> String {
    let columns =
        if columns.contains("volunteer") { columns.to_owned() } else { format!("volunteer = \"who\"\n{columns}") };
    let columns = if columns.contains("record") { columns } else { format!("record = \"id\"\n{columns}") };
    format!("source = \"{source}\"\nimported = true\n{top}\n[columns]\n{columns}\n[constants]\nstation = \"s1\"\n")
}

/// A ledger, and sources with names of their own.
struct Kinds {
    ledger: Ledger,
    number: std::cell::Cell<u32>,
}

impl Kinds {
    fn new() -> Self {
        Self { ledger: Ledger::new(), number: std::cell::Cell::new(0) }
    }

    fn source(&self) -> String {
        self.number.set(self.number.get() + 1);
        format!("source {}", self.number.get())
    }

    /// Imports bytes under a mapping; none where it stops before anything is recorded, with what it says.
    fn import(&self, mapping: &str, contents: &[u8], more: &[&str]) -> Result<Value, String> {
        let files = Files::new(mapping);
        let file = files.csv(contents);
        let import = ["import", &file, "--mapping", &files.mapping, "--open-accounts"];
        let size = self.ledger.status()["size"].clone();
        let output = self.ledger.run(&[&import[..], more].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(2) => {
                assert!(output.stdout.is_empty() && self.ledger.status()["size"] == size, "{error}");
                Err(error)
            }
            Some(0 | 1 | 4) => {
                let report: Value = serde_json::from_slice(&output.stdout).unwrap();
                counts(&report);
                Ok(report)
            }
            code => panic!("{code:?}: {error}"),
        }
    }

    /// The minutes that a sheet of one person brings, or why it brings none.
    fn minutes(&self, top: &str, columns: &str, contents: &[u8]) -> Result<i64, String> {
        let report = self.import(&mapping(&self.source(), top, columns), contents, &[])?;
        let reasons: Vec<&str> =
            report["rejects"].as_array().unwrap().iter().map(|row| row["message"].as_str().unwrap()).collect();
        if reasons.is_empty() { Ok(report["credited_minutes"].as_i64().unwrap()) } else { Err(reasons.join("\n")) }
    }

    fn check(&self, (top, columns): (&str, &str), contents: &[u8], expected: &Result<i64, &str>) {
        let shown = String::from_utf8_lossy(contents).into_owned();
        match (self.minutes(top, columns, contents), expected) {
            (Ok(minutes), Ok(expected)) => assert_eq!(minutes, *expected, "{top} {columns} {shown}"),
            (Err(reason), Err(words)) => assert!(reason.contains(words), "{top} {columns} {shown}: {reason}"),
            (found, _) => panic!("{top} {columns} {shown}: {found:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn times_are_of_the_zone_that_is_named() {
    let kinds = Kinds::new();
    let clocks = "start = \"from\"\nend = \"to\"";
    let with_offset = "start = \"from\"\nend = \"to\"\noffset = \"zone\"";
    let cases = [
        ("zone = \"Asia/Shanghai\"", clocks, "2026-03-29 01:40,2026-03-29 03:20,", Ok(100)),
        ("zone = \"Europe/Prague\"", clocks, "2026-03-29 01:40,2026-03-29 03:20,", Ok(40)),
        ("zone = \"America/New_York\"", clocks, "2025-11-02 00:30,2025-11-02 03:30,", Ok(240)),
        ("zone = \"Australia/Lord_Howe\"", clocks, "2026-04-05 01:00,2026-04-05 03:00,", Ok(150)),
        ("zone = \"Pacific/Chatham\"", clocks, "2026-06-05 01:00,2026-06-05 03:00,", Ok(120)),
        ("zone = \"Europe/Prague\"", clocks, "2026-03-29 02:30,2026-03-29 04:20,", Err("never comes")),
        ("zone = \"Europe/Prague\"", clocks, "2025-10-26 02:30,2025-10-26 04:20,", Err("comes twice")),
        ("zone = \"Europe/Prague\"", clocks, "2025-10-26T02:30+01:00,2025-10-26T04:20+01:00,", Ok(110)),
        ("zone = \"Europe/Nowhere\"", clocks, "2026-03-01 01:40,2026-03-01 03:20,", Err("no such time zone")),
        ("", clocks, "2026-03-01 01:40,2026-03-01 03:20,", Err("zone = ")),
        ("", clocks, "2026-03-01T01:40+09:30,2026-03-01T03:20+09:30,", Ok(100)),
        ("", with_offset, "2026-03-01 01:40,2026-03-01 03:20,UTC+8", Ok(100)),
        ("", with_offset, "2026-03-29 01:40,2026-03-29 03:20,Europe/Prague", Ok(40)),
        ("", with_offset, "2026-03-01 01:40,2026-03-01 03:20,GMT-3:30", Ok(100)),
        ("", with_offset, "2026-03-01 01:40,2026-03-01 03:20,CST", Err("CST")),
        ("", with_offset, "2026-03-01 01:40,2026-03-01 03:20,+15:00", Err("14 hours")),
        ("offset_unit = \"minutes\"", with_offset, "2026-03-01 01:40,2026-03-01 03:20,-210", Ok(100)),
        ("zone = \"Asia/Tokyo\"", with_offset, "2026-03-01 01:40,2026-03-01 03:20,+9", Err("zone or offset")),
    ];
    for (top, columns, cells, expected) in cases {
        let text = format!("id,who,from,to,zone\n1,ann{},{cells}\n", kinds.number.get());
        kinds.check((top, columns), text.as_bytes(), &expected);
    }
    // The log keeps the offset that a cell or row states: the day's limit counts its days.
    for (who, cells, offset) in [
        ("zed", "2026-03-02T01:40-03:30,2026-03-02T03:20-03:30,", "-03:30"),
        ("zoe", "2026-03-02T01:40,2026-03-02T03:20,+0545", "+05:45"),
    ] {
        let text = format!("id,who,from,to,zone\n1,{who},{cells}\n");
        assert_eq!(kinds.minutes("", with_offset, text.as_bytes()), Ok(100));
        let rows = kinds.ledger.json(&["history", who])["rows"].clone();
        assert_eq!(rows[0]["details"]["service"]["utc_offset"], offset);
    }
}

#[test]
fn columns_of_every_shape_say_when_and_how_long() {
    let kinds = Kinds::new();
    let zone = "zone = \"Asia/Shanghai\"";
    let comma = "zone = \"Asia/Shanghai\"\ndecimal = \"comma\"\ndelimiter = \";\"";
    let nearest = "zone = \"Asia/Shanghai\"\nrounding = \"nearest\"";
    let cases = [
        (zone, "start = [\"a\", \"b\"]\nend = [\"a\", \"c\"]", "2026-03-05,09:00,11:30", Ok(150)),
        (zone, "start = [\"a\", \"b\"]\nend = [\"a\", \"c\"]", "2026-03-05,22:00,01:00", Ok(180)),
        (zone, "date = \"a\"\nstart = \"b\"\nend = \"c\"", "2026/3/5,9:00 AM,1:15 PM", Ok(255)),
        (zone, "date = \"a\"\ninterval = \"b\"", "2026年3月5日,14：00～16：30,", Ok(150)),
        (zone, "date = \"a\"\ninterval = \"b\"", "2026-03-05,23:30-次日0:30,", Ok(60)),
        (zone, "interval = \"a\"", "2026-03-05 14:00-16:30,,", Ok(150)),
        (zone, "date = \"a\"\nstart = \"b\"\nhours = \"c\"", "2026-03-05,09:00,1:45", Ok(105)),
        (zone, "start = \"a\"\nminutes = \"b\"", "2026-03-05 09:00,50,", Ok(50)),
        (zone, "date = \"a\"\nhours = \"b\"", "2026-03-05,2小时30分,", Ok(150)),
        (zone, "date = \"a\"\nhours = \"b\"", "2026-03-05,1个半小时,", Ok(90)),
        (zone, "date = \"a\"\nhours = \"b\"", "2026-03-05,2h 15m,", Ok(135)),
        (zone, "date = \"a\"\nminutes = \"b\"", "2026-03-05,90 min,", Ok(90)),
        (zone, "date = \"a\"\nseconds = \"b\"", "2026-03-05,5400,", Ok(90)),
        (zone, "date = \"a\"\nhours = [\"b\", \"c\"]", "2026-03-05,2,20", Ok(140)),
        (nearest, "date = \"a\"\nhours = \"b\"", "2026-03-05,0.333333333333333,", Ok(20)),
        (zone, "date = \"a\"\nhours = \"b\"", "2026-03-05,0.01,", Err("rounding")),
        (zone, "date = \"a\"\nhours = \"b\"", "2026-03-05,0,", Err("more than nothing")),
        (zone, "date = \"a\"\nhours = \"b\"", "2026-03-05,-2,", Err("-2")),
        (zone, "date = \"a\"\nhours = \"b\"", "05/03/2026,2,", Err("%d/%m/%Y")),
        ("date_format = [\"%d/%m/%Y\", \"%d.%m.%y\"]", "date = \"a\"\nhours = \"b\"", "05.03.26,2,", Ok(120)),
        ("date_format = \"excel\"", "date = \"a\"\nhours = \"b\"", "46086,2,", Ok(120)),
        ("date_format = \"roc\"", "date = \"a\"\nhours = \"b\"", "115/03/05,2,", Ok(120)),
        ("date_format = \"YYYY-MM-DD\"", "date = \"a\"\nhours = \"b\"", "2026-03-05,2,", Err("%Y-%m-%d")),
        (zone, "start = \"a\"\nend = \"b\"\nbreak = \"c\"", "2026-03-05 09:00,2026-03-05 13:00,45", Ok(195)),
        (zone, "start = \"a\"\nend = \"b\"\nbreak = \"c\"", "2026-03-05 09:00,2026-03-05 10:00,60", Err("break")),
        (zone, "start = \"a\"\nend = \"b\"", "2026-03-05 09:00,2026-03-05 09:00,", Err("not after the start")),
        (zone, "start = \"a\"\nend = \"b\"", "09:00,11:00,", Err("without a date")),
    ];
    for (top, columns, cells, expected) in cases {
        let text = format!("id,who,a,b,c\n1,bea{},{cells}\n", kinds.number.get());
        kinds.check((top, columns), text.as_bytes(), &expected);
    }
    for (cell, minutes) in [("2,5", 150), (",25", 15), ("0,75", 45), ("1.000,5", 0), ("1,333", 80)] {
        let text = format!("id;who;a;b\n1;cas{};2026-03-05;{cell}\n", kinds.number.get());
        let expected = if minutes == 0 { Err("RecordTooLong") } else { Ok(minutes) };
        let expected = if cell == "1,333" { Err("rounding") } else { expected };
        kinds.check((comma, "date = \"a\"\nhours = \"b\""), text.as_bytes(), &expected);
    }
}

#[test]
fn what_says_two_things_or_nothing_is_never_taken() {
    let kinds = Kinds::new();
    let dated = "date = \"day\"\nhours = \"h\"";
    let cases: [(&str, &str, &str, Result<i64, &str>); 16] = [
        ("", dated, "id,who,day,h,h\n1,a,2026-03-05,1,2\n", Err("twice")),
        ("", dated, "id,who,day,h, h \n1,a,2026-03-05,1,2\n", Err("twice")),
        ("", dated, "id,who,who,day,h\n1,a,b,2026-03-05,1\n", Err("twice")),
        (
            "",
            "date = \"day\"\nhours = \"h\"\nminutes = \"m\"",
            "id,who,day,h,m\n1,a,2026-03-05,1,60\n",
            Err("same thing"),
        ),
        ("", "start = \"s\"\nend = \"e\"\nminutes = \"m\"", "id,who,s,e,m\n", Err("take minutes out")),
        ("", "interval = \"s\"\nhours = \"h\"\ndate = \"day\"", "id,who,s,h,day\n", Err("expected start and end")),
        ("", "date = \"day\"\nhours = \"h\"\nbreak = \"b\"", "id,who,day,h,b\n", Err("net")),
        ("", "date = \"day\"\nhours = \"h\"\nstation = \"at\"", "id,who,day,h,at\n", Err("one place")),
        ("", dated, "id,who,day,h\n1,#NAME?,2026-03-05,1\n", Err("#NAME?")),
        ("", dated, "id,who,day,h\n1,a,#NV,1\n", Err("#NV")),
        ("", dated, "id,who,day,h\n#VALUE!,a,2026-03-05,1\n", Err("#VALUE!")),
        ("", dated, "id,who,day,h\n1,a,2026-03-05,########\n", Err("###")),
        ("", dated, "id,who,day,h\n1,a,2026-03-05,\"=SUM(A1:A3)\"\n", Err("=SUM(A1:A3)")),
        ("", dated, "id,who,day,h\n1,a,2026-03-05,Err:502\n", Err("Err:502")),
        ("", dated, "id,who,day,h\n1,\"a,2026-03-05,1\n2,b,2026-03-05,1\n3,c\",2026-03-05,1\n", Err("line")),
        ("", dated, "id,who,day,h\n1,\"a\" b,2026-03-05,1\n", Err("line 2")),
    ];
    for (top, columns, text, expected) in cases {
        kinds.check((top, columns), text.as_bytes(), &expected);
    }
    // Numbers of which the spreadsheet has not kept every digit would be one person.
    for who in ["3.20115E+15", "4,40301E+17", "1E+15"] {
        let text = format!("id,who,day,h\n1,\"{who}\",2026-03-05,1\n");
        kinds.check(("", dated), text.as_bytes(), &Err("every digit"));
        let text = format!("id,who,day,h\n\"{who}\",a,2026-03-05,1\n");
        kinds.check(("", dated), text.as_bytes(), &Err("every digit"));
    }
    kinds.check(
        ("", "date = \"day\"\nminutes = [\"h\", \"m\"]"),
        b"id,who,day,h,m\n1,a,2026-03-05,6,30\n",
        &Err("one column"),
    );
    // What keeps its zeros, or is kept from being run, is what it was.
    let wrapped = ["0042", "=\"0042\"", "\"=\"\"0042\"\"\"", "'+0042", "+0042"];
    for (number, who) in wrapped.iter().enumerate() {
        let text = format!("id,who,day,h\n{number},{who},2026-03-{:02},1\n", number + 1);
        let report = kinds.import(&mapping("wrapped", "", dated), text.as_bytes(), &[]).unwrap();
        assert_eq!(counts(&report)[1], 1, "{report}");
    }
    assert_eq!(kinds.ledger.json(&["balance", "0042"])["balance_minutes"], 180);
    assert_eq!(kinds.ledger.json(&["balance", "+0042"])["balance_minutes"], 120);
}

#[test]
fn one_name_in_several_byte_strings_is_one() {
    let kinds = Kinds::new();
    let dated = "date = \"day\"\nhours = \"h\"";
    let spelled = [
        "Zoë",
        "Zoe\u{308}",
        " Zoë ",
        "\u{a0}Zoë",
        "Zoë\u{200b}",
        "\u{feff}Zoë",
        "Zoë\u{3000}",
        "\u{2060}Zoe\u{308}\u{ad}",
        "\u{202a}Zoë\u{202c}",
        "\tZoë",
        "Zoë\u{200e}",
        "\u{2003}Zoë",
    ];
    for (number, who) in spelled.iter().enumerate() {
        let text = format!("id,who,day,h\n{number},{who},2026-03-{:02},1\n", number + 1);
        let report = kinds.import(&mapping("names", "", dated), text.as_bytes(), &[]).unwrap();
        assert_eq!(counts(&report)[1], 1, "{who:?}: {report}");
        // And so is the id of its record.
        let text = format!("id,who,day,h\n\u{feff}é{number}\u{a0},Kim,2026-03-{:02},1\n", number + 1);
        let apart = text.replace('é', "e\u{301}");
        for (text, expected) in [(text, 1), (apart, 0)] {
            let report = kinds.import(&mapping("names", "", dated), text.as_bytes(), &[]).unwrap();
            assert_eq!(counts(&report)[1], expected, "{text:?}: {report}");
        }
    }
    assert_eq!(kinds.ledger.json(&["balance", "Zoë"])["balance_minutes"], 60 * spelled.len());
    assert_eq!(kinds.ledger.json(&["balance", "Kim"])["balance_minutes"], 60 * spelled.len());
    // What is another name stays one.
    for other in ["zoë", "Zoe", "Zo ë", "Ｚoë"] {
        let text = format!("id,who,day,h\n{other},{other},2026-03-20,1\n");
        assert_eq!(counts(&kinds.import(&mapping("names", "", dated), text.as_bytes(), &[]).unwrap())[1], 1, "{other}");
    }
    assert_eq!(kinds.ledger.json(&["balance", "Zoë"])["balance_minutes"], 60 * spelled.len());
}

#[test]
fn rows_too_short_or_too_long_are_told_from_those_with_empty_cells() {
    let kinds = Kinds::new();
    let dated = "date = \"day\"\nhours = \"h\"";
    let rows = [
        ("1,a,2026-03-05,1,note,x", true),
        ("2,b,2026-03-05,1,,", true),
        ("3,c,2026-03-05,1", true),
        ("4,d,2026-03-05,1,note", true),
        ("5,e,2026-03-05,1,,,,,,", true),
        ("6,f,2026-03-05,1,,,\u{a0},", true),
        ("7,g,2026-03-05,1,,,7", false),
        ("8,h,2026-03-05", false),
        ("9,i", false),
        ("10", false),
        ("11,j,2026-03-05,1,5,note,5", false),
        (",k,2026-03-05,1", false),
        ("12,,2026-03-05,1", false),
    ];
    for delimiter in [",", ";", "\t"] {
        let text: String = rows.iter().map(|(row, _)| row.replace(',', delimiter) + "\r\n").collect();
        let blank = delimiter.repeat(5);
        let text =
            format!("{}\r\n{text}{blank}\r\n\r\n\u{3000}{blank}\r\n", "id,who,day,h,note,more".replace(',', delimiter));
        let top = format!("delimiter = {}", serde_json::to_string(delimiter).unwrap());
        let report = kinds.import(&mapping(&kinds.source(), &top, dated), text.as_bytes(), &[]).unwrap();
        let taken = rows.iter().filter(|(_, taken)| *taken).count() as u64;
        assert_eq!(counts(&report), [rows.len() as u64, taken, 0, 0, 0, rows.len() as u64 - taken], "{report}");
        // The same file, whole, with what separates its cells said by itself.
        let text = format!("sep={delimiter}\r\n{text}");
        let report = kinds.import(&mapping(&kinds.source(), "", dated), text.as_bytes(), &[]).unwrap();
        assert_eq!(counts(&report)[1], taken, "{report}");
    }
}

/// Cells of a text as its own writer meant them, for files of rejects.
fn read_back(bytes: &[u8], label: &str, delimiter: u8) -> Vec<Vec<String>> {
    let (text, ..) = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().decode(bytes);
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn rejects_keep_their_form_and_come_in_when_they_are_mended() {
    let kinds = Kinds::new();
    let dated = "date = \"day\"\nhours = \"h\"";
    let rows = [("1", "André", "2"), ("2", "André", "x"), ("=3", "+441", "x"), ("4", "\"Müller; Zoë, Dr\"", "x")];
    for (label, delimiter, end, bom) in [
        ("utf-8", ",", "\n", false),
        ("utf-8", ",", "\r\n", true),
        ("latin1", ";", "\r\n", false),
        ("gb18030", ",", "\r\n", false),
        ("windows-1252", "\t", "\n", false),
        ("utf-16le", "\t", "\r\n", true),
    ] {
        let line = |(id, who, hours): &(&str, &str, &str)| {
            let who = if label == "gb18030" {
                who.replace("André", "安德烈").replace("Müller; Zoë, Dr", "王, 芳")
            } else {
                (*who).to_owned()
            };
            [id, who.as_str(), "2026-03-05", hours, "note"].join(delimiter) + end
        };
        let text = format!(
            "{}{end}{}",
            ["id", "who", "day", "h", "more"].join(delimiter),
            rows.iter().map(line).collect::<String>()
        );
        let bytes: Vec<u8> = match label {
            "utf-16le" => [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
            "utf-8" if bom => [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat(),
            _ => encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().encode(&text).0.into_owned(),
        };
        let top = format!("encoding = \"{label}\"\ndelimiter = {}", serde_json::to_string(delimiter).unwrap());
        let source = kinds.source();
        let mapping = mapping(&source, &top, dated);
        let rejects = kinds.ledger.folder.path().join(format!("{source}.csv"));
        let report = kinds.import(&mapping, &bytes, &["--rejects", rejects.to_str().unwrap()]).unwrap();
        assert_eq!(counts(&report), [4, 1, 0, 0, 0, 3], "{label}: {report}");
        let written = std::fs::read(&rejects).unwrap();
        assert_eq!(written.starts_with(b"\xef\xbb\xbf"), label == "utf-8" && bom, "{label}");
        assert_eq!(written.starts_with(b"\xff\xfe"), label == "utf-16le", "{label}");
        let cells = read_back(&written, label, delimiter.as_bytes()[0]);
        assert_eq!(cells[0], ["id", "who", "day", "h", "more", "line", "reason"], "{label}");
        assert_eq!(cells.iter().skip(1).map(|row| row[5].as_str()).collect::<Vec<_>>(), ["3", "4", "5"], "{label}");
        assert_eq!(
            (cells[2][0].as_str(), cells[2][1].as_str()),
            ("'=3", "'+441"),
            "no cell is one that a spreadsheet runs"
        );
        assert!(cells[1][6].contains("\"x\""), "{label}: {:?}", cells[1]);
        // Mended where it stands, and saved as it was.
        let (decoded, encoding, _) = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().decode(&written);
        let before = format!("2026-03-05{delimiter}x{delimiter}");
        assert_eq!(decoded.matches(&before).count(), 3);
        let mended = decoded.replace(&before, &format!("2026-03-06{delimiter}3{delimiter}"));
        let mended: Vec<u8> = match label {
            "utf-16le" => [0xfeff].into_iter().chain(mended.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
            _ => encoding.encode(&mended).0.into_owned(),
        };
        let report = kinds.import(&mapping, &mended, &[]).unwrap();
        // A formula's text is no id, also where it was kept from being run.
        assert_eq!(counts(&report), [3, 2, 0, 0, 0, 1], "{label}: {report}");
        let who = if label == "gb18030" { "安德烈" } else { "André" };
        let people =
            kinds.ledger.json(&["account", "list", "--kind", "resident"])["accounts"].as_array().unwrap().len();
        let again = kinds.import(&mapping, &bytes, &[]).unwrap();
        assert_eq!(counts(&again)[4], 1, "{who}");
        let after = kinds.ledger.json(&["account", "list", "--kind", "resident"])["accounts"].as_array().unwrap().len();
        assert_eq!(people, after, "{label}: nobody new is opened");
    }
}

#[test]
fn a_row_is_the_same_however_its_file_was_saved() {
    let kinds = Kinds::new();
    let columns = "record = [\"who\", \"day\"]\ndate = \"day\"\nhours = \"h\"";
    for (number, day) in
        ["2026-10-05", "2026/10/5", "2026-10-05 00:00", "2026-10-05T00:00:00", "2026年10月5日"].iter().enumerate()
    {
        let text = format!("id,who,day,h\n,a,{day},2\n");
        let report = kinds.import(&mapping("saved", "", columns), text.as_bytes(), &[]).unwrap();
        assert_eq!(counts(&report)[1], u64::from(number == 0), "{day}: {report}");
    }
    let columns = "record = [\"who\", \"day\", \"from\"]\ndate = \"day\"\nstart = \"from\"\nhours = \"h\"";
    for (number, from) in ["9:00", "09:00", "0900", "9:00 AM", "上午9:00"].iter().enumerate() {
        let text = format!("id,who,day,from,h\n,a,2026-10-06,{from},2\n");
        let report =
            kinds.import(&mapping("clocks", "zone = \"Asia/Shanghai\"", columns), text.as_bytes(), &[]).unwrap();
        assert_eq!(counts(&report)[1], u64::from(number == 0), "{from}: {report}");
    }
}

#[test]
fn sums_are_told_by_whole_words_and_states_by_what_they_are_or_are_not() {
    let kinds = Kinds::new();
    let dated = "date = \"day\"\nhours = \"h\"";
    let rows = [
        ("Summer", true),
        ("Sum", false),
        ("sum:", false),
        ("SUM of all", false),
        ("Sum2", false),
        ("合计", false),
        ("合计：", false),
        ("小计人数", false),
        ("合 计", true),
        ("Assum", true),
        ("Sümmer", true),
    ];
    let row = |(day, (id, _)): (usize, &(&str, bool))| format!("{id},a,2026-03-{:02},1,ok\n", day + 1);
    let text: String = rows.iter().enumerate().map(row).collect();
    let text = format!("id,who,day,h,state\n{text}");
    let top = "totals = [\"Sum\", \"合计\", \"小计\"]";
    let report = kinds.import(&mapping(&kinds.source(), top, dated), text.as_bytes(), &[]).unwrap();
    let taken = rows.iter().filter(|(_, taken)| *taken).count();
    assert_eq!(
        (counts(&report)[0], report["totals"].as_array().unwrap().len()),
        (taken as u64, rows.len() - taken),
        "{report}"
    );
    let text = "id,who,day,h,state\n1,b,2026-03-01,1,done\n2,b,2026-03-02,1, open \n3,b,2026-03-03,1,\n";
    for (condition, left_out) in [
        ("equals = \"done\"", 2),
        ("not = \"open\"", 1),
        ("equals = [\"done\", \"\"]", 1),
        ("not = [\"done\", \"open\"]", 2),
    ] {
        let mapping = mapping(&kinds.source(), "", dated) + &format!("[only_if]\ncolumn = \"state\"\n{condition}\n");
        assert_eq!(kinds.import(&mapping, text.as_bytes(), &[]).unwrap()["left_out"], left_out, "{condition}");
    }
    let both = mapping(&kinds.source(), "", dated) + "[only_if]\ncolumn = \"state\"\nequals = \"a\"\nnot = \"b\"\n";
    assert!(kinds.import(&both, text.as_bytes(), &[]).unwrap_err().contains("either equals or not"));
}

#[test]
fn a_joined_service_that_is_rejected_keeps_all_of_its_rows() {
    let kinds = Kinds::new();
    let mapping = mapping("split", "zone = \"Asia/Shanghai\"\njoin_midnight = true", "start = \"from\"\nend = \"to\"");
    let first = "id,who,from,to\n0,a,2026-10-01 23:00,2026-10-01 23:30\n";
    assert_eq!(counts(&kinds.import(&mapping, first.as_bytes(), &[]).unwrap())[1], 1);
    let split = "id,who,from,to\n1,a,2026-10-01 22:00:00,2026-10-01 23:59:59\n2,b,2026-10-01 08:00,2026-10-01 09:00\n\
                 3,a,2026-10-02 00:00:00,2026-10-02 01:30:00\n";
    let rejects = kinds.ledger.folder.path().join("split.csv");
    let report = kinds.import(&mapping, split.as_bytes(), &["--rejects", rejects.to_str().unwrap()]).unwrap();
    assert_eq!((counts(&report), &report["joined"]), ([2, 1, 0, 0, 0, 1], &Value::from(1)), "{report}");
    let written = std::fs::read_to_string(&rejects).unwrap();
    assert!(written.contains("1,a,2026-10-01 22:00:00,2026-10-01 23:59:59,2,"), "{written}");
    assert!(written.contains("3,a,2026-10-02 00:00:00,2026-10-02 01:30:00,4,"), "{written}");
    // Mended: somebody else had served then.
    let mended = written.replace(",a,", ",c,");
    assert_eq!(counts(&kinds.import(&mapping, mended.as_bytes(), &[]).unwrap())[1], 1);
    assert_eq!(kinds.ledger.json(&["balance", "c"])["balance_minutes"], 210);
}

#[test]
fn the_zone_of_a_machine_that_read_dates_is_none_for_clocks() {
    let kinds = Kinds::new();
    let dates = mapping("days", "", "date = \"day\"\nhours = \"h\"");
    assert_eq!(counts(&kinds.import(&dates, b"id,who,day,h\n1,a,2026-10-01,1\n", &[]).unwrap())[1], 1);
    let clocks = mapping("days", "", "start = \"day\"\nhours = \"h\"");
    let error = kinds.import(&clocks, b"id,who,day,h\n2,a,2026-10-03 09:00,1\n", &[]).unwrap_err();
    assert!(error.contains("zone ="), "{error}");
    // Another machine reads the dates as this one did.
    let files = Files::new(&dates);
    let file = files.csv("id,who,day,h\n1,a,2026-10-01,1\n");
    let output = kinds
        .ledger
        .command(&["import", &file, "--mapping", &files.mapping, "--json"])
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(counts(&report)[4], 1, "{report}");
}
