#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::{clock, form};

/// Hours, minutes and seconds where a time is expected, else words of the refusal behind `!`.
fn check(input: &str, forms: &[&str], expected: &str) {
    let forms: Vec<String> = forms.iter().map(|form| (*form).to_owned()).collect();
    match (clock(input, &forms), expected.strip_prefix('!')) {
        (Ok(clock), None) => {
            let (seconds, us) = (clock.us / 1_000_000, clock.us % 1_000_000);
            let mut shown = format!("{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
            if seconds % 60 != 0 || us != 0 {
                shown = format!("{shown}:{:02}", seconds % 60);
            }
            if us != 0 {
                shown = format!("{shown}.{us:06}");
            }
            assert_eq!(shown, expected, "{input:?} {forms:?}");
        }
        (Err(problem), Some(words)) => assert!(problem.contains(words), "{input:?} {forms:?}: {problem}"),
        (found, _) => panic!("{input:?} {forms:?}: {found:?}"),
    }
}

#[test]
fn signs_and_letters() {
    for (input, expected) in [
        ("9:00", "09:00"),
        ("09:00", "09:00"),
        ("09：00", "09:00"),
        ("9 : 05", "09:05"),
        ("09:00:30", "09:00:30"),
        ("09:00:30.5", "09:00:30.500000"),
        ("09:00:30,5", "09:00:30.500000"),
        ("09:00:00.0000009", "09:00"),
        ("0900", "09:00"),
        ("900", "09:00"),
        ("2400", "24:00"),
        ("9h", "09:00"),
        ("9h30", "09:30"),
        ("9 h 30", "09:30"),
        ("9H30", "09:30"),
        ("9h30min", "09:30"),
        ("9:30h", "09:30"),
        ("9:30 hrs", "09:30"),
        ("0930 hrs", "09:30"),
        ("9 Uhr", "09:00"),
        ("9 Uhr 30", "09:30"),
        ("9.30 Uhr", "09:30"),
        ("9.30", "09:30"),
        ("09.30", "09:30"),
        ("9 am", "09:00"),
        ("9am", "09:00"),
        ("9:30 PM", "21:30"),
        ("9:30\u{202f}PM", "21:30"),
        ("9:30 p.m.", "21:30"),
        ("9.30pm", "21:30"),
        ("930pm", "21:30"),
        ("9:30p", "21:30"),
        ("PM 9:30", "21:30"),
        ("12 AM", "00:00"),
        ("12:00 PM", "12:00"),
        ("12:30 AM", "00:30"),
        ("0:30 AM", "00:30"),
        ("12:30 p.m.", "12:30"),
        ("noon", "12:00"),
        ("0:00", "00:00"),
        ("24:00", "24:00"),
        ("24:00:00", "24:00"),
        ("24h", "24:00"),
        ("1899-12-30 09:00:00", "09:00"),
        ("='9:00", "!expected"),
        ("", "!empty"),
        ("9", "!an hour alone"),
        ("24:01", "!0 to 23"),
        ("25:00", "!0 to 23"),
        ("9:60", "!below 60"),
        ("9:00:60", "!second 59"),
        ("9:5", "!two digits"),
        ("9.5", "!could be 9:05 or 9:50"),
        ("9h5", "!two digits"),
        ("13:00 PM", "!AM and PM"),
        ("0:30 PM", "!AM and PM"),
        ("13 am", "!AM and PM"),
        ("midnight", "!0:00 or 24:00"),
        ("0.375", "!expected"),
        ("9:00-11:00", "!expected"),
        ("9:00+08:00", "!expected"),
        ("090030", "!expected"),
        ("am", "!expected"),
        ("-9:00", "!expected"),
        ("9:00:30.", "!expected"),
        ("1:2:3:4", "!expected"),
        ("99999999999999999999:00", "!expected"),
    ] {
        check(input, &[], expected);
    }
}

#[test]
fn chinese_words() {
    for (input, expected) in [
        ("上午9:00", "09:00"),
        ("上午 9：00", "09:00"),
        ("下午3:30", "15:30"),
        ("下午3点半", "15:30"),
        ("下午三点半", "15:30"),
        ("9点", "09:00"),
        ("9点30分", "09:30"),
        ("9点30", "09:30"),
        ("9时30分", "09:30"),
        ("9時30分15秒", "09:30:15"),
        ("9點", "09:00"),
        ("9点整", "09:00"),
        ("9点钟", "09:00"),
        ("9点一刻", "09:15"),
        ("九点三刻", "09:45"),
        ("十一点二十", "11:20"),
        ("九点零五分", "09:05"),
        ("九点十分", "09:10"),
        ("晚上8点", "20:00"),
        ("晚8:00", "20:00"),
        ("中午12点", "12:00"),
        ("中午1点", "13:00"),
        ("中午11点半", "11:30"),
        ("早上8:00", "08:00"),
        ("凌晨1点", "01:00"),
        ("凌晨12:30", "00:30"),
        ("下午12:30", "12:30"),
        ("下午14:00", "14:00"),
        ("晚上20:00", "20:00"),
        ("午後3時", "15:00"),
        ("오후 3:30", "15:30"),
        ("오후 3시 30분", "15:30"),
        ("24点", "24:00"),
        ("中午", "12:00"),
        ("上午12:00", "!noon to a person"),
        ("晚上12点", "!24:00"),
        ("晚上1点", "!the next"),
        ("上午13:00", "!part of the day"),
        ("下午9:60", "!below 60"),
        ("9点5", "!expected"),
        ("9点60分", "!expected"),
        ("9点30分60秒", "!second 59"),
        ("30点", "!expected"),
        ("点", "!expected"),
        ("半夜", "!0:00 or 24:00"),
    ] {
        check(input, &[], expected);
    }
}

#[test]
fn forms_of_the_mapping() {
    for (input, forms, expected) in [
        ("0.375", &["excel"][..], "09:00"),
        (".375", &["excel"], "09:00"),
        ("0,375", &["excel"], "09:00"),
        ("0.381944444444444", &["excel"], "09:10"),
        ("0.38194", &["excel"], "09:10"),
        ("0.3819", &["excel"], "09:10"),
        ("0.38", &["excel"], "!too few decimals"),
        ("0.5", &["excel"], "12:00"),
        ("0.3820023148148148", &["excel"], "09:10:05"),
        ("0.38200231", &["excel"], "09:10:05"),
        ("0", &["excel"], "00:00"),
        ("1", &["excel"], "24:00"),
        ("1.5", &["excel"], "!a number of days"),
        ("46300.375", &["excel"], "!a number of days"),
        ("9:00", &["excel"], "09:00"),
        ("09-30", &["%H-%M"], "09:30"),
        ("9.30.15", &["%H.%M.%S"], "09:30:15"),
        ("090030", &["%H%M%S"], "09:00:30"),
        ("090060", &["%H%M%S"], "!second 59"),
        ("09:00:60", &["%H:%M:%S"], "!second 59"),
        ("23:59:59", &["%H:%M:%S"], "23:59:59"),
        ("09:30 PM", &["%I:%M %p"], "21:30"),
        ("09:30", &["%I:%M"], "!%p"),
        ("24:00", &["%H:%M"], "24:00"),
        ("2026-03-05 09:00", &["%Y-%m-%d %H:%M"], "!expected"),
        ("9:00", &["%H-%M", "%H:%M"], "09:00"),
        ("9:00", &["%"], "09:00"),
    ] {
        check(input, forms, expected);
    }
}

#[test]
fn forms_that_tell_no_time_are_refused() {
    for (name, hint) in [
        ("hh:mm", "write \"%H:%M\""),
        ("%Y-%m-%d", "codes"),
        ("%I:%M", "%p"),
        ("", "codes"),
        ("dd.mm.yyyy hh:mm:ss", "write \"%d.%m.%Y %H:%M:%S\""),
    ] {
        let problem = form(name).err().unwrap_or_else(|| panic!("{name} is accepted"));
        assert!(problem.contains(hint), "{name}: {problem}");
    }
    for name in
        ["excel", "%H:%M", "%I:%M %p", "%d/%m/%Y %H:%M", "%Y-%m-%dT%H:%M:%S%z", "%s", "%Y-%m-%d %H:%M %:z", "%H%M"]
    {
        assert_eq!(form(name).as_deref(), Ok(name));
    }
}
