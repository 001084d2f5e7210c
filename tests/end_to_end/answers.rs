//! The largest answer of every call, by a client that takes no more than gRPC's default of 4 MiB.

use prost::Message;
use timebank::format::{
    proto::{self, event::Kind, submit_result::Outcome},
    signature::{self, PrivateKey},
};
use tokio_stream::StreamExt;

use crate::{
    harness::{Ledger, reason},
    support::{self, bytes, open, record, transfer},
};

/// What grpcio, grpc-go, grpc-java and tonic take by default.
const DEFAULT_BYTES_MAX: usize = 4_194_304;
const DAY_MS: i64 = 86_400_000;

#[track_caller]
fn fits<M: Message>(answer: tonic::Response<M>) -> M {
    let answer = answer.into_inner();
    assert!(answer.encoded_len() <= DEFAULT_BYTES_MAX, "{} bytes", answer.encoded_len());
    answer
}

/// Sheets of 1,000 services of one minute each on some day: all but a few look like another, and are warned of.
fn days(ledger: &Ledger, sheets: usize) -> Vec<proto::Sheet> {
    let today = i32::try_from(jiff::Timestamp::now().as_millisecond() / DAY_MS).unwrap();
    let event = |number: usize| {
        let served = Some(support::on_date(today - 2 - i32::try_from(number / 200).unwrap(), 1));
        let service = support::service(ledger.people[number % 2], 0, 1);
        record(proto::Service { station: bytes(&ledger.station), served, ..service })
    };
    let sheet = |number: usize| ledger.sheet((number * 1_000..(number + 1) * 1_000).map(event).collect());
    (0..sheets).map(sheet).collect()
}

/// As many of the sheets as one call takes.
fn full(sheets: Vec<proto::Sheet>) -> Vec<proto::Sheet> {
    let mut bytes = 0;
    let length = |sheet: &proto::Sheet| {
        sheet.header.len() + sheet.events.iter().chain(&sheet.signatures).map(bytes::Bytes::len).sum::<usize>()
    };
    let fits = |sheet: &proto::Sheet| {
        bytes += length(sheet);
        bytes <= 4 * 1_024 * 1_024
    };
    sheets.into_iter().take_while(fits).collect()
}

#[tokio::test]
async fn a_list_of_receipts_fits_and_the_rest_is_to_be_had_one_by_one() {
    let mut ledger = Ledger::new().await;
    let sheets = full(days(&ledger, 60));
    let asked = sheets.len();
    let request = proto::SubmitListRequest { sheets, until: i32::from(proto::Until::Published) };
    let answer = fits(ledger.client.submit_list(request).await.unwrap());
    assert_eq!(answer.results.len(), asked);
    let mut left_out = 0;
    for result in answer.results {
        let Some(Outcome::Accepted(response)) = result.outcome else { panic!("{result:?}") };
        let receipt = response.receipt.unwrap();
        assert!(response.publication.is_some());
        let events = if receipt.events_left_out == 0 { &receipt.events } else { &Vec::new() };
        assert_eq!(events.len() + receipt.events_left_out as usize, 1_000);
        if receipt.events_left_out > 0 {
            left_out += 1;
            let request = proto::GetReceiptRequest { index: receipt.index };
            let whole = fits(ledger.client.get_receipt(request).await.unwrap()).receipt.unwrap();
            assert_eq!((whole.events.len(), whole.events_left_out), (1_000, 0));
            assert!(whole.events.iter().filter(|event| !event.warnings.is_empty()).count() > 900);
        }
    }
    assert!(left_out > 0 && left_out < asked, "{left_out} of {asked} receipts were left out");
    for request in
        [proto::GetStateDigestRequest { at_index: None, range: Some(0) }, proto::GetStateDigestRequest::default()]
    {
        fits(ledger.client.get_state_digest(request).await.unwrap());
    }
    let history = proto::ListHistoryRequest { page_size: 200, ..ledger.history(0) };
    assert_eq!(fits(ledger.client.list_history(history).await.unwrap()).rows.len(), 200);
}

#[tokio::test]
async fn a_trial_that_refuses_everything_is_told_in_several_answers() {
    let mut ledger = Ledger::new().await;
    let nobody = [9; 16];
    let refused = || ledger.sheet((0..1_000).map(|_| transfer(nobody, ledger.people[0], 1)).collect());
    let mut request = proto::DryRunRequest { sheets: full((0..64).map(|_| refused()).collect()), from_sheet: 0 };
    let (asked, mut told, mut answers) = (request.sheets.len(), 0, 0);
    loop {
        let answer = fits(ledger.client.dry_run(request.clone()).await.unwrap());
        assert!(answer.results.iter().all(|result| result.events.len() == 1_000), "whole sheets");
        told += answer.results.len();
        answers += 1;
        assert_eq!(answer.next_sheet.unwrap_or(u32::try_from(asked).unwrap()) as usize, told);
        let Some(next) = answer.next_sheet else { break };
        request.from_sheet = next;
    }
    assert!(told == asked && answers > 1, "{told} of {asked} sheets in {answers} answers");
    request.from_sheet = u32::try_from(asked).unwrap();
    assert_eq!(reason(&ledger.client.dry_run(request).await.unwrap_err()), "FieldInvalid");
}

#[tokio::test]
async fn a_sheet_tried_later_stands_on_those_before_it_as_in_one_answer() {
    let mut ledger = Ledger::new().await;
    let sheets = vec![
        ledger.sheet(vec![ledger.half_hour(0, 1)]),
        ledger.sheet(vec![ledger.half_hour(0, 1)]),
        ledger.sheet(vec![ledger.half_hour(0, 2)]),
    ];
    let request = |from_sheet| proto::DryRunRequest { sheets: sheets.clone(), from_sheet };
    let whole = ledger.client.dry_run(request(0)).await.unwrap().into_inner();
    let rest = ledger.client.dry_run(request(1)).await.unwrap().into_inner();
    assert_eq!((rest.results.as_slice(), rest.next_sheet), (&whole.results[1..], None));
    assert!(matches!(rest.results[0].events[0].outcome, Some(proto::dry_run_event::Outcome::Refused(_))));
}

#[tokio::test]
async fn pages_entries_and_lists_of_everything_fit() {
    let mut ledger = Ledger::new().await;
    let code = |number: usize| format!("{number:0>32}");
    for sheet in 0..10 {
        let region = |number| {
            let parent = if number == 0 { String::new() } else { code(number - 1) };
            Kind::RegionDefined(proto::RegionDefined { code: code(number), parent })
        };
        // One there is already, so that there are 10,000.
        let last = if sheet == 9 { 9_999 } else { (sheet + 1) * 1_000 };
        ledger.accept((sheet * 1_000..last).map(region).collect()).await;
    }
    assert_eq!(fits(ledger.client.list_regions(proto::ListRegionsRequest {}).await.unwrap()).regions.len(), 10_000);
    let resident = |_| open(signature::random(), proto::AccountKind::Resident, "", Some(ledger.station));
    ledger.accept((0..1_000).map(resident).collect()).await;
    let key = |_| {
        let key = PrivateKey::generate();
        Kind::KeyEnrolled(proto::KeyEnrolled {
            public_key: bytes(&key.public_key()),
            possession: bytes(&key.prove_possession(&ledger.origin)),
            role: i32::from(proto::KeyRole::Staff),
            account: bytes(&ledger.station),
            own_account: bytes(&ledger.people[0]),
        })
    };
    ledger.accept((0..1_000).map(key).collect()).await;
    let (pool, station) = ([8; 16], ledger.station);
    let expires_at_ms = jiff::Timestamp::now().as_millisecond() + 700 * DAY_MS;
    let hold = |_| {
        let (payer, station) = (bytes(&pool), bytes(&station));
        Kind::HoldPlaced(proto::HoldPlaced { payer, station, minutes: 900, expires_at_ms })
    };
    let floor = proto::FloorSet { account: bytes(&pool), floor_minutes: -1_000_000_000 };
    ledger.accept(vec![open(pool, proto::AccountKind::DistrictPool, "leeds", None), Kind::FloorSet(floor)]).await;
    let placed = ledger.accept((0..1_000).map(hold).collect()).await;
    let page_size = 1_000;
    let accounts = proto::ListAccountsRequest { page_size, min_index: placed.index, ..Default::default() };
    assert_eq!(fits(ledger.client.list_accounts(accounts).await.unwrap()).accounts.len(), 1_000);
    let keys = proto::ListKeysRequest { page_size, ..Default::default() };
    assert_eq!(fits(ledger.client.list_keys(keys).await.unwrap()).keys.len(), 1_000);
    let holds = proto::ListHoldsRequest { page_size, ..Default::default() };
    assert_eq!(fits(ledger.client.list_holds(holds).await.unwrap()).holds.len(), 1_000);
    let entry = fits(ledger.client.get_entry(proto::GetEntryRequest { index: placed.index - 2 }).await.unwrap());
    assert!(entry.encoded_len() > 150_000, "the sheet of 1,000 keys is among the largest: {}", entry.encoded_len());
    fits(ledger.client.get_status(proto::GetStatusRequest {}).await.unwrap());
    fits(ledger.client.get_checkpoint(proto::GetCheckpointRequest {}).await.unwrap());
    check_single_answers(&mut ledger, placed.index).await;
    let entries = ledger.client.subscribe(proto::SubscribeRequest { from_index: 0 }).await.unwrap().into_inner();
    let entries: Vec<_> = entries.take(usize::try_from(placed.index).unwrap() + 1).collect().await;
    assert!(entries.into_iter().all(|entry| entry.unwrap().encoded_len() <= DEFAULT_BYTES_MAX));
}

/// Calls that answer about one thing, the entry of 1,000 holds and an account.
async fn check_single_answers(ledger: &mut Ledger, index: u64) {
    let account = bytes(&ledger.people[0]);
    let request = proto::GetAccountRequest { account: account.clone(), min_index: 0 };
    fits(ledger.client.get_account(request).await.unwrap());
    let request = proto::GetBalanceRequest { account, as_of: None, min_index: 0 };
    fits(ledger.client.get_balance(request).await.unwrap());
    let sheet = ledger.sheet((0..1_000).map(|_| transfer(ledger.station, ledger.people[1], 1)).collect());
    let floor = proto::FloorSet { account: bytes(&ledger.station), floor_minutes: -1_000_000 };
    ledger.accept(vec![Kind::FloorSet(floor)]).await;
    let request = proto::SubmitRequest { sheet: Some(sheet), until: i32::from(proto::Until::Published) };
    let answer = fits(ledger.client.submit(request.clone()).await.unwrap());
    let size = answer.receipt.unwrap().index + 1;
    let again = tokio_stream::once(proto::SubmitStreamRequest { sheet: request.sheet, until: request.until });
    let mut answers = ledger.client.submit_stream(again).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().unwrap().encoded_len() <= DEFAULT_BYTES_MAX);
    let request = proto::FindAccountsRequest { prefix: hex::encode(&ledger.people[0][..3]) };
    assert_eq!(fits(ledger.client.find_accounts(request).await.unwrap()).accounts.len(), 1);
    let account = bytes(&ledger.people[0]);
    let history = proto::ListHistoryRequest { account, page_size: 200, details: true, ..Default::default() };
    let rows = fits(ledger.client.list_history(history).await.unwrap()).rows;
    if let Some(event) = rows.iter().find(|row| row.details.as_ref().is_some_and(|details| details.record.is_some())) {
        fits(ledger.client.get_record(proto::GetRecordRequest { event: event.event, min_index: 0 }).await.unwrap());
        let events = vec![event.event.unwrap(); 1_000];
        let records = ledger.client.get_records(proto::GetRecordsRequest { events, min_index: 0 }).await.unwrap();
        assert_eq!(fits(records).records.len(), 1_000);
    }
    let request = proto::GetInclusionProofRequest { index, size };
    fits(ledger.client.get_inclusion_proof(request).await.unwrap());
    let request = proto::GetConsistencyProofRequest { old_size: index, new_size: size };
    fits(ledger.client.get_consistency_proof(request).await.unwrap());
    let event = Some(proto::EventRef { index, event: 999 });
    fits(ledger.client.get_event_proof(proto::GetEventProofRequest { event, size }).await.unwrap());
}
