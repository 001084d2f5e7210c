//! The rejection table: a sheet for every rule, refused with its code, event and field. A variant without a row fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    clippy::assigning_clones,
    reason = "a table, and a test stops at the first surprise"
)]

#[path = "support/mod.rs"]
mod support;

use prost::Message;
use support::*;
use timebank::{
    format::{
        proto::{self, event::Kind},
        signature::PrivateKey,
        wire,
    },
    ledger::{AccountId, Language, Millis, Minutes, Policy, Refusal, Rejection, Say, SheetId},
};

type Make = fn(&mut Ledger) -> proto::Sheet;

/// Code, number of the event (none: the sheet), field, and how to get there.
struct Row(&'static str, Option<u16>, &'static str, Make);

fn staffed(ledger: &mut Ledger, kind: Kind) -> proto::Sheet {
    let staff = ledger.staff.clone();
    ledger.sheet(&[&staff], vec![kind])
}

fn operated(ledger: &mut Ledger, kind: Kind) -> proto::Sheet {
    let operator = ledger.operator.clone();
    ledger.sheet(&[&operator], vec![kind])
}

fn by_alice(ledger: &mut Ledger, kind: Kind) -> proto::Sheet {
    let alice = ledger.alice.clone();
    ledger.sheet(&[&alice], vec![kind])
}

fn good(ledger: &mut Ledger) -> proto::Sheet {
    let kind = record(service(ALICE, ledger.now - HOUR, 30));
    staffed(ledger, kind)
}

/// Changes the header and signs it again, so that only the change is wrong.
fn with_header(ledger: &mut Ledger, change: impl FnOnce(&mut proto::SheetHeader)) -> proto::Sheet {
    let mut sheet = good(ledger);
    let mut header = proto::SheetHeader::decode(sheet.header.clone()).unwrap();
    change(&mut header);
    sheet.header = header.encode_to_vec().into();
    sign_again(&mut sheet, &[&ledger.staff]);
    sheet
}

fn sign_again(sheet: &mut proto::Sheet, keys: &[&PrivateKey]) {
    let message = timebank::format::signature::pre_authentication_encoding(
        timebank::format::signature::SHEET_HEADER_TYPE,
        &sheet.header,
    );
    sheet.signatures = keys.iter().map(|key| bytes(&key.sign(&message))).collect();
}

/// Replaces the events and binds them, so that only what they say is wrong.
fn with_events(ledger: &mut Ledger, events: Vec<bytes::Bytes>) -> proto::Sheet {
    let root = timebank::merkle::root_of_leaves(events.iter().map(|event| timebank::merkle::leaf_hash(event)));
    let count = u32::try_from(events.len()).unwrap();
    let mut sheet = with_header(ledger, |header| {
        header.event_count = count;
        header.events_root = root.to_vec().into();
    });
    sheet.events = events;
    sheet
}

fn event(salt: u8, kind: Kind) -> bytes::Bytes {
    proto::Event { salt: bytes(&[salt; 16]), kind: Some(kind) }.encode_to_vec().into()
}

fn by_service(service: proto::Service) -> impl FnOnce(&mut Ledger) -> proto::Sheet {
    move |ledger| staffed(ledger, record(service))
}

const TABLE: &[Row] = &[
    Row("SheetTooLarge", None, "sheet", |ledger| proto::Sheet {
        events: vec![vec![1; 1_024].into(); 256],
        ..good(ledger)
    }),
    Row("LengthOutOfRange", None, "header", |ledger| proto::Sheet { header: vec![1; 1_025].into(), ..good(ledger) }),
    Row("EventCountOutOfRange", None, "events", |ledger| proto::Sheet { events: Vec::new(), ..good(ledger) }),
    Row("EncodingInvalid", None, "header", |ledger| {
        let sheet = good(ledger);
        proto::Sheet { header: sheet.header.slice(..sheet.header.len() - 1), ..sheet }
    }),
    Row("EncodingNotCanonical", Some(0), "service_recorded.service.interval.end_ms", |ledger| {
        // The end of the interval a second time, at the very end of its message.
        let kind = record(service(ALICE, ledger.now - HOUR, 30));
        let plain = proto::Event { salt: bytes(&[1; 16]), kind: Some(kind) }.encode_to_vec();
        let interval = proto::Interval { start_ms: ledger.now - HOUR, end_ms: ledger.now - HOUR / 2 }.encode_to_vec();
        let at = plain.windows(interval.len()).position(|window| window == interval).unwrap();
        let end = &interval[interval.len() / 2..];
        let mut twice = plain.clone();
        twice.splice(at + interval.len()..at + interval.len(), end.iter().copied());
        let grown = u8::try_from(end.len()).unwrap();
        // Three lengths grow with it: of the interval, the service and the record.
        twice[at - 1] += grown;
        for length in [19, 21] {
            twice[length] += grown;
        }
        with_events(ledger, vec![twice.into()])
    }),
    Row("FieldInvalid", Some(0), "service_recorded.service.category", |ledger| {
        by_service(proto::Service { category: "a b".to_owned(), ..service(ALICE, START - HOUR, 30) })(ledger)
    }),
    Row("SignatureCountMismatch", None, "signatures", |ledger| proto::Sheet { signatures: Vec::new(), ..good(ledger) }),
    Row("EventCountMismatch", None, "header.event_count", |ledger| {
        with_header(ledger, |header| header.event_count = 2)
    }),
    Row("EventsRootMismatch", None, "header.events_root", |ledger| {
        with_header(ledger, |header| header.events_root = bytes(&[1; 32]))
    }),
    Row("SaltRepeated", Some(1), "salt", |ledger| {
        let kind = |hours| record(service(ALICE, START - hours * HOUR, 30));
        with_events(ledger, vec![event(1, kind(1)), event(1, kind(2))])
    }),
    Row("PublicKeyInvalid", Some(0), "key_enrolled.public_key", |ledger| {
        let Kind::KeyEnrolled(enrolled) = enrol(&key(50), proto::KeyRole::Resident, ALICE, None) else {
            unreachable!()
        };
        let mut small = [0; 32];
        small[0] = 1;
        staffed(ledger, Kind::KeyEnrolled(proto::KeyEnrolled { public_key: bytes(&small), ..enrolled }))
    }),
    Row("PossessionInvalid", Some(0), "key_enrolled.possession", |ledger| {
        let Kind::KeyEnrolled(enrolled) = enrol(&key(50), proto::KeyRole::Resident, ALICE, None) else {
            unreachable!()
        };
        let possession = bytes(&key(50).prove_possession("another.example/ledger"));
        staffed(ledger, Kind::KeyEnrolled(proto::KeyEnrolled { possession, ..enrolled }))
    }),
    Row("OriginMismatch", None, "header.origin", |ledger| {
        with_header(ledger, |header| header.origin = "another.example/ledger".to_owned())
    }),
    Row("KeyUnknown", None, "header.signers", |ledger| {
        let kind = record(service(ALICE, ledger.now - HOUR, 30));
        ledger.sheet(&[&key(50)], vec![kind])
    }),
    Row("SignatureInvalid", None, "signatures", |ledger| {
        let mut sheet = good(ledger);
        sign_again(&mut sheet, &[&key(50)]);
        sheet
    }),
    Row("SheetExistsWithDifferentBytes", None, "header.sheet_id", |ledger| {
        let first = good(ledger);
        ledger.submit(&first).unwrap();
        let id = proto::SheetHeader::decode(first.header).unwrap().sheet_id;
        with_header(ledger, |header| header.sheet_id = id)
    }),
    Row("SheetExpired", None, "header.valid_until_ms", |ledger| {
        let sheet = good(ledger);
        ledger.now += DAY + 1;
        sheet
    }),
    Row("SheetIssuedInFuture", None, "header.issued_at_ms", |ledger| {
        with_header(ledger, |header| {
            header.issued_at_ms += 11 * MINUTE;
        })
    }),
    Row("SheetValidityOutOfRange", None, "header.valid_until_ms", |ledger| {
        with_header(ledger, |header| header.valid_until_ms += 90 * DAY)
    }),
    Row("KeyIsRevoked", None, "header.signers", |ledger| {
        let operator = ledger.operator.clone();
        let revoked = proto::KeyRevoked { key_id: bytes(&ledger.staff.key_id().0) };
        ledger.accept(&[&operator], vec![Kind::KeyRevoked(revoked)]);
        good(ledger)
    }),
    Row("MinutesNotPositive", Some(0), "minutes_transferred.minutes", |ledger| {
        by_alice(ledger, transfer(ALICE, BOB, 0))
    }),
    Row("MinutesTooLarge", Some(0), "minutes_transferred.minutes", |ledger| {
        by_alice(ledger, transfer(ALICE, BOB, 1_000_000_001))
    }),
    Row("IntervalEmpty", Some(0), "service_recorded.service.interval.end_ms", |ledger| {
        by_service(proto::Service { served: Some(interval(START, START)), ..service(ALICE, START, 30) })(ledger)
    }),
    Row("SameAccount", Some(0), "minutes_transferred.to", |ledger| by_alice(ledger, transfer(ALICE, ALICE, 1))),
    Row("NotPermitted", Some(0), "minutes_transferred.from", |ledger| by_alice(ledger, transfer(BOB, ALICE, 1))),
    Row("SelfDealing", Some(0), "service_recorded.service.volunteer", |ledger| {
        by_service(service(CLARA, START - HOUR, 30))(ledger)
    }),
    Row("RegionUnknown", Some(0), "account_opened.region", |ledger| {
        operated(ledger, open([9; 16], proto::AccountKind::Station, "nowhere", None))
    }),
    Row("AccountUnknown", Some(0), "service_recorded.service.volunteer", |ledger| {
        by_service(service([9; 16], START - HOUR, 30))(ledger)
    }),
    Row("AccountKindMismatch", Some(0), "service_recorded.service.volunteer", |ledger| {
        by_service(service(POOL, START - HOUR, 30))(ledger)
    }),
    Row("RevokedKeyUnknown", Some(0), "key_revoked.key_id", |ledger| {
        operated(ledger, Kind::KeyRevoked(proto::KeyRevoked { key_id: bytes(&[9; 16]) }))
    }),
    Row("RecordUnknown", Some(0), "service_reversed.record", |ledger| staffed(ledger, reverse(at(1, 0)))),
    Row("HoldUnknown", Some(0), "hold_released.hold", |ledger| by_alice(ledger, release(at(1, 0)))),
    Row("LedgerExists", Some(0), "", |ledger| operated(ledger, genesis(&Policy::default()))),
    Row("RegionExists", Some(0), "region_defined.code", |ledger| {
        operated(ledger, Kind::RegionDefined(proto::RegionDefined { code: "leeds".to_owned(), parent: String::new() }))
    }),
    Row("TooManyRegions", Some(0), "region_defined.code", |ledger| {
        let operator = ledger.operator.clone();
        let region = |number: u32| {
            Kind::RegionDefined(proto::RegionDefined { code: format!("r{number}"), parent: String::new() })
        };
        for sheet in 0..10 {
            // One of the 10,000 is there already.
            let last = if sheet == 9 { 999 } else { 1_000 };
            ledger.accept(&[&operator], (0..last).map(|number| region(sheet * 1_000 + number)).collect());
        }
        operated(ledger, region(99_999))
    }),
    Row("AccountExists", Some(0), "account_opened.account", |ledger| {
        staffed(ledger, open(ALICE, proto::AccountKind::Resident, "", Some(STATION)))
    }),
    Row("KeyExists", Some(0), "key_enrolled.public_key", |ledger| {
        staffed(ledger, enrol(&key(5), proto::KeyRole::Resident, BOB, None))
    }),
    Row("KeyAlreadyRevoked", Some(1), "key_revoked.key_id", |ledger| {
        let operator = ledger.operator.clone();
        let revoked = Kind::KeyRevoked(proto::KeyRevoked { key_id: bytes(&ledger.alice.key_id().0) });
        ledger.sheet(&[&operator], vec![revoked.clone(), revoked])
    }),
    Row("LastOperatorKey", Some(0), "key_revoked.key_id", |ledger| {
        let key_id = bytes(&ledger.operator.key_id().0);
        operated(ledger, Kind::KeyRevoked(proto::KeyRevoked { key_id }))
    }),
    Row("RecordReversed", Some(0), "service_reversed.record", |ledger| {
        let recorded = ledger.earn(ALICE, 30);
        let staff = ledger.staff.clone();
        ledger.accept(&[&staff], vec![reverse(at(recorded, 0))]);
        staffed(ledger, reverse(at(recorded, 0)))
    }),
    Row("CorrectionChangesNothing", Some(0), "service_corrected.service", |ledger| {
        let recorded = ledger.earn(ALICE, 30);
        let same = service(ALICE, ledger.now - 10 * HOUR, 30);
        staffed(ledger, correct(at(recorded, 0), same))
    }),
    Row("HoldEnded", Some(1), "hold_released.hold", |ledger| {
        ledger.earn(ALICE, 30);
        let (alice, until) = (ledger.alice.clone(), ledger.now + DAY);
        let placed = ledger.accept(&[&alice], vec![hold(ALICE, 30, until)]);
        ledger.sheet(&[&alice], vec![release(at(placed, 0)), release(at(placed, 0))])
    }),
    Row("HoldOfOthers", Some(0), "service_recorded.hold", |ledger| {
        ledger.earn(ALICE, 30);
        let (alice, until) = (ledger.alice.clone(), ledger.now + DAY);
        let placed = ledger.accept(&[&alice], vec![hold(ALICE, 30, until)]);
        let paid = proto::Service { payer: bytes(&CLARA), ..service(BOB, ledger.now - HOUR, 30) };
        staffed(ledger, settle(paid, at(placed, 0)))
    }),
    Row("HoldRunOut", Some(0), "service_recorded.hold", |ledger| {
        ledger.earn(ALICE, 30);
        let (alice, until) = (ledger.alice.clone(), ledger.now + 1);
        let placed = ledger.accept(&[&alice], vec![hold(ALICE, 30, until)]);
        ledger.now += 1;
        let paid = proto::Service { payer: bytes(&ALICE), ..service(BOB, ledger.now - HOUR, 30) };
        staffed(ledger, settle(paid, at(placed, 0)))
    }),
    Row("HoldStillRuns", Some(0), "hold_expired.hold", |ledger| {
        ledger.earn(ALICE, 30);
        let (alice, until) = (ledger.alice.clone(), ledger.now + DAY);
        let placed = ledger.accept(&[&alice], vec![hold(ALICE, 30, until)]);
        let key = ledger.service.clone();
        ledger.sheet(&[&key], vec![expire(at(placed, 0))])
    }),
    Row("HoldTooSmall", Some(0), "service_recorded.service.credited_minutes", |ledger| {
        ledger.earn(ALICE, 30);
        let (alice, until) = (ledger.alice.clone(), ledger.now + DAY);
        let placed = ledger.accept(&[&alice], vec![hold(ALICE, 29, until)]);
        let paid = proto::Service { payer: bytes(&ALICE), ..service(BOB, ledger.now - HOUR, 30) };
        staffed(ledger, settle(paid, at(placed, 0)))
    }),
    Row("HoldEndOutOfRange", Some(0), "hold_placed.expires_at_ms", |ledger| {
        ledger.earn(ALICE, 30);
        let now = ledger.now;
        by_alice(ledger, hold(ALICE, 30, now))
    }),
    Row("ServiceInFuture", Some(0), "service_recorded.service.interval.end_ms", |ledger| {
        by_service(service(ALICE, START, 30))(ledger)
    }),
    Row("ServiceTooOld", Some(0), "service_recorded.service.interval.end_ms", |ledger| {
        by_service(service(ALICE, START - 367 * DAY, 30))(ledger)
    }),
    Row("RoundingNotAllowed", Some(0), "service_recorded.service.rounding", |ledger| {
        let policy = Policy { roundings: Vec::new(), ..Policy::default() };
        *ledger = Ledger::with(&policy);
        by_service(proto::Service { rounding: 1, ..service(ALICE, START - HOUR, 30) })(ledger)
    }),
    Row("CreditNotWhole", Some(0), "service_recorded.service.rounding", |ledger| {
        let served = Some(interval(START - HOUR, START - HOUR + 1_500));
        by_service(proto::Service { served, ..service(ALICE, 0, 1) })(ledger)
    }),
    Row("CreditMismatch", Some(0), "service_recorded.service.credited_minutes", |ledger| {
        by_service(proto::Service { credited_minutes: 31, ..service(ALICE, START - HOUR, 30) })(ledger)
    }),
    Row("RecordTooLong", Some(0), "service_recorded.service", |ledger| {
        by_service(service(ALICE, START - 9 * HOUR, 481))(ledger)
    }),
    Row("DayLimitExceeded", Some(2), "service_recorded.service", |ledger| {
        let staff = ledger.staff.clone();
        let day = START - DAY;
        let events =
            [(0, 480), (8, 480), (16, 1)].map(|(hour, minutes)| record(service(ALICE, day + hour * HOUR, minutes)));
        ledger.sheet(&[&staff], events.to_vec())
    }),
    Row("ServiceOverlaps", Some(0), "service_recorded.service.interval", |ledger| {
        ledger.earn(ALICE, 30);
        let start = ledger.now - 10 * HOUR;
        by_service(service(ALICE, start + 29 * MINUTE, 30))(ledger)
    }),
    Row("GroupGivesOnlyToPools", Some(0), "minutes_transferred.to", |ledger| {
        ledger.earn(GROUP, 30);
        staffed(ledger, transfer(GROUP, ALICE, 1))
    }),
    Row("BalanceBelowFloor", Some(0), "minutes_transferred.minutes", |ledger| {
        by_alice(ledger, transfer(ALICE, BOB, 1))
    }),
    Row("OverflowPoolUnknown", Some(0), "service_recorded.service.volunteer", |ledger| {
        let policy = Policy { cap: Some((Minutes::new(10), AccountId([200; 16]))), ..Policy::default() };
        *ledger = Ledger::with(&policy);
        by_service(service(ALICE, START - HOUR, 30))(ledger)
    }),
];

/// The one rule that no ledger of this size can break: see `MINUTES_MAX` in the rules.
const UNREACHABLE: [&str; 1] = ["BalanceOutOfRange"];

#[test]
fn every_rule_refuses_with_its_code_event_and_field() {
    for Row(code, event, field, make) in TABLE {
        let mut ledger = Ledger::new();
        let sheet = make(&mut ledger);
        let before = ledger.replay.state.clone();
        let refusal = ledger.submit(&sheet).expect_err(code);
        assert_eq!(
            (refusal.rejection.code(), refusal.event, refusal.field.as_ref()),
            (*code, *event, *field),
            "{refusal}"
        );
        assert!(ledger.replay.state == before, "{code} leaves something behind");
        assert!(!refusal.rejection.remedy().get(Language::English).is_empty(), "{refusal}");
    }
}

/// More ways to be refused, where one sentence doesn't tell all that a rule may say.
const MORE: &[Row] = &[
    Row("ServiceInFuture", Some(0), "service_recorded.service.on_date.date", |ledger| {
        by_service(proto::Service { served: Some(on_date(20_514, 30)), ..service(ALICE, START, 30) })(ledger)
    }),
    Row("ServiceTooOld", Some(0), "service_recorded.service.on_date.date", |ledger| {
        let served = Some(on_date(20_000, 30));
        by_service(proto::Service { served, utc_offset_seconds: -12_600, ..service(ALICE, START, 30) })(ledger)
    }),
    Row("ServiceOverlaps", Some(1), "service_recorded.service.interval", |ledger| {
        let (first, second) = (service(ALICE, START - 4 * HOUR, 60), service(ALICE, START - 4 * HOUR + MINUTE, 60));
        let staff = ledger.staff.clone();
        ledger.sheet(&[&staff], vec![record(first), record(second)])
    }),
    Row("RecordUnknown", Some(0), "service_reversed.record", |ledger| staffed(ledger, reverse(at(0, 7)))),
    Row("HoldUnknown", Some(0), "hold_released.hold", |ledger| by_alice(ledger, release(at(0, 3)))),
    Row("HoldEnded", Some(2), "hold_released.hold", |ledger| {
        ledger.earn(ALICE, 60);
        let (alice, end) = (ledger.alice.clone(), ledger.now + DAY);
        ledger.sheet(&[&alice], vec![hold(ALICE, 60, end), release(at(0, 0)), release(at(0, 0))])
    }),
    Row("CreditNotWhole", Some(0), "service_recorded.service.rounding", |ledger| {
        *ledger = Ledger::with(&Policy { rounding_unit_minutes: 15, ..Policy::default() });
        by_service(service(ALICE, START - HOUR, 50))(ledger)
    }),
    Row("FieldInvalid", Some(0), "service_recorded.service.utc_offset_seconds", |ledger| {
        by_service(proto::Service { utc_offset_seconds: 54_000, ..service(ALICE, START - HOUR, 30) })(ledger)
    }),
];

/// Every message, as people read it: a change of words is a change of this file, to be read through with a clerk's eyes.
#[test]
fn every_message_is_in_dates_hours_and_names() {
    let mut text = String::new();
    for Row(code, event, field, make) in TABLE.iter().chain(MORE) {
        let mut ledger = Ledger::new();
        let sheet = make(&mut ledger);
        let refusal = ledger.submit(&sheet).expect_err(code);
        assert_eq!(
            (refusal.rejection.code(), refusal.event, refusal.field.as_ref()),
            (*code, *event, *field),
            "{refusal}"
        );
        let message = refusal.to_string();
        let raw = ["_ms", " ms", "service_recorded", "_minutes", "header."].iter().find(|raw| message.contains(**raw));
        assert_eq!(raw, None, "{message}");
        let digits = message.split(|letter: char| !letter.is_ascii_digit()).map(str::len).max().unwrap_or(0);
        assert!(digits < 9 || message.contains("key ") || message.contains("account "), "{message}");
        text = format!("{text}{message}\n");
    }
    text = format!("{text}{}\n", Refusal::sheet("", Rejection::BalanceOutOfRange));
    agree_with_golden("rejections.txt", &text);
}

/// A file that holds what was read through; `UPDATE=1` writes it anew.
fn agree_with_golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    for (found, expected) in text.lines().zip(golden.lines()) {
        assert_eq!(found, expected, "`UPDATE=1 cargo test --test rejections` writes it anew");
    }
    assert_eq!(text.lines().count(), golden.lines().count());
}

/// Chinese, Japanese and Korean ideographs.
fn is_chinese(letter: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&letter)
}

/// All that is said in both languages, one beside the other: every rejection as a sheet meets it, and every text of the
/// sources. To be read through by somebody who speaks both.
#[test]
fn everything_is_said_in_both_languages() {
    let mut text = String::new();
    let mut said = |english: &str, chinese: &str| {
        assert!(!english.is_empty() && !english.contains(is_chinese), "{english} | {chinese}");
        let symbols = !english.contains(|letter: char| letter.is_ascii_lowercase());
        assert!(symbols || chinese.contains(is_chinese), "{english:?} has no Chinese text: {chinese:?}");
        text = format!("{text}{english}\n    {chinese}\n");
    };
    for Row(code, _, _, make) in TABLE.iter().chain(MORE) {
        let mut ledger = Ledger::new();
        let sheet = make(&mut ledger);
        let refusal = ledger.submit(&sheet).expect_err(code);
        said(&refusal.to_string(), &refusal.in_language(Language::Chinese).to_string());
    }
    let last = Refusal::sheet("", Rejection::BalanceOutOfRange);
    said(&last.to_string(), &last.in_language(Language::Chinese).to_string());
    let texts = texts_of_sources();
    assert!(texts.len() > 60, "{} texts", texts.len());
    for (english, chinese) in texts {
        said(&english, &chinese);
    }
    agree_with_golden("texts.txt", &text);
}

/// Both halves of every `Text` that the sources make.
fn texts_of_sources() -> std::collections::BTreeSet<(String, String)> {
    let mut found = std::collections::BTreeSet::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // The list of rejections makes its texts of what it is given, which the sheets above have shown.
            if path.extension().is_none_or(|ending| ending != "rs") || path.ends_with("rejection/list.rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let texts = source.split("Text::new(").skip(1).map(|made| {
                let (english, rest) = literal(made);
                (english, literal(rest.trim_start().strip_prefix(',').expect("a translation")).0)
            });
            found.extend(texts);
        }
    }
    found
}

/// A literal at the beginning of some source, and what follows it.
fn literal(source: &str) -> (String, &str) {
    let text = source.trim_start().strip_prefix('"').expect("texts are made of literals");
    let quote = |(at, _): &(usize, &str)| !text[..*at].ends_with('\\');
    let (end, _) = text.match_indices('"').find(quote).expect("the end of a literal");
    (text[..end].replace("\\\"", "\""), &text[end + 1..])
}

#[test]
fn every_rule_has_a_row_in_the_order_of_precedence() {
    let rows: Vec<&str> = TABLE.iter().map(|row| row.0).chain(UNREACHABLE).collect();
    assert_eq!(rows, Rejection::CODES);
}

#[test]
fn of_two_broken_rules_the_earlier_is_reported() {
    let mut ledger = Ledger::new();
    let (staff, alice) = (ledger.staff.clone(), ledger.alice.clone());
    ledger.earn(ALICE, 30);
    // Not positive before same account before not permitted before unknown.
    ledger.refuse(&[&staff], vec![transfer(ALICE, ALICE, 0)], "MinutesNotPositive");
    ledger.refuse(&[&staff], vec![transfer(ALICE, ALICE, 1)], "SameAccount");
    ledger.refuse(&[&alice], vec![transfer(BOB, [99; 16], 1)], "NotPermitted");
    ledger.refuse(&[&alice], vec![transfer(ALICE, [99; 16], 1_000)], "AccountUnknown");
    // Own service before unknown station's kind, future before mismatch before too long before overlap.
    ledger.refuse(&[&staff], vec![record(service(CLARA, ledger.now, 9_999))], "SelfDealing");
    let start = ledger.now - 10 * HOUR;
    let wrong = proto::Service { credited_minutes: 1, ..service(ALICE, start, 600 + 1) };
    ledger.refuse(&[&staff], vec![record(wrong.clone())], "ServiceInFuture");
    let wrong = proto::Service { served: Some(interval(start, ledger.now)), ..wrong };
    ledger.refuse(&[&staff], vec![record(wrong.clone())], "CreditMismatch");
    let long = proto::Service { credited_minutes: 600, ..wrong };
    ledger.refuse(&[&staff], vec![record(long)], "RecordTooLong");
    // The bytes before the signature, the signature before the rules.
    let mut sheet = ledger.sheet(&[&staff], vec![transfer(ALICE, BOB, 0)]);
    sign_again(&mut sheet, &[&key(50)]);
    assert_eq!(ledger.submit(&sheet).unwrap_err().rejection.code(), "SignatureInvalid");
    sheet.events[0] = event(3, transfer(ALICE, BOB, 1));
    assert_eq!(ledger.submit(&sheet).unwrap_err().rejection.code(), "EventsRootMismatch");
}

#[test]
fn no_change_of_a_bit_of_a_sheet_is_accepted_and_none_panics() {
    let mut ledger = Ledger::new();
    let sheet = good(&mut ledger);
    let parts = |sheet: &proto::Sheet| [sheet.header.clone(), sheet.events[0].clone(), sheet.signatures[0].clone()];
    for part in 0..3 {
        let original = parts(&sheet)[part].to_vec();
        for bit in 0..original.len() * 8 {
            let mut changed = original.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let mut bad = sheet.clone();
            match part {
                0 => bad.header = changed.into(),
                1 => bad.events[0] = changed.into(),
                _ => bad.signatures[0] = changed.into(),
            }
            assert!(ledger.submit(&bad).is_err(), "bit {bit} of part {part}");
        }
        for length in 0..original.len() {
            let mut cut = sheet.clone();
            match part {
                0 => cut.header.truncate(length),
                1 => cut.events[0].truncate(length),
                _ => cut.signatures[0].truncate(length),
            }
            assert!(wire::decode(&cut).is_err(), "part {part} cut to {length}");
        }
    }
    ledger.submit(&sheet).unwrap();
}

#[test]
fn a_predecessor_is_named_only_with_its_own_signature() {
    const OLD: &str = "timebank.example/old";
    let signed = |size: u64, root: [u8; 32]| {
        let note = timebank::format::checkpoint::sign(OLD, size, &root, key(70).signing_key());
        let text =
            timebank::format::checkpoint::Note::parse(note.as_bytes()).unwrap().signatures()[0].signature.clone();
        proto::Predecessor {
            origin: OLD.to_owned(),
            size,
            root: bytes(&root),
            ledger_key: bytes(&key(70).public_key()),
            signature: bytes(&text),
        }
    };
    let verdict = |predecessor: proto::Predecessor| {
        let Kind::LedgerCreated(mut created) = genesis(&Policy::default()) else { panic!("a genesis") };
        created.predecessor = Some(predecessor);
        let draft = wire::Draft {
            origin: ORIGIN,
            sheet_id: SheetId([1; 16]),
            issued_at: Millis(START),
            valid_until: Millis(START + HOUR),
            events: vec![Kind::LedgerCreated(created)],
        };
        let decoded = wire::decode(&wire::sign(draft, &[&key(1)]).unwrap());
        decoded.map_err(|refusal| (refusal.rejection.code(), refusal.field.to_string())).map(|_| ())
    };
    let good = signed(7, [3; 32]);
    assert_eq!(verdict(good.clone()), Ok(()));
    let check = |field: &str, change: &dyn Fn(&mut proto::Predecessor)| {
        let mut changed = good.clone();
        change(&mut changed);
        let path = format!("ledger_created.predecessor.{field}");
        assert_eq!(verdict(changed), Err(("FieldInvalid", path)), "{field}");
    };
    check("origin", &|predecessor| predecessor.origin = ORIGIN.to_owned());
    check("origin", &|predecessor| predecessor.origin = String::new());
    check("signature", &|predecessor| predecessor.origin = "timebank.example/older".to_owned());
    check("signature", &|predecessor| predecessor.size = 8);
    check("root", &|predecessor| predecessor.root = bytes(&[3; 31]));
    check("signature", &|predecessor| predecessor.root = bytes(&[4; 32]));
    check("ledger_key", &|predecessor| predecessor.ledger_key = bytes(&[3; 31]));
    check("signature", &|predecessor| predecessor.ledger_key = bytes(&key(71).public_key()));
    // A key of small order has signatures that fit many texts.
    check("signature", &|predecessor| {
        predecessor.ledger_key = bytes(&[1].into_iter().chain([0; 31]).collect::<Vec<u8>>());
        predecessor.signature = bytes(&[1].into_iter().chain([0; 63]).collect::<Vec<u8>>());
    });
    check("signature", &|predecessor| predecessor.signature = bytes(&[]));
    check("signature", &|predecessor| predecessor.signature = signed(8, [3; 32]).signature);
}
