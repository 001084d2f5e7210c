#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::*;

fn context(zone: &str, now: &str) -> Context {
    Context { now: now.parse().unwrap(), here: Ok(crate::people::calendar::known(zone).unwrap()) }
}

fn read(zone: &str, now: &str, edge: Edge, text: &str) -> Result<String, String> {
    let moment = Said::parse(text).and_then(|said| said.moment(&context(zone, now), edge, None))?;
    Ok(moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// What is typed means this moment, as the clocks of the zone show it; or it is refused with these words in the reason.
fn check(zone: &str, now: &str, edge: Edge, text: &str, expected: Result<&str, &[&str]>) {
    match (read(zone, now, edge, text), expected) {
        (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text:?} in {zone}"),
        (Err(problem), Err(words)) => {
            assert!(words.iter().all(|word| problem.contains(word)), "{text:?} in {zone}: {problem}");
        }
        (read, expected) => panic!("{text:?} in {zone}: {read:?}, expected {expected:?}"),
    }
}

/// Saturday noon in Shanghai.
const NOW: &str = "2026-11-28T04:00:00Z";

#[test]
fn a_time_without_an_offset_is_local_and_one_with_an_offset_is_its_own() {
    let begins = |zone, text, expected| check(zone, NOW, Edge::Begins, text, Ok(expected));
    begins("Asia/Shanghai", "2026-11-10 09:00", "2026-11-10T09:00:00+08:00");
    begins("Asia/Shanghai", "2026-11-10T09:00", "2026-11-10T09:00:00+08:00");
    begins("Asia/Shanghai", "2026-11-10 9:05", "2026-11-10T09:05:00+08:00");
    begins("Asia/Shanghai", "2026-11-10T09:00:30", "2026-11-10T09:00:30+08:00");
    begins("Asia/Shanghai", "2026-11-10T09:00Z", "2026-11-10T09:00:00+00:00");
    begins("Asia/Shanghai", "2026-11-10 09:00 -03:30", "2026-11-10T09:00:00-03:30");
    begins("Asia/Shanghai", "2026-11-10T09:00+0545", "2026-11-10T09:00:00+05:45");
    begins("Asia/Shanghai", "2026-11-10T09:00[Europe/Prague]", "2026-11-10T09:00:00+01:00");
    begins("Europe/Prague", "2026-07-10 09:00", "2026-07-10T09:00:00+02:00");
    begins("Europe/Helsinki", "2026-01-10 09:00", "2026-01-10T09:00:00+02:00");
    begins("Pacific/Apia", "2026-11-10 09:00", "2026-11-10T09:00:00+13:00");
    begins("Pacific/Apia", "2011-12-29 09:00", "2011-12-29T09:00:00-10:00");
    begins("Etc/GMT+12", "2026-11-10 09:00", "2026-11-10T09:00:00-12:00");
    begins("+05:30", "2026-11-10 09:00", "2026-11-10T09:00:00+05:30");
    begins("Asia/Shanghai", "2024-02-29 12:00", "2024-02-29T12:00:00+08:00");
    begins("Asia/Shanghai", "20261110T09:00", "2026-11-10T09:00:00+08:00");
    begins("Asia/Shanghai", "9999-12-30T12:00Z", "9999-12-30T12:00:00+00:00");
}

#[test]
fn words_and_steps_mean_what_the_readers_calendar_says() {
    let begins = |zone, now, text, expected| check(zone, now, Edge::Begins, text, Ok(expected));
    begins("Asia/Shanghai", NOW, "today", "2026-11-28T00:00:00+08:00");
    begins("Asia/Shanghai", NOW, "yesterday 09:00", "2026-11-27T09:00:00+08:00");
    begins("Asia/Shanghai", NOW, "tomorrow", "2026-11-29T00:00:00+08:00");
    begins("Asia/Shanghai", NOW, "15:00", "2026-11-28T15:00:00+08:00");
    begins("Asia/Shanghai", NOW, "now", "2026-11-28T12:00:00+08:00");
    begins("Asia/Shanghai", NOW, "-1d", "2026-11-27T12:00:00+08:00");
    begins("Asia/Shanghai", NOW, "+1w", "2026-12-05T12:00:00+08:00");
    begins("Asia/Shanghai", NOW, "-90min", "2026-11-28T10:30:00+08:00");
    begins("Asia/Shanghai", NOW, "+3h", "2026-11-28T15:00:00+08:00");
    begins("Asia/Shanghai", NOW, "-2d 09:30", "2026-11-26T09:30:00+08:00");
    // On two sides of the date line, and on the far side of midnight.
    begins("Etc/GMT+12", NOW, "today", "2026-11-27T00:00:00-12:00");
    begins("Pacific/Apia", NOW, "today 10:00", "2026-11-28T10:00:00+13:00");
    begins("Asia/Shanghai", "2026-11-28T16:00:00Z", "today", "2026-11-29T00:00:00+08:00");
    begins("Europe/Prague", "2026-11-28T23:30:00Z", "yesterday 09:00", "2026-11-28T09:00:00+01:00");
    // Today is that of the place that is written.
    begins("Etc/GMT+12", NOW, "today 09:00+08:00", "2026-11-28T09:00:00+08:00");
    // A day has 23 or 25 hours where the clocks change, a week is a week of the calendar.
    begins("Europe/Prague", "2026-03-28T11:00:00Z", "+1d", "2026-03-29T12:00:00+02:00");
    begins("Europe/Prague", "2026-10-24T10:00:00Z", "+24h", "2026-10-25T11:00:00+01:00");
}

#[test]
fn a_date_begins_with_its_first_moment_and_ends_with_its_last() {
    let begins = |zone, text, expected| check(zone, NOW, Edge::Begins, text, Ok(expected));
    let ends = |zone, text, expected| check(zone, NOW, Edge::Ends, text, Ok(expected));
    begins("Asia/Shanghai", "2026-12-31", "2026-12-31T00:00:00+08:00");
    ends("Asia/Shanghai", "2026-12-31", "2027-01-01T00:00:00+08:00");
    ends("Asia/Shanghai", "today", "2026-11-29T00:00:00+08:00");
    ends("Asia/Shanghai", "yesterday", "2026-11-28T00:00:00+08:00");
    ends("Asia/Shanghai", "2024-02-29", "2024-03-01T00:00:00+08:00");
    ends("Asia/Shanghai", "2026-11-10 24:00", "2026-11-11T00:00:00+08:00");
    ends("Asia/Shanghai", "2026-11-10 09:00", "2026-11-10T09:00:00+08:00");
    ends("Asia/Shanghai", "+1d", "2026-11-29T12:00:00+08:00");
    ends("Europe/Prague", "2026-03-29", "2026-03-30T00:00:00+02:00");
    ends("Europe/Prague", "2026-10-24", "2026-10-25T00:00:00+02:00");
    // Clocks that go forward at midnight: the day begins at one.
    begins("Africa/Cairo", "2026-04-24", "2026-04-24T01:00:00+03:00");
    ends("Africa/Cairo", "2026-04-23", "2026-04-24T01:00:00+03:00");
    // A day that a place went over: the one before it ends where the one after it begins.
    ends("Pacific/Apia", "2011-12-29", "2011-12-31T00:00:00+14:00");
}

#[test]
fn an_hour_that_comes_twice_or_never_is_refused_with_both_readings() {
    let refused = |zone, text, words: &[&str]| check(zone, NOW, Edge::Begins, text, Err(words));
    refused("Europe/Prague", "2026-10-25 02:30", &["twice", "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]);
    refused("Europe/Helsinki", "2026-10-25 03:05", &["twice", "03:05+03:00", "03:05+02:00"]);
    refused("Europe/Prague", "2026-10-25 02:00", &["twice"]);
    check("Europe/Prague", NOW, Edge::Begins, "2026-10-25 03:00", Ok("2026-10-25T03:00:00+01:00"));
    check("Europe/Prague", NOW, Edge::Begins, "2026-10-25 01:59", Ok("2026-10-25T01:59:00+02:00"));
    check("Europe/Prague", NOW, Edge::Begins, "2026-10-25T02:30+01:00", Ok("2026-10-25T02:30:00+01:00"));
    let gap = ["never", "2026-03-29T02:30+01:00 if 2026-03-29 03:30:00 +02:00", "2026-03-29T02:30+02:00 if"];
    refused("Europe/Prague", "2026-03-29 02:30", &gap);
    refused("Europe/Helsinki", "2026-03-29 03:30", &["never", "+02:00", "+03:00"]);
    refused("Europe/Prague", "2026-03-29 02:00", &["never"]);
    check("Europe/Prague", NOW, Edge::Begins, "2026-03-29 03:00", Ok("2026-03-29T03:00:00+02:00"));
    refused("Pacific/Apia", "2011-12-30 12:00", &["never"]);
    refused("Pacific/Apia", "2011-12-30", &["2011-12-30 never came in Pacific/Apia"]);
    check("Pacific/Apia", NOW, Edge::Ends, "2011-12-30", Err(&["never came"]));
    refused("America/New_York", "2026-11-01 01:30", &["twice", "-04:00", "-05:00"]);
    refused("Australia/Lord_Howe", "2026-04-05 01:45", &["twice", "+11:00", "+10:30"]);
}

#[test]
fn what_is_no_time_is_refused_and_never_guessed() {
    let forms = [
        "",
        " ",
        "nonsense",
        "2026",
        "2026-11",
        "2026-11-1",
        "2026/11/10",
        "10.11.2026",
        "26-11-10 09:00",
        "25:00",
        "9",
        "09:60",
        "24:01",
        "2026-11-10 0900",
        "2026-11-10T",
        "today 9",
        "todayish",
        "yesterday-09:00",
        "+",
        "-",
        "+d",
        "+1x",
        "+1.5d",
        "--1d",
        "+99999999999999999999d",
        "+40000d",
        "now 09:00",
        "2026-11-10 09:00+99:00",
        "2026-11-10 09:00+15",
        "2026-11-10 09:00+08:00[Asia/Shanghai]",
        "2026-11-10 09:00[Nowhere]",
        "12:00:60",
        "２０２６-11-10",
        "上午9点",
        "2026-11-10 09:00 extra",
        "Ж9:00",
        "é",
        "+é",
        "1é:00",
    ];
    for text in forms {
        assert!(read("Asia/Shanghai", NOW, Edge::Begins, text).is_err(), "{text:?} was taken for a time");
    }
    let words = |text, words: &[&str]| check("Asia/Shanghai", NOW, Edge::Begins, text, Err(words));
    words("2026-02-29 12:00", &["no such day as 2026-02-29"]);
    words("2026-13-01", &["no such day"]);
    words("0000-00-00", &["no such day"]);
    words("0000-01-01", &["from 1970-01-01"]);
    words("1969-12-31 23:59", &["from 1970-01-01"]);
    check("Asia/Shanghai", NOW, Edge::Ends, "9999-12-31", Err(&["from 1970-01-01"]));
    words("sometime", &["expected a time as"]);
}

#[test]
fn a_date_has_the_offset_that_its_day_begins_with() {
    let check = |zone: &str, text: &str, expected: Result<(i32, i32), &str>| {
        let read = date(text, &context(zone, NOW)).map(|(days, first)| (days, first.offset().seconds()));
        match expected {
            Ok(expected) => assert_eq!(read, Ok(expected), "{text} in {zone}"),
            Err(words) => {
                assert!(read.as_ref().is_err_and(|problem| problem.contains(words)), "{text} in {zone}: {read:?}");
            }
        }
    };
    check("Europe/Prague", "2026-07-01", Ok((20_635, 7_200)));
    check("Europe/Prague", "2026-12-01", Ok((20_788, 3_600)));
    check("Europe/Prague", "2026-03-29", Ok((20_541, 3_600)));
    check("Europe/Prague", "2026-10-25", Ok((20_751, 7_200)));
    check("Asia/Shanghai", "today", Ok((20_785, 28_800)));
    check("Etc/GMT+12", "today", Ok((20_784, -43_200)));
    check("Pacific/Apia", "yesterday", Ok((20_784, 46_800)));
    check("Asia/Shanghai", "-3d", Ok((20_782, 28_800)));
    check("Asia/Shanghai", "now", Ok((20_785, 28_800)));
    check("Asia/Shanghai", "1970-01-01", Ok((0, 28_800)));
    check("Africa/Cairo", "2026-04-24", Ok((20_567, 10_800)));
    check("Pacific/Apia", "2011-12-30", Err("never came"));
    check("Asia/Shanghai", "1969-12-31", Err("from 1970-01-01"));
    check("Asia/Shanghai", "2026-02-29", Err("no such day"));
    check("Asia/Shanghai", "15:00", Err("expected a date"));
    check("Asia/Shanghai", "2026-11-10 09:00", Err("expected a date"));
    check("Asia/Shanghai", "46300", Err("expected a date"));
}

#[test]
fn a_clock_time_alone_ends_on_the_day_of_the_start() {
    let start = Said::parse("2026-11-10 22:00+08:00").unwrap();
    let start = start.moment(&context("Europe/Prague", NOW), Edge::Begins, None).unwrap();
    let end = Said::parse("23:30").unwrap().moment(&context("Europe/Prague", NOW), Edge::Ends, Some(&start)).unwrap();
    assert_eq!(end.to_string(), "2026-11-10T23:30:00+08:00[+08:00]");
    let end = Said::parse("24:00").unwrap().moment(&context("Europe/Prague", NOW), Edge::Ends, Some(&start)).unwrap();
    assert_eq!(end.to_string(), "2026-11-11T00:00:00+08:00[+08:00]");
}

#[test]
fn without_a_zone_only_times_that_carry_an_offset_are_read() {
    let nowhere = Context { now: NOW.parse().unwrap(), here: Err("name a zone".to_owned()) };
    let read = |text: &str| Said::parse(text).and_then(|said| said.moment(&nowhere, Edge::Begins, None));
    assert!(read("2026-11-10T09:00+08:00").is_ok() && read("today 09:00Z").is_ok());
    for text in ["2026-11-10 09:00", "today", "15:00", "now", "-1d"] {
        assert_eq!(read(text).map(|_| ()), Err("name a zone".to_owned()), "{text}");
    }
    assert!(date("2026-11-10", &nowhere).is_err());
}
