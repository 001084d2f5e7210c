#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::*;
use crate::engine::{clock::SystemTimeSource, log::MemoryLog};

/// A sheet of the right shape for its place in the queue; nobody gets to look at its signature.
fn sheet() -> proto::Sheet {
    let key = PrivateKey::from_seed([1; 32]);
    let event = proto::event::Kind::MinutesTransferred(proto::MinutesTransferred {
        from: vec![1; 16].into(),
        to: vec![2; 16].into(),
        minutes: 1,
    });
    let draft = wire::Draft {
        origin: "timebank.example/test",
        sheet_id: crate::ledger::SheetId([1; 16]),
        issued_at: crate::ledger::Millis(1),
        valid_until: crate::ledger::Millis(2),
        events: vec![event; 1_000],
    };
    wire::sign(draft, &[&key]).unwrap()
}

/// A sheet under way, as whoever answers it gets it.
pub(super) fn submission(waiting: oneshot::Sender<SubmitResult>) -> Box<Submission> {
    let (queue, sheet) = (Queue::new(), sheet());
    let permit = queue.try_one(Source::default(), &sheet).unwrap();
    let decoded = Arc::new(wire::decode(&sheet).unwrap());
    Box::new(Submission { source: Source::default(), sheet, decoded, published: true, waiting, desk: None, permit })
}

/// A sequencer whose jobs nobody takes: the worst day of a disk.
fn stalled() -> (Sequencer, mpsc::Receiver<Job>) {
    let (jobs, inbox) = mpsc::channel();
    let queue = Queue::new();
    let published = watch::channel(Published::default()).1;
    let clock = Clock::start(Box::new(SystemTimeSource), None, None).unwrap();
    let clock = Arc::new(clock);
    let folder = tempfile::tempdir().unwrap();
    let (node, _) = Node::open(Arc::new(MemoryLog::default()), folder.path(), "timebank.example/test").unwrap();
    let expired = Arc::new(Expired { node });
    let lookups = mpsc::channel().0;
    (Sequencer { jobs, lookups, desk: None, queue, published, closed: Arc::default(), clock, expired }, inbox)
}

#[tokio::test]
async fn a_full_queue_refuses_and_takes_again_what_fits_later() {
    let (sequencer, inbox) = stalled();
    let sheet = sheet();
    // All but the share of one sheet is taken, and what this source has for itself.
    let mut taken = Vec::new();
    while let Ok(part) = sequencer.queue.try_one(Source::default(), &sheet) {
        taken.push(part);
    }
    drop(taken.swap_remove(0));
    let answer = sequencer.feed(sheet.clone(), false).await.unwrap();
    match sequencer.submit(sheet.clone(), false).await {
        Err(SubmitError::QueueFull { retry_ms }) => assert!(retry_ms > 0),
        other => panic!("{other:?}"),
    }
    let Job::Submit(first) = inbox.recv().unwrap() else { panic!("a trial") };
    first.answer(Err(SubmitError::ShuttingDown));
    assert!(matches!(answer.await.unwrap(), Err(SubmitError::ShuttingDown)));
    let waiting = tokio::time::timeout(std::time::Duration::from_secs(1), sequencer.submit(sheet, false)).await;
    assert!(waiting.is_err(), "it is taken in, and waits");
}
