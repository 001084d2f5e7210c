//! Amounts with units: `1h30`, `2 hrs 5 mins`, `一个半小时`, `PT2H30M`.

use super::super::scan::{HOUR_US, MINUTE_US, SECOND_US, is_digits, is_numeral, numeral, split_run};
use super::{
    Decimal, EXPECTED,
    number::{Number, number},
};

const DAYS: &str = "a day of service is how many hours? Write the hours";
const LATIN: [(i64, &str); 3] = [
    (
        HOUR_US,
        "h hr hrs hour hours std stdn stunde stunden heure heures hora horas ora ore uur uren hod hodina hodiny hodin \
         godz godzina godziny godzin timme timmar час часа часов ч",
    ),
    (
        MINUTE_US,
        "m mn min mins minute minutes minuten minuto minutos minuti minuta minuty minut minuut minuter мин минута \
        минуты \
         минут",
    ),
    (
        SECOND_US,
        "s sec secs second seconds sek sekunde sekunden seconde secondes segundo segundos secondo secondi sekunda \
        sekundy \
         sekund sekunder сек секунда секунды секунд",
    ),
];
const LATIN_DAYS: &str = "d day days tag tage tagen jour jours j día días dia dias giorno giorni den dny dní dag \
dagen dzień \
                          dni день дня дней wk wks week weeks w woche wochen semaine semaines month months year years";
/// Longer words before those that begin them.
const CHINESE: [(i64, &str); 23] = [
    (HOUR_US, "小时"),
    (HOUR_US, "小時"),
    (HOUR_US, "钟头"),
    (HOUR_US, "鐘頭"),
    (HOUR_US, "時間"),
    (HOUR_US, "시간"),
    (QUARTER_US, "刻钟"),
    (QUARTER_US, "刻鐘"),
    (QUARTER_US, "刻"),
    (MINUTE_US, "分钟"),
    (MINUTE_US, "分鐘"),
    (MINUTE_US, "分間"),
    (MINUTE_US, "分"),
    (MINUTE_US, "분"),
    (SECOND_US, "秒钟"),
    (SECOND_US, "秒鐘"),
    (SECOND_US, "秒間"),
    (SECOND_US, "秒"),
    (SECOND_US, "초"),
    (HOUR_US, "时"),
    (HOUR_US, "時"),
    // 1個半鐘.
    (HOUR_US, "鐘"),
    (HOUR_US, "钟"),
];
const CHINESE_DAYS: [&str; 9] = ["天", "日", "周", "週", "星期", "礼拜", "月", "年", "일"];
const QUARTER_US: i64 = 15 * MINUTE_US;
/// What may stand between an amount of hours and its minutes.
const JOINS: [&str; 6] = ["and ", "und ", "et ", "y ", "e ", "又"];

/// An amount as it grows from its largest unit to its smallest.
struct Sum {
    us: i128,
    /// The unit before, in microseconds.
    last_us: Option<i64>,
    /// Parts of the unit before were written already: nothing smaller follows.
    is_parted: bool,
}

/// Whether a word, maybe none, is one for hours.
pub(super) fn is_hours(word: &str) -> bool {
    latin_us(word.trim_end_matches('.')) == Some(HOUR_US) || ["小时", "小時"].contains(&word)
}

/// Whether a word is one for minutes.
pub(super) fn is_minutes(word: &str) -> bool {
    latin_us(word.trim_end_matches('.')) == Some(MINUTE_US) || ["分钟", "分鐘", "分"].contains(&word)
}

fn latin_us(word: &str) -> Option<i64> {
    if word.is_empty() {
        return None;
    }
    LATIN.iter().find(|(_, words)| words.split_whitespace().any(|known| known == word)).map(|(us, _)| *us)
}

/// Numbers with their units, the larger ones first; lowercase.
pub(super) fn words(text: &str, decimal: Decimal) -> Result<i128, String> {
    let mut sum = Sum { us: 0, last_us: None, is_parted: false };
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        if let Some(last_us) = sum.last_us {
            if rest == "半" && !sum.is_parted {
                sum.us += i128::from(last_us / 2);
                return Ok(sum.us);
            }
            rest = joined(rest);
        }
        let (count, behind) = count(rest, decimal)?;
        let (unit_us, behind) = match unit_us(behind.trim_start())? {
            Some(found) => found,
            None => (unwritten_us(&count, &sum, behind)?, ""),
        };
        sum.add(&count.number, unit_us)?;
        rest = behind;
    }
    sum.last_us.map(|_some| sum.us).ok_or_else(|| EXPECTED.to_owned())
}

impl Sum {
    fn add(&mut self, number: &Number, unit_us: i64) -> Result<(), String> {
        let is_quarters = unit_us == QUARTER_US;
        if is_quarters && !(number.is_whole() && (1..=3).contains(&number.whole)) {
            return Err(EXPECTED.to_owned());
        }
        if self.is_parted || self.last_us.is_some_and(|last_us| last_us <= unit_us) {
            return Err(format!("each unit once, the larger first, decimals in the last alone: {EXPECTED}"));
        }
        self.us += number.us(unit_us);
        // Quarters are minutes: none follow.
        self.last_us = Some(if is_quarters { MINUTE_US } else { unit_us });
        self.is_parted = !number.is_whole();
        Ok(())
    }
}

fn joined(rest: &str) -> &str {
    let rest = rest.strip_prefix(", ").unwrap_or(rest);
    // 2小时零5分.
    let zero = rest.strip_prefix('零').filter(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
    let rest = zero.unwrap_or(rest);
    JOINS.iter().find_map(|join| rest.strip_prefix(join)).unwrap_or(rest).trim_start()
}

struct Count<'a> {
    number: Number,
    /// As it was written, without what counts.
    written: &'a str,
}

/// A number and what is behind it: `2,5`, `1 234`, `三`, `半`, `1个半`.
fn count(text: &str, decimal: Decimal) -> Result<(Count<'_>, &str), String> {
    let half = || Number { whole: 0, fraction: "5".to_owned() };
    if let Some(rest) = text.strip_prefix('半') {
        return Ok((Count { number: half(), written: "半" }, rest.strip_prefix(['个', '個']).unwrap_or(rest)));
    }
    let (written, behind) = run(text);
    let mut number = if written.starts_with(is_numeral) {
        let whole = numeral(written).ok_or_else(|| EXPECTED.to_owned())?;
        Number { whole: i128::from(whole), fraction: String::new() }
    } else {
        number(written, decimal)?
    };
    let Some(counted) = behind.trim_start().strip_prefix(['个', '個']) else {
        // A counter would have to stand before it.
        let is_clock = behind.trim_start().starts_with(['点', '點']);
        let problem = "a clock time, not an amount: write it as 2小时30分";
        return if is_clock { Err(problem.to_owned()) } else { Ok((Count { number, written }, behind)) };
    };
    let Some(halved) = counted.strip_prefix('半') else { return Ok((Count { number, written }, counted)) };
    if !number.is_whole() {
        return Err(EXPECTED.to_owned());
    }
    number.fraction = half().fraction;
    Ok((Count { number, written }, halved))
}

/// The characters of a number at the start: Chinese numerals, or digits with the signs and blanks between them.
fn run(text: &str) -> (&str, &str) {
    if text.starts_with(is_numeral) {
        return split_run(text, is_numeral);
    }
    let (written, _) = split_run(text, |character| character.is_ascii_digit() || ".,' ’½¼¾".contains(character));
    // A sign of minutes or a blank at its end is no part of it.
    let written = written.trim_end_matches(['\'', '’', ' ', ',']);
    text.split_at_checked(written.len()).unwrap_or((text, ""))
}

/// The unit at the start, and what is behind it.
fn unit_us(text: &str) -> Result<Option<(i64, &str)>, String> {
    for (sign, us) in
        [("''", SECOND_US), ("\"", SECOND_US), ("″", SECOND_US), ("'", MINUTE_US), ("’", MINUTE_US), ("′", MINUTE_US)]
    {
        if let Some(rest) = text.strip_prefix(sign) {
            return Ok(Some((us, rest)));
        }
    }
    let (word, rest) = split_run(text, |letter| letter.is_alphabetic() && letter < '\u{2e80}');
    if !word.is_empty() {
        if LATIN_DAYS.split_whitespace().any(|known| known == word) {
            return Err(DAYS.to_owned());
        }
        let us = latin_us(word).ok_or_else(|| EXPECTED.to_owned())?;
        return Ok(Some((us, rest.strip_prefix('.').unwrap_or(rest))));
    }
    if let Some(found) = CHINESE.iter().find_map(|(us, word)| text.strip_prefix(word).map(|rest| (*us, rest))) {
        return Ok(Some(found));
    }
    if CHINESE_DAYS.iter().any(|word| text.starts_with(word)) {
        return Err(DAYS.to_owned());
    }
    Ok(None)
}

/// The unit of a last number without one: minutes behind hours, as in `1h30` and `2小时30`.
fn unwritten_us(count: &Count<'_>, sum: &Sum, behind: &str) -> Result<i64, String> {
    let is_minutes = behind.trim().is_empty() && sum.last_us == Some(HOUR_US) && count.number.is_whole();
    if !is_minutes {
        return Err(EXPECTED.to_owned());
    }
    let is_clear = if is_digits(count.written) { count.written.len() == 2 } else { count.number.whole >= 10 };
    if !is_clear || count.number.whole >= 60 {
        return Err(format!("{} behind the hours: minutes there are two digits below 60, as 1h05", count.written));
    }
    Ok(MINUTE_US)
}

/// A duration of ISO 8601, lowercase: `pt2h30m`, `pt2.5h`, `p0dt2h`.
pub(super) fn iso(text: &str) -> Result<i128, String> {
    let expected = || EXPECTED.to_owned();
    let body = text.strip_prefix('p').ok_or_else(expected)?;
    let (mut days, mut rest) = body.split_once('t').map_or((body, None), |(days, clock)| (days, Some(clock)));
    while !days.is_empty() {
        let (digits, behind) = split_run(days, |character| character.is_ascii_digit());
        days = behind.strip_prefix(['y', 'm', 'w', 'd']).filter(|_| !digits.is_empty()).ok_or_else(expected)?;
        if digits.bytes().any(|digit| digit != b'0') {
            return Err(DAYS.to_owned());
        }
    }
    let mut sum = Sum { us: 0, last_us: None, is_parted: false };
    while let Some(clock) = rest.filter(|clock| !clock.is_empty()) {
        let (written, behind) = split_run(clock, |character| character.is_ascii_digit() || ".,".contains(character));
        let (whole, fraction) = written.split_once(['.', ',']).unwrap_or((written, "0"));
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(expected());
        }
        let units = [('h', HOUR_US), ('m', MINUTE_US), ('s', SECOND_US)];
        let found = units.iter().find_map(|(letter, us)| behind.strip_prefix(*letter).map(|rest| (*us, rest)));
        let (unit_us, behind) = found.ok_or_else(expected)?;
        // No groups in the standard: three decimals are three decimals.
        let whole = if whole.len() > 15 { return Err(super::TOO_MUCH.to_owned()) } else { whole };
        let whole = whole.parse().map_err(|_wrong| expected())?;
        sum.add(&Number { whole, fraction: fraction.to_owned() }, unit_us)?;
        rest = Some(behind);
    }
    sum.last_us.map(|_some| sum.us).ok_or_else(expected)
}
