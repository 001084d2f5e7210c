//! Bytes at random: whatever they are, there is an answer.

use fastrand::Rng;
use zip::CompressionMethod;

use super::{
    super::*,
    books::{label, number, ods, record, xls, xls_stream, xlsb, xlsx, xlsx_parts, zipped},
};

const SEED: u64 = 20_260_305;

/// Changes some bytes, at random or to some that mean something.
fn mutate(random: &mut Rng, bytes: &mut Vec<u8>, telling: &[u8]) {
    for _ in 0..random.usize(1..8) {
        let at = random.usize(..bytes.len().max(1));
        let byte = if random.bool() { random.u8(..) } else { random.choice(telling).copied().unwrap_or(0) };
        match random.u8(..8) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, byte),
            3 if at < bytes.len() => bytes.extend_from_within(at..),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => bytes.push(byte),
        }
    }
}

fn tried(random: &mut Rng, bytes: Vec<u8>) -> bool {
    let labels = [None, None, Some("gb18030"), Some("big5"), Some("utf-16le"), Some("latin1"), Some("shift_jis")];
    let delimiters = [None, Some(';'), Some('\t'), Some('，')];
    let _ = (guess_encoding(&bytes), guess_delimiter(&String::from_utf8_lossy(&bytes)));
    let options = Options {
        encoding: random.choice(labels).flatten().map(str::to_owned),
        delimiter: random.choice(delimiters).flatten(),
        sheet: None,
    };
    match read_bytes(bytes, &options) {
        Ok((rows, _)) => {
            assert!(rows.is_sorted_by(|before, after| before.number < after.number) && rows[0].number > 0);
            assert!(rows.iter().all(|line| line.cells.iter().count() == line.cells.len()));
            true
        }
        Err(problem) => {
            assert!(!problem.to_string().is_empty());
            false
        }
    }
}

/// Tries so many changed copies; enough of them must still be readable to have come far.
fn all_answer(tries: usize, telling: &[u8], seeds: &[Vec<u8>], finish: impl Fn(Vec<u8>) -> Vec<u8>) {
    // As many as a run of all tests has time for; TIMEBANK_TRIES=100 is the long form.
    let share = std::env::var("TIMEBANK_TRIES").ok().and_then(|share| share.parse().ok()).unwrap_or(4);
    let tries = tries * share / 100;
    let mut random = Rng::with_seed(SEED);
    let mut readable = 0;
    for _ in 0..tries {
        let mut bytes = random.choice(seeds).unwrap().clone();
        mutate(&mut random, &mut bytes, telling);
        readable += usize::from(tried(&mut random, finish(bytes)));
    }
    assert!(readable * 1_000 >= tries, "{readable} of {tries}");
}

#[test]
fn texts_at_random() {
    let seeds = [
        b"id,who,note\r\n1,\"Anne, Leeds\",\"a \"\"b\"\"\nc\"\r\n2,x,\r\n".to_vec(),
        "sep=;\nid;姓名\n1;张三\n2;\"李\n四\"\n".into(),
        b"\xff\xfei\0d\0,\0a\0\n\0\x31\0,\0\x20\x5f\n\0".to_vec(),
        encoding_rs::GB18030.encode("id,姓名\n1,张三\n2,李四\n").0.into_owned(),
    ];
    all_answer(60_000, b"\"\"\",;\r\n\t =\0\xff\x80\xfe", &seeds, |bytes| bytes);
}

#[test]
fn xlsx_at_random() {
    let rows = "<row r=\"5\"><c r=\"B5\" t=\"s\"><v>1</v></c><c r=\"C5\" s=\"1\"><v>46086.5</v></c>\
                <c r=\"D5\"><f t=\"shared\" si=\"0\" ref=\"D5:D6\">A1</f></c></row><row r=\"6\"><c r=\"D6\"><f \
                t=\"shared\" si=\"0\"/></c></row>";
    all_answer(10_000, b"\0\xffPK", &[xlsx(rows)], |bytes| bytes);
    // The same before it is zipped, so that checksums are right.
    let strings = "<sst count=\"2\" uniqueCount=\"2\"><si><t>a</t></si><si><r><t>b</t></r></si></sst>";
    let parts = xlsx_parts(&[("S", "visible", rows), ("T", "hidden", rows)], "<workbookPr date1904=\"1\"/>", strings);
    for changed in 0..parts.len() {
        let rezip = |bytes: Vec<u8>| {
            let mut parts: Vec<(&str, &[u8])> =
                parts.iter().map(|(name, part)| (name.as_str(), part.as_slice())).collect();
            parts[changed].1 = &bytes;
            zipped(&parts, CompressionMethod::Stored)
        };
        all_answer(2_000, b"<>/\"'=&;:09AZ az!-", &[parts[changed].1.clone()], rezip);
    }
}

#[test]
fn other_workbooks_at_random() {
    let table = "<table:table table:name=\"T\"><table:table-row table:number-rows-repeated=\"2\"><table:table-cell \
                 office:value-type=\"float\" office:value=\"1\"/><table:table-cell office:value-type=\"date\" \
                 office:date-value=\"2026-03-05T14:00:00\"/><table:table-cell office:value-type=\"time\" \
                 office:time-value=\"PT1H30M0.5S\"/><table:table-cell><text:p>a&amp;b<text:s/></text:p>\
                 </table:table-cell></table:table-row></table:table>";
    let kind = b"application/vnd.oasis.opendocument.spreadsheet";
    let rezip = |bytes: Vec<u8>| zipped(&[("mimetype", kind), ("content.xml", &bytes)], CompressionMethod::Stored);
    all_answer(6_000, b"<>/\"'=&;:09TP az!-", &[table.into()], rezip);
    all_answer(1_000, b"\0\xffPK", &[ods(table)], |bytes| bytes);
    let cells = [
        label(0, 0, "张三"),
        number(0, 1, 1, 46_086.0),
        record(0x00BD, &[1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1, 0]),
        record(0x0006, &[&[2, 0, 0, 0, 0, 0][..], &1.5_f64.to_le_bytes(), &[0; 6], &[1, 0, 3]].concat()),
        record(0x0809, &[0, 6, 32, 0]),
        number(0, 0, 0, 1.0),
        record(0x000A, &[]),
    ]
    .concat();
    let telling = b"\0\0\x01\x02\x03\x06\x08\x09\x0a\x85\xbd\xfc\xe0\xff\xfe\xff";
    all_answer(8_000, telling, &[xls_stream(&cells, "S", 0)], |bytes| ole::wrap(bytes).unwrap());
    // The container itself: its header, its table, its directory.
    let whole = xls(&cells);
    let head = whole[..12_288].to_vec();
    let tail = &whole[12_288..];
    all_answer(4_000, telling, &[head], |bytes| [&bytes, tail].concat());
    all_answer(2_000, telling, &[xlsb(&[(0, 0x16), (1, 0x2_D01A)])], |bytes| bytes);
}
