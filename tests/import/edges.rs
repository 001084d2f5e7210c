//! Where keeping in step is hardest: rows that are alike, split at midnight, numbered in a row, mended by hand as
//! operations, paid by a resident, spent; keys that are read otherwise; people found by what their records say.

use serde_json::Value;

use super::{Files, Ledger, counts};

fn import(ledger: &Ledger, mapping: &str, text: &str, more: &[&str]) -> Value {
    let files = Files::new(mapping);
    let file = files.csv(text);
    ledger.import(&[&["import", &file, "--mapping", &files.mapping, "--open-accounts"][..], more].concat())
}

fn stops(ledger: &Ledger, mapping: &str, text: &str, more: &[&str]) -> String {
    let (files, size) = (Files::new(mapping), ledger.status()["size"].clone());
    let file = files.csv(text);
    let output = ledger.run(&[&["import", &file, "--mapping", &files.mapping, "--open-accounts"][..], more].concat());
    assert_eq!((output.status.code(), &ledger.status()["size"]), (Some(2), &size));
    String::from_utf8(output.stderr).unwrap()
}

fn minutes(ledger: &Ledger, who: &str) -> i64 {
    ledger.json(&["balance", who])["balance_minutes"].as_i64().unwrap()
}

const ALIKE: &str = "source = \"alike\"\nimported = true\nnumber_repeats = true\n[columns]\nrecord = [\"who\", \"day\"]\nvolunteer = \"who\"\n\
                     date = \"day\"\nhours = \"h\"\n[constants]\nstation = \"s1\"\n";

#[test]
fn of_rows_that_are_alike_each_stays_the_one_it_was() {
    let ledger = Ledger::new();
    let rejects = ledger.folder.path().join("rejects.csv");
    let text = "who,day,h\na,2026-10-01,2.5\na,2026-10-01,x\nb,2026-10-01,1\n";
    let report = import(&ledger, ALIKE, text, &["--rejects", rejects.to_str().unwrap()]);
    assert_eq!(counts(&report), [3, 2, 0, 0, 0, 1]);
    // The second one, mended alone, is not the first.
    let written = std::fs::read_to_string(&rejects).unwrap();
    assert!(written.contains("a,2026-10-01,x,3 #2,"), "{written}");
    assert_eq!(counts(&import(&ledger, ALIKE, &written.replace(",x,", ",1.5,"), &[])), [1, 1, 0, 0, 0, 0]);
    assert_eq!(minutes(&ledger, "a"), 240);
    assert_eq!(counts(&import(&ledger, ALIKE, &text.replace(",x", ",1.5"), &["--full"]))[4], 3);
    // With one of them gone, which one can't be told; a full file says what is left.
    let less = "who,day,h\na,2026-10-01,1.5\nb,2026-10-01,1\n";
    let report = import(&ledger, ALIKE, less, &[]);
    assert_eq!(counts(&report), [2, 0, 0, 0, 1, 1]);
    assert!(report["rejects"].to_string().contains("--full"), "{report}");
    assert_eq!(minutes(&ledger, "a"), 240);
    import(&ledger, ALIKE, less, &["--full"]);
    assert_eq!(minutes(&ledger, "a"), 90);
}

#[test]
fn rows_split_at_midnight_are_joined_each_with_one_other() {
    let mapping = "source = \"split\"\nimported = true\nzone = \"Asia/Shanghai\"\njoin_midnight = true\naccount_kind = \"group\"\n[columns]\n\
                   record = \"id\"\nvolunteer = \"who\"\nstart = \"from\"\nend = \"to\"\n[constants]\nstation = \"s1\"\n";
    let ledger = Ledger::new();
    let text = "id,who,from,to\n1,g,2026-10-01 22:00,2026-10-01 24:00\n2,g,2026-10-01 23:00,2026-10-01 24:00\n\
                3,g,2026-10-02 00:00,2026-10-02 01:00\n4,g,2026-10-02 00:00,2026-10-02 02:00\n";
    let report = import(&ledger, mapping, text, &[]);
    assert_eq!((counts(&report), &report["joined"]), ([2, 2, 0, 0, 0, 0], &Value::from(2)));
    assert_eq!(minutes(&ledger, "g"), 360);
    // A second half that was a record of its own is one no more; over several days one service is one.
    let ledger = Ledger::new();
    let half = "id,who,from,to\n11,h,2026-10-02 00:00,2026-10-02 02:00\n";
    import(&ledger, mapping, half, &[]);
    let whole = "id,who,from,to\n12,h,2026-10-03 00:00,2026-10-03 01:00\n10,h,2026-10-01 22:00,2026-10-01 23:59:59\n\
                 11,h,2026-10-02 00:00:00,2026-10-02 23:59:59\n";
    let report = import(&ledger, mapping, whole, &[]);
    assert_eq!(counts(&report), [2, 1, 0, 1, 0, 0], "{report}");
    assert_eq!(minutes(&ledger, "h"), 27 * 60);
    assert_eq!(counts(&import(&ledger, mapping, whole, &["--full"])), [1, 0, 0, 0, 1, 0]);
}

#[test]
fn a_key_that_is_read_otherwise_is_another_key() {
    let mapping = |form: &str| {
        format!(
            "source = \"forms\"\nimported = true\ndate_format = \"{form}\"\n[columns]\nrecord = [\"who\", \"day\"]\nvolunteer = \"who\"\ndate = \"day\"\n\
             hours = \"h\"\n[constants]\nstation = \"s1\"\n"
        )
    };
    let ledger = Ledger::new();
    let text = "who,day,h\na,05/03/2026,2\nb,06/03/2026,1\n";
    assert_eq!(counts(&import(&ledger, &mapping("%m/%d/%Y"), text, &[]))[1], 2);
    let error = stops(&ledger, &mapping("%d/%m/%Y"), text, &[]);
    assert!(error.contains("certain forms") && error.contains("--adopt"), "{error}");
    assert_eq!(minutes(&ledger, "a"), 120);
}

const TIMES: &str = "source = \"times\"\nzone = \"Asia/Shanghai\"\n[columns]\nrecord = \"id\"\nvolunteer = \"who\"\ndate = \"day\"\ninterval = \"time\"\n\
                     [constants]\nstation = \"s1\"\n";

#[test]
fn numbers_that_all_move_by_one_are_set_right() {
    let ledger = Ledger::new();
    let rows = |from: usize| -> String {
        let row = |place: usize| {
            let number = place + from;
            format!("{},ann,2026-{:02}-{:02},{}:00-{}:00\n", place + 1, 1 + number / 28, 1 + number % 28, 9, 11)
        };
        format!("id,who,day,time\n{}", (0..300 - from).map(row).collect::<String>())
    };
    assert_eq!(counts(&import(&ledger, TIMES, &rows(0), &[]))[1], 300);
    let report = import(&ledger, TIMES, &rows(1), &["--full"]);
    assert_eq!(counts(&report), [300, 0, 299, 1, 0, 0], "{}", report["rejects"]);
}

#[test]
fn a_full_file_with_a_row_that_says_not_which_it_is_takes_nothing_back() {
    let ledger = Ledger::new();
    let text = "id,who,day,time\n1,ann,2026-10-01,9:00-10:00\n2,bob,2026-10-01,9:00-10:00\n";
    import(&ledger, TIMES, text, &[]);
    for (id, words) in [("", "the cell is empty"), ("#REF!", "#REF!"), ("=A1", "=A1")] {
        let error = stops(&ledger, TIMES, &text.replace("\n1,", &format!("\n{id},")), &["--full"]);
        assert!(error.contains(words) && error.contains("line 2"), "{error}");
    }
    assert_eq!(minutes(&ledger, "ann"), 60);
}

#[test]
fn an_operation_that_was_mended_by_hand_is_told_mended_or_left() {
    let mapping = "source = \"ops\"\n[columns]\nrecord = \"id\"\nvolunteer = \"who\"\nstation = \"at\"\nstart = \"from\"\nend = \"to\"\noperation = \"op\"\n";
    let text = "op,id,who,at,from,to\nadd,1,ann,s1,2026-10-05T09:00Z,2026-10-05T10:00Z\n";
    for (how, expected, after) in
        [("tell", [1, 0, 0, 0, 0, 1], 30), ("leave", [1, 0, 0, 0, 1, 0], 30), ("mend", [1, 0, 1, 0, 0, 0], 60)]
    {
        let ledger = Ledger::new();
        import(&ledger, mapping, text, &[]);
        let record = ledger.json(&["history", "ann"])["rows"][0]["details"]["record"].as_str().unwrap().to_owned();
        ledger.json(&["correct", "service", &record, "--end", "2026-10-05T09:30Z"]);
        let report = import(&ledger, mapping, text, &["--by-hand", how]);
        assert_eq!((counts(&report), minutes(&ledger, "ann")), (expected, after), "{how}: {report}");
        if how == "tell" {
            assert!(report["rejects"].to_string().contains("was corrected in the ledger"), "{report}");
        }
    }
}

#[test]
fn one_record_alike_makes_nobody_somebody_else() {
    let ledger = Ledger::new();
    let row = |day| format!("{day},ann,2026-10-{day:02},9:00-10:00\n");
    let ann: String = (1..=20).map(row).collect();
    import(&ledger, TIMES, &format!("id,who,day,time\n{ann}"), &[]);
    let other = ledger.folder.path().join("other");
    let adopt = ["--adopt", "--directory", other.to_str().unwrap()];
    let adopt = |text: &str| {
        let files = Files::new(TIMES);
        let file = files.csv(text);
        ledger.json(&[&["import", &file, "--mapping", &files.mapping][..], &adopt].concat())
    };
    for text in [
        "id,who,day,time\n1,bob,2026-10-07,9:00-10:00\n",
        "id,who,day,time\n1,bob,2026-10-01,9:00-10:00\n2,bob,2026-10-20,9:00-10:00\n",
    ] {
        let adopted = adopt(text);
        assert_eq!(
            (&adopted["linked"], &adopted["unsure"]),
            (&Value::from(0), &serde_json::json!(["bob"])),
            "{adopted}"
        );
    }
    let adopted = adopt(&format!("id,who,day,time\n{ann}21,bob,2026-10-07,9:00-10:00\n"));
    assert_eq!((&adopted["linked"], &adopted["unmatched"]), (&Value::from(20), &serde_json::json!([22])), "{adopted}");
}

#[test]
fn rows_that_cannot_be_mended_stay_and_say_why() {
    // Both have spent what the rows brought, and the times don't allow the right records to come first.
    let ledger = Ledger::new();
    let before =
        "id,who,day,time\n1,ann,2026-10-01,9:00-10:00\n2,ann,2026-10-01,10:00-11:00\n3,bob,2026-10-02,9:00-10:00\n";
    import(&ledger, TIMES, before, &[]);
    let account = |who: &str| ledger.json(&["account", "show", who])["account"].as_str().unwrap().to_owned();
    let (ann, bob) = (account("ann"), account("bob"));
    let key = enrolled(&ledger, &ann);
    ledger.json(&["transfer", "--from", &ann, "--to", &bob, "--minutes", "120", "--key", &key]);
    let after =
        "id,who,day,time\n1,ann,2026-10-01,10:00-12:00\n2,ann,2026-10-01,9:00-10:00\n3,bob,2026-10-02,9:00-10:00\n";
    let tried = import(&ledger, TIMES, after, &["--dry-run"]);
    let report = import(&ledger, TIMES, after, &[]);
    assert_eq!(counts(&report), counts(&tried));
    assert_eq!(counts(&report), [3, 0, 0, 0, 1, 2], "{report}");
    assert!(report["rejects"].to_string().contains("has spent minutes"), "{report}");
    // What was only tried is in no sum and no reason.
    assert_eq!(report["credited_minutes"], 180, "{report}");
    assert_eq!(minutes(&ledger, "ann"), 0);
}

/// The file of a key that acts for an account.
fn enrolled(ledger: &Ledger, account: &str) -> String {
    let path = |name: &str| ledger.folder.path().join(format!("{account}.{name}")).to_str().unwrap().to_owned();
    let (key, request) = (path("key"), path("request"));
    ledger.json(&["key", "new", &key]);
    std::fs::write(&request, ledger.run(&["key", "prove", &key]).stdout).unwrap();
    ledger.json(&["key", "enrol", &request, "--role", "resident", "--account", account]);
    key
}

#[test]
fn what_a_resident_paid_for_is_not_mended_without_asking() {
    let ledger = Ledger::new();
    import(&ledger, TIMES, "id,who,day,time\n1,pam,2026-10-01,9:00-17:00\n", &[]);
    let pam = ledger.json(&["account", "show", "pam"])["account"].as_str().unwrap().to_owned();
    let key = enrolled(&ledger, &pam);
    let mapping = format!("payer = \"{pam}\"\n{}", TIMES.replace("\"times\"", "\"paid\""));
    let before = "id,who,day,time\n1,ann,2026-10-02,9:00-10:00\n2,ann,2026-10-02,10:00-12:00\n";
    assert_eq!(counts(&import(&ledger, &mapping, before, &["--cosign", &key]))[1], 2);
    assert_eq!((minutes(&ledger, "ann"), minutes(&ledger, "pam")), (180, 300));
    let after = "id,who,day,time\n1,ann,2026-10-02,11:00-12:00\n2,ann,2026-10-02,9:00-11:00\n";
    let report = import(&ledger, &mapping, after, &[]);
    assert_eq!(counts(&report), [2, 0, 0, 0, 0, 2], "{report}");
    assert!(report["rejects"].to_string().contains("whose consent was to the old records"), "{report}");
    assert_eq!((minutes(&ledger, "ann"), minutes(&ledger, "pam")), (180, 300));
}

#[test]
fn residents_of_a_mapping_for_groups_are_tried_as_residents() {
    let ledger = Ledger::new();
    let region = ledger.run(&["region", "define", "here"]);
    assert!(region.status.success());
    let station = ledger.json(&["station", "open", "--region", "here"])["account"].as_str().unwrap().to_owned();
    let ann = ledger.json(&["account", "open", "--station", &station])["account"].as_str().unwrap().to_owned();
    let mapping = format!(
        "source = \"mixed\"\nzone = \"Asia/Shanghai\"\naccount_kind = \"group\"\n[columns]\nrecord = \"id\"\nvolunteer = \"who\"\ndate = \"day\"\n\
         interval = \"time\"\n[constants]\nstation = \"{station}\"\n[volunteers]\nann = \"{}\"\n",
        &ann[..8]
    );
    let row = |id| format!("{id},g{id},2026-10-01,9:00-10:00\n");
    let rows: String = (1..=400).map(row).collect();
    let text = format!("id,who,day,time\n0,ann,2026-10-01,9:00-10:00\n{rows}401,ann,2026-10-01,9:30-10:30\n");
    let tried = import(&ledger, &mapping, &text, &["--dry-run"]);
    let report = import(&ledger, &mapping, &text, &[]);
    assert_eq!((counts(&tried), counts(&report)), ([402, 401, 0, 0, 0, 1], [402, 401, 0, 0, 0, 1]));
    assert_eq!(ledger.json(&["balance", &ann])["balance_minutes"], 60);
}

const DATED: &str = "source = \"dated\"\nimported = true\n[columns]\nrecord = \"id\"\nvolunteer = \"name\"\ndate = \"d\"\nhours = \"h\"\n[constants]\nstation = \"s1\"\n";

/// `DATED` with more keys at its top.
fn dated(top: &str) -> String {
    format!("{top}\n{DATED}")
}

#[test]
fn blanks_are_filled_from_rows_that_are_left_out_and_never_from_sums() {
    let ledger = Ledger::new();
    let mapping = dated("fill_down = \"name\"") + "[only_if]\ncolumn = \"ok\"\nequals = \"yes\"\n";
    let text = "id,name,d,h,ok\n1,ann,2026-10-01,1,yes\n2,bob,2026-10-03,2,no\n3,,2026-10-04,2,yes\n";
    assert_eq!(counts(&import(&ledger, &mapping, text, &[]))[1], 2);
    assert_eq!((minutes(&ledger, "ann"), minutes(&ledger, "bob")), (60, 120));
    let mapping = dated("fill_down = [\"name\", \"ok\"]").replace("\"dated\"", "\"states\"")
        + "[only_if]\ncolumn = \"ok\"\nequals = \"yes\"\n";
    let text = "id,name,d,h,ok\n1,cyd,2026-10-01,1,yes\n2,,2026-10-03,2,\n3,dan,2026-10-04,2,no\n4,,2026-10-05,2,\n";
    let report = import(&ledger, &mapping, text, &[]);
    assert_eq!((counts(&report)[1], &report["left_out"]), (2, &Value::from(2)), "{report}");
    let mapping = dated("fill_down = \"name\"\ntotals = \"total\"").replace("\"dated\"", "\"sums\"");
    let text =
        "name,id,d,h\neve,1,2026-10-01,1\nTotalina,2,2026-10-02,1\n,3,2026-10-03,2\nTotal,,,4\n,5,2026-10-04,1\n";
    let report = import(&ledger, &mapping, text, &[]);
    assert_eq!((counts(&report), &report["totals"]), ([4, 4, 0, 0, 0, 0], &serde_json::json!([5])), "{report}");
    assert_eq!((minutes(&ledger, "eve"), minutes(&ledger, "Totalina")), (60, 240));
    for totals in ["\"\"", "\"1\"", "[\"Sum\", \"--\"]"] {
        assert!(
            stops(&ledger, &dated(&format!("totals = {totals}")), "id,name,d,h\n", &[]).contains("letters"),
            "{totals}"
        );
    }
}

#[test]
fn rows_above_the_header_are_titles_or_the_file_is_refused() {
    let ledger = Ledger::new();
    let sorted = "1,ann,2026-10-01,1\n2,ann,2026-10-02,1\nid,name,d,h\n3,ann,2026-10-03,2\n";
    let error = stops(&ledger, DATED, sorted, &[]);
    assert!(error.contains("line 1") && error.contains("sorted along"), "{error}");
    let titled = "Hours of October,,,\nmade on,,2026-10-31,\n,,,\nid,name,d,h\n3,ann,2026-10-03,2\n";
    assert_eq!(counts(&import(&ledger, DATED, titled, &[]))[1], 1);
}

#[test]
fn rejects_never_change_the_record_of_another_row() {
    let ledger = Ledger::new();
    let rejects = ledger.folder.path().join("rejects.csv");
    let text = "id,name,d,h\n1,ann,2026-10-01,1\n1,ann,2026-10-02,3\n";
    assert_eq!(counts(&import(&ledger, DATED, text, &["--rejects", rejects.to_str().unwrap()])), [2, 1, 0, 0, 0, 1]);
    let written = std::fs::read_to_string(&rejects).unwrap();
    assert_eq!(counts(&import(&ledger, DATED, &written, &[])), [1, 0, 0, 0, 0, 1]);
    assert_eq!(minutes(&ledger, "ann"), 60);
    assert_eq!(counts(&import(&ledger, DATED, &written.replace("\n1,", "\n2,"), &[])), [1, 1, 0, 0, 0, 0]);
    assert_eq!(minutes(&ledger, "ann"), 240);
}

#[test]
fn operations_are_carried_out_once_however_their_file_was_saved() {
    let mapping = "source = \"log\"\nimported = true\n[columns]\nrecord = \"id\"\nvolunteer = \"v\"\nstart = \"s\"\nend = \"e\"\noperation = \"op\"\n\
                   [constants]\nstation = \"s1\"\n";
    let mapping = format!("zone = \"Asia/Shanghai\"\n{mapping}");
    let ledger = Ledger::new();
    let text = "op,id,v,s,e\nadd,1,p,2026-10-01 09:00,2026-10-01 10:00\ndelete,1,,,\nadd,1,p,2026-10-01 09:00,2026-10-01 11:00\n";
    import(&ledger, &mapping, text, &[]);
    let size = ledger.status()["size"].clone();
    for saved in [
        text.replace('\n', ",\n"),
        text.replace('\n', ",a note\n").replacen("a note", "note", 1),
        text.replace("2026-10-01 09:00", "2026/10/1 9:00").replace("10:00", "10:00:00"),
        text.replace('\n', "\r\n"),
        text.replace("op,id,v,s,e", "op,id,v,s,e,,"),
    ] {
        let report = import(&ledger, &mapping, &saved, &[]);
        assert_eq!((counts(&report)[4], &ledger.status()["size"]), (3, &size), "{saved}: {report}");
    }
    // Rejected operations mean what they mean by their place among the others.
    let rejects = "op,id,v,s,e,line,reason\nadd,2,p,2026-10-02 09:00,2026-10-02 10:00,3,x\n";
    assert!(stops(&ledger, &mapping, rejects, &[]).contains("in the file itself"));
}

#[test]
fn an_id_of_another_kind_of_account_is_nobodys_name() {
    let ledger = Ledger::new();
    ledger.run(&["region", "define", "here"]);
    let station = ledger.json(&["station", "open", "--region", "here"])["account"].as_str().unwrap().to_owned();
    let report = import(&ledger, DATED, &format!("id,name,d,h\n1,{station},2026-10-01,1\n"), &[]);
    assert!(report["rejects"].to_string().contains("mixed up"), "{report}");
    assert!(ledger.run(&["balance", &station]).status.success());
}

/// Every file of a folder with its contents.
fn contents(folder: &std::path::Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        found.insert(folder.clone(), Vec::new());
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                drop(found.insert(path.clone(), std::fs::read(path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn a_dry_run_writes_nothing_at_all() {
    let ledger = Ledger::new();
    let elsewhere = ledger.folder.path().join("elsewhere");
    let rejects = ledger.folder.path().join("rejects.csv");
    let text = "id,name,d,h\n1,ann,2026-10-01,1\n2,ann,bad,1\n";
    for more in [
        &[][..],
        &["--directory", elsewhere.to_str().unwrap()],
        &["--rejects", rejects.to_str().unwrap()],
        &["--adopt"],
    ] {
        std::thread::sleep(std::time::Duration::from_millis(1_500));
        let before = contents(ledger.folder.path());
        let files = Files::new(DATED);
        let file = files.csv(text);
        let accounts = if more == ["--adopt"] { &[][..] } else { &["--open-accounts"] };
        let output =
            ledger.run(&[&["import", &file, "--mapping", &files.mapping, "--dry-run"], accounts, more].concat());
        assert!([Some(0), Some(4)].contains(&output.status.code()), "{}", String::from_utf8_lossy(&output.stderr));
        let after = contents(ledger.folder.path());
        let changed: Vec<_> =
            after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).map(|(path, _)| path).collect();
        assert!(changed.is_empty() && before.len() == after.len(), "{more:?}: {changed:?}");
    }
}

#[test]
fn a_setting_for_all_commands_moves_no_source() {
    let ledger = Ledger::new();
    let mapping = TIMES.replace("zone = \"Asia/Shanghai\"\n", "");
    let files = Files::new(&mapping);
    let file = files.csv("id,who,day,time\n1,ann,2026-10-01,9:00-10:00\n");
    let run = |zone: Option<&str>, more: &[&str]| {
        let mut command = ledger
            .command(&[&["import", &file, "--mapping", &files.mapping, "--open-accounts", "--json"], more].concat());
        if let Some(zone) = zone {
            command.env("TIMEBANK_ZONE", zone);
        }
        let output = command.output().unwrap();
        counts(&serde_json::from_slice(&output.stdout).unwrap())
    };
    assert_eq!(run(Some("Asia/Shanghai"), &[]), [1, 1, 0, 0, 0, 0]);
    assert_eq!(run(Some("Europe/Prague"), &[]), [1, 0, 0, 0, 1, 0]);
    assert_eq!(run(None, &["--zone", "Europe/Prague"]), [1, 0, 1, 0, 0, 0]);
}

#[test]
fn a_file_that_is_being_written_is_not_read() {
    let ledger = Ledger::new();
    let files = Files::new(DATED);
    let file = files.csv("id,name,d,h\n");
    let path = file.clone();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        for id in 0..60 {
            let mut file = std::fs::File::options().append(true).open(&path).unwrap();
            writeln!(file, "{id},p{id},2026-10-01,1").unwrap();
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    let output = ledger.run(&["import", &file, "--mapping", &files.mapping, "--open-accounts"]);
    let error = String::from_utf8(output.stderr).unwrap();
    writer.join().unwrap();
    assert!(output.status.code() == Some(2) && error.contains("written"), "{error}");
    assert_eq!(ledger.status()["size"], 1);
}

#[test]
fn who_served_is_told_from_who_was_served_and_when_from_when_it_was_entered() {
    let suggest = |header: &str, row: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.csv");
        let rows: String = (1..=12).map(|day| row.replace("DAY", &format!("{day:02}")) + "\n").collect();
        std::fs::write(&path, format!("{header}\n{rows}")).unwrap();
        let output =
            super::server::timebank(&["import", "suggest", path.to_str().unwrap(), "--json"]).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    for (header, column) in [
        ("老人姓名,志愿者姓名,服务日期,服务时长", "志愿者姓名"),
        ("志愿者姓名,老人姓名,服务日期,服务时长", "志愿者姓名"),
        ("督导姓名,姓名,服务日期,服务时长", "姓名"),
        ("Supervisor name,Volunteer name,Date,Hours", "Volunteer name"),
        ("Supervisor name,Volunteer,Date,Hours", "Volunteer"),
        ("Beneficiary name,Name,Date,Hours", "Name"),
        ("Name,Coordinator name,Date,Hours", "Name"),
    ] {
        let suggested = suggest(header, "张三,李四,2026-10-DAY,2.5");
        let mapping = suggested["mapping"].as_str().unwrap();
        assert!(mapping.contains(&format!("volunteer = \"{column}\"")), "{header}: {mapping}");
    }
    for (header, column) in
        [("登记日期,姓名,服务日期,时长", "服务日期"), ("Created,Name,Service date,Hours", "Service date")]
    {
        let mapping = suggest(header, "2026-10-DAY,李四,2026-09-DAY,2.5")["mapping"].as_str().unwrap().to_owned();
        assert!(mapping.contains(&format!("date = \"{column}\"")), "{header}: {mapping}");
    }
    for column in ["Attended", "No show", "Cancelled", "是否到场", "Valid"] {
        let unsure = suggest(&format!("Name,Date,Hours,{column}"), "李四,2026-10-DAY,2.5,是")["unsure"].to_string();
        assert!(unsure.contains(column), "{column}: {unsure}");
    }
}

#[test]
fn rejects_of_a_workbook_are_a_workbook_to_be_mended_in() {
    let ledger = Ledger::new();
    let path = |name: &str| ledger.folder.path().join(name).to_str().unwrap().to_owned();
    let text = "id,name,d,h\n1,<Zoë & \"Söhne\">,2026-10-01,1.5\n0042,ann,bad,2\n4,\" two\nlines\",bad,0.25\n5,\u{7}=x,bad,1\n\
                1234567890123456,bo,bad,1\n-0,cy,bad,1\n";
    let files = Files::new(DATED);
    let file = files.csv(text);
    let import = |file: &str, more: &[&str]| {
        ledger.import(&[&["import", file, "--mapping", &files.mapping, "--open-accounts"][..], more].concat())
    };
    // From text to a workbook, and from that to another, of the same sheet.
    assert_eq!(counts(&import(&file, &["--rejects", &path("a.xlsx")])), [6, 1, 0, 0, 0, 5]);
    let report = import(&path("a.xlsx"), &["--rejects", &path("b.xlsx")]);
    assert_eq!(counts(&report), [5, 0, 0, 0, 0, 5], "{report}");
    let records: Vec<&str> =
        report["rejects"].as_array().unwrap().iter().filter_map(|row| row["record"].as_str()).collect();
    assert_eq!(records, ["0042", "4", "5", "1234567890123456", "-0"]);
    let report = import(&path("b.xlsx"), &["--rejects", &path("c.csv")]);
    assert_eq!(counts(&report)[5], 5);
    let written = std::fs::read_to_string(path("c.csv")).unwrap();
    assert!(written.starts_with("\u{feff}id,name,d,h,line,reason\r\n0042,ann,bad,2,"), "{written}");
    let mended = written.replace(",bad,", ",2026-10-02,");
    std::fs::write(path("d.csv"), mended).unwrap();
    assert_eq!(counts(&import(&path("d.csv"), &[]))[1], 4, "a formula's text is nobody's name");
    assert_eq!(minutes(&ledger, "ann"), 120);
}

#[test]
fn an_interrupted_import_ends_in_words_and_goes_on_where_it_was() {
    const ROWS: u64 = 20_000;
    let mapping = "source = \"long\"\nimported = true\n[columns]\nrecord = \"id\"\nvolunteer = \"who\"\ndate = \"day\"\nhours = \"h\"\n\
                   [constants]\nstation = \"s1\"\n";
    let ledger = Ledger::new();
    let files = Files::new(mapping);
    let row = |number: u64| format!("{number},p{},2026-0{}-{:02},1\n", number % 500, 1 + number % 9, 1 + number % 28);
    let file = files.csv(format!("id,who,day,h\n{}", (0..ROWS).map(row).collect::<String>()));
    let import = ["import", &file, "--mapping", &files.mapping, "--open-accounts"];
    let size = || ledger.status()["size"].as_u64().unwrap();
    let before = size();
    let running =
        ledger.command(&import).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn();
    let running = running.unwrap();
    // A few sheets are in: there are more to come.
    while size() < before + 2 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let pid = running.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("interrupted after ") && said.contains(&format!(" of {ROWS} rows")), "{said}");
    let report = ledger.import(&import);
    let [_, recorded, _, _, unchanged, _] = counts(&report);
    assert!(recorded > 0 && unchanged > 0 && recorded + unchanged == ROWS, "{recorded} were left, {unchanged} stood");
    assert_eq!(minutes(&ledger, "p7"), i64::try_from(ROWS / 500 * 60).unwrap(), "each counted once");
}
