#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::{fault, guard, narrow, tidy};

fn check(input: &str, expected: &str) {
    assert_eq!(tidy(input), expected, "{input:?}");
    assert_eq!(tidy(&tidy(input)), expected, "{input:?} twice");
    assert_eq!(tidy(&guard(input)), expected, "{input:?} guarded");
}

#[test]
fn what_shows_is_kept() {
    check("Anna", "Anna");
    check("  Anna \u{a0}\u{202f}\u{3000}\t\r\n", "Anna");
    check("\u{feff}\u{200b}Anna\u{200d}\u{200e}\u{2060}\u{ad}", "Anna");
    check("\u{202a}\u{2066}7\u{2069}\u{202c}\u{180e}\u{34f}", "7");
    check("\u{3164}\u{115f}\u{1160}x\u{0}\u{85}", "x");
    check("\u{200c}می\u{200c}خواهم", "می\u{200c}خواهم");
    check("e\u{301}", "é");
    check("", "");
    check(" \u{200b} ", "");
    check("'s-Hertogenbosch", "'s-Hertogenbosch");
    check("０４２", "０４２");
}

#[test]
fn wrappers_are_taken_off() {
    check("=\"0042\"", "0042");
    check(" =\" 0042 \" ", "0042");
    check("=\"a \"\"b\"\" c\"", "a \"b\" c");
    check("=\"\"", "");
    check("=\"\"\"\"", "\"");
    check("=\"a\"&\"b\"", "=\"a\"&\"b\"");
    check("=\"a\"\"", "=\"a\"\"");
    check("='x'", "='x'");
    check("'=x", "=x");
    check("'+441", "+441");
    check("'-x", "-x");
    check("'@x", "@x");
    check("''=x", "=x");
    check("'=\"0042\"", "0042");
    check("=\"'+441\"", "+441");
    check("=\"=\"\"7\"\"\"", "7");
    check("'\t", "");
    check("\t", "");
    check("=\u{338}", "\u{2260}");
    check("'", "'");
    check("'abc", "'abc");
    check("' =x", "' =x");
}

#[test]
fn formulas_are_guarded_and_numbers_are_not() {
    for (input, expected) in [
        ("=1+1", "'=1+1"),
        ("+441", "'+441"),
        ("-x", "'-x"),
        ("-1.5", "-1.5"),
        ("-1,5", "-1,5"),
        ("-15", "-15"),
        ("-1+1", "'-1+1"),
        ("-", "'-"),
        ("-.5", "'-.5"),
        ("@SUM", "'@SUM"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("'=x", "''=x"),
        ("'x", "'x"),
        ("Anna", "Anna"),
        ("", ""),
    ] {
        assert_eq!(guard(input), expected, "{input:?}");
    }
}

#[test]
fn errors_of_spreadsheets_are_no_data() {
    for input in [
        "#N/A",
        "#n/a",
        "#REF!",
        "#VALUE!",
        "#DIV/0!",
        "#NAME?",
        "#NULL!",
        "#NUM!",
        "#SPILL!",
        "#CALC!",
        "#FIELD!",
        "#BLOCKED!",
        "#CONNECT!",
        "#GETTING_DATA",
        "#WERT!",
        "#BEZUG!",
        "#¡REF!",
        "#¿NOMBRE?",
        "#ССЫЛКА!",
        "#Н/Д",
        "#ДЕЛ/0!",
        "#名称?",
        "#NV",
        "#N/D",
        "#N/V",
        "#YOK",
        "###",
        "##########",
        "Err:502",
        "Fehler:522",
        "错误:502",
        "=A1*2",
        "=SUM(",
        "#ERROR!",
        "#UNKNOWN!",
        "#ÜBERLAUF!",
        "Loading...",
    ] {
        assert!(fault(input).is_some(), "{input}");
    }
    for input in [
        "", "#12", "#A7", "##", "#", "#!", "#12!", "#Anna!", "Err:12", "Err:402", "N/A", "A#N/A", "#A7 x!", "a=b", "-x",
    ] {
        assert_eq!(fault(input), None, "{input}");
    }
    let problem = fault("#REF!").unwrap_or_default();
    assert!(problem.contains("\"#REF!\""), "{problem}");
    assert!(fault(&"#".repeat(10_000_000)).is_some());
}

#[test]
fn wide_forms_are_narrowed() {
    for (input, expected) in [
        ("１４：００～１６：３０", "14:00~16:30"),
        ("２０２６／０３／０５", "2026/03/05"),
        ("－１．５", "-1.5"),
        ("ＡＢｃ　（四）", "ABc (四)"),
        ("14:00–16:00—−〜", "14:00–16:00—−〜"),
        ("٢٫٥ ۱۲ १२", "2٫5 12 12"),
        ("14∶00", "14:00"),
    ] {
        assert_eq!(narrow(input), expected, "{input}");
    }
}

#[test]
fn megabytes_are_soon_through() {
    let deep = "=\"".repeat(1_000_000);
    for input in ["'\t".repeat(3_000_000), "'".repeat(5_000_000) + "=", deep.clone() + &"\"".repeat(1_000_000), deep] {
        let _tidied = tidy(&input);
    }
}
