//! Reads in this process, without an edge: who is shown what, cursors that are nobody else's, and answers of one moment.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests stop at the first surprise")]

#[path = "support/mod.rs"]
mod support;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use support::{ALICE, BOB, HOUR, Ledger, ORIGIN, STATION, hold, open, transfer};
use timebank::{
    access::{
        AccountsAsked, AsOf, HistoryAsked, HistoryOrder, HoldsAsked, Identity, KeysAsked, Lane, PageSize, Places,
        ReadError, Reader, Reads, ReadsParts,
    },
    engine::{
        checkpoint_holder::MemoryHolder,
        clock::{Clock, TimeSource},
        log::{MemoryLog, StoredEntry},
        node::Node,
        scrub::Scrubbed,
        sequencer::{self, Sequencer, SequencerParts, Threads},
    },
    format::proto::{self, event::Kind},
    ledger::{AccountId, AccountKind, EventKind, EventRef, LogIndex, Millis},
    merkle::TileFile,
};
use tokio::sync::watch;

/// A clock that stands still.
struct Still(i64);

impl TimeSource for Still {
    fn wall(&self) -> Millis {
        Millis(self.0)
    }

    fn steady(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// A ledger that was written and may be read, and one in memory that signs for it.
struct Written {
    ledger: Ledger,
    reads: Reads,
    writer: Option<(Sequencer, Threads)>,
    _folder: tempfile::TempDir,
    _stop: watch::Sender<bool>,
}

impl Drop for Written {
    /// The writer ends before its folder goes: it would stop the process, whose checkpoint it can't write.
    fn drop(&mut self) {
        if let Some((sequencer, threads)) = self.writer.take() {
            drop(sequencer);
            threads.join();
        }
    }
}

impl Written {
    async fn new(cursor_key: [u8; 32]) -> Self {
        let mut ledger = Ledger::new();
        ledger.earn(ALICE, 480);
        for _ in 0..9 {
            ledger.accept(&[&ledger.alice.clone()], vec![transfer(ALICE, BOB, 1)]);
        }
        for number in 0..3 {
            let end = ledger.now + (1 + number) * HOUR;
            ledger.accept(&[&ledger.alice.clone()], vec![hold(ALICE, 10, end)]);
        }
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(MemoryLog::default());
        let (node, replay) = Node::open(log, &folder.path().join("projections"), ORIGIN).unwrap();
        let (sequencer, threads) = sequencer::start(SequencerParts {
            node: node.clone(),
            replay,
            clock: Clock::start(Box::new(Still(ledger.now)), None, None).unwrap(),
            ledger_key: support::key(99),
            holder: Arc::new(MemoryHolder::default()),
            checkpoint: None,
            on_stop: Arc::new(|stop| panic!("{stop}")),
        })
        .unwrap();
        let (stop, stopping) = watch::channel(false);
        let identity =
            Identity { ledger_vkey: String::new(), genesis_leaf_hash: [0; 32], predecessor: None, cursor_key };
        let (published, cosigned) = (sequencer.published(), watch::channel(String::new()).1);
        let scrubbed = watch::channel(Scrubbed::default()).1;
        let reads = Reads::new(ReadsParts { node, published, cosigned, scrubbed, stopping, identity });
        for entry in ledger.entries.clone() {
            let StoredEntry { header, signatures, events, .. } = entry;
            sequencer.submit(proto::Sheet { header, events, signatures }, true).await.unwrap();
        }
        Self { ledger, reads, writer: Some((sequencer, threads)), _folder: folder, _stop: stop }
    }

    async fn submit(&mut self, events: Vec<Kind>) {
        let sheet = self.ledger.sheet(&[&self.ledger.operator.clone()], events);
        let (sequencer, _) = self.writer.as_ref().unwrap();
        sequencer.submit(sheet, false).await.unwrap();
    }
}

fn history(account: [u8; 16], cursor: Option<String>) -> HistoryAsked {
    HistoryAsked {
        account: AccountId(account),
        page_size: PageSize::of_history(4).unwrap(),
        order: HistoryOrder::Unstated,
        kinds: Vec::new(),
        from: None,
        until: None,
        at_index: None,
        cursor,
        details: false,
    }
}

fn accounts(page_size: u32, cursor: Option<String>) -> AccountsAsked {
    AccountsAsked { kind: None, station: None, page_size: PageSize::of_list(page_size).unwrap(), cursor }
}

fn holds(cursor: Option<String>) -> HoldsAsked {
    HoldsAsked { payer: None, station: None, page_size: PageSize::of_list(1).unwrap(), cursor }
}

fn keys(cursor: Option<String>) -> KeysAsked {
    KeysAsked { account: None, page_size: PageSize::of_list(1).unwrap(), cursor }
}

/// A list, read with a cursor.
type Read<'a> = &'a dyn Fn(Option<String>) -> Result<(), ReadError>;

#[track_caller]
fn refused<T>(answer: Result<T, ReadError>, expected: &str) {
    match answer.map(drop) {
        Err(ReadError::FieldInvalid { field, .. }) => assert_eq!(field, expected),
        other => panic!("{expected}: {other:?}"),
    }
}

#[tokio::test]
async fn anybody_is_shown_the_checkpoint_and_the_tree_and_nothing_else() {
    let written = Written::new([7; 32]).await;
    let (reads, anybody, alice) = (&written.reads, Reader::Public, AccountId(ALICE));
    let (at, size) = (EventRef { index: LogIndex(2), event: 0 }, written.ledger.entries.len() as u64);
    let places = Places::new([Some(at)].into_iter()).unwrap();
    let answers = [
        reads.reach(anybody, 0).await.err(),
        reads.status(anybody).err(),
        reads.account(anybody, alice).err(),
        reads.accounts(anybody, &accounts(0, None)).err(),
        reads.find(anybody, "030303").err(),
        reads.balance(anybody, alice).err(),
        reads.balance_as_of(anybody, alice, AsOf::Index(LogIndex(1))).err(),
        reads.history(anybody, &history(ALICE, None)).err(),
        reads.holds(anybody, &holds(None)).err(),
        reads.keys(anybody, &keys(None)).err(),
        reads.regions(anybody).err(),
        reads.record(anybody, at).err(),
        reads.records(anybody, &places).err(),
        reads.entry(anybody, 0).err(),
        reads.entries(anybody, 0, 1).err(),
        reads.size(anybody).err(),
        reads.receipt(anybody, 0).err(),
        reads.state_digest(anybody, None, None).await.err(),
        reads.inclusion_proof(anybody, 0, size).err(),
        reads.consistency_proof(anybody, 1, size).err(),
        reads.event_proof(anybody, at, size).err(),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer, Some(ReadError::NotPermitted), "read {number}");
    }
    assert!(reads.checkpoint(anybody).unwrap().note.starts_with(ORIGIN));
    let file = TileFile::parse(&format!("tile/entries/000.p/{size}")).unwrap();
    assert!(!reads.file(anybody, file).await.unwrap().unwrap().is_empty());
}

#[tokio::test]
async fn cursors_lead_on_through_their_own_list_alone() {
    let written = Written::new([7; 32]).await;
    let (reads, local) = (&written.reads, Reader::Local);
    let first = reads.history(local, &history(ALICE, None)).unwrap();
    let cursor = first.next.clone();
    let second = reads.history(local, &history(ALICE, cursor.clone())).unwrap();
    assert!(second.rows[0].posting < first.rows[3].posting && second.reflected_index == first.reflected_index);

    refused(reads.history(local, &history(BOB, cursor.clone())), "account");
    let asked = || history(ALICE, cursor.clone());
    let others = [
        ("order", HistoryAsked { order: HistoryOrder::OldestFirst, ..asked() }),
        ("kinds", HistoryAsked { kinds: vec![Some(EventKind::HoldPlaced)], ..asked() }),
        ("from_ms", HistoryAsked { from: Some(Millis(1)), ..asked() }),
        ("until_ms", HistoryAsked { until: Some(Millis(2)), ..asked() }),
        ("at_index", HistoryAsked { at_index: Some(LogIndex(3)), ..asked() }),
    ];
    for (field, asked) in others {
        refused(reads.history(local, &asked), field);
    }
    refused(reads.accounts(local, &accounts(1, cursor.clone())), "cursor");
    refused(reads.holds(local, &holds(cursor.clone())), "cursor");
    refused(reads.keys(local, &keys(cursor.clone())), "cursor");
    let other = Written::new([8; 32]).await;
    refused(other.reads.history(local, &history(ALICE, cursor.clone())), "cursor");

    let lists: [(Option<String>, Read<'_>); 4] = [
        (cursor, &|cursor| reads.history(local, &history(ALICE, cursor)).map(drop)),
        (reads.accounts(local, &accounts(1, None)).unwrap().next, &|cursor| {
            reads.accounts(local, &accounts(1, cursor)).map(drop)
        }),
        (reads.holds(local, &holds(None)).unwrap().next, &|cursor| reads.holds(local, &holds(cursor)).map(drop)),
        (reads.keys(local, &keys(None)).unwrap().next, &|cursor| reads.keys(local, &keys(cursor)).map(drop)),
    ];
    for (cursor, read) in lists {
        let cursor = cursor.unwrap();
        assert_eq!(read(Some(cursor.clone())), Ok(()));
        for at in 0..cursor.len() {
            let mut letters = cursor.clone().into_bytes();
            letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
            refused(read(Some(String::from_utf8(letters).unwrap())), "cursor");
            refused(read(Some(cursor[..at].to_owned())), "cursor");
        }
        for garbage in ["nonsense", "=", "\u{4e16}", "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            refused(read(Some(garbage.to_owned())), "cursor");
        }
    }
}

#[tokio::test]
async fn a_filter_beside_a_lists_cursor_is_the_same_or_none() {
    let written = Written::new([7; 32]).await;
    let (reads, local) = (&written.reads, Reader::Local);
    let residents = AccountsAsked { kind: Some(AccountKind::Resident), ..accounts(1, None) };
    let cursor = reads.accounts(local, &residents).unwrap().next;
    let stations = AccountsAsked { kind: Some(AccountKind::Station), ..accounts(1, cursor.clone()) };
    refused(reads.accounts(local, &stations), "kind");
    let of_station = AccountsAsked { station: Some(AccountId(STATION)), ..accounts(1, cursor.clone()) };
    refused(reads.accounts(local, &of_station), "station");
    let next = reads.accounts(local, &accounts(1, cursor)).unwrap();
    assert_eq!(next.rows[0].kind, AccountKind::Resident, "the cursor carries it");

    let cursor = reads.holds(local, &HoldsAsked { payer: Some(AccountId(ALICE)), ..holds(None) }).unwrap().next;
    refused(reads.holds(local, &HoldsAsked { payer: Some(AccountId(BOB)), ..holds(cursor.clone()) }), "payer");
    refused(reads.holds(local, &HoldsAsked { station: Some(AccountId(STATION)), ..holds(cursor.clone()) }), "station");
    let next = reads.holds(local, &holds(cursor)).unwrap();
    assert_eq!(next.rows[0].payer, Some(AccountId(ALICE)));

    let cursor = reads.keys(local, &keys(None)).unwrap().next;
    refused(reads.keys(local, &KeysAsked { account: Some(AccountId(BOB)), ..keys(cursor) }), "account");
}

/// Every entry opens one account: so many there are at each, and a list that names an entry has to have them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_has_all_accounts_of_the_entry_that_it_names_while_more_are_opened() {
    let mut written = Written::new([7; 32]).await;
    let local = Reader::Local;
    let before = written.reads.accounts(local, &accounts(1_000, None)).unwrap();
    let (opened, entries) = (before.rows.len() as u64, written.ledger.entries.len() as u64);
    let over = Arc::new(AtomicBool::new(false));
    let (reads, ended) = (written.reads.clone(), Arc::clone(&over));
    let reader = tokio::spawn(async move {
        let mut looks = 0_u64;
        while !ended.load(Ordering::Relaxed) {
            let page = reads.beside(Lane::Rows, move |reads| reads.accounts(local, &accounts(1_000, None)));
            let page = page.await.unwrap();
            let found = reads.beside(Lane::Searches, move |reads| reads.find(local, "0a0b0c")).await.unwrap();
            assert_eq!(page.rows.len() as u64, opened + page.reflected_index.0 + 1 - entries);
            let expected = found.reflected_index.0 + 1 - entries;
            assert_eq!(found.answer.accounts.len() as u64, expected.min(10));
            assert_eq!(found.answer.more, expected > 10);
            looks += 1;
        }
        looks
    });
    for number in 0..250_u16 {
        let mut id = [0; 16];
        id[..3].copy_from_slice(&[0x0a, 0x0b, 0x0c]);
        id[14..].copy_from_slice(&number.to_be_bytes());
        let opening = open(id, proto::AccountKind::Resident, "", Some(STATION));
        written.submit(vec![opening]).await;
    }
    over.store(true, Ordering::Relaxed);
    assert!(reader.await.unwrap() > 10, "there were looks meanwhile");
}
