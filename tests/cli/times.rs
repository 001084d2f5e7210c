//! Times as people type them, on machines in several places: what reaches the ledger, and what is shown of it.

use serde_json::{Value, json};

use crate::{Village, failure};

impl Village {
    /// Records what was typed at a place; gives what the ledger holds of it, or the error.
    fn record_at(&self, zone: &[(&str, &str)], typed: &[&str]) -> Result<Value, String> {
        let record = ["record", "--volunteer", &self.alice, "--station", &self.station, "--imported"];
        let mut command = self.ledger.command(&[&record, typed].concat());
        command.arg("--json").envs(zone.iter().copied());
        let output = command.output().unwrap();
        let (code, error) = failure(&output);
        if code != Some(0) {
            assert!(error.contains("nothing was recorded") || code == Some(2), "{typed:?}: {error}");
            return Err(error);
        }
        let rows = self.ledger.json(&["history", &self.alice, "--page-size", "1"])["rows"].clone();
        // Out of the way of the next one.
        self.ledger.json(&["correct", "reverse", rows[0]["event"].as_str().unwrap(), "--reason", "not-served"]);
        Ok(rows[0]["details"]["service"].clone())
    }

    /// Start and end in UTC, offset, and minutes credited.
    fn check_interval(&self, zone: &str, (start, end): (&str, &str), expected: (&str, &str, &str, i64)) {
        let service = self.record_at(&[("TZ", zone)], &["--start", start, "--end", end]).unwrap();
        let found = ["start", "end", "utc_offset", "credited_minutes"].map(|field| service[field].clone());
        let (start_utc, end_utc, offset, minutes) = expected;
        let utc = |time: &str| json!(format!("{time}:00.000Z"));
        assert_eq!(found, [utc(start_utc), utc(end_utc), json!(offset), json!(minutes)], "{start} to {end} in {zone}");
    }
}

#[test]
fn an_interval_is_that_of_the_clocks_where_it_was_typed() {
    let village = Village::new();
    let check = |zone, typed, expected| village.check_interval(zone, typed, expected);
    let (nine, eleven) = ("2026-11-10 09:00", "2026-11-10 11:00");
    check("Asia/Shanghai", (nine, eleven), ("2026-11-10T01:00", "2026-11-10T03:00", "+08:00", 120));
    check("Asia/Shanghai", (nine, "11:00"), ("2026-11-10T01:00", "2026-11-10T03:00", "+08:00", 120));
    check("Etc/GMT+12", (nine, eleven), ("2026-11-10T21:00", "2026-11-10T23:00", "-12:00", 120));
    check("Pacific/Apia", (nine, eleven), ("2026-11-09T20:00", "2026-11-09T22:00", "+13:00", 120));
    check("Europe/Helsinki", (nine, eleven), ("2026-11-10T07:00", "2026-11-10T09:00", "+02:00", 120));
    check("Asia/Kathmandu", (nine, eleven), ("2026-11-10T03:15", "2026-11-10T05:15", "+05:45", 120));
    check("CST-8", (nine, eleven), ("2026-11-10T01:00", "2026-11-10T03:00", "+08:00", 120));
    check("", (nine, eleven), ("2026-11-10T09:00", "2026-11-10T11:00", "+00:00", 120));
    // Over both changes of a year, and beside them.
    let night = |from, to| (from, to);
    check(
        "Europe/Prague",
        night("2026-10-25 00:30", "2026-10-25 05:30"),
        ("2026-10-24T22:30", "2026-10-25T04:30", "+02:00", 360),
    );
    check(
        "Europe/Prague",
        night("2026-03-29 01:40", "2026-03-29 03:20"),
        ("2026-03-29T00:40", "2026-03-29T01:20", "+01:00", 40),
    );
    check(
        "America/New_York",
        night("2026-03-08 01:30", "2026-03-08 03:30"),
        ("2026-03-08T06:30", "2026-03-08T07:30", "-05:00", 60),
    );
    check(
        "Europe/Prague",
        ("2026-07-01 23:00", "2026-07-02 01:00"),
        ("2026-07-01T21:00", "2026-07-01T23:00", "+02:00", 120),
    );
    check("Asia/Shanghai", ("2024-02-29 22:00", "24:00"), ("2024-02-29T14:00", "2024-02-29T16:00", "+08:00", 120));
    check(
        "Asia/Shanghai",
        ("2026-11-10T09:00+01:00", "2026-11-10T10:00Z"),
        ("2026-11-10T08:00", "2026-11-10T10:00", "+01:00", 120),
    );
}

#[test]
fn a_date_has_the_offset_of_that_very_date() {
    let village = Village::new();
    let check = |zone: &str, typed: &[&str], expected: (&str, &str)| {
        let service = village.record_at(&[("TZ", zone)], &[typed, &["--minutes", "30"]].concat()).unwrap();
        let found = (service["date"].as_str().unwrap(), service["utc_offset"].as_str().unwrap());
        assert_eq!(found, expected, "{typed:?} in {zone}");
    };
    check("Europe/Prague", &["--date", "2026-07-01"], ("2026-07-01", "+02:00"));
    check("Europe/Prague", &["--date", "2026-01-31"], ("2026-01-31", "+01:00"));
    check("Europe/Prague", &["--date", "2026-03-29"], ("2026-03-29", "+01:00"));
    check("Europe/Prague", &["--date", "2026-10-25"], ("2026-10-25", "+02:00"));
    check("Europe/Helsinki", &["--date", "2026-07-01"], ("2026-07-01", "+03:00"));
    check("Asia/Shanghai", &["--date", "2024-02-29"], ("2024-02-29", "+08:00"));
    check("Pacific/Apia", &["--date", "2011-12-29"], ("2011-12-29", "-10:00"));
    check("Pacific/Apia", &["--date", "2011-12-31"], ("2011-12-31", "+14:00"));
    check("Etc/GMT+12", &["--date", "2026-11-10"], ("2026-11-10", "-12:00"));
    check("Asia/Shanghai", &["--date", "2026-11-10", "--offset", "-03:30"], ("2026-11-10", "-03:30"));
    let now = jiff::Timestamp::now();
    for zone in ["Asia/Shanghai", "Pacific/Apia", "Etc/GMT+12", "America/St_Johns"] {
        // Midnight may come while this runs.
        let days =
            [0, 1].map(|later| now.in_tz(zone).unwrap().date().checked_add(jiff::Span::new().days(later - 1)).unwrap());
        let service = village.record_at(&[("TZ", zone)], &["--date", "yesterday", "--minutes", "30"]).unwrap();
        let day = days.iter().find(|day| service["date"] == json!(day.to_string())).expect("yesterday there");
        let offset = day.in_tz(zone).unwrap().strftime("%:z").to_string();
        assert_eq!(service["utc_offset"], json!(offset), "{zone}");
    }
}

/// Settings of the environment.
type Settings<'a> = &'a [(&'a str, &'a str)];

#[test]
fn the_zone_is_the_one_that_was_named_and_an_unknown_one_is_never_utc() {
    let village = Village::new();
    let typed = ["--start", "2026-11-10 09:00", "--end", "11:00"];
    let offset = |zone: &[(&str, &str)], more: &[&str]| {
        village
            .record_at(zone, &[&typed, more].concat())
            .map(|service| service["utc_offset"].as_str().unwrap().to_owned())
    };
    let shanghai = ("TZ", "Asia/Shanghai");
    assert_eq!(offset(&[shanghai], &[]).unwrap(), "+08:00");
    assert_eq!(offset(&[shanghai, ("TIMEBANK_ZONE", "Europe/Prague")], &[]).unwrap(), "+01:00");
    let both = [shanghai, ("TIMEBANK_ZONE", "Europe/Prague")];
    assert_eq!(offset(&both, &["--zone", "America/New_York"]).unwrap(), "-05:00");
    assert_eq!(offset(&[shanghai], &["--zone", "+05:30"]).unwrap(), "+05:30");
    assert_eq!(offset(&[("TZ", "Nonsense"), ("TIMEBANK_ZONE", "Europe/Prague")], &[]).unwrap(), "+01:00");
    // A machine without zone data of its own.
    assert_eq!(offset(&[shanghai, ("TZDIR", "/nonexistent")], &[]).unwrap(), "+08:00");
    assert_eq!(offset(&[("TZDIR", "/nonexistent")], &["--zone", "Pacific/Apia"]).unwrap(), "+13:00");
    let unknown: [(Settings<'_>, &[&str], &str); 7] = [
        (&[("TZ", "Nonsense")], &[], "TZ=Nonsense"),
        (&[("TZ", "Asia/Shangai")], &[], "TZ=Asia/Shangai"),
        (&[("TZ", "/etc/hostname")], &[], "TZ=/etc/hostname"),
        (&[("TZ", "Etc/Unknown")], &[], "Etc/Unknown"),
        (&[shanghai, ("TIMEBANK_ZONE", "Asia/Shangai")], &[], "Asia/Shangai"),
        (&[shanghai], &["--zone", "Nowhere/Land"], "Nowhere/Land"),
        (&[shanghai], &["--zone", "+99:00"], "+99:00"),
    ];
    for (zone, more, words) in unknown {
        let error = offset(zone, more).unwrap_err();
        assert!(error.contains(words) && error.contains("no such time zone"), "{zone:?} {more:?}: {error}");
    }
    let mut read = village.ledger.command(&["balance", &village.alice]);
    assert_eq!(failure(&read.env("TZ", "Nonsense").output().unwrap()).0, Some(2), "what is shown has a zone too");
}

#[test]
fn an_hour_that_comes_twice_or_never_is_refused_before_anything_is_recorded() {
    let village = Village::new();
    let size = village.size();
    let refused: [(&str, &str, &str, [&str; 3]); 10] = [
        ("Europe/Helsinki", "2026-10-25 03:05", "2026-10-25 06:00", ["--start", "2026-10-25T03:05+03:00", "+02:00"]),
        ("Europe/Helsinki", "2026-10-25 02:30", "2026-10-25 03:15", ["--end", "2026-10-25T03:15+03:00", "+02:00"]),
        ("Europe/Helsinki", "2026-03-29 03:30", "2026-03-29 05:30", ["--start", "never", "2026-03-29T03:30+02:00"]),
        ("Europe/Prague", "2026-10-25 02:00", "2026-10-25 04:00", ["--start", "twice", "+01:00"]),
        ("Europe/Prague", "2026-03-29 01:00", "02:59", ["--end", "never", "03:59"]),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01 03:30", ["--start", "-04:00", "-05:00"]),
        ("Pacific/Apia", "2011-12-30 09:00", "10:00", ["--start", "never", "Pacific/Apia"]),
        ("Asia/Shanghai", "2026-11-10 11:00", "09:00", ["--end", "not after the start", "2026-11-10 11:00 +08:00"]),
        ("Asia/Shanghai", "2026-02-29 09:00", "10:00", ["--start", "no such day", "2026-02-29"]),
        ("Asia/Shanghai", "0000-01-01 09:00", "10:00", ["--start", "1970", "9999"]),
    ];
    for (zone, start, end, words) in refused {
        let error = village.record_at(&[("TZ", zone)], &["--start", start, "--end", end]).unwrap_err();
        assert!(words.iter().all(|word| error.contains(word)), "{start} to {end} in {zone}: {error}");
    }
    assert_eq!(village.size(), size);
}

#[test]
fn every_option_that_takes_a_time_reads_the_same_words() {
    let village = Village::new();
    let (alice, station, key) = (village.alice.as_str(), village.station.as_str(), village.alice_key.as_str());
    let shanghai_day = || jiff::Timestamp::now().in_tz("Asia/Shanghai").unwrap().date();
    let day = shanghai_day();
    village.ledger.json(&village.record("120", &[]));
    let shanghai = |arguments: &[&str]| {
        let output = village.ledger.command(arguments).arg("--json").env("TZ", "Asia/Shanghai").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    for words in
        ["now", "today", "tomorrow", "+1h", "+1w", "+90min", "2126-01-01", "2126-01-01 09:00", "2126-01-01T09:00+01:00"]
    {
        assert_eq!(shanghai(&["balance", alice, "--at-time", words])["balance_minutes"], 120, "at {words}");
        let until = shanghai(&["history", alice, "--until", words]);
        assert_eq!(until["rows"].as_array().unwrap().len(), 1, "until {words}");
    }
    for words in ["today", "yesterday", "-1d", "-2h", "-1w", "1970-01-02", "2026-01-01 09:00", "yesterday 15:00"] {
        let from = shanghai(&["history", alice, "--from", words]);
        // Where midnight came since it was recorded, today has nothing yet.
        let is_there = from["rows"].as_array().unwrap().len() == 1;
        assert!(is_there || words == "today" && shanghai_day() != day, "from {words}");
    }
    let hold = |expires: &str| {
        let place = ["hold", "place", "--payer", alice, "--station", station, "--minutes", "1", "--key", key];
        let at = format!("{}.0", shanghai(&[&place[..], &["--expires", expires]].concat())["index"]);
        let holds = shanghai(&["hold", "list"])["holds"].clone();
        let own = holds.as_array().unwrap().iter().find(|hold| hold["hold"] == json!(at)).unwrap();
        own["expires_at"].as_str().unwrap().to_owned()
    };
    // Half a year or more ahead, and less than two.
    let next_year = day.year() + 1;
    assert_eq!(hold(&format!("{next_year}-07-31")), format!("{next_year}-07-31T16:00:00.000Z"), "the end of that day");
    assert_eq!(hold(&format!("{next_year}-07-01 09:30")), format!("{next_year}-07-01T01:30:00.000Z"));
    assert!(hold("tomorrow").ends_with("T16:00:00.000Z") && hold("today").ends_with("T16:00:00.000Z"));
    let just_now = ["record", "--volunteer", alice, "--station", station, "--start", "-2h", "--end", "now"];
    let recorded = shanghai(&just_now);
    assert_eq!(recorded["events"][0]["postings"][1]["minutes"], 120, "to the minute, and of one moment");
    let wrong: [(&[&str], &str); 4] = [
        (&["balance", alice, "--at-time", "noon"], "--at-time"),
        (&["history", alice, "--from", "2026-02-30"], "no such day"),
        (&["history", alice, "--from", "today", "--until", "yesterday"], "--until"),
        (
            &["hold", "place", "--payer", alice, "--station", station, "--minutes", "1", "--expires", "soon"],
            "--expires",
        ),
    ];
    for (arguments, words) in wrong {
        let (code, error) = failure(&village.ledger.command(arguments).output().unwrap());
        assert!(code == Some(2) && error.contains(words), "{arguments:?}: {error}");
    }
}

#[test]
fn what_is_shown_is_in_the_readers_zone_and_services_in_their_own() {
    let village = Village::new();
    let typed = ["--start", "2026-11-10 09:00", "--end", "11:00"];
    let record = ["record", "--volunteer", &village.alice, "--station", &village.station, "--imported"];
    let shanghai = village.ledger.command(&[&record[..], &typed].concat()).env("TZ", "Asia/Shanghai").output().unwrap();
    let receipt = String::from_utf8(shanghai.stdout).unwrap();
    assert!(
        receipt.starts_with("recorded as 5.0 at ") && receipt.lines().next().unwrap().ends_with(" +08:00"),
        "{receipt}"
    );
    let prague = village.ledger.command(&["history", &village.alice]).env("TZ", "Europe/Prague").output().unwrap();
    let shown = String::from_utf8(prague.stdout).unwrap();
    assert!(shown.contains("2026-11-10 09:00") && shown.contains("11:00 +08:00"), "the clocks of the record: {shown}");
    let here = jiff::Timestamp::now().in_tz("Europe/Prague").unwrap().strftime("%:z").to_string();
    assert!(shown.contains(&format!(":{}", &here[4..])) && shown.contains(&here), "the reader's clocks: {shown}");
    for (number, line) in shown.lines().enumerate() {
        assert!(line.chars().count() <= 80, "line {number} is wider than a terminal: {line}");
    }
}

#[test]
fn a_clock_time_in_a_correction_is_on_the_records_own_day_and_never_a_guess() {
    let village = Village::new();
    let run = |zone: &str, arguments: &[&str]| {
        let mut command = village.ledger.command(arguments);
        failure(&command.arg("--json").env("TZ", zone).output().unwrap())
    };
    let now = || {
        let rows = village.ledger.json(&["history", &village.alice, "--page-size", "1"])["rows"].clone();
        let service = &rows[0]["details"]["service"];
        ["start", "end", "date", "utc_offset"].map(|field| service[field].as_str().unwrap_or("").to_owned())
    };
    let record = |zone: &str, typed: &[&str]| {
        let record = ["record", "--volunteer", &village.alice, "--station", &village.station, "--imported", "--json"];
        let output = village.ledger.command(&[&record, typed].concat()).env("TZ", zone).output().unwrap();
        let receipt: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        format!("{}.0", receipt["index"])
    };
    let timed = record("Asia/Shanghai", &["--start", "2026-11-09 09:00", "--end", "11:00"]);
    let correct =
        |zone: &str, record: &str, typed: &[&str]| run(zone, &[&["correct", "service", record], typed].concat());

    assert_eq!(correct("Asia/Shanghai", &timed, &["--start", "10:00", "--end", "12:30"]).0, Some(0));
    assert_eq!(now()[..2], ["2026-11-09T02:00:00.000Z", "2026-11-09T04:30:00.000Z"], "on its own day, not on today");
    // Elsewhere the same clock time means two moments: it is asked for.
    for typed in [["--start", "09:00"], ["--end", "13:00"]] {
        let (code, error) = correct("Europe/Prague", &timed, &typed);
        assert!(code == Some(2) && error.contains("+08:00") && error.contains("nothing was recorded"), "{error}");
    }
    assert_eq!(correct("Europe/Prague", &timed, &["--end", "13:00+08:00"]).0, Some(0));
    assert_eq!(now()[1], "2026-11-09T05:00:00.000Z");

    let dated = record("Asia/Shanghai", &["--date", "2026-11-09", "--minutes", "60"]);
    assert_eq!(correct("Asia/Shanghai", &dated, &["--start", "14:00", "--end", "16:00"]).0, Some(0));
    assert_eq!(now()[..2], ["2026-11-09T06:00:00.000Z", "2026-11-09T08:00:00.000Z"]);

    let dated = record("Asia/Shanghai", &["--date", "2026-11-08", "--minutes", "45"]);
    assert_eq!(correct("Europe/Prague", &dated, &["--date", "2026-11-07", "--minutes", "50"]).0, Some(0));
    assert_eq!(now()[2..], ["2026-11-07", "+08:00"], "another reader's zone is not the record's");
    assert_eq!(correct("Europe/Prague", &dated, &["--offset", "+09:00", "--minutes", "55"]).0, Some(0));
    assert_eq!(now()[2..], ["2026-11-07", "+09:00"]);

    // The day of a clock time with an offset is the one there: of a record in Shanghai's night, the day before.
    let night = record("Asia/Shanghai", &["--start", "2026-11-05 02:00", "--end", "04:00"]);
    assert_eq!(correct("UTC", &night, &["--start", "18:30Z", "--end", "19:30Z"]).0, Some(0));
    assert_eq!(now()[..2], ["2026-11-04T18:30:00.000Z", "2026-11-04T19:30:00.000Z"]);
    let evening = record("America/New_York", &["--start", "2026-11-03 20:00", "--end", "23:00"]);
    assert_eq!(correct("UTC", &evening, &["--end", "03:30Z"]).0, Some(0));
    assert_eq!(now()[..2], ["2026-11-04T01:00:00.000Z", "2026-11-04T03:30:00.000Z"]);
    // Shown as +01:00 to its end, which the clocks there did not show.
    let over = record("Europe/London", &["--start", "2026-10-25 00:15", "--end", "02:45"]);
    let (code, error) = correct("Europe/London", &over, &["--end", "03:00"]);
    assert!(code == Some(2) && error.contains("03:00+01:00") && error.contains("03:00+00:00"), "both: {error}");
    // A day that begins at one o'clock has the offset of that hour.
    let late = record("Africa/Cairo", &["--date", "2026-04-24", "--minutes", "120"]);
    assert_eq!(correct("Africa/Cairo", &late, &["--start", "09:00", "--end", "10:00"]).0, Some(0));
    assert_eq!(now()[..2], ["2026-04-24T06:00:00.000Z", "2026-04-24T07:00:00.000Z"]);

    // Where the reader's zone was the record's, another date has that date's offset.
    let summer = record("Europe/Prague", &["--date", "2026-07-01", "--minutes", "30"]);
    assert_eq!(correct("Europe/Prague", &summer, &["--date", "2026-01-31", "--minutes", "40"]).0, Some(0));
    assert_eq!(now()[2..], ["2026-01-31", "+01:00"]);
}
