//! A year of a district, made up: the same for everybody, sound by every rule, and nobody's.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    io::{BufRead, BufReader},
    ops::ControlFlow,
    path::Path,
    process::Stdio,
};

use serde_json::Value;
use timebank::{
    folder::demo::{self, DemoError, DemoOptions},
    format::{archive::Reader, wire},
    ledger::{AccountId, AccountKind, Event, EventRef, LogIndex},
};

use super::{
    failure,
    server::{Ledger, serve_command},
    timebank,
};

const YEAR: [&str; 2] = ["--until", "2026-10-31"];

fn make(folder: &Path, seed: &str) -> Value {
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

/// What an archive holds.
#[derive(Default)]
struct Held {
    entries: u64,
    /// Events by kind.
    kinds: BTreeMap<&'static str, u64>,
    /// Records that settle a booking.
    settled: u64,
    /// Residents, and those of them who served.
    residents: HashSet<AccountId>,
    served: HashSet<AccountId>,
    /// Minutes credited by each record as it stands, and those that a payer gave.
    credited: HashMap<EventRef, i64>,
    redeemed: i64,
}

fn held(archive: &[u8]) -> Held {
    let mut reader = Reader::new(archive).unwrap();
    let mut held = Held::default();
    while let Some(frame) = reader.next_entries().unwrap() {
        for entry in frame {
            for (number, event) in (0..).zip(&entry.events) {
                let event = wire::decode_event(event).unwrap();
                *held.kinds.entry(event.name()).or_insert(0) += 1;
                held.take(EventRef { index: LogIndex(entry.index), event: number }, &event);
            }
            held.entries += 1;
        }
    }
    held
}

impl Held {
    fn take(&mut self, place: EventRef, event: &Event) {
        if let Event::AccountOpened(opened) = event
            && opened.kind == AccountKind::Resident
        {
            self.residents.insert(opened.account);
        }
        if let Event::ServiceRecorded(recorded) = event {
            let service = &recorded.service;
            self.settled += u64::from(recorded.hold.is_some());
            self.served.insert(service.volunteer);
            self.credited.insert(place, service.credited.get());
            self.redeemed += service.payer.map_or(0, |_payer| service.credited.get());
        }
        if let Event::ServiceCorrected(corrected) = event {
            self.credited.insert(corrected.record, corrected.service.credited.get());
        }
        if let Event::ServiceReversed { record, .. } = event {
            self.credited.insert(*record, 0);
        }
    }
}

#[test]
fn one_seed_is_one_ledger_and_its_numbers_are_those_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, other] = ["first", "second", "other"].map(|name| folder.path().join(name));
    // A link to an empty folder means that folder.
    fs::create_dir(folder.path().join("behind")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("behind"), &second).unwrap();
    let made = make(&first, "7");
    assert_eq!(made["root"], make(&second, "7")["root"]);
    let bytes = archive(&first);
    assert!(bytes == archive(&second), "one seed, one last day: one archive, to the byte");
    assert_ne!(made["root"], make(&other, "8")["root"]);

    let held = held(&bytes);
    let counts = &made["counts"];
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((count("stations"), count("people"), count("sheets")), (30, 2_000, held.entries), "{counts}");
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
        assert_eq!(held.kinds[kind], expected, "{kind}: {counts}");
        assert!(expected > 0, "{kind} happens");
    }
    let volunteers = held.served.intersection(&held.residents).count();
    assert_eq!((count("volunteers"), count("settled")), (volunteers as u64, held.settled), "{counts}");
    let minutes = [held.credited.values().sum(), held.redeemed];
    let told = ["credited_minutes", "redeemed_minutes"].map(|name| counts[name].as_i64().unwrap());
    assert_eq!(told, minutes, "{counts}");
    assert!(count("late") > 0 && count("late") < count("records") / 10, "{counts}");

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
    let made = make(folder.path(), "1");
    let mut announced =
        serve_command(folder.path()).args(["--accept-clock", "now"]).stdout(Stdio::piped()).spawn().unwrap();
    let first = BufReader::new(announced.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    announced.kill().unwrap();
    announced.wait().unwrap();
    assert!(first.contains("its keys are no secret, nothing in it is to be taken for real"), "{first}");
    let served = Ledger::on_old(folder);
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
        let empty = folder.path().join("used").join("empty");
        fs::create_dir(&empty).unwrap();
        let output = timebank(&["demo"]).args(arguments).current_dir(&empty).output().unwrap();
        fs::remove_dir(&empty).unwrap();
        let (code, error) = failure(&output);
        assert_eq!((code, error.contains(expected)), (Some(2), true), "{arguments:?}: {error}");
    };
    let [used_text, new] = [used.clone(), folder.path().join("new")].map(|path| path.to_str().unwrap().to_owned());
    check(&[&used_text], "is there and not empty, and nothing there is ever touched");
    check(&[&format!("{used_text}/mine")], "is there and not empty");
    check(&[&format!("{used_text}/mine/new")], "File exists");
    check(&[&new, "--until", "today"], "that day isn't over");
    check(&[&new, "--until", "1970-06-01"], "it has to begin on 1970-01-02 or later");
    check(&[&new, "--seed", "many"], "invalid value 'many'");
    check(&["."], "or it is the folder you are in");

    let options =
        DemoOptions { folder: folder.path().join("a/b/new"), seed: 1, last_day: jiff::civil::date(2026, 10, 31) };
    let interrupted =
        demo::make(&options, &|days| if days < 9 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) });
    assert!(matches!(interrupted, Err(DemoError::Interrupted)));
    let names = |folder: &Path| {
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((names(folder.path()), names(&used)), (vec!["used".to_owned()], vec!["mine".to_owned()]));
}

#[test]
fn a_year_may_begin_on_any_day_of_a_month() {
    let folder = tempfile::tempdir().unwrap();
    let first = jiff::civil::date(2024, 2, 1);
    for day in 0..31 {
        let last_day = first.checked_add(jiff::Span::new().days(day)).unwrap();
        let options = DemoOptions { folder: folder.path().join(last_day.to_string()), seed: 3, last_day };
        // Ten days are enough: what can only go wrong on the first ones.
        let lived =
            demo::make(&options, &|days| if days < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) });
        assert!(matches!(lived, Err(DemoError::Interrupted)), "{last_day}: {lived:?}");
    }
}
