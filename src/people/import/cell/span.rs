//! Start and end in one cell: `14:00-16:30`, `上午8:00-9:00`, `2-4pm`, `2026-03-05 14:00-16:30 +08:00`.

#[cfg(test)]
mod tests;

use super::{
    clock::{Period, Spoken, Told},
    date::DateForm,
    local::{Clock, Place},
    moment::{Forms, MomentParts, Said, is_telling, parts},
    offset::abbreviation,
    scan::{quoted, value},
};

const EXPECTED: &str = "expected a start and an end as 14:00-16:30, 9点-11点半 or 2026-03-05 14:00-16:30";
/// What may stand between start and end; words stand between blanks.
const DASHES: [&str; 17] = ["-", "--", "–", "—", "——", "‒", "−", "~", "～", "〜", "∼", "→", "->", "至", "到", "/", "―"];
const WORDS: [&str; 7] = [" to ", " till ", " until ", " bis ", " à ", " a ", " do "];
/// What says that an end is on the day after its start.
const NEXT_DAY: [&str; 9] = ["次日", "翌日", "第二天", "隔天", "隔日", "明天", "next day ", "(次日)", "(翌日)"];
const NEXT_DAY_BEHIND: [&str; 5] = ["(次日)", "(翌日)", "(+1)", "+1d", " next day"];
/// What may stand in front of a span.
const STARTS: [&str; 6] = ["from ", "von ", "de ", "od ", "从", "自"];
/// Where one span ends and another begins.
const BETWEEN: [char; 10] = [',', '/', ';', '、', '。', '&', '+', '和', '及', ' '];
/// Places to look at for a dash, or the end of a first span: more are in no cell that holds one.
const PLACES_MAX: usize = 24;
/// Furthest that a span reaches into a cell with something else behind it.
const SPAN_CHARS_MAX: usize = 80;

/// Start and end as a cell says them.
///
/// What one side alone has of 上午, 下午, AM and PM counts for the other too, where the span then goes forward: `2-4pm` is
/// 14:00 to 16:00, and `10:00-2:00pm` begins at 10:00. An end without a date has none in the result, even if it is
/// earlier than the start; a place that one side names is the place of both.
///
/// # Errors
/// It says no span, or several, or something else beside one; or it may be a moment with an offset, as
/// `2026-03-05T14:00-05:00`.
pub(crate) fn span(text: &str, date_forms: &[DateForm], time_forms: &[String]) -> Result<(Said, Said), String> {
    let text = value(text).map_err(|problem| format!("{problem}: {EXPECTED}"))?;
    let forms = Forms { date: date_forms, time: time_forms, is_behind_dash: false };
    let whole = single(&text, forms);
    let read = whole.unwrap_or_else(|| Err(refusal(&text, forms)));
    read.map_err(|problem| format!("{}: {problem}", quoted(&text)))
}

/// The one span that a text is: `None` where no dash has a time on both sides.
fn single(text: &str, forms: Forms<'_>) -> Option<Result<(Said, Said), String>> {
    let bare = STARTS.iter().find_map(|start| text.strip_prefix(start)).unwrap_or(text);
    let bare = bare.strip_suffix('止').unwrap_or(bare).trim();
    let mut found = None;
    let mut problem = None;
    for (before, behind) in sides(bare) {
        let Ok(start) = parts(before, forms) else { continue };
        let (behind, is_on_next_day) = next_day(behind);
        let Ok(end) = parts(behind, Forms { is_behind_dash: true, ..forms }) else { continue };
        match resolved(&start, &end) {
            Ok((from, to)) if is_on_next_day && (to.date.is_some() || to.clock >= from.clock) => {
                problem =
                    problem.or(Some("the end is on the next day, and not earlier on it than the start".to_owned()));
            }
            Ok(span) => match &found {
                Some(other) if *other != span => return Some(Err("could be several spans".to_owned())),
                Some(_) | None => found = Some(span),
            },
            Err(wrong) => problem = problem.or(Some(wrong)),
        }
    }
    let Some(span) = found else { return problem.map(Err) };
    if let Ok(MomentParts { date: Some(_), place: Place::Fixed(_), .. }) = parts(bare, forms) {
        let problem = "could be a span, or one moment with its offset: write \"to\" in place of the dash for the \
        span, or \
                       name the column as start";
        return Some(Err(problem.to_owned()));
    }
    Some(Ok(span))
}

/// The end of a span without what says that it is on the day after its start, and whether it says so.
fn next_day(behind: &str) -> (&str, bool) {
    let bare = behind.trim();
    let front = NEXT_DAY.iter().find_map(|word| bare.strip_prefix(word));
    let rest = front.or_else(|| NEXT_DAY_BEHIND.iter().find_map(|word| bare.strip_suffix(word)));
    rest.map_or((behind, false), |rest| (rest.trim(), true))
}

/// Both sides with what each has from the other.
fn resolved(start: &MomentParts, end: &MomentParts) -> Result<(Said, Said), String> {
    let is_one_day = end.date.is_none() || end.date == start.date;
    let (start_clock, end_clock) = match (start.told, end.told) {
        (Told::Spoken(start), Told::Spoken(end)) if is_one_day => spoken(start, end)?,
        (start, end) => (alone(start)?, alone(end)?),
    };
    let or = |place: &Place, other: &Place| if *place == Place::Unstated { other.clone() } else { place.clone() };
    let said = |parts: &MomentParts, clock, other: &MomentParts| Said {
        date: parts.date,
        clock,
        place: or(&parts.place, &other.place),
    };
    Ok((said(start, start_clock, end), said(end, end_clock, start)))
}

fn alone(told: Told) -> Result<Clock, String> {
    match told {
        Told::Clock(clock) => Ok(clock),
        Told::Spoken(spoken) if spoken.is_bare => {
            Err(format!("hours alone could be a date, or in either half of the day: {EXPECTED}"))
        }
        Told::Spoken(spoken) => spoken.clock(),
    }
}

/// Clock times of one day, of which one may have its half of the day from the other.
fn spoken(start: Spoken, end: Spoken) -> Result<(Clock, Clock), String> {
    let unclear = || "the half of the day is said of one side only: write it on both, or hours of 24".to_owned();
    // 9-11点, where the sign is of both.
    let start = if start.is_bare && end.is_named { start.named() } else { start };
    match (start.period, end.period) {
        (Some(period), None) => {
            let begins = start.clock()?;
            let later = |clock: &Clock| *clock > begins;
            let inherited = end.within(period).clock().ok().filter(later);
            let own = end.clock().ok().filter(later);
            Ok((begins, one_of(inherited, own).ok_or_else(unclear)?))
        }
        (None, Some(period)) => {
            let ends = end.clock()?;
            let earlier = |clock: &Clock| *clock < ends;
            let inherited = start.within(period).clock().ok().filter(earlier);
            let own = start.clock().ok().filter(earlier);
            // Behind a span, `pm` is said of both where it can be; in front of its end, 下午 may be of that alone.
            let is_of_both = matches!(period, Period::Am | Period::Pm) && inherited.is_some();
            let begins = if is_of_both { inherited } else { one_of(inherited, own) };
            Ok((begins.ok_or_else(unclear)?, ends))
        }
        (None, None) | (Some(_), Some(_)) => Ok((alone(Told::Spoken(start))?, alone(Told::Spoken(end))?)),
    }
}

/// What two readings come to, where that is one time.
fn one_of(first: Option<Clock>, second: Option<Clock>) -> Option<Clock> {
    match (first, second) {
        (Some(first), Some(second)) if first != second => None,
        (first, second) => first.or(second),
    }
}

/// The text on both sides of everything that may be a span's dash.
fn sides(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let signs = DASHES.iter().chain(WORDS.iter());
    let places = signs.flat_map(move |sign| text.match_indices(sign).take(PLACES_MAX));
    places.filter_map(move |(at, sign)| {
        let (before, behind) = (text.get(..at)?.trim(), text.get(at + sign.len()..)?.trim());
        // Of a row of dashes, the whole row; a slash only between moments of ISO 8601.
        let is_part = before.ends_with(['-', '—']) || behind.starts_with(['-', '—', '>']) && sign != "->";
        let is_slash = sign == "/" && !(before.contains('T') && before.contains(':'));
        (!is_part && !is_slash && !before.is_empty() && !behind.is_empty()).then_some((before, behind))
    })
}

/// What a text is instead of one span.
fn refusal(text: &str, forms: Forms<'_>) -> String {
    let is_span = |text: &str| matches!(single(text.trim(), forms), Some(Ok(_)));
    let count =
        |signs: &[char]| text.split(|sign| signs.contains(&sign)).take(PLACES_MAX).filter(|part| is_span(part)).count();
    let signs = BETWEEN.iter().copied().filter(|sign| *sign != ' ').collect::<Vec<char>>();
    let is_two = || {
        text.match_indices(BETWEEN).take(PLACES_MAX).any(|(at, sign)| {
            let (before, behind) =
                (text.get(..at).unwrap_or_default(), text.get(at + sign.len()..).unwrap_or_default());
            is_span(before) && is_span(behind)
        })
    };
    if count(&signs) > 1 || count(&BETWEEN) > 1 || is_two() {
        return "two spans in one cell; give each a row".to_owned();
    }
    let parted = edges(text).filter_map(|at| text.split_at_checked(at)).collect::<Vec<(&str, &str)>>();
    if let Some(problem) = abbreviation(text) {
        return problem;
    }
    if let Some((span, rest)) = parted.iter().rev().find(|(before, _)| is_span(before)) {
        return beside("behind", span, rest);
    }
    if let Some(problem) = problem_of_start(text, forms) {
        return problem;
    }
    if let Some((rest, span)) = parted.iter().find(|(_, behind)| is_span(behind)) {
        return beside("in front of", span, rest);
    }
    if parts(text, forms).is_ok() {
        return format!("one time, without an end: {EXPECTED}");
    }
    EXPECTED.to_owned()
}

/// Why what stands in front of a dash is no start, where that can be told: its date may be two.
fn problem_of_start(text: &str, forms: Forms<'_>) -> Option<String> {
    let is_end = |text: &str| match parts(text, forms) {
        Ok(parts) => !matches!(parts.told, Told::Spoken(spoken) if spoken.is_bare),
        Err(_problem) => false,
    };
    let telling = |before: &str| parts(before, forms).err().filter(|problem| is_telling(problem));
    sides(text).filter(|(_, behind)| is_end(behind)).find_map(|(before, _)| telling(before))
}

fn beside(side: &str, span: &str, rest: &str) -> String {
    format!("{side} the span {} stands {}: give it a column of its own", quoted(span.trim()), quoted(rest.trim()))
}

/// Where a span may end beside something else: between characters of two kinds, and at every one that isn't ASCII.
fn edges(text: &str) -> impl Iterator<Item = usize> {
    let kind = |character: char| (character.is_ascii_digit(), character.is_alphabetic(), character == ' ');
    let mut before = None;
    let edges = text.char_indices().take(SPAN_CHARS_MAX).filter_map(move |(at, character)| {
        let is_edge = before.is_some_and(|before| kind(before) != kind(character)) || !character.is_ascii();
        before = Some(character);
        (is_edge && at > 0).then_some(at)
    });
    edges.take(2 * PLACES_MAX)
}
