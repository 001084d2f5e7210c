//! Clock times in words and signs, with the half of the day that stands beside them.

use super::super::local::{Clock, LEAP};
use super::super::scan::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, digits, is_digits, numeral, split_run};
use super::EXPECTED;

/// Which part of the day an hour to 12 is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Period {
    /// `am`: 12 is midnight.
    Am,
    /// `pm`: 12 is noon.
    Pm,
    /// 上午, 早上: 12 would be noon to some and midnight to programs.
    Morning,
    /// 凌晨: from midnight to daybreak.
    Dawn,
    /// 中午: from 10 to 2.
    Noon,
    /// 下午: 12 is noon.
    Afternoon,
    /// 晚上: until midnight.
    Evening,
}

/// Longer words before those that begin them.
const PERIODS: [(&str, Period); 27] = [
    ("凌晨", Period::Dawn),
    ("清晨", Period::Morning),
    ("早上", Period::Morning),
    ("早晨", Period::Morning),
    ("上午", Period::Morning),
    ("午前", Period::Morning),
    ("오전", Period::Morning),
    ("早", Period::Morning),
    ("中午", Period::Noon),
    ("正午", Period::Noon),
    ("下午", Period::Afternoon),
    ("午后", Period::Afternoon),
    ("午後", Period::Afternoon),
    ("오후", Period::Afternoon),
    ("傍晚", Period::Evening),
    ("晚上", Period::Evening),
    ("晚间", Period::Evening),
    ("晚間", Period::Evening),
    ("晚", Period::Evening),
    ("a.m.", Period::Am),
    ("p.m.", Period::Pm),
    ("a.m", Period::Am),
    ("p.m", Period::Pm),
    ("a. m.", Period::Am),
    ("p. m.", Period::Pm),
    ("am", Period::Am),
    ("pm", Period::Pm),
];

/// What stands behind an hour of the clock.
const HOUR_SIGNS: [char; 5] = ['点', '點', '时', '時', '시'];

/// A clock time as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Spoken {
    pub(in super::super) period: Option<Period>,
    hour: u32,
    /// Minutes, seconds and their parts.
    rest_us: i64,
    /// An hour alone, as in `2-4pm`: no clock time where it stands for itself.
    pub(in super::super) is_bare: bool,
    /// 点 or Uhr stands with it, which say that it is an hour of the clock.
    pub(in super::super) is_named: bool,
}

impl Spoken {
    /// What a value says, with the period that is written with it.
    pub(in super::super) fn read(text: &str) -> Result<Self, String> {
        let lower = text.to_lowercase();
        let text = lower.trim();
        if ["noon", "12 noon", "midday", "正午", "中午"].contains(&text) {
            return Ok(Self { period: None, hour: 12, rest_us: 0, is_bare: false, is_named: false });
        }
        if ["midnight", "12 midnight", "午夜", "半夜", "零点整夜"].contains(&text) {
            return Err("midnight begins a day and ends one: write 0:00 or 24:00".to_owned());
        }
        let (period, text) = period(text);
        let (hour, rest_us, is_bare) = hours(text)?;
        let is_named = text.contains(HOUR_SIGNS) || text.contains("uhr");
        Ok(Self { period, hour, rest_us, is_bare: is_bare && period.is_none(), is_named })
    }

    /// An hour alone that is one of 24 hours.
    pub(in super::super) fn named(self) -> Self {
        Self { is_bare: false, ..self }
    }

    /// The same hour in another part of the day.
    pub(in super::super) fn within(self, period: Period) -> Self {
        Self { period: Some(period), is_bare: false, ..self }
    }

    /// The time of the day, an hour alone taken as one of 24.
    pub(in super::super) fn clock(self) -> Result<Clock, String> {
        let hour = match self.period {
            None if self.hour == 24 && self.rest_us == 0 => return Ok(Clock { us: DAY_US }),
            None if self.hour < 24 => self.hour,
            None => return Err("the hours of a day are 0 to 23, and 24:00 its end".to_owned()),
            Some(period) => self.hour_in(period)?,
        };
        Ok(Clock { us: i64::from(hour) * HOUR_US + self.rest_us })
    }

    fn hour_in(self, period: Period) -> Result<u32, String> {
        let hour = self.hour;
        match (period, hour) {
            // In Chinese the hour of 24 is often written all the same.
            (Period::Am | Period::Morning, 0..=11)
            | (Period::Dawn, 0..=6)
            | (Period::Noon, 10..=14)
            | (Period::Afternoon, 13..=18)
            | (Period::Evening, 16..=23) => Ok(hour),
            (Period::Am | Period::Dawn, 12) => Ok(0),
            (Period::Pm | Period::Afternoon, 12) => Ok(12),
            (Period::Pm | Period::Afternoon, 1..=11) | (Period::Noon, 1..=2) | (Period::Evening, 4..=11) => {
                Ok(hour + 12)
            }
            (Period::Morning, 12) => {
                Err("noon to a person, midnight to a program: write 12:00 or 0:00, without 上午".to_owned())
            }
            (Period::Evening, 12 | 0..=3) => {
                Err("the end of this day or hours of the next: write 24:00, or the next date with an hour of 24"
                    .to_owned())
            }
            (Period::Am | Period::Pm, _) => {
                Err("AM and PM go with hours from 1 to 12: write hours of 24 without them".to_owned())
            }
            (Period::Morning | Period::Dawn | Period::Noon | Period::Afternoon | Period::Evening, _) => {
                Err("the hour isn't in that part of the day: write hours of 24 alone".to_owned())
            }
        }
    }
}

/// The part of the day in front or behind, and the rest.
fn period(text: &str) -> (Option<Period>, &str) {
    let in_front =
        |(word, period): &(&str, Period)| text.strip_prefix(word).map(|rest| (Some(*period), rest.trim_start()));
    let behind = |(word, period): &(&str, Period)| {
        let rest = text.strip_suffix(word).filter(|_| word.is_ascii())?.trim_end();
        Some((Some(*period), rest))
    };
    let found = PERIODS.iter().find_map(in_front).or_else(|| PERIODS.iter().find_map(behind));
    let short = || {
        let (rest, period) = text
            .strip_suffix('a')
            .map(|rest| (rest, Period::Am))
            .or_else(|| text.strip_suffix('p').map(|rest| (rest, Period::Pm)))?;
        rest.ends_with(|last: char| last.is_ascii_digit()).then_some((Some(period), rest))
    };
    found.or_else(short).unwrap_or((None, text))
}

/// Hour, the microseconds behind it, and whether it is an hour alone.
fn hours(text: &str) -> Result<(u32, i64, bool), String> {
    if text.contains(HOUR_SIGNS) {
        return chinese(text).map(|(hour, rest_us)| (hour, rest_us, false));
    }
    let unit = ["uhr", "hours", "hrs", "hr", "h"].iter().find_map(|unit| text.strip_suffix(unit));
    if let Some(number) = unit {
        let number = number.trim_end();
        return match digits(number).filter(|_| number.len() <= 2) {
            Some(hour) => Ok((hour, 0, false)),
            None => signs(number),
        };
    }
    if let Some((hour, minute)) = text.split_once("uhr").or_else(|| text.split_once('h')) {
        let minute = minute.trim();
        let minute = minute.strip_suffix("min").or_else(|| minute.strip_suffix('m')).unwrap_or(minute).trim_end();
        return Ok((hour_number(hour.trim_end())?, two(minute, MINUTE_US)?, false));
    }
    signs(text)
}

/// `9:00`, `9:00:30.5`, `9.30`, `0900`, `9`.
fn signs(text: &str) -> Result<(u32, i64, bool), String> {
    if text.contains(':') {
        let mut parts = text.split(':').map(str::trim);
        let (hour, minute) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let second_us = parts.next().map_or(Ok(0), second_us)?;
        if parts.next().is_some() {
            return Err(EXPECTED.to_owned());
        }
        return Ok((hour_number(hour)?, two(minute, MINUTE_US)? + second_us, false));
    }
    if let Some((hour, minute)) = text.split_once('.') {
        if is_digits(hour) && is_digits(minute) && minute.len() == 1 {
            return Err(format!("could be {hour}:0{minute} or {hour}:{minute}0: write minutes as two digits"));
        }
        return Ok((hour_number(hour)?, two(minute, MINUTE_US)?, false));
    }
    let split = match text.len() {
        3 | 4 => text.split_at_checked(text.len() - 2),
        1 | 2 => return hour_number(text).map(|hour| (hour, 0, true)),
        _ => None,
    };
    let (hour, minute) = split.filter(|_| is_digits(text)).ok_or_else(|| EXPECTED.to_owned())?;
    Ok((hour_number(hour)?, two(minute, MINUTE_US)?, false))
}

fn hour_number(text: &str) -> Result<u32, String> {
    digits(text).filter(|_| text.len() <= 2).ok_or_else(|| EXPECTED.to_owned())
}

/// Two digits below 60, in microseconds.
fn two(text: &str, unit_us: i64) -> Result<i64, String> {
    if unit_us == SECOND_US && text == "60" {
        return Err(LEAP.to_owned());
    }
    let number = digits(text).filter(|number| text.len() == 2 && *number < 60);
    number.map(|number| i64::from(number) * unit_us).ok_or_else(|| {
        if is_digits(text) { format!("{text:?}: expected two digits below 60") } else { EXPECTED.to_owned() }
    })
}

/// `30`, `30.5`, `30,5`: what is smaller than a microsecond hasn't passed.
fn second_us(text: &str) -> Result<i64, String> {
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    if !is_digits(part) {
        return Err(EXPECTED.to_owned());
    }
    let padded = format!("{part:0<6}");
    let part_us = padded.get(..6).and_then(digits).ok_or_else(|| EXPECTED.to_owned())?;
    Ok(two(whole, SECOND_US)? + i64::from(part_us))
}

/// `9点`, `9点半`, `9点30分`, `9点一刻`, `九点零五分`, `9时30分15秒`, `9点整`, `9点钟`.
fn chinese(text: &str) -> Result<(u32, i64), String> {
    let expected = || EXPECTED.to_owned();
    let (hour, rest) = text.split_once(HOUR_SIGNS).ok_or_else(expected)?;
    let hour = numeral(hour.trim()).filter(|hour| *hour <= 24).ok_or_else(expected)?;
    let rest = rest.trim();
    let rest = ["钟", "鐘", "整"].iter().find_map(|word| rest.strip_suffix(word)).unwrap_or(rest);
    let minutes = |count: i64| Ok((hour, count * MINUTE_US));
    match rest {
        "" => return minutes(0),
        "半" => return minutes(30),
        "一刻" | "1刻" => return minutes(15),
        "三刻" | "3刻" => return minutes(45),
        _ => {}
    }
    let (minute, rest) = split_run(rest, |character| !"分分분".contains(character));
    let is_marked = !rest.is_empty();
    let minute = minute.trim();
    // Without its unit a single digit may have lost a zero.
    let is_clear = is_marked || minute.chars().count() >= 2 || minute == "十";
    let minute = numeral(minute).filter(|minute| is_clear && *minute < 60).ok_or_else(expected)?;
    let second = rest.strip_prefix(['分', '분']).unwrap_or(rest).trim();
    let second = second.strip_suffix(['秒', '초']).unwrap_or(second).trim();
    let second = if second.is_empty() { 0 } else { numeral(second).ok_or_else(expected)? };
    if second >= 60 {
        return Err(if second == 60 { LEAP.to_owned() } else { expected() });
    }
    Ok((hour, i64::from(minute) * MINUTE_US + i64::from(second) * SECOND_US))
}
