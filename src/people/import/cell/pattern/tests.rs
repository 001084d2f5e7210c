#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::read;

/// What a text tells by a pattern: date and clock in hours, `none` where it doesn't match, else words of the refusal.
fn check(pattern: &str, input: &str, expected: &str) {
    let shown = match read(pattern, input) {
        None => "none".to_owned(),
        Some(Err(problem)) => problem,
        Some(Ok(read)) => {
            let date = read.date.map_or_else(|| "-".to_owned(), |date| date.to_string());
            format!(
                "{date} {}",
                read.clock.map_or_else(|| "-".to_owned(), |clock| (clock.us / 3_600_000_000).to_string())
            )
        }
    };
    assert!(shown.contains(expected), "{pattern} {input}: {shown}");
}

#[test]
fn what_patterns_tell() {
    check("%Y-%m-%d", "2026-03-05", "2026-03-05 -");
    check("%Y-%m-%d", "2026-03-05 09:00", "none");
    check("%Y-%m-%d %H:%M", "2026-03-05 09:00", "2026-03-05 9");
    check("%H:%M", "09:00", "- 9");
    check("%I %p", "09 PM", "- 21");
    check("%I", "09", "%p");
    check("%s", "1772690400", "2026-03-05 6");
    check("%s", "99999999999999999999", "none");
    check("%a %Y-%m-%d", "Fri 2026-03-05", "weekday");
    check("%H:%M:%S", "09:60:60", "none");
    check("%H:%M:%S", "09:59:60", "second 59");
    check("%Y-%m-%d %z", "2026-03-05 +2300", "within 14 hours");
    check("%H:%M %Q", "09:00 Mars/Base", "no such time zone");
    check("%", "%", "none");
    check("", "", "- -");
}
