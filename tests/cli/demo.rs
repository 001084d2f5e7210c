//! A year of a district, made up: the same for everybody, sound by every rule, and nobody's.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use timebank::{archive::Reader, wire};

use super::{failure, server::Ledger, timebank};

const YEAR: [&str; 2] = ["--until", "2026-10-31"];

fn demo(folder: &Path, seed: &str) -> Value {
    let mut command = timebank(&["demo", folder.to_str().unwrap(), "--seed", seed, "--json"]);
    let output = command.args(YEAR).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The log in one file.
fn archive(folder: &Path) -> Vec<u8> {
    let out = folder.join("archive");
    let status = timebank(&["export", "--data"]).arg(folder).arg("--out").arg(&out).output().unwrap().status;
    assert!(status.success());
    fs::read(out).unwrap()
}

/// How many events of each kind an archive has, and how many entries.
fn events(archive: &[u8]) -> (BTreeMap<&'static str, u64>, u64) {
    let mut reader = Reader::new(archive).unwrap();
    let (mut kinds, mut entries) = (BTreeMap::new(), 0);
    while let Some(frame) = reader.next_entries().unwrap() {
        for entry in frame {
            entries += 1;
            for event in &entry.events {
                *kinds.entry(wire::decode_event(event).unwrap().name()).or_insert(0) += 1;
            }
        }
    }
    (kinds, entries)
}

#[test]
fn one_seed_is_one_ledger_and_its_numbers_are_those_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, other] = ["first", "second", "other"].map(|name| folder.path().join(name));
    let made = demo(&first, "7");
    assert_eq!(made["root"], demo(&second, "7")["root"]);
    let bytes = archive(&first);
    assert!(bytes == archive(&second), "one seed, one last day: one archive, to the byte");
    assert_ne!(made["root"], demo(&other, "8")["root"]);

    let (kinds, entries) = events(&bytes);
    let counts = &made["counts"];
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((count("stations"), count("people"), count("sheets")), (30, 2_000, entries), "{counts}");
    let opened = count("stations") * 2 + count("people") + count("households");
    for (kind, expected) in [
        ("account_opened", opened),
        ("region_defined", count("stations")),
        ("service_recorded", count("records")),
        ("service_corrected", count("corrections")),
        ("service_reversed", count("reversals")),
        ("minutes_transferred", count("gifts")),
        ("hold_placed", count("bookings")),
        ("hold_released", count("released")),
        ("hold_expired", count("expired")),
    ] {
        assert_eq!(kinds[kind], expected, "{kind}: {counts}");
        assert!(expected > 0, "{kind} happens");
    }
    assert!(count("late") > 0 && count("volunteers") < count("people"), "{counts}");

    let audit = timebank(&["audit", "--json", "--archive"])
        .arg(first.join("archive"))
        .arg("--pin")
        .arg(first.join("ledger.pin"))
        .args(["--memory"])
        .arg(folder.path().join("memory"))
        .output()
        .unwrap();
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stderr));
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!((&audit["verdict"], &audit["entries"]), (&Value::from("verified"), &made["size"]), "{audit}");
}

#[test]
fn a_demo_is_served_says_what_it_is_and_knows_its_people() {
    let folder = tempfile::tempdir().unwrap();
    let made = demo(folder.path(), "1");
    let served = Ledger::on(folder);
    let status = served.json(&["status"]);
    assert_eq!((&status["root"], &status["origin"]), (&made["root"], &made["origin"]));
    assert!(status["origin"].as_str().unwrap().starts_with("demo.timebank.invalid/"), "{status}");

    let (station, resident) = (made["station"].as_str().unwrap(), made["resident"].as_str().unwrap());
    let key = served.folder.path().join("keys").join(format!("{station}.key"));
    let minutes = |name: &str| served.json(&["balance", name])["available_minutes"].as_i64().unwrap();
    let before = minutes(resident);
    let record = ["record", "--volunteer", resident, "--station", station, "--date", "yesterday", "--hours", "2"];
    served.json(&[&record as &[&str], &["--key", key.to_str().unwrap()]].concat());
    assert_eq!(minutes(resident), before + 120);
    assert!(minutes(&format!("pool-{station}")) >= 0);
}

#[test]
fn a_demo_touches_nothing_that_is_there_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let used = folder.path().join("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("mine"), "mine").unwrap();
    let check = |arguments: &[&str], expected: &str| {
        let output = timebank(&["demo"]).args(arguments).output().unwrap();
        let (code, error) = failure(&output);
        assert_eq!((code, error.contains(expected)), (Some(2), true), "{arguments:?}: {error}");
    };
    let [used_text, new] = [used.clone(), folder.path().join("new")].map(|path| path.to_str().unwrap().to_owned());
    check(&[&used_text], "is there and not empty, and nothing there is ever touched");
    check(&[&format!("{used_text}/mine")], "is there and not empty");
    check(&[&format!("{used_text}/mine/new")], "File exists");
    check(&[&new, "--until", "today"], "that day isn't over");
    check(&[&new, "--until", "1970-06-01"], "it has to begin after 1970-01-01");
    check(&[&new, "--seed", "many"], "invalid value 'many'");
    let names = |folder: &Path| {
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((names(folder.path()), names(&used)), (vec!["used".to_owned()], vec!["mine".to_owned()]));
}
