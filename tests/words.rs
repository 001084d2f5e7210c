//! Events and rows of histories in words: every kind, in both languages, side by side in a golden file that was read through.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::{fmt::Write, fs, path::Path};

use timebank::{
    access::{
        describe,
        history::{Reading, what},
        names,
    },
    format::proto,
    ledger::{
        AccountId, AccountKind, AccountOpened, Code, CorrectionReason, Event, EventKind, EventRef, KeyEnrolled, KeyId,
        KeyRole, Language, LedgerCreated, LogIndex, Millis, Minutes, Policy, Predecessor, Rounding, Served, Service,
        ServiceCorrected, ServiceRecorded,
    },
};

/// 2026-03-01T09:00:00Z.
const START: i64 = 1_772_355_600_000;
const HOUR: i64 = 3_600_000;
const WANG: [u8; 16] = [1; 16];
const LI: [u8; 16] = [2; 16];
const STATION: [u8; 16] = [3; 16];

const fn place(index: u64) -> EventRef {
    EventRef { index: LogIndex(index), event: 0 }
}

fn service(served: Served, payer: Option<[u8; 16]>) -> Service {
    Service {
        volunteer: AccountId(WANG),
        station: AccountId(STATION),
        payer: payer.map(AccountId),
        category: Code::new("care", 32).unwrap(),
        activity: payer.and_then(|_| Code::new("spring", 64)),
        served,
        utc_offset_seconds: 8 * 3_600,
        credited: Minutes::new(90),
        rounding: Rounding::Exact,
        insured: false,
        imported: false,
    }
}

/// One of each kind, some in several forms; a kind that is missing fails below.
fn events() -> Vec<Event> {
    let interval = Served::Interval { start: Millis(START), end: Millis(START + HOUR * 3 / 2) };
    let on_date = Served::OnDate { date: 20_513, minutes: Minutes::new(90) };
    let predecessor = Predecessor {
        origin: "timebank.example/old".to_owned(),
        size: 17,
        root: [0; 32],
        ledger_key: [0; 32],
        signature: [0; 64],
    };
    let created = |predecessor| {
        Event::LedgerCreated(Box::new(LedgerCreated {
            origin: "timebank.example/new".to_owned(),
            ledger_key: [0; 32],
            operator_keys: Vec::new(),
            service_key: (KeyId([0; 16]), [0; 32]),
            service_possession: [0; 64],
            issuance: AccountId([0; 16]),
            policy: Policy::default(),
            predecessor,
        }))
    };
    let enrolled = |role, account| {
        let (key_id, public_key, possession) = (KeyId([7; 16]), [0; 32], [0; 64]);
        Event::KeyEnrolled(KeyEnrolled { key_id, public_key, possession, role, account, own_account: None })
    };
    let corrected = |reason| {
        Event::ServiceCorrected(ServiceCorrected { record: place(5), reason, service: service(interval, None) })
    };
    let opened =
        |kind| Event::AccountOpened(AccountOpened { account: AccountId(WANG), kind, region: None, station: None });
    vec![
        created(None),
        created(Some(predecessor)),
        enrolled(KeyRole::Operator, None),
        enrolled(KeyRole::Resident, Some(AccountId(WANG))),
        Event::KeyRevoked { key_id: KeyId([7; 16]) },
        Event::RegionDefined { code: Code::new("gulou", 32).unwrap(), parent: None },
        opened(AccountKind::Resident),
        opened(AccountKind::CommunityPool),
        Event::FloorSet { account: AccountId(WANG), floor: Minutes::new(-120) },
        Event::ServiceRecorded(ServiceRecorded { service: service(interval, None), hold: None }),
        Event::ServiceRecorded(ServiceRecorded { service: service(on_date, Some(LI)), hold: Some(place(4)) }),
        corrected(CorrectionReason::EntryError),
        corrected(CorrectionReason::WrongParty),
        Event::ServiceReversed { record: place(5), reason: CorrectionReason::NotServed },
        Event::MinutesTransferred { from: AccountId(WANG), to: AccountId(LI), minutes: Minutes::new(30) },
        Event::HoldPlaced {
            payer: AccountId(LI),
            station: AccountId(STATION),
            minutes: Minutes::new(60),
            expires_at: Millis(START),
        },
        Event::HoldReleased { hold: place(4) },
        Event::HoldExpired { hold: place(4) },
    ]
}

/// Rows of each kind as a server tells them, with what became of them.
fn rows() -> Vec<proto::HistoryRow> {
    let at = |index| Some(proto::EventRef { index, event: 0 });
    let interval = proto::Interval { start_ms: START, end_ms: START + HOUR };
    let service = |payer: &[u8]| proto::Service {
        volunteer: WANG.to_vec().into(),
        station: STATION.to_vec().into(),
        payer: payer.to_vec().into(),
        category: "care".to_owned(),
        activity: if payer.is_empty() { String::new() } else { "spring".to_owned() },
        utc_offset_seconds: 8 * 3_600,
        credited_minutes: 60,
        served: Some(proto::service::Served::Interval(interval)),
        ..Default::default()
    };
    let row = |kind: EventKind, minutes, details| proto::HistoryRow {
        event: at(5),
        kind: i32::from(kind.number()),
        counterparty: LI.to_vec().into(),
        minutes,
        details: Some(details),
        ..Default::default()
    };
    let of_record = |newest: u64, reversed, payer: &[u8]| proto::HistoryDetails {
        service: Some(service(payer)),
        reason: i32::from(proto::CorrectionReason::Duplicate),
        record: Some(proto::Record {
            record: at(5),
            newest: at(newest),
            service: Some(service(payer)),
            reversed,
            hold: None,
        }),
        ..Default::default()
    };
    let of_hold = proto::HistoryDetails { hold: at(4), hold_expires_at_ms: START, ..Default::default() };
    let settles = proto::HistoryDetails { hold: at(4), ..of_record(5, false, &LI) };
    let spent = proto::HistoryDetails {
        service: Some(proto::Service { volunteer: LI.to_vec().into(), ..service(&WANG) }),
        ..Default::default()
    };
    vec![
        row(EventKind::ServiceRecorded, 60, of_record(5, false, &[])),
        row(EventKind::ServiceRecorded, 60, settles),
        row(EventKind::ServiceRecorded, 60, of_record(9, false, &[])),
        row(EventKind::ServiceRecorded, 60, of_record(5, true, &[])),
        row(EventKind::ServiceRecorded, -60, spent),
        row(EventKind::ServiceCorrected, 30, of_record(5, false, &[])),
        row(EventKind::ServiceReversed, -60, of_record(5, true, &[])),
        row(EventKind::MinutesTransferred, 30, proto::HistoryDetails::default()),
        row(EventKind::MinutesTransferred, -30, proto::HistoryDetails::default()),
        row(EventKind::HoldPlaced, 0, of_hold.clone()),
        row(EventKind::HoldReleased, 0, of_hold.clone()),
        row(EventKind::HoldExpired, 0, of_hold),
    ]
}

#[test]
fn every_kind_of_event_and_row_has_its_words_in_both_languages() {
    let (events, rows) = (events(), rows());
    let mut kinds: Vec<&str> = events.iter().map(Event::name).collect();
    kinds.dedup();
    assert_eq!(kinds.len(), 13, "every kind of event: {kinds:?}");
    let shown: std::collections::BTreeSet<i32> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(shown, EventKind::ALL.map(|kind| i32::from(kind.number())).into());
    let mut text = String::new();
    for event in &events {
        let [english, chinese] = Language::ALL.map(|language| describe::event(event, language));
        writeln!(text, "{english}\n    {chinese}").unwrap();
    }
    for row in &rows {
        let name = |id: &[u8]| if id == LI { "李娜".to_owned() } else { hex::encode(&id[..id.len().min(4)]) };
        let moment = |ms: i64| ms.to_string();
        let said = |language| what(row, &Reading { language, account: &WANG, name: &name, moment: &moment });
        let [english, chinese] = Language::ALL.map(said);
        writeln!(text, "{english}\n    {chinese}").unwrap();
    }
    let chinese = text.lines().filter(|line| line.starts_with("    "));
    for line in chinese {
        let is_english =
            |word: &str| ["the ", " for ", " of ", " by ", " to ", " min", " h "].iter().any(|en| word.contains(en));
        assert!(line.contains(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter)) && !is_english(line), "{line}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/words.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), text, "`UPDATE=1 cargo test --test words` writes it anew");
}

#[test]
fn what_a_newer_server_says_is_unknown_and_no_row_of_another_kind() {
    let row = proto::HistoryRow { kind: 200, ..Default::default() };
    let (name, moment) = (|_: &[u8]| String::new(), |ms: i64| ms.to_string());
    for language in Language::ALL {
        let reading = Reading { language, account: &WANG, name: &name, moment: &moment };
        assert_eq!(what(&row, &reading), names::UNKNOWN.get(language));
    }
}
