//! Nothing that anybody writes into a cell makes a reader panic, and what is guarded for a spreadsheet comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::{
    amount::{Decimal, Unit, amount_us},
    clock::clock,
    date::{DateForm, date},
    moment::moment,
    offset::{OffsetUnit, place},
    scan::DAY_US,
    span::span,
    text::{fault, guard, narrow, tidy},
};

const CELLS: usize = 10_000;
/// Pieces of the accepted forms, and what breaks them.
const ALPHABET: &str = "0 1 2 3 5 9 00 12 24 30 59 60 2026 03 115 46300 99999999999999999999 -05 +08 08 : : : - - / \
. , ; ' \" = @ + # ! \
                        ? ( ) [ ] ～ – — − → 〜 ： ／ ． T t Z z UTC GMT CST h m s min hrs Std. am PM p.m. a to at bis \
                        day PT P D H M \
                        Mar March Thu, 5th Asia/Shanghai Europe/Prague 年 月 日 号 点 點 时 分 秒 半 个 刻 刻钟 小时 分钟 上午 下午 \
                        晚上 中午 凌晨 星期四 周五 (四) 民國 民国 令和 一 二 两 三 十 百 零 〇 至 到 从 天 % %Y %d %m %H %M %p %z Err: \
                        #N/A e\u{301} ½ ０ ９ ٣ \u{200e} \u{feff} \u{a0} \u{3000} \u{338} \u{301} \u{200d} 😀 ß İ ﬀ";

/// The splitmix64 generator: the same cells on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap_or_default()
    }

    fn cell(&mut self, pieces: &[&str]) -> String {
        let count = self.below(10);
        (0..count)
            .map(|_| match self.below(12) {
                0 => " ",
                1 => "\t",
                _ => pieces[self.below(pieces.len())],
            })
            .collect()
    }
}

fn check(cell: &str, dates: &[DateForm], times: &[String]) {
    let tidied = tidy(cell);
    assert_eq!(tidy(&tidied), tidied, "{cell:?}");
    assert_eq!(tidy(&guard(cell)), tidied, "{cell:?}");
    assert_eq!(tidy(&guard(&tidied)), tidied, "{cell:?}");
    let _texts = (fault(cell), fault(&tidied), narrow(cell));
    for (unit, decimal) in
        [(Unit::Hours, Decimal::Either), (Unit::Minutes, Decimal::Point), (Unit::Seconds, Decimal::Comma)]
    {
        let us = amount_us(cell, unit, decimal).unwrap_or_default();
        assert!((0..=60_000_000 * 1_000_000_000).contains(&us), "{cell:?}");
    }
    assert!(date(cell, dates).map_or(true, |day| day.year() >= 1970), "{cell:?}");
    let of_day = |us: i64| (0..=DAY_US).contains(&us);
    assert!(clock(cell, times).map_or(true, |clock| of_day(clock.us)), "{cell:?}");
    assert!(moment(cell, dates, times).map_or(true, |said| of_day(said.clock.us)), "{cell:?}");
    assert!(
        span(cell, dates, times).map_or(true, |(start, end)| of_day(start.clock.us) && of_day(end.clock.us)),
        "{cell:?}"
    );
    let _places = (place(cell, OffsetUnit::Minutes, true), place(cell, OffsetUnit::Hours, false));
}

fn forms() -> Vec<(Vec<DateForm>, Vec<String>)> {
    let pattern = |text: &str| DateForm::Pattern(text.to_owned());
    let times = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    vec![
        (vec![], vec![]),
        (vec![pattern("%d/%m/%Y"), DateForm::Roc], times(&["%H.%M", "%Y-%m-%d %H:%M:%S%z"])),
        (vec![DateForm::Excel], times(&["excel"])),
        (vec![DateForm::Excel1904, pattern("%")], times(&["%d%m%y %I:%M %p", "%s", "%Q", "%:z%"])),
    ]
}

#[test]
fn nothing_panics() {
    let pieces: Vec<&str> = ALPHABET.split(' ').collect();
    let forms = forms();
    let mut random = Random(7);
    for index in 0..CELLS {
        let cell = random.cell(&pieces);
        let (dates, times) = &forms[index % forms.len()];
        check(&cell, dates, times);
    }
}

#[test]
fn nothing_panics_by_patterns_of_any_kind() {
    let pieces: Vec<&str> =
        "% %Y %m %d %H %M %S %f %.f %3f %I %p %z %:z %::z %Q %s %j %V %G %u %A %b %- %_ %99 %y 0 60 2026 : / x é"
            .split(' ')
            .collect();
    let mut random = Random(11);
    for _ in 0..1_000 {
        let (pattern, cell) = (random.cell(&pieces), random.cell(&pieces));
        let _read = super::pattern::read(&pattern, &cell);
        let _named = DateForm::named(&pattern);
        let _form = super::clock::form(&pattern);
    }
}

#[test]
fn long_cells_are_refused_at_once() {
    for piece in
        ["9", "9:00-", "1h", "年", "(", "'", " ", "\u{200b}", "％", "2026-03-05 ", "百", "=\"", ",", "9:00 to "]
    {
        for (dates, times) in forms() {
            check(&piece.repeat(4_000 / piece.len()), &dates, &times);
        }
        let megabytes = piece.repeat(1_000_000 / piece.len());
        let refused = [
            amount_us(&megabytes, Unit::Hours, Decimal::Either).err(),
            date(&megabytes, &[]).err(),
            clock(&megabytes, &[]).err(),
            moment(&megabytes, &[], &[]).err(),
            span(&megabytes, &[], &[]).err(),
            place(&megabytes, OffsetUnit::Hours, true).err(),
        ];
        for problem in refused {
            assert!(
                problem.is_some_and(|problem| problem.contains("at most 4096") && problem.len() < 1_000),
                "{piece}"
            );
        }
        let _forms = (DateForm::named(&megabytes), super::clock::form(&megabytes));
    }
}

#[test]
fn numerals() {
    for (input, expected) in [
        ("9", Some(9)),
        ("零", Some(0)),
        ("零五", Some(5)),
        ("十", Some(10)),
        ("十一", Some(11)),
        ("二十", Some(20)),
        ("九十九", Some(99)),
        ("一百", Some(100)),
        ("一百零五", Some(105)),
        ("一百二十", Some(120)),
        ("九百九十九", Some(999)),
        ("一百二", None),
        ("百", None),
        ("十十", None),
        ("一二", None),
        ("零零", None),
        ("一百百", None),
        ("", None),
        ("1234567890", None),
    ] {
        assert_eq!(super::scan::numeral(input), expected, "{input}");
    }
}
