//! Spreadsheets in every shape that people and programs write: each comes to the minutes that its maker put down beside it,
//! and what can't be right is refused or told by its row.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;

use super::{Files, Ledger, counts};

/// Where a mapping stands.
enum Mapped {
    /// In `examples/`, as users take it.
    Example(&'static str),
    Here(&'static str),
}

use Mapped::{Example, Here};

const GERMAN: &str = r#"
source = "semicolons"
encoding = "windows-1252"
delimiter = ";"
decimal = "comma"
date_format = "%d.%m.%Y"
[columns]
record = ["Mitgliedsnummer", "Datum", "Tätigkeit"]
volunteer = "Mitgliedsnummer"
date = "Datum"
hours = "Stunden"
[constants]
station = "verein"
"#;
const GB18030: &str = r#"
source = "gb18030"
encoding = "gb18030"
[columns]
record = ["编号", "服务日期", "服务项目"]
volunteer = "编号"
date = "服务日期"
hours = "服务时长(小时)"
[constants]
station = "s1"
"#;
/// Some of its dates have a format of Excel's that has no code in the file, and come as numbers.
const DATES: &str = r#"
source = "dates"
date_format = "excel"
[columns]
record = ["志愿者编号", "服务日期", "服务内容"]
volunteer = "志愿者编号"
date = "服务日期"
hours = "服务时长(小时)"
[constants]
station = "s1"
"#;
const SPANS: &str = r#"
source = "spans"
[columns]
record = ["姓名", "日期", "服务时间"]
volunteer = "姓名"
date = "日期"
interval = "服务时间"
[constants]
station = "s1"
"#;
const SERIALS: &str = r#"
source = "serials"
date_format = "excel"
[columns]
record = ["Member No", "Date", "Activity"]
volunteer = "Member No"
date = "Date"
hours = "Hours"
[constants]
station = "s1"
"#;
const MERGED: &str = r#"
source = "merged"
fill_down = ["服务日期", "姓名", "志愿者编号"]
[columns]
record = ["志愿者编号", "服务日期", "服务内容"]
volunteer = "志愿者编号"
date = "服务日期"
hours = "服务时长(小时)"
[constants]
station = "s1"
"#;
const TIMES: &str = r#"
source = "times"
[columns]
record = ["志愿者编号", "开始时间"]
volunteer = "志愿者编号"
start = "开始时间"
end = "结束时间"
[constants]
station = "s1"
"#;
/// Whoever is inactive has no name in the report, but the same words as others: an id that nobody has keeps an account from
/// being opened for them.
const REPORT: &str = r#"
source = "report"
[columns]
record = ["Fecha", "Origen", "Destino"]
volunteer = "Destino"
start = "Fecha"
hours = "Cantidad"
[constants]
station = "s1"
[volunteers]
"El usuario no está activo" = "00000000000000000000000000000000"
"#;

const SHAPES: [(&str, Mapped); 22] = [
    ("01-plain.csv", Example("plain-chinese.toml")),
    ("02-semicolons.csv", Here(GERMAN)),
    ("03-gb18030.csv", Here(GB18030)),
    ("04-chinese-dates.xlsx", Here(DATES)),
    ("05-chinese-durations.ods", Example("plain-chinese.toml")),
    ("06-spans.xlsx", Here(SPANS)),
    ("07-serials.csv", Here(SERIALS)),
    ("08-merged.xlsx", Here(MERGED)),
    ("09-title-and-total.xls", Example("plain-chinese.toml")),
    ("10-start-and-end.xlsx", Here(TIMES)),
    ("bad/1904.xlsx", Here(TIMES)),
    ("clockify.csv", Example("clockify.toml")),
    ("harvest.csv", Example("harvest.toml")),
    ("kimai.csv", Example("kimai.toml")),
    ("komunitin-transfers.csv", Example("komunitin.toml")),
    ("national-list.csv", Example("national-list.toml")),
    ("taiwan.xls", Example("taiwan.toml")),
    ("timecounts.csv", Example("timecounts.toml")),
    ("timeoverflow-report.csv", Here(REPORT)),
    ("timeoverflow-transfers.csv", Example("timeoverflow.toml")),
    ("toggl.csv", Example("toggl.toml")),
    ("v4s.csv", Example("v4s.toml")),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sheet(name: &str) -> String {
    root().join("tests/import/sheets").join(name).to_str().unwrap().to_owned()
}

fn expected(name: &str) -> BTreeMap<String, Value> {
    serde_json::from_str(&fs::read_to_string(sheet(name)).unwrap()).unwrap()
}

/// A mapping's text. Rows of a year ago are too old for the ledger unless they are brought over, and these grow older.
fn text(mapped: &Mapped) -> String {
    let text = match mapped {
        Example(name) => fs::read_to_string(root().join("examples").join(name)).unwrap(),
        Here(text) => (*text).to_owned(),
    };
    if text.contains("\nimported = true") { text } else { format!("imported = true\n{text}") }
}

/// A sheet under a mapping, into a ledger of its own.
struct Shape {
    ledger: Ledger,
    files: Files,
    sheet: String,
}

impl Shape {
    fn new(name: &str, mapped: &Mapped) -> Self {
        Self { ledger: Ledger::new(), files: Files::new(&text(mapped)), sheet: sheet(name) }
    }

    fn run(&self, more: &[&str]) -> Output {
        let import = ["import", &self.sheet, "--mapping", &self.files.mapping, "--open-accounts"];
        self.ledger.run(&[&import[..], more].concat())
    }

    fn import(&self, more: &[&str]) -> Value {
        let import = ["import", &self.sheet, "--mapping", &self.files.mapping, "--open-accounts"];
        self.ledger.import(&[&import[..], more].concat())
    }

    /// What the people of a list have.
    fn minutes(&self, people: &Value) -> Value {
        let minutes = |who: &String| {
            let balance: Value = serde_json::from_slice(&self.ledger.run(&["balance", who]).stdout).unwrap_or_default();
            (who.clone(), balance["balance_minutes"].clone())
        };
        people.as_object().unwrap().keys().map(minutes).collect::<serde_json::Map<_, _>>().into()
    }

    /// What all people have, whoever they are.
    fn people(&self) -> Vec<i64> {
        let sums = self.ledger.sums().into_iter();
        sums.filter(|(kind, _)| kind == "resident").map(|(_, minutes)| minutes).collect()
    }
}

/// What the people of a list are to have, without their names.
fn sorted(people: &Value) -> Vec<i64> {
    let mut minutes: Vec<i64> = people.as_object().unwrap().values().map(|minutes| minutes.as_i64().unwrap()).collect();
    minutes.sort_unstable();
    minutes
}

fn lines(report: &Value) -> Vec<u64> {
    report["rejects"].as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap()).collect()
}

/// What of a shape is otherwise than its maker put down.
fn faults(name: &str, mapped: &Mapped, wanted: &Value) -> Vec<String> {
    let shape = Shape::new(name, mapped);
    let zone = ["--zone", wanted["zone"].as_str().unwrap()];
    let size = shape.ledger.status()["size"].clone();
    let tried = shape.import(&[&zone[..], &["--dry-run"]].concat());
    let is_dry = shape.ledger.status()["size"] == size;
    let report = shape.import(&zone);
    let left_out = report["left_out"].as_u64().unwrap();
    let rejected: Vec<u64> =
        wanted["rejected"].as_array().unwrap().iter().map(|row| row["row"].as_u64().unwrap()).collect();
    // Rows that aren't in the right state are left out, or refused.
    let found = lines(&report);
    let are_told = found.len() as u64 + left_out == rejected.len() as u64
        && found.iter().all(|line| rejected.contains(line))
        && (left_out > 0 || found == rejected);
    let rows = counts(&report)[0] + left_out + report["joined"].as_u64().unwrap();
    // Without --zone: the source keeps the one that it was first read in.
    let again = counts(&shape.import(&[]));
    let checks = [
        (is_dry && counts(&tried) == counts(&report), format!("a dry run says {:?}", counts(&tried))),
        (are_told, format!("rejected: {found:?}, expected {rejected:?}: {}", report["rejects"])),
        (rows == wanted["rows"].as_u64().unwrap(), format!("{rows} rows")),
        (shape.minutes(&wanted["minutes"]) == wanted["minutes"], format!("{}", shape.minutes(&wanted["minutes"]))),
        (shape.people() == sorted(&wanted["minutes"]), format!("people: {:?}", shape.people())),
        (again[1..4] == [0; 3] && again[4] == counts(&report)[1], format!("the same again: {again:?}")),
    ];
    checks.into_iter().filter(|(is_right, _)| !is_right).map(|(_, fault)| format!("{name}: {fault}")).collect()
}

#[test]
fn every_shape_comes_to_the_minutes_that_are_put_down_beside_it() {
    let all = expected("expected.json");
    let named: Vec<&str> = SHAPES.iter().map(|(name, _)| *name).collect();
    assert!(all.keys().all(|name| named.contains(&name.as_str())), "each has a mapping");
    let faults: Vec<String> = SHAPES.iter().flat_map(|(name, mapped)| faults(name, mapped, &all[*name])).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn sums_and_signatures_are_told_and_no_records() {
    let shape = Shape::new("09-title-and-total.xls", &Example("plain-chinese.toml"));
    assert_eq!(shape.import(&[])["totals"], serde_json::json!([12, 20, 28, 30]));
}

#[test]
fn a_service_that_was_split_at_midnight_is_one_record() {
    let wanted = expected("expected.json")["national-list.csv"]["joined"].clone();
    let shape = Shape::new("national-list.csv", &Example("national-list.toml"));
    assert_eq!(shape.import(&[])["joined"], 2);
    for joined in wanted.as_array().unwrap() {
        let history = shape.ledger.json(&["history", joined["volunteer"].as_str().unwrap()]);
        let minutes = |row: &Value| row["details"]["service"]["credited_minutes"].clone();
        let found = history["rows"].as_array().unwrap().iter().any(|row| minutes(row) == joined["minutes"]);
        assert!(found, "{joined}: {history}");
    }
}

/// Where hours are formulas without values, the times are there.
const CLOCKS: &str = r#"
source = "clocks"
totals = "合计"
[columns]
record = ["志愿者编号", "服务日期", "开始"]
volunteer = "志愿者编号"
start = ["服务日期", "开始"]
end = ["服务日期", "结束"]
[constants]
station = "s1"
"#;
const FORMULAS: &str = r#"
source = "formulas"
totals = "合计"
[columns]
record = ["志愿者编号", "服务日期", "开始"]
volunteer = "志愿者编号"
date = "服务日期"
hours = "服务时长"
[constants]
station = "s1"
"#;

/// What becomes of a file that can't be right.
enum Ends {
    /// It is refused, in these words, and nothing is recorded.
    Refused(&'static [&'static str]),
    /// These rows are rejected, each with one of the words; the others are taken.
    Rejected(&'static [u64], &'static [&'static str]),
}

use Ends::{Refused, Rejected};

const PLAIN: Mapped = Example("plain-chinese.toml");

const BAD: [(&str, Mapped, Ends); 17] = [
    ("renamed-csv.xlsx", PLAIN, Rejected(&[], &[])),
    ("encrypted.xlsx", PLAIN, Refused(&["password"])),
    ("formulas-without-values.xlsx", Here(FORMULAS), Rejected(&[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], &["formula"])),
    ("formulas-without-values.xlsx", Here(CLOCKS), Rejected(&[], &[])),
    ("hidden-first-sheet.xlsx", PLAIN, Rejected(&[], &[])),
    ("merged.xlsx", Here(CLOCKS), Refused(&["开始", "It has: 姓名"])),
    ("cut.xlsx", PLAIN, Refused(&["damaged"])),
    ("cut-in-row.csv", PLAIN, Rejected(&[10], &["服务日期"])),
    ("cut-in-character-utf-8.csv", PLAIN, Refused(&["line 10", "cut"])),
    ("cut-in-character-gb18030.csv", PLAIN, Refused(&["line 1", "encoding", "gb18030"])),
    ("nul.csv", PLAIN, Refused(&["line 6", "NUL"])),
    ("mixed-delimiters.csv", PLAIN, Rejected(&[7, 8, 9, 10, 11, 12, 13], &["the cell"])),
    ("mixed-encodings.csv", PLAIN, Refused(&["line 9", "UTF-8"])),
    ("million-empty-rows.xlsx", PLAIN, Rejected(&[], &[])),
    ("two-tables.xlsx", PLAIN, Rejected(&[10, 11, 12, 13, 14, 15, 16], &["服务日期", "服务时长", "志愿者编号"])),
    (
        "error-cells.xlsx",
        PLAIN,
        Rejected(&[4, 6, 8, 9, 10], &["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "more than nothing"]),
    ),
    ("../no-such-file.csv", PLAIN, Refused(&["no such file"])),
];

#[test]
fn what_cannot_be_right_is_refused_or_told_by_its_row() {
    let all = expected("bad/expected.json");
    for name in all.keys() {
        assert!(BAD.iter().any(|(bad, ..)| Path::new(name).ends_with(bad)), "{name} is in the table");
    }
    for (name, mapped, ends) in &BAD {
        let shape = Shape::new(&format!("bad/{name}"), mapped);
        let output = shape.run(&["--zone", "Asia/Shanghai"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!error.contains("panicked"), "{name}: {error}");
        match ends {
            Refused(words) => {
                assert_eq!(output.status.code(), Some(2), "{name}: {error}");
                assert!(words.iter().all(|word| error.contains(word)), "{name}: {words:?} in {error}");
                assert_eq!(shape.ledger.status()["size"], 1, "{name}: nothing is half recorded");
            }
            Rejected(rows, words) => {
                let report: Value =
                    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{name}: {error}"));
                let [taken, rejected] = [1, 5].map(|at| counts(&report)[at]);
                let code = if rejected == 0 {
                    0
                } else if taken == 0 {
                    1
                } else {
                    4
                };
                assert_eq!((output.status.code(), lines(&report)), (Some(code), rows.to_vec()), "{name}: {report}");
                let reasons = report["rejects"].as_array().unwrap();
                let is_told = |row: &Value| words.iter().any(|word| row["message"].as_str().unwrap().contains(word));
                assert!(reasons.iter().all(is_told), "{name}: {}", report["rejects"]);
                if taken > 0 {
                    let minutes = &all[&format!("bad/{name}")]["minutes_if_read"];
                    assert_eq!((&shape.minutes(minutes), shape.people()), (minutes, sorted(minutes)), "{name}");
                }
            }
        }
    }
}
