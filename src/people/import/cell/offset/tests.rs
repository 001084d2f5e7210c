#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::super::local::Place;
use super::{
    OffsetUnit::{self, Hours, Minutes, Seconds},
    place,
};

/// An offset or a zone's name, else words of the refusal behind `!`.
fn check(input: &str, unit: OffsetUnit, west_positive: bool, expected: &str) {
    match (place(input, unit, west_positive), expected.strip_prefix('!')) {
        (Ok(Place::Fixed(offset)), None) => assert_eq!(offset.to_string(), expected, "{input:?} {unit:?}"),
        (Ok(Place::Zone(zone)), None) => assert_eq!(zone.iana_name(), Some(expected), "{input:?} {unit:?}"),
        (Err(problem), Some(words)) => assert!(problem.contains(words), "{input:?} {unit:?}: {problem}"),
        (found, _) => panic!("{input:?} {unit:?} {west_positive}: {found:?}"),
    }
}

#[test]
fn offsets_are_what_they_say_in_any_unit() {
    for unit in [Seconds, Minutes, Hours] {
        for west_positive in [false, true] {
            for (input, expected) in [
                ("+02:00", "+02"),
                ("-03:30", "-03:30"),
                ("−03:30", "-03:30"),
                ("+0545", "+05:45"),
                ("-0330", "-03:30"),
                ("+8:00", "+08"),
                ("Z", "+00"),
                ("utc", "+00"),
                ("GMT", "+00"),
                ("UTC+8", "+08"),
                ("UTC +8", "+08"),
                ("UTC-3", "-03"),
                ("GMT-03:30", "-03:30"),
                ("UTC+05:45", "+05:45"),
                ("UTC+0545", "+05:45"),
                ("ＵＴＣ＋８", "+08"),
                ("UTC±0", "+00"),
                ("+02:00:00", "+02"),
                ("-00:44", "-00:44"),
                ("(UTC+08:00) Beijing, Chongqing", "+08"),
                ("(GMT-5) Bogota", "-05"),
                ("(UTC) Dublin", "+00"),
                ("Asia/Shanghai", "Asia/Shanghai"),
                ("europe/prague", "Europe/Prague"),
                ("America/New York", "America/New_York"),
                ("+15:00", "!14 hours"),
                ("+02:60", "!14 hours"),
                ("+02:00:30", "!whole minutes"),
                ("+02:5", "!no such time zone"),
                ("CST", "!several zones"),
                ("est", "!several zones"),
                ("CET", "!several zones"),
                ("Etc/Unknown", "!no such time zone"),
                ("Factory", "!no such time zone"),
                ("Beijing", "!no such time zone"),
                ("China Standard Time", "!no such time zone"),
                ("(Beijing)", "!expected"),
                ("../etc/passwd", "!no such time zone"),
                ("", "!empty"),
                ("+", "!no such time zone"),
                ("UTC+", "!no such time zone"),
                ("UTC8", "!no such time zone"),
                ("99999999999999999999", "!offset_unit"),
                ("+99:99999999999999999", "!no such time zone"),
            ] {
                check(input, unit, west_positive, expected);
            }
        }
    }
}

#[test]
fn numbers_alone_count_the_unit() {
    for (input, unit, west_positive, expected) in [
        ("8", Hours, false, "+08"),
        ("5.75", Hours, false, "+05:45"),
        ("5,75", Hours, false, "+05:45"),
        ("-3.5", Hours, false, "-03:30"),
        ("－3.5", Hours, false, "-03:30"),
        ("-8", Hours, true, "+08"),
        ("8", Hours, true, "-08"),
        ("0", Hours, true, "+00"),
        ("-240", Minutes, false, "-04"),
        ("240", Minutes, true, "-04"),
        ("-480", Minutes, true, "+08"),
        ("345", Minutes, false, "+05:45"),
        ("28800", Seconds, false, "+08"),
        ("28800.0", Seconds, false, "+08"),
        ("-12600", Seconds, false, "-03:30"),
        ("+28800", Seconds, false, "+08"),
        ("+480", Minutes, false, "+08"),
        ("+480", Minutes, true, "-08"),
        ("+8", Hours, false, "+08"),
        ("+8", Minutes, false, "+08"),
        ("+8", Seconds, true, "+08"),
        ("+8", Hours, true, "!could be the offset or a number"),
        ("+1000", Seconds, false, "+10"),
        ("-1000", Minutes, false, "-10"),
        ("14", Hours, false, "+14"),
        ("15", Hours, false, "!offset_unit"),
        ("8", Seconds, false, "!no whole number of minutes: offset_unit"),
        ("-8", Seconds, false, "!no whole number of minutes: offset_unit"),
        ("480", Seconds, false, "!offset_unit"),
        ("8", Minutes, false, "!offset_unit"),
        ("28800", Minutes, false, "!offset_unit"),
        ("5.333", Hours, false, "!no whole number of minutes"),
        ("0.1", Hours, false, "!quarters"),
    ] {
        check(input, unit, west_positive, expected);
    }
}
