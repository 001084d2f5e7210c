//! Accounts by the first digits of their ids, and by what an import calls them.

use std::fs;

use serde_json::Value;

use crate::{Village, failure};

impl Village {
    /// Imports people by the names that a source gives them, an hour and some minutes each.
    fn import_people(&self, source: &str, people: &[&str]) {
        let rows = people.iter().enumerate();
        let rows =
            rows.map(|(number, person)| format!("{number},{person},2026-01-{:02},{}\n", number + 1, 60 + number));
        let file = self.path(&format!("{source}.csv"));
        fs::write(&file, format!("id,who,day,min\n{}", rows.collect::<String>())).unwrap();
        let mapping = self.path(&format!("{source}.toml"));
        let text = format!(
            "source = \"{source}\"\nimported = true\n[columns]\nrecord = \"id\"\nvolunteer = \"who\"\ndate = \"day\"\nminutes = \
             \"min\"\n[constants]\nstation = \"{source}-station\"\noffset = \"+08:00\"\n"
        );
        fs::write(&mapping, text).unwrap();
        self.ledger.json(&["import", &file, "--mapping", &mapping, "--open-accounts"]);
    }

    fn balance(&self, name: &str) -> Result<i64, String> {
        let output = self.ledger.run(&["balance", name]);
        let (code, error) = failure(&output);
        if code == Some(0) {
            let value: Value = serde_json::from_slice(&output.stdout).unwrap();
            return Ok(value["balance_minutes"].as_i64().unwrap());
        }
        assert_eq!(code, Some(2), "{name}: {error}");
        Err(error)
    }

    fn open_as(&self, id: &str) {
        self.ledger.json(&["account", "open", "--station", &self.station, "--id", id]);
    }
}

#[test]
fn whoever_an_import_brought_is_known_by_the_name_it_brought() {
    let village = Village::new();
    let people = ["V001", "王芳", "0042", "Zoë Núñez", "a b", "none", "李强（东街）", "v001", "O'Brien", "x/y", "1e1"];
    village.import_people("leeds", &people);
    for (number, person) in people.iter().enumerate() {
        let output = village.ledger.run(&["balance", person]);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value["balance_minutes"], 60 + number, "{person}");
    }
    assert_eq!(village.balance(" V001 "), Ok(60));
    assert_eq!(village.balance("leeds-station"), Ok(0));
    let error = village.balance("V002").unwrap_err();
    assert!(error.contains("V002") && error.contains("no import brought") && error.contains("account list"), "{error}");

    let listed = village.ledger.command(&["account", "list", "--kind", "resident"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("王芳") && listed.contains("V001"), "{listed}");
    assert!(listed.lines().all(|line| line.chars().count() <= 80), "{listed}");
    village.ledger.json(&[
        "record",
        "--volunteer",
        "王芳",
        "--station",
        "leeds-station",
        "--date",
        "yesterday",
        "--minutes",
        "5",
    ]);
    assert_eq!(village.balance("王芳"), Ok(66));
    let history = village.ledger.command(&["history", "王芳"]).output().unwrap();
    let history = String::from_utf8(history.stdout).unwrap();
    assert!(history.contains("leeds-station") && history.contains("earned"), "{history}");
}

#[test]
fn a_name_moves_no_terminal_and_is_whole_for_programs() {
    let village = Village::new();
    let names = ["a\u{1b}[31mb", "tab\tx", "a\u{202e}gnol", "c\u{9b}1m", "two\nlines"];
    village.import_people("odd", &names.map(|name| if name.contains('\n') { "\"two\nlines\"" } else { name }));
    let accounts = village.ledger.json(&["account", "list", "--kind", "resident"])["accounts"].clone();
    let listed: Vec<&str> =
        accounts.as_array().unwrap().iter().filter_map(|account| account["name"].as_str()).collect();
    assert_eq!(listed, names, "as they were imported");
    let obeyed = |text: &str| text.contains(['\u{1b}', '\t', '\u{202e}', '\u{9b}']);
    for name in names {
        for arguments in
            [["history", name], ["account", "list"], ["balance", &format!("{name}?")], ["history\u{1b}[1m", name]]
        {
            let output = village.ledger.command(&arguments).output().unwrap();
            let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
            assert!(!obeyed(&text), "{arguments:?}: {text:?}");
            // What somebody types is theirs; a name takes one line.
            assert!(!text.contains("\nlines") || text.contains("no import brought"), "{arguments:?}: {text}");
        }
    }
}

#[test]
fn an_id_is_known_by_its_first_digits_where_they_fit_one() {
    let village = Village::new();
    let id = |digits: &str| format!("{digits:0<32}");
    for digits in ["abcdef1", "abcdef2", "12345678", "facade01", "deadbeef", "99999999"] {
        village.open_as(&id(digits));
    }
    village.import_people("hex", &["facade", "deadbeef", "abcdef1", "c0ffee", "12345"]);
    for name in ["12345678", "123456", "1234567800", "ABCDEF2", "abcdef20", "999999"] {
        assert_eq!(village.balance(name), Ok(0), "{name}");
    }
    assert_eq!(village.balance("c0ffee"), Ok(63), "a name of hex digits that no id begins with");
    assert_eq!(village.balance("12345"), Ok(64), "too short for an id, but a name");
    // Two that fit are asked about, with their ids.
    let asked: [(&str, &[&str]); 4] = [
        ("abcdef", &["abcdef1000", "abcdef2000"]),
        ("facade", &["facade0100", "volunteer facade of hex"]),
        ("deadbeef", &["deadbeef00", "volunteer deadbeef of hex"]),
        ("abcdef1", &["abcdef1000", "volunteer abcdef1 of hex"]),
    ];
    for (name, words) in asked {
        let error = village.balance(name).unwrap_err();
        assert!(error.contains("several accounts"), "{name}: {error}");
        assert!(words.iter().all(|word| error.contains(word)), "{name}: {error}");
    }
    for name in ["abcde", "abcdef3", "zzzzzz", "", "1234567x", "0x123456", &id("abcdef1")[..31].replace('1', "3")] {
        let error = village.balance(name).unwrap_err();
        assert!(error.contains("32 hex digits"), "{name}: {error}");
    }
    // Of two sources that call two people alike, both are named.
    village.import_people("north", &["V001"]);
    village.import_people("south", &["V001"]);
    let error = village.balance("V001").unwrap_err();
    assert!(error.contains("V001 of north") && error.contains("V001 of south"), "{error}");
}

#[test]
fn every_option_that_means_an_account_takes_its_names() {
    let village = Village::new();
    village.import_people("leeds", &["V001", "V002"]);
    let (station, short) = (village.station[..8].to_owned(), village.alice[..6].to_owned());
    let (ledger, key) = (&village.ledger, village.alice_key.as_str());
    ledger.json(&["record", "--volunteer", &short, "--station", &station, "--date", "yesterday", "--minutes", "90"]);
    ledger.json(&[
        "record",
        "--volunteer",
        "V001",
        "--station",
        "leeds-station",
        "--date",
        "yesterday",
        "--minutes",
        "9",
    ]);
    ledger.json(&["transfer", "--from", &short, "--to", "V001", "--to", "V002", "--minutes", "5", "--key", key]);
    ledger.json(&[
        "hold",
        "place",
        "--payer",
        &short,
        "--station",
        &station,
        "--minutes",
        "5",
        "--expires",
        "+1d",
        "--key",
        key,
    ]);
    assert_eq!(
        ledger.json(&["hold", "list", "--payer", &short, "--station", &station])["holds"].as_array().unwrap().len(),
        1
    );
    assert_eq!(ledger.json(&["account", "show", "V001"])["balance_minutes"], 60 + 9 + 5);
    let served = ledger.json(&["account", "list", "--station", "leeds-station"]);
    assert_eq!(served["accounts"].as_array().unwrap().len(), 2);
    ledger.json(&["account", "floor", "V002", "--minutes", "-30"]);
    ledger.json(&["account", "open", "--station", "leeds-station"]);
    assert_eq!(ledger.json(&["key", "list", "--account", &short])["keys"].as_array().unwrap().len(), 1);
    let new = village.path("v001.key");
    ledger.json(&["key", "new", &new]);
    ledger.json(&["key", "enrol", &new, "--role", "resident", "--account", "V001"]);
    assert_eq!(ledger.json(&["history", "V001"])["rows"].as_array().unwrap().len(), 3);
}
