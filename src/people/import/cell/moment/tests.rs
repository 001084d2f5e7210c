#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::super::date::DateForm;
use super::{Place, Said, moment};

/// A moment as date, clock and place, `-` where one isn't said.
pub(in super::super) fn shown(said: &Said) -> String {
    let seconds = said.clock.us / 1_000_000;
    let mut clock = format!("{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
    if seconds % 60 != 0 {
        clock = format!("{clock}:{:02}", seconds % 60);
    }
    if said.clock.us % 1_000_000 != 0 {
        clock = format!("{clock}.{:06}", said.clock.us % 1_000_000);
    }
    let date = said.date.map_or_else(|| "-".to_owned(), |date| date.to_string());
    let place = match &said.place {
        Place::Unstated => "-".to_owned(),
        Place::Fixed(offset) => offset.to_string(),
        Place::Zone(zone) => zone.iana_name().unwrap_or("?").to_owned(),
    };
    format!("{date} {clock} {place}")
}

pub(in super::super) fn dates(forms: &[&str]) -> Vec<DateForm> {
    forms.iter().map(|form| DateForm::named(form).unwrap_or_else(|problem| panic!("{problem}"))).collect()
}

/// A moment as [`shown`] has it, else words of the refusal behind `!`; forms with a clock's codes are time forms.
fn check(input: &str, date_forms: &[&str], time_forms: &[&str], expected: &str) {
    let times: Vec<String> = time_forms.iter().map(|form| (*form).to_owned()).collect();
    match (moment(input, &dates(date_forms), &times), expected.strip_prefix('!')) {
        (Ok(said), None) => assert_eq!(shown(&said), expected, "{input:?}"),
        (Err(problem), Some(words)) => assert!(problem.contains(words), "{input:?}: {problem}"),
        (found, _) => panic!("{input:?}: {found:?}"),
    }
}

#[test]
fn iso_and_its_siblings() {
    for (input, expected) in [
        ("2026-03-05T14:00", "2026-03-05 14:00 -"),
        ("2026-03-05T14:00:30.25", "2026-03-05 14:00:30.250000 -"),
        ("2026-03-05 14:00", "2026-03-05 14:00 -"),
        ("2026-03-05t14:00z", "2026-03-05 14:00 +00"),
        ("2026-03-05T14:00:00Z", "2026-03-05 14:00 +00"),
        ("2026-03-05T14:00:00.000+08:00", "2026-03-05 14:00 +08"),
        ("2026-03-05T14:00-05:00", "2026-03-05 14:00 -05"),
        ("2026-03-05T14:00−05:00", "2026-03-05 14:00 -05"),
        ("2026-03-05 14:00:00-05", "2026-03-05 14:00 -05"),
        ("2026-03-05 14:00+0800", "2026-03-05 14:00 +08"),
        ("2026-03-05 14:00 +08:00", "2026-03-05 14:00 +08"),
        ("2026-03-05 14:00 UTC", "2026-03-05 14:00 +00"),
        ("2026-03-05 14:00 GMT+8", "2026-03-05 14:00 +08"),
        ("2026-03-05 14:00 UTC-03:30", "2026-03-05 14:00 -03:30"),
        ("2026-03-05 14:00 (UTC+8)", "2026-03-05 14:00 +08"),
        ("2026-03-05 14:00 Asia/Shanghai", "2026-03-05 14:00 Asia/Shanghai"),
        ("20260305T140000Z", "2026-03-05 14:00 +00"),
        ("20260305T1400", "2026-03-05 14:00 -"),
        ("20260305T140015+0800", "2026-03-05 14:00:15 +08"),
        ("2026-03-05T24:00", "2026-03-05 24:00 -"),
        ("Thu Mar 05 2026 14:00:00 GMT+0800 (China Standard Time)", "2026-03-05 14:00 +08"),
        ("Thu, 05 Mar 2026 14:00:00 +0800", "2026-03-05 14:00 +08"),
        ("2026-03-05T14:00[Asia/Shanghai]", "2026-03-05 14:00 Asia/Shanghai"),
        ("2026-03-05T14:00+08:00[Asia/Shanghai]", "2026-03-05 14:00 +08"),
        ("2026-03-05T06:00Z[Asia/Shanghai]", "2026-03-05 14:00 +08"),
        ("2026-10-25T02:30+02:00[Europe/Prague]", "2026-10-25 02:30 +02"),
        ("2026-10-25T02:30+01:00[Europe/Prague]", "2026-10-25 02:30 +01"),
        ("2026-10-25T02:30[Europe/Prague]", "2026-10-25 02:30 Europe/Prague"),
        ("2026-03-05T14:00-05:00[America/New_York]", "2026-03-05 14:00 -05"),
        ("2026-03-05T14:00[+08:00]", "2026-03-05 14:00 +08"),
        ("2026-03-05T24:00+08:00[Asia/Shanghai]", "2026-03-05 24:00 +08"),
        ("2026-03-05T14:00+09:00[Asia/Shanghai]", "!hasn't the offset"),
        ("2026-03-29T02:30+01:00[Europe/Prague]", "!hasn't the offset"),
        ("2026-03-05T14:00[Mars/Base]", "!no such time zone"),
        ("2026-03-05T14:00[Etc/Unknown]", "!no such time zone"),
        ("2026-03-05 14:00 CST", "!abbreviation"),
        ("2026-03-05T14:00:60Z", "!second 59"),
        ("2026-03-05T25:00", "!0 to 23"),
        ("2026-02-30T14:00", "!no such day"),
        ("1026-03-05T14:00", "!year 1026"),
        ("2026-03-05T14:00+15:00", "!expected"),
        ("2026-03-05", "!without a clock time"),
        ("2026-03-05Z", "!expected"),
        ("2026-03-05 14:00-05:00", "!could be an offset or the end of a span: for the offset write UTC-05:00"),
        ("2026-03-05 14:00 -05:00", "!end of a span"),
        ("14:00-11:00", "!end of a span"),
        ("09:00:00-11:00", "!end of a span"),
        ("9:00-16:30", "!expected"),
        ("2026-03-05 2", "!an hour alone"),
        ("9999-12-31T23:00-05:00", "9999-12-31 23:00 -05"),
        ("9999-12-31T23:00Z[Asia/Shanghai]", "!expected"),
        ("", "!empty"),
        ("x", "!expected"),
    ] {
        check(input, &[], &[], expected);
    }
}

#[test]
fn any_date_with_any_clock() {
    for (input, expected) in [
        ("14:00", "- 14:00 -"),
        ("下午3点半", "- 15:30 -"),
        ("14:00Z", "- 14:00 +00"),
        ("14:00 +08:00", "- 14:00 +08"),
        ("2026年3月5日14:00", "2026-03-05 14:00 -"),
        ("2026年3月5日 下午2点半", "2026-03-05 14:30 -"),
        ("2026年3月5日下午2点半", "2026-03-05 14:30 -"),
        ("2026-03-05（四）14:00", "2026-03-05 14:00 -"),
        ("2026-03-05 星期四 14:00", "2026-03-05 14:00 -"),
        ("民國115年3月5日 上午 09:00", "2026-03-05 09:00 -"),
        ("5 March 2026 at 9:30 PM", "2026-03-05 21:30 -"),
        ("March 5, 2026, 9:30 PM", "2026-03-05 21:30 -"),
        ("2026/3/5 9:30:15 a.m.", "2026-03-05 09:30:15 -"),
        ("2026-03-05 1400", "2026-03-05 14:00 -"),
        ("2026-03-05 9h30", "2026-03-05 09:30 -"),
        ("05/03/2026 14:00", "!could be 5 March 2026 or 3 May 2026"),
        ("2026-03-05 Fri 14:00", "!not a Friday"),
        ("2026-03-05 13:00 PM", "!AM and PM"),
    ] {
        check(input, &[], &[], expected);
    }
}

#[test]
fn forms_of_the_mapping() {
    for (input, date_forms, time_forms, expected) in [
        ("05/03/2026 14:00", &["%d/%m/%Y"][..], &[][..], "2026-03-05 14:00 -"),
        ("5/3/2026, 2:00:00 PM", &["%d/%m/%Y"], &[], "2026-03-05 14:00 -"),
        ("05/03/2026 14:00 +08:00", &["%d/%m/%Y"], &[], "2026-03-05 14:00 +08"),
        ("05/03/2026 14:00", &["%d/%m/%Y %H:%M"], &[], "2026-03-05 14:00 -"),
        ("05/03/2026 14:00", &[], &["%d/%m/%Y %H:%M"], "2026-03-05 14:00 -"),
        ("05/03/2026 14.00 +0800", &[], &["%d/%m/%Y %H.%M %z"], "2026-03-05 14:00 +08"),
        ("05/03/2026 14:00 Asia/Shanghai", &[], &["%d/%m/%Y %H:%M %Q"], "2026-03-05 14:00 Asia/Shanghai"),
        ("1772690400", &[], &["%s"], "2026-03-05 06:00 +00"),
        ("05/03/26 14:00", &[], &["%d/%m/%Y %H:%M"], "!year 26"),
        ("05/03/2026 14:00:60", &[], &["%d/%m/%Y %H:%M:%S"], "!second 59"),
        ("14-30", &[], &["%H-%M"], "- 14:30 -"),
        ("2026-03-05 14-30", &[], &["%H-%M"], "2026-03-05 14:30 -"),
        ("115/03/05 14:00", &["roc"], &[], "2026-03-05 14:00 -"),
        ("46086.375", &["excel"], &[], "2026-03-05 09:00 -"),
        ("46086.38194", &["excel"], &[], "2026-03-05 09:10 -"),
        ("46086.9999999999999999", &["excel"], &[], "2026-03-05 24:00 -"),
        ("44624.375", &["excel-1904"], &[], "2026-03-05 09:00 -"),
        ("46086.0", &["excel"], &[], "2026-03-05 00:00 -"),
        ("46086", &["excel"], &[], "!without a clock time; if midnight is meant, write 46086.0"),
        ("46086.375", &[], &[], "!expected"),
        ("0.375", &["excel"], &["excel"], "- 09:00 -"),
        ("46086 0.375", &["excel"], &["excel"], "2026-03-05 09:00 -"),
    ] {
        check(input, date_forms, time_forms, expected);
    }
}
