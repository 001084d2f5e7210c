//! The picture of the README: an hour on its way, with what the demo's ledger really holds of it. `UPDATE=1` draws it again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{collections::HashMap, fmt::Write as _, fs, path::Path};

use timebank::{
    engine::log,
    folder::demo::{self, DemoOptions},
    format::wire,
    ledger::{AccountId, Event, EventRef, LogIndex, Served, Service},
    people::directory::Accounts,
};

#[path = "support/server.rs"]
mod server;

use server::{Ledger, timebank};

/// Rows of the sheet that are shown.
const ROWS: usize = 4;
/// Width and height of a panel, and the gap to the next.
const PANEL: (usize, usize, usize) = (188, 190, 14);

/// What is told of one hour.
struct Hour {
    station: String,
    date: String,
    /// Volunteer, category and minutes of each row; the first one is the hour's.
    rows: Vec<(String, String, i64)>,
    rows_left: usize,
    author: String,
    index: u64,
    recorded: String,
    root: String,
    entries: u64,
    volunteer: String,
    before: i64,
    after: i64,
    /// When it was redeemed, for how long, and who helped.
    redeemed: (String, i64, String),
    proof: String,
}

/// An event with its place.
struct At<'a> {
    place: EventRef,
    event: &'a Event,
}

fn service(event: &Event) -> Option<&Service> {
    if let Event::ServiceRecorded(recorded) = event { Some(&recorded.service) } else { None }
}

fn minutes_of(service: &Service) -> i64 {
    service.credited.get()
}

/// Hours and minutes as both languages read them.
fn clock(minutes: i64) -> String {
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

fn local(ms: i64) -> jiff::civil::DateTime {
    let offset = jiff::tz::Offset::from_hours(8).unwrap();
    jiff::Timestamp::from_millisecond(ms).unwrap().to_zoned(offset.to_time_zone()).datetime()
}

/// The first hour that somebody earned with others who redeemed one with the last booking that was served.
fn find(events: &[At<'_>]) -> (EventRef, EventRef) {
    let settled = events.iter().rev().filter(|at| {
        matches!(at.event, Event::ServiceRecorded(recorded) if recorded.hold.is_some() && recorded.service.payer.is_some())
    });
    for at in settled {
        let payer = service(at.event).unwrap().payer.unwrap();
        let earned = events.iter().find(|earlier| {
            earlier.place.index < at.place.index
                && service(earlier.event).is_some_and(|service| {
                    service.volunteer == payer
                        && service.activity.is_some()
                        && matches!(service.served, Served::Interval { .. })
                })
        });
        if let Some(earned) = earned {
            return (earned.place, at.place);
        }
    }
    panic!("nobody redeemed an hour")
}

fn hour() -> Hour {
    let folder = tempfile::tempdir().unwrap();
    let last_day = jiff::civil::date(2026, 10, 31);
    let options = DemoOptions { folder: folder.path().to_owned(), seed: 1, last_day };
    let made = demo::make(&options, &timebank::engine::progress::Unwatched).unwrap();
    let names: HashMap<AccountId, String> = {
        let accounts = Accounts::open(&folder.path().join("directory"), &made.pin.genesis_leaf_hash).unwrap().unwrap();
        let bare = |outside: &str| outside.rsplit_once('/').unwrap().1.to_owned();
        accounts.each(usize::MAX).map(|found| (found.account, bare(&found.outside))).collect()
    };
    let entries = {
        let store = log::open(&folder.path().join("log")).unwrap();
        let mut entries = Vec::new();
        while entries.len() < usize::try_from(made.size).unwrap() {
            entries.extend(store.entries(entries.len() as u64, 4 << 20).unwrap());
        }
        entries
    };
    let decoded: Vec<Vec<Event>> = entries
        .iter()
        .map(|entry| entry.events.iter().map(|event| wire::decode_event(event).unwrap()).collect())
        .collect();
    let events: Vec<At<'_>> = (0..)
        .zip(&decoded)
        .flat_map(|(index, events)| {
            (0..)
                .zip(events)
                .map(move |(event, decoded)| At { place: EventRef { index: LogIndex(index), event }, event: decoded })
        })
        .collect();
    let (earned, redeemed) = find(&events);
    let at = |place: EventRef| {
        let index = usize::try_from(place.index.0).unwrap();
        (&entries[index], &decoded[index], service(&decoded[index][usize::from(place.event)]).unwrap())
    };
    let ((entry, sheet, shown), (later, _, spent)) = (at(earned), at(redeemed));
    let name = |account: AccountId| names[&account].clone();
    let row = |service: &Service| (name(service.volunteer), service.category.as_str().to_owned(), minutes_of(service));
    let others = sheet.iter().filter_map(service).filter(|service| service.volunteer != shown.volunteer);
    let mut rows = vec![row(shown)];
    rows.extend(others.map(row));
    let rows_left = rows.len().saturating_sub(ROWS);
    rows.truncate(ROWS);
    let Served::Interval { start, .. } = shown.served else { panic!("clock times are known") };
    let header = wire::decode_header(&entry.header).unwrap();
    let volunteer = name(shown.volunteer);

    let place = format!("{}.{}", earned.index.0, earned.event);
    let served = Ledger::on_old(folder);
    let balance = |index: u64| {
        let balance = served.json(&["balance", &volunteer, "--at-index", &index.to_string()]);
        balance["balance_minutes"].as_i64().unwrap()
    };
    let proof = served.folder.path().join("proof");
    let (proof, pin) = (proof.to_str().unwrap(), served.folder.path().join("ledger.pin"));
    served.json(&["prove", &place, "--out", proof]);
    let verified = timebank(&["verify", proof, "--pin", pin.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.status.success() && said.starts_with("Proved: "), "{said}");
    Hour {
        station: name(shown.station),
        date: local(start.0).date().to_string(),
        rows,
        rows_left,
        author: header.sheet.signers[0].to_string(),
        index: entry.index,
        recorded: local(entry.recorded_at_ms).strftime("%Y-%m-%d %H:%M").to_string(),
        root: hex::encode(made.root),
        entries: made.size,
        before: balance(entry.index - 1),
        after: balance(entry.index),
        volunteer,
        redeemed: (local(later.recorded_at_ms).date().to_string(), minutes_of(spent), name(spent.volunteer)),
        proof: place,
    }
}

/// The words of a language, in the order of the panels.
struct Words {
    titles: [&'static str; 6],
    label: &'static str,
    more: fn(usize) -> String,
    signed_by: &'static str,
    of_staff: &'static str,
    entry: &'static str,
    root: &'static str,
    credited: &'static str,
    booked: &'static str,
    helped: &'static str,
    proof_of: &'static str,
    verified: &'static str,
    offline: &'static str,
    foot: &'static str,
}

const ENGLISH: Words = Words {
    titles: ["A station's sheet", "Signed", "In the log", "Balance", "Redeemed", "Proved"],
    label: "An hour on its way: a station's sheet, signed, recorded in the log, a balance, redeemed, and its proof verified",
    more: |left| format!("and {left} more"),
    signed_by: "Ed25519, by key",
    of_staff: "the clerk's own",
    entry: "entry",
    root: "root over",
    credited: "credited to",
    booked: "booked and served",
    helped: "helped by",
    proof_of: "proof of",
    verified: "verified",
    offline: "offline, by anybody",
    foot: "Drawn from the ledger of `timebank demo`: nothing in it is real.",
};

const CHINESE: Words = Words {
    titles: ["服务站登记单", "签名", "写入日志", "余额", "兑换", "证明"],
    label: "一小时的经过：站点的登记单，签名，写入日志，余额，兑换，证明通过验证",
    more: |left| format!("另有 {left} 行"),
    signed_by: "Ed25519，密钥",
    of_staff: "由工作人员本人持有",
    entry: "条目",
    root: "根，条目总数",
    credited: "记入",
    booked: "预约并兑现",
    helped: "服务者",
    proof_of: "记录的证明",
    verified: "验证通过",
    offline: "离线，任何人都能验证",
    foot: "取自 `timebank demo` 生成的账本，其中没有任何真人真事。",
};

/// Lines of a panel: style and text.
type Lines = Vec<(&'static str, String)>;

fn panels(hour: &Hour, words: &Words) -> [Lines; 6] {
    let mut sheet: Lines = vec![("dim", format!("{} · {}", hour.station, hour.date))];
    for (number, (who, what, minutes)) in hour.rows.iter().enumerate() {
        let style = if number == 0 { "strong" } else { "row" };
        sheet.push((style, format!("{who}  {what}  {}", clock(*minutes))));
    }
    if hour.rows_left > 0 {
        sheet.push(("dim", (words.more)(hour.rows_left)));
    }
    let pieces = |text: &str| -> Lines {
        let halves = [&text[..16], &text[16..32]];
        halves.iter().map(|half| ("code", (*half).to_owned())).collect()
    };
    let key =
        [vec![("dim", words.signed_by.to_owned())], pieces(&hour.author), vec![("dim", words.of_staff.to_owned())]];
    let log = [
        vec![("strong", format!("{} {}", words.entry, hour.index)), ("dim", hour.recorded.clone())],
        vec![("tree", String::new())],
        vec![("dim", format!("{} {}", words.root, hour.entries)), ("code", format!("{}…", &hour.root[..16]))],
    ];
    let gained = clock(hour.after - hour.before);
    let balance = vec![
        ("dim", format!("{} {}", words.credited, hour.volunteer)),
        ("row", format!("  {}", clock(hour.before))),
        ("strong", format!("+ {gained}")),
        ("sum", format!("= {}", clock(hour.after))),
    ];
    let (date, minutes, helper) = &hour.redeemed;
    let redeemed = vec![
        ("dim", date.clone()),
        ("strong", format!("{} → {helper}", hour.volunteer)),
        ("row", format!("− {}", clock(*minutes))),
        ("dim", words.booked.to_owned()),
        ("dim", format!("{} {helper}", words.helped)),
    ];
    let proved = vec![
        ("dim", format!("{} {}", words.proof_of, hour.proof)),
        ("tick", String::new()),
        ("strong", words.verified.to_owned()),
        ("dim", words.offline.to_owned()),
    ];
    [sheet, key.concat(), log.concat(), balance, redeemed, proved]
}

const STYLE: &str = "\
text { font: 13px 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', 'WenQuanYi Micro Hei', sans-serif; fill: #1f2933; }
.title { font-size: 15px; font-weight: 700; fill: #0b5d4e; }
.dim { fill: #66737f; font-size: 12px; }
.strong, .sum { font-weight: 700; }
.code { font-family: 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: 12px; }
.panel { fill: #ffffff; stroke: #b8c4cc; }
.arrow, .tree, .tick { fill: none; stroke: #0b5d4e; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.tree { stroke-width: 1.5; }
.tick { stroke-width: 5; }
";

/// The tree's lines or the tick, from their upper left corner, and their height.
fn drawing(style: &str, x: usize, y: usize) -> Option<(String, usize)> {
    let path = match style {
        "tree" => "M6 38 V28 H36 V38 M21 28 V18 M76 38 V28 H106 V38 M91 28 V18 M21 18 H91 M56 18 V8",
        "tick" => "M4 20 L16 33 L40 5",
        _ => return None,
    };
    Some((format!("<path class=\"{style}\" transform=\"translate({x} {y})\" d=\"{path}\"/>\n"), 56))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn draw(hour: &Hour, words: &Words) -> String {
    let (width, height, gap) = PANEL;
    let (left, top) = (16, 16);
    let whole = (2 * left + 6 * width + 5 * gap, top + height + 38);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" \
         aria-label=\"{2}\">\n<style>\n{STYLE}</style>\n<rect width=\"{0}\" height=\"{1}\" rx=\"10\" fill=\"#eef3f1\"/>\n",
        whole.0, whole.1, words.label
    );
    for (number, (title, lines)) in words.titles.iter().zip(panels(hour, words)).enumerate() {
        let x = left + number * (width + gap);
        writeln!(svg, "<rect class=\"panel\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>")
            .unwrap();
        writeln!(svg, "<text class=\"title\" x=\"{}\" y=\"{}\">{}. {title}</text>", x + 14, top + 28, number + 1)
            .unwrap();
        if number > 0 {
            let (from, middle) = (x - gap + 2, top + height / 2);
            writeln!(svg, "<path class=\"arrow\" d=\"M{from} {middle} h{} m-4 -4 l4 4 l-4 4\"/>", gap - 4).unwrap();
        }
        let mut y = top + 54;
        for (style, text) in lines {
            if let Some((path, tall)) = drawing(style, x + 18, y - 10) {
                svg += &path;
                y += tall;
            } else {
                writeln!(
                    svg,
                    "<text class=\"{style}\" x=\"{}\" y=\"{y}\" xml:space=\"preserve\">{}</text>",
                    x + 14,
                    escaped(&text)
                )
                .unwrap();
                y += 20;
            }
        }
    }
    writeln!(svg, "<text class=\"dim\" x=\"{left}\" y=\"{}\">{}</text>\n</svg>", whole.1 - 12, escaped(words.foot))
        .unwrap();
    svg
}

#[test]
fn the_picture_of_the_readme_shows_what_the_demo_holds() {
    let hour = hour();
    assert_eq!(hour.after - hour.before, hour.rows[0].2, "what the sheet says is what is credited");
    for (name, words) in [("hour.svg", &ENGLISH), ("hour.zh-CN.svg", &CHINESE)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures").join(name);
        let drawn = draw(&hour, words);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, drawn).unwrap();
        } else {
            let kept = fs::read_to_string(&path).unwrap();
            assert!(kept == drawn, "{name} is stale: draw it with UPDATE=1 cargo test --test pictures");
        }
    }
}
