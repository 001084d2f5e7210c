//! The same sheet again, whatever became of its key, its time and the server meanwhile; and readers that fall behind.

use std::time::Duration;

use timebank::{
    format::{
        checkpoint,
        proto::{self, event::Kind},
        signature, wire,
    },
    ledger::{Millis, SheetId},
    merkle,
};

use crate::{
    harness::{Ledger, reason},
    support::{bytes, transfer},
};

#[tokio::test]
async fn a_sheet_that_expired_since_gets_its_first_receipt_and_a_new_one_none() {
    let mut ledger = Ledger::new().await;
    let now = jiff::Timestamp::now().as_millisecond();
    let short = |ledger: &Ledger, number| {
        let draft = wire::Draft {
            origin: &ledger.origin,
            sheet_id: SheetId(signature::random()),
            issued_at: Millis(now),
            valid_until: Millis(now + 1_500),
            events: vec![ledger.half_hour(0, number)],
        };
        wire::sign(draft, &[&ledger.operator]).unwrap()
    };
    let (sent, late) = (short(&ledger, 1), short(&ledger, 3));
    let first = ledger.submit(sent.clone(), proto::Until::Durable).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ledger.submit(sent, proto::Until::Durable).await.unwrap(), first);
    assert_eq!(reason(&ledger.submit(late, proto::Until::Durable).await.unwrap_err()), "SheetExpired");
}

#[tokio::test]
async fn a_sheet_whose_key_was_revoked_since_gets_its_first_receipt_and_a_new_one_none() {
    let mut ledger = Ledger::new().await;
    let staff = ledger.enrol(proto::KeyRole::Staff, ledger.station).await;
    let sent = ledger.sheet_by(&[&staff], vec![ledger.half_hour(0, 1)]);
    let first = ledger.submit(sent.clone(), proto::Until::Durable).await.unwrap();
    ledger.accept(vec![Kind::KeyRevoked(proto::KeyRevoked { key_id: bytes(&staff.key_id().0) })]).await;
    ledger.restart().await;
    assert_eq!(ledger.submit(sent, proto::Until::Durable).await.unwrap(), first);
    let late = ledger.sheet_by(&[&staff], vec![ledger.half_hour(0, 3)]);
    assert_eq!(reason(&ledger.submit(late, proto::Until::Durable).await.unwrap_err()), "KeyIsRevoked");
}

#[tokio::test]
async fn a_sheet_of_before_a_restart_is_published_when_asked_again() {
    let mut ledger = Ledger::new().await;
    let sheet = ledger.sheet(vec![ledger.half_hour(0, 1)]);
    let first = ledger.submit(sheet.clone(), proto::Until::Durable).await.unwrap();
    assert_eq!(first.publication, None);
    ledger.restart().await;
    let again = ledger.submit(sheet.clone(), proto::Until::Published).await.unwrap();
    assert_eq!(again.receipt, first.receipt);
    let publication = again.publication.unwrap();
    let vkey = ledger.status().await.ledger_vkey.parse().unwrap();
    let signed = checkpoint::open(publication.checkpoint.as_bytes(), &vkey, &ledger.origin).unwrap();
    let (receipt, decoded) = (first.receipt.unwrap(), wire::decode(&sheet).unwrap());
    let leaf = wire::leaf(receipt.index, receipt.recorded_at_ms, &decoded.header_hash, &decoded.signatures_hash);
    let proof: Vec<merkle::Hash> =
        publication.inclusion_proof.iter().map(|hash| hash.as_ref().try_into().unwrap()).collect();
    let root = signed.root_hash().unwrap();
    merkle::verify_inclusion(&merkle::leaf_hash(&leaf), receipt.index, signed.size, &proof, &root).unwrap();
}

#[tokio::test]
async fn a_slow_subscriber_holds_nobody_up_and_misses_nothing() {
    const SHEETS: u64 = 80;
    let mut ledger = Ledger::new().await;
    let floor = proto::FloorSet { account: bytes(&ledger.station), floor_minutes: -1_000_000 };
    ledger.accept(vec![Kind::FloorSet(floor)]).await;
    let request = proto::SubscribeRequest { from_index: 0 };
    let mut slow = ledger.client.clone().subscribe(request).await.unwrap().into_inner();
    // 80 sheets of some 50 KiB: far more than what fits into the windows of the connection.
    for _ in 0..SHEETS {
        let events = (0..500).map(|number| transfer(ledger.station, ledger.people[number % 2], 1)).collect();
        ledger.accept(events).await;
    }
    let size = ledger.status().await.size;
    assert_eq!(size, 3 + SHEETS);
    for expected in 0..size {
        let entry = slow.message().await.unwrap().unwrap().entry.unwrap();
        assert_eq!(entry.index, expected);
        wire::decode(&entry.sheet.unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_hold_that_ran_out_is_expired_by_the_service_itself() {
    let mut ledger = Ledger::new().await;
    ledger.accept(vec![ledger.half_hour(0, 1)]).await;
    let placed = proto::HoldPlaced {
        payer: bytes(&ledger.people[0]),
        station: bytes(&ledger.station),
        minutes: 20,
        expires_at_ms: jiff::Timestamp::now().as_millisecond() + 1_000,
    };
    let resident = ledger.enrol(proto::KeyRole::Resident, ledger.people[0]).await;
    let sheet = ledger.sheet_by(&[&resident], vec![Kind::HoldPlaced(placed)]);
    let hold = ledger.submit(sheet, proto::Until::Durable).await.unwrap().receipt.unwrap().index;
    let request = proto::GetBalanceRequest { account: bytes(&ledger.people[0]), ..Default::default() };
    let held = ledger.client.get_balance(request.clone()).await.unwrap().into_inner();
    assert_eq!((held.balance_minutes, held.available_minutes), (30, Some(10)));
    let request_entries = proto::SubscribeRequest { from_index: hold + 1 };
    let mut entries = ledger.client.subscribe(request_entries).await.unwrap().into_inner();
    let next = tokio::time::timeout(Duration::from_mins(1), entries.message()).await.expect("it expires");
    let sheet = next.unwrap().unwrap().entry.unwrap().sheet.unwrap();
    let decoded = wire::decode(&sheet).unwrap();
    let [timebank::ledger::Event::HoldExpired { hold: ended }] = decoded.sheet.events.as_slice() else {
        panic!("{:?}", decoded.sheet.events)
    };
    assert_eq!((ended.index.0, ended.event), (hold, 0));
    let after = ledger.client.get_balance(request).await.unwrap().into_inner();
    assert_eq!((after.balance_minutes, after.available_minutes), (30, Some(30)));
}

#[tokio::test]
async fn a_sheet_whose_receipts_rows_are_damaged_is_told_so_and_ends_no_service() {
    let mut ledger = Ledger::new().await;
    let sheet = ledger.sheet(vec![ledger.half_hour(0, 1)]);
    ledger.submit(sheet.clone(), proto::Until::Published).await.unwrap();
    let rows = ledger.folder.path().join("projections/postings");
    let sound = std::fs::read(&rows).unwrap();
    let mut damaged = sound.clone();
    damaged[0] ^= 1;
    std::fs::write(&rows, damaged).unwrap();
    for until in [proto::Until::Durable, proto::Until::Published] {
        assert_eq!(reason(&ledger.submit(sheet.clone(), until).await.unwrap_err()), "NotPublished");
    }
    // It is recorded, once, and others are served.
    let again = ledger.half_hour(1, 1);
    assert_eq!(ledger.accept(vec![again]).await.index, 3);
    std::fs::write(&rows, sound).unwrap();
    let receipt = ledger.submit(sheet, proto::Until::Durable).await.unwrap().receipt.unwrap();
    assert_eq!(receipt.index, 2);
}
