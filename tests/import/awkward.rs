//! Awkward files: bytes, rows, and files that follow one another.

use std::process::Output;

use serde_json::Value;

use super::{Files, Ledger, MAPPING, counts, rows};

#[test]
fn awkward_files_are_read_and_bad_rows_told_apart() {
    let ledger = Ledger::new();
    let import = |mapping: &str, contents: &[u8]| {
        let files = Files::new(mapping);
        let file = files.csv(contents);
        ledger.run(&["import", &file, "--mapping", &files.mapping, "--open-accounts"])
    };
    let report = |output: Output| -> Value {
        assert!([Some(0), Some(4)].contains(&output.status.code()), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let source = |name: &str| MAPPING.replace("small", name);

    let quoted = b"\xef\xbb\xbfid,person,place,day,minutes\r\n1,\"Anne, Leeds\",s1,2026-01-05,30\r\n2,\"a\"\"b\",s1,2026-01-05,45\r\n";
    assert_eq!(counts(&report(import(&source("bom"), quoted))), [2, 2, 0, 0, 0, 0]);

    let bad = "id,person,place,day,minutes\n,a,s,2026-01-05,30\n2,,s,2026-01-05,30\n3,a,s,05/01/2026,30\n4,a,s,2026-01-05,\n\
               5,a,s,2026-01-05,0\n6,a,s,2026-01-05,-5\n7,a,s,2026-01-05,1e9\n8,a,s,2026-01-05,99999999999\n9,a,s,2126-01-05,30\n\
               10,a,s,2026-01-05,30.5\n11,a,s\n12,a,s,2026-01-05,30\n";
    assert_eq!(counts(&report(import(&source("bad"), bad.as_bytes()))), [12, 1, 0, 0, 0, 11]);

    let latin = b"id,person,place,day,minutes\n1,Andr\xe9,s1,2026-01-05,30\n";
    let refused = import(&source("latin"), latin);
    assert_eq!(refused.status.code(), Some(2));
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("line 2") && error.contains("encoding"), "{error}");
    let named = format!("encoding = \"latin1\"\n{}", source("latin"));
    assert_eq!(counts(&report(import(&named, latin))), [1, 1, 0, 0, 0, 0]);
    let chinese = b"id,person,place,day,minutes\n1,\xd5\xc5\xc8\xfd,s1,2026-01-05,30\n";
    let named = format!("encoding = \"gb18030\"\n{}", source("gb"));
    assert_eq!(counts(&report(import(&named, chinese))), [1, 1, 0, 0, 0, 0]);

    let missing = import(&source("missing"), b"id,person,place,date,minutes\n");
    let error = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert_eq!(missing.status.code(), Some(2));
    assert!(error.contains("day") && error.contains("date"), "{error}");
    let mapping = import("source = \"x\"\nnonsense = 1\n[columns]\nrecord = \"id\"\n", b"id\n1\n");
    assert!(mapping.status.code() == Some(2) && String::from_utf8_lossy(&mapping.stderr).contains("nonsense"));
}

#[test]
fn unknown_people_are_rejected_unless_accounts_may_be_opened() {
    let files = Files::new(MAPPING);
    let file = files.csv(rows(3, 30));
    let ledger = Ledger::new();
    let report = ledger.import(&["import", &file, "--mapping", &files.mapping]);
    assert_eq!(counts(&report), [3, 0, 0, 0, 0, 3]);
    assert_eq!(ledger.status()["size"], 1);
}

const OPERATIONS: &str = "source = \"ops\"\naccount_kind = \"group\"\nimported = true\n[columns]\nrecord = \"id\"\nvolunteer = \"who\"\n\
                          station = \"at\"\nstart = \"from\"\nend = \"to\"\noperation = \"op\"\n";
const TIMES: &str = "source = \"times\"\nimported = true\n[columns]\nrecord = \"id\"\nvolunteer = \"who\"\nstation = \"at\"\nstart = \"from\"\nend = \"to\"\n";

/// A row of a file of operations: one hour or more on one morning.
fn operation(word: &str, id: &str, from: u32, to: u32) -> String {
    format!("{word},{id},ann,s1,2026-01-05T{from:02}:00Z,2026-01-05T{to:02}:00Z\n")
}

/// A file's import: its counts, and what its records come to.
fn import(ledger: &Ledger, mapping: &str, text: &str, more: &[&str]) -> ([u64; 6], i64) {
    let files = Files::new(mapping);
    let file = files.csv(text);
    let report =
        ledger.import(&[&["import", &file, "--mapping", &files.mapping, "--open-accounts"][..], more].concat());
    (counts(&report), report["credited_minutes"].as_i64().unwrap())
}

fn operations(rows: &[String]) -> String {
    format!("op,id,who,at,from,to\n{}", rows.concat())
}

fn times(rows: &[(&str, u32, u32)]) -> String {
    let row =
        |(id, from, to): &(&str, u32, u32)| format!("{id},ann,s1,2026-01-05T{from:02}:00Z,2026-01-05T{to:02}:00Z\n");
    format!("id,who,at,from,to\n{}", rows.iter().map(row).collect::<String>())
}

#[test]
fn a_refused_operation_does_not_carry_the_next_of_its_record_with_it() {
    let ledger = Ledger::new();
    let resident = OPERATIONS.replace("group", "resident");
    // Nine hours are too long for one record; three are not.
    let text = operations(&[operation("add", "1", 9, 18), operation("change", "1", 9, 12)]);
    let tried = import(&ledger, &resident, &text, &["--dry-run"]);
    assert_eq!(import(&ledger, &resident, &text, &[]), ([2, 1, 0, 0, 0, 1], 180));
    assert_eq!(tried, ([2, 1, 0, 0, 0, 1], 180), "a dry run says what happens");
    assert_eq!(ledger.status()["balance_sum"], 0);
}

#[test]
fn an_operation_that_comes_late_undoes_nothing() {
    let ledger = Ledger::new();
    let resident = OPERATIONS.replace("group", "resident");
    let text = operations(&[
        operation("add", "1", 9, 10),
        operation("add", "2", 11, 12),
        // In the way of record 1 for now.
        operation("change", "2", 9, 11),
        operation("change", "1", 14, 15),
        operation("change", "2", 16, 17),
    ]);
    assert_eq!(import(&ledger, &resident, &text, &[]), ([5, 2, 2, 0, 0, 1], 120));
    assert_eq!(import(&ledger, &resident, &text, &[]), ([5, 0, 0, 0, 4, 1], 120));
}

#[test]
fn operations_that_are_not_all_in_the_file_are_told_apart_from_what_stands() {
    let ledger = Ledger::new();
    let (add, delete) = (operation("add", "1", 9, 10), operation("delete", "1", 9, 10));
    let one = |row: &String| operations(std::slice::from_ref(row));
    assert_eq!(import(&ledger, OPERATIONS, &one(&add), &[]), ([1, 1, 0, 0, 0, 0], 60));
    assert_eq!(import(&ledger, OPERATIONS, &one(&delete), &[]), ([1, 0, 0, 1, 0, 0], 0));
    assert_eq!(import(&ledger, OPERATIONS, &one(&add), &[]), ([1, 0, 0, 0, 0, 1], 0), "not all operations are here");
    let all = operations(&[add.clone(), delete, add]);
    assert_eq!(import(&ledger, OPERATIONS, &all, &[]), ([3, 1, 0, 0, 2, 0], 60));
}

#[test]
fn a_full_file_with_new_ids_is_in_step_after_one_import() {
    let ledger = Ledger::new();
    assert_eq!(import(&ledger, TIMES, &times(&[("1", 9, 10), ("2", 10, 11)]), &["--full"]), ([2, 2, 0, 0, 0, 0], 120));
    let renamed = times(&[("a", 9, 10), ("b", 10, 11)]);
    assert_eq!(import(&ledger, TIMES, &renamed, &["--full"]), ([4, 2, 0, 2, 0, 0], 120));
    // The first can only move once the second has.
    let moved = times(&[("a", 10, 11), ("b", 11, 12)]);
    assert_eq!(import(&ledger, TIMES, &moved, &["--full"]), ([2, 0, 2, 0, 0, 0], 120));
}

#[test]
fn a_full_file_that_lost_rows_in_a_quote_takes_nothing_back() {
    let ledger = Ledger::new();
    let good = times(&[("1", 9, 10), ("2", 10, 11), ("3", 11, 12)]);
    assert_eq!(import(&ledger, TIMES, &good, &["--full"]), ([3, 3, 0, 0, 0, 0], 180));
    let status = ledger.status();
    for (bad, problem) in [
        (good.replacen("2,ann", "2,\"ann", 1), "quote"),
        (good.replacen("1,ann", "1,\"ann", 1).replacen("3,ann", "3,\"ann", 1), "line"),
        (good.replacen("2,ann", "2,ann,x", 1), "cells"),
        ("id,who,at,from,to\n".to_owned(), "no rows"),
    ] {
        let files = Files::new(TIMES);
        let file = files.csv(bad);
        let output = ledger.run(&["import", &file, "--mapping", &files.mapping, "--full"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(problem), "{error}");
    }
    assert_eq!(ledger.status(), status);
}

#[test]
fn a_row_that_cannot_be_right_stands_in_nobodys_way() {
    let ledger = Ledger::new();
    let text = "id,person,place,day,minutes\n1,ann,s1,1899-12-30,30\n2,ann,s1,2026-01-05,30\n2,ann,s1,2026-01-06,60\n\
                3,ann,s1,2026-01-05,2,5\n4,d41d8cd98f00b204e9800998ecf8427e,s1,2026-01-05,15\n";
    for expected in [([5, 2, 0, 0, 0, 3], 45), ([5, 0, 0, 0, 2, 3], 45)] {
        assert_eq!(import(&ledger, MAPPING, text, &[]), expected, "{text}");
    }
}

#[test]
fn a_row_far_down_is_found_wrong_by_a_trial_whose_answers_are_cut() {
    const GOOD: usize = 26_000;
    // Of services by date each but the first of a day is warned of: some 200 bytes an event, 5 MB for all of them.
    let mapping = MAPPING.replace("imported = true", "imported = false").replace("\"group\"", "\"resident\"");
    let today = jiff::Timestamp::now().as_millisecond() / 86_400_000;
    let row = |number: usize| {
        let days = today - 2 - i64::try_from(number / 300).unwrap();
        let day = jiff::Timestamp::from_millisecond(days * 86_400_000).unwrap().to_string();
        format!("{number},p{},s1,{},1\n", number % 20, &day[..10])
    };
    let wrong = |number: usize| format!("{},p0,s1,2126-01-05,1\n", GOOD + number);
    let rows: String = (0..GOOD).map(row).chain((0..5).map(wrong)).collect();
    let files = Files::new(&mapping);
    let file = files.csv(format!("id,person,place,day,minutes\n{rows}"));
    let import = ["import", &file, "--mapping", &files.mapping, "--open-accounts", "--dry-run"];
    assert_eq!(counts(&Ledger::new().import(&import)), [26_005, 26_000, 0, 0, 0, 5]);
}

const LOCAL: &str = "source = \"local\"\nimported = true\n[columns]\nrecord = \"id\"\nvolunteer = \"who\"\nstation = \"at\"\nstart = \"from\"\nend = \"to\"\n";

#[test]
fn times_without_an_offset_are_those_of_one_zone_for_good() {
    let ledger = Ledger::new();
    let files = Files::new(LOCAL);
    let file = files.csv("id,who,at,from,to\n1,ann,s1,2026-07-01T09:00,2026-07-01T11:00\n");
    let import = |settings: &[(&str, &str)], more: &[&str]| {
        let arguments = ["import", &file, "--mapping", &files.mapping, "--open-accounts"];
        let output = ledger.command(&[&arguments[..], more].concat()).envs(settings.iter().copied()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let times = || {
        let rows = ledger.json(&["history", "ann"])["rows"].clone();
        let service = rows[0]["details"]["service_now"].clone();
        (service["start"].as_str().unwrap().to_owned(), service["utc_offset"].as_str().unwrap().to_owned())
    };
    let prague = [("TZ", "Europe/Prague")];
    // The zone of whichever machine it is tells nothing of the place that the sheet is of.
    let (code, error) = import(&prague, &[]);
    assert!(code == Some(2) && error.contains("line 2") && error.contains("zone ="), "{error}");
    assert_eq!(ledger.status()["size"], 1);
    assert_eq!(import(&prague, &["--zone", "Europe/Prague"]).0, Some(0));
    assert_eq!(times(), ("2026-07-01T07:00:00.000Z".to_owned(), "+02:00".to_owned()));
    // Another machine, or a task that runs without settings, reads them as they were read.
    let size = ledger.status()["size"].clone();
    for settings in [[("TZ", "UTC")], [("TZ", "Asia/Shanghai")], prague] {
        assert_eq!(import(&settings, &[]).0, Some(0), "{settings:?}");
    }
    assert_eq!(ledger.status()["size"], size);
    // Who names another one means it.
    assert_eq!(import(&prague, &["--zone", "Asia/Shanghai"]).0, Some(0));
    assert_eq!(times(), ("2026-07-01T01:00:00.000Z".to_owned(), "+08:00".to_owned()));
    // So does the mapping.
    let named = Files::new(&format!("zone = \"America/New_York\"\n{LOCAL}"));
    let output = ledger.run(&["import", &file, "--mapping", &named.mapping]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(times(), ("2026-07-01T13:00:00.000Z".to_owned(), "-04:00".to_owned()));
}

#[test]
fn a_cell_says_its_own_offset_or_zone() {
    let ledger = Ledger::new();
    let files = Files::new(&LOCAL.replace("\"local\"", "\"own\""));
    let rows = [
        ("2026-07-01T09:00-04:00", "2026-07-01T10:00-04:00", Some(("2026-07-01T13:00:00.000Z", "-04:00"))),
        ("2026-07-02T09:00Z", "2026-07-02T10:00Z", Some(("2026-07-02T09:00:00.000Z", "+00:00"))),
        (
            "2026-07-03T09:00[America/New_York]",
            "2026-07-03T10:00[America/New_York]",
            Some(("2026-07-03T13:00:00.000Z", "-04:00")),
        ),
        ("2026-10-25T02:30[Europe/Prague]", "2026-10-25T04:00[Europe/Prague]", None),
        (
            "2026-10-25T02:30+02:00[Europe/Prague]",
            "2026-10-25T04:00[Europe/Prague]",
            Some(("2026-10-25T00:30:00.000Z", "+02:00")),
        ),
        ("2026-10-25T02:30", "2026-10-25T04:00", None),
        ("2026-03-29T02:30", "2026-03-29T04:00", None),
        ("2026-07-04T09:00[Nowhere/Land]", "2026-07-04T10:00", None),
        ("2026-07-05T09:00", "2026-07-05T10:00", Some(("2026-07-05T07:00:00.000Z", "+02:00"))),
    ];
    let line = |(number, (from, to, _)): (usize, &(&str, &str, _))| format!("{number},p{number},s1,{from},{to}\n");
    let text: String = rows.iter().enumerate().map(line).collect();
    let file = files.csv(format!("id,who,at,from,to\n{text}"));
    let report =
        ledger.import(&["import", &file, "--mapping", &files.mapping, "--open-accounts", "--zone", "Europe/Prague"]);
    assert_eq!(counts(&report), [9, 5, 0, 0, 0, 4]);
    for (number, (from, _, expected)) in rows.iter().enumerate() {
        let Some((start, offset)) = expected else { continue };
        let rows = ledger.json(&["history", &format!("p{number}")])["rows"].clone();
        let service = &rows[0]["details"]["service"];
        assert_eq!(
            (service["start"].as_str(), service["utc_offset"].as_str()),
            (Some(*start), Some(*offset)),
            "{from}"
        );
    }
}

#[test]
fn a_row_is_named_by_the_line_it_begins_on() {
    let ledger = Ledger::new();
    let lines = [
        "id,person,place,day,minutes",
        "1,a,s,2026-01-05,30",
        "2,b,s,x,30",
        "",
        "3,\"c",
        "d\",s,x,30",
        "4,e,s,x,30",
        "",
    ];
    for (name, end) in [("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r")] {
        let files = Files::new(&MAPPING.replace("small", name));
        let file = files.csv(lines.join(end));
        let rejects = ledger.folder.path().join(format!("rejects-{name}.csv"));
        let import =
            ["import", &file, "--mapping", &files.mapping, "--open-accounts", "--rejects", rejects.to_str().unwrap()];
        assert_eq!(ledger.run(&import).status.code(), Some(4), "{name}");
        let mut reader = csv::Reader::from_path(&rejects).unwrap();
        let found: Vec<String> = reader.records().map(|row| row.unwrap()[5].to_owned()).collect();
        assert_eq!(found, ["3", "5", "7"], "{name}");
    }
}

#[test]
fn a_file_for_rejects_that_cannot_be_written_neither_hides_nor_costs_anything() {
    let files = Files::new(MAPPING);
    let file = files.csv(rows(3, 30) + "bad,,s1,2026-01-05,30\n");
    let ledger = Ledger::new();
    let import = |rejects: &str| {
        let import = ["import", &file, "--mapping", &files.mapping, "--open-accounts", "--rejects", rejects];
        let output = ledger.run(&import);
        (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    // Known before anything is sent: nothing is.
    let path = |name: &str| ledger.folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::hard_link(&file, path("again.csv")).unwrap();
    let key = path("operator.key");
    for rejects in [&path("no/such/folder.csv"), "/", &file, &files.mapping, &path("again.csv"), &key] {
        let before = [&file, &key].map(|file| std::fs::read(file).unwrap());
        let (code, _, error) = import(rejects);
        assert!(code == Some(2) && error.contains("--rejects") && error.contains("nothing was recorded"), "{error}");
        assert_eq!([&file, &key].map(|file| std::fs::read(file).unwrap()), before, "what it reads is left alone");
    }
    assert_eq!(ledger.status()["size"], 1);
    // Known only at the end: what was recorded is said, and is the outcome.
    let (code, report, error) = import("/dev/full");
    assert_eq!(code, Some(4), "{error}");
    assert_eq!(counts(&serde_json::from_slice(&report).unwrap()), [4, 3, 0, 0, 0, 1]);
    assert!(error.contains("/dev/full"), "{error}");
    let mut printed = ledger.command(&["import", &file, "--mapping", &files.mapping, "--json"]);
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = printed.stdout(full).stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(4) && told.contains(r#""unchanged":3"#),
        "a report that can't be printed: {told}"
    );
    // A pipe is opened once; the rejects of an earlier import, half mended perhaps, are left alone.
    let (pipe, earlier) = (path("pipe"), path("rejects.csv"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let from = pipe.clone();
    let read = std::thread::spawn(move || std::fs::read_to_string(from).unwrap());
    for rejects in [&pipe, &earlier] {
        let (code, _, error) = import(rejects);
        assert_eq!(code, Some(4), "{rejects}: {error}");
    }
    let before = std::fs::read(&earlier).unwrap();
    let (code, _, error) = import(&earlier);
    assert!(code == Some(2) && error.contains("exists") && error.contains("nothing was recorded"), "{error}");
    assert_eq!(std::fs::read(&earlier).unwrap(), before);
    let rows = [read.join().unwrap(), std::fs::read_to_string(earlier).unwrap()];
    for rows in rows {
        assert!(rows.starts_with("id,person,place,day,minutes,line,reason\nbad,,s1,"), "{rows}");
    }
}
