//! Mappings that are suggested for files of people and of other programs, taken as they are, and what comes of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;

use crate::{
    real::data,
    server::{Ledger, timebank},
};

fn sheets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import/sheets")
}

fn suggest(path: &Path, more: &[&str]) -> Output {
    let mut command = timebank(&["import", "suggest"]);
    command.arg(path).args(more).output().unwrap()
}

/// The suggestion for a text, as JSON, and its mapping read as TOML.
fn suggested(text: impl AsRef<[u8]>) -> (Value, toml::Table) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hours.csv");
    fs::write(&path, text).unwrap();
    let output = suggest(&path, &["--json"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"));
    let mapping = answer["mapping"].as_str().unwrap().parse().unwrap();
    (answer, mapping)
}

fn text(mapping: &toml::Table, path: &[&str]) -> String {
    let (last, tables) = path.split_last().unwrap();
    let mut table = mapping;
    for name in tables {
        let Some(found) = table.get(*name).and_then(toml::Value::as_table) else { return String::new() };
        table = found;
    }
    match table.get(*last) {
        Some(toml::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

/// What an import by the suggested mapping came to: minutes by person, and the report.
fn imported(path: &Path, edits: &[(&str, &str)]) -> (BTreeMap<String, i64>, Value) {
    let ledger = Ledger::new();
    let mapping = ledger.folder.path().join("station.toml");
    let mapping = mapping.to_str().unwrap();
    let output = suggest(path, &["--out", mapping]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!([Some(0), Some(1)].contains(&output.status.code()), "{error}");
    let mut text = fs::read_to_string(mapping).unwrap();
    // The sheets are of 2026, and a test may run in any year: as history they have no age.
    for (from, to) in edits.iter().chain([&("# imported = true", "imported = true")]) {
        assert!(text.contains(from), "{from}: {text}");
        text = text.replacen(from, to, 1);
    }
    fs::write(mapping, text).unwrap();
    let report = ledger.import(&["import", path.to_str().unwrap(), "--mapping", mapping, "--open-accounts"]);
    let accounts = ledger.json(&["account", "list"]);
    let people = accounts["accounts"].as_array().unwrap().iter().filter(|account| account["kind"] == "resident");
    let minutes = people
        .map(|account| (account["name"].as_str().unwrap().to_owned(), account["balance_minutes"].as_i64().unwrap()));
    (minutes.filter(|(_, minutes)| *minutes != 0).collect(), report)
}

/// Imports a sheet, and compares people's minutes and the rows that are refused with those counted before. `names`: what
/// the file calls a person by whom the count knows otherwise.
fn check(name: &str, edits: &[(&str, &str)], names: &[(&str, &str)]) {
    let oracle: Value = serde_json::from_str(&fs::read_to_string(sheets().join("expected.json")).unwrap()).unwrap();
    let expected = &oracle[name];
    let (minutes, report) = imported(&sheets().join(name), edits);
    let known = |person: &str| names.iter().find(|(from, _)| *from == person).map_or(person, |(_, to)| *to).to_owned();
    let counted = expected["minutes"].as_object().unwrap().iter();
    let counted: BTreeMap<String, i64> =
        counted.map(|(person, minutes)| (known(person), minutes.as_i64().unwrap())).collect();
    let lines = |rows: &Value, key: &str| -> BTreeSet<u64> {
        rows.as_array().unwrap().iter().map(|row| row[key].as_u64().unwrap()).collect()
    };
    let (rejected, refused) = (lines(&report["rejects"], "line"), lines(&expected["rejected"], "row"));
    assert_eq!(minutes, counted, "{name}: {report:#}");
    assert!(rejected.is_subset(&refused), "{name}: {report:#}");
    let left_out = report["left_out"].as_u64().unwrap();
    assert_eq!(rejected.len() as u64 + left_out, refused.len() as u64, "{name}: {report:#}");
    // Each service past midnight of the oracle is joined of two rows.
    let joined = expected["joined"].as_array().map_or(0, Vec::len);
    assert_eq!(report["joined"], joined, "{name}: {report:#}");
    let rows = report["rows"].as_u64().unwrap() + left_out;
    assert_eq!(rows + joined as u64, expected["rows"].as_u64().unwrap(), "{name}: {report:#}");
}

#[test]
fn spreadsheets_of_stations_come_in_by_their_suggested_mapping_to_the_minute() {
    for name in [
        "01-plain.csv",
        "02-semicolons.csv",
        "03-gb18030.csv",
        "04-chinese-dates.xlsx",
        "05-chinese-durations.ods",
        "06-spans.xlsx",
        "07-serials.csv",
        "08-merged.xlsx",
        "09-title-and-total.xls",
        "10-start-and-end.xlsx",
    ] {
        check(name, &[], &[]);
    }
}

#[test]
fn exports_of_other_programs_come_in_with_what_the_file_cannot_say() {
    let zone = |zone: &'static str| ("# zone = \"Europe/Prague\"", zone);
    let toggl = [
        ("Hannah Whitcombe", "hannah@moorside.example"),
        ("Idris Bello", "idris@moorside.example"),
        ("Nuala Finnegan", "nuala@moorside.example"),
        ("Piotr Zaremba", "piotr@moorside.example"),
    ];
    check("toggl.csv", &[zone("zone = \"Europe/London\"")], &toggl);
    let clockify = [
        ("Ana Ruiz", "ana@eastside.example"),
        ("Dolores Whitaker", "dolores@eastside.example"),
        ("Marcus Lee", "marcus@eastside.example"),
        ("Tom Okafor", "tom@eastside.example"),
    ];
    check("clockify.csv", &[zone("zone = \"America/New_York\"")], &clockify);
    check("kimai.csv", &[zone("zone = \"Europe/Berlin\"")], &[]);
    check("harvest.csv", &[], &[]);
    check("v4s.csv", &[], &[]);
    check("timecounts.csv", &[("\n[constants]\n", "\n[constants]\nvolunteer = \"only-person\"\n")], &[]);
    check("komunitin-transfers.csv", &[], &[]);
    check("national-list.csv", &[], &[]);
    // Identity cards aren't taken where there are names.
    let taiwan =
        [("B200000003", "黃淑芬"), ("F100000004", "張文彬"), ("H200000001", "林美惠"), ("K100000002", "陳志豪")];
    check("taiwan.xls", &[], &taiwan);
}

#[test]
fn a_transfer_to_nobody_is_told_of_and_is_the_only_difference() {
    let path = sheets().join("timeoverflow-report.csv");
    let (mut minutes, report) = imported(&path, &[]);
    assert_eq!(minutes.remove("El usuario no está activo"), Some(120));
    let oracle: Value = serde_json::from_str(&fs::read_to_string(sheets().join("expected.json")).unwrap()).unwrap();
    let counted = oracle["timeoverflow-report.csv"]["minutes"].as_object().unwrap();
    assert_eq!(minutes, counted.iter().map(|(name, minutes)| (name.clone(), minutes.as_i64().unwrap())).collect());
    assert_eq!(report["rejected"], 0);
    let output = suggest(&path, &[]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("El usuario no está activo"), "{output:?}");
}

#[test]
fn the_events_of_students_come_in_but_for_what_the_policy_refuses() {
    let Some(path) = data("nss/volunteer_events.csv") else { return };
    let output = suggest(Path::new(&path), &["--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["readable"], &answer["unreadable"]), (&2_170.into(), &0.into()));
    // Counted anew: hours by line, and by person and day.
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let rows: Vec<(u64, i64, (String, String))> = reader
        .records()
        .zip(2..)
        .map(|(row, line)| {
            let row = row.unwrap();
            (line, row[3].parse().unwrap(), (row[0].to_owned(), row[2].to_owned()))
        })
        .collect();
    let mut days: BTreeMap<&(String, String), i64> = BTreeMap::new();
    for (_, hours, day) in &rows {
        *days.entry(day).or_default() += hours;
    }
    assert_eq!(rows.iter().map(|(_, hours, _)| hours).sum::<i64>(), 7_547);
    let (minutes, report) = imported(Path::new(&path), &[]);
    let rejected: BTreeSet<u64> =
        report["rejects"].as_array().unwrap().iter().map(|reject| reject["line"].as_u64().unwrap()).collect();
    for (line, hours, day) in &rows {
        assert!(*hours <= 8 || rejected.contains(line), "line {line} is too long and was taken");
        assert!(*hours > 8 || days[day] > 16 || !rejected.contains(line), "line {line} was refused");
    }
    let taken: i64 = rows.iter().filter(|(line, _, _)| !rejected.contains(line)).map(|(_, hours, _)| hours * 60).sum();
    assert_eq!(report["credited_minutes"], taken);
    assert_eq!(minutes.values().sum::<i64>(), taken);
    assert_eq!(report["recorded"].as_u64().unwrap() + rejected.len() as u64, 2_170);
    eprintln!("NSS: of 2,170 rows {} came to {taken} minutes, {} refused", report["recorded"], rejected.len());
}

#[test]
fn files_that_are_refused_say_why_and_damaged_tables_are_never_read_as_others() {
    let bad = sheets().join("bad");
    for (name, word) in [
        ("cut.xlsx", "damaged"),
        ("encrypted.xlsx", "password"),
        ("nul.csv", "NUL"),
        ("cut-in-character-utf-8.csv", "cut"),
        ("cut-in-character-gb18030.csv", "cut"),
        ("mixed-encodings.csv", "UTF-8"),
        ("missing.csv", "missing.csv"),
    ] {
        let output = suggest(&bad.join(name), &[]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && error.contains(word), "{name}: {error}");
        assert!(output.stdout.is_empty(), "{name}");
    }
    let oracle: Value = serde_json::from_str(&fs::read_to_string(bad.join("expected.json")).unwrap()).unwrap();
    for name in [
        "renamed-csv.xlsx",
        "formulas-without-values.xlsx",
        "hidden-first-sheet.xlsx",
        "merged.xlsx",
        "million-empty-rows.xlsx",
        "error-cells.xlsx",
        "two-tables.xlsx",
        "mixed-delimiters.csv",
        "cut-in-row.csv",
    ] {
        let expected = oracle[format!("bad/{name}")]["minutes_if_read"].as_object().unwrap();
        let (minutes, report) = imported(&bad.join(name), &[]);
        let expected = expected.iter().map(|(person, minutes)| (person.clone(), minutes.as_i64().unwrap()));
        assert_eq!(minutes, expected.collect(), "{name}: {report:#}");
    }
    let (minutes, _) = imported(&bad.join("1904.xlsx"), &[]);
    assert_eq!(minutes.values().sum::<i64>(), 1_110);
}

#[test]
fn dates_units_breaks_and_clocks_are_told_by_cells() {
    let (answer, mapping) =
        suggested("Name,Date,In,Out\nAnn,03/04/2026,9:00 AM,1:00 PM\nBo,05/06/2026,1:30 PM,3:00 PM\n");
    assert_eq!(text(&mapping, &["date_format"]), "%m/%d/%Y");
    assert!(answer["unsure"].to_string().contains("date_format"), "{answer:#}");
    assert_eq!(answer["zone"], "UTC");
    let (_, mapping) = suggested("Nom;Date;Durée\nAnne;03/04/2026;2,5\nBéa;25/04/2026;1,25\n");
    assert_eq!(text(&mapping, &["date_format"]), "%d/%m/%Y");
    assert_eq!((text(&mapping, &["decimal"]), text(&mapping, &["columns", "hours"])), ("comma".into(), "Durée".into()));

    let minutes = "姓名,日期,服务时长\n王芳,2026-03-05,90\n李强,2026-03-06,120\n王芳,2026-03-07,45\n";
    let (answer, mapping) = suggested(minutes);
    assert_eq!(text(&mapping, &["columns", "minutes"]), "服务时长");
    assert!(answer["unsure"].to_string().contains("minutes"), "{answer:#}");

    let with_break = "Name,Date,Start,End,Break (min),Hours\nAnn,2026-03-05,09:00,13:00,30,3.5\nBo,2026-03-05,09:00,12:00,15,2.75\nAnn,2026-03-06,09:00,10:00,0,1\n";
    let (answer, mapping) = suggested(with_break);
    assert_eq!(text(&mapping, &["columns", "break"]), "Break (min)");
    assert_eq!(answer["rows"][0]["minutes"], 210);

    let pause = "Datum;Name;Von;Bis;Pause;Stunden\n03.02.2026;Anna;09:00;12:30;00:30;3,0\n04.02.2026;Ben;10:00;12:00;;2,0\n11.02.2026;Anna;09:00;12:30;00:30;3,0\n";
    let (answer, mapping) = suggested(pause);
    assert_eq!(
        (text(&mapping, &["columns", "break"]), text(&mapping, &["break_unit"])),
        ("Pause".into(), "hours".into())
    );
    assert_eq!(answer["rows"][0]["minutes"], 180);

    let form = "Timestamp,Email,Hours,Date of service\n3/5/2026 14:02:11,a@x.org,2,3/4/2026\n3/18/2026 9:12:45,b@x.org,1.5,3/17/2026\n";
    let (answer, mapping) = suggested(form);
    assert_eq!((text(&mapping, &["columns", "date"]), &answer["readable"]), ("Date of service".into(), &2.into()));
    let (answer, mapping) = suggested(form.replace("Date of service", "Remarks"));
    assert_eq!((text(&mapping, &["columns", "start"]), &answer["readable"]), ("Timestamp".into(), &2.into()));
    let phones = "Volunteer ID,Phone,Shift Date,Hours Served\nV1,555-1234,13/02/2026,2.5\nV2,555-1235,14/02/2026,3\n";
    let (_, mapping) = suggested(phones);
    assert_eq!(
        (text(&mapping, &["columns", "interval"]), text(&mapping, &["columns", "hours"])),
        (String::new(), "Hours Served".into())
    );

    let net = "Name,Date,Start,End,Hours\nAnn,2026-03-05,09:00,13:00,3.5\nBo,2026-03-05,09:00,12:00,2.5\nAnn,2026-03-06,09:00,17:00,7\n";
    let (answer, mapping) = suggested(net);
    assert_eq!(
        (text(&mapping, &["columns", "hours"]), text(&mapping, &["columns", "start"])),
        ("Hours".into(), String::new())
    );
    assert!(answer["mapping"].as_str().unwrap().contains("break without a column"), "{answer:#}");

    let serials = "Name,Start,End\nAnn,46261.375,46261.5\nBo,46262.375,46262.4375\n";
    let (answer, mapping) = suggested(serials);
    assert_eq!(text(&mapping, &["date_format"]), "excel");
    assert_eq!(answer["rows"][0]["minutes"], 180, "{answer:#}");
}

#[test]
fn people_keys_and_sums_are_told_apart() {
    let cards = "姓名,身份证号,手机,日期,小时\n王芳,320102199003071234,13800000001,2026-03-05,2\n李强,320102198003071235,13800000002,2026-03-06,1\n";
    let (answer, mapping) = suggested(cards);
    assert_eq!(text(&mapping, &["columns", "volunteer"]), "姓名");
    assert!(!answer["mapping"].as_str().unwrap().contains("= \"身份证号\""));
    let (answer, mapping) = suggested(cards.replace("姓名,身份证号", "备注,身份证号"));
    assert_eq!(text(&mapping, &["columns", "volunteer"]), "手机");
    assert!(answer["unsure"].to_string().contains("private"), "{answer:#}");

    let numbered = "No.,Name,Date,Hours\n1,Ann,2026-03-05,2\n2,Bo,2026-03-05,1\n3,Ann,2026-03-06,1\n";
    let (_, mapping) = suggested(numbered);
    assert_eq!(text(&mapping, &["columns", "record"]), "[\"Name\", \"Date\"]");
    let (_, mapping) = suggested(
        numbered.replace("No.", "Record ID").replace("\n1,", "\nR9,").replace("\n2,", "\nR7,").replace("\n3,", "\nR8,"),
    );
    assert_eq!(text(&mapping, &["columns", "record"]), "Record ID");
    let repeated = "Name,Date,Hours\nAnn,2026-03-05,2\nAnn,2026-03-05,2\nBo,2026-03-06,1\n";
    assert_eq!(text(&suggested(repeated).1, &["number_repeats"]), "true");

    // `Sum` would take Summers along.
    let sums = "Name,Date,Hours\nSummers,2026-03-05,2\nBo,2026-03-06,1\nSum,,3\n";
    let (answer, mapping) = suggested(sums);
    assert_eq!(text(&mapping, &["totals"]), "");
    assert_eq!((&answer["readable"], &answer["unreadable"]), (&2.into(), &1.into()));
    assert_eq!(text(&suggested(sums.replace("Summers", "Ann")).1, &["totals"]), "sum");

    // One blank was forgotten, several are a habit.
    let forgotten = "Name,Date,Hours\nAnn,2026-03-05,2\n,2026-03-06,1\nBo,2026-03-07,1\nBo,2026-03-08,1\n";
    let (answer, mapping) = suggested(forgotten);
    assert_eq!(text(&mapping, &["fill_down"]), "", "{answer:#}");
    assert_eq!((&answer["readable"], &answer["unreadable"]), (&3.into(), &1.into()));
    let (answer, mapping) = suggested(forgotten.replace("\nBo,2026-03-08", "\n,2026-03-08"));
    assert_eq!(text(&mapping, &["fill_down"]), "Name");
    assert_eq!((&answer["readable"], &answer["unreadable"]), (&4.into(), &0.into()));

    let twice = "Name,Date,Hours,Name\nAnn,2026-03-05,2,x\nBo,2026-03-06,1,y\n";
    let (answer, mapping) = suggested(twice);
    assert!(mapping.contains_key("header"), "{answer:#}");
    assert_eq!(answer["readable"], 2);
    let (answer, mapping) = suggested("王芳,2026-03-05,2.5\n李强,2026-03-06,1.5\n王芳,2026-03-07,2.5\n");
    assert_eq!(text(&mapping, &["columns", "volunteer"]), "column 1");
    assert_eq!(answer["readable"], 3, "{answer:#}");
}

#[test]
fn operations_and_states_are_words_that_occur() {
    let (_, mapping) = suggested(
        "id,op,member no,date,hours\n1,add,M1,2026-03-05,2\n2,add,M2,2026-03-05,1\n1,delete,M1,2026-03-05,2\n",
    );
    assert_eq!(text(&mapping, &["columns", "operation"]), "op");
    assert_eq!(text(&mapping, &["columns", "record"]), "id");
    let (answer, mapping) = suggested("志愿者编号,日期,小时,状态\nV1,2026-03-05,2,已生效\nV2,2026-03-05,1,申请中\n");
    assert_eq!(text(&mapping, &["only_if", "equals"]), "已生效");
    assert_eq!((&answer["readable"], &answer["left_out"]), (&1.into(), &1.into()));
}

#[test]
fn strange_files_get_an_answer() {
    let (answer, _) = suggested("Name,Date,Hours\n");
    assert!(answer["missing"].to_string().contains("header alone"), "{answer:#}");
    let (answer, _) = suggested("a\nb\nc\n");
    assert!(!answer["missing"].as_array().unwrap().is_empty());
    let wide: String = (0..10_000).map(|column| ["c", &column.to_string(), ","].concat()).collect();
    suggested(format!("{wide}\n{wide}\n"));
    suggested(format!("Name,Date,Hours,Notes\nAnn,2026-03-05,2,{}\n", "x".repeat(1_000_000)));
    let (answer, _) = suggested(format!("Name,Date,Hours\n{},2026-03-05,2\nAnn,2026-03-05,2\n", "王".repeat(400_000)));
    assert_eq!((&answer["readable"], &answer["unreadable"]), (&1.into(), &1.into()));
    let quoted = "Name,Date,Hours,\"What\nand \"\"how\"\" \u{1b}[31m\"\nAnn,2026-03-05,2,\"a\nb\"\nAnn,2026-03-05,2,\"c\\\"\nBo,2026-03-05,2,\"c\\\"\nBo,2026-03-05,2,\"a\nb\"\n";
    let (answer, _) = suggested(quoted);
    assert_eq!(answer["readable"], 4, "{answer:#}");
}

#[test]
fn the_mapping_goes_to_a_new_file_and_never_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("station.toml");
    let path = sheets().join("01-plain.csv");
    let output = suggest(&path, &["--out", out.to_str().unwrap()]);
    assert!(output.status.success() && output.stdout.is_empty());
    let written = fs::read_to_string(&out).unwrap();
    assert_eq!(suggest(&path, &["--out", out.to_str().unwrap()]).status.code(), Some(2));
    assert_eq!(fs::read_to_string(&out).unwrap(), written);
    let printed = suggest(&path, &[]);
    assert_eq!(String::from_utf8_lossy(&printed.stdout), written);
    let error = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(error.contains("20 of 20 rows can be read") && error.contains("not sure of:"), "{error}");
    let sheet = suggest(&sheets().join("04-chinese-dates.xlsx"), &["--sheet", "说明"]);
    assert_eq!(sheet.status.code(), Some(1), "a sheet without a table");
    assert_eq!(suggest(&sheets().join("04-chinese-dates.xlsx"), &["--sheet", "x"]).status.code(), Some(2));
}

/// A small generator: the same bytes on every run.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

#[test]
fn no_mutation_of_a_file_brings_the_command_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = 7;
    for entry in fs::read_dir(sheets()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "json") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for round in 0..6 {
            let mut mutated = bytes.clone();
            for _ in 0..=next(&mut state) % 12 {
                let at = next(&mut state) % mutated.len();
                match next(&mut state) % 4 {
                    0 => mutated[at] = b"\",;\n\t0:-/.='9 A"[next(&mut state) % 15],
                    1 => drop(mutated.remove(at)),
                    2 => mutated.insert(at, b"\",;\n\t0:-/.='9 A"[next(&mut state) % 15]),
                    _ => {
                        let end = (at + next(&mut state) % 200).min(mutated.len());
                        let part = mutated[at..end].to_vec();
                        let to = next(&mut state) % mutated.len();
                        mutated.splice(to..to, part);
                    }
                }
            }
            let file = folder.path().join(path.file_name().unwrap());
            fs::write(&file, &mutated).unwrap();
            let output = suggest(&file, &["--json"]);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!([Some(0), Some(1), Some(2)].contains(&output.status.code()), "{} {round}: {error}", path.display());
            if output.status.code() == Some(0) {
                let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert!(answer["mapping"].as_str().unwrap().parse::<toml::Table>().is_ok(), "{answer:#}");
            }
        }
    }
}
