//! In step with a ledger that others change, too, and with sheets whose rows exchange what they hold.

use serde_json::Value;

use super::{Files, Ledger, counts};

const TIMES: &str = "source = \"step\"\n[columns]\nrecord = \"id\"\nvolunteer = \"who\"\nstation = \"at\"\nstart = \"from\"\nend = \"to\"\n";

/// Rows of id, volunteer, day of the month, and hours from and to.
type Row<'a> = (&'a str, &'a str, u32, u32, u32);

fn sheet(rows: &[Row<'_>]) -> String {
    let row = |(id, who, day, from, to): &Row<'_>| {
        format!("{id},{who},s1,2026-10-{day:02}T{from:02}:00Z,2026-10-{day:02}T{to:02}:00Z\n")
    };
    format!("id,who,at,from,to\n{}", rows.iter().map(row).collect::<String>())
}

/// A ledger and a sheet that is imported into it again and again.
struct Step {
    ledger: Ledger,
    files: Files,
}

impl Step {
    fn new() -> Self {
        Self { ledger: Ledger::new(), files: Files::new(TIMES) }
    }

    fn import(&self, rows: &[Row<'_>], more: &[&str]) -> Value {
        let file = self.files.csv(sheet(rows));
        let import = ["import", &file, "--mapping", &self.files.mapping, "--open-accounts"];
        self.ledger.import(&[&import[..], more].concat())
    }

    /// An import that stops before anything is recorded, and says why.
    fn stops(&self, rows: &[Row<'_>], more: &[&str]) -> String {
        let (file, size) = (self.files.csv(sheet(rows)), self.ledger.status()["size"].clone());
        let import = ["import", &file, "--mapping", &self.files.mapping, "--open-accounts"];
        let output = self.ledger.run(&[&import[..], more].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(self.ledger.status()["size"], size, "{error}");
        error
    }

    fn minutes(&self, who: &str) -> i64 {
        self.ledger.json(&["balance", who])["balance_minutes"].as_i64().unwrap()
    }

    /// The place of somebody's only live record.
    fn record(&self, who: &str) -> String {
        let rows = self.ledger.json(&["history", who])["rows"].clone();
        let live = |row: &&Value| row["details"]["reversed"] == false;
        rows.as_array().unwrap().iter().find(live).unwrap()["details"]["record"].as_str().unwrap().to_owned()
    }

    fn run(&self, arguments: &[&str]) {
        let output = self.ledger.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn reasons(report: &Value) -> String {
    report["rejects"].to_string()
}

#[test]
fn rows_that_exchange_their_times_or_people_are_set_right_together() {
    let cases: [(&str, &[Row<'_>], &[Row<'_>]); 5] = [
        (
            "times of one person",
            &[("1", "ann", 1, 9, 10), ("2", "ann", 1, 10, 11)],
            &[("1", "ann", 1, 10, 11), ("2", "ann", 1, 9, 10)],
        ),
        (
            "people at one time",
            &[("1", "ann", 1, 9, 10), ("2", "bob", 1, 9, 11)],
            &[("1", "bob", 1, 9, 10), ("2", "ann", 1, 9, 11)],
        ),
        (
            "three in a ring",
            &[("1", "ann", 1, 9, 10), ("2", "ann", 1, 10, 11), ("3", "ann", 1, 11, 12)],
            &[("1", "ann", 1, 10, 11), ("2", "ann", 1, 11, 12), ("3", "ann", 1, 9, 10)],
        ),
        (
            "longer ones",
            &[("1", "ann", 1, 9, 11), ("2", "ann", 1, 11, 12)],
            &[("1", "ann", 1, 10, 12), ("2", "ann", 1, 9, 10)],
        ),
        (
            "with a new one between",
            &[("1", "ann", 1, 9, 10), ("2", "ann", 1, 10, 11)],
            &[("1", "ann", 1, 10, 11), ("2", "ann", 1, 8, 9), ("3", "ann", 1, 9, 10)],
        ),
    ];
    for (what, before, after) in cases {
        for more in [&[][..], &["--full"]] {
            let step = Step::new();
            assert_eq!(counts(&step.import(before, &[]))[5], 0, "{what}");
            let tried = step.import(after, &[more, &["--dry-run"]].concat());
            let report = step.import(after, more);
            assert_eq!(counts(&report)[5], 0, "{what}: {}", reasons(&report));
            assert_eq!(
                (tried["corrected"].clone(), tried["recorded"].clone()),
                (report["corrected"].clone(), report["recorded"].clone()),
                "{what}"
            );
            for who in ["ann", "bob"].into_iter().filter(|who| before.iter().any(|row| row.1 == *who)) {
                let expected: u32 = after.iter().filter(|row| row.1 == who).map(|row| (row.4 - row.3) * 60).sum();
                assert_eq!(step.minutes(who), i64::from(expected), "{what}: {who}");
            }
            let again = step.import(after, more);
            assert_eq!(counts(&again)[4], after.len() as u64, "{what}: {}", reasons(&again));
            assert_eq!(step.ledger.status()["balance_sum"], 0);
        }
    }
}

#[test]
fn a_row_in_the_way_of_an_exchange_does_not_stop_the_others() {
    let step = Step::new();
    step.import(&[("1", "ann", 1, 9, 10), ("2", "ann", 1, 10, 11), ("3", "ann", 1, 12, 14)], &[]);
    let after = [("1", "ann", 1, 10, 11), ("2", "ann", 1, 9, 10), ("3", "ann", 1, 12, 14), ("4", "ann", 1, 13, 15)];
    let report = step.import(&after, &[]);
    assert_eq!(counts(&report), [4, 0, 2, 0, 1, 1], "{}", reasons(&report));
    let reason = &report["rejects"][0];
    assert_eq!(reason["line"], 5);
    let message = reason["message"].as_str().unwrap();
    assert!(message.contains("line 4 (3), 1.") && message.contains("in the log"), "{message}");
}

#[test]
fn minutes_that_were_spent_are_not_owed_because_two_rows_were_mixed_up() {
    let before = [("1", "ann", 1, 9, 10), ("2", "bob", 2, 9, 11)];
    let after = [("1", "bob", 1, 9, 10), ("2", "ann", 2, 9, 11)];
    let step = Step::new();
    step.import(&before, &[]);
    // Both have given away all that these rows brought them.
    let (ann, bob) = (account(&step, "ann"), account(&step, "bob"));
    give(&step, &ann, &bob, 60);
    give(&step, &bob, &ann, 180);
    give(&step, &ann, &bob, 180);
    let report = step.import(&after, &[]);
    assert_eq!(counts(&report)[5], 0, "{}", reasons(&report));
    assert_eq!(step.ledger.status()["balance_sum"], 0);
    let stations = step.ledger.json(&["account", "list", "--kind", "station"]);
    assert_eq!(stations["accounts"][0]["balance_minutes"], 0, "the station owes nothing");
}

fn account(step: &Step, who: &str) -> String {
    step.ledger.json(&["account", "show", who])["account"].as_str().unwrap().to_owned()
}

/// A gift, signed by a key of the giver's own.
fn give(step: &Step, from: &str, to: &str, minutes: u32) {
    let key = step.ledger.folder.path().join(format!("{from}.key"));
    let key = key.to_str().unwrap();
    if !std::path::Path::new(key).exists() {
        step.run(&["key", "new", key]);
        let proof = step.ledger.folder.path().join(format!("{from}.proof"));
        let proved = step.ledger.run(&["key", "prove", key]);
        std::fs::write(&proof, proved.stdout).unwrap();
        step.run(&["key", "enrol", proof.to_str().unwrap(), "--role", "resident", "--account", from]);
    }
    step.run(&["transfer", "--from", from, "--to", to, "--minutes", &minutes.to_string(), "--key", key]);
}

#[test]
fn what_was_changed_by_hand_is_told_mended_or_left() {
    let rows = [("1", "ann", 1, 9, 10), ("2", "bob", 1, 9, 11)];
    let changed = || {
        let step = Step::new();
        step.import(&rows, &[]);
        step.run(&["correct", "reverse", &step.record("bob"), "--reason", "not-served"]);
        step.run(&["correct", "service", &step.record("ann"), "--end", "2026-10-01T09:30Z"]);
        assert_eq!((step.minutes("ann"), step.minutes("bob")), (30, 0));
        step
    };
    let step = changed();
    let report = step.import(&rows, &[]);
    assert_eq!((counts(&report), &report["credited_minutes"]), ([2, 0, 0, 0, 0, 2], &Value::from(30)));
    assert!(reasons(&report).contains("was taken back in the ledger") && reasons(&report).contains("was corrected in"));
    assert_eq!((step.minutes("ann"), step.minutes("bob")), (30, 0));

    let step = changed();
    let report = step.import(&rows, &["--by-hand", "leave"]);
    assert_eq!((counts(&report), &report["credited_minutes"]), ([2, 0, 0, 0, 2, 0], &Value::from(30)));
    assert_eq!(report["notices"].as_array().unwrap().len(), 2);

    let step = changed();
    let tried = step.import(&rows, &["--by-hand", "mend", "--dry-run"]);
    let report = step.import(&rows, &["--by-hand", "mend"]);
    assert_eq!(counts(&report), [2, 1, 1, 0, 0, 0]);
    assert_eq!(counts(&tried), counts(&report));
    assert_eq!((step.minutes("ann"), step.minutes("bob")), (60, 120));
    assert_eq!(counts(&step.import(&rows, &[])), [2, 0, 0, 0, 2, 0]);

    // What the sheet says anew is what the ledger is to have; what both say already is in step.
    let step = changed();
    let report = step.import(&[("1", "ann", 1, 8, 10), ("2", "bob", 1, 9, 12)], &[]);
    assert_eq!(counts(&report), [2, 1, 1, 0, 0, 0]);
    assert_eq!((step.minutes("ann"), step.minutes("bob")), (120, 180));
    let step = changed();
    step.run(&["correct", "service", &step.record("ann"), "--end", "2026-10-01T12:00Z"]);
    let report = step.import(&[("1", "ann", 1, 9, 12)], &["--full"]);
    assert_eq!(counts(&report), [2, 0, 0, 0, 2, 0], "{report}");
    assert_eq!(counts(&step.import(&[("1", "ann", 1, 9, 12)], &["--full"])), [1, 0, 0, 0, 1, 0]);
}

#[test]
fn a_numbering_that_begins_anew_changes_nothing_of_last_month() {
    let step = Step::new();
    step.import(&[("1", "ann", 1, 9, 11), ("2", "bob", 2, 9, 12)], &[]);
    let next = [("1", "bob", 8, 9, 10), ("2", "ann", 9, 9, 10), ("3", "cyd", 10, 9, 10)];
    let accounts = |step: &Step| step.ledger.json(&["account", "list"])["accounts"].as_array().unwrap().len();
    let report = step.import(&next, &[]);
    assert_eq!(counts(&report), [3, 1, 0, 0, 0, 2], "{report}");
    let reason = report["rejects"][0]["message"].as_str().unwrap();
    for said in ["2026-10-01", "2026-10-08", "--renumbered", "record = ", "accounts_of = \"step\""] {
        assert!(reason.contains(said), "{said}: {reason}");
    }
    assert_eq!((step.minutes("ann"), step.minutes("bob")), (120, 180));
    // A newcomer under an old number is given no account, either.
    let before = accounts(&step);
    assert_eq!(counts(&step.import(&[("1", "dan", 20, 9, 10)], &[])), [1, 0, 0, 0, 0, 1]);
    assert_eq!(accounts(&step), before);
    // One of the two is a correction as any other.
    assert_eq!(counts(&step.import(&[("1", "ann", 3, 9, 11), ("2", "ann", 2, 9, 12)], &[])), [2, 0, 2, 0, 0, 0]);
    assert_eq!(counts(&step.import(&[("1", "bob", 8, 9, 10)], &["--renumbered"])), [1, 0, 1, 0, 0, 0]);
}

#[test]
fn a_full_file_that_was_cut_takes_nothing_back_unasked() {
    let step = Step::new();
    let rows: Vec<(String, String)> = (0..300).map(|number| (number.to_string(), format!("p{number}"))).collect();
    let rows: Vec<Row<'_>> = rows.iter().map(|(id, who)| (id.as_str(), who.as_str(), 1, 9, 10)).collect();
    step.import(&rows, &["--full"]);
    let error = step.stops(&rows[..269], &["--full"]);
    assert!(error.contains("31 of the source's 300") && error.contains("--take-back 31"), "{error}");
    step.stops(&rows[..269], &["--full", "--dry-run"]);
    step.stops(&rows[..269], &["--full", "--take-back", "30"]);
    assert_eq!(counts(&step.import(&rows[..270], &["--full"]))[3], 30, "a tenth goes without a question");
    assert_eq!(counts(&step.import(&rows[..200], &["--full", "--take-back", "70"]))[3], 70);
    assert_eq!(counts(&step.import(&rows[..180], &["--full"]))[3], 20, "so do twenty");
    step.stops(&rows[..159], &["--full"]);
}

#[test]
fn an_empty_folder_beside_imported_records_stops_and_adopts() {
    let step = Step::new();
    let rows = [
        ("1", "ann", 1, 9, 11),
        ("2", "bob", 1, 9, 12),
        ("3", "ann", 3, 9, 10),
        ("4", "bob", 4, 9, 10),
        ("5", "cyd", 5, 9, 10),
        ("6", "dan", 5, 9, 10),
    ];
    step.import(&rows, &[]);
    let other = step.ledger.folder.path().join("other");
    let other = ["--directory", other.to_str().unwrap()];
    let error = step.stops(&rows, &other);
    assert!(error.contains("--adopt") && error.contains("--first") && error.contains("--directory"), "{error}");
    let size = step.ledger.status()["size"].clone();
    let adopt = |more: &[&str]| {
        let file = step.files.csv(sheet(&rows));
        step.ledger.json(&[&["import", &file, "--mapping", &step.files.mapping, "--adopt"], &other[..], more].concat())
    };
    let tried = adopt(&["--dry-run"]);
    let adopted = adopt(&[]);
    assert_eq!(tried, adopted);
    // Two people who served the same hour and nothing else can't be told apart.
    assert_eq!((adopted["rows"].as_u64(), adopted["linked"].as_u64()), (Some(6), Some(4)));
    assert_eq!(adopted["unsure"], serde_json::json!(["cyd", "dan"]));
    assert_eq!(adopted["unmatched"], serde_json::json!([6, 7]));
    assert_eq!(step.ledger.status()["size"], size, "nothing was recorded");
    assert_eq!(counts(&step.import(&rows[..4], &other)), [4, 0, 0, 0, 4, 0]);
    assert_eq!(step.ledger.status()["size"], size);
    let error = step.ledger.run(&["import", "none.csv", "--mapping", &step.files.mapping, "--adopt", "--full"]);
    assert_eq!(error.status.code(), Some(2));
}

#[test]
fn a_source_whose_rows_get_other_names_is_not_recorded_a_second_time() {
    let step = Step::new();
    let rows = [("1", "ann", 1, 9, 11), ("2", "bob", 2, 9, 12)];
    step.import(&rows, &[]);
    let file = step.files.csv(sheet(&rows));
    let renamed = Files::new(&TIMES.replace("record = \"id\"", "record = [\"who\", \"from\"]"));
    let import = |more: &[&str]| {
        let output = step.ledger.run(&[&["import", &file, "--mapping", &renamed.mapping][..], more].concat());
        (output.status.code(), String::from_utf8(output.stderr).unwrap(), output.stdout)
    };
    let (code, error, _) = import(&[]);
    assert!(code == Some(2) && error.contains("who, from") && error.contains("--adopt"), "{error}");
    assert_eq!(import(&["--adopt"]).0, Some(0));
    let (code, _, report) = import(&["--full"]);
    assert_eq!((code, counts(&serde_json::from_slice(&report).unwrap())), (Some(0), [2, 0, 0, 0, 2, 0]));
}
