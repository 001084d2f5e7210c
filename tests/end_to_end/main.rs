//! The real server over a real socket, by a client made of the bindings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod answers;
mod archive;
mod audit;
mod edge;
mod harness;
mod hostile_sources;
mod http;
mod limits;
mod memory;
mod mirror;
#[path = "../support/program.rs"]
mod program;
mod proof;
mod retries;
mod shortage;
mod sources;
#[path = "../support/store.rs"]
mod store;
#[path = "../support/mod.rs"]
mod support;

use std::{process::Command, time::Duration};

use harness::{Ledger, command, reason};
use support::{bytes, transfer};
use timebank::{
    format::{
        checkpoint::{self, VerifierKey},
        proto::{self, event::Kind, submit_result::Outcome},
        signature::PrivateKey,
        wire,
    },
    merkle,
};
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_types::StatusExt;

#[tokio::test]
async fn a_published_receipt_proves_its_entry() {
    let mut ledger = Ledger::new().await;
    let sheet = ledger.sheet(vec![ledger.half_hour(0, 1)]);
    let decoded = wire::decode(&sheet).unwrap();
    let response = ledger.submit(sheet, proto::Until::Published).await.unwrap();
    let (receipt, publication) = (response.receipt.unwrap(), response.publication.unwrap());
    let vkey: VerifierKey = ledger.status().await.ledger_vkey.parse().unwrap();
    let signed = checkpoint::open(publication.checkpoint.as_bytes(), &vkey, &ledger.origin).unwrap();
    let leaf = wire::leaf(receipt.index, receipt.recorded_at_ms, &decoded.header_hash, &decoded.signatures_hash);
    let proof: Vec<merkle::Hash> =
        publication.inclusion_proof.iter().map(|hash| hash.as_ref().try_into().unwrap()).collect();
    let root = signed.root_hash().unwrap();
    merkle::verify_inclusion(&merkle::leaf_hash(&leaf), receipt.index, signed.size, &proof, &root).unwrap();
    let other = wire::leaf(receipt.index, receipt.recorded_at_ms + 1, &decoded.header_hash, &decoded.signatures_hash);
    merkle::verify_inclusion(&merkle::leaf_hash(&other), receipt.index, signed.size, &proof, &root).unwrap_err();
}

#[tokio::test]
async fn kills_and_restarts_lose_nothing_that_was_acknowledged() {
    let mut ledger = Ledger::new().await;
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        for number in 0..25 {
            let sheet = ledger.sheet(vec![ledger.half_hour(0, 2 + round * 25 + number)]);
            let response = ledger.submit(sheet.clone(), proto::Until::Durable).await.unwrap();
            acknowledged.push((sheet, response));
        }
        let before = ledger.status().await;
        if round % 2 == 1 {
            let _dead = ledger.server.kill();
            ledger.server.wait().unwrap();
            std::fs::remove_dir_all(ledger.folder.path().join("projections")).unwrap();
        }
        ledger.restart().await;
        let after = ledger.status().await;
        assert_eq!((after.size, after.root, after.accounts), (before.size, before.root, before.accounts));
        assert_eq!((after.balance_sum_minutes, after.postings), (0, before.postings));
        assert_eq!(after.checkpoint_size, after.size, "all of it is published before anybody is answered");
    }
    for (sheet, response) in acknowledged {
        assert_eq!(ledger.submit(sheet, proto::Until::Durable).await.unwrap(), response, "the first receipt");
    }
    let balance = proto::GetBalanceRequest { account: bytes(&ledger.people[0]), ..Default::default() };
    assert_eq!(ledger.client.get_balance(balance).await.unwrap().into_inner().balance_minutes, 100 * 30);
}

/// As an operator stops it: with a snapshot. The client has to hear of it, so this thread isn't blocked.
async fn stop(ledger: &mut Ledger) {
    assert!(Command::new("kill").args(["-TERM", &ledger.server.id().to_string()]).status().unwrap().success());
    while ledger.server.try_wait().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_snapshot_of_another_past_is_set_aside_and_the_log_replayed() {
    let mut ledger = Ledger::new().await;
    ledger.accept(vec![ledger.half_hour(0, 2)]).await;
    let right = ledger.status().await;
    stop(&mut ledger).await;
    let snapshot = ledger.folder.path().join("projections/snapshot");
    std::fs::write(&snapshot, altered(std::fs::read(&snapshot).unwrap())).unwrap();
    ledger.restart().await;
    let status = ledger.status().await;
    assert_eq!((status.size, status.root, status.postings), (right.size, right.root, right.postings));
    let aside = ledger.folder.path().join("projections.set-aside");
    assert!(aside.join("snapshot").exists(), "what was wrong is kept for whoever looks for the cause");
}

/// A snapshot whose checksums are right, and whose tree isn't: its last hash before the history is another one.
fn altered(mut snapshot: Vec<u8>) -> Vec<u8> {
    let mut at = snapshot.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let length = |at: usize| u32::from_le_bytes(snapshot[at + 1..at + 5].try_into().unwrap()) as usize;
    while at + 9 + length(at) < snapshot.len() {
        at += 9 + length(at);
    }
    let found = snapshot[at + 9..].windows(8).rposition(|window| window.iter().all(|byte| *byte > 8)).unwrap();
    snapshot[at + 9 + found] ^= 1;
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&snapshot[at..at + 5]);
    checksum.update(&snapshot[at + 9..]);
    snapshot[at + 5..at + 9].copy_from_slice(&checksum.finalize().to_le_bytes());
    snapshot
}

#[tokio::test]
async fn late_service_is_judged_by_times_long_put_away_whatever_happened_since() {
    let mut ledger = Ledger::new().await;
    let times = ledger.folder.path().join("projections/times");
    let mut hours = Vec::new();
    for round in 0..5_i64 {
        for number in 0..10 {
            let hour = 2_000 - round * 300 - number * 20;
            ledger.accept(vec![ledger.half_hour(0, hour)]).await;
            hours.push(hour);
        }
        match round {
            0 => stop(&mut ledger).await,
            1 | 2 => {
                // With the snapshot of the stop before, and rows in the file that are ahead of it.
                ledger.server.kill().unwrap();
                ledger.server.wait().unwrap();
            }
            3 => {
                stop(&mut ledger).await;
                std::fs::write(&times, "").unwrap();
            }
            _ => {
                stop(&mut ledger).await;
                std::fs::remove_dir_all(ledger.folder.path().join("projections")).unwrap();
            }
        }
        ledger.restart().await;
        assert!(std::fs::metadata(&times).unwrap().len() > 0);
        for hour in &hours {
            let sheet = ledger.sheet(vec![ledger.half_hour(0, *hour)]);
            let refused = ledger.submit(sheet, proto::Until::Durable).await.unwrap_err();
            assert_eq!(reason(&refused), "ServiceOverlaps", "round {round}, {hour} hours ago: {refused}");
        }
        // Between two that were put away.
        ledger.accept(vec![ledger.half_hour(0, 2_000 - round * 300 - 10)]).await;
    }
    let balance = proto::GetBalanceRequest { account: bytes(&ledger.people[0]), ..Default::default() };
    assert_eq!(ledger.client.get_balance(balance).await.unwrap().into_inner().balance_minutes, 55 * 30);
    stop(&mut ledger).await;
    let fsck = crate::program::program().args(["fsck", "--data"]).arg(ledger.folder.path()).output().unwrap();
    assert!(fsck.status.success(), "{}", String::from_utf8_lossy(&fsck.stdout));
}

#[tokio::test]
async fn a_log_that_lost_entries_is_not_served() {
    let mut ledger = Ledger::new().await;
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
    let (log, old) = (ledger.folder.path().join("log"), ledger.folder.path().join("old"));
    let copied = Command::new("cp").arg("-a").arg(&log).arg(&old).status().unwrap();
    assert!(copied.success());
    ledger.restart().await;
    let sheet = ledger.sheet(vec![ledger.half_hour(0, 1)]);
    ledger.submit(sheet, proto::Until::Published).await.unwrap();
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::rename(&old, &log).unwrap();
    let output = command(ledger.folder.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("acknowledged entries are gone"), "{error}");
    let checkpoint = ledger.folder.path().join("checkpoint");
    let note = std::fs::read_to_string(&checkpoint).unwrap().replace("\n3\n", "\n2\n");
    std::fs::write(&checkpoint, note).unwrap();
    let output = command(ledger.folder.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("is no checkpoint of this ledger"));
    std::fs::remove_file(&checkpoint).unwrap();
    let output = command(ledger.folder.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("checkpoint is missing"), "{error}");
    std::fs::remove_dir_all(&log).unwrap();
    let output = command(ledger.folder.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("the log of a ledger was lost"), "{error}");
}

#[tokio::test]
async fn lists_and_streams_answer_in_order_and_each_sheet_alone() {
    let mut ledger = Ledger::new().await;
    let good = |number| ledger.sheet(vec![ledger.half_hour(0, number)]);
    let bad = ledger.sheet(vec![transfer(ledger.people[0], ledger.people[1], 1)]);
    let sheets = vec![good(1), bad, good(1), good(2)];
    let request = proto::SubmitListRequest { sheets, until: 0 };
    let results = ledger.client.submit_list(request).await.unwrap().into_inner().results;
    let codes: Vec<String> = results
        .into_iter()
        .map(|result| match result.outcome.unwrap() {
            Outcome::Accepted(response) => response.receipt.unwrap().index.to_string(),
            Outcome::Refused(refusal) => refusal.code,
        })
        .collect();
    assert_eq!(codes, ["2", "NotPermitted", "ServiceOverlaps", "3"]);

    // A key enrolled by one sheet signs the next of the same stream.
    let key = PrivateKey::generate();
    let enrolled = proto::KeyEnrolled {
        public_key: bytes(&key.public_key()),
        possession: bytes(&key.prove_possession(&ledger.origin)),
        role: i32::from(proto::KeyRole::Resident),
        account: bytes(&ledger.people[0]),
        own_account: bytes::Bytes::new(),
    };
    let mut sheets = vec![ledger.sheet(vec![Kind::KeyEnrolled(enrolled)])];
    sheets.extend((0..60).map(|_| ledger.sheet_by(&[&key], vec![transfer(ledger.people[0], ledger.people[1], 1)])));
    let expected: Vec<u64> = (4..65).collect();
    sheets.push(ledger.sheet_by(&[&key], vec![transfer(ledger.people[0], ledger.people[1], 1)]));
    let requests = tokio_stream::iter(sheets).map(|sheet| proto::SubmitStreamRequest { sheet: Some(sheet), until: 0 });
    let answers = ledger.client.submit_stream(requests).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(|answer| answer.unwrap().result.unwrap().outcome.unwrap()).collect().await;
    let (last, accepted) = answers.split_last().unwrap();
    assert!(matches!(last, Outcome::Refused(refusal) if refusal.code == "BalanceBelowFloor"), "{last:?}");
    let indexes: Vec<u64> = accepted
        .iter()
        .map(|outcome| match outcome {
            Outcome::Accepted(response) => response.receipt.as_ref().unwrap().index,
            Outcome::Refused(refusal) => panic!("{refusal:?}"),
        })
        .collect();
    assert_eq!(indexes, expected);
}

#[tokio::test]
async fn of_two_for_the_last_minutes_exactly_one_wins() {
    let mut ledger = Ledger::new().await;
    ledger.accept(vec![ledger.half_hour(0, 1)]).await;
    let key = PrivateKey::generate();
    let enrolled = proto::KeyEnrolled {
        public_key: bytes(&key.public_key()),
        possession: bytes(&key.prove_possession(&ledger.origin)),
        role: i32::from(proto::KeyRole::Resident),
        account: bytes(&ledger.people[0]),
        own_account: bytes::Bytes::new(),
    };
    ledger.accept(vec![Kind::KeyEnrolled(enrolled)]).await;
    let spend = || ledger.sheet_by(&[&key], vec![transfer(ledger.people[0], ledger.people[1], 30)]);
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (mut client, sheet) = (ledger.client.clone(), spend());
            tokio::spawn(async move { client.submit(proto::SubmitRequest { sheet: Some(sheet), until: 0 }).await })
        })
        .collect();
    let mut won = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => won += 1,
            Err(status) => {
                assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "BalanceBelowFloor"));
                assert!(status.get_details_precondition_failure().is_some());
            }
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_dry_run_finds_all_that_is_wrong_and_writes_nothing() {
    let mut ledger = Ledger::new().await;
    let mut future = ledger.half_hour(0, 1);
    if let Kind::ServiceRecorded(recorded) = &mut future {
        recorded.service.as_mut().unwrap().credited_minutes = 61;
    }
    let events = vec![ledger.half_hour(0, 1), future, ledger.half_hour(0, 1), ledger.half_hour(1, 1)];
    let sheets = vec![ledger.sheet(events), ledger.sheet(vec![ledger.half_hour(1, 1)])];
    let before = ledger.lasting_status().await;
    let results =
        ledger.client.dry_run(proto::DryRunRequest { sheets, from_sheet: 0 }).await.unwrap().into_inner().results;
    let codes: Vec<Vec<String>> = results
        .into_iter()
        .map(|result| {
            let code = |event: proto::DryRunEvent| match event.outcome.unwrap() {
                proto::dry_run_event::Outcome::Accepted(receipt) => receipt.postings.len().to_string(),
                proto::dry_run_event::Outcome::Refused(refusal) => refusal.code,
            };
            result.events.into_iter().map(code).collect()
        })
        .collect();
    assert_eq!(codes, [vec!["2", "CreditMismatch", "ServiceOverlaps", "2"], vec!["ServiceOverlaps"]]);
    assert_eq!(ledger.lasting_status().await, before);
}

/// A call with a header `accept-language`.
fn asked_in<T>(message: T, languages: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("accept-language", languages.parse().unwrap());
    request
}

#[tokio::test]
async fn refusals_and_failures_are_told_in_the_language_that_a_call_asks_for() {
    let ledger = Ledger::new().await;
    let wrong = || {
        let Kind::ServiceRecorded(mut recorded) = ledger.half_hour(0, 1) else { panic!("a record") };
        recorded.service.as_mut().unwrap().credited_minutes = 61;
        ledger.sheet(vec![Kind::ServiceRecorded(recorded)])
    };
    let said = |status: &tonic::Status| {
        status.get_details_localized_message().map(|localized| (localized.locale, localized.message))
    };
    let chinese = "申报 1 小时 01 分钟，而按服务时长应为 30 分钟。请按服务时长申报。 [CreditMismatch]";
    let english =
        "1 h 01 min are claimed, the time served gives 30 min. Claim what the time served gives. [CreditMismatch]";
    for (languages, expected) in [
        ("zh-CN,zh;q=0.9,en;q=0.8", Some(("zh-CN", chinese))),
        ("fr, en;q=0.5, zh;q=0.4", Some(("en", english))),
        ("fr", None),
        (";;q=,zh;q=7", None),
        ("", None),
    ] {
        let expected = expected.map(|(locale, text)| (locale.to_owned(), text.to_owned()));
        let mut client = ledger.client.clone();
        let submit = proto::SubmitRequest { sheet: Some(wrong()), until: 0 };
        let status = client.submit(asked_in(submit, languages)).await.unwrap_err();
        assert_eq!(said(&status), expected, "{languages}");
        assert!(
            status.message().starts_with("CreditMismatch: 1 h 01 min"),
            "the status itself stays English: {status}"
        );
        let list = proto::SubmitListRequest { sheets: vec![wrong()], until: 0 };
        let result = client.submit_list(asked_in(list, languages)).await.unwrap().into_inner().results.remove(0);
        let proto::submit_result::Outcome::Refused(refusal) = result.outcome.unwrap() else { panic!("recorded") };
        assert_eq!(refusal.localized.map(|localized| (localized.locale, localized.message)), expected, "{languages}");
    }
    let mut client = ledger.client.clone();
    let unknown = proto::GetAccountRequest { account: vec![9; 16].into(), min_index: 0 };
    let status = client.get_account(asked_in(unknown, "zh")).await.unwrap_err();
    assert_eq!(said(&status).unwrap().1, "账户不存在；请核对编号，或先开户 [AccountUnknown]");
    assert_eq!(reason(&status), "AccountUnknown", "the other details stay");
}

#[tokio::test]
async fn history_pages_keep_their_filters_and_cursors_cannot_be_forged() {
    let mut ledger = Ledger::new().await;
    for number in 0..8 {
        ledger.accept(vec![ledger.half_hour(0, 1 + number)]).await;
    }
    for order in [proto::HistoryOrder::NewestFirst, proto::HistoryOrder::OldestFirst] {
        let mut request = proto::ListHistoryRequest { order: i32::from(order), ..ledger.history(0) };
        let (mut sizes, mut balances) = (Vec::new(), Vec::new());
        loop {
            let page = ledger.page(request.clone()).await.unwrap();
            sizes.push(page.rows.len());
            balances.extend(page.rows.iter().map(|row| row.balance_after_minutes / 30));
            if page.next_cursor.is_empty() {
                break;
            }
            request.cursor = page.next_cursor;
            // What comes meanwhile isn't on the pages of a cursor.
            ledger
                .accept(vec![
                    ledger.half_hour(0, 20 + 10 * i64::from(order as i32) + i64::try_from(sizes.len()).unwrap()),
                ])
                .await;
        }
        let rows = balances.len();
        assert!(sizes[..sizes.len() - 1].iter().all(|size| *size == 3), "{sizes:?}");
        let mut expected: Vec<i64> = (1..=i64::try_from(rows).unwrap()).collect();
        if order == proto::HistoryOrder::NewestFirst {
            assert_eq!(sizes, [3, 3, 2]);
            expected.reverse();
        }
        assert_eq!(balances, expected);
    }
    let first = ledger.page(ledger.history(0)).await.unwrap();
    let with = |cursor: String| proto::ListHistoryRequest { cursor, ..ledger.history(0) };
    let mut forged = first.next_cursor.clone().into_bytes();
    forged[30] = if forged[30] == b'A' { b'B' } else { b'A' };
    let bad = [
        ("cursor", with(String::from_utf8(forged).unwrap())),
        ("cursor", with("nonsense".to_owned())),
        ("account", proto::ListHistoryRequest { account: bytes(&ledger.people[1]), ..with(first.next_cursor.clone()) }),
        ("kinds", proto::ListHistoryRequest { kinds: vec![4], ..with(first.next_cursor.clone()) }),
        ("kinds", proto::ListHistoryRequest { kinds: vec![99], ..ledger.history(0) }),
        ("page_size", proto::ListHistoryRequest { page_size: 201, ..ledger.history(0) }),
        ("order", proto::ListHistoryRequest { order: 9, ..ledger.history(0) }),
        ("account", proto::ListHistoryRequest { account: bytes(&[1; 3]), ..ledger.history(0) }),
    ];
    for (field, request) in bad {
        let status = ledger.page(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "FieldInvalid"), "{field}");
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, field);
    }
    let unknown = proto::ListHistoryRequest { account: bytes(&[9; 16]), ..Default::default() };
    assert_eq!(ledger.page(unknown).await.unwrap_err().code(), Code::NotFound);
    let other_list = proto::ListHoldsRequest { cursor: first.next_cursor, ..Default::default() };
    assert_eq!(ledger.client.list_holds(other_list).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn reads_answer_as_of_the_past_and_wait_for_what_is_under_way() {
    use proto::get_balance_request::AsOf;
    let mut ledger = Ledger::new().await;
    let mut receipts = Vec::new();
    for number in 0..3 {
        receipts.push(ledger.accept(vec![ledger.half_hour(0, 1 + number)]).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let account = bytes(&ledger.people[0]);
    let mut balance = async |as_of: Option<AsOf>, min_index: u64| {
        let request = proto::GetBalanceRequest { account: account.clone(), as_of, min_index };
        ledger.client.get_balance(request).await.map(|response| response.into_inner().balance_minutes)
    };
    for (number, receipt) in (1..).zip(&receipts) {
        assert_eq!(balance(Some(AsOf::AtIndex(receipt.index)), 0).await.unwrap(), 30 * number);
        assert_eq!(balance(Some(AsOf::AtTimeMs(receipt.recorded_at_ms)), 0).await.unwrap(), 30 * number);
    }
    assert_eq!(balance(Some(AsOf::AtIndex(1)), 0).await.unwrap(), 0);
    assert_eq!(balance(Some(AsOf::AtIndex(99)), 0).await.unwrap_err().code(), Code::OutOfRange);
    assert_eq!(balance(Some(AsOf::AtTimeMs(0)), 0).await.unwrap_err().code(), Code::OutOfRange);
    let (mut reader, account) = (ledger.client.clone(), bytes(&ledger.people[0]));
    let waiting = tokio::spawn(async move {
        let request = proto::GetBalanceRequest { account, as_of: None, min_index: 5 };
        reader.get_balance(request).await.unwrap().into_inner()
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished(), "entry 5 is not there yet");
    ledger.accept(vec![ledger.half_hour(0, 9)]).await;
    let seen = waiting.await.unwrap();
    assert_eq!((seen.balance_minutes, seen.reflected_index), (120, 5));
}

#[tokio::test]
async fn subscribers_get_the_past_and_then_what_comes() {
    let mut ledger = Ledger::new().await;
    for number in 0..3 {
        ledger.accept(vec![ledger.half_hour(0, 1 + number)]).await;
    }
    let request = proto::SubscribeRequest { from_index: 0 };
    let mut entries = ledger.client.subscribe(request).await.unwrap().into_inner();
    for expected in 0..200 {
        if expected >= 5 {
            ledger.accept(vec![ledger.half_hour(0, expected)]).await;
        }
        let entry = entries.message().await.unwrap().unwrap().entry.unwrap();
        assert_eq!(i64::try_from(entry.index).unwrap(), expected);
        wire::decode(&entry.sheet.unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_shutdown_ends_soon_and_keeps_what_was_acknowledged() {
    let mut ledger = Ledger::new().await;
    let mut idle = ledger.client.subscribe(proto::SubscribeRequest { from_index: 0 }).await.unwrap().into_inner();
    let (_open, requests) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let _stream = ledger.client.submit_stream(requests).await.unwrap();
    ledger.accept(vec![ledger.half_hour(0, 1)]).await;
    let pid = ledger.server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut waited = 0;
    while ledger.server.try_wait().unwrap().is_none() {
        waited += 1;
        assert!(waited < 600, "it has not ended after 30 s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ledger.server.wait().unwrap().success());
    while let Ok(Some(_)) = idle.message().await {}
    ledger.restart().await;
    assert_eq!(ledger.status().await.size, 3);
}

#[tokio::test]
async fn bad_input_is_named_and_the_server_goes_on() {
    let mut ledger = Ledger::new().await;
    let good = ledger.sheet(vec![ledger.half_hour(0, 1)]);
    let stranger = PrivateKey::generate();
    let cases = [
        (proto::Sheet::default(), Code::InvalidArgument, "LengthOutOfRange"),
        (proto::Sheet { signatures: Vec::new(), ..good.clone() }, Code::InvalidArgument, "SignatureCountMismatch"),
        (proto::Sheet { header: vec![0xff; 100].into(), ..good.clone() }, Code::InvalidArgument, "EncodingInvalid"),
        (ledger.sheet_by(&[&stranger], vec![ledger.half_hour(0, 1)]), Code::Unauthenticated, "KeyUnknown"),
        (ledger.sheet(vec![transfer(ledger.people[0], ledger.people[1], 1)]), Code::PermissionDenied, "NotPermitted"),
        (ledger.sheet(vec![support::reverse(support::at(77, 0))]), Code::NotFound, "RecordUnknown"),
    ];
    for (sheet, code, expected) in cases {
        let status = ledger.submit(sheet, proto::Until::Durable).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected), "{status}");
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.domain, "timebank");
        assert!(!info.metadata["remedy"].is_empty());
    }
    let huge = proto::Sheet { events: vec![vec![1; 1_000].into(); 9_000], ..good.clone() };
    assert!(ledger.submit(huge, proto::Until::Durable).await.is_err());
    let wrong = proto::SubmitRequest { sheet: Some(good.clone()), until: 9 };
    assert_eq!(ledger.client.submit(wrong).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(ledger.client.submit(proto::SubmitRequest::default()).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(ledger.status().await.size, 2, "nothing of all that was written");
    ledger.submit(good, proto::Until::Durable).await.unwrap();
}

#[tokio::test]
async fn records_are_read_several_at_once_and_places_of_none_stay_empty() {
    let mut ledger = Ledger::new().await;
    let recorded =
        ledger.accept(vec![ledger.half_hour(0, 1), ledger.half_hour(0, 2), ledger.half_hour(1, 1)]).await.index;
    let place = |event| support::at(recorded, event);
    let Kind::ServiceRecorded(other) = ledger.half_hour(0, 3) else { panic!("it records") };
    let service = other.service.unwrap();
    let changed = ledger.accept(vec![support::correct(place(0), service), support::reverse(place(1))]).await.index;
    let named =
        [place(0), place(1), place(2), support::at(changed, 0), support::at(changed, 1), support::at(0, 0), place(9)];
    let mut events: Vec<proto::EventRef> = named.into_iter().flatten().collect();
    events.push(proto::EventRef { index: changed + 5, event: 0 });
    let request = proto::GetRecordsRequest { events: events.clone(), min_index: changed };
    let answer = ledger.client.get_records(request).await.unwrap().into_inner();
    assert_eq!(answer.reflected_index, changed);
    let told: Vec<_> = answer.records.iter().map(|record| (record.record, record.newest, record.reversed)).collect();
    let corrected = (place(0), support::at(changed, 0), false);
    let reversed = (place(1), place(1), true);
    let none = (None, None, false);
    assert_eq!(told, [corrected, reversed, (place(2), place(2), false), corrected, reversed, none, none, none]);
    for (event, record) in events.iter().zip(&answer.records).filter(|(_, record)| record.record.is_some()) {
        let alone = proto::GetRecordRequest { event: Some(*event), min_index: 0 };
        assert_eq!(ledger.client.get_record(alone).await.unwrap().into_inner().record.as_ref(), Some(record));
    }
    for events in [Vec::new(), vec![events[0]; 1_001], vec![proto::EventRef { index: 1, event: 70_000 }]] {
        let status = ledger.client.get_records(proto::GetRecordsRequest { events, min_index: 0 }).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
}

#[tokio::test]
async fn cursors_of_lists_carry_their_filters() {
    let mut ledger = Ledger::new().await;
    let resident = i32::from(proto::AccountKind::Resident);
    let mut request = proto::ListAccountsRequest { kind: resident, page_size: 1, ..Default::default() };
    let first = ledger.client.list_accounts(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.accounts[0].account, bytes(&ledger.people[0]));
    request.cursor = first.next_cursor;
    request.kind = i32::from(proto::AccountKind::Station);
    let status = ledger.client.list_accounts(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    request.kind = 0;
    let second = ledger.client.list_accounts(request.clone()).await.unwrap().into_inner();
    assert_eq!(second.accounts[0].account, bytes(&ledger.people[1]), "still residents alone");
    let keys = proto::ListKeysRequest { cursor: request.cursor, ..Default::default() };
    assert_eq!(ledger.client.list_keys(keys).await.unwrap_err().code(), Code::InvalidArgument, "of another list");
}

#[test]
fn a_first_start_with_a_wrong_origin_leaves_no_keys_and_a_policy_is_for_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path()).args(["--origin", "has space"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("--origin"), "{error}");
    assert!(!folder.path().join("operator.key").exists());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut server, _client, _url) = runtime.block_on(harness::serve(folder.path()));
    server.kill().unwrap();
    server.wait().unwrap();
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, "cap_minutes = 0\n").unwrap();
    let output = command(folder.path()).arg("--policy").arg(&policy).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("--policy"), "{error}");
}
