//! Keys that stay with their owners: what is sent to have one enrolled, and what a script is told.

use std::fs;

use serde_json::json;

use super::{Village, failure, timebank};

#[test]
fn what_a_key_proves_is_enough_to_enrol_it() {
    let village = Village::new();
    let (key, request) = (village.path("clerk.key"), village.path("clerk.request"));
    village.ledger.json(&["key", "new", &key]);
    let proved = village.ledger.command(&["key", "prove", &key]).output().unwrap();
    fs::write(&request, proved.stdout).unwrap();
    // The owner's machine is another one.
    fs::rename(&key, village.path("elsewhere.key")).unwrap();
    village.ledger.json(&["key", "enrol", &request, "--role", "staff", "--account", &village.station]);
    let elsewhere = village.path("elsewhere.key");
    let recorded = village.ledger.json(&village.record("30", &["--key", &elsewhere]));
    assert_eq!(recorded["index"], 6);

    let text = fs::read_to_string(&request).unwrap();
    let digit = text.rfind(|letter: char| letter.is_ascii_hexdigit()).unwrap();
    let other = if &text[digit..=digit] == "0" { "1" } else { "0" };
    let mut changed = text.clone();
    changed.replace_range(digit..=digit, other);
    let check = |text: &str, code, expected: &str| {
        fs::write(&request, text).unwrap();
        let enrol = ["key", "enrol", &request, "--role", "resident", "--account", &village.alice];
        let (found, error) = failure(&village.ledger.command(&enrol).output().unwrap());
        assert_eq!((found, error.contains(expected)), (Some(code), true), "{text}: {error}");
    };
    check(&changed, 1, "[PossessionInvalid]");
    let proved = village.ledger.json(&["key", "prove", &elsewhere]);
    check(&proved.to_string(), 1, "[KeyExists]");
    check(&format!("\u{feff}{text}\r\n"), 1, "[KeyExists]");
    check(&text, 1, "[KeyExists]");
    check(&text[..text.len() - 3], 2, "--possession");
    check("--public-key zz --possession 11", 2, "clerk.request: --public-key zz: expected 64 hex digits");
    check("hello", 2, "neither a key file nor what `timebank key prove` prints of one");
    check("", 2, "neither a key file nor");
}

#[test]
fn a_script_is_told_the_place_and_nothing_else() {
    let village = Village::new();
    let quiet = |arguments: &[&str]| {
        let output = village.ledger.command(&[arguments, &["--quiet"]].concat()).output().unwrap();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{told:?}");
        told
    };
    assert_eq!(quiet(&village.record("120", &[])), ["5.0\n", ""]);
    let [place, warned] = quiet(&village.record("120", &[]));
    assert_eq!(place, "6.0\n");
    assert!(warned.contains("5.0") && warned.contains("[NearDuplicate]"), "{warned}");
    let hold = ["hold", "place", "--payer", &village.alice, "--station", &village.station, "--minutes", "30"];
    let [hold, _] = quiet(&[&hold as &[&str], &["--expires", "+30d", "--key", &village.alice_key]].concat());
    village.ledger.json(&["hold", "release", hold.trim(), "--key", &village.alice_key]);
    assert_eq!(village.ledger.json(&["hold", "list"]), json!({"holds": []}));
    let (code, error) = failure(&timebank(&["record", "--quiet", "--to-file", "a.sheet"]).output().unwrap());
    assert_eq!((code, error.contains("cannot be used with")), (Some(2), true), "{error}");
}

#[test]
fn a_key_of_another_ledger_is_told_before_anything_is_signed() {
    let village = Village::new();
    let key = village.path("other.key");
    village.ledger.json(&["key", "new", &key, "--origin", "timebank.example/other"]);
    let output = village.ledger.command(&village.record("30", &["--key", &key])).output().unwrap();
    let (code, error) = failure(&output);
    let told = error.contains("other.key is of the ledger timebank.example/other, and http://127.0.0.1:");
    assert_eq!((code, told, error.contains("[OriginMismatch]")), (Some(1), true, true), "{error}");
    assert_eq!(village.size(), 5);
}

#[test]
fn what_is_submitted_later_warns_as_well() {
    let village = Village::new();
    village.ledger.json(&village.record("120", &[]));
    let sheet = village.path("a.sheet");
    village.ledger.json(&village.record("120", &["--to-file", &sheet]));
    let output = village.ledger.command(&["submit", &sheet]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("warning: 5.0") && text.contains("NearDuplicate"), "{text}");
}
