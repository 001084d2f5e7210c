//! What the state has put away is still judged by, seen and answered: ids of sheets, and what became of records.

use std::time::Duration;

use timebank::{
    engine::{log::Log, sequencer::SubmitError},
    format::{
        checkpoint::{self, VerifierKey},
        proto, wire,
    },
    ledger::{EventRef, LogIndex, Millis},
    merkle::{self, Hash},
};

use crate::{
    Service, begun,
    support::{self, ALICE, BOB, DAY, HOUR, ORIGIN, START, at, correct, record, reverse, service, transfer},
};

impl Service {
    /// Alice gives Bob a minute and gets it back, in as many sheets.
    async fn give(&mut self, sheets: usize) -> Vec<(proto::Sheet, proto::Receipt)> {
        let (alice, bob) = (self.ledger.alice.clone(), self.ledger.bob.clone());
        let mut taken = Vec::new();
        for number in 0..sheets {
            let (key, given) =
                if number % 2 == 0 { (&alice, transfer(ALICE, BOB, 1)) } else { (&bob, transfer(BOB, ALICE, 1)) };
            let sheet = self.ledger.sheet(&[key], vec![given]);
            let receipt = self.take(&sheet).await.receipt;
            taken.push((sheet, receipt));
        }
        taken
    }

    async fn refusal(&self, sheet: &proto::Sheet) -> &'static str {
        match self.sequencer.submit(sheet.clone(), false).await {
            Err(SubmitError::Refused(refusal)) => refusal.rejection.code(),
            other => panic!("{other:?}"),
        }
    }
}

/// The same sheet again: the receipt that it got, and where it is wanted a proof that it is in the log.
async fn check_again(service: &Service, taken: &[(proto::Sheet, proto::Receipt)]) {
    for (sheet, receipt) in taken {
        let again = service.sequencer.submit(sheet.clone(), false).await.unwrap();
        assert_eq!((&again.receipt, again.publication.is_none()), (receipt, true));
    }
    let (sheet, receipt) = &taken[0];
    let again = service.sequencer.submit(sheet.clone(), true).await.unwrap();
    assert_eq!(&again.receipt, receipt);
    let publication = again.publication.unwrap();
    let key = VerifierKey::new(ORIGIN, support::key(99).public_key()).unwrap();
    let checkpoint = checkpoint::open(publication.checkpoint.as_bytes(), &key, ORIGIN).unwrap();
    let entry = service.log.entry(receipt.index).unwrap().unwrap();
    let leaf = entry.leaf();
    let proof: Vec<Hash> = publication.inclusion_proof.iter().map(|hash| hash.as_ref().try_into().unwrap()).collect();
    let hash = merkle::leaf_hash(&leaf);
    assert!(
        merkle::verify_inclusion(&hash, receipt.index, checkpoint.size, &proof, &checkpoint.root_hash().unwrap())
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_that_comes_again_after_years_gets_its_receipt_and_its_id_is_used() {
    let place = tempfile::tempdir().unwrap();
    let mut service = begun(place.path()).await;
    let taken = service.give(100).await;
    check_again(&service, &taken).await;
    // Three years, a few sheets a year: their ids run out, and are put away.
    for _ in 0..3 {
        service.pass(365 * DAY);
        service.give(10).await;
    }
    assert!(service.ledger.replay.state.put_away().sheets >= 96, "{:?}", service.ledger.replay.state.put_away());
    assert!(service.projection.put_away().has_sheets());
    check_again(&service, &taken).await;
    let unsigned = |sheet: &proto::Sheet| {
        let mut sheet = sheet.clone();
        sheet.signatures = vec![vec![7; 64].into()];
        sheet
    };
    let signed = |service: &mut Service, id: &proto::Sheet, valid_until: i64, minutes| {
        let (alice, sheet_id) = (service.ledger.alice.clone(), wire::decode(id).unwrap().sheet.sheet_id);
        let (issued_at, valid_until) = (Millis(valid_until - DAY), Millis(valid_until));
        let events = vec![transfer(ALICE, BOB, minutes)];
        wire::sign(wire::Draft { origin: ORIGIN, sheet_id, issued_at, valid_until, events }, &[&alice]).unwrap()
    };
    let (first, _) = &taken[0];
    let fresh = service.ledger.sheet(&[&service.ledger.alice.clone()], vec![transfer(ALICE, BOB, 1)]);
    let now = service.ledger.now;
    for (sheet, code) in [
        (unsigned(first), "SignatureInvalid"),
        // The same id, with other bytes: whether it is past its validity or not, and whatever it says.
        (signed(&mut service, first, START + 2 * DAY, 2), "SheetExistsWithDifferentBytes"),
        (signed(&mut service, first, now + DAY, 1), "SheetExistsWithDifferentBytes"),
        // Nobody's id yet.
        (signed(&mut service, &fresh, START + 2 * DAY, 1), "SheetExpired"),
    ] {
        assert_eq!(service.refusal(&sheet).await, code);
        assert_eq!(service.ledger.submit(&sheet).unwrap_err().rejection.code(), code);
    }
    // Another's sheet may have the id.
    service.give(1).await;
    let bob = service.ledger.bob.clone();
    let sheet_id = wire::decode(first).unwrap().sheet.sheet_id;
    let (issued_at, valid_until, events) = (Millis(now), Millis(now + DAY), vec![transfer(BOB, ALICE, 1)]);
    let draft = wire::Draft { origin: ORIGIN, sheet_id, issued_at, valid_until, events };
    service.take(&wire::sign(draft, &[&bob]).unwrap()).await;
    // It all comes back after a restart.
    let (ledger, log) = service.stop();
    let mut service = Service::start(place.path(), ledger, log);
    check_again(&service, &taken).await;
    service.give(40).await;
    check_again(&service, &taken).await;
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_never_sees_a_sheet_that_was_put_away() {
    let place = tempfile::tempdir().unwrap();
    let mut service = begun(place.path()).await;
    let taken = service.give(40).await;
    service.pass(400 * DAY);
    service.give(2).await;
    let log = service.log.clone();
    let fresh = service.ledger.sheet(&[&service.ledger.alice.clone()], vec![transfer(ALICE, BOB, 1)]);
    let mut published = service.sequencer.published();
    published.wait_for(|published| published.size == log.size()).await.unwrap();
    let held_up = log.disk.lock().await;
    let mut under_way = Box::pin(service.sequencer.submit(fresh, false));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut under_way).await.is_err(), "the disk is held up");
    for (sheet, receipt) in &taken[24..] {
        let again = service.sequencer.submit(sheet.clone(), true);
        let again = tokio::time::timeout(Duration::from_secs(30), again).await;
        let again = again.unwrap().unwrap();
        assert_eq!((&again.receipt, again.publication.is_some()), (receipt, true));
    }
    drop(held_up);
    under_way.await.unwrap();
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_record_is_seen_and_judged_by_after_it_was_put_away() {
    let place = tempfile::tempdir().unwrap();
    let mut service = begun(place.path()).await;
    let staff = service.ledger.staff.clone();
    let half_hour = |day: i64, minutes| service_of(START - 40 * DAY + day * DAY, minutes);
    let mut records = Vec::new();
    for day in 0..40 {
        let sheet = service.ledger.sheet(&[&staff], vec![record(half_hour(day, 30))]);
        records.push(service.take(&sheet).await.receipt.index);
    }
    let place_of = |index: u64| EventRef { index: LogIndex(index), event: 0 };
    // All are corrected: then the first that were are put away, and some are corrected or taken back once more.
    for (day, index) in (0..).zip(&records) {
        let sheet = service.ledger.sheet(&[&staff], vec![correct(at(*index, 0), half_hour(day, 40))]);
        service.take(&sheet).await;
    }
    let before = service.projection.shown().version().clone();
    assert!(service.ledger.replay.state.put_away().notes >= 16);
    assert!(before.records().get(&place_of(records[0])).is_none(), "it was put away");
    let corrected = service.projection.note(&before, place_of(records[0])).unwrap().unwrap();
    assert_eq!((corrected.latest.index.0, corrected.reversed), (records[39] + 1, false));
    let sheet = service.ledger.sheet(&[&staff], vec![correct(at(records[0], 0), half_hour(0, 50))]);
    let again = service.take(&sheet).await.receipt.index;
    let sheet = service.ledger.sheet(&[&staff], vec![reverse(at(records[1], 0))]);
    service.take(&sheet).await;
    assert_eq!(service.ledger.balance(ALICE), 480 + 38 * 40 + 50);
    // A second round puts these away as well.
    for (day, index) in (2..).zip(&records[2..]) {
        let sheet = service.ledger.sheet(&[&staff], vec![correct(at(*index, 0), half_hour(day, 45))]);
        service.take(&sheet).await;
    }
    let after = service.projection.shown().version().clone();
    let (first, second) = (place_of(records[0]), place_of(records[1]));
    assert!(after.records().get(&first).is_none() && after.records().get(&second).is_none());
    let seen = |version, record| service.projection.note(version, record).unwrap().unwrap();
    assert_eq!((seen(&after, first).latest.index.0, seen(&after, second).reversed), (again, true));
    // Who holds an older version sees what it has.
    assert_eq!(seen(&before, first), corrected);
    assert!(!seen(&before, second).reversed);
    let sheet = service.ledger.sheet(&[&staff], vec![reverse(at(records[1], 0))]);
    assert_eq!(service.refusal(&sheet).await, "RecordReversed");
    let (ledger, log) = service.stop();
    let mut service = Service::start(place.path(), ledger, log);
    assert_eq!(service.refusal(&sheet).await, "RecordReversed");
    let sheet = service.ledger.sheet(&[&staff], vec![reverse(at(records[0], 0))]);
    service.take(&sheet).await;
    assert_eq!(service.ledger.balance(ALICE), 480 + 38 * 45);
    service.stop();
}

fn service_of(start: i64, minutes: i64) -> proto::Service {
    service(ALICE, start + HOUR, minutes)
}
