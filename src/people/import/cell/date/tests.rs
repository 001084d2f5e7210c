#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::{DateForm, date};

/// A date where one is expected, else words of the refusal behind `!`.
fn check(input: &str, forms: &[&str], expected: &str) {
    let named: Vec<DateForm> =
        forms.iter().map(|form| DateForm::named(form).unwrap_or_else(|problem| panic!("{problem}"))).collect();
    match (date(input, &named), expected.strip_prefix('!')) {
        (Ok(date), None) => assert_eq!(date.to_string(), expected, "{input:?} {forms:?}"),
        (Err(problem), Some(words)) => assert!(problem.contains(words), "{input:?} {forms:?}: {problem}"),
        (found, _) => panic!("{input:?} {forms:?}: {found:?}"),
    }
}

#[test]
fn forms_of_one_day_alone() {
    for input in [
        "2026-03-05",
        "2026-3-5",
        "2026/3/5",
        "2026/03/05",
        "2026.3.5",
        "2026. 3. 5.",
        "２０２６／３／５",
        "2026年3月5日",
        "2026年03月05号",
        "2026 年 3 月 5 日",
        "2026年3月5",
        "二〇二六年三月五日",
        "2026년 3월 5일",
        "民國115年3月5日",
        "民国115年03月05日",
        "中華民國115年3月5日",
        "民國115/3/5",
        "令和8年3月5日",
        "2026-03-05 星期四",
        "2026年3月5日星期四",
        "2026年3月5日 周四",
        "2026-03-05 (四)",
        "2026-03-05（四）",
        "2026/3/5(木)",
        "2026年3月5日(木曜日)",
        "2026-03-05 Thu",
        "2026-03-05 Thursday",
        "Thu, 2026-03-05",
        "Thursday, March 5, 2026",
        "Thu Mar 5 2026",
        "星期四 2026-03-05",
        "5 March 2026",
        "March 5, 2026",
        "March 5th, 2026",
        "5th of March 2026",
        "5 Mar 2026",
        "05-Mar-2026",
        "5/Mar/2026",
        "5. März 2026",
        "5 mars 2026",
        "5 de marzo de 2026",
        "2026-Mar-05",
        "MAR 5 2026",
        "Mar. 5, 2026",
        "2026-03-05T00:00:00",
        "2026-03-05 00:00",
        "2026-03-05 14:30",
        "2026/3/5 0:00:00",
        "2026-03-05T14:00:00.000",
        "2026年3月5日 14:00",
        "2026/3/5 上午 12:00:00",
        "2026年3月5日下午2点",
        "5 March 2026 9:00 AM",
        "2026-03-05T00:00:00Z",
        "2026-03-05 00:00:00+08:00",
        "\u{200e}2026-\u{200e}03-05 ",
        "=\"2026-03-05\"",
    ] {
        check(input, &[], "2026-03-05");
    }
}

#[test]
fn what_could_be_several_days_is_refused() {
    for (input, expected) in [
        ("", "!empty"),
        (
            "05/03/2026",
            "!could be 5 March 2026 or 3 May 2026: set date_format in the mapping, \"%d/%m/%Y\" for 5 March",
        ),
        ("5.3.2026", "!\"%m.%d.%Y\" for 3 May 2026"),
        ("25/03/2026", "!set date_format = \"%d/%m/%Y\" in the mapping if it is 25 March 2026"),
        ("03/25/2026", "!set date_format = \"%m/%d/%Y\""),
        ("5/5/2026", "!5 May 2026 in either order"),
        ("2026-03-05 9", "!expected a date"),
        ("32/13/2026", "!no such day"),
        ("25/03/26", "!\"%d/%m/%y\" for 25 March 2026"),
        ("5-Mar-26", "!%d-%b-%y"),
        ("115/03/05", "!date_format = \"roc\""),
        ("1150305", "!roc"),
        ("46300", "!excel"),
        ("46300.5", "!excel"),
        ("1772668800", "!%s"),
        ("2026-02-30", "!no such day as 2026-02-30"),
        ("2026-13-01", "!no such day"),
        ("1969-12-31", "!read as the year 1969"),
        ("1026-03-05", "!read as the year 1026"),
        ("2026-03-05 Fri", "!2026-03-05 is a Thursday, not a Friday"),
        ("2026年3月5日星期五", "!not a Friday"),
        ("2026-03-05T16:00:00Z", "!a moment at a place"),
        ("2026-03-05 14:00 +08:00", "!a moment at a place"),
        ("2026-03", "!expected a date"),
        ("3月5日", "!expected a date"),
        ("March 2026", "!expected a date"),
        ("2026-03-05 25:00", "!expected a date"),
        ("today", "!expected a date"),
        ("2026-03-05x", "!expected a date"),
        ("99999-01-01", "!expected a date"),
        ("2026/03-05", "!expected a date"),
    ] {
        check(input, &[], expected);
    }
}

#[test]
fn forms_of_the_mapping() {
    for (input, forms, expected) in [
        ("05/03/2026", &["%d/%m/%Y"][..], "2026-03-05"),
        ("5/3/2026", &["%d/%m/%Y"], "2026-03-05"),
        ("05/03/2026", &["%m/%d/%Y"], "2026-05-03"),
        ("05/03/2026", &["%d/%m/%Y", "%m/%d/%Y"], "2026-03-05"),
        ("05/25/2026", &["%d/%m/%Y", "%m/%d/%Y"], "2026-05-25"),
        ("05/03/2026 (四)", &["%d/%m/%Y"], "2026-03-05"),
        ("05/03/2026 Fri", &["%d/%m/%Y"], "!not a Friday"),
        ("０５／０３／２０２６", &["%d/%m/%Y"], "2026-03-05"),
        ("05／03／2026", &["%d／%m／%Y"], "2026-03-05"),
        ("2026-03-05", &["%d/%m/%Y"], "2026-03-05"),
        ("05/03/26", &["%d/%m/%y"], "2026-03-05"),
        ("5-Mar-26", &["%d-%b-%y"], "2026-03-05"),
        ("05/03/26", &["%d/%m/%Y"], "!read as the year 26"),
        ("05/03/26", &["%d/%m/%Y", "%d/%m/%y"], "2026-03-05"),
        ("05/03/69", &["%d/%m/%y"], "!read as the year 1969"),
        ("31/02/2026", &["%d/%m/%Y"], "!no such day"),
        ("05/03/2026x", &["%d/%m/%Y"], "!no date as %d/%m/%Y"),
        ("05/03/2026 00:00", &["%d/%m/%Y"], "!add it to date_format, as in \"%d/%m/%Y %H:%M\""),
        ("05/03/2026 00:00", &["%d/%m/%Y %H:%M"], "2026-03-05"),
        ("03/25/2026", &["%d/%m/%Y"], "!\"%m/%d/%Y\""),
        ("20260305", &["%Y%m%d"], "2026-03-05"),
        ("20260305", &["%d/%m/%Y"], "!%Y%m%d"),
        ("46086", &["excel"], "2026-03-05"),
        ("46086.0", &["excel"], "2026-03-05"),
        ("46086,75", &["Excel"], "2026-03-05"),
        ("25569", &["excel"], "1970-01-01"),
        ("25568", &["excel"], "!read as the year 1969"),
        ("60", &["excel"], "!expected"),
        ("59", &["excel"], "!read as the year 1900"),
        ("1", &["excel"], "!read as the year 1900"),
        ("2026", &["excel"], "!read as the year 1905"),
        ("2958465", &["excel"], "9999-12-31"),
        ("2958466", &["excel"], "!roc"),
        ("2026-03-05", &["excel"], "2026-03-05"),
        ("44624", &["excel-1904"], "2026-03-05"),
        ("115/03/05", &["roc"], "2026-03-05"),
        ("115.3.5", &["roc"], "2026-03-05"),
        ("115-03-05", &["roc"], "2026-03-05"),
        ("1150305", &["roc"], "2026-03-05"),
        ("098/09/01", &["roc"], "2009-09-01"),
        ("98/9/1", &["roc"], "2009-09-01"),
        ("0980901", &["roc"], "2009-09-01"),
        ("980901", &["roc"], "2009-09-01"),
        ("民國115年3月5日", &["roc"], "2026-03-05"),
        ("民國 115 年 3 月 5 日", &["roc"], "2026-03-05"),
        ("民國115/03/05", &["roc"], "2026-03-05"),
        ("115年3月5日", &["roc"], "2026-03-05"),
        ("115/03/05(四)", &["roc"], "2026-03-05"),
        ("民國元年1月1日", &["roc"], "!read as the year 1912"),
        ("115/02/30", &["roc"], "!no such day"),
        ("2026/03/05", &["roc"], "2026-03-05"),
        ("5/3/99", &["roc"], "!no such day as 1916"),
        ("2026-W10-4", &["%G-W%V-%u"], "2026-03-05"),
        ("2026-064", &["%Y-%j"], "2026-03-05"),
    ] {
        check(input, forms, expected);
    }
}

#[test]
fn patterns_that_tell_no_date_are_refused() {
    for (name, hint) in [
        ("YYYY-MM-DD", "write \"%Y-%m-%d\""),
        ("dd/MM/yyyy", "write \"%d/%m/%Y\""),
        ("dd/mm/yyyy", "write \"%d/%m/%Y\""),
        ("mm/dd/yy", "write \"%m/%d/%y\""),
        ("TT.MM.JJJJ", "write \"%d.%m.%Y\""),
        ("jj/mm/aaaa", "write \"%d/%m/%Y\""),
        ("yyyy年m月d日", "write \"%Y年%m月%d日\""),
        ("d mmm yyyy", "write \"%d %b %Y\""),
        ("dd/mm/yyyy hh:mm", "write \"%d/%m/%Y %H:%M\""),
        ("%Q", "codes of strptime"),
        ("%Y-%m", "codes of strptime"),
        ("%H:%M", "codes of strptime"),
        ("%Y-%m-%", "codes of strptime"),
        ("%d/%m/%Y %I:%M", "%p"),
        ("", "codes of strptime"),
        ("iso", "codes of strptime"),
    ] {
        let problem = DateForm::named(name).err().unwrap_or_else(|| panic!("{name} is accepted"));
        assert!(problem.contains(hint), "{name}: {problem}");
    }
    for name in [
        "excel",
        "EXCEL",
        "excel-1904",
        "excel_1904",
        "roc",
        "%d/%m/%Y",
        "%F",
        "%d.%m.%y",
        "%Y年%m月%d日",
        "%Y%m%d",
        "%A %d %B %Y",
    ] {
        assert!(DateForm::named(name).is_ok(), "{name}");
    }
}
