//! What commands print: tables for eyes, JSON for machines, and errors that say what to do.

mod failure;

use std::{
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::json;
use unicode_linebreak::{BreakOpportunity, linebreaks};

pub(crate) use self::failure::{ERROR_DOMAIN, Failure, Refused, error_json, nothing_recorded, refused, usage};
use self::failure::{ending, in_full};
use super::{
    language::{language, said},
    zone,
};
use crate::ledger::{Minutes, Text};

/// A sentence with its times of UTC as the reader's: neither a server nor the rules know where its reader is. What stands in
/// a command to be pasted stays as it is.
pub(crate) fn in_local_time(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let bare = word.trim_end().trim_end_matches(['.', ',', ';', ':', ')']).trim_start_matches('(');
        let time = bare.parse::<jiff::Timestamp>().ok().filter(|_| bare.ends_with('Z'));
        time.map_or_else(|| word.to_owned(), |time| word.replace(bare, &zone::local(time.as_millisecond())))
    });
    words.collect()
}

/// Text for people, without what a terminal would obey instead of showing it: control characters but the end of a line, and
/// what turns the direction of text (Unicode's explicit directional formatting characters). Files and servers may hold any.
pub(crate) fn visible(text: &str) -> String {
    let is_obeyed = |letter: char| {
        (letter.is_control() && letter != '\n') || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(is_obeyed, "\u{fffd}")
}

/// A file name as a POSIX shell takes it back, an option's sign at its beginning included.
pub(crate) fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = if path.starts_with('-') { format!("./{path}") } else { path.into_owned() };
    quoted_text(&path)
}

/// A word as a POSIX shell takes it back.
pub(crate) fn quoted_text(text: &str) -> String {
    // No shell takes a NUL, and no file name has one.
    shlex::try_quote(text).map_or_else(|_nul| text.to_owned(), std::borrow::Cow::into_owned)
}

/// A file that is there is overwritten only where somebody asked for it.
pub(crate) fn refuse_overwrite(out: &Path, force: bool) -> anyhow::Result<()> {
    if force || !out.exists() {
        return Ok(());
    }
    Err(usage(format!("{} exists: choose another name, or overwrite it with --force", out.display())))
}

/// Whether errors are printed as JSON: set once, from the arguments.
static JSON: AtomicBool = AtomicBool::new(false);

/// From now on errors are JSON.
pub(crate) fn errors_as_json() {
    JSON.store(true, Ordering::Relaxed);
}

/// Prints an error and gives its exit code.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    let (_, code) = ending(error);
    if error.downcast_ref::<ReaderGone>().is_some() {
        return ExitCode::SUCCESS;
    }
    if JSON.load(Ordering::Relaxed) {
        on_stderr(&json!({ "error": error_json(error) }).to_string());
    } else {
        let (on, off) = if colours(&std::io::stderr()) { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
        on_stderr(&format!("{on}error:{off} {}", visible(&in_local_time(&in_full(error)))));
    }
    ExitCode::from(code)
}

/// Arguments that can't be read; help and version come this way too.
pub(crate) fn not_parsed(error: &clap::Error) -> ExitCode {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    let message = error.render().to_string();
    if code == 0 || !JSON.load(Ordering::Relaxed) {
        let shown = visible(&message);
        if shown == message {
            // A reader that went away has had enough.
            let _unwritable = error.print();
        } else {
            on_stderr(shown.trim_end());
        }
    } else {
        let value = json!({ "outcome": "usage", "exit_code": code, "message": message.trim_end() });
        on_stderr(&json!({ "error": value }).to_string());
    }
    ExitCode::from(code)
}

/// Whether colours are for eyes here: a terminal, whose owner doesn't object.
pub(crate) fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Where not even this can be written, the exit code is what is left.
fn on_stderr(text: &str) {
    let _unwritable = writeln!(std::io::stderr().lock(), "{text}");
}

/// Something that concerns the reader and changes no outcome.
pub(crate) fn note(text: &str) {
    if JSON.load(Ordering::Relaxed) {
        on_stderr(&json!({ "note": text }).to_string());
    } else {
        on_stderr(&format!("note: {}", visible(text)));
    }
}

/// The reader of the standard output went away: the end of a command that only prints.
#[derive(Debug, thiserror::Error)]
#[error("the reader of the standard output went away")]
pub(crate) struct ReaderGone;

/// Completes when the reader of a pipe that is the standard output went away; never where it is no pipe.
pub(crate) async fn reader_gone() -> ReaderGone {
    // Nothing is waited for but errors and the other end's going, which are always told.
    let wait = || {
        let stdout = std::io::stdout();
        poll(&mut [PollFd::new(&stdout, PollFlags::empty())], None)
    };
    match tokio::task::spawn_blocking(wait).await {
        Ok(Ok(1..)) => ReaderGone,
        // What can't be watched can't go away either.
        Ok(Ok(0) | Err(_)) | Err(_) => std::future::pending().await,
    }
}

fn print(text: &str) -> std::io::Result<()> {
    // At once: whoever reads only the first lines (`| head`) has had all of it.
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{text}\n").as_bytes()).and_then(|()| stdout.flush())
}

/// Prints a line of what was asked for. A reader that went away (`timebank watch | head`) ends the command quietly.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    print(text).map_err(|error| {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return ReaderGone.into();
        }
        usage(format!("the answer can't be written to the standard output: {error}"))
    })
}

/// Prints what was asked for, as JSON or as `human` makes it.
pub(crate) fn emit(json: bool, value: &serde_json::Value, human: impl FnOnce() -> String) -> anyhow::Result<()> {
    if json { line(&value.to_string()) } else { line(&visible(&human())) }
}

/// Tells what was done or found. That stands whether it can be printed or not: where the standard output takes
/// nothing, it is told on the other stream, and the exit code is that of the outcome.
pub(crate) fn tell(json: bool, value: &serde_json::Value, human: impl FnOnce() -> String) {
    let text = if json { value.to_string() } else { visible(&human()) };
    if let Err(error) = print(&text) {
        note(&format!("the standard output takes nothing ({error}), so it is told here"));
        on_stderr(&text);
    }
}

/// Longest word that is kept whole in a table: `community-pool` and an id in brackets are. Longer ones leave no room for others.
const WORD_MAX: u16 = 14;
/// A line of so many columns is kept whole like a word: a state in Chinese, a short date.
const LINE_WHOLE_MAX: u16 = 10;
/// Columns of the narrowest terminal in use: what is wider is wrapped within its cell.
const TABLE_WIDTH: u16 = 80;

/// A table; columns named in `right` are numbers.
pub(crate) fn table(header: &[Text], right: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let header: Vec<String> = header.iter().map(|head| head.get(language()).to_owned()).collect();
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.iter().map(|cell| visible(cell)).collect()).collect();
    let widths = widths(&header, right, &rows);
    let fitted = |row: Vec<String>| row.into_iter().zip(&widths).map(|(cell, width)| fitted(&cell, *width));
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(fitted(header));
    for row in rows {
        table.add_row(fitted(row));
    }
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// Columns that each cell of a column may take, without the spaces around it: what its short words need; where there is room,
/// amounts on one line, and then longer words whole; and of what is left the column gets most whose text is longest.
fn widths(header: &[String], right: &[usize], rows: &[Vec<String>]) -> Vec<u16> {
    let cells =
        |column: usize| header.get(column).into_iter().chain(rows.iter().filter_map(move |row| row.get(column)));
    let longest_line = |cell: &String| cell.lines().map(columns).max().unwrap_or(0);
    let whole: Vec<u16> = (0..header.len()).map(|column| cells(column).map(longest_line).max().unwrap_or(0)).collect();
    let amount_word = |cell: &str| cell.split_whitespace().map(columns).max().unwrap_or(0);
    let longest = |column| {
        let words =
            cells(column).map(|cell| if right.contains(&column) { amount_word(cell) } else { longest_word(cell) });
        words.max().unwrap_or(0).min(WORD_MAX)
    };
    let words: Vec<u16> = (0..header.len()).map(longest).collect();
    let mut widths: Vec<u16> = words.iter().map(|word| *word.min(&LINE_WHOLE_MAX)).collect();
    // A space on both sides, and a border around each column.
    let room = TABLE_WIDTH.saturating_sub(u16::try_from(header.len() * 3 + 1).unwrap_or(u16::MAX));
    // A word, an id say, is only broken where there is no room for all of them: then the longest.
    while widths.iter().sum::<u16>() > room
        && let Some(longest) = widths.iter_mut().max()
    {
        *longest -= 1;
    }
    let mut wishes: Vec<(bool, u16, usize)> = (0..header.len())
        .map(|column| {
            let is_text = !right.contains(&column);
            let wanted = if is_text { words[column] } else { whole[column] };
            (is_text, wanted.saturating_sub(widths[column]), column)
        })
        .collect();
    // Amounts first, and of each kind those that want least.
    wishes.sort_unstable();
    for (_, more, column) in wishes {
        if widths.iter().sum::<u16>() + more <= room {
            widths[column] += more;
        }
    }
    for _ in widths.iter().sum::<u16>()..room {
        let short = widths.iter_mut().zip(&whole).filter(|(width, whole)| **width < **whole);
        let Some((width, _)) =
            short.max_by_key(|(width, whole)| u32::from(**whole) * 1_000 / u32::from(**width).max(1))
        else {
            break;
        };
        *width += 1;
    }
    widths
}

/// What isn't broken: words between spaces, an id with hyphens too, and of what is written without spaces each letter with
/// its marks (UAX 14).
fn unbroken(cell: &str) -> impl Iterator<Item = (&str, BreakOpportunity)> {
    let mut begun = 0;
    linebreaks(cell).filter_map(move |(end, opportunity)| {
        let (part, rest) = (cell.get(begun..end)?, cell.get(end..)?);
        let hyphened = part.ends_with(|letter: char| letter.is_ascii_punctuation())
            && rest.starts_with(|letter: char| letter.is_ascii());
        if hyphened && opportunity == BreakOpportunity::Allowed {
            return None;
        }
        begun = end;
        Some((part, opportunity))
    })
}

/// Columns of the longest word, as far as it is kept whole. A short line counts as one.
fn longest_word(cell: &str) -> u16 {
    let lines = cell.lines().map(columns).max().unwrap_or(0);
    if lines <= LINE_WHOLE_MAX {
        return lines;
    }
    unbroken(cell).map(|(word, _)| columns(word.trim_end())).max().unwrap_or(0).clamp(LINE_WHOLE_MAX, WORD_MAX)
}

/// A cell in lines of at most so many columns. Only a word that is longer than that is broken anywhere.
fn fitted(cell: &str, width: u16) -> String {
    let (mut text, mut line) = (String::new(), String::new());
    let mut end = |line: &mut String| {
        text = format!("{text}{}\n", line.trim_end());
        line.clear();
    };
    for (part, opportunity) in unbroken(cell) {
        if !line.is_empty() && columns(&line).saturating_add(columns(part.trim_end())) > width {
            end(&mut line);
        }
        for letter in part.chars() {
            if !letter.is_whitespace()
                && !line.is_empty()
                && columns(&line).saturating_add(columns(letter.encode_utf8(&mut [0; 4]))) > width
            {
                end(&mut line);
            }
            line.push(letter);
        }
        if opportunity == BreakOpportunity::Mandatory {
            end(&mut line);
        }
    }
    text.trim_end().to_owned()
}

/// Columns that a text takes: twice as wide are Chinese and the like; of other scripts it is too much at most.
fn columns(text: &str) -> u16 {
    let widths = text.chars().map(|letter| if letter.is_ascii() { 1_u16 } else { 2 });
    widths.fold(0, u16::saturating_add)
}

/// Minutes within a sentence that is English in every language.
pub(crate) fn amount(minutes: i64) -> String {
    Minutes::new(minutes).to_string()
}

/// Minutes as people say them, in the reader's language.
pub(crate) fn hours(minutes: i64) -> String {
    said(&Minutes::new(minutes))
}

/// A time of the ledger as JSON has it: RFC 3339, UTC, with milliseconds. People read `zone::local`.
pub(crate) fn time(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms);
    time.map_or_else(|_| format!("{ms} ms"), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// Progress with rate, for whoever watches; with the time left where the end is known.
pub(crate) fn progress(length: Option<u64>, items: &str) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let template = match length {
        Some(_) => format!("{{bar:40}} {{pos}}/{{len}} {items}, {{per_sec}}, {{eta}} left"),
        None => format!("{{pos}} {items}, {{per_sec}}"),
    };
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_malformed| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(length, target).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::names::head;

    #[test]
    fn times_in_sentences_are_the_readers_and_commands_stay_as_they_are() {
        // No zone was chosen here, so that it is UTC, with its offset.
        let check = |text: &str, expected: &str| assert_eq!(in_local_time(text), expected);
        check(
            "it ran out at 2026-03-01T12:00:00.001Z. Place a new one",
            "it ran out at 2026-03-01 12:00:00 +00:00. Place a new one",
        );
        check("(until 2026-03-01T12:00:00Z)", "(until 2026-03-01 12:00:00 +00:00)");
        check("until 2026-03-01T12:00:00Z, now", "until 2026-03-01 12:00:00 +00:00, now");
        check(
            "start with `serve --accept-clock 2026-03-01T12:00:00Z`",
            "start with `serve --accept-clock 2026-03-01T12:00:00Z`",
        );
        check("record 5.0 of Z, 2026-03-01Z", "record 5.0 of Z, 2026-03-01Z");
        check("  two  spaces ", "  two  spaces ");
    }

    #[test]
    fn a_table_fits_a_terminal_and_breaks_no_word_that_fits() {
        let header = [
            head::ACCOUNT,
            head::NAME,
            head::KIND,
            head::STATION_OR_REGION,
            head::BALANCE,
            head::HELD,
            head::AVAILABLE,
        ];
        let row = |name: &str, place: &str| {
            let cells = ["6de536f8", name, "community-pool", place, "2 h 35 min", "1 h 05 min", "1 h 30 min"];
            cells.map(str::to_owned).to_vec()
        };
        let names = ["王芳", "leeds2023-volunteers-of-the-north", "a\u{1b}[31mb"];
        let places = ["南京市鼓楼区幸福社区志愿服务站第一分站 (6de536f8)", "S 1 (a49f2f2d)", ""];
        let rows = names.into_iter().zip(places).map(|(name, place)| row(name, place));
        let shown = table(&header, &[4, 5, 6], rows);
        let wide = |letter: char| if ('\u{2e80}'..='\u{9fff}').contains(&letter) { 2 } else { 1 };
        for line in shown.lines() {
            assert!(line.chars().map(wide).sum::<usize>() <= usize::from(TABLE_WIDTH), "{line}");
        }
        for whole in ["6de536f8", "(6de536f8)", "(a49f2f2d)", "available", "balance", "account", "station", "[31mb"] {
            assert!(shown.contains(whole), "{whole} is broken: {shown}");
        }
    }

    #[test]
    fn chinese_is_broken_between_its_letters_and_never_within_a_date_or_a_code() {
        let check = |cell: &str, width: u16, expected: &str| assert_eq!(fitted(cell, width), expected);
        check("服务所得：general，2026-11-27 (2 小时)", 12, "服务所得：\ngeneral，\n2026-11-27\n(2 小时)");
        check("由管理员付出", 8, "由管理员\n付出");
        check("earned: tele-help, 2026-11-27", 12, "earned:\ntele-help,\n2026-11-27");
        check("0123456789abcdef", 10, "0123456789\nabcdef");
        check("2026-10-27\n12:38", 20, "2026-10-27\n12:38");
        check("", 5, "");
    }

    #[test]
    fn nothing_that_is_shown_is_obeyed() {
        let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
        check("王\u{1b}[2J\t\u{202e}x\u{2066}\r\u{9b}", "王\u{fffd}[2J\u{fffd}\u{fffd}x\u{fffd}\u{fffd}\u{fffd}");
        check("two\nlines, عربي, e\u{301}", "two\nlines, عربي, e\u{301}");
    }

    #[test]
    fn file_names_in_commands_are_taken_back_by_a_shell() {
        let plain =
            ["evidence-6-6.pair", "/srv/www/1.pair", "a b", "it's", "证明 一.proof", "$HOME", "`id`", "a\"b", "*"];
        for name in plain {
            assert_eq!(shlex::split(&quoted(Path::new(name))), Some(vec![name.to_owned()]));
        }
        assert_eq!(quoted(Path::new("/srv/www/1.pair")), "/srv/www/1.pair", "nothing that needs none is quoted");
        assert_eq!(quoted(Path::new("-x y")), "'./-x y'", "no option");
        assert_eq!(quoted(Path::new("")), "''");
    }
}
