#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::{Decimal, Unit, amount_us};

const MIN: i64 = 60_000_000;
const HOUR: i64 = 60 * MIN;

/// Microseconds where a time is expected, else words of the refusal.
enum Is {
    Us(i64),
    Refused(&'static str),
}
use Is::{Refused, Us};

fn check(input: &str, unit: Unit, decimal: Decimal, expected: &Is) {
    let found = amount_us(input, unit, decimal);
    match expected {
        Us(us) => assert_eq!(found, Ok(*us), "{input:?} {unit:?} {decimal:?}"),
        Refused(words) => {
            let problem = found.err().unwrap_or_else(|| panic!("{input:?} {unit:?} {decimal:?} is accepted"));
            assert!(problem.contains(words), "{input:?}: {problem}");
        }
    }
}

fn hours(cases: &[(&str, Is)]) {
    for (input, expected) in cases {
        check(input, Unit::Hours, Decimal::Either, expected);
    }
}

#[test]
fn numbers_are_exact() {
    hours(&[
        ("2.5", Us(150 * MIN)),
        ("2,5", Us(150 * MIN)),
        (",75", Us(45 * MIN)),
        (".75", Us(45 * MIN)),
        ("2.", Us(2 * HOUR)),
        ("0", Us(0)),
        ("0.0", Us(0)),
        ("+1.5", Us(90 * MIN)),
        ("0,125", Us(7_500_000 * 60)),
        ("1,2345", Us(4_444_200_000)),
        ("1.333", Us(4_798_800_000)),
        ("0.333333333333333", Us(20 * MIN)),
        ("1.9999999999999998", Us(2 * HOUR)),
        ("1.99999999999999999999999999999999999999999999999999", Us(2 * HOUR)),
        ("0.0000000001388888888888888888888888888888888", Us(0)),
        ("0.0000000001388888888888888888888888888888889", Us(1)),
        ("００２．５", Us(150 * MIN)),
        ("٢", Us(2 * HOUR)),
        ("1½", Us(90 * MIN)),
        ("1 ½", Us(90 * MIN)),
        ("¾", Us(45 * MIN)),
        ("='2", Refused("expected")),
        ("=\"2.5\"", Us(150 * MIN)),
        ("1e1", Refused("expected")),
        ("", Refused("empty")),
        (".", Refused("expected")),
        ("-", Refused("expected")),
        ("-2", Refused("negative")),
        ("−2,5", Refused("negative")),
        ("(2.5)", Refused("expected")),
        ("2 30", Refused("expected")),
        ("1.2.3", Refused("expected")),
        ("2..5", Refused("expected")),
        ("NaN", Refused("expected")),
        ("16666666", Us(16_666_666 * HOUR)),
        ("16666667", Refused("1,000,000,000 minutes")),
        ("99999999999999999999999999999999999999999999999", Refused("1,000,000,000 minutes")),
        ("0000000000000000000000000000000000000000000002", Us(2 * HOUR)),
    ]);
    check(&"9".repeat(5_000), Unit::Hours, Decimal::Either, &Refused("at most 4096"));
    check(&format!("0.{}", "3".repeat(4_000)), Unit::Hours, Decimal::Point, &Us(20 * MIN));
    check("90", Unit::Minutes, Decimal::Either, &Us(90 * MIN));
    check("90", Unit::Seconds, Decimal::Either, &Us(90_000_000));
    check("0.0000005", Unit::Seconds, Decimal::Point, &Us(1));
    check("0.00000049999999999999999999999999", Unit::Seconds, Decimal::Point, &Us(0));
}

#[test]
fn groups_of_thousands() {
    use Decimal::{Comma, Either, Point};
    for (input, decimal, expected) in [
        ("1 234,5", Either, Us(1_234_500_000)),
        ("1\u{202f}234,567", Either, Us(1_234_567_000)),
        ("1'234.5", Either, Us(1_234_500_000)),
        ("1,234.5", Either, Us(1_234_500_000)),
        ("1.234,5", Either, Us(1_234_500_000)),
        ("1.234.567", Either, Us(1_234_567_000_000)),
        ("1,234,567", Either, Us(1_234_567_000_000)),
        ("1,234", Either, Refused("could be 1234 or 1.234: set decimal in the mapping")),
        ("999,999", Either, Refused("set decimal")),
        ("1234,567", Either, Us(1_234_567_000)),
        ("1.234", Either, Us(1_234_000)),
        ("12,34,567", Either, Refused("expected")),
        ("1,234,56", Either, Refused("expected")),
        ("1,234.5,6", Either, Refused("expected")),
        ("0,234,567", Either, Refused("expected")),
        ("1.234,5", Point, Refused("decimal")),
        ("1,234", Point, Us(1_234_000_000)),
        ("1,234.5", Point, Us(1_234_500_000)),
        ("2,5", Point, Refused("decimal")),
        ("0,125", Point, Refused("decimal")),
        ("1.234", Point, Us(1_234_000)),
        ("1.234.567", Point, Refused("decimal")),
        ("1.234", Comma, Refused("could be 1234, or 1,234 with a point")),
        ("1.234,5", Comma, Us(1_234_500_000)),
        ("1.234.567", Comma, Us(1_234_567_000_000)),
        ("1,234", Comma, Us(1_234_000)),
        ("2.5", Comma, Refused("decimal")),
        ("1,234.5", Comma, Refused("decimal")),
    ] {
        check(input, Unit::Seconds, decimal, &expected);
    }
}

#[test]
fn hours_and_minutes_between_colons() {
    hours(&[
        ("2:30", Us(150 * MIN)),
        ("02：30", Us(150 * MIN)),
        ("0:45", Us(45 * MIN)),
        ("2:30:15", Us(150 * MIN + 15_000_000)),
        ("2:30:15.5", Us(150 * MIN + 15_500_000)),
        ("2:30:15,0000005", Us(150 * MIN + 15_000_001)),
        ("100:00", Us(100 * HOUR)),
        ("999999:59", Us(999_999 * HOUR + 59 * MIN)),
        ("1000000:00", Refused("expected")),
        ("2:30 h", Us(150 * MIN)),
        ("2:30 Std.", Us(150 * MIN)),
        ("2:60", Refused("below 60")),
        ("2:30:60", Refused("below 60")),
        ("2:5", Refused("two digits")),
        (":30", Refused("expected")),
        ("1:30.5", Refused("two digits")),
        ("1:30:", Refused("two digits")),
        ("2:30 AM", Refused("clock time")),
        ("1:2:3:4", Refused("expected")),
        ("-1:30", Refused("negative")),
        ("1:30 min", Refused("could be")),
    ]);
    for unit in [Unit::Minutes, Unit::Seconds] {
        check("1:30", unit, Decimal::Either, &Refused("name the column as hours"));
        check("1:30:00", unit, Decimal::Either, &Us(90 * MIN));
        check("1:30 h", unit, Decimal::Either, &Us(90 * MIN));
    }
}

#[test]
fn units_in_letters() {
    for unit in [Unit::Hours, Unit::Minutes, Unit::Seconds] {
        for (input, expected) in [
            ("90 min", Us(90 * MIN)),
            ("90min", Us(90 * MIN)),
            ("90 minutes", Us(90 * MIN)),
            ("90 Minutes", Us(90 * MIN)),
            ("90m", Us(90 * MIN)),
            ("90'", Us(90 * MIN)),
            ("1 h", Us(HOUR)),
            ("1h30", Us(90 * MIN)),
            ("1 h 30", Us(90 * MIN)),
            ("2h 15m", Us(135 * MIN)),
            ("2h15", Us(135 * MIN)),
            ("2H15M30S", Us(135 * MIN + 30_000_000)),
            ("2 hrs 5 mins", Us(125 * MIN)),
            ("2 hours, 5 minutes", Us(125 * MIN)),
            ("2 hours and 5 minutes", Us(125 * MIN)),
            ("1.5 hours", Us(90 * MIN)),
            ("1½ h", Us(90 * MIN)),
            ("2,5 Std", Us(150 * MIN)),
            ("1 Std. 30 Min.", Us(90 * MIN)),
            ("2 heures", Us(2 * HOUR)),
            ("2 часа 30 минут", Us(150 * MIN)),
            ("45 s", Us(45_000_000)),
            ("30 sec", Us(30_000_000)),
            ("1 h 90 min", Us(150 * MIN)),
            ("1 234 min", Us(1_234 * MIN)),
            ("1,234 min", Refused("could be 1234 or 1.234")),
            ("1h5", Refused("two digits")),
            ("1h75", Refused("below 60")),
            ("1.5h 30min", Refused("decimals in the last")),
            ("30 min 1 h", Refused("larger first")),
            ("1h 2h", Refused("each unit once")),
            ("5m30", Refused("expected")),
            ("1 day", Refused("a day of service is how many hours?")),
            ("2d 4h", Refused("a day of service is how many hours?")),
            ("1 Tag", Refused("how many hours?")),
            ("h", Refused("expected")),
            ("2 x", Refused("expected")),
            ("-2 h", Refused("negative")),
            ("ca. 2 h", Refused("expected")),
            ("2 h approx", Refused("expected")),
            ("PT2H30M", Us(150 * MIN)),
            ("pt2.5h", Us(150 * MIN)),
            ("PT1.234H", Us(4_442_400_000)),
            ("PT90M", Us(90 * MIN)),
            ("PT1H90M", Us(150 * MIN)),
            ("P0DT2H0M0.5S", Us(2 * HOUR + 500_000)),
            ("P1DT2H", Refused("how many hours?")),
            ("P1D", Refused("how many hours?")),
            ("PT", Refused("expected")),
            ("P", Refused("expected")),
            ("PT30M2H", Refused("larger first")),
            ("-PT2H", Refused("negative")),
            ("PT99999999999999999999H", Refused("1,000,000,000 minutes")),
        ] {
            check(input, unit, Decimal::Either, &expected);
        }
    }
}

#[test]
fn units_in_chinese() {
    hours(&[
        ("2小时30分", Us(150 * MIN)),
        ("2小时30分钟", Us(150 * MIN)),
        ("2小時30分鐘", Us(150 * MIN)),
        ("２小时３０分", Us(150 * MIN)),
        ("2小时30", Us(150 * MIN)),
        ("2小时零5分", Us(125 * MIN)),
        ("2 小时 30 分钟", Us(150 * MIN)),
        ("2个小时", Us(2 * HOUR)),
        ("1个半小时", Us(90 * MIN)),
        ("一个半小时", Us(90 * MIN)),
        ("一個半小時", Us(90 * MIN)),
        ("两个半钟头", Us(150 * MIN)),
        ("1個半鐘", Us(90 * MIN)),
        ("半小时", Us(30 * MIN)),
        ("半个小时", Us(30 * MIN)),
        ("2个半小时", Us(150 * MIN)),
        ("2时30分", Us(150 * MIN)),
        ("2小时半", Us(150 * MIN)),
        ("2.5小时", Us(150 * MIN)),
        ("30分", Us(30 * MIN)),
        ("90分钟", Us(90 * MIN)),
        ("1分半", Us(90_000_000)),
        ("两小时", Us(2 * HOUR)),
        ("三小时二十分", Us(200 * MIN)),
        ("三小时零五分", Us(185 * MIN)),
        ("九十九分钟", Us(99 * MIN)),
        ("一百二十分钟", Us(120 * MIN)),
        ("一百零五分钟", Us(105 * MIN)),
        ("一百二分钟", Refused("expected")),
        ("一刻钟", Us(15 * MIN)),
        ("2小时一刻", Us(135 * MIN)),
        ("三刻钟", Us(45 * MIN)),
        ("5刻钟", Refused("expected")),
        ("一刻钟5分", Refused("expected")),
        ("2時間30分", Us(150 * MIN)),
        ("2시간 30분", Us(150 * MIN)),
        ("三", Refused("expected")),
        ("1天", Refused("a day of service is how many hours?")),
        ("半天", Refused("how many hours?")),
        ("2点30分", Refused("clock time")),
        ("1.5个半小时", Refused("expected")),
        ("半", Refused("expected")),
        ("小时", Refused("expected")),
        ("2小时左右", Refused("expected")),
        ("2小时30分半半", Refused("expected")),
    ]);
}
