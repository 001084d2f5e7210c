//! Everything derived from the log: balances, holds, history, receipts. Delete any of it while the service is down, and
//! it comes back by itself.
//!
//! **Invariant**: readers see only what is durable. The committer calls [`Projection::apply`] after the sync.

pub mod digest;
pub mod history;
mod put_away;
pub mod row_file;
pub mod rows;
mod runs;
mod shown;
mod snapshot;
mod times;

use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use tokio::sync::watch;

use self::history::{History, HistoryHeads, NewEntry, NewPosting};
pub use self::row_file::ProjectionError;
use self::rows::{U40, WarningRow};
use self::snapshot::{Found, Saved};
pub use self::{put_away::PutAwayFiles, shown::Shown};
use crate::{
    engine::{
        machine::{Machine, MachinePath},
        replay::{Replay, StillReplay},
        store::{NotReplaced, rename_synced},
    },
    format::{proto, wire},
    ledger::{Event, EventKind, EventRef, LogIndex, RecordNote, Sheet, SheetOutcome, State, Version, WarningCode},
    merkle::Hash,
};

/// No counterparty in a row.
const NOBODY: u32 = u32::MAX;

/// An entry that is durable and what it did.
#[derive(Debug)]
pub struct Committed<'a> {
    /// Position in the log, from 0.
    pub index: u64,
    /// When it was recorded.
    pub recorded_at_ms: i64,
    /// As decoded: its events say what kind of row each posting becomes.
    pub sheet: &'a Sheet,
    /// What it did.
    pub outcome: &'a SheetOutcome,
}

/// What is added to the name of projections that don't agree with the log: the newest ones are kept, for whoever looks for the
/// cause.
const SET_ASIDE: &str = ".set-aside";

/// Takes projections that can't be used out of the way, in place of older ones that were. What became of them, as a sentence.
///
/// # Errors
/// The folders can't be renamed, nor emptied.
pub fn set_aside(MachinePath { machine, path: folder }: &MachinePath) -> Result<String, ProjectionError> {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(SET_ASIDE);
    let aside = folder.with_file_name(name);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ProjectionError::Io { path, source }
    };
    match machine.remove_folder(&aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(&aside)(error)),
        _ => {}
    }
    match rename_synced(machine.as_ref(), folder, &aside).map_err(NotReplaced::into_io) {
        Ok(()) => Ok(format!(
            "What was derived before is kept in {}; delete it when nobody wants to know why",
            aside.display()
        )),
        Err(error) if is_a_mount(&error) => {
            empty(machine.as_ref(), folder).map_err(io(folder))?;
            Ok(format!("{} is a file system of its own: what was derived before is deleted there", folder.display()))
        }
        Err(source) => Err(io(&aside)(source)),
    }
}

/// Whether a folder can't be renamed because it is where a file system begins.
pub(crate) fn is_a_mount(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::ResourceBusy | std::io::ErrorKind::CrossesDevices)
}

/// Deletes the files in a folder, and not the folder. Folders in it, as lost+found, are of the file system itself.
///
/// # Errors
/// Those of the file system.
pub(crate) fn empty(machine: &dyn Machine, folder: &Path) -> std::io::Result<()> {
    machine.files(folder)?.iter().try_for_each(|file| machine.remove(&folder.join(file)))
}

/// All projections of one ledger.
#[derive(Debug)]
pub struct Projection {
    folder: MachinePath,
    shown: RwLock<Shown>,
    history: History,
    put_away: Arc<PutAwayFiles>,
    durable: watch::Sender<u64>,
    snapshot_size: std::sync::atomic::AtomicU64,
}

impl Projection {
    /// Opens the projections of a ledger in a folder, and the state that they stand at: a saved one, or none at all.
    ///
    /// # Errors
    /// The folder can't be read or written. A damaged snapshot is no error: it is set aside with all that was derived.
    pub fn open(
        folder: impl Into<MachinePath>,
        origin: &str,
        log_size: u64,
    ) -> Result<(Self, Replay), ProjectionError> {
        let folder = folder.into();
        let make_folder = |MachinePath { machine, path }: &MachinePath| {
            machine.make_folder(path).map_err(|source| ProjectionError::Io { path: path.clone(), source })
        };
        make_folder(&folder)?;
        let found = snapshot::load(&folder, origin)?;
        let (mut history, mut put_away) = (History::open(&folder)?, PutAwayFiles::open(&folder)?);
        let fits = |saved: &Saved| {
            let state = &saved.replay.state;
            state.size() <= log_size && put_away.holds(state.put_away()) && history.holds(&saved.history)
        };
        let replay = match found {
            Found::Sound(saved) if fits(&saved) => {
                history.restore(&saved.history)?;
                saved.replay
            }
            Found::Nothing => {
                history.clear()?;
                Replay::new(origin)
            }
            Found::Sound(_) | Found::Unfit => {
                drop((history, put_away));
                let became = set_aside(&folder)?;
                tracing::warn!(
                    "the snapshot is damaged, of another layout or ledger, or ahead of the log: replaying the log from the \
                     beginning. {became}"
                );
                make_folder(&folder)?;
                (history, put_away) = (History::open(&folder)?, PutAwayFiles::open(&folder)?);
                Replay::new(origin)
            }
        };
        put_away.truncate(replay.state.put_away())?;
        let size = replay.state.size();
        let shown = RwLock::new(Shown::of(&replay));
        let durable = watch::Sender::new(size);
        Ok((Self { folder, shown, history, put_away: Arc::new(put_away), durable, snapshot_size: size.into() }, replay))
    }

    /// Shows durable entries to readers and gives their receipts. `version` and `root` are those after the last of them.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn apply(
        &self,
        committed: &[Committed<'_>],
        version: Version,
        root: Hash,
    ) -> Result<Vec<proto::Receipt>, ProjectionError> {
        let Some(last) = committed.last() else { return Ok(Vec::new()) };
        let entries: Vec<NewEntry> = committed.iter().map(new_entry).collect();
        self.history.append(&entries)?;
        let receipts = committed.iter().map(|committed| receipt_of(committed, &version)).collect();
        self.shown.write().unwrap_or_else(PoisonError::into_inner).apply(committed, version, root);
        self.durable.send_replace(last.index + 1);
        Ok(receipts)
    }

    /// What readers see. Held for the moment of one look.
    pub fn shown(&self) -> RwLockReadGuard<'_, Shown> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Postings by account.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// What the state has put away.
    #[must_use]
    pub const fn put_away(&self) -> &Arc<PutAwayFiles> {
        &self.put_away
    }

    /// What became of a record in a version that readers were shown, if anything did.
    ///
    /// # Errors
    /// The files can't be read.
    pub fn note(&self, version: &Version, record: EventRef) -> Result<Option<RecordNote>, ProjectionError> {
        match version.records().get(&record) {
            Some(note) => Ok(Some(*note)),
            None => self.put_away.note(record, version.size()),
        }
    }

    /// The first row of other projections that isn't these ones', by file; no row where it is the heads.
    ///
    /// # Errors
    /// The files can't be read.
    pub fn first_difference(&self, other: &Self) -> Result<Option<(&'static str, Option<u64>)>, ProjectionError> {
        if let Some(found) = self.history.first_difference(&other.history)? {
            return Ok(Some(found));
        }
        self.put_away.first_difference(&other.put_away)
    }

    /// Number of durable entries, now and as it grows.
    #[must_use]
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }

    /// The receipt of an entry, from the rows that its postings left.
    ///
    /// # Errors
    /// The files can't be read.
    pub fn receipt(&self, index: u64) -> Result<Option<proto::Receipt>, ProjectionError> {
        // Rows are there a moment before the accounts that they name are shown.
        if index >= self.shown().size() {
            return Ok(None);
        }
        let Some((entry, events, postings, warnings)) = self.history.receipt_rows(index)? else { return Ok(None) };
        let mut receipt = empty_receipt(index, entry.recorded_at_ms, usize::from(events));
        let shown = self.shown();
        for (_, row) in postings.iter().filter(|(_, row)| row.minutes != 0) {
            let posting = proto::Posting {
                account: shown.id_bytes(row.account),
                minutes: row.minutes,
                balance_after_minutes: row.balance_after,
            };
            if let Some(event) = receipt.events.get_mut(usize::from(row.event)) {
                event.postings.push(posting);
            }
        }
        for row in &warnings {
            let similar = proto::EventRef { index: row.similar_index.get(), event: u32::from(row.similar_event) };
            if let Some((event, code)) = receipt.events.get_mut(usize::from(row.event)).zip(warning_code(row.code)) {
                event.warnings.push(wire::warning_message(code, similar));
            }
        }
        Ok(Some(receipt))
    }

    /// Size of the log at the newest snapshot.
    #[must_use]
    pub fn snapshot_size(&self) -> u64 {
        self.snapshot_size.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// What a snapshot says of the projections. They stand at the same entry as its state: the committer asks between two
    /// commits, and may save later, since rows only ever come to those that there are.
    #[must_use]
    pub fn heads(&self) -> HistoryHeads {
        self.history.heads()
    }

    /// Saves state and tree, so that the next start replays only what comes after.
    ///
    /// # Errors
    /// The files can't be written.
    pub fn save(&self, replay: &StillReplay, heads: &HistoryHeads) -> Result<(), ProjectionError> {
        self.history.sync()?;
        self.put_away.sync()?;
        snapshot::save(&self.folder, replay, heads)?;
        self.snapshot_size.store(replay.state.size(), std::sync::atomic::Ordering::Relaxed);
        if let Err(error) = self.put_away.merge(replay.state.put_away()) {
            // They are found all the same.
            tracing::warn!("what was put away was not put in order: {error}");
        }
        Ok(())
    }
}

/// Rows of one entry. A correction may change one account twice; rows keep the order of the postings.
fn new_entry(committed: &Committed<'_>) -> NewEntry {
    let outcome = committed.outcome;
    let postings = outcome
        .postings
        .iter()
        .map(|(number, applied)| {
            let event = committed.sheet.events.get(usize::from(*number));
            let at = EventRef { index: LogIndex(committed.index), event: *number };
            NewPosting {
                account: applied.posting.account.0,
                minutes: applied.posting.minutes.get(),
                balance_after: applied.balance_after.get(),
                held_after: applied.held_after.get(),
                event: *number,
                kind: event.and_then(Event::shown_as).map_or(0, EventKind::number),
                counterparty: applied.posting.counterparty.map_or(NOBODY, |account| account.0),
                record: event.and_then(|event| record_of(event, at)),
            }
        })
        .collect();
    let warnings = outcome
        .warnings
        .iter()
        .map(|(event, warning)| WarningRow {
            event: *event,
            code: warning_number(warning.code),
            similar_index: U40::of(warning.similar.index.0),
            similar_event: warning.similar.event,
            reserved: 0,
        })
        .collect();
    let events = u16::try_from(committed.sheet.events.len()).unwrap_or(u16::MAX);
    NewEntry { index: committed.index, recorded_at_ms: committed.recorded_at_ms, events, postings, warnings }
}

/// The record that an event at a place is about.
fn record_of(event: &Event, at: EventRef) -> Option<EventRef> {
    let own = matches!(event, Event::ServiceRecorded(_)).then_some(at);
    own.or_else(|| Some(event.record()?.named_in(at.index)))
}

const fn warning_number(code: WarningCode) -> u8 {
    match code {
        WarningCode::NearDuplicate => 1,
    }
}

const fn warning_code(number: u8) -> Option<WarningCode> {
    match number {
        1 => Some(WarningCode::NearDuplicate),
        _ => None,
    }
}

fn empty_receipt(index: u64, recorded_at_ms: i64, events: usize) -> proto::Receipt {
    proto::Receipt { index, recorded_at_ms, events: vec![proto::EventReceipt::default(); events], events_left_out: 0 }
}

/// The receipt of an entry that was just applied: the same that [`Projection::receipt`] gives later.
fn receipt_of(committed: &Committed<'_>, version: &Version) -> proto::Receipt {
    let mut receipt = empty_receipt(committed.index, committed.recorded_at_ms, committed.sheet.events.len());
    for (event, applied) in &committed.outcome.postings {
        let minutes = applied.posting.minutes.get();
        if let Some(event) = receipt.events.get_mut(usize::from(*event)).filter(|_| minutes != 0) {
            event.postings.push(proto::Posting {
                account: wire::account_bytes(version.accounts().id(applied.posting.account)),
                minutes,
                balance_after_minutes: applied.balance_after.get(),
            });
        }
    }
    for (event, warning) in &committed.outcome.warnings {
        if let Some(event) = receipt.events.get_mut(usize::from(*event)) {
            event.warnings.push(wire::warning_message(warning.code, wire::event_ref_message(warning.similar)));
        }
    }
    receipt
}

/// The balance of all accounts together: 0, at every index.
#[must_use]
pub fn balance_sum(state: &State) -> i128 {
    state.amounts().rows().iter().map(|amounts| i128::from(amounts.balance.get())).sum()
}
