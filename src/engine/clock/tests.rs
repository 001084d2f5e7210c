#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use super::*;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;
/// When the newest entry was recorded, and when the clock of an open ledger was started.
const START: i64 = 1_700_000_000_000;

/// Two clocks that say what they are told to.
#[derive(Clone, Default)]
struct Scripted {
    wall: Arc<AtomicI64>,
    steady: Arc<AtomicI64>,
}

impl TimeSource for Scripted {
    fn wall(&self) -> Millis {
        Millis(self.wall.load(Ordering::Relaxed))
    }
    fn steady(&self) -> Duration {
        Duration::from_millis(self.steady.load(Ordering::Relaxed).unsigned_abs())
    }
}

impl Scripted {
    fn at(wall: i64) -> Self {
        let source = Self::default();
        source.wall.store(wall, Ordering::Relaxed);
        source
    }

    /// Time goes on, and the wall clock is set by so much on the way.
    fn pass(&self, time: i64, set: i64) {
        self.steady.fetch_add(time, Ordering::Relaxed);
        self.wall.fetch_add(time + set, Ordering::Relaxed);
    }
}

fn start(offset: i64, accepted: Option<i64>) -> Result<Clock, ClockImplausible> {
    Clock::start(Box::new(Scripted::at(START + offset)), Some(Millis(START)), accepted.map(Millis))
}

/// A span in one unit, with its sign.
fn span(ms: i64) -> String {
    let units = [(YEAR, "year"), (DAY, "day"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")];
    let (unit, name) = units.into_iter().find(|(unit, _)| ms % unit == 0).unwrap();
    let (number, sign) = ((ms / unit).abs(), if ms < 0 { "−" } else { "+" });
    let plural = if number != 1 && ["day", "year"].contains(&name) { "s" } else { "" };
    if ms == 0 { "0".to_owned() } else { format!("{sign}{number} {name}{plural}") }
}

/// What a stamp is, seen from the clock and from the newest entry.
fn stamped(stamp: Millis, wall: i64, newest: i64) -> String {
    match stamp.0 {
        stamp if stamp == wall => "the clock's time".to_owned(),
        stamp => {
            assert_eq!(stamp, newest, "the clock says {wall}");
            "the newest entry's time".to_owned()
        }
    }
}

/// The first table of the page: clocks of every size and sign at a start.
fn starts() -> String {
    let offsets = [
        -50 * YEAR,
        -YEAR,
        -DAY,
        -HOUR,
        -11 * MINUTE,
        -10 * MINUTE,
        -MINUTE,
        0,
        MINUTE,
        HOUR,
        DAY,
        4 * DAY,
        7 * DAY,
        8 * DAY,
        80 * DAY,
        YEAR,
        75 * YEAR,
    ];
    let mut table =
        "| the clock, from the newest entry | a start | the next entry is stamped | with `--accept-clock` |\n\
                     |---|---|---|---|\n"
            .to_owned();
    for offset in offsets {
        let wall = START + offset;
        let stamp = |clock: Clock| stamped(clock.stamp().unwrap(), wall, START);
        let (is, next) = start(offset, None).map_or(("refused", "–".to_owned()), |clock| ("believed", stamp(clock)));
        let vouched = stamp(start(offset, Some(wall)).unwrap());
        writeln!(table, "| {} | {is} | {next} | {vouched} |", span(offset)).unwrap();
    }
    table
}

/// How a ledger that is up takes what happens to its clock, an entry after each step: how many were stamped before one was
/// refused, and what their stamps were.
fn taken(steps: impl IntoIterator<Item = (i64, i64)>) -> String {
    let source = Scripted::at(START);
    let clock = Clock::start(Box::new(source.clone()), None, None).unwrap();
    let (mut newest, mut kept, mut count) = (START, 0, 0);
    for (time, set) in steps {
        source.pass(time, set);
        let wall = source.wall().0;
        let Ok(stamp) = clock.stamp() else {
            return match count {
                0 => "refused".to_owned(),
                count => format!("refused after {count}"),
            };
        };
        assert!(stamp.0 >= newest, "recorded time went back");
        kept += usize::from(stamped(stamp, wall, newest) != "the clock's time");
        (newest, count) = (stamp.0, count + 1);
    }
    match kept {
        0 => "the clock's time".to_owned(),
        kept if kept == count => "the newest entry's time".to_owned(),
        _ => "the clock's time; where it went back, the newest entry's".to_owned(),
    }
}

/// The second table: the same while a ledger is up.
fn serving() -> String {
    let mut table =
        "| what happens to the clock while the ledger is up | entries are stamped |\n|---|---|\n".to_owned();
    let mut row = |what: &str, result: String| writeln!(table, "| {what} | {result} |").unwrap();
    for size in [SECOND, MINUTE, 9 * MINUTE, 10 * MINUTE, 11 * MINUTE, HOUR, DAY, YEAR, 75 * YEAR] {
        row(&format!("set once, by {}", span(size)), taken([(0, size)]));
    }
    for size in [-SECOND, -MINUTE, -9 * MINUTE, -10 * MINUTE, -11 * MINUTE, -HOUR, -DAY, -YEAR] {
        row(&format!("set once, by {}", span(size)), taken([(0, size)]));
    }
    let every = |number: usize, time, set| std::iter::repeat_n((time, set), number);
    row("+9 min, again and again", taken(every(9, MINUTE, 9 * MINUTE)));
    row("−9 min, again and again", taken(every(9, MINUTE, -9 * MINUTE)));
    row("+1 min every minute", taken(every(99, MINUTE, MINUTE)));
    row("−1 min every minute", taken(every(99, MINUTE, -MINUTE)));
    row(
        "+9 min and −9 min in turn, all day",
        taken(every(99, MINUTE, 9 * MINUTE).flat_map(|up| [up, (MINUTE, -up.1)])),
    );
    row("set right by +30 s every day, for three years", taken(every(3 * 365, DAY, 30 * SECOND)));
    row("set right by −30 s every day, for three years", taken(every(3 * 365, DAY, -30 * SECOND)));
    row("set right by +5 min every 10 days, for three years", taken(every(100, 10 * DAY, 5 * MINUTE)));
    row("gains 1 min a day", taken(every(365, DAY, MINUTE)));
    row("gains 1 s a minute", taken(every(9_999, MINUTE, SECOND)));
    row("stands still, an entry a minute", taken(every(99, MINUTE, -MINUTE)));
    row("the machine sleeps for 3 days", taken([(3 * DAY, 0)]));
    row("nobody records for a year", taken([(YEAR, 0)]));
    table
}

#[test]
fn every_clock_is_taken_as_the_page_for_administrators_says() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/administration.md")).unwrap();
    for table in [starts(), serving()] {
        assert!(page.contains(&table), "docs/administration.md should have, and hasn't:\n{table}");
    }
}

#[test]
fn a_jump_stops_and_time_that_really_passed_does_not() {
    let source = Scripted::at(START);
    let clock = Clock::start(Box::new(source.clone()), None, None).unwrap();
    source.pass(0, HOUR);
    assert!(clock.stamp().is_err());
    source.steady.store(HOUR, Ordering::Relaxed);
    assert_eq!(clock.stamp(), Ok(Millis(START + HOUR)), "what is right again is believed again");
}

#[test]
fn many_small_steps_are_not_more_than_a_large_one() {
    let source = Scripted::at(START);
    let clock = Clock::start(Box::new(source.clone()), None, None).unwrap();
    let believed = (0..6).take_while(|_| {
        source.pass(MINUTE, 9 * MINUTE);
        clock.stamp().is_ok()
    });
    assert_eq!(believed.count(), 1, "six steps of 9 minutes are 54");
    source.wall.store(START + source.steady.load(Ordering::Relaxed), Ordering::Relaxed);
    assert!(clock.stamp().is_ok(), "the right time is never what is refused");
}

#[test]
fn whoever_only_reads_the_time_changes_nothing_of_what_is_believed() {
    let source = Scripted::at(START);
    let (looked_at, left) = (Box::new(source.clone()), Box::new(source.clone()));
    let (looked_at, left) = (Clock::start(looked_at, None, None).unwrap(), Clock::start(left, None, None).unwrap());
    for _ in 0..10 {
        source.pass(DAY, MINUTE);
        let _seen = looked_at.now();
    }
    source.pass(0, 9 * MINUTE);
    assert_eq!(looked_at.stamp(), left.stamp());
}

#[test]
fn a_clock_put_right_is_taken_on_the_operators_word_and_stamps_wait_for_it() {
    // It was 80 days ahead when the newest entry was recorded.
    assert!(start(-80 * DAY, None).is_err());
    assert!(start(-80 * DAY, Some(START)).is_err(), "another time than the clock says");
    let source = Scripted::at(START - 80 * DAY);
    let clock = Clock::start(Box::new(source.clone()), Some(Millis(START)), Some(Millis(START - 80 * DAY))).unwrap();
    for _ in 0..80 {
        assert_eq!(clock.stamp(), Ok(Millis(START)));
        source.pass(DAY, 0);
    }
    source.pass(SECOND, 0);
    assert_eq!(clock.stamp(), Ok(Millis(START + SECOND)));
}

#[test]
fn what_is_refused_is_said_in_days_and_hours_with_the_command() {
    let check = |offset: i64, words: &str| {
        let error = start(offset, None).unwrap_err().to_string();
        let clock = timestamp(Millis(START + offset));
        assert!(error.contains(words) && error.contains(&format!("--accept-clock {clock}`")), "{error}");
    };
    check(80 * DAY + 3 * HOUR, "80 days 3 h ahead of what the ledger goes by, 2023-11-14T22:13:20Z.");
    check(-DAY - HOUR, "1 day 1 h behind what");
    check(-HOUR - MINUTE, "1 h 1 min behind what");
    check(-11 * MINUTE, "11 min behind what");
}

/// Where a log is written to that a test reads.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_change_of_belief_is_told_once() {
    let (lines, source) = (Lines::default(), Scripted::at(START));
    let clock = Clock::start(Box::new(source.clone()), None, None).unwrap();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        for set in [0, HOUR, 0, 0, -HOUR, 0, -DAY, 0, DAY] {
            source.pass(SECOND, set);
            let (_read, _stamped) = (clock.now(), clock.stamp());
        }
    });
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let told: Vec<&str> = log.lines().filter_map(|line| line.split("clock: ").nth(1)).collect();
    assert_eq!(told.len(), 4, "{log}");
    for (number, line) in told.into_iter().enumerate() {
        let words = ["nothing is recorded until", "is believed again"][number % 2];
        assert!(line.contains(words), "{log}");
    }
}

#[test]
fn the_machines_steady_clock_goes_on() {
    let source = SystemTimeSource;
    let (wall, steady) = (source.wall(), source.steady());
    std::thread::sleep(Duration::from_millis(2));
    assert!(source.steady() > steady && source.wall().0 > wall.0 && steady > Duration::ZERO);
}
